//! Webhooks that wait while the database is away (S1.9).

use std::sync::Arc;
use std::time::Duration;

use store::inbox::Accept;
use store::spool::{Numbers, Spool, provisional};
use store::{Door, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::TenantId;
use types::states::Receipt;

use crate::fixtures::{PHONE, accepted, message, status};
use crate::support::{Db, accept_op};

for_each_database! {
    what_waits_is_stored_in_order_and_once,
    what_comes_meanwhile_waits_behind,
    a_full_spool_takes_nothing_more,
    what_cannot_be_stored_is_laid_aside,
    a_restart_takes_up_what_was_left,
    what_came_before_the_database_was_seen_finds_its_number,
}

fn body(db: &Db, id: &str, from: &str) -> Accept {
    accept_op(&db.meta, vec![message(id, from, id)], None, &db.policy)
}

/// The configured number, as a node calls it that has not seen the database.
fn numbers(db: &Db) -> Arc<Numbers> {
    Arc::new(Numbers::from([(provisional("meta", "105500000000001"), db.meta.clone())]))
}

/// Lets the spool run until nothing waits.
async fn pour(db: &Db, spool: &Arc<Spool>) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(Arc::clone(spool).drain(db.store.clone(), Arc::clone(&db.policy), numbers(db), stop.clone()));
    for _ in 0..1000 {
        if !spool.is_active() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    assert!(!spool.is_active(), "{:?}", spool.figures());
}

async fn what_waits_is_stored_in_order_and_once(db: &Db) {
    let (lease, deliver) = db.sending("w0", PHONE, "hi").await;
    db.record(&lease, &deliver, accepted("o0")).await;
    let spool = Spool::within(&db.store, 1 << 20);
    for n in 1..150 {
        spool.keep(&body(db, &format!("w{n}"), PHONE)).await.unwrap();
    }
    // Stored before, repeated, and a status.
    spool.keep(&body(db, "w0", PHONE)).await.unwrap();
    spool.keep(&body(db, "w5", PHONE)).await.unwrap();
    spool.keep(&accept_op(&db.meta, vec![status("o0", Receipt::Read)], None, &db.policy)).await.unwrap();
    assert_eq!((spool.figures().waiting, db.count("spool").await), (152, 152));
    pour(db, &spool).await;
    let wanted: Vec<String> = (0..150).map(|n| if n == 0 { "hello".to_owned() } else { format!("w{n}") }).collect();
    assert_eq!(db.rows("SELECT body FROM message WHERE direction = 'in' ORDER BY id").await.concat(), wanted);
    assert_eq!(db.status_of(deliver.message).await, "read");
    assert_eq!((db.count("spool").await, spool.figures().bytes), (0, 0));
    assert_eq!(db.claim().await.snapshot.conversation, lease.conversation, "and it is due");
}

/// A conversation's messages do not overtake each other.
async fn what_comes_meanwhile_waits_behind(db: &Db) {
    let spool = Spool::within(&db.store, 1 << 20);
    assert!(!spool.keep_behind(&body(db, "w0", PHONE)).await.unwrap(), "nothing waits: the database takes it");
    spool.keep(&body(db, "w1", PHONE)).await.unwrap();
    assert!(spool.keep_behind(&body(db, "w2", PHONE)).await.unwrap());
    pour(db, &spool).await;
    assert!(!spool.keep_behind(&body(db, "w3", PHONE)).await.unwrap());
    assert_eq!(db.rows("SELECT body FROM message ORDER BY id").await.concat(), ["w1", "w2"]);
}

async fn a_full_spool_takes_nothing_more(db: &Db) {
    let spool = Spool::within(&db.store, 1000);
    spool.keep(&body(db, "w1", PHONE)).await.unwrap();
    assert!(spool.figures().has_room());
    let mut refused = 0;
    for n in 2..10 {
        match spool.keep(&body(db, &format!("w{n}"), PHONE)).await {
            Ok(()) => assert_eq!(refused, 0),
            Err(StoreError::Unavailable { why }) => {
                assert!(why.contains("full"), "{why}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 5 && spool.figures().bytes <= 1000, "{:?}", spool.figures());
    pour(db, &spool).await;
    spool.keep(&body(db, "w99", PHONE)).await.unwrap();
}

async fn what_cannot_be_stored_is_laid_aside(db: &Db) {
    let spool = Spool::within(&db.store, 1 << 20);
    for id in ["w1", "w2", "w3"] {
        spool.keep(&body(db, id, PHONE)).await.unwrap();
    }
    db.set("UPDATE spool SET arrivals = '[{' WHERE id = (SELECT MIN(id) FROM spool WHERE id > (SELECT MIN(id) FROM spool))").await;
    pour(db, &spool).await;
    assert_eq!(db.rows("SELECT body FROM message ORDER BY id").await.concat(), ["w1", "w3"], "the others go on");
    assert_eq!((spool.figures().aside, spool.figures().waiting), (1, 0));
    assert_eq!(db.rows("SELECT arrivals FROM spool WHERE error IS NOT NULL").await, [["[{"]]);
}

async fn a_restart_takes_up_what_was_left(db: &Db) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    let make = || Spool::new(path.clone(), 1 << 20, Arc::clone(&db.clock) as _);
    let spool = make();
    spool.recover().await.unwrap();
    assert!(!path.exists(), "made when it is needed");
    spool.keep(&body(db, "w1", PHONE)).await.unwrap();
    // Another process on the same file leaves it alone.
    let other = make();
    other.recover().await.unwrap();
    assert!(!other.is_active());
    assert!(other.keep(&body(db, "w9", PHONE)).await.is_err());
    let stop = CancellationToken::new();
    stop.cancel();
    // Ended before the database was back: nothing is stored yet, or all of it.
    let closed = Store::closed(db).await;
    Arc::clone(&spool).drain(closed, Arc::clone(&db.policy), numbers(db), stop).await;
    assert_eq!(db.count("message").await, 0);
    let spool = make();
    spool.recover().await.unwrap();
    assert_eq!((spool.is_active(), spool.figures().waiting), (true, 1));
    pour(db, &spool).await;
    assert_eq!(db.rows("SELECT body FROM message").await, [["w1"]]);
}

/// A node that starts while the database is away knows its numbers by the configuration alone.
async fn what_came_before_the_database_was_seen_finds_its_number(db: &Db) {
    let spool = Spool::within(&db.store, 1 << 20);
    for (id, number) in [("w1", "105500000000001"), ("w2", "105500000000009"), ("w3", "105500000000001")] {
        let unseen = Door { tenant: TenantId(1), channel: provisional("meta", number), ..db.meta.clone() };
        spool.keep(&accept_op(&unseen, vec![message(id, PHONE, id)], None, &db.policy)).await.unwrap();
    }
    pour(db, &spool).await;
    assert_eq!(db.rows("SELECT body FROM message ORDER BY id").await.concat(), ["w1", "w3"]);
    assert_eq!(db.count("message").await, 2);
    assert_eq!((spool.figures().aside, spool.figures().waiting), (1, 0), "a number that is gone waits for a person");
}

/// A database that is gone.
struct Store;

impl Store {
    async fn closed(db: &Db) -> store::Store {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::support::open_file(&folder.path().join("x.db"), &db.clock).await.unwrap();
        store.clone().close().await;
        store
    }
}
