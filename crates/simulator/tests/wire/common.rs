//! A small world, an engine that only remembers, and a client.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use simulator::{Backoff, GreenInstance, MetaNumber, Simulator, SimulatorOptions, StatusPlan, WebhookTargets};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use types::Secret;

pub const PNID: &str = "105500000000001";
pub const WABA: &str = "215500000000001";
pub const INSTANCE: &str = "1101000001";
pub const LEAD: &str = "971500000101";
pub const CHAT: &str = "971500000101@c.us";

pub fn number() -> MetaNumber {
    MetaNumber {
        phone_number_id: PNID.into(),
        waba_id: WABA.into(),
        display_phone: "15550001000".into(),
        access_token: Secret::new("meta-token"),
        app_secret: Secret::new("app-secret"),
    }
}

pub fn instance() -> GreenInstance {
    GreenInstance {
        instance: INSTANCE.into(),
        api_token: Secret::new("green-token"),
        webhook_token: Secret::new("hook-token"),
        wid: "971500000900@c.us".into(),
    }
}

/// One number, one instance, quick statuses and retries, nobody listening yet.
pub fn options() -> SimulatorOptions {
    SimulatorOptions {
        meta: vec![number()],
        green: vec![instance()],
        statuses: StatusPlan { delay: Duration::from_millis(5), ..StatusPlan::default() },
        meta_retry: Backoff::BRISK,
        green_retry: Backoff::BRISK,
        ..SimulatorOptions::default()
    }
}

pub async fn start(options: SimulatorOptions) -> Simulator {
    Simulator::start(options).await.unwrap()
}

/// A client without certificates: all here is plain HTTP.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
}

pub fn text(body: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": LEAD, "type": "text", "text": {"body": body},
           "biz_opaque_callback_data": format!("key of {body}")})
}

/// POSTs a send to Meta's endpoint with the good token.
pub async fn meta_send(sim: &Simulator, body: &Value) -> Result<reqwest::Response, reqwest::Error> {
    let url = format!("{}/v25.0/{PNID}/messages", sim.base_url());
    client().post(url).bearer_auth("meta-token").json(body).send().await
}

/// Calls a method of Green API with the good token.
pub async fn green(sim: &Simulator, method: &str, body: Option<&Value>) -> Result<(u16, Value), reqwest::Error> {
    let url = format!("{}/waInstance{INSTANCE}/{method}/green-token", sim.base_url());
    let request = match body {
        Some(body) => client().post(url).json(body),
        None => client().get(url),
    };
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await?))
}

pub async fn read(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

/// A webhook that the engine got.
#[derive(Clone, Debug)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub answered: u16,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An engine that remembers webhooks; answers come from a list, 200 when it is empty.
pub struct Engine {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    _stop: DropGuard,
}

impl Engine {
    pub async fn start() -> Self {
        // Each on an address of its own, where the system has many: a port that one test gives up must not become another's.
        static COUNT: AtomicU8 = AtomicU8::new(2);
        let last = if cfg!(target_os = "linux") { COUNT.fetch_add(1, Ordering::Relaxed) } else { 1 };
        Self::at(SocketAddr::from(([127, 0, 0, last], 0))).await
    }

    pub async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (got, answers) = (Arc::<Mutex<Vec<Got>>>::default(), Arc::<Mutex<VecDeque<u16>>>::default());
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let (all, list, token, tasks) = (got.clone(), answers.clone(), stop.clone(), tracker.clone());
        let accept = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (all, list, token) = (all.clone(), list.clone(), token.clone());
                tasks.spawn(async move {
                    let service = service_fn(move |r| remember(r, all.clone(), list.clone()));
                    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    token.run_until_cancelled(served).await
                });
            }
        };
        let token = stop.clone();
        tracker.spawn(async move { token.run_until_cancelled(accept).await });
        Self { address, got, answers, _stop: stop.drop_guard() }
    }

    /// Answers the next webhooks with these.
    pub fn answer(&self, answers: impl IntoIterator<Item = u16>) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub fn targets(&self) -> WebhookTargets {
        let url = |path: &str| Some(format!("http://{}/{path}", self.address));
        WebhookTargets { meta_url: url("meta"), green_url: url("green") }
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Meta statuses that were answered with 200: (id, status, key).
    pub fn statuses(&self) -> Vec<(String, String, String)> {
        let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let good = self.got().into_iter().filter(|g| g.answered == 200);
        good.flat_map(|g| {
            g.json()["entry"][0]["changes"][0]["value"]["statuses"].as_array().cloned().unwrap_or_default()
        })
        .map(|s| (word(&s["id"]), word(&s["status"]), word(&s["biz_opaque_callback_data"])))
        .collect()
    }
}

async fn remember(
    request: Request<Incoming>,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let headers = request.headers().clone();
    let body = request.into_body().collect().await?.to_bytes();
    let answered = answers.lock().unwrap().pop_front().unwrap_or(200);
    got.lock().unwrap().push(Got { headers, body, answered });
    let mut response = Response::new(Full::new(Bytes::from_static(b"OK")));
    *response.status_mut() = StatusCode::from_u16(answered).unwrap();
    Ok(response)
}
