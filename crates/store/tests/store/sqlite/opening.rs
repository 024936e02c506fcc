//! Opening: one server on a file, commands beside it, versions, restarts (S8.1).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::views::Conversations;
use store::{Result, SqliteOptions, Store, StoreError};
use types::clock::ShiftedClock;
use types::{Fault, SharedClock, Timestamp};

use crate::fixtures::message;
use crate::support::{START, accept_op, doors, open_file, runtime};

fn still() -> Arc<ShiftedClock> {
    Arc::new(ShiftedClock::still(START))
}

async fn beside(path: &Path) -> Result<Store> {
    let clock: SharedClock = still();
    Store::open_sqlite(&SqliteOptions::beside(path), clock).await
}

async fn accept(store: &Store, id: &str) -> types::MessageId {
    let (meta, _) = doors(store).await;
    let policy = Arc::new(store::Policy::default());
    let op = accept_op(&meta, vec![message(id, "971500000001", "hello")], None, &policy);
    store.write(op).await.unwrap().messages[0].message
}

fn raw(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

fn unusable(result: Result<Store>) -> String {
    let error = result.map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Unusable(_)) && error.fault() == Fault::Configuration, "{error}");
    error.to_string()
}

#[test]
fn a_second_server_is_refused_and_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    runtime().block_on(async {
        let first = open_file(&path, &still()).await.unwrap();
        let e = unusable(open_file(&path, &still()).await);
        assert!(e.contains("another barid is using it") && e.contains("Stop that one first"), "{e}");
        accept(&first, "w1").await;
        first.close().await;
        open_file(&path, &still()).await.unwrap().close().await;
    });
}

#[test]
fn a_command_works_beside_the_server_and_touches_no_lease() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    runtime().block_on(async {
        let server = open_file(&path, &still()).await.unwrap();
        let first = accept(&server, "w1").await;
        let policy = Arc::new(store::Policy::default());
        let claim = store::leases::Claim { owner: "node-a".into(), limit: 1, only: None, policy: Arc::clone(&policy) };
        let held = server.write(claim.clone()).await.unwrap().remove(0);
        let command = beside(&path).await.unwrap();
        assert_eq!(command.read(Conversations { before: None, limit: 5 }).await.unwrap().len(), 1);
        let second = accept(&command, "w2").await;
        let third = accept(&server, "w3").await;
        assert!(first < second && second != third, "{first} {second} {third}");
        command.close().await;
        assert!(server.write(claim).await.unwrap().is_empty(), "the lease is still held");
        let lost = server.write(store::leases::Renew { leases: vec![held.lease], policy }).await.unwrap();
        assert!(lost.is_empty());
        server.close().await;
    });
}

#[test]
fn a_command_makes_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    runtime().block_on(async {
        unusable(beside(&path).await);
        assert!(!path.exists());
        unusable(open_file(&dir.path().join("nowhere/barid.db"), &still()).await);
    });
}

/// Row 29: an old binary must not guess at a new schema, nor a command change an old one.
#[test]
fn other_versions_of_the_schema_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    runtime().block_on(async {
        open_file(&path, &still()).await.unwrap().close().await;
        let newer = store::migrations::wanted() + 1;
        raw(&path, &format!("INSERT INTO schema_version VALUES ({newer}, 0)"));
        for e in [unusable(open_file(&path, &still()).await), unusable(beside(&path).await)] {
            assert!(e.contains(&format!("version {newer}")) && e.contains("newer barid"), "{e}");
        }
        raw(&path, &format!("DELETE FROM schema_version WHERE version = {newer}"));
        beside(&path).await.unwrap().close().await;
        raw(&path, "DELETE FROM schema_version");
        let e = unusable(beside(&path).await);
        assert!(e.contains("barid migrate"), "{e}");
        std::fs::write(dir.path().join("empty.db"), "").unwrap();
        unusable(beside(&dir.path().join("empty.db")).await);
        std::fs::write(dir.path().join("text.db"), "this is no database, only a text that is long enough").unwrap();
        unusable(open_file(&dir.path().join("text.db"), &still()).await);
    });
}

/// S2.2: the process lock proves that no holder lives, so nobody waits for leases of the dead.
#[test]
fn a_restarted_server_frees_the_leases_of_its_predecessor() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    runtime().block_on(async {
        let first = open_file(&path, &still()).await.unwrap();
        accept(&first, "w1").await;
        let policy = Arc::new(store::Policy::default());
        let claim = store::leases::Claim { owner: "node-a".into(), limit: 1, only: None, policy };
        assert_eq!(first.write(claim.clone()).await.unwrap().len(), 1);
        first.close().await;
        let second = open_file(&path, &still()).await.unwrap();
        assert_eq!(second.write(claim).await.unwrap().len(), 1);
        second.close().await;
    });
}

/// RELIABILITY row 21: order hangs on ids, so they grow although the clock went back, over restarts, and after a command's own.
#[test]
fn ids_grow_although_the_clock_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    runtime().block_on(async {
        let mut last = types::MessageId(0);
        for (n, hours_back) in [0_u64, 1, 48, 24 * 365].into_iter().enumerate() {
            let back = Timestamp::from_micros(START.micros()).minus(Duration::from_secs(3600 * hours_back));
            let store = open_file(&path, &Arc::new(ShiftedClock::still(back))).await.unwrap();
            let id = accept(&store, &format!("server{n}")).await;
            assert!(id > last, "{id} after {last}, {hours_back} h back");
            let command = beside(&path).await.unwrap();
            last = accept(&command, &format!("command{n}")).await;
            command.close().await;
            store.close().await;
        }
    });
}

#[test]
fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = open_file(&dir.path().join("barid.db"), &still()).await.unwrap();
        let other = store.clone();
        store.close().await;
        let written = other.write(store::leases::Free { owner: None }).await;
        let read = other.read(store::export::Count).await;
        assert!(matches!(written, Err(StoreError::Closed)) && matches!(read, Err(StoreError::Closed)));
    });
}
