//! Work on many rows at once (R3): counted in a trial run, then done in small transactions by the follower, with what was left alone and
//! why. A batch survives a restart: it goes on after the last row that it looked at.

use std::collections::BTreeMap;

use types::ids::first_id_of;
use types::states::{DeadLetterStatus, MessageStatus};
use types::{BatchId, ConversationId, DeadLetterId, JobId, MessageId, TenantId};

use super::acts::{Deed, Do};
use super::audit::{self, Act};
use super::failed::{self, DismissOne, RetryOne};
use super::letters::Settle;
use super::{
    Access, After, Batch, BatchAction, BatchFilter, BatchState, By, Count, FailedSend, JobAct, Obstacle, Rows, Skipped,
    queue,
};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    FAILED = "batches.failed":
        "SELECT m.id FROM message m WHERE m.tenant_id = $1 AND m.direction = 'out' AND m.status IN ('failed', 'held') AND m.dismissed_at IS NULL AND m.id < $2
           AND (CAST($3 AS {int}) = -1 OR m.error_code = $3 OR ($3 = 0 AND m.error_code IS NULL)) AND (CAST($4 AS {int}) = 0 OR m.conversation_id = $4)
           AND (CAST($5 AS {int}) = 0 OR m.channel_id = $5) AND m.id >= $7 ORDER BY m.id DESC LIMIT $6";
    LETTERS = "batches.letters":
        "SELECT id FROM dead_letters WHERE tenant_id = $1 AND status = 'pending' AND id < $2 AND (CAST($3 AS {int}) = 0 OR conversation_id = $3)
           AND ($5 = '' OR error = $5) AND id >= $6 ORDER BY id DESC LIMIT $4";
    OPEN = "batches.open":
        "SELECT conversation_id FROM desk WHERE tenant_id = $1 AND status = 'open' AND conversation_id < $2 ORDER BY conversation_id DESC LIMIT $3";
    DEAD_JOBS = "batches.dead_jobs":
        "SELECT id FROM jobs WHERE state IN ('dead', 'failed') AND state = 'dead' AND tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    QUEUED_JOBS = "batches.queued_jobs":
        "SELECT id FROM jobs WHERE state IN ('queued', 'running') AND state = 'queued' AND tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    ADD = "batches.add":
        "INSERT INTO batches (id, tenant_id, action, filter, as_of, state, total, done, failed, skipped, next_id, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, 'running', $6, 0, 0, '{}', $7, $8, $5)";
    LIST = "batches.list":
        "SELECT id, tenant_id, action, filter, as_of, state, total, done, failed, skipped, next_id, created_by, created_at, finished_at
         FROM batches WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    ONE = "batches.one":
        "SELECT id, tenant_id, action, filter, as_of, state, total, done, failed, skipped, next_id, created_by, created_at, finished_at
         FROM batches WHERE id = $1";
    RUNNING = "batches.running":
        "SELECT id, tenant_id, action, filter, as_of, state, total, done, failed, skipped, next_id, created_by, created_at, finished_at
         FROM batches WHERE state = 'running' ORDER BY id LIMIT 1";
    ANY_RUNS = "batches.any_runs": "SELECT 1 FROM batches WHERE state = 'running' LIMIT 1";
    SET = "batches.set":
        "UPDATE batches SET done = $2, failed = $3, skipped = $4, next_id = $5, state = $6, finished_at = $7 WHERE id = $1";
    CANCEL = "batches.cancel": "UPDATE batches SET state = 'cancelled', finished_at = $2 WHERE id = $1 AND state = 'running'";
}

struct Held {
    batch: Batch,
    tenant: TenantId,
    next: i64,
    skipped: BTreeMap<String, i64>,
}

fn row(r: &dyn Row) -> Result<Held> {
    let (filter, skipped): (String, String) = (r.get(3)?, r.get(9)?);
    let skipped: BTreeMap<String, i64> = serde_json::from_str(&skipped).unwrap_or_default();
    let batch = Batch {
        id: Some(r.get(0)?),
        action: r.get(2)?,
        filter: serde_json::from_str(&filter).unwrap_or_default(),
        as_of: r.get(4)?,
        state: r.get(5)?,
        total: Count::of(r.get(6)?),
        done: r.get(7)?,
        failed: r.get(8)?,
        skipped: said(&skipped),
        created_by: r.get(11)?,
        created_at: r.get(12)?,
        finished_at: r.get(13)?,
    };
    Ok(Held { batch, tenant: r.get(1)?, next: r.get(10)?, skipped })
}

fn said(skipped: &BTreeMap<String, i64>) -> Vec<Skipped> {
    skipped.iter().map(|(reason, count)| Skipped { reason: reason.clone(), count: *count }).collect()
}

/// The next rows of a batch, newest first.
fn next(
    tx: &mut dyn Tx,
    tenant: TenantId,
    action: BatchAction,
    filter: &BatchFilter,
    (before, limit): (i64, u32),
) -> Result<Vec<i64>> {
    if let Some(ids) = &filter.ids {
        let mut ids: Vec<i64> = ids.iter().map(|id| id.0).filter(|id| *id < before).collect();
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        ids.dedup();
        ids.truncate(limit as usize);
        return Ok(ids);
    }
    let conversation = filter.conversation_id.map_or(0, |c| c.0);
    let oldest = filter.from.map_or(0, |at| first_id_of(at.0));
    match action {
        BatchAction::RetryFailedSends | BatchAction::DismissFailedSends => {
            let (code, channel) = (filter.error_code.unwrap_or(-1), filter.channel_id.map_or(0, |c| c.0));
            tx.all(&FAILED, params![tenant, before, code, conversation, channel, limit, oldest], |r| r.get(0))
        }
        BatchAction::RetryDeadLetters | BatchAction::DiscardDeadLetters => {
            let error = filter.error.as_deref().unwrap_or_default();
            tx.all(&LETTERS, params![tenant, before, conversation, limit, error, oldest], |r| r.get(0))
        }
        BatchAction::ResolveConversations => tx.all(&OPEN, params![tenant, before, limit], |r| r.get(0)),
        BatchAction::RetryJobs => tx.all(&DEAD_JOBS, params![tenant, before, limit], |r| r.get(0)),
        BatchAction::CancelJobs => tx.all(&QUEUED_JOBS, params![tenant, before, limit], |r| r.get(0)),
    }
}

/// Why a row is left alone; `None`: it is worked.
fn left_alone(tx: &mut dyn Tx, held: &Held, id: i64) -> Result<Option<&'static str>> {
    match held.batch.action {
        BatchAction::RetryFailedSends => {
            let found = failed::one(tx, MessageId(id))?.filter(|(_, tenant)| *tenant == held.tenant);
            Ok(found.map_or(Some("not_found"), |(row, _)| obstacle(&row)))
        }
        BatchAction::DismissFailedSends => {
            let found = failed::one(tx, MessageId(id))?.filter(|(_, tenant)| *tenant == held.tenant);
            let is_failed = |row: &FailedSend| matches!(row.status, MessageStatus::Failed | MessageStatus::Held);
            Ok(found.map_or(Some("not_found"), |(row, _)| (!is_failed(&row)).then_some("not_failed")))
        }
        BatchAction::RetryDeadLetters | BatchAction::DiscardDeadLetters => {
            let get = super::letters::Get { id: DeadLetterId(id), access: only(held.tenant) };
            match get.run(tx) {
                Ok(letter) if letter.status == DeadLetterStatus::Pending => Ok(None),
                Ok(_) => Ok(Some("not_pending")),
                Err(StoreError::NotFound { .. }) => Ok(Some("not_found")),
                Err(e) => Err(e),
            }
        }
        BatchAction::ResolveConversations => {
            let found = super::inbox::row(tx, ConversationId(id))?;
            Ok(found.filter(|(row, _)| row.tenant_id == held.tenant).is_none().then_some("not_found"))
        }
        BatchAction::RetryJobs | BatchAction::CancelJobs => {
            let found = queue::job(tx, JobId(id))?.filter(|(_, tenant)| *tenant == held.tenant);
            let act = job_act(held.batch.action);
            Ok(found.map_or(Some("not_found"), |(job, _)| (!job.acts.contains(&act)).then_some("not_now")))
        }
    }
}

const fn obstacle(row: &FailedSend) -> Option<&'static str> {
    if !matches!(row.status, MessageStatus::Failed | MessageStatus::Held) {
        return Some("not_failed");
    }
    match row.obstacle {
        Some(Obstacle::WindowClosed) => Some("window_closed"),
        Some(Obstacle::OptedOut) => Some("opted_out"),
        Some(Obstacle::MayHaveArrived) => Some("may_have_arrived"),
        None => None,
    }
}

fn job_act(action: BatchAction) -> JobAct {
    if action == BatchAction::RetryJobs { JobAct::Retry } else { JobAct::Cancel }
}

fn only(tenant: TenantId) -> Access {
    Access::Only(std::sync::Arc::from([tenant]))
}

/// Does the thing to one row.
fn work(tx: &mut dyn Tx, held: &Held, id: i64, by: &By) -> Result<()> {
    let (access, by) = (only(held.tenant), by.clone());
    let reason = Some(held.batch.filter.reason.clone().unwrap_or_else(|| "batch".into()));
    match held.batch.action {
        BatchAction::RetryFailedSends => RetryOne { id: MessageId(id), anyway: false, access, by }.run(tx),
        BatchAction::DismissFailedSends => DismissOne { id: MessageId(id), reason, access, by }.run(tx),
        BatchAction::RetryDeadLetters | BatchAction::DiscardDeadLetters => {
            let retry = held.batch.action == BatchAction::RetryDeadLetters;
            Settle { id: DeadLetterId(id), retry, reason, access, by }.run(tx).map(drop)
        }
        BatchAction::RetryJobs | BatchAction::CancelJobs => {
            queue::Do { id: JobId(id), act: job_act(held.batch.action), reason, access, by }.run(tx).map(drop)
        }
        BatchAction::ResolveConversations => {
            Do { id: ConversationId(id), deed: Deed::Resolve, reason, access, by }.run(tx).map(drop)
        }
    }
}

/// Begins a batch; a trial run changes nothing and says what would come of the newest 10 000.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Whose rows.
    pub tenant: TenantId,
    /// What to do.
    pub action: BatchAction,
    /// To which.
    pub filter: BatchFilter,
    /// Only say what would come of it.
    pub dry_run: bool,
    /// Who.
    pub by: By,
}

impl Op for Begin {
    const NAME: &'static str = "batches.begin";
    type Out = Batch;

    fn run(&self, tx: &mut dyn Tx) -> Result<Batch> {
        let now = tx.now();
        // Only rows that were there: ids grow with time.
        let before = tx.next_id();
        let cap = u32::try_from(Count::CAP).unwrap_or(u32::MAX) + 1;
        let ids = next(tx, self.tenant, self.action, &self.filter, (before, cap))?;
        let total = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let mut held = Held {
            batch: Batch {
                id: None,
                action: self.action,
                filter: self.filter.clone(),
                as_of: now.into(),
                state: BatchState::Done,
                total: Count::of(total),
                done: 0,
                failed: 0,
                skipped: Vec::new(),
                created_by: self.by.name.clone(),
                created_at: now.into(),
                finished_at: Some(now.into()),
            },
            tenant: self.tenant,
            next: before,
            skipped: BTreeMap::new(),
        };
        if self.dry_run {
            for id in ids.into_iter().take(cap as usize - 1) {
                match left_alone(tx, &held, id)? {
                    None => held.batch.done += 1,
                    Some(why) => *held.skipped.entry(why.to_owned()).or_default() += 1,
                }
            }
            held.batch.skipped = said(&held.skipped);
            return Ok(held.batch);
        }
        let id = BatchId(tx.next_id());
        let filter = serde_json::to_string(&self.filter).unwrap_or_default();
        let p = params![id, self.tenant, self.action.as_str(), &filter, now, total, before, &self.by.name];
        tx.execute(&ADD, p)?;
        let act = Act {
            tenant: Some(self.tenant),
            action: "batch.begin",
            kind: "batch",
            id: id.0,
            to: Some(self.action.as_str()),
            reason: Some(&filter),
            from: None,
        };
        audit::note(tx, &self.by, &act)?;
        (held.batch.id, held.batch.state, held.batch.finished_at) = (Some(id), BatchState::Running, None);
        Ok(held.batch)
    }
}

/// Whether any batch runs.
#[derive(Clone, Copy, Debug)]
pub struct AnyRuns;

impl Op for AnyRuns {
    const NAME: &'static str = "batches.any_runs";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        Ok(tx.number(&ANY_RUNS, &[])? > 0)
    }
}

/// Works the next rows of the oldest running batch; `None`: none runs.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// At most so many rows.
    pub limit: u32,
}

impl Op for Step {
    const NAME: &'static str = "batches.step";
    type Out = Option<(TenantId, Batch)>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let Some(mut held) = tx.first(&RUNNING, &[], row)? else { return Ok(None) };
        let action = held.batch.action;
        let ids = next(tx, held.tenant, action, &held.batch.filter.clone(), (held.next, self.limit))?;
        let by = By { name: format!("{} (batch)", held.batch.created_by), ..By::system("batch") };
        for id in &ids {
            held.next = *id;
            if let Some(why) = left_alone(tx, &held, *id)? {
                *held.skipped.entry(why.to_owned()).or_default() += 1;
                continue;
            }
            match work(tx, &held, *id, &by) {
                Ok(()) => held.batch.done += 1,
                // What the row's state forbids changes nothing; a failing database fails the step, which runs again.
                Err(e) if e.fault() == types::Fault::Permanent || matches!(e, StoreError::Illegal(_)) => {
                    held.batch.failed += 1;
                }
                Err(e) => return Err(e),
            }
        }
        if ids.len() < self.limit as usize {
            held.batch.state = BatchState::Done;
            held.batch.finished_at = Some(tx.now().into());
        }
        held.batch.skipped = said(&held.skipped);
        let (b, skipped) = (&held.batch, serde_json::to_string(&held.skipped).unwrap_or_default());
        let ended = b.finished_at.map(|at| at.0);
        tx.execute(&SET, params![b.id, b.done, b.failed, &skipped, held.next, b.state.as_str(), ended])?;
        Ok(Some((held.tenant, held.batch)))
    }
}

/// Lists batches, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "batches.list";
    type Out = Rows<Batch>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        tx.all(&LIST, params![self.tenant, self.after.id, self.limit], |r| {
            let id = r.get::<BatchId>(0)?.0;
            Ok((After { key: id, id }, row(r)?.batch))
        })
    }
}

/// One batch; with `cancel`, stopped where it is.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: BatchId,
    /// Who stops it, if anyone.
    pub cancel: Option<By>,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "batches.get";
    type Out = Batch;

    fn run(&self, tx: &mut dyn Tx) -> Result<Batch> {
        let found = tx.first(&ONE, params![self.id], row)?;
        let tenant = self.access.check(found.as_ref().map(|f| f.tenant), "batch", self.id)?;
        if let Some(by) = &self.cancel {
            let now = tx.now();
            if tx.execute(&CANCEL, params![self.id, now])? == 0 {
                return Err(StoreError::Refused("this batch has ended already".into()));
            }
            let (action, kind, id) = ("batch.cancel", "batch", self.id.0);
            audit::note(tx, by, &Act { tenant: Some(tenant), action, kind, id, ..Act::default() })?;
        }
        let found = tx.first(&ONE, params![self.id], row)?;
        found.map(|f| f.batch).ok_or_else(|| StoreError::NotFound { what: "batch", id: self.id.to_string() })
    }
}
