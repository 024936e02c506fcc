//! The janitor's work (S2.6): forgets old ids, ends pauses that are over, trims by the retention rules. What it does it says.

use types::ids::first_id_of;
use types::states::ConversationState;
use types::{ConversationId, TenantId, Timestamp};

use crate::conversations;
use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    IDS = "sweep.ids":
        "DELETE FROM inbox WHERE (channel_id, provider_message_id) IN
         (SELECT channel_id, provider_message_id FROM inbox WHERE received_at < $1 LIMIT $2)";
    RECEIPTS = "sweep.receipts":
        "DELETE FROM receipts WHERE (channel_id, provider_id, status, participant) IN
         (SELECT channel_id, provider_id, status, participant FROM receipts WHERE received_at < $1 LIMIT $2)";
    EVENTS = "sweep.events": "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)";
    JOBS = "sweep.jobs":
        "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE id < $1 AND state IN ('done', 'failed') ORDER BY id LIMIT $2)";
    JOB_ATTEMPTS = "sweep.job_attempts":
        "DELETE FROM job_attempt WHERE id IN (SELECT id FROM job_attempt WHERE id < $1 ORDER BY id LIMIT $2)";
    SAGA_STEPS = "sweep.saga_steps":
        "DELETE FROM saga_step WHERE saga_id IN
         (SELECT id FROM saga WHERE id < $1 AND state IN ('done', 'compensated') ORDER BY id LIMIT $2)";
    SAGAS = "sweep.sagas":
        "DELETE FROM saga WHERE id IN (SELECT id FROM saga WHERE id < $1 AND state IN ('done', 'compensated') ORDER BY id LIMIT $2)";
    ENDED_PAUSES = "sweep.ended_pauses":
        "SELECT id, tenant_id FROM conversation WHERE state = 'paused' AND state_until IS NOT NULL AND state_until <= $1 LIMIT $2";
    EXPIRED = "sweep.expired_leases":
        "UPDATE conversation SET lease_owner = NULL, lease_until = 0 WHERE next_due IS NOT NULL AND lease_until > 0 AND lease_until <= $1";
    STUCK = "sweep.stuck":
        "UPDATE conversation SET next_due = $1 WHERE next_due IS NULL AND id IN
         (SELECT conversation_id FROM jobs WHERE state IN ('queued', 'running')
          UNION SELECT o.conversation_id FROM outbox o JOIN channels c ON c.id = o.channel_id
          WHERE o.due_at IS NOT NULL AND o.due_at <= $1 AND c.state = 'ready')";
}

/// How far back to keep.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// Ids and receipts received before this are forgotten (S1.6).
    pub ids_before: Timestamp,
    /// Recorded events before this go.
    pub events_before: Timestamp,
    /// Finished jobs before this go.
    pub jobs_before: Timestamp,
    /// At most so many rows of each kind in one transaction: the writer is not held up.
    pub limit: u32,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Ids forgotten.
    pub ids: u64,
    /// Receipts forgotten.
    pub receipts: u64,
    /// Events removed.
    pub events: u64,
    /// Jobs removed.
    pub jobs: u64,
    /// Finished sagas removed.
    pub sagas: u64,
    /// Pauses ended.
    pub pauses: u64,
    /// Expired leases freed.
    pub leases: u64,
    /// Conversations that had work but were not due: made due.
    pub stuck: u64,
}

impl Swept {
    /// Whether a bound was reached, so that another sweep should follow at once.
    #[must_use]
    pub const fn more(&self, limit: u32) -> bool {
        let limit = limit as u64;
        self.ids >= limit
            || self.receipts >= limit
            || self.events >= limit
            || self.jobs >= limit
            || self.sagas >= limit
            || self.pauses >= limit
    }
}

impl Op for Sweep {
    const NAME: &'static str = "sweep";
    type Out = Swept;

    fn run(&self, tx: &mut dyn Tx) -> Result<Swept> {
        let now = tx.now();
        tx.execute(&JOB_ATTEMPTS, params![first_id_of(self.jobs_before), self.limit])?;
        Ok(Swept {
            ids: tx.execute(&IDS, params![self.ids_before, self.limit])?,
            receipts: tx.execute(&RECEIPTS, params![self.ids_before, self.limit])?,
            events: tx.execute(&EVENTS, params![first_id_of(self.events_before), self.limit])?,
            jobs: tx.execute(&JOBS, params![first_id_of(self.jobs_before), self.limit])?,
            sagas: self.sagas(tx)?,
            pauses: self.end_pauses(tx)?,
            leases: tx.execute(&EXPIRED, params![now])?,
            stuck: tx.execute(&STUCK, params![now])?,
        })
    }
}

impl Sweep {
    fn sagas(&self, tx: &mut dyn Tx) -> Result<u64> {
        let p = params![first_id_of(self.jobs_before), self.limit];
        tx.execute(&SAGA_STEPS, p)?;
        tx.execute(&SAGAS, p)
    }

    /// Each with its record, as every change of a conversation's state has (S6.7).
    fn end_pauses(&self, tx: &mut dyn Tx) -> Result<u64> {
        let now = tx.now();
        let ended = tx.all(&ENDED_PAUSES, params![now, self.limit], |r| {
            Ok((r.get::<ConversationId>(0)?, r.get::<TenantId>(1)?))
        })?;
        for (id, tenant) in &ended {
            let (from, to) = (ConversationState::Paused, ConversationState::Active);
            conversations::go(tx, *tenant, *id, from, to, None, ("the pause is over", "janitor"))?;
        }
        Ok(ended.len() as u64)
    }
}
