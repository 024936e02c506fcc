//! What follows from a message (S3.4, S3.5, S3.10): a tenant's intents, actions and office hours, and the mail server.

use std::time::Duration;

use engine::TenantIntent;
use net::{MailServer, MailTls};
use types::http::Method;
use types::{ActionKind, OnDoubt, Priority, Secret};

use super::check;
use super::load::{optional, tables};
use super::read::{Context, Reader};
use super::report::Place;
use super::tree::{Entry, Value};
use super::values::nearest;

/// The section of one action; `NAME` stands for its name.
const ACTION: &str = "tenants.actions.NAME";

/// One action of a tenant.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// What it does.
    pub settings: acts::ActionSettings,
}

/// `[smtp]`; `None`: no mail.
pub(super) fn smtp(r: &Reader<'_>) -> Option<Option<MailServer>> {
    if r.given("host").is_none() {
        for key in ["from", "user", "password"] {
            if r.given(key).is_some() {
                r.mistake(&r.place_of(key), "host", "is missing", "write host = \"mail.example.com\"");
                return None;
            }
        }
        return Some(None);
    }
    let host = r.text("host");
    let port = r.count("port");
    let tls = r.choice("tls", &[("starttls", MailTls::StartTls), ("tls", MailTls::Tls), ("none", MailTls::None)]);
    let user = r.given("user").map(|_| r.text("user"));
    let password = r.given("password").map(|_| r.secret("password"));
    if r.given("from").is_none() {
        r.mistake(r.place(), "from", "is missing", "write from = \"Al Ain Business Center <bot@example.com>\"");
    }
    let from = r.given("from").and_then(|_| r.text("from"));
    let (user, password) = (optional(user)?, optional(password)?);
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        _ => {
            r.mistake(r.place(), "password", "and user belong together", "write both, or neither");
            return None;
        }
    };
    let port = u16::try_from(port?).ok()?;
    let server = MailServer { host: host?, port, tls: tls?, login, from: from? };
    if let Err(error) = net::Mailer::new(server.clone()) {
        r.mistake(
            &r.place_of("from"),
            "from",
            error.to_string(),
            "write from = \"Al Ain Business Center <bot@example.com>\"",
        );
        return None;
    }
    Some(Some(server))
}

/// `[[tenants.intents]]`
pub(super) fn intents(cx: &Context, entries: &[Entry]) -> Option<Vec<TenantIntent>> {
    let all: Vec<_> = tables(entries, "intents").map(|(entries, at)| intent(cx, entries, at)).collect();
    all.into_iter().collect()
}

fn intent(cx: &Context, entries: &[Entry], at: Place) -> Option<TenantIntent> {
    let r = Reader::new(cx, "tenants.intents", entries, at);
    let name = r.text_that("name", word, "\"BOOK_ROOM\"");
    let phrases = r.texts("phrases");
    let [reply, reply_ar, title] = ["reply", "reply_ar", "title"].map(|key| r.given(key).map(|_| r.text(key)));
    let actions = r.given("actions").map(|_| r.texts("actions"));
    let (priority, floor) = (r.count("priority"), r.count("floor"));
    let (name, phrases) = (name?, phrases?);
    if engine::Intent::parse(&name).is_none() && phrases.len() < 3 {
        let what = format!("{} of {name:?} are too few to learn from", phrases.len());
        r.mistake(&r.place_of("phrases"), "phrases", what, "write five or more, as people would say it");
        return None;
    }
    Some(TenantIntent {
        name,
        phrases,
        reply: optional(reply)?,
        reply_ar: optional(reply_ar)?,
        actions: optional(actions)?,
        title: optional(title)?,
        priority: i32::try_from(priority?).unwrap_or(i32::MAX),
        floor: floor? as f32 / 100.0,
    })
}

/// A name of an intent: it stands in metrics and rows.
fn word(text: &str) -> Result<(), String> {
    let fits = text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if fits && text.len() <= 40 {
        Ok(())
    } else {
        Err(format!("{text:?} is not 1 to 40 capital letters, digits and \"_\""))
    }
}

/// `[tenants.actions.NAME]`
pub(super) fn actions(cx: &Context, entries: &[Entry]) -> Option<Vec<Action>> {
    let Some(entry) = entries.iter().find(|e| e.key == "actions") else { return Some(Vec::new()) };
    let Value::Table(entries) = &entry.node.value else { return None };
    let one = |entry: &Entry| match &entry.node.value {
        Value::Table(keys) => action(cx, &entry.key, keys, entry.at.clone()),
        _ => None,
    };
    let all: Vec<_> = entries.iter().map(one).collect();
    all.into_iter().collect()
}

fn action(cx: &Context, name: &str, entries: &[Entry], at: Place) -> Option<Action> {
    let r = Reader::new(cx, ACTION, entries, at);
    let kinds: Vec<(&str, ActionKind)> = ActionKind::ALL.iter().map(|k| (k.as_str(), *k)).collect();
    let kind = match (r.given("kind"), name.parse::<ActionKind>()) {
        (Some(_), _) => r.choice("kind", &kinds),
        (None, Ok(kind)) => Some(kind),
        (None, Err(_)) => Some(ActionKind::Http),
    };
    let usual = acts::ActionSettings::usual(kind.unwrap_or(ActionKind::Http));
    let priorities: Vec<(&str, Priority)> = Priority::ALL.iter().map(|p| (p.as_str(), *p)).collect();
    let priority = r.given("priority").map(|_| r.choice("priority", &priorities));
    let assign = r.given("assign").map(|_| r.text_that("assign", assignee, "\"team:sales\""));
    let due = r.given("due").map(|_| r.duration("due"));
    let email = r.texts("email");
    let slack = slack(&r);
    let http = http(&r);
    let retry = r.durations("retry");
    let on_doubt = r.choice("on_doubt", &[("again", OnDoubt::Again), ("hold", OnDoubt::Hold)]);
    let timeout = r.duration("timeout");
    let assigned_to = optional(assign)?.map_or(usual.assigned_to, |text| {
        let (kind, who) = text.split_once(':').unwrap_or(("team", &text));
        (kind.to_owned(), who.to_owned())
    });
    let settings = acts::ActionSettings {
        kind: kind?,
        priority: optional(priority)?.unwrap_or(usual.priority),
        assigned_to,
        due: optional(due)?.or(usual.due),
        email: email?,
        slack: slack?,
        http: http?,
        retry: retry?,
        on_doubt: on_doubt?,
        timeout: timeout?,
    };
    Some(Action { name: name.to_owned(), settings })
}

fn assignee(text: &str) -> Result<(), String> {
    let fits = matches!(text.split_once(':'), Some(("team" | "role" | "user", who)) if !who.trim().is_empty());
    if fits { Ok(()) } else { Err(format!("{text:?} names neither a team, a role nor a user")) }
}

fn slack(r: &Reader<'_>) -> Option<Option<acts::SlackSettings>> {
    let webhook = r.given("slack_webhook").map(|_| r.secret("slack_webhook"));
    let token = r.given("slack_token").map(|_| r.secret("slack_token"));
    let channel = r.given("slack_channel").map(|_| r.text("slack_channel"));
    let base = r.web("slack_base");
    let (webhook, token, channel) = (optional(webhook)?, optional(token)?, optional(channel)?);
    match (webhook, token, channel) {
        (None, None, None) => Some(None),
        (Some(url), None, None) => Some(Some(acts::SlackSettings::Webhook(url))),
        (None, Some(token), Some(channel)) => Some(Some(acts::SlackSettings::Chat { token, channel, base: base? })),
        _ => {
            let what = "tells Slack in two ways, or in half a way";
            r.mistake(r.place(), "slack_webhook", what, "write slack_webhook, or slack_token and slack_channel");
            None
        }
    }
}

const METHODS: [(&str, Method); 5] = [
    ("GET", Method::Get),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
];

fn http(r: &Reader<'_>) -> Option<Option<acts::HttpSettings>> {
    if r.given("url").is_none() {
        for key in ["method", "headers", "body", "compensate_url", "compensate_body", "compensate_method"] {
            if r.given(key).is_some() {
                r.mistake(&r.place_of(key), key, "belongs to a url", "write url = \"https://crm.example.com/orders\"");
                return None;
            }
        }
        return Some(None);
    }
    let url = r.text_that("url", check::template_address, "\"https://crm.example.com/orders\"");
    let method = r.choice("method", &METHODS);
    let headers = r.headers("headers");
    let body = |key: &'static str| r.given(key).map(|_| r.text_that(key, body_text, "'{\"name\": \"{name}\"}'"));
    let (sent, undone) = (body("body"), body("compensate_body"));
    let key_header = r.text("idempotency_header");
    let compensate_url = r.given("compensate_url").map(|_| {
        r.text_that("compensate_url", check::template_address, "\"https://crm.example.com/orders/{result.id}\"")
    });
    let compensate_method = r.choice("compensate_method", &METHODS);
    let (undone, compensate_method) = (optional(undone)?, compensate_method?);
    let compensate =
        optional(compensate_url)?.map(|url| acts::Compensate { url, method: compensate_method, body: undone });
    Some(Some(acts::HttpSettings {
        url: url?,
        method: method?,
        headers: headers?,
        body: optional(sent)?,
        key_header: key_header?,
        compensate,
    }))
}

fn body_text(text: &str) -> Result<(), String> {
    acts::check_json(text).map_err(|e| e.0)
}

/// `[tenants.hours]`; `None`: always open.
pub(super) fn hours(cx: &Context, entries: &[Entry], timezone: Option<&str>) -> Option<Option<engine::Hours>> {
    let Some(entry) = entries.iter().find(|e| e.key == "hours") else { return Some(None) };
    let Value::Table(days) = &entry.node.value else { return None };
    let r = Reader::new(cx, "tenants.hours", days, entry.at.clone());
    let texts = DAYS.map(|day| r.text(day));
    let mut given: [String; 7] = Default::default();
    for (place, text) in given.iter_mut().zip(texts) {
        *place = text?;
    }
    let zone = timezone?;
    for (n, day) in DAYS.iter().enumerate() {
        let mut one: [String; 7] = Default::default();
        one[n].clone_from(&given[n]);
        if let Err(error) = engine::Hours::new(zone, &one) {
            r.mistake(&r.place_of(day), day, error.to_string(), format!("write {day} = \"09:00-18:00\""));
            return None;
        }
    }
    engine::Hours::new(zone, &given).ok().map(Some)
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What no key of an action or an intent can see alone, whatever else is wrong in the file: actions that are not there, places that nothing
/// fills, mail without a server, addresses that may not be called.
pub(super) fn known(cx: &Context, tenant: &[Entry], reach: &check::Reach) {
    let flow = Reader::new(cx, "tenants", tenant, Place::Nowhere).quietly();
    let asked = super::load::flow(&flow).map(|flow| super::load::keys(&flow)).unwrap_or_default();
    let actions: Vec<&Entry> = match tenant.iter().find(|e| e.key == "actions").map(|e| &e.node.value) {
        Some(Value::Table(actions)) => actions.iter().collect(),
        _ => Vec::new(),
    };
    for entry in &actions {
        if let Value::Table(keys) = &entry.node.value {
            action_beside(&Reader::new(cx, ACTION, keys, entry.at.clone()), &asked, reach);
        }
    }
    for (entries, at) in tables(tenant, "intents") {
        let r = Reader::new(cx, "tenants.intents", entries, at);
        for key in ["reply", "reply_ar"] {
            let text = r.given(key).and_then(|_| r.quiet().text(key)).unwrap_or_default();
            if let Err((what, mend)) = engine::check_text(&text) {
                r.mistake(&r.place_of(key), key, what, mend);
            }
        }
        for name in r.given("actions").and_then(|_| r.quiet().texts("actions")).iter().flatten() {
            if !actions.iter().any(|a| a.key == *name) && name.parse::<ActionKind>().is_err() {
                let what = format!("asks for {name:?}, and there is no such action");
                r.mistake(&r.place_of("actions"), "actions", what, format!("add [tenants.actions.{name}]"));
            }
        }
    }
}

fn action_beside(r: &Reader<'_>, asked: &[String], reach: &check::Reach) {
    let quiet = r.quiet();
    if !reach.mail && quiet.texts("email").is_some_and(|to| !to.is_empty()) {
        let mend = "write host = \"mail.example.com\" under [smtp]";
        r.mistake(&r.place_of("email"), "email", "needs a mail server, and [smtp] names none", mend);
    }
    let text = |key: &str| r.given(key).and_then(|_| quiet.text(key));
    for key in ["url", "compensate_url", "slack_base"] {
        reach.check(r, key, text(key));
    }
    reach.check(
        r,
        "slack_webhook",
        r.given("slack_webhook").and_then(|_| quiet.secret("slack_webhook")).map(|s| s.expose().to_owned()),
    );
    for key in ["url", "body", "compensate_url", "compensate_body"] {
        let template = text(key).unwrap_or_default();
        let filled = |place: &&str| {
            ::acts::PLACES.contains(place)
                || asked.iter().any(|key| key == place)
                || key.starts_with("compensate") && place.starts_with("result.")
        };
        for place in ::acts::places(&template).filter(|place| !filled(place)) {
            let like = nearest(place, ::acts::PLACES.iter().copied().chain(asked.iter().map(String::as_str)));
            let mend = like.map_or_else(
                || "use what the flow asks for, or one of {name} {phone} {service} {message} {title}".to_owned(),
                |like| format!("did you mean {{{like}}}?"),
            );
            r.mistake(&r.place_of(key), key, format!("{{{place}}} is no place that can be filled"), mend);
        }
    }
}

/// The longest attempt of an action: shorter than a lease, or two nodes would do the same step.
pub(super) fn longest(actions: &[Action]) -> Duration {
    actions.iter().map(|a| a.settings.timeout).max().unwrap_or_default()
}

/// Secrets that stand in headers, by name.
pub(super) type Headers = Vec<(String, Secret)>;
