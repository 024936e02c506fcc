//! Tenants and their channels, as the page's switch and its settings show them.

use types::{ChannelId, TenantId};

use super::audit::{self, Act};
use super::{Access, By, Channel, Tenant};
use crate::channels;
use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    TENANTS = "desk.tenants": "SELECT id, slug, business FROM tenants ORDER BY id LIMIT 1000";
    CHANNELS = "desk.channels":
        "SELECT id, tenant_id, kind, external_id, state, state_reason, state_since, credentials FROM channels
         WHERE tenant_id = $1 ORDER BY id LIMIT 1000";
    OWNER = "desk.channel_owner": "SELECT tenant_id FROM channels WHERE id = $1";
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
        tx.all(&CHANNELS, params![self.0], |r| {
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
            })
        })
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
