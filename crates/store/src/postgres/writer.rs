//! The transactions in which operations run: many operations, one commit. Operations that touch different things run side by side, their statements
//! sent together; those that touch the same follow each other. Everybody is answered only after the commit (promise 1 of SPEC).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio_postgres::types::Type;
use types::clock::Stopwatch;
use types::{TenantId, Timestamp};

use super::connect::Failure;
use super::fiber::{Done, Fiber, Reply, Request, Stacks, Step};
use super::session::Session;
use super::{LOCK_CONVERSATIONS, LOCK_NAMES, NOW, Shared};
use crate::reach::{Reach, Touches};
use crate::task::Task;

/// At most this many operations in one commit.
const GROUP: usize = 128;
/// How often an operation is tried again when others were in its way.
const TRIES: u32 = 8;
/// After a failed connection, callers are told so at once for this long.
const REST: Duration = Duration::from_millis(250);

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Writes,
    /// Reads, each at one consistent moment.
    Reads,
}

/// How the operations of a transaction stand to each other and to the rest of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Each touches only its own.
    Shared,
    /// Finds its rows by itself.
    Finds,
    /// Nothing else writes.
    Alone,
    Reads,
}

/// An operation with what it touches.
type Scoped = (Box<dyn Task>, Touches);

/// What became of a try.
enum Verdict {
    Committed,
    /// One operation failed: again, each with a savepoint.
    Apart,
    /// Another transaction was in the way: again.
    Again(String),
    /// Nothing was stored, as far as we know.
    Failed(String),
}

/// One connection's work.
pub(super) struct Writer {
    shared: Arc<Shared>,
    role: Role,
    session: Option<Session>,
    stacks: Stacks,
    failed: Option<(Stopwatch, String)>,
}

/// Runs until it is told to end or every sender is gone.
pub(super) async fn run(queue: Arc<Mutex<mpsc::Receiver<Box<dyn Task>>>>, shared: Arc<Shared>, role: Role) {
    let mut writer = Writer { shared, role, session: None, stacks: Stacks::default(), failed: None };
    loop {
        let mut group = Vec::new();
        {
            let mut queue = queue.lock().await;
            let Some(first) = queue.recv().await else { return };
            group.push(first);
            let most = if role == Role::Writes { GROUP } else { 1 };
            while group.len() < most {
                match queue.try_recv() {
                    Ok(task) => group.push(task),
                    Err(_) => break,
                }
            }
            if group.iter().any(|task| task.is_end()) {
                // Nothing new comes in; what is queued is still committed, by this thread and its neighbours.
                queue.close();
            }
        }
        group.retain(|task| !task.is_end());
        writer.all(group).await;
    }
}

impl Writer {
    /// Sorts a group into transactions and runs them.
    async fn all(&mut self, group: Vec<Box<dyn Task>>) {
        let mut parts: BTreeMap<(Kind, Option<i64>, usize), Vec<Scoped>> = BTreeMap::new();
        for (n, task) in group.into_iter().enumerate() {
            let (kind, touches) = match (self.role, task.reach()) {
                (Role::Reads, _) => (Kind::Reads, Touches::default()),
                (Role::Writes, Reach::Everything) => (Kind::Alone, Touches::default()),
                (Role::Writes, Reach::Finds) => (Kind::Finds, Touches::default()),
                (Role::Writes, Reach::Only(touches)) => (Kind::Shared, touches),
            };
            let apart = if kind == Kind::Finds { n } else { 0 };
            parts.entry((kind, task.tenant().map(|t| t.0), apart)).or_default().push((task, touches));
        }
        for ((kind, tenant, _), part) in parts {
            self.part(part, kind, tenant.map(TenantId)).await;
        }
    }

    async fn part(&mut self, part: Vec<Scoped>, kind: Kind, tenant: Option<TenantId>) {
        let watch = Stopwatch::start();
        let size = part.len();
        let (mut tasks, touches): (Vec<_>, Vec<_>) = part.into_iter().map(|(task, t)| (Some(task), t)).unzip();
        let mut apart = false;
        let mut result = Err("others were in the way every time".to_owned());
        for n in 0..TRIES {
            match self.attempt(&mut tasks, &touches, kind, tenant, apart).await {
                Verdict::Committed => {
                    result = Ok(());
                    break;
                }
                Verdict::Apart => apart = true,
                Verdict::Again(why) => {
                    tracing::debug!(why, "again");
                    metrics::counter!("store_conflicts_total").increment(1);
                    apart = true;
                    tokio::time::sleep(Duration::from_millis(u64::from(n) * 7 + 1)).await;
                }
                Verdict::Failed(why) => {
                    result = Err(why);
                    break;
                }
            }
        }
        if let Err(why) = &result {
            tracing::error!(why, operations = size, "nothing of this group was stored");
        }
        metrics::gauge!("db_up").set(if result.is_ok() { 1.0 } else { 0.0 });
        if kind != Kind::Reads {
            fail::fail_point!("store.committed");
            metrics::histogram!("store_commit_seconds").record(watch.elapsed().as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "groups are small")]
            metrics::histogram!("store_group_size").record(size as f64);
        }
        for task in tasks.into_iter().flatten() {
            task.finish(result.clone());
        }
        if let Some(session) = &mut self.session
            && session.catch_up().await.is_err()
        {
            self.session = None;
        }
    }

    /// One transaction.
    async fn attempt(
        &mut self,
        tasks: &mut [Option<Box<dyn Task>>],
        touches: &[Touches],
        kind: Kind,
        tenant: Option<TenantId>,
        apart: bool,
    ) -> Verdict {
        let rested = self.session.is_some();
        let mut session = match self.session().await {
            Ok(session) => session,
            Err(why) => return Verdict::Failed(why),
        };
        let verdict = self.transaction(&mut session, tasks, touches, (kind, tenant, apart)).await;
        let verdict = match verdict {
            Ok(true) => Verdict::Committed,
            Ok(false) => Verdict::Apart,
            Err(Failure::Conflict(why)) => Verdict::Again(why),
            Err(Failure::Forgotten(why)) => {
                // The next session knows.
                self.be_plain(&why);
                return Verdict::Again(why);
            }
            // The connection had died while it rested (the server was restarted), and no commit was asked for: once more on a new one.
            Err(Failure::Gone(why)) if rested && !session.asked_commit => Verdict::Again(why),
            Err(failure) => Verdict::Failed(failure.why().to_owned()),
        };
        let done = matches!(verdict, Verdict::Committed);
        if done || (!session.is_closed() && session.run("ROLLBACK").await.is_ok()) {
            session.failure = None;
            session.asked_commit = false;
            self.session = Some(session);
        }
        verdict
    }

    fn be_plain(&self, why: &str) {
        if self.shared.server.be_plain() {
            tracing::warn!(
                why,
                "prepared statements do not live here (PgBouncer before 1.21, or max_prepared_statements = 0): statements are sent whole, which is slower"
            );
        }
    }

    /// The connection, made anew where it is lost.
    async fn session(&mut self) -> Result<Session, String> {
        if let Some(session) = self.session.take()
            && !session.is_closed()
        {
            return Ok(session);
        }
        if let Some((since, why)) = &self.failed
            && since.elapsed() < REST
        {
            return Err(why.clone());
        }
        let mut opened = open(&self.shared).await;
        if let Err(Failure::Forgotten(why)) = &opened {
            self.be_plain(why);
            opened = open(&self.shared).await;
        }
        match opened {
            Ok(session) => {
                self.failed = None;
                Ok(session)
            }
            Err(failure) => {
                let why = format!("the database is away: {}", failure.why());
                self.failed = Some((Stopwatch::start(), why.clone()));
                Err(why)
            }
        }
    }

    /// Runs the operations in a transaction and commits it; `false` when one of them failed and took the others with it.
    async fn transaction(
        &mut self,
        session: &mut Session,
        tasks: &mut [Option<Box<dyn Task>>],
        touches: &[Touches],
        (kind, tenant, apart): (Kind, Option<TenantId>, bool),
    ) -> Result<bool, Failure> {
        let (now, order) = begin(session, &self.shared, touches, kind, tenant, apart).await?;
        let mut flight = Flight { writer: self, session, now, apart, fibers: HashMap::new(), spoilt: false };
        flight.run(tasks, order).await;
        let spoilt = flight.spoilt;
        if let Some(failure) = session.failure.clone() {
            return match failure {
                Failure::Statement(_) if !apart => Ok(false),
                failure => Err(failure),
            };
        }
        if spoilt {
            return Ok(false);
        }
        if kind != Kind::Reads {
            fail::fail_point!("store.commit");
        }
        session.asked_commit = true;
        let committed = session.run("COMMIT").await;
        session.note(&committed);
        committed.map(|()| true)
    }
}

/// Connects and prepares the store's own statements.
async fn open(shared: &Shared) -> Result<Session, Failure> {
    let mut session = Session::open(&shared.server).await?;
    for sql in [&LOCK_NAMES, &LOCK_CONVERSATIONS, &NOW] {
        session.learn(sql).await?;
    }
    Ok(session)
}

/// For every operation, those that must be over before it begins.
type Order = Vec<Vec<usize>>;

/// Opens a transaction that holds everything its operations touch, and reads the time after that: nobody who touches the same has a later one.
async fn begin(
    session: &Session,
    shared: &Shared,
    touches: &[Touches],
    kind: Kind,
    tenant: Option<TenantId>,
    apart: bool,
) -> Result<(Timestamp, Order), Failure> {
    let text = shared.begin(kind == Kind::Reads, kind == Kind::Alone, tenant);
    let mut names: Vec<i64> = touches.iter().flat_map(|t| t.names.iter().copied()).collect();
    names.sort_unstable();
    names.dedup();
    let wanted = Wanted::of(touches);
    let names_held = async {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        session.ask(&LOCK_NAMES, &[(&names, Type::INT8_ARRAY)]).await
    };
    let rows_held = async {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        session.ask(&LOCK_CONVERSATIONS, &wanted.params()).await
    };
    // Sent in this order without waiting in between.
    let all = futures_util::future::join4(session.run(&text), names_held, rows_held, session.ask(&NOW, &[])).await;
    let (begun, names_held, rows_held, now) = all;
    begun?;
    names_held?;
    let (held, now) = (rows_held?, now?);
    let bad = |e: tokio_postgres::Error| Failure::of(&e);
    let now = now.first().map_or(Ok(0), |row| row.try_get(0)).map_err(bad)?;
    let mut now = shared.clock.as_ref().map_or(Timestamp::from_micros(now), |clock| clock.now());
    let mut conversations: Vec<Vec<i64>> = vec![Vec::new(); touches.len()];
    for row in held {
        let (op, id, last): (i64, i64, i64) =
            (row.try_get(0).map_err(bad)?, row.try_get(1).map_err(bad)?, row.try_get(2).map_err(bad)?);
        if let Some(list) = usize::try_from(op).ok().and_then(|op| conversations.get_mut(op)) {
            list.push(id);
        }
        // Ids order a conversation's messages and are made of milliseconds: what follows on another node comes a millisecond later.
        if shared.clock.is_none() && last < now.micros() + 1_000_000 {
            now = now.max(Timestamp::from_micros(last + 1000));
        }
    }
    let one_by_one = apart || kind == Kind::Alone;
    Ok((now, order(touches, &conversations, one_by_one)))
}

/// What each operation waits for: the last one before it that touches something of its own.
fn order(touches: &[Touches], conversations: &[Vec<i64>], one_by_one: bool) -> Order {
    let mut last: HashMap<(bool, i64), usize> = HashMap::new();
    let mut order: Order = Vec::with_capacity(touches.len());
    for (n, (touched, conversations)) in touches.iter().zip(conversations).enumerate() {
        if one_by_one {
            order.push(n.checked_sub(1).into_iter().collect());
            continue;
        }
        let names = touched.names.iter().map(|name| (true, *name));
        let ids = conversations.iter().map(|id| (false, *id));
        let mut before: Vec<usize> =
            names.chain(ids).filter_map(|thing| last.insert(thing, n)).filter(|b| *b != n).collect();
        before.sort_unstable();
        before.dedup();
        order.push(before);
    }
    order
}

/// The conversations to lock, as the statement's arrays; each with the number of the operation.
#[derive(Default)]
struct Wanted {
    ids: Vec<i64>,
    ids_op: Vec<i64>,
    tenants: Vec<i64>,
    channels: Vec<i64>,
    kinds: Vec<&'static str>,
    values: Vec<String>,
    people_op: Vec<i64>,
    sent_channels: Vec<i64>,
    sent: Vec<String>,
    sent_op: Vec<i64>,
    keys: Vec<String>,
    keys_op: Vec<i64>,
}

type Bound<'a> = (&'a (dyn tokio_postgres::types::ToSql + std::marker::Sync), Type);

impl Wanted {
    fn of(touches: &[Touches]) -> Self {
        let mut wanted = Self::default();
        for (op, t) in (0_i64..).zip(touches) {
            for id in &t.conversations {
                wanted.ids.push(id.0);
                wanted.ids_op.push(op);
            }
            for person in &t.people {
                wanted.tenants.push(person.tenant.0);
                wanted.channels.push(person.channel.0);
                wanted.kinds.push(person.kind);
                wanted.values.push(person.value.clone());
                wanted.people_op.push(op);
            }
            for (channel, id) in &t.sent {
                wanted.sent_channels.push(channel.0);
                wanted.sent.push(id.clone());
                wanted.sent_op.push(op);
            }
            for key in &t.keys {
                wanted.keys.push(key.clone());
                wanted.keys_op.push(op);
            }
        }
        wanted
    }

    const fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.values.is_empty() && self.sent.is_empty() && self.keys.is_empty()
    }

    fn params(&self) -> [Bound<'_>; 12] {
        let (ints, texts) = (Type::INT8_ARRAY, Type::TEXT_ARRAY);
        [
            (&self.ids, ints.clone()),
            (&self.ids_op, ints.clone()),
            (&self.tenants, ints.clone()),
            (&self.channels, ints.clone()),
            (&self.kinds, texts.clone()),
            (&self.values, texts.clone()),
            (&self.people_op, ints.clone()),
            (&self.sent_channels, ints.clone()),
            (&self.sent, texts.clone()),
            (&self.sent_op, ints.clone()),
            (&self.keys, texts),
            (&self.keys_op, ints),
        ]
    }
}

/// What operations that rest wait for.
#[derive(Default)]
struct Asked {
    /// Which operations, each with the number of its requests.
    who: Vec<(usize, usize)>,
    requests: Vec<Request>,
}

/// Operations on their way through a transaction.
struct Flight<'a> {
    writer: &'a mut Writer,
    session: &'a mut Session,
    now: Timestamp,
    /// Each under a savepoint, so that one that fails is undone alone.
    apart: bool,
    fibers: HashMap<usize, Fiber>,
    /// One failed that had changed something already.
    spoilt: bool,
}

impl Flight<'_> {
    async fn run(&mut self, tasks: &mut [Option<Box<dyn Task>>], order: Order) {
        let mut waits: Vec<usize> = order.iter().map(Vec::len).collect();
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); order.len()];
        for (n, before) in order.iter().enumerate() {
            for b in before {
                followers[*b].push(n);
            }
        }
        let mut ready: VecDeque<usize> = (0..waits.len()).filter(|n| waits[*n] == 0).collect();
        // Who asks, for how many statements; and those of all of them, in that order.
        let mut asked = Asked::default();
        loop {
            while let Some(n) = ready.pop_front() {
                let Some(task) = tasks[n].take() else { continue };
                let mut fiber = match Fiber::new(task, self.now, &self.writer.shared.ids, &self.writer.stacks) {
                    Ok(fiber) => fiber,
                    Err((task, why)) => {
                        tasks[n] = Some(task);
                        self.session.note(&Err::<(), _>(Failure::Away(why)));
                        return;
                    }
                };
                if self.apart {
                    self.savepoint("SAVEPOINT op").await;
                }
                let step = fiber.resume(Reply::new());
                self.fibers.insert(n, fiber);
                if let Some(done) = self.step(n, step, &mut asked) {
                    self.end(n, done, tasks, &followers, &mut waits, &mut ready).await;
                }
            }
            if asked.who.is_empty() {
                return;
            }
            let Asked { who, requests } = std::mem::take(&mut asked);
            let mut answers = self.session.wave(requests).await.into_iter();
            for (n, count) in who {
                let reply: Reply = answers.by_ref().take(count).collect();
                let Some(fiber) = self.fibers.get_mut(&n) else { continue };
                let step = fiber.resume(reply);
                if let Some(done) = self.step(n, step, &mut asked) {
                    self.end(n, done, tasks, &followers, &mut waits, &mut ready).await;
                }
            }
        }
    }

    fn step(&mut self, n: usize, step: Step, asked: &mut Asked) -> Option<Done> {
        match step {
            Step::Asks(requests) => {
                asked.who.push((n, requests.len()));
                asked.requests.extend(requests);
                None
            }
            Step::Ends(done) => {
                if let Some(fiber) = self.fibers.remove(&n) {
                    fiber.bury(&self.writer.stacks);
                }
                Some(done)
            }
        }
    }

    async fn end(
        &mut self,
        n: usize,
        done: Done,
        tasks: &mut [Option<Box<dyn Task>>],
        followers: &[Vec<usize>],
        waits: &mut [usize],
        ready: &mut VecDeque<usize>,
    ) {
        tasks[n] = Some(done.task);
        if self.apart {
            let word =
                if done.keep { "RELEASE SAVEPOINT op" } else { "ROLLBACK TO SAVEPOINT op; RELEASE SAVEPOINT op" };
            if matches!(self.session.failure, Some(Failure::Statement(_))) {
                self.session.failure = None;
            }
            self.savepoint(word).await;
        } else if !done.keep && done.wrote {
            self.spoilt = true;
        }
        for f in &followers[n] {
            waits[*f] -= 1;
            if waits[*f] == 0 {
                ready.push_back(*f);
            }
        }
    }

    /// A word about savepoints, unless the transaction is lost anyway.
    async fn savepoint(&mut self, word: &str) {
        if self.session.failure.is_none() {
            let result = self.session.run(word).await;
            self.session.note(&result);
        }
    }
}
