//! What we want said, and what became of trying (S4).

use serde::{Deserialize, Serialize};

use crate::inbound::{Identity, MediaKind};
use crate::{ConversationId, DedupeKey, MessageId, ProviderMessageId, Refusal, Timestamp};

/// One message to one recipient, as `channels` plans it and `egress` delivers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outbound {
    /// Our id of the message.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// What makes it unique (S4.1); travels to Meta.
    pub dedupe_key: DedupeKey,
    /// To whom.
    pub to: Recipient,
    /// What.
    pub content: OutboundContent,
    /// The message to quote.
    pub reply_to: Option<ProviderMessageId>,
}

/// Whom to send to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// A phone number, digits only.
    Phone(String),
    /// Meta's business-scoped user id.
    Bsuid(String),
    /// A group's id, as the provider writes it.
    Group(String),
    /// Any other chat id, as the provider writes it (Green API `@lid`).
    Chat(String),
}

impl Recipient {
    /// The best address of a person: the phone if known (works on both providers), then the business-scoped id.
    #[must_use]
    pub fn of(identity: &Identity) -> Option<Self> {
        if let Some(phone) = &identity.phone {
            return Some(Self::Phone(phone.clone()));
        }
        if let Some(id) = &identity.bsuid {
            return Some(Self::Bsuid(id.clone()));
        }
        identity.other.clone().map(Self::Chat)
    }

    /// The address itself, for throttles and matching; personal, so never for logs.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Phone(a) | Self::Bsuid(a) | Self::Group(a) | Self::Chat(a) => a,
        }
    }
}

/// What to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutboundContent {
    /// Plain text. Longer than the provider's limit is split by the worker into messages of their own.
    Text {
        /// The text.
        body: String,
    },
    /// An approved template (outside the 24-hour window).
    Template {
        /// Its name.
        name: String,
        /// Its language code, `en` or `ar`.
        language: String,
        /// Body parameters, in order.
        parameters: Vec<String>,
    },
    /// Up to three reply buttons.
    Buttons {
        /// The text above them.
        body: String,
        /// Id and title of each.
        buttons: Vec<(String, String)>,
    },
    /// A list of rows under one button.
    List {
        /// The text above it.
        body: String,
        /// The button that opens it.
        button: String,
        /// Id and title of each row.
        rows: Vec<(String, String)>,
    },
    /// A file by its address.
    Media {
        /// What kind.
        kind: MediaKind,
        /// Where the provider fetches it.
        link: String,
        /// What stands under it.
        caption: Option<String>,
        /// The file's name (documents).
        filename: Option<String>,
    },
    /// A reaction to a message; `None` takes it back.
    Reaction {
        /// Which message.
        to: ProviderMessageId,
        /// The emoji.
        emoji: Option<String>,
    },
}

impl OutboundContent {
    /// The kind's word in rows.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Template { .. } => "template",
            Self::Buttons { .. } => "buttons",
            Self::List { .. } => "list",
            Self::Media { .. } => "media",
            Self::Reaction { .. } => "reaction",
        }
    }

    /// What a person would read.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text { body } | Self::Buttons { body, .. } | Self::List { body, .. } => body,
            Self::Template { name, .. } => name,
            Self::Media { caption, .. } => caption.as_deref().unwrap_or(""),
            Self::Reaction { emoji, .. } => emoji.as_deref().unwrap_or(""),
        }
    }
}

/// What became of one attempt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider accepted it under this id.
    Accepted {
        /// The provider's id.
        provider_id: ProviderMessageId,
    },
    /// Certain that it was not processed; may pass later ([`crate::Fault::Transient`], `Throttled`, `Configuration`).
    Retry(Refusal),
    /// Will never pass.
    Rejected(Refusal),
    /// Nobody knows (S4.4).
    Unknown(Refusal),
}

/// One entry of a provider's own journal of what we sent (Green API), read to settle an ambiguous send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// The provider's id.
    pub provider_id: ProviderMessageId,
    /// The chat.
    pub chat: String,
    /// The text.
    pub text: String,
    /// When, when the journal says so: the queue does not.
    pub at: Option<Timestamp>,
}
