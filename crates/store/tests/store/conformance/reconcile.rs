//! Sends whose fate is unknown (S4.4).

use std::sync::Arc;
use std::time::Duration;

use store::outbox::{Reconcile, Trace};
use store::{Deliver, Lease, Next, OnUnknown, Policy, Work};
use types::Fault;
use types::states::Receipt;

use crate::fixtures::{PHONE, accepted, keyed, own_send, pid, rejected, retry, say, status, unknown};
use crate::support::{Db, deliver, reconcile};

for_each_database! {
    a_receipt_with_our_key_settles_the_doubt,
    a_trace_in_the_journal_settles_it,
    what_the_provider_still_has_is_looked_for_again,
    with_no_trace_it_is_sent_once_more_and_marked,
    with_no_trace_and_the_choice_to_hold_a_person_decides,
    a_reconciler_that_comes_too_late_changes_nothing,
    a_send_cut_off_by_a_dead_process_is_in_doubt,
    a_draining_reconciler_leaves_the_resend_to_others,
    a_journal_notice_of_green_api_settles_chat_and_text,
    two_identical_texts_are_settled_one_by_one,
    a_late_receipt_proves_a_held_message,
}

async fn doubtful(db: &Db, outcome_of: &str) -> Deliver {
    let (lease, deliver) = db.sending("w1", PHONE, outcome_of).await;
    db.record(&lease, &deliver, unknown()).await;
    deliver
}

fn op(policy: &Arc<Policy>, lease: &Lease, deliver: &Deliver, trace: Trace) -> Reconcile {
    Reconcile { lease: lease.clone(), deliver: deliver.clone(), trace, stop: false, policy: Arc::clone(policy) }
}

async fn end_of_window(db: &Db) -> (Lease, Deliver) {
    db.pass(60);
    let claimed = db.claim().await;
    (claimed.lease.clone(), reconcile(&claimed.work).clone())
}

async fn flags(db: &Db, deliver: &Deliver) -> Vec<String> {
    let id = deliver.message;
    let row = "SELECT m.status, m.possible_duplicate, o.resends, o.due_at IS NULL FROM message m JOIN outbox o ON o.message_id = m.id";
    db.rows(&format!("{row} WHERE m.id = {id}")).await.remove(0)
}

/// Meta returns our key in the status: the message is found although we never learned its id.
async fn a_receipt_with_our_key_settles_the_doubt(db: &Db) {
    let cases = [
        (Receipt::Sent, "sent"),
        (Receipt::Delivered, "delivered"),
        (Receipt::Read, "read"),
        (Receipt::Failed, "failed"),
    ];
    for (n, (receipt, want)) in cases.into_iter().enumerate() {
        let (lease, deliver) = db.sending(&format!("w{n}"), &format!("97150000000{n}"), "hi").await;
        db.record(&lease, &deliver, unknown()).await;
        let told = db.event(keyed(&format!("o{n}"), receipt, &deliver.dedupe_key)).await;
        assert_eq!((told.recorded, told.waiting), (1, true));
        assert_eq!(flags(db, &deliver).await, [want, "0", "0", "1"]);
        db.event(status(&format!("o{n}"), Receipt::Played)).await;
        assert_eq!(db.status_of(deliver.message).await, "played", "its id is known from then on");
        let claimed = db.claim_as("node-a", 5).await;
        assert!(claimed.is_empty(), "nothing is left to do: {claimed:?}");
    }
    db.pass(100_000);
    db.idle().await;
    let other = keyed("ox", Receipt::Sent, &types::DedupeKey("nobody's".into()));
    assert_eq!(db.event(other).await.recorded, 1, "a key that is not ours is kept and settles nothing");
}

async fn a_trace_in_the_journal_settles_it(db: &Db) {
    let first = doubtful(db, "hi").await;
    db.event(status("o1", Receipt::Delivered)).await;
    let (lease, deliver) = end_of_window(db).await;
    assert_eq!(deliver.message, first.message);
    let after = db.store.write(op(&db.policy, &lease, &deliver, Trace::Found(pid("o1")))).await.unwrap();
    assert_eq!(after.next, Next::Wait(None));
    assert_eq!(flags(db, &deliver).await, ["delivered", "0", "0", "1"], "and what was reported of that id counts");
}

async fn what_the_provider_still_has_is_looked_for_again(db: &Db) {
    doubtful(db, "hi").await;
    for trace in [Trace::Queued, Trace::TooEarly, Trace::TooEarly] {
        let (lease, deliver) = end_of_window(db).await;
        let after = db.store.write(op(&db.policy, &lease, &deliver, trace)).await.unwrap();
        assert_eq!(after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(60)))));
        assert_eq!(flags(db, &deliver).await, ["unknown", "0", "0", "0"]);
    }
}

/// Once, marked; a second doubt is a person's.
async fn with_no_trace_it_is_sent_once_more_and_marked(db: &Db) {
    let first = doubtful(db, "hi").await;
    let (lease, deliver) = end_of_window(db).await;
    let after = db.store.write(op(&db.policy, &lease, &deliver, Trace::Absent)).await.unwrap();
    let Next::Work(Work::Deliver(again)) = after.next else { panic!("{after:?}") };
    assert_eq!((again.message, again.resends, &again.dedupe_key), (first.message, 1, &first.dedupe_key));
    assert_eq!(flags(db, &first).await, ["sending", "1", "1", "0"]);
    let wait = db.record(&lease, &again, retry(Fault::Transient)).await.after.next;
    assert_eq!(wait, Next::Wait(Some(db.now().plus(Duration::from_secs(300)))), "a plain retry keeps its schedule");
    db.pass(300);
    let (lease, again) = db.claim_send().await;
    db.record(&lease, &again, unknown()).await;
    let (lease, deliver) = end_of_window(db).await;
    db.store.write(op(&db.policy, &lease, &deliver, Trace::Absent)).await.unwrap();
    assert_eq!(flags(db, &first).await, ["held", "1", "1", "1"], "not a third time");
    assert_eq!(db.rows("SELECT kind FROM notification").await, [["send_held"]]);
    db.pass(100_000);
    db.idle().await;
}

async fn with_no_trace_and_the_choice_to_hold_a_person_decides(db: &Db) {
    let policy = Arc::new(Policy { on_unknown: OnUnknown::Hold, ..Policy::default() });
    let first = doubtful(db, "hi").await;
    let (lease, deliver) = end_of_window(db).await;
    let after = db.store.write(op(&policy, &lease, &deliver, Trace::Absent)).await.unwrap();
    assert_eq!(
        (after.next, flags(db, &first).await),
        (Next::Wait(None), vec!["held".into(), "0".into(), "0".into(), "1".into()])
    );
    db.store.write(store::outbox::Retry(first.message)).await.unwrap();
    let (lease, again) = db.claim_send().await;
    db.record(&lease, &again, accepted("o2")).await;
    assert_eq!(db.status_of(first.message).await, "sent");
}

/// A receipt came between the claim and the verdict.
async fn a_reconciler_that_comes_too_late_changes_nothing(db: &Db) {
    let first = doubtful(db, "hi").await;
    let (lease, deliver) = end_of_window(db).await;
    db.event(keyed("o1", Receipt::Delivered, &first.dedupe_key)).await;
    let after = db.store.write(op(&db.policy, &lease, &deliver, Trace::Absent)).await.unwrap();
    assert_eq!(after.next, Next::Wait(None));
    assert_eq!(flags(db, &first).await, ["delivered", "0", "0", "1"]);
}

/// RELIABILITY row 6: killed after the bytes may have left.
async fn a_send_cut_off_by_a_dead_process_is_in_doubt(db: &Db) {
    let (_, first) = db.sending("w1", PHONE, "hi").await;
    db.pass(120);
    db.idle().await;
    assert_eq!(flags(db, &first).await, ["unknown", "0", "0", "0"]);
    let (_, deliver) = end_of_window(db).await;
    assert_eq!((deliver.message, deliver.attempts), (first.message, 0));
    assert!(deliver.last_attempt_at.is_some(), "a time from which the journal is searched");
}

async fn a_draining_reconciler_leaves_the_resend_to_others(db: &Db) {
    let first = doubtful(db, "hi").await;
    let (lease, deliver) = end_of_window(db).await;
    let stop = Reconcile { stop: true, ..op(&db.policy, &lease, &deliver, Trace::Absent) };
    assert_eq!(db.store.write(stop).await.unwrap().next, Next::Wait(Some(db.now())));
    let (lease, again) = db.claim_send().await;
    assert_eq!((again.message, again.resends), (first.message, 1), "counted, so that it happens once");
    db.record(&lease, &again, unknown()).await;
    let (lease, deliver) = end_of_window(db).await;
    db.store.write(op(&db.policy, &lease, &deliver, Trace::Absent)).await.unwrap();
    assert_eq!(flags(db, &first).await[0], "held");
}

/// Green API has no key of ours: chat and text find the message, and only one in doubt.
async fn a_journal_notice_of_green_api_settles_chat_and_text(db: &Db) {
    let (lease, first) = db.sending_green("g1", PHONE, "hi").await;
    db.record(&lease, &first, unknown()).await;
    for (id, to, body) in [("x1", "971500000009", "hi"), ("x2", PHONE, "other words")] {
        db.accept(&db.green, vec![own_send(id, to, body)], 0).await;
        assert_eq!(flags(db, &first).await[0], "unknown", "{id} is another message");
    }
    let told = db.accept(&db.green, vec![own_send("x3", PHONE, "hi")], 0).await;
    assert!(told.waiting);
    assert_eq!(flags(db, &first).await, ["sent", "0", "0", "1"]);
    let again = db.accept(&db.green, vec![own_send("x3", PHONE, "hi")], 0).await;
    assert_eq!(again.duplicates, 1);
    db.accept(&db.green, vec![status("x3", Receipt::Read)], 0).await;
    assert_eq!(db.status_of(first.message).await, "read");
    db.pass(1000);
    db.idle().await;
}

async fn two_identical_texts_are_settled_one_by_one(db: &Db) {
    db.accept(&db.green, vec![crate::fixtures::message("g1", PHONE, "hello")], 0).await;
    let claimed = db.claim().await;
    let Next::Work(work) = db.finish(&claimed, &["hi", "hi"]).await.next else { panic!("the first is sent") };
    let first = deliver(&work).clone();
    db.record(&claimed.lease, &first, unknown()).await;
    db.accept(&db.green, vec![own_send("x1", PHONE, "hi")], 0).await;
    let (lease, second) = db.claim_send().await;
    assert_eq!((second.content.clone(), second.message > first.message), (say("hi"), true));
    assert_eq!(db.status_of(first.message).await, "sent");
    assert_eq!(db.status_of(second.message).await, "sending", "one notice settles one message");
    db.record(&lease, &second, unknown()).await;
    db.accept(&db.green, vec![own_send("x2", PHONE, "hi")], 0).await;
    assert_eq!(db.status_of(second.message).await, "sent");
    let ids = db.rows("SELECT provider_id FROM message WHERE direction = 'out' ORDER BY id").await;
    assert_eq!(ids, [["x1"], ["x2"]]);
}

/// I7: a receipt that comes after we gave up still counts.
async fn a_late_receipt_proves_a_held_message(db: &Db) {
    let (lease, first) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &first, rejected()).await;
    db.event(keyed("o1", Receipt::Delivered, &first.dedupe_key)).await;
    assert_eq!(db.status_of(first.message).await, "delivered");
}
