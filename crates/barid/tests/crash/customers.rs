//! Customers who write without pause. Each conversation in order: the next message only when the provider's webhook for the last one was
//! acknowledged; a webhook is repeated until then, and now and then once more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use simulator::client::{Acknowledged, WebhookClient};
use simulator::lead::{GreenSource, MetaSource, Webhook};
use simulator::{Accepted, Backoff, Provider};
use testkit::simulator;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use types::{Dice, SystemClock};

use crate::arena::{Arena, green, meta};

/// Messages that one customer writes before the next one comes.
const MESSAGES: usize = 40;
/// Each customer in a hundred repeats so many webhooks that were acknowledged.
const REPEATS: u64 = 5;

/// How the customers behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Conversations at the same time.
    pub many: usize,
    /// Longest pause between two messages of one customer.
    pub pause: Duration,
}

/// What customers wrote and what was acknowledged.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// One for each node: a webhook goes to any of them, and its repeats to any other.
    clients: Vec<WebhookClient>,
    posted: Mutex<Vec<Acknowledged>>,
    /// The message that is the nth of a customer: answers over Green API carry no key, but the number of their question.
    places: Mutex<HashMap<(String, usize), String>>,
    stop: AtomicBool,
    dice: Dice,
}

#[derive(Debug)]
enum Source {
    Meta(MetaSource),
    Green(GreenSource),
}

impl Source {
    fn webhook(&self, phone: &str, text: &str) -> Webhook {
        match self {
            Self::Meta(source) => source.lead(phone, "Omar").text(text),
            Self::Green(source) => source.lead(phone, "Omar").text(text),
        }
    }
}

/// Customers at work.
#[derive(Debug)]
pub(crate) struct Customers {
    pub ledger: Arc<Ledger>,
    running: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Customers {
    /// They begin to write.
    pub fn start(arena: &Arena, crowd: Crowd) -> anyhow::Result<Self> {
        let retry = Backoff {
            first: Duration::from_millis(5),
            factor: 2,
            longest: Duration::from_millis(40),
            give_up: Duration::from_secs(120),
            timeout: Duration::from_secs(3),
        };
        let ledger = Arc::new(Ledger {
            clients: arena.webhook_urls().iter().map(|url| WebhookClient::new(url, retry)).collect::<Result<_, _>>()?,
            posted: Mutex::default(),
            places: Mutex::default(),
            stop: AtomicBool::new(false),
            dice: Dice::seeded(arena.dice.throw()),
        });
        let source = Arc::new(if arena.rules.green {
            Source::Green(GreenSource::new(&green(), Arc::new(SystemClock)))
        } else {
            Source::Meta(MetaSource::new(&meta(), Arc::new(SystemClock)))
        });
        let tasks = TaskTracker::new();
        let running = (0..crowd.many)
            .map(|n| tasks.spawn(customer(Arc::clone(&ledger), Arc::clone(&source), n, crowd.pause)))
            .collect();
        Ok(Self { ledger, running })
    }

    /// They write no more; resolves when all that was written is acknowledged.
    pub async fn stop(self) -> anyhow::Result<Arc<Ledger>> {
        self.ledger.stop.store(true, Ordering::Relaxed);
        for task in self.running {
            task.await??;
        }
        Ok(self.ledger)
    }
}

async fn customer(ledger: Arc<Ledger>, source: Arc<Source>, n: usize, pause: Duration) -> anyhow::Result<()> {
    for who in 0.. {
        let phone = format!("97150{n:03}{who:04}");
        for place in 1..=MESSAGES {
            if ledger.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let webhook = source.webhook(&phone, &format!("the answer is {place}"));
            ledger.add(&webhook, &phone, place);
            ledger.client().deliver(&webhook).await.with_context(|| format!("{} of {phone}", webhook.id))?;
            if ledger.dice.throw() % 100 < REPEATS {
                ledger.client().deliver(&webhook).await.with_context(|| format!("{} again", webhook.id))?;
            }
            let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX).max(1);
            tokio::time::sleep(Duration::from_micros(ledger.dice.throw() % micros)).await;
        }
    }
    Ok(())
}

impl Ledger {
    fn add(&self, webhook: &Webhook, phone: &str, place: usize) {
        let entry = Acknowledged { id: webhook.id.clone(), chat: phone.to_owned() };
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert((phone.to_owned(), place), webhook.id.clone());
    }

    /// What was written, in order.
    pub fn posted(&self) -> Vec<Acknowledged> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The way to any node.
    fn client(&self) -> &WebhookClient {
        let n = usize::try_from(self.dice.throw() % (self.clients.len() as u64)).unwrap_or(0);
        &self.clients[n]
    }

    /// What was acknowledged, by any node.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.clients.iter().flat_map(WebhookClient::acknowledged).collect()
    }

    /// The message that a send answers.
    pub fn inbound_of(&self, send: &Accepted) -> Option<String> {
        match send.provider {
            Provider::Meta => testkit::ledgers::inbound_of(send),
            Provider::Green => {
                let phone = send.to.split('@').next().unwrap_or_default();
                let place = send.body.rsplit_once("Question ")?.1.trim_end_matches('?').parse().ok()?;
                let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
                places.get(&(phone.to_owned(), place)).cloned()
            }
        }
    }

    /// Waits until at least so many were acknowledged.
    pub async fn wait_acknowledged(&self, many: usize) -> anyhow::Result<()> {
        for _ in 0..3000 {
            if self.acknowledged().len() >= many {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ensure!(false, "fewer than {many} webhooks were acknowledged in 30 s");
        Ok(())
    }
}
