//! The queue.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::desk::queue::{Counts, Get, List};
use store::desk::{Job, JobCounts};
use types::JobId;
use types::states::JobState;
use utoipa::IntoParams;

use super::Shared;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::Answer;
use super::input::{Asked, Id};
use super::page::{self, Page};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only in this state.
    #[param(inline)]
    state: Option<JobState>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(JobQuery), responses((status = 200, body = Page<Job>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<JobQuery>) -> Answer<Page<Job>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let list = List { tenant, state: query.state, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// The counts over the tabs.
#[utoipa::path(get, path = "/jobs/counts", tag = "jobs", params(TenantQuery), responses((status = 200, body = JobCounts)))]
pub(crate) async fn counts(State(desk): Shared, caller: Caller, Asked(query): Asked<TenantQuery>) -> Answer<JobCounts> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    Ok(Json(desk.store.read(Counts(tenant)).await?))
}

/// One job.
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", params(("id" = JobId, Path)), responses((status = 200, body = Job)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<JobId>) -> Answer<Job> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}
