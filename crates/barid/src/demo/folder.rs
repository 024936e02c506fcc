//! The demo's folder: `barid.toml` (so that every other command works on it), `secrets/`, `demo.db`, and `running.json` while it runs.

use std::fs::{DirBuilder, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::sample::{self, FILES, Secrets};
use crate::config::Config;

const CONFIG: &str = "barid.toml";
const SECRETS: &str = "secrets";
const RUNNING: &str = "running.json";
const DATABASE: &str = "demo.db";
/// The database where no other is named: in this folder.
pub(super) const STORE: &str = "sqlite:demo.db";

/// Where a running demo is reached, for `barid chat`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// The engine's address.
    pub engine: String,
    /// The simulated providers' address.
    pub simulator: String,
    /// The assistant's name.
    pub assistant: String,
    /// The business's name.
    pub business: String,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Whether another process holds the lock on this file.
#[must_use]
pub fn is_locked(path: &Path) -> bool {
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.is_ok_and(|f| matches!(f.try_lock(), Err(TryLockError::WouldBlock)))
}

impl Folder {
    /// At this path; nothing is made yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its configuration, as `--config` takes it.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join(CONFIG)
    }

    /// Refuses a second demo on the same data.
    pub(super) fn refuse_second(&self) -> anyhow::Result<()> {
        if is_locked(&self.0.join(format!("{DATABASE}-lock"))) {
            bail!(
                "a demo is running on {} already: talk to it with `barid chat`, or stop it first; a second one needs another --data",
                self.0.display()
            );
        }
        Ok(())
    }

    /// Removes what a demo made here, and nothing else.
    pub(super) fn reset(&self) -> anyhow::Result<()> {
        let mut files: Vec<PathBuf> = FILES.iter().map(|f| self.0.join(SECRETS).join(f)).collect();
        files.extend([CONFIG, RUNNING].map(|f| self.0.join(f)));
        files.extend(["", "-wal", "-shm", "-lock"].map(|end| self.0.join(format!("{DATABASE}{end}"))));
        for file in files {
            match std::fs::remove_file(&file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("cannot remove {}", file.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The secrets, made at the first start.
    pub(super) fn secrets(&self) -> anyhow::Result<Secrets> {
        let folder = self.0.join(SECRETS);
        let cannot = || format!("cannot make {}: another place with --data DIR", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(cannot)?;
        Secrets::each(|name| {
            let path = folder.join(name);
            if let Ok(found) = std::fs::read_to_string(&path)
                && !found.trim().is_empty()
            {
                return Ok(found.trim().to_owned());
            }
            let secret = sample::secret();
            write(&path, &secret)?;
            Ok(secret)
        })
    }

    /// Reads `text` as the configuration in this folder. The environment is left out: what it says is meant for another installation.
    pub(super) fn load(&self, text: &str) -> anyhow::Result<Config> {
        let name = self.config().display().to_string();
        crate::config::load_text(text, &name, &self.0, std::iter::empty()).map_err(|mistakes| {
            let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("the demo's own configuration cannot be used:\n{}", lines.join("\n"))
        })
    }

    /// Leaves word of a demo that runs.
    pub(super) fn note(&self, configuration: &str, running: &Running) -> anyhow::Result<()> {
        write(&self.config(), configuration)?;
        write(&self.0.join(RUNNING), &serde_json::to_string_pretty(running)?)
    }

    /// What a running demo left word of; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn running(&self) -> anyhow::Result<Option<Running>> {
        let path = self.0.join(RUNNING);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let read = || format!("{} is damaged: restart the demo", path.display());
                serde_json::from_slice(&bytes).map(Some).with_context(read)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Takes the word back.
    pub(super) fn forget(&self) {
        if let Err(error) = std::fs::remove_file(self.0.join(RUNNING)) {
            tracing::debug!(%error, "the note of the running demo could not be removed");
        }
    }
}

/// Writes a file that only its owner may read.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    open.and_then(|mut f| f.write_all(text.as_bytes())).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_reset_removes_only_what_is_the_demos() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path());
        let first = folder.secrets().unwrap();
        assert_eq!(folder.secrets().unwrap().meta_app_secret, first.meta_app_secret);
        let file = dir.path().join("secrets/meta_app_secret");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(dir.path().join("mine.txt"), "x").unwrap();
        folder.reset().unwrap();
        assert!(!file.exists() && dir.path().join("mine.txt").exists());
        assert_ne!(folder.secrets().unwrap().meta_app_secret, first.meta_app_secret);
    }

    #[test]
    fn the_sample_configuration_is_good_and_has_no_warnings() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path());
        folder.secrets().unwrap();
        let text = sample::configuration(super::super::LISTEN, "http://127.0.0.1:4000", STORE);
        let config = folder.load(&text).unwrap();
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert_eq!(config.tenants[0].channels.len(), 2);
    }
}
