//! A database to test on, whichever it is, with a clock that stands still until it is moved.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use store::channels::{ChannelSeed, Sync, TenantSeed};
use store::inbox::{Accept, Accepted, Arrival};
use store::jobs::{After, FailTurn, Finish, FinishTurn, Reply};
use store::leases::Claim;
use store::outbox::{RecordAttempt, Recorded};
use store::sql::{Dialect, Param, Part, Row, Sql, Tx, Value};
use store::{
    Claimed, Deliver, Door, Lease, Next, Op, Policy, PostgresOptions, Result, SqliteOptions, Store, Turn, Work,
};
use types::clock::ShiftedClock;
use types::inbound::Event;
use types::outbound::Outcome;
use types::{Clock, Fault, MessageId, RequestId, SharedClock, Timestamp};

use crate::fixtures::{item, message, say};

/// When every test begins.
pub const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// The databases that the suite knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Those that are tested: both, unless someone says that there is no PostgreSQL to be had (`BARID_TEST_POSTGRES=off`).
    pub fn available() -> Vec<Self> {
        if std::env::var(testkit::postgres::VARIABLE).is_ok_and(|v| v == "off") {
            return vec![Self::Sqlite];
        }
        vec![Self::Sqlite, Self::Postgres]
    }

    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Sqlite => Dialect::Sqlite,
            Self::Postgres => Dialect::Postgres,
        }
    }
}

/// Where a test's rows are.
enum Place {
    File { path: PathBuf, _dir: tempfile::TempDir },
    Server { database: testkit::postgres::Database },
}

/// A case of the suite.
pub type Case = for<'a> fn(&'a Db) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Makes a test of every case, and a list of them for the roll call.
macro_rules! for_each_database {
    ($($case:ident),* $(,)?) => {
        pub const CASES: &[(&str, $crate::support::Case)] = &[$((stringify!($case), |db| Box::pin($case(db)))),*];
        mod each {
            $(#[test] fn $case() { $crate::support::everywhere(stringify!($case), |db| Box::pin(super::$case(db))); })*
        }
    };
}

/// Runs `case` on a fresh database of every kind, which must be whole afterwards.
pub fn everywhere(name: &str, case: Case) {
    for backend in Backend::available() {
        runtime().block_on(async {
            let db = Db::open(backend).await;
            println!("{name} on {backend:?}");
            case(&db).await;
            db.end().await;
        });
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A database with one tenant, a number at Meta and an instance at Green API.
pub struct Db {
    pub store: Store,
    pub clock: Arc<ShiftedClock>,
    pub meta: Door,
    pub green: Door,
    pub policy: Arc<Policy>,
    place: Place,
}

/// The configuration's rows.
pub fn seeds(credentials: &str) -> Vec<TenantSeed> {
    let channel = |kind, external_id: &str| ChannelSeed {
        kind,
        external_id: external_id.to_owned(),
        credentials: credentials.to_owned(),
    };
    vec![TenantSeed {
        slug: "alain".to_owned(),
        business: "Al Ain Business Center".to_owned(),
        channels: vec![channel("meta", "105500000000001"), channel("greenapi", "1101000001")],
    }]
}

/// Opens the file at `path` as its server.
pub async fn open_file(path: &Path, clock: &Arc<ShiftedClock>) -> Result<Store> {
    let clock: SharedClock = Arc::clone(clock) as _;
    Store::open_sqlite(&SqliteOptions::at(path), clock).await
}

/// Opens the database at `url` as a node that lives by `clock`.
pub async fn open_server(url: &str, clock: &Arc<ShiftedClock>) -> Result<Store> {
    let clock: SharedClock = Arc::clone(clock) as _;
    // What a pool that loses prepared statements makes necessary, tried on everything: `BARID_TEST_PREPARED=off`.
    let prepared = std::env::var("BARID_TEST_PREPARED").map_or(true, |v| v != "off");
    Store::open_postgres(&PostgresOptions { own_clock: true, prepared, ..PostgresOptions::at(url) }, clock).await
}

/// The doors of the configured channels.
pub async fn doors(store: &Store) -> (Door, Door) {
    let synced = store.write(Sync(seeds("first"))).await.unwrap().remove(0);
    let door = |n: usize, kind| Door { tenant: synced.tenant, channel: synced.channels[n], kind, slug: "alain".into() };
    (door(0, "meta"), door(1, "greenapi"))
}

impl Db {
    pub async fn open(backend: Backend) -> Self {
        Self::with_policy(backend, Policy::default()).await
    }

    pub async fn with_policy(backend: Backend, policy: Policy) -> Self {
        let clock = Arc::new(ShiftedClock::still(START));
        let (store, place) = match backend {
            Backend::Sqlite => {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("barid.db");
                (open_file(&path, &clock).await.unwrap(), Place::File { path, _dir: dir })
            }
            Backend::Postgres => {
                let database = testkit::postgres::Database::fresh().unwrap();
                (open_server(&database.url(), &clock).await.unwrap(), Place::Server { database })
            }
        };
        let (meta, green) = doors(&store).await;
        Self { store, clock, meta, green, policy: Arc::new(policy), place }
    }

    /// Closes it and has the database judge itself.
    pub async fn end(self) {
        let Self { store, place, .. } = self;
        store.close().await;
        match &place {
            Place::File { path, .. } => assert_whole(path),
            Place::Server { database } => assert_no_orphans(database),
        }
    }

    /// `text` as this database gives it back: PostgreSQL has no NUL in texts, and keeps its picture.
    pub fn kept(&self, text: &str) -> String {
        match self.place {
            Place::File { .. } => text.to_owned(),
            Place::Server { .. } => text.replace('\0', "\u{2400}"),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Stores one body.
    pub async fn accept(&self, door: &Door, events: Vec<Event>, room: usize) -> Accepted {
        let room = (room > 0).then(|| (Arc::from("node-a"), room));
        self.store.write(accept_op(door, events, room, &self.policy)).await.unwrap()
    }

    /// A customer writes; nobody has room, so the job waits.
    pub async fn message(&self, id: &str, from: &str, body: &str) -> MessageId {
        let accepted = self.accept(&self.meta, vec![message(id, from, body)], 0).await;
        assert_eq!(accepted.messages.len(), 1, "{accepted:?}");
        accepted.messages[0].message
    }

    /// Something else comes in.
    pub async fn event(&self, event: Event) -> Accepted {
        self.accept(&self.meta, vec![event], 0).await
    }

    pub async fn claim_as(&self, owner: &str, limit: u32) -> Vec<Claimed> {
        let policy = Arc::clone(&self.policy);
        self.store.write(Claim { owner: owner.into(), limit, only: None, policy }).await.unwrap()
    }

    /// The one conversation that is due.
    pub async fn claim(&self) -> Claimed {
        let mut claimed = self.claim_as("node-a", 10).await;
        assert_eq!(claimed.len(), 1, "one conversation should be due: {claimed:?}");
        claimed.remove(0)
    }

    /// Nothing is due.
    pub async fn idle(&self) {
        let claimed = self.claim_as("node-a", 10).await;
        assert!(claimed.is_empty(), "nothing should be due: {claimed:?}");
    }

    /// Ends the claimed turn with these replies.
    pub async fn finish(&self, claimed: &Claimed, replies: &[&str]) -> After {
        self.store.write(self.finish_op(claimed, turn(&claimed.work), replies)).await.unwrap()
    }

    pub fn finish_op(&self, claimed: &Claimed, turn: &Turn, replies: &[&str]) -> FinishTurn {
        let reply = |(n, body): (usize, &&str)| Reply { key: format!("part{n}"), content: say(body), quotes: None };
        let replies = replies.iter().enumerate().map(reply).collect();
        FinishTurn {
            lease: claimed.lease.clone(),
            snapshot: Arc::new(claimed.snapshot.clone()),
            turn: turn.clone(),
            finish: Finish { replies, outcome: "replied", ..Finish::default() },
            hold: None,
            stop: false,
            policy: Arc::clone(&self.policy),
        }
    }

    pub fn fail_op(&self, claimed: &Claimed, turn: &Turn, fault: Fault) -> FailTurn {
        FailTurn {
            lease: claimed.lease.clone(),
            turn: turn.clone(),
            fault,
            error: "the model is away".to_owned(),
            jitter: Duration::ZERO,
            stop: false,
            policy: Arc::clone(&self.policy),
        }
    }

    pub async fn fail(&self, claimed: &Claimed, fault: Fault) -> After {
        self.store.write(self.fail_op(claimed, turn(&claimed.work), fault)).await.unwrap()
    }

    pub fn record_op(&self, lease: &Lease, deliver: &Deliver, outcome: Outcome) -> RecordAttempt {
        RecordAttempt {
            lease: lease.clone(),
            deliver: deliver.clone(),
            outcome,
            jitter: Duration::ZERO,
            stop: false,
            policy: Arc::clone(&self.policy),
        }
    }

    pub async fn record(&self, lease: &Lease, deliver: &Deliver, outcome: Outcome) -> Recorded {
        self.store.write(self.record_op(lease, deliver, outcome)).await.unwrap()
    }

    /// A customer wrote, the reply is saved and is being sent: its lease and what is sent.
    pub async fn sending(&self, id: &str, from: &str, reply: &str) -> (Lease, Deliver) {
        self.message(id, from, "hello").await;
        self.reply(reply).await
    }

    /// The same at Green API.
    pub async fn sending_green(&self, id: &str, from: &str, reply: &str) -> (Lease, Deliver) {
        self.accept(&self.green, vec![message(id, from, "hello")], 0).await;
        self.reply(reply).await
    }

    /// Claims what is due, answers it with `reply` and begins to send that.
    pub async fn reply(&self, reply: &str) -> (Lease, Deliver) {
        let claimed = self.claim().await;
        let after = self.finish(&claimed, &[reply]).await;
        let Next::Work(work) = after.next else { panic!("the reply should be sent next: {after:?}") };
        (claimed.lease, deliver(&work).clone())
    }

    /// Claims a message that is due to be sent.
    pub async fn claim_send(&self) -> (Lease, Deliver) {
        let claimed = self.claim().await;
        let deliver = deliver(&claimed.work).clone();
        (claimed.lease, deliver)
    }

    /// Changes rows by hand, as a person at the SQL prompt would.
    pub async fn set(&self, sql: &str) -> u64 {
        self.store.write(Set(leak(sql))).await.unwrap()
    }

    /// As [`Self::set`], for what the database should refuse.
    pub async fn try_set(&self, sql: &str) -> Result<u64> {
        self.store.write(Set(leak(sql))).await
    }

    pub const fn backend(&self) -> Backend {
        match self.place {
            Place::File { .. } => Backend::Sqlite,
            Place::Server { .. } => Backend::Postgres,
        }
    }

    /// The embedded database's files hold none of these words, not even where nothing points to any more.
    pub fn nothing_in_the_file(&self, words: &[&str]) {
        let Place::File { path, .. } = &self.place else { return };
        for end in ["", "-wal"] {
            let bytes = std::fs::read(format!("{}{end}", path.display())).unwrap_or_default();
            for word in words {
                let found = bytes.windows(word.len()).position(|w| w == word.as_bytes());
                assert!(found.is_none(), "{word} stands in {}{end} at {found:?}", path.display());
            }
        }
    }

    /// A time of an operators' view as text that is alike on both databases.
    pub fn time(&self, column: &str) -> String {
        match self.backend() {
            Backend::Sqlite => column.to_owned(),
            Backend::Postgres => format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"),
        }
    }

    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.store.read(Rows(leak(sql))).await.unwrap()
    }

    /// The first column of the first row, `-` for null.
    pub async fn one(&self, sql: &str) -> String {
        self.rows(sql).await.first().and_then(|r| r.first()).cloned().unwrap_or_else(|| "none".to_owned())
    }

    pub async fn count(&self, what: &str) -> i64 {
        self.one(&format!("SELECT COUNT(*) FROM {what}")).await.parse().unwrap()
    }

    /// The status of an outgoing message.
    pub async fn status_of(&self, message: MessageId) -> String {
        self.one(&format!("SELECT status FROM message WHERE id = {message}")).await
    }

    /// Seconds after [`START`] at which a message is due, or `-`.
    pub async fn due_of(&self, message: MessageId) -> String {
        let start = START.micros();
        self.one(&format!("SELECT (due_at - {start}) / 1000000 FROM outbox WHERE message_id = {message}")).await
    }
}

pub fn accept_op(door: &Door, events: Vec<Event>, room: Option<(Arc<str>, usize)>, policy: &Arc<Policy>) -> Accept {
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let arrival = |event| Arrival { door: Some(door.clone()), item: item(event), answer_groups: false };
    Accept {
        arrivals: events.into_iter().map(arrival).collect(),
        request_id: RequestId(format!("req-{}", REQUESTS.fetch_add(1, Ordering::Relaxed))),
        room,
        policy: Arc::clone(policy),
    }
}

pub fn turn(work: &Work) -> &Turn {
    match work {
        Work::Turn(turn) => turn,
        other => panic!("a turn should come next: {other:?}"),
    }
}

pub fn deliver(work: &Work) -> &Deliver {
    match work {
        Work::Deliver(deliver) => deliver,
        other => panic!("a message should be sent next: {other:?}"),
    }
}

pub fn reconcile(work: &Work) -> &Deliver {
    match work {
        Work::Reconcile(deliver) => deliver,
        other => panic!("a doubtful message should be looked for next: {other:?}"),
    }
}

/// A statement of a test, with a name of its own: statements are remembered by their names.
fn leak(text: &str) -> &'static Sql {
    static NAMES: AtomicU64 = AtomicU64::new(1);
    let name = format!("test.{}", NAMES.fetch_add(1, Ordering::Relaxed));
    Box::leak(Box::new(Sql { name: name.leak(), text: text.to_owned().leak() }))
}

/// Runs one changing statement.
pub struct Set(pub &'static Sql);

impl Op for Set {
    const NAME: &'static str = "test.set";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        tx.execute(self.0, &[])
    }
}

pub fn statement(text: &str) -> Set {
    Set(leak(text))
}

/// Reads with one statement; every value as text, `-` for null.
pub struct Rows(&'static Sql);

pub fn rows(text: &str) -> Rows {
    Rows(leak(text))
}

impl Op for Rows {
    const NAME: &'static str = "test.rows";
    type Out = Vec<Vec<String>>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        tx.all(self.0, &[], |row| {
            let mut out = Vec::new();
            while let Ok(value) = row.value(out.len()) {
                out.push(match value {
                    Value::Null => "-".to_owned(),
                    Value::Int(i) => i.to_string(),
                    Value::Real(r) => r.to_string(),
                    Value::Text(t) => t.to_owned(),
                    Value::Blob(b) => format!("{b:?}"),
                });
            }
            Ok(out)
        })
    }
}

/// A transaction in which the n-th statement fails.
pub struct FailAt<'t> {
    pub inner: &'t mut dyn Tx,
    pub left: usize,
}

impl FailAt<'_> {
    fn step(&mut self) -> Result<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| store::StoreError::Refused("as told".to_owned()))?;
        Ok(())
    }
}

impl Tx for FailAt<'_> {
    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn next_id(&mut self) -> i64 {
        self.inner.next_id()
    }

    fn execute(&mut self, sql: &'static Sql, params: &[Param<'_>]) -> Result<u64> {
        self.step()?;
        self.inner.execute(sql, params)
    }

    fn query(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        self.step()?;
        self.inner.query(sql, params, each)
    }

    fn parts(&mut self, parts: Vec<Part>) -> Result<()> {
        parts.into_iter().try_for_each(|part| part(self))
    }
}

/// `op`, with its statement after the first `after` failing.
pub struct Broken<O> {
    pub op: O,
    pub after: usize,
}

impl<O: Op> Op for Broken<O> {
    const NAME: &'static str = "test.broken";
    type Out = O::Out;

    fn run(&self, tx: &mut dyn Tx) -> Result<O::Out> {
        self.op.run(&mut FailAt { inner: tx, left: self.after })
    }
}

/// Every reference that the schema declares: table, column, the table it names, and that one's column. The embedded database keeps all of them; the
/// server has those alone that it enforces (0061.sql).
fn references() -> &'static [[String; 4]] {
    static ALL: std::sync::OnceLock<Vec<[String; 4]>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schema.db");
        let made = std::thread::scope(|scope| {
            let make = || runtime().block_on(async { open_file(&path, &Arc::new(ShiftedClock::still(START))).await });
            scope.spawn(make).join().unwrap().unwrap()
        });
        let connection = rusqlite::Connection::open(&path).unwrap();
        let text = "SELECT t.name, f.\"from\", f.\"table\", f.\"to\" FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'";
        let mut statement = connection.prepare(text).unwrap();
        let all = statement.query_map([], |r| Ok([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?])).unwrap();
        let all: Vec<[String; 4]> = all.map(|r| r.unwrap()).collect();
        assert!(all.len() > 15, "{all:?}");
        drop(made);
        all
    })
}

/// No row of the server names a row that is not there, whoever is to see to that.
fn assert_no_orphans(database: &testkit::postgres::Database) {
    let count = |[table, column, parent, key]: &[String; 4]| {
        format!(
            "SELECT '{table}.{column}' FROM {table} c WHERE c.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{key} = c.{column})"
        )
    };
    let text = references().iter().map(count).collect::<Vec<_>>().join(" UNION ALL ");
    assert_eq!(database.sql(&text).unwrap(), "", "rows name rows that are not there");
}

/// The file's own checks: pages, indexes, foreign keys.
pub fn assert_whole(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(found, "ok", "{}", path.display());
    let mut statement = connection.prepare("PRAGMA foreign_key_check").unwrap();
    let mut rows = statement.query([]).unwrap();
    if let Some(row) = rows.next().unwrap() {
        let table: String = row.get(0).unwrap();
        panic!("a row of {table} names a row that is not there");
    }
}
