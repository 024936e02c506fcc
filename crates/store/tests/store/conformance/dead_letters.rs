//! Dead letters (S2.5).

use store::dead_letters::{AnyDue, DeadLetter, Decide, List, RedriveDue};
use store::{Next, StoreError};
use types::states::DeadLetterStatus;
use types::{DeadLetterId, Fault};

use crate::fixtures::{PHONE, pid};
use crate::support::{Db, START, turn};

for_each_database! {
    setting_next_retry_at_in_sql_retries_one,
    a_retry_that_succeeds_resolves_the_letter,
    retries_come_after_1_5_15_and_60_minutes_and_then_only_by_hand,
    a_person_retries_or_discards,
    a_redriven_message_waits_its_turn,
    letters_are_listed_newest_first_and_paged,
}

async fn dead(db: &Db, id: &str, from: &str, fault: Fault) -> DeadLetter {
    db.message(id, from, "hello").await;
    let claimed = db.claim().await;
    db.fail(&claimed, fault).await;
    list(db, None).await.remove(0)
}

async fn list(db: &Db, status: Option<DeadLetterStatus>) -> Vec<DeadLetter> {
    db.store.read(List { status, before: None, limit: 50 }).await.unwrap()
}

/// Whoever asks first whether anything is due is told what the redrive then finds.
async fn redrive(db: &Db) -> u32 {
    let due = db.store.read(AnyDue).await.unwrap();
    let queued = db.store.write(RedriveDue { limit: 10 }).await.unwrap();
    assert_eq!(due, queued > 0);
    queued
}

async fn setting_next_retry_at_in_sql_retries_one(db: &Db) {
    let letter = dead(db, "w1", PHONE, Fault::Permanent).await;
    db.pass(100_000);
    assert_eq!((redrive(db).await, letter.next_retry_at), (0, None), "what can never pass is left to a person");
    let now = db.now().micros();
    db.set(&format!("UPDATE dead_letters SET next_retry_at = {now} WHERE id = {}", letter.id)).await;
    assert_eq!(redrive(db).await, 1);
    assert_eq!(list(db, Some(DeadLetterStatus::Retrying)).await.len(), 1);
    let claimed = db.claim().await;
    assert!(turn(&claimed.work).redriven);
    assert_eq!(turn(&claimed.work).attempt, 1, "with fresh attempts");
    assert_eq!(redrive(db).await, 0, "once");
}

async fn a_retry_that_succeeds_resolves_the_letter(db: &Db) {
    let letter = dead(db, "w1", PHONE, Fault::Configuration).await;
    assert_eq!(letter.next_retry_at.map(|t| t.since(START).as_secs()), Some(60));
    db.pass(59);
    assert_eq!(redrive(db).await, 0);
    db.pass(1);
    assert_eq!(redrive(db).await, 1);
    let claimed = db.claim().await;
    db.finish(&claimed, &["at last"]).await;
    assert_eq!(list(db, None).await[0].status, DeadLetterStatus::Resolved);
    assert_eq!(db.one("SELECT resolved_by FROM dead_letters").await, "retry");
    assert_eq!(db.count("outbox").await, 1);
}

async fn retries_come_after_1_5_15_and_60_minutes_and_then_only_by_hand(db: &Db) {
    dead(db, "w1", PHONE, Fault::Configuration).await;
    for (n, minutes) in [1, 5, 15, 60].into_iter().enumerate() {
        let letter = list(db, None).await.remove(0);
        assert_eq!(letter.next_retry_at.map(|t| t.since(db.now()).as_secs()), Some(minutes * 60));
        assert_eq!((letter.status, letter.redrives), (DeadLetterStatus::Pending, u32::try_from(n).unwrap()));
        db.pass(minutes * 60);
        assert_eq!(redrive(db).await, 1);
        let claimed = db.claim().await;
        db.fail(&claimed, Fault::Configuration).await;
    }
    let letter = list(db, None).await.remove(0);
    assert_eq!((letter.next_retry_at, letter.redrives, letter.attempts), (None, 4, 5));
    assert_eq!(db.count("dead_letters").await, 1, "one letter for one job");
    db.pass(1_000_000);
    assert_eq!(redrive(db).await, 0);
    decide(db, letter.id, true).await.unwrap();
    db.claim().await;
}

async fn decide(db: &Db, letter: DeadLetterId, retry: bool) -> Result<DeadLetterStatus, StoreError> {
    db.store.write(Decide { letter, retry, actor: "mona".into() }).await
}

async fn a_person_retries_or_discards(db: &Db) {
    let letter = dead(db, "w1", PHONE, Fault::Permanent).await.id;
    assert_eq!(decide(db, letter, false).await.unwrap(), DeadLetterStatus::Discarded);
    assert_eq!(db.rows("SELECT resolved_by, next_retry_at FROM dead_letters").await, [["mona", "-"]]);
    db.idle().await;
    assert!(matches!(decide(db, letter, false).await, Err(StoreError::Illegal(_))), "once is enough");
    assert_eq!(decide(db, letter, true).await.unwrap(), DeadLetterStatus::Retrying, "a person may think again");
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    assert!(matches!(decide(db, letter, true).await, Err(StoreError::Illegal(_))), "resolved is the end");
    assert!(matches!(decide(db, DeadLetterId(5), true).await, Err(StoreError::NotFound { .. })));
}

/// Its conversation went on meanwhile: the old message comes first again, and nothing is lost.
async fn a_redriven_message_waits_its_turn(db: &Db) {
    let letter = dead(db, "w1", PHONE, Fault::Permanent).await.id;
    db.message("w2", PHONE, "more").await;
    let held = db.claim().await;
    decide(db, letter, true).await.unwrap();
    let Next::Work(work) = db.finish(&held, &[]).await.next else { panic!("the redriven one comes next") };
    assert_eq!(turn(&work).provider_id, pid("w1"));
}

async fn letters_are_listed_newest_first_and_paged(db: &Db) {
    for n in 0..3 {
        dead(db, &format!("w{n}"), &format!("97150000000{n}"), Fault::Permanent).await;
    }
    let all = list(db, None).await;
    assert_eq!(
        all.iter().map(|l| l.provider_message_id.as_deref()).collect::<Vec<_>>(),
        [Some("w2"), Some("w1"), Some("w0")]
    );
    let page = db.store.read(List { status: None, before: Some(all[0].id), limit: 1 }).await.unwrap();
    assert_eq!(page, [all[1].clone()]);
    assert!(list(db, Some(DeadLetterStatus::Resolved)).await.is_empty());
    assert!(all[0].payload.contains("hello"), "with the message as it came");
}
