//! Programs' keys (S6.2).

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::accounts::Which;
use store::accounts::tokens::{Add, List, Revoke};
use store::desk::{Scope, Token};
use types::text::digest;
use types::{Moment, TenantId, TokenId};
use utoipa::ToSchema;

use super::Shared;
use super::caller::{Caller, TOKEN, Who};
use super::conversations::PageQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, text};
use super::page::{self, Page};

/// Lists tokens, newest first: those that see no tenant that the caller does not.
#[utoipa::path(get, path = "/tokens", tag = "settings", params(PageQuery), responses((status = 200, body = Page<Token>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<PageQuery>) -> Answer<Page<Token>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let list = List(Which { after: asked.newest(), limit: asked.fetch(), access: caller.access, caller: caller.by.id });
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// A token to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenInput {
    /// What it is for.
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// What it may do.
    #[schema(min_items = 1, max_items = 8)]
    scopes: Vec<Scope>,
    /// Every tenant, those to come included.
    #[serde(default)]
    all_tenants: bool,
    /// Which, when not all.
    #[serde(default)]
    #[schema(max_items = 1000)]
    tenants: Vec<TenantId>,
    /// When it ends; left out: never.
    #[serde(default)]
    expires_at: Option<Moment>,
}

/// A new token, with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    /// The token.
    token: Token,
    /// What to send as `Authorization: Bearer …`. It is shown here and never again.
    secret: String,
}

/// A secret, its digest, and what it is known by.
#[must_use]
pub(crate) fn make() -> (String, String, String) {
    let secret = format!("{TOKEN}{}", super::secret());
    let prefix = secret.chars().take(TOKEN.len() + 6).collect();
    let digest = digest(secret.as_bytes());
    (secret, digest, prefix)
}

/// Makes a token; its secret is in this answer only.
#[utoipa::path(post, path = "/tokens", tag = "settings", request_body = TokenInput, responses((status = 201, body = NewToken)))]
pub(crate) async fn add(
    State(desk): Shared,
    caller: Caller,
    Input(input): Input<TokenInput>,
) -> Result<(StatusCode, Json<NewToken>), Failure> {
    let mut scopes = input.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Failure::bad("name at least one scope"));
    }
    if let Who::Program { scopes: own } = &caller.who
        && let Some(more) = scopes.iter().find(|s| !own.contains(s))
    {
        return Err(Failure::forbidden(format!("this token lacks the scope {} itself", more.as_str())));
    }
    let (secret, digest, prefix) = make();
    let add = Add {
        digest,
        prefix,
        name: text("name", &input.name, 120)?,
        scopes,
        all_tenants: input.all_tenants,
        tenants: input.tenants,
        expires_at: input.expires_at.map(|m| m.0),
        access: caller.access,
        by: caller.by,
    };
    let token = desk.store.write(add).await?;
    Ok((StatusCode::CREATED, Json(NewToken { token, secret })))
}

/// Ends a token at once.
#[utoipa::path(post, path = "/tokens/{id}/revoke", tag = "settings", params(("id" = TokenId, Path)),
    responses((status = 200, body = Token)))]
pub(crate) async fn revoke(State(desk): Shared, caller: Caller, Id(id): Id<TokenId>) -> Answer<Token> {
    Ok(Json(desk.store.write(Revoke { id, access: caller.access, by: caller.by }).await?))
}
