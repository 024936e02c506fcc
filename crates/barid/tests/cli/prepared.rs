use std::sync::Arc;
use std::time::Duration;

use barid_app::config::{Config, load};
use barid_app::demo::sample;
use barid_app::wire::{App, Start, policy};
use simulator::control::Order;
use simulator::{Fault, MetaNumber, Rule, Simulator, SimulatorOptions, WebhookTargets};
use store::jobs::FailTurn;
use store::leases::Claim;
use store::views::{Conversations, Thread};
use store::{Store, Work};
use tempfile::TempDir;
use types::clock::ShiftedClock;
use types::{Secret, Timestamp};

/// 2025-03-01 09:00 UTC: long ago, so that times are shown as dates.
const BEGAN: Timestamp = Timestamp::from_seconds(1_740_819_600);
const LEAD: &str = "971500000101";
const OTHER: &str = "971500000202";
const THIRD: &str = "971500000303";

/// A folder with `barid.toml` and its database: a conversation up to the name, a reply that Meta refused, a message that could not be worked.
pub struct Prepared {
    pub folder: TempDir,
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn configuration(providers: &str) -> String {
    format!(
        r#"[server]
listen = "127.0.0.1:9"
[store]
url = "sqlite:barid.db"
[log]
level = "error"
[[tenants]]
slug = "alain"
business = "Al Ain Business Center"
assistant = "ABCai"
region = "AE"
services = ["Golden visa"]
[[tenants.channels]]
kind = "meta"
phone_number_id = "{}"
verify_token = "verify"
app_secret = "{SECRET}"
access_token = "access"
api_base = "{providers}"
"#,
        sample::NUMBER
    )
}

async fn providers(clock: Arc<ShiftedClock>) -> Simulator {
    let number = MetaNumber {
        phone_number_id: sample::NUMBER.into(),
        waba_id: sample::ACCOUNT.into(),
        display_phone: sample::PHONE.into(),
        access_token: Secret::new("access"),
        app_secret: Secret::new(SECRET),
    };
    let statuses = simulator::StatusPlan { delay: Duration::from_millis(2), ..Default::default() };
    Simulator::start(SimulatorOptions { meta: vec![number], statuses, clock, ..Default::default() }).await.unwrap()
}

async fn start(config: &Config, sim: &Simulator, clock: Arc<ShiftedClock>, no_worker: bool) -> App {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = Start { no_worker, ..Start::default() };
    let app = App::start_on(listener, config, clock, start).await.unwrap();
    let meta_url = Some(format!("http://{}/api/webhooks/whatsapp", app.address()));
    sim.set_webhooks(&WebhookTargets { meta_url, green_url: None }).unwrap();
    app
}

async fn write(sim: &Simulator, phone: &str, text: &str) {
    let order = Order { phone: phone.into(), name: "Sara".into(), text: text.into(), ..Order::default() };
    assert_eq!(sim.write(&order).await.unwrap().status, Some(200));
}

/// Waits until the newest message of the newest conversation has `status`.
async fn until(store: &Store, messages: usize, status: &str) {
    for _ in 0..500 {
        let newest = store.read(Conversations { before: None, limit: 1 }).await.unwrap();
        if let Some(c) = newest.first() {
            let thread = store.read(Thread { conversation: c.id, after: None, limit: 100 }).await.unwrap();
            if thread.len() == messages && thread.last().is_some_and(|m| m.status == status) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {messages} messages, the last {status}");
}

impl Prepared {
    pub async fn new() -> Self {
        let folder = testkit::temp_dir().unwrap();
        let clock = Arc::new(ShiftedClock::still(BEGAN));
        let sim = providers(clock.clone()).await;
        let file = folder.path().join("barid.toml");
        std::fs::write(&file, configuration(&sim.base_url())).unwrap();
        let config = load(Some(&file), std::iter::empty()).unwrap();

        let app = start(&config, &sim, clock.clone(), false).await;
        for (n, text) in ["Hi", "I need a golden visa", "Rashid Kareem"].into_iter().enumerate() {
            write(&sim, LEAD, text).await;
            until(app.store(), 2 * n + 2, "read").await;
            clock.advance(Duration::from_secs(60));
        }
        let message = "Message undeliverable".to_owned();
        sim.push_fault(
            Rule::next(1, Fault::Refuse { http: 400, code: 131_026, message, retry_after_s: None }).to(OTHER),
        );
        write(&sim, OTHER, "Hello").await;
        until(app.store(), 2, "failed").await;
        clock.advance(Duration::from_secs(60));
        assert!(app.drain().await);

        let app = start(&config, &sim, clock.clone(), true).await;
        write(&sim, THIRD, "Anyone there?").await;
        bury(app.store(), &config).await;
        assert!(app.drain().await);
        sim.stop().await;
        // The port that the providers had may become another program's; nobody listens on this one.
        std::fs::write(&file, configuration("http://127.0.0.1:9")).unwrap();
        Self { folder }
    }
}

/// Works the waiting message as a worker does whose engine cannot.
async fn bury(store: &Store, config: &Config) {
    let policy = Arc::new(policy(config, &[]));
    let claim = Claim { owner: "test".into(), limit: 10, only: None, policy: Arc::clone(&policy) };
    let mut claimed = store.write(claim).await.unwrap();
    let one = claimed.remove(0);
    let Work::Turn(turn) = one.work else { panic!("no turn: {:?}", one.work) };
    let error = "the flow has no step \"quotation\"".to_owned();
    let (fault, jitter, stop) = (types::Fault::Permanent, Duration::ZERO, true);
    store.write(FailTurn { lease: one.lease, turn, fault, error, jitter, stop, policy }).await.unwrap();
}
