//! `cargo xtask demo`: the engine with a simulated WhatsApp.

use std::os::unix::process::CommandExt;
use std::path::Path;

use anyhow::Result;

use crate::page;
use crate::run::cargo;

/// Builds the page if need be and the binary, and becomes its demo: with nobody in between, Ctrl-C and SIGTERM reach the demo itself, and its exit code is this command's.
pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    page::for_demo(root)?;
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--locked", "--package", "barid", "--bin", "barid", "--", "demo"]).args(args);
    Err(command.exec().into())
}
