//! From a text to weighted features: words, pairs of words and pieces of words, each a number in an exact dictionary.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::alike::{Alike, stem};
use crate::text::{Kind, Text, is_arabic};

/// The kinds of features. Each kind is scaled to a length of its own, so that the many pieces of words do not drown the words.
pub(crate) const BLOCKS: usize = 5;
/// Words, stems, and neighbours.
const WORDS: u8 = 0;
/// Pieces of words: what survives a slip of the finger.
const PIECES: u8 = 1;
/// Two stems of one text, wherever they stand.
const PAIRS: u8 = 2;
/// What the lexicon says of the text; for the built-in intents only.
const CONCEPTS: u8 = 3;
/// Groups of words that mean much the same, alone and two of one text; not for the built-in intents.
const SENSES: u8 = 4;
/// The length of each kind, tuned by cross-validation on training sets: pieces carry most when phrases are few.
const LENGTHS: [f32; BLOCKS] = [0.8, 1.0, 0.5, 1.0, 0.8];
/// The last one's where phrases are many: words then speak for themselves.
const SENSES_OF_MANY: f32 = 0.4;
/// Stems further apart than this make no pair, and of very long texts only the beginning makes features: time stays bounded.
const REACH: usize = 8;
const MOST_WORDS: usize = 120;

/// One feature of a text: which kind, and the hash of what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gram {
    /// Which kind.
    pub(crate) block: u8,
    /// What, as a hash of 64 bits: two different features never meet in practice.
    pub(crate) hash: u64,
}

/// A text's weighted features, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vector {
    /// Numbers and weights.
    pub(crate) items: Vec<(u32, f32)>,
    /// How much of the text was known, 0 to 1.
    pub(crate) known: f32,
    /// How many features the text has.
    pub(crate) size: f32,
}

/// Hashes are hashed already.
#[derive(Default)]
pub(crate) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = (self.0 ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// FNV-1a with a finishing mix: the same on every machine and in every version.
pub(super) fn hash(block: u8, parts: &[&str]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(block);
    for part in parts {
        for b in part.as_bytes() {
            h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
        h = (h ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    }
    mix(h)
}

fn mix(mut h: u64) -> u64 {
    h ^= h >> 32;
    h = h.wrapping_mul(0xd6e8_feb8_6659_fd93);
    h ^ (h >> 32)
}

/// A feature of one group of words, or of two: in a row, or anywhere.
fn sense(how: u64, a: u16, b: u16) -> Gram {
    Gram { block: SENSES, hash: mix(0x5e75_e000_0000_0000 | how << 32 | u64::from(a) << 16 | u64::from(b)) }
}

/// A feature of a kind.
fn own(block: u8, parts: &[&str]) -> Gram {
    Gram { block, hash: hash(block, parts) }
}

/// A feature that is no part of the text: what the lexicon says of it.
pub(crate) fn concept(parts: &[&str]) -> Gram {
    own(CONCEPTS, parts)
}

/// The features of a text for intents of any kind.
pub(crate) fn grams(raw: &str, alike: &Alike, out: &mut Vec<Gram>) {
    let text = Text::new(types::text::preview(raw, 2_000), &[], |_| None);
    grams_of(&text, out);
    senses(&text, alike, out);
}

/// The groups of a text's words: alone, in a row, and two anywhere.
fn senses(text: &Text<'_>, alike: &Alike, out: &mut Vec<Gram>) {
    let words = (0..text.len().min(MOST_WORDS)).filter(|&i| text.is_word(i));
    let mut seen: Vec<u16> = Vec::with_capacity(16);
    for group in words.filter_map(|i| alike.group(text.fold(i))) {
        out.push(sense(1, group, 0));
        if let Some(before) = seen.last() {
            out.push(sense(2, *before, group));
        }
        out.extend(seen.iter().rev().take(REACH - 1).map(|o| sense(3, group.min(*o), group.max(*o))));
        seen.push(group);
    }
}

/// The features of a text that is cut already: single words, neighbours, stems, pairs of stems, and pieces of two to five letters
/// inside each word.
pub(crate) fn grams_of(text: &Text<'_>, out: &mut Vec<Gram>) {
    let mut last = "<";
    let mut stems: Vec<&str> = Vec::with_capacity(16);
    let mut borders: Vec<usize> = Vec::with_capacity(32);
    for i in 0..text.len().min(MOST_WORDS) {
        let (word, whole) = match text.kind(i) {
            Kind::Word => (text.fold(i), true),
            Kind::Number => (shape(text.fold(i)), false),
            Kind::Mark('?') => ("?", false),
            Kind::Symbol => (text.fold(i), false),
            Kind::Opaque => ("@", false),
            Kind::Mark(_) => continue,
        };
        out.push(own(WORDS, &[word]));
        out.push(own(WORDS, &[last, word]));
        if let Some(bare) = bare_arabic(word) {
            out.push(own(WORDS, &[bare]));
        }
        pieces(word, &mut borders, out);
        if whole {
            let stem = stem(word);
            if let Some(before) = stems.last() {
                out.push(own(WORDS, &["stem", before, stem]));
            }
            out.push(own(WORDS, &["stem", stem]));
            for other in stems.iter().rev().take(REACH - 1) {
                let (a, b) = if *other < stem { (*other, stem) } else { (stem, *other) };
                out.push(own(PAIRS, &[a, b]));
            }
            stems.push(stem);
        }
        last = word;
    }
    if last != "<" {
        out.push(own(WORDS, &[last, ">"]));
    }
}

/// The pieces of two to five letters of a word, its borders among them.
fn pieces(word: &str, borders: &mut Vec<usize>, out: &mut Vec<Gram>) {
    let mut padded = [b' '; 66];
    let word = types::text::preview(word, 16);
    let Some(inside) = padded.get_mut(1..=word.len()) else { return };
    inside.copy_from_slice(word.as_bytes());
    let Ok(padded) = std::str::from_utf8(&padded[..word.len() + 2]) else { return };
    borders.clear();
    borders.extend(padded.char_indices().map(|(at, _)| at));
    borders.push(padded.len());
    for n in 2..=5 {
        for window in borders.windows(n + 1) {
            out.push(own(PIECES, &[&padded[window[0]..window[n]]]));
        }
    }
}

/// An English word without its ending, roughly: "charged", "charges" and "charging" meet.
pub(super) fn english_stem(word: &str) -> &str {
    const ENDINGS: [&str; 15] =
        ["ations", "ation", "ingly", "ments", "ment", "ings", "ing", "edly", "ed", "ies", "es", "s", "er", "ly", "y"];
    if word.len() < 4 || !word.is_ascii() {
        return word;
    }
    let cut = ENDINGS.iter().find_map(|e| word.strip_suffix(e).filter(|r| r.len() >= 3));
    let stem = cut.unwrap_or(word);
    let bytes = stem.as_bytes();
    let doubled = cut.is_some() && bytes.len() > 3 && bytes[bytes.len() - 1] == bytes[bytes.len() - 2];
    if doubled && !b"ls".contains(&bytes[bytes.len() - 1]) {
        return &stem[..stem.len() - 1];
    }
    stem.strip_suffix('e').filter(|r| r.len() >= 3).unwrap_or(stem)
}

/// A number by its form: which number it is says little of what is wanted.
fn shape(number: &str) -> &'static str {
    match number.len() {
        1 => "#1",
        2 => "#2",
        3 | 4 => "#3",
        _ => "#5",
    }
}

/// An Arabic word without "and", "with", "for" and the article.
pub(super) fn bare_arabic(word: &str) -> Option<&str> {
    if !word.starts_with(is_arabic) {
        return None;
    }
    ["وال", "بال", "فال", "كال", "ولل", "ال", "لل", "و", "ب", "ل", "ف"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix).filter(|rest| rest.chars().count() >= 3))
}

/// The numbers of all features seen in training, and how telling each is.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    numbers: HashMap<u64, u32, BuildHasherDefault<Same>>,
    idf: Vec<f32>,
    rarest: f32,
    lengths: [f32; BLOCKS],
}

impl Dictionary {
    /// Numbers the features of these texts in the order they come; `many`: there are phrases in plenty.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a [Gram]>, many: bool) -> Self {
        let mut numbers: HashMap<u64, u32, BuildHasherDefault<Same>> = HashMap::default();
        let mut seen_in: Vec<(u32, u32)> = Vec::new();
        let mut count = 0_u32;
        for text in texts {
            count += 1;
            for gram in text {
                let next = u32::try_from(seen_in.len()).unwrap_or(u32::MAX);
                let number = *numbers.entry(gram.hash).or_insert(next);
                if number == next {
                    seen_in.push((0, 0));
                }
                let entry = &mut seen_in[number as usize];
                if entry.1 != count {
                    *entry = (entry.0 + 1, count);
                }
            }
        }
        let total = f64::from(count);
        let idf = seen_in.iter().map(|(n, _)| (((1.0 + total) / (1.0 + f64::from(*n))).ln() + 1.0) as f32).collect();
        let mut lengths = LENGTHS;
        if many {
            lengths[usize::from(SENSES)] = SENSES_OF_MANY;
        }
        Self { numbers, idf, rarest: (((1.0 + total) / 2.0).ln() + 1.0) as f32, lengths }
    }

    /// How many features there are.
    pub(crate) fn len(&self) -> usize {
        self.idf.len()
    }

    /// What it takes in memory, bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.numbers.capacity() * 17 + self.idf.capacity() * 4
    }

    /// Weighs a text: (1 + ln tf) · idf, each kind scaled to its length. `grams` is sorted on the way.
    pub(crate) fn weigh(&self, grams: &mut [Gram]) -> Vector {
        grams.sort_unstable();
        let mut vector = Vector { items: Vec::with_capacity(grams.len()), known: 0.0, size: grams.len() as f32 };
        let mut lengths = [0.0_f32; BLOCKS];
        let (mut known, mut all) = (0.0_f32, 0.0_f32);
        let mut start_of = [0_usize; BLOCKS + 1];
        for same in grams.chunk_by(|a, b| a == b) {
            let block = usize::from(same[0].block);
            let tf = if same.len() == 1 { 1.0 } else { 1.0 + (same.len() as f32).ln() };
            if let Some(&number) = self.numbers.get(&same[0].hash) {
                let weight = tf * self.idf[number as usize];
                lengths[block] += weight * weight;
                if same[0].block <= PIECES {
                    known += weight * weight;
                    all += weight * weight;
                }
                vector.items.push((number, weight));
                start_of[block + 1] = vector.items.len();
            } else if same[0].block <= PIECES {
                all += (tf * self.rarest).powi(2);
            }
        }
        for b in 0..BLOCKS {
            let (start, end) = (start_of[b], start_of[b + 1].max(start_of[b]));
            start_of[b + 1] = end;
            let length = lengths[b].sqrt();
            for item in &mut vector.items[start..end] {
                item.1 *= self.lengths[b] / length.max(1e-6);
            }
        }
        vector.known = if all > 0.0 { known / all } else { 0.0 };
        vector
    }
}
