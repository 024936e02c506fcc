//! Token buckets: one for a channel, one for each of its recipients (S4.5). Waiting is not failing: a full bucket says how long to wait.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Limits of one channel.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages a second over the whole channel; 0: unlimited.
    pub per_second: u32,
    /// Pause between messages to one recipient, and how many may be borrowed ahead of it.
    pub per_recipient: Option<(Duration, u32)>,
}

/// The buckets of one channel; `K` names a recipient.
#[derive(Debug)]
pub struct Throttle<K: Hash + Eq + Clone> {
    channel: Option<DefaultDirectRateLimiter>,
    recipients: Option<RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>>,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// Full buckets.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let channel = NonZeroU32::new(limits.per_second).map(|n| RateLimiter::direct(Quota::per_second(n)));
        let recipients = limits.per_recipient.and_then(|(every, burst)| {
            Some(RateLimiter::keyed(Quota::with_period(every)?.allow_burst(NonZeroU32::new(burst)?)))
        });
        Self { channel, recipients, clock: DefaultClock::default() }
    }

    /// Takes one token for `recipient`.
    ///
    /// # Errors
    /// How long to wait when a bucket is empty; nothing is taken from the recipient's then.
    pub fn take(&self, recipient: &K) -> Result<(), Duration> {
        let now = self.clock.now();
        if let Some(channel) = &self.channel
            && let Err(full) = channel.check()
        {
            return Err(full.wait_time_from(now));
        }
        if let Some(recipients) = &self.recipients
            && let Err(full) = recipients.check_key(recipient)
        {
            return Err(full.wait_time_from(now));
        }
        Ok(())
    }

    /// Forgets recipients whose buckets are full again; to be called now and then.
    pub fn forget_idle(&self) {
        if let Some(recipients) = &self.recipients {
            recipients.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_may_borrow_a_burst_and_then_waits_while_others_go_on() {
        let limits = Limits { per_second: 0, per_recipient: Some((Duration::from_secs(6), 3)) };
        let t = Throttle::new(limits);
        for _ in 0..3 {
            assert_eq!(t.take(&"a"), Ok(()));
        }
        let wait = t.take(&"a").unwrap_err();
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(6), "{wait:?}");
        assert_eq!(t.take(&"b"), Ok(()));
    }

    #[test]
    fn a_channel_without_limits_never_waits() {
        let t = Throttle::new(Limits { per_second: 0, per_recipient: None });
        assert!((0..10_000).all(|n| t.take(&n).is_ok()));
    }
}
