//! The only outgoing sockets of Barid (ARCHITECTURE law 3).
//!
//! - [`client`]: HTTP with timeouts, bounded bodies, no redirects, and the guard against private addresses (S7.3)
//! - [`throttle`]: token buckets for a channel and for each recipient (S4.5)

pub mod client;
pub mod throttle;

pub use client::{Client, ClientOptions};
pub use throttle::Throttle;
