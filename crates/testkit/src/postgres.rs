//! A PostgreSQL of the tests' own: a private cluster in a temporary folder, on a free port of this machine, gone with the process that
//! started it, however that one ends. `BARID_TEST_POSTGRES` names one that is shared by many test processes (`cargo xtask test` starts it).

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use types::clock::Stopwatch;

/// Names the address of a cluster that exists: `postgres://postgres@127.0.0.1:5433`.
pub const VARIABLE: &str = "BARID_TEST_POSTGRES";

/// A private cluster. It ends when this is dropped, and when its process is killed.
#[derive(Debug)]
pub struct Cluster {
    keeper: Child,
    port: u16,
    directory: PathBuf,
    binaries: PathBuf,
}

/// Runs the server until its own input ends, which it does with whoever holds the other end; then stops it and clears the folder.
const KEEPER: &str = r#"dir="$1"; shift
"$@" >>"$dir/log" 2>&1 &
server=$!
while read -r word; do
    case "$word" in
        stop) kill -INT $server; wait $server ;;
        kill) kill -QUIT $server; wait $server ;;
        start) "$@" >>"$dir/log" 2>&1 & server=$! ;;
    esac
done
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$dir""#;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

impl Cluster {
    /// Makes and starts one.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start; what it said is in the error.
    pub fn start() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("barid-postgres-").tempdir()?.keep();
        Self::start_in(directory, false)
    }

    /// Makes and starts one in a new folder below `place`, which keeps what it commits through a power cut: for measurements.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn durable(place: &std::path::Path) -> anyhow::Result<Self> {
        Self::start_in(tempfile::Builder::new().prefix("barid-postgres-").tempdir_in(place)?.keep(), true)
    }

    fn start_in(directory: PathBuf, durable: bool) -> anyhow::Result<Self> {
        let binaries = binaries().context(
            "PostgreSQL is not installed: apt-get install postgresql (or put its initdb and postgres on PATH)",
        )?;
        let user = another_user();
        if let Some((uid, gid)) = user {
            chown(&directory, Some(uid), Some(gid)).context("the cluster's folder cannot be given to another user")?;
        }
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755))?;
        let data = directory.join("data");
        let mut make = as_user(user, binaries.join("initdb"));
        make.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"])
            .arg(&data);
        let made = make.current_dir(&directory).output().context("initdb did not start")?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let port = crate::free_port()?;
        let mut keeper = as_user(user, "/bin/sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(&directory).arg(binaries.join("postgres")).arg("-D").arg(&data);
        for setting in [
            format!("port={port}"),
            format!("unix_socket_directories={}", directory.display()),
            "listen_addresses=127.0.0.1".to_owned(),
            "max_connections=400".to_owned(),
            "max_locks_per_transaction=128".to_owned(),
        ] {
            keeper.args(["-c", &setting]);
        }
        // Tests kill processes, never the machine.
        let more: &[&str] = if durable {
            &["shared_buffers=512MB", "max_wal_size=4GB", "checkpoint_timeout=15min"]
        } else {
            &["shared_buffers=64MB", "fsync=off", "full_page_writes=off", "autovacuum_naptime=10s"]
        };
        for setting in more {
            keeper.args(["-c", setting]);
        }
        let keeper = keeper
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("the server did not start")?;
        let cluster = Self { keeper, port, directory, binaries };
        cluster.ready()?;
        Ok(cluster)
    }

    /// Its address, without a database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Its port on this machine.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server; its data stay. Sessions are ended.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.tell("stop")?;
        self.wait(false)
    }

    /// Ends the server as if it had crashed.
    ///
    /// # Errors
    /// When its keeper is gone.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.tell("kill")?;
        self.wait(false)
    }

    /// Starts it again.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.tell("start")?;
        self.ready()
    }

    fn tell(&mut self, word: &str) -> anyhow::Result<()> {
        let input = self.keeper.stdin.as_mut().context("the server's keeper is gone")?;
        writeln!(input, "{word}").context("the server's keeper is gone")
    }

    fn ready(&self) -> anyhow::Result<()> {
        self.wait(true)
    }

    fn wait(&self, up: bool) -> anyhow::Result<()> {
        let watch = Stopwatch::start();
        loop {
            let mut ask = Command::new(self.binaries.join("pg_isready"));
            ask.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
            if ask.status().is_ok_and(|s| s.success()) == up {
                return Ok(());
            }
            if watch.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                bail!("PostgreSQL is not {}: {log}", if up { "up" } else { "down" });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        // Where the folder's own folder is not the other user's, he could only empty it.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The cluster of this test process, or the one that all share.
///
/// # Errors
/// As [`Cluster::start`].
pub fn shared() -> anyhow::Result<String> {
    static OWN: OnceLock<Result<Cluster, String>> = OnceLock::new();
    if let Some(url) = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()) {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    match OWN.get_or_init(|| Cluster::start().map_err(|e| format!("{e:#}"))) {
        Ok(cluster) => Ok(cluster.url()),
        Err(why) => bail!("{why}"),
    }
}

/// A database of a test's own, removed when dropped.
#[derive(Debug)]
pub struct Database {
    cluster: String,
    name: String,
}

impl Database {
    /// A fresh database on the shared cluster.
    ///
    /// # Errors
    /// When there is no cluster, or it refuses.
    pub fn fresh() -> anyhow::Result<Self> {
        Self::on(&shared()?)
    }

    /// A fresh database on the cluster at `url`.
    ///
    /// # Errors
    /// When it refuses.
    pub fn on(url: &str) -> anyhow::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let database = Self { cluster: url.to_owned(), name };
        psql(&format!("{url}/postgres"), &format!("CREATE DATABASE {}", database.name))?;
        Ok(database)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}", self.cluster, self.name)
    }

    /// Runs SQL as an operator at the prompt would; what it printed, unaligned, without headings.
    ///
    /// # Errors
    /// When the server refuses; what it said is in the error.
    pub fn sql(&self, text: &str) -> anyhow::Result<String> {
        psql(&self.url(), text)
    }

    /// From now on nobody sweeps up what was in rows of `table`: for measurements of what that costs.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn keep_dead_rows(&self, table: &str) -> anyhow::Result<()> {
        self.sql(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).map(drop)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ =
            psql(&format!("{}/postgres", self.cluster), &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// A PgBouncer that pools transactions, before the cluster at some address: each transaction may meet another connection. It ends when dropped.
#[derive(Debug)]
pub struct Pool {
    process: Child,
    port: u16,
    directory: PathBuf,
}

impl Pool {
    /// Starts one with `size` connections; `None` where PgBouncer is not installed.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(cluster: &str, size: u32) -> anyhow::Result<Option<Self>> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        let Some(program) = places.map(|p| p.join("pgbouncer")).find(|p| p.is_file()) else { return Ok(None) };
        let server = cluster.rsplit(':').next().context("no port")?.to_owned();
        let directory = tempfile::Builder::new().prefix("barid-pgbouncer-").tempdir()?.keep();
        let user = another_user();
        if let Some((uid, gid)) = user {
            chown(&directory, Some(uid), Some(gid))?;
        }
        let port = crate::free_port()?;
        let settings = directory.join("pgbouncer.ini");
        std::fs::write(
            &settings,
            format!(
                "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {size}\n"
            ),
        )?;
        std::fs::set_permissions(&settings, std::fs::Permissions::from_mode(0o644))?;
        let process = as_user(user, program)
            .arg("-q")
            .arg(&settings)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("pgbouncer did not start")?;
        let pool = Self { process, port, directory };
        let watch = Stopwatch::start();
        while psql(&format!("{}/postgres", pool.url()), "SELECT 1").is_err() {
            if watch.elapsed() > PATIENCE {
                bail!("pgbouncer does not answer");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(pool))
    }

    /// Its address, without a database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Runs SQL by the tool of that name.
///
/// # Errors
/// When the server refuses; what it said is in the error.
pub fn psql(url: &str, text: &str) -> anyhow::Result<String> {
    let tool = binaries().map_or_else(|| PathBuf::from("psql"), |b| b.join("psql"));
    let ran = Command::new(tool)
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text])
        .stdin(Stdio::null())
        .output()
        .context("psql did not start")?;
    if !ran.status.success() {
        bail!("{text}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).trim_end().to_owned())
}

/// Where PostgreSQL's programs are: Debian's place, newest first, or PATH.
#[must_use]
pub fn binaries() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    found.sort_unstable();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = found.into_iter().rev().map(|(_, place)| place).chain(std::env::split_paths(&path));
    places.into_iter().find(|place| place.join("initdb").is_file() && place.join("postgres").is_file())
}

/// `initdb` refuses root; user and group to be instead.
fn another_user() -> Option<(u32, u32)> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !root {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = users.lines().find(|l| l.split(':').next() == Some(name))?;
        let mut parts = line.split(':').skip(2);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).or(Some((65534, 65534)))
}

fn as_user(user: Option<(u32, u32)>, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.gid(gid).uid(uid);
    }
    command
}
