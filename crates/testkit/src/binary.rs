//! The program under test, as a process of its own: only a real process can be killed in the middle of a write.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use simulator::client::HttpClient;
use types::clock::Stopwatch;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// SIGKILL, as it appears in an exit status.
const KILLED: i32 = 9;

/// What to start. Can be started again: after a kill it finds its files as it left them.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    directory: PathBuf,
    starts: u32,
}

impl Program {
    /// The executable, run in `directory`, where its `stderr-N.log` and `stdout-N.log` go, too (N counts its starts).
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), args: Vec::new(), env: Vec::new(), directory: directory.into(), starts: 0 }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the executable or a log file cannot be opened.
    pub fn start(&mut self) -> anyhow::Result<Binary> {
        self.start_with(&[])
    }

    /// Starts it with more variables, for this time only.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(&mut self, more: &[(&str, &str)]) -> anyhow::Result<Binary> {
        self.starts += 1;
        let log = |name: &str| self.directory.join(format!("{name}-{}.log", self.starts));
        let (stderr, stdout) = (log("stderr"), log("stdout"));
        let open = |path: &Path| File::create(path).with_context(|| format!("{} cannot be written", path.display()));
        let child = Command::new(&self.path)
            .args(&self.args)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .envs(more.iter().copied())
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(open(&stdout)?)
            .stderr(open(&stderr)?)
            .spawn()
            .with_context(|| format!("{} did not start", self.path.display()))?;
        Ok(Binary { child, stderr, stdout })
    }
}

/// A running program. Killed when dropped, so that a failed test leaves none behind.
#[derive(Debug)]
pub struct Binary {
    child: Child,
    stderr: PathBuf,
    stdout: PathBuf,
}

impl Binary {
    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// What it wrote to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// Waits for a line of stdout or stderr that contains `words`, and gives it.
    ///
    /// # Errors
    /// When it ended first or `patience` did; what it said is in the error.
    pub async fn wait_line(&mut self, words: &str, patience: Duration) -> anyhow::Result<String> {
        let found = |this: &Self| {
            let text = format!("{}\n{}", this.stdout(), this.stderr());
            text.lines().find(|line| line.contains(words)).map(str::to_owned)
        };
        let since = Stopwatch::start();
        loop {
            // Looked at before the search: what it said last is found even when it has ended.
            let ended = self.child.try_wait().context("its state is not known")?;
            if let Some(line) = found(self) {
                return Ok(line);
            }
            self.give_up_when(ended, since, patience, &format!("no line with {words:?}"))?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until `GET url` is answered with 200: `http://127.0.0.1:port/readyz`.
    ///
    /// # Errors
    /// When it ended first or `patience` did; what it said is in the error.
    pub async fn wait_ready(&mut self, url: &str, patience: Duration) -> anyhow::Result<()> {
        let http = HttpClient::new(url)?;
        let since = Stopwatch::start();
        loop {
            let ended = self.child.try_wait().context("its state is not known")?;
            let answer = http.get(Duration::from_secs(2)).await;
            let last = match answer {
                Ok(answer) if answer.status == 200 && ended.is_none() => return Ok(()),
                Ok(answer) => format!("HTTP {}", answer.status),
                Err(err) => err.to_string(),
            };
            self.give_up_when(ended, since, patience, &format!("{url} was not ready ({last})"))?;
            tokio::time::sleep(LOOK).await;
        }
    }

    fn give_up_when(
        &self,
        ended: Option<ExitStatus>,
        since: Stopwatch,
        patience: Duration,
        what: &str,
    ) -> anyhow::Result<()> {
        if let Some(status) = ended {
            bail!("{what}: the program ended ({status})\n{}", self.stderr());
        }
        if since.elapsed() > patience {
            bail!("{what} in {patience:?}\n{}", self.stderr());
        }
        Ok(())
    }

    /// SIGKILL, as power loss for the process, and waits for its end.
    ///
    /// # Errors
    /// When it had ended by itself before: then the test tested something else.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("its state is not known")? {
            bail!("it had ended before it was killed ({status})\n{}", self.stderr());
        }
        self.child.kill().context("it could not be killed")?;
        let status = self.child.wait().context("its end was not seen")?;
        // Between the look and the kill it may have ended by itself.
        if status.signal() != Some(KILLED) {
            bail!("it ended by itself ({status})\n{}", self.stderr());
        }
        Ok(())
    }

    /// SIGTERM, the polite request.
    ///
    /// # Errors
    /// When the signal could not be sent.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("TERM")
    }

    /// SIGHUP: read the configuration again.
    ///
    /// # Errors
    /// When the signal could not be sent.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        self.signal("HUP")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        // The standard library sends SIGKILL only, and unsafe code is not allowed here.
        let sent =
            Command::new("kill").args(["-s", name]).arg(self.id().to_string()).status().context("kill did not run")?;
        if !sent.success() {
            bail!("SIG{name} could not be sent to {}", self.id());
        }
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it still runs after `patience`.
    pub async fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let since = Stopwatch::start();
        loop {
            if let Some(status) = self.child.try_wait().context("its state is not known")? {
                return Ok(status);
            }
            if since.elapsed() > patience {
                bail!("it still runs after {patience:?}\n{}", self.stderr());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks it to end, and expects exit code 0 within `patience`.
    ///
    /// # Errors
    /// When it ends otherwise, or not in time.
    pub async fn finish(&mut self, patience: Duration) -> anyhow::Result<()> {
        self.terminate()?;
        let status = self.wait(patience).await?;
        if !status.success() {
            bail!("it ended with {status}\n{}", self.stderr());
        }
        Ok(())
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::temp_dir;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> (TempDir, Program) {
        let dir = temp_dir().unwrap();
        let program = Program::new("/bin/sh", dir.path()).args(["-c", script]).env("WORD", "hello");
        (dir, program)
    }

    #[tokio::test]
    async fn lines_of_both_streams_are_found() {
        let (_dir, mut program) = shell("echo \"out $WORD\"; echo \"err $WORD\" >&2; exec sleep 60");
        let mut binary = program.start().unwrap();
        assert_eq!(binary.wait_line("out", PATIENCE).await.unwrap(), "out hello");
        assert_eq!(binary.wait_line("err", PATIENCE).await.unwrap(), "err hello");
        let err = binary.wait_line("never", Duration::from_millis(30)).await.unwrap_err().to_string();
        assert!(err.contains("never") && err.contains("err hello"), "{err}");
    }

    #[tokio::test]
    async fn a_variable_of_one_start_is_gone_at_the_next() {
        let (_dir, mut program) = shell("echo \"is '$ONCE'\"; exec sleep 60");
        let mut first = program.start_with(&[("ONCE", "here")]).unwrap();
        assert_eq!(first.wait_line("is", PATIENCE).await.unwrap(), "is 'here'");
        let mut second = program.start().unwrap();
        assert_eq!(second.wait_line("is", PATIENCE).await.unwrap(), "is ''");
    }

    #[tokio::test]
    async fn an_early_end_is_told_at_once() {
        let (_dir, mut program) = shell("echo broken >&2; exit 3");
        let mut binary = program.start().unwrap();
        let err = binary.wait_line("ready", PATIENCE).await.unwrap_err().to_string();
        assert!(err.contains("ended") && err.contains("broken"), "{err}");
        let err = binary.wait_ready("http://127.0.0.1:9/readyz", PATIENCE).await.unwrap_err().to_string();
        assert!(err.contains("ended"), "{err}");
        assert!(binary.kill().is_err());
    }

    #[tokio::test]
    async fn kill_kills_and_the_next_start_has_its_own_logs() {
        let (_dir, mut program) = shell("echo started >&2; exec sleep 60");
        let mut first = program.start().unwrap();
        first.wait_line("started", PATIENCE).await.unwrap();
        first.kill().unwrap();
        let mut second = program.start().unwrap();
        second.wait_line("started", PATIENCE).await.unwrap();
        assert_ne!(first.stderr, second.stderr);
        assert_eq!(second.stderr(), "started\n");
    }

    #[tokio::test]
    async fn finish_expects_a_clean_end() {
        let trap = |code: u8| format!("trap 'exit {code}' TERM; echo started; while :; do sleep 0.02; done");
        let (_dir, mut program) = shell(&trap(0));
        let mut binary = program.start().unwrap();
        binary.wait_line("started", PATIENCE).await.unwrap();
        binary.finish(PATIENCE).await.unwrap();

        let (_dir, mut program) = shell(&trap(4));
        let mut binary = program.start().unwrap();
        binary.wait_line("started", PATIENCE).await.unwrap();
        assert!(binary.finish(PATIENCE).await.is_err());
    }

    #[tokio::test]
    async fn ready_means_200() {
        let sim = simulator::Simulator::start(simulator::SimulatorOptions::default()).await.unwrap();
        let (_dir, mut program) = shell("exec sleep 60");
        let mut binary = program.start().unwrap();
        binary.wait_ready(&format!("{}/_sim/stats", sim.base_url()), PATIENCE).await.unwrap();
        let not = binary.wait_ready(&format!("{}/nothing", sim.base_url()), Duration::from_millis(50)).await;
        assert!(not.unwrap_err().to_string().contains("HTTP 4"));
    }
}
