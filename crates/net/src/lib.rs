//! The only outgoing sockets of Barid (ARCHITECTURE law 3).
//!
//! - [`client`]: HTTP with timeouts, bounded bodies, no redirects, and the guard against private addresses (S7.3)
//! - [`breaker`]: stops calling what does not answer, and tries again by one call (S4.10)
//! - [`mail`]: SMTP, told apart by stages (S3.5)
//! - [`throttle`]: token buckets for a channel and for each recipient (S4.5)

pub mod breaker;
pub mod client;
pub mod mail;
pub mod throttle;

pub use breaker::{BreakerOptions, Breakers, Open, Permit};
pub use client::{Client, ClientOptions, is_public};
pub use mail::{Mail, MailError, MailServer, MailTls, Mailer};
pub use throttle::Throttle;
