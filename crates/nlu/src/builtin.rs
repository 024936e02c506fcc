//! The built-in intents (S3.4): the classifier over example phrases, with what the lexicon says of a message as one more kind of feature.
//!
//! Plain words reach less than half of lead messages with a few dozen phrases an intent over three ways of writing; concepts carry what
//! was learnt from one wording to another. Tenants' own intents are trained without them: there they hurt.

use std::collections::BTreeMap;

use crate::NluError;
use crate::classify::{Gram, concept, grams_of};
use crate::intent;
use crate::lexicon::{Concept, Reading, set};
use crate::meaning::{Entities, Intent};
use crate::text::Kind;

/// Concepts that say what a message is after; others only help to read it.
const TELLING: [(Concept, &str); 18] = [
    (Concept::Price, "price"),
    (Concept::Buy, "buy"),
    (Concept::Want, "want"),
    (Concept::Negative, "negative"),
    (Concept::Available, "available"),
    (Concept::Call, "call"),
    (Concept::Greet, "greet"),
    (Concept::Thanks, "thanks"),
    (Concept::Yes, "yes"),
    (Concept::No, "no"),
    (Concept::Polite, "polite"),
    (Concept::Human, "human"),
    (Concept::Injection, "injection"),
    (Concept::OffTopic, "off"),
    (Concept::ServiceHead, "service"),
    (Concept::Thing, "thing"),
    (Concept::SubjectCue, "subject"),
    (Concept::TimePast, "past"),
];

/// The example phrases as `(phrase, intent)`.
pub(crate) fn phrases() -> Result<Vec<(String, Intent)>, NluError> {
    let lists: BTreeMap<String, String> =
        toml::from_str(include_str!("../data/phrases.toml")).map_err(|e| NluError::Lexicon(e.to_string()))?;
    let mut out = Vec::new();
    for (name, list) in lists {
        let intent = Intent::parse(&name).ok_or_else(|| NluError::Lexicon(format!("no intent is called {name}")))?;
        out.extend(list.lines().map(str::trim).filter(|l| !l.is_empty()).map(|l| (l.to_owned(), intent)));
    }
    Ok(out)
}

/// The features of a message: its words, and what the lexicon and the extractors say of it.
pub(crate) fn features(reading: &Reading<'_>, entities: &Entities) -> Vec<Gram> {
    let mut out = Vec::with_capacity(reading.text.raw.len() * 6);
    grams_of(&reading.text, &mut out);
    let (rule, sure) = intent::read(reading, entities);
    let strength = if sure >= 0.7 { "sure" } else { "perhaps" };
    // Said twice, so that it weighs as much as a few concepts, and no more.
    out.extend([concept(&["rule", rule.as_str()]), concept(&["rule", rule.as_str()])]);
    out.push(concept(&["rule", rule.as_str(), strength]));
    concepts(reading, &mut out);
    signs(reading, entities, &mut out);
    out
}

/// Which concepts a message has, and in which order.
fn concepts(reading: &Reading<'_>, out: &mut Vec<Gram>) {
    let mut order: Vec<(usize, &str)> = Vec::new();
    for (which, name) in TELLING {
        let count = reading.count(which);
        if count > 0 {
            out.push(concept(&["has", name]));
            if count > 1 {
                out.push(concept(&["more", name]));
            }
            order.extend(reading.phrases(set(&[which])).map(|h| (h.from, name)));
        } else {
            out.push(concept(&["lacks", name]));
        }
    }
    order.sort_unstable();
    order.dedup_by_key(|o| o.1);
    for pair in order.windows(2) {
        out.push(concept(&["then", pair[0].1, pair[1].1]));
    }
    if let Some((_, last)) = order.last() {
        out.push(concept(&["last", last]));
    }
}

/// The question mark, the length, and which entities there are.
fn signs(reading: &Reading<'_>, entities: &Entities, out: &mut Vec<Gram>) {
    let question = (0..reading.text.len()).any(|i| reading.text.kind(i) == Kind::Mark('?'));
    let words = (0..reading.text.len()).filter(|&i| reading.text.is_word(i)).count();
    let length = match words {
        0 => "none",
        1 | 2 => "few",
        3..=6 => "some",
        _ => "many",
    };
    out.push(concept(&["length", length]));
    let signs = [
        ("question", question),
        ("service", entities.service.is_some()),
        ("time", entities.time.is_some()),
        ("name", entities.name.is_some()),
        ("nation", entities.nationality.is_some()),
        ("address", entities.email.is_some() || entities.phone.is_some()),
        ("quantity", entities.quantity.is_some()),
    ];
    for (name, holds) in signs {
        out.push(concept(&[if holds { "is" } else { "not" }, name]));
    }
}
