//! What a claim costs when few conversations wait, when many do, and behind what was done and not swept up: an index answers it, so all three must cost
//! the same. By the store's own operations, in this process, through the same group commit as ever.

use std::sync::Arc;

use futures_util::future::try_join_all;
use store::channels::{ChannelSeed, Sync, TenantSeed};
use store::inbox::{Accept, Arrival};
use store::jobs::{Finish, FinishTurn};
use store::leases::Claim;
use store::{Claimed, Door, Policy, PostgresOptions, SqliteOptions, Store, Work};
use types::clock::Stopwatch;
use types::inbound::{Content, Event, Identity, Inbound, Item, Route};
use types::{ProviderMessageId, RequestId, SystemClock};

use crate::report::{Report, Target, median, say};
use crate::{Bench, Database};

/// Waiting conversations of the first database.
const FEW: u64 = 10_000;
/// Rows that were due before all others, are done, and stand at the index's head.
const DEAD: u64 = 100_000;
/// Conversations of one claim.
const LIMIT: u32 = 32;
/// Claims on each database that are measured.
const CLAIMS: usize = 60;
/// Operations at once while a database is filled.
const AT_ONCE: u64 = 1_000;

/// A database with conversations that wait.
struct Queue {
    store: Store,
    door: Door,
    policy: Arc<Policy>,
    written: u64,
    costs: Vec<f64>,
    database: Option<testkit::postgres::Database>,
}

/// Ratios of a claim with many waiting, and behind dead rows, to one with few.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    for database in bench.databases() {
        let word = if database == Database::Postgres { ", PostgreSQL" } else { "" };
        let mut queues = vec![Queue::open(bench, database, "few").await?, Queue::open(bench, database, "many").await?];
        queues[0].fill(FEW).await?;
        say(&format!("filling up to {} that wait{word}", bench.stored));
        queues[1].fill(bench.stored).await?;
        // SQLite leaves nothing behind: the row is written where it was.
        if database == Database::Postgres {
            let mut dead = Queue::open(bench, database, "dead").await?;
            dead.leave_dead().await?;
            dead.fill(FEW).await?;
            queues.push(dead);
        }
        for round in 0..=CLAIMS {
            for queue in &mut queues {
                queue.claim(round > 0).await?;
            }
        }
        let costs: Vec<f64> = queues.iter().map(|q| median(&q.costs)).collect();
        let note = |n: usize, what: &str| format!("{:.0} µs with {FEW} waiting, {:.0} µs {what}", costs[0], costs[n]);
        let name = format!("claim of {LIMIT}, {} / {FEW} waiting{word}", bench.stored);
        report.add(&name, costs[1] / costs[0], "", Target::Most(1.3), note(1, &format!("with {}", bench.stored)));
        if costs.len() > 2 {
            let name = format!("claim of {LIMIT}, behind {DEAD} dead rows / none{word}");
            report.add(&name, costs[2] / costs[0], "", Target::Most(1.3), note(2, "behind the dead"));
        }
        for queue in queues {
            queue.store.close().await;
        }
    }
    Ok(())
}

impl Queue {
    async fn open(bench: &Bench, database: Database, name: &str) -> anyhow::Result<Self> {
        let (clock, (url, database)) = (Arc::new(SystemClock), bench.fresh(database)?);
        let store = if database.is_some() {
            Store::open_postgres(&PostgresOptions::at(url), clock).await?
        } else {
            let path = bench.dir.path().join(format!("claims-{name}.db"));
            Store::open_sqlite(&SqliteOptions::at(path), clock).await?
        };
        let channel = ChannelSeed { kind: "meta", external_id: "105500000000001".into(), credentials: "x".into() };
        let tenant = TenantSeed { slug: "bench".into(), business: "Bench".into(), channels: vec![channel] };
        let synced = store.write(Sync(vec![tenant])).await?.remove(0);
        let door = Door { tenant: synced.tenant, channel: synced.channels[0], kind: "meta", slug: "bench".into() };
        Ok(Self { store, door, policy: Arc::new(Policy::default()), written: 0, costs: Vec::new(), database })
    }

    /// A message of somebody who never wrote before.
    fn message(&mut self) -> Accept {
        self.written += 1;
        let message = Inbound {
            provider_id: ProviderMessageId(format!("wamid.{}", self.written)),
            from: Identity { phone: Some(format!("9715{:08}", self.written)), ..Identity::default() },
            group: None,
            at: None,
            content: Content::Text { body: "I need a trade license".to_owned() },
            quotes: None,
            forwarded: false,
            referral: None,
        };
        let item = Item { route: Route::Nowhere, event: Event::Message(Box::new(message)), raw: "{}".to_owned() };
        let arrivals = vec![Arrival { door: Some(self.door.clone()), item, answer_groups: false }];
        let request_id = RequestId(format!("fill-{}", self.written));
        Accept { arrivals, request_id, room: None, policy: Arc::clone(&self.policy) }
    }

    /// So many more conversations wait.
    async fn fill(&mut self, count: u64) -> anyhow::Result<()> {
        let mut left = count;
        while left > 0 {
            let some = left.min(AT_ONCE);
            let accepts: Vec<Accept> = (0..some).map(|_| self.message()).collect();
            try_join_all(accepts.into_iter().map(|accept| self.store.write(accept))).await?;
            left -= some;
        }
        Ok(())
    }

    async fn claimed(&self, limit: u32) -> anyhow::Result<Vec<Claimed>> {
        let claim = Claim { owner: "bench".into(), limit, only: None, policy: Arc::clone(&self.policy) };
        Ok(self.store.write(claim).await?)
    }

    /// Conversations that were due first are done, and what they were is still in the index: nobody sweeps.
    async fn leave_dead(&mut self) -> anyhow::Result<()> {
        if let Some(database) = &self.database {
            database.keep_dead_rows("conversation")?;
        }
        self.fill(DEAD).await?;
        loop {
            let claimed = self.claimed(128).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            let turns = claimed.into_iter().filter_map(|claimed| match claimed.work {
                Work::Turn(turn) => Some(FinishTurn {
                    lease: claimed.lease,
                    snapshot: Arc::new(claimed.snapshot),
                    turn,
                    finish: Finish { outcome: "nothing_to_say", ..Finish::default() },
                    hold: None,
                    stop: false,
                    policy: Arc::clone(&self.policy),
                }),
                Work::Deliver(_) | Work::Reconcile(_) => None,
            });
            try_join_all(turns.map(|turn| self.store.write(turn))).await?;
        }
    }

    /// One claim, in µs.
    async fn claim(&mut self, counts: bool) -> anyhow::Result<()> {
        let watch = Stopwatch::start();
        let claimed = self.claimed(LIMIT).await?;
        let took = watch.elapsed().as_secs_f64() * 1e6;
        anyhow::ensure!(claimed.len() == LIMIT as usize, "{} were claimed of {LIMIT}", claimed.len());
        if counts {
            self.costs.push(took);
        }
        Ok(())
    }
}
