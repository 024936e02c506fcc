//! What must go on beside the work: leases renewed, dead letters redriven, old rows swept, paused channels probed.

use std::sync::Arc;
use std::time::Duration;

use store::channels::{Resume, States};
use store::dead_letters::{AnyDue, RedriveDue};
use store::leases::Renew;
use store::sweep::{Sweep, Swept};
use types::states::ChannelState;

use crate::Worker;

/// At most so many rows of a kind in one sweep's transaction.
const SWEEP: u32 = 2000;
/// Dead letters are looked at so often even where nobody tells of a change: another program on the same file cannot.
const LETTERS: Duration = Duration::from_secs(1);
/// At most so many dead letters at once.
const REDRIVE: u32 = 100;

/// Waits `d`; whether to go on.
async fn pause(worker: &Worker, d: Duration) -> bool {
    tokio::select! {
        () = worker.stop.cancelled() => false,
        () = tokio::time::sleep(d) => true,
    }
}

/// Renews what this process holds, three times in a lease's life.
pub(crate) async fn renew(worker: Arc<Worker>) {
    let policy = Arc::clone(&worker.options.policy);
    let claimed_for = policy.lease / 3;
    while pause(&worker, claimed_for).await {
        let now = worker.store.clock().now();
        let mut leases = worker.held();
        // What was claimed a moment ago needs nothing yet.
        leases.retain(|l| l.until < now.plus(policy.lease - claimed_for / 2));
        if leases.is_empty() {
            continue;
        }
        match worker.store.write(Renew { leases, policy: Arc::clone(&policy) }).await {
            Ok(lost) => {
                for conversation in lost {
                    metrics::counter!("leases_expired_total").increment(1);
                    tracing::warn!(conversation_id = %conversation, "a lease ended before its work did; what it still writes is refused");
                }
            }
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }
}

/// Queues dead letters again whose time has come (S2.5): also when an operator set that time by SQL a moment ago.
pub(crate) async fn redrive(worker: Arc<Worker>) {
    let every = worker.options.poll.min(LETTERS);
    loop {
        tokio::select! {
            () = worker.stop.cancelled() => return,
            () = worker.store.hub().letters() => {}
            () = tokio::time::sleep(every) => {}
        }
        // The look is a read; only what is due troubles the writer.
        let queued = match worker.store.read(AnyDue).await {
            Ok(false) => continue,
            Ok(true) => worker.store.write(RedriveDue { limit: REDRIVE }).await,
            Err(error) => Err(error),
        };
        match queued {
            Ok(0) => {}
            Ok(n) => {
                tracing::info!(dead_letters = n, "dead letters queued again");
                worker.store.hub().wake();
            }
            Err(error) => tracing::warn!(%error, "dead letters could not be looked at"),
        }
    }
}

/// The janitor (S2.6).
pub(crate) async fn sweep(worker: Arc<Worker>) {
    while pause(&worker, worker.options.janitor_every).await {
        worker.egress.tidy();
        crate::agents::tidy(&worker).await;
        loop {
            let (o, now) = (&worker.options, worker.store.clock().now());
            let sweep = Sweep {
                ids_before: now.minus(o.keep_ids),
                events_before: now.minus(o.keep_events),
                jobs_before: now.minus(o.keep_jobs),
                limit: SWEEP,
            };
            match worker.store.write(sweep).await {
                Ok(swept) => {
                    if swept != Swept::default() {
                        tracing::info!(
                            ids = swept.ids,
                            receipts = swept.receipts,
                            events = swept.events,
                            jobs = swept.jobs,
                            sagas = swept.sagas,
                            pauses = swept.pauses,
                            leases = swept.leases,
                            stuck = swept.stuck,
                            "swept"
                        );
                    }
                    if swept.leases > 0 {
                        metrics::counter!("leases_expired_total").increment(swept.leases);
                    }
                    if swept.stuck > 0 || swept.leases > 0 {
                        worker.store.hub().wake();
                    }
                    if !swept.more(SWEEP) {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "could not sweep");
                    break;
                }
            }
        }
    }
}

/// Asks the providers of paused channels whether their credentials work again (S4.3).
pub(crate) async fn probe(worker: Arc<Worker>) {
    while pause(&worker, worker.options.probe_every).await {
        let Ok(states) = worker.store.read(States).await else { continue };
        for channel in states.into_iter().filter(|c| c.state == ChannelState::Paused) {
            match worker.egress.probe(channel.id).await {
                Ok(_) => match worker.store.write(Resume(channel.id)).await {
                    Ok(_) => {
                        tracing::info!(channel_id = %channel.id, "this channel works again; its messages go out");
                        worker.store.hub().wake();
                    }
                    Err(error) => tracing::warn!(%error, "a channel could not be resumed"),
                },
                Err(refusal) => {
                    tracing::warn!(channel_id = %channel.id, reason = refusal.reason, "this channel is still paused")
                }
            }
        }
    }
}
