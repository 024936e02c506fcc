//! `cargo xtask first-chat`: how long a newcomer waits from `git clone` to the first answered chat. Cold: a fresh clone of what is committed here,
//! with nothing built (packages that this machine has fetched before are not fetched again). Warm: the same again, all of it built.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::{Watch, cargo, passes, say};

/// Runs it; with `--here` only the warm part, in this checkout.
pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let data = tempfile::tempdir().context("no folder for the demo's data")?;
    if args.iter().any(|a| a == "--here") {
        report("warm, in this checkout", Duration::ZERO, &chat(root, data.path())?);
        return Ok(true);
    }
    let place = tempfile::tempdir().context("no folder to clone into")?;
    let clone = place.path().join("barid");
    let watch = Watch::start();
    let from = format!("file://{}", root.display());
    if !passes(Command::new("git").args(["clone", "--quiet", "--depth", "1", &from]).arg(&clone))? {
        return Ok(false);
    }
    let cloned = watch.elapsed();
    let cold = chat(&clone, &data.path().join("cold"))?;
    let warm = chat(&clone, &data.path().join("warm"))?;
    report("cold", cloned, &cold);
    report("warm", Duration::ZERO, &warm);
    Ok(true)
}

/// What it took.
struct Took {
    ready: Duration,
    answered: Duration,
    words: String,
}

fn report(what: &str, before: Duration, took: &Took) {
    let clone = if before.is_zero() { String::new() } else { format!("clone {:.1} s, ", before.as_secs_f64()) };
    say(&format!(
        "{what}: {clone}demo ready after {:.1} s, first answer after {:.1} s: {}",
        (before + took.ready).as_secs_f64(),
        (before + took.answered).as_secs_f64(),
        took.words
    ));
}

/// Ends with this.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// README's first command, and one line by its second.
fn chat(root: &Path, data: &Path) -> Result<Took> {
    let watch = Watch::start();
    let mut command = cargo(root);
    command.args(["xtask", "demo", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env_remove("CARGO_TARGET_DIR").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut demo = Demo(command.spawn().context("cargo did not start")?);
    let out = demo.0.stdout.take().context("no pipe to the demo")?;
    let mut lines = BufReader::new(out).lines();
    loop {
        match lines.next() {
            Some(line) if line.as_ref().is_ok_and(|l| l.contains("Ready in")) => break,
            Some(_) => {}
            None => bail!("the demo ended before it was ready; what it said is above"),
        }
    }
    let ready = watch.elapsed();
    let mut talk = Command::new(root.join("target/debug/barid"))
        .args(["chat", "--patience", "60", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the chat did not start")?;
    writeln!(talk.stdin.take().context("no pipe to the chat")?, "Hi")?;
    let answers = BufReader::new(talk.stdout.take().context("no pipe from the chat")?).lines();
    let answer = answers.map_while(Result::ok).find(|line| !line.trim().is_empty() && !line.starts_with("you"));
    let answered = watch.elapsed();
    let _ = talk.wait();
    let words = answer.context("nobody answered")?.trim().to_owned();
    Ok(Took { ready, answered, words })
}
