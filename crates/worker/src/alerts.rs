//! Alerts (S6.6): looks for what is wrong, and tells it. Looking only reads; the store lets one node decide at a time.

use std::sync::Arc;
use std::time::Duration;

use store::alerts::{Judge, Limits, Look, NewsTold, NextNews, TakeNews};

use crate::Worker;

/// How alerts are kept.
#[derive(Clone)]
pub struct Alerts {
    /// From where on something is wrong.
    pub limits: Limits,
    /// How often to look.
    pub every: Duration,
    /// Who is told.
    pub teller: egress::alerts::Teller,
    /// Free disk under the database, percent; `None`: unknown, or not on this machine.
    pub free_percent: Arc<dyn Fn() -> Option<u8> + Send + Sync>,
}

impl std::fmt::Debug for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alerts").field("limits", &self.limits).field("every", &self.every).finish_non_exhaustive()
    }
}

/// Looks and tells until the drain.
pub(crate) async fn watch(worker: Arc<Worker>, alerts: Alerts) {
    while !worker.stopping() {
        if let Err(error) = look(&worker, &alerts).await {
            tracing::warn!(%error, "could not look for what is wrong");
        }
        let wait = match tell(&worker, &alerts).await {
            Ok(wait) => wait.min(alerts.every),
            Err(error) => {
                tracing::warn!(%error, "alerts could not be told");
                alerts.every
            }
        };
        tokio::select! {
            () = worker.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn look(worker: &Worker, alerts: &Alerts) -> store::Result<()> {
    let free = Arc::clone(&alerts.free_percent);
    let free_percent = tokio::task::spawn_blocking(move || free()).await.unwrap_or(None);
    let limits = alerts.limits;
    if worker.store.read(Look { limits, free_percent }).await? {
        let sinks = alerts.teller.names();
        let (raised, cleared) = worker.store.write(Judge { limits, free_percent, sinks }).await?;
        if raised + cleared > 0 {
            tracing::warn!(raised, cleared, "alerts changed");
        }
    }
    Ok(())
}

/// Tells what is due; how long until there is more.
async fn tell(worker: &Worker, alerts: &Alerts) -> store::Result<Duration> {
    loop {
        let now = worker.store.clock().now();
        match worker.store.read(NextNews).await? {
            None => return Ok(alerts.every),
            Some(at) if at > now => return Ok(at.since(now)),
            Some(_) => {}
        }
        let Some(told) = worker.store.write(TakeNews).await? else { return Ok(alerts.every) };
        let result = alerts.teller.tell(&told.sink, &told.news, worker.store.clock().now()).await;
        if let Err(why) = &result {
            tracing::warn!(
                sink = told.sink,
                kind = told.news.kind.as_str(),
                attempt = told.attempts,
                why,
                "an alert was not heard"
            );
        }
        let (delivery, attempts) = (told.news.delivery, told.attempts);
        worker.store.write(NewsTold { delivery, attempts, error: result.err() }).await?;
        if worker.stopping() {
            return Ok(alerts.every);
        }
    }
}
