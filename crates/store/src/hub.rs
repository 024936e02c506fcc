//! News within this process, after commits: wakes the scheduler and those who wait for a message's outcome (S1.8, S2.7). Only hints: whoever
//! misses one finds the same in the database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};
use types::{ChannelId, MessageId, Timestamp};

/// The process's switchboard.
#[derive(Debug, Default)]
pub struct Hub {
    work: Notify,
    waiting: Mutex<HashMap<MessageId, Vec<oneshot::Sender<()>>>>,
    heard: Mutex<HashMap<ChannelId, AtomicI64>>,
}

impl Hub {
    /// Work is due that nobody holds.
    pub fn wake(&self) {
        self.work.notify_one();
    }

    /// Resolves after the next [`Self::wake`], or at once if one came since the last wait.
    pub async fn woken(&self) {
        self.work.notified().await;
    }

    /// Resolves when the outcome of `message` is on record; to be taken before looking at the record.
    pub fn outcome_of(&self, message: MessageId) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).entry(message).or_default().push(tell);
        told
    }

    /// The outcome of `message` is on record.
    pub fn settled(&self, message: MessageId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return;
        }
        for tell in waiting.remove(&message).into_iter().flatten() {
            let _ = tell.send(());
        }
    }

    /// Nobody waits for `message` any more.
    pub fn forget(&self, message: MessageId) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&message);
    }

    /// A webhook of `channel` came at `now`.
    pub fn heard(&self, channel: ChannelId, now: Timestamp) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.entry(channel).or_default().store(now.micros(), Ordering::Relaxed);
    }

    /// When the last webhook of `channel` came, if one came since this process started: silence longer than that proves nothing (S4.4).
    pub fn last_heard(&self, channel: ChannelId) -> Option<Timestamp> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.get(&channel).map(|at| Timestamp::from_micros(at.load(Ordering::Relaxed)))
    }
}
