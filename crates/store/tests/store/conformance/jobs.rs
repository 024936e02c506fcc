//! Turns: what finishing and failing them writes (S2.1, S2.3, S4.1).

use std::time::Duration;

use store::jobs::{After, Reply};
use store::{Next, Work};
use types::outbound::OutboundContent;
use types::states::ConversationState;
use types::{Fault, Timestamp};

use crate::fixtures::{PHONE, accepted, message, pid, retry, say};
use crate::support::{Broken, Db, deliver, turn};

for_each_database! {
    a_finished_turn_saves_reply_state_and_fields_together,
    a_failure_while_finishing_leaves_the_turn_to_be_worked_again,
    a_turn_without_a_reply_is_done,
    a_key_is_said_once,
    a_throttled_channel_saves_the_reply_for_later,
    a_draining_worker_sends_what_it_decided_and_gives_the_rest_back,
    a_draining_worker_does_not_wait_for_a_retry,
    transient_failures_are_retried_after_1_5_and_15_seconds,
    jitter_is_added_to_the_pause,
    hopeless_failures_are_dead_letters_at_once,
    a_message_that_kills_its_process_ends_as_a_dead_letter,
    a_turn_given_back_untouched_is_not_a_failure,
    content_of_a_reply_comes_back_as_it_was,
}

async fn job(db: &Db) -> Vec<String> {
    db.rows("SELECT state, attempts, outcome, error FROM jobs").await.remove(0)
}

async fn a_finished_turn_saves_reply_state_and_fields_together(db: &Db) {
    let id = db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["How can I help?"]);
    op.finish.memory = Some("{\"asked\":1}".into());
    for (key, value) in
        [("service", "licence"), ("name", "Mona"), ("nationality", "EG"), ("email", "m@x"), ("time", "9")]
    {
        op.finish.fields.insert(key.into(), value.into());
    }
    op.finish.state = Some((ConversationState::HandedOver, "flow done".into()));
    op.finish.opted_out = Some(false);
    op.finish.notice = Some(("Call Mona".into(), "she asked".into()));
    let After { next, saved } = db.store.write(op).await.unwrap();
    let Next::Work(Work::Deliver(sent)) = next else { panic!("{next:?}") };
    assert_eq!((Some(sent.message), sent.in_reply_to), (saved, Some(id)));
    assert_eq!(sent.dedupe_key.0, format!("{}:w1:part0", claimed.lease.conversation));
    assert_eq!(job(db).await, ["done", "1", "replied", "-"]);
    assert_eq!(db.one("SELECT completed_at FROM jobs").await, db.now().micros().to_string());
    let lead = db.rows("SELECT service, name, nationality, email, phone, call_time FROM lead").await;
    assert_eq!(lead, [["licence", "Mona", "EG", "m@x", PHONE, "9"]], "what is not said again is kept");
    assert_eq!(db.rows("SELECT state, memory FROM conversation").await, [["handed_over", "{\"asked\":1}"]]);
    assert_eq!(db.rows("SELECT kind, title FROM notification").await, [["needs_person", "Call Mona"]]);
    assert_eq!(db.one("SELECT sender || status FROM message WHERE direction = 'out'").await, "AIsending");
}

/// S4.1: the reply, the state and the job's end are one transaction.
async fn a_failure_while_finishing_leaves_the_turn_to_be_worked_again(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["one", "two"]);
    op.finish.memory = Some("m".into());
    op.finish.fields.insert("name".into(), "Mona".into());
    op.finish.state = Some((ConversationState::HandedOver, "done".into()));
    op.finish.notice = Some(("a".into(), "b".into()));
    let mut after = 0;
    while let Err(e) = db.store.write(Broken { op: op.clone(), after }).await {
        assert_eq!(e.to_string(), "as told");
        assert_eq!(job(db).await, ["running", "1", "-", "-"], "after {after} statements");
        let left = (db.count("outbox").await, db.count("notification").await, db.count("transitions").await);
        assert_eq!(left, (0, 0, 0), "after {after} statements");
        assert_eq!(db.rows("SELECT state, memory FROM conversation").await, [["active", "-"]]);
        after += 1;
    }
    assert!(after > 12, "{after}");
    assert_eq!(db.count("outbox").await, 2);
}

async fn a_turn_without_a_reply_is_done(db: &Db) {
    db.message("w1", PHONE, "thanks").await;
    let claimed = db.claim().await;
    assert_eq!(db.finish(&claimed, &[]).await, After { next: Next::Wait(None), saved: None });
    assert_eq!(db.count("outbox").await, 0);
    db.pass(3600);
    db.idle().await;
}

/// Promise 2: one key, one message, although the turn is worked twice.
async fn a_key_is_said_once(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &[]);
    let reply = |body: &str| Reply { key: "reply".into(), content: say(body), quotes: Some(pid("w1")) };
    op.finish.replies = vec![reply("one"), reply("two")];
    let Next::Work(work) = db.store.write(op).await.unwrap().next else { panic!("one is sent") };
    assert_eq!((deliver(&work).content.text(), deliver(&work).quotes.as_ref()), ("one", Some(&pid("w1"))));
    assert_eq!(db.count("outbox").await, 1);
}

/// S4.5: waiting is not failing.
async fn a_throttled_channel_saves_the_reply_for_later(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["later"]);
    op.hold = Some(Duration::from_secs(6));
    let after = db.store.write(op).await.unwrap();
    assert_eq!(after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(6)))));
    assert_eq!(db.status_of(after.saved.unwrap()).await, "pending");
    db.idle().await;
    db.pass(6);
    assert_eq!(db.claim_send().await.1.attempts, 0);
}

/// S2.9: with `stop` the lease goes back in the same transaction and another node finds what is due at once.
/// S2.9: what runs comes to its end, which is the reply on its way; a turn that has not begun is another node's.
async fn a_draining_worker_sends_what_it_decided_and_gives_the_rest_back(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    db.message("w2", PHONE, "and you?").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["hi", "there"]);
    op.stop = true;
    let mut next = db.store.write(op).await.unwrap().next;
    for said in ["hi", "there"] {
        let Next::Work(work) = next else { panic!("{said:?} waits for the next start: {next:?}") };
        assert_eq!(deliver(&work).content, say(said));
        let mut op = db.record_op(&claimed.lease, deliver(&work), accepted(said));
        op.stop = true;
        next = db.store.write(op).await.unwrap().after.next;
    }
    assert_eq!(next, Next::Wait(Some(db.now())), "the lease is given back before the next turn");
    let other = db.claim_as("node-b", 1).await;
    assert_eq!(turn(&other[0].work).provider_id, pid("w2"));
}

/// A reply that fails in a drain waits for its time, as always.
async fn a_draining_worker_does_not_wait_for_a_retry(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["hi"]);
    op.stop = true;
    let Next::Work(work) = db.store.write(op).await.unwrap().next else { panic!("it is sent") };
    let mut op = db.record_op(&claimed.lease, deliver(&work), retry(Fault::Transient));
    op.stop = true;
    assert_eq!(db.store.write(op).await.unwrap().after.next, Next::Wait(Some(db.now())));
    db.pass(60);
    assert_eq!(deliver(&db.claim_as("node-b", 1).await[0].work).content, say("hi"));
}

/// S2.3, I9.
async fn transient_failures_are_retried_after_1_5_and_15_seconds(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    for pause in [1, 5, 15] {
        let claimed = db.claim().await;
        let next = db.fail(&claimed, Fault::Transient).await.next;
        assert_eq!(next, Next::Wait(Some(db.now().plus(Duration::from_secs(pause)))));
        db.pass(pause - 1);
        db.idle().await;
        db.pass(1);
    }
    let last = db.claim().await;
    assert_eq!(turn(&last.work).attempt, 4);
    assert_eq!(db.fail(&last, Fault::Transient).await.next, Next::Wait(None));
    assert_eq!(job(db).await, ["dead", "4", "-", "the model is away"]);
    let letter = db.rows("SELECT status, attempts, fault, payload <> '' FROM dead_letters").await;
    assert_eq!(letter, [["pending", "4", "transient", "1"]]);
    assert_eq!(db.rows("SELECT kind FROM notification").await, [["dead_letter"]]);
}

async fn jitter_is_added_to_the_pause(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.fail_op(&claimed, turn(&claimed.work), Fault::Transient);
    op.jitter = Duration::from_millis(250);
    let next = db.store.write(op).await.unwrap().next;
    assert_eq!(next, Next::Wait(Some(db.now().plus(Duration::from_millis(1250)))));
}

async fn hopeless_failures_are_dead_letters_at_once(db: &Db) {
    for (n, (fault, by_itself)) in
        [(Fault::Permanent, false), (Fault::Configuration, true), (Fault::Bug, true)].into_iter().enumerate()
    {
        db.message(&format!("w{n}"), &format!("97150000000{n}"), "hello").await;
        let mut claimed = db.claim().await;
        if fault == Fault::Bug {
            for pause in [1, 5, 15] {
                db.fail(&claimed, fault).await;
                db.pass(pause);
                claimed = db.claim().await;
            }
        }
        db.fail(&claimed, fault).await;
        let letter = db.rows("SELECT fault, next_retry_at IS NOT NULL FROM dead_letters ORDER BY id DESC").await;
        assert_eq!(letter[0], [fault.as_str().to_owned(), i64::from(by_itself).to_string()]);
    }
}

/// RELIABILITY row 22: a poison message takes its process with it each time, and must not do so for ever.
async fn a_message_that_kills_its_process_ends_as_a_dead_letter(db: &Db) {
    db.message("w1", PHONE, "poison").await;
    db.message("w2", PHONE, "good").await;
    for attempt in 1..=4 {
        let claimed = db.claim().await;
        assert_eq!((turn(&claimed.work).provider_id.clone(), turn(&claimed.work).attempt), (pid("w1"), attempt));
        db.pass(120);
    }
    let claimed = db.claim().await;
    assert_eq!(turn(&claimed.work).provider_id, pid("w2"), "the conversation goes on");
    assert_eq!(db.rows("SELECT state, attempts FROM jobs ORDER BY id").await, [["dead", "4"], ["running", "1"]]);
    assert_eq!(db.rows("SELECT fault, attempts FROM dead_letters").await, [["bug", "4"]]);
}

/// A node that gives work back without having begun it has not failed: doing so must not use the attempts up.
async fn a_turn_given_back_untouched_is_not_a_failure(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    for _ in 0..6 {
        let claimed = db.claim().await;
        let at = Some(db.now());
        db.store.write(store::leases::GiveBack { lease: claimed.lease.clone(), at }).await.unwrap();
    }
    let claimed = db.claim().await;
    assert_eq!(turn(&claimed.work).attempt, 1);
    assert_eq!(db.count("dead_letters").await, 0);
}

async fn content_of_a_reply_comes_back_as_it_was(db: &Db) {
    let contents = [
        OutboundContent::Template { name: "hello".into(), language: "en".into(), parameters: vec!["Mona".into()] },
        OutboundContent::Buttons { body: "Well?".into(), buttons: vec![("y".into(), "Yes".into())] },
        OutboundContent::List { body: "Which?".into(), button: "Open".into(), rows: vec![("a".into(), "A".into())] },
        OutboundContent::Media {
            kind: types::inbound::MediaKind::Document,
            link: "https://x/y.pdf".into(),
            caption: Some("the offer".into()),
            filename: Some("offer.pdf".into()),
        },
        OutboundContent::Reaction { to: pid("w1"), emoji: None },
    ];
    for (n, content) in contents.into_iter().enumerate() {
        db.event(message(&format!("w{n}"), &format!("97150000000{n}"), "hello")).await;
        let claimed = db.claim().await;
        let mut op = db.finish_op(&claimed, turn(&claimed.work), &[]);
        op.finish.replies = vec![Reply { key: "reply".into(), content: content.clone(), quotes: None }];
        let Next::Work(work) = db.store.write(op).await.unwrap().next else { panic!("it is sent") };
        assert_eq!(deliver(&work).content, content);
        assert_eq!(deliver(&work).last_attempt_at, None::<Timestamp>);
    }
}
