//! The team's desk: the inbox follows the messages, acts are on record, tenants stay apart, counts stop at a bound.

use std::sync::Arc;
use std::time::Duration;

use store::desk::acts::{AddNote, Answer, Deed, Do};
use store::desk::batches::{self, AnyRuns, Begin, Step};
use store::desk::follow::{Keep, Look, Newest, Oldest, Seen, Trim, WhereAmI};
use store::desk::inbox::{Counts, Get, List, OfLead, Order, Search, Tab};
use store::desk::{
    Access, After, BatchAction, BatchFilter, BatchState, By, Conversation, InboxStatus, LeadStatus, Obstacle, Priority,
    TaskStatus, audit, charts, failed, leads, letters, notices, queue, tasks, tenants, thread,
};
use store::{Pauses, StoreError};
use types::states::{ConversationState, DeadLetterStatus, JobState, Receipt};
use types::{ConversationId, Fault, TenantId, UserId};

use crate::fixtures::{PHONE, accepted, rejected, retry, say, status};
use crate::support::Db;

for_each_database!(
    the_inbox_follows_the_messages,
    lists_go_on_where_they_ended,
    a_person_takes_over_answers_and_hands_back,
    snoozed_and_resolved_conversations_come_back_when_the_person_writes,
    rows_of_another_tenant_are_not_there,
    a_failed_send_says_why_before_it_is_retried,
    batches_count_first_and_skip_what_cannot_succeed,
    a_dismissed_send_leaves_the_list_and_a_retry_brings_it_back,
    dead_letters_and_jobs_are_listed_by_state,
    leads_and_tasks_change_only_as_they_were_seen,
    notifications_are_read_and_snoozed,
    notifications_come_in_the_order_and_of_the_kind_that_is_asked_for,
    a_conversation_waits_for_a_reply,
    charts_keep_hours_that_are_over,
    receipts_of_one_moment_are_all_followed,
);

fn by() -> By {
    By { kind: "token", id: 7, name: "tester".into(), ip: None, request_id: "r".into() }
}

fn foreign() -> Access {
    Access::Only(Arc::from([TenantId(1)]))
}

/// The follower's turn.
pub async fn follow(db: &Db) -> Vec<String> {
    let seen: Seen = db.store.read(WhereAmI).await.unwrap();
    let found = db.store.read(Look { seen, overlap: Duration::ZERO, limit: 500 }).await.unwrap();
    let conversations = found.conversations.iter().copied().collect();
    db.store.write(Keep { conversations, seen: Some(found.seen) }).await.unwrap();
    found.news.into_iter().map(|n| n.name).collect()
}

/// A place among receipts is a moment: where a look ends at its bound in the midst of one, the rest must not be passed over.
async fn receipts_of_one_moment_are_all_followed(db: &Db) {
    answered(db, "m1", PHONE).await;
    follow(db).await;
    db.pass(1);
    for receipt in [Receipt::Sent, Receipt::Delivered, Receipt::Read] {
        db.event(status("out-m1", receipt)).await;
    }
    let seen: Seen = db.store.read(WhereAmI).await.unwrap();
    let found = db.store.read(Look { seen, overlap: Duration::ZERO, limit: 2 }).await.unwrap();
    assert_eq!(found.news.len(), 3, "{:?}", found.news);
    let rest = db.store.read(Look { seen: found.seen, overlap: Duration::ZERO, limit: 2 }).await.unwrap();
    assert_eq!(rest.news.len(), 0, "{:?}", rest.news);
}

fn listing(db: &Db) -> List {
    List { tenant: db.meta.tenant, tab: Tab::All, status: None, order: Order::Last, after: None, limit: 10 }
}

async fn inbox(db: &Db, list: List) -> Vec<Conversation> {
    db.store.read(list).await.unwrap().into_iter().map(|(_, row)| row).collect()
}

async fn act(db: &Db, id: ConversationId, deed: Deed) -> Conversation {
    db.store.write(Do { id, deed, reason: None, access: Access::All, by: by() }).await.unwrap()
}

async fn answered(db: &Db, id: &str, from: &str) -> ConversationId {
    let (lease, deliver) = db.sending(id, from, "Hello, how can I help?").await;
    db.record(&lease, &deliver, accepted(&format!("out-{id}"))).await;
    lease.conversation
}

async fn the_inbox_follows_the_messages(db: &Db) {
    assert!(db.store.read(Oldest).await.unwrap() < Duration::from_secs(10), "nothing is under way");
    assert_eq!(db.store.read(Newest).await.unwrap(), 0);
    let id = answered(db, "m1", PHONE).await;
    let news = follow(db).await;
    assert!(news.contains(&"message.created".to_owned()) && news.contains(&"message.status".to_owned()), "{news:?}");
    let rows = inbox(db, listing(db)).await;
    let row = &rows[0];
    assert_eq!((rows.len(), row.id, row.status, row.unread), (1, id, InboxStatus::Pending, 1));
    assert_eq!(row.last_message.as_ref().map(|m| m.status.as_str()), Some("sent"));
    assert!(row.window_open && row.window_closes_at.is_some());
    // A receipt is news, and is not told as a new message.
    db.pass(1);
    db.event(status("out-m1", Receipt::Delivered)).await;
    assert_eq!(follow(db).await, ["message.status"]);
    assert_eq!(follow(db).await, Vec::<String>::new(), "nothing new");
    db.pass(25 * 3600);
    assert!(!db.store.read(Get { id, access: Access::All }).await.unwrap().window_open);
    let counts = db.store.read(Counts { tenant: db.meta.tenant, user: None, status: None }).await.unwrap();
    assert_eq!((counts.pending.value, counts.open.value, counts.pending.capped), (1, 0, false));
    for text in ["971500", "+971 50 000", "how can i HELP"] {
        let search = Search { tenant: db.meta.tenant, text: text.into(), after: None, limit: 5 };
        assert_eq!(db.store.read(search).await.unwrap().len(), 1, "{text}");
    }
    let of = |tenant| OfLead { tenant, lead: row.lead_id, after: None, limit: 5 };
    assert_eq!(db.store.read(of(db.meta.tenant)).await.unwrap().len(), 1);
    assert_eq!(db.store.read(of(TenantId(1))).await.unwrap().len(), 0, "another tenant's lead");
    assert!(db.store.write(Trim).await.is_ok());
}

async fn lists_go_on_where_they_ended(db: &Db) {
    for n in 0..5 {
        db.pass(1);
        let id = answered(db, &format!("m{n}"), &format!("97150000010{n}")).await;
        db.store.write(Keep { conversations: vec![id], seen: None }).await.unwrap();
        act(db, id, Deed::TakeOver { until: None }).await;
        let priority = if n % 2 == 0 { Priority::Critical } else { Priority::Low };
        act(db, id, Deed::Priority(priority)).await;
    }
    for n in 0..5 {
        db.pass(1);
        db.message(&format!("n{n}"), &format!("97150000010{n}"), "are you there?").await;
    }
    follow(db).await;
    for order in [Order::Last, Order::Created, Order::Waiting, Order::Priority] {
        let whole = List { order, status: Some(InboxStatus::Open), ..listing(db) };
        let all: Vec<_> = inbox(db, whole.clone()).await.into_iter().map(|c| c.id).collect();
        assert_eq!(all.len(), 5, "{order:?}");
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let rows = db.store.read(List { after, limit: 2, ..whole.clone() }).await.unwrap();
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            paged.extend(rows.into_iter().map(|(_, row)| row.id));
        }
        assert_eq!(paged, all, "{order:?}: pages hold each row once, in order");
    }
    let waiting = inbox(db, List { order: Order::Waiting, ..listing(db) }).await;
    assert!(waiting.is_sorted_by_key(|c| c.waiting_since), "who waits longest comes first");
    let mine = List { tab: Tab::Mine(UserId(9)), status: Some(InboxStatus::Open), ..listing(db) };
    assert!(inbox(db, mine).await.is_empty());
    assert_eq!(inbox(db, List { tab: Tab::Unassigned, ..listing(db) }).await.len(), 5);
    let open = Some(InboxStatus::Open);
    assert_eq!(inbox(db, List { tab: Tab::Unassigned, status: open, ..listing(db) }).await.len(), 5);
    let counts = db
        .store
        .read(Counts { tenant: db.meta.tenant, user: Some(UserId(9)), status: Some(InboxStatus::Open) })
        .await
        .unwrap();
    assert_eq!((counts.open.value, counts.unassigned.value, counts.mine.value), (5, 5, 0));
}

async fn a_person_takes_over_answers_and_hands_back(db: &Db) {
    let id = answered(db, "m1", PHONE).await;
    let row = act(db, id, Deed::TakeOver { until: None }).await;
    assert_eq!((row.state, row.state_until, row.status), (ConversationState::Paused, None, InboxStatus::Open));
    let answer = |key: &str, seen| Answer {
        id,
        content: say("I am Sara, a person."),
        seen,
        key: key.into(),
        pauses: Pauses::default(),
        access: Access::All,
        by: by(),
    };
    let first = db.store.write(answer("k", None)).await.unwrap();
    assert_eq!(db.store.write(answer("k", None)).await.unwrap(), first, "the same key sends once");
    let row = db.store.read(Get { id, access: Access::All }).await.unwrap();
    assert_eq!(row.state_until, None, "an answer does not shorten a takeover");
    let (lease, deliver) = db.claim_send().await;
    db.record(&lease, &deliver, accepted("out-2")).await;
    db.pass(1);
    // A colleague who had seen less is told so; whoever wrote it themselves may go on.
    let before = types::MessageId(first.0 - 1);
    let colleague = Answer { by: By { id: 8, name: "other".into(), ..by() }, ..answer("c1", Some(before)) };
    let late = db.store.write(colleague).await.unwrap_err();
    assert!(matches!(late, StoreError::NewerMessage), "{late}");
    db.message("m2", PHONE, "thanks").await;
    let late = db.store.write(answer("k2", Some(first))).await.unwrap_err();
    assert!(matches!(late, StoreError::NewerMessage), "{late}");
    db.pass(25 * 3600);
    let late = db.store.write(answer("k3", None)).await.unwrap_err();
    assert!(matches!(late, StoreError::WindowClosed), "{late}");
    let note = AddNote { id, body: "wants a call".into(), access: Access::All, by: by() };
    db.store.write(note).await.unwrap();
    let notes = thread::Notes { id, after: After::NEWEST, limit: 5, access: Access::All };
    assert_eq!(db.store.read(notes).await.unwrap()[0].1.body, "wants a call");
    let back = act(db, id, Deed::Return { at: None }).await;
    assert_eq!(back.state, ConversationState::Active);
    act(db, id, Deed::Labels(vec!["vip".into(), "vip".into(), " hot ".into()])).await;
    act(db, id, Deed::Read(None)).await;
    let row = act(db, id, Deed::Unread).await;
    assert_eq!((row.labels, row.unread), (vec!["hot".to_owned(), "vip".to_owned()], 1));
    let nobody = Do { id, deed: Deed::Assign(Some(UserId(4))), reason: None, access: Access::All, by: by() };
    assert!(matches!(db.store.write(nobody).await, Err(StoreError::NotFound { .. })));
    act(db, id, Deed::Assign(None)).await;
    let messages = thread::Messages { id, before: After::NEWEST, since: None, limit: 10, access: Access::All };
    let rows = db.store.read(messages.clone()).await.unwrap();
    assert_eq!(
        rows.iter().find(|(_, m)| m.sender == "HUMAN").and_then(|(_, m)| m.author.clone()).as_deref(),
        Some("tester")
    );
    let newer = thread::Messages { since: Some(first), ..messages };
    assert_eq!(db.store.read(newer).await.unwrap().len(), 1);
    let detail = db.store.read(thread::Detail { id: first, access: Access::All }).await.unwrap();
    assert_eq!((detail.tries.len(), detail.message.status.as_str()), (1, "sent"));
    let list = audit::List { tenant: Some(db.meta.tenant), after: After::NEWEST, limit: 50, access: Access::All };
    let record: Vec<_> = db.store.read(list).await.unwrap().into_iter().map(|(_, a)| a.action).collect();
    for action in ["conversation.takeover", "message.send", "conversation.note", "conversation.return"] {
        assert!(record.contains(&action.to_owned()), "{action}: {record:?}");
    }
    let whole = audit::List { tenant: None, after: After::NEWEST, limit: 5, access: Access::All };
    db.store.read(whole).await.unwrap();
}

async fn snoozed_and_resolved_conversations_come_back_when_the_person_writes(db: &Db) {
    let id = answered(db, "m1", PHONE).await;
    let until = db.now().plus(Duration::from_secs(3600));
    assert_eq!(act(db, id, Deed::Snooze(Some(until))).await.status, InboxStatus::Snoozed);
    db.pass(3601);
    assert!(follow(db).await.contains(&"conversation.updated".to_owned()), "its time has come");
    assert_eq!(db.store.read(Get { id, access: Access::All }).await.unwrap().status, InboxStatus::Pending);
    act(db, id, Deed::Snooze(Some(db.now().plus(Duration::from_secs(3600))))).await;
    db.pass(1);
    answered(db, "m2", PHONE).await;
    follow(db).await;
    assert_eq!(db.store.read(Get { id, access: Access::All }).await.unwrap().status, InboxStatus::Pending);
    assert_eq!(act(db, id, Deed::Resolve).await.status, InboxStatus::Resolved);
    db.pass(1);
    answered(db, "m3", PHONE).await;
    follow(db).await;
    assert_eq!(db.store.read(Get { id, access: Access::All }).await.unwrap().status, InboxStatus::Pending);
    act(db, id, Deed::Resolve).await;
    assert_eq!(act(db, id, Deed::Reopen).await.status, InboxStatus::Open);
}

async fn rows_of_another_tenant_are_not_there(db: &Db) {
    let id = answered(db, "m1", PHONE).await;
    follow(db).await;
    let missing = |e: StoreError| assert!(matches!(e, StoreError::NotFound { .. }), "{e}");
    missing(db.store.read(Get { id, access: foreign() }).await.unwrap_err());
    let take = Do { id, deed: Deed::Resolve, reason: None, access: foreign(), by: by() };
    missing(db.store.write(take).await.unwrap_err());
    let list = thread::Messages { id, before: After::NEWEST, since: None, limit: 1, access: foreign() };
    missing(db.store.read(list).await.unwrap_err());
    assert!(db.store.read(tenants::Tenants(foreign())).await.unwrap().is_empty());
    assert_eq!(db.store.read(tenants::Tenants(Access::All)).await.unwrap().len(), 1);
    let channels = db.store.read(tenants::Channels(db.meta.tenant)).await.unwrap();
    assert!(channels.iter().all(|c| c.credentials.starts_with("••••") && !c.credentials.contains("first1")));
    let resume = |access| tenants::ResumeChannel { channel: db.meta.channel, access, by: by() };
    missing(db.store.write(resume(foreign())).await.unwrap_err());
    assert!(!db.store.write(resume(Access::All)).await.unwrap());
    let record = audit::Record { by: by(), tenant: None, action: "x.y", kind: "x", id: 1, reason: None };
    db.store.write(record).await.unwrap();
}

async fn a_failed_send_says_why_before_it_is_retried(db: &Db) {
    let (lease, deliver) = db.sending("m1", PHONE, "Hello").await;
    db.record(&lease, &deliver, rejected()).await;
    let list = |code| failed::List { tenant: db.meta.tenant, code, channel: None, after: After::NEWEST, limit: 5 };
    let rows = db.store.read(list(None)).await.unwrap();
    assert_eq!((rows.len(), rows[0].1.error_code, rows[0].1.obstacle), (1, Some(131_047), None));
    assert_eq!(db.store.read(list(Some(131_047))).await.unwrap().len(), 1);
    assert_eq!(db.store.read(list(Some(0))).await.unwrap().len(), 0);
    let (groups, total) = db.store.read(failed::Groups(db.meta.tenant)).await.unwrap();
    assert_eq!((groups[0].count, groups[0].error_code, total.value), (1, Some(131_047), 1));
    let retry = || failed::RetryOne { id: deliver.message, anyway: false, access: Access::All, by: by() };
    db.pass(25 * 3600);
    let get = failed::Get { id: deliver.message, access: Access::All };
    assert_eq!(db.store.read(get.clone()).await.unwrap().obstacle, Some(Obstacle::WindowClosed));
    assert!(matches!(db.store.write(retry()).await, Err(StoreError::WindowClosed)));
    db.message("m2", PHONE, "hello again").await;
    db.store.write(retry()).await.unwrap();
    assert_eq!(db.status_of(deliver.message).await, "pending");
    assert!(matches!(db.store.read(get).await, Err(StoreError::NotFound { .. })), "it is no failed send any more");
}

async fn a_dismissed_send_leaves_the_list_and_a_retry_brings_it_back(db: &Db) {
    let mut ids = Vec::new();
    for n in 0..3 {
        let (lease, deliver) = db.sending(&format!("m{n}"), &format!("97150000021{n}"), "Hello").await;
        db.record(&lease, &deliver, rejected()).await;
        ids.push(deliver.message);
    }
    let dismiss = |access| failed::DismissOne { id: ids[0], reason: Some("old".into()), access, by: by() };
    assert!(matches!(db.store.write(dismiss(foreign())).await, Err(StoreError::NotFound { .. })));
    db.store.write(dismiss(Access::All)).await.unwrap();
    assert!(matches!(db.store.write(dismiss(Access::All)).await, Err(StoreError::Refused(_))), "once");
    let list = || failed::List { tenant: db.meta.tenant, code: None, channel: None, after: After::NEWEST, limit: 9 };
    let listed = || async { db.store.read(list()).await.unwrap().len() };
    assert_eq!((listed().await, db.status_of(ids[0]).await.as_str()), (2, "failed"));
    assert_eq!(db.store.read(failed::Groups(db.meta.tenant)).await.unwrap().1.value, 2);
    let (action, filter) = (BatchAction::DismissFailedSends, BatchFilter::default());
    let begin = Begin { tenant: db.meta.tenant, action, filter, dry_run: false, by: by() };
    db.store.write(begin).await.unwrap();
    while db.store.read(AnyRuns).await.unwrap() {
        db.store.write(Step { limit: 10 }).await.unwrap();
    }
    assert_eq!(listed().await, 0);
    db.store.write(failed::RetryOne { id: ids[0], anyway: false, access: Access::All, by: by() }).await.unwrap();
    let (lease, deliver) = db.claim_send().await;
    db.record(&lease, &deliver, rejected()).await;
    assert_eq!(listed().await, 1, "it failed again, which is news");
}

async fn batches_count_first_and_skip_what_cannot_succeed(db: &Db) {
    for n in 0..3 {
        let (lease, deliver) = db.sending(&format!("m{n}"), &format!("97150000020{n}"), "Hello").await;
        db.record(&lease, &deliver, rejected()).await;
        db.pass(if n == 0 { 24 * 3600 } else { 1 });
    }
    let begin = |dry_run| Begin {
        tenant: db.meta.tenant,
        action: BatchAction::RetryFailedSends,
        filter: BatchFilter::default(),
        dry_run,
        by: by(),
    };
    let trial = db.store.read(begin(true)).await.unwrap();
    assert_eq!((trial.total.value, trial.done, trial.skipped[0].reason.as_str()), (3, 2, "window_closed"));
    assert!(!db.store.read(AnyRuns).await.unwrap(), "a trial run changes nothing");
    let begun = db.store.write(begin(false)).await.unwrap();
    assert_eq!(begun.state, BatchState::Running);
    let mut steps = 0;
    while db.store.read(AnyRuns).await.unwrap() {
        db.store.write(Step { limit: 2 }).await.unwrap();
        steps += 1;
    }
    let get = |cancel| batches::Get { id: begun.id.unwrap(), cancel, access: Access::All };
    let done = db.store.read(get(None)).await.unwrap();
    assert_eq!((steps, done.done, done.failed, done.state), (2, 2, 0, BatchState::Done));
    assert!(matches!(db.store.write(get(Some(by()))).await, Err(StoreError::Refused(_))), "it has ended");
    let list = batches::List { tenant: db.meta.tenant, after: After::NEWEST, limit: 5 };
    assert_eq!(db.store.read(list).await.unwrap().len(), 1);
    for action in [BatchAction::RetryDeadLetters, BatchAction::ResolveConversations] {
        let filter = BatchFilter { conversation_id: Some(ConversationId(1)), ..BatchFilter::default() };
        let begin = Begin { tenant: db.meta.tenant, action, filter, dry_run: true, by: by() };
        assert_eq!(db.store.read(begin).await.unwrap().done, 0);
    }
    let waiting = db.store.write(begin(false)).await.unwrap();
    let cancel = batches::Get { id: waiting.id.unwrap(), cancel: Some(by()), access: Access::All };
    assert_eq!(db.store.write(cancel).await.unwrap().state, BatchState::Cancelled);
}

async fn dead_letters_and_jobs_are_listed_by_state(db: &Db) {
    db.message("m1", PHONE, "boom").await;
    let claimed = db.claim().await;
    db.fail(&claimed, Fault::Permanent).await;
    let list = |status| letters::List { tenant: db.meta.tenant, status, error: None, after: After::NEWEST, limit: 5 };
    let rows = db.store.read(list(Some(DeadLetterStatus::Pending))).await.unwrap();
    assert_eq!((rows.len(), rows[0].1.payload.is_none()), (1, true));
    let id = rows[0].1.id;
    let get = letters::Get { id, access: Access::All };
    assert!(db.store.read(get).await.unwrap().payload.is_some());
    assert_eq!(db.store.read(letters::Counts(db.meta.tenant)).await.unwrap().pending.value, 1);
    let settle = |retry, access| letters::Settle { id, retry, reason: None, access, by: by() };
    assert!(matches!(db.store.write(settle(false, foreign())).await, Err(StoreError::NotFound { .. })));
    assert_eq!(db.store.write(settle(false, Access::All)).await.unwrap().status, DeadLetterStatus::Discarded);
    let dead = |state| queue::List { tenant: db.meta.tenant, state, kind: None, after: After::NEWEST, limit: 5 };
    assert_eq!(db.store.read(dead(Some(JobState::Dead))).await.unwrap().len(), 1);
    assert_eq!(db.store.write(settle(true, Access::All)).await.unwrap().status, DeadLetterStatus::Retrying);
    assert_eq!(db.store.read(dead(Some(JobState::Queued))).await.unwrap().len(), 1);
    assert_eq!(db.store.read(dead(Some(JobState::Done))).await.unwrap().len(), 0);
    let all = db.store.read(dead(None)).await.unwrap();
    let counts = db.store.read(queue::Counts(db.meta.tenant)).await.unwrap();
    assert_eq!((all.len(), counts.queued.value, counts.dead.value, counts.done_24h.value), (1, 1, 0, 0));
    let job = queue::Get { id: all[0].1.id, access: foreign() };
    assert!(matches!(db.store.read(job).await, Err(StoreError::NotFound { .. })));
    assert_eq!(db.store.read(list(None)).await.unwrap().len(), 1);
}

async fn leads_and_tasks_change_only_as_they_were_seen(db: &Db) {
    let id = answered(db, "m1", PHONE).await;
    follow(db).await;
    let list = |search: Option<&str>| leads::List {
        tenant: db.meta.tenant,
        filter: leads::Filter {
            status: Some(LeadStatus::Open),
            search: search.map(str::to_owned),
            ..leads::Filter::default()
        },
        after: After::NEWEST,
        limit: 5,
    };
    let lead = db.store.read(list(Some("971500"))).await.unwrap().remove(0).1;
    assert_eq!(lead.conversation_id, Some(id));
    assert!(db.store.read(list(Some("nobody"))).await.unwrap().is_empty());
    let set = |version: Option<&str>, name: &str| leads::Set {
        id: lead.id,
        change: leads::Change { name: Some(name.into()), ..leads::Change::default() },
        version: version.map(str::to_owned),
        access: Access::All,
        by: by(),
    };
    let changed = db.store.write(set(Some(&lead.version), "Sara")).await.unwrap();
    assert_ne!(changed.version, lead.version);
    assert!(matches!(db.store.write(set(Some(&lead.version), "Lost")).await, Err(StoreError::Changed(_))));
    let opt = |out| leads::Opt { id: lead.id, out, access: Access::All, by: by() };
    assert!(db.store.write(opt(true)).await.unwrap().opted_out_at.is_some());
    assert_eq!(db.store.read(Get { id, access: Access::All }).await.unwrap().state, ConversationState::OptedOut);
    assert!(db.store.write(opt(false)).await.unwrap().opted_out_at.is_none());
    assert_eq!(
        db.store.read(leads::Get { id: lead.id, access: Access::All }).await.unwrap().name.as_deref(),
        Some("Sara")
    );
    let add = |conversation, due: Option<u64>, access| tasks::Add {
        tenant: db.meta.tenant,
        lead: None,
        conversation,
        task_type: "call".into(),
        title: "Call Sara".into(),
        description: String::new(),
        priority: Priority::High,
        assigned_to: ("team".into(), String::new()),
        due_at: due.map(|s| db.now().plus(Duration::from_secs(s))),
        access,
        by: by(),
    };
    assert!(db.store.write(add(None, None, foreign())).await.is_err());
    assert!(db.store.write(add(Some(ConversationId(1)), None, Access::All)).await.is_err());
    let task = db.store.write(add(Some(id), Some(60), Access::All)).await.unwrap();
    assert_eq!((task.lead_id, task.lead_name.as_deref()), (Some(lead.id), Some("Sara")));
    db.store.write(add(None, None, Access::All)).await.unwrap();
    let which = |which| tasks::List { tenant: db.meta.tenant, which, after: None, limit: 5 };
    let due = tasks::Which::Due { from: db.now(), to: db.now().plus(Duration::from_secs(61)) };
    assert_eq!(db.store.read(which(due)).await.unwrap().len(), 1);
    assert_eq!(db.store.read(which(tasks::Which::Undated)).await.unwrap().len(), 1);
    let done = tasks::Set {
        id: task.id,
        change: tasks::Change { status: Some(TaskStatus::Completed), ..tasks::Change::default() },
        version: Some(task.version.clone()),
        access: Access::All,
        by: by(),
    };
    assert!(db.store.write(done.clone()).await.unwrap().completed_at.is_some());
    assert!(matches!(db.store.write(done).await, Err(StoreError::Changed(_))));
    assert!(db.store.read(which(due)).await.unwrap().is_empty());
    assert_eq!(db.store.read(which(tasks::Which::All { status: None, lead: Some(lead.id) })).await.unwrap().len(), 1);
    assert!(db.store.read(tasks::Get { id: task.id, access: foreign() }).await.is_err());
}

async fn notifications_are_read_and_snoozed(db: &Db) {
    let (lease, deliver) = db.sending("m1", PHONE, "Hello").await;
    db.record(&lease, &deliver, rejected()).await;
    let list = |which| notices::List {
        tenant: db.meta.tenant,
        which,
        kind: None,
        order: notices::Order::Newest,
        after: None,
        limit: 5,
    };
    let unread = db.store.read(list(notices::Which::Unread)).await.unwrap();
    assert_eq!((unread.len(), unread[0].1.conversation_id), (1, Some(lease.conversation)));
    let id = unread[0].1.id;
    let act = |deed, access| notices::Do { id, deed, access, by: by() };
    assert!(db.store.write(act(notices::Deed::Read, foreign())).await.is_err());
    let until = db.now().plus(Duration::from_secs(60));
    db.store.write(act(notices::Deed::Snooze(until), Access::All)).await.unwrap();
    assert_eq!(db.store.read(notices::CountUnread(db.meta.tenant)).await.unwrap().value, 0);
    assert_eq!(db.store.read(list(notices::Which::Snoozed)).await.unwrap().len(), 1);
    db.pass(61);
    assert_eq!(db.store.read(notices::CountUnread(db.meta.tenant)).await.unwrap().value, 1, "it came back");
    let all = notices::ReadAll { tenant: db.meta.tenant, upto: None, by: by() };
    assert_eq!(db.store.write(all.clone()).await.unwrap(), 1);
    assert_eq!(db.store.write(all).await.unwrap(), 0);
    db.store.write(act(notices::Deed::Unread, Access::All)).await.unwrap();
    let clean = notices::DeleteRead { tenant: db.meta.tenant, by: by() };
    assert_eq!(db.store.write(clean.clone()).await.unwrap(), 0, "it is unread");
    assert!(db.store.write(act(notices::Deed::Delete, foreign())).await.is_err());
    db.store.write(act(notices::Deed::Delete, Access::All)).await.unwrap();
    assert_eq!(db.store.read(list(notices::Which::All)).await.unwrap().len(), 0);
    let (lease, deliver) = db.sending("m2", "971500000222", "Hello").await;
    db.record(&lease, &deliver, rejected()).await;
    db.store.write(notices::ReadAll { tenant: db.meta.tenant, upto: None, by: by() }).await.unwrap();
    assert_eq!(db.store.write(clean).await.unwrap(), 1);
}

async fn notifications_come_in_the_order_and_of_the_kind_that_is_asked_for(db: &Db) {
    let (lease, deliver) = db.sending("m1", PHONE, "Hello").await;
    db.record(&lease, &deliver, rejected()).await;
    db.pass(1);
    let sql = format!(
        "INSERT INTO notification (id, tenant_id, kind, title, body, dedupe_key, created_at) VALUES
         (401, {t}, 'needs_person', 'Old and urgent', '', 'x1', 1), (402, {t}, 'alert_cleared', 'Well again', '', 'x2', 1)",
        t = db.meta.tenant
    );
    db.set(&sql).await;
    let list = async |which, kind: Option<&str>, order| {
        let (tenant, kind) = (db.meta.tenant, kind.map(str::to_owned));
        let mut kinds = Vec::new();
        let mut after = None;
        // A page of one row each: where the next begins is part of the order.
        while let Some((at, one)) = db
            .store
            .read(notices::List { tenant, which, kind: kind.clone(), order, after, limit: 1 })
            .await
            .unwrap()
            .pop()
        {
            after = Some(at);
            kinds.push(one.kind);
        }
        kinds
    };
    use notices::{Order, Which};
    let (needs, failed, well) = ("needs_person", "send_failed", "alert_cleared");
    assert_eq!(list(Which::Unread, None, Order::Newest).await, [failed, well, needs]);
    assert_eq!(list(Which::Unread, None, Order::Oldest).await, [needs, well, failed]);
    assert_eq!(list(Which::Unread, None, Order::Urgent).await, [needs, failed, well]);
    assert_eq!(list(Which::Unread, Some(failed), Order::Newest).await, [failed]);
    db.store
        .write(notices::ReadAll { tenant: db.meta.tenant, upto: Some(types::NotificationId(401)), by: by() })
        .await
        .unwrap();
    assert_eq!(list(Which::Read, None, Order::Newest).await, [needs]);
    assert_eq!(list(Which::All, None, Order::Oldest).await, [needs, well, failed]);
    assert_eq!(list(Which::All, None, Order::Urgent).await, [needs, failed, well]);
    // Until they write: only where there is somebody who could.
    let open = notices::List {
        tenant: db.meta.tenant,
        which: Which::Unread,
        kind: None,
        order: Order::Newest,
        after: None,
        limit: 9,
    };
    let unread = db.store.read(open).await.unwrap();
    let wait = |id| notices::Do { id, deed: notices::Deed::SnoozeUntilReply, access: Access::All, by: by() };
    let about_nobody = db.store.write(wait(unread[1].1.id)).await;
    assert!(matches!(about_nobody, Err(StoreError::Refused(_))));
    let waits = db.store.write(wait(unread[0].1.id)).await.unwrap();
    assert_eq!((waits.until_reply, waits.snoozed_until), (true, None));
    db.pass(10 * 365 * 86_400);
    assert_eq!(list(Which::Snoozed, None, Order::Newest).await, [failed]);
    db.message("m2", PHONE, "here I am").await;
    assert_eq!(
        (
            list(Which::Snoozed, None, Order::Newest).await.len(),
            list(Which::Unread, Some(failed), Order::Newest).await.len()
        ),
        (0, 1)
    );
}

/// Snoozed without a time, a conversation comes back with the person's next message and not before.
async fn a_conversation_waits_for_a_reply(db: &Db) {
    let id = answered(db, "m1", PHONE).await;
    follow(db).await;
    let snoozed = act(db, id, Deed::Snooze(None)).await;
    assert_eq!((snoozed.status, snoozed.snoozed_until), (InboxStatus::Snoozed, None));
    db.pass(10 * 365 * 86_400);
    follow(db).await;
    assert_eq!(act(db, id, Deed::Read(None)).await.status, InboxStatus::Snoozed);
    db.message("m2", PHONE, "here I am").await;
    follow(db).await;
    assert_ne!(act(db, id, Deed::Read(None)).await.status, InboxStatus::Snoozed);
}

async fn charts_keep_hours_that_are_over(db: &Db) {
    let begun = db.now();
    answered(db, "m1", PHONE).await;
    let (lease, deliver) = db.sending("m2", "971500000009", "Hello").await;
    db.record(&lease, &deliver, retry(Fault::Transient)).await;
    let hours = charts::Hours { tenant: db.meta.tenant, from: begun, to: begun.plus(Duration::from_secs(48 * 3600)) };
    db.pass(1);
    let live = db.store.read(hours).await.unwrap();
    assert_eq!((live.len(), live[0].messages_in, live[0].messages_out, live[0].conversations), (1, 2, 2, 2));
    let keep = charts::Keep { limit: 100, back: Duration::from_secs(24 * 3600) };
    db.pass(12 * 3600);
    while db.store.read(charts::Due(keep)).await.unwrap() {
        db.store.write(keep).await.unwrap();
    }
    let kept: Vec<_> = db.store.read(hours).await.unwrap().into_iter().filter(|h| h.messages_in > 0).collect();
    assert_eq!(kept, live, "an hour that is kept says what it said live");
}
