//! STOP and START, in English, Arabic and Arabic in Latin letters (S3.10).

use crate::Suppression;
use crate::lexicon::{Concept, Reading, set};
use crate::text::Kind;

/// What the message says about being written to. Single words count only when nothing else is said: "stop" opts out,
/// "stop the renewal" does not; and a message that says how to be reached instead ("don't text, call me") is no opt-out.
pub(crate) fn read(reading: &Reading<'_>) -> Option<Suppression> {
    let words = (0..reading.text.len()).filter(|&i| matches!(reading.text.kind(i), Kind::Word | Kind::Number));
    let padding = set(&[Concept::Polite, Concept::Thanks, Concept::Greet]);
    let said: Vec<usize> = words
        .filter(|&i| !reading.is(i, padding) || reading.is(i, set(&[Concept::OptOutWhole, Concept::OptOut])))
        .collect();
    if said.is_empty() {
        return None;
    }
    let whole =
        |concept: Concept| reading.phrases(set(&[concept])).any(|h| said.iter().all(|i| (h.from..h.to).contains(i)));
    if whole(Concept::OptOutWhole) {
        return Some(Suppression::OptOut);
    }
    if whole(Concept::OptInWhole) {
        return Some(Suppression::OptIn);
    }
    let asks = set(&[Concept::Call, Concept::Price, Concept::Want, Concept::ServiceHead]);
    let out = reading.phrases(set(&[Concept::OptOut])).next()?;
    let other = said.iter().any(|i| !(out.from..out.to).contains(i) && reading.is(*i, asks));
    (said.len() <= 12 && !other).then_some(Suppression::OptOut)
}
