//! The durable middle. Everything that Barid promises is promised here: a message is accepted, worked, answered and sent by operations
//! ([`Op`]) that each run in one transaction on the embedded SQLite file (or, by the same text, on PostgreSQL).
//!
//! - `sql.rs`: the seam ([`sql::Sql`], [`sql::Tx`], [`Op`]); `sqlite/`: the embedded database; `migrations/`: the schema
//! - `inbox.rs`, `contacts.rs`, `events.rs`, `receipts.rs`: what providers tell us
//! - `leases.rs`, `work.rs`, `jobs.rs`, `dead_letters.rs`: who works what, and what becomes of it
//! - `sagas/`: what is done beside the reply (S3.6)
//! - `outbox.rs`: what we say, and what becomes of that
//! - `alerts.rs`, `breakers.rs`, `channels.rs`, `conversations.rs`, `notifications.rs`, `sweep.rs`: the rest of the rows' lives
//! - `endpoints.rs`: outgoing webhooks
//! - `agents.rs`: what agents remember and have done
//! - `desk/`: the team's inbox and lists; `accounts/`: who may do what
//! - `erase/`: one person out of everything (`barid erase`)
//! - `carry/`: everything into another database (`barid move`)
//! - `settings.rs`: what operators' views (`migrations/0040.sql`, docs/sql.md) know of the configuration
//! - `spool/`: webhooks that wait in a file while the database is away
//! - `views.rs`: what people look at; `hub.rs`: news within the process; `policy.rs`: times and choices

#[macro_use]
pub mod sql;
pub mod accounts;
pub mod agents;
pub mod alerts;
pub mod breakers;
pub mod carry;
pub mod channels;
pub mod compose;
pub mod contacts;
pub mod conversations;
pub mod dead_letters;
pub mod desk;
pub mod endpoints;
pub mod erase;
pub mod error;
pub mod events;
pub mod export;
pub mod hub;
pub mod inbox;
pub mod jobs;
pub mod leases;
pub mod migrations;
pub mod notifications;
pub mod outbox;
pub mod policy;
mod postgres;
pub mod reach;
pub mod receipts;
pub mod replay;
pub mod roll_call;
pub mod sagas;
pub mod settings;
pub mod spool;
mod sqlite;
pub mod sweep;
mod task;
pub mod views;
pub mod work;

use std::sync::Arc;

use tokio::sync::mpsc;
use types::ids::IdMaker;
use types::{SharedClock, TenantId};

pub use contacts::Door;
pub use error::{Result, StoreError};
pub use hub::Hub;
pub use policy::{OfTenants, OnUnknown, Pauses, Policy};
pub use postgres::{PostgresOptions, shown as postgres_shown};
pub use reach::{Reach, Touches};
pub use sql::Op;
pub use sqlite::{Role, SqliteOptions};
pub use work::{Claimed, Deliver, Gathered, Lease, Next, Snapshot, Turn, Work};

use carry::Standing;
use postgres::Postgres;
use sqlite::Sqlite;

/// The node number of commands beside a server.
const COMPANION_NODE: u16 = 1023;

/// A handle on the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    writer: mpsc::Sender<Box<dyn task::Task>>,
    readers: mpsc::Sender<Box<dyn task::Task>>,
    hub: Arc<Hub>,
    clock: SharedClock,
    backend: Arc<std::sync::Mutex<Option<Backend>>>,
}

/// What runs behind a handle.
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "Sqlite",
            Self::Postgres(_) => "Postgres",
        })
    }
}

impl Store {
    /// Opens a PostgreSQL database and brings its schema up to date. Other nodes may work it: leases end by themselves.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when it cannot be used: bad address, newer schema; [`StoreError::Unavailable`] when it cannot be
    /// reached now.
    pub async fn open_postgres(options: &PostgresOptions, clock: SharedClock) -> Result<Self> {
        let hub = Arc::new(Hub::default());
        let postgres = Postgres::start(options, &clock, &hub).await?;
        let store = Self {
            writer: postgres.writer().clone(),
            readers: postgres.readers().clone(),
            hub,
            clock,
            backend: Arc::new(std::sync::Mutex::new(Some(Backend::Postgres(postgres)))),
        };
        store.whole(options.half_moved).await
    }

    /// Refuses a database into which an installation was moved half-way (S8.4): nobody knows yet what is missing. And one that was moved
    /// away: what waits in it would be said twice.
    async fn whole(self, half_moved: bool) -> Result<Self> {
        let why = match self.read(carry::HowItStands).await {
            Ok(Standing::Whole) => return Ok(self),
            Ok(Standing::HalfMoved) if half_moved => return Ok(self),
            Ok(Standing::Away) => StoreError::Unusable(
                "this installation was moved to another database by `barid move`, which counts from then on: worked here as well, what waits would be said twice. \
                 Set [store] url to that one. To go back to this one all the same, stop every engine on the other and run, by SQL, DELETE FROM move_run WHERE id = 2"
                    .to_owned(),
            ),
            Ok(Standing::HalfMoved) => StoreError::Unusable(
                "this database is the target of a `barid move` that did not come to its end. Run the same move again to finish it; until then the \
                 source is what counts"
                    .to_owned(),
            ),
            Err(error) => error,
        };
        self.close().await;
        Err(why)
    }

    /// Opens the embedded database, brings its schema up to date and frees the leases of former processes: the process lock proves that
    /// none of them lives.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the file cannot be used: locked by another barid, newer schema, no such folder.
    pub async fn open_sqlite(options: &SqliteOptions, clock: SharedClock) -> Result<Self> {
        // A command beside the server must never make an id that the server makes too.
        let node = if options.role == Role::Server { 0 } else { COMPANION_NODE };
        let ids = Arc::new(IdMaker::new(node, 0));
        let sqlite = Sqlite::start(options, &clock, &ids)?;
        // Ids grow over restarts even if the clock went back.
        ids.raise(call(sqlite.readers(), views::LastId, None).await?);
        let store = Self {
            writer: sqlite.writer().clone(),
            readers: sqlite.readers().clone(),
            hub: Arc::new(Hub::default()),
            clock,
            backend: Arc::new(std::sync::Mutex::new(Some(Backend::Sqlite(sqlite)))),
        };
        let store = store.whole(options.half_moved).await?;
        if options.role == Role::Server {
            store.write(leases::Free { owner: None }).await?;
        }
        Ok(store)
    }

    /// Runs a writing operation; its answer comes after the commit.
    ///
    /// # Errors
    /// What the operation gives, or [`StoreError::Unavailable`] when its group could not be committed.
    pub async fn write<O: Op>(&self, op: O) -> Result<O::Out> {
        let out = call(&self.writer, op, None).await;
        self.hub.stir();
        out
    }

    /// Runs a reading operation beside the writer, at one consistent moment.
    ///
    /// # Errors
    /// What the operation gives.
    pub async fn read<O: Op>(&self, op: O) -> Result<O::Out> {
        call(&self.readers, op, None).await
    }

    /// As [`Self::write`], for one tenant: where the database can tell (row-level security), no other tenant's row is there for it (S7.1).
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_for<O: Op>(&self, tenant: TenantId, op: O) -> Result<O::Out> {
        call(&self.writer, op, Some(tenant)).await
    }

    /// As [`Self::read`], for one tenant.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn read_for<O: Op>(&self, tenant: TenantId, op: O) -> Result<O::Out> {
        call(&self.readers, op, Some(tenant)).await
    }

    /// Whether the database itself can keep tenants apart (S7.1); otherwise the statements do it alone.
    #[must_use]
    pub fn guards_tenants(&self) -> bool {
        let backend = self.backend.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        matches!(*backend, Some(Backend::Postgres(_)))
    }

    /// The process's switchboard.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The clock by which this process lives.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Operations waiting for the writer: a measure of load.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.writer.max_capacity() - self.writer.capacity()
    }

    /// Empties the write-ahead log of the embedded database into its file, so that nothing of what was removed stays there (S6.8); whether it is
    /// empty now. A server's log is its own affair.
    pub async fn empty_log(&self) -> bool {
        let path = {
            let backend = self.backend.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match &*backend {
                Some(Backend::Sqlite(sqlite)) => sqlite.path().to_owned(),
                _ => return true,
            }
        };
        tokio::task::spawn_blocking(move || sqlite::empty_log(&path)).await.unwrap_or(false)
    }

    /// Finishes what is queued, empties the log into the file and ends the threads. Other handles get [`StoreError::Closed`].
    pub async fn close(self) {
        let backend = self.backend.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(backend) = backend {
            end(backend).await;
        }
    }
}

async fn end(backend: Backend) {
    let close = move || match backend {
        Backend::Sqlite(sqlite) => sqlite.close(),
        Backend::Postgres(postgres) => postgres.close(),
    };
    let _ = tokio::task::spawn_blocking(close).await;
}

async fn call<O: Op>(queue: &mpsc::Sender<Box<dyn task::Task>>, op: O, tenant: Option<TenantId>) -> Result<O::Out> {
    let (task, answer) = task::pack(op, tenant);
    queue.send(task).await.map_err(|_| StoreError::Closed)?;
    answer.await.map_err(|_| StoreError::Closed)?
}

/// Every named statement, for the checks that names are unique and that each ran.
#[must_use]
pub fn statements() -> Vec<&'static sql::Sql> {
    [
        accounts::STATEMENTS,
        accounts::failures::STATEMENTS,
        accounts::keys::STATEMENTS,
        accounts::links::STATEMENTS,
        accounts::sessions::STATEMENTS,
        accounts::tokens::STATEMENTS,
        accounts::users::STATEMENTS,
        agents::STATEMENTS,
        alerts::STATEMENTS,
        breakers::STATEMENTS,
        carry::CATALOGUE,
        carry::STATEMENTS,
        channels::STATEMENTS,
        compose::STATEMENTS,
        contacts::STATEMENTS,
        conversations::STATEMENTS,
        dead_letters::STATEMENTS,
        desk::acts::STATEMENTS,
        desk::agents::STATEMENTS,
        desk::alerts::STATEMENTS,
        desk::audit::STATEMENTS,
        desk::batches::STATEMENTS,
        desk::breakers::STATEMENTS,
        desk::charts::STATEMENTS,
        desk::endpoints::STATEMENTS,
        desk::failed::STATEMENTS,
        desk::follow::STATEMENTS,
        desk::inbox::STATEMENTS,
        desk::leads::STATEMENTS,
        desk::letters::STATEMENTS,
        desk::merge::STATEMENTS,
        desk::notices::STATEMENTS,
        desk::queue::STATEMENTS,
        desk::sagas::STATEMENTS,
        desk::tasks::STATEMENTS,
        desk::tenants::STATEMENTS,
        desk::thread::STATEMENTS,
        endpoints::STATEMENTS,
        &erase::statements(),
        events::STATEMENTS,
        export::STATEMENTS,
        inbox::STATEMENTS,
        jobs::STATEMENTS,
        leases::STATEMENTS,
        migrations::STATEMENTS,
        notifications::STATEMENTS,
        outbox::STATEMENTS,
        receipts::STATEMENTS,
        replay::STATEMENTS,
        &sagas::statements(),
        settings::STATEMENTS,
        spool::STATEMENTS,
        sweep::STATEMENTS,
        views::STATEMENTS,
        work::STATEMENTS,
    ]
    .concat()
}
