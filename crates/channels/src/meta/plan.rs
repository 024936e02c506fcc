//! What to say, as a request to the Cloud API (PROTOCOL.md 2). Meta's limits are checked here, so that a message that can never pass says
//! what to mend instead of using up attempts.

use std::collections::HashSet;

use serde_json::{Value, json};
use types::fault::Fault;
use types::http::{Body, Method, Plan};
use types::inbound::MediaKind;
use types::outbound::{Outbound, OutboundContent, Recipient};
use types::{DEDUPE_KEY_MAX, ProviderMessageId, Refusal, Secret};

use super::Account;

/// The request that sends `o`. It carries the dedupe key in `biz_opaque_callback_data`, which returns in statuses (S4.4).
///
/// # Errors
/// A permanent [`Refusal`] that says what to mend, when the message breaks one of Meta's limits.
pub fn plan(a: &Account, o: &Outbound) -> Result<Plan, Refusal> {
    let mut body = json!({ "messaging_product": "whatsapp" });
    address(&mut body, &o.to)?;
    let (kind, content) = content(&o.content)?;
    body["type"] = kind.into();
    body[kind] = content;
    if let Some(quoted) = &o.reply_to
        && kind != "reaction"
    {
        body["context"] = json!({ "message_id": quoted.0 });
    }
    at_most("the dedupe key", &o.dedupe_key.0, DEDUPE_KEY_MAX)?;
    body["biz_opaque_callback_data"] = o.dedupe_key.0.as_str().into();
    Ok(post(a, "meta.messages", &body))
}

/// Marks a customer's message, and those before it, as read; `typing` also shows that an answer is being written, until it comes or 25
/// seconds have passed (S4.7).
#[must_use]
pub fn plan_read(a: &Account, id: &ProviderMessageId, typing: bool) -> Plan {
    let mut body = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": id.0 });
    if typing {
        body["typing_indicator"] = json!({ "type": "text" });
    }
    post(a, "meta.read", &body)
}

/// Asks for the phone number itself: answered only if token, permission and id are right. Sends nothing.
#[must_use]
pub fn plan_probe(a: &Account) -> Plan {
    Plan {
        method: Method::Get,
        url: Secret::new(format!("{}?fields=id,display_phone_number,verified_name,quality_rating", number(a))),
        authorization: Some(bearer(a)),
        headers: Vec::new(),
        body: Body::Empty,
        name: "meta.probe",
    }
}

fn number(a: &Account) -> String {
    format!("{}/{}/{}", a.api_base.trim_end_matches('/'), a.api_version.trim_matches('/'), a.phone_number_id)
}

fn bearer(a: &Account) -> Secret {
    Secret::new(format!("Bearer {}", a.access_token.expose()))
}

fn post(a: &Account, name: &'static str, body: &Value) -> Plan {
    Plan {
        method: Method::Post,
        url: Secret::new(format!("{}/messages", number(a))),
        authorization: Some(bearer(a)),
        headers: Vec::new(),
        body: Body::Json(body.to_string().into_bytes()),
        name,
    }
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::new(Fault::Permanent, reason)
}

/// `to` for a number or group, `recipient` for a business-scoped id (PROTOCOL.md 1.8). A number without + may get the business's own
/// country code put before it.
fn address(body: &mut Value, to: &Recipient) -> Result<(), Refusal> {
    let group = matches!(to, Recipient::Group(_));
    body["recipient_type"] = if group { "group" } else { "individual" }.into();
    let (key, address) = match to {
        Recipient::Phone(phone) => {
            let digits = types::text::phone_digits(phone)
                .ok_or_else(|| refuse("the recipient's phone number is not one: 4 to 15 digits with country code"))?;
            ("to", format!("+{digits}"))
        }
        Recipient::Bsuid(id) => ("recipient", id.clone()),
        Recipient::Group(id) | Recipient::Chat(id) => ("to", id.clone()),
    };
    if address.trim().is_empty() {
        return Err(refuse("there is no recipient"));
    }
    body[key] = address.into();
    Ok(())
}

/// `type` and the object of that name.
fn content(content: &OutboundContent) -> Result<(&'static str, Value), Refusal> {
    Ok(match content {
        OutboundContent::Text { body } => {
            within("the text", body, 4096)?;
            ("text", json!({ "body": body, "preview_url": body.contains("https://") || body.contains("http://") }))
        }
        OutboundContent::Template { name, language, parameters } => ("template", template(name, language, parameters)?),
        OutboundContent::Buttons { body, buttons } => ("interactive", reply_buttons(body, buttons)?),
        OutboundContent::List { body, button, rows } => ("interactive", list(body, button, rows)?),
        OutboundContent::Media { kind, link, caption, filename } => {
            media(*kind, link, caption.as_deref(), filename.as_deref())?
        }
        OutboundContent::Reaction { to, emoji } => {
            ("reaction", json!({ "message_id": to.0, "emoji": emoji.as_deref().unwrap_or("") }))
        }
    })
}

fn template(name: &str, language: &str, parameters: &[String]) -> Result<Value, Refusal> {
    within("the template's name", name, 512)?;
    within("the template's language", language, 20)?;
    let mut template = json!({ "name": name, "language": { "code": language } });
    if !parameters.is_empty() {
        for (n, parameter) in (1..).zip(parameters) {
            within(&format!("template parameter {n}"), parameter, 1024)?;
        }
        let parameters: Vec<_> = parameters.iter().map(|p| json!({ "type": "text", "text": p })).collect();
        template["components"] = json!([{ "type": "body", "parameters": parameters }]);
    }
    Ok(template)
}

fn reply_buttons(body: &str, buttons: &[(String, String)]) -> Result<Value, Refusal> {
    within("the text above the buttons", body, 1024)?;
    choices("buttons", buttons, 3, 256, 20)?;
    let buttons: Vec<_> =
        buttons.iter().map(|(id, title)| json!({ "type": "reply", "reply": { "id": id, "title": title } })).collect();
    Ok(json!({ "type": "button", "body": { "text": body }, "action": { "buttons": buttons } }))
}

fn list(body: &str, button: &str, rows: &[(String, String)]) -> Result<Value, Refusal> {
    within("the text above the list", body, 4096)?;
    within("the list's button", button, 20)?;
    choices("rows", rows, 10, 200, 24)?;
    let rows: Vec<_> = rows.iter().map(|(id, title)| json!({ "id": id, "title": title })).collect();
    // One section needs no title.
    let action = json!({ "button": button, "sections": [{ "rows": rows }] });
    Ok(json!({ "type": "list", "body": { "text": body }, "action": action }))
}

fn media(
    kind: MediaKind,
    link: &str,
    caption: Option<&str>,
    filename: Option<&str>,
) -> Result<(&'static str, Value), Refusal> {
    let name = match kind {
        MediaKind::Image => "image",
        MediaKind::Video => "video",
        MediaKind::Audio | MediaKind::Voice => "audio",
        MediaKind::Document => "document",
        MediaKind::Sticker => "sticker",
    };
    if !link.starts_with("https://") && !link.starts_with("http://") {
        return Err(refuse("the file's link must start with https:// or http://: Meta fetches it"));
    }
    let mut media = json!({ "link": link });
    if let Some(caption) = caption.filter(|c| !c.is_empty()) {
        if matches!(name, "audio" | "sticker") {
            return Err(refuse(
                "WhatsApp shows no caption under audio and stickers: send the words as a text of their own",
            ));
        }
        at_most("the caption", caption, 1024)?;
        media["caption"] = caption.into();
    }
    if let Some(filename) = filename.filter(|f| name == "document" && !f.is_empty()) {
        media["filename"] = filename.into();
    }
    Ok((name, media))
}

/// 1 to `max` choices with ids and titles that are there, short enough, and different from one another.
fn choices(what: &str, choices: &[(String, String)], max: usize, id: usize, title: usize) -> Result<(), Refusal> {
    if choices.is_empty() || choices.len() > max {
        return Err(refuse(format!("WhatsApp takes 1 to {max} {what}, not {}", choices.len())));
    }
    let mut ids = HashSet::new();
    let mut titles = HashSet::new();
    for (n, (i, t)) in (1..).zip(choices) {
        within(&format!("the id of number {n} of the {what}"), i, id)?;
        within(&format!("the title of number {n} of the {what}"), t, title)?;
        if !ids.insert(i) || !titles.insert(t) {
            return Err(refuse(format!("number {n} of the {what} repeats an id or title: each must be its own")));
        }
    }
    Ok(())
}

/// Something, and at most `max` characters of it.
fn within(what: &str, text: &str, max: usize) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(refuse(format!("{what} is empty")));
    }
    at_most(what, text, max)
}

fn at_most(what: &str, text: &str, max: usize) -> Result<(), Refusal> {
    // Bytes first: most texts need no counting.
    if text.len() <= max {
        return Ok(());
    }
    match text.chars().count() {
        length if length > max => {
            Err(refuse(format!("{what} has {length} characters; WhatsApp takes {max}: shorten or split it")))
        }
        _ => Ok(()),
    }
}
