//! `barid dlq`: messages of customers that could not be worked (S2.5): look, try again, or give up.

use clap::Subcommand;
use serde_json::json;
use store::Store;
use store::dead_letters::{DeadLetter, Decide, List};
use types::DeadLetterId;
use types::states::DeadLetterStatus;

use super::output::{brief, count};
use super::{Context, Failure, Paging, confirm, confirmable, say};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List dead letters, newest first.
    List {
        /// Only of this status: pending, retrying, resolved or discarded.
        #[arg(long)]
        status: Option<DeadLetterStatus>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one with its payload, which is personal.
    Show {
        /// The dead letter.
        id: DeadLetterId,
    },
    /// Work them again now.
    Retry(Choice),
    /// Give them up; they can still be retried later.
    Discard(Choice),
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// Which.
    #[arg(required_unless_present = "all")]
    ids: Vec<DeadLetterId>,
    /// All that are pending.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    if let Command::Retry(choice) | Command::Discard(choice) = &command {
        confirmable(choice.all, choice.yes)?;
    }
    let (_, store) = cx.store().await?;
    let result = match command {
        Command::List { status, paging } => list(cx, &store, status, &paging).await,
        Command::Show { id } => show(cx, &store, id).await,
        Command::Retry(choice) => decide(cx, &store, choice, true).await,
        Command::Discard(choice) => decide(cx, &store, choice, false).await,
    };
    store.close().await;
    result
}

async fn list(cx: &Context, store: &Store, status: Option<DeadLetterStatus>, paging: &Paging) -> Result<(), Failure> {
    let op = List { status, before: paging.before.map(DeadLetterId), limit: paging.limit };
    let rows = store.read(op).await?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let titles = ["ID", "LAST", "STATUS", "FAULT", "ATTEMPTS", "NEXT TRY", "CONVERSATION", "WHY"];
    let row = |r: &DeadLetter| {
        vec![
            r.id.to_string(),
            cx.out.when(r.last_at),
            r.status.to_string(),
            r.fault.clone(),
            r.attempts.to_string(),
            r.next_retry_at.map_or_else(|| "–".to_owned(), |at| cx.out.when(at)),
            r.conversation.to_string(),
            brief(&r.error),
        ]
    };
    cx.out.table(&titles, rows.iter().map(row).collect(), "No dead letters.")?;
    paging.more(rows.len(), rows.last().map(|r| r.id));
    Ok(())
}

async fn show(cx: &Context, store: &Store, id: DeadLetterId) -> Result<(), Failure> {
    let one = List { status: None, before: Some(DeadLetterId(id.0.saturating_add(1))), limit: 1 };
    let found = store.read(one).await?.into_iter().find(|r| r.id == id);
    let Some(r) = found else { return Err(Failure::Failed(anyhow::anyhow!("there is no dead letter {id}"))) };
    if cx.out.json {
        return cx.out.value(&r);
    }
    let by_hand = || (r.status == DeadLetterStatus::Pending).then(|| "only by hand".to_owned());
    cx.out.pairs(&[
        ("dead letter", Some(r.id.to_string())),
        ("status", Some(r.status.to_string())),
        ("fault", Some(r.fault)),
        ("why", Some(r.error)),
        ("attempts", Some(r.attempts.to_string())),
        ("redrives", Some(r.redrives.to_string())),
        ("next try", r.next_retry_at.map(|at| cx.out.when(at)).or_else(by_hand)),
        ("first", Some(cx.out.when(r.first_at))),
        ("last", Some(cx.out.when(r.last_at))),
        ("job", Some(r.job.to_string())),
        ("conversation", Some(r.conversation.to_string())),
        ("message", Some(r.message.to_string())),
        ("provider's id", r.provider_message_id),
        ("payload", Some(r.payload)),
    ])
}

/// Rows looked at in one step of `--all`.
const PAGE: u32 = 500;

async fn decide(cx: &Context, store: &Store, choice: Choice, retry: bool) -> Result<(), Failure> {
    let ids = if choice.all { pending(store).await? } else { choice.ids };
    if ids.is_empty() {
        say("No pending dead letters.");
        return if cx.out.json { cx.out.value(&json!([])) } else { Ok(()) };
    }
    if choice.all {
        let verb = if retry { "Retry" } else { "Discard" };
        confirm(&format!("{verb} {}?", count(ids.len(), "dead letter")), choice.yes)?;
    }
    let (mut results, mut failed) = (Vec::with_capacity(ids.len()), 0);
    for letter in ids {
        match store.write(Decide { letter, retry, actor: "cli".to_owned() }).await {
            Ok(status) => results.push(json!({"id": letter, "status": status})),
            Err(e) => {
                failed += 1;
                say(&format!("{letter}: {e}"));
                results.push(json!({"id": letter, "error": e.to_string()}));
            }
        }
    }
    if cx.out.json {
        cx.out.value(&results)?;
    } else {
        let done = if retry { "queued again" } else { "discarded" };
        cx.out.line(&format!("{done}: {} of {}", results.len() - failed, results.len()))?;
    }
    if failed > 0 { Err(Failure::Told) } else { Ok(()) }
}

async fn pending(store: &Store) -> Result<Vec<DeadLetterId>, Failure> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let rows = store.read(List { status: Some(DeadLetterStatus::Pending), before, limit: PAGE }).await?;
        let Some(last) = rows.last() else { return Ok(ids) };
        before = Some(last.id);
        ids.extend(rows.iter().map(|r| r.id));
    }
}
