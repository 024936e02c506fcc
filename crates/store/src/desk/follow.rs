//! Keeps the inbox and tells what is new, by reading what the other tables say: so a message's own way stays as short as it was, and many
//! messages of one conversation cost one update. Everything here may run again: a row is made anew from its sources.

use std::collections::BTreeSet;

use types::ids::first_id_of;
use types::states::ConversationState;
use types::{ConversationId, TenantId, Timestamp};

use super::InboxStatus;
use crate::error::Result;
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Row, Tx};

sql! {
    SEEN = "follow.seen": "SELECT seen FROM follower WHERE source = $1";
    SET_SEEN = "follow.set_seen":
        "INSERT INTO follower (source, seen) VALUES ($1, $2) ON CONFLICT (source) DO UPDATE SET seen = excluded.seen";
    MESSAGES = "follow.messages":
        "SELECT id, tenant_id, conversation_id, direction, sender, status FROM message WHERE id > $1 ORDER BY id LIMIT $2";
    ATTEMPTS = "follow.attempts":
        "SELECT a.id, a.tenant_id, m.conversation_id, m.id, m.status FROM attempts a JOIN message m ON m.id = a.message_id
         WHERE a.id > $1 ORDER BY a.id LIMIT $2";
    // All of the last moment, too: one webhook brings many with the same, and the place says no more than the moment.
    RECEIPTS = "follow.receipts":
        "SELECT r.received_at, m.tenant_id, m.conversation_id, m.id, m.status FROM receipts r JOIN message m ON m.id = r.message_id
         WHERE r.received_at > $1 AND r.received_at <= (SELECT MAX(x.received_at) FROM
               (SELECT received_at FROM receipts WHERE received_at > $1 AND message_id IS NOT NULL ORDER BY received_at LIMIT $2) AS x)
         ORDER BY r.received_at";
    TRANSITIONS = "follow.transitions":
        "SELECT id, tenant_id, conversation_id FROM transitions WHERE id > $1 ORDER BY id LIMIT $2";
    NOTICES = "follow.notifications":
        "SELECT id, tenant_id, kind FROM notification WHERE id > $1 ORDER BY id LIMIT $2";
    AUDIT = "follow.audit":
        "SELECT id, tenant_id, object_kind, object_id, action FROM audit WHERE id > $1 AND tenant_id IS NOT NULL ORDER BY id LIMIT $2";
    NEWEST = "follow.newest":
        "SELECT COALESCE(MAX(id), 0) FROM (SELECT MAX(id) AS id FROM message UNION ALL SELECT MAX(id) FROM attempts
         UNION ALL SELECT MAX(id) FROM transitions UNION ALL SELECT MAX(id) FROM notification UNION ALL SELECT MAX(id) FROM audit) AS x";
    OLDEST = "follow.oldest_transaction": "{sqlite}SELECT 0{end}{postgres}SELECT barid_oldest_transaction(){end}";
    WOKEN = "follow.woken":
        "SELECT conversation_id, tenant_id FROM desk WHERE status = 'snoozed' AND snoozed_until <= $1 LIMIT $2";
    SOURCE = "follow.source":
        "SELECT v.tenant_id, v.state, v.last_inbound_at, c.name, c.phone, c.username, l.name, l.email, l.service
         FROM conversation v JOIN contacts c ON c.id = v.contact_id JOIN lead l ON l.id = v.lead_id WHERE v.id = $1";
    LAST = "follow.last_message": "SELECT id FROM message WHERE conversation_id = $1 ORDER BY id DESC LIMIT 1";
    LAST_OUT = "follow.last_out":
        "SELECT id FROM message WHERE conversation_id = $1 AND direction = 'out' AND sender IN ('AI', 'HUMAN') ORDER BY id DESC LIMIT 1";
    FIRST_IN = "follow.first_in":
        "SELECT created_at FROM message WHERE conversation_id = $1 AND id > $2 AND direction = 'in' ORDER BY id LIMIT 1";
    DESK = "follow.desk": "SELECT status, snoozed_until, resolved_at, last_id, waiting_since, search, state, snoozed_at
         FROM desk WHERE conversation_id = $1";
    ADD = "follow.add_desk":
        "INSERT INTO desk (conversation_id, tenant_id, status, state, assignee_id, priority, labels, read_id, last_id, waiting_since, search, version)
         VALUES ($1, $2, $3, $4, 0, 1, '[]', 0, $5, $6, $7, $8) ON CONFLICT (conversation_id) DO NOTHING";
    SET = "follow.set_desk":
        "UPDATE desk SET status = $2, state = $3, last_id = $4, waiting_since = $5, search = $6, version = $7,
                snoozed_until = CASE WHEN $2 = 'snoozed' THEN snoozed_until END,
                snoozed_at = CASE WHEN $2 = 'snoozed' THEN snoozed_at END,
                resolved_at = CASE WHEN $2 = 'resolved' THEN resolved_at END
         WHERE conversation_id = $1";
    TRIM_KEYS = "follow.trim_idempotency":
        "DELETE FROM idempotency WHERE (holder, name) IN (SELECT holder, name FROM idempotency WHERE created_at < $1 LIMIT 500)";
    TRIM_SESSIONS = "follow.trim_sessions":
        "DELETE FROM sessions WHERE digest IN (SELECT digest FROM sessions WHERE expires_at < $1 LIMIT 500)";
    TRIM_FAILURES = "follow.trim_login_failures":
        "DELETE FROM login_failures WHERE name IN (SELECT name FROM login_failures WHERE last_at < $1 LIMIT 500)";
    TRIM_LINKS = "follow.trim_links":
        "DELETE FROM links WHERE digest IN (SELECT digest FROM links WHERE expires_at < $1 LIMIT 500)";
}

/// Something new, for those who look on. It carries ids; who may see the row reads it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct News {
    /// Where it stands in its table: the row's id, or its moment.
    #[serde(skip)]
    pub at: i64,
    /// `message.created`, `message.status`, `conversation.updated`, `notification.created`, …
    #[serde(skip)]
    pub name: String,
    /// Whose.
    #[serde(skip)]
    pub tenant: TenantId,
    /// The conversation it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// The row's id.
    pub id: String,
    /// A message's direction or a thing's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A message's status, or what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// The tables that are followed, in the order of [`Seen`].
const SOURCES: [&str; 6] = ["messages", "attempts", "receipts", "transitions", "notifications", "audit"];

/// The one whose place is a moment and no id.
const RECEIPTS_AT: usize = 2;

/// How far each table was read.
pub type Seen = [i64; 6];

/// What was found new.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Conversations whose row on the desk may be old.
    pub conversations: BTreeSet<ConversationId>,
    /// What to tell.
    pub news: Vec<News>,
    /// How far was read.
    pub seen: Seen,
    /// A bound was reached: look again soon.
    pub more: bool,
}

/// Where the follower stands; a table that was never followed begins at its beginning.
#[derive(Clone, Copy, Debug)]
pub struct WhereAmI;

impl Op for WhereAmI {
    const NAME: &'static str = "follow.where_am_i";
    type Out = Seen;

    fn run(&self, tx: &mut dyn Tx) -> Result<Seen> {
        let mut seen = [0; 6];
        for (n, source) in SOURCES.iter().enumerate() {
            seen[n] = tx.number(&SEEN, params![*source])?;
        }
        Ok(seen)
    }
}

/// The newest id anywhere: whether there is anything to do.
#[derive(Clone, Copy, Debug)]
pub struct Newest;

impl Op for Newest {
    const NAME: &'static str = "follow.newest";
    type Out = i64;

    fn run(&self, tx: &mut dyn Tx) -> Result<i64> {
        tx.number(&NEWEST, &[])
    }
}

/// For how long the oldest transaction of any node has been going on: the next look reads back as far as that one began, since what it commits stands
/// before rows that are seen already. Zero on an embedded database, whose one writer commits in the order of its ids.
#[derive(Clone, Copy, Debug)]
pub struct Oldest;

impl Op for Oldest {
    const NAME: &'static str = "follow.oldest_transaction";
    type Out = std::time::Duration;

    fn run(&self, tx: &mut dyn Tx) -> Result<std::time::Duration> {
        let micros = tx.number(&OLDEST, &[])?;
        Ok(std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

/// Reads what is new since `seen`. Rows that another process commits late have smaller ids than some that were seen: so the last moments
/// are read again (`overlap`), and who listens must bear to hear a thing twice.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// How far each table was read.
    pub seen: Seen,
    /// How far back to read again.
    pub overlap: std::time::Duration,
    /// At most so many rows of each table.
    pub limit: u32,
}

fn message(r: &dyn Row) -> Result<News> {
    let id: i64 = r.get(0)?;
    let (tenant, conversation_id) = (r.get(1)?, Some(r.get(2)?));
    let (kind, status) = (Some(r.get(3)?), Some(r.get(5)?));
    let name = "message.created".to_owned();
    Ok(News { at: id, name, tenant, conversation_id, id: id.to_string(), kind, status })
}

fn status(r: &dyn Row) -> Result<News> {
    let status: String = r.get(4)?;
    let name = if status == "failed" { "send.failed" } else { "message.status" }.to_owned();
    let (id, kind) = (r.get::<i64>(3)?.to_string(), None);
    let (tenant, conversation_id) = (r.get(1)?, Some(r.get(2)?));
    Ok(News { at: r.get(0)?, name, tenant, conversation_id, id, kind, status: Some(status) })
}

fn transition(r: &dyn Row) -> Result<News> {
    let conversation: ConversationId = r.get(2)?;
    let (name, id) = ("conversation.updated".to_owned(), conversation.to_string());
    let (at, tenant) = (r.get(0)?, r.get(1)?);
    Ok(News { at, name, tenant, conversation_id: Some(conversation), id, kind: None, status: None })
}

fn notice(r: &dyn Row) -> Result<News> {
    let id: i64 = r.get(0)?;
    let (name, kind) = ("notification.created".to_owned(), Some(r.get(2)?));
    Ok(News { at: id, name, tenant: r.get(1)?, conversation_id: None, id: id.to_string(), kind, status: None })
}

fn act(r: &dyn Row) -> Result<News> {
    let (kind, id, action): (String, String, String) = (r.get(2)?, r.get(3)?, r.get(4)?);
    let conversation_id = if kind == "conversation" { id.parse().ok() } else { None };
    let name = if kind == "batch" { "batch.progress".to_owned() } else { format!("{kind}.updated") };
    Ok(News { at: r.get(0)?, name, tenant: r.get(1)?, conversation_id, id, kind: None, status: Some(action) })
}

impl Op for Look {
    const NAME: &'static str = "follow.look";
    type Out = Found;

    fn run(&self, tx: &mut dyn Tx) -> Result<Found> {
        let mut found = Found { seen: self.seen, ..Found::default() };
        let back = tx.now().minus(self.overlap);
        let fresh = tx.now().minus(std::time::Duration::from_secs(60));
        let by_id = |n: usize| self.seen[n].min(first_id_of(back));
        let sources = [
            (tx.all(&MESSAGES, params![by_id(0), self.limit], message)?, 0),
            (tx.all(&ATTEMPTS, params![by_id(1), self.limit], status)?, 1),
            (tx.all(&RECEIPTS, params![self.seen[2].min(back.micros()), self.limit], status)?, 2),
            (tx.all(&TRANSITIONS, params![by_id(3), self.limit], transition)?, 3),
            (tx.all(&NOTICES, params![by_id(4), self.limit], notice)?, 4),
            (tx.all(&AUDIT, params![by_id(5), self.limit], act)?, 5),
        ];
        for (lines, n) in sources {
            found.more |= lines.len() >= self.limit as usize;
            for line in lines {
                found.seen[n] = found.seen[n].max(line.at);
                found.conversations.extend(line.conversation_id);
                // What is older is no news: the desk is being made for the first time, or nobody looked for long.
                if line.at >= if n == RECEIPTS_AT { fresh.micros() } else { first_id_of(fresh) } {
                    found.news.push(line);
                }
            }
        }
        let now = tx.now();
        for (conversation, tenant) in tx.all(&WOKEN, params![now, self.limit], |r| Ok((r.get(0)?, r.get(1)?)))? {
            let conversation: ConversationId = conversation;
            found.conversations.insert(conversation);
            let (name, id) = ("conversation.updated".to_owned(), conversation.to_string());
            let status = Some("woken".to_owned());
            let at = now.micros();
            found.news.push(News { at, name, tenant, conversation_id: Some(conversation), id, kind: None, status });
        }
        Ok(found)
    }
}

/// Brings rows of the desk up to date, and notes how far was read.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Which.
    pub conversations: Vec<ConversationId>,
    /// How far was read; `None`: not for this part of what was found.
    pub seen: Option<Seen>,
}

impl Op for Keep {
    const NAME: &'static str = "follow.keep";
    type Out = ();

    fn reach(&self) -> Reach {
        let mut touches = Touches { conversations: self.conversations.clone(), ..Touches::default() };
        touches.name("follower", "");
        Reach::Only(touches)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        tx.each(self.conversations.clone(), refresh)?;
        if let Some(seen) = &self.seen {
            for (source, seen) in SOURCES.iter().zip(seen) {
                tx.execute(&SET_SEEN, params![*source, *seen])?;
            }
        }
        Ok(())
    }
}

struct Source {
    tenant: TenantId,
    state: ConversationState,
    inbound: Option<Timestamp>,
    search: String,
}

fn source(r: &dyn Row) -> Result<Source> {
    let mut search = String::new();
    for column in 3..9 {
        if let Some(word) = r.get::<Option<String>>(column)? {
            search.push_str(&word.to_lowercase());
            search.push(' ');
        }
    }
    Ok(Source { tenant: r.get(0)?, state: r.get(1)?, inbound: r.get(2)?, search })
}

struct Desk {
    status: InboxStatus,
    state: ConversationState,
    snoozed: Option<(Timestamp, Timestamp)>,
    resolved: Option<Timestamp>,
    last: i64,
    waiting: Option<Timestamp>,
    search: String,
}

fn desk(r: &dyn Row) -> Result<Desk> {
    let (until, at): (Option<Timestamp>, Option<Timestamp>) = (r.get(1)?, r.get(7)?);
    Ok(Desk {
        status: r.get(0)?,
        snoozed: at.zip(until),
        resolved: r.get(2)?,
        last: r.get(3)?,
        waiting: r.get(4)?,
        search: r.get(5)?,
        state: r.get(6)?,
    })
}

/// Makes a conversation's row on the desk anew from what the other tables say; nothing where nothing changed.
pub(super) fn refresh(tx: &mut dyn Tx, id: ConversationId) -> Result<()> {
    let now = tx.now();
    let Some(source) = tx.first(&SOURCE, params![id], source)? else { return Ok(()) };
    let had = tx.first(&DESK, params![id], desk)?;
    let status = stands(&source, had.as_ref(), now);
    let last = tx.first(&LAST, params![id], |r| r.get::<i64>(0))?.unwrap_or(id.0);
    let waiting = if status == InboxStatus::Open {
        let answered = tx.first(&LAST_OUT, params![id], |r| r.get::<i64>(0))?.unwrap_or(0);
        tx.first(&FIRST_IN, params![id, answered], |r| r.get::<Timestamp>(0))?
    } else {
        None
    };
    let (word, state, version) = (status.as_str(), source.state.as_str(), now.micros());
    match had {
        Some(d)
            if (d.status, d.last, d.waiting, &d.search, d.state)
                == (status, last, waiting, &source.search, source.state) => {}
        Some(_) => {
            tx.execute(&SET, params![id, word, state, last, waiting, &source.search, version])?;
        }
        None => {
            tx.execute(&ADD, params![id, source.tenant, word, state, last, waiting, &source.search, version])?;
        }
    }
    Ok(())
}

/// Where a conversation stands: what a person set holds until the other side writes again.
fn stands(s: &Source, had: Option<&Desk>, now: Timestamp) -> InboxStatus {
    let wrote_since = |at: Timestamp| s.inbound.is_some_and(|inbound| inbound > at);
    let resolved = had.and_then(|d| d.resolved).is_some_and(|at| !wrote_since(at));
    let snoozed = had.and_then(|d| d.snoozed).is_some_and(|(at, until)| until > now && !wrote_since(at));
    if s.state == ConversationState::Closed || resolved {
        InboxStatus::Resolved
    } else if snoozed {
        InboxStatus::Snoozed
    } else if matches!(s.state, ConversationState::Paused | ConversationState::HandedOver) {
        InboxStatus::Open
    } else {
        InboxStatus::Pending
    }
}

/// Removes what has run out: answers under an `Idempotency-Key` (24 h), sessions, one-time links, failed sign-ins (1 day).
#[derive(Clone, Copy, Debug)]
pub struct Trim;

impl Op for Trim {
    const NAME: &'static str = "follow.trim";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let now = tx.now();
        let day_ago = now.minus(std::time::Duration::from_secs(86_400));
        Ok(tx.execute(&TRIM_KEYS, params![day_ago])?
            + tx.execute(&TRIM_SESSIONS, params![now])?
            + tx.execute(&TRIM_LINKS, params![now])?
            + tx.execute(&TRIM_FAILURES, params![day_ago])?)
    }
}
