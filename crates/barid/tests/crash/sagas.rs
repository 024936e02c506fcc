//! S3.6: the engine ends at every step of a saga, forward and backward, and the next start goes on without repeating a finished step. What
//! each vendor did is counted at the vendors, out of the engine's reach.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use simulator::client::WebhookClient;
use simulator::lead::MetaSource;
use simulator::vendors::{TOKEN, Vendor, VendorFault, Vendors};
use simulator::{Backoff, Simulator, SimulatorOptions};
use testkit::smtp::Smtp;
use testkit::{Program, simulator};
use types::SystemClock;
use types::clock::Stopwatch;

use crate::arena::meta;

/// SIGABRT, by which an engine ends itself at a step.
const ABORTED: i32 = 6;
const PATIENCE: Duration = Duration::from_secs(40);

/// Which step of which saga the engine ends at.
struct Case {
    point: &'static str,
    nth: u32,
    refused: bool,
}

/// Mail, post and request; where the CRM refuses, the post and the mail are taken back.
fn cases(all: bool) -> Vec<Case> {
    let mut out = Vec::new();
    for refused in [false, true] {
        let calls = if refused { 5 } else { 3 };
        for (point, most) in
            [("worker.step_begun", calls), ("worker.step_done", calls), ("worker.step_recorded", calls + 1)]
        {
            out.extend((1..=most).filter(|n| all || n % 2 == 1).map(|nth| Case { point, nth, refused }));
        }
    }
    out
}

fn config(port: u16, provider: &str, data: &str, vendors: &str, smtp: u16) -> String {
    let m = meta();
    format!(
        r#"[server]
listen = "127.0.0.1:{port}"
[store]
url = "{data}"
[jobs]
lease = "4s"
turn_timeout = "1s"
poll = "100ms"
[alerts]
disk_free = 0
[send]
timeout = "2s"
mark_read = false
typing = false
allow_private = true
[log]
level = "warn"
[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
from = "bot@business.example"
[[tenants]]
slug = "crash"
business = "Crash Test Center"
assistant = "Bot"
services = ["golden visa"]
[[tenants.channels]]
kind = "meta"
phone_number_id = "{}"
verify_token = "crash-verify-token"
app_secret = "{}"
access_token = "{}"
api_base = "{provider}"
[tenants.actions.create_order]
email = ["orders@business.example"]
slack_webhook = "{vendors}/slack/hook/T1"
url = "{vendors}/crm/orders"
headers = {{ Authorization = "Bearer {TOKEN}" }}
retry = ["50ms", "50ms", "50ms"]
timeout = "1s"
"#,
        m.phone_number_id,
        m.app_secret.expose(),
        m.access_token.expose()
    )
}

/// What the vendors and the mail server did in all.
fn tally(vendors: &Vendors, smtp: &Smtp) -> [usize; 3] {
    [smtp.letters().len(), vendors.count(Vendor::Slack, "post"), vendors.count(Vendor::Crm, "order")]
}

/// What `barid` says on the command line, as JSON.
fn ask(folder: &Path, args: &[&str]) -> anyhow::Result<Value> {
    let out = Command::new(env!("CARGO_BIN_EXE_barid"))
        .args(args)
        .args(["--json", "--config", "barid.toml"])
        .current_dir(folder)
        .output()?;
    ensure!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    Ok(serde_json::from_slice(&out.stdout)?)
}

async fn ended(folder: &Path, want: &str) -> anyhow::Result<Value> {
    let since = Stopwatch::start();
    loop {
        let newest = ask(folder, &["sagas", "list", "--limit", "1"])?[0].clone();
        if newest["state"] == want {
            let id = newest["id"].as_str().context("an id")?.to_owned();
            return ask(folder, &["sagas", "show", &id]);
        }
        ensure!(since.elapsed() < PATIENCE, "not {want}: {newest}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn killed_at_every_step(data: Option<String>, all: bool) -> anyhow::Result<()> {
    let (vendors, smtp) = (Vendors::start().await?, Smtp::start().await?);
    let sim = Simulator::start(SimulatorOptions { meta: vec![meta()], ..SimulatorOptions::default() }).await?;
    let (dir, port) = (testkit::temp_dir()?, testkit::free_port()?);
    let data = data.unwrap_or_else(|| format!("sqlite:{}", dir.path().join("barid.db").display()));
    let text = config(port, &sim.base_url(), &data, &vendors.base_url(), smtp.port());
    std::fs::write(dir.path().join("barid.toml"), text)?;
    let mut program = Program::new(env!("CARGO_BIN_EXE_barid"), dir.path()).args(["serve", "--config", "barid.toml"]);
    let ready = format!("http://127.0.0.1:{port}/readyz");
    let source = MetaSource::new(&meta(), Arc::new(SystemClock));
    let poster = WebhookClient::new(&format!("http://127.0.0.1:{port}/api/webhooks/whatsapp"), Backoff::BRISK)?;
    for (n, case) in cases(all).into_iter().enumerate() {
        let order = format!("{}:{}", case.point, case.nth);
        let what = format!("{order}, refused: {}", case.refused);
        vendors.always(Vendor::Crm, case.refused.then_some(VendorFault::Status(422)));
        let before = tally(&vendors, &smtp);
        let mut doomed = program.start_with(&[("BARID_KILL", &order)])?;
        doomed.wait_ready(&ready, PATIENCE).await?;
        poster.deliver(&source.lead(&format!("9715010{n:05}"), "Lina").text("I need a golden visa")).await?;
        let status = doomed.wait(PATIENCE).await.with_context(|| format!("{what}: never reached"))?;
        ensure!(status.signal() == Some(ABORTED), "{what}: it ended with {status}\n{}", doomed.stderr());
        let mut engine = program.start()?;
        engine.wait_ready(&ready, PATIENCE).await?;
        let saga = ended(dir.path(), if case.refused { "compensated" } else { "done" }).await.context(what.clone())?;
        engine.finish(PATIENCE).await?;
        let after = tally(&vendors, &smtp);
        let [mail, post, orders] = [0, 1, 2].map(|i| after[i] - before[i]);
        // Calls in their order: mail, post, CRM; then the post and the mail are taken back. Cut off between call and record, the one under way
        // is made again; the CRM knows its key and makes no second order. Nothing else is ever repeated.
        let twice = |calls: [u32; 2]| usize::from(case.point == "worker.step_done" && calls.contains(&case.nth));
        let (usual, order) = if case.refused { (2, 0) } else { (1, 1) };
        let want = [usual + twice([1, 5]), usual + twice([2, 4]), order];
        ensure!([mail, post, orders] == want, "{what}: {:?} and not {want:?}\n{saga}", [mail, post, orders]);
        let doubtful = saga["steps"].as_array().context("steps")?.iter().filter(|s| s["doubtful"] == true).count();
        ensure!(doubtful <= 1, "{what}: one step was cut off, and {doubtful} are marked\n{saga}");
        let mut ids: Vec<String> =
            smtp.letters().iter().filter_map(|l| l.header("Message-ID").map(str::to_owned)).collect();
        ids.sort();
        ids.dedup();
        ensure!(smtp.letters().len() - ids.len() <= n + 1, "a repeated mail is the same mail");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saga_killed_at_every_step_goes_on_and_repeats_no_finished_one() -> anyhow::Result<()> {
    killed_at_every_step(None, true).await
}

/// The same where a lease outlives its holder: another start waits for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saga_killed_on_postgres_is_inherited() -> anyhow::Result<()> {
    if std::env::var(testkit::postgres::VARIABLE).is_ok_and(|v| v == "off") {
        println!("left out: there is no PostgreSQL");
        return Ok(());
    }
    let database = testkit::postgres::Database::fresh()?;
    killed_at_every_step(Some(database.url()), false).await
}
