//! The ledgers against each other, and against the database at rest (invariants I1 to I9, I12 to I14).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rusqlite::{Connection, OpenFlags};
use simulator::{Accepted, Happened};
use testkit::ledgers::{Finding, Ledgers};
use testkit::simulator;
use types::Timestamp;

use crate::arena::Arena;
use crate::customers::Ledger;

/// How long after an engine's death a send that it had begun may still be accepted, and how long after its own acceptance a resend
/// may have been decided already: the way of a request between two processes on a busy machine.
const IN_FLIGHT: Duration = Duration::from_millis(700);

/// When the engine first acknowledged a status of each send.
type Confirmed = HashMap<Arc<str>, Timestamp>;

/// One reply, as the engine has it.
struct Reply {
    id: i64,
    conversation: i64,
    key: String,
    inbound: Option<String>,
    status: String,
    body: String,
    duplicate: bool,
    resends: u32,
    due: Option<i64>,
    provider_id: Option<String>,
    created: Timestamp,
    delivered: Option<i64>,
    read: Option<i64>,
    /// Whether an attempt is on record that the provider accepted.
    told: bool,
}

/// What is wrong, in words; and what was counted.
#[derive(Default)]
struct Audit {
    wrong: Vec<String>,
    repeated: usize,
    marked: usize,
    held: usize,
    learned: usize,
}

/// Ends the engine politely, and holds everything against everything.
pub(crate) async fn settle(arena: Arena, engine: testkit::Binary, ledger: &Ledger) -> anyhow::Result<Arena> {
    settle_all(arena, vec![engine], ledger).await
}

/// The same with the engines of many nodes.
pub(crate) async fn settle_all(
    mut arena: Arena,
    engines: Vec<testkit::Binary>,
    ledger: &Ledger,
) -> anyhow::Result<Arena> {
    let said = || engines.iter().map(|e| tail(&e.stderr())).collect::<Vec<_>>().join("\n--\n");
    arena.rest().await.with_context(said)?;
    for mut engine in engines {
        engine.finish(Duration::from_secs(20)).await?;
    }
    let confirmed = confirmations(&arena).await;
    let audit = examine(&arena, ledger, &confirmed)?;
    summary(&arena, ledger, &audit);
    arena.logs_are_clean()?;
    ensure!(
        audit.wrong.is_empty(),
        "{} violations, the first of them:\n- {}",
        audit.wrong.len(),
        audit.wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n- ")
    );
    idle_restart_writes_nothing(&mut arena).await?;
    Ok(arena)
}

/// What the engine said last.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn summary(arena: &Arena, ledger: &Ledger, audit: &Audit) {
    let mut starts = arena.starts.clone();
    starts.sort_unstable();
    println!(
        "crash {}: {} kills, {} acknowledged of {} posted, {} accepted, {} learned from receipts only, {} marked as possible duplicates, \
         {} sent twice, {} held, {} violations; median start {:?}",
        arena.rules.name,
        arena.kills.len(),
        ledger.acknowledged().len(),
        ledger.posted().len(),
        arena.simulator.accepted_count(),
        audit.learned,
        audit.marked,
        audit.repeated,
        audit.held,
        audit.wrong.len(),
        starts.get(starts.len() / 2).copied().unwrap_or_default(),
    );
}

/// The database at rest, looked at from outside.
enum Db {
    File(Connection),
    Server(String),
}

fn open(arena: &Arena) -> anyhow::Result<Db> {
    Ok(match &arena.server {
        Some(server) => Db::Server(server.url()),
        None => Db::File(Connection::open_with_flags(&arena.data, OpenFlags::SQLITE_OPEN_READ_ONLY)?),
    })
}

fn replies(db: &Db) -> anyhow::Result<Vec<Reply>> {
    let array = if matches!(db, Db::File(_)) { "json_array" } else { "json_build_array" };
    let rows = texts(
        db,
        &format!(
            "SELECT {array}(m.id, m.conversation_id, o.dedupe_key, i.provider_id, m.status, m.body, m.possible_duplicate, o.resends, o.due_at,
                m.provider_id, m.created_at, m.delivered_at, m.read_at,
                (SELECT COUNT(*) FROM attempts a WHERE a.message_id = m.id AND a.outcome = 'sent'))
             FROM outbox o JOIN message m ON m.id = o.message_id LEFT JOIN message i ON i.id = m.in_reply_to ORDER BY m.id"
        ),
    )?;
    let reply = |row: &String| {
        let r: Vec<serde_json::Value> = serde_json::from_str(row)?;
        let (text, number) = (|n: usize| r[n].as_str().map(str::to_owned), |n: usize| r[n].as_i64());
        Ok(Reply {
            id: number(0).context("id")?,
            conversation: number(1).context("conversation")?,
            key: text(2).context("key")?,
            inbound: text(3),
            status: text(4).context("status")?,
            body: text(5).context("body")?,
            duplicate: number(6) == Some(1),
            resends: u32::try_from(number(7).context("resends")?)?,
            due: number(8),
            provider_id: text(9),
            created: Timestamp::from_micros(number(10).context("created")?),
            delivered: number(11),
            read: number(12),
            told: number(13) > Some(0),
        })
    };
    rows.iter().map(reply).collect()
}

/// The first column of every row; none of them holds a line's end.
fn texts(db: &Db, sql: &str) -> anyhow::Result<Vec<String>> {
    match db {
        Db::File(file) => {
            let mut statement = file.prepare(sql).with_context(|| sql.to_owned())?;
            let rows = statement.query_map([], |r| r.get::<_, String>(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        }
        Db::Server(url) => Ok(testkit::postgres::psql(url, sql)?.lines().map(str::to_owned).collect()),
    }
}

fn examine(arena: &Arena, ledger: &Ledger, confirmed: &Confirmed) -> anyhow::Result<Audit> {
    let db = open(arena)?;
    let replies = replies(&db)?;
    let sends = arena.simulator.ledger();
    let mut audit = Audit::default();
    audit.stored(&db, ledger)?;
    audit.at_rest(&db)?;
    audit.replies(arena, &replies, (&sends, confirmed), ledger);
    audit.order(&replies, &sends, ledger);
    audit.ledgers(&replies, &sends, ledger);
    ensure!(!sends.is_empty() && !replies.is_empty(), "nothing was answered: nothing was tested");
    Ok(audit)
}

impl Audit {
    fn say(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// I1, I2: what was acknowledged is stored, once; what is stored was posted.
    fn stored(&mut self, db: &Db, ledger: &Ledger) -> anyhow::Result<()> {
        let inbox: Vec<String> = texts(db, "SELECT provider_message_id FROM inbox")?;
        let messages: Vec<String> = texts(db, "SELECT provider_id FROM message WHERE direction = 'in'")?;
        let stored: HashSet<&str> = messages.iter().map(String::as_str).collect();
        if stored.len() != messages.len() || inbox.len() != messages.len() {
            self.say(format!(
                "I2: {} messages, {} different, {} in the inbox",
                messages.len(),
                stored.len(),
                inbox.len()
            ));
        }
        for lost in ledger.acknowledged().iter().filter(|a| !stored.contains(a.id.as_str())) {
            self.say(format!("I1: {} of {} was acknowledged and is not stored", lost.id, lost.chat));
        }
        let posted: HashSet<String> = ledger.posted().into_iter().map(|p| p.id).collect();
        for odd in stored.iter().filter(|id| !posted.contains(**id)) {
            self.say(format!("I1: {odd} is stored and was never posted"));
        }
        Ok(())
    }

    /// I3, I8, I9, I12: every message has one outcome, nothing is due, nobody holds anything, the file is sound.
    fn at_rest(&mut self, db: &Db) -> anyhow::Result<()> {
        for (rule, sql) in [
            ("I3: a message without its one finished job", "SELECT i.id || ' ' || COALESCE(j.state, 'no job') || ' ' || COALESCE(j.outcome, '')
                FROM message i LEFT JOIN jobs j ON j.message_id = i.id WHERE i.direction = 'in' AND (j.id IS NULL OR j.state <> 'done' OR j.outcome <> 'replied')"),
            ("I3: more jobs than messages", "SELECT message_id || '' FROM jobs GROUP BY message_id HAVING COUNT(*) > 1"),
            ("I3: a message with other than one reply", "SELECT i.id || ': ' || COUNT(m.id) FROM message i
                LEFT JOIN message m ON m.in_reply_to = i.id WHERE i.direction = 'in' GROUP BY i.id HAVING COUNT(m.id) <> 1"),
            ("I3: a dead letter", "SELECT error || ' ' || attempts FROM dead_letters"),
            ("I8: a lease that nobody gave back", "SELECT id || ' ' || COALESCE(lease_owner, '') FROM conversation WHERE lease_owner IS NOT NULL OR lease_until <> 0"),
            ("I9: a conversation that is due at rest", "SELECT id || ' ' || next_due FROM conversation WHERE next_due IS NOT NULL"),
            ("I9: more attempts than allowed", "SELECT id || ' ' || attempts FROM jobs WHERE attempts > max_attempts"),
            ("S1.7: two contacts of one number", "SELECT phone FROM contacts GROUP BY phone HAVING COUNT(*) > 1"),
            ("S1.7: two conversations of one contact", "SELECT contact_id || '' FROM conversation GROUP BY contact_id HAVING COUNT(*) > 1"),
            ("I12: a broken file", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
            ("I12: a broken reference", "SELECT \"table\" || ' ' || rowid || ' ' || parent FROM pragma_foreign_key_check"),
        ] {
            if matches!(db, Db::Server(_)) && sql.contains("pragma_") {
                continue;
            }
            for row in texts(db, sql)? {
                self.say(format!("{rule}: {row}"));
            }
        }
        Ok(())
    }

    /// I3, I4, I5, I7 and the marks: each reply against what the provider accepted.
    fn replies(
        &mut self,
        arena: &Arena,
        replies: &[Reply],
        (sends, confirmed): (&[Arc<Accepted>], &Confirmed),
        ledger: &Ledger,
    ) {
        let mut of: HashMap<String, Vec<&Accepted>> = HashMap::new();
        for send in sends {
            match ledger.inbound_of(send) {
                Some(inbound) => of.entry(inbound).or_default().push(send),
                None => self.say(format!("I5: {} of {} answers nothing: {:?}", send.provider_id, send.to, send.body)),
            }
        }
        for reply in replies {
            let accepted = reply.inbound.as_ref().and_then(|id| of.remove(id)).unwrap_or_default();
            self.marked += usize::from(reply.duplicate);
            self.held += usize::from(reply.status == "held");
            self.learned += usize::from(!accepted.is_empty() && !reply.told);
            self.one(arena, reply, &accepted);
            if accepted.len() > 1 {
                self.repeated += 1;
                self.twice(arena, reply, &accepted, confirmed);
            }
        }
        for (inbound, sends) in of {
            self.say(format!("I5: {} sends answer {inbound} and stand in no outbox", sends.len()));
        }
    }

    fn one(&mut self, arena: &Arena, reply: &Reply, accepted: &[&Accepted]) {
        let who =
            format!("reply {} ({}, {} accepted, {} resends)", reply.key, reply.status, accepted.len(), reply.resends);
        let settled = if accepted.is_empty() {
            // Only a person may be asked about a reply that nobody got.
            reply.status == "held"
        } else if arena.rules.statuses {
            reply.status == "read" && reply.delivered.is_some() && reply.read.is_some()
        } else {
            matches!(reply.status.as_str(), "sent" | "held")
        };
        if !settled || reply.due.is_some() {
            self.say(format!("I3, I7: {who} has no end that fits"));
        }
        if accepted.len() > 1 + reply.resends as usize {
            self.say(format!("I4: {who} was accepted more often than the record explains"));
        }
        if reply.duplicate != (reply.resends > 0) || (reply.resends > 0 && arena.rules.on_unknown == "hold") {
            self.say(format!("S4.4: {who} and its mark do not agree"));
        }
        if accepted.iter().any(|a| a.body != reply.body || a.at < reply.created) {
            self.say(format!("I5: {who} was sent with other words or before it was saved"));
        }
        if let Some(id) = &reply.provider_id
            && !accepted.iter().any(|a| *a.provider_id == **id)
        {
            self.say(format!("I5: {who} has the id {id}, which the provider never gave for it"));
        }
    }

    /// A reply that the provider accepted twice: a kill lies between, and nobody had confirmed the first.
    fn twice(&mut self, arena: &Arena, reply: &Reply, accepted: &[&Accepted], confirmed: &Confirmed) {
        if !reply.duplicate {
            self.say(format!("S4.4: {} was sent twice and is not marked", reply.key));
        }
        for pair in accepted.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            let killed = arena.kills.iter().any(|k| first.at <= k.plus(IN_FLIGHT) && *k <= second.at);
            if !killed {
                self.say(format!("I4: {} was sent twice and no kill lies between", reply.key));
            }
            if confirmed.get(&first.provider_id).is_some_and(|at| at.plus(IN_FLIGHT) < second.at) {
                self.say(format!("I4: {} was sent again after a receipt had confirmed it", reply.key));
            }
        }
    }

    /// I6: what a conversation got first is in the order of its outbox.
    fn order(&mut self, replies: &[Reply], sends: &[Arc<Accepted>], ledger: &Ledger) {
        let place: HashMap<&str, &Reply> = replies.iter().filter_map(|r| Some((r.inbound.as_deref()?, r))).collect();
        let (mut seen, mut last): (HashSet<i64>, HashMap<i64, i64>) = (HashSet::new(), HashMap::new());
        for send in sends {
            let Some(reply) = ledger.inbound_of(send).and_then(|id| place.get(id.as_str()).copied()) else { continue };
            if seen.insert(reply.id) {
                let former = last.insert(reply.conversation, reply.id).unwrap_or_default();
                if former > reply.id {
                    self.say(format!("I6: {} came after a later one of its conversation", reply.key));
                }
            }
        }
    }

    /// The outside view: customers' and provider's ledgers alone. What is held for a person is not lost.
    fn ledgers(&mut self, replies: &[Reply], sends: &[Arc<Accepted>], ledger: &Ledger) {
        let of = |which: fn(&Reply) -> bool| replies.iter().filter(move |r| which(r)).filter_map(|r| r.inbound.clone());
        let held: HashSet<String> = of(|r| r.status == "held").collect();
        let findings = Ledgers::new()
            .posted(ledger.posted())
            .acknowledged(ledger.acknowledged())
            .accepted(sends.to_vec(), |send| ledger.inbound_of(send))
            .may_repeat(of(|r| r.duplicate))
            .findings();
        for finding in findings {
            if !matches!(&finding, Finding::Lost { id, .. } if held.contains(id)) {
                self.say(format!("ledgers: {finding}"));
            }
        }
    }
}

async fn confirmations(arena: &Arena) -> Confirmed {
    let mut first = HashMap::new();
    for event in arena.simulator.events(0, Duration::ZERO).await {
        if let Happened::Status { provider_id, .. } = event.what {
            first.entry(provider_id).or_insert(event.at);
        }
    }
    first
}

/// I14: a start on a database at rest has nothing to recover, so it changes no row and, of the file, no byte.
async fn idle_restart_writes_nothing(arena: &mut Arena) -> anyhow::Result<()> {
    let file = |arena: &Arena| if arena.server.is_some() { Ok(Vec::new()) } else { std::fs::read(&arena.data) };
    let log = std::fs::metadata(format!("{}-wal", arena.data.display())).map_or(0, |m| m.len());
    let (before, rows) = (file(arena)?, contents(&open(arena)?)?);
    let accepted = arena.simulator.accepted_count();
    let mut engine = arena.start().await?;
    // Longer than its poll, its janitor's round and the wait for a receipt.
    tokio::time::sleep(Duration::from_millis(1000)).await;
    engine.finish(Duration::from_secs(20)).await?;
    let mut after = contents(&open(arena)?)?;
    for (table, rows) in &rows {
        let now = after.remove(table).unwrap_or_default();
        let odd: Vec<&String> = now.iter().filter(|r| !rows.contains(r)).take(3).collect();
        ensure!(now == *rows, "I14: a start on a database at rest changed {table}: {odd:?}\n{}", engine.stderr());
    }
    let after = file(arena)?;
    let pages =
        before.chunks(4096).zip(after.chunks(4096)).enumerate().filter(|(_, (a, b))| a != b).map(|(n, _)| n + 1);
    let pages: Vec<usize> = pages.collect();
    ensure!(
        before == after,
        "I14: a start on a database at rest wrote pages {pages:?} of {} (before: {} bytes and a log of {log} bytes), though no row differs",
        after.len() / 4096,
        before.len()
    );
    ensure!(arena.simulator.accepted_count() == accepted, "I14: a start on a database at rest sent something");
    Ok(())
}

/// Every row of every table, as text; but for the nodes, which say that they were there.
fn contents(db: &Db) -> anyhow::Result<HashMap<String, Vec<String>>> {
    let mut all = HashMap::new();
    let tables = match db {
        Db::File(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        Db::Server(_) => "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'nodes'",
    };
    for table in texts(db, tables)? {
        let rows = match db {
            Db::Server(_) => texts(db, &format!("SELECT row_to_json(t) FROM \"{table}\" t ORDER BY t::text"))?,
            Db::File(file) => {
                let mut statement = file.prepare(&format!("SELECT * FROM \"{table}\""))?;
                let columns = statement.column_count();
                let rows = statement.query_map([], |r| {
                    (0..columns).map(|n| r.get_ref(n).map(|v| format!("{v:?}"))).collect::<Result<Vec<_>, _>>()
                })?;
                rows.map(|r| r.map(|r| r.join(", "))).collect::<Result<_, _>>()?
            }
        };
        all.insert(table, rows);
    }
    Ok(all)
}
