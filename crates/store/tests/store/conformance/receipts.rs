//! What providers report (S4.6): in any order, as often as they like, and never back.

use proptest::prelude::*;
use types::inbound::{Event, ReportedError, StatusReport};
use types::states::{MessageStatus, Receipt};

use crate::fixtures::{PHONE, accepted, keyed, report, retry, status};
use crate::support::{Backend, Db, runtime};

for_each_database! {
    a_status_is_kept_once_by_id_status_and_participant,
    a_status_that_overtakes_our_own_answer_is_kept_and_applied,
    a_failure_that_overtakes_our_own_answer_keeps_its_reason,
    a_key_settles_what_is_still_being_sent,
    a_retry_that_was_overtaken_by_a_receipt_is_not_tried_again,
    times_are_kept_for_each_tick,
    an_unknown_word_is_kept,
    a_status_of_another_number_is_not_ours,
    participants_of_a_group_report_each,
    every_order_of_statuses_ends_alike,
    a_failure_and_a_late_sent_is_a_failure,
    the_failure_of_another_copy_fails_nothing,
    a_retry_asked_for_while_an_answer_is_awaited_is_made,
}

fn rank(status: &str) -> u8 {
    match status {
        "sent" => 1,
        "delivered" => 2,
        "read" => 3,
        "played" => 4,
        _ => 0,
    }
}

async fn sent(db: &Db, n: usize) -> types::MessageId {
    let (lease, deliver) = db.sending(&format!("w{n}"), &format!("9715{n:07}"), "hi").await;
    db.record(&lease, &deliver, accepted(&format!("o{n}"))).await;
    deliver.message
}

async fn a_status_is_kept_once_by_id_status_and_participant(db: &Db) {
    let id = sent(db, 1).await;
    let of = |participant: Option<&str>| {
        Event::Status(StatusReport { participant: participant.map(Into::into), ..report("o1", Receipt::Delivered) })
    };
    for (event, fresh) in [(of(None), 1), (of(None), 0), (of(Some("a")), 1), (of(Some("a")), 0), (of(Some("b")), 1)] {
        assert_eq!(db.event(event).await.recorded, fresh);
    }
    assert_eq!((db.count("receipts").await, db.status_of(id).await), (3, "delivered".into()));
    assert_eq!(db.count("receipts WHERE message_id IS NULL").await, 0);
}

/// RELIABILITY row 18.
async fn a_status_that_overtakes_our_own_answer_is_kept_and_applied(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    for receipt in [Receipt::Read, Receipt::Sent, Receipt::Delivered] {
        assert_eq!(db.event(status("o1", receipt)).await.recorded, 1);
    }
    assert_eq!(db.status_of(deliver.message).await, "sending", "nothing says yet that this is ours");
    let recorded = db.record(&lease, &deliver, accepted("o1")).await;
    assert_eq!((recorded.status, db.status_of(deliver.message).await), (MessageStatus::Read, "read".into()));
    assert_eq!(db.count("receipts WHERE message_id IS NULL").await, 0);
}

/// The person who looks at a failed message must find why.
async fn a_failure_that_overtakes_our_own_answer_keeps_its_reason(db: &Db) {
    let error = Some(ReportedError { code: Some(131_026), title: "Undeliverable".into() });
    for (n, with_key) in [false, true].into_iter().enumerate() {
        let (lease, deliver) = db.sending(&format!("w{n}"), &format!("97150000000{n}"), "hi").await;
        let dedupe_key = with_key.then(|| deliver.dedupe_key.clone());
        let id = format!("o{n}");
        db.event(Event::Status(StatusReport { error: error.clone(), dedupe_key, ..report(&id, Receipt::Failed) }))
            .await;
        let recorded = db.record(&lease, &deliver, accepted(&id)).await;
        assert_eq!(recorded.status, MessageStatus::Failed);
        let row = format!("SELECT status, error_code, error FROM message WHERE id = {}", deliver.message);
        assert_eq!(db.rows(&row).await, [["failed", "131026", "Undeliverable"]], "with our key: {with_key}");
    }
}

async fn a_key_settles_what_is_still_being_sent(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.event(keyed("o1", Receipt::Delivered, &deliver.dedupe_key)).await;
    assert_eq!(db.status_of(deliver.message).await, "delivered");
    let recorded = db.record(&lease, &deliver, accepted("o1")).await;
    assert_eq!(recorded.status, MessageStatus::Delivered, "our own answer does not take it back");
    assert_eq!(db.count("attempts").await, 1);
}

/// Our request broke, but the receipt is there already: nothing is sent again.
async fn a_retry_that_was_overtaken_by_a_receipt_is_not_tried_again(db: &Db) {
    let outcomes = [retry(types::Fault::Transient), crate::fixtures::unknown(), crate::fixtures::rejected()];
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let (lease, deliver) = db.sending(&format!("w{n}"), &format!("97150000000{n}"), "hi").await;
        db.event(keyed(&format!("o{n}"), Receipt::Sent, &deliver.dedupe_key)).await;
        let recorded = db.record(&lease, &deliver, outcome).await;
        assert_eq!(recorded.status, MessageStatus::Sent);
        assert_eq!(db.due_of(deliver.message).await, "-");
    }
    db.pass(100_000);
    db.idle().await;
}

async fn times_are_kept_for_each_tick(db: &Db) {
    let id = sent(db, 1).await;
    for receipt in [Receipt::Delivered, Receipt::Read] {
        db.pass(10);
        let at = Some(db.now());
        db.event(Event::Status(StatusReport { at, ..report("o1", receipt) })).await;
    }
    let base = crate::support::START.micros();
    let row = format!(
        "SELECT (sent_at - {base}) / 1000000, (delivered_at - {base}) / 1000000, (read_at - {base}) / 1000000 FROM message WHERE id = {id}"
    );
    assert_eq!(db.rows(&row).await, [["0", "10", "20"]]);
    let (lease, deliver) = db.sending("w2", PHONE, "hi").await;
    db.event(keyed("o2", Receipt::Failed, &deliver.dedupe_key)).await;
    db.record(&lease, &deliver, crate::fixtures::rejected()).await;
    let row = format!("SELECT sent_at, delivered_at FROM message WHERE id = {}", deliver.message);
    assert_eq!(db.rows(&row).await, [["-", "-"]], "what failed was not sent");
}

async fn an_unknown_word_is_kept(db: &Db) {
    let id = sent(db, 1).await;
    let odd = StatusReport { receipt: None, word: "warning".into(), ..report("o1", Receipt::Sent) };
    assert_eq!(db.event(Event::Status(odd)).await.recorded, 1);
    assert_eq!(
        (db.one("SELECT status FROM receipts").await, db.status_of(id).await),
        ("warning".into(), "sent".into())
    );
}

async fn a_status_of_another_number_is_not_ours(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, accepted("o1")).await;
    db.accept(&db.green, vec![status("o1", Receipt::Read), keyed("o9", Receipt::Read, &deliver.dedupe_key)], 0).await;
    assert_eq!(db.status_of(deliver.message).await, "sent");
}

/// S4.6: the receipts of a group are kept for each participant.
async fn participants_of_a_group_report_each(db: &Db) {
    let id = sent(db, 1).await;
    for (participant, receipt) in [("a", Receipt::Delivered), ("b", Receipt::Delivered), ("a", Receipt::Read)] {
        let one = StatusReport { participant: Some(participant.into()), ..report("o1", receipt) };
        assert_eq!(db.event(Event::Status(one)).await.recorded, 1);
    }
    let failed = StatusReport { participant: Some("c".into()), ..report("o1", Receipt::Failed) };
    db.event(Event::Status(failed)).await;
    let kept = db.rows("SELECT participant, status FROM receipts ORDER BY participant, status").await;
    assert_eq!(kept, [["a", "delivered"], ["a", "read"], ["b", "delivered"], ["c", "failed"]]);
    assert_eq!(db.status_of(id).await, "read");
}

/// Every order of the four ticks, before and after our own answer: the best one wins.
async fn every_order_of_statuses_ends_alike(db: &Db) {
    let ticks = [Receipt::Sent, Receipt::Delivered, Receipt::Read, Receipt::Played];
    let mut n = 0;
    for order in permutations(&ticks) {
        for before in [0, 2, 4] {
            n += 1;
            let (lease, deliver) = db.sending(&format!("w{n}"), &format!("9715{n:07}"), "hi").await;
            let id = format!("o{n}");
            let (early, late) = order.split_at(before);
            db.accept(&db.meta, early.iter().map(|r| status(&id, *r)).collect(), 0).await;
            db.record(&lease, &deliver, accepted(&id)).await;
            db.accept(&db.meta, late.iter().map(|r| status(&id, *r)).collect(), 0).await;
            assert_eq!(db.status_of(deliver.message).await, "played", "{order:?}, {before} before our answer");
        }
    }
    assert_eq!(n, 72);
}

/// Meta says `sent`, then `failed`. Reversed on the way, the message has failed all the same: `sent` proves no arrival.
async fn a_failure_and_a_late_sent_is_a_failure(db: &Db) {
    let mut n = 0;
    for order in permutations(&[Receipt::Sent, Receipt::Failed]) {
        for before in [0, 1, 2] {
            n += 1;
            let (lease, deliver) = db.sending(&format!("w{n}"), &format!("9715{n:07}"), "hi").await;
            let id = format!("o{n}");
            let (early, late) = order.split_at(before);
            db.accept(&db.meta, early.iter().map(|r| status(&id, *r)).collect(), 0).await;
            db.record(&lease, &deliver, accepted(&id)).await;
            db.accept(&db.meta, late.iter().map(|r| status(&id, *r)).collect(), 0).await;
            assert_eq!(db.status_of(deliver.message).await, "failed", "{order:?}, {before} before our answer");
        }
    }
}

/// A message sent twice has two ids at Meta and one key: the copy that failed says nothing of the one that arrived.
async fn the_failure_of_another_copy_fails_nothing(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, accepted("second-copy")).await;
    assert_eq!(db.event(keyed("first-copy", Receipt::Failed, &deliver.dedupe_key)).await.recorded, 1);
    assert_eq!(db.status_of(deliver.message).await, "sent");
    db.event(keyed("first-copy", Receipt::Delivered, &deliver.dedupe_key)).await;
    assert_eq!(db.status_of(deliver.message).await, "delivered", "but that it arrived says all");
}

/// The receipt says failed, a person retries at once, and only then our first request is answered, whatever it says.
async fn a_retry_asked_for_while_an_answer_is_awaited_is_made(db: &Db) {
    let answers =
        [accepted("o0"), retry(types::Fault::Transient), crate::fixtures::unknown(), crate::fixtures::rejected()];
    for (n, answer) in answers.into_iter().enumerate() {
        let (lease, deliver) = db.sending(&format!("w{n}"), &format!("97150000000{n}"), "hi").await;
        db.event(keyed(&format!("o{n}"), Receipt::Failed, &deliver.dedupe_key)).await;
        db.store.write(store::outbox::Retry(deliver.message)).await.unwrap();
        let recorded = db.record(&lease, &deliver, answer.clone()).await;
        let store::Next::Work(work) = recorded.after.next else { panic!("the retry comes next after {answer:?}") };
        db.record(&lease, crate::support::deliver(&work), accepted(&format!("again{n}"))).await;
        assert_eq!(db.status_of(deliver.message).await, "sent", "{answer:?}");
    }
}

fn permutations(of: &[Receipt]) -> Vec<Vec<Receipt>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (n, first) in of.iter().enumerate() {
        let rest: Vec<_> = of.iter().enumerate().filter(|(i, _)| *i != n).map(|(_, r)| *r).collect();
        all.extend(permutations(&rest).into_iter().map(|mut tail| {
            tail.insert(0, *first);
            tail
        }));
    }
    all
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Report(Receipt, Option<u8>),
    Keyed(Receipt),
    Answer,
}

fn step() -> impl Strategy<Value = Step> {
    let receipt = || {
        prop_oneof![
            Just(Receipt::Sent),
            Just(Receipt::Delivered),
            Just(Receipt::Read),
            Just(Receipt::Played),
            Just(Receipt::Failed)
        ]
    };
    prop_oneof![
        6 => (receipt(), proptest::option::of(0..2_u8)).prop_map(|(r, p)| Step::Report(r, p)),
        2 => receipt().prop_map(Step::Keyed),
        1 => Just(Step::Answer),
    ]
}

/// I7 on one database, many messages: after every step the status has not gone back, and in the end the best report stands.
async fn one_life(db: &Db, n: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    let (lease, deliver) = db.sending(&format!("w{n}"), &format!("9715{n:07}"), "hi").await;
    let id = format!("o{n}");
    let (mut answered, mut best, mut last) = (false, 0, 0);
    for one in steps.iter().chain([&Step::Answer]) {
        let event = match *one {
            Step::Answer if answered => continue,
            Step::Answer => {
                answered = true;
                db.record(&lease, &deliver, accepted(&id)).await;
                best = best.max(1);
                None
            }
            Step::Report(receipt, who) => {
                let participant = who.map(|w| format!("p{w}"));
                best = best.max(rank(receipt.as_str()));
                Some(Event::Status(StatusReport { participant, ..report(&id, receipt) }))
            }
            Step::Keyed(receipt) => {
                best = best.max(rank(receipt.as_str()));
                Some(keyed(&id, receipt, &deliver.dedupe_key))
            }
        };
        if let Some(event) = event {
            db.event(event).await;
        }
        let now = db.status_of(deliver.message).await;
        prop_assert!(rank(&now) >= last || now == "failed" && last <= 1, "{last} went back to {now} at {one:?}");
        last = rank(&now);
    }
    let end = db.status_of(deliver.message).await;
    prop_assert!(rank(&end) == best || best <= 1 && end == "failed", "ends as {end}, reported was {best}");
    prop_assert_eq!(db.count("receipts WHERE message_id IS NULL").await, 0, "nothing stays parked");
    prop_assert_eq!(db.due_of(deliver.message).await, "-");
    Ok(())
}

/// S4.6, I7: any order, any repetition, before and after our own answer, with and without our key.
#[test]
fn statuses_in_any_order_never_move_a_message_back() {
    let runtime = runtime();
    for backend in Backend::available() {
        let db = runtime.block_on(Db::open(backend));
        let count = std::cell::Cell::new(0);
        let cases = if backend == Backend::Sqlite { 96 } else { 32 };
        let config = ProptestConfig { failure_persistence: None, cases, ..ProptestConfig::default() };
        proptest!(config, |(steps in proptest::collection::vec(step(), 1..10))| {
            count.set(count.get() + 1);
            runtime.block_on(one_life(&db, count.get(), &steps))?;
        });
        runtime.block_on(db.end());
    }
}
