//! Time and chance are parameters: this is the one file that may ask the system for either (ARCHITECTURE law 5).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970, UTC. Tables hold this integer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The beginning of 1970; stands for "no lease" where a column may not be null.
    pub const ZERO: Self = Self(0);

    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds since 1970; saturates.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `d` more; saturates.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This moment and `d` less; saturates.
    #[must_use]
    pub fn minus(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, microseconds: `2026-11-21T09:30:00.000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A clock that many parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for the time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that another clock drives, moved forward by hand: tests use it over a fixed start, the simulator's
/// "25 hours later" over the machine's.
#[derive(Debug)]
pub struct ShiftedClock {
    base: Option<SharedClock>,
    micros: AtomicI64,
}

impl ShiftedClock {
    /// Stands still at `start` until moved.
    #[must_use]
    pub fn still(start: Timestamp) -> Self {
        Self { base: None, micros: AtomicI64::new(start.0) }
    }

    /// Runs with `base`, ahead of it by what [`Self::advance`] added.
    #[must_use]
    pub fn over(base: SharedClock) -> Self {
        Self { base: Some(base), micros: AtomicI64::new(0) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, d: Duration) {
        self.micros.fetch_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let micros = self.micros.load(Ordering::Relaxed);
        Timestamp(self.base.as_ref().map_or(0, |b| b.now().0).saturating_add(micros))
    }
}

/// A monotonic point for measuring how long something took; not comparable between processes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Chance that need not be secret: jitter and the choice among greetings. Secrets come from [`random_token`].
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// The same seed gives the same throws.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A seed from the system.
    #[must_use]
    pub fn from_system() -> Self {
        let mut bytes = [0_u8; 8];
        fill_random(&mut bytes);
        Self::seeded(u64::from_le_bytes(bytes))
    }

    /// 64 evenly spread bits (splitmix64).
    pub fn throw(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `d`, up to a quarter longer, so that what failed together does not return together.
    pub fn jitter(&self, d: Duration) -> Duration {
        let quarter = d / 4;
        let micros = u64::try_from(quarter.as_micros()).unwrap_or(u64::MAX).max(1);
        d + Duration::from_micros(self.throw() % micros)
    }
}

fn fill_random(bytes: &mut [u8]) {
    use ring::rand::SecureRandom;
    // The kernel's source cannot fail after boot; if it did, zeros would show in the duplicate-id checks at once.
    let _ = ring::rand::SystemRandom::new().fill(bytes);
}

/// 128 random bits in hex, from the system's secure source: request ids, one-time tokens.
#[must_use]
pub fn random_token() -> String {
    let mut bytes = [0_u8; 16];
    fill_random(&mut bytes);
    crate::text::hex(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_clock_moves_only_by_hand() {
        let clock = ShiftedClock::still(Timestamp::from_seconds(10));
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::from_seconds(15));
    }

    #[test]
    fn jitter_adds_at_most_a_quarter_and_never_takes_away() {
        let dice = Dice::seeded(7);
        for _ in 0..1000 {
            let d = dice.jitter(Duration::from_secs(4));
            assert!(d >= Duration::from_secs(4) && d < Duration::from_secs(5), "{d:?}");
        }
    }

    #[test]
    fn moments_read_as_rfc_3339() {
        assert_eq!(Timestamp::from_seconds(0).to_string(), "1970-01-01T00:00:00.000000Z");
    }
}
