//! Stopping under load, and starting again (S2.9, promises 1 and 2).

use simulator::client::Acknowledged;
use simulator::{Fault, Rule};
use tokio::task::JoinSet;

use crate::support::{HELLO, Setup, World};

/// S2.9: a drain under load finishes what runs, gives its leases back, loses nothing, and the next start goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_under_load_loses_nothing_and_says_nothing_twice() {
    let mut world = Setup::default().env(&[("BARID__JOBS__WORKERS", "8")]).start().await;
    // Slow enough that the drain finds work everywhere: queued, running, being sent.
    world.sim.push_fault(Rule::always(Fault::Delay { ms: 30, accepted: true }));
    let mut posts = JoinSet::new();
    let mut posted = Vec::new();
    for n in 0..60 {
        let webhook = world.meta.lead(&format!("9715000004{n:02}"), "Lina").text(HELLO);
        posted.push(Acknowledged { id: webhook.id.clone(), chat: webhook.chat.clone() });
        let request = world.request(&webhook);
        posts.spawn(async move { (webhook.id, request.send().await.is_ok_and(|a| a.status() == 200)) });
    }
    let acknowledged: Vec<String> =
        posts.join_all().await.into_iter().filter(|(_, ok)| *ok).map(|(id, _)| id).collect();
    assert_eq!(acknowledged.len(), 60);
    assert!(world.down().await, "what runs ends in time");
    let before = world.sim.accepted_count();
    assert!(before < 60, "the drain came too late to test anything");

    world.sim.clear_faults();
    // Whoever opens it now finds no lease of the one that went.
    world.setup.no_worker = true;
    world.up().await;
    assert_eq!(world.one("SELECT COUNT(*) FROM conversation WHERE lease_owner IS NOT NULL").await, "0");
    assert_eq!(
        world.one("SELECT COUNT(*) FROM message WHERE direction = 'out' AND status IN ('sending', 'unknown')").await,
        "0"
    );
    world.setup.no_worker = false;
    world.restart(&[]).await;
    world.settled().await;
    let ledgers =
        testkit::Ledgers::new().acknowledged(posted).accepted(world.sim.ledger(), testkit::ledgers::inbound_of);
    ledgers.check().unwrap();
    assert_eq!(world.sim.accepted_count(), 60);
}

/// A second engine on the same file refuses to start and says why; the first goes on. On PostgreSQL the second is a node like the first (S8.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_second_engine_refuses_the_same_file_and_shares_the_same_server() {
    let world = World::new().await;
    let second = world.another().await;
    if crate::support::on_postgres() {
        assert_eq!(world.say("971500000101", HELLO).await, "sent");
        assert!(second.unwrap().drain().await);
    } else {
        let text = format!("{:#}", second.unwrap_err());
        assert!(text.contains("another barid is using it"), "{text}");
    }
    assert_eq!(world.say("971500000102", HELLO).await, "sent");
}

/// After a drain the port is closed: a provider gets no answer and comes again, instead of a 200 for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_drain_nothing_is_acknowledged() {
    let mut world = World::new().await;
    let webhook = world.meta.lead("971500000101", "Lina").text(HELLO);
    let request = world.request(&webhook);
    assert!(world.down().await);
    assert!(request.send().await.is_err());
    world.up().await;
    assert_eq!(world.accept(&webhook).await["accepted"], 1);
}

/// A send that was cut off with its process is not repeated blindly: the receipt settles it (S4.4).
#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_a_drain_cut_off_is_settled_by_its_receipt() {
    let env = [
        ("BARID__JOBS__DRAIN", "100ms"),
        ("BARID__SEND__RECONCILE", "10m"),
        ("BARID__SEND__TIMEOUT", "60s"),
        ("BARID__JOBS__LEASE", "10m"),
    ];
    let mut world = Setup::default().env(&env).start().await;
    world.sim.push_fault(Rule::next(1, Fault::Hang { accepted: true }));
    world.accept(&world.meta.lead("971500000101", "Lina").text(HELLO)).await;
    world.heard("971500000101", 1).await;
    assert!(!world.down().await, "a send hangs: the drain says that not everything ended");
    world.up().await;
    world.until("SELECT status FROM message WHERE direction = 'out'", "read").await;
    assert_eq!(world.say("971500000101", "I need Ejari").await, "sent");
    assert_eq!(world.sent_to("971500000101").len(), 2);
}
