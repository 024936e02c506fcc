//! Which language to answer in.

use serde::{Deserialize, Serialize};

use crate::lexicon::{Concept, Lexicon, Reading, set};
use crate::text::Kind;

/// A language of replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    En,
    /// Arabic; Arabic in Latin letters ("abi", "bukra") is answered in Arabic too.
    #[serde(rename = "ar")]
    Ar,
}

impl Language {
    /// The ISO 639-1 code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ar => "ar",
        }
    }
}

/// The language that a message shows; `None` when it shows none (an address, a number, a name, an emoji), so that the conversation
/// stays with the one it has.
pub(crate) fn of(reading: &Reading<'_>, lexicon: &Lexicon) -> Option<Language> {
    let english = set(&[
        Concept::English,
        Concept::Greet,
        Concept::Thanks,
        Concept::Polite,
        Concept::ServiceHead,
        Concept::ServiceMod,
        Concept::Price,
        Concept::Want,
        Concept::Buy,
        Concept::TimeDay,
        Concept::Weekday,
    ]);
    let (mut ar, mut en, mut latin) = (0_usize, 0_usize, 0_usize);
    for i in (0..reading.text.len()).filter(|&i| reading.text.kind(i) == Kind::Word) {
        let word = reading.text.fold(i);
        let in_latin = reading.is(i, set(&[Concept::Arabizi])) && !reading.is(i, set(&[Concept::English]));
        if reading.text.is_arabic(i) || in_latin || arabizi_shape(word) {
            ar += 1;
        } else if word.is_ascii() {
            latin += 1;
            en += usize::from(reading.is(i, english) && lexicon.knows(word));
        }
    }
    match (ar, en) {
        (0, 0) => (latin >= 3).then_some(Language::En),
        _ if ar >= en.max(1) => Some(Language::Ar),
        _ => Some(Language::En),
    }
}

/// Digits that stand for Arabic letters inside a word ("3asr", "ba3d", "7abibi"), not "5pm", "25th", "2bhk".
fn arabizi_shape(word: &str) -> bool {
    let bytes = word.as_bytes();
    let letters = bytes.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let digits = bytes.len() - letters;
    let inside = bytes.windows(2).any(|w| w[0].is_ascii_alphabetic() && b"2356789".contains(&w[1]))
        && bytes.last().is_some_and(u8::is_ascii_alphabetic);
    let leading = bytes.first().is_some_and(|b| b"379".contains(b)) && letters >= 3 && digits == 1;
    word.is_ascii()
        && digits <= 2
        && letters >= 2
        && (inside || leading)
        && !["am", "pm", "th", "nd", "rd", "st", "bhk", "day", "days", "pcs", "gb", "persons"]
            .iter()
            .any(|t| word.trim_start_matches(|c: char| c.is_ascii_digit()) == *t)
}
