//! The inbox: conversations by tab, status and order, each list by an index (R7), each row as it is now.

use std::time::Duration;

use types::states::{ConversationState, MessageStatus};
use types::{ConversationId, LeadId, MessageId, Moment, TenantId, Timestamp, UserId};

use super::{
    Access, After, Conversation, Count, InboxCounts, InboxStatus, LastMessage, Person, Priority, Rows, counted,
};
use crate::error::Result;
use crate::sql::{Op, Row, Tx};

sql! {
    LAST = "desk.inbox_last":
        "SELECT conversation_id, last_id FROM desk WHERE tenant_id = $1 AND status = $2 AND ($3 = -1 OR assignee_id = $3)
         AND last_id < $4 ORDER BY last_id DESC LIMIT $5";
    LAST_ANY = "desk.inbox_last_any":
        "SELECT conversation_id, last_id FROM desk WHERE tenant_id = $1 AND ($2 = -1 OR assignee_id = $2)
         AND last_id < $3 ORDER BY last_id DESC LIMIT $4";
    LAST_OF = "desk.inbox_last_of":
        "SELECT conversation_id, last_id FROM desk WHERE tenant_id = $1 AND assignee_id = $2 AND status = $3
         AND last_id < $4 ORDER BY last_id DESC LIMIT $5";
    CREATED = "desk.inbox_created":
        "SELECT conversation_id, conversation_id FROM desk WHERE tenant_id = $1 AND ($2 = '' OR status = $2)
         AND ($3 = -1 OR assignee_id = $3) AND conversation_id < $4 ORDER BY conversation_id DESC LIMIT $5";
    WAITING = "desk.inbox_waiting":
        "SELECT conversation_id, waiting_since FROM desk WHERE tenant_id = $1 AND waiting_since IS NOT NULL
         AND ($2 = '' OR status = $2) AND ($3 = -1 OR assignee_id = $3)
         AND (waiting_since > $4 OR (waiting_since = $4 AND conversation_id > $5)) ORDER BY waiting_since, conversation_id LIMIT $6";
    URGENT = "desk.inbox_urgent":
        "SELECT conversation_id, last_id, priority FROM desk WHERE tenant_id = $1 AND status = $2 AND ($3 = -1 OR assignee_id = $3)
         AND (priority < $4 OR (priority = $4 AND last_id < $5)) ORDER BY priority DESC, last_id DESC LIMIT $6";
    OF_LEAD = "desk.of_lead":
        "SELECT d.conversation_id, d.last_id FROM conversation v JOIN desk d ON d.conversation_id = v.id
         WHERE v.lead_id = $1 AND d.tenant_id = $2 AND d.last_id < $3 ORDER BY d.last_id DESC LIMIT $4";
    SEARCH = "desk.search":
        "SELECT conversation_id, last_id FROM desk WHERE tenant_id = $1 AND last_id < $2 AND search LIKE $3
         ORDER BY last_id DESC LIMIT $4";
    SEARCH_TEXT = "desk.search_text":
        "SELECT DISTINCT x.conversation_id, d.last_id FROM
         (SELECT conversation_id, body FROM message WHERE tenant_id = $1 ORDER BY id DESC LIMIT 20000) AS x
         JOIN desk d ON d.conversation_id = x.conversation_id
         WHERE LOWER(x.body) LIKE $2 AND d.last_id < $3 ORDER BY d.last_id DESC LIMIT $4";
    ONE = "desk.conversation":
        "SELECT v.id, v.tenant_id, v.channel_id, ch.kind, ch.external_id, v.contact_id, c.name, c.phone, c.opted_out_at, v.lead_id,
                l.name, l.service, d.status, v.state, v.state_until, d.assignee_id, u.name, d.priority, d.labels, d.snoozed_until,
                d.read_id, d.waiting_since, v.last_message_at, v.last_inbound_at, v.created_at, d.version, d.last_id
         FROM desk d JOIN conversation v ON v.id = d.conversation_id JOIN channels ch ON ch.id = v.channel_id
              JOIN contacts c ON c.id = v.contact_id JOIN lead l ON l.id = v.lead_id LEFT JOIN users u ON u.id = d.assignee_id
         WHERE d.conversation_id = $1";
    NEWEST = "desk.newest_message":
        "SELECT id, direction, sender, kind, body, status, created_at FROM message WHERE conversation_id = $1 ORDER BY id DESC LIMIT 1";
    UNREAD = "desk.unread":
        "SELECT COUNT(*) FROM (SELECT 1 FROM message WHERE conversation_id = $1 AND id > $2 AND direction = 'in' LIMIT 100) AS x";
    FAILED = "desk.failed_of":
        "SELECT COUNT(*) FROM (SELECT 1 FROM message WHERE conversation_id = $1 AND direction = 'out'
         AND status IN ('failed', 'held') LIMIT 100) AS x";
    COUNT_STATUS = "desk.count_status":
        "SELECT COUNT(*) FROM (SELECT 1 FROM desk WHERE tenant_id = $1 AND status = $2 LIMIT 10001) AS x";
    COUNT_OF = "desk.count_of":
        "SELECT COUNT(*) FROM (SELECT 1 FROM desk WHERE tenant_id = $1 AND assignee_id = $2 AND status = $3 LIMIT 10001) AS x";
    COUNT_OF_ANY = "desk.count_of_any":
        "SELECT COUNT(*) FROM (SELECT 1 FROM desk WHERE tenant_id = $1 AND assignee_id = $2 LIMIT 10001) AS x";
    COUNT_ANY = "desk.count_any": "SELECT COUNT(*) FROM (SELECT 1 FROM desk WHERE tenant_id = $1 LIMIT 10001) AS x";
}

/// How long Meta allows free text after the person's last message (S4.7).
pub const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Whose conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Of this person.
    Mine(UserId),
    /// Of nobody.
    Unassigned,
    /// Of anyone.
    All,
}

impl Tab {
    const fn column(self) -> i64 {
        match self {
            Self::Mine(user) => user.0,
            Self::Unassigned => 0,
            Self::All => -1,
        }
    }
}

/// In which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The last message first.
    Last,
    /// The newest conversation first.
    Created,
    /// Who waits longest for a person's answer first; only those who wait.
    Waiting,
    /// The most urgent first, among one status.
    Priority,
}

/// Lists conversations of a tenant.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Which tab.
    pub tab: Tab,
    /// Only of this status.
    pub status: Option<InboxStatus>,
    /// In which order.
    pub order: Order,
    /// Where to go on; `None`: the beginning.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.inbox";
    type Out = Rows<Conversation>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let found = self.ids(tx)?;
        rows(tx, found)
    }
}

fn pair(r: &dyn Row) -> Result<(ConversationId, i64)> {
    Ok((r.get(0)?, r.get(1)?))
}

impl List {
    fn ids(&self, tx: &mut dyn Tx) -> Result<Vec<(ConversationId, i64)>> {
        let (t, who, limit) = (self.tenant, self.tab.column(), self.limit);
        let status = self.status.map_or("", InboxStatus::as_str);
        match self.order {
            Order::Last => {
                let last = self.after.map_or(i64::MAX, |a| a.key);
                match (self.status, self.tab) {
                    (None, _) => tx.all(&LAST_ANY, params![t, who, last, limit], pair),
                    (Some(_), Tab::All) => tx.all(&LAST, params![t, status, who, last, limit], pair),
                    (Some(_), _) => tx.all(&LAST_OF, params![t, who, status, last, limit], pair),
                }
            }
            Order::Created => {
                let last = self.after.map_or(i64::MAX, |a| a.id);
                tx.all(&CREATED, params![t, status, who, last, limit], pair)
            }
            Order::Waiting => {
                let after = self.after.unwrap_or(After::OLDEST);
                tx.all(&WAITING, params![t, status, who, after.key, after.id, limit], pair)
            }
            Order::Priority => {
                // The key holds both: 2 bits of rank over the 61 low bits of the last message's id.
                let (rank, last) = self.after.map_or((4, i64::MAX), |a| (a.key >> RANK, a.key & LOW));
                let status = if status.is_empty() { InboxStatus::Open.as_str() } else { status };
                tx.all(&URGENT, params![t, status, who, rank, last, limit], |r| {
                    let (last, rank): (i64, i64) = (r.get(1)?, r.get(2)?);
                    Ok((r.get(0)?, (rank << RANK) | (last & LOW)))
                })
            }
        }
    }
}

const RANK: u32 = 61;
const LOW: i64 = (1 << RANK) - 1;

fn rows(tx: &mut dyn Tx, found: Vec<(ConversationId, i64)>) -> Result<Rows<Conversation>> {
    let mut rows = Vec::with_capacity(found.len());
    for (id, key) in found {
        if let Some((row, _)) = row(tx, id)? {
            rows.push((After { key, id: id.0 }, row));
        }
    }
    Ok(rows)
}

/// What else is known of a row that acts need.
pub(super) struct Known {
    pub last_id: i64,
    pub version: i64,
}

/// A conversation as it is now; `None`: not there, or not on the desk yet.
pub(super) fn row(tx: &mut dyn Tx, id: ConversationId) -> Result<Option<(Conversation, Known)>> {
    let now = tx.now();
    let found = tx.first(&ONE, params![id], |r| base(r, now))?;
    let Some((mut row, read, last_id, version)) = found else { return Ok(None) };
    row.last_message = tx.first(&NEWEST, params![id], |r| {
        let body: String = r.get(4)?;
        Ok(LastMessage {
            id: r.get::<MessageId>(0)?,
            direction: r.get(1)?,
            sender: r.get(2)?,
            kind: r.get(3)?,
            preview: types::text::preview(&body, 120).to_owned(),
            status: r.get(5)?,
            at: r.get(6)?,
        })
    })?;
    row.unread = tx.number(&UNREAD, params![id, read])?;
    row.failed_sends = tx.number(&FAILED, params![id])?;
    Ok(Some((row, Known { last_id, version })))
}

fn base(r: &dyn Row, now: Timestamp) -> Result<(Conversation, i64, i64, i64)> {
    let kind: String = r.get(3)?;
    let inbound: Option<Timestamp> = r.get(23)?;
    let closes = inbound.filter(|_| kind == "meta").map(|at| at.plus(WINDOW));
    let assignee: i64 = r.get(15)?;
    let labels: String = r.get(18)?;
    let opted_out = r.get::<Option<Timestamp>>(8)?.is_some();
    let state: ConversationState = r.get(13)?;
    let version: i64 = r.get(25)?;
    let row = Conversation {
        id: r.get(0)?,
        tenant_id: r.get(1)?,
        channel_id: r.get(2)?,
        channel_number: r.get(4)?,
        contact_id: r.get(5)?,
        contact_name: r.get(6)?,
        phone: r.get(7)?,
        opted_out: opted_out || state == ConversationState::OptedOut,
        lead_id: r.get(9)?,
        lead_name: r.get(10)?,
        service: r.get(11)?,
        status: r.get(12)?,
        state,
        state_until: r.get(14)?,
        assignee: r
            .get::<Option<String>>(16)?
            .filter(|_| assignee > 0)
            .map(|name| Person { id: UserId(assignee), name }),
        priority: Priority::of_rank(r.get(17)?),
        labels: serde_json::from_str(&labels).unwrap_or_default(),
        snoozed_until: r.get::<Option<Moment>>(19)?.filter(|until| until.0 < super::FOREVER),
        unread: 0,
        waiting_since: r.get(21)?,
        last_message: None,
        last_message_at: r.get(22)?,
        window_open: kind != "meta" || closes.is_some_and(|at| at > now),
        window_closes_at: closes.map(Moment),
        channel_kind: kind,
        failed_sends: 0,
        created_at: r.get(24)?,
        version: version.to_string(),
    };
    Ok((row, r.get(20)?, r.get(26)?, version))
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: ConversationId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.get";
    type Out = Conversation;

    fn run(&self, tx: &mut dyn Tx) -> Result<Conversation> {
        own(tx, &self.access, self.id).map(|(row, _)| row)
    }
}

/// A conversation that the caller may touch.
pub(super) fn own(tx: &mut dyn Tx, access: &Access, id: ConversationId) -> Result<(Conversation, Known)> {
    let found = row(tx, id)?;
    access.check(found.as_ref().map(|(row, _)| row.tenant_id), "conversation", id)?;
    found.ok_or_else(|| crate::StoreError::NotFound { what: "conversation", id: id.to_string() })
}

/// Every conversation with one lead, the last message first.
#[derive(Clone, Copy, Debug)]
pub struct OfLead {
    /// Whose.
    pub tenant: TenantId,
    /// With whom.
    pub lead: LeadId,
    /// Where to go on.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

impl Op for OfLead {
    const NAME: &'static str = "desk.of_lead";
    type Out = Rows<Conversation>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let last = self.after.map_or(i64::MAX, |a| a.key);
        let found = tx.all(&OF_LEAD, params![self.lead, self.tenant, last, self.limit], pair)?;
        rows(tx, found)
    }
}

/// Searches people, numbers and texts: names, numbers and addresses of all, texts of the newest 20 000 messages.
#[derive(Clone, Debug)]
pub struct Search {
    /// Whose.
    pub tenant: TenantId,
    /// For what.
    pub text: String,
    /// Where to go on.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

impl Op for Search {
    const NAME: &'static str = "desk.search";
    type Out = Rows<Conversation>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let text = self.text.to_lowercase().replace(['%', '_'], " ");
        let like = format!("%{}%", text.trim());
        let last = self.after.map_or(i64::MAX, |a| a.key);
        let mut found = tx.all(&SEARCH, params![self.tenant, last, &like, self.limit], pair)?;
        found.extend(tx.all(&SEARCH_TEXT, params![self.tenant, &like, last, self.limit], pair)?);
        // `+971 50 …` is kept as digits.
        if let Some(digits) = types::text::phone_digits(&self.text) {
            let like = format!("%{digits}%");
            found.extend(tx.all(&SEARCH, params![self.tenant, last, &like, self.limit], pair)?);
        }
        found.sort_by_key(|(id, last)| std::cmp::Reverse((*last, *id)));
        found.dedup();
        found.truncate(self.limit as usize);
        rows(tx, found)
    }
}

/// The counts over the tabs.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Whose.
    pub tenant: TenantId,
    /// Who asks.
    pub user: Option<UserId>,
    /// Of which status the tabs' numbers are; `None`: of all, as a list without a status shows.
    pub status: Option<InboxStatus>,
}

impl Op for Counts {
    const NAME: &'static str = "desk.counts";
    type Out = InboxCounts;

    fn run(&self, tx: &mut dyn Tx) -> Result<InboxCounts> {
        let t = self.tenant;
        let mut status = |s: InboxStatus| counted(tx, &COUNT_STATUS, params![t, s.as_str()]);
        let (open, pending, snoozed) =
            (status(InboxStatus::Open)?, status(InboxStatus::Pending)?, status(InboxStatus::Snoozed)?);
        let resolved = status(InboxStatus::Resolved)?;
        let all = match self.status {
            Some(InboxStatus::Open) => open,
            Some(InboxStatus::Pending) => pending,
            Some(InboxStatus::Snoozed) => snoozed,
            Some(InboxStatus::Resolved) => resolved,
            None => counted(tx, &COUNT_ANY, params![t])?,
        };
        let mut of = |who: i64| match self.status {
            Some(status) => counted(tx, &COUNT_OF, params![t, who, status.as_str()]),
            None => counted(tx, &COUNT_OF_ANY, params![t, who]),
        };
        let mine = self.user.map_or(Ok(Count::default()), |user| of(user.0))?;
        let unassigned = of(0)?;
        Ok(InboxCounts { mine, unassigned, all, open, pending, snoozed, resolved })
    }
}

/// Whether free text to this person would be refused, and why (S4.7, R4: a retry says so before it tries).
#[must_use]
pub fn obstacle(row: &Conversation, status: Option<MessageStatus>) -> Option<super::Obstacle> {
    if row.opted_out {
        Some(super::Obstacle::OptedOut)
    } else if !row.window_open {
        Some(super::Obstacle::WindowClosed)
    } else if status == Some(MessageStatus::Held) {
        Some(super::Obstacle::MayHaveArrived)
    } else {
        None
    }
}
