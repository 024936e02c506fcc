//! Leads.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use store::desk::leads::{Change, Filter, Get, List, Opt, Set};
use store::desk::{After, Lead, LeadStatus};
use types::{LeadId, Moment, UserId};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::caller::Caller;
use super::csv::Table;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, if_match, perhaps};
use super::page::{self, Page};

/// Which leads: of the list and of the table alike.
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
    /// Only those whose newest conversation this user looks after: an id, `me` or `nobody`.
    #[param(max_length = 40)]
    owner: Option<String>,
    /// Only those whose newest conversation has this label.
    #[param(max_length = 40)]
    label: Option<String>,
    /// Only those who want no more messages, or only those who may be written to.
    opted_out: Option<bool>,
    /// Only those for whom something is to be done.
    with_task: Option<bool>,
    /// Rows of a page; the table has no pages.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

impl LeadQuery {
    fn filter(&self, caller: &Caller) -> Result<Filter, Failure> {
        let owner = match self.owner.as_deref() {
            None | Some("") => None,
            Some("nobody") => Some(0),
            Some("me") => Some(caller.user().map_or(0, |user| user.0)),
            Some(id) => Some(id.parse::<UserId>().map_err(|e| Failure::bad(format!("owner: {e}")))?.0),
        };
        Ok(Filter {
            status: self.status,
            search: perhaps("q", self.q.as_ref(), 200)?.filter(|q| !q.is_empty()),
            owner,
            label: perhaps("label", self.label.as_ref(), 40)?.filter(|label| !label.is_empty()),
            opted_out: self.opted_out,
            with_task: self.with_task.unwrap_or(false),
        })
    }
}

/// Lists leads, newest first.
#[utoipa::path(get, path = "/leads", tag = "leads", params(LeadQuery), responses((status = 200, body = Page<Lead>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<LeadQuery>) -> Answer<Page<Lead>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let list = List { tenant, filter: query.filter(&caller)?, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// Rows of the table, at most.
const CSV_ROWS: usize = 10_000;

/// The newest 10 000 leads as a table for other programs.
#[utoipa::path(get, path = "/leads.csv", tag = "leads", params(LeadQuery),
    responses((status = 200, description = "CSV, UTF-8", body = String, content_type = "text/csv")))]
pub(crate) async fn csv(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<LeadQuery>,
) -> Result<Response, Failure> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let filter = query.filter(&caller)?;
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
        "score",
        "owner",
        "labels",
        "next_task",
        "next_task_due_at",
        "last_contact_at",
        "opted_out_at",
        "created_at",
        "updated_at",
    ]);
    let mut after = After::NEWEST;
    while table.rows() < CSV_ROWS {
        let list = List { tenant, filter: filter.clone(), after, limit: 500 };
        let rows = desk.store.read(list).await?;
        let Some((last, _)) = rows.last() else { break };
        after = *last;
        for (_, lead) in &rows {
            let or = |text: &Option<String>| text.clone().unwrap_or_default();
            let at = |moment: Option<Moment>| moment.map_or_else(String::new, |at| at.0.to_string());
            let task = lead.next_task.as_ref();
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
                lead.score.to_string(),
                lead.owner.as_ref().map_or_else(String::new, |owner| owner.name.clone()),
                lead.labels.join(", "),
                task.map_or_else(String::new, |task| task.title.clone()),
                at(task.and_then(|task| task.due_at)),
                at(lead.last_contact_at),
                at(lead.opted_out_at),
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
