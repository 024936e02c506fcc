//! Green API's answers (PROTOCOL.md 3, Errors). There are no codes: status and words decide.

use types::fault::{Fault, Scope};
use types::http::Answer;
use types::outbound::{JournalEntry, Outcome};
use types::{ProviderMessageId, Refusal};

use crate::json::{self, Object};
use crate::words::scrub;

/// What an answer to a send means. Acceptance only says that it is queued; without an id nobody knows (S4.4).
#[must_use]
pub fn read(a: &Answer) -> Outcome {
    let body = object(a);
    match body.as_ref().and_then(|b| b.word("idMessage")) {
        Some(id) if (200..300).contains(&a.status) => Outcome::Accepted { provider_id: ProviderMessageId(id) },
        _ => crate::outcome(refusal(a, body.as_ref())),
    }
}

/// The instance's state, as [`super::plan_probe`] asks for it: `authorized`, `notAuthorized`, …
///
/// # Errors
/// A [`Refusal`] when the answer holds none.
pub fn read_state(a: &Answer) -> Result<String, Refusal> {
    let body = object(a);
    let state = body.as_ref().filter(|_| a.status == 200).and_then(|b| b.word("stateInstance"));
    state.ok_or_else(|| refusal(a, body.as_ref()))
}

/// What waits in the queue ([`super::plan_queue`]). An entry whose id is empty is queued all the same: the queue gave none.
///
/// # Errors
/// A [`Refusal`] when the answer is no queue; then nothing is known of the queue.
pub fn read_queue(a: &Answer) -> Result<Vec<JournalEntry>, Refusal> {
    entries(a, |e| {
        let first_of_many = || json::word(e.list("messagesIDs").first().copied());
        let id = e.first(&["messageID", "idMessage"]).or_else(first_of_many).unwrap_or_default();
        let body = e.object("body")?;
        let text = ["message", "caption", "body"].iter().find_map(|name| body.text(name));
        Some(JournalEntry {
            provider_id: ProviderMessageId(id),
            chat: body.word("chatId")?,
            text: text.map(std::borrow::Cow::into_owned).unwrap_or_default(),
            at: None,
        })
    })
}

/// What was sent through the API ([`super::plan_journal`]); what the phone wrote is left out.
///
/// # Errors
/// A [`Refusal`] when the answer is no journal; then nothing is known of what was sent.
pub fn read_journal(a: &Answer) -> Result<Vec<JournalEntry>, Refusal> {
    entries(a, |e| {
        if e.raw("sendByApi").is_some_and(|raw| raw.get() == "false") {
            return None;
        }
        let inside = ["extendedTextMessage", "extendedTextMessageData", "textMessageData"];
        let text = e.text("textMessage").or_else(|| {
            inside.iter().find_map(|name| e.object(name).and_then(|t| t.text("text").or_else(|| t.text("textMessage"))))
        });
        let text = text.or_else(|| e.text("caption"));
        Some(JournalEntry {
            provider_id: ProviderMessageId(e.word("idMessage")?),
            chat: e.word("chatId")?,
            text: text.map(std::borrow::Cow::into_owned).unwrap_or_default(),
            at: e.time("timestamp"),
        })
    })
}

fn text(a: &Answer) -> Option<&serde_json::value::RawValue> {
    json::document(std::str::from_utf8(&a.body).ok()?).ok()
}

fn object(a: &Answer) -> Option<Object<'_>> {
    text(a).and_then(Object::of)
}

fn entries(a: &Answer, read: impl Fn(&Object<'_>) -> Option<JournalEntry>) -> Result<Vec<JournalEntry>, Refusal> {
    let list = text(a).filter(|raw| a.status == 200 && raw.get().starts_with('['));
    let list: Option<Vec<&serde_json::value::RawValue>> = list.and_then(|raw| serde_json::from_str(raw.get()).ok());
    match list {
        Some(list) => Ok(list.into_iter().filter_map(Object::of).filter_map(|e| read(&e)).collect()),
        None => Err(refusal(a, object(a).as_ref())),
    }
}

/// Why an answer is not what was asked for.
fn refusal(a: &Answer, body: Option<&Object<'_>>) -> Refusal {
    let words = body.and_then(|b| b.first(&["message", "reason", "description", "error"])).unwrap_or_default();
    let lower = words.to_lowercase();
    let says = |what: &[&str]| what.iter().any(|w| lower.contains(w));
    let quota = |name: &str| body.is_some_and(|b| b.raw(name).is_some());
    let (fault, scope, reason) = match a.status {
        // The quota's answer has been seen with 200 as well. Correspondents: only new ones are refused.
        _ if quota("correspondentsStatus") => (
            Fault::Configuration,
            Scope::Recipient,
            "the plan's number of correspondents is used up: extend it at Green API",
        ),
        _ if a.status == 466 || quota("invokeStatus") => {
            (Fault::Configuration, Scope::Channel, "the plan's monthly quota is used up: extend it at Green API")
        }
        200..=299 => {
            (Fault::Ambiguous, Scope::Message, "Green API answered without a message id: it may have been queued")
        }
        300..=399 => {
            (Fault::Configuration, Scope::Channel, "the address of the API answers with a redirect: check api_base")
        }
        // One word for two states: the instance comes up by itself, or somebody must scan the code.
        400 if says(&["not authorized", "notauthorized", "starting"]) => (
            Fault::Configuration,
            Scope::Channel,
            "the instance is starting or not authorized: authorize it by scanning the code",
        ),
        400 if says(&["expired", "deleted"]) => {
            (Fault::Configuration, Scope::Channel, "the instance has expired or was deleted: renew it at Green API")
        }
        401 => (Fault::Configuration, Scope::Channel, "the API token is wrong: put in the one shown for the instance"),
        403 => (
            Fault::Configuration,
            Scope::Channel,
            "instance and host do not belong together: check idInstance and api_base",
        ),
        404 => (Fault::Permanent, Scope::Message, "Green API does not know this method here: check api_base"),
        429 => (Fault::Throttled, Scope::Channel, "too many requests: waiting"),
        499 => (Fault::Ambiguous, Scope::Message, "the connection was closed early: it may have been queued"),
        400 | 402 | 405..=428 | 430..=498 => (Fault::Permanent, Scope::Message, "Green API refused the request"),
        _ => (Fault::Ambiguous, Scope::Message, "Green API had an error of its own: it may have been queued"),
    };
    let said = if words.is_empty() { String::new() } else { format!(": {}", scrub(&words)) };
    let reason = format!("{reason} (HTTP {}{said})", a.status);
    Refusal { scope, http: Some(a.status), retry_after: a.retry_after, ..Refusal::new(fault, reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, should_retry: None, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn every_answer_to_a_send_has_its_outcome() {
        use Fault::{Ambiguous, Configuration, Permanent, Throttled};
        use Scope::{Channel, Message, Recipient};
        for (status, body, want) in [
            (200, "{}", Some((Ambiguous, Message))),
            (200, r#"{"idMessage":""}"#, Some((Ambiguous, Message))),
            (200, "<html>", Some((Ambiguous, Message))),
            (200, r#"{"correspondentsStatus":{"status":"X"}}"#, Some((Configuration, Recipient))),
            (302, "", Some((Configuration, Channel))),
            (400, r#"{"statusCode":400,"message":"Validation failed. chatId"}"#, Some((Permanent, Message))),
            (400, r#"{"message":"instance is starting or not authorized"}"#, Some((Configuration, Channel))),
            (400, r#"{"message":"Instance account is expired"}"#, Some((Configuration, Channel))),
            (401, "", Some((Configuration, Channel))),
            (403, "", Some((Configuration, Channel))),
            (404, "", Some((Permanent, Message))),
            (429, "", Some((Throttled, Channel))),
            (466, r#"{"invokeStatus":{"used":1}}"#, Some((Configuration, Channel))),
            (466, r#"{"correspondentsStatus":{"used":3}}"#, Some((Configuration, Recipient))),
            (499, "", Some((Ambiguous, Message))),
            (500, "", Some((Ambiguous, Message))),
            (502, "", Some((Ambiguous, Message))),
            (500, r#"{"idMessage":"A"}"#, Some((Ambiguous, Message))),
            (200, r#"{"idMessage":"A"}"#, None),
        ] {
            let got = match read(&answer(status, body)) {
                Outcome::Accepted { provider_id } => {
                    assert_eq!(provider_id.0, "A");
                    None
                }
                Outcome::Retry(r) => {
                    assert!(matches!(r.fault, Configuration | Throttled), "{status} {body}");
                    Some((r.fault, r.scope))
                }
                Outcome::Rejected(r) => {
                    assert_eq!(r.fault, Permanent, "{status} {body}");
                    Some((r.fault, r.scope))
                }
                Outcome::Unknown(r) => {
                    assert_eq!(r.fault, Ambiguous, "{status} {body}");
                    Some((r.fault, r.scope))
                }
            };
            assert_eq!(got, want, "{status} {body}");
        }
    }

    #[test]
    fn the_state_is_a_word_or_a_reason() {
        assert_eq!(read_state(&answer(200, r#"{"stateInstance":"authorized"}"#)).unwrap(), "authorized");
        assert_eq!(read_state(&answer(401, "")).unwrap_err().fault, Fault::Configuration);
        assert!(read_state(&answer(200, "[]")).is_err());
    }

    #[test]
    fn the_queue_keeps_every_entry_with_a_chat() {
        let body = r#"[
            {"messageID":"A","type":"sendMessage","body":{"chatId":"1@c.us","message":"hello"}},
            {"messagesIDs":["B","C"],"type":"ForwardMessages","body":{"chatId":"2@c.us"}},
            {"type":"sendMessage","body":{"chatId":"3@c.us","message":"no id"}},
            {"type":"sendMessage"}, 7]"#;
        let got: Vec<_> =
            read_queue(&answer(200, body)).unwrap().into_iter().map(|e| (e.provider_id.0, e.chat, e.text)).collect();
        let want = [("A", "1@c.us", "hello"), ("B", "2@c.us", ""), ("", "3@c.us", "no id")];
        assert_eq!(got, want.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
        assert_eq!(read_queue(&answer(200, "[]")).unwrap(), []);
        for (status, body) in [(200, "{}"), (200, ""), (429, "[]"), (500, "[]")] {
            assert!(read_queue(&answer(status, body)).is_err(), "{status} {body}");
        }
    }

    #[test]
    fn the_journal_holds_what_the_api_sent() {
        let body = r#"[
            {"type":"outgoing","idMessage":"A","timestamp":1786000000,"chatId":"1@c.us","typeMessage":"textMessage","textMessage":"one","sendByApi":true},
            {"idMessage":"B","timestamp":"1786000001","chatId":"1@c.us","extendedTextMessage":{"text":"two"}},
            {"idMessage":"C","chatId":"1@c.us","typeMessage":"imageMessage","caption":"three","sendByApi":true},
            {"idMessage":"D","chatId":"1@c.us","textMessage":"from the phone","sendByApi":false}]"#;
        let got: Vec<_> = read_journal(&answer(200, body))
            .unwrap()
            .into_iter()
            .map(|e| (e.provider_id.0, e.text, e.at.map(types::Timestamp::seconds)))
            .collect();
        let want = [("A", "one", Some(1_786_000_000)), ("B", "two", Some(1_786_000_001)), ("C", "three", None)];
        assert_eq!(got, want.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c)));
        assert!(read_journal(&answer(200, "null")).is_err());
    }
}
