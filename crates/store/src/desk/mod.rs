//! What people do at their desks (S6.1): the inbox and its threads, failed sends, dead letters, jobs, leads, tasks, notifications, charts.
//! Every operation names whose rows it may touch ([`Access`]); a row of another tenant is not there (S7.1). Every act leaves its line in the
//! audit record, in the same transaction (S6.7).
//!
//! - `rows/`: the rows as people see them
//! - `follow.rs`: keeps the inbox, and tells what is new, from what the other tables say
//! - `inbox.rs`, `acts.rs`, `thread.rs`: conversations; `failed.rs`, `letters.rs`, `queue.rs`: what went wrong and what waits
//! - `sagas.rs`: what was done beside the replies, and what is stuck
//! - `agents.rs`: agents, their switches and experiments
//! - `leads.rs`, `tasks.rs`, `notices.rs`, `charts.rs`, `batches.rs`, `audit.rs`, `alerts.rs`, `breakers.rs`, `endpoints.rs`

pub mod acts;
pub mod agents;
pub mod alerts;
pub mod audit;
pub mod batches;
pub mod breakers;
pub mod charts;
pub mod endpoints;
pub mod failed;
pub mod follow;
pub mod inbox;
pub mod leads;
pub mod letters;
pub mod merge;
pub mod notices;
pub mod queue;
pub mod rows;
pub mod sagas;
pub mod tasks;
pub mod tenants;
pub mod thread;

use std::sync::Arc;

use types::{TenantId, Timestamp};

use crate::error::{Result, StoreError};
use crate::sql::{Param, Sql, Tx};

pub use rows::*;

/// Whose rows the caller may touch (S7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every tenant's.
    All,
    /// Those of these tenants.
    Only(Arc<[TenantId]>),
}

impl Access {
    /// Whether that is one of them.
    #[must_use]
    pub fn allows(&self, tenant: TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Only(tenants) => tenants.contains(&tenant),
        }
    }

    /// The tenant of a row, if the caller may know of it; a row that is not there and one of others are the same.
    fn check(&self, tenant: Option<TenantId>, what: &'static str, id: impl ToString) -> Result<TenantId> {
        let found = tenant.filter(|t| self.allows(*t));
        found.ok_or_else(|| StoreError::NotFound { what, id: id.to_string() })
    }
}

/// Who acts, for the audit record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// `user`, `token`, `command` or `system`.
    pub kind: &'static str,
    /// The user's or token's id; 0 for others.
    pub id: i64,
    /// Their name.
    pub name: String,
    /// From which address.
    pub ip: Option<String>,
    /// In which request.
    pub request_id: String,
}

impl By {
    /// The command line of this machine.
    #[must_use]
    pub fn command() -> Self {
        Self { kind: "command", id: 0, name: "command line".into(), ip: None, request_id: String::new() }
    }

    /// Barid itself.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self { kind: "system", id: 0, name: name.to_owned(), ip: None, request_id: String::new() }
    }

    /// As `transitions` and other records name it.
    #[must_use]
    pub fn actor(&self) -> String {
        if self.id == 0 { self.name.clone() } else { format!("{}:{}", self.kind, self.id) }
    }
}

/// Snoozed until this, something comes back when the person writes, and not before: the last second of the year 9999.
pub(crate) const FOREVER: Timestamp = Timestamp::from_seconds(253_402_300_799);

/// Where a list goes on: after the row with this sort key and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// The value it is sorted by.
    pub key: i64,
    /// The row's id.
    pub id: i64,
}

impl After {
    /// Before everything, where the newest comes first.
    pub const NEWEST: Self = Self { key: i64::MAX, id: i64::MAX };
    /// Before everything, where the oldest comes first.
    pub const OLDEST: Self = Self { key: i64::MIN, id: 0 };
}

/// A page of a list: its rows, and where each stands.
pub type Rows<T> = Vec<(After, T)>;

/// Runs a count that stops one above the bound.
fn counted(tx: &mut dyn Tx, sql: &'static Sql, params: &[Param<'_>]) -> Result<Count> {
    Ok(Count::of(tx.number(sql, params)?))
}
