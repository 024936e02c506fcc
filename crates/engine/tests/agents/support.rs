//! An engine with an agent, simulated vendors, and what the store would keep.

use std::sync::Arc;
use std::time::Duration;

use engine::agent::{Agent, Aids, Line, Staff, Tool};
use engine::model::{Model, Wire};
use engine::{Decision, Engine, Flow, Language, Memory, TenantBrain, Turn};
use net::breaker::BreakerOptions;
use net::{Breakers, Client, ClientOptions};
use simulator::llm::Act;
use simulator::{Simulator, SimulatorOptions};
use types::inbound::Content;
use types::{Secret, SystemClock, TenantId, Timestamp};

pub const PROMPT: &str = "You are {assistant}, the assistant of {business}. You help people who look for an office, find out what they need and when they would \
                      like to move, and you are friendly and brief in everything that you write to them.";

pub fn model(sim: &Simulator, provider: &str, wire: Wire, model: &str) -> Model {
    Model {
        provider: provider.to_owned(),
        wire,
        base: format!("{}/llm/{provider}", sim.base_url()),
        model: model.to_owned(),
        key: Some(Secret::new(format!("sk-canary-{provider}-0001"))),
        price_in: 1_000_000,
        price_out: 4_000_000,
    }
}

pub fn agent(sim: &Simulator) -> Agent {
    Agent {
        name: "front_desk".to_owned(),
        prompt: PROMPT.to_owned(),
        models: vec![
            model(sim, "alpha", Wire::OpenAi, "llama"),
            model(sim, "beta", Wire::Anthropic, "claude"),
            model(sim, "gamma", Wire::Gemini, "gemini"),
        ],
        temperature: Some(0.3),
        max_output: 300,
        context_tokens: 4_000,
        session_tokens: 0,
        tools: Tool::ALL.to_vec(),
        actions: vec!["book_visit".to_owned()],
        links: vec!["oasis.example".to_owned()],
        timeout: Duration::from_secs(15),
        call_timeout: Duration::from_secs(4),
        retries: 1,
    }
}

/// A conversation with an engine, its memory and what the store would keep.
pub struct Talk {
    pub sim: Simulator,
    pub engine: Engine,
    pub memory: Memory,
    pub aids: Aids,
}

impl Talk {
    pub async fn new(change: impl FnOnce(&mut Staff)) -> Self {
        let sim = Simulator::start(SimulatorOptions::default()).await.unwrap();
        let one = agent(&sim);
        let mut staff = Staff { agent: Some(one.name.clone()), agents: vec![one], ..Staff::default() };
        change(&mut staff);
        let brain = TenantBrain {
            id: TenantId(1),
            business: "Oasis".to_owned(),
            assistant: "Noura".to_owned(),
            language: Language::En,
            flow: Flow::default_flow(),
            services: ["Golden visa | الإقامة الذهبية", "Trade license | رخصة تجارية", "Ejari"]
                .map(str::to_owned)
                .to_vec(),
            region: "AE".to_owned(),
            intents: Vec::new(),
            hours: None,
            staff,
        };
        let client = Client::new(ClientOptions { allow_private: true, ..ClientOptions::default() }).unwrap();
        let breakers = Breakers::new(BreakerOptions::default(), Arc::new(SystemClock));
        let engine = Engine::new(vec![brain]).unwrap().with_line(Line::new(client, breakers));
        Self { sim, engine, memory: Memory::default(), aids: Aids { unit: "7".to_owned(), ..Aids::default() } }
    }

    pub async fn usual() -> Self {
        Self::new(|_| ()).await
    }

    pub fn script(&self, provider: &str, acts: impl IntoIterator<Item = Act>) {
        self.sim.llm().script(provider, acts);
    }

    pub async fn say(&mut self, text: &str) -> Decision {
        self.message(Content::Text { body: text.to_owned() }, None).await
    }

    pub async fn message(&mut self, message: Content, profile_name: Option<&str>) -> Decision {
        let turn = Turn {
            tenant: TenantId(1),
            now: Timestamp::from_seconds(1_800_000_000),
            message,
            memory: self.memory.clone(),
            profile_name: profile_name.map(str::to_owned),
            aids: self.aids.clone(),
        };
        let decision = self.engine.decide(&turn).await;
        self.memory = decision.memory.clone();
        for record in &decision.traces.records {
            if let Some(context) = &record.context {
                self.aids.contexts.insert(record.agent.clone(), context.clone());
            }
            let usage = record.usage();
            *self.aids.spent.entry(record.agent.clone()).or_default() += usage.input + usage.output;
        }
        self.aids.arms.extend(decision.traces.exposures.iter().map(|e| (e.experiment.clone(), e.arm.clone())));
        decision
    }
}

pub fn reply(decision: &Decision) -> &str {
    decision.reply.as_ref().map_or("(nothing)", |r| r.text.as_str())
}

pub fn status(decision: &Decision) -> &str {
    decision.traces.records.last().map_or("no agent", |r| r.status)
}

/// What the flow says to the same message, as the reference of every fallback.
pub const FLOW: &str = "Hi 👋 I'm Noura from Oasis. How can I help you today?";
