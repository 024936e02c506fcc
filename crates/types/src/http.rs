//! A planned request and its answer, as values: `channels` makes and reads them, `net` carries them out.

use std::time::Duration;

use crate::{Secret, Timestamp};

/// The method of a planned request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

/// The body of a planned request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// JSON, already written.
    Json(Vec<u8>),
    /// `application/x-www-form-urlencoded` pairs.
    Form(Vec<(String, String)>),
}

/// A request that a channel wants made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// GET or POST.
    pub method: Method,
    /// Where to; secret, since Green API and Telegram carry their token in the path.
    pub url: Secret,
    /// `Authorization`, when the provider wants one.
    pub authorization: Option<Secret>,
    /// Other headers, in lower case; values are secret, since keys travel in them.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Body,
    /// A name for logs and metrics that holds no secret: `meta.messages`.
    pub name: &'static str,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds or as a date, or a vendor's own header in milliseconds.
    pub retry_after: Option<Duration>,
    /// `x-should-retry`: what the vendor itself says of trying again.
    pub should_retry: Option<bool>,
    /// The body, cut at the client's limit.
    pub body: Vec<u8>,
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The connection was refused or the name did not resolve: certain that nothing left this machine (S4.4).
    #[error("could not reach {host}: {why}")]
    NotSent {
        /// Host and port, without path.
        host: String,
        /// What the system said.
        why: String,
    },
    /// The request may have arrived: timeout, connection lost, answer unreadable.
    #[error("no answer from {host}: {why}")]
    Lost {
        /// Host and port, without path.
        host: String,
        /// What happened.
        why: String,
    },
    /// The address is private or otherwise not allowed (S7.3).
    #[error("{host} is not allowed: {why}")]
    Forbidden {
        /// Host and port.
        host: String,
        /// Which rule.
        why: String,
    },
}

/// What `Retry-After` asks for: seconds, or a date, which is counted from `now` as the other side's `Date` tells it, since its clock may be another.
#[must_use]
pub fn wait_of(retry_after: &str, now: Timestamp) -> Option<Duration> {
    let text = retry_after.trim();
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => moment(text).map(|at| at.since(now)),
    }
}

/// A date as HTTP writes it: `Wed, 21 Oct 2026 07:28:00 GMT`.
#[must_use]
pub fn moment(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp::from_seconds(zoned.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_seconds_or_by_a_date_and_the_past_is_no_wait() {
        let now = moment("Sat, 28 Nov 2026 12:00:00 GMT").expect("a date as HTTP writes it");
        for (text, want) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Sat, 28 Nov 2026 12:00:30 GMT", Some(30)),
            ("Sat, 28 Nov 2026 11:59:00 GMT", Some(0)),
            ("soon", None),
            ("-3", None),
            ("", None),
        ] {
            assert_eq!(wait_of(text, now), want.map(Duration::from_secs), "{text}");
        }
    }
}
