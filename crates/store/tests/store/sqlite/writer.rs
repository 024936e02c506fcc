//! The one writer: group commit, panics, and another program on the file (RELIABILITY 2, rows 12 and 22).

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use store::sql::Tx;
use store::{Op, Result, StoreError};
use types::Fault;

use crate::fixtures::message;
use crate::support::{Backend, Db, accept_op, runtime, statement};

/// Tells that it runs and holds the writer up until it is let go.
struct Gate {
    begun: SyncSender<()>,
    go: Mutex<Receiver<()>>,
}

impl Op for Gate {
    const NAME: &'static str = "test.gate";
    type Out = ();

    fn run(&self, _: &mut dyn Tx) -> Result<()> {
        self.begun.send(()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        Ok(())
    }
}

fn gate() -> (Gate, Receiver<()>, SyncSender<()>) {
    let (begun, has_begun) = sync_channel(1);
    let (let_go, go) = sync_channel(1);
    (Gate { begun, go: Mutex::new(go) }, has_begun, let_go)
}

/// Does what another operation does, and panics.
struct Panics<O>(O);

impl<O: Op> Op for Panics<O> {
    const NAME: &'static str = "test.panics";
    type Out = O::Out;

    fn run(&self, tx: &mut dyn Tx) -> Result<O::Out> {
        self.0.run(tx)?;
        panic!("as told, after writing")
    }
}

fn write(db: &Db, id: &str) -> store::inbox::Accept {
    let event = message(id, &format!("9715{:0>7}", id.len()), "hello");
    accept_op(&db.meta, vec![event], None, &db.policy)
}

/// Promise 1: nobody hears of a success that is not committed.
#[test]
fn a_group_is_answered_only_after_its_commit() {
    runtime().block_on(async {
        let db = Db::open(Backend::Sqlite).await;
        let (first, first_begun, first_go) = gate();
        let (second, second_begun, second_go) = gate();
        let store = db.store.clone();
        let mut all = tokio::task::JoinSet::new();
        all.spawn(async move { store.write(first).await.unwrap() });
        tokio::task::block_in_place(|| first_begun.recv().unwrap());
        // The writer is held up, so these two wait and make one group: an accept, and behind it another gate.
        let (accept, store) = (write(&db, "w1"), db.store.clone());
        let answer = tokio::task::JoinSet::from_iter([async move { store.write(accept).await.unwrap() }]);
        while db.store.backlog() < 1 {
            tokio::task::yield_now().await;
        }
        let store = db.store.clone();
        all.spawn(async move { store.write(second).await.unwrap() });
        while db.store.backlog() < 2 {
            tokio::task::yield_now().await;
        }
        first_go.send(()).unwrap();
        tokio::task::block_in_place(|| second_begun.recv().unwrap());
        let mut answer = answer;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(answer.try_join_next().is_none(), "answered before the commit");
        assert_eq!(db.count("message").await, 0, "and nobody sees it");
        second_go.send(()).unwrap();
        answer.join_next().await.unwrap().unwrap();
        assert_eq!(db.count("message").await, 1);
        all.join_all().await;
        db.end().await;
    });
}

/// Row 22: the panicking operation fails, alone, and leaves nothing; the writer goes on.
#[test]
fn a_panic_fails_its_own_operation_only() {
    runtime().block_on(async {
        let db = Db::open(Backend::Sqlite).await;
        let (hold, begun, go) = gate();
        let store = db.store.clone();
        let mut held = tokio::task::JoinSet::new();
        held.spawn(async move { store.write(hold).await.unwrap() });
        tokio::task::block_in_place(|| begun.recv().unwrap());
        let mut all = tokio::task::JoinSet::new();
        for n in 0..6 {
            let (store, op) = (db.store.clone(), write(&db, &"w".repeat(n + 1)));
            let refused = move |e: StoreError| (n, matches!(e, StoreError::Panicked("test.panics")), e.fault());
            all.spawn(async move {
                match n % 2 {
                    0 => store.write(op).await.map_or_else(refused, |_| (n, true, Fault::Transient)),
                    _ => store.write(Panics(op)).await.map_or_else(refused, |_| (n, false, Fault::Transient)),
                }
            });
        }
        while db.store.backlog() < 6 {
            tokio::task::yield_now().await;
        }
        go.send(()).unwrap();
        for (n, right, fault) in all.join_all().await {
            assert!(right, "operation {n}");
            assert_eq!(fault == Fault::Bug, n % 2 == 1);
        }
        let stored = db.rows("SELECT provider_id FROM message ORDER BY id").await;
        assert_eq!(stored.len(), 3, "{stored:?}");
        assert_eq!((db.count("contacts").await, db.count("inbox").await), (3, 3));
        let read = db.store.read(Panics(store::export::Count)).await;
        assert!(matches!(read, Err(StoreError::Panicked(_))));
        assert_eq!(db.count("jobs").await, 3, "readers go on too");
        db.end().await;
    });
}

/// A failing operation takes nothing of its neighbours in the group along.
#[test]
fn an_error_undoes_its_own_operation_only() {
    runtime().block_on(async {
        let db = Db::open(Backend::Sqlite).await;
        let mut all = tokio::task::JoinSet::new();
        for n in 0..40_usize {
            let (store, op) = (db.store.clone(), write(&db, &"w".repeat(n + 1)));
            all.spawn(async move {
                let op = crate::support::Broken { op, after: if n % 2 == 0 { 1000 } else { 4 + n % 7 } };
                (n, store.write(op).await.is_ok())
            });
        }
        assert!(all.join_all().await.into_iter().all(|(n, stored)| stored == (n % 2 == 0)));
        let counts = (db.count("message").await, db.count("contacts").await, db.count("inbox").await);
        assert_eq!((counts, db.count("jobs").await), ((20, 20, 20), 20));
        db.end().await;
    });
}

/// Row 12: another program holds the file for a second; nobody hears of it.
#[test]
fn another_writer_on_the_file_never_surfaces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    runtime().block_on(async {
        let clock = Arc::new(types::clock::ShiftedClock::still(crate::support::START));
        let store = crate::support::open_file(&path, &clock).await.unwrap();
        let (meta, _) = crate::support::doors(&store).await;
        let policy = Arc::new(store::Policy::default());
        let other = rusqlite::Connection::open(&path).unwrap();
        for n in 0..2 {
            other.execute_batch("BEGIN IMMEDIATE; UPDATE tenants SET business = 'held'").unwrap();
            let mut all = tokio::task::JoinSet::new();
            for m in 0..5 {
                let (store, id) = (store.clone(), format!("w{n}-{m}"));
                let op = accept_op(&meta, vec![message(&id, "971500000001", "hello")], None, &policy);
                all.spawn(async move { store.write(op).await.unwrap() });
            }
            let read = store.read(store::export::Count).await.unwrap();
            assert_eq!(read, i64::from(n > 0), "readers do not wait for writers");
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(all.try_join_next().is_none(), "it was held up indeed");
            other.execute_batch("COMMIT").unwrap();
            assert_eq!(all.join_all().await.len(), 5);
        }
        store.close().await;
    });
    crate::support::assert_whole(&path);
}

/// A reader cannot write, so that a mistaken call is a failure and no hidden second writer.
#[test]
fn reading_never_writes() {
    runtime().block_on(async {
        let db = Db::open(Backend::Sqlite).await;
        let refused = db.store.read(statement("UPDATE tenants SET business = 'x'")).await;
        assert!(refused.is_err());
        assert_eq!(db.count("tenants WHERE business = 'x'").await, 0);
        db.end().await;
    });
}
