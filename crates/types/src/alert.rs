//! Alerts (S6.6) as values: `store` raises and clears them, `egress` tells them to people.

use crate::Timestamp;
use crate::ids::AlertId;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $title:literal;)*) => {
        /// What can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        pub enum AlertKind { $($(#[$doc])* #[serde(rename = $word)] $variant,)* }

        impl AlertKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that rows and the API use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// What it says, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }

        impl std::str::FromStr for AlertKind {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|k| k.as_str() == text).ok_or_else(|| format!("{text:?} is no kind of alert"))
            }
        }

        impl utoipa::PartialSchema for AlertKind {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::schema::word(Self::ALL.iter().map(|k| k.as_str()))
            }
        }

        impl utoipa::ToSchema for AlertKind {}
    };
}

kinds! {
    /// Conversations are due and nobody works them.
    StuckConversations = "stuck_conversations", "Conversations are stuck";
    /// Too many messages could not be worked.
    DeadLetters = "dead_letters", "Dead letters wait";
    /// Answers take too long.
    SlowProcessing = "slow_processing", "Answers take long";
    /// An outside dependency fails.
    BreakerOpen = "breaker_open", "A breaker is open";
    /// A number's credentials are refused.
    TokenExpired = "token_expired", "A number's access token is refused";
    /// A number cannot send.
    ChannelDisconnected = "channel_disconnected", "A number is disconnected";
    /// The disk under the database fills up.
    DiskLow = "disk_low", "The disk is nearly full";
}

/// Raised or cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertEvent {
    /// It began.
    Raised,
    /// It is well again.
    Cleared,
}

impl AlertEvent {
    /// The word that rows use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
        }
    }

    /// The event of that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Raised, Self::Cleared].into_iter().find(|e| e.as_str() == text)
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
