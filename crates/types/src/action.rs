//! What a decision has done beside the reply (S3.5): an [`Action`] is what is wanted; its effects (mail, Slack, HTTP) are the steps of a saga.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// What kind of thing is to be done (S3.5).
    ActionKind ("kind of action") {
        /// Tell the sales team.
        NotifySales = "notify_sales",
        /// Enter an order.
        CreateOrder = "create_order",
        /// Open a ticket for support.
        CreateSupportTicket = "create_support_ticket",
        /// Have a person look at the conversation.
        FlagForReview = "flag_for_review",
        /// Have somebody call.
        ScheduleCall = "schedule_call",
        /// Call any CRM, ERP or n8n.
        Http = "http",
    }
    /// By what an action is done. In this order, so that what can be told from a refusal is told last.
    Effect ("effect") {
        /// A row for a person, in the same transaction as the reply.
        Task = "task",
        /// A mail.
        Email = "email",
        /// A post in Slack.
        Slack = "slack",
        /// A request to a CRM or the like.
        Http = "http",
    }
    /// What becomes of a step of which nobody knows whether it was done: its process ended in the middle, or no answer came.
    OnDoubt ("choice") {
        /// Do it again. It carries the same key, so that the other side can tell.
        Again = "again",
        /// Stop until a person decides.
        Hold = "hold",
    }
    /// How urgent something is.
    Priority ("priority") {
        /// Whenever there is time.
        Low = "low",
        /// As usual.
        Normal = "normal",
        /// Before the others.
        High = "high",
        /// Now.
        Critical = "critical",
    }
}

impl Priority {
    /// 0 low to 3 critical, for columns that are sorted by.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Low => 0,
            Self::Normal => 1,
            Self::High => 2,
            Self::Critical => 3,
        }
    }

    /// Back from the rank.
    #[must_use]
    pub const fn of_rank(rank: i64) -> Self {
        match rank {
            0 => Self::Low,
            2 => Self::High,
            3 => Self::Critical,
            _ => Self::Normal,
        }
    }
}

/// Something to be done because of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its name in the tenant's file: one of the kinds, or a name of the tenant's own.
    pub name: String,
    /// What to do, in a line.
    pub title: String,
    /// More of it, for whoever does it.
    pub description: String,
    /// What the conversation knows: `service`, `name`, `phone`, `message`, … The places that the tenant's templates can fill.
    pub facts: BTreeMap<String, String>,
}

impl Action {
    /// An action of that name, without facts.
    #[must_use]
    pub fn new(name: impl Into<String>, title: impl Into<String>) -> Self {
        Self { name: name.into(), title: title.into(), description: String::new(), facts: BTreeMap::new() }
    }
}
