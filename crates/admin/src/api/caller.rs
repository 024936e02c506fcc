//! Who calls: a person by their session, or a program by its token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use http::{HeaderMap, header};
use store::accounts::{sessions, tokens};
use store::desk::tenants::Tenants;
use store::desk::{Access, By, Role, Scope, Tenant, User};
use types::text::digest;
use types::{TenantId, Timestamp, UserId};

use super::Desk;
use super::failure::Failure;

/// Who calls, and what they may.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// For the record.
    pub by: By,
    /// Whose rows.
    pub access: Access,
    /// Which kind.
    pub who: Who,
}

/// The two kinds of callers.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// A person, signed in.
    Person {
        /// Who.
        user: Box<User>,
        /// The digest of their session.
        session: String,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// A program.
    Program {
        /// What it may do.
        scopes: Vec<Scope>,
    },
}

impl Caller {
    /// Whether they may.
    pub(crate) fn may(&self, role: Role, scope: Scope) -> Result<(), Failure> {
        match &self.who {
            Who::Person { user, .. } if user.role >= role => Ok(()),
            Who::Person { user, .. } => Err(Failure::forbidden(format!(
                "this needs the role {}, and yours is {}",
                role.as_str(),
                user.role.as_str()
            ))),
            Who::Program { scopes } if scopes.contains(&scope) => Ok(()),
            Who::Program { .. } => Err(Failure::forbidden(format!("this token lacks the scope {}", scope.as_str()))),
        }
    }

    /// The person, where one calls.
    pub(crate) const fn user(&self) -> Option<UserId> {
        match &self.who {
            Who::Person { user, .. } => Some(user.id),
            Who::Program { .. } => None,
        }
    }

    /// The tenants they may see.
    pub(crate) async fn tenants(&self, desk: &Desk) -> Result<Vec<Tenant>, Failure> {
        Ok(desk.store.read(Tenants(self.access.clone())).await?)
    }

    /// The tenant that a list is asked for, by slug or id; the first where none is named.
    pub(crate) async fn tenant(&self, desk: &Desk, asked: Option<&str>) -> Result<TenantId, Failure> {
        let tenants = self.tenants(desk).await?;
        let Some(asked) = asked else {
            return tenants.first().map(|t| t.id).ok_or_else(|| Failure::missing("tenant", "of yours"));
        };
        let found = tenants.iter().find(|t| t.slug == asked || t.id.to_string() == asked);
        found.map(|t| t.id).ok_or_else(|| Failure::missing("tenant", asked))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        // The guard has put it there, or has refused the request.
        parts.extensions.get::<Self>().cloned().ok_or_else(Failure::signed_out)
    }
}

/// What a request says of where it comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The client's address.
    pub ip: Option<String>,
    /// The request's id.
    pub request_id: String,
}

/// How tokens begin, so that people and scanners know one when they see it.
pub(crate) const TOKEN: &str = "brd_";

/// The session's secret in the cookies.
pub(crate) fn session_secret<'h>(desk: &Desk, headers: &'h HeaderMap) -> Option<&'h str> {
    let name = desk.cookie();
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    cookies.flat_map(|v| v.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then_some(value)
    })
}

/// Finds out who calls; whether by a cookie (then the browser may have been tricked into it).
pub(crate) async fn recognise(
    desk: &Desk,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Option<(Caller, bool)>, Failure> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let secret = value.to_str().ok().and_then(|v| v.strip_prefix("Bearer ").or_else(|| v.strip_prefix("bearer ")));
        return match secret.map(str::trim) {
            Some(secret) if secret.starts_with(TOKEN) => program(desk, secret, origin).await,
            _ => Ok(None),
        };
    }
    match session_secret(desk, headers) {
        Some(secret) => person(desk, secret, origin).await,
        None => Ok(None),
    }
}

async fn program(desk: &Desk, secret: &str, origin: &Origin) -> Result<Option<(Caller, bool)>, Failure> {
    let found = desk.store.read(tokens::Find(digest(secret.as_bytes()))).await?;
    let Some(known) = found else { return Ok(None) };
    if known.stale {
        // Only for people to see: not noting it refuses nobody.
        let _ = desk.store.write(tokens::Used(known.id)).await;
    }
    let by = By {
        kind: "token",
        id: known.id.0,
        name: known.name,
        ip: origin.ip.clone(),
        request_id: origin.request_id.clone(),
    };
    Ok(Some((Caller { by, access: known.access, who: Who::Program { scopes: known.scopes } }, false)))
}

async fn person(desk: &Desk, secret: &str, origin: &Origin) -> Result<Option<(Caller, bool)>, Failure> {
    let session = digest(secret.as_bytes());
    let Some(signed) = desk.store.read(sessions::Find(session.clone())).await? else { return Ok(None) };
    if signed.stale {
        let _ = desk.store.write(sessions::Touch(session.clone())).await;
    }
    let by = By {
        kind: "user",
        id: signed.user.id.0,
        name: signed.user.name.clone(),
        ip: origin.ip.clone(),
        request_id: origin.request_id.clone(),
    };
    let who = Who::Person { user: Box::new(signed.user), session, expires_at: signed.expires_at };
    Ok(Some((Caller { by, access: signed.access, who }, true)))
}
