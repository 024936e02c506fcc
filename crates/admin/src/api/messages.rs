//! One message with everything known of it.

use axum::Json;
use axum::extract::State;
use store::desk::MessageDetail;
use store::desk::thread::Detail;
use types::MessageId;

use super::Shared;
use super::caller::Caller;
use super::failure::Answer;
use super::input::Id;

/// One message with its tries, reports and work, and as the provider sent it.
#[utoipa::path(get, path = "/messages/{id}", tag = "conversations", params(("id" = MessageId, Path)),
    responses((status = 200, body = MessageDetail)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<MessageId>) -> Answer<MessageDetail> {
    Ok(Json(desk.store.read(Detail { id, access: caller.access }).await?))
}
