//! Logs and metrics. Both are installed once, by the command that runs; libraries only speak to the facades.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Buckets of times, seconds: from a tenth of a millisecond to half a minute.
const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Buckets of the writer's groups.
const GROUPS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Sends logs to stderr in the configured form. `RUST_LOG` wins over `[log] level`.
pub fn logs(log: &Log) {
    let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new(&log.level));
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second installation (tests that start several engines) changes nothing.
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Pretty => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
    };
}

/// Installs the recorder of metrics, and gives what renders them.
///
/// # Errors
/// When another recorder is installed, or the buckets are refused.
pub fn metrics() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Full("store_group_size".to_owned()), GROUPS)?
        .install_recorder()?;
    metrics::gauge!("build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    // Alerts need series that exist before the first event.
    for by in ["none_yet", "status", "journal", "resend", "hold"] {
        metrics::counter!("send_ambiguous_total", "resolved_by" => by).absolute(0);
    }
    for name in ["message_duplicate_total", "leases_expired_total", "outbound_sanitized_total"] {
        metrics::counter!(name).absolute(0);
    }
    Ok(handle)
}
