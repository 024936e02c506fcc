//! S7.1: whose row it is decides the database. Every way to another tenant's rows is tried, as the role that operations run under.

use store::conversations::SetState;
use store::views::{Conversations, Thread};
use store::{Policy, Store, StoreError};
use testkit::postgres::{Database, psql};
use types::ids::TenantId;
use types::states::ConversationState;

use super::{node, wanted};
use crate::fixtures::message;
use crate::support::{accept_op, runtime, seeds};

const TABLES: &str = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND relname NOT IN ('nodes', 'schema_version', 'settings') ORDER BY 1";

/// Two tenants with a number and a message each.
async fn two() -> (Database, Store, [TenantId; 2]) {
    let database = Database::fresh().unwrap();
    let store = node(&database).await;
    let mut seeds = seeds("first");
    let mut other = seeds[0].clone();
    other.slug = "oasis".to_owned();
    for channel in &mut other.channels {
        channel.external_id.push('9');
    }
    seeds.push(other);
    let synced = store.write(store::channels::Sync(seeds)).await.unwrap();
    let policy = std::sync::Arc::new(Policy::default());
    for (n, tenant) in synced.iter().enumerate() {
        let door = store::Door { tenant: tenant.tenant, channel: tenant.channels[0], kind: "meta", slug: "x".into() };
        let events = vec![message(&format!("w{n}"), "971500000001", "secret")];
        store.write(accept_op(&door, events, None, &policy)).await.unwrap();
    }
    (database, store, [synced[0].tenant, synced[1].tenant])
}

/// What the role of operations gets for `sql` in a transaction of `tenant`.
fn as_operation(database: &Database, tenant: Option<&str>, sql: &str) -> Result<String, String> {
    let tenant = tenant.map(|t| format!("SET LOCAL barid.tenant = '{t}';")).unwrap_or_default();
    database.sql(&format!("BEGIN; SET LOCAL ROLE barid_app; {tenant} {sql}; COMMIT")).map_err(|e| format!("{e:#}"))
}

#[test]
fn without_a_tenant_there_are_no_rows_and_with_one_only_its_own() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, store, [a, b]) = two().await;
        let tables = database.sql(TABLES).unwrap();
        assert!(tables.lines().count() >= 16, "{tables}");
        for table in tables.lines() {
            let guarded =
                format!("SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = '{table}'::regclass");
            assert_eq!(database.sql(&guarded).unwrap(), "t", "{table} is under the rule");
            let count = format!("SELECT COUNT(*) FROM {table}");
            for nobody in [None, Some(""), Some("0"), Some("x"), Some("1 OR true"), Some("-1"), Some("ALL")] {
                assert_eq!(as_operation(&database, nobody, &count).unwrap(), "0", "{table} for {nobody:?}");
            }
            let all: i64 = as_operation(&database, Some("all"), &count).unwrap().parse().unwrap();
            let own =
                |t: TenantId| as_operation(&database, Some(&t.to_string()), &count).unwrap().parse::<i64>().unwrap();
            assert_eq!(own(a) + own(b), all, "{table}");
        }
        for table in
            ["tenants", "channels", "contacts", "contact_keys", "lead", "conversation", "message", "inbox", "jobs"]
        {
            let count = format!("SELECT COUNT(*) FROM {table}");
            assert_ne!(as_operation(&database, Some(&a.to_string()), &count).unwrap(), "0", "{table} has rows to show");
        }
        store.close().await;
    });
}

#[test]
fn nobody_writes_into_another_tenants_rows() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, store, [a, b]) = two().await;
        let (a, b) = (a.to_string(), b.to_string());
        let before = database.sql("SELECT * FROM message ORDER BY id").unwrap();
        // What is not seen is not changed …
        for sql in [
            format!("UPDATE message SET body = 'x' WHERE tenant_id = {b}"),
            format!("DELETE FROM jobs WHERE tenant_id = {b}"),
            "UPDATE message SET body = 'x' WHERE body = 'nothing' OR id IN (SELECT message_id FROM inbox WHERE provider_message_id = 'w1')".to_owned(),
        ] {
            as_operation(&database, Some(&a), &sql).unwrap();
        }
        assert_eq!(database.sql("SELECT * FROM message ORDER BY id").unwrap(), before);
        // … and what would become another's is refused.
        for sql in [
            format!("UPDATE message SET tenant_id = {b}"),
            format!("INSERT INTO notification (id, tenant_id, kind, title, body, dedupe_key, created_at) VALUES (1, {b}, 'x', 'x', 'x', 'x', 0)"),
            format!("INSERT INTO inbox SELECT id, 'forged', 1, 0 FROM (SELECT {} AS id) x", database.sql(&format!("SELECT MIN(id) FROM channels WHERE tenant_id = {b}")).unwrap()),
            "INSERT INTO events (id, kind, raw, dedupe_key, received_at) VALUES (1, 'x', 'x', 'x', 0)".to_owned(),
        ] {
            let e = as_operation(&database, Some(&a), &sql).unwrap_err();
            assert!(e.contains("row-level security"), "{sql}: {e}");
        }
        // The role owns nothing: it cannot take the rule away.
        for sql in ["ALTER TABLE message DISABLE ROW LEVEL SECURITY", "DROP POLICY tenant ON message", "TRUNCATE jobs", "SET LOCAL row_security = off; SELECT * FROM message"] {
            assert!(as_operation(&database, Some(&a), sql).is_err(), "{sql}");
        }
        store.close().await;
    });
}

/// What belongs to the installation is the engine's: a table of a later version is put under that rule by one call.
#[test]
fn a_table_of_the_installation_is_the_engines_alone() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, store, [a, _]) = two().await;
        database.sql("CREATE TABLE later (id BIGINT PRIMARY KEY); SELECT barid_guard_engine('later')").unwrap();
        as_operation(&database, Some("all"), "INSERT INTO later VALUES (1)").unwrap();
        let count = "SELECT COUNT(*) FROM later";
        assert_eq!(as_operation(&database, Some("all"), count).unwrap(), "1");
        for tenant in [None, Some(a.to_string())] {
            assert_eq!(as_operation(&database, tenant.as_deref(), count).unwrap(), "0");
            assert!(as_operation(&database, tenant.as_deref(), "INSERT INTO later VALUES (2)").is_err());
        }
        store.close().await;
    });
}

/// Each statement asks the rule of each of its tables. A function that the planner cannot put into the statement is planned anew every time, and once
/// cost more than all statements did.
#[test]
fn the_rule_is_planned_with_the_statement() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (database, store, _) = two().await;
        for table in ["message", "conversation", "inbox", "users"] {
            let plan = format!("EXPLAIN (VERBOSE, COSTS OFF) SELECT COUNT(*) FROM {table}");
            let plan = as_operation(&database, Some("all"), &plan).unwrap();
            assert!(plan.contains("current_setting(") && !plan.contains("barid_all_tenants"), "{table}: {plan}");
        }
        store.close().await;
    });
}

/// The same through the store, and no connection remembers whom it served.
#[test]
fn the_store_keeps_to_the_tenant_it_was_told() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let (_database, store, [a, b]) = two().await;
        let list = Conversations { before: None, limit: 10 };
        let all = store.read(list).await.unwrap();
        assert_eq!(all.len(), 2);
        for _ in 0..10 {
            let own = |t| store.read_for(t, list);
            let (ours, theirs) = (own(a).await.unwrap(), own(b).await.unwrap());
            assert_eq!((ours.len(), theirs.len()), (1, 1));
            assert_ne!(ours[0].id, theirs[0].id);
            assert_eq!(store.read(list).await.unwrap().len(), 2, "the engine still sees all");
            let peek = Thread { conversation: theirs[0].id, after: None, limit: 10 };
            assert_eq!(store.read_for(a, peek).await.unwrap(), []);
            let close = SetState {
                conversation: theirs[0].id,
                to: ConversationState::Closed,
                until: None,
                reason: "attack".to_owned(),
                actor: "a".to_owned(),
            };
            assert!(matches!(store.write_for(a, close).await, Err(StoreError::NotFound { .. })));
        }
        store.close().await;
    });
}

/// Where the login role may not make roles it owns the tables itself: the rule binds the owner too (FORCE).
#[test]
fn an_owner_without_the_role_is_bound_as_well() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let cluster = testkit::postgres::shared().unwrap();
        let name = format!("plain{}", std::process::id());
        psql(&format!("{cluster}/postgres"), &format!("CREATE ROLE {name} LOGIN")).unwrap();
        let database = Database::fresh().unwrap();
        database.sql(&format!("GRANT ALL ON SCHEMA public TO {name}")).unwrap();
        let url = database.url().replace("//postgres@", &format!("//{name}@"));
        let store = Store::open_postgres(&store::PostgresOptions::at(&url), super::clock()).await.unwrap();
        let synced = store.write(store::channels::Sync(seeds("first"))).await.unwrap();
        assert_eq!(synced.len(), 1);
        assert_eq!(psql(&url, "SELECT COUNT(*) FROM channels").unwrap(), "0");
        assert_eq!(
            psql(&url, "BEGIN; SET LOCAL barid.tenant = 'all'; SELECT COUNT(*) FROM channels; COMMIT").unwrap(),
            "2"
        );
        store.close().await;
        drop(database);
        psql(&format!("{cluster}/postgres"), &format!("DROP ROLE IF EXISTS {name}")).unwrap();
    });
}
