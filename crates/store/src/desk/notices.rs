//! Notifications: read, snoozed, and what they are about.

use types::{ConversationId, MessageId, Moment, NotificationId, TenantId, Timestamp};

use super::audit::{self, Act};
use super::{Access, After, By, Count, Notification, Rows, counted};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Param, Row, Tx};

sql! {
    OPEN_NEWEST = "notices.open_newest":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id, wakes, 0 FROM notification WHERE tenant_id = $1 AND read_at IS NULL AND (snoozed_until IS NOT NULL AND snoozed_until > $2 AND NOT EXISTS
              (SELECT 1 FROM conversation v WHERE v.id = wakes AND v.last_inbound_at > snoozed_at)) = (CAST($3 AS {int}) = 1) AND ($4 = '' OR kind = $4)
           AND id < $5 ORDER BY id DESC LIMIT $6";
    OPEN_OLDEST = "notices.open_oldest":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id, wakes, 0 FROM notification WHERE tenant_id = $1 AND read_at IS NULL AND (snoozed_until IS NOT NULL AND snoozed_until > $2 AND NOT EXISTS
              (SELECT 1 FROM conversation v WHERE v.id = wakes AND v.last_inbound_at > snoozed_at)) = (CAST($3 AS {int}) = 1) AND ($4 = '' OR kind = $4)
           AND id > $5 ORDER BY id LIMIT $6";
    OPEN_URGENT = "notices.open_urgent":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id, wakes, rank FROM (SELECT n.*, CAST(CASE kind WHEN 'needs_person' THEN 3 WHEN 'alert_raised' THEN 3 WHEN 'channel_paused' THEN 3 WHEN 'saga_stuck' THEN 3 WHEN 'send_held' THEN 2
              WHEN 'send_failed' THEN 2 WHEN 'dead_letter' THEN 2 WHEN 'saga_undone' THEN 2 ELSE 1 END AS {int}) AS rank FROM notification n) AS x
         WHERE tenant_id = $1 AND read_at IS NULL AND (snoozed_until IS NOT NULL AND snoozed_until > $2 AND NOT EXISTS
              (SELECT 1 FROM conversation v WHERE v.id = wakes AND v.last_inbound_at > snoozed_at)) = (CAST($3 AS {int}) = 1) AND ($4 = '' OR kind = $4)
           AND (rank < $5 OR (rank = $5 AND id < $6)) ORDER BY rank DESC, id DESC LIMIT $7";
    ALL_NEWEST = "notices.all_newest":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id, wakes, 0 FROM notification WHERE tenant_id = $1 AND (CAST($2 AS {int}) = 0 OR read_at IS NOT NULL) AND ($3 = '' OR kind = $3)
           AND id < $4 ORDER BY id DESC LIMIT $5";
    ALL_OLDEST = "notices.all_oldest":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id, wakes, 0 FROM notification WHERE tenant_id = $1 AND (CAST($2 AS {int}) = 0 OR read_at IS NOT NULL) AND ($3 = '' OR kind = $3)
           AND id > $4 ORDER BY id LIMIT $5";
    ALL_URGENT = "notices.all_urgent":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id, wakes, rank FROM (SELECT n.*, CAST(CASE kind WHEN 'needs_person' THEN 3 WHEN 'alert_raised' THEN 3 WHEN 'channel_paused' THEN 3 WHEN 'saga_stuck' THEN 3 WHEN 'send_held' THEN 2
              WHEN 'send_failed' THEN 2 WHEN 'dead_letter' THEN 2 WHEN 'saga_undone' THEN 2 ELSE 1 END AS {int}) AS rank FROM notification n) AS x
         WHERE tenant_id = $1 AND (CAST($2 AS {int}) = 0 OR read_at IS NOT NULL) AND ($3 = '' OR kind = $3)
           AND (rank < $4 OR (rank = $4 AND id < $5)) ORDER BY rank DESC, id DESC LIMIT $6";
    ONE = "notices.one": "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id, wakes, 0 FROM notification WHERE id = $1";
    OF_MESSAGE = "notices.of_message": "SELECT conversation_id FROM message WHERE id = $1";
    SET = "notices.set": "UPDATE notification SET read_at = $2, snoozed_until = $3, wakes = $4, snoozed_at = $5 WHERE id = $1";
    READ_ALL = "notices.read_all":
        "UPDATE notification SET read_at = $2 WHERE id IN (SELECT id FROM notification WHERE tenant_id = $1 AND read_at IS NULL
         AND NOT (snoozed_until IS NOT NULL AND snoozed_until > $2 AND NOT EXISTS
              (SELECT 1 FROM conversation v WHERE v.id = wakes AND v.last_inbound_at > snoozed_at))
         AND id <= $3 ORDER BY id LIMIT 10000)";
    DELETE = "notices.delete": "DELETE FROM notification WHERE id = $1";
    DELETE_READ = "notices.delete_read":
        "DELETE FROM notification WHERE id IN (SELECT id FROM notification WHERE tenant_id = $1 AND read_at IS NOT NULL ORDER BY id LIMIT 10000)";
    COUNT = "notices.count":
        "SELECT COUNT(*) FROM (SELECT 1 FROM notification WHERE tenant_id = $1 AND read_at IS NULL
         AND NOT (snoozed_until IS NOT NULL AND snoozed_until > $2 AND NOT EXISTS
              (SELECT 1 FROM conversation v WHERE v.id = wakes AND v.last_inbound_at > snoozed_at)) LIMIT 10001) AS x";
}

fn row(r: &dyn Row) -> Result<(Notification, Option<MessageId>, TenantId)> {
    // The key names what it is about: `turn:MESSAGE`, `send_failed:MESSAGE:…`, `held:MESSAGE`, `dead_letter:JOB:…` (a job has its
    // message's id).
    let key: String = r.get(4)?;
    let mut parts = key.split(':');
    let about = match (parts.next(), parts.next()) {
        (Some("turn" | "send_failed" | "held" | "dead_letter"), Some(id)) => id.parse().ok(),
        _ => None,
    };
    let notice = Notification {
        id: r.get(0)?,
        kind: r.get(1)?,
        title: r.get(2)?,
        body: r.get(3)?,
        conversation_id: None,
        created_at: r.get(5)?,
        read_at: r.get(6)?,
        snoozed_until: r.get::<Option<Moment>>(7)?.filter(|until| until.0 < super::FOREVER),
        until_reply: r.get::<Option<ConversationId>>(9)?.is_some(),
    };
    Ok((notice, about, r.get(8)?))
}

fn about(tx: &mut dyn Tx, (mut notice, about, _): (Notification, Option<MessageId>, TenantId)) -> Result<Notification> {
    if let Some(message) = about {
        notice.conversation_id = tx.first(&OF_MESSAGE, params![message], |r| r.get::<ConversationId>(0))?;
    }
    Ok(notice)
}

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Neither read nor snoozed.
    Unread,
    /// Snoozed.
    Snoozed,
    /// Read.
    Read,
    /// All.
    All,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// What cannot wait first, then the newest.
    Urgent,
}

/// Lists notifications.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub which: Which,
    /// Only of this kind.
    pub kind: Option<String>,
    /// In which order.
    pub order: Order,
    /// Where to go on; `None`: the beginning.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.notifications";
    type Out = Rows<Notification>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (now, kind, limit) = (tx.now(), self.kind.as_deref().unwrap_or(""), self.limit);
        let mut p: Vec<Param<'_>> = match self.which {
            Which::Unread | Which::Snoozed => params![self.tenant, now, self.which == Which::Snoozed, kind].to_vec(),
            Which::Read | Which::All => params![self.tenant, self.which == Which::Read, kind].to_vec(),
        };
        let open = matches!(self.which, Which::Unread | Which::Snoozed);
        let sql = match self.order {
            Order::Newest => {
                p.push(self.after.map_or(i64::MAX, |a| a.id).into());
                if open { &OPEN_NEWEST } else { &ALL_NEWEST }
            }
            Order::Oldest => {
                p.push(self.after.map_or(0, |a| a.id).into());
                if open { &OPEN_OLDEST } else { &ALL_OLDEST }
            }
            Order::Urgent => {
                let after = self.after.unwrap_or(After::NEWEST);
                p.extend([Param::from(after.key), Param::from(after.id)]);
                if open { &OPEN_URGENT } else { &ALL_URGENT }
            }
        };
        p.push(limit.into());
        let found = tx.all(sql, &p, |r| Ok((row(r)?, r.get::<i64>(10)?)))?;
        let mut rows = Vec::with_capacity(found.len());
        for (one, rank) in found {
            let id = one.0.id.0;
            let key = if self.order == Order::Urgent { rank } else { id };
            rows.push((After { key, id }, about(tx, one)?));
        }
        Ok(rows)
    }
}

/// How many are unread.
#[derive(Clone, Copy, Debug)]
pub struct CountUnread(pub TenantId);

impl Op for CountUnread {
    const NAME: &'static str = "desk.count_notifications";
    type Out = Count;

    fn run(&self, tx: &mut dyn Tx) -> Result<Count> {
        let now = tx.now();
        counted(tx, &COUNT, params![self.0, now])
    }
}

/// What to do with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Seen.
    Read,
    /// Not seen after all.
    Unread,
    /// Out of sight until then.
    Snooze(Timestamp),
    /// Out of sight until they write.
    SnoozeUntilReply,
    /// Gone.
    Delete,
}

/// Reads, unreads, snoozes or deletes one.
#[derive(Clone, Debug)]
pub struct Do {
    /// Which.
    pub id: NotificationId,
    /// What.
    pub deed: Deed,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Do {
    const NAME: &'static str = "desk.do_notification";
    type Out = Notification;

    fn run(&self, tx: &mut dyn Tx) -> Result<Notification> {
        let found = tx.first(&ONE, params![self.id], row)?;
        let tenant = self.access.check(found.as_ref().map(|f| f.2), "notification", self.id)?;
        let Some(found) = found else {
            return Err(StoreError::NotFound { what: "notification", id: self.id.to_string() });
        };
        let now = tx.now();
        let mut notice = about(tx, found)?;
        let had = notice.read_at.map(|at| at.0);
        let (read, snoozed, action) = match self.deed {
            Deed::Read => (Some(had.unwrap_or(now)), None, "notification.read"),
            Deed::Unread => (None, None, "notification.unread"),
            Deed::Snooze(until) if until <= now => {
                return Err(StoreError::Refused("the time to come back is past".into()));
            }
            Deed::Snooze(until) => (None, Some(until), "notification.snooze"),
            Deed::SnoozeUntilReply if notice.conversation_id.is_none() => {
                return Err(StoreError::Refused(
                    "it is about no conversation, so nobody can answer: name a time".into(),
                ));
            }
            Deed::SnoozeUntilReply => (None, Some(super::FOREVER), "notification.snooze"),
            Deed::Delete => (had, None, "notification.delete"),
        };
        let wakes = notice.conversation_id.filter(|_| self.deed == Deed::SnoozeUntilReply);
        if self.deed == Deed::Delete {
            tx.execute(&DELETE, params![self.id])?;
        } else {
            tx.execute(&SET, params![self.id, read, snoozed, wakes, wakes.map(|_| now)])?;
        }
        let act = Act { tenant: Some(tenant), action, kind: "notification", id: self.id.0, ..Act::default() };
        audit::note(tx, &self.by, &act)?;
        notice.read_at = read.map(Into::into);
        notice.snoozed_until = snoozed.filter(|until| *until < super::FOREVER).map(Into::into);
        notice.until_reply = wakes.is_some();
        Ok(notice)
    }
}

/// Marks every unread notification up to one as read, 10 000 at most; how many.
#[derive(Clone, Debug)]
pub struct ReadAll {
    /// Whose.
    pub tenant: TenantId,
    /// Up to which; `None`: all.
    pub upto: Option<NotificationId>,
    /// Who.
    pub by: By,
}

impl Op for ReadAll {
    const NAME: &'static str = "desk.read_notifications";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let (now, upto) = (tx.now(), self.upto.map_or(i64::MAX, |id| id.0));
        let read = tx.execute(&READ_ALL, params![self.tenant, now, upto])?;
        if read > 0 {
            let (tenant, action, kind) = (Some(self.tenant), "notification.read_all", "notification");
            audit::note(tx, &self.by, &Act { tenant, action, kind, id: 0, ..Act::default() })?;
        }
        Ok(read)
    }
}

/// Deletes every notification that was read, 10 000 at most; how many.
#[derive(Clone, Debug)]
pub struct DeleteRead {
    /// Whose.
    pub tenant: TenantId,
    /// Who.
    pub by: By,
}

impl Op for DeleteRead {
    const NAME: &'static str = "desk.delete_read_notifications";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let deleted = tx.execute(&DELETE_READ, params![self.tenant])?;
        if deleted > 0 {
            let (tenant, action, kind) = (Some(self.tenant), "notification.delete_read", "notification");
            audit::note(tx, &self.by, &Act { tenant, action, kind, id: 0, ..Act::default() })?;
        }
        Ok(deleted)
    }
}
