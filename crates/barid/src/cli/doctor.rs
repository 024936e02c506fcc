//! `barid doctor`: what a message needs on its way, looked at one by one, each with the mend. Exit 1 when something fails.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use egress::Egress;
use net::Client;
use serde_json::json;
use store::channels::{ChannelRow, States, Synced};
use store::views::LastId;
use types::clock::random_token;
use types::http::{Answer, Body, Method, NoAnswer, Plan};
use types::states::ChannelState;
use types::{ChannelId, Fault, Secret, TenantId, Timestamp};

use super::output::count;
use super::{Context, Failure, beside};
use crate::config::{Channel, Config};
use crate::wire;

/// Longest that one question over the network may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Less free disk than this is a failure, MiB: the database could not take a busy day.
const DISK_LEAST: u64 = 200;
/// Less than this is worth knowing, MiB.
const DISK_LOW: u64 = 2048;
/// No correct clock shows less: the day this was written (2026-08-01).
const CLOCK_LEAST: Timestamp = Timestamp::from_seconds(1_785_542_400);

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, serde::Serialize)]
struct Finding {
    verdict: Verdict,
    check: String,
    found: String,
    mend: Option<String>,
}

/// What was found so far.
#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn add(&mut self, verdict: Verdict, check: &str, found: impl Into<String>, mend: &str) {
        let mend = (verdict != Verdict::Ok).then(|| mend.to_owned());
        self.0.push(Finding { verdict, check: check.to_owned(), found: found.into(), mend });
    }

    fn ok(&mut self, check: &str, found: impl Into<String>) {
        self.add(Verdict::Ok, check, found, "");
    }
}

pub(super) async fn run(cx: &Context) -> Result<(), Failure> {
    let config = cx.load_beside()?;
    let mut report = Report::default();
    configuration(&config, &mut report);
    let rows = database(cx, &config, &mut report).await;
    if let Some(path) = beside::file(&config.store) {
        disk(path, &mut report);
    }
    let client = beside::client()?;
    let serving = server(&config, &client, &mut report).await;
    channels(&config, &rows, &mut report).await?;
    webhooks(&config, &client, serving, &mut report).await;
    show(cx, &report)
}

fn show(cx: &Context, report: &Report) -> Result<(), Failure> {
    let of = |v| report.0.iter().filter(|f| f.verdict == v).count();
    let (warnings, failures) = (of(Verdict::Warn), of(Verdict::Fail));
    if cx.out.json {
        cx.out.value(&json!({"ok": failures == 0, "checks": report.0}))?;
    } else {
        let width = report.0.iter().map(|f| f.check.chars().count()).max().unwrap_or(0);
        for f in &report.0 {
            let word = match f.verdict {
                Verdict::Ok => "ok  ",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            cx.out.line(&format!("{word}  {:width$}  {}", f.check, f.found))?;
            if let Some(mend) = &f.mend {
                cx.out.line(&format!("{:6}{:width$}  mend: {mend}", "", ""))?;
            }
        }
        let [checks, warnings, failures] =
            [(report.0.len(), "check"), (warnings, "warning"), (failures, "failure")].map(|(n, thing)| count(n, thing));
        cx.out.line(&format!("\n{checks}, {warnings}, {failures}"))?;
    }
    if failures > 0 { Err(Failure::Told) } else { Ok(()) }
}

fn configuration(config: &Config, report: &mut Report) {
    if config.warnings.is_empty() {
        report.ok("configuration", "no mistakes, no warnings");
    }
    for w in &config.warnings {
        let place = w.line.map(|l| format!(":{l}")).unwrap_or_default();
        report.add(Verdict::Warn, "configuration", format!("{}{place}: {} {}", w.file, w.key, w.what), &w.mend);
    }
}

/// Whether the database itself keeps tenants apart (S7.1): a tenant that is not there must find nothing.
async fn apart(store: &store::Store, report: &mut Report) {
    if !store.guards_tenants() {
        return;
    }
    match store.read_for(TenantId(0), States).await {
        Ok(theirs) if theirs.is_empty() => report.ok("tenants apart", "by row-level security"),
        Ok(_) => report.add(
            Verdict::Fail,
            "tenants apart",
            "the login role passes row-level security",
            "let it make roles once (ALTER ROLE … CREATEROLE) and run `barid migrate`, or use a role that is neither superuser nor BYPASSRLS",
        ),
        Err(e) => report.add(Verdict::Fail, "tenants apart", e.to_string(), "do what it says, then ask again"),
    }
}

/// Opens, schema, writable, and the clock against what it holds; the channels' rows.
async fn database(cx: &Context, config: &Config, report: &mut Report) -> Vec<ChannelRow> {
    let now = cx.clock.now();
    let store = match wire::open_beside(&config.store, Arc::clone(&cx.clock)).await {
        Ok(store) => store,
        Err(e) => {
            report.add(Verdict::Fail, "database", format!("{e:#}"), "do what it says, then ask again");
            clock(now, None, report);
            return Vec::new();
        }
    };
    let name = beside::database(&config.store);
    report.ok("database", format!("{name}, schema version {}", store::migrations::wanted()));
    // Frees the leases of an owner that never was: takes the write lock and changes nothing.
    let nobody: Arc<str> = format!("doctor-{}", random_token()).into();
    match store.write(store::leases::Free { owner: Some(nobody) }).await {
        Ok(_) => report.ok("database writes", "taken"),
        Err(e) => {
            let mend = "let this user write the file and its folder; is the disk full or read-only?";
            report.add(Verdict::Fail, "database writes", e.to_string(), mend);
        }
    }
    apart(&store, report).await;
    clock(now, store.read(LastId).await.ok(), report);
    let rows = store.read(States).await.unwrap_or_default();
    store.close().await;
    rows
}

fn clock(now: Timestamp, last: Option<i64>, report: &mut Report) {
    let mend = "set the clock and let it be kept (systemctl enable --now systemd-timesyncd, or chrony)";
    if now < CLOCK_LEAST {
        let found = format!("{now} is before this barid was written: certificates will be refused");
        report.add(Verdict::Fail, "clock", found, mend);
    } else if last.is_some_and(|id| id > types::ids::first_id_of(now.plus(Duration::from_secs(60)))) {
        let found = format!("{now} is earlier than the newest row of the database: the clock went back");
        report.add(Verdict::Fail, "clock", found, mend);
    } else {
        report.ok("clock", format!("{now}"));
    }
}

/// Free room where the database is. Asks `df`: the standard library cannot.
fn disk(path: &Path, report: &mut Report) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let out = Command::new("df").arg("-Pk").arg(folder).output().ok().filter(|o| o.status.success());
    let text = out.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let Some(free) = free_mib(&text) else {
        let mend = format!("look yourself at the room in {}", folder.display());
        report.add(Verdict::Warn, "disk", "df did not say how much is free", &mend);
        return;
    };
    let found = format!("{free} MiB free");
    let mend = "make room: when the disk is full, webhooks are answered 503 and nothing is taken";
    match free {
        0..DISK_LEAST => report.add(Verdict::Fail, "disk", found, mend),
        DISK_LEAST..DISK_LOW => report.add(Verdict::Warn, "disk", found, mend),
        _ => report.ok("disk", found),
    }
}

/// The fourth column of the second line of `df -Pk`, in MiB.
fn free_mib(df: &str) -> Option<u64> {
    let kib: u64 = df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / 1024)
}

/// Whether a server of this configuration answers on this machine.
async fn server(config: &Config, client: &Client, report: &mut Report) -> bool {
    let url = beside::local_url(config);
    match get(client, &format!("{url}/readyz")).await {
        Ok(a) if a.status == 200 => {
            report.ok("server", format!("ready at {url}"));
            true
        }
        Ok(a) => {
            let mend = "is another program on that port, or is the server stopping? see its log";
            report.add(Verdict::Fail, "server", format!("{url}/readyz answers {}", a.status), mend);
            false
        }
        Err(_) => {
            report.add(Verdict::Warn, "server", format!("none at {url}"), "start it: barid serve");
            false
        }
    }
}

async fn get(client: &Client, url: &str) -> Result<Answer, NoAnswer> {
    call(client, Method::Get, url, Body::Empty).await
}

async fn call(client: &Client, method: Method, url: &str, body: Body) -> Result<Answer, NoAnswer> {
    let plan = Plan { method, url: Secret::new(url), authorization: None, headers: Vec::new(), body, name: "doctor" };
    client.call(&plan, PATIENCE).await
}

/// Each channel's secret, token and state.
async fn channels(config: &Config, rows: &[ChannelRow], report: &mut Report) -> Result<(), Failure> {
    let (egress, ids) = senders(config)?;
    for (channel, id) in config.tenants.iter().flat_map(|t| &t.channels).zip(ids) {
        let name = format!("{} {}", channel.kind(), channel.provider_id());
        match egress.probe(id).await {
            Ok(_) => report.ok(&format!("{name} token"), "the provider accepts it"),
            Err(refusal) => {
                let mend = match channel {
                    _ if refusal.fault == Fault::Transient => "can this machine reach api_base? try curl from here",
                    Channel::Meta(_) => {
                        "check access_token: a system user's, with whatsapp_business_messaging, not expired"
                    }
                    Channel::Green(_) => {
                        "check api_token (apiTokenInstance in the console), and that the instance is authorised"
                    }
                };
                report.add(Verdict::Fail, &format!("{name} token"), refusal.reason, mend);
            }
        }
        signature(&name, channel, report);
        let row = rows.iter().find(|r| r.kind == channel.kind() && r.external_id == channel.provider_id());
        if let Some(row) = row.filter(|r| r.state == ChannelState::Paused) {
            let why = row.reason.as_deref().unwrap_or("no reason on record");
            let mend = "mend the reason; it is probed every minute and sends again by itself";
            report.add(Verdict::Fail, &format!("{name} sending"), format!("paused: {why}"), mend);
        }
    }
    Ok(())
}

/// Senders that need no database: the ids are only names here.
fn senders(config: &Config) -> Result<(Egress, Vec<ChannelId>), Failure> {
    let mut next = 0;
    let mut synced = Vec::with_capacity(config.tenants.len());
    for tenant in &config.tenants {
        let channels = tenant.channels.iter().map(|_| {
            next += 1;
            ChannelId(next)
        });
        synced.push(Synced { tenant: TenantId(1), channels: channels.collect() });
    }
    let ids = synced.iter().flat_map(|s| s.channels.clone()).collect();
    let clock: types::SharedClock = std::sync::Arc::new(types::SystemClock);
    Ok((wire::senders(config, &synced, wire::breakers(config, &clock))?, ids))
}

/// What proves a webhook: present by the configuration's own rules; here, whether it looks like the right thing.
fn signature(name: &str, channel: &Channel, report: &mut Report) {
    let check = format!("{name} signature");
    match channel {
        Channel::Meta(m) => {
            let hex = |s: &Secret| s.expose().len() == 32 && s.expose().bytes().all(|b| b.is_ascii_hexdigit());
            if m.app_secrets.iter().all(hex) {
                report.ok(&check, "app_secret is set");
            } else {
                let mend = "copy the app secret (32 hex digits) from App settings > Basic, not a token";
                report.add(Verdict::Warn, &check, "app_secret does not look like one", mend);
            }
        }
        Channel::Green(g) if g.webhook_token.expose().len() >= 16 => report.ok(&check, "webhook_token is set"),
        Channel::Green(_) => {
            let mend = "use 16 characters or more, the same in webhookUrlToken of the instance's settings";
            report.add(Verdict::Warn, &check, "webhook_token is short enough to be guessed", mend);
        }
    }
}

/// Whether the providers reach the webhooks, as far as this machine can tell.
async fn webhooks(config: &Config, client: &Client, serving: bool, report: &mut Report) {
    let local = beside::local_url(config);
    let base = match &config.server.public_url {
        Some(url) => url.clone(),
        None => {
            let mend = "set [server] public_url to the https address that the providers call";
            report.add(Verdict::Warn, "public address", "not configured, so only this machine is asked", mend);
            if !serving {
                return;
            }
            local
        }
    };
    for channel in config.tenants.iter().flat_map(|t| &t.channels) {
        let name = format!("{} {}", channel.kind(), channel.provider_id());
        let check = format!("{name} webhook");
        match channel {
            Channel::Meta(m) => {
                let url = format!("{base}/api/webhooks/whatsapp");
                handshake(client, &format!("{name} handshake"), &url, &m.verify_token, report).await;
                unsigned(client, &check, &url, report).await;
            }
            Channel::Green(_) => unsigned(client, &check, &format!("{base}/webhook/greenapi"), report).await,
        }
    }
}

/// Meta's own question, asked through the public address (S1.1).
async fn handshake(client: &Client, check: &str, url: &str, token: &Secret, report: &mut Report) {
    let challenge = random_token();
    let token = encoded(token.expose());
    let asked = format!("{url}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={challenge}");
    let mend = "point the domain and its proxy at this server, path included; then press Verify at Meta";
    match get(client, &asked).await {
        Ok(a) if a.status == 200 && a.body == challenge.as_bytes() => {
            report.ok(check, format!("{url} answers Meta's handshake"));
        }
        Ok(a) if a.status == 403 => {
            let mend = "restart the server: it runs with another verify_token than this configuration";
            report.add(Verdict::Fail, check, format!("{url} refuses the verify_token"), mend);
        }
        Ok(a) => report.add(Verdict::Fail, check, format!("{url} answers {}, and no challenge", a.status), mend),
        Err(e) => report.add(Verdict::Fail, check, e.to_string(), mend),
    }
}

/// An unsigned webhook must be refused: it shows that the address reaches Barid and that Barid asks for the proof.
async fn unsigned(client: &Client, check: &str, url: &str, report: &mut Report) {
    match call(client, Method::Post, url, Body::Json(b"{}".to_vec())).await {
        Ok(a) if a.status == 401 => report.ok(check, format!("{url} refuses what is not signed")),
        Ok(a) => {
            let mend = "the address leads to another program: check the proxy's path";
            report.add(
                Verdict::Fail,
                check,
                format!("{url} answers {} to an unsigned webhook, not 401", a.status),
                mend,
            );
        }
        Err(e) => {
            let mend = "point the domain and its proxy at this server, path included";
            report.add(Verdict::Fail, check, e.to_string(), mend);
        }
    }
}

/// Percent-encoded for a query.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_room_is_read_from_df() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 100000 40000 2048 40% /\n";
        assert_eq!(free_mib(df), Some(2));
        assert_eq!(free_mib("df: no such file"), None);
    }

    #[test]
    fn a_clock_before_its_rows_fails() {
        let now = CLOCK_LEAST.plus(Duration::from_secs(1_000_000));
        let verdict = |now, last| {
            let mut report = Report::default();
            clock(now, last, &mut report);
            report.0[0].verdict
        };
        assert_eq!(verdict(now, Some(types::ids::first_id_of(now))), Verdict::Ok);
        assert_eq!(verdict(now, Some(types::ids::first_id_of(now.plus(Duration::from_secs(3600))))), Verdict::Fail);
        assert_eq!(verdict(Timestamp::ZERO, None), Verdict::Fail);
    }

    #[test]
    fn tokens_pass_through_a_query_unharmed() {
        assert_eq!(encoded("a b&c=ü~"), "a%20b%26c%3D%C3%BC~");
    }
}
