//! How each provider speaks, pure: bytes in, values out. No socket, no clock, no task lives here, so that each rule can be
//! held by a plain table of cases (ARCHITECTURE law 4).
//!
//! - [`meta`]: Meta's WhatsApp Cloud API: signature, handshake, webhooks, sending, errors (S1.1, PROTOCOL.md 1 and 2)
//! - [`green`]: Green API: token, notifications, sending, journals (S1.2, PROTOCOL.md 3)
//! - `json`: reading JSON whose shape nobody guarantees, in one pass and without a tree
//! - `words`: small text tools of the parsers
//!
//! A provider is a parser (`parse`), a planner (`plan…`) and readers of answers (`read…`); its cases stand in `tests/cases/`.

pub mod green;
mod json;
pub mod meta;
mod words;

use types::Refusal;
use types::fault::Fault;
use types::http::NoAnswer;
use types::outbound::Outcome;

/// The body is not JSON, so it is answered 400 (S1.5). Carries nothing of the body's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON: {why}")]
pub struct NotJson {
    /// What is wrong with it.
    pub why: String,
    /// Where, in bytes from the start of the body (not counting a byte order mark).
    pub at: Option<usize>,
}

/// What became of a send that got no answer: only what certainly never left may be repeated (S4.4).
#[must_use]
pub fn no_answer(e: &NoAnswer) -> Outcome {
    let reason = e.to_string();
    match e {
        NoAnswer::NotSent { .. } => Outcome::Retry(Refusal::new(Fault::Transient, reason)),
        NoAnswer::Lost { .. } => Outcome::Unknown(Refusal::new(Fault::Ambiguous, reason)),
        NoAnswer::Forbidden { .. } => Outcome::Rejected(Refusal::new(Fault::Configuration, reason)),
    }
}

/// The outcome that a refusal's class calls for (ARCHITECTURE, errors).
fn outcome(refusal: Refusal) -> Outcome {
    match refusal.fault {
        Fault::Transient | Fault::Throttled | Fault::Configuration => Outcome::Retry(refusal),
        Fault::Ambiguous => Outcome::Unknown(refusal),
        Fault::Permanent | Fault::Bug => Outcome::Rejected(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_left_this_machine_is_a_plain_retry() {
        let (host, why) = ("graph.facebook.com:443".to_owned(), "why".to_owned());
        let not_sent = no_answer(&NoAnswer::NotSent { host: host.clone(), why: why.clone() });
        assert!(matches!(not_sent, Outcome::Retry(r) if r.fault == Fault::Transient));
        let lost = no_answer(&NoAnswer::Lost { host: host.clone(), why: why.clone() });
        assert!(matches!(lost, Outcome::Unknown(r) if r.fault == Fault::Ambiguous));
        let forbidden = no_answer(&NoAnswer::Forbidden { host, why });
        assert!(matches!(forbidden, Outcome::Rejected(r) if r.fault == Fault::Configuration));
    }
}
