//! Tasks for people (S3.5).

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use store::desk::tasks::{Add, Change, Get, List, Set, Which};
use store::desk::{Priority, Task, TaskStatus};
use types::{ConversationId, LeadId, Moment, TaskId, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::Shared;
use super::caller::Caller;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, if_match, perhaps, text};
use super::page::{self, Page};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TaskQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// Only of this status; with `due_from` or `due_to`, open ones whatever is said here.
    #[param(inline)]
    status: Option<TaskStatus>,
    /// Only of this lead.
    #[param(inline)]
    lead_id: Option<LeadId>,
    /// Open ones due from this moment on, the earliest first.
    #[param(inline)]
    due_from: Option<Moment>,
    /// Open ones due before this moment, the earliest first.
    #[param(inline)]
    due_to: Option<Moment>,
    /// Open ones without a date.
    undated: Option<bool>,
    /// Rows of a page.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Where to go on.
    cursor: Option<String>,
}

/// Lists tasks: the newest first, or open ones by their dates.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(TaskQuery), responses((status = 200, body = Page<Task>)))]
pub(crate) async fn list(State(desk): Shared, caller: Caller, Asked(query): Asked<TaskQuery>) -> Answer<Page<Task>> {
    let asked = page::Asked::of(query.limit, query.cursor.as_deref())?;
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let which = match (query.due_from, query.due_to, query.undated) {
        (None, None, Some(true)) => Which::Undated,
        (None, None, _) => Which::All { status: query.status, lead: query.lead_id },
        (from, to, _) => Which::Due {
            from: from.map_or(Timestamp::ZERO, |m| m.0),
            to: to.map_or(Timestamp::from_micros(i64::MAX), |m| m.0),
        },
    };
    let list = List { tenant, which, after: asked.after(), limit: asked.fetch() };
    Ok(Json(asked.page(desk.store.read(list).await?)))
}

/// One task.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", params(("id" = TaskId, Path)), responses((status = 200, body = Task)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Id(id): Id<TaskId>) -> Answer<Task> {
    Ok(Json(desk.store.read(Get { id, access: caller.access }).await?))
}

/// A task to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskInput {
    /// Slug or id of the tenant; the caller's first where it is left out.
    #[serde(default)]
    tenant: Option<String>,
    /// For which lead.
    #[serde(default)]
    lead_id: Option<LeadId>,
    /// From which conversation.
    #[serde(default)]
    conversation_id: Option<ConversationId>,
    /// `call`, `quotation`, `follow_up`, …; `follow_up` where it is left out.
    #[serde(default)]
    #[schema(max_length = 60)]
    task_type: Option<String>,
    /// What to do.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// More of it.
    #[serde(default)]
    #[schema(max_length = 4000)]
    description: Option<String>,
    /// How urgent; `normal` where it is left out.
    #[serde(default)]
    priority: Option<Priority>,
    /// `team`, `role` or `user`; `team` where it is left out.
    #[serde(default)]
    assigned_to_type: Option<Assigned>,
    /// Which.
    #[serde(default)]
    #[schema(max_length = 60)]
    assigned_to_id: Option<String>,
    /// Until when.
    #[serde(default)]
    due_at: Option<Moment>,
}

/// To what kind of someone.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Assigned {
    /// Anyone.
    Team,
    /// Those of a role.
    Role,
    /// One person.
    User,
}

impl Assigned {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Role => "role",
            Self::User => "user",
        }
    }
}

/// Adds a task.
#[utoipa::path(post, path = "/tasks", tag = "tasks", request_body = TaskInput, responses((status = 201, body = Task)))]
pub(crate) async fn add(
    State(desk): Shared,
    caller: Caller,
    Input(input): Input<TaskInput>,
) -> Result<(StatusCode, Json<Task>), Failure> {
    let tenant = caller.tenant(&desk, input.tenant.as_deref()).await?;
    let kind = perhaps("task_type", input.task_type.as_ref(), 60)?.filter(|k| !k.is_empty());
    let who = perhaps("assigned_to_id", input.assigned_to_id.as_ref(), 60)?.unwrap_or_default();
    let add = Add {
        tenant,
        lead: input.lead_id,
        conversation: input.conversation_id,
        task_type: kind.unwrap_or_else(|| "follow_up".into()),
        title: text("title", &input.title, 200)?,
        description: perhaps("description", input.description.as_ref(), 4000)?.unwrap_or_default(),
        priority: input.priority.unwrap_or(Priority::Normal),
        assigned_to: (input.assigned_to_type.unwrap_or(Assigned::Team).as_str().to_owned(), who),
        due_at: input.due_at.map(|m| m.0),
        access: caller.access,
        by: caller.by,
    };
    Ok((StatusCode::CREATED, Json(desk.store.write(add).await?)))
}

/// What to change; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TaskChangeInput {
    /// What to do.
    #[schema(max_length = 200)]
    title: Option<String>,
    /// More of it.
    #[schema(max_length = 4000)]
    description: Option<String>,
    /// Where it stands.
    status: Option<TaskStatus>,
    /// How urgent.
    priority: Option<Priority>,
    /// `team`, `role` or `user`; with `assigned_to_id`.
    assigned_to_type: Option<Assigned>,
    /// Which.
    #[schema(max_length = 60)]
    assigned_to_id: Option<String>,
    /// Until when.
    due_at: Option<Moment>,
    /// Without a date from now on.
    clear_due_at: bool,
}

/// Changes a task. With `If-Match` (its `version`): only if nobody changed it since.
#[utoipa::path(patch, path = "/tasks/{id}", tag = "tasks",
    params(("id" = TaskId, Path), ("if-match" = Option<String>, Header, description = "The task's `version`")),
    request_body = TaskChangeInput, responses((status = 200, body = Task)))]
pub(crate) async fn change(
    State(desk): Shared,
    caller: Caller,
    Id(id): Id<TaskId>,
    headers: HeaderMap,
    Input(input): Input<TaskChangeInput>,
) -> Answer<Task> {
    let title = input.title.as_ref().map(|t| text("title", t, 200)).transpose()?;
    let who = perhaps("assigned_to_id", input.assigned_to_id.as_ref(), 60)?.unwrap_or_default();
    let change = Change {
        title,
        description: perhaps("description", input.description.as_ref(), 4000)?,
        status: input.status,
        priority: input.priority,
        assigned_to: input.assigned_to_type.map(|kind| (kind.as_str().to_owned(), who)),
        due_at: if input.clear_due_at { Some(None) } else { input.due_at.map(|m| Some(m.0)) },
    };
    let set = Set { id, change, version: if_match(&headers)?, access: caller.access, by: caller.by };
    Ok(Json(desk.store.write(set).await?))
}
