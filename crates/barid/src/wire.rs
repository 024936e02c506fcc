//! Where everything meets: a configuration becomes rows, routes, an engine, senders, a worker and a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use acts::{Acts, Office};
use anyhow::{Context, bail};
use axum::Router;
use egress::alerts::{Sink, Teller};
use egress::{Account, Egress, Outlet};
use engine::agent::Line;
use engine::{Engine, Language, TenantBrain};
use ingress::{GreenDoor, Handoff, Intake, MetaDoor, Routes};
use net::throttle::Limits;
use net::{BreakerOptions, Breakers, Client, ClientOptions, Mailer};
use store::channels::{ChannelSeed, Sync, Synced, TenantSeed};
use store::settings::Declare;
use store::{Door, OfTenants, Pauses, Policy, PostgresOptions, SqliteOptions, Store};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::clock::random_token;
use types::{SharedClock, TenantId};
use worker::{Mind, Parts, Worker};

use crate::config::{Channel, Config, Groups, OnUnknown, StoreUrl, Tenant};
use crate::reload::Running;
use crate::serve;
use crate::{staff, waiting};

/// A running engine.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) worker: Arc<Worker>,
    draining: Arc<AtomicBool>,
    pub(crate) desk: Arc<admin::api::Desk>,
    pub(crate) running: Running,
    /// Ends the follower: after the worker and the server, whose last rows it keeps.
    follower: CancellationToken,
    last: TaskTracker,
    server: CancellationToken,
    tasks: TaskTracker,
    drain: Duration,
}

/// What a start may differ in from the configuration.
#[derive(Clone, Default)]
pub struct Start {
    /// Take webhooks, but leave the work to other nodes.
    pub no_worker: bool,
    /// Renders the metrics; `None`: an empty page.
    pub metrics: Option<Arc<dyn Fn() -> String + Send + std::marker::Sync>>,
    /// More routes beside the engine's (the demo's page).
    pub extra: Option<Router>,
    /// Live by the given clock even where the database's time would decide: for tests that move it.
    pub own_clock: bool,
    /// The demo's simulated world, for the page.
    pub simulator: Option<Arc<dyn admin::api::simulator::World>>,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start").field("no_worker", &self.no_worker).finish_non_exhaustive()
    }
}

/// Opens the configured database as its server.
///
/// # Errors
/// When it cannot be used.
pub async fn open_store(config: &Config, clock: SharedClock, own_clock: bool) -> anyhow::Result<Store> {
    match &config.store.url {
        StoreUrl::Sqlite(path) => Ok(Store::open_sqlite(&SqliteOptions::at(path), clock).await?),
        StoreUrl::Postgres(url) => {
            let options = PostgresOptions { own_clock, ..PostgresOptions::at(url.expose()) };
            Ok(Store::open_postgres(&options, clock).await?)
        }
    }
}

/// Opens a database for a command beside the server.
///
/// # Errors
/// When it cannot be used: not there, or of another schema version.
pub async fn open_beside(store: &crate::config::Store, clock: SharedClock) -> anyhow::Result<Store> {
    match &store.url {
        StoreUrl::Sqlite(path) if !path.exists() => {
            bail!(
                "there is no database {} yet: start `barid serve` or `barid demo` once, or run `barid migrate`",
                path.display()
            )
        }
        StoreUrl::Sqlite(path) => Ok(Store::open_sqlite(&SqliteOptions::beside(path), clock).await?),
        StoreUrl::Postgres(url) => Ok(Store::open_postgres(&PostgresOptions::beside(url.expose()), clock).await?),
    }
}

/// The times and choices that operations need.
#[must_use]
pub fn policy(config: &Config, synced: &[Synced]) -> Policy {
    Policy {
        lease: config.jobs.lease,
        job_retry: config.jobs.retry.clone(),
        redrive: config.jobs.redrive.clone(),
        send_retry: config.send.retry.clone(),
        reconcile_meta: config.send.reconcile,
        reconcile_green: config.send.reconcile_greenapi,
        on_unknown: match config.send.on_unknown {
            OnUnknown::Resend => store::OnUnknown::Resend,
            OnUnknown::Hold => store::OnUnknown::Hold,
        },
        pauses: pauses(config, synced),
        gather: OfTenants::new(gathered(config, synced)),
    }
}

/// Tenants whose short messages are gathered, and for how long.
pub(crate) fn gathered(config: &Config, synced: &[Synced]) -> Vec<(TenantId, Duration)> {
    let rows = config.tenants.iter().zip(synced);
    rows.filter(|(t, _)| !t.gather.is_zero()).map(|(t, rows)| (rows.tenant, t.gather)).collect()
}

/// How long a person's reply pauses each tenant's assistant.
pub(crate) fn paused(config: &Config, synced: &[Synced]) -> Vec<(TenantId, Duration)> {
    config.tenants.iter().zip(synced).map(|(tenant, rows)| (rows.tenant, tenant.pause)).collect()
}

/// The same, as the desk has it.
#[must_use]
pub fn pauses(config: &Config, synced: &[Synced]) -> Pauses {
    Pauses::new(paused(config, synced))
}

/// The rows that the configuration asks for.
fn seeds(config: &Config) -> Vec<TenantSeed> {
    let channel = |c: &Channel| {
        let secret = match c {
            Channel::Meta(m) => m.access_token.expose(),
            Channel::Green(g) => g.api_token.expose(),
        };
        ChannelSeed {
            kind: c.kind(),
            external_id: c.provider_id().to_owned(),
            credentials: types::text::digest(secret.as_bytes()),
        }
    };
    let tenant = |t: &Tenant| TenantSeed {
        slug: t.slug.clone(),
        business: t.business.clone(),
        channels: t.channels.iter().map(channel).collect(),
    };
    config.tenants.iter().map(tenant).collect()
}

/// Brings the configured tenants and channels into the database.
///
/// # Errors
/// When the database refuses.
pub async fn sync(config: &Config, store: &Store) -> anyhow::Result<Vec<Synced>> {
    let declare = Declare { keep_ids: config.jobs.keep_ids, lease: config.jobs.lease, limits: limits(config) };
    store.write(declare).await?;
    Ok(store.write(Sync(seeds(config))).await?)
}

/// Every configured channel with its tenant and its rows.
pub(crate) fn channels<'a>(
    config: &'a Config,
    synced: &'a [Synced],
) -> impl Iterator<Item = (&'a Tenant, &'a Channel, Door)> {
    config.tenants.iter().zip(synced).flat_map(|(tenant, rows)| {
        tenant.channels.iter().zip(&rows.channels).map(move |(channel, id)| {
            let slug = tenant.slug.as_str().into();
            let door = Door { tenant: rows.tenant, channel: *id, kind: channel.kind(), slug };
            (tenant, channel, door)
        })
    })
}

/// The doors of all configured channels, in their order.
#[must_use]
pub fn doors(config: &Config, synced: &[Synced]) -> Vec<Door> {
    channels(config, synced).map(|(_, _, door)| door).collect()
}

pub(crate) fn routes(config: &Config, synced: &[Synced]) -> Routes {
    let (mut meta, mut green) = (Vec::new(), Vec::new());
    for (tenant, channel, door) in channels(config, synced) {
        let answer_groups = tenant.groups == Groups::Answer;
        match channel {
            Channel::Meta(m) => meta.push(MetaDoor {
                door,
                phone_number_id: m.phone_number_id.clone(),
                verify_token: m.verify_token.clone(),
                app_secrets: m.app_secrets.clone(),
                answer_groups,
            }),
            Channel::Green(g) => green.push(GreenDoor {
                door,
                instance: g.instance.clone(),
                webhook_token: g.webhook_token.clone(),
                answer_groups,
            }),
        }
    }
    Routes::new(meta, green)
}

/// The senders of all configured channels.
///
/// # Errors
/// When the HTTP client cannot start.
pub fn senders(config: &Config, synced: &[Synced], breakers: Breakers) -> anyhow::Result<Egress> {
    let outlets = channels(config, synced).map(|(_, channel, door)| {
        let pair = (config.send.pair.burst > 0).then_some((config.send.pair.every, config.send.pair.burst));
        let (account, limits) = match channel {
            Channel::Meta(m) => (
                Account::Meta(::channels::meta::Account {
                    phone_number_id: m.phone_number_id.clone(),
                    access_token: m.access_token.clone(),
                    api_base: m.api_base.clone(),
                    api_version: m.api_version.clone(),
                }),
                Limits { per_second: m.rate, per_recipient: pair },
            ),
            Channel::Green(g) => (
                Account::Green(::channels::green::Account {
                    instance: g.instance.clone(),
                    api_token: g.api_token.clone(),
                    api_base: g.api_base.clone(),
                }),
                Limits { per_second: g.rate, per_recipient: None },
            ),
        };
        Outlet { channel: door.channel, account, limits, mark_read: config.send.mark_read, typing: config.send.typing }
    });
    // Providers' addresses come from the operator alone, so private ones are his choice (a proxy, a simulator).
    let client = Client::new(ClientOptions { allow_private: true, ..ClientOptions::default() })?;
    Ok(Egress::new(outlets.collect(), client, config.send.timeout, breakers))
}

/// The breakers of this process (S4.10): everything that calls out has a clone of them.
#[must_use]
pub fn breakers(config: &Config, clock: &SharedClock) -> Breakers {
    let Config { breakers: b, .. } = config;
    let options =
        BreakerOptions { failures: b.failures, open: b.open, open_max: b.open_max, ..BreakerOptions::default() };
    Breakers::new(options, Arc::clone(clock))
}

/// From where on something is wrong.
fn limits(config: &Config) -> store::alerts::Limits {
    let a = &config.alerts;
    store::alerts::Limits {
        stuck: a.stuck,
        dead_letters: a.dead_letters,
        p95_ms: u32::try_from(a.processing_p95.as_millis()).unwrap_or(u32::MAX),
        disk_percent: a.disk_free,
    }
}

/// Who is told what is wrong, and from where on it is (S6.6).
fn alerts(config: &Config, breakers: Breakers) -> anyhow::Result<worker::alerts::Alerts> {
    let a = &config.alerts;
    let webhook = a.webhook.clone().map(|(url, secret)| Sink::Webhook { url, secret });
    let slack = a.slack.clone().map(|url| Sink::Slack { url });
    let options = ClientOptions { allow_private: config.send.allow_private, ..ClientOptions::default() };
    let mailer = config.smtp.clone().filter(|_| !a.email.is_empty()).map(Mailer::new).transpose()?;
    let email = mailer.map(|mailer| Sink::Email { mailer, to: a.email.clone() });
    let teller = Teller::new(
        webhook.into_iter().chain(slack).chain(email).collect(),
        Client::new(options)?,
        breakers,
        config.send.timeout,
    );
    let database = match &config.store.url {
        StoreUrl::Sqlite(path) => Some(path.clone()),
        StoreUrl::Postgres(_) => None,
    };
    Ok(worker::alerts::Alerts {
        limits: limits(config),
        every: a.every,
        teller,
        free_percent: Arc::new(move || database.as_deref().and_then(free_percent)),
    })
}

/// How tenants' endpoints are told, where there is a key for their secrets.
fn endpoints(config: &Config) -> anyhow::Result<Option<worker::endpoints::Endpoints>> {
    let Some(key) = config.webhooks.key.clone() else { return Ok(None) };
    let options = ClientOptions { allow_private: config.send.allow_private, ..ClientOptions::default() };
    let caller = egress::endpoints::Caller::new(Client::new(options)?, config.webhooks.timeout);
    Ok(Some(worker::endpoints::Endpoints { caller, key, every: config.webhooks.every }))
}

/// Free disk under a file, percent; `None`: nobody knows.
#[cfg(target_os = "linux")]
fn free_percent(path: &std::path::Path) -> Option<u8> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| std::path::Path::new("."));
    let disk = rustix::fs::statvfs(folder).ok()?;
    // As `df` counts: of what this user may use at all.
    let whole = disk.f_blocks.saturating_sub(disk.f_bfree).saturating_add(disk.f_bavail);
    u8::try_from(disk.f_bavail.saturating_mul(100).checked_div(whole)?).ok()
}

#[cfg(not(target_os = "linux"))]
fn free_percent(_: &std::path::Path) -> Option<u8> {
    None
}

fn brains(config: &Config, synced: &[Synced], breakers: Breakers) -> anyhow::Result<Engine> {
    let mut all = Vec::with_capacity(config.tenants.len());
    for (tenant, rows) in config.tenants.iter().zip(synced) {
        all.push(TenantBrain {
            id: rows.tenant,
            business: tenant.business.clone(),
            assistant: tenant.assistant.clone(),
            language: if tenant.language.starts_with("ar") { Language::Ar } else { Language::En },
            flow: staff::flow(&tenant.flow)?,
            services: tenant.services.clone(),
            region: tenant.region.clone().unwrap_or_else(|| "AE".to_owned()),
            intents: tenant.intents.clone(),
            hours: tenant.hours.clone(),
            staff: staff::staff(config, tenant)?,
        });
    }
    let engine = Engine::new(all)?;
    if !config.enhanced || !engine.has_staff() {
        return Ok(engine);
    }
    // Vendors' addresses come from the operator alone, and a model may well run on this machine.
    let client = Client::new(ClientOptions { allow_private: true, ..ClientOptions::default() })?;
    Ok(engine.with_line(Line::new(client, breakers)))
}

/// What does the actions of all tenants.
fn acts(config: &Config, synced: &[Synced], clock: &SharedClock, breakers: &Breakers) -> anyhow::Result<Acts> {
    let shared = config.tenants.len() > 1;
    let office = |tenant: &Tenant| Office {
        slug: tenant.slug.clone(),
        business: tenant.business.clone(),
        actions: tenant.actions.iter().map(|a| (a.name.clone(), a.settings.clone())).collect(),
        shared,
    };
    let offices = config.tenants.iter().zip(synced).map(|(tenant, rows)| (rows.tenant, office(tenant))).collect();
    // Tenants choose these addresses: private ones only where the operator allows it (S7.3).
    let client = Client::new(ClientOptions { allow_private: config.send.allow_private, ..ClientOptions::default() })?;
    let mailer = config.smtp.clone().map(Mailer::new).transpose()?;
    Ok(Acts::new(offices, client, mailer, breakers.clone(), clock.clone()))
}

/// Who decides, and who does what was decided.
///
/// # Errors
/// When a flow cannot be read or used.
pub(crate) fn mind(
    config: &Config,
    synced: &[Synced],
    clock: &SharedClock,
    breakers: &Breakers,
) -> anyhow::Result<Mind> {
    Ok(Mind { engine: brains(config, synced, breakers.clone())?, acts: acts(config, synced, clock, breakers)? })
}

/// The same, and who sends.
fn parts(config: &Config, synced: &[Synced], clock: &SharedClock, breakers: &Breakers) -> anyhow::Result<Parts> {
    Ok(Parts { mind: mind(config, synced, clock, breakers)?, egress: senders(config, synced, breakers.clone())? })
}

fn worker_options(config: &Config, policy: &Arc<Policy>) -> worker::Options {
    worker::Options {
        concurrency: config.jobs.workers,
        turn_timeout: config.jobs.turn_timeout,
        poll: config.jobs.poll,
        janitor_every: config.jobs.janitor_every,
        keep_ids: config.jobs.keep_ids,
        keep_events: config.jobs.keep_events,
        keep_jobs: config.jobs.keep_done_jobs,
        session_idle: config.jobs.session_idle,
        probe_every: config.send.probe_every,
        policy: Arc::clone(policy),
    }
}

/// Works what is due now in this process, up to `max` conversations, and ends (S2.7): for setups without a resident server.
///
/// # Errors
/// When the database cannot be used: another barid works it, as a rule.
pub async fn work_due(config: &Config, clock: SharedClock, max: u32) -> anyhow::Result<u32> {
    let store = open_store(config, clock, false).await?;
    let synced = sync(config, &store).await?;
    let owner: Arc<str> = format!("{}-{}", std::process::id(), random_token()).into();
    let parts = parts(config, &synced, store.clock(), &breakers(config, store.clock()))?;
    let options = worker_options(config, &Arc::new(policy(config, &synced)));
    let worker = Worker::new(store.clone(), parts, options, owner);
    let ran = worker.run_outbound(max).await;
    worker.drain(config.jobs.drain).await;
    store.close().await;
    Ok(ran?.conversations)
}

impl App {
    /// Starts everything; returns when webhooks are being taken.
    ///
    /// # Errors
    /// When the database, a flow or the address cannot be used; each says what to mend.
    pub async fn start(config: &Config, clock: SharedClock, start: Start) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {}: is another program using it?", config.server.listen))?;
        Self::start_on(listener, config, clock, start).await
    }

    /// The same on a socket that listens already.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_on(
        listener: TcpListener,
        config: &Config,
        clock: SharedClock,
        start: Start,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let (listener, (store, synced), spool) = waiting::open(listener, config, &clock, start.own_clock).await?;
        let policy = Arc::new(policy(config, &synced));
        let owner: Arc<str> = format!("{}-{}", std::process::id(), random_token()).into();
        let breakers = breakers(config, store.clock());
        let worker_breakers = breakers.clone();
        let parts = parts(config, &synced, store.clock(), &breakers)?;
        let worker = Worker::new(store.clone(), parts, worker_options(config, &policy), Arc::clone(&owner));
        let mut handoff = None;
        if !start.no_worker {
            let (queue, incoming) = mpsc::channel(config.jobs.workers.max(1));
            worker.start(incoming);
            worker.watch(alerts(config, worker_breakers)?);
            if let Some(endpoints) = endpoints(config)? {
                worker.tell(endpoints);
            }
            handoff = Some(Handoff { owner, queue });
        }
        let draining = Arc::new(AtomicBool::new(false));
        let options = waiting::intake_options(config, &policy);
        let intake = Intake::new(store.clone(), routes(config, &synced), options, handoff, spool.clone());
        let (server, tasks) = (CancellationToken::new(), TaskTracker::new());
        let desk = admin::api::Desk::new(store.clone(), desk(config, &synced, &worker, start.simulator.clone()));
        let follower = CancellationToken::new();
        let last = TaskTracker::new();
        last.spawn(Arc::clone(&desk).follow(follower.clone()));
        if let Some(spool) = &spool {
            desk.knows_spool(Arc::clone(spool));
            let numbers = Arc::new(waiting::numbers(config, &synced));
            last.spawn(Arc::clone(spool).drain(store.clone(), Arc::clone(&policy), numbers, follower.clone()));
        }
        let mut operator = operator(config, &store, &worker, &draining, Arc::clone(&desk), start.metrics);
        operator.doors = doors(config, &synced);
        operator.spool = spool;
        let mut router = ingress::router(intake).merge(admin::router(operator));
        if let Some(extra) = start.extra {
            router = router.merge(extra);
        }
        tasks.spawn(serve::run(listener, router, waiting::bounds(config), server.clone()));
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), tenants = config.tenants.len(), "taking webhooks");
        let running = Running { config: config.clone(), synced, policy, breakers, simulator: start.simulator };
        let drain = config.jobs.drain;
        Ok(Self { address, store, worker, draining, desk, running, follower, last, server, tasks, drain })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The database.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The API.
    #[must_use]
    pub const fn desk(&self) -> &Arc<admin::api::Desk> {
        &self.desk
    }

    /// Stops taking work, finishes what runs, gives leases back, closes the database (S2.9). Whether all of it ended in time.
    pub async fn drain(self) -> bool {
        self.draining.store(true, Ordering::Relaxed);
        self.server.cancel();
        // Streams of news would hold the server up.
        self.desk.end_streams();
        let ended = self.worker.drain(self.drain).await;
        self.tasks.close();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.tasks.wait()).await;
        self.follower.cancel();
        self.last.close();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.last.wait()).await;
        if !ended {
            tracing::warn!(
                "some work did not end in time; its leases were given back and it goes on at the next start"
            );
        }
        self.store.close().await;
        ended
    }
}

/// How the API differs from one installation to another.
pub(crate) fn desk(
    config: &Config,
    synced: &[Synced],
    worker: &Arc<Worker>,
    simulator: Option<Arc<dyn admin::api::simulator::World>>,
) -> admin::api::Options {
    let worker = Arc::clone(worker);
    let check_channel = move |channel| -> std::pin::Pin<Box<dyn Future<Output = admin::api::ChannelCheck> + Send>> {
        let worker = Arc::clone(&worker);
        Box::pin(async move {
            let (ok, quality, detail) = match worker.egress().probe(channel).await {
                Ok(quality) => (true, quality, None),
                Err(refusal) => (false, None, Some(refusal.reason)),
            };
            admin::api::ChannelCheck { ok, detail, quality }
        })
    };
    let of = |word: fn(&Tenant) -> &String| {
        config.tenants.iter().map(|t| (t.slug.clone(), word(t).clone())).collect::<std::collections::HashMap<_, _>>()
    };
    admin::api::Options {
        https: config.server.public_url.as_ref().is_some_and(|url| url.starts_with("https://")),
        pauses: pauses(config, synced),
        time_zones: of(|t| &t.timezone),
        assistants: of(|t| &t.assistant),
        agents: config.tenants.iter().map(|t| (t.slug.clone(), staff::shown_agents(config, t))).collect(),
        experiments: config.tenants.iter().map(|t| (t.slug.clone(), staff::shown_experiments(t))).collect(),
        judge: Some(staff::judge()),
        configuration: staff::shown_configuration(config),
        webhook_key: config.webhooks.key.clone(),
        private_webhooks: config.send.allow_private,
        check_channel: Some(Arc::new(check_channel)),
        simulator,
    }
}

fn operator(
    config: &Config,
    store: &Store,
    worker: &Arc<Worker>,
    draining: &Arc<AtomicBool>,
    desk: Arc<admin::api::Desk>,
    metrics: Option<Arc<dyn Fn() -> String + Send + std::marker::Sync>>,
) -> admin::Admin {
    let worker = Arc::clone(worker);
    admin::Admin {
        store: store.clone(),
        runner_token: config.jobs.runner_token.clone(),
        cron_token: config.jobs.cron_token.clone(),
        run_outbound: Arc::new(move |max| {
            let worker = Arc::clone(&worker);
            Box::pin(async move { Ok(worker.run_outbound(max).await?.conversations) })
        }),
        render_metrics: metrics.unwrap_or_else(|| Arc::new(String::new)),
        doors: Vec::new(),
        spool: None,
        desk,
        draining: Arc::clone(draining),
    }
}
