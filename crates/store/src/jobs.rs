//! Finishing and failing turns, each in one transaction with everything that follows from it: reply and state together (S4.1), retry or
//! dead letter (S2.3), and the lease given back or gone on with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use types::outbound::OutboundContent;
use types::states::{ConversationState, MessageStatus};
use types::{DedupeKey, Fault, MessageId, Timestamp};

use crate::conversations;
use crate::dead_letters;
use crate::error::{Result, StoreError};
use crate::leases;
use crate::outbox::{self, NewMessage};
use crate::policy::Policy;
use crate::reach::{Reach, Touches};
use crate::sagas::NewSaga;
use crate::sql::{Op, Tx};
use crate::work::{Deliver, Lease, Next, Snapshot, Turn, Work};

sql! {
    NOTE_ATTEMPT = "jobs.note_attempt":
        "INSERT INTO job_attempt (id, tenant_id, job_id, attempt, fault, error, at)
         SELECT $1, j.tenant_id, j.id, j.attempts, $3, $4, $5 FROM jobs j WHERE j.id = $2";
    DONE = "jobs.done":
        "UPDATE jobs SET state = 'done', outcome = $2, completed_at = $3, error = NULL WHERE id = $1 AND state <> 'done'";
    MERGED = "jobs.merged":
        "UPDATE jobs SET state = 'done', outcome = $2, started_at = COALESCE(started_at, $3), completed_at = $3, error = NULL
         WHERE id = $1 AND state = 'queued'";
    REMEMBER = "conversations.remember":
        "UPDATE conversation SET memory = COALESCE($2, memory), last_message_at = $3
         WHERE id = $1 AND lease_owner = $4 AND fence = $5";
    AGAIN = "jobs.again":
        "UPDATE jobs SET state = 'queued', run_at = $2, error = $3 WHERE id = $1";
    ATTEMPTS = "jobs.attempts": "SELECT attempts, state FROM jobs WHERE id = $1";
    LEARN = "leads.learn":
        "UPDATE lead SET service = COALESCE($2, service), name = COALESCE($3, name), nationality = COALESCE($4, nationality),
                email = COALESCE($5, email), phone = COALESCE($6, phone), call_time = COALESCE($7, call_time), updated_at = $8
         WHERE id = $1";
    OPT = "contacts.opt": "UPDATE contacts SET opted_out_at = $2, updated_at = $3 WHERE id = $1";
}

/// What a turn came to.
#[derive(Clone, Debug, Default)]
pub struct Finish {
    /// The reply, if any, in parts where it is too long for one message; each with the last part of its key.
    pub replies: Vec<Reply>,
    /// What the engine remembers from now on; `None`: as before.
    pub memory: Option<String>,
    /// What the lead told: service, name, nationality, email, phone, time.
    pub fields: BTreeMap<String, String>,
    /// Who answers from now on, and why.
    pub state: Option<(ConversationState, String)>,
    /// The contact opted out (`Some(true)`) or in again.
    pub opted_out: Option<bool>,
    /// A word for the record: `replied`, `paused`, `nothing_to_say`.
    pub outcome: &'static str,
    /// A person should look: title and text of the notice.
    pub notice: Option<(String, String)>,
    /// What is to be done beside the reply (S3.5).
    pub acts: Option<NewSaga>,
    /// What agents and experiments did; `None` for everyone without.
    pub traces: Option<Box<crate::agents::Traces>>,
}

/// A reply to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The question key, or `reply`.
    pub key: String,
    /// What to say.
    pub content: OutboundContent,
    /// The message to quote.
    pub quotes: Option<types::ProviderMessageId>,
}

/// Saves what a turn came to.
#[derive(Clone, Debug)]
pub struct FinishTurn {
    /// The right to.
    pub lease: Lease,
    /// The conversation as it was when claimed.
    pub snapshot: Arc<Snapshot>,
    /// The turn.
    pub turn: Turn,
    /// What it came to.
    pub finish: Finish,
    /// `Some(wait)`: the channel cannot take the reply now (throttle, breaker); it waits this long.
    pub hold: Option<Duration>,
    /// Send what this decided, and stop then (drain).
    pub stop: bool,
    /// Times.
    pub policy: Arc<Policy>,
}

/// What follows a finished piece of work.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// The next work under the same lease, or when the conversation is due again.
    pub next: Next,
    /// The message that was saved first, if any.
    pub saved: Option<MessageId>,
}

impl Op for FinishTurn {
    const NAME: &'static str = "jobs.finish_turn";
    type Out = After;

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.lease.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<After> {
        let now = tx.now();
        let s = &*self.snapshot;
        self.learn(tx, now)?;
        let first = tx.execute(&DONE, params![self.turn.job, self.finish.outcome, now])? == 1;
        // Saved once, even if the answer to an earlier commit was lost.
        if let Some(acts) = self.finish.acts.as_ref().filter(|_| first) {
            crate::sagas::begin(tx, s, &self.turn, acts)?;
        }
        if self.turn.redriven {
            dead_letters::resolve(tx, self.turn.job)?;
        }
        if let Some(traces) = &self.finish.traces {
            traces.save(tx, s, self.turn.message)?;
        }
        if let Some((title, body)) = &self.finish.notice {
            let key = format!("turn:{}", self.turn.message);
            crate::notifications::add(tx, s.tenant, "needs_person", title, body, &key)?;
        }
        if let Some(after) = self.send_at_once(tx, now)? {
            self.merge(tx, after.saved)?;
            return Ok(after);
        }
        let due = self.hold.map_or(now, |wait| now.plus(wait));
        let mut saved = None;
        for reply in &self.finish.replies {
            let id = outbox::save(tx, &self.message(reply, due, MessageStatus::Pending))?;
            saved = saved.or(id);
        }
        self.merge(tx, saved)?;
        let next = leases::go_on(tx, &self.lease, &self.policy, self.stop)?;
        Ok(After { next, saved })
    }
}

impl FinishTurn {
    /// What was gathered has its outcome too: the reply that answers it.
    fn merge(&self, tx: &mut dyn Tx, reply: Option<MessageId>) -> Result<()> {
        let now = tx.now();
        for gathered in &self.turn.gathered {
            let outcome = match reply {
                Some(reply) => format!("merged into reply {reply}"),
                None => format!("merged with {}: {}", self.turn.message, self.finish.outcome),
            };
            tx.execute(&MERGED, params![gathered.job, &outcome, now])?;
        }
        Ok(())
    }

    fn message<'a>(&'a self, reply: &'a Reply, due: Timestamp, status: MessageStatus) -> NewMessage<'a> {
        NewMessage {
            snapshot: &self.snapshot,
            sender: "AI",
            dedupe_key: DedupeKey::reply(self.snapshot.conversation, &self.turn.provider_id, &reply.key),
            content: &reply.content,
            quotes: reply.quotes.as_ref(),
            in_reply_to: Some(self.turn.message),
            request_id: &self.turn.request_id.0,
            due,
            status,
        }
    }

    /// The common case: one reply, nothing before it in the conversation, and a channel that works. It is saved as `sending` and handed to the
    /// sender from memory, so that it is not read back.
    fn send_at_once(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<Option<After>> {
        let s = &*self.snapshot;
        let [reply] = self.finish.replies.as_slice() else { return Ok(None) };
        if self.hold.is_some() || !outbox::is_clear(tx, s.channel, s.conversation)? {
            return Ok(None);
        }
        let new = self.message(reply, now, MessageStatus::Sending);
        let Some(message) = outbox::save(tx, &new)? else { return Ok(None) };
        let deliver = Deliver {
            message,
            tenant: s.tenant,
            channel: s.channel,
            dedupe_key: new.dedupe_key,
            content: reply.content.clone(),
            quotes: reply.quotes.clone(),
            in_reply_to: new.in_reply_to,
            request_id: self.turn.request_id.clone(),
            attempts: 0,
            resends: 0,
            last_attempt_at: None,
            created_at: now,
        };
        Ok(Some(After { next: Next::Work(Work::Deliver(deliver)), saved: Some(message) }))
    }

    /// Keeps what the turn taught; refused when the lease is lost.
    fn learn(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<()> {
        let (s, f) = (&self.snapshot, &self.finish);
        let (owner, fence) = (&*self.lease.owner, self.lease.fence);
        if tx.execute(&REMEMBER, params![s.conversation, f.memory.as_deref(), now, owner, fence])? == 0 {
            return Err(StoreError::LeaseLost(s.conversation));
        }
        if !f.fields.is_empty() {
            let field = |name: &str| f.fields.get(name).map(String::as_str);
            let p = params![
                s.lead,
                field("service"),
                field("name"),
                field("nationality"),
                field("email"),
                field("phone"),
                field("time"),
                now,
            ];
            tx.execute(&LEARN, p)?;
        }
        if let Some(out) = f.opted_out {
            tx.execute(&OPT, params![s.contact, out.then_some(now), now])?;
        }
        if let Some((to, reason)) = &f.state {
            conversations::go(tx, s.tenant, s.conversation, s.state, *to, None, (reason, "assistant"))?;
        }
        Ok(())
    }
}

/// Records that a turn failed: it is tried again after a pause, or becomes a dead letter and the conversation goes on.
#[derive(Clone, Debug)]
pub struct FailTurn {
    /// The right to.
    pub lease: Lease,
    /// The turn.
    pub turn: Turn,
    /// The class of the failure.
    pub fault: Fault,
    /// What happened.
    pub error: String,
    /// Added to the pause.
    pub jitter: Duration,
    /// Stop after this (drain).
    pub stop: bool,
    /// Times.
    pub policy: Arc<Policy>,
}

impl Op for FailTurn {
    const NAME: &'static str = "jobs.fail_turn";
    type Out = After;

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.lease.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<After> {
        leases::check(tx, &self.lease)?;
        let now = tx.now();
        let attempts = tx.first(&ATTEMPTS, params![self.turn.job], |r| r.get::<u32>(0))?.unwrap_or(self.turn.attempt);
        let id = types::AttemptId(tx.next_id());
        tx.execute(&NOTE_ATTEMPT, params![id, self.turn.job, self.fault.as_str(), &self.error, now])?;
        match self.policy.job_retry_at(self.fault, attempts, now) {
            Some(at) => {
                tx.execute(&AGAIN, params![self.turn.job, at.plus(self.jitter), &self.error])?;
            }
            None => {
                dead_letters::bury(tx, self.turn.job, self.fault, &self.error, &self.policy)?;
            }
        }
        Ok(After { next: leases::go_on(tx, &self.lease, &self.policy, self.stop)?, saved: None })
    }
}
