//! Conversations, messages, failed sends, dead letters, jobs.

use serde::Serialize;
use types::states::{ConversationState, DeadLetterStatus, JobState, MessageStatus};
use types::{
    AttemptId, ChannelId, ContactId, ConversationId, DeadLetterId, JobId, LeadId, MessageId, Moment, NoteId, TenantId,
    UserId,
};
use utoipa::ToSchema;

use super::words::{InboxStatus, JobAct, Priority};

/// A count that stops at a bound, so that no table is scanned for it (R7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Count {
    /// The number, or the bound.
    pub value: i64,
    /// There are more than `value`.
    pub capped: bool,
}

impl Count {
    /// Counting stops here.
    pub const CAP: i64 = 10_000;

    /// Of a count that stopped one above [`Self::CAP`].
    #[must_use]
    pub const fn of(counted: i64) -> Self {
        if counted > Self::CAP {
            Self { value: Self::CAP, capped: true }
        } else {
            Self { value: counted, capped: false }
        }
    }
}

/// A person of the team, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
}

/// The newest message of a conversation, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LastMessage {
    /// Its id.
    pub id: MessageId,
    /// `in` or `out`.
    pub direction: String,
    /// `USER`, `AI`, `HUMAN`, `SYSTEM`.
    pub sender: String,
    /// `text`, `image`, …
    pub kind: String,
    /// Its first characters.
    pub preview: String,
    /// `received`, or the status of an outgoing message.
    pub status: String,
    /// When it was stored.
    pub at: Moment,
}

/// A conversation in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Over which number.
    pub channel_id: ChannelId,
    /// `meta` or `greenapi`.
    pub channel_kind: String,
    /// Phone number id or instance.
    pub channel_number: String,
    /// With whom.
    pub contact_id: ContactId,
    /// The name in their profile.
    pub contact_name: Option<String>,
    /// Their number, digits only.
    pub phone: Option<String>,
    /// They want no more messages.
    pub opted_out: bool,
    /// About what.
    pub lead_id: LeadId,
    /// The name they gave.
    pub lead_name: Option<String>,
    /// What they want.
    pub service: Option<String>,
    /// Where it stands in the inbox.
    pub status: InboxStatus,
    /// Who answers.
    pub state: ConversationState,
    /// Until when that lasts; null while paused: until handed back.
    pub state_until: Option<Moment>,
    /// Who looks after it.
    pub assignee: Option<Person>,
    /// How urgent it is.
    pub priority: Priority,
    /// Its labels.
    pub labels: Vec<String>,
    /// When it comes back into sight.
    pub snoozed_until: Option<Moment>,
    /// Messages of the person that nobody has seen, at most 100.
    pub unread: i64,
    /// Since when they wait for a person's answer; null when nobody waits.
    pub waiting_since: Option<Moment>,
    /// The newest message.
    pub last_message: Option<LastMessage>,
    /// The last message of either side.
    pub last_message_at: Moment,
    /// When Meta's 24-hour window for free text closes; null where there is none.
    pub window_closes_at: Option<Moment>,
    /// Whether free text may be sent now.
    pub window_open: bool,
    /// Messages of ours that were not sent, at most 100.
    pub failed_sends: i64,
    /// When it began.
    pub created_at: Moment,
    /// Changes with every change; the `ETag`.
    pub version: String,
}

/// The counts over the inbox's tabs, one scope each (R8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct InboxCounts {
    /// Of the status that was asked for, assigned to the caller.
    pub mine: Count,
    /// The same, assigned to nobody.
    pub unassigned: Count,
    /// The same, of anyone.
    pub all: Count,
    /// A person should act.
    pub open: Count,
    /// The assistant answers.
    pub pending: Count,
    /// Out of sight.
    pub snoozed: Count,
    /// Done.
    pub resolved: Count,
}

/// A message of a thread.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Message {
    /// Its id; grows with time.
    pub id: MessageId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// `in` or `out`.
    pub direction: String,
    /// `USER`, `AI`, `HUMAN`, `SYSTEM`.
    pub sender: String,
    /// Who of the team wrote it.
    pub author: Option<String>,
    /// `text`, `image`, …
    pub kind: String,
    /// Its text.
    pub body: String,
    /// What else it holds, by its kind; null for plain text.
    #[schema(value_type = Option<Object>)]
    pub content: Option<serde_json::Value>,
    /// `received`, or the status of an outgoing message.
    pub status: String,
    /// The provider's id.
    pub provider_id: Option<String>,
    /// The provider's id of the message it quotes.
    pub quotes: Option<String>,
    /// The message it answers.
    pub in_reply_to: Option<MessageId>,
    /// The provider's code of its failure.
    pub error_code: Option<i64>,
    /// Its failure in words.
    pub error: Option<String>,
    /// It was sent again without knowing the fate of the first.
    pub possible_duplicate: bool,
    /// Attempts to send it.
    pub attempts: i64,
    /// When it is tried again by itself.
    pub next_attempt_at: Option<Moment>,
    /// When it was stored.
    pub created_at: Moment,
    /// When the provider had it.
    pub sent_at: Option<Moment>,
    /// When it reached the phone.
    pub delivered_at: Option<Moment>,
    /// When it was opened.
    pub read_at: Option<Moment>,
    /// The request that brought or caused it.
    pub request_id: Option<String>,
}

/// One try to send (R6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// `sent`, `failed`, `saved_only`.
    pub outcome: String,
    /// The class of the failure.
    pub fault: Option<String>,
    /// The provider's code.
    pub code: Option<i64>,
    /// HTTP status.
    pub http: Option<i64>,
    /// What the provider said.
    pub error: Option<String>,
    /// When.
    pub at: Moment,
}

/// What the provider reported of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// `sent`, `delivered`, `read`, …
    pub status: String,
    /// Of whom, in groups.
    pub participant: String,
    /// The provider's code of a failure.
    pub error_code: Option<i64>,
    /// The failure in words.
    pub error: Option<String>,
    /// When it came.
    pub at: Moment,
}

/// A message with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MessageDetail {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// Every try to send it, oldest first.
    pub tries: Vec<Attempt>,
    /// Every report of it, oldest first.
    pub receipts: Vec<Receipt>,
    /// The work that answered it, or that it came from.
    pub job: Option<Job>,
    /// As the provider sent it.
    pub raw: Option<String>,
}

/// A private note of the team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Note {
    /// Its id; grows with time.
    pub id: NoteId,
    /// Where.
    pub conversation_id: ConversationId,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
    /// When.
    pub created_at: Moment,
}

/// What a retry of a failed send would come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// The 24-hour window has closed: only a template may be sent.
    WindowClosed,
    /// The person opted out.
    OptedOut,
    /// It may have arrived: only by its id, after a look.
    MayHaveArrived,
}

/// A message that did not go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailedSend {
    /// The message.
    pub id: MessageId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Over which number.
    pub channel_id: ChannelId,
    /// `meta` or `greenapi`.
    pub channel_kind: String,
    /// To whom.
    pub contact_name: Option<String>,
    /// Their number.
    pub phone: Option<String>,
    /// `USER`, `AI`, `HUMAN`, `SYSTEM`.
    pub sender: String,
    /// Its first characters.
    pub preview: String,
    /// `failed` or `held`.
    pub status: MessageStatus,
    /// The provider's code.
    pub error_code: Option<i64>,
    /// Why, in words.
    pub error: Option<String>,
    /// The class of the last failure: `permanent`, `transient`, `throttled`, `configuration`.
    pub fault: Option<String>,
    /// Attempts on record.
    pub attempts: i64,
    /// When it was saved.
    pub created_at: Moment,
    /// The last try.
    pub last_attempt_at: Option<Moment>,
    /// It may have arrived.
    pub possible_duplicate: bool,
    /// Why a retry would not be made; null when it would.
    pub obstacle: Option<Obstacle>,
}

/// Failed sends of one code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailedGroup {
    /// The provider's code; null for failures without one.
    pub error_code: Option<i64>,
    /// The newest one's failure in words.
    pub error: Option<String>,
    /// How many of the newest 10 000.
    pub count: i64,
    /// The newest of them.
    pub newest_id: MessageId,
    /// When that was saved.
    pub newest_at: Moment,
}

/// A dead letter (S2.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Letter {
    /// Its id.
    pub id: DeadLetterId,
    /// The job that died.
    pub job_id: JobId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The customer's message.
    pub message_id: MessageId,
    /// The provider's id of that.
    pub provider_message_id: Option<String>,
    /// The class of the failure.
    pub fault: String,
    /// What happened.
    pub error: String,
    /// Attempts in all.
    pub attempts: i64,
    /// Times it was queued again.
    pub redrives: i64,
    /// What becomes of it.
    pub status: DeadLetterStatus,
    /// When it is queued again by itself.
    pub next_retry_at: Option<Moment>,
    /// When the message came.
    pub first_at: Moment,
    /// The last failure.
    pub last_at: Moment,
    /// The customer's first words.
    pub preview: String,
    /// Who wrote.
    pub contact_name: Option<String>,
    /// Their number.
    pub phone: Option<String>,
    /// Its message as it came; only where one letter is asked for.
    pub payload: Option<String>,
}

/// Dead letters of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LetterGroup {
    /// What happened.
    pub error: String,
    /// The class of the failure.
    pub fault: String,
    /// How many of the newest 10 000 that wait.
    pub count: i64,
    /// The last failure.
    pub newest_at: Moment,
}

/// The counts of the dead letters' tabs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LetterCounts {
    /// Wait for a retry or a person.
    pub pending: Count,
    /// Queued again.
    pub retrying: Count,
    /// The retry succeeded.
    pub resolved: Count,
    /// Given up.
    pub discarded: Count,
}

/// A unit of work (S2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// `turn`.
    pub kind: String,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The message it works.
    pub message_id: MessageId,
    /// Where it stands.
    pub state: JobState,
    /// When it may run.
    pub run_at: Moment,
    /// Attempts begun.
    pub attempts: i64,
    /// Attempts allowed.
    pub max_attempts: i64,
    /// Times it came out of the dead letters.
    pub redrives: i64,
    /// What it came to.
    pub outcome: Option<String>,
    /// The last failure.
    pub error: Option<String>,
    /// The request that brought it.
    pub request_id: Option<String>,
    /// When it was made.
    pub created_at: Moment,
    /// When its last attempt began.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub completed_at: Option<Moment>,
    /// Its attempts that failed, the oldest first; empty in lists.
    pub tries: Vec<JobTry>,
    /// What can be done with it now: `retry`, `cancel`.
    pub acts: Vec<JobAct>,
}

/// One attempt of a job that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobTry {
    /// Which attempt.
    pub attempt: i64,
    /// The class of the failure.
    pub fault: String,
    /// What happened.
    pub error: String,
    /// When.
    pub at: Moment,
}

/// The counts over the queue's tabs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobCounts {
    /// Waits.
    pub queued: Count,
    /// Is worked.
    pub running: Count,
    /// Cancelled by a person, or superseded.
    pub failed: Count,
    /// Out of attempts.
    pub dead: Count,
    /// Finished in the last 24 hours.
    pub done_24h: Count,
}
