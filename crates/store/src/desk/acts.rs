//! What a person does to a conversation (S3.10): takes over, hands back, assigns, resolves, snoozes, labels, notes, answers. Each in one
//! transaction with its line in the audit record.
use types::outbound::OutboundContent;
use types::states::ConversationState;
use types::{ConversationId, MessageId, NoteId, RequestId, Timestamp, UserId};

use super::audit::{self, Act};
use super::inbox::{Known, own};
use super::{Access, By, Conversation, InboxStatus, Note, Priority, follow};
use crate::conversations;
use crate::error::{Result, StoreError};
use crate::outbox::SendMessage;
use crate::policy::Pauses;
use crate::sql::{Op, Tx};

sql! {
    ASSIGN = "acts.assign": "UPDATE desk SET assignee_id = $2, version = $3 WHERE conversation_id = $1";
    MAY = "acts.assignee":
        "SELECT name FROM users WHERE id = $1 AND disabled_at IS NULL
         AND (all_tenants = 1 OR EXISTS (SELECT 1 FROM grants WHERE holder_id = $1 AND tenant_id = $2))";
    RESOLVE = "acts.resolve":
        "UPDATE desk SET resolved_at = $2, snoozed_at = NULL, snoozed_until = NULL, version = $2 WHERE conversation_id = $1";
    REOPEN = "acts.reopen":
        "UPDATE desk SET resolved_at = NULL, snoozed_at = NULL, snoozed_until = NULL, version = $2 WHERE conversation_id = $1";
    SNOOZE = "acts.snooze": "UPDATE desk SET snoozed_at = $2, snoozed_until = $3, resolved_at = NULL, version = $2 WHERE conversation_id = $1";
    PRIORITY = "acts.priority": "UPDATE desk SET priority = $2, version = $3 WHERE conversation_id = $1";
    LABELS = "acts.labels": "UPDATE desk SET labels = $2, version = $3 WHERE conversation_id = $1";
    READ = "acts.read": "UPDATE desk SET read_id = $2, version = $3 WHERE conversation_id = $1";
    NOTE = "acts.note":
        "INSERT INTO notes (id, tenant_id, conversation_id, author, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    AUTHOR = "acts.author": "INSERT INTO authors (message_id, tenant_id, author) VALUES ($1, $2, $3) ON CONFLICT (message_id) DO NOTHING";
    NEWER = "acts.newer":
        "SELECT m.id FROM message m WHERE m.conversation_id = $1 AND m.id > $2 AND (m.direction = 'in' OR m.sender = 'HUMAN' AND NOT EXISTS
         (SELECT 1 FROM authors a WHERE a.message_id = m.id AND a.author = $3)) ORDER BY m.id DESC LIMIT 1";
    LAST_INBOUND = "acts.last_inbound":
        "SELECT id FROM message WHERE conversation_id = $1 AND direction = 'in' ORDER BY id DESC LIMIT 1";
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A person answers from now on; for so long, or until handed back.
    TakeOver {
        /// Until when.
        until: Option<Timestamp>,
    },
    /// The assistant answers again: now, or from that moment on.
    Return {
        /// From when.
        at: Option<Timestamp>,
    },
    /// Someone looks after it; `None`: nobody.
    Assign(Option<UserId>),
    /// Done: out of the way until the person writes, and the assistant answers then.
    Resolve,
    /// Not done after all.
    Reopen,
    /// Out of sight until then, or until the person writes; `None`: only until they write.
    Snooze(Option<Timestamp>),
    /// How urgent it is.
    Priority(Priority),
    /// Its labels, all of them.
    Labels(Vec<String>),
    /// Seen up to this message; `None`: up to the newest.
    Read(Option<MessageId>),
    /// The last message of the person counts as unread again.
    Unread,
}

impl Deed {
    const fn action(&self) -> &'static str {
        match self {
            Self::TakeOver { .. } => "conversation.takeover",
            Self::Return { .. } => "conversation.return",
            Self::Assign(_) => "conversation.assign",
            Self::Resolve => "conversation.resolve",
            Self::Reopen => "conversation.reopen",
            Self::Snooze(_) => "conversation.snooze",
            Self::Priority(_) => "conversation.priority",
            Self::Labels(_) => "conversation.labels",
            Self::Read(_) => "conversation.read",
            Self::Unread => "conversation.unread",
        }
    }
}

/// Does one thing to one conversation; gives it as it is then.
#[derive(Clone, Debug)]
pub struct Do {
    /// Which.
    pub id: ConversationId,
    /// What.
    pub deed: Deed,
    /// Why, for the record.
    pub reason: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Do {
    const NAME: &'static str = "desk.do";
    type Out = Conversation;

    fn run(&self, tx: &mut dyn Tx) -> Result<Conversation> {
        // A conversation that is newer than the follower's last look is not on the desk yet.
        follow::refresh(tx, self.id)?;
        let (row, known) = own(tx, &self.access, self.id)?;
        let (from, to) = self.apply(tx, &row, &known)?;
        follow::refresh(tx, self.id)?;
        let act = Act {
            tenant: Some(row.tenant_id),
            action: self.deed.action(),
            kind: "conversation",
            id: self.id.0,
            from: from.as_deref(),
            to: to.as_deref(),
            reason: self.reason.as_deref(),
        };
        audit::note(tx, &self.by, &act)?;
        own(tx, &self.access, self.id).map(|(row, _)| row)
    }
}

type FromTo = (Option<String>, Option<String>);

impl Do {
    fn apply(&self, tx: &mut dyn Tx, row: &Conversation, known: &Known) -> Result<FromTo> {
        let (id, now) = (self.id, tx.now());
        // Two changes within one tick of the clock are two versions all the same.
        let version = now.micros().max(known.version + 1);
        match &self.deed {
            Deed::TakeOver { until } => {
                self.take_over(tx, row, *until)?;
                Ok((Some(row.state.to_string()), Some(ConversationState::Paused.to_string())))
            }
            Deed::Return { at } => {
                self.hand_back(tx, row, *at)?;
                Ok((Some(row.state.to_string()), Some(ConversationState::Active.to_string())))
            }
            Deed::Assign(user) => self.assign(tx, row, *user, version),
            Deed::Resolve => {
                if row.state != ConversationState::OptedOut {
                    self.hand_back(tx, row, None)?;
                }
                tx.execute(&RESOLVE, params![id, now])?;
                Ok(status(row, InboxStatus::Resolved))
            }
            Deed::Reopen => {
                if row.state == ConversationState::Closed {
                    let why = "this conversation is closed: their next message opens a new one";
                    return Err(StoreError::Refused(why.into()));
                }
                tx.execute(&REOPEN, params![id, now])?;
                // Someone wants to look at it: a person's, until handed back.
                self.take_over(tx, row, None)?;
                Ok(status(row, InboxStatus::Open))
            }
            Deed::Snooze(until) => {
                let until = until.unwrap_or(super::FOREVER);
                if until <= now {
                    return Err(StoreError::Refused("the time to come back is past".into()));
                }
                tx.execute(&SNOOZE, params![id, now, until])?;
                Ok(status(row, InboxStatus::Snoozed))
            }
            Deed::Priority(priority) => {
                tx.execute(&PRIORITY, params![id, priority.rank(), version])?;
                Ok((Some(row.priority.as_str().to_owned()), Some(priority.as_str().to_owned())))
            }
            Deed::Labels(labels) => {
                let mut labels: Vec<&str> = labels.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
                labels.sort_unstable();
                labels.dedup();
                let json = serde_json::to_string(&labels).unwrap_or_default();
                tx.execute(&LABELS, params![id, &json, version])?;
                Ok((Some(row.labels.join(", ")), Some(labels.join(", "))))
            }
            Deed::Read(upto) => {
                let read = upto.map_or(known.last_id, |m| m.0);
                tx.execute(&READ, params![id, read, version])?;
                Ok((None, None))
            }
            Deed::Unread => {
                if let Some(last) = tx.first(&LAST_INBOUND, params![id], |r| r.get::<i64>(0))? {
                    tx.execute(&READ, params![id, last - 1, version])?;
                }
                Ok((None, None))
            }
        }
    }

    fn take_over(&self, tx: &mut dyn Tx, row: &Conversation, until: Option<Timestamp>) -> Result<()> {
        let Some(snapshot) = crate::views::snapshot(tx, self.id)? else { return Ok(()) };
        match row.state {
            ConversationState::OptedOut => {
                return Err(StoreError::Refused(
                    "this person opted out; nothing may be sent until they write START".into(),
                ));
            }
            ConversationState::Closed => {
                return Err(StoreError::Refused(
                    "this conversation is closed: their next message opens a new one".into(),
                ));
            }
            _ => {}
        }
        let reason = self.reason.as_deref().unwrap_or("a person took over");
        conversations::pause_until(tx, &snapshot, until, reason, &self.by.actor())?;
        if let (None, Some(user)) = (&row.assignee, (self.by.kind == "user").then_some(self.by.id)) {
            let version = tx.now().micros();
            tx.execute(&ASSIGN, params![self.id, user, version])?;
        }
        Ok(())
    }

    fn hand_back(&self, tx: &mut dyn Tx, row: &Conversation, at: Option<Timestamp>) -> Result<()> {
        let (paused, active) = (ConversationState::Paused, ConversationState::Active);
        let reason = self.reason.as_deref().unwrap_or("handed back to the assistant");
        let to = match at {
            Some(at) if at > tx.now() => (paused, Some(at)),
            _ => (active, None),
        };
        if !matches!(row.state, ConversationState::Paused | ConversationState::HandedOver) {
            return Ok(());
        }
        conversations::go(tx, row.tenant_id, self.id, row.state, to.0, to.1, (reason, &self.by.actor()))
    }

    fn assign(&self, tx: &mut dyn Tx, row: &Conversation, user: Option<UserId>, version: i64) -> Result<FromTo> {
        let name = match user {
            Some(user) => {
                let name = tx.first(&MAY, params![user, row.tenant_id], |r| r.get::<String>(0))?;
                Some(name.ok_or_else(|| StoreError::NotFound { what: "user of this tenant", id: user.to_string() })?)
            }
            None => None,
        };
        tx.execute(&ASSIGN, params![self.id, user.map_or(0, |u| u.0), version])?;
        Ok((row.assignee.as_ref().map(|a| a.name.clone()), name))
    }
}

fn status(row: &Conversation, to: InboxStatus) -> FromTo {
    (Some(row.status.as_str().to_owned()), Some(to.as_str().to_owned()))
}

/// A private note.
#[derive(Clone, Debug)]
pub struct AddNote {
    /// Where.
    pub id: ConversationId,
    /// Its text.
    pub body: String,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for AddNote {
    const NAME: &'static str = "desk.add_note";
    type Out = Note;

    fn run(&self, tx: &mut dyn Tx) -> Result<Note> {
        follow::refresh(tx, self.id)?;
        let (row, _) = own(tx, &self.access, self.id)?;
        let (id, now) = (NoteId(tx.next_id()), tx.now());
        tx.execute(&NOTE, params![id, row.tenant_id, self.id, &self.by.name, &self.body, now])?;
        let (tenant, action, kind) = (Some(row.tenant_id), "conversation.note", "conversation");
        audit::note(tx, &self.by, &Act { tenant, action, kind, id: self.id.0, ..Act::default() })?;
        let (author, body) = (self.by.name.clone(), self.body.clone());
        Ok(Note { id, conversation_id: self.id, author, body, created_at: now.into() })
    }
}

/// A person's answer: it pauses the assistant and goes out by the outbox, as `whatsapp-send` does (S4.9).
#[derive(Clone, Debug)]
pub struct Answer {
    /// Where.
    pub id: ConversationId,
    /// What.
    pub content: OutboundContent,
    /// The newest message that the writer had seen: a newer one of the person refuses the answer.
    pub seen: Option<MessageId>,
    /// Makes it repeatable.
    pub key: String,
    /// How long the assistant pauses, where it does not already.
    pub pauses: Pauses,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Answer {
    const NAME: &'static str = "desk.answer";
    type Out = MessageId;

    fn run(&self, tx: &mut dyn Tx) -> Result<MessageId> {
        follow::refresh(tx, self.id)?;
        let (row, known) = own(tx, &self.access, self.id)?;
        if row.state == ConversationState::Closed {
            return Err(StoreError::Refused("this conversation is closed: their next message opens a new one".into()));
        }
        if !row.window_open && !matches!(self.content, OutboundContent::Template { .. }) {
            return Err(StoreError::WindowClosed);
        }
        if let Some(seen) = self.seen
            && tx.first(&NEWER, params![self.id, seen, &self.by.name], |_| Ok(()))?.is_some()
        {
            return Err(StoreError::NewerMessage);
        }
        let send = SendMessage {
            conversation: self.id,
            content: self.content.clone(),
            idempotency_key: format!("{}:{}", self.by.actor(), self.key),
            request_id: RequestId(self.by.request_id.clone()),
            pause: (row.state != ConversationState::Paused).then(|| self.pauses.clone()),
            actor: self.by.actor(),
        };
        let message = send.run(tx)?;
        tx.execute(&AUTHOR, params![message, row.tenant_id, &self.by.name])?;
        let version = tx.now().micros().max(known.version + 1);
        tx.execute(&READ, params![self.id, message, version])?;
        if row.assignee.is_none() && self.by.kind == "user" {
            tx.execute(&ASSIGN, params![self.id, self.by.id, version])?;
        }
        follow::refresh(tx, self.id)?;
        let (tenant, action, kind) = (Some(row.tenant_id), "message.send", "message");
        audit::note(tx, &self.by, &Act { tenant, action, kind, id: message.0, ..Act::default() })?;
        Ok(message)
    }
}
