//! The control surface of the running demo (`/_sim/…`), from the chat's side.

use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use simulator::client::HttpClient;
use simulator::control::{Order, Posted};
use simulator::{Accepted, Event, Provider};

/// As whom, and through what, the chat speaks.
pub(super) struct Line {
    pub(super) provider: Provider,
    pub(super) channel: String,
    pub(super) phone: String,
    pub(super) name: String,
}

impl Line {
    /// Whether a send of the business goes to this lead.
    pub(super) fn is_to(&self, sent: &Accepted) -> bool {
        let to = sent.to.split('@').next().unwrap_or_default();
        sent.provider == self.provider && *sent.channel == *self.channel && to == self.phone
    }
}

#[derive(Deserialize)]
struct Channel {
    provider: Provider,
    channel: String,
}

/// The running demo's simulator.
pub(super) struct Sim(String);

/// For an answer of this machine.
const PROMPT: Duration = Duration::from_secs(5);
/// For a message: the engine may take its time to accept it.
const PATIENCE: Duration = Duration::from_secs(30);

impl Sim {
    pub(super) const fn new(base: String) -> Self {
        Self(base)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> anyhow::Result<T> {
        let gone = "the demo does not answer any more";
        let answer = HttpClient::new(&format!("{}/_sim/{path}", self.0))?.get(patience).await.context(gone)?;
        if answer.status != 200 {
            bail!("{gone}: HTTP {}", answer.status);
        }
        serde_json::from_slice(&answer.body).context("the demo's answer cannot be read: is it another version?")
    }

    /// The provider's number or instance.
    pub(super) async fn channel(&self, provider: Provider) -> anyhow::Result<String> {
        let all: Vec<Channel> = self.get("channels", PROMPT).await?;
        let found = all.into_iter().find(|c| c.provider == provider);
        found.map(|c| c.channel).context("the demo has no number at this provider")
    }

    /// The order of the last event so far.
    pub(super) async fn last_event(&self) -> anyhow::Result<u64> {
        let all: Vec<Event> = self.get("events?after=0", PROMPT).await?;
        Ok(all.last().map_or(0, |e| e.order))
    }

    /// Events after the `after`-th; waits for the first.
    pub(super) async fn events(&self, after: u64, wait: Duration) -> anyhow::Result<Vec<Event>> {
        let path = format!("events?after={after}&wait_ms={}", wait.as_millis());
        self.get(&path, wait + PROMPT).await
    }

    /// Writes as the lead. The inner error: the engine did not take it.
    pub(super) async fn write(&self, line: &Line, text: &str) -> anyhow::Result<Result<(), String>> {
        let order = Order {
            channel: line.channel.clone(),
            phone: line.phone.clone(),
            name: line.name.clone(),
            text: text.to_owned(),
            ..Order::default()
        };
        let http = HttpClient::new(&format!("{}/_sim/lead", self.0))?;
        let body = serde_json::to_vec(&order)?.into();
        let answer = http.post(None, body, PATIENCE).await.context("the demo does not answer any more")?;
        if answer.status != 200 {
            bail!("the simulator refused: {}", String::from_utf8_lossy(&answer.body));
        }
        let posted: Posted = serde_json::from_slice(&answer.body).context("the demo's answer cannot be read")?;
        Ok(match posted.status {
            Some(200) => Ok(()),
            Some(status) => Err(format!("HTTP {status} {}", posted.answer)),
            None => Err(posted.answer),
        })
    }
}
