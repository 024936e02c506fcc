//! Opening the file: settings (RELIABILITY 6), the process lock, and refusal of what cannot be trusted.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::tx::{Cache, Context, SqliteTx};
use crate::error::{Result, StoreError};

/// Who opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one process that works it: it holds the lock, brings the schema up to date and frees what its predecessor held.
    Server,
    /// A command beside it, or without it: reads and writes single operations, and touches neither lock, schema nor leases.
    Companion,
}

/// How to open the embedded database.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The file; made when it does not exist.
    pub path: PathBuf,
    /// Who opens it.
    pub role: Role,
    /// At most this many 4 KiB pages (tests: a full disk); 0 for no bound.
    pub max_pages: u32,
    /// Open it even where a move into it is unfinished: for `barid move` itself.
    pub half_moved: bool,
}

impl SqliteOptions {
    /// The file at `path`, as its server.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), role: Role::Server, max_pages: 0, half_moved: false }
    }

    /// The file at `path`, for a command beside the server.
    #[must_use]
    pub fn beside(path: impl Into<PathBuf>) -> Self {
        Self { role: Role::Companion, ..Self::at(path) }
    }
}

/// Older SQLites may corrupt the write-ahead log when it is reset (fixed in 3.51.3).
const OLDEST: i32 = 3_051_003;

fn unusable(path: &Path, why: impl std::fmt::Display) -> StoreError {
    StoreError::Unusable(format!("cannot use the database {}: {why}", path.display()))
}

/// Takes the process lock beside the file: two servers on one file would each believe to be the only writer.
pub(super) fn lock(path: &Path) -> Result<File> {
    let beside = PathBuf::from(format!("{}-lock", path.display()));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&beside)
        .map_err(|e| unusable(path, format!("{e} (its folder must exist and be writable)")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(unusable(
            path,
            format!(
                "another barid is using it ({} is locked). Stop that one first, or give this one another [store] url",
                beside.display()
            ),
        )),
        Err(std::fs::TryLockError::Error(e)) => Err(unusable(path, e)),
    }
}

/// Whether another process works the file.
pub(crate) fn is_locked(path: &Path) -> bool {
    lock(path).is_err()
}

/// The writer's connection.
pub(super) fn connect(options: &SqliteOptions) -> Result<Connection> {
    if rusqlite::version_number() < OLDEST {
        return Err(unusable(&options.path, format!("SQLite {} is older than 3.51.3", rusqlite::version())));
    }
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if options.role == Role::Server {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let fail = |e: rusqlite::Error| unusable(&options.path, e);
    let connection = Connection::open_with_flags(&options.path, flags).map_err(fail)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(fail)?;
    // What is removed is overwritten: a person who is erased (S6.8) is not in the file's free pages either.
    // References are not looked up at every insert, which would be a tenth of a message's cost: only this crate's operations write, and
    // every test ends with a check that none is broken (RELIABILITY 3, I12). PostgreSQL checks them itself.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = OFF;
             PRAGMA secure_delete = ON;
             PRAGMA mmap_size = 0;
             PRAGMA temp_store = MEMORY;
             PRAGMA journal_size_limit = 67108864;
             PRAGMA cache_size = -16384;",
        )
        .map_err(fail)?;
    connection.execute_batch(&super::writer::settings()).map_err(fail)?;
    if options.max_pages > 0 {
        let bound = format!("PRAGMA max_page_count = {}", options.max_pages);
        connection.execute_batch(&bound).map_err(fail)?;
    }
    Ok(connection)
}

/// A connection that cannot write.
pub(super) fn connect_reader(options: &SqliteOptions) -> Result<Connection> {
    let fail = |e: rusqlite::Error| unusable(&options.path, e);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&options.path, flags).map_err(fail)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(fail)?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -8192;")
        .map_err(fail)?;
    Ok(connection)
}

/// Copies the log into the file and cuts it to nothing, beside whoever works the file; whether it is empty then.
pub(crate) fn empty_log(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(path, flags) else { return false };
    let waits = connection.busy_timeout(std::time::Duration::from_secs(5));
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get::<_, i64>(0));
    waits.is_ok() && busy.is_ok_and(|busy| busy == 0)
}

/// Brings the schema up to date, one transaction a version, so that a kill between two leaves a whole one.
pub(super) fn migrate(connection: &Connection, context: &Context) -> Result<()> {
    let fail = |e: rusqlite::Error| StoreError::Unusable(format!("the schema could not be brought up to date: {e}"));
    let mut cache = Cache::default();
    loop {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
        let more = crate::migrations::step(&mut SqliteTx::new(connection, &mut cache, context), &mut |text| {
            connection.execute_batch(text).map_err(fail)
        });
        match more {
            Ok(more) => {
                connection.execute_batch("COMMIT").map_err(fail)?;
                if !more {
                    return Ok(());
                }
            }
            Err(e) => {
                let _ = connection.execute_batch("ROLLBACK");
                return Err(e);
            }
        }
    }
}
