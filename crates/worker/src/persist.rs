//! Writes whose loss would cost something: what became of a send, what a turn decided. While the database is away they are tried again, as long as
//! the lease lasts; a lost lease ends them, since someone else goes on then.

use std::sync::Arc;
use std::time::Duration;

use store::{Op, StoreError};

use crate::Worker;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Writes `op`; `None` when it could not be written (logged).
pub(crate) async fn persist<O: Op + Sync>(worker: &Worker, op: O, what: &str) -> Option<O::Out> {
    let op = Arc::new(op);
    let started = worker.store.clock().now();
    let mut pause = FIRST_PAUSE;
    loop {
        match worker.store.write(Arc::clone(&op)).await {
            Ok(out) => return Some(out),
            Err(StoreError::LeaseLost(conversation)) => {
                metrics::counter!("leases_lost_total").increment(1);
                tracing::warn!(conversation_id = %conversation, what, "the lease was lost; another worker goes on");
                return None;
            }
            Err(error @ StoreError::Unavailable { .. }) => {
                let waited = worker.store.clock().now().since(started);
                if waited > worker.options.policy.lease || worker.stopping() {
                    tracing::error!(%error, what, "gave up recording this; it is found again when the database is back");
                    return None;
                }
                tracing::warn!(%error, what, "recording this again in a moment");
                tokio::time::sleep(worker.dice.jitter(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::error!(%error, what, "could not record this");
                return None;
            }
        }
    }
}
