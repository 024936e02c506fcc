//! Outgoing webhooks (docs/webhooks.md): programs of tenants are told what happens, over real HTTP, until they have heard it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use store::desk::Scope;
use types::Secret;

use crate::support::{HELLO, Heard, PATIENCE, Setup, World, client, pause, until};

const KEY: [(&str, &str); 3] = [
    ("BARID__WEBHOOKS__KEY", "a long random text of this test"),
    ("BARID__WEBHOOKS__EVERY", "50ms"),
    ("BARID__WEBHOOKS__TIMEOUT", "2s"),
];

/// A tenant's program: answers with these statuses, one after the other, then always 200.
async fn program(answers: &[(u16, Option<&'static str>)]) -> (String, Heard) {
    let heard = Heard::default();
    let (all, answers) = (Arc::clone(&heard), Arc::new(Mutex::new(answers.to_vec())));
    let hear = move |headers: HeaderMap, body: Bytes| {
        let (all, answers) = (Arc::clone(&all), Arc::clone(&answers));
        async move {
            all.lock().unwrap().push((headers, String::from_utf8(body.to_vec()).unwrap()));
            let mut answers = answers.lock().unwrap();
            if answers.is_empty() {
                return StatusCode::OK.into_response();
            }
            let (status, header) = answers.remove(0);
            let mut answer = Response::builder().status(status);
            if let Some((name, value)) = header.and_then(|h| h.split_once(": ")) {
                answer = answer.header(name, value);
            }
            answer.body(axum::body::Body::empty()).unwrap()
        }
    };
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?of=ours", socket.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "the program ends with the test")]
    tokio::spawn(async move { axum::serve(socket, Router::new().route("/hook", post(hear))).await });
    (url, heard)
}

/// The API as a program of the tenant's uses it.
struct Api<'w> {
    world: &'w World,
    token: String,
}

impl Api<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = self.world.url(&format!("/api/v1{path}"));
        let mut request = client().request(method.parse().unwrap(), url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn endpoint(&self, url: &str, events: &[&str]) -> (String, Secret) {
        let body = json!({ "url": url, "events": events });
        let (status, made) = self.call("POST", "/webhook-endpoints", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        (made["endpoint"]["id"].as_str().unwrap().to_owned(), Secret::new(made["secret"].as_str().unwrap()))
    }
}

async fn start(allow: bool) -> World {
    let mut env = KEY.to_vec();
    if allow {
        env.push(("BARID__SEND__ALLOW_PRIVATE", "true"));
    }
    Setup::default().env(&env).start().await
}

async fn api(world: &World) -> Api<'_> {
    Api { world, token: world.token(vec![Scope::Read, Scope::Settings]).await }
}

fn signed(secret: &Secret, (headers, body): &(HeaderMap, String)) -> bool {
    let of = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signature = egress::alerts::sign(secret, &of("webhook-id"), &of("webhook-timestamp"), body);
    of("webhook-signature").split(' ').any(|one| one == format!("v1,{signature}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_signed_what_happens_and_again_until_it_hears() {
    let world = start(true).await;
    let api = api(&world).await;
    let (url, heard) = program(&[(500, None)]).await;
    let (id, secret) = api.endpoint(&url, &["message.created", "message.status", "conversation.created"]).await;
    assert_eq!(world.say("971500000301", HELLO).await, "sent");
    world.until("SELECT COUNT(*) FROM message WHERE status = 'read'", "1").await;
    // The first was answered 500: it comes again, the others meanwhile.
    world
        .until("SELECT COUNT(*) FROM delivery WHERE due_at IS NOT NULL AND attempts > 0 AND delivered_at IS NULL", "1")
        .await;
    world.jump(6);
    let wanted = |all: &[(HeaderMap, String)]| {
        let mut words: HashMap<String, usize> = HashMap::new();
        for (_, body) in all {
            let told: Value = serde_json::from_str(body).unwrap();
            *words.entry(told["type"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        words.get("message.created").copied() >= Some(2)
            && words.contains_key("message.status")
            && words.contains_key("conversation.created")
    };
    let wait = async {
        while !wanted(&heard.lock().unwrap())
            || world.one("SELECT COUNT(*) FROM delivery WHERE due_at IS NOT NULL").await != "0"
        {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("everything is told");
    let all = heard.lock().unwrap().clone();
    assert!(all.iter().all(|one| signed(&secret, one)), "each is signed");
    assert!(!signed(&Secret::new("whsec_AAAA"), &all[0]));
    let first = all[0].0["webhook-id"].clone();
    let again: Vec<_> = all.iter().filter(|(h, _)| h["webhook-id"] == first).collect();
    assert_eq!((again.len(), &again[0].1), (2, &again[1].1), "the same id and the same words");
    for (_, body) in &all {
        assert!(body.len() < 20_000 && !body.contains(HELLO) && !body.contains("971500000301"), "{body}");
    }
    let (_, page) = api.call("GET", &format!("/webhook-endpoints/{id}/deliveries?state=delivered"), None).await;
    let told = page["data"].as_array().unwrap().iter().find(|d| d["tries"].as_array().unwrap().len() == 2).unwrap();
    assert_eq!((&told["tries"][0]["status"], &told["tries"][1]["status"]), (&json!(500), &json!(200)));
    // Told again by hand, under the same id.
    let delivery = told["id"].as_str().unwrap();
    let before = all.len();
    let (status, _) = api.call("POST", &format!("/webhook-deliveries/{delivery}/resend"), None).await;
    assert_eq!(status, 202);
    let all = until(&heard, before + 1).await;
    assert_eq!(all[before].0["webhook-id"].to_str().unwrap(), format!("msg_{delivery}"));
    let metrics = world.get("/metrics").await.1;
    assert!(metrics.is_empty() || metrics.contains("webhook_delivery_total"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed_a_named_time_is_kept_and_410_ends_it() {
    let world = start(true).await;
    let api = api(&world).await;
    let (elsewhere, followed) = program(&[]).await;
    let to: &'static str = Box::leak(format!("location: {elsewhere}").into_boxed_str());
    let (url, heard) = program(&[(302, Some(to)), (503, Some("retry-after: 120")), (410, None)]).await;
    let (id, _) = api.endpoint(&url, &["message.created"]).await;
    let (status, _) = api.call("POST", &format!("/webhook-endpoints/{id}/test"), None).await;
    assert_eq!(status, 202);
    until(&heard, 1).await;
    world.until("SELECT COUNT(*) FROM delivery WHERE tries LIKE '%redirect%'", "1").await;
    world.jump(6);
    until(&heard, 2).await;
    world.until("SELECT COUNT(*) FROM delivery WHERE tries LIKE '%503%'", "1").await;
    // By the schedule it would be due after 5 min, and it asked for less: the later of the two.
    world.jump(301);
    until(&heard, 3).await;
    world.until("SELECT COUNT(*) FROM endpoint WHERE disabled_why = 'gone'", "1").await;
    assert_eq!(followed.lock().unwrap().len(), 0);
    let (status, refused) = api.call("POST", &format!("/webhook-endpoints/{id}/test"), None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("refused")));
    world.until("SELECT COUNT(*) FROM notification WHERE kind = 'webhook_disabled'", "1").await;
}

/// While one secret takes the other's place both are good.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_exchanged_without_losing_an_event() {
    let world = start(true).await;
    let api = api(&world).await;
    let (url, heard) = program(&[]).await;
    let (id, old) = api.endpoint(&url, &["message.created"]).await;
    let (status, made) = api.call("POST", &format!("/webhook-endpoints/{id}/rotate"), None).await;
    assert_eq!(status, 200);
    let new = Secret::new(made["secret"].as_str().unwrap());
    assert_ne!(old.expose(), new.expose());
    api.call("POST", &format!("/webhook-endpoints/{id}/test"), None).await;
    let all = until(&heard, 1).await;
    assert!(signed(&old, &all[0]) && signed(&new, &all[0]));
    world.jump(86_401);
    api.call("POST", &format!("/webhook-endpoints/{id}/test"), None).await;
    let all = until(&heard, 2).await;
    assert!(!signed(&old, &all[1]) && signed(&new, &all[1]));
}

/// S7.3: private addresses are refused, whatever they are called, and without the operator's leave an address must be https.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_told_nothing() {
    let world = start(false).await;
    let api = api(&world).await;
    let (url, heard) = program(&[]).await;
    for (url, pointer) in [(url.as_str(), "/url"), ("ftp://x.example/", "/url"), ("https://me:you@x.example/", "/url")]
    {
        let body = json!({ "url": url, "events": ["message.created"] });
        let (status, refused) = api.call("POST", "/webhook-endpoints", Some(body)).await;
        assert_eq!((status, &refused["errors"][0]["pointer"]), (400, &json!(pointer)), "{url}: {refused}");
    }
    let port = url.split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"] {
        let (id, _) = api.endpoint(&format!("https://{host}:{port}/hook"), &["message.created"]).await;
        api.call("POST", &format!("/webhook-endpoints/{id}/test"), None).await;
        let refused = format!("SELECT COUNT(*) FROM delivery WHERE endpoint_id = {id} AND tries LIKE '%not allowed%'");
        world.until(&refused, "1").await;
    }
    assert_eq!(heard.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_there_are_none_and_the_answer_says_what_to_set() {
    let world = World::new().await;
    let api = api(&world).await;
    let body = json!({ "url": "https://x.example/", "events": ["message.created"] });
    let (status, refused) = api.call("POST", "/webhook-endpoints", Some(body)).await;
    assert_eq!(status, 409);
    assert!(refused["detail"].as_str().unwrap().contains("[webhooks] key"), "{refused}");
}
