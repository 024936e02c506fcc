//! Understanding measured on labelled leads: a small set of our own, held here, and the larger development set when `BARID_FIXTURES` is
//! set (its folder holds `nlu/leads_dev.jsonl`). The figures are printed with `--nocapture`; the floors are what was reached.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail loudly too")]

use std::collections::BTreeMap;

use engine::understand::{Background, Reader};
use engine::{Intent, Slot};
use serde::Deserialize;

#[derive(Deserialize)]
struct Lead {
    id: String,
    text: String,
    lang: String,
    intent: String,
    slots: BTreeMap<String, String>,
    #[serde(default)]
    norm: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    spans: BTreeMap<String, (usize, usize)>,
}

#[derive(Default, Clone, Copy)]
struct Count {
    right: f64,
    found: f64,
    gold: f64,
}

impl Count {
    fn precision(self) -> f64 {
        if self.found == 0.0 { 1.0 } else { self.right / self.found }
    }
    fn recall(self) -> f64 {
        if self.gold == 0.0 { 1.0 } else { self.right / self.gold }
    }
    fn f1(self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        if p + r == 0.0 { 0.0 } else { 2.0 * p * r / (p + r) }
    }
}

const SLOTS: [Slot; 6] = [Slot::Service, Slot::Name, Slot::Nationality, Slot::Email, Slot::Phone, Slot::Time];

/// Where the label lies, in bytes.
fn place(lead: &Lead, slot: &str) -> Option<std::ops::Range<usize>> {
    let byte = |n: usize| lead.text.char_indices().nth(n).map_or(lead.text.len(), |(at, _)| at);
    if let Some(&(start, end)) = lead.spans.get(slot) {
        return Some(byte(start)..byte(end));
    }
    let at = lead.text.find(lead.slots.get(slot)?)?;
    Some(at..at + lead.slots[slot].len())
}

/// E-mail, phone and nationality must have the right standard form; name the right words; time and service overlap their label.
fn is_right(lead: &Lead, slot: Slot, entity: &engine::understand::Entity, iso: Option<&str>) -> bool {
    let norm = |key: &str| lead.norm.get(key).and_then(|v| v.as_str()).map(str::to_owned);
    let overlaps =
        |key: &str| place(lead, key).is_some_and(|p| p.start < entity.place.end && entity.place.start < p.end);
    match slot {
        Slot::Email => norm("email").as_deref() == Some(entity.value.as_str()),
        Slot::Phone => norm("phone").as_deref() == Some(entity.value.as_str()),
        Slot::Nationality => norm("nationality").as_deref() == iso,
        Slot::Name => lead.slots.get("name").is_some_and(|n| n.to_lowercase() == entity.value.to_lowercase()),
        Slot::Time => overlaps("time"),
        Slot::Service => overlaps("service") || overlaps("product"),
        Slot::Text => false,
    }
}

struct Score {
    slots: BTreeMap<(Slot, String), Count>,
    exact_service: (f64, f64),
    intents: (usize, usize),
}

impl Score {
    fn of(&self, slot: Slot) -> Count {
        self.slots.iter().filter(|((s, _), _)| *s == slot).fold(Count::default(), |a, (_, b)| Count {
            right: a.right + b.right,
            found: a.found + b.found,
            gold: a.gold + b.gold,
        })
    }
}

fn measure(leads: &[Lead]) -> Score {
    let reader = Reader::new().unwrap();
    let background = Background::new(&[], "AE").unwrap();
    let mut score = Score { slots: BTreeMap::new(), exact_service: (0.0, 0.0), intents: (0, 0) };
    for lead in leads {
        let seen = reader.read(&lead.text, &background, None, None);
        score.intents.1 += 1;
        if seen.intent.as_str() == lead.intent {
            score.intents.0 += 1;
        } else {
            println!(
                "{} {} is {} ({:.2}): {}",
                lead.id,
                lead.intent,
                seen.intent.as_str(),
                seen.confidence,
                lead.text.replace('\n', " / ")
            );
        }
        for slot in SLOTS {
            let gold =
                lead.slots.contains_key(slot.as_str()) || slot == Slot::Service && lead.slots.contains_key("product");
            let count = score.slots.entry((slot, lead.lang.clone())).or_default();
            count.gold += f64::from(u8::from(gold));
            let found = seen.entities.get(slot);
            let right = found.is_some_and(|e| is_right(lead, slot, e, seen.entities.nationality_iso.as_deref()));
            count.found += f64::from(u8::from(found.is_some()));
            count.right += f64::from(u8::from(right));
            if slot == Slot::Service && gold {
                let label = lead.slots.get("service").or_else(|| lead.slots.get("product")).unwrap();
                score.exact_service.1 += 1.0;
                score.exact_service.0 +=
                    f64::from(u8::from(found.is_some_and(|e| e.value.to_lowercase() == label.to_lowercase())));
            }
            if gold != found.is_some() || !right && gold {
                let label =
                    lead.slots.get(slot.as_str()).or_else(|| lead.slots.get("product")).map_or("-", String::as_str);
                println!(
                    "{} {} label {:?} found {:?}: {}",
                    lead.id,
                    slot.as_str(),
                    if gold { label } else { "-" },
                    found.map(|e| &e.value),
                    lead.text.replace('\n', " / ")
                );
            }
        }
    }
    for slot in SLOTS {
        for ((s, lang), c) in score.slots.iter().filter(|((s, _), _)| *s == slot) {
            println!(
                "{:12} {lang:6} P {:.2} R {:.2} F1 {:.2} ({} labels)",
                s.as_str(),
                c.precision(),
                c.recall(),
                c.f1(),
                c.gold
            );
        }
        println!("{:12} all    F1 {:.3}", slot.as_str(), score.of(slot).f1());
    }
    println!("service word for word: {:.2}", score.exact_service.0 / score.exact_service.1.max(1.0));
    println!("intent: {:.3}", score.intents.0 as f64 / score.intents.1.max(1) as f64);
    score
}

fn read_set(jsonl: &str) -> Vec<Lead> {
    jsonl.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The development set: the author of the rules has seen it, so the figures are optimistic.
#[test]
fn slots_of_the_development_leads_reach_their_floors() {
    let Some(folder) = std::env::var_os("BARID_FIXTURES") else { return };
    let path = std::path::Path::new(&folder).join("nlu/leads_dev.jsonl");
    let score = measure(&read_set(&std::fs::read_to_string(path).unwrap()));
    for (slot, floor) in [
        (Slot::Email, 1.0),
        (Slot::Phone, 1.0),
        (Slot::Nationality, 0.95),
        (Slot::Time, 0.93),
        (Slot::Name, 0.95),
        (Slot::Service, 0.88),
    ] {
        assert!(score.of(slot).f1() >= floor, "{} is {:.3}, floor {floor}", slot.as_str(), score.of(slot).f1());
    }
    assert!(score.intents.0 * 10 >= score.intents.1 * 9, "intents: {:?}", score.intents);
    assert_eq!(Intent::ALL.len(), 6);
}

/// Everyday English of all kinds (CLINC150, development part): hardly any of it may be taken for a name or a nationality, not even while
/// the question for one is open.
#[test]
fn everyday_sentences_are_no_names_and_no_nationalities() {
    let Some(folder) = std::env::var_os("BARID_FIXTURES") else { return };
    let path = std::path::Path::new(&folder).join("nlu/clinc150/data_full_without_test.json");
    let data: BTreeMap<String, Vec<(String, String)>> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let reader = Reader::new().unwrap();
    let background = Background::new(&[], "AE").unwrap();
    // Sentences that do say a name or where someone is from are kept out.
    let sentences: Vec<&String> = data["val"]
        .iter()
        .chain(&data["oos_val"])
        .filter(|(_, label)| !matches!(label.as_str(), "change_user_name" | "user_name" | "where_are_you_from"))
        .filter(|(t, _)| !t.contains("under the name") && !t.starts_with("stop"))
        .map(|(t, _)| t)
        .collect();
    let mut wrong = BTreeMap::<&str, usize>::new();
    for text in &sentences {
        let cold = reader.read(text, &background, None, None).entities;
        let named = reader.read(text, &background, Some(Slot::Name), None).entities;
        for (what, found) in [
            ("name, not asked", cold.name.map(|e| e.value)),
            ("name, asked", named.name.map(|e| e.value)),
            ("nationality", cold.nationality.map(|e| e.value)),
            ("phone", cold.phone.map(|e| e.value)),
        ] {
            if let Some(value) = found {
                *wrong.entry(what).or_default() += 1;
                println!("{what}: {value:?} in {text:?}");
            }
        }
        let out = reader.read(text, &background, None, None);
        if out.suppress.is_some() || out.injection {
            *wrong.entry("suppressed").or_default() += 1;
            println!("suppressed: {text:?}");
        }
    }
    println!("{} sentences, taken wrongly: {wrong:?}", sentences.len());
    for (what, count) in wrong {
        assert!(count * 100 <= sentences.len(), "{what}: {count} of {}", sentences.len());
    }
}
