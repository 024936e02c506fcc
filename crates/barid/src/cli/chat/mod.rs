//! `barid chat`: talk to the running demo as a lead. What is typed goes through the simulated provider as a signed webhook; what comes back is
//! what the provider took. With piped stdin each line is a message, and the next waits for the reply to the one before.
//!
//! - `sim`: the demo's control surface, from here
//! - `screen`: what it looks like

mod screen;
mod sim;

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use simulator::{Event, Happened, Provider};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use types::clock::Stopwatch;
use types::text::phone_digits;

use super::{Failure, output::Output, say};
use crate::demo::{self, Folder};
use screen::Screen;
use sim::{Line, Sim};

/// Arguments of `chat`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The lead's number: the same one goes on with the same conversation.
    #[arg(long = "as", value_name = "PHONE", default_value = "971500000001", value_parser = phone)]
    phone: String,
    /// The name in the lead's WhatsApp profile.
    #[arg(long, default_value = "Sara")]
    name: String,
    /// Through which simulated provider.
    #[arg(long, value_enum, default_value_t = Through::Meta)]
    channel: Through,
    /// With piped stdin: wait so many seconds for a reply.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    patience: u64,
    /// The folder of the running demo.
    #[arg(long, value_name = "DIR", default_value = demo::FOLDER)]
    data: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Through {
    Meta,
    Greenapi,
}

impl Through {
    const fn provider(self) -> Provider {
        match self {
            Self::Meta => Provider::Meta,
            Self::Greenapi => Provider::Green,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Meta => "Meta Cloud API",
            Self::Greenapi => "Green API",
        }
    }
}

fn phone(text: &str) -> Result<String, String> {
    phone_digits(text).ok_or_else(|| "write the digits with the country code, as 971500000001".to_owned())
}

/// A reply is shown with its ticks: this long it waits for them.
const TICKS: Duration = Duration::from_millis(1500);
/// How long one look for news waits.
const LOOK: Duration = Duration::from_secs(20);

/// A reply that came and is not shown yet.
struct Reply {
    id: String,
    text: String,
    ticks: screen::Ticks,
    since: Stopwatch,
}

struct Chat {
    sim: Sim,
    screen: Screen,
    line: Line,
    /// The last event seen.
    after: u64,
    replies: Vec<Reply>,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let folder = Folder::at(&args.data);
    let no_demo = || {
        let at = if args.data == std::path::Path::new(demo::FOLDER) {
            String::new()
        } else {
            format!(" --data {}", args.data.display())
        };
        Failure::Failed(anyhow::anyhow!(
            "no demo is running here (looked in {}). Start one in another terminal: barid demo{at}",
            args.data.display()
        ))
    };
    let running = folder.running()?.ok_or_else(no_demo)?;
    let sim = Sim::new(running.simulator);
    // A demo that was killed could not take its note back.
    let channel = sim.channel(args.channel.provider()).await.map_err(|_| no_demo())?;
    let after = sim.last_event().await?;
    let line = Line { provider: args.channel.provider(), channel, phone: args.phone, name: args.name };
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    say(&format!(
        "{} of {}, as {} ({}), through {} (simulated)",
        running.assistant,
        running.business,
        line.phone,
        line.name,
        args.channel.words()
    ));
    let out = Output::new(false, types::Timestamp::ZERO);
    let screen = Screen::new(out, &running.assistant, interactive);
    let chat = Chat { sim, screen, line, after, replies: Vec::new() };
    if interactive {
        say("Type a message and press Enter; Ctrl-D ends.\n");
        chat.live().await
    } else {
        chat.script(Duration::from_secs(args.patience)).await
    }
}

/// Lines of stdin as they come; a thread of its own, since a terminal gives no line before it is typed.
fn lines(tasks: &TaskTracker) -> mpsc::Receiver<String> {
    let (to, lines) = mpsc::channel(1);
    tasks.spawn_blocking(move || {
        for line in std::io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            if !line.is_empty() && to.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Chat {
    /// One line after the other, each answered before the next.
    async fn script(mut self, patience: Duration) -> Result<(), Failure> {
        let tasks = TaskTracker::new();
        let mut lines = lines(&tasks);
        let mut refused = 0;
        while let Some(text) = lines.recv().await {
            let posted = self.sim.write(&self.line, &text).await?;
            if let Err(why) = &posted {
                refused += 1;
                self.screen.said(&text, Some(why))?;
                continue;
            }
            self.screen.said(&text, None)?;
            if !self.answered(patience).await? {
                self.screen.note(&format!("(no reply within {} s)", patience.as_secs()))?;
            }
        }
        if refused > 0 {
            return Err(Failure::Failed(anyhow::anyhow!("{refused} messages were not taken")));
        }
        Ok(())
    }

    /// Waits for the reply and shows it with its ticks; whether one came.
    async fn answered(&mut self, patience: Duration) -> Result<bool, Failure> {
        let since = Stopwatch::start();
        let mut shown = 0;
        loop {
            shown += self.show_ready()?;
            if shown > 0 && self.replies.is_empty() {
                return Ok(true);
            }
            let left = if self.replies.is_empty() { patience.saturating_sub(since.elapsed()) } else { self.hold() };
            if left.is_zero() && self.replies.is_empty() {
                return Ok(false);
            }
            self.look(left).await?;
        }
    }

    /// A person at a terminal: lines and news in any order.
    async fn live(mut self) -> Result<(), Failure> {
        let tasks = TaskTracker::new();
        let mut lines = lines(&tasks);
        self.screen.prompt()?;
        loop {
            let wait = if self.replies.is_empty() { LOOK } else { self.hold() };
            let text = tokio::select! {
                text = lines.recv() => text,
                events = self.sim.events(self.after, wait) => {
                    self.take(events?);
                    if self.show_ready()? > 0 {
                        self.screen.prompt()?;
                    }
                    continue;
                }
            };
            let Some(text) = text else {
                return self.screen.end();
            };
            if let Err(why) = self.sim.write(&self.line, &text).await? {
                self.screen.note(&format!("✗ not taken: {why}"))?;
            }
            self.screen.prompt()?;
        }
    }

    /// How long the oldest reply still waits for its ticks.
    fn hold(&self) -> Duration {
        self.replies.iter().map(|r| TICKS.saturating_sub(r.since.elapsed())).min().unwrap_or_default()
    }

    async fn look(&mut self, wait: Duration) -> Result<(), Failure> {
        let events = self.sim.events(self.after, wait.min(LOOK)).await?;
        self.take(events);
        Ok(())
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            self.after = self.after.max(event.order);
            match event.what {
                Happened::Accepted(a) if self.line.is_to(&a) => self.replies.push(Reply {
                    id: a.provider_id.to_string(),
                    text: a.body.clone(),
                    ticks: screen::Ticks::None,
                    since: Stopwatch::start(),
                }),
                Happened::Status { provider_id, status, .. } => {
                    if let Some(reply) = self.replies.iter_mut().find(|r| *r.id == *provider_id) {
                        reply.ticks = reply.ticks.with(&status);
                    }
                }
                _ => {}
            }
        }
    }

    /// Shows, in their order, the replies whose ticks are final or late; how many.
    fn show_ready(&mut self) -> Result<usize, Failure> {
        let ready = self.replies.iter().take_while(|r| r.ticks.last() || r.since.elapsed() >= TICKS).count();
        for reply in self.replies.drain(..ready) {
            self.screen.reply(&reply.text, reply.ticks)?;
        }
        Ok(ready)
    }
}
