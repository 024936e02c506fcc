//! A delivery: one attempt, and the record of what became of it (S4.2).

use std::sync::Arc;

use store::outbox::{Postpone, RecordAttempt};
use store::{Deliver, Next};
use types::outbound::{Outbound, Outcome};
use types::{Refusal, Timestamp};

use crate::Worker;
use crate::conversation::Held;
use crate::persist::persist;

/// The shortest wait for a throttle: below that the wait costs more than it spares.
const SHORTEST_WAIT: std::time::Duration = std::time::Duration::from_millis(5);

pub(crate) fn outbound(held: &Held, deliver: &Deliver) -> Outbound {
    Outbound {
        message: deliver.message,
        conversation: held.snapshot.conversation,
        dedupe_key: deliver.dedupe_key.clone(),
        to: held.snapshot.recipient.clone(),
        content: deliver.content.clone(),
        reply_to: deliver.quotes.clone(),
    }
}

/// Makes one attempt; what follows it.
pub(crate) async fn run(worker: &Arc<Worker>, held: &mut Held, deliver: Deliver) -> Option<Next> {
    let channel = held.snapshot.channel;
    let admitted = held.admitted.take().map_or_else(|| worker.egress.admit(channel, &held.snapshot.recipient), Ok);
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(wait) => {
            let op = Postpone {
                lease: held.lease.clone(),
                message: deliver.message,
                wait: wait.lasts.max(SHORTEST_WAIT),
                why: wait.why,
                stop: worker.stopping(),
                policy: Arc::clone(&worker.options.policy),
            };
            return Some(persist(worker, op, "a wait for the channel").await?.next);
        }
    };
    fail::fail_point!("worker.sending");
    if !crate::trust::sure(worker, held).await {
        return None;
    }
    let began = worker.store.clock().now();
    let outcome = worker.egress.deliver(channel, &outbound(held, &deliver), admitted).await;
    fail::fail_point!("worker.sent");
    let accepted = matches!(outcome, Outcome::Accepted { .. });
    if accepted {
        worker.store.hub().accepted(channel, began);
    }
    log(held, &deliver, &outcome);
    let (answers, created) = (deliver.in_reply_to, deliver.created_at);
    let op = RecordAttempt {
        lease: held.lease.clone(),
        jitter: jitter(worker),
        deliver,
        outcome,
        stop: worker.stopping(),
        policy: Arc::clone(&worker.options.policy),
    };
    let recorded = persist(worker, op, "what became of a send").await;
    fail::fail_point!("worker.recorded");
    if let Some(message) = answers {
        held.settled(worker, message);
    }
    let recorded = recorded?;
    if accepted {
        measure(created, worker.store.clock().now());
    }
    if recorded.paused_channel {
        tracing::error!(channel_id = %channel, "this channel is paused: its provider refuses everything until its credentials or account are mended; its messages wait");
    }
    Some(recorded.after.next)
}

fn measure(created: Timestamp, now: Timestamp) {
    metrics::histogram!("inbound_to_reply_seconds").record(now.since(created).as_secs_f64());
}

fn jitter(worker: &Worker) -> std::time::Duration {
    let pause = worker.options.policy.send_retry.first().copied().unwrap_or_default();
    worker.dice.jitter(pause).saturating_sub(pause)
}

fn log(held: &Held, deliver: &Deliver, outcome: &Outcome) {
    let trouble = |r: &Refusal, what: &str| {
        tracing::warn!(request_id = %deliver.request_id, inbound_message_id = deliver.in_reply_to.map(tracing::field::display),
            conversation_id = %held.lease.conversation, message_id = %deliver.message, fault = r.fault.as_str(), code = r.code,
            http = r.http, reason = r.reason, "{what}");
    };
    match outcome {
        Outcome::Accepted { provider_id } => tracing::info!(request_id = %deliver.request_id,
            inbound_message_id = deliver.in_reply_to.map(tracing::field::display), conversation_id = %held.lease.conversation,
            message_id = %deliver.message, provider_message_id = %provider_id, "sent"),
        Outcome::Retry(r) => trouble(r, "not sent; it is saved and tried again"),
        Outcome::Rejected(r) => trouble(r, "refused for good"),
        Outcome::Unknown(r) => trouble(r, "nobody knows whether it arrived; waiting for a receipt"),
    }
}
