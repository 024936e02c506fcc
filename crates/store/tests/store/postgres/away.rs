//! The server stops, crashes, or falls silent (RELIABILITY rows 13 and 27): nothing is called stored that is not, nobody waits for ever, and
//! everything goes on by itself when it is back.

use std::sync::Arc;
use std::time::Duration;

use store::{Policy, PostgresOptions, Store, StoreError};
use testkit::postgres::{Cluster, Database};
use types::clock::Stopwatch;

use super::{clock, node, wanted};
use crate::fixtures::message;
use crate::support::{accept_op, doors, runtime};

async fn accept(store: &Store, door: &store::Door, id: &str) -> store::Result<usize> {
    let op = accept_op(door, vec![message(id, "971500000001", "hello")], None, &Arc::new(Policy::default()));
    store.write(op).await.map(|a| a.messages.len())
}

fn away(result: store::Result<usize>) {
    assert!(matches!(result, Err(StoreError::Unavailable { .. })), "{result:?}");
}

/// Writes until it succeeds; the id of what was stored at last.
async fn back(store: &Store, door: &store::Door, prefix: &str) -> String {
    for n in 0..2000 {
        let id = format!("{prefix}-{n}");
        if accept(store, door, &id).await.is_ok() {
            return id;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come back");
}

#[test]
fn a_server_that_stops_or_crashes_costs_no_restart_of_ours() {
    if !wanted() {
        return;
    }
    let mut cluster = Cluster::start().unwrap();
    let database = Database::on(&cluster.url()).unwrap();
    runtime().block_on(async {
        let store = node(&database).await;
        let (door, _) = doors(&store).await;
        assert_eq!(accept(&store, &door, "before").await.unwrap(), 1);
        // Restarted while nobody asked: nobody need know.
        cluster.stop().unwrap();
        cluster.restart().unwrap();
        assert_eq!(accept(&store, &door, "restarted").await.unwrap(), 1);
        for (n, crash) in [false, true].into_iter().enumerate() {
            if crash {
                cluster.kill().unwrap()
            } else {
                cluster.stop().unwrap()
            }
            for i in 0..3 {
                away(accept(&store, &door, &format!("away-{n}-{i}")).await);
                assert!(store.read(store::export::Count).await.is_err());
            }
            cluster.restart().unwrap();
            let id = back(&store, &door, &format!("back-{n}")).await;
            assert_eq!(accept(&store, &door, &id).await.unwrap(), 0, "it was stored");
            assert_eq!(store.read(store::export::Count).await.unwrap(), 1);
        }
        let lost =
            database.sql("SELECT COUNT(*) FROM inbox WHERE provider_message_id IN ('before', 'restarted')").unwrap();
        assert_eq!(lost, "2");
        store.close().await;
    });
}

#[test]
fn a_server_that_falls_silent_is_given_up_in_time_and_found_again() {
    if !wanted() {
        return;
    }
    runtime().block_on(async {
        let database = Database::fresh().unwrap();
        let port: u16 = database.url().rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap();
        let way = testkit::Way::to(port).await.unwrap();
        let url = way.instead_of(&database.url(), port);
        let options = PostgresOptions { silence: Duration::from_millis(800), ..PostgresOptions::at(url) };
        let store = Store::open_postgres(&options, clock()).await.unwrap();
        let (door, _) = doors(&store).await;
        assert_eq!(accept(&store, &door, "before").await.unwrap(), 1);
        way.be_silent(true);
        let watch = Stopwatch::start();
        away(accept(&store, &door, "silent").await);
        assert!(watch.elapsed() < Duration::from_secs(20), "someone waited {:?}", watch.elapsed());
        way.be_silent(false);
        back(&store, &door, "back").await;
        store.close().await;
    });
}
