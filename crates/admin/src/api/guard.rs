//! What every request of the API passes before its handler: who calls, from which page, with which right, and whether it was done already.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use store::accounts::keys::{Known, Settle, Take};
use types::clock::random_token;
use types::problem::{CONTENT_TYPE, Problem};
use types::text::digest;

use super::caller::{self, Caller, Origin};
use super::failure::Failure;
use super::input::LARGEST;
use super::rights::{self, Right};
use super::{Desk, PREFIX};

/// The address of the client's end of the connection; whoever serves the routes puts it into each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Longest `Idempotency-Key`.
const LONGEST_KEY: usize = 200;
/// Answers up to this are kept under their key; larger ones are made again.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The way of a request.
pub(crate) async fn guard(State(desk): State<Arc<Desk>>, path: MatchedPath, request: Request, next: Next) -> Response {
    let origin = origin(request.headers(), request.extensions().get::<Peer>());
    let id = origin.request_id.clone();
    let mut response = match pass(&desk, path.as_str(), request, next, origin).await {
        Ok(response) => response,
        Err(Failure(problem)) => crate::problem::respond(&problem.at(&id)),
    };
    let headers = response.headers_mut();
    // Personal rows: nothing in between may keep them.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value);
    }
    response
}

fn origin(headers: &HeaderMap, peer: Option<&Peer>) -> Origin {
    let given = headers.get("x-request-id").and_then(|v| v.to_str().ok());
    let sound = |id: &&str| (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let request_id = given.filter(sound).map_or_else(random_token, str::to_owned);
    let ip = peer.map(|Peer(ip)| {
        // A proxy on this machine says for whom it asks; anyone else could say anything.
        let forwarded = headers.get("x-forwarded-for").and_then(|v| v.to_str().ok()).filter(|_| ip.is_loopback());
        let last = forwarded.and_then(|v| v.rsplit(',').next()).and_then(|v| v.trim().parse::<IpAddr>().ok());
        last.unwrap_or(*ip).to_string()
    });
    Origin { ip, request_id }
}

async fn pass(desk: &Arc<Desk>, path: &str, request: Request, next: Next, origin: Origin) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let route = path.strip_prefix(PREFIX).unwrap_or(path);
    let Some(right) = rights::of(parts.method.as_str(), route) else { return Err(super::wrong_method().await) };
    let recognised = caller::recognise(desk, &parts.headers, &origin).await?;
    let changes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    // A token cannot be sent by a page of others; a cookie goes along with whatever the browser is made to send.
    if changes && !matches!(recognised, Some((_, false))) {
        same_site(&parts.headers, matches!(recognised, Some((_, true))))?;
    }
    let caller = recognised.map(|(caller, _)| caller);
    match (right, &caller) {
        (Right::Open, _) | (Right::Any, Some(_)) => {}
        (Right::Need(role, scope), Some(caller)) => caller.may(role, scope)?,
        (_, None) => return Err(Failure::signed_out()),
    }
    desk.looked();
    parts.extensions.insert(origin);
    if let Some(caller) = &caller {
        parts.extensions.insert(caller.clone());
    }
    if !changes {
        let known = parts.headers.get(header::IF_NONE_MATCH).cloned();
        let one = route.ends_with("{id}");
        let response = next.run(Request::from_parts(parts, body)).await;
        return tagged(response, known.as_ref(), one).await;
    }
    let bytes = read(&parts, body).await?;
    match (key(&parts, route)?, caller) {
        (Some(key), Some(caller)) if parts.method == Method::POST => {
            once(desk, &caller, &key, parts, bytes, next).await
        }
        _ => Ok(next.run(Request::from_parts(parts, Body::from(bytes))).await),
    }
}

/// Answers up to this carry an `ETag`.
const LARGEST_TAGGED: u64 = 1024 * 1024;

/// A JSON answer with its `ETag`: a row's own version, which `If-Match` takes, or a digest. Who has it already gets 304 and no body.
async fn tagged(response: Response, known: Option<&HeaderValue>, one: bool) -> Result<Response, Failure> {
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let small = response.body().size_hint().upper().is_some_and(|size| size <= LARGEST_TAGGED);
    if response.status() != StatusCode::OK || !json || !small {
        return Ok(response);
    }
    let (mut head, body) = response.into_parts();
    let bytes = body.collect().await.map_err(|e| Failure::internal(&e))?.to_bytes();
    let version = if one { version_of(&bytes) } else { None };
    let tag = version.map_or_else(
        || format!("W/\"{}\"", types::text::preview(&digest(&bytes), 32)),
        |version| format!("\"{version}\""),
    );
    let had = known.and_then(|v| v.to_str().ok());
    let same = had.is_some_and(|had| had.split(',').any(|one| one.trim() == tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, value);
    }
    if !same {
        return Ok(Response::from_parts(head, Body::from(bytes)));
    }
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(header::CONTENT_TYPE);
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, Body::empty()))
}

/// The version that a row says of itself.
fn version_of(row: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: String,
    }
    let version = serde_json::from_slice::<Versioned>(row).ok()?.version;
    version.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(version)
}

/// Refuses what a page of another site made the browser send.
fn same_site(headers: &HeaderMap, by_cookie: bool) -> Result<(), Failure> {
    let refuse = |why: &str| {
        let detail = format!("{why}: this request comes from a page that is not Barid's own");
        Failure(Problem::new("cross-site", 403, "Sent by another site", detail))
    };
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => return Ok(()),
        Some(other) => return Err(refuse(&format!("Sec-Fetch-Site is {other}"))),
        None => {}
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => {
            let of = origin.split_once("://").map_or(origin, |(_, rest)| rest);
            if of.eq_ignore_ascii_case(host) { Ok(()) } else { Err(refuse("Origin is another host")) }
        }
        (Some(_), None) => Err(refuse("there is no Host")),
        // Every browser of these years says one of the two. A program signs in without a cookie, or uses a token.
        (None, _) if by_cookie => Err(refuse("neither Sec-Fetch-Site nor Origin")),
        (None, _) => Ok(()),
    }
}

async fn read(parts: &Parts, body: Body) -> Result<Bytes, Failure> {
    let too_large = || {
        let detail = format!("a request has at most {} KiB", LARGEST / 1024);
        Failure(Problem::new("too-large", 413, "The body is too large", detail))
    };
    let told = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|n| n > LARGEST) {
        return Err(too_large());
    }
    let bytes = match Limited::new(body, LARGEST).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => return Err(too_large()),
        Err(e) => {
            return Err(Failure(Problem::new("incomplete", 400, "The body did not arrive whole", e.to_string())));
        }
    };
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let json = kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/json"));
    if !bytes.is_empty() && !json {
        let detail = "send the body as Content-Type: application/json";
        return Err(Failure(Problem::new("content-type", 415, "Not JSON by its type", detail)));
    }
    Ok(bytes)
}

fn key(parts: &Parts, route: &str) -> Result<Option<String>, Failure> {
    let needed = parts.method == Method::POST && rights::KEYED.contains(&route);
    let Some(value) = parts.headers.get("idempotency-key") else {
        if needed {
            let detail = "send Idempotency-Key: any text of your own, the same when you send the same again";
            return Err(Failure(Problem::new("key-required", 400, "An Idempotency-Key is needed", detail)));
        }
        return Ok(None);
    };
    let sound = |t: &&str| (1..=LONGEST_KEY).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_graphic());
    let text = value.to_str().ok().filter(sound).ok_or_else(|| {
        Failure::bad(format!("Idempotency-Key must have 1 to {LONGEST_KEY} characters, none of them a space"))
    })?;
    Ok(Some(text.to_owned()))
}

/// The same key does the same thing once.
async fn once(
    desk: &Arc<Desk>,
    caller: &Caller,
    key: &str,
    mut parts: Parts,
    bytes: Bytes,
    next: Next,
) -> Result<Response, Failure> {
    let mut whole = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    whole.extend_from_slice(&bytes);
    let (holder, name) = (format!("{}:{}", caller.by.kind, caller.by.id), key.to_owned());
    let take = Take { holder: holder.clone(), name: name.clone(), request: digest(&whole) };
    match desk.store.write(take).await? {
        Known::Fresh => {}
        Known::UnderWay => {
            let detail = "a request with this Idempotency-Key is under way: ask again in a moment";
            return Err(Failure(Problem::new("key-under-way", 409, "Still being done", detail)));
        }
        Known::Other => {
            let detail = "this Idempotency-Key was used for another request: take a new one";
            return Err(Failure(Problem::new("key-reused", 422, "The key belongs to another request", detail)));
        }
        Known::Done { status, answer } => return Ok(again(status, answer)),
    }
    parts.extensions.insert(Key(name.clone()));
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let status = response.status();
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.map_err(|e| Failure::internal(&e))?.to_bytes();
    // What failed by us may be tried again under the same key.
    let keep = !status.is_server_error() && bytes.len() <= LARGEST_ANSWER;
    let answer = keep.then(|| String::from_utf8(bytes.to_vec()).ok().map(|text| (status.as_u16(), text))).flatten();
    desk.store.write(Settle { holder, name, answer }).await?;
    Ok(Response::from_parts(head, Body::from(bytes)))
}

/// The key of this request, for handlers that pass it on.
#[derive(Clone, Debug)]
pub(crate) struct Key(pub String);

fn again(status: u16, answer: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = if status.is_success() { "application/json" } else { CONTENT_TYPE };
    ([(header::CONTENT_TYPE, kind), (header::HeaderName::from_static("idempotent-replay"), "true")], answer)
        .into_response_with(status)
}

trait WithStatus {
    fn into_response_with(self, status: StatusCode) -> Response;
}

impl<T: IntoResponse> WithStatus for T {
    fn into_response_with(self, status: StatusCode) -> Response {
        let mut response = self.into_response();
        *response.status_mut() = status;
        response
    }
}
