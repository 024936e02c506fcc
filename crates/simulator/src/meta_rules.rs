//! What the Cloud API refuses in a send before it looks at anything else (PROTOCOL.md 2, limits): an engine that breaks one
//! of these rules must fail in a test, not with a customer.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::meta::Send;

/// A refusal by Meta's rules.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub http: u16,
    pub code: i64,
    pub message: String,
    pub details: String,
}

impl Refused {
    /// 400 with code 100.
    pub fn parameter(message: &str, details: &str) -> Self {
        Self { http: 400, code: 100, message: format!("(#100) {message}"), details: details.to_owned() }
    }
}

/// The recipient and the body for the ledger, or why it is refused.
pub(crate) fn check(send: &Send<'_>) -> Result<(String, String), Refused> {
    let group = send.recipient_type.as_ref().is_some_and(|t| t.0 == "group");
    // Both given: `to` wins.
    let to = match (&send.to, &send.recipient) {
        (Some(to), _) if group => to.0.clone().into_owned(),
        (Some(to), _) => {
            let digits: String = to.0.chars().filter(char::is_ascii_digit).collect();
            let odd = to.0.chars().any(|c| !c.is_ascii_digit() && !" +-().".contains(c));
            if odd || !(4..=15).contains(&digits.len()) {
                let details = "The parameter to must be a phone number with its country code";
                return Err(Refused { code: 131_009, ..Refused::parameter("Parameter value is not valid", details) });
            }
            digits
        }
        (None, Some(recipient)) => recipient.0.clone().into_owned(),
        (None, None) => String::new(),
    };
    if to.is_empty() {
        return Err(Refused::parameter("The parameter to is required.", "to or recipient is required"));
    }
    if send.biz_opaque_callback_data.as_ref().is_some_and(|d| d.0.chars().count() > 512) {
        let message = "Param biz_opaque_callback_data must be at most 512 characters long.";
        return Err(Refused::parameter(message, message));
    }
    Ok((to, content(send)?))
}

fn content(send: &Send<'_>) -> Result<String, Refused> {
    let required = |what: &str| Refused::parameter(&format!("The parameter {what} is required."), what);
    let kind = send.kind.as_ref().map_or("text", |k| &k.0);
    let object = match kind {
        "text" => {
            let body = send.text.as_ref().and_then(|t| t.body.as_ref()).filter(|b| !b.0.is_empty());
            let body = body.ok_or_else(|| required("text['body']"))?;
            at_most("text['body']", &body.0, 4096)?;
            return Ok(body.0.clone().into_owned());
        }
        "image" => send.image,
        "video" => send.video,
        "audio" => send.audio,
        "document" => send.document,
        "sticker" => send.sticker,
        "location" => send.location,
        "contacts" => send.contacts,
        "interactive" => send.interactive,
        "template" => send.template,
        "reaction" => send.reaction,
        other => return Err(Refused::parameter("Param type must be one of the supported types", other)),
    };
    let object: &RawValue = object.ok_or_else(|| required(kind))?;
    let value: Value = serde_json::from_str(object.get()).map_err(|_| required(kind))?;
    let has = |pointer: &str| value.pointer(pointer).is_some_and(|v| !v.is_null() && v != "");
    let need = |pointer: &str| if has(pointer) { Ok(()) } else { Err(required(&format!("{kind}{pointer}"))) };
    match kind {
        "image" | "video" | "audio" | "document" | "sticker" => {
            if !has("/id") && !has("/link") {
                return Err(required(&format!("{kind}['id'] or {kind}['link']")));
            }
            at_most("caption", value["caption"].as_str().unwrap_or_default(), 1024)?;
        }
        "location" => need("/latitude").and_then(|()| need("/longitude"))?,
        "contacts" => need("/0/name/formatted_name")?,
        "template" => need("/name").and_then(|()| need("/language/code"))?,
        // An empty emoji takes the reaction back: it must be there all the same.
        "reaction" if value.get("emoji").is_none() => return Err(required("reaction['emoji']")),
        "reaction" => need("/message_id")?,
        _ => interactive(&value)?,
    }
    Ok(object.get().to_owned())
}

fn interactive(value: &Value) -> Result<(), Refused> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let list = |pointer: &str| value.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let count = |what: &str, n: usize, most: usize| {
        if (1..=most).contains(&n) {
            return Ok(());
        }
        let message = format!("Invalid {what} count. Min allowed: 1, max allowed: {most}");
        Err(Refused { code: 131_009, ..Refused::parameter(&message, &message) })
    };
    let kind = text("/type");
    if kind.is_empty() || (text("/body/text").is_empty() && kind != "product") {
        let message = "The parameters interactive['type'] and interactive['body']['text'] are required.";
        return Err(Refused::parameter(message, message));
    }
    at_most("body", text("/body/text"), if kind == "list" { 4096 } else { 1024 })?;
    at_most("header", text("/header/text"), 60)?;
    at_most("footer", text("/footer/text"), 60)?;
    if kind == "button" {
        let buttons = list("/action/buttons");
        count("buttons", buttons.len(), 3)?;
        for button in buttons {
            named("reply", &button["reply"], 20, 256)?;
        }
    }
    if kind == "list" {
        at_most("button", text("/action/button"), 20)?;
        let sections = list("/action/sections");
        count("sections", sections.len(), 10)?;
        let rows: Vec<&Value> = sections.iter().filter_map(|s| s["rows"].as_array()).flatten().collect();
        count("rows", rows.len(), 10)?;
        for row in rows {
            named("row", row, 24, 200)?;
            at_most("description", row["description"].as_str().unwrap_or_default(), 72)?;
        }
        for section in sections {
            at_most("section title", section["title"].as_str().unwrap_or_default(), 24)?;
        }
    }
    Ok(())
}

fn named(what: &str, value: &Value, title: usize, id: usize) -> Result<(), Refused> {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    if text("title").is_empty() || text("id").is_empty() {
        let message = format!("The parameters {what}['title'] and {what}['id'] are required.");
        return Err(Refused::parameter(&message, &message));
    }
    at_most("title", text("title"), title)?;
    at_most("id", text("id"), id)
}

fn at_most(what: &str, text: &str, most: usize) -> Result<(), Refused> {
    // Bytes are never fewer than characters, and most texts are short.
    if text.len() <= most || text.chars().count() <= most {
        return Ok(());
    }
    let message = format!("Param {what} must be at most {most} characters long.");
    Err(Refused::parameter(&message, &message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(mut body: Value) -> Result<(String, String), Refused> {
        body["messaging_product"] = "whatsapp".into();
        let text = body.to_string();
        check(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn good_sends_give_recipient_and_body() {
        for (body, to, kept) in [
            (json!({"to": "+971 50 000-0101", "type": "text", "text": {"body": "hi"}}), "971500000101", "hi"),
            (json!({"to": "971500000101", "text": {"body": "مرحبا".repeat(800)}}), "971500000101", "مرحبا"),
            (json!({"recipient": "AE.1", "type": "text", "text": {"body": "hi"}}), "AE.1", "hi"),
            (
                json!({"to": "971500000101", "recipient": "AE.1", "type": "text", "text": {"body": "hi"}}),
                "971500000101",
                "hi",
            ),
            (json!({"to": "Y2Fw", "recipient_type": "group", "type": "text", "text": {"body": "hi"}}), "Y2Fw", "hi"),
            (json!({"to": "97150", "type": "image", "image": {"link": "https://e.com/a"}}), "97150", "{\"link\""),
            (json!({"to": "97150", "type": "reaction", "reaction": {"message_id": "w", "emoji": ""}}), "97150", "{"),
            (
                json!({"to": "97150", "type": "template", "template": {"name": "t", "language": {"code": "ar"}}}),
                "97150",
                "{",
            ),
            (
                json!({"to": "97150", "type": "interactive", "interactive": {"type": "button", "body": {"text": "?"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]}}}),
                "97150",
                "{",
            ),
        ] {
            let (got_to, got_body) = checked(body.clone()).unwrap_or_else(|e| panic!("{body}: {e:?}"));
            assert_eq!(got_to, to, "{body}");
            assert!(got_body.starts_with(kept), "{body}: {got_body}");
        }
    }

    #[test]
    fn broken_sends_say_what_is_wrong() {
        let button = |title: &str| json!({"type": "reply", "reply": {"id": "y", "title": title}});
        let buttons = |buttons: Vec<Value>| {
            json!({"to": "97150", "type": "interactive",
                   "interactive": {"type": "button", "body": {"text": "?"}, "action": {"buttons": buttons}}})
        };
        let rows = |n: usize| {
            let rows: Vec<Value> = (0..n).map(|n| json!({"id": n.to_string(), "title": "Row"})).collect();
            json!({"to": "97150", "type": "interactive", "interactive": {"type": "list", "body": {"text": "?"},
                   "action": {"button": "Choose", "sections": [{"rows": rows}]}}})
        };
        for (body, code, words) in [
            (json!({"type": "text", "text": {"body": "hi"}}), 100, "to is required"),
            (json!({"to": "somebody", "type": "text", "text": {"body": "hi"}}), 131_009, "not valid"),
            (json!({"to": "97150", "type": "text"}), 100, "text['body'] is required"),
            (json!({"to": "97150", "type": "text", "text": {"body": ""}}), 100, "text['body'] is required"),
            (json!({"to": "97150", "type": "text", "text": {"body": "x".repeat(4097)}}), 100, "at most 4096"),
            (json!({"to": "97150", "type": "fax", "fax": {}}), 100, "type must be"),
            (json!({"to": "97150", "type": "image", "image": {"caption": "x"}}), 100, "image['id']"),
            (
                json!({"to": "97150", "type": "image", "image": {"id": "1", "caption": "x".repeat(1025)}}),
                100,
                "at most 1024",
            ),
            (json!({"to": "97150", "type": "template", "template": {"name": "t"}}), 100, "language"),
            (json!({"to": "97150", "type": "reaction", "reaction": {"message_id": "w"}}), 100, "emoji"),
            (
                json!({"to": "97150", "type": "text", "text": {"body": "x"}, "biz_opaque_callback_data": "x".repeat(513)}),
                100,
                "512",
            ),
            (buttons(vec![]), 131_009, "buttons count"),
            (buttons(vec![button("a"), button("b"), button("c"), button("d")]), 131_009, "buttons count"),
            (buttons(vec![button("a title longer than twenty")]), 100, "title must be at most 20"),
            (rows(11), 131_009, "rows count"),
        ] {
            let refused = checked(body.clone()).expect_err(&body.to_string());
            assert_eq!(refused.code, code, "{body}: {refused:?}");
            assert!(refused.message.contains(words), "{body}: {refused:?}");
        }
        assert!(checked(rows(10)).is_ok());
    }
}
