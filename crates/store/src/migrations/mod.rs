//! The schema's versions, applied in order, one transaction each. A version that has shipped is never edited. A database newer than
//! this binary is refused: an old binary would not know what its columns mean.

use crate::error::{Result, StoreError};
use crate::sql::Tx;

/// Every version's text, in dialect tokens. The first is number 1.
const VERSIONS: &[&str] = &[include_str!("0001.sql"), include_str!("0002_page.sql")];

sql! {
    MAKE = "migrations.make": "CREATE TABLE IF NOT EXISTS schema_version (version {int} NOT NULL, applied_at {int} NOT NULL)";
    CURRENT = "migrations.current": "SELECT COALESCE(MAX(version), 0) FROM schema_version";
    RECORD = "migrations.record": "INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)";
}

/// The version this binary wants.
#[must_use]
pub fn wanted() -> i64 {
    i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX)
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
    refuse_newer(found)?;
    let Some(text) = usize::try_from(found).ok().and_then(|n| VERSIONS.get(n)) else { return Ok(false) };
    run(&tx.dialect().render(text))?;
    let now = tx.now();
    tx.execute(&RECORD, params![found + 1, now])?;
    Ok(true)
}

/// Refuses a database whose schema is not this binary's (for commands that only read).
pub(crate) fn check(tx: &mut dyn Tx) -> Result<()> {
    let found = tx.number(&CURRENT, &[]).unwrap_or(0);
    refuse_newer(found)?;
    if found < wanted() {
        return Err(StoreError::Unusable(format!(
            "the database has schema version {found}, this barid wants {}. Run `barid migrate`, or start the server once",
            wanted()
        )));
    }
    Ok(())
}
