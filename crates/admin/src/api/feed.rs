//! News for those who look on: one bounded ring that every stream reads at its own pace. Who falls out of it, or comes from another life of
//! this process, is told to read everything anew (`reset`), never given a hole.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use types::TenantId;
use types::clock::random_token;

/// News that is kept for those who come back.
const KEPT: usize = 4096;

/// One piece of news.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Counts on.
    pub seq: u64,
    /// `message.created`, …
    pub name: String,
    /// Whose; `None`: everybody's.
    pub tenant: Option<TenantId>,
    /// JSON.
    pub data: String,
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Feed {
    /// This life of the process.
    life: String,
    ring: Mutex<VecDeque<Item>>,
    head: watch::Sender<u64>,
}

/// What a stream reads next.
#[derive(Debug)]
pub(crate) enum Next {
    /// This much, in order.
    Items(Vec<Item>),
    /// Too much was missed.
    Reset,
}

/// A place in the news.
pub(crate) const CLOSED: u64 = u64::MAX;

impl Feed {
    pub(crate) fn new() -> Self {
        let life = random_token().chars().take(8).collect();
        Self { life, ring: Mutex::new(VecDeque::with_capacity(KEPT)), head: watch::Sender::new(0) }
    }

    /// Adds news.
    pub(crate) fn tell(&self, news: impl IntoIterator<Item = (String, Option<TenantId>, String)>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let mut head = *self.head.borrow();
        if head == CLOSED {
            return;
        }
        for (name, tenant, data) in news {
            head += 1;
            if ring.len() == KEPT {
                ring.pop_front();
            }
            ring.push_back(Item { seq: head, name, tenant, data });
        }
        drop(ring);
        self.head.send_replace(head);
    }

    /// Ends every stream: the process stops.
    pub(crate) fn close(&self) {
        self.head.send_replace(CLOSED);
    }

    /// Rings when there is more.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// How many look on.
    pub(crate) fn listeners(&self) -> usize {
        self.head.receiver_count()
    }

    /// The place after everything there is.
    pub(crate) fn now(&self) -> u64 {
        *self.head.borrow()
    }

    /// An item's id as streams name it.
    pub(crate) fn id(&self, seq: u64) -> String {
        format!("{}-{seq}", self.life)
    }

    /// The place that `Last-Event-ID` names; `None`: of another life, or none of ours.
    pub(crate) fn place(&self, id: &str) -> Option<u64> {
        let (life, seq) = id.rsplit_once('-')?;
        let seq = seq.parse().ok()?;
        (life == self.life && seq <= self.now()).then_some(seq)
    }

    /// What came after `place`, for who may see it, at most `most` items; and the place after those.
    pub(crate) fn after(&self, place: u64, most: usize, sees: impl Fn(&Item) -> bool) -> (Next, u64) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.front().map_or(self.now() + 1, |item| item.seq);
        if place + 1 < first && !ring.is_empty() {
            return (Next::Reset, ring.back().map_or(place, |item| item.seq));
        }
        let skip = usize::try_from(place + 1 - first.min(place + 1)).unwrap_or(usize::MAX);
        let mut to = place;
        let mut items = Vec::new();
        for item in ring.iter().skip(skip) {
            if items.len() == most {
                break;
            }
            to = item.seq;
            if sees(item) {
                items.push(item.clone());
            }
        }
        (Next::Items(items), to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seqs(next: Next) -> Vec<u64> {
        match next {
            Next::Items(items) => items.into_iter().map(|i| i.seq).collect(),
            Next::Reset => vec![0],
        }
    }

    #[test]
    fn who_comes_back_gets_what_was_missed_and_who_missed_too_much_is_told() {
        let feed = Feed::new();
        let tell = |n: usize| feed.tell((0..n).map(|_| ("x".to_owned(), None, "{}".to_owned())));
        tell(3);
        assert_eq!(seqs(feed.after(0, 10, |_| true).0), [1, 2, 3]);
        assert_eq!(seqs(feed.after(1, 10, |_| true).0), [2, 3]);
        assert_eq!(seqs(feed.after(3, 10, |_| true).0), Vec::<u64>::new());
        assert_eq!(feed.place(&feed.id(2)), Some(2));
        assert_eq!(feed.place("other-2"), None);
        assert_eq!(feed.place(&feed.id(9)), None, "the future is not ours");
        tell(KEPT);
        assert!(matches!(feed.after(1, 10, |_| true).0, Next::Reset));
        let (next, to) = feed.after(3, 2, |_| true);
        assert_eq!((seqs(next), to), (vec![4, 5], 5));
    }
}
