//! Things to do at a time, in the order of their times; among equals, in the order in which they came. Bounded.

use std::cmp::{Ordering as Compared, Reverse};
use std::collections::BinaryHeap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use types::clock::Stopwatch;

use crate::locked;

struct Entry<T> {
    due: Duration,
    number: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Compared::Equal
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Compared> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Compared {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

/// What is to be done. Times count from its making.
pub(crate) struct Agenda<T> {
    heap: Mutex<BinaryHeap<Reverse<Entry<T>>>>,
    wake: Notify,
    since: Stopwatch,
    number: AtomicU64,
}

impl<T> std::fmt::Debug for Agenda<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agenda").field("waiting", &locked(&self.heap).len()).finish()
    }
}

impl<T> Agenda<T> {
    pub fn new() -> Self {
        Self { heap: Mutex::default(), wake: Notify::new(), since: Stopwatch::start(), number: AtomicU64::new(0) }
    }

    /// Time since the beginning.
    pub fn now(&self) -> Duration {
        self.since.elapsed()
    }

    /// Puts several down at once, each `after` now.
    pub fn add(&self, items: impl IntoIterator<Item = (Duration, T)>) {
        let now = self.now();
        let mut heap = locked(&self.heap);
        let first = heap.peek().map(|Reverse(e)| e.due);
        for (after, what) in items {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            heap.push(Reverse(Entry { due: now + after, number, what }));
        }
        let wakes = heap.peek().map(|Reverse(e)| e.due) != first;
        drop(heap);
        if wakes {
            self.wake.notify_one();
        }
    }

    /// The first, once it is due, and what `more` takes of those due behind it. One caller at a time.
    pub async fn next(&self, mut more: impl FnMut(&[T], &T) -> bool) -> Vec<T> {
        loop {
            let wait = {
                let mut heap = locked(&self.heap);
                let now = self.now();
                let mut taken: Vec<T> = Vec::new();
                while let Some(Reverse(entry)) = heap.peek() {
                    if entry.due > now || (!taken.is_empty() && !more(&taken, &entry.what)) {
                        break;
                    }
                    taken.extend(heap.pop().map(|Reverse(e)| e.what));
                }
                if !taken.is_empty() {
                    return taken;
                }
                heap.peek().map(|Reverse(e)| e.due.saturating_sub(now))
            };
            match wait {
                Some(wait) => {
                    let _ = tokio::time::timeout(wait, self.wake.notified()).await;
                }
                None => self.wake.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn first_due_first_served_and_equals_in_order() {
        let agenda = Agenda::new();
        let ms = Duration::from_millis;
        agenda.add([(ms(30), "late"), (ms(0), "a"), (ms(0), "b")]);
        let one = |_: &[&str], _: &&str| false;
        let mut order = Vec::new();
        for _ in 0..3 {
            order.extend(agenda.next(one).await);
        }
        assert_eq!(order, ["a", "b", "late"]);
    }

    #[tokio::test]
    async fn one_that_comes_earlier_wakes_the_sleeper() {
        let agenda = Agenda::new();
        agenda.add([(Duration::from_secs(60), "late")]);
        let (got, ()) = tokio::join!(agenda.next(|_, _| false), async {
            tokio::task::yield_now().await;
            agenda.add([(Duration::ZERO, "now")]);
        });
        assert_eq!(got, ["now"]);
    }

    #[tokio::test]
    async fn a_batch_takes_what_is_due_and_wanted() {
        let agenda = Agenda::new();
        agenda.add([(Duration::ZERO, 1), (Duration::ZERO, 2), (Duration::ZERO, 30), (Duration::ZERO, 3)]);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(agenda.next(|taken, n| taken.len() < 5 && *n < 10).await, [1, 2]);
        assert_eq!(agenda.next(|_, _| true).await, [30, 3]);
    }
}
