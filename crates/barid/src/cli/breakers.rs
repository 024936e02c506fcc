//! `barid breakers`: what stands between Barid and an outside dependency that fails (S4.10): look, probe, hold open, reset.

use std::collections::HashMap;

use clap::Subcommand;
use store::Store;
use store::breakers::Turn;
use store::desk::breakers::{Breaker, Everybodys, Move};
use store::desk::tenants::{Channels, Tenants};
use store::desk::{Access, By};
use types::breaker::of_channel;

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
    /// The breaker, as `breakers list` names it; or the number that it stands before.
    name: String,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    let (database, store) = cx.store().await?;
    let result = match command {
        Command::List => list(cx, &store).await,
        Command::Reset(choice) => turn(cx, &store, choice, Turn::Reset).await,
        Command::Hold(choice) => turn(cx, &store, choice, Turn::Hold).await,
        Command::Probe(choice) => {
            let result = turn(cx, &store, choice, Turn::Probe).await;
            if result.is_ok() && !beside::server_runs(&database) && beside::file(&database).is_some() {
                say("No server is running: it is tried when one starts.");
            }
            result
        }
    };
    store.close().await;
    result
}

const TITLES: [&str; 7] = ["OF", "STATE", "SINCE", "NEXT TRY", "TRIPS", "WHY", "NAME"];

/// The numbers, by their breakers' names.
type Numbers = HashMap<String, String>;

async fn numbers(store: &Store) -> store::Result<Numbers> {
    let mut all = Numbers::new();
    for tenant in store.read(Tenants(Access::All)).await? {
        for channel in store.read(Channels(tenant.id)).await? {
            let said = format!("{} {} of {}", channel.kind, channel.number, tenant.slug);
            all.insert(of_channel(channel.id), said);
        }
    }
    Ok(all)
}

fn row(cx: &Context, numbers: &Numbers, b: &Breaker) -> Vec<String> {
    vec![
        numbers.get(&b.name).unwrap_or(&b.name).clone(),
        if b.held { "open (held)".to_owned() } else { b.state.to_string() },
        cx.out.when(b.since.0),
        b.next_try.map_or_else(|| "–".to_owned(), |at| cx.out.when(at.0)),
        b.trips.to_string(),
        or_dash(b.reason.as_deref()),
        b.name.clone(),
    ]
}

async fn list(cx: &Context, store: &Store) -> Result<(), Failure> {
    let all = store.read(Everybodys).await?;
    if cx.out.json {
        return cx.out.value(&all);
    }
    let numbers = numbers(store).await?;
    let rows = all.iter().map(|b| row(cx, &numbers, b)).collect();
    cx.out.table(&TITLES, rows, "No breakers yet: nothing was called.")
}

async fn turn(cx: &Context, store: &Store, choice: Choice, turn: Turn) -> Result<(), Failure> {
    let Choice { name, reason } = choice;
    let numbers = numbers(store).await?;
    // A number is known by itself, too, where only one breaker is its.
    let mut meant = numbers.iter().filter(|(_, said)| said.split(' ').nth(1) == Some(name.as_str()));
    let name = match (meant.next(), meant.next()) {
        (Some((breaker, _)), None) => breaker.clone(),
        _ => name,
    };
    let breaker = store.write(Move { name, turn, reason, access: Access::All, by: By::command() }).await?;
    if cx.out.json {
        return cx.out.value(&breaker);
    }
    cx.out.table(&TITLES, vec![row(cx, &numbers, &breaker)], "")
}
