//! The one thread that writes. It drains what waits, runs it in one transaction (with a savepoint each only when one of them fails), commits
//! once, and only then answers all: group commit. Nobody is told of a success that is not on disk (promise 1 of SPEC).

use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;
use types::clock::Stopwatch;

use super::tx::{Cache, Context, SqliteTx, unavailable};
use crate::task::Task;

/// At most this many operations in one commit: enough to spread the cost of a disk flush, few enough that the first of them
/// does not wait long for the last.
const GROUP: usize = 256;
/// Pages in the write-ahead log before they are copied into the file. Hot pages are then copied once for many commits.
const CHECKPOINT_PAGES: i64 = 16_000;

/// Runs until it is told to end or every sender is gone.
pub(super) fn run(mut queue: mpsc::Receiver<Box<dyn Task>>, connection: Connection, context: &Context) {
    {
        let mut cache = Cache::default();
        let mut group = Vec::with_capacity(GROUP);
        while let Some(first) = queue.blocking_recv() {
            group.push(first);
            while group.len() < GROUP {
                match queue.try_recv() {
                    Ok(task) => group.push(task),
                    Err(_) => break,
                }
            }
            if group.iter().any(|task| task.is_end()) {
                // Nothing new comes in; what is queued is still committed.
                queue.close();
            }
            commit_group(&connection, &mut cache, context, &mut group);
        }
    }
    // The last connection to go copies the log into the file and leaves that one behind.
    let _ = connection.close();
}

fn commit_group<'c>(
    connection: &'c Connection,
    cache: &mut Cache<'c>,
    context: &Context,
    group: &mut Vec<Box<dyn Task>>,
) {
    let watch = Stopwatch::start();
    let size = group.len();
    let result = run_group(connection, cache, context, group);
    if result.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    if let Err(why) = &result {
        tracing::error!(why, operations = size, "nothing of this group was stored");
        metrics::gauge!("db_up").set(0.0);
        // On a full disk the log itself may hold the room that the next commit needs: copied into the file, it starts again from its
        // beginning.
        let _ = connection.execute_batch("PRAGMA wal_checkpoint(RESTART)");
    } else {
        metrics::gauge!("db_up").set(1.0);
    }
    fail::fail_point!("store.committed");
    metrics::histogram!("store_commit_seconds").record(watch.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "groups are small")]
    metrics::histogram!("store_group_size").record(size as f64);
    for task in group.drain(..) {
        task.finish(result.clone());
    }
}

fn run_group<'c>(
    connection: &'c Connection,
    cache: &mut Cache<'c>,
    context: &Context,
    group: &mut [Box<dyn Task>],
) -> Result<(), String> {
    // A savepoint makes SQLite keep a copy of every page that its operation touches, and nearly every operation succeeds: so first all
    // of them together without, and only if one fails, again with a savepoint each (operations may run again, see `Op`).
    if !run_all(connection, cache, context, group, false)? {
        connection.execute_batch("ROLLBACK").map_err(|e| explain(&e))?;
        run_all(connection, cache, context, group, true)?;
    }
    fail::fail_point!("store.commit");
    if let Err(error) = connection.execute_batch("COMMIT") {
        // After an I/O error nobody knows whether the commit is on disk. Going on could say "stored" or "not stored" wrongly;
        // ending the process and recovering from the log cannot (RELIABILITY 2, row 10).
        if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
            tracing::error!(%error, "the disk failed during a commit; its outcome is unknown, so this process ends and recovers on restart");
            std::process::abort();
        }
        return Err(explain(&error));
    }
    Ok(())
}

/// Begins a transaction and runs every operation in it; whether all of them want their changes kept. With `apart`, those that do not have
/// theirs undone, and all is well; without, the first of them ends the run.
fn run_all<'c>(
    connection: &'c Connection,
    cache: &mut Cache<'c>,
    context: &Context,
    group: &mut [Box<dyn Task>],
    apart: bool,
) -> Result<bool, String> {
    let step = |text: &str| connection.execute_batch(text).map_err(|e| explain(&e));
    // IMMEDIATE: a deferred upgrade fails at once with SQLITE_BUSY_SNAPSHOT, whatever the timeout (RELIABILITY 6).
    step("BEGIN IMMEDIATE")?;
    for task in group.iter_mut() {
        if apart {
            step("SAVEPOINT op")?;
        }
        let mut tx = SqliteTx::new(connection, cache, context);
        let keep = task.run(&mut tx);
        if let Some(why) = tx.trouble.take() {
            return Err(why);
        }
        // A full disk may have undone the whole group behind our back.
        if connection.is_autocommit() {
            return Err(format!("the database undid the transaction during {}", task.name()));
        }
        match (apart, keep) {
            (true, true) => step("RELEASE op")?,
            (true, false) => step("ROLLBACK TO op; RELEASE op")?,
            (false, true) => {}
            (false, false) => return Ok(false),
        }
    }
    Ok(true)
}

fn explain(error: &rusqlite::Error) -> String {
    unavailable(error).unwrap_or_else(|| error.to_string())
}

/// The settings that only the writer's connection has.
pub(super) fn settings() -> String {
    format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};")
}
