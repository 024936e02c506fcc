//! The person's name: behind a cue ("my name is", "اسمي"), as a signature or an item of a list of answers, or as the bare answer to the
//! open question. Rubbish is worse than nothing here: what may be a word is no name unless a cue says so.

use std::ops::Range;

use crate::lexicon::{Concept, NO_NAME, Reading, set};
use crate::nationality;
use crate::text::{Kind, fold};

/// A name found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where.
    pub(crate) tokens: Range<usize>,
    /// The name, with capitals where the person wrote none.
    pub(crate) value: String,
    /// Whether a cue introduced it.
    pub(crate) explicit: bool,
}

/// How much the place of a word says for its being a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind "my name is".
    Cued,
    /// Behind "I am".
    Said,
    /// The answer to the question.
    Answer,
    /// Alone in a clause.
    Listed,
}

const SOFT: u64 = set(&[
    Concept::Greet,
    Concept::Yes,
    Concept::Polite,
    Concept::Thanks,
    Concept::NameWeak,
    Concept::NameCue,
    Concept::NameLabel,
    Concept::Title,
    Concept::Regards,
]);

/// The name in a message.
pub(crate) fn read(
    reading: &Reading<'_>,
    nation: Option<&nationality::Found>,
    asked: bool,
    profile: Option<&str>,
) -> Option<Found> {
    let nation = nation.map(|n| n.tokens.clone()).unwrap_or_default();
    cued(reading, &nation)
        .or_else(|| said(reading, &nation))
        .or_else(|| if asked { answer(reading, &nation, profile) } else { None })
        .or_else(|| listed(reading, &nation))
        .and_then(|(tokens, explicit)| finish(reading, tokens, explicit))
}

fn cued(reading: &Reading<'_>, nation: &Range<usize>) -> Option<(Range<usize>, bool)> {
    for hit in reading.phrases(set(&[Concept::NameCue, Concept::NameLabel])) {
        let label = hit.bits & set(&[Concept::NameLabel]) != 0;
        let of_a_thing = hit.from > 0 && reading.is(hit.from - 1, set(&[Concept::NotPerson]));
        if of_a_thing || reading.is(hit.to, set(&[Concept::NotPerson])) && label {
            continue;
        }
        let mut at = hit.to;
        let mut marked = false;
        while matches!(reading.text.kind(at), Kind::Mark(':' | '-' | '=')) && at < reading.text.len()
            || matches!(reading.text.fold(at), "is" | "هو" | "هي")
        {
            marked |= matches!(reading.text.kind(at), Kind::Mark(_));
            at += 1;
        }
        // "in the name of my partner …", "my correct name is …".
        let aside = reading.is(at, set(&[Concept::PersonNoun]))
            || matches!(
                reading.text.fold(at),
                "الصحيح" | "الحقيقي" | "الكامل" | "بالكامل" | "my" | "correctly" | "كاملا"
            );
        if aside && !reading.is(at, set(&[Concept::Given])) && reading.text.is_word(at + 1) {
            at += 1 + usize::from(reading.is(at + 1, set(&[Concept::PersonNoun])));
        }
        let place = if label && !marked { Place::Said } else { Place::Cued };
        if let Some(run) = take(reading, at, place, nation) {
            return Some((run, true));
        }
    }
    None
}

fn said(reading: &Reading<'_>, nation: &Range<usize>) -> Option<(Range<usize>, bool)> {
    reading.phrases(set(&[Concept::NameWeak, Concept::Regards])).find_map(|hit| {
        let mut at = hit.to;
        while matches!(reading.text.kind(at), Kind::Mark(',' | '\n' | '-'))
            && hit.bits & set(&[Concept::Regards]) != 0
            && at < reading.text.len()
        {
            at += 1;
        }
        // "with you" inside a sentence introduces nobody.
        let opens = hit.from == 0 || reading.ends_clause(hit.from - 1) || reading.is(hit.from - 1, SOFT);
        take(reading, at, Place::Said, nation)
            .filter(|run| opens || !reading.text.is_arabic(run.start) || reading.is(run.start, set(&[Concept::Given])))
            .map(|run| (run, true))
    })
}

/// The answer to "may I have your name": the first clause that is a name and little else.
fn answer(reading: &Reading<'_>, nation: &Range<usize>, profile: Option<&str>) -> Option<(Range<usize>, bool)> {
    for clause in clauses(reading) {
        if reading.text.kind(clause.end) == Kind::Mark('?') && clause.end < reading.text.len() {
            continue;
        }
        let own = profile.is_some_and(|p| {
            clause.len() <= 4
                && !clause.is_empty()
                && fold(p).contains(&folded(reading, &clause))
                && clause.clone().all(|t| reading.text.is_word(t) && reading.text.fold(t).chars().count() > 1)
        });
        if own {
            return Some((clause, false));
        }
        let mut at = clause.start;
        while at < clause.end
            && reading.is(at, SOFT)
            && !(reading.is(at, set(&[Concept::Given]))
                && clause.end - at <= 3
                && !reading.is(at, set(&[Concept::Greet])))
        {
            at += 1;
        }
        if let Some(run) = take(reading, at, Place::Answer, nation)
            && follows_well(reading, &run, nation)
        {
            return Some((run, false));
        }
        // A name that comes after something else was said is a place, a word in a list, or introduced by a cue.
        if !clause.clone().all(|t| reading.is(t, SOFT)) {
            return None;
        }
    }
    None
}

fn folded(reading: &Reading<'_>, tokens: &Range<usize>) -> String {
    tokens.clone().map(|t| reading.text.fold(t)).collect::<Vec<_>>().join(" ")
}

/// What may stand behind a bare name: the clause's end, "from Egypt", a nationality, thanks.
fn follows_well(reading: &Reading<'_>, run: &Range<usize>, nation: &Range<usize>) -> bool {
    let at = run.end;
    // "Rashid and …" goes on about Rashid; "delete my …" is an order.
    let sure = reading.is(run.start, set(&[Concept::Given]))
        || reading.text.is_capital(run.start) && run.start > 0
        || reading.text.is_arabic(run.start);
    at >= reading.text.len()
        || reading.ends_clause(at)
        || nation.contains(&at)
        || reading.is(
            at,
            set(&[
                Concept::FromWord,
                Concept::Polite,
                Concept::Thanks,
                Concept::NationCue,
                Concept::PhoneCue,
                Concept::Greet,
                Concept::NameWeak,
            ]),
        )
        || sure && matches!(reading.text.fold(at), "and" | "here" | "is" | "و" | "w" | "my" | "i" | "هو")
        || reading.text.is_arabic(at) && reading.text.fold(at).starts_with('و')
}

/// A clause that is nothing but a name, in a message that says who someone is.
fn listed(reading: &Reading<'_>, nation: &Range<usize>) -> Option<(Range<usize>, bool)> {
    let company = !nation.is_empty() || reading.text.tokens.iter().any(|t| t.kind == Kind::Opaque);
    clauses(reading).into_iter().find_map(|clause| {
        let greets = clause.clone().take_while(|&t| reading.is(t, set(&[Concept::Greet]))).count();
        let run = take(reading, clause.start + greets, Place::Listed, nation)?;
        // "Maria Santos here, …", "Omar speaking".
        let here =
            run.end + 1 == clause.end && matches!(reading.text.fold(run.end), "here" | "speaking" | "معك" | "معاك");
        if here {
            return Some((run, true));
        }
        let whole = run.end == clause.end && greets == 0;
        let given = reading.is(run.start, set(&[Concept::Given]));
        let then_nation = run.end < clause.end
            && (reading.is(run.end, set(&[Concept::FromWord])) && nation.start == run.end + 1
                || nation.start == run.end);
        let signs = clause.end >= reading.text.len() && clause.start > 1
            || clause.start > 0 && reading.text.kind(clause.start - 1) == Kind::Mark('-');
        let fits = whole && (run.len() >= 2 && (company || signs || given) || given && company)
            || then_nation && (given || run.len() >= 2 && company);
        fits.then_some((run, false))
    })
}

/// The stretches between clause borders.
fn clauses(reading: &Reading<'_>) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for i in 0..=reading.text.len() {
        let initial = i > 0
            && reading.text.kind(i) == Kind::Mark('.')
            && reading.text.fold(i - 1).chars().count() == 1
            && reading.text.is_word(i + 1);
        if (i == reading.text.len() || reading.ends_clause(i)) && !initial {
            if i > start {
                out.push(start..i);
            }
            start = i + 1;
        }
    }
    out
}

/// The name that begins at the token, at most five words.
fn take(reading: &Reading<'_>, from: usize, place: Place, nation: &Range<usize>) -> Option<Range<usize>> {
    let mut at = from;
    while reading.is(at, set(&[Concept::Title])) && at < reading.text.len() && reading.text.is_word(at) {
        at += 1 + usize::from(reading.text.kind(at + 1) == Kind::Mark('.'));
    }
    let start = at;
    let mut end = at;
    while at < reading.text.len() && at - start < 6 {
        let initial_dot =
            reading.text.kind(at) == Kind::Mark('.') && at > start && reading.text.fold(at - 1).chars().count() == 1;
        if initial_dot {
            at += 1;
            continue;
        }
        if !fits(reading, at, place, nation, at == start) {
            break;
        }
        at += 1;
        if !reading.is(at - 1, set(&[Concept::NameJoint])) || reading.is(at - 1, set(&[Concept::Given])) {
            end = at;
        }
    }
    (end > start && first_fits(reading, start..end, place)).then_some(start..end)
}

/// Whether the word may be part of a name at such a place.
fn fits(reading: &Reading<'_>, at: usize, place: Place, nation: &Range<usize>, first: bool) -> bool {
    let word = reading.text.fold(at);
    let owns = reading.text.surface(at).ends_with("'s") || reading.text.surface(at).ends_with("’s");
    if !reading.text.is_word(at) || owns || word.bytes().any(|b| b.is_ascii_digit()) || unspeakable(word) {
        return false;
    }
    let is = |concepts: &[Concept]| reading.is(at, set(concepts));
    let article = reading.text.fold(at).starts_with("ال") && !first;
    if nation.contains(&at) && !article && !(place == Place::Cued && first) {
        return false;
    }
    if is(&[Concept::Given]) {
        return place == Place::Cued
            || !is(&[Concept::Greet, Concept::Thanks, Concept::Yes, Concept::No, Concept::Polite, Concept::NameCue]);
    }
    if is(&[Concept::NameJoint]) {
        return !is(&[Concept::FromWord]);
    }
    if reading.text.is_capital(at) && reading.is(at, set(&[Concept::FromWord])) {
        return false;
    }
    if word.chars().count() == 1 {
        return reading.text.is_capital(at);
    }
    let mended = reading.cover[at] != 0 && word != fold(reading.text.surface(at));
    let plain = reading.cover[at] & NO_NAME == 0
        && !is(&[
            Concept::FromWord,
            Concept::TimePrep,
            Concept::Skip,
            Concept::PersonNoun,
            Concept::ServiceTail,
            Concept::TimeMod,
        ])
        || mended
        || article;
    match place {
        Place::Cued | Place::Answer => plain,
        Place::Said => {
            plain
                && (!first || reading.text.is_capital(at) || reading.text.is_arabic(at) && reading.cover[at] == 0)
                && !verbal(word)
        }
        // Behind a given name an unknown word in small letters is the family's.
        Place::Listed => {
            plain
                && (reading.text.is_capital(at)
                    || !first && (reading.text.is_arabic(at) || reading.cover[at] == 0 && !verbal(word)))
        }
    }
}

/// Whether the run as a whole may be a name at such a place.
fn first_fits(reading: &Reading<'_>, run: Range<usize>, place: Place) -> bool {
    let given = reading.is(run.start, set(&[Concept::Given]));
    let arabic = reading.text.is_arabic(run.start);
    match place {
        Place::Cued => true,
        Place::Answer => given || run.len() <= 5 && !run.clone().all(|t| verbal(reading.text.fold(t))),
        // "انا خلفان" may be a name, "انا تعبت" is not: alone and unknown it needs a border behind it.
        Place::Said if arabic && !given => {
            run.len() >= 2
                || reading.is(run.end, set(&[Concept::FromWord]))
                || run.end < reading.text.len() && reading.ends_clause(run.end)
        }
        Place::Said => true,
        Place::Listed => given || !arabic && run.len() <= 4,
    }
}

/// Words made of verbs ("waiting", "confused"): people say "I am …" of many things.
fn verbal(word: &str) -> bool {
    word.len() > 4
        && (word.ends_with("ing")
            || word.ends_with("ed")
                && !matches!(
                    word,
                    "ahmed"
                        | "mohamed"
                        | "hamed"
                        | "saeed"
                        | "waleed"
                        | "fareed"
                        | "majed"
                        | "rashed"
                        | "khaled"
                        | "naveed"
                        | "javed"
                        | "mohammed"
                        | "muhammed"
                        | "nadeem"
                        | "zayed"
                        | "rasheed"
                        | "waheed"
                ))
}

/// Keys struck at random: five consonants in a row, or no vowel at all in four letters.
pub(crate) fn unspeakable(word: &str) -> bool {
    if !word.is_ascii() {
        return false;
    }
    let vowel = |b: u8| b"aeiouy".contains(&b);
    let longest = word.bytes().fold((0_u32, 0_u32), |(run, best), b| {
        let run = if vowel(b) { 0 } else { run + 1 };
        (run, best.max(run))
    });
    let shorthand = matches!(word, "mohd" | "mhmd" | "mhd" | "khld" | "ahmd");
    !shorthand && (longest.1 >= 5 || word.len() >= 4 && !word.bytes().any(vowel))
}

fn finish(reading: &Reading<'_>, tokens: Range<usize>, explicit: bool) -> Option<Found> {
    let raw = reading.text.span(&tokens);
    let words: Vec<String> = raw.split_whitespace().map(str::to_owned).collect();
    let plain = !raw.chars().any(char::is_uppercase) || raw.len() > 3 && !raw.chars().any(char::is_lowercase);
    let value = words.iter().map(|w| if plain { capitalised(w) } else { w.clone() }).collect::<Vec<_>>().join(" ");
    let letters = value.chars().filter(|c| c.is_alphabetic()).count();
    (letters >= 2 && value.chars().count() <= 80).then_some(Found { tokens, value, explicit })
}

fn capitalised(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut fresh = true;
    for c in word.chars() {
        if fresh {
            out.extend(c.to_uppercase())
        } else {
            out.extend(c.to_lowercase())
        }
        fresh = matches!(c, '-' | '\'' | '’');
    }
    out
}
