//! The real binary, built for release, as a child process with a database of its own on a real disk.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use types::clock::Stopwatch;

use crate::{load, world};

/// Opens the figures of the queue.
const TOKEN: &str = "bench-runner-token-0123456789";
/// Ticks of the kernel's clock of CPU time in a second, on every Linux there is.
const TICKS: f64 = 100.0;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Builds `barid` for release; where it is.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "barid"])
        .current_dir(workspace())
        .status()
        .context("cargo did not run")?;
    if !status.success() {
        bail!("barid did not build");
    }
    Ok(target().join("release/barid"))
}

/// Where databases and logs go. Under target/ and not in /tmp, which may be memory.
pub(crate) enum Place {
    Given(PathBuf),
    Own(tempfile::TempDir),
}

impl Place {
    pub fn new(given: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(dir) = given {
            std::fs::create_dir_all(dir)?;
            return Ok(Self::Given(dir.canonicalize()?));
        }
        std::fs::create_dir_all(target())?;
        Ok(Self::Own(tempfile::Builder::new().prefix("bench-").tempdir_in(target())?))
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Own(dir) => dir.path(),
        }
    }
}

/// A child process that is killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Resident memory, KiB.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// CPU time used so far, seconds.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in brackets may hold spaces; what follows it does not.
        let fields: Vec<&str> = stat.rsplit_once(')').context("no stat")?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).context("no CPU time");
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }
}

/// The bare server as a process.
pub(crate) fn bare() -> anyhow::Result<Process> {
    let mut child = Command::new(std::env::current_exe()?).arg("bare").stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("no stdout")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    Ok(Process { port: line.trim().parse().context("the bare server did not say its port")?, child })
}

/// How to start the engine.
pub(crate) struct Setup<'a> {
    /// The executable.
    pub barid: &'a Path,
    /// A directory of this one's own.
    pub dir: PathBuf,
    /// `http://127.0.0.1:port` of the simulated Meta; without one nothing listens there.
    pub provider: Option<String>,
    /// Whether it works, or only takes messages.
    pub worker: bool,
    /// `[store] url`.
    pub url: String,
}

fn config(setup: &Setup<'_>, port: u16) -> String {
    let provider = setup.provider.as_deref().unwrap_or("http://127.0.0.1:9");
    let url = &setup.url;
    let mut text = format!(
        r#"[server]
listen = "127.0.0.1:{port}"

[store]
url = "{url}"

[jobs]
runner_token = "{TOKEN}"
workers = 512

[alerts]
disk_free = 0

[send]
mark_read = false
typing = false

[send.pair]
every = "10ms"
burst = 10000

[log]
level = "warn"

[[tenants]]
slug = "bench"
business = "Bench Business Center"
assistant = "Bot"
services = ["trade license | business license", "visa | residence permit", "PRO services"]
region = "AE"
"#
    );
    for number in world::numbers() {
        let _ = write!(
            text,
            r#"
[[tenants.channels]]
kind = "meta"
phone_number_id = "{}"
verify_token = "bench-verify-token"
app_secret = "{}"
access_token = "{}"
api_base = "{provider}"
rate = 10000
"#,
            number.phone_number_id,
            number.app_secret.expose(),
            number.access_token.expose()
        );
    }
    text
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Starts the engine and waits until it takes messages.
pub(crate) async fn start(setup: &Setup<'_>) -> anyhow::Result<Process> {
    let port = free_port()?;
    std::fs::create_dir_all(&setup.dir)?;
    std::fs::write(setup.dir.join("barid.toml"), config(setup, port))?;
    let log = setup.dir.join("stderr.log");
    let mut command = Command::new(setup.barid);
    command.arg("serve").args(["--config", "barid.toml"]).current_dir(&setup.dir);
    if !setup.worker {
        command.arg("--no-worker");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(std::fs::File::create(&log)?);
    let mut process = Process { child: command.spawn().context("barid did not start")?, port };
    let since = Stopwatch::start();
    loop {
        if load::get(port, "/readyz").await.is_ok() {
            return Ok(process);
        }
        let ended = process.child.try_wait()?;
        if ended.is_some() || since.elapsed() > Duration::from_secs(30) {
            bail!("barid is not ready: {}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until no job waits and every send's fate is recorded.
pub(crate) async fn settled(port: u16, patience: Duration) -> anyhow::Result<()> {
    let since = Stopwatch::start();
    loop {
        let text = load::get(port, &format!("/api/jobs/metrics?token={TOKEN}")).await?;
        let figures: serde_json::Value = serde_json::from_str(&text)?;
        let sends = figures["open_sends"].as_array().is_some_and(Vec::is_empty);
        if sends && figures["queued"] == 0 && figures["running"] == 0 {
            return Ok(());
        }
        if since.elapsed() > patience {
            bail!("the engine did not come to rest: {text}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
