//! What an attempt to send comes to (S4.2, S4.3).

use std::time::Duration;

use store::channels::{Resume, States, Sync};
use store::outbox::Retry;
use store::views::FailedSends;
use store::{Next, StoreError};
use types::outbound::Outcome;
use types::states::{ChannelState, MessageStatus};
use types::{Fault, MessageId, Refusal, Scope};

use crate::fixtures::{PHONE, accepted, refusal, rejected, retry, unknown};
use crate::support::{Db, seeds};

for_each_database! {
    every_outcome_has_its_status_attempt_and_next_time,
    retries_come_after_1_5_15_and_60_minutes_and_then_it_has_failed,
    a_provider_that_names_a_time_is_obeyed,
    a_failed_send_is_listed_and_retried_by_hand,
    a_wrong_token_stops_the_channel_without_using_attempts_up,
    new_credentials_start_the_channel_again,
    a_stopped_channel_still_answers_turns_and_keeps_the_replies,
    a_setting_that_concerns_one_recipient_waits_without_haste,
    only_what_failed_or_is_held_can_be_retried,
}

async fn last_attempt(db: &Db) -> Vec<String> {
    let row = "SELECT outcome, fault, code, http, error, preview FROM attempts ORDER BY id DESC LIMIT 1";
    db.rows(row).await.remove(0)
}

async fn attempts_of(db: &Db, message: MessageId) -> String {
    db.one(&format!("SELECT attempts FROM outbox WHERE message_id = {message}")).await
}

fn http(fault: Fault, status: u16) -> Outcome {
    Outcome::Retry(Refusal { http: Some(status), code: Some(4), ..Refusal::new(fault, "slow down") })
}

async fn every_outcome_has_its_status_attempt_and_next_time(db: &Db) {
    use MessageStatus::{Failed, Pending, Sent, Unknown};
    let later = Some(Duration::from_secs(60));
    // outcome; the message's status; when it is due again; the attempt's outcome, class, code, HTTP status, reason
    let table = [
        ("accepted", accepted("o1"), Sent, None, ["sent", "-", "-", "-", "-"]),
        (
            "not reached",
            retry(Fault::Transient),
            Pending,
            later,
            ["saved_only", "transient", "-", "-", "the provider said so"],
        ),
        (
            "refused for speed",
            http(Fault::Throttled, 429),
            Pending,
            later,
            ["failed", "throttled", "4", "429", "slow down"],
        ),
        ("rejected", rejected(), Failed, None, ["failed", "permanent", "131047", "400", "window closed"]),
        ("unknown", unknown(), Unknown, later, ["saved_only", "ambiguous", "-", "-", "no answer"]),
    ];
    for (n, (name, outcome, status, due, attempt)) in table.into_iter().enumerate() {
        let (lease, deliver) = db.sending(&format!("w{n}"), &format!("97150000000{n}"), "hi there").await;
        let recorded = db.record(&lease, &deliver, outcome).await;
        assert_eq!((recorded.status, recorded.paused_channel), (status, false), "{name}");
        assert_eq!(recorded.after.next, Next::Wait(due.map(|d| db.now().plus(d))), "{name}");
        assert_eq!(db.status_of(deliver.message).await, status.as_str(), "{name}");
        assert_eq!(attempts_of(db, deliver.message).await, "1", "{name}");
        let row = last_attempt(db).await;
        assert_eq!((&row[..5], row[5].as_str()), (&attempt.map(str::to_owned)[..], "hi there"), "{name}");
        if name == "accepted" {
            let row = format!("SELECT provider_id, sent_at, error FROM message WHERE id = {}", deliver.message);
            assert_eq!(db.rows(&row).await, [["o1".to_owned(), db.now().micros().to_string(), "-".to_owned()]]);
        }
    }
    let kinds = db.rows("SELECT kind FROM notification").await;
    assert_eq!(kinds, [["send_failed"]], "a person hears of what failed, not of what is tried again");
}

async fn retries_come_after_1_5_15_and_60_minutes_and_then_it_has_failed(db: &Db) {
    let (mut lease, mut deliver) = db.sending("w1", PHONE, "hi").await;
    for minutes in [1, 5, 15, 60] {
        let next = db.record(&lease, &deliver, retry(Fault::Transient)).await.after.next;
        assert_eq!(next, Next::Wait(Some(db.now().plus(Duration::from_secs(60 * minutes)))));
        db.pass(60 * minutes - 1);
        db.idle().await;
        db.pass(1);
        (lease, deliver) = db.claim_send().await;
    }
    assert_eq!(deliver.attempts, 4);
    let recorded = db.record(&lease, &deliver, retry(Fault::Transient)).await;
    assert_eq!((recorded.status, recorded.after.next), (MessageStatus::Failed, Next::Wait(None)));
    assert_eq!((db.count("attempts").await, db.count("notification").await), (5, 1));
}

/// S4.3: 429 honours `Retry-After`; it is still an attempt.
async fn a_provider_that_names_a_time_is_obeyed(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    let mut asked = refusal(Fault::Throttled, Scope::Message);
    asked.retry_after = Some(Duration::from_secs(7));
    let mut op = db.record_op(&lease, &deliver, Outcome::Retry(asked));
    op.jitter = Duration::from_secs(1);
    let recorded = db.store.write(op).await.unwrap();
    assert_eq!(recorded.after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(8)))));
    db.pass(8);
    assert_eq!(db.claim_send().await.1.attempts, 1);
}

async fn failed(db: &Db) -> Vec<store::views::FailedSend> {
    db.store.read(FailedSends { before: None, limit: 10 }).await.unwrap()
}

async fn a_failed_send_is_listed_and_retried_by_hand(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, rejected()).await;
    let listed = failed(db).await;
    assert_eq!((listed[0].id, listed[0].error_code, listed[0].attempts), (deliver.message, Some(131_047), 1));
    assert_eq!(listed[0].error.as_deref(), Some("window closed"));
    db.store.write(Retry(deliver.message)).await.unwrap();
    assert!(failed(db).await.is_empty());
    let (lease, again) = db.claim_send().await;
    assert_eq!((again.message, again.attempts), (deliver.message, 0));
    db.record(&lease, &again, accepted("o1")).await;
    assert_eq!(db.status_of(deliver.message).await, "sent");
    assert_eq!(db.count("attempts").await, 2, "every attempt stays on record");
}

async fn channel(db: &Db) -> store::channels::ChannelRow {
    db.store.read(States).await.unwrap().remove(0)
}

/// S4.3, RELIABILITY row 14: an expired token is not the message's failure.
async fn a_wrong_token_stops_the_channel_without_using_attempts_up(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    let wrong = || Outcome::Retry(refusal(Fault::Configuration, Scope::Channel));
    let recorded = db.record(&lease, &deliver, wrong()).await;
    assert!(recorded.paused_channel);
    assert_eq!((recorded.status, recorded.after.next), (MessageStatus::Pending, Next::Wait(None)));
    assert_eq!(attempts_of(db, deliver.message).await, "0");
    assert_eq!(channel(db).await.state, ChannelState::Paused);
    assert_eq!(channel(db).await.reason.as_deref(), Some("the provider said so"));
    assert_eq!(db.rows("SELECT kind FROM notification").await, [["channel_paused"]]);
    db.pass(1_000_000);
    db.idle().await;
    for round in 0..7 {
        assert!(db.store.write(Resume(db.meta.channel)).await.unwrap());
        let (lease, again) = db.claim_send().await;
        assert_eq!((again.message, again.attempts), (deliver.message, 0), "round {round}");
        db.record(&lease, &again, wrong()).await;
        db.pass(60);
    }
    assert!(db.store.write(Resume(db.meta.channel)).await.unwrap());
    assert!(!db.store.write(Resume(db.meta.channel)).await.unwrap(), "it runs already");
    let (lease, again) = db.claim_send().await;
    db.record(&lease, &again, accepted("o1")).await;
    assert_eq!(db.status_of(deliver.message).await, "sent");
}

/// S4.3: it resumes when the token is replaced, and its messages are due at once.
async fn new_credentials_start_the_channel_again(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, Outcome::Retry(refusal(Fault::Configuration, Scope::Channel))).await;
    db.store.write(Sync(seeds("first"))).await.unwrap();
    db.idle().await;
    let synced = db.store.write(Sync(seeds("second"))).await.unwrap();
    assert_eq!(synced[0].channels[0], db.meta.channel, "the rows stay the same");
    assert_eq!(channel(db).await.state, ChannelState::Ready);
    assert_eq!(db.claim_send().await.1.message, deliver.message);
}

/// A stopped channel is deaf to sends only: people are heard, replies saved, and go out in order when it runs again.
async fn a_stopped_channel_still_answers_turns_and_keeps_the_replies(db: &Db) {
    let (lease, first) = db.sending("w1", PHONE, "one").await;
    db.record(&lease, &first, Outcome::Retry(refusal(Fault::Configuration, Scope::Channel))).await;
    db.message("w2", PHONE, "are you there?").await;
    let claimed = db.claim().await;
    assert_eq!(db.finish(&claimed, &["two"]).await.next, Next::Wait(None));
    db.store.write(Resume(db.meta.channel)).await.unwrap();
    let (lease, sent) = db.claim_send().await;
    assert_eq!(sent.message, first.message);
    let Next::Work(next) = db.record(&lease, &sent, accepted("o1")).await.after.next else { panic!("two comes next") };
    assert_eq!(crate::support::deliver(&next).content.text(), "two");
}

/// Green API's 466 for one correspondent: the message waits and nothing else does; it is not tried again at once, over and over.
async fn a_setting_that_concerns_one_recipient_waits_without_haste(db: &Db) {
    let (lease, deliver) = db.sending_green("w1", PHONE, "hi").await;
    let mut asked = refusal(Fault::Configuration, Scope::Recipient);
    let recorded = db.record(&lease, &deliver, Outcome::Retry(asked.clone())).await;
    assert_eq!((recorded.status, recorded.paused_channel), (MessageStatus::Pending, false));
    assert_eq!(recorded.after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(3600)))));
    assert_eq!(attempts_of(db, deliver.message).await, "0");
    db.pass(3600);
    let (lease, again) = db.claim_send().await;
    asked.retry_after = Some(Duration::from_secs(30));
    let recorded = db.record(&lease, &again, Outcome::Retry(asked)).await;
    assert_eq!(recorded.after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(30)))));
}

async fn only_what_failed_or_is_held_can_be_retried(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    let e = db.store.write(Retry(deliver.message)).await;
    // While it is being sent nobody can say that it was not: a second copy would be a blind one.
    let status = db.status_of(deliver.message).await;
    assert!(matches!(e, Err(StoreError::Illegal(_))), "{e:?}, now {status}");
    db.record(&lease, &deliver, accepted("o1")).await;
    assert!(matches!(db.store.write(Retry(deliver.message)).await, Err(StoreError::Illegal(_))));
    assert!(matches!(db.store.write(Retry(MessageId(9))).await, Err(StoreError::NotFound { .. })));
}
