//! Meta's statuses on their way back: in the background, several to a POST, repeated while the engine is down, never in the
//! way of a send. A batch that fails comes back by itself later, so one bad batch does not stop the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::{Dice, SharedClock};

use crate::agenda::Agenda;
use crate::client;
use crate::faults::chance;
use crate::journal::{Accepted, Happened, Journal, Provider};
use crate::lead::{MetaSource, Status, Webhook};
use crate::options::{Backoff, StatusKind, StatusPlan};
use crate::server::{Counters, Targets};

/// What is to be posted.
#[derive(Debug)]
enum Item {
    Fresh(Report),
    Again(Box<Batch>),
}

/// One status.
#[derive(Debug)]
struct Report {
    source: Arc<MetaSource>,
    send: Arc<Accepted>,
    kind: StatusKind,
    error: Option<Arc<(i64, String)>>,
}

/// One POST that was tried already.
#[derive(Debug)]
struct Batch {
    webhook: Webhook,
    reports: Vec<Report>,
    attempts: u32,
    since: Duration,
}

/// Posts Meta's statuses.
#[derive(Debug)]
pub(crate) struct Postman {
    agenda: Agenda<Item>,
    waiting: AtomicU64,
    plan: StatusPlan,
    retry: Backoff,
    dice: Dice,
    targets: Arc<Targets>,
    journal: Arc<Journal>,
    clock: SharedClock,
    counters: Arc<Counters>,
}

impl Postman {
    pub fn new(
        plan: StatusPlan,
        retry: Backoff,
        seed: u64,
        targets: Arc<Targets>,
        journal: Arc<Journal>,
        clock: SharedClock,
        counters: Arc<Counters>,
    ) -> Self {
        let dice = Dice::seeded(seed ^ 0x5747);
        Self { agenda: Agenda::new(), waiting: AtomicU64::new(0), plan, retry, dice, targets, journal, clock, counters }
    }

    /// Plans the statuses of an accepted send. Without a callback URL there is nobody to tell.
    /// `disorder`: the last comes first.
    pub fn plan(&self, source: &Arc<MetaSource>, send: &Arc<Accepted>, failure: Option<(i64, String)>, disorder: bool) {
        if !self.plan.send || !self.targets.has_meta() {
            return;
        }
        let error = failure.map(Arc::new);
        let kinds: &[StatusKind] = if error.is_some() { &[StatusKind::Failed] } else { &self.plan.kinds };
        let mut items = Vec::with_capacity(kinds.len());
        let span = self.plan.delay.saturating_mul(u32::try_from(kinds.len()).unwrap_or(u32::MAX));
        let mut after = Duration::ZERO;
        let mut kinds = kinds.to_vec();
        if disorder {
            kinds.reverse();
        }
        for kind in &kinds {
            after += self.plan.delay;
            let twice = self.plan.duplicate > 0.0 && chance(&self.dice, self.plan.duplicate);
            for _ in 0..=u8::from(twice) {
                let after = if self.plan.shuffle { self.within(span) } else { after };
                let report = Report { source: source.clone(), send: send.clone(), kind: *kind, error: error.clone() };
                items.push((after, Item::Fresh(report)));
            }
        }
        let planned = items.len() as u64;
        if self.waiting.fetch_add(planned, Ordering::Relaxed) + planned > self.plan.capacity as u64 {
            self.waiting.fetch_sub(planned, Ordering::Relaxed);
            if self.counters.statuses_lost.fetch_add(planned, Ordering::Relaxed) == 0 {
                tracing::warn!(
                    capacity = self.plan.capacity,
                    "too many statuses wait: the next ones are dropped and counted"
                );
            }
            return;
        }
        self.agenda.add(items);
    }

    fn within(&self, span: Duration) -> Duration {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.dice.throw() % micros.max(1))
    }

    /// Repeats a webhook that was posted once and not acknowledged.
    pub fn repeat(&self, webhook: Webhook) {
        let batch = Batch { webhook, reports: Vec::new(), attempts: 1, since: self.agenda.now() };
        self.agenda.add([(self.dice.jitter(self.retry.wait(1)), Item::Again(Box::new(batch)))]);
    }

    /// How many statuses wait or are being posted.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Posts until stopped.
    pub async fn run(self: Arc<Self>, tracker: TaskTracker, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.plan.concurrency.max(1)));
        let work = async {
            while let Ok(permit) = permits.clone().acquire_owned().await {
                let items = self.agenda.next(|taken, next| self.goes_along(taken, next)).await;
                let (postman, stop) = (self.clone(), stop.clone());
                tracker.spawn(async move { stop.run_until_cancelled(postman.post(items, permit)).await });
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// Whether `next` may share a POST with `taken`: one number, statuses that were not posted yet, room.
    fn goes_along(&self, taken: &[Item], next: &Item) -> bool {
        match (taken.first(), next) {
            (Some(Item::Fresh(first)), Item::Fresh(next)) => {
                taken.len() < self.plan.batch && Arc::ptr_eq(&first.source, &next.source)
            }
            _ => false,
        }
    }

    async fn post(&self, items: Vec<Item>, permit: OwnedSemaphorePermit) {
        let mut reports = Vec::with_capacity(items.len());
        let mut again = None;
        for item in items {
            match item {
                Item::Fresh(report) => reports.push(report),
                Item::Again(batch) => again = Some(batch),
            }
        }
        let mut batch = match again {
            Some(batch) => batch,
            None => match self.write(reports) {
                Some(batch) => Box::new(batch),
                None => return,
            },
        };
        let Some(http) = self.targets.meta() else {
            // The callback URL was taken away: as with Meta, there is no subscription to serve any more.
            self.settle(&batch, false);
            return;
        };
        batch.attempts += 1;
        let acknowledged =
            matches!(client::post(&http, &batch.webhook, self.retry.timeout).await, Ok(a) if a.status == 200);
        drop(permit);
        let wait = self.dice.jitter(self.retry.wait(batch.attempts));
        if acknowledged {
            self.settle(&batch, true);
        } else if self.agenda.now() + wait > batch.since + self.retry.give_up {
            tracing::warn!(statuses = batch.reports.len(), attempts = batch.attempts, "statuses given up");
            self.settle(&batch, false);
        } else {
            self.agenda.add([(wait, Item::Again(batch))]);
        }
    }

    fn write(&self, reports: Vec<Report>) -> Option<Batch> {
        let at = self.clock.now().seconds();
        let statuses: Vec<Status<'_>> = reports
            .iter()
            .map(|r| Status {
                provider_id: &r.send.provider_id,
                kind: r.kind,
                to: &r.send.to,
                dedupe_key: r.send.dedupe_key.as_deref(),
                at,
                template: r.send.kind == "template",
                error: r.error.as_ref().map(|e| (e.0, e.1.as_str())),
            })
            .collect();
        let webhook = reports.first()?.source.statuses(&statuses);
        Some(Batch { webhook, reports, attempts: 0, since: self.agenda.now() })
    }

    fn settle(&self, batch: &Batch, acknowledged: bool) {
        let n = batch.reports.len() as u64;
        self.waiting.fetch_sub(n, Ordering::Relaxed);
        if !acknowledged {
            self.counters.statuses_lost.fetch_add(n, Ordering::Relaxed);
            return;
        }
        self.counters.statuses_posted.fetch_add(n, Ordering::Relaxed);
        for report in &batch.reports {
            let what = Happened::Status {
                provider: Provider::Meta,
                channel: report.send.channel.clone(),
                provider_id: report.send.provider_id.clone(),
                status: report.kind.as_str().to_owned(),
            };
            self.journal.record(self.clock.now(), what);
        }
    }
}
