//! The queue.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::desk::queue::{Counts, Do, Get, Kinds, List};
use store::desk::{Job, JobAct, JobCounts};
use types::states::JobState;
use types::{JobId, Moment};
use utoipa::{IntoParams, ToSchema};

use super::acts::ReasonInput;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::Answer;
use super::input::{Asked, Id, Input, perhaps};
use super::page::{self, Page, Span};
use super::{Desk, Shared};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only in this state.
    #[param(inline)]
    state: Option<JobState>,
    /// Only of this kind.
    #[param(max_length = 40)]
    kind: Option<String>,
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

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "jobs", params(JobQuery), responses((status = 200, body = Page<Job>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<JobQuery>) -> Answer<Page<Job>> {
    let span = Span { from: query.from, to: query.to };
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?.within(span);
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let kind = perhaps("kind", query.kind.as_ref(), 40)?.filter(|kind| !kind.is_empty());
    let list = List { tenant, state: query.state, kind, after: asked.newest(), limit: asked.fetch() };
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

/// The kinds that there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobKinds {
    /// Of the newest 1000 jobs.
    kinds: Vec<String>,
}

/// The kinds of the newest jobs, to filter by.
#[utoipa::path(get, path = "/jobs/kinds", tag = "jobs", params(TenantQuery), responses((status = 200, body = JobKinds)))]
pub(crate) async fn kinds(State(desk): Shared, caller: Caller, Asked(query): Asked<TenantQuery>) -> Answer<JobKinds> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    Ok(Json(JobKinds { kinds: desk.store.read(Kinds(tenant)).await? }))
}

async fn act(desk: &Desk, caller: Caller, id: JobId, act: JobAct, input: &ReasonInput) -> Answer<Job> {
    let reason = perhaps("reason", input.reason.as_ref(), 500)?.filter(|r| !r.is_empty());
    let job = desk.store.write(Do { id, act, reason, access: caller.access, by: caller.by }).await?;
    desk.store.hub().wake();
    Ok(Json(job))
}

/// Works a job again: one that is dead or was cancelled; one that waits, now.
#[utoipa::path(post, path = "/jobs/{id}/retries", tag = "jobs", params(("id" = JobId, Path)), request_body = ReasonInput,
    responses((status = 200, body = Job)))]
pub(crate) async fn retry(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<JobId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Job> {
    act(&desk, caller, id, JobAct::Retry, &input).await
}

/// Does not work a job: one that waits is cancelled, a dead one is given up. One that runs ends by itself.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = "jobs", params(("id" = JobId, Path)), request_body = ReasonInput,
    responses((status = 200, body = Job)))]
pub(crate) async fn cancel(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<JobId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Job> {
    act(&desk, caller, id, JobAct::Cancel, &input).await
}
