//! People take part: staff answer, contacts opt out and in (S3.10).

use serde_json::json;
use simulator::lead::Webhook;

use crate::support::{HELLO, World};

const PHONE: &str = "971500000101";

async fn staff_pauses(world: &World, echo: Webhook, write: impl Fn(&str) -> Webhook) {
    assert_eq!(world.ask(&write(HELLO)).await["response_sent"], "sent");
    world.settled().await;
    assert_eq!(world.accept(&echo).await["recorded"], 1);
    assert_eq!(world.one("SELECT state FROM conversation").await, "paused");
    assert_eq!(world.one("SELECT sender || ' ' || status FROM message ORDER BY id DESC").await, "HUMAN sent");
    assert_eq!(world.accept(&echo).await["duplicates"], 1, "the same echo again is a repeat");

    let quiet = world.ask(&write("I need Ejari")).await;
    assert_eq!(quiet["status"], "no_response", "{quiet}");
    world.jump(2 * 3600 - 60);
    assert_eq!(world.ask(&write("hello?")).await["status"], "no_response", "two hours are not over");
    world.jump(120);
    assert_eq!(world.ask(&write("I need Ejari please")).await["response_sent"], "sent", "the pause is over");
    assert_eq!(world.sent_to(PHONE).len(), 2);
    let moves = world.rows("SELECT from_state || '>' || to_state FROM transitions ORDER BY id").await;
    assert_eq!(moves.first().map(String::as_str), Some("active>paused"));
    assert_eq!(world.one("SELECT state FROM conversation").await, "active");
}

/// What staff write in the WhatsApp Business app pauses the assistant for two hours.
#[tokio::test(flavor = "multi_thread")]
async fn staff_in_the_business_app_pause_the_assistant() {
    let world = World::new().await;
    let lead = world.meta.lead(PHONE, "Lina");
    staff_pauses(&world, world.meta.echo(PHONE, "I will call you at nine"), |t| lead.text(t)).await;
}

/// What staff write on the phone of a Green API instance does the same.
#[tokio::test(flavor = "multi_thread")]
async fn staff_on_the_phone_pause_the_assistant() {
    let world = World::new().await;
    let lead = world.green.lead(PHONE, "Lina");
    staff_pauses(&world, world.green.phone_message(PHONE, "I will call you at nine"), |t| lead.text(t)).await;
}

/// A reply that has not gone out when a person answers is held, not sent beside theirs.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_yet_is_held_when_a_person_answers() {
    let world = World::new().await;
    let refuse =
        simulator::Fault::Refuse { http: 429, code: 130_429, message: "slow".into(), retry_after_s: Some(600) };
    world.sim.push_fault(simulator::Rule::next(1, refuse));
    assert_eq!(world.say(PHONE, HELLO).await, "saved_only");
    world.accept(&world.meta.echo(PHONE, "hello, this is Maryam")).await;
    assert_eq!(world.one("SELECT status FROM message WHERE sender = 'AI'").await, "held");
    world.jump(700);
    assert_eq!(world.say_nothing(PHONE, "thanks").await, "no_response");
    assert_eq!(world.sent_to(PHONE).len(), 0);
}

/// STOP and its Arabic word end it, START begins it again; while out, nothing is said and nothing may be sent.
#[tokio::test(flavor = "multi_thread")]
async fn stop_and_start() {
    for (phone, stop, start) in [("971500000101", "STOP", "START"), ("971500000102", "إلغاء الاشتراك", "اشتراك")]
    {
        let world = World::new().await;
        assert_eq!(world.say(phone, "I need Ejari").await, "sent");
        world.ask(&world.meta.lead(phone, "Lina").text(stop)).await;
        assert_eq!(world.one("SELECT state FROM conversation").await, "opted_out", "{stop}");
        assert_ne!(world.one("SELECT opted_out_at FROM contacts").await, "");
        world.settled().await;
        let before = world.sent_to(phone).len();
        assert_eq!(world.say_nothing(phone, "are you there?").await, "no_response");
        assert_eq!(world.sent_to(phone).len(), before, "nothing after {stop}");

        let body = json!({"action": "send_message", "to": phone, "message": "an offer"});
        let send = world.http.post(world.url("/api/whatsapp-send")).bearer_auth(crate::support::RUNNER).json(&body);
        assert_eq!(send.send().await.unwrap().status(), 409, "nobody sends to who opted out");

        assert_eq!(world.say(phone, start).await, "sent");
        assert_eq!(world.one("SELECT state FROM conversation").await, "active");
        assert_eq!(world.one("SELECT opted_out_at FROM contacts").await, "");
    }
}

/// PROTOCOL 1.7: another application that takes the thread pauses us; Meta giving it back ends that.
#[tokio::test(flavor = "multi_thread")]
async fn handovers_pause_and_resume() {
    let world = World::new().await;
    assert_eq!(world.say(PHONE, HELLO).await, "sent");
    let handover = |n: i64, kind: &str, role: &str| {
        let detail = json!({"previous_owner_role": "x", "new_owner_role": role});
        let mut value = json!({"sender": {"phone_number": PHONE}, "recipient": {"phone_number_id": crate::support::PNID},
                               "type": kind, "timestamp": (1_786_000_000 + n).to_string()});
        value[kind] = detail;
        world.meta.change("messaging_handovers", &value)
    };
    let handovers = [handover(1, "control_taken", "meta_business_agent"), handover(2, "control_passed", "app")];
    let mut states = Vec::new();
    for webhook in &handovers {
        world.accept(webhook).await;
        states.push(world.one("SELECT state FROM conversation").await);
    }
    assert_eq!(states, ["paused", "active"]);
}
