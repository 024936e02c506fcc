//! The words of statuses, roles and scopes.

pub use types::Priority;

/// Words that rows give back, too.
macro_rules! row_words {
    ($($(#[$doc:meta])* $name:ident ($what:literal) { $($variants:tt)* })*) => {
        $(types::words! { $(#[$doc])* $name ($what) { $($variants)* } })*

        $(impl $crate::sql::FromValue for $name {
            fn from_value(v: $crate::sql::Value<'_>) -> Result<Self, String> {
                match v {
                    $crate::sql::Value::Text(t) => t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
                    other => Err(format!("{other:?} where text belongs")),
                }
            }
        })*
    };
}

row_words! {
    /// Where a conversation stands in the inbox.
    InboxStatus ("status of a conversation in the inbox") {
        /// A person should act.
        Open = "open",
        /// The assistant answers.
        Pending = "pending",
        /// Out of sight until a time, or until the person writes.
        Snoozed = "snoozed",
        /// Done; a new message opens it again.
        Resolved = "resolved",
    }
    /// Where a task stands.
    TaskStatus ("status of a task") {
        /// Not begun.
        Pending = "pending",
        /// Begun.
        InProgress = "in_progress",
        /// Done.
        Completed = "completed",
        /// Not to be done.
        Cancelled = "cancelled",
    }
    /// Where a lead stands.
    LeadStatus ("status of a lead") {
        /// Being served.
        Open = "open",
        /// Became a customer.
        Won = "won",
        /// Did not.
        Lost = "lost",
        /// Put away.
        Archived = "archived",
    }
    /// What a person may do; each may what the ones before it may.
    Role ("role") {
        /// Look.
        Viewer = "viewer",
        /// Answer people and act on messages.
        Agent = "agent",
        /// Everything.
        Admin = "admin",
    }
    /// What a token may do.
    Scope ("scope") {
        /// Look at everything of its tenants.
        Read = "read",
        /// Take over, assign, resolve, label, note.
        Conversations = "conversations:write",
        /// Send messages and retry failed ones.
        Sends = "sends:write",
        /// Change leads and tasks.
        Leads = "leads:write",
        /// Read and snooze notifications.
        Notifications = "notifications:write",
        /// Retry and discard dead letters.
        DeadLetters = "dead-letters:write",
        /// Users, tokens, channels.
        Settings = "settings:write",
        /// The simulator (demo only).
        Simulator = "simulator:write",
    }
    /// What a batch does to each of its rows.
    BatchAction ("action of a batch") {
        /// Sends failed messages again.
        RetryFailedSends = "retry_failed_sends",
        /// Puts failed sends away.
        DismissFailedSends = "dismiss_failed_sends",
        /// Works dead letters again.
        RetryDeadLetters = "retry_dead_letters",
        /// Gives dead letters up.
        DiscardDeadLetters = "discard_dead_letters",
        /// Resolves conversations.
        ResolveConversations = "resolve_conversations",
        /// Works jobs again: the dead ones where none are named.
        RetryJobs = "retry_jobs",
        /// Does not work jobs: those that wait where none are named.
        CancelJobs = "cancel_jobs",
    }
    /// What an endpoint can be told (outgoing webhooks).
    EventKind ("event") {
        /// A message came in or was written.
        MessageCreated = "message.created",
        /// What became of a message of ours.
        MessageStatus = "message.status",
        /// A message of ours was not sent.
        SendFailed = "send.failed",
        /// A conversation began.
        ConversationCreated = "conversation.created",
        /// A conversation changed its state.
        ConversationUpdated = "conversation.updated",
        /// Somebody became a lead.
        LeadCreated = "lead.created",
        /// A person or program changed a lead.
        LeadUpdated = "lead.updated",
        /// There is something to do.
        TaskCreated = "task.created",
        /// A person or program changed a task.
        TaskUpdated = "task.updated",
        /// A message could not be worked.
        DeadLetterCreated = "dead_letter.created",
        /// A person should know something.
        NotificationCreated = "notification.created",
    }
    /// Where an outgoing webhook stands.
    DeliveryState ("state of a delivery") {
        /// It is tried at its time.
        Waiting = "waiting",
        /// It was heard.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
    /// What a person can do with a job.
    JobAct ("act upon a job") {
        /// Work it again, or now.
        Retry = "retry",
        /// Do not work it.
        Cancel = "cancel",
    }
    /// Where a batch stands.
    BatchState ("state of a batch") {
        /// Being worked.
        Running = "running",
        /// Every row was looked at.
        Done = "done",
        /// Stopped by a person.
        Cancelled = "cancelled",
    }
}
