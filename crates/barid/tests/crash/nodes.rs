//! Three nodes on one PostgreSQL (S8.2): any takes webhooks, any works; they are killed and paused (SIGSTOP, longer than a lease) at random, and the
//! ledgers show the same as for one: none lost, none twice but what was under way, in order, no reply by two nodes.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use barid_app::killpoints::STEPS;
use types::{Clock as _, SystemClock};

use crate::arena::{Arena, Rules};
use crate::audit::settle_all;
use crate::customers::{Crowd, Customers};

const NODES: usize = 3;
/// Of all ends together; every twentieth is a pause.
const ENDS: usize = 200;
/// SIGABRT, by which an engine ends itself at a step.
const ABORTED: i32 = 6;
/// A step that is not reached by then under this load is never reached.
const REACHED: Duration = Duration::from_secs(30);
/// Longer than the lease of 4 s: another node has taken over what the sleeper held.
const SLEEP: Duration = Duration::from_millis(5500);

const CROWD: Crowd = Crowd { many: 48, pause: Duration::from_millis(60) };

fn signal(engine: &testkit::Binary, name: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill").args([name, &engine.id().to_string()]).status()?;
    ensure!(sent.success(), "{name} could not be sent");
    Ok(())
}

/// Whether this run has a PostgreSQL at all.
pub(crate) fn left_out() -> bool {
    let off = std::env::var(testkit::postgres::VARIABLE).is_ok_and(|v| v == "off");
    if off {
        println!("left out: there is no PostgreSQL");
    }
    off
}

/// RELIABILITY.md 2, rows 1 to 8: one node of three ends at each step, and the others go on with what it held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_at_every_step_is_inherited() -> anyhow::Result<()> {
    if left_out() {
        return Ok(());
    }
    let rules = Rules { name: "node-steps", green: false, statuses: true, on_unknown: "resend" };
    let mut arena = Arena::nodes(rules, NODES).await?;
    let mut engines = Vec::new();
    for n in 0..NODES {
        engines.push(arena.start_node(n).await?);
    }
    arena.report_to(1)?;
    let customers = Customers::start(&arena, CROWD)?;
    customers.ledger.wait_acknowledged(50).await?;
    arena.kill(&mut engines[0])?;
    for nth in [1, 5] {
        for step in STEPS {
            let order = format!("{step}:{nth}");
            let mut doomed = arena.launch(Some(&order))?;
            let status = doomed.wait(REACHED).await.with_context(|| format!("{order} was never reached"))?;
            arena.kills.push(SystemClock.now());
            ensure!(status.signal() == Some(ABORTED), "{order}: it ended with {status}\n{}", doomed.stderr());
        }
    }
    engines[0] = arena.start_node(0).await?;
    let ledger = customers.stop().await?;
    settle_all(arena, engines, &ledger).await?;
    Ok(())
}

/// Kills and pauses at random, two hundred of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_killed_and_paused_at_random() -> anyhow::Result<()> {
    if left_out() {
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
