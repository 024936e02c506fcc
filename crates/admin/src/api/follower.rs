//! The part that runs beside the routes: keeps the desk, tells the news, works batches, keeps the charts' hours, trims. It takes its turn
//! behind the messages: after each piece of work it rests nine times as long, so that it never has more than a tenth of the writer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use store::desk::follow::{Keep, Look, Newest, News, Oldest, Seen, Trim, WhereAmI};
use store::desk::{batches, charts, queue};
use tokio_util::sync::CancellationToken;
use types::clock::Stopwatch;
use types::{ConversationId, TenantId};

use super::Desk;

/// Rows of each table in one look.
const LOOK: u32 = 500;
/// Conversations brought up to date in one transaction.
const KEEP: usize = 100;
/// Rows of a batch in one transaction.
const STEP: u32 = 50;
/// The shortest rest, while somebody looks on.
const SOON: Duration = Duration::from_millis(25);
/// How often to look when nothing rings, while somebody looks on: another process may have written.
const WATCHED: Duration = Duration::from_millis(500);
/// And while nobody does.
const UNWATCHED: Duration = Duration::from_secs(5);
/// Commits of other processes may come late by this much.
const OVERLAP: Duration = Duration::from_millis(200);
/// A transaction goes on for less than this; the server ends what takes longer.
const FARTHEST: Duration = Duration::from_secs(120);
/// And, seldom, by this much.
const LONG_OVERLAP: Duration = Duration::from_secs(15);
/// The longest that the end may take.
const LAST: Duration = Duration::from_secs(5);
/// Charts begin so far back where no hour is kept yet.
const BACK: Duration = Duration::from_secs(31 * 86_400);
/// Counts of the queue are told at most so often.
const COUNTS: Duration = Duration::from_secs(1);
/// How often charts and trimming have their turn.
const CHORES: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Follower {
    desk: Arc<Desk>,
    seen: Seen,
    /// What was told of late, so that reading again tells nothing twice.
    told: HashSet<News>,
    told_before: HashSet<News>,
    since_long_look: Duration,
    since_chores: Duration,
    counted: Option<Stopwatch>,
    /// The last look ended at its bound.
    behind: bool,
    /// How old the oldest transaction was when the last look began, and how long ago that is.
    oldest: Duration,
    looked: Stopwatch,
}

/// Runs until `stop`.
pub(crate) async fn run(desk: Arc<Desk>, stop: CancellationToken) {
    let seen = loop {
        match desk.store.read(WhereAmI).await {
            Ok(seen) => break seen,
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::warn!(%error, "the desk cannot be kept yet");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(UNWATCHED) => {}
                }
            }
        }
    };
    let (told, told_before) = (HashSet::new(), HashSet::new());
    let (since_long_look, since_chores, counted) = (Duration::ZERO, Duration::ZERO, None);
    // Nobody looked before: as far back as a transaction goes, as a rule.
    let (behind, oldest, looked) = (false, LONG_OVERLAP, Stopwatch::start());
    let mut follower =
        Follower { desk, seen, told, told_before, since_long_look, since_chores, counted, behind, oldest, looked };
    while !stop.is_cancelled() {
        let watch = Stopwatch::start();
        let more = match follower.turn().await {
            Ok(more) => more,
            Err(StoreError::Closed) => break,
            Err(error) => {
                tracing::warn!(%error, "the desk could not be kept; it is tried again");
                false
            }
        };
        let took = watch.elapsed();
        let rest = follower.rest(took, more, &stop).await;
        follower.since_long_look += took + rest;
        follower.since_chores += took + rest;
    }
    follower.desk.feed.close();
    // What was written until now is kept before the end, so that a start on a database at rest finds nothing to do (I14).
    let _ = tokio::time::timeout(LAST, async { while follower.look().await.unwrap_or(false) {} }).await;
}

impl Follower {
    /// Rests, and until something rings; how long that was.
    async fn rest(&self, took: Duration, more: bool, stop: &CancellationToken) -> Duration {
        let watch = Stopwatch::start();
        let watched = self.desk.is_watched();
        let least = (took * 9).max(SOON).min(UNWATCHED);
        tokio::select! {
            () = stop.cancelled() => return watch.elapsed(),
            () = tokio::time::sleep(least) => {}
        }
        if more {
            return watch.elapsed();
        }
        let longest = if watched { WATCHED } else { UNWATCHED };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.desk.woken(), if watched => {}
            // Somebody began to look on.
            () = self.desk.arrived(), if !watched => {}
            () = tokio::time::sleep(longest) => {}
        }
        watch.elapsed()
    }

    /// One round of everything; whether there is more to do at once.
    async fn turn(&mut self) -> Result<bool, StoreError> {
        let mut more = self.look().await?;
        if self.desk.store.read(batches::AnyRuns).await?
            && let Some((tenant, batch)) = self.desk.store.write(batches::Step { limit: STEP }).await?
        {
            self.desk.store.hub().wake();
            let id = batch.id.map_or_else(String::new, |id| id.to_string());
            let data =
                serde_json::json!({ "id": id, "status": batch.state, "done": batch.done, "failed": batch.failed });
            self.desk.feed.tell([("batch.progress".to_owned(), Some(tenant), data.to_string())]);
            more = true;
        }
        if self.since_chores >= CHORES {
            self.since_chores = Duration::ZERO;
            self.chores().await?;
        }
        Ok(more)
    }

    async fn look(&mut self) -> Result<bool, StoreError> {
        let long = !self.behind && self.since_long_look >= LONG_OVERLAP;
        // Who is behind goes on where he stands: read again, the last moments alone may fill a look, which then never comes past them.
        let overlap = if self.behind {
            Duration::ZERO
        } else if long {
            LONG_OVERLAP
        } else {
            // Back to where the oldest began of those that had not committed when the last look was taken: none can slip through.
            OVERLAP.max((self.oldest + self.looked.elapsed() + OVERLAP / 4).min(FARTHEST))
        };
        // Asked before the look: what ends between the two is in the look.
        let oldest = self.desk.store.read(Oldest).await?;
        let looked = Stopwatch::start();
        if long {
            self.since_long_look = Duration::ZERO;
            self.told_before = std::mem::take(&mut self.told);
        }
        let found = self.desk.store.read(Look { seen: self.seen, overlap, limit: LOOK }).await?;
        self.behind = found.more;
        if !found.more {
            (self.oldest, self.looked) = (oldest, looked);
        }
        let fresh = |n: &News| !self.told.contains(n) && !self.told_before.contains(n);
        let news: Vec<News> = found.news.into_iter().filter(fresh).collect();
        if found.seen == self.seen && news.is_empty() {
            return Ok(found.more && overlap > Duration::ZERO);
        }
        // What was read again and told before has been kept before, too; what is older than the news is not in them.
        let conversations: Vec<ConversationId> = found.conversations.into_iter().collect();
        let mut parts = conversations.chunks(KEEP).map(<[_]>::to_vec).collect::<Vec<_>>();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        let last = parts.len() - 1;
        for (n, part) in parts.into_iter().enumerate() {
            let seen = (n == last && found.seen != self.seen).then_some(found.seen);
            self.desk.store.write(Keep { conversations: part, seen }).await?;
        }
        self.seen = found.seen;
        self.tell(news).await;
        Ok(found.more)
    }

    /// Tells what is new, each conversation's change once.
    async fn tell(&mut self, news: Vec<News>) {
        let mut items = Vec::with_capacity(news.len());
        let mut talks: Vec<(TenantId, ConversationId)> = Vec::new();
        let mut tenants: Vec<TenantId> = Vec::new();
        for one in news {
            if let Some(id) = one.conversation_id {
                talks.push((one.tenant, id));
            }
            if one.name.starts_with("message.") {
                tenants.push(one.tenant);
            }
            if one.name != "conversation.updated" {
                let data = serde_json::to_string(&one).unwrap_or_default();
                items.push((one.name.clone(), Some(one.tenant), data));
            }
            self.told.insert(one);
        }
        talks.sort_unstable();
        talks.dedup();
        items.extend(talks.into_iter().map(|(tenant, id)| {
            let data = serde_json::json!({ "id": id, "conversation_id": id });
            ("conversation.updated".to_owned(), Some(tenant), data.to_string())
        }));
        let due = self.counted.is_none_or(|at| at.elapsed() >= COUNTS) && self.desk.feed.listeners() > 0;
        if due && !tenants.is_empty() {
            self.counted = Some(Stopwatch::start());
            tenants.sort_unstable();
            tenants.dedup();
            for tenant in tenants.into_iter().take(20) {
                if let Ok(counts) = self.desk.store.read(queue::Counts(tenant)).await {
                    let data = serde_json::to_string(&counts).unwrap_or_default();
                    items.push(("job.counts".to_owned(), Some(tenant), data));
                }
            }
        }
        self.desk.feed.tell(items);
    }

    async fn chores(&self) -> Result<(), StoreError> {
        // An idle database is left alone.
        if self.desk.store.read(Newest).await? == 0 {
            return Ok(());
        }
        let keep = charts::Keep { limit: 24, back: BACK };
        if self.desk.store.read(charts::Due(keep)).await? {
            self.desk.store.write(keep).await?;
        }
        self.desk.store.write(Trim).await?;
        Ok(())
    }
}
