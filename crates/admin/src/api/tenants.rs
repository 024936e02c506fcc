//! Tenants and their numbers.

use std::pin::Pin;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::desk::tenants::{Channels, ResumeChannel, TestChannel, Visible};
use store::desk::{Channel, Tenant};
use types::{ChannelId, ConversationId, MessageId};
use utoipa::ToSchema;

use super::Shared;
use super::caller::Caller;
use super::conversations::{TemplateInput, TenantQuery, content};
use super::failure::{Answer, Failure};
use super::guard::Key;
use super::input::{Asked, Id, Input};
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

/// What the provider says of a number, asked now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelCheck {
    /// It took our credentials.
    pub ok: bool,
    /// Why not.
    pub detail: Option<String>,
    /// The number's quality, where the provider says it (Meta): `GREEN`, `YELLOW`, `RED`, `UNKNOWN`.
    pub quality: Option<String>,
}

/// Asks the provider of a channel.
pub type CheckChannel =
    dyn Fn(ChannelId) -> Pin<Box<dyn Future<Output = ChannelCheck> + Send>> + Send + std::marker::Sync;

/// Asks the number's provider whether the credentials work, and how good the number is. Sends nothing.
#[utoipa::path(post, path = "/channels/{id}/check", tag = "settings", params(("id" = ChannelId, Path)),
    responses((status = 200, body = ChannelCheck)))]
pub(crate) async fn check_channel(
    State(desk): Shared,
    caller: Caller,
    Id(channel): Id<ChannelId>,
) -> Answer<ChannelCheck> {
    desk.store.read(Visible { channel, access: caller.access }).await?;
    let check = desk.options().check_channel.clone();
    let check = check.ok_or_else(|| Failure::refused("this node sends nothing, so it cannot ask: use another one"))?;
    Ok(Json(check(channel).await))
}

/// A message to see whether a number works.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelTestInput {
    /// To whom: a phone number with its country code.
    #[schema(min_length = 4, max_length = 30)]
    to: String,
    /// The text; it arrives only where the person wrote to this number in the last 24 hours.
    #[serde(default)]
    #[schema(max_length = 4096)]
    text: Option<String>,
    /// An approved template instead, which arrives always.
    #[serde(default)]
    template: Option<TemplateInput>,
}

/// A test on its way.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelTest {
    /// The message: its row says what becomes of it.
    message_id: MessageId,
    /// Its conversation.
    conversation_id: ConversationId,
}

/// Sends a message to a number of your choice, by the same outbox as every other.
#[utoipa::path(post, path = "/channels/{id}/test", tag = "settings", params(("id" = ChannelId, Path)),
    request_body = ChannelTestInput, responses((status = 202, body = ChannelTest)))]
pub(crate) async fn test_channel(
    State(desk): Shared,
    caller: Caller,
    Id(channel): Id<ChannelId>,
    Extension(Key(key)): Extension<Key>,
    Input(input): Input<ChannelTestInput>,
) -> Result<(StatusCode, Json<ChannelTest>), Failure> {
    let phone = types::text::phone_digits(&input.to)
        .ok_or_else(|| Failure::at("/to", "to is no phone number: digits with the country code"))?;
    let content = content(input.text.as_ref(), input.template.as_ref())?;
    let test = TestChannel { channel, phone, content, key, access: caller.access, by: caller.by };
    let (message_id, conversation_id) = desk.store.write(test).await?;
    desk.store.hub().wake();
    Ok((StatusCode::ACCEPTED, Json(ChannelTest { message_id, conversation_id })))
}
