//! Posts webhooks as the providers do: what is not answered with 200 comes again. Also the ledger of what the engine
//! acknowledged, against which a crash test counts.
//!
//! - [`http`]: a small pooled client

pub mod http;

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::clock::Stopwatch;

pub use self::http::{Answer, BadUrl, HttpClient, PostError};
use crate::journal::Provider;
use crate::lead::Webhook;
use crate::locked;
use crate::options::Backoff;

/// A webhook that the engine answered with 200: it has promised to answer that message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The id of the message in it; empty when it carried none.
    pub id: String,
    /// The customer.
    pub chat: String,
}

/// No 200 came within [`Backoff::give_up`].
#[derive(Debug, thiserror::Error)]
#[error("given up after {attempts} attempts; the last: {last}")]
pub struct GaveUp {
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt came to.
    pub last: String,
}

/// Posts webhooks of one provider to one address.
#[derive(Debug)]
pub struct WebhookClient {
    http: HttpClient,
    retry: Backoff,
    acknowledged: Mutex<Vec<Acknowledged>>,
    /// Green API sends nothing while its head of line is unanswered.
    line: tokio::sync::Mutex<()>,
}

impl WebhookClient {
    /// To the engine's webhook address (`http://…`).
    ///
    /// # Errors
    /// [`BadUrl`] when it is not plain HTTP with a host.
    pub fn new(url: &str, retry: Backoff) -> Result<Self, BadUrl> {
        Ok(Self {
            http: HttpClient::new(url)?,
            retry,
            acknowledged: Mutex::default(),
            line: tokio::sync::Mutex::default(),
        })
    }

    /// Posts once. 200 goes into the ledger.
    ///
    /// # Errors
    /// [`PostError`] when no answer came in [`Backoff::timeout`].
    pub async fn post(&self, webhook: &Webhook) -> Result<Answer, PostError> {
        let answer = post(&self.http, webhook, self.retry.timeout).await?;
        if answer.status == 200 {
            locked(&self.acknowledged).push(Acknowledged { id: webhook.id.clone(), chat: webhook.chat.clone() });
        }
        Ok(answer)
    }

    /// Posts until it is acknowledged, and says how many attempts that took. Meta's come concurrently; Green API's wait in line.
    ///
    /// # Errors
    /// [`GaveUp`] after [`Backoff::give_up`].
    pub async fn deliver(&self, webhook: &Webhook) -> Result<u32, GaveUp> {
        let _place = match webhook.provider {
            Provider::Green => Some(self.line.lock().await),
            Provider::Meta => None,
        };
        let since = Stopwatch::start();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let last = match self.post(webhook).await {
                Ok(answer) if answer.status == 200 => return Ok(attempts),
                Ok(answer) => format!("HTTP {}", answer.status),
                Err(err) => err.to_string(),
            };
            let wait = self.retry.wait(attempts);
            if since.elapsed() + wait > self.retry.give_up {
                return Err(GaveUp { attempts, last });
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// What was answered with 200, in the order of the answers. A repeated webhook is there as often as it was acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        locked(&self.acknowledged).clone()
    }
}

/// Posts a webhook once, with its header.
pub(crate) async fn post(http: &HttpClient, webhook: &Webhook, timeout: Duration) -> Result<Answer, PostError> {
    let header = (!webhook.proof.is_empty()).then_some((webhook.header(), webhook.proof.as_str()));
    http.post(header, webhook.body.clone(), timeout).await
}
