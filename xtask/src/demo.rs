//! `cargo xtask demo`: the engine with a simulated WhatsApp.

use std::path::Path;

use anyhow::Result;

use crate::run::{cargo, passes};

/// Builds the binary and runs its demo until it ends.
pub fn run(root: &Path, args: &[String]) -> Result<bool> {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--locked", "--package", "barid", "--bin", "barid", "--", "demo"]).args(args);
    passes(&mut command)
}
