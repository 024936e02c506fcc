//! An installation moves to another database (S8.4): all of it, resumable, verified, and nobody works a half of it.

use store::carry::{Moved, Progress, carry};
use store::{PostgresOptions, Result, SqliteOptions, Store, StoreError};
use types::{Fault, SharedClock};

use crate::fixtures::{PHONE, accepted, retry, status};
use crate::support::{Backend, Db};

for_each_database! {
    everything_arrives_and_both_sides_agree,
    a_move_that_is_cut_goes_on_and_nobody_works_a_half,
    a_database_with_something_else_is_refused,
    a_difference_is_found,
}

/// A database of some kind to move into.
struct Target {
    backend: Backend,
    folder: tempfile::TempDir,
    server: Option<testkit::postgres::Database>,
    clock: SharedClock,
}

impl Target {
    fn all(db: &Db) -> Vec<Self> {
        let one = |backend| Self {
            backend,
            folder: tempfile::tempdir().unwrap(),
            server: (backend == Backend::Postgres).then(|| testkit::postgres::Database::fresh().unwrap()),
            clock: std::sync::Arc::clone(&db.clock) as _,
        };
        Backend::available().into_iter().map(one).collect()
    }

    async fn open(&self, half_moved: bool) -> Result<Store> {
        let clock = std::sync::Arc::clone(&self.clock);
        match &self.server {
            None => {
                let path = self.folder.path().join("target.db");
                Store::open_sqlite(&SqliteOptions { half_moved, ..SqliteOptions::at(path) }, clock).await
            }
            Some(server) => {
                let options =
                    PostgresOptions { half_moved, serves: false, own_clock: true, ..PostgresOptions::at(server.url()) };
                Store::open_postgres(&options, clock).await
            }
        }
    }
}

/// Rows of many kinds: texts with odd signs, nulls, open and closed work.
async fn fill(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "أهلاً 👋 \"quoted\" \\ $1 {int}").await;
    db.record(&lease, &deliver, accepted("o1")).await;
    db.event(status("o1", types::states::Receipt::Read)).await;
    let (lease, deliver) = db.sending("w2", "971500000002", "with\0nul").await;
    db.record(&lease, &deliver, retry(Fault::Transient)).await;
    for n in 3..40 {
        db.message(&format!("w{n}"), &format!("9715000000{n:02}"), "hello").await;
    }
    let claimed = db.claim_as("node-a", 1).await.remove(0);
    db.fail(&claimed, Fault::Permanent).await;
    // Nobody may work it meanwhile: what is leased was freed.
    db.store.write(store::leases::Free { owner: None }).await.unwrap();
    db.set("INSERT INTO hours VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)").await;
    // As a node that has left: the suite's own works by no number.
    if db.backend() == Backend::Postgres {
        db.set("UPDATE nodes SET serves = 0").await;
    }
}

async fn moved(from: &Store, to: &Store) -> Result<Moved> {
    carry(from, to, 7, &mut |_| Ok(())).await
}

async fn everything_arrives_and_both_sides_agree(db: &Db) {
    fill(db).await;
    let messages = db.count("message").await;
    for target in Target::all(db) {
        let to = target.open(true).await.unwrap();
        let mut told = 0;
        let all = carry(&db.store, &to, 7, &mut |p| {
            told += usize::from(matches!(p, Progress::Verified { .. }));
            Ok(())
        })
        .await
        .unwrap();
        assert!(!all.resumed && told == all.tables.len() && told > 25, "{told} of {all:?}");
        let rows = |name: &str| all.tables.iter().find(|(t, _)| t == name).map(|(_, s)| s.rows).unwrap();
        assert_eq!((i64::try_from(rows("message")).unwrap(), rows("dead_letters"), rows("hours")), (messages, 1, 1));
        let again = moved(&db.store, &to).await.unwrap_err();
        assert!(again.to_string().contains("already"), "{again}");
        to.close().await;
        // An engine may work it now, and finds the same work.
        let engine = target.open(false).await.unwrap();
        let policy = std::sync::Arc::clone(&db.policy);
        let claim = store::leases::Claim { owner: "node-b".into(), limit: 100, only: None, policy };
        assert_eq!(engine.write(claim).await.unwrap().len(), 36);
        let thread = engine.read(crate::support::rows("SELECT body FROM message ORDER BY id LIMIT 2")).await.unwrap();
        assert_eq!(thread, [["hello"], ["أهلاً 👋 \"quoted\" \\ $1 {int}"]]);
        engine.close().await;
    }
}

async fn a_move_that_is_cut_goes_on_and_nobody_works_a_half(db: &Db) {
    fill(db).await;
    for target in Target::all(db) {
        for batches in [1_usize, 9, 5, 2] {
            let to = target.open(true).await.unwrap();
            let mut left = batches;
            let cut = carry(&db.store, &to, 7, &mut |_| {
                left = left.checked_sub(1).ok_or_else(|| StoreError::Refused("cut".to_owned()))?;
                Ok(())
            })
            .await;
            assert!(matches!(cut, Err(StoreError::Refused(why)) if why == "cut"));
            to.close().await;
            let half = target.open(false).await.unwrap_err();
            assert!(matches!(&half, StoreError::Unusable(why) if why.contains("barid move")), "{half}");
        }
        let to = target.open(true).await.unwrap();
        let all = moved(&db.store, &to).await.unwrap();
        assert!(all.resumed);
        let there = to.read(crate::support::rows("SELECT COUNT(*) FROM message")).await.unwrap();
        assert_eq!(there[0][0], db.count("message").await.to_string(), "none twice: {:?}", target.backend);
        to.close().await;
        target.open(false).await.unwrap().close().await;
    }
}

async fn a_database_with_something_else_is_refused(db: &Db) {
    fill(db).await;
    for target in Target::all(db) {
        let to = target.open(false).await.unwrap();
        to.write(store::channels::Sync(crate::support::seeds("other"))).await.unwrap();
        let before = to.read(crate::support::rows("SELECT * FROM channels ORDER BY id")).await.unwrap();
        let refused = moved(&db.store, &to).await.unwrap_err();
        assert!(refused.to_string().contains("not empty"), "{refused}");
        assert_eq!(to.read(crate::support::rows("SELECT * FROM channels ORDER BY id")).await.unwrap(), before);
        to.close().await;
        target.open(false).await.unwrap().close().await;
    }
    // A database that an engine works is left alone.
    if db.backend() == Backend::Postgres {
        db.set(
            "UPDATE nodes SET serves = 1, seen_at = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        )
        .await;
        for target in Target::all(db) {
            let to = target.open(true).await.unwrap();
            let refused = moved(&db.store, &to).await.unwrap_err();
            assert!(refused.to_string().contains("an engine works the source"), "{refused}");
            to.close().await;
        }
    }
}

async fn a_difference_is_found(db: &Db) {
    fill(db).await;
    for target in Target::all(db) {
        let to = target.open(true).await.unwrap();
        let mut stop = |p: &Progress| match p {
            Progress::Copied { table, .. } if table == "conversation" => Err(StoreError::Refused("cut".to_owned())),
            _ => Ok(()),
        };
        assert!(carry(&db.store, &to, 1000, &mut stop).await.is_err());
        db.set("UPDATE contacts SET name = 'changed meanwhile' WHERE phone = '971500000005'").await;
        let refused = moved(&db.store, &to).await.unwrap_err();
        assert!(refused.to_string().contains("the table contacts differs"), "{refused}");
        to.close().await;
        assert!(target.open(false).await.is_err());
        db.set("UPDATE contacts SET name = NULL WHERE phone = '971500000005'").await;
    }
}
