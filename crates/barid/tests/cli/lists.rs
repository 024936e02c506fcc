use std::sync::Arc;

use serde_json::Value;
use store::desk::agents::PickWinner;
use store::desk::tenants::Tenants;
use store::desk::{Access, By};
use store::{SqliteOptions, Store};

use crate::prepared::Prepared;
use crate::support::{Ran, run, run_with, steady};

fn transcript(prepared: &Prepared, commands: &[&str]) -> String {
    commands.iter().map(|args| run(prepared.folder.path(), args).transcript(args)).collect::<Vec<_>>().join("\n")
}

fn first_id(ran: &Ran) -> String {
    ran.json()[0]["id"].as_str().unwrap().to_owned()
}

/// What people see.
#[tokio::test(flavor = "multi_thread")]
async fn tables() {
    let prepared = Prepared::new().await;
    let oldest = run(prepared.folder.path(), "conversations --json").json()[2]["id"].as_str().unwrap().to_owned();
    let letter = first_id(&run(prepared.folder.path(), "dlq list --json"));
    let (show, dlq) = (format!("conversations show {oldest}"), format!("dlq show {letter}"));
    let text = transcript(
        &prepared,
        &[
            "conversations",
            "conversations --limit 2",
            &show,
            "failed list",
            "dlq list",
            &dlq,
            "jobs list",
            "jobs list --state dead",
        ],
    );
    insta::assert_snapshot!(text);
}

/// Which winner of an experiment was picked stands beside its switch.
#[tokio::test(flavor = "multi_thread")]
async fn switches_say_which_winner_was_picked() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let file = folder.join("barid.toml");
    let experiment = "[[tenants.experiments]]\nname = \"who\"\nplanned = 400\n\
                      [[tenants.experiments.arms]]\nname = \"plain\"\n[[tenants.experiments.arms]]\nname = \"warm\"\n";
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + experiment).unwrap();
    let clock = Arc::new(types::clock::SystemClock);
    let store = Store::open_sqlite(&SqliteOptions::at(folder.join("barid.db")), clock).await.unwrap();
    let tenant = store.read(Tenants(Access::All)).await.unwrap()[0].id;
    let (experiment, arm) = ("who".to_owned(), Some("warm".to_owned()));
    let pick = PickWinner { tenant, experiment, arm, reason: None, access: Access::All, by: By::command() };
    store.write(pick).await.unwrap();
    store.close().await;
    let shown = run(folder, "flags list").good();
    let row: Vec<&str> = shown.out.lines().find(|l| l.contains("experiment:who")).unwrap().split_whitespace().collect();
    assert_eq!(row[..6], ["alain", "experiment:who", "on", "100", "%", "warm"]);
    assert_eq!(run(folder, "flags list --json").json()[1]["flag"]["picked"], "warm");
}

/// What programs see: the same rows, whole, moments in RFC 3339.
#[tokio::test(flavor = "multi_thread")]
async fn json() {
    let prepared = Prepared::new().await;
    let text = transcript(
        &prepared,
        &["conversations list --json --limit 1", "failed list --json", "dlq list --json", "jobs list --json --limit 1"],
    );
    insta::assert_snapshot!(text);
}

/// `--before` goes on where the last page ended: together the pages are the whole list, nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn pages_join_without_gap_or_repeat() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    for list in ["conversations", "jobs list"] {
        let whole = run(folder, &format!("{list} --json")).json();
        let mut pages = Vec::new();
        let mut before = String::new();
        loop {
            let page = run(folder, &format!("{list} --json --limit 1{before}")).json();
            let Some(row) = page.get(0) else { break };
            before = format!(" --before {}", row["id"].as_str().unwrap());
            pages.push(row.clone());
        }
        assert!(pages.len() >= 3, "{list}");
        assert_eq!(Value::Array(pages), whole, "{list}");
    }
}

/// S6.8: a line a conversation, or a row a message; into a file only when whole.
#[tokio::test(flavor = "multi_thread")]
async fn exports() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let lines = run(folder, "export").good().out;
    let all: Vec<Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let messages: usize = all.iter().map(|c| c["messages"].as_array().unwrap().len()).sum();
    assert_eq!((all.len(), messages), (3, 9));
    let csv = run(folder, "export --format csv --output all.csv").good();
    assert!(csv.out.is_empty());
    assert!(!folder.join("all.csv.part").exists());
    let file = std::fs::read_to_string(folder.join("all.csv")).unwrap();
    assert_eq!(file.lines().count(), 1 + messages);
    insta::assert_snapshot!(steady(&file.replace('\r', "")));
}

/// A failed send goes back to the outbox, once; `--all` must be confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn failed_sends_are_queued_again() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let asked = run(folder, "failed retry --all");
    assert_eq!((asked.code, asked.err.contains("--yes")), (2, true), "{asked:?}");
    let id = first_id(&run(folder, "failed list --json"));
    let ran = run(folder, &format!("failed retry {id} --json")).good();
    assert_eq!(ran.json()[0]["status"], "pending");
    assert!(ran.err.contains("No server is running"), "{ran:?}");
    assert_eq!(run(folder, "failed list --json").json(), serde_json::json!([]));
    // Pending already: a second retry would be a second message.
    assert_eq!(run(folder, &format!("failed retry {id}")).code, 1);
    assert!(run(folder, "failed retry --all --yes").good().err.contains("No failed messages"));
}

/// S2.5: discard gives up, retry queues again, and `jobs run` works it here when no server runs.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_decided_and_worked() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    assert_eq!(run(folder, "dlq discard --all").code, 2);
    let id = first_id(&run(folder, "dlq list --json"));
    assert_eq!(run(folder, &format!("dlq discard {id} --json")).good().json()[0]["status"], "discarded");
    assert_eq!(run(folder, "dlq list --status pending --json").json(), serde_json::json!([]));
    assert_eq!(run(folder, &format!("dlq retry {id} --json")).good().json()[0]["status"], "retrying");
    assert_eq!(run(folder, &format!("dlq retry {id}")).code, 1);
    let ran = run(folder, "jobs run --json").good().json();
    assert_eq!((&ran["conversations"], &ran["worked_by"]), (&1.into(), &"command".into()));
    assert_eq!(run(folder, "dlq list --json").json()[0]["status"], "resolved");
    // Its reply met a provider that is away: saved, not lost.
    let newest = first_id(&run(folder, "conversations --json"));
    let thread = run(folder, &format!("conversations show {newest} --json")).json();
    assert_eq!(thread["messages"][1]["status"], "pending");
}

/// S4.9: the same key queues one message; another key, another message.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_sends_once() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    // They wrote long ago: without a template, nothing may go.
    let refused = run(folder, "send --to 971500000101 hello");
    assert_eq!((refused.code, refused.err.contains("24 hours"), refused.out.as_str()), (1, true, ""), "{refused:?}");
    let file = folder.join("barid.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "template = \"follow_up\"\n").unwrap();
    let send = |key: &str| {
        let args = ["send", "--to", "+971 50 000 0101", "Your visa is ready", "--idempotency-key", key, "--json"];
        run_with(folder, &args, "").good().json()
    };
    let (first, again, other) = (send("a"), send("a"), send("b"));
    assert_eq!(first["message_id"], again["message_id"]);
    assert_ne!(first["message_id"], other["message_id"]);
    assert_eq!(first["status"], "pending");
    let thread =
        run(folder, &format!("conversations show {} --json", first["conversation_id"].as_str().unwrap())).json();
    let people = thread["messages"].as_array().unwrap().iter().filter(|m| m["sender"] == "HUMAN").count();
    assert_eq!((people, &thread["conversation"]["state"]), (2, &"paused".into()));
    let waited = run_with(folder, &["send", "--to", "971500000101", "x", "--wait", "--timeout", "1"], "");
    assert_eq!((waited.code, waited.err.contains("still open")), (1, true), "{waited:?}");
}

/// Appendix D: stored webhooks go through today's engine, and what would be said otherwise shows; nothing is sent or changed.
#[tokio::test(flavor = "multi_thread")]
async fn replay_shows_what_would_be_said_today() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let before = run(folder, "export --format jsonl").good().out;
    let rows = run(folder, "replay --json").good().json();
    let rows = rows.as_array().unwrap();
    let of = |text: &str| rows.iter().find(|r| r["text"] == text).unwrap_or_else(|| panic!("{text}: {rows:?}"));
    for text in ["Hi", "I need a golden visa", "Rashid Kareem", "Hello"] {
        assert_eq!((of(text)["same"].as_bool(), of(text)["then"].is_string()), (Some(true), true), "{text}");
    }
    let missed = of("Anyone there?");
    assert_eq!(
        (missed["same"].as_bool(), missed["then"].is_null(), missed["now"].is_string()),
        (Some(false), true, true)
    );
    // The assistant has another name today: only greetings change.
    let file = folder.join("barid.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("assistant = \"ABCai\"", "assistant = \"Noor\"");
    std::fs::write(&file, text).unwrap();
    let id = of("Hi")["conversation_id"].as_str().unwrap();
    let ran = run(folder, &format!("replay --changed {id}")).good();
    assert!(
        ran.out.contains("  they  Hi\n  then  Hi 👋 I'm ABCai") && ran.out.contains("  now   Hi 👋 I'm Noor"),
        "{ran:?}"
    );
    assert!(!ran.out.contains("golden visa") && ran.err.contains("1 of 3 messages"), "{ran:?}");
    assert_eq!(run(folder, "export --format jsonl").good().out, before, "nothing is written");
}
