//! The times and choices by which rows move: the part of the configuration that operations need.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use types::{Fault, TenantId, Timestamp};

/// What happens to a send whose fate stays unknown (S4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnknown {
    /// Send once more, marked as a possible duplicate.
    Resend,
    /// Keep it for a person.
    Hold,
}

/// Times and choices. Cross-checked at start by the configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How long a lease lasts without renewal (S2.2).
    pub lease: Duration,
    /// Pauses between attempts of a job (S2.3); one more attempt than pauses.
    pub job_retry: Vec<Duration>,
    /// Pauses before a dead letter is retried by itself (S2.5).
    pub redrive: Vec<Duration>,
    /// Pauses between attempts to send (S4.3).
    pub send_retry: Vec<Duration>,
    /// How long to wait for a trace of an ambiguous send: Meta.
    pub reconcile_meta: Duration,
    /// The same for Green API, whose journal lags by up to two minutes.
    pub reconcile_green: Duration,
    /// What to do when no trace came.
    pub on_unknown: OnUnknown,
    /// How long a person's own reply pauses the assistant (S3.10).
    pub pauses: Pauses,
    /// Tenants whose short messages are gathered for so long and answered once (S3.10); the others' are answered at once.
    pub gather: OfTenants,
}

/// A time that tenants set, each for itself. Clones share it, so that what is set anew while the process runs holds everywhere.
#[derive(Clone, Debug, Default)]
pub struct OfTenants(Arc<RwLock<HashMap<TenantId, Duration>>>);

impl OfTenants {
    /// Of these tenants.
    #[must_use]
    pub fn new(of: impl IntoIterator<Item = (TenantId, Duration)>) -> Self {
        Self(Arc::new(RwLock::new(of.into_iter().collect())))
    }

    /// That of one tenant, if it set any.
    #[must_use]
    pub fn of(&self, tenant: TenantId) -> Option<Duration> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&tenant).copied()
    }

    /// From now on these, and no others.
    pub fn set(&self, of: impl IntoIterator<Item = (TenantId, Duration)>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = of.into_iter().collect();
    }
}

/// How long a person's own reply pauses the assistant (S3.10): each tenant says it for its own.
#[derive(Clone, Debug, Default)]
pub struct Pauses(OfTenants);

impl Pauses {
    /// Of a tenant that says nothing.
    pub const USUAL: Duration = Duration::from_hours(2);

    /// Of these tenants.
    #[must_use]
    pub fn new(of: impl IntoIterator<Item = (TenantId, Duration)>) -> Self {
        Self(OfTenants::new(of))
    }

    /// From now on these.
    pub fn set(&self, of: impl IntoIterator<Item = (TenantId, Duration)>) {
        self.0.set(of);
    }

    /// The pause of one tenant.
    #[must_use]
    pub fn of(&self, tenant: TenantId) -> Duration {
        self.0.of(tenant).unwrap_or(Self::USUAL)
    }
}

impl Default for Policy {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            lease: s(120),
            job_retry: vec![s(1), s(5), s(15)],
            redrive: vec![s(60), s(300), s(900), s(3600)],
            send_retry: vec![s(60), s(300), s(900), s(3600)],
            reconcile_meta: s(60),
            reconcile_green: s(180),
            on_unknown: OnUnknown::Resend,
            pauses: Pauses::default(),
            gather: OfTenants::default(),
        }
    }
}

impl Policy {
    /// How long to gather what this tenant's customers write, if at all.
    #[must_use]
    pub fn gather(&self, tenant: TenantId) -> Option<Duration> {
        // Nobody gathers unless told so: one look at an empty map.
        self.gather.of(tenant)
    }

    /// Attempts of a job before its dead letter.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        u32::try_from(self.job_retry.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// When a job that failed its `attempts`-th attempt at `now` runs again; `None`: dead letter.
    #[must_use]
    pub fn job_retry_at(&self, fault: Fault, attempts: u32, now: Timestamp) -> Option<Timestamp> {
        if matches!(fault, Fault::Permanent | Fault::Configuration) {
            return None;
        }
        pause(&self.job_retry, attempts).map(|d| now.plus(d))
    }

    /// When a send that failed its `attempts`-th attempt is tried again; `None`: it has failed. A provider's `Retry-After` counts.
    #[must_use]
    pub fn send_retry_at(&self, attempts: u32, after: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
        let planned = pause(&self.send_retry, attempts)?;
        Some(now.plus(after.unwrap_or(planned)))
    }

    /// When a dead letter that has been retried `redrives` times is retried by itself; `None`: only by hand.
    #[must_use]
    pub fn redrive_at(&self, redrives: u32, now: Timestamp) -> Option<Timestamp> {
        pause(&self.redrive, redrives.saturating_add(1)).map(|d| now.plus(d))
    }

    /// The wait for a trace of an ambiguous send on a channel of `kind`.
    #[must_use]
    pub fn reconcile(&self, kind: &str) -> Duration {
        if kind == "greenapi" { self.reconcile_green } else { self.reconcile_meta }
    }
}

fn pause(list: &[Duration], nth: u32) -> Option<Duration> {
    list.get(usize::try_from(nth).ok()?.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_pauses_make_four_attempts_and_then_the_dead_letter() {
        let (p, now) = (Policy::default(), Timestamp::from_seconds(100));
        let at = |n| p.job_retry_at(Fault::Transient, n, now).map(Timestamp::seconds);
        assert_eq!([at(1), at(2), at(3), at(4)], [Some(101), Some(105), Some(115), None]);
        assert_eq!(p.job_retry_at(Fault::Permanent, 1, now), None);
        assert_eq!(p.max_attempts(), 4);
    }

    #[test]
    fn a_provider_that_names_a_time_is_obeyed() {
        let (p, now) = (Policy::default(), Timestamp::from_seconds(100));
        assert_eq!(p.send_retry_at(1, Some(Duration::from_secs(7)), now), Some(Timestamp::from_seconds(107)));
        assert_eq!(p.send_retry_at(1, None, now), Some(Timestamp::from_seconds(160)));
        assert_eq!(p.send_retry_at(5, Some(Duration::from_secs(7)), now), None);
    }
}
