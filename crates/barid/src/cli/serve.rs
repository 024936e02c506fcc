//! `barid serve`: take webhooks, answer, and run until stopped.

use std::sync::Arc;

use anyhow::Context as _;
use store::accounts::users::HasAdmin;
use tokio::signal::unix::{SignalKind, signal};
use types::SystemClock;

use super::{Context, Failure};
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

pub(super) async fn run(cx: &Context, args: Args, give_back: fn()) -> Result<(), Failure> {
    let config = cx.load()?;
    telemetry::logs(&config.log);
    // Before anything that takes a while: unhandled, it would end the process.
    let mut again = signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?;
    let kill = std::env::var(killpoints::VARIABLE).ok();
    killpoints::arm(kill.as_deref()).map_err(|e| Failure::Usage(e.to_string()))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if config.tenants.is_empty() {
        return Err(Failure::Failed(anyhow::anyhow!(
            "no tenant is configured, so nobody could be answered; nothing was started. Is this the right folder, or is --config FILE missing? README.md has a file to begin with"
        )));
    }
    let handle = telemetry::metrics().context("the metrics cannot start")?;
    let metrics: Option<Arc<dyn Fn() -> String + Send + Sync>> = Some(Arc::new(move || handle.render()));
    let start = Start { no_worker: args.no_worker, metrics, ..Start::default() };
    let mut stopped = std::pin::pin!(stopped());
    // A start may wait for the database; told to stop meanwhile, it has nothing to bring to an end: what came is in the spool.
    let mut app = tokio::select! {
        app = App::start(&config, Arc::new(SystemClock), start) => app?,
        ended = &mut stopped => return Ok(ended?),
    };
    first_admin(&config, &app).await?;
    give_back();
    loop {
        tokio::select! {
            ended = &mut stopped => break ended?,
            _ = again.recv() => reload(cx, &mut app),
        }
        give_back();
    }
    tracing::info!("stopping: no new work, what runs comes to its end");
    app.drain().await;
    Ok(())
}

/// Reads the configuration again. With mistakes in it, everything stays as it is.
fn reload(cx: &Context, app: &mut App) {
    let config = match cx.try_read(cx.file().as_ref()) {
        Ok(config) => config,
        Err(mistakes) => {
            for mistake in &mistakes {
                tracing::error!("{mistake}");
            }
            tracing::error!(mistakes = mistakes.len(), "the configuration was not read again: the old one stays");
            return;
        }
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    match app.reload(config) {
        Ok(waits) => {
            for what in &waits {
                tracing::warn!(what, "changed in the configuration, and needs a restart");
            }
            tracing::info!(needs_restart = waits.len(), "the configuration was read again");
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the configuration was not read again: the old one stays")
        }
    }
}

/// Where there is no administrator yet, the log says how the first administrator does: never by a password that everybody knows.
async fn first_admin(config: &Config, app: &App) -> anyhow::Result<()> {
    if app.store().read(HasAdmin).await? {
        return Ok(());
    }
    let token = app.desk().first_admin_link();
    let base = config.server.public_url.clone().unwrap_or_else(|| format!("http://{}", app.address()));
    tracing::warn!(
        "there is no administrator yet. This makes the first, once, until Barid stops: {base}/start?admin={token}"
    );
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
