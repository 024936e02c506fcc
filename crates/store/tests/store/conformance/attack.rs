//! One tenant's people try the ids of another (S7.1): every operation that takes an id, by their rights on every database, and by the database itself where
//! it can (row-level security). Nothing is shown, and nothing is changed.

use std::sync::Arc;

use store::channels::{ChannelSeed, Sync, TenantSeed};
use store::desk::acts::{AddNote, Answer, Deed, Do};
use store::desk::inbox::Get;
use store::desk::{Access, After, By, Priority, failed, leads, letters, notices, queue, tasks, thread};
use store::{Door, Op, Pauses, StoreError};
use types::{ConversationId, DeadLetterId, Fault, JobId, LeadId, MessageId, NotificationId, TaskId, UserId};

use crate::fixtures::{PHONE, message, rejected, say};
use crate::support::{Db, accept_op, seeds};

for_each_database! {
    no_operation_reaches_another_tenants_row,
}

fn by() -> By {
    By { kind: "token", id: 7, name: "intruder".into(), ip: None, request_id: "r".into() }
}

/// What the other tenant has.
struct Theirs {
    conversation: ConversationId,
    message: MessageId,
    failed: MessageId,
    lead: LeadId,
    letter: DeadLetterId,
    job: JobId,
    notice: NotificationId,
    task: TaskId,
}

async fn theirs(db: &Db) -> Theirs {
    let channel = ChannelSeed { kind: "meta", external_id: "other".into(), credentials: "x".into() };
    let oasis = TenantSeed { slug: "oasis".into(), business: "Oasis".into(), channels: vec![channel] };
    let synced = db.store.write(Sync([seeds("first"), vec![oasis]].concat())).await.unwrap().remove(1);
    let tenant = synced.tenant;
    let door = Door { tenant, channel: synced.channels[0], kind: "meta", slug: "oasis".into() };
    let accept = |id: &str| accept_op(&door, vec![message(id, PHONE, "our secret")], None, &db.policy);
    db.store.write(accept("x1")).await.unwrap();
    let (lease, deliver) = db.reply("our answer").await;
    db.record(&lease, &deliver, rejected()).await;
    db.store.write(accept("x2")).await.unwrap();
    let claimed = db.claim().await;
    db.fail(&claimed, Fault::Permanent).await;
    let task = tasks::Add {
        tenant,
        lead: None,
        conversation: None,
        task_type: "call".into(),
        title: "ours".into(),
        description: String::new(),
        priority: Priority::Normal,
        assigned_to: ("team".into(), "sales".into()),
        due_at: None,
        access: Access::All,
        by: By::system("test"),
    };
    let task = db.store.write(task).await.unwrap().id;
    let one = async |sql: &str| db.one(&format!("{sql} WHERE tenant_id = {tenant}")).await.parse::<i64>().unwrap();
    Theirs {
        conversation: claimed.snapshot.conversation,
        message: MessageId(one("SELECT MIN(id) FROM message").await),
        failed: deliver.message,
        lead: claimed.snapshot.lead,
        letter: DeadLetterId(one("SELECT MIN(id) FROM dead_letters").await),
        job: JobId(one("SELECT MIN(id) FROM jobs").await),
        notice: NotificationId(one("SELECT MIN(id) FROM notification").await),
        task,
    }
}

/// Everything of the other tenant, and the audit record.
async fn everything(db: &Db) -> Vec<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for table in [
        "conversation",
        "message",
        "outbox",
        "jobs",
        "dead_letters",
        "lead",
        "contacts",
        "notification",
        "task",
        "notes",
        "desk",
        "audit",
        "transitions",
    ] {
        all.push(db.rows(&format!("SELECT * FROM {table} ORDER BY 1")).await);
    }
    all
}

/// Tries an operation with the intruder's rights, and, where the database tells tenants apart, with all rights in the intruder's transaction.
async fn tried<O: Op>(db: &Db, writes: bool, op: impl Fn(Access) -> O) -> usize {
    let own = || Access::Only(Arc::from([db.meta.tenant]));
    let run = async |op: O, bound: bool| match (writes, bound) {
        (true, false) => db.store.write(op).await,
        (false, false) => db.store.read(op).await,
        (true, true) => db.store.write_for(db.meta.tenant, op).await,
        (false, true) => db.store.read_for(db.meta.tenant, op).await,
    };
    let refused = |result: Result<O::Out, StoreError>, how: &str| {
        let error = result.err().unwrap_or_else(|| panic!("{} by {how} gave something", O::NAME));
        assert!(matches!(error, StoreError::NotFound { .. }), "{} by {how}: {error}", O::NAME);
    };
    refused(run(op(own()), false).await, "rights");
    if db.store.guards_tenants() {
        refused(run(op(Access::All), true).await, "row-level security");
        refused(run(op(own()), true).await, "both");
    }
    1
}

/// Every operation that shows a row.
async fn looked(db: &Db, t: &Theirs) -> usize {
    let mut n = 0;
    n += tried(db, false, |access| Get { id: t.conversation, access }).await;
    let page = |access| thread::Messages { id: t.conversation, before: After::NEWEST, since: None, limit: 9, access };
    n += tried(db, false, page).await;
    n += tried(db, false, |access| thread::Notes { id: t.conversation, after: After::NEWEST, limit: 9, access }).await;
    n += tried(db, false, |access| thread::Detail { id: t.message, access }).await;
    n += tried(db, false, |access| failed::Get { id: t.failed, access }).await;
    n += tried(db, false, |access| leads::Get { id: t.lead, access }).await;
    n += tried(db, false, |access| letters::Get { id: t.letter, access }).await;
    n += tried(db, false, |access| queue::Get { id: t.job, access }).await;
    n += tried(db, false, |access| tasks::Get { id: t.task, access }).await;
    n
}

async fn no_operation_reaches_another_tenants_row(db: &Db) {
    db.message("w1", PHONE, "mine").await;
    db.claim().await;
    let t = theirs(db).await;
    let before = everything(db).await;
    let mut n = looked(db, &t).await;
    let deeds = [
        Deed::TakeOver { until: None },
        Deed::Return { at: None },
        Deed::Assign(Some(UserId(1))),
        Deed::Assign(None),
        Deed::Resolve,
        Deed::Reopen,
        Deed::Snooze(Some(db.now())),
        Deed::Priority(Priority::Critical),
        Deed::Labels(vec!["x".into()]),
        Deed::Read(None),
        Deed::Unread,
    ];
    for deed in deeds {
        let op = |access| Do { id: t.conversation, deed: deed.clone(), reason: None, access, by: by() };
        n += tried(db, true, op).await;
    }
    n += tried(db, true, |access| AddNote { id: t.conversation, body: "x".into(), access, by: by() }).await;
    let answer = |access| Answer {
        id: t.conversation,
        content: say("forged"),
        seen: None,
        key: "k".into(),
        pauses: Pauses::default(),
        access,
        by: by(),
    };
    n += tried(db, true, answer).await;
    n += tried(db, true, |access| failed::RetryOne { id: t.failed, anyway: true, access, by: by() }).await;
    n += tried(db, true, |access| failed::DismissOne { id: t.failed, reason: None, access, by: by() }).await;
    let change = leads::Change { name: Some("forged".into()), ..leads::Change::default() };
    let set = |access| leads::Set { id: t.lead, change: change.clone(), version: None, access, by: by() };
    n += tried(db, true, set).await;
    for out in [true, false] {
        n += tried(db, true, |access| leads::Opt { id: t.lead, out, access, by: by() }).await;
    }
    for retry in [true, false] {
        let settle = |access| letters::Settle { id: t.letter, retry, reason: None, access, by: by() };
        n += tried(db, true, settle).await;
    }
    for deed in [notices::Deed::Read, notices::Deed::Unread, notices::Deed::Snooze(db.now())] {
        n += tried(db, true, |access| notices::Do { id: t.notice, deed, access, by: by() }).await;
    }
    let change = tasks::Change { title: Some("forged".into()), ..tasks::Change::default() };
    let set = |access| tasks::Set { id: t.task, change: change.clone(), version: None, access, by: by() };
    n += tried(db, true, set).await;
    // A row of one's own that names another's, and a row for another.
    for (tenant, lead, conversation) in
        [(db.meta.tenant, Some(t.lead), None), (db.meta.tenant, None, Some(t.conversation))]
    {
        let add = |access| tasks::Add {
            tenant,
            lead,
            conversation,
            task_type: "call".into(),
            title: "forged".into(),
            description: String::new(),
            priority: Priority::Normal,
            assigned_to: ("team".into(), "sales".into()),
            due_at: None,
            access,
            by: by(),
        };
        n += tried(db, true, add).await;
    }
    assert!(n >= 35, "{n} attacks");
    assert_eq!(everything(db).await, before, "nothing was written, not even to the record");
}
