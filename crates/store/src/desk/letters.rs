//! Dead letters (S2.5) as people see them.

use types::states::DeadLetterStatus;
use types::{DeadLetterId, TenantId};

use super::audit::{self, Act};
use super::{Access, After, By, Letter, LetterCounts, LetterGroup, Rows, counted};
use crate::dead_letters::Decide;
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    LIST = "letters.list":
        "SELECT d.id, d.job_id, d.conversation_id, d.message_id, d.provider_message_id, d.fault, d.error, d.attempts, d.redrives, d.status, d.next_retry_at,
                d.first_at, d.last_at, d.tenant_id, SUBSTR(m.body, 1, 160), c.name, c.phone
         FROM dead_letters d LEFT JOIN message m ON m.id = d.message_id LEFT JOIN conversation v ON v.id = d.conversation_id
              LEFT JOIN contacts c ON c.id = v.contact_id
         WHERE d.tenant_id = $1 AND d.status = $2 AND d.id < $3 AND ($5 = '' OR d.error = $5) ORDER BY d.id DESC LIMIT $4";
    LIST_ANY = "letters.list_any":
        "SELECT d.id, d.job_id, d.conversation_id, d.message_id, d.provider_message_id, d.fault, d.error, d.attempts, d.redrives, d.status, d.next_retry_at,
                d.first_at, d.last_at, d.tenant_id, SUBSTR(m.body, 1, 160), c.name, c.phone
         FROM dead_letters d LEFT JOIN message m ON m.id = d.message_id LEFT JOIN conversation v ON v.id = d.conversation_id
              LEFT JOIN contacts c ON c.id = v.contact_id
         WHERE d.tenant_id = $1 AND d.id < $2 AND ($4 = '' OR d.error = $4) ORDER BY d.id DESC LIMIT $3";
    ONE = "letters.one":
        "SELECT d.id, d.job_id, d.conversation_id, d.message_id, d.provider_message_id, d.fault, d.error, d.attempts, d.redrives, d.status, d.next_retry_at,
                d.first_at, d.last_at, d.tenant_id, SUBSTR(m.body, 1, 160), c.name, c.phone, d.payload
         FROM dead_letters d LEFT JOIN message m ON m.id = d.message_id LEFT JOIN conversation v ON v.id = d.conversation_id
              LEFT JOIN contacts c ON c.id = v.contact_id WHERE d.id = $1";
    GROUPS = "letters.groups":
        "SELECT x.error, x.fault, COUNT(*), MAX(x.last_at) FROM
         (SELECT id, error, fault, last_at FROM dead_letters WHERE tenant_id = $1 AND status = 'pending' ORDER BY id DESC LIMIT 10000) AS x
         GROUP BY x.error, x.fault ORDER BY COUNT(*) DESC, MAX(x.id) DESC LIMIT 50";
    COUNT = "letters.count":
        "SELECT COUNT(*) FROM (SELECT 1 FROM dead_letters WHERE tenant_id = $1 AND status = $2 LIMIT 10001) AS x";
}

fn row(r: &dyn Row) -> Result<(Letter, TenantId)> {
    let letter = Letter {
        id: r.get(0)?,
        job_id: r.get(1)?,
        conversation_id: r.get(2)?,
        message_id: r.get(3)?,
        provider_message_id: r.get(4)?,
        fault: r.get(5)?,
        error: r.get(6)?,
        attempts: r.get(7)?,
        redrives: r.get(8)?,
        status: r.get(9)?,
        next_retry_at: r.get(10)?,
        first_at: r.get(11)?,
        last_at: r.get(12)?,
        preview: r.get::<Option<String>>(14)?.unwrap_or_default(),
        contact_name: r.get(15)?,
        phone: r.get(16)?,
        payload: None,
    };
    Ok((letter, r.get(13)?))
}

/// Lists dead letters, newest first, without their payloads.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Only of this status.
    pub status: Option<DeadLetterStatus>,
    /// Only of this cause.
    pub error: Option<String>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.letters";
    type Out = Rows<Letter>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (t, last, limit) = (self.tenant, self.after.id, self.limit);
        let error = self.error.as_deref().unwrap_or_default();
        let placed = |r: &dyn Row| row(r).map(|(l, _)| (After { key: l.id.0, id: l.id.0 }, l));
        match self.status {
            Some(status) => tx.all(&LIST, params![t, status.as_str(), last, limit, error], placed),
            None => tx.all(&LIST_ANY, params![t, last, limit, error], placed),
        }
    }
}

/// One dead letter with its payload.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: DeadLetterId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.letter";
    type Out = Letter;

    fn run(&self, tx: &mut dyn Tx) -> Result<Letter> {
        let found = tx.first(&ONE, params![self.id], |r| {
            let (letter, tenant) = row(r)?;
            Ok((Letter { payload: r.get(17)?, ..letter }, tenant))
        })?;
        self.access.check(found.as_ref().map(|f| f.1), "dead letter", self.id)?;
        found.map(|f| f.0).ok_or_else(|| StoreError::NotFound { what: "dead letter", id: self.id.to_string() })
    }
}

/// Those that wait, by their causes, of the newest 10 000.
#[derive(Clone, Copy, Debug)]
pub struct Groups(pub TenantId);

impl Op for Groups {
    const NAME: &'static str = "desk.letter_groups";
    type Out = Vec<LetterGroup>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<LetterGroup>> {
        tx.all(&GROUPS, params![self.0], |r| {
            Ok(LetterGroup { error: r.get(0)?, fault: r.get(1)?, count: r.get(2)?, newest_at: r.get(3)? })
        })
    }
}

/// The counts over the tabs.
#[derive(Clone, Copy, Debug)]
pub struct Counts(pub TenantId);

impl Op for Counts {
    const NAME: &'static str = "desk.letter_counts";
    type Out = LetterCounts;

    fn run(&self, tx: &mut dyn Tx) -> Result<LetterCounts> {
        let t = self.0;
        let mut of = |s: DeadLetterStatus| counted(tx, &COUNT, params![t, s.as_str()]);
        Ok(LetterCounts {
            pending: of(DeadLetterStatus::Pending)?,
            retrying: of(DeadLetterStatus::Retrying)?,
            resolved: of(DeadLetterStatus::Resolved)?,
            discarded: of(DeadLetterStatus::Discarded)?,
        })
    }
}

/// Works one again, or gives it up.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Which.
    pub id: DeadLetterId,
    /// Again, or not any more.
    pub retry: bool,
    /// Why, for the record.
    pub reason: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Settle {
    const NAME: &'static str = "desk.settle_letter";
    type Out = Letter;

    fn run(&self, tx: &mut dyn Tx) -> Result<Letter> {
        let get = Get { id: self.id, access: self.access.clone() };
        let before = get.run(tx)?;
        Decide { letter: self.id, retry: self.retry, actor: self.by.actor() }.run(tx)?;
        let after = get.run(tx)?;
        let tenant = tx.first(&ONE, params![self.id], |r| r.get(13))?;
        let act = Act {
            tenant,
            action: if self.retry { "dead_letter.retry" } else { "dead_letter.discard" },
            kind: "dead_letter",
            id: self.id.0,
            from: Some(before.status.as_str()),
            to: Some(after.status.as_str()),
            reason: self.reason.as_deref(),
        };
        audit::note(tx, &self.by, &act)?;
        Ok(after)
    }
}
