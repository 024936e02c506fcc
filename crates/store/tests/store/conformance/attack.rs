//! One tenant's people try the ids of another (S7.1): every operation that takes an id or a tenant, by their rights on every database, and by the database
//! itself where it can (row-level security). Nothing is shown, and nothing is changed. An operation that is neither tried here nor named among
//! the engine's own fails the case: `walls.rs` has the lists.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

#[path = "walls.rs"]
mod walls;

use store::breakers::Moved;
use store::channels::{ChannelSeed, Sync, TenantSeed};
use store::desk::acts::{AddNote, Answer, Deed, Do};
use store::desk::inbox::Get;
use store::desk::{
    Access, After, BatchAction, BatchFilter, By, EventKind, Priority, Role, Scope, batches, endpoints, failed, leads,
    letters, notices, queue, tasks, thread,
};
use store::{Door, Op, Pauses, StoreError};
use types::breaker::{BreakerRecord, of_channel};
use types::states::BreakerState;
use types::{
    AgentSessionId, BatchId, ChannelId, ConversationId, DeadLetterId, DeliveryId, EndpointId, Fault, JobId, LeadId,
    MessageId, NotificationId, SagaId, TaskId, TenantId, TokenId, UserId,
};

use crate::fixtures::{PHONE, message, rejected, say};
use crate::support::{Db, accept_op, seeds, turn};

for_each_database! {
    no_operation_reaches_another_tenants_row,
}

fn by() -> By {
    By { kind: "token", id: 7, name: "intruder".into(), ip: None, request_id: "r".into() }
}

/// What the other tenant has.
struct Theirs {
    tenant: TenantId,
    channel: ChannelId,
    user: UserId,
    token: TokenId,
    batch: BatchId,
    saga: SagaId,
    session: AgentSessionId,
    endpoint: EndpointId,
    delivery: DeliveryId,
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
    db.store.write(accept("x3")).await.unwrap();
    let third = db.claim().await;
    let mut op = db.finish_op(&third, turn(&third.work), &[]);
    op.finish.acts = Some(super::sagas::usual());
    let records = vec![super::agents::record("replied")];
    op.finish.traces = Some(Box::new(store::agents::Traces { records, ..Default::default() }));
    db.store.write(op).await.unwrap();
    let (user, token, batch) = people(db, tenant).await;
    let (endpoint, delivery) = endpoint(db, tenant).await;
    let one = async |sql: &str| db.one(&format!("{sql} WHERE tenant_id = {tenant}")).await.parse::<i64>().unwrap();
    Theirs {
        tenant,
        channel: door.channel,
        user,
        token,
        batch,
        saga: SagaId(one("SELECT MIN(id) FROM saga").await),
        endpoint,
        delivery,
        session: AgentSessionId(one("SELECT MIN(id) FROM agent_session").await),
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

/// Their user and token, a batch, and an alert about their number.
async fn people(db: &Db, tenant: TenantId) -> (UserId, TokenId, BatchId) {
    let user = super::accounts::add("theirs@example.com", Role::Agent, Some(vec![tenant]));
    let user = db.store.write(user).await.unwrap();
    let token = store::accounts::tokens::Add {
        digest: "theirs".into(),
        prefix: "brd_".into(),
        name: "theirs".into(),
        scopes: vec![Scope::Read],
        all_tenants: false,
        tenants: vec![tenant],
        expires_at: None,
        access: Access::All,
        by: By::system("test"),
    };
    let token = db.store.write(token).await.unwrap();
    let batch = batches::Begin {
        tenant,
        action: BatchAction::RetryFailedSends,
        filter: BatchFilter::default(),
        dry_run: false,
        by: By::system("test"),
    };
    let batch = db.store.write(batch).await.unwrap();
    let channel = db.one(&format!("SELECT id FROM channels WHERE tenant_id = {tenant}")).await.parse().unwrap();
    let (name, state, reason) = (of_channel(ChannelId(channel)), BreakerState::Open, Some("our trouble".to_owned()));
    let record = BreakerRecord { name, state, held: false, since: db.now(), until: None, reason, trips: 1, version: 0 };
    db.store.write(Moved(vec![record])).await.unwrap();
    db.store.write(super::alerts::judge(None)).await.unwrap();
    (user.id, token.id, batch.id.unwrap())
}

/// An endpoint that is told of their business, and what it was told.
async fn endpoint(db: &Db, tenant: TenantId) -> (EndpointId, DeliveryId) {
    let (url, description) = ("https://theirs.example/hook".to_owned(), "ours".to_owned());
    let (events, by) = (vec![EventKind::MessageCreated], By::system("test"));
    let added = db.store.write(endpoints::Add { tenant, url, description, events, by }).await.unwrap();
    let test = endpoints::Test { id: added.id, access: Access::All, by: By::system("test") };
    (added.id, db.store.write(test).await.unwrap().id)
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
        "users",
        "tokens",
        "grants",
        "batches",
        "breaker",
        "alert",
        "flag",
        "saga",
        "saga_step",
        "agent_session",
        "ai_result",
        "endpoint",
        "delivery",
        "hours",
    ] {
        all.push(db.rows(&format!("SELECT * FROM {table} ORDER BY 1")).await);
    }
    all
}

/// An intruder: what was tried, by the names of the operations.
struct Attack<'a> {
    db: &'a Db,
    theirs: &'a Theirs,
    tried: RefCell<BTreeSet<&'static str>>,
}

impl Attack<'_> {
    /// The intruder's rights.
    fn own(&self) -> Access {
        Access::Only(Arc::from([self.db.meta.tenant]))
    }

    async fn run<O: Op>(&self, op: O, writes: bool, bound: bool) -> Result<O::Out, StoreError> {
        self.tried.borrow_mut().insert(O::NAME);
        let db = self.db;
        match (writes, bound) {
            (true, false) => db.store.write(op).await,
            (false, false) => db.store.read(op).await,
            (true, true) => db.store.write_for(db.meta.tenant, op).await,
            (false, true) => db.store.read_for(db.meta.tenant, op).await,
        }
    }

    /// Tries an operation with the intruder's rights, and, where the database tells tenants apart, with all rights in the intruder's transaction: what is
    /// another's is not there.
    async fn tried<O: Op>(&self, writes: bool, op: impl Fn(Access) -> O) {
        let refused = |result: Result<O::Out, StoreError>, how: &str| {
            let error = result.err().unwrap_or_else(|| panic!("{} by {how} gave something", O::NAME));
            assert!(matches!(error, StoreError::NotFound { .. }), "{} by {how}: {error}", O::NAME);
        };
        refused(self.run(op(self.own()), writes, false).await, "rights");
        if self.db.store.guards_tenants() {
            refused(self.run(op(Access::All), writes, true).await, "row-level security");
            refused(self.run(op(self.own()), writes, true).await, "both");
        }
    }

    /// As [`Self::tried`], where what is asked for is another's to give, and any refusal will do.
    async fn barred<O: Op>(&self, op: impl Fn(Access) -> O) {
        assert!(self.run(op(self.own()), true, false).await.is_err(), "{} by rights", O::NAME);
        if self.db.store.guards_tenants() {
            assert!(self.run(op(Access::All), true, true).await.is_err(), "{} by row-level security", O::NAME);
        }
    }

    /// A list of one tenant's rows: the intruder's own has nothing of the others, and theirs, asked for in the intruder's transaction, is that of a tenant
    /// that does not exist.
    async fn listed<O: Op<Out: Debug>>(&self, op: impl Fn(TenantId) -> O) {
        let t = self.theirs;
        let own = format!("{:?}", self.run(op(self.db.meta.tenant), false, false).await.unwrap());
        let ids = [t.tenant.0, t.channel.0, t.conversation.0, t.message.0, t.lead.0, t.letter.0, t.notice.0, t.task.0];
        for mark in ids.iter().map(ToString::to_string).chain(["our ".to_owned(), "ours".to_owned()]) {
            assert!(!own.contains(&mark), "{} shows {mark}: {own}", O::NAME);
        }
        if self.db.store.guards_tenants() {
            let seen = async |tenant| match self.run(op(tenant), false, true).await {
                Ok(rows) => format!("{rows:?}"),
                Err(StoreError::NotFound { what, .. }) => format!("no {what}"),
                Err(error) => panic!("{}: {error}", O::NAME),
            };
            assert_eq!(seen(t.tenant).await, seen(TenantId(1)).await, "{}", O::NAME);
        }
    }

    /// Something done to all rows of a tenant, in the intruder's transaction: what came of it is seen by what is there afterwards.
    async fn done<O: Op>(&self, op: O) {
        if self.db.store.guards_tenants() {
            let _ = self.run(op, true, true).await;
        } else {
            self.tried.borrow_mut().insert(O::NAME);
        }
    }
}

/// Every operation that shows a row.
async fn looked(a: &Attack<'_>) {
    let t = a.theirs;
    a.tried(false, |access| Get { id: t.conversation, access }).await;
    let page = |access| thread::Messages { id: t.conversation, before: After::NEWEST, since: None, limit: 9, access };
    a.tried(false, page).await;
    a.tried(false, |access| thread::Notes { id: t.conversation, after: After::NEWEST, limit: 9, access }).await;
    a.tried(false, |access| thread::Detail { id: t.message, access }).await;
    a.tried(false, |access| failed::Get { id: t.failed, access }).await;
    a.tried(false, |access| leads::Get { id: t.lead, access }).await;
    a.tried(false, |access| letters::Get { id: t.letter, access }).await;
    a.tried(false, |access| queue::Get { id: t.job, access }).await;
    a.tried(false, |access| tasks::Get { id: t.task, access }).await;
    walls::looked(a).await;
}

async fn no_operation_reaches_another_tenants_row(db: &Db) {
    db.message("w1", PHONE, "mine").await;
    db.claim().await;
    let theirs = theirs(db).await;
    let t = &theirs;
    let before = everything(db).await;
    let a = &Attack { db, theirs: t, tried: RefCell::default() };
    looked(a).await;
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
        a.tried(true, op).await;
    }
    a.tried(true, |access| AddNote { id: t.conversation, body: "x".into(), access, by: by() }).await;
    let answer = |access| Answer {
        id: t.conversation,
        content: say("forged"),
        seen: None,
        key: "k".into(),
        pauses: Pauses::default(),
        access,
        by: by(),
    };
    a.tried(true, answer).await;
    a.tried(true, |access| failed::RetryOne { id: t.failed, anyway: true, access, by: by() }).await;
    a.tried(true, |access| failed::DismissOne { id: t.failed, reason: None, access, by: by() }).await;
    let change = leads::Change { name: Some("forged".into()), ..leads::Change::default() };
    let set = |access| leads::Set { id: t.lead, change: change.clone(), version: None, access, by: by() };
    a.tried(true, set).await;
    for out in [true, false] {
        a.tried(true, |access| leads::Opt { id: t.lead, out, access, by: by() }).await;
    }
    for retry in [true, false] {
        let settle = |access| letters::Settle { id: t.letter, retry, reason: None, access, by: by() };
        a.tried(true, settle).await;
    }
    for deed in [notices::Deed::Read, notices::Deed::Unread, notices::Deed::Snooze(db.now())] {
        a.tried(true, |access| notices::Do { id: t.notice, deed, access, by: by() }).await;
    }
    let change = tasks::Change { title: Some("forged".into()), ..tasks::Change::default() };
    let set = |access| tasks::Set { id: t.task, change: change.clone(), version: None, access, by: by() };
    a.tried(true, set).await;
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
        a.tried(true, add).await;
    }
    walls::wrote(a).await;
    walls::none_is_left_out(&a.tried.borrow());
    assert_eq!(everything(db).await, before, "nothing was written, not even to the record");
}
