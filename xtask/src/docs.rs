//! `cargo xtask docs`: the pages that are printed from code.

use std::path::Path;

use anyhow::{Context, Result};

use crate::law::states;
use crate::run::{cargo, passes, say};

/// Rewrites `docs/states.md`, `docs/config.md` and `docs/api/openapi.json`.
pub fn run(root: &Path) -> Result<bool> {
    let source = std::fs::read_to_string(root.join(states::SOURCE)).context(states::SOURCE)?;
    std::fs::write(root.join(states::PAGE), states::page(&source)?).context(states::PAGE)?;
    say(&format!("{}: written", states::PAGE));

    // The table of keys lives in the binary's library, which is too much to build just to print a page elsewhere: the test that
    // compares page and table can write it as well.
    let mut command = cargo(root);
    command.args(["test", "--quiet", "--locked", "--package", "barid", "--lib", "the_reference_is_up_to_date"]);
    command.env("BARID_DOCS", "write");
    let written = passes(&mut command)?;
    say(if written { "docs/config.md: written" } else { "docs/config.md: not written, see above" });

    let mut command = cargo(root);
    command.args([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "barid-admin",
        "--test",
        "api",
        "is_the_one_that_is_kept",
    ]);
    command.env("BARID_DOCS", "write");
    let described = passes(&mut command)?;
    say(if described { "docs/api/openapi.json: written" } else { "docs/api/openapi.json: not written, see above" });
    Ok(written && described)
}
