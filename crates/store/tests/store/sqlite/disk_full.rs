//! A full disk (RELIABILITY 2, row 9): 503 for everyone, nothing half stored, and it goes on by itself once there is room.

use std::path::Path;
use std::sync::Arc;

use store::inbox::Accept;
use store::{Policy, SqliteOptions, Store, StoreError};
use types::clock::ShiftedClock;
use types::{Fault, SharedClock};

use super::{Mounted, skip};
use crate::fixtures::message;
use crate::support::{START, accept_op, assert_whole, doors, open_file, runtime};

fn op(door: &store::Door, n: usize) -> Accept {
    let body = "x".repeat(3000);
    let event = message(&format!("w{n}"), &format!("9715{n:07}"), &body);
    accept_op(door, vec![event], None, &Arc::new(Policy::default()))
}

/// Accepts until the disk is full; how many were stored.
async fn fill(store: &Store, door: &store::Door) -> usize {
    for n in 0..5000 {
        match store.write(op(door, n)).await {
            Ok(accepted) => assert_eq!(accepted.messages.len(), 1),
            Err(e) => {
                assert!(matches!(e, StoreError::Unavailable { .. }) && e.fault() == Fault::Transient, "{e}");
                assert!(e.to_string().contains("full"), "{e}");
                return n;
            }
        }
    }
    panic!("it never became full");
}

/// Many at once while it is full: each is refused, the small with the large.
async fn all_refused(store: &Store, door: &store::Door, from: usize) {
    let mut all = tokio::task::JoinSet::new();
    for n in from..from + 30 {
        let (store, op) = (store.clone(), op(door, n));
        all.spawn(async move { store.write(op).await });
    }
    for answer in all.join_all().await {
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
}

async fn counts(store: &Store) -> [i64; 5] {
    let mut out = [0; 5];
    for (n, table) in ["message", "inbox", "jobs", "contacts", "conversation"].into_iter().enumerate() {
        let rows = store.read(crate::support::rows(&format!("SELECT COUNT(*) FROM {table}"))).await.unwrap();
        out[n] = rows[0][0].parse().unwrap();
    }
    out
}

async fn full_then_room(store: Store, make_room: impl FnOnce()) {
    let (meta, _) = doors(&store).await;
    let stored = fill(&store, &meta).await;
    let before = counts(&store).await;
    assert_eq!(before, [i64::try_from(stored).unwrap(); 5], "what was acknowledged, whole, and nothing else");
    all_refused(&store, &meta, stored).await;
    assert_eq!(counts(&store).await, before, "nothing of what was refused, and reading goes on");
    make_room();
    for n in stored..stored + 30 {
        let accepted = store.write(op(&meta, n)).await.unwrap();
        assert_eq!((accepted.messages.len(), accepted.duplicates), (1, 0), "a refused message is no duplicate");
    }
    store.close().await;
}

/// A file with a bound on its pages, of which another program frees some.
#[test]
fn a_full_file_refuses_and_recovers_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    let clock = Arc::new(ShiftedClock::still(START));
    runtime().block_on(async {
        open_file(&path, &clock).await.unwrap().close().await;
        let pages = ballast(&path);
        let options = SqliteOptions { max_pages: pages + 40, ..SqliteOptions::at(&path) };
        let store = Store::open_sqlite(&options, Arc::clone(&clock) as SharedClock).await.unwrap();
        let room = path.clone();
        full_then_room(store, move || {
            rusqlite::Connection::open(room).unwrap().execute_batch("DROP TABLE ballast").unwrap();
        })
        .await;
    });
    assert_whole(&path);
}

/// Fills pages that can be freed later; how many pages the file has then.
fn ballast(path: &Path) -> u32 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("CREATE TABLE ballast (x BLOB)").unwrap();
    for _ in 0..100 {
        connection.execute("INSERT INTO ballast VALUES (zeroblob(8000))", []).unwrap();
    }
    connection.query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap()
}

/// A disk that is full indeed: the log cannot grow.
#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("small");
    let Some(_mounted) = Mounted::new(&["-t", "tmpfs", "-o", "size=12m"], "tmpfs", &at) else {
        return skip("no small disk can be mounted here (root); only the bound on pages was tested");
    };
    let (path, ballast) = (at.join("barid.db"), at.join("ballast"));
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let clock = Arc::new(ShiftedClock::still(START));
    runtime().block_on(async {
        let store = open_file(&path, &clock).await.unwrap();
        full_then_room(store, move || std::fs::remove_file(ballast).unwrap()).await;
    });
    assert_whole(&path);
}
