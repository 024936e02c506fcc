//! Agents (S3.7): a named prompt with models, tools and bounds. An agent answers in the flow's place where its tenant says so; whenever it
//! cannot, the flow's own decision stands, within the time of the turn.
//!
//! - `window`: what a model is shown: the prompt, what is known, the newest turns, cut to the limit
//! - `run`: asks, tries again, goes on to the next provider, answers calls
//! - `tools`: what a model may have done, and the bounds that nothing it says can move
//! - `check`: what a reply must pass before anybody reads it
//! - `reading`: understanding by a model or from outside, believed as far as the message bears it out
//! - `decide`: who answers, and a decision from what an agent said
//! - `choice`: switches, roll-outs and experiments (S3.8)

pub(crate) mod check;
pub(crate) mod choice;
mod decide;
pub(crate) mod reading;
pub(crate) mod run;
pub(crate) mod tools;
pub(crate) mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use net::{Breakers, Client};
use serde::{Deserialize, Serialize};
use types::{Dice, Secret};

use crate::model::{Message, Model, Usage};

pub use choice::{Arm, Goal, Trial};
pub use reading::Given;
pub use tools::Proposal;

/// A named agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its name in the configuration.
    pub name: String,
    /// What it is and does; `{assistant}` and `{business}` are filled.
    pub prompt: String,
    /// Its models in the order in which they are tried.
    pub models: Vec<Model>,
    /// How freely it writes.
    pub temperature: Option<f64>,
    /// A reply has at most so many tokens.
    pub max_output: u32,
    /// A request has at most so many tokens (S3.7: 4000).
    pub context_tokens: u64,
    /// A session takes at most so many tokens; then the flow answers. 0: no bound.
    pub session_tokens: u64,
    /// What it may do.
    pub tools: Vec<Tool>,
    /// The actions that it may propose, by their names.
    pub actions: Vec<String>,
    /// Hosts that its replies may name.
    pub links: Vec<String>,
    /// Longest that all of it may take for one message.
    pub timeout: Duration,
    /// Longest that one call may take.
    pub call_timeout: Duration,
    /// Further attempts at one provider.
    pub retries: u32,
}

/// What an agent may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Note what the customer said of themselves.
    SetField,
    /// Call a person.
    HandOver,
    /// Propose one of the tenant's actions.
    Propose,
}

impl Tool {
    /// All.
    pub const ALL: [Self; 3] = [Self::SetField, Self::HandOver, Self::Propose];

    /// Its name to models and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SetField => "set_field",
            Self::HandOver => "hand_over",
            Self::Propose => "propose_action",
        }
    }
}

/// How a tenant's messages are understood (S3.3).
#[derive(Clone, Debug, Default)]
pub enum Reading {
    /// By the built-in classifier.
    #[default]
    BuiltIn,
    /// By a model with a JSON schema; the built-in where that fails.
    Model(Box<Agent>),
    /// By an outside service (S3.9), waited for so long; then the built-in.
    Outside(Duration),
}

/// What may be taken in a day; 0: no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cap {
    /// Tokens read and written.
    pub tokens: u64,
    /// Millionths of the currency.
    pub cost: u64,
}

impl Cap {
    /// Whether this much is all of it.
    #[must_use]
    pub const fn reached(self, spent: Self) -> bool {
        self.tokens > 0 && spent.tokens >= self.tokens || self.cost > 0 && spent.cost >= self.cost
    }
}

/// A day's budget: nobody's thousand messages may cost a fortune. When it is used up the flow answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// What the messages of one contact may take.
    pub contact: Cap,
    /// What those of all may.
    pub tenant: Cap,
}

/// What a tenant has of agents.
#[derive(Clone, Debug, Default)]
pub struct Staff {
    /// Who answers; `None`: the flow.
    pub agent: Option<String>,
    /// All that may answer, by name.
    pub agents: Vec<Agent>,
    /// How messages are understood.
    pub reading: Reading,
    /// What is being compared.
    pub trials: Vec<Trial>,
    /// What models may take in a day.
    pub budget: Budget,
}

impl Staff {
    /// The agent of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|a| a.name == name)
    }

    /// Whether a turn needs what the store knows of agents.
    #[must_use]
    pub const fn needs_aids(&self) -> bool {
        self.agent.is_some() || !self.trials.is_empty() || !matches!(self.reading, Reading::BuiltIn)
    }
}

/// What an agent remembers of a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The newest turns, oldest first.
    pub messages: Vec<Message>,
    /// What was said before them, in short.
    pub summary: String,
}

/// A switch as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// `agents`, `agent:NAME`, `experiment:NAME`.
    pub name: String,
    /// Whether it is on.
    pub on: bool,
    /// For how many of a hundred conversations.
    pub percent: u8,
    /// Of an experiment: the variant that somebody picked as its winner.
    pub picked: Option<String>,
}

/// What the store knows beside the conversation's memory; loaded only where [`Staff::needs_aids`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aids {
    /// The conversation, as the unit of roll-outs and experiments.
    pub unit: String,
    /// The tenant's switches, as they stand now.
    pub switches: Vec<Switch>,
    /// What each agent remembers of this conversation.
    pub contexts: BTreeMap<String, Context>,
    /// Tokens that the open session of each agent has taken.
    pub spent: BTreeMap<String, u64>,
    /// The variants that this conversation has, by experiment.
    pub arms: BTreeMap<String, String>,
    /// What an outside service says of this message.
    pub given: Option<Given>,
    /// What was taken of the day's budget.
    pub today: Budget,
}

impl Aids {
    /// Whose budget is used up, if one is.
    pub(crate) const fn over(&self, budget: &Budget) -> Option<&'static str> {
        if budget.contact.reached(self.today.contact) {
            Some("the contact's budget of the day is used up")
        } else if budget.tenant.reached(self.today.tenant) {
            Some("the tenant's budget of the day is used up")
        } else {
            None
        }
    }
}

/// One call of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which provider.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// `ok`, or the class of the failure.
    pub outcome: String,
    /// What happened, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// What it cost, in millionths of the currency.
    pub cost: u64,
    /// How long it took, ms.
    pub ms: u64,
    /// The tools that the answer called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
}

/// What an agent did in a turn; kept whether or not it answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Which agent.
    pub agent: String,
    /// `agent`, `reading`.
    pub workflow: &'static str,
    /// Every call of a model, in order.
    pub calls: Vec<Call>,
    /// What it remembers from now on; `None`: as before.
    pub context: Option<Context>,
    /// What the customer wrote, as the model was shown it.
    pub input: String,
    /// What it answered; empty where the flow did.
    pub output: String,
    /// `replied`, `handed_over`, or why the flow answered: `timeout`, `failed`, `filtered`, `refused`, `open`, `budget`.
    pub status: &'static str,
    /// More of that; for `handed_over`, why a person was called.
    pub error: Option<String>,
}

impl Record {
    /// Tokens of all calls.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.calls.iter().fold(Usage::default(), |all, c| Usage {
            input: all.input + c.usage.input,
            output: all.output + c.usage.output,
        })
    }

    /// Cost of all calls.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.calls.iter().map(|c| c.cost).sum()
    }
}

/// The first time that a conversation gets a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Which experiment.
    pub experiment: String,
    /// Which variant.
    pub arm: String,
}

/// What the store is told of agents after a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces {
    /// What agents and readers did.
    pub records: Vec<Record>,
    /// Variants given for the first time.
    pub exposures: Vec<Exposure>,
    /// Experiments whose goal this turn reached.
    pub reached: Vec<String>,
}

impl Traces {
    /// Nothing to tell.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty() && self.exposures.is_empty() && self.reached.is_empty()
    }
}

/// What calls of models need.
#[derive(Debug)]
pub struct Line {
    client: Client,
    breakers: Breakers,
    dice: Dice,
    /// Stands in every system prompt and must never come out.
    canary: Secret,
}

impl Line {
    /// Over this client, guarded by these breakers (`llm_{provider}`).
    #[must_use]
    pub fn new(client: Client, breakers: Breakers) -> Self {
        let canary = types::clock::random_token();
        Self { client, breakers, dice: Dice::from_system(), canary: Secret::new(&canary[..16]) }
    }
}
