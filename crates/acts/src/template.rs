//! Filling places. What a person wrote must never become part of the form around it: in JSON it stays inside its text, in an address inside
//! its segment, in a line inside its line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError(pub String);

/// Whether a body is JSON; places stand inside its texts.
///
/// # Errors
/// What is wrong with it.
pub fn check_json(template: &str) -> Result<(), TemplateError> {
    match serde_json::from_str::<Value>(template) {
        Ok(Value::Object(_) | Value::Array(_)) => Ok(()),
        Ok(_) => Err(TemplateError("is JSON, but neither {…} nor […]".to_owned())),
        Err(error) => Err(TemplateError(format!("is not JSON ({error}); places stand in quotes: \"{{name}}\""))),
    }
}

/// The places of a template, by their names.
pub fn places(template: &str) -> impl Iterator<Item = &str> {
    let closed = template.split('{').skip(1).filter_map(|part| part.split_once('}'));
    closed.map(|(name, _)| name).filter(|name| is_name(name))
}

/// What every action's places may be, besides the keys of the flow's own questions and, for what undoes it, `result.…`.
pub const PLACES: [&str; 22] = [
    "key",
    "done_key",
    "action",
    "title",
    "description",
    "priority",
    "business",
    "tenant",
    "service",
    "name",
    "nationality",
    "nationality_iso",
    "email",
    "phone",
    "time",
    "quantity",
    "intent",
    "message",
    "cart",
    "profile_name",
    "conversation_id",
    "lead_id",
];

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
}

/// What places may be filled with.
pub(crate) type Values = BTreeMap<String, String>;

/// `{name}` replaced by what `write` makes of its value; a place without a value becomes nothing. Braces around anything but a name stay.
fn fill(template: &str, values: &Values, write: impl Fn(&str, &mut String)) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let name = rest[at + 1..].split('}').next().unwrap_or_default();
        let closed = rest.len() > at + 1 + name.len();
        if closed && is_name(name) {
            if let Some(value) = values.get(name) {
                write(value, &mut out);
            }
            rest = &rest[at + name.len() + 2..];
        } else {
            out.push('{');
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// In a text.
pub(crate) fn plain(template: &str, values: &Values) -> String {
    fill(template, values, |value, out| out.push_str(value))
}

/// In an address: every byte that could be part of its form is escaped.
pub(crate) fn address(template: &str, values: &Values) -> String {
    fill(template, values, |value, out| {
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    })
}

/// In the texts of a JSON document.
pub(crate) fn json(template: &str, values: &Values) -> Result<Value, String> {
    let mut document: Value =
        serde_json::from_str(template).map_err(|e| format!("the configured body is not JSON: {e}"))?;
    fill_json(&mut document, values);
    Ok(document)
}

fn fill_json(value: &mut Value, values: &Values) {
    match value {
        Value::String(text) => *text = plain(text, values),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_json(item, values)),
        Value::Object(map) => map.values_mut().for_each(|item| fill_json(item, values)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The scalars at the top of an answer, for `{result.…}` later: short, since they are kept.
pub(crate) fn result_of(body: &[u8]) -> Option<String> {
    let Ok(Value::Object(map)) = serde_json::from_slice::<Value>(body) else { return None };
    let short = |v: &Value| match v {
        Value::String(s) => s.len() <= 200,
        Value::Number(_) | Value::Bool(_) => true,
        _ => false,
    };
    let kept: Map<String, Value> = map.into_iter().filter(|(k, v)| k.len() <= 60 && short(v)).take(20).collect();
    (!kept.is_empty()).then(|| Value::Object(kept).to_string())
}

/// As values: `result.id`, …
pub(crate) fn result_values(result: Option<&str>, into: &mut Values) {
    let Some(Ok(Value::Object(map))) = result.map(serde_json::from_str::<Value>) else { return };
    for (key, value) in map {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        into.insert(format!("result.{key}"), text);
    }
}

/// A line of one's own: no control characters, so that no header and no line can be forged.
pub(crate) fn line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    types::text::preview(text.trim(), 200).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let pairs = [("name", "Omar \"},{\"admin\":true"), ("path", "../../x?a=b"), ("result.id", "42")];
        pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    }

    /// Whatever a person writes stays the text that it is.
    #[test]
    fn no_value_breaks_out_of_its_place() {
        let body =
            json(r#"{"lead": {"name": "{name}"}, "list": ["{path}", 7], "no": "{missing}"}"#, &values()).unwrap();
        assert_eq!(body["lead"]["name"], "Omar \"},{\"admin\":true");
        assert_eq!((body["list"][0].as_str(), body["no"].as_str()), (Some("../../x?a=b"), Some("")));
        assert_eq!(body.as_object().map(Map::len), Some(3));
        let url = address("https://crm.example/orders/{path}/{result.id}", &values());
        assert_eq!(url, "https://crm.example/orders/%2E%2E%2F%2E%2E%2Fx%3Fa%3Db/42");
        assert_eq!(line("Order\r\nBcc: all@example.com"), "Order  Bcc: all@example.com");
    }

    #[test]
    fn braces_that_are_no_place_stay() {
        assert_eq!(plain("{ {name } {} {a b} x{", &values()), "{ {name } {} {a b} x{");
    }

    #[test]
    fn a_body_that_is_no_json_is_refused_before_it_is_needed() {
        assert!(check_json(r#"{"name": "{name}"}"#).is_ok());
        for wrong in [r#"{"name": {name}}"#, "hello", "7", ""] {
            assert!(check_json(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_kept_short() {
        let long = "x".repeat(500);
        let kept =
            result_of(format!(r#"{{"id": 7, "state": "new", "blob": "{long}", "deep": {{"a": 1}}}}"#).as_bytes());
        assert_eq!(kept.as_deref(), Some(r#"{"id":7,"state":"new"}"#));
        assert_eq!(result_of(b"<html>"), None);
    }
}
