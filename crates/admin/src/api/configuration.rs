//! The configuration as it was read: what holds, never a secret (S7.2).

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::desk::Access;
use utoipa::ToSchema;

use super::Shared;
use super::caller::Caller;
use super::failure::Answer;
use super::page::Page;

/// One key with its value.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConfigurationKey {
    /// The tenant that it belongs to, by its slug; null: the installation.
    pub tenant: Option<String>,
    /// `server.listen`, `tenants[1].channels[2].rate`, …
    pub key: String,
    /// As TOML; secrets are dots.
    pub value: String,
    /// It was given, by the file or the environment; otherwise it is the default.
    pub given: bool,
    /// What it does.
    pub meaning: String,
}

/// The configuration, file and environment merged, as it was last read; all of it on one page. Secrets are dots. Who does not see every tenant gets
/// what is their tenants' alone.
#[utoipa::path(get, path = "/configuration", tag = "settings", responses((status = 200, body = Page<ConfigurationKey>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller) -> Answer<Page<ConfigurationKey>> {
    let tenants = caller.tenants(&desk).await?;
    let all = caller.access == Access::All;
    let sees = |key: &&ConfigurationKey| match &key.tenant {
        None => all,
        Some(slug) => tenants.iter().any(|t| t.slug == *slug),
    };
    let data = desk.options().configuration.iter().filter(sees).cloned().collect();
    Ok(Json(Page { data, next: None, prev: None, has_more: false }))
}
