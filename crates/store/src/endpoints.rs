//! Outgoing webhooks: what happened is planned for each endpoint, and told by whoever takes a delivery (docs/decisions/0090-outgoing-webhooks.md).
//! The tables themselves are the log of events: their ids grow with time, and each endpoint has its own place among them. So nothing is
//! written for a message where no endpoint exists, and an endpoint that cannot be reached only falls behind.

use std::time::Duration;

use types::ids::first_id_of;
use types::{DeliveryId, EndpointId, Moment, TenantId, Timestamp};

use crate::error::Result;
use crate::notifications;
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Row, Tx};

sql! {
    ACTIVE = "endpoints.active":
        "SELECT e.id, e.tenant_id, e.events, e.seen_id, e.seen_at,
                (SELECT MIN(d.due_at) FROM delivery d WHERE d.endpoint_id = e.id AND d.due_at IS NOT NULL)
         FROM endpoint e WHERE e.disabled_at IS NULL AND e.deleted_at IS NULL ORDER BY e.id LIMIT 1000";
    WAITING = "endpoints.waiting":
        "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE endpoint_id = $1 AND due_at IS NOT NULL LIMIT 1001) AS x";
    NEWEST = "endpoints.newest":
        "SELECT COALESCE(MAX(x.id), 0) FROM (SELECT MAX(id) AS id FROM message UNION ALL SELECT MAX(id) FROM attempts UNION ALL SELECT MAX(id) FROM transitions
         UNION ALL SELECT MAX(id) FROM conversation UNION ALL SELECT MAX(id) FROM lead UNION ALL SELECT MAX(id) FROM task UNION ALL SELECT MAX(id) FROM dead_letters
         UNION ALL SELECT MAX(id) FROM notification UNION ALL SELECT MAX(id) FROM audit) AS x";
    NEWEST_RECEIPT = "endpoints.newest_receipt": "SELECT COALESCE(MAX(received_at), 0) FROM receipts";
    EVENTS = "endpoints.events":
        "SELECT x.source, x.place, x.word, x.subject, x.conversation, x.one, x.two, x.at FROM (
         SELECT * FROM (SELECT 'messages' AS source, m.id AS place, 'message.created' AS word, CAST(m.id AS TEXT) AS subject, m.conversation_id AS conversation,
                m.direction AS one, m.status AS two, m.created_at AS at
                FROM message m WHERE m.tenant_id = $1 AND m.id > $2 AND m.id <= $3 ORDER BY m.id LIMIT $4) AS a
         UNION ALL SELECT * FROM (SELECT 'attempts', a.id AS place, CASE WHEN m.status = 'failed' THEN 'send.failed' ELSE 'message.status' END, CAST(m.id AS TEXT),
                m.conversation_id, m.status, CAST(m.error_code AS TEXT), a.at
                FROM attempts a JOIN message m ON m.id = a.message_id WHERE a.tenant_id = $1 AND a.id > $2 AND a.id <= $3 ORDER BY a.id LIMIT $4) AS b
         UNION ALL SELECT * FROM (SELECT 'transitions', t.id AS place, 'conversation.updated', CAST(t.conversation_id AS TEXT), t.conversation_id, t.from_state, t.to_state, t.at
                FROM transitions t WHERE t.tenant_id = $1 AND t.id > $2 AND t.id <= $3 ORDER BY t.id LIMIT $4) AS c
         UNION ALL SELECT * FROM (SELECT 'conversations', v.id AS place, 'conversation.created', CAST(v.id AS TEXT), v.id AS conversation, CAST(v.lead_id AS TEXT),
                CAST(v.channel_id AS TEXT), v.created_at
                FROM conversation v WHERE v.tenant_id = $1 AND v.id > $2 AND v.id <= $3 ORDER BY v.id LIMIT $4) AS d
         UNION ALL SELECT * FROM (SELECT 'leads', l.id AS place, 'lead.created', CAST(l.id AS TEXT), CAST(NULL AS {int}), l.status, CAST(NULL AS TEXT), l.created_at
                FROM lead l WHERE l.tenant_id = $1 AND l.id > $2 AND l.id <= $3 ORDER BY l.id LIMIT $4) AS e
         UNION ALL SELECT * FROM (SELECT 'tasks', k.id AS place, 'task.created', CAST(k.id AS TEXT), k.conversation_id, k.task_type, k.priority, k.created_at
                FROM task k WHERE k.tenant_id = $1 AND k.id > $2 AND k.id <= $3 ORDER BY k.id LIMIT $4) AS f
         UNION ALL SELECT * FROM (SELECT 'letters', g.id AS place, 'dead_letter.created', CAST(g.id AS TEXT), g.conversation_id, g.fault, CAST(g.message_id AS TEXT), g.last_at
                FROM dead_letters g WHERE g.tenant_id = $1 AND g.id > $2 AND g.id <= $3 ORDER BY g.id LIMIT $4) AS g
         UNION ALL SELECT * FROM (SELECT 'notices', n.id AS place, 'notification.created', CAST(n.id AS TEXT), CAST(NULL AS {int}), n.kind, CAST(NULL AS TEXT), n.created_at
                FROM notification n WHERE n.tenant_id = $1 AND n.id > $2 AND n.id <= $3 ORDER BY n.id LIMIT $4) AS h
         UNION ALL SELECT * FROM (SELECT 'record', u.id AS place, CASE WHEN u.object_kind = 'lead' THEN 'lead.updated' ELSE 'task.updated' END, u.object_id,
                CAST(NULL AS {int}), u.action, CAST(NULL AS TEXT), u.at
                FROM audit u WHERE u.tenant_id = $1 AND u.id > $2 AND u.id <= $3 AND u.object_kind IN ('lead', 'task') AND u.action <> 'task.create'
                ORDER BY u.id LIMIT $4) AS i
         ) AS x ORDER BY x.place";
    RECEIPTS = "endpoints.receipts":
        "SELECT 'receipts', r.received_at, CASE WHEN r.status = 'failed' THEN 'send.failed' ELSE 'message.status' END, CAST(m.id AS TEXT), m.conversation_id,
                r.status, CAST(r.error_code AS TEXT), r.received_at
         FROM receipts r JOIN message m ON m.id = r.message_id WHERE r.received_at > $2 AND r.received_at <= $3 AND m.tenant_id = $1
         ORDER BY r.received_at LIMIT $4";
    MOVE = "endpoints.move":
        "UPDATE endpoint SET seen_id = $4, seen_at = $5 WHERE id = $1 AND seen_id = $2 AND seen_at = $3 AND disabled_at IS NULL AND deleted_at IS NULL";
    QUEUE = "endpoints.queue":
        "INSERT INTO delivery (id, tenant_id, endpoint_id, event, body, due_at, attempts, tries, created_at) VALUES ($1, $2, $3, $4, $5, $6, 0, '[]', $6)";
    WHERE_TO = "endpoints.where_to":
        "SELECT url, generation, rotated_at FROM endpoint WHERE id = $1 AND disabled_at IS NULL AND deleted_at IS NULL";
    DUE = "endpoints.due":
        "SELECT id, event, body, attempts FROM delivery WHERE endpoint_id = $1 AND due_at IS NOT NULL AND due_at <= $2 ORDER BY due_at, id LIMIT 1";
    TAKE = "endpoints.take": "UPDATE delivery SET due_at = $3, attempts = attempts + 1 WHERE id = $1 AND due_at IS NOT NULL AND due_at <= $2";
    TRIED = "endpoints.tried": "SELECT tenant_id, endpoint_id, attempts, tries FROM delivery WHERE id = $1";
    TOLD = "endpoints.told": "UPDATE delivery SET due_at = $2, delivered_at = COALESCE($3, delivered_at), tries = $4 WHERE id = $1";
    DISABLE = "endpoints.disable":
        "UPDATE endpoint SET disabled_at = $2, disabled_why = $3, updated_at = $2 WHERE id = $1 AND disabled_at IS NULL";
    TRIM = "endpoints.trim":
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE id < $1 AND due_at IS NULL ORDER BY id LIMIT 500)";
    GONE = "endpoints.gone": "SELECT id FROM endpoint WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 1";
    TRIM_GONE = "endpoints.trim_gone":
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE endpoint_id = $1 ORDER BY id LIMIT 500)";
    NOT_BEFORE = "endpoints.not_before":
        "UPDATE endpoint SET seen_id = CASE WHEN seen_id < $2 THEN $2 ELSE seen_id END, seen_at = CASE WHEN seen_at < $3 THEN $3 ELSE seen_at END WHERE id = $1";
    FORGET = "endpoints.forget": "DELETE FROM endpoint WHERE id = $1";
}

/// Rows of each table in one look.
const LOOK: u32 = 500;
/// Receipts in one look: more than one body of a provider can bring, so that a look never ends within a moment of which it saw nothing else.
const LOOK_RECEIPTS: u32 = 5000;
/// Deliveries that wait for one endpoint; what comes later stays in the log until there is room.
const WAITING_MOST: i64 = 1000;
/// Whoever took a delivery and died: another tries after this.
const LEASE: Duration = Duration::from_secs(60);
/// Pauses between the tries: at once, then over three days (the schedule of Standard Webhooks).
pub const AGAIN: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// The longest that an endpoint may ask us to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);
/// The secret before the last stays good for so long.
pub const OVERLAP: Duration = Duration::from_secs(86_400);
/// What was settled is kept for so long.
const KEEP: Duration = Duration::from_secs(14 * 86_400);
/// Tries that are kept with a delivery.
const TRIES: usize = 40;

/// Where an endpoint stands among the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Among ids.
    pub id: i64,
    /// Among the moments of receipts.
    pub at: Timestamp,
}

/// An endpoint that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    /// Which.
    pub id: EndpointId,
    /// Whose.
    pub tenant: TenantId,
    /// Of what: words with a space between them.
    pub events: String,
    /// How far its events are planned.
    pub place: Place,
    /// When the next delivery is due.
    pub due: Option<Timestamp>,
}

/// The endpoints that are to be told; none: there is nothing to do, and nothing is read.
#[derive(Clone, Copy, Debug)]
pub struct Actives;

impl Op for Actives {
    const NAME: &'static str = "endpoints.actives";
    type Out = Vec<Active>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Active>> {
        tx.all(&ACTIVE, &[], |r| {
            let place = Place { id: r.get(3)?, at: r.get(4)? };
            Ok(Active { id: r.get(0)?, tenant: r.get(1)?, events: r.get(2)?, place, due: r.get(5)? })
        })
    }
}

/// Something that happened, ready to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `message.created`, …
    pub word: String,
    /// The JSON that is told: ids and states, no text of a person.
    pub body: String,
}

/// What is new for an endpoint, and how far that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// In the order of its happening.
    pub events: Vec<Event>,
    /// Where the endpoint stands after it.
    pub to: Place,
    /// The look ended at its bound: there is more.
    pub more: bool,
}

/// Reads what is new for an endpoint. `None`: nothing moved, or too much waits already.
#[derive(Clone, Debug)]
pub struct Look {
    /// For whom.
    pub endpoint: Active,
    /// Other nodes' transactions may still commit rows that are as old as this; nothing is read that is younger.
    pub behind: Duration,
}

struct Line {
    source: String,
    place: i64,
    event: Event,
}

fn line(tenant: TenantId, r: &dyn Row) -> Result<Line> {
    let (word, subject): (String, String) = (r.get(2)?, r.get(3)?);
    let conversation: Option<i64> = r.get(4)?;
    let names: [&str; 2] = match word.as_str() {
        "message.created" => ["direction", "status"],
        "message.status" | "send.failed" => ["status", "error_code"],
        "conversation.updated" => ["from", "to"],
        "conversation.created" => ["lead_id", "channel_id"],
        "lead.created" => ["status", ""],
        "task.created" => ["task_type", "priority"],
        "dead_letter.created" => ["fault", "message_id"],
        "notification.created" => ["kind", ""],
        _ => ["action", ""],
    };
    let mut data = serde_json::Map::new();
    data.insert("id".into(), subject.into());
    data.insert("tenant_id".into(), tenant.to_string().into());
    if let Some(conversation) = conversation {
        data.insert("conversation_id".into(), conversation.to_string().into());
    }
    for (n, name) in names.into_iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        data.insert(name.to_owned(), r.get::<Option<String>>(5 + n)?.into());
    }
    let event = Event { body: body(&word, r.get(7)?, &data.into()), word };
    Ok(Line { source: r.get(0)?, place: r.get(1)?, event })
}

/// The body of a delivery, thin: who wants more asks the API.
pub(crate) fn body(word: &str, at: Timestamp, data: &serde_json::Value) -> String {
    serde_json::json!({ "type": word, "timestamp": Moment(at), "data": data }).to_string()
}

impl Op for Look {
    const NAME: &'static str = "endpoints.look";
    type Out = Option<Found>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let Active { id, tenant, place, ref events, .. } = self.endpoint;
        let safe = if self.behind.is_zero() { None } else { Some(tx.now().minus(self.behind)) };
        let newest = tx.number(&NEWEST, &[])?.min(safe.map_or(i64::MAX, |at| first_id_of(at) - 1));
        let receipt = tx.number(&NEWEST_RECEIPT, &[])?.min(safe.map_or(i64::MAX, Timestamp::micros));
        if newest <= place.id && receipt <= place.at.micros() {
            return Ok(None);
        }
        if tx.number(&WAITING, params![id])? > WAITING_MOST {
            return Ok(None);
        }
        let read = |r: &dyn Row| line(tenant, r);
        let mut lines = tx.all(&EVENTS, params![tenant, place.id, newest, LOOK], read)?;
        let end = end_of(&lines, LOOK);
        let to_id = end.unwrap_or(newest).max(place.id);
        lines.retain(|line| line.place <= to_id);
        let mut receipts = tx.all(&RECEIPTS, params![tenant, place.at, receipt, LOOK_RECEIPTS], read)?;
        // A place among receipts is a moment: a look that ended at its bound gives up its last one, which may go on after it.
        let mut to_at = receipt.max(place.at.micros());
        let last = end_of(&receipts, LOOK_RECEIPTS);
        if let Some(last) = last {
            let whole = receipts.iter().rev().map(|line| line.place).find(|at| *at < last).unwrap_or(last);
            receipts.retain(|line| line.place <= whole);
            to_at = whole;
        }
        let wanted = |line: &Line| events.split(' ').any(|word| word == line.event.word);
        let events = lines.into_iter().chain(receipts).filter(wanted).map(|line| line.event).collect();
        let more = end.is_some() || last.is_some();
        Ok(Some(Found { events, to: Place { id: to_id, at: Timestamp::from_micros(to_at) }, more }))
    }
}

/// Where a look must end because one of its sources was longer than it.
fn end_of(lines: &[Line], limit: u32) -> Option<i64> {
    let mut sources: Vec<(&str, usize, i64)> = Vec::new();
    for line in lines {
        match sources.iter_mut().find(|(name, ..)| *name == line.source) {
            Some((_, count, last)) => (*count, *last) = (*count + 1, line.place),
            None => sources.push((&line.source, 1, line.place)),
        }
    }
    sources.into_iter().filter(|(_, count, _)| *count >= limit as usize).map(|(.., last)| last).min()
}

fn one(endpoint: EndpointId) -> Reach {
    let mut touches = Touches::default();
    touches.name("endpoint", &endpoint.to_string());
    Reach::Only(touches)
}

/// Plans what was found, and moves the endpoint's place, both or neither. How many; none where another node was first.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For whom.
    pub endpoint: EndpointId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it stood.
    pub from: Place,
    /// What was found.
    pub found: Found,
}

impl Op for Plan {
    const NAME: &'static str = "endpoints.plan";
    type Out = usize;

    fn reach(&self) -> Reach {
        one(self.endpoint)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<usize> {
        let Found { events, to, .. } = &self.found;
        if tx.execute(&MOVE, params![self.endpoint, self.from.id, self.from.at, to.id, to.at])? == 0 {
            return Ok(0);
        }
        for event in events {
            queue(tx, self.tenant, self.endpoint, event)?;
        }
        Ok(events.len())
    }
}

/// An endpoint goes on from `at`, unless it is past that already.
pub(crate) fn not_before(tx: &mut dyn Tx, endpoint: EndpointId, at: Timestamp) -> Result<()> {
    tx.execute(&NOT_BEFORE, params![endpoint, first_id_of(at), at])?;
    Ok(())
}

/// Queues one event for one endpoint.
pub(crate) fn queue(tx: &mut dyn Tx, tenant: TenantId, endpoint: EndpointId, event: &Event) -> Result<DeliveryId> {
    let (id, now) = (DeliveryId(tx.next_id()), tx.now());
    tx.execute(&QUEUE, params![id, tenant, endpoint, &event.word, &event.body, now])?;
    Ok(id)
}

/// A delivery to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub id: DeliveryId,
    /// The event's word.
    pub event: String,
    /// What is told.
    pub body: String,
    /// Where to.
    pub url: String,
    /// The generations of the secrets that are good now, the newest first.
    pub generations: Vec<u32>,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// Takes the next delivery of an endpoint that is due; nobody else takes it for a while.
#[derive(Clone, Copy, Debug)]
pub struct Take(pub EndpointId);

impl Op for Take {
    const NAME: &'static str = "endpoints.take";
    type Out = Option<Taken>;

    fn reach(&self) -> Reach {
        one(self.0)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let now = tx.now();
        let where_to = tx.first(&WHERE_TO, params![self.0], |r| {
            Ok((r.get::<String>(0)?, r.get::<u32>(1)?, r.get::<Option<Timestamp>>(2)?))
        })?;
        let Some((url, generation, rotated)) = where_to else { return Ok(None) };
        let due = tx.first(&DUE, params![self.0, now], |r| {
            Ok((r.get::<DeliveryId>(0)?, r.get(1)?, r.get(2)?, r.get::<u32>(3)? + 1))
        })?;
        let Some((id, event, body, attempts)) = due else { return Ok(None) };
        if tx.execute(&TAKE, params![id, now, now.plus(LEASE)])? == 0 {
            return Ok(None);
        }
        let overlaps = generation > 1 && rotated.is_some_and(|at| now.since(at) < OVERLAP);
        let generations = if overlaps { vec![generation, generation - 1] } else { vec![generation] };
        Ok(Some(Taken { id, event, body, url, generations, attempts }))
    }
}

/// What one try came to, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Try {
    /// When.
    pub at: Moment,
    /// The endpoint's HTTP status; null when no answer came.
    pub status: Option<u16>,
    /// How long it took, ms.
    pub ms: i64,
    /// Why it does not count as heard; null: it does.
    pub error: Option<String>,
}

/// What a try came to, for what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was heard.
    Heard,
    /// It was not; again later, and not before this.
    Unheard(Option<Duration>),
    /// The endpoint wants nothing any more (410).
    Gone,
}

/// Records a try; what was not heard is tried again, each time later, and given up after the last.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which.
    pub delivery: DeliveryId,
    /// To whom.
    pub endpoint: EndpointId,
    /// How it went.
    pub tried: Try,
    /// What follows.
    pub verdict: Verdict,
}

impl Op for Told {
    const NAME: &'static str = "endpoints.told";
    type Out = ();

    fn reach(&self) -> Reach {
        one(self.endpoint)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        let found = tx.first(&TRIED, params![self.delivery], |r| {
            Ok((r.get::<TenantId>(0)?, r.get::<u32>(2)?, r.get::<String>(3)?))
        })?;
        let Some((tenant, attempts, tries)) = found else { return Ok(()) };
        let mut tries: Vec<Try> = serde_json::from_str(&tries).unwrap_or_default();
        tries.push(self.tried.clone());
        tries.drain(..tries.len().saturating_sub(TRIES));
        let tries = serde_json::to_string(&tries).unwrap_or_default();
        let planned = AGAIN.get(attempts.saturating_sub(1) as usize).map(|s| Duration::from_secs(*s));
        let (due, heard) = match self.verdict {
            Verdict::Heard => (None, Some(now)),
            Verdict::Unheard(after) => {
                let after = after.unwrap_or_default().min(LONGEST_WAIT);
                (planned.map(|pause| now.plus(pause.max(after))), None)
            }
            Verdict::Gone => (None, None),
        };
        tx.execute(&TOLD, params![self.delivery, due, heard, &tries])?;
        let why = self.tried.error.as_deref().unwrap_or_default();
        match self.verdict {
            Verdict::Gone if tx.execute(&DISABLE, params![self.endpoint, now, "gone"])? > 0 => {
                let key = format!("endpoint:{}:gone:{}", self.endpoint, now.micros());
                notifications::add(tx, tenant, "webhook_disabled", "A webhook endpoint was switched off", why, &key)
            }
            Verdict::Unheard(_) if due.is_none() => {
                // Once a day is enough to be told of one endpoint.
                let key = format!("endpoint:{}:unheard:{}", self.endpoint, now.seconds() / 86_400);
                notifications::add(tx, tenant, "webhook_failed", "A webhook endpoint did not hear an event", why, &key)
            }
            _ => Ok(()),
        }
    }
}

/// Removes deliveries that were settled long ago, and what a removed endpoint left; whether there is more.
#[derive(Clone, Copy, Debug)]
pub struct Trim;

impl Op for Trim {
    const NAME: &'static str = "endpoints.trim";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        let before = first_id_of(tx.now().minus(KEEP));
        let mut removed = tx.execute(&TRIM, params![before])?;
        if let Some(gone) = tx.first(&GONE, &[], |r| r.get::<EndpointId>(0))? {
            let left = tx.execute(&TRIM_GONE, params![gone])?;
            if left == 0 {
                tx.execute(&FORGET, params![gone])?;
            }
            removed += left.max(1);
        }
        Ok(removed > 0)
    }
}
