//! Two nodes at the same moment.

use std::sync::Arc;
use std::time::Duration;

use store::desk::follow::{Look, Oldest};
use store::leases::{Claim, Renew};
use store::{Policy, Store, StoreError};
use testkit::postgres::Database;
use types::clock::Stopwatch;

use super::{at_once, node, wanted};
use crate::fixtures::message;
use crate::support::{accept_op, doors, runtime};

fn claim(owner: &str, policy: &Arc<Policy>) -> Claim {
    Claim { owner: owner.into(), limit: 64, only: None, policy: Arc::clone(policy) }
}

async fn pair() -> (Database, Store, Store, Arc<Policy>) {
    let database = Database::fresh().unwrap();
    let (a, b) = (node(&database).await, node(&database).await);
    (database, a, b, Arc::new(Policy::default()))
}

/// S1.6, S1.7: the same webhook at two nodes is stored once; two messages of a new contact make one contact, lead and conversation.
#[test]
fn what_comes_to_two_nodes_at_once_is_one() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, a, b, policy) = pair().await;
        let (door, _) = doors(&a).await;
        for n in 0..40 {
            let phone = format!("97150{n:07}");
            let op = |id: &str| accept_op(&door, vec![message(id, &phone, "hello")], None, &policy);
            let same = format!("same-{n}");
            let (one, other) = at_once((&a, op(&same)), (&b, op(&same))).await;
            assert_eq!(one.unwrap().messages.len() + other.unwrap().messages.len(), 1, "{same}");
            let fresh = format!("97152{n:07}");
            let op = |id: String| accept_op(&door, vec![message(&id, &fresh, "hello")], None, &policy);
            let (one, other) = at_once((&a, op(format!("x-{n}"))), (&b, op(format!("y-{n}")))).await;
            let (one, other) = (one.unwrap().messages.remove(0), other.unwrap().messages.remove(0));
            assert_eq!(one.conversation, other.conversation);
            assert_ne!(one.message, other.message, "nodes never make the same id");
        }
        let count = |what: &str| database.sql(&format!("SELECT COUNT(*) FROM {what}")).unwrap();
        assert_eq!(
            [count("message"), count("contacts"), count("lead"), count("conversation")],
            ["120", "80", "80", "80"]
        );
        a.close().await;
        b.close().await;
    });
}

/// S2.2, I6: of many conversations claimed by two nodes at once, each has one holder; and ids of a conversation grow over the nodes.
#[test]
fn a_conversation_has_one_holder() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, a, b, policy) = pair().await;
        let (door, _) = doors(&a).await;
        for n in 0..150 {
            let node = if n % 2 == 0 { &a } else { &b };
            let events = vec![message(&format!("w{n}"), &format!("97150{:07}", n % 50), "hello")];
            node.write(accept_op(&door, events, None, &policy)).await.unwrap();
        }
        let wrong = database
            .sql(
                "SELECT COUNT(*) FROM message x JOIN message y ON x.conversation_id = y.conversation_id
            AND x.id < y.id AND SUBSTR(x.provider_id, 2)::int > SUBSTR(y.provider_id, 2)::int",
            )
            .unwrap();
        assert_eq!(wrong, "0", "ids are in the order of acceptance");
        let (mut held, mut rounds) = (std::collections::BTreeSet::new(), 0);
        while held.len() < 50 {
            let (one, other) = at_once((&a, claim("a", &policy)), (&b, claim("b", &policy))).await;
            for claimed in one.unwrap().into_iter().chain(other.unwrap()) {
                assert!(held.insert(claimed.lease.conversation.0), "claimed twice: {claimed:?}");
            }
            rounds += 1;
            assert!(rounds < 20, "{} of 50", held.len());
        }
        a.close().await;
        b.close().await;
    });
}

/// S2.2: a node that slept past its lease finds its fence old, whatever it writes.
#[test]
fn a_sleeper_writes_nothing() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, a, b, _) = pair().await;
        let brief = Arc::new(Policy { lease: Duration::from_millis(1), ..Policy::default() });
        let (door, _) = doors(&a).await;
        a.write(accept_op(&door, vec![message("w1", "971500000001", "hello")], None, &brief)).await.unwrap();
        let sleeper = a.write(claim("a", &brief)).await.unwrap().remove(0);
        let mut taken = Vec::new();
        while taken.is_empty() {
            taken = b.write(claim("b", &brief)).await.unwrap();
        }
        assert_eq!(taken[0].lease.fence, sleeper.lease.fence + 1);
        let before = database.sql("SELECT * FROM conversation").unwrap();
        let back = store::leases::GiveBack { lease: sleeper.lease.clone(), at: None };
        assert!(matches!(a.write(back).await, Err(StoreError::LeaseLost(_))));
        let renew = Renew { leases: vec![sleeper.lease.clone()], policy: brief };
        assert_eq!(a.write(renew).await.unwrap(), [sleeper.lease.conversation]);
        assert_eq!(database.sql("SELECT * FROM conversation").unwrap(), before);
        a.close().await;
        b.close().await;
    });
}

/// Everything at once from both nodes, on few conversations: all of it is done, whatever was in whose way.
#[test]
fn a_crowd_on_few_conversations_gets_through() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, a, b, policy) = pair().await;
        let (door, _) = doors(&a).await;
        let (tasks, mut running) = (tokio_util::task::TaskTracker::new(), Vec::new());
        for n in 0..400_u32 {
            let node = if n % 2 == 0 { a.clone() } else { b.clone() };
            let phones = [n % 7, (n + 3) % 7, (n + 5) % 7].map(|p| format!("9715000000{p}"));
            let events = phones.iter().enumerate().map(|(i, p)| message(&format!("w{n}-{i}"), p, "hello")).collect();
            let room = (n % 3 == 0).then(|| (Arc::from("node"), 2));
            let op = accept_op(&door, events, room, &policy);
            running.push(tasks.spawn(async move { node.write(op).await.map(|a| a.messages.len()) }));
            if n % 40 == 0 {
                b.write(store::sweep::Sweep {
                    ids_before: types::Timestamp::ZERO,
                    events_before: types::Timestamp::ZERO,
                    jobs_before: types::Timestamp::ZERO,
                    limit: 10,
                })
                .await
                .unwrap();
            }
        }
        for task in running {
            assert_eq!(task.await.unwrap().unwrap(), 3);
        }
        let counts =
            database.sql("SELECT (SELECT COUNT(*) FROM message), (SELECT COUNT(*) FROM conversation)").unwrap();
        assert_eq!(counts, "1200|7");
        a.close().await;
        b.close().await;
    });
}

/// S2.7: news of work reaches the other node without its asking.
#[test]
fn news_of_work_reaches_the_other_node() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (_database, a, b, _) = pair().await;
        // The first wakes are those of the listeners themselves.
        for _ in 0..100 {
            a.hub().wake();
            if tokio::time::timeout(Duration::from_millis(100), b.hub().woken()).await.is_ok()
                && tokio::time::timeout(Duration::from_millis(50), b.hub().woken()).await.is_err()
            {
                break;
            }
        }
        let heard = tokio::time::timeout(Duration::from_secs(20), b.hub().woken());
        a.hub().wake();
        heard.await.expect("the other node was told");
        let heard = tokio::time::timeout(Duration::from_secs(20), b.hub().acts_due());
        a.hub().act();
        heard.await.expect("of a saga that goes on as well");
        a.close().await;
        b.close().await;
    });
}

/// A transaction that commits late has older ids than some that were seen: the follower knows how far back to read.
#[test]
fn a_late_commit_is_found_by_the_next_look() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let store = node(&database).await;
        let (meta, _) = doors(&store).await;
        let policy = Arc::new(Policy::default());
        store.write(accept_op(&meta, vec![message("w1", "971500000001", "hello")], None, &policy)).await.unwrap();
        let look = async |seen, overlap| store.read(Look { seen, overlap, limit: 500 }).await.unwrap();
        let first = look([0; 6], Duration::ZERO).await;
        // Another node saves a message, and is slow to commit: a newer one of the same table is seen meanwhile.
        let slow = "SET application_name = 'barid'; BEGIN; INSERT INTO notification (id, tenant_id, kind, title, body, dedupe_key, created_at)
            SELECT id + 1, tenant_id, 'late', '', '', 'late', 0 FROM message; SELECT pg_sleep(1.5); COMMIT";
        let (oldest, watch) = std::thread::scope(|scope| {
            let late = scope.spawn(|| database.sql(slow).unwrap());
            std::thread::sleep(Duration::from_millis(700));
            database
                .sql("INSERT INTO notification (id, tenant_id, kind, title, body, dedupe_key, created_at) SELECT id + 1000000, tenant_id, 'early', '', '', 'early', 0 FROM message")
                .unwrap();
            let oldest = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(store.read(Oldest))).unwrap();
            let watch = Stopwatch::start();
            late.join().unwrap();
            (oldest, watch)
        });
        assert!(oldest > Duration::from_millis(300) && oldest < Duration::from_secs(2), "{oldest:?}");
        let mut seen = first.seen;
        seen[4] = database.sql("SELECT MAX(id) FROM notification").unwrap().parse().unwrap();
        let kinds = async |overlap| {
            let found = look(seen, overlap).await;
            found.news.into_iter().filter_map(|n| n.kind).filter(|k| k == "late").count()
        };
        assert_eq!(kinds(Duration::ZERO).await, 0, "by its id alone it is behind");
        assert_eq!(kinds(oldest + watch.elapsed() + Duration::from_secs(1)).await, 1);
        store.close().await;
    });
}
