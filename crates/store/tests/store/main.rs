//! The store, tested from outside against the rules of the specification.
//!
//! - `conformance/`: what every database must do, one file for each table or matter; ends with the roll call of statements
//! - `model.rs`: random lives of conversations, judged by the invariants
//! - `sqlite/`: what only the embedded file can do wrong: locks, full disks, killed processes, power cuts
//! - `postgres/`: what only a server of many nodes can do wrong
//! - `support.rs`, `fixtures.rs`: a database to test on, and the values that are put in

#[cfg(test)]
#[macro_use]
mod support;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod model;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod sqlite;
