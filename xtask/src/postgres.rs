//! PostgreSQL for the tests: installed where it is missing and that is possible, started once for the whole run, gone with it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, output, passes, say};

/// Names the address to the tests; `off` leaves PostgreSQL out.
pub const VARIABLE: &str = "BARID_TEST_POSTGRES";

/// A running server. It ends when this is dropped.
pub struct Server {
    keeper: Option<Child>,
    address: String,
}

impl Server {
    /// The variable's value for the tests.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether there is one.
    pub fn is_off(&self) -> bool {
        self.address == "off"
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// Installs and starts PostgreSQL, unless the environment names one.
pub fn start(root: &Path) -> Result<Server> {
    if let Some(address) = std::env::var(VARIABLE).ok().filter(|a| !a.is_empty()) {
        say(&format!("{VARIABLE} is {address}"));
        return Ok(Server { keeper: None, address });
    }
    if binaries().is_none() {
        install()?;
    }
    let mut keeper = cargo(root)
        .args(["run", "--quiet", "--locked", "--package", "barid-testkit", "--bin", "barid-test-postgres"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo did not start")?;
    let mut line = String::new();
    let out = keeper.stdout.take().context("no pipe to the server's keeper")?;
    BufReader::new(out).read_line(&mut line)?;
    let server = Server { keeper: Some(keeper), address: line.trim().to_owned() };
    if server.address.is_empty() {
        bail!("PostgreSQL did not start; what it said is above. {VARIABLE}=off leaves its tests out");
    }
    say(&format!("PostgreSQL at {}", server.address));
    Ok(server)
}

/// A database of that name, made anew.
pub fn fresh(server: &Server, name: &str) -> Result<String> {
    let tool = binaries().context("psql is missing: apt-get install postgresql-client")?.join("psql");
    for sql in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")] {
        let at = format!("{}/postgres", server.address());
        let mut psql = Command::new(&tool);
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &at, "-c", &sql]);
        if !passes(&mut psql)? {
            bail!("the database {name} could not be made");
        }
    }
    Ok(format!("{}/{name}", server.address()))
}

/// Where Debian and PATH have PostgreSQL's programs.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = versions.map(|v| v.path().join("bin")).chain(std::env::split_paths(&path));
    places.into_iter().find(|place| place.join("initdb").is_file())
}

fn install() -> Result<()> {
    let mend = format!(
        "install PostgreSQL 13 or newer (Debian: apt-get install postgresql), or leave its tests out with {VARIABLE}=off"
    );
    if output(Command::new("apt-get").arg("--version")).is_none() {
        bail!("PostgreSQL is missing: {mend}");
    }
    say("PostgreSQL is missing: apt-get install postgresql");
    let apt = |args: &[&str]| {
        let ran =
            Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).status();
        ran.is_ok_and(|s| s.success())
    };
    let wanted = ["install", "-y", "--no-install-recommends", "postgresql"];
    if apt(&wanted) || apt(&["update"]) && apt(&wanted) {
        return Ok(());
    }
    bail!("PostgreSQL could not be installed: {mend}")
}
