//! Tells endpoints of tenants what happened: one POST, signed as Standard Webhooks wants it. Tenants choose these addresses, so private ones are
//! refused unless the operator allows them (S7.3), and no redirect is followed.

use std::time::Duration;

use net::Client;
use types::clock::Stopwatch;
use types::http::{Body, Method, NoAnswer, Plan};
use types::{DeliveryId, Secret, Timestamp};

use crate::alerts::sign;

/// What is told to whom.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its id, the same in every try.
    pub id: DeliveryId,
    /// Where to; it may hold a token.
    pub url: Secret,
    /// The secrets that are good now: two while one takes the other's place.
    pub secrets: Vec<Secret>,
    /// The JSON.
    pub body: String,
}

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The HTTP status; `None`: no answer came.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// Why it does not count as heard.
    pub error: Option<String>,
    /// Not again before this.
    pub retry_after: Option<Duration>,
}

/// The way to endpoints.
#[derive(Clone, Debug)]
pub struct Caller {
    client: Client,
    timeout: Duration,
}

impl Caller {
    /// Through this client; `timeout` bounds one try.
    #[must_use]
    pub const fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout }
    }

    /// One try.
    pub async fn tell(&self, letter: &Letter, now: Timestamp) -> Heard {
        let watch = Stopwatch::start();
        let answer = self.client.call(&plan(letter, now), self.timeout).await;
        let heard = judge(answer.map(|a| (a.status, a.retry_after)), watch.elapsed());
        let outcome = if heard.error.is_none() { "delivered" } else { "failed" };
        metrics::counter!("webhook_delivery_total", "outcome" => outcome).increment(1);
        metrics::histogram!("webhook_delivery_seconds").record(heard.took.as_secs_f64());
        heard
    }
}

fn judge(answer: Result<(u16, Option<Duration>), NoAnswer>, took: Duration) -> Heard {
    let (status, retry_after, error) = match answer {
        Ok((status @ 200..300, _)) => (Some(status), None, None),
        // Followed nowhere: it could lead to a private address.
        Ok((status @ 300..400, _)) => (
            Some(status),
            None,
            Some(format!("it answered {status}: a redirect is not followed, write its new address")),
        ),
        Ok((status @ 410, _)) => (Some(status), None, Some("it answered 410: it wants nothing any more".to_owned())),
        Ok((status, after)) => (Some(status), after, Some(format!("it answered {status}"))),
        Err(error) => (None, None, Some(error.to_string())),
    };
    Heard { status, took, error, retry_after }
}

fn plan(letter: &Letter, now: Timestamp) -> Plan {
    let (id, at) = (format!("msg_{}", letter.id), now.seconds().to_string());
    let signed: Vec<String> =
        letter.secrets.iter().map(|secret| format!("v1,{}", sign(secret, &id, &at, &letter.body))).collect();
    let headers = [("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signed.join(" "))];
    Plan {
        method: Method::Post,
        url: letter.url.clone(),
        authorization: None,
        headers: headers.map(|(name, value)| (name.to_owned(), Secret::new(value))).into(),
        body: Body::Json(letter.body.clone().into_bytes()),
        name: "endpoint",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_heard_and_a_time_that_is_named_is_kept() {
        let judged =
            |status: u16, after: Option<u64>| judge(Ok((status, after.map(Duration::from_secs))), Duration::ZERO);
        for (status, heard) in
            [(200, true), (204, true), (299, true), (301, false), (308, false), (400, false), (410, false)]
        {
            assert_eq!(judged(status, None).error.is_none(), heard, "{status}");
        }
        assert_eq!(judged(503, Some(90)).retry_after, Some(Duration::from_secs(90)));
        assert_eq!(judged(302, Some(90)).retry_after, None);
        let lost = judge(Err(NoAnswer::Lost { host: "h:443".into(), why: "no answer in time".into() }), Duration::ZERO);
        assert_eq!((lost.status, lost.error.as_deref()), (None, Some("no answer from h:443: no answer in time")));
    }

    #[test]
    fn while_a_secret_is_exchanged_both_sign() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "other"].map(Secret::new).to_vec();
        let letter = Letter { id: DeliveryId(5), url: Secret::new("https://x/"), secrets, body: "{}".into() };
        let plan = plan(&letter, Timestamp::from_seconds(9));
        let of = |n: usize| plan.headers[n].1.expose().to_owned();
        assert_eq!((of(0).as_str(), of(1).as_str()), ("msg_5", "9"));
        let both: Vec<String> = letter.secrets.iter().map(|s| format!("v1,{}", sign(s, "msg_5", "9", "{}"))).collect();
        assert_eq!(of(2), both.join(" "));
    }
}
