//! The way both providers share: read a bounded body, commit, hand new work to the worker, and only then answer 200.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use channels::NotJson;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use store::events::KeepUnreadable;
use store::inbox::{Accept, Accepted, Arrival};
use store::{Store, StoreError};
use types::RequestId;
use types::clock::{Stopwatch, random_token};
use types::inbound::Route;

use crate::problem::respond;
use crate::{Intake, wait};
use types::problem::Problem;

/// One webhook request on its way.
pub(crate) struct Request {
    pub channel: &'static str,
    pub id: RequestId,
    pub wait: Option<std::time::Duration>,
    watch: Stopwatch,
}

impl Request {
    /// Names the request.
    pub fn begin(channel: &'static str, headers: &HeaderMap) -> Self {
        let given = headers.get("x-request-id").and_then(|v| v.to_str().ok()).filter(|v| is_request_id(v));
        let id = RequestId(given.map_or_else(random_token, str::to_owned));
        Self { channel, id, wait: wait::asked(headers), watch: Stopwatch::start() }
    }

    /// Looks at what the headers promise of the body.
    fn promised(intake: &Intake, headers: &HeaderMap) -> Result<(), Problem> {
        let length =
            headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        if length.is_some_and(|n| n > intake.options.max_body as u64) {
            return Err(Self::too_large(intake));
        }
        if headers.get(header::CONTENT_ENCODING).is_some_and(|v| v != "identity") {
            let detail = "webhooks are read as they are signed: send them without Content-Encoding";
            return Err(Problem::new("content-type", 415, "Compressed bodies are not read", detail));
        }
        Ok(())
    }

    fn too_large(intake: &Intake) -> Problem {
        let detail = format!("the body is longer than {} bytes; nothing was stored", intake.options.max_body);
        Problem::new("too-large", 413, "The body is too long", detail)
    }

    /// The whole body, up to the limit, however it is sent (chunked too).
    pub async fn body(intake: &Intake, headers: &HeaderMap, mut body: axum::body::Body) -> Result<Bytes, Problem> {
        let result = match Self::promised(intake, headers) {
            Ok(()) => Self::read(intake, &mut body).await,
            Err(problem) => Err(problem),
        };
        if result.is_err() {
            discard(body, intake.options.max_body).await;
        }
        result
    }

    async fn read(intake: &Intake, body: &mut axum::body::Body) -> Result<Bytes, Problem> {
        let mut whole: Option<Bytes> = None;
        let mut parts = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|e| Problem::new("incomplete", 400, "The body did not arrive whole", e.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            if parts.len() + whole.as_ref().map_or(0, Bytes::len) + data.len() > intake.options.max_body {
                return Err(Self::too_large(intake));
            }
            // Nearly every webhook comes in one piece, which is then used where it lies.
            match whole.take() {
                None if parts.is_empty() => whole = Some(data),
                first => {
                    parts.extend_from_slice(&first.unwrap_or_default());
                    parts.extend_from_slice(&data);
                }
            }
        }
        Ok(whole.unwrap_or_else(|| parts.freeze()))
    }

    /// 415 for what does not even claim to be JSON (S1.5).
    pub fn check_type(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let kind = given.split(';').next().unwrap_or("").trim();
        if kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json") {
            return Ok(());
        }
        let detail = format!("webhooks are application/json; this one says {given:?}. Nothing was stored");
        Err(Problem::new("content-type", 415, "Not JSON by its type", detail))
    }

    /// Counts and logs the end, and names the request in the answer.
    pub fn end(self, result: Result<Response, Problem>) -> Response {
        let took = self.watch.elapsed();
        metrics::histogram!("webhook_ack_seconds", "channel" => self.channel).record(took.as_secs_f64());
        let mut response = match result {
            Ok(response) => response,
            Err(problem) => {
                let problem = problem.at(&self.id.0);
                let (code, status) = (problem.code, problem.status);
                metrics::counter!("webhook_refused_total", "channel" => self.channel, "code" => code).increment(1);
                tracing::warn!(request_id = %self.id, channel = self.channel, code, status, detail = problem.detail, "webhook refused");
                respond(&problem)
            }
        };
        if let Ok(id) = HeaderValue::from_str(&self.id.0) {
            response.headers_mut().insert("x-request-id", id);
        }
        response
    }
}

/// Reads a refused body to its end, up to `most` bytes: a connection that closes over unread bytes is reset, and the caller would
/// never see why it was refused.
async fn discard(mut body: axum::body::Body, most: usize) {
    let mut seen = 0;
    while seen < most
        && let Some(Ok(frame)) = body.frame().await
    {
        seen += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// A caller's own request id is used when it is short and plain, so that it can stand in logs.
fn is_request_id(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether an element names a number at all.
pub(crate) const fn names_a_number(route: &Route) -> bool {
    matches!(route, Route::PhoneNumberId(_) | Route::Instance(_))
}

/// 404 for a number that is not configured.
pub(crate) fn unknown_channel(key: &str) -> Problem {
    let detail = format!(
        "no channel in the configuration has this {key}; add it, or set [server] unrouted = \"store\" to keep such webhooks. Nothing was stored"
    );
    Problem::new("unknown-channel", 404, "No such channel", detail)
}

/// 400 for a body that is not JSON; its bytes are kept so that someone can look at them (S1.5).
pub(crate) async fn unreadable(intake: &Intake, request: &Request, error: &NotJson, body: &Bytes) -> Problem {
    let keep =
        KeepUnreadable { kind: "not_json", why: error.to_string(), raw: body.to_vec(), request_id: request.id.clone() };
    let Some(store) = &intake.store else { return unavailable(&unseen()) };
    if let Err(error) = store.write(keep).await {
        return unavailable(&error);
    }
    let detail = format!("{error}; the raw bytes were kept as an event of kind not_json");
    Problem::new("not-json", 400, "The body is not JSON", detail)
}

fn unavailable(error: &StoreError) -> Problem {
    let detail = format!("{error}. The provider will send this webhook again");
    Problem::new("store-unavailable", 503, "Nothing can be stored now", detail)
}

fn unseen() -> StoreError {
    StoreError::Unavailable { why: "the database is away since before this node started".to_owned() }
}

/// Commits what came, hands new work to the worker, and answers.
pub(crate) async fn store(intake: &Intake, request: &Request, arrivals: Vec<Arrival>) -> Result<Response, Problem> {
    let Some(store) = &intake.store else { return keep(intake, request, arrivals).await };
    let now = store.clock().now();
    for door in arrivals.iter().filter_map(|a| a.door.as_ref()) {
        store.hub().heard(door.channel, now);
    }
    // Places are taken before the commit: work that is born leased must find one.
    let wanted = arrivals.len().min(64);
    let places: Vec<_> = match &intake.handoff {
        Some(handoff) => (0..wanted).map_while(|_| handoff.queue.try_reserve().ok()).collect(),
        None => Vec::new(),
    };
    let room = intake.handoff.as_ref().filter(|_| !places.is_empty()).map(|h| (h.owner.clone(), places.len()));
    let accept = Accept { arrivals, request_id: request.id.clone(), room, policy: intake.options.policy.clone() };
    let slug = accept.door().map(|d| Arc::clone(&d.slug)).unwrap_or_default();
    let mut accepted = match commit(intake, store, accept).await.map_err(|e| unavailable(&e))? {
        Some(accepted) => accepted,
        None => return Ok(spooled(request)),
    };
    fail::fail_point!("ingress.accepted");
    let told = request
        .wait
        .and_then(|_| accepted.messages.iter().find(|m| m.job))
        .map(|m| (m.message, m.conversation, store.hub().outcome_of(m.message)));
    for (place, claimed) in places.into_iter().zip(accepted.leased.drain(..)) {
        place.send(claimed);
    }
    if accepted.waiting {
        store.hub().wake();
    }
    count(request, &accepted, &slug);
    if let (Some(limit), Some((message, conversation, told))) = (request.wait, told) {
        return Ok(wait::answer(store, message, conversation, told, limit).await);
    }
    Ok(queued(request, &accepted))
}

/// Before the database was seen: into the spool.
async fn keep(intake: &Intake, request: &Request, arrivals: Vec<Arrival>) -> Result<Response, Problem> {
    let accept = Accept { arrivals, request_id: request.id.clone(), room: None, policy: intake.options.policy.clone() };
    let kept = match &intake.spool {
        Some(spool) => spool.keep(&accept).await,
        None => Err(unseen()),
    };
    kept.map(|()| spooled(request)).map_err(|e| unavailable(&e))
}

/// Commits to the database; while that is away, to the spool: `None` (S1.9).
async fn commit(intake: &Intake, store: &Store, accept: Accept) -> Result<Option<Accepted>, StoreError> {
    let Some(spool) = &intake.spool else { return store.write(accept).await.map(Some) };
    if spool.is_active() && spool.keep_behind(&accept).await? {
        return Ok(None);
    }
    let accept = Arc::new(accept);
    match store.write(Arc::clone(&accept)).await {
        Ok(accepted) => Ok(Some(accepted)),
        // If it was committed all the same, its ids are known when it comes out of the spool.
        Err(StoreError::Unavailable { .. }) => spool.keep(&accept).await.map(|()| None),
        Err(error) => Err(error),
    }
}

/// The answer to a webhook that waits in the spool: it is on disk, and nothing is known of its conversation yet.
fn spooled(request: &Request) -> Response {
    tracing::info!(request_id = %request.id, channel = request.channel, "webhook spooled");
    axum::Json(serde_json::json!({ "status": "queued", "spooled": true, "request_id": request.id })).into_response()
}

fn count(request: &Request, accepted: &Accepted, tenant: &Arc<str>) {
    accepted.count(tenant, request.channel);
    for message in &accepted.messages {
        tracing::info!(request_id = %request.id, inbound_message_id = %message.message, conversation_id = %message.conversation,
            channel = request.channel, kind = message.kind, "message accepted");
    }
    if accepted.duplicates > 0 {
        tracing::info!(request_id = %request.id, duplicates = accepted.duplicates, "repeated elements were not stored again");
    }
    if accepted.unrouted > 0 {
        tracing::warn!(request_id = %request.id, unrouted = accepted.unrouted, "stored without a channel: its number is not in the configuration");
    }
}

/// `{"status":"queued",…}` (S1.8).
fn queued(request: &Request, accepted: &Accepted) -> Response {
    let first = accepted.messages.first();
    let body = serde_json::json!({
        "status": "queued",
        "accepted": accepted.messages.len(),
        "duplicates": accepted.duplicates,
        "recorded": accepted.recorded,
        "conversation_id": first.map(|m| m.conversation),
        "message_id": first.map(|m| m.message),
        "request_id": request.id,
    });
    axum::Json(body).into_response()
}
