//! Meta's Cloud API: the handshake and the notifications (S1.1).

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use channels::meta;
use http::{HeaderMap, header};
use serde::Deserialize;
use store::inbox::Arrival;

use crate::accept::{self, Request};
use crate::problem::respond;
use crate::{Intake, Unrouted};
use types::problem::Problem;

/// The handshake's query; axum gives the decoded values.
#[derive(Deserialize)]
pub(crate) struct Handshake {
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    #[serde(rename = "hub.verify_token")]
    token: Option<String>,
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

/// Answers Meta's verification of the address (S1.1): the challenge, or 403.
pub(crate) async fn handshake(State(intake): State<Arc<Intake>>, Query(q): Query<Handshake>) -> Response {
    let expected = intake.routes.verify_tokens();
    match meta::challenge(q.mode.as_deref(), q.token.as_deref(), q.challenge.as_deref(), expected) {
        Some(challenge) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], challenge.to_owned()).into_response()
        }
        None => respond(&Problem::new(
            "verify-token",
            403,
            "The verify token does not match",
            "hub.verify_token is not the verify_token of any channel in the configuration; set the same value on both sides",
        )),
    }
}

/// Takes a notification (S1.1).
pub(crate) async fn notify(State(intake): State<Arc<Intake>>, headers: HeaderMap, body: axum::body::Body) -> Response {
    let request = Request::begin("meta", &headers);
    let result = async {
        let body = Request::body(&intake, &headers, body).await?;
        take(&intake, &request, &headers, &body).await
    }
    .await;
    request.end(result)
}

async fn take(intake: &Intake, request: &Request, headers: &HeaderMap, body: &Bytes) -> Result<Response, Problem> {
    let signature = headers.get("x-hub-signature-256").map_or(&b""[..], |v| v.as_bytes());
    let Some(signer) = intake.routes.signer(signature, body) else {
        return Err(Problem::new(
            "signature",
            401,
            "The signature does not match",
            "X-Hub-Signature-256 was not made over these bytes with the app_secret of any channel in the configuration; nothing was stored",
        ));
    };
    request.check_type(headers)?;
    let delivery = match meta::parse(body) {
        Ok(delivery) => delivery,
        Err(error) => return Err(accept::unreadable(intake, request, &error, body).await),
    };
    let mut arrivals = Vec::with_capacity(delivery.items.len());
    for item in delivery.items {
        if intake.routes.is_someone_elses(&item.route, signer) {
            return Err(Problem::new(
                "signature",
                401,
                "The signature does not match",
                "the body names a number whose app_secret did not sign it; nothing was stored",
            ));
        }
        let (door, answer_groups) =
            intake.routes.meta(&item.route, signer).map_or((None, false), |(d, g)| (Some(d.clone()), g));
        arrivals.push(Arrival { door, item, answer_groups });
    }
    let known = arrivals.iter().any(|a| a.door.is_some() || !accept::names_a_number(&a.item.route));
    if !known && intake.options.unrouted == Unrouted::Refuse {
        return Err(accept::unknown_channel("phone_number_id"));
    }
    accept::store(intake, request, arrivals).await
}
