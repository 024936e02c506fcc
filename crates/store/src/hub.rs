//! News within this process, after commits: wakes the scheduler and those who wait for a message's outcome (S1.8, S2.7). Only hints: whoever
//! misses one finds the same in the database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use types::{ChannelId, MessageId, Timestamp};

/// The process's switchboard.
#[derive(Debug, Default)]
pub struct Hub {
    work: Notify,
    others: Notify,
    acts: Notify,
    acts_of_others: Notify,
    commits: Notify,
    letters: Notify,
    breakers: Notify,
    endpoints: Notify,
    waiting: Mutex<HashMap<MessageId, Vec<oneshot::Sender<()>>>>,
    traffic: Mutex<HashMap<ChannelId, Traffic>>,
}

/// What a channel's webhooks and sends of this process's life tell about each other.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    heard: Option<Timestamp>,
    /// The first send that was accepted since a webhook came: its status should have come by now.
    unanswered: Option<Timestamp>,
}

/// A status follows an accepted send within seconds as a rule (PROTOCOL.md, 4).
const STATUS_AFTER: Duration = Duration::from_secs(15);

impl Hub {
    /// Work is due that nobody holds: this process and, where there are more, the others hear it.
    pub fn wake(&self) {
        self.wake_here();
        self.others.notify_one();
    }

    /// This process alone hears it: another told us.
    pub fn wake_here(&self) {
        self.work.notify_one();
    }

    /// Resolves after the next [`Self::wake`], or at once if one came since the last wait: for whoever tells the other nodes.
    pub async fn news_for_others(&self) {
        self.others.notified().await;
    }

    /// Resolves after the next [`Self::wake`], or at once if one came since the last wait.
    pub async fn woken(&self) {
        self.work.notified().await;
    }

    /// A saga is due again because a person said so: this process and, where there are more, the others hear it.
    pub fn act(&self) {
        self.act_here();
        self.acts_of_others.notify_one();
    }

    /// A saga was saved or is due: this process alone hears it.
    pub fn act_here(&self) {
        self.acts.notify_one();
    }

    /// Resolves after the next [`Self::act_here`], or at once if one came since the last wait.
    pub async fn acts_due(&self) {
        self.acts.notified().await;
    }

    /// Resolves after the next [`Self::act`], or at once if one came since the last wait: for whoever tells the other nodes.
    pub async fn acts_for_others(&self) {
        self.acts_of_others.notified().await;
    }

    /// Somebody changed when a dead letter is tried again, by SQL.
    pub fn letters_changed(&self) {
        self.letters.notify_one();
    }

    /// Resolves after the next [`Self::letters_changed`], or at once if one came since the last wait.
    pub async fn letters(&self) {
        self.letters.notified().await;
    }

    /// Somebody moved a breaker on record: for the one that shares them.
    pub fn ring_breakers(&self) {
        self.breakers.notify_one();
    }

    /// Resolves after the next [`Self::ring_breakers`], or at once if one came since the last wait.
    pub async fn breakers_rang(&self) {
        self.breakers.notified().await;
    }

    /// Somebody set up an endpoint, or wants one told now: for the one that tells them.
    pub fn ring_endpoints(&self) {
        self.endpoints.notify_one();
    }

    /// Resolves after the next [`Self::ring_endpoints`], or at once if one came since the last wait.
    pub async fn endpoints_rang(&self) {
        self.endpoints.notified().await;
    }

    /// Something was committed by this process: for the one that keeps the desk.
    pub fn stir(&self) {
        self.commits.notify_one();
    }

    /// Resolves after the next [`Self::stir`], or at once if one came since the last wait.
    pub async fn stirred(&self) {
        self.commits.notified().await;
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
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let traffic = traffic.entry(channel).or_default();
        *traffic = Traffic { heard: Some(now), unanswered: None };
    }

    /// The provider accepted a message of `channel` whose sending began then.
    pub fn accepted(&self, channel: ChannelId, began: Timestamp) {
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let traffic = traffic.entry(channel).or_default();
        // A webhook that overtook the answer to the send may well be its status.
        if traffic.heard.is_none_or(|heard| heard < began) {
            traffic.unanswered.get_or_insert(began);
        }
    }

    /// Whether the webhooks of `channel` seem to be down: they used to come, and since a send was accepted some time ago none has. The
    /// silence about another send proves nothing then (S4.4).
    pub fn seems_deaf(&self, channel: ChannelId, now: Timestamp) -> bool {
        let traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(traffic) = traffic.get(&channel) else { return false };
        traffic.heard.is_some() && traffic.unanswered.is_some_and(|sent| now.since(sent) > STATUS_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_after_an_accepted_send_means_deaf_and_a_webhook_ends_it() {
        let (hub, channel) = (Hub::default(), ChannelId(1));
        let at = Timestamp::from_seconds;
        assert!(!hub.seems_deaf(channel, at(100)), "nothing is known of a quiet number");
        hub.accepted(channel, at(100));
        assert!(!hub.seems_deaf(channel, at(200)), "webhooks never came: statuses may be switched off");
        hub.heard(channel, at(210));
        assert!(!hub.seems_deaf(channel, at(300)), "nothing was sent since");
        hub.accepted(channel, at(300));
        assert!(!hub.seems_deaf(channel, at(305)));
        assert!(hub.seems_deaf(channel, at(320)));
        hub.heard(channel, at(321));
        assert!(!hub.seems_deaf(channel, at(400)));
    }
}
