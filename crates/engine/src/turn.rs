//! What goes into a decision and what comes out: values only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::inbound::Content;
use types::{Action, TenantId, Timestamp};

use crate::agent::{Aids, Staff, Traces};
use crate::flow::Flow;
use crate::handler::TenantIntent;
use crate::hours::Hours;
use nlu::Intent;
use nlu::{Language, Suppression};

/// What the engine needs to know of a tenant.
#[derive(Clone, Debug)]
pub struct TenantBrain {
    /// Whose.
    pub id: TenantId,
    /// The business's name, as the greeting says it.
    pub business: String,
    /// The assistant's name.
    pub assistant: String,
    /// The language of replies when the person has shown none.
    pub language: Language,
    /// The conversation's flow (S3.1).
    pub flow: Flow,
    /// What the business offers, each with aliases after `|`; may be empty. Recognised in messages, never listed in replies (S3.2).
    pub services: Vec<String>,
    /// The ISO country of phone numbers without a country code: `AE`.
    pub region: String,
    /// The tenant's own intents, and its word on the six (S3.4).
    pub intents: Vec<TenantIntent>,
    /// When people are there; `None`: always (S3.10).
    pub hours: Option<Hours>,
    /// Agents, experiments, and who understands (S3.3, S3.7, S3.8).
    pub staff: Staff,
}

/// One message to answer.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The tenant it came to.
    pub tenant: TenantId,
    /// The present moment.
    pub now: Timestamp,
    /// The message; several gathered ones are joined by line breaks.
    pub message: Content,
    /// What the conversation knows.
    pub memory: Memory,
    /// The person's name in WhatsApp. It confirms a bare answer; it is never taken as the answer itself.
    pub profile_name: Option<String>,
    /// What agents need; only for tenants with some ([`crate::Engine::needs_aids`]).
    pub aids: Aids,
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Questions are being asked.
    #[default]
    Asking,
    /// All are answered; a person prepares the quotation.
    Done,
    /// A person was called.
    Person,
    /// A stage that a later version wrote: a person has it.
    #[serde(other)]
    Later,
}

/// What a conversation knows. Others store it as opaque JSON; fields that a version does not know are skipped, fields that it misses
/// have their defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The greeting was said.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) greeted: bool,
    /// The language last written in.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) language: Option<Language>,
    /// What is known of the person, by field.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) known: BTreeMap<String, String>,
    /// The key of the open question.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) open: Option<String>,
    /// How many times it was asked and not answered.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) asked: u8,
    /// Where the conversation stands.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) stage: Stage,
    /// What is said at most once and was said.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) said: Vec<String>,
    /// What was acted on, and when (seconds since 1970): the same matter is not acted on twice in a day (S3.5).
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) acted: BTreeMap<String, i64>,
    /// A handler that waits to hear what the person wants before it acts.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) waiting: Option<String>,
    /// The person complained, and has wanted nothing else since.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) complains: bool,
    /// The end of the closed period of which the person was told, seconds since 1970 (S3.10).
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) told_closed: Option<i64>,
    /// The person opted out: nothing is answered until START. Whoever opts a person in by other means clears it.
    #[serde(skip_serializing_if = "is_default")]
    pub opted_out: bool,
}

impl Memory {
    /// What is known of the person: the fields of [`Decision::fields`].
    #[must_use]
    pub const fn known(&self) -> &BTreeMap<String, String> {
        &self.known
    }

    /// Puts in what others know already (a form, a CRM), so that it is never asked.
    pub fn learn(&mut self, field: &str, value: &str) {
        self.known.insert(field.to_owned(), value.to_owned());
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The key of the question that it asks, or `reply` (S4.1).
    pub key: String,
    /// The text.
    pub text: String,
}

/// A person is to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// `quotation` (or the flow's own word), `not_understood`, `asked_for_person`.
    pub reason: String,
}

/// What to do about a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to say; `None` when silence is right (opted out, or handed over and told so).
    pub reply: Option<Reply>,
    /// What the conversation knows now.
    pub memory: Memory,
    /// What was learnt or changed: `service`, `name`, `nationality`, `nationality_iso`, `email`, `phone` (E.164), `time`, `quantity`, and the keys of
    /// the flow's own text questions.
    pub fields: BTreeMap<String, String>,
    /// What the person wants.
    pub intent: Intent,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
    /// The handler that took it: the intent's name, or that of an intent of the tenant's own (S3.4).
    pub handler: Option<String>,
    /// What is to be done (S3.5), in this order: one saga.
    pub actions: Vec<Action>,
    /// What the person is told if the actions fail for good and are undone; empty without actions.
    pub apology: String,
    /// Set once, when a person is to take over.
    pub handover: Option<Handover>,
    /// Set when the person opts out or in.
    pub suppress: Option<Suppression>,
    /// How many lists of services the guard took out of the reply (S3.2).
    pub sanitized: u32,
    /// What each step found, without personal data: for the trace.
    pub steps: Vec<(&'static str, String)>,
    /// What agents and experiments did.
    pub traces: Traces,
}
