//! People who sign in (S6.1).

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use store::accounts::Which;
use store::accounts::links::Purpose;
use store::accounts::users::{Add, Change, Get, List, Set, normal};
use store::desk::{Role, User};
use types::{Secret, TenantId, UserId};
use utoipa::ToSchema;

use super::caller::Caller;
use super::conversations::PageQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, if_match, text};
use super::page::{self, Page};
use super::{Desk, Shared};

/// An address that may be one.
pub(crate) fn address(email: &str) -> Result<String, Failure> {
    let email = text("email", &normal(email), 320)?;
    let (name, host) = email.split_once('@').unwrap_or_default();
    if name.is_empty()
        || host.is_empty()
        || host.contains('@')
        || email.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Err(Failure::bad("email is no address: name@example.com"));
    }
    Ok(email)
}

/// Lists people, newest first: those who see no tenant that the caller does not.
#[utoipa::path(get, path = "/users", tag = "settings", params(PageQuery), responses((status = 200, body = Page<User>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<PageQuery>) -> Answer<Page<User>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let list = List(Which { after: asked.newest(), limit: asked.fetch(), access: caller.access, caller: caller.by.id });
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// One person.
#[utoipa::path(get, path = "/users/{id}", tag = "settings", params(("id" = UserId, Path)), responses((status = 200, body = User)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<UserId>) -> Answer<User> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

/// A person to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserInput {
    /// Their address.
    #[schema(min_length = 3, max_length = 320)]
    email: String,
    /// Their name.
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// What they may do.
    role: Role,
    /// A first password of 10 characters or more; without one, make them a link.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 10, max_length = 200)]
    password: Option<Secret>,
    /// Every tenant, those to come included.
    #[serde(default)]
    all_tenants: bool,
    /// Which, when not all.
    #[serde(default)]
    #[schema(max_items = 1000)]
    tenants: Vec<TenantId>,
}

/// Adds a person.
#[utoipa::path(post, path = "/users", tag = "settings", request_body = UserInput, responses((status = 201, body = User)))]
pub(crate) async fn add(
    State(desk): Shared,
    caller: Caller,
    Input(input): Input<UserInput>,
) -> Result<(StatusCode, Json<User>), Failure> {
    let (email, name) = (address(&input.email)?, text("name", &input.name, 120)?);
    let password = match input.password {
        Some(password) => desk.hasher.hash(password).await?,
        None => String::new(),
    };
    let add = Add {
        email,
        name,
        role: input.role,
        password,
        all_tenants: input.all_tenants,
        tenants: input.tenants,
        first: false,
        access: caller.access,
        by: caller.by,
    };
    Ok((StatusCode::CREATED, Json(desk.store.write(add).await?)))
}

/// What to change; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserChangeInput {
    /// Their name.
    #[schema(min_length = 1, max_length = 120)]
    name: Option<String>,
    /// What they may do.
    role: Option<Role>,
    /// Shut out, or let in again.
    disabled: Option<bool>,
    /// Every tenant.
    all_tenants: Option<bool>,
    /// Which, when not all.
    #[schema(max_items = 1000)]
    tenants: Option<Vec<TenantId>>,
}

/// Changes a person. Less rights, or other tenants, end their sessions. With `If-Match`: only if nobody changed them since.
#[utoipa::path(patch, path = "/users/{id}", tag = "settings",
    params(("id" = UserId, Path), ("if-match" = Option<String>, Header, description = "The user's `version`")),
    request_body = UserChangeInput, responses((status = 200, body = User)))]
pub(crate) async fn change(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<UserId>,
    headers: HeaderMap,
    Input(input): Input<UserChangeInput>,
) -> Answer<User> {
    let name = input.name.as_ref().map(|n| text("name", n, 120)).transpose()?;
    let tenants = match (input.all_tenants, input.tenants) {
        (None, None) => None,
        (all, tenants) => Some((all.unwrap_or(false), tenants.unwrap_or_default())),
    };
    let change = Change { name, role: input.role, disabled: input.disabled, tenants };
    let set = Set { id, change, version: if_match(&headers)?, access: caller.access, by: caller.by };
    Ok(Json(desk.store.write(set).await?))
}

/// A link that signs a person in once.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignInLink {
    /// Goes after `/start?token=`; shown once, ends after 24 hours.
    token: String,
}

/// Makes a link that signs a person in once: to invite them, or because they forgot their password.
#[utoipa::path(post, path = "/users/{id}/links", tag = "settings", params(("id" = UserId, Path)),
    responses((status = 201, body = SignInLink)))]
pub(crate) async fn link(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<UserId>,
) -> Result<(StatusCode, Json<SignInLink>), Failure> {
    desk.store.read(Get { id, access: caller.access }).await?;
    let token = Desk::link(&desk.store, Purpose::SignIn, Some(id), Duration::from_secs(86_400)).await?;
    let record = store::desk::audit::Record {
        by: caller.by,
        tenant: None,
        action: "user.link",
        kind: "user",
        id: id.0,
        reason: None,
    };
    desk.store.write(record).await?;
    Ok((StatusCode::CREATED, Json(SignInLink { token })))
}
