//! The queue as people see it: jobs by state, with counts that stop at a bound (R7).

use types::ids::first_id_of;
use types::states::JobState;
use types::{JobId, TenantId};

use super::{Access, After, Job, JobCounts, Rows, counted};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    ANY = "queue.any":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    OPEN = "queue.open":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE state IN ('queued', 'running') AND state = $2 AND tenant_id = $1 AND id < $3 ORDER BY id DESC LIMIT $4";
    ENDED_BADLY = "queue.ended_badly":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE state IN ('dead', 'failed') AND state = $2 AND tenant_id = $1 AND id < $3 ORDER BY id DESC LIMIT $4";
    DONE = "queue.done":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE state = 'done' AND tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    ONE = "queue.one":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id FROM jobs WHERE id = $1";
    COUNT_OPEN = "queue.count_open":
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state IN ('queued', 'running') AND state = $2 AND tenant_id = $1 LIMIT 10001) AS x";
    COUNT_BAD = "queue.count_bad":
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state IN ('dead', 'failed') AND state = $2 AND tenant_id = $1 LIMIT 10001) AS x";
    COUNT_DONE = "queue.count_done":
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE id > $2 AND state = 'done' AND tenant_id = $1 LIMIT 10001) AS x";
}

fn row(r: &dyn Row) -> Result<(Job, TenantId)> {
    let job = Job {
        id: r.get(0)?,
        kind: r.get(1)?,
        conversation_id: r.get(2)?,
        message_id: r.get(3)?,
        state: r.get(4)?,
        run_at: r.get(5)?,
        attempts: r.get(6)?,
        max_attempts: r.get(7)?,
        redrives: r.get(8)?,
        outcome: r.get(9)?,
        error: r.get(10)?,
        request_id: r.get(11)?,
        created_at: r.get(12)?,
        started_at: r.get(13)?,
        completed_at: r.get(14)?,
    };
    Ok((job, r.get(15)?))
}

/// A job with its tenant.
pub(super) fn job(tx: &mut dyn Tx, id: JobId) -> Result<Option<(Job, TenantId)>> {
    tx.first(&ONE, params![id], row)
}

/// Lists jobs, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Only in this state.
    pub state: Option<JobState>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.jobs";
    type Out = Rows<Job>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (t, last, limit) = (self.tenant, self.after.id, self.limit);
        let placed = |r: &dyn Row| row(r).map(|(job, _)| (After { key: job.id.0, id: job.id.0 }, job));
        match self.state {
            None => tx.all(&ANY, params![t, last, limit], placed),
            Some(JobState::Done) => tx.all(&DONE, params![t, last, limit], placed),
            Some(s @ (JobState::Queued | JobState::Running)) => {
                tx.all(&OPEN, params![t, s.as_str(), last, limit], placed)
            }
            Some(s) => tx.all(&ENDED_BADLY, params![t, s.as_str(), last, limit], placed),
        }
    }
}

/// One job.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: JobId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.job";
    type Out = Job;

    fn run(&self, tx: &mut dyn Tx) -> Result<Job> {
        let found = job(tx, self.id)?;
        self.access.check(found.as_ref().map(|f| f.1), "job", self.id)?;
        found.map(|f| f.0).ok_or_else(|| StoreError::NotFound { what: "job", id: self.id.to_string() })
    }
}

/// The counts over the tabs.
#[derive(Clone, Copy, Debug)]
pub struct Counts(pub TenantId);

impl Op for Counts {
    const NAME: &'static str = "desk.job_counts";
    type Out = JobCounts;

    fn run(&self, tx: &mut dyn Tx) -> Result<JobCounts> {
        let t = self.0;
        let day_ago = first_id_of(tx.now().minus(std::time::Duration::from_secs(86_400)));
        Ok(JobCounts {
            queued: counted(tx, &COUNT_OPEN, params![t, JobState::Queued.as_str()])?,
            running: counted(tx, &COUNT_OPEN, params![t, JobState::Running.as_str()])?,
            failed: counted(tx, &COUNT_BAD, params![t, JobState::Failed.as_str()])?,
            dead: counted(tx, &COUNT_BAD, params![t, JobState::Dead.as_str()])?,
            done_24h: counted(tx, &COUNT_DONE, params![t, day_ago])?,
        })
    }
}
