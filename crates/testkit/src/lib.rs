//! What tests that start the real program need.
//!
//! - [`free_port`], [`temp_dir`]: room for it
//! - [`binary`]: the program itself: start, wait until ready, kill, end
//! - [`postgres`]: a PostgreSQL of the tests' own
//! - [`smtp`]: a mail server
//! - [`way`]: a way to a server that can fall silent
//! - [`ledgers`]: what the engine acknowledged against what customers got: nothing lost, nothing twice, nothing out of order
//!
//! The simulated providers are [`simulator`]; a clock that is moved by hand is [`types::clock::ShiftedClock`].

pub mod binary;
pub mod ledgers;
pub mod postgres;
pub mod smtp;
pub mod way;

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context as _;
use tempfile::TempDir;

pub use binary::{Binary, Program};
pub use ledgers::{Finding, Ledgers};
pub use simulator;
pub use way::Way;

/// A port of this machine that nobody listens on just now. Another program may take it before it is used: where a program can
/// listen on port 0 and say which it got, let it.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("the port is not known")?.port())
}

/// A directory that is removed when dropped.
///
/// # Errors
/// When it cannot be made.
pub fn temp_dir() -> anyhow::Result<TempDir> {
    tempfile::Builder::new().prefix("barid-test-").tempdir().context("no temporary directory could be made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_listened_on() {
        let port = free_port().unwrap();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }

    #[test]
    fn a_temporary_directory_goes_away() {
        let dir = temp_dir().unwrap();
        let path = dir.path().to_owned();
        std::fs::write(path.join("x"), "x").unwrap();
        drop(dir);
        assert!(!path.exists());
    }
}
