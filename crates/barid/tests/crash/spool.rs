//! The database goes while customers write (S1.9). The node is killed with webhooks in its spool, starts again while the database is still away, is killed
//! once more, and finds the database back: every acknowledged message is answered once and in order.

use std::time::Duration;

use anyhow::{bail, ensure};
use simulator::client::HttpClient;
use testkit::postgres::{Cluster, Database};
use testkit::simulator;
use types::{Clock as _, SystemClock};

use crate::arena::{Arena, Rules};
use crate::audit::settle_all;
use crate::customers::{Crowd, Customers};
use crate::nodes::left_out;

/// Outages, every second of them a crash.
const OUTAGES: usize = 4;
/// Webhooks that are taken in each part of an outage.
const PART: usize = 60;

const CROWD: Crowd = Crowd { many: 24, pause: Duration::from_millis(60) };

/// Waits until nothing is left in the spool.
async fn empty(arena: &Arena) -> anyhow::Result<()> {
    let http = HttpClient::new(&arena.url("/readyz"))?;
    for _ in 0..3000 {
        if http.get(Duration::from_secs(5)).await?.body == "ok\n" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("the spool was not emptied")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_with_a_full_spool_keeps_its_word() -> anyhow::Result<()> {
    if left_out() {
        return Ok(());
    }
    let mut cluster = Cluster::start()?;
    let rules = Rules { name: "spool", green: false, statuses: true, on_unknown: "resend" };
    let mut arena = Arena::on(rules, Database::on(&cluster.url())?).await?;
    let mut engine = arena.start().await?;
    let customers = Customers::start(&arena, CROWD)?;
    let more = async |what: &str| {
        let now = customers.ledger.acknowledged().len();
        customers.ledger.wait_acknowledged(now + PART).await.map_err(|e| e.context(what.to_owned()))
    };
    more("at first").await?;
    for outage in 0..OUTAGES {
        if outage % 2 == 0 {
            cluster.stop()?;
        } else {
            cluster.kill()?;
        }
        // What was under way just then was cut off as by a kill.
        arena.kills.push(SystemClock.now());
        more("while the database is away").await?;
        arena.kill(&mut engine)?;
        engine = arena.start().await?;
        more("started while the database is away").await?;
        if outage >= OUTAGES / 2 {
            arena.kill(&mut engine)?;
            cluster.restart()?;
            engine = arena.start().await?;
        } else {
            cluster.restart()?;
        }
        arena.kills.push(SystemClock.now());
        more("the database is back").await?;
    }
    let ledger = customers.stop().await?;
    empty(&arena).await?;
    let left = arena.folder().join("barid-spool.db");
    ensure!(left.exists(), "nothing ever went to the spool");
    settle_all(arena, vec![engine], &ledger).await?;
    Ok(())
}
