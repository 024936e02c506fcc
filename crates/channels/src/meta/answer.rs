//! Meta's answers to a send, and its table of error codes (PROTOCOL.md 2.1).

use std::time::Duration;

use serde_json::value::RawValue;
use types::fault::{Fault, Scope};
use types::http::Answer;
use types::outbound::Outcome;
use types::{ProviderMessageId, Refusal};

use crate::json::{self, Object};
use crate::words::scrub;

/// What an answer means for the message. Decided by `error.code`, since the HTTP status of one and the same error varies; the status
/// decides only where the body says nothing. An acceptance without an id is unknown: the message may be on its way (S4.4).
#[must_use]
pub fn read(a: &Answer) -> Outcome {
    let body = std::str::from_utf8(&a.body).ok().and_then(|text| json::document(text).ok()).and_then(Object::of);
    if let Some(error) = body.as_ref().and_then(|b| b.object("error")) {
        return crate::outcome(refusal(a, &error));
    }
    let id = body.as_ref().and_then(|b| b.list("messages").into_iter().find_map(message_id));
    match (a.status, id) {
        (200..=299, Some(id)) => Outcome::Accepted { provider_id: ProviderMessageId(id) },
        (status, _) => crate::outcome(without_code(status, a.retry_after)),
    }
}

/// The number's quality as the answer to [`super::plan_probe`] says it: `GREEN`, `YELLOW`, `RED`, `UNKNOWN`.
#[must_use]
pub fn quality(a: &Answer) -> Option<String> {
    let text = std::str::from_utf8(&a.body).ok()?;
    Object::of(json::document(text).ok()?)?.word("quality_rating").filter(|word| word.len() <= 20)
}

fn message_id(raw: &RawValue) -> Option<String> {
    Object::of(raw)?.word("id")
}

/// The refusal that an `error` object describes.
fn refusal(a: &Answer, error: &Object<'_>) -> Refusal {
    let Some(code) = error.integer("code") else { return without_code(a.status, a.retry_after) };
    let known = match (code, error.integer("error_subcode")) {
        // "Object does not exist or missing permissions": the number's id or the token is wrong, not the message.
        (100, Some(33)) => Some((Fault::Configuration, Scope::Channel, None)),
        _ => classify(code),
    };
    let (fault, scope, wait) = known.unwrap_or_else(|| unknown_code(a.status, error.flag("is_transient")));
    let details = error.object("error_data").and_then(|d| d.word("details"));
    let words = details.or_else(|| error.word("message")).unwrap_or_default();
    // Meta's advice for a bad token repeats the token.
    let words = if code == 190 { String::new() } else { scrub(&words) };
    let said = if words.is_empty() { String::new() } else { format!(": {words}") };
    Refusal {
        fault,
        scope,
        code: Some(code),
        http: Some(a.status),
        reason: format!("Meta refused it with code {code}{said}. {}", advice(code, fault)),
        retry_after: a.retry_after.max(wait),
    }
}

/// A code that the table does not know: only a refusal in the 4xx that does not call itself transient certainly processed nothing.
const fn unknown_code(status: u16, transient: bool) -> (Fault, Scope, Option<Duration>) {
    match status {
        429 => (Fault::Throttled, Scope::Channel, None),
        400..=499 if !transient => (Fault::Permanent, Scope::Message, None),
        _ => (Fault::Ambiguous, Scope::Message, None),
    }
}

/// No code to go by: a proxy's page, a cut body, an acceptance without an id.
fn without_code(status: u16, retry_after: Option<Duration>) -> Refusal {
    let (fault, scope, reason) = match status {
        200..=299 => (Fault::Ambiguous, Scope::Message, "Meta answered without a message id: it may have been sent"),
        300..=399 => {
            (Fault::Configuration, Scope::Channel, "the address of the API answers with a redirect: check api_base")
        }
        401 | 403 => (Fault::Configuration, Scope::Channel, "access was denied: check the access token"),
        429 => (Fault::Throttled, Scope::Channel, "too many requests: waiting"),
        400..=499 => (
            Fault::Permanent,
            Scope::Message,
            "the request was refused without a reason: check api_base and api_version",
        ),
        _ => (Fault::Ambiguous, Scope::Message, "Meta had an error of its own: it may have been sent"),
    };
    let reason = format!("{reason} (HTTP {status})");
    Refusal { scope, http: Some(status), retry_after, ..Refusal::new(fault, reason) }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// What a code means: the class, whom it concerns, and how long to wait at least. Used for answers and for the codes in failed statuses
/// alike. `None`: not in the table.
#[must_use]
pub const fn classify(code: i64) -> Option<(Fault, Scope, Option<Duration>)> {
    use Fault::{Ambiguous, Configuration, Permanent, Throttled, Transient};
    use Scope::{Channel, Message, Recipient};
    const fn wait(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }
    Some(match code {
        // Refused before processing.
        4 | 613 | 80007 | 130_429 => (Throttled, Channel, None),
        // The pair limit: 4^n seconds, of which this is the first step.
        131_056 => (Throttled, Recipient, wait(4)),
        // Meta's side: nobody knows.
        1 | 2 | 131_000 | 131_016 | 131_057 | 133_004 => (Ambiguous, Message, None),
        // Much later.
        131_049 => (Throttled, Message, wait(24 * HOUR)),
        134_101 => (Throttled, Message, wait(10 * MINUTE)),
        133_015 => (Throttled, Channel, wait(5 * MINUTE)),
        133_016 => (Throttled, Channel, wait(72 * HOUR)),
        // Stop sending this kind until a person has looked: spam reports hit the number, the other limit only templates.
        131_048 => (Configuration, Channel, None),
        131_064 => (Configuration, Message, None),
        // The 24-hour window is closed.
        131_047 => (Permanent, Message, None),
        // This recipient, never.
        131_026 | 131_021 | 131_030 | 130_403 | 130_497 => (Permanent, Recipient, None),
        // This message to this recipient, never.
        131_050 | 131_062 | 130_472 => (Permanent, Message, None),
        // Media could not be fetched: once more may help.
        131_053 => (Transient, Message, None),
        // The request is wrong.
        100 | 33 | 131_008 | 131_009 | 131_051 | 131_052 | 131_055 | 131_063 | 135_000 => (Permanent, Message, None),
        132_000 | 132_001 | 132_005 | 132_007 | 132_008 | 132_012 | 132_015 | 132_016 => (Permanent, Message, None),
        132_018 | 132_068 | 132_069 => (Permanent, Message, None),
        // Ours to mend.
        0 | 3 | 10 | 190 | 200..=299 | 368 | 131_005 | 131_031 | 131_037 | 131_042 | 131_045 => {
            (Configuration, Channel, None)
        }
        133_000 | 133_005..=133_010 | 134_011 | 137_000 => (Configuration, Channel, None),
        _ => return None,
    })
}

/// What a person can do about it.
const fn advice(code: i64, fault: Fault) -> &'static str {
    match code {
        0 | 190 => "The access token is not valid any more: put in a new one; messages wait meanwhile.",
        3 | 10 | 200..=299 | 131_005 => "The access token lacks a permission: grant it; messages wait meanwhile.",
        368 | 131_031 => {
            "Meta restricted or locked the account: see the account's quality page; messages wait meanwhile."
        }
        131_042 => "There is a payment problem with the account: mend it at Meta; messages wait meanwhile.",
        131_047 => "More than 24 hours since the customer's last message: send a template, or reach them otherwise.",
        131_026 => "The number is not on WhatsApp or cannot get this message: reach them otherwise.",
        131_050 => "The customer stopped marketing messages: do not send any.",
        131_021 => "Sender and recipient are the same number.",
        131_030 => "The recipient is not on the test number's list: add it at Meta.",
        130_403 => "The business has blocked this customer: unblock them first.",
        131_048 => {
            "Too many people reported or blocked this number: stop campaigns and see the quality page; messages wait."
        }
        131_056 => "Too many messages to this person in a short time: waiting.",
        132_000 | 132_012 | 132_018 => {
            "The template's parameters do not fit it: compare them with the template at Meta."
        }
        132_001 => "There is no such template in this language: compare name and language with those at Meta.",
        132_015 | 132_016 => "The template is paused or disabled: use another.",
        131_053 | 131_052 => "The file could not be fetched: check its address, type and size.",
        133_010 => "The phone number is not registered: register it at Meta.",
        _ => match fault {
            Fault::Transient => "Trying again.",
            Fault::Throttled => "Waiting before the next try.",
            Fault::Ambiguous => "It may have been sent nevertheless: waiting for a status before anything else.",
            Fault::Permanent => "Trying again would not help.",
            Fault::Configuration => "Somebody has to mend it; messages wait meanwhile.",
            Fault::Bug => "This is a defect of Barid.",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, should_retry: None, body: body.as_bytes().to_vec() }
    }

    /// The table of PROTOCOL.md 2.1, row by row.
    fn table() -> Vec<(Fault, Scope, u64, Vec<i64>)> {
        use Fault::{Ambiguous, Configuration, Permanent, Throttled, Transient};
        use Scope::{Channel, Message, Recipient};
        vec![
            (Throttled, Channel, 0, vec![4, 613, 80007, 130_429]),
            (Throttled, Recipient, 4, vec![131_056]),
            (Ambiguous, Message, 0, vec![1, 2, 131_000, 131_016, 131_057, 133_004]),
            (Throttled, Message, 86_400, vec![131_049]),
            (Throttled, Message, 600, vec![134_101]),
            (Throttled, Channel, 259_200, vec![133_016]),
            (Throttled, Channel, 300, vec![133_015]),
            (Configuration, Channel, 0, vec![131_048]),
            (Configuration, Message, 0, vec![131_064]),
            (Permanent, Message, 0, vec![131_047]),
            (Permanent, Recipient, 0, vec![131_026, 131_021, 131_030, 130_403, 130_497]),
            (Permanent, Message, 0, vec![131_050, 130_472, 131_062]),
            (Permanent, Message, 0, vec![100, 33, 131_008, 131_009, 131_051, 131_052, 131_055, 131_063, 135_000]),
            (Permanent, Message, 0, vec![132_000, 132_001, 132_005, 132_007, 132_008, 132_012, 132_015]),
            (Permanent, Message, 0, vec![132_016, 132_018, 132_068, 132_069]),
            (Transient, Message, 0, vec![131_053]),
            (Configuration, Channel, 0, vec![0, 190, 3, 10, 200, 250, 299, 131_005, 368, 131_031, 131_042, 131_037]),
            (Configuration, Channel, 0, vec![131_045, 133_000, 133_005, 133_006, 133_007, 133_008, 133_009, 133_010]),
            (Configuration, Channel, 0, vec![134_011, 137_000]),
        ]
    }

    #[test]
    fn every_code_means_the_same_under_every_http_status() {
        for (fault, scope, seconds, codes) in table() {
            for code in codes {
                for status in [200, 400, 401, 403, 404, 429, 500, 503] {
                    let body =
                        format!(r#"{{"error":{{"message":"(#{code}) x","type":"OAuthException","code":{code}}}}}"#);
                    let (kind, refusal) = match read(&answer(status, &body)) {
                        Outcome::Retry(r) => ("retry", r),
                        Outcome::Rejected(r) => ("rejected", r),
                        Outcome::Unknown(r) => ("unknown", r),
                        Outcome::Accepted { .. } => panic!("{code} was accepted"),
                    };
                    let want = match fault {
                        Fault::Ambiguous => "unknown",
                        Fault::Permanent => "rejected",
                        _ => "retry",
                    };
                    assert_eq!((kind, refusal.fault, refusal.scope), (want, fault, scope), "{code} with {status}");
                    assert_eq!(refusal.retry_after, (seconds > 0).then(|| Duration::from_secs(seconds)), "{code}");
                    assert_eq!((refusal.code, refusal.http), (Some(code), Some(status)));
                }
            }
        }
        assert_eq!(classify(131_014), None);
        assert_eq!(classify(-1), None);
        assert_eq!(classify(300), None);
    }

    #[test]
    fn the_longer_waiting_time_counts() {
        let body = br#"{"error":{"code":131056}}"#.to_vec();
        let wait =
            |retry_after| match read(&Answer { status: 429, retry_after, should_retry: None, body: body.clone() }) {
                Outcome::Retry(r) => r.retry_after,
                other => panic!("{other:?}"),
            };
        assert_eq!(wait(Some(Duration::from_secs(1))), Some(Duration::from_secs(4)));
        assert_eq!(wait(Some(Duration::from_secs(90))), Some(Duration::from_secs(90)));
    }

    #[test]
    fn acceptance_needs_an_id() {
        for (body, want) in [
            (
                r#"{"messaging_product":"whatsapp","contacts":[{"input":"x","wa_id":"x"}],"messages":[{"id":"wamid.A"}]}"#,
                Some("wamid.A"),
            ),
            (r#"{"messages":[{"id":"wamid.B","message_status":"held_for_quality_assessment"}]}"#, Some("wamid.B")),
            (r#"{"messages":[{"id":""}]}"#, None),
            (r#"{"messages":[]}"#, None),
            (r#"{"success":true}"#, None),
            ("", None),
            ("<html>", None),
        ] {
            let got = read(&answer(200, body));
            match want {
                Some(id) => assert_eq!(got, Outcome::Accepted { provider_id: ProviderMessageId(id.into()) }, "{body}"),
                None => assert!(matches!(got, Outcome::Unknown(_)), "{body}: {got:?}"),
            }
        }
    }

    #[test]
    fn without_a_code_the_status_decides() {
        for (status, want) in [
            (301, Fault::Configuration),
            (400, Fault::Permanent),
            (401, Fault::Configuration),
            (403, Fault::Configuration),
            (404, Fault::Permanent),
            (429, Fault::Throttled),
            (500, Fault::Ambiguous),
            (502, Fault::Ambiguous),
            (503, Fault::Ambiguous),
        ] {
            let (Outcome::Retry(r) | Outcome::Rejected(r) | Outcome::Unknown(r)) =
                read(&answer(status, "<html>oops</html>"))
            else {
                panic!("{status} accepted")
            };
            assert_eq!(r.fault, want, "{status}");
        }
    }

    #[test]
    fn a_code_outside_the_table_is_ambiguous_unless_the_status_says_refused() {
        for (status, body, want) in [
            (400, r#"{"error":{"code":999999}}"#, Fault::Permanent),
            (400, r#"{"error":{"code":999999,"is_transient":true}}"#, Fault::Ambiguous),
            (500, r#"{"error":{"code":999999}}"#, Fault::Ambiguous),
            (429, r#"{"error":{"code":"999999"}}"#, Fault::Throttled),
            (400, r#"{"error":{"code":100,"error_subcode":33}}"#, Fault::Configuration),
        ] {
            let (Outcome::Retry(r) | Outcome::Rejected(r) | Outcome::Unknown(r)) = read(&answer(status, body)) else {
                panic!("{body} accepted")
            };
            assert_eq!(r.fault, want, "{status} {body}");
        }
    }

    #[test]
    fn a_reason_never_repeats_the_token() {
        let body = r#"{"error":{"message":"Malformed access token EAAGsecret","code":190}}"#;
        let Outcome::Retry(r) = read(&answer(401, body)) else { panic!() };
        assert!(!r.reason.contains("EAAG"), "{}", r.reason);
    }
}
