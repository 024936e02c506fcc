//! Agents and their sessions (S3.7). What they are is in the configuration; what they did, and whether they answer now, is in the database.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::agents::Spent;
use store::desk::agents::{Figures, Flags, Sessions, Show, Today, Turns};
use store::desk::inbox::Counts;
use store::desk::{AgentFlag, AgentSession, AgentTurn, Count};
use types::{AgentSessionId, TenantId};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id};
use super::page::{self, Page};
use super::{Desk, Shared};

const DAY: Duration = Duration::from_secs(86_400);

/// An agent of the configuration, as the page shows it.
#[derive(Clone, Debug, Default)]
pub struct AgentInfo {
    /// Its name.
    pub name: String,
    /// The first characters of its prompt's digest: another prompt, another hash.
    pub prompt_hash: String,
    /// Its providers and their models, in the order in which they are tried.
    pub providers: Vec<(String, String)>,
    /// Whether it answers by the configuration, to all or in an experiment: agents are not all off on this node.
    pub answers: bool,
    /// What models may take in a day for this tenant.
    pub budget: BudgetInfo,
}

/// A day's budget; `None`: no bound. Costs in millionths of the currency.
#[derive(Clone, Copy, Debug, Default)]
pub struct BudgetInfo {
    /// Tokens of one contact.
    pub contact_tokens: Option<u64>,
    /// Cost of one contact.
    pub contact_cost: Option<u64>,
    /// Tokens of all.
    pub tenant_tokens: Option<u64>,
    /// Cost of all.
    pub tenant_cost: Option<u64>,
}

/// How much of the day's budget (UTC) is used up. When it is, the flow answers.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct AgentBudget {
    /// Tokens that all contacts have taken today.
    tokens: i64,
    /// So many may be taken; null: no bound.
    tokens_cap: Option<i64>,
    /// What they cost, in the currency of the configured prices.
    cost: f64,
    /// So much may be spent; null: no bound.
    cost_cap: Option<f64>,
    /// The tenant's budget is used up.
    reached: bool,
    /// Contacts whose own budget is used up.
    contacts_at_cap: i64,
}

impl AgentBudget {
    fn of(info: BudgetInfo, spent: Spent, contacts_at_cap: i64) -> Self {
        let over = |cap: Option<u64>, spent: u64| cap.is_some_and(|cap| spent >= cap);
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        Self {
            tokens: signed(spent.tokens),
            tokens_cap: info.tenant_tokens.map(signed),
            cost: spent.cost as f64 / 1e6,
            cost_cap: info.tenant_cost.map(|cost| cost as f64 / 1e6),
            reached: over(info.tenant_tokens, spent.tokens) || over(info.tenant_cost, spent.cost),
            contacts_at_cap,
        }
    }
}

/// Who answers for a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct Agent {
    /// Its name in the configuration; `flow` for the flow.
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
    /// For how many of a hundred conversations.
    percent: u32,
    /// The switch that turns it off and on; null for the flow, which always answers.
    flag: Option<String>,
    /// Models that are asked when the first cannot answer, as `provider model`.
    fallbacks: Vec<String>,
    /// Changes with its prompt; null for flows.
    prompt_hash: Option<String>,
    /// Conversations that wait for the assistant now.
    active: Count,
    /// Conversations that people answer now.
    handed_over: Count,
    /// What it did in the last 24 hours; null for flows.
    day: Option<AgentFigures>,
    /// What it did in the last 30 days; null for flows.
    month: Option<AgentFigures>,
    /// The tenant's budget of today, which all its agents share; null for flows.
    budget: Option<AgentBudget>,
}

/// What an agent did.
#[derive(Serialize, ToSchema, Default)]
pub(crate) struct AgentFigures {
    /// Sessions with a turn.
    sessions: i64,
    /// Turns that it was asked for.
    turns: i64,
    /// Turns that it answered; the flow answered the others.
    replies: i64,
    /// Turns in which it called a person.
    handovers: i64,
    /// Tokens read, by the vendors' count.
    tokens_in: i64,
    /// Tokens written.
    tokens_out: i64,
    /// In the currency of the configured prices.
    cost: f64,
    /// Time that its calls took in a turn, ms.
    mean_ms: i64,
    /// 95 of a hundred turns were not slower, ms.
    p95_ms: i64,
}

fn figures(all: &[Figures], agent: &str) -> AgentFigures {
    all.iter().find(|f| f.agent == agent).map_or_else(AgentFigures::default, |f| AgentFigures {
        sessions: f.sessions,
        turns: f.turns,
        replies: f.replies,
        handovers: f.handovers,
        tokens_in: f.tokens_in,
        tokens_out: f.tokens_out,
        cost: f.cost as f64 / 1e6,
        mean_ms: if f.turns > 0 { f.latency_ms / f.turns } else { 0 },
        p95_ms: f.p95_ms,
    })
}

/// The slug of a tenant, by which the configuration knows it.
pub(super) async fn slug(desk: &Desk, caller: &Caller, tenant: TenantId) -> Result<String, Failure> {
    let tenants = caller.tenants(desk).await?;
    Ok(tenants.into_iter().find(|t| t.id == tenant).map(|t| t.slug).unwrap_or_default())
}

/// Who answers for a tenant: the flow, and its agents.
#[utoipa::path(get, path = "/agents", tag = "agents", params(TenantQuery), responses((status = 200, body = Page<Agent>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<TenantQuery>) -> Answer<Page<Agent>> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let slug = slug(&desk, &caller, tenant).await?;
    let counts = desk.store.read(Counts { tenant, user: None, status: None }).await?;
    let name = desk.options().assistants.get(&slug).cloned().unwrap_or_else(|| "Assistant".into());
    let mut data = vec![Agent {
        id: "flow".into(),
        name,
        kind: "flow".into(),
        provider: None,
        model: None,
        enabled: true,
        percent: 100,
        flag: None,
        fallbacks: Vec::new(),
        prompt_hash: None,
        active: counts.pending,
        handed_over: counts.open,
        day: None,
        month: None,
        budget: None,
    }];
    let options = desk.options();
    if let Some(agents) = options.agents.get(&slug).filter(|a| !a.is_empty()) {
        let flags = desk.store.read(Flags(tenant)).await?;
        let now = desk.store.clock().now();
        let day = desk.store.read(Show { tenant, since: now.minus(DAY) }).await?;
        let month = desk.store.read(Show { tenant, since: now.minus(DAY * 30) }).await?;
        let all = AgentFlag::of(&flags, "agents");
        let info = agents.first().map(|a| a.budget).unwrap_or_default();
        let BudgetInfo { contact_tokens, contact_cost, .. } = info;
        let (spent, at_cap) = desk.store.read(Today { tenant, contact_tokens, contact_cost }).await?;
        let budget = AgentBudget::of(info, spent, at_cap);
        for agent in agents {
            let flag = AgentFlag::of(&flags, &format!("agent:{}", agent.name));
            let (first, rest) = agent.providers.split_first().map_or((None, &[][..]), |(f, r)| (Some(f), r));
            data.push(Agent {
                id: agent.name.clone(),
                name: agent.name.clone(),
                kind: "agent".into(),
                provider: first.map(|f| f.0.clone()),
                model: first.map(|f| f.1.clone()),
                enabled: all.on && flag.on && agent.answers,
                percent: flag.percent.min(all.percent),
                flag: Some(flag.name),
                fallbacks: rest.iter().map(|(provider, model)| format!("{provider} {model}")).collect(),
                prompt_hash: Some(agent.prompt_hash.clone()),
                active: counts.pending,
                handed_over: counts.open,
                day: Some(figures(&day, &agent.name)),
                month: Some(figures(&month, &agent.name)),
                budget: Some(budget.clone()),
            });
        }
    }
    Ok(Json(Page { data, next: None, prev: None, has_more: false }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only of this agent.
    agent: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists agents' sessions, newest first.
#[utoipa::path(get, path = "/agent-sessions", tag = "agents", params(SessionQuery),
    responses((status = 200, body = Page<AgentSession>)))]
pub(crate) async fn sessions(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<SessionQuery>,
) -> Answer<Page<AgentSession>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let list = Sessions { tenant, agent: query.agent, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TurnQuery {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// The turns of a session, oldest first, each with its calls of models.
#[utoipa::path(get, path = "/agent-sessions/{id}/turns", tag = "agents", params(("id" = AgentSessionId, Path), TurnQuery),
    responses((status = 200, body = Page<AgentTurn>)))]
pub(crate) async fn turns(
    State(desk): Shared,
    caller: Caller,
    Id(session): Id<AgentSessionId>,
    Asked(query): Asked<TurnQuery>,
) -> Answer<Page<AgentTurn>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let after = asked.after().unwrap_or(store::desk::After::OLDEST);
    let turns = Turns { session, after, limit: asked.fetch(), access: caller.access };
    Ok(Json(asked.page(desk.store.read(turns).await?)))
}
