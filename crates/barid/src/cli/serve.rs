//! `barid serve`: take webhooks, answer, and run until stopped.

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use types::SystemClock;

use super::Failure;
use crate::config::Config;
use crate::wire::{App, Start};
use crate::{killpoints, telemetry};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Take webhooks, but leave the work to other nodes or to /api/jobs/run-outbound.
    #[arg(long)]
    no_worker: bool,
}

pub(super) async fn run(config: Config, args: Args) -> Result<(), Failure> {
    telemetry::logs(&config.log);
    let kill = std::env::var(killpoints::VARIABLE).ok();
    killpoints::arm(kill.as_deref()).map_err(|e| Failure::Usage(e.to_string()))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let handle = telemetry::metrics().context("the metrics cannot start")?;
    let start = Start {
        no_worker: args.no_worker,
        metrics: Some(Arc::new(move || handle.render())),
        extra: None,
        own_clock: false,
    };
    let app = App::start(&config, Arc::new(SystemClock), start).await?;
    stopped().await?;
    tracing::info!("stopping: no new work, what runs comes to its end");
    app.drain().await;
    Ok(())
}

/// Resolves at SIGTERM or SIGINT.
pub(super) async fn stopped() -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
