//! Bursts of short messages, answered once (S3.10).

use std::time::Duration;

use store::{Next, OfTenants, Policy};

use crate::fixtures::{PHONE, inbound, pid};
use crate::support::{Db, turn};
use types::inbound::{Content, Event};

for_each_database! {
    a_burst_is_one_turn_and_every_message_has_its_outcome,
    a_burst_moves_on_with_each_message_but_not_for_ever,
    a_crash_keeps_the_burst_together_with_what_came_meanwhile,
    what_is_no_text_ends_the_burst_and_keeps_its_place,
    a_burst_that_fails_for_good_leaves_the_others_to_be_answered,
}

/// The same database, with a tenant that gathers for ten seconds.
fn gathers(db: &mut Db) {
    let gather = OfTenants::new([(db.meta.tenant, Duration::from_secs(10))]);
    db.policy = std::sync::Arc::new(Policy { gather, ..Policy::default() });
}

/// As the suite's databases, gathering.
async fn with(db: &Db) -> Db {
    let mut own = Db::open(db.backend()).await;
    gathers(&mut own);
    own
}

async fn outcomes(db: &Db) -> Vec<Vec<String>> {
    db.rows("SELECT state, outcome FROM jobs ORDER BY id").await
}

async fn a_burst_is_one_turn_and_every_message_has_its_outcome(db: &Db) {
    let db = &with(db).await;
    for (n, text) in ["hello", "I need a visa", "for my wife"].into_iter().enumerate() {
        db.message(&format!("w{n}"), PHONE, text).await;
        db.pass(1);
    }
    db.idle().await;
    db.pass(10);
    let claimed = db.claim().await;
    let work = turn(&claimed.work);
    assert_eq!(work.provider_id, pid("w0"));
    assert_eq!(work.gathered.iter().map(|g| g.text.as_str()).collect::<Vec<_>>(), ["I need a visa", "for my wife"]);
    let after = db.finish(&claimed, &["Which visa?"]).await;
    let reply = after.saved.unwrap();
    assert_eq!(
        outcomes(db).await,
        [
            ["done", "replied"],
            ["done", &format!("merged into reply {reply}")],
            ["done", &format!("merged into reply {reply}")]
        ]
    );
    assert_eq!(db.count("outbox").await, 1);
}

async fn a_burst_moves_on_with_each_message_but_not_for_ever(db: &Db) {
    let db = &with(db).await;
    let mut waited = 0;
    for n in 0..20 {
        db.message(&format!("w{n}"), PHONE, "and another thing").await;
        db.pass(9);
        waited += 9;
        let claimed = db.claim_as("node-a", 1).await;
        if let Some(claimed) = claimed.first() {
            assert!((50..60).contains(&waited), "after five times the gathering: {waited}");
            assert_eq!(turn(&claimed.work).gathered.len(), n);
            return;
        }
    }
    panic!("it was never answered");
}

async fn a_crash_keeps_the_burst_together_with_what_came_meanwhile(db: &Db) {
    let db = &with(db).await;
    db.message("w0", PHONE, "hello").await;
    db.message("w1", PHONE, "a visa").await;
    db.pass(11);
    db.claim().await;
    // The node dies; a third message comes; the lease ends.
    db.message("w2", PHONE, "please").await;
    db.pass(121);
    let claimed = db.claim().await;
    let work = turn(&claimed.work);
    assert_eq!((work.provider_id.clone(), work.attempt, work.gathered.len()), (pid("w0"), 2, 2));
    db.finish(&claimed, &["Which?"]).await;
    assert_eq!(db.count("jobs WHERE state = 'done'").await, 3);
}

async fn what_is_no_text_ends_the_burst_and_keeps_its_place(db: &Db) {
    let db = &with(db).await;
    db.message("w0", PHONE, "here it is").await;
    let place = Content::Location { latitude: 24.2, longitude: 55.7, name: None, address: None };
    let from = crate::fixtures::phone(PHONE);
    db.event(Event::Message(Box::new(inbound("w1", from, place)))).await;
    db.message("w2", PHONE, "did you get it?").await;
    db.pass(11);
    let claimed = db.claim().await;
    assert_eq!((turn(&claimed.work).provider_id.clone(), turn(&claimed.work).gathered.len()), (pid("w0"), 0));
    let Next::Work(next) = db.finish(&claimed, &[]).await.next else { panic!("the place comes next") };
    assert_eq!(turn(&next).provider_id, pid("w1"));
}

async fn a_burst_that_fails_for_good_leaves_the_others_to_be_answered(db: &Db) {
    let db = &with(db).await;
    db.message("w0", PHONE, "poison").await;
    db.message("w1", PHONE, "hello").await;
    db.pass(11);
    let claimed = db.claim().await;
    let Next::Work(next) = db.fail(&claimed, types::Fault::Permanent).await.next else {
        panic!("the other comes next")
    };
    assert_eq!((turn(&next).provider_id.clone(), db.count("dead_letters").await), (pid("w1"), 1));
}
