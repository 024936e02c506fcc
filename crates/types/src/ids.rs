//! Ids are 63-bit integers that grow with time, so that new rows land at the end of every index on both databases; the
//! layout is milliseconds since 2024 (41 bits), node (10 bits), sequence (12 bits). In JSON they are strings, since a
//! browser's numbers lose digits above 2^53. See `docs/decisions/0002-integer-ids.md`.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

/// The text is not an id of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not an id: ids are whole numbers above zero")]
pub struct BadId(String);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.parse::<i64>()
                    .ok()
                    .filter(|id| *id > 0)
                    .map(Self)
                    .ok_or_else(|| BadId(text.chars().take(40).collect()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                crate::schema::id()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                "Id".into()
            }
        }
    )*};
}

ids! {
    /// A business that this installation serves (S7.1).
    TenantId;
    /// A number or instance of a provider that belongs to a tenant.
    ChannelId;
    /// A person (or group) who writes to a tenant.
    ContactId;
    /// A contact's open request to the business.
    LeadId;
    /// The ordering key: one contact on one channel.
    ConversationId;
    /// A message of either direction. A turn job carries the id of the message it answers.
    MessageId;
    /// A unit of leased work.
    JobId;
    /// One try to send one message.
    AttemptId;
    /// Something recorded that is not a message.
    EventId;
    /// A dead letter (S2.5).
    DeadLetterId;
    /// A task for a person (S3.5).
    TaskId;
    /// A notice to people (S6.1).
    NotificationId;
    /// A person who signs in (S6.1).
    UserId;
    /// A program's key to the API (S6.2).
    TokenId;
    /// A private note in a conversation (S6.1).
    NoteId;
    /// Work on many rows at once (S6.1).
    BatchId;
    /// A line of the audit record (S6.7).
    AuditId;
    /// The actions of one message (S3.6).
    SagaId;
    /// A run of turns of one agent in one conversation (S3.7).
    AgentSessionId;
    /// An alert, or its way to somebody (S6.6).
    AlertId;
    /// A program of a tenant's that is told what happens (outgoing webhooks).
    EndpointId;
    /// One event on its way to one endpoint.
    DeliveryId;
}

/// The id that the provider gave a message: `wamid.…` (Meta) or `idMessage` (Green API). Opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderMessageId(pub String);

impl fmt::Display for ProviderMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identifies one HTTP request through logs, traces and rows (S6.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes a reply unique: `{conversation}:{inbound provider id}:{question key or "reply"}` (S4.1). It travels to Meta
/// in `biz_opaque_callback_data` and comes back in statuses (S4.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DedupeKey(pub String);

/// Meta takes at most this many characters of `biz_opaque_callback_data` (PROTOCOL.md, 2).
pub const DEDUPE_KEY_MAX: usize = 512;

impl DedupeKey {
    /// The key of the reply to `inbound` under `question`. A provider id too long for Meta's limit is replaced by a digest.
    #[must_use]
    pub fn reply(conversation: ConversationId, inbound: &ProviderMessageId, question: &str) -> Self {
        let plain = format!("{conversation}:{inbound}:{question}");
        if plain.chars().count() <= DEDUPE_KEY_MAX {
            return Self(plain);
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, plain.as_bytes());
        Self(format!("{conversation}:sha256-{}", crate::text::hex(digest.as_ref())))
    }
}

impl fmt::Display for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const EPOCH_MS: i64 = 1_704_067_200_000; // 2024-01-01T00:00:00Z
const NODE_BITS: u32 = 10;
const SEQUENCE_BITS: u32 = 12;

/// The smallest id that can have been made at `at`: bounds a range of ids by time.
#[must_use]
pub fn first_id_of(at: Timestamp) -> i64 {
    (at.micros() / 1000 - EPOCH_MS).max(0) << (NODE_BITS + SEQUENCE_BITS)
}

/// Makes ids that are unique in the cluster and never go back, even when the clock does.
#[derive(Debug)]
pub struct IdMaker {
    node: i64,
    /// Milliseconds since [`EPOCH_MS`] and sequence, packed, so that one atomic step moves both.
    last: AtomicI64,
}

impl IdMaker {
    /// `node` is the number of this process in the cluster (0 to 1023); `after` is the largest id that a former process of
    /// this node may have given out (0 when none).
    #[must_use]
    pub fn new(node: u16, after: i64) -> Self {
        let node = i64::from(node & 0x3ff);
        Self { node, last: AtomicI64::new(Self::packed(node, after)) }
    }

    /// The last step of `node` whose id is not above `after`. An id of a higher node stands above all that `node` can make in its millisecond.
    const fn packed(node: i64, after: i64) -> i64 {
        let full = (1 << SEQUENCE_BITS) - 1;
        let sequence = if (after >> SEQUENCE_BITS) & 0x3ff > node { full } else { after & full };
        (after >> (NODE_BITS + SEQUENCE_BITS)) << SEQUENCE_BITS | sequence
    }

    /// Never again gives an id up to `after`.
    pub fn raise(&self, after: i64) {
        self.last.fetch_max(Self::packed(self.node, after), Ordering::Relaxed);
    }

    /// The next id; `now` is the caller's time.
    pub fn next(&self, now: Timestamp) -> i64 {
        let floor = (now.micros() / 1000 - EPOCH_MS).max(0) << SEQUENCE_BITS;
        let step = |last: i64| Some((last + 1).max(floor));
        let packed = match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(last) | Err(last) => (last + 1).max(floor),
        };
        let ms = packed >> SEQUENCE_BITS;
        let sequence = packed & ((1 << SEQUENCE_BITS) - 1);
        ms << (NODE_BITS + SEQUENCE_BITS) | self.node << SEQUENCE_BITS | sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_goes_back() {
        let maker = IdMaker::new(3, 0);
        let mut last = 0;
        for second in [1_800_000_000, 1_800_000_000, 1_700_000_000, 1_800_000_001] {
            for _ in 0..5000 {
                let id = maker.next(Timestamp::from_seconds(second));
                assert!(id > last, "{id} after {last}");
                last = id;
            }
        }
    }

    #[test]
    fn a_restarted_node_goes_on_above_what_it_gave_out() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let id = IdMaker::new(3, 0).next(now);
        assert!(IdMaker::new(3, id).next(Timestamp::from_seconds(1_000)) > id);
    }

    #[test]
    fn a_node_goes_on_above_what_any_other_node_gave_out() {
        let now = Timestamp::from_seconds(1_800_000_000);
        for (other, this) in [(1023, 0), (0, 1023), (5, 5)] {
            let last = IdMaker::new(other, 0).next(now);
            let maker = IdMaker::new(this, 0);
            maker.raise(last);
            assert!(maker.next(Timestamp::from_seconds(1_000)) > last, "node {this} after node {other}");
        }
    }

    #[test]
    fn nodes_never_meet() {
        let now = Timestamp::from_seconds(1_800_000_000);
        assert_ne!(IdMaker::new(1, 0).next(now), IdMaker::new(2, 0).next(now));
    }

    #[test]
    fn a_key_too_long_for_meta_is_digested_and_stays_distinct() {
        let long = |n: u8| ProviderMessageId(format!("wamid.{}{n}", "x".repeat(2000)));
        let (a, b) = (
            DedupeKey::reply(ConversationId(7), &long(1), "reply"),
            DedupeKey::reply(ConversationId(7), &long(2), "reply"),
        );
        assert_ne!(a, b);
        assert!(a.0.len() <= DEDUPE_KEY_MAX);
    }

    #[test]
    fn ids_are_strings_in_json_and_refuse_rubbish() {
        assert_eq!(serde_json::to_string(&MessageId(1 << 60)).ok().as_deref(), Some("\"1152921504606846976\""));
        assert!("0".parse::<MessageId>().is_err());
        assert!("-3".parse::<MessageId>().is_err());
        assert!("x".parse::<MessageId>().is_err());
    }
}
