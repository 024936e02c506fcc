//! A private PostgreSQL for a whole run of tests: says its address, and ends when its input does. `cargo xtask test` starts it.

use std::io::{Read as _, Write as _};

fn main() -> anyhow::Result<()> {
    let cluster = testkit::postgres::Cluster::start()?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", cluster.url())?;
    out.flush()?;
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}
