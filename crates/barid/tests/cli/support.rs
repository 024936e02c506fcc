use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub const BARID: &str = env!("CARGO_BIN_EXE_barid");

/// What a run of the command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Expects exit code 0.
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// All of it, for a snapshot.
    pub fn transcript(&self, args: &str) -> String {
        let mut text = format!("$ barid {args}\n{}", self.out);
        for line in self.err.lines() {
            let _ = writeln!(text, "! {line}");
        }
        let _ = writeln!(text, "exit {}", self.code);
        steady(&text)
    }
}

/// Runs the command in `folder` with `stdin`, which is no terminal, in UTC and without the variables of this machine.
pub fn run_with(folder: &Path, args: &[&str], stdin: &str) -> Ran {
    let mut child = Command::new(BARID)
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("TZ", "UTC")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading what it was given.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}

pub fn run(folder: &Path, args: &str) -> Ran {
    run_with(folder, &args.split_whitespace().collect::<Vec<_>>(), "")
}

/// The text with ids and tokens numbered in the order in which they appear.
pub fn steady(text: &str) -> String {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() || (c == '.' && word.starts_with("wamid")) || c == '_' {
            word.push(c);
            continue;
        }
        let kind = kind(&word);
        if let Some(kind) = kind {
            let name = names.entry(std::mem::take(&mut word)).or_insert_with(|| {
                let n = counts.entry(kind).or_default();
                *n += 1;
                format!("<{kind}-{n}>")
            });
            // Columns stay under their titles.
            let room = if c == ' ' && kind == "id" { ID - name.len() } else { 0 };
            out.push_str(&format!("{name}{:room$}", ""));
        }
        out.push_str(&std::mem::take(&mut word));
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

/// Characters of an id of these years.
const ID: usize = 18;

fn kind(word: &str) -> Option<&'static str> {
    if word.len() >= 16 && word.len() <= 19 && word.bytes().all(|b| b.is_ascii_digit()) {
        return Some("id");
    }
    if word.starts_with("wamid.") {
        return Some("wamid");
    }
    (word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit())).then_some("token")
}

#[test]
fn ids_are_numbered_and_phones_left() {
    let text = "382343714992816131 971501112244 382343714992816131,wamid.HBgM4Q 1234567890123456";
    assert_eq!(steady(text), "<id-1>             971501112244 <id-1>,<wamid-1> <id-2>");
}
