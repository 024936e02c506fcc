//! Signing in and out; the first administrator; links that open once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use store::accounts::failures::{Counted, Note, Wait};
use store::accounts::links::{Open, Purpose};
use store::accounts::{sessions, users};
use store::desk::{Access, By, Role, Scope, Tenant};
use types::problem::Problem;
use types::text::digest;
use types::{Moment, Secret, UserId};
use utoipa::ToSchema;

use super::caller::{Caller, Origin, Who, session_secret};
use super::failure::{Answer, Failure};
use super::input::{Input, text};
use super::{Desk, Shared, password, secret};

/// What anybody may know before signing in.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthState {
    /// Nobody can sign in yet: the log has a link for the first administrator.
    needs_first_admin: bool,
    /// This is the demo: nothing leaves this machine.
    demo: bool,
    /// Barid's version.
    version: String,
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// `user` or `token`.
    kind: String,
    /// Their id.
    id: String,
    /// Their name.
    name: String,
    /// Their address; null for tokens.
    email: Option<String>,
    /// What they may do; null for tokens.
    role: Option<Role>,
    /// What the token may do; null for people.
    scopes: Option<Vec<Scope>>,
    /// The tenants they see.
    tenants: Vec<Tenant>,
    /// When the session ends; null for tokens.
    expires_at: Option<Moment>,
    /// This is the demo.
    demo: bool,
    /// Barid's version.
    version: String,
}

/// Address and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginInput {
    /// The address.
    #[schema(max_length = 320)]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password, max_length = 200)]
    password: Secret,
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstAdminInput {
    /// The token of the link in the log.
    token: String,
    /// Their address.
    #[schema(min_length = 3, max_length = 320)]
    email: String,
    /// Their name.
    #[schema(min_length = 1, max_length = 120)]
    name: String,
    /// A password of 10 characters or more.
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 200)]
    password: Secret,
}

/// A link's token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkInput {
    /// What stands after `token=` in the link.
    token: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordInput {
    /// The one until now; left out by those who have none yet.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, max_length = 200)]
    old: Option<Secret>,
    /// The new one, 10 characters or more.
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 200)]
    new: Secret,
}

/// What anybody may know.
#[utoipa::path(get, path = "/auth/state", tag = "auth", responses((status = 200, body = AuthState)))]
pub(crate) async fn state(State(desk): Shared) -> Answer<AuthState> {
    let needs_first_admin = !desk.store.read(users::Any).await?;
    Ok(Json(AuthState { needs_first_admin, demo: desk.options().simulator.is_some(), version: version() }))
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Wrong addresses and wrong passwords get the same answer, after the same work.
fn wrong() -> Failure {
    let detail = "no user has this address and password";
    Failure(Problem::new("login", 401, "Address or password is wrong", detail))
}

/// What is counted of failed sign-ins: this account from this address (5 forgiven), this address (30), this account (100).
fn counted(email: &str, origin: &Origin) -> Vec<Counted> {
    let account = digest(users::normal(email).as_bytes());
    let ip = origin.ip.as_deref().unwrap_or("nowhere");
    [(format!("pair:{account}:{ip}"), 5), (format!("ip:{ip}"), 30), (format!("account:{account}"), 100)]
        .into_iter()
        .map(|(name, forgiven)| Counted { name, forgiven })
        .collect()
}

/// Refuses while a sign-in must wait.
async fn throttle(desk: &Desk, counted: &[Counted]) -> Result<(), Failure> {
    let Some(wait) = desk.store.read(Wait(counted.to_vec())).await? else { return Ok(()) };
    let detail = format!("too many sign-ins have failed: try again in {} s", wait.as_secs() + 1);
    Err(Failure(Problem::new("too-many-attempts", 429, "Too many attempts", detail)))
}

/// Signs a person in by address and password.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LoginInput,
    responses((status = 200, body = Me, headers(("set-cookie" = String)))))]
pub(crate) async fn login(
    State(desk): Shared,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Input(input): Input<LoginInput>,
) -> Result<Response, Failure> {
    if input.email.len() > 320 || input.password.expose().len() > password::LONGEST * 4 {
        return Err(wrong());
    }
    let counted = counted(&input.email, &origin);
    throttle(&desk, &counted).await?;
    let found = desk.store.read(users::PasswordOf(input.email)).await?;
    let (user, kept) = found.map_or((None, None), |(id, hash)| (Some(id), Some(hash)));
    let right = desk.hasher.matches(input.password, kept).await?;
    // Many at once may have passed the first look.
    throttle(&desk, &counted).await?;
    let Some(user) = user.filter(|_| right) else {
        desk.store.write(Note { counted, failed: true }).await?;
        return Err(wrong());
    };
    let pair = counted.into_iter().take(1).collect();
    desk.store.write(Note { counted: pair, failed: false }).await?;
    begin(&desk, user, &origin, &headers, "password").await
}

/// Makes the first administrator, by the link in the log, and signs them in.
#[utoipa::path(post, path = "/auth/first-admin", tag = "auth", request_body = FirstAdminInput,
    responses((status = 200, body = Me, headers(("set-cookie" = String)))))]
pub(crate) async fn first_admin(
    State(desk): Shared,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Input(input): Input<FirstAdminInput>,
) -> Result<Response, Failure> {
    let (email, name) = (super::users::address(&input.email)?, text("name", &input.name, 120)?);
    // The link stays good while the form is not.
    if !desk.opens_first_admin(&input.token, false) {
        return Err(stale_link());
    }
    let password = desk.hasher.hash(input.password).await?;
    if !desk.opens_first_admin(&input.token, true) {
        return Err(stale_link());
    }
    let by =
        By { ip: origin.ip.clone(), request_id: origin.request_id.clone(), ..By::system("first administrator's link") };
    let add = users::Add {
        email,
        name,
        role: Role::Admin,
        password,
        all_tenants: true,
        tenants: Vec::new(),
        first: true,
        access: Access::All,
        by,
    };
    let user = desk.store.write(add).await?;
    begin(&desk, user.id, &origin, &headers, "first administrator").await
}

fn stale_link() -> Failure {
    let detail = "this link was used already, or has ended: restart Barid for a new one, or ask an administrator";
    Failure(Problem::new("link", 401, "The link does not open any more", detail))
}

/// Signs in by a link that opens once.
#[utoipa::path(post, path = "/auth/link", tag = "auth", request_body = LinkInput,
    responses((status = 200, body = Me, headers(("set-cookie" = String)))))]
pub(crate) async fn link(
    State(desk): Shared,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Input(input): Input<LinkInput>,
) -> Result<Response, Failure> {
    let open = Open { digest: digest(input.token.as_bytes()), purpose: Purpose::SignIn, peek: false };
    let user = desk.store.write(open).await?.flatten().ok_or_else(stale_link)?;
    begin(&desk, user, &origin, &headers, "link").await
}

async fn begin(
    desk: &Arc<Desk>,
    user: UserId,
    origin: &Origin,
    headers: &HeaderMap,
    how: &'static str,
) -> Result<Response, Failure> {
    let secret = secret();
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(|v| v.chars().take(200).collect());
    let digest_of = |s: &str| digest(s.as_bytes());
    let begin = sessions::Begin {
        user,
        digest: digest_of(&secret),
        instead_of: session_secret(desk, headers).map(digest_of),
        ip: origin.ip.clone(),
        agent,
        request_id: origin.request_id.clone(),
        how,
    };
    desk.store.write(begin).await.map_err(|error| match error {
        // Shut out since the link was made.
        store::StoreError::NotFound { .. } => stale_link(),
        other => other.into(),
    })?;
    let signed = desk.store.read(sessions::Find(digest_of(&secret))).await?.ok_or_else(Failure::signed_out)?;
    let by = By { kind: "user", id: user.0, name: signed.user.name.clone(), ip: None, request_id: String::new() };
    let session = digest_of(&secret);
    let who = Who::Person { user: Box::new(signed.user), session, expires_at: signed.expires_at };
    let me = who_is(desk, &Caller { by, access: signed.access, who }).await?;
    let cookie = set_cookie(desk, &secret, sessions::LONGEST.as_secs());
    Ok(([(header::SET_COOKIE, cookie)], Json(me)).into_response())
}

fn set_cookie(desk: &Desk, value: &str, seconds: u64) -> HeaderValue {
    let secure = if desk.options().https { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", desk.cookie());
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// Ends the session, here and at the server.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses((status = 204, description = "Signed out")))]
pub(crate) async fn logout(State(desk): Shared, caller: Caller) -> Result<Response, Failure> {
    if let Who::Person { session, .. } = &caller.who {
        desk.store.write(sessions::End { digest: session.clone(), by: caller.by }).await?;
    }
    Ok((http::StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie(&desk, "", 0))]).into_response())
}

async fn who_is(desk: &Desk, caller: &Caller) -> Result<Me, Failure> {
    let tenants = caller.tenants(desk).await?;
    let (demo, version) = (desk.options().simulator.is_some(), version());
    let (id, name, kind) = (caller.by.id.to_string(), caller.by.name.clone(), caller.by.kind.to_owned());
    Ok(match &caller.who {
        Who::Person { user, expires_at, .. } => Me {
            kind,
            id,
            name,
            email: Some(user.email.clone()),
            role: Some(user.role),
            scopes: None,
            tenants,
            expires_at: Some((*expires_at).into()),
            demo,
            version,
        },
        Who::Program { scopes } => Me {
            kind,
            id,
            name,
            email: None,
            role: None,
            scopes: Some(scopes.clone()),
            tenants,
            expires_at: None,
            demo,
            version,
        },
    })
}

/// Who is signed in.
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses((status = 200, body = Me)))]
pub(crate) async fn me(State(desk): Shared, caller: Caller) -> Answer<Me> {
    who_is(&desk, &caller).await.map(Json)
}

/// Sets one's own password; every session ends, this one too.
#[utoipa::path(post, path = "/auth/password", tag = "auth", request_body = PasswordInput,
    responses((status = 204, description = "Set")))]
pub(crate) async fn change_password(
    State(desk): Shared,
    caller: Caller,
    Extension(origin): Extension<Origin>,
    Input(input): Input<PasswordInput>,
) -> Result<http::StatusCode, Failure> {
    let Who::Person { user, .. } = &caller.who else {
        return Err(Failure::forbidden("a token has no password"));
    };
    password::check(&input.new)?;
    let counted = counted(&user.email, &origin);
    throttle(&desk, &counted).await?;
    let kept = desk.store.read(users::OwnPassword(user.id)).await?.filter(|k| !k.is_empty());
    if kept.is_some() {
        let old = input.old.unwrap_or_else(|| Secret::new(""));
        if !desk.hasher.matches(old, kept).await? {
            desk.store.write(Note { counted, failed: true }).await?;
            return Err(wrong());
        }
    }
    let password = desk.hasher.hash(input.new).await?;
    let set = users::SetPassword { id: user.id, password, access: Access::All, by: caller.by.clone() };
    desk.store.write(set).await?;
    Ok(http::StatusCode::NO_CONTENT)
}
