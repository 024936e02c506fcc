//! A refusal as an answer.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use types::problem::{CONTENT_TYPE, Problem};

/// The problem document as a response; what may pass later says when to try again.
pub(crate) fn respond(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, problem.json()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    if problem.retryable {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
