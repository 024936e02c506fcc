//! Dead letters (S2.5): work that ran out of attempts or can never pass, with everything needed to try again. The worker retries those whose
//! `next_retry_at` has come; setting that column is enough to retry one.

use types::states::DeadLetterStatus;
use types::{ConversationId, DeadLetterId, Fault, JobId, MessageId, Timestamp};

use crate::error::{Result, StoreError};
use crate::policy::Policy;
use crate::reach::Reach;
use crate::sql::{Op, Tx};
use crate::{leases, notifications};

sql! {
    BURY_JOB = "jobs.bury": "UPDATE jobs SET state = 'dead', error = $2, completed_at = $3 WHERE id = $1";
    OF_JOB = "jobs.for_dead_letter":
        "SELECT j.tenant_id, j.conversation_id, j.message_id, j.attempts, j.created_at, j.redrives, m.provider_id, m.raw, m.body
         FROM jobs j JOIN message m ON m.id = j.message_id WHERE j.id = $1";
    ADD = "dead_letters.add":
        "INSERT INTO dead_letters (id, tenant_id, job_id, conversation_id, message_id, provider_message_id, payload, fault, error,
                                   attempts, redrives, status, next_retry_at, first_at, last_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'pending', $12, $13, $14)
         ON CONFLICT (job_id) DO UPDATE SET fault = excluded.fault, error = excluded.error, status = 'pending',
             attempts = dead_letters.attempts + excluded.attempts, redrives = excluded.redrives,
             next_retry_at = excluded.next_retry_at, last_at = excluded.last_at";
    DUE = "dead_letters.due":
        "SELECT id, job_id, conversation_id FROM dead_letters
         WHERE status = 'pending' AND next_retry_at IS NOT NULL AND next_retry_at <= $1 ORDER BY next_retry_at LIMIT $2";
    ANY_DUE = "dead_letters.any_due":
        "SELECT 1 FROM dead_letters WHERE status = 'pending' AND next_retry_at IS NOT NULL AND next_retry_at <= $1 LIMIT 1";
    ONE = "dead_letters.one": "SELECT id, job_id, conversation_id, status FROM dead_letters WHERE id = $1";
    RETRYING = "dead_letters.retrying": "UPDATE dead_letters SET status = 'retrying', next_retry_at = NULL WHERE id = $1";
    REQUEUE = "jobs.requeue":
        "UPDATE jobs SET state = 'queued', attempts = 0, redrives = redrives + 1, run_at = $2, error = NULL, completed_at = NULL
         WHERE id = $1 AND state = 'dead'";
    RESOLVE = "dead_letters.resolve":
        "UPDATE dead_letters SET status = 'resolved', resolved_at = $2, resolved_by = 'retry' WHERE job_id = $1 AND status = 'retrying'";
    DISCARD = "dead_letters.discard":
        "UPDATE dead_letters SET status = 'discarded', next_retry_at = NULL, resolved_at = $2, resolved_by = $3 WHERE id = $1";
    LIST = "dead_letters.list":
        "SELECT id, job_id, conversation_id, message_id, provider_message_id, fault, error, attempts, redrives, status,
                next_retry_at, first_at, last_at, payload
         FROM dead_letters WHERE ($1 = '' OR status = $1) AND id < $2 ORDER BY id DESC LIMIT $3";
}

/// Ends a job as dead and keeps its letter.
pub(crate) fn bury(tx: &mut dyn Tx, job: JobId, fault: Fault, error: &str, policy: &Policy) -> Result<DeadLetterId> {
    let now = tx.now();
    let Some(row) = tx.first(&OF_JOB, params![job], |r| {
        Ok((
            r.get::<types::TenantId>(0)?,
            r.get::<ConversationId>(1)?,
            r.get::<MessageId>(2)?,
            r.get::<u32>(3)?,
            r.get::<Timestamp>(4)?,
            r.get::<u32>(5)?,
            r.get::<Option<String>>(6)?,
            r.get::<Option<String>>(7)?,
            r.get::<String>(8)?,
        ))
    })?
    else {
        return Err(StoreError::NotFound { what: "job", id: job.to_string() });
    };
    let (tenant, conversation, message, attempts, first, redrives, provider, raw, body) = row;
    tx.execute(&BURY_JOB, params![job, error, now])?;
    let next = if matches!(fault, Fault::Permanent) { None } else { policy.redrive_at(redrives, now) };
    let id = DeadLetterId(tx.next_id());
    let payload = raw.unwrap_or(body);
    let p = params![
        id,
        tenant,
        job,
        conversation,
        message,
        provider.as_deref(),
        &payload,
        fault.as_str(),
        error,
        attempts,
        redrives,
        next,
        first,
        now,
    ];
    tx.execute(&ADD, p)?;
    let title = "A message could not be worked";
    notifications::add(tx, tenant, "dead_letter", title, error, &format!("dead_letter:{job}:{redrives}"))?;
    metrics::counter!("message_dlq_total", "kind" => "turn").increment(1);
    Ok(id)
}

/// Marks the letter of a finished job as resolved.
pub(crate) fn resolve(tx: &mut dyn Tx, job: JobId) -> Result<()> {
    let now = tx.now();
    tx.execute(&RESOLVE, params![job, now])?;
    Ok(())
}

fn redrive(tx: &mut dyn Tx, letter: DeadLetterId, job: JobId, conversation: ConversationId) -> Result<()> {
    let now = tx.now();
    tx.execute(&RETRYING, params![letter])?;
    tx.execute(&REQUEUE, params![job, now])?;
    leases::make_due(tx, conversation, now)
}

/// Whether any is due: asked often, since operators change `next_retry_at` by SQL, and without troubling the writer.
#[derive(Clone, Copy, Debug)]
pub struct AnyDue;

impl Op for AnyDue {
    const NAME: &'static str = "dead_letters.any_due";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        let now = tx.now();
        Ok(tx.first(&ANY_DUE, params![now], |_| Ok(()))?.is_some())
    }
}

/// Queues again what is due; how many.
#[derive(Clone, Copy, Debug)]
pub struct RedriveDue {
    /// At most so many.
    pub limit: u32,
}

impl Op for RedriveDue {
    const NAME: &'static str = "dead_letters.redrive_due";
    type Out = u32;

    fn reach(&self) -> Reach {
        Reach::Finds
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<u32> {
        let now = tx.now();
        let due = tx.all(&DUE, params![now, self.limit], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
        for (letter, job, conversation) in &due {
            redrive(tx, *letter, *job, *conversation)?;
        }
        Ok(u32::try_from(due.len()).unwrap_or(u32::MAX))
    }
}

/// What a person decides about one dead letter.
#[derive(Clone, Debug)]
pub struct Decide {
    /// Which.
    pub letter: DeadLetterId,
    /// Try it again now, or give it up.
    pub retry: bool,
    /// Who decides.
    pub actor: String,
}

impl Op for Decide {
    const NAME: &'static str = "dead_letters.decide";
    type Out = DeadLetterStatus;

    fn run(&self, tx: &mut dyn Tx) -> Result<DeadLetterStatus> {
        let found = tx.first(&ONE, params![self.letter], |r| {
            Ok((r.get::<JobId>(1)?, r.get::<ConversationId>(2)?, r.get::<DeadLetterStatus>(3)?))
        })?;
        let Some((job, conversation, status)) = found else {
            return Err(StoreError::NotFound { what: "dead letter", id: self.letter.to_string() });
        };
        if self.retry {
            let to = status.advance(DeadLetterStatus::Retrying)?;
            redrive(tx, self.letter, job, conversation)?;
            return Ok(to);
        }
        let to = status.advance(DeadLetterStatus::Discarded)?;
        let now = tx.now();
        tx.execute(&DISCARD, params![self.letter, now, &self.actor])?;
        Ok(to)
    }
}

/// A dead letter, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// The job that died.
    pub job: JobId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The customer's message.
    pub message: MessageId,
    /// Its provider id.
    pub provider_message_id: Option<String>,
    /// The class of the failure.
    pub fault: String,
    /// What happened.
    pub error: String,
    /// Attempts in all.
    pub attempts: u32,
    /// Times it was queued again.
    pub redrives: u32,
    /// What becomes of it.
    pub status: DeadLetterStatus,
    /// When it is queued again by itself.
    pub next_retry_at: Option<Timestamp>,
    /// When the message came.
    pub first_at: Timestamp,
    /// The last failure.
    pub last_at: Timestamp,
    /// The message as it came; personal.
    pub payload: String,
}

/// Lists dead letters, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Only of this status.
    pub status: Option<DeadLetterStatus>,
    /// Only older than this one.
    pub before: Option<DeadLetterId>,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "dead_letters.list";
    type Out = Vec<DeadLetter>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<DeadLetter>> {
        let before = self.before.map_or(i64::MAX, |b| b.0);
        let status = self.status.map_or("", DeadLetterStatus::as_str);
        tx.all(&LIST, params![status, before, self.limit], |r| {
            Ok(DeadLetter {
                id: r.get(0)?,
                job: r.get(1)?,
                conversation: r.get(2)?,
                message: r.get(3)?,
                provider_message_id: r.get(4)?,
                fault: r.get(5)?,
                error: r.get(6)?,
                attempts: r.get(7)?,
                redrives: r.get(8)?,
                status: r.get(9)?,
                next_retry_at: r.get(10)?,
                first_at: r.get(11)?,
                last_at: r.get(12)?,
                payload: r.get(13)?,
            })
        })
    }
}
