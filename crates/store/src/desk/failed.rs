//! Failed sends (S4.3): listed, grouped by the provider's code, and sent again. A retry that cannot succeed says why before it tries.

use types::states::MessageStatus;
use types::{ChannelId, MessageId, TenantId, Timestamp};

use super::audit::{self, Act};
use super::{Access, After, By, Count, FailedGroup, FailedSend, Obstacle, Rows, counted, inbox};
use crate::error::{Result, StoreError};
use crate::outbox::Retry;
use crate::sql::{Op, Row, Tx};

sql! {
    LIST = "failed.list":
        "SELECT m.id, m.conversation_id, m.channel_id, ch.kind, c.name, c.phone, m.sender, m.body, m.status, m.error_code, m.error,
                (SELECT a.fault FROM attempts a WHERE a.message_id = m.id ORDER BY a.id DESC LIMIT 1), o.attempts, m.created_at,
                o.last_attempt_at, m.possible_duplicate, v.last_inbound_at, c.opted_out_at, m.tenant_id
         FROM message m JOIN outbox o ON o.message_id = m.id JOIN channels ch ON ch.id = m.channel_id
              JOIN conversation v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id
         WHERE m.tenant_id = $1 AND m.direction = 'out' AND m.status IN ('failed', 'held') AND m.dismissed_at IS NULL AND m.id < $2 AND (CAST($4 AS {int}) = 0 OR m.channel_id = $4)
         ORDER BY m.id DESC LIMIT $3";
    LIST_CODE = "failed.list_code":
        "SELECT m.id, m.conversation_id, m.channel_id, ch.kind, c.name, c.phone, m.sender, m.body, m.status, m.error_code, m.error,
                (SELECT a.fault FROM attempts a WHERE a.message_id = m.id ORDER BY a.id DESC LIMIT 1), o.attempts, m.created_at,
                o.last_attempt_at, m.possible_duplicate, v.last_inbound_at, c.opted_out_at, m.tenant_id
         FROM message m JOIN outbox o ON o.message_id = m.id JOIN channels ch ON ch.id = m.channel_id
              JOIN conversation v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id
         WHERE m.tenant_id = $1 AND m.direction = 'out' AND m.status IN ('failed', 'held') AND m.dismissed_at IS NULL AND m.error_code = $2 AND m.id < $3
           AND (CAST($5 AS {int}) = 0 OR m.channel_id = $5) ORDER BY m.id DESC LIMIT $4";
    LIST_NO_CODE = "failed.list_no_code":
        "SELECT m.id, m.conversation_id, m.channel_id, ch.kind, c.name, c.phone, m.sender, m.body, m.status, m.error_code, m.error,
                (SELECT a.fault FROM attempts a WHERE a.message_id = m.id ORDER BY a.id DESC LIMIT 1), o.attempts, m.created_at,
                o.last_attempt_at, m.possible_duplicate, v.last_inbound_at, c.opted_out_at, m.tenant_id
         FROM message m JOIN outbox o ON o.message_id = m.id JOIN channels ch ON ch.id = m.channel_id
              JOIN conversation v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id
         WHERE m.tenant_id = $1 AND m.direction = 'out' AND m.status IN ('failed', 'held') AND m.dismissed_at IS NULL AND m.error_code IS NULL AND m.id < $2
           AND (CAST($4 AS {int}) = 0 OR m.channel_id = $4) ORDER BY m.id DESC LIMIT $3";
    ONE = "failed.one":
        "SELECT m.id, m.conversation_id, m.channel_id, ch.kind, c.name, c.phone, m.sender, m.body, m.status, m.error_code, m.error,
                (SELECT a.fault FROM attempts a WHERE a.message_id = m.id ORDER BY a.id DESC LIMIT 1), o.attempts, m.created_at,
                o.last_attempt_at, m.possible_duplicate, v.last_inbound_at, c.opted_out_at, m.tenant_id
         FROM message m JOIN outbox o ON o.message_id = m.id JOIN channels ch ON ch.id = m.channel_id
              JOIN conversation v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id
         WHERE m.id = $1";
    GROUPS = "failed.groups":
        "SELECT x.error_code, COUNT(*), MAX(x.id) FROM
         (SELECT id, error_code FROM message WHERE tenant_id = $1 AND direction = 'out' AND status IN ('failed', 'held') AND dismissed_at IS NULL
          ORDER BY id DESC LIMIT 10000) AS x
         GROUP BY x.error_code ORDER BY COUNT(*) DESC, MAX(x.id) DESC LIMIT 100";
    NEWEST = "failed.newest": "SELECT error, created_at FROM message WHERE id = $1";
    DISMISS = "failed.dismiss":
        "UPDATE message SET dismissed_at = $2 WHERE id = $1 AND direction = 'out' AND status IN ('failed', 'held') AND dismissed_at IS NULL";
    COUNT = "failed.count":
        "SELECT COUNT(*) FROM (SELECT 1 FROM message WHERE tenant_id = $1 AND direction = 'out' AND status IN ('failed', 'held') AND dismissed_at IS NULL
         LIMIT 10001) AS x";
}

fn row(r: &dyn Row, now: Timestamp) -> Result<(FailedSend, TenantId)> {
    let kind: String = r.get(3)?;
    let status: MessageStatus = r.get(8)?;
    let inbound: Option<Timestamp> = r.get(16)?;
    let open = kind != "meta" || inbound.is_some_and(|at| at.plus(inbox::WINDOW) > now);
    let obstacle = if r.get::<Option<Timestamp>>(17)?.is_some() {
        Some(Obstacle::OptedOut)
    } else if !open {
        Some(Obstacle::WindowClosed)
    } else if status == MessageStatus::Held {
        Some(Obstacle::MayHaveArrived)
    } else {
        None
    };
    let body: String = r.get(7)?;
    let row = FailedSend {
        id: r.get(0)?,
        conversation_id: r.get(1)?,
        channel_id: r.get(2)?,
        channel_kind: kind,
        contact_name: r.get(4)?,
        phone: r.get(5)?,
        sender: r.get(6)?,
        preview: types::text::preview(&body, 160).to_owned(),
        status,
        error_code: r.get(9)?,
        error: r.get(10)?,
        fault: r.get(11)?,
        attempts: r.get(12)?,
        created_at: r.get(13)?,
        last_attempt_at: r.get(14)?,
        possible_duplicate: r.get(15)?,
        obstacle,
    };
    Ok((row, r.get(18)?))
}

/// Lists failed and held sends, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Only of this code; 0: those without one.
    pub code: Option<i64>,
    /// Only over this number.
    pub channel: Option<ChannelId>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.failed";
    type Out = Rows<FailedSend>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (t, last, limit, now) = (self.tenant, self.after.id, self.limit, tx.now());
        let channel = self.channel.map_or(0, |c| c.0);
        let placed = |r: &dyn Row| row(r, now).map(|(m, _)| (After { key: m.id.0, id: m.id.0 }, m));
        match self.code {
            None => tx.all(&LIST, params![t, last, limit, channel], placed),
            Some(0) => tx.all(&LIST_NO_CODE, params![t, last, limit, channel], placed),
            Some(code) => tx.all(&LIST_CODE, params![t, code, last, limit, channel], placed),
        }
    }
}

/// A failed send of a message; `None`: no such message, or it was never to be sent.
pub(super) fn one(tx: &mut dyn Tx, id: MessageId) -> Result<Option<(FailedSend, TenantId)>> {
    let now = tx.now();
    tx.first(&ONE, params![id], |r| row(r, now))
}

/// One failed send.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: MessageId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.failed_one";
    type Out = FailedSend;

    fn run(&self, tx: &mut dyn Tx) -> Result<FailedSend> {
        let found = one(tx, self.id)?.filter(|(m, _)| is_failed(m));
        self.access.check(found.as_ref().map(|f| f.1), "failed send", self.id)?;
        found.map(|f| f.0).ok_or_else(|| StoreError::NotFound { what: "failed send", id: self.id.to_string() })
    }
}

const fn is_failed(row: &FailedSend) -> bool {
    matches!(row.status, MessageStatus::Failed | MessageStatus::Held)
}

/// The newest 10 000 by their codes, and how many there are.
#[derive(Clone, Copy, Debug)]
pub struct Groups(pub TenantId);

impl Op for Groups {
    const NAME: &'static str = "desk.failed_groups";
    type Out = (Vec<FailedGroup>, Count);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let found = tx.all(&GROUPS, params![self.0], |r| {
            Ok((r.get::<Option<i64>>(0)?, r.get::<i64>(1)?, r.get::<MessageId>(2)?))
        })?;
        let mut groups = Vec::with_capacity(found.len());
        for (error_code, count, newest_id) in found {
            let newest = tx.first(&NEWEST, params![newest_id], |r| Ok((r.get(0)?, r.get(1)?)))?;
            if let Some((error, newest_at)) = newest {
                groups.push(FailedGroup { error_code, error, count, newest_id, newest_at });
            }
        }
        Ok((groups, counted(tx, &COUNT, params![self.0])?))
    }
}

/// Sends one message again. Where it cannot succeed it is refused; one that may have arrived goes only `anyway`.
#[derive(Clone, Debug)]
pub struct RetryOne {
    /// Which.
    pub id: MessageId,
    /// Although it may have arrived.
    pub anyway: bool,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for RetryOne {
    const NAME: &'static str = "desk.retry_one";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let found = one(tx, self.id)?;
        let tenant = self.access.check(found.as_ref().map(|f| f.1), "failed send", self.id)?;
        match found.and_then(|(row, _)| row.obstacle) {
            Some(Obstacle::WindowClosed) => return Err(StoreError::WindowClosed),
            Some(Obstacle::OptedOut) => {
                return Err(StoreError::Refused(
                    "this person opted out; nothing may be sent until they write START".into(),
                ));
            }
            Some(Obstacle::MayHaveArrived) if !self.anyway => {
                let why = "this message may have arrived: look at the conversation, then retry it with `anyway`";
                return Err(StoreError::Refused(why.into()));
            }
            _ => {}
        }
        Retry(self.id).run(tx)?;
        let (action, kind, id) = ("message.retry", "message", self.id.0);
        audit::note(tx, &self.by, &Act { tenant: Some(tenant), action, kind, id, ..Act::default() })
    }
}

/// Puts a failed send away (R5): nobody means to send it any more. It stays failed in its conversation, and a retry there brings it back.
#[derive(Clone, Debug)]
pub struct DismissOne {
    /// Which.
    pub id: MessageId,
    /// Why, for the record.
    pub reason: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for DismissOne {
    const NAME: &'static str = "desk.dismiss_one";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let found = one(tx, self.id)?;
        let tenant = self.access.check(found.as_ref().map(|f| f.1), "failed send", self.id)?;
        let now = tx.now();
        if tx.execute(&DISMISS, params![self.id, now])? == 0 {
            return Err(StoreError::Refused("this message is not among the failed sends any more".into()));
        }
        let (action, kind, id, reason) = ("message.dismiss", "message", self.id.0, self.reason.as_deref());
        audit::note(tx, &self.by, &Act { tenant: Some(tenant), action, kind, id, reason, ..Act::default() })
    }
}
