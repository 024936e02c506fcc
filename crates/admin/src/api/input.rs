//! What comes with a request, read strictly: an unknown field, a wrong type or a bad id is a 400 that says which.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// The largest body of the API.
pub(crate) const LARGEST: usize = 256 * 1024;

/// The JSON body.
pub(crate) struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = axum::body::Bytes::from_request(request, state);
        let bytes = bytes.await.map_err(|e| Failure::bad(format!("the body: {e}")))?;
        // Nothing and `{}` are the same where every field may be left out.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // serde would read the fields of a struct from a list, too.
        if text.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Failure::bad("the body is no JSON object"));
        }
        serde_json::from_slice(text).map(Self).map_err(|e| Failure::bad(format!("the body: {e}")))
    }
}

/// The query.
pub(crate) struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|q| Self(q.0)).map_err(|e| Failure::bad(format!("the query: {}", e.body_text())))
    }
}

/// The id in the path.
pub(crate) struct Id<T>(pub T);

impl<S: Send + Sync, T: std::str::FromStr<Err: std::fmt::Display>> FromRequestParts<S> for Id<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|e| Failure::bad(format!("the path: {}", e.body_text())))?;
        text.parse().map(Self).map_err(|e: T::Err| Failure::bad(e.to_string()))
    }
}

/// `If-Match`: the version that the caller saw; `None`: any.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(http::header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Failure::bad("If-Match is no text"))?.trim();
    Ok((text != "*" && !text.is_empty()).then(|| text.trim_start_matches("W/").trim_matches('"').to_owned()))
}

/// Text that a person wrote: not empty, not too long, without what no database keeps.
pub(crate) fn text(what: &str, given: &str, longest: usize) -> Result<String, Failure> {
    let clean = types::text::without_nul(given);
    let clean = clean.trim();
    if clean.is_empty() {
        return Err(of_part(what, format!("{what} is empty")));
    }
    within(what, clean, longest)?;
    Ok(clean.to_owned())
}

/// The same where nothing may stand, too.
pub(crate) fn perhaps(what: &str, given: Option<&String>, longest: usize) -> Result<Option<String>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let clean = types::text::without_nul(given);
    within(what, &clean, longest)?;
    Ok(Some(clean.trim().to_owned()))
}

fn within(what: &str, text: &str, longest: usize) -> Result<(), Failure> {
    if text.chars().count() > longest {
        return Err(of_part(what, format!("{what} is longer than {longest} characters")));
    }
    Ok(())
}

/// What is wrong with the part `what` of a body; words that name no one place have no pointer.
fn of_part(what: &str, detail: String) -> Failure {
    if what.contains(' ') { Failure::bad(detail) } else { Failure::at(&format!("/{}", what.replace('.', "/")), detail) }
}
