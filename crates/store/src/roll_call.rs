//! Which statements ran on which database. The conformance suite ends by asking that every named statement ran on each
//! (ARCHITECTURE law 7); in a release this is nothing.

use crate::sql::Dialect;

#[cfg(debug_assertions)]
mod kept {
    use std::collections::BTreeSet;
    use std::sync::{Mutex, PoisonError};

    static RAN: Mutex<BTreeSet<(&'static str, &'static str)>> = Mutex::new(BTreeSet::new());

    pub fn ran(d: super::Dialect, name: &'static str) {
        RAN.lock().unwrap_or_else(PoisonError::into_inner).insert((d.as_str(), name));
    }

    pub fn missing(d: super::Dialect, all: &[&'static str]) -> Vec<&'static str> {
        let ran = RAN.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().copied().filter(|n| !ran.contains(&(d.as_str(), *n))).collect()
    }
}

/// Notes that a statement ran.
#[cfg(debug_assertions)]
pub(crate) fn ran(dialect: Dialect, name: &'static str) {
    kept::ran(dialect, name);
}

/// Nothing in a release.
#[cfg(not(debug_assertions))]
pub(crate) const fn ran(_: Dialect, _: &'static str) {}

/// Of all named statements, those that have not run on `dialect` in this process.
#[cfg(debug_assertions)]
#[must_use]
pub fn missing(dialect: Dialect) -> Vec<&'static str> {
    let all: Vec<_> = crate::statements().iter().map(|s| s.name).collect();
    kept::missing(dialect, &all)
}
