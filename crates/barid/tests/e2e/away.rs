//! A database that is away for a while: 503 instead of a 200 for nothing, the truth at `/readyz` and in the metrics, and everything goes on
//! without a restart when it is back.

use barid_app::wire::{App, Start};
use simulator::lead::Webhook;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::support::{HELLO, Setup, Tries, World, on_postgres, pause};

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
    poured(&world).await;
    assert_eq!(world.get("/readyz").await.1, "ok\n");
    world.until("SELECT COUNT(*) FROM message WHERE direction = 'in'", "61").await;
    let metrics = world.get("/metrics").await.1;
    let received = metrics.lines().filter(|l| l.starts_with("whatsapp_messages_received_total{"));
    let received: u64 = received.filter_map(|l| l.rsplit(' ').next()?.parse::<u64>().ok()).sum();
    assert_eq!(received, 61, "what came through the spool is counted, each message once");
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

/// Waits until the spool is empty and the database takes webhooks again.
async fn poured(world: &World) {
    for _ in Tries::new() {
        if world.get("/readyz?verbose").await.1.contains("\"active\":false") {
            return;
        }
        pause().await;
    }
    panic!("the spool is not empty: {}", world.get("/readyz?verbose").await.1);
}

/// Waits until every connection that reads has found the server again: those that were being made are given up first.
async fn read_again(world: &World) {
    let mut well = 0;
    for _ in Tries::new() {
        let read = world.app().store().read(store::channels::States).await;
        well = if read.is_ok() { well + 1 } else { 0 };
        if well == 10 {
            return;
        }
        pause().await;
    }
    panic!("it cannot be read");
}

/// Half-open connections, or a network cut between node and database: nothing is refused and nothing is answered. Statements are given up in time, the
/// spool takes over, and when bytes pass again everything goes on without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_falls_silent_is_given_up_and_found_again() {
    if !on_postgres() {
        return;
    }
    let mut world = Setup { own_server: true, ..Setup::default() }.start().await;
    let port = world.cluster.as_ref().unwrap().port();
    let way = testkit::Way::to(port).await.unwrap();
    let url = way.instead_of(&world.database_url(), port);
    world.restart(&[("BARID__STORE__URL", url.leak())]).await;
    assert_eq!(world.say("971500000501", HELLO).await, "sent");
    way.be_silent(true);
    let bodies: Vec<_> = (0..6).map(|n| world.meta.lead("971500000501", "Lina").text(&format!("silent {n}"))).collect();
    for webhook in &bodies {
        assert_eq!(world.post(webhook).await, 200, "the spool takes it");
    }
    assert_eq!(world.get("/readyz").await, (200, "spooling\n".to_owned()));
    way.be_silent(false);
    poured(&world).await;
    read_again(&world).await;
    let all = "SELECT body FROM message WHERE direction = 'in' ORDER BY id";
    let wanted: Vec<String> = std::iter::once(HELLO.to_owned()).chain((0..6).map(|n| format!("silent {n}"))).collect();
    assert_eq!(world.rows(all).await, wanted, "none lost, none twice, in order");
    assert_eq!(world.say("971500000502", HELLO).await, "sent", "no restart was needed");
    world.settled().await;
    assert!(world.down().await);
}

/// S1.9 from the first moment: the configuration says all that is needed to take a webhook.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_while_the_database_is_away_takes_webhooks() {
    if !on_postgres() {
        return;
    }
    let mut world = Setup { own_server: true, ..Setup::default() }.start().await;
    assert_eq!(world.say("971500000601", HELLO).await, "sent");
    world.settled().await;
    assert!(world.down().await);
    let mut cluster = world.cluster.take().unwrap();
    cluster.stop().unwrap();
    // Without a spool there is nothing to wait with.
    world.setup.env.push(("BARID__STORE__SPOOL", "off"));
    let refused = world.another().await.unwrap_err();
    assert!(format!("{refused:#}").contains("cannot reach the database"), "{refused:#}");
    world.setup.env.pop();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (config, clock) = (world.config(), world.clock.clone());
    let start = Start { own_clock: true, ..Start::default() };
    let starting = TaskTracker::new().spawn(async move { App::start_on(listener, &config, clock, start).await });
    let ask = async |webhook: &Webhook, url: &str| {
        let request = world.http.post(format!("{base}{url}")).header("content-type", "application/json");
        let answer = request.header(webhook.header(), &webhook.proof).body(webhook.body.clone()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for n in 0..4 {
        let webhook = world.meta.lead("971500000601", "Lina").text(&format!("early {n}"));
        let (status, answer) = ask(&webhook, "/api/webhooks/whatsapp").await;
        assert!(status == 200 && answer.contains("\"spooled\":true"), "{status} {answer}");
    }
    let green = world.green.lead("971500000602", "Omar").text("by the other provider");
    assert_eq!(ask(&green, "/webhook/greenapi").await.0, 200);
    let mut forged = world.meta.lead("971500000601", "Lina").text("forged");
    forged.proof = format!("sha256={}", "0".repeat(64));
    assert_eq!(ask(&forged, "/api/webhooks/whatsapp").await.0, 401, "nobody gets by the signature meanwhile");
    let get = async |path: &str| world.http.get(format!("{base}{path}")).send().await.unwrap().status().as_u16();
    assert_eq!((get("/livez").await, get("/readyz").await, get("/api/v1/me").await), (200, 200, 503));
    assert!(!starting.is_finished());
    cluster.restart().unwrap();
    let app = starting.await.unwrap().unwrap();
    world.cluster = Some(cluster);
    world.take_up(app);
    poured(&world).await;
    let all = "SELECT m.body FROM message m JOIN conversation v ON v.id = m.conversation_id JOIN contacts c ON c.id = v.contact_id
               WHERE m.direction = 'in' AND c.phone = '971500000601' ORDER BY m.id";
    assert_eq!(world.rows(all).await, [HELLO, "early 0", "early 1", "early 2", "early 3"], "in order, once");
    world.until("SELECT COUNT(*) FROM message WHERE body = 'by the other provider'", "1").await;
    assert_eq!(world.say("971500000603", HELLO).await, "sent");
    world.settled().await;
    assert!(world.down().await);
}
