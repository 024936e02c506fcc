//! Agents and experiments (S3.7, S3.8): to look at. What they are is in the configuration.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::desk::Count;
use store::desk::inbox::Counts;
use types::Moment;
use utoipa::ToSchema;

use super::Shared;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::Answer;
use super::input::Asked;
use super::page::Page;

/// Who answers for a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct Agent {
    /// Its name in the configuration.
    id: String,
    /// As people read it.
    name: String,
    /// `flow`: the tenant's conversation flow; `agent`: a language model.
    kind: String,
    /// Of which company the model is; null for flows.
    provider: Option<String>,
    /// The model; null for flows.
    model: Option<String>,
    /// Whether it answers.
    enabled: bool,
    /// Conversations that it answers now.
    active: Count,
    /// Conversations that people answer now.
    handed_over: Count,
}

/// One variant of an experiment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Arm {
    /// Its name.
    name: String,
    /// Its share of conversations, percent.
    share: f64,
    /// Conversations it has had.
    conversations: i64,
    /// Of those, the ones that reached the goal.
    reached: i64,
}

/// Variants of an agent that are compared (S3.8).
#[derive(Serialize, ToSchema)]
pub(crate) struct Experiment {
    /// Its name.
    id: String,
    /// What is compared by.
    metric: String,
    /// `running`, `stopped`.
    status: String,
    /// Its variants.
    arms: Vec<Arm>,
    /// Whether the difference is more than chance, at any time one looks.
    significant: bool,
    /// When it began.
    started_at: Moment,
}

/// Who answers for a tenant.
#[utoipa::path(get, path = "/agents", tag = "agents", params(TenantQuery), responses((status = 200, body = Page<Agent>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<TenantQuery>) -> Answer<Page<Agent>> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let tenants = caller.tenants(&desk).await?;
    let slug = tenants.iter().find(|t| t.id == tenant).map(|t| t.slug.clone()).unwrap_or_default();
    let counts = desk.store.read(Counts { tenant, user: None, status: None }).await?;
    let name = desk.options.assistants.get(&slug).cloned().unwrap_or_else(|| "Assistant".into());
    let agent = Agent {
        id: "flow".into(),
        name,
        kind: "flow".into(),
        provider: None,
        model: None,
        enabled: true,
        active: counts.pending,
        handed_over: counts.open,
    };
    Ok(Json(Page { data: vec![agent], next: None, prev: None, has_more: false }))
}

/// Experiments of a tenant.
#[utoipa::path(get, path = "/experiments", tag = "agents", params(TenantQuery),
    responses((status = 200, body = Page<Experiment>)))]
pub(crate) async fn experiments(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<Page<Experiment>> {
    caller.tenant(&desk, query.tenant.as_deref()).await?;
    Ok(Json(Page { data: Vec::new(), next: None, prev: None, has_more: false }))
}
