//! From file and environment to [`Config`], or to every mistake at once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::acts;
use super::agents;
use super::check;
use super::keys::Only;
use super::read::{Context, Reader};
use super::report::{Mistake, Place, Report};
use super::shown;
use super::tree::{self, Entry, Value};
use super::{
    Alerts, Breakers, Channel, Config, Flow, Green, Groups, Jobs, Log, LogFormat, Meta, OnUnknown, PairLimit, Send,
    Server, Store, StoreUrl, Template, Tenant, Unrouted, Webhooks,
};
use types::Secret;

/// Reads `path` (none: no file) with `env` over it. `env` is also where `${NAME}` looks.
///
/// # Errors
/// Every mistake there is, in the order of the file; never just the first.
pub fn load(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Config, Vec<Mistake>> {
    let (text, name, folder) = source(path)?;
    load_text(&text, &name, folder, env)
}

/// Only the database of it, for commands that look at nothing else: they need none of the other sections' secrets.
///
/// # Errors
/// What keeps `[store]` from being read.
pub fn load_store(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Store, Vec<Mistake>> {
    let (text, name, folder) = source(path)?;
    let (root, cx) = parsed(&text, &name, folder, env);
    let read = store(&Reader::top(&cx, &root, "store"));
    let report = cx.report.into_inner();
    match read {
        Some(store) if report.mistakes.is_empty() => Ok(store),
        _ => Err(report.mistakes),
    }
}

/// The file's text, its name, and its folder.
fn source(path: Option<&Path>) -> Result<(String, String, &Path), Vec<Mistake>> {
    let Some(path) = path else { return Ok((String::new(), "barid.toml".to_owned(), Path::new(""))) };
    let name = path.display().to_string();
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Ok((text, name, path.parent().unwrap_or_else(|| Path::new("")))),
        Ok(Err(_)) => Err(vec![whole_file(name, "is not UTF-8", "save the file as UTF-8")]),
        Err(why) => Err(vec![whole_file(
            name,
            &format!("cannot be read: {why}"),
            "create it (docs/config.md), or name another with --config FILE",
        )]),
    }
}

fn whole_file(file: String, what: &str, mend: &str) -> Mistake {
    Mistake { file, line: None, column: None, key: String::new(), what: what.to_owned(), mend: mend.to_owned() }
}

/// The tree with the environment laid over it, and what reading it needs.
fn parsed(text: &str, name: &str, folder: &Path, env: impl Iterator<Item = (String, String)>) -> (Vec<Entry>, Context) {
    let mut report = Report::new(name);
    let mut variables: Vec<(String, String)> = env.collect();
    variables.sort();
    let mut root = tree::parse(text.trim_start_matches('\u{feff}'), &mut report);
    tree::overlay(&mut root, &variables, &mut report);
    let env = variables.into_iter().collect();
    (root, Context { env, folder: folder.to_owned(), report: RefCell::new(report) })
}

/// As [`load`], from a text: `name` stands in mistakes, and relative paths begin at `folder`.
///
/// # Errors
/// Every mistake there is, in the order of the file.
pub fn load_text(
    text: &str,
    name: &str,
    folder: &Path,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Config, Vec<Mistake>> {
    let (root, cx) = parsed(text, name, folder, env);
    check::shape(&root, &mut cx.report.borrow_mut());
    let enhanced = enhanced(&cx.env, &mut cx.report.borrow_mut());
    let server = server(&Reader::top(&cx, &root, "server"));
    let store = store(&Reader::top(&cx, &root, "store"));
    let jobs = jobs(&Reader::top(&cx, &root, "jobs"));
    let send = send(&Reader::top(&cx, &root, "send"), &Reader::top(&cx, &root, "send.pair"));
    let smtp = acts::smtp(&Reader::top(&cx, &root, "smtp"));
    let breakers = breakers(&Reader::top(&cx, &root, "breakers"));
    let webhooks = webhooks(&Reader::top(&cx, &root, "webhooks"));
    let alerts = alerts(&Reader::top(&cx, &root, "alerts"), smtp.as_ref().is_some_and(Option::is_some));
    let log = log(&Reader::top(&cx, &root, "log"));
    let rates = send.as_ref().map_or((1, 1), |s| (s.rate_meta, s.rate_greenapi));
    let agents = agents::agents(&cx, &root);
    let tenants: Vec<Option<Tenant>> =
        tables(&root, "tenants").map(|(entries, at)| tenant(&cx, entries, at, rates)).collect();
    check::cross(&cx, &root);
    check::actions(&cx, &root, &tenants);
    if let Some(agents) = &agents {
        agents::cross(&cx, &root, agents);
    }

    let mut report = cx.report.into_inner();
    report.sort();
    if !report.mistakes.is_empty() {
        return Err(report.mistakes);
    }
    let config = |warnings| {
        let tenants = tenants.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Config {
            server: server?,
            store: store?,
            jobs: jobs?,
            send: send?,
            smtp: smtp?,
            breakers: breakers?,
            alerts: alerts?,
            webhooks: webhooks?,
            log: log?,
            enhanced,
            agents: agents?,
            tenants,
            warnings,
            shown: shown::shown(&root),
        })
    };
    let name = name.to_owned();
    config(report.warnings)
        .ok_or_else(|| vec![whole_file(name, "was refused without a reason", "report this as a defect of Barid")])
}

/// `WA_ENHANCED_PROCESSING`, under the name that operators know from before Barid.
fn enhanced(variables: &HashMap<String, String>, report: &mut Report) -> bool {
    const NAME: &str = "WA_ENHANCED_PROCESSING";
    let Some(text) = variables.get(NAME) else { return true };
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "true" | "1" | "yes" | "on" => true,
        "false" | "0" | "no" | "off" => false,
        _ => {
            let at = Place::Env(NAME.to_owned());
            report.mistake(
                &at,
                "",
                format!("{text:?} is neither true nor false"),
                "write false to turn all agents off",
            );
            true
        }
    }
}

/// The tables of a list, each with its place.
pub(super) fn tables<'a>(entries: &'a [Entry], key: &str) -> impl Iterator<Item = (&'a [Entry], Place)> + use<'a> {
    let items = entries.iter().find(|e| e.key == key).map(|e| &e.node.value);
    let items: &[tree::Node] = if let Some(Value::List(items)) = items { items } else { &[] };
    items.iter().filter_map(|node| match &node.value {
        Value::Table(entries) => Some((entries.as_slice(), node.at.clone())),
        _ => None,
    })
}

fn server(r: &Reader<'_>) -> Option<Server> {
    let listen = r.socket("listen");
    let public_url = r.given("public_url").map(|_| r.web("public_url"));
    let max_body = r.size("max_body");
    let max_connections = r.count("max_connections");
    let request_timeout = r.duration("request_timeout");
    let header_timeout = r.duration("header_timeout");
    let unrouted = r.choice("unrouted", &[("refuse", Unrouted::Refuse), ("store", Unrouted::Store)]);
    Some(Server {
        listen: listen?,
        public_url: optional(public_url)?,
        max_body: max_body?,
        max_connections: max_connections? as usize,
        request_timeout: request_timeout?,
        header_timeout: header_timeout?,
        unrouted: unrouted?,
    })
}

/// Given and wrong is `None`, not given is `Some(None)`.
pub(super) fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

fn store(r: &Reader<'_>) -> Option<Store> {
    let url = r.secret("url")?;
    let at = r.place_of("url");
    let text = url.expose();
    let refuse = |what: &str| {
        r.mistake(
            &at,
            "url",
            what,
            "write url = \"sqlite:barid.db\" or url = \"postgres://user:password@host/database\"",
        );
        None
    };
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Some(Store { url: StoreUrl::Postgres(Secret::new(text)), spool: spool(r)? });
    }
    let Some(file) = text.strip_prefix("sqlite:") else { return refuse("names neither sqlite: nor postgres://") };
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.is_empty() || file.contains('?') {
        return refuse("names no file");
    }
    if file.contains(":memory:") {
        return refuse("is a database in memory, which would lose what was accepted");
    }
    // An embedded database is never away without its disk.
    spool(r)?;
    let path = r.resolve(file, &at);
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty() && !f.is_dir()) {
        let shown = folder.display();
        r.mistake(&at, "url", format!("there is no folder {shown}"), format!("make it: mkdir -p {shown}"));
        return None;
    }
    Some(Store { url: StoreUrl::Sqlite(path), spool: None })
}

fn spool(r: &Reader<'_>) -> Option<Option<(PathBuf, usize)>> {
    let (file, most) = (r.text("spool")?, r.size("spool_max")?);
    Some((file != "off").then(|| (r.resolve(&file, &r.place_of("spool")), most)))
}

fn jobs(r: &Reader<'_>) -> Option<Jobs> {
    let runner_token = r.given("runner_token").map(|_| r.secret("runner_token"));
    let cron_token = r.given("cron_token").map(|_| r.secret("cron_token"));
    let retry = r.durations("retry");
    let redrive = r.durations("redrive");
    let workers = r.count("workers");
    let spans = [
        "lease",
        "turn_timeout",
        "poll",
        "janitor_every",
        "drain",
        "keep_ids",
        "keep_done_jobs",
        "keep_events",
        "session_idle",
    ];
    let [lease, turn_timeout, poll, janitor_every, drain, keep_ids, keep_done_jobs, keep_events, session_idle] =
        spans.map(|key| r.duration(key));
    let retry = retry?;
    Some(Jobs {
        runner_token: optional(runner_token)?,
        cron_token: optional(cron_token)?,
        max_attempts: u32::try_from(retry.len()).unwrap_or(u32::MAX).saturating_add(1),
        retry,
        workers: workers? as usize,
        lease: lease?,
        turn_timeout: turn_timeout?,
        poll: poll?,
        redrive: redrive?,
        janitor_every: janitor_every?,
        drain: drain?,
        keep_ids: keep_ids?,
        session_idle: session_idle?,
        keep_done_jobs: keep_done_jobs?,
        keep_events: keep_events?,
    })
}

fn send(r: &Reader<'_>, pair: &Reader<'_>) -> Option<Send> {
    let retry = r.durations("retry");
    let [reconcile, reconcile_greenapi, timeout, probe_every]: [Option<Duration>; 4] =
        ["reconcile", "reconcile_greenapi", "timeout", "probe_every"].map(|key| r.duration(key));
    let on_unknown = r.choice("on_unknown", &[("resend", OnUnknown::Resend), ("hold", OnUnknown::Hold)]);
    let [rate_meta, rate_greenapi] = ["rate_meta", "rate_greenapi"].map(|key| r.count(key));
    let [mark_read, typing, allow_private] = ["mark_read", "typing", "allow_private"].map(|key| r.flag(key));
    let (every, burst) = (pair.duration("every"), pair.count("burst"));
    Some(Send {
        retry: retry?,
        reconcile: reconcile?,
        reconcile_greenapi: reconcile_greenapi?,
        on_unknown: on_unknown?,
        timeout: timeout?,
        probe_every: probe_every?,
        rate_meta: rate_meta?,
        rate_greenapi: rate_greenapi?,
        pair: PairLimit { every: every?, burst: burst? },
        mark_read: mark_read?,
        typing: typing?,
        allow_private: allow_private?,
    })
}

fn breakers(r: &Reader<'_>) -> Option<Breakers> {
    let (failures, open, open_max) = (r.count("failures"), r.duration("open"), r.duration("open_max"));
    Some(Breakers { failures: failures?, open: open?, open_max: open_max? })
}

fn alerts(r: &Reader<'_>, mail: bool) -> Option<Alerts> {
    let [webhook, webhook_secret, slack] =
        ["webhook", "webhook_secret", "slack"].map(|key| optional(r.given(key).map(|_| r.secret(key))));
    if let (Some(Some(_)), Some(None)) = (&webhook, &webhook_secret) {
        let what = "is missing: without it nobody can tell that the news comes from Barid";
        r.mistake(&r.place_of("webhook"), "webhook_secret", what, "write webhook_secret = \"${ALERT_SECRET}\"");
    }
    let email = r.texts("email");
    if email.as_ref().is_some_and(|to| !to.is_empty()) && !mail {
        let mend = "write host = \"mail.example.com\" under [smtp]";
        r.mistake(&r.place_of("email"), "email", "needs a mail server, and [smtp] names none", mend);
    }
    let (every, p95) = (r.duration("every"), r.duration("processing_p95"));
    let [stuck, dead_letters, disk_free] = ["stuck_conversations", "dead_letters", "disk_free"].map(|key| r.count(key));
    Some(Alerts {
        webhook: webhook?.zip(webhook_secret?),
        slack: slack?,
        email: email?,
        every: every?,
        stuck: stuck?,
        dead_letters: dead_letters?,
        processing_p95: p95?,
        disk_free: disk_free?,
    })
}

fn webhooks(r: &Reader<'_>) -> Option<Webhooks> {
    let key = optional(r.given("key").map(|_| r.secret("key")));
    let (every, timeout) = (r.duration("every"), r.duration("timeout"));
    Some(Webhooks { key: key?, every: every?, timeout: timeout? })
}

fn log(r: &Reader<'_>) -> Option<Log> {
    let format = r.choice("format", &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)]);
    let level = r.text_that("level", check::log_filter, "\"info\"");
    let message_text = r.flag("message_text");
    Some(Log { format: format?, level: level?, message_text: message_text? })
}

fn tenant(cx: &Context, entries: &[Entry], at: Place, rates: (u32, u32)) -> Option<Tenant> {
    let r = Reader::new(cx, "tenants", entries, at);
    let slug = r.text_that("slug", check::slug, "\"alain\"");
    let business = r.text("business");
    let assistant = r.text("assistant");
    let language = r.text_that("language", check::language, "\"en\"");
    let flow = flow(&r);
    let services = r.texts("services");
    let region = r.given("region").map(|_| r.text_that("region", check::region, "\"AE\""));
    let timezone = r.text_that("timezone", check::timezone, "\"Asia/Dubai\"");
    let pause = r.duration("pause");
    let groups = r.choice("groups", &[("ignore", Groups::Ignore), ("answer", Groups::Answer)]);
    let gather = r.count("gather_ms");
    let hours = acts::hours(cx, entries, timezone.as_deref());
    let (intents, actions) = (acts::intents(cx, entries), acts::actions(cx, entries));
    let staff = agents::staff(cx, &r, entries);
    let channels: Vec<Option<Channel>> =
        tables(entries, "channels").map(|(entries, at)| channel(cx, entries, at, rates)).collect();
    Some(Tenant {
        slug: slug?,
        business: business?,
        assistant: assistant?,
        language: language?,
        flow: flow?,
        services: services?,
        region: optional(region)?,
        timezone: timezone?,
        pause: pause?,
        groups: groups?,
        gather: Duration::from_millis(gather?.into()),
        hours: hours?,
        intents: intents?,
        actions: actions?,
        staff: staff?,
        channels: channels.into_iter().collect::<Option<_>>()?,
    })
}

pub(super) fn flow(r: &Reader<'_>) -> Option<Flow> {
    let name = r.text("flow")?;
    if name == "default" {
        return Some(Flow::Default);
    }
    let at = r.place_of("flow");
    let path: PathBuf = r.resolve(&name, &at);
    if !path.is_file() {
        r.mistake(
            &at,
            "flow",
            format!("there is no file {}", path.display()),
            "write flow = \"default\", or the path of a flow file",
        );
        return None;
    }
    if let Err((line, what, mend)) = read_flow(&path) {
        r.mistake_in(path.display().to_string(), line, what, mend);
        return None;
    }
    Some(Flow::File(path))
}

/// A flow file; else the line, what is wrong and the mend.
fn read_flow(path: &Path) -> Result<engine::Flow, (Option<usize>, String, String)> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|e| (None, format!("cannot be read: {e}"), "make it a file of UTF-8 text".to_owned()))?;
    engine::Flow::from_toml(&text).map_err(|e| (Some(e.line), e.what, e.mend))
}

/// The keys of a flow's questions.
pub(super) fn keys(flow: &Flow) -> Vec<String> {
    let flow = match flow {
        Flow::Default => engine::Flow::default_flow(),
        Flow::File(path) => read_flow(path).unwrap_or_default(),
    };
    flow.keys().map(str::to_owned).collect()
}

fn channel(cx: &Context, entries: &[Entry], at: Place, rates: (u32, u32)) -> Option<Channel> {
    let r = Reader::new(cx, "tenants.channels", entries, at);
    let only = r.choice("kind", &[("meta", Only::Meta), ("greenapi", Only::Green)])?;
    let r = r.of(only);
    match only {
        Only::Meta | Only::Any => meta(&r, rates.0).map(Channel::Meta),
        Only::Green => green(&r, rates.1).map(Channel::Green),
    }
}

fn meta(r: &Reader<'_>, rate: u32) -> Option<Meta> {
    let phone_number_id = r.text_that("phone_number_id", check::digits, "\"105500000000001\"");
    let verify_token = r.secret("verify_token");
    let app_secrets = r.secrets("app_secret");
    let access_token = r.secret("access_token");
    let api_base = r.web("api_base");
    let api_version = r.text_that("api_version", check::graph_version, "\"v25.0\"");
    let own_rate = r.given("rate").map(|_| r.count("rate"));
    let template = r.given("template").map(|_| r.text("template"));
    let language = r.text("template_language");
    let name = optional(template)?;
    Some(Meta {
        phone_number_id: phone_number_id?,
        verify_token: verify_token?,
        app_secrets: app_secrets?,
        access_token: access_token?,
        api_base: api_base?,
        api_version: api_version?,
        rate: optional(own_rate)?.unwrap_or(rate),
        template: name.zip(language).map(|(name, language)| Template { name, language }),
    })
}

fn green(r: &Reader<'_>, rate: u32) -> Option<Green> {
    let instance = r.text_that("instance", check::digits, "\"1101000001\"");
    let api_token = r.secret("api_token");
    let webhook_token = r.secret("webhook_token");
    let api_base = r.web("api_base");
    let own_rate = r.given("rate").map(|_| r.count("rate"));
    Some(Green {
        instance: instance?,
        api_token: api_token?,
        webhook_token: webhook_token?,
        api_base: api_base?,
        rate: optional(own_rate)?.unwrap_or(rate),
    })
}
