//! Tenants and their channels, as the page's switch and its settings show them.

use types::inbound::Identity;
use types::outbound::OutboundContent;
use types::{ChannelId, ConversationId, MessageId, RequestId, TenantId};

use super::audit::{self, Act};
use super::{Access, By, Channel, Tenant};
use crate::channels;
use crate::contacts::{self, Door};
use crate::error::Result;
use crate::outbox::SendMessage;
use crate::sql::{Op, Tx};

sql! {
    TENANTS = "desk.tenants": "SELECT id, slug, business FROM tenants ORDER BY id LIMIT 1000";
    CHANNELS = "desk.channels":
        "SELECT id, tenant_id, kind, external_id, state, state_reason, state_since, credentials FROM channels
         WHERE tenant_id = $1 ORDER BY id LIMIT 1000";
    OWNER = "desk.channel_owner": "SELECT tenant_id FROM channels WHERE id = $1";
    DOOR = "desk.channel_door":
        "SELECT c.tenant_id, c.kind, t.slug FROM channels c JOIN tenants t ON t.id = c.tenant_id WHERE c.id = $1";
    // Among the newest messages alone: a number that heard nothing for long must not make anyone read them all.
    LAST_HEARD = "desk.channel_last_heard":
        "SELECT x.created_at FROM (SELECT channel_id, direction, created_at FROM message ORDER BY id DESC LIMIT 2000) AS x
         WHERE x.channel_id = $1 AND x.direction = 'in' ORDER BY x.created_at DESC LIMIT 1";
}

/// The tenants that the caller may see.
#[derive(Clone, Debug)]
pub struct Tenants(pub Access);

impl Op for Tenants {
    const NAME: &'static str = "desk.tenants";
    type Out = Vec<Tenant>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Tenant>> {
        let all = tx.all(&TENANTS, &[], |r| Ok(Tenant { id: r.get(0)?, slug: r.get(1)?, business: r.get(2)? }))?;
        Ok(all.into_iter().filter(|t| self.0.allows(t.id)).collect())
    }
}

/// A tenant's numbers, their credentials masked (S7.2).
#[derive(Clone, Debug)]
pub struct Channels(pub TenantId);

impl Op for Channels {
    const NAME: &'static str = "desk.channels";
    type Out = Vec<Channel>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Channel>> {
        let mut all = tx.all(&CHANNELS, params![self.0], |r| {
            let digest: String = r.get(7)?;
            let digest: String = digest.chars().take(6).collect();
            Ok(Channel {
                id: r.get(0)?,
                tenant_id: r.get(1)?,
                kind: r.get(2)?,
                number: r.get(3)?,
                state: r.get(4)?,
                reason: r.get(5)?,
                since: r.get(6)?,
                credentials: format!("••••{digest}"),
                last_message_at: None,
            })
        })?;
        for channel in &mut all {
            channel.last_message_at = tx.first(&LAST_HEARD, params![channel.id], |r| r.get(0))?;
        }
        Ok(all)
    }
}

/// Lets a paused channel send again, by a person.
#[derive(Clone, Debug)]
pub struct ResumeChannel {
    /// Which.
    pub channel: ChannelId,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for ResumeChannel {
    const NAME: &'static str = "desk.resume_channel";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        let owner = tx.first(&OWNER, params![self.channel], |r| r.get(0))?;
        let tenant = self.access.check(owner, "channel", self.channel)?;
        let resumed = channels::resume(tx, self.channel)?;
        if resumed {
            let (action, kind, id) = ("channel.resume", "channel", self.channel.0);
            audit::note(tx, &self.by, &Act { tenant: Some(tenant), action, kind, id, ..Act::default() })?;
        }
        Ok(resumed)
    }
}

/// Sends a message to a number of the caller's choice, by the outbox as every other: whether a channel works. The assistant is not paused.
#[derive(Clone, Debug)]
pub struct TestChannel {
    /// Through which.
    pub channel: ChannelId,
    /// To whom, digits only.
    pub phone: String,
    /// What.
    pub content: OutboundContent,
    /// Makes the request repeatable.
    pub key: String,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for TestChannel {
    const NAME: &'static str = "desk.test_channel";
    type Out = (MessageId, ConversationId);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let found = tx.first(&DOOR, params![self.channel], |r| {
            Ok((r.get::<TenantId>(0)?, r.get::<String>(1)?, r.get::<String>(2)?))
        })?;
        let tenant = self.access.check(found.as_ref().map(|f| f.0), "channel", self.channel)?;
        let (kind, slug) = found.map_or_else(Default::default, |(_, kind, slug)| (kind, slug));
        let kind = if kind == "greenapi" { "greenapi" } else { "meta" };
        let door = Door { tenant, channel: self.channel, kind, slug: slug.as_str().into() };
        let who = Identity { phone: Some(self.phone.clone()), ..Identity::default() };
        let conversation = contacts::thread(tx, &door, &who, None)?.snapshot.conversation;
        let send = SendMessage {
            conversation,
            content: self.content.clone(),
            idempotency_key: self.key.clone(),
            request_id: RequestId(self.by.request_id.clone()),
            pause: None,
            actor: self.by.actor(),
        };
        let message = send.run(tx)?;
        let (action, kind, id) = ("channel.test", "channel", self.channel.0);
        audit::note(tx, &self.by, &Act { tenant: Some(tenant), action, kind, id, ..Act::default() })?;
        Ok((message, conversation))
    }
}

/// Whether the caller may know of a channel.
#[derive(Clone, Debug)]
pub struct Visible {
    /// Which.
    pub channel: ChannelId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Visible {
    const NAME: &'static str = "desk.channel_visible";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let owner = tx.first(&OWNER, params![self.channel], |r| r.get(0))?;
        self.access.check(owner, "channel", self.channel).map(drop)
    }
}
