//! Green API's notifications of one instance on their way back: one at a time, in order; what is not answered with 200 is
//! posted again before anything else is (PROTOCOL.md 3, "head of line").

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use types::SharedClock;

use crate::agenda::Agenda;
use crate::client;
use crate::journal::{Happened, Journal, Provider};
use crate::lead::Webhook;
use crate::options::Backoff;
use crate::server::{Counters, Targets};

/// A notification; a status also says which, for the journal.
#[derive(Debug)]
pub(crate) struct Notification {
    pub webhook: Webhook,
    /// The send's id and the status word.
    pub status: Option<(Arc<str>, String)>,
}

/// Posts the notifications of one instance.
#[derive(Debug)]
pub(crate) struct Feed {
    agenda: Agenda<Notification>,
    waiting: AtomicU64,
    capacity: u64,
    channel: Arc<str>,
    retry: Backoff,
    targets: Arc<Targets>,
    journal: Arc<Journal>,
    clock: SharedClock,
    counters: Arc<Counters>,
    /// Held while a notification is out: a lead that writes now waits its turn, too.
    pub turn: tokio::sync::Mutex<()>,
}

impl Feed {
    pub fn new(
        channel: Arc<str>,
        capacity: usize,
        retry: Backoff,
        targets: Arc<Targets>,
        journal: Arc<Journal>,
        clock: SharedClock,
        counters: Arc<Counters>,
    ) -> Self {
        let (agenda, waiting, turn) = (Agenda::new(), AtomicU64::new(0), tokio::sync::Mutex::default());
        Self { agenda, waiting, capacity: capacity as u64, channel, retry, targets, journal, clock, counters, turn }
    }

    /// Plans notifications, each `after` now. Without a `webhookUrl` there is nobody to tell.
    pub fn add(&self, notifications: Vec<(Duration, Notification)>) {
        if !self.targets.has_green() {
            return;
        }
        let n = notifications.len() as u64;
        if self.waiting.fetch_add(n, Ordering::Relaxed) + n > self.capacity {
            self.waiting.fetch_sub(n, Ordering::Relaxed);
            self.counters.statuses_lost.fetch_add(n, Ordering::Relaxed);
            return;
        }
        self.agenda.add(notifications);
    }

    /// How many notifications wait or are being posted.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Posts until stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let work = async {
            loop {
                for notification in self.agenda.next(|_, _| false).await {
                    let acknowledged = self.post(&notification.webhook).await;
                    self.settle(notification, acknowledged);
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }

    async fn post(&self, webhook: &Webhook) -> bool {
        let since = self.agenda.now();
        let mut attempts = 0;
        loop {
            let Some(http) = self.targets.green() else { return false };
            {
                let _turn = self.turn.lock().await;
                if matches!(client::post(&http, webhook, self.retry.timeout).await, Ok(a) if a.status == 200) {
                    return true;
                }
            }
            attempts += 1;
            let wait = self.retry.wait(attempts);
            if self.agenda.now() + wait > since + self.retry.give_up {
                tracing::warn!(instance = &*self.channel, attempts, "notification given up");
                return false;
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn settle(&self, notification: Notification, acknowledged: bool) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let counter = if acknowledged { &self.counters.statuses_posted } else { &self.counters.statuses_lost };
        counter.fetch_add(1, Ordering::Relaxed);
        if let (true, Some((provider_id, status))) = (acknowledged, notification.status) {
            let channel = self.channel.clone();
            let what = Happened::Status { provider: Provider::Green, channel, provider_id, status };
            self.journal.record(self.clock.now(), what);
        }
    }
}
