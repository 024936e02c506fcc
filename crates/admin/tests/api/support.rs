//! The API over a database with two tenants, each with one of everything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use admin::Admin;
use admin::api::experiments::{self, Judge, Judged};
use admin::api::{AgentInfo, BudgetInfo, Desk, ExperimentInfo, Options, Peer, new_token, password};
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::accounts::{tokens, users};
use store::channels::{ChannelSeed, Sync, TenantSeed};
use store::desk::{Access, By, Priority, Role, Scope, batches};
use store::desk::{endpoints, tasks};
use store::inbox::{Accept, Arrival};
use store::jobs::{FailTurn, Finish, FinishTurn, Reply};
use store::leases::Claim;
use store::outbox::RecordAttempt;
use store::{Claimed, Door, Next, Policy, SqliteOptions, Store, Work};
use tower::ServiceExt;
use types::clock::ShiftedClock;
use types::inbound::{Content, Event, Identity, Inbound, Item, Route};
use types::outbound::{OutboundContent, Outcome};
use types::{Fault, ProviderMessageId, Refusal, RequestId, Secret, TenantId, Timestamp, UserId};

pub const PASSWORD: &str = "correct horse battery";
const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// What exists of one tenant: `conversation`, `message`, `failed`, `letter`, `job`, `lead`, `task`, `notification`, `channel`, `user`,
/// `token`, `batch`.
pub type Things = BTreeMap<&'static str, String>;

pub struct App {
    pub router: axum::Router,
    pub store: Store,
    pub desk: Arc<Desk>,
    pub clock: Arc<ShiftedClock>,
    pub a: Things,
    pub b: Things,
    _dir: tempfile::TempDir,
}

/// A person's session.
#[derive(Clone)]
pub struct Session(pub String);

fn message(id: &str, from: &str, name: &str, body: &str) -> Event {
    let from = Identity { phone: Some(from.into()), name: Some(name.into()), ..Identity::default() };
    Event::Message(Box::new(Inbound {
        provider_id: ProviderMessageId(id.into()),
        from,
        group: None,
        at: None,
        content: Content::Text { body: body.into() },
        quotes: None,
        forwarded: false,
        referral: None,
    }))
}

pub struct Hands<'a> {
    pub store: &'a Store,
    pub policy: Arc<Policy>,
}

impl Hands<'_> {
    pub async fn write(&self, door: &Door, id: &str, from: &str, name: &str, body: &str) {
        let raw = format!("{{\"raw\":\"{id}\"}}");
        let item = Item { route: Route::Nowhere, event: message(id, from, name, body), raw };
        let arrivals = vec![Arrival { door: Some(door.clone()), item, answer_groups: false }];
        let policy = Arc::clone(&self.policy);
        let accept = Accept { arrivals, request_id: RequestId(format!("r-{id}")), room: None, policy };
        self.store.write(accept).await.unwrap();
    }

    pub async fn claim(&self) -> Claimed {
        let policy = Arc::clone(&self.policy);
        let claim = Claim { owner: "node".into(), limit: 1, only: None, policy };
        self.store.write(claim).await.unwrap().remove(0)
    }

    pub async fn answer(&self, reply: &str, outcome: Outcome) {
        let claimed = self.claim().await;
        let Work::Turn(turn) = &claimed.work else { panic!("a turn") };
        let reply = Reply { key: "reply".into(), content: OutboundContent::Text { body: reply.into() }, quotes: None };
        let finish = FinishTurn {
            lease: claimed.lease.clone(),
            snapshot: std::sync::Arc::new(claimed.snapshot.clone()),
            turn: turn.clone(),
            finish: Finish { replies: vec![reply], outcome: "replied", traces: Some(agent()), ..Finish::default() },
            hold: None,
            stop: false,
            policy: Arc::clone(&self.policy),
        };
        let Next::Work(Work::Deliver(deliver)) = self.store.write(finish).await.unwrap().next else { panic!("a send") };
        let policy = Arc::clone(&self.policy);
        let (lease, jitter, stop) = (claimed.lease, Duration::ZERO, false);
        self.store.write(RecordAttempt { lease, deliver, outcome, jitter, stop, policy }).await.unwrap();
    }

    pub async fn bury(&self) {
        let claimed = self.claim().await;
        let Work::Turn(turn) = claimed.work else { panic!("a turn") };
        let fail = FailTurn {
            lease: claimed.lease,
            turn,
            fault: Fault::Permanent,
            error: "cannot be worked".into(),
            jitter: Duration::ZERO,
            stop: false,
            policy: Arc::clone(&self.policy),
        };
        self.store.write(fail).await.unwrap();
    }
}

struct One(&'static store::sql::Sql);

impl store::Op for One {
    const NAME: &'static str = "test.one";
    type Out = String;

    fn run(&self, tx: &mut dyn store::sql::Tx) -> store::Result<String> {
        Ok(tx.first(self.0, &[], |r| r.get::<String>(0))?.unwrap_or_default())
    }
}

impl App {
    pub async fn one(&self, text: String) -> String {
        one(&self.store, text).await
    }
}

async fn one(store: &Store, text: String) -> String {
    let name: &'static str = text.clone().leak();
    let sql = Box::leak(Box::new(store::sql::Sql { name, text: text.leak() }));
    store.read(One(sql)).await.unwrap()
}

/// What an agent did in a turn.
/// The experiment of a tenant: two variants, decided with two outcomes.
fn trial(slug: &str) -> ExperimentInfo {
    ExperimentInfo {
        name: format!("who-at-{slug}"),
        goal: "contact",
        percent: 100,
        planned: Some(2),
        within: Duration::from_secs(3_600),
        arms: vec![("flow".into(), 1), ("agent".into(), 1)],
    }
}

/// Sees a difference whatever there is: what the engine's test says is its own tests' matter.
struct AllDiffer;

impl Judge for AllDiffer {
    fn judge(&self, weights: &[u32], _: &[usize], _: &[experiments::Outcome]) -> Judged {
        Judged { p_value: 0.01, winner: Some(1), split_is_sound: true, lifts: vec![None; weights.len()] }
    }
}

fn agent() -> Box<store::agents::Traces> {
    let record = store::agents::Record {
        agent: "front_desk".into(),
        workflow: "agent",
        provider: Some("openai".into()),
        model: Some("m".into()),
        input: "boom".into(),
        output: "Hello".into(),
        status: "replied",
        calls: "[]".into(),
        call_count: 1,
        tokens_in: 90,
        tokens_out: 10,
        cost: 1_500_000,
        latency_ms: 300,
        ..store::agents::Record::default()
    };
    let exposures = vec![("who-at-alain".to_owned(), "flow".to_owned())];
    Box::new(store::agents::Traces { records: vec![record], exposures, ..store::agents::Traces::default() })
}

struct Put(&'static store::sql::Sql);

impl store::Op for Put {
    const NAME: &'static str = "test.put";
    type Out = u64;

    fn run(&self, tx: &mut dyn store::sql::Tx) -> store::Result<u64> {
        tx.execute(self.0, &[])
    }
}

/// A saga that waits for a person.
async fn stuck(store: &Store, door: &Door) -> String {
    let saga = format!(
        "INSERT INTO saga (id, tenant_id, conversation_id, lead_id, message_id, provider_id, request_id, state, apology, lease_until, fence,
                           created_at, updated_at)
         SELECT id + 7, tenant_id, id, lead_id, id, 'w', 'r', 'stuck', '', 0, 0, created_at, created_at FROM conversation WHERE tenant_id = {}",
        door.tenant
    );
    let step = format!(
        "INSERT INTO saga_step (saga_id, seq, tenant_id, action, effect, state, on_doubt, input, attempts, undo_attempts, doubtful)
         SELECT id, 0, tenant_id, 'pay', 'http', 'stuck', 'hold', '{{}}', 1, 0, 1 FROM saga WHERE tenant_id = {}",
        door.tenant
    );
    for text in [saga, step] {
        let name: &'static str = text.clone().leak();
        let sql = Box::leak(Box::new(store::sql::Sql { name, text: text.leak() }));
        assert_eq!(store.write(Put(sql)).await.unwrap(), 1);
    }
    one(store, format!("SELECT id FROM saga WHERE tenant_id = {}", door.tenant)).await
}

/// A program that is told what happens, and something on its way to it.
async fn told(store: &Store, door: &Door, n: u32) -> (types::EndpointId, types::DeliveryId) {
    let endpoint = endpoints::Add {
        tenant: door.tenant,
        url: format!("https://tenant{n}.example/hook"),
        description: String::new(),
        events: vec![store::desk::EventKind::MessageCreated],
        by: By::command(),
    };
    let endpoint = store.write(endpoint).await.unwrap().id;
    let tested = endpoints::Test { id: endpoint, access: Access::All, by: By::command() };
    (endpoint, store.write(tested).await.unwrap().id)
}

/// One of everything for a tenant.
async fn furnish(store: &Store, door: &Door, n: u32) -> Things {
    let hands = Hands { store, policy: Arc::new(Policy::default()) };
    let phone = format!("97150000000{n}");
    hands.write(door, &format!("m{n}-1"), &phone, "<img src=x onerror=alert(1)>", "=HYPERLINK(\"http://x\")").await;
    let refusal = Refusal { code: Some(131_026), http: Some(400), ..Refusal::new(Fault::Permanent, "not on WhatsApp") };
    hands.answer("Hello", Outcome::Rejected(refusal)).await;
    hands.write(door, &format!("m{n}-2"), &phone, "<img src=x onerror=alert(1)>", "boom").await;
    hands.bury().await;
    let of = |table: &str, more: &str| {
        let (tenant, table, more) = (door.tenant, table.to_owned(), more.to_owned());
        async move {
            one(store, format!("SELECT id FROM {table} WHERE tenant_id = {tenant} {more} ORDER BY id LIMIT 1")).await
        }
    };
    let by = By::command();
    let task = tasks::Add {
        tenant: door.tenant,
        lead: None,
        conversation: None,
        task_type: "call".into(),
        title: "Call".into(),
        description: String::new(),
        priority: Priority::Normal,
        assigned_to: ("team".into(), String::new()),
        due_at: None,
        access: Access::All,
        by: by.clone(),
    };
    let task = store.write(task).await.unwrap();
    let (_, digest, prefix) = new_token();
    let token = tokens::Add {
        digest,
        prefix,
        name: "theirs".into(),
        scopes: vec![Scope::Read],
        all_tenants: false,
        tenants: vec![door.tenant],
        expires_at: None,
        access: Access::All,
        by: by.clone(),
    };
    let token = store.write(token).await.unwrap();
    let user = add_user(store, &format!("one@tenant{n}.example"), Role::Agent, Some(door.tenant)).await;
    let batch = batches::Begin {
        tenant: door.tenant,
        action: store::desk::BatchAction::RetryDeadLetters,
        filter: store::desk::BatchFilter { ids: Some(Vec::new()), ..Default::default() },
        dry_run: false,
        by,
    };
    let batch = store.write(batch).await.unwrap();
    let (endpoint, delivery) = told(store, door, n).await;
    Things::from([
        ("endpoint", endpoint.to_string()),
        ("delivery", delivery.to_string()),
        ("tenant", door.tenant.to_string()),
        ("slug", door.slug.to_string()),
        ("experiment", trial(&door.slug).name),
        ("conversation", of("conversation", "").await),
        ("message", of("message", "AND direction = 'in'").await),
        ("failed", of("message", "AND status = 'failed'").await),
        ("letter", of("dead_letters", "").await),
        ("saga", stuck(store, door).await),
        ("job", of("jobs", "").await),
        ("lead", of("lead", "").await),
        ("notification", of("notification", "").await),
        ("channel", door.channel.to_string()),
        ("breaker", types::breaker::of_channel(door.channel)),
        ("task", task.id.to_string()),
        ("token", token.id.to_string()),
        ("user", user.to_string()),
        ("batch", batch.id.unwrap().to_string()),
        ("session", of("agent_session", "").await),
    ])
}

pub async fn add_user(store: &Store, email: &str, role: Role, tenant: Option<TenantId>) -> UserId {
    let add = users::Add {
        email: email.into(),
        name: email.into(),
        role,
        password: password::hash(&Secret::new(PASSWORD)).unwrap(),
        all_tenants: tenant.is_none(),
        tenants: tenant.into_iter().collect(),
        first: false,
        access: Access::All,
        by: By::command(),
    };
    store.write(add).await.unwrap().id
}

impl App {
    pub async fn bare() -> Self {
        Self::open(false).await
    }

    pub async fn new() -> Self {
        Self::open(true).await
    }

    async fn open(furnished: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ShiftedClock::still(START));
        let store = Store::open_sqlite(&SqliteOptions::at(dir.path().join("barid.db")), clock.clone()).await.unwrap();
        let seed = |slug: &str, number: &str| TenantSeed {
            slug: slug.into(),
            business: slug.into(),
            channels: vec![ChannelSeed {
                kind: "meta",
                external_id: number.into(),
                credentials: "secretdigest".into(),
            }],
        };
        let synced = store.write(Sync(vec![seed("alain", "1"), seed("oasis", "2")])).await.unwrap();
        let door = |n: usize, slug: &str| Door {
            tenant: synced[n].tenant,
            channel: synced[n].channels[0],
            kind: "meta",
            slug: slug.into(),
        };
        let (mut a, mut b) = (Things::new(), Things::new());
        if furnished {
            a = furnish(&store, &door(0, "alain"), 1).await;
            b = furnish(&store, &door(1, "oasis"), 2).await;
        }
        let info = AgentInfo {
            name: "front_desk".into(),
            prompt_hash: "0123456789ab".into(),
            providers: vec![("openai".into(), "m".into()), ("claude".into(), "n".into())],
            answers: true,
            budget: BudgetInfo { tenant_tokens: Some(5_000_000), ..BudgetInfo::default() },
        };
        let agents = ["alain", "oasis"].map(|slug| (slug.to_owned(), vec![info.clone()])).into();
        let experiments = ["alain", "oasis"].map(|slug| (slug.to_owned(), vec![trial(slug)])).into();
        let webhook_key = Some(Secret::new("a key of this test"));
        let judge = Some(Arc::new(AllDiffer) as Arc<dyn Judge>);
        let desk = Desk::new(store.clone(), Options { agents, experiments, judge, webhook_key, ..Options::default() });
        let admin = Admin {
            spool: None,
            store: store.clone(),
            runner_token: None,
            cron_token: None,
            run_outbound: Arc::new(|_| Box::pin(async { Ok(0) })),
            render_metrics: Arc::new(String::new),
            doors: Vec::new(),
            desk: Arc::clone(&desk),
            draining: Arc::default(),
        };
        let app = Self { router: admin::router(admin), store, desk, clock, a, b, _dir: dir };
        if furnished {
            app.follow().await;
        }
        app
    }

    /// The follower's turn.
    pub async fn follow(&self) {
        use store::desk::follow::{Keep, Look, WhereAmI};
        let seen = self.store.read(WhereAmI).await.unwrap();
        let found = self.store.read(Look { seen, overlap: Duration::ZERO, limit: 500 }).await.unwrap();
        let conversations = found.conversations.into_iter().collect();
        self.store.write(Keep { conversations, seen: Some(found.seen) }).await.unwrap();
    }

    pub fn tenant(&self, things: &Things) -> TenantId {
        things["tenant"].parse().unwrap()
    }

    pub async fn raw(&self, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(Peer("192.0.2.7".parse().unwrap()));
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> (StatusCode, Value) {
        let response = self.raw(request).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// A person of a role at a tenant, signed in.
    pub async fn person(&self, role: Role, tenant: Option<TenantId>) -> Session {
        let email = format!("{}-{}@example.com", role.as_str(), tenant.map_or(0, |t| t.0));
        add_user(&self.store, &email, role, tenant).await;
        self.login(&email, PASSWORD).await.1.unwrap()
    }

    pub async fn login(&self, email: &str, password: &str) -> (StatusCode, Option<Session>) {
        let body = json!({ "email": email, "password": password });
        let response = self.raw(post("/auth/login", &body).body(Body::from(body.to_string())).unwrap()).await;
        let status = response.status();
        let cookie = response.headers().get("set-cookie").map(|v| v.to_str().unwrap().to_owned());
        (status, cookie.map(|c| Session(c.split(';').next().unwrap().to_owned())))
    }

    /// A program with these scopes at a tenant.
    pub async fn token(&self, scopes: &[Scope], tenant: TenantId) -> (String, types::TokenId) {
        let (secret, digest, prefix) = new_token();
        let add = tokens::Add {
            digest,
            prefix,
            name: "program".into(),
            scopes: scopes.to_vec(),
            all_tenants: false,
            tenants: vec![tenant],
            expires_at: None,
            access: Access::All,
            by: By::command(),
        };
        (secret, self.store.write(add).await.unwrap().id)
    }
}

pub fn post(path: &str, _: &Value) -> axum::http::request::Builder {
    Request::post(format!("/api/v1{path}")).header("content-type", "application/json")
}

/// A request as Barid's own page makes it.
pub fn by_page(session: &Session, method: &str, path: &str, body: Option<&Value>) -> Request<Body> {
    let builder = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("cookie", &session.0)
        .header("host", "bot.example.com")
        .header("sec-fetch-site", "same-origin")
        .header("idempotency-key", types::clock::random_token());
    finish(builder, body)
}

/// A request as a program makes it.
pub fn by_token(secret: &str, method: &str, path: &str, body: Option<&Value>) -> Request<Body> {
    let builder = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {secret}"))
        .header("idempotency-key", types::clock::random_token());
    finish(builder, body)
}

pub fn finish(builder: axum::http::request::Builder, body: Option<&Value>) -> Request<Body> {
    match body {
        Some(body) => builder.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap(),
        None => builder.body(Body::empty()).unwrap(),
    }
}

/// Every operation of the description: method, path, and the operation.
pub fn operations() -> Vec<(String, String, Value)> {
    let root: Value = serde_json::from_str(&admin::api::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in root["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

/// The path with the id of one of `things`.
pub fn filled(path: &str, things: &Things) -> String {
    let kind = match path.split('/').nth(1).unwrap_or_default() {
        "conversations" => "conversation",
        "messages" => "message",
        "failed-sends" => "failed",
        "dead-letters" => "letter",
        "sagas" => "saga",
        "jobs" => "job",
        "leads" => "lead",
        "tasks" => "task",
        "notifications" => "notification",
        "channels" => "channel",
        "breakers" => "breaker",
        "users" => "user",
        "tokens" => "token",
        "batches" => "batch",
        "webhook-endpoints" => "endpoint",
        "webhook-deliveries" => "delivery",
        "agent-sessions" => "session",
        "experiments" => "experiment",
        other => panic!("no thing for {other}"),
    };
    path.replace("{id}", &things[kind])
}

/// A body that would be good for this operation.
pub fn body_of(method: &str, path: &str) -> Option<Value> {
    Some(match (method, path) {
        ("GET" | "DELETE", _) => return None,
        (_, "/conversations/{id}/messages") => json!({ "text": "hello" }),
        (_, "/conversations/{id}/notes") => json!({ "body": "note" }),
        (_, "/conversations/{id}/assign") => json!({ "user_id": null }),
        (_, "/conversations/{id}/snooze" | "/notifications/{id}/snooze") => json!({ "until": "2030-01-01T00:00:00Z" }),
        (_, "/conversations/{id}/priority") => json!({ "priority": "high" }),
        (_, "/conversations/{id}/labels") => json!({ "labels": ["x"] }),
        ("PATCH", "/leads/{id}") => json!({ "name": "x" }),
        ("POST", "/leads/{id}/merge") => json!({ "from": "1" }),
        ("POST", "/leads/{id}/erase") => json!({ "confirm": "erase" }),
        ("PATCH", "/tasks/{id}") => json!({ "title": "x" }),
        ("PATCH", "/users/{id}") => json!({ "name": "x" }),
        ("PATCH", "/webhook-endpoints/{id}") => json!({ "description": "x" }),
        (_, "/webhook-endpoints/{id}/recover") => json!({ "since": "2026-01-01T00:00:00Z" }),
        (_, "/channels/{id}/test") => json!({ "to": "971500000001", "text": "a test" }),
        ("POST", "/webhook-endpoints") => json!({ "url": "https://x.example/", "events": ["message.created"] }),
        (_, p) if p.starts_with("/breakers/") => json!({ "reason": "x" }),
        ("POST", "/experiments/{id}/winner") => json!({ "arm": "agent" }),
        ("PUT", "/flags") => json!({ "name": "agents", "on": false }),
        ("POST", "/tasks") => json!({ "title": "x" }),
        ("POST", "/users") => json!({ "email": "new@example.com", "name": "New", "role": "viewer" }),
        ("POST", "/tokens") => json!({ "name": "new", "scopes": ["read"] }),
        ("POST", "/batches") => json!({ "action": "retry_failed_sends" }),
        ("POST", "/auth/password") => json!({ "old": PASSWORD, "new": "another password" }),
        ("POST", "/auth/login") => json!({ "email": "a@example.com", "password": "x" }),
        ("POST", "/auth/link") => json!({ "token": "x" }),
        ("POST", "/auth/first-admin") => {
            json!({ "token": "x", "email": "a@example.com", "name": "A", "password": PASSWORD })
        }
        ("POST", "/simulator/messages") => json!({ "phone": "971500000001" }),
        ("POST", "/simulator/faults") => json!({ "fault": "refuse" }),
        ("POST", "/simulator/clock") => json!({ "hours": 1 }),
        _ => json!({}),
    })
}
