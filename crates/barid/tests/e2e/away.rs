//! A database that is away for a while: 503 instead of a 200 for nothing, the truth at `/readyz` and in the metrics, and everything goes on
//! without a restart when it is back.

use crate::support::{HELLO, Setup, Tries, on_postgres, pause};

/// RELIABILITY.md 2, row 13; S6.4.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_and_comes_costs_no_message() {
    if !on_postgres() {
        return;
    }
    let mut world =
        Setup { own_server: true, env: vec![("BARID__STORE__SPOOL", "off")], ..Setup::default() }.start().await;
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

/// S1.9: the database is stopped under load; every webhook is answered 200, and when it is back each message is there once and in order.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_wait_in_the_spool_while_the_database_is_away() {
    if !on_postgres() {
        return;
    }
    let mut world = Setup { own_server: true, ..Setup::default() }.start().await;
    assert_eq!(world.say("971500000401", HELLO).await, "sent");
    let mut cluster = world.cluster.take().unwrap();
    let said = |n: usize| (format!("97150000041{}", n % 4), format!("message {n}"));
    let mut bodies = Vec::new();
    for n in 0..60 {
        if n == 20 {
            cluster.stop().unwrap();
        }
        let (phone, text) = said(n);
        let webhook = world.meta.lead(&phone, "Lina").text(&text);
        assert_eq!(world.post(&webhook).await, 200, "message {n}");
        if n >= 20 {
            bodies.push(webhook);
        }
    }
    let (status, ready) = world.get("/readyz?verbose").await;
    let spool: serde_json::Value = serde_json::from_str(&ready).unwrap();
    // The forty messages, and statuses of what was sent before.
    let waiting = spool["spool"]["waiting"].as_u64().unwrap();
    assert!(status == 200 && waiting >= 40, "{status} {ready}");
    assert!(world.get("/metrics").await.1.lines().any(|l| l.starts_with("spool_backlog ")));
    // The provider repeats some, as it does when it is not sure.
    for webhook in &bodies[..5] {
        assert_eq!(world.post(webhook).await, 200);
    }
    cluster.restart().unwrap();
    let mut ready = String::new();
    for _ in Tries::new() {
        ready = world.get("/readyz?verbose").await.1;
        if ready.contains("\"active\":false") {
            break;
        }
        pause().await;
    }
    assert!(ready.contains("\"active\":false") && ready.contains("\"waiting\":0"), "{ready}");
    assert_eq!(world.get("/readyz").await.1, "ok\n");
    world.until("SELECT COUNT(*) FROM message WHERE direction = 'in'", "61").await;
    for person in 0..4 {
        let bodies = format!(
            "SELECT m.body FROM message m JOIN conversation v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id
             WHERE m.direction = 'in' AND c.phone = '97150000041{person}' ORDER BY m.id"
        );
        let wanted: Vec<String> = (0..60).filter(|n| n % 4 == person).map(|n| said(n).1).collect();
        assert_eq!(world.rows(&bodies).await, wanted, "none lost, none twice, in order");
    }
    world.settled().await;
    assert!(world.down().await);
}
