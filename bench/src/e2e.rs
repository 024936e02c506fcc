//! From the first webhook to the last recorded send, as fast as answers come. Nothing lost, none twice, or there is no figure.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use simulator::{Accepted, Simulator};
use types::clock::Stopwatch;

use crate::engine::{self, Process, Setup};
use crate::load::{self, Plan};
use crate::report::{Report, Target, median};
use crate::webhooks::{Mix, Shot, Writer, check};
use crate::{Bench, Database, world};

/// Contacts who are in conversation at the same time.
const CONTACTS: u32 = 2_000;
/// Messages of a load that lasts about a second.
const PER_SECOND: usize = 12_000;
/// The rest after the last acknowledgement.
const PATIENCE: Duration = Duration::from_secs(120);

/// An engine with its provider.
pub(crate) struct Pair {
    pub simulator: Simulator,
    pub barid: Process,
    _database: Option<testkit::postgres::Database>,
}

impl Pair {
    pub async fn start(bench: &Bench, dir: PathBuf, statuses: bool, database: Database) -> anyhow::Result<Self> {
        let simulator = world::start(statuses).await?;
        let (url, database) = bench.fresh(database)?;
        let setup = Setup { barid: &bench.barid, dir, provider: Some(simulator.base_url()), worker: true, url };
        let barid = engine::start(&setup).await?;
        if statuses {
            world::report_to(&simulator, barid.port)?;
        }
        Ok(Self { simulator, barid, _database: database })
    }

    /// Sends all, waits until every answer is recorded as sent; messages per second and CPU seconds of the engine per message.
    pub async fn drive(&self, shots: &Arc<Vec<Shot>>, connections: usize) -> anyhow::Result<(f64, f64)> {
        let before = self.simulator.accepted_count();
        let (cpu, since) = (self.barid.cpu()?, Stopwatch::start());
        let plan = Plan { port: self.barid.port, connections, limit: None, again: false, rate: None };
        let sent = load::run(shots, plan).await?;
        self.simulator.wait_accepted(before + sent.acknowledged, PATIENCE).await;
        engine::settled(self.barid.port, PATIENCE).await?;
        let took = since.elapsed().as_secs_f64();
        let cpu = self.barid.cpu()? - cpu;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let n = sent.acknowledged as f64;
        let accepted = self.simulator.accepted_count() - before;
        anyhow::ensure!(accepted == sent.acknowledged, "{} acknowledged, {accepted} answered", sent.acknowledged);
        Ok((n / took, cpu / n))
    }
}

/// The message that a send answers, from its key: `{conversation}:{message}:{question}` (S4.1).
pub(crate) fn answered(send: &Accepted) -> Option<&str> {
    send.dedupe_key.as_deref()?.split(':').nth(1)
}

/// The place of each message by its id.
pub(crate) fn places(shots: &[Shot]) -> HashMap<&str, usize> {
    shots.iter().enumerate().map(|(n, s)| (&*s.id, n)).collect()
}

/// Without statuses, as promised; with them, as it is in life.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let mut medians = Vec::new();
    for database in bench.databases() {
        let (word, least, per_second) = match database {
            Database::Sqlite => ("", 12_000.0, PER_SECOND),
            Database::Postgres => (", PostgreSQL", 3_000.0, PER_SECOND / 3),
        };
        for (statuses, name, target) in [
            (false, "webhook to recorded send", Target::Least(least)),
            (true, "  with three statuses each", Target::None),
        ] {
            let median =
                one(bench, report, (database, per_second), statuses, (&format!("{name}{word}"), target)).await?;
            if !statuses {
                medians.push(median);
            }
        }
    }
    if let [sqlite, postgres] = medians.as_slice() {
        report.add(
            "PostgreSQL / SQLite, to recorded send",
            postgres / sqlite,
            "",
            Target::None,
            "of the medians".to_owned(),
        );
    }
    Ok(())
}

async fn one(
    bench: &Bench,
    report: &mut Report,
    (database, per_second): (Database, usize),
    statuses: bool,
    (name, target): (&str, Target),
) -> anyhow::Result<f64> {
    let dir = bench.dir.path().join(format!("e2e-{database:?}-{statuses}"));
    let pair = Pair::start(bench, dir, statuses, database).await?;
    let mut writer = Writer::new(pair.barid.port, Mix::Conversations(CONTACTS));
    let (mut rates, mut costs, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=bench.rounds {
        let shots = Arc::new(writer.write(per_second * bench.seconds as usize));
        let (rate, cpu) = pair.drive(&shots, bench.connections).await?;
        if statuses {
            pair.simulator.wait_statuses(PATIENCE).await;
        }
        if round > 0 {
            rates.push(rate);
            costs.push(cpu * 1e6);
        }
        sent.push(shots);
    }
    let ledger = pair.simulator.ledger();
    check(sent.iter().flat_map(|s| s.iter().map(|s| &*s.id)), ledger.iter().filter_map(|a| answered(a)))?;
    let rounds: Vec<String> = rates.iter().map(|r| format!("{r:.0}")).collect();
    let note = format!(
        "median of {}; {} messages, none lost, none twice; {:.0} µs CPU of the engine each",
        rounds.join(", "),
        ledger.len(),
        median(&costs)
    );
    report.add(name, median(&rates), "messages/s", target, note);
    pair.simulator.stop().await;
    Ok(median(&rates))
}
