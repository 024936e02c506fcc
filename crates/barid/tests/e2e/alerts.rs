//! What is wrong is told, signed, once when it begins and once when it ends (S6.6).

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use simulator::{Fault, Provider, Rule};
use testkit::smtp::{Smtp, Trouble};
use types::Secret;

use crate::support::{HELLO, Heard, Setup, World, until};

/// Somebody who is told: the first call is answered 500, to be told again.
async fn listener() -> (String, Heard) {
    let heard = Heard::default();
    let (all, mut first) = (Arc::clone(&heard), true);
    let first = Arc::new(Mutex::new(std::mem::replace(&mut first, false)));
    let hear = move |headers: HeaderMap, body: Bytes| {
        let (all, first) = (Arc::clone(&all), Arc::clone(&first));
        async move {
            if std::mem::replace(&mut *first.lock().unwrap(), false) {
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
            all.lock().unwrap().push((headers, String::from_utf8(body.to_vec()).unwrap()));
            StatusCode::OK
        }
    };
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alerts", socket.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "the listener ends with the test")]
    tokio::spawn(async move { axum::serve(socket, Router::new().route("/alerts", post(hear))).await });
    (url, heard)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Something that is wrong on either database.
async fn expire_a_token(world: &World) {
    world.sim.push_fault(Rule::always(Fault::TokenExpired).of(Provider::Meta));
    assert_eq!(world.say("971500000301", HELLO).await, "saved_only");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_told_once_signed_and_again_when_it_is_well() {
    let (url, heard) = listener().await;
    let env = [
        ("BARID__ALERTS__WEBHOOK", leak(url)),
        ("BARID__ALERTS__WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("BARID__ALERTS__EVERY", "100ms"),
        ("BARID__ALERTS__DISK_FREE", "0"),
        ("BARID__ALERTS__PROCESSING_P95", "0s"),
        ("BARID__SEND__ALLOW_PRIVATE", "true"),
    ];
    let world = Setup::default().env(&env).start().await;
    expire_a_token(&world).await;
    world.until("SELECT COUNT(*) FROM alert_delivery WHERE attempts = 1 AND error IS NOT NULL", "1").await;
    world.jump(6);
    let (headers, body) = until(&heard, 1).await.remove(0);
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&told["type"], &told["data"]["kind"]), (&"alert.raised".into(), &"token_expired".into()));
    let of = |name: &str| headers[name].to_str().unwrap().to_owned();
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let signature = egress::alerts::sign(&secret, &of("webhook-id"), &of("webhook-timestamp"), &body);
    assert_eq!(of("webhook-signature"), format!("v1,{signature}"));
    world.sim.clear_faults();
    world.change("UPDATE channels SET state = 'ready' WHERE id > 0").await;
    let all = until(&heard, 2).await;
    let told: serde_json::Value = serde_json::from_str(&all[1].1).unwrap();
    assert_eq!((&told["type"], all.len()), (&"alert.cleared".into(), 2), "once each");
    assert_ne!(all[0].0["webhook-id"], all[1].0["webhook-id"]);
}

/// S7.3: an address on a private network is not called unless the operator allows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_told_nothing() {
    let (url, heard) = listener().await;
    // In figures it would be refused with the file; this spelling comes to light when it is dialled.
    let url = url.replace("127.0.0.1", "127.1");
    let env = [("BARID__ALERTS__SLACK", leak(url)), ("BARID__ALERTS__EVERY", "100ms")];
    let world = Setup::default().env(&env).start().await;
    expire_a_token(&world).await;
    world.until("SELECT COUNT(*) FROM alert_delivery WHERE error LIKE '%not allowed%'", "1").await;
    assert_eq!(heard.lock().unwrap().len(), 0);
}

/// The same by mail; a server that refuses for now is asked again, with the same letter.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_by_mail() {
    let smtp = Smtp::start().await.unwrap();
    smtp.fail(Trouble::AtRecipient(451));
    let env = [
        ("BARID__SMTP__HOST", "127.0.0.1"),
        ("BARID__SMTP__PORT", leak(smtp.port().to_string())),
        ("BARID__SMTP__TLS", "none"),
        ("BARID__SMTP__FROM", "Barid <barid@business.example>"),
        ("BARID__ALERTS__EMAIL", "ops@business.example"),
        ("BARID__ALERTS__EVERY", "100ms"),
    ];
    let world = Setup::default().env(&env).start().await;
    expire_a_token(&world).await;
    world.until("SELECT COUNT(*) FROM alert_delivery WHERE attempts = 1 AND error IS NOT NULL", "1").await;
    world.jump(6);
    world.until("SELECT COUNT(*) FROM alert_delivery WHERE told_at IS NOT NULL", "1").await;
    let letters = smtp.letters();
    assert_eq!((letters.len(), letters[0].to.as_slice()), (1, &["ops@business.example".to_owned()][..]));
    let subject = letters[0].header("Subject").unwrap_or_default();
    assert!(subject.starts_with("[Barid] A number's access token is refused"), "{subject}");
    assert!(letters[0].header("Message-ID").is_some_and(|id| id.starts_with("<alert-")), "{:?}", letters[0]);
}
