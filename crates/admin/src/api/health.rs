//! Health on one page: queue, sends, channels, checks.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::desk::alerts::{Alert, OpenAlerts};
use store::desk::breakers::{Breaker, List};
use store::desk::queue::Sends;
use store::desk::tenants::Channels;
use store::desk::{Channel, Count, failed, letters};
use store::views::Figures;
use types::Moment;
use types::states::{BreakerState, ChannelState};
use utoipa::ToSchema;

use super::Shared;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::Answer;
use super::input::Asked;

/// The queue, over all tenants.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueueHealth {
    /// Waiting.
    queued: i64,
    /// Being worked.
    running: i64,
    /// How long the oldest waiting job has been due, seconds.
    oldest_wait_seconds: f64,
    /// Finished well in the last 24 hours (of the newest 10 000).
    done_24h: i64,
    /// Dead or cancelled in the last 24 hours (of the newest 10 000).
    failed_24h: i64,
    /// Mean time from stored to finished, milliseconds.
    mean_processing_ms: f64,
    /// The same, 95th percentile.
    p95_processing_ms: f64,
    /// Share that finished well.
    success_rate: f64,
}

/// Sends.
#[derive(Serialize, ToSchema)]
pub(crate) struct SendHealth {
    /// Waiting, over all tenants.
    pending: i64,
    /// Under way, over all tenants.
    sending: i64,
    /// In doubt, over all tenants.
    unknown: i64,
    /// Not sent, of this tenant.
    failed: Count,
    /// Messages of this tenant in the last hour (of the newest 2000).
    hour: i64,
    /// Of those, not sent, percent.
    hour_failed_percent: f64,
    /// Of those that the provider took, 95 of 100 within so many milliseconds; null where there were none.
    hour_p95_ms: Option<i64>,
}

/// One thing that was looked at.
#[derive(Serialize, ToSchema)]
pub(crate) struct Check {
    /// Its name.
    name: String,
    /// It is well.
    ok: bool,
    /// What was found.
    value: f64,
    /// It is not well from here on.
    threshold: f64,
    /// In words.
    detail: String,
}

/// Health.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Every check is well.
    ok: bool,
    /// When it was looked.
    checked_at: Moment,
    /// Barid's version.
    version: String,
    /// Operations waiting for the writer.
    waiting_writes: i64,
    /// The queue.
    queue: QueueHealth,
    /// Sends.
    sends: SendHealth,
    /// Dead letters that wait, of this tenant.
    dead_letters: Count,
    /// The tenant's numbers.
    channels: Vec<Channel>,
    /// What is wrong now (S6.6).
    alerts: Vec<Alert>,
    /// Breakers.
    breakers: Vec<Breaker>,
    /// What was looked at, one by one.
    checks: Vec<Check>,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn percent(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Health of this installation, and of one tenant's numbers.
#[utoipa::path(get, path = "/health", tag = "health", params(TenantQuery), responses((status = 200, body = Health)))]
pub(crate) async fn get(State(desk): Shared, caller: Caller, Asked(query): Asked<TenantQuery>) -> Answer<Health> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let f = desk.store.read(Figures).await?;
    let letters = desk.store.read(letters::Counts(tenant)).await?;
    let (_, failed) = desk.store.read(failed::Groups(tenant)).await?;
    let channels = desk.store.read(Channels(tenant)).await?;
    let breakers = desk.store.read(List(tenant)).await?;
    let alerts = desk.store.read(OpenAlerts(tenant)).await?;
    let sends = desk.store.read(Sends(tenant)).await?;
    let open = |status: &str| f.open_sends.iter().find(|(s, _)| s == status).map_or(0, |(_, n)| *n);
    let check = |name: &str, value: f64, threshold: f64, detail: String| Check {
        name: name.to_owned(),
        ok: value <= threshold,
        value,
        threshold,
        detail,
    };
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (pending, backlog) = (letters.pending.value as f64, desk.store.backlog() as f64);
    let mut checks = vec![
        check("database", backlog, 2000.0, format!("{backlog} writes wait")),
        check(
            "queue_lag",
            f.lag_seconds,
            30.0,
            format!("the oldest waiting message has been due for {:.1} s", f.lag_seconds),
        ),
        check(
            "processing_p95",
            // Below so many answers a percentile says nothing.
            if f.done_24h < 20 { 0.0 } else { f.p95_processing_ms },
            2000.0,
            format!("95 of 100 are answered within {:.0} ms", f.p95_processing_ms),
        ),
        check("dead_letters", pending, 10.0, format!("{pending} dead letters wait")),
    ];
    checks.extend(channels.iter().map(|c| {
        let ok = c.state == ChannelState::Ready;
        let detail = c.reason.clone().filter(|_| !ok).unwrap_or_else(|| "sends".into());
        check(&format!("channel {} {}", c.kind, c.number), f64::from(u8::from(!ok)), 0.0, detail)
    }));
    checks.extend(breakers.iter().filter(|b| b.state != BreakerState::Closed).map(|b| {
        let detail = b.reason.clone().unwrap_or_else(|| "open".into());
        check(&format!("breaker {}", b.name), 1.0, 0.0, detail)
    }));
    Ok(Json(Health {
        ok: checks.iter().all(|c| c.ok) && alerts.is_empty(),
        checked_at: desk.store.clock().now().into(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        waiting_writes: i64::try_from(desk.store.backlog()).unwrap_or(i64::MAX),
        queue: QueueHealth {
            queued: f.queued,
            running: f.running,
            oldest_wait_seconds: f.lag_seconds,
            done_24h: f.done_24h,
            failed_24h: f.failed_24h,
            mean_processing_ms: f.mean_processing_ms,
            p95_processing_ms: f.p95_processing_ms,
            success_rate: f.success_rate,
        },
        sends: SendHealth {
            pending: open("pending"),
            sending: open("sending"),
            unknown: open("unknown"),
            failed,
            hour: sends.count,
            hour_failed_percent: percent(sends.failed, sends.count),
            hour_p95_ms: sends.p95_ms,
        },
        dead_letters: letters.pending,
        channels,
        alerts,
        breakers,
        checks,
    }))
}
