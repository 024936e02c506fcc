//! Shares the breakers with the other nodes and with people (S4.10): what moved here goes on record at once, what is on record is read every few
//! seconds and when this process was told. Beside the work: no message waits for it.

use std::sync::Arc;
use std::time::Duration;

use store::breakers::{All, Moved, Wake};
use types::breaker::{BreakerRecord, channel_of};
use types::states::BreakerState;

use crate::Worker;

/// How often the record is read although nobody rang: another node, or a command beside the server, may have written.
const READ: Duration = Duration::from_secs(2);

pub(crate) async fn share(worker: Arc<Worker>) {
    let mut read = None;
    while !worker.stopping() {
        put(&worker).await;
        read = learn(&worker, read).await;
        tokio::select! {
            () = worker.stop.cancelled() => return,
            () = worker.egress.breakers().moved() => {}
            () = worker.store.hub().breakers_rang() => {}
            () = tokio::time::sleep(READ) => {}
        }
    }
}

/// Puts on record what moved here.
async fn put(worker: &Worker) {
    let changes = worker.egress.breakers().changes();
    if changes.is_empty() {
        return;
    }
    for b in changes.iter().filter(|b| b.version > 0 || b.state != BreakerState::Closed) {
        tracing::warn!(breaker = b.name, state = %b.state, reason = b.reason, "a breaker moved");
    }
    match worker.store.write(Moved(changes.clone())).await {
        Ok(versions) => {
            worker.egress.breakers().kept(&versions);
            if changes.iter().any(|b| b.state == BreakerState::Closed) {
                worker.store.hub().wake();
            }
        }
        Err(error) => {
            tracing::warn!(%error, "the breakers' states could not be put on record; tried again");
            worker.egress.breakers().not_kept(&changes);
        }
    }
}

/// Takes over what is on record, and tries at once what a person wants tried; the record as it was read.
async fn learn(worker: &Arc<Worker>, before: Option<Vec<BreakerRecord>>) -> Option<Vec<BreakerRecord>> {
    let all = match worker.store.read(All).await {
        Ok(all) => all,
        Err(error) => {
            tracing::debug!(%error, "the breakers' record could not be read");
            return before;
        }
    };
    if before.as_ref() == Some(&all) {
        return before;
    }
    let closed = worker.egress.breakers().learn(all.clone());
    if !closed.is_empty() {
        // Between a person's reset and this moment what it woke was sent away again.
        match worker.store.write(Wake(closed)).await {
            Ok(()) => worker.store.hub().wake(),
            Err(error) => {
                tracing::warn!(%error, "what waited behind a breaker could not be woken; it goes out at its time")
            }
        }
    }
    for wanted in all.iter().filter(|b| tries_now(b) && !before.iter().flatten().any(|old| old == *b)) {
        if let Some(channel) = channel_of(&wanted.name) {
            let worker = Arc::clone(worker);
            let tasks = worker.tasks.clone();
            tasks.spawn(async move { worker.egress.try_again(channel).await });
        }
    }
    Some(all)
}

/// A person asked for a try: its pause ended when it began.
fn tries_now(b: &BreakerRecord) -> bool {
    b.state == BreakerState::Open && !b.held && b.until.is_some_and(|until| until <= b.since)
}
