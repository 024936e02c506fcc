//! Brings conversations to their work: those that intake leased for this process, and those that are due and that nobody holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use store::Claimed;
use store::leases::{Claim, NextDue};
use tokio::sync::mpsc;

use crate::{Worker, conversation};

/// At most so many conversations in one claim: a claim is one transaction on the writer.
const CLAIM: usize = 64;

/// What `/api/jobs/run-outbound` did (S2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Conversations claimed and worked until nothing in them was due.
    pub conversations: u32,
}

/// Works what intake leased; ends when the drain begins and the queue is empty.
pub(crate) async fn take(worker: Arc<Worker>, mut queue: mpsc::Receiver<Claimed>) {
    loop {
        let claimed = tokio::select! {
            biased;
            claimed = queue.recv() => claimed,
            () = worker.stop.cancelled() => {
                // What is in the queue is leased to us: it is worked, nothing new comes in.
                queue.close();
                queue.recv().await
            }
        };
        let Some(claimed) = claimed else { return };
        // Only with work in hand: a permit kept while waiting would be one conversation less for the scheduler.
        let Ok(permit) = Arc::clone(&worker.free).acquire_owned().await else { return };
        worker.tasks.spawn(conversation::work(Arc::clone(&worker), claimed, permit));
    }
}

/// Claims what is due and nobody holds: when called, when something becomes due, and now and then anyway.
pub(crate) async fn look(worker: Arc<Worker>) {
    while !worker.stopping() {
        let wait = match claim_all(&worker).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "could not look for due work; looking again in a moment");
                worker.options.poll
            }
        };
        let wait = wait.min(worker.options.poll);
        let at = worker.store.clock().now().plus(wait);
        worker.next_look.store(at.micros(), Ordering::Release);
        tokio::select! {
            () = worker.stop.cancelled() => return,
            () = worker.store.hub().woken() => {}
            () = worker.look.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Claims while there is something due and room for it; how long until something is due.
async fn claim_all(worker: &Arc<Worker>) -> store::Result<Duration> {
    loop {
        let Ok(first) = Arc::clone(&worker.free).acquire_owned().await else { return Ok(worker.options.poll) };
        let mut permits = vec![first];
        while permits.len() < CLAIM
            && let Ok(more) = Arc::clone(&worker.free).try_acquire_owned()
        {
            permits.push(more);
        }
        let limit = permits.len();
        let claimed = worker.store.write(claim(worker, limit)).await?;
        let found = claimed.len();
        for (claimed, permit) in claimed.into_iter().zip(permits) {
            worker.tasks.spawn(conversation::work(Arc::clone(worker), claimed, permit));
        }
        if found == 0 || worker.stopping() {
            let now = worker.store.clock().now();
            let next = worker.store.read(NextDue).await?;
            return Ok(next.map_or(worker.options.poll, |at| at.since(now).max(Duration::from_millis(1))));
        }
    }
}

fn claim(worker: &Worker, limit: usize) -> Claim {
    Claim {
        owner: Arc::clone(&worker.owner),
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        only: None,
        policy: Arc::clone(&worker.options.policy),
    }
}

/// Claims up to `max` due conversations and works them before it answers.
pub(crate) async fn run_outbound(worker: &Arc<Worker>, max: u32) -> store::Result<Ran> {
    let mut ran = Ran::default();
    while ran.conversations < max && !worker.stopping() {
        let limit = usize::try_from(max - ran.conversations).unwrap_or(CLAIM).min(CLAIM);
        let claimed = worker.store.write(claim(worker, limit)).await?;
        if claimed.is_empty() {
            break;
        }
        let mut running = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            ran.conversations += 1;
            let Ok(permit) = Arc::clone(&worker.free).acquire_owned().await else { return Ok(ran) };
            running.push(worker.tasks.spawn(conversation::work(Arc::clone(worker), claimed, permit)));
        }
        for task in running {
            let _ = task.await;
        }
    }
    crate::saga::run_due(worker).await?;
    Ok(ran)
}
