//! What goes out, and what providers say to it (S4.2, S4.3, S4.5).

use std::time::Duration;

use simulator::{Fault, Provider, Rule};

use crate::support::{HELLO, INSTANCE, PATIENCE, Setup, World};

const PHONE: &str = "971500000101";
const OTHER: &str = "971500000102";

fn refuse(http: u16, code: i64, retry_after_s: Option<u64>) -> Fault {
    Fault::Refuse { http, code, message: format!("(#{code}) refused"), retry_after_s }
}

/// PROTOCOL 2.1: what can never pass fails at once, under whatever HTTP status it comes, and a person is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_pass_fails_at_once_and_is_listed() {
    let world = World::new().await;
    for (n, (http, code)) in [(400, 131_026), (400, 131_047), (500, 131_026), (403, 131_021)].into_iter().enumerate() {
        world.sim.push_fault(Rule::next(1, refuse(http, code, None)));
        let phone = format!("97150000010{n}");
        assert_eq!(world.say(&phone, HELLO).await, "failed", "{code}");
        assert_eq!(world.sent_to(&phone).len(), 0);
    }
    let failed = world.app().store().read(store::views::FailedSends { before: None, limit: 10 }).await.unwrap();
    let codes: Vec<_> = failed.iter().rev().filter_map(|f| f.error_code).collect();
    assert_eq!(codes, [131_026, 131_047, 131_026, 131_021]);
    assert!(failed.iter().all(|f| f.attempts == 1 && f.error.as_ref().is_some_and(|e| e.len() > 20)), "{failed:?}");
    let notices = "SELECT COUNT(*) FROM notification WHERE kind = 'send_failed'";
    assert_eq!(world.one(notices).await, "4");
    assert_eq!(world.one("SELECT COUNT(*) FROM outbox WHERE due_at IS NOT NULL").await, "0");
    // The conversation goes on with the next message.
    assert_eq!(world.say("971500000100", "I need Ejari").await, "sent");
}

/// S4.3: a provider that names a time is obeyed: not a moment earlier, and no attempt in between.
#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured() {
    for (phone, fault) in [
        (PHONE, refuse(429, 130_429, Some(120))),
        (PHONE, refuse(403, 130_429, Some(120))),
        (PHONE, refuse(400, 131_056, Some(120))),
    ] {
        let world = World::new().await;
        world.sim.push_fault(Rule::next(1, fault.clone()));
        assert_eq!(world.say(phone, HELLO).await, "saved_only", "{fault:?}");
        let wait: i64 =
            world.one("SELECT o.due_at - a.at FROM outbox o JOIN attempts a USING (message_id)").await.parse().unwrap();
        assert!((120_000_000..121_000_000).contains(&wait), "{wait} µs for {fault:?}");
        assert_eq!(world.one("SELECT outcome || ' ' || fault FROM attempts").await, "failed throttled");
        world.jump(60);
        // A round of the scheduler and a whole other conversation find nothing to send yet.
        assert_eq!(world.say(OTHER, HELLO).await, "sent");
        assert_eq!(world.sent_to(phone).len(), 0, "{fault:?}");
        world.jump(70);
        assert_eq!(world.heard(phone, 1).await.len(), 1);
        world.until("SELECT COUNT(*) FROM attempts a JOIN message m ON m.id = a.message_id JOIN outbox o USING (message_id) WHERE o.attempts = 2", "2").await;
    }
}

/// PROTOCOL 2.1: the pair limit concerns one person; somebody else is answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn the_pair_limit_stops_one_person_only() {
    let world = World::new().await;
    world.sim.push_fault(Rule::next(1, refuse(400, 131_056, None)).to(PHONE));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    assert_eq!(world.say(OTHER, HELLO).await, "sent");
    assert_eq!(world.one("SELECT state FROM channels").await, "ready");
    world.jump(10);
    assert_eq!(world.heard(PHONE, 1).await.len(), 1);
}

/// S4.5: our own pair bucket makes the second message wait; waiting costs no attempt.
#[tokio::test(flavor = "multi_thread")]
async fn our_own_limit_waits_without_failing() {
    let env = [("BARID__SEND__PAIR__BURST", "1"), ("BARID__SEND__PAIR__EVERY", "700ms")];
    let world = Setup::default().env(&env).start().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    world.accept(&world.meta.lead(PHONE, "Lina").text("I need Ejari")).await;
    assert_eq!(world.heard(PHONE, 2).await.len(), 2);
    world.settled().await;
    assert_eq!(world.rows("SELECT outcome FROM attempts").await, ["sent", "sent"]);
    let ledger = world.sent_to(PHONE);
    assert!(ledger[1].at.since(ledger[0].at) >= Duration::from_millis(500), "{:?}", ledger[1].at.since(ledger[0].at));
}

/// S4.3: an expired token pauses the channel, raises one alert, burns no attempt, and everything waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_pauses_the_channel_and_everything_waits() {
    let world = World::new().await;
    world.sim.push_fault(Rule::always(Fault::TokenExpired).of(Provider::Meta));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    assert_eq!(world.one("SELECT state FROM channels WHERE kind = 'meta'").await, "paused");
    assert_eq!(world.one("SELECT kind FROM notification").await, "channel_paused");
    // Later messages wait behind it, of this person and of others; nothing is tried, nothing is lost.
    world.accept(&world.meta.lead(PHONE, "Lina").text("I need Ejari")).await;
    assert_eq!(world.say(OTHER, HELLO).await, "saved_only");
    world.jump(2 * 86_400);
    world.until("SELECT COUNT(*) FROM message WHERE direction = 'out' AND status = 'pending'", "3").await;
    // Green API's channel is not concerned; and its whole turn is time enough for the scheduler to do something wrong.
    assert_eq!(world.ask(&world.green.lead("971500000103", "Omar").text(HELLO)).await["response_sent"], "sent");
    assert_eq!(
        world
            .one("SELECT SUM(o.attempts) FROM outbox o JOIN channels c ON c.id = o.channel_id WHERE c.kind = 'meta'")
            .await,
        "0"
    );
    assert_eq!(
        world.one("SELECT COUNT(*) FROM attempts WHERE outcome <> 'sent'").await,
        "1",
        "only the one that showed it"
    );
    assert_eq!(world.one("SELECT COUNT(*) FROM notification").await, "1", "one alert, however many messages wait");
    assert_eq!(world.sim.accepted_count(), 1);
}

/// S4.3: with a new token in the configuration everything goes out, in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_sends_what_waited_in_order() {
    let mut world = Setup::default().env(&[("BARID__TENANTS__0__CHANNELS__0__ACCESS_TOKEN", "expired")]).start().await;
    for line in ["hello", "I need Ejari", "Rashid Kareem"] {
        world.accept(&world.meta.lead(PHONE, "Lina").text(line)).await;
    }
    world.until("SELECT state FROM channels WHERE kind = 'meta'", "paused").await;
    world.until("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')", "0").await;
    assert_eq!(world.sim.accepted_count(), 0);
    world.restart(&[("BARID__TENANTS__0__CHANNELS__0__ACCESS_TOKEN", "meta-token-a")]).await;
    let heard = world.heard(PHONE, 3).await;
    assert_eq!(heard, world.rows("SELECT body FROM message WHERE direction = 'out' ORDER BY id").await);
    world.settled().await;
    assert_eq!(world.one("SELECT state FROM channels WHERE kind = 'meta'").await, "ready");
}

/// S4.3: a probe that finds the token working resumes the channel without anybody's hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_resumes_a_channel_whose_token_works_again() {
    let world = Setup::default().env(&[("BARID__SEND__PROBE_EVERY", "100ms")]).start().await;
    world.sim.push_fault(Rule::always(Fault::TokenExpired).of(Provider::Meta));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    assert_eq!(world.one("SELECT state FROM channels WHERE kind = 'meta'").await, "paused");
    world.sim.clear_faults();
    assert_eq!(world.heard(PHONE, 1).await.len(), 1);
    world.until("SELECT state FROM channels WHERE kind = 'meta'", "ready").await;
}

/// S1.2, S4.3: the state that Green API reports pauses and resumes the instance.
#[tokio::test(flavor = "multi_thread")]
async fn green_apis_own_state_pauses_and_resumes() {
    let world = World::new().await;
    world.sim.set_instance_state(INSTANCE, "notAuthorized", true);
    world.until("SELECT state FROM channels WHERE kind = 'greenapi'", "paused").await;
    let answer = world.ask(&world.green.lead(PHONE, "Lina").text(HELLO)).await;
    assert_eq!(answer["response_sent"], "saved_only");
    assert_eq!(world.sim.accepted_count(), 0);
    assert_eq!(world.one("SELECT SUM(attempts) FROM outbox").await, "0");
    world.sim.set_instance_state(INSTANCE, "authorized", true);
    assert_eq!(world.heard(PHONE, 1).await.len(), 1);
    assert_eq!(world.one("SELECT state FROM channels WHERE kind = 'greenapi'").await, "ready");
}

/// S4.4: a refused connection proves that nothing left this machine: it is tried again, plainly, and is no possible duplicate.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_tried_again() {
    let mut world = Setup::default().env(&[("BARID__SEND__RETRY", "1s,1s,1s,1s")]).start().await;
    let nobody = format!("http://127.0.0.1:{}", testkit::free_port().unwrap());
    world.restart(&[("BARID__TENANTS__0__CHANNELS__0__API_BASE", nobody.leak())]).await;
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    assert_eq!(world.one("SELECT outcome || ' ' || fault FROM attempts").await, "saved_only transient");
    let base = world.sim.base_url();
    world.restart(&[("BARID__TENANTS__0__CHANNELS__0__API_BASE", base.leak())]).await;
    assert_eq!(world.heard(PHONE, 1).await.len(), 1);
    world.settled().await;
    assert_eq!(world.one("SELECT possible_duplicate FROM message WHERE direction = 'out'").await, "0");
}

/// S4.3: when every attempt was refused for speed it fails, is listed, and a person's retry sends it.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_end_and_a_person_may_begin_again() {
    let world = World::new().await;
    world.sim.push_fault(Rule::next(5, refuse(429, 130_429, None)));
    world.say(PHONE, HELLO).await;
    world
        .until("SELECT m.status || ' ' || o.attempts FROM outbox o JOIN message m ON m.id = o.message_id", "failed 5")
        .await;
    assert_eq!(world.one("SELECT COUNT(*) FROM attempts").await, "5");
    let failed = world.app().store().read(store::views::FailedSends { before: None, limit: 10 }).await.unwrap();
    world.app().store().write(store::outbox::Retry(failed[0].id)).await.unwrap();
    assert_eq!(world.heard(PHONE, 1).await.len(), 1);
    world.settled().await;
    assert_eq!(world.one("SELECT COUNT(*) FROM message WHERE status = 'read'").await, "1");
}

/// S4.2: a status may say `failed` long after the provider accepted; a person is told why.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_status_fails_the_message() {
    let world = World::new().await;
    let fault =
        Fault::FailStatus { code: 131_026, title: "Message undeliverable".into(), word: Some("noAccount".into()) };
    world.sim.push_fault(Rule::always(fault));
    // The receipt may come before anyone looks at what was accepted.
    let accepted = ["sent", "failed"];
    assert!(accepted.contains(&world.say(PHONE, HELLO).await.as_str()));
    let said = world.ask(&world.green.lead(OTHER, "Omar").text(HELLO)).await;
    assert!(accepted.iter().any(|word| said["response_sent"] == *word), "{said}");
    world.until("SELECT COUNT(*) FROM message WHERE direction = 'out' AND status = 'failed'", "2").await;
    let error = "SELECT error_code || ' ' || error FROM message WHERE direction = 'out' AND error_code IS NOT NULL";
    assert_eq!(world.one(error).await, "131026 Message undeliverable");
    assert!(world.sim.wait_accepted(2, PATIENCE).await);
}

/// S2.4: a provider that never answers is left at `send.timeout`, and what follows in other conversations does not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_provider_is_left_in_time() {
    let env = [("BARID__SEND__TIMEOUT", "400ms"), ("BARID__SEND__RECONCILE", "1h")];
    let world = Setup::default().silent().env(&env).start().await;
    world.sim.push_fault(Rule::next(1, Fault::Hang { accepted: false }).to(PHONE));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    assert_eq!(world.one("SELECT status FROM message WHERE direction = 'out'").await, "unknown");
    assert_eq!(world.one("SELECT fault FROM attempts").await, "ambiguous");
    assert_eq!(world.say(OTHER, HELLO).await, "sent");
}

/// S4.10: a provider that fails again and again is left alone: what comes meanwhile is saved, waits, and loses no attempt; another number goes
/// on; a person's reset lets it go out at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_saves_and_waits_and_a_reset_lets_it_go() {
    let env =
        [("BARID__BREAKERS__FAILURES", "3"), ("BARID__BREAKERS__OPEN", "1h"), ("BARID__BREAKERS__OPEN_MAX", "1h")];
    let world = Setup::default().env(&env).start().await;
    let broken = Fault::ServerError { accepted: false };
    world.sim.push_fault(Rule::always(broken).of(Provider::Meta));
    for n in 0..3 {
        world.say(&format!("97150000011{n}"), HELLO).await;
    }
    world.until("SELECT state FROM breaker WHERE name LIKE 'channel%' AND state <> 'closed'", "open").await;
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    let of_person = format!(
        "SELECT o.attempts || ' ' || a.outcome || ' ' || substr(a.error, 1, 14) FROM attempts a JOIN outbox o USING (message_id)
         JOIN conversation v ON v.id = o.conversation_id JOIN contacts c ON c.id = v.contact_id WHERE c.phone = '{PHONE}'"
    );
    assert_eq!(world.one(&of_person).await, "0 saved_only not attempted:");
    assert_eq!(world.ask(&world.green.lead("971500000103", "Omar").text(HELLO)).await["response_sent"], "sent");
    world.sim.clear_faults();
    let name = world.one("SELECT name FROM breaker WHERE state = 'open'").await;
    let (turn, access, by) = (store::breakers::Turn::Reset, store::desk::Access::All, store::desk::By::command());
    let reset = store::desk::breakers::Move { name, turn, reason: "the provider is back".into(), access, by };
    world.app().store().write(reset).await.unwrap();
    world.app().store().hub().ring_breakers();
    world.app().store().hub().wake();
    assert_eq!(world.heard(PHONE, 1).await.len(), 1);
    let metrics = world.get("/metrics").await.1;
    assert!(metrics.contains("circuit_breaker_state{name=\"channel_"), "{metrics}");
}
