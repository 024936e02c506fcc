//! The flow of a conversation as data (S3.1): greeting, ordered questions and what each fills, what is said when it is done.
//!
//! `default.toml` is the flow of a tenant that brings none, and the example for one that does; [`load`] reads such files and says where
//! and how to mend them. [`Wording`] fills the places in a text.

mod load;

use std::collections::BTreeMap;

use nlu::Language;
use nlu::{Intent, Slot};

pub use load::FlowError;

/// A text in the languages that the flow has it in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    en: Option<String>,
    ar: Option<String>,
}

impl Wording {
    /// The text in that language, else in the other.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        let (first, second) = match language {
            Language::En => (&self.en, &self.ar),
            Language::Ar => (&self.ar, &self.en),
        };
        first.as_deref().or(second.as_deref()).unwrap_or("")
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its name: part of the reply's key (S4.1), and the field's name when it fills [`Slot::Text`].
    pub key: String,
    /// What an answer fills.
    pub fills: Slot,
    /// How it is asked first, then how it is asked again.
    en: Vec<String>,
    ar: Vec<String>,
}

impl Question {
    /// The name of the field that it fills.
    #[must_use]
    pub fn field(&self) -> &str {
        if self.fills == Slot::Text { &self.key } else { self.fills.as_str() }
    }

    /// The wording for the `nth` time (from 0); the last one repeats.
    #[must_use]
    pub fn wording(&self, language: Language, nth: usize) -> &str {
        let (first, second) = match language {
            Language::En => (&self.en, &self.ar),
            Language::Ar => (&self.ar, &self.en),
        };
        let list = if first.is_empty() { second } else { first };
        list.get(nth).or_else(|| list.last()).map_or("", String::as_str)
    }
}

/// Asked when the questions are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// All of these are unknown.
    pub(crate) missing: Vec<Slot>,
    pub(crate) text: Wording,
}

/// Texts for what happens beside the questions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    pub(crate) not_understood: Wording,
    pub(crate) person: Wording,
    pub(crate) noted: Wording,
    pub(crate) waiting: Wording,
    pub(crate) media: Wording,
    pub(crate) voice: Wording,
    pub(crate) unreadable: Wording,
    pub(crate) opted_out: Wording,
    pub(crate) opted_in: Wording,
    pub(crate) undone: Wording,
    pub(crate) closed: Wording,
    pub(crate) closed_long: Wording,
    pub(crate) complaint: Wording,
    pub(crate) elsewhere: Wording,
}

/// A conversation's flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Its name, for traces.
    pub name: String,
    pub(crate) greeting: Wording,
    pub(crate) questions: Vec<Question>,
    pub(crate) handover: String,
    pub(crate) done: Wording,
    pub(crate) wishes: Vec<Wish>,
    pub(crate) on: BTreeMap<String, Wording>,
    pub(crate) texts: Texts,
}

const DEFAULT: &str = include_str!("default.toml");

impl Flow {
    /// Barid's own flow: what is needed, full name, nationality, then a person prepares a quotation.
    #[must_use]
    pub fn default_flow() -> Self {
        // A test reads the same text; if it could not be read, the tenant would still answer, with nothing to ask.
        load::read(DEFAULT, &Self::default()).unwrap_or_default()
    }

    /// Reads a tenant's flow. What it leaves out besides the questions is taken from [`Self::default_flow`].
    ///
    /// # Errors
    /// [`FlowError`] with the line, what is wrong there, and how to mend it.
    pub fn from_toml(text: &str) -> Result<Self, FlowError> {
        load::read(text, &Self::default_flow())
    }

    /// The keys of its questions: what answers are known by.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.questions.iter().map(|q| q.key.as_str())
    }

    /// The question of that key.
    pub(crate) fn question(&self, key: &str) -> Option<&Question> {
        self.questions.iter().find(|q| q.key == key)
    }

    /// What is said before the next question on such an intent.
    pub(crate) fn acknowledgement(&self, intent: Intent) -> Option<&Wording> {
        self.on.get(intent.as_str())
    }
}

/// The places that a text may have.
pub(crate) const PLACES: [&str; 10] =
    ["assistant", "business", "name", "service", "nationality", "email", "phone", "time", "quantity", "opens"];

/// Whether a text's places can be filled and its brackets close.
///
/// # Errors
/// What is wrong, and the mend.
pub fn check_text(text: &str) -> Result<(), (String, String)> {
    for part in text.split('{').skip(1) {
        let place = part.split('}').next().unwrap_or("");
        if !part.contains('}') || !PLACES.contains(&place) {
            let shown = types::text::preview(place, 30);
            let what = format!("{{{shown}}} is no place that can be filled");
            return Err((what, format!("use one of {{{}}}", PLACES.join("} {"))));
        }
    }
    if text.matches('[').count() != text.matches(']').count() {
        return Err(("a square bracket is not closed".to_owned(), "close it: [, {name}]".to_owned()));
    }
    Ok(())
}

/// Fills `{places}`; what stands in `[brackets]` is left out when a place in it has no value. A place without a value outside brackets
/// becomes nothing, and takes the comma and the space with it that led to it: "Thank you, {name}." is "Thank you.".
pub(crate) fn fill<'v>(template: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut out = String::with_capacity(template.len() + 24);
    let mut optional: Option<(usize, bool)> = None;
    let mut rest = template;
    while let Some(at) = rest.find(['{', '[', ']']) {
        out.push_str(&rest[..at]);
        let mark = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match mark {
            b'[' => optional = Some((out.len(), true)),
            b']' => {
                if let Some((start, false)) = optional.take() {
                    out.truncate(start);
                }
            }
            _ => {
                let Some(end) = rest.find('}') else { return out };
                let found = value(&rest[..end]).filter(|v| !v.trim().is_empty());
                rest = &rest[end + 1..];
                match (found, optional) {
                    (Some(v), _) => out.push_str(v),
                    (None, Some((start, _))) => optional = Some((start, false)),
                    (None, None) => rest = without(&mut out, rest),
                }
            }
        }
    }
    out.push_str(rest);
    out
}

/// Joins what stands before and behind a place that has no value.
fn without<'t>(before: &mut String, behind: &'t str) -> &'t str {
    let opens =
        before.trim_end().is_empty() || before.ends_with(['\n']) || before.trim_end().ends_with(['.', '!', '?', '؟']);
    if opens {
        // "{name}, welcome" begins with what is said then.
        return behind.trim_start_matches([',', '،', ' ']);
    }
    let ends = behind.is_empty() || behind.starts_with(|c: char| ".!?؟,،;:\n".contains(c));
    if ends {
        let kept = before.trim_end_matches([' ', ',', '،']).len();
        before.truncate(kept);
    } else if before.ends_with(' ') {
        return behind.trim_start_matches(' ');
    }
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_flow_reads_and_asks_in_the_order_of_the_rule() {
        let flow = load::read(DEFAULT, &Flow::default()).expect("the built-in flow reads");
        let keys: Vec<&str> = flow.questions.iter().map(|q| q.key.as_str()).collect();
        assert_eq!(keys, ["service", "name", "nationality"]);
        assert_eq!(flow.questions[0].wording(Language::En, 0), "How can I help you today?");
        for question in &flow.questions {
            for language in [Language::En, Language::Ar] {
                let words: Vec<&str> = (0..3).map(|n| question.wording(language, n)).collect();
                assert!(
                    words[0] != words[1] && words[1] != words[2] && words[0] != words[2],
                    "{} is asked again differently",
                    question.key
                );
            }
        }
    }

    #[test]
    fn places_are_filled_and_optional_parts_left_out() {
        let value = |key: &str| (key == "name").then_some("Mona");
        for (template, want) in [
            ("Thank you[, {name}]!", "Thank you, Mona!"),
            ("Thank you[ for {service}]!", "Thank you!"),
            ("{name} {service}", "Mona"),
            ("We hold it for you, {service}.", "We hold it for you."),
            ("{service}, welcome to us!", "welcome to us!"),
            ("Dear {service} we thank you", "Dear we thank you"),
            ("Hello {service}, good morning {name}", "Hello, good morning Mona"),
            ("شكراً لك، {service}.", "شكراً لك."),
            ("no places", "no places"),
            ("broken {name", "broken "),
        ] {
            assert_eq!(fill(template, value), want, "{template}");
        }
    }
}
