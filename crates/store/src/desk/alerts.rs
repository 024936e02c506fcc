//! Alerts as people see them (S6.6): those of their tenant and of the installation, and how telling them went.

use types::alert::AlertKind;
use types::{AlertId, Moment, TenantId};
use utoipa::ToSchema;

use super::{After, Rows};
use crate::alerts::row;
use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    LIST = "desk.alerts":
        "SELECT id, tenant_id, kind, matter, detail, value, threshold, raised_at, cleared_at FROM alert
         WHERE (tenant_id = $1 OR tenant_id IS NULL) AND id < $2 ORDER BY id DESC LIMIT $3";
    OPEN = "desk.open_alerts":
        "SELECT id, tenant_id, kind, matter, detail, value, threshold, raised_at, cleared_at FROM alert
         WHERE (tenant_id = $1 OR tenant_id IS NULL) AND cleared_at IS NULL ORDER BY id DESC LIMIT 100";
    TOLD = "desk.alert_deliveries":
        "SELECT sink, event, attempts, told_at, due_at, error FROM alert_delivery WHERE alert_id = $1 ORDER BY id LIMIT 20";
}

/// How telling an alert to somebody went.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub struct AlertDelivery {
    /// To whom: `webhook`, `slack`, `email`.
    pub sink: String,
    /// `raised` or `cleared`.
    pub event: String,
    /// Tries.
    pub attempts: u32,
    /// When it was heard.
    pub told_at: Option<Moment>,
    /// When it is tried again; null with `told_at` null: given up.
    pub next_try: Option<Moment>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// An alert (S6.6).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Whose; null: the installation's.
    pub tenant_id: Option<TenantId>,
    /// What is wrong.
    pub kind: AlertKind,
    /// On what.
    pub matter: String,
    /// In words.
    pub detail: String,
    /// What was found when it was raised.
    pub value: i64,
    /// It is wrong above this (below, for the disk).
    pub threshold: i64,
    /// When it was raised.
    pub raised_at: Moment,
    /// When it cleared; null: it is wrong still.
    pub cleared_at: Option<Moment>,
    /// Whom it was told.
    pub deliveries: Vec<AlertDelivery>,
}

fn whole(tx: &mut dyn Tx, rows: Vec<crate::alerts::AlertRow>) -> Result<Vec<Alert>> {
    let mut all = Vec::with_capacity(rows.len());
    for a in rows {
        let deliveries = tx.all(&TOLD, params![a.id], |r| {
            let (sink, event, attempts) = (r.get(0)?, r.get(1)?, r.get(2)?);
            Ok(AlertDelivery { sink, event, attempts, told_at: r.get(3)?, next_try: r.get(4)?, error: r.get(5)? })
        })?;
        all.push(Alert {
            id: a.id,
            tenant_id: a.tenant,
            kind: a.kind,
            matter: a.matter,
            detail: a.detail,
            value: a.value,
            threshold: a.threshold,
            raised_at: a.raised_at.into(),
            cleared_at: a.cleared_at.map(Moment),
            deliveries,
        });
    }
    Ok(all)
}

/// Lists alerts, newest first.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// Whose, and the installation's.
    pub tenant: TenantId,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.alerts";
    type Out = Rows<Alert>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let rows = tx.all(&LIST, params![self.tenant, self.after.id, self.limit], row)?;
        Ok(whole(tx, rows)?.into_iter().map(|a| (After { key: a.id.0, id: a.id.0 }, a)).collect())
    }
}

/// What is wrong now.
#[derive(Clone, Copy, Debug)]
pub struct OpenAlerts(pub TenantId);

impl Op for OpenAlerts {
    const NAME: &'static str = "desk.open_alerts";
    type Out = Vec<Alert>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Alert>> {
        let rows = tx.all(&OPEN, params![self.0], row)?;
        whole(tx, rows)
    }
}
