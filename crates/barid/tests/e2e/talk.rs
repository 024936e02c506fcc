//! Conversations from the first word to the hand-over (S3.1, S1.8, promises 2 to 4).

use std::fmt::Write as _;

use serde_json::Value;
use simulator::lead::Webhook;
use tokio::task::JoinSet;
use types::clock::Stopwatch;

use crate::support::{HELLO, PATIENCE, PNID, Setup, World};

/// Plays the lead's lines one after the other, each after the answer to the one before, and writes down what the phone shows.
async fn transcript(world: &World, phone: &str, lines: &[&str], write: impl Fn(&str) -> Webhook) -> String {
    let mut out = String::new();
    let mut shown = 0;
    for line in lines {
        writeln!(out, "LEAD: {line}").unwrap();
        let answer = world.ask(&write(line)).await;
        let sent = world.sent_to(phone);
        for reply in &sent[shown..] {
            writeln!(out, "BOT:  {}", reply.body).unwrap();
        }
        shown = sent.len();
        if answer["status"] != "ai_responded" {
            writeln!(out, "      ({})", answer["status"].as_str().unwrap()).unwrap();
        }
    }
    world.settled().await;
    let lead = "SELECT 'service: ' || COALESCE(service, '-'), 'name: ' || COALESCE(name, '-'), 'nationality: ' || COALESCE(nationality, '-'),
                       'e-mail: ' || COALESCE(email, '-'), 'call: ' || COALESCE(call_time, '-') FROM lead";
    writeln!(out, "LEAD ROW  {}", world.one(lead).await).unwrap();
    writeln!(out, "STATE     {}", world.one("SELECT state FROM conversation").await).unwrap();
    let moves = "SELECT from_state || ' to ' || to_state || ': ' || reason || ' (' || actor || ')' FROM transitions ORDER BY id";
    for transition in world.rows(moves).await {
        writeln!(out, "MOVE      {transition}").unwrap();
    }
    for notice in
        world.rows("SELECT kind || ': ' || title FROM notification WHERE kind NOT LIKE 'alert%' ORDER BY id").await
    {
        writeln!(out, "NOTICE    {notice}").unwrap();
    }
    out
}

const ENGLISH: [&str; 6] =
    ["Hi", "I need a golden visa", "Rashid Kareem", "Pakistani", "rashid@example.com", "tomorrow after 5pm"];
const ARABIC: [&str; 5] = [
    "السلام عليكم",
    "أبغى رخصة تجارية",
    "أنا فاطمة الزعابي",
    "إماراتية",
    "الإيميل fatima@example.com وأفضل وقت بكرة العصر",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_over_meta_in_english() {
    let world = World::new().await;
    let lead = world.meta.lead("971500000101", "Rashid");
    insta::assert_snapshot!(transcript(&world, "971500000101", &ENGLISH, |l| lead.text(l)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_over_meta_in_arabic() {
    let world = World::new().await;
    let lead = world.meta.lead("971500000102", "فاطمة");
    insta::assert_snapshot!(transcript(&world, "971500000102", &ARABIC, |l| lead.text(l)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_over_green_api_in_english() {
    let world = World::new().await;
    let lead = world.green.lead("971500000101", "Rashid");
    insta::assert_snapshot!(transcript(&world, "971500000101", &ENGLISH, |l| lead.text(l)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_over_green_api_in_arabic() {
    let world = World::new().await;
    let lead = world.green.lead("971500000102", "فاطمة");
    insta::assert_snapshot!(transcript(&world, "971500000102", &ARABIC, |l| lead.text(l)).await);
}

/// S4.1, S4.4: what goes to Meta carries the reply's key, made of conversation, message and question.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_carries_its_key_to_meta() {
    let world = World::new().await;
    let webhook = world.meta.lead("971500000101", "Lina").text(HELLO);
    let answer = world.ask(&webhook).await;
    let sent = world.sent_to("971500000101");
    let key = sent[0].dedupe_key.as_deref().unwrap();
    assert_eq!(key, world.one("SELECT dedupe_key FROM outbox").await);
    let prefix = format!("{}:{}:", answer["conversation_id"].as_str().unwrap(), webhook.id);
    assert!(key.starts_with(&prefix) && key.len() > prefix.len(), "{key} does not begin with {prefix}");
}

/// Promise 4: twenty messages in one breath are answered in their order, each at most once.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_rapid_messages_are_answered_in_order() {
    let world = World::new().await;
    let lead = world.meta.lead("971500000101", "Lina");
    let ledger = testkit::Ledgers::new();
    let mut posted = Vec::new();
    for n in 0..20 {
        // Complaints are always answered by something.
        let webhook = lead.text(&format!("question {n}: how much is it?"));
        assert_eq!(world.post(&webhook).await, 200);
        posted.push(simulator::client::Acknowledged { id: webhook.id, chat: webhook.chat });
    }
    world.settled().await;
    let inbound = "SELECT provider_id FROM message WHERE direction = 'in' ORDER BY id";
    assert_eq!(world.rows(inbound).await, posted.iter().map(|p| p.id.clone()).collect::<Vec<_>>());
    let sent = world.sim.ledger();
    assert!(!sent.is_empty());
    let findings = ledger.posted(posted).accepted(sent, testkit::ledgers::inbound_of).findings();
    assert_eq!(findings, []);
    let saved = "SELECT provider_id FROM message WHERE direction = 'out' ORDER BY id";
    let accepted: Vec<_> = world.sim.ledger().iter().map(|a| a.provider_id.to_string()).collect();
    assert_eq!(world.rows(saved).await, accepted, "accepted in the order in which they were saved");
}

/// S2.2, promise 2: fifty conversations at once, each with its own answers and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_conversations_at_once() {
    let world = World::new().await;
    let mut posts = JoinSet::new();
    let phones: Vec<String> = (0..50).map(|n| format!("9715000002{n:02}")).collect();
    for phone in &phones {
        for line in ["hello", "I need Ejari"] {
            posts.spawn(world.request(&world.meta.lead(phone, "Lina").text(line)).send());
        }
    }
    assert!(posts.join_all().await.into_iter().all(|a| a.unwrap().status() == 200));
    world.settled().await;
    for phone in &phones {
        let sent = world.sent_to(phone);
        let greetings = sent.iter().filter(|a| a.body.contains("Noura")).count();
        assert_eq!(greetings, 1, "{phone} was greeted {greetings} times");
        assert_eq!(sent.len(), 2, "{phone}");
    }
    assert_eq!(world.one("SELECT COUNT(*) FROM outbox GROUP BY dedupe_key HAVING COUNT(*) > 1").await, "");
    assert_eq!(world.one("SELECT COUNT(*) FROM message WHERE direction = 'out' AND status = 'read'").await, "100");
}

/// S1.8: without `Prefer` the answer comes at once; with it, with the outcome and a preview of at most 100 characters.
#[tokio::test(flavor = "multi_thread")]
async fn prefer_wait_tells_the_outcome() {
    let world = World::new().await;
    let queued = world.accept(&world.meta.lead("971500000101", "Lina").text(HELLO)).await;
    assert_eq!(queued["status"], "queued");
    assert!(queued["conversation_id"].is_string() && queued["message_id"].is_string(), "{queued}");

    let webhook = world.meta.lead("971500000102", "Lina").text(HELLO);
    let answer = world.request(&webhook).header("prefer", "respond-async, wait=600").send().await.unwrap();
    assert_eq!(answer.headers()["preference-applied"], "wait=30", "a wait is cut at thirty seconds");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["status"], &answer["response_sent"]), (&"ai_responded".into(), &"sent".into()));
    let preview = answer["response_preview"].as_str().unwrap();
    let body = world.sent_to("971500000102")[0].body.clone();
    assert!(
        body.starts_with(preview) && preview.chars().count() == body.chars().count().min(100),
        "{preview} / {body}"
    );

    // Again: it is a duplicate, and nothing is waited for.
    let again = world.ask(&webhook).await;
    assert_eq!((&again["status"], &again["duplicates"]), (&"queued".into(), &1.into()));
}

/// S1.8: a wait that ends before the answer says `queued`, and the answer comes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_too_short_says_queued() {
    let world = Setup::default().silent().start().await;
    world.sim.push_fault(simulator::Rule::next(1, simulator::Fault::Delay { ms: 2500, accepted: false }));
    let webhook = world.meta.lead("971500000101", "Lina").text(HELLO);
    let answer = world.request(&webhook).header("prefer", "wait=1").send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["status"], "queued", "{answer}");
    assert!(world.sim.wait_accepted(1, PATIENCE).await);
}

/// S1.8: where the answer cannot be tried, or dies, the waiting caller hears so at once and not at the end of the wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_caller_hears_at_once_what_cannot_be_sent() {
    let world = World::new().await;
    world.sim.push_fault(simulator::Rule::always(simulator::Fault::TokenExpired));
    let watch = Stopwatch::start();
    assert_eq!(world.say("971500000101", HELLO).await, "saved_only");
    // The channel is paused now: the next reply is saved behind it and never tried.
    assert_eq!(world.say("971500000101", "I need Ejari").await, "saved_only");
    assert_eq!(world.say("971500000102", HELLO).await, "saved_only");
    world.change("UPDATE conversation SET memory = '{' WHERE id > 0").await;
    assert_eq!(world.say_nothing("971500000102", "I need Ejari").await, "failed", "a dead letter");
    assert!(watch.elapsed() < std::time::Duration::from_secs(15), "somebody waited for the whole of wait=20");
}

/// S3.1: the greeting comes once in a conversation, also after a restart of the engine.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing_of_a_conversation() {
    let mut world = World::new().await;
    assert_eq!(world.say("971500000101", "hello, I need Ejari").await, "sent");
    world.settled().await;
    world.restart(&[]).await;
    assert_eq!(world.say("971500000101", "Rashid Kareem").await, "sent");
    let heard = world.heard("971500000101", 2).await;
    assert_eq!(heard.iter().filter(|t| t.contains("Noura")).count(), 1, "{heard:?}");
    assert_eq!(world.one("SELECT name FROM lead").await, "Rashid Kareem");
    assert_eq!(world.one("SELECT external_id FROM channels ORDER BY id").await, PNID);
}
