//! Sagas (S3.6): the actions of one message, saved with the reply and done step by step. A step that fails for good has those before it
//! compensated, the last first; whatever a crash leaves is found by its state.
//!
//! - `begin.rs`: tasks and saga, in the transaction of the turn
//! - `advance.rs`: from one step to the next, under a lease of the saga's own: a slow CRM must not keep its conversation waiting
//! - what a person sees and does of them: `desk/sagas.rs`

mod advance;
mod begin;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::states::{SagaState, StepState};
use types::{
    ConversationId, Effect, MessageId, OnDoubt, Priority, ProviderMessageId, RequestId, SagaId, TaskId, TenantId,
    Timestamp,
};

use crate::sql::Sql;

pub(crate) use advance::free;
pub use advance::{Advance, Advanced, Claim, Hold, NextDue, Todo, Verdict};
pub(crate) use begin::begin;

/// Every statement.
pub(crate) fn statements() -> Vec<&'static Sql> {
    [begin::STATEMENTS, advance::STATEMENTS].concat()
}

/// A saga to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewSaga {
    /// What the person is told if it is undone; empty: nothing.
    pub apology: String,
    /// What is to be done, in this order.
    pub acts: Vec<NewAct>,
}

/// One action to be: its task, and its effects outside.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAct {
    /// Its name in the tenant's file.
    pub name: String,
    /// What kind of action: the task's type.
    pub kind: &'static str,
    /// What to do, in a line.
    pub title: String,
    /// More of it.
    pub description: String,
    /// How urgent.
    pub priority: Priority,
    /// `team`, `role` or `user`, and which.
    pub assigned_to: (String, String),
    /// Until when, from now.
    pub due: Option<Duration>,
    /// What is known: the task's metadata, and what templates are filled from.
    pub facts: BTreeMap<String, String>,
    /// What happens outside, in this order.
    pub effects: Vec<(Effect, OnDoubt)>,
}

/// What an effect is made of, as its row keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Input {
    /// What to do, in a line.
    pub title: String,
    /// More of it.
    pub description: String,
    /// How urgent: its word.
    pub priority: String,
    /// What is known.
    pub facts: BTreeMap<String, String>,
}

/// One step as its worker is given it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Of which saga.
    pub saga: SagaId,
    /// Which of its steps, from 0.
    pub seq: u32,
    /// Whose.
    pub tenant: TenantId,
    /// In which conversation.
    pub conversation: ConversationId,
    /// Because of which message.
    pub message: MessageId,
    /// The request that brought it.
    pub request_id: RequestId,
    /// The action's name in the tenant's file.
    pub action: String,
    /// By what it is done.
    pub effect: Effect,
    /// The action's task.
    pub task: Option<TaskId>,
    /// What it is made of.
    pub input: Input,
    /// What the other side called it, when it was done.
    pub result: Option<String>,
    /// Which attempt this is, from 1; of the compensation, where it is compensated.
    pub attempt: u32,
    /// An attempt before this one may have been done.
    pub doubtful: bool,
}

impl Step {
    /// What makes it the same step to the other side, however often it is tried: goes out as the idempotency key and in the Message-ID.
    #[must_use]
    pub fn key(&self, undo: bool) -> String {
        let end = if undo { ".undo" } else { "" };
        format!("barid-{}-{}{end}", self.saga, self.seq)
    }
}

/// What is known of a saga while it is moved.
struct Head {
    tenant: TenantId,
    conversation: ConversationId,
    message: MessageId,
    provider_id: ProviderMessageId,
    request_id: RequestId,
    state: SagaState,
    apology: String,
}

/// A step's row while it is moved.
struct Line {
    step: Step,
    state: StepState,
    on_doubt: OnDoubt,
    undo_attempts: u32,
}

/// A saga's lease owner.
pub type Owner = Arc<str>;

/// When a step that waits is due.
pub(crate) type Due = Option<Timestamp>;
