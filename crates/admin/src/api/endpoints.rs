//! Outgoing webhooks: endpoints of a tenant, their secrets, and what became of each event (docs/webhooks.md).

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use store::desk::endpoints::{
    Add, Change, Deliveries, Delivery, Get, List, Recover, Remove, Resend, Rotate, Set, Test, WebhookDelivery,
    WebhookEndpoint,
};
use store::desk::{DeliveryState, EventKind};
use types::{DeliveryId, EndpointId, Moment, Secret, webhook};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, if_match, perhaps, text};
use super::page::{self, Page};
use super::{Desk, Shared};

/// A tenant's webhook endpoints; all of them on one page.
#[utoipa::path(get, path = "/webhook-endpoints", tag = "webhooks", params(TenantQuery),
    responses((status = 200, body = Page<WebhookEndpoint>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<Page<WebhookEndpoint>> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let data = desk.store.read(List(tenant)).await?;
    Ok(Json(Page { data, next: None, prev: None, has_more: false }))
}

/// An endpoint to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointInput {
    /// Slug or id of the tenant; the caller's first where it is left out.
    #[serde(default)]
    tenant: Option<String>,
    /// Where it listens; https, unless the operator allows private addresses.
    #[schema(min_length = 8, max_length = 2000)]
    url: String,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 200)]
    description: Option<String>,
    /// Of what it is told.
    #[schema(min_items = 1, max_items = 20)]
    events: Vec<EventKind>,
}

/// What of an endpoint changes; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointChangeInput {
    /// Where it listens.
    #[serde(default)]
    #[schema(min_length = 8, max_length = 2000)]
    url: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 200)]
    description: Option<String>,
    /// Of what it is told.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 20)]
    events: Option<Vec<EventKind>>,
    /// Whether it is told anything; switched on again, it is told what it missed of the last three days.
    #[serde(default)]
    enabled: Option<bool>,
}

/// An endpoint with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct EndpointSecret {
    /// The endpoint.
    endpoint: WebhookEndpoint,
    /// The key of the signatures (`whsec_…`). It is shown here and never again.
    secret: String,
}

fn key(desk: &Desk) -> Result<Secret, Failure> {
    desk.options().webhook_key.clone().ok_or_else(|| {
        Failure::refused(
            "outgoing webhooks need a key: set [webhooks] key in barid.toml, a long random text, and restart",
        )
    })
}

/// The address, if it is one that may be told: an absolute URL without a name and password in it.
fn address(desk: &Desk, given: &str) -> Result<String, Failure> {
    let url = text("url", given, 2000)?;
    let uri: Uri = url.parse().map_err(|e| Failure::at("/url", format!("url is no address: {e}")))?;
    let insecure = desk.options().private_webhooks;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if insecure => {}
        _ => return Err(Failure::at("/url", "url must begin with https://")),
    }
    if uri.host().is_none_or(str::is_empty) || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err(Failure::at("/url", "url needs a host, and has no name or password before it"));
    }
    Ok(url)
}

fn kinds(given: &[EventKind]) -> Result<(), Failure> {
    if given.is_empty() { Err(Failure::at("/events", "name at least one event")) } else { Ok(()) }
}

/// Sets an endpoint up; its secret is in this answer only. It is told of what happens from now on.
#[utoipa::path(post, path = "/webhook-endpoints", tag = "webhooks", request_body = EndpointInput,
    responses((status = 201, body = EndpointSecret)))]
pub(crate) async fn add(
    State(desk): Shared,
    caller: Caller,
    Input(input): Input<EndpointInput>,
) -> Result<(StatusCode, Json<EndpointSecret>), Failure> {
    let tenant = caller.tenant(&desk, input.tenant.as_deref()).await?;
    let url = address(&desk, &input.url)?;
    kinds(&input.events)?;
    let description = perhaps("description", input.description.as_ref(), 200)?.unwrap_or_default();
    let key = key(&desk)?;
    let endpoint = desk.store.write(Add { tenant, url, description, events: input.events, by: caller.by }).await?;
    desk.store.hub().ring_endpoints();
    let secret = webhook::secret(&key, endpoint.id, 1).expose().to_owned();
    Ok((StatusCode::CREATED, Json(EndpointSecret { endpoint, secret })))
}

/// One endpoint.
#[utoipa::path(get, path = "/webhook-endpoints/{id}", tag = "webhooks", params(("id" = EndpointId, Path)),
    responses((status = 200, body = WebhookEndpoint)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<EndpointId>) -> Answer<WebhookEndpoint> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

/// Changes an endpoint.
#[utoipa::path(patch, path = "/webhook-endpoints/{id}", tag = "webhooks",
    params(("id" = EndpointId, Path), ("if-match" = Option<String>, Header, description = "The version that you saw")),
    request_body = EndpointChangeInput, responses((status = 200, body = WebhookEndpoint)))]
pub(crate) async fn change(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<EndpointId>,
    headers: HeaderMap,
    Input(input): Input<EndpointChangeInput>,
) -> Answer<WebhookEndpoint> {
    let version = if_match(&headers)?;
    let url = input.url.as_deref().map(|url| address(&desk, url)).transpose()?;
    input.events.as_deref().map(kinds).transpose()?;
    let description = perhaps("description", input.description.as_ref(), 200)?;
    let change = Change { url, description, events: input.events, enabled: input.enabled };
    let row = desk.store.write(Set { id, change, version, access: caller.access, by: caller.by }).await?;
    desk.store.hub().ring_endpoints();
    Ok(Json(row))
}

/// Removes an endpoint and its deliveries.
#[utoipa::path(delete, path = "/webhook-endpoints/{id}", tag = "webhooks", params(("id" = EndpointId, Path)),
    responses((status = 204, description = "Removed")))]
pub(crate) async fn remove(State(desk): Shared, caller: Caller, Id(id): Id<EndpointId>) -> Result<StatusCode, Failure> {
    desk.store.write(Remove { id, access: caller.access, by: caller.by }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Exchanges an endpoint's secret: for 24 hours both sign, then the new one alone.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/rotate", tag = "webhooks", params(("id" = EndpointId, Path)),
    responses((status = 200, body = EndpointSecret)))]
pub(crate) async fn rotate(State(desk): Shared, caller: Caller, Id(id): Id<EndpointId>) -> Answer<EndpointSecret> {
    let key = key(&desk);
    let (endpoint, generation) = desk.store.write(Rotate { id, access: caller.access, by: caller.by }).await?;
    let secret = webhook::secret(&key?, endpoint.id, generation).expose().to_owned();
    Ok(Json(EndpointSecret { endpoint, secret }))
}

/// Sends an endpoint an event that says that it is a test (`webhook.test`).
#[utoipa::path(post, path = "/webhook-endpoints/{id}/test", tag = "webhooks", params(("id" = EndpointId, Path)),
    responses((status = 202, body = WebhookDelivery)))]
pub(crate) async fn test(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<EndpointId>,
) -> Result<(StatusCode, Json<WebhookDelivery>), Failure> {
    let delivery = desk.store.write(Test { id, access: caller.access, by: caller.by }).await?;
    desk.store.hub().ring_endpoints();
    Ok((StatusCode::ACCEPTED, Json(delivery)))
}

/// Since when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecoverInput {
    /// What was given up since this moment.
    since: Moment,
}

/// What is told again.
#[derive(Serialize, ToSchema)]
pub(crate) struct Recovered {
    /// So many deliveries.
    queued: i64,
}

/// Tells an endpoint again what was given up since a moment: 10 000 at most.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/recover", tag = "webhooks", params(("id" = EndpointId, Path)),
    request_body = RecoverInput, responses((status = 202, body = Recovered)))]
pub(crate) async fn recover(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<EndpointId>,
    Input(input): Input<RecoverInput>,
) -> Result<(StatusCode, Json<Recovered>), Failure> {
    let recover = Recover { id, since: input.since.0, access: caller.access, by: caller.by };
    let queued = i64::try_from(desk.store.write(recover).await?).unwrap_or(i64::MAX);
    desk.store.hub().ring_endpoints();
    Ok((StatusCode::ACCEPTED, Json(Recovered { queued })))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// Only those that stand so.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists an endpoint's deliveries, newest first; settled ones are kept for 14 days.
#[utoipa::path(get, path = "/webhook-endpoints/{id}/deliveries", tag = "webhooks",
    params(("id" = EndpointId, Path), DeliveryQuery), responses((status = 200, body = Page<WebhookDelivery>)))]
pub(crate) async fn deliveries(
    State(desk): Shared,
    caller: Caller,
    Id(endpoint): Id<EndpointId>,
    Asked(query): Asked<DeliveryQuery>,
) -> Answer<Page<WebhookDelivery>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let (state, after, limit) = (query.state, asked.newest(), asked.fetch());
    let list = Deliveries { endpoint, state, after, limit, access: caller.access };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// One delivery with what is told and what every try came to.
#[utoipa::path(get, path = "/webhook-deliveries/{id}", tag = "webhooks", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = WebhookDelivery)))]
pub(crate) async fn delivery(State(desk): Shared, caller: Caller, Id(id): Id<DeliveryId>) -> Answer<WebhookDelivery> {
    Ok(Json(desk.store.read(Delivery { id, access: caller.access }).await?))
}

/// Tells one again at once, under the same `webhook-id`.
#[utoipa::path(post, path = "/webhook-deliveries/{id}/resend", tag = "webhooks", params(("id" = DeliveryId, Path)),
    responses((status = 202, body = WebhookDelivery)))]
pub(crate) async fn resend(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<DeliveryId>,
) -> Result<(StatusCode, Json<WebhookDelivery>), Failure> {
    let row = desk.store.write(Resend { id, access: caller.access, by: caller.by }).await?;
    desk.store.hub().ring_endpoints();
    Ok((StatusCode::ACCEPTED, Json(row)))
}
