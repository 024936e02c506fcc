//! It shares two cores with the engine in benchmarks, so its own cost is measured: processor time, not time on the wall.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use simulator::lead::MetaSource;
use types::SystemClock;
use types::clock::Stopwatch;

use crate::common::*;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 2000;

/// Processor time of the calling thread, in seconds (Linux: nanoseconds in the first field).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Keep-alive, one request in flight on each connection, as the engine does it.
fn send_many(address: SocketAddr) {
    let body = text("hello there, this is an answer of an ordinary length").to_string();
    let request = format!(
        "POST /v25.0/{PNID}/messages HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer meta-token\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut buffer = vec![0_u8; 1 << 16];
    for _ in 0..ROUNDS {
        for stream in &mut streams {
            stream.write_all(request.as_bytes()).unwrap();
        }
        for stream in &mut streams {
            // One small answer comes in one piece.
            let n = stream.read(&mut buffer).unwrap();
            assert!(buffer[..n].starts_with(b"HTTP/1.1 200"), "not an answer");
        }
    }
}

/// At least 60 000 sends in a second of one core, when built to be fast.
#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn sends_cost_little() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (sim, used) = runtime.block_on(async {
        let sim = start(options()).await;
        let address = sim.address();
        let before = processor_seconds();
        tokio::task::spawn_blocking(move || send_many(address)).await.unwrap();
        (sim, processor_seconds() - before)
    });
    let sends = CONNECTIONS * ROUNDS;
    assert_eq!(sim.accepted_count(), sends as u64);
    let rate = sends as f64 / used;
    println!("{rate:.0} sends in a second of processor time");
    assert!(rate > if cfg!(debug_assertions) { 5_000.0 } else { 60_000.0 }, "{rate:.0}");
}

/// At least 100 000 signed leads in a second of one core, when built to be fast.
#[test]
#[ignore = "a measurement: run it alone, with --release"]
fn leads_cost_little() {
    let source = MetaSource::new(&number(), Arc::new(SystemClock));
    let watch = Stopwatch::start();
    let mut bytes = 0;
    let n = 200_000;
    for _ in 0..n {
        bytes += source.lead(LEAD, "Amina").text("hello, is the shop open on Friday?").body.len();
    }
    assert!(watch.elapsed() > Duration::ZERO && bytes > n * 300);
    let rate = n as f64 / watch.elapsed().as_secs_f64();
    println!("{rate:.0} signed leads a second");
    assert!(rate > if cfg!(debug_assertions) { 5_000.0 } else { 100_000.0 }, "{rate:.0}");
}
