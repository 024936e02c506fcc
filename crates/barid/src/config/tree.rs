//! The file as a tree that knows its lines, with the environment laid over it.

use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Kind};
use super::report::{Place, Report};
use super::values::nearest;

/// Tables that come in lists.
pub(super) const LISTS: [&str; 7] = [
    "agents",
    "agents.providers",
    "tenants",
    "tenants.channels",
    "tenants.intents",
    "tenants.experiments",
    "tenants.experiments.arms",
];

/// The table whose keys are names that the file gives.
pub(super) const NAMED: &str = "tenants.actions";

/// A path as the table of keys has it: `tenants.actions.create_order.url` is `tenants.actions.NAME.url`.
fn canonical(path: &[&str]) -> String {
    match path {
        ["tenants", "actions", _, rest @ ..] => [&["tenants", "actions", "NAME"], rest].concat().join("."),
        _ => path.join("."),
    }
}

/// What each variable of ours begins with.
const PREFIX: &str = "BARID__";

/// A value and where it stands. Has no `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) at: Place,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Real(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// A date, or a number out of all bounds: no key holds one.
    Other(&'static str),
}

/// A key of a table, where it stands, and its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) node: Node,
}

impl Value {
    /// As an error names it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Whole(_) => "a whole number",
            Self::Real(_) => "a number with a fraction",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

/// Reads TOML; what is not TOML is reported with its line and left out.
pub(super) fn parse(text: &str, report: &mut Report) -> Vec<Entry> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text);
    for error in errors {
        let at = error.span().map_or(Place::Nowhere, |s| lines.place(s.start));
        // Only the message: the error's own print shows the line, which may hold a secret.
        let what = format!("this is not TOML: {}", error.message().replace('\n', ", "));
        report.mistake(&at, "", what, "see https://toml.io for how to write it; texts need quotes");
    }
    entries(table.into_inner(), &lines)
}

/// One TOML value, for defaults and for lists in variables. `None` when it is not TOML.
pub(super) fn parse_value(toml: &str, at: &Place) -> Option<Node> {
    let value = DeValue::parse(toml).ok()?.into_inner();
    let mut node = convert(value, at.clone(), &Lines::new(toml));
    if let Value::List(items) = &mut node.value {
        items.iter_mut().for_each(|item| item.at = at.clone());
    }
    Some(node)
}

fn entries(table: DeTable<'_>, lines: &Lines) -> Vec<Entry> {
    let entry = |(key, value): (toml::Spanned<std::borrow::Cow<'_, str>>, toml::Spanned<DeValue<'_>>)| {
        let at = lines.place(key.span().start);
        let here = match value.get_ref() {
            // A table's own place is its header, and the key is part of that.
            DeValue::Table(_) => at.clone(),
            _ => lines.place(value.span().start),
        };
        Entry { key: key.into_inner().into_owned(), at, node: convert(value.into_inner(), here, lines) }
    };
    table.into_iter().map(entry).collect()
}

fn convert(value: DeValue<'_>, at: Place, lines: &Lines) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number too large"), Value::Whole),
        DeValue::Float(number) => number.as_str().parse().map_or(Value::Other("a number with a fraction"), Value::Real),
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(
            items
                .into_iter()
                .map(|item| {
                    let at = lines.place(item.span().start);
                    convert(item.into_inner(), at, lines)
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(entries(table, lines)),
    };
    Node { value, at }
}

/// Where each line of a text begins.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1;
        Place::Line(line, column)
    }
}

/// Lays each `BARID__…` variable over the file.
pub(super) fn overlay(root: &mut Vec<Entry>, variables: &[(String, String)], report: &mut Report) {
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let at = Place::Env(name.clone());
        let way: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        match key_of(&way) {
            Some((kind, to_item)) => {
                let node = from_text(text, kind, to_item, &at);
                if let Err((what, mend)) = put(root, &way, node, &at) {
                    report.mistake(&at, "", what, mend);
                }
            }
            None => {
                let like = nearest_variable(name).map_or_else(
                    || "unset it; docs/config.md lists every name".to_owned(),
                    |like| format!("did you mean {like}?"),
                );
                report.mistake(&at, "", "no key has this variable", like);
            }
        }
    }
}

/// The kind of the key at the end of `way`, and whether `way` leads into it (one item of a list, or a secret's file).
fn key_of(way: &[String]) -> Option<(Kind, bool)> {
    let numbered: Vec<bool> = way.iter().map(|seg| seg.parse::<usize>().is_ok()).collect();
    let path: Vec<&str> = way.iter().zip(&numbered).filter(|(_, n)| !**n).map(|(seg, _)| seg.as_str()).collect();
    let find = |path: &[&str]| {
        let path = canonical(path);
        KEYS.iter().find(|k| k.path == path).map(|k| k.kind)
    };
    // Tables that come in lists have a number after their name, and nothing else has.
    let mut so_far = String::new();
    for (i, seg) in way.iter().enumerate().filter(|(i, _)| !numbered[*i]) {
        so_far = if so_far.is_empty() { seg.clone() } else { format!("{so_far}.{seg}") };
        let indexed = numbered.get(i + 1).copied().unwrap_or(false);
        let may_index =
            LISTS.contains(&so_far.as_str()) || find(&so_far.split('.').collect::<Vec<_>>()).is_some_and(Kind::is_list);
        if LISTS.contains(&so_far.as_str()) != indexed && !(indexed && may_index) {
            return None;
        }
    }
    if let Some(kind) = find(&path) {
        return Some((kind, numbered.last() == Some(&true)));
    }
    let (last, parent) = path.split_last()?;
    find(parent).filter(|kind| *last == "file" && kind.is_secret()).map(|kind| (kind, true))
}

/// The text of a variable, as the TOML that it stands for.
fn from_text(text: &str, kind: Kind, to_item: bool, at: &Place) -> Node {
    let plain = |text: &str| Node { value: Value::Text(text.to_owned()), at: at.clone() };
    let trimmed = text.trim();
    match kind {
        Kind::Count(..) => {
            trimmed.parse().map_or_else(|_| plain(text), |n| Node { value: Value::Whole(n), at: at.clone() })
        }
        Kind::Decimal(_) => {
            trimmed.parse().map_or_else(|_| plain(text), |n| Node { value: Value::Real(n), at: at.clone() })
        }
        Kind::Flag => trimmed.parse().map_or_else(|_| plain(text), |b| Node { value: Value::Flag(b), at: at.clone() }),
        Kind::Durations | Kind::Texts if !to_item => {
            let list = trimmed.starts_with('[').then(|| parse_value(trimmed, at)).flatten();
            list.unwrap_or_else(|| {
                let items = trimmed.split(',').map(str::trim).filter(|item| !item.is_empty()).map(plain).collect();
                Node { value: Value::List(items), at: at.clone() }
            })
        }
        // A secret may hold anything, commas and brackets too: one variable is one secret.
        _ => plain(text),
    }
}

type Trouble = (String, String);

fn put(table: &mut Vec<Entry>, way: &[String], node: Node, at: &Place) -> Result<(), Trouble> {
    let Some((key, rest)) = way.split_first() else { return Ok(()) };
    let index = table.iter().position(|e| e.key == *key).unwrap_or_else(|| {
        let fresh = if rest.first().is_some_and(|r| r.parse::<usize>().is_ok()) {
            Value::List(Vec::new())
        } else {
            Value::Table(Vec::new())
        };
        table.push(Entry { key: key.clone(), at: at.clone(), node: Node { value: fresh, at: at.clone() } });
        table.len() - 1
    });
    put_into(&mut table[index].node, rest, node, at)
}

fn put_into(slot: &mut Node, way: &[String], node: Node, at: &Place) -> Result<(), Trouble> {
    let Some((first, rest)) = way.split_first() else {
        *slot = node;
        return Ok(());
    };
    let number = first.parse::<usize>().ok();
    match (&mut slot.value, number) {
        (Value::Table(table), None) => put(table, way, node, at),
        (Value::List(items), Some(number)) if number <= items.len() => {
            if number == items.len() {
                items.push(Node { value: Value::Table(Vec::new()), at: at.clone() });
            }
            put_into(&mut items[number], rest, node, at)
        }
        (Value::List(items), Some(number)) => Err((
            format!("there is no item {number}: the list has {}", items.len()),
            "count from 0, without gaps".to_owned(),
        )),
        // A plain value gives way to what the variable says: one item of a list, or a secret's file.
        (Value::Text(_) | Value::Whole(_) | Value::Real(_) | Value::Flag(_) | Value::Other(_), _)
        | (Value::List(_) | Value::Table(_), _) => {
            slot.value = if number.is_some() { Value::List(Vec::new()) } else { Value::Table(Vec::new()) };
            slot.at = at.clone();
            put_into(slot, way, node, at)
        }
    }
}

/// The variable that `name` was probably meant to be, with its own indexes.
fn nearest_variable(name: &str) -> Option<String> {
    let numbers: Vec<&str> = name.split("__").filter(|seg| seg.parse::<usize>().is_ok()).collect();
    let known: Vec<String> = KEYS
        .iter()
        .map(|key| {
            let mut next = numbers.iter();
            let seg = |seg: &str| if seg == "N" { (*next.next().unwrap_or(&"0")).to_owned() } else { seg.to_owned() };
            key.variable().split("__").map(seg).collect::<Vec<_>>().join("__")
        })
        .collect();
    nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
}
