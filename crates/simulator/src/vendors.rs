//! Simulated Slack and a simulated CRM, which actions call (S3.5): real HTTP with their wire format, their refusals, and faults on order.
//!
//! - Slack: `POST /slack/hook/…` (incoming webhook), `POST /slack/api/chat.postMessage`
//! - CRM: `POST /crm/orders` with `Authorization` and `Idempotency-Key`, `DELETE /crm/orders/{id}`

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::locked;

/// The bearer token that both accept.
pub const TOKEN: &str = "vendor-token-canary-0001";
/// The largest request that is read.
const BODY_MAX: usize = 1 << 20;

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// Slack.
    Slack,
    /// The CRM.
    Crm,
}

/// How a call goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VendorFault {
    /// This status, nothing done.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    TooFast(u64),
    /// Slack's `{"ok":false,"error":…}` with 200.
    NotOk(&'static str),
    /// No answer for so long, nothing done.
    Hang(Duration),
    /// Done, and the connection closed before the answer.
    DoneAndLost,
}

/// Something that a vendor did.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Who.
    pub vendor: Vendor,
    /// `post`, `order`, `cancel`.
    pub what: &'static str,
    /// What was sent.
    pub body: Value,
    /// The `Idempotency-Key`.
    pub key: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// What the next calls come to; `None`: they go well.
    faults: HashMap<Vendor, VecDeque<Option<VendorFault>>>,
    /// Faults of every call until they are taken back.
    always: HashMap<Vendor, VendorFault>,
    done: Vec<Done>,
    calls: u64,
    /// Orders by key: their ids, and the bodies that made them.
    orders: HashMap<String, (u64, Value)>,
    cancelled: Vec<u64>,
}

/// The running vendors; they end when dropped.
#[derive(Debug)]
pub struct Vendors {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: CancellationToken,
}

impl Drop for Vendors {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Vendors {
    /// Starts them on a free port of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(serve(listener, Arc::clone(&state), stop.clone(), tasks.clone()));
        Ok(Self { address, state, stop })
    }

    /// `http://…`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next call of this vendor goes wrong so; several are taken in their order.
    pub fn fail(&self, vendor: Vendor, fault: VendorFault) {
        locked(&self.state).faults.entry(vendor).or_default().push_back(Some(fault));
    }

    /// The next call of this vendor goes well, whatever [`Self::always`] says; in the order of [`Self::fail`].
    pub fn pass(&self, vendor: Vendor) {
        locked(&self.state).faults.entry(vendor).or_default().push_back(None);
    }

    /// Every call goes wrong so, until `None`.
    pub fn always(&self, vendor: Vendor, fault: Option<VendorFault>) {
        let mut state = locked(&self.state);
        match fault {
            Some(fault) => state.always.insert(vendor, fault),
            None => state.always.remove(&vendor),
        };
    }

    /// What was done, in its order.
    #[must_use]
    pub fn done(&self) -> Vec<Done> {
        locked(&self.state).done.clone()
    }

    /// The same of one vendor, by what was done.
    #[must_use]
    pub fn count(&self, vendor: Vendor, what: &str) -> usize {
        locked(&self.state).done.iter().filter(|d| d.vendor == vendor && d.what == what).count()
    }

    /// Calls of all kinds, refused ones included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        locked(&self.state).calls
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else { continue };
        tasks.spawn(connection(socket, Arc::clone(&state), stop.clone()));
    }
}

async fn connection(socket: TcpStream, state: Arc<Mutex<State>>, stop: CancellationToken) {
    // A lost answer is a closed connection: the service says so by ending it.
    let lost = CancellationToken::new();
    let service = service_fn(|request| {
        let (state, lost) = (Arc::clone(&state), lost.clone());
        async move { Ok::<_, Infallible>(answer(request, &state, &lost).await) }
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        () = stop.cancelled() => {}
        () = lost.cancelled() => {}
        _ = serving => {}
    }
}

type Reply = Response<Full<Bytes>>;

fn reply(status: u16, body: &Value) -> Reply {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

async fn answer(request: Request<Incoming>, state: &Mutex<State>, lost: &CancellationToken) -> Reply {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return reply(413, &json!({"error": "too large"})),
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path = head.uri.path().to_owned();
    let vendor = if path.starts_with("/slack/") { Vendor::Slack } else { Vendor::Crm };
    let fault = {
        let mut state = locked(state);
        state.calls += 1;
        let next = state.faults.get_mut(&vendor).and_then(VecDeque::pop_front);
        next.unwrap_or_else(|| state.always.get(&vendor).cloned())
    };
    match fault {
        Some(VendorFault::Status(status)) => return reply(status, &json!({"error": "as told"})),
        Some(VendorFault::TooFast(seconds)) => {
            let mut too_fast = reply(429, &json!({"ok": false, "error": "ratelimited"}));
            too_fast.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            return too_fast;
        }
        Some(VendorFault::NotOk(error)) => return reply(200, &json!({"ok": false, "error": error})),
        Some(VendorFault::Hang(time)) => {
            tokio::time::sleep(time).await;
            lost.cancel();
            std::future::pending::<()>().await;
        }
        Some(VendorFault::DoneAndLost) => {
            let _ = work(&head.method, &path, &head.headers, body.clone(), state);
            lost.cancel();
            std::future::pending::<()>().await;
        }
        None => {}
    }
    work(&head.method, &path, &head.headers, body, state)
}

fn work(method: &Method, path: &str, headers: &HeaderMap, body: Value, state: &Mutex<State>) -> Reply {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let known = header("authorization").is_some_and(|a| a == format!("Bearer {TOKEN}"));
    let key = header("idempotency-key");
    let mut state = locked(state);
    let number = u64::try_from(state.done.len()).unwrap_or(0) + 1;
    match (method, path) {
        (&Method::POST, path) if path.starts_with("/slack/hook/") => {
            if body["text"].as_str().is_none_or(str::is_empty) {
                return Response::builder().status(400).body(Full::from("no_text")).unwrap_or_default();
            }
            state.done.push(Done { vendor: Vendor::Slack, what: "post", body, key });
            Response::new(Full::from("ok"))
        }
        (&Method::POST, "/slack/api/chat.postMessage") => {
            if !known {
                return reply(200, &json!({"ok": false, "error": "invalid_auth"}));
            }
            if body["channel"].as_str().is_none_or(str::is_empty) {
                return reply(200, &json!({"ok": false, "error": "channel_not_found"}));
            }
            let ts = format!("1800000000.{number:06}");
            let channel = body["channel"].clone();
            state.done.push(Done { vendor: Vendor::Slack, what: "post", body, key });
            reply(200, &json!({"ok": true, "channel": channel, "ts": ts}))
        }
        (_, path) if path.starts_with("/crm/") && !known => reply(401, &json!({"error": "unauthorized"})),
        (&Method::POST, "/crm/orders") => order(&mut state, number, key, body),
        (&Method::DELETE, path) if path.starts_with("/crm/orders/") => {
            let id = path.rsplit('/').next().and_then(|id| id.parse::<u64>().ok());
            match id.filter(|id| state.orders.values().any(|(have, _)| have == id)) {
                Some(id) if !state.cancelled.contains(&id) => {
                    state.cancelled.push(id);
                    state.done.push(Done { vendor: Vendor::Crm, what: "cancel", body: json!({ "id": id }), key });
                    reply(200, &json!({"id": id, "status": "cancelled"}))
                }
                Some(id) => reply(200, &json!({"id": id, "status": "cancelled"})),
                None => reply(404, &json!({"error": "no such order"})),
            }
        }
        _ => reply(404, &json!({"error": "no such endpoint"})),
    }
}

/// One key makes one order: the same again is 409 with the order that there is, another body under it 422.
fn order(state: &mut State, number: u64, key: Option<String>, body: Value) -> Reply {
    let Some(key) = key else { return reply(400, &json!({"error": "Idempotency-Key is missing"})) };
    if let Some((id, had)) = state.orders.get(&key) {
        let status = if *had == body { 409 } else { 422 };
        return reply(status, &json!({"id": id, "error": "this key was used"}));
    }
    let id = 4_000 + number;
    state.orders.insert(key.clone(), (id, body.clone()));
    state.done.push(Done { vendor: Vendor::Crm, what: "order", body, key: Some(key) });
    reply(201, &json!({"id": id, "status": "open"}))
}
