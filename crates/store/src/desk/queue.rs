//! The queue as people see it: jobs by state, with counts that stop at a bound (R7).

use types::ids::first_id_of;
use types::states::{JobState, MessageStatus};
use types::{JobId, TenantId, Timestamp};

use super::audit::{self, Act};
use super::letters::Settle;
use super::{Access, After, By, Job, JobAct, JobCounts, JobTry, Rows, counted};
use crate::error::{Result, StoreError};
use crate::leases;
use crate::sql::{Op, Row, Tx};

sql! {
    ANY = "queue.any":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE tenant_id = $1 AND id < $2 AND ($4 = '' OR kind = $4) ORDER BY id DESC LIMIT $3";
    OPEN = "queue.open":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE state IN ('queued', 'running') AND state = $2 AND tenant_id = $1 AND id < $3 AND ($5 = '' OR kind = $5) ORDER BY id DESC LIMIT $4";
    ENDED_BADLY = "queue.ended_badly":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE state IN ('dead', 'failed') AND state = $2 AND tenant_id = $1 AND id < $3 AND ($5 = '' OR kind = $5) ORDER BY id DESC LIMIT $4";
    DONE = "queue.done":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id
         FROM jobs WHERE state = 'done' AND tenant_id = $1 AND id < $2 AND ($4 = '' OR kind = $4) ORDER BY id DESC LIMIT $3";
    ONE = "queue.one":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives, outcome, error, request_id,
                created_at, started_at, completed_at, tenant_id FROM jobs WHERE id = $1";
    KINDS = "queue.kinds":
        "SELECT DISTINCT x.kind FROM (SELECT kind FROM jobs WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1000) AS x ORDER BY x.kind";
    TRIES = "queue.tries": "SELECT attempt, fault, error, at FROM job_attempt WHERE job_id = $1 ORDER BY id LIMIT 200";
    LETTER = "queue.letter": "SELECT id FROM dead_letters WHERE job_id = $1";
    NOW = "queue.now": "UPDATE jobs SET run_at = $2 WHERE id = $1 AND state = 'queued'";
    BACK = "queue.back":
        "UPDATE jobs SET state = 'queued', attempts = 0, run_at = $2, outcome = NULL, completed_at = NULL WHERE id = $1 AND state = 'failed'";
    CANCEL = "queue.cancel":
        "UPDATE jobs SET state = 'failed', outcome = 'cancelled', completed_at = $2 WHERE id = $1 AND state = 'queued'";
    SENDS = "queue.sends":
        "SELECT status, created_at, sent_at FROM message WHERE id >= $2 AND direction = 'out' AND tenant_id = $1 ORDER BY id DESC LIMIT 2000";
    COUNT_OPEN = "queue.count_open":
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state IN ('queued', 'running') AND state = $2 AND tenant_id = $1 LIMIT 10001) AS x";
    COUNT_BAD = "queue.count_bad":
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state IN ('dead', 'failed') AND state = $2 AND tenant_id = $1 LIMIT 10001) AS x";
    COUNT_DONE = "queue.count_done":
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE id > $2 AND state = 'done' AND tenant_id = $1 LIMIT 10001) AS x";
}

fn row(r: &dyn Row) -> Result<(Job, TenantId)> {
    let mut job = Job {
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
        tries: Vec::new(),
        acts: Vec::new(),
    };
    job.acts = acts(job.state);
    Ok((job, r.get(15)?))
}

/// What can be done with a job that stands so; one that runs ends by itself.
fn acts(state: JobState) -> Vec<JobAct> {
    match state {
        JobState::Queued => vec![JobAct::Retry, JobAct::Cancel],
        JobState::Failed => vec![JobAct::Retry],
        JobState::Dead => vec![JobAct::Retry, JobAct::Cancel],
        JobState::Running | JobState::Done => Vec::new(),
    }
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
    /// Only of this kind.
    pub kind: Option<String>,
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
        let kind = self.kind.as_deref().unwrap_or_default();
        let placed = |r: &dyn Row| row(r).map(|(job, _)| (After { key: job.id.0, id: job.id.0 }, job));
        match self.state {
            None => tx.all(&ANY, params![t, last, limit, kind], placed),
            Some(JobState::Done) => tx.all(&DONE, params![t, last, limit, kind], placed),
            Some(s @ (JobState::Queued | JobState::Running)) => {
                tx.all(&OPEN, params![t, s.as_str(), last, limit, kind], placed)
            }
            Some(s) => tx.all(&ENDED_BADLY, params![t, s.as_str(), last, limit, kind], placed),
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
        let (mut job, _) = found.ok_or_else(|| StoreError::NotFound { what: "job", id: self.id.to_string() })?;
        job.tries = tx.all(&TRIES, params![self.id], |r| {
            Ok(JobTry { attempt: r.get(0)?, fault: r.get(1)?, error: r.get(2)?, at: r.get(3)? })
        })?;
        Ok(job)
    }
}

/// The kinds of a tenant's newest jobs, for whoever filters by them.
#[derive(Clone, Copy, Debug)]
pub struct Kinds(pub TenantId);

impl Op for Kinds {
    const NAME: &'static str = "desk.job_kinds";
    type Out = Vec<String>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<String>> {
        tx.all(&KINDS, params![self.0], |r| r.get(0))
    }
}

/// A person has a job worked again (one that waits: now), or not at all. What the job's state forbids is refused.
#[derive(Clone, Debug)]
pub struct Do {
    /// Which.
    pub id: JobId,
    /// What.
    pub act: JobAct,
    /// Why, for the record.
    pub reason: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Do {
    const NAME: &'static str = "desk.do_job";
    type Out = Job;

    fn run(&self, tx: &mut dyn Tx) -> Result<Job> {
        let found = job(tx, self.id)?;
        let tenant = self.access.check(found.as_ref().map(|f| f.1), "job", self.id)?;
        let missing = || StoreError::NotFound { what: "job", id: self.id.to_string() };
        let (job, _) = found.ok_or_else(missing)?;
        if !job.acts.contains(&self.act) {
            let (state, act) = (job.state.as_str(), self.act.as_str());
            return Err(StoreError::Refused(format!("a job that is {state} cannot be told to {act}")));
        }
        let now = tx.now();
        let (access, by, reason) = (self.access.clone(), self.by.clone(), self.reason.clone());
        match (job.state, self.act) {
            (JobState::Dead, act) => {
                let letter = tx.first(&LETTER, params![self.id], |r| r.get(0))?.ok_or_else(missing)?;
                Settle { id: letter, retry: act == JobAct::Retry, reason, access, by }.run(tx)?;
            }
            (_, JobAct::Cancel) => {
                tx.execute(&CANCEL, params![self.id, now])?;
                leases::make_due(tx, job.conversation_id, now)?;
            }
            (state, JobAct::Retry) => {
                tx.execute(if state == JobState::Failed { &BACK } else { &NOW }, params![self.id, now])?;
                leases::make_due(tx, job.conversation_id, now)?;
            }
        }
        let action = if self.act == JobAct::Retry { "job.retry" } else { "job.cancel" };
        let (kind, id, reason) = ("job", self.id.0, self.reason.as_deref());
        audit::note(tx, &self.by, &Act { tenant: Some(tenant), action, kind, id, reason, ..Act::default() })?;
        Get { id: self.id, access: self.access.clone() }.run(tx)
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

/// How a tenant's sends of the last hour went, of the newest 2000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendFigures {
    /// Messages of ours.
    pub count: i64,
    /// Those that were not sent.
    pub failed: i64,
    /// Of those that the provider took, 95 of 100 within so many milliseconds.
    pub p95_ms: Option<i64>,
}

/// How a tenant's sends of the last hour went.
#[derive(Clone, Copy, Debug)]
pub struct Sends(pub TenantId);

impl Op for Sends {
    const NAME: &'static str = "desk.sends";
    type Out = SendFigures;

    fn run(&self, tx: &mut dyn Tx) -> Result<SendFigures> {
        let since = first_id_of(tx.now().minus(std::time::Duration::from_secs(3600)));
        let mut figures = SendFigures::default();
        let mut took = Vec::new();
        tx.query(&SENDS, params![self.0, since], &mut |r| {
            let (status, created, sent): (MessageStatus, Timestamp, Option<Timestamp>) =
                (r.get(0)?, r.get(1)?, r.get(2)?);
            figures.count += 1;
            figures.failed += i64::from(matches!(status, MessageStatus::Failed | MessageStatus::Held));
            took.extend(sent.and_then(|sent| i64::try_from(sent.since(created).as_millis()).ok()));
            Ok(())
        })?;
        took.sort_unstable();
        figures.p95_ms = took.get(took.len() * 95 / 100).copied();
        Ok(figures)
    }
}
