//! What people look at, and what a waiting webhook asks (S1.8, S2.8, S6.8).

use store::export::{Count, Page};
use store::views::{Conversations, FailedSends, Figures, Jobs, OutcomeOf, RetryingSends, Thread};
use types::states::{JobState, MessageStatus};
use types::{Fault, MessageId};

use crate::fixtures::{PHONE, accepted, rejected, retry, status};
use crate::support::{Db, turn};

for_each_database! {
    a_waiting_webhook_learns_the_outcome,
    a_thread_tells_everything_in_order,
    conversations_are_listed_newest_first_and_paged,
    jobs_are_listed_by_state,
    failed_sends_are_paged,
    sends_that_go_on_by_themselves_are_listed,
    figures_of_the_queue,
    figures_of_an_empty_queue,
    an_export_passes_every_conversation_in_pages,
    ids_never_go_back,
    what_was_heard_is_there_to_be_replayed,
}

async fn outcome(db: &Db, id: MessageId) -> Option<store::views::MessageOutcome> {
    db.store.read(OutcomeOf(id)).await.unwrap()
}

/// S1.8: what a webhook that prefers to wait is told, at every stage.
async fn a_waiting_webhook_learns_the_outcome(db: &Db) {
    assert_eq!(outcome(db, MessageId(5)).await, None);
    let id = db.message("w1", PHONE, "hello").await;
    let stage = async |job, reply: Option<(MessageStatus, &str)>| {
        let found = outcome(db, id).await.unwrap();
        assert_eq!((found.job, found.reply), (job, reply.map(|(s, b)| (s, b.to_owned()))));
    };
    stage(JobState::Queued, None).await;
    let claimed = db.claim().await;
    stage(JobState::Running, None).await;
    let store::Next::Work(work) = db.finish(&claimed, &["one", "two"]).await.next else { panic!("one is sent") };
    stage(JobState::Done, Some((MessageStatus::Sending, "one"))).await;
    db.record(&claimed.lease, crate::support::deliver(&work), accepted("o1")).await;
    stage(JobState::Done, Some((MessageStatus::Sent, "one"))).await;
    assert_eq!(outcome(db, id).await.unwrap().outcome.as_deref(), Some("replied"));
    let dead = db.message("w2", "971500000002", "hello").await;
    let claimed = db.claim().await;
    db.fail(&claimed, Fault::Permanent).await;
    let found = outcome(db, dead).await.unwrap();
    assert_eq!((found.job, found.reply), (JobState::Dead, None));
}

async fn a_thread_tells_everything_in_order(db: &Db) {
    let first = db.message("w1", PHONE, "hello").await;
    let (lease, deliver) = db.reply("hi").await;
    db.record(&lease, &deliver, accepted("o1")).await;
    db.event(status("o1", types::states::Receipt::Read)).await;
    db.message("w2", PHONE, "thanks").await;
    let thread = |after| db.store.read(Thread { conversation: lease.conversation, after, limit: 10 });
    let rows = thread(None).await.unwrap();
    let told: Vec<_> = rows.iter().map(|m| (m.direction.as_str(), m.body.as_str(), m.status.as_str())).collect();
    assert_eq!(told, [("in", "hello", "received"), ("out", "hi", "read"), ("in", "thanks", "received")]);
    assert_eq!((rows[1].in_reply_to, rows[1].provider_id.as_deref()), (Some(first), Some("o1")));
    assert!(rows[1].sent_at.is_some() && rows[1].read_at.is_some() && rows[1].request_id.is_some());
    assert_eq!(thread(Some(rows[0].id)).await.unwrap(), rows[1..]);
}

async fn conversations_are_listed_newest_first_and_paged(db: &Db) {
    for n in 0..3 {
        db.message(&format!("w{n}"), &format!("97150000000{n}"), &format!("hello {n}")).await;
    }
    let all = db.store.read(Conversations { before: None, limit: 10 }).await.unwrap();
    let told: Vec<_> = all.iter().map(|c| c.last_message.clone().unwrap()).collect();
    assert_eq!(told, ["hello 2", "hello 1", "hello 0"]);
    assert_eq!((all[0].tenant.as_str(), all[0].phone.as_deref()), ("alain", Some("971500000002")));
    let page = db.store.read(Conversations { before: Some(all[0].id), limit: 1 }).await.unwrap();
    assert_eq!(page, all[1..2]);
}

async fn jobs_are_listed_by_state(db: &Db) {
    db.message("w1", "971500000001", "hello").await;
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    db.message("w2", "971500000002", "hello").await;
    let list = |state, before| db.store.read(Jobs { state, before, limit: 10 });
    let all = list(None, None).await.unwrap();
    assert_eq!(all.iter().map(|j| j.state).collect::<Vec<_>>(), [JobState::Queued, JobState::Done]);
    assert_eq!(list(Some(JobState::Done), None).await.unwrap(), all[1..]);
    assert_eq!(list(None, Some(all[0].id)).await.unwrap(), all[1..]);
    assert_eq!((all[1].kind.as_str(), all[1].completed_at), ("turn", Some(db.now())));
}

async fn failed_sends_are_paged(db: &Db) {
    for n in 0..3 {
        let (lease, deliver) = db.sending(&format!("w{n}"), &format!("97150000000{n}"), &format!("hi {n}")).await;
        db.record(&lease, &deliver, rejected()).await;
    }
    let list = |before| db.store.read(FailedSends { before, limit: 2 });
    let first = list(None).await.unwrap();
    assert_eq!(first.iter().map(|f| f.body.as_str()).collect::<Vec<_>>(), ["hi 2", "hi 1"]);
    let rest = list(Some(first[1].id)).await.unwrap();
    assert_eq!(rest.iter().map(|f| f.body.as_str()).collect::<Vec<_>>(), ["hi 0"]);
}

/// S4.3: what waits for its next attempt, or for a trace of its last, is somewhere to be seen; what was never tried is not among it.
async fn sends_that_go_on_by_themselves_are_listed(db: &Db) {
    let (lease, again) = db.sending("w1", PHONE, "one").await;
    db.record(&lease, &again, retry(Fault::Transient)).await;
    let (lease, doubt) = db.sending("w2", "971500000002", "two").await;
    db.record(&lease, &doubt, crate::fixtures::unknown()).await;
    let (lease, failed) = db.sending("w3", "971500000003", "three").await;
    db.record(&lease, &failed, rejected()).await;
    db.message("w4", "971500000004", "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["four"]);
    op.hold = Some(std::time::Duration::from_secs(60));
    db.store.write(op).await.unwrap();
    let list = |before, limit| db.store.read(RetryingSends { before, limit });
    let rows = list(None, 10).await.unwrap();
    let told: Vec<_> = rows.iter().map(|r| (r.send.id, r.send.status, r.send.attempts, r.next_at > db.now())).collect();
    let (unknown, pending) = (MessageStatus::Unknown, MessageStatus::Pending);
    assert_eq!(told, [(doubt.message, unknown, 1, true), (again.message, pending, 1, true)]);
    assert!(rows[1].send.error.is_some(), "with the reason");
    assert_eq!(list(Some(doubt.message), 10).await.unwrap().len(), 1);
    assert_eq!(list(None, 1).await.unwrap().len(), 1);
}

/// S2.8.
async fn figures_of_the_queue(db: &Db) {
    for n in 0..20_u64 {
        db.message(&format!("w{n}"), &format!("9715{n:07}"), "hello").await;
        db.pass(n + 1);
        let claimed = db.claim().await;
        db.finish(&claimed, &[]).await;
    }
    db.message("dead", "971500000081", "hello").await;
    let claimed = db.claim().await;
    db.fail(&claimed, Fault::Permanent).await;
    let (lease, deliver) = db.sending("slow", "971500000082", "hi").await;
    db.record(&lease, &deliver, retry(Fault::Transient)).await;
    db.message("waits", "971500000083", "hello").await;
    db.pass(7);
    let f = db.store.read(Figures).await.unwrap();
    assert_eq!((f.queued, f.running, f.done_24h, f.failed_24h, f.pending_dead_letters), (1, 0, 21, 1, 1));
    assert_eq!(f.open_sends, [("pending".to_owned(), 1)]);
    assert!((f.lag_seconds - 7.0).abs() < 1e-6, "{f:?}");
    assert!((f.mean_processing_ms - 10_000.0).abs() < 1e-6, "{f:?}");
    assert!((f.p95_processing_ms - 19_000.0).abs() < 1e-6, "{f:?}");
    assert!((f.success_rate - 21.0 / 22.0).abs() < 1e-9, "{f:?}");
    db.pass(86_400);
    let f = db.store.read(Figures).await.unwrap();
    assert_eq!((f.done_24h, f.failed_24h, f.queued), (0, 0, 1), "yesterday's do not count");
}

async fn figures_of_an_empty_queue(db: &Db) {
    let f = db.store.read(Figures).await.unwrap();
    let empty = store::views::JobFigures { success_rate: 1.0, ..Default::default() };
    assert_eq!(f, empty);
}

/// S6.8.
async fn an_export_passes_every_conversation_in_pages(db: &Db) {
    for n in 0..5 {
        db.message(&format!("w{n}"), &format!("97150000000{n}"), "hello").await;
    }
    for n in 0..1100 {
        db.accept(&db.meta, vec![crate::fixtures::message(&format!("x{n}"), "971500000003", "more")], 0).await;
    }
    assert_eq!(db.store.read(Count).await.unwrap(), 5);
    let (mut before, mut seen, mut messages) = (None, Vec::new(), 0);
    loop {
        let page = db.store.read(Page { before, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.conversation.id);
        messages += page.iter().map(|e| e.messages.len()).sum::<usize>();
        seen.extend(page.iter().map(|e| e.conversation.id));
    }
    seen.dedup();
    assert_eq!((seen.len(), messages), (5, 1105), "also where one has more than a page of messages");
}

/// Promise 4 hangs on ids: the order of a conversation is that of its ids.
async fn ids_never_go_back(db: &Db) {
    let mut last = MessageId(0);
    for n in 0..200 {
        let id = db.message(&format!("w{n}"), PHONE, "hello").await;
        assert!(id > last);
        last = id;
    }
    let claimed = db.claim().await;
    assert_eq!(turn(&claimed.work).provider_id.0, "w0");
}

/// `barid replay`: what came in, raw and in order, with what was answered then.
async fn what_was_heard_is_there_to_be_replayed(db: &Db) {
    let first = db.message("w1", PHONE, "hello").await;
    let (lease, deliver) = db.reply("hi").await;
    db.record(&lease, &deliver, accepted("o1")).await;
    let second = db.message("w2", PHONE, "thanks").await;
    db.message("w3", "971500000009", "somebody else").await;
    let conversation = lease.conversation;
    let hear = |after, limit| db.store.read(store::replay::Hear { conversation, after, limit });
    let heard = hear(None, 10).await.unwrap();
    let told: Vec<_> = heard.iter().map(|h| (h.id, h.answer.as_deref(), h.kind.as_str())).collect();
    assert_eq!(told, [(first, Some("hi"), "meta"), (second, None, "meta")]);
    assert!(heard.iter().all(|h| h.raw.is_some() && h.tenant == db.meta.tenant));
    assert_eq!(hear(Some(first), 10).await.unwrap().len(), 1);
    assert_eq!(hear(None, 1).await.unwrap().len(), 1);
}
