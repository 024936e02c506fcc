//! Processes that die (RELIABILITY 2, rows 1, 10, 29).

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use types::clock::ShiftedClock;

use super::child::Process;
use super::{skip, tool};
use crate::support::{START, assert_whole, doors, open_file, runtime};

/// The provider ids that the file holds.
pub fn stored(path: &Path) -> BTreeSet<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT provider_id FROM message").unwrap();
    statement.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// I1: what was acknowledged is stored, and the next server takes the file over at once: no lock outlives its process.
#[test]
fn what_was_acknowledged_survives_sigkill() {
    for more in [1, 100, 777] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("barid.db");
        let process = Process::start("accept", &path);
        process.go_on(more);
        let acked: BTreeSet<_> = process.kill().into_iter().collect();
        assert!(acked.len() >= more);
        runtime().block_on(async {
            let store = open_file(&path, &Arc::new(ShiftedClock::still(START))).await.unwrap();
            store.close().await;
        });
        let stored = stored(&path);
        let lost: Vec<_> = acked.difference(&stored).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert_whole(&path);
    }
}

/// Row 29: killed in the middle of a schema, the file is as before it.
#[test]
fn a_migration_killed_half_way_is_as_if_never_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    Process::start("half a schema", &path).kill();
    runtime().block_on(async {
        let store = open_file(&path, &Arc::new(ShiftedClock::still(START))).await.unwrap();
        doors(&store).await;
        store.close().await;
    });
    let connection = rusqlite::Connection::open(&path).unwrap();
    let half: i64 =
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'half'", [], |r| r.get(0)).unwrap();
    assert_eq!(half, 0);
    assert_whole(&path);
}

/// Row 10: the disk fails while a commit is flushed, so nobody knows whether it is there. The process ends rather than say either.
#[test]
fn a_disk_that_fails_during_a_commit_ends_the_process() {
    if !tool("strace", &["-V"]) {
        return skip("strace is not there, so no disk can be made to fail");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    let mut process = Process::start("one", &path);
    let log = dir.path().join("strace");
    let mut strace = Command::new("strace")
        .args(["-f", "-o", log.to_str().unwrap(), "-p", &process.id().to_string()])
        .args(["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    if !traced(process.id()) {
        let _ = strace.kill();
        let _ = strace.wait();
        return skip("strace may not attach to a process here");
    }
    process.word();
    let status = process.ended();
    let _ = strace.wait();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("EIO"), "the disk did fail: {log}");
    assert_eq!(status.signal(), Some(6), "aborted: {status}");
    assert!(process.acks().is_empty(), "nobody was told that it is stored");
    let stored = stored(&path);
    assert!(stored.is_empty() || stored.contains("w0"), "{stored:?}");
    assert_whole(&path);
    runtime().block_on(async {
        let store = open_file(&path, &Arc::new(ShiftedClock::still(START))).await.unwrap();
        store.close().await;
    });
}

/// Whether every thread of the process is traced, within 5 s.
fn traced(id: u32) -> bool {
    for _ in 0..500 {
        let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
        let all = tasks.flatten().all(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            status.lines().any(|l| l.strip_prefix("TracerPid:").is_some_and(|t| t.trim() != "0"))
        });
        if all {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
