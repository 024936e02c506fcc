//! A way to a server that can fall silent: everything stays open and nothing passes, as after a pulled cable or behind a firewall that drops what it knows
//! no more. Who connects meanwhile is let in and hears nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

/// How often what is held up looks whether it may go on.
const LOOK: Duration = Duration::from_millis(5);

/// A running way. It lives as long as the runtime that made it.
#[derive(Debug)]
pub struct Way {
    port: u16,
    silent: Arc<AtomicBool>,
}

impl Way {
    /// A way to `port` of this machine.
    ///
    /// # Errors
    /// When there is no port for it.
    pub async fn to(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for a way")?;
        let way = Self { port: listener.local_addr()?.port(), silent: Arc::new(AtomicBool::new(false)) };
        let (silent, tasks) = (Arc::clone(&way.silent), TaskTracker::new());
        tasks.clone().spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let ((a, b), (c, d)) = (near.into_split(), far.into_split());
                for (from, to) in [(a, d), (c, b)] {
                    tasks.spawn(pass(from, to, Arc::clone(&silent)));
                }
            }
        });
        Ok(way)
    }

    /// The same address by this way.
    #[must_use]
    pub fn instead_of(&self, url: &str, port: u16) -> String {
        url.replace(&format!(":{port}/"), &format!(":{}/", self.port))
    }

    /// From now on nothing passes, or everything again, what was held up too.
    pub fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    silent: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 16384];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        while silent.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
        if to.write_all(&bytes[..n]).await.is_err() {
            break;
        }
    }
}
