//! How near a text is to phrases: a tenant's five against the hundreds of the built-in intents, among which a regression would lose them.

use super::alike::Alike;
use super::grams::{Dictionary, Vector, grams};

/// Phrases of two sides, and how much alike a text is to the nearest of each.
#[derive(Debug, Default)]
pub struct Nearest {
    alike: Alike,
    dictionary: Dictionary,
    /// By feature: which phrases have it, and how much.
    postings: Vec<Vec<(u32, f32)>>,
    /// The length of each phrase's vector, and its side: the label's number, or none for the others.
    phrases: Vec<(f32, Option<usize>)>,
    labels: Vec<String>,
}

/// How near a text is, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Near {
    /// To the nearest phrase of the label.
    pub own: f32,
    /// To the nearest phrase of the others.
    pub others: f32,
}

impl Nearest {
    /// `own` with their labels, `others` without.
    #[must_use]
    pub fn new<T: AsRef<str>, L: AsRef<str>, U: AsRef<str>>(own: &[(T, L)], others: &[U]) -> Self {
        let alike = Alike::new();
        let mut labels: Vec<String> = Vec::new();
        let mut sides = Vec::with_capacity(own.len() + others.len());
        let mut texts = Vec::with_capacity(own.len() + others.len());
        for (text, label) in own {
            let at = labels.iter().position(|l| l == label.as_ref()).unwrap_or_else(|| {
                labels.push(label.as_ref().to_owned());
                labels.len() - 1
            });
            sides.push(Some(at));
            texts.push(text.as_ref());
        }
        for text in others {
            sides.push(None);
            texts.push(text.as_ref());
        }
        let mut features: Vec<_> = texts
            .into_iter()
            .map(|text| {
                let mut out = Vec::new();
                grams(text, &alike, &mut out);
                out
            })
            .collect();
        let dictionary = Dictionary::new(features.iter().map(Vec::as_slice), false);
        let mut postings = vec![Vec::new(); dictionary.len()];
        let mut phrases = Vec::with_capacity(sides.len());
        for (n, (features, side)) in (0_u32..).zip(features.iter_mut().zip(sides)) {
            let vector = dictionary.weigh(features);
            phrases.push((length(&vector), side));
            for (feature, weight) in vector.items {
                postings[feature as usize].push((n, weight));
            }
        }
        Self { alike, dictionary, postings, phrases, labels }
    }

    /// How near a text is to a label's phrases, and to those of others.
    #[must_use]
    pub fn near(&self, text: &str, label: &str) -> Near {
        let Some(label) = self.labels.iter().position(|l| l == label) else { return Near::default() };
        let mut features = Vec::with_capacity(text.len() * 5);
        grams(text, &self.alike, &mut features);
        let vector = self.dictionary.weigh(&mut features);
        let mut shared = vec![0.0_f32; self.phrases.len()];
        for &(feature, weight) in &vector.items {
            for &(phrase, other) in &self.postings[feature as usize] {
                shared[phrase as usize] += weight * other;
            }
        }
        // What nobody knows of a text makes it less near to everything.
        let scale = vector.known.sqrt() / length(&vector).max(1e-6);
        let mut near = Near::default();
        for (shared, (length, side)) in shared.iter().zip(&self.phrases) {
            let alike = shared * scale / length.max(1e-6);
            match side {
                Some(at) if *at == label => near.own = near.own.max(alike),
                None => near.others = near.others.max(alike),
                Some(_) => {}
            }
        }
        near
    }
}

fn length(vector: &Vector) -> f32 {
    vector.items.iter().map(|(_, w)| w * w).sum::<f32>().sqrt()
}
