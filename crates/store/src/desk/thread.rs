//! A conversation's messages and notes, and everything known of one message.

use types::{AttemptId, ConversationId, MessageId, NoteId, TenantId};

use super::{Access, After, Attempt, Message, MessageDetail, Note, Receipt, Rows, queue};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    OWNER = "thread.owner": "SELECT tenant_id FROM conversation WHERE id = $1";
    OLDER = "thread.older":
        "SELECT m.id, m.conversation_id, m.direction, m.sender, a.author, m.kind, m.body, m.content, m.status, m.provider_id, m.quotes,
                m.in_reply_to, m.error_code, m.error, m.possible_duplicate, o.attempts, o.due_at, m.created_at, m.sent_at,
                m.delivered_at, m.read_at, m.request_id
         FROM message m LEFT JOIN outbox o ON o.message_id = m.id LEFT JOIN authors a ON a.message_id = m.id
         WHERE m.conversation_id = $1 AND m.id < $2 ORDER BY m.id DESC LIMIT $3";
    NEWER = "thread.newer":
        "SELECT m.id, m.conversation_id, m.direction, m.sender, a.author, m.kind, m.body, m.content, m.status, m.provider_id, m.quotes,
                m.in_reply_to, m.error_code, m.error, m.possible_duplicate, o.attempts, o.due_at, m.created_at, m.sent_at,
                m.delivered_at, m.read_at, m.request_id
         FROM message m LEFT JOIN outbox o ON o.message_id = m.id LEFT JOIN authors a ON a.message_id = m.id
         WHERE m.conversation_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3";
    ONE = "thread.message":
        "SELECT m.id, m.conversation_id, m.direction, m.sender, a.author, m.kind, m.body, m.content, m.status, m.provider_id, m.quotes,
                m.in_reply_to, m.error_code, m.error, m.possible_duplicate, o.attempts, o.due_at, m.created_at, m.sent_at,
                m.delivered_at, m.read_at, m.request_id, m.tenant_id, m.raw, m.channel_id
         FROM message m LEFT JOIN outbox o ON o.message_id = m.id LEFT JOIN authors a ON a.message_id = m.id WHERE m.id = $1";
    TRIES = "thread.tries": "SELECT id, outcome, fault, code, http, error, at FROM attempts WHERE message_id = $1 ORDER BY id LIMIT 200";
    RECEIPTS = "thread.receipts":
        "SELECT status, participant, error_code, error, COALESCE(provider_at, received_at), message_id FROM receipts
         WHERE channel_id = $1 AND provider_id = $2 ORDER BY received_at LIMIT 200";
    NOTES = "thread.notes":
        "SELECT id, conversation_id, author, body, created_at FROM notes WHERE conversation_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
}

/// The tenant of a conversation that the caller may see.
pub(super) fn owner(tx: &mut dyn Tx, access: &Access, id: ConversationId) -> Result<TenantId> {
    let found = tx.first(&OWNER, params![id], |r| r.get(0))?;
    access.check(found, "conversation", id)
}

fn message(r: &dyn Row) -> Result<Message> {
    let content: Option<String> = r.get(7)?;
    Ok(Message {
        id: r.get(0)?,
        conversation_id: r.get(1)?,
        direction: r.get(2)?,
        sender: r.get(3)?,
        author: r.get(4)?,
        kind: r.get(5)?,
        body: r.get(6)?,
        content: content.and_then(|json| serde_json::from_str(&json).ok()),
        status: r.get(8)?,
        provider_id: r.get(9)?,
        quotes: r.get(10)?,
        in_reply_to: r.get(11)?,
        error_code: r.get(12)?,
        error: r.get(13)?,
        possible_duplicate: r.get(14)?,
        attempts: r.get::<Option<i64>>(15)?.unwrap_or(0),
        next_attempt_at: r.get(16)?,
        created_at: r.get(17)?,
        sent_at: r.get(18)?,
        delivered_at: r.get(19)?,
        read_at: r.get(20)?,
        request_id: r.get(21)?,
    })
}

/// Lists messages: the newest first, or, with `since`, what came after a known one, oldest first.
#[derive(Clone, Debug)]
pub struct Messages {
    /// Of which conversation.
    pub id: ConversationId,
    /// Only older than this one (by its id).
    pub before: After,
    /// Only newer than this one, in the other order.
    pub since: Option<MessageId>,
    /// At most so many.
    pub limit: u32,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Messages {
    const NAME: &'static str = "desk.messages";
    type Out = Rows<Message>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        owner(tx, &self.access, self.id)?;
        let row = |r: &dyn Row| message(r).map(|m| (After { key: m.id.0, id: m.id.0 }, m));
        match self.since {
            Some(since) => tx.all(&NEWER, params![self.id, since, self.limit], row),
            None => tx.all(&OLDER, params![self.id, self.before.id, self.limit], row),
        }
    }
}

/// One message with its tries, reports and work.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Which.
    pub id: MessageId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Detail {
    const NAME: &'static str = "desk.message";
    type Out = MessageDetail;

    fn run(&self, tx: &mut dyn Tx) -> Result<MessageDetail> {
        let found = tx.first(&ONE, params![self.id], |r| {
            Ok((message(r)?, r.get::<TenantId>(22)?, r.get::<Option<String>>(23)?, r.get::<i64>(24)?))
        })?;
        self.access.check(found.as_ref().map(|f| f.1), "message", self.id)?;
        let (message, _, raw, channel) =
            found.ok_or_else(|| StoreError::NotFound { what: "message", id: self.id.to_string() })?;
        let tries = tx.all(&TRIES, params![self.id], |r| {
            Ok(Attempt {
                id: r.get::<AttemptId>(0)?,
                outcome: r.get(1)?,
                fault: r.get(2)?,
                code: r.get(3)?,
                http: r.get(4)?,
                error: r.get(5)?,
                at: r.get(6)?,
            })
        })?;
        let mut receipts = Vec::new();
        if let Some(provider) = message.provider_id.as_deref().filter(|_| message.direction == "out") {
            receipts = tx.all(&RECEIPTS, params![channel, provider], |r| {
                Ok(Receipt {
                    status: r.get(0)?,
                    participant: r.get(1)?,
                    error_code: r.get(2)?,
                    error: r.get(3)?,
                    at: r.get(4)?,
                })
            })?;
        }
        // A turn has the id of the message that it answers.
        let job = queue::job(tx, types::JobId(message.in_reply_to.unwrap_or(message.id).0))?.map(|(job, _)| job);
        Ok(MessageDetail { message, tries, receipts, job, raw })
    }
}

/// Lists a conversation's notes, newest first.
#[derive(Clone, Debug)]
pub struct Notes {
    /// Of which conversation.
    pub id: ConversationId,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Notes {
    const NAME: &'static str = "desk.notes";
    type Out = Rows<Note>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        owner(tx, &self.access, self.id)?;
        tx.all(&NOTES, params![self.id, self.after.id, self.limit], |r| {
            let id: NoteId = r.get(0)?;
            let note =
                Note { id, conversation_id: r.get(1)?, author: r.get(2)?, body: r.get(3)?, created_at: r.get(4)? };
            Ok((After { key: id.0, id: id.0 }, note))
        })
    }
}
