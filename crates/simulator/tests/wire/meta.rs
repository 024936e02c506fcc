//! The Cloud API over a real socket.

use crate::common::*;
use serde_json::{Value, json};
use simulator::{Event, Happened, Limits, Provider, SimulatorOptions};
use std::time::Duration;

#[tokio::test]
async fn a_text_is_accepted_and_in_the_ledger() {
    let sim = start(options()).await;
    let (status, body) = read(meta_send(&sim, &text("مرحبا \"you\"")).await.unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(body["messaging_product"], "whatsapp");
    assert_eq!(body["contacts"][0], json!({"input": LEAD, "wa_id": LEAD}));
    let ledger = sim.ledger();
    let send = &ledger[0];
    assert_eq!(ledger.len(), 1);
    assert_eq!(body["messages"][0]["id"], *send.provider_id);
    assert_eq!((send.order, send.provider, &*send.channel, &*send.to), (1, Provider::Meta, PNID, LEAD));
    assert_eq!((send.kind.as_str(), send.body.as_str()), ("text", "مرحبا \"you\""));
    assert_eq!(send.dedupe_key.as_deref(), Some("key of مرحبا \"you\""));
    assert_eq!(sim.accepted_count(), 1);
}

/// PROTOCOL.md 2: no idempotency; two identical POSTs are two messages.
#[tokio::test]
async fn the_same_post_twice_is_two_messages() {
    let sim = start(options()).await;
    for _ in 0..2 {
        meta_send(&sim, &text("hi")).await.unwrap();
    }
    let ledger = sim.ledger();
    assert_eq!(ledger.len(), 2);
    assert_ne!(ledger[0].provider_id, ledger[1].provider_id);
}

#[tokio::test]
async fn every_type_goes_through() {
    let sim = start(options()).await;
    for (kind, object) in [
        ("image", json!({"link": "https://example.com/a.jpg", "caption": "look"})),
        ("document", json!({"id": "1", "filename": "a.pdf"})),
        ("location", json!({"latitude": 25.2, "longitude": 55.3})),
        ("reaction", json!({"message_id": "wamid.x", "emoji": "👍"})),
        ("template", json!({"name": "hello", "language": {"code": "ar"}})),
        (
            "interactive",
            json!({"type": "button", "body": {"text": "?"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]}}),
        ),
    ] {
        let mut body = json!({"messaging_product": "whatsapp", "to": LEAD, "type": kind});
        body[kind] = object.clone();
        let (status, answer) = read(meta_send(&sim, &body).await.unwrap()).await;
        assert_eq!(status, 200, "{kind}: {answer}");
        let ledger = sim.ledger();
        let send = ledger.last().unwrap();
        assert_eq!(send.kind, kind);
        assert_eq!(serde_json::from_str::<Value>(&send.body).unwrap(), object);
    }
}

#[tokio::test]
async fn a_business_scoped_id_gets_no_wa_id() {
    let sim = start(options()).await;
    let body = json!({"messaging_product": "whatsapp", "recipient": "AE.1", "type": "text", "text": {"body": "hi"}});
    let (_, answer) = read(meta_send(&sim, &body).await.unwrap()).await;
    assert_eq!(answer["contacts"][0], json!({"input": "AE.1", "user_id": "AE.1"}));
}

/// PROTOCOL.md 2.1: codes of bad requests; nothing of them is accepted.
#[tokio::test]
async fn bad_requests_are_refused_in_metas_words() {
    let sim = start(options()).await;
    let post = |object: &str, token: &'static str, body: String| {
        let request = client().post(format!("{}/v25.0/{object}/messages", sim.base_url())).bearer_auth(token);
        async move { read(request.body(body).send().await.unwrap()).await }
    };
    let good = text("hi").to_string();
    for (object, token, body, status, code) in [
        (PNID, "wrong", good.clone(), 401, 190),
        ("999", "wrong", good.clone(), 401, 190),
        ("999", "meta-token", good.clone(), 400, 100),
        (PNID, "meta-token", "{".into(), 400, 100),
        (PNID, "meta-token", json!({"to": LEAD, "text": {"body": "hi"}}).to_string(), 400, 100),
        (PNID, "meta-token", text(&"x".repeat(4097)).to_string(), 400, 100),
    ] {
        let (got, answer) = post(object, token, body).await;
        assert_eq!((got, answer["error"]["code"].as_i64()), (status, Some(code)), "{object} {token}: {answer}");
    }
    let (_, answer) = post("999", "meta-token", good).await;
    assert_eq!(answer["error"]["error_subcode"], 33);
    assert_eq!(sim.accepted_count(), 0);
}

#[tokio::test]
async fn reading_and_typing_succeed_and_show() {
    let sim = start(options()).await;
    let body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x", "typing_indicator": {"type": "text"}});
    let (status, answer) = read(meta_send(&sim, &body).await.unwrap()).await;
    assert_eq!((status, answer), (200, json!({"success": true})));
    assert_eq!(sim.accepted_count(), 0);
    let events = sim.events(0, Duration::ZERO).await;
    assert!(
        matches!(&events[..], [Event { what: Happened::Read { of, typing: true, .. }, .. }] if of == "wamid.x"),
        "{events:?}"
    );
}

#[tokio::test]
async fn probes_answer_as_the_graph_does() {
    let sim = start(options()).await;
    let get = |path: String, token: &'static str| {
        let request = client().get(format!("{}/{path}", sim.base_url())).bearer_auth(token);
        async move { read(request.send().await.unwrap()).await }
    };
    let (status, answer) = get(format!("v25.0/{PNID}?fields=id"), "meta-token").await;
    assert_eq!(
        (status, answer["id"].as_str(), answer["display_phone_number"].as_str()),
        (200, Some(PNID), Some("+15550001000"))
    );
    assert!(answer["verified_name"].is_string());
    let (status, answer) = get(format!("v25.0/{WABA}/subscribed_apps"), "meta-token").await;
    assert_eq!(status, 200);
    assert!(answer["data"][0]["whatsapp_business_api_data"]["id"].is_string());
    assert_eq!(get(format!("v25.0/{PNID}"), "wrong").await.0, 401);
    assert_eq!(get(format!("v25.0/{WABA}/subscribed_apps"), "wrong").await.0, 401);
    assert_eq!(get("nonsense".into(), "meta-token").await.0, 400);
}

/// PROTOCOL.md 2: pair and number limits, when asked for.
#[tokio::test]
async fn limits_refuse_what_is_too_fast() {
    let pair = Limits { number_per_second: None, pair_every: Some(Duration::from_secs(6)), pair_burst: 2 };
    let sim = start(SimulatorOptions { limits: pair, ..options() }).await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(read(meta_send(&sim, &text("hi")).await.unwrap()).await.1["error"]["code"].as_i64());
    }
    assert_eq!(codes, [None, None, Some(131_056)]);
    assert_eq!(sim.accepted_count(), 2);

    let clock = types::clock::ShiftedClock::still(types::Timestamp::from_seconds(1));
    let number = Limits { number_per_second: Some(1), ..Limits::default() };
    let sim = start(SimulatorOptions { limits: number, clock: std::sync::Arc::new(clock), ..options() }).await;
    assert_eq!(meta_send(&sim, &text("hi")).await.unwrap().status(), 200);
    let (status, answer) = read(meta_send(&sim, &text("hi")).await.unwrap()).await;
    assert_eq!((status, answer["error"]["code"].as_i64()), (429, Some(130_429)));
}

#[tokio::test]
async fn two_numbers_of_one_id_do_not_start() {
    let twice = SimulatorOptions { meta: vec![number(), number()], ..options() };
    assert!(
        matches!(simulator::Simulator::start(twice).await, Err(simulator::StartError::BadChannel(id)) if id == PNID)
    );
}
