//! What to say, as requests to Green API, and the questions that settle an ambiguous send (PROTOCOL.md 3 and 4). The token stands in the
//! path of every URL, which is why a plan's URL is a secret.

use serde_json::{Value, json};
use types::fault::Fault;
use types::http::{Body, Method, Plan};
use types::inbound::MediaKind;
use types::outbound::{Outbound, OutboundContent, Recipient};
use types::{ProviderMessageId, Refusal, Secret};

use super::{Account, chat_id};

/// Characters of a text or caption.
const TEXT_MAX: usize = 20_000;
/// Characters on a button.
const BUTTON_MAX: usize = 25;

/// The request that sends `o`. Green API takes no key of ours, so an ambiguous send is settled by its queue and journal (S4.4). A list, which
/// it cannot show, and buttons in a group are written out as numbered lines.
///
/// # Errors
/// A permanent [`Refusal`] that says what to mend, for what this API cannot send.
pub fn plan(a: &Account, o: &Outbound) -> Result<Plan, Refusal> {
    let chat = match &o.to {
        Recipient::Bsuid(_) => {
            return Err(refuse("Green API reaches phone numbers and chats, not business-scoped ids"));
        }
        Recipient::Phone(phone) if types::text::phone_digits(phone).is_none() => {
            return Err(refuse("the recipient's phone number is not one: 4 to 15 digits with country code"));
        }
        to if to.address().trim().is_empty() => return Err(refuse("there is no recipient")),
        to => chat_id(to),
    };
    let group = chat.ends_with("@g.us");
    let mut body = json!({ "chatId": chat });
    let (method, name) = match &o.content {
        OutboundContent::Text { body: text } => message(&mut body, text)?,
        OutboundContent::Buttons { body: text, buttons } if group => message(&mut body, &numbered(text, buttons))?,
        OutboundContent::Buttons { body: text, buttons } => reply_buttons(&mut body, text, buttons)?,
        OutboundContent::List { body: text, rows, .. } => message(&mut body, &numbered(text, rows))?,
        OutboundContent::Media { kind, link, caption, filename } => {
            file(&mut body, *kind, link, caption.as_deref(), filename.as_deref())?
        }
        OutboundContent::Template { .. } => return Err(refuse("Green API has no templates: send a text")),
        OutboundContent::Reaction { .. } => return Err(refuse("Green API cannot send reactions: send a text")),
    };
    if let Some(quoted) = &o.reply_to
        && method != "sendInteractiveButtonsReply"
    {
        body["quotedMessageId"] = quoted.0.as_str().into();
    }
    Ok(post(a, method, name, &body))
}

/// Marks a message of `chat`, and those before it, as read (S4.7).
#[must_use]
pub fn plan_read(a: &Account, chat: &str, id: &ProviderMessageId) -> Plan {
    post(a, "readChat", "green.read", &json!({ "chatId": chat, "idMessage": id.0 }))
}

/// Asks for the instance's state: answered only if instance and token are right. Read by [`super::read_state`].
#[must_use]
pub fn plan_probe(a: &Account) -> Plan {
    get(a, "getStateInstance", "", "green.state")
}

/// Asks for the queue of what Green API has taken and not yet sent, the first 500. Read by [`super::read_queue`].
#[must_use]
pub fn plan_queue(a: &Account) -> Plan {
    get(a, "showMessagesQueue", "", "green.queue")
}

/// Asks for what was sent in the last `minutes`; the journal lags by up to 2 minutes. Read by [`super::read_journal`].
#[must_use]
pub fn plan_journal(a: &Account, minutes: u32) -> Plan {
    get(a, "lastOutgoingMessages", &format!("?minutes={minutes}"), "green.journal")
}

fn url(a: &Account, method: &str, query: &str) -> Secret {
    let base = a.api_base.trim_end_matches('/');
    Secret::new(format!("{base}/waInstance{}/{method}/{}{query}", a.instance, a.api_token.expose()))
}

fn get(a: &Account, method: &str, query: &str, name: &'static str) -> Plan {
    Plan {
        method: Method::Get,
        url: url(a, method, query),
        authorization: None,
        headers: Vec::new(),
        body: Body::Empty,
        name,
    }
}

fn post(a: &Account, method: &str, name: &'static str, body: &Value) -> Plan {
    let body = Body::Json(body.to_string().into_bytes());
    Plan { method: Method::Post, url: url(a, method, ""), authorization: None, headers: Vec::new(), body, name }
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::new(Fault::Permanent, reason)
}

fn within(what: &str, text: &str, max: usize) -> Result<(), Refusal> {
    match text.chars().count() {
        _ if text.trim().is_empty() => Err(refuse(format!("{what} is empty"))),
        length if length > max => {
            Err(refuse(format!("{what} has {length} characters; Green API takes {max}: shorten or split it")))
        }
        _ => Ok(()),
    }
}

type Named = (&'static str, &'static str);

fn message(body: &mut Value, text: &str) -> Result<Named, Refusal> {
    within("the text", text, TEXT_MAX)?;
    body["message"] = text.into();
    Ok(("sendMessage", "green.message"))
}

/// The choices as lines that can be answered with a number.
fn numbered(text: &str, choices: &[(String, String)]) -> String {
    let mut out = text.to_owned();
    for (n, (_, title)) in (1..).zip(choices) {
        let gap = if n == 1 { "\n\n" } else { "\n" };
        out.push_str(&format!("{gap}{n}. {title}"));
    }
    out
}

fn reply_buttons(body: &mut Value, text: &str, buttons: &[(String, String)]) -> Result<Named, Refusal> {
    within("the text above the buttons", text, TEXT_MAX)?;
    if buttons.is_empty() || buttons.len() > 3 {
        return Err(refuse(format!("WhatsApp takes 1 to 3 buttons, not {}", buttons.len())));
    }
    for (n, (id, title)) in (1..).zip(buttons) {
        within(&format!("the id of button {n}"), id, 256)?;
        within(&format!("the title of button {n}"), title, BUTTON_MAX)?;
    }
    body["body"] = text.into();
    body["buttons"] = buttons.iter().map(|(id, title)| json!({ "buttonId": id, "buttonText": title })).collect();
    Ok(("sendInteractiveButtonsReply", "green.buttons"))
}

fn file(
    body: &mut Value,
    kind: MediaKind,
    link: &str,
    caption: Option<&str>,
    filename: Option<&str>,
) -> Result<Named, Refusal> {
    if !link.starts_with("https://") && !link.starts_with("http://") {
        return Err(refuse("the file's link must start with https:// or http://: Green API fetches it"));
    }
    body["urlFile"] = link.into();
    body["fileName"] = file_name(kind, link, filename).into();
    if let Some(caption) = caption.filter(|c| !c.is_empty()) {
        within("the caption", caption, TEXT_MAX)?;
        body["caption"] = caption.into();
    }
    Ok(("sendFileByUrl", "green.file"))
}

/// Green API demands a name and reads the kind of file from its ending: the given name, else the link's last part, else a plain one.
fn file_name(kind: MediaKind, link: &str, filename: Option<&str>) -> String {
    let path = link.split(['?', '#']).next().unwrap_or(link);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let last = path.split_once('/').and_then(|(_, path)| path.rsplit('/').next()).filter(|name| name.contains('.'));
    filename.filter(|f| !f.is_empty()).or(last).map_or_else(
        || {
            let plain = match kind {
                MediaKind::Image => "image.jpg",
                MediaKind::Video => "video.mp4",
                MediaKind::Audio => "audio.mp3",
                MediaKind::Voice => "voice.ogg",
                MediaKind::Document => "document.pdf",
                MediaKind::Sticker => "sticker.webp",
            };
            plain.to_owned()
        },
        str::to_owned,
    )
}
