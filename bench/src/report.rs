//! The figures, beside what was promised.

use comfy_table::{Table, presets};

use crate::machine::Machine;

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At least this.
    Least(f64),
    /// At most this.
    Most(f64),
    /// Nothing was promised; it stands beside the others to explain them.
    None,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// How much it must be.
    pub target: Target,
    /// How it was taken, or the single rounds.
    pub note: String,
}

impl Figure {
    fn met(&self) -> Option<bool> {
        match self.target {
            Target::Least(least) => Some(self.value >= least),
            Target::Most(most) => Some(self.value <= most),
            Target::None => None,
        }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Where.
    pub machine: Machine,
    /// What.
    pub figures: Vec<Figure>,
}

/// As many digits as mean something.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.get(sorted.len() / 2), sorted.len() % 2) {
        (Some(upper), 0) => f64::midpoint(*upper, sorted[sorted.len() / 2 - 1]),
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

/// The value that `share` of all do not exceed; `sorted` ascending.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(at.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

impl Report {
    /// Adds a figure, and says it at once: a long run should show that it lives.
    pub fn add(&mut self, name: &str, value: f64, unit: &'static str, target: Target, note: String) {
        say(&format!("{name}: {} {unit}  {note}", number(value)));
        self.figures.push(Figure { name: name.to_owned(), value, unit, target, note });
    }

    /// No promise was missed.
    pub fn all_met(&self) -> bool {
        self.figures.iter().all(|f| f.met() != Some(false))
    }

    /// The table, or JSON.
    pub fn print(&self, json: bool) {
        if self.figures.is_empty() {
            return;
        }
        let m = &self.machine;
        if json {
            let figures: Vec<_> = self
                .figures
                .iter()
                .map(|f| {
                    let (least, most) = match f.target {
                        Target::Least(v) => (Some(v), None),
                        Target::Most(v) => (None, Some(v)),
                        Target::None => (None, None),
                    };
                    serde_json::json!({ "name": f.name, "value": f.value, "unit": f.unit, "at_least": least, "at_most": most,
                                        "met": f.met(), "note": f.note })
                })
                .collect();
            let machine = serde_json::json!({ "cores": m.cores, "cpu": m.cpu, "file_system": m.disk, "fdatasync_per_second": m.syncs });
            out(&serde_json::json!({ "machine": machine, "figures": figures }).to_string());
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["figure", "value", "target", "", "how"]);
        for f in &self.figures {
            let target = match f.target {
                Target::Least(v) => format!(">= {}", number(v)),
                Target::Most(v) => format!("<= {}", number(v)),
                Target::None => String::new(),
            };
            let word = f.met().map_or("", |met| if met { "PASS" } else { "MISS" });
            table.add_row([f.name.as_str(), &format!("{} {}", number(f.value), f.unit), &target, word, &f.note]);
        }
        out(&format!(
            "{} cores, {}, {}, {} fdatasync/s; load, simulated Meta and Barid on the same cores\n{table}",
            m.cores,
            m.cpu,
            m.disk,
            number(m.syncs)
        ));
    }
}

#[expect(clippy::print_stdout, reason = "the result is what this program is for")]
fn out(text: &str) {
    println!("{text}");
}

/// A line for the person who waits.
#[expect(clippy::print_stderr, reason = "progress, beside the result on stdout")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (share, want) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)] {
            assert!((percentile(&hundred, share) - want).abs() < 1e-9, "{share}");
        }
        assert!(median(&[]).is_nan() && percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_missed_target_is_seen() {
        let mut report = Report::default();
        for (value, target, met) in [
            (2.0, Target::Least(1.0), true),
            (2.0, Target::Most(1.0), false),
            (0.5, Target::Least(1.0), false),
            (0.5, Target::None, true),
        ] {
            report.figures = vec![Figure { name: String::new(), value, unit: "", target, note: String::new() }];
            assert_eq!(report.all_met(), met, "{value} {target:?}");
        }
    }
}
