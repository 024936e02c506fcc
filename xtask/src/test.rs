//! `cargo xtask test`: everything that must pass, in one command. A stage that fails hides none after it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::fuzz;
use crate::law;
use crate::page;
use crate::postgres::{self, Server};
use crate::run::{Stream, Watch, cargo, output, passes, say, watched};

/// Failpoints are compiled in for the whole run, so that nothing is built twice: the crash tests kill a binary built with them.
const FEATURES: [&str; 2] = ["--features", "barid/failpoints"];

/// Runs every stage, however those before it ended, and says which failed; `args` go to the test runner. Only a machine without its tools
/// ends it at once.
pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let mut stages = Stages::default();
    let mut counts = Counts::default();
    let mut server = None;
    if stages.run("toolchain", || Ok(toolchain(root))) {
        stages.run("format", || passes(cargo(root).args(["fmt", "--all", "--check"])));
        stages.run("law", || law::command(root));
        stages.run("lints", || {
            let mut clippy = cargo(root);
            clippy.args(["clippy", "--quiet", "--workspace", "--all-targets", "--locked"]).args(FEATURES);
            passes(clippy.args(["--", "-D", "warnings"]))
        });
        stages.run("PostgreSQL", || {
            server = Some(postgres::start(root)?);
            Ok(true)
        });
        stages.run("tests", || tests(root, args, server.as_ref(), &mut counts));
        stages.run("end to end on PostgreSQL", || on_postgres(root, args, server.as_ref(), &mut counts));
        stages.run("examples in the documentation", || examples(root, &mut counts));
        stages.run("API, fuzzed", || fuzz::stage(root));
        stages.run("page, in a browser", || page::test(root));
    }
    stages.summary();
    let Counts { passed: good, failed: bad } = counts;
    let rest = if good + bad == 0 { " (no test was run)" } else { "" };
    say(&format!("{good} passed, {bad} failed{rest}"));
    Ok(stages.failed.is_empty())
}

#[derive(Default)]
struct Stages {
    lines: Vec<String>,
    failed: Vec<String>,
}

impl Stages {
    /// Runs one; whether it passed. What keeps it from running is said here, and is a failure of this stage alone.
    fn run(&mut self, name: &str, stage: impl FnOnce() -> Result<bool>) -> bool {
        say(&format!("── {name}"));
        let watch = Watch::start();
        let passed = stage().unwrap_or_else(|why| {
            say(&format!("error: {why:#}"));
            false
        });
        let word = if passed { "ok" } else { "FAILED" };
        self.lines.push(format!("  {name:<32} {word:<8} {:>7.1} s", watch.elapsed().as_secs_f64()));
        if !passed {
            self.failed.push(name.to_owned());
        }
        passed
    }

    fn summary(&self) {
        say(&format!("\n{}", self.lines.join("\n")));
        if !self.failed.is_empty() {
            say(&format!("\nFAILED: {}", self.failed.join(", ")));
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Says what is missing, all of it at once, each with its mend.
fn toolchain(root: &Path) -> bool {
    let mut missing = Vec::new();
    let wanted = wanted_version(&std::fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default());
    let found = output(Command::new("rustc").arg("--version")).unwrap_or_default();
    if version(&found) < wanted {
        let (major, minor) = wanted;
        missing.push(format!("rustc {major}.{minor} or newer (found: {found:?}): rustup update stable"));
    }
    for (name, args) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if output(cargo(root).args([args, "--version"])).is_none() {
            missing.push(format!("{name}: rustup component add {name}"));
        }
    }
    let compilers = std::env::var("CC").into_iter().chain(["cc".to_owned(), "gcc".to_owned(), "clang".to_owned()]);
    if !compilers.into_iter().any(|cc| output(Command::new(cc).arg("--version")).is_some()) {
        missing.push("a C compiler, for SQLite and ring: apt-get install gcc".to_owned());
    }
    for thing in &missing {
        say(&format!("missing: {thing}"));
    }
    if !has_nextest(root) {
        say("note: cargo-nextest is not installed; `cargo test` runs the tests, more slowly");
    }
    missing.is_empty()
}

/// `rust-version` of the workspace.
fn wanted_version(manifest: &str) -> (u32, u32) {
    let line = manifest.lines().find_map(|l| l.trim().strip_prefix("rust-version"));
    version(line.unwrap_or_default())
}

/// The first `N.N` in a text.
fn version(text: &str) -> (u32, u32) {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    let mut parts = text[start..].split('.');
    (parts.next().and_then(digits).unwrap_or_default(), parts.next().and_then(digits).unwrap_or_default())
}

fn has_nextest(root: &Path) -> bool {
    output(cargo(root).args(["nextest", "--version"])).is_some()
}

fn tests(root: &Path, args: &[String], server: Option<&Server>, counts: &mut Counts) -> Result<bool> {
    runner(root, &[], args, server, counts, &[])
}

/// The end-to-end tests once more, with the engine on PostgreSQL.
fn on_postgres(root: &Path, args: &[String], server: Option<&Server>, counts: &mut Counts) -> Result<bool> {
    if server.is_none_or(Server::is_off) {
        say("left out");
        return Ok(true);
    }
    runner(root, &["--test", "e2e"], args, server, counts, &[("BARID_TEST_DATABASE", "postgres")])
}

fn runner(
    root: &Path,
    which: &[&str],
    args: &[String],
    server: Option<&Server>,
    counts: &mut Counts,
    env: &[(&str, &str)],
) -> Result<bool> {
    let mut command = cargo(root);
    command.envs(env.iter().copied());
    if let Some(server) = server {
        command.env(postgres::VARIABLE, server.address());
    }
    if has_nextest(root) {
        command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]).args(FEATURES);
        return watched(command.args(which).args(args), Stream::Err, |line| counts.nextest(line));
    }
    let all: &[&str] = if which.is_empty() { &["--all-targets"] } else { which };
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(FEATURES).args(all).args(args);
    watched(&mut command, Stream::Out, |line| counts.cargo_test(line))
}

/// Examples in doc comments, which neither nextest nor `--all-targets` runs; skipped when there are none, since finding that out
/// the other way costs a build.
fn examples(root: &Path, counts: &mut Counts) -> Result<bool> {
    let sources = law::sources(root)?;
    if !sources.iter().any(|(path, text)| path.contains("/src/") && has_example(text)) {
        say("none");
        return Ok(true);
    }
    let mut command = cargo(root);
    command.args(["test", "--doc", "--workspace", "--locked"]).args(FEATURES);
    watched(&mut command, Stream::Out, |line| counts.cargo_test(line))
}

/// Whether a doc comment opens a code block that rustdoc would compile.
fn has_example(source: &str) -> bool {
    let mut open = false;
    for line in source.lines() {
        let line = line.trim_start();
        let Some(fence) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim) else {
            open = false;
            continue;
        };
        if let Some(words) = fence.strip_prefix("```") {
            let plain =
                words.split(',').all(|w| matches!(w.trim(), "" | "rust" | "no_run" | "should_panic" | "compile_fail"));
            if !open && plain {
                return true;
            }
            open = !open;
        }
    }
    false
}

impl Counts {
    /// `Summary [ 1.2s] 12 tests run: 10 passed (1 slow), 2 failed, 1 timed out, 3 skipped`
    fn nextest(&mut self, line: &str) {
        let plain = without_colours(line);
        let Some((_, counts)) = plain.trim().strip_prefix("Summary").and_then(|rest| rest.split_once("run:")) else {
            return;
        };
        for part in counts.split(',') {
            let part = part.split('(').next().unwrap_or_default();
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let number: u64 = number.parse().unwrap_or_default();
            match what.trim() {
                "passed" => self.passed += number,
                "skipped" => {}
                _ => self.failed += number,
            }
        }
    }

    /// `test result: ok. 12 passed; 0 failed; 0 ignored; …`
    fn cargo_test(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result:").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split(';') {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// The line without the codes that colour it.
fn without_colours(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, code)) = rest.split_once('\u{1b}') {
        out.push_str(before);
        rest = code.split_once('m').map_or("", |(_, after)| after);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_own_summaries_are_counted() {
        let mut counts = Counts::default();
        counts.nextest("     Summary [   0.012s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 3 skipped");
        counts.nextest("\u{1b}[32;1m     Summary\u{1b}[0m [   0.012s] 1 test run: \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped");
        counts.nextest("        PASS [   0.005s] xtask test::tests::x");
        assert_eq!(counts, Counts { passed: 10, failed: 3 });

        let mut counts = Counts::default();
        counts.cargo_test(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s",
        );
        counts.cargo_test("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(counts, Counts { passed: 13, failed: 2 });
    }

    #[test]
    fn a_stage_that_fails_hides_none_after_it() {
        let mut stages = Stages::default();
        assert!(stages.run("first", || Ok(true)));
        assert!(!stages.run("second", || anyhow::bail!("no such tool")));
        assert!(!stages.run("third", || Ok(false)));
        assert!(stages.run("fourth", || Ok(true)));
        assert_eq!(stages.failed, ["second", "third"]);
        assert_eq!(stages.lines.len(), 4);
    }

    #[test]
    fn an_old_compiler_is_noticed() {
        assert_eq!(wanted_version("[workspace.package]\nrust-version = \"1.95\"\n"), (1, 95));
        assert!(version("rustc 1.94.2 (abc 2026-01-01)") < (1, 95));
        assert!(version("rustc 1.100.0") > (1, 95));
        assert_eq!(version(""), (0, 0));
    }

    #[test]
    fn only_blocks_that_rustdoc_compiles_are_examples() {
        assert!(has_example("/// ```\n/// f();\n/// ```\nfn f() {}"));
        assert!(has_example("//! ```no_run\n//! f();\n//! ```"));
        assert!(!has_example("/// ```text\n/// f();\n/// ```\nfn f() {}"));
        assert!(!has_example("let s = \"```\";"));
    }
}
