//! A refusal of the API: always `application/problem+json`, always with a code that has its page in `docs/errors/`.

use axum::response::{IntoResponse, Response};
use store::StoreError;
use types::problem::Problem;

use crate::problem::respond;

/// A refusal.
#[derive(Debug)]
pub(crate) struct Failure(pub Problem);

/// What handlers give.
pub(crate) type Answer<T> = Result<axum::Json<T>, Failure>;

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        respond(&self.0)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl Failure {
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self(Problem::new("bad-request", 400, "The request cannot be used", detail))
    }

    /// A part of the body that cannot be used, by its JSON pointer.
    pub(crate) fn at(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let Self(problem) = Self::bad(detail.clone());
        Self(problem.part(pointer, detail))
    }

    pub(crate) fn signed_out() -> Self {
        let detail = "sign in at POST /api/v1/auth/login, or show a token as Authorization: Bearer …";
        Self(Problem::new("signed-out", 401, "Nobody is signed in", detail))
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self(Problem::new("forbidden", 403, "Not allowed", detail))
    }

    pub(crate) fn missing(what: &str, id: &str) -> Self {
        Self(Problem::new("not-found", 404, "Not found", format!("there is no {what} {id}")))
    }

    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self(Problem::new("refused", 409, "Not possible now", detail))
    }

    /// A defect of ours: the log has the rest, the answer has none of it.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed by a defect");
        let detail = "this is a defect of Barid; the log says more under the request's id";
        Self(Problem::new("internal", 500, "Something is broken here", detail))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        Self(match error {
            StoreError::NotFound { .. } => Problem::new("not-found", 404, "Not found", detail),
            StoreError::Refused(_) | StoreError::Illegal(_) | StoreError::LeaseLost(_) => {
                Problem::new("refused", 409, "Not possible now", detail)
            }
            StoreError::Changed(_) => Problem::new("changed", 412, "It was changed meanwhile", detail),
            StoreError::WindowClosed => Problem::new("window-closed", 409, "The 24-hour window has closed", detail),
            StoreError::NewerMessage => Problem::new("newer-message", 409, "They wrote again meanwhile", detail),
            StoreError::Unavailable { .. } | StoreError::Closed | StoreError::Unusable(_) => {
                Problem::new("store-unavailable", 503, "The database does not answer", detail)
            }
            StoreError::Corrupt { .. } | StoreError::Statement { .. } | StoreError::Panicked(_) => {
                return Self::internal(&detail);
            }
        })
    }
}
