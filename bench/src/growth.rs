//! What a message costs when few are stored and when many are: the store must not grow slower as it fills.

use std::sync::Arc;

use crate::e2e::Pair;
use crate::report::{Report, Target, median, say};
use crate::webhooks::{Mix, Writer};
use crate::{Bench, Database};

/// Stored messages of the first half: each webhook stores two, question and answer.
const FEW: u64 = 10_000;
/// Contacts who are in conversation at the same time.
const CONTACTS: u32 = 2_000;
/// Messages of one measured load: so few that the first half stays a small database.
const LOAD: usize = 5_000;
/// Messages of one piece of the filling.
const PIECE: usize = 20_000;

/// Costs at both sizes, and their ratio.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let pair = Pair::start(bench, bench.dir.path().join("growth"), false, Database::Sqlite).await?;
    let mut writer = Writer::new(pair.barid.port, Mix::Conversations(CONTACTS));
    let mut stored = 0;
    fill(bench, &pair, &mut writer, &mut stored, FEW).await?;
    let few = costs(bench, &pair, &mut writer, &mut stored).await?;
    say(&format!("filling up to {} messages", bench.stored));
    fill(bench, &pair, &mut writer, &mut stored, bench.stored).await?;
    let many = costs(bench, &pair, &mut writer, &mut stored).await?;
    let words = |c: (f64, f64)| format!("{:.0} µs CPU, {:.0} messages/s", c.1 * 1e6, c.0);
    let note = format!("at {FEW}: {}; at {}: {}", words(few), bench.stored, words(many));
    report.add("CPU per message, full / empty", many.1 / few.1, "", Target::Most(1.3), note.clone());
    report.add("time per message, full / empty", few.0 / many.0, "", Target::Most(1.3), note);
    Ok(())
}

async fn fill(bench: &Bench, pair: &Pair, writer: &mut Writer, stored: &mut u64, goal: u64) -> anyhow::Result<()> {
    while *stored < goal {
        let missing = usize::try_from(goal - *stored).unwrap_or(PIECE).div_ceil(2);
        let shots = Arc::new(writer.write(missing.min(PIECE)));
        pair.drive(&shots, bench.connections).await?;
        *stored += 2 * shots.len() as u64;
    }
    Ok(())
}

/// Messages per second and CPU seconds per message: medians of the rounds.
async fn costs(bench: &Bench, pair: &Pair, writer: &mut Writer, stored: &mut u64) -> anyhow::Result<(f64, f64)> {
    let (mut rates, mut cpus) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let shots = Arc::new(writer.write(LOAD));
        let (rate, cpu) = pair.drive(&shots, bench.connections).await?;
        *stored += 2 * shots.len() as u64;
        rates.push(rate);
        cpus.push(cpu);
    }
    Ok((median(&rates), median(&cpus)))
}
