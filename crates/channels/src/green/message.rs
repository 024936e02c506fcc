//! The content of a message of Green API (PROTOCOL.md 3, typeMessage).

use types::inbound::{Card, Content, Media, MediaKind, OrderItem};

use crate::json::Object;
use crate::words::{self, unsupported};

/// What `messageData` says.
pub(super) struct Read {
    pub(super) content: Content,
    /// The message it quotes, reacts to, changes or answers.
    pub(super) quotes: Option<String>,
    pub(super) forwarded: bool,
}

/// Reads `messageData`; `writer` is the chat id of who wrote, to find their vote in a poll.
pub(super) fn read(data: &Object<'_>, writer: &str) -> Read {
    let kind = data.word("typeMessage").unwrap_or_default();
    let body = body(&kind, data);
    let content = match &body {
        Some(body) => content(&kind, body, writer),
        None if kind.is_empty() => unsupported("unknown", "messageData is missing"),
        None => unsupported(&kind, "the message's own data is missing or not known"),
    };
    let of = |name: &str| data.object(name).and_then(|o| o.word("stanzaId"));
    // The body's own word first: a reaction or edit names its message there, or beside it in `quotedMessage`.
    let quotes = body.as_ref().and_then(|b| b.word("stanzaId")).or_else(|| of("quotedMessage"));
    let forwarded = body
        .as_ref()
        .is_some_and(|b| b.flag("isForwarded") || b.integer("forwardingScore").is_some_and(|score| score > 0));
    Read { content, quotes, forwarded }
}

/// The object that holds the content of a message of this type. Their documentation and their SDKs name some of them differently.
fn body<'a>(kind: &str, data: &Object<'a>) -> Option<Object<'a>> {
    let names: &[&str] = match kind {
        "textMessage" => &["textMessageData", "extendedTextMessageData"],
        "extendedTextMessage" | "quotedMessage" | "reactionMessage" => &["extendedTextMessageData", "textMessageData"],
        "imageMessage" | "videoMessage" | "videoNote" | "documentMessage" | "audioMessage" | "stickerMessage" => {
            &["fileMessageData"]
        }
        "locationMessage" => &["locationMessageData"],
        "contactMessage" => &["contactMessageData"],
        "contactsArrayMessage" => &["messageData", "contactsArrayMessageData"],
        "pollMessage" | "pollUpdateMessage" => &["pollMessageData"],
        "editedMessage" => &["editedMessageData"],
        "deletedMessage" => &["deletedMessageData"],
        "groupInviteMessage" => &["groupInviteMessageData"],
        "templateButtonsReplyMessage" | "templateButtonReplyMessage" => {
            &["templateButtonReplyMessage", "templateButtonsReplyMessage"]
        }
        "interactiveButtonsReply" | "interactiveButtonsResponse" => {
            &["interactiveButtonsReply", "interactiveButtonsResponse"]
        }
        other => return data.object(other),
    };
    // An array of cards once stood directly in `messageData`.
    let here = (kind == "contactsArrayMessage" && data.raw("contacts").is_some()).then(|| data.clone());
    names.iter().find_map(|name| data.object(name)).or(here)
}

fn content(kind: &str, b: &Object<'_>, writer: &str) -> Content {
    let word = |names: &[&str]| b.first(names);
    match kind {
        "textMessage" | "extendedTextMessage" | "quotedMessage" => text(kind, b),
        "imageMessage" => media(MediaKind::Image, b),
        "videoMessage" | "videoNote" => media(MediaKind::Video, b),
        "documentMessage" => media(MediaKind::Document, b),
        "stickerMessage" => media(MediaKind::Sticker, b),
        "audioMessage" => {
            // WhatsApp records voice notes as Ogg; nothing else tells them from files.
            let ogg = word(&["mimeType"]).is_some_and(|mime| mime.starts_with("audio/ogg"));
            media(if ogg { MediaKind::Voice } else { MediaKind::Audio }, b)
        }
        "locationMessage" => {
            let (name, address) = (word(&["nameLocation", "name"]), word(&["address"]));
            words::place(b.number("latitude"), b.number("longitude"), name, address)
                .unwrap_or_else(|| unsupported(kind, "no such place"))
        }
        "contactMessage" => Content::Contacts { cards: vec![card(b)] },
        "contactsArrayMessage" => Content::Contacts { cards: b.objects("contacts").iter().map(card).collect() },
        "reactionMessage" => Content::Reaction { emoji: word(&["text"]) },
        "pollUpdateMessage" => vote(kind, b, writer),
        "editedMessage" => Content::Edit { body: word(&["textMessage", "caption"]) },
        "deletedMessage" => Content::Deleted,
        "buttonsResponseMessage" => choice("button", kind, word(&["selectedButtonId"]), word(&["selectedButtonText"])),
        "listResponseMessage" => choice("list", kind, word(&["singleSelectReply"]), word(&["title"])),
        "templateButtonsReplyMessage" | "templateButtonReplyMessage" => {
            choice("template_button", kind, word(&["selectedId"]), word(&["selectedDisplayText"]))
        }
        "interactiveButtonsReply" | "interactiveButtonsResponse" => {
            choice("button", kind, word(&["selectedId"]), word(&["selectedDisplayText"]))
        }
        "orderMessage" => order(b),
        "pollMessage" => unsupported(kind, about("a poll", word(&["name"]))),
        "groupInviteMessage" => unsupported(kind, about("an invitation to a group", word(&["groupName"]))),
        "productMessage" => unsupported(kind, about("a product", word(&["title"]))),
        _ => unsupported(kind, "type not known"),
    }
}

fn about(what: &str, name: Option<String>) -> String {
    name.map_or_else(|| what.to_owned(), |name| format!("{what}: {name}"))
}

/// A text, unless it is WhatsApp's marker for a message that could not be had, which must never reach the assistant as a question.
fn text(kind: &str, b: &Object<'_>) -> Content {
    let body = b.text("textMessage").or_else(|| b.text("text"));
    match body.as_deref().and_then(error_marker) {
        Some(marker) => unsupported(kind, format!("WhatsApp could not hand the message over ({marker})")),
        None => words::said(kind, body.as_deref()),
    }
}

/// `{{SWE001}}` and its like.
fn error_marker(text: &str) -> Option<&str> {
    let marker = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let digits = marker.strip_prefix("SWE")?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(marker)
}

/// A file; without `downloadUrl` it cannot be fetched, but it can be spoken of.
fn media(kind: MediaKind, b: &Object<'_>) -> Content {
    Content::Media(Media {
        kind,
        id: None,
        url: b.word("downloadUrl"),
        mime: b.word("mimeType"),
        caption: b.text("caption").filter(|c| !words::is_blank(c)).map(std::borrow::Cow::into_owned),
        filename: b.word("fileName"),
    })
}

fn card(c: &Object<'_>) -> Card {
    let mut card = words::vcard(c.text("vcard").as_deref().unwrap_or_default());
    if let Some(name) = c.word("displayName") {
        card.name = name;
    }
    card
}

/// A choice; a message that shows buttons without choosing one is none.
fn choice(shown: &str, kind: &str, id: Option<String>, title: Option<String>) -> Content {
    match title.or_else(|| id.clone()) {
        Some(title) => Content::Choice { kind: shown.to_owned(), id, title },
        None => unsupported(kind, "nothing was chosen"),
    }
}

/// Each update carries the whole tally; the choice is what the writer voted for.
fn vote(kind: &str, b: &Object<'_>, writer: &str) -> Content {
    let voted = |option: &Object<'_>| {
        option.list("optionVoters").into_iter().any(|v| crate::json::text(v).is_some_and(|v| v == writer))
    };
    let chosen: Vec<_> = b.objects("votes").iter().filter(|o| voted(o)).filter_map(|o| o.word("optionName")).collect();
    if chosen.is_empty() {
        return unsupported(kind, "the vote was taken back");
    }
    Content::Choice { kind: "poll".to_owned(), id: None, title: chosen.join(", ") }
}

/// A cart. Green API names neither its lines nor their prices, only their number, the sum, and an id to ask with.
fn order(b: &Object<'_>) -> Content {
    let quantity = b.integer("itemCount").and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    let product = b.word("orderId").unwrap_or_default();
    let items = vec![OrderItem { product, quantity, price: None, currency: b.word("currencyCode") }];
    Content::Order { items, note: b.word("message") }
}

/// The text of a message of our own, for comparison with what was sent: text, caption, or the words above buttons.
pub(super) fn own_text(data: &Object<'_>) -> String {
    let kind = data.word("typeMessage").unwrap_or_default();
    let body = body(&kind, data).unwrap_or_default();
    let text =
        ["textMessage", "text", "caption", "contentText", "body", "name"].iter().find_map(|name| body.text(name));
    text.map(std::borrow::Cow::into_owned).unwrap_or_default()
}
