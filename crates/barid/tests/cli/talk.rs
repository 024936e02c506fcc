use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use testkit::{Binary, Program};

use barid_app::demo::sample::INSTANCE;

use crate::support::{BARID, Ran, run, run_with};

const PATIENCE: Duration = Duration::from_secs(30);

struct Demo {
    folder: TempDir,
    program: Program,
    binary: Binary,
}

impl Demo {
    async fn start() -> Self {
        let folder = testkit::temp_dir().unwrap();
        let listen = format!("127.0.0.1:{}", testkit::free_port().unwrap());
        let mut program =
            Program::new(BARID, folder.path()).args(["demo", "--empty", "--data", "data", "--listen", &listen]);
        let mut binary = program.start().unwrap();
        binary.wait_line("Ready in", PATIENCE).await.unwrap();
        Self { folder, program, binary }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn chat(&self, args: &[&str], lines: &str) -> Ran {
        run_with(self.path(), &[&["chat", "--data", "data"], args].concat(), lines)
    }
}

/// S3.1: greeted once, the service, the name, the nationality, handed over; each message answered once, with its ticks.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_in_english() {
    let mut demo = Demo::start().await;
    let chat = demo.chat(&["--as", "971500000101"], "Hi\nI need a golden visa\nRashid Kareem\nPakistani\n").good();
    insta::assert_snapshot!(chat.out);
    // The same number goes on where it was: no second greeting.
    let more = demo.chat(&["--as", "971500000101"], "rashid@example.com").good();
    assert!(more.out.lines().count() == 2 && !more.out.contains("I'm ABCai"), "{more:?}");
    let rows = run(demo.path(), "--config data/barid.toml conversations --json").good().json();
    assert_eq!((rows[0]["state"].as_str(), rows[0]["service"].as_str()), (Some("handed_over"), Some("Golden visa")));
    assert_eq!(rows.as_array().unwrap().len(), 1);
    demo.binary.finish(PATIENCE).await.unwrap();
}

/// The same through Green API, in Arabic, the text untouched.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_conversation_in_arabic() {
    let mut demo = Demo::start().await;
    let lines = "السلام عليكم\nأبغى رخصة تجارية\nأنا فاطمة الزعابي\nإماراتية\n";
    let chat = demo.chat(&["--as", "971500000202", "--name", "فاطمة", "--channel", "greenapi"], lines).good();
    insta::assert_snapshot!(chat.out);
    let rows = run(demo.path(), "--config data/barid.toml conversations --json").good().json();
    assert_eq!(
        (rows[0]["state"].as_str(), rows[0]["lead_name"].as_str()),
        (Some("handed_over"), Some("فاطمة الزعابي"))
    );
    demo.binary.finish(PATIENCE).await.unwrap();
}

/// The data folder outlives the demo: stopped with SIGTERM it exits 0, and a new start knows the conversation. A second demo on it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn conversations_survive_a_restart_and_reset_forgets_them() {
    let mut demo = Demo::start().await;
    demo.chat(&[], "Hi\n").good();
    let second = run(demo.path(), "demo --data data --listen 127.0.0.1:0");
    assert_eq!((second.code, second.err.contains("a demo is running on data")), (1, true), "{second:?}");
    demo.binary.finish(PATIENCE).await.unwrap();
    assert_eq!(demo.chat(&[], "Hi\n").code, 1);

    let mut binary = demo.program.start().unwrap();
    binary.wait_line("Ready in", PATIENCE).await.unwrap();
    let chat = demo.chat(&[], "I need a golden visa\n").good();
    assert!(chat.out.contains("full name") && !chat.out.contains("I'm ABCai"), "{chat:?}");
    binary.finish(PATIENCE).await.unwrap();

    let mut anew = demo.program.clone().arg("--reset");
    let mut binary = anew.start().unwrap();
    binary.wait_line("Ready in", PATIENCE).await.unwrap();
    let rows = run(demo.path(), "--config data/barid.toml conversations --json").good().json();
    assert_eq!(rows, serde_json::json!([]));
    binary.finish(PATIENCE).await.unwrap();
}

/// The demo's own check-up finds nothing: its webhooks are signed and reached, its tokens work.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_the_demo_well() {
    let mut demo = Demo::start().await;
    let report = run(demo.path(), "--config data/barid.toml doctor --json").good().json();
    let bad: Vec<_> = report["checks"].as_array().unwrap().iter().filter(|c| c["verdict"] == "fail").collect();
    assert!(bad.is_empty(), "{bad:?}");
    let names: Vec<_> = report["checks"].as_array().unwrap().iter().filter_map(|c| c["check"].as_str()).collect();
    assert!(names.contains(&"meta 105500000000001 handshake"), "{names:?}");
    demo.binary.finish(PATIENCE).await.unwrap();
}

/// A message of a person goes out beside the running server, and the due work is asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn send_beside_the_running_demo() {
    let mut demo = Demo::start().await;
    let config = ["--config", "data/barid.toml"];
    // Green API knows no 24-hour window.
    let args = ["send", "--from", INSTANCE, "--to", "971500000303", "Your visa is ready", "--wait", "--json"];
    let sent = run_with(demo.path(), &[&config[..], &args].concat(), "").good().json();
    assert!(matches!(sent["status"].as_str(), Some("sent" | "delivered" | "read")), "{sent}");
    let ran = run(demo.path(), "--config data/barid.toml jobs run --json").good().json();
    assert_eq!(ran["worked_by"], "server");
    demo.binary.finish(PATIENCE).await.unwrap();
}
