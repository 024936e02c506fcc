//! What a provider told us, of every kind, as one typed model (S1.3). `channels` makes these values out of webhook bodies; `store` keeps
//! them; `engine` reads [`Content`].

use serde::{Deserialize, Serialize};

use crate::states::Receipt;
use crate::{DedupeKey, ProviderMessageId, Timestamp};

/// Which of our numbers something came to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Route {
    /// Meta: `metadata.phone_number_id`.
    PhoneNumberId(String),
    /// Meta: fields of a whole account carry only `entry.id` (a WABA or partner id).
    Account(String),
    /// Green API: `instanceData.idInstance`.
    Instance(String),
    /// Nothing says it.
    Nowhere,
}

/// One webhook body, taken apart. Every element is its own unit: an odd one never costs its neighbours (S1.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The elements, in the order of the body. Never empty: a body that holds nothing gives one [`Event::Note`].
    pub items: Vec<Item>,
}

/// One element of a webhook body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Which number it came to.
    pub route: Route,
    /// What it is.
    pub event: Event,
    /// The element's own JSON, byte for byte (kept for replay and for what cannot be read).
    pub raw: String,
}

/// What an element is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A customer wrote: the only kind that makes a job (S1.4).
    Message(Box<Inbound>),
    /// A provider reports what became of one of our messages.
    Status(StatusReport),
    /// Staff wrote from the business's own phone or app: recorded, and pauses the assistant (S3.10).
    Echo(Box<Echo>),
    /// Green API confirms a message that we sent through its API: the proof for an ambiguous send (S4.4).
    OwnSend(OwnSend),
    /// A customer's ids changed: re-link, do not answer (S1.7).
    IdentityChange(IdentityChange),
    /// The channel itself changed (Green API instance state, Meta account restriction).
    Channel(ChannelNews),
    /// Another application took the conversation, or gave it to us (Meta `messaging_handovers`).
    Handover {
        /// The customer.
        from: Identity,
        /// Whether we own the thread from now on.
        ours: bool,
    },
    /// Understood and only recorded: history, standby, account and template fields, calls, quota, blocks.
    Note {
        /// The provider's name of the kind: `history`, `account_update`, `incomingCall`.
        kind: String,
    },
    /// Signed, but not to be read: kept raw and marked, never dropped.
    Unreadable {
        /// The kind as far as it could be told.
        kind: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Who someone is, as far as the webhook says. Any part may be absent: username users have no number (S1.7).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Meta's business-scoped user id, `CC.…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bsuid: Option<String>,
    /// Digits of the WhatsApp id, which for persons is the phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// An id that is neither (Green API `@lid`, an odd `from`), verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// The name in the person's WhatsApp profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The WhatsApp username, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

impl Identity {
    /// Whether nothing in it can find a person again.
    #[must_use]
    pub const fn is_nobody(&self) -> bool {
        self.bsuid.is_none() && self.phone.is_none() && self.other.is_none()
    }
}

/// A message of a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The provider's id: with the channel, the key that makes it arrive once (S1.6).
    pub provider_id: ProviderMessageId,
    /// Who wrote.
    pub from: Identity,
    /// The group it was written in, if any (Meta `group_id`, Green API `…@g.us`).
    pub group: Option<String>,
    /// When, by the provider's clock; `None` when it did not say or said nonsense.
    pub at: Option<Timestamp>,
    /// What.
    pub content: Content,
    /// The message it quotes or reacts to.
    pub quotes: Option<ProviderMessageId>,
    /// Whether it was forwarded.
    pub forwarded: bool,
    /// The advertisement or post that brought the person here.
    pub referral: Option<serde_json::Value>,
}

/// What a message says, in one model for both providers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Plain text, without NUL.
    Text {
        /// The text.
        body: String,
    },
    /// A file.
    Media(Media),
    /// A place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// The place's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The place's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Contact cards.
    Contacts {
        /// One for each person.
        cards: Vec<Card>,
    },
    /// A choice: reply button, list row, template button, poll vote.
    Choice {
        /// Which kind: `button`, `list`, `template_button`, `poll`, `call_permission`.
        kind: String,
        /// The id that we gave the choice, when it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What the person saw.
        title: String,
    },
    /// A filled-in form (Meta Flow, address).
    Form {
        /// The form's name.
        name: String,
        /// The answers as they came: an object as a rule.
        answers: serde_json::Value,
    },
    /// A reaction to the message in [`Inbound::quotes`].
    Reaction {
        /// `None`: the reaction was taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<String>,
    },
    /// A cart.
    Order {
        /// What was ordered.
        items: Vec<OrderItem>,
        /// The customer's note.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The customer changed an earlier message ([`Inbound::quotes`]).
    Edit {
        /// The new text or caption.
        body: Option<String>,
    },
    /// The customer deleted an earlier message ([`Inbound::quotes`]).
    Deleted,
    /// The customer opened the chat without writing (Meta `request_welcome`).
    Welcome,
    /// A type that WhatsApp, or we, cannot show: kept raw and marked.
    Unsupported {
        /// The provider's name of the type.
        kind: String,
        /// Why it cannot be shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

/// A file in a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// `image`, `video`, `audio`, `voice`, `document`, `sticker`.
    pub kind: MediaKind,
    /// The provider's media id (Meta).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it can be fetched, which may expire (Green API, Meta since October 2025).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The MIME type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// What the person wrote under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// The file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// What kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound file.
    Audio,
    /// A voice note.
    Voice,
    /// A document.
    Document,
    /// A sticker.
    Sticker,
}

/// A contact card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The person's name.
    pub name: String,
    /// Phone numbers as written on the card.
    pub phones: Vec<String>,
}

/// A line of a cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderItem {
    /// The product's id in the catalogue.
    pub product: String,
    /// How many.
    pub quantity: u32,
    /// The price of one, as the provider wrote it.
    pub price: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
}

impl Content {
    /// The kind's word in rows, metrics and the API.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Media(m) => match m.kind {
                MediaKind::Image => "image",
                MediaKind::Video => "video",
                MediaKind::Audio => "audio",
                MediaKind::Voice => "voice",
                MediaKind::Document => "document",
                MediaKind::Sticker => "sticker",
            },
            Self::Location { .. } => "location",
            Self::Contacts { .. } => "contacts",
            Self::Choice { .. } => "choice",
            Self::Form { .. } => "form",
            Self::Reaction { .. } => "reaction",
            Self::Order { .. } => "order",
            Self::Edit { .. } => "edit",
            Self::Deleted => "deleted",
            Self::Welcome => "welcome",
            Self::Unsupported { .. } => "unsupported",
        }
    }

    /// What a person would read as the message's text: body, caption, choice. Empty when there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text { body } | Self::Edit { body: Some(body) } => body,
            Self::Media(m) => m.caption.as_deref().unwrap_or(""),
            Self::Choice { title, .. } => title,
            Self::Order { note, .. } => note.as_deref().unwrap_or(""),
            Self::Reaction { emoji } => emoji.as_deref().unwrap_or(""),
            _ => "",
        }
    }

    /// Whether the assistant has something to answer: reactions, edits, deletions and what cannot be shown are
    /// recorded without a job.
    #[must_use]
    pub const fn wants_answer(&self) -> bool {
        !matches!(self, Self::Reaction { .. } | Self::Edit { .. } | Self::Deleted)
    }
}

/// A provider's report on one of our messages (S4.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The id of our message.
    pub provider_id: ProviderMessageId,
    /// What is reported; `None` for a word we do not know, which is kept.
    pub receipt: Option<Receipt>,
    /// The provider's word.
    pub word: String,
    /// In a group: the participant it speaks of. Part of the status's key (S1.6).
    pub participant: Option<String>,
    /// The recipient, as far as the report says.
    pub to: Identity,
    /// When, by the provider's clock.
    pub at: Option<Timestamp>,
    /// Our own key, returned by Meta (S4.4).
    pub dedupe_key: Option<DedupeKey>,
    /// Why it failed.
    pub error: Option<ReportedError>,
    /// Green API: `false` when the message was written on the phone and is none of ours.
    pub ours: bool,
}

/// The error of a failed status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedError {
    /// The provider's code.
    pub code: Option<i64>,
    /// Its words.
    pub title: String,
}

/// What staff wrote outside Barid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// The provider's id.
    pub provider_id: ProviderMessageId,
    /// The customer they wrote to.
    pub to: Identity,
    /// The group they wrote in.
    pub group: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// What.
    pub content: Content,
}

/// Green API's `outgoingAPIMessageReceived`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnSend {
    /// The id that Green API gave our message.
    pub provider_id: ProviderMessageId,
    /// The chat it went to, verbatim (`971…@c.us`).
    pub chat: String,
    /// Its text, to be compared with what we sent.
    pub text: String,
    /// When.
    pub at: Option<Timestamp>,
}

/// A customer's ids changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityChange {
    /// Who they were.
    pub before: Identity,
    /// Who they are now.
    pub after: Identity,
}

/// News of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelNews {
    /// Whether it can send; `None` when the news does not say.
    pub usable: Option<bool>,
    /// The provider's word: `authorized`, `blocked`, `DISABLED_UPDATE`.
    pub word: String,
}
