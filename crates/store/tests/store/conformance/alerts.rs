//! Alerts (S6.6): each matter is told once when it begins and once when it ends, whoever looks and however often.

use store::alerts::{Judge, Limits, Look, NewsTold, NextNews, TakeNews};
use store::breakers::Moved;
use store::desk::After;
use store::desk::alerts::{List, OpenAlerts};
use types::TenantId;
use types::alert::{AlertEvent, AlertKind};
use types::breaker::{BreakerRecord, of_channel};
use types::states::BreakerState;

use crate::fixtures::message;
use crate::support::Db;

for_each_database! {
    a_matter_is_raised_once_and_cleared_once,
    every_kind_is_found_by_what_is_in_the_tables,
    what_was_not_heard_is_told_again_later_and_given_up_in_the_end,
}

const LIMITS: Limits = Limits { stuck: 2, dead_letters: 1, p95_ms: 2000, disk_percent: 10 };

pub fn judge(free_percent: Option<u8>) -> Judge {
    Judge { limits: LIMITS, free_percent, sinks: vec!["webhook".into(), "slack".into()] }
}

async fn changed(db: &Db, free_percent: Option<u8>) -> bool {
    db.store.read(Look { limits: LIMITS, free_percent }).await.unwrap()
}

async fn breaker(db: &Db, state: BreakerState, version: i64) {
    let (name, reason) = (of_channel(db.meta.channel), Some("503".to_owned()));
    let record = BreakerRecord { name, state, held: false, since: db.now(), until: None, reason, trips: 1, version };
    db.store.write(Moved(vec![record])).await.unwrap();
}

async fn kinds(db: &Db) -> Vec<AlertKind> {
    let mut kinds: Vec<_> = db.store.read(OpenAlerts(db.meta.tenant)).await.unwrap().iter().map(|a| a.kind).collect();
    kinds.sort_unstable();
    kinds
}

async fn a_matter_is_raised_once_and_cleared_once(db: &Db) {
    assert!(!changed(db, None).await, "a database at rest: nothing to write");
    breaker(db, BreakerState::Open, 0).await;
    assert!(changed(db, None).await);
    assert_eq!(db.store.write(judge(None)).await.unwrap(), (1, 0));
    assert!(!changed(db, None).await);
    assert_eq!(db.store.write(judge(None)).await.unwrap(), (0, 0), "another node that looked at the same time");
    breaker(db, BreakerState::HalfOpen, 1).await;
    assert!(!changed(db, None).await, "a try is not yet well again");
    breaker(db, BreakerState::Closed, 2).await;
    assert_eq!(db.store.write(judge(None)).await.unwrap(), (0, 1));
    let mut told = Vec::new();
    while let Some(one) = db.store.write(TakeNews).await.unwrap() {
        told.push((one.sink.clone(), one.news.event));
        assert_eq!((one.news.kind, one.news.tenant.as_deref()), (AlertKind::BreakerOpen, Some("alain")));
        db.store.write(NewsTold { delivery: one.news.delivery, attempts: one.attempts, error: None }).await.unwrap();
    }
    told.sort_by_key(|(sink, event)| (sink.clone(), event.as_str()));
    let (raised, cleared) = (AlertEvent::Raised, AlertEvent::Cleared);
    let all = [("slack", cleared), ("slack", raised), ("webhook", cleared), ("webhook", raised)];
    assert_eq!(told, all.map(|(sink, event)| (sink.to_owned(), event)));
    let notices = db.rows("SELECT kind FROM notification ORDER BY id").await;
    assert_eq!(notices, [["alert_raised"], ["alert_cleared"]]);
    breaker(db, BreakerState::Open, 3).await;
    assert_eq!(db.store.write(judge(None)).await.unwrap(), (1, 0), "another time is another alert");
    let list = |tenant| List { tenant, after: After::NEWEST, limit: 9 };
    assert_eq!(db.store.read(list(db.meta.tenant)).await.unwrap().len(), 2);
    assert_eq!(db.store.read(list(TenantId(1))).await.unwrap().len(), 0, "another tenant's matter");
}

async fn every_kind_is_found_by_what_is_in_the_tables(db: &Db) {
    for n in 0..3 {
        db.message(&format!("s{n}"), &format!("97150000030{n}"), "hello").await;
    }
    db.pass(301);
    for n in 0..2 {
        db.accept(&db.green, vec![message(&format!("d{n}"), &format!("97150000031{n}"), "hello")], 0).await;
    }
    // Five claimed: three stuck before; two of Green API become dead letters.
    assert!(changed(db, None).await);
    db.store.write(judge(None)).await.unwrap();
    assert_eq!(kinds(db).await, [AlertKind::StuckConversations]);
    let claimed = db.claim_as("node-a", 10).await;
    for one in &claimed {
        if one.snapshot.channel == db.green.channel {
            db.fail(one, types::Fault::Permanent).await;
        } else {
            db.finish(one, &[]).await;
        }
    }
    db.set(&format!(
        "UPDATE channels SET state = 'paused', state_reason = 'The access token is not valid' WHERE id = {}",
        db.meta.channel
    ))
    .await;
    db.set(&format!(
        "UPDATE channels SET state = 'paused', state_reason = 'the instance is blocked' WHERE id = {}",
        db.green.channel
    ))
    .await;
    db.store.write(judge(Some(9))).await.unwrap();
    let all = [AlertKind::DeadLetters, AlertKind::TokenExpired, AlertKind::ChannelDisconnected, AlertKind::DiskLow];
    assert_eq!(kinds(db).await, all);
    // Answers that took 3 s: 20 are enough to say so.
    for n in 0..20 {
        db.message(&format!("p{n}"), &format!("9715000004{n:02}"), "hello").await;
    }
    db.pass(3);
    for one in &db.claim_as("node-a", 30).await {
        db.finish(one, &[]).await;
    }
    db.store.write(judge(Some(10))).await.unwrap();
    assert!(kinds(db).await.contains(&AlertKind::SlowProcessing) && !kinds(db).await.contains(&AlertKind::DiskLow));
    db.pass(601);
    db.store.write(judge(None)).await.unwrap();
    assert!(!kinds(db).await.contains(&AlertKind::SlowProcessing), "ten minutes later nothing was slow");
}

async fn what_was_not_heard_is_told_again_later_and_given_up_in_the_end(db: &Db) {
    assert_eq!(db.store.read(NextNews).await.unwrap(), None);
    db.store.write(Judge { sinks: vec!["webhook".into()], ..judge(Some(3)) }).await.unwrap();
    let mut tries = 0;
    while let Some(at) = db.store.read(NextNews).await.unwrap() {
        db.clock.advance(at.since(db.now()));
        let one = db.store.write(TakeNews).await.unwrap().expect("it is due");
        assert_eq!(db.store.write(TakeNews).await.unwrap(), None, "nobody else takes it meanwhile");
        tries += 1;
        assert_eq!(one.attempts, tries);
        let error = Some("webhook answered 500".to_owned());
        db.store.write(NewsTold { delivery: one.news.delivery, attempts: one.attempts, error }).await.unwrap();
    }
    assert_eq!(tries, 7);
    let alert = db.store.read(OpenAlerts(db.meta.tenant)).await.unwrap().remove(0);
    let way = &alert.deliveries[0];
    assert_eq!((way.told_at, way.next_try, way.error.as_deref()), (None, None, Some("webhook answered 500")));
}
