//! The audit record (S6.7): who did what, on what, from, to, when.

use types::{AuditId, TenantId};

use super::{Access, After, AuditRow, By, Rows};
use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    ADD = "audit.add":
        "INSERT INTO audit (id, tenant_id, actor_kind, actor, action, object_kind, object_id, before, after, reason, ip, request_id, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    LIST = "audit.list":
        "SELECT id, tenant_id, actor_kind, actor, action, object_kind, object_id, before, after, reason, ip, request_id, at
         FROM audit WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    LIST_INSTALLATION = "audit.list_installation":
        "SELECT id, tenant_id, actor_kind, actor, action, object_kind, object_id, before, after, reason, ip, request_id, at
         FROM audit WHERE tenant_id IS NULL AND id < $1 ORDER BY id DESC LIMIT $2";
}

/// One line to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Act<'a> {
    /// Whose; `None`: the installation's.
    pub tenant: Option<TenantId>,
    /// `conversation.takeover`, …
    pub action: &'a str,
    /// `conversation`, …
    pub kind: &'a str,
    /// Its id.
    pub id: i64,
    /// How it was.
    pub from: Option<&'a str>,
    /// How it is.
    pub to: Option<&'a str>,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Adds a line.
pub(crate) fn note(tx: &mut dyn Tx, by: &By, act: &Act<'_>) -> Result<()> {
    let (id, now) = (AuditId(tx.next_id()), tx.now());
    let object = act.id.to_string();
    let p = params![
        id,
        act.tenant,
        by.kind,
        &by.name,
        act.action,
        act.kind,
        &object,
        act.from,
        act.to,
        act.reason,
        by.ip.as_deref(),
        by.request_id.as_str(),
        now,
    ];
    tx.execute(&ADD, p)?;
    Ok(())
}

/// Adds a line about something that is no row of its own: a sign-in, an export.
#[derive(Clone, Debug)]
pub struct Record {
    /// Who.
    pub by: By,
    /// Whose; `None`: the installation's.
    pub tenant: Option<TenantId>,
    /// What.
    pub action: &'static str,
    /// On what kind of thing.
    pub kind: &'static str,
    /// On which.
    pub id: i64,
    /// Why, or what of it.
    pub reason: Option<String>,
}

impl Op for Record {
    const NAME: &'static str = "audit.record";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let (tenant, action, kind, id) = (self.tenant, self.action, self.kind, self.id);
        note(tx, &self.by, &Act { tenant, action, kind, id, reason: self.reason.as_deref(), ..Act::default() })
    }
}

/// Lists the record, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose; `None`: what concerns the installation, for those who may see every tenant.
    pub tenant: Option<TenantId>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for List {
    const NAME: &'static str = "audit.list";
    type Out = Rows<AuditRow>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let row = |r: &dyn crate::sql::Row| {
            let id: AuditId = r.get(0)?;
            let row = AuditRow {
                id,
                tenant_id: r.get(1)?,
                actor_kind: r.get(2)?,
                actor: r.get(3)?,
                action: r.get(4)?,
                object_kind: r.get(5)?,
                object_id: r.get(6)?,
                from: r.get(7)?,
                to: r.get(8)?,
                reason: r.get(9)?,
                ip: r.get(10)?,
                request_id: r.get(11)?,
                at: r.get(12)?,
            };
            Ok((After { key: id.0, id: id.0 }, row))
        };
        match self.tenant {
            Some(tenant) => {
                self.access.check(Some(tenant), "tenant", tenant)?;
                tx.all(&LIST, params![tenant, self.after.id, self.limit], row)
            }
            None if self.access == Access::All => tx.all(&LIST_INSTALLATION, params![self.after.id, self.limit], row),
            None => Ok(Vec::new()),
        }
    }
}
