//! What only a server that many nodes share can do wrong.
//!
//! - `nodes.rs`: two nodes at the same moment: one row, one holder, one order (S1.6, S1.7, S2.2, S8.2)
//! - `tenants.rs`: row-level security, attacked (S7.1)
//! - `operators.rs`: the functions of S6.3, and as whom operators connect
//! - `schema.rs`: versions, two starts at once, a migration that is killed
//! - `pool.rs`: PgBouncer between, which gives each transaction another connection
//! - `away.rs`: the server stops, crashes, or falls silent

mod away;
mod nodes;
mod operators;
mod pool;
mod schema;
mod tenants;

use std::sync::Arc;

use store::{Op, PostgresOptions, Result, Store, StoreError};
use testkit::postgres::Database;
use types::clock::ShiftedClock;

use crate::support::START;

/// Whether this run has a PostgreSQL; the suite says so where it has none.
fn wanted() -> bool {
    crate::support::Backend::available().contains(&crate::support::Backend::Postgres)
}

fn clock() -> Arc<ShiftedClock> {
    Arc::new(ShiftedClock::still(START))
}

/// A node on `database` that lives by the database's own time.
async fn node(database: &Database) -> Store {
    Store::open_postgres(&PostgresOptions::at(database.url()), clock()).await.unwrap()
}

fn unusable(opened: Result<Store>) -> String {
    match opened {
        Err(e @ StoreError::Unusable(_)) => e.to_string(),
        other => panic!("it should be refused: {other:?}"),
    }
}

/// Writes on both at the same moment.
async fn at_once<A: Op, B: Op>(a: (&Store, A), b: (&Store, B)) -> (Result<A::Out>, Result<B::Out>) {
    tokio::join!(a.0.write(a.1), b.0.write(b.1))
}
