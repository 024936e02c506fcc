//! What operators query (S6.3, SPEC appendix A): known rows in, their figures out; and docs/sql.md is true.

use store::dead_letters::RedriveDue;
use store::desk::tasks::Add;
use store::desk::{Access, By};
use store::settings::Declare;
use types::Fault;
use types::states::Receipt;

use crate::fixtures::{PHONE, accepted, rejected, retry, status};
use crate::support::{Backend, Db, START};

for_each_database! {
    the_page_says_what_is_there,
    every_query_of_the_page_runs,
    a_conversation_with_its_messages,
    sends_are_logged_by_attempt,
    the_queue_and_what_became_of_it,
    dead_letters_and_their_summary,
    next_retry_at_can_be_set_and_nothing_else,
    locks_are_leases,
    stuck_conversations_say_since_when_and_why,
    processing_times_are_by_the_hour,
    people_see_leads_notices_tasks_and_transitions,
    agents_by_session_and_in_sum,
    the_configuration_is_declared_once,
}

const PAGE: &str = include_str!("../../../../../docs/sql.md");
const OTHER: &str = "971500000002";

/// Each relation of the page with its columns.
fn relations() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut found = Vec::new();
    let mut name = "";
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            name = heading;
        } else if let Some(columns) = line.strip_prefix("Columns: ") {
            found.push((name, columns.trim_end_matches('.').split(", ").map(|c| c.trim_matches('`')).collect()));
        }
    }
    found
}

async fn the_page_says_what_is_there(db: &Db) {
    let (views, columns) = match db.backend() {
        Backend::Sqlite => (
            "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY 1",
            "SELECT name FROM pragma_table_info('VIEW')",
        ),
        Backend::Postgres => (
            "SELECT CAST(viewname AS TEXT) FROM pg_views WHERE schemaname = current_schema() ORDER BY 1",
            "SELECT CAST(attname AS TEXT) FROM pg_attribute WHERE attrelid = 'VIEW'::regclass AND attnum > 0 ORDER BY attnum",
        ),
    };
    let mut page = relations();
    for (view, said) in &page {
        let there: Vec<String> = db.rows(&columns.replace("VIEW", view)).await.concat();
        assert_eq!(&there, said, "the columns of {view}");
    }
    page.sort_unstable();
    let names: Vec<&str> = page.iter().map(|(name, _)| *name).collect();
    assert_eq!(db.rows(views).await.concat(), names);
}

async fn every_query_of_the_page_runs(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let own = match db.backend() {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgresql",
    };
    let mut ran = 0;
    for block in PAGE.split("```").skip(1).step_by(2) {
        let Some((language, text)) = block.split_once('\n') else { continue };
        if language != own && language != "sql" {
            continue;
        }
        for query in text.split(";\n").filter(|q| !q.trim().is_empty()) {
            // A function that changes something is a SELECT, too; the seam reads no timestamps, so that answers are not looked at there.
            match (db.backend(), query.trim().starts_with("SELECT")) {
                (Backend::Sqlite, true) => drop(db.rows(query).await),
                _ => drop(db.set(query).await),
            }
            ran += 1;
        }
    }
    assert!(ran >= 10, "{ran}");
}

async fn a_conversation_with_its_messages(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "Hi there").await;
    db.record(&lease, &deliver, accepted("o1")).await;
    db.pass(60);
    db.event(status("o1", Receipt::Delivered)).await;
    db.set("UPDATE contacts SET name = 'Mona'").await;
    let at = db.time("\"timestamp\"");
    assert_eq!(
        db.rows(&format!("SELECT conversation_id, {at}, sender_type, message_text, direction, status FROM messages ORDER BY message_id")).await,
        [
            [&*lease.conversation.to_string(), "2027-01-15T08:00:00.000Z", "USER", "hello", "inbound", "received"],
            [&*lease.conversation.to_string(), "2027-01-15T08:00:00.000Z", "AI", "Hi there", "outbound", "delivered"],
        ]
    );
    assert_eq!(
        db.rows("SELECT conversation_id, contact_name, phone_number, status FROM conversations").await,
        [[&*lease.conversation.to_string(), "Mona", PHONE, "active"]]
    );
    assert_eq!(
        db.rows(
            "SELECT message_id, phone_number, direction, content, status FROM whatsapp_messages ORDER BY direction"
        )
        .await,
        [["w1", PHONE, "inbound", "hello", "received"], ["o1", PHONE, "outbound", "Hi there", "delivered"]]
    );
    let key = format!("{}:w1:part0", lease.conversation);
    assert_eq!(
        db.rows("SELECT conversation_id, dedupe_key, provider_message_id, status FROM outbound_message_log").await,
        [[&*lease.conversation.to_string(), &key, "o1", "delivered"]]
    );
    let created = db.time("created_at");
    assert_eq!(db.one(&format!("SELECT {created} FROM outbound_message_log")).await, "2027-01-15T08:00:00.000Z");
}

async fn sends_are_logged_by_attempt(db: &Db) {
    let (lease, deliver) = db.sending("w1", PHONE, "Hi there").await;
    db.record(&lease, &deliver, retry(Fault::Transient)).await;
    db.pass(60);
    let (lease, deliver) = db.claim_send().await;
    db.record(&lease, &deliver, rejected()).await;
    // Another waits for its first attempt.
    let (lease, _) = db.sending("w2", OTHER, "And you").await;
    db.set(&format!(
        "UPDATE message SET status = 'pending' WHERE conversation_id = {} AND direction = 'out'",
        lease.conversation
    ))
    .await;
    let rows = "SELECT message_preview, status, error_message, retry_count, http_status FROM sent_messages_log ORDER BY message_id, retry_count";
    assert_eq!(
        db.rows(rows).await,
        [
            ["Hi there", "saved_only", "the provider said so", "0", "-"],
            ["Hi there", "failed", "window closed", "1", "400"],
            ["And you", "saved_only", "-", "0", "-"],
        ]
    );
    let at = db.time("\"timestamp\"");
    assert_eq!(
        db.rows(&format!("SELECT {at} FROM sent_messages_log ORDER BY message_id, retry_count")).await.concat(),
        ["2027-01-15T08:00:00.000Z", "2027-01-15T08:01:00.000Z", "2027-01-15T08:01:00.000Z"]
    );
}

async fn the_queue_and_what_became_of_it(db: &Db) {
    // One done, one that is tried again, one dead, one that waits for its first attempt.
    let done = db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    db.pass(2);
    db.finish(&claimed, &[]).await;
    for (id, from, fault) in [("w2", OTHER, Fault::Transient), ("w3", "971500000003", Fault::Permanent)] {
        db.message(id, from, "hello").await;
        let claimed = db.claim().await;
        db.fail(&claimed, fault).await;
    }
    db.message("w4", "971500000004", "hello").await;
    assert_eq!(
        db.rows("SELECT inbound_provider_message_id, status, attempts, max_attempts, error FROM outbound_jobs ORDER BY job_id").await,
        [
            ["w1", "done", "1", "4", "-"],
            ["w2", "queued", "1", "4", "the model is away"],
            ["w3", "dead", "1", "4", "the model is away"],
            ["w4", "queued", "0", "4", "-"],
        ]
    );
    let (run, completed) = (db.time("run_at"), db.time("completed_at"));
    assert_eq!(
        db.rows(&format!("SELECT {run}, {completed} FROM outbound_jobs WHERE inbound_message_id = {done}")).await,
        [["2027-01-15T08:00:00.000Z", "2027-01-15T08:00:02.000Z"]]
    );
    let (processed, expires) = (db.time("processed_at"), db.time("expires_at"));
    assert_eq!(
        db.rows(&format!(
            "SELECT message_id, processing_status, {processed}, {expires} FROM processed_messages ORDER BY message_id"
        ))
        .await,
        [
            ["w1", "success", "2027-01-15T08:00:02.000Z", "2027-02-14T08:00:00.000Z"],
            ["w2", "retrying", "2027-01-15T08:00:02.000Z", "2027-02-14T08:00:02.000Z"],
            ["w3", "failed", "2027-01-15T08:00:02.000Z", "2027-02-14T08:00:02.000Z"],
        ]
    );
    assert_eq!(db.count("processed_messages WHERE lead_id IN (SELECT lead_id FROM leads)").await, 3);
    let rows =
        db.rows(&format!("SELECT whatsapp_message_id, {processed} FROM processed_webhook_messages ORDER BY 1")).await;
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0], ["w1", "2027-01-15T08:00:00.000Z"]);
}

/// Two that are pending and one that a person discarded.
async fn letters(db: &Db) {
    for (n, fault) in [Fault::Permanent, Fault::Configuration, Fault::Permanent].into_iter().enumerate() {
        db.message(&format!("w{n}"), &format!("97150000000{n}"), "hello").await;
        let claimed = db.claim().await;
        db.pass(1);
        db.fail(&claimed, fault).await;
    }
    let letter = db.one("SELECT id FROM dead_letters WHERE provider_message_id = 'w2'").await.parse().unwrap();
    let decide = store::dead_letters::Decide { letter, retry: false, actor: "mona".into() };
    db.store.write(decide).await.unwrap();
}

async fn dead_letters_and_their_summary(db: &Db) {
    letters(db).await;
    let (next, created) = (db.time("next_retry_at"), db.time("created_at"));
    assert_eq!(
        db.rows(&format!("SELECT whatsapp_message_id, error, retry_count, {next}, resolution_status, {created} FROM webhook_dlq ORDER BY id")).await,
        [
            ["w0", "the model is away", "0", "-", "pending", "2027-01-15T08:00:00.000Z"],
            ["w1", "the model is away", "0", "2027-01-15T08:01:02.000Z", "pending", "2027-01-15T08:00:01.000Z"],
            ["w2", "the model is away", "0", "-", "discarded", "2027-01-15T08:00:02.000Z"],
        ]
    );
    let (first, last) = (db.time("first_attempt_at"), db.time("last_attempt_at"));
    let rows = db
        .rows(&format!("SELECT message_id, error_message, error_stack, attempt_count, status, {first}, {last} FROM dead_letter_queue ORDER BY message_id"))
        .await;
    assert_eq!(
        rows[1..],
        [
            [
                "w1",
                "the model is away",
                "configuration: the model is away",
                "1",
                "failed",
                "2027-01-15T08:00:01.000Z",
                "2027-01-15T08:00:02.000Z"
            ],
            [
                "w2",
                "the model is away",
                "permanent: the model is away",
                "1",
                "resolved",
                "2027-01-15T08:00:02.000Z",
                "2027-01-15T08:00:03.000Z"
            ],
        ]
    );
    assert!(db.one("SELECT original_payload FROM dead_letter_queue").await.contains("hello"));
    let (oldest, newest) = (db.time("oldest"), db.time("newest"));
    assert_eq!(
        db.rows(&format!(
            "SELECT resolution_status, \"count\", {oldest}, {newest} FROM webhook_dlq_summary ORDER BY 1"
        ))
        .await,
        [
            ["discarded", "1", "2027-01-15T08:00:02.000Z", "2027-01-15T08:00:02.000Z"],
            ["pending", "2", "2027-01-15T08:00:00.000Z", "2027-01-15T08:00:01.000Z"],
        ]
    );
}

/// S2.5: `update webhook_dlq set next_retry_at = now()` and what an operator might write instead.
async fn next_retry_at_can_be_set_and_nothing_else(db: &Db) {
    letters(db).await;
    let texts = match db.backend() {
        Backend::Sqlite => ["datetime('2027-01-15 08:00:03')", "1800000003", "'2027-01-15T08:00:03.000Z'"],
        Backend::Postgres => {
            ["to_timestamp(1800000003)", "timestamptz '2027-01-15 10:00:03+02'", "barid_time(1800000003000000)"]
        }
    };
    let next = db.time("next_retry_at");
    for text in texts {
        db.set("UPDATE dead_letters SET next_retry_at = NULL WHERE id > 0").await;
        db.set(&format!("UPDATE webhook_dlq SET next_retry_at = {text} WHERE resolution_status = 'pending'")).await;
        assert_eq!(
            db.rows(&format!("SELECT whatsapp_message_id, {next} FROM webhook_dlq ORDER BY id")).await,
            [["w0", "2027-01-15T08:00:03.000Z"], ["w1", "2027-01-15T08:00:03.000Z"], ["w2", "-"]],
            "{text}"
        );
    }
    // A letter that is decided stays so, even without a condition.
    db.set(&format!("UPDATE webhook_dlq SET next_retry_at = {}", texts[0])).await;
    assert_eq!(db.one("SELECT COUNT(*) FROM dead_letters WHERE next_retry_at IS NULL").await, "1");
    assert_eq!(db.store.write(RedriveDue { limit: 10 }).await.unwrap(), 2);
    assert_eq!(db.claim_as("node-a", 10).await.len(), 2, "and they are worked");
    let refused = db.try_set("UPDATE webhook_dlq SET resolution_status = 'resolved'").await;
    assert!(refused.is_err(), "{refused:?}");
    let refused = db.try_set("UPDATE webhook_dlq SET next_retry_at = 'soon'").await;
    assert!(refused.is_err(), "{refused:?}");
}

/// After every clock that tests know.
const FAR: i64 = 9_000_000_000_000_000;

async fn locks_are_leases(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    db.message("w2", OTHER, "hello").await;
    let claimed = db.claim_as("node-a", 1).await.remove(0);
    db.set(&format!("UPDATE conversation SET lease_until = {FAR} WHERE lease_owner = 'node-a'")).await;
    let (at, updated) = (db.time("locked_at"), db.time("updated_at"));
    let rows =
        format!("SELECT user_id, status, {updated}, {at}, locked_by FROM webhook_conversations ORDER BY user_id");
    let begun = "2027-01-15T08:00:00.000Z";
    assert_eq!(db.rows(&rows).await, [[PHONE, "active", begun, begun, "node-a"], [OTHER, "active", begun, "-", "-"]]);
    let health =
        "SELECT total_count, active_count, locked_count, error_count, waiting_count FROM webhook_conversation_health";
    assert_eq!(db.rows(health).await, [["2", "2", "1", "0", "2"]]);
    // What has run out is no lock.
    db.set("UPDATE conversation SET lease_until = 1 WHERE lease_owner = 'node-a'").await;
    assert_eq!(db.rows(&rows).await[0], [PHONE, "active", begun, "-", "-"]);
    db.set(&format!("UPDATE conversation SET lease_until = {FAR} WHERE lease_owner = 'node-a'")).await;
    db.fail(&claimed, Fault::Permanent).await;
    assert_eq!(db.rows(&rows).await[0], [PHONE, "error", begun, "-", "-"], "its message is dead");
    assert_eq!(db.rows(health).await, [["2", "1", "0", "1", "1"]]);
}

async fn stuck_conversations_say_since_when_and_why(db: &Db) {
    for (n, from) in [PHONE, OTHER, "971500000003", "971500000004"].into_iter().enumerate() {
        db.message(&format!("w{n}"), from, "hello").await;
    }
    let of = |from: &str| format!("WHERE contact_id = (SELECT id FROM contacts WHERE phone = '{from}')");
    db.set(&format!("UPDATE conversation SET next_due = 1000000 {}", of(PHONE))).await;
    db.set(&format!("UPDATE conversation SET next_due = NULL {}", of(OTHER))).await;
    db.set(&format!(
        "UPDATE jobs SET run_at = 2000000 WHERE conversation_id IN (SELECT id FROM conversation {})",
        of(OTHER)
    ))
    .await;
    db.set(&format!(
        "UPDATE conversation SET lease_owner = 'n', leased_at = 3000000, lease_until = {FAR} {}",
        of("971500000003")
    ))
    .await;
    db.set(&format!("UPDATE conversation SET next_due = {FAR} {}", of("971500000004"))).await;
    let since = db.time("since");
    assert_eq!(
        db.rows(&format!("SELECT {since}, why, locked_by FROM stuck_webhook_conversations ORDER BY since")).await,
        [
            ["1970-01-01T00:00:01.000Z", "due, and nobody works it", "-"],
            ["1970-01-01T00:00:02.000Z", "has open work, but is not due", "-"],
            ["1970-01-01T00:00:03.000Z", "held for more than 15 minutes", "n"],
        ]
    );
    assert_eq!(db.one("SELECT stuck_count FROM webhook_conversation_health").await, "3");
}

/// An hour that is over, by the machine's own clock: that is what these figures go by.
fn some_hour() -> i64 {
    types::Clock::now(&types::clock::SystemClock).micros() / 3_600_000_000 - 2
}

async fn processing_times_are_by_the_hour(db: &Db) {
    let hour = some_hour();
    for n in 0..100 {
        db.message(&format!("w{n}"), PHONE, "hello").await;
    }
    // 1 ms, 2 ms, … 100 ms; one of them an hour later.
    let begun = hour * 3_600_000_000;
    db.set(&format!("UPDATE jobs SET state = 'done', created_at = {begun}, completed_at = {begun} + 1000 * (SELECT COUNT(*) FROM jobs j WHERE j.id <= jobs.id)")).await;
    db.set("UPDATE jobs SET created_at = created_at + 3600000000, completed_at = completed_at + 3600000000 WHERE id = (SELECT MAX(id) FROM jobs)").await;
    let rows = db
        .rows(
            "SELECT message_count, CAST(avg_processing_ms AS DOUBLE PRECISION), CAST(p95_processing_ms AS DOUBLE PRECISION),
                    CAST(p99_processing_ms AS DOUBLE PRECISION) FROM webhook_message_processing_metrics ORDER BY hour",
        )
        .await;
    assert_eq!(rows, [["99", "50", "95", "99"], ["1", "100", "100", "100"]]);
    let at = db.time("hour");
    let wanted = types::Timestamp::from_micros(begun).to_string();
    let said = db.one(&format!("SELECT {at} FROM webhook_message_processing_metrics ORDER BY hour")).await;
    assert_eq!(said[..19], wanted[..19]);
}

async fn people_see_leads_notices_tasks_and_transitions(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let lead = claimed.snapshot.lead;
    let mut finish = db.finish_op(&claimed, crate::support::turn(&claimed.work), &[]);
    finish.finish.fields.insert("service".to_owned(), "golden visa".to_owned());
    finish.finish.notice = Some(("Call Mona".to_owned(), "She asked".to_owned()));
    finish.finish.state = Some((types::states::ConversationState::HandedOver, "the flow is done".to_owned()));
    db.store.write(finish).await.unwrap();
    assert_eq!(
        db.rows("SELECT lead_id, status, service, source FROM leads").await,
        [[&*lead.to_string(), "open", "golden visa", "whatsapp:meta"]]
    );
    assert_eq!(db.rows("SELECT \"type\", title, read_at, snoozed_until FROM (SELECT \"type\", title, CAST(read_at AS TEXT) AS read_at, CAST(snoozed_until AS TEXT) AS snoozed_until FROM notifications) AS n").await, [["needs_person", "Call Mona", "-", "-"]]);
    assert_eq!(
        db.rows("SELECT conversation_id, from_state, to_state, reason, actor FROM conversation_state_transitions")
            .await,
        [[&*claimed.snapshot.conversation.to_string(), "active", "handed_over", "the flow is done", "assistant"]]
    );
    let task = Add {
        tenant: db.meta.tenant,
        lead: Some(lead),
        conversation: None,
        task_type: "schedule_call".into(),
        title: "Call her".into(),
        description: String::new(),
        priority: store::desk::Priority::High,
        assigned_to: ("team".into(), "sales".into()),
        due_at: Some(START),
        access: Access::All,
        by: By::system("test"),
    };
    db.store.write(task).await.unwrap();
    let due = db.time("due_date");
    assert_eq!(
        db.rows(&format!("SELECT lead_id, business_id, tenant_id, task_type, title, status, priority, assigned_to_type, assigned_to_id, {due}, metadata FROM tasks")).await,
        [[&*lead.to_string(), "alain", &*db.meta.tenant.to_string(), "schedule_call", "Call her", "pending", "high", "team", "sales", "2027-01-15T08:00:00.000Z", "-"]]
    );
}

async fn the_configuration_is_declared_once(db: &Db) {
    let day = std::time::Duration::from_secs(86_400);
    let limits = store::alerts::Limits { stuck: 7, dead_letters: 0, p95_ms: 900, disk_percent: 10 };
    for keep_ids in [day * 30, day * 9] {
        db.store.write(Declare { keep_ids, lease: day, limits }).await.unwrap();
    }
    let health = "SELECT name, value FROM settings WHERE name LIKE 'health_%' ORDER BY name";
    assert_eq!(
        db.rows(health).await,
        [
            ["health_channels_paused", "0"],
            ["health_dead_letters_pending", "0"],
            ["health_failed_sends_24h", "10"],
            ["health_oldest_waiting_job_seconds", "60"],
            ["health_p95_processing_ms", "900"],
            ["health_stuck_conversations", "7"],
        ],
        "those that alerts have are theirs"
    );
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    let expires = db.time("expires_at");
    assert_eq!(db.one(&format!("SELECT {expires} FROM processed_messages")).await, "2027-01-24T08:00:00.000Z");
}

async fn agents_by_session_and_in_sum(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let row = db.rows("SELECT tenant_id, id, lead_id FROM conversation").await.remove(0);
    let (tenant, conversation, lead) = (&row[0], &row[1], &row[2]);
    let at = START.micros();
    db.set(&format!(
        "INSERT INTO agent_context VALUES ({conversation}, 'job_board', {tenant}, '[]', 'short', '{{}}', 90, {at})"
    ))
    .await;
    for (n, ended, turns, errors) in [(1, "NULL", 4, 1), (2, "1800000060000000", 16, 0)] {
        db.set(&format!(
            "INSERT INTO agent_session (id, tenant_id, conversation_id, lead_id, agent, provider, model, started_at, last_at, ended_at, outcome, turns, replies,
                calls, tokens_in, tokens_out, cost, errors, latency_ms)
             VALUES ({n}, {tenant}, {conversation}, {lead}, 'job_board', 'local', 'm', {at}, {at}, {ended}, 'open', {turns}, 1, 1, 100, 20, 7, {errors}, 1000)"
        ))
        .await;
    }
    for n in 1..=20 {
        db.set(&format!(
            "INSERT INTO agent_log (id, tenant_id, lead_id, conversation_id, message_id, session_id, agent, workflow, input, output, status, calls, tokens_in,
                tokens_out, cost, latency_ms, created_at)
             VALUES ({n}, {tenant}, {lead}, {conversation}, 1, 1, 'job_board', 'agent', 'in', 'out', 'ok', '[]', 5, 6, 1, {n} * 100, {at})"
        ))
        .await;
    }
    let real = |c: &str| format!("CAST({c} AS DOUBLE PRECISION)");
    let (mean, average) = (real("mean_latency_ms"), real("avg_latency_ms"));
    let (start, end) = (db.time("session_start"), db.time("session_end"));
    let begun = "2027-01-15T08:00:00.000Z";
    assert_eq!(
        db.rows(&format!(
            "SELECT agent_type, {start}, {end}, turns, tokens, errors, {mean} FROM agent_sessions ORDER BY session_id"
        ))
        .await,
        [
            ["job_board", begun, "-", "4", "120", "1", "250"],
            ["job_board", begun, "2027-01-15T08:01:00.000Z", "16", "120", "0", "62.5"],
        ]
    );
    assert_eq!(
        db.rows("SELECT conversation_id, agent_type, messages, tokens FROM agent_contexts").await,
        [[conversation.as_str(), "job_board", "[]", "90"]]
    );
    let created = db.time("created_at");
    assert_eq!(
        db.rows(&format!("SELECT lead_id, conversation_id, workflow, input, output, status, {created} FROM agent_processing_log WHERE log_id = 1")).await,
        [[lead.as_str(), conversation.as_str(), "agent", "in", "out", "ok", begun]]
    );
    assert_eq!(
        db.rows(&format!(
            "SELECT agent_type, session_count, open_count, turn_count, token_count, error_count, {average}, p95_latency_ms FROM webhook_agent_performance"
        ))
        .await,
        [["job_board", "2", "1", "20", "240", "1", "1050", "1900"]]
    );
}
