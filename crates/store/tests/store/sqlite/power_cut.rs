//! Power cuts (RELIABILITY 2, row 11). The database lies on a disk image; the writer is frozen, the image copied as it is, without what
//! the kernel still held in memory, and the copy is what a machine would find after the cut.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use types::clock::ShiftedClock;

use super::child::Process;
use super::killed::stored;
use super::{Mounted, skip, tool};
use crate::support::{START, assert_whole, open_file, runtime};

struct Disk {
    dir: tempfile::TempDir,
    image: PathBuf,
    _mounted: Mounted,
}

impl Disk {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(96 << 20).unwrap();
        if !tool("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()]) {
            return None;
        }
        // The journal is written only when somebody asks for a flush, so that background writes hide no missing one.
        let mounted = Mounted::new(&["-o", "loop,commit=600"], image.to_str().unwrap(), &dir.path().join("disk"))?;
        Some(Self { dir, image, _mounted: mounted })
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("disk/barid.db")
    }

    /// The disk as a cut would leave it now, mounted; the file on it.
    fn cut(&self, n: usize) -> (Mounted, PathBuf) {
        let copy = self.dir.path().join(format!("copy{n}"));
        assert!(tool("cp", &["--sparse=always", self.image.to_str().unwrap(), copy.to_str().unwrap()]));
        let at = self.dir.path().join(format!("after{n}"));
        let mounted = Mounted::new(&["-o", "loop"], copy.to_str().unwrap(), &at).unwrap();
        (mounted, at.join("barid.db"))
    }
}

fn lost(acks: Vec<String>, path: &Path) -> Vec<String> {
    let stored = stored(path);
    acks.into_iter().collect::<BTreeSet<_>>().difference(&stored).cloned().collect()
}

/// Promise 1: every acknowledged message is on the disk, whenever the power goes. More cuts with `BARID_POWER_CUTS`.
#[test]
fn what_was_acknowledged_survives_power_cuts() {
    let Some(disk) = Disk::new() else { return without_a_disk() };
    let cuts = std::env::var("BARID_POWER_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(4);
    let process = Process::start("accept", &disk.file());
    for n in 0..cuts {
        process.go_on(150 + 37 * n);
        process.freeze();
        let acks = process.acks();
        let count = acks.len();
        let (mounted, file) = disk.cut(n);
        runtime().block_on(async {
            let store = open_file(&file, &Arc::new(ShiftedClock::still(START))).await.unwrap();
            store.close().await;
        });
        assert_whole(&file);
        let lost = lost(acks, &file);
        assert!(lost.is_empty(), "cut {n}: {} of {count} acknowledged messages are gone: {lost:?}", lost.len());
        println!("cut {n}: all {count} acknowledged messages are there");
        drop(mounted);
        process.thaw();
    }
}

/// The teeth of the test above: a writer that acknowledges before the flush loses messages in the same cut.
#[test]
fn a_careless_writer_is_caught_by_a_power_cut() {
    let Some(disk) = Disk::new() else { return skip("no disk image can be mounted here (root and a loop device)") };
    let process = Process::start("careless", &disk.file());
    process.go_on(300);
    process.freeze();
    let acks = process.acks();
    let count = acks.len();
    let (_mounted, file) = disk.cut(0);
    let lost = lost(acks, &file);
    if lost.is_empty() {
        skip("this machine wrote everything through by itself, so a power cut here proves nothing");
    }
    println!("{} of {count} messages that a careless writer acknowledged are gone", lost.len());
    assert_whole(&file);
}

/// Weaker, but possible anywhere: the files as the kernel has them, of a writer frozen between two steps.
fn without_a_disk() {
    skip(
        "no disk image can be mounted here (root and a loop device); only copies of the files are looked at, not a power cut",
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("barid.db");
    let process = Process::start("accept", &path);
    process.go_on(200);
    process.freeze();
    let copy = dir.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(dir.path().join("barid.db-wal"), dir.path().join("copy.db-wal")).unwrap();
    let lost = lost(process.acks(), &copy);
    assert!(lost.is_empty(), "{lost:?}");
    assert_whole(&copy);
}
