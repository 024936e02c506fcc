//! `barid user` and `barid token`: who may sign in, and which programs.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::prepared::Prepared;
use crate::support::BARID;

/// Runs a command with `input` on its standard input: whether it succeeded, and what it said.
fn with(folder: &std::path::Path, args: &[&str], input: &str) -> (bool, String, String) {
    let mut child = Command::new(BARID)
        .current_dir(folder)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.success(), text(&out.stdout), text(&out.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_tokens_are_made_listed_and_ended() {
    let prepared = Prepared::new().await;
    let at = prepared.folder.path();
    let (good, _, _) = with(at, &["user", "add", "sara@example.com", "--role", "admin"], "short");
    assert!(!good, "a password of five characters");
    let (good, out, err) = with(at, &["user", "add", "sara@example.com", "--role", "admin"], "a long password\n");
    assert!(good && out.contains("sara@example.com"), "{out}{err}");
    let (good, _, err) = with(at, &["user", "add", "omar@example.com", "--tenant", "nobody"], "a long password");
    assert!(!good && err.contains("alain"), "it says which tenants there are: {err}");
    let (good, ..) = with(at, &["user", "passwd", "sara@example.com"], "another password");
    assert!(good);
    let (_, out, _) = with(at, &["user", "list", "--json"], "");
    let users: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((users[0]["role"].as_str(), users[0].get("password")), (Some("admin"), None));
    let (good, secret, err) = with(at, &["token", "create", "n8n", "--scope", "read", "--tenant", "alain"], "");
    assert!(good && secret.starts_with("brd_") && secret.trim().len() > 60, "{err}");
    let (good, _, err) = with(at, &["token", "create", "x", "--scope", "everything"], "");
    assert!(!good && err.contains("sends:write"), "it says which scopes there are: {err}");
    let (_, out, _) = with(at, &["token", "list", "--json"], "");
    assert!(!out.contains(secret.trim()), "the secret is nowhere any more");
    let tokens: Value = serde_json::from_str(&out).unwrap();
    let (good, out, _) = with(at, &["token", "revoke", tokens[0]["id"].as_str().unwrap()], "");
    assert!(good && out.contains("n8n"));
}
