//! The simulator over real sockets, with a general HTTP client, so that the wire format is judged by somebody else.

#[cfg(test)]
mod common;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod green;
#[cfg(test)]
mod meta;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod webhooks;
