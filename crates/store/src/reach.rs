//! What an operation touches, so that operations on different conversations may run at the same time. SQLite has one writer and does not
//! ask. PostgreSQL has many, on many nodes, and operations were written as if each ran alone; [`Reach`] keeps that true: whoever
//! touches the same things waits. An operation that says nothing is alone in the whole cluster, which is always right and only slow.

use std::hash::{DefaultHasher, Hash, Hasher};

use types::inbound::Identity;
use types::{ChannelId, ConversationId, DedupeKey, ProviderMessageId, TenantId};

/// What an operation touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Anything: nothing else writes meanwhile, on any node.
    #[default]
    Everything,
    /// Rows that it finds by itself and locks as it finds them, stepping over those that others hold (claims).
    Finds,
    /// These, and nothing that belongs to others.
    Only(Touches),
}

impl Reach {
    /// What two touch together.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(mut all), Self::Only(more)) => {
                all.names.extend(more.names);
                all.conversations.extend(more.conversations);
                all.people.extend(more.people);
                all.sent.extend(more.sent);
                all.keys.extend(more.keys);
                Self::Only(all)
            }
            _ => Self::Everything,
        }
    }
}

/// The things that an operation touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    /// Matters that may have no row yet, by the hash of their name: a person who writes for the first time, a provider's id.
    pub(crate) names: Vec<i64>,
    /// Conversations.
    pub(crate) conversations: Vec<ConversationId>,
    /// People, whose open conversations are meant.
    pub(crate) people: Vec<Person>,
    /// Messages of ours by the provider's id, whose conversations are meant.
    pub(crate) sent: Vec<(ChannelId, String)>,
    /// Messages of ours by their key.
    pub(crate) keys: Vec<String>,
}

/// Somebody by one of their keys, on a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub tenant: TenantId,
    pub channel: ChannelId,
    pub kind: &'static str,
    pub value: String,
}

fn hash(parts: impl Hash) -> i64 {
    // Fixed keys: every node of one version must come to the same number. Two names on one number only wait for each other.
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish().cast_signed()
}

impl Touches {
    /// One conversation.
    #[must_use]
    pub fn conversation(id: ConversationId) -> Self {
        Self { conversations: vec![id], ..Self::default() }
    }

    /// Also one bare name.
    pub(crate) fn name(&mut self, kind: &str, value: &str) {
        self.names.push(hash((kind, value)));
    }

    /// Also the person (or the group) behind a message, who may be new.
    pub(crate) fn person(&mut self, tenant: TenantId, channel: ChannelId, who: &Identity, group: Option<&str>) {
        let keys = [("b", &who.bsuid), ("p", &who.phone), ("o", &who.other)];
        let own = keys.into_iter().filter_map(|(kind, value)| value.as_deref().map(|v| (kind, v)));
        let group = group.map(|g| ("g", g));
        for (kind, value) in own.chain(group) {
            self.names.push(hash(("person", tenant.0, kind, value)));
            self.people.push(Person { tenant, channel, kind, value: value.to_owned() });
        }
    }

    /// Also the matter of a provider's id for a message of ours, which is on no row before the answer to the send is recorded.
    pub(crate) fn provider_id(&mut self, id: &ProviderMessageId) {
        self.names.push(hash(("sent", &id.0)));
    }

    /// Also the message of ours that the provider knows by `id`; it may not be known to us by that yet.
    pub(crate) fn sent(&mut self, channel: ChannelId, id: &ProviderMessageId) {
        self.provider_id(id);
        self.sent.push((channel, id.0.clone()));
    }

    /// Also the message of ours with this key.
    pub(crate) fn key(&mut self, key: &DedupeKey) {
        self.keys.push(key.0.clone());
    }
}
