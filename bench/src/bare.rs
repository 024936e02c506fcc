//! The baseline: the same HTTP stack and settings as the engine's, the same check of the signature, the same parser, the same answer, and
//! nothing stored. What is measured against it is the price of keeping promises.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use channels::meta::{self, AppSecret};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tower_http::timeout::TimeoutLayer;
use types::Secret;
use types::clock::random_token;

use crate::load::PATH;
use crate::world::APP_SECRET;

/// A running bare server.
pub(crate) struct Bare {
    pub port: u16,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn notify(State(secret): State<Arc<AppSecret>>, headers: HeaderMap, body: Bytes) -> Response {
    let id = random_token();
    let signature = headers.get("x-hub-signature-256").map_or(&b""[..], |v| v.as_bytes());
    if !secret.verify(signature, &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(delivery) = meta::parse(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let body = serde_json::json!({
        "status": "queued",
        "accepted": delivery.items.len(),
        "duplicates": 0,
        "recorded": 0,
        "conversation_id": "1234567890123456789",
        "message_id": "1234567890123456789",
        "request_id": &id,
    });
    let mut response = axum::Json(body).into_response();
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

impl Bare {
    /// Listens on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let secret = Arc::new(AppSecret::new(&Secret::new(APP_SECRET)));
        let router = Router::new()
            .route(PATH, post(notify))
            .with_state(secret)
            .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(40)));
        let tasks = TaskTracker::new();
        let clients = tasks.clone();
        let accepting = tasks.spawn(accept(listener, router, clients));
        Ok(Self { port, accepting })
    }
}

/// As the engine serves: `crates/barid/src/serve.rs`.
async fn accept(listener: TcpListener, router: Router, clients: TaskTracker) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .max_buf_size(32 * 1024)
        .pipeline_flush(true);
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(socket), service);
        clients.spawn(async move {
            // A client that goes away is the end of a round.
            let _ = connection.await;
        });
    }
}

/// Runs it as a process of its own, which says its port on stdout and ends when killed.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let server = Bare::start().await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.port)?;
    out.flush()?;
    std::future::pending::<()>().await;
    Ok(())
}
