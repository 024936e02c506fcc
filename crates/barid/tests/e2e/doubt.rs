//! Sends of which nobody saw the end (S4.4): never repeated blindly, always settled.

use simulator::lead::Status;
use simulator::{Fault, Provider, Rule, StatusKind};
use types::Clock;

use crate::support::{HELLO, INSTANCE, Setup, World};

const PHONE: &str = "971500000101";
const OTHER: &str = "971500000102";
const STATUS: &str = "SELECT status FROM message WHERE direction = 'out' ORDER BY id";
const DUPLICATE: &str = "SELECT possible_duplicate FROM message WHERE direction = 'out' ORDER BY id";
/// Long enough that no window ends by itself.
const LONG: [(&str, &str); 2] = [("BARID__SEND__RECONCILE", "10m"), ("BARID__SEND__RECONCILE_GREENAPI", "10m")];

/// Somebody else is answered.
async fn another_send(world: &World) {
    assert_eq!(world.say(OTHER, HELLO).await, "sent");
}

/// Webhooks come after all that was sent, so that silence about one send means something.
async fn webhooks_come(world: &World) {
    another_send(world).await;
    world.accept(&world.meta.lead(OTHER, "Omar").reaction("wamid.any", "👍")).await;
}

/// Every way to lose an answer.
fn lost(accepted: bool) -> Vec<Fault> {
    if accepted {
        vec![Fault::DropAnswer, Fault::ServerError { accepted: true }, Fault::AnswerGarbage]
    } else {
        vec![Fault::DropBefore, Fault::ServerError { accepted: false }]
    }
}

/// The status webhook with our key proves that it arrived: settled, and not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_with_our_key_settles_it() {
    for fault in lost(true) {
        let world = Setup::default().env(&LONG).start().await;
        world.sim.push_fault(Rule::next(1, fault.clone()));
        world.accept(&world.meta.lead(PHONE, "Lina").text(HELLO)).await;
        world.until(STATUS, "read").await;
        world.until("SELECT outcome || ' ' || fault FROM attempts", "saved_only ambiguous").await;
        world.jump(3600);
        // What waited behind it is worked, and nothing is sent twice.
        assert_eq!(world.say(PHONE, "I need Ejari").await, "sent");
        assert_eq!(world.sent_to(PHONE).len(), 2, "{fault:?}");
        let known = "SELECT provider_id FROM message WHERE direction = 'out' ORDER BY id";
        assert_eq!(world.one(known).await, &*world.sent_to(PHONE)[0].provider_id);
        assert_eq!(world.one(DUPLICATE).await, "0");
    }
}

/// Later replies of the conversation wait behind one in doubt, so that the order holds.
#[tokio::test(flavor = "multi_thread")]
async fn later_replies_wait_behind_one_in_doubt() {
    let world = Setup::default().silent().env(&LONG).start().await;
    world.sim.push_fault(Rule::next(1, Fault::DropBefore));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    assert_eq!(world.say(PHONE, "I need Ejari").await, "saved_only");
    assert_eq!(world.sent_to(PHONE).len(), 0);
    world.jump(601);
    let heard = world.heard(PHONE, 2).await;
    assert_eq!(heard, world.rows("SELECT body FROM message WHERE direction = 'out' ORDER BY id").await);
}

/// No trace until the window ends: `resend` sends once more and marks it.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_trace_it_is_sent_once_more_and_marked() {
    for (fault, copies) in lost(true).into_iter().map(|f| (f, 2)).chain(lost(false).into_iter().map(|f| (f, 1))) {
        let world = Setup::default().silent().env(&LONG).start().await;
        world.sim.push_fault(Rule::next(1, fault.clone()));
        assert_eq!(world.say(PHONE, HELLO).await, "saved_only", "{fault:?}");
        assert_eq!(world.one(STATUS).await, "unknown", "{fault:?}");
        webhooks_come(&world).await;
        world.jump(601);
        assert_eq!(world.heard(PHONE, copies).await.len(), copies, "{fault:?}");
        world.until(STATUS, "sent").await;
        assert_eq!(world.one(DUPLICATE).await, "1", "{fault:?}");
        world.jump(3600);
        assert_eq!(world.say(PHONE, "I need Ejari").await, "sent");
        assert_eq!(world.sent_to(PHONE).len(), copies + 1, "{fault:?}: once more, not twice");
        let keys: Vec<_> = world.sent_to(PHONE).iter().map(|a| a.dedupe_key.clone()).collect();
        assert!(keys[..copies].iter().all(|k| *k == keys[0]), "the copy carries the same key: {keys:?}");
    }
}

/// Where other sends are accepted and no webhook of the channel comes, silence proves nothing, and the wait goes on: up to an hour.
#[tokio::test(flavor = "multi_thread")]
async fn where_webhooks_are_down_the_wait_is_longer() {
    let world = Setup::default().silent().env(&LONG).start().await;
    world.sim.push_fault(Rule::next(1, Fault::DropAnswer));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    another_send(&world).await;
    let due = "SELECT due_at FROM outbox WHERE due_at IS NOT NULL";
    let first = world.one(due).await;
    world.jump(601);
    for _ in crate::support::Tries::new() {
        if world.one(due).await != first {
            break;
        }
        crate::support::pause().await;
    }
    assert_ne!(world.one(due).await, first, "the wait was prolonged");
    assert_eq!((world.one(STATUS).await.as_str(), world.sent_to(PHONE).len()), ("unknown", 1));
    world.jump(3601);
    assert_eq!(world.heard(PHONE, 2).await.len(), 2);
}

/// `hold` keeps it for a person, tells them, and their retry sends it.
#[tokio::test(flavor = "multi_thread")]
async fn hold_keeps_it_for_a_person() {
    let world = Setup::default().silent().env(&LONG).env(&[("BARID__SEND__ON_UNKNOWN", "hold")]).start().await;
    world.sim.push_fault(Rule::next(1, Fault::DropAnswer));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    webhooks_come(&world).await;
    world.jump(601);
    world.until("SELECT status FROM message WHERE direction = 'out' ORDER BY id", "held").await;
    assert_eq!(world.sent_to(PHONE).len(), 1, "nothing was sent again");
    assert_eq!(world.one("SELECT COUNT(*) FROM notification WHERE kind = 'send_held'").await, "1");
    // Others of the conversation go on.
    assert_eq!(world.say(PHONE, "I need Ejari").await, "sent");
    let held = world.app().store().read(store::views::FailedSends { before: None, limit: 10 }).await.unwrap();
    assert_eq!(held.len(), 1);
    world.app().store().write(store::outbox::Retry(held[0].id)).await.unwrap();
    assert_eq!(world.heard(PHONE, 3).await[2], held[0].body);
    world.until("SELECT status FROM message WHERE direction = 'out' ORDER BY id", "sent").await;
}

/// A late status still proves the arrival of what a person holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_status_settles_what_is_held() {
    let world = Setup::default().silent().env(&LONG).env(&[("BARID__SEND__ON_UNKNOWN", "hold")]).start().await;
    world.sim.push_fault(Rule::next(1, Fault::DropAnswer));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    webhooks_come(&world).await;
    world.jump(601);
    world.until(STATUS, "held").await;
    let sent = &world.sent_to(PHONE)[0];
    let status = Status {
        provider_id: &sent.provider_id,
        kind: StatusKind::Delivered,
        to: PHONE,
        dedupe_key: sent.dedupe_key.as_deref(),
        at: world.clock.now().seconds(),
        template: false,
        error: None,
    };
    world.accept(&world.meta.statuses(&[status])).await;
    assert_eq!(world.one(STATUS).await, "delivered");
}

/// Green API's journal settles it, without any webhook.
#[tokio::test(flavor = "multi_thread")]
async fn green_apis_journal_settles_it() {
    for fault in lost(true) {
        let world = Setup::default().silent().env(&LONG).start().await;
        world.sim.push_fault(Rule::next(1, fault.clone()));
        let lead = world.green.lead(PHONE, "Lina");
        assert_eq!(world.ask(&lead.text(HELLO)).await["response_sent"], "saved_only", "{fault:?}");
        world.jump(601);
        world.until(STATUS, "sent").await;
        assert_eq!(world.sent_to(PHONE).len(), 1, "{fault:?}");
        assert_eq!(
            world.one("SELECT provider_id FROM message WHERE direction = 'out'").await,
            &*world.sent_to(PHONE)[0].provider_id
        );
        assert_eq!(world.one(DUPLICATE).await, "0");
    }
}

/// What waits in Green API's queue is not sent again, however long it waits there.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_green_apis_queue_is_not_sent_again() {
    let world = Setup::default().silent().env(&LONG).start().await;
    world.sim.set_instance_state(INSTANCE, "sleepMode", false);
    world.sim.push_fault(Rule::next(1, Fault::DropAnswer));
    assert_eq!(world.ask(&world.green.lead(PHONE, "Lina").text(HELLO)).await["response_sent"], "saved_only");
    for _ in 0..3 {
        let before = world.one("SELECT due_at FROM outbox").await;
        world.jump(601);
        for _ in crate::support::Tries::new() {
            if world.one("SELECT due_at FROM outbox").await != before {
                break;
            }
            crate::support::pause().await;
        }
        assert_eq!((world.one(STATUS).await.as_str(), world.sent_to(PHONE).len()), ("unknown", 1));
    }
    world.sim.set_instance_state(INSTANCE, "authorized", false);
    world.jump(601);
    world.until(STATUS, "sent").await;
    assert_eq!(world.sent_to(PHONE).len(), 1);
}

/// Absent from queue and journal: it is sent once more.
#[tokio::test(flavor = "multi_thread")]
async fn what_green_api_never_had_is_sent_again() {
    for fault in lost(false) {
        let world = Setup::default().silent().env(&LONG).start().await;
        world.sim.push_fault(Rule::next(1, fault.clone()));
        assert_eq!(world.ask(&world.green.lead(PHONE, "Lina").text(HELLO)).await["response_sent"], "saved_only");
        assert_eq!(world.sent_to(PHONE).len(), 0, "{fault:?}");
        world.jump(601);
        assert_eq!(world.heard(PHONE, 1).await.len(), 1, "{fault:?}");
        world.until(STATUS, "sent").await;
        assert_eq!(world.one(DUPLICATE).await, "1");
    }
}

/// The webhook of our own API send settles it at once.
#[tokio::test(flavor = "multi_thread")]
async fn green_apis_own_send_webhook_settles_it() {
    let world = Setup::default().env(&LONG).start().await;
    world.sim.push_fault(Rule::next(1, Fault::DropAnswer).of(Provider::Green));
    let lead = world.green.lead(PHONE, "Lina");
    // The webhook may settle it before anybody could say that it was in doubt.
    world.accept(&lead.text(HELLO)).await;
    world.until(STATUS, "read").await;
    world.until("SELECT outcome || ' ' || fault FROM attempts", "saved_only ambiguous").await;
    assert_eq!(world.ask(&lead.text("I need Ejari")).await["response_sent"], "sent");
    assert_eq!(world.sent_to(PHONE).len(), 2);
    assert_eq!(world.one("SELECT COUNT(*) FROM message WHERE sender = 'HUMAN'").await, "0", "it is ours, not staff's");
}
