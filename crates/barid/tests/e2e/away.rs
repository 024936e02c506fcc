//! A database that is away for a while: 503 instead of a 200 for nothing, the truth at `/readyz` and in the metrics, and everything goes on
//! without a restart when it is back.

use crate::support::{HELLO, Setup, Tries, on_postgres, pause};

/// RELIABILITY.md 2, row 13; S6.4.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_and_comes_costs_no_message() {
    if !on_postgres() {
        return;
    }
    let mut world = Setup { own_server: true, ..Setup::default() }.start().await;
    assert_eq!(world.say("971500000301", HELLO).await, "sent");
    assert_eq!(world.get("/readyz").await.0, 200);
    let mut cluster = world.cluster.take().unwrap();
    for round in 0..2 {
        if round == 0 {
            cluster.stop().unwrap()
        } else {
            cluster.kill().unwrap()
        }
        let webhook = world.meta.lead(&format!("97150000031{round}"), "Lina").text(HELLO);
        assert_eq!(world.post(&webhook).await, 503, "it must come again");
        assert_eq!(world.get("/readyz").await.0, 503);
        assert_eq!(world.get("/livez").await.0, 200);
        assert!(world.get("/metrics").await.1.contains("db_up 0"));
        cluster.restart().unwrap();
        let mut taken = 0;
        for _ in Tries::new() {
            taken = world.post(&webhook).await;
            if taken == 200 {
                break;
            }
            pause().await;
        }
        assert_eq!(taken, 200, "it goes on by itself");
        assert_eq!(world.heard(&format!("97150000031{round}"), 1).await.len(), 1);
        assert_eq!(world.get("/readyz").await.0, 200);
        assert!(world.get("/metrics").await.1.contains("db_up 1"));
    }
    world.settled().await;
    assert!(world.down().await);
}
