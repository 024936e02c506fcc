//! The command line: one file per command. Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong use.
//!
//! - `output`: tables for people, JSON for programs, moments as people say them
//! - `beside`: what a command must know of the server that may run on the same database
//! - `serve`, `demo`: run until stopped; `chat`: talk to the running demo as a lead
//! - `check`, `doctor`, `migrate`: is it set up well
//! - `user`, `token`: who may sign in, and which programs
//! - `flags`: switches of agents and experiments
//! - `conversations`, `failed`, `dlq`, `sagas`, `jobs`, `breakers`, `send`, `export`, `erase`: look and act; `replay`: what today's engine would say;
//!   `move`: to another database

mod beside;
mod breakers;
mod chat;
mod check;
mod conversations;
mod demo;
mod dlq;
mod doctor;
mod erase;
mod export;
mod failed;
mod flags;
mod jobs;
mod migrate;
mod r#move;
mod output;
mod replay;
mod sagas;
mod send;
mod serve;
mod token;
mod user;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser, Subcommand};
use store::{Store, StoreError};
use types::{SharedClock, SystemClock};

use crate::config::{Config, Mistake};
use crate::wire;
use output::Output;

/// What stands over the options that every command has.
const EVERYWHERE: &str = "Everywhere";

/// A self-hosted engine for WhatsApp assistants.
#[derive(Debug, Parser)]
#[command(name = "barid", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    /// The configuration file [default: barid.toml].
    #[arg(long, global = true, value_name = "FILE", env = "BARID_CONFIG", hide_env = true, help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Write JSON to stdout, for programs.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take webhooks, answer, and run until stopped.
    Serve(serve::Args),
    /// Run with a simulated WhatsApp and a sample business: nothing to set up.
    Demo(demo::Args),
    /// Talk to the running demo as a lead; each line is a message.
    Chat(chat::Args),
    /// Check the configuration: every mistake with its line and its mend.
    Check,
    /// Bring the database's schema up to date.
    Migrate,
    /// Check database, disk, clock, tokens and webhooks, each with its mend.
    Doctor,
    /// Conversations: list them, or show one with its messages.
    Conversations(conversations::Args),
    /// Send a message, by the same outbox as every reply.
    Send(send::Args),
    /// Messages that were not sent.
    #[command(subcommand)]
    Failed(failed::Command),
    /// Dead letters: messages of customers that could not be worked.
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// Actions: what was done beside the replies, and what is stuck.
    #[command(subcommand)]
    Sagas(sagas::Command),
    /// The queue.
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Breakers before outside dependencies: look, probe, hold open, reset.
    #[command(subcommand)]
    Breakers(breakers::Command),
    /// Switches of agents and experiments: they act with the next message.
    #[command(subcommand)]
    Flags(flags::Command),
    /// Write all conversations to a file or to stdout.
    Export(export::Args),
    /// Run stored webhooks through today's engine, beside what was answered then; nothing is sent.
    Replay(replay::Args),
    /// Remove one person everywhere, and say what was removed.
    Erase(erase::Args),
    /// Carry the installation to another database; goes on where it was when it is run again.
    Move(r#move::Args),
    /// People who sign in to the page.
    #[command(subcommand)]
    User(user::Command),
    /// Programs' keys to the API.
    #[command(subcommand)]
    Token(token::Command),
    /// Print the completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Why a command ended without success.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command was used wrongly: exit 2.
    #[error("{0}")]
    Usage(String),
    /// It failed: exit 1.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// It failed, and its output has said why: exit 1.
    #[error("")]
    Told,
    /// Who reads the output has had enough (`| head`): no failure.
    #[error("")]
    Closed,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What every command is given.
struct Context {
    path: Option<PathBuf>,
    clock: SharedClock,
    out: Output,
}

/// Where the configuration is looked for when none is named.
const DEFAULT: &str = "barid.toml";

impl Context {
    /// Reads the configuration.
    ///
    /// # Errors
    /// All mistakes in one text.
    fn load(&self) -> Result<Config, Failure> {
        self.read(self.file().as_ref())
    }

    /// The file that is named, or the one in this folder.
    fn file(&self) -> Option<PathBuf> {
        self.path.clone().or_else(|| Some(PathBuf::from(DEFAULT)).filter(|file| file.exists()))
    }

    /// The file for a command that looks at a database: without any configuration, that of the demo in this folder.
    fn file_beside(&self) -> Option<PathBuf> {
        let demo = Path::new(crate::demo::FOLDER).join(DEFAULT);
        if self.path.is_none() && !Path::new(DEFAULT).exists() && demo.exists() {
            say(&format!("(the demo's data: {})", demo.display()));
            return Some(demo);
        }
        self.file()
    }

    /// As [`Self::load`], with that file.
    fn load_beside(&self) -> Result<Config, Failure> {
        self.read(self.file_beside().as_ref())
    }

    fn read(&self, path: Option<&PathBuf>) -> Result<Config, Failure> {
        self.try_read(path).map_err(|mistakes| unusable(path, &mistakes))
    }

    fn try_read(&self, path: Option<&PathBuf>) -> Result<Config, Vec<Mistake>> {
        crate::config::load(path.map(PathBuf::as_path), std::env::vars())
    }

    /// Opens the database beside the server, if one runs. Of the configuration it needs `[store]` alone: who only looks needs no secrets.
    async fn store(&self) -> Result<(crate::config::Store, Store), Failure> {
        let path = self.file_beside();
        let read = crate::config::load_store(path.as_deref(), std::env::vars());
        let database = read.map_err(|mistakes| unusable(path.as_ref(), &mistakes))?;
        let store = wire::open_beside(&database, Arc::clone(&self.clock)).await?;
        Ok((database, store))
    }

    /// The same with the whole configuration, for who acts by it.
    async fn whole(&self) -> Result<(Config, Store), Failure> {
        let config = self.load_beside()?;
        let store = wire::open_beside(&config.store, Arc::clone(&self.clock)).await?;
        Ok((config, store))
    }
}

/// Every mistake, and where the file should have been.
fn unusable(path: Option<&PathBuf>, mistakes: &[Mistake]) -> Failure {
    let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    let hint = if path.is_none() {
        format!("\nThere is no {DEFAULT} here: name one with --config FILE, or try `barid demo`.")
    } else {
        String::new()
    };
    Failure::Failed(anyhow::anyhow!("the configuration cannot be used:\n{}{hint}", lines.join("\n")))
}

/// How much of a list to show.
#[derive(Debug, clap::Args)]
struct Paging {
    /// At most so many rows.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only rows older than the one with this id: the next page.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    before: Option<i64>,
}

impl Paging {
    /// Says how to see the rest, if there may be one.
    fn more<T: std::fmt::Display>(&self, shown: usize, last: Option<T>) {
        if let Some(last) = last.filter(|_| shown >= self.limit as usize) {
            say(&format!("(there may be more: --before {last})"));
        }
    }
}

/// Runs the command of this process's arguments. `give_back` returns freed memory to the system; a server calls it once it has started.
#[must_use]
pub fn run(give_back: fn()) -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(dispatch(cli, give_back));
            // A thread that waits for a line from the terminal would hold the end up for ever.
            runtime.shutdown_background();
            result
        }
        Err(e) => Err(Failure::Failed(e.into())),
    };
    match result {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(failure) => {
            say(&format!("barid: {failure}"));
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

async fn dispatch(cli: Cli, give_back: fn()) -> Result<(), Failure> {
    let clock: SharedClock = Arc::new(SystemClock);
    let out = Output::new(cli.json, clock.now());
    let cx = Context { path: cli.config, clock, out };
    match cli.command {
        Command::Serve(args) => serve::run(&cx, args, give_back).await,
        Command::Demo(args) => demo::run(args, cx.clock).await,
        Command::Chat(args) => chat::run(args).await,
        Command::Check => check::run(&cx),
        Command::Migrate => migrate::run(&cx).await,
        Command::Doctor => doctor::run(&cx).await,
        Command::Conversations(args) => conversations::run(&cx, args).await,
        Command::Send(args) => send::run(&cx, args).await,
        Command::Failed(command) => failed::run(&cx, command).await,
        Command::Dlq(command) => dlq::run(&cx, command).await,
        Command::Sagas(command) => sagas::run(&cx, command).await,
        Command::Jobs(command) => jobs::run(&cx, command).await,
        Command::Breakers(command) => breakers::run(&cx, command).await,
        Command::Flags(command) => flags::run(&cx, command).await,
        Command::Export(args) => export::run(&cx, args).await,
        Command::Replay(args) => replay::run(&cx, args).await,
        Command::Erase(args) => erase::run(&cx, args).await,
        Command::Move(args) => r#move::run(&cx, args).await,
        Command::User(command) => user::run(&cx, command).await,
        Command::Token(command) => token::run(&cx, command).await,
        Command::Completions { shell } => completions(&cx, shell),
    }
}

fn completions(cx: &Context, shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "barid", &mut script);
    cx.out.raw(&script)
}

/// Refuses an act on all rows that nobody can confirm: without a terminal, the flag must say it. Before anything is looked at, so that a
/// script fails the same way every time.
fn confirmable(all: bool, yes: bool) -> Result<(), Failure> {
    if !all || yes || std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage("--all needs --yes where there is no terminal to ask at".to_owned()))
}

/// Asks before something that concerns many rows.
fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    ask(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| Failure::Failed(e.into()))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::Failed(anyhow::anyhow!("not done"))) }
}

/// A line for the person, on stderr.
#[expect(clippy::print_stderr, reason = "the one place that speaks to the person outside the log")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// A question, on stderr, without the end of the line.
#[expect(clippy::print_stderr, reason = "as `say`")]
fn ask(question: &str) {
    eprint!("{question}");
}
