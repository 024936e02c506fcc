//! Who answers (S3.10), and the record of every change (S6.7).

use std::time::Duration;

use store::conversations::SetState;
use store::outbox::SendMessage;
use store::{Next, Pauses, StoreError};
use types::inbound::Event;
use types::states::{ConversationState, MessageStatus};
use types::{ConversationId, Fault, RequestId, TenantId};

use crate::fixtures::{PHONE, accepted, echo, phone, retry, say};
use crate::support::Db;

for_each_database! {
    an_echo_pauses_and_holds_what_was_not_sent,
    an_echo_of_our_own_message_is_ignored,
    an_echo_that_overtakes_our_own_answer_is_ours,
    a_reaction_by_staff_pauses_nothing,
    a_handover_pauses_until_it_comes_back,
    a_person_moves_a_conversation_and_illegal_moves_are_refused,
    a_person_who_writes_holds_the_assistants_reply,
}

async fn state(db: &Db) -> Vec<String> {
    let start = db.now().micros();
    db.rows(&format!("SELECT state, (state_until - {start}) / 1000000 FROM conversation")).await.remove(0)
}

/// S1.4, S3.10: staff answered from their phone, so the assistant's own reply is held and a person can send it.
async fn an_echo_pauses_and_holds_what_was_not_sent(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, retry(Fault::Transient)).await;
    let heard = db.event(echo("e1", PHONE, "This is Mona")).await;
    assert_eq!((heard.recorded, heard.messages.len()), (1, 0));
    assert_eq!(state(db).await, ["paused", "7200"]);
    assert_eq!((db.status_of(deliver.message).await, db.due_of(deliver.message).await), ("held".into(), "-".into()));
    assert_eq!(db.rows("SELECT from_state, to_state, actor FROM transitions").await, [["active", "paused", "phone"]]);
    assert_eq!(db.one("SELECT body FROM message WHERE sender = 'HUMAN'").await, "This is Mona");
    db.pass(3600);
    db.idle().await;
    assert_eq!(db.event(echo("e1", PHONE, "This is Mona")).await.duplicates, 1);
    assert_eq!(state(db).await, ["paused", "3600"], "a repeated echo prolongs nothing");
    db.store.write(store::outbox::Retry(deliver.message)).await.unwrap();
    db.claim_send().await;
}

/// S1.4: on some numbers what we sent comes back as an echo; it is known by its id.
async fn an_echo_of_our_own_message_is_ignored(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.record(&lease, &deliver, accepted("wamid.ours")).await;
    let heard = db.event(echo("wamid.ours", PHONE, "hi")).await;
    assert_eq!((heard.recorded, heard.duplicates), (0, 1));
    assert_eq!(state(db).await, ["active", "-"]);
    assert_eq!(db.count("message WHERE direction = 'out'").await, 1);
}

/// The echo of our own message may come before the answer to our request: while that very text is under way to that very chat, it is
/// ours, not a person's.
async fn an_echo_that_overtakes_our_own_answer_is_ours(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "hi").await;
    db.event(echo("wamid.ours", PHONE, "hi")).await;
    assert_eq!(state(db).await, ["active", "-"]);
    let recorded = db.record(&lease, &deliver, accepted("wamid.ours")).await;
    assert_eq!(recorded.status, MessageStatus::Sent);
    assert_eq!(db.count("message WHERE direction = 'out'").await, 1);
}

async fn a_reaction_by_staff_pauses_nothing(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let Event::Echo(mut reaction) = echo("e1", PHONE, "") else { unreachable!() };
    reaction.content = types::inbound::Content::Reaction { emoji: Some("👍".into()) };
    db.event(Event::Echo(reaction)).await;
    assert_eq!(state(db).await, ["active", "-"]);
}

/// S1.4: another application took the conversation, and gave it back.
async fn a_handover_pauses_until_it_comes_back(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    db.event(Event::Handover { from: phone(PHONE), ours: false }).await;
    assert_eq!(state(db).await, ["paused", "7200"]);
    db.event(Event::Handover { from: phone(PHONE), ours: true }).await;
    assert_eq!(state(db).await, ["active", "-"]);
    assert_eq!(db.count("transitions").await, 2);
}

async fn a_person_moves_a_conversation_and_illegal_moves_are_refused(db: &Db) {
    use ConversationState::{Active, Closed, HandedOver, OptedOut, Paused};
    db.message("w1", PHONE, "hello").await;
    let conversation: ConversationId = db.one("SELECT id FROM conversation").await.parse().unwrap();
    let until = Some(db.now().plus(Duration::from_secs(60)));
    let set = |to, until| {
        let (reason, actor) = ("asked".to_owned(), "mona".to_owned());
        db.store.write(SetState { conversation, to, until, reason, actor })
    };
    set(Paused, until).await.unwrap();
    set(Paused, Some(db.now().plus(Duration::from_secs(90)))).await.unwrap();
    assert_eq!(state(db).await, ["paused", "90"], "a pause can be prolonged");
    set(Active, None).await.unwrap();
    set(HandedOver, None).await.unwrap();
    set(OptedOut, None).await.unwrap();
    let e = set(Paused, None).await.unwrap_err();
    assert!(matches!(e, StoreError::Illegal(_)), "{e}");
    set(Closed, None).await.unwrap();
    assert!(set(Active, None).await.is_err(), "what is closed stays closed");
    assert_eq!(db.count("transitions").await, 5);
    let missing = SetState {
        conversation: ConversationId(7),
        to: Paused,
        until: None,
        reason: String::new(),
        actor: String::new(),
    };
    let e = db.store.write(missing).await.unwrap_err();
    assert!(matches!(e, StoreError::NotFound { .. }), "{e}");
}

/// S3.10: a person answers in the page while the assistant's reply waits: theirs goes out, the other is held, as long as this tenant says.
async fn a_person_who_writes_holds_the_assistants_reply(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "robot").await;
    db.record(&lease, &deliver, retry(Fault::Transient)).await;
    let seconds = Duration::from_secs;
    let pauses = Pauses::new([(TenantId(1), seconds(60)), (db.meta.tenant, seconds(600))]);
    let op = SendMessage {
        conversation: lease.conversation,
        content: say("person"),
        idempotency_key: "k".into(),
        request_id: RequestId("r".into()),
        pause: Some(pauses),
        actor: "mona".into(),
    };
    db.store.write(op).await.unwrap();
    assert_eq!(state(db).await, ["paused", "600"]);
    assert_eq!(db.status_of(deliver.message).await, "held");
    let (lease, theirs) = db.claim_send().await;
    assert_eq!(theirs.content, say("person"));
    let after = db.record(&lease, &theirs, accepted("wamid.p")).await.after;
    assert_eq!(after.next, Next::Wait(None));
}
