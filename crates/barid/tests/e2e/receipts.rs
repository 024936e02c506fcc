//! What became of a message (S4.6): late, repeated and reversed reports never move it back.

use std::time::Duration;

use simulator::lead::{Status, Webhook};
use simulator::{Accepted, Fault, Rule, StatusKind, StatusPlan};
use types::Clock;

use crate::support::{HELLO, Setup, World};

const PHONE: &str = "971500000101";
const STATUS: &str = "SELECT status FROM message WHERE direction = 'out'";

fn report(world: &World, sent: &Accepted, kind: StatusKind, key: bool) -> Webhook {
    let status = Status {
        provider_id: &sent.provider_id,
        kind,
        to: PHONE,
        dedupe_key: sent.dedupe_key.as_deref().filter(|_| key),
        at: world.clock.now().seconds(),
        template: false,
        error: None,
    };
    world.meta.statuses(&[status])
}

/// RELIABILITY 19: read, then delivered, then sent: it stays read, and each is kept.
#[tokio::test(flavor = "multi_thread")]
async fn reversed_statuses_never_move_a_message_back() {
    let world = Setup::default().silent().start().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    let sent = world.sent_to(PHONE).remove(0);
    let mut seen = Vec::new();
    for kind in [StatusKind::Read, StatusKind::Delivered, StatusKind::Sent, StatusKind::Failed, StatusKind::Read] {
        world.accept(&report(&world, &sent, kind, true)).await;
        seen.push(world.one(STATUS).await);
    }
    assert_eq!(seen, ["read"; 5]);
    assert_eq!(world.one("SELECT COUNT(*) FROM receipts").await, "4", "each kind once");
    let times = "SELECT sent_at IS NOT NULL, delivered_at IS NOT NULL, read_at IS NOT NULL FROM message WHERE direction = 'out'";
    assert_eq!(world.one(times).await, "1|1|1");
}

/// PROTOCOL 1.4: shuffled and doubled statuses of many messages end with every one of them read.
#[tokio::test(flavor = "multi_thread")]
async fn shuffled_and_doubled_statuses_end_in_read() {
    let statuses = StatusPlan {
        delay: Duration::from_millis(3),
        shuffle: true,
        duplicate: 0.5,
        batch: 7,
        ..StatusPlan::default()
    };
    let world = Setup { statuses, ..Setup::default() }.start().await;
    for n in 0..15 {
        world.accept(&world.meta.lead(&format!("9715000003{n:02}"), "Lina").text(HELLO)).await;
    }
    world.settled().await;
    assert_eq!(
        world.rows("SELECT status, COUNT(*) FROM message WHERE direction = 'out' GROUP BY 1").await,
        ["read|15"]
    );
}

/// RELIABILITY 18: a status that overtakes the answer to the send is kept and applied, with our key or without it.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_before_the_answer_counts() {
    for with_key in [true, false] {
        let world = Setup::default().silent().start().await;
        world.sim.push_fault(Rule::next(1, Fault::Delay { ms: 400, accepted: true }));
        world.accept(&world.meta.lead(PHONE, "Lina").text(HELLO)).await;
        world.heard(PHONE, 1).await;
        let sent = world.sent_to(PHONE).remove(0);
        assert_eq!(world.one("SELECT COUNT(*) FROM attempts").await, "0", "the answer has not come yet");
        world.accept(&report(&world, &sent, StatusKind::Delivered, with_key)).await;
        world.until("SELECT COUNT(*) FROM attempts", "1").await;
        assert_eq!(world.one(STATUS).await, "delivered", "with the key: {with_key}");
        world.accept(&report(&world, &sent, StatusKind::Sent, with_key)).await;
        assert_eq!(world.one(STATUS).await, "delivered");
        assert_eq!(world.sent_to(PHONE).len(), 1);
        assert_eq!(world.one("SELECT COUNT(*) FROM receipts WHERE message_id IS NULL").await, "0");
    }
}

/// Statuses of messages that are none of ours are kept and move nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_a_strangers_message_is_only_kept() {
    let world = Setup::default().silent().start().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    let mut stranger = (*world.sent_to(PHONE)[0]).clone();
    stranger.provider_id = "wamid.nobodys".into();
    stranger.dedupe_key = None;
    let answer = world.accept(&report(&world, &stranger, StatusKind::Read, true)).await;
    assert_eq!(answer["recorded"], 1);
    assert_eq!(world.one(STATUS).await, "sent");
}
