//! `POST /api/ai-results` (S3.9): an outside service says what a message means; Barid's handlers, actions and reply go on from there. The first
//! result of a message counts, however often it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use store::desk::agents::{FindMessage, TakeResult, Taken};
use store::desk::{Access, Role, Scope};
use types::LeadId;
use types::problem::Problem;

use super::caller::{Origin, TOKEN, recognise};
use super::failure::Failure;
use super::input::LARGEST;
use crate::problem::respond;
use crate::{Admin, auth};

#[derive(Deserialize)]
pub(crate) struct Call {
    token: Option<String>,
}

#[derive(Deserialize)]
struct Input {
    message: Value,
    #[serde(default)]
    lead: Option<Value>,
    intent: String,
    confidence: f64,
    #[serde(default)]
    entities: BTreeMap<String, Value>,
}

/// Fields of one result.
const MOST_ENTITIES: usize = 30;
/// The longest value of a field, characters.
const LONGEST: usize = 500;

/// Takes one result.
pub(crate) async fn take(
    State(admin): State<Arc<Admin>>,
    Query(call): Query<Call>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let access = match access(&admin, &call, &headers).await {
        Ok(access) => access,
        Err(refusal) => return *refusal,
    };
    match keep(&admin, access, &body).await {
        Ok(response) => response,
        Err(Failure(problem)) => respond(&problem),
    }
}

/// A program's token with the right to work conversations, or the runner's token.
async fn access(admin: &Admin, call: &Call, headers: &HeaderMap) -> Result<Access, Box<Response>> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    if bearer.is_some_and(|v| v.split(' ').nth(1).is_some_and(|t| t.trim().starts_with(TOKEN))) {
        let known = recognise(&admin.desk, headers, &Origin::default()).await;
        let caller = known.and_then(|k| k.ok_or_else(Failure::signed_out));
        let caller = caller.and_then(|(c, _)| c.may(Role::Agent, Scope::Conversations).map(|()| c));
        return caller.map(|c| c.access).map_err(|Failure(problem)| Box::new(respond(&problem)));
    }
    auth::check(admin.runner_token.as_ref(), "runner_token", call.token.as_deref(), headers).map(|()| Access::All)
}

fn name(what: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) if !text.trim().is_empty() && text.len() <= 200 => Ok(text.trim().to_owned()),
        Value::Number(n) => Ok(n.to_string()),
        _ => Err(Failure::bad(format!("{what} is neither an id nor a name"))),
    }
}

async fn keep(admin: &Admin, access: Access, body: &Bytes) -> Result<Response, Failure> {
    if body.len() > LARGEST {
        let detail = format!("a request has at most {} KiB", LARGEST / 1024);
        return Err(Failure(Problem::new("too-large", 413, "The body is too large", detail)));
    }
    let input: Input = serde_json::from_slice(body).map_err(|e| Failure::bad(format!("the body: {e}")))?;
    let message = name("message", &input.message)?;
    let lead = input.lead.as_ref().filter(|l| !l.is_null()).map(|l| name("lead", l)).transpose()?;
    let lead: Option<LeadId> =
        lead.map(|l| l.parse()).transpose().map_err(|e: types::ids::BadId| Failure::bad(e.to_string()))?;
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if input.intent.is_empty() || input.intent.len() > 60 || !input.intent.bytes().all(word) {
        return Err(Failure::bad("intent must have 1 to 60 letters, digits, \"_\" and \"-\""));
    }
    if !(0.0..=1.0).contains(&input.confidence) {
        return Err(Failure::bad("confidence is not between 0 and 1"));
    }
    let fits = |v: &Value| match v {
        Value::String(text) => text.chars().count() <= LONGEST,
        Value::Number(_) | Value::Null | Value::Bool(_) => true,
        _ => false,
    };
    if input.entities.len() > MOST_ENTITIES || input.entities.iter().any(|(k, v)| k.len() > 60 || !fits(v)) {
        let what = format!("entities are at most {MOST_ENTITIES} texts or numbers of at most {LONGEST} characters");
        return Err(Failure::bad(what));
    }
    let entities = serde_json::to_string(&input.entities).map_err(|e| Failure::internal(&e))?;
    let store = &admin.store;
    let (message, tenant, conversation) = store.read(FindMessage { name: message, lead, access }).await?;
    let (intent, confidence) = (input.intent, input.confidence);
    let entities = types::text::without_nul(&entities).into_owned();
    let taken = store.write(TakeResult { message, tenant, conversation, intent, confidence, entities }).await?;
    let (status, word) = match taken {
        Taken::Accepted => (StatusCode::ACCEPTED, "accepted"),
        Taken::Repeated => (StatusCode::OK, "repeated"),
        Taken::TooLate => (StatusCode::OK, "too_late"),
    };
    store.hub().wake();
    Ok((status, Json(json!({ "status": word, "message_id": message, "conversation_id": conversation })))
        .into_response())
}
