//! Killed at random moments, and at every step between a webhook and the record of its answer's fate.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use barid_app::killpoints::STEPS;
use types::{Clock as _, SystemClock};

use crate::arena::{Arena, Rules};
use crate::audit::settle;
use crate::customers::{Crowd, Customers};

/// Kills of each test at random moments.
const WITH_STATUSES: usize = 70;
const WITHOUT_STATUSES: usize = 50;
const WITH_HOLD: usize = 30;
const OVER_GREEN: usize = 30;
/// At which time of reaching a step the engine ends there.
const NTH: [u32; 4] = [1, 2, 7, 40];
/// The issue asks for 200; each step's kill is followed by one at a random moment.
const _: () = assert!(WITH_STATUSES + WITHOUT_STATUSES + WITH_HOLD + OVER_GREEN + 2 * NTH.len() * STEPS.len() >= 200);

/// SIGABRT, by which an engine ends itself at a step.
const ABORTED: i32 = 6;
/// A step that is not reached by then under this load is never reached.
const REACHED: Duration = Duration::from_secs(20);

const CROWD: Crowd = Crowd { many: 48, pause: Duration::from_millis(60) };

async fn random_kills(rules: Rules, kills: usize) -> anyhow::Result<()> {
    let mut arena = Arena::new(rules).await?;
    let mut engine = arena.start().await?;
    let customers = Customers::start(&arena, CROWD)?;
    for n in 0..kills {
        tokio::time::sleep(arena.between(20, 220)).await;
        arena.kill(&mut engine)?;
        // Every fourth engine is killed wherever its start has come to.
        engine = if n % 4 == 3 { arena.launch(None)? } else { arena.start().await? };
        if n % 4 == 3 {
            tokio::time::sleep(arena.between(0, 60)).await;
            arena.kill(&mut engine)?;
            engine = arena.start().await?;
        }
    }
    let ledger = customers.stop().await?;
    ensure!(arena.kills.len() >= kills, "only {} kills", arena.kills.len());
    settle(arena, engine, &ledger).await?;
    Ok(())
}

/// With receipts, nearly every send that a kill cut off turns out to have arrived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_with_statuses() -> anyhow::Result<()> {
    random_kills(Rules { name: "statuses", green: false, statuses: true, on_unknown: "resend" }, WITH_STATUSES).await
}

/// Without receipts the policy decides: once more, and marked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_without_statuses() -> anyhow::Result<()> {
    random_kills(Rules { name: "silent", green: false, statuses: false, on_unknown: "resend" }, WITHOUT_STATUSES).await
}

/// Without receipts, and held for a person: nothing is ever sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_holding_what_nobody_knows() -> anyhow::Result<()> {
    random_kills(Rules { name: "hold", green: false, statuses: false, on_unknown: "hold" }, WITH_HOLD).await
}

/// Green API: no key in its answers, but a journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_random_over_green_api() -> anyhow::Result<()> {
    random_kills(Rules { name: "green", green: true, statuses: true, on_unknown: "resend" }, OVER_GREEN).await
}

/// RELIABILITY.md 2, rows 1 to 8: killed at each step, at its first, second and some later time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_step() -> anyhow::Result<()> {
    let rules = Rules { name: "steps", green: false, statuses: true, on_unknown: "resend" };
    let mut arena = Arena::new(rules).await?;
    let mut engine = arena.start().await?;
    let customers = Customers::start(&arena, CROWD)?;
    customers.ledger.wait_acknowledged(50).await?;
    arena.kill(&mut engine)?;
    let mut reached = 0;
    for nth in NTH {
        for step in STEPS {
            let order = format!("{step}:{nth}");
            let mut doomed = arena.launch(Some(&order))?;
            let status = doomed.wait(REACHED).await.with_context(|| format!("{order} was never reached"))?;
            arena.kills.push(SystemClock.now());
            ensure!(status.signal() == Some(ABORTED), "{order}: it ended with {status}\n{}", doomed.stderr());
            reached += 1;
            // A life between two deaths: what the first left behind comes to its end, or is cut off once more.
            engine = arena.start().await?;
            tokio::time::sleep(arena.between(50, 200)).await;
            arena.kill(&mut engine)?;
        }
    }
    println!("crash steps: {reached} of {} steps and times reached", STEPS.len() * NTH.len());
    engine = arena.start().await?;
    let ledger = customers.stop().await?;
    settle(arena, engine, &ledger).await?;
    Ok(())
}
