//! Switches of agents and experiments (S3.8). They live in the database and are read with every turn: the next one obeys, on every node.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::desk::AgentFlag;
use store::desk::agents::{Flags, SetFlag};
use utoipa::ToSchema;

use super::agents::slug;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Input, perhaps};
use super::page::Page;
use super::{Desk, Shared};

/// The switches that a tenant has: all agents, each agent, each experiment.
fn names(desk: &Desk, slug: &str) -> Vec<String> {
    let options = desk.options();
    let agents = options.agents.get(slug).into_iter().flatten().map(|a| format!("agent:{}", a.name));
    let experiments = options.experiments.get(slug).into_iter().flatten().map(|e| format!("experiment:{}", e.name));
    std::iter::once("agents".to_owned()).chain(agents).chain(experiments).collect()
}

/// The switches of a tenant, set or not.
#[utoipa::path(get, path = "/flags", tag = "agents", params(TenantQuery), responses((status = 200, body = Page<AgentFlag>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<Page<AgentFlag>> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let slug = slug(&desk, &caller, tenant).await?;
    let set = desk.store.read(Flags(tenant)).await?;
    let data = names(&desk, &slug).iter().map(|name| AgentFlag::of(&set, name)).collect();
    Ok(Json(Page { data, next: None, prev: None, has_more: false }))
}

/// A switch as it shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagInput {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// `agents`, `agent:NAME` or `experiment:NAME`.
    name: String,
    /// On or off.
    on: bool,
    /// For how many of a hundred conversations; those who are in stay in while it grows.
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<u8>,
    /// Why, for the record.
    reason: Option<String>,
}

/// Sets a switch.
#[utoipa::path(put, path = "/flags", tag = "agents", request_body = FlagInput, responses((status = 200, body = AgentFlag)))]
pub(crate) async fn set(State(desk): Shared, caller: Caller, Input(input): Input<FlagInput>) -> Answer<AgentFlag> {
    let tenant = caller.tenant(&desk, input.tenant.as_deref()).await?;
    let slug = slug(&desk, &caller, tenant).await?;
    if !names(&desk, &slug).contains(&input.name) {
        return Err(Failure::missing("switch", types::text::preview(&input.name, 80)));
    }
    let percent = input.percent.unwrap_or(100);
    if percent > 100 {
        return Err(Failure::bad("percent is over 100"));
    }
    let reason = perhaps("reason", input.reason.as_ref(), 500)?.filter(|r| !r.is_empty());
    let set = SetFlag { tenant, name: input.name, on: input.on, percent, reason, access: caller.access, by: caller.by };
    Ok(Json(desk.store.write(set).await?))
}
