//! The outbox's own rules (S4.1, S4.5, S4.9).

use std::sync::Arc;
use std::time::Duration;

use store::outbox::{Postpone, SendMessage};
use store::{Next, StoreError};
use tokio::task::JoinSet;
use types::states::ConversationState;
use types::{ConversationId, RequestId};

use crate::fixtures::{PHONE, accepted, say};
use crate::support::{Broken, Db, turn};

for_each_database! {
    a_message_of_a_person_is_saved_and_due,
    the_same_idempotency_key_sends_once,
    who_opted_out_is_not_written_to,
    a_first_message_to_a_number_opens_its_conversation,
    postponing_uses_no_attempt_up,
    the_key_is_unique_in_the_database_itself,
    a_failure_while_recording_leaves_the_send_in_doubt,
}

fn send(conversation: ConversationId, key: &str, body: &str) -> SendMessage {
    SendMessage {
        conversation,
        content: say(body),
        idempotency_key: key.into(),
        request_id: RequestId("r".into()),
        pause: None,
        actor: "api".into(),
    }
}

async fn conversation(db: &Db) -> ConversationId {
    let op = store::views::OpenConversation { door: db.meta.clone(), phone: PHONE.into() };
    db.store.write(op).await.unwrap()
}

async fn a_message_of_a_person_is_saved_and_due(db: &Db) {
    let id = conversation(db).await;
    let message = db.store.write(send(id, "k1", "Your papers are ready")).await.unwrap();
    let (lease, deliver) = db.claim_send().await;
    assert_eq!((deliver.message, deliver.in_reply_to), (message, None));
    assert_eq!(deliver.dedupe_key.0, format!("{id}:api:k1"));
    db.record(&lease, &deliver, accepted("o1")).await;
    assert_eq!(db.rows("SELECT sender, status FROM message").await, [["HUMAN", "sent"]]);
    let e = db.store.write(send(ConversationId(4), "k", "x")).await.unwrap_err();
    assert!(matches!(e, StoreError::NotFound { .. }), "{e}");
}

/// S4.9: `Idempotency-Key`, also when all come at once.
async fn the_same_idempotency_key_sends_once(db: &Db) {
    let id = conversation(db).await;
    let mut all = JoinSet::new();
    for _ in 0..10 {
        let (store, op) = (db.store.clone(), send(id, "k1", "once"));
        all.spawn(async move { store.write(op).await.unwrap() });
    }
    let mut ids = all.join_all().await;
    ids.dedup();
    assert_eq!((ids.len(), db.count("outbox").await), (1, 1), "all callers get the one message");
    let other = db.store.write(send(id, "k2", "once")).await.unwrap();
    assert_ne!(other, ids[0]);
}

async fn who_opted_out_is_not_written_to(db: &Db) {
    db.message("w1", PHONE, "STOP").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &[]);
    op.finish.opted_out = Some(true);
    op.finish.state = Some((ConversationState::OptedOut, "STOP".into()));
    db.store.write(op).await.unwrap();
    let e = db.store.write(send(claimed.lease.conversation, "k", "news")).await.unwrap_err();
    assert!(matches!(e, StoreError::Refused(_)), "{e}");
    assert_eq!(db.count("outbox").await, 0);
}

async fn a_first_message_to_a_number_opens_its_conversation(db: &Db) {
    let id = conversation(db).await;
    assert_eq!(conversation(db).await, id, "and finds it the next time");
    db.message("w1", PHONE, "hello").await;
    assert_eq!(db.claim().await.lease.conversation, id, "the person's answer lands in it");
    assert_eq!(db.rows("SELECT phone FROM lead").await, [[PHONE]]);
}

/// S4.5: waiting is not failing.
async fn postponing_uses_no_attempt_up(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    let wait = Duration::from_secs(6);
    let op = Postpone { lease, message: deliver.message, wait, why: None, stop: false, policy: Arc::clone(&db.policy) };
    let after = db.store.write(op).await.unwrap();
    assert_eq!(after.next, Next::Wait(Some(db.now().plus(wait))));
    assert_eq!((db.status_of(deliver.message).await, db.count("attempts").await), ("pending".into(), 0));
    db.pass(6);
    assert_eq!(db.claim_send().await.1.attempts, 0);
}

/// S4.1: not only our code keeps the key unique.
async fn the_key_is_unique_in_the_database_itself(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, accepted("o1")).await;
    let copy = format!(
        "INSERT INTO outbox SELECT (SELECT MIN(id) FROM message), tenant_id, channel_id, conversation_id, dedupe_key, due_at,
                attempts, resends, last_attempt_at, created_at FROM outbox WHERE message_id = {}",
        deliver.message
    );
    let e = db.store.write(crate::support::statement(&copy)).await.unwrap_err();
    assert!(matches!(e, StoreError::Statement { .. }) && e.to_string().to_lowercase().contains("unique"), "{e}");
}

/// S4.2: the attempt, the status and the lease's return are one transaction; broken, the message still counts as being sent.
async fn a_failure_while_recording_leaves_the_send_in_doubt(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    let op = db.record_op(&lease, &deliver, accepted("o1"));
    let mut after = 0;
    while let Err(e) = db.store.write(Broken { op: op.clone(), after }).await {
        assert_eq!(e.to_string(), "as told");
        assert_eq!((db.status_of(deliver.message).await, db.count("attempts").await), ("sending".into(), 0));
        after += 1;
    }
    assert!(after > 5, "{after}");
    assert_eq!(db.status_of(deliver.message).await, "sent");
}
