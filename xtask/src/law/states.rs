//! Reads the state machines of `types::states` from their text and draws `docs/states.md`. From the text, since xtask imports no room.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use super::lexer::{Kind, Run, Token, lex};

/// Where the machines are declared.
pub const SOURCE: &str = "crates/types/src/states.rs";

/// Where they are drawn.
pub const PAGE: &str = "docs/states.md";

/// One `states!` declaration.
#[derive(Debug, PartialEq, Eq)]
pub struct Machine {
    /// The enum's name.
    pub name: String,
    /// What docs and errors call it.
    pub machine: String,
    /// The enum's documentation.
    pub doc: String,
    /// Every state, in order.
    pub states: Vec<State>,
}

/// A state of a machine.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// The variant's name.
    pub variant: String,
    /// The word that rows and the API use.
    pub word: String,
    /// Its documentation.
    pub doc: String,
    /// The variants that may follow.
    pub next: Vec<String>,
}

/// Every machine of a source text.
pub fn machines(source: &str) -> Result<Vec<Machine>> {
    let tokens = lex(source);
    let mut found = Vec::new();
    for (i, _) in tokens.iter().enumerate().filter(|(i, _)| tokens[*i..].starts_with_words(&["states", "!", "{"])) {
        found.push(Cursor { tokens: &tokens, at: i + 3 }.machine()?);
    }
    if found.is_empty() {
        bail!("{SOURCE} declares no states!");
    }
    Ok(found)
}

struct Cursor<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Cursor<'_> {
    fn here(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn skip(&mut self, marks: &str) -> Result<()> {
        for mark in marks.chars() {
            let line = self.here().map_or(0, |t| t.line);
            if !self.here().is_some_and(|t| t.mark(mark)) {
                bail!("{SOURCE}:{line}: expected {mark:?}");
            }
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self) -> Result<String> {
        let word = self.here().and_then(Token::word).map(str::to_owned);
        self.at += 1;
        word.with_context(|| format!("{SOURCE}: expected a name"))
    }

    fn text(&mut self) -> Result<String> {
        let text = self.here().and_then(Token::text).map(str::to_owned);
        self.at += 1;
        text.with_context(|| format!("{SOURCE}: expected a text"))
    }

    fn doc(&mut self) -> String {
        let mut lines = Vec::new();
        while let Some(Token { kind: Kind::Doc(line), .. }) = self.here() {
            lines.push(line.clone());
            self.at += 1;
        }
        lines.join(" ")
    }

    fn at(&self, mark: char) -> bool {
        self.here().is_none_or(|t| t.mark(mark))
    }

    fn machine(&mut self) -> Result<Machine> {
        let doc = self.doc();
        let name = self.word()?;
        self.skip("(")?;
        let machine = self.text()?;
        self.skip("){")?;
        let mut states = Vec::new();
        while !self.at('}') {
            let doc = self.doc();
            let variant = self.word()?;
            self.skip("=")?;
            states.push(State { variant, word: self.text()?, doc, next: Vec::new() });
            self.skip(",")?;
        }
        self.skip("}")?;
        let moves = self.word()?;
        if moves != "moves" {
            bail!("{SOURCE}: expected moves after the states of {name}");
        }
        self.skip("{")?;
        while !self.at('}') {
            let from = self.word()?;
            self.skip("=>[")?;
            let mut next = Vec::new();
            while !self.at(']') {
                next.push(self.word()?);
                if !self.at(']') {
                    self.skip(",")?;
                }
            }
            self.skip("],")?;
            let state = states.iter_mut().find(|s| s.variant == from);
            state.with_context(|| format!("{SOURCE}: {name} has no state {from}"))?.next = next;
        }
        Ok(Machine { name, machine, doc, states })
    }
}

const OPENING: &str = "# States

Every row that moves has a state, and only the moves drawn here are legal: `advance` refuses any other. This page is drawn from
`crates/types/src/states.rs` (`cargo xtask docs`), and `cargo xtask law` compares the two.
";

/// The page.
pub fn page(source: &str) -> Result<String> {
    let mut out = OPENING.to_owned();
    for machine in machines(source)? {
        let word = |variant: &str| machine.states.iter().find(|s| s.variant == variant).map(|s| s.word.clone());
        let mut title = machine.machine.clone();
        if let Some(first) = title.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        let _ = write!(out, "\n## {title}\n\n{}\n\n```mermaid\nstateDiagram-v2\n", machine.doc);
        if let Some(first) = machine.states.first() {
            let _ = writeln!(out, "    [*] --> {}", first.word);
        }
        for state in &machine.states {
            for next in &state.next {
                let to = word(next).with_context(|| format!("{} has no state {next}", machine.name))?;
                let _ = writeln!(out, "    {} --> {to}", state.word);
            }
            if state.next.is_empty() {
                let _ = writeln!(out, "    {} --> [*]", state.word);
            }
        }
        out.push_str("```\n\n| state | meaning |\n|---|---|\n");
        for state in &machine.states {
            let _ = writeln!(out, "| `{}` | {} |", state.word, state.doc.replace('|', "\\|"));
        }
    }
    Ok(out)
}
