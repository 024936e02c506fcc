use crate::prepared::Prepared;
use crate::support::run;

/// Wrong use is exit 2, and the words say what to write instead.
#[test]
fn wrong_use_is_exit_2() {
    let folder = testkit::temp_dir().unwrap();
    for (args, words) in [
        ("", "Usage"),
        ("nonsense", "unrecognized subcommand"),
        ("send hello", "--to"),
        ("send --to abc hello", "country code"),
        ("send --to 971500000001 --conversation 1 hello", "cannot be used with"),
        ("send --to 971500000001 hello --timeout 5", "--wait"),
        ("conversations show x", "is not an id"),
        ("conversations --limit 0", "1..=1000"),
        ("failed retry", "<IDS>"),
        ("failed retry --all", "--yes"),
        ("failed retry 1 --all", "cannot be used with"),
        ("dlq retry --all", "--yes"),
        ("dlq list --status lost", "is no state of a dead letter"),
        ("jobs list --state lost", "is no state of a job"),
        ("export --format xml", "jsonl"),
        ("demo --listen 0.0.0.0:8080", "this machine alone"),
        ("chat --as nobody", "country code"),
        ("completions tcsh", "bash"),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, 2, "{args}: {ran:?}");
        assert!(ran.err.contains(words), "{args}: {}", ran.err);
        assert!(ran.out.is_empty(), "{args}: {}", ran.out);
    }
}

/// What cannot be done is exit 1, on stderr, with what to do.
#[test]
fn failure_is_exit_1_with_the_mend() {
    let folder = testkit::temp_dir().unwrap();
    for (args, words) in [
        ("conversations", "barid migrate"),
        ("export", "barid migrate"),
        ("--config none.toml serve", "--config FILE"),
        ("chat", "barid demo"),
        ("chat --data elsewhere", "barid demo --data elsewhere"),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, 1, "{args}: {ran:?}");
        assert!(ran.err.contains(words), "{args}: {}", ran.err);
        assert!(ran.out.is_empty(), "{args}: {}", ran.out);
    }
}

/// A number that no telephone has is refused before anything is saved; one of the tenant's own country needs no code.
#[tokio::test(flavor = "multi_thread")]
async fn only_telephone_numbers_are_written_to() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    for wrong in ["12345", "999999999999999", "+999123456789"] {
        let ran = run(folder, &format!("send --to {wrong} hello"));
        assert_eq!((ran.code, ran.err.contains("no telephone number")), (2, true), "{ran:?}");
    }
    let local = run(folder, "send --to 0500000101 hello");
    assert!(local.err.contains("24 hours"), "known as +971500000101: {local:?}");
}

/// Who only looks needs none of the secrets; who acts by the configuration is told which are missing.
#[tokio::test(flavor = "multi_thread")]
async fn looking_needs_no_secrets() {
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let file = folder.join("barid.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("\"access\"", "\"${NOT_EXPORTED}\"");
    std::fs::write(&file, text).unwrap();
    for args in [
        "conversations",
        "failed list",
        "failed list --pending",
        "dlq list",
        "jobs list",
        "sagas list",
        "breakers list",
        "user list",
        "token list",
        "export",
    ] {
        run(folder, args).good();
    }
    for args in ["send --to 971500000101 hello", "doctor", "check"] {
        let ran = run(folder, args);
        assert_eq!((ran.code, format!("{ran:?}").contains("NOT_EXPORTED")), (1, true), "{args}: {ran:?}");
    }
}

/// Programs that read JSON numbers as doubles must not lose an id's last digits.
#[tokio::test(flavor = "multi_thread")]
async fn no_number_in_json_is_too_large_for_a_double() {
    fn numbers(value: &serde_json::Value, found: &mut Vec<i64>) {
        match value {
            serde_json::Value::Array(all) => all.iter().for_each(|v| numbers(v, found)),
            serde_json::Value::Object(all) => all.values().for_each(|v| numbers(v, found)),
            serde_json::Value::Number(n) => found.extend(n.as_i64()),
            _ => {}
        }
    }
    let prepared = Prepared::new().await;
    let folder = prepared.folder.path();
    let newest = run(folder, "conversations --json").good().json()[0]["id"].as_str().unwrap().to_owned();
    let letter = run(folder, "dlq list --json").good().json()[0]["id"].as_str().unwrap().to_owned();
    for args in [
        "conversations",
        &format!("conversations show {newest}"),
        "failed list",
        "dlq list",
        &format!("dlq show {letter}"),
        "jobs list",
        "sagas list",
        "breakers list",
        "user list",
        "token list",
        "flags list",
    ] {
        let json = run(folder, &format!("{args} --json")).good().json();
        let mut found = Vec::new();
        numbers(&json, &mut found);
        assert!(found.iter().all(|n| n.unsigned_abs() < 1 << 53), "{args}: {json}");
    }
}

/// `check` names every mistake with its line and its mend, and is silent about secrets.
#[test]
fn check_names_every_mistake() {
    let folder = testkit::temp_dir().unwrap();
    let text = "[server]\nlisten = \"8080\"\n[jobs]\nretyr = [\"1s\"]\n[[tenants]]\nslug = \"a\"\nbusiness = \"B\"\nassistant = \"C\"\n\
                [[tenants.channels]]\nkind = \"greenapi\"\ninstance = \"11\"\napi_token = \"${NOT_SET}\"\nwebhook_token = \"hunter2\"\n";
    std::fs::write(folder.path().join("barid.toml"), text).unwrap();
    let ran = run(folder.path(), "check");
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.transcript("check"));
    let json = run(folder.path(), "check --json");
    assert_eq!((json.code, json.json()["ok"].as_bool()), (1, Some(false)));
    let lines: Vec<_> =
        json.json()["mistakes"].as_array().unwrap().iter().map(|m| m["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 4, 12]);
    assert!(!format!("{ran:?}{json:?}").contains("hunter2"));
}

/// `migrate` makes the database, says so, and changes nothing the second time.
#[test]
fn migrate_is_done_once() {
    let folder = testkit::temp_dir().unwrap();
    std::fs::write(folder.path().join("barid.toml"), "[store]\nurl = \"sqlite:x.db\"\n").unwrap();
    let first = run(folder.path(), "migrate --json").good().json();
    assert_eq!((first["made"].as_bool(), first["changed"].as_bool()), (Some(true), Some(true)));
    let second = run(folder.path(), "migrate").good();
    assert!(second.out.contains("up to date already"), "{second:?}");
    assert_eq!(run(folder.path(), "conversations --json").good().json(), serde_json::json!([]));
}

/// `doctor` fails for what keeps messages from passing, each with its mend.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_the_mend() {
    let prepared = Prepared::new().await;
    let ran = run(prepared.folder.path(), "doctor --json");
    assert_eq!(ran.code, 1);
    let report = ran.json();
    let checks = report["checks"].as_array().unwrap();
    let verdict = |name: &str| {
        let found = checks.iter().find(|c| c["check"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {report}"))["verdict"].as_str().unwrap().to_owned()
    };
    for (name, want) in [
        ("database", "ok"),
        ("database writes", "ok"),
        ("clock", "ok"),
        ("server", "warn"),
        ("meta 105500000000001 token", "fail"),
        ("meta 105500000000001 signature", "ok"),
        ("public address", "warn"),
    ] {
        assert_eq!(verdict(name), want, "{name}");
    }
    assert!(checks.iter().all(|c| c["verdict"] == "ok" || c["mend"].is_string()), "{report}");
    assert_eq!(report["ok"], false);
}
