//! Processes of their own: the test binary started again with one ignored test, told by the environment what to be.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use types::clock::ShiftedClock;

use super::tool;
use crate::fixtures::message;
use crate::support::{START, accept_op, doors, open_file, runtime};

const ROLE: &str = "BARID_STORE_TEST_ROLE";
const FILE: &str = "BARID_STORE_TEST_FILE";

#[test]
#[ignore = "the other tests start it as a process of its own"]
fn child() {
    let (Ok(role), Ok(file)) = (std::env::var(ROLE), std::env::var(FILE)) else { return };
    // The runner has begun a line of its own.
    println!();
    let path = Path::new(&file);
    match role.as_str() {
        "accept" => runtime().block_on(accept(path)),
        "careless" => careless(path),
        "one" => runtime().block_on(one(path)),
        "half a schema" => half_a_schema(path),
        other => panic!("no such role: {other}"),
    }
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

fn wait_for_a_word() {
    let _ = std::io::stdin().read(&mut [0; 1]);
}

/// Accepts messages without end, many at once, and tells each that was acknowledged.
async fn accept(path: &Path) {
    let store = open_file(path, &Arc::new(ShiftedClock::still(START))).await.unwrap();
    let (meta, _) = doors(&store).await;
    let next = Arc::new(AtomicU64::new(0));
    tell("ready");
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, meta, next) = (store.clone(), meta.clone(), Arc::clone(&next));
        all.spawn(async move {
            let policy = Arc::new(store::Policy::default());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let event = message(&format!("w{n}"), &format!("9715{:07}", n % 100), "hello");
                let accepted = store.write(accept_op(&meta, vec![event], None, &policy)).await.unwrap();
                assert_eq!(accepted.messages.len(), 1);
                tell(&format!("ack w{n}"));
            }
        });
    }
    all.join_all().await;
}

/// What must not be done: a commit that is acknowledged before it is on disk.
fn careless(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;").unwrap();
    connection.execute_batch("CREATE TABLE message (provider_id TEXT); PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    tell("ready");
    for n in 0_u64.. {
        connection.execute("INSERT INTO message VALUES (?1)", [format!("w{n}")]).unwrap();
        tell(&format!("ack w{n}"));
    }
}

/// Accepts one message when told to.
async fn one(path: &Path) {
    let store = open_file(path, &Arc::new(ShiftedClock::still(START))).await.unwrap();
    let (meta, _) = doors(&store).await;
    let policy = Arc::new(store::Policy::default());
    tell("ready");
    wait_for_a_word();
    let event = message("w0", "971500000001", "hello");
    match store.write(accept_op(&meta, vec![event], None, &policy)).await {
        Ok(_) => tell("ack w0"),
        Err(e) => tell(&format!("refused: {e}")),
    }
}

/// Begins a schema and never ends it.
fn half_a_schema(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA cache_size = 1; BEGIN IMMEDIATE;").unwrap();
    connection
        .execute_batch("CREATE TABLE schema_version (version INTEGER NOT NULL, applied_at INTEGER NOT NULL);")
        .unwrap();
    connection.execute_batch("CREATE TABLE tenants (id INTEGER PRIMARY KEY); CREATE TABLE half (x);").unwrap();
    tell("ready");
    wait_for_a_word();
}

/// A started process and what it has told.
pub struct Process {
    child: Child,
    told: Arc<Mutex<Vec<String>>>,
}

impl Process {
    pub fn start(role: &str, file: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite::child::child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (out, lines) = (child.stdout.take().unwrap(), Arc::clone(&told));
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let process = Self { child, told };
        process.wait_until("it is ready", |lines| lines.iter().any(|l| l == "ready"));
        process
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits, 20 s at most, until what was told is enough.
    pub fn wait_until(&self, what: &str, enough: impl Fn(&[String]) -> bool) {
        for _ in 0..2000 {
            if enough(&self.told.lock().unwrap()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("waited in vain until {what}: {:?}", self.told.lock().unwrap());
    }

    pub fn acks(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        told.iter().filter_map(|l| l.strip_prefix("ack ")).map(ToOwned::to_owned).collect()
    }

    /// Goes on until `more` further messages were acknowledged.
    pub fn go_on(&self, more: usize) {
        let before = self.acks().len();
        self.wait_until("more is acknowledged", |l| {
            l.iter().filter(|l| l.starts_with("ack ")).count() >= before + more
        });
    }

    /// Stops it in its tracks; what it told before is complete when this returns.
    pub fn freeze(&self) {
        assert!(tool("kill", &["-STOP", &self.id().to_string()]));
        while !self.all_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut before = usize::MAX;
        // The pipe may still hold what was told: wait until nothing more comes.
        while before != self.told.lock().unwrap().len() {
            before = self.told.lock().unwrap().len();
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn thaw(&self) {
        assert!(tool("kill", &["-CONT", &self.id().to_string()]));
    }

    /// A thread within the kernel's flush ends that before it stops, so each is asked.
    fn all_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        tasks.flatten().all(|task| {
            let state = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['T', 't']))
        })
    }

    pub fn word(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        self.acks()
    }

    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
