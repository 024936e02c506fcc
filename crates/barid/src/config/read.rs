//! Typed reading of one section: each getter gives the value, or reports what is wrong and gives `None`, so that one pass finds
//! every mistake.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use types::Secret;

use super::acts::Headers;
use super::keys::{KEYS, Key, Kind, Only};
use super::report::{Mistake, Place, Report};
use super::tree::{Entry, Node, Value, parse_value};
use super::values::{self, Unset, cut, spell};

/// What every section needs to be read.
pub(super) struct Context {
    /// All variables, for `${NAME}`.
    pub(super) env: HashMap<String, String>,
    /// The configuration file's folder.
    pub(super) folder: PathBuf,
    pub(super) report: RefCell<Report>,
}

/// Reads one table.
pub(super) struct Reader<'a> {
    cx: &'a Context,
    section: &'static str,
    only: Only,
    entries: &'a [Entry],
    at: Place,
    quiet: bool,
}

/// An error's two halves: what is wrong, and the mend.
type Trouble = (String, String);

impl<'a> Reader<'a> {
    pub(super) const fn new(cx: &'a Context, section: &'static str, entries: &'a [Entry], at: Place) -> Self {
        Self { cx, section, only: Only::Any, entries, at, quiet: false }
    }

    /// The section of that name at the top of the file; empty when there is none.
    pub(super) fn top(cx: &'a Context, root: &'a [Entry], section: &'static str) -> Self {
        let mut reader = Self::new(cx, section, root, Place::Nowhere);
        for part in section.split('.') {
            let found = reader.entries.iter().find(|e| e.key == part).map(|e| (&e.node.value, &e.at));
            (reader.entries, reader.at) = match found {
                Some((Value::Table(entries), at)) => (entries.as_slice(), at.clone()),
                _ => ([].as_slice(), reader.at),
            };
        }
        reader
    }

    /// The same table, for a look that reports nothing: what is wrong in it has been said.
    pub(super) fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The same again, beside this one.
    pub(super) fn quiet(&self) -> Self {
        Self { at: self.at.clone(), quiet: true, ..*self }
    }

    /// The same table, as a channel of this kind.
    pub(super) fn of(mut self, only: Only) -> Self {
        self.only = only;
        self
    }

    pub(super) const fn place(&self) -> &Place {
        &self.at
    }

    /// Where `key` stands; the default's place when it was not given.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.given(key).map_or(Place::Nowhere, |node| node.at.clone())
    }

    pub(super) fn given(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|e| e.key == key).map(|e| &e.node)
    }

    pub(super) fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }

    pub(super) fn mistake(&self, at: &Place, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        if !self.quiet {
            self.cx.report.borrow_mut().mistake(at, &self.path(key), what, mend);
        }
    }

    /// A mistake in another file that this one names.
    pub(super) fn mistake_in(&self, file: String, line: Option<usize>, what: String, mend: String) {
        if !self.quiet {
            self.cx.report.borrow_mut().add(Mistake { file, line, column: None, key: String::new(), what, mend });
        }
    }

    pub(super) fn warning(&self, at: &Place, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.cx.report.borrow_mut().warning(at, &self.path(key), what, mend);
    }

    fn row(&self, key: &str) -> Option<&'static Key> {
        let path = self.path(key);
        KEYS.iter().find(|k| k.path == path && (k.only == Only::Any || k.only == self.only))
    }

    /// The key's node, or its default; a missing required key is reported.
    fn node(&self, key: &str) -> Option<(Node, &'static Key)> {
        let row = self.row(key)?;
        if let Some(node) = self.given(key) {
            return Some((node.clone(), row));
        }
        if row.required {
            self.mistake(&self.at, key, "is missing", format!("write {key} = {}", row.example));
        }
        Some((parse_value(row.default?, &Place::Nowhere)?, row))
    }

    fn wrong_type(&self, node: &Node, row: &Key, key: &str) {
        let what = format!("is {}, and must be {}", node.value.name(), row.kind.phrase());
        self.mistake(&node.at, key, what, format!("write {key} = {}", row.example));
    }

    /// A text with its `${NAME}`s replaced. What comes from the environment is taken as it is.
    fn expand(&self, text: &str, at: &Place, key: &str, secret: bool) -> Option<String> {
        if matches!(at, Place::Env(_)) {
            return Some(text.to_owned());
        }
        let unset = match values::expand(text, |name| self.cx.env.get(name).cloned()) {
            Ok(text) => return Some(text),
            Err(unset) => unset,
        };
        let or_file = if secret { " or write { file = \"…\" }" } else { "" };
        for one in unset {
            let (what, mend) = match one {
                Unset::Missing(name) => (format!("${{{name}}} is not set"), format!("export {name}=…{or_file}")),
                Unset::Empty(name) => (format!("${{{name}}} is set, but empty"), format!("export {name}=…{or_file}")),
                Unset::Malformed => {
                    ("has a ${ that names no variable".to_owned(), "write ${NAME}, or $${ for a plain ${".to_owned())
                }
            };
            self.mistake(at, key, what, mend);
        }
        None
    }

    /// A text, expanded and read by `read`. The error shows the text before its variables were replaced.
    fn parsed<T>(&self, key: &str, read: impl Fn(&str) -> Result<T, Trouble>) -> Option<T> {
        let (node, row) = self.node(key)?;
        self.parse_node(&node, row, key, read)
    }

    fn parse_node<T>(&self, node: &Node, row: &Key, key: &str, read: impl Fn(&str) -> Result<T, Trouble>) -> Option<T> {
        let raw = &match &node.value {
            Value::Text(raw) => raw.clone(),
            // An id of digits without its quotes is as clear as with them.
            Value::Whole(n) if row.kind == Kind::Text => n.to_string(),
            _ => {
                self.wrong_type(node, row, key);
                return None;
            }
        };
        let text = self.expand(raw, &node.at, key, false)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(_) if text != *raw => {
                let what = format!("{:?} stands for something that is not {}", cut(raw), row.kind.phrase());
                self.mistake(&node.at, key, what, format!("give the variable a value such as {}", row.example));
                None
            }
            Err((what, mend)) => {
                self.mistake(&node.at, key, what, mend);
                None
            }
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let example = self.row(key)?.example;
        self.text_that(key, move |_| Ok(()), example)
    }

    /// A text that is not empty and that `fits`; `fits` says what is wrong otherwise.
    pub(super) fn text_that(
        &self,
        key: &str,
        fits: impl Fn(&str) -> Result<(), String>,
        example: &str,
    ) -> Option<String> {
        self.parsed(key, |text| {
            let text = text.trim();
            if text.is_empty() {
                return Err(("is empty".to_owned(), format!("write {key} = {example}")));
            }
            fits(text).map(|()| text.to_owned()).map_err(|what| (what, format!("write {key} = {example}")))
        })
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        let row = self.row(key)?;
        let Kind::Duration(min) = row.kind else { return None };
        let min = Duration::from_millis(min);
        self.parsed(key, |text| {
            let write = || format!("write {key} = {}", row.example);
            let d = values::duration(text).map_err(|what| (what, write()))?;
            if d < min {
                return Err((format!("{} is less than {}", spell(d), spell(min)), write()));
            }
            Ok(d)
        })
    }

    pub(super) fn durations(&self, key: &str) -> Option<Vec<Duration>> {
        let (node, row) = self.node(key)?;
        let Value::List(items) = &node.value else {
            self.wrong_type(&node, row, key);
            return None;
        };
        let read = |text: &str| values::duration(text).map_err(|what| (what, format!("write {key} = {}", row.example)));
        let all: Vec<_> = items.iter().map(|item| self.parse_node(item, row, key, read)).collect();
        all.into_iter().collect()
    }

    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        let (node, row) = self.node(key)?;
        let Value::List(items) = &node.value else {
            self.wrong_type(&node, row, key);
            return None;
        };
        let read = |text: &str| match text.trim() {
            "" => Err(("has an empty text".to_owned(), "remove it".to_owned())),
            text => Ok(text.to_owned()),
        };
        let all: Vec<_> = items.iter().map(|item| self.parse_node(item, row, key, read)).collect();
        all.into_iter().collect()
    }

    /// A size in bytes: `"3MB"` or a whole number.
    pub(super) fn size(&self, key: &str) -> Option<usize> {
        let (node, row) = self.node(key)?;
        let mend = || format!("write {key} = {}", row.example);
        let bytes = match node.value {
            Value::Whole(n) => usize::try_from(n).ok(),
            _ => self.parse_node(&node, row, key, |text| values::size(text).map_err(|what| (what, mend())))?.into(),
        };
        let bytes = bytes.filter(|n| *n > 0);
        if bytes.is_none() {
            self.mistake(&node.at, key, "must be more than nothing", mend());
        }
        bytes
    }

    pub(super) fn count(&self, key: &str) -> Option<u32> {
        let (node, row) = self.node(key)?;
        let Kind::Count(min, max) = row.kind else { return None };
        let Value::Whole(n) = node.value else {
            self.wrong_type(&node, row, key);
            return None;
        };
        let fits = u32::try_from(n).ok().filter(|n| (min..=max).contains(n));
        if fits.is_none() {
            let what = format!("{n} is not between {min} and {max}");
            self.mistake(&node.at, key, what, format!("write {key} = {}", row.example));
        }
        fits
    }

    /// A number with or without a fraction.
    pub(super) fn decimal(&self, key: &str) -> Option<f64> {
        let (node, row) = self.node(key)?;
        let Kind::Decimal(max) = row.kind else { return None };
        let n = match node.value {
            Value::Whole(n) => i32::try_from(n).map_or(f64::MAX, f64::from),
            Value::Real(n) => n,
            _ => {
                self.wrong_type(&node, row, key);
                return None;
            }
        };
        if (0.0..=f64::from(max)).contains(&n) {
            return Some(n);
        }
        self.mistake(
            &node.at,
            key,
            format!("{n} is not between 0 and {max}"),
            format!("write {key} = {}", row.example),
        );
        None
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let (node, row) = self.node(key)?;
        if let Value::Flag(flag) = node.value {
            return Some(flag);
        }
        self.wrong_type(&node, row, key);
        None
    }

    pub(super) fn socket(&self, key: &str) -> Option<SocketAddr> {
        let example = self.row(key)?.example;
        self.parsed(key, |text| {
            let mend = || format!("write {key} = {example}; for all interfaces \"0.0.0.0:8080\"");
            text.parse().map_err(|_| (format!("{:?} is not an IP address and port", cut(text)), mend()))
        })
    }

    /// An http or https address, without a slash at the end.
    pub(super) fn web(&self, key: &str) -> Option<String> {
        let example = self.row(key)?.example;
        self.parsed(key, |text| values::web_address(text).map_err(|what| (what, format!("write {key} = {example}"))))
    }

    pub(super) fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| {
            let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
            found.ok_or_else(|| {
                let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
                (format!("{:?} is not one of its words", cut(text)), format!("write {}", known.join(" or ")))
            })
        })
    }

    /// A secret: text (with `${NAME}`), or `{ file = "…" }`.
    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        let (node, row) = self.node(key)?;
        self.secret_node(&node, row, key)
    }

    /// One secret or several.
    pub(super) fn secrets(&self, key: &str) -> Option<Vec<Secret>> {
        let (node, row) = self.node(key)?;
        let Value::List(items) = &node.value else {
            return self.secret_node(&node, row, key).map(|one| vec![one]);
        };
        if items.is_empty() {
            self.mistake(&node.at, key, "is an empty list", format!("write {key} = {}", row.example));
            return None;
        }
        let all: Vec<_> = items.iter().map(|item| self.secret_node(item, row, key)).collect();
        all.into_iter().collect()
    }

    /// A table of secrets: names of headers and what they carry.
    pub(super) fn headers(&self, key: &str) -> Option<Headers> {
        let Some(node) = self.given(key) else { return Some(Vec::new()) };
        let row = self.row(key)?;
        let Value::Table(entries) = &node.value else {
            self.wrong_type(node, row, key);
            return None;
        };
        let one = |entry: &Entry| {
            let name = entry.key.to_ascii_lowercase();
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
                self.mistake(
                    &entry.at,
                    key,
                    format!("{:?} is no name of a header", cut(&entry.key)),
                    "write { Authorization = \"${CRM_TOKEN}\" }",
                );
                return None;
            }
            self.secret_node(&entry.node, row, key).map(|secret| (name, secret))
        };
        let all: Vec<_> = entries.iter().map(one).collect();
        all.into_iter().collect()
    }

    fn secret_node(&self, node: &Node, row: &Key, key: &str) -> Option<Secret> {
        let mend = || format!("write {key} = {} or {key} = {{ file = \"…\" }}", row.example);
        let value = match &node.value {
            Value::Text(raw) => self.expand(raw, &node.at, key, true)?,
            Value::Table(entries) => self.secret_file(entries, key, &mend())?,
            _ => {
                self.wrong_type(node, row, key);
                return None;
            }
        };
        if value.trim().is_empty() {
            self.mistake(&node.at, key, "is empty", mend());
            return None;
        }
        Some(Secret::new(value))
    }

    fn secret_file(&self, entries: &[Entry], key: &str, mend: &str) -> Option<String> {
        let [Entry { key: only, node: Node { value: Value::Text(path), at }, .. }] = entries else {
            let at = entries.first().map_or(&self.at, |e| &e.at);
            self.mistake(at, key, "is a table other than { file = \"…\" }", mend);
            return None;
        };
        if only != "file" {
            self.mistake(at, key, format!("has {only:?} where only file may stand"), mend);
            return None;
        }
        let path = self.resolve(&self.expand(path, at, key, false)?, at);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.trim_end_matches(['\n', '\r']).to_owned()),
            Err(why) => {
                self.mistake(
                    at,
                    key,
                    format!("cannot read {}: {why}", path.display()),
                    "create the file, or let Barid's user read it",
                );
                None
            }
        }
    }

    /// A path, relative to the configuration file; from a variable, to the working directory.
    pub(super) fn resolve(&self, path: &str, at: &Place) -> PathBuf {
        if matches!(at, Place::Env(_)) { PathBuf::from(path) } else { self.cx.folder.join(Path::new(path)) }
    }
}
