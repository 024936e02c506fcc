//! A breaker as it stands on record (S4.10): `net` trips it, `store` keeps it, the nodes share it.

use crate::Timestamp;
use crate::states::BreakerState;

/// One breaker's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerRecord {
    /// Of which dependency: `channel_17`, `llm_ollama`, `action_create_order`, `smtp`.
    pub name: String,
    /// Whether it lets calls through.
    pub state: BreakerState,
    /// A person holds it open, until a person resets it.
    pub held: bool,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When the next call may try, while it is open.
    pub until: Option<Timestamp>,
    /// Why it opened, or why a person moved it.
    pub reason: Option<String>,
    /// How often in a row it opened without a success between: what the pause grows by.
    pub trips: u32,
    /// Grows with every change of the record.
    pub version: i64,
}

/// How the error of a message begins that waits because of a breaker.
pub const NOT_ATTEMPTED: &str = "not attempted:";

/// The breaker of a channel.
#[must_use]
pub fn of_channel(channel: crate::ChannelId) -> String {
    format!("channel_{channel}")
}

/// The channel whose breaker has that name.
#[must_use]
pub fn channel_of(name: &str) -> Option<crate::ChannelId> {
    name.strip_prefix("channel_")?.parse().ok()
}
