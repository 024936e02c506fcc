//! Dead letters (S2.5).

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::desk::letters::{Counts, Get, Groups, List, Settle};
use store::desk::{Letter, LetterCounts, LetterGroup};
use types::states::DeadLetterStatus;
use types::{DeadLetterId, Moment};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::acts::ReasonInput;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::Answer;
use super::input::{Asked, Id, Input, perhaps};
use super::page::{self, Page, Span};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LetterQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only of this status.
    #[param(inline)]
    status: Option<DeadLetterStatus>,
    /// Only of this cause, as `/dead-letters/groups` names it.
    #[param(max_length = 2000)]
    error: Option<String>,
    /// Only rows from this moment on.
    #[param(inline)]
    from: Option<Moment>,
    /// Only rows before this moment.
    #[param(inline)]
    to: Option<Moment>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists dead letters, newest first, without their payloads.
#[utoipa::path(get, path = "/dead-letters", tag = "dead letters", params(LetterQuery),
    responses((status = 200, body = Page<Letter>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<LetterQuery>,
) -> Answer<Page<Letter>> {
    let span = Span { from: query.from, to: query.to };
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?.within(span);
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let error = perhaps("error", query.error.as_ref(), 2000)?;
    let list = List { tenant, status: query.status, error, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// Dead letters by their causes.
#[derive(Serialize, ToSchema)]
pub(crate) struct LetterGroups {
    /// The newest 10 000 that wait, the most frequent cause first.
    groups: Vec<LetterGroup>,
}

/// Dead letters that wait, by their causes.
#[utoipa::path(get, path = "/dead-letters/groups", tag = "dead letters", params(TenantQuery),
    responses((status = 200, body = LetterGroups)))]
pub(crate) async fn groups(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<LetterGroups> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    Ok(Json(LetterGroups { groups: desk.store.read(Groups(tenant)).await? }))
}

/// The counts over the tabs.
#[utoipa::path(get, path = "/dead-letters/counts", tag = "dead letters", params(TenantQuery),
    responses((status = 200, body = LetterCounts)))]
pub(crate) async fn counts(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<LetterCounts> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    Ok(Json(desk.store.read(Counts(tenant)).await?))
}

/// One dead letter with the message as it came.
#[utoipa::path(get, path = "/dead-letters/{id}", tag = "dead letters", params(("id" = DeadLetterId, Path)),
    responses((status = 200, body = Letter)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<DeadLetterId>) -> Answer<Letter> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

async fn settle(
    desk: &super::Desk,
    caller: Caller,
    id: DeadLetterId,
    retry: bool,
    input: &ReasonInput,
) -> Answer<Letter> {
    let reason = perhaps("reason", input.reason.as_ref(), 500)?.filter(|r| !r.is_empty());
    let settled = desk.store.write(Settle { id, retry, reason, access: caller.access, by: caller.by }).await?;
    desk.store.hub().wake();
    Ok(Json(settled))
}

/// Works one again.
#[utoipa::path(post, path = "/dead-letters/{id}/retries", tag = "dead letters", params(("id" = DeadLetterId, Path)),
    request_body = ReasonInput, responses((status = 200, body = Letter)))]
pub(crate) async fn retry(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<DeadLetterId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Letter> {
    settle(&desk, caller, id, true, &input).await
}

/// Gives one up; it can be retried later all the same.
#[utoipa::path(post, path = "/dead-letters/{id}/discard", tag = "dead letters", params(("id" = DeadLetterId, Path)),
    request_body = ReasonInput, responses((status = 200, body = Letter)))]
pub(crate) async fn discard(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<DeadLetterId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Letter> {
    settle(&desk, caller, id, false, &input).await
}
