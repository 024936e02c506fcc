//! Barid's words, which every other room speaks and which speak to nobody.
//!
//! - [`ids`]: newtyped ids and the generator that makes them
//! - [`alert`]: alerts as values (S6.6)
//! - [`breaker`]: a breaker as it stands on record (S4.10)
//! - [`clock`]: time and chance as parameters; nothing else in the workspace may ask the system for either
//! - [`secret`]: values that never print
//! - [`inbound`]: what a provider told us, of every kind, as one typed model (S1.3)
//! - [`outbound`]: what we want said, and what became of trying (S4.2)
//! - [`action`]: what is to be done beside the reply (S3.5)
//! - [`states`]: the status enums and their legal moves (drawn in `docs/states.md`)
//! - [`fault`]: every failure knows its class
//! - [`http`]: a planned request and its answer, as values
//! - [`problem`]: a refusal over HTTP, as a value
//! - [`schema`]: how ids, moments and states read in the API's description
//! - [`text`]: small text tools that several rooms need
//! - [`webhook`]: the secrets of outgoing webhooks
//! - [`words`]: enums that are words in rows, files and the API

pub mod action;
pub mod alert;
pub mod breaker;
pub mod clock;
pub mod fault;
pub mod http;
pub mod ids;
pub mod inbound;
pub mod outbound;
pub mod problem;
pub mod schema;
pub mod secret;
pub mod states;
pub mod text;
pub mod webhook;
pub mod words;

pub use action::{Action, ActionKind, Effect, OnDoubt, Priority};
pub use clock::{Clock, Dice, SharedClock, SystemClock, Timestamp};
pub use fault::{Fault, Refusal, Scope};
pub use ids::*;
pub use schema::Moment;
pub use secret::Secret;
