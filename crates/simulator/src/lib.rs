//! Simulated Meta Cloud API, Green API and vendors of language models: a real HTTP server with their wire format, errors and delays. `barid demo`, the
//! crash tests, the end-to-end tests and the load generator talk to it instead of to the providers.
//!
//! - [`options`]: which numbers and instances exist, where webhooks go, which statuses follow a send
//! - [`server`]: the socket and [`Simulator`], the handle
//! - [`meta`], [`green`]: the two providers' endpoints
//! - [`llm`]: vendors of language models
//! - [`faults`]: how a send goes wrong, on order
//! - [`journal`]: what was accepted, and everything a chat window would show
//! - [`statuses`], [`feed`]: webhooks on their way back, of Meta and of Green API
//! - [`lead`]: webhook bodies as the providers write and sign them
//! - [`client`]: posts webhooks with the providers' patience
//! - [`vendors`]: Slack and a CRM, which actions call
//! - [`control`]: `/_sim/…`, the same handle over HTTP
//! - [`ids`], [`json`], `agenda`: message ids, a small JSON writer, things to do at a time
//!
//! Plain HTTP only: it stands on the same machine as the engine it talks to.

mod agenda;
pub mod client;
pub mod control;
pub mod faults;
pub mod feed;
pub mod green;
pub mod ids;
pub mod journal;
pub mod json;
pub mod lead;
pub mod llm;
pub mod meta;
mod meta_rules;
pub mod options;
pub mod server;
pub mod statuses;
pub mod vendors;

pub use faults::{Fault, Rule, When};
pub use journal::{Accepted, Event, Happened, Provider};
pub use options::{
    Backoff, GreenInstance, Limits, MetaNumber, SimulatorOptions, StatusKind, StatusPlan, WebhookTargets,
};
pub use server::{Simulator, StartError, Stats};

/// The lock, also when another thread panicked while holding it: a simulator that lost its ledger would hide what happened.
pub(crate) fn locked<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
