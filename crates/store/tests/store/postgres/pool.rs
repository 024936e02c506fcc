//! PgBouncer's transaction pooling between (ARCHITECTURE: no locks of sessions, nothing that outlives a transaction).

use std::sync::Arc;

use store::leases::{Claim, GiveBack};
use store::{Policy, PostgresOptions, Store};
use testkit::postgres::{Database, Pool, shared};

use super::{clock, wanted};
use crate::fixtures::message;
use crate::support::{accept_op, doors, runtime};

/// Two nodes over few connections, each transaction on any of them: the same rows, one holder each, no tenant remembered.
#[test]
fn a_pool_of_transactions_may_stand_between() {
    if !wanted() {
        return;
    }
    let Some(pool) = Pool::start(&shared().unwrap(), 6).unwrap() else {
        eprintln!("\nSKIPPED, so nothing was shown: there is no pgbouncer here (Debian: apt-get install pgbouncer)\n");
        return;
    };
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let url = database.url().replace(&shared().unwrap(), &pool.url());
        let options = PostgresOptions::at(url);
        let a = Store::open_postgres(&options, clock()).await.unwrap();
        let b = Store::open_postgres(&options, clock()).await.unwrap();
        let (door, _) = doors(&a).await;
        let policy = Arc::new(Policy::default());
        let mut running = Vec::new();
        let tasks = tokio_util::task::TaskTracker::new();
        for n in 0..200_u32 {
            let node = if n % 2 == 0 { a.clone() } else { b.clone() };
            let event = message(&format!("w{n}"), &format!("97150{:07}", n % 20), "hello");
            let op = accept_op(&door, vec![event], None, &policy);
            running.push(tasks.spawn(async move { node.write(op).await.map(|a| a.messages.len()) }));
        }
        for task in running {
            assert_eq!(task.await.unwrap().unwrap(), 1);
        }
        let claim = |owner: &str| Claim { owner: owner.into(), limit: 15, only: None, policy: Arc::clone(&policy) };
        let (one, other) = tokio::join!(a.write(claim("a")), b.write(claim("b")));
        let (one, other) = (one.unwrap(), other.unwrap());
        let twice = one.iter().filter(|c| other.iter().any(|d| d.lease.conversation == c.lease.conversation)).count();
        assert_eq!(twice, 0);
        for claimed in one {
            a.write(GiveBack { lease: claimed.lease, at: None }).await.unwrap();
        }
        let tenant = door.tenant;
        let list = store::views::Conversations { before: None, limit: 100 };
        for _ in 0..20 {
            assert_eq!(a.read_for(tenant, list).await.unwrap().len(), 20);
            assert_eq!(b.read_for(types::TenantId(7), list).await.unwrap().len(), 0);
            assert_eq!(b.read(list).await.unwrap().len(), 20);
        }
        assert_eq!(database.sql("SELECT COUNT(*) FROM message").unwrap(), "200");
        a.close().await;
        b.close().await;
    });
}
