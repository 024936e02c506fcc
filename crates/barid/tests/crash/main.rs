//! The real binary is killed again and again while customers write, and two ledgers that it cannot reach say what became of their
//! messages: what was acknowledged, and what the simulated providers accepted. Nothing lost, nothing twice but for sends that a kill cut
//! off before anyone confirmed them (and those are marked), every conversation in order (RELIABILITY.md 2 and 3).
//!
//! `cargo test -p barid --features failpoints --test crash -- --nocapture`; `CRASH_SEED=n` for other moments.
//!
//! - `arena`: the engine's program, its configuration, the simulated providers, every kill
//! - `customers`: write without pause, each conversation in order, each webhook until it is acknowledged, some of them twice
//! - `audit`: the ledgers against each other and against the database at rest
//! - `kills`: at random moments, and at every step between a webhook and the record of its answer's fate
//! - `nodes`: three nodes on one PostgreSQL, killed and paused at random
//! - `spool`: with webhooks in the spool, while the database is away, and started again without it
//! - `sagas`: at every step of the actions of a message
//! - `ends`: two servers on one file, the polite end under load, a full disk

#![expect(clippy::print_stdout, reason = "helpers of tests speak as tests do")]

mod arena;
mod audit;
mod customers;
mod ends;
mod kills;
mod nodes;
mod sagas;
mod spool;
