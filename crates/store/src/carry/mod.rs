//! Carries an installation from one database to another (S8.4): table by table in batches, each with its cursor in one transaction of the target, so that a
//! move that was killed goes on where it was; then counts and checksums of both sides are compared. What there is to carry says the database's own
//! catalogue, so that a table of a later version is not forgotten.
//!
//! - `tables.rs`: the catalogue, and the statements of a table
//! - `batch.rs`: operations on both sides
//! - `sum.rs`: a checksum that both databases agree on

mod batch;
mod sum;
mod tables;

use std::sync::Arc;

use crate::Store;
use crate::error::{Result, StoreError};

use batch::{Begin, Begun, CountOf, CursorOf, EnginesOf, Finish, GoAway, ReadBatch, WriteBatch};
pub use batch::{HowItStands, Standing};
pub use sum::Sum;
use tables::{Catalogue, Table, TableList};

pub(crate) use batch::STATEMENTS;
pub(crate) use tables::STATEMENTS as CATALOGUE;

/// Where a move stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many rows of this table are in the target, of so many in the source.
    Copied {
        /// The table.
        table: String,
        /// In the target.
        done: u64,
        /// In the source.
        of: u64,
    },
    /// Both sides agree on this table.
    Verified {
        /// The table.
        table: String,
        /// Its rows and their checksum.
        sum: Sum,
    },
}

/// What a move came to: each table with its rows and their checksum, alike on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Tables, in the order in which they were carried.
    pub tables: Vec<(String, Sum)>,
    /// Whether an earlier attempt was gone on with.
    pub resumed: bool,
}

/// Carries everything; `tell` hears where it stands after each batch, and ends it by an error.
///
/// # Errors
/// [`StoreError::Refused`] when an engine works one of the two, when the target holds something else, or when the two sides differ at the end.
pub async fn carry(
    from: &Store,
    to: &Store,
    batch: u32,
    tell: &mut (dyn FnMut(&Progress) -> Result<()> + Send),
) -> Result<Moved> {
    for (store, side) in [(from, "source"), (to, "target")] {
        let engines = store.read(EnginesOf).await?;
        if engines > 0 {
            return Err(StoreError::Refused(format!(
                "an engine works the {side} (a node was seen within the last {} s). Stop it; one that was killed is forgotten after that time. Nothing was moved",
                batch::SEEN.as_secs()
            )));
        }
    }
    let tables = tables(from, to, batch).await?;
    let source = from.read(batch::Installation).await?;
    let begun = to.write(Begin { source, tables: Arc::clone(&tables) }).await?;
    if begun == Begun::Done {
        // It may have been killed between the end and this mark.
        from.write(GoAway(source)).await?;
        let why = "this installation was moved into the target already, and verified. Nothing was moved again";
        return Err(StoreError::Refused(why.to_owned()));
    }
    let mut moved = Moved { resumed: begun == Begun::Again, ..Moved::default() };
    for table in tables.iter() {
        copy(from, to, table, tell).await?;
    }
    for table in tables.iter() {
        let (source, target) = (sum(from, table).await?, sum(to, table).await?);
        if source != target {
            return Err(StoreError::Refused(format!(
                "the table {} differs: {source} in the source, {target} in the target. Somebody wrote meanwhile, as a rule: stop whoever does, empty the \
                 target and move again. The source is as it was; no engine will start on the target",
                table.name
            )));
        }
        tell(&Progress::Verified { table: table.name.clone(), sum: source })?;
        moved.tables.push((table.name.clone(), source));
    }
    to.write(Finish).await?;
    from.write(GoAway(source)).await?;
    Ok(moved)
}

/// The tables of both, which must be alike.
async fn tables(from: &Store, to: &Store, batch: u32) -> Result<Arc<TableList>> {
    let (source, target): (Catalogue, Catalogue) = (from.read(tables::Read).await?, to.read(tables::Read).await?);
    if !source.is_like(&target) {
        return Err(StoreError::Refused(
            "the two databases do not have the same tables. Bring both to this version with `barid migrate`".to_owned(),
        ));
    }
    Ok(Arc::new(source.tables(&target, batch)?))
}

async fn copy(
    from: &Store,
    to: &Store,
    table: &Arc<Table>,
    tell: &mut (dyn FnMut(&Progress) -> Result<()> + Send),
) -> Result<()> {
    let of = from.read(CountOf(Arc::clone(table))).await?;
    let (mut cursor, mut done) = to.read(CursorOf(Arc::clone(table))).await?;
    loop {
        let rows = from.read(ReadBatch { table: Arc::clone(table), after: cursor.clone() }).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        let next: Vec<_> = table.key.iter().filter_map(|n| last.get(*n).cloned()).collect();
        done += rows.len() as u64;
        to.write(WriteBatch { table: Arc::clone(table), rows, cursor: next.clone(), done }).await?;
        cursor = Some(next);
        tell(&Progress::Copied { table: table.name.clone(), done, of })?;
    }
}

async fn sum(store: &Store, table: &Arc<Table>) -> Result<Sum> {
    let (mut sum, mut cursor) = (Sum::default(), None);
    loop {
        let rows = store.read(ReadBatch { table: Arc::clone(table), after: cursor.take() }).await?;
        let Some(last) = rows.last() else { return Ok(sum) };
        cursor = Some(table.key.iter().filter_map(|n| last.get(*n).cloned()).collect());
        rows.iter().for_each(|row| sum.add(row));
    }
}
