//! Tenants and their channels as rows: synchronised from the configuration at start, paused when a provider refuses everything (expired token,
//! restricted account), resumed when that is mended (S4.3).

use types::states::ChannelState;
use types::{ChannelId, TenantId, Timestamp};

use crate::contacts::Door;
use crate::error::Result;
use crate::notifications;
use crate::sql::{Op, Tx};

sql! {
    TENANT = "tenants.by_slug": "SELECT id FROM tenants WHERE slug = $1";
    ADD_TENANT = "tenants.add": "INSERT INTO tenants (id, slug, business, created_at) VALUES ($1, $2, $3, $4)";
    RENAME_TENANT = "tenants.rename": "UPDATE tenants SET business = $2 WHERE id = $1";
    FIND = "channels.find": "SELECT id, credentials, state FROM channels WHERE kind = $1 AND external_id = $2";
    ADD = "channels.add":
        "INSERT INTO channels (id, tenant_id, kind, external_id, credentials, state, state_since, created_at)
         VALUES ($1, $2, $3, $4, $5, 'ready', $6, $6)";
    UPDATE = "channels.update": "UPDATE channels SET tenant_id = $2, credentials = $3 WHERE id = $1";
    SET_STATE = "channels.set_state":
        "UPDATE channels SET state = $2, state_reason = $3, state_since = $4 WHERE id = $1 AND state <> $2";
    WAKE = "channels.wake":
        "UPDATE conversation SET next_due = $2 WHERE id IN (SELECT conversation_id FROM outbox WHERE channel_id = $1
         AND due_at IS NOT NULL) AND (next_due IS NULL OR next_due > $2)";
    STATES = "channels.states":
        "SELECT c.id, c.kind, c.external_id, c.state, c.state_reason, c.state_since, t.slug FROM channels c
         JOIN tenants t ON t.id = c.tenant_id ORDER BY c.id";
}

/// A tenant as configured.
#[derive(Clone, Debug)]
pub struct TenantSeed {
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub business: String,
    /// Its numbers.
    pub channels: Vec<ChannelSeed>,
}

/// A channel as configured.
#[derive(Clone, Debug)]
pub struct ChannelSeed {
    /// `meta` or `greenapi`.
    pub kind: &'static str,
    /// Phone number id or instance.
    pub external_id: String,
    /// Digest of its credentials.
    pub credentials: String,
}

/// The ids that the rows of the configuration have, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The tenant.
    pub tenant: TenantId,
    /// Its channels.
    pub channels: Vec<ChannelId>,
}

/// Makes the rows of the configured tenants and channels. A channel with new credentials is tried again.
#[derive(Clone, Debug)]
pub struct Sync(pub Vec<TenantSeed>);

impl Op for Sync {
    const NAME: &'static str = "channels.sync";
    type Out = Vec<Synced>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Synced>> {
        self.0.iter().map(|seed| sync_tenant(tx, seed)).collect()
    }
}

fn sync_tenant(tx: &mut dyn Tx, seed: &TenantSeed) -> Result<Synced> {
    let now = tx.now();
    let tenant = match tx.first(&TENANT, params![&seed.slug], |r| r.get::<TenantId>(0))? {
        Some(id) => {
            tx.execute(&RENAME_TENANT, params![id, &seed.business])?;
            id
        }
        None => {
            let id = TenantId(tx.next_id());
            tx.execute(&ADD_TENANT, params![id, &seed.slug, &seed.business, now])?;
            id
        }
    };
    let mut channels = Vec::with_capacity(seed.channels.len());
    for channel in &seed.channels {
        let known = tx.first(&FIND, params![channel.kind, &channel.external_id], |r| {
            Ok((r.get::<ChannelId>(0)?, r.get::<String>(1)?))
        })?;
        let id = match known {
            Some((id, credentials)) => {
                tx.execute(&UPDATE, params![id, tenant, &channel.credentials])?;
                if credentials != channel.credentials {
                    resume(tx, id)?;
                }
                id
            }
            None => {
                let id = ChannelId(tx.next_id());
                tx.execute(&ADD, params![id, tenant, channel.kind, &channel.external_id, &channel.credentials, now])?;
                id
            }
        };
        channels.push(id);
    }
    Ok(Synced { tenant, channels })
}

/// Stops a channel's outbox, tells people once; whether it was running.
pub(crate) fn pause(tx: &mut dyn Tx, tenant: TenantId, channel: ChannelId, reason: &str) -> Result<bool> {
    let now = tx.now();
    if tx.execute(&SET_STATE, params![channel, ChannelState::Paused.as_str(), reason, now])? == 0 {
        return Ok(false);
    }
    let key = format!("channel:{channel}:{}", now.micros());
    notifications::add(tx, tenant, "channel_paused", "A channel cannot send", reason, &key)?;
    Ok(true)
}

/// Lets a channel send again; whether it was paused. Its messages are due at once.
pub(crate) fn resume(tx: &mut dyn Tx, channel: ChannelId) -> Result<bool> {
    let now = tx.now();
    let none: Option<&str> = None;
    if tx.execute(&SET_STATE, params![channel, ChannelState::Ready.as_str(), none, now])? == 0 {
        return Ok(false);
    }
    wake(tx, channel, now)?;
    Ok(true)
}

/// Makes the conversations due in which something waits to go out over this channel.
pub(crate) fn wake(tx: &mut dyn Tx, channel: ChannelId, now: Timestamp) -> Result<()> {
    tx.execute(&WAKE, params![channel, now])?;
    Ok(())
}

/// What the provider itself says of a channel; whether its messages are due again.
pub(crate) fn news(tx: &mut dyn Tx, door: &Door, usable: bool, word: &str) -> Result<bool> {
    if usable {
        return resume(tx, door.channel);
    }
    pause(tx, door.tenant, door.channel, &format!("the provider reports the state {word}"))?;
    Ok(false)
}

/// Lets a paused channel send again: by hand, or because a probe showed that its token works.
#[derive(Clone, Copy, Debug)]
pub struct Resume(pub ChannelId);

impl Op for Resume {
    const NAME: &'static str = "channels.resume";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        resume(tx, self.0)
    }
}

/// A channel's state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ChannelRow {
    /// Its id.
    pub id: ChannelId,
    /// `meta` or `greenapi`.
    pub kind: String,
    /// Phone number id or instance.
    pub external_id: String,
    /// Whether it sends.
    pub state: ChannelState,
    /// Why not.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Whose.
    pub tenant: String,
}

/// Every channel's state.
#[derive(Clone, Copy, Debug)]
pub struct States;

impl Op for States {
    const NAME: &'static str = "channels.states";
    type Out = Vec<ChannelRow>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<ChannelRow>> {
        tx.all(&STATES, &[], |r| {
            Ok(ChannelRow {
                id: r.get(0)?,
                kind: r.get(1)?,
                external_id: r.get(2)?,
                state: r.get(3)?,
                reason: r.get(4)?,
                since: r.get(5)?,
                tenant: r.get(6)?,
            })
        })
    }
}
