//! Leads, tasks, notifications; tenants, users, tokens, audit, batches.

use serde::{Deserialize, Serialize};
use types::states::ChannelState;
use types::{
    AgentSessionId, AuditId, BatchId, ChannelId, ContactId, ConversationId, LeadId, MessageId, Moment, NotificationId,
    TaskId, TenantId, TokenId, UserId,
};
use utoipa::ToSchema;

use super::inbox::{Count, Person};
use super::words::{BatchAction, BatchState, LeadStatus, Priority, Role, Scope, TaskStatus};

/// A person's request to the business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Lead {
    /// Its id.
    pub id: LeadId,
    /// Who.
    pub contact_id: ContactId,
    /// Their newest conversation.
    pub conversation_id: Option<ConversationId>,
    /// Where it stands.
    pub status: LeadStatus,
    /// Where they came from.
    pub source: String,
    /// What they want.
    pub service: Option<String>,
    /// The name they gave.
    pub name: Option<String>,
    /// The name in their profile.
    pub contact_name: Option<String>,
    /// Their nationality.
    pub nationality: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// Their number.
    pub phone: Option<String>,
    /// When to call them.
    pub call_time: Option<String>,
    /// When they asked for no more messages.
    pub opted_out_at: Option<Moment>,
    /// Who looks after their newest conversation.
    pub owner: Option<Person>,
    /// The labels of their newest conversation.
    pub labels: Vec<String>,
    /// What is to be done next for them.
    pub next_task: Option<NextTask>,
    /// Their last message or ours.
    pub last_contact_at: Option<Moment>,
    /// From 0 to 100: how ready they are, by what is known. 25 for what they want, 15 each for a name, an address and a time to call, 10 for a nationality,
    /// 20 for having been in touch within three days.
    pub score: u8,
    /// When it began.
    pub created_at: Moment,
    /// The last change.
    pub updated_at: Moment,
    /// Changes with every change; the `ETag`.
    pub version: String,
}

/// What is to be done next for a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NextTask {
    /// The task.
    pub id: TaskId,
    /// What to do.
    pub title: String,
    /// Until when.
    pub due_at: Option<Moment>,
}

/// What merging two leads does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MergePlan {
    /// The lead that stays.
    pub into: LeadId,
    /// The lead that goes into it.
    pub from: LeadId,
    /// Conversations that move.
    pub conversations: i64,
    /// Conversations that are closed, since both have an open one on the same number: the one in which the person last wrote goes on.
    pub closed: Vec<ConversationId>,
    /// Leads that move; the one that goes into the other among them.
    pub leads: i64,
    /// Tasks that move.
    pub tasks: i64,
    /// Addresses by which the one that stays is found from then on, too.
    pub addresses: Vec<String>,
    /// Fields that the one that stays learns from the other.
    pub fills: Vec<String>,
    /// Whether the person wants no more messages: said by one of the two, it holds for both.
    pub opted_out: bool,
}

/// Something for a person to do (S3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// For whom.
    pub lead_id: Option<LeadId>,
    /// That one's name.
    pub lead_name: Option<String>,
    /// From which conversation.
    pub conversation_id: Option<ConversationId>,
    /// `call`, `quotation`, `follow_up`, …
    pub task_type: String,
    /// What to do.
    pub title: String,
    /// More of it.
    pub description: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// `team`, `role` or `user`.
    pub assigned_to_type: String,
    /// Which.
    pub assigned_to_id: String,
    /// `person` or `assistant`: who made it.
    pub source: String,
    /// Until when.
    pub due_at: Option<Moment>,
    /// When it was made.
    pub created_at: Moment,
    /// The last change.
    pub updated_at: Moment,
    /// When it was done.
    pub completed_at: Option<Moment>,
    /// Changes with every change; the `ETag`.
    pub version: String,
}

/// What a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// `needs_person`, `send_failed`, `channel_paused`, `dead_letter`, …
    pub kind: String,
    /// In a few words.
    pub title: String,
    /// In more.
    pub body: String,
    /// The conversation it is about.
    pub conversation_id: Option<ConversationId>,
    /// When.
    pub created_at: Moment,
    /// When it was read.
    pub read_at: Option<Moment>,
    /// When it comes back.
    pub snoozed_until: Option<Moment>,
    /// It comes back when they write.
    pub until_reply: bool,
}

/// A tenant (S7.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub business: String,
}

/// A number or instance. Its credentials never leave the configuration (S7.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Whose.
    pub tenant_id: TenantId,
    /// `meta` or `greenapi`.
    pub kind: String,
    /// Phone number id or instance.
    pub number: String,
    /// Whether it sends.
    pub state: ChannelState,
    /// Why not.
    pub reason: Option<String>,
    /// Since when.
    pub since: Moment,
    /// `••••` and the first digits of the credentials' digest: shows that they changed, never what they are.
    pub credentials: String,
    /// When the last message of a person came through it, if it is among the newest 2000 of the installation: webhooks work.
    pub last_message_at: Option<Moment>,
}

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, with which they sign in.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Every tenant, those to come included.
    pub all_tenants: bool,
    /// Which, when not all.
    pub tenants: Vec<TenantId>,
    /// When they were shut out.
    pub disabled_at: Option<Moment>,
    /// When they were added.
    pub created_at: Moment,
    /// When they last signed in.
    pub last_login_at: Option<Moment>,
    /// Changes with every change; the `ETag`.
    pub version: String,
}

/// A program's key. Its secret is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Every tenant, those to come included.
    pub all_tenants: bool,
    /// Which, when not all.
    pub tenants: Vec<TenantId>,
    /// Its first characters, to know it by.
    pub prefix: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Moment,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<Moment>,
    /// When it ends.
    pub expires_at: Option<Moment>,
    /// When it was revoked.
    pub revoked_at: Option<Moment>,
}

/// A line of the audit record (S6.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditRow {
    /// Its id; grows with time.
    pub id: AuditId,
    /// Whose; null for what concerns the installation.
    pub tenant_id: Option<TenantId>,
    /// `user`, `token`, `command` or `system`.
    pub actor_kind: String,
    /// Who.
    pub actor: String,
    /// What: `conversation.takeover`, `token.create`, …
    pub action: String,
    /// On what kind of thing.
    pub object_kind: String,
    /// On which.
    pub object_id: String,
    /// How it was.
    pub from: Option<String>,
    /// How it is.
    pub to: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// From which address.
    pub ip: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// When.
    pub at: Moment,
}

/// Which rows a batch takes; with `ids`, those alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchFilter {
    /// These rows, at most 1000.
    #[schema(max_items = 1000)]
    pub ids: Option<Vec<MessageId>>,
    /// Failed sends of this code; 0 for those without one.
    pub error_code: Option<i64>,
    /// Rows of this conversation.
    pub conversation_id: Option<ConversationId>,
    /// Failed sends over this number.
    pub channel_id: Option<ChannelId>,
    /// Failed sends and dead letters from this moment on.
    pub from: Option<Moment>,
    /// Dead letters of this cause.
    #[schema(max_length = 2000)]
    pub error: Option<String>,
    /// Why, for the record of each row.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// Rows that a batch left alone, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Skipped {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: i64,
}

/// Work on many rows (R3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Batch {
    /// Its id; null for a trial run, which changes nothing.
    pub id: Option<BatchId>,
    /// What it does.
    pub action: BatchAction,
    /// To which rows.
    pub filter: BatchFilter,
    /// Rows newer than this are left alone.
    pub as_of: Moment,
    /// Where it stands.
    pub state: BatchState,
    /// Rows that the filter names.
    pub total: Count,
    /// Rows that were changed (a trial run: would be).
    pub done: i64,
    /// Rows that could not be changed.
    pub failed: i64,
    /// Rows that were left alone.
    pub skipped: Vec<Skipped>,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    pub created_at: Moment,
    /// When it ended.
    pub finished_at: Option<Moment>,
}

/// A run of turns of one agent in one conversation (S3.7).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AgentSession {
    /// Its id.
    pub id: AgentSessionId,
    /// In which conversation.
    pub conversation_id: ConversationId,
    /// With whom.
    pub lead_name: Option<String>,
    /// Which agent.
    pub agent: String,
    /// The provider of its last call.
    pub provider: String,
    /// The model of its last call.
    pub model: String,
    /// When it began.
    pub started_at: Moment,
    /// Its last turn.
    pub last_at: Moment,
    /// When it ended; null while it goes on.
    pub ended_at: Option<Moment>,
    /// `open`, `handed_over`, `filtered`, `idle`.
    pub outcome: String,
    /// Turns that the agent was asked for.
    pub turns: i64,
    /// Turns that it answered; the flow answered the others.
    pub replies: i64,
    /// Calls of models.
    pub calls: i64,
    /// Tokens read, by the vendors' count.
    pub tokens_in: i64,
    /// Tokens written.
    pub tokens_out: i64,
    /// In the currency of the configured prices.
    pub cost: f64,
    /// Turns that it did not answer.
    pub errors: i64,
    /// Time that its calls took in a turn, ms.
    pub mean_ms: i64,
}

/// One turn of an agent's session.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AgentTurn {
    /// Which message it was about.
    pub message_id: MessageId,
    /// What the customer wrote.
    pub input: String,
    /// What was answered; empty where the flow answered.
    pub output: String,
    /// `replied`, `handed_over`, or why the flow answered: `timeout`, `failed`, `filtered`, `refused`, `open`, `budget`.
    pub status: String,
    /// More of that.
    pub error: Option<String>,
    /// Each call of a model: provider, model, outcome, error, usage, cost, ms.
    pub calls: Vec<serde_json::Value>,
    /// Tokens read.
    pub tokens_in: i64,
    /// Tokens written.
    pub tokens_out: i64,
    /// In the currency of the configured prices.
    pub cost: f64,
    /// How long its calls took.
    pub ms: i64,
    /// When.
    pub at: Moment,
}

/// A switch (S3.8): `agents` for all agents of a tenant, `agent:NAME`, `experiment:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgentFlag {
    /// Which.
    pub name: String,
    /// Whether it is on.
    pub on: bool,
    /// For how many of a hundred conversations.
    pub percent: u32,
    /// Of an experiment: the variant that was picked as its winner, and that everyone in the roll-out gets; null: it compares.
    pub picked: Option<String>,
    /// Why it is as it is.
    pub reason: Option<String>,
    /// Who set it; null: nobody, it is as configured.
    pub set_by: Option<String>,
    /// When.
    pub set_at: Option<Moment>,
}

impl AgentFlag {
    /// The switch as it stands: on for all where nobody has set it.
    #[must_use]
    pub fn of(set: &[Self], name: &str) -> Self {
        set.iter().find(|f| f.name == name).cloned().unwrap_or_else(|| Self {
            name: name.to_owned(),
            on: true,
            percent: 100,
            picked: None,
            reason: None,
            set_by: None,
            set_at: None,
        })
    }
}
