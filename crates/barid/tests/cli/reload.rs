//! SIGHUP: a tenant's assistant is exchanged while the server runs; a file with mistakes changes nothing.

use std::sync::Arc;
use std::time::Duration;

use simulator::client::WebhookClient;
use simulator::lead::MetaSource;
use simulator::vendors::{TOKEN, Vendor, Vendors};
use simulator::{Backoff, MetaNumber, Simulator, SimulatorOptions};
use tempfile::TempDir;
use testkit::{Binary, Program};
use types::clock::Stopwatch;
use types::{Secret, SystemClock};

use crate::support::BARID;

const PATIENCE: Duration = Duration::from_secs(30);
const ASKS: &str = "could I book the meeting room for Monday?";
const OWN_REPLY: &str = "I'll hold the room for you.";

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:PORT"
[store]
url = "sqlite:barid.db"
[alerts]
disk_free = 0
[send]
allow_private = true
[[tenants]]
slug = "alain"
business = "Al Ain Business Center"
assistant = "Noura"
services = ["Golden visa"]
[[tenants.channels]]
kind = "meta"
phone_number_id = "105500000000001"
verify_token = "verify-a"
app_secret = "test_app_secret"
access_token = "ACCESS"
api_base = "SIM"
"#;

/// Issue, 2: five phrases, a reply and an `http` action.
const INTENT: &str = r#"
[tenants.actions.book]
url = "VENDORS/crm/orders"
headers = { Authorization = "Bearer TOKEN" }
body = '{"room": "{message}"}'
[[tenants.intents]]
name = "BOOK_ROOM"
phrases = ["I want to book a meeting room", "is the meeting room free tomorrow", "reserve the conference room please", "meeting room for six people", "book the boardroom for Monday"]
reply = "I'll hold the room for you."
actions = ["book"]
"#;

struct Server {
    folder: TempDir,
    sim: Simulator,
    vendors: Vendors,
    port: u16,
    source: MetaSource,
    program: Program,
}

impl Server {
    async fn new() -> Self {
        let number = MetaNumber {
            phone_number_id: "105500000000001".into(),
            waba_id: "215500000000001".into(),
            display_phone: "15550001001".into(),
            access_token: Secret::new("meta-token-a"),
            app_secret: Secret::new("test_app_secret"),
        };
        let source = MetaSource::new(&number, Arc::new(SystemClock));
        let folder = testkit::temp_dir().unwrap();
        let program = Program::new(BARID, folder.path()).arg("serve");
        Self {
            sim: Simulator::start(SimulatorOptions { meta: vec![number], ..SimulatorOptions::default() })
                .await
                .unwrap(),
            vendors: Vendors::start().await.unwrap(),
            port: testkit::free_port().unwrap(),
            folder,
            source,
            program,
        }
    }

    /// Writes the file: the usual one with `more`, and some of it otherwise.
    fn write(&self, more: &str, other: &[(&str, &str)]) {
        let mut text = format!("{CONFIG}{more}");
        for (from, to) in other {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let text = text
            .replace("PORT", &self.port.to_string())
            .replace("SIM", &self.sim.base_url())
            .replace("ACCESS", "meta-token-a")
            .replace("VENDORS", &self.vendors.base_url())
            .replace("TOKEN", TOKEN);
        std::fs::write(self.folder.path().join("barid.toml"), text).unwrap();
    }

    async fn start(&mut self) -> Binary {
        self.write("", &[]);
        let mut binary = self.program.start().unwrap();
        binary.wait_ready(&format!("http://127.0.0.1:{}/readyz", self.port), PATIENCE).await.unwrap();
        binary
    }

    /// What somebody new is answered to the question for the room.
    async fn answer(&self, phone: &str) -> String {
        let hooks = format!("http://127.0.0.1:{}/api/webhooks/whatsapp", self.port);
        let poster = WebhookClient::new(&hooks, Backoff::BRISK).unwrap();
        poster.deliver(&self.source.lead(phone, "Lina").text(ASKS)).await.unwrap();
        let since = Stopwatch::start();
        while since.elapsed() < PATIENCE {
            if let Some(sent) = self.sim.ledger().into_iter().find(|sent| &*sent.to == phone) {
                return sent.body.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{phone} was not answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_new_intent_answers_from_the_next_message_on() {
    let mut server = Server::new().await;
    let mut binary = server.start().await;
    let before = server.answer("971500000801").await;
    assert!(!before.contains(OWN_REPLY), "{before}");

    server.write(INTENT, &[("127.0.0.1:PORT", "127.0.0.1:1"), ("ACCESS", "another-token-canary")]);
    binary.hang_up().unwrap();
    binary.wait_line("the configuration was read again", PATIENCE).await.unwrap();
    let log = format!("{}{}", binary.stdout(), binary.stderr());
    for waits in ["[server]", "tenant alain: channels"] {
        assert!(log.lines().any(|l| l.contains("needs a restart") && l.contains(waits)), "{waits}\n{log}");
    }
    assert!(!log.contains("another-token-canary") && !log.contains("[send]"), "{log}");

    let after = server.answer("971500000802").await;
    assert!(after.contains(OWN_REPLY), "{after}");
    let since = Stopwatch::start();
    while server.vendors.count(Vendor::Crm, "order") == 0 && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(server.vendors.done()[0].body["room"], ASKS);
    binary.finish(PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_mistakes_changes_nothing_and_each_is_named() {
    let mut server = Server::new().await;
    let mut binary = server.start().await;
    server.write(INTENT, &[("reply = ", "repyl = "), ("disk_free = 0", "disk_free = 1000")]);
    binary.hang_up().unwrap();
    binary.wait_line("the old one stays", PATIENCE).await.unwrap();
    let log = format!("{}{}", binary.stdout(), binary.stderr());
    for mistake in ["repyl", "disk_free"] {
        assert!(log.lines().any(|l| l.contains("barid.toml:") && l.contains(mistake)), "{mistake}\n{log}");
    }
    let answer = server.answer("971500000803").await;
    assert!(answer.contains("Noura") && !answer.contains(OWN_REPLY), "{answer}");
    // A flow that cannot be used is found a step later, and changes as little.
    std::fs::write(server.folder.path().join("flow.toml"), "nonsense = 1").unwrap();
    server.write(INTENT, &[("assistant =", "flow = \"flow.toml\"\nassistant =")]);
    binary.hang_up().unwrap();
    binary.wait_line("flow.toml", PATIENCE).await.unwrap();
    let answer = server.answer("971500000805").await;
    assert!(answer.contains("Noura") && !answer.contains(OWN_REPLY), "{answer}");
    // Mended, it is taken.
    server.write(INTENT, &[]);
    binary.hang_up().unwrap();
    binary.wait_line("the configuration was read again", PATIENCE).await.unwrap();
    let answer = server.answer("971500000804").await;
    assert!(answer.contains(OWN_REPLY), "{answer}");
    binary.finish(PATIENCE).await.unwrap();
}
