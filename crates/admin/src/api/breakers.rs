//! Breakers (S4.10): listed, tried now, held open, reset; each act with its reason.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::breakers::Turn;
use store::desk::breakers::{Breaker, List, Move};
use utoipa::ToSchema;

use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, text};
use super::page::Page;
use super::{Desk, Shared};

/// The breakers of the tenant's numbers and of the installation; all of them on one page.
#[utoipa::path(get, path = "/breakers", tag = "health", params(TenantQuery), responses((status = 200, body = Page<Breaker>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<Page<Breaker>> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let data = desk.store.read(List(tenant)).await?;
    Ok(Json(Page { data, next: None, prev: None, has_more: false }))
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakerInput {
    /// Why, for the record.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

async fn turn(desk: &Desk, caller: Caller, name: String, turn: Turn, input: &BreakerInput) -> Answer<Breaker> {
    let reason = text("reason", &input.reason, 500)?;
    if name.len() > 100 {
        return Err(Failure::missing("breaker", "of so long a name"));
    }
    let breaker = desk.store.write(Move { name, turn, reason, access: caller.access, by: caller.by }).await?;
    desk.store.hub().ring_breakers();
    desk.store.hub().wake();
    Ok(Json(breaker))
}

/// Lets the next call try now; a number's provider is asked at once.
#[utoipa::path(post, path = "/breakers/{id}/probe", tag = "health", params(("id" = String, Path, description = "The name of the breaker")),
    request_body = BreakerInput, responses((status = 200, body = Breaker)))]
pub(crate) async fn probe(
    State(desk): Shared,
    caller: Caller,
    Id(name): Id<String>,
    Input(input): Input<BreakerInput>,
) -> Answer<Breaker> {
    turn(&desk, caller, name, Turn::Probe, &input).await
}

/// Keeps it open until it is reset: nothing goes out, and what waits loses no attempt.
#[utoipa::path(post, path = "/breakers/{id}/hold", tag = "health", params(("id" = String, Path, description = "The name of the breaker")),
    request_body = BreakerInput, responses((status = 200, body = Breaker)))]
pub(crate) async fn hold(
    State(desk): Shared,
    caller: Caller,
    Id(name): Id<String>,
    Input(input): Input<BreakerInput>,
) -> Answer<Breaker> {
    turn(&desk, caller, name, Turn::Hold, &input).await
}

/// Closes it, whatever it was.
#[utoipa::path(post, path = "/breakers/{id}/reset", tag = "health", params(("id" = String, Path, description = "The name of the breaker")),
    request_body = BreakerInput, responses((status = 200, body = Breaker)))]
pub(crate) async fn reset(
    State(desk): Shared,
    caller: Caller,
    Id(name): Id<String>,
    Input(input): Input<BreakerInput>,
) -> Answer<Breaker> {
    turn(&desk, caller, name, Turn::Reset, &input).await
}
