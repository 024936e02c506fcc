//! The operator's side over HTTP.
//!
//! - `health.rs`: `/livez`, `/readyz`, `/metrics` and their `/wa-webhook` twins (S6.4)
//! - `jobs.rs`: `/api/jobs/*`, `/api/cron/*` for outside schedulers (S2.7, S2.8)
//! - `send.rs`: `/api/whatsapp-send` (S4.9)
//! - `auth.rs`: tokens in the query or as `Authorization: Bearer`
//! - `api/`: everything that people and other programs do (S6.2)
//! - `docs.rs`: what an error code means, what to do about an alert
//! - `ui.rs`: the web page, out of the binary (S6.1)

pub mod api;
mod auth;
mod docs;
mod figures;
mod health;
mod jobs;
mod problem;
mod send;
mod ui;

use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use store::{Door, Store};
use types::Secret;

/// Claims and works up to so many due conversations; how many it worked.
pub type RunOutbound = Arc<dyn Fn(u32) -> Pin<Box<dyn Future<Output = store::Result<u32>> + Send>> + Send + Sync>;

/// What the routes need.
#[derive(Clone)]
pub struct Admin {
    /// The database.
    pub store: Store,
    /// Opens `/api/jobs/*`.
    pub runner_token: Option<Secret>,
    /// Opens `/api/cron/*`.
    pub cron_token: Option<Secret>,
    /// Works due jobs on demand.
    pub run_outbound: RunOutbound,
    /// The metrics as Prometheus text.
    pub render_metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Channels that `/api/whatsapp-send` may send through, the first being the default.
    pub doors: Vec<Door>,
    /// The API.
    pub desk: Arc<api::Desk>,
    /// Whether this process drains: not ready any more.
    pub draining: Arc<std::sync::atomic::AtomicBool>,
    /// Where webhooks wait while the database is away.
    pub spool: Option<Arc<store::spool::Spool>>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The operator's routes.
pub fn router(admin: Admin) -> Router {
    let api = api::router(Arc::clone(&admin.desk));
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/wa-webhook/health", get(health::ready))
        .route("/wa-webhook/metrics", get(health::metrics))
        .route("/api/jobs/run-outbound", get(jobs::run_by_runner).post(jobs::run_by_runner))
        .route("/api/jobs/metrics", get(jobs::figures))
        .route("/api/cron/run-outbound-jobs", get(jobs::run_by_cron).post(jobs::run_by_cron))
        .route("/api/whatsapp-send", post(send::send))
        .route("/api/ai-results", post(api::results::take))
        .route("/docs/{*path}", get(docs::page))
        .with_state(Arc::new(admin))
        .merge(api)
        .fallback(ui::serve)
}
