//! What operators call (S6.3), and what they may see and do under which role.

use std::sync::Arc;
use std::time::Duration;

use store::leases::Claim;
use store::{Policy, Store};
use testkit::postgres::Database;

use super::{node, wanted};
use crate::fixtures::message;
use crate::support::{accept_op, doors, runtime, seeds};

/// One conversation with a message that waits.
async fn waiting(database: &Database) -> (Store, String) {
    let store = node(database).await;
    let (meta, _) = doors(&store).await;
    let policy = Arc::new(Policy::default());
    store.write(accept_op(&meta, vec![message("w1", "971500000001", "hello")], None, &policy)).await.unwrap();
    (store, database.sql("SELECT id FROM conversation").unwrap())
}

async fn claimed(store: &Store) -> usize {
    let policy = Arc::new(Policy::default());
    store.write(Claim { owner: "node-a".into(), limit: 10, only: None, policy }).await.unwrap().len()
}

#[test]
fn a_lock_taken_by_sql_keeps_workers_off_until_it_is_released_or_expired() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let (store, id) = waiting(&database).await;
        let ask = |sql: &str| database.sql(&format!("SELECT {sql}")).unwrap();
        assert_eq!(ask(&format!("acquire_conversation_lock({id}, 'importer', 3600)")), "t");
        assert_eq!(claimed(&store).await, 0, "it is held");
        assert_eq!(ask(&format!("acquire_conversation_lock({id}, 'other')")), "f");
        assert_eq!(ask(&format!("release_conversation_lock({id}, 'other')")), "f");
        let held = "locked_by || ' ' || fence || ' ' || (locked_until - locked_at > interval '59 minutes') FROM webhook_conversations";
        assert_eq!(ask(held), "lock:importer 1 true");
        assert_eq!(ask(&format!("acquire_conversation_lock({id}, 'importer', 7200)")), "t", "its holder prolongs it");
        assert_eq!(ask("fence FROM conversation"), "1");
        assert_eq!(ask(&format!("release_conversation_lock({id}, 'importer')")), "t");
        assert_eq!(ask(&format!("release_conversation_lock({id}, 'importer')")), "f", "once");
        assert_eq!(claimed(&store).await, 1);
        assert_eq!(ask(&format!("acquire_conversation_lock({id}, 'importer')")), "f", "a worker has it");
        // A worker that lost its lease is locked out by the fence: the lock has another.
        database.sql("UPDATE conversation SET lease_until = 1").unwrap();
        assert_eq!(ask(&format!("acquire_conversation_lock({id}, 'importer', 1)")), "t");
        assert_eq!(ask("fence FROM conversation"), "3");
        assert_eq!(claimed(&store).await, 0);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(claimed(&store).await, 1, "it has expired");
        for wrong in ["0", "-1", "86401"] {
            assert!(database.sql(&format!("SELECT acquire_conversation_lock({id}, 'x', {wrong})")).is_err(), "{wrong}");
        }
        assert_eq!(ask("acquire_conversation_lock(5, 'x')"), "f", "no such conversation");
        store.close().await;
    });
}

#[test]
fn a_release_and_a_changed_letter_are_told_to_the_engine() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let (store, id) = waiting(&database).await;
        // The listener is up once it has told of itself.
        store.hub().woken().await;
        let heard = tokio::time::timeout(Duration::from_secs(10), async {
            database.sql(&format!("SELECT acquire_conversation_lock({id}, 'x'), release_conversation_lock({id}, 'x')")).unwrap();
            store.hub().woken().await;
            database.sql(
                "INSERT INTO dead_letters (id, tenant_id, job_id, conversation_id, message_id, payload, fault, error, attempts, redrives, status, first_at, last_at)
                 SELECT 1, tenant_id, 1, conversation_id, message_id, '', 'bug', '', 1, 0, 'pending', 0, 0 FROM jobs",
            )
            .unwrap();
            database.sql("UPDATE webhook_dlq SET next_retry_at = now() WHERE resolution_status = 'pending'").unwrap();
            store.hub().letters().await;
        });
        heard.await.unwrap();
        assert!(store.read(store::dead_letters::AnyDue).await.unwrap());
        store.close().await;
    });
}

#[test]
fn cleanup_frees_what_ran_out_and_wakes_what_has_work() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let (store, _) = waiting(&database).await;
        let cleanup = || database.sql("SELECT cleanup_stuck_webhook_conversations()").unwrap();
        assert_eq!(cleanup(), "0", "nothing is stuck");
        database.sql("UPDATE conversation SET next_due = NULL, lease_owner = 'gone', lease_until = 1").unwrap();
        assert_eq!(cleanup(), "1");
        assert_eq!(database.sql("SELECT lease_owner IS NULL, lease_until FROM conversation").unwrap(), "t|0");
        assert_eq!(claimed(&store).await, 1, "it is due again");
        assert_eq!(cleanup(), "0", "a live lease is left alone");
        store.close().await;
    });
}

#[test]
fn health_and_performance_are_true() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let (store, _) = waiting(&database).await;
        let (meta, _) = doors(&store).await;
        let policy = Arc::new(Policy::default());
        let events = (2..=20).map(|n| message(&format!("w{n}"), "971500000001", "hello")).collect();
        store.write(accept_op(&meta, events, None, &policy)).await.unwrap();
        // 18 done in 1 … 18 s, one of them at its second attempt; one dead; one that has waited for 10 minutes.
        database
            .sql(
                "UPDATE jobs SET state = 'done', attempts = 1, created_at = barid_micros(now()) - 60000000, completed_at = barid_micros(now()) - 60000000
                     + 1000000 * (SELECT COUNT(*) FROM jobs j WHERE j.id <= jobs.id);
                 UPDATE jobs SET attempts = 2 WHERE id = (SELECT MIN(id) FROM jobs);
                 UPDATE jobs SET state = 'dead' WHERE id = (SELECT MAX(id) FROM jobs);
                 UPDATE jobs SET state = 'queued', completed_at = NULL, run_at = barid_micros(now()) - 600000000
                     WHERE id = (SELECT MIN(id) FROM (SELECT id FROM jobs ORDER BY id DESC LIMIT 2) x);
                 UPDATE conversation SET next_due = barid_micros(now()) - 600000000;
                 INSERT INTO dead_letters (id, tenant_id, job_id, conversation_id, message_id, payload, fault, error, attempts, redrives, status, first_at, last_at)
                     SELECT n, j.tenant_id, n, j.conversation_id, j.message_id, '', 'bug', '', 1, 0, 'pending', 0, barid_micros(now())
                     FROM (SELECT * FROM jobs LIMIT 1) j, generate_series(1, 11) n",
            )
            .unwrap();
        let stats = "received_count, processed_count, failed_count, retried_count, success_rate, avg_processing_ms, p95_processing_ms, p99_processing_ms, replies_count, dead_letter_count";
        assert_eq!(
            database.sql(&format!("SELECT {stats} FROM get_webhook_performance_stats(24)")).unwrap(),
            "20|18|1|1|0.9474|9500.000|18000.000|18000.000|0|11"
        );
        let checks = database.sql("SELECT name, status, ROUND(value / 100), threshold FROM check_webhook_system_health()").unwrap();
        assert_eq!(
            checks.lines().collect::<Vec<_>>(),
            [
                "stuck_conversations|ok|0|5",
                "dead_letters_pending|warning|0|10",
                "p95_processing_ms|warning|180|2000",
                "oldest_waiting_job_seconds|warning|6|60",
                "channels_paused|ok|0|0",
                "failed_sends_24h|ok|0|10",
            ]
        );
        store.close().await;
    });
}

/// One source of limits: what `[alerts]` says, and what an operator sets; a limit of 0 of an alert means never.
#[test]
fn health_warns_from_where_it_is_told_to() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let (store, _) = waiting(&database).await;
        let oldest = || {
            let text =
                "SELECT status, threshold FROM check_webhook_system_health() WHERE name = 'oldest_waiting_job_seconds'";
            database.sql(text).unwrap()
        };
        database.sql("UPDATE jobs SET run_at = run_at - 3600000000").unwrap();
        database
            .sql("UPDATE settings SET value = 1000000000 WHERE name = 'health_oldest_waiting_job_seconds'")
            .unwrap();
        assert_eq!(oldest(), "ok|1000000000");
        database.sql("UPDATE settings SET value = 30 WHERE name = 'health_oldest_waiting_job_seconds'").unwrap();
        assert_eq!(oldest(), "warning|30");
        let stuck = |limit: i64| {
            database
                .sql(&format!("UPDATE settings SET value = {limit} WHERE name = 'health_stuck_conversations'"))
                .unwrap();
            database.sql("SELECT status FROM check_webhook_system_health() WHERE name = 'stuck_conversations'").unwrap()
        };
        database.sql("UPDATE conversation SET next_due = 1, lease_until = 0").unwrap();
        assert_eq!((stuck(-1).as_str(), stuck(0).as_str()), ("warning", "ok"));
        store.close().await;
    });
}

#[test]
fn operators_see_what_they_say_and_nothing_without_a_word() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let (store, id) = waiting(&database).await;
        let mut other = seeds("first");
        other[0].slug = "oasis".to_owned();
        for channel in &mut other[0].channels {
            channel.external_id.push('9');
        }
        let both = [seeds("first"), other].concat();
        let synced = store.write(store::channels::Sync(both)).await.unwrap();
        let (own, others) = (synced[0].tenant.to_string(), synced[1].tenant.to_string());
        let views = database.sql("SELECT viewname FROM pg_views WHERE schemaname = 'public'").unwrap();
        let as_operator = |tenant: &str, sql: &str| {
            let tenant =
                if tenant.is_empty() { String::new() } else { format!("SET LOCAL barid.tenant = '{tenant}';") };
            database
                .sql(&format!("BEGIN; SET LOCAL ROLE barid_operator; {tenant} {sql}; COMMIT"))
                .map_err(|e| format!("{e:#}"))
        };
        let figures = ["webhook_conversation_health"];
        for view in views.lines().filter(|v| !figures.contains(v)) {
            let count = format!("SELECT COUNT(*) FROM {view}");
            assert_eq!(as_operator("", &count).unwrap(), "0", "{view} for nobody");
            assert_eq!(as_operator(&others, &count).unwrap(), "0", "{view} for another tenant");
            assert_eq!(as_operator(&own, &count).unwrap(), as_operator("all", &count).unwrap(), "{view}");
            // Who owns it all sees it all without a word.
            assert_eq!(database.sql(&count).unwrap(), as_operator("all", &count).unwrap(), "{view}");
        }
        let health = "SELECT total_count, waiting_count FROM webhook_conversation_health";
        assert_eq!(
            (as_operator(&own, health).unwrap(), as_operator(&others, health).unwrap()),
            ("1|1".into(), "0|0".into())
        );
        assert_eq!(as_operator(&own, "SELECT COUNT(*) FROM messages").unwrap(), "1", "there is something to see");
        // Locks, too, are of one's own tenant alone.
        let lock = format!("SELECT acquire_conversation_lock({id}, 'x')");
        assert_eq!((as_operator("", &lock).unwrap(), as_operator(&others, &lock).unwrap()), ("f".into(), "f".into()));
        assert_eq!(as_operator(&own, &lock).unwrap(), "t");
        // Nothing else can be changed, and no secret is in reach.
        for sql in [
            "UPDATE messages SET message_text = 'x'",
            "UPDATE message SET body = 'x'",
            "UPDATE conversation SET state = 'closed'",
            "UPDATE dead_letters SET status = 'resolved'",
            "UPDATE webhook_dlq SET error = 'x'",
            "DELETE FROM webhook_dlq",
            "SELECT * FROM users",
            "SELECT * FROM tokens",
            "SELECT * FROM message",
            "SELECT * FROM contacts",
        ] {
            let e = as_operator("all", sql).unwrap_err();
            assert!(
                e.contains("permission denied") || e.contains("cannot update view") || e.contains("cannot delete"),
                "{sql}: {e}"
            );
        }
        store.close().await;
    });
}
