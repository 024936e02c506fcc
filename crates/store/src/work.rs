//! What a worker holds: a lease on a conversation, what it must know of it, and the next piece of work in it.
//!
//! Order within a conversation (promise 4): unsettled messages go out in the order of their ids, then the oldest open job is
//! worked. Only the head of each line is ever due, so a message that waits for its retry keeps later ones behind it.

use std::sync::Arc;

use types::inbound::Content;
use types::outbound::{OutboundContent, Recipient};
use types::states::{ChannelState, ConversationState, JobState, MessageStatus};
use types::{
    ChannelId, ContactId, ConversationId, DedupeKey, JobId, LeadId, MessageId, ProviderMessageId, RequestId, TenantId,
    Timestamp,
};

use crate::error::{Result, StoreError};
use crate::policy::Policy;
use crate::sql::{Row, Tx};

/// The right to work one conversation, until a time, with a fencing token that every write checks (S2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Who holds it: node and start, unique to a process.
    pub owner: Arc<str>,
    /// Until when, by the database's time.
    pub until: Timestamp,
    /// Grows with every claim.
    pub fence: i64,
}

/// What a worker knows of its conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Whose.
    pub tenant: TenantId,
    /// Over which number.
    pub channel: ChannelId,
    /// Which.
    pub conversation: ConversationId,
    /// With whom.
    pub contact: ContactId,
    /// About what.
    pub lead: LeadId,
    /// Who answers.
    pub state: ConversationState,
    /// Until when that state lasts.
    pub state_until: Option<Timestamp>,
    /// What the engine remembers, as it wrote it.
    pub memory: Option<String>,
    /// Where answers go.
    pub recipient: Recipient,
    /// The name in the contact's profile.
    pub profile_name: Option<String>,
}

/// A claimed conversation with the next thing to do in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The right to do it.
    pub lease: Lease,
    /// What is known.
    pub snapshot: Snapshot,
    /// What to do.
    pub work: Work,
}

/// One thing to do under a lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Decide the answer to a message.
    Turn(Turn),
    /// Send a message; it is marked `sending` already.
    Deliver(Deliver),
    /// A send whose fate is unknown has reached the end of its window.
    Reconcile(Deliver),
}

/// A message to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The job.
    pub job: JobId,
    /// The customer's message.
    pub message: MessageId,
    /// Its provider id.
    pub provider_id: ProviderMessageId,
    /// What it says.
    pub content: Content,
    /// The request that brought it.
    pub request_id: RequestId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Whether it comes out of the dead letters.
    pub redriven: bool,
    /// When it was stored.
    pub received_at: Timestamp,
    /// What the person wrote right after it, to be answered with it (S3.10).
    pub gathered: Vec<Gathered>,
}

/// A message that is answered together with the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// Its job.
    pub job: JobId,
    /// The message.
    pub message: MessageId,
    /// What it says.
    pub text: String,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Deliver {
    /// Our id.
    pub message: MessageId,
    /// Whose.
    pub tenant: TenantId,
    /// Over which number.
    pub channel: ChannelId,
    /// What makes it unique.
    pub dedupe_key: DedupeKey,
    /// What to say.
    pub content: OutboundContent,
    /// The message to quote, if any.
    pub quotes: Option<ProviderMessageId>,
    /// The customer's message that it answers.
    pub in_reply_to: Option<MessageId>,
    /// The request that caused it.
    pub request_id: RequestId,
    /// Attempts that are on record.
    pub attempts: u32,
    /// Times it was sent again without knowing the fate of the first.
    pub resends: u32,
    /// When the last attempt was made.
    pub last_attempt_at: Option<Timestamp>,
    /// When the reply was saved.
    pub created_at: Timestamp,
}

/// What comes next in a conversation.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each conversation in work, and made for every message: it is not worth an allocation"
)]
pub enum Next {
    /// This, now.
    Work(Work),
    /// Nothing until then; `None`: nothing at all.
    Wait(Option<Timestamp>),
}

sql! {
    OUTBOX_HEAD = "work.outbox_head":
        "SELECT o.message_id, o.dedupe_key, o.due_at, o.attempts, o.resends, o.last_attempt_at, o.created_at,
                m.status, m.content, m.body, m.quotes, m.in_reply_to, m.request_id, c.state, c.kind, o.tenant_id, o.channel_id
         FROM outbox o JOIN message m ON m.id = o.message_id JOIN channels c ON c.id = o.channel_id
         WHERE o.conversation_id = $1 AND o.due_at IS NOT NULL ORDER BY o.message_id LIMIT 1";
    JOB_HEAD = "work.job_head":
        "SELECT j.id, j.message_id, j.run_at, j.attempts, j.max_attempts, j.state, j.redrives, j.request_id, j.created_at,
                m.provider_id, m.kind, m.body, m.content, j.kind
         FROM jobs j JOIN message m ON m.id = j.message_id
         WHERE j.conversation_id = $1 AND j.state IN ('queued', 'running') ORDER BY j.id LIMIT 1";
    GATHERED = "work.gathered":
        "SELECT j.id, j.message_id, m.body FROM jobs j JOIN message m ON m.id = j.message_id
         WHERE j.conversation_id = $1 AND j.state = 'queued' AND j.kind = 'gather' AND j.id > $2
           AND NOT EXISTS (SELECT 1 FROM jobs b WHERE b.conversation_id = $1 AND b.state IN ('queued', 'running') AND b.kind <> 'gather'
                           AND b.id > $2 AND b.id < j.id)
         ORDER BY j.id LIMIT 50";
    START_JOB = "work.start_job":
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = $2 WHERE id = $1";
    MARK_SENDING = "work.mark_sending":
        "UPDATE message SET status = 'sending' WHERE id = $1";
    MARK_UNKNOWN = "work.mark_unknown":
        "UPDATE message SET status = 'unknown', error = $2 WHERE id = $1";
    WAIT_UNTIL = "work.wait_until":
        "UPDATE outbox SET due_at = $2, last_attempt_at = COALESCE(last_attempt_at, $3) WHERE message_id = $1";
}

struct Head {
    deliver: Deliver,
    due_at: Timestamp,
    status: MessageStatus,
    channel: ChannelState,
    kind: String,
}

fn head(row: &dyn Row) -> Result<Head> {
    let body: String = row.get(9)?;
    let content = match row.get::<Option<String>>(8)? {
        Some(json) => parse_json(row, 8, &json)?,
        None => OutboundContent::Text { body },
    };
    Ok(Head {
        deliver: Deliver {
            message: row.get(0)?,
            tenant: row.get(15)?,
            channel: row.get(16)?,
            dedupe_key: row.get(1)?,
            content,
            quotes: row.get(10)?,
            in_reply_to: row.get(11)?,
            request_id: row.get::<Option<_>>(12)?.unwrap_or_else(|| RequestId(String::new())),
            attempts: row.get(3)?,
            resends: row.get(4)?,
            last_attempt_at: row.get(5)?,
            created_at: row.get(6)?,
        },
        due_at: row.get(2)?,
        status: row.get(7)?,
        channel: row.get(13)?,
        kind: row.get(14)?,
    })
}

/// Reads a JSON column.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(row: &dyn Row, column: usize, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| StoreError::Corrupt {
        statement: row.statement(),
        column,
        why: e.to_string(),
    })
}

struct JobHead {
    turn: Turn,
    run_at: Timestamp,
    state: JobState,
    max_attempts: u32,
    gathers: bool,
}

fn job_head(row: &dyn Row) -> Result<JobHead> {
    let content = stored_content(row, row.get(11)?, row.get(12)?)?;
    Ok(JobHead {
        turn: Turn {
            job: row.get(0)?,
            message: row.get(1)?,
            provider_id: row.get(9)?,
            content,
            request_id: row.get::<Option<_>>(7)?.unwrap_or_else(|| RequestId(String::new())),
            attempt: row.get::<u32>(3)? + 1,
            redriven: row.get::<u32>(6)? > 0,
            received_at: row.get(8)?,
            gathered: Vec::new(),
        },
        run_at: row.get(2)?,
        state: row.get(5)?,
        max_attempts: row.get(4)?,
        gathers: row.get::<String>(13)? == "gather",
    })
}

/// The content of a stored message: plain text lives in `body`, everything else as JSON in `content`.
pub(crate) fn stored_content(row: &dyn Row, body: String, json: Option<String>) -> Result<Content> {
    json.map_or(Ok(Content::Text { body }), |json| parse_json(row, 12, &json))
}

/// The next thing to do in a conversation whose lease the caller holds, marked as begun: a message as `sending`, a job as `running`.
pub(crate) fn next_work(tx: &mut dyn Tx, conversation: ConversationId, policy: &Policy) -> Result<Next> {
    let now = tx.now();
    let mut wait: Option<Timestamp> = None;
    if let Some(head) = tx.first(&OUTBOX_HEAD, params![conversation], head)? {
        match due_message(tx, head, policy, now)? {
            Next::Wait(until) => wait = until,
            work @ Next::Work(_) => return Ok(work),
        }
    }
    while let Some(mut head) = tx.first(&JOB_HEAD, params![conversation], job_head)? {
        if head.run_at > now {
            return Ok(Next::Wait(Some(wait.map_or(head.run_at, |w| w.min(head.run_at)))));
        }
        // A job that is still running belongs to a holder that died with it. One that kills its holder each time must end
        // somewhere: among the dead letters.
        if head.state == JobState::Running && head.turn.attempt > head.max_attempts {
            let why = "the process ended during every attempt at this message";
            crate::dead_letters::bury(tx, head.turn.job, types::Fault::Bug, why, policy)?;
            continue;
        }
        tx.execute(&START_JOB, params![head.turn.job, now])?;
        if head.gathers {
            // They stay queued until the answer is saved: a crash finds them as they are.
            let gathered = |r: &dyn Row| Ok(Gathered { job: r.get(0)?, message: r.get(1)?, text: r.get(2)? });
            head.turn.gathered = tx.all(&GATHERED, params![conversation, head.turn.job], gathered)?;
        }
        return Ok(Next::Work(Work::Turn(head.turn)));
    }
    Ok(Next::Wait(wait))
}

/// The reply that is to go out next, where that is due: for a drain, which begins no turn.
pub(crate) fn next_delivery(tx: &mut dyn Tx, conversation: ConversationId, policy: &Policy) -> Result<Option<Deliver>> {
    let now = tx.now();
    let Some(head) = tx.first(&OUTBOX_HEAD, params![conversation], head)? else { return Ok(None) };
    match due_message(tx, head, policy, now)? {
        Next::Work(Work::Deliver(deliver)) => Ok(Some(deliver)),
        _ => Ok(None),
    }
}

fn due_message(tx: &mut dyn Tx, head: Head, policy: &Policy, now: Timestamp) -> Result<Next> {
    // Nobody else holds the lease, so a message that is still `sending` was cut off with its sender.
    if head.status == MessageStatus::Sending {
        let until = now.plus(policy.reconcile(&head.kind));
        let why = "the process ended while this was being sent; waiting for WhatsApp's receipt";
        tx.execute(&MARK_UNKNOWN, params![head.deliver.message, why])?;
        tx.execute(&WAIT_UNTIL, params![head.deliver.message, until, now])?;
        metrics::counter!("send_ambiguous_total", "resolved_by" => "none_yet").increment(1);
        return Ok(Next::Wait(Some(until)));
    }
    if head.due_at > now {
        return Ok(Next::Wait(Some(head.due_at)));
    }
    match head.status {
        MessageStatus::Unknown => Ok(Next::Work(Work::Reconcile(head.deliver))),
        // A paused channel keeps its messages; its resumption makes their conversations due again.
        MessageStatus::Pending if head.channel == ChannelState::Ready => {
            tx.execute(&MARK_SENDING, params![head.deliver.message])?;
            Ok(Next::Work(Work::Deliver(head.deliver)))
        }
        _ => Ok(Next::Wait(None)),
    }
}
