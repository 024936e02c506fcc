//! Places where the crash tests end the process: `BARID_KILL=worker.sent:3` ends it, as by `kill -9`, the third time that step is reached. Only
//! in builds with the `failpoints` feature; in others the variable is refused, so that nobody believes in a test that tests nothing.

/// Names the variable that asks for it.
pub const VARIABLE: &str = "BARID_KILL";

/// Every step between a webhook and the record of its answer's fate.
pub const STEPS: &[&str] = &[
    "store.commit",
    "store.committed",
    "ingress.accepted",
    "worker.deciding",
    "worker.decided",
    "worker.turn_saved",
    "worker.sending",
    "worker.sent",
    "worker.recorded",
];

/// The steps of a saga (S3.6), which only messages with actions reach.
pub const SAGA_STEPS: &[&str] = &["worker.step_begun", "worker.step_done", "worker.step_recorded"];

/// The request cannot be fulfilled.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{VARIABLE}={given}: {why}")]
pub struct BadKill {
    given: String,
    why: String,
}

fn parse(given: &str) -> Result<(&'static str, u64), BadKill> {
    let bad = |why: String| BadKill { given: given.to_owned(), why };
    let (name, nth) = given.split_once(':').unwrap_or((given, "1"));
    let name = STEPS.iter().chain(SAGA_STEPS).copied().find(|s| *s == name);
    let name =
        name.ok_or_else(|| bad(format!("no such step; there are {}, {}", STEPS.join(", "), SAGA_STEPS.join(", "))))?;
    let nth = nth.parse().map_err(|e| bad(format!("after the colon belongs a whole number: {e}")))?;
    Ok((name, nth))
}

/// Arms the step that the environment names, if any.
///
/// # Errors
/// When it names no step, or this build has no failpoints.
pub fn arm(given: Option<&str>) -> Result<(), BadKill> {
    let Some(given) = given else { return Ok(()) };
    let (name, nth) = parse(given)?;
    #[cfg(feature = "failpoints")]
    {
        let reached = std::sync::atomic::AtomicU64::new(0);
        let end = move || {
            if reached.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == nth {
                // No destructor, no flush, no goodbye: what a power button or kill -9 does.
                std::process::abort();
            }
        };
        fail::cfg_callback(name, end).map_err(|why| BadKill { given: given.to_owned(), why })
    }
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = nth;
        let why = format!("this barid was built without failpoints, so {name} never ends it");
        Err(BadKill { given: given.to_owned(), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_with_the_count_that_ends_it() {
        assert_eq!(parse("worker.sent:3"), Ok(("worker.sent", 3)));
        assert_eq!(parse("worker.sent"), Ok(("worker.sent", 1)));
        assert!(parse("worker.sen").is_err());
        assert!(parse("worker.sent:x").is_err());
    }
}
