//! `barid breakers`: what stands between Barid and an outside dependency that fails (S4.10): look, probe, hold open, reset.

use clap::Subcommand;
use store::Store;
use store::breakers::Turn;
use store::desk::breakers::{Breaker, Everybodys, Move};
use store::desk::{Access, By};

use super::output::or_dash;
use super::{Context, Failure, beside, say};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List them: those of every number, and of everything that was called.
    List,
    /// Close one, whatever it was.
    Reset(Choice),
    /// Keep one open until it is reset: nothing goes out meanwhile, and what waits loses no attempt.
    Hold(Choice),
    /// Let the next call try, without waiting for the pause to end.
    Probe(Choice),
}

/// Which, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// The breaker, as `breakers list` names it.
    name: String,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    let (config, store) = cx.store().await?;
    let result = match command {
        Command::List => list(cx, &store).await,
        Command::Reset(choice) => turn(cx, &store, choice, Turn::Reset).await,
        Command::Hold(choice) => turn(cx, &store, choice, Turn::Hold).await,
        Command::Probe(choice) => {
            let result = turn(cx, &store, choice, Turn::Probe).await;
            if result.is_ok() && !beside::server_runs(&config) && beside::file(&config).is_some() {
                say("No server is running: it is tried when one starts.");
            }
            result
        }
    };
    store.close().await;
    result
}

const TITLES: [&str; 6] = ["NAME", "STATE", "SINCE", "NEXT TRY", "TRIPS", "WHY"];

fn row(cx: &Context, b: &Breaker) -> Vec<String> {
    vec![
        b.name.clone(),
        if b.held { "open (held)".to_owned() } else { b.state.to_string() },
        cx.out.when(b.since.0),
        b.next_try.map_or_else(|| "–".to_owned(), |at| cx.out.when(at.0)),
        b.trips.to_string(),
        or_dash(b.reason.as_deref()),
    ]
}

async fn list(cx: &Context, store: &Store) -> Result<(), Failure> {
    let all = store.read(Everybodys).await?;
    if cx.out.json {
        return cx.out.value(&all);
    }
    cx.out.table(&TITLES, all.iter().map(|b| row(cx, b)).collect(), "No breakers yet: nothing was called.")
}

async fn turn(cx: &Context, store: &Store, choice: Choice, turn: Turn) -> Result<(), Failure> {
    let Choice { name, reason } = choice;
    let breaker = store.write(Move { name, turn, reason, access: Access::All, by: By::command() }).await?;
    if cx.out.json {
        return cx.out.value(&breaker);
    }
    cx.out.table(&TITLES, vec![row(cx, &breaker)], "")
}
