//! Memory of a server that has nothing to do.

use std::time::Duration;

use crate::Bench;
use crate::engine::{Setup, start};
use crate::report::{Report, Target};

/// How long it is left alone before it is looked at.
const REST: Duration = Duration::from_secs(5);

/// Resident memory after five idle seconds.
pub(crate) async fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let dir = bench.dir.path().join("idle");
    let barid =
        start(&Setup { barid: &bench.barid, dir, provider: None, worker: true, url: "sqlite:barid.db".to_owned() })
            .await?;
    tokio::time::sleep(REST).await;
    #[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
    let mib = barid.resident()? as f64 / 1024.0;
    report.add("idle memory", mib, "MiB", Target::Most(30.0), "VmRSS of `barid serve`, 5 s after its start".to_owned());
    Ok(())
}
