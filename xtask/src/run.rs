//! Child processes, with their words passed on.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Writes a line for the person at the terminal. A closed terminal is no reason to stop.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The cargo that runs this.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs to the end, output to the terminal; whether it succeeded.
pub fn passes(command: &mut Command) -> Result<bool> {
    let name = format!("{command:?}");
    Ok(command.status().with_context(|| format!("cannot run {name}"))?.success())
}

/// Runs to the end and gives what it wrote to stdout; none when it failed or does not exist.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs to the end, passes each line of one stream on as it comes, and shows it to `look`. Whether it succeeded.
pub fn watched(command: &mut Command, stream: Stream, mut look: impl FnMut(&str)) -> Result<bool> {
    let name = format!("{command:?}");
    match stream {
        Stream::Out => command.stdout(Stdio::piped()),
        Stream::Err => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().with_context(|| format!("cannot run {name}"))?;
    let pipe: Option<Box<dyn std::io::Read>> = match stream {
        Stream::Out => child.stdout.take().map(|p| Box::new(p) as Box<dyn std::io::Read>),
        Stream::Err => child.stderr.take().map(|p| Box::new(p) as Box<dyn std::io::Read>),
    };
    let mut reader = BufReader::new(pipe.context("no pipe to the child")?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        match stream {
            Stream::Out => {
                let _ = writeln!(std::io::stdout().lock(), "{text}");
            }
            Stream::Err => say(text),
        }
        look(text);
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// Which stream of a child to watch.
#[derive(Clone, Copy)]
pub enum Stream {
    /// stdout
    Out,
    /// stderr
    Err,
}

/// Measures how long stages take.
pub struct Watch(Instant);

impl Watch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "xtask times its stages and shares no code with the engine")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
