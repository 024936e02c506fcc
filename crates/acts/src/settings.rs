//! What a tenant's file says of each action.

use std::collections::HashMap;
use std::time::Duration;

use types::http::Method;
use types::{ActionKind, Effect, OnDoubt, Priority, Secret};

/// A tenant's actions.
#[derive(Clone, Debug, Default)]
pub struct Office {
    /// The tenant's short name.
    pub slug: String,
    /// The business's name, as people read it.
    pub business: String,
    /// Actions by their names.
    pub actions: HashMap<String, ActionSettings>,
    /// Its dependencies are told from those of other tenants: one tenant's CRM that is down stops nobody else.
    pub shared: bool,
}

/// One action.
#[derive(Clone, Debug)]
pub struct ActionSettings {
    /// What kind.
    pub kind: ActionKind,
    /// How urgent its tasks are.
    pub priority: Priority,
    /// `team`, `role` or `user`, and which.
    pub assigned_to: (String, String),
    /// Until when its tasks are to be done, from now.
    pub due: Option<Duration>,
    /// Mail goes there; none: no mail.
    pub email: Vec<String>,
    /// A post in Slack.
    pub slack: Option<SlackSettings>,
    /// A request.
    pub http: Option<HttpSettings>,
    /// Pauses before each further attempt at one of its effects.
    pub retry: Vec<Duration>,
    /// When nobody knows whether an effect was done.
    pub on_doubt: OnDoubt,
    /// Longest that one attempt may take.
    pub timeout: Duration,
}

/// How Slack is told.
#[derive(Clone, Debug)]
pub enum SlackSettings {
    /// By an incoming webhook; its address is its key.
    Webhook(Secret),
    /// As a bot, by `chat.postMessage`.
    Chat {
        /// The bot's token.
        token: Secret,
        /// The channel's id or name.
        channel: String,
        /// The address of Slack's API.
        base: String,
    },
}

/// A request to a CRM or the like.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where to; `{places}` are filled.
    pub url: String,
    /// How.
    pub method: Method,
    /// More headers: keys and tokens.
    pub headers: Vec<(String, Secret)>,
    /// The JSON to send, with `{places}` in its texts; `None`: everything that is known.
    pub body: Option<String>,
    /// The header that carries the key which is the same for every attempt.
    pub key_header: String,
    /// How it is undone; `None`: only a person can.
    pub compensate: Option<Compensate>,
}

/// The request that undoes another.
#[derive(Clone, Debug)]
pub struct Compensate {
    /// Where to; `{result.id}` is what the first answer said.
    pub url: String,
    /// How.
    pub method: Method,
    /// The JSON to send.
    pub body: Option<String>,
}

impl Office {
    /// The name of a breaker of this tenant's.
    pub(crate) fn breaker_of(&self, what: &str) -> String {
        if self.shared { format!("{what}_{}", self.slug) } else { what.to_owned() }
    }
}

impl ActionSettings {
    /// An action of which the file says nothing: a task, and nothing outside.
    #[must_use]
    pub fn usual(kind: ActionKind) -> Self {
        let hour = Duration::from_hours(1);
        let (team, priority, due) = match kind {
            ActionKind::NotifySales => ("sales", Priority::Normal, hour * 24),
            ActionKind::CreateOrder => ("sales", Priority::High, hour * 24),
            ActionKind::CreateSupportTicket => ("support", Priority::High, hour * 4),
            ActionKind::FlagForReview => ("support", Priority::Normal, hour * 24),
            ActionKind::ScheduleCall => ("sales", Priority::High, hour * 24),
            ActionKind::Http => ("sales", Priority::Normal, hour * 24),
        };
        let retry = [10, 60, 300, 1800].map(Duration::from_secs).to_vec();
        Self {
            kind,
            priority,
            assigned_to: ("team".to_owned(), team.to_owned()),
            due: Some(due),
            email: Vec::new(),
            slack: None,
            http: None,
            retry,
            on_doubt: OnDoubt::Again,
            timeout: Duration::from_secs(10),
        }
    }

    /// What happens outside, in this order: people hear first, and the one that may refuse comes last.
    pub(crate) fn effects(&self) -> impl Iterator<Item = Effect> {
        let all = [
            (Effect::Email, !self.email.is_empty()),
            (Effect::Slack, self.slack.is_some()),
            (Effect::Http, self.http.is_some()),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(effect, _)| effect)
    }
}
