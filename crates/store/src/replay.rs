//! Stored webhooks, for running them through today's engine: what came in, raw, and what was answered then.

use types::{ConversationId, MessageId, TenantId, Timestamp};

use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    HEARD = "replay.heard":
        "SELECT m.id, m.raw, m.created_at, c.kind, v.tenant_id, p.name,
                (SELECT r.body FROM message r WHERE r.conversation_id = $1 AND r.in_reply_to = m.id ORDER BY r.id LIMIT 1)
         FROM message m JOIN conversation v ON v.id = m.conversation_id JOIN channels c ON c.id = v.channel_id
              JOIN contacts p ON p.id = v.contact_id
         WHERE m.conversation_id = $1 AND m.direction = 'in' AND m.id > $2 ORDER BY m.id LIMIT $3";
}

/// A message as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its id.
    pub id: MessageId,
    /// What the provider sent.
    pub raw: Option<String>,
    /// When it was stored.
    pub at: Timestamp,
    /// `meta` or `greenapi`.
    pub kind: String,
    /// Whose.
    pub tenant: TenantId,
    /// The person's name in WhatsApp.
    pub profile_name: Option<String>,
    /// What was answered then.
    pub answer: Option<String>,
}

/// What a conversation heard, the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Hear {
    /// Which.
    pub conversation: ConversationId,
    /// Only newer than this one.
    pub after: Option<MessageId>,
    /// At most so many.
    pub limit: u32,
}

impl Op for Hear {
    const NAME: &'static str = "replay.hear";
    type Out = Vec<Heard>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Heard>> {
        tx.all(&HEARD, params![self.conversation, self.after.map_or(0, |a| a.0), self.limit], |r| {
            Ok(Heard {
                id: r.get(0)?,
                raw: r.get(1)?,
                at: r.get(2)?,
                kind: r.get(3)?,
                tenant: r.get(4)?,
                profile_name: r.get(5)?,
                answer: r.get(6)?,
            })
        })
    }
}
