//! `barid sagas`: what was done beside the replies (S3.6): look, and decide about what is stuck.

use clap::Subcommand;
use store::Store;
use store::desk::sagas::{Deed, Get, List, Saga, SagaStep, Settle};
use store::desk::{Access, After, By};
use types::SagaId;
use types::states::SagaState;

use super::output::{brief, or_dash};
use super::{Context, Failure, Paging};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List sagas, newest first.
    List {
        /// Only in this state: running, unwinding, done, compensated or stuck.
        #[arg(long)]
        state: Option<SagaState>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one with its steps.
    Show {
        /// The saga.
        id: SagaId,
    },
    /// Try again the step that is stuck; of one that waits, now.
    Retry(Choice),
    /// Go on without the step that is stuck: you have seen to it.
    Skip(Choice),
}

/// Which saga, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// Which.
    id: SagaId,
    /// Why, for the audit record.
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    let (_, store) = cx.store().await?;
    let result = match command {
        Command::List { state, paging } => list(cx, &store, state, &paging).await,
        Command::Show { id } => match store.read(Get { id, access: Access::All }).await {
            Ok(saga) => show(cx, &saga),
            Err(error) => Err(error.into()),
        },
        Command::Retry(choice) => settle(cx, &store, choice, Deed::Retry).await,
        Command::Skip(choice) => settle(cx, &store, choice, Deed::Skip).await,
    };
    store.close().await;
    result
}

async fn list(cx: &Context, store: &Store, state: Option<SagaState>, paging: &Paging) -> Result<(), Failure> {
    let after = paging.before.map_or(After::NEWEST, |id| After { key: id, id });
    let rows: Vec<Saga> =
        store.read(List { tenant: None, state, after, limit: paging.limit }).await?.into_iter().map(|r| r.1).collect();
    if cx.out.json {
        let mut rows = serde_json::json!(rows);
        // They are not read for a list: empty ones would say that there are none.
        for row in rows.as_array_mut().into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
            row.remove("steps");
            row.remove("result");
        }
        return cx.out.value(&rows);
    }
    let titles = ["ID", "DECIDED", "STATE", "GOES ON", "CONVERSATION", "WHY"];
    let row = |r: &Saga| {
        vec![
            r.id.to_string(),
            cx.out.when(r.created_at.0),
            r.state.to_string(),
            or_dash(r.due_at.map(|at| cx.out.when(at.0)).as_deref()),
            r.conversation_id.to_string(),
            brief(r.error.as_deref().unwrap_or_default()),
        ]
    };
    cx.out.table(&titles, rows.iter().map(row).collect(), "No sagas.")?;
    paging.more(rows.len(), rows.last().map(|r| r.id));
    Ok(())
}

fn show(cx: &Context, saga: &Saga) -> Result<(), Failure> {
    if cx.out.json {
        return cx.out.value(saga);
    }
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(", "));
    cx.out.pairs(&[
        ("saga", Some(saga.id.to_string())),
        ("state", Some(saga.state.to_string())),
        ("why", saga.error.clone()),
        ("decided", Some(cx.out.when(saga.created_at.0))),
        ("goes on", saga.due_at.map(|at| cx.out.when(at.0))),
        ("ended", saga.finished_at.map(|at| cx.out.when(at.0))),
        ("executed", list(&saga.result.executed)),
        ("failed", list(&saga.result.failed)),
        ("compensated", list(&saga.result.compensated)),
        ("conversation", Some(saga.conversation_id.to_string())),
        ("message", Some(saga.message_id.to_string())),
    ])?;
    let titles = ["STEP", "ACTION", "EFFECT", "STATE", "TRIES", "UNDO TRIES", "WHY"];
    let row = |s: &SagaStep| {
        let doubt = if s.doubtful { " (may be a repetition)" } else { "" };
        vec![
            s.seq.to_string(),
            s.action.clone(),
            s.effect.to_string(),
            format!("{}{doubt}", s.state),
            s.attempts.to_string(),
            s.undo_attempts.to_string(),
            brief(s.error.as_deref().unwrap_or_default()),
        ]
    };
    cx.out.table(&titles, saga.steps.iter().map(row).collect(), "No steps.")
}

async fn settle(cx: &Context, store: &Store, choice: Choice, deed: Deed) -> Result<(), Failure> {
    let Choice { id, reason } = choice;
    let saga = store.write(Settle { id, deed, reason, access: Access::All, by: By::command() }).await?;
    if cx.out.json {
        return cx.out.value(&saga);
    }
    cx.out.line(&format!("{id} is {} and goes on within a second", saga.state))
}
