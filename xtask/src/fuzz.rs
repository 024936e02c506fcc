//! `cargo xtask fuzz`: the API against a fuzzing client that reads its description. No 5xx, no answer that the description does not know, no
//! other content type or shape than it says, nothing without a right caller.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::demo::Demo;
use crate::postgres;
use crate::run::{Watch, cargo, output, passes, say};

/// How long the whole run may take when nothing else is said, seconds.
const SECONDS: u64 = 240;
/// What it does in CI.
const SHORT: u64 = 60;
/// Everything that is wrong by itself. What is left out is `positive_data_acceptance`: a cursor that fits the description need not be one of ours.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,ignored_auth";
const PASSWORD: &str = "known to the fuzzer alone";

struct Options {
    seconds: u64,
    postgres: bool,
    seed: Option<u64>,
}

/// Runs it; `args` are `--seconds N`, `--postgres`, `--seed N`.
pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let options = options(args)?;
    let Some(tool) = tool(root)? else {
        bail!("the fuzzing client is missing (see above)");
    };
    campaign(root, &tool, &options)
}

/// The same as a stage of `cargo xtask test`: short, with the same cases each time, and left out where its client cannot be had.
pub fn stage(root: &Path) -> Result<bool> {
    let Some(tool) = tool(root)? else {
        say("left out: the API was not fuzzed");
        return Ok(true);
    };
    campaign(root, &tool, &Options { seconds: SHORT, postgres: false, seed: Some(1) })
}

fn options(args: &[String]) -> Result<Options> {
    let mut options = Options { seconds: SECONDS, postgres: false, seed: None };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let mut number = || rest.next().and_then(|n| n.parse().ok()).with_context(|| format!("{arg} needs a number"));
        match arg.as_str() {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = Some(number()?),
            "--postgres" => options.postgres = true,
            other => bail!("cargo xtask fuzz has no option {other}: --seconds N, --seed N, --postgres"),
        }
    }
    if options.seconds < 20 {
        bail!("--seconds {}: less than 20 s finds nothing", options.seconds);
    }
    Ok(options)
}

/// The client in an environment of its own below `target/`; `None`, said aloud, where it cannot be had.
fn tool(root: &Path) -> Result<Option<PathBuf>> {
    let wanted = root.join("xtask/fuzz/requirements.txt");
    let version = std::fs::read_to_string(&wanted).context("xtask/fuzz/requirements.txt")?;
    let version = version.trim().rsplit("==").next().unwrap_or_default();
    let place = root.join("target/fuzz/venv");
    let (python, client) = (place.join("bin/python"), place.join("bin/schemathesis"));
    let there = || output(Command::new(&client).arg("--version")).is_some_and(|said| said.ends_with(version));
    if there() {
        return Ok(Some(client));
    }
    say("fuzz: installing schemathesis below target/fuzz");
    let made = passes(Command::new("python3").args(["-m", "venv"]).arg(&place)).unwrap_or(false);
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&wanted);
    if made && passes(&mut pip).unwrap_or(false) && there() {
        return Ok(Some(client));
    }
    say(
        "schemathesis could not be installed: it needs Python 3.10 or newer with venv (Debian: apt-get install python3-venv) and the Python package registry",
    );
    Ok(None)
}

/// A demo on a database of its own, a token and two people in it, and the passes.
fn campaign(root: &Path, tool: &Path, options: &Options) -> Result<bool> {
    if !passes(cargo(root).args(["build", "--quiet", "--locked", "--package", "barid"]))? {
        return Ok(false);
    }
    let place = tempfile::tempdir().context("no folder for the demo's data")?;
    let (data, log) = (place.path().join("data"), place.path().join("log"));
    let server = options.postgres.then(|| postgres::start(root)).transpose()?;
    let barid = binary(root);
    let mut command = Command::new(&barid);
    command.args(["demo", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    if let Some(server) = &server {
        if server.is_off() {
            bail!("--postgres, and {} is off", postgres::VARIABLE);
        }
        command.args(["--store", &postgres::fresh(server, "fuzz")?]);
    }
    command.stderr(std::fs::File::create(&log)?);
    let mut demo = Demo::start(&mut command, Duration::from_secs(120))?;
    let caller = Caller::make(&barid, &data)?;
    let run = Run { root, tool, demo: &demo.engine, caller: &caller, seed: options.seed };
    let watch = Watch::start();
    // A person's routes first: the rest moves the demo's clock.
    let person =
        run.pass("a person: /auth", "person", options.seconds / 8, 20, &["--include-path-regex", "^/auth/"])?;
    let stream =
        run.pass("a program: the stream", "program", options.seconds / 12, 1, &["--include-path", "/events"])?;
    let left = options.seconds.saturating_sub(watch.elapsed().as_secs()).max(5);
    let all = run.pass("a program: everything else", "program", left, 30, &["--exclude-path", "/events"])?;
    let alive = demo.runs()?;
    let ended = demo.stop()?;
    let words = std::fs::read_to_string(&log).unwrap_or_default();
    let broken: Vec<_> = words.lines().filter(|l| l.contains("panicked") || l.contains("by a defect")).collect();
    for line in &broken {
        say(line);
    }
    if !alive || !ended.success() {
        say(&format!("the demo did not live through it ({ended}):\n{words}"));
    }
    Ok(person && stream && all && alive && ended.success() && broken.is_empty())
}

fn binary(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("debug/barid")
}

/// As whom the client comes.
struct Caller {
    token: String,
    id: String,
}

impl Caller {
    fn make(barid: &Path, data: &Path) -> Result<Self> {
        let on = |args: &[&str]| {
            let mut command = Command::new(barid);
            command.arg("--config").arg(data.join("barid.toml")).arg("--json").args(args);
            command
        };
        for email in ["stays@example.com", "leaves@example.com"] {
            let mut add = on(&["user", "add", email, "--role", "admin"]);
            let mut child = add.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
            writeln!(child.stdin.take().context("no pipe to barid user add")?, "{PASSWORD}")?;
            if !child.wait()?.success() {
                bail!("{email} could not be added");
            }
        }
        let scopes = "read conversations:write sends:write leads:write notifications:write dead-letters:write settings:write simulator:write";
        let scopes = scopes.split(' ').flat_map(|scope| ["--scope", scope]);
        let args: Vec<&str> = ["token", "create", "fuzz"].into_iter().chain(scopes).collect();
        let made = output(&mut on(&args)).context("no token could be made")?;
        let made: serde_json::Value = serde_json::from_str(&made)?;
        let text = |at: &str| made.pointer(at).and_then(|v| v.as_str()).map(str::to_owned);
        let (token, id) = (text("/secret"), text("/token/id"));
        Ok(Self { token: token.context("no secret in the answer")?, id: id.context("no id in the answer")? })
    }
}

struct Run<'a> {
    root: &'a Path,
    tool: &'a Path,
    demo: &'a str,
    caller: &'a Caller,
    seed: Option<u64>,
}

impl Run<'_> {
    /// One run of the client over the routes that `which` chooses; `patience`: how long one answer may take, which also ends a stream.
    fn pass(&self, name: &str, caller: &str, seconds: u64, patience: u64, which: &[&str]) -> Result<bool> {
        say(&format!("fuzz, as {name} ({seconds} s)"));
        let mut client = Command::new(self.tool);
        client.arg("run").arg(format!("http://{}/api/v1/openapi.json", self.demo)).args(which);
        client.args([
            "--checks",
            CHECKS,
            "--phases",
            "coverage,fuzzing,stateful",
            "--warnings",
            "off",
            "--workers",
            "2",
        ]);
        client.args(["--request-timeout", &patience.to_string(), "--max-time", &seconds.to_string()]);
        client.args(["--no-shrink", "--continue-on-failure", "--max-failures", "40", "--generation-database", "none"]);
        if let Some(seed) = self.seed {
            client.args(["--seed", &seed.to_string()]);
        }
        client.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", self.root.join("xtask/fuzz"));
        client.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(self.root.join("target/fuzz"));
        client.env("BARID_FUZZ_ENGINE", self.demo).env("BARID_FUZZ_AS", caller).env("BARID_FUZZ_PASSWORD", PASSWORD);
        client.env("BARID_FUZZ_TOKEN", &self.caller.token).env("BARID_FUZZ_TOKEN_ID", &self.caller.id);
        passes(&mut client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_anything_else_is_refused() {
        let read = |text: &str| options(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let given = read("--seconds 30 --postgres --seed 7").unwrap();
        assert_eq!((given.seconds, given.postgres, given.seed), (30, true, Some(7)));
        let none = read("").unwrap();
        assert_eq!((none.seconds, none.postgres, none.seed), (SECONDS, false, None));
        for wrong in ["--seconds", "--seconds x", "--seconds 3", "--quick"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
