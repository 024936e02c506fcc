//! Green API's notifications (S1.2): one a body, in order; anything but 200 stops the instance's queue for a minute.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use channels::green;
use http::{HeaderMap, header};
use store::inbox::Arrival;
use types::inbound::Route;

use crate::accept::{self, Request};
use crate::{Intake, Unrouted};
use types::problem::Problem;

/// Takes a notification.
pub(crate) async fn notify(State(intake): State<Arc<Intake>>, headers: HeaderMap, body: axum::body::Body) -> Response {
    let request = Request::begin("greenapi", &headers);
    let result = async {
        let body = Request::body(&intake, &headers, body).await?;
        take(&intake, &request, &headers, &body).await
    }
    .await;
    request.end(result)
}

fn refused() -> Problem {
    Problem::new(
        "signature",
        401,
        "The webhook token does not match",
        "the Authorization header does not carry the webhook_token of this instance; set webhookUrlToken in the Green API console to the same value. Nothing was stored",
    )
}

async fn take(intake: &Intake, request: &Request, headers: &HeaderMap, body: &Bytes) -> Result<Response, Problem> {
    let shown = headers.get(header::AUTHORIZATION).map(|v| v.as_bytes());
    // Without a valid token of some instance nobody gets to use the parser.
    if !intake.routes.green_doors().any(|d| green::verify(&d.webhook_token, shown)) {
        return Err(refused());
    }
    request.check_type(headers)?;
    let delivery = match green::parse(body) {
        Ok(delivery) => delivery,
        Err(error) => return Err(accept::unreadable(intake, request, &error, body).await),
    };
    let mut arrivals = Vec::with_capacity(delivery.items.len());
    for item in delivery.items {
        let door = intake.routes.green(&item.route);
        if let Some(door) = door
            && !green::verify(&door.webhook_token, shown)
        {
            return Err(refused());
        }
        let answer_groups = door.is_some_and(|d| d.answer_groups);
        arrivals.push(Arrival { door: door.map(|d| d.door.clone()), item, answer_groups });
    }
    let unknown = |a: &Arrival| a.door.is_none() && matches!(a.item.route, Route::Instance(_));
    if arrivals.iter().any(unknown) && intake.options.unrouted == Unrouted::Refuse {
        return Err(accept::unknown_channel("idInstance"));
    }
    accept::store(intake, request, arrivals).await
}
