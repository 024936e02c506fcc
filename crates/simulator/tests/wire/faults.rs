//! Every fault, for both providers, as a caller meets it.

use std::time::Duration;

use crate::common::*;
use serde_json::{Value, json};
use simulator::{Fault, Provider, Rule, Simulator};

/// What a caller saw: status and body, or that no answer came.
type Seen = Option<(u16, String)>;

async fn seen(answer: Result<reqwest::Response, reqwest::Error>) -> Seen {
    let answer = answer.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.text().await.ok()?))
}

async fn send(sim: &Simulator, provider: Provider) -> Seen {
    let patience = Duration::from_millis(300);
    let request = match provider {
        Provider::Meta => client()
            .post(format!("{}/v25.0/{PNID}/messages", sim.base_url()))
            .bearer_auth("meta-token")
            .json(&text("hi")),
        Provider::Green => client()
            .post(format!("{}/waInstance{INSTANCE}/sendMessage/green-token", sim.base_url()))
            .json(&json!({"chatId": CHAT, "message": "hi"})),
    };
    seen(request.timeout(patience).send().await).await
}

#[tokio::test]
async fn each_fault_does_what_it_says_and_no_more() {
    let refuse = |http| Fault::Refuse { http, code: 131_056, message: "slow down".into(), retry_after_s: Some(7) };
    // Fault, status the caller sees (None: no answer), whether the message goes out.
    let table = [
        (refuse(429), Some(429), false),
        (Fault::DropAnswer, None, true),
        (Fault::DropBefore, None, false),
        (Fault::AnswerGarbage, Some(200), true),
        (Fault::TokenExpired, Some(401), false),
        (Fault::ServerError { accepted: false }, Some(500), false),
        (Fault::ServerError { accepted: true }, Some(500), true),
        (Fault::Hang { accepted: false }, None, false),
        (Fault::Hang { accepted: true }, None, true),
        (Fault::Delay { ms: 60_000, accepted: false }, None, false),
        (Fault::Delay { ms: 60_000, accepted: true }, None, true),
        (Fault::Delay { ms: 20, accepted: false }, Some(200), true),
    ];
    for provider in [Provider::Meta, Provider::Green] {
        for (fault, status, accepted) in &table {
            let sim = start(options()).await;
            sim.push_fault(Rule::next(1, fault.clone()));
            let seen = send(&sim, provider).await;
            assert_eq!(seen.as_ref().map(|s| s.0), *status, "{provider:?} {fault:?}: {seen:?}");
            assert_eq!(sim.accepted_count(), u64::from(*accepted), "{provider:?} {fault:?}");
            // The next one is none of its business.
            assert_eq!(send(&sim, provider).await.map(|s| s.0), Some(200), "{provider:?} after {fault:?}");
            assert_eq!(sim.accepted_count(), u64::from(*accepted) + 1);
            sim.stop().await;
        }
    }
}

#[tokio::test]
async fn refusals_speak_the_providers_language() {
    let sim = start(options()).await;
    let refuse = |http| Fault::Refuse { http, code: 130_429, message: "slow down".into(), retry_after_s: Some(7) };
    sim.push_fault(Rule::next(1, refuse(429)));
    let answer = meta_send(&sim, &text("hi")).await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "7");
    let (_, body) = read(answer).await;
    assert_eq!(
        (body["error"]["code"].as_i64(), body["error"]["message"].as_str()),
        (Some(130_429), Some("(#130429) slow down"))
    );

    sim.push_fault(Rule::next(1, refuse(466)));
    let (status, body) = green(&sim, "sendMessage", Some(&json!({"chatId": CHAT, "message": "hi"}))).await.unwrap();
    assert_eq!((status, body["invokeStatus"]["description"].as_str()), (466, Some("slow down")));

    sim.push_fault(Rule::next(1, Fault::AnswerGarbage));
    let answer = meta_send(&sim, &text("hi")).await.unwrap().text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&answer).is_err(), "{answer}");
}

#[tokio::test]
async fn an_expired_token_fails_probes_too_until_cleared() {
    let sim = start(options()).await;
    let probe = || {
        let request = client().get(format!("{}/v25.0/{PNID}", sim.base_url())).bearer_auth("meta-token");
        async move { read(request.send().await.unwrap()).await }
    };
    sim.push_fault(Rule::always(Fault::TokenExpired));
    for _ in 0..2 {
        let (status, body) = read(meta_send(&sim, &text("hi")).await.unwrap()).await;
        assert_eq!((status, body["error"]["code"].as_i64()), (401, Some(190)));
        assert_eq!(probe().await.0, 401);
        assert_eq!(green(&sim, "getStateInstance", None).await.unwrap().0, 401);
    }
    sim.clear_faults();
    assert_eq!(probe().await.0, 200);
    assert_eq!(meta_send(&sim, &text("hi")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_fault_for_one_recipient_leaves_the_others() {
    let sim = start(options()).await;
    sim.push_fault(Rule::always(Fault::ServerError { accepted: false }).to(LEAD));
    let mut other = text("hi");
    other["to"] = "971500000102".into();
    assert_eq!(meta_send(&sim, &text("hi")).await.unwrap().status(), 500);
    assert_eq!(meta_send(&sim, &other).await.unwrap().status(), 200);
    assert_eq!(sim.stats().refused, 1);
}

#[tokio::test]
async fn a_failed_status_follows_an_accepted_send() {
    let engine = Engine::start().await;
    let sim = start(simulator::SimulatorOptions { webhooks: engine.targets(), ..options() }).await;
    sim.push_fault(Rule::next(
        1,
        Fault::FailStatus { code: 131_026, title: "Message undeliverable".into(), word: None },
    ));
    assert_eq!(meta_send(&sim, &text("hi")).await.unwrap().status(), 200);
    assert!(sim.wait_statuses(Duration::from_secs(5)).await);
    let status = engine.got()[0].json()["entry"][0]["changes"][0]["value"]["statuses"][0].clone();
    assert_eq!((status["status"].as_str(), status["errors"][0]["code"].as_i64()), (Some("failed"), Some(131_026)));

    let word = Some("noAccount".to_owned());
    sim.push_fault(Rule::next(1, Fault::FailStatus { code: 0, title: "no WhatsApp".into(), word }));
    green(&sim, "sendMessage", Some(&json!({"chatId": CHAT, "message": "hi"}))).await.unwrap();
    assert!(sim.wait_statuses(Duration::from_secs(5)).await);
    assert_eq!(engine.got().last().unwrap().json()["status"], "noAccount");
}
