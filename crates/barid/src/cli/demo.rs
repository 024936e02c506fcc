//! `barid demo`: the engine with a simulated WhatsApp, until stopped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use types::SharedClock;
use types::clock::Stopwatch;

use super::serve::stopped;
use super::{Failure, output::Output, say};
use crate::config::{Log, LogFormat};
use crate::demo::{self, Demo, Options};
use crate::telemetry;
use crate::wire::Start;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the engine listens, on this machine alone [default: 127.0.0.1:8080, or a free port].
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    listen: Option<SocketAddr>,
    /// Where its data is.
    #[arg(long, value_name = "DIR", default_value = demo::FOLDER)]
    data: PathBuf,
    /// The database, as postgres://user:password@host/database [default: a file in its folder].
    #[arg(long, value_name = "URL", conflicts_with = "reset")]
    store: Option<String>,
    /// Begin anew: forget conversations and secrets.
    #[arg(long)]
    reset: bool,
    /// Begin without sample leads.
    #[arg(long)]
    empty: bool,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "write IP address and port, as 127.0.0.1:8080".to_owned())?;
    if !address.ip().is_loopback() {
        return Err("the demo listens on this machine alone: 127.0.0.1:PORT or [::1]:PORT".to_owned());
    }
    Ok(address)
}

pub(super) async fn run(args: Args, clock: SharedClock) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    // Quiet, so that the box below stays in sight; RUST_LOG=info shows every step.
    telemetry::logs(&Log { format: LogFormat::Pretty, level: "warn".to_owned(), message_text: false });
    let handle = telemetry::metrics().context("the metrics cannot start")?;
    let start = Start { metrics: Some(Arc::new(move || handle.render())), ..Start::default() };
    let asked = args.listen.is_some();
    let options = Options {
        listen: args.listen,
        data: args.data,
        reset: args.reset,
        sample: !args.empty,
        store: args.store,
        start,
    };
    let now = clock.now();
    let demo = demo::start(options, clock).await?;
    let address = demo.url();
    if !asked && !address.ends_with(&format!(":{}", demo::LISTEN.port())) {
        say(&format!("(port {} is taken: this is another)", demo::LISTEN.port()));
    }
    Output::new(false, now).line(&framed(&words(&demo, watch.elapsed())))?;
    stopped().await?;
    say("\nStopping: what runs comes to its end.");
    demo.stop().await;
    Ok(())
}

fn words(demo: &Demo, took: Duration) -> Vec<String> {
    let this = program();
    let data = demo.folder().path().display().to_string();
    let own = data != demo::FOLDER;
    let (chat, look) = if own {
        (
            format!("{this} chat --data {data}"),
            format!("{this} --config {} conversations", demo.folder().config().display()),
        )
    } else {
        (format!("{this} chat"), format!("{this} conversations"))
    };
    vec![
        "Barid is running: demo mode, not for production".to_owned(),
        String::new(),
        format!("open       {}", demo.start_link()),
        format!("engine     {}", demo.url()),
        format!("WhatsApp   simulated, {}/_sim/", demo.simulator().base_url()),
        format!("data       {data}"),
        String::new(),
        "In another terminal:".to_owned(),
        format!("  talk to it as a lead      {chat}"),
        format!("  see the conversations     {look}"),
        String::new(),
        format!("Ready in {:.1} s. Ctrl-C stops it.", took.as_secs_f64()),
    ]
}

/// This program as it was called, so that the line can be copied.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.is_empty() { "barid".to_owned() } else { called }
}

fn framed(lines: &[String]) -> String {
    let width = lines.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let bar = "─".repeat(width + 4);
    let mut out = format!("┌{bar}┐\n");
    for line in lines {
        let room = width - line.chars().count();
        out.push_str(&format!("│  {line}{:room$}  │\n", ""));
    }
    out + &format!("└{bar}┘")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine() {
        for (text, good) in [
            ("127.0.0.1:8080", true),
            ("[::1]:0", true),
            ("0.0.0.0:8080", false),
            ("10.0.0.1:1", false),
            ("8080", false),
        ] {
            assert_eq!(loopback(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn the_frame_fits_its_widest_line() {
        assert_eq!(framed(&["ab".into(), "a".into()]), "┌──────┐\n│  ab  │\n│  a   │\n└──────┘");
    }
}
