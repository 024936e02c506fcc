//! Breakers as people see and move them (S4.10): those of their own numbers, and, of who may see every tenant, the installation's.

use types::breaker::{BreakerRecord, channel_of};
use types::states::BreakerState;
use types::{Moment, TenantId};
use utoipa::ToSchema;

use super::audit::{self, Act};
use super::{Access, By};
use crate::breakers::{Turn, find, owner, put, record, turned};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Tx};

sql! {
    LIST = "desk.breakers":
        "SELECT name, state, held, since, until, reason, trips, version FROM breaker WHERE tenant_id = $1 OR tenant_id IS NULL
         ORDER BY name LIMIT 1000";
    CHANNELS = "desk.breaker_channels":
        "SELECT id, state_since FROM channels WHERE tenant_id = $1 ORDER BY id LIMIT 1000";
}

/// A breaker (S4.10).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub struct Breaker {
    /// Of which dependency: `channel_17`, `llm_ollama`, `action_create_order`, `smtp`.
    pub name: String,
    /// Whether calls go through.
    pub state: BreakerState,
    /// A person holds it open, until a person resets it.
    pub held: bool,
    /// Since when it is in this state.
    pub since: Moment,
    /// When the next call tries, while it is open.
    pub next_try: Option<Moment>,
    /// Why.
    pub reason: Option<String>,
    /// How often in a row it opened without a success between.
    pub trips: u32,
}

impl From<BreakerRecord> for Breaker {
    fn from(b: BreakerRecord) -> Self {
        let next_try = b.until.filter(|_| b.state == BreakerState::Open).map(Moment);
        let (held, reason, trips) = (b.held, b.reason, b.trips);
        Self { name: b.name, state: b.state, held, since: Moment(b.since), next_try, reason, trips }
    }
}

/// The breakers of a tenant's numbers and of the installation; a number that was never sent through is closed.
#[derive(Clone, Debug)]
pub struct List(pub TenantId);

impl Op for List {
    const NAME: &'static str = "desk.breakers";
    type Out = Vec<Breaker>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Breaker>> {
        let mut known = tx.all(&LIST, params![self.0], |r| record(r).map(Breaker::from))?;
        for (channel, since) in tx.all(&CHANNELS, params![self.0], |r| Ok((r.get(0)?, r.get(1)?)))? {
            let name = types::breaker::of_channel(channel);
            if !known.iter().any(|b| b.name == name) {
                known.push(Breaker::from(fresh(&name, since)));
            }
        }
        known.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(known)
    }
}

/// Those of every tenant, for who may see every tenant.
#[derive(Clone, Copy, Debug)]
pub struct Everybodys;

impl Op for Everybodys {
    const NAME: &'static str = "desk.everybodys_breakers";
    type Out = Vec<Breaker>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Breaker>> {
        Ok(crate::breakers::All.run(tx)?.into_iter().map(Breaker::from).collect())
    }
}

fn fresh(name: &str, since: types::Timestamp) -> BreakerRecord {
    let (state, held, until, reason) = (BreakerState::Closed, false, None, None);
    BreakerRecord { name: name.to_owned(), state, held, since, until, reason, trips: 0, version: 0 }
}

/// A person moves a breaker.
#[derive(Clone, Debug)]
pub struct Move {
    /// Which.
    pub name: String,
    /// How.
    pub turn: Turn,
    /// Why, for the record.
    pub reason: String,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Move {
    const NAME: &'static str = "desk.move_breaker";
    type Out = Breaker;

    fn run(&self, tx: &mut dyn Tx) -> Result<Breaker> {
        let now = tx.now();
        let missing = || StoreError::NotFound { what: "breaker", id: self.name.clone() };
        let channel = channel_of(&self.name);
        let tenant = owner(tx, &self.name)?;
        let known = find(tx, &self.name)?;
        let was = match (known, tenant) {
            (Some(known), _) => known,
            // A number that was never sent through has no record yet.
            (None, Some(_)) => fresh(&self.name, now),
            (None, None) => return Err(missing()),
        };
        if !tenant.map_or(self.access == Access::All, |t| self.access.allows(t)) {
            return Err(missing());
        }
        if self.turn == Turn::Probe && was.state == BreakerState::Closed {
            return Err(StoreError::Refused("this breaker is closed: calls go through already".into()));
        }
        let to = turned(&was, self.turn, &self.reason, now);
        put(tx, &to)?;
        let action = match self.turn {
            Turn::Hold => "breaker.hold",
            Turn::Reset => "breaker.reset",
            Turn::Probe => "breaker.probe",
        };
        let from = format!("{} {}", was.name, was.state);
        let act = Act {
            tenant,
            action,
            kind: "breaker",
            id: channel.map_or(0, |c| c.0),
            from: Some(&from),
            to: Some(to.state.as_str()),
            reason: Some(&self.reason),
        };
        audit::note(tx, &self.by, &act)?;
        Ok(to.into())
    }
}
