//! Rules 2, 3, 5 and 8: words that belong to one room.

use super::Violation;
use super::lexer::{Run, Token, pattern};
use super::tree::{Tree, is_test_file, manifest};

/// Where each use of one of `paths` stands: `a::b` as it is written, or a bare name.
fn uses(tree: &Tree, rule: u8, paths: &[&str], place: impl Fn(&str, &Token) -> bool, why: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (path, tokens) in &tree.sources {
        for word in paths {
            let pattern = pattern(word);
            for (i, token) in tokens.iter().enumerate().filter(|(i, _)| tokens[*i..].starts_with_words(&pattern)) {
                // `x.word` and `word:` are a field or a method of that name, not the thing itself.
                let field = i > 0 && tokens[i - 1].mark('.');
                if !field && !place(path, token) {
                    found.push(Violation { rule, path: path.clone(), line: token.line, what: format!("{word} {why}") });
                }
            }
        }
    }
    found
}

/// Dependencies from outside that only some rooms may have; tests may have any.
fn packages(tree: &Tree, rule: u8, names: &[&str], rooms: &[&str], why: &str) -> Vec<Violation> {
    let bad =
        tree.edges.iter().filter(|e| !e.dev && names.contains(&e.to.as_str()) && !rooms.contains(&e.from.as_str()));
    bad.map(|e| Violation { rule, path: manifest(&e.from), line: 0, what: format!("{} {why}", e.to) }).collect()
}

fn within(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Rule 2: SQL, its drivers, and the choice between databases.
pub fn sql(tree: &Tree) -> Vec<Violation> {
    let drivers = ["rusqlite", "tokio_postgres", "deadpool_postgres"];
    let mut found = uses(tree, 2, &drivers, |path, _| within(path, &["crates/store/"]), "belongs into store");
    let names = ["rusqlite", "libsqlite3-sys", "tokio-postgres", "deadpool-postgres"];
    found.extend(packages(tree, 2, &names, &["store"], "belongs into store"));
    for (path, tokens) in &tree.sources {
        let in_store = within(path, &["crates/store/"]);
        for (i, token) in tokens.iter().enumerate() {
            let outside = !in_store && !token.test && !is_test_file(path);
            if outside && token.text().is_some_and(is_statement) {
                let what = "SQL belongs into store, as a named statement".to_owned();
                found.push(Violation { rule: 2, path: path.clone(), line: token.line, what });
            }
            if !path.ends_with("store/src/sql.rs") && chooses(tokens, i) {
                let what = "the choice between databases belongs into store/src/sql.rs".to_owned();
                found.push(Violation { rule: 2, path: path.clone(), line: token.line, what });
            }
        }
    }
    found
}

/// Whether a text is a statement, by its first words.
fn is_statement(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace("\\n", " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["select", rest @ ..] => rest.contains(&"from"),
        ["update", _, "set", _, ..] => true,
        ["insert", "into", _, rest @ ..] => !rest.is_empty(),
        ["insert", "or", _, "into", ..]
        | ["delete", "from", _, ..]
        | ["drop", "table", ..]
        | ["alter", "table", _, ..] => true,
        ["create", what, _, ..] => matches!(*what, "table" | "index" | "unique" | "view" | "trigger"),
        ["begin", "immediate", ..] => true,
        ["pragma", _] => true,
        ["with", _, "as", rest @ ..] => rest.first().is_some_and(|w| w.starts_with('(') || *w == "materialized"),
        _ => false,
    }
}

/// `Dialect::X =>`, `Dialect::X |` and `== Dialect::X`: a branch on the database.
fn chooses(tokens: &[Token], at: usize) -> bool {
    let here = &tokens[at..];
    if !here.starts_with_words(&["Dialect", ":", ":"]) {
        return false;
    }
    let variant = here.get(3).and_then(Token::word).is_some_and(|w| w.starts_with(char::is_uppercase));
    let after = here.get(4..).unwrap_or_default();
    let arm = after.starts_with_words(&["=", ">"]) || after.starts_with_words(&["|"]);
    let before = &tokens[at.saturating_sub(2)..at];
    let compared = before.starts_with_words(&["=", "="]) || before.starts_with_words(&["!", "="]);
    variant && (arm || compared)
}

/// Rule 3: who may open connections, and who may take them.
pub fn sockets(tree: &Tree) -> Vec<Violation> {
    let may_call = |path: &str, token: &Token| {
        let rooms = [
            "crates/net/",
            "crates/simulator/",
            "crates/testkit/",
            "bench/",
            "crates/barid/src/cli/",
            "crates/sync/src/kafka",
        ];
        within(path, &rooms) || token.test || is_test_file(path)
    };
    let mut found = uses(
        tree,
        3,
        &["reqwest", "hyper_util::client", "hyper_rustls", "lettre", "rdkafka", "TcpStream::connect"],
        may_call,
        "opens connections: that belongs into net (Kafka: sync/kafka)",
    );
    let callers = ["net", "simulator", "testkit", "bench", "barid"];
    found.extend(packages(tree, 3, &["reqwest", "hyper-rustls", "lettre"], &callers, "belongs into net"));
    found.extend(packages(tree, 3, &["rdkafka"], &["sync"], "belongs into sync/kafka"));

    let servers = ["ingress", "admin", "barid", "simulator", "testkit", "bench"];
    let may_serve = |path: &str, _: &Token| {
        servers.iter().any(|room| within(path, &[&format!("crates/{room}/"), &format!("{room}/")]))
    };
    found.extend(uses(tree, 3, &["axum"], may_serve, "belongs into ingress, admin and barid"));
    found.extend(packages(tree, 3, &["axum"], &servers, "belongs into ingress, admin and barid"));
    found
}

/// Rule 5: the clock and chance have one door; `anyhow` and `clap` stay at the edge.
pub fn time_and_edge(tree: &Tree) -> Vec<Violation> {
    let clock = |path: &str, _: &Token| path == "crates/types/src/clock.rs";
    let time = ["SystemTime", "Instant::now", "Timestamp::now", "Zoned::now"];
    let mut found = uses(tree, 5, &time, clock, "asks the machine for the time: take a types::Clock");
    let chance = ["rand::", "fastrand", "getrandom", "thread_rng", "SystemRandom"];
    found.extend(uses(tree, 5, &chance, clock, "asks the machine for chance: take types::Dice or clock::random_token"));
    found.extend(packages(tree, 5, &["rand", "fastrand", "getrandom"], &[], "is chance: take types::Dice"));
    let edge = ["barid", "xtask", "bench", "testkit"];
    found.extend(packages(
        tree,
        5,
        &["anyhow", "clap", "eyre"],
        &edge,
        "is for the edge: an error inside knows its class (types::Fault)",
    ));
    found
}

/// Types that make a `static` a registry.
const SHARED: [&str; 8] = ["Mutex", "RwLock", "OnceLock", "LazyLock", "OnceCell", "Lazy", "DashMap", "RefCell"];

/// Rule 8: nothing global, and no task that a drain cannot end.
pub fn globals(tree: &Tree) -> Vec<Violation> {
    let tests = |path: &str, token: &Token| token.test || is_test_file(path) || within(path, &["crates/testkit/"]);
    let tasks = ["tokio::spawn", "task::spawn", "task::spawn_local", "thread::spawn", "thread::Builder"];
    let mut found = uses(tree, 8, &tasks, tests, "starts what a drain cannot end: use the TaskTracker");
    found.extend(uses(tree, 8, &["lazy_static", "thread_local"], tests, "is global: pass it as a parameter"));
    for (path, tokens) in &tree.sources {
        for (i, token) in tokens.iter().enumerate() {
            if !token.is("static") || tests(path, token) {
                continue;
            }
            let kind = tokens[i..].iter().take_while(|t| !t.mark('=') && !t.mark(';'));
            if let Some(shared) = kind.filter_map(Token::word).find(|w| SHARED.contains(w)) {
                let name = tokens[i + 1..].iter().filter_map(Token::word).find(|w| *w != "mut").unwrap_or_default();
                let what = format!("static {name} holds a {shared}: pass it as a parameter");
                found.push(Violation { rule: 8, path: path.clone(), line: token.line, what });
            }
        }
    }
    found
}
