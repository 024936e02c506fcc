//! Work on many rows at once (R3).

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use store::desk::batches::{Begin, Get, List};
use store::desk::{Batch, BatchAction, BatchFilter, Scope};
use types::BatchId;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::caller::{Caller, Who};
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, perhaps};
use super::page::{self, Page};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BatchQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists batches, newest first.
#[utoipa::path(get, path = "/batches", tag = "batches", params(BatchQuery), responses((status = 200, body = Page<Batch>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<BatchQuery>) -> Answer<Page<Batch>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let list = List { tenant, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// What to do to which rows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchInput {
    /// Slug or id of the tenant; the caller's first where it is left out.
    #[serde(default)]
    tenant: Option<String>,
    /// What to do.
    action: BatchAction,
    /// To which rows; left out: all that the action can be done to.
    #[serde(default)]
    filter: BatchFilter,
    /// Only say what would come of it, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Begins a batch, or tries one (`dry_run`): rows that are there now, newest first.
#[utoipa::path(post, path = "/batches", tag = "batches", request_body = BatchInput,
    responses((status = 200, body = Batch, description = "The trial run"), (status = 202, body = Batch, description = "Begun")))]
pub(crate) async fn begin(
    State(desk): Shared,
    caller: Caller,
    Input(input): Input<BatchInput>,
) -> Result<(StatusCode, Json<Batch>), Failure> {
    if let Who::Program { scopes } = &caller.who {
        let scope = match input.action {
            BatchAction::RetryFailedSends | BatchAction::DismissFailedSends => Scope::Sends,
            BatchAction::RetryDeadLetters
            | BatchAction::DiscardDeadLetters
            | BatchAction::RetryJobs
            | BatchAction::CancelJobs => Scope::DeadLetters,
            BatchAction::ResolveConversations => Scope::Conversations,
        };
        if !scopes.contains(&scope) {
            return Err(Failure::forbidden(format!("this token lacks the scope {}", scope.as_str())));
        }
    }
    if input.filter.ids.as_ref().is_some_and(|ids| ids.len() > 1000) {
        return Err(Failure::bad("filter.ids has at most 1000 ids"));
    }
    let mut filter = input.filter;
    filter.error = perhaps("filter.error", filter.error.as_ref(), 2000)?;
    filter.reason = perhaps("filter.reason", filter.reason.as_ref(), 500)?.filter(|r| !r.is_empty());
    let tenant = caller.tenant(&desk, input.tenant.as_deref()).await?;
    let begin = Begin { tenant, action: input.action, filter, dry_run: input.dry_run, by: caller.by };
    if input.dry_run {
        return Ok((StatusCode::OK, Json(desk.store.read(begin).await?)));
    }
    Ok((StatusCode::ACCEPTED, Json(desk.store.write(begin).await?)))
}

/// One batch.
#[utoipa::path(get, path = "/batches/{id}", tag = "batches", params(("id" = BatchId, Path)),
    responses((status = 200, body = Batch)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<BatchId>) -> Answer<Batch> {
    Ok(Json(desk.store.read(Get { id, cancel: None, access: caller.access }).await?))
}

/// Stops a batch where it is; what it has done stays done.
#[utoipa::path(post, path = "/batches/{id}/cancel", tag = "batches", params(("id" = BatchId, Path)),
    responses((status = 200, body = Batch)))]
pub(crate) async fn cancel(State(desk): Shared, caller: Caller, Id(id): Id<BatchId>) -> Answer<Batch> {
    Ok(Json(desk.store.write(Get { id, cancel: Some(caller.by), access: caller.access }).await?))
}
