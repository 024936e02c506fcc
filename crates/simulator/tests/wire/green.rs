//! Green API over a real socket.

use std::time::Duration;

use crate::common::*;
use serde_json::{Value, json};
use simulator::{Provider, SimulatorOptions};

fn hi(text: &str) -> Value {
    json!({"chatId": CHAT, "message": text})
}

#[tokio::test]
async fn a_text_is_accepted_sent_and_in_the_journal() {
    let sim = start(options()).await;
    let (status, answer) = green(&sim, "sendMessage", Some(&hi("أهلا"))).await.unwrap();
    assert_eq!(status, 200);
    let id = answer["idMessage"].as_str().unwrap();
    let send = &sim.ledger()[0];
    assert_eq!(
        (send.provider, &*send.channel, &*send.to, send.body.as_str()),
        (Provider::Green, INSTANCE, CHAT, "أهلا")
    );
    assert_eq!(&*send.provider_id, id);
    let url = format!("{}/waInstance{INSTANCE}/lastOutgoingMessages/green-token?minutes=5", sim.base_url());
    let (_, journal) = read(client().get(url).send().await.unwrap()).await;
    assert_eq!(journal.as_array().unwrap().len(), 1);
    assert_eq!((journal[0]["idMessage"].as_str(), journal[0]["textMessage"].as_str()), (Some(id), Some("أهلا")));
    assert_eq!((journal[0]["sendByApi"].as_bool(), journal[0]["chatId"].as_str()), (Some(true), Some(CHAT)));
    let (status, found) = green(&sim, "getMessage", Some(&json!({"chatId": CHAT, "idMessage": id}))).await.unwrap();
    assert_eq!((status, found["textMessage"].as_str()), (200, Some("أهلا")));
    let (status, _) = green(&sim, "getMessage", Some(&json!({"chatId": CHAT, "idMessage": "none"}))).await.unwrap();
    assert_eq!(status, 400);
}

#[tokio::test]
async fn files_and_other_methods() {
    let sim = start(options()).await;
    let file = json!({"chatId": CHAT, "urlFile": "https://example.com/a.jpg", "fileName": "a.jpg", "caption": "look"});
    assert_eq!(green(&sim, "sendFileByUrl", Some(&file)).await.unwrap().0, 200);
    assert_eq!((sim.ledger()[0].kind.as_str(), sim.ledger()[0].body.as_str()), ("imageMessage", "look"));
    assert_eq!(green(&sim, "readChat", Some(&json!({"chatId": CHAT}))).await.unwrap().0, 200);
    assert_eq!(green(&sim, "getStateInstance", None).await.unwrap().1, json!({"stateInstance": "authorized"}));
    assert_eq!(green(&sim, "setSettings", Some(&json!({"webhookUrl": ""}))).await.unwrap().0, 200);
    assert_eq!(green(&sim, "getSettings", None).await.unwrap().1["wid"], "971500000900@c.us");
    assert_eq!(green(&sim, "showMessagesQueue", None).await.unwrap(), (200, json!([])));
    assert_eq!(green(&sim, "noSuchMethod", None).await.unwrap().0, 404);
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let sim = start(options()).await;
    let post = |path: &str, body: Value| {
        let request = client().post(format!("{}/{path}", sim.base_url())).json(&body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let send = format!("waInstance{INSTANCE}/sendMessage");
    for (path, body, status) in [
        (format!("{send}/wrong"), hi("hi"), 401),
        ("waInstance9/sendMessage/green-token".into(), hi("hi"), 403),
        (format!("{send}/green-token"), json!({"chatId": LEAD, "message": "hi"}), 400),
        (format!("{send}/green-token"), json!({"chatId": CHAT}), 400),
        (format!("{send}/green-token"), hi(&"x".repeat(20_001)), 400),
    ] {
        assert_eq!(post(&path, body.clone()).await, status, "{path}");
    }
    assert_eq!(sim.accepted_count(), 0);
}

/// PROTOCOL.md 4: a send may stand in the queue and not in the journal; that is how an ambiguous one is told.
#[tokio::test]
async fn a_sleeping_instance_queues_and_sends_on_waking() {
    let engine = Engine::start().await;
    let sim = start(SimulatorOptions { webhooks: engine.targets(), ..options() }).await;
    assert!(sim.set_instance_state(INSTANCE, "sleepMode", false));
    for text in ["one", "two"] {
        assert_eq!(green(&sim, "sendMessage", Some(&hi(text))).await.unwrap().0, 200);
    }
    let (_, queue) = green(&sim, "showMessagesQueue", None).await.unwrap();
    assert_eq!(
        (queue[0]["body"]["message"].as_str(), queue[1]["body"]["message"].as_str()),
        (Some("one"), Some("two"))
    );
    assert_eq!(green(&sim, "lastOutgoingMessages", None).await.unwrap().1, json!([]));
    assert_eq!(engine.got().len(), 0);
    sim.set_instance_state(INSTANCE, "authorized", false);
    assert_eq!(green(&sim, "showMessagesQueue", None).await.unwrap().1, json!([]));
    assert_eq!(green(&sim, "lastOutgoingMessages", None).await.unwrap().1.as_array().unwrap().len(), 2);
    assert!(sim.wait_statuses(Duration::from_secs(5)).await);
    assert_eq!(engine.got()[0].json()["messageData"]["textMessageData"]["textMessage"], "one");
}

#[tokio::test]
async fn an_instance_that_is_not_authorized_refuses() {
    let engine = Engine::start().await;
    let sim = start(SimulatorOptions { webhooks: engine.targets(), ..options() }).await;
    sim.set_instance_state(INSTANCE, "notAuthorized", true);
    let (status, answer) = green(&sim, "sendMessage", Some(&hi("hi"))).await.unwrap();
    assert_eq!(status, 400);
    assert!(answer["message"].as_str().unwrap().contains("not authorized"), "{answer}");
    assert_eq!(sim.accepted_count(), 0);
    assert!(sim.wait_statuses(Duration::from_secs(5)).await);
    assert_eq!(engine.got()[0].json()["stateInstance"], "notAuthorized");
}

#[tokio::test]
async fn the_journal_lags_when_told_to() {
    let sim = start(SimulatorOptions { journal_lag: Duration::from_secs(120), ..options() }).await;
    green(&sim, "sendMessage", Some(&hi("hi"))).await.unwrap();
    assert_eq!(green(&sim, "lastOutgoingMessages", None).await.unwrap().1, json!([]));
    assert_eq!(sim.accepted_count(), 1);
}

/// PROTOCOL.md 3: one notification at a time, in order; the same one again until it is answered with 200.
#[tokio::test]
async fn notifications_are_in_order_and_hold_the_line() {
    let engine = Engine::start().await;
    engine.answer([503, 500]);
    let sim = start(SimulatorOptions { webhooks: engine.targets(), ..options() }).await;
    green(&sim, "sendMessage", Some(&hi("one"))).await.unwrap();
    assert!(sim.wait_statuses(Duration::from_secs(5)).await);
    let kinds: Vec<(String, u16)> = engine
        .got()
        .iter()
        .map(|g| {
            let v = g.json();
            let word = v["status"].as_str().or(v["typeWebhook"].as_str()).unwrap_or_default().to_owned();
            (word, g.answered)
        })
        .collect();
    let own = "outgoingAPIMessageReceived";
    let want = [(own, 503), (own, 500), (own, 200), ("sent", 200), ("delivered", 200), ("read", 200)];
    assert_eq!(kinds, want.map(|(w, s)| (w.to_owned(), s)));
    let got = engine.got();
    assert!(got.iter().all(|g| g.headers["authorization"] == "Bearer hook-token"));
    assert_eq!(got[3].json()["idMessage"], *sim.ledger()[0].provider_id);
    assert_eq!(sim.stats().statuses_posted, 4);
}
