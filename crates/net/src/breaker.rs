//! Breakers (S4.10): one for each outside dependency, by name. Closed: calls go through and are counted. Too many failures: open, and nothing
//! goes out for a while. Then half-open: one call tries; its success closes the breaker, its failure opens it for twice as long.
//!
//! They live in memory, so a call costs a look into a map. What changes is handed out ([`Breakers::changes`]) to be put on record, and what
//! other nodes or people put there comes back ([`Breakers::learn`]). docs/decisions/0050-breakers.md says why they are our own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use types::breaker::BreakerRecord;
use types::states::BreakerState;
use types::{SharedClock, Timestamp};

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerOptions {
    /// So many failures in a row open it.
    pub failures: u32,
    /// This share of the last [`WINDOW`] calls open it, too, where at least half as many were made.
    pub rate: f64,
    /// How long it stays open the first time; each failed try doubles it.
    pub open: Duration,
    /// The longest that it grows to.
    pub open_max: Duration,
    /// A try that has not ended by then counts for nothing, and another may try.
    pub probe: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        let (open, open_max) = (Duration::from_secs(15), Duration::from_secs(300));
        Self { failures: 5, rate: 0.5, open, open_max, probe: Duration::from_secs(60) }
    }
}

/// Calls that the failure rate looks back on.
pub const WINDOW: u32 = 20;
/// How long those wait who come while another tries.
const WHILE_TRIED: Duration = Duration::from_secs(5);

/// A call that was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is not called before {until}: its breaker is open ({reason})")]
pub struct Open {
    /// Which breaker.
    pub name: String,
    /// When to come again.
    pub until: Timestamp,
    /// Why it is open.
    pub reason: String,
}

/// All breakers of this process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Breakers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: BreakerOptions,
    clock: SharedClock,
    all: Mutex<HashMap<String, Breaker>>,
    moved: Notify,
}

#[derive(Debug)]
struct Breaker {
    record: BreakerRecord,
    /// Failures in a row.
    failures: u32,
    /// The last calls, the newest in the lowest bit; 1: failed.
    window: u32,
    calls: u32,
    /// Since when one call tries, while half-open.
    tried: Option<Timestamp>,
    /// Verdicts of calls that began before the last move say nothing of what is now.
    age: u64,
    /// It is not on record as it stands here.
    dirty: bool,
}

impl Breaker {
    fn new(name: &str, now: Timestamp) -> Self {
        let (state, held, until, reason) = (BreakerState::Closed, false, None, None);
        let record =
            BreakerRecord { name: name.to_owned(), state, held, since: now, until, reason, trips: 0, version: 0 };
        Self { record, failures: 0, window: 0, calls: 0, tried: None, age: 0, dirty: true }
    }

    fn go(&mut self, state: BreakerState, now: Timestamp) {
        self.record.state = state;
        self.record.since = now;
        self.age += 1;
        self.tried = None;
        (self.failures, self.window, self.calls) = (0, 0, 0);
        self.dirty = true;
        self.show();
    }

    fn show(&self) {
        let value = match self.record.state {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        };
        metrics::gauge!("circuit_breaker_state", "name" => self.record.name.clone()).set(value);
    }

    fn trip(&mut self, why: &str, options: &BreakerOptions, now: Timestamp) {
        let pause = options.open.saturating_mul(2_u32.saturating_pow(self.record.trips.min(30)));
        self.record.trips = self.record.trips.saturating_add(1);
        self.record.until = Some(now.plus(pause.min(options.open_max)));
        self.record.reason = Some(why.to_owned());
        self.go(BreakerState::Open, now);
    }

    fn close(&mut self, now: Timestamp) {
        self.record.trips = 0;
        (self.record.until, self.record.reason) = (None, None);
        self.go(BreakerState::Closed, now);
    }

    fn count(&mut self, failed: bool) {
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        self.window = ((self.window << 1) | u32::from(failed)) & ((1 << WINDOW) - 1);
        self.calls = (self.calls + 1).min(WINDOW);
    }

    fn fails_too_often(&self, options: &BreakerOptions) -> bool {
        let rate = f64::from(self.window.count_ones()) / f64::from(self.calls.max(1));
        self.failures >= options.failures || (self.calls >= WINDOW / 2 && rate >= options.rate)
    }

    fn refusal(&self, until: Timestamp) -> Open {
        let reason = self.record.reason.clone().unwrap_or_else(|| "it is being tried".to_owned());
        Open { name: self.record.name.clone(), until, reason }
    }
}

impl Breakers {
    /// All closed.
    #[must_use]
    pub fn new(options: BreakerOptions, clock: SharedClock) -> Self {
        Self(Arc::new(Shared { options, clock, all: Mutex::default(), moved: Notify::new() }))
    }

    /// Leave to call `name` once. The caller says how it went; who does not say, or dies, has said nothing.
    ///
    /// # Errors
    /// [`Open`]: not now, and when to come again.
    pub fn permit(&self, name: &str) -> Result<Permit, Open> {
        let now = self.0.clock.now();
        let mut all = self.lock();
        let breaker = match all.get_mut(name) {
            Some(breaker) => breaker,
            None => {
                let new = Breaker::new(name, now);
                new.show();
                all.entry(name.to_owned()).or_insert(new)
            }
        };
        let mut probe = false;
        match breaker.record.state {
            BreakerState::Closed => {}
            BreakerState::Open => {
                let until = breaker.record.until.unwrap_or(now);
                if breaker.record.held {
                    return Err(breaker.refusal(now.plus(self.0.options.open_max)));
                }
                if now < until {
                    return Err(breaker.refusal(until));
                }
                breaker.go(BreakerState::HalfOpen, now);
                self.0.moved.notify_one();
                probe = true;
            }
            BreakerState::HalfOpen => {
                if breaker.tried.is_some_and(|since| now.since(since) < self.0.options.probe) {
                    return Err(breaker.refusal(now.plus(WHILE_TRIED.min(self.0.options.open))));
                }
                breaker.age += 1;
                probe = true;
            }
        }
        if probe {
            breaker.tried = Some(now);
        }
        Ok(Permit { of: Arc::clone(&self.0), name: name.to_owned(), age: breaker.age, probe, told: false })
    }

    /// The time by which the breakers live.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether `name` would be refused now; takes no leave.
    #[must_use]
    pub fn is_open(&self, name: &str) -> bool {
        let now = self.0.clock.now();
        self.lock().get(name).is_some_and(|b| {
            b.record.state == BreakerState::Open && (b.record.held || b.record.until.is_some_and(|until| now < until))
        })
    }

    /// Those that are not on record as they stand, each once; the caller puts them there.
    #[must_use]
    pub fn changes(&self) -> Vec<BreakerRecord> {
        let mut changed = Vec::new();
        for breaker in self.lock().values_mut().filter(|b| b.dirty) {
            breaker.dirty = false;
            changed.push(breaker.record.clone());
        }
        changed
    }

    /// What [`Self::changes`] gave could not be put on record: it is given again.
    pub fn not_kept(&self, changed: &[BreakerRecord]) {
        let mut all = self.lock();
        for record in changed {
            if let Some(breaker) = all.get_mut(&record.name) {
                breaker.dirty = true;
            }
        }
    }

    /// What [`Self::changes`] gave is on record under these versions.
    pub fn kept(&self, versions: &[(String, i64)]) {
        let mut all = self.lock();
        for (name, version) in versions {
            if let Some(breaker) = all.get_mut(name) {
                breaker.record.version = breaker.record.version.max(*version);
            }
        }
    }

    /// Takes over what is on record: what other nodes found and what people decided. What this process has not put there yet stands. Gives those that
    /// were open here until now and are closed: what was sent away meanwhile may come.
    pub fn learn(&self, records: Vec<BreakerRecord>) -> Vec<String> {
        let now = self.0.clock.now();
        let mut all = self.lock();
        let mut closed = Vec::new();
        for record in records {
            let known = all.entry(record.name.clone()).or_insert_with(|| Breaker::new(&record.name, now));
            // A person's hold is above what a node has seen meanwhile.
            let overruled = record.held && !known.record.held;
            if record.version <= known.record.version || (known.dirty && known.record.version > 0 && !overruled) {
                continue;
            }
            let moved = record.state != known.record.state || record.until != known.record.until;
            if moved && record.state == BreakerState::Closed && known.record.version > 0 {
                closed.push(record.name.clone());
            }
            known.record = record;
            known.dirty = false;
            if moved {
                let since = known.record.since;
                known.go(known.record.state, since);
                known.dirty = false;
                // Another node tries: this one waits for what it finds.
                known.tried = (known.record.state == BreakerState::HalfOpen).then_some(since);
            }
        }
        closed
    }

    /// Resolves after the next move, or at once if there was one since the last wait.
    pub async fn moved(&self) {
        self.0.moved.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Breaker>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to make one call. Dropped without a verdict it has said nothing.
#[derive(Debug)]
#[must_use = "say how the call went"]
pub struct Permit {
    of: Arc<Shared>,
    name: String,
    age: u64,
    probe: bool,
    told: bool,
}

impl Permit {
    /// The dependency answered.
    pub fn succeeded(mut self) {
        self.tell(None);
    }

    /// It did not; `why` is what people read, so it holds no secret.
    pub fn failed(mut self, why: &str) {
        self.tell(Some(why));
    }

    fn tell(&mut self, failed: Option<&str>) {
        self.told = true;
        let now = self.of.clock.now();
        let mut all = self.of.all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(breaker) = all.get_mut(&self.name).filter(|b| b.age == self.age) else { return };
        match (breaker.record.state, failed) {
            (BreakerState::HalfOpen, None) => breaker.close(now),
            (BreakerState::HalfOpen, Some(why)) => breaker.trip(why, &self.of.options, now),
            (BreakerState::Closed, _) => {
                breaker.count(failed.is_some());
                if let Some(why) = failed.filter(|_| breaker.fails_too_often(&self.of.options)) {
                    breaker.trip(why, &self.of.options, now);
                } else {
                    return;
                }
            }
            (BreakerState::Open, _) => return,
        }
        self.of.moved.notify_one();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.told || !self.probe {
            return;
        }
        let mut all = self.of.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(breaker) = all.get_mut(&self.name).filter(|b| b.age == self.age) {
            breaker.tried = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use types::clock::ShiftedClock;

    const NAME: &str = "llm_test";

    fn new() -> (Breakers, Arc<ShiftedClock>) {
        let clock = Arc::new(ShiftedClock::still(Timestamp::from_seconds(1000)));
        (Breakers::new(BreakerOptions::default(), clock.clone()), clock)
    }

    fn state(b: &Breakers) -> BreakerState {
        b.lock().get(NAME).map_or(BreakerState::Closed, |b| b.record.state)
    }

    fn fail(b: &Breakers, times: u32) {
        for _ in 0..times {
            b.permit(NAME).unwrap().failed("503");
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_begins_anew() {
        let (b, _) = new();
        fail(&b, 4);
        b.permit(NAME).unwrap().succeeded();
        fail(&b, 4);
        assert_eq!(state(&b), BreakerState::Closed);
        fail(&b, 1);
        let open = b.permit(NAME).unwrap_err();
        assert_eq!((open.until, open.reason.as_str()), (Timestamp::from_seconds(1015), "503"));
    }

    #[test]
    fn half_of_the_calls_failing_opens_it_although_never_many_in_a_row() {
        let (b, _) = new();
        for _ in 0..5 {
            b.permit(NAME).unwrap().succeeded();
            fail(&b, 1);
        }
        assert_eq!(state(&b), BreakerState::Open);
    }

    #[test]
    fn after_the_pause_one_call_tries_while_the_others_wait() {
        let (b, clock) = new();
        fail(&b, 5);
        clock.advance(Duration::from_secs(15));
        let probe = b.permit(NAME).unwrap();
        assert!(b.permit(NAME).is_err(), "one probe");
        drop(probe);
        let probe = b.permit(NAME).expect("a probe without a verdict frees its place");
        clock.advance(Duration::from_secs(60));
        let second = b.permit(NAME).expect("a probe that hangs does not block for ever");
        probe.failed("late");
        assert_eq!(state(&b), BreakerState::HalfOpen, "nobody waits for the first any more");
        second.succeeded();
        assert_eq!(state(&b), BreakerState::Closed);
    }

    #[test]
    fn each_failed_try_doubles_the_pause_up_to_the_longest_and_a_success_ends_it() {
        let (b, clock) = new();
        fail(&b, 5);
        for seconds in [30, 60, 120, 240, 300, 300] {
            clock.advance(b.permit(NAME).unwrap_err().until.since(clock_now(&clock)));
            fail(&b, 1);
            let pause = b.permit(NAME).unwrap_err().until.since(clock_now(&clock));
            assert_eq!(pause.as_secs(), seconds);
        }
        clock.advance(Duration::from_secs(300));
        b.permit(NAME).unwrap().succeeded();
        fail(&b, 5);
        assert_eq!(b.permit(NAME).unwrap_err().until.since(clock_now(&clock)).as_secs(), 15);
    }

    fn clock_now(clock: &ShiftedClock) -> Timestamp {
        types::Clock::now(clock)
    }

    #[test]
    fn a_verdict_from_before_the_move_says_nothing() {
        let (b, clock) = new();
        let (slow_good, slow_bad) = (b.permit(NAME).unwrap(), b.permit(NAME).unwrap());
        fail(&b, 5);
        slow_good.succeeded();
        assert_eq!(state(&b), BreakerState::Open);
        clock.advance(Duration::from_secs(15));
        b.permit(NAME).unwrap().succeeded();
        slow_bad.failed("long ago");
        assert_eq!(b.lock()[NAME].failures, 0);
    }

    #[test]
    fn what_another_node_found_holds_here_and_a_persons_hold_until_a_persons_reset() {
        let (a, clock) = new();
        let b = Breakers::new(BreakerOptions::default(), clock.clone());
        b.permit(NAME).unwrap().succeeded();
        fail(&a, 5);
        let mut record = a.changes().remove(0);
        assert_eq!(a.changes(), []);
        record.version = 1;
        b.learn(vec![record.clone()]);
        assert!(b.permit(NAME).is_err() && b.changes().is_empty());
        let (held, reason) = (true, Some("maintenance".to_owned()));
        b.learn(vec![BreakerRecord { held, reason, version: 2, ..record.clone() }]);
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(b.permit(NAME).unwrap_err().reason, "maintenance");
        let (held, state) = (false, BreakerState::Closed);
        let closed = b.learn(vec![BreakerRecord { held, state, until: None, version: 3, ..record.clone() }]);
        assert_eq!(closed, [NAME], "whoever was sent away may come");
        assert!(b.permit(NAME).is_ok());
        b.learn(vec![record]);
        assert!(b.permit(NAME).is_ok(), "an old record is no news");
    }

    #[test]
    fn while_another_node_tries_this_one_waits() {
        let (b, clock) = new();
        fail(&b, 5);
        let record = b.changes().remove(0);
        clock.advance(Duration::from_secs(15));
        let (state, since) = (BreakerState::HalfOpen, clock_now(&clock));
        let record = BreakerRecord { state, since, version: 4, ..record };
        b.learn(vec![record]);
        assert!(b.permit(NAME).is_err());
        clock.advance(Duration::from_secs(60));
        assert!(b.permit(NAME).is_ok(), "it may have died meanwhile");
    }

    proptest! {
        /// Whatever happens: while it is open nothing goes out before its time, while it is half-open at most one call is out, and every
        /// state is left only by a legal move.
        #[test]
        fn never_more_goes_out_than_the_state_allows(steps in proptest::collection::vec((0_u8..5, 0_u64..20), 1..200)) {
            let (b, clock) = new();
            let mut out: Vec<Permit> = Vec::new();
            let mut was = BreakerState::Closed;
            for (what, seconds) in steps {
                match what {
                    0 => clock.advance(Duration::from_secs(seconds)),
                    1 | 2 => {
                        let until = b.lock().get(NAME).and_then(|b| b.record.until);
                        match b.permit(NAME) {
                            Ok(permit) => {
                                prop_assert!(was != BreakerState::Open || until.is_some_and(|u| u <= clock_now(&clock)));
                                out.push(permit);
                            }
                            Err(open) => prop_assert!(open.until > clock_now(&clock)),
                        }
                    }
                    3 => if let Some(permit) = out.pop() { permit.failed("x") },
                    _ => if let Some(permit) = out.pop() { permit.succeeded() },
                }
                let now = state(&b);
                prop_assert!(now == was || was.next().contains(&now) || was == BreakerState::Open && now == BreakerState::HalfOpen,
                    "{was} to {now}");
                if now == BreakerState::HalfOpen {
                    let age = b.lock()[NAME].age;
                    prop_assert!(out.iter().filter(|p| p.probe && p.age == age).count() <= 1);
                }
                was = now;
            }
        }
    }
}
