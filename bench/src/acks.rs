//! Durable acknowledgements per second, as a ratio to the bare server: rounds alternate, so that both see the same machine.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{self, Process, Setup};
use crate::load::{Plan, run};
use crate::report::{Report, Target, median};
use crate::webhooks::{Mix, Writer};
use crate::{Bench, Database, world};

/// Contacts who write when not every one is new.
const CONTACTS: u32 = 2_000;
/// More than any machine acknowledges in a second: what is written and not sent costs memory only.
const MOST_PER_SECOND: usize = 40_000;
/// Enough that no cache holds them all.
const BARE_SHOTS: usize = 20_000;

/// One kind of load.
struct Case {
    name: String,
    database: Database,
    mix: Mix,
    worker: bool,
    target: Target,
}

/// Measures all kinds.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let mut cases = Vec::new();
    for database in bench.databases() {
        let (word, least) = match database {
            Database::Sqlite => ("", 0.22),
            Database::Postgres => (", PostgreSQL", 0.15),
        };
        for (name, mix, worker, target) in [
            ("acks / bare", Mix::Contacts(CONTACTS), false, Target::Least(least)),
            ("acks / bare, all contacts new", Mix::New, false, Target::None),
            ("acks / bare, while answering", Mix::Conversations(CONTACTS), true, Target::None),
        ] {
            cases.push(Case { name: format!("{name}{word}"), database, mix, worker, target });
        }
    }
    for (n, case) in cases.iter().enumerate() {
        one(bench, report, case, n).await?;
    }
    Ok(())
}

async fn one(bench: &Bench, report: &mut Report, case: &Case, n: usize) -> anyhow::Result<()> {
    let simulator = if case.worker { Some(world::start(false).await?) } else { None };
    let (url, _database) = bench.fresh(case.database)?;
    let setup = Setup {
        barid: &bench.barid,
        dir: bench.dir.path().join(format!("acks-{n}")),
        provider: simulator.as_ref().map(simulator::Simulator::base_url),
        worker: case.worker,
        url,
    };
    let (bare, barid) = (engine::bare()?, engine::start(&setup).await?);
    let bare_shots = Arc::new(Writer::new(bare.port, Mix::Contacts(CONTACTS)).write(BARE_SHOTS));
    let mut writer = Writer::new(barid.port, case.mix);
    let (mut ratios, mut baselines, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms both and does not count.
    for round in 0..=bench.rounds {
        let plan = |server: &Process, again| Plan {
            port: server.port,
            connections: bench.connections,
            limit: Some(Duration::from_secs(u64::from(bench.seconds))),
            again,
            rate: None,
        };
        let shots = Arc::new(writer.write(MOST_PER_SECOND * bench.seconds as usize));
        let (base, ours) = if round % 2 == 0 {
            let base = run(&bare_shots, plan(&bare, true)).await?;
            (base, run(&shots, plan(&barid, false)).await?)
        } else {
            let ours = run(&shots, plan(&barid, false)).await?;
            rest(case, &barid).await?;
            (run(&bare_shots, plan(&bare, true)).await?, ours)
        };
        rest(case, &barid).await?;
        if round > 0 {
            baselines.push(base.per_second());
            rates.push(ours.per_second());
            ratios.push(ours.per_second() / base.per_second());
        }
    }
    let rounds: Vec<String> = ratios.iter().map(|r| format!("{r:.3}")).collect();
    let note = format!("median of {}; {} connections", rounds.join(", "), bench.connections);
    report.add(&case.name, median(&ratios), "", case.target, note);
    report.add("  durable acknowledgements", median(&rates), "/s", Target::None, format!("{:?}", case.mix));
    report.add(
        "  bare server",
        median(&baselines),
        "/s",
        Target::None,
        "verifies, parses, answers; stores nothing".to_owned(),
    );
    Ok(())
}

/// The bare server's round must not pay for answers that the engine still owes.
async fn rest(case: &Case, barid: &Process) -> anyhow::Result<()> {
    if case.worker {
        engine::settled(barid.port, Duration::from_secs(120)).await?;
    }
    Ok(())
}
