//! Threads that only read: a read sees one consistent moment and never waits for the writer.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::tx::{Cache, Context, SqliteTx};
use crate::task::Task;

/// Runs until it is told to end or every sender is gone.
pub(super) fn run(queue: &Mutex<mpsc::Receiver<Box<dyn Task>>>, connection: &Connection, context: &Context) {
    let mut cache = Cache::default();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(mut task) = next.filter(|task| !task.is_end()) else { return };
        let result = read(connection, &mut cache, context, task.as_mut());
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        task.finish(result);
    }
}

fn read<'c>(
    connection: &'c Connection,
    cache: &mut Cache<'c>,
    context: &Context,
    task: &mut dyn Task,
) -> Result<(), String> {
    connection.execute_batch("BEGIN").map_err(|e| e.to_string())?;
    let mut tx = SqliteTx::new(connection, cache, context);
    task.run(&mut tx);
    match tx.trouble.take() {
        Some(why) => Err(why),
        None => Ok(()),
    }
}
