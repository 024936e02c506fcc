//! Values as providers and workers give them.

use types::inbound::{Content, Echo, Event, Identity, Inbound, Item, OwnSend, Route, StatusReport};
use types::outbound::{OutboundContent, Outcome};
use types::states::Receipt;
use types::{DedupeKey, Fault, ProviderMessageId, Refusal, Scope};

/// A customer's number.
pub const PHONE: &str = "971500000001";

pub fn pid(id: &str) -> ProviderMessageId {
    ProviderMessageId(id.to_owned())
}

/// Who has this number.
pub fn phone(digits: &str) -> Identity {
    Identity { phone: Some(digits.to_owned()), ..Identity::default() }
}

pub fn bsuid(id: &str) -> Identity {
    Identity { bsuid: Some(id.to_owned()), ..Identity::default() }
}

pub fn other(id: &str) -> Identity {
    Identity { other: Some(id.to_owned()), ..Identity::default() }
}

pub fn text(body: &str) -> Content {
    Content::Text { body: body.to_owned() }
}

pub fn say(body: &str) -> OutboundContent {
    OutboundContent::Text { body: body.to_owned() }
}

/// A customer's message.
pub fn inbound(id: &str, from: Identity, content: Content) -> Inbound {
    Inbound {
        provider_id: pid(id),
        from,
        group: None,
        at: None,
        content,
        quotes: None,
        forwarded: false,
        referral: None,
    }
}

pub fn message(id: &str, from: &str, body: &str) -> Event {
    Event::Message(Box::new(inbound(id, phone(from), text(body))))
}

/// An element of a webhook body; its raw bytes differ when the event does.
pub fn item(event: Event) -> Item {
    let raw = format!("{event:?}");
    Item { route: Route::Nowhere, event, raw }
}

pub fn echo(id: &str, to: &str, body: &str) -> Event {
    Event::Echo(Box::new(Echo { provider_id: pid(id), to: phone(to), group: None, at: None, content: text(body) }))
}

pub fn report(id: &str, receipt: Receipt) -> StatusReport {
    StatusReport {
        provider_id: pid(id),
        receipt: Some(receipt),
        word: receipt.as_str().to_owned(),
        participant: None,
        to: Identity::default(),
        at: None,
        dedupe_key: None,
        error: None,
        ours: true,
    }
}

pub fn status(id: &str, receipt: Receipt) -> Event {
    Event::Status(report(id, receipt))
}

/// A status that carries our own key, as Meta's do (S4.4).
pub fn keyed(id: &str, receipt: Receipt, key: &DedupeKey) -> Event {
    Event::Status(StatusReport { dedupe_key: Some(key.clone()), ..report(id, receipt) })
}

pub fn own_send(id: &str, to: &str, body: &str) -> Event {
    Event::OwnSend(OwnSend { provider_id: pid(id), chat: format!("{to}@c.us"), text: body.to_owned(), at: None })
}

pub fn accepted(id: &str) -> Outcome {
    Outcome::Accepted { provider_id: pid(id) }
}

pub fn refusal(fault: Fault, scope: Scope) -> Refusal {
    Refusal { scope, ..Refusal::new(fault, "the provider said so") }
}

pub fn retry(fault: Fault) -> Outcome {
    Outcome::Retry(refusal(fault, Scope::Message))
}

pub fn rejected() -> Outcome {
    Outcome::Rejected(Refusal {
        code: Some(131_047),
        http: Some(400),
        ..Refusal::new(Fault::Permanent, "window closed")
    })
}

pub fn unknown() -> Outcome {
    Outcome::Unknown(Refusal::new(Fault::Ambiguous, "no answer"))
}
