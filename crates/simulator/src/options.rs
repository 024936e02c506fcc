//! What exists in the simulated world: numbers, instances, where webhooks go, and which statuses follow a send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::{Secret, SharedClock, SystemClock};

/// A number of the Cloud API.
#[derive(Clone, Debug)]
pub struct MetaNumber {
    /// `metadata.phone_number_id`, and the path of its sends.
    pub phone_number_id: String,
    /// The WhatsApp business account: `entry[].id`.
    pub waba_id: String,
    /// The number, digits only.
    pub display_phone: String,
    /// What sends carry after `Bearer `.
    pub access_token: Secret,
    /// Signs webhooks.
    pub app_secret: Secret,
}

/// An instance of Green API.
#[derive(Clone, Debug)]
pub struct GreenInstance {
    /// `idInstance`: digits.
    pub instance: String,
    /// `apiTokenInstance`, the last part of every path.
    pub api_token: Secret,
    /// `webhookUrlToken`: webhooks carry it as `Authorization: Bearer …`. Empty: no header.
    pub webhook_token: Secret,
    /// The account's own chat id, `971…@c.us`.
    pub wid: String,
}

/// Where webhooks go. `http://` only.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTargets {
    /// Meta's callback URL.
    #[serde(default)]
    pub meta_url: Option<String>,
    /// Green API's `webhookUrl`.
    #[serde(default)]
    pub green_url: Option<String>,
}

/// A status of a sent message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusKind {
    /// One tick.
    Sent,
    /// Two ticks.
    Delivered,
    /// Blue ticks.
    Read,
    /// It will not arrive.
    Failed,
}

impl StatusKind {
    /// The word on the wire, the same for both providers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

/// Which statuses follow an accepted send.
#[derive(Clone, Debug)]
pub struct StatusPlan {
    /// Whether any do.
    pub send: bool,
    /// Time from the send to its first status, and from one to the next.
    pub delay: Duration,
    /// Which, in this order.
    pub kinds: Vec<StatusKind>,
    /// How probable it is that a status comes twice (0 to 1). Meta only: Green API's are strictly in order.
    pub duplicate: f64,
    /// Whether Meta's come in any order within the time that all of them take (PROTOCOL.md 1.4: "order is not guaranteed").
    pub shuffle: bool,
    /// At most this many in one POST of Meta.
    pub batch: usize,
    /// At most this many POSTs of Meta at once.
    pub concurrency: usize,
    /// At most this many statuses wait; what comes above is dropped and counted.
    pub capacity: usize,
}

impl Default for StatusPlan {
    fn default() -> Self {
        Self {
            send: true,
            delay: Duration::from_millis(50),
            kinds: vec![StatusKind::Sent, StatusKind::Delivered, StatusKind::Read],
            duplicate: 0.0,
            shuffle: false,
            batch: 50,
            concurrency: 8,
            capacity: 1_000_000,
        }
    }
}

/// How a webhook that was not answered with 200 is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Before the first repetition.
    pub first: Duration,
    /// Each wait is the former times this.
    pub factor: u32,
    /// No wait is longer.
    pub longest: Duration,
    /// After so long it is given up, and counted as lost.
    pub give_up: Duration,
    /// An answer that takes longer counts as none.
    pub timeout: Duration,
}

impl Backoff {
    /// As Meta does: decreasing frequency, seven days (PROTOCOL.md 1.4). The first waits are not documented; these are guesses.
    pub const META: Self = Self {
        first: Duration::from_secs(5),
        factor: 2,
        longest: Duration::from_secs(3600),
        give_up: Duration::from_secs(7 * 86_400),
        timeout: Duration::from_secs(20),
    };
    /// As Green API does: 180 s for an answer, then the same one again after 60 s, for 24 h (PROTOCOL.md 3).
    pub const GREEN: Self = Self {
        first: Duration::from_secs(60),
        factor: 1,
        longest: Duration::from_secs(60),
        give_up: Duration::from_secs(86_400),
        timeout: Duration::from_secs(180),
    };
    /// For tests: 20 ms at first, at most 200 ms, for a minute.
    pub const BRISK: Self = Self {
        first: Duration::from_millis(20),
        factor: 2,
        longest: Duration::from_millis(200),
        give_up: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
    };

    /// The wait after the `attempt`-th failure (from 1).
    #[must_use]
    pub fn wait(&self, attempt: u32) -> Duration {
        let times = self.factor.saturating_pow(attempt.saturating_sub(1).min(31));
        self.first.saturating_mul(times).min(self.longest)
    }
}

/// Meta's speed limits (PROTOCOL.md 2). Off unless given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Sends of one number in a second; above: 130429.
    pub number_per_second: Option<u32>,
    /// One send to the same person in this time; above the burst: 131056.
    pub pair_every: Option<Duration>,
    /// How many sends to one person may come at once, borrowed from the future. Meta: 45.
    pub pair_burst: u32,
}

/// The simulated world.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Numbers of the Cloud API.
    pub meta: Vec<MetaNumber>,
    /// Instances of Green API.
    pub green: Vec<GreenInstance>,
    /// Where webhooks go; can be set later.
    pub webhooks: WebhookTargets,
    /// What follows a send.
    pub statuses: StatusPlan,
    /// How Meta repeats webhooks.
    pub meta_retry: Backoff,
    /// How Green API repeats webhooks.
    pub green_retry: Backoff,
    /// Meta's speed limits.
    pub limits: Limits,
    /// How long Green API's journal does not show a send yet (real: up to 2 min).
    pub journal_lag: Duration,
    /// Faults with a probability, duplicates and shuffles follow from it.
    pub seed: u64,
    /// The ledger keeps the last so many sends.
    pub keep_accepted: usize,
    /// And so many events.
    pub keep_events: usize,
    /// Stamps sends and webhooks.
    pub clock: SharedClock,
}

impl Default for SimulatorOptions {
    /// An empty world on a free port of this machine.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            meta: Vec::new(),
            green: Vec::new(),
            webhooks: WebhookTargets::default(),
            statuses: StatusPlan::default(),
            meta_retry: Backoff::META,
            green_retry: Backoff::GREEN,
            limits: Limits::default(),
            journal_lag: Duration::ZERO,
            seed: 1,
            keep_accepted: 2_000_000,
            keep_events: 10_000,
            clock: Arc::new(SystemClock),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_stay() {
        let waits: Vec<u128> = (1..8).map(|n| Backoff::BRISK.wait(n).as_millis()).collect();
        assert_eq!(waits, [20, 40, 80, 160, 200, 200, 200]);
        assert_eq!(Backoff::META.wait(u32::MAX), Backoff::META.longest);
        assert_eq!(Backoff::GREEN.wait(9).as_secs(), 60);
    }
}
