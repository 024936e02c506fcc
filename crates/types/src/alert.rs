//! Alerts (S6.6) as values: `store` raises and clears them, `egress` tells them to people.

use crate::Timestamp;
use crate::ids::AlertId;
use crate::words;

words! {
    /// What can be wrong.
    AlertKind ("kind of alert") {
        /// Conversations are due and nobody works them.
        StuckConversations = "stuck_conversations",
        /// Too many messages could not be worked.
        DeadLetters = "dead_letters",
        /// Answers take too long.
        SlowProcessing = "slow_processing",
        /// An outside dependency fails.
        BreakerOpen = "breaker_open",
        /// A number's credentials are refused.
        TokenExpired = "token_expired",
        /// A number cannot send.
        ChannelDisconnected = "channel_disconnected",
        /// The disk under the database fills up.
        DiskLow = "disk_low",
    }
    /// Raised or cleared.
    AlertEvent ("event of an alert") {
        /// It began.
        Raised = "raised",
        /// It is well again.
        Cleared = "cleared",
    }
}

impl AlertKind {
    /// What it says, in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::StuckConversations => "Conversations are stuck",
            Self::DeadLetters => "Dead letters wait",
            Self::SlowProcessing => "Answers take long",
            Self::BreakerOpen => "A breaker is open",
            Self::TokenExpired => "A number's access token is refused",
            Self::ChannelDisconnected => "A number is disconnected",
            Self::DiskLow => "The disk is nearly full",
        }
    }
}

/// What is told of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertNews {
    /// The delivery's id: the same in every try, so that who hears it twice can tell.
    pub delivery: AlertId,
    /// The alert's id.
    pub alert: AlertId,
    /// Raised or cleared.
    pub event: AlertEvent,
    /// What is wrong.
    pub kind: AlertKind,
    /// On what: `breaker channel_17`, `dead_letters`.
    pub matter: String,
    /// Whose; `None`: the installation's.
    pub tenant: Option<String>,
    /// In words.
    pub detail: String,
    /// What was found when it was raised.
    pub value: i64,
    /// It is wrong above this (below, for the disk).
    pub threshold: i64,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When it cleared.
    pub cleared_at: Option<Timestamp>,
}
