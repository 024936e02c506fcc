//! Every webhook body that we know, through the real socket: none costs a 5xx, each has its effect once (S1.3 to S1.6).

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use channels::{green, meta};
use simulator::Provider;
use simulator::lead::{MetaSource, Webhook};
use types::inbound::{Delivery, Event, Route};

use crate::support::{INSTANCE, PNID, Setup, World, number};

/// The numbers of our own cases, beside those of the fixture collection.
const OWN: &str = r#"
[[tenants.channels]]
kind = "meta"
phone_number_id = "700100"
verify_token = "verify-c"
app_secret = "test_app_secret"
access_token = "meta-token-c"
api_base = "SIM"
[[tenants.channels]]
kind = "greenapi"
instance = "3301"
api_token = "green-token-c"
webhook_token = "hook-a"
api_base = "SIM"
"#;
const NUMBERS: [&str; 2] = [PNID, "700100"];
const INSTANCES: [&str; 2] = [INSTANCE, "3301"];

/// Everything that a webhook may change, but for what the clock does to it.
const TABLES: [&str; 8] = [
    "SELECT * FROM message ORDER BY id",
    "SELECT * FROM contact_keys ORDER BY 1, 2, 3",
    "SELECT id, state, recipient, contact_id, lead_id, closed_at FROM conversation ORDER BY id",
    "SELECT * FROM inbox ORDER BY 1, 2",
    "SELECT * FROM jobs ORDER BY id",
    "SELECT * FROM receipts ORDER BY 1, 2, 3, 4",
    "SELECT * FROM events ORDER BY id",
    "SELECT * FROM outbox ORDER BY message_id",
];

/// What news of channels, identities and owners changes.
const NEWS: [&str; 4] = [
    "SELECT id, tenant_id, name, username, phone, bsuid, opted_out_at FROM contacts ORDER BY id",
    "SELECT kind, external_id, state FROM channels ORDER BY id",
    "SELECT * FROM notification ORDER BY id",
    "SELECT * FROM transitions ORDER BY id",
];

struct Case {
    name: String,
    webhook: Webhook,
    parsed: Option<Delivery>,
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Our own cases and, where `BARID_FIXTURES` names its folder, the collection.
fn cases(world: &World) -> Vec<Case> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../channels/tests/cases");
    let mut folders = vec![(own.join("meta"), Provider::Meta), (own.join("green"), Provider::Green)];
    match std::env::var_os("BARID_FIXTURES").map(PathBuf::from) {
        Some(root) => folders.extend([(root.join("meta"), Provider::Meta), (root.join("greenapi"), Provider::Green)]),
        None => println!("BARID_FIXTURES is not set: only our own cases are posted"),
    }
    let mut cases = Vec::new();
    for (folder, provider) in folders {
        for file in files(&folder) {
            let body = std::fs::read(&file).unwrap();
            let parsed = if provider == Provider::Meta { meta::parse(&body) } else { green::parse(&body) };
            let mut webhook = world.meta.sign("", "", body);
            if provider == Provider::Green {
                (webhook.provider, webhook.proof) = (provider, "Bearer hook-a".to_owned());
            }
            let name = file.strip_prefix(folder.parent().unwrap()).unwrap().with_extension("");
            cases.push(Case { name: name.to_string_lossy().into_owned(), webhook, parsed: parsed.ok() });
        }
    }
    assert!(cases.len() > 60, "{}", cases.len());
    cases
}

/// Whether an element names a number that is not in the configuration.
fn stranger(route: &Route) -> bool {
    match route {
        Route::PhoneNumberId(id) => !NUMBERS.contains(&id.as_str()),
        Route::Instance(id) => !INSTANCES.contains(&id.as_str()),
        Route::Account(_) | Route::Nowhere => false,
    }
}

/// What S1.5 says to a body: no JSON 400, nothing in it for a number of ours 404 or kept, anything else 200.
fn expected(case: &Case, unrouted: u16) -> u16 {
    let says_broken = case.name.contains("/invalid_") || case.name.contains("/not_json_");
    assert_eq!(says_broken, case.parsed.is_none(), "{}: the parser and the file's name differ", case.name);
    match &case.parsed {
        None => 400,
        Some(delivery) if delivery.items.iter().all(|i| stranger(&i.route)) => unrouted,
        // One instance a body: with Green API any stranger refuses it.
        Some(delivery) if case.webhook.provider == Provider::Green => {
            if delivery.items.iter().any(|i| stranger(&i.route)) { unrouted } else { 200 }
        }
        Some(_) => 200,
    }
}

async fn contents(world: &World, tables: &[&str]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for table in tables {
        all.push(world.rows(table).await);
    }
    all
}

/// Posts everything again; the rows that came, changed or went by that.
async fn changes(world: &World, cases: &[Case], tables: &[&str]) -> Vec<String> {
    let before = contents(world, tables).await;
    for case in cases {
        assert_eq!(world.post(&case.webhook).await, expected(case, 404), "{} again", case.name);
    }
    let mut changes = Vec::new();
    for (table, (before, after)) in tables.iter().zip(before.iter().zip(&contents(world, tables).await)) {
        let (came, went) = (after.iter().filter(|r| !before.contains(r)), before.iter().filter(|r| !after.contains(r)));
        changes.extend(came.chain(went).map(|row| format!("{table}: {row}")));
    }
    changes
}

/// Which customers' messages a body brings for numbers of ours that are to be answered: the only ones that make jobs (S1.4).
fn questions(case: &Case) -> usize {
    let items = case.parsed.iter().flat_map(|d| &d.items).filter(|i| !stranger(&i.route));
    items.filter(|i| matches!(&i.event, Event::Message(m) if m.content.wants_answer() && m.group.is_none())).count()
}

/// S1.3 to S1.6 for every body: its answer, a job only for a customer's message, and no change at all when all come again.
#[tokio::test(flavor = "multi_thread")]
async fn every_body_has_its_answer_and_its_effect_once() {
    let world = Setup::default().more(OWN).no_worker().start().await;
    let cases = cases(&world);
    let mut broken = HashSet::new();
    for case in &cases {
        let before: usize = world.one("SELECT COUNT(*) FROM jobs").await.parse().unwrap();
        let status = world.post(&case.webhook).await;
        assert_eq!(status, expected(case, 404), "{}", case.name);
        let after: usize = world.one("SELECT COUNT(*) FROM jobs").await.parse().unwrap();
        let made = after - before;
        assert!(made <= questions(case), "{}: {made} jobs, {} questions", case.name, questions(case));
        if status == 400 {
            broken.insert(types::text::digest(&case.webhook.body));
        }
    }
    let kept = "SELECT COUNT(*) FROM events WHERE kind = 'not_json'";
    assert_eq!(world.one(kept).await, broken.len().to_string(), "what is no JSON is kept raw, each once");
    let orphans = "SELECT COUNT(*) FROM jobs j LEFT JOIN message m ON m.id = j.message_id AND m.direction = 'in' AND m.sender = 'USER'
                   WHERE m.id IS NULL";
    assert_eq!(world.one(orphans).await, "0");
    assert_eq!(changes(&world, &cases, &TABLES).await, [""; 0], "rows changed when everything came twice");
    if !crate::support::on_postgres() {
        assert_eq!(world.one("PRAGMA integrity_check").await, "ok");
        assert_eq!(world.rows("PRAGMA foreign_key_check").await, [""; 0]);
    }
}

/// S1.6 for news: an old report of a state, an identity or an owner that comes again does not undo what came after it.
#[tokio::test(flavor = "multi_thread")]
async fn old_news_that_comes_again_changes_nothing() {
    let world = Setup::default().more(OWN).no_worker().start().await;
    let cases = cases(&world);
    for case in &cases {
        world.post(&case.webhook).await;
    }
    assert_eq!(changes(&world, &cases, &NEWS).await, [""; 0], "news was applied twice");
}

/// S1.5: with `unrouted = "store"` no signed JSON is refused, wherever it belongs.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_signed_is_refused_where_strangers_are_kept() {
    let world = Setup::default().more(OWN).no_worker().env(&[("BARID__SERVER__UNROUTED", "store")]).start().await;
    for case in cases(&world) {
        assert_eq!(world.post(&case.webhook).await, expected(&case, 200), "{}", case.name);
    }
}

/// S1.3: the corpus is worked as well: every job comes to an end, none of them in the dead letters.
#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_the_corpus_is_worked_to_its_end() {
    let world = Setup::default().more(OWN).start().await;
    for case in cases(&world) {
        world.post(&case.webhook).await;
    }
    world.until("SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running')", "0").await;
    assert_eq!(world.rows("SELECT error, payload FROM dead_letters").await, [""; 0]);
}

/// The signature of the collection's own key opens both numbers; another one opens none.
#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_needs_its_signature() {
    let world = Setup::default().more(OWN).no_worker().start().await;
    let forger = MetaSource::new(&number(PNID, "another_secret", "x"), world.clock.clone());
    for case in cases(&world).iter().filter(|c| c.webhook.provider == Provider::Meta).take(40) {
        assert_eq!(world.post(&forger.sign("", "", case.webhook.body.to_vec())).await, 401, "{}", case.name);
    }
    assert_eq!(world.one("SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM message)").await, "0");
}
