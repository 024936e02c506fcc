//! A planned request and its answer, as values: `channels` makes and reads them, `net` carries them out.

use std::time::Duration;

use crate::Secret;

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
    /// `Retry-After` in seconds (as providers write it; a date counts as none), or a vendor's own header in milliseconds.
    pub retry_after: Option<Duration>,
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
