//! Tokens of outside programs, in the query or as `Authorization: Bearer` (S2.7). Compared in constant time.

use axum::response::Response;
use http::{HeaderMap, header};
use types::Secret;
use types::problem::Problem;

use crate::problem::respond;

/// Lets a caller through who shows `expected`.
pub(crate) fn check(
    expected: Option<&Secret>,
    name: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(), Box<Response>> {
    let Some(expected) = expected.filter(|t| !t.is_empty()) else {
        let detail = format!("set [jobs] {name} in the configuration to open this route");
        return Err(Box::new(respond(&Problem::new("token", 403, "This route is closed", detail))));
    };
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let bearer = bearer.and_then(|v| v.strip_prefix("Bearer ").or_else(|| v.strip_prefix("bearer ")));
    if bearer.or(query).is_some_and(|given| expected.matches(given.as_bytes())) {
        return Ok(());
    }
    let detail = format!("show the value of [jobs] {name} as ?token=… or as Authorization: Bearer …");
    Err(Box::new(respond(&Problem::new("token", 401, "The token does not match", detail))))
}
