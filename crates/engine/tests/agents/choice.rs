//! Who answers and who understands: switches, roll-outs, experiments (S3.8), models and outside services that read (S3.3, S3.9).

use std::collections::BTreeMap;
use std::time::Duration;

use engine::agent::{Arm, Given, Goal, Reading, Staff, Switch, Trial};
use engine::experiment::{Experiment, Variant};
use engine::{Engine, Flow, Intent, Language, Memory, TenantBrain};
use simulator::llm::Act;
use simulator::{Simulator, SimulatorOptions};
use types::TenantId;

use crate::support::{FLOW, Talk, agent, reply, status};

fn reads_by_model(staff: &mut Staff) {
    staff.reading = Reading::Model(Box::new(staff.agents[0].clone()));
    staff.agent = None;
}

/// S3.3: a model reads by a schema; what is not of it, or made up, leaves the built-in reading.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_reads_messages_and_the_built_in_where_it_cannot() {
    let mut talk = Talk::new(reads_by_model).await;
    let good = r#"{"intent": "COMPLAINT", "confidence": 0.9, "entities": {"name": "Peter Pan", "email": null}}"#;
    talk.script("alpha", [Act::Say(good.into())]);
    let decision = talk.say("the thing from last week").await;
    assert_eq!(
        (decision.intent, decision.fields.get("name")),
        (Intent::Complaint, None),
        "a name that nobody said is not noted"
    );
    let asked = &talk.sim.llm().asked()[0];
    assert_eq!(
        asked.body["response_format"]["json_schema"]["schema"]["properties"]["intent"]["enum"][0],
        "ORDER_REQUEST"
    );
    for bad in [
        r#"{"intent": "BUY_ALL", "confidence": 0.9}"#,
        r#"{"intent": "COMPLAINT", "confidence": 7}"#,
        "I think it is a complaint",
    ] {
        talk.sim.llm().always("alpha", Act::Say(bad.into()));
        let decision = talk.say("how much is the trade license?").await;
        assert_eq!((decision.intent, status(&decision)), (Intent::PricingInquiry, "failed"), "{bad}");
        assert!(decision.reply.is_some());
    }
}

/// S3.9: what an outside service says takes the built-in reading's place, as far as the message bears it out.
#[tokio::test(flavor = "multi_thread")]
async fn an_outside_reading_is_believed_as_far_as_the_message_goes() {
    let mut talk = Talk::new(|staff| {
        staff.agent = None;
        staff.reading = Reading::Outside(Duration::from_secs(5));
    })
    .await;
    let entities = [("name", "Mona Saleh"), ("email", "thief@evil.example")];
    let entities = entities.into_iter().map(|(k, v)| (k.to_owned(), serde_json::json!(v))).collect();
    talk.aids.given = Some(Given { intent: "SCHEDULE_CALL".into(), confidence: 0.8, entities });
    let decision = talk.say("this is Mona Saleh, hmm").await;
    assert_eq!(decision.intent, Intent::ScheduleCall);
    assert_eq!(decision.fields.get("name").map(String::as_str), Some("Mona Saleh"));
    assert_eq!(decision.fields.get("email"), None);
    talk.aids.given = Some(Given { intent: "NO_SUCH".into(), confidence: 2.0, entities: BTreeMap::new() });
    assert_eq!(talk.say("how much is it?").await.intent, Intent::PricingInquiry);
}

fn compares(staff: &mut Staff) {
    let variants = [("flow", 1), ("agent", 1)].map(|(name, weight)| Variant { name: name.to_owned(), weight }).to_vec();
    let arm = |name: &str, agent: &str| Arm { name: name.into(), agent: Some(agent.into()), ..Arm::default() };
    staff.agent = None;
    staff.trials = vec![Trial {
        experiment: Experiment::new("who", "1", variants, 100).unwrap(),
        name: "who".to_owned(),
        goal: Goal::Contact,
        arms: vec![arm("flow", "flow"), arm("agent", "front_desk")],
    }];
}

/// S3.8: who answers is sticky for a conversation, the exposure is told once, the goal when it is reached, and a stopped experiment is none.
#[tokio::test(flavor = "multi_thread")]
async fn experiments_are_sticky_and_count_their_goal() {
    let mut arms = BTreeMap::new();
    for unit in 0..24 {
        let mut talk = Talk::new(compares).await;
        talk.aids.unit = unit.to_string();
        let first = talk.say("Hello").await;
        let exposure = first.traces.exposures.first().expect("an exposure").clone();
        let by_agent = status(&first) == "replied";
        assert_eq!(by_agent, exposure.arm == "agent");
        let second = talk.say("my e-mail is mona@example.com").await;
        assert!(second.traces.exposures.is_empty(), "told once");
        assert_eq!(second.traces.reached, ["who"]);
        assert_eq!(status(&second) == "replied", by_agent, "sticky");
        talk.aids.switches = vec![Switch { name: "experiment:who".into(), on: false, percent: 100, picked: None }];
        let third = talk.say("hello?").await;
        assert!(status(&third) == "no agent" && third.traces.is_empty(), "stopped");
        *arms.entry(exposure.arm).or_insert(0) += 1;
    }
    assert!(arms["flow"] >= 4 && arms["agent"] >= 4, "{arms:?}");
}

/// S3.8: once a winner is picked, every conversation of the roll-out gets it with its next turn, whatever it had; nothing more is counted, a
/// switch still goes before it, and taken back, everyone has their own variant again.
#[tokio::test(flavor = "multi_thread")]
async fn a_picked_winner_answers_everyone_and_counts_nothing() {
    let picked = |arm: Option<&str>, on, percent| {
        vec![Switch { name: "experiment:who".into(), on, percent, picked: arm.map(Into::into) }]
    };
    let mut moved = 0;
    for unit in 0..24 {
        let mut talk = Talk::new(compares).await;
        talk.aids.unit = unit.to_string();
        let first = talk.say("Hello").await;
        let own = first.traces.exposures.first().expect("an exposure").arm.clone();
        moved += usize::from(own == "flow");
        talk.aids.switches = picked(Some("agent"), true, 0);
        let second = talk.say("my e-mail is mona@example.com").await;
        assert_eq!(status(&second), "replied", "who is in stays in, and gets the winner: {own}");
        assert!(second.traces.exposures.is_empty() && second.traces.reached.is_empty(), "nothing is counted");
        talk.aids.switches = picked(Some("agent"), false, 100);
        assert_eq!(status(&talk.say("hello?").await), "no agent", "stopped");
        for back in [None, Some("gone")] {
            talk.aids.switches = picked(back, true, 100);
            let after = talk.say("still there?").await;
            assert_eq!(status(&after) == "replied", own == "agent", "one's own variant again: {back:?}");
        }
    }
    assert!((4..=20).contains(&moved), "{moved}");
    let mut fresh = Talk::new(compares).await;
    for (percent, want) in [(0, "no agent"), (100, "replied")] {
        fresh.aids.switches = picked(Some("agent"), true, percent);
        let decision = fresh.say("Hello").await;
        assert_eq!(status(&decision), want, "{percent} %");
        assert!(decision.traces.exposures.is_empty(), "{percent} %");
    }
}

/// S3.8: a switch takes effect with the next turn; so does its return.
#[tokio::test(flavor = "multi_thread")]
async fn a_switch_stops_the_next_turn() {
    let mut talk = Talk::usual().await;
    assert_eq!(status(&talk.say("Hello").await), "replied");
    for name in ["agents", "agent:front_desk"] {
        talk.aids.switches = vec![Switch { name: name.into(), on: false, percent: 100, picked: None }];
        let before = talk.sim.llm().count();
        let decision = talk.say("Are you there?").await;
        assert_eq!((status(&decision), talk.sim.llm().count()), ("no agent", before), "{name}");
        assert!(decision.reply.is_some());
    }
    talk.aids.switches.clear();
    assert_eq!(status(&talk.say("Hello again").await), "replied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_in_percent_is_sticky_and_grows() {
    let mut talk = Talk::usual().await;
    let mut answered: Vec<Vec<usize>> = Vec::new();
    for percent in [0, 20, 60, 100] {
        talk.aids.switches = vec![Switch { name: "agent:front_desk".into(), on: true, percent, picked: None }];
        let mut inside = Vec::new();
        for unit in 0..60 {
            talk.aids.unit = unit.to_string();
            talk.memory = Memory::default();
            if status(&talk.say("Hello").await) == "replied" {
                inside.push(unit);
            }
        }
        if let Some(narrower) = answered.last() {
            assert!(narrower.iter().all(|u| inside.contains(u)), "a wider roll-out keeps everyone");
        }
        answered.push(inside);
    }
    let sizes: Vec<usize> = answered.iter().map(Vec::len).collect();
    assert!(
        sizes[0] == 0 && (4..24).contains(&sizes[1]) && (24..48).contains(&sizes[2]) && sizes[3] == 60,
        "{sizes:?}"
    );
}

/// Without a line, as with `WA_ENHANCED_PROCESSING=false`, the flow answers.
#[tokio::test(flavor = "multi_thread")]
async fn all_agents_off_leaves_the_flow() {
    let sim = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let talk = Talk::usual().await;
    let staff = Staff { agent: Some("front_desk".into()), agents: vec![agent(&sim)], ..Staff::default() };
    let brain = TenantBrain {
        id: TenantId(1),
        business: "Oasis".to_owned(),
        assistant: "Noura".to_owned(),
        language: Language::En,
        flow: Flow::default_flow(),
        services: Vec::new(),
        region: "AE".to_owned(),
        intents: Vec::new(),
        hours: None,
        staff,
    };
    let mut talk = Talk { engine: Engine::new(vec![brain]).unwrap(), ..talk };
    let decision = talk.say("Hello").await;
    assert_eq!((reply(&decision), status(&decision), sim.llm().count()), (FLOW, "no agent", 0));
}
