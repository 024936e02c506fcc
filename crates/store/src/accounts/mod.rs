//! Who may do what (S6.1, S6.2): people and their sessions, programs and their tokens, one-time links, failed sign-ins, and answers kept
//! under an `Idempotency-Key`. Secrets come here as digests: who reads these tables cannot sign in.
//!
//! - `users.rs`: people; `sessions.rs`: their sign-ins; `tokens.rs`: programs; `links.rs`: links that open once
//! - `failures.rs`: how often a sign-in failed; `keys.rs`: `Idempotency-Key`

pub mod failures;
pub mod keys;
pub mod links;
pub mod sessions;
pub mod tokens;
pub mod users;

use std::sync::Arc;

use types::TenantId;

use crate::desk::{Access, After, Rows};
use crate::error::Result;
use crate::sql::{Row, Sql, Tx};

sql! {
    GRANTS = "grants.of": "SELECT tenant_id FROM grants WHERE holder_id = $1 ORDER BY tenant_id LIMIT 1000";
    GRANT = "grants.add": "INSERT INTO grants (holder_id, tenant_id) VALUES ($1, $2) ON CONFLICT (holder_id, tenant_id) DO NOTHING";
    UNGRANT = "grants.clear": "DELETE FROM grants WHERE holder_id = $1";
    IS_TENANT = "grants.is_tenant": "SELECT 1 FROM tenants WHERE id = $1";
}

/// Which users or tokens to list, the newest first: those of whom the caller may know.
#[derive(Clone, Debug)]
pub struct Which {
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
    /// What the caller may see.
    pub access: Access,
    /// The caller's id, under which their tenants are.
    pub caller: i64,
}

/// Who has tenants: a user or a token.
trait Holder {
    fn id(&self) -> i64;
    fn give(&mut self, tenants: Vec<TenantId>);
}

/// Lists holders with their tenants, by the statement for who may see all or the one for who may not.
fn list<T: Holder>(
    tx: &mut dyn Tx,
    which: &Which,
    (all, own): (&'static Sql, &'static Sql),
    row: fn(&dyn Row) -> Result<T>,
) -> Result<Rows<T>> {
    let mut found = match which.access {
        Access::All => tx.all(all, params![which.after.id, which.limit], row)?,
        Access::Only(_) => tx.all(own, params![which.after.id, which.limit, which.caller], row)?,
    };
    for one in &mut found {
        one.give(grants(tx, one.id())?);
    }
    Ok(found.into_iter().map(|one| (After { key: one.id(), id: one.id() }, one)).collect())
}

/// Whether the caller may know of a holder of these: each tenant of theirs is one of the caller's. The lists say the same in SQL.
fn may_know(caller: &Access, all: bool, tenants: &[TenantId]) -> bool {
    match caller {
        Access::All => true,
        Access::Only(_) => !all && tenants.iter().all(|t| caller.allows(*t)),
    }
}

/// Nobody gives every tenant who has not.
fn may_give_all(all: bool, giver: &Access) -> Result<()> {
    if all && *giver != Access::All {
        return Err(crate::StoreError::Refused(
            "you do not have every tenant yourself: name those that you give".into(),
        ));
    }
    Ok(())
}

/// The tenants of a user or token.
fn grants(tx: &mut dyn Tx, holder: i64) -> Result<Vec<TenantId>> {
    tx.all(&GRANTS, params![holder], |r| r.get(0))
}

/// What a holder may see.
fn access(tx: &mut dyn Tx, holder: i64, all: bool) -> Result<Access> {
    if all { Ok(Access::All) } else { Ok(Access::Only(Arc::from(grants(tx, holder)?))) }
}

/// Sets the tenants of a user or token; each must exist and be one that the giver has.
fn set_grants(tx: &mut dyn Tx, holder: i64, tenants: &[TenantId], giver: &Access) -> Result<()> {
    tx.execute(&UNGRANT, params![holder])?;
    for tenant in tenants {
        let known = tx.first(&IS_TENANT, params![*tenant], |_| Ok(()))?.is_some();
        if !known || !giver.allows(*tenant) {
            return Err(crate::StoreError::NotFound { what: "tenant", id: tenant.to_string() });
        }
        tx.execute(&GRANT, params![holder, *tenant])?;
    }
    Ok(())
}
