//! Agents with everything around them: the simulated vendors, the store, the switches, readings from outside (S3.7 to S3.9).

use serde_json::{Value, json};
use simulator::llm::Act;

use crate::support::{RUNNER, Setup, World};

const PHONE: &str = "971500000101";

/// One agent with two providers; the tenant is the first of the configuration, so its keys are laid over as variables.
const AGENTS: &str = r#"
[[agents]]
name = "front_desk"
prompt = "You are {assistant} of {business}."
tools = ["set_field", "hand_over"]
timeout = "3s"
call_timeout = "1s"
retries = 0
[[agents.providers]]
name = "alpha"
kind = "openai"
base_url = "SIM/llm/alpha"
model = "llama"
api_key = "sk-canary-e2e-0001"
price_in = 2.5
price_out = 10
[[agents.providers]]
name = "beta"
kind = "anthropic"
base_url = "SIM/llm/beta"
model = "claude"
"#;

fn with_agent() -> Setup {
    Setup::default().more(AGENTS).env(&[("BARID__TENANTS__0__AGENT", "front_desk")])
}

/// S3.7: the reply, the session and the log are saved together, and the session adds up to what the vendors were sent.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_answers_and_its_session_adds_up() {
    let world = with_agent().start().await;
    let llm = world.sim.llm();
    llm.script(
        "alpha",
        [
            Act::Say("Welcome! What are you looking for?".into()),
            Act::refuse(500, "api_error", "down"),
            Act::tool("set_field", r#"{"field": "name", "value": "Mona Saleh"}"#),
            Act::Say("Thank you, Mona.".into()),
        ],
    );
    llm.script("beta", [Act::Say("An office, I see.".into())]);
    for text in ["Hello", "I look for an office", "Mona Saleh is my name"] {
        assert_eq!(world.say(PHONE, text).await, "sent");
    }
    let said: Vec<String> = world.sent_to(PHONE).iter().map(|a| a.body.clone()).collect();
    assert_eq!(said, ["Welcome! What are you looking for?", "An office, I see.", "Thank you, Mona."]);
    let asked = llm.asked();
    let (input, output) = asked.iter().fold((0, 0), |(i, o), a| (i + a.input, o + a.output));
    let session = world.one("SELECT turns, replies, calls, tokens_in, tokens_out, errors FROM agent_session").await;
    assert_eq!(session, format!("3|3|{}|{input}|{output}|0", asked.len()));
    let alpha: Vec<_> = asked.iter().filter(|a| a.provider == "alpha").collect();
    let cost: u64 = alpha.iter().map(|a| (a.input * 2_500_000 + a.output * 10_000_000).div_ceil(1_000_000)).sum();
    assert_eq!(world.one("SELECT cost FROM agent_session").await, cost.to_string());
    assert_eq!(world.one("SELECT name FROM lead").await, "Mona Saleh");
    assert_eq!(world.one("SELECT COUNT(*) FROM agent_log WHERE status = 'replied'").await, "3");
    assert!(asked[4].body.to_string().contains("I look for an office"), "the turns before are shown again");
    let (_, metrics) = world.get("/metrics").await;
    for name in
        ["ai_tokens_total{direction=\"input\"}", "ai_processing_seconds", "ai_cost_total", "ai_intent_confidence"]
    {
        assert!(metrics.contains(name), "{name}");
    }
    assert!(!crate::support::logged().contains("sk-canary-e2e-0001"), "a key is in no log");
}

/// S3.8: turning the switch off stops the next turn without a restart; the flow goes on.
#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_stops_the_next_turn() {
    let world = with_agent().start().await;
    let llm = world.sim.llm();
    assert_eq!(world.say(PHONE, "Hello").await, "sent");
    assert_eq!(llm.count(), 1);
    let switch = |on: i32| {
        format!("INSERT INTO flag (tenant_id, name, is_on, percent, set_by, set_at) SELECT id, 'agent:front_desk', {on}, 100, 'test', 1 FROM tenants
                                    WHERE slug = 'alain' ON CONFLICT (tenant_id, name) DO UPDATE SET is_on = {on}")
    };
    world.change(&switch(0)).await;
    assert_eq!(world.say(PHONE, "I need Ejari").await, "sent");
    assert_eq!(llm.count(), 1, "nobody was asked");
    world.change(&switch(1)).await;
    assert_eq!(world.say(PHONE, "hello?").await, "sent");
    assert_eq!(llm.count(), 2);
}

/// `WA_ENHANCED_PROCESSING=false` leaves the flow.
#[tokio::test(flavor = "multi_thread")]
async fn enhanced_processing_off_leaves_the_flow() {
    let world = with_agent().env(&[("WA_ENHANCED_PROCESSING", "false")]).start().await;
    assert_eq!(world.say(PHONE, "Hello").await, "sent");
    assert_eq!(world.sim.llm().count(), 0);
    assert!(world.sent_to(PHONE)[0].body.contains("How can I help you today?"));
}

/// Vendors that are down, hang, or lie: the lead has the flow's answer within the time, and the turn is no failure.
#[tokio::test(flavor = "multi_thread")]
async fn vendors_that_hang_or_lie_leave_the_flows_answer() {
    for act in [
        Act::Hang,
        Act::refuse(529, "overloaded_error", "busy"),
        Act::Raw(vec![b'x'; 50_000]),
        Act::Say("My key: sk-canary-e2e-0001".into()),
    ] {
        let world = with_agent().start().await;
        for provider in ["alpha", "beta"] {
            world.sim.llm().always(provider, act.clone());
        }
        let watch = types::clock::Stopwatch::start();
        assert_eq!(world.say(PHONE, "Hello").await, "sent");
        assert!(watch.elapsed() < std::time::Duration::from_secs(8), "{act:?}: {:?}", watch.elapsed());
        assert!(world.sent_to(PHONE)[0].body.contains("How can I help you today?"), "{act:?}");
        assert_eq!(world.one("SELECT state || ' ' || attempts FROM jobs").await, "done 1");
        assert_eq!(world.one("SELECT errors FROM agent_session").await, "1");
    }
}

/// RELIABILITY 4.25: a thousand messages of one sender cost no more than a day's budget; then the flow answers, and the page and the API say so.
#[tokio::test(flavor = "multi_thread")]
async fn one_senders_budget_of_the_day_ends_and_the_flow_goes_on() {
    let world = with_agent().env(&[("BARID__TENANTS__0__BUDGET__CONTACT_TOKENS", "1000")]).start().await;
    let llm = world.sim.llm();
    for n in 0..6 {
        assert_eq!(world.say(PHONE, &format!("hello number {n}")).await, "sent");
    }
    world.settled().await;
    let spent: u64 = llm.asked().iter().map(|a| a.input + a.output).sum();
    let last = llm.asked().last().map_or(0, |a| a.input + a.output);
    assert!(spent >= 1_000 && spent - last < 1_000, "the turn that used it up was the last: {spent}, {last}");
    let asked = llm.count();
    assert_eq!(world.one("SELECT COUNT(*) FROM agent_log WHERE status = 'budget'").await, (6 - asked).to_string());
    assert_eq!(world.say("971500000177", "Hello").await, "sent");
    assert_eq!(llm.count(), asked + 1, "another sender has a budget of their own");
    let secret = world.token(vec![store::desk::Scope::Read]).await;
    let answer = world.http.get(world.url("/api/v1/agents")).bearer_auth(&secret).send().await.unwrap();
    let shown = answer.json::<Value>().await.unwrap()["data"][1]["budget"].clone();
    assert_eq!((&shown["contacts_at_cap"], &shown["reached"]), (&json!(1), &json!(false)), "{shown}");
}

/// What a failure is leaves one line for whoever looks, with whose fault it was and how long it took, and not a word of what was said.
#[tokio::test(flavor = "multi_thread")]
async fn an_agents_failure_is_one_line_of_the_log_and_has_its_time() {
    let world = with_agent().start().await;
    for provider in ["alpha", "beta"] {
        world.sim.llm().always(provider, Act::Hang);
    }
    assert_eq!(world.say(PHONE, "Hello canary-of-the-text").await, "sent");
    world.settled().await;
    let log = crate::support::logged();
    let line = log.lines().find(|l| l.contains("no answer from an agent")).unwrap_or_else(|| panic!("{log}"));
    for part in ["request_id", "front_desk", "status", "provider", "class"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(line.contains("WARN") && !line.contains("canary-of-the-text"), "{line}");
    let took: u64 = world.one("SELECT latency_ms FROM agent_log").await.parse().unwrap();
    assert!(took > 0, "calls that were given up took time");
}

/// S2.3: a message that no attempt can work becomes a dead letter, and the conversation goes on with its agent.
#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_the_dead_letters_and_the_agent_goes_on() {
    let world = with_agent().start().await;
    assert_eq!(world.say(PHONE, "Hello").await, "sent");
    world.settled().await;
    world.change("UPDATE conversation SET memory = '{\"poison' WHERE id > 0").await;
    world.accept(&world.meta.lead(PHONE, "Lina").text("I need Ejari")).await;
    world.until("SELECT state FROM jobs ORDER BY id DESC", "dead").await;
    world.change("UPDATE conversation SET memory = NULL WHERE id > 0").await;
    assert_eq!(world.say(PHONE, "are you there?").await, "sent");
    assert_eq!(world.sim.llm().count(), 2, "what was before is still known to the agent");
    assert!(world.sim.llm().asked()[1].body.to_string().contains("Hello"));
}

fn with_outside(wait: &'static str) -> Setup {
    Setup::default()
        .env(&[("BARID__TENANTS__0__UNDERSTANDING", "outside"), ("BARID__TENANTS__0__UNDERSTANDING_WAIT", wait)])
}

async fn result(world: &World, body: &Value) -> (u16, Value) {
    let sent = world.http.post(world.url("/api/ai-results")).bearer_auth(RUNNER).json(body).send().await;
    let answer = sent.unwrap_or_else(|e| panic!("{e}"));
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap_or_else(|e| panic!("{e}"));
    (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

/// S3.9: the message waits for its reading, is worked with it at once, and a repeat changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_from_outside_is_waited_for_and_counts_once() {
    let world = with_outside("1h").start().await;
    world.accept(&world.meta.lead(PHONE, "Lina").text("the thing from last week, again")).await;
    world.until("SELECT state || ' ' || attempts FROM jobs", "queued 0").await;
    assert_eq!(world.sent_to(PHONE).len(), 0, "it waits");
    let message = world.one("SELECT id FROM message").await;
    let lead = world.one("SELECT id FROM lead").await;
    let body = json!({"lead": lead, "message": message, "intent": "COMPLAINT", "confidence": 0.93, "entities": {"service": "Ejari"}});
    let (status, answer) = result(&world, &body).await;
    assert_eq!((status, &answer["status"]), (202, &json!("accepted")), "{answer}");
    assert_eq!(world.heard(PHONE, 1).await.len(), 1);
    world.settled().await;
    assert_eq!(result(&world, &body).await.1["status"], "repeated");
    world.settled().await;
    assert_eq!(world.sent_to(PHONE).len(), 1);
    for (bad, want) in [
        (json!({"message": "nothing", "intent": "COMPLAINT", "confidence": 0.5}), 404),
        (json!({"message": message, "lead": "7", "intent": "COMPLAINT", "confidence": 0.5}), 404),
        (json!({"message": message, "intent": "COMPLAINT", "confidence": 5}), 400),
        (json!({"message": message, "intent": "a b", "confidence": 0.5}), 400),
        (json!({"message": message, "intent": "A", "confidence": 0.5, "entities": {"name": {"x": 1}}}), 400),
        (json!({"intent": "COMPLAINT"}), 400),
    ] {
        assert_eq!(result(&world, &bad).await.0, want, "{bad}");
    }
    let open = world.http.post(world.url("/api/ai-results")).json(&body).send().await.unwrap();
    assert_eq!(open.status().as_u16(), 401, "nobody without a token");
}

/// S3.10: STOP and a wish for a person wait for no outside service.
#[tokio::test(flavor = "multi_thread")]
async fn stop_and_a_person_asked_for_wait_for_no_reading() {
    let world = with_outside("1h").start().await;
    assert_eq!(world.say(PHONE, "STOP").await, "sent");
    assert_eq!(world.one("SELECT state FROM conversation").await, "opted_out");
    assert_eq!(world.say("971500000178", "ابغى اكلم موظف").await, "sent");
    assert_eq!(world.one("SELECT state FROM conversation ORDER BY id DESC").await, "handed_over");
}

/// S3.9: when nothing comes in time, the flow answers by itself.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_reading_the_flow_answers_when_the_time_is_over() {
    let world = with_outside("300ms").start().await;
    assert_eq!(world.say(PHONE, "Hello").await, "sent");
    assert!(world.sent_to(PHONE)[0].body.contains("How can I help you today?"));
    assert_eq!(world.one("SELECT state || ' ' || attempts FROM jobs").await, "done 1");
}

/// S3.8: a conversation keeps its variant, its goal is counted, and the API says what came of it; stopping it takes effect at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_sticky_counted_and_stopped() {
    let arm = |n: u8, key: &str| format!("BARID__TENANTS__0__EXPERIMENTS__0__ARMS__{n}__{key}");
    let env: Vec<(&'static str, &'static str)> = [
        ("BARID__TENANTS__0__EXPERIMENTS__0__NAME".to_owned(), "who"),
        ("BARID__TENANTS__0__EXPERIMENTS__0__GOAL".to_owned(), "contact"),
        (arm(0, "NAME"), "flow"),
        (arm(0, "AGENT"), "flow"),
        (arm(1, "NAME"), "agent"),
        (arm(1, "AGENT"), "front_desk"),
    ]
    .into_iter()
    .map(|(key, value)| (&*key.leak(), value))
    .collect();
    let world = Setup::default().more(AGENTS).env(&env).start().await;
    let phones: Vec<String> = (0..12).map(|n| format!("9715000002{n:02}")).collect();
    for phone in &phones {
        assert_eq!(world.say(phone, "Hello").await, "sent");
    }
    let arms = world.rows("SELECT arm FROM exposure ORDER BY conversation_id").await;
    let by_agent = arms.iter().filter(|a| *a == "agent").count();
    assert!(arms.len() == 12 && (1..12).contains(&by_agent), "{arms:?}");
    assert_eq!(world.sim.llm().count(), by_agent, "only its variant asks a model");
    for phone in &phones {
        assert_eq!(world.say(phone, "my e-mail is lina@example.com").await, "sent");
    }
    assert_eq!(world.rows("SELECT arm FROM exposure ORDER BY conversation_id").await, arms, "sticky");
    assert_eq!(world.one("SELECT COUNT(*) FROM exposure WHERE reached_at IS NOT NULL").await, "12");

    let secret = world.token(vec![store::desk::Scope::Read, store::desk::Scope::Settings]).await;
    let experiments = || async {
        let answer = world.http.get(world.url("/api/v1/experiments")).bearer_auth(&secret).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["data"][0].clone()
    };
    let shown = experiments().await;
    let reached: Vec<i64> = shown["arms"].as_array().unwrap().iter().map(|a| a["reached"].as_i64().unwrap()).collect();
    assert_eq!(reached, [12 - by_agent as i64, by_agent as i64], "{shown}");
    assert_eq!((&shown["status"], &shown["significant"]), (&json!("running"), &json!(false)), "{shown}");
    let pick = |arm: Value| {
        let url = world.url("/api/v1/experiments/who/winner");
        world.http.post(url).bearer_auth(&secret).json(&json!({ "arm": arm })).send()
    };
    assert_eq!(pick(json!("agent")).await.unwrap().status().as_u16(), 200);
    let before = world.sim.llm().count();
    for phone in phones.iter().map(String::as_str).chain(["971500000299"]) {
        assert_eq!(world.say(phone, "and now?").await, "sent");
    }
    assert_eq!(
        world.sim.llm().count() - before,
        13,
        "everyone gets the picked one with the next turn, who is new, too"
    );
    let settled = experiments().await;
    assert_eq!((&settled["picked"], &settled["arms"]), (&json!("agent"), &shown["arms"]), "what was found stays");
    assert_eq!(pick(Value::Null).await.unwrap().status().as_u16(), 200);
    let before = world.sim.llm().count();
    for phone in &phones {
        assert_eq!(world.say(phone, "back again").await, "sent");
    }
    assert_eq!(world.sim.llm().count() - before, by_agent, "everyone has their own variant again");
    let off = json!({"name": "experiment:who", "on": false, "reason": "done"});
    let set = world.http.put(world.url("/api/v1/flags")).bearer_auth(&secret).json(&off).send().await.unwrap();
    assert_eq!(set.status().as_u16(), 200);
    let before = world.sim.llm().count();
    for phone in &phones {
        assert_eq!(world.say(phone, "are you there?").await, "sent");
    }
    assert_eq!((world.sim.llm().count(), experiments().await["status"].clone()), (before, json!("stopped")));
}
