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
use axum::response::Response;
use axum::routing::{get, post};
use store::spool::Spool;
use store::{Claimed, Policy, Store};
use tokio::sync::mpsc;
use types::problem::Problem;

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
    /// `None`: the database has not been seen yet, and the spool takes everything.
    pub(crate) store: Option<Store>,
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
        Arc::new(Self { store: Some(store), routes, options, handoff, spool })
    }

    /// An intake that has not seen the database yet: everything goes to the spool (S1.9).
    #[must_use]
    pub fn waiting(routes: Routes, options: Options, spool: Arc<Spool>) -> Arc<Self> {
        Arc::new(Self { store: None, routes, options, handoff: None, spool: Some(spool) })
    }
}

/// The webhook routes.
pub fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/api/webhooks/whatsapp", get(meta::handshake).post(meta::notify))
        .route("/webhook/greenapi", post(green::notify))
        .with_state(intake)
}

/// What a node says to everybody else while it waits for the database.
pub async fn not_yet() -> Response {
    let detail = "this node has started and the database is away: webhooks wait in the spool, everything else comes when the database does";
    problem::respond(&Problem::new("store-unavailable", 503, "The database is away", detail))
}
