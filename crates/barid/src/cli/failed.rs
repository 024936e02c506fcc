//! `barid failed`: messages that were not sent, and sending them again (S4.3, S4.4).

use clap::Subcommand;
use serde_json::json;
use store::Store;
use store::outbox::Retry;
use store::views::{FailedSend, FailedSends, RetryingSend, RetryingSends};
use types::MessageId;
use types::states::MessageStatus;

use super::output::{brief, count, or_dash};
use super::{Context, Failure, Paging, beside, confirm, confirmable, say};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what was not sent, newest first: failed, and held because it may have arrived.
    List {
        /// Instead, what waits for its next attempt by itself.
        #[arg(long)]
        pending: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Send again.
    Retry(Again),
}

/// Arguments of `failed retry`.
#[derive(Debug, clap::Args)]
pub(super) struct Again {
    /// Which messages.
    #[arg(required_unless_present = "all")]
    ids: Vec<MessageId>,
    /// All failed messages. Held ones may have arrived: they are sent again only by their ids.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    if let Command::Retry(args) = &command {
        confirmable(args.all, args.yes)?;
    }
    let (database, store) = cx.store().await?;
    let result = match command {
        Command::List { pending: false, paging } => list(cx, &store, &paging).await,
        Command::List { pending: true, paging } => retrying(cx, &store, &paging).await,
        Command::Retry(args) => {
            let result = retry(cx, &store, args).await;
            if result.is_ok() && !beside::server_runs(&database) {
                say("No server is running: they go out when one starts.");
            }
            result
        }
    };
    store.close().await;
    result
}

async fn list(cx: &Context, store: &Store, paging: &Paging) -> Result<(), Failure> {
    let rows = store.read(FailedSends { before: paging.before.map(MessageId), limit: paging.limit }).await?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let titles = ["ID", "SAVED", "CONVERSATION", "STATUS", "ATTEMPTS", "WHY", "TEXT"];
    let row = |r: &FailedSend| {
        vec![
            r.id.to_string(),
            cx.out.when(r.created_at),
            r.conversation.to_string(),
            r.status.to_string(),
            r.attempts.to_string(),
            or_dash(r.error.as_deref()),
            brief(&r.body),
        ]
    };
    cx.out.table(&titles, rows.iter().map(row).collect(), "No failed messages.")?;
    paging.more(rows.len(), rows.last().map(|r| r.id));
    Ok(())
}

async fn retrying(cx: &Context, store: &Store, paging: &Paging) -> Result<(), Failure> {
    let rows = store.read(RetryingSends { before: paging.before.map(MessageId), limit: paging.limit }).await?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let titles = ["ID", "SAVED", "CONVERSATION", "STATUS", "ATTEMPTS", "GOES ON", "WHY", "TEXT"];
    let row = |r: &RetryingSend| {
        vec![
            r.send.id.to_string(),
            cx.out.when(r.send.created_at),
            r.send.conversation.to_string(),
            r.send.status.to_string(),
            r.send.attempts.to_string(),
            cx.out.when(r.next_at),
            or_dash(r.send.error.as_deref()),
            brief(&r.send.body),
        ]
    };
    cx.out.table(&titles, rows.iter().map(row).collect(), "No message waits for another attempt.")?;
    paging.more(rows.len(), rows.last().map(|r| r.send.id));
    Ok(())
}

/// Rows looked at in one step of `--all`.
const PAGE: u32 = 500;

async fn retry(cx: &Context, store: &Store, args: Again) -> Result<(), Failure> {
    let ids = if args.all { all(store).await? } else { args.ids };
    if ids.is_empty() {
        say("No failed messages.");
        return if cx.out.json { cx.out.value(&json!([])) } else { Ok(()) };
    }
    if args.all {
        confirm(&format!("Send {} again?", count(ids.len(), "failed message")), args.yes)?;
    }
    let mut results = Vec::with_capacity(ids.len());
    let mut failed = false;
    for id in ids {
        let result = store.write(Retry(id)).await;
        failed |= result.is_err();
        match result {
            Ok(()) => results.push(json!({"id": id, "status": "pending"})),
            Err(e) => {
                say(&format!("{id}: {e}"));
                results.push(json!({"id": id, "error": e.to_string()}));
            }
        }
    }
    let queued = results.iter().filter(|r| r["status"] == "pending").count();
    if cx.out.json {
        cx.out.value(&results)?;
    } else {
        cx.out.line(&format!("queued again: {queued} of {}", results.len()))?;
    }
    if failed { Err(Failure::Told) } else { Ok(()) }
}

async fn all(store: &Store) -> Result<Vec<MessageId>, Failure> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let rows = store.read(FailedSends { before, limit: PAGE }).await?;
        let Some(last) = rows.last() else { return Ok(ids) };
        before = Some(last.id);
        ids.extend(rows.iter().filter(|r| r.status == MessageStatus::Failed).map(|r| r.id));
    }
}
