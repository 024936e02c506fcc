//! Sockets: how many clients at once, how long a slow one may take, and the drain (S2.9, S7.4).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutLayer;

/// Bounds on clients.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once; more wait in the system's queue.
    pub connections: usize,
    /// From connecting to the end of the headers.
    pub headers: Duration,
    /// From the headers to the answer, the body included.
    pub request: Duration,
}

/// Largest header block, bytes.
const HEADERS: usize = 32 * 1024;
/// How long open connections may take to end in a drain.
const GOODBYE: Duration = Duration::from_secs(5);

/// Serves `router` on `listener` until `stop`, then lets open requests finish.
pub async fn run(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let router = router.layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, bounds.request));
    let room = Arc::new(Semaphore::new(bounds.connections));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.headers).max_buf_size(HEADERS).pipeline_flush(true);
    let graceful = GracefulShutdown::new();
    let clients = TaskTracker::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&room).acquire_owned() => place,
            () = stop.cancelled() => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok((socket, peer)) => (socket, admin::api::Peer(peer.ip())),
            Err(error) => {
                // Out of file descriptors, as a rule: the next attempt would fail as fast.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = socket.set_nodelay(true);
        let service = router.clone().map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = graceful.watch(http.serve_connection(TokioIo::new(socket), service));
        clients.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GOODBYE, graceful.shutdown()).await;
}
