//! The configuration as people may look at it: what was given and what holds where nothing was, never a secret (S7.2).

use super::keys::{KEYS, Key, Kind};
use super::tree::{Entry, Value};

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The tenant that it belongs to, by its slug; `None`: the installation.
    pub tenant: Option<String>,
    /// `server.listen`, `tenants[1].channels[2].rate`, …
    pub key: String,
    /// As TOML; secrets are dots.
    pub value: String,
    /// It was given, by the file or the environment; otherwise it is the default.
    pub given: bool,
    /// What it does.
    pub meaning: &'static str,
}

/// In the place of what nobody may see.
const DOTS: &str = "••••••";

/// Everything, in the order of the table of keys, then what belongs to tenants in the order of the file.
pub(super) fn shown(root: &[Entry]) -> Vec<Shown> {
    let mut all = Vec::new();
    for key in KEYS.iter().filter(|key| !key.path.starts_with("tenants.") && !key.path.starts_with("agents.")) {
        let given = find(root, key.path.split('.'));
        let (value, is_given) = match given {
            Some(value) => (told(value, Some(key)), true),
            None => (key.default.unwrap_or_default().to_owned(), false),
        };
        if is_given || !value.is_empty() {
            all.push(Shown { tenant: None, key: key.path.to_owned(), value, given: is_given, meaning: key.meaning });
        }
    }
    for list in ["agents", "tenants"] {
        let Some(Value::List(items)) = find(root, std::iter::once(list)) else { continue };
        for (n, item) in items.iter().enumerate() {
            let Value::Table(entries) = &item.value else { continue };
            let slug = find(entries, std::iter::once("slug")).and_then(text).filter(|_| list == "tenants");
            walk(&mut all, entries, slug.as_ref(), (list, &format!("{list}[{}]", n + 1)));
        }
    }
    all
}

fn text(value: &Value) -> Option<String> {
    if let Value::Text(text) = value { Some(text.clone()) } else { None }
}

fn find<'e, 'p>(entries: &'e [Entry], mut path: impl Iterator<Item = &'p str>) -> Option<&'e Value> {
    let first = path.next()?;
    let mut value = &entries.iter().find(|e| e.key == first)?.node.value;
    for part in path {
        let Value::Table(entries) = value else { return None };
        value = &entries.iter().find(|e| e.key == part)?.node.value;
    }
    Some(value)
}

/// What stands in a table, and in those within it. `path` is where, as the table of keys has it and as people read it.
fn walk(all: &mut Vec<Shown>, entries: &[Entry], tenant: Option<&String>, (canonical, read): (&str, &str)) {
    for entry in entries {
        let name = if canonical == "tenants.actions" { "NAME" } else { &entry.key };
        let (canonical, read) = (format!("{canonical}.{name}"), format!("{read}.{}", entry.key));
        let key = KEYS.iter().find(|key| key.path == canonical);
        match &entry.node.value {
            Value::Table(inner) if key.is_none() => walk(all, inner, tenant, (&canonical, &read)),
            Value::List(items) if key.is_none() => {
                for (n, item) in items.iter().enumerate() {
                    if let Value::Table(inner) = &item.value {
                        walk(all, inner, tenant, (&canonical, &format!("{read}[{}]", n + 1)));
                    }
                }
            }
            value => all.push(Shown {
                tenant: tenant.cloned(),
                key: read,
                value: told(value, key),
                given: true,
                meaning: key.map_or("", |key| key.meaning),
            }),
        }
    }
}

/// A value as TOML. What is no key of ours is not shown either: nobody knows what it is.
fn told(value: &Value, key: Option<&Key>) -> String {
    let Some(key) = key else { return DOTS.to_owned() };
    if matches!(key.kind, Kind::Secret | Kind::Secrets | Kind::Store | Kind::Headers) {
        return DOTS.to_owned();
    }
    plain(value)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{:?}", without_secrets(text)),
        Value::Whole(n) => n.to_string(),
        Value::Real(n) => n.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| plain(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(_) | Value::Other(_) => DOTS.to_owned(),
    }
}

/// Addresses keep their secrets before the host and in the query.
fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?••••••"));
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.rsplit_once('@').map_or_else(|| host.to_owned(), |(_, host)| format!("{DOTS}@{host}"));
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::report::Report;
    use crate::config::tree;

    fn all(text: &str) -> Vec<Shown> {
        shown(&tree::parse(text, &mut Report::new("barid.toml")))
    }

    #[test]
    fn every_secret_is_dots_wherever_it_stands() {
        let kinds = |key: &Key| matches!(key.kind, Kind::Secret | Kind::Secrets | Kind::Store | Kind::Headers);
        let mut text = String::new();
        for key in KEYS.iter().filter(|key| kinds(key)) {
            let (section, name) = key.path.rsplit_once('.').unwrap();
            let section = section.replace("NAME", "act");
            let table = match section.as_str() {
                "tenants" | "agents" => format!("[[{section}]]"),
                "tenants.channels" | "agents.providers" => {
                    format!("[[{}]]\n[[{section}]]", section.split('.').next().unwrap())
                }
                _ if section.starts_with("tenants") => format!("[[tenants]]\n[{section}]"),
                _ => format!("[{section}]"),
            };
            let value = if key.kind == Kind::Headers { "{ x = \"canary\" }" } else { "\"canary\"" };
            let one = format!("{table}\n{name} = {value}\n");
            let found = all(&one);
            assert!(found.iter().any(|s| s.given && s.value == DOTS), "{} is not shown at all: {one}", key.path);
            text.push_str(&format!("{found:?}"));
        }
        assert!(!text.contains("canary"), "{text}");
        let unknown = all("[[tenants]]\nslug = \"a\"\npass_word = \"canary\"\n");
        assert!(!format!("{unknown:?}").contains("canary"));
    }

    #[test]
    fn addresses_keep_what_is_in_them() {
        for (given, want) in [
            ("https://x.example/a?token=canary", "https://x.example/a?••••••"),
            ("https://me:canary@x.example/a", "https://••••••@x.example/a"),
            ("https://x.example", "https://x.example"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_secrets(given), want);
        }
    }

    #[test]
    fn defaults_are_shown_as_such_and_what_is_a_tenants_says_so() {
        let found = all(
            "[server]\nmax_body = \"1MB\"\n[[tenants]]\nslug = \"alain\"\nservices = [\"a\", \"b\"]\n[[tenants.channels]]\nkind = \"meta\"\n",
        );
        let one = |key: &str| found.iter().find(|s| s.key == key).unwrap_or_else(|| panic!("{key}: {found:?}"));
        assert_eq!((one("server.max_body").value.as_str(), one("server.max_body").given), ("\"1MB\"", true));
        assert!(!one("jobs.lease").given && one("jobs.lease").tenant.is_none());
        let kind = one("tenants[1].channels[1].kind");
        assert_eq!((kind.tenant.as_deref(), kind.value.as_str()), (Some("alain"), "\"meta\""));
        assert_eq!(one("tenants[1].services").value, "[\"a\", \"b\"]");
    }
}
