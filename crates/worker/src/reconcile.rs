//! The end of an ambiguous send's window (S4.4): look into the provider's journal, and only when there is no trace let the policy decide.

use std::sync::Arc;
use std::time::Duration;

use egress::Journal;
use store::outbox::{Reconcile, Trace};
use store::{Deliver, Next};

use crate::Worker;
use crate::conversation::Held;
use crate::deliver::outbound;
use crate::persist::persist;

/// While no webhook comes at all, silence proves nothing; but after this long somebody must decide.
const LONGEST_SILENCE: Duration = Duration::from_secs(3600);

/// Settles, prolongs or ends the wait; what follows it.
pub(crate) async fn run(worker: &Arc<Worker>, held: &mut Held, deliver: Deliver) -> Option<Next> {
    let trace = trace(worker, held, &deliver).await;
    tracing::info!(request_id = %deliver.request_id, inbound_message_id = deliver.in_reply_to.map(tracing::field::display),
        conversation_id = %held.lease.conversation, message_id = %deliver.message, ?trace, "looked for a trace of an ambiguous send");
    let answers = deliver.in_reply_to;
    let op = Reconcile {
        lease: held.lease.clone(),
        deliver,
        trace,
        stop: worker.stopping(),
        policy: Arc::clone(&worker.options.policy),
    };
    let after = persist(worker, op, "the end of an ambiguous send").await?;
    if let Some(message) = answers {
        held.settled(worker, message);
    }
    Some(after.next)
}

async fn trace(worker: &Worker, held: &Held, deliver: &Deliver) -> Trace {
    let now = worker.store.clock().now();
    let since = deliver.last_attempt_at.unwrap_or(deliver.created_at);
    let channel = held.snapshot.channel;
    match worker.egress.trace(channel, &outbound(held, deliver), since, now).await {
        Journal::Sent(id) => Trace::Found(id),
        Journal::Queued => Trace::Queued,
        Journal::Absent => Trace::Absent,
        Journal::Unreadable(error) => {
            tracing::warn!(channel_id = %channel, error, "the provider's journal could not be read");
            too_early_or(now.since(since), Trace::Absent)
        }
        // Meta keeps no journal: only a status could tell, and it could only come if webhooks came.
        Journal::None if worker.store.hub().seems_deaf(channel, now) => too_early_or(now.since(since), Trace::Absent),
        Journal::None => Trace::Absent,
    }
}

fn too_early_or(waited: Duration, otherwise: Trace) -> Trace {
    if waited < LONGEST_SILENCE { Trace::TooEarly } else { otherwise }
}
