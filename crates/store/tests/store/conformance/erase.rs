//! One person is removed everywhere (S6.8), and nobody else is.

use std::collections::BTreeMap;

use store::StoreError;
use store::desk::acts::{self, AddNote};
use store::desk::{Access, By, Priority, audit, leads, tasks};
use store::erase::{self, Erased, Find, Whom};
use store::spool::Spool;
use tokio::task::JoinSet;
use types::inbound::{Event, Identity};
use types::states::Receipt;
use types::{ContactId, ConversationId, Fault, LeadId};

use crate::fixtures::{PHONE, accepted, inbound, message, phone, rejected, status, text};
use crate::support::{Backend, Db, accept_op};

for_each_database! {
    nothing_of_them_is_left_and_nothing_of_others_is_gone,
    an_erasure_that_was_cut_off_is_finished_by_the_next,
    who_writes_again_is_somebody_new,
    a_person_of_another_tenant_is_not_there,
    every_table_is_thought_of,
}

const NUMBER: &str = "971500000777";
/// What nobody else says.
const CANARIES: [&str; 7] =
    [NUMBER, "AE.kanari77", "Kanari Kadabra", "xylophone", "kanari@example.org", "wamid.kanari", "tambourine"];

fn by() -> By {
    By::system("test")
}

fn them() -> Identity {
    Identity { bsuid: Some("AE.kanari77".into()), name: Some("Kanari Kadabra".into()), ..phone(NUMBER) }
}

/// Tables whose rows are about customers, or repeat what was said.
const THEIRS: [&str; 30] = [
    "contacts",
    "contact_keys",
    "lead",
    "conversation",
    "message",
    "inbox",
    "jobs",
    "outbox",
    "attempts",
    "receipts",
    "events",
    "dead_letters",
    "transitions",
    "notification",
    "desk",
    "authors",
    "notes",
    "task",
    "idempotency",
    "audit",
    "saga",
    "saga_step",
    "agent_context",
    "agent_session",
    "agent_log",
    "exposure",
    "ai_result",
    "spool",
    "delivery",
    "job_attempt",
];

/// Tables without a customer in them, each with why.
const OTHERS: [(&str, &str); 21] = [
    ("agent_spend", "how many tokens of a day, by the number of a contact alone"),
    ("endpoint", "programs"),
    ("tenants", "the configuration"),
    ("channels", "the configuration"),
    ("settings", "the configuration"),
    ("flag", "switches, set by the team"),
    ("users", "the team"),
    ("tokens", "programs"),
    ("grants", "the team"),
    ("sessions", "the team"),
    ("links", "the team"),
    ("login_failures", "the team"),
    ("follower", "how far was read"),
    ("hours", "sums of whole hours"),
    ("batches", "filters by number of a row, and counts"),
    ("breaker", "outside dependencies"),
    ("alert", "figures"),
    ("alert_delivery", "figures"),
    ("nodes", "processes"),
    ("move_run", "a move"),
    ("move_table", "a move"),
];

async fn tables(db: &Db) -> Vec<String> {
    let sql = match db.backend() {
        Backend::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        }
        Backend::Postgres => {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
        }
    };
    db.rows(sql).await.into_iter().map(|mut row| row.remove(0)).collect()
}

/// A new table is either looked through by an erasure, or says why not.
async fn every_table_is_thought_of(db: &Db) {
    let unknown: Vec<_> = tables(db)
        .await
        .into_iter()
        .filter(|t| t != "schema_version" && !THEIRS.contains(&t.as_str()) && !OTHERS.iter().any(|(name, _)| name == t))
        .collect();
    assert!(unknown.is_empty(), "does `barid erase` look through {unknown:?}? Say so here");
}

/// In how many rows of each table one of the canaries stands.
async fn canaries(db: &Db) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for table in tables(db).await {
        let rows = db.rows(&format!("SELECT * FROM {table}")).await;
        let named = rows.iter().filter(|row| row.iter().any(|cell| CANARIES.iter().any(|c| cell.contains(c)))).count();
        if named > 0 {
            found.insert(table, named);
        }
    }
    found
}

async fn contact_of(db: &Db, number: &str) -> ContactId {
    let whom = Whom::Known(db.meta.tenant, number.to_owned());
    db.store.read(Find { whom, access: Access::All }).await.unwrap().remove(0).contact_id
}

async fn erase(db: &Db, contact: ContactId) -> Erased {
    let spool = Spool::within(&db.store, 1 << 20);
    erase::run(&db.store, Some(&*spool), contact, (&Access::All, &by()), |_, _| ()).await.unwrap()
}

/// A life that leaves something in every table there is.
async fn live(db: &Db) -> (ContactId, ConversationId) {
    let first = Event::Message(Box::new(inbound("wamid.kanari.1", them(), text("xylophone please"))));
    db.accept(&db.meta, vec![first], 0).await;
    let (lease, deliver) = db.reply("a tambourine for Kanari Kadabra").await;
    db.record(&lease, &deliver, accepted("wamid.kanari.2")).await;
    db.event(status("wamid.kanari.2", Receipt::Read)).await;
    db.message("wamid.kanari.3", NUMBER, "xylophone again").await;
    let (lease, deliver) = db.reply("no more tambourine").await;
    db.record(&lease, &deliver, rejected()).await;
    db.message("wamid.kanari.4", NUMBER, "a xylophone that cannot be worked").await;
    let claimed = db.claim().await;
    db.fail(&claimed, Fault::Permanent).await;
    let mut grouped = inbound("wamid.kanari.5", them(), text("xylophone in a group"));
    grouped.group = Some("120363000000000001@g.us".into());
    db.accept(&db.meta, vec![Event::Message(Box::new(grouped))], 0).await;
    db.event(Event::Note { kind: format!("about {NUMBER}") }).await;
    let talk = lease.conversation;
    let id: LeadId = db.one(&format!("SELECT lead_id FROM conversation WHERE id = {talk}")).await.parse().unwrap();
    let fields = leads::Change {
        name: Some("Kanari Kadabra".into()),
        email: Some("kanari@example.org".into()),
        ..Default::default()
    };
    db.store.write(leads::Set { id, change: fields, version: None, access: Access::All, by: by() }).await.unwrap();
    let task = tasks::Add {
        tenant: db.meta.tenant,
        lead: None,
        conversation: Some(talk),
        task_type: "call".into(),
        title: "Call Kanari Kadabra".into(),
        description: String::new(),
        priority: Priority::Normal,
        assigned_to: ("team".into(), String::new()),
        due_at: None,
        access: Access::All,
        by: by(),
    };
    db.store.write(task).await.unwrap();
    db.store
        .write(AddNote { id: talk, body: "loves the xylophone".into(), access: Access::All, by: by() })
        .await
        .unwrap();
    let take = acts::Do {
        id: talk,
        deed: acts::Deed::TakeOver { until: None },
        reason: Some("the xylophone".into()),
        access: Access::All,
        by: by(),
    };
    db.store.write(take).await.unwrap();
    let reason = Some("Kanari Kadabra asked for a tambourine".to_owned());
    let (tenant, kind) = (Some(db.meta.tenant), "lead");
    db.store.write(audit::Record { by: by(), tenant, action: "lead.look", kind, id: id.0, reason }).await.unwrap();
    by_hand(db, talk, id).await;
    let spool = Spool::within(&db.store, 1 << 20);
    let both = vec![
        message("wamid.kanari.6", NUMBER, "xylophone in the spool"),
        message("w.other.9", PHONE, "mine in the spool"),
    ];
    spool.keep(&accept_op(&db.meta, both, None, &db.policy)).await.unwrap();
    let alone = vec![message("wamid.kanari.7", NUMBER, "xylophone alone in the spool")];
    spool.keep(&accept_op(&db.meta, alone, None, &db.policy)).await.unwrap();
    (contact_of(db, NUMBER).await, talk)
}

/// Rows that only agents, actions and outside services make.
async fn by_hand(db: &Db, talk: ConversationId, lead: LeadId) {
    let (t, m) = (db.meta.tenant, db.one("SELECT MAX(id) FROM message WHERE direction = 'in'").await);
    for sql in [
        format!(
            "INSERT INTO agent_context VALUES ({talk}, 'job_board', {t}, '[\"xylophone\"]', 'Kanari Kadabra wants a xylophone', '{{}}', 3, 1)"
        ),
        format!(
            "INSERT INTO agent_session VALUES (7001, {t}, {talk}, {lead}, 'job_board', 'openai', 'm', 1, 1, NULL, 'open', 1, 1, 1, 1, 1, 1, 0, 1)"
        ),
        format!(
            "INSERT INTO agent_log VALUES (7002, {t}, {lead}, {talk}, {m}, 7001, 'job_board', 'agent', 'xylophone', 'tambourine', 'replied', NULL, '[]', 1, 1, 1, 1, 1)"
        ),
        format!("INSERT INTO exposure VALUES ({t}, 'greeting', {talk}, 'a', 1, NULL, NULL)"),
        format!("INSERT INTO ai_result VALUES ({m}, {t}, 'ORDER_REQUEST', 1, '{{\"item\":\"xylophone\"}}', 1)"),
        format!("INSERT INTO authors VALUES ({m}, {t}, 'wrote to Kanari Kadabra')"),
        format!(
            "INSERT INTO saga VALUES (7003, {t}, {talk}, {lead}, {m}, 'wamid.kanari.4', 'r', 'running', 'sorry about the xylophone', NULL, 1, NULL, 0, 0, 1, 1, NULL)"
        ),
        format!(
            "INSERT INTO saga_step VALUES (7003, 0, {t}, 'create_order', 'http', 'pending', 'stuck', NULL, '{{\"to\":\"{NUMBER}\"}}', NULL, 0, 0, 0, NULL, NULL, NULL, NULL)"
        ),
        format!(
            "INSERT INTO idempotency VALUES ('user:1', 'k1', 'digest', 200, '{{\"conversation_id\":\"{talk}\",\"body\":\"tambourine\"}}', 1)"
        ),
        format!(
            "INSERT INTO receipts VALUES ({}, 'w.to.a.group', 'read', '{NUMBER}', NULL, NULL, NULL, NULL, 1)",
            db.meta.channel
        ),
        format!(
            "INSERT INTO delivery VALUES (7004, {t}, 1, 'message.created', '{{\"conversation_id\":\"{talk}\"}}', NULL, 1, NULL, '[\"xylophone\"]', 1)"
        ),
        "INSERT INTO idempotency VALUES ('user:1', 'k2', 'digest', 200, '{\"body\":\"of somebody else\"}', 1)"
            .to_owned(),
    ] {
        assert_eq!(db.set(&sql).await, 1, "{sql}");
    }
}

async fn others(db: &Db) -> ConversationId {
    let (lease, deliver) = db.sending("w.other.1", PHONE, "a reply for somebody else").await;
    db.record(&lease, &deliver, accepted("w.other.2")).await;
    lease.conversation
}

async fn nothing_of_them_is_left_and_nothing_of_others_is_gone(db: &Db) {
    let other = others(db).await;
    let before = db.rows("SELECT * FROM message ORDER BY id").await;
    let (contact, _) = live(db).await;
    let found = canaries(db).await;
    // The rest holds no words, only what is theirs by a number.
    let wordless = [
        "desk",
        "exposure",
        "agent_session",
        "jobs",
        "transitions",
        "message",
        "notification",
        "receipts",
        "dead_letters",
        "attempts",
        "job_attempt",
    ];
    let missing: Vec<_> = THEIRS.iter().filter(|t| !found.contains_key(**t) && !wordless.contains(t)).collect();
    assert!(missing.is_empty(), "the life leaves nothing in {missing:?}; it leaves {found:?}");
    for table in ["jobs", "transitions", "notification", "receipts", "dead_letters", "attempts", "job_attempt"] {
        assert!(db.count(table).await > 0, "{table} is empty");
    }
    let lead: LeadId = db.one(&format!("SELECT MAX(id) FROM lead WHERE contact_id = {contact}")).await.parse().unwrap();
    let shown = db.store.read(Find { whom: Whom::Lead(lead), access: Access::All }).await.unwrap().remove(0);
    assert_eq!((shown.contact_id, shown.messages, shown.conversations.len()), (contact, 5, 1), "{shown:?}");
    let done = erase(db, contact).await;
    assert_eq!(canaries(db).await, BTreeMap::new(), "{done:?}");
    assert_eq!(db.rows("SELECT * FROM message ORDER BY id").await, before, "others' messages are as they were");
    assert_eq!(db.count(&format!("conversation WHERE id = {other}")).await, 1);
    assert_eq!(
        (db.count("idempotency").await, db.count("spool").await),
        (1, 1),
        "others' kept answers and spooled messages stay"
    );
    for table in ["notes", "task", "saga", "saga_step", "agent_session", "agent_log", "exposure", "dead_letters"] {
        assert_eq!(db.count(table).await, 0, "{table}");
    }
    for relation in [
        "messages",
        "conversations",
        "leads",
        "contacts",
        "contact_keys",
        "events",
        "spool",
        "notes",
        "tasks",
        "saga",
        "receipts",
    ] {
        assert!(done.removed.get(relation).is_some_and(|n| *n > 0), "{relation} is not named: {done:?}");
    }
    assert!(done.redacted > 0 && done.log_emptied, "{done:?}");
    let facts = db.rows("SELECT action, before, after FROM audit WHERE action IN ('lead.erase', 'lead.change', 'conversation.note') ORDER BY id").await;
    let actions: Vec<_> = facts.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(actions, ["lead.change", "conversation.note", "lead.erase"], "the facts stay");
    db.nothing_in_the_file(&CANARIES);
}

async fn an_erasure_that_was_cut_off_is_finished_by_the_next(db: &Db) {
    let (contact, _) = live(db).await;
    // Its process ends when the messages are gone and nothing else is.
    let store = db.store.clone();
    let mut cut = JoinSet::new();
    cut.spawn(async move {
        let stop = |done: usize, all: usize| assert!(done < all, "cut off, as this test wants it");
        erase::run(&store, None, contact, (&Access::All, &by()), stop).await
    });
    assert!(cut.join_next().await.unwrap().is_err(), "it should have been cut off");
    assert!(db.count("lead").await > 0);
    let done = erase(db, contact).await;
    assert_eq!(canaries(db).await, BTreeMap::new(), "{done:?}");
    assert!(db.store.read(Find { whom: Whom::Contact(contact), access: Access::All }).await.unwrap().is_empty());
}

async fn who_writes_again_is_somebody_new(db: &Db) {
    let (contact, _) = live(db).await;
    erase(db, contact).await;
    db.message("wamid.later", NUMBER, "hello, who are you?").await;
    assert_ne!(contact_of(db, NUMBER).await, contact);
    let claimed = db.claim().await;
    assert_eq!((claimed.snapshot.memory, claimed.snapshot.profile_name), (None, None), "nothing is remembered");
}

/// S7.1: who may not see them cannot learn that they are there.
async fn a_person_of_another_tenant_is_not_there(db: &Db) {
    let (contact, _) = live(db).await;
    let foreign = Access::Only([types::TenantId(4711)].into());
    let refused = erase::run(&db.store, None, contact, (&foreign, &by()), |_, _| ()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })));
    let look = Find { whom: Whom::Known(db.meta.tenant, NUMBER.into()), access: foreign };
    assert!(db.store.read(look).await.unwrap().is_empty());
}
