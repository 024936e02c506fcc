//! The command line: one file per command. Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong use.

mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// A self-hosted engine for WhatsApp assistants.
#[derive(Debug, Parser)]
#[command(name = "barid", version, arg_required_else_help = true)]
struct Cli {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "BARID_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take webhooks, answer, and run until stopped.
    Serve(serve::Args),
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
}

/// Reads the configuration, or says everything that is wrong with it.
///
/// # Errors
/// All mistakes in one text.
fn load(path: Option<&PathBuf>) -> Result<Config, Failure> {
    let default = PathBuf::from("barid.toml");
    let path = path.or_else(|| default.exists().then_some(&default));
    match crate::config::load(path.map(PathBuf::as_path), std::env::vars()) {
        Ok(config) => Ok(config),
        Err(mistakes) => {
            let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            Err(Failure::Failed(anyhow::anyhow!("the configuration cannot be used:\n{}", lines.join("\n"))))
        }
    }
}

/// Runs the command of this process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(cli)),
        Err(e) => Err(Failure::Failed(e.into())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("barid: {failure}"));
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(args) => serve::run(load(cli.config.as_ref())?, args).await,
    }
}

/// A line for the person, on stderr.
#[expect(clippy::print_stderr, reason = "the one place that speaks to the person outside the log")]
fn say(line: &str) {
    eprintln!("{line}");
}
