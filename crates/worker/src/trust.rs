//! Whether a lease is still ours. The database refuses what a former holder writes, but it cannot refuse what he sends: a process that stood still (a
//! paused machine, a long swap) must notice before it speaks that its time is over and another node may have answered (S2.2, S8.2).

use std::sync::Arc;

use store::leases::Renew;

use crate::Worker;
use crate::conversation::Held;
use crate::persist::persist;

/// Whether the lease certainly lasts longer than a send takes; one that may be over is renewed first, which only its holder can.
///
/// A quarter of the lease is kept as a margin for the send itself and for the difference between this machine's clock and the database's.
pub(crate) async fn sure(worker: &Arc<Worker>, held: &mut Held) -> bool {
    let policy = &worker.options.policy;
    let now = worker.store.clock().now();
    if now.plus(policy.lease / 4) < held.lease.until {
        return true;
    }
    let renew = Renew { leases: vec![held.lease.clone()], policy: Arc::clone(policy) };
    match persist(worker, renew, "a lease before a send").await {
        Some(lost) if lost.is_empty() => {
            held.lease.until = now.plus(policy.lease);
            true
        }
        Some(_) => {
            metrics::counter!("leases_lost_total").increment(1);
            tracing::warn!(conversation_id = %held.lease.conversation, "the lease ended before the send began; another worker goes on");
            false
        }
        None => false,
    }
}
