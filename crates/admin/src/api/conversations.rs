//! The inbox and its threads.

use axum::Json;
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::desk::inbox::{Counts, Get, List, OfLead, Order, Search, Tab};
use store::desk::thread::{Messages, Notes};
use store::desk::{Conversation, InboxCounts, InboxStatus, Message, Note, acts};
use types::outbound::OutboundContent;
use types::{ConversationId, LeadId, MessageId};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::caller::Caller;
use super::failure::{Answer, Failure};
use super::guard::Key;
use super::input::{Asked, Id, Input, perhaps, text};
use super::page::{self, Page};

/// Whose conversations.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InboxTab {
    /// Of the caller.
    Mine,
    /// Of nobody.
    Unassigned,
    /// Of anyone.
    All,
}

/// In which order.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InboxSort {
    /// The last message first.
    Last,
    /// The newest conversation first.
    Created,
    /// Who waits longest for a person's answer first; only those who wait.
    Waiting,
    /// The most urgent first, among one status (open where none is named).
    Priority,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Whose; all where it is left out.
    #[param(inline)]
    tab: Option<InboxTab>,
    /// Only of this status.
    #[param(inline)]
    status: Option<InboxStatus>,
    /// In which order; the last message first where it is left out.
    #[param(inline)]
    sort: Option<InboxSort>,
    /// Only with this lead; the other filters do not count then.
    lead_id: Option<LeadId>,
    /// Search people, numbers and texts; the other filters do not count then.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists conversations.
#[utoipa::path(get, path = "/conversations", tag = "conversations", params(ListQuery),
    responses((status = 200, body = Page<Conversation>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Answer<Page<Conversation>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let (after, limit) = (asked.after(), asked.fetch());
    if let Some(lead) = query.lead_id {
        return Ok(Json(asked.page(desk.store.read(OfLead { tenant, lead, after, limit }).await?)));
    }
    if let Some(text) = perhaps("q", query.q.as_ref(), 200)?.filter(|q| !q.is_empty()) {
        return Ok(Json(asked.page(desk.store.read(Search { tenant, text, after, limit }).await?)));
    }
    let tab = match (query.tab, caller.user()) {
        (Some(InboxTab::Mine), Some(user)) => Tab::Mine(user),
        (Some(InboxTab::Mine), None) => return Ok(Json(asked.page(Vec::new()))),
        (Some(InboxTab::Unassigned), _) => Tab::Unassigned,
        (Some(InboxTab::All) | None, _) => Tab::All,
    };
    let order = match query.sort {
        Some(InboxSort::Last) | None => Order::Last,
        Some(InboxSort::Created) => Order::Created,
        Some(InboxSort::Waiting) => Order::Waiting,
        Some(InboxSort::Priority) => Order::Priority,
    };
    let list = List { tenant, tab, status: query.status, order, after, limit };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TenantQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    pub tenant: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CountQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Of which status `mine`, `unassigned` and `all` are; left out: of every status, as a list without one shows.
    status: Option<InboxStatus>,
}

/// The counts over the inbox's tabs.
#[utoipa::path(get, path = "/conversations/counts", tag = "conversations", params(CountQuery),
    responses((status = 200, body = InboxCounts)))]
pub(crate) async fn counts(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<CountQuery>,
) -> Answer<InboxCounts> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    Ok(Json(desk.store.read(Counts { tenant, user: caller.user(), status: query.status }).await?))
}

/// One conversation.
#[utoipa::path(get, path = "/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<ConversationId>) -> Answer<Conversation> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThreadQuery {
    /// Only what came after this message, the oldest first; without it, the newest first.
    #[param(inline)]
    since: Option<MessageId>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists a conversation's messages: the newest first, or what came after a known one.
#[utoipa::path(get, path = "/conversations/{id}/messages", tag = "conversations",
    params(("id" = ConversationId, Path), ThreadQuery), responses((status = 200, body = Page<Message>)))]
pub(crate) async fn messages(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Asked(query): Asked<ThreadQuery>,
) -> Answer<Page<Message>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    // A cursor of a list that goes forward holds the last message it showed.
    let since = match (query.since, asked.after()) {
        (Some(_), Some(after)) => Some(MessageId(after.id)),
        (since, _) => since,
    };
    let list = Messages { id, before: asked.newest(), since, limit: asked.fetch(), access: caller.access };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// What a person writes: `text`, or an approved template.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendInput {
    /// The text.
    #[serde(default)]
    #[schema(max_length = 4096)]
    text: Option<String>,
    /// An approved template instead: what may be sent when the 24-hour window has closed.
    #[serde(default)]
    template: Option<TemplateInput>,
    /// The newest message that the writer has seen: a newer one of the person refuses this one (409 `newer-message`).
    #[serde(default)]
    seen: Option<MessageId>,
}

/// An approved template.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateInput {
    /// Its name.
    #[schema(min_length = 1, max_length = 512)]
    name: String,
    /// Its language code.
    #[schema(min_length = 2, max_length = 15)]
    language: String,
    /// Body parameters, in order.
    #[serde(default)]
    #[schema(max_items = 20)]
    parameters: Vec<String>,
}

/// A message on its way.
#[derive(Serialize, ToSchema)]
pub(crate) struct Queued {
    /// Its id.
    id: MessageId,
    /// Its conversation.
    conversation_id: ConversationId,
    /// `queued`: its own row says what becomes of it.
    status: String,
}

/// Longest text that WhatsApp takes in one message.
const LONGEST: usize = 4096;

/// What is to be sent: a text or a template, one of the two.
pub(super) fn content(body: Option<&String>, template: Option<&TemplateInput>) -> Result<OutboundContent, Failure> {
    match (body, template) {
        (Some(body), None) => {
            let body = text("text", body, LONGEST)?;
            Ok(OutboundContent::Text { body })
        }
        (None, Some(t)) => {
            if t.parameters.len() > 20 {
                return Err(Failure::bad("a template has at most 20 parameters"));
            }
            let (name, language) = (text("template.name", &t.name, 512)?, text("template.language", &t.language, 15)?);
            let parameters = t.parameters.iter().map(|p| text("a parameter", p, 1024)).collect::<Result<_, _>>()?;
            Ok(OutboundContent::Template { name, language, parameters })
        }
        _ => Err(Failure::bad("give `text` or `template`, one of the two")),
    }
}

/// Answers as a person: the assistant pauses, and the message goes out by the outbox.
#[utoipa::path(post, path = "/conversations/{id}/messages", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = SendInput, responses((status = 202, body = Queued)))]
pub(crate) async fn send(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Extension(Key(key)): Extension<Key>,
    Input(input): Input<SendInput>,
) -> Result<(StatusCode, Json<Queued>), Failure> {
    let answer = acts::Answer {
        id,
        content: content(input.text.as_ref(), input.template.as_ref())?,
        seen: input.seen,
        key,
        pauses: desk.pauses(),
        access: caller.access,
        by: caller.by,
    };
    let message = desk.store.write(answer).await?;
    desk.store.hub().wake();
    Ok((StatusCode::ACCEPTED, Json(Queued { id: message, conversation_id: id, status: "queued".into() })))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Lists a conversation's private notes, newest first.
#[utoipa::path(get, path = "/conversations/{id}/notes", tag = "conversations",
    params(("id" = ConversationId, Path), PageQuery), responses((status = 200, body = Page<Note>)))]
pub(crate) async fn notes(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Page<Note>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let list = Notes { id, after: asked.newest(), limit: asked.fetch(), access: caller.access };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// A private note.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteInput {
    /// Its text.
    #[schema(min_length = 1, max_length = 10000)]
    body: String,
}

/// Adds a private note: the person never sees it.
#[utoipa::path(post, path = "/conversations/{id}/notes", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = NoteInput, responses((status = 201, body = Note)))]
pub(crate) async fn add_note(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<ConversationId>,
    Input(input): Input<NoteInput>,
) -> Result<(StatusCode, Json<Note>), Failure> {
    let body = text("body", &input.body, 10_000)?;
    let note = desk.store.write(acts::AddNote { id, body, access: caller.access, by: caller.by }).await?;
    Ok((StatusCode::CREATED, Json(note)))
}
