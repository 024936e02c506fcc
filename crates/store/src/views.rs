//! What people look at: conversations, threads, failed sends, jobs and their figures. Lists are bounded and paged by id; counts of open work
//! come from small partial indexes, never from a scan of everything (R7).

use types::outbound::Recipient;
use types::states::{ConversationState, JobState, MessageStatus};
use types::{ConversationId, JobId, MessageId, Timestamp};

use crate::contacts::{self, Door};
use crate::error::Result;
use crate::sql::{Op, Row, Tx};
use crate::work::{Snapshot, parse_json};

sql! {
    SNAPSHOT = "views.snapshot":
        "SELECT v.tenant_id, v.channel_id, v.contact_id, v.lead_id, v.state, v.state_until, v.memory, v.recipient, c.name
         FROM conversation v JOIN contacts c ON c.id = v.contact_id WHERE v.id = $1";
    CONVERSATIONS = "views.conversations":
        "SELECT v.id, t.slug, c.name, c.phone, v.state, v.last_message_at, v.created_at, l.service, l.name, l.nationality,
                (SELECT m.body FROM message m WHERE m.conversation_id = v.id ORDER BY m.id DESC LIMIT 1)
         FROM conversation v JOIN contacts c ON c.id = v.contact_id JOIN tenants t ON t.id = v.tenant_id
              JOIN lead l ON l.id = v.lead_id
         WHERE v.id < $1 ORDER BY v.id DESC LIMIT $2";
    THREAD = "views.thread":
        "SELECT id, direction, sender, kind, body, status, provider_id, in_reply_to, error_code, error, possible_duplicate, created_at,
                sent_at, delivered_at, read_at, request_id
         FROM message WHERE conversation_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    FAILED = "views.failed_sends":
        "SELECT m.id, m.conversation_id, m.body, m.status, m.error_code, m.error, o.attempts, m.created_at, m.possible_duplicate
         FROM message m JOIN outbox o ON o.message_id = m.id
         WHERE m.direction = 'out' AND m.status IN ('failed', 'held') AND m.dismissed_at IS NULL AND m.id < $1 ORDER BY m.id DESC LIMIT $2";
    RETRYING = "views.retrying_sends":
        "SELECT m.id, m.conversation_id, m.body, m.status, m.error_code, m.error, o.attempts, m.created_at, m.possible_duplicate, o.due_at
         FROM outbox o JOIN message m ON m.id = o.message_id
         WHERE o.due_at IS NOT NULL AND m.status IN ('pending', 'unknown') AND (o.attempts > 0 OR m.error IS NOT NULL) AND m.id < $1
         ORDER BY m.id DESC LIMIT $2";
    JOBS = "views.jobs":
        "SELECT id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, outcome, error, request_id, created_at,
                started_at, completed_at
         FROM jobs WHERE ($1 = '' OR state = $1) AND id < $2 ORDER BY id DESC LIMIT $3";
    OPEN_JOBS = "views.open_jobs":
        "SELECT COALESCE(SUM(CASE WHEN state = 'queued' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN state = 'running' THEN 1 ELSE 0 END), 0),
                MIN(CASE WHEN state = 'queued' THEN run_at END)
         FROM jobs WHERE state IN ('queued', 'running')";
    FINISHED = "views.finished_jobs":
        "SELECT state, created_at, completed_at FROM jobs WHERE id > $1 AND completed_at IS NOT NULL ORDER BY id DESC LIMIT $2";
    OPEN_SENDS = "views.open_sends":
        "SELECT x.status, COUNT(*) FROM (SELECT (SELECT m.status FROM message m WHERE m.id = o.message_id) AS status FROM outbox o WHERE o.due_at IS NOT NULL) AS x
         GROUP BY x.status";
    PENDING_LETTERS = "views.pending_letters": "SELECT COUNT(*) FROM dead_letters WHERE status = 'pending'";
    OUTCOME = "views.outcome":
        "SELECT j.state, j.outcome, j.conversation_id, m.status, m.body
         FROM jobs j LEFT JOIN message m ON m.conversation_id = j.conversation_id AND m.in_reply_to = j.message_id AND m.direction = 'out'
         WHERE j.id = $1 ORDER BY m.id LIMIT 1";
    LAST_ID = "views.last_id":
        "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM message UNION ALL SELECT MAX(id) FROM attempts UNION ALL SELECT MAX(id) FROM events
         UNION ALL SELECT MAX(id) FROM conversation UNION ALL SELECT MAX(id) FROM transitions UNION ALL SELECT MAX(id) FROM notification
         UNION ALL SELECT MAX(id) FROM dead_letters UNION ALL SELECT MAX(id) FROM contacts UNION ALL SELECT MAX(id) FROM lead
         UNION ALL SELECT MAX(id) FROM channels UNION ALL SELECT MAX(id) FROM tenants UNION ALL SELECT MAX(id) FROM notes
         UNION ALL SELECT MAX(id) FROM task UNION ALL SELECT MAX(id) FROM users UNION ALL SELECT MAX(id) FROM tokens
         UNION ALL SELECT MAX(id) FROM audit UNION ALL SELECT MAX(id) FROM batches
         UNION ALL SELECT MAX(id) FROM endpoint UNION ALL SELECT MAX(id) FROM delivery UNION ALL SELECT MAX(id) FROM spool) AS ids";
}

/// The largest id in use, for a process that starts on an existing database.
#[derive(Clone, Copy, Debug)]
pub struct LastId;

impl Op for LastId {
    const NAME: &'static str = "views.last_id";
    type Out = i64;

    fn run(&self, tx: &mut dyn Tx) -> Result<i64> {
        Ok(tx.first(&LAST_ID, &[], |r| r.get::<Option<i64>>(0))?.flatten().unwrap_or(0))
    }
}

pub(crate) fn snapshot(tx: &mut dyn Tx, id: ConversationId) -> Result<Option<Snapshot>> {
    tx.first(&SNAPSHOT, params![id], |row| {
        let recipient: String = row.get(7)?;
        Ok(Snapshot {
            tenant: row.get(0)?,
            channel: row.get(1)?,
            conversation: id,
            contact: row.get(2)?,
            lead: row.get(3)?,
            state: row.get(4)?,
            state_until: row.get(5)?,
            memory: row.get(6)?,
            recipient: parse_json::<Recipient>(row, 7, &recipient)?,
            profile_name: row.get(8)?,
        })
    })
}

/// The open conversation with a phone number on a channel, made when there is none.
#[derive(Clone, Debug)]
pub struct OpenConversation {
    /// The channel.
    pub door: Door,
    /// The number, digits only.
    pub phone: String,
}

impl Op for OpenConversation {
    const NAME: &'static str = "views.open_conversation";
    type Out = ConversationId;

    fn run(&self, tx: &mut dyn Tx) -> Result<ConversationId> {
        let who = types::inbound::Identity { phone: Some(self.phone.clone()), ..Default::default() };
        Ok(contacts::thread(tx, &self.door, &who, None)?.snapshot.conversation)
    }
}

/// A conversation in a list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConversationRow {
    /// Its id.
    pub id: ConversationId,
    /// Whose.
    pub tenant: String,
    /// The name in the person's profile.
    pub contact_name: Option<String>,
    /// Their number.
    pub phone: Option<String>,
    /// Who answers.
    pub state: ConversationState,
    /// The last message of either side.
    pub last_message_at: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// What they want.
    pub service: Option<String>,
    /// The name they gave.
    pub lead_name: Option<String>,
    /// Their nationality.
    pub nationality: Option<String>,
    /// The last message's text.
    pub last_message: Option<String>,
}

/// Lists conversations, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Conversations {
    /// Only older than this one.
    pub before: Option<ConversationId>,
    /// At most so many.
    pub limit: u32,
}

impl Op for Conversations {
    const NAME: &'static str = "views.conversations";
    type Out = Vec<ConversationRow>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<ConversationRow>> {
        let before = self.before.map_or(i64::MAX, |b| b.0);
        tx.all(&CONVERSATIONS, params![before, self.limit], |r| {
            Ok(ConversationRow {
                id: r.get(0)?,
                tenant: r.get(1)?,
                contact_name: r.get(2)?,
                phone: r.get(3)?,
                state: r.get(4)?,
                last_message_at: r.get(5)?,
                created_at: r.get(6)?,
                service: r.get(7)?,
                lead_name: r.get(8)?,
                nationality: r.get(9)?,
                last_message: r.get(10)?,
            })
        })
    }
}

/// A message in a thread.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// `in` or `out`.
    pub direction: String,
    /// `USER`, `AI`, `HUMAN`, `SYSTEM`.
    pub sender: String,
    /// `text`, `image`, …
    pub kind: String,
    /// Its text.
    pub body: String,
    /// `received`, or the status of an outgoing message.
    pub status: String,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// What it answers.
    pub in_reply_to: Option<MessageId>,
    /// The provider's code of its failure.
    pub error_code: Option<i64>,
    /// Its failure in words.
    pub error: Option<String>,
    /// It was sent again without knowing the fate of the first.
    pub possible_duplicate: bool,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When the provider had it.
    pub sent_at: Option<Timestamp>,
    /// When it reached the phone.
    pub delivered_at: Option<Timestamp>,
    /// When it was opened.
    pub read_at: Option<Timestamp>,
    /// The request that brought or caused it.
    pub request_id: Option<String>,
}

/// Lists a conversation's messages, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Only after this one.
    pub after: Option<MessageId>,
    /// At most so many.
    pub limit: u32,
}

fn message(r: &dyn Row) -> Result<MessageRow> {
    Ok(MessageRow {
        id: r.get(0)?,
        direction: r.get(1)?,
        sender: r.get(2)?,
        kind: r.get(3)?,
        body: r.get(4)?,
        status: r.get(5)?,
        provider_id: r.get(6)?,
        in_reply_to: r.get(7)?,
        error_code: r.get(8)?,
        error: r.get(9)?,
        possible_duplicate: r.get(10)?,
        created_at: r.get(11)?,
        sent_at: r.get(12)?,
        delivered_at: r.get(13)?,
        read_at: r.get(14)?,
        request_id: r.get(15)?,
    })
}

impl Op for Thread {
    const NAME: &'static str = "views.thread";
    type Out = Vec<MessageRow>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<MessageRow>> {
        let after = self.after.map_or(0, |a| a.0);
        tx.all(&THREAD, params![self.conversation, after, self.limit], message)
    }
}

/// A message that did not go out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FailedSend {
    /// The message.
    pub id: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its text.
    pub body: String,
    /// `failed` or `held`.
    pub status: MessageStatus,
    /// The provider's code.
    pub error_code: Option<i64>,
    /// Why, in words.
    pub error: Option<String>,
    /// Attempts on record.
    pub attempts: u32,
    /// When it was saved.
    pub created_at: Timestamp,
    /// It may have arrived.
    pub possible_duplicate: bool,
}

/// Lists failed and held sends, newest first.
#[derive(Clone, Copy, Debug)]
pub struct FailedSends {
    /// Only older than this one.
    pub before: Option<MessageId>,
    /// At most so many.
    pub limit: u32,
}

impl Op for FailedSends {
    const NAME: &'static str = "views.failed_sends";
    type Out = Vec<FailedSend>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<FailedSend>> {
        let before = self.before.map_or(i64::MAX, |b| b.0);
        tx.all(&FAILED, params![before, self.limit], failed)
    }
}

fn failed(r: &dyn Row) -> Result<FailedSend> {
    Ok(FailedSend {
        id: r.get(0)?,
        conversation: r.get(1)?,
        body: r.get(2)?,
        status: r.get(3)?,
        error_code: r.get(4)?,
        error: r.get(5)?,
        attempts: r.get(6)?,
        created_at: r.get(7)?,
        possible_duplicate: r.get(8)?,
    })
}

/// A send that waits for its next attempt, or for a trace of its last.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RetryingSend {
    /// The message, and what became of the last attempt.
    #[serde(flatten)]
    pub send: FailedSend,
    /// When it goes on.
    pub next_at: Timestamp,
}

/// Lists them, newest first.
#[derive(Clone, Copy, Debug)]
pub struct RetryingSends {
    /// Only older than this one.
    pub before: Option<MessageId>,
    /// At most so many.
    pub limit: u32,
}

impl Op for RetryingSends {
    const NAME: &'static str = "views.retrying_sends";
    type Out = Vec<RetryingSend>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<RetryingSend>> {
        let before = self.before.map_or(i64::MAX, |b| b.0);
        tx.all(&RETRYING, params![before, self.limit], |r| Ok(RetryingSend { send: failed(r)?, next_at: r.get(9)? }))
    }
}

/// A job in a list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct JobRow {
    /// Its id.
    pub id: JobId,
    /// `turn`.
    pub kind: String,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The message it works.
    pub message: MessageId,
    /// Where it stands.
    pub state: JobState,
    /// When it may run.
    pub run_at: Timestamp,
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts allowed.
    pub max_attempts: u32,
    /// What it came to.
    pub outcome: Option<String>,
    /// The last failure.
    pub error: Option<String>,
    /// The request that brought it.
    pub request_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// Lists jobs, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Jobs {
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only older than this one.
    pub before: Option<JobId>,
    /// At most so many.
    pub limit: u32,
}

impl Op for Jobs {
    const NAME: &'static str = "views.jobs";
    type Out = Vec<JobRow>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<JobRow>> {
        let (state, before) = (self.state.map_or("", JobState::as_str), self.before.map_or(i64::MAX, |b| b.0));
        tx.all(&JOBS, params![state, before, self.limit], |r| {
            Ok(JobRow {
                id: r.get(0)?,
                kind: r.get(1)?,
                conversation: r.get(2)?,
                message: r.get(3)?,
                state: r.get(4)?,
                run_at: r.get(5)?,
                attempts: r.get(6)?,
                max_attempts: r.get(7)?,
                outcome: r.get(8)?,
                error: r.get(9)?,
                request_id: r.get(10)?,
                created_at: r.get(11)?,
                started_at: r.get(12)?,
                completed_at: r.get(13)?,
            })
        })
    }
}

/// Figures of the queue (S2.8). Times and rates are of the newest finished jobs of the last 24 hours, [`SAMPLE`] at most.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct JobFigures {
    /// Waiting.
    pub queued: i64,
    /// Being worked.
    pub running: i64,
    /// Dead or cancelled in the sample.
    pub failed_24h: i64,
    /// Finished well in the sample.
    pub done_24h: i64,
    /// From stored to finished, mean, milliseconds.
    pub mean_processing_ms: f64,
    /// The same, 95th percentile.
    pub p95_processing_ms: f64,
    /// Share of finished jobs that finished well; 1 when none finished.
    pub success_rate: f64,
    /// How long the oldest waiting job has been due, seconds.
    pub lag_seconds: f64,
    /// Outgoing messages whose fate is open, by status.
    pub open_sends: Vec<(String, i64)>,
    /// Dead letters that wait.
    pub pending_dead_letters: i64,
}

/// At most so many finished jobs are looked at for the figures.
pub const SAMPLE: u32 = 10_000;

/// Asks for the figures of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Figures;

impl Op for Figures {
    const NAME: &'static str = "views.figures";
    type Out = JobFigures;

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn run(&self, tx: &mut dyn Tx) -> Result<JobFigures> {
        let now = tx.now();
        let mut f = JobFigures::default();
        let open =
            tx.first(&OPEN_JOBS, &[], |r| Ok((r.get::<i64>(0)?, r.get::<i64>(1)?, r.get::<Option<Timestamp>>(2)?)))?;
        if let Some((queued, running, oldest)) = open {
            (f.queued, f.running) = (queued, running);
            f.lag_seconds = oldest.map_or(0.0, |at| now.since(at).as_secs_f64());
        }
        let day_ago = now.minus(std::time::Duration::from_secs(86_400));
        let since = types::ids::first_id_of(day_ago);
        let mut times = Vec::new();
        tx.query(&FINISHED, params![since, SAMPLE], &mut |r| {
            if r.get::<JobState>(0)? == JobState::Done {
                f.done_24h += 1;
                times.push(r.get::<Timestamp>(2)?.since(r.get(1)?).as_secs_f64() * 1000.0);
            } else {
                f.failed_24h += 1;
            }
            Ok(())
        })?;
        times.sort_by(f64::total_cmp);
        let finished = f.done_24h + f.failed_24h;
        f.success_rate = if finished == 0 { 1.0 } else { f.done_24h as f64 / finished as f64 };
        if !times.is_empty() {
            f.mean_processing_ms = times.iter().sum::<f64>() / times.len() as f64;
            f.p95_processing_ms = times[(times.len() * 95 / 100).min(times.len() - 1)];
        }
        f.open_sends = tx.all(&OPEN_SENDS, &[], |r| Ok((r.get(0)?, r.get(1)?)))?;
        f.pending_dead_letters = tx.number(&PENDING_LETTERS, &[])?;
        Ok(f)
    }
}

/// What a customer's message has come to so far (S1.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutcome {
    /// Where its job stands.
    pub job: JobState,
    /// What the job came to.
    pub outcome: Option<String>,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The reply's status and text, when there is one.
    pub reply: Option<(MessageStatus, String)>,
}

/// Asks what a customer's message has come to.
#[derive(Clone, Copy, Debug)]
pub struct OutcomeOf(pub MessageId);

impl Op for OutcomeOf {
    const NAME: &'static str = "views.outcome";
    type Out = Option<MessageOutcome>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Option<MessageOutcome>> {
        tx.first(&OUTCOME, params![self.0], |r| {
            let status: Option<MessageStatus> = r.get(3)?;
            let body: Option<String> = r.get(4)?;
            Ok(MessageOutcome { job: r.get(0)?, outcome: r.get(1)?, conversation: r.get(2)?, reply: status.zip(body) })
        })
    }
}
