//! `cargo xtask law`: the rules of ARCHITECTURE.md that a machine can check. Each rule is a function from a [`Tree`] to
//! violations, so that its tests can hand it a tree with a fault.
//!
//! - [`tree`]: the workspace as values: sources and edges
//! - [`lexer`]: Rust as tokens, so that a word in a comment or a text is no use of it
//! - [`rooms`]: rules 1 and 4, who may import whom
//! - [`words`]: rules 2, 3, 5 and 8, words that belong to one room
//! - [`shape`]: rules 6 and 7, sizes, names, pages
//! - [`states`]: reads `types::states` and draws `docs/states.md`
//! - [`exceptions`]: what may break a rule, and why

pub mod exceptions;
pub mod lexer;
pub mod rooms;
pub mod shape;
pub mod states;
pub mod tree;
pub mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::run::say;
use tree::Tree;

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The rule's number in ARCHITECTURE.md.
    pub rule: u8,
    /// The file, or the manifest.
    pub path: String,
    /// Counted from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rule, path, line, what } = self;
        if *line == 0 {
            write!(f, "law {rule}: {path}: {what}")
        } else {
            write!(f, "law {rule}: {path}:{line}: {what}")
        }
    }
}

/// A rule: its number, its name, and the function that checks it.
pub type Rule = (u8, &'static str, fn(&Tree) -> Vec<Violation>);

/// The rules, in the order of ARCHITECTURE.md.
pub const RULES: [Rule; 8] = [
    (1, "crate edges are those of the table", rooms::edges),
    (2, "SQL only in store", words::sql),
    (3, "outgoing clients and servers only in their rooms", words::sockets),
    (4, "no shortcut round durability", rooms::shortcuts),
    (5, "time, chance, anyhow and clap only in their places", words::time_and_edge),
    (6, "files and functions of a size to read", shape::sizes),
    (7, "every name is unique, every state and error has its page", shape::names),
    (8, "no global registries, no stray tasks", words::globals),
];

/// All violations, exceptions taken away.
pub fn check(tree: &Tree) -> Vec<Violation> {
    let mut found: Vec<Violation> = RULES.iter().flat_map(|(_, _, rule)| rule(tree)).collect();
    found.retain(|v| !exceptions::covers(v));
    found.sort();
    found.dedup();
    found
}

/// Checks the workspace at `root` and says what it finds.
pub fn command(root: &Path) -> Result<bool> {
    let found = check(&Tree::read(root)?);
    for violation in &found {
        say(&violation.to_string());
    }
    let broken = |rule: u8| found.iter().filter(|v| v.rule == rule).count();
    for (number, name, _) in RULES.iter().filter(|_| !found.is_empty()) {
        let word = match broken(*number) {
            0 => "ok".to_owned(),
            n => format!("broken {n} times"),
        };
        say(&format!("law {number}: {name}: {word}"));
    }
    if found.is_empty() {
        say(&format!("law: all {} rules hold", RULES.len()));
    }
    Ok(found.is_empty())
}

/// Every source file, by its path from the workspace's folder.
pub fn sources(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = tree::files(root)?;
    files.retain(|path, _| Path::new(path).extension().is_some_and(|e| e == "rs"));
    Ok(files)
}
