//! Operations of a move, on either side.

use std::sync::Arc;
use std::time::Duration;

use super::sum::Cell;
use super::tables::{Table, TableList};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Param, Sql, Tx};

sql! {
    ENGINES = "carry.engines":
        "{sqlite}SELECT 0 WHERE $1 >= 0{end}{postgres}SELECT COUNT(*) FROM nodes WHERE serves = 1 AND seen_at > {now} - CAST($1 AS {int}){end}";
    INSTALLATION = "carry.installation": "SELECT value FROM settings WHERE name = 'installation'";
    RUN = "carry.run": "SELECT source, finished_at FROM move_run WHERE id = 1";
    ADD_RUN = "carry.add_run": "INSERT INTO move_run (id, source, started_at) VALUES (1, $1, $2)";
    FINISH = "carry.finish": "UPDATE move_run SET finished_at = $1 WHERE id = 1 AND finished_at IS NULL";
    AWAY = "carry.away": "SELECT COUNT(*) FROM move_run WHERE id = 2";
    GO_AWAY = "carry.go_away":
        "INSERT INTO move_run (id, source, started_at, finished_at) VALUES (2, $1, $2, $2) ON CONFLICT (id) DO NOTHING";
    USED = "carry.used":
        "SELECT EXISTS (SELECT 1 FROM tenants) OR EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM tokens) OR EXISTS (SELECT 1 FROM message)
             OR EXISTS (SELECT 1 FROM events)";
    CURSOR = "carry.cursor": "SELECT cursor, copied FROM move_table WHERE name = $1";
    SET_CURSOR = "carry.set_cursor":
        "INSERT INTO move_table (name, cursor, copied) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, copied = excluded.copied";
}

/// A node that was not seen for so long works no more; each says that it lives every minute.
pub(super) const SEEN: Duration = Duration::from_secs(100);

/// Longest batch in memory, about: a message may hold megabytes.
const BYTES: usize = 8 << 20;

/// How many engines work this database. (Of an SQLite file there is at most one, and its lock says so.)
pub(super) struct EnginesOf;

impl Op for EnginesOf {
    const NAME: &'static str = "carry.engines";
    type Out = i64;

    fn run(&self, tx: &mut dyn Tx) -> Result<i64> {
        let seen = i64::try_from(SEEN.as_micros()).unwrap_or(i64::MAX);
        tx.number(&ENGINES, params![seen])
    }
}

/// Which installation this is.
pub(super) struct Installation;

impl Op for Installation {
    const NAME: &'static str = "carry.installation";
    type Out = i64;

    fn run(&self, tx: &mut dyn Tx) -> Result<i64> {
        tx.number(&INSTALLATION, &[])
    }
}

fn run(tx: &mut dyn Tx) -> Result<Option<(i64, bool)>> {
    tx.first(&RUN, &[], |r| Ok((r.get(0)?, r.get::<Option<i64>>(1)?.is_some())))
}

/// What moves have made of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be used.
    Whole,
    /// It is the target of a move that has not come to its end.
    HalfMoved,
    /// It was moved: what it holds is worked elsewhere, and would be said twice if it were worked here, too.
    Away,
}

/// Asks for it.
#[derive(Clone, Copy, Debug)]
pub struct HowItStands;

impl Op for HowItStands {
    const NAME: &'static str = "carry.how_it_stands";
    type Out = Standing;

    fn run(&self, tx: &mut dyn Tx) -> Result<Standing> {
        if tx.number(&AWAY, &[])? != 0 {
            return Ok(Standing::Away);
        }
        let half = run(tx)?.is_some_and(|(_, finished)| !finished);
        Ok(if half { Standing::HalfMoved } else { Standing::Whole })
    }
}

/// Marks the source of a move that has come to its end.
pub(super) struct GoAway(pub i64);

impl Op for GoAway {
    const NAME: &'static str = "carry.go_away";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        tx.execute(&GO_AWAY, params![self.0, now]).map(drop)
    }
}

/// How a move begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// For the first time.
    New,
    /// An earlier attempt is gone on with.
    Again,
    /// An earlier one came to its end.
    Done,
}

/// Makes the target ready.
pub(super) struct Begin {
    pub source: i64,
    pub tables: Arc<TableList>,
}

impl Op for Begin {
    const NAME: &'static str = "carry.begin";
    type Out = Begun;

    fn run(&self, tx: &mut dyn Tx) -> Result<Begun> {
        match run(tx)? {
            Some((source, false)) if source == self.source => return Ok(Begun::Again),
            Some((_, false)) => {
                let why = "the target is half-filled from another installation. Give an empty one; nothing was moved";
                return Err(StoreError::Refused(why.to_owned()));
            }
            Some((source, true)) if source == self.source => return Ok(Begun::Done),
            _ => {}
        }
        if tx.number(&USED, &[])? != 0 {
            let why = "the target is not empty: an installation lives there. Give an empty database; nothing was moved";
            return Err(StoreError::Refused(why.to_owned()));
        }
        // What a new database is born with is the source's to say.
        for table in self.tables.iter().rev() {
            tx.execute(table.clear, &[])?;
        }
        let now = tx.now();
        tx.execute(&ADD_RUN, params![self.source, now])?;
        Ok(Begun::New)
    }
}

/// How many rows a table has.
pub(super) struct CountOf(pub Arc<Table>);

impl Op for CountOf {
    const NAME: &'static str = "carry.count";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        Ok(u64::try_from(tx.number(self.0.count, &[])?).unwrap_or(0))
    }
}

/// How far a table has come.
pub(super) struct CursorOf(pub Arc<Table>);

impl Op for CursorOf {
    const NAME: &'static str = "carry.cursor";
    type Out = (Option<Vec<Cell>>, u64);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let found = tx.first(&CURSOR, params![&self.0.name], |r| {
            let json: String = r.get(0)?;
            Ok((crate::work::parse_json(r, 0, &json)?, r.get::<i64>(1)?))
        })?;
        Ok(found.map_or((None, 0), |(cursor, done)| (Some(cursor), u64::try_from(done).unwrap_or(0))))
    }
}

/// The next rows of a table, by its key.
pub(super) struct ReadBatch {
    pub table: Arc<Table>,
    pub after: Option<Vec<Cell>>,
}

impl Op for ReadBatch {
    const NAME: &'static str = "carry.read";
    type Out = Vec<Vec<Cell>>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let (sql, params): (&'static Sql, Vec<Param<'_>>) = match &self.after {
            None => (self.table.first, Vec::new()),
            Some(after) => (self.table.next, after.iter().map(Cell::param).collect()),
        };
        let (mut rows, mut size) = (Vec::new(), 0);
        tx.query(sql, &params, &mut |row| {
            if size < BYTES {
                let cells = (0..self.table.width)
                    .map(|n| row.value(n).map(Cell::from))
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|why| StoreError::Corrupt { statement: row.statement(), column: 0, why })?;
                size += cells.iter().map(Cell::size).sum::<usize>();
                rows.push(cells);
            }
            Ok(())
        })?;
        Ok(rows)
    }
}

/// Puts rows into the target, and says how far the table has come: both or neither.
pub(super) struct WriteBatch {
    pub table: Arc<Table>,
    pub rows: Vec<Vec<Cell>>,
    pub cursor: Vec<Cell>,
    pub done: u64,
}

impl Op for WriteBatch {
    const NAME: &'static str = "carry.write";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let mut rest = self.rows.as_slice();
        for (count, sql) in &self.table.inserts {
            while let Some((now, later)) = rest.split_at_checked(*count).filter(|(now, _)| !now.is_empty()) {
                let params: Vec<Param<'_>> = now.iter().flatten().map(Cell::param).collect();
                tx.execute(sql, &params)?;
                rest = later;
            }
        }
        let cursor = serde_json::to_string(&self.cursor).unwrap_or_default();
        let done = i64::try_from(self.done).unwrap_or(i64::MAX);
        tx.execute(&SET_CURSOR, params![&self.table.name, &cursor, done])?;
        fail::fail_point!("carry.wrote");
        Ok(())
    }
}

/// The move is done and verified: engines may start.
pub(super) struct Finish;

impl Op for Finish {
    const NAME: &'static str = "carry.finish";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        tx.execute(&FINISH, params![now])?;
        Ok(())
    }
}
