//! What happened: the ledger of accepted sends, against which tests count, and the events that a chat window shows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use types::Timestamp;

use crate::locked;

/// Which simulated provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Meta's Cloud API.
    Meta,
    /// Green API.
    Green,
}

/// A send that the provider took: the customer will get it, whatever the sender was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// From 1, in the order of acceptance over all numbers.
    pub order: u64,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub provider: Provider,
    /// `phone_number_id` or `idInstance`.
    pub channel: Arc<str>,
    /// To whom: digits or a business-scoped id (Meta), the chat id (Green API).
    pub to: Arc<str>,
    /// The provider's type: `text`, `template`, `image`, `interactive`; Green API: `textMessage`, `imageMessage`.
    pub kind: String,
    /// The text, or the type's own object as it came, for what is no text.
    pub body: String,
    /// Meta: `biz_opaque_callback_data`.
    pub dedupe_key: Option<Arc<str>>,
    /// The id given to it.
    pub provider_id: Arc<str>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without gaps.
    pub order: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happened {
    /// The business sent something.
    Accepted(Arc<Accepted>),
    /// The business marked a message as read.
    Read {
        /// By whom.
        provider: Provider,
        /// `phone_number_id` or `idInstance`.
        channel: Arc<str>,
        /// Which message (Meta), or which chat (Green API).
        of: String,
        /// Whether it shows as typing, too.
        typing: bool,
    },
    /// A status was handed over: the engine answered 200.
    Status {
        /// By whom.
        provider: Provider,
        /// `phone_number_id` or `idInstance`.
        channel: Arc<str>,
        /// Of which send.
        provider_id: Arc<str>,
        /// `sent`, `delivered`, `read`, `failed` or a word of Green API.
        status: String,
    },
    /// A customer, or staff on the phone, wrote.
    Wrote {
        /// Through whom.
        provider: Provider,
        /// `phone_number_id` or `idInstance`.
        channel: Arc<str>,
        /// The customer's number.
        phone: String,
        /// Whether staff wrote it, on the business's phone.
        staff: bool,
        /// The text, or the kind in brackets.
        text: String,
        /// The id of the message.
        provider_id: String,
        /// What the engine answered: an HTTP status, or why none came.
        answer: String,
    },
}

#[derive(Debug, Default)]
struct Log {
    accepted: VecDeque<Arc<Accepted>>,
    events: VecDeque<Event>,
    /// Order of the last event.
    last_event: u64,
    /// Order of the last accepted send. Goes on when the ledger is forgotten.
    last_accepted: u64,
}

/// The ledger and the events.
#[derive(Debug)]
pub(crate) struct Journal {
    log: Mutex<Log>,
    accepted: AtomicU64,
    news: Notify,
    keep_accepted: usize,
    keep_events: usize,
}

impl Journal {
    pub fn new(keep_accepted: usize, keep_events: usize) -> Self {
        Self { log: Mutex::default(), accepted: AtomicU64::new(0), news: Notify::new(), keep_accepted, keep_events }
    }

    /// Takes a send into the ledger; gives it its order.
    pub fn accept(&self, mut accepted: Accepted) -> Arc<Accepted> {
        let mut log = locked(&self.log);
        log.last_accepted += 1;
        accepted.order = log.last_accepted;
        let at = accepted.at;
        let accepted = Arc::new(accepted);
        log.accepted.push_back(accepted.clone());
        if log.accepted.len() > self.keep_accepted {
            log.accepted.pop_front();
        }
        self.push(&mut log, at, Happened::Accepted(accepted.clone()));
        drop(log);
        self.accepted.fetch_add(1, Ordering::Release);
        self.news.notify_waiters();
        accepted
    }

    pub fn record(&self, at: Timestamp, what: Happened) {
        self.push(&mut locked(&self.log), at, what);
        self.news.notify_waiters();
    }

    fn push(&self, log: &mut Log, at: Timestamp, what: Happened) {
        log.last_event += 1;
        let order = log.last_event;
        log.events.push_back(Event { order, at, what });
        if log.events.len() > self.keep_events {
            log.events.pop_front();
        }
    }

    pub fn count(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    /// Sends after the `after`-th, at most `limit`.
    pub fn ledger(&self, after: u64, limit: usize) -> Vec<Arc<Accepted>> {
        let log = locked(&self.log);
        let from = log.accepted.partition_point(|a| a.order <= after);
        log.accepted.range(from..).take(limit).cloned().collect()
    }

    /// Empties the ledger; orders and the count go on.
    pub fn forget(&self) {
        locked(&self.log).accepted.clear();
    }

    pub fn last_event(&self) -> u64 {
        locked(&self.log).last_event
    }

    /// Events after the `after`-th; waits up to `patience` for the first.
    pub async fn events(&self, after: u64, patience: Duration) -> Vec<Event> {
        let found = || {
            let log = locked(&self.log);
            let from = log.events.partition_point(|e| e.order <= after);
            let events: Vec<Event> = log.events.range(from..).cloned().collect();
            (!events.is_empty()).then_some(events)
        };
        self.wait_for(patience, found).await.unwrap_or_default()
    }

    /// Waits until at least `n` sends were accepted; `false` when it took longer than `patience`.
    pub async fn wait_count(&self, n: u64, patience: Duration) -> bool {
        self.wait_for(patience, || (self.count() >= n).then_some(())).await.is_some()
    }

    async fn wait_for<T>(&self, patience: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
        let wait = async {
            loop {
                // Listens before it looks, so that nothing slips between.
                let mut news = std::pin::pin!(self.news.notified());
                news.as_mut().enable();
                if let Some(it) = found() {
                    return it;
                }
                news.await;
            }
        };
        tokio::time::timeout(patience, wait).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(to: &str) -> Accepted {
        Accepted {
            order: 0,
            at: Timestamp::from_seconds(1),
            provider: Provider::Meta,
            channel: "1".into(),
            to: to.into(),
            kind: "text".into(),
            body: "hi".into(),
            dedupe_key: None,
            provider_id: "wamid.x".into(),
        }
    }

    #[test]
    fn the_ledger_keeps_the_last_and_counts_all() {
        let journal = Journal::new(2, 2);
        for to in ["a", "b", "c"] {
            journal.accept(send(to));
        }
        assert_eq!(journal.count(), 3);
        let kept: Vec<_> = journal.ledger(0, 10).iter().map(|a| (a.order, a.to.to_string())).collect();
        assert_eq!(kept, [(2, "b".into()), (3, "c".into())]);
        assert_eq!(journal.ledger(2, 10).len(), 1);
    }

    #[tokio::test]
    async fn a_watcher_wakes_for_the_next_event_and_gives_up_in_time() {
        let journal = Journal::new(10, 10);
        assert!(journal.events(0, Duration::from_millis(10)).await.is_empty());
        let (events, ()) = tokio::join!(journal.events(0, Duration::from_secs(5)), async {
            tokio::task::yield_now().await;
            journal.accept(send("a"));
        });
        assert!(matches!(&events[..], [Event { order: 1, what: Happened::Accepted(a), .. }] if &*a.to == "a"));
        assert!(journal.events(1, Duration::ZERO).await.is_empty());
    }

    #[test]
    fn events_read_back_from_json() {
        let journal = Journal::new(10, 10);
        journal.accept(send("a"));
        let log = locked(&journal.log);
        let text = serde_json::to_string(&log.events).unwrap();
        assert!(text.contains(r#""event":"accepted""#), "{text}");
        assert_eq!(serde_json::from_str::<VecDeque<Event>>(&text).unwrap(), log.events);
    }
}
