//! The janitor (S2.6).

use store::sweep::{Sweep, Swept};
use types::states::Receipt;
use types::{Fault, Timestamp};

use crate::fixtures::{PHONE, accepted, echo, message, retry, status};
use crate::support::Db;

for_each_database! {
    what_is_old_enough_is_forgotten,
    ended_pauses_end_on_the_record,
    expired_leases_are_freed,
    stuck_conversations_are_made_due,
    a_bound_is_kept_and_said,
}

async fn sweep(db: &Db, before: Timestamp, limit: u32) -> Swept {
    let op = Sweep { ids_before: before, events_before: before, jobs_before: before, limit };
    db.store.write(op).await.unwrap()
}

/// S1.6: ids are kept as long as asked, to the second; open jobs are kept however old.
async fn what_is_old_enough_is_forgotten(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, accepted("o1")).await;
    db.event(status("o1", Receipt::Read)).await;
    db.event(types::inbound::Event::Note { kind: "history".into() }).await;
    db.message("w2", "971500000002", "still open").await;
    let kept = sweep(db, db.now(), 100).await;
    assert_eq!(kept, Swept::default(), "what is exactly as old as the bound stays");
    db.pass(1);
    let gone = sweep(db, db.now(), 100).await;
    assert_eq!(gone, Swept { ids: 2, receipts: 1, events: 1, jobs: 1, ..Swept::default() });
    assert_eq!((db.count("message").await, db.count("jobs").await), (3, 1), "messages and open jobs stay");
    let again = db.event(message("w1", PHONE, "hello")).await;
    assert_eq!(again.messages.len(), 1, "a forgotten id is new again: why it is never under 8 days");
}

/// S3.10, S6.7: the record holds every change, the janitor's too.
async fn ended_pauses_end_on_the_record(db: &Db) {
    db.event(echo("e1", PHONE, "This is Mona")).await;
    db.pass(7199);
    assert_eq!(sweep(db, Timestamp::ZERO, 100).await.pauses, 0);
    db.pass(1);
    assert_eq!(sweep(db, Timestamp::ZERO, 100).await.pauses, 1);
    assert_eq!(db.rows("SELECT state, state_until FROM conversation").await, [["active", "-"]]);
    let record = db.rows("SELECT from_state, to_state FROM transitions ORDER BY id").await;
    assert_eq!(record, [["active", "paused"], ["paused", "active"]]);
}

async fn expired_leases_are_freed(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    db.claim().await;
    assert_eq!(sweep(db, Timestamp::ZERO, 100).await.leases, 0);
    db.pass(120);
    assert_eq!(sweep(db, Timestamp::ZERO, 100).await.leases, 1);
    assert_eq!(db.rows("SELECT lease_owner, lease_until FROM conversation").await, [["-", "0"]]);
    db.claim().await;
}

/// Work that nobody would come back to is found: a turn, a message to send; not one whose channel is stopped, nor one for later.
async fn stuck_conversations_are_made_due(db: &Db) {
    db.message("w1", "971500000001", "hello").await;
    let (lease, deliver) = db.reply("hi").await;
    db.record(&lease, &deliver, retry(Fault::Transient)).await;
    db.message("w2", "971500000002", "hello").await;
    db.set("UPDATE conversation SET next_due = NULL").await;
    db.idle().await;
    assert_eq!(sweep(db, Timestamp::ZERO, 100).await.stuck, 1, "the turn; the send is for later");
    db.claim().await;
    db.pass(60);
    assert_eq!(sweep(db, Timestamp::ZERO, 100).await.stuck, 1, "now the send");
    db.set("UPDATE conversation SET next_due = NULL").await;
    db.set("UPDATE jobs SET state = 'done'").await;
    db.set("UPDATE channels SET state = 'paused'").await;
    assert_eq!(sweep(db, Timestamp::ZERO, 100).await.stuck, 0);
}

async fn a_bound_is_kept_and_said(db: &Db) {
    for n in 0..5 {
        db.event(types::inbound::Event::Note { kind: format!("k{n}") }).await;
    }
    db.pass(1);
    let first = sweep(db, db.now(), 3).await;
    assert_eq!((first.events, first.more(3)), (3, true));
    let second = sweep(db, db.now(), 3).await;
    assert_eq!((second.events, second.more(3)), (2, false));
}
