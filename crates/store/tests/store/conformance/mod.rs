//! What every database must do. Each case runs on a fresh database of every kind, which is checked for wholeness when the case ends.

mod accounts;
mod agents;
mod alerts;
mod attack;
mod breakers;
mod carry;
mod channels;
mod compose;
mod contacts;
mod conversations;
mod dead_letters;
mod desk;
mod desk_more;
mod endpoints;
mod erase;
mod gather;
mod inbox;
mod jobs;
mod leases;
mod merge;
mod operators;
mod order;
mod outbox;
mod outcomes;
mod plans;
mod receipts;
mod reconcile;
mod sagas;
mod spool;
mod sweep;
mod views;

use crate::support::{Backend, Case, everywhere};

const ALL: &[(&str, &[(&str, Case)])] = &[
    ("accounts", accounts::CASES),
    ("attack", attack::CASES),
    ("alerts", alerts::CASES),
    ("breakers", breakers::CASES),
    ("agents", agents::CASES),
    ("carry", carry::CASES),
    ("channels", channels::CASES),
    ("compose", compose::CASES),
    ("contacts", contacts::CASES),
    ("conversations", conversations::CASES),
    ("dead_letters", dead_letters::CASES),
    ("desk", desk::CASES),
    ("desk_more", desk_more::CASES),
    ("endpoints", endpoints::CASES),
    ("erase", erase::CASES),
    ("gather", gather::CASES),
    ("inbox", inbox::CASES),
    ("jobs", jobs::CASES),
    ("leases", leases::CASES),
    ("merge", merge::CASES),
    ("operators", operators::CASES),
    ("order", order::CASES),
    ("outbox", outbox::CASES),
    ("outcomes", outcomes::CASES),
    ("plans", plans::CASES),
    ("receipts", receipts::CASES),
    ("reconcile", reconcile::CASES),
    ("spool", spool::CASES),
    ("sagas", sagas::CASES),
    ("sweep", sweep::CASES),
    ("views", views::CASES),
];

/// ARCHITECTURE law 7: every named statement runs on every database. The cases run again here, since a runner may give each test a
/// process of its own.
#[test]
fn roll_call() {
    for (table, cases) in ALL {
        for (name, case) in *cases {
            everywhere(&format!("{table}: {name}"), *case);
        }
    }
    for backend in Backend::available() {
        let missing = store::roll_call::missing(backend.dialect());
        assert!(missing.is_empty(), "these statements never ran on {backend:?}: {missing:?}");
    }
}

/// Metrics, logs and the roll call know a statement by its name.
#[test]
fn every_statement_has_a_name_of_its_own() {
    let mut names: Vec<_> = store::statements().iter().map(|s| s.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
