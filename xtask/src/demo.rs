//! `cargo xtask demo`: the engine with a simulated WhatsApp; and a demo that other commands run beside themselves.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::page;
use crate::run::{Watch, cargo};

/// Builds the page if need be and the binary, and becomes its demo: with nobody in between, Ctrl-C and SIGTERM reach the demo itself, and its exit code is this command's.
pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    page::for_demo(root)?;
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--locked", "--package", "barid", "--bin", "barid", "--", "demo"]).args(args);
    Err(command.exec().into())
}

/// A demo that runs. It is drained when this is dropped.
pub struct Demo {
    child: Child,
    /// Where its engine listens: `127.0.0.1:PORT`.
    pub engine: String,
}

impl Demo {
    /// Starts it by `command`, and waits until it can be talked to, no longer than `limit`.
    pub fn start(command: &mut Command, limit: Duration) -> Result<Self> {
        let watch = Watch::start();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut demo = Self { child: child.with_context(|| format!("cannot run {command:?}"))?, engine: String::new() };
        let out = demo.child.stdout.take().context("no pipe to the demo")?;
        let (said, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // To the end: whoever writes into a closed pipe dies of it.
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        loop {
            match lines.recv_timeout(limit.saturating_sub(watch.elapsed())) {
                Ok(line) if line.contains("Ready in") => return Ok(demo),
                Ok(line) => {
                    if let Some((_, address)) = line.split_once("engine     http://") {
                        address.trim_end_matches(['│', ' ']).clone_into(&mut demo.engine);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("the demo was not ready after {} s", limit.as_secs()),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the demo ended before it was ready; what it said is above")
                }
            }
        }
    }

    /// Whether it goes on running.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Drains it, and says how it ended.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.end();
        Ok(self.child.wait()?)
    }

    fn end(&self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.end();
            let _ = self.child.wait();
        }
    }
}
