//! Failed sends (S4.3): listed, grouped, sent again.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::desk::failed::{DismissOne, Get, Groups, List, RetryOne};
use store::desk::{Count, FailedGroup, FailedSend};
use types::{ChannelId, MessageId, Moment};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::acts::ReasonInput;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, perhaps};
use super::page::{self, Page, Span};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FailedQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only of this code of the provider; 0: those without one.
    error_code: Option<i64>,
    /// Only over this number.
    #[param(inline)]
    channel_id: Option<ChannelId>,
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

/// Lists messages that were not sent, newest first: failed, and held because they may have arrived.
#[utoipa::path(get, path = "/failed-sends", tag = "failed sends", params(FailedQuery),
    responses((status = 200, body = Page<FailedSend>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<FailedQuery>,
) -> Answer<Page<FailedSend>> {
    let span = Span { from: query.from, to: query.to };
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?.within(span);
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let list =
        List { tenant, code: query.error_code, channel: query.channel_id, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// Failed sends by code.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailedGroups {
    /// The newest 10 000 by their codes, the most frequent first.
    groups: Vec<FailedGroup>,
    /// All of them.
    total: Count,
}

/// Failed sends by the provider's code.
#[utoipa::path(get, path = "/failed-sends/groups", tag = "failed sends", params(TenantQuery),
    responses((status = 200, body = FailedGroups)))]
pub(crate) async fn groups(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<FailedGroups> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let (groups, total) = desk.store.read(Groups(tenant)).await?;
    Ok(Json(FailedGroups { groups, total }))
}

/// One failed send; its tries are at `/messages/{id}`.
#[utoipa::path(get, path = "/failed-sends/{id}", tag = "failed sends", params(("id" = MessageId, Path)),
    responses((status = 200, body = FailedSend)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<MessageId>) -> Answer<FailedSend> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

/// How.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryInput {
    /// Although it may have arrived: needed for held messages.
    #[serde(default)]
    anyway: bool,
}

/// A retry on its way.
#[derive(Serialize, ToSchema)]
pub(crate) struct Retried {
    /// The message.
    id: MessageId,
    /// `pending` until the provider gives an id (R6).
    status: String,
}

/// Sends one again. What cannot succeed is refused with its reason, and nothing is tried.
#[utoipa::path(post, path = "/failed-sends/{id}/retries", tag = "failed sends", params(("id" = MessageId, Path)),
    request_body = RetryInput, responses((status = 202, body = Retried)))]
pub(crate) async fn retry(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<MessageId>,
    Input(input): Input<RetryInput>,
) -> Result<(StatusCode, Json<Retried>), Failure> {
    desk.store.write(RetryOne { id, anyway: input.anyway, access: caller.access, by: caller.by }).await?;
    desk.store.hub().wake();
    Ok((StatusCode::ACCEPTED, Json(Retried { id, status: "pending".into() })))
}

/// Puts one away: nobody means to send it any more. It stays failed in its conversation.
#[utoipa::path(post, path = "/failed-sends/{id}/dismiss", tag = "failed sends", params(("id" = MessageId, Path)),
    request_body = ReasonInput, responses((status = 200, body = Dismissed)))]
pub(crate) async fn dismiss(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<MessageId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Dismissed> {
    let reason = perhaps("reason", input.reason.as_ref(), 500)?.filter(|r| !r.is_empty());
    desk.store.write(DismissOne { id, reason, access: caller.access, by: caller.by }).await?;
    Ok(Json(Dismissed { id }))
}

/// A failed send that was put away.
#[derive(Serialize, ToSchema)]
pub(crate) struct Dismissed {
    /// The message.
    id: MessageId,
}
