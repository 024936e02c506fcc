//! Webhook routes. A webhook is answered 200 only after its messages are committed to disk (promise 1 of SPEC); whatever cannot be
//! accepted is refused with a problem document that says why (S1.5).
//!
//! - [`router`]: the routes
//! - `meta.rs`, `green.rs`: one file per provider: check who calls, parse, route
//! - `accept.rs`: the way both share: commit, hand new work to the worker, answer
//! - `wait.rs`: `Prefer: wait=N` (S1.8)
//! - `problem.rs`: refusals as answers
//! - [`routes`]: which number belongs to whom

mod accept;
mod green;
mod meta;
mod problem;
pub mod routes;
mod wait;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use store::spool::Spool;
use store::{Claimed, Policy, Store};
use tokio::sync::mpsc;

pub use routes::{GreenDoor, MetaDoor, Routes};

/// What happens to signed webhooks for a number that is not configured (S1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrouted {
    /// 404: the provider repeats it until the number is configured, or gives up.
    Refuse,
    /// Stored as unrouted, 200.
    Store,
}

/// How the intake behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Longest body, bytes (S1.5: 3 MB).
    pub max_body: usize,
    /// Unknown numbers.
    pub unrouted: Unrouted,
    /// Times.
    pub policy: Arc<Policy>,
}

/// Where new work goes: conversations that were born leased, with the name of the process that holds them.
#[derive(Clone, Debug)]
pub struct Handoff {
    /// Who holds them.
    pub owner: Arc<str>,
    /// The worker's queue; its free places are this node's room.
    pub queue: mpsc::Sender<Claimed>,
}

/// What every route needs.
#[derive(Debug)]
pub struct Intake {
    pub(crate) store: Store,
    pub(crate) routes: Routes,
    pub(crate) options: Options,
    pub(crate) handoff: Option<Handoff>,
    pub(crate) spool: Option<Arc<Spool>>,
}

impl Intake {
    /// `handoff`: `None` on a node that does not work jobs; `spool`: where webhooks wait while a remote database is away (S1.9).
    #[must_use]
    pub fn new(
        store: Store,
        routes: Routes,
        options: Options,
        handoff: Option<Handoff>,
        spool: Option<Arc<Spool>>,
    ) -> Arc<Self> {
        Arc::new(Self { store, routes, options, handoff, spool })
    }
}

/// The webhook routes.
pub fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/api/webhooks/whatsapp", get(meta::handshake).post(meta::notify))
        .route("/webhook/greenapi", post(green::notify))
        .with_state(intake)
}
