//! Figures read from the database when somebody looks, and the metrics as JSON.

use axum::response::Response;
use types::problem::Problem;

use crate::problem::respond;
use store::views::Figures;
use store::{Store, StoreError};

/// Brings the gauges that live in the database up to date.
pub(crate) async fn refresh(store: &Store) {
    let Ok(f) = store.read(Figures).await else {
        metrics::gauge!("db_up").set(0.0);
        return;
    };
    metrics::gauge!("db_up").set(1.0);
    #[expect(clippy::cast_precision_loss, reason = "counts of open work are small")]
    let set = |name: &'static str, state: &str, value: i64| {
        metrics::gauge!(name, "state" => state.to_owned()).set(value as f64)
    };
    set("jobs", "queued", f.queued);
    set("jobs", "running", f.running);
    metrics::gauge!("job_lag_seconds").set(f.lag_seconds);
    for status in ["pending", "sending", "unknown"] {
        let open = f.open_sends.iter().find(|(s, _)| s == status).map_or(0, |(_, n)| *n);
        set("sends_open", status, open);
    }
    set("dead_letters", "pending", f.pending_dead_letters);
}

/// 503 for a database that does not answer.
pub(crate) fn unavailable(error: &StoreError) -> Response {
    let title = "The database does not answer";
    respond(&Problem::new("store-unavailable", 503, title, error.to_string()))
}

/// Prometheus text as JSON (S6.4, Appendix B): `ai_intent_detected_total{intent="X"} 3` becomes `"ai.intent.detected{intent:X}": 3`.
pub(crate) fn as_json(text: &str) -> serde_json::Value {
    let mut all = serde_json::Map::new();
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        let (name, labels) = series.split_once('{').map_or((series, ""), |(n, l)| (n, l.trim_end_matches('}')));
        let name = name.trim_end_matches("_total").replace('_', ".");
        let labels = labels.replace("=\"", ":").replace("\",", ",").replace('"', "");
        let key = if labels.is_empty() { name } else { format!("{name}{{{labels}}}") };
        all.insert(key, serde_json::Number::from_f64(value).map_or(serde_json::Value::Null, serde_json::Value::Number));
    }
    serde_json::Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_read_as_json_with_dots_and_braces() {
        let text = "# TYPE x counter\nai_intent_detected_total{intent=\"ORDER_REQUEST\",lang=\"ar\"} 3\ndb_up 1\n";
        let json = as_json(text);
        assert_eq!(json["ai.intent.detected{intent:ORDER_REQUEST,lang:ar}"], 3.0);
        assert_eq!(json["db.up"], 1.0);
    }
}
