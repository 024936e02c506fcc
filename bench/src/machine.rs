//! What this machine is, since a figure without it says little.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use types::clock::Stopwatch;

/// How long the disk is measured.
const DISK: Duration = Duration::from_secs(1);

/// Facts that belong beside the figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// Their name.
    pub cpu: String,
    /// The file system of the databases.
    pub disk: String,
    /// `fdatasync` of one written page, per second.
    pub syncs: f64,
}

/// Looks and measures.
pub(crate) fn facts(dir: &Path) -> anyhow::Result<Machine> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split_once(':'));
    let cpu = name.map_or_else(|| "unknown".to_owned(), |(_, n)| n.trim().to_owned());
    Ok(Machine { cores, cpu, disk: file_system(dir), syncs: syncs(dir)? })
}

/// The type of the mount that holds `dir`.
fn file_system(dir: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let holds = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (mount, kind) = (fields.next()?, fields.next()?);
        dir.starts_with(mount).then(|| (mount.len(), kind.to_owned()))
    });
    holds.max().map_or_else(|| "unknown".to_owned(), |(_, kind)| kind)
}

fn syncs(dir: &Path) -> anyhow::Result<f64> {
    let path = dir.join("sync-test");
    let mut file = std::fs::File::create(&path)?;
    let page = [7_u8; 4096];
    let since = Stopwatch::start();
    let mut n = 0_u32;
    while since.elapsed() < DISK {
        file.write_all(&page)?;
        file.sync_data()?;
        n += 1;
    }
    let took = since.elapsed();
    drop(file);
    std::fs::remove_file(&path)?;
    Ok(f64::from(n) / took.as_secs_f64())
}
