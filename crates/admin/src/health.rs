//! Is it alive, can it take messages, what does it measure (S6.4).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use store::channels::States;
use types::states::ChannelState;

use crate::{Admin, figures};

/// `/livez`: the process answers; nothing else is looked at.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// `/readyz`: the database answers and this process does not drain; `?verbose` and `Accept: application/json` list the checks.
pub(crate) async fn ready(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let channels = admin.store.read(States).await;
    let draining = admin.draining.load(Ordering::Relaxed);
    let database = channels.as_ref().err().map(ToString::to_string);
    // While the spool takes webhooks, this node is of use although its database is away (S1.9).
    let spool = admin.spool.as_ref().map(|s| s.figures());
    let takes = database.is_none() || spool.is_some_and(|s| s.active && s.has_room());
    let ok = takes && !draining;
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|q| q.contains("verbose")) || wants_json(&headers);
    if !verbose && ok {
        let word = if spool.is_some_and(|s| s.active) { "spooling\n" } else { "ok\n" };
        return (status, word).into_response();
    }
    let channels: Vec<_> = channels
        .unwrap_or_default()
        .into_iter()
        .map(|c| {
            serde_json::json!({ "kind": c.kind, "number": c.external_id, "tenant": c.tenant, "ok": c.state == ChannelState::Ready,
                                "reason": c.reason, "since": c.since.to_string() })
        })
        .collect();
    let body = serde_json::json!({
        "status": if ok { "ok" } else { "unavailable" },
        "database": database.unwrap_or_else(|| "ok".to_owned()),
        "draining": draining,
        "spool": spool,
        "waiting_writes": admin.store.backlog(),
        "channels": channels,
    });
    (status, Json(body)).into_response()
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("application/json"))
}

/// `/metrics`: Prometheus text, or JSON for those who ask for it.
pub(crate) async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    figures::refresh(&admin.store).await;
    let text = (admin.render_metrics)();
    if wants_json(&headers) {
        return Json(figures::as_json(&text)).into_response();
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
