//! Retries, dead letters and the janitor (S2.3, S2.5, S2.6).

use serde_json::Value;

use crate::support::{HELLO, RUNNER, Setup, World, recorder};

const PHONE: &str = "971500000101";
const POISON: &str = "UPDATE conversation SET memory = '{\"poison' WHERE id > 0";
const MEND: &str = "UPDATE conversation SET memory = NULL WHERE id > 0";

/// A conversation whose memory cannot be read, and a message that died of it.
async fn dead(setup: Setup) -> World {
    let world = setup.start().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    world.settled().await;
    assert_eq!(world.change(POISON).await, 1);
    world.accept(&world.meta.lead(PHONE, "Lina").text("I need Ejari")).await;
    world.until("SELECT state FROM jobs ORDER BY id DESC", "dead").await;
    world
}

/// S2.3, S2.5, RELIABILITY 22: so many attempts, then a letter that keeps everything, a notice, a count; and the conversation goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_every_time_becomes_a_dead_letter_and_the_conversation_goes_on() {
    let world = dead(Setup::default()).await;
    assert_eq!(
        world.one("SELECT attempts FROM jobs ORDER BY id DESC").await,
        "3",
        "one more than the waits of [jobs] retry"
    );
    let letter = world.one("SELECT status, attempts, redrives, fault, error, payload FROM dead_letters").await;
    assert!(letter.starts_with("pending|3|0|bug|the conversation's memory cannot be read"), "{letter}");
    assert!(letter.contains("I need Ejari"), "the payload is kept: {letter}");
    assert_eq!(world.one("SELECT COUNT(*) FROM notification WHERE kind = 'dead_letter'").await, "1");
    let (_, figures) = world.get(&format!("/api/jobs/metrics?token={RUNNER}")).await;
    let figures: Value = serde_json::from_str(&figures).unwrap();
    assert_eq!((&figures["pending_dead_letters"], &figures["failed_24h"]), (&1.into(), &1.into()));
    let (_, metrics) = world.get("/metrics").await;
    assert!(metrics.lines().any(|l| l.starts_with("message_dlq_total{kind=\"turn\"}")), "{metrics}");
    drop(recorder());

    // The next message is worked, whatever became of this one.
    assert_eq!(world.change(MEND).await, 1);
    assert_eq!(world.say(PHONE, "my name is Rashid Kareem").await, "sent");
    assert_eq!(world.one("SELECT status FROM dead_letters").await, "pending");
}

/// S2.5: setting `next_retry_at` in SQL is enough to retry one; it answers late, and once.
#[tokio::test(flavor = "multi_thread")]
async fn setting_next_retry_at_in_sql_retries_a_letter() {
    let world = dead(Setup::default()).await;
    assert_eq!(world.change(MEND).await, 1);
    let long_ago = if world.app().store().guards_tenants() { "to_timestamp(1)" } else { "1" };
    world
        .change(&format!("UPDATE webhook_dlq SET next_retry_at = {long_ago} WHERE resolution_status = 'pending'"))
        .await;
    world.until("SELECT status FROM dead_letters", "resolved").await;
    assert_eq!(world.heard(PHONE, 2).await.len(), 2);
    world.settled().await;
    assert_eq!(world.one("SELECT state || ' ' || redrives FROM jobs ORDER BY id DESC").await, "done 1");
    assert_eq!(world.sent_to(PHONE).len(), 2);
}

/// S2.5: letters are retried by themselves after 1 m, 5 m, 15 m and 1 h, then only by hand.
#[tokio::test(flavor = "multi_thread")]
async fn letters_are_retried_by_themselves_four_times() {
    let world = dead(Setup::default()).await;
    let wait = "SELECT (next_retry_at - last_at) / 1000000 FROM dead_letters";
    for (redrives, seconds) in [(0, 60), (1, 300), (2, 900), (3, 3600)] {
        world.until("SELECT status || ' ' || redrives FROM dead_letters", &format!("pending {redrives}")).await;
        assert_eq!(world.one(wait).await, seconds.to_string());
        world.jump(seconds + 1);
    }
    world.until("SELECT status || ' ' || redrives FROM dead_letters", "pending 4").await;
    assert_eq!(world.one("SELECT next_retry_at FROM dead_letters").await, "");
    assert_eq!(world.one("SELECT attempts FROM dead_letters").await, "15", "three attempts, five times");
    assert_eq!(world.change(MEND).await, 1);
    let letters =
        world.app().store().read(store::dead_letters::List { status: None, before: None, limit: 5 }).await.unwrap();
    let by_hand = store::dead_letters::Decide { letter: letters[0].id, retry: true, actor: "test".into() };
    world.app().store().write(by_hand).await.unwrap();
    world.until("SELECT status FROM dead_letters", "resolved").await;
}

/// S2.6, S1.6: the janitor frees expired leases, unsticks what nobody would look at, and forgets ids after thirty days, not before.
#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_frees_unsticks_and_forgets() {
    let world = Setup::default().env(&[("BARID__JOBS__JANITOR_EVERY", "100ms")]).start().await;
    let first = world.meta.lead(PHONE, "Lina").text(HELLO);
    world.accept(&first).await;
    world.settled().await;

    // Left behind by a process that died: a lease that has ended, and work that no due time points to.
    world.change("UPDATE jobs SET state = 'queued', completed_at = NULL WHERE id > 0").await;
    world.until("SELECT state FROM jobs", "done").await;
    world
        .change(
            "UPDATE conversation SET lease_owner = 'gone', lease_until = 1, next_due = 99999999999999999 WHERE id > 0",
        )
        .await;
    world.until("SELECT COALESCE(lease_owner, 'free') FROM conversation", "free").await;
    world.change("UPDATE conversation SET next_due = NULL WHERE id > 0").await;

    world.jump(29 * 86_400);
    assert_eq!(world.accept(&first).await["duplicates"], 1, "a repeat within thirty days is known");
    world.jump(2 * 86_400);
    world.until("SELECT COUNT(*) FROM inbox", "0").await;
    world.until("SELECT COUNT(*) FROM receipts", "0").await;
    assert_eq!(world.one("SELECT COUNT(*) FROM message").await, "2", "messages are kept");
}
