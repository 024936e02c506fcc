//! Bad configurations and the exact words that mend them; and appendix C as it stands.

use std::path::Path;
use std::time::Duration;

use super::*;

/// Appendix C of the specification.
const APPENDIX_C: &str = r#"[server]
listen = "127.0.0.1:8080"
public_url = "https://bot.example.com"
[store]
url = "sqlite:barid.db"              # or "postgres://…"
[jobs]
runner_token = "${JOB_RUNNER_TOKEN}" # for /api/jobs/*
cron_token = "${CRON_SECRET}"        # for /api/cron/*
retry = ["1s", "5s", "15s"]
[send]
retry = ["1m", "5m", "15m", "1h"]
reconcile = "60s"
on_unknown = "resend"                # or "hold"
[[tenants]]
slug = "alain"
business = "Al Ain Business Center"
assistant = "ABCai"
language = "en"
flow = "default"                     # or a file
[[tenants.channels]]
kind = "meta"
phone_number_id = "105500000000001"
verify_token = "${META_VERIFY_TOKEN}"
app_secret = "${META_APP_SECRET}"    # a list while one is being rotated
access_token = "${META_ACCESS_TOKEN}"
api_base = "https://graph.facebook.com"
api_version = "v25.0"
[[tenants.channels]]
kind = "greenapi"
instance = "1101000001"
api_token = "${GREEN_API_TOKEN}"
webhook_token = "${GREEN_WEBHOOK_TOKEN}"
api_base = "https://api.green-api.com"
"#;

const SECRETS: [(&str, &str); 7] = [
    ("JOB_RUNNER_TOKEN", "canary-runner-0123456789"),
    ("CRON_SECRET", "canary-cron-0123456789"),
    ("META_VERIFY_TOKEN", "canary-verify"),
    ("META_APP_SECRET", "canary-app"),
    ("META_ACCESS_TOKEN", "canary-access"),
    ("GREEN_API_TOKEN", "canary-green"),
    ("GREEN_WEBHOOK_TOKEN", "canary-webhook"),
];

fn env<'a>(more: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (String, String)> + use<'a> {
    SECRETS.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
}

fn read(text: &str, more: &[(&str, &str)]) -> Result<Config, Vec<Mistake>> {
    load_text(text, "barid.toml", Path::new(""), env(more))
}

fn words(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|m| format!("{m}\n")).collect()
}

/// Mistakes of `text`, one per line.
fn mistakes(text: &str, more: &[(&str, &str)]) -> String {
    words(&read(text, more).err().unwrap_or_default())
}

fn warnings(text: &str, more: &[(&str, &str)]) -> String {
    read(text, more).map_or_else(|m| format!("mistakes: {}", words(&m)), |c| words(&c.warnings))
}

#[test]
fn appendix_c_loads_and_warns_of_nothing() {
    let config = read(APPENDIX_C, &[]).unwrap();
    assert_eq!(words(&config.warnings), "");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.max_body, 3 << 20);
    assert_eq!(config.jobs.retry, [1, 5, 15].map(Duration::from_secs));
    assert_eq!(config.jobs.max_attempts, 4);
    assert_eq!(config.jobs.lease, Duration::from_mins(2));
    assert_eq!(config.send.retry, [60, 300, 900, 3600].map(Duration::from_secs));
    assert_eq!((config.send.reconcile, config.send.on_unknown), (Duration::from_mins(1), OnUnknown::Resend));
    assert!(matches!(&config.store.url, StoreUrl::Sqlite(path) if path == Path::new("barid.db")));
    let [tenant] = config.tenants.as_slice() else { panic!("one tenant") };
    assert_eq!((tenant.slug.as_str(), &tenant.flow, tenant.pause), ("alain", &Flow::Default, Duration::from_hours(2)));
    let [Channel::Meta(meta), Channel::Green(green)] = tenant.channels.as_slice() else {
        panic!("a number and an instance")
    };
    assert_eq!((meta.rate, green.rate), (80, 50));
    assert_eq!(meta.app_secrets.iter().map(types::Secret::expose).collect::<Vec<_>>(), ["canary-app"]);
    assert_eq!(green.webhook_token.expose(), "canary-webhook");
}

/// S7.2
#[test]
fn nothing_prints_a_secret() {
    let text = APPENDIX_C.replace("sqlite:barid.db", "postgres://barid:canary-password@db/barid");
    let shown = format!("{:?}", read(&text, &[]).unwrap());
    assert!(!shown.contains("canary"), "{shown}");

    // Every secret wrong in some way, and a syntax error on its line: the errors name keys and never values.
    let bad = "[store]\nurl = \"canary-url\"\n[jobs]\nrunner_token = [\"canary-a\"]\n[[tenants]]\n[[tenants.channels]]\nkind=\"meta\"\n\
               verify_token = { value = \"canary-b\" }\naccess_token = \"canary-c\" \"canary-d\"\napi_base = \"https://u:canary-e@x\"\n";
    let found = mistakes(bad, &[("BARID__TENANTS__0__CHANNELS__0__APP_SECRT", "canary-f")]);
    assert!(found.lines().count() > 4 && !found.contains("canary"), "{found}");
}

#[test]
fn a_variable_wins_over_the_file() {
    let config = read(
        APPENDIX_C,
        &[
            ("BARID__SERVER__LISTEN", "0.0.0.0:9"),
            ("BARID__SERVER__MAX_CONNECTIONS", "7"),
            ("BARID__SEND__TYPING", "false"),
            ("BARID__SEND__PAIR__EVERY", "1s"),
            ("BARID__JOBS__RETRY", "2s, 3s"),
            ("BARID__SEND__RETRY__1", "9m"),
            ("BARID__TENANTS__0__CHANNELS__1__API_TOKEN", "a,b${X}"),
            ("BARID__TENANTS__0__CHANNELS__2__KIND", "greenapi"),
            ("BARID__TENANTS__0__CHANNELS__2__INSTANCE", "1101000002"),
            ("BARID__TENANTS__0__CHANNELS__2__API_TOKEN", "t"),
            ("BARID__TENANTS__0__CHANNELS__2__WEBHOOK_TOKEN", "w"),
            ("BARID_FIXTURES", "none of ours"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:9");
    assert_eq!(config.server.max_connections, 7);
    assert!(!config.send.typing && config.send.mark_read);
    assert_eq!(config.send.pair, PairLimit { every: Duration::from_secs(1), burst: 45 });
    assert_eq!(config.jobs.retry, [2, 3].map(Duration::from_secs));
    assert_eq!(config.send.retry, [60, 540, 900, 3600].map(Duration::from_secs));
    let [_, Channel::Green(first), Channel::Green(second)] = config.tenants[0].channels.as_slice() else {
        panic!("three channels")
    };
    assert_eq!(first.api_token.expose(), "a,b${X}");
    assert_eq!(second.instance, "1101000002");
}

/// Every key can be given as a variable, under the name that the reference prints.
#[test]
fn every_documented_variable_is_known() {
    for key in KEYS {
        let name = key.variable().replace("__N__", "__0__");
        let text = key.example.trim_matches(|c| c == '"' || c == '[' || c == ']').replace('"', "");
        let found = mistakes(APPENDIX_C, &[(name.as_str(), text.as_str())]);
        assert!(!found.contains("no key has this variable"), "{name}: {found}");
    }
}

#[test]
fn an_installation_can_live_in_variables_alone() {
    let vars = [
        ("BARID__STORE__URL", "postgres://db/barid"),
        ("BARID__TENANTS__0__SLUG", "x"),
        ("BARID__TENANTS__0__BUSINESS", "X"),
        ("BARID__TENANTS__0__ASSISTANT", "Y"),
    ];
    let config = load(None, vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).unwrap();
    assert!(matches!(config.store.url, StoreUrl::Postgres(_)));
    assert_eq!(config.tenants[0].slug, "x");
}

#[test]
fn secrets_come_from_files_and_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one"), "first\n").unwrap();
    let flow = "[[question]]\nkey = \"name\"\nfills = \"name\"\nen = [\"Your name?\"]\n";
    std::fs::write(folder.path().join("flow.toml"), flow).unwrap();
    let file = folder.path().join("barid.toml");
    let text = APPENDIX_C
        .replace(r#"app_secret = "${META_APP_SECRET}""#, r#"app_secret = [{ file = "one" }, "${META_APP_SECRET}"]"#)
        .replace(r#"flow = "default""#, r#"flow = "flow.toml""#);
    std::fs::write(&file, text).unwrap();
    let config = load(Some(&file), env(&[])).unwrap();
    assert_eq!(config.tenants[0].flow, Flow::File(folder.path().join("flow.toml")));
    assert!(matches!(&config.store.url, StoreUrl::Sqlite(path) if *path == folder.path().join("barid.db")));
    let Channel::Meta(meta) = &config.tenants[0].channels[0] else { panic!("a number") };
    assert_eq!(meta.app_secrets.iter().map(types::Secret::expose).collect::<Vec<_>>(), ["first", "canary-app"]);

    let one = folder.path().join("one");
    let by_variable = [("BARID__TENANTS__0__CHANNELS__1__API_TOKEN__FILE", one.to_str().unwrap())];
    let config = load(Some(&file), env(&by_variable)).unwrap();
    let Channel::Green(green) = &config.tenants[0].channels[1] else { panic!("an instance") };
    assert_eq!(green.api_token.expose(), "first");
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let found = words(&load(Some(Path::new("no/such.toml")), env(&[])).unwrap_err());
    insta::assert_snapshot!(found, @r#"
    no/such.toml: cannot be read: No such file or directory (os error 2). Mend: create it (docs/config.md), or name another with --config FILE
    "#);
}

/// A mistake in nearly every line.
const EVERYTHING_WRONG: &str = r#"
[server]
listne = "127.0.0.1:8080"
listen = "here"
public_url = "bot.example.com"
max_body = "3 apples"
max_connections = "many"
request_timeout = "5"
unrouted = "keep"
[store]
url = "mysql://x"
[jobs]
lease = "40s"
retry = "1s"
workers = 0
keep_ids = "7d"
runner_token = ""
[send]
retry = ["1m", "soon"]
typing = "yes"
[send.pair]
every = 6
[log]
level = "loud"
[unheard]
of = 1
[[tenants]]
slug = "Al Ain"
business = ""
assistant = "ABCai"
language = "English"
flow = "nowhere.toml"
services = ["a", 1]
region = "UAE"
timezone = "Asia/Alain"
pause = "2h"
[[tenants.channels]]
kind = "meta"
phone_number_id = "+971 50 000 0001"
verify_token = "${UNSET_ONE}${UNSET_TWO}"
app_secret = []
access_token = { file = "/nowhere/token" }
api_base = "ftp://x"
api_version = "25"
instance = "1"
[[tenants.channels]]
kind = "telegram"
[[tenants.channels]]
kind = "greenapi"
api_token = "${unclosed"
"#;

#[test]
fn all_mistakes_are_named_at_once() {
    insta::assert_snapshot!(mistakes(EVERYTHING_WRONG, &[]), @r#"
    barid.toml:3: [server] listne: is no key of Barid. Mend: did you mean listen?
    barid.toml:4: [server] listen: "here" is not an IP address and port. Mend: write listen = "127.0.0.1:8080"; for all interfaces "0.0.0.0:8080"
    barid.toml:5: [server] public_url: "bot.example.com" does not begin with https:// or http://. Mend: write public_url = "https://bot.example.com"
    barid.toml:6: [server] max_body: "3 apples" is not a size. Mend: write max_body = "3MB"
    barid.toml:7: [server] max_connections: is text, and must be a whole number, 1 to 100000. Mend: write max_connections = 1024
    barid.toml:8: [server] request_timeout: "5" has no unit. Mend: write request_timeout = "40s"
    barid.toml:9: [server] unrouted: "keep" is not one of its words. Mend: write "refuse" or "store"
    barid.toml:11: [store] url: names neither sqlite: nor postgres://. Mend: write url = "sqlite:barid.db" or url = "postgres://user:password@host/database"
    barid.toml:13: [jobs] lease: 40s (line 13) is not longer than [jobs] turn_timeout = 30s (the default) and [send] timeout = 10s (the default) together. Mend: write lease = "50s" or more, or shorten the other two
    barid.toml:14: [jobs] retry: is text, and must be a list of durations. Mend: write retry = ["1s", "5s", "15s"]
    barid.toml:15: [jobs] workers: 0 is not between 1 and 1024. Mend: write workers = 256
    barid.toml:16: [jobs] keep_ids: 7d is less than 8d. Mend: write keep_ids = "30d"
    barid.toml:17: [jobs] runner_token: is empty. Mend: write runner_token = "${JOB_RUNNER_TOKEN}" or runner_token = { file = "…" }
    barid.toml:19: [send] retry: "soon" is not a duration. Mend: write retry = ["1m", "5m", "15m", "1h"]
    barid.toml:20: [send] typing: is text, and must be true or false. Mend: write typing = true
    barid.toml:22: [send.pair] every: is a whole number, and must be a duration, at least 10ms. Mend: write every = "6s"
    barid.toml:24: [log] level: "loud" is not a log level or filter. Mend: write level = "info"
    barid.toml:25: unheard: is no key of Barid. Mend: remove it; docs/config.md lists every key
    barid.toml:28: [tenants] slug: "Al Ain" is not 1 to 40 small letters, digits and "-". Mend: write slug = "alain"
    barid.toml:29: [tenants] business: is empty. Mend: write business = "Al Ain Business Center"
    barid.toml:31: [tenants] language: "English" is not a language tag. Mend: write language = "en"
    barid.toml:32: [tenants] flow: there is no file nowhere.toml. Mend: write flow = "default", or the path of a flow file
    barid.toml:33: [tenants] services: is a whole number, and must be a list of texts. Mend: write services = []
    barid.toml:34: [tenants] region: "UAE" is not a country of two capital letters. Mend: write region = "AE"
    barid.toml:35: [tenants] timezone: "Asia/Alain" is no time zone that this machine knows. Mend: write timezone = "Asia/Dubai"
    barid.toml:39: [tenants.channels] phone_number_id: "+971 50 000 0001" is not an id of digits. Mend: write phone_number_id = "105500000000001"
    barid.toml:40: [tenants.channels] verify_token: ${UNSET_ONE} is not set. Mend: export UNSET_ONE=… or write { file = "…" }
    barid.toml:40: [tenants.channels] verify_token: ${UNSET_TWO} is not set. Mend: export UNSET_TWO=… or write { file = "…" }
    barid.toml:41: [tenants.channels] app_secret: is an empty list. Mend: write app_secret = "${META_APP_SECRET}"
    barid.toml:42: [tenants.channels] access_token: cannot read /nowhere/token: No such file or directory (os error 2). Mend: create the file, or let Barid's user read it
    barid.toml:43: [tenants.channels] api_base: "ftp://x" does not begin with https:// or http://. Mend: write api_base = "https://graph.facebook.com"
    barid.toml:44: [tenants.channels] api_version: "25" is not a version of the Graph API. Mend: write api_version = "v25.0"
    barid.toml:45: [tenants.channels] instance: belongs to kind = "greenapi", and this is "meta". Mend: remove it, or change kind
    barid.toml:47: [tenants.channels] kind: "telegram" is not one of its words. Mend: write "meta" or "greenapi"
    barid.toml:48: [tenants.channels] instance: is missing. Mend: write instance = "1101000001"
    barid.toml:48: [tenants.channels] webhook_token: is missing. Mend: write webhook_token = "${GREEN_WEBHOOK_TOKEN}"
    barid.toml:50: [tenants.channels] api_token: has a ${ that names no variable. Mend: write ${NAME}, or $${ for a plain ${
    "#);
}

#[test]
fn one_mistake_each() {
    let mut transcript = String::new();
    for (name, from, to) in [
        ("a variable that is not set", "${META_APP_SECRET}", "${NOT_SET}"),
        ("a variable that is empty", "${META_APP_SECRET}", "${EMPTY}"),
        ("a lease that is too short", "retry = [\"1s\", \"5s\", \"15s\"]", "lease = \"20s\""),
        ("a send timeout that the default lease does not cover", "reconcile = \"60s\"", "timeout = \"2m\""),
        (
            "a turn timeout that the default lease does not cover",
            "retry = [\"1s\", \"5s\", \"15s\"]",
            "turn_timeout = \"5m\"\ndrain=\"5m\"",
        ),
        (
            "an instance twice",
            "instance = \"1101000001\"",
            "instance = \"1101000001\"\napi_token = \"x\"\nwebhook_token = \"y\"\n[[tenants.channels]]\nkind = \"greenapi\"\ninstance = 1101000001",
        ),
        ("a database in memory", "sqlite:barid.db", "sqlite::memory:"),
        ("a key in the wrong section", "[send]", "[send]\nlease = \"2m\""),
        ("a table written as a list", "[store]", "[[store]]"),
        ("a list written as a table", "[[tenants]]\n", "[tenants]\n"),
        ("no quotes", "slug = \"alain\"", "slug = alain"),
        ("a key twice", "slug = \"alain\"", "slug = \"alain\"\nslug = \"b\""),
        ("a bad value behind a variable", "https://graph.facebook.com", "${META_APP_SECRET}"),
    ] {
        assert!(APPENDIX_C.contains(from), "{from}");
        let found = mistakes(&APPENDIX_C.replacen(from, to, 1), &[("EMPTY", "")]);
        transcript.push_str(&format!("{name}\n{found}\n"));
    }
    insta::assert_snapshot!(transcript, @r#"
    a variable that is not set
    barid.toml:24: [tenants.channels] app_secret: ${NOT_SET} is not set. Mend: export NOT_SET=… or write { file = "…" }

    a variable that is empty
    barid.toml:24: [tenants.channels] app_secret: ${EMPTY} is set, but empty. Mend: export EMPTY=… or write { file = "…" }

    a lease that is too short
    barid.toml:9: [jobs] lease: 20s (line 9) is not longer than [jobs] turn_timeout = 30s (the default) and [send] timeout = 10s (the default) together. Mend: write lease = "50s" or more, or shorten the other two

    a send timeout that the default lease does not cover
    barid.toml:12: [jobs] lease: 2m (the default) is not longer than [jobs] turn_timeout = 30s (the default) and [send] timeout = 2m (line 12) together. Mend: write lease = "160s" or more, or shorten the other two

    a turn timeout that the default lease does not cover
    barid.toml:9: [jobs] lease: 2m (the default) is not longer than [jobs] turn_timeout = 5m (line 9) and [send] timeout = 10s (the default) together. Mend: write lease = "320s" or more, or shorten the other two

    an instance twice
    barid.toml:35: [tenants.channels] instance: "1101000001" is already taken at line 30. Mend: list it once, under the tenant that it belongs to

    a database in memory
    barid.toml:5: [store] url: is a database in memory, which would lose what was accepted. Mend: write url = "sqlite:barid.db" or url = "postgres://user:password@host/database"

    a key in the wrong section
    barid.toml:11: [send] lease: is no key of Barid. Mend: lease belongs into [jobs]

    a table written as a list
    barid.toml:4: store: is a list, and must be a table. Mend: begin it with [store]

    a list written as a table
    barid.toml:14: tenants: is a table, and must be a list of tables. Mend: begin each with [[tenants]]

    no quotes
    barid.toml:15: this is not TOML: string values must be quoted, expected literal string. Mend: see https://toml.io for how to write it; texts need quotes

    a key twice
    barid.toml:16: this is not TOML: duplicate key. Mend: see https://toml.io for how to write it; texts need quotes

    a bad value behind a variable
    barid.toml:26: [tenants.channels] api_base: "${META_APP_SECRET}" stands for something that is not an http(s) address. Mend: give the variable a value such as "https://graph.facebook.com"
    "#);
}

/// S7.1: a webhook finds its tenant by its number.
#[test]
fn two_tenants_cannot_share_a_number_or_a_slug() {
    let second = APPENDIX_C.split_once("[[tenants]]").unwrap().1;
    let other =
        format!("{APPENDIX_C}[[tenants]]{}", second.replace("alain", "dubai").replace("1101000001", "1101000002"));
    let same = format!("{APPENDIX_C}[[tenants]]{}", second.replace("105500000000001", "1").replace("1101000001", "2"));
    insta::assert_snapshot!(format!("{}{}", mistakes(&other, &[]), mistakes(&same, &[])), @r#"
    barid.toml:42: [tenants.channels] phone_number_id: "105500000000001" is already taken at line 22, by tenant "alain". Mend: list it once, under the tenant that it belongs to
    barid.toml:35: [tenants] slug: "alain" is already taken at line 15. Mend: give each tenant its own slug
    "#);
}

#[test]
fn variables_have_mistakes_too() {
    let vars = [
        ("BARID__SERVER__LISTN", "x"),
        ("BARID__SERVER__MAX_CONNECTIONS", "many"),
        ("BARID__TENANTS__5__SLUG", "x"),
        ("BARID__TENANTS__SLUG", "x"),
        ("BARID__SERVER__0__LISTEN", "x"),
        ("BARID__JOBS__LEASE", "1s"),
        ("BARID__TENANTS__0__CHANNELS__0__APP_SECRT", "x"),
    ];
    insta::assert_snapshot!(mistakes(APPENDIX_C, &vars), @r#"
    environment: BARID__SERVER__0__LISTEN: no key has this variable. Mend: did you mean BARID__SERVER__LISTEN?
    environment: BARID__SERVER__LISTN: no key has this variable. Mend: did you mean BARID__SERVER__LISTEN?
    environment: BARID__TENANTS__0__CHANNELS__0__APP_SECRT: no key has this variable. Mend: did you mean BARID__TENANTS__0__CHANNELS__0__APP_SECRET?
    environment: BARID__TENANTS__5__SLUG: there is no item 5: the list has 1. Mend: count from 0, without gaps
    environment: BARID__TENANTS__SLUG: no key has this variable. Mend: did you mean BARID__TENANTS__0__SLUG?
    environment: BARID__SERVER__MAX_CONNECTIONS: is text, and must be a whole number, 1 to 100000. Mend: write max_connections = 1024
    environment: BARID__JOBS__LEASE: 1s (BARID__JOBS__LEASE) is not longer than [jobs] turn_timeout = 30s (the default) and [send] timeout = 10s (the default) together. Mend: write lease = "50s" or more, or shorten the other two
    "#);
}

#[test]
fn what_is_legal_and_doubtful_is_a_warning() {
    let text = APPENDIX_C
        .replace("https://bot", "http://bot")
        .replace("\"60s\"", "\"5s\"\nreconcile_greenapi = \"60s\"")
        .replace("https://api.green", "http://api.green")
        .replace("${CRON_SECRET}", "short")
        .replace("${GREEN_API_TOKEN}", "written down")
        .replace("[store]", "request_timeout = \"5s\"\n[log]\nmessage_text = true\n[store]")
        .replace("[send]", "drain = \"1s\"\n[send]");
    insta::assert_snapshot!(warnings(&text, &[]), @r#"
    barid.toml:3: [server] public_url: is not https: Meta calls https only. Mend: write public_url = "https://bot.example.com"
    barid.toml:4: [server] request_timeout: 5s cuts off callers who ask to wait 30 s for the outcome (Prefer: wait). Mend: write request_timeout = "40s"
    barid.toml:6: [log] message_text: puts what people write into the logs. Mend: write message_text = false unless you are looking for a fault
    barid.toml:11: [jobs] cron_token: has 5 characters and can be guessed. Mend: use 32 random characters: openssl rand -hex 16
    barid.toml:13: [jobs] drain: 1s is shorter than turn_timeout (30s): a stopping node cuts turns off, and another repeats them. Mend: write drain = "30s"
    barid.toml:16: [send] reconcile: 5s is short: receipts of Meta take seconds, so that messages which arrived may be sent again. Mend: write reconcile = "60s"
    barid.toml:17: [send] reconcile_greenapi: 1m is short: Green API's journal lags by up to 2 minutes, so that messages which arrived may be sent again. Mend: write reconcile_greenapi = "180s"
    barid.toml:36: [tenants.channels] api_token: is written into the file itself. Mend: write api_token = "${GREEN_API_TOKEN}" or { file = "…" }
    barid.toml:38: [tenants.channels] api_base: is not https: the token travels readable. Mend: write an https:// address
    "#);
    insta::assert_snapshot!(warnings("", &[]), @r#"
    barid.toml: tenants: there are none: every webhook is refused. Mend: add [[tenants]]
    "#);
}

/// A default that does not fit its own key would make every installation fail.
#[test]
fn every_default_and_example_fits_its_key() {
    for key in KEYS {
        let toml = key.default.unwrap_or(key.example);
        assert!(tree::parse_value(toml, &report::Place::Nowhere).is_some(), "{}: {toml}", key.path);
    }
    // The defaults themselves are read by this.
    assert_eq!(mistakes("", &[]), "");
}

/// Any text is answered with a configuration or with mistakes.
mod fuzz {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = super::read(&text, &[]);
        }

        /// A file damaged at one place never panics, and never becomes a configuration with a secret in its mistakes.
        #[test]
        fn a_damaged_file_is_read_or_refused(at in 0_usize..super::APPENDIX_C.len(), with in "[\\[\\]=\"{}$a-z\n0-9.]{0,4}") {
            let mut text = super::APPENDIX_C.to_owned();
            let mut at = at;
            while !text.is_char_boundary(at) { at -= 1; }
            text.insert_str(at, &with);
            let found = super::mistakes(&text, &[]);
            prop_assert!(!found.contains("canary"), "{}", found);
        }
    }
}

/// `docs/config.md` is printed from [`KEYS`]: `BARID_DOCS=write` (`cargo xtask docs`) rewrites it.
#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    if std::env::var_os("BARID_DOCS").is_some_and(|v| v == "write") {
        std::fs::write(&path, reference()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == reference(), "docs/config.md is out of date: run `cargo xtask docs`");
}

/// A tenant that is wrong in itself, in what its texts and actions name, and in what it calls: all of it comes in the first round, with its line.
#[test]
fn what_only_shows_in_use_is_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let flow = "[[question]]\nkey = \"branch\"\nfills = \"text\"\nen = [\"Which branch, {nmae}?\"]\n";
    std::fs::write(folder.path().join("flow.toml"), flow).unwrap();
    let text = r#"[store]
url = "sqlite:nowhere/barid.db"
[[tenants]]
slug = "a"
business = "B"
assistant = "C"
language = "xx"
region = "XX"
flow = "flow.toml"
[tenants.hours]
saturday = "20:00-02:00"
sunday = "25:00-26:00"
[tenants.actions.create_order]
email = ["orders@example.com"]
url = "http://10.0.0.7/orders/{lead}"
body = '{"who": "{nmae}", "key": "{key}", "was": "{result.id}"}'
compensate_url = "https://crm.example.com/orders/{result.id}"
[[tenants.intents]]
name = "BOOK_ROOM"
phrases = ["I want a room", "book a room", "reserve a room"]
reply = "I'll hold it for you, {nmae}."
actions = ["crate_order"]
[[tenants.channels]]
kind = "greenapi"
instance = "11"
api_token = "${NOT_THERE}"
webhook_token = "${GREEN_WEBHOOK_TOKEN}"
"#;
    let mistakes = load_text(text, "barid.toml", folder.path(), env(&[])).unwrap_err();
    let found = |file: &str, line: usize, words: &str| {
        let there =
            mistakes.iter().any(|m| m.file.ends_with(file) && m.line == Some(line) && m.to_string().contains(words));
        assert!(
            there,
            "{file}:{line} {words}\n{}",
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        );
    };
    found("barid.toml", 2, "mkdir -p");
    found("barid.toml", 7, "neither English");
    found("barid.toml", 8, "not a country");
    found("flow.toml", 4, "{nmae} is no place");
    found("barid.toml", 12, "25:00-26:00");
    found("barid.toml", 14, "needs a mail server");
    found("barid.toml", 15, "allow_private = true");
    found("barid.toml", 15, "{lead} is no place");
    found("barid.toml", 16, "did you mean {name}?");
    found("barid.toml", 16, "{result.id} is no place");
    found("barid.toml", 21, "{nmae} is no place");
    found("barid.toml", 22, "there is no such action");
    found("barid.toml", 26, "NOT_THERE");
    assert_eq!(mistakes.len(), 13, "and nothing is said twice: {mistakes:#?}");
}

/// What looks only at the database needs nothing else of the file: no secret of a channel, no flow.
#[test]
fn the_store_is_read_without_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("barid.toml");
    std::fs::write(&path, APPENDIX_C).unwrap();
    let store = load_store(Some(&path), std::iter::empty()).unwrap();
    assert_eq!(store.url, StoreUrl::Sqlite(folder.path().join("barid.db")));
    std::fs::write(&path, "[store]\nurl = \"mysql:x\"\n").unwrap();
    assert_eq!(load_store(Some(&path), std::iter::empty()).unwrap_err().len(), 1);
}
