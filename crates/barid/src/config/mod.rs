//! `barid.toml` and its environment: read at start and again at SIGHUP, checked as a whole, then plain typed values (SPEC appendix C).
//!
//! - `keys`: the one table of every key, its type, default and meaning; `docs/config.md` is made from it
//! - `tree`: the file as a tree that knows its lines, with the environment laid over it
//! - `values`: durations, sizes, addresses, `${NAME}`
//! - `read`: typed reading of one section, collecting every mistake instead of stopping at the first
//! - `agents`: agents, experiments, who understands
//! - `load`: the sections, put together
//! - `acts`: intents, actions, office hours, mail
//! - `check`: what no key can see alone: a lease shorter than the work it covers, a number given twice
//! - `report`: mistakes and warnings, each with its line and its mend

mod acts;
mod agents;
mod check;
mod keys;
mod load;
mod read;
mod report;
mod shown;
mod tree;
mod values;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use types::Secret;

pub use acts::Action;
pub use agents::{Agent, Arm, Experiment, Goal, Provider, ProviderKind, Staff, Understanding};
pub use keys::{KEYS, Key, Kind, Only, reference};
pub use load::{load, load_store, load_text};
pub use report::Mistake;
pub use shown::Shown;

/// Everything that an installation is told. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: Store,
    /// `[jobs]`
    pub jobs: Jobs,
    /// `[send]`
    pub send: Send,
    /// `[smtp]`; `None`: no mail.
    pub smtp: Option<net::MailServer>,
    /// `[breakers]`
    pub breakers: Breakers,
    /// `[alerts]`
    pub alerts: Alerts,
    /// `[webhooks]`
    pub webhooks: Webhooks,
    /// `[log]`
    pub log: Log,
    /// Whether agents answer at all: `WA_ENHANCED_PROCESSING=false` leaves the flow (S3.8).
    pub enhanced: bool,
    /// `[[agents]]`, in the order of the file.
    pub agents: Vec<Agent>,
    /// `[[tenants]]`, in the order of the file.
    pub tenants: Vec<Tenant>,
    /// What is legal and probably not meant; `barid check` and the start show them.
    pub warnings: Vec<Mistake>,
    /// All of it as people may look at it.
    pub shown: Vec<Shown>,
}

/// The HTTP side (S1, S7.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the world reaches this server, without a slash at the end.
    pub public_url: Option<String>,
    /// Largest body of a webhook, in bytes (S1.5: 3 MB).
    pub max_body: usize,
    /// Connections at a time; more wait in the system's queue.
    pub max_connections: usize,
    /// A request that is not answered by then is cut off.
    pub request_timeout: Duration,
    /// A client that has not sent its headers by then is cut off.
    pub header_timeout: Duration,
    /// What becomes of a webhook for a number that is not configured.
    pub unrouted: Unrouted,
}

/// What becomes of a webhook for a number that is not configured (S1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrouted {
    /// 404; the provider sends it again later.
    Refuse,
    /// Keep it as unrouted and answer 200.
    Store,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Which one, and where.
    pub url: StoreUrl,
    /// Where webhooks wait while a remote database is away, and at most how many bytes of them (S1.9).
    pub spool: Option<(PathBuf, usize)>,
}

/// Which database, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, which may hold a password.
    Postgres(Secret),
}

/// The queue (S2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// Opens `/api/jobs/*` (S2.7); closed without it.
    pub runner_token: Option<Secret>,
    /// Opens `/api/cron/*` (S2.7); closed without it.
    pub cron_token: Option<Secret>,
    /// Waits before each further attempt (S2.3).
    pub retry: Vec<Duration>,
    /// Attempts in all: the first, and one for each wait of `retry`.
    pub max_attempts: u32,
    /// Conversations worked at a time by this node.
    pub workers: usize,
    /// How long a conversation stays with a worker that does not renew (S2.2).
    pub lease: Duration,
    /// Longest that one turn may take (S2.4).
    pub turn_timeout: Duration,
    /// How often to look for due work when nothing wakes the workers (S2.7).
    pub poll: Duration,
    /// Waits before each automatic retry of a dead letter (S2.5).
    pub redrive: Vec<Duration>,
    /// How often the janitor goes round (S2.6).
    pub janitor_every: Duration,
    /// How long a stopping node lets running work finish (S2.9).
    pub drain: Duration,
    /// How long a processed message id is remembered (S1.6: 8 days at least).
    pub keep_ids: Duration,
    /// An agent's session ends after so long without a turn (S2.6).
    pub session_idle: Duration,
    /// How long finished jobs are kept.
    pub keep_done_jobs: Duration,
    /// How long raw events are kept.
    pub keep_events: Duration,
}

/// Sending (S4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Waits before each further attempt of a message that may still pass (S4.3).
    pub retry: Vec<Duration>,
    /// How long to wait for a trace of an ambiguous send on Meta (S4.4).
    pub reconcile: Duration,
    /// The same on Green API, whose journal lags (S4.4).
    pub reconcile_greenapi: Duration,
    /// What becomes of an ambiguous send when that time ends without a trace (S4.4).
    pub on_unknown: OnUnknown,
    /// Longest that one attempt may take (S2.4).
    pub timeout: Duration,
    /// How often the provider of a paused channel is asked whether its credentials work again (S4.3).
    pub probe_every: Duration,
    /// Messages per second of a Meta number (S4.5).
    pub rate_meta: u32,
    /// Messages per second of a Green API instance (S4.5).
    pub rate_greenapi: u32,
    /// Meta's limit per recipient (S4.5).
    pub pair: PairLimit,
    /// Whether a message is marked as read when it is taken up (S4.7).
    pub mark_read: bool,
    /// Whether the person sees "typing" while an answer is made (S4.7).
    pub typing: bool,
    /// Whether calls that a tenant can configure may reach private addresses (S7.3).
    pub allow_private: bool,
}

/// Meta's limit per recipient: one message per `every`, and `burst` at once (S4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairLimit {
    /// One message in this time.
    pub every: Duration,
    /// So many may go at once.
    pub burst: u32,
}

/// What becomes of an ambiguous send that left no trace (S4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// Send once more, marked as a possible duplicate.
    Resend,
    /// Wait for a person.
    Hold,
}

/// Breakers before outside dependencies (S4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakers {
    /// So many failures in a row open one.
    pub failures: u32,
    /// How long it stays open the first time.
    pub open: Duration,
    /// The longest that this grows to.
    pub open_max: Duration,
}

/// Alerts (S6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Who is told by a signed webhook: address and key.
    pub webhook: Option<(Secret, Secret)>,
    /// A Slack incoming webhook.
    pub slack: Option<Secret>,
    /// People, by mail.
    pub email: Vec<String>,
    /// How often to look.
    pub every: Duration,
    /// More stuck conversations than this.
    pub stuck: u32,
    /// More waiting dead letters than this.
    pub dead_letters: u32,
    /// A 95th percentile above this.
    pub processing_p95: Duration,
    /// Less free disk than this, percent.
    pub disk_free: u32,
}

/// Outgoing webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhooks {
    /// From what their secrets are made.
    pub key: Option<Secret>,
    /// How often to look for what is to be told.
    pub every: Duration,
    /// Bound on one try.
    pub timeout: Duration,
}

/// Logs (S6.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// Least level shown, or a filter such as `info,store=debug`.
    pub level: String,
    /// Whether the text of messages is logged.
    pub message_text: bool,
}

/// For whom logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// People.
    Pretty,
    /// Programs: one JSON object per line.
    Json,
}

/// A business that this installation serves (S7.1).
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its short name in URLs, commands and logs.
    pub slug: String,
    /// Its name, as people read it.
    pub business: String,
    /// The assistant's name, as people read it.
    pub assistant: String,
    /// The language of the first greeting.
    pub language: String,
    /// How a conversation goes (S3.1).
    pub flow: Flow,
    /// What the business offers: understood in messages, never listed in replies (S3.2).
    pub services: Vec<String>,
    /// The country (`AE`) whose phone numbers need no prefix.
    pub region: Option<String>,
    /// IANA name of its time zone.
    pub timezone: String,
    /// How long a person's reply pauses the assistant (S3.10).
    pub pause: Duration,
    /// Whether the assistant answers in groups.
    pub groups: Groups,
    /// Short messages are gathered for so long and answered once (S3.10); nothing: each is answered at once.
    pub gather: Duration,
    /// When people are there; `None`: always (S3.10).
    pub hours: Option<engine::Hours>,
    /// Its own intents, and its word on the six (S3.4).
    pub intents: Vec<engine::TenantIntent>,
    /// What it has done beside replies (S3.5).
    pub actions: Vec<Action>,
    /// Agents, experiments, and who understands.
    pub staff: Staff,
    /// Its numbers and instances, in the order of the file.
    pub channels: Vec<Channel>,
}

/// Where a tenant's conversation flow comes from (S3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The built-in one.
    Default,
    /// This file; it existed when the configuration was read.
    File(PathBuf),
}

/// Whether the assistant answers in groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Record, and stay silent.
    Ignore,
    /// Answer as in a chat.
    Answer,
}

/// A number or an instance of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A number of the Meta Cloud API.
    Meta(Meta),
    /// An instance of Green API.
    Green(Green),
}

/// A number of the Meta Cloud API (S1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The number's id at Meta.
    pub phone_number_id: String,
    /// What Meta says in the verification handshake.
    pub verify_token: Secret,
    /// Keys of the webhook signature; several while one is being rotated.
    pub app_secrets: Vec<Secret>,
    /// The token for sending.
    pub access_token: Secret,
    /// The Graph API's address, without a slash at the end.
    pub api_base: String,
    /// The Graph API's version: `v25.0`.
    pub api_version: String,
    /// Messages per second of this number.
    pub rate: u32,
    /// Sent instead of text outside the 24-hour window (S4.7).
    pub template: Option<Template>,
}

/// A message template that Meta has approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name at Meta.
    pub name: String,
    /// Its language code at Meta.
    pub language: String,
}

/// An instance of Green API (S1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Green {
    /// `idInstance`.
    pub instance: String,
    /// `apiTokenInstance`, for sending.
    pub api_token: Secret,
    /// What Green API puts into `Authorization` of its webhooks (`webhookUrlToken`).
    pub webhook_token: Secret,
    /// The API's address, without a slash at the end.
    pub api_base: String,
    /// Messages per second of this instance.
    pub rate: u32,
}

impl Channel {
    /// The word of the configuration: `meta` or `greenapi`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Meta(_) => "meta",
            Self::Green(_) => "greenapi",
        }
    }

    /// What the provider calls this channel: `phone_number_id` or `idInstance`.
    #[must_use]
    pub fn provider_id(&self) -> &str {
        match self {
            Self::Meta(m) => &m.phone_number_id,
            Self::Green(g) => &g.instance,
        }
    }
}
