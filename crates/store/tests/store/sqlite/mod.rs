//! What only the embedded file can do wrong.
//!
//! - `opening.rs`: the process lock, companions, versions of the schema, restarts
//! - `writer.rs`: group commit, panics, another writer on the file
//! - `disk_full.rs`: a full file and a full disk
//! - `killed.rs`: processes that die by SIGKILL, and by a disk that fails during a commit
//! - `power_cut.rs`: the disk as it was at a moment, without what was only in memory
//! - `child.rs`: the processes that those tests start

mod child;
mod disk_full;
mod killed;
mod opening;
mod power_cut;
mod writer;

use std::process::{Command, Stdio};

/// Says in the output that a test could not be made here, and why.
fn skip(why: &str) {
    eprintln!("\nSKIPPED, so nothing was shown: {why}\n");
}

/// Runs a tool of the system; whether it succeeded.
fn tool(name: &str, arguments: &[&str]) -> bool {
    let ran =
        Command::new(name).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// Something mounted, unmounted when dropped.
struct Mounted(std::path::PathBuf);

impl Mounted {
    /// `what` on the folder `at`, which is made; `None` where that is not allowed.
    fn new(arguments: &[&str], what: &str, at: &std::path::Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut all = arguments.to_vec();
        let at_text = at.to_str().unwrap();
        all.extend([what, at_text]);
        tool("mount", &all).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for _ in 0..50 {
            if tool("umount", &[self.0.to_str().unwrap_or_default()]) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
