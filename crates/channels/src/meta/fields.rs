//! What comes in webhooks of Meta beside messages: statuses, errors of the number, and the other fields (PROTOCOL.md 1.6 and 1.7).

use serde_json::value::RawValue;
use types::fault::Fault;
use types::inbound::{ChannelNews, Event, Identity, IdentityChange, Item, ReportedError, Route, StatusReport};
use types::states::Receipt;
use types::{DedupeKey, ProviderMessageId};

use super::answer::classify;
use super::message;
use super::parse::{cannot, item};
use crate::json::Object;
use crate::words::identify;

/// An element of `statuses`.
pub(super) fn status(raw: &RawValue) -> Event {
    let Some(s) = Object::of(raw) else { return cannot("status", "not an object") };
    if s.text("type").as_deref() == Some("call") {
        return Event::Note { kind: "calls".to_owned() };
    }
    let Some(id) = s.word("id") else { return cannot("status", "it has no id") };
    let word = s.word("status").unwrap_or_default();
    let receipt = match word.as_str() {
        "sent" => Some(Receipt::Sent),
        "delivered" => Some(Receipt::Delivered),
        "read" => Some(Receipt::Read),
        "played" => Some(Receipt::Played),
        "failed" => Some(Receipt::Failed),
        _ => None,
    };
    let to = if s.text("recipient_type").as_deref() == Some("group") {
        // A group's id is opaque and may look like anything.
        Identity { other: s.word("recipient_id"), ..Identity::default() }
    } else {
        message::person(&s, "recipient_id", "recipient_user_id")
    };
    Event::Status(StatusReport {
        provider_id: ProviderMessageId(id),
        receipt,
        word,
        participant: s.first(&[
            "recipient_participant_id",
            "participant_recipient_id",
            "recipient_participant_user_id",
        ]),
        to,
        at: s.time("timestamp"),
        dedupe_key: s.word("biz_opaque_callback_data").map(DedupeKey),
        error: worst(&s),
        ours: true,
    })
}

/// Of several errors the gravest: a message that may be retried for one reason and not for another may not be retried.
fn worst(s: &Object<'_>) -> Option<ReportedError> {
    let gravity = |e: &ReportedError| match e.code.and_then(classify) {
        Some((Fault::Configuration, ..)) => 4,
        Some((Fault::Permanent | Fault::Bug, ..)) => 3,
        Some((Fault::Ambiguous, ..)) => 2,
        Some((Fault::Throttled | Fault::Transient, ..)) => 1,
        None => 0,
    };
    let errors = s.objects("errors");
    // From the end, since `max_by_key` takes the last of equals and the first one is to be kept.
    errors.iter().map(reported).rev().max_by_key(gravity)
}

fn reported(e: &Object<'_>) -> ReportedError {
    let code = e.integer("code");
    let title = e.first(&["title", "message"]).unwrap_or_else(|| "no reason given".to_owned());
    let details = e.object("error_data").and_then(|d| d.word("details")).or_else(|| e.word("details"));
    let title = match details {
        Some(details) if details != title => format!("{title}: {details}"),
        _ => title,
    };
    ReportedError { code, title }
}

/// An element of `value.errors`: it concerns the number, not a message. One that only a person can mend is news of the channel, though
/// it does not prove that sending fails.
pub(super) fn number_error(raw: &RawValue) -> Event {
    let Some(e) = Object::of(raw) else { return cannot("error", "not an object") };
    let e = reported(&e);
    let code = e.code.map_or_else(|| "unknown".to_owned(), |c| c.to_string());
    match e.code.and_then(classify) {
        Some((Fault::Configuration, ..)) => {
            Event::Channel(ChannelNews { usable: None, word: format!("error {code}: {}", e.title) })
        }
        _ => Event::Note { kind: format!("error.{code}") },
    }
}

/// Every other field. None of them makes a job (S1.4).
pub(super) fn other(field: &str, value: &Object<'_>, account: &Route, change: &RawValue, items: &mut Vec<Item>) {
    let number = ["metadata", "recipient"].iter().find_map(|name| value.object(name)?.word("phone_number_id"));
    let route = number.map_or_else(|| account.clone(), Route::PhoneNumberId);
    let before = items.len();
    match field {
        "smb_message_echoes" => {
            items.extend(
                value.list("message_echoes").into_iter().map(|raw| item(route.clone(), message::echo(raw), raw)),
            );
        }
        "user_id_update" => {
            let changes = value.list("user_id_update").into_iter();
            items.extend(changes.map(|raw| item(route.clone(), user_id_update(raw), raw)));
        }
        "messaging_handovers" => items.push(item(route.clone(), handover(value), change)),
        "account_update" => items.push(account_update(value, &route, change)),
        "standby" => {
            let inner = value.object("standby").unwrap_or_default();
            let what = ["messages", "message_echoes", "statuses"].into_iter().find(|name| inner.raw(name).is_some());
            let kind = what.map_or_else(|| "standby".to_owned(), |what| format!("standby.{what}"));
            items.push(item(route.clone(), Event::Note { kind }, change));
        }
        _ => {}
    }
    if items.len() == before {
        items.push(item(route, Event::Note { kind: field.to_owned() }, change));
    }
}

/// Withdrawn by Meta in August 2026 in favour of system messages, still read (PROTOCOL.md 1.8).
fn user_id_update(raw: &RawValue) -> Event {
    let Some(u) = Object::of(raw) else { return cannot("user_id_update", "not an object") };
    let ids = u.object("user_id").unwrap_or_default();
    let side = |name: &str| {
        let mut identity = Identity::default();
        for id in [ids.word(name), u.word("wa_id")].into_iter().flatten() {
            identify(&mut identity, &id);
        }
        identity
    };
    let (before, after) = (side("previous"), side("current"));
    if before.is_nobody() || after.is_nobody() {
        return cannot("user_id_update", "it does not say who changed");
    }
    Event::IdentityChange(IdentityChange { before, after })
}

/// `control_passed`: the thread is ours from now on; `control_taken`: somebody else's.
fn handover(value: &Object<'_>) -> Event {
    let kind = value.word("type").unwrap_or_default();
    let from = value.object("sender").map(|s| message::person(&s, "phone_number", "user_id")).unwrap_or_default();
    let ours = match kind.as_str() {
        "control_passed" => true,
        "control_taken" => false,
        _ => return Event::Note { kind: "messaging_handovers".to_owned() },
    };
    if from.is_nobody() {
        return cannot("messaging_handovers", "it does not say whose thread");
    }
    Event::Handover { from, ours }
}

/// What makes an account unable to send, or able again. A restriction of business-initiated messages leaves answers possible, so it is news
/// without a verdict.
fn account_update(value: &Object<'_>, route: &Route, change: &RawValue) -> Item {
    let event = value.word("event").unwrap_or_default();
    // Where a partner is told of a customer's account, `entry.id` is the partner.
    let account = value.object("waba_info").and_then(|w| w.word("waba_id")).map(Route::Account);
    let route = account.unwrap_or_else(|| route.clone());
    let usable = match event.as_str() {
        "DISABLED_UPDATE" => match value.object("ban_info").and_then(|b| b.word("waba_ban_state")).as_deref() {
            Some("REINSTATE") => Some(true),
            Some("SCHEDULE_FOR_DISABLE") => None,
            _ => Some(false),
        },
        "ACCOUNT_DELETED" => Some(false),
        "ACCOUNT_RESTRICTION" => {
            let kinds: Vec<_> =
                value.objects("restriction_info").iter().filter_map(|r| r.word("restriction_type")).collect();
            kinds.iter().any(|k| k.contains("CUSTOMER_INITIATED")).then_some(false)
        }
        _ => return item(route, Event::Note { kind: "account_update".to_owned() }, change),
    };
    item(route, Event::Channel(ChannelNews { usable, word: event }), change)
}
