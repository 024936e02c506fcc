//! What is wrong, where, and how to mend it: all of it at once, so that one round of editing is enough.

use std::fmt;

/// One thing wrong with the configuration (or, among warnings, doubtful). Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file as it was named, or `environment`.
    pub file: String,
    /// Counted from 1; none when the file says nothing about the key.
    pub line: Option<usize>,
    /// Counted from 1, in characters.
    pub column: Option<usize>,
    /// `[section] key`, or the name of the environment variable.
    pub key: String,
    /// What is wrong, as the rest of a sentence that begins with the key.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl fmt::Display for Mistake {
    /// `barid.toml:14: [tenants.channels] app_secret: ${X} is not set. Mend: export X=…`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}. Mend: {}", self.what, self.mend)
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The file, at this line and column, counted from 1.
    Line(usize, usize),
    /// This environment variable.
    Env(String),
    /// Nobody said anything: the default, or the file as a whole.
    Nowhere,
}

impl fmt::Display for Place {
    /// As it stands in a sentence: `line 12`, `BARID__JOBS__LEASE`, `the default`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line, _) => write!(f, "line {line}"),
            Self::Env(name) => f.write_str(name),
            Self::Nowhere => f.write_str("the default"),
        }
    }
}

/// Collects what is found.
#[derive(Debug)]
pub(super) struct Report {
    file: String,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Mistake>,
}

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), mistakes: Vec::new(), warnings: Vec::new() }
    }

    fn note(&self, at: &Place, path: &str, what: impl Into<String>, mend: impl Into<String>) -> Mistake {
        let (file, line, column, key) = match at {
            Place::Line(line, column) => (self.file.clone(), Some(*line), Some(*column), shown(path)),
            Place::Env(name) => ("environment".to_owned(), None, None, name.clone()),
            Place::Nowhere => (self.file.clone(), None, None, shown(path)),
        };
        Mistake { file, line, column, key, what: what.into(), mend: mend.into() }
    }

    pub(super) fn mistake(&mut self, at: &Place, path: &str, what: impl Into<String>, mend: impl Into<String>) {
        let found = self.note(at, path, what, mend);
        self.add(found);
    }

    /// The same thing can be seen twice, by the shape and by the reader; a person needs it once.
    pub(super) fn add(&mut self, found: Mistake) {
        if !self.mistakes.contains(&found) {
            self.mistakes.push(found);
        }
    }

    pub(super) fn warning(&mut self, at: &Place, path: &str, what: impl Into<String>, mend: impl Into<String>) {
        let found = self.note(at, path, what, mend);
        self.warnings.push(found);
    }

    /// In the order of the file, what concerns no line last.
    pub(super) fn sort(&mut self) {
        let order = |m: &Mistake| (m.line.is_none(), m.line, m.column);
        self.mistakes.sort_by_key(order);
        self.warnings.sort_by_key(order);
    }
}

/// `jobs.lease` as `[jobs] lease`.
fn shown(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((section, key)) => format!("[{section}] {key}"),
        None => path.to_owned(),
    }
}
