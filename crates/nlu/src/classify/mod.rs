//! A text classifier that trains on example phrases when the program starts: no network, no model file (S3.3).
//!
//! Words and pieces of words, weighed by how rare they are; a softmax regression; and a confidence that is fitted on answers to phrases the model had not seen, some of them of intents it had never heard of. Everything is
//! deterministic: the same phrases give the same model.

mod alike;
mod calibrate;
mod grams;
mod nearest;
mod softmax;

use alike::Alike;
use calibrate::{Calibration, Judged, SIGNS};
use grams::{Dictionary, Vector, grams};
pub(crate) use grams::{Gram, concept, grams_of};
pub use nearest::{Near, Nearest};
use softmax::{Sequence, Softmax, Steps};

/// The label of what belongs to no intent. Phrases may carry it; a left-out intent is rightly answered with it.
pub const UNKNOWN: &str = "UNKNOWN";

/// With at least this many phrases an intent, leaving out features in training helps; with fewer it
/// hurts a little and takes twice as long.
const MANY: usize = 75;
/// In how many parts the phrases are split to judge each by a model that has not seen it.
const FOLDS: usize = 5;
/// How much an answer to a left-out intent counts beside one to a known intent.
const OUT_WEIGHT: f32 = 0.06;

/// A trained classifier. Shared by reference; classifying takes `&self`.
#[derive(Debug, Default)]
pub struct Classifier {
    labels: Vec<String>,
    alike: Alike,
    dictionary: Dictionary,
    model: Softmax,
    calibration: Calibration,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess<'a> {
    /// The likeliest label.
    pub label: &'a str,
    /// The probability that it is right, 0 to 1; a text of an intent that nobody gave phrases for counts as wrong.
    pub confidence: f32,
}

struct Phrase {
    grams: Vec<Gram>,
    class: usize,
}

impl Classifier {
    /// Trains on phrases with their labels. A label's own words count as a phrase too: `card_arrival` says what it means. Without a
    /// phrase, everything is [`UNKNOWN`] with confidence 0.
    #[must_use]
    pub fn train<T: AsRef<str>, L: AsRef<str>>(examples: &[(T, L)]) -> Self {
        let alike = Alike::new();
        let examples = examples.iter().map(|(text, label)| {
            let mut out = Vec::new();
            grams(text.as_ref(), &alike, &mut out);
            (out, label.as_ref())
        });
        let mut all: Vec<(Vec<Gram>, &str)> = examples.collect();
        let mut labels: Vec<&str> = all.iter().map(|(_, label)| *label).filter(|l| *l != UNKNOWN).collect();
        labels.sort_unstable();
        labels.dedup();
        for label in labels {
            let mut out = Vec::new();
            grams(&label.to_lowercase().replace('_', " "), &alike, &mut out);
            all.push((out, label));
        }
        Self { alike, ..Self::train_on(all.into_iter()) }
    }

    /// Trains on phrases that are features already.
    pub(crate) fn train_on<'a>(examples: impl Iterator<Item = (Vec<Gram>, &'a str)>) -> Self {
        let mut labels: Vec<String> = Vec::new();
        let mut phrases = Vec::new();
        for (grams, label) in examples {
            let class = labels.iter().position(|l| l == label).unwrap_or_else(|| {
                labels.push(label.to_owned());
                labels.len() - 1
            });
            phrases.push(Phrase { grams, class });
        }
        let all: Vec<usize> = (0..phrases.len()).collect();
        let (dictionary, model) = fit(&mut phrases, &all, labels.len());
        let calibration = cross_fit(&mut phrases, &labels);
        Self { labels, alike: Alike::default(), dictionary, model, calibration }
    }

    /// The likeliest label of a text and how sure it is.
    #[must_use]
    pub fn classify(&self, text: &str) -> Guess<'_> {
        let mut features = Vec::with_capacity(text.len() * 5);
        grams(text, &self.alike, &mut features);
        self.judge(&mut features)
    }

    /// The likeliest label of a text's features.
    pub(crate) fn judge(&self, features: &mut [Gram]) -> Guess<'_> {
        if self.labels.is_empty() {
            return Guess { label: UNKNOWN, confidence: 0.0 };
        }
        let vector = self.dictionary.weigh(features);
        let mut scores = vec![0.0; self.labels.len()];
        self.model.scores(&vector, &mut scores);
        let (best, signs) = signs(&scores, &vector);
        Guess { label: &self.labels[best], confidence: self.calibration.confidence(&signs) }
    }

    /// What the model takes in memory, bytes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.alike.bytes()
            + self.dictionary.bytes()
            + self.model.bytes()
            + self.labels.iter().map(|l| l.capacity() + 24).sum::<usize>()
    }

    /// How many features it knows.
    #[must_use]
    pub fn features(&self) -> usize {
        self.dictionary.len()
    }
}

fn fit(phrases: &mut [Phrase], chosen: &[usize], classes: usize) -> (Dictionary, Softmax) {
    let mut present: Vec<usize> = chosen.iter().map(|&i| phrases[i].class).collect();
    present.sort_unstable();
    present.dedup();
    let thin = chosen.len() >= MANY * present.len();
    let dictionary = Dictionary::new(chosen.iter().map(|&i| phrases[i].grams.as_slice()), thin);
    let vectors: Vec<(Vector, usize)> =
        chosen.iter().map(|&i| (dictionary.weigh(&mut phrases[i].grams), phrases[i].class)).collect();
    let examples: Vec<(&Vector, usize)> = vectors.iter().map(|(v, c)| (v, *c)).collect();
    let (epochs, smooth) = if thin { (20, 0.0) } else { (10, 0.1) };
    let steps = Steps { thin, smooth, epochs, rate: 4.0, ease: 4.0 };
    let model = Softmax::train(&examples, dictionary.len(), classes, steps);
    (dictionary, model)
}

/// Judges every phrase by a model that has not seen it; in each fold a part of the intents is left out as well and plays "none of these".
fn cross_fit(phrases: &mut [Phrase], labels: &[String]) -> Calibration {
    let mut sequence = Sequence::new(11);
    let mut order: Vec<usize> = (0..phrases.len()).collect();
    sequence.shuffle(&mut order);
    let mut intents: Vec<usize> = (0..labels.len()).collect();
    sequence.shuffle(&mut intents);
    let mut judged = Vec::with_capacity(phrases.len() * 2);
    let mut fold_of = vec![0; phrases.len()];
    for (i, &p) in order.iter().enumerate() {
        fold_of[p] = i % FOLDS;
    }
    let mut group_of = vec![0; labels.len()];
    for (i, &c) in intents.iter().enumerate() {
        group_of[c] = i % FOLDS;
    }
    let mut scores = vec![0.0; labels.len()];
    for fold in 0..FOLDS {
        let kept: Vec<usize> =
            (0..phrases.len()).filter(|&p| fold_of[p] != fold && group_of[phrases[p].class] != fold).collect();
        if kept.is_empty() {
            continue;
        }
        let (dictionary, model) = fit(phrases, &kept, labels.len());
        for p in 0..phrases.len() {
            let out = group_of[phrases[p].class] == fold;
            if !out && fold_of[p] != fold {
                continue;
            }
            let class = phrases[p].class;
            let vector = dictionary.weigh(&mut phrases[p].grams);
            model.scores(&vector, &mut scores);
            // A class that was left out has all weights zero: it must not win or come second by that.
            for (c, s) in scores.iter_mut().enumerate() {
                if group_of[c] == fold {
                    *s = f32::NEG_INFINITY;
                }
            }
            let (best, signs) = signs(&scores, &vector);
            let right = best == class || out && labels[best] == UNKNOWN;
            judged.push(Judged { signs, right, weight: if out { OUT_WEIGHT } else { 1.0 } });
        }
    }
    Calibration::fit(&judged)
}

/// The best class and what speaks for and against it.
fn signs(scores: &[f32], vector: &Vector) -> (usize, [f32; SIGNS]) {
    let (mut best, mut second) = (0, f32::NEG_INFINITY);
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for (c, &s) in scores.iter().enumerate() {
        if s.is_finite() {
            sum += s;
            count += 1.0;
        }
        if s > scores[best] {
            second = scores[best];
            best = c;
        } else if c != best && s > second {
            second = s;
        }
    }
    if best == 0 && scores.len() > 1 {
        second = scores[1..].iter().copied().fold(f32::NEG_INFINITY, f32::max);
    }
    let top = scores[best];
    let mass: f32 = scores.iter().map(|s| (s - top).exp()).sum();
    let second = if second.is_finite() { second } else { top };
    (best, [top - sum / count.max(1.0), top - second, vector.known, vector.size.max(1.0).ln(), -mass.ln()])
}
