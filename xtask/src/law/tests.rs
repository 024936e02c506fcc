//! Each rule shown a tree that breaks it, and one that does not.

use std::collections::BTreeMap;
use std::path::Path;

use super::tree::{Edge, Tree};
use super::*;

/// A tree that keeps every rule, to which each case adds its fault.
fn files() -> BTreeMap<String, String> {
    let rooms = rooms::ROOMS.iter().map(|(room, _)| (tree::manifest(room), "[lints]\nworkspace = true\n".to_owned()));
    let page = rooms::ROOMS.iter().map(|(room, _)| format!("`{room}` ")).collect::<String>();
    rooms
        .chain([
            ("ARCHITECTURE.md".to_owned(), page),
            ("Cargo.toml".to_owned(), "[workspace.lints.clippy]\ntoo_many_lines = \"deny\"\n".to_owned()),
            ("clippy.toml".to_owned(), "too-many-lines-threshold = 80\n".to_owned()),
        ])
        .collect()
}

fn edges() -> Vec<Edge> {
    rooms::ROOMS.iter().flat_map(|(from, may)| may.iter().map(|to| edge(from, to))).collect()
}

fn edge(from: &str, to: &str) -> Edge {
    Edge { from: from.to_owned(), to: to.to_owned(), dev: false }
}

fn dev(from: &str, to: &str) -> Edge {
    Edge { dev: true, ..edge(from, to) }
}

const NONE: [u8; 0] = [];

/// Numbers of the rules that `check` finds broken.
fn broken(files: BTreeMap<String, String>, edges: Vec<Edge>) -> Vec<u8> {
    let mut rules: Vec<u8> = check(&Tree::new(files, edges)).iter().map(|v| v.rule).collect();
    rules.dedup();
    rules
}

fn with_edge(more: Edge) -> Vec<u8> {
    broken(files(), edges().into_iter().chain([more]).collect())
}

fn with_file(path: &str, text: &str) -> Vec<u8> {
    let mut files = files();
    files.insert(path.to_owned(), text.to_owned());
    broken(files, edges())
}

#[test]
fn a_tree_without_a_fault_has_no_violations() {
    assert_eq!(check(&Tree::new(files(), edges())), []);
}

#[test]
fn a_forbidden_edge_is_found() {
    for (from, to, rules) in [
        ("admin", "channels", vec![1]),
        ("admin", "worker", vec![1]),
        ("types", "net", vec![1]),
        ("barid", "testkit", vec![1]),
        ("simulator", "channels", vec![1]),
        ("xtask", "types", vec![1]),
        // These break durability as well.
        ("engine", "store", vec![1, 4]),
        ("egress", "store", vec![1, 4]),
        ("ingress", "engine", vec![1, 4]),
        ("ingress", "egress", vec![1, 4]),
        // A cycle, seen beside the edge itself.
        ("types", "worker", vec![1, 4]),
    ] {
        assert_eq!(with_edge(edge(from, to)), rules, "{from} -> {to}");
    }
    assert_eq!(with_edge(dev("store", "engine")), [1], "tests keep to the table too");
    assert_eq!(with_edge(dev("store", "testkit")), NONE, "tests may use the testkit");
}

#[test]
fn a_cycle_is_named() {
    let tree = Tree::new(files(), edges().into_iter().chain([edge("types", "worker")]).collect());
    assert!(check(&tree).iter().any(|v| v.what == "worker imports itself through others"));
}

#[test]
fn a_room_that_nobody_described_is_found() {
    assert_eq!(with_file("crates/shed/Cargo.toml", "[lints]\nworkspace = true\n"), [1]);
}

#[test]
fn a_forbidden_package_is_found() {
    for (from, to, rules) in [
        ("worker", "rusqlite", vec![2]),
        ("admin", "tokio-postgres", vec![2]),
        ("engine", "reqwest", vec![3]),
        ("engine", "hyper-rustls", vec![3]),
        ("net", "hyper-rustls", vec![]),
        ("net", "rdkafka", vec![3]),
        ("engine", "axum", vec![3]),
        ("channels", "tokio", vec![4]),
        ("types", "tokio", vec![4]),
        ("store", "anyhow", vec![5]),
        ("admin", "clap", vec![5]),
        ("engine", "rand", vec![5]),
        ("store", "rusqlite", vec![]),
        ("net", "reqwest", vec![]),
        ("barid", "anyhow", vec![]),
    ] {
        assert_eq!(with_edge(edge(from, to)), rules, "{from} -> {to}");
    }
    assert_eq!(with_edge(dev("store", "anyhow")), NONE, "tests may");
}

#[test]
fn a_forbidden_word_is_found() {
    for (path, text, rules) in [
        ("crates/worker/src/a.rs", "const A: &str = \"select id from jobs\";", vec![2]),
        ("crates/worker/src/a.rs", "const A: &str = \"UPDATE jobs\\n SET state = 1\";", vec![2]),
        ("crates/worker/src/a.rs", "const A: &str = r#\"insert into jobs (id) values (1)\"#;", vec![2]),
        ("crates/admin/src/a.rs", "fn f() { rusqlite::version(); }", vec![2]),
        ("crates/store/src/a.rs", "fn f(d: Dialect) { match d { Dialect::Sqlite => a(), _ => b() } }", vec![2]),
        ("crates/store/src/a.rs", "fn f(d: Dialect) { if d == Dialect::Sqlite { a() } }", vec![2]),
        ("crates/engine/src/a.rs", "use reqwest::Client;", vec![3]),
        ("crates/barid/src/wire.rs", "use reqwest::Client;", vec![3]),
        ("crates/worker/src/a.rs", "use hyper_util::client::legacy::Client;", vec![3]),
        ("crates/worker/src/a.rs", "async fn f() { tokio::net::TcpStream::connect(a).await; }", vec![3]),
        ("crates/store/src/a.rs", "use axum::Router;", vec![3]),
        ("crates/store/src/a.rs", "fn f() { std::time::SystemTime::now(); }", vec![5]),
        ("crates/store/src/a.rs", "fn f() { Instant::now(); }", vec![5]),
        ("crates/store/src/a.rs", "use ring::rand::SecureRandom;", vec![5]),
        ("crates/worker/src/a.rs", "fn f() { tokio::spawn(g()); }", vec![8]),
        ("crates/worker/src/a.rs", "fn f() { std::thread::spawn(g); }", vec![8]),
        ("crates/worker/src/a.rs", "static A: Mutex<Vec<u8>> = Mutex::new(Vec::new());", vec![8]),
        ("crates/worker/src/a.rs", "static A: std::sync::OnceLock<u8> = OnceLock::new();", vec![8]),
        ("crates/worker/src/a.rs", "lazy_static! { static ref A: u8 = 1; }", vec![8]),
    ] {
        assert_eq!(with_file(path, text), rules, "{path}: {text}");
    }
}

#[test]
fn a_word_in_its_own_place_is_fine() {
    for (path, text) in [
        ("crates/store/src/a.rs", "const A: &str = \"select id from jobs\"; fn f() { rusqlite::version(); }"),
        ("crates/store/src/sql.rs", "fn f(d: Dialect) { match d { Dialect::Sqlite => a(), _ => b() } }"),
        ("crates/store/src/a.rs", "fn f() -> Dialect { Dialect::Sqlite }"),
        ("crates/worker/src/a.rs", "// select id from jobs\nconst A: &str = \"select a file, then update it\";"),
        ("crates/worker/tests/a.rs", "const A: &str = \"select id from jobs\";"),
        ("crates/barid/src/cli/api.rs", "use reqwest::Client;"),
        ("crates/ingress/src/a.rs", "use axum::Router;"),
        ("crates/types/src/clock.rs", "fn f() { std::time::SystemTime::now(); ring::rand::SystemRandom::new(); }"),
        ("crates/worker/src/a.rs", "fn f(t: &TaskTracker) { t.spawn(g()); }"),
        ("crates/worker/src/a.rs", "static A: &[u8] = &[1]; fn f(x: &'static Mutex<u8>) {}"),
        ("crates/worker/src/a.rs", "#[cfg(test)] mod tests { fn f() { tokio::spawn(g()); } }"),
    ] {
        assert_eq!(with_file(path, text), NONE, "{path}: {text}");
    }
}

#[test]
fn what_is_too_large_is_found() {
    assert_eq!(with_file("crates/net/src/a.rs", &"fn f() {}\n".repeat(601)), [6]);
    assert_eq!(with_file("crates/net/src/a.rs", &"fn f() {}\n".repeat(600)), NONE);
    assert_eq!(with_file("Cargo.toml", "[workspace.lints.clippy]\ntoo_many_lines = \"allow\"\n"), [6]);
    assert_eq!(with_file("clippy.toml", "too-many-lines-threshold = 200\n"), [6]);
    assert_eq!(with_file("crates/net/Cargo.toml", "[package]\n"), [6]);
}

#[test]
fn a_statement_name_is_unique() {
    let one = "sql! { A = \"jobs.find\": \"select 1\"; /// doc\n B = \"jobs.take\": \"update a set b = 'c'\"; }";
    assert_eq!(with_file("crates/store/src/jobs.rs", one), NONE);
    for again in
        ["sql! { C = \"jobs.take\": \"select 2\"; }", "const C: Sql = Sql { name: \"jobs.take\", text: \"select 2\" };"]
    {
        let mut files = files();
        files.insert("crates/store/src/jobs.rs".to_owned(), one.to_owned());
        files.insert("crates/store/src/work.rs".to_owned(), again.to_owned());
        assert_eq!(broken(files, edges()), [7], "{again}");
    }
}

const STATES: &str = "states! { /// A door.\n Door (\"door\") { /// It is open.\n Open = \"open\", /// It is shut.\n Shut = \"shut\", } \
                      moves { Open => [Shut], Shut => [], } }";

#[test]
fn the_drawing_is_the_machine() {
    let drawn = states::page(STATES).unwrap();
    assert!(drawn.contains("    [*] --> open\n    open --> shut\n    shut --> [*]\n"), "{drawn}");
    assert!(drawn.contains("| `shut` | It is shut. |"), "{drawn}");
    let page = |page: &str| {
        let mut files = files();
        files.insert(states::SOURCE.to_owned(), STATES.to_owned());
        files.insert(states::PAGE.to_owned(), page.to_owned());
        broken(files, edges())
    };
    assert_eq!(page(&drawn), NONE);
    assert_eq!(page(&drawn.replace("open --> shut", "shut --> open")), [7], "a move that the machine has not");
    assert_eq!(page(""), [7]);
}

#[test]
fn an_error_code_has_a_page_and_a_page_has_a_code() {
    for text in [
        "fn f() { Problem::new(404, \"unknown-channel\", g()) }",
        "const P: Problem = Problem { code: \"unknown-channel\" };",
    ] {
        assert_eq!(with_file("crates/ingress/src/a.rs", text), [7], "{text}");
        let mut files = files();
        files.insert("crates/ingress/src/a.rs".to_owned(), text.to_owned());
        files.insert("docs/errors/unknown-channel.md".to_owned(), "# It".to_owned());
        assert_eq!(broken(files, edges()), NONE, "{text}");
    }
    assert_eq!(with_file("docs/errors/gone.md", "# Gone"), [7]);
}

#[test]
fn a_channel_has_cases() {
    assert_eq!(with_file("crates/channels/src/meta/mod.rs", ""), [7]);
    let mut files = files();
    files.insert("crates/channels/src/meta/mod.rs".to_owned(), String::new());
    files.insert("crates/channels/tests/cases/meta.rs".to_owned(), String::new());
    assert_eq!(broken(files, edges()), NONE);
}

/// The whole way, with real manifests: a dependency that the table forbids is found by `cargo xtask law`.
#[test]
fn a_forbidden_dependency_in_the_real_manifests_is_found() {
    let copy = tempfile::tempdir().unwrap();
    for (path, text) in tree::files(&crate::root()).unwrap() {
        if Path::new(&path).extension().is_some_and(|e| e == "rs" || e == "toml" || e == "md") {
            let to = copy.path().join(&path);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, text).unwrap();
        }
    }
    let at_channels = |v: &Violation| v.path == "crates/channels/Cargo.toml";
    let before = check(&Tree::read(copy.path()).unwrap());
    assert!(!before.iter().any(at_channels), "{before:?}");

    let manifest = copy.path().join("crates/channels/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(
        &manifest,
        text.replacen("[dependencies]", "[dependencies]\nstore.workspace = true\ntokio.workspace = true", 1),
    )
    .unwrap();
    let after = check(&Tree::read(copy.path()).unwrap());
    let found: Vec<_> = after.iter().filter(|v| at_channels(v)).map(|v| (v.rule, v.what.as_str())).collect();
    let want = [
        (1, "channels may not import store: see the table in ARCHITECTURE.md"),
        (4, "channels reaches tokio: how a provider speaks is pure: no I/O"),
    ];
    assert_eq!(found, want);
    assert!(!command(copy.path()).unwrap(), "`cargo xtask law` fails");
}
