//! Three nodes on one PostgreSQL (S8.2): any takes webhooks, any works; they are killed and paused (SIGSTOP, longer than a lease) at random, and the
//! ledgers show the same as for one: none lost, none twice but what was under way, in order, no reply by two nodes.

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use types::{Clock as _, SystemClock};

use crate::arena::{Arena, Rules};
use crate::audit::settle_all;
use crate::customers::{Crowd, Customers};

const NODES: usize = 3;
/// Of all ends together; every twentieth is a pause.
const ENDS: usize = 200;
/// Longer than the lease of 4 s: another node has taken over what the sleeper held.
const SLEEP: Duration = Duration::from_millis(5500);

const CROWD: Crowd = Crowd { many: 48, pause: Duration::from_millis(60) };

fn signal(engine: &testkit::Binary, name: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill").args([name, &engine.id().to_string()]).status()?;
    ensure!(sent.success(), "{name} could not be sent");
    Ok(())
}

/// Kills and pauses at random, two hundred of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_killed_and_paused_at_random() -> anyhow::Result<()> {
    if std::env::var(testkit::postgres::VARIABLE).is_ok_and(|v| v == "off") {
        println!("left out: there is no PostgreSQL");
        return Ok(());
    }
    let rules = Rules { name: "nodes", green: false, statuses: true, on_unknown: "resend" };
    let mut arena = Arena::nodes(rules, NODES).await?;
    let mut engines = Vec::new();
    for n in 0..NODES {
        engines.push(arena.start_node(n).await?);
    }
    let customers = Customers::start(&arena, CROWD)?;
    let mut pauses = 0;
    for end in 0..ENDS {
        tokio::time::sleep(arena.between(20, 220)).await;
        let n = usize::try_from(arena.dice.throw() % (NODES as u64))?;
        // Statuses come to a node that lives.
        arena.report_to((n + 1) % NODES)?;
        if end % 20 == 19 {
            signal(&engines[n], "-STOP")?;
            arena.kills.push(SystemClock.now());
            tokio::time::sleep(SLEEP).await;
            // What it had under way when it was stopped may reach the provider when it wakes.
            arena.kills.push(SystemClock.now());
            signal(&engines[n], "-CONT")?;
            pauses += 1;
        } else {
            arena.kill(&mut engines[n])?;
            engines[n] = arena.start_node(n).await?;
        }
    }
    let ledger = customers.stop().await?;
    println!("crash nodes: {} kills and {pauses} pauses of {NODES} nodes", ENDS - pauses);
    settle_all(arena, engines, &ledger).await?;
    Ok(())
}
