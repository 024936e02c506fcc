//! Breakers on record (S4.10): shared by the nodes, moved by people, and what waits behind them.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use store::breakers::{All, Moved, Turn, Wake};
use store::desk::breakers::{Everybodys, List, Move};
use store::desk::{Access, After, By, audit};
use store::outbox::Postpone;
use types::TenantId;
use types::breaker::{BreakerRecord, NOT_ATTEMPTED, of_channel};
use types::states::BreakerState;

use crate::fixtures::PHONE;
use crate::support::Db;

for_each_database! {
    what_a_node_found_is_there_for_the_others_under_a_growing_version,
    a_persons_hold_stands_above_what_nodes_see,
    what_waits_behind_a_breaker_says_why_once_and_goes_out_when_it_closes,
    people_move_only_their_own_breakers_and_leave_a_line,
}

fn open(db: &Db, name: &str) -> BreakerRecord {
    let (state, reason) = (BreakerState::Open, Some("503".to_owned()));
    let until = Some(db.now().plus(Duration::from_secs(15)));
    BreakerRecord { name: name.into(), state, held: false, since: db.now(), until, reason, trips: 1, version: 0 }
}

fn closed(db: &Db, name: &str) -> BreakerRecord {
    BreakerRecord { state: BreakerState::Closed, until: None, reason: None, trips: 0, ..open(db, name) }
}

fn turn(name: &str, turn: Turn, access: Access) -> Move {
    let by = By { kind: "token", id: 7, name: "tester".into(), ip: None, request_id: "r".into() };
    Move { name: name.into(), turn, reason: "maintenance".into(), access, by }
}

async fn what_a_node_found_is_there_for_the_others_under_a_growing_version(db: &Db) {
    let first = db.store.write(Moved(vec![closed(db, "llm_x")])).await.unwrap();
    assert_eq!(first, [("llm_x".to_owned(), 1)]);
    assert_eq!(db.store.write(Moved(vec![open(db, "llm_x")])).await.unwrap(), [("llm_x".to_owned(), 2)]);
    let all = db.store.read(All).await.unwrap();
    assert_eq!(all, [BreakerRecord { version: 2, ..open(db, "llm_x") }]);
    // Another node meets it for the first time: it learns what is there instead of closing it.
    assert_eq!(db.store.write(Moved(vec![closed(db, "llm_x")])).await.unwrap(), []);
    assert_eq!(db.store.read(All).await.unwrap(), all);
}

async fn a_persons_hold_stands_above_what_nodes_see(db: &Db) {
    let name = of_channel(db.meta.channel);
    let held = db.store.write(turn(&name, Turn::Hold, Access::All)).await.unwrap();
    assert_eq!((held.state, held.held, held.reason.as_deref()), (BreakerState::Open, true, Some("maintenance")));
    let seen = BreakerRecord { version: 1, ..closed(db, &name) };
    assert_eq!(db.store.write(Moved(vec![seen])).await.unwrap(), []);
    assert!(db.store.read(All).await.unwrap()[0].held);
    let reset = db.store.write(turn(&name, Turn::Reset, Access::All)).await.unwrap();
    assert_eq!((reset.state, reset.held, reset.reason), (BreakerState::Closed, false, None));
}

/// S4.2: `saved_only`, waiting, no attempt burnt.
async fn what_waits_behind_a_breaker_says_why_once_and_goes_out_when_it_closes(db: &Db) {
    let name = of_channel(db.meta.channel);
    db.store.write(Moved(vec![open(db, &name)])).await.unwrap();
    let (mut lease, mut deliver) = db.sending("w1", PHONE, "hi").await;
    let why = Some(format!("{NOT_ATTEMPTED} sending on this number is stopped for a while (503)"));
    for _ in 0..2 {
        let (message, wait, policy) = (deliver.message, Duration::from_secs(15), Arc::clone(&db.policy));
        let op = Postpone { lease, message, wait, why: why.clone(), stop: false, policy };
        db.store.write(op).await.unwrap();
        assert_eq!(db.status_of(deliver.message).await, "pending");
        db.pass(15);
        (lease, deliver) = db.claim_send().await;
        assert_eq!(deliver.attempts, 0);
    }
    let tries = db.rows("SELECT outcome, error, preview FROM attempts").await;
    assert_eq!(tries, [["saved_only", why.as_deref().unwrap(), "hi"]]);
    let (message, wait, policy) = (deliver.message, Duration::from_secs(300), Arc::clone(&db.policy));
    db.store.write(Postpone { lease, message, wait, why, stop: false, policy }).await.unwrap();
    db.pass(1);
    db.idle().await;
    db.store.write(Moved(vec![BreakerRecord { version: 1, ..closed(db, &name) }])).await.unwrap();
    let (lease, deliver) = db.claim_send().await;
    assert_eq!(deliver.attempts, 0, "due at once when it closes");
    // A node that had not heard yet sent it away once more.
    let (message, wait, policy) = (deliver.message, Duration::from_secs(300), Arc::clone(&db.policy));
    let why = Some(format!("{NOT_ATTEMPTED} still open here"));
    db.store.write(Postpone { lease, message, wait, why, stop: false, policy }).await.unwrap();
    db.store.write(Wake(vec![name])).await.unwrap();
    assert_eq!(db.claim_send().await.1.message, message);
}

async fn people_move_only_their_own_breakers_and_leave_a_line(db: &Db) {
    let name = of_channel(db.green.channel);
    db.store.write(Moved(vec![closed(db, "smtp")])).await.unwrap();
    let listed = db.store.read(List(db.meta.tenant)).await.unwrap();
    assert_eq!(listed.len(), 3, "both numbers, though never sent through, and the installation's: {listed:?}");
    assert!(listed.iter().all(|b| b.state == BreakerState::Closed));
    assert_eq!(db.store.read(List(TenantId(1))).await.unwrap().len(), 1);
    let foreign = || Access::Only(Arc::from([TenantId(1)]));
    let own = || Access::Only(Arc::from([db.meta.tenant]));
    for (name, access) in [(name.as_str(), foreign()), ("smtp", own()), ("nothing", Access::All), ("channel_9", own())]
    {
        let e = db.store.write(turn(name, Turn::Hold, access)).await.unwrap_err();
        assert!(matches!(e, StoreError::NotFound { .. }), "{name}: {e}");
    }
    let e = db.store.write(turn(&name, Turn::Probe, own())).await.unwrap_err();
    assert!(matches!(e, StoreError::Refused(_)), "{e}");
    db.store.write(turn(&name, Turn::Hold, own())).await.unwrap();
    let probed = db.store.write(turn(&name, Turn::Probe, own())).await.unwrap();
    assert_eq!((probed.state, probed.held, probed.next_try.map(|m| m.0)), (BreakerState::Open, false, Some(db.now())));
    let list = audit::List { tenant: Some(db.meta.tenant), after: After::NEWEST, limit: 9, access: Access::All };
    let lines: Vec<_> = db.store.read(list).await.unwrap().into_iter().map(|(_, l)| (l.action, l.reason)).collect();
    let why = Some("maintenance".to_owned());
    assert_eq!(lines, [("breaker.probe".into(), why.clone()), ("breaker.hold".into(), why)]);
    assert_eq!(db.store.read(Everybodys).await.unwrap().len(), 2);
}
