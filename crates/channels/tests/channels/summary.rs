//! Events as lines of text, with every field that is set.

use types::inbound::{Content, Delivery, Event, Identity, Route};
use types::{ProviderMessageId, Timestamp};

/// One line for each element; long batches are counted by kind.
pub fn delivery(d: &Delivery) -> Vec<String> {
    if d.items.len() <= 6 {
        return d.items.iter().map(|item| format!("{}: {}", route(&item.route), event(&item.event))).collect();
    }
    let mut counts = std::collections::BTreeMap::new();
    for item in &d.items {
        *counts.entry((route(&item.route), kind(&item.event))).or_insert(0) += 1;
    }
    counts.into_iter().map(|((route, kind), n)| format!("{route}: {n} × {kind}")).collect()
}

pub fn kind(e: &Event) -> &'static str {
    match e {
        Event::Message(_) => "message",
        Event::Status(_) => "status",
        Event::Echo(_) => "echo",
        Event::OwnSend(_) => "own send",
        Event::IdentityChange(_) => "identity change",
        Event::Channel(_) => "channel",
        Event::Handover { .. } => "handover",
        Event::Note { .. } => "note",
        Event::Unreadable { .. } => "unreadable",
    }
}

fn route(r: &Route) -> String {
    match r {
        Route::PhoneNumberId(id) => format!("number {id}"),
        Route::Account(id) => format!("account {id}"),
        Route::Instance(id) => format!("instance {id}"),
        Route::Nowhere => "nowhere".to_owned(),
    }
}

fn event(e: &Event) -> String {
    let kind = kind(e);
    match e {
        Event::Message(m) => {
            let mut line = format!("{kind} {} from {}", id(&m.provider_id), identity(&m.from));
            add(&mut line, "group", m.group.as_deref());
            line.push_str(&at(m.at));
            add(&mut line, "quotes", m.quotes.as_ref().map(id).as_deref());
            line.push_str(if m.forwarded { ", forwarded" } else { "" });
            add(&mut line, "referral", m.referral.as_ref().map(sorted).as_deref());
            line + " | " + &content(&m.content)
        }
        Event::Status(s) => {
            let receipt = s.receipt.map_or_else(|| format!("?{}", s.word), |r| format!("{r:?}"));
            let mut line = format!("{kind} {} {receipt} to {}", id(&s.provider_id), identity(&s.to));
            line.push_str(&at(s.at));
            add(&mut line, "participant", s.participant.as_deref());
            add(&mut line, "key", s.dedupe_key.as_ref().map(|k| k.0.as_str()));
            if let Some(e) = &s.error {
                line += &format!(", error {:?} {:?}", e.code, e.title);
            }
            line + if s.ours { "" } else { ", not ours" }
        }
        Event::Echo(e) => {
            let mut line = format!("{kind} {} to {}", id(&e.provider_id), identity(&e.to));
            add(&mut line, "group", e.group.as_deref());
            line + &at(e.at) + " | " + &content(&e.content)
        }
        Event::OwnSend(o) => format!("{kind} {} to {}{} | {:?}", id(&o.provider_id), o.chat, at(o.at), o.text),
        Event::IdentityChange(c) => format!("{kind} {} -> {}", identity(&c.before), identity(&c.after)),
        Event::Channel(c) => format!("{kind} {:?} usable {:?}", c.word, c.usable),
        Event::Handover { from, ours } => format!("{kind} {} ours {ours}", identity(from)),
        Event::Note { kind: what } => format!("{kind} {what}"),
        Event::Unreadable { kind: what, why } => format!("{kind} {what}: {why}"),
    }
}

fn add(line: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line.push_str(&format!(", {name} {value}"));
    }
}

fn at(at: Option<Timestamp>) -> String {
    at.map_or_else(|| ", no time".to_owned(), |t| format!(", at {}", t.micros() as f64 / 1e6))
}

/// The end of an id, which is where ids differ.
fn id(id: &ProviderMessageId) -> String {
    let length = id.0.chars().count();
    if length <= 12 { id.0.clone() } else { format!("…{}", id.0.chars().skip(length - 10).collect::<String>()) }
}

fn identity(i: &Identity) -> String {
    let parts = [("", &i.phone), ("bsuid ", &i.bsuid), ("other ", &i.other), ("@", &i.username), ("name ", &i.name)];
    let parts: Vec<_> = parts.iter().filter_map(|(label, p)| p.as_ref().map(|p| format!("{label}{p}"))).collect();
    format!("[{}]", parts.join(", "))
}

fn content(c: &Content) -> String {
    match c {
        Content::Text { body } if body.chars().count() > 80 => {
            format!("text {:?}… ({} characters)", types::text::preview(body, 20), body.chars().count())
        }
        Content::Text { body } => format!("text {body:?}"),
        other => sorted(&serde_json::to_value(other).unwrap()),
    }
}

/// JSON with sorted keys, whatever order this build keeps them in.
pub fn sorted(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(fields) => {
            let fields: std::collections::BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<_> = fields.iter().map(|(k, v)| format!("{k:?}:{}", sorted(v))).collect();
            format!("{{{}}}", fields.join(","))
        }
        serde_json::Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
