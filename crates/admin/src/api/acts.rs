//! What a person does to a conversation (S3.10).

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use store::desk::acts::{Deed, Do};
use store::desk::{Conversation, Priority};
use types::{ConversationId, MessageId, Moment, UserId};
use utoipa::ToSchema;

use super::caller::Caller;
use super::failure::{Answer, Failure};
use super::input::{Id, Input, perhaps, text};
use super::{Desk, Shared};

async fn act(
    desk: &Desk,
    caller: Caller,
    id: ConversationId,
    deed: Deed,
    reason: Option<&String>,
) -> Answer<Conversation> {
    let reason = perhaps("reason", reason, 500)?.filter(|r| !r.is_empty());
    let done = desk.store.write(Do { id, deed, reason, access: caller.access, by: caller.by }).await?;
    // What was held back behind a pause, or came meanwhile, may be due.
    desk.store.hub().wake();
    Ok(Json(done))
}

/// For how long, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeoverInput {
    /// Until when the assistant is quiet; left out: until somebody hands back.
    #[serde(default)]
    until: Option<Moment>,
    /// Why, for the record.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// A person answers from now on; what the assistant had not sent yet is held.
#[utoipa::path(post, path = "/conversations/{id}/takeover", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = TakeoverInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn takeover(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<TakeoverInput>,
) -> Answer<Conversation> {
    let until = input.until.map(|m| m.0);
    if until.is_some_and(|at| at <= desk.store.clock().now()) {
        return Err(Failure::refused("`until` is past"));
    }
    act(&desk, caller, id, Deed::TakeOver { until }, input.reason.as_ref()).await
}

/// From when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReturnInput {
    /// From when the assistant answers; left out: now.
    #[serde(default)]
    at: Option<Moment>,
    /// Why, for the record.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// The assistant answers again.
#[utoipa::path(post, path = "/conversations/{id}/return", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = ReturnInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn hand_back(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<ReturnInput>,
) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Return { at: input.at.map(|m| m.0) }, input.reason.as_ref()).await
}

/// To whom.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignInput {
    /// The user; null: nobody.
    user_id: Option<UserId>,
}

/// Gives a conversation to somebody, or to nobody.
#[utoipa::path(post, path = "/conversations/{id}/assign", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = AssignInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn assign(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<AssignInput>,
) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Assign(input.user_id), None).await
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonInput {
    /// Why, for the record.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// Done: out of the way until the person writes again, when the assistant answers.
#[utoipa::path(post, path = "/conversations/{id}/resolve", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = ReasonInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn resolve(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Resolve, input.reason.as_ref()).await
}

/// Not done after all: open, and a person's.
#[utoipa::path(post, path = "/conversations/{id}/reopen", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = ReasonInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn reopen(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<ReasonInput>,
) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Reopen, input.reason.as_ref()).await
}

/// Until when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnoozeInput {
    /// When it comes back; left out: when the person writes, and not before.
    #[serde(default)]
    pub until: Option<Moment>,
}

/// Out of sight until then, or until the person writes.
#[utoipa::path(post, path = "/conversations/{id}/snooze", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = SnoozeInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn snooze(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<SnoozeInput>,
) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Snooze(input.until.map(|m| m.0)), None).await
}

/// How urgent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriorityInput {
    /// How urgent it is.
    priority: Priority,
}

/// Says how urgent a conversation is.
#[utoipa::path(post, path = "/conversations/{id}/priority", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = PriorityInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn priority(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<PriorityInput>,
) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Priority(input.priority), None).await
}

/// All labels.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelsInput {
    /// All of them, at most 20 of at most 40 characters.
    #[schema(max_items = 20)]
    labels: Vec<String>,
}

/// Sets a conversation's labels.
#[utoipa::path(put, path = "/conversations/{id}/labels", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = LabelsInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn labels(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<LabelsInput>,
) -> Answer<Conversation> {
    if input.labels.len() > 20 {
        return Err(Failure::bad("a conversation has at most 20 labels"));
    }
    let labels = input.labels.iter().map(|l| text("a label", l, 40)).collect::<Result<Vec<_>, _>>()?;
    act(&desk, caller, id, Deed::Labels(labels), None).await
}

/// Up to where.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadInput {
    /// The last message seen; left out: the newest.
    #[serde(default)]
    upto: Option<MessageId>,
}

/// Marks a conversation as read.
#[utoipa::path(post, path = "/conversations/{id}/read", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = ReadInput, responses((status = 200, body = Conversation)))]
pub(crate) async fn read(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<ReadInput>,
) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Read(input.upto), None).await
}

/// The person's last message counts as unread again.
#[utoipa::path(post, path = "/conversations/{id}/unread", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation)))]
pub(crate) async fn unread(State(desk): Shared, caller: Caller, Id(id): Id<ConversationId>) -> Answer<Conversation> {
    act(&desk, caller, id, Deed::Unread, None).await
}
