//! PostgreSQL: many nodes, many writers, one database.
//!
//! - `connect.rs`: address, encryption, what refusals mean
//! - `session.rs`, `merge.rs`, `values.rs`: a connection, prepared statements, one statement for many rows
//! - `fiber.rs`: operations that rest where they ask for a statement
//! - `writer.rs`: transactions of many operations, and what each of them must wait for
//! - `schema.rs`: versions of the schema, numbers of nodes, the role that operations run under
//! - `hints.rs`: LISTEN and NOTIFY
//!
//! Nothing here outlives a transaction on the server but prepared statements (`session.rs` says what happens where those do not live), so that
//! PgBouncer's transaction pooling may stand between.

mod connect;
mod fiber;
mod hints;
mod merge;
mod schema;
mod session;
mod values;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use types::ids::IdMaker;
use types::{SharedClock, TenantId};

use crate::error::{Result, StoreError};
use crate::hub::Hub;
use crate::sql::Sql;
use crate::task::{End, Task};

use connect::Server;
use writer::Role;

/// Longer than the server lets a statement take.
const SILENCE: Duration = Duration::from_secs(12);

/// How to open a PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database`, with the driver's usual settings (`sslmode`, `connect_timeout`, …).
    pub url: String,
    /// Bring the schema up to date; otherwise one that is not is refused.
    pub migrate: bool,
    /// Connections that write.
    pub writers: usize,
    /// Connections that read.
    pub readers: usize,
    /// Prepare statements; without, each is sent whole. A pool between that loses them is noticed without being told.
    pub prepared: bool,
    /// Live by the process's clock instead of the database's: for tests, which move it.
    pub own_clock: bool,
    /// A server that says nothing for so long is taken for dead; it ends by itself what takes longer than 10 s.
    pub silence: Duration,
    /// It works the database, and other nodes and `barid move` may know that it does.
    pub serves: bool,
    /// Open it even where a move into it is unfinished: for `barid move` itself.
    pub half_moved: bool,
}

impl PostgresOptions {
    /// The database at `url`, for a node that works it.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            migrate: true,
            writers: 2,
            readers: 2,
            prepared: true,
            own_clock: false,
            silence: SILENCE,
            serves: true,
            half_moved: false,
        }
    }

    /// The database at `url`, for a command.
    #[must_use]
    pub fn beside(url: impl Into<String>) -> Self {
        Self { migrate: false, writers: 1, readers: 1, serves: false, ..Self::at(url) }
    }
}

/// Marks our locks among those of other programs on the database (`barid` in a telephone's digits).
const LOCKS: i32 = 22_743;

static LOCK_NAMES: Sql = Sql {
    name: "postgres.lock_names",
    // The caller sorts them: whoever wants the same two asks for them in the same order.
    text: "SELECT pg_advisory_xact_lock(k) FROM unnest($1::int8[]) AS k",
};

static LOCK_CONVERSATIONS: Sql = Sql {
    name: "postgres.lock_conversations",
    // The bounds keep the planner from turning the joins round: each is one look into an index, however small the tables were when it planned.
    text: "WITH wanted AS MATERIALIZED (
               SELECT i.id, i.op FROM unnest($1::int8[], $2::int8[]) AS i (id, op)
               UNION SELECT v.id, p.op
               FROM unnest($3::int8[], $4::int8[], $5::text[], $6::text[], $7::int8[]) AS p (tenant, channel, kind, value, op)
               CROSS JOIN LATERAL (SELECT k.contact_id FROM contact_keys k
                   WHERE k.tenant_id = p.tenant AND k.kind = p.kind AND k.value = p.value LIMIT 1) AS k
               CROSS JOIN LATERAL (SELECT v.id FROM conversation v
                   WHERE v.channel_id = p.channel AND v.contact_id = k.contact_id AND v.closed_at IS NULL LIMIT 1) AS v
               UNION SELECT m.conversation_id, s.op
               FROM unnest($8::int8[], $9::text[], $10::int8[]) AS s (channel, id, op)
               CROSS JOIN LATERAL (SELECT m.conversation_id FROM message m
                   WHERE m.channel_id = s.channel AND m.provider_id = s.id AND m.direction = 'out' LIMIT 1) AS m
               UNION SELECT o.conversation_id, d.op
               FROM unnest($11::text[], $12::int8[]) AS d (key, op)
               CROSS JOIN LATERAL (SELECT o.conversation_id FROM outbox o WHERE o.dedupe_key = d.key LIMIT 1) AS o),
           held AS MATERIALIZED (
               SELECT v.id, v.last_message_at FROM conversation v WHERE v.id IN (SELECT id FROM wanted)
               ORDER BY v.id FOR NO KEY UPDATE)
           SELECT w.op, h.id, h.last_message_at FROM held h JOIN wanted w ON w.id = h.id",
};

static NOW: Sql = Sql { name: "postgres.now", text: "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::int8" };

/// What the threads of a database share.
pub(crate) struct Shared {
    server: Server,
    ids: Arc<IdMaker>,
    /// Time for tests; otherwise the database's.
    clock: Option<SharedClock>,
    /// The role that operations run under.
    role: Option<&'static str>,
}

impl Shared {
    /// The words that open a transaction.
    fn begin(&self, reads: bool, alone: bool, tenant: Option<TenantId>) -> String {
        let mut text = String::with_capacity(512);
        // The first reads what happened before it; the second sees, in each statement, what those it waited for have done.
        text.push_str(if reads {
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
        } else {
            "BEGIN ISOLATION LEVEL READ COMMITTED;"
        });
        text.push_str("SET LOCAL statement_timeout = 10000; SET LOCAL idle_in_transaction_session_timeout = 5000;");
        if !reads {
            text.push_str(
                "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local');",
            );
            // Statements are planned once, while tables are small, and go on while they grow: always by the index.
            text.push_str("SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off; SET LOCAL plan_cache_mode = force_generic_plan;");
        }
        if let Some(role) = self.role {
            text.push_str("SET LOCAL ROLE ");
            text.push_str(role);
            text.push(';');
        }
        match tenant {
            None => text.push_str("SET LOCAL barid.tenant = 'all';"),
            Some(tenant) => text.push_str(&format!("SET LOCAL barid.tenant = '{tenant}';")),
        }
        if !reads {
            let mode = if alone { "" } else { "_shared" };
            text.push_str(&format!("SELECT pg_advisory_xact_lock{mode}({LOCKS}, 0)"));
        }
        text
    }
}

/// A running database.
pub(crate) struct Postgres {
    writer: mpsc::Sender<Box<dyn Task>>,
    readers: mpsc::Sender<Box<dyn Task>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    hints: std::thread::JoinHandle<()>,
    stop: CancellationToken,
}

/// How many operations may wait before callers wait too.
const QUEUE: usize = 4096;

impl Postgres {
    /// Connects, brings the schema up to date or judges it, and starts the threads.
    pub async fn start(options: &PostgresOptions, clock: &SharedClock, hub: &Arc<Hub>) -> Result<Self> {
        let server = Server::new(&options.url, options.silence)?;
        if !options.prepared {
            server.be_plain();
        }
        let own = options.own_clock.then(|| Arc::clone(clock));
        let ready = schema::prepare(&server, (options.migrate, options.serves), own.as_ref()).await?;
        let ids = Arc::new(IdMaker::new(ready.node, 0));
        ids.raise(ready.last_id);
        let shared = Arc::new(Shared { server, ids, clock: own, role: ready.role });
        let (writer, write_queue) = mpsc::channel(QUEUE);
        let (readers, read_queue) = mpsc::channel(QUEUE);
        let mut threads = Vec::new();
        for (queue, role, count) in
            [(write_queue, Role::Writes, options.writers), (read_queue, Role::Reads, options.readers)]
        {
            let queue = Arc::new(Mutex::new(queue));
            for n in 0..count.max(1) {
                let (queue, shared) = (Arc::clone(&queue), Arc::clone(&shared));
                let word = if role == Role::Writes { "write" } else { "read" };
                threads.push(spawn(format!("barid-{word}-{n}"), move || writer::run(queue, shared, role))?);
            }
        }
        let stop = CancellationToken::new();
        let hints =
            hints::Hints { shared, hub: Arc::clone(hub), stop: stop.clone(), node: ready.node, owner: ready.owner };
        let hints = spawn("barid-hints".to_owned(), move || hints.run())?;
        Ok(Self { writer, readers, threads, hints, stop })
    }

    /// Where writes go.
    pub const fn writer(&self) -> &mpsc::Sender<Box<dyn Task>> {
        &self.writer
    }

    /// Where reads go.
    pub const fn readers(&self) -> &mpsc::Sender<Box<dyn Task>> {
        &self.readers
    }

    /// Ends the threads after what is queued, and waits for them.
    pub fn close(self) {
        let _ = self.readers.blocking_send(Box::new(End));
        let _ = self.writer.blocking_send(Box::new(End));
        for thread in self.threads {
            let _ = thread.join();
        }
        self.stop.cancel();
        let _ = self.hints.join();
    }
}

/// A thread with a runtime of its own: the connection and those who use it sit together, and nothing wakes across threads.
fn spawn<F: Future<Output = ()>>(
    name: String,
    body: impl FnOnce() -> F + Send + 'static,
) -> Result<std::thread::JoinHandle<()>> {
    let fail = |e: std::io::Error| StoreError::Unusable(format!("cannot start a database thread: {e}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    std::thread::Builder::new().name(name).spawn(move || runtime.block_on(body())).map_err(fail)
}

/// Host, port and database of `url`, without user and password: for people and logs.
///
/// # Errors
/// When it is no address of a PostgreSQL database.
pub fn shown(url: &str) -> Result<String> {
    Ok(Server::new(url, SILENCE)?.shown())
}
