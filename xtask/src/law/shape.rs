//! Rules 6 and 7: sizes, names, pages.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{Run, Token};
use super::tree::{Tree, is_test_file, manifest};
use super::{Violation, states};

/// The longest a file may be, in lines.
const LONGEST: usize = 600;

/// Rule 6: files up to 600 lines; functions up to 80, which clippy counts: here only that nobody switched it off.
pub fn sizes(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |path: &str, what: String| found.push(Violation { rule: 6, path: path.to_owned(), line: 0, what });
    for path in tree.sources.keys() {
        let lines = tree.files.get(path).map_or(0, |text| text.lines().count());
        if lines > LONGEST {
            report(path, format!("{lines} lines, and {LONGEST} is the longest: split it by what its parts are for"));
        }
    }
    let table = |path: &str| tree.files.get(path).and_then(|text| text.parse::<toml::Table>().ok()).unwrap_or_default();
    let workspace = table("Cargo.toml");
    let lint = workspace.get("workspace").and_then(|w| w.get("lints")?.get("clippy")?.get("too_many_lines")?.as_str());
    if lint != Some("deny") {
        report("Cargo.toml", "workspace.lints.clippy.too_many_lines is not \"deny\"".to_owned());
    }
    if table("clippy.toml").get("too-many-lines-threshold").and_then(toml::Value::as_integer).is_none_or(|n| n > 80) {
        report("clippy.toml", "too-many-lines-threshold is not 80 or less".to_owned());
    }
    for room in tree.rooms() {
        let path = manifest(room);
        let inherits = table(&path).get("lints").and_then(|l| l.get("workspace")?.as_bool());
        if tree.files.contains_key(&path) && inherits != Some(true) {
            report(&path, "does not take the workspace's lints: add [lints] workspace = true".to_owned());
        }
    }
    found
}

/// Rule 7: statements have names of their own; states, error codes and channels have their pages and cases.
pub fn names(tree: &Tree) -> Vec<Violation> {
    let mut found = statements(tree);
    found.extend(state_page(tree));
    found.extend(error_pages(tree));
    found.extend(channel_cases(tree));
    found
}

fn statements(tree: &Tree) -> Vec<Violation> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut found = Vec::new();
    for (path, tokens) in tree.sources.iter().filter(|(path, _)| path.starts_with("crates/store/")) {
        for (name, line) in statement_names(tokens) {
            let here = format!("{path}:{line}");
            if let Some(first) = seen.get(&name) {
                let what = format!("the statement name {name:?} is taken at {first}");
                found.push(Violation { rule: 7, path: path.clone(), line, what });
            } else {
                seen.insert(name, here);
            }
        }
    }
    found
}

/// Names of statements: `sql! { FIND = "contacts.find": "select …"; }` and `Sql { name: "…"`.
fn statement_names(tokens: &[Token]) -> Vec<(String, usize)> {
    let mut names = Vec::new();
    for (i, token) in tokens.iter().enumerate().filter(|(_, t)| !t.test) {
        if tokens[i..].starts_with_words(&["Sql", "{", "name", ":"]) {
            names.extend(tokens.get(i + 4).and_then(|t| Some((t.text()?.to_owned(), t.line))));
        }
        if token.is("sql") && tokens.get(i + 1).is_some_and(|t| t.mark('!')) {
            // A name is the text between `=` and `:`; a statement's own text has neither around it.
            let body = &tokens[i + 2..group_end(tokens, i + 2)];
            for w in body.windows(4).filter(|w| w[0].word().is_some() && w[1].mark('=') && w[3].mark(':')) {
                names.extend(w[2].text().map(|name| (name.to_owned(), w[2].line)));
            }
        }
    }
    names
}

/// One past the bracket that closes the one at `open`.
fn group_end(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_i32;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        if token.mark('{') || token.mark('(') || token.mark('[') {
            depth += 1;
        } else if token.mark('}') || token.mark(')') || token.mark(']') {
            depth -= 1;
            if depth == 0 {
                return i + 1;
            }
        }
    }
    tokens.len()
}

fn state_page(tree: &Tree) -> Vec<Violation> {
    let Some(source) = tree.files.get(states::SOURCE) else { return Vec::new() };
    let what = match states::page(source) {
        Ok(page) if tree.files.get(states::PAGE) == Some(&page) => return Vec::new(),
        Ok(_) => format!("is not what {} says: run `cargo xtask docs`", states::SOURCE),
        Err(why) => format!("cannot be drawn: {why}"),
    };
    vec![Violation { rule: 7, path: states::PAGE.to_owned(), line: 0, what }]
}

/// Where the error pages are.
const ERRORS: &str = "docs/errors/";

fn error_pages(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for (path, tokens) in tree.sources.iter().filter(|(path, _)| !is_test_file(path)) {
        for (code, line) in error_codes(path, tokens) {
            let page = format!("{ERRORS}{code}.md");
            if !tree.files.contains_key(&page) {
                let what = format!("the error code {code:?} has no page: write {page}");
                found.push(Violation { rule: 7, path: path.clone(), line, what });
            }
            known.insert(page);
        }
    }
    let pages = tree.files.keys().filter(|path| path.starts_with(ERRORS) && !path.ends_with("/README.md"));
    for page in pages.filter(|page| !known.contains(*page)) {
        found.push(Violation {
            rule: 7,
            path: page.clone(),
            line: 0,
            what: "no code has this page: remove or rename it".to_owned(),
        });
    }
    found
}

/// Rooms that answer with problems.
const ANSWERING: [&str; 3] = ["crates/ingress/", "crates/admin/", "crates/barid/"];

/// Error codes of a file: `Problem::new("…"`, `Problem::new(status, "…"` and `code: "…"`. A code is small letters and dashes, so that
/// it can name its page.
fn error_codes(path: &str, tokens: &[Token]) -> Vec<(String, usize)> {
    if !ANSWERING.iter().any(|room| path.starts_with(room)) {
        return Vec::new();
    }
    let is_code = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
    };
    let mut codes = Vec::new();
    for (i, _) in tokens.iter().enumerate().filter(|(_, t)| !t.test) {
        let here = &tokens[i..];
        let text = if here.starts_with_words(&["Problem", ":", ":", "new", "("]) {
            here[5..group_end(here, 4)].iter().find(|t| t.text().is_some())
        } else if here.starts_with_words(&["code", ":"]) {
            here.get(2)
        } else {
            None
        };
        codes.extend(text.and_then(|t| Some((t.text().filter(|c| is_code(c))?.to_owned(), t.line))));
    }
    codes
}

/// Providers that `channels` may speak with.
const PROVIDERS: [&str; 6] = ["meta", "green", "twilio", "email", "telegram", "webpush"];

fn channel_cases(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for provider in PROVIDERS {
        let homes = [format!("crates/channels/src/{provider}.rs"), format!("crates/channels/src/{provider}/mod.rs")];
        let Some(home) = homes.iter().find(|home| tree.files.contains_key(*home)) else { continue };
        let case = |path: &String| {
            path.strip_prefix("crates/channels/tests/")
                .is_some_and(|rest| rest.split(['/', '.', '_']).any(|part| part == provider))
        };
        if !tree.files.keys().any(case) {
            let what = format!("{provider} has no cases: write crates/channels/tests/cases/{provider}.rs");
            found.push(Violation { rule: 7, path: home.clone(), line: 0, what });
        }
    }
    found
}
