//! Notifications: read, snoozed, and what they are about.

use types::{ConversationId, MessageId, NotificationId, TenantId, Timestamp};

use super::audit::{self, Act};
use super::{Access, After, By, Count, Notification, Rows, counted};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    UNREAD = "notices.unread":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id FROM notification
         WHERE tenant_id = $1 AND read_at IS NULL AND (snoozed_until IS NULL OR snoozed_until <= $2) AND id < $3 ORDER BY id DESC LIMIT $4";
    SNOOZED = "notices.snoozed":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id FROM notification
         WHERE tenant_id = $1 AND read_at IS NULL AND snoozed_until > $2 AND id < $3 ORDER BY id DESC LIMIT $4";
    ALL = "notices.all":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id FROM notification
         WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    ONE = "notices.one":
        "SELECT id, kind, title, body, dedupe_key, created_at, read_at, snoozed_until, tenant_id FROM notification WHERE id = $1";
    OF_MESSAGE = "notices.of_message": "SELECT conversation_id FROM message WHERE id = $1";
    SET = "notices.set": "UPDATE notification SET read_at = $2, snoozed_until = $3 WHERE id = $1";
    READ_ALL = "notices.read_all":
        "UPDATE notification SET read_at = $2 WHERE id IN (SELECT id FROM notification WHERE tenant_id = $1 AND read_at IS NULL
         AND (snoozed_until IS NULL OR snoozed_until <= $2) AND id <= $3 ORDER BY id LIMIT 10000)";
    DELETE = "notices.delete": "DELETE FROM notification WHERE id = $1";
    DELETE_READ = "notices.delete_read":
        "DELETE FROM notification WHERE id IN (SELECT id FROM notification WHERE tenant_id = $1 AND read_at IS NOT NULL ORDER BY id LIMIT 10000)";
    COUNT = "notices.count":
        "SELECT COUNT(*) FROM (SELECT 1 FROM notification WHERE tenant_id = $1 AND read_at IS NULL
         AND (snoozed_until IS NULL OR snoozed_until <= $2) LIMIT 10001) AS x";
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
        snoozed_until: r.get(7)?,
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
    /// All.
    All,
}

/// Lists notifications, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub which: Which,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.notifications";
    type Out = Rows<Notification>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (t, last, limit, now) = (self.tenant, self.after.id, self.limit, tx.now());
        let found = match self.which {
            Which::Unread => tx.all(&UNREAD, params![t, now, last, limit], row)?,
            Which::Snoozed => tx.all(&SNOOZED, params![t, now, last, limit], row)?,
            Which::All => tx.all(&ALL, params![t, last, limit], row)?,
        };
        let mut rows = Vec::with_capacity(found.len());
        for one in found {
            let id = one.0.id.0;
            rows.push((After { key: id, id }, about(tx, one)?));
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
        let (read, snoozed, action) = match self.deed {
            Deed::Read => (Some(found.0.read_at.map_or(now, |at| at.0)), None, "notification.read"),
            Deed::Unread => (None, None, "notification.unread"),
            Deed::Snooze(until) if until <= now => {
                return Err(StoreError::Refused("the time to come back is past".into()));
            }
            Deed::Snooze(until) => (None, Some(until), "notification.snooze"),
            Deed::Delete => (found.0.read_at.map(|at| at.0), None, "notification.delete"),
        };
        if self.deed == Deed::Delete {
            tx.execute(&DELETE, params![self.id])?;
        } else {
            tx.execute(&SET, params![self.id, read, snoozed])?;
        }
        let act = Act { tenant: Some(tenant), action, kind: "notification", id: self.id.0, ..Act::default() };
        audit::note(tx, &self.by, &act)?;
        let mut notice = about(tx, found)?;
        (notice.read_at, notice.snoozed_until) = (read.map(Into::into), snoozed.map(Into::into));
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
