//! Which of the built-in intents a message has by rule: weighed concepts of the lexicon. The trained classifier (`builtin`) listens to it
//! as to one sign among others.

use crate::lexicon::{Concept, Reading, set};
use crate::meaning::{Entities, Intent};
use crate::text::Kind;

/// Below this the intent is UNKNOWN (S3.3).
const FLOOR: f32 = 0.4;

/// The intent and how sure it is, 0 to 1.
pub(crate) fn read(reading: &Reading<'_>, entities: &Entities) -> (Intent, f32) {
    if reading.has(set(&[Concept::Injection])) || is_small_talk(reading) {
        return (Intent::Unknown, 0.9);
    }
    let scores = scores(reading, entities);
    let mut ranked: Vec<(Intent, f32)> = Intent::ALL.into_iter().zip(scores).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (best, second) = (ranked[0], ranked[1].1);
    let confidence = (best.1 / (best.1 + second * 0.6 + 0.6)).clamp(0.0, 0.99);
    let off_topic = reading.count(Concept::OffTopic) as f32;
    if off_topic > 0.0 && best.1 < 2.5 {
        return (Intent::Unknown, (0.6 + 0.1 * off_topic).min(0.95));
    }
    if best.1 <= 0.0 || confidence < FLOOR { (Intent::Unknown, 1.0 - confidence) } else { (best.0, confidence) }
}

/// One score for each of [`Intent::ALL`].
fn scores(reading: &Reading<'_>, entities: &Entities) -> [f32; 6] {
    let count = |concept| (reading.count(concept) as f32).min(3.0);
    let question = (0..reading.text.len()).any(|i| reading.text.kind(i) == Kind::Mark('?'));
    let thing = entities.service.is_some() || reading.has(set(&[Concept::ServiceHead, Concept::Thing]));
    let (price, negative, call) = (count(Concept::Price), count(Concept::Negative), count(Concept::Call));
    let (buy, want, available) = (count(Concept::Buy), count(Concept::Want), count(Concept::Available));
    // A wish for a thing is an order when nothing is asked about it.
    let wish = if want > 0.0 && thing && price == 0.0 && call == 0.0 { 0.9 } else { 0.0 };
    [
        buy * 1.1 + want.min(1.0) * 0.3 + wish - if question && available > 0.0 { 0.8 } else { 0.0 },
        price * 1.6,
        negative * 1.9,
        available * 1.1 + if question { 0.3 } else { 0.0 } - if price > 0.0 { 0.4 } else { 0.0 },
        call * 1.6 + if entities.time.is_some() && call > 0.0 { 0.6 } else { 0.0 },
        0.0,
    ]
}

/// Only a greeting, thanks, yes, no, or emoji.
pub(crate) fn is_small_talk(reading: &Reading<'_>) -> bool {
    let light = set(&[Concept::Greet, Concept::Thanks, Concept::Yes, Concept::No, Concept::Polite]);
    (0..reading.text.len()).all(|i| match reading.text.kind(i) {
        Kind::Word => {
            reading.is(i, light)
                || matches!(
                    reading.text.fold(i),
                    "you" | "u" | "all" | "to" | "for" | "and" | "the" | "يعني" | "ya" | "و" | "very" | "so" | "much"
                )
        }
        Kind::Number | Kind::Opaque => false,
        Kind::Mark(_) | Kind::Symbol => true,
    })
}
