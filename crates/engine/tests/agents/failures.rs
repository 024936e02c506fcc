//! Every way in which vendors fail, and what the lead hears then.

use std::time::Duration;

use engine::Memory;
use simulator::llm::Act;
use types::clock::Stopwatch;

use crate::support::{FLOW, PROMPT, Talk, reply, status};

/// One failure: what each provider does, and how the transcript reads.
async fn failure(name: &str, scripts: Vec<(&str, Vec<Act>)>) -> String {
    // A vendor that never answers costs its whole time; the others must have enough of it on a busy machine, and all together less than
    // the deadline, or it depends on the machine which of the two ends it.
    let hangs = scripts.iter().any(|(_, acts)| acts.iter().any(|a| matches!(a, Act::Hang)));
    let mut talk = Talk::new(|staff| {
        if hangs {
            (staff.agents[0].timeout, staff.agents[0].call_timeout) =
                (Duration::from_secs(14), Duration::from_millis(800));
        }
    })
    .await;
    for (provider, acts) in scripts {
        let last = acts.last().cloned();
        talk.script(provider, acts);
        if let Some(last) = last {
            talk.sim.llm().always(provider, last);
        }
    }
    let watch = Stopwatch::start();
    let decision = talk.say("Hello, good morning").await;
    assert!(watch.elapsed() < Duration::from_secs(16), "{name}: {:?}", watch.elapsed());
    assert!(decision.reply.is_some(), "{name}: the lead has an answer");
    let record = &decision.traces.records[0];
    let mut calls: Vec<_> = record.calls.iter().map(|c| format!("{} {}", c.provider, c.outcome)).collect();
    if hangs {
        // How often there is time to wait again depends on the machine.
        calls.dedup();
    }
    let said = reply(&decision);
    let shown = if said.len() > 200 {
        format!("{}… ({} characters)", &said[..40], said.chars().count())
    } else {
        said.to_owned()
    };
    let handover = decision.handover.as_ref().map_or_else(String::new, |h| format!(" [{}]", h.reason));
    format!("{name}\n  {}: {}\n  BOT {shown}{handover}\n", record.status, calls.join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_a_vendor_ends_in_an_answer() {
    let header = |k: &str, v: &str| vec![(k.to_owned(), v.to_owned())];
    let limited =
        |wait: &str| Act::Refuse(429, "rate_limit_exceeded".into(), "slow".into(), header("retry-after", wait));
    let limited_ms = Act::Refuse(429, "rate_limit_exceeded".into(), "slow".into(), header("retry-after-ms", "20"));
    let ok = |text: &str| Act::Say(text.to_owned());
    let down = || Act::refuse(500, "api_error", "internal");
    let all = |act: Act| vec![("alpha", vec![act.clone()]), ("beta", vec![act.clone()]), ("gamma", vec![act])];
    let first = |acts: Vec<Act>| vec![("alpha", acts), ("beta", vec![ok("Good morning from the second.")])];
    let words = "This is a sentence of eight plain words. ".repeat(1_300);
    let cases = vec![
        failure("401: the next provider at once", first(vec![Act::refuse(401, "invalid_api_key", "bad key")])),
        failure("429 with a short wait: again", vec![("alpha", vec![limited_ms, ok("Good morning.")])]),
        failure("429 with a long wait: the next provider", first(vec![limited("60")])),
        failure(
            "429 without quota: the next provider at once",
            first(vec![Act::refuse(429, "insufficient_quota", "pay")]),
        ),
        failure("500 once: again", vec![("alpha", vec![down(), ok("Good morning.")])]),
        failure("500 always: the next provider", first(vec![down()])),
        failure("529 everywhere: the flow", all(Act::refuse(529, "overloaded_error", "busy"))),
        failure("content filter: a person", all(Act::Filtered)),
        failure(
            "cut off within a sentence: what is whole",
            vec![("alpha", vec![Act::Truncated("Good morning. We can hel".into())])],
        ),
        failure(
            "cut off before a sentence ended: once more with room",
            vec![("alpha", vec![Act::Truncated("Good morn".into()), ok("Good morning.")])],
        ),
        failure("garbage: once more, then the next provider", first(vec![Act::Raw(b"\xff\xfe<html>".to_vec())])),
        failure("50 KB: cut at a sentence", vec![("alpha", vec![ok(&words)])]),
        failure("nothing said: once more, then the next provider", first(vec![Act::Empty])),
        failure("connection closed: again, then the next provider", first(vec![Act::Drop])),
        failure("hangs: the next provider", first(vec![Act::Hang])),
        failure("all hang: the flow, in time", all(Act::Hang)),
        failure(
            "slow but in time",
            vec![("alpha", vec![Act::Slow(Duration::from_millis(300), Box::new(ok("Good morning.")))])],
        ),
        failure(
            "bad tool JSON: told so, and it mends it",
            vec![("alpha", vec![Act::tool("set_field", "{\"field\": "), ok("Good morning.")])],
        ),
        failure("bad tool JSON for ever: the flow", all(Act::tool("set_field", "{\"field\": "))),
        failure(
            "a tool that does not exist",
            vec![("alpha", vec![Act::tool("delete_tenant", "{}"), ok("Good morning.")])],
        ),
        failure(
            "too long for the model: once more with less",
            vec![("alpha", vec![Act::refuse(400, "context_length_exceeded", "too long"), ok("Good morning.")])],
        ),
        failure(
            "the wrong language: once more",
            vec![("alpha", vec![ok("صباح الخير، كيف أقدر أساعدك اليوم في المكتب؟"), ok("Good morning.")])],
        ),
        failure(
            "the wrong language twice: the flow",
            vec![("alpha", vec![ok("صباح الخير، كيف أقدر أساعدك اليوم في المكتب؟")])],
        ),
        failure(
            "the instructions themselves: the flow",
            vec![("alpha", vec![ok(&PROMPT.replace("{assistant}", "Noura").replace("{business}", "Oasis"))])],
        ),
        failure("its key: the flow", vec![("alpha", vec![ok("My key is sk-canary-alpha-0001.")])]),
        failure(
            "a list of services: taken out",
            vec![("alpha", vec![ok("Good morning. We offer golden visa, trade license and Ejari.")])],
        ),
        failure(
            "a link that nobody allowed: taken out",
            vec![("alpha", vec![ok("Good morning. See https://evil.example/pay or www.oasis.example/map now.")])],
        ),
    ];
    let mut all = Vec::new();
    for case in cases {
        all.push(case.await);
    }
    insta::assert_snapshot!(all.join("\n"));
}

/// What vendors say of trying again, in all the ways that they say it.
#[tokio::test(flavor = "multi_thread")]
async fn vendors_are_obeyed_about_trying_again() {
    let header = |k: &str, v: &str| vec![(k.to_owned(), v.to_owned())];
    let ok = |text: &str| Act::Say(text.to_owned());
    let first = |acts: Vec<Act>| vec![("alpha", acts), ("beta", vec![ok("Good morning from the second.")])];
    let never = Act::Refuse(503, "overloaded".into(), "go".into(), header("x-should-retry", "false"));
    let again = Act::Refuse(400, "try_again".into(), "odd".into(), header("x-should-retry", "true"));
    // A date that is over is no wait; one far off is no use.
    let dated = |date: &str| Act::Refuse(429, "rate_limit_exceeded".into(), "slow".into(), header("retry-after", date));
    let cases = vec![
        failure(
            "429 until a date that is over: again",
            vec![("alpha", vec![dated("Sat, 28 Nov 2020 12:00:00 GMT"), ok("Good morning.")])],
        ),
        failure("429 until a date far off: the next provider", first(vec![dated("Sat, 28 Nov 2099 12:00:00 GMT")])),
        failure("503 that says not again: the next provider at once", first(vec![never])),
        failure("400 that says again: again", vec![("alpha", vec![again, ok("Good morning.")])]),
    ];
    let mut all = Vec::new();
    for case in cases {
        all.push(case.await);
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_provider_at_all_is_the_flow_and_breakers_spare_the_wait() {
    let mut talk = Talk::usual().await;
    for provider in ["alpha", "beta", "gamma"] {
        talk.sim.llm().always(provider, Act::refuse(500, "api_error", "down"));
    }
    assert_eq!(reply(&talk.say("Hello").await), FLOW);
    for _ in 0..3 {
        talk.memory = Memory::default();
        talk.say("hmm").await;
    }
    talk.memory = Memory::default();
    let before = talk.sim.llm().count();
    let watch = Stopwatch::start();
    let decision = talk.say("Hello?").await;
    assert!(decision.reply.is_some() || decision.handover.is_some());
    assert_eq!(talk.sim.llm().count(), before, "their breakers are open: nobody is called");
    assert!(watch.elapsed() < Duration::from_millis(200), "{:?}", watch.elapsed());
    assert_eq!(status(&decision), "open");
}
