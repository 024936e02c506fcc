//! `barid jobs`: the queue, and working it by hand (S2.7).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use store::Store;
use store::views::{JobRow, Jobs};
use types::http::{Body, Method, Plan};
use types::states::JobState;
use types::{JobId, Secret};

use super::output::{count, or_dash};
use super::{Context, Failure, Paging, beside, say};
use crate::config::Config;
use crate::wire;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List jobs, newest first.
    List {
        /// Only in this state: queued, running, done, failed or dead.
        #[arg(long)]
        state: Option<JobState>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Work what is due now, then end: in this process, or by the server when one runs.
    Run {
        /// At most so many conversations.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        max: u32,
    },
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::List { state, paging } => {
            let (_, store) = cx.store().await?;
            let result = list(cx, &store, state, &paging).await;
            store.close().await;
            result
        }
        Command::Run { max } => work(cx, max).await,
    }
}

async fn list(cx: &Context, store: &Store, state: Option<JobState>, paging: &Paging) -> Result<(), Failure> {
    let rows = store.read(Jobs { state, before: paging.before.map(JobId), limit: paging.limit }).await?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let titles = ["ID", "MADE", "STATE", "ATTEMPTS", "RUNS", "CONVERSATION", "CAME TO"];
    let row = |r: &JobRow| {
        vec![
            r.id.to_string(),
            cx.out.when(r.created_at),
            r.state.to_string(),
            format!("{} of {}", r.attempts, r.max_attempts),
            if r.state == JobState::Queued { cx.out.when(r.run_at) } else { "–".to_owned() },
            r.conversation.to_string(),
            or_dash(r.error.as_deref().or(r.outcome.as_deref())),
        ]
    };
    cx.out.table(&titles, rows.iter().map(row).collect(), "No jobs.")?;
    paging.more(rows.len(), rows.last().map(|r| r.id));
    Ok(())
}

async fn work(cx: &Context, max: u32) -> Result<(), Failure> {
    let config = cx.load_beside()?;
    let (by, conversations) = if beside::server_runs(&config.store) {
        say("A server is running: it does the work.");
        ("server", ask_server(&config, max).await?)
    } else {
        crate::telemetry::logs(&config.log);
        ("command", wire::work_due(&config, Arc::clone(&cx.clock), max).await?)
    };
    if cx.out.json {
        return cx.out.value(&json!({"conversations": conversations, "worked_by": by}));
    }
    cx.out.line(&format!("worked: {}", count(conversations as usize, "conversation")))
}

/// Longest that the server may take for one call.
const PATIENCE: Duration = Duration::from_secs(120);

async fn ask_server(config: &Config, max: u32) -> anyhow::Result<u32> {
    let Some(token) = &config.jobs.runner_token else {
        bail!(
            "a server is working this database and does so by itself; to make it work now from here, set [jobs] runner_token"
        );
    };
    let plan = Plan {
        method: Method::Post,
        url: Secret::new(format!("{}/api/jobs/run-outbound?max={max}", beside::local_url(config))),
        authorization: Some(Secret::new(format!("Bearer {}", token.expose()))),
        headers: Vec::new(),
        body: Body::Empty,
        name: "jobs.run_outbound",
    };
    let answer = beside::client()?.call(&plan, PATIENCE).await?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        let detail = value["detail"].as_str().unwrap_or("no reason given");
        bail!("the server at {} refused with {}: {detail}", beside::local_url(config), answer.status);
    }
    let worked = value["conversations"].as_u64().and_then(|n| u32::try_from(n).ok());
    worked.context("the server's answer says no number of conversations: is it another program?")
}
