//! Labelled leads: intents with their confusions, and slots, by language.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use nlu::{Background, Entity, Intent, NluError, Reader, Slot, Understanding};
use serde::Deserialize;

use super::Sequence;

/// One labelled message; the README beside the data says how it was labelled.
#[derive(Clone, Deserialize)]
pub struct Lead {
    pub id: String,
    pub text: String,
    pub lang: String,
    pub intent: String,
    pub slots: BTreeMap<String, String>,
    #[serde(default)]
    pub norm: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub spans: BTreeMap<String, (usize, usize)>,
}

/// Reads a file of one lead a line.
pub fn read_set(jsonl: &str) -> Result<Vec<Lead>, serde_json::Error> {
    jsonl.lines().filter(|l| !l.trim().is_empty()).map(serde_json::from_str).collect()
}

/// Right, found and labelled.
#[derive(Default, Clone, Copy)]
pub struct Count {
    pub right: f64,
    pub found: f64,
    pub gold: f64,
}

impl Count {
    pub fn f1(self) -> f64 {
        if self.found + self.gold == 0.0 { 1.0 } else { 2.0 * self.right / (self.found + self.gold) }
    }

    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.found += other.found;
        self.gold += other.gold;
    }
}

/// The slots that are measured.
pub const SLOTS: [Slot; 7] =
    [Slot::Email, Slot::Phone, Slot::Nationality, Slot::Quantity, Slot::Time, Slot::Name, Slot::Service];

impl Lead {
    /// Where the label lies, in bytes.
    fn place(&self, slot: &str) -> Option<Range<usize>> {
        let byte = |n: usize| self.text.char_indices().nth(n).map_or(self.text.len(), |(at, _)| at);
        if let Some(&(start, end)) = self.spans.get(slot) {
            return Some(byte(start)..byte(end));
        }
        let label = self.slots.get(slot)?;
        let at = self.text.find(label)?;
        Some(at..at + label.len())
    }

    fn has(&self, slot: Slot) -> bool {
        self.slots.contains_key(slot.as_str()) || slot == Slot::Service && self.slots.contains_key("product")
    }

    /// E-mail, phone, nationality and quantity must have the right standard form; name the right words; time and service overlap their
    /// label (`product` counts as service: Barid keeps what is wanted in one field).
    fn is_right(&self, slot: Slot, entity: &Entity, seen: &Understanding) -> bool {
        let norm = |key: &str| self.norm.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let overlaps =
            |key: &str| self.place(key).is_some_and(|p| p.start < entity.place.end && entity.place.start < p.end);
        match slot {
            Slot::Email | Slot::Phone | Slot::Quantity => {
                norm(slot.as_str()).is_some_and(|n| n.eq_ignore_ascii_case(&entity.value))
            }
            Slot::Nationality => norm("nationality") == seen.entities.nationality_iso,
            Slot::Name => self.slots.get("name").is_some_and(|n| n.to_lowercase() == entity.value.to_lowercase()),
            Slot::Time => overlaps("time"),
            Slot::Service => overlaps("service") || overlaps("product"),
            Slot::Text => false,
        }
    }
}

/// Slot counts by slot and language, and what was missed, a line each.
#[derive(Default)]
pub struct Slots {
    pub by: BTreeMap<(Slot, String), Count>,
    pub missed: Vec<String>,
}

impl Slots {
    /// Reads all leads and compares the slots.
    pub fn measure(reader: &Reader, background: &Background, leads: &[Lead]) -> Self {
        let mut out = Self::default();
        for lead in leads {
            let seen = reader.read(&lead.text, background, None, None);
            for slot in SLOTS {
                let (gold, found) = (lead.has(slot), seen.entities.get(slot));
                let right = found.is_some_and(|e| gold && lead.is_right(slot, e, &seen));
                let one = |b: bool| f64::from(u8::from(b));
                out.by.entry((slot, lead.lang.clone())).or_default().add(Count {
                    right: one(right),
                    found: one(found.is_some()),
                    gold: one(gold),
                });
                if gold && !right || !gold && found.is_some() {
                    let label = lead.slots.get(slot.as_str()).or_else(|| lead.slots.get("product")).filter(|_| gold);
                    out.missed.push(format!(
                        "{} {}: label {label:?}, found {:?}",
                        lead.id,
                        slot.as_str(),
                        found.map(|e| &e.value)
                    ));
                }
            }
        }
        out
    }

    /// Over all languages.
    pub fn all(&self, slot: Slot) -> Count {
        let mut sum = Count::default();
        self.by.iter().filter(|((s, _), _)| *s == slot).for_each(|(_, c)| sum.add(*c));
        sum
    }

    /// A table: F1 by slot and language.
    pub fn table(&self) -> String {
        let mut out = format!("{:12} {:>6} {:>14} {:>14} {:>14}\n", "slot F1", "all", "en", "ar", "mixed");
        for slot in SLOTS {
            let _ = write!(out, "{:12} {:>6.3}", slot.as_str(), self.all(slot).f1());
            for lang in ["en", "ar", "mixed"] {
                let c = self.by.get(&(slot, lang.to_owned())).copied().unwrap_or_default();
                let _ = write!(out, " {:>6.3} (n {:>3})", c.f1(), c.gold);
            }
            out.push('\n');
        }
        out
    }
}

/// Predicted against labelled intents.
#[derive(Default)]
pub struct Confusion {
    pub counts: BTreeMap<(String, Intent, Intent), usize>,
    pub missed: Vec<String>,
}

impl Confusion {
    /// Adds the answers of one reader to these leads.
    pub fn add(&mut self, reader: &Reader, background: &Background, leads: &[&Lead]) {
        for lead in leads {
            let gold = Intent::parse(&lead.intent).unwrap_or(Intent::Unknown);
            let seen = reader.read(&lead.text, background, None, None);
            *self.counts.entry((lead.lang.clone(), gold, seen.intent)).or_default() += 1;
            if gold != seen.intent {
                self.missed.push(format!(
                    "{} {} taken for {} ({:.2})",
                    lead.id,
                    gold.as_str(),
                    seen.intent.as_str(),
                    seen.confidence
                ));
            }
        }
    }

    /// The share of right answers, in percent; of one language or of all.
    pub fn accuracy(&self, lang: Option<&str>) -> f64 {
        let (mut right, mut all) = (0_usize, 0_usize);
        for ((_, gold, found), n) in self.counts.iter().filter(|((l, _, _), _)| lang.is_none_or(|lang| l == lang)) {
            all += n;
            right += if gold == found { *n } else { 0 };
        }
        right as f64 * 100.0 / all.max(1) as f64
    }

    /// Accuracy by language, and the confusion table: rows are labels, columns answers.
    pub fn table(&self) -> String {
        let mut out = format!("accuracy {:.1} %", self.accuracy(None));
        for lang in ["en", "ar", "mixed"] {
            let _ = write!(out, ", {lang} {:.1}", self.accuracy(Some(lang)));
        }
        let _ = write!(out, "\n{:22}", "label \\ answer");
        for intent in Intent::ALL {
            let _ = write!(out, "{:>8}", intent.as_str().chars().take(6).collect::<String>());
        }
        for gold in Intent::ALL {
            let _ = write!(out, "\n{:22}", gold.as_str());
            for found in Intent::ALL {
                let n: usize =
                    self.counts.iter().filter(|((_, g, f), _)| *g == gold && *f == found).map(|(_, n)| n).sum();
                let _ = write!(out, "{n:>8}");
            }
        }
        out.push('\n');
        out
    }
}

/// Cross-validation in five parts, several times: each part is read by a reader whose intents were trained on the other four parts, and on
/// `beside` as well.
pub fn cross_validate(leads: &[Lead], beside: &[(String, Intent)], times: u64) -> Result<Confusion, NluError> {
    let background = Background::new(&[], "AE")?;
    let mut reader = Reader::new()?;
    let mut out = Confusion::default();
    for seed in 1..=times {
        let mut order: Vec<&Lead> = leads.iter().collect();
        Sequence::new(seed).shuffle(&mut order);
        order.sort_by(|a, b| a.intent.cmp(&b.intent));
        for fold in 0..5 {
            let mut train = beside.to_vec();
            train.extend(
                order
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| i % 5 != fold)
                    .filter_map(|(_, l)| Intent::parse(&l.intent).map(|intent| (l.text.clone(), intent))),
            );
            reader.learn(&train);
            let test: Vec<&Lead> = order.iter().enumerate().filter(|(i, _)| i % 5 == fold).map(|(_, l)| *l).collect();
            out.add(&reader, &background, &test);
        }
    }
    Ok(out)
}
