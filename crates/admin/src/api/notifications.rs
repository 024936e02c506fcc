//! Notifications.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::desk::notices::{CountUnread, Deed, DeleteRead, Do, List, Order, ReadAll, Which};
use store::desk::{Count, Notification};
use types::NotificationId;
use utoipa::{IntoParams, ToSchema};

use super::acts::SnoozeInput;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::Answer;
use super::input::{Asked, Id, Input, perhaps};
use super::page::{self, Page};
use super::{Desk, Shared};

/// Which notifications.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotificationFilter {
    /// Neither read nor snoozed.
    Unread,
    /// Snoozed.
    Snoozed,
    /// Read.
    Read,
    /// All.
    All,
}

/// In which order.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotificationSort {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
    /// What cannot wait first, then the newest.
    Urgent,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NotificationQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Which; all where it is left out.
    #[param(inline)]
    filter: Option<NotificationFilter>,
    /// Only of this kind: `needs_person`, `send_failed`, …
    #[param(max_length = 40)]
    kind: Option<String>,
    /// In which order; the newest first where it is left out.
    #[param(inline)]
    sort: Option<NotificationSort>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists notifications.
#[utoipa::path(get, path = "/notifications", tag = "notifications", params(NotificationQuery),
    responses((status = 200, body = Page<Notification>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<NotificationQuery>,
) -> Answer<Page<Notification>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let which = match query.filter {
        Some(NotificationFilter::Unread) => Which::Unread,
        Some(NotificationFilter::Snoozed) => Which::Snoozed,
        Some(NotificationFilter::Read) => Which::Read,
        Some(NotificationFilter::All) | None => Which::All,
    };
    let order = match query.sort {
        Some(NotificationSort::Oldest) => Order::Oldest,
        Some(NotificationSort::Urgent) => Order::Urgent,
        Some(NotificationSort::Newest) | None => Order::Newest,
    };
    let kind = perhaps("kind", query.kind.as_ref(), 40)?.filter(|kind| !kind.is_empty());
    let list = List { tenant, which, kind, order, after: asked.after(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// How many are unread.
#[utoipa::path(get, path = "/notifications/count", tag = "notifications", params(TenantQuery),
    responses((status = 200, body = Count)))]
pub(crate) async fn count(State(desk): Shared, caller: Caller, Asked(query): Asked<TenantQuery>) -> Answer<Count> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    Ok(Json(desk.store.read(CountUnread(tenant)).await?))
}

/// Up to which.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadAllInput {
    /// Slug or id of the tenant; the caller's first where it is left out.
    #[serde(default)]
    tenant: Option<String>,
    /// The newest one that was on the screen; left out: all.
    #[serde(default)]
    upto: Option<NotificationId>,
}

/// How many.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReadAllDone {
    /// So many were unread.
    read: u64,
}

/// Marks every unread notification as read, those that are snoozed left out.
#[utoipa::path(post, path = "/notifications/read-all", tag = "notifications", request_body = ReadAllInput,
    responses((status = 200, body = ReadAllDone)))]
pub(crate) async fn read_all(
    State(desk): Shared,
    caller: Caller,
    Input(input): Input<ReadAllInput>,
) -> Answer<ReadAllDone> {
    let tenant = caller.tenant(&desk, input.tenant.as_deref()).await?;
    let read = desk.store.write(ReadAll { tenant, upto: input.upto, by: caller.by }).await?;
    Ok(Json(ReadAllDone { read }))
}

async fn act(desk: &Desk, caller: Caller, id: NotificationId, deed: Deed) -> Answer<Notification> {
    Ok(Json(desk.store.write(Do { id, deed, access: caller.access, by: caller.by }).await?))
}

/// Marks one as read.
#[utoipa::path(post, path = "/notifications/{id}/read", tag = "notifications", params(("id" = NotificationId, Path)),
    responses((status = 200, body = Notification)))]
pub(crate) async fn read(State(desk): Shared, caller: Caller, Id(id): Id<NotificationId>) -> Answer<Notification> {
    act(&desk, caller, id, Deed::Read).await
}

/// Marks one as unread, and ends its snooze.
#[utoipa::path(post, path = "/notifications/{id}/unread", tag = "notifications", params(("id" = NotificationId, Path)),
    responses((status = 200, body = Notification)))]
pub(crate) async fn unread(State(desk): Shared, caller: Caller, Id(id): Id<NotificationId>) -> Answer<Notification> {
    act(&desk, caller, id, Deed::Unread).await
}

/// Out of sight until then, or until the other side of its conversation writes.
#[utoipa::path(post, path = "/notifications/{id}/snooze", tag = "notifications", params(("id" = NotificationId, Path)),
    request_body = SnoozeInput, responses((status = 200, body = Notification)))]
pub(crate) async fn snooze(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<NotificationId>,
    Input(input): Input<SnoozeInput>,
) -> Answer<Notification> {
    act(&desk, caller, id, input.until.map_or(Deed::SnoozeUntilReply, |m| Deed::Snooze(m.0))).await
}

/// Deletes one.
#[utoipa::path(delete, path = "/notifications/{id}", tag = "notifications", params(("id" = NotificationId, Path)),
    responses((status = 200, body = Notification)))]
pub(crate) async fn delete(State(desk): Shared, caller: Caller, Id(id): Id<NotificationId>) -> Answer<Notification> {
    act(&desk, caller, id, Deed::Delete).await
}

/// Whose.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteReadInput {
    /// Slug or id of the tenant; the caller's first where it is left out.
    #[serde(default)]
    tenant: Option<String>,
}

/// How many.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeleteReadDone {
    /// So many were deleted.
    deleted: u64,
}

/// Deletes every notification that was read.
#[utoipa::path(post, path = "/notifications/delete-read", tag = "notifications", request_body = DeleteReadInput,
    responses((status = 200, body = DeleteReadDone)))]
pub(crate) async fn delete_read(
    State(desk): Shared,
    caller: Caller,
    Input(input): Input<DeleteReadInput>,
) -> Answer<DeleteReadDone> {
    let tenant = caller.tenant(&desk, input.tenant.as_deref()).await?;
    let deleted = desk.store.write(DeleteRead { tenant, by: caller.by }).await?;
    Ok(Json(DeleteReadDone { deleted }))
}
