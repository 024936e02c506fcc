//! Webhook bodies as the providers write and sign them, for leads that exist only in tests. [`meta`] and [`green`] write
//! compact JSON by hand: a load generator wants 100 000 in a second, HMAC included.

pub mod green;
pub mod meta;

use bytes::Bytes;

use crate::journal::Provider;

pub use green::{GreenLead, GreenSource};
pub use meta::{MetaLead, MetaSource, Status};

/// A webhook, ready to post.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Which provider it speaks for.
    pub provider: Provider,
    /// The id of the message in it; empty when it carries none.
    pub id: String,
    /// The customer: digits; empty when it concerns none.
    pub chat: String,
    /// The body, byte for byte.
    pub body: Bytes,
    /// What proves it: `sha256=…` for `X-Hub-Signature-256` (Meta), the value of `Authorization` (Green API; empty: no header).
    pub proof: String,
}

impl Webhook {
    /// The header that carries [`Self::proof`].
    #[must_use]
    pub const fn header(&self) -> &'static str {
        match self.provider {
            Provider::Meta => "x-hub-signature-256",
            Provider::Green => "authorization",
        }
    }
}
