//! A start while the database is away (S1.9): the node takes webhooks at once, into its spool, and tries the database until that is there. What it needs for
//! that is in the configuration: secrets, and which number is whose. Everything else of the engine begins when the database has been seen.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use ingress::Intake;
use store::channels::Synced;
use store::spool::{Numbers, Spool, provisional};
use store::{Policy, Store, StoreError};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use types::{SharedClock, TenantId};

use crate::config::{Config, Unrouted};
use crate::serve::{self, Bounds};
use crate::wire;

/// How often the database is tried.
const TRY: Duration = Duration::from_millis(500);

/// Stands for every tenant before its row was seen.
const UNSEEN: TenantId = TenantId(1);

/// The database with the rows of the configuration.
type Opened = (Store, Vec<Synced>);

/// Opens the database; where it is away and there is a spool, waits for it behind the listener, which is given back with what was kept meanwhile.
///
/// # Errors
/// When the database cannot be used at all, or is away and there is no spool.
pub(crate) async fn open(
    listener: TcpListener,
    config: &Config,
    clock: &SharedClock,
    own_clock: bool,
) -> anyhow::Result<(TcpListener, Opened, Option<Arc<Spool>>)> {
    let error = match opened(config, clock, own_clock).await {
        Ok(opened) => return Ok((listener, opened, spool(config, clock).await?)),
        Err(error) => error,
    };
    let spool = if is_away(&error) { spool(config, clock).await? } else { None };
    let Some(spool) = spool else { return Err(error) };
    tracing::warn!(
        error = format!("{error:#}"),
        "the database is away: webhooks go to the spool, and everything else begins when it is back"
    );
    let room = Room::open(listener, config, &spool)?;
    let opened = loop {
        tokio::time::sleep(TRY).await;
        match opened(config, clock, own_clock).await {
            Ok(opened) => break opened,
            Err(error) if is_away(&error) => tracing::debug!(error = format!("{error:#}"), "still away"),
            Err(error) => return Err(error),
        }
    };
    Ok((room.close().await?, opened, Some(spool)))
}

async fn opened(config: &Config, clock: &SharedClock, own_clock: bool) -> anyhow::Result<Opened> {
    let store = wire::open_store(config, Arc::clone(clock), own_clock).await?;
    match wire::sync(config, &store).await {
        Ok(synced) => Ok((store, synced)),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

fn is_away(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Unavailable { .. }))
}

/// The spool of a node on a remote database, with what a former process left in it.
pub(crate) async fn spool(config: &Config, clock: &SharedClock) -> anyhow::Result<Option<Arc<Spool>>> {
    let Some((path, most)) = &config.store.spool else { return Ok(None) };
    let spool = Spool::new(path.clone(), u64::try_from(*most).unwrap_or(u64::MAX), Arc::clone(clock));
    spool.recover().await.context("the spool ([store] spool)")?;
    Ok(Some(spool))
}

/// The configured numbers as a node calls them that has not seen the database.
pub(crate) fn numbers(config: &Config, synced: &[Synced]) -> Numbers {
    wire::channels(config, synced).map(|(_, c, door)| (provisional(c.kind(), c.provider_id()), door)).collect()
}

/// Ids for the configuration's rows that nobody has seen.
fn unseen(config: &Config) -> Vec<Synced> {
    let rows = |tenant: &crate::config::Tenant| Synced {
        tenant: UNSEEN,
        channels: tenant.channels.iter().map(|c| provisional(c.kind(), c.provider_id())).collect(),
    };
    config.tenants.iter().map(rows).collect()
}

/// How webhooks are taken.
pub(crate) fn intake_options(config: &Config, policy: &Arc<Policy>) -> ingress::Options {
    let unrouted = match config.server.unrouted {
        Unrouted::Refuse => ingress::Unrouted::Refuse,
        Unrouted::Store => ingress::Unrouted::Store,
    };
    ingress::Options { max_body: config.server.max_body, unrouted, policy: Arc::clone(policy) }
}

/// Bounds on clients.
pub(crate) const fn bounds(config: &Config) -> Bounds {
    let server = &config.server;
    Bounds { connections: server.max_connections, headers: server.header_timeout, request: server.request_timeout }
}

/// A server that takes webhooks and nothing else.
struct Room {
    /// The same socket: nobody who knocks between this server and the next is turned away.
    socket: std::net::TcpListener,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Room {
    fn open(listener: TcpListener, config: &Config, spool: &Arc<Spool>) -> anyhow::Result<Self> {
        let socket = listener.into_std()?;
        let listener = TcpListener::from_std(socket.try_clone()?)?;
        let synced = unseen(config);
        let policy = Arc::new(wire::policy(config, &synced));
        let options = intake_options(config, &policy);
        let intake = Intake::waiting(wire::routes(config, &synced), options, Arc::clone(spool));
        let spool = Arc::clone(spool);
        let ready = move || {
            let room = spool.figures().has_room();
            async move { if room { Ok("spooling\n") } else { Err(ingress::not_yet().await) } }
        };
        let router: Router = ingress::router(intake)
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .fallback(ingress::not_yet);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(serve::run(listener, router, bounds(config), stop.clone()));
        Ok(Self { socket, tasks, stop: stop.drop_guard() })
    }

    /// Lets open requests finish; the socket goes on.
    async fn close(self) -> anyhow::Result<TcpListener> {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
        Ok(TcpListener::from_std(self.socket)?)
    }
}
