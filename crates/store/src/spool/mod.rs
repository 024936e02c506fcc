//! The spool (S1.9): while a remote database is away, webhooks go to an SQLite file beside this node, committed with an fsync by the same writer as ever, and
//! into the database, in order, when it is back. Ids make what comes twice count once (S1.6), so a body leaves the spool only after its commit.
//!
//! While anything waits, everything new waits behind it: a conversation's messages must not overtake each other.
//!
//! - `rows.rs`: its table, and the operation that stores what waited

mod rows;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;
use types::{ChannelId, SharedClock};

use crate::contacts::Door;
use crate::erase::Traces;
use crate::error::{Result, StoreError};
use crate::inbox::{Accept, Accepted};
use crate::policy::Policy;
use crate::{SqliteOptions, Store};

pub(crate) use rows::STATEMENTS;

/// Bodies stored in one transaction when the database is back.
const BATCH: u32 = 64;
/// How often the database is tried while it is away.
const TRY: Duration = Duration::from_millis(500);

/// Ids of rows are made of time (docs/decisions/0002-integer-ids.md): none is as small as this since the first minutes of 2024.
const PROVISIONAL: i64 = 1 << 40;

/// What a number is called while the database, whose rows give it its id, has not been seen: the same at every start, and no id of any row.
#[must_use]
pub fn provisional(kind: &str, external_id: &str) -> ChannelId {
    let digest = types::text::digest(format!("{kind} {external_id}").as_bytes());
    let hash = digest.get(..10).and_then(|d| i64::from_str_radix(d, 16).ok()).unwrap_or(0);
    ChannelId(1 + hash % (PROVISIONAL - 1))
}

/// Whether an id is such a name.
const fn is_provisional(id: ChannelId) -> bool {
    id.0 < PROVISIONAL
}

/// The configured numbers by their provisional names.
pub type Numbers = HashMap<ChannelId, Door>;

/// A node's spool; the file is made when it is needed first.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    most: u64,
    clock: SharedClock,
    file: Mutex<Option<Store>>,
    /// The file is somebody else's to close.
    lent: bool,
    /// Something waits, or the database was away a moment ago: what comes goes to the spool.
    active: AtomicBool,
    /// Held for reading by who adds, for writing by who declares the spool empty.
    gate: RwLock<()>,
    waiting: AtomicU64,
    bytes: AtomicU64,
    aside: AtomicU64,
    wake: tokio::sync::Notify,
}

/// Counts bodies that came out of the spool. What was stored already and not removed when a process was killed counts as repeated.
fn tell_of(bodies: &[(i64, Accept)], accepted: &[Accepted]) {
    for ((_, accept), accepted) in bodies.iter().zip(accepted) {
        let door = accept.door();
        accepted.count(&door.map(|d| Arc::clone(&d.slug)).unwrap_or_default(), door.map_or("none", |d| d.kind));
    }
}

/// How the spool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Figures {
    /// What comes goes to the spool.
    pub active: bool,
    /// Webhooks that wait for the database.
    pub waiting: u64,
    /// Bytes in the spool.
    pub bytes: u64,
    /// At most so many bytes.
    pub most: u64,
    /// Webhooks that the database did not take; kept for a person.
    pub aside: u64,
}

impl Figures {
    /// Whether it takes more.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        self.bytes < self.most
    }
}

impl Spool {
    /// A spool in the file `path` with at most `most` bytes of webhooks.
    #[must_use]
    pub fn new(path: PathBuf, most: u64, clock: SharedClock) -> Arc<Self> {
        Arc::new(Self::empty(path, most, clock))
    }

    fn empty(path: PathBuf, most: u64, clock: SharedClock) -> Self {
        Self {
            path,
            most,
            clock,
            file: Mutex::default(),
            lent: false,
            active: AtomicBool::new(false),
            gate: RwLock::default(),
            waiting: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            aside: AtomicU64::new(0),
            wake: tokio::sync::Notify::new(),
        }
    }

    /// A spool in a database that is open already: for the conformance suite, which runs its statements everywhere.
    #[must_use]
    pub fn within(store: &Store, most: u64) -> Arc<Self> {
        let empty = Self::empty(PathBuf::new(), most, Arc::clone(store.clock()));
        Arc::new(Self { file: Mutex::new(Some(store.clone())), lent: true, ..empty })
    }

    /// Takes up what a former process left.
    ///
    /// # Errors
    /// When the file is there and cannot be used: what is in it must not be forgotten.
    pub async fn recover(&self) -> Result<()> {
        if self.path.exists() && crate::sqlite::is_locked(&self.path) {
            tracing::warn!(spool = %self.path.display(), "another process has this spool; without one of its own ([store] spool), this node answers 503 while the database is away");
            return Ok(());
        }
        if self.path.exists() {
            let file = self.file().await?;
            self.count(&file).await?;
            if self.waiting.load(Ordering::Acquire) > 0 {
                self.active.store(true, Ordering::Release);
            }
        }
        Ok(())
    }

    /// Whether what comes goes to the spool.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// How it stands.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let of = |n: &AtomicU64| n.load(Ordering::Acquire);
        Figures {
            active: self.is_active(),
            waiting: of(&self.waiting),
            bytes: of(&self.bytes),
            most: self.most,
            aside: of(&self.aside),
        }
    }

    /// Keeps a body while something waits; `false`: nothing does any more, and the database takes it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is full or its file cannot be written.
    pub async fn keep_behind(&self, accept: &Accept) -> Result<bool> {
        let _adding = self.gate.read().await;
        if !self.is_active() {
            return Ok(false);
        }
        self.add(accept).await?;
        Ok(true)
    }

    /// Keeps a body that the database could not take; from now on what comes waits behind it.
    ///
    /// # Errors
    /// As [`Self::keep_behind`].
    pub async fn keep(&self, accept: &Accept) -> Result<()> {
        let _adding = self.gate.read().await;
        self.add(accept).await?;
        if !self.active.swap(true, Ordering::AcqRel) {
            tracing::warn!(spool = %self.path.display(), "the database is away: webhooks go to the spool until it is back");
        }
        self.wake.notify_one();
        Ok(())
    }

    async fn add(&self, accept: &Accept) -> Result<()> {
        let arrivals = rows::written(accept);
        let size = arrivals.len() as u64;
        // Taken before it is written, so that many at once do not pass the bound together.
        if self.bytes.fetch_add(size, Ordering::AcqRel) + size > self.most {
            self.bytes.fetch_sub(size, Ordering::AcqRel);
            return Err(StoreError::Unavailable { why: "the database is away and the spool is full".to_owned() });
        }
        let written = async {
            let file = self.file().await?;
            file.write(rows::Add { request_id: accept.request_id.clone(), arrivals }).await
        };
        if let Err(error) = written.await {
            self.bytes.fetch_sub(size, Ordering::AcqRel);
            return Err(StoreError::Unavailable { why: format!("the database is away, and the spool: {error}") });
        }
        fail::fail_point!("spool.added");
        self.waiting.fetch_add(1, Ordering::AcqRel);
        metrics::counter!("webhook_spooled_total").increment(1);
        self.tell();
        Ok(())
    }

    /// Takes out what came from people who are known by `names` (S6.8); how many arrivals that was.
    ///
    /// # Errors
    /// When its file is there and cannot be used: another process has it.
    pub async fn forget(&self, names: &[String]) -> Result<u64> {
        if !self.lent && !self.path.exists() {
            return Ok(0);
        }
        if self.file.lock().await.is_none() && crate::sqlite::is_locked(&self.path) {
            tracing::warn!(spool = %self.path.display(), "another process has this spool: erase them by the page or the API of that node as well");
            return Ok(0);
        }
        let file = self.file().await?;
        let traces = Traces::of(names, []);
        let (mut after, mut gone) = (0, 0);
        loop {
            let (found, last) = file.read(rows::Look { after, traces: traces.clone() }).await?;
            if !found.is_empty() {
                gone += file.write(rows::Forget(found)).await?;
            }
            let Some(last) = last else { break };
            after = last;
        }
        if gone > 0 {
            file.empty_log().await;
            self.count(&file).await?;
        }
        Ok(gone)
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn tell(&self) {
        metrics::gauge!("spool_backlog").set(self.waiting.load(Ordering::Acquire) as f64);
        metrics::gauge!("spool_bytes").set(self.bytes.load(Ordering::Acquire) as f64);
    }

    async fn file(&self) -> Result<Store> {
        let mut file = self.file.lock().await;
        if let Some(store) = &*file {
            return Ok(store.clone());
        }
        let store = Store::open_sqlite(&SqliteOptions::at(&self.path), Arc::clone(&self.clock)).await?;
        *file = Some(store.clone());
        Ok(store)
    }

    async fn count(&self, file: &Store) -> Result<()> {
        let (waiting, bytes, aside) = file.read(rows::Size).await?;
        let of = |n: i64| u64::try_from(n).unwrap_or(0);
        self.waiting.store(of(waiting), Ordering::Release);
        self.bytes.store(of(bytes), Ordering::Release);
        self.aside.store(of(aside), Ordering::Release);
        self.tell();
        Ok(())
    }

    /// Empties the spool into `store` whenever there is something in it, until `stop`; then closes its file.
    /// What a node kept that had not seen the database yet belongs to these `numbers`.
    pub async fn drain(
        self: Arc<Self>,
        store: Store,
        policy: Arc<Policy>,
        numbers: Arc<Numbers>,
        stop: CancellationToken,
    ) {
        loop {
            if self.is_active() {
                match self.pour(&store, &policy, &numbers).await {
                    Ok(true) => {
                        tracing::info!("the spool is empty: webhooks go to the database again");
                        continue;
                    }
                    Ok(false) => {
                        store.hub().wake();
                        continue;
                    }
                    Err(error) => tracing::debug!(%error, "the spool waits for the database"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wake.notified(), if !self.is_active() => {}
                () = tokio::time::sleep(TRY), if self.is_active() => {}
            }
        }
        if self.lent {
            return;
        }
        let file = self.file.lock().await.take();
        if let Some(file) = file {
            file.close().await;
        }
    }

    /// Stores the oldest bodies; whether none is left.
    async fn pour(&self, store: &Store, policy: &Arc<Policy>, numbers: &Arc<Numbers>) -> Result<bool> {
        let file = self.file().await?;
        let next = || rows::Next { limit: BATCH, policy: Arc::clone(policy), numbers: Arc::clone(numbers) };
        let mut oldest = file.read(next()).await?;
        if oldest.is_empty() {
            // Nobody adds while this is looked at: what comes after it goes to the database.
            let _alone = self.gate.write().await;
            oldest = file.read(next()).await?;
            if oldest.is_empty() {
                self.count(&file).await?;
                self.active.store(false, Ordering::Release);
                return Ok(true);
            }
        }
        let last = oldest.last().map(|(id, _)| *id);
        let mut whole = Vec::with_capacity(oldest.len());
        for (id, body) in oldest {
            match body {
                Ok(accept) => whole.push((id, accept)),
                Err(why) => Self::set_aside(&file, id, why).await?,
            }
        }
        let oldest = Arc::new(whole);
        match store.write(rows::AcceptAll(Arc::clone(&oldest))).await {
            Ok(accepted) => tell_of(&oldest, &accepted),
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Closed)) => return Err(error),
            Err(_) => self.one_by_one(store, &file, &oldest).await?,
        }
        fail::fail_point!("spool.poured");
        if let Some(last) = last {
            file.write(rows::Remove(last)).await?;
        }
        let _alone = self.gate.write().await;
        self.count(&file).await?;
        Ok(false)
    }

    /// One of them cannot be stored: the others are, and that one is laid aside.
    async fn one_by_one(&self, store: &Store, file: &Store, oldest: &[(i64, Accept)]) -> Result<()> {
        for (id, accept) in oldest {
            let one = Arc::new(vec![(*id, accept.clone())]);
            match store.write(rows::AcceptAll(Arc::clone(&one))).await {
                Ok(accepted) => tell_of(&one, &accepted),
                Err(error @ (StoreError::Unavailable { .. } | StoreError::Closed)) => return Err(error),
                Err(error) => Self::set_aside(file, *id, error.to_string()).await?,
            }
        }
        Ok(())
    }

    async fn set_aside(file: &Store, id: i64, why: String) -> Result<()> {
        tracing::error!(row = id, why, "a webhook of the spool cannot be stored; it is kept there");
        file.write(rows::SetAside { id, why }).await
    }
}
