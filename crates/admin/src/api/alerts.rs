//! Alerts (S6.6): what is wrong, what was, and whom it was told.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::desk::alerts::{Alert, List};
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
pub(crate) struct AlertQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
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

/// Lists alerts of the tenant and of the installation, newest first.
#[utoipa::path(get, path = "/alerts", tag = "health", params(AlertQuery), responses((status = 200, body = Page<Alert>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<AlertQuery>) -> Answer<Page<Alert>> {
    let span = Span { from: query.from, to: query.to };
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?.within(span);
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let list = List { tenant, after: asked.newest(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}
