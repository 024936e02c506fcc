//! RELIABILITY row 29: versions of the schema.

use std::io::Write as _;
use std::process::{Command, Stdio};

use store::{PostgresOptions, Store};
use testkit::postgres::{Database, binaries};

use super::{clock, node, unusable, wanted};
use crate::support::runtime;

async fn beside(database: &Database) -> store::Result<Store> {
    Store::open_postgres(&PostgresOptions::beside(database.url()), clock()).await
}

/// An old binary must not guess at a new schema, nor a command change an old one.
#[test]
fn other_versions_of_the_schema_are_refused() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        assert!(unusable(beside(&database).await).contains("barid migrate"), "a command makes no schema");
        node(&database).await.close().await;
        beside(&database).await.unwrap().close().await;
        let newer = store::migrations::wanted() + 1;
        database.sql(&format!("INSERT INTO schema_version VALUES ({newer}, 0)")).unwrap();
        let server = Store::open_postgres(&PostgresOptions::at(database.url()), clock()).await;
        for e in [unusable(server), unusable(beside(&database).await)] {
            assert!(e.contains(&format!("version {newer}")) && e.contains("newer barid"), "{e}");
        }
    });
}

/// Two nodes that start on an empty database at the same moment: one brings the schema, the other waits for it.
#[test]
fn nodes_that_start_at_once_make_one_schema() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let (a, b, c) = tokio::join!(node(&database), node(&database), node(&database));
        let numbers = database.sql("SELECT string_agg(number::text, ',' ORDER BY number) FROM nodes").unwrap();
        assert_eq!(numbers, "0,1,2", "each has a number of its own");
        for store in [a, b, c] {
            store.close().await;
        }
        let again = node(&database).await;
        assert_eq!(
            database.sql("SELECT COUNT(*) FROM nodes WHERE seen_at > 0").unwrap(),
            "1",
            "who leaves gives his number back"
        );
        again.close().await;
    });
}

/// A migration that is killed in the middle leaves nothing; the next start begins anew.
#[test]
fn a_killed_migration_is_made_anew() {
    if !wanted() {
        return;
    }
    let text = include_str!("../../../src/migrations/0001.sql");
    let text = store::sql::Dialect::Postgres.render(text);
    let ends: Vec<usize> = text.match_indices(";\n").map(|(i, _)| i + 2).collect();
    assert!(ends.len() > 30);
    runtime().block_on(async {
        for part in [0, ends.len() / 3, ends.len() * 2 / 3, ends.len() - 1] {
            let database = Database::fresh().unwrap();
            let mut migrating = Command::new(binaries().unwrap().join("psql"))
                .args(["-X", "-q", "-d", &database.url()])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let mut input = migrating.stdin.take().unwrap();
            write!(input, "BEGIN;\nCREATE TABLE schema_version (version BIGINT NOT NULL, applied_at BIGINT NOT NULL);\n{}\nSELECT pg_sleep(0.2);\n", &text[..ends[part]]).unwrap();
            input.flush().unwrap();
            while database.sql("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(0.2)%' AND pid <> pg_backend_pid()").unwrap() == "0" {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            migrating.kill().unwrap();
            migrating.wait().unwrap();
            drop(input);
            let store = node(&database).await;
            assert_eq!(database.sql("SELECT MAX(version) FROM schema_version").unwrap(), store::migrations::wanted().to_string());
            store.close().await;
        }
    });
}
