//! The queue from outside: schedulers, figures, and messages of other programs (S2.7, S2.8, S4.9).

use serde_json::{Value, json};

use crate::support::{CRON, HELLO, PATIENCE, RUNNER, Setup, World};

const PHONE: &str = "971500000101";

/// S2.7: a node without a resident worker is driven by calls alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_outside_scheduler_drives_the_queue() {
    let world = Setup::default().no_worker().start().await;
    for n in 0..5 {
        world.accept(&world.meta.lead(&format!("97150000010{n}"), "Lina").text(HELLO)).await;
    }
    assert_eq!(world.one("SELECT COUNT(*) FROM jobs WHERE state = 'queued'").await, "5");
    assert_eq!(world.sim.accepted_count(), 0, "nobody works them by themselves");

    let (status, body) = world.get(&format!("/api/jobs/run-outbound?token={RUNNER}&max=2")).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["conversations"], &answer["still_queued"]), (200, &json!(2), &json!(3)), "{body}");
    assert_eq!(world.sim.accepted_count(), 2, "worked before the answer, not after it");

    let call = world.http.get(world.url("/api/cron/run-outbound-jobs")).bearer_auth(CRON);
    let answer: Value = call.send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["conversations"], &answer["still_queued"]), (&json!(3), &json!(0)));
    assert_eq!(world.sim.accepted_count(), 5);
}

/// S2.7, S2.8: each route opens with its own token, in the query or as Bearer, and with no other.
#[tokio::test(flavor = "multi_thread")]
async fn each_route_has_its_token() {
    let world = World::new().await;
    for (path, good, other) in [
        ("/api/jobs/run-outbound", RUNNER, CRON),
        ("/api/jobs/metrics", RUNNER, CRON),
        ("/api/cron/run-outbound-jobs", CRON, RUNNER),
    ] {
        assert_eq!(world.get(&format!("{path}?token={good}")).await.0, 200, "{path}");
        assert_eq!(world.http.get(world.url(path)).bearer_auth(good).send().await.unwrap().status(), 200, "{path}");
        for wrong in [other, "", &good[1..]] {
            let (status, body) = world.get(&format!("{path}?token={wrong}")).await;
            assert_eq!(status, 401, "{path} with {wrong:?}");
            assert!(!body.contains(good), "{body}");
        }
        assert_eq!(world.get(path).await.0, 401, "{path} without a token");
        assert_eq!(world.http.get(world.url(path)).bearer_auth(other).send().await.unwrap().status(), 401, "{path}");
    }
}

/// S2.7: without a configured token the routes are closed, not open.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_configured_token_the_routes_are_closed() {
    let world = World::new().await;
    let mut config = world.config();
    (config.jobs.runner_token, config.jobs.cron_token) = (None, None);
    config.store.url = barid_app::config::StoreUrl::Sqlite(world.dir.path().join("other.db"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = barid_app::wire::Start::default();
    let app = barid_app::wire::App::start_on(listener, &config, world.clock.clone(), start).await.unwrap();
    for path in ["/api/jobs/run-outbound", "/api/jobs/metrics", "/api/cron/run-outbound-jobs"] {
        for token in ["", RUNNER] {
            let url = format!("http://{}{path}?token={token}", app.address());
            let status = world.http.get(url).send().await.unwrap().status().as_u16();
            assert!((400..500).contains(&status), "{path} {status}");
        }
    }
    assert!(app.drain().await);
}

/// S2.8: the figures have their fields and count what happened.
#[tokio::test(flavor = "multi_thread")]
async fn the_figures_count_what_happened() {
    let world = World::new().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    assert_eq!(world.say("971500000102", HELLO).await, "sent");
    world.settled().await;
    let (_, body) = world.get(&format!("/api/jobs/metrics?token={RUNNER}")).await;
    let figures: Value = serde_json::from_str(&body).unwrap();
    for (field, want) in
        [("queued", 0.0), ("running", 0.0), ("failed_24h", 0.0), ("done_24h", 2.0), ("success_rate", 1.0)]
    {
        assert_eq!(figures[field].as_f64(), Some(want), "{field} in {body}");
    }
    let (mean, p95) = (figures["mean_processing_ms"].as_f64().unwrap(), figures["p95_processing_ms"].as_f64().unwrap());
    assert!(mean > 0.0 && p95 >= mean, "{body}");
}

/// S4.9: a message of another program goes out by the outbox, once for each key, and pauses the assistant.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_another_program_is_sent_once_for_each_key() {
    let world = World::new().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    let send = async |key: Option<&str>, token: &str, body: Value| {
        let mut request = world.http.post(world.url("/api/whatsapp-send")).bearer_auth(token).json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let body =
        json!({"action": "send_message", "to": "+971 50 000 0101", "message": "Your visa is ready", "user_id": 7});
    let (status, first) = send(Some("visa-1"), RUNNER, body.clone()).await;
    assert!((200..300).contains(&status), "{first}");
    let (_, second) = send(Some("visa-1"), RUNNER, body.clone()).await;
    assert_eq!(first["message_id"], second["message_id"]);
    assert_eq!(world.heard(PHONE, 2).await[1], "Your visa is ready");
    world.settled().await;
    assert_eq!(world.sent_to(PHONE).len(), 2, "the same key sends once");
    assert_eq!(world.one("SELECT state FROM conversation").await, "paused");
    assert_eq!(world.say_nothing(PHONE, "thank you").await, "no_response");
    let (_, third) = send(None, RUNNER, body.clone()).await;
    assert_ne!(first["message_id"], third["message_id"], "without a key each is a message of its own");
    assert_eq!(world.heard(PHONE, 3).await.len(), 3);

    // A new contact gets a conversation; what cannot be used is refused and says why.
    let new = json!({"action": "send_message", "to": "971500000777", "message": "hello"});
    assert!(send(None, RUNNER, new).await.0 < 300);
    assert_eq!(world.heard("971500000777", 1).await, ["hello"]);
    for (token, body, want) in [
        ("wrong", body.clone(), 401),
        (RUNNER, json!({"action": "delete", "to": PHONE, "message": "x"}), 400),
        (RUNNER, json!({"action": "send_message", "to": PHONE, "message": "  "}), 400),
        (RUNNER, json!({"action": "send_message", "to": "bla", "message": "x"}), 400),
        (RUNNER, json!({"action": "send_message", "conversation_id": "77", "message": "x"}), 404),
    ] {
        let (status, answer) = send(None, token, body.clone()).await;
        assert_eq!(status, want, "{body} gave {answer}");
    }
    assert!(world.sim.wait_accepted(4, PATIENCE).await);
}
