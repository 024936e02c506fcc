//! Ends that are no crash: a second server on the same file, the polite end under load, a disk that is full.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use simulator::lead::{MetaSource, Webhook};
use testkit::{Program, simulator};
use types::SystemClock;

use crate::arena::{Arena, Rules, meta};
use crate::audit::settle;
use crate::customers::{Crowd, Customers};

const CROWD: Crowd = Crowd { many: 32, pause: Duration::from_millis(20) };

const fn rules(name: &'static str) -> Rules {
    Rules { name, green: false, statuses: true, on_unknown: "resend" }
}

/// S8.1: the second one says why it will not start, and the first goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_file_is_refused() -> anyhow::Result<()> {
    let mut arena = Arena::new(rules("two")).await?;
    let engine = arena.start().await?;
    let customers = Customers::start(&arena, CROWD)?;
    let mut second = arena.launch_elsewhere()?;
    let status = second.wait(Duration::from_secs(20)).await?;
    ensure!(status.code() == Some(1), "it ended with {status}");
    let said = second.stderr();
    ensure!(said.contains("another barid is using it"), "{said}");
    customers.ledger.wait_acknowledged(200).await?;
    let ledger = customers.stop().await?;
    settle(arena, engine, &ledger).await?;
    Ok(())
}

/// S2.9: SIGTERM under load ends with 0 and leaves nothing in doubt: no reply is marked as cut off, and after the next start all is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polite_end_under_load_leaves_nothing_in_doubt() -> anyhow::Result<()> {
    let mut arena = Arena::new(rules("drain")).await?;
    let mut engine = arena.start().await?;
    let customers = Customers::start(&arena, CROWD)?;
    for round in 1..=5 {
        customers.ledger.wait_acknowledged(round * 150).await?;
        engine.finish(Duration::from_secs(15)).await?;
        let db = rusqlite::Connection::open_with_flags(&arena.data, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let doubt: i64 = db.query_row(
            "SELECT COUNT(*) FROM message WHERE status IN ('sending', 'unknown') OR possible_duplicate = 1",
            [],
            |r| r.get(0),
        )?;
        ensure!(doubt == 0, "round {round}: {doubt} replies are in doubt after a polite end");
        let held: i64 =
            db.query_row("SELECT COUNT(*) FROM conversation WHERE lease_owner IS NOT NULL", [], |r| r.get(0))?;
        ensure!(held == 0, "round {round}: {held} leases were not given back");
        drop(db);
        engine = arena.start().await?;
    }
    let ledger = customers.stop().await?;
    settle(arena, engine, &ledger).await?;
    Ok(())
}

/// A small file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount(at: &Path, size: &str) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir_all(at)?;
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        Ok(mounted.is_ok_and(|out| out.status.success()).then(|| Self(at.to_path_buf())))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failed test may leave the engine running until its own end.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A webhook posted by hand: status line, headers and body as they come.
fn post(port: u16, webhook: &Webhook) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    write!(
        socket,
        "POST /api/webhooks/whatsapp HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{}: {}\r\ncontent-length: {}\r\n\r\n",
        webhook.header(),
        webhook.proof,
        webhook.body.len()
    )?;
    socket.write_all(&webhook.body)?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}

/// RELIABILITY.md 2, row 9: 503 and a reason while the disk is full, never 200; when there is room again, it goes on without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() -> anyhow::Result<()> {
    let base = testkit::temp_dir()?;
    let Some(disk) = SmallDisk::mount(&base.path().join("disk"), "64m")? else {
        eprintln!("SKIPPED a_full_disk_refuses_and_recovers: this process may not mount a tmpfs");
        return Ok(());
    };
    let mut arena = Arena::with_data(rules("disk"), Some(disk.0.clone())).await?;
    let engine = arena.start().await?;
    let ballast = disk.0.join("ballast");
    // Fills what is left: the disk ends this write, not the number. It is large enough that the log (16 MB before it is copied into the
    // file) has room once this is gone.
    let filled = std::fs::File::create(&ballast)?.write_all(&vec![0_u8; 64 * 1024 * 1024]);
    ensure!(filled.is_err(), "the disk was not full");
    let customers = Customers::start(&arena, CROWD)?;
    let source = MetaSource::new(&meta(), Arc::new(SystemClock));
    let refused = wait_for_503(arena.port, &source).await?;
    let head = refused.to_ascii_lowercase();
    ensure!(head.contains("content-type: application/problem+json"), "{refused}");
    ensure!(refused.contains("store-unavailable"), "{refused}");
    std::fs::remove_file(&ballast)?;
    let before = customers.ledger.acknowledged().len();
    customers.ledger.wait_acknowledged(before + 100).await.context("after the disk had room again")?;
    let ledger = customers.stop().await?;
    settle(arena, engine, &ledger).await?;
    Ok(())
}

/// Posts bodies that are kept as they are, though nobody answers them, until one is refused.
async fn wait_for_503(port: u16, source: &MetaSource) -> anyhow::Result<String> {
    for _ in 0..500 {
        // A field of the account: recorded, no job (S1.4), so the ledgers need not know of it.
        let filler = serde_json::json!({ "event": "DISK_TEST", "filler": "x".repeat(4000), "token": types::clock::random_token() });
        let webhook = source.change("account_update", &filler);
        let answer = tokio::task::spawn_blocking(move || post(port, &webhook)).await??;
        if answer.starts_with("HTTP/1.1 503") {
            return Ok(answer);
        }
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    anyhow::bail!("the disk was full, and every webhook was answered 200")
}

impl Arena {
    /// Another engine on the same database, at another port.
    fn launch_elsewhere(&self) -> anyhow::Result<testkit::Binary> {
        let dir = self.folder().join("second");
        std::fs::create_dir_all(&dir)?;
        let text = std::fs::read_to_string(self.folder().join("barid.toml"))?;
        let text = text.replace(&format!("127.0.0.1:{}\"", self.port), "127.0.0.1:0\"");
        std::fs::write(dir.join("barid.toml"), text)?;
        std::fs::copy(self.folder().join("flow.toml"), dir.join("flow.toml"))?;
        Program::new(env!("CARGO_BIN_EXE_barid"), &dir).args(["serve", "--config", "barid.toml"]).start()
    }
}
