//! What no key can see alone: names that do not exist, a lease shorter than the work that it covers, a number given twice. And the rules of a
//! few texts (slug, language, country).

use std::collections::HashMap;
use std::time::Duration;

use super::Tenant;
use super::keys::{KEYS, Key, Kind, Only};
use super::load::tables;
use super::read::{Context, Reader};
use super::report::{Place, Report};
use super::tree::{Entry, LISTS, NAMED, Value};
use super::values::{is_loopback, is_private, nearest, spell};

/// Finds keys that nobody knows, and tables of the wrong shape.
pub(super) fn shape(root: &[Entry], report: &mut Report) {
    table(root, "", Only::Any, report);
}

fn table(entries: &[Entry], section: &str, only: Only, report: &mut Report) {
    for entry in entries {
        let path = match section {
            "" => entry.key.clone(),
            NAMED if !name(&entry.key) => {
                let what = format!("{:?} is no name: 1 to 40 small letters, digits and \"_\"", entry.key);
                report.mistake(&entry.at, section, what, "write [tenants.actions.create_order], or a name of your own");
                continue;
            }
            NAMED => format!("{NAMED}.NAME"),
            _ => format!("{section}.{}", entry.key),
        };
        let rows: Vec<&Key> = KEYS.iter().filter(|k| k.path == path).collect();
        if let Some(row) = rows.first() {
            let fits = only == Only::Any || rows.iter().any(|r| r.only == Only::Any || r.only == only);
            if !fits {
                let (of, not) = if row.only == Only::Meta { ("meta", "greenapi") } else { ("greenapi", "meta") };
                let what = format!("belongs to kind = \"{of}\", and this is \"{not}\"");
                report.mistake(&entry.at, &path, what, "remove it, or change kind");
            }
        } else if KEYS.iter().any(|k| k.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with('.'))) {
            subtable(entry, &path, report);
        } else {
            let mend = suggestion(&entry.key, section, only);
            report.mistake(&entry.at, &path, "is no key of Barid", mend);
        }
    }
}

fn subtable(entry: &Entry, path: &str, report: &mut Report) {
    match (&entry.node.value, LISTS.contains(&path)) {
        (Value::Table(entries), false) => table(entries, path, Only::Any, report),
        (Value::List(items), true) => {
            for item in items {
                match &item.value {
                    Value::Table(entries) => table(entries, path, channel_kind(entries), report),
                    other => report.mistake(
                        &item.at,
                        path,
                        format!("is {}", other.name()),
                        format!("begin it with [[{path}]]"),
                    ),
                }
            }
        }
        (other, true) => {
            report.mistake(
                &entry.at,
                path,
                format!("is {}, and must be a list of tables", other.name()),
                format!("begin each with [[{path}]]"),
            );
        }
        (other, false) => {
            report.mistake(
                &entry.at,
                path,
                format!("is {}, and must be a table", other.name()),
                format!("begin it with [{path}]"),
            );
        }
    }
}

/// An action's name stands in rows, metrics and breakers.
fn name(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// S3.6: a step that outlives its lease would be done by two nodes.
pub(super) fn actions(cx: &Context, root: &[Entry], tenants: &[Option<Tenant>]) {
    let lease = Reader::top(cx, root, "jobs").quietly().duration("lease");
    for tenant in tenants.iter().flatten() {
        let longest = super::acts::longest(&tenant.actions);
        if let Some(lease) = lease.filter(|lease| *lease <= longest * 2) {
            let what = format!(
                "{} is less than twice the longest timeout of an action of {:?} ({})",
                spell(lease),
                tenant.slug,
                spell(longest)
            );
            let mend = format!(
                "write lease = \"{}\" or more, or shorten that timeout",
                spell(longest * 2 + Duration::from_secs(1))
            );
            cx.report.borrow_mut().mistake(&Place::Nowhere, "jobs.lease", what, mend);
        }
    }
}

/// An http(s) address with places after its host: a value must never choose whom we call.
pub(super) fn template_address(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else { return Err("does not begin with https:// or http://".to_owned()) };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.contains(['{', '}', '@']) || text.contains(char::is_whitespace) {
        return Err("has no proper host: places may stand behind it only".to_owned());
    }
    Ok(())
}

fn channel_kind(entries: &[Entry]) -> Only {
    match entries.iter().find(|e| e.key == "kind").map(|e| &e.node.value) {
        Some(Value::Text(kind)) if kind == "meta" => Only::Meta,
        Some(Value::Text(kind)) if kind == "greenapi" => Only::Green,
        _ => Only::Any,
    }
}

/// The key that was probably meant: one of this section, or the same word in another.
fn suggestion(key: &str, section: &str, only: Only) -> String {
    let of = |row: &Key| only == Only::Any || row.only == Only::Any || row.only == only;
    let inside = |path: &'static str| match section {
        "" => path.split('.').next(),
        _ => path.strip_prefix(section)?.strip_prefix('.')?.split('.').next(),
    };
    let here = KEYS.iter().filter(|row| of(row)).filter_map(|row| inside(row.path));
    if let Some(like) = nearest(key, here) {
        return format!("did you mean {like}?");
    }
    let elsewhere = KEYS.iter().find_map(|row| row.path.rsplit_once('.').filter(|(_, name)| *name == key));
    elsewhere.map_or_else(
        || "remove it; docs/config.md lists every key".to_owned(),
        |(section, name)| format!("{name} belongs into [{section}]"),
    )
}

/// Checks that need more than one key. Runs over readers that say nothing, since each key's own mistakes have been said.
pub(super) fn cross(cx: &Context, root: &[Entry]) {
    let jobs = Reader::top(cx, root, "jobs").quietly();
    let send = Reader::top(cx, root, "send").quietly();
    lease(cx, &jobs, &send);
    timing(&Reader::top(cx, root, "server").quietly(), &jobs, &send);
    tokens(&jobs);
    let server = Reader::top(cx, root, "server").quietly();
    if let Some(url) = server.web("public_url").filter(|url| url.starts_with("http://") && !is_loopback(url)) {
        let mend = format!("write public_url = \"https://{}\"", &url["http://".len()..]);
        server.warning(&server.place_of("public_url"), "public_url", "is not https: Meta calls https only", mend);
    }
    let log = Reader::top(cx, root, "log").quietly();
    if log.flag("message_text") == Some(true) {
        let what = "puts what people write into the logs";
        log.warning(
            &log.place_of("message_text"),
            "message_text",
            what,
            "write message_text = false unless you are looking for a fault",
        );
    }
    tenants(cx, root);
}

/// S2.2: a lease that ends while its work still goes on would let a second worker in. The fence would stop the first from
/// writing, but its work, and perhaps its send, would be lost time after time.
fn lease(cx: &Context, jobs: &Reader<'_>, send: &Reader<'_>) {
    let times = (jobs.duration("lease"), jobs.duration("turn_timeout"), send.duration("timeout"));
    let (Some(lease), Some(turn), Some(timeout)) = times else { return };
    let work = turn + timeout;
    if lease > work {
        return;
    }
    let [at, turn_at, timeout_at] = [jobs.place_of("lease"), jobs.place_of("turn_timeout"), send.place_of("timeout")];
    let what = format!(
        "{} ({at}) is not longer than [jobs] turn_timeout = {} ({turn_at}) and [send] timeout = {} ({timeout_at}) together",
        spell(lease),
        spell(turn),
        spell(timeout),
    );
    let mend = format!("write lease = \"{}\" or more, or shorten the other two", spell(work + Duration::from_secs(10)));
    // The line to show is one that the file has: when the lease is the default, the value that is too long for it.
    let first = [&at, &turn_at, &timeout_at].into_iter().find(|p| **p != Place::Nowhere).unwrap_or(&at);
    cx.report.borrow_mut().mistake(first, "jobs.lease", what, mend);
}

fn timing(server: &Reader<'_>, jobs: &Reader<'_>, send: &Reader<'_>) {
    let short = |r: &Reader<'_>, key: &str, least: Duration| {
        r.duration(key).filter(|d| *d < least).map(|d| (spell(d), r.place_of(key)))
    };
    if let Some((d, at)) = short(send, "reconcile", Duration::from_secs(10)) {
        let what =
            format!("{d} is short: receipts of Meta take seconds, so that messages which arrived may be sent again");
        send.warning(&at, "reconcile", what, "write reconcile = \"60s\"");
    }
    if let Some((d, at)) = short(send, "reconcile_greenapi", Duration::from_mins(2)) {
        let what = format!(
            "{d} is short: Green API's journal lags by up to 2 minutes, so that messages which arrived may be sent again"
        );
        send.warning(&at, "reconcile_greenapi", what, "write reconcile_greenapi = \"180s\"");
    }
    if let Some((d, at)) = short(server, "request_timeout", Duration::from_secs(31)) {
        let what = format!("{d} cuts off callers who ask to wait 30 s for the outcome (Prefer: wait)");
        server.warning(&at, "request_timeout", what, "write request_timeout = \"40s\"");
    }
    if let (Some(drain), Some(turn)) = (jobs.duration("drain"), jobs.duration("turn_timeout"))
        && drain < turn
    {
        let what = format!(
            "{} is shorter than turn_timeout ({}): a stopping node cuts turns off, and another repeats them",
            spell(drain),
            spell(turn)
        );
        jobs.warning(&jobs.place_of("drain"), "drain", what, format!("write drain = \"{}\"", spell(turn)));
    }
}

fn tokens(jobs: &Reader<'_>) {
    for key in ["runner_token", "cron_token"] {
        let length = jobs.given(key).and_then(|_| jobs.secret(key)).map_or(usize::MAX, |s| s.expose().chars().count());
        if length < 16 {
            let what = format!("has {length} characters and can be guessed");
            jobs.warning(&jobs.place_of(key), key, what, "use 32 random characters: openssl rand -hex 16");
        }
    }
}

fn tenants(cx: &Context, root: &[Entry]) {
    let mut seen = Seen::default();
    let mut any = false;
    let reach = Reach {
        mail: Reader::top(cx, root, "smtp").given("host").is_some(),
        private: Reader::top(cx, root, "send").quietly().flag("allow_private") == Some(true),
    };
    let alerts = Reader::top(cx, root, "alerts");
    for key in ["webhook", "slack"] {
        reach.check(
            &alerts,
            key,
            alerts.given(key).and_then(|_| alerts.quiet().secret(key)).map(|s| s.expose().to_owned()),
        );
    }
    for (entries, at) in tables(root, "tenants") {
        any = true;
        super::acts::known(cx, entries, &reach);
        let tenant = Reader::new(cx, "tenants", entries, at).quietly();
        let slug = tenant.text("slug").unwrap_or_default();
        seen.once(cx, &tenant, "slug", &slug, &slug);
        let mut channels = 0;
        for (entries, at) in tables(entries, "channels") {
            channels += 1;
            let only = channel_kind(entries);
            let r = Reader::new(cx, "tenants.channels", entries, at).of(only).quietly();
            for key in ["phone_number_id", "instance"] {
                seen.once(cx, &r, key, &r.text(key).unwrap_or_default(), &slug);
            }
            clear_text(&r);
            plain_secrets(&r, "tenants.channels.");
        }
        if channels == 0 {
            tenant.warning(
                tenant.place(),
                "channels",
                "has none: this tenant hears nobody",
                "add [[tenants.channels]]",
            );
        }
    }
    if !any {
        cx.report.borrow_mut().warning(
            &Place::Nowhere,
            "tenants",
            "there are none: every webhook is refused",
            "add [[tenants]]",
        );
    }
}

/// What calls outside may use.
pub(super) struct Reach {
    /// There is a mail server.
    pub(super) mail: bool,
    /// Addresses of this machine and network may be called.
    private: bool,
}

impl Reach {
    /// S7.3: an address that would be refused at every call is a mistake now.
    pub(super) fn check(&self, r: &Reader<'_>, key: &str, address: Option<String>) {
        if address.is_some_and(|address| !self.private && is_private(&address)) {
            let what = "is an address of this machine or network, and calls there are refused";
            r.mistake(&r.place_of(key), key, what, "write allow_private = true under [send], or a public address");
        }
    }
}

#[derive(Default)]
struct Seen(HashMap<(&'static str, String), (Place, String)>);

impl Seen {
    /// S1.2, S7.1: a slug, a number or an instance belongs to one tenant, since it is how a webhook finds its tenant.
    fn once(&mut self, cx: &Context, r: &Reader<'_>, key: &'static str, value: &str, slug: &str) {
        if value.is_empty() {
            return;
        }
        let at = r.place_of(key);
        let Some((first, owner)) = self.0.get(&(key, value.to_owned())) else {
            self.0.insert((key, value.to_owned()), (at, slug.to_owned()));
            return;
        };
        let of = if owner == slug { String::new() } else { format!(", by tenant {owner:?}") };
        let what = format!("{value:?} is already taken at {first}{of}");
        let mend = if key == "slug" {
            "give each tenant its own slug"
        } else {
            "list it once, under the tenant that it belongs to"
        };
        cx.report.borrow_mut().mistake(&at, &r.path(key), what, mend);
    }
}

fn clear_text(r: &Reader<'_>) {
    let Some(base) = r.web("api_base") else { return };
    if base.starts_with("http://") && !is_loopback(&base) {
        let what = "is not https: the token travels readable";
        r.warning(&r.place_of("api_base"), "api_base", what, "write an https:// address");
    }
}

/// S7.2: a secret in the file is a secret in its backups and in version control.
pub(super) fn plain_secrets(r: &Reader<'_>, section: &str) {
    for row in KEYS.iter().filter(|k| matches!(k.kind, Kind::Secret | Kind::Secrets)) {
        let Some(key) = row.path.strip_prefix(section) else { continue };
        let Some(node) = r.given(key) else { continue };
        let items = if let Value::List(items) = &node.value { items.as_slice() } else { std::slice::from_ref(node) };
        for item in items.iter().filter(|item| !matches!(item.at, Place::Env(_))) {
            if matches!(&item.value, Value::Text(text) if !text.contains("${")) {
                r.warning(
                    &item.at,
                    key,
                    "is written into the file itself",
                    format!("write {key} = {} or {{ file = \"…\" }}", row.example),
                );
            }
        }
    }
}

/// A slug stands in URLs, commands and file names.
pub(super) fn slug(text: &str) -> Result<(), String> {
    let letters = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !letters || text.starts_with('-') || text.len() > 40 {
        return Err(format!("{text:?} is not 1 to 40 small letters, digits and \"-\""));
    }
    Ok(())
}

/// A name of an agent, a provider or an experiment: it stands in rows, metrics, breakers and switches.
pub(super) fn known_name(text: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if text.len() > 40 || text == "flow" || !text.bytes().all(fits) {
        return Err(format!("{text:?} is no name: 1 to 40 small letters, digits, \"_\" and \"-\", and not \"flow\""));
    }
    Ok(())
}

/// A tag of a language that Barid speaks: `en`, `ar`, `en-GB`.
pub(super) fn language(text: &str) -> Result<(), String> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let rest = parts.all(|p| (2..=8).contains(&p.len()) && p.chars().all(|c| c.is_ascii_alphanumeric()));
    if !(2..=3).contains(&first.len()) || !first.chars().all(|c| c.is_ascii_lowercase()) || !rest {
        return Err(format!("{text:?} is not a language tag"));
    }
    if !matches!(first, "en" | "ar") {
        return Err(format!("{text:?} is neither English (\"en\") nor Arabic (\"ar\"), which are what Barid speaks"));
    }
    Ok(())
}

/// A country: two capital letters.
pub(super) fn region(text: &str) -> Result<(), String> {
    if !engine::understand::is_region(text) {
        return Err(format!("{text:?} is not a country of two capital letters"));
    }
    Ok(())
}

pub(super) fn timezone(text: &str) -> Result<(), String> {
    jiff::tz::TimeZone::get(text).map(|_| ()).map_err(|_| format!("{text:?} is no time zone that this machine knows"))
}

/// Ids of Meta and Green API are numbers, sometimes with quotes forgotten or a phone number in their place.
pub(super) fn digits(text: &str) -> Result<(), String> {
    if text.len() > 32 || !text.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("{text:?} is not an id of digits"));
    }
    Ok(())
}

pub(super) fn graph_version(text: &str) -> Result<(), String> {
    let number = text.strip_prefix('v').and_then(|v| v.split_once('.'));
    if !number.is_some_and(|(a, b)| a.parse::<u16>().is_ok() && b.parse::<u16>().is_ok()) {
        return Err(format!("{text:?} is not a version of the Graph API"));
    }
    Ok(())
}

/// A level, or a filter of `target=level` parts. The filter's own parser decides at start; this finds slips of the keyboard.
pub(super) fn log_filter(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let level = |part: &str| LEVELS.contains(&part.to_ascii_lowercase().as_str());
    let fits = text.split(',').map(str::trim).all(|part| match part.rsplit_once('=') {
        Some((target, word)) => !target.is_empty() && level(word),
        None => level(part),
    });
    if fits { Ok(()) } else { Err(format!("{text:?} is not a log level or filter")) }
}
