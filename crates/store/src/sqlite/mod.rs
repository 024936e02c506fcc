//! The embedded database: one file, one process, one writer.
//!
//! - `tx.rs`: the seam's [`crate::sql::Tx`] over a connection
//! - `writer.rs`: the one thread that writes, with group commit
//! - `readers.rs`: threads that only read, each with its own connection
//! - `open.rs`: settings, the process lock, refusal of what cannot be trusted

mod open;
mod readers;
mod tx;
mod writer;

use std::sync::Arc;

use tokio::sync::mpsc;
use types::SharedClock;
use types::ids::IdMaker;

use crate::error::{Result, StoreError};
use crate::task::{End, Task};

pub use open::{Role, SqliteOptions};
pub(crate) use open::{empty_log, is_locked};

/// A running embedded database.
#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: mpsc::Sender<Box<dyn Task>>,
    readers: mpsc::Sender<Box<dyn Task>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    path: std::path::PathBuf,
    /// Held as long as the process may write (S8.1); the system frees it even after kill -9.
    _lock: Option<std::fs::File>,
}

/// How many operations may wait for the writer before callers wait too.
const WRITE_QUEUE: usize = 4096;
/// The same for readers.
const READ_QUEUE: usize = 1024;
/// Threads that read.
const READERS: usize = 2;

impl Sqlite {
    /// Opens the file, brings its schema up to date, and starts its threads.
    pub fn start(options: &SqliteOptions, clock: &SharedClock, ids: &Arc<IdMaker>) -> Result<Self> {
        let server = options.role == Role::Server;
        let lock = if server { Some(open::lock(&options.path)?) } else { None };
        let connection = open::connect(options)?;
        let context = tx::Context { clock: Arc::clone(clock), ids: Arc::clone(ids) };
        if server {
            open::migrate(&connection, &context)?;
        } else {
            crate::migrations::check(&mut tx::SqliteTx::new(&connection, &mut tx::Cache::default(), &context))?;
        }
        let (writer, write_queue) = mpsc::channel(WRITE_QUEUE);
        let (readers, read_queue) = mpsc::channel(READ_QUEUE);
        let read_queue = Arc::new(std::sync::Mutex::new(read_queue));
        let mut threads = Vec::with_capacity(READERS + 1);
        for n in 0..READERS {
            let (queue, connection, context) =
                (Arc::clone(&read_queue), open::connect_reader(options)?, context.clone());
            threads.push(spawn(format!("barid-read-{n}"), move || readers::run(&queue, &connection, &context))?);
        }
        threads.push(spawn("barid-write".to_owned(), move || writer::run(write_queue, connection, &context))?);
        Ok(Self { writer, readers, threads, path: options.path.clone(), _lock: lock })
    }

    /// The file.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Where writes go.
    pub const fn writer(&self) -> &mpsc::Sender<Box<dyn Task>> {
        &self.writer
    }

    /// Where reads go.
    pub const fn readers(&self) -> &mpsc::Sender<Box<dyn Task>> {
        &self.readers
    }

    /// Ends the threads after what is queued, and waits for them.
    pub fn close(self) {
        let Self { writer, readers, mut threads, .. } = self;
        for _ in 0..READERS {
            let _ = readers.blocking_send(Box::new(End));
        }
        // Readers go first: of two connections that close at the same moment, each takes the other for one that stays, and neither
        // copies the log into the file.
        for reader in threads.drain(..READERS.min(threads.len())) {
            let _ = reader.join();
        }
        let _ = writer.blocking_send(Box::new(End));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|e| StoreError::Unusable(format!("cannot start a database thread: {e}")))
}
