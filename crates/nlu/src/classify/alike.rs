//! Words that mean much the same (`data/alike.txt`): where phrases are few, what was learnt of "lost" helps with "misplaced". General words of
//! dealing with a business, for any set of intents; the six built-in intents have the lexicon, which knows more of their matter.

use super::grams::{bare_arabic, english_stem, hash};

/// The groups, by the hash of a word or of its stem; sorted.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    groups: Box<[(u64, u16)]>,
}

impl Alike {
    /// Reads the list. A word belongs to the first group that names it, and a stem to the first group that has it.
    pub(crate) fn new() -> Self {
        let list = include_str!("../../data/alike.txt");
        let lines = || list.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
        let mut groups: Vec<(u64, u16)> = Vec::new();
        for whole in [true, false] {
            for (group, line) in (0_u16..).zip(lines()) {
                let words = line.split_whitespace().map(|w| if whole { w } else { stem(w) });
                groups.extend(words.map(|w| (hash(0, &[w]), group)));
            }
        }
        // Stable: whole words before stems, earlier groups before later ones.
        groups.sort_by_key(|(hash, _)| *hash);
        groups.dedup_by_key(|(hash, _)| *hash);
        Self { groups: groups.into() }
    }

    /// The group of a word, by itself or by its stem.
    pub(crate) fn group(&self, word: &str) -> Option<u16> {
        let find = |w: &str| {
            let key = hash(0, &[w]);
            self.groups.binary_search_by_key(&key, |(hash, _)| *hash).ok().map(|at| self.groups[at].1)
        };
        find(word).or_else(|| find(stem(word)))
    }

    /// What it takes in memory, bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.groups.len() * size_of::<(u64, u16)>()
    }
}

/// A word without what may stand in front of it or behind.
pub(crate) fn stem(word: &str) -> &str {
    bare_arabic(word).unwrap_or_else(|| english_stem(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_group_meet_in_all_their_forms_and_others_do_not() {
        let alike = Alike::new();
        for (a, b) in [
            ("lost", "misplaced"),
            ("buying", "purchase"),
            ("cancel", "terminate"),
            ("deliveries", "delivered"),
            ("السعر", "بكم"),
        ] {
            assert!(alike.group(a).is_some() && alike.group(a) == alike.group(b), "{a} {b}");
        }
        assert_ne!(alike.group("buy"), alike.group("sell"));
        assert_eq!(alike.group("zebra"), None);
    }
}
