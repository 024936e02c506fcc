//! Leads.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use store::desk::leads::{Change, Get, List, Opt, Set};
use store::desk::{After, Lead, LeadStatus};
use types::LeadId;
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::caller::Caller;
use super::csv::Table;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, if_match, perhaps};
use super::page::{self, Page};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LeadQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only of this status.
    #[param(inline)]
    status: Option<LeadStatus>,
    /// Whose name, number, address or service holds this.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists leads, newest first.
#[utoipa::path(get, path = "/leads", tag = "leads", params(LeadQuery), responses((status = 200, body = Page<Lead>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<LeadQuery>) -> Answer<Page<Lead>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let search = perhaps("q", query.q.as_ref(), 200)?.filter(|q| !q.is_empty());
    let list = List { tenant, status: query.status, search, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LeadCsvQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only of this status.
    #[param(inline)]
    status: Option<LeadStatus>,
    /// Whose name, number, address or service holds this.
    #[param(max_length = 200)]
    q: Option<String>,
}

/// Rows of the table, at most.
const CSV_ROWS: usize = 10_000;

/// The newest 10 000 leads as a table for other programs.
#[utoipa::path(get, path = "/leads.csv", tag = "leads", params(LeadCsvQuery),
    responses((status = 200, description = "CSV, UTF-8", body = String, content_type = "text/csv")))]
pub(crate) async fn csv(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<LeadCsvQuery>,
) -> Result<Response, Failure> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let search = perhaps("q", query.q.as_ref(), 200)?.filter(|q| !q.is_empty());
    let mut table = Table::new(&[
        "id",
        "status",
        "name",
        "profile_name",
        "phone",
        "email",
        "service",
        "nationality",
        "call_time",
        "source",
        "opted_out_at",
        "created_at",
        "updated_at",
    ]);
    let mut after = After::NEWEST;
    while table.rows() < CSV_ROWS {
        let list = List { tenant, status: query.status, search: search.clone(), after, limit: 500 };
        let rows = desk.store.read(list).await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        for (_, lead) in &rows {
            let or = |text: &Option<String>| text.clone().unwrap_or_default();
            table.row(&[
                lead.id.to_string(),
                lead.status.as_str().to_owned(),
                or(&lead.name),
                or(&lead.contact_name),
                or(&lead.phone),
                or(&lead.email),
                or(&lead.service),
                or(&lead.nationality),
                or(&lead.call_time),
                lead.source.clone(),
                lead.opted_out_at.map_or_else(String::new, |at| at.0.to_string()),
                lead.created_at.0.to_string(),
                lead.updated_at.0.to_string(),
            ]);
        }
    }
    Ok(table.response("leads.csv"))
}

/// One lead.
#[utoipa::path(get, path = "/leads/{id}", tag = "leads", params(("id" = LeadId, Path)), responses((status = 200, body = Lead)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<LeadId>) -> Answer<Lead> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct LeadInput {
    /// Where it stands.
    status: Option<LeadStatus>,
    /// What they want.
    #[schema(max_length = 200)]
    service: Option<String>,
    /// Their name.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Their nationality.
    #[schema(max_length = 100)]
    nationality: Option<String>,
    /// Their address.
    #[schema(max_length = 320)]
    email: Option<String>,
    /// When to call them.
    #[schema(max_length = 200)]
    call_time: Option<String>,
}

/// Changes a lead. With `If-Match` (its `version`): only if nobody changed it since.
#[utoipa::path(patch, path = "/leads/{id}", tag = "leads",
    params(("id" = LeadId, Path), ("if-match" = Option<String>, Header, description = "The lead's `version`")),
    request_body = LeadInput, responses((status = 200, body = Lead)))]
pub(crate) async fn change(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<LeadId>,
    headers: HeaderMap,
    Input(input): Input<LeadInput>,
) -> Answer<Lead> {
    let change = Change {
        status: input.status,
        service: perhaps("service", input.service.as_ref(), 200)?,
        name: perhaps("name", input.name.as_ref(), 200)?,
        nationality: perhaps("nationality", input.nationality.as_ref(), 100)?,
        email: perhaps("email", input.email.as_ref(), 320)?,
        call_time: perhaps("call_time", input.call_time.as_ref(), 200)?,
    };
    let set = Set { id, change, version: if_match(&headers)?, access: caller.access, by: caller.by };
    Ok(Json(desk.store.write(set).await?))
}

/// They want no more messages, and told it to the team.
#[utoipa::path(post, path = "/leads/{id}/opt-out", tag = "leads", params(("id" = LeadId, Path)),
    responses((status = 200, body = Lead)))]
pub(crate) async fn opt_out(State(desk): Shared, caller: Caller, Id(id): Id<LeadId>) -> Answer<Lead> {
    Ok(Json(desk.store.write(Opt { id, out: true, access: caller.access, by: caller.by }).await?))
}

/// They want messages again.
#[utoipa::path(post, path = "/leads/{id}/opt-in", tag = "leads", params(("id" = LeadId, Path)),
    responses((status = 200, body = Lead)))]
pub(crate) async fn opt_in(State(desk): Shared, caller: Caller, Id(id): Id<LeadId>) -> Answer<Lead> {
    Ok(Json(desk.store.write(Opt { id, out: false, access: caller.access, by: caller.by }).await?))
}
