//! Tells alerts to people (S6.6): a webhook signed as Standard Webhooks wants it, Slack, and mail. Addresses are the operator's, and yet private ones
//! are refused unless allowed (S7.3): a settings file may be written by another hand than the machine's.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use net::{Breakers, Client, Mail, Mailer};
use ring::hmac;
use types::alert::{AlertEvent, AlertNews};
use types::http::{Body, Method, Plan};
use types::{Secret, Timestamp};

/// Somebody who is told.
#[derive(Clone, Debug)]
pub enum Sink {
    /// A program of the operator's.
    Webhook {
        /// Where.
        url: Secret,
        /// The key of the signature, as Standard Webhooks writes it (`whsec_…`), or any text.
        secret: Secret,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// Where; whoever knows it can write there.
        url: Secret,
    },
    /// People, by mail.
    Email {
        /// The way to the mail server.
        mailer: Mailer,
        /// Who.
        to: Vec<String>,
    },
}

impl Sink {
    /// Its word in rows and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Email { .. } => "email",
        }
    }
}

/// Everybody who is told.
#[derive(Clone, Debug)]
pub struct Teller {
    sinks: Vec<Sink>,
    client: Client,
    breakers: Breakers,
    timeout: Duration,
}

impl Teller {
    /// Through this client.
    #[must_use]
    pub const fn new(sinks: Vec<Sink>, client: Client, breakers: Breakers, timeout: Duration) -> Self {
        Self { sinks, client, breakers, timeout }
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.sinks.iter().map(|s| s.name().to_owned()).collect()
    }

    /// Tells `news` to the one of that name, once.
    ///
    /// # Errors
    /// Why they did not hear it, without a secret.
    pub async fn tell(&self, name: &str, news: &AlertNews, now: Timestamp) -> Result<(), String> {
        let sink = self.sinks.iter().find(|s| s.name() == name).ok_or("nobody of that name is configured any more")?;
        let breaker = if name == "email" { "smtp".to_owned() } else { format!("alert_{name}") };
        let permit = self.breakers.permit(&breaker).map_err(|open| open.to_string())?;
        let result = match sink {
            Sink::Webhook { url, secret } => self.post(name, &webhook(url, secret, news, now)).await,
            Sink::Slack { url } => self.post(name, &post(url, slack(news), "alert.slack")).await,
            Sink::Email { mailer, to } => {
                mailer.send(&mail(mailer.domain(), to, news), self.timeout).await.map_err(|refusal| refusal.reason)
            }
        };
        match &result {
            Ok(()) => permit.succeeded(),
            Err(why) => permit.failed(why),
        }
        let outcome = if result.is_ok() { "told" } else { "failed" };
        metrics::counter!("alert_delivery_total", "sink" => sink.name(), "outcome" => outcome).increment(1);
        result
    }

    async fn post(&self, name: &str, plan: &Plan) -> Result<(), String> {
        match self.client.call(plan, self.timeout).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            // A redirect is followed nowhere: it could lead to a private address.
            Ok(answer) => Err(format!("{name} answered {}", answer.status)),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// The same Message-ID in every try: who gets it twice sees it once.
fn mail(domain: &str, to: &[String], news: &AlertNews) -> Mail {
    let (word, until) = match news.event {
        AlertEvent::Raised => ("", String::new()),
        AlertEvent::Cleared => {
            ("Well again: ", news.cleared_at.map_or_else(String::new, |at| format!("\nUntil: {at}")))
        }
    };
    let tenant = news.tenant.as_deref().map_or_else(String::new, |t| format!(" ({t})"));
    Mail {
        to: to.to_vec(),
        subject: format!("[Barid] {word}{}{tenant}", news.kind.title()),
        body: format!("{}\n\nOn: {}\nSince: {}{until}\n", news.detail, news.matter, news.raised_at),
        message_id: format!("<alert-{}@{domain}>", news.delivery),
        answers: None,
    }
}

fn post(url: &Secret, body: String, name: &'static str) -> Plan {
    Plan {
        method: Method::Post,
        url: url.clone(),
        authorization: None,
        headers: Vec::new(),
        body: Body::Json(body.into_bytes()),
        name,
    }
}

fn webhook(url: &Secret, secret: &Secret, news: &AlertNews, now: Timestamp) -> Plan {
    let body = serde_json::json!({
        "type": format!("alert.{}", news.event.as_str()),
        "timestamp": now.to_string(),
        "data": {
            "id": news.alert.to_string(),
            "kind": news.kind,
            "matter": news.matter,
            "tenant": news.tenant,
            "detail": news.detail,
            "value": news.value,
            "threshold": news.threshold,
            "raised_at": news.raised_at.to_string(),
            "cleared_at": news.cleared_at.map(|at| at.to_string()),
        },
    })
    .to_string();
    let (id, at) = (format!("msg_{}", news.delivery), now.seconds().to_string());
    let signature = format!("v1,{}", sign(secret, &id, &at, &body));
    let headers = [("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)];
    let headers = headers.map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
    Plan { headers, ..post(url, body, "alert.webhook") }
}

/// The signature of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in base64.
#[must_use]
pub fn sign(secret: &Secret, id: &str, at: &str, body: &str) -> String {
    let text = secret.expose();
    let key = text
        .strip_prefix("whsec_")
        .and_then(|key| STANDARD.decode(key).ok())
        .unwrap_or_else(|| text.as_bytes().to_vec());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    STANDARD.encode(hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes()))
}

fn slack(news: &AlertNews) -> String {
    let (mark, title) = match news.event {
        AlertEvent::Raised => (":rotating_light:", news.kind.title().to_owned()),
        AlertEvent::Cleared => (":white_check_mark:", format!("Well again: {}", news.kind.title())),
    };
    let tenant = news.tenant.as_deref().map_or_else(String::new, |t| format!(" ({})", plain(t)));
    serde_json::json!({ "text": format!("{mark} *{title}*{tenant}\n{}", plain(&news.detail)) }).to_string()
}

/// Text that Slack takes for nothing but text.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::AlertId;
    use types::alert::AlertKind;

    fn news() -> AlertNews {
        AlertNews {
            delivery: AlertId(7),
            alert: AlertId(6),
            event: AlertEvent::Raised,
            kind: AlertKind::DeadLetters,
            matter: "dead_letters 1".into(),
            tenant: Some("alain".into()),
            detail: "11 wait <!channel> & more".into(),
            value: 11,
            threshold: 10,
            raised_at: Timestamp::from_seconds(1_700_000_000),
            cleared_at: None,
        }
    }

    /// The example of the Standard Webhooks specification.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let signed = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_webhook_says_what_is_wrong_and_slack_takes_nothing_for_a_command() {
        let plan = webhook(&Secret::new("http://x/"), &Secret::new("s"), &news(), Timestamp::from_seconds(9));
        let Body::Json(body) = &plan.body else { panic!() };
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!(
            (body["type"].as_str(), body["data"]["kind"].as_str()),
            (Some("alert.raised"), Some("dead_letters"))
        );
        assert_eq!((plan.headers[0].1.expose(), plan.headers[1].1.expose()), ("msg_7", "9"));
        assert!(slack(&news()).contains("&lt;!channel&gt; &amp; more"));
    }
}
