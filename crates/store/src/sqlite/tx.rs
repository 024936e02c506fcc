//! The seam's transaction over a SQLite connection.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement};
use types::ids::IdMaker;
use types::{SharedClock, Timestamp};

use crate::error::{Result, StoreError};
use crate::sql::{Dialect, Param, Part, Row, Sql, Tx, Value};

/// What every transaction of a process shares.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub clock: SharedClock,
    pub ids: Arc<IdMaker>,
}

/// Prepared statements of one connection, by the address of their name: names are unique and static.
pub(super) type Cache<'c> = HashMap<usize, Statement<'c>>;

/// A transaction on `connection`, which someone else begins and ends.
pub(super) struct SqliteTx<'t, 'c> {
    connection: &'c Connection,
    cache: &'t mut Cache<'c>,
    context: &'t Context,
    now: Timestamp,
    /// The disk is full or the file cannot be written: the whole group must fail.
    pub trouble: Option<String>,
}

impl<'t, 'c> SqliteTx<'t, 'c> {
    pub fn new(connection: &'c Connection, cache: &'t mut Cache<'c>, context: &'t Context) -> Self {
        let now = context.clock.now();
        Self { connection, cache, context, now, trouble: None }
    }

    fn statement(&mut self, sql: &'static Sql) -> Result<&mut Statement<'c>> {
        match self.cache.entry(sql.name.as_ptr() as usize) {
            Entry::Occupied(e) => Ok(e.into_mut()),
            Entry::Vacant(e) => match self.connection.prepare(&Dialect::Sqlite.render(sql.text)) {
                Ok(statement) => {
                    crate::roll_call::ran(Dialect::Sqlite, sql.name);
                    Ok(e.insert(statement))
                }
                Err(error) => Err(trouble(&mut self.trouble, sql, &error)),
            },
        }
    }

    fn fail(&mut self, sql: &'static Sql, error: &rusqlite::Error) -> StoreError {
        trouble(&mut self.trouble, sql, error)
    }
}

/// What an error means; one that concerns the whole database is noted for the whole group.
fn trouble(note: &mut Option<String>, sql: &'static Sql, error: &rusqlite::Error) -> StoreError {
    match unavailable(error) {
        Some(why) => {
            *note = Some(why.clone());
            StoreError::Unavailable { why }
        }
        None => failed(sql, error),
    }
}

fn failed(sql: &'static Sql, error: &rusqlite::Error) -> StoreError {
    StoreError::Statement { statement: sql.name, why: error.to_string() }
}

/// Why the database cannot be written now, if that is what the error says (S1.5: 503).
pub(super) fn unavailable(error: &rusqlite::Error) -> Option<String> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some("the disk is full".to_owned()),
        ErrorCode::SystemIoFailure => Some(format!("the disk failed: {error}")),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some("another program holds the database".to_owned()),
        ErrorCode::ReadOnly => Some("the file is read-only".to_owned()),
        _ => None,
    }
}

struct Bound<'a>(Param<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Param::Null => ValueRef::Null,
            Param::Int(i) => ValueRef::Integer(i),
            Param::Real(r) => ValueRef::Real(r),
            Param::Text(t) => ValueRef::Text(t.as_bytes()),
            Param::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

struct SqliteRow<'a, 's> {
    row: &'a rusqlite::Row<'s>,
    statement: &'static str,
}

impl Row for SqliteRow<'_, '_> {
    fn value(&self, i: usize) -> Result<Value<'_>, String> {
        Ok(match self.row.get_ref(i).map_err(|e| e.to_string())? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(i) => Value::Int(i),
            ValueRef::Real(r) => Value::Real(r),
            ValueRef::Text(t) => Value::Text(std::str::from_utf8(t).map_err(|e| e.to_string())?),
            ValueRef::Blob(b) => Value::Blob(b),
        })
    }

    fn statement(&self) -> &'static str {
        self.statement
    }
}

fn bind(statement: &mut Statement<'_>, params: &[Param<'_>]) -> rusqlite::Result<()> {
    for (i, p) in params.iter().enumerate() {
        statement.raw_bind_parameter(i + 1, Bound(*p))?;
    }
    Ok(())
}

impl Tx for SqliteTx<'_, '_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn next_id(&mut self) -> i64 {
        self.context.ids.next(self.now)
    }

    fn execute(&mut self, sql: &'static Sql, params: &[Param<'_>]) -> Result<u64> {
        let statement = self.statement(sql)?;
        let changed = bind(statement, params).and_then(|()| statement.raw_execute());
        match changed {
            Ok(n) => Ok(n as u64),
            Err(e) => Err(self.fail(sql, &e)),
        }
    }

    fn query(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let statement = self.statement(sql)?;
        let outcome = bind(statement, params).map(|()| {
            let mut rows = statement.raw_query();
            loop {
                match rows.next() {
                    Ok(Some(row)) => {
                        if let Err(e) = each(&SqliteRow { row, statement: sql.name }) {
                            return Ok(Err(e));
                        }
                    }
                    Ok(None) => return Ok(Ok(())),
                    Err(e) => return Err(e),
                }
            }
        });
        match outcome {
            Ok(Ok(result)) => result,
            Ok(Err(e)) | Err(e) => Err(self.fail(sql, &e)),
        }
    }

    fn parts(&mut self, parts: Vec<Part>) -> Result<()> {
        parts.into_iter().try_for_each(|part| part(self))
    }
}
