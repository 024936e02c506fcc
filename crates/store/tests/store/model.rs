//! Random lives: people write, workers claim, answer, send, fail and die, receipts come in any order, time jumps. In the end
//! everything heals, and the invariants of a run are checked against ledgers kept outside the store: what providers delivered to us, what
//! they accepted from us, what they reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use store::channels::Resume;
use store::dead_letters::RedriveDue;
use store::leases::{GiveBack, NextDue};
use store::outbox::{Postpone, Reconcile, Trace};
use store::{Claimed, Deliver, Lease, Next, StoreError, Work};
use types::outbound::Outcome;
use types::states::Receipt;
use types::{ConversationId, Fault, MessageId, Refusal, Scope};

use crate::fixtures::{accepted, keyed, message, pid, refusal, rejected, retry, unknown};
use crate::support::{Backend, Db, runtime};

#[derive(Clone, Debug)]
enum Action {
    /// One of four people writes; an odd number repeats an earlier message.
    Write {
        who: u8,
        repeat: bool,
        room: bool,
    },
    Claim {
        owner: u8,
    },
    /// One of the held pieces of work is done, in one of several ways.
    Do {
        which: u8,
        how: u8,
    },
    /// A worker dies with what it holds; a send may have left by then.
    Die {
        which: u8,
        left: bool,
    },
    /// A dead worker wakes up and writes.
    Ghost {
        which: u8,
    },
    Report {
        which: u8,
        receipt: u8,
    },
    Pass {
        seconds: u32,
    },
    Redrive,
    Mend,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        5 => (0..4_u8, proptest::bool::weighted(0.2), any::<bool>())
            .prop_map(|(who, repeat, room)| Action::Write { who, repeat, room }),
        5 => (0..2_u8).prop_map(|owner| Action::Claim { owner }),
        12 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Action::Do { which, how }),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(which, left)| Action::Die { which, left }),
        2 => any::<u8>().prop_map(|which| Action::Ghost { which }),
        3 => (any::<u8>(), 0..4_u8).prop_map(|(which, receipt)| Action::Report { which, receipt }),
        4 => prop_oneof![Just(1), Just(6), Just(60), Just(130), Just(400)].prop_map(|seconds| Action::Pass { seconds }),
        1 => Just(Action::Redrive),
        1 => Just(Action::Mend),
    ]
}

struct Life<'d> {
    db: &'d Db,
    /// Provider ids delivered to us.
    heard: BTreeSet<String>,
    held: Vec<Claimed>,
    ghosts: Vec<Claimed>,
    /// What the provider took: conversation, message, its own id.
    taken: Vec<(ConversationId, Deliver, String)>,
    /// The best that was reported of a message.
    reported: BTreeMap<MessageId, u8>,
    /// The last status seen of a message.
    seen: BTreeMap<MessageId, u8>,
}

fn rank(status: &str) -> u8 {
    match status {
        "sent" => 1,
        "delivered" => 2,
        "read" => 3,
        "played" => 4,
        _ => 0,
    }
}

impl Life<'_> {
    async fn act(&mut self, action: &Action) -> Result<(), TestCaseError> {
        match *action {
            Action::Write { who, repeat, room } => self.write(who, repeat, room).await?,
            Action::Claim { owner } => {
                let claimed = self.db.claim_as(&format!("node-{owner}"), 3).await;
                self.keep(claimed)?;
            }
            Action::Do { which, how } => {
                if let Some(n) = pick(&self.held, which) {
                    let claimed = self.held.swap_remove(n);
                    self.work(claimed, how).await?;
                }
            }
            Action::Die { which, left } => {
                if let Some(n) = pick(&self.held, which) {
                    let claimed = self.held.swap_remove(n);
                    if let (Work::Deliver(deliver), true) = (&claimed.work, left) {
                        self.take(&claimed.lease, deliver).await?;
                    }
                    self.ghosts.push(claimed);
                }
            }
            Action::Ghost { which } => self.ghost(which).await?,
            Action::Report { which, receipt } => self.report(which, receipt).await,
            Action::Pass { seconds } => self.db.pass(u64::from(seconds)),
            Action::Redrive => {
                self.db.store.write(RedriveDue { limit: 10 }).await.unwrap();
            }
            Action::Mend => {
                self.db.store.write(Resume(self.db.meta.channel)).await.unwrap();
            }
        }
        self.nothing_went_back().await
    }

    async fn write(&mut self, who: u8, repeat: bool, room: bool) -> Result<(), TestCaseError> {
        let id = match self.heard.iter().next_back() {
            Some(last) if repeat => last.clone(),
            _ => format!("w{:04}-{who}", self.heard.len()),
        };
        let from = format!("97150000000{}", id.rsplit('-').next().unwrap());
        let fresh = self.heard.insert(id.clone());
        let event = message(&id, &from, "hello");
        let got = self.db.accept(&self.db.meta, vec![event], usize::from(room) * 2).await;
        prop_assert_eq!((got.messages.len(), got.duplicates), if fresh { (1, 0) } else { (0, 1) });
        self.keep(got.leased)
    }

    /// One holder for each conversation: whoever held it before has lost it.
    fn keep(&mut self, claimed: Vec<Claimed>) -> Result<(), TestCaseError> {
        for one in claimed {
            while let Some(n) = self.held.iter().position(|h| h.lease.conversation == one.lease.conversation) {
                let before = self.held.swap_remove(n);
                prop_assert!(
                    before.lease.until <= self.db.now(),
                    "two holders: {:?} and {:?}",
                    before.lease,
                    one.lease
                );
                prop_assert!(before.lease.fence < one.lease.fence);
                self.ghosts.push(before);
            }
            self.held.push(one);
        }
        Ok(())
    }

    /// The provider accepts a message; I5: what it gets was saved before.
    async fn take(&mut self, lease: &Lease, deliver: &Deliver) -> Result<String, TestCaseError> {
        let row = format!("SELECT body FROM message WHERE id = {} AND direction = 'out'", deliver.message);
        prop_assert_eq!(self.db.one(&row).await, deliver.content.text());
        let id = format!("out{}", self.taken.len());
        self.taken.push((lease.conversation, deliver.clone(), id.clone()));
        Ok(id)
    }

    async fn work(&mut self, claimed: Claimed, how: u8) -> Result<(), TestCaseError> {
        let result = match &claimed.work {
            Work::Turn(turn) => match how % 8 {
                0..=2 => self.finish(&claimed, &["one"]).await,
                3 => self.finish(&claimed, &["one", "two"]).await,
                4 => self.finish(&claimed, &[]).await,
                5 => self.db.store.write(self.db.fail_op(&claimed, turn, Fault::Transient)).await.map(|a| a.next),
                6 => self.db.store.write(self.db.fail_op(&claimed, turn, Fault::Permanent)).await.map(|a| a.next),
                _ => {
                    let at = Some(self.db.now().plus(Duration::from_secs(1)));
                    self.db.store.write(GiveBack { lease: claimed.lease.clone(), at }).await.map(|()| Next::Wait(at))
                }
            },
            Work::Deliver(deliver) => self.send(&claimed.lease, deliver, how).await?,
            Work::Reconcile(deliver) => self.look(&claimed.lease, deliver, how).await,
        };
        match result {
            Ok(Next::Work(work)) => self.held.push(Claimed { work, ..claimed }),
            Ok(Next::Wait(_)) => {}
            // Its lease ended while it was held and another took the conversation; that other one is in `held`.
            Err(StoreError::LeaseLost(_)) => {}
            Err(e) => return Err(TestCaseError::fail(format!("{:?}: {e}", claimed.work))),
        }
        Ok(())
    }

    async fn finish(&self, claimed: &Claimed, replies: &[&str]) -> store::Result<Next> {
        let op = self.db.finish_op(claimed, crate::support::turn(&claimed.work), replies);
        self.db.store.write(op).await.map(|a| a.next)
    }

    async fn send(&mut self, lease: &Lease, deliver: &Deliver, how: u8) -> Result<store::Result<Next>, TestCaseError> {
        let db = self.db;
        let outcome = match how % 10 {
            0..=2 => accepted(&self.take(lease, deliver).await?),
            3 => {
                self.take(lease, deliver).await?;
                unknown()
            }
            4 => unknown(),
            5 => retry(Fault::Transient),
            6 => rejected(),
            7 => {
                let after = Some(Duration::from_secs(9));
                Outcome::Retry(Refusal {
                    retry_after: after,
                    http: Some(429),
                    ..Refusal::new(Fault::Throttled, "slow")
                })
            }
            8 => Outcome::Retry(refusal(Fault::Configuration, Scope::Channel)),
            _ => {
                let (lease, message, policy) = (lease.clone(), deliver.message, Arc::clone(&db.policy));
                let op = Postpone { lease, message, wait: Duration::from_secs(3), why: None, stop: false, policy };
                return Ok(db.store.write(op).await.map(|a| a.next));
            }
        };
        Ok(db.store.write(db.record_op(lease, deliver, outcome)).await.map(|r| r.after.next))
    }

    /// What the provider's journal says is true, but it may lag.
    async fn look(&self, lease: &Lease, deliver: &Deliver, how: u8) -> store::Result<Next> {
        let known = self.taken.iter().find(|(_, d, _)| d.message == deliver.message);
        let trace = match (known, how % 4) {
            (Some((_, _, id)), 0 | 1) => Trace::Found(pid(id)),
            (None, 0 | 1) | (_, 2) => Trace::Absent,
            _ => Trace::TooEarly,
        };
        let (lease, deliver, policy) = (lease.clone(), deliver.clone(), Arc::clone(&self.db.policy));
        self.db.store.write(Reconcile { lease, deliver, trace, stop: false, policy }).await.map(|a| a.next)
    }

    /// I8: once another has claimed the conversation, or the lease was freed, a ghost writes nothing.
    async fn ghost(&mut self, which: u8) -> Result<(), TestCaseError> {
        let Some(n) = pick(&self.ghosts, which) else { return Ok(()) };
        let ghost = self.ghosts[n].clone();
        let lease = &ghost.lease;
        let row = format!("SELECT fence FROM conversation WHERE id = {}", lease.conversation);
        if self.db.one(&row).await == lease.fence.to_string() {
            return Ok(());
        }
        let wrote = match &ghost.work {
            Work::Turn(turn) => self.db.store.write(self.db.finish_op(&ghost, turn, &["ghost"])).await.map(drop),
            Work::Deliver(d) | Work::Reconcile(d) => {
                self.db.store.write(self.db.record_op(lease, d, accepted("ghost"))).await.map(drop)
            }
        };
        prop_assert!(matches!(wrote, Err(StoreError::LeaseLost(_))), "a ghost wrote: {wrote:?}");
        Ok(())
    }

    async fn report(&mut self, which: u8, receipt: u8) {
        let Some(n) = pick(&self.taken, which) else { return };
        let (_, deliver, id) = &self.taken[n];
        let receipt = [Receipt::Sent, Receipt::Delivered, Receipt::Read, Receipt::Played][usize::from(receipt)];
        self.db.event(keyed(id, receipt, &deliver.dedupe_key)).await;
        let best = self.reported.entry(deliver.message).or_default();
        *best = (*best).max(rank(receipt.as_str()));
    }

    /// I7, at every moment.
    async fn nothing_went_back(&mut self) -> Result<(), TestCaseError> {
        for row in self.db.rows("SELECT id, status FROM message WHERE direction = 'out'").await {
            let (id, now) = (MessageId(row[0].parse().unwrap()), rank(&row[1]));
            let before = self.seen.insert(id, now).unwrap_or(0);
            prop_assert!(now >= before, "{id} went from rank {before} back to {}", row[1]);
        }
        Ok(())
    }

    /// Every fault heals; nobody dies any more.
    async fn heal(&mut self) -> Result<(), TestCaseError> {
        self.db.store.write(Resume(self.db.meta.channel)).await.unwrap();
        self.ghosts.append(&mut self.held);
        for _ in 0..500 {
            let claimed = self.db.claim_as("healer", 10).await;
            self.keep(claimed)?;
            if let Some(work) = self.held.pop() {
                self.work(work, 0).await?;
                self.nothing_went_back().await?;
                continue;
            }
            let Some(at) = self.db.store.read(NextDue).await.unwrap() else { return Ok(()) };
            self.db.clock.advance(at.since(self.db.now()).max(Duration::from_micros(1)));
        }
        Err(TestCaseError::fail("work never ended"))
    }

    async fn judge(&self) -> Result<(), TestCaseError> {
        let db = self.db;
        let number = async |what: &str| db.count(what).await;
        let heard = i64::try_from(self.heard.len()).unwrap();
        // I2: each message once. I3: each with one terminal outcome, the dead with their letter.
        prop_assert_eq!(number("message WHERE direction = 'in'").await, heard);
        prop_assert_eq!(number("jobs WHERE state IN ('done', 'dead')").await, heard);
        prop_assert_eq!(
            number("jobs j WHERE state = 'dead' AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.job_id = j.id AND d.status = 'pending')").await,
            0
        );
        // I9: attempts within bounds, nothing due.
        prop_assert_eq!(number("jobs WHERE attempts > max_attempts OR attempts < 1").await, 0);
        prop_assert_eq!(number("outbox WHERE due_at IS NOT NULL").await, 0);
        prop_assert_eq!(number("outbox WHERE attempts > 6 OR resends > 1").await, 0);
        prop_assert_eq!(number("message WHERE status IN ('pending', 'sending', 'unknown')").await, 0);
        // I4: taken once, or once more where that is on record and marked.
        let mut times = BTreeMap::new();
        for (_, deliver, _) in &self.taken {
            *times.entry(deliver.message).or_insert(0_i64) += 1;
        }
        for (message, taken) in times {
            let row = format!(
                "SELECT o.resends, m.possible_duplicate FROM outbox o JOIN message m ON m.id = o.message_id WHERE m.id = {message}"
            );
            let row = db.rows(&row).await.remove(0);
            prop_assert!(taken <= 1 + row[0].parse::<i64>().unwrap(), "{message} was taken {taken} times");
            prop_assert_eq!(&row[0], &row[1], "a second try is marked");
        }
        // I6: in each conversation, first taken in the order of the outbox.
        let mut last = BTreeMap::new();
        let mut before = BTreeSet::new();
        for (conversation, deliver, _) in &self.taken {
            if before.insert(deliver.message) {
                let former = last.insert(*conversation, deliver.message);
                prop_assert!(former < Some(deliver.message), "{:?} came after {former:?}", deliver.message);
            }
        }
        // I7: nothing reported was lost.
        for (message, best) in &self.reported {
            prop_assert!(rank(&db.status_of(*message).await) >= *best, "{message}");
        }
        Ok(())
    }
}

fn pick<T>(from: &[T], which: u8) -> Option<usize> {
    usize::from(which).checked_rem(from.len())
}

async fn live(backend: Backend, actions: &[Action]) -> Result<(), TestCaseError> {
    let db = Db::open(backend).await;
    let mut life = Life {
        db: &db,
        heard: BTreeSet::new(),
        held: Vec::new(),
        ghosts: Vec::new(),
        taken: Vec::new(),
        reported: BTreeMap::new(),
        seen: BTreeMap::new(),
    };
    for action in actions {
        life.act(action).await?;
    }
    life.heal().await?;
    life.judge().await?;
    db.end().await;
    Ok(())
}

/// RELIABILITY 3: I2 to I9 hold at rest, whatever happened. More lives with `PROPTEST_CASES`.
#[test]
fn every_life_ends_within_the_invariants() {
    let runtime = runtime();
    let asked = ProptestConfig::default();
    for backend in Backend::available() {
        let usual = if backend == Backend::Sqlite { 48 } else { 16 };
        let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { usual };
        let config = ProptestConfig { cases, failure_persistence: None, ..asked.clone() };
        proptest!(config, |(actions in proptest::collection::vec(action(), 1..90))| {
            runtime.block_on(live(backend, &actions))?;
        });
    }
}
