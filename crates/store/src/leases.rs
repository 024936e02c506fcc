//! Leases on conversations (S2.2): claimed with a new fence, checked by every write of the holder, renewed while work goes on,
//! given back with the last write.

use std::sync::Arc;

use types::{ConversationId, Timestamp};

use crate::error::{Result, StoreError};
use crate::policy::Policy;
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Row, Tx};
use crate::work::{Claimed, Lease, Next, Snapshot, Work, next_delivery, next_work, parse_json};

sql! {
    DUE = "leases.due":
        "SELECT id FROM conversation WHERE next_due IS NOT NULL AND next_due <= $1 AND lease_until <= $1
         ORDER BY next_due LIMIT $2 {skip_locked}";
    DUE_OF = "leases.due_of":
        "SELECT id FROM conversation WHERE id = $3 AND next_due IS NOT NULL AND next_due <= $1 AND lease_until <= $1 LIMIT $2";
    TAKE = "leases.take":
        "UPDATE conversation SET lease_owner = $2, lease_until = $3, leased_at = $4, fence = fence + 1 WHERE id = $1 AND lease_until <= $4";
    SNAPSHOT = "leases.snapshot":
        "SELECT v.tenant_id, v.channel_id, v.contact_id, v.lead_id, v.state, v.state_until, v.memory, v.recipient, c.name, v.fence,
                v.lease_owner
         FROM conversation v JOIN contacts c ON c.id = v.contact_id WHERE v.id = $1";
    CHECK = "leases.check":
        "SELECT 1 FROM conversation WHERE id = $1 AND lease_owner = $2 AND fence = $3";
    HAS_WORK = "conversations.has_work":
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE conversation_id = $1 AND due_at IS NOT NULL)
             OR EXISTS (SELECT 1 FROM jobs WHERE conversation_id = $1 AND state IN ('queued', 'running'))";
    GIVE_BACK = "leases.give_back":
        "UPDATE conversation SET lease_owner = NULL, lease_until = 0, next_due = $4 WHERE id = $1 AND lease_owner = $2 AND fence = $3";
    UNTOUCHED = "leases.untouched":
        "UPDATE jobs SET state = 'queued', attempts = attempts - 1 WHERE conversation_id = $1 AND state = 'running'";
    RENEW = "leases.renew":
        "UPDATE conversation SET lease_until = $4 WHERE id = $1 AND lease_owner = $2 AND fence = $3";
    MAKE_DUE = "leases.make_due":
        "UPDATE conversation SET next_due = $2 WHERE id = $1 AND (next_due IS NULL OR next_due > $2)";
    FREE_ALL = "leases.free_all":
        "UPDATE conversation SET lease_owner = NULL, lease_until = 0 WHERE next_due IS NOT NULL AND lease_until > 0";
    FREE_OWN = "leases.free_own":
        "UPDATE conversation SET lease_owner = NULL, lease_until = 0 WHERE next_due IS NOT NULL AND lease_owner = $1";
    NEXT_DUE = "leases.next_due":
        "SELECT MIN(CASE WHEN lease_until > next_due THEN lease_until ELSE next_due END) FROM conversation
         WHERE next_due IS NOT NULL";
}

fn snapshot(id: ConversationId) -> impl Fn(&dyn Row) -> Result<(Snapshot, i64)> {
    move |row| {
        let recipient: String = row.get(7)?;
        let snapshot = Snapshot {
            tenant: row.get(0)?,
            channel: row.get(1)?,
            conversation: id,
            contact: row.get(2)?,
            lead: row.get(3)?,
            state: row.get(4)?,
            state_until: row.get(5)?,
            memory: row.get(6)?,
            recipient: parse_json(row, 7, &recipient)?,
            profile_name: row.get(8)?,
        };
        Ok((snapshot, row.get(9)?))
    }
}

/// Refuses a writer whose lease is gone.
pub(crate) fn check(tx: &mut dyn Tx, lease: &Lease) -> Result<()> {
    match tx.first(&CHECK, params![lease.conversation, &*lease.owner, lease.fence], |_| Ok(()))? {
        Some(()) => Ok(()),
        None => Err(StoreError::LeaseLost(lease.conversation)),
    }
}

/// Gives the lease back, due again at `next_due`.
pub(crate) fn give_back(tx: &mut dyn Tx, lease: &Lease, next_due: Option<Timestamp>) -> Result<()> {
    match tx.execute(&GIVE_BACK, params![lease.conversation, &*lease.owner, lease.fence, next_due])? {
        1 => Ok(()),
        _ => Err(StoreError::LeaseLost(lease.conversation)),
    }
}

/// What the holder does next: more work under the same lease, or the lease given back in this very transaction. Fails when the lease is lost,
/// so that an operation that ends with it needs no other check. `stop`: what is decided still goes out, and nothing new is begun (S2.9).
pub(crate) fn go_on(tx: &mut dyn Tx, lease: &Lease, policy: &Policy, stop: bool) -> Result<Next> {
    if stop {
        check(tx, lease)?;
        if let Some(deliver) = next_delivery(tx, lease.conversation, policy)? {
            return Ok(Next::Work(Work::Deliver(deliver)));
        }
        // Whoever claims it next finds what is due.
        let now = tx.now();
        give_back(tx, lease, Some(now))?;
        return Ok(Next::Wait(Some(now)));
    }
    // Most conversations have one message at a time: one look tells that this one is done.
    if tx.number(&HAS_WORK, params![lease.conversation])? == 0 {
        give_back(tx, lease, None)?;
        return Ok(Next::Wait(None));
    }
    check(tx, lease)?;
    let next = next_work(tx, lease.conversation, policy)?;
    if let Next::Wait(until) = &next {
        give_back(tx, lease, *until)?;
    }
    Ok(next)
}

/// Makes a conversation due at `at`, unless it is due earlier.
pub(crate) fn make_due(tx: &mut dyn Tx, conversation: ConversationId, at: Timestamp) -> Result<()> {
    tx.execute(&MAKE_DUE, params![conversation, at])?;
    Ok(())
}

/// Claims conversations that are due, each with its first work.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Who claims.
    pub owner: Arc<str>,
    /// At most so many.
    pub limit: u32,
    /// Only this one, if it is due (`/api/jobs/run-outbound` for one conversation, tests).
    pub only: Option<ConversationId>,
    /// Times.
    pub policy: Arc<Policy>,
}

impl Op for Claim {
    const NAME: &'static str = "leases.claim";
    type Out = Vec<Claimed>;

    fn reach(&self) -> Reach {
        Reach::Finds
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Claimed>> {
        let now = tx.now();
        let due: Vec<ConversationId> = match self.only {
            None => tx.all(&DUE, params![now, self.limit], |r| r.get(0))?,
            Some(only) => tx.all(&DUE_OF, params![now, self.limit, only], |r| r.get(0))?,
        };
        let (owner, policy) = (Arc::clone(&self.owner), Arc::clone(&self.policy));
        let claimed = tx.each(due, move |tx, id| take(tx, id, &owner, &policy))?;
        Ok(claimed.into_iter().flatten().collect())
    }
}

/// Takes one conversation, if it is free, with its first work, if there is any.
fn take(tx: &mut dyn Tx, id: ConversationId, owner: &Arc<str>, policy: &Policy) -> Result<Option<Claimed>> {
    let now = tx.now();
    let until = now.plus(policy.lease);
    if tx.execute(&TAKE, params![id, &**owner, until, now])? == 0 {
        return Ok(None);
    }
    let Some((snapshot, fence)) = tx.first(&SNAPSHOT, params![id], snapshot(id))? else { return Ok(None) };
    let lease = Lease { conversation: id, owner: Arc::clone(owner), until, fence };
    Ok(match go_on(tx, &lease, policy, false)? {
        Next::Work(work) => Some(Claimed { lease, snapshot, work }),
        Next::Wait(_) => None,
    })
}

/// Prolongs leases; gives those that could not be prolonged because they were lost.
#[derive(Clone, Debug)]
pub struct Renew {
    /// Which.
    pub leases: Vec<Lease>,
    /// Times.
    pub policy: Arc<Policy>,
}

impl Op for Renew {
    const NAME: &'static str = "leases.renew";
    type Out = Vec<ConversationId>;

    fn reach(&self) -> Reach {
        let conversations = self.leases.iter().map(|l| l.conversation).collect();
        Reach::Only(Touches { conversations, ..Touches::default() })
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<ConversationId>> {
        let until = tx.now().plus(self.policy.lease);
        let lost = tx.each(self.leases.clone(), move |tx, lease| {
            let kept = tx.execute(&RENEW, params![lease.conversation, &*lease.owner, lease.fence, until])? != 0;
            Ok((!kept).then_some(lease.conversation))
        })?;
        Ok(lost.into_iter().flatten().collect())
    }
}

/// Gives one lease back without having begun its work: a turn that was claimed waits again and has not used up an attempt.
#[derive(Clone, Debug)]
pub struct GiveBack {
    /// Which.
    pub lease: Lease,
    /// When the conversation is due again.
    pub at: Option<Timestamp>,
}

impl Op for GiveBack {
    const NAME: &'static str = "leases.give_back";
    type Out = ();

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.lease.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        give_back(tx, &self.lease, self.at)?;
        tx.execute(&UNTOUCHED, params![self.lease.conversation])?;
        Ok(())
    }
}

/// Frees leases without waiting for their end: all of them when a single-node database starts (the process lock proves that no
/// holder lives), or those of one owner that drains.
#[derive(Clone, Debug)]
pub struct Free {
    /// Whose; `None`: everybody's.
    pub owner: Option<Arc<str>>,
}

impl Op for Free {
    const NAME: &'static str = "leases.free";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        match &self.owner {
            None => Ok(tx.execute(&FREE_ALL, &[])? + crate::sagas::free(tx, None)?),
            Some(owner) => Ok(tx.execute(&FREE_OWN, params![&**owner])? + crate::sagas::free(tx, Some(owner))?),
        }
    }
}

/// When the next conversation becomes due; a leased one counts when its lease ends.
#[derive(Clone, Copy, Debug)]
pub struct NextDue;

impl Op for NextDue {
    const NAME: &'static str = "leases.next_due";
    type Out = Option<Timestamp>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
        Ok(tx.first(&NEXT_DUE, &[], |r| r.get::<Option<Timestamp>>(0))?.flatten())
    }
}
