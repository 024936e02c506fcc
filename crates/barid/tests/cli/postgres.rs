use testkit::postgres::{Database, VARIABLE};

use crate::support::{Ran, run};

/// In the address, and nowhere else (S7.2).
const PASSWORD: &str = "canary-password-0123456789";

fn folder(url: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"[server]
listen = "127.0.0.1:9"
[store]
url = "{url}"
[log]
level = "error"
[[tenants]]
slug = "alain"
business = "Al Ain Business Center"
assistant = "ABCai"
[[tenants.channels]]
kind = "meta"
phone_number_id = "105500000000001"
verify_token = "verify"
app_secret = "0123456789abcdef0123456789abcdef"
access_token = "access"
api_base = "http://127.0.0.1:9"
"#
    );
    std::fs::write(folder.path().join("barid.toml"), text).unwrap();
    folder
}

fn clean(ran: Ran) -> Ran {
    assert!(!ran.out.contains(PASSWORD) && !ran.err.contains(PASSWORD), "{ran:?}");
    ran
}

/// The commands on a PostgreSQL, from an empty database on.
#[test]
fn commands_work_on_postgres() {
    if std::env::var(VARIABLE).is_ok_and(|v| v == "off") {
        return;
    }
    let database = Database::fresh().unwrap();
    let folder = folder(&database.url().replace("//postgres@", &format!("//postgres:{PASSWORD}@")));
    let ask = |args: &str| clean(run(folder.path(), args));
    let early = ask("conversations");
    assert_eq!(early.code, 1, "{early:?}");
    assert!(early.err.contains("barid migrate"), "{early:?}");
    let made = ask("migrate").good();
    assert!(made.out.contains("schema version"), "{made:?}");
    assert!(ask("migrate").good().out.contains("up to date already"));
    assert_eq!(ask("conversations --json").good().json(), serde_json::json!([]));
    assert_eq!(ask("jobs list --json").good().json(), serde_json::json!([]));
    assert_eq!(ask("failed list --json").good().json(), serde_json::json!([]));
    assert_eq!(ask("dlq list --json").good().json(), serde_json::json!([]));
    assert_eq!(ask("jobs run --json").good().json()["conversations"], 0);
    let doctor = ask("doctor --json").json();
    let checks = doctor["checks"].as_array().unwrap();
    let found =
        |name: &str| checks.iter().find(|c| c["check"] == name).map(|c| c["verdict"].clone()).unwrap_or_default();
    assert_eq!(
        (found("database"), found("database writes"), found("tenants apart")),
        ("ok".into(), "ok".into(), "ok".into())
    );
    let newer = store::migrations::wanted() + 1;
    database.sql(&format!("INSERT INTO schema_version VALUES ({newer}, 0)")).unwrap();
    for command in ["migrate", "jobs list"] {
        let refused = ask(command);
        assert!(refused.code == 1 && refused.err.contains("newer barid"), "{refused:?}");
    }
}

/// A server that is not there is said, with where it should be and without the password.
#[test]
fn a_server_that_is_not_there_is_named() {
    let folder = folder(&format!("postgres://barid:{PASSWORD}@127.0.0.1:9/barid"));
    // `serve` waits for it, behind its spool.
    for command in ["conversations", "migrate", "jobs run"] {
        let ran = clean(run(folder.path(), command));
        assert!(ran.code == 1, "{command}: {ran:?}");
        assert!(ran.err.contains("127.0.0.1:9/barid"), "{command}: {ran:?}");
    }
}
