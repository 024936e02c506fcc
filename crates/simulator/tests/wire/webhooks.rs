//! Webhooks on their way to the engine: Meta's statuses, the posting client, and the control surface.

use std::collections::HashSet;
use std::time::Duration;

use crate::common::*;
use ring::hmac;
use serde_json::{Value, json};
use simulator::client::WebhookClient;
use simulator::lead::{GreenSource, MetaSource};
use simulator::{Backoff, Event, Happened, SimulatorOptions, StatusPlan};

const PATIENCE: Duration = Duration::from_secs(20);

fn kinds(statuses: &[(String, String, String)], id: &str) -> Vec<String> {
    statuses.iter().filter(|s| s.0 == id).map(|s| s.1.clone()).collect()
}

/// S4.4, S4.6: sent, delivered, read, with our key, signed over the very bytes.
#[tokio::test]
async fn statuses_follow_a_send() {
    let engine = Engine::start().await;
    let plan = StatusPlan { batch: 1, delay: Duration::from_millis(30), ..StatusPlan::default() };
    let sim = start(SimulatorOptions { webhooks: engine.targets(), statuses: plan, ..options() }).await;
    meta_send(&sim, &text("hi")).await.unwrap();
    assert!(sim.wait_statuses(PATIENCE).await);
    let statuses = engine.statuses();
    assert_eq!(kinds(&statuses, &sim.ledger()[0].provider_id), ["sent", "delivered", "read"]);
    assert!(statuses.iter().all(|s| s.2 == "key of hi"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"app-secret");
    for got in engine.got() {
        let proof = got.headers["x-hub-signature-256"].to_str().unwrap().strip_prefix("sha256=").unwrap().to_owned();
        hmac::verify(&key, &got.body, &hex::decode(proof).unwrap()).unwrap();
    }
    let events = sim.events(0, Duration::ZERO).await;
    let shown = events.iter().filter(|e| matches!(e.what, Happened::Status { .. })).count();
    assert_eq!(shown, 3);
}

/// PROTOCOL.md 1.4: what is not answered with 200 comes again; the engine was down, then sick, and misses nothing.
#[tokio::test]
async fn statuses_wait_for_an_engine_that_is_down_and_none_is_lost() {
    let engine = Engine::start().await;
    let (targets, address) = (engine.targets(), engine.address);
    drop(engine);
    let sim = start(SimulatorOptions { webhooks: targets, ..options() }).await;
    for n in 0..50 {
        assert_eq!(meta_send(&sim, &text(&n.to_string())).await.unwrap().status(), 200, "a send must not wait");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(sim.stats().statuses_waiting, 150);
    let engine = Engine::at(address).await;
    engine.answer([500, 503, 404]);
    assert!(sim.wait_statuses(PATIENCE).await);
    let statuses = engine.statuses();
    for send in sim.ledger() {
        let got: HashSet<String> = kinds(&statuses, &send.provider_id).into_iter().collect();
        assert_eq!(got.len(), 3, "{send:?}: {got:?}");
    }
    assert_eq!((sim.stats().statuses_posted, sim.stats().statuses_lost), (150, 0));
}

#[tokio::test]
async fn what_cannot_wait_is_counted_as_lost() {
    let engine = Engine::start().await;
    let targets = engine.targets();
    drop(engine);
    let plan = StatusPlan { capacity: 6, ..StatusPlan::default() };
    let sim = start(SimulatorOptions { webhooks: targets, statuses: plan, ..options() }).await;
    for _ in 0..3 {
        meta_send(&sim, &text("hi")).await.unwrap();
    }
    assert_eq!((sim.stats().statuses_waiting, sim.stats().statuses_lost), (6, 3));

    let impatient = Backoff { give_up: Duration::from_millis(50), ..Backoff::BRISK };
    let engine = Engine::start().await;
    let targets = engine.targets();
    drop(engine);
    let sim = start(SimulatorOptions { webhooks: targets, meta_retry: impatient, ..options() }).await;
    meta_send(&sim, &text("hi")).await.unwrap();
    assert!(sim.wait_statuses(PATIENCE).await);
    assert_eq!(sim.stats().statuses_lost, 3);
}

#[tokio::test]
async fn duplicates_and_disorder_when_asked_for() {
    let engine = Engine::start().await;
    let plan = StatusPlan { duplicate: 1.0, shuffle: true, delay: Duration::from_millis(5), ..StatusPlan::default() };
    let sim = start(SimulatorOptions { webhooks: engine.targets(), statuses: plan, ..options() }).await;
    for _ in 0..20 {
        meta_send(&sim, &text("hi")).await.unwrap();
    }
    assert!(sim.wait_statuses(PATIENCE).await);
    let statuses = engine.statuses();
    assert_eq!(statuses.len(), 120);
    let ordered = ["sent", "sent", "delivered", "delivered", "read", "read"];
    assert!(sim.ledger().iter().any(|s| kinds(&statuses, &s.provider_id) != ordered));
}

#[tokio::test]
async fn a_world_without_targets_keeps_nothing_waiting() {
    let sim = start(options()).await;
    meta_send(&sim, &text("hi")).await.unwrap();
    green(&sim, "sendMessage", Some(&json!({"chatId": CHAT, "message": "hi"}))).await.unwrap();
    assert_eq!((sim.stats().accepted, sim.stats().statuses_waiting), (2, 0));
}

#[tokio::test]
async fn the_posting_client_repeats_until_200_and_keeps_its_ledger() {
    let engine = Engine::start().await;
    let url = format!("http://{}/hook", engine.address);
    let clock: types::SharedClock = std::sync::Arc::new(types::SystemClock);
    let client = WebhookClient::new(&url, Backoff::BRISK).unwrap();
    engine.answer([503, 401]);
    let webhook = MetaSource::new(&number(), clock.clone()).lead(LEAD, "Amina").text("hi");
    assert_eq!(client.deliver(&webhook).await.unwrap(), 3);
    let got = engine.got();
    assert!(got.iter().all(|g| g.body == webhook.body), "the whole POST is repeated");
    assert_eq!(
        client.acknowledged().iter().map(|a| (a.id.clone(), a.chat.clone())).collect::<Vec<_>>(),
        [(webhook.id.clone(), LEAD.to_owned())]
    );

    // Green API: the second waits behind the first.
    let client = WebhookClient::new(&url, Backoff::BRISK).unwrap();
    engine.answer([500]);
    let source = GreenSource::new(&instance(), clock);
    let (one, two) = (source.lead(LEAD, "Amina").text("one"), source.lead(LEAD, "Amina").text("two"));
    let (a, b) = tokio::join!(client.deliver(&one), client.deliver(&two));
    assert_eq!((a.unwrap(), b.unwrap()), (2, 1));
    let ids: Vec<String> = client.acknowledged().into_iter().map(|a| a.id).collect();
    assert_eq!(ids, [one.id, two.id]);

    let down = engine.address;
    drop(engine);
    let impatient = Backoff { give_up: Duration::from_millis(60), ..Backoff::BRISK };
    let client = WebhookClient::new(&format!("http://{down}/hook"), impatient).unwrap();
    let gave_up = client.deliver(&webhook).await.unwrap_err();
    assert!(gave_up.attempts >= 2, "{gave_up}");
    assert!(client.acknowledged().is_empty());
}

async fn sim_post(sim: &simulator::Simulator, path: &str, body: &Value) -> (u16, Value) {
    read(client().post(format!("{}/_sim/{path}", sim.base_url())).json(body).send().await.unwrap()).await
}

async fn sim_get(sim: &simulator::Simulator, path: &str) -> Value {
    read(client().get(format!("{}/_sim/{path}", sim.base_url())).send().await.unwrap()).await.1
}

#[tokio::test]
async fn a_chat_over_the_control_surface() {
    let engine = Engine::start().await;
    let sim = start(options()).await;
    let (status, answer) = sim_post(&sim, "webhooks", &serde_json::to_value(engine.targets()).unwrap()).await;
    assert_eq!((status, answer), (200, json!({"ok": true})));
    let lead = |channel: &str, kind: &str| json!({"channel": channel, "phone": LEAD, "name": "Amina", "text": "hi", "kind": kind, "of": "X"});
    for channel in [PNID, INSTANCE] {
        for kind in ["text", "image", "voice", "document", "button", "reaction", "location", "edit", "revoke", "staff"]
        {
            let (status, posted) = sim_post(&sim, "lead", &lead(channel, kind)).await;
            assert_eq!((status, posted["status"].as_u64()), (200, Some(200)), "{channel} {kind}: {posted}");
        }
    }
    assert_eq!(engine.got().len(), 20);
    assert!(engine.got().iter().all(|g| g.json().is_object()));
    let (status, posted) = sim_post(&sim, "lead", &lead("999", "text")).await;
    assert_eq!(status, 400, "{posted}");
    assert_eq!(sim_post(&sim, "lead", &lead(PNID, "telepathy")).await.0, 400);

    let seen = sim.last_event();
    let waiting = sim_get(&sim, &format!("events?after={seen}&wait_ms=50")).await;
    assert_eq!(waiting, json!([]), "nothing happens");
    meta_send(&sim, &text("answer")).await.unwrap();
    let events: Vec<Event> = serde_json::from_value(sim_get(&sim, &format!("events?after={seen}")).await).unwrap();
    assert!(matches!(&events[0].what, Happened::Accepted(a) if a.body == "answer"));
    assert_eq!(sim_get(&sim, "ledger").await[0]["body"], "answer");
    assert_eq!(sim_get(&sim, "stats").await["accepted"], 1);
    let channels = sim_get(&sim, "channels").await;
    assert_eq!(channels.as_array().unwrap().len(), 2);
    assert!(!channels.to_string().contains("token"));
}

#[tokio::test]
async fn faults_and_states_over_the_control_surface() {
    let sim = start(options()).await;
    let rule = json!({"fault": "refuse", "http": 500, "code": 1, "message": "no", "when": {"next": 1}});
    assert_eq!(sim_post(&sim, "faults", &json!([rule])).await.0, 200);
    assert_eq!(sim_post(&sim, "faults", &json!({"fault": "drop_before", "when": "always"})).await.0, 200);
    assert_eq!(sim_post(&sim, "faults", &json!({"fault": "earthquake", "when": "always"})).await.0, 400);
    assert_eq!(sim_get(&sim, "faults").await.as_array().unwrap().len(), 2);
    assert_eq!(meta_send(&sim, &text("hi")).await.unwrap().status(), 500);
    assert!(meta_send(&sim, &text("hi")).await.is_err());
    assert_eq!(sim_post(&sim, "clear", &json!({})).await.0, 200);
    assert_eq!(meta_send(&sim, &text("hi")).await.unwrap().status(), 200);
    let state = json!({"instance": INSTANCE, "state": "blocked"});
    assert_eq!(sim_post(&sim, "instance", &state).await.0, 200);
    assert_eq!(green(&sim, "getStateInstance", None).await.unwrap().1["stateInstance"], "blocked");
    assert_eq!(sim_post(&sim, "instance", &json!({"instance": "9", "state": "blocked"})).await.0, 400);
    assert_eq!(client().get(format!("{}/_sim/nothing", sim.base_url())).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_lead_that_found_nobody_is_repeated_when_asked() {
    let engine = Engine::start().await;
    let (targets, address) = (engine.targets(), engine.address);
    drop(engine);
    let sim = start(SimulatorOptions { webhooks: targets, ..options() }).await;
    for channel in [PNID, INSTANCE] {
        let order = json!({"channel": channel, "phone": LEAD, "text": "anybody?", "repeat": true});
        let (status, posted) = sim_post(&sim, "lead", &order).await;
        assert_eq!((status, posted["status"].as_u64()), (200, None));
    }
    let engine = Engine::at(address).await;
    let came = async {
        while engine.got().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, came).await.unwrap();
}

#[tokio::test]
async fn stopping_closes_the_door() {
    let sim = start(options()).await;
    meta_send(&sim, &text("hi")).await.unwrap();
    sim.stop().await;
    assert!(meta_send(&sim, &text("hi")).await.is_err());
    let again = SimulatorOptions { listen: sim.address(), ..options() };
    let sim = start(again).await;
    assert_eq!(meta_send(&sim, &text("hi")).await.unwrap().status(), 200);
}
