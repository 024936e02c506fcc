//! Breakers on record (S4.10): what nodes found and what people decided, so that all of them know. Never on a message's way: the worker's one
//! task writes what moved and reads what others wrote.

use types::breaker::{BreakerRecord, NOT_ATTEMPTED, channel_of};
use types::states::BreakerState;
use types::{ChannelId, TenantId, Timestamp};

use crate::channels;
use crate::error::Result;
use crate::sql::{Op, Row, Tx};

sql! {
    ALL = "breaker.all":
        "SELECT name, state, held, since, until, reason, trips, version FROM breaker ORDER BY name LIMIT 10000";
    OF_NAME = "breaker.of_name":
        "SELECT name, state, held, since, until, reason, trips, version FROM breaker WHERE name = $1";
    ADD = "breaker.add":
        "INSERT INTO breaker (name, tenant_id, state, held, since, until, reason, trips, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)
         ON CONFLICT (name) DO NOTHING";
    SET = "breaker.set":
        "UPDATE breaker SET state = $2, held = $3, since = $4, until = $5, reason = $6, trips = $7, version = version + 1 WHERE name = $1";
    WAKE = "breaker.wake_sends":
        "UPDATE outbox SET due_at = $2 WHERE channel_id = $1 AND due_at > $2
         AND message_id IN (SELECT id FROM message WHERE channel_id = $1 AND status = 'pending' AND error LIKE $3)";
    OWNER = "breaker.owner": "SELECT tenant_id FROM channels WHERE id = $1";
}

pub(crate) fn record(r: &dyn Row) -> Result<BreakerRecord> {
    Ok(BreakerRecord {
        name: r.get(0)?,
        state: r.get(1)?,
        held: r.get(2)?,
        since: r.get(3)?,
        until: r.get(4)?,
        reason: r.get(5)?,
        trips: r.get(6)?,
        version: r.get(7)?,
    })
}

/// The record of that name.
pub(crate) fn find(tx: &mut dyn Tx, name: &str) -> Result<Option<BreakerRecord>> {
    tx.first(&OF_NAME, params![name], record)
}

/// Whose the dependency is; `None`: the installation's.
pub(crate) fn owner(tx: &mut dyn Tx, name: &str) -> Result<Option<TenantId>> {
    let Some(channel) = channel_of(name) else { return Ok(None) };
    tx.first(&OWNER, params![channel], |r| r.get(0))
}

/// Puts a breaker on record as it is now. A channel whose breaker closed may send what waited.
pub(crate) fn put(tx: &mut dyn Tx, b: &BreakerRecord) -> Result<()> {
    let (state, until, reason) = (b.state.as_str(), b.until, b.reason.as_deref());
    let p = params![&b.name, state, b.held, b.since, until, reason, b.trips];
    if tx.execute(&SET, p)? == 0 {
        let tenant = owner(tx, &b.name)?;
        tx.execute(&ADD, params![&b.name, tenant, state, b.held, b.since, until, reason, b.trips])?;
    } else if b.state == BreakerState::Closed {
        wake(tx, channel_of(&b.name))?;
    }
    Ok(())
}

fn wake(tx: &mut dyn Tx, channel: Option<ChannelId>) -> Result<()> {
    let Some(channel) = channel else { return Ok(()) };
    let (now, waits) = (tx.now(), format!("{NOT_ATTEMPTED}%"));
    tx.execute(&WAKE, params![channel, now, &waits])?;
    channels::wake(tx, channel, now)
}

/// Puts on record what this node's breakers came to. A person's hold stands: what a node saw meanwhile does not end it.
/// It gives the versions under which they are there.
#[derive(Clone, Debug)]
pub struct Moved(pub Vec<BreakerRecord>);

impl Op for Moved {
    const NAME: &'static str = "breaker.moved";
    type Out = Vec<(String, i64)>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let mut kept = Vec::with_capacity(self.0.len());
        for moved in &self.0 {
            match find(tx, &moved.name)? {
                Some(known) if known.held => {}
                // New to this node and fresh: what is on record says more, and is learnt next.
                Some(_) if moved.version == 0 && moved.state == BreakerState::Closed => {}
                known => {
                    put(tx, moved)?;
                    kept.push((moved.name.clone(), known.map_or(0, |k| k.version) + 1));
                }
            }
        }
        Ok(kept)
    }
}

/// Makes due what waited behind breakers that this node has just learnt to be closed: what it sent away between the record's change and now.
#[derive(Clone, Debug)]
pub struct Wake(pub Vec<String>);

impl Op for Wake {
    const NAME: &'static str = "breaker.wake";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        self.0.iter().try_for_each(|name| wake(tx, channel_of(name)))
    }
}

/// Every breaker on record.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Op for All {
    const NAME: &'static str = "breaker.all";
    type Out = Vec<BreakerRecord>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<BreakerRecord>> {
        tx.all(&ALL, &[], record)
    }
}

/// What a person does to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing goes out until a reset.
    Hold,
    /// Closed, whatever it was.
    Reset,
    /// The next call tries, without waiting for the pause to end.
    Probe,
}

/// A breaker as that turn makes it.
#[must_use]
pub fn turned(was: &BreakerRecord, turn: Turn, reason: &str, now: Timestamp) -> BreakerRecord {
    let mut to = BreakerRecord { since: now, reason: Some(reason.to_owned()), ..was.clone() };
    match turn {
        Turn::Hold => (to.state, to.held, to.until) = (BreakerState::Open, true, None),
        Turn::Reset => {
            (to.state, to.held, to.until, to.trips, to.reason) = (BreakerState::Closed, false, None, 0, None)
        }
        Turn::Probe => (to.state, to.held, to.until) = (BreakerState::Open, false, Some(now)),
    }
    to
}
