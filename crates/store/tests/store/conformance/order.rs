//! Order within a conversation (promise 4, I6).

use std::time::Duration;

use store::Next;
use types::Fault;
use types::outbound::Outcome;

use crate::fixtures::{PHONE, accepted, keyed, message, pid, rejected, retry, say, unknown};
use crate::support::{Db, deliver, turn};

for_each_database! {
    messages_are_worked_in_the_order_they_came,
    a_later_message_waits_behind_the_retry_of_an_earlier,
    a_dead_letter_lets_the_next_message_pass,
    a_later_reply_waits_behind_an_earlier_that_is_retried,
    a_reply_that_failed_for_good_lets_the_next_pass,
    a_doubtful_reply_keeps_later_ones_behind_it,
    parts_of_a_long_reply_go_out_in_order,
    a_retry_holds_up_nobody_else,
}

async fn messages_are_worked_in_the_order_they_came(db: &Db) {
    for n in 1..=4 {
        db.message(&format!("w{n}"), PHONE, "hello").await;
    }
    let mut claimed = db.claim().await;
    let mut said = Vec::new();
    loop {
        let id = turn(&claimed.work).provider_id.0.clone();
        let after = db.finish(&claimed, &[&format!("to {id}")]).await;
        let Next::Work(work) = after.next else { panic!("{after:?}") };
        let sent = deliver(&work);
        said.push(sent.content.text().to_owned());
        match db.record(&claimed.lease, sent, accepted(&format!("out.{id}"))).await.after.next {
            Next::Work(work) => claimed.work = work,
            Next::Wait(at) => {
                assert_eq!(at, None);
                break;
            }
        }
    }
    assert_eq!(said, ["to w1", "to w2", "to w3", "to w4"]);
    assert_eq!(db.one("SELECT MAX(fence) FROM conversation").await, "1", "all of it under one lease");
}

async fn a_later_message_waits_behind_the_retry_of_an_earlier(db: &Db) {
    db.message("w1", PHONE, "first").await;
    let claimed = db.claim().await;
    db.message("w2", PHONE, "second").await;
    let after = db.fail(&claimed, Fault::Transient).await;
    assert_eq!(after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(1)))));
    db.idle().await;
    db.message("w3", PHONE, "third makes the conversation due, but not its turn").await;
    db.idle().await;
    db.pass(1);
    assert_eq!(turn(&db.claim().await.work).provider_id, pid("w1"));
}

async fn a_dead_letter_lets_the_next_message_pass(db: &Db) {
    db.message("w1", PHONE, "first").await;
    db.message("w2", PHONE, "second").await;
    let claimed = db.claim().await;
    let after = db.fail(&claimed, Fault::Permanent).await;
    let Next::Work(work) = after.next else { panic!("{after:?}") };
    assert_eq!(turn(&work).provider_id, pid("w2"));
}

/// Two replies are saved; the first is refused for now. The second must not overtake it.
async fn a_later_reply_waits_behind_an_earlier_that_is_retried(db: &Db) {
    let (lease, first) = db.sending("w1", PHONE, "one").await;
    db.message("w2", PHONE, "again").await;
    let recorded = db.record(&lease, &first, retry(Fault::Transient)).await;
    let Next::Work(work) = recorded.after.next else { panic!("{recorded:?}") };
    let second = store::Claimed { lease, snapshot: db_snapshot(db).await, work };
    let after = db.finish(&second, &["two"]).await;
    assert_eq!(after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(60)))));
    db.idle().await;
    db.pass(60);
    let (lease, again) = db.claim_send().await;
    assert_eq!(again.message, first.message);
    let Next::Work(work) = db.record(&lease, &again, accepted("o1")).await.after.next else { panic!("two comes next") };
    assert_eq!(deliver(&work).content, say("two"));
}

async fn db_snapshot(db: &Db) -> store::Snapshot {
    // The same rows as any claim of this conversation gives.
    let row = db.rows("SELECT tenant_id, channel_id, id, contact_id, lead_id FROM conversation").await.remove(0);
    let n = |i: usize| row[i].parse::<i64>().unwrap();
    store::Snapshot {
        tenant: types::TenantId(n(0)),
        channel: types::ChannelId(n(1)),
        conversation: types::ConversationId(n(2)),
        contact: types::ContactId(n(3)),
        lead: types::LeadId(n(4)),
        state: types::states::ConversationState::Active,
        state_until: None,
        memory: None,
        recipient: types::outbound::Recipient::Phone(PHONE.into()),
        profile_name: None,
    }
}

async fn a_reply_that_failed_for_good_lets_the_next_pass(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let Next::Work(first) = db.finish(&claimed, &["one", "two"]).await.next else { panic!("one is sent") };
    let recorded = db.record(&claimed.lease, deliver(&first), rejected()).await;
    let Next::Work(second) = recorded.after.next else { panic!("two is sent") };
    assert_eq!(deliver(&second).content, say("two"));
}

/// Until its fate is known nobody can say in which order they would arrive.
async fn a_doubtful_reply_keeps_later_ones_behind_it(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let Next::Work(first) = db.finish(&claimed, &["one", "two"]).await.next else { panic!("one is sent") };
    let first = deliver(&first).clone();
    let recorded = db.record(&claimed.lease, &first, unknown()).await;
    assert_eq!(recorded.after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(60)))));
    db.idle().await;
    let told = db.event(keyed("o1", types::states::Receipt::Sent, &first.dedupe_key)).await;
    assert!(told.waiting, "what waited behind it is due now");
    assert_eq!(db.claim_send().await.1.content, say("two"));
}

async fn parts_of_a_long_reply_go_out_in_order(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let parts = ["a", "b", "c"];
    let mut next = db.finish(&claimed, &parts).await.next;
    for (n, part) in parts.into_iter().enumerate() {
        let Next::Work(work) = next else { panic!("{part} is sent") };
        assert_eq!(deliver(&work).content, say(part));
        next = db.record(&claimed.lease, deliver(&work), accepted(&format!("o{n}"))).await.after.next;
    }
    assert_eq!(next, Next::Wait(None));
}

async fn a_retry_holds_up_nobody_else(db: &Db) {
    let (lease, first) = db.sending("w1", PHONE, "one").await;
    let refused = Outcome::Retry(types::Refusal::new(Fault::Transient, "refused"));
    db.record(&lease, &first, refused).await;
    db.event(message("w2", "971500000002", "hello")).await;
    assert_eq!(turn(&db.claim().await.work).provider_id, pid("w2"));
}
