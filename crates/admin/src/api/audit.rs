//! The audit record (S6.7).

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::desk::AuditRow;
use store::desk::audit::List;
use types::Moment;
use utoipa::IntoParams;

use super::Shared;
use super::caller::Caller;
use super::failure::Answer;
use super::input::Asked;
use super::page::{self, Page, Span};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// What concerns no single tenant: users, tokens, sign-ins. For those who see every tenant.
    installation: Option<bool>,
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

/// Lists the record, newest first.
#[utoipa::path(get, path = "/audit", tag = "settings", params(AuditQuery),
    responses((status = 200, body = Page<AuditRow>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<AuditQuery>,
) -> Answer<Page<AuditRow>> {
    let span = Span { from: query.from, to: query.to };
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?.within(span);
    let tenant = if query.installation == Some(true) {
        None
    } else {
        Some(caller.tenant(&desk, query.tenant.as_deref()).await?)
    };
    let list = List { tenant, after: asked.newest(), limit: asked.fetch(), access: caller.access };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}
