//! Sends prepared requests over kept connections and reads no more of the answers than their status and length.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;
use types::clock::Stopwatch;
use types::{Clock as _, SystemClock, Timestamp};

use crate::webhooks::Shot;

/// Where Meta's webhooks go.
pub(crate) const PATH: &str = "/api/webhooks/whatsapp";
/// An answer that takes longer is a failure of the measurement.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Of the server, on 127.0.0.1.
    pub port: u16,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Stop after this time.
    pub limit: Option<Duration>,
    /// Begin again with the first request after the last (only for a server that does not mind repeats).
    pub again: bool,
    /// Requests per second, whether or not the former are answered; `None`: as fast as answers come.
    pub rate: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Answered with 200.
    pub acknowledged: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// When each request was written, by its place; only with a rate.
    pub written: Vec<Option<Timestamp>>,
    /// How much later than planned the latest request was written; only with a rate.
    pub latest: Duration,
}

impl Sent {
    /// Answers per second.
    pub fn per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let n = self.acknowledged as f64;
        n / self.took.as_secs_f64().max(1e-9)
    }
}

struct Shared {
    shots: Arc<Vec<Shot>>,
    plan: Plan,
    next: AtomicUsize,
    stop: AtomicBool,
    since: Stopwatch,
}

/// What one connection did.
#[derive(Default)]
struct Share {
    acknowledged: u64,
    written: Vec<(usize, Timestamp)>,
    latest: Duration,
}

/// Sends `shots`.
///
/// # Errors
/// On any answer but 200, and when none comes.
pub(crate) async fn run(shots: &Arc<Vec<Shot>>, plan: Plan) -> anyhow::Result<Sent> {
    let mut sockets = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        let socket = TcpStream::connect(("127.0.0.1", plan.port)).await.context("the server cannot be reached")?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    let shared = Arc::new(Shared {
        shots: Arc::clone(shots),
        plan,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        since: Stopwatch::start(),
    });
    let tasks = TaskTracker::new();
    let running: Vec<_> =
        sockets.into_iter().map(|socket| tasks.spawn(connection(socket, Arc::clone(&shared)))).collect();
    let mut sent = Sent::default();
    if plan.rate.is_some() {
        sent.written = vec![None; shots.len()];
    }
    for task in running {
        let share = task.await??;
        sent.acknowledged += share.acknowledged;
        sent.latest = sent.latest.max(share.latest);
        for (at, when) in share.written {
            sent.written[at] = Some(when);
        }
    }
    sent.took = shared.since.elapsed();
    Ok(sent)
}

async fn connection(mut socket: TcpStream, shared: Arc<Shared>) -> anyhow::Result<Share> {
    let mut share = Share::default();
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let n = shared.next.fetch_add(1, Ordering::Relaxed);
        let at = if shared.plan.again { n % shared.shots.len() } else { n };
        if shared.stop.load(Ordering::Relaxed) {
            return Ok(share);
        }
        let Some(shot) = shared.shots.get(at) else { return Ok(share) };
        if let Some(rate) = shared.plan.rate {
            let due = Duration::from_secs_f64(f64::from(u32::try_from(n).unwrap_or(u32::MAX)) / f64::from(rate));
            tokio::time::sleep(due.saturating_sub(shared.since.elapsed())).await;
            share.latest = share.latest.max(shared.since.elapsed().saturating_sub(due));
            share.written.push((at, SystemClock.now()));
        }
        let exchange = exchange(&mut socket, &shot.bytes, &mut buffer);
        let status = tokio::time::timeout(PATIENCE, exchange).await.context("no answer")??;
        if status != 200 {
            bail!("the server answered {status}: {}", String::from_utf8_lossy(&buffer));
        }
        share.acknowledged += 1;
        if shared.plan.limit.is_some_and(|limit| shared.since.elapsed() >= limit) {
            shared.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Writes a request and reads its whole answer into `buffer`; its status.
pub(crate) async fn exchange(socket: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    socket.write_all(request).await?;
    buffer.clear();
    loop {
        if socket.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        if let Some(status) = complete(buffer)? {
            return Ok(status);
        }
    }
}

/// The status of an answer that is there whole.
fn complete(answer: &[u8]) -> anyhow::Result<Option<u16>> {
    let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).context("the answer's head is no text")?;
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).context("no status line")?;
    let length = lines.filter_map(|l| l.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, n)| n.trim().parse().ok()).context("no content-length")?;
    Ok((answer.len() >= end + 4 + length).then_some(status))
}

/// GET of a small page.
///
/// # Errors
/// When it does not come, or not with 200.
pub(crate) async fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    let mut buffer = Vec::new();
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
    let status = exchange(&mut socket, request.as_bytes(), &mut buffer).await?;
    let text = String::from_utf8_lossy(&buffer).into_owned();
    anyhow::ensure!(status == 200, "GET {path}: {status}");
    Ok(text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bare;
    use crate::webhooks::{Mix, Writer};

    #[test]
    fn an_answer_is_whole_when_its_length_is_there() {
        for (text, want) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Some(200)),
            ("HTTP/1.1 503 X\r\na: b\r\ncontent-length: 0\r\n\r\n", Some(503)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", None),
            ("HTTP/1.1 200 OK\r\ncontent-le", None),
        ] {
            assert_eq!(complete(text.as_bytes()).unwrap(), want, "{text:?}");
        }
        assert!(complete(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_request_is_sent_once_and_acknowledged() {
        let server = bare::Bare::start().await.unwrap();
        let shots = Arc::new(Writer::new(server.port, Mix::New).write(300));
        let plan = Plan { port: server.port, connections: 7, limit: None, again: false, rate: None };
        assert_eq!(run(&shots, plan).await.unwrap().acknowledged, 300);
        let paced = run(&shots, Plan { rate: Some(10_000), ..plan }).await.unwrap();
        assert!(paced.written.iter().all(Option::is_some));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_refusal_ends_the_measurement() {
        let server = bare::Bare::start().await.unwrap();
        let mut shots = Writer::new(server.port, Mix::New).write(1);
        let last = shots[0].bytes.len() - 5;
        shots[0].bytes[last] ^= 1;
        let plan = Plan { port: server.port, connections: 1, limit: None, again: false, rate: None };
        let error = run(&Arc::new(shots), plan).await.unwrap_err().to_string();
        assert!(error.contains("401"), "{error}");
    }
}
