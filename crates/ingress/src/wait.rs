//! `Prefer: wait=N` (S1.8, RFC 7240): the answer waits for the message's outcome, N seconds at most.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use store::Store;
use store::views::{MessageOutcome, OutcomeOf};
use tokio::sync::oneshot;
use types::clock::Stopwatch;
use types::states::{JobState, MessageStatus};
use types::{ConversationId, MessageId};

/// The longest wait that is granted, seconds.
const LONGEST: u64 = 30;

/// The wait that the headers ask for, cut at 30 seconds.
pub(crate) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok());
    preferences.flat_map(|v| v.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        let seconds = value.trim().trim_matches('"').parse::<u64>().ok()?;
        (seconds > 0).then(|| Duration::from_secs(seconds.min(LONGEST)))
    })
}

/// Waits for the outcome of `message` and answers with it, or with `queued` when the time is up.
pub(crate) async fn answer(
    store: &Store,
    message: MessageId,
    conversation: ConversationId,
    told: oneshot::Receiver<()>,
    limit: Duration,
) -> Response {
    let watch = Stopwatch::start();
    let mut told = told;
    // Each look comes after a place to be told was taken, so that nothing slips between; it may be on record before the first.
    let outcome = loop {
        let outcome = store.read(OutcomeOf(message)).await.ok().flatten();
        let left = limit.saturating_sub(watch.elapsed());
        if left.is_zero() || outcome.as_ref().is_some_and(settled) {
            break outcome;
        }
        let _ = tokio::time::timeout(left, told).await;
        told = store.hub().outcome_of(message);
    };
    store.hub().forget(message);
    let body = match outcome {
        Some(outcome) if settled(&outcome) => responded(&outcome, conversation),
        _ => serde_json::json!({ "status": "queued", "conversation_id": conversation, "message_id": message }),
    };
    ([("preference-applied", format!("wait={}", limit.as_secs()))], axum::Json(body)).into_response()
}

fn settled(outcome: &MessageOutcome) -> bool {
    matches!(outcome.job, JobState::Done | JobState::Dead | JobState::Failed)
        && !matches!(outcome.reply, Some((MessageStatus::Sending, _)))
}

fn responded(outcome: &MessageOutcome, conversation: ConversationId) -> serde_json::Value {
    let Some((status, text)) = &outcome.reply else {
        let status = if outcome.job == JobState::Done { "no_response" } else { "failed" };
        return serde_json::json!({ "status": status, "conversation_id": conversation, "reason": outcome.outcome });
    };
    let sent = match status {
        MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read | MessageStatus::Played => "sent",
        MessageStatus::Failed => "failed",
        MessageStatus::Pending | MessageStatus::Sending | MessageStatus::Unknown | MessageStatus::Held => "saved_only",
    };
    serde_json::json!({
        "status": "ai_responded",
        "conversation_id": conversation,
        "response_sent": sent,
        "response_preview": types::text::preview(text, 100),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_from_among_preferences_and_cut_at_thirty_seconds() {
        for (given, want) in [
            ("wait=5", Some(5)),
            ("respond-async, wait=10", Some(10)),
            ("wait=600", Some(30)),
            ("wait=\"3\"", Some(3)),
            ("wait=0", None),
            ("wait=x", None),
            ("handling=lenient", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", given.parse().unwrap());
            assert_eq!(asked(&headers), want.map(Duration::from_secs), "{given}");
        }
    }
}
