//! From the moment a webhook is written to the moment the provider has the answer, while messages come at a steady rate. Both moments are
//! read from one clock: load and simulated Meta are one process.

use std::sync::Arc;

use crate::e2e::{Pair, answered, places};
use crate::load::{self, Plan};
use crate::report::{Report, Target, percentile};
use crate::webhooks::{Mix, Writer};
use crate::{Bench, Database, engine};

/// How many times `--seconds` the load lasts (20 s by default is 3 s rounds, rounded up).
const SECONDS: usize = 7;
/// The first second warms up and does not count.
const WARM_SECONDS: usize = 1;
/// Contacts who are in conversation at the same time.
const CONTACTS: u32 = 500;

/// Median and 99th percentile.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let pair = Pair::start(bench, bench.dir.path().join("latency"), false, Database::Sqlite).await?;
    let rate = bench.rate as usize;
    let seconds = SECONDS * bench.seconds as usize + WARM_SECONDS;
    let shots = Arc::new(Writer::new(pair.barid.port, Mix::Conversations(CONTACTS)).write(rate * seconds));
    let plan = Plan {
        port: pair.barid.port,
        connections: bench.connections,
        limit: None,
        again: false,
        rate: Some(bench.rate),
    };
    let sent = load::run(&shots, plan).await?;
    engine::settled(pair.barid.port, std::time::Duration::from_secs(60)).await?;
    let (places, ledger) = (places(&shots), pair.simulator.ledger());
    let mut times: Vec<f64> = ledger
        .iter()
        .filter_map(|send| {
            let place = *places.get(answered(send)?)?;
            let written = sent.written.get(place).copied().flatten()?;
            (place >= rate * WARM_SECONDS).then(|| send.at.since(written).as_secs_f64() * 1000.0)
        })
        .collect();
    anyhow::ensure!(times.len() == rate * (seconds - WARM_SECONDS), "{} answers were measured", times.len());
    times.sort_by(f64::total_cmp);
    let note = format!(
        "{} messages at {} /s; longest {:.1} ms; the generator was at most {:.1} ms late",
        times.len(),
        bench.rate,
        percentile(&times, 1.0),
        sent.latest.as_secs_f64() * 1000.0
    );
    report.add("webhook to provider, p50", percentile(&times, 0.5), "ms", Target::Most(1.5), note.clone());
    report.add("webhook to provider, p99", percentile(&times, 0.99), "ms", Target::Most(10.0), note);
    Ok(())
}
