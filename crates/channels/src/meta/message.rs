//! One message of Meta (PROTOCOL.md 1.5), and who wrote it (1.8).

use serde_json::Value;
use serde_json::value::RawValue;
use types::ProviderMessageId;
use types::inbound::{Card, Content, Echo, Event, Identity, IdentityChange, Inbound, Media, MediaKind, OrderItem};

use super::parse::cannot;
use crate::json::{self, Object};
use crate::words::{self, identify, unsupported};

/// An element of `messages`. `contacts` are the people named beside it; `alone` says that it is the only message there.
pub(super) fn read(raw: &RawValue, contacts: &[Identity], alone: bool) -> Event {
    let Some(m) = Object::of(raw) else { return cannot("message", "not an object") };
    if m.text("type").as_deref() == Some("system") {
        return system(&m);
    }
    let Some(id) = m.word("id") else { return cannot("message", "it has no id, so a repeat could not be told") };
    let mut from = person(&m, "from", "from_user_id");
    if from.is_nobody() {
        return cannot("message", "it has neither phone number nor user id");
    }
    complete(&mut from, contacts, alone);
    let (content, subject) = content(&m);
    let context = m.object("context");
    let quoted = context.as_ref().and_then(|c| c.word("id"));
    let forwarded = context.as_ref().is_some_and(|c| c.flag("forwarded") || c.flag("frequently_forwarded"));
    Event::Message(Box::new(Inbound {
        provider_id: ProviderMessageId(id),
        from,
        group: m.word("group_id"),
        at: m.time("timestamp"),
        content,
        quotes: subject.or(quoted).map(ProviderMessageId),
        forwarded,
        referral: m.value("referral"),
    }))
}

/// An element of `message_echoes`: what staff wrote in the WhatsApp Business app, with the same bodies as a customer's message.
pub(super) fn echo(raw: &RawValue) -> Event {
    let Some(m) = Object::of(raw) else { return cannot("echo", "not an object") };
    let Some(id) = m.word("id") else { return cannot("echo", "it has no id") };
    let to = person(&m, "to", "to_user_id");
    let group = m.word("group_id");
    if to.is_nobody() && group.is_none() {
        return cannot("echo", "it does not say to whom");
    }
    let (content, _) = content(&m);
    Event::Echo(Box::new(Echo { provider_id: ProviderMessageId(id), to, group, at: m.time("timestamp"), content }))
}

/// Whom two fields name. A user id of the wrong form is used only where nothing else names the person.
pub(super) fn person(o: &Object<'_>, phone: &str, user_id: &str) -> Identity {
    let mut identity = Identity::default();
    // The number first: what is neither stays in `other` only while nobody is known.
    for id in [o.word(phone), o.word(user_id)].into_iter().flatten() {
        identify(&mut identity, &id);
    }
    if identity.phone.is_some() || identity.bsuid.is_some() {
        identity.other = None;
    }
    identity
}

/// Adds what `contacts` know of the writer. They are matched by an id; the only contact of the only message is the writer even where the
/// ids differ (numbers of some countries are written in two ways), but then it lends its names, not its ids.
fn complete(from: &mut Identity, contacts: &[Identity], alone: bool) {
    let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    let matching = contacts
        .iter()
        .find(|c| same(&c.bsuid, &from.bsuid) || same(&c.phone, &from.phone) || same(&c.other, &from.other));
    if let Some(contact) = matching {
        if from.bsuid.is_none() {
            from.bsuid.clone_from(&contact.bsuid);
        }
        if from.phone.is_none() {
            from.phone.clone_from(&contact.phone);
        }
    }
    if let Some(contact) = matching.or_else(|| contacts.first().filter(|_| alone && contacts.len() == 1)) {
        from.name.clone_from(&contact.name);
        from.username.clone_from(&contact.username);
    }
}

/// System messages tell of changed ids: re-link, never answer (S1.7).
fn system(m: &Object<'_>) -> Event {
    let body = m.object("system").unwrap_or_default();
    let kind = body.word("type").unwrap_or_default();
    if matches!(kind.as_str(), "user_changed_number" | "customer_changed_number" | "user_changed_user_id") {
        let mut before = person(m, "from", "");
        if let Some(id) = body.word("previous_user_id") {
            identify(&mut before, &id);
        }
        let mut after = Identity::default();
        for id in [body.word("user_id"), body.first(&["wa_id", "new_wa_id"])].into_iter().flatten() {
            identify(&mut after, &id);
        }
        if kind == "user_changed_user_id" && after.phone.is_none() {
            after.phone.clone_from(&before.phone);
        }
        if !before.is_nobody() && !after.is_nobody() {
            return Event::IdentityChange(IdentityChange { before, after });
        }
    }
    Event::Note { kind: if kind.is_empty() { "system".to_owned() } else { format!("system.{kind}") } }
}

/// The bodies that are tried, in this order, where `type` is missing or names a body that is not there: what the customer wrote counts for
/// more than its label.
const BODIES: [&str; 13] = [
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "button",
    "reaction",
    "order",
];

/// What the message says, and the message it is about where its own body names one (reaction, edit, deletion).
fn content(m: &Object<'_>) -> (Content, Option<String>) {
    let label = m.word("type").unwrap_or_default();
    if let Some(found) = read_as(&label, m) {
        return found;
    }
    let other = BODIES.iter().filter(|kind| **kind != label && m.raw(kind).is_some()).find_map(|kind| read_as(kind, m));
    other.unwrap_or_else(|| {
        let known = BODIES.contains(&label.as_str());
        let why = if known { format!("the {label} object is missing") } else { error_words(m, "type not known") };
        let kind = if label.is_empty() { "unknown" } else { &label };
        (unsupported(kind, why), None)
    })
}

/// The body of `kind`; `None` when it is not there or the kind is not known.
fn read_as(kind: &str, m: &Object<'_>) -> Option<(Content, Option<String>)> {
    let plain = |content| Some((content, None));
    match kind {
        "text" => {
            let body = m.object("text")?.text("body");
            plain(words::said("text", body.as_deref()))
        }
        "image" => plain(media(MediaKind::Image, &m.object(kind)?)),
        "video" => plain(media(MediaKind::Video, &m.object(kind)?)),
        "document" => plain(media(MediaKind::Document, &m.object(kind)?)),
        "sticker" => plain(media(MediaKind::Sticker, &m.object(kind)?)),
        "voice" => plain(media(MediaKind::Voice, &m.object(kind)?)),
        "audio" => {
            let body = m.object(kind)?;
            plain(media(if body.flag("voice") { MediaKind::Voice } else { MediaKind::Audio }, &body))
        }
        "location" => {
            let l = m.object(kind)?;
            let place = words::place(l.number("latitude"), l.number("longitude"), l.word("name"), l.word("address"));
            plain(place.unwrap_or_else(|| unsupported(kind, "no such place")))
        }
        "contacts" => {
            m.raw(kind)?;
            plain(Content::Contacts { cards: m.objects(kind).iter().map(card).collect() })
        }
        "interactive" => plain(interactive(&m.object(kind)?)),
        "button" => {
            let b = m.object(kind)?;
            let title = b.first(&["text", "payload"])?;
            plain(Content::Choice { kind: "template_button".to_owned(), id: b.word("payload"), title })
        }
        "reaction" => {
            let r = m.object(kind)?;
            Some((Content::Reaction { emoji: r.word("emoji") }, r.word("message_id")))
        }
        "order" => plain(order(&m.object(kind)?)),
        "edit" => {
            let e = m.object(kind)?;
            let changed = e.object("message").map(|m| content(&m).0);
            let body = changed.map(|c| c.text().to_owned()).filter(|b| !words::is_blank(b));
            Some((Content::Edit { body }, e.word("original_message_id")))
        }
        "revoke" => Some((Content::Deleted, m.object(kind).and_then(|r| r.word("original_message_id")))),
        "request_welcome" => plain(Content::Welcome),
        "unsupported" => {
            let inner = m.object(kind).and_then(|u| u.word("type"));
            let why = error_words(m, "WhatsApp cannot hand this type over");
            plain(unsupported(inner.as_deref().unwrap_or(kind), why))
        }
        _ => None,
    }
}

/// Meta's own words in `errors`, or ours.
fn error_words(m: &Object<'_>, otherwise: &str) -> String {
    m.objects("errors")
        .first()
        .and_then(|e| {
            let title = e.first(&["title", "message"])?;
            Some(e.integer("code").map_or_else(|| title.clone(), |code| format!("{code} {title}")))
        })
        .unwrap_or_else(|| otherwise.to_owned())
}

/// A file. One without id and address is still a file that the customer sent: it cannot be fetched, but it can be spoken of.
fn media(kind: MediaKind, m: &Object<'_>) -> Content {
    Content::Media(Media {
        kind,
        id: m.word("id"),
        url: m.first(&["url", "link"]),
        mime: m.word("mime_type"),
        caption: m.text("caption").filter(|c| !words::is_blank(c)).map(std::borrow::Cow::into_owned),
        filename: m.word("filename"),
    })
}

fn card(c: &Object<'_>) -> Card {
    let mut card = c.text("vcard").map_or(Card { name: String::new(), phones: Vec::new() }, |v| words::vcard(&v));
    if let Some(name) = c.object("name") {
        let parts = || {
            Some([name.word("first_name"), name.word("last_name")].into_iter().flatten().collect::<Vec<_>>().join(" "))
        };
        card.name = name.word("formatted_name").or_else(parts).unwrap_or_default();
    }
    let phones: Vec<String> = c.objects("phones").iter().filter_map(|p| p.first(&["phone", "wa_id"])).collect();
    if !phones.is_empty() {
        card.phones = phones;
    }
    card
}

fn interactive(i: &Object<'_>) -> Content {
    let kind = i.word("type").unwrap_or_default();
    let read = || -> Option<Content> {
        let body = i.object(&kind)?;
        Some(match kind.as_str() {
            "button_reply" => {
                Content::Choice { kind: "button".to_owned(), id: body.word("id"), title: body.first(&["title", "id"])? }
            }
            "list_reply" => {
                Content::Choice { kind: "list".to_owned(), id: body.word("id"), title: body.first(&["title", "id"])? }
            }
            "call_permission_reply" => {
                Content::Choice { kind: "call_permission".to_owned(), id: None, title: body.word("response")? }
            }
            "nfm_reply" => {
                let answers = match body.text("response_json") {
                    // Not JSON inside: kept as the text it is.
                    Some(inner) => json::tree(&inner).unwrap_or_else(|| Value::String(inner.into_owned())),
                    None => body.value("response_json").unwrap_or(Value::Null),
                };
                Content::Form { name: body.word("name").unwrap_or_else(|| "form".to_owned()), answers }
            }
            _ => return None,
        })
    };
    let label = || if kind.is_empty() { "interactive".to_owned() } else { format!("interactive.{kind}") };
    read().unwrap_or_else(|| unsupported(&label(), "this kind of answer is not known"))
}

fn order(o: &Object<'_>) -> Content {
    let items = o.objects("product_items");
    let line = |i: &Object<'_>| OrderItem {
        product: i.word("product_retailer_id").unwrap_or_default(),
        quantity: i.number("quantity").map_or(1, |q| q.clamp(0.0, f64::from(u32::MAX)) as u32),
        price: i.word("item_price"),
        currency: i.word("currency"),
    };
    Content::Order { items: items.iter().map(line).collect(), note: o.word("text") }
}
