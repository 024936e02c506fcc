//! The rest of the team's desk: jobs that people have worked again or not at all, tests of a number, and what charts say of time and money.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use store::desk::acts::{Deed, Do as Act};
use store::desk::batches::{Begin, Step};
use store::desk::queue::{Do, Get, Kinds, List, Sends};
use store::desk::tenants::{Channels, TestChannel, Visible};
use store::desk::{
    Access, After, Batch, BatchAction, BatchFilter, BatchState, By, Job, JobAct, charts, failed, letters,
};
use types::states::JobState;
use types::{Fault, JobId, TenantId};

use crate::fixtures::{PHONE, accepted, rejected, say};
use crate::support::Db;

for_each_database! {
    every_failed_attempt_of_a_job_is_shown,
    jobs_are_worked_again_or_cancelled_as_their_state_allows,
    a_test_goes_the_way_of_every_message_and_pauses_nobody,
    charts_say_how_long_it_took_to_resolve_and_what_models_cost,
    dead_letters_are_grouped_by_cause_and_one_cause_is_settled_at_once,
    failed_sends_are_listed_by_number_and_put_away_with_a_reason,
    many_jobs_are_worked_again_or_cancelled_at_once,
}

fn by() -> By {
    By { kind: "token", id: 7, name: "tester".into(), ip: None, request_id: "r".into() }
}

fn foreign() -> Access {
    Access::Only(Arc::from([TenantId(1)]))
}

async fn jobs(db: &Db, state: Option<JobState>) -> Vec<Job> {
    let list = List { tenant: db.meta.tenant, state, kind: Some("turn".into()), after: After::NEWEST, limit: 9 };
    db.store.read(list).await.unwrap().into_iter().map(|(_, job)| job).collect()
}

async fn told(db: &Db, id: JobId, act: JobAct) -> Result<Job, StoreError> {
    db.store.write(Do { id, act, reason: Some("a test".into()), access: Access::All, by: by() }).await
}

async fn every_failed_attempt_of_a_job_is_shown(db: &Db) {
    db.message("m1", PHONE, "boom").await;
    for pass in [0, 1, 5] {
        db.pass(pass);
        let claimed = db.claim().await;
        db.fail(&claimed, Fault::Transient).await;
    }
    let id = jobs(db, None).await[0].id;
    let job = db.store.read(Get { id, access: Access::All }).await.unwrap();
    let tries: Vec<_> = job.tries.iter().map(|t| (t.attempt, t.fault.as_str(), t.error.as_str())).collect();
    let away = "the model is away";
    assert_eq!(tries, [(1, "transient", away), (2, "transient", away), (3, "transient", away)]);
    assert_eq!(db.store.read(Kinds(db.meta.tenant)).await.unwrap(), ["turn"]);
    let other = List { tenant: db.meta.tenant, state: None, kind: Some("x".into()), after: After::NEWEST, limit: 9 };
    assert_eq!(db.store.read(other).await.unwrap(), []);
}

async fn jobs_are_worked_again_or_cancelled_as_their_state_allows(db: &Db) {
    db.message("m1", PHONE, "boom").await;
    let claimed = db.claim().await;
    db.fail(&claimed, Fault::Transient).await;
    let id = jobs(db, Some(JobState::Queued)).await[0].id;
    db.idle().await;
    assert_eq!(told(db, id, JobAct::Retry).await.unwrap().state, JobState::Queued);
    let claimed = db.claim().await;
    let e = told(db, id, JobAct::Cancel).await.unwrap_err();
    assert!(matches!(e, StoreError::Refused(_)), "one that runs ends by itself: {e}");
    db.fail(&claimed, Fault::Transient).await;
    let cancelled = told(db, id, JobAct::Cancel).await.unwrap();
    assert_eq!((cancelled.state, cancelled.outcome.as_deref()), (JobState::Failed, Some("cancelled")));
    assert_eq!(cancelled.acts, [JobAct::Retry]);
    db.pass(60);
    db.idle().await;
    assert_eq!(told(db, id, JobAct::Retry).await.unwrap().state, JobState::Queued);
    let claimed = db.claim().await;
    db.fail(&claimed, Fault::Permanent).await;
    // Dead: its letter goes with it.
    let e = db.store.write(Do { id, act: JobAct::Retry, reason: None, access: foreign(), by: by() }).await.unwrap_err();
    assert!(matches!(e, StoreError::NotFound { .. }), "{e}");
    assert_eq!(told(db, id, JobAct::Cancel).await.unwrap().state, JobState::Dead);
    assert_eq!(db.one("SELECT status FROM dead_letters").await, "discarded");
    assert_eq!(told(db, id, JobAct::Retry).await.unwrap().state, JobState::Queued);
    assert_eq!(db.one("SELECT status FROM dead_letters").await, "retrying");
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    let e = told(db, id, JobAct::Retry).await.unwrap_err();
    assert!(matches!(e, StoreError::Refused(_)), "what is done is done: {e}");
    let lines = db.one("SELECT COUNT(*) FROM audit WHERE object_kind = 'job' AND reason = 'a test'").await;
    assert_eq!(lines, "5");
}

async fn a_test_goes_the_way_of_every_message_and_pauses_nobody(db: &Db) {
    let test = |access| TestChannel {
        channel: db.green.channel,
        phone: PHONE.into(),
        content: say("a test"),
        key: "k".into(),
        access,
        by: by(),
    };
    let e = db.store.write(test(foreign())).await.unwrap_err();
    assert!(matches!(e, StoreError::NotFound { .. }), "{e}");
    let (message, conversation) = db.store.write(test(Access::All)).await.unwrap();
    assert_eq!(db.store.write(test(Access::All)).await.unwrap(), (message, conversation), "the same key sends once");
    let (lease, deliver) = db.claim_send().await;
    assert_eq!((deliver.message, deliver.channel), (message, db.green.channel));
    db.record(&lease, &deliver, accepted("out-1")).await;
    assert_eq!(db.status_of(message).await, "sent");
    assert_eq!(db.one("SELECT state FROM conversation").await, "active", "the assistant still answers");
    assert!(db.store.read(Visible { channel: db.green.channel, access: Access::All }).await.is_ok());
    assert!(db.store.read(Visible { channel: db.green.channel, access: foreign() }).await.is_err());
    db.message("m1", PHONE, "hello").await;
    let channels = db.store.read(Channels(db.meta.tenant)).await.unwrap();
    let heard: Vec<_> = channels.iter().map(|c| c.last_message_at.map(|m| m.0)).collect();
    assert_eq!(heard, [Some(db.now()), None], "only what people write says that webhooks come");
    let sends = db.store.read(Sends(db.meta.tenant)).await.unwrap();
    assert_eq!((sends.count, sends.failed, sends.p95_ms), (1, 0, Some(0)));
    db.pass(3601);
    assert_eq!(db.store.read(Sends(db.meta.tenant)).await.unwrap().count, 0, "an hour later");
}

async fn charts_say_how_long_it_took_to_resolve_and_what_models_cost(db: &Db) {
    let from = db.now();
    let (lease, deliver) = db.sending("m1", PHONE, "Hello").await;
    db.record(&lease, &deliver, accepted("out-1")).await;
    super::desk::follow(db).await;
    db.pass(600);
    let resolve = Act { id: lease.conversation, deed: Deed::Resolve, reason: None, access: Access::All, by: by() };
    db.store.write(resolve).await.unwrap();
    let tenant = db.meta.tenant;
    let hours = charts::Hours { tenant, from, to: from.plus(Duration::from_secs(7200)) };
    db.pass(1);
    let sum =
        db.store.read(hours).await.unwrap().into_iter().fold((0, 0), |s, h| (s.0 + h.resolved, s.1 + h.resolve_s));
    assert_eq!(sum, (1, 600));
    let keep = charts::Keep { limit: 100, back: Duration::from_secs(24 * 3600) };
    db.pass(12 * 3600);
    while db.store.read(charts::Due(keep)).await.unwrap() {
        db.store.write(keep).await.unwrap();
    }
    let kept = db.store.read(hours).await.unwrap();
    assert_eq!(kept.iter().map(|h| h.resolve_s).sum::<i64>(), 600, "as it was before it was kept");
    assert_eq!(kept.iter().map(|h| h.cost).sum::<i64>(), 0);
}

async fn bury(db: &Db, id: &str, phone: &str, why: &str) {
    db.message(id, phone, &format!("the words of {id}")).await;
    let claimed = db.claim().await;
    let mut op = db.fail_op(&claimed, crate::support::turn(&claimed.work), Fault::Permanent);
    op.error = why.to_owned();
    db.store.write(op).await.unwrap();
}

async fn batch(db: &Db, action: BatchAction, filter: BatchFilter) -> Batch {
    let begin = |dry_run| Begin { tenant: db.meta.tenant, action, filter: filter.clone(), dry_run, by: by() };
    let trial = db.store.read(begin(true)).await.unwrap();
    db.store.write(begin(false)).await.unwrap();
    let (_, done) = db.store.write(Step { limit: 50 }).await.unwrap().expect("one runs");
    assert_eq!((done.state, done.done), (BatchState::Done, trial.done));
    done
}

async fn dead_letters_are_grouped_by_cause_and_one_cause_is_settled_at_once(db: &Db) {
    for (n, why) in ["the CRM is away", "the words are unknown", "the CRM is away"].into_iter().enumerate() {
        bury(db, &format!("m{n}"), &format!("97150000000{n}"), why).await;
    }
    let groups = db.store.read(letters::Groups(db.meta.tenant)).await.unwrap();
    let found: Vec<_> = groups.iter().map(|g| (g.error.as_str(), g.count)).collect();
    assert_eq!(found, [("the CRM is away", 2), ("the words are unknown", 1)]);
    assert_eq!(db.store.read(letters::Groups(TenantId(1))).await.unwrap(), []);
    let error = Some("the CRM is away".to_owned());
    let list =
        letters::List { tenant: db.meta.tenant, status: None, error: error.clone(), after: After::NEWEST, limit: 9 };
    let rows = db.store.read(list).await.unwrap();
    assert_eq!((rows.len(), rows[0].1.preview.as_str()), (2, "the words of m2"));
    assert_eq!(rows[0].1.phone.as_deref(), Some("971500000002"));
    let filter = BatchFilter { error, reason: Some("the CRM lost them".into()), ..BatchFilter::default() };
    assert_eq!(batch(db, BatchAction::DiscardDeadLetters, filter).await.done, 2);
    let left = db.rows("SELECT error FROM dead_letters WHERE status = 'pending'").await;
    assert_eq!(left, [["the words are unknown"]]);
    assert_eq!(db.one("SELECT COUNT(*) FROM audit WHERE reason = 'the CRM lost them'").await, "2");
}

async fn failed_sends_are_listed_by_number_and_put_away_with_a_reason(db: &Db) {
    let (lease, deliver) = db.sending("m1", PHONE, "Hello").await;
    db.record(&lease, &deliver, rejected()).await;
    let known: i64 = db.one("SELECT error_code FROM message WHERE status = 'failed'").await.parse().unwrap();
    let of = |channel| failed::List { tenant: db.meta.tenant, code: None, channel, after: After::NEWEST, limit: 9 };
    for (channel, count) in [(None, 1), (Some(db.meta.channel), 1), (Some(db.green.channel), 0)] {
        assert_eq!(db.store.read(of(channel)).await.unwrap().len(), count, "{channel:?}");
        for code in [0, known] {
            let coded = failed::List { code: Some(code), ..of(channel) };
            assert_eq!(db.store.read(coded).await.unwrap().len(), if code == 0 { 0 } else { count });
        }
    }
    let later = BatchFilter { from: Some(db.now().plus(Duration::from_secs(1)).into()), ..BatchFilter::default() };
    assert_eq!(batch(db, BatchAction::DismissFailedSends, later).await.done, 0, "none is that young");
    let filter =
        BatchFilter { channel_id: Some(db.meta.channel), reason: Some("old news".into()), ..BatchFilter::default() };
    assert_eq!(batch(db, BatchAction::DismissFailedSends, filter).await.done, 1);
    assert_eq!(db.one("SELECT reason FROM audit WHERE action = 'message.dismiss'").await, "old news");
}

async fn many_jobs_are_worked_again_or_cancelled_at_once(db: &Db) {
    for n in 0..2 {
        bury(db, &format!("d{n}"), &format!("97150000000{n}"), "the CRM is away").await;
    }
    db.message("q1", "971500000008", "hello").await;
    let filter = BatchFilter { reason: Some("nobody is there".into()), ..BatchFilter::default() };
    assert_eq!(batch(db, BatchAction::CancelJobs, filter).await.done, 1, "only what waits");
    assert_eq!(jobs(db, Some(JobState::Failed)).await.len(), 1);
    db.idle().await;
    let ids = jobs(db, None).await.iter().map(|job| types::MessageId(job.id.0)).collect();
    let all = batch(db, BatchAction::CancelJobs, BatchFilter { ids: Some(ids), ..BatchFilter::default() }).await;
    assert_eq!((all.done, all.skipped[0].reason.as_str(), all.skipped[0].count), (2, "not_now", 1));
    assert_eq!(db.one("SELECT COUNT(*) FROM dead_letters WHERE status = 'discarded'").await, "2");
    let again = batch(db, BatchAction::RetryJobs, BatchFilter::default()).await;
    assert_eq!(again.done, 2, "the dead ones; what a person cancelled stays cancelled");
    assert_eq!(db.claim_as("node-a", 9).await.len(), 2);
}
