//! Moves rows between stages, one conversation at a time: the only room where a store, the engine and the senders meet.
//!
//! - `conversation.rs`: works one leased conversation until nothing in it is due
//! - `turn.rs`, `deliver.rs`, `reconcile.rs`: one kind of work each
//! - `saga.rs`: does the actions of messages, beside the conversations (S3.6)
//! - `agents.rs`: what turns of tenants with agents need, and what is kept of them
//! - `schedule.rs`: claims what is due and nobody holds; wakes without polling, polls as the fall-back (S2.7)
//! - `upkeep.rs`: renews leases, redrives dead letters, sweeps, probes paused channels (S2.6)
//! - `alerts.rs`: looks for what is wrong and tells it (S6.6)
//! - `endpoints.rs`: tells tenants' endpoints what happened
//! - `breakers.rs`: shares the breakers with the other nodes (S4.10)
//! - `trust.rs`: whether a lease is still ours, before anything is said
//! - `persist.rs`: writes that must not be lost to a database that is away for a moment

mod agents;
pub mod alerts;
mod breakers;
mod conversation;
mod deliver;
pub mod endpoints;
mod persist;
mod reconcile;
mod saga;
mod schedule;
mod trust;
mod turn;
mod upkeep;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use acts::Acts;
use egress::Egress;
use engine::Engine;
use store::{Claimed, Lease, Policy, Store};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::{ConversationId, Dice};

pub use schedule::Ran;

/// How the worker behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Conversations worked at once.
    pub concurrency: usize,
    /// Bound on the engine's decision (S2.4).
    pub turn_timeout: Duration,
    /// How often to look for due work although nobody called.
    pub poll: Duration,
    /// How often the janitor works.
    pub janitor_every: Duration,
    /// How long provider ids are remembered.
    pub keep_ids: Duration,
    /// How long recorded events are kept.
    pub keep_events: Duration,
    /// How long finished jobs are kept.
    pub keep_jobs: Duration,
    /// An agent's session ends after so long without a turn.
    pub session_idle: Duration,
    /// How often a paused channel is probed.
    pub probe_every: Duration,
    /// Times and choices.
    pub policy: Arc<Policy>,
}

/// The worker's parts, shared by its tasks.
#[derive(Debug)]
pub struct Worker {
    pub(crate) store: Store,
    mind: RwLock<Arc<Mind>>,
    pub(crate) egress: Egress,
    pub(crate) options: Options,
    pub(crate) owner: Arc<str>,
    pub(crate) dice: Dice,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) free: Arc<Semaphore>,
    pub(crate) held: Mutex<HashMap<ConversationId, Lease>>,
    /// When the scheduler means to look again, µs; work that is due earlier calls it.
    pub(crate) next_look: AtomicI64,
    pub(crate) look: Notify,
    /// Room for sagas: their calls outside wait for others, and must not take the conversations' room.
    pub(crate) acting: Arc<Semaphore>,
}

/// Sagas worked at once.
const SAGAS: usize = 16;

/// Who decides, and who does what was decided: they belong together, and are exchanged together ([`Worker::change`]).
#[derive(Debug)]
pub struct Mind {
    /// Decides.
    pub engine: Engine,
    /// Does what was decided beside the reply.
    pub acts: Acts,
}

/// Who decides and acts, and who sends.
#[derive(Debug)]
pub struct Parts {
    /// Decides and acts.
    pub mind: Mind,
    /// Sends.
    pub egress: Egress,
}

impl Worker {
    /// `owner` names this process in leases and is unique to it.
    #[must_use]
    pub fn new(store: Store, parts: Parts, options: Options, owner: Arc<str>) -> Arc<Self> {
        let Parts { mind, egress } = parts;
        let free = Arc::new(Semaphore::new(options.concurrency));
        Arc::new(Self {
            store,
            mind: RwLock::new(Arc::new(mind)),
            egress,
            options,
            owner,
            dice: Dice::from_system(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            free,
            held: Mutex::default(),
            next_look: AtomicI64::new(0),
            look: Notify::new(),
            acting: Arc::new(Semaphore::new(SAGAS)),
        })
    }

    /// Starts the background parts; `queue` brings conversations that intake leased for this process.
    pub fn start(self: &Arc<Self>, queue: mpsc::Receiver<Claimed>) {
        self.tasks.spawn(schedule::take(Arc::clone(self), queue));
        self.tasks.spawn(schedule::look(Arc::clone(self)));
        self.tasks.spawn(saga::look(Arc::clone(self)));
        self.tasks.spawn(breakers::share(Arc::clone(self)));
        self.tasks.spawn(upkeep::renew(Arc::clone(self)));
        self.tasks.spawn(upkeep::redrive(Arc::clone(self)));
        self.tasks.spawn(upkeep::sweep(Arc::clone(self)));
        self.tasks.spawn(upkeep::probe(Arc::clone(self)));
    }

    /// Watches for what is wrong and tells it, until the drain (S6.6).
    pub fn watch(self: &Arc<Self>, alerts: alerts::Alerts) {
        self.tasks.spawn(alerts::watch(Arc::clone(self), alerts));
    }

    /// Tells tenants' endpoints what happens, until the drain.
    pub fn tell(self: &Arc<Self>, endpoints: endpoints::Endpoints) {
        self.tasks.spawn(endpoints::serve(Arc::clone(self), endpoints));
    }

    /// Claims and works up to `max` conversations that are due, and reports (S2.7).
    pub async fn run_outbound(self: &Arc<Self>, max: u32) -> store::Result<Ran> {
        schedule::run_outbound(self, max).await
    }

    /// Stops taking work, lets what runs come to its next record, gives leases back (S2.9). Whether everything ended within `limit`.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        let ended = tokio::time::timeout(limit, self.tasks.wait()).await.is_ok();
        if let Err(error) = self.store.write(store::leases::Free { owner: Some(Arc::clone(&self.owner)) }).await {
            tracing::warn!(%error, "leases could not be given back; they end by themselves");
        }
        ended
    }

    /// From the next turn and the next step on, `mind` decides and acts; what is under way ends as it began.
    pub fn change(&self, mind: Mind) {
        *self.mind.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mind);
    }

    /// Who sends.
    #[must_use]
    pub const fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Who decides and acts now; to be asked once in a turn or a step, which then is of one mind.
    pub(crate) fn mind(&self) -> Arc<Mind> {
        Arc::clone(&self.mind.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn hold(&self, lease: &Lease) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(lease.conversation, lease.clone());
    }

    /// Forgets a lease; not the one that another task may have claimed on the same conversation since.
    pub(crate) fn let_go(&self, conversation: ConversationId, fence: i64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(&conversation).is_some_and(|l| l.fence == fence) {
            held.remove(&conversation);
        }
    }

    pub(crate) fn held(&self) -> Vec<Lease> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Makes the scheduler look at `at`, if it meant to look later.
    pub(crate) fn look_at(&self, at: types::Timestamp) {
        if at.micros() < self.next_look.load(Ordering::Acquire) {
            self.look.notify_one();
        }
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}
