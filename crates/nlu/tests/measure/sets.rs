//! Public sets of intents: one text, one label.

use std::collections::BTreeMap;
use std::path::Path;

use nlu::classify::Classifier;

use super::Sequence;

/// Texts with their labels.
pub type Set = Vec<(String, String)>;

/// A CSV file of two columns with a head line, quoted as RFC 4180 says.
pub fn csv(path: &Path) -> std::io::Result<Set> {
    let text = std::fs::read_to_string(path)?;
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' => {}
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    let pair = |row: Vec<String>| <[String; 2]>::try_from(row).ok().map(|[text, label]| (text, label));
    Ok(rows.into_iter().skip(1).filter_map(pair).collect())
}

/// CLINC150 without its test set: `train`, `val`, `oos_train`, `oos_val`.
pub fn clinc(folder: &Path) -> std::io::Result<BTreeMap<String, Set>> {
    let text = std::fs::read_to_string(folder.join("clinc150/data_full_without_test.json"))?;
    serde_json::from_str(&text).map_err(std::io::Error::other)
}

/// `n` phrases of each label, chosen by `seed`.
pub fn shots(set: &[(String, String)], n: usize, seed: u64) -> Set {
    let mut by: BTreeMap<&str, Vec<&(String, String)>> = BTreeMap::new();
    for example in set {
        by.entry(&example.1).or_default().push(example);
    }
    let mut sequence = Sequence::new(seed);
    let mut out = Vec::new();
    for mut examples in by.into_values() {
        sequence.shuffle(&mut examples);
        out.extend(examples.into_iter().take(n).cloned());
    }
    out
}

/// The share of right labels, confidence aside, in percent.
pub fn accuracy(classifier: &Classifier, test: &[(String, String)]) -> f64 {
    percent(test, |(text, label)| classifier.classify(text).label == label)
}

/// At a threshold: the share of in-scope texts that are answered rightly, and of out-of-scope ones that are refused, in percent.
pub fn at(
    classifier: &Classifier,
    threshold: f32,
    inside: &[(String, String)],
    outside: &[(String, String)],
) -> (f64, f64) {
    let answered = percent(inside, |(text, label)| {
        let guess = classifier.classify(text);
        guess.label == label && guess.confidence >= threshold
    });
    (answered, percent(outside, |(text, _)| classifier.classify(text).confidence < threshold))
}

/// How far confidence is from the truth on average, over ten bins: the expected calibration error.
pub fn calibration_error(classifier: &Classifier, test: &[(String, String)]) -> f64 {
    let mut bins = [(0.0_f64, 0.0_f64, 0.0_f64); 10];
    for (text, label) in test {
        let guess = classifier.classify(text);
        let bin = &mut bins[((guess.confidence * 10.0) as usize).min(9)];
        bin.0 += 1.0;
        bin.1 += f64::from(guess.confidence);
        bin.2 += f64::from(u8::from(guess.label == label));
    }
    bins.iter().map(|(_, sure, right)| (sure - right).abs()).sum::<f64>() / (test.len().max(1) as f64)
}

/// The share of `items` that hold, in percent.
pub fn percent<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|i| holds(i)).count() as f64 * 100.0 / items.len().max(1) as f64
}
