//! One notification of Green API (PROTOCOL.md 3, typeWebhook).

use serde_json::value::RawValue;
use types::ProviderMessageId;
use types::inbound::{
    ChannelNews, Delivery, Echo, Event, Identity, Inbound, Item, OwnSend, ReportedError, Route, StatusReport,
};
use types::states::Receipt;

use super::message;
use crate::NotJson;
use crate::json::{self, Object};
use crate::words::identify;

/// Reads a notification: the body of a webhook, or what `receiveNotification` answers (whose wrapper is taken off). An array is read
/// element by element, though Green API sends none.
///
/// # Errors
/// [`NotJson`] when the body is not one strict JSON document; a byte order mark is forgiven.
pub fn parse(body: &[u8]) -> Result<Delivery, NotJson> {
    let whole = json::document(json::text_of(body)?)?;
    let elements: Vec<&RawValue> = match whole.get().starts_with('[') {
        true => serde_json::from_str(whole.get()).unwrap_or_default(),
        false => vec![whole],
    };
    let mut items: Vec<Item> = elements.into_iter().map(notification).collect();
    if items.is_empty() {
        items.push(item(Route::Nowhere, note("empty"), whole));
    }
    Ok(Delivery { items })
}

fn item(route: Route, event: Event, raw: &RawValue) -> Item {
    Item { route, event, raw: raw.get().to_owned() }
}

fn note(kind: &str) -> Event {
    Event::Note { kind: kind.to_owned() }
}

fn cannot(kind: &str, why: &str) -> Event {
    Event::Unreadable { kind: kind.to_owned(), why: why.to_owned() }
}

fn notification(raw: &RawValue) -> Item {
    let Some(outer) = Object::of(raw) else {
        // The polling API answers null when its queue is empty.
        let event = if raw.get() == "null" { note("empty") } else { cannot("body", "not an object") };
        return item(Route::Nowhere, event, raw);
    };
    let (n, raw) = match outer.raw("body").filter(|_| outer.raw("typeWebhook").is_none()) {
        Some(inner) => (Object::of(inner).unwrap_or_default(), inner),
        None => (outer, raw),
    };
    let route = n.object("instanceData").and_then(|i| i.word("idInstance")).map_or(Route::Nowhere, Route::Instance);
    item(route, event(&n), raw)
}

/// What a notification tells. Calls, blocks, quota, device and avatar are recorded only (S1.4).
fn event(n: &Object<'_>) -> Event {
    let Some(kind) = n.word("typeWebhook") else {
        return match n.raw("messageData") {
            Some(_) => cannot("unknown", "typeWebhook is missing, so nobody can say who wrote"),
            None => note("empty"),
        };
    };
    match kind.as_str() {
        "incomingMessageReceived" => incoming(n, &kind),
        "outgoingMessageReceived" => echo(n, &kind),
        "outgoingAPIMessageReceived" => own_send(n, &kind),
        "outgoingMessageStatus" => status(n, &kind),
        "stateInstanceChanged" => state(n, &kind),
        _ => note(&kind),
    }
}

/// Where a message was written, and what is said of its writer.
fn chat<'a>(n: &Object<'a>) -> Option<(String, Object<'a>)> {
    let sender = n.object("senderData")?;
    let chat = sender.first(&["chatId", "sender"])?;
    Some((chat, sender))
}

fn is_group(chat: &str) -> bool {
    chat.ends_with("@g.us")
}

/// Stories and channels: nobody there is spoken with, and an answer would be published.
fn is_broadcast(chat: &str) -> bool {
    chat.ends_with("@broadcast") || chat.ends_with("@newsletter")
}

fn who(id: &str) -> Identity {
    let mut identity = Identity::default();
    identify(&mut identity, id);
    identity
}

fn incoming(n: &Object<'_>, kind: &str) -> Event {
    let Some((chat, sender)) = chat(n) else {
        return cannot(kind, "senderData is missing, so there is nobody to answer");
    };
    if is_broadcast(&chat) {
        return note(&chat);
    }
    let Some(id) = n.word("idMessage") else {
        return cannot(kind, "it has no idMessage, so a repeat could not be told");
    };
    let group = is_group(&chat);
    let writer = match sender.word("sender") {
        Some(sender) => sender,
        None if group => return cannot(kind, "it does not say who in the group wrote"),
        None => chat.clone(),
    };
    let mut from = who(&writer);
    // `chatName` of a group is the group's.
    from.name =
        sender.first(&["senderName", "senderContactName"]).or_else(|| sender.word("chatName").filter(|_| !group));
    let data = n.object("messageData").unwrap_or_default();
    let read = message::read(&data, &writer);
    Event::Message(Box::new(Inbound {
        provider_id: ProviderMessageId(id),
        from,
        group: group.then_some(chat),
        at: n.time("timestamp"),
        content: read.content,
        quotes: read.quotes.map(ProviderMessageId),
        forwarded: read.forwarded,
        referral: None,
    }))
}

/// The business's own phone wrote.
fn echo(n: &Object<'_>, kind: &str) -> Event {
    let Some((chat, sender)) = chat(n) else { return cannot(kind, "senderData is missing") };
    if is_broadcast(&chat) {
        return note(&chat);
    }
    let Some(id) = n.word("idMessage") else { return cannot(kind, "it has no idMessage") };
    let group = is_group(&chat);
    let mut to = if group { Identity::default() } else { who(&chat) };
    to.name = sender.word("chatName").filter(|_| !group);
    let data = n.object("messageData").unwrap_or_default();
    Event::Echo(Box::new(Echo {
        provider_id: ProviderMessageId(id),
        to,
        group: group.then_some(chat),
        at: n.time("timestamp"),
        content: message::read(&data, "").content,
    }))
}

fn own_send(n: &Object<'_>, kind: &str) -> Event {
    let Some((chat, _)) = chat(n) else { return cannot(kind, "senderData is missing") };
    let Some(id) = n.word("idMessage") else { return cannot(kind, "it has no idMessage") };
    let data = n.object("messageData").unwrap_or_default();
    let text = message::own_text(&data);
    Event::OwnSend(OwnSend { provider_id: ProviderMessageId(id), chat, text, at: n.time("timestamp") })
}

fn status(n: &Object<'_>, kind: &str) -> Event {
    let Some(id) = n.word("idMessage") else { return cannot(kind, "it has no idMessage") };
    let word = n.word("status").unwrap_or_default();
    let failed = |title: String| Some(ReportedError { code: None, title });
    let (receipt, error) = match word.as_str() {
        "sent" => (Some(Receipt::Sent), None),
        "delivered" => (Some(Receipt::Delivered), None),
        "read" => (Some(Receipt::Read), None),
        "played" => (Some(Receipt::Played), None),
        "failed" => (Some(Receipt::Failed), failed(n.word("description").unwrap_or_else(|| word.clone()))),
        // Not on WhatsApp, not in the group, throttled by WhatsApp, 24-hour window closed: the word is the reason.
        "noAccount" | "notInGroup" | "yellowCard" | "noActiveSession" => (Some(Receipt::Failed), failed(word.clone())),
        _ => (None, None),
    };
    let to = n.word("chatId").map(|chat| who(&chat)).unwrap_or_default();
    Event::Status(StatusReport {
        provider_id: ProviderMessageId(id),
        receipt,
        word,
        participant: None,
        to,
        at: n.time("timestamp"),
        dedupe_key: None,
        error,
        // Only an explicit `false` says that the phone wrote it.
        ours: n.raw("sendByApi").is_none_or(|raw| raw.get() != "false"),
    })
}

/// The instance's state. `starting` and `sleepMode` pass by themselves, and Green API keeps what is sent meanwhile: no verdict. `yellowCard`
/// is WhatsApp's warning for spam: what is sent stays in their queue until a person restarts the instance, so the channel cannot be used.
fn state(n: &Object<'_>, kind: &str) -> Event {
    let Some(word) = n.word("stateInstance") else { return cannot(kind, "stateInstance is missing") };
    let usable = match word.as_str() {
        "authorized" => Some(true),
        "notAuthorized" | "blocked" | "yellowCard" | "suspended" => Some(false),
        _ => None,
    };
    Event::Channel(ChannelNews { usable, word })
}
