//! A simulator, an engine on a database of its own, and a clock that can be moved.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::http::HeaderMap;
use barid_app::config::{self, Config};
use barid_app::telemetry;
use barid_app::wire::{App, Start};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use simulator::lead::{GreenSource, MetaSource, Webhook};
use simulator::{
    Accepted, Backoff, GreenInstance, MetaNumber, Provider, Simulator, SimulatorOptions, StatusPlan, WebhookTargets,
};
use store::sql::{Row, Sql, Tx, Value as Cell};
use store::{Op, PostgresOptions, SqliteOptions, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use types::clock::ShiftedClock;
use types::{Secret, SystemClock};

/// Longer than anything takes that works; a test that needs it has found a defect.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const PNID: &str = "105500000000001";
pub const PNID_B: &str = "105500000000002";
pub const INSTANCE: &str = "1101000001";
pub const INSTANCE_B: &str = "1101000002";
pub const RUNNER: &str = "runner-token-canary-0001";
pub const CRON: &str = "cron-token-canary-000002";
/// Greets, asks for the service: what the default flow makes of it is one reply.
pub const HELLO: &str = "hello";

pub fn number(id: &str, secret: &str, token: &str) -> MetaNumber {
    let last = &id[id.len() - 1..];
    MetaNumber {
        phone_number_id: id.into(),
        waba_id: format!("21550000000000{last}"),
        display_phone: format!("1555000100{last}"),
        access_token: Secret::new(token),
        app_secret: Secret::new(secret),
    }
}

pub fn instance(id: &str, hook: &str, token: &str) -> GreenInstance {
    GreenInstance {
        instance: id.into(),
        api_token: Secret::new(token),
        webhook_token: Secret::new(hook),
        wid: "971500000900@c.us".into(),
    }
}

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:1"
[store]
url = "DATABASE"
[jobs]
runner_token = "RUNNER"
cron_token = "CRON"
retry = ["30ms", "30ms"]
poll = "50ms"
drain = "20s"
[alerts]
disk_free = 0
[send]
retry = ["30ms", "30ms", "30ms", "30ms"]
reconcile = "200ms"
reconcile_greenapi = "200ms"
[[tenants]]
slug = "alain"
business = "Al Ain Business Center"
assistant = "Noura"
services = ["Golden visa | الإقامة الذهبية", "Trade license | رخصة تجارية", "Ejari"]
region = "AE"
[[tenants.channels]]
kind = "meta"
phone_number_id = "105500000000001"
verify_token = "verify-a"
app_secret = "test_app_secret"
access_token = "meta-token-a"
api_base = "SIM"
[[tenants.channels]]
kind = "greenapi"
instance = "1101000001"
api_token = "green-token-a"
webhook_token = "hook-a"
api_base = "SIM"
"#;

/// A second tenant with a number and an instance of its own.
pub const TENANT_B: &str = r#"
[[tenants]]
slug = "oasis"
business = "Oasis Properties"
assistant = "Salem"
[[tenants.channels]]
kind = "meta"
phone_number_id = "105500000000002"
verify_token = "verify-b"
app_secret = "secret-b"
access_token = "meta-token-b"
api_base = "SIM"
[[tenants.channels]]
kind = "greenapi"
instance = "1101000002"
api_token = "green-token-b"
webhook_token = "hook-b"
api_base = "SIM"
"#;

/// How a world differs from the usual one.
#[derive(Clone)]
pub struct Setup {
    /// Laid over the configuration, as environment variables are.
    pub env: Vec<(&'static str, &'static str)>,
    /// Added to the configuration.
    pub more: &'static str,
    /// What follows an accepted send.
    pub statuses: StatusPlan,
    /// The engine only takes webhooks.
    pub no_worker: bool,
    /// On a PostgreSQL of this world's own, which can be stopped.
    pub own_server: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let statuses = StatusPlan { delay: Duration::from_millis(2), ..StatusPlan::default() };
        Self { env: Vec::new(), more: "", statuses, no_worker: false, own_server: false }
    }
}

impl Setup {
    pub fn env(mut self, env: &[(&'static str, &'static str)]) -> Self {
        self.env.extend(env);
        self
    }

    /// No status, and no other news of a send, comes back.
    pub fn silent(mut self) -> Self {
        self.statuses.send = false;
        self
    }

    pub const fn more(mut self, more: &'static str) -> Self {
        self.more = more;
        self
    }

    pub const fn no_worker(mut self) -> Self {
        self.no_worker = true;
        self
    }

    pub async fn start(self) -> World {
        World::start(self).await
    }
}

pub struct World {
    pub sim: Simulator,
    pub clock: Arc<ShiftedClock>,
    /// Writes Meta webhooks of the first tenant's number.
    pub meta: MetaSource,
    /// The same of its Green API instance.
    pub green: GreenSource,
    pub http: reqwest::Client,
    pub dir: TempDir,
    pub setup: Setup,
    app: Option<App>,
    server: Option<testkit::postgres::Database>,
    pub cluster: Option<testkit::postgres::Cluster>,
}

/// Which database the engine works on: `BARID_TEST_DATABASE=postgres` runs all of this on PostgreSQL.
pub fn on_postgres() -> bool {
    std::env::var("BARID_TEST_DATABASE").is_ok_and(|v| v == "postgres")
}

impl World {
    pub async fn new() -> Self {
        Self::start(Setup::default()).await
    }

    async fn start(setup: Setup) -> Self {
        logs();
        let clock = Arc::new(ShiftedClock::over(Arc::new(SystemClock)));
        let a = number(PNID, "test_app_secret", "meta-token-a");
        let green_a = instance(INSTANCE, "hook-a", "green-token-a");
        let sim = Simulator::start(SimulatorOptions {
            meta: vec![a.clone(), number(PNID_B, "secret-b", "meta-token-b")],
            green: vec![green_a.clone(), instance(INSTANCE_B, "hook-b", "green-token-b")],
            statuses: setup.statuses.clone(),
            meta_retry: Backoff::BRISK,
            green_retry: Backoff::BRISK,
            clock: clock.clone(),
            ..SimulatorOptions::default()
        });
        let cluster = setup.own_server.then(|| testkit::postgres::Cluster::start().unwrap());
        let server = match &cluster {
            Some(cluster) => Some(testkit::postgres::Database::on(&cluster.url()).unwrap()),
            None => on_postgres().then(|| testkit::postgres::Database::fresh().unwrap()),
        };
        let mut world = Self {
            sim: sim.await.unwrap(),
            meta: MetaSource::new(&a, clock.clone()),
            green: GreenSource::new(&green_a, clock.clone()),
            clock,
            http: client(),
            dir: tempfile::tempdir().unwrap(),
            setup,
            app: None,
            server,
            cluster,
        };
        world.up().await;
        world
    }

    pub fn config(&self) -> Config {
        let text = format!("{CONFIG}{}", self.setup.more)
            .replace("SIM", &self.sim.base_url())
            .replace("DATABASE", &self.server.as_ref().map_or_else(|| "sqlite:barid.db".to_owned(), |s| s.url()))
            .replace("RUNNER", RUNNER)
            .replace("CRON", CRON);
        let env = self.setup.env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        config::load_text(&text, "barid.toml", self.dir.path(), env)
            .unwrap_or_else(|m| panic!("{}", m.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
    }

    /// Starts the engine on the world's database, and tells the providers where it is.
    pub async fn up(&mut self) {
        let app = self.another().await.unwrap();
        self.take_up(app);
    }

    /// Goes on with an engine that was started elsewhere.
    pub fn take_up(&mut self, app: App) {
        assert!(self.app.is_none(), "it runs already");
        self.app = Some(app);
        self.targets();
    }

    /// The address of the world's PostgreSQL.
    pub fn database_url(&self) -> String {
        self.server.as_ref().map(|s| s.url()).unwrap_or_default()
    }

    /// Says to the providers where the engine is.
    pub fn targets(&self) {
        let (meta_url, green_url) = (self.url("/api/webhooks/whatsapp"), self.url("/webhook/greenapi"));
        let targets = WebhookTargets { meta_url: Some(meta_url), green_url: Some(green_url) };
        self.sim.set_webhooks(&targets).unwrap();
    }

    /// Tries to start an engine on the world's database.
    pub async fn another(&self) -> anyhow::Result<App> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let metrics = recorder();
        let start = Start {
            no_worker: self.setup.no_worker,
            own_clock: true,
            metrics: Some(Arc::new(move || metrics.render())),
            ..Start::default()
        };
        App::start_on(listener, &self.config(), self.clock.clone(), start).await
    }

    /// Stops the engine as SIGTERM does; whether all work ended in time.
    pub async fn down(&mut self) -> bool {
        self.app.take().unwrap().drain().await
    }

    pub async fn restart(&mut self, env: &[(&'static str, &'static str)]) {
        assert!(self.down().await);
        self.setup.env.retain(|(key, _)| env.iter().all(|(new, _)| new != key));
        self.setup.env.extend(env);
        self.up().await;
    }

    pub fn app(&self) -> &App {
        self.app.as_ref().unwrap()
    }

    /// A token of the API with these scopes.
    pub async fn token(&self, scopes: Vec<store::desk::Scope>) -> String {
        let (secret, digest, prefix) = admin::api::new_token();
        let token = store::accounts::tokens::Add {
            digest,
            prefix,
            name: "test".into(),
            scopes,
            all_tenants: true,
            tenants: Vec::new(),
            expires_at: None,
            access: store::desk::Access::All,
            by: store::desk::By::command(),
        };
        self.app().store().write(token).await.unwrap();
        secret
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app().address())
    }

    pub fn jump(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A request with a webhook in it, to be changed or sent.
    pub fn request(&self, webhook: &Webhook) -> reqwest::RequestBuilder {
        let path = match webhook.provider {
            Provider::Meta => "/api/webhooks/whatsapp",
            Provider::Green => "/webhook/greenapi",
        };
        let request = self.http.post(self.url(path)).header("content-type", "application/json");
        request.header(webhook.header(), &webhook.proof).body(webhook.body.clone())
    }

    pub async fn post(&self, webhook: &Webhook) -> u16 {
        self.request(webhook).send().await.unwrap().status().as_u16()
    }

    /// Posts and expects 200.
    pub async fn accept(&self, webhook: &Webhook) -> Value {
        let answer = self.request(webhook).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Posts and waits for the outcome (S1.8).
    pub async fn ask(&self, webhook: &Webhook) -> Value {
        let answer = self.request(webhook).header("prefer", "wait=20").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        answer.json().await.unwrap()
    }

    /// A customer says something over Meta and the outcome of the answer is waited for: `sent`, `failed` or `saved_only`.
    pub async fn say(&self, phone: &str, text: &str) -> String {
        let answer = self.ask(&self.meta.lead(phone, "Lina").text(text)).await;
        answer["response_sent"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// As [`Self::say`], where no answer is due: the status.
    pub async fn say_nothing(&self, phone: &str, text: &str) -> String {
        let answer = self.ask(&self.meta.lead(phone, "Lina").text(text)).await;
        answer["status"].as_str().unwrap().to_owned()
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Every row of a question in SQL, its cells as text joined by `|`, null as nothing.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        self.app().store().read(Ask(statement(sql))).await.unwrap()
    }

    /// The first row.
    pub async fn one(&self, sql: &str) -> String {
        self.rows(sql).await.into_iter().next().unwrap_or_default()
    }

    /// Changes rows from outside, as an operator with an SQL shell does; how many.
    pub async fn change(&self, sql: &str) -> u64 {
        let beside = match &self.server {
            None => Store::open_sqlite(&SqliteOptions::beside(self.database()), self.clock.clone()).await.unwrap(),
            Some(server) => {
                let options = PostgresOptions { own_clock: true, ..PostgresOptions::beside(server.url()) };
                Store::open_postgres(&options, self.clock.clone()).await.unwrap()
            }
        };
        let changed = beside.write(Change(statement(sql))).await.unwrap();
        beside.close().await;
        changed
    }

    pub fn database(&self) -> PathBuf {
        self.dir.path().join("barid.db")
    }

    /// Waits until the first row of a question in SQL is `want`.
    pub async fn until(&self, sql: &str, want: &str) {
        let mut last = String::new();
        for _ in Tries::new() {
            last = self.one(sql).await;
            if last == want {
                return;
            }
            pause().await;
        }
        panic!("{sql}\nis {last:?} and not {want:?}\n{}", self.story().await);
    }

    /// Waits until nothing is to be done: no open job, no open send, no status on its way.
    pub async fn settled(&self) {
        let open = "SELECT (SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running'))
                         + (SELECT COUNT(*) FROM outbox WHERE due_at IS NOT NULL)";
        self.until(open, "0").await;
        assert!(self.sim.wait_statuses(PATIENCE).await, "statuses are still on their way");
    }

    /// What the provider accepted for a customer, oldest first.
    pub fn sent_to(&self, phone: &str) -> Vec<Arc<Accepted>> {
        let ledger = self.sim.ledger();
        ledger.into_iter().filter(|a| a.to.split('@').next() == Some(phone)).collect()
    }

    /// Waits until the provider accepted `n` sends for a customer, and gives their texts.
    pub async fn heard(&self, phone: &str, n: usize) -> Vec<String> {
        for _ in Tries::new() {
            let sent = self.sent_to(phone);
            if sent.len() >= n {
                return sent.iter().map(|a| a.body.clone()).collect();
            }
            pause().await;
        }
        panic!("{phone} got {} of {n} messages\n{}", self.sent_to(phone).len(), self.story().await);
    }

    /// The state of the outgoing side, for failures.
    pub async fn story(&self) -> String {
        let messages = "SELECT id, conversation_id, direction, sender, status, COALESCE(error, ''), SUBSTR(body, 1, 40) FROM message ORDER BY id DESC LIMIT 20";
        let jobs = "SELECT id, state, attempts, run_at, COALESCE(error, '') FROM jobs ORDER BY id DESC LIMIT 20";
        let conversations = "SELECT id, state, next_due, lease_owner, lease_until FROM conversation LIMIT 20";
        let mut all = Vec::new();
        for sql in [messages, jobs, conversations, "SELECT state, state_reason FROM channels"] {
            all.extend(self.rows(sql).await);
            all.push("-".to_owned());
        }
        all.join("\n")
    }
}

/// A client for plain HTTP.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(Duration::from_secs(40)).build().unwrap()
}

/// One look after the other, for as long as patience lasts.
pub struct Tries(types::clock::Stopwatch);

impl Tries {
    pub fn new() -> Self {
        Self(types::clock::Stopwatch::start())
    }
}

impl Iterator for Tries {
    type Item = ();

    fn next(&mut self) -> Option<()> {
        (self.0.elapsed() < PATIENCE).then_some(())
    }
}

/// Between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// What a listener was told: headers and bodies, in order.
pub type Heard = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// What was told, once it is `n` or more.
pub async fn until(heard: &Heard, n: usize) -> Vec<(HeaderMap, String)> {
    let wait = async {
        loop {
            let now = heard.lock().unwrap().clone();
            if now.len() >= n {
                return now;
            }
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("told {} times, not {n}", heard.lock().unwrap().len()))
}

/// The process's one recorder of metrics.
pub fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| telemetry::metrics().unwrap()).clone()
}

/// Everything that was logged since the process began, by all tests: one JSON object per line.
pub fn logged() -> String {
    String::from_utf8_lossy(&logs().lock().unwrap()).into_owned()
}

fn logs() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(lines.clone());
        let builder = tracing_subscriber::fmt().json().flatten_event(true).with_target(true);
        builder.with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).init();
        lines
    })
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The statement of a text: each is made once, since statements live for ever.
fn statement(text: &str) -> &'static Sql {
    static KNOWN: OnceLock<Mutex<HashMap<String, &'static Sql>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap();
    known.entry(text.to_owned()).or_insert_with(|| {
        let text: &'static str = text.to_owned().leak();
        Box::leak(Box::new(Sql { name: text, text }))
    })
}

struct Ask(&'static Sql);

impl Op for Ask {
    const NAME: &'static str = "test.ask";
    type Out = Vec<String>;

    fn run(&self, tx: &mut dyn Tx) -> store::Result<Vec<String>> {
        tx.all(self.0, &[], |row| Ok(cells(row)))
    }
}

fn cells(row: &dyn Row) -> String {
    let cells = (0..).map_while(|i| row.value(i).ok()).map(|cell| match cell {
        Cell::Null => String::new(),
        Cell::Int(i) => i.to_string(),
        Cell::Real(r) => r.to_string(),
        Cell::Text(t) => t.to_owned(),
        Cell::Blob(b) => types::text::hex(b),
    });
    cells.collect::<Vec<_>>().join("|")
}

struct Change(&'static Sql);

impl Op for Change {
    const NAME: &'static str = "test.change";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> store::Result<u64> {
        tx.execute(self.0, &[])
    }
}
