//! The API `/api/v1` (S6.2): all that the page does, it does by this. One file for each resource; `rights.rs` says who may do what, and
//! `docs/api/openapi.json` is the description of it all, printed from these types.
//!
//! - `guard.rs`: what every request passes: caller, site, right, `Idempotency-Key`; `caller.rs`, `rights.rs`, `password.rs`
//! - `input.rs`, `page.rs`, `failure.rs`, `csv.rs`: what comes in, lists, refusals, tables for other programs
//! - `feed.rs`, `follower.rs`, `events.rs`: what is new, live
//! - the resources: `auth.rs`, `conversations.rs`, `acts.rs`, `messages.rs`, `failed_sends.rs`, `dead_letters.rs`, `jobs.rs`, `leads.rs`, `people.rs`,
//!   `tasks.rs`, `notifications.rs`, `agents.rs`, `flags.rs`, `experiments.rs`, `results.rs`, `analytics.rs`, `health.rs`, `alerts.rs`, `breakers.rs`, `tenants.rs`, `users.rs`, `tokens.rs`, `audit.rs`,
//!   `batches.rs`, `endpoints.rs`, `configuration.rs`, `simulator.rs`

mod acts;
mod agents;
mod alerts;
mod analytics;
mod audit;
mod auth;
mod batches;
mod breakers;
mod caller;
mod configuration;
mod conversations;
mod csv;
mod dead_letters;
mod describe;
mod endpoints;
mod events;
pub mod experiments;
mod failed_sends;
mod failure;
mod feed;
mod flags;
mod follower;
mod guard;
mod health;
mod input;
mod jobs;
mod leads;
mod messages;
mod notifications;
mod page;
pub mod password;
mod people;
pub(crate) mod results;
mod rights;
mod sagas;
pub mod simulator;
mod tasks;
mod tenants;
mod tokens;
mod users;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use store::accounts::links::{Add as AddLink, Purpose};
use store::spool::Spool;
use store::{Pauses, Store};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use types::UserId;
use types::clock::{Stopwatch, random_token};
use types::problem::Problem;
use types::text::digest;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use agents::{AgentInfo, BudgetInfo};
pub use configuration::ConfigurationKey;
pub use experiments::ExperimentInfo;
use failure::Failure;
use feed::Feed;
pub use guard::Peer;
use password::Hasher;
pub use tenants::{ChannelCheck, CheckChannel};

/// Where the API is.
pub const PREFIX: &str = "/api/v1";

/// How the API differs from one installation to another.
#[derive(Clone, Default)]
pub struct Options {
    /// People reach it by https: cookies say so.
    pub https: bool,
    /// How long a person's own message pauses the assistant.
    pub pauses: Pauses,
    /// The time zone of each tenant, by its slug.
    pub time_zones: HashMap<String, String>,
    /// The assistant's name of each tenant, by its slug.
    pub assistants: HashMap<String, String>,
    /// The agents of each tenant, by its slug.
    pub agents: HashMap<String, Vec<AgentInfo>>,
    /// The experiments of each tenant, by its slug.
    pub experiments: HashMap<String, Vec<ExperimentInfo>>,
    /// Says what experiments' outcomes mean.
    pub judge: Option<Arc<dyn experiments::Judge>>,
    /// The configuration as people may look at it.
    pub configuration: Vec<ConfigurationKey>,
    /// From what the secrets of outgoing webhooks are made; without it there are none.
    pub webhook_key: Option<types::Secret>,
    /// Outgoing webhooks may go to private addresses and without TLS.
    pub private_webhooks: bool,
    /// Asks the provider of a number whether its credentials work.
    pub check_channel: Option<Arc<tenants::CheckChannel>>,
    /// The demo's simulated providers.
    pub simulator: Option<Arc<dyn simulator::World>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("https", &self.https).finish_non_exhaustive()
    }
}

/// What the routes of the API share.
#[derive(Debug)]
pub struct Desk {
    store: Store,
    options: RwLock<Arc<Options>>,
    hasher: Hasher,
    feed: Feed,
    description: String,
    used: Mutex<Option<Stopwatch>>,
    arrivals: Notify,
    first_admin: Mutex<Option<String>>,
    streams: Arc<tokio::sync::Semaphore>,
    spool: OnceLock<Arc<Spool>>,
}

/// Somebody looks on as long as their last request is not older.
const LOOKS_ON: Duration = Duration::from_secs(60);
/// Streams of events at a time.
const STREAMS: usize = 512;

impl Desk {
    /// How long a person's own message pauses the assistant.
    pub(crate) fn pauses(&self) -> Pauses {
        self.options().pauses.clone()
    }

    /// How this installation differs, now.
    pub(crate) fn options(&self) -> Arc<Options> {
        Arc::clone(&self.options.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on it differs so: the configuration was read again.
    pub fn change(&self, options: Options) {
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }

    /// Over this database.
    #[must_use]
    pub fn new(store: Store, options: Options) -> Arc<Self> {
        Arc::new(Self {
            store,
            options: RwLock::new(Arc::new(options)),
            hasher: Hasher::default(),
            feed: Feed::new(),
            description: openapi(),
            used: Mutex::new(None),
            arrivals: Notify::new(),
            first_admin: Mutex::new(None),
            streams: Arc::new(tokio::sync::Semaphore::new(STREAMS)),
            spool: OnceLock::new(),
        })
    }

    /// Who is erased is looked for in this spool, too (S6.8).
    pub fn knows_spool(&self, spool: Arc<Spool>) {
        let _ = self.spool.set(spool);
    }

    /// Keeps the desk and tells what is new, until `stop`. To be run once in a process.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        follower::run(self, stop).await;
    }

    /// Ends every stream of news: the process stops.
    pub fn end_streams(&self) {
        self.feed.close();
    }

    /// Makes a link that opens once, and gives its secret: `…/start?token=SECRET`.
    ///
    /// # Errors
    /// When the database cannot keep it.
    pub async fn link(store: &Store, purpose: Purpose, user: Option<UserId>, lasts: Duration) -> store::Result<String> {
        let secret = secret();
        let digest = digest(secret.as_bytes());
        store.write(AddLink { digest, purpose, user, lasts }).await?;
        Ok(secret)
    }

    /// The secret of the link that makes the first administrator: `…/start?admin=SECRET`. It lives in this process alone, so that a start
    /// writes nothing; the next start makes another.
    #[must_use]
    pub fn first_admin_link(&self) -> String {
        let secret = secret();
        let digest = digest(secret.as_bytes());
        *self.first_admin.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        secret
    }

    /// Whether that is the secret of the first administrator's link; `take`: it does not open again.
    fn opens_first_admin(&self, token: &str, take: bool) -> bool {
        let mut kept = self.first_admin.lock().unwrap_or_else(PoisonError::into_inner);
        let opens = kept.as_ref().is_some_and(|kept| *kept == digest(token.as_bytes()));
        if opens && take {
            *kept = None;
        }
        opens
    }

    /// The session cookie's name. `__Host-` makes the browser refuse it from anywhere else, but only over https.
    fn cookie(&self) -> &'static str {
        if self.options().https { "__Host-barid" } else { "barid" }
    }

    fn looked(&self) {
        let old = self.used.lock().unwrap_or_else(PoisonError::into_inner).replace(Stopwatch::start());
        if old.is_none_or(|at| at.elapsed() > LOOKS_ON) {
            self.arrivals.notify_one();
        }
    }

    fn is_watched(&self) -> bool {
        self.feed.listeners() > 0
            || self.used.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() <= LOOKS_ON)
    }

    async fn woken(&self) {
        self.store.hub().stirred().await;
    }

    async fn arrived(&self) {
        self.arrivals.notified().await;
    }
}

/// A token's secret, its digest, which is what rows keep, and its first characters, by which people know it.
#[must_use]
pub fn new_token() -> (String, String, String) {
    tokens::make()
}

/// A secret of 256 bits.
pub(crate) fn secret() -> String {
    format!("{}{}", random_token(), random_token())
}

type Shared = State<Arc<Desk>>;

/// What waits to be worked, and what could not be.
fn queue() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new()
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::counts))
        .routes(routes!(dead_letters::groups))
        .routes(routes!(dead_letters::get))
        .routes(routes!(dead_letters::retry))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::counts))
        .routes(routes!(jobs::kinds))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::retry))
        .routes(routes!(jobs::cancel))
}

/// What was done beside the replies.
fn actions() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new()
        .routes(routes!(sagas::list))
        .routes(routes!(sagas::get))
        .routes(routes!(sagas::retry))
        .routes(routes!(sagas::skip))
}

/// Whether all is well, and what keeps it so.
fn wellbeing() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new()
        .routes(routes!(health::get))
        .routes(routes!(alerts::list))
        .routes(routes!(breakers::list))
        .routes(routes!(breakers::probe))
        .routes(routes!(breakers::hold))
        .routes(routes!(breakers::reset))
}

fn table() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::with_openapi(describe::head())
        .routes(routes!(auth::state))
        .routes(routes!(auth::login))
        .routes(routes!(auth::first_admin))
        .routes(routes!(auth::link))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::me))
        .routes(routes!(auth::change_password))
        .routes(routes!(events::stream))
        .routes(routes!(description))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::channels))
        .routes(routes!(tenants::resume_channel))
        .routes(routes!(tenants::check_channel))
        .routes(routes!(tenants::test_channel))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::counts))
        .routes(routes!(conversations::get))
        .routes(routes!(conversations::messages, conversations::send))
        .routes(routes!(conversations::notes, conversations::add_note))
        .routes(routes!(acts::takeover))
        .routes(routes!(acts::hand_back))
        .routes(routes!(acts::assign))
        .routes(routes!(acts::resolve))
        .routes(routes!(acts::reopen))
        .routes(routes!(acts::snooze))
        .routes(routes!(acts::priority))
        .routes(routes!(acts::labels))
        .routes(routes!(acts::read))
        .routes(routes!(acts::unread))
        .routes(routes!(messages::get))
        .routes(routes!(failed_sends::list))
        .routes(routes!(failed_sends::groups))
        .routes(routes!(failed_sends::get))
        .routes(routes!(failed_sends::retry))
        .routes(routes!(failed_sends::dismiss))
        .merge(queue())
        .merge(actions())
        .merge(people())
        .routes(routes!(tasks::list, tasks::add))
        .routes(routes!(tasks::get, tasks::change))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::count))
        .routes(routes!(notifications::read_all))
        .routes(routes!(notifications::delete_read))
        .routes(routes!(notifications::delete))
        .routes(routes!(notifications::read))
        .routes(routes!(notifications::unread))
        .routes(routes!(notifications::snooze))
        .merge(brain())
        .routes(routes!(analytics::series))
        .routes(routes!(analytics::series_csv))
        .merge(wellbeing())
        .merge(webhooks())
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::get, users::change))
        .routes(routes!(users::link))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(configuration::list))
        .routes(routes!(batches::list, batches::begin))
        .routes(routes!(batches::get))
        .routes(routes!(batches::cancel))
        .routes(routes!(simulator::state))
        .routes(routes!(simulator::messages, simulator::write))
        .routes(routes!(simulator::add_fault, simulator::clear_faults))
        .routes(routes!(simulator::clock))
        .routes(routes!(simulator::happened))
}

/// Programs that are told what happens.
fn webhooks() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new()
        .routes(routes!(endpoints::list, endpoints::add))
        .routes(routes!(endpoints::get, endpoints::change, endpoints::remove))
        .routes(routes!(endpoints::rotate))
        .routes(routes!(endpoints::test))
        .routes(routes!(endpoints::recover))
        .routes(routes!(endpoints::deliveries))
        .routes(routes!(endpoints::delivery))
        .routes(routes!(endpoints::resend))
}

/// Leads, and the people behind them.
fn people() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new()
        .routes(routes!(leads::list))
        .routes(routes!(leads::csv))
        .routes(routes!(leads::get, leads::change))
        .routes(routes!(leads::opt_out))
        .routes(routes!(leads::opt_in))
        .routes(routes!(people::merge))
        .routes(routes!(people::person))
        .routes(routes!(people::erase))
}

/// Agents, their switches, and experiments.
fn brain() -> OpenApiRouter<Arc<Desk>> {
    OpenApiRouter::new()
        .routes(routes!(agents::list))
        .routes(routes!(agents::sessions))
        .routes(routes!(agents::turns))
        .routes(routes!(experiments::list))
        .routes(routes!(experiments::pick))
        .routes(routes!(flags::list, flags::set))
}

/// The description of the API (OpenAPI 3.1), as `docs/api/openapi.json` keeps it.
#[must_use]
pub fn openapi() -> String {
    describe::finish(table().into_openapi())
}

/// The routes under [`PREFIX`].
pub(crate) fn router(desk: Arc<Desk>) -> Router {
    let (routes, _) = table().split_for_parts();
    let routes = routes
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&desk), guard::guard))
        .fallback(nowhere)
        .with_state(desk);
    Router::new().nest(PREFIX, routes)
}

async fn nowhere() -> Failure {
    Failure::missing("route", "of this name: see /api/v1/openapi.json")
}

async fn wrong_method() -> Failure {
    let detail = "this route takes other methods: see /api/v1/openapi.json";
    Failure(Problem::new("method", 405, "Not with this method", detail))
}

/// The description of this API.
#[utoipa::path(get, path = "/openapi.json", tag = "about", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn description(State(desk): Shared) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], desk.description.clone()).into_response()
}
