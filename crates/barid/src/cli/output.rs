//! What commands write to stdout: tables for people, JSON for programs.

use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use jiff::tz::TimeZone;
use serde::Serialize;
use types::Timestamp;

use super::Failure;

/// Where and how a command writes.
pub(super) struct Output {
    /// For programs.
    pub(super) json: bool,
    now: Timestamp,
    zone: TimeZone,
    terminal: bool,
}

impl Output {
    /// `now` is the moment that "3 min ago" counts from.
    pub(super) fn new(json: bool, now: Timestamp) -> Self {
        Self { json, now, zone: TimeZone::system(), terminal: std::io::stdout().is_terminal() }
    }

    /// Bytes as they are.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::Closed),
            other => other.map_err(|e| Failure::Failed(anyhow::anyhow!("cannot write to stdout: {e}"))),
        }
    }

    /// A line.
    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        self.raw(format!("{text}\n").as_bytes())
    }

    /// A value as indented JSON, its moments as RFC 3339.
    pub(super) fn value(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&json(value)?).map_err(|e| Failure::Failed(e.into()))?;
        self.line(&text)
    }

    /// Rows under their titles; nothing but `none` when there are none.
    pub(super) fn table(&self, titles: &[&str], rows: Vec<Vec<String>>, none: &str) -> Result<(), Failure> {
        if rows.is_empty() {
            super::say(none);
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        // A pipe has no width to fit into, and a program that cuts columns wants each row on one line.
        let fit = if self.terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
        table.set_content_arrangement(fit).set_header(titles).add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text: Vec<_> = table.lines().map(|l| l.trim_end().to_owned()).collect();
        self.line(&text.join("\n"))
    }

    /// Names and values, one pair a line; pairs without a value are left out.
    pub(super) fn pairs(&self, pairs: &[(&str, Option<String>)]) -> Result<(), Failure> {
        let width = pairs.iter().filter(|p| p.1.is_some()).map(|p| p.0.len()).max().unwrap_or(0);
        let given = pairs.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let lines: Vec<_> = given.map(|(name, value)| format!("{name:width$}  {value}")).collect();
        self.line(&lines.join("\n"))
    }

    /// A moment as people say it: `3 min ago`, `in 2 h`; more than a day away, the local date and time.
    pub(super) fn when(&self, at: Timestamp) -> String {
        let (past, away) = if at > self.now { (false, at.since(self.now)) } else { (true, self.now.since(at)) };
        let (number, unit) = match away.as_secs() {
            s @ 0..60 => (s, "s"),
            s @ 60..3600 => (s / 60, "min"),
            s @ 3600..86_400 => (s / 3600, "h"),
            _ => return self.local(at),
        };
        match (past, number) {
            // The database's moment may be a little after the one at which this command began.
            (_, 0) => "just now".to_owned(),
            (true, n) => format!("{n} {unit} ago"),
            (false, n) => format!("in {n} {unit}"),
        }
    }

    /// A moment by the local clock.
    pub(super) fn local(&self, at: Timestamp) -> String {
        jiff::Timestamp::from_microsecond(at.micros())
            .map_or_else(|_| at.to_string(), |t| t.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string())
    }
}

/// A value with its moments as RFC 3339: rows hold microseconds, which no other program reads as a time.
pub(super) fn json(value: &impl Serialize) -> Result<serde_json::Value, Failure> {
    let mut value = serde_json::to_value(value).map_err(|e| Failure::Failed(e.into()))?;
    moments(&mut value);
    Ok(value)
}

fn moments(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Array(all) => all.iter_mut().for_each(moments),
        serde_json::Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let moment = name.ends_with("_at") || name == "since";
                match field.as_i64().filter(|_| moment) {
                    Some(micros) => *field = Timestamp::from_micros(micros).to_string().into(),
                    None => moments(field),
                }
            }
        }
        _ => {}
    }
}

/// One line of a text, for a column.
pub(super) fn brief(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = types::text::preview(&line, 60);
    if cut.len() < line.len() { format!("{cut}…") } else { line }
}

/// `1 warning`, `2 warnings`.
pub(super) fn count(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

/// A column's text, or a dash.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|t| !t.is_empty()).map_or_else(|| "–".to_owned(), brief)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_people_say_them() {
        let out = Output { json: false, now: Timestamp::from_seconds(1_000_000), zone: TimeZone::UTC, terminal: false };
        for (seconds, words) in [
            (1_000_000, "just now"),
            (999_995, "5 s ago"),
            (999_700, "5 min ago"),
            (990_000, "2 h ago"),
            (1_000_090, "in 1 min"),
            (1_000_059, "in 59 s"),
            (100_000, "1970-01-02 03:46"),
        ] {
            assert_eq!(out.when(Timestamp::from_seconds(seconds)), words);
        }
        assert_eq!(out.when(Timestamp::from_micros(1_000_000_400_000)), "just now", "not in 0 s");
    }

    #[test]
    fn json_shows_moments_and_leaves_other_numbers() {
        let value = json(&serde_json::json!({"at": 1, "rows": [{"created_at": 0, "code_at": null}]})).unwrap();
        let want =
            serde_json::json!({"at": 1, "rows": [{"created_at": "1970-01-01T00:00:00.000000Z", "code_at": null}]});
        assert_eq!(value, want);
    }

    #[test]
    fn a_column_holds_one_short_line() {
        assert_eq!(brief("a\n b"), "a b");
        assert_eq!(brief(&"ب".repeat(61)), format!("{}…", "ب".repeat(60)));
    }
}
