//! What is new, live: server-sent events. `hello` first, then news; after a break the browser names the last it had, and gets what came
//! since, or `reset`: read everything anew (R1).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use types::problem::Problem;
use utoipa::IntoParams;

use super::caller::{self, Caller, Origin};
use super::failure::Failure;
use super::feed::{CLOSED, Item, Next};
use super::input::Asked;
use super::{Desk, Shared};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Only news whose names begin with one of these, separated by commas: `message,conversation`.
    #[param(max_length = 200)]
    topics: Option<String>,
}

/// One event of the stream, field by field as server-sent events write it.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only describes what the library writes")]
pub(crate) struct News {
    /// What happened: `hello`, `reset`, `message.created` and so on.
    event: String,
    /// To be given back as `Last-Event-ID`.
    id: String,
    /// JSON: which row.
    data: String,
}

/// A comment so often, so that nothing in between takes the stream for dead.
const PING: Duration = Duration::from_secs(15);
/// Whoever lost their rights meanwhile is found out so often.
const RECHECK: Duration = Duration::from_secs(30);
/// Items in one write.
const AT_ONCE: usize = 100;

struct Stream {
    desk: Arc<Desk>,
    caller: Caller,
    headers: HeaderMap,
    topics: Vec<String>,
    place: u64,
    ready: std::collections::VecDeque<Event>,
    bell: watch::Receiver<u64>,
    _room: OwnedSemaphorePermit,
}

/// What is new, as it happens. Events: `hello` (version), `reset` (read everything anew), `message.created`, `message.status`,
/// `send.failed`, `conversation.updated`, `notification.created`, `task.updated`, `lead.updated`, `dead_letter.updated`, `channel.updated`,
/// `job.counts` (once a second at most), `batch.progress`. Each but the first two has `id` (of the row, or none) and, where it is about one,
/// `conversation_id`. A comment every 15 s.
#[utoipa::path(get, path = "/events", tag = "events",
    params(EventQuery, ("last-event-id" = Option<String>, Header, description = "The last event that was received")),
    responses((status = 200, description = "The stream; each event is one of these", body = News, content_type = "text/event-stream")))]
pub(crate) async fn stream(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let room = Arc::clone(&desk.streams).try_acquire_owned().map_err(|_| {
        let detail = "many streams are open already: close some, or try again in a moment";
        Failure(Problem::new("busy", 503, "Too much at once", detail))
    })?;
    let topics = query.topics.map(|t| t.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect());
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty());
    let bell = desk.feed.watch();
    let (place, lost) = match last.map(|id| desk.feed.place(id)) {
        Some(Some(place)) => (place, false),
        Some(None) => (desk.feed.now(), true),
        None => (desk.feed.now(), false),
    };
    let hello = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }).to_string();
    let mut ready =
        std::collections::VecDeque::from([Event::default().event("hello").id(desk.feed.id(place)).data(hello)]);
    if lost {
        ready.push_back(reset(&desk, place));
    }
    let topics = topics.unwrap_or_default();
    let stream = Stream { desk, caller, headers, topics, place, ready, bell, _room: room };
    let events = stream::unfold(stream, |mut s| async move { s.next().await.map(|e| (Ok::<_, Infallible>(e), s)) });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(PING).text("ping")).into_response();
    // nginx would gather what should go out at once.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn reset(desk: &Desk, place: u64) -> Event {
    Event::default().event("reset").id(desk.feed.id(place)).data("{}")
}

impl Stream {
    fn sees(&self, item: &Item) -> bool {
        item.tenant.is_none_or(|t| self.caller.access.allows(t))
            && (self.topics.is_empty() || self.topics.iter().any(|t| item.name.starts_with(t.as_str())))
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let head = *self.bell.borrow_and_update();
            if head == CLOSED {
                return None;
            }
            let (next, place) = self.desk.feed.after(self.place, AT_ONCE, |item| self.sees(item));
            let moved = place != self.place;
            self.place = place;
            match next {
                Next::Reset => self.ready.push_back(reset(&self.desk, place)),
                Next::Items(items) => {
                    let id = |seq| self.desk.feed.id(seq);
                    self.ready
                        .extend(items.into_iter().map(|i| Event::default().event(i.name).id(id(i.seq)).data(i.data)));
                }
            }
            if !moved && self.ready.is_empty() && !self.wait().await {
                return None;
            }
        }
    }

    /// Waits for more; whether the stream goes on.
    async fn wait(&mut self) -> bool {
        tokio::select! {
            rang = self.bell.changed() => rang.is_ok(),
            () = tokio::time::sleep(RECHECK) => {
                // Signed out, shut out, revoked, other tenants: the stream follows.
                match caller::recognise(&self.desk, &self.headers, &Origin::default()).await {
                    Ok(Some((caller, _))) => {
                        self.caller = caller;
                        true
                    }
                    Ok(None) => false,
                    Err(_) => true,
                }
            }
        }
    }
}
