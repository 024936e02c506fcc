//! Nationality: demonyms and countries in English, Arabic and dialect, as ISO 3166 alpha-2.
//!
//! A country without a cue is where something comes from, goes to or happens; so a bare one counts only for the open question. A demonym
//! counts where it says something of a person: "I am Kenyan", "Priya, Indian", "for Syrian nationals", not "Chinese food".

use std::ops::Range;

use crate::lexicon::{Concept, Hit, Reading, set};
use crate::text::Kind;

/// A nationality found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where.
    pub(crate) tokens: Range<usize>,
    /// ISO 3166 alpha-2.
    pub(crate) iso: [u8; 2],
    /// Whether the person said it in so many words.
    pub(crate) explicit: bool,
}

/// The nationality of a message.
pub(crate) fn read(reading: &Reading<'_>, asked: bool) -> Option<Found> {
    let mut best: Option<(u8, Found)> = None;
    for hit in longest(reading) {
        let Some(score) = score(reading, &hit, asked) else { continue };
        if best.as_ref().is_none_or(|(s, _)| score > *s)
            && let Some(nation) = hit.nation
        {
            best = Some((score, Found { tokens: hit.from..hit.to, iso: nation.iso, explicit: score >= 3 }));
        }
    }
    best.map(|(_, found)| found)
}

/// The nation phrases, without those inside a longer one ("south african").
fn longest(reading: &Reading<'_>) -> Vec<Hit> {
    let mut out: Vec<Hit> = Vec::new();
    for hit in reading.hits.iter().filter(|h| h.nation.is_some()) {
        match out.last() {
            Some(last) if hit.to <= last.to => {}
            _ => out.push(*hit),
        }
    }
    out
}

/// How surely the phrase is the person's nationality: 4 said in so many words, 3 said of oneself, 2 in a list of answers,
/// 1 only because it was asked. `None`: it is not.
fn score(reading: &Reading<'_>, hit: &Hit, asked: bool) -> Option<u8> {
    let nation = hit.nation?;
    let before = |n: usize| hit.from.checked_sub(n);
    let prev = before(1);
    let is = |token: Option<usize>, concept: Concept| token.is_some_and(|t| reading.is(t, set(&[concept])));
    let denied = |t: usize| matches!(reading.text.fold(t), "not" | "non" | "غير" | "لغير" | "ghair" | "gheir");
    if is(prev, Concept::No) || before(1).is_some_and(denied) {
        return None;
    }
    if cued(reading, hit.from) {
        return Some(4);
    }
    if asked && said_us_as_pronoun(reading, hit) {
        return None;
    }
    let comes_from = is(prev, Concept::FromWord) && subject_is_the_person(reading, hit.from.saturating_sub(1));
    if nation.demonym {
        let next_is_person = reading.is(hit.to, set(&[Concept::NationAfter]));
        if next_is_person && !nation.weak {
            return Some(3);
        }
        if !nation.weak && (says_i_am(reading, hit.from) || comes_from) && ends_here(reading, hit.to) {
            return Some(3);
        }
        if !nation.weak && names_someone(reading, hit.from) && ends_here(reading, hit.to) {
            return Some(3);
        }
        // "can indians get", "للمصريين": the plural is said of people only.
        let possessive = reading.text.surface(hit.from).contains(['\'', '’']);
        if nation.people && !nation.weak && !possessive && !of_something(reading, hit) {
            return Some(2);
        }
        if !nation.weak && is(prev, Concept::PersonNoun) && ends_here(reading, hit.to) {
            return Some(2);
        }
        if !nation.weak
            && stands_alone(reading, hit)
            && (has_company(reading, hit) || hit.to - hit.from == reading.text.len())
        {
            return Some(2);
        }
        if asked && !of_something(reading, hit) {
            return Some(1);
        }
        return None;
    }
    if comes_from && (!nation.weak || !reading.has(set(&[Concept::NotOfPerson]))) {
        return Some(3);
    }
    if reading.is(hit.to, set(&[Concept::NationAfter])) && !reading.is(hit.to, set(&[Concept::NotOfPerson])) {
        return Some(3);
    }
    let resident = is(prev, Concept::TimeGlue) || is(before(2), Concept::NotOfPerson) || is(prev, Concept::NotOfPerson);
    (asked && !resident).then_some(1)
}

/// "nationality: X", "citizen of X", "الجنسية أردني".
fn cued(reading: &Reading<'_>, from: usize) -> bool {
    (1..=3).take_while(|n| *n <= from).any(|n| {
        let at = from - n;
        let between_fits = (at + 1..from).all(|t| {
            matches!(reading.text.kind(t), Kind::Mark(':' | '-' | '='))
                || matches!(reading.text.fold(t), "is" | "of" | "the" | "هي" | "هو" | "from" | "من" | "a")
        });
        between_fits && reading.is(at, set(&[Concept::NationCue]))
    })
}

/// "us" is a pronoun unless it is written in capitals or stands alone.
fn said_us_as_pronoun(reading: &Reading<'_>, hit: &Hit) -> bool {
    reading.text.fold(hit.from) == "us" && reading.text.surface(hit.from) != "US" && reading.text.len() > 2
}

/// "I am", "we are", "انا", "ana", with little between it and the word.
fn says_i_am(reading: &Reading<'_>, at: usize) -> bool {
    let me = set(&[Concept::NameWeak]);
    (1..=3).take_while(|n| *n <= at).any(|n| {
        let t = at - n;
        let pronoun = reading.is(t, me) || matches!(reading.text.fold(t), "are" | "was" | "being");
        pronoun
            && (t + 1..at).all(|b| {
                reading.is(b, me)
                    || matches!(
                        reading.text.fold(b),
                        "a" | "an" | "also" | "from" | "originally" | "its" | "اصلا" | "من"
                    )
            })
    })
}

/// "I am Karim Abdallah Egyptian": the words between "I am" and here are all of a name.
fn names_someone(reading: &Reading<'_>, at: usize) -> bool {
    let name = set(&[Concept::Given, Concept::NameJoint]);
    let first = (0..at).rev().take(5).take_while(|&t| reading.text.is_word(t) && reading.is(t, name)).last();
    first.is_some_and(|f| f > 0 && reading.is(f - 1, set(&[Concept::NameWeak, Concept::NameCue])))
}

/// The clause before "from" is about the person: empty, a greeting, "I am", or a short name. Not "shipping from".
fn subject_is_the_person(reading: &Reading<'_>, from_word: usize) -> bool {
    let mut start = from_word;
    while start > 0 && !reading.ends_clause(start - 1) {
        start -= 1;
    }
    let soft = set(&[
        Concept::Greet,
        Concept::NameWeak,
        Concept::NameCue,
        Concept::Yes,
        Concept::NameJoint,
        Concept::Given,
        Concept::Title,
        Concept::NameLabel,
    ]);
    let own = |t: usize| {
        reading.is(t, soft)
            || matches!(
                reading.text.fold(t),
                "am" | "is" | "and" | "are" | "we" | "originally" | "calling" | "i" | "و" | "here" | "coming"
            )
    };
    let foreign: Vec<usize> = (start..from_word).filter(|&t| !own(t)).collect();
    let unknown = foreign.iter().all(|&t| reading.cover[t] == 0 && reading.text.is_word(t));
    foreign.len() <= 3 && unknown && !(start..from_word).any(|t| reading.is(t, set(&[Concept::NotOfPerson])) && !own(t))
}

/// The clause goes no further, or goes on with a new thought.
fn ends_here(reading: &Reading<'_>, to: usize) -> bool {
    to >= reading.text.len()
        || reading.ends_clause(to)
        || reading.is(
            to,
            set(&[
                Concept::NationAfter,
                Concept::PersonNoun,
                Concept::FromWord,
                Concept::Given,
                Concept::Polite,
                Concept::Thanks,
                Concept::Greet,
            ]),
        )
        || matches!(
            reading.text.fold(to),
            "and"
                | "but"
                | "with"
                | "by"
                | "in"
                | "living"
                | "based"
                | "here"
                | "i"
                | "my"
                | "و"
                | "w"
                | "who"
                | "ismi"
                | "esmi"
                | "now"
                | "at"
        )
        || reading.text.fold(to).starts_with('و')
        || reading
            .is(to, set(&[Concept::Want, Concept::NameCue, Concept::NameLabel, Concept::PhoneCue, Concept::NameWeak]))
}

/// Between clause borders on both sides.
fn stands_alone(reading: &Reading<'_>, hit: &Hit) -> bool {
    let open = hit.from == 0
        || reading.ends_clause(hit.from - 1)
        || reading.is(hit.from - 1, set(&[Concept::Given]))
        || reading.text.is_capital(hit.from - 1) && !reading.is(hit.from - 1, set(&[Concept::English]));
    open && (hit.to >= reading.text.len() || reading.ends_clause(hit.to))
}

/// Something else in the message looks like an answer about the person: a name, an address, a number.
fn has_company(reading: &Reading<'_>, hit: &Hit) -> bool {
    (0..reading.text.len()).any(|t| {
        !(hit.from..hit.to).contains(&t)
            && (reading.text.kind(t) == Kind::Opaque
                || reading.is(t, set(&[Concept::Given]))
                || reading.text.is_capital(t) && reading.cover[t] == 0)
    })
}

/// "Chinese food", "Indian degree": said of a thing.
fn of_something(reading: &Reading<'_>, hit: &Hit) -> bool {
    reading.is(hit.to, set(&[Concept::NotOfPerson, Concept::ServiceHead]))
        && !reading.is(hit.to, set(&[Concept::NationAfter]))
}
