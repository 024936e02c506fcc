//! `POST /api/whatsapp-send` (S4.9): a message of a person or another program, by the same outbox as every reply.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use store::StoreError;
use store::outbox::SendMessage;
use store::views::OpenConversation;
use types::clock::random_token;
use types::outbound::OutboundContent;
use types::problem::Problem;
use types::text::phone_digits;
use types::{ConversationId, RequestId};

use crate::problem::respond;
use crate::{Admin, auth};

#[derive(Deserialize)]
pub(crate) struct Call {
    token: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    action: String,
    to: Option<String>,
    conversation_id: Option<String>,
    message: String,
    #[serde(default)]
    user_id: Option<serde_json::Value>,
}

/// Longest `Idempotency-Key`.
const LONGEST_KEY: usize = 200;

/// Queues one message; the same `Idempotency-Key` queues it once.
pub(crate) async fn send(
    State(admin): State<Arc<Admin>>,
    Query(call): Query<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = auth::check(admin.runner_token.as_ref(), "runner_token", call.token.as_deref(), &headers) {
        return *refusal;
    }
    match queue(&admin, &headers, &body).await {
        Ok(response) => response,
        Err(problem) => respond(&problem),
    }
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new("bad-request", 400, "The request cannot be used", detail)
}

async fn queue(admin: &Admin, headers: &HeaderMap, body: &Bytes) -> Result<Response, Problem> {
    let message: Message = serde_json::from_slice(body).map_err(|e| bad(format!("the body: {e}")))?;
    if message.action != "send_message" {
        return Err(bad(format!("action {:?} is not known; the only one is \"send_message\"", message.action)));
    }
    if message.message.trim().is_empty() {
        return Err(bad("message is empty"));
    }
    let key = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map_or_else(random_token, str::to_owned);
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(bad(format!("Idempotency-Key must have 1 to {LONGEST_KEY} characters")));
    }
    let conversation = conversation(admin, &message).await?;
    let actor = message.user_id.as_ref().map_or_else(|| "api".to_owned(), |u| format!("user:{u}").replace('"', ""));
    let op = SendMessage {
        conversation,
        content: OutboundContent::Text { body: types::text::without_nul(&message.message).into_owned() },
        idempotency_key: key,
        request_id: RequestId(random_token()),
        pause: Some(admin.desk.pauses()),
        actor,
    };
    let id = admin.store.write(op).await.map_err(problem_of)?;
    admin.store.hub().wake();
    let answer = serde_json::json!({ "status": "queued", "message_id": id, "conversation_id": conversation });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

fn problem_of(error: StoreError) -> Problem {
    match &error {
        StoreError::NotFound { .. } => Problem::new("not-found", 404, "Not found", error.to_string()),
        StoreError::Refused(_) | StoreError::Illegal(_) => {
            Problem::new("refused", 409, "Not possible now", error.to_string())
        }
        _ => {
            let title = "The database does not answer";
            Problem::new("store-unavailable", 503, title, error.to_string())
        }
    }
}

async fn conversation(admin: &Admin, message: &Message) -> Result<ConversationId, Problem> {
    if let Some(id) = &message.conversation_id {
        return id.parse().map_err(|e: types::ids::BadId| bad(e.to_string()));
    }
    let to = message.to.as_deref().ok_or_else(|| bad("give `to` (a phone number) or `conversation_id`"))?;
    let phone = phone_digits(to).ok_or_else(|| bad("`to` is no phone number: digits with country code"))?;
    let door = admin.doors.first().cloned().ok_or_else(|| bad("no channel is configured"))?;
    admin.store.write(OpenConversation { door, phone }).await.map_err(problem_of)
}
