//! Reading a flow from TOML: every complaint names the line, what is wrong and how to mend it.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Flow, Question, Texts, Wish, Wording, check_text};
use nlu::{Intent, Slot};

/// A flow file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; {mend}")]
pub struct FlowError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlow {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    greeting: Option<RawText>,
    #[serde(default)]
    question: Vec<RawQuestion>,
    #[serde(default)]
    done: Option<RawDone>,
    #[serde(default)]
    on: BTreeMap<Spanned<String>, RawText>,
    #[serde(default)]
    texts: RawTexts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText {
    en: Option<Spanned<String>>,
    ar: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    key: Spanned<String>,
    fills: Spanned<String>,
    #[serde(default)]
    en: Vec<Spanned<String>>,
    #[serde(default)]
    ar: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDone {
    handover: Option<Spanned<String>>,
    en: Option<Spanned<String>>,
    ar: Option<Spanned<String>>,
    #[serde(default)]
    ask: Vec<RawWish>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWish {
    missing: Vec<Spanned<String>>,
    en: Option<Spanned<String>>,
    ar: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTexts {
    not_understood: Option<RawText>,
    person: Option<RawText>,
    noted: Option<RawText>,
    waiting: Option<RawText>,
    media: Option<RawText>,
    voice: Option<RawText>,
    unreadable: Option<RawText>,
    opted_out: Option<RawText>,
    opted_in: Option<RawText>,
    undone: Option<RawText>,
    closed: Option<RawText>,
    closed_long: Option<RawText>,
    complaint: Option<RawText>,
    elsewhere: Option<RawText>,
}

/// A longer text is refused: WhatsApp takes 4,096 characters, and a question is short.
const LONGEST: usize = 1_000;

struct Reader<'a> {
    source: &'a str,
}

/// Reads a flow; what is missing comes from `base`.
pub(super) fn read(source: &str, base: &Flow) -> Result<Flow, FlowError> {
    let reader = Reader { source };
    let raw: RawFlow = toml::from_str(source).map_err(|e| FlowError {
        line: reader.line(e.span().map_or(0, |s| s.start)),
        what: e.message().trim().replace('\n', " "),
        mend: mend_for(e.message()).to_owned(),
    })?;
    let questions = reader.questions(raw.question)?;
    let mut flow = Flow { name: raw.name.unwrap_or_else(|| "custom".to_owned()), questions, ..base.clone() };
    if let Some(text) = raw.greeting {
        flow.greeting = reader.text(text.en, text.ar, 0)?;
    }
    if let Some(done) = raw.done {
        if let Some(handover) = &done.handover {
            flow.handover = reader.word(handover)?;
        }
        if done.en.is_some() || done.ar.is_some() {
            flow.done = reader.text(done.en, done.ar, 0)?;
        }
        flow.wishes = done.ask.into_iter().map(|w| reader.wish(w)).collect::<Result<_, _>>()?;
    }
    for (key, text) in raw.on {
        if Intent::parse(key.get_ref()).is_none() {
            let known = Intent::ALL.map(Intent::as_str).join(", ");
            return Err(reader.error(
                &key,
                format!("there is no intent {:?}", key.get_ref()),
                format!("use one of {known}"),
            ));
        }
        let wording = reader.text(text.en, text.ar, key.span().start)?;
        flow.on.insert(key.into_inner(), wording);
    }
    reader.texts(raw.texts, &mut flow.texts)?;
    Ok(flow)
}

fn mend_for(message: &str) -> &'static str {
    if message.contains("unknown field") {
        "remove it or use one of the names above"
    } else if message.contains("missing field") {
        "add it"
    } else if message.contains("invalid type") {
        "questions have lists of texts (en = [\"…\"]), everything else single texts"
    } else {
        "mend the TOML there: texts stand in quotes, tables in [brackets], questions in [[question]]"
    }
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.source.get(..at).map_or(1, |s| s.matches('\n').count() + 1)
    }

    fn error(&self, at: &Spanned<String>, what: String, mend: String) -> FlowError {
        FlowError { line: self.line(at.span().start), what, mend }
    }

    fn questions(&self, raw: Vec<RawQuestion>) -> Result<Vec<Question>, FlowError> {
        if raw.is_empty() {
            return Err(FlowError {
                line: 1,
                what: "the flow has no question".to_owned(),
                mend: "add at least one [[question]]".to_owned(),
            });
        }
        let mut questions: Vec<Question> = Vec::with_capacity(raw.len());
        for q in raw {
            let key = self.word(&q.key)?;
            let fills = self.slot(&q.fills)?;
            if fills == Slot::Text && (Slot::parse(&key).is_some() || key == "nationality_iso") {
                return Err(self.error(
                    &q.key,
                    format!("a question that fills text cannot have the key {key:?}"),
                    "choose a key of your own, for example \"branch\"".to_owned(),
                ));
            }
            if let Some(other) = questions.iter().find(|o| o.key == key || o.fills == fills && fills != Slot::Text) {
                return Err(self.error(
                    &q.key,
                    format!("question {key:?} repeats the key or the field of question {:?}", other.key),
                    "give each question its own key and field".to_owned(),
                ));
            }
            if q.en.is_empty() && q.ar.is_empty() {
                return Err(self.error(
                    &q.key,
                    format!("question {key:?} has no text"),
                    "add en = [\"…\"] or ar = [\"…\"]".to_owned(),
                ));
            }
            let list = |texts: Vec<Spanned<String>>| {
                texts.into_iter().map(|t| self.template(t)).collect::<Result<Vec<_>, _>>()
            };
            questions.push(Question { key, fills, en: list(q.en)?, ar: list(q.ar)? });
        }
        Ok(questions)
    }

    fn wish(&self, raw: RawWish) -> Result<Wish, FlowError> {
        let missing = raw.missing.iter().map(|m| self.slot(m)).collect::<Result<Vec<_>, _>>()?;
        let at = raw.missing.first().map_or(0, |m| m.span().start);
        if missing.is_empty() || missing.contains(&Slot::Text) {
            return Err(FlowError {
                line: self.line(at),
                what: "missing must list fields".to_owned(),
                mend: "for example missing = [\"email\", \"time\"]".to_owned(),
            });
        }
        Ok(Wish { missing, text: self.text(raw.en, raw.ar, at)? })
    }

    fn texts(&self, raw: RawTexts, into: &mut Texts) -> Result<(), FlowError> {
        let pairs = [
            (raw.not_understood, &mut into.not_understood),
            (raw.person, &mut into.person),
            (raw.noted, &mut into.noted),
            (raw.waiting, &mut into.waiting),
            (raw.media, &mut into.media),
            (raw.voice, &mut into.voice),
            (raw.unreadable, &mut into.unreadable),
            (raw.opted_out, &mut into.opted_out),
            (raw.opted_in, &mut into.opted_in),
            (raw.undone, &mut into.undone),
            (raw.closed, &mut into.closed),
            (raw.closed_long, &mut into.closed_long),
            (raw.complaint, &mut into.complaint),
            (raw.elsewhere, &mut into.elsewhere),
        ];
        for (text, place) in pairs {
            if let Some(text) = text {
                *place = self.text(text.en, text.ar, 0)?;
            }
        }
        Ok(())
    }

    fn text(&self, en: Option<Spanned<String>>, ar: Option<Spanned<String>>, at: usize) -> Result<Wording, FlowError> {
        if en.is_none() && ar.is_none() {
            return Err(FlowError {
                line: self.line(at),
                what: "a text has no language".to_owned(),
                mend: "add en = \"…\" or ar = \"…\"".to_owned(),
            });
        }
        Ok(Wording { en: en.map(|t| self.template(t)).transpose()?, ar: ar.map(|t| self.template(t)).transpose()? })
    }

    /// A text whose places are known and whose brackets close.
    fn template(&self, text: Spanned<String>) -> Result<String, FlowError> {
        let body = text.get_ref();
        if body.trim().is_empty() {
            return Err(self.error(
                &text,
                "a text is empty".to_owned(),
                "write the text or remove the line".to_owned(),
            ));
        }
        if body.chars().count() > LONGEST {
            return Err(self.error(
                &text,
                format!("a text is longer than {LONGEST} characters"),
                "shorten it".to_owned(),
            ));
        }
        if let Err((what, mend)) = check_text(body) {
            return Err(self.error(&text, what, mend));
        }
        Ok(text.into_inner())
    }

    fn slot(&self, text: &Spanned<String>) -> Result<Slot, FlowError> {
        Slot::parse(text.get_ref()).ok_or_else(|| {
            self.error(
                text,
                format!("there is no field {:?}", text.get_ref()),
                "use service, name, nationality, email, phone or time, or \"text\" for any answer".to_owned(),
            )
        })
    }

    /// A key: it travels in message keys and rows.
    fn word(&self, text: &Spanned<String>) -> Result<String, FlowError> {
        let word = text.get_ref();
        let fits = !word.is_empty()
            && word.len() <= 40
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if fits && word != "reply" {
            return Ok(word.clone());
        }
        Err(self.error(
            text,
            format!("{word:?} cannot be a key"),
            "use up to 40 of a-z, 0-9 and _, and not \"reply\"".to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_flow_names_line_fault_and_cure() {
        let good = "[[question]]\nkey = \"name\"\nfills = \"name\"\nen = [\"Name?\"]\n";
        let cases = [
            ("", 1, "no question"),
            ("name = \"x\"\n[[question]\n", 2, ""),
            ("[[question]]\nkey = \"a\"\nfills = \"shoe\"\nen = [\"?\"]", 3, "no field \"shoe\""),
            ("[[question]]\nkey = \"A b\"\nfills = \"name\"\nen = [\"?\"]", 2, "cannot be a key"),
            ("[[question]]\nkey = \"a\"\nfills = \"name\"\nen = [\"Hi {nme}\"]", 4, "{nme}"),
            ("[[question]]\nkey = \"a\"\nfills = \"name\"\nen = [\"Hi [there\"]", 4, "bracket"),
            ("[[question]]\nkey = \"a\"\nfills = \"name\"", 2, "has no text"),
            ("[[question]]\nkey = \"a\"\nfills = \"name\"\nen = \"one\"", 4, "invalid type"),
            (&format!("{good}{good}"), 6, "repeats"),
            (&format!("{good}[on.SHOPPING]\nen = \"x\""), 5, "no intent"),
            (&format!("{good}[texts.hello]\nen = \"x\""), 5, "unknown field"),
            (&format!("{good}[[done.ask]]\nmissing = []\nen = \"x\""), 1, "missing must list"),
        ];
        for (source, line, what) in cases {
            let error = read(source, &Flow::default()).expect_err(source);
            assert!(error.what.contains(what), "{source:?} gave {error}");
            assert_eq!(error.line, line, "{source:?} gave {error}");
            assert!(!error.mend.is_empty());
        }
    }
}
