//! What was done beside the replies (S3.6), and what a person decides about what is stuck.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::desk::sagas::{Deed, Get, List, Saga, Settle};
use types::SagaId;
use types::states::SagaState;
use utoipa::IntoParams;

use super::Shared;
use super::acts::ReasonInput;
use super::caller::Caller;
use super::failure::Answer;
use super::input::{Asked, Id, Input, perhaps};
use super::page::{self, Page};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SagaQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only in this state.
    #[param(inline)]
    state: Option<SagaState>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists the sagas, newest first, without their steps.
#[utoipa::path(get, path = "/sagas", tag = "sagas", operation_id = "list_sagas", params(SagaQuery),
    responses((status = 200, body = Page<Saga>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<SagaQuery>) -> Answer<Page<Saga>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = Some(caller.tenant(&desk, query.tenant.as_deref()).await?);
    let list = List { tenant, state: query.state, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// One saga with its steps, and what was executed, failed and compensated.
#[utoipa::path(get, path = "/sagas/{id}", tag = "sagas", operation_id = "get_saga", params(("id" = SagaId, Path)),
    responses((status = 200, body = Saga)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<SagaId>) -> Answer<Saga> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

async fn settle(desk: &super::Desk, caller: Caller, id: SagaId, deed: Deed, input: &ReasonInput) -> Answer<Saga> {
    let reason = perhaps("reason", input.reason.as_ref(), 500)?.filter(|r| !r.is_empty());
    let settled = desk.store.write(Settle { id, deed, reason, access: caller.access, by: caller.by }).await?;
    desk.store.hub().act();
    Ok(Json(settled))
}

/// Tries the step that is stuck again; of one that waits for its next attempt, now.
#[utoipa::path(post, path = "/sagas/{id}/retries", tag = "sagas", operation_id = "retry_saga", params(("id" = SagaId, Path)),
    request_body = ReasonInput, responses((status = 200, body = Saga)))]
pub(crate) async fn retry(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<SagaId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Saga> {
    settle(&desk, caller, id, Deed::Retry, &input).await
}

/// Goes on without the step that is stuck: a person has seen to it.
#[utoipa::path(post, path = "/sagas/{id}/skip", tag = "sagas", operation_id = "skip_saga", params(("id" = SagaId, Path)),
    request_body = ReasonInput, responses((status = 200, body = Saga)))]
pub(crate) async fn skip(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<SagaId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Saga> {
    settle(&desk, caller, id, Deed::Skip, &input).await
}
