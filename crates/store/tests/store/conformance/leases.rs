//! Leases and their fences (S2.2).

use std::sync::Arc;
use std::time::Duration;

use store::leases::{Claim, Free, GiveBack, NextDue, Renew};
use store::outbox::{Postpone, Reconcile, Trace};
use store::{Claimed, Lease, StoreError};
use tokio::task::JoinSet;
use types::{Fault, Timestamp};

use crate::fixtures::{PHONE, accepted};
use crate::support::{Db, turn};

for_each_database! {
    a_conversation_has_one_holder,
    different_conversations_are_held_apart,
    a_lease_that_ended_is_claimed_again_with_a_higher_fence,
    every_write_of_a_lost_holder_is_refused,
    a_forged_lease_is_refused,
    a_renewed_lease_lasts_and_a_lost_one_is_named,
    a_lease_given_back_is_due_when_it_says,
    leases_are_freed_for_all_or_for_one,
    one_conversation_can_be_asked_for,
    the_next_due_time_counts_leases,
}

async fn next_due(db: &Db) -> Option<Timestamp> {
    db.store.read(NextDue).await.unwrap()
}

async fn a_conversation_has_one_holder(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let mut all = JoinSet::new();
    for n in 0..20 {
        let (store, policy) = (db.store.clone(), Arc::clone(&db.policy));
        let owner = format!("node-{n}").into();
        all.spawn(async move { store.write(Claim { owner, limit: 5, only: None, policy }).await.unwrap() });
    }
    let holders: Vec<_> = all.join_all().await.into_iter().flatten().collect();
    assert_eq!(holders.len(), 1, "{holders:?}");
    assert_eq!(db.rows("SELECT attempts FROM jobs").await, [["1"]]);
}

async fn different_conversations_are_held_apart(db: &Db) {
    for n in 0..5 {
        db.message(&format!("w{n}"), &format!("97150000000{n}"), "hello").await;
        db.pass(1);
    }
    let (first, second) = (db.claim_as("node-a", 3).await, db.claim_as("node-b", 3).await);
    assert_eq!((first.len(), second.len()), (3, 2));
    let bodies: Vec<_> = first.iter().chain(&second).map(|c| turn(&c.work).provider_id.0.clone()).collect();
    assert_eq!(bodies, ["w0", "w1", "w2", "w3", "w4"], "those that wait longest come first");
    db.idle().await;
}

async fn a_lease_that_ended_is_claimed_again_with_a_higher_fence(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let first = db.claim().await;
    db.pass(119);
    db.idle().await;
    db.pass(1);
    let second = db.claim_as("node-b", 1).await.remove(0);
    assert_eq!(second.lease.fence, first.lease.fence + 1);
    assert_eq!(turn(&second.work).attempt, 2);
    db.finish(&second, &["hi"]).await;
    assert_eq!(db.count("outbox").await, 1);
}

/// The writes of a holder, each by its name.
async fn every_write(db: &Db, held: &Claimed, deliver: &store::Deliver) -> Vec<(&'static str, Result<(), StoreError>)> {
    let (lease, policy) = (&held.lease, &db.policy);
    let turn = turn(&held.work);
    let postpone = Postpone {
        lease: lease.clone(),
        message: deliver.message,
        wait: Duration::from_secs(1),
        why: None,
        stop: false,
        policy: Arc::clone(policy),
    };
    let reconcile = Reconcile {
        lease: lease.clone(),
        deliver: deliver.clone(),
        trace: Trace::Absent,
        stop: false,
        policy: Arc::clone(policy),
    };
    let give_back = GiveBack { lease: lease.clone(), at: None };
    vec![
        ("FinishTurn", db.store.write(db.finish_op(held, turn, &["late"])).await.map(drop)),
        ("FailTurn", db.store.write(db.fail_op(held, turn, Fault::Permanent)).await.map(drop)),
        ("RecordAttempt", db.store.write(db.record_op(lease, deliver, accepted("wamid.late"))).await.map(drop)),
        ("Postpone", db.store.write(postpone).await.map(drop)),
        ("Reconcile", db.store.write(reconcile).await.map(drop)),
        ("GiveBack", db.store.write(give_back).await.map(drop)),
    ]
}

/// I8: a holder whose lease went to another writes nothing, by whichever operation.
async fn every_write_of_a_lost_holder_is_refused(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let lost = db.claim().await;
    db.pass(120);
    let holder = db.claim_as("node-b", 1).await.remove(0);
    let after = db.finish(&holder, &["hi"]).await;
    let store::Next::Work(work) = after.next else { panic!("{after:?}") };
    let deliver = crate::support::deliver(&work).clone();
    // With more to do in the conversation, a write is refused by its own check and not only when the lease is given back.
    db.message("w2", PHONE, "more").await;
    let before = snapshot(db).await;
    for (name, result) in every_write(db, &lost, &deliver).await {
        let refused = matches!(&result, Err(StoreError::LeaseLost(id)) if *id == lost.lease.conversation);
        assert!(refused, "{name}: {result:?}");
        assert_eq!(snapshot(db).await, before, "{name} wrote something");
    }
    db.record(&holder.lease, &deliver, accepted("wamid.1")).await;
}

async fn snapshot(db: &Db) -> Vec<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for (table, key) in [
        ("conversation", "id"),
        ("message", "id"),
        ("outbox", "message_id"),
        ("jobs", "id"),
        ("attempts", "id"),
        ("dead_letters", "id"),
        ("notification", "id"),
    ] {
        all.push(db.rows(&format!("SELECT * FROM {table} ORDER BY {key}")).await);
    }
    all
}

/// The fence alone is not enough: two owners could count to the same number.
async fn a_forged_lease_is_refused(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let held = db.claim().await;
    let forged = [
        Lease { owner: "node-z".into(), ..held.lease.clone() },
        Lease { fence: held.lease.fence + 1, ..held.lease.clone() },
        Lease { fence: held.lease.fence - 1, ..held.lease.clone() },
        Lease { conversation: types::ConversationId(1), ..held.lease.clone() },
    ];
    for lease in forged {
        let claimed = Claimed { lease, ..held.clone() };
        let e = db.store.write(db.finish_op(&claimed, turn(&held.work), &[])).await.unwrap_err();
        assert!(matches!(e, StoreError::LeaseLost(_)), "{e}");
    }
    db.finish(&held, &[]).await;
}

async fn a_renewed_lease_lasts_and_a_lost_one_is_named(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    db.message("w2", "971500000002", "hello").await;
    let held = db.claim_as("node-a", 2).await;
    let renew = |leases: Vec<Lease>| db.store.write(Renew { leases, policy: Arc::clone(&db.policy) });
    db.pass(100);
    assert!(renew(vec![held[0].lease.clone()]).await.unwrap().is_empty());
    db.pass(100);
    let taken = db.claim_as("node-b", 5).await;
    assert_eq!(taken.len(), 1, "only the one that was not renewed ended");
    let lost = renew(held.iter().map(|c| c.lease.clone()).collect()).await.unwrap();
    assert_eq!(lost, [held[1].lease.conversation]);
    db.finish(&held[0], &[]).await;
}

async fn a_lease_given_back_is_due_when_it_says(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let held = db.claim().await;
    let at = Some(db.now().plus(Duration::from_secs(30)));
    db.store.write(GiveBack { lease: held.lease.clone(), at }).await.unwrap();
    assert_eq!(next_due(db).await, at);
    db.idle().await;
    db.pass(30);
    db.claim().await;
    let again = db.store.write(GiveBack { lease: held.lease, at: None }).await;
    assert!(again.is_err(), "it was given back once");
}

/// At start nobody else can live, so all leases go; a draining node frees only its own.
async fn leases_are_freed_for_all_or_for_one(db: &Db) {
    for n in 0..3 {
        db.message(&format!("w{n}"), &format!("97150000000{n}"), "hello").await;
    }
    db.claim_as("node-a", 1).await;
    db.claim_as("node-b", 2).await;
    assert_eq!(db.store.write(Free { owner: Some("node-a".into()) }).await.unwrap(), 1);
    assert_eq!(db.claim_as("node-c", 9).await.len(), 1);
    assert_eq!(db.store.write(Free { owner: None }).await.unwrap(), 3);
    assert_eq!(db.claim_as("node-d", 9).await.len(), 3, "no waiting for the end of the leases");
}

async fn one_conversation_can_be_asked_for(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    db.message("w2", "971500000002", "hello").await;
    let wanted: types::ConversationId = db.one("SELECT MAX(id) FROM conversation").await.parse().unwrap();
    let ask = |only| Claim { owner: "cli".into(), limit: 9, only: Some(only), policy: Arc::clone(&db.policy) };
    let got = db.store.write(ask(wanted)).await.unwrap();
    assert_eq!(got.iter().map(|c| c.lease.conversation).collect::<Vec<_>>(), [wanted]);
    assert!(db.store.write(ask(wanted)).await.unwrap().is_empty());
    assert!(db.store.write(ask(types::ConversationId(5))).await.unwrap().is_empty());
}

async fn the_next_due_time_counts_leases(db: &Db) {
    assert_eq!(next_due(db).await, None);
    db.message("w1", PHONE, "hello").await;
    assert_eq!(next_due(db).await, Some(db.now()));
    let held = db.claim().await;
    assert_eq!(next_due(db).await, Some(held.lease.until), "its holder may die");
    db.finish(&held, &[]).await;
    assert_eq!(next_due(db).await, None);
}
