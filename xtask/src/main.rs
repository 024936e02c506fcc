//! Barid's commands for builders: `cargo xtask demo | test | fuzz | law | docs | page | screenshots | first-chat`.
//!
//! - [`law`]: the rules of ARCHITECTURE.md that a machine can check
//! - [`test`]: everything that must pass, in one command
//! - [`postgres`]: the tests' own PostgreSQL
//! - [`demo`]: the engine with a simulated WhatsApp
//! - [`fuzz`]: the API against a client that makes its requests up from the description
//! - [`first_chat`]: how long a newcomer waits for the first answer
//! - [`docs`]: the pages that are printed from code
//! - [`page`]: the web page: built, tested in a browser, pictured
//! - [`run`]: child processes, with their words passed on

mod demo;
mod docs;
mod first_chat;
mod fuzz;
mod law;
mod page;
mod postgres;
mod run;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use run::say;

const HELP: &str = "cargo xtask COMMAND

  demo [ARGS]   build Barid and run its demo; ARGS go to `barid demo`
  test [ARGS]   check the toolchain, format, lints and law, then run all tests; ARGS go to the test runner
  fuzz [ARGS]   a fuzzing client against the whole API; --seconds N, --seed N, --postgres
  law           check the rules of ARCHITECTURE.md
  docs          print the pages that are made from code: docs/config.md, docs/states.md, docs/api/openapi.json
  page          build the web page
  screenshots   pictures of every page into ui/shots: desktop, phone, right to left, dark
  first-chat    clone, build, start the demo and have one message answered; prints how long, cold and warm;
                --limit SECONDS for each of the two, --here: only warm, in this checkout";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("help", [].as_slice()), |(c, rest)| (c.as_str(), rest));
    let root = root();
    let done = match command {
        "demo" => demo::run(&root, rest),
        "test" => test::run(&root, rest),
        "fuzz" => fuzz::run(&root, rest),
        "law" => law::command(&root),
        "docs" => docs::run(&root),
        "first-chat" => first_chat::run(&root, rest),
        "page" => page::command(&root),
        "screenshots" => page::screenshots(&root, rest),
        "help" | "--help" | "-h" => {
            say(HELP);
            Ok(true)
        }
        other => {
            say(&format!("cargo xtask has no command {other:?}\n\n{HELP}"));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("error: {why:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new(".")).to_owned()
}
