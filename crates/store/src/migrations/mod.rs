//! The schema's versions, applied in order, one transaction each. A version that has shipped is never edited. A database newer than
//! this binary is refused: an old binary would not know what its columns mean.

use crate::error::{Result, StoreError};
use crate::sql::Tx;

/// Every version's number and text, in dialect tokens. Numbers grow; they need not be neighbours.
const VERSIONS: &[(i64, &str)] = &[
    (1, include_str!("0001.sql")),
    (10, include_str!("0010.sql")),
    (11, include_str!("0011.sql")),
    (15, include_str!("0015.sql")),
    (20, include_str!("0020.sql")),
    (30, include_str!("0030.sql")),
    (40, include_str!("0040.sql")),
    (41, include_str!("0041.sql")),
    (42, include_str!("0042.sql")),
    (43, include_str!("0043.sql")),
    (44, include_str!("0044.sql")),
    (45, include_str!("0045.sql")),
    (50, include_str!("0050.sql")),
    (51, include_str!("0051.sql")),
    (61, include_str!("0061.sql")),
    (62, include_str!("0062.sql")),
    (70, include_str!("0070.sql")),
    (80, include_str!("0080.sql")),
    (90, include_str!("0090.sql")),
    (91, include_str!("0091.sql")),
    (110, include_str!("0110.sql")),
];

sql! {
    MAKE = "migrations.make": "CREATE TABLE IF NOT EXISTS schema_version (version {int} NOT NULL, applied_at {int} NOT NULL)";
    CURRENT = "migrations.current": "SELECT COALESCE(MAX(version), 0) FROM schema_version";
    RECORD = "migrations.record": "INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)";
}

/// The version this binary wants.
#[must_use]
pub fn wanted() -> i64 {
    VERSIONS.last().map_or(0, |(number, _)| *number)
}

/// The version that follows `found`, if there is one.
///
/// # Errors
/// [`StoreError::Unusable`] when `found` is newer than this binary.
pub(crate) fn after(found: i64) -> Result<Option<(i64, &'static str)>> {
    refuse_newer(found)?;
    Ok(VERSIONS.iter().copied().find(|(number, _)| *number > found))
}

fn refuse_newer(found: i64) -> Result<()> {
    if found > wanted() {
        return Err(StoreError::Unusable(format!(
            "the database has schema version {found}, this barid knows {} at most. Use the newer barid; going back needs a backup from before",
            wanted()
        )));
    }
    Ok(())
}

/// Applies the next version if there is one; whether there may be more. `run` executes many statements at once.
pub(crate) fn step(tx: &mut dyn Tx, run: &mut dyn FnMut(&str) -> Result<()>) -> Result<bool> {
    tx.execute(&MAKE, &[])?;
    let found = tx.number(&CURRENT, &[])?;
    let Some((version, text)) = after(found)? else { return Ok(false) };
    run(&tx.dialect().render(text))?;
    let now = tx.now();
    tx.execute(&RECORD, params![version, now])?;
    Ok(true)
}

/// Refuses a database whose schema is not this binary's (for commands that only read).
pub(crate) fn check(tx: &mut dyn Tx) -> Result<()> {
    let found = tx.number(&CURRENT, &[]).unwrap_or(0);
    refuse_other(found)
}

/// Refuses a schema version that is not this binary's.
pub(crate) fn refuse_other(found: i64) -> Result<()> {
    refuse_newer(found)?;
    if found < wanted() {
        return Err(StoreError::Unusable(format!(
            "the database has schema version {found}, this barid wants {}. Run `barid migrate`, or start the server once",
            wanted()
        )));
    }
    Ok(())
}
