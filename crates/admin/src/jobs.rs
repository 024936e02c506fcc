//! Routes that let an outside scheduler drive the queue and read its figures (S2.7, S2.8).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use store::views::Figures;

use crate::{Admin, auth, figures};

/// Work at most so many conversations in one call, whatever is asked.
const MOST: u32 = 1000;

#[derive(Deserialize)]
pub(crate) struct Call {
    token: Option<String>,
    max: Option<u32>,
}

/// `GET /api/jobs/run-outbound?token=…&max=N`
pub(crate) async fn run_by_runner(
    State(admin): State<Arc<Admin>>,
    Query(call): Query<Call>,
    headers: HeaderMap,
) -> Response {
    match auth::check(admin.runner_token.as_ref(), "runner_token", call.token.as_deref(), &headers) {
        Ok(()) => run(&admin, call.max).await,
        Err(refusal) => *refusal,
    }
}

/// `GET /api/cron/run-outbound-jobs?token=…`
pub(crate) async fn run_by_cron(
    State(admin): State<Arc<Admin>>,
    Query(call): Query<Call>,
    headers: HeaderMap,
) -> Response {
    match auth::check(admin.cron_token.as_ref(), "cron_token", call.token.as_deref(), &headers) {
        Ok(()) => run(&admin, call.max).await,
        Err(refusal) => *refusal,
    }
}

async fn run(admin: &Admin, max: Option<u32>) -> Response {
    match (admin.run_outbound)(max.unwrap_or(50).clamp(1, MOST)).await {
        Ok(conversations) => {
            let left = admin.store.read(Figures).await.map_or(serde_json::Value::Null, |f| f.queued.into());
            Json(serde_json::json!({ "conversations": conversations, "still_queued": left })).into_response()
        }
        Err(error) => figures::unavailable(&error),
    }
}

/// `GET /api/jobs/metrics?token=…`
pub(crate) async fn figures(State(admin): State<Arc<Admin>>, Query(call): Query<Call>, headers: HeaderMap) -> Response {
    if let Err(refusal) = auth::check(admin.runner_token.as_ref(), "runner_token", call.token.as_deref(), &headers) {
        return *refusal;
    }
    match admin.store.read(Figures).await {
        Ok(figures) => Json(figures).into_response(),
        Err(error) => figures::unavailable(&error),
    }
}
