//! What a chat looks like: a name in front, ticks behind, and the text exactly as it was sent (a terminal turns Arabic by itself).

use super::super::{Failure, output::Output};

/// What is known of a reply's way to the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ticks {
    /// Nothing yet.
    None,
    /// ✓
    Sent,
    /// ✓✓
    Delivered,
    /// ✓✓, blue where there is colour.
    Read,
    /// ✗
    Failed,
}

impl Ticks {
    /// With one more status; never back.
    pub(super) fn with(self, status: &str) -> Self {
        let to = match status {
            "sent" => Self::Sent,
            "delivered" => Self::Delivered,
            "read" => Self::Read,
            "failed" => Self::Failed,
            _ => self,
        };
        self.max(to)
    }

    /// Whether nothing more will come.
    pub(super) const fn last(self) -> bool {
        matches!(self, Self::Read | Self::Failed)
    }
}

const LEAD: &str = "you";

/// Where the chat is shown.
pub(super) struct Screen {
    out: Output,
    assistant: String,
    width: usize,
    interactive: bool,
}

impl Screen {
    pub(super) fn new(out: Output, assistant: &str, interactive: bool) -> Self {
        let width = assistant.chars().count().max(LEAD.len()) + 2;
        Self { out, assistant: assistant.to_owned(), width, interactive }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.interactive { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A name in its column.
    fn name(&self, name: &str, code: &str) -> String {
        let room = self.width - name.chars().count();
        format!("{}{:room$}", self.paint(code, name), "")
    }

    /// A text whose further lines stand under its first.
    fn indented(&self, text: &str) -> String {
        text.replace('\n', &format!("\n{:width$}", "", width = self.width))
    }

    /// Where the person types.
    pub(super) fn prompt(&self) -> Result<(), Failure> {
        let name = self.name(LEAD, "1");
        self.out.raw(format!("\r\u{1b}[K{name}").as_bytes())
    }

    /// What the lead said: ✓ when the engine has it, or why not.
    pub(super) fn said(&self, text: &str, refused: Option<&str>) -> Result<(), Failure> {
        let ticks = refused.map_or_else(|| "✓".to_owned(), |why| format!("✗ not taken: {why}"));
        self.out.line(&format!("{}{}  {ticks}", self.name(LEAD, "1"), self.indented(text)))
    }

    /// What the business said.
    pub(super) fn reply(&self, text: &str, ticks: Ticks) -> Result<(), Failure> {
        let ticks = match ticks {
            Ticks::None => self.paint("2", "…"),
            Ticks::Sent => self.paint("2", "✓"),
            Ticks::Delivered => self.paint("2", "✓✓"),
            Ticks::Read => self.paint("34", "✓✓"),
            Ticks::Failed => self.paint("31", "✗"),
        };
        let clear = if self.interactive { "\r\u{1b}[K" } else { "" };
        self.out.line(&format!("{clear}{}{}  {ticks}", self.name(&self.assistant, "1;36"), self.indented(text)))
    }

    /// A remark.
    pub(super) fn note(&self, text: &str) -> Result<(), Failure> {
        self.out.line(&format!("{:width$}{text}", "", width = self.width))
    }

    /// Leaves the line where the person did not type any more.
    pub(super) fn end(&self) -> Result<(), Failure> {
        self.out.line("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_never_go_back() {
        let all = ["sent", "read", "delivered", "noise"];
        assert_eq!(all.iter().fold(Ticks::None, |t, s| t.with(s)), Ticks::Read);
        assert!(!Ticks::Delivered.last() && Ticks::Read.last());
    }
}
