//! Rules 1 and 4: who may import whom.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use super::tree::{Tree, manifest};

/// The rooms and what each may import: the table of ARCHITECTURE.md. `docs/decisions/0003-simulator.md` says why the
/// simulator is a room of its own.
pub const ROOMS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("channels", &["types"]),
    ("net", &["types"]),
    ("store", &["types"]),
    ("ingress", &["types", "channels", "store"]),
    ("nlu", &["types"]),
    ("engine", &["types", "net", "nlu"]),
    ("egress", &["types", "channels", "net"]),
    ("acts", &["types", "net"]),
    ("sync", &["types", "net"]),
    ("worker", &["types", "store", "engine", "egress", "acts", "sync"]),
    ("admin", &["types", "store"]),
    (
        "barid",
        &[
            "types",
            "channels",
            "net",
            "store",
            "ingress",
            "engine",
            "egress",
            "acts",
            "sync",
            "worker",
            "admin",
            "simulator",
        ],
    ),
    ("simulator", &["types"]),
    ("testkit", &["types", "simulator"]),
    ("bench", &["types", "channels", "store", "simulator", "testkit"]),
    ("xtask", &[]),
];

/// Only tests may import these, and every test may.
const FOR_TESTS: [&str; 2] = ["testkit", "simulator"];

/// Rule 1: the edges are those of the table, and there are no cycles.
pub fn edges(tree: &Tree) -> Vec<Violation> {
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut found = Vec::new();
    let mut report = |room: &str, what: String| found.push(Violation { rule: 1, path: manifest(room), line: 0, what });
    for room in tree.rooms() {
        if !rooms.contains_key(room) {
            report(
                room,
                format!(
                    "{room} is no room of ARCHITECTURE.md: add it to the table and to xtask/src/law/rooms.rs, or make it a module"
                ),
            );
        }
    }
    for edge in &tree.edges {
        let (from, to) = (edge.from.as_str(), edge.to.as_str());
        if !rooms.contains_key(to) {
            continue; // a package from outside
        }
        let allowed = rooms.get(from).is_some_and(|may| may.contains(&to)) || (edge.dev && FOR_TESTS.contains(&to));
        if !allowed {
            let what = if edge.dev { "may not import, even for its tests," } else { "may not import" };
            let mend = if to == "testkit" { ": testkit is for tests" } else { ": see the table in ARCHITECTURE.md" };
            report(from, format!("{from} {what} {to}{mend}"));
        }
    }
    for room in rooms.keys() {
        if reach(tree, room).contains(room) {
            report(room, format!("{room} imports itself through others"));
        }
    }
    if let Some(page) = tree.files.get("ARCHITECTURE.md") {
        for room in tree.rooms() {
            if !page.contains(&format!("`{room}`")) {
                report(room, format!("ARCHITECTURE.md does not say what lives in `{room}`"));
            }
        }
    }
    found
}

/// Pairs of which the first must never reach the second, not even through others.
const SHORTCUTS: [(&str, &str, &str); 5] = [
    ("channels", "tokio", "how a provider speaks is pure: no I/O"),
    ("engine", "store", "the engine decides and knows no database"),
    ("egress", "store", "egress takes an Outbound and returns an Outcome"),
    ("ingress", "engine", "a message is committed before anyone thinks about it"),
    ("ingress", "egress", "a message is committed before anyone answers it"),
];

/// Rule 4: no way round durability.
pub fn shortcuts(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for (from, to, why) in SHORTCUTS {
        if reach(tree, from).contains(to) {
            found.push(Violation {
                rule: 4,
                path: manifest(from),
                line: 0,
                what: format!("{from} reaches {to}: {why}"),
            });
        }
    }
    found
}

/// Everything that `from` imports, and what that imports, and so on; tests aside.
fn reach<'a>(tree: &'a Tree, from: &str) -> BTreeSet<&'a str> {
    let next =
        |room: &str| tree.edges.iter().filter(|e| !e.dev && e.from == room).map(|e| e.to.as_str()).collect::<Vec<_>>();
    let mut seen = BTreeSet::new();
    let mut open = next(from);
    while let Some(room) = open.pop() {
        if seen.insert(room) {
            open.extend(next(room));
        }
    }
    seen
}
