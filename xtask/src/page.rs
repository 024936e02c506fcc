//! The web page in `ui/`: built when it is older than what it is made from, tested in a browser, pictured.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::run::{cargo, output, passes, say};

/// The oldest Node that builds it.
const NODE: u32 = 20;
/// Debian's browser, with which it is tested.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Builds the page if it is older than what it is made from; whether there is one afterwards.
pub fn command(root: &Path) -> Result<bool> {
    if !has_node() {
        say(&format!("the page needs Node {NODE} or newer, with npm: it was not built"));
        return Ok(false);
    }
    build(root)
}

/// The same for the demo, which goes on without: the binary then says on its page what is missing.
pub fn for_demo(root: &Path) -> Result<()> {
    if has_node() {
        if !build(root)? {
            say("the page could not be built (see above): the demo shows a page that says so");
        }
    } else if !built(root).exists() {
        say(&format!(
            "note: the web page needs Node {NODE} or newer, with npm; without it, talk to the demo by `barid chat`"
        ));
    }
    Ok(())
}

/// Runs the page's tests in a browser.
pub fn test(root: &Path) -> Result<bool> {
    if !has_node() {
        bail!("the page's tests need Node {NODE} or newer, with npm: apt-get install nodejs npm");
    }
    chromium()?;
    if !build(root)? || !passes(cargo(root).args(["build", "--quiet", "--locked", "--package", "barid"]))? {
        return Ok(false);
    }
    passes(npm(root).args(["run", "--silent", "test"]))
}

/// Makes pictures of every page into `ui/shots`.
pub fn screenshots(root: &Path, args: &[String]) -> Result<bool> {
    chromium()?;
    if !command(root)? || !passes(cargo(root).args(["build", "--quiet", "--locked", "--package", "barid"]))? {
        return Ok(false);
    }
    passes(npm(root).args(["run", "--silent", "screenshots", "--"]).args(args))
}

/// Installs what the lock file names, where it is not yet, and builds.
fn build(root: &Path) -> Result<bool> {
    let page = root.join("ui");
    let installed = page.join("node_modules/.package-lock.json");
    if older(&installed, newest(&page.join("package-lock.json"))) {
        say("page: installing what it is built with");
        if !passes(npm(root).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))? {
            return Ok(false);
        }
    }
    let sources = [page.join("src"), page.join("public"), page.join("scripts"), root.join("docs/api")];
    let files = ["index.html", "package-lock.json", "vite.config.ts", "tsconfig.json"].map(|name| page.join(name));
    if !older(&built(root), sources.iter().chain(&files).filter_map(|path| newest(path)).max()) {
        return Ok(true);
    }
    say("page: building it");
    if !passes(npm(root).args(["run", "--silent", "build"]))? {
        return Ok(false);
    }
    // A release carries the page: its build begins anew when this file is newer.
    let touched = std::fs::File::options().append(true).open(root.join("crates/admin/build.rs"));
    touched.and_then(|file| file.set_modified(now())).context("crates/admin/build.rs cannot be touched")?;
    Ok(true)
}

fn built(root: &Path) -> std::path::PathBuf {
    root.join("ui/dist/index.html")
}

fn npm(root: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(root.join("ui"));
    npm
}

fn has_node() -> bool {
    let version = output(Command::new("node").arg("--version")).unwrap_or_default();
    let major: u32 = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    major >= NODE && output(Command::new("npm").arg("--version")).is_some()
}

/// Debian's Chromium, installed where it is missing and may be.
fn chromium() -> Result<()> {
    if Path::new(CHROMIUM).exists() {
        return Ok(());
    }
    say(&format!("{CHROMIUM} is missing: installing Debian's package chromium"));
    let update = passes(Command::new("apt-get").args(["update", "-qq"]))?;
    let fonts = ["chromium", "fonts-noto-core", "fonts-noto-color-emoji"];
    let installed = update
        && passes(Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends"]).args(fonts))?;
    if !installed {
        bail!("chromium could not be installed: apt-get install chromium");
    }
    Ok(())
}

/// Whether a file is missing, or older than that.
fn older(file: &Path, than: Option<SystemTime>) -> bool {
    let Ok(made) = std::fs::metadata(file).and_then(|m| m.modified()) else { return true };
    than.is_some_and(|than| made < than)
}

/// The newest change of a file, or of any below a folder.
fn newest(path: &Path) -> Option<SystemTime> {
    let meta = std::fs::metadata(path).ok()?;
    if meta.is_file() {
        // Made by the build itself from what is watched beside it.
        return if path.ends_with("schema.d.ts") { None } else { meta.modified().ok() };
    }
    std::fs::read_dir(path).ok()?.filter_map(|entry| newest(&entry.ok()?.path())).max()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file's time is the machine's, and xtask shares no code with the engine"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_page_is_stale_when_anything_it_is_made_from_is_newer() {
        let dir = tempfile::tempdir().unwrap();
        let (page, source) = (dir.path().join("index.html"), dir.path().join("src"));
        std::fs::create_dir_all(source.join("deep")).unwrap();
        assert!(older(&page, newest(&source)), "a missing page is stale");
        let at = |path: &Path, seconds: u64| {
            let file = std::fs::File::create(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        at(&page, 20);
        at(&source.join("deep/a.ts"), 10);
        assert!(!older(&page, newest(&source)));
        at(&source.join("deep/a.ts"), 30);
        assert!(older(&page, newest(&source)));
        at(&source.join("deep/a.ts"), 10);
        at(&source.join("schema.d.ts"), 40);
        assert!(!older(&page, newest(&source)), "what the build makes itself does not count");
    }
}
