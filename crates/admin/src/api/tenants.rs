//! Tenants and their numbers.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::desk::tenants::{Channels, ResumeChannel};
use store::desk::{Channel, Tenant};
use types::ChannelId;
use utoipa::ToSchema;

use super::Shared;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::Answer;
use super::input::{Asked, Id};
use super::page::{self, Page};

/// The tenants that the caller sees; all of them on one page.
#[utoipa::path(get, path = "/tenants", tag = "settings", responses((status = 200, body = Page<Tenant>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller) -> Answer<Page<Tenant>> {
    let data = caller.tenants(&desk).await?;
    Ok(Json(Page { data, next: None, prev: None, has_more: false }))
}

/// A tenant's numbers; all of them on one page. Credentials are masked.
#[utoipa::path(get, path = "/channels", tag = "settings", params(TenantQuery),
    responses((status = 200, body = Page<Channel>)))]
pub(crate) async fn channels(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<Page<Channel>> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let data = desk.store.read(Channels(tenant)).await?;
    Ok(Json(page::Page { data, next: None, prev: None, has_more: false }))
}

/// Whether it was paused.
#[derive(Serialize, ToSchema)]
pub(crate) struct Resumed {
    /// It was, and sends again now.
    resumed: bool,
}

/// Lets a paused number send again: what waits goes out at once.
#[utoipa::path(post, path = "/channels/{id}/resume", tag = "settings", params(("id" = ChannelId, Path)),
    responses((status = 200, body = Resumed)))]
pub(crate) async fn resume_channel(State(desk): Shared, caller: Caller, Id(channel): Id<ChannelId>) -> Answer<Resumed> {
    let resumed = desk.store.write(ResumeChannel { channel, access: caller.access, by: caller.by }).await?;
    desk.store.hub().wake();
    Ok(Json(Resumed { resumed }))
}
