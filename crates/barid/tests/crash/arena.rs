//! One engine, its database, its providers, and a record of every time it was killed.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use simulator::client::HttpClient;
use simulator::{
    Backoff, Fault, GreenInstance, MetaNumber, Rule, Simulator, SimulatorOptions, StatusPlan, WebhookTargets,
};
use tempfile::TempDir;
use testkit::{Binary, Program};
use types::clock::Stopwatch;
use types::{Clock as _, Dice, Secret, SystemClock, Timestamp};

use testkit::simulator;

/// Opens the figures of the queue.
const TOKEN: &str = "crash-runner-token-0123456789";
/// Secrets that must stand in no log (I13).
pub(crate) const SECRETS: [&str; 3] =
    ["crash-app-secret-0123456789", "crash-access-token-0123456789", "crash-green-token-0123456789"];
/// A start that takes longer is a failure; on an idle machine it takes a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest time to come to rest when nobody kills any more.
const REST: Duration = Duration::from_secs(60);
/// Questions of the tenant's flow: more than one customer's messages, so that each message gets its own answer.
pub(crate) const QUESTIONS: usize = 60;

/// What differs between the tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// For seeds, phone numbers and the report.
    pub name: &'static str,
    /// Sends over Green API instead of Meta.
    pub green: bool,
    /// Whether the provider reports sent, delivered and read.
    pub statuses: bool,
    /// `resend` or `hold`.
    pub on_unknown: &'static str,
}

/// Everything that one test needs.
pub(crate) struct Arena {
    pub rules: Rules,
    pub simulator: Simulator,
    pub port: u16,
    pub dice: Dice,
    /// When the engine died, and only then.
    pub kills: Vec<Timestamp>,
    /// How long its starts took until it was ready.
    pub starts: Vec<Duration>,
    pub data: PathBuf,
    /// The database that many nodes share; without one, the file at `data`.
    pub server: Option<testkit::postgres::Database>,
    /// Further nodes: port and program.
    pub others: Vec<(u16, Program)>,
    program: Program,
    dir: TempDir,
}

pub(crate) fn meta() -> MetaNumber {
    MetaNumber {
        phone_number_id: "105500000000001".into(),
        waba_id: "102290129340398".into(),
        display_phone: "97125550001".into(),
        access_token: Secret::new(SECRETS[1]),
        app_secret: Secret::new(SECRETS[0]),
    }
}

pub(crate) fn green() -> GreenInstance {
    GreenInstance {
        instance: "1101000001".into(),
        api_token: Secret::new(SECRETS[2]),
        webhook_token: Secret::new("crash-hook-token-0123456789"),
        wid: "97125550002@c.us".into(),
    }
}

/// A port that no outgoing connection of this machine can be given: a client that knocks at a dead engine's door must not become its own
/// server there.
fn quiet_port(dice: &Dice) -> anyhow::Result<u16> {
    for _ in 0..1000 {
        let port = 20_000 + u16::try_from(dice.throw() % 12_000)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port from 20000 to 32000")
}

/// Asks question after question and takes any answer, so that every message of a customer has one reply, told apart by its number.
fn flow() -> String {
    let mut text = String::from("name = \"crash\"\n");
    for n in 1..=QUESTIONS {
        let _ = write!(text, "\n[[question]]\nkey = \"q{n}\"\nfills = \"text\"\nen = [\"Question {n}?\"]\n");
    }
    text
}

fn config(rules: &Rules, port: u16, provider: &str, data: &str) -> String {
    let channel = if rules.green {
        let g = green();
        format!(
            "kind = \"greenapi\"\ninstance = \"{}\"\napi_token = \"{}\"\nwebhook_token = \"{}\"\n",
            g.instance,
            g.api_token.expose(),
            g.webhook_token.expose()
        )
    } else {
        let m = meta();
        format!(
            "kind = \"meta\"\nphone_number_id = \"{}\"\nverify_token = \"crash-verify-token\"\napp_secret = \"{}\"\naccess_token = \"{}\"\n",
            m.phone_number_id,
            m.app_secret.expose(),
            m.access_token.expose()
        )
    };
    format!(
        r#"[server]
listen = "127.0.0.1:{port}"

[store]
url = "{data}"

[jobs]
runner_token = "{TOKEN}"
retry = ["100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms", "100ms"]
redrive = ["500ms", "500ms"]
lease = "4s"
turn_timeout = "1s"
poll = "100ms"
janitor_every = "200ms"
drain = "10s"

[alerts]
disk_free = 0
processing_p95 = "0s"

[send]
retry = ["100ms", "200ms", "200ms", "200ms", "200ms", "200ms"]
reconcile = "800ms"
reconcile_greenapi = "800ms"
on_unknown = "{on_unknown}"
timeout = "2s"
mark_read = false
typing = false
rate_meta = 10000
rate_greenapi = 10000

[send.pair]
every = "10ms"
burst = 10000

[log]
level = "warn"

[[tenants]]
slug = "crash"
business = "Crash Test Center"
assistant = "Bot"
flow = "flow.toml"
services = ["trade license"]

[[tenants.channels]]
{channel}api_base = "{provider}"
"#,
        on_unknown = rules.on_unknown,
    )
}

impl Arena {
    /// Providers run, the engine does not yet.
    pub async fn new(rules: Rules) -> anyhow::Result<Self> {
        Self::with_data(rules, None).await
    }

    /// The same with the database in another folder.
    pub async fn with_data(rules: Rules, data: Option<PathBuf>) -> anyhow::Result<Self> {
        Self::with(rules, data, 1, None).await
    }

    /// One node on a PostgreSQL that the test stops and starts.
    pub async fn on(rules: Rules, database: testkit::postgres::Database) -> anyhow::Result<Self> {
        Self::with(rules, None, 1, Some(database)).await
    }

    /// Many nodes on one PostgreSQL.
    pub async fn nodes(rules: Rules, nodes: usize) -> anyhow::Result<Self> {
        Self::with(rules, None, nodes, Some(testkit::postgres::Database::fresh()?)).await
    }

    async fn with(
        rules: Rules,
        data: Option<PathBuf>,
        nodes: usize,
        server: Option<testkit::postgres::Database>,
    ) -> anyhow::Result<Self> {
        let given = std::env::var("CRASH_SEED").ok().map(|s| s.parse::<u64>()).transpose().context("CRASH_SEED")?;
        let own = rules.name.bytes().fold(7_u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
        let seed = given.unwrap_or(1).wrapping_mul(1_000_003) ^ own;
        let dice = Dice::seeded(seed);
        // The port must not repeat between tests that run at once.
        let port = quiet_port(&Dice::from_system())?;
        let simulator = providers(&rules, port, seed).await?;
        let dir = testkit::temp_dir()?;
        let data = data.unwrap_or_else(|| dir.path().to_path_buf()).join("barid.db");
        let url = server.as_ref().map_or_else(|| format!("sqlite:{}", data.display()), |s| s.url());
        let program = |port: u16, folder: &Path| -> anyhow::Result<Program> {
            std::fs::create_dir_all(folder)?;
            std::fs::write(folder.join("barid.toml"), config(&rules, port, &simulator.base_url(), &url))?;
            std::fs::write(folder.join("flow.toml"), flow())?;
            Ok(Program::new(env!("CARGO_BIN_EXE_barid"), folder).args(["serve", "--config", "barid.toml"]))
        };
        let mut others = Vec::new();
        for n in 1..nodes {
            let port = quiet_port(&Dice::from_system())?;
            others.push((port, program(port, &dir.path().join(format!("node-{n}")))?));
        }
        let program = program(port, dir.path())?;
        let (kills, starts) = (Vec::new(), Vec::new());
        Ok(Self { rules, simulator, port, dice, kills, starts, data, server, others, program, dir })
    }

    /// Where webhooks go: to any of the nodes.
    pub fn webhook_urls(&self) -> Vec<String> {
        let ports = std::iter::once(self.port).chain(self.others.iter().map(|(port, _)| *port));
        ports.map(|port| webhook_url(&self.rules, port)).collect()
    }

    /// Starts a node, 0 the first, and waits until it takes messages.
    pub async fn start_node(&mut self, n: usize) -> anyhow::Result<Binary> {
        let Some((port, program)) = n.checked_sub(1).and_then(|n| self.others.get_mut(n)) else {
            return self.start().await;
        };
        let since = Stopwatch::start();
        let mut engine = program.start()?;
        engine.wait_ready(&format!("http://127.0.0.1:{port}/readyz"), PATIENCE).await?;
        self.starts.push(since.elapsed());
        Ok(engine)
    }

    /// From now on the provider's statuses come to this node.
    pub fn report_to(&self, n: usize) -> anyhow::Result<()> {
        let urls = self.webhook_urls();
        let targets = WebhookTargets { meta_url: urls.get(n).cloned(), green_url: None };
        self.simulator.set_webhooks(&targets).map_err(|e| anyhow::anyhow!("{e}"))
    }

    /// Starts the engine without waiting for it, perhaps with the order to end itself somewhere.
    pub fn launch(&mut self, kill: Option<&str>) -> anyhow::Result<Binary> {
        match kill {
            Some(step) => self.program.start_with(&[("BARID_KILL", step)]),
            None => self.program.start(),
        }
    }

    /// Starts the engine and waits until it takes messages.
    pub async fn start(&mut self) -> anyhow::Result<Binary> {
        let since = Stopwatch::start();
        let mut engine = self.launch(None)?;
        engine.wait_ready(&self.url("/readyz"), PATIENCE).await?;
        self.starts.push(since.elapsed());
        Ok(engine)
    }

    /// An address of the engine.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// SIGKILL, now.
    pub fn kill(&mut self, engine: &mut Binary) -> anyhow::Result<()> {
        engine.kill()?;
        self.kills.push(SystemClock.now());
        Ok(())
    }

    /// A time between the two, in milliseconds.
    pub fn between(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.dice.throw() % (most - least + 1))
    }

    /// Waits until no job waits, every send's fate is known and every status is delivered.
    pub async fn rest(&self) -> anyhow::Result<()> {
        let http = HttpClient::new(&self.url(&format!("/api/jobs/metrics?token={TOKEN}")))?;
        let since = Stopwatch::start();
        loop {
            let answer = http.get(Duration::from_secs(5)).await?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let figures: serde_json::Value = serde_json::from_str(&text).with_context(|| text.clone())?;
            let open = figures["open_sends"].as_array().is_none_or(|sends| !sends.is_empty());
            if !open
                && figures["queued"] == 0
                && figures["running"] == 0
                && self.simulator.stats().statuses_waiting == 0
            {
                return Ok(());
            }
            if since.elapsed() > REST {
                bail!("the engine did not come to rest in {REST:?}: {text} {:?}", self.simulator.stats());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where configuration and logs are.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The logs of all starts hold no secret (I13).
    pub fn logs_are_clean(&self) -> anyhow::Result<()> {
        let folders = (0..=self.others.len()).map(|n| match n {
            0 => self.dir.path().to_path_buf(),
            n => self.dir.path().join(format!("node-{n}")),
        });
        let mut files = Vec::new();
        for folder in folders {
            for entry in std::fs::read_dir(folder)? {
                files.push(entry?.path());
            }
        }
        for path in files {
            if path.extension().is_some_and(|e| e == "log") {
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                for secret in SECRETS {
                    ensure!(!text.contains(secret), "{} holds a secret", path.display());
                }
                ensure!(!text.contains("panicked"), "{}", text);
            }
        }
        Ok(())
    }
}

fn webhook_url(rules: &Rules, port: u16) -> String {
    let path = if rules.green { "/webhook/greenapi" } else { "/api/webhooks/whatsapp" };
    format!("http://127.0.0.1:{port}{path}")
}

async fn providers(rules: &Rules, port: u16, seed: u64) -> anyhow::Result<Simulator> {
    let url = webhook_url(rules, port);
    let webhooks = match (rules.statuses, rules.green) {
        (false, _) => WebhookTargets::default(),
        (true, false) => WebhookTargets { meta_url: Some(url), green_url: None },
        (true, true) => WebhookTargets { meta_url: None, green_url: Some(url) },
    };
    let patient = Backoff { first: Duration::from_millis(10), longest: Duration::from_millis(60), ..Backoff::BRISK };
    let statuses = StatusPlan {
        send: rules.statuses,
        delay: Duration::from_millis(15),
        duplicate: 0.1,
        shuffle: true,
        ..StatusPlan::default()
    };
    let options = SimulatorOptions {
        meta: if rules.green { Vec::new() } else { vec![meta()] },
        green: if rules.green { vec![green()] } else { Vec::new() },
        webhooks,
        statuses,
        meta_retry: patient,
        green_retry: patient,
        seed,
        keep_events: 2_000_000,
        clock: Arc::new(SystemClock),
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await?;
    // Answers that take a moment are answers that a kill can cut off.
    simulator.push_fault(Rule::chance(0.5, Fault::Delay { ms: 5, accepted: true }));
    Ok(simulator)
}
