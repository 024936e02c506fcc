//! The outbox (S4.1): what is to be sent, saved with the state it came from, and what became of every attempt (S4.2–S4.4).

use std::sync::Arc;
use std::time::Duration;

use types::outbound::{OutboundContent, Outcome};
use types::states::{ConversationState, IllegalMove, MessageStatus, SendOutcome};
use types::{
    AttemptId, ChannelId, ConversationId, DedupeKey, Fault, MessageId, ProviderMessageId, Refusal, RequestId, Scope,
    Timestamp,
};

use crate::error::{Result, StoreError};
use crate::jobs::After;
use crate::policy::{OnUnknown, Pauses, Policy};
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Tx};
use crate::work::{Deliver, Lease, Next, Snapshot, Work};
use crate::{channels, conversations, leases, notifications, receipts};

sql! {
    SAVE = "outbox.save_message":
        "INSERT INTO message (id, tenant_id, conversation_id, channel_id, direction, sender, kind, body, content, quotes, status,
                               in_reply_to, created_at, request_id)
         VALUES ($1, $2, $3, $4, 'out', $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    IS_CLEAR = "outbox.is_clear":
        "SELECT 1 FROM channels WHERE id = $1 AND state = 'ready'
         AND NOT EXISTS (SELECT 1 FROM outbox WHERE conversation_id = $2 AND due_at IS NOT NULL)";
    ENQUEUE = "outbox.enqueue":
        "INSERT INTO outbox (message_id, tenant_id, channel_id, conversation_id, dedupe_key, due_at, attempts, resends, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7) ON CONFLICT (dedupe_key) DO NOTHING";
    HAS_KEY = "outbox.has_key": "SELECT message_id FROM outbox WHERE dedupe_key = $1";
    STATE = "outbox.state":
        "SELECT m.status, o.attempts, o.resends, m.tenant_id, m.channel_id, c.kind, m.provider_id
         FROM message m JOIN outbox o ON o.message_id = m.id JOIN channels c ON c.id = m.channel_id WHERE m.id = $1";
    ATTEMPT = "attempts.add":
        "INSERT INTO attempts (id, tenant_id, message_id, outcome, fault, code, http, error, preview, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    WAITED = "attempts.add_wait":
        "INSERT INTO attempts (id, tenant_id, message_id, outcome, fault, code, http, error, preview, at)
         SELECT $1, m.tenant_id, m.id, $3, $4, NULL, NULL, $5, substr(m.body, 1, 100), $6 FROM message m
         WHERE m.id = $2 AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.message_id = m.id AND a.error = $5)";
    SENT = "messages.sent":
        "UPDATE message SET status = 'sent', provider_id = $2, sent_at = COALESCE(sent_at, $3), error = NULL, error_code = NULL
         WHERE id = $1 AND status = 'sending'";
    DONE = "outbox.done":
        "UPDATE outbox SET due_at = NULL, attempts = attempts + 1, last_attempt_at = $2 WHERE message_id = $1";
    ACCEPTED = "messages.accepted":
        "UPDATE message SET status = $2, provider_id = $3, sent_at = COALESCE(sent_at, $4),
                error = CASE WHEN $2 = 'failed' THEN error END, error_code = CASE WHEN $2 = 'failed' THEN error_code END
         WHERE id = $1";
    TROUBLE = "messages.trouble":
        "UPDATE message SET status = $2, error = $3, error_code = $4 WHERE id = $1";
    MOVE = "outbox.move":
        "UPDATE outbox SET due_at = $2, attempts = $3, last_attempt_at = $4 WHERE message_id = $1";
    POSTPONE = "outbox.postpone": "UPDATE outbox SET due_at = $2 WHERE message_id = $1";
    RESEND = "outbox.resend":
        "UPDATE outbox SET due_at = $2, resends = resends + 1 WHERE message_id = $1";
    MARK_DUPLICATE = "messages.mark_possible_duplicate":
        "UPDATE message SET possible_duplicate = 1, status = 'sending' WHERE id = $1";
    TOUCH = "conversations.touch": "UPDATE conversation SET last_message_at = $2 WHERE id = $1";
    OF_MESSAGE = "outbox.of_message":
        "SELECT m.status, m.conversation_id FROM message m JOIN outbox o ON o.message_id = m.id WHERE m.id = $1";
    AGAIN = "outbox.again":
        "UPDATE outbox SET due_at = $2, attempts = 0, resends = 0 WHERE message_id = $1";
    BACK = "messages.pending_again": "UPDATE message SET status = 'pending', error = NULL, error_code = NULL, dismissed_at = NULL WHERE id = $1";
}

/// How long a message waits for people to change a setting, where no schedule says it.
const WAIT_FOR_PEOPLE: Duration = Duration::from_secs(3600);

/// A message to be saved and sent.
pub(crate) struct NewMessage<'a> {
    pub snapshot: &'a Snapshot,
    /// `AI`, `HUMAN` or `SYSTEM`.
    pub sender: &'static str,
    pub dedupe_key: DedupeKey,
    pub content: &'a OutboundContent,
    pub quotes: Option<&'a ProviderMessageId>,
    pub in_reply_to: Option<MessageId>,
    pub request_id: &'a str,
    pub due: Timestamp,
    pub status: MessageStatus,
}

/// Saves a message and its outbox entry; `None` when its key exists, so that nothing is said twice (promise 2).
pub(crate) fn save(tx: &mut dyn Tx, new: &NewMessage<'_>) -> Result<Option<MessageId>> {
    let (id, now, s) = (MessageId(tx.next_id()), tx.now(), new.snapshot);
    // The key decides, so its row comes first.
    let p = params![id, s.tenant, s.channel, s.conversation, &new.dedupe_key.0, new.due, now];
    if tx.execute(&ENQUEUE, p)? == 0 {
        return Ok(None);
    }
    let content = match new.content {
        OutboundContent::Text { .. } => None,
        other => Some(serde_json::to_string(other).unwrap_or_default()),
    };
    let p = params![
        id,
        s.tenant,
        s.conversation,
        s.channel,
        new.sender,
        new.content.kind(),
        new.content.text(),
        content.as_deref(),
        new.quotes.map(|q| q.0.as_str()),
        new.status.as_str(),
        new.in_reply_to,
        now,
        new.request_id,
    ];
    tx.execute(&SAVE, p)?;
    Ok(Some(id))
}

/// Whether a message of this conversation would go out at once: its channel works and no other message waits before it.
pub(crate) fn is_clear(tx: &mut dyn Tx, channel: ChannelId, conversation: ConversationId) -> Result<bool> {
    Ok(tx.first(&IS_CLEAR, params![channel, conversation], |_| Ok(()))?.is_some())
}

/// Records what became of an attempt, and everything that follows from it.
#[derive(Clone, Debug)]
pub struct RecordAttempt {
    /// The right to.
    pub lease: Lease,
    /// What was sent.
    pub deliver: Deliver,
    /// What came of it.
    pub outcome: Outcome,
    /// Added to the pause before a retry.
    pub jitter: Duration,
    /// Stop after this (drain).
    pub stop: bool,
    /// Times.
    pub policy: Arc<Policy>,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What follows.
    pub after: After,
    /// The message's status now.
    pub status: MessageStatus,
    /// The channel was stopped by this.
    pub paused_channel: bool,
}

struct Row {
    status: MessageStatus,
    attempts: u32,
    tenant: types::TenantId,
    channel: types::ChannelId,
    kind: String,
}

fn state(tx: &mut dyn Tx, message: MessageId) -> Result<Row> {
    let found = tx.first(&STATE, params![message], |r| {
        Ok(Row { status: r.get(0)?, attempts: r.get(1)?, tenant: r.get(3)?, channel: r.get(4)?, kind: r.get(5)? })
    })?;
    found.ok_or_else(|| StoreError::NotFound { what: "message", id: message.to_string() })
}

impl Op for RecordAttempt {
    const NAME: &'static str = "outbox.record_attempt";
    type Out = Recorded;

    fn reach(&self) -> Reach {
        let mut touches = Touches::conversation(self.lease.conversation);
        if let Outcome::Accepted { provider_id } = &self.outcome {
            touches.provider_id(provider_id);
        }
        Reach::Only(touches)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Recorded> {
        if let Outcome::Accepted { provider_id } = &self.outcome
            && let Some(status) = self.sent(tx, provider_id)?
        {
            let next = leases::go_on(tx, &self.lease, &self.policy, self.stop)?;
            return Ok(Recorded { after: After { next, saved: None }, status, paused_channel: false });
        }
        leases::check(tx, &self.lease)?;
        let row = state(tx, self.deliver.message)?;
        let mut paused_channel = false;
        let status = match &self.outcome {
            Outcome::Accepted { provider_id } => self.accepted(tx, &row, provider_id)?,
            Outcome::Retry(refusal) if refusal.fault == Fault::Configuration => {
                paused_channel = self.misconfigured(tx, &row, refusal)?;
                MessageStatus::Pending
            }
            Outcome::Retry(refusal) => self.retry(tx, &row, refusal)?,
            Outcome::Rejected(refusal) => self.failed(tx, &row, refusal)?,
            Outcome::Unknown(refusal) => self.unknown(tx, &row, refusal)?,
        };
        let next = leases::go_on(tx, &self.lease, &self.policy, self.stop)?;
        Ok(Recorded { after: After { next, saved: None }, status, paused_channel })
    }
}

impl RecordAttempt {
    /// The common case: the provider took it, and nobody has said anything of it meanwhile. `None`: something was said.
    fn sent(&self, tx: &mut dyn Tx, id: &ProviderMessageId) -> Result<Option<MessageStatus>> {
        let (now, d) = (tx.now(), &self.deliver);
        if tx.execute(&SENT, params![d.message, &id.0, now])? == 0 {
            return Ok(None);
        }
        tx.execute(&DONE, params![d.message, now])?;
        self.attempt(tx, SendOutcome::Sent, None)?;
        let conversation = self.lease.conversation;
        receipts::apply_parked(tx, d.channel, id, d.message, conversation, MessageStatus::Sent).map(Some)
    }

    fn attempt(&self, tx: &mut dyn Tx, outcome: SendOutcome, refusal: Option<&Refusal>) -> Result<()> {
        let (id, now) = (AttemptId(tx.next_id()), tx.now());
        let p = params![
            id,
            self.deliver.tenant,
            self.deliver.message,
            outcome.as_str(),
            refusal.map(|r| r.fault.as_str()),
            refusal.and_then(|r| r.code),
            refusal.and_then(|r| r.http),
            refusal.map(|r| r.reason.as_str()),
            types::text::preview(self.deliver.content.text(), 100),
            now,
        ];
        tx.execute(&ATTEMPT, p)?;
        Ok(())
    }

    fn accepted(&self, tx: &mut dyn Tx, row: &Row, id: &ProviderMessageId) -> Result<MessageStatus> {
        let now = tx.now();
        self.attempt(tx, SendOutcome::Sent, None)?;
        // A receipt said that it failed, and a person asked for another try, while we waited for this answer: that try is still to come.
        if row.status == MessageStatus::Pending {
            return Ok(row.status);
        }
        let none: Option<Timestamp> = None;
        tx.execute(&MOVE, params![self.deliver.message, none, row.attempts + 1, now])?;
        // A status webhook has overtaken the answer: what it said stands.
        let status = row.status;
        tx.execute(&ACCEPTED, params![self.deliver.message, status.as_str(), &id.0, now])?;
        receipts::apply_parked(tx, row.channel, id, self.deliver.message, self.lease.conversation, status)
    }

    fn move_to(
        &self,
        tx: &mut dyn Tx,
        row: &Row,
        refusal: &Refusal,
        (status, due, attempts): (MessageStatus, Option<Timestamp>, u32),
    ) -> Result<MessageStatus> {
        let now = tx.now();
        // A receipt settled it while we waited for the answer, or a person asked for another try after one: nothing the attempt says can
        // take that back.
        if !row.status.unsettled() || row.status == MessageStatus::Pending {
            return Ok(row.status);
        }
        let status = if row.status == status { status } else { row.status.advance(status)? };
        tx.execute(&TROUBLE, params![self.deliver.message, status.as_str(), &refusal.reason, refusal.code])?;
        tx.execute(&MOVE, params![self.deliver.message, due, attempts, now])?;
        Ok(status)
    }

    fn retry(&self, tx: &mut dyn Tx, row: &Row, refusal: &Refusal) -> Result<MessageStatus> {
        let refused = refusal.http.is_some();
        self.attempt(tx, if refused { SendOutcome::Failed } else { SendOutcome::SavedOnly }, Some(refusal))?;
        let (now, attempts) = (tx.now(), row.attempts + 1);
        // The limit of one recipient wants 4, 16, 64 … seconds (PROTOCOL.md, 2).
        let after = match (refusal.fault, refusal.scope) {
            (Fault::Throttled, Scope::Recipient) => {
                let grown = Duration::from_secs(4_u64.saturating_pow(attempts.min(5)));
                Some(refusal.retry_after.map_or(grown, |given| given.max(grown)))
            }
            _ => refusal.retry_after,
        };
        match self.policy.send_retry_at(attempts, after, now) {
            Some(at) => self.move_to(tx, row, refusal, (MessageStatus::Pending, Some(at.plus(self.jitter)), attempts)),
            None => self.give_up(tx, row, refusal, attempts),
        }
    }

    fn failed(&self, tx: &mut dyn Tx, row: &Row, refusal: &Refusal) -> Result<MessageStatus> {
        self.attempt(tx, SendOutcome::Failed, Some(refusal))?;
        self.give_up(tx, row, refusal, row.attempts + 1)
    }

    fn give_up(&self, tx: &mut dyn Tx, row: &Row, refusal: &Refusal, attempts: u32) -> Result<MessageStatus> {
        let status = self.move_to(tx, row, refusal, (MessageStatus::Failed, None, attempts))?;
        if status == MessageStatus::Failed {
            let key = format!("send_failed:{}:{attempts}", self.deliver.message);
            notifications::add(tx, row.tenant, "send_failed", "A reply was not sent", &refusal.reason, &key)?;
        }
        Ok(status)
    }

    fn unknown(&self, tx: &mut dyn Tx, row: &Row, refusal: &Refusal) -> Result<MessageStatus> {
        self.attempt(tx, SendOutcome::SavedOnly, Some(refusal))?;
        metrics::counter!("send_ambiguous_total", "resolved_by" => "none_yet").increment(1);
        let until = tx.now().plus(self.policy.reconcile(&row.kind));
        self.move_to(tx, row, refusal, (MessageStatus::Unknown, Some(until), row.attempts + 1))
    }

    /// The channel is stopped and the message waits without losing an attempt (S4.3).
    fn misconfigured(&self, tx: &mut dyn Tx, row: &Row, refusal: &Refusal) -> Result<bool> {
        self.attempt(tx, SendOutcome::Failed, Some(refusal))?;
        let (now, whole) = (tx.now(), refusal.scope == Scope::Channel);
        // Where only this recipient is refused the channel goes on, so time must hold the message back.
        let wait = refusal.retry_after.or(self.policy.send_retry.last().copied()).unwrap_or(WAIT_FOR_PEOPLE);
        let due = if whole { now } else { now.plus(wait) };
        self.move_to(tx, row, refusal, (MessageStatus::Pending, Some(due), row.attempts))?;
        if whole {
            return channels::pause(tx, row.tenant, row.channel, &refusal.reason);
        }
        Ok(false)
    }
}

/// Puts a claimed message back without an attempt: the channel is throttled or its breaker is open. Waiting is not failing (S4.5).
#[derive(Clone, Debug)]
pub struct Postpone {
    /// The right to.
    pub lease: Lease,
    /// Which message.
    pub message: MessageId,
    /// For how long.
    pub wait: Duration,
    /// What people read of it; it is on record once for each reason. A speed limit is nobody's news.
    pub why: Option<String>,
    /// Stop after this (drain).
    pub stop: bool,
    /// Times.
    pub policy: Arc<Policy>,
}

impl Op for Postpone {
    const NAME: &'static str = "outbox.postpone";
    type Out = After;

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.lease.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<After> {
        leases::check(tx, &self.lease)?;
        let at = tx.now().plus(self.wait);
        tx.execute(&BACK, params![self.message])?;
        tx.execute(&POSTPONE, params![self.message, at])?;
        if let Some(why) = &self.why {
            self.say(tx, why)?;
        }
        Ok(After { next: leases::go_on(tx, &self.lease, &self.policy, self.stop)?, saved: None })
    }
}

impl Postpone {
    /// `saved_only`, not attempted (S4.2).
    fn say(&self, tx: &mut dyn Tx, why: &str) -> Result<()> {
        let (id, now, code) = (AttemptId(tx.next_id()), tx.now(), None::<i64>);
        tx.execute(&TROUBLE, params![self.message, MessageStatus::Pending.as_str(), why, code])?;
        let (outcome, fault) = (SendOutcome::SavedOnly.as_str(), Fault::Transient.as_str());
        tx.execute(&WAITED, params![id, self.message, outcome, fault, why, now])?;
        Ok(())
    }
}

/// What the provider's own journal said of an ambiguous send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// It went out under this id.
    Found(ProviderMessageId),
    /// The provider has it and will send it: look again later.
    Queued,
    /// Too early or impossible to tell: look again later (webhooks were down, journal unreachable).
    TooEarly,
    /// The window has ended without a trace.
    Absent,
}

/// Ends, or prolongs, the wait for a trace of an ambiguous send (S4.4).
#[derive(Clone, Debug)]
pub struct Reconcile {
    /// The right to.
    pub lease: Lease,
    /// Which send.
    pub deliver: Deliver,
    /// What was found.
    pub trace: Trace,
    /// Stop after this (drain).
    pub stop: bool,
    /// Times and choices.
    pub policy: Arc<Policy>,
}

impl Op for Reconcile {
    const NAME: &'static str = "outbox.reconcile";
    type Out = After;

    fn reach(&self) -> Reach {
        let mut touches = Touches::conversation(self.lease.conversation);
        if let Trace::Found(provider_id) = &self.trace {
            touches.provider_id(provider_id);
        }
        Reach::Only(touches)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<After> {
        leases::check(tx, &self.lease)?;
        let (now, id) = (tx.now(), self.deliver.message);
        let row = state(tx, id)?;
        if row.status == MessageStatus::Unknown {
            match &self.trace {
                Trace::Found(provider_id) => self.found(tx, &row, provider_id, now)?,
                Trace::Queued | Trace::TooEarly => {
                    let until = now.plus(self.policy.reconcile(&row.kind));
                    tx.execute(&POSTPONE, params![id, until])?;
                }
                Trace::Absent if self.policy.on_unknown == OnUnknown::Resend && self.deliver.resends == 0 => {
                    return self.resend(tx, now);
                }
                Trace::Absent => self.hold(tx, &row)?,
            }
        }
        Ok(After { next: leases::go_on(tx, &self.lease, &self.policy, self.stop)?, saved: None })
    }
}

impl Reconcile {
    fn found(&self, tx: &mut dyn Tx, row: &Row, id: &ProviderMessageId, now: Timestamp) -> Result<()> {
        metrics::counter!("send_ambiguous_total", "resolved_by" => "journal").increment(1);
        let message = self.deliver.message;
        tx.execute(&ACCEPTED, params![message, MessageStatus::Sent.as_str(), &id.0, now])?;
        let none: Option<Timestamp> = None;
        tx.execute(&POSTPONE, params![message, none])?;
        let conversation = self.lease.conversation;
        receipts::apply_parked(tx, row.channel, id, message, conversation, MessageStatus::Sent)?;
        Ok(())
    }

    fn resend(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<After> {
        metrics::counter!("send_ambiguous_total", "resolved_by" => "resend").increment(1);
        tx.execute(&RESEND, params![self.deliver.message, now])?;
        tx.execute(&MARK_DUPLICATE, params![self.deliver.message])?;
        if self.stop {
            // Not begun: whoever claims it next must not take it for an interrupted send.
            tx.execute(&BACK, params![self.deliver.message])?;
            leases::give_back(tx, &self.lease, Some(now))?;
            return Ok(After { next: Next::Wait(Some(now)), saved: None });
        }
        let deliver = Deliver { resends: self.deliver.resends + 1, ..self.deliver.clone() };
        Ok(After { next: Next::Work(Work::Deliver(deliver)), saved: None })
    }

    fn hold(&self, tx: &mut dyn Tx, row: &Row) -> Result<()> {
        metrics::counter!("send_ambiguous_total", "resolved_by" => "hold").increment(1);
        let why = "no receipt came, so nobody knows whether this arrived; a person decides whether to send it again";
        let (none, code): (Option<Timestamp>, Option<i64>) = (None, None);
        tx.execute(&TROUBLE, params![self.deliver.message, MessageStatus::Held.as_str(), why, code])?;
        tx.execute(&POSTPONE, params![self.deliver.message, none])?;
        let key = format!("held:{}", self.deliver.message);
        notifications::add(tx, row.tenant, "send_held", "A reply may not have arrived", why, &key)
    }
}

/// Queues a message that a person, or another program, wrote (S4.9).
#[derive(Clone, Debug)]
pub struct SendMessage {
    /// To which conversation.
    pub conversation: ConversationId,
    /// What.
    pub content: OutboundContent,
    /// Makes the request repeatable: the same key sends once.
    pub idempotency_key: String,
    /// The request.
    pub request_id: RequestId,
    /// Pause the assistant (a person took over), as long as the tenant says.
    pub pause: Option<Pauses>,
    /// Who wrote it, for the record.
    pub actor: String,
}

impl Op for SendMessage {
    const NAME: &'static str = "outbox.send_message";
    type Out = MessageId;

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<MessageId> {
        let now = tx.now();
        let found = crate::views::snapshot(tx, self.conversation)?;
        let Some(snapshot) = found else {
            return Err(StoreError::NotFound { what: "conversation", id: self.conversation.to_string() });
        };
        if snapshot.state == ConversationState::OptedOut {
            return Err(StoreError::Refused(
                "this contact opted out; nothing may be sent until they write START".into(),
            ));
        }
        let key = DedupeKey(format!("{}:api:{}", self.conversation, self.idempotency_key));
        if let Some(id) = tx.first(&HAS_KEY, params![&key.0], |r| r.get::<MessageId>(0))? {
            return Ok(id);
        }
        let new = NewMessage {
            snapshot: &snapshot,
            sender: "HUMAN",
            dedupe_key: key,
            content: &self.content,
            quotes: None,
            in_reply_to: None,
            request_id: &self.request_id.0,
            due: now,
            status: MessageStatus::Pending,
        };
        if let Some(pauses) = &self.pause {
            let until = now.plus(pauses.of(snapshot.tenant));
            conversations::pause(tx, &snapshot, until, "a person answered", &self.actor)?;
        }
        let id = save(tx, &new)?.ok_or_else(|| StoreError::Refused("that message was queued already".into()))?;
        tx.execute(&TOUCH, params![self.conversation, now])?;
        leases::make_due(tx, self.conversation, now)?;
        Ok(id)
    }
}

/// Sends a failed or held message again, by a person's decision: a new attempt, the message pending until the provider accepts (R6).
#[derive(Clone, Copy, Debug)]
pub struct Retry(pub MessageId);

impl Op for Retry {
    const NAME: &'static str = "outbox.retry";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        let found =
            tx.first(&OF_MESSAGE, params![self.0], |r| Ok((r.get::<MessageStatus>(0)?, r.get::<ConversationId>(1)?)))?;
        let Some((status, conversation)) = found else {
            return Err(StoreError::NotFound { what: "message to send", id: self.0.to_string() });
        };
        // From `sending` it would be a second copy behind the back of the one under way.
        if !matches!(status, MessageStatus::Failed | MessageStatus::Held) {
            let (machine, from, to) = (MessageStatus::MACHINE, status.as_str(), MessageStatus::Pending.as_str());
            return Err(IllegalMove { machine, from, to }.into());
        }
        tx.execute(&BACK, params![self.0])?;
        tx.execute(&AGAIN, params![self.0, now])?;
        leases::make_due(tx, conversation, now)
    }
}
