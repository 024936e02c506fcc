//! Works one leased conversation: one piece after the other under the same lease, until nothing in it is due (S2.2).

use std::sync::Arc;

use egress::Admitted;
use store::{Claimed, Lease, Next, Snapshot, Work};
use tokio::sync::OwnedSemaphorePermit;
use types::{ConversationId, MessageId};

use crate::{Worker, deliver, reconcile, turn};

/// What every piece of work is given.
pub(crate) struct Held {
    pub lease: Lease,
    pub snapshot: Arc<Snapshot>,
    /// Leave for the next delivery was taken already.
    pub admitted: Option<Admitted>,
    /// Messages whose reply was saved in this holding and has not been tried yet.
    pub saved: Vec<MessageId>,
}

/// Lets go of the conversation in memory however the work ends, a panic included.
struct Guard<'a>(&'a Worker, ConversationId, i64);

impl Held {
    /// The outcome of a customer's message is on record: those who wait for it hear so (S1.8).
    pub fn settled(&mut self, worker: &Worker, message: MessageId) {
        self.saved.retain(|m| *m != message);
        worker.store.hub().settled(message);
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.let_go(self.1, self.2);
    }
}

/// Works `claimed` to its end. The permit is this node's room for one conversation.
pub(crate) async fn work(worker: Arc<Worker>, claimed: Claimed, _permit: OwnedSemaphorePermit) {
    worker.hold(&claimed.lease);
    let _guard = Guard(&worker, claimed.lease.conversation, claimed.lease.fence);
    let mut held =
        Held { lease: claimed.lease, snapshot: Arc::new(claimed.snapshot), admitted: None, saved: Vec::new() };
    let mut work = claimed.work;
    loop {
        let next = match work {
            Work::Turn(turn) => turn::run(&worker, &mut held, turn).await,
            Work::Deliver(deliver) => deliver::run(&worker, &mut held, deliver).await,
            Work::Reconcile(deliver) => reconcile::run(&worker, &mut held, deliver).await,
        };
        match next {
            Some(Next::Work(more)) => work = more,
            Some(Next::Wait(at)) => {
                if let Some(at) = at {
                    worker.look_at(at);
                }
                break;
            }
            // Nothing could be recorded: whoever claims the conversation next finds what is due.
            None => break,
        }
    }
    // Replies that wait behind another message, or for their channel: saved only, and that is their outcome for now.
    for message in std::mem::take(&mut held.saved) {
        worker.store.hub().settled(message);
    }
}
