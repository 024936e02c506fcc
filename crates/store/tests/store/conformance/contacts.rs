//! Who wrote (S1.7).

use tokio::task::JoinSet;
use types::inbound::{Event, Identity, IdentityChange};
use types::outbound::Recipient;
use types::states::ConversationState;

use crate::fixtures::{PHONE, bsuid, inbound, message, other, phone, text};
use crate::support::{Db, accept_op};

for_each_database! {
    a_contact_is_found_by_any_of_its_ids,
    the_strongest_id_wins_where_two_name_different_people,
    two_messages_of_a_new_contact_at_once_make_one,
    changed_ids_are_linked_to_the_same_person,
    a_change_of_someone_unknown_is_only_recorded,
    the_address_follows_the_person,
    what_is_newly_said_of_a_person_is_learned,
    a_closed_conversation_gives_way_to_a_new_one,
    a_contact_who_opted_out_stays_so_in_a_new_conversation,
}

fn from(id: &str, who: Identity) -> Event {
    Event::Message(Box::new(inbound(id, who, text("hello"))))
}

fn both(id: &str, number: &str) -> Identity {
    Identity { bsuid: Some(id.into()), ..phone(number) }
}

/// Any id may be absent; the one that is there finds the person.
async fn a_contact_is_found_by_any_of_its_ids(db: &Db) {
    let steps = [
        ("the number first", phone(PHONE), 1),
        ("both: now the other id is known", both("AE.1", PHONE), 1),
        ("only the business-scoped id", bsuid("AE.1"), 1),
        ("a chat id that is neither", other("123@lid"), 2),
        ("again", other("123@lid"), 2),
        ("somebody else", phone("971500000002"), 3),
        ("the digits of a number are not a scoped id", bsuid("971500000002"), 4),
    ];
    for (n, (why, who, contacts)) in steps.into_iter().enumerate() {
        db.event(from(&format!("w{n}"), who)).await;
        let found = (db.count("contacts").await, db.count("lead").await, db.count("conversation").await);
        assert_eq!(found, (contacts, contacts, contacts), "{why}");
    }
}

/// A number changes hands: the scoped id says who it is, and the number is theirs from then on.
async fn the_strongest_id_wins_where_two_name_different_people(db: &Db) {
    db.event(from("w1", bsuid("AE.1"))).await;
    db.event(from("w2", phone(PHONE))).await;
    db.event(from("w3", both("AE.1", PHONE))).await;
    db.event(from("w4", phone(PHONE))).await;
    let by = db.rows("SELECT COUNT(DISTINCT contact_id) FROM contact_keys").await;
    assert_eq!(by, [["1"]], "both ids name the one person now");
    let counts = db.rows("SELECT COUNT(*) FROM message GROUP BY conversation_id ORDER BY conversation_id").await;
    assert_eq!(counts, [["3"], ["1"]], "the fourth message came from the holder of the number");
}

async fn two_messages_of_a_new_contact_at_once_make_one(db: &Db) {
    let mut all = JoinSet::new();
    for n in 0..20 {
        let op = accept_op(&db.meta, vec![from(&format!("w{n}"), both("AE.1", PHONE))], None, &db.policy);
        let store = db.store.clone();
        all.spawn(async move { store.write(op).await.unwrap() });
    }
    all.join_all().await;
    let counted = (db.count("contacts").await, db.count("lead").await, db.count("conversation").await);
    assert_eq!((counted, db.count("message").await), ((1, 1, 1), 20));
}

async fn changed_ids_are_linked_to_the_same_person(db: &Db) {
    db.event(from("w1", both("AE.1", PHONE))).await;
    let change = IdentityChange { before: bsuid("AE.1"), after: both("AE.2", "971500000777") };
    db.event(Event::IdentityChange(change)).await;
    assert_eq!(db.rows("SELECT phone, bsuid FROM contacts").await, [["971500000777", "AE.2"]]);
    for (n, who) in [bsuid("AE.2"), phone("971500000777"), bsuid("AE.1"), phone(PHONE)].into_iter().enumerate() {
        db.event(from(&format!("later{n}"), who)).await;
    }
    assert_eq!((db.count("contacts").await, db.count("conversation").await), (1, 1));
    assert_eq!(db.count("jobs").await, 5, "a change of ids is not answered");
}

async fn a_change_of_someone_unknown_is_only_recorded(db: &Db) {
    let change = IdentityChange { before: bsuid("AE.8"), after: bsuid("AE.9") };
    assert_eq!(db.event(Event::IdentityChange(change)).await.recorded, 1);
    assert_eq!((db.count("contacts").await, db.count("events").await), (0, 1));
}

/// A username user who shows a number is reached by it from then on, and not by the id again.
async fn the_address_follows_the_person(db: &Db) {
    let steps = [
        (bsuid("AE.1"), Recipient::Bsuid("AE.1".into())),
        (both("AE.1", PHONE), Recipient::Phone(PHONE.into())),
        (bsuid("AE.1"), Recipient::Phone(PHONE.into())),
        (both("AE.1", "971500000777"), Recipient::Phone("971500000777".into())),
    ];
    for (n, (who, address)) in steps.into_iter().enumerate() {
        db.event(from(&format!("w{n}"), who)).await;
        let claimed = db.claim().await;
        assert_eq!(claimed.snapshot.recipient, address, "step {n}");
        db.finish(&claimed, &[]).await;
    }
}

async fn what_is_newly_said_of_a_person_is_learned(db: &Db) {
    db.event(from("w1", phone(PHONE))).await;
    let named = Identity { name: Some("Mona".into()), username: Some("mona".into()), ..phone(PHONE) };
    db.event(from("w2", named)).await;
    db.event(from("w3", phone(PHONE))).await;
    assert_eq!(db.rows("SELECT name, username FROM contacts").await, [["Mona", "mona"]], "silence forgets nothing");
    assert_eq!(db.claim().await.snapshot.profile_name.as_deref(), Some("Mona"));
}

async fn a_closed_conversation_gives_way_to_a_new_one(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let first = db.claim().await;
    db.finish(&first, &[]).await;
    let close = store::conversations::SetState {
        conversation: first.lease.conversation,
        to: ConversationState::Closed,
        until: None,
        reason: "done".into(),
        actor: "mona".into(),
    };
    db.store.write(close).await.unwrap();
    db.event(message("w2", PHONE, "me again")).await;
    let second = db.claim().await;
    assert_ne!(second.lease.conversation, first.lease.conversation);
    assert_eq!((second.snapshot.lead, second.snapshot.contact), (first.snapshot.lead, first.snapshot.contact));
    assert_eq!(second.snapshot.memory, None);
}

/// S3.10: an opt-out is the person's, not the conversation's.
async fn a_contact_who_opted_out_stays_so_in_a_new_conversation(db: &Db) {
    db.message("w1", PHONE, "STOP").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, crate::support::turn(&claimed.work), &[]);
    op.finish.opted_out = Some(true);
    op.finish.state = Some((ConversationState::OptedOut, "STOP".into()));
    db.store.write(op).await.unwrap();
    db.accept(&db.green, vec![message("g1", PHONE, "hello there")], 0).await;
    let other = db.claim().await;
    assert_eq!(other.snapshot.state, ConversationState::OptedOut);
}
