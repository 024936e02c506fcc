//! What is done to a person rather than to a lead: two made one, and one removed everywhere (S6.8).

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::desk::MergePlan;
use store::desk::merge::{Merge, Plan};
use store::erase::{self, Erased, Find, Subject, Whom};
use types::LeadId;
use utoipa::ToSchema;

use super::caller::Caller;
use super::failure::{Answer, Failure};
use super::input::{Id, Input};
use super::{Desk, Shared};

/// Which lead goes into the one of the path.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeInput {
    /// The lead that goes into it, with its person, conversations and tasks.
    from: LeadId,
    /// Only say what would move.
    #[serde(default)]
    dry_run: bool,
}

/// Makes two leads, and the people behind them, one; what either is known by finds the one from then on. It cannot be undone.
#[utoipa::path(post, path = "/leads/{id}/merge", tag = "leads", params(("id" = LeadId, Path)), request_body = MergeInput,
    responses((status = 200, body = MergePlan)))]
pub(crate) async fn merge(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<LeadId>,
    Input(input): Input<MergeInput>,
) -> Answer<MergePlan> {
    let plan = Plan { into: id, from: input.from, access: caller.access };
    if input.dry_run {
        return Ok(Json(desk.store.read(plan).await?));
    }
    Ok(Json(desk.store.write(Merge { plan, by: caller.by }).await?))
}

async fn find(desk: &Desk, caller: &Caller, id: LeadId) -> Result<Subject, Failure> {
    let find = Find { whom: Whom::Lead(id), access: caller.access.clone() };
    desk.store.read(find).await?.pop().ok_or_else(|| Failure::missing("lead", &id.to_string()))
}

/// What there is of the person behind a lead: what erasing them would remove.
#[utoipa::path(get, path = "/leads/{id}/person", tag = "leads", params(("id" = LeadId, Path)), responses((status = 200, body = Subject)))]
pub(crate) async fn person(State(desk): Shared, caller: Caller, Id(id): Id<LeadId>) -> Answer<Subject> {
    Ok(Json(find(&desk, &caller, id).await?))
}

/// The word that says that it is meant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseInput {
    /// `erase`: it cannot be undone.
    #[schema(max_length = 20)]
    confirm: String,
}

/// Removes the person behind a lead everywhere, and says what was removed. It cannot be undone; the record keeps the fact alone.
#[utoipa::path(post, path = "/leads/{id}/erase", tag = "leads", params(("id" = LeadId, Path)), request_body = EraseInput,
    responses((status = 200, body = Erased)))]
pub(crate) async fn erase(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<LeadId>,
    Input(input): Input<EraseInput>,
) -> Answer<Erased> {
    let person = find(&desk, &caller, id).await?;
    if input.confirm != "erase" {
        return Err(Failure::bad("confirm must be the word `erase`"));
    }
    let spool = desk.spool.get().map(AsRef::as_ref);
    let who = (&caller.access, &caller.by);
    Ok(Json(erase::run(&desk.store, spool, person.contact_id, who, |_, _| ()).await?))
}
