//! Clients that are slow, many, or rude (S7.4).

use std::net::SocketAddr;
use std::time::Duration;

use simulator::lead::Webhook;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use types::clock::Stopwatch;

use crate::support::{HELLO, PATIENCE, Setup, World};

fn head(webhook: &Webhook, more: &str) -> String {
    let path = "/api/webhooks/whatsapp";
    format!(
        "POST {path} HTTP/1.1\r\nhost: barid\r\ncontent-type: application/json\r\n{}: {}\r\n{more}\r\n",
        webhook.header(),
        webhook.proof
    )
}

/// What comes back until the server closes, or as much as there is when it does not.
async fn answer(socket: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let read = async {
        let mut buffer = [0_u8; 4096];
        while let Ok(n @ 1..) = socket.read(&mut buffer).await {
            got.extend_from_slice(&buffer[..n]);
            if got.windows(4).any(|w| w == b"\r\n\r\n") {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    String::from_utf8_lossy(&got).into_owned()
}

/// Posts a webhook in chunks, without a length.
pub async fn chunked(address: SocketAddr, webhook: &Webhook) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut request = head(webhook, "transfer-encoding: chunked\r\n").into_bytes();
    for chunk in webhook.body.chunks(1000) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend_from_slice(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    // The server may have refused, and closed, before all of it is written.
    let _ = socket.write_all(&request).await;
    answer(&mut socket).await
}

/// Waits until the server closes.
async fn closed(socket: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let end = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut got)).await;
    assert!(end.is_ok(), "still open; it said {:?}", String::from_utf8_lossy(&got));
    String::from_utf8_lossy(&got).into_owned()
}

/// RELIABILITY 4.10: headers that never end are cut off, and nobody else waits for that.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_never_end_are_cut_off_while_others_go_on() {
    let world = Setup::default().env(&[("BARID__SERVER__HEADER_TIMEOUT", "1s")]).start().await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(world.app().address()).await.unwrap();
        socket.write_all(b"POST /api/webhooks/whatsapp HTTP/1.1\r\nhost: ba").await.unwrap();
        slow.push(socket);
    }
    assert_eq!(world.say("971500000101", HELLO).await, "sent");
    for mut socket in slow {
        let said = closed(&mut socket).await;
        assert!(!said.contains(" 200 "), "{said}");
    }
}

/// S7.4: a body that dribbles is cut off at the request timeout, and nothing of it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_dribbles_is_cut_off() {
    let world = Setup::default().env(&[("BARID__SERVER__REQUEST_TIMEOUT", "1s")]).start().await;
    let webhook = world.meta.lead("971500000101", "Lina").text(HELLO);
    let mut socket = TcpStream::connect(world.app().address()).await.unwrap();
    let length = format!("content-length: {}\r\n", webhook.body.len());
    socket.write_all(head(&webhook, &length).as_bytes()).await.unwrap();
    socket.write_all(&webhook.body[..10]).await.unwrap();
    let said = answer(&mut socket).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert_eq!(world.one("SELECT COUNT(*) FROM message").await, "0");
    assert_eq!(world.post(&webhook).await, 200);
}

/// S7.4: connections above the bound wait their turn, and are served when one ends.
#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_bound_wait_and_are_served() {
    let env = [("BARID__SERVER__MAX_CONNECTIONS", "4"), ("BARID__SERVER__HEADER_TIMEOUT", "60s")];
    let world = Setup::default().env(&env).start().await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut socket = TcpStream::connect(world.app().address()).await.unwrap();
        socket.write_all(b"GET /livez HTTP/1.1\r\nhost: barid\r\n\r\n").await.unwrap();
        assert!(answer(&mut socket).await.contains(" 200 "));
        idle.push(socket);
    }
    let webhook = world.meta.lead("971500000101", "Lina").text(HELLO);
    let mut fifth = TcpStream::connect(world.app().address()).await.unwrap();
    let length = format!("content-length: {}\r\n", webhook.body.len());
    fifth.write_all(head(&webhook, &length).as_bytes()).await.unwrap();
    fifth.write_all(&webhook.body).await.unwrap();
    let mut byte = [0_u8; 1];
    let early = tokio::time::timeout(Duration::from_millis(150), fifth.read(&mut byte)).await;
    assert!(early.is_err(), "it was served beside four others");
    drop(idle.pop());
    assert!(answer(&mut fifth).await.contains(" 200 "));
}

/// RELIABILITY 4.9: very deep JSON is answered like any other body, and quickly.
#[tokio::test(flavor = "multi_thread")]
async fn deep_nesting_harms_nobody() {
    let world = World::new().await;
    for depth in [200, 10_000, 400_000] {
        let deep = format!("{{\"object\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let watch = Stopwatch::start();
        let status = world.post(&world.meta.sign("", "", deep.into_bytes())).await;
        assert!([200, 400].contains(&status), "{depth}: {status}");
        assert!(watch.elapsed() < PATIENCE, "{depth}");
    }
    assert_eq!(world.say("971500000101", HELLO).await, "sent");
}
