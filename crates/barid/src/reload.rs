//! The configuration, read again while the server runs (SIGHUP): what tenants' assistants are made of is exchanged between two turns, and no
//! work is dropped. What else changed waits for a restart, and is named.

use std::sync::Arc;

use net::Breakers;
use store::Policy;
use store::channels::Synced;

use crate::config::{Config, Tenant};
use crate::wire::{self, App};

/// What runs, to compare with and to build from.
pub(crate) struct Running {
    pub config: Config,
    pub synced: Vec<Synced>,
    pub policy: Arc<Policy>,
    pub breakers: Breakers,
    pub simulator: Option<Arc<dyn admin::api::simulator::World>>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("config", &self.config).finish_non_exhaustive()
    }
}

impl App {
    /// From the next turns on, assistants are as `given` says; what waits for a restart.
    ///
    /// # Errors
    /// When a flow cannot be used: then nothing has changed.
    pub fn reload(&mut self, given: Config) -> anyhow::Result<Vec<String>> {
        let r = &mut self.running;
        let (next, waits) = take_over(&r.config, given);
        let mind = wire::mind(&next, &r.synced, self.store.clock(), &r.breakers)?;
        r.policy.gather.set(wire::gathered(&next, &r.synced));
        r.policy.pauses.set(wire::paused(&next, &r.synced));
        self.worker.change(mind);
        self.desk.change(wire::desk(&next, &r.synced, &self.worker, r.simulator.clone()));
        r.config = next;
        Ok(waits)
    }
}

/// What runs from now on: `running`, with what can be exchanged as `given` says. And what was given and cannot be.
fn take_over(running: &Config, given: Config) -> (Config, Vec<String>) {
    let sections = [
        ("[server]", running.server != given.server),
        ("[store]", running.store != given.store),
        ("[jobs]", running.jobs != given.jobs),
        ("[send]", running.send != given.send),
        ("[smtp]", running.smtp != given.smtp),
        ("[breakers]", running.breakers != given.breakers),
        ("[alerts]", running.alerts != given.alerts),
        ("[webhooks]", running.webhooks != given.webhooks),
        ("[log]", running.log != given.log),
    ];
    let mut waits: Vec<String> =
        sections.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect();
    let mut next = running.clone();
    for tenant in &mut next.tenants {
        match given.tenants.iter().find(|t| t.slug == tenant.slug) {
            None => waits.push(format!("tenant {}: taken out", tenant.slug)),
            Some(said) => {
                waits.extend(kept(tenant, said));
                let (business, channels) = (tenant.business.clone(), tenant.channels.clone());
                *tenant = Tenant { business, channels, groups: tenant.groups, ..said.clone() };
            }
        }
    }
    let known = |t: &&Tenant| running.tenants.iter().all(|have| have.slug != t.slug);
    waits.extend(given.tenants.iter().filter(known).map(|t| format!("tenant {}: new", t.slug)));
    next.agents = given.agents;
    next.warnings = given.warnings;
    next.shown = given.shown;
    (next, waits)
}

/// What a tenant keeps until the restart, though the file says otherwise.
fn kept(have: &Tenant, said: &Tenant) -> impl Iterator<Item = String> {
    let parts = [
        ("business", have.business != said.business),
        ("groups", have.groups != said.groups),
        ("channels", have.channels != said.channels),
    ];
    let slug = have.slug.clone();
    parts.into_iter().filter(|(_, differs)| *differs).map(move |(name, _)| format!("tenant {slug}: {name}"))
}
