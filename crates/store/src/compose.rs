//! Writing to somebody from the command line: opens the conversation where there is none, and says no by itself where WhatsApp would (S4.7).

use types::outbound::OutboundContent;
use types::{ChannelId, ConversationId, MessageId, RequestId, Timestamp};

use crate::contacts::Door;
use crate::error::{Result, StoreError};
use crate::outbox::SendMessage;
use crate::policy::Pauses;
use crate::sql::{Op, Tx};
use crate::views::OpenConversation;

sql! {
    WINDOW = "compose.window":
        "SELECT h.kind, h.id, c.last_inbound_at FROM conversation c JOIN channels h ON h.id = c.channel_id WHERE c.id = $1";
}

/// To whom.
#[derive(Clone, Debug)]
pub enum Whom {
    /// To this conversation.
    Conversation(ConversationId),
    /// To this number (digits only), over this channel.
    Phone(Door, String),
}

/// A text for somebody, or, where the 24-hour window has closed, the channel's template.
#[derive(Clone, Debug)]
pub struct Compose {
    /// To whom.
    pub to: Whom,
    /// The text.
    pub text: String,
    /// What may be sent instead when the window has closed, by channel.
    pub templates: Vec<(ChannelId, OutboundContent)>,
    /// Makes the request repeatable: the same key sends once.
    pub idempotency_key: String,
    /// The request.
    pub request_id: RequestId,
    /// Pause the assistant, as long as the tenant says.
    pub pause: Option<Pauses>,
    /// Who wrote it, for the record.
    pub actor: String,
}

/// What was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composed {
    /// In which conversation.
    pub conversation: ConversationId,
    /// The message.
    pub message: MessageId,
    /// The template goes instead of the text.
    pub template: bool,
}

impl Op for Compose {
    const NAME: &'static str = "compose";
    type Out = Composed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Composed> {
        let conversation = match &self.to {
            Whom::Conversation(id) => *id,
            Whom::Phone(door, phone) => OpenConversation { door: door.clone(), phone: phone.clone() }.run(tx)?,
        };
        let (channel, open) = window(tx, conversation)?;
        let template = self.templates.iter().find(|(of, _)| *of == channel).map(|(_, content)| content);
        let content = match (open, template) {
            (true, _) => OutboundContent::Text { body: self.text.clone() },
            (false, Some(template)) => template.clone(),
            (false, None) => return Err(StoreError::WindowClosed),
        };
        let send = SendMessage {
            conversation,
            content,
            idempotency_key: self.idempotency_key.clone(),
            request_id: self.request_id.clone(),
            pause: self.pause.clone(),
            actor: self.actor.clone(),
        };
        Ok(Composed { conversation, message: send.run(tx)?, template: !open })
    }
}

/// The channel, and whether free text may reach the person: Meta takes it for 24 hours after their last message.
fn window(tx: &mut dyn Tx, conversation: ConversationId) -> Result<(ChannelId, bool)> {
    let now = tx.now();
    let found = tx.first(&WINDOW, params![conversation], |r| {
        let (kind, heard): (String, Option<Timestamp>) = (r.get(0)?, r.get(2)?);
        let open = kind != "meta" || heard.is_some_and(|at| at.plus(crate::desk::inbox::WINDOW) > now);
        Ok((r.get(1)?, open))
    })?;
    found.ok_or_else(|| StoreError::NotFound { what: "conversation", id: conversation.to_string() })
}
