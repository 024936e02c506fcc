//! Two leads that are one person are made one.

use store::StoreError;
use store::desk::acts::{Deed, Do};
use store::desk::leads::{Filter, Get, List};
use store::desk::merge::{Merge, Plan};
use store::desk::{Access, After, By, Lead, LeadStatus, leads};
use types::inbound::{Event, Identity};
use types::outbound::Recipient;
use types::states::ConversationState;
use types::{ConversationId, LeadId};

use crate::fixtures::{PHONE, bsuid, inbound, message, text};
use crate::support::Db;

for_each_database! {
    messages_by_either_address_reach_the_one,
    what_moves_is_said_before_and_moves_with_all_that_hangs_on_it,
    two_leads_of_one_contact_are_made_one,
    who_said_stop_by_one_address_has_said_it_by_both,
    what_cannot_be_merged_is_refused_and_nothing_moves,
}

const OTHER: &str = "971500000002";

fn by() -> By {
    By::system("test")
}

async fn answered(db: &Db, id: &str, from: &str) -> ConversationId {
    db.message(id, from, "hello").await;
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    claimed.lease.conversation
}

async fn lead_of(db: &Db, talk: ConversationId) -> LeadId {
    db.one(&format!("SELECT lead_id FROM conversation WHERE id = {talk}")).await.parse().unwrap()
}

fn plan(into: LeadId, from: LeadId) -> Plan {
    Plan { into, from, access: Access::All }
}

fn merge(into: LeadId, from: LeadId) -> Merge {
    Merge { plan: plan(into, from), by: by() }
}

async fn get(db: &Db, id: LeadId) -> Lead {
    db.store.read(Get { id, access: Access::All }).await.unwrap()
}

async fn learn(db: &Db, id: LeadId, change: leads::Change) {
    db.store.write(leads::Set { id, change, version: None, access: Access::All, by: by() }).await.unwrap();
}

async fn messages_by_either_address_reach_the_one(db: &Db) {
    let first = answered(db, "m1", PHONE).await;
    db.pass(1);
    let second = answered(db, "m2", OTHER).await;
    let (into, from) = (lead_of(db, first).await, lead_of(db, second).await);
    let done = db.store.write(merge(into, from)).await.unwrap();
    // The second wrote last: its conversation goes on.
    assert_eq!((done.closed, done.conversations, done.leads), (vec![first], 1, 1));
    for (n, address) in [PHONE, OTHER, PHONE].into_iter().enumerate() {
        db.message(&format!("later{n}"), address, "me again").await;
        let claimed = db.claim().await;
        assert_eq!((claimed.lease.conversation, claimed.snapshot.lead), (second, into), "by {address}");
        assert_eq!(claimed.snapshot.recipient, Recipient::Phone(address.into()), "they are answered where they write");
        db.finish(&claimed, &[]).await;
    }
    let counts = (db.count("contacts").await, db.count("lead").await, db.count("conversation").await);
    assert_eq!(counts, (1, 1, 2));
    assert_eq!(db.count("transitions WHERE to_state = 'closed'").await, 1);
}

async fn what_moves_is_said_before_and_moves_with_all_that_hangs_on_it(db: &Db) {
    let first = answered(db, "m1", PHONE).await;
    db.accept(&db.green, vec![message("g1", OTHER, "hello")], 0).await;
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    let second = claimed.lease.conversation;
    let (into, from) = (lead_of(db, first).await, lead_of(db, second).await);
    learn(db, into, leads::Change { name: Some("Sara".into()), ..leads::Change::default() }).await;
    let known =
        leads::Change { name: Some("S. Khan".into()), service: Some("golden visa".into()), ..leads::Change::default() };
    learn(db, from, known).await;
    let label = |id, labels: &[&str]| {
        let deed = Deed::Labels(labels.iter().map(|l| (*l).to_owned()).collect());
        Do { id, deed, reason: None, access: Access::All, by: by() }
    };
    db.store.write(label(second, &["vip"])).await.unwrap();
    let told = db.store.read(plan(into, from)).await.unwrap();
    assert_eq!(
        (told.fills.as_slice(), told.addresses.as_slice()),
        (&["service".to_owned()][..], &[OTHER.to_owned()][..])
    );
    assert_eq!((told.closed.len(), told.conversations, told.opted_out), (0, 1, false), "on two numbers both go on");
    assert_eq!(db.count("lead").await, 2, "nothing has moved yet");
    assert_eq!(db.store.write(merge(into, from)).await.unwrap(), told);
    let lead = get(db, into).await;
    assert_eq!((lead.name.as_deref(), lead.service.as_deref()), (Some("Sara"), Some("golden visa")));
    assert_eq!((lead.conversation_id, lead.labels.as_slice()), (Some(second), &["vip".to_owned()][..]));
    assert_eq!(lead.score, 60, "what is wanted, a name, and in touch just now");
    let filter = Filter { label: Some("vip".into()), owner: Some(0), opted_out: Some(false), ..Filter::default() };
    let list = |filter| List { tenant: db.meta.tenant, filter, after: After::NEWEST, limit: 5 };
    assert_eq!(db.store.read(list(filter)).await.unwrap().len(), 1);
    for none in [
        Filter { label: Some("vi".into()), ..Filter::default() },
        Filter { owner: Some(99), ..Filter::default() },
        Filter { opted_out: Some(true), ..Filter::default() },
        Filter { with_task: true, ..Filter::default() },
    ] {
        assert!(db.store.read(list(none)).await.unwrap().is_empty());
    }
    assert_eq!(
        db.rows("SELECT before, after FROM audit WHERE action = 'lead.merge'").await,
        [[from.to_string(), into.to_string()]]
    );
}

async fn two_leads_of_one_contact_are_made_one(db: &Db) {
    let talk = answered(db, "m1", PHONE).await;
    let old = lead_of(db, talk).await;
    learn(db, old, leads::Change { status: Some(LeadStatus::Won), ..leads::Change::default() }).await;
    let close = Do { id: talk, deed: Deed::Resolve, reason: None, access: Access::All, by: by() };
    db.store.write(close).await.unwrap();
    db.accept(&db.green, vec![message("g1", PHONE, "hello")], 0).await;
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    let new = claimed.snapshot.lead;
    assert_ne!(old, new);
    let done = db.store.write(merge(old, new)).await.unwrap();
    assert_eq!((done.leads, done.conversations, done.addresses.len()), (1, 1, 0));
    assert_eq!(get(db, old).await.status, LeadStatus::Open, "somebody still writes in it");
    assert_eq!(lead_of(db, claimed.lease.conversation).await, old);
}

async fn who_said_stop_by_one_address_has_said_it_by_both(db: &Db) {
    let first = answered(db, "m1", PHONE).await;
    db.accept(&db.green, vec![message("g1", OTHER, "hello")], 0).await;
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    let (into, from) = (lead_of(db, first).await, lead_of(db, claimed.lease.conversation).await);
    db.store.write(leads::Opt { id: from, out: true, access: Access::All, by: by() }).await.unwrap();
    assert!(db.store.write(merge(into, from)).await.unwrap().opted_out);
    assert!(get(db, into).await.opted_out_at.is_some());
    let states = db.rows("SELECT DISTINCT state FROM conversation").await;
    assert_eq!(states, [[ConversationState::OptedOut.to_string()]]);
}

async fn what_cannot_be_merged_is_refused_and_nothing_moves(db: &Db) {
    let (first, second) = (answered(db, "m1", PHONE).await, answered(db, "m2", OTHER).await);
    let (into, from) = (lead_of(db, first).await, lead_of(db, second).await);
    let refused = |done: store::Result<_>| matches!(done, Err(StoreError::Refused(_)));
    assert!(refused(db.store.write(merge(into, into)).await), "with itself");
    let mut grouped = inbound("m3", Identity::default(), text("hello"));
    grouped.group = Some("120363000000000001@g.us".into());
    db.accept(&db.meta, vec![Event::Message(Box::new(grouped))], 0).await;
    let group: LeadId = db.one("SELECT MAX(id) FROM lead").await.parse().unwrap();
    assert!(refused(db.store.write(merge(into, group)).await), "a group");
    db.message("m4", OTHER, "still there?").await;
    let busy = db.claim().await;
    assert!(refused(db.store.write(merge(into, from)).await), "while one of them is being answered");
    db.finish(&busy, &[]).await;
    let foreign = Plan { access: Access::Only([types::TenantId(4711)].into()), ..plan(into, from) };
    assert!(matches!(db.store.read(foreign).await, Err(StoreError::NotFound { .. })));
    assert_eq!(db.count("lead").await, 3);
    db.event(Event::Message(Box::new(inbound("m5", bsuid("AE.1"), text("hello"))))).await;
}
