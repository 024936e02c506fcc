//! Two tenants side by side, each with numbers of its own (S7.1).

use serde_json::Value;
use simulator::lead::{GreenSource, MetaSource, Status};
use simulator::{StatusKind, lead::Webhook};
use types::Clock;

use crate::support::{HELLO, INSTANCE_B, PNID, PNID_B, Setup, TENANT_B, World, instance, number};

const PHONE: &str = "971500000101";

async fn two() -> (World, MetaSource, GreenSource) {
    let world = Setup::default().silent().more(TENANT_B).start().await;
    let meta = MetaSource::new(&number(PNID_B, "secret-b", "meta-token-b"), world.clock.clone());
    let green = GreenSource::new(&instance(INSTANCE_B, "hook-b", "green-token-b"), world.clock.clone());
    (world, meta, green)
}

/// The same person writes to both: each answers in its own name through its own number, and neither sees the other's contact.
#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_answers_with_its_own_name_and_token() {
    let (world, meta_b, green_b) = two().await;
    for webhook in [
        world.meta.lead(PHONE, "Lina").text(HELLO),
        meta_b.lead(PHONE, "Lina").text(HELLO),
        world.green.lead(PHONE, "Lina").text(HELLO),
        green_b.lead(PHONE, "Lina").text(HELLO),
    ] {
        assert_eq!(world.ask(&webhook).await["response_sent"], "sent");
    }
    let names: Vec<_> = world
        .sent_to(PHONE)
        .iter()
        .map(|a| {
            let own = a.body.contains("Noura") && a.body.contains("Al Ain");
            let other = a.body.contains("Salem") && a.body.contains("Oasis");
            (a.channel.to_string(), own, other)
        })
        .collect();
    let want = [(PNID, true, false), (PNID_B, false, true), ("1101000001", true, false), (INSTANCE_B, false, true)];
    assert_eq!(names, want.map(|(c, a, b)| (c.to_owned(), a, b)));
    let per_tenant =
        "SELECT t.slug, COUNT(*) FROM contacts c JOIN tenants t ON t.id = c.tenant_id GROUP BY 1 ORDER BY 1";
    assert_eq!(world.rows(per_tenant).await, ["alain|1", "oasis|1"]);
    let mixed = "SELECT COUNT(*) FROM message m JOIN conversation v ON v.id = m.conversation_id WHERE m.tenant_id <> v.tenant_id";
    assert_eq!(world.one(mixed).await, "0");
}

/// A status of A's message, id and key, posted to B's number by B's own signature, changes nothing of A's.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_to_another_tenants_number_changes_nothing() {
    let (world, meta_b, _) = two().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    let sent = world.sent_to(PHONE).remove(0);
    let at = world.clock.now().seconds();
    for (kind, key) in [(StatusKind::Read, true), (StatusKind::Delivered, false), (StatusKind::Failed, true)] {
        let dedupe_key = sent.dedupe_key.as_deref().filter(|_| key);
        let status =
            Status { provider_id: &sent.provider_id, kind, to: PHONE, dedupe_key, at, template: false, error: None };
        world.accept(&meta_b.statuses(&[status])).await;
    }
    assert_eq!(world.one("SELECT status FROM message WHERE direction = 'out'").await, "sent");
    assert_eq!(world.one("SELECT COUNT(*) FROM receipts WHERE message_id IS NOT NULL").await, "0");
}

/// The same message id on two numbers is two messages: ids are unique per channel.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_on_two_numbers_is_two_messages() {
    let (world, meta_b, _) = two().await;
    for webhook in [
        world.meta.lead(PHONE, "Lina").with_id("wamid.same").text(HELLO),
        meta_b.lead(PHONE, "Lina").with_id("wamid.same").text(HELLO),
    ] {
        assert_eq!(world.accept(&webhook).await["accepted"], 1);
    }
    world.settled().await;
    assert_eq!(world.sent_to(PHONE).len(), 2);
}

/// S1.1: one body may hold several tenants' messages where one app secret signs for both; each goes its own way.
#[tokio::test(flavor = "multi_thread")]
async fn one_body_may_hold_messages_of_two_tenants() {
    let env = [("BARID__TENANTS__1__CHANNELS__0__APP_SECRET", "test_app_secret")];
    let world = Setup::default().silent().more(TENANT_B).env(&env).start().await;
    let meta_b = MetaSource::new(&number(PNID_B, "test_app_secret", "meta-token-b"), world.clock.clone());
    let bodies = [world.meta.lead(PHONE, "Lina").text(HELLO), meta_b.lead("971500000102", "Omar").text(HELLO)];
    let mut both: Vec<Value> = bodies.iter().map(|w: &Webhook| serde_json::from_slice(&w.body).unwrap()).collect();
    let second = both.remove(1);
    both[0]["entry"].as_array_mut().unwrap().push(second["entry"][0].clone());
    let webhook = world.meta.sign("", "", serde_json::to_vec(&both[0]).unwrap());
    assert_eq!(world.accept(&webhook).await["accepted"], 2);
    world.settled().await;
    assert_eq!(&*world.sent_to(PHONE)[0].channel, PNID);
    assert_eq!(&*world.sent_to("971500000102")[0].channel, PNID_B);
    assert!(world.sent_to("971500000102")[0].body.contains("Salem"));
}

/// One tenant's expired token stops nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn one_tenants_trouble_is_not_the_others() {
    let (world, meta_b, _) = two().await;
    let expired =
        simulator::Rule { channel: Some(PNID.into()), ..simulator::Rule::always(simulator::Fault::TokenExpired) };
    world.sim.push_fault(expired);
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    assert_eq!(world.ask(&meta_b.lead(PHONE, "Lina").text(HELLO)).await["response_sent"], "sent");
    let notices = "SELECT t.slug FROM notification n JOIN tenants t ON t.id = n.tenant_id";
    assert_eq!(world.rows(notices).await, ["alain"]);
}
