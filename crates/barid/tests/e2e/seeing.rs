//! Health, metrics and logs: what operators see, and what nobody may see in them (S6.4, S6.5, S7.2).

use serde_json::Value;
use simulator::{Fault, Rule};

use crate::support::{HELLO, RUNNER, World, logged};

/// S6.4: alive, ready, and their twins under `/wa-webhook`.
#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_it_looked_at() {
    let world = World::new().await;
    assert_eq!(world.get("/livez").await, (200, "ok\n".to_owned()));
    assert_eq!(world.get("/readyz").await, (200, "ok\n".to_owned()));
    world.sim.push_fault(Rule::always(Fault::TokenExpired));
    assert_eq!(world.say("971500000101", HELLO).await, "saved_only");
    for path in ["/readyz?verbose", "/wa-webhook/health?verbose"] {
        let (status, body) = world.get(path).await;
        let health: Value = serde_json::from_str(&body).unwrap();
        // A paused channel is shown, and takes no node out of service: it still accepts.
        assert_eq!((status, &health["status"], &health["database"]), (200, &"ok".into(), &"ok".into()), "{body}");
        assert_eq!(
            (&health["channels"][0]["ok"], &health["channels"][1]["ok"]),
            (&false.into(), &true.into()),
            "{body}"
        );
        assert!(health["channels"][0]["reason"].as_str().is_some_and(|r| r.contains("token")), "{body}");
    }
    let json = world.http.get(world.url("/readyz")).header("accept", "application/json").send().await.unwrap();
    assert_eq!(json.json::<Value>().await.unwrap()["draining"], false);
}

/// Appendix B: every name that the engine can fill by now, as Prometheus text and with dots as JSON.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_their_names_in_both_forms() {
    let world = World::new().await;
    let webhook = world.meta.lead("971500000101", "Lina").text("how much is a golden visa?");
    assert_eq!(world.ask(&webhook).await["response_sent"], "sent");
    assert_eq!(world.accept(&webhook).await["duplicates"], 1);
    world.settled().await;
    let (_, text) = world.get("/metrics").await;
    for name in [
        "whatsapp_messages_received_total{tenant=\"alain\",channel=\"meta\",type=\"text\"}",
        "message_duplicate_total",
        "webhook_ack_seconds_bucket{channel=\"meta\"",
        "message_processing_seconds_count",
        "inbound_to_reply_seconds_sum",
        "ai_intent_detected_total{intent=",
        "whatsapp_send_total{channel=\"meta\",outcome=\"sent\"}",
        "send_ambiguous_total{resolved_by=\"resend\"}",
        "outbound_sanitized_total",
        "jobs{state=\"queued\"}",
        "job_lag_seconds",
        "leases_expired_total",
        "store_commit_seconds_count",
        "store_group_size_sum",
        "db_up 1",
        "build_info{version=",
    ] {
        assert!(text.lines().any(|l| l.starts_with(name)), "{name} is missing in\n{text}");
    }
    let json =
        world.http.get(world.url("/wa-webhook/metrics")).header("accept", "application/json").send().await.unwrap();
    let json: Value = json.json().await.unwrap();
    for name in [
        "whatsapp.messages.received{tenant:alain,channel:meta,type:text}",
        "whatsapp.send{channel:meta,outcome:sent}",
        "db.up",
        "message.duplicate",
    ] {
        assert!(json[name].as_f64().is_some_and(|v| v >= 1.0), "{name} is missing in\n{json:#}");
    }
}

/// S6.5: every line of a message's way, from the webhook to the send, has the request and the message.
#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_messages_way_has_its_request_and_its_message() {
    let world = World::new().await;
    world.sim.push_fault(Rule::next(1, Fault::DropAnswer));
    let webhook = world.meta.lead("971500000101", "Lina").text(HELLO);
    let request = world.request(&webhook).header("x-request-id", "way-of-one-message").header("prefer", "wait=20");
    assert_eq!(request.send().await.unwrap().status(), 200);
    world.settled().await;
    let message = world.one("SELECT id FROM message WHERE direction = 'in'").await;
    let conversation = world.one("SELECT id FROM conversation").await;
    let logged = logged();
    let lines: Vec<Value> = logged.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let at_least_info = |l: &&Value| l["level"] != "DEBUG";
    let says = |l: &Value, field: &str, want: &str| {
        l[field].as_str().map_or_else(|| l[field].to_string(), str::to_owned) == want
    };
    let way: Vec<_> =
        lines.iter().filter(at_least_info).filter(|l| says(l, "conversation_id", &conversation)).collect();
    let texts: Vec<_> = way.iter().map(|l| l["message"].as_str().unwrap_or_default()).collect();
    for line in &way {
        assert!(says(line, "request_id", "way-of-one-message"), "{line}");
        assert!(says(line, "inbound_message_id", &message), "{line}");
    }
    for text in ["message accepted", "turn finished", "nobody knows whether it arrived; waiting for a receipt"] {
        assert!(texts.contains(&text), "{text} is missing in {texts:?}");
    }
    assert_eq!(world.one("SELECT request_id FROM jobs").await, "way-of-one-message");
    assert_eq!(world.one("SELECT request_id FROM message WHERE direction = 'out'").await, "way-of-one-message");
}

/// S7.2, RELIABILITY 23: a text, a number, a name and every token go through good ways and bad ones, and stand in no log, metric or refusal.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_nothing_personal_is_logged_measured_or_answered() {
    const PHONE: &str = "971509998877";
    const LONG_TOKEN: &str = "EAAGcanary0tokenZCx8Jb3ZBdlq4Y7wq0mZAqH1";
    const CANARIES: [&str; 12] = [
        PHONE,
        LONG_TOKEN,
        "canary-text-7d1f",
        "Zanzibara",
        "test_app_secret",
        "meta-token-a",
        "green-token-a",
        "hook-a",
        "verify-a",
        RUNNER,
        crate::support::CRON,
        "sha256=",
    ];
    let world = World::new().await;
    let mut answers = Vec::new();
    let faults = [
        Fault::Refuse { http: 400, code: 131_026, message: "no route to 971509998877".into(), retry_after_s: None },
        Fault::Refuse {
            http: 400,
            code: 100,
            message: format!("Malformed access token {LONG_TOKEN}"),
            retry_after_s: None,
        },
        Fault::DropAnswer,
        Fault::DropBefore,
        Fault::ServerError { accepted: false },
        Fault::AnswerGarbage,
        Fault::TokenExpired,
    ];
    for fault in faults {
        world.sim.push_fault(Rule::next(1, fault));
        for webhook in [
            world.meta.lead(PHONE, "Zanzibara").text("canary-text-7d1f how much?"),
            world.green.lead(PHONE, "Zanzibara").text("canary-text-7d1f how much?"),
        ] {
            // What the assistant says may repeat the person's words; that answer goes to the provider alone.
            assert_eq!(world.post(&webhook).await, 200);
        }
        world.until("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')", "0").await;
    }
    world.change("UPDATE conversation SET memory = '{\"canary-text-7d1f' WHERE id > 0").await;
    for webhook in [
        world.meta.lead(PHONE, "Zanzibara").text("canary-text-7d1f once more"),
        world.meta.sign("", "", b"{\"canary-text-7d1f\": nonsense 971509998877".to_vec()),
        world.green.phone_message(PHONE, "canary-text-7d1f from staff"),
    ] {
        answers.push(world.request(&webhook).send().await.unwrap().text().await.unwrap());
    }
    let forged = simulator::lead::Webhook {
        proof: "sha256=00".into(),
        ..world.meta.lead(PHONE, "Zanzibara").text("canary-text-7d1f")
    };
    answers.push(world.request(&forged).send().await.unwrap().text().await.unwrap());
    answers.push(world.get("/api/whatsapp-send?token=wrong").await.1);
    answers.push(world.get("/api/webhooks/whatsapp?hub.mode=subscribe&hub.verify_token=x&hub.challenge=y").await.1);
    answers.push(world.get(&format!("/api/jobs/metrics?token={RUNNER}")).await.1);
    answers.push(world.get("/metrics").await.1);
    answers.push(world.get("/readyz?verbose").await.1);
    world.until("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')", "0").await;
    for answer in answers {
        for canary in CANARIES {
            assert!(!answer.contains(canary), "{canary} stands in an answer: {answer}");
        }
    }
    let logged = logged();
    assert!(logged.lines().count() > 20);
    // Only what Barid says of itself: libraries are silenced by the default filter.
    for line in logged.lines().filter(|l| l.contains("\"target\":\"barid") || !l.contains("\"DEBUG\"")) {
        for canary in CANARIES {
            assert!(!line.contains(canary), "{canary} stands in the log: {line}");
        }
    }
    let reasons = world.rows("SELECT error FROM attempts WHERE error IS NOT NULL").await;
    assert!(reasons.len() >= 5);
    for reason in reasons {
        for canary in CANARIES {
            assert!(!reason.contains(canary), "{canary} stands in a reason: {reason}");
        }
    }
}
