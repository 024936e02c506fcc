//! Charts: figures over time, in a time zone that is said aloud, and the same rows as a table.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde::{Deserialize, Serialize};
use store::desk::charts::{Hour, Hours};
use types::{Moment, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::csv::Table;
use super::failure::{Answer, Failure};
use super::input::Asked;
use super::{Desk, Shared};

/// The width of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// An hour.
    Hour,
    /// A day of the time zone.
    Day,
    /// A week from Monday.
    Week,
    /// A month.
    Month,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesQuery {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// From; 7 days ago where it is left out.
    #[param(inline)]
    from: Option<Moment>,
    /// To, that moment not included; now where it is left out.
    #[param(inline)]
    to: Option<Moment>,
    /// The width of a point; a day where it is left out.
    #[param(inline)]
    group: Option<Group>,
    /// IANA name of the time zone; the tenant's where it is left out.
    #[param(max_length = 60)]
    time_zone: Option<String>,
}

/// The figures of one hour, day, week or month.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Point {
    /// Where it begins, in UTC.
    at: Moment,
    /// The same in the time zone, as people write it.
    label: String,
    /// Messages of people.
    messages_in: i64,
    /// Messages of ours.
    messages_out: i64,
    /// Of those, written by people of the team.
    human_messages: i64,
    /// Of ours, those that reached the phone.
    delivered: i64,
    /// Of ours, those that were opened.
    read: i64,
    /// Of ours, those that were not sent.
    failed: i64,
    /// Conversations that began.
    conversations: i64,
    /// Messages that were answered.
    answered: i64,
    /// The mean time from a message to its answer, seconds; null where none was answered.
    answer_seconds: Option<f64>,
    /// Conversations that somebody resolved.
    resolved: i64,
    /// The mean time from a conversation's beginning to that, seconds; null where none was.
    resolve_seconds: Option<f64>,
    /// What models cost, in the currency of the configured prices.
    cost: f64,
}

/// Figures over time.
#[derive(Serialize, ToSchema)]
pub(crate) struct Series {
    /// The time zone of `label` and of the points' bounds.
    time_zone: String,
    /// The width of a point.
    group: Group,
    /// From.
    from: Moment,
    /// To, that moment not included.
    to: Moment,
    /// Every point of the span, those without anything too.
    points: Vec<Point>,
    /// All of them together.
    total: Point,
}

/// A chart has at most so many points.
const MOST: usize = 2000;
/// And reaches back at most so far.
const LONGEST: i64 = 400 * 86_400;

async fn make(desk: &Desk, caller: &Caller, query: SeriesQuery) -> Result<Series, Failure> {
    let tenants = caller.tenants(desk).await?;
    let tenant = caller.tenant(desk, query.tenant.as_deref()).await?;
    let slug = tenants.iter().find(|t| t.id == tenant).map(|t| t.slug.as_str()).unwrap_or_default();
    let options = desk.options();
    let configured = options.time_zones.get(slug).map_or("UTC", String::as_str);
    let name = query.time_zone.as_deref().unwrap_or(configured);
    let zone = TimeZone::get(name).map_err(|_| Failure::bad(format!("time_zone {name:?} is not known")))?;
    let now = desk.store.clock().now();
    let to = query.to.map_or(now, |m| m.0);
    let from = query.from.map_or_else(|| Timestamp::from_seconds(to.seconds().saturating_sub(7 * 86_400)), |m| m.0);
    let span = to.seconds().checked_sub(from.seconds()).unwrap_or(i64::MAX);
    if !(1..=LONGEST).contains(&span) {
        return Err(Failure::bad("from must be before to, by 400 days at most"));
    }
    let group = query.group.unwrap_or(Group::Day);
    let bounds = bounds(from, to, group, &zone)?;
    let hours = desk.store.read(Hours { tenant, from, to }).await?;
    let mut points: Vec<Sum> = bounds.iter().map(|_| Sum::default()).collect();
    let mut total = Sum::default();
    for hour in &hours {
        let at = bounds.partition_point(|(begin, _)| begin.micros() <= hour.at).saturating_sub(1);
        if let Some(point) = points.get_mut(at) {
            point.add(hour);
            total.add(hour);
        }
    }
    let points = points.into_iter().zip(&bounds).map(|(sum, (at, label))| sum.point(*at, label.clone())).collect();
    let total = total.point(from, "total".into());
    Ok(Series { time_zone: name.to_owned(), group, from: from.into(), to: to.into(), points, total })
}

#[derive(Clone, Copy, Default)]
struct Sum(Hour);

impl Sum {
    const fn add(&mut self, h: &Hour) {
        let s = &mut self.0;
        s.messages_in += h.messages_in;
        s.messages_out += h.messages_out;
        s.human += h.human;
        s.delivered += h.delivered;
        s.seen += h.seen;
        s.failed += h.failed;
        s.conversations += h.conversations;
        s.answered += h.answered;
        s.answer_ms += h.answer_ms;
        s.resolved += h.resolved;
        s.resolve_s += h.resolve_s;
        s.cost += h.cost;
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    fn point(self, at: Timestamp, label: String) -> Point {
        let s = self.0;
        Point {
            at: at.into(),
            label,
            messages_in: s.messages_in,
            messages_out: s.messages_out,
            human_messages: s.human,
            delivered: s.delivered,
            read: s.seen,
            failed: s.failed,
            conversations: s.conversations,
            answered: s.answered,
            answer_seconds: (s.answered > 0).then(|| s.answer_ms as f64 / s.answered as f64 / 1000.0),
            resolved: s.resolved,
            resolve_seconds: (s.resolved > 0).then(|| s.resolve_s as f64 / s.resolved as f64),
            cost: s.cost as f64 / 1_000_000.0,
        }
    }
}

/// Where each point begins, and its label.
fn bounds(from: Timestamp, to: Timestamp, group: Group, zone: &TimeZone) -> Result<Vec<(Timestamp, String)>, Failure> {
    let bad = |e: jiff::Error| Failure::bad(format!("from and to: {e}"));
    let zoned =
        |at: Timestamp| jiff::Timestamp::from_microsecond(at.micros()).map(|t| t.to_zoned(zone.clone())).map_err(bad);
    let (mut at, end) = (begin(&zoned(from)?, group).map_err(bad)?, zoned(to)?);
    let mut bounds = Vec::new();
    while at < end {
        if bounds.len() == MOST {
            return Err(Failure::bad(format!(
                "that would be more than {MOST} points: take a wider group or a shorter span"
            )));
        }
        let label = match group {
            Group::Hour => at.strftime("%Y-%m-%d %H:%M"),
            Group::Day | Group::Week => at.strftime("%Y-%m-%d"),
            Group::Month => at.strftime("%Y-%m"),
        };
        bounds.push((Timestamp::from_micros(at.timestamp().as_microsecond()), label.to_string()));
        let next = match group {
            Group::Hour => at.checked_add(1.hour()),
            Group::Day => at.checked_add(1.day()),
            Group::Week => at.checked_add(1.week()),
            Group::Month => at.checked_add(1.month()),
        };
        at = next.map_err(bad)?;
    }
    Ok(bounds)
}

fn begin(at: &Zoned, group: Group) -> Result<Zoned, jiff::Error> {
    let day = at.start_of_day()?;
    match group {
        Group::Hour => at.round(jiff::ZonedRound::new().smallest(jiff::Unit::Hour).mode(jiff::RoundMode::Trunc)),
        Group::Day => Ok(day),
        Group::Week => day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()),
        Group::Month => day.first_of_month(),
    }
}

/// Figures over time. Hours that are over for six hours are counted once and kept.
#[utoipa::path(get, path = "/analytics/series", tag = "analytics", params(SeriesQuery),
    responses((status = 200, body = Series)))]
pub(crate) async fn series(State(desk): Shared, caller: Caller, Asked(query): Asked<SeriesQuery>) -> Answer<Series> {
    make(&desk, &caller, query).await.map(Json)
}

/// Exactly the rows of the chart, as a table for other programs.
#[utoipa::path(get, path = "/analytics/series.csv", tag = "analytics", params(SeriesQuery),
    responses((status = 200, description = "CSV, UTF-8", body = String, content_type = "text/csv")))]
pub(crate) async fn series_csv(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<SeriesQuery>,
) -> Result<Response, Failure> {
    let series = make(&desk, &caller, query).await?;
    let at = format!("at ({})", series.time_zone);
    let mut table = Table::new(&[
        &at,
        "messages_in",
        "messages_out",
        "human_messages",
        "delivered",
        "read",
        "failed",
        "conversations",
        "answered",
        "answer_seconds",
        "resolved",
        "resolve_seconds",
        "cost",
    ]);
    for p in &series.points {
        let mut row = vec![p.label.clone()];
        row.extend(
            [
                p.messages_in,
                p.messages_out,
                p.human_messages,
                p.delivered,
                p.read,
                p.failed,
                p.conversations,
                p.answered,
            ]
            .map(|n| n.to_string()),
        );
        let mean = |s: Option<f64>| s.map_or_else(String::new, |s| format!("{s:.3}"));
        row.extend([mean(p.answer_seconds), p.resolved.to_string(), mean(p.resolve_seconds), format!("{:.6}", p.cost)]);
        table.row(&row);
    }
    Ok(table.response("series.csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn days_are_those_of_the_time_zone() {
        let zone = TimeZone::get("Asia/Dubai").unwrap();
        let found = bounds(at("2026-11-19T21:30:00Z"), at("2026-11-21T12:00:00Z"), Group::Day, &zone).unwrap();
        let labels: Vec<_> = found.iter().map(|(_, l)| l.as_str()).collect();
        assert_eq!(labels, ["2026-11-20", "2026-11-21"]);
        assert_eq!(found[0].0, at("2026-11-19T20:00:00Z"));
    }

    #[test]
    fn a_day_of_25_hours_is_one_day() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let found = bounds(at("2026-10-24T22:00:00Z"), at("2026-10-26T23:00:00Z"), Group::Day, &zone).unwrap();
        let hours: Vec<_> = found.windows(2).map(|w| w[1].0.since(w[0].0).as_secs() / 3600).collect();
        assert_eq!(hours, [25]);
        assert!(bounds(at("2020-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), Group::Hour, &zone).is_err());
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let zone = TimeZone::UTC;
        let week = bounds(at("2026-11-21T09:00:00Z"), at("2026-11-21T10:00:00Z"), Group::Week, &zone).unwrap();
        assert_eq!(week[0].1, "2026-11-16");
        let month = bounds(at("2026-11-21T09:00:00Z"), at("2026-12-02T00:00:00Z"), Group::Month, &zone).unwrap();
        assert_eq!(month.iter().map(|m| m.1.as_str()).collect::<Vec<_>>(), ["2026-11", "2026-12"]);
    }
}
