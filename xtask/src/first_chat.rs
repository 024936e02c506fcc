//! `cargo xtask first-chat`: how long a newcomer waits from `git clone` to the first answered chat. Cold: a fresh clone of what is committed here,
//! with nothing built and the page's packages fetched anew (what cargo has fetched before is not fetched again). Warm: the same again, all of it built.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::demo::Demo;
use crate::run::{Watch, cargo, passes, say};

/// How long either may take when nothing else is said.
const LIMIT: Duration = Duration::from_mins(40);

/// Runs it; with `--here` only the warm part, in this checkout; `--limit SECONDS` bounds each part.
pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let Options { limit, here } = options(args)?;
    let data = tempfile::tempdir().context("no folder for the demo's data")?;
    if here {
        report("warm, in this checkout", Duration::ZERO, &chat(root, data.path(), limit)?);
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
    let cold = chat(&clone, &data.path().join("cold"), limit.saturating_sub(cloned))?;
    report("cold", cloned, &cold);
    report("warm", Duration::ZERO, &chat(&clone, &data.path().join("warm"), limit)?);
    Ok(true)
}

struct Options {
    limit: Duration,
    here: bool,
}

fn options(args: &[String]) -> Result<Options> {
    let mut options = Options { limit: LIMIT, here: false };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--here" => options.here = true,
            "--limit" => {
                let seconds = rest.next().and_then(|n| n.parse().ok()).context("--limit needs a number of seconds")?;
                options.limit = Duration::from_secs(seconds);
            }
            other => bail!("cargo xtask first-chat has no option {other}: --limit SECONDS, --here"),
        }
    }
    Ok(options)
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

/// README's first command, and one line by its second. Nothing that was built elsewhere is used: target folder, compiler cache and npm's cache
/// are those of the checkout.
fn chat(root: &Path, data: &Path, limit: Duration) -> Result<Took> {
    let watch = Watch::start();
    let mut command = cargo(root);
    command.args(["xtask", "demo", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("CARGO_TARGET_DIR", root.join("target")).env_remove("RUSTC_WRAPPER");
    command.env("npm_config_cache", root.join("target/npm"));
    let demo = Demo::start(&mut command, limit)?;
    let ready = watch.elapsed();
    let mut talk = Command::new(root.join("target/debug/barid"))
        .args(["chat", "--patience", "60", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the chat did not start")?;
    writeln!(talk.stdin.take().context("no pipe to the chat")?, "Hi")?;
    let out = talk.stdout.take().context("no pipe from the chat")?;
    let (said, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = said.send(line);
        }
    });
    let words = loop {
        match lines.recv_timeout(limit.saturating_sub(watch.elapsed())) {
            Ok(line) if line.trim().is_empty() || line.starts_with("you") => {}
            Ok(line) => break line.trim().to_owned(),
            Err(_) => bail!("nobody answered within {} s", limit.as_secs()),
        }
    };
    let answered = watch.elapsed();
    let _ = talk.wait();
    if !demo.stop()?.success() {
        bail!("the demo did not stop well");
    }
    Ok(Took { ready, answered, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_bounded() {
        let read = |text: &str| options(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("").unwrap().limit, LIMIT);
        let some = read("--here --limit 5").unwrap();
        assert_eq!((some.here, some.limit), (true, Duration::from_secs(5)));
        assert!(read("--limit").is_err() && read("--limit soon").is_err() && read("--help").is_err());
    }
}
