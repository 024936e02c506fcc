//! Every failure knows its class; from it follow retry, log level, counter and what the person reads (ARCHITECTURE, errors).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// May pass by itself, and it is certain that nothing happened: retry.
    Transient,
    /// Refused for speed before anything happened: retry later, without haste.
    Throttled,
    /// Nobody knows whether it happened: reconcile, never repeat blindly (S4.4).
    Ambiguous,
    /// Can never pass as it is: no retry.
    Permanent,
    /// Ours to mend (token, permission, account): hold the channel, alert, burn no attempts.
    Configuration,
    /// A defect of Barid.
    Bug,
}

impl Fault {
    /// The word that rows, logs and the API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Ambiguous => "ambiguous",
            Self::Permanent => "permanent",
            Self::Configuration => "configuration",
            Self::Bug => "bug",
        }
    }
}

/// Whom a refusal concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Only this message.
    Message,
    /// Every message to this recipient (Meta's pair limit, 131056).
    Recipient,
    /// Every message of this channel (token, account, number limit).
    Channel,
}

/// Why a provider did not accept a message, or why we do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of failure it is.
    pub fault: Fault,
    /// Whom it concerns.
    pub scope: Scope,
    /// The provider's own code (Meta `error.code`), when it gave one.
    pub code: Option<i64>,
    /// The HTTP status, when an answer came.
    pub http: Option<u16>,
    /// What happened and what to do, for a person; carries no secret and no message text.
    pub reason: String,
    /// The provider asked to wait this long, or the table of PROTOCOL.md says so.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal of one message without code or waiting time.
    #[must_use]
    pub fn new(fault: Fault, reason: impl Into<String>) -> Self {
        Self { fault, scope: Scope::Message, code: None, http: None, reason: reason.into(), retry_after: None }
    }
}
