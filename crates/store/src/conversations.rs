//! A conversation's state, and the record of its every change (S3.10, S6.7).

use types::states::ConversationState;
use types::{ConversationId, TenantId, Timestamp};

use crate::error::{Result, StoreError};
use crate::sql::{Op, Tx};
use crate::work::Snapshot;

sql! {
    SET_STATE = "conversations.set_state":
        "UPDATE conversation SET state = $2, state_until = $3, closed_at = $4 WHERE id = $1";
    STATE = "conversations.state": "SELECT state, tenant_id, state_until FROM conversation WHERE id = $1";
    TRANSITION = "transitions.add":
        "INSERT INTO transitions (id, tenant_id, conversation_id, from_state, to_state, reason, actor, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    HOLD_PENDING = "messages.hold_pending":
        "UPDATE message SET status = 'held', error = $2 WHERE conversation_id = $1 AND sender = 'AI' AND status = 'pending'
         AND id IN (SELECT message_id FROM outbox WHERE conversation_id = $1 AND due_at IS NOT NULL)";
    UNQUEUE_HELD = "outbox.unqueue_held":
        "UPDATE outbox SET due_at = NULL WHERE conversation_id = $1 AND due_at IS NOT NULL
         AND message_id IN (SELECT id FROM message WHERE conversation_id = $1 AND status = 'held')";
}

/// Moves a conversation to `to`, with its record; nothing when it is there already and `until` adds nothing.
pub(crate) fn go(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ConversationId,
    from: ConversationState,
    to: ConversationState,
    until: Option<Timestamp>,
    (reason, actor): (&str, &str),
) -> Result<()> {
    let now = tx.now();
    let closed = (to == ConversationState::Closed).then_some(now);
    if from == to {
        if until.is_some() {
            tx.execute(&SET_STATE, params![id, to.as_str(), until, closed])?;
        }
        return Ok(());
    }
    let to = from.advance(to)?;
    tx.execute(&SET_STATE, params![id, to.as_str(), until, closed])?;
    let row = tx.next_id();
    tx.execute(&TRANSITION, params![row, tenant, id, from.as_str(), to.as_str(), reason, actor, now])?;
    Ok(())
}

/// A person answers from now on: the assistant is quiet until `until`, and what it had not sent yet is held.
pub(crate) fn pause(tx: &mut dyn Tx, s: &Snapshot, until: Timestamp, reason: &str, actor: &str) -> Result<()> {
    pause_until(tx, s, Some(until), reason, actor)
}

/// The same; without a time, until somebody hands back.
pub(crate) fn pause_until(
    tx: &mut dyn Tx,
    s: &Snapshot,
    until: Option<Timestamp>,
    reason: &str,
    actor: &str,
) -> Result<()> {
    // Opted out stays opted out: a person's reply does not opt in.
    if matches!(s.state, ConversationState::OptedOut | ConversationState::Closed) {
        return Ok(());
    }
    if s.state == ConversationState::Paused && until.is_none() {
        let none: Option<Timestamp> = None;
        tx.execute(&SET_STATE, params![s.conversation, s.state.as_str(), none, none])?;
    }
    go(tx, s.tenant, s.conversation, s.state, ConversationState::Paused, until, (reason, actor))?;
    if tx.execute(&HOLD_PENDING, params![s.conversation, "held: a person answered first"])? > 0 {
        tx.execute(&UNQUEUE_HELD, params![s.conversation])?;
    }
    Ok(())
}

/// The assistant answers again.
pub(crate) fn resume(tx: &mut dyn Tx, s: &Snapshot, reason: &str, actor: &str) -> Result<()> {
    if s.state == ConversationState::Paused {
        go(tx, s.tenant, s.conversation, s.state, ConversationState::Active, None, (reason, actor))?;
    }
    Ok(())
}

/// Sets who answers, by a person: pause, hand back, close.
#[derive(Clone, Debug)]
pub struct SetState {
    /// Which conversation.
    pub conversation: ConversationId,
    /// To what.
    pub to: ConversationState,
    /// For how long (pauses).
    pub until: Option<Timestamp>,
    /// Why, for the record.
    pub reason: String,
    /// Who did it.
    pub actor: String,
}

impl Op for SetState {
    const NAME: &'static str = "conversations.set_state";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let found = tx.first(&STATE, params![self.conversation], |r| {
            Ok((r.get::<ConversationState>(0)?, r.get::<TenantId>(1)?))
        })?;
        let Some((from, tenant)) = found else {
            return Err(StoreError::NotFound { what: "conversation", id: self.conversation.to_string() });
        };
        go(tx, tenant, self.conversation, from, self.to, self.until, (&self.reason, &self.actor))
    }
}
