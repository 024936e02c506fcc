//! When to call, meet or deliver: the span of words that says it ("tomorrow after 4pm", "باجر العصر"). Nothing is converted to a clock:
//! what people mean by "after maghrib" is for the colleague who calls.

use std::ops::Range;

use crate::lexicon::{Concept, Reading, WHEN, set};
use crate::text::Kind;

/// What a token can be in an expression of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// Carries an expression alone: a day, a part of the day, "5pm", "any time".
    Anchor,
    /// Carries one only behind a preposition: a bare number.
    Number,
    /// "after", "between", "من": opens an expression.
    Preposition,
    /// "next", "the", "at", "صلاة": only inside.
    Glue,
    /// Ends it.
    Other,
}

/// The time of a message; the longest expression wins.
pub(crate) fn read(reading: &Reading<'_>, asked: bool) -> Option<Range<usize>> {
    let roles: Vec<Role> = (0..reading.text.len()).map(|i| role(reading, i, asked)).collect();
    let mut best: Option<(usize, Range<usize>)> = None;
    let mut at = 0;
    while at < roles.len() {
        if roles[at] == Role::Other {
            at += 1;
            continue;
        }
        let end = (at..roles.len()).find(|&i| roles[i] == Role::Other).unwrap_or(roles.len());
        if let Some((weight, span)) = expression(reading, &roles, at..end, asked)
            && best.as_ref().is_none_or(|(w, _)| weight > *w)
        {
            best = Some((weight, span));
        }
        at = end;
    }
    best.map(|(_, span)| span)
}

fn role(reading: &Reading<'_>, i: usize, asked: bool) -> Role {
    let is = |concepts: &[Concept]| reading.is(i, set(concepts));
    let word = reading.text.fold(i);
    match reading.text.kind(i) {
        Kind::Opaque | Kind::Symbol => return Role::Other,
        Kind::Mark(c) => {
            // "tomorrow, 5pm", "10-12", "25/3", "4:00 - 6:00".
            let inner = i > 0 && i + 1 < reading.text.len();
            return if inner && matches!(c, ',' | '-' | '/') { mark_role(reading, i, c) } else { Role::Other };
        }
        Kind::Number => return number_role(reading, i, word),
        Kind::Word => {}
    }
    if is(&[Concept::Greet]) && !is(&[Concept::TimeDay, Concept::Weekday])
        || word == "جمعه" && reading.text.fold(i + 1).starts_with("مبارك")
    {
        return Role::Other;
    }
    if clock_word(word) || is(&[Concept::TimeAny]) {
        return Role::Anchor;
    }
    if is(&[Concept::TimeNow]) {
        return if now_counts(reading, i, asked) { Role::Anchor } else { Role::Other };
    }
    // "do you open in ramadan"; how long it is until then is asked of anybody.
    let within = |t: usize| matches!(reading.text.fold(t), "in" | "during" | "في" | "خلال" | "fi" | "fe" | "on");
    if matches!(word, "رمضان" | "برمضان" | "ramadan") && (word != "رمضان" || i.checked_sub(1).is_some_and(within))
    {
        return Role::Anchor;
    }
    if day_of_month(reading, i) {
        return Role::Anchor;
    }
    if is(&[Concept::Month]) {
        // "May" and "mar" are words; a month has a number at its side.
        let number =
            |t: Option<usize>| t.is_some_and(|t| reading.text.kind(t) == Kind::Number || ordinal(reading.text.fold(t)));
        let of = i > 1 && matches!(reading.text.fold(i - 1), "of" | "من") && number(Some(i - 2));
        return if of || number(i.checked_sub(1)) || number(Some(i + 1)) { Role::Anchor } else { Role::Other };
    }
    if reading.is(i, WHEN) {
        // "the rate per night" is a measure, not a time.
        let measure = i > 0 && matches!(reading.text.fold(i - 1), "per" | "every" | "each" | "بال" | "كل");
        return if measure && is(&[Concept::TimePart]) { Role::Other } else { Role::Anchor };
    }
    if ordinal(word) || is(&[Concept::NumberWord]) || is(&[Concept::TimeUnit]) && follows_clock(reading, i) {
        return Role::Number;
    }
    if is(&[Concept::Clock, Concept::TimePrep]) {
        return Role::Preposition;
    }
    if is(&[Concept::Meridiem])
        && i > 0
        && (reading.text.kind(i - 1) == Kind::Number || reading.is(i - 1, set(&[Concept::NumberWord])))
    {
        return Role::Anchor;
    }
    if is(&[Concept::TimeUnit, Concept::TimeMod, Concept::TimeGlue, Concept::TimeAfter])
        || matches!(word, "صلاه" | "صلاة" | "prayer" | "salat" | "salah" | "time" | "between" | "half" | "past")
    {
        return Role::Glue;
    }
    Role::Other
}

fn mark_role(reading: &Reading<'_>, i: usize, mark: char) -> Role {
    let number = |t: usize| reading.text.kind(t) == Kind::Number || clock_word(reading.text.fold(t));
    match mark {
        '/' | '-' if number(i - 1) && number(i + 1) => Role::Glue,
        ',' | '-'
            if reading.is(i - 1, WHEN)
                && (reading.is(i + 1, WHEN)
                    || number(i + 1)
                    || reading.is(i + 1, set(&[Concept::TimePrep, Concept::Clock]))) =>
        {
            Role::Glue
        }
        _ => Role::Other,
    }
}

fn number_role(reading: &Reading<'_>, i: usize, word: &str) -> Role {
    if let Some((hour, minute)) = word.split_once([':', '.']) {
        let clock = hour.parse::<u32>().is_ok_and(|h| h < 24)
            && minute.len() == 2
            && minute.parse::<u32>().is_ok_and(|m| m < 60);
        return if clock && (word.contains(':') || meridiem_follows(reading, i)) {
            Role::Anchor
        } else if clock {
            Role::Number
        } else {
            Role::Other
        };
    }
    let Ok(value) = word.parse::<u32>() else { return Role::Other };
    if meridiem_follows(reading, i) && (1..=12).contains(&value) {
        return Role::Anchor;
    }
    // Dates have years; hours and days do not go beyond 31.
    let date = i > 0 && matches!(reading.text.kind(i - 1), Kind::Mark('/' | '-')) && (2000..2100).contains(&value);
    if value <= 31 || date { Role::Number } else { Role::Other }
}

fn meridiem_follows(reading: &Reading<'_>, i: usize) -> bool {
    let next = reading.text.fold(i + 1);
    matches!(
        next,
        "am" | "pm"
            | "oclock"
            | "ص"
            | "م"
            | "صباحا"
            | "مسا"
            | "ظهرا"
            | "عصرا"
            | "ليلا"
            | "العصر"
            | "الصبح"
            | "المغرب"
            | "الظهر"
            | "بالليل"
    )
}

/// "5pm", "11am", "10h".
fn clock_word(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let tail = &word[digits.len()..];
    matches!(tail, "am" | "pm")
        && digits.split([':', '.']).next().is_some_and(|h| h.parse::<u32>().is_ok_and(|h| (1..=12).contains(&h)))
}

/// "25th", "1st".
fn ordinal(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    matches!(&word[digits.len()..], "th" | "st" | "nd" | "rd")
        && digits.parse::<u32>().is_ok_and(|d| (1..=31).contains(&d))
}

/// "on the 20th", "by 5th": a day, unless something follows of which it is the 20th.
fn day_of_month(reading: &Reading<'_>, i: usize) -> bool {
    let opens = |t: usize| {
        matches!(
            reading.text.fold(t),
            "the" | "on" | "by" | "for" | "from" | "until" | "till" | "before" | "after" | "starting" | "yom" | "يوم"
        )
    };
    let next = i + 1;
    let free = !reading.text.is_word(next) && reading.text.kind(next) != Kind::Number
        || reading.is(next, WHEN | set(&[Concept::TimePrep, Concept::Polite, Concept::Thanks, Concept::Want]))
        || matches!(
            reading.text.fold(next),
            "of" | "in" | "and" | "to" | "if" | "for" | "or" | "with" | "we" | "i" | "this" | "is" | "next" | "can"
        );
    ordinal(reading.text.fold(i)) && free && i.checked_sub(1).is_some_and(opens)
}

fn follows_clock(reading: &Reading<'_>, i: usize) -> bool {
    i > 0 && reading.is(i - 1, set(&[Concept::Clock]))
}

/// "Now" is a time to call, unless it is when the person is busy.
fn now_counts(reading: &Reading<'_>, i: usize, asked: bool) -> bool {
    let near = i.saturating_sub(4)..i;
    let busy =
        near.into_iter().any(|t| reading.is(t, set(&[Concept::Busy]))) || reading.is(i + 1, set(&[Concept::Busy]));
    let pressing = i > 0 && matches!(reading.text.fold(i - 1), "until" | "till" | "لين" | "لحد" | "for" | "not");
    !busy && !pressing && (asked || reading.has(set(&[Concept::Call, Concept::Available])))
}

/// The expression inside a run of time words, with its weight; trims what does not belong at its ends.
fn expression(reading: &Reading<'_>, roles: &[Role], run: Range<usize>, asked: bool) -> Option<(usize, Range<usize>)> {
    if past(reading, &run) {
        return None;
    }
    let anchors = run.clone().filter(|&i| roles[i] == Role::Anchor).count();
    let span = if anchors > 0 { anchored(reading, roles, &run) } else { unanchored(reading, roles, &run, asked)? };
    (!span.is_empty()).then(|| (anchors * 10 + span.len(), span))
}

/// From the first word that carries meaning to the last; prepositions of direction stay in front, articles do not.
fn anchored(reading: &Reading<'_>, roles: &[Role], run: &Range<usize>) -> Range<usize> {
    let carries = |i: usize| matches!(roles[i], Role::Anchor | Role::Number);
    let first = run.clone().find(|&i| carries(i) && !for_persons(reading, roles, i, run)).unwrap_or(run.start);
    let last = run.clone().rev().find(|&i| carries(i) || trailing(reading, i)).unwrap_or(run.end - 1);
    let mut start = first;
    while start > run.start {
        let before = reading.text.fold(start - 1);
        let part = reading
            .is(start - 1, set(&[Concept::TimeMod, Concept::Clock, Concept::TimeAfter, Concept::TimePrep]))
            || matches!(before, "صلاه" | "the" | "el" | "al");
        if !part || matches!(reading.text.kind(start - 1), Kind::Mark(_)) {
            break;
        }
        start -= 1;
    }
    while start < first
        && (matches!(
            reading.text.fold(start),
            "the" | "about" | "في" | "علي" | "الي" | "of" | "la" | "min" | "عند" | "this" | "وقت" | "in"
        ) && !reading.is(start + 1, set(&[Concept::NumberWord])))
    {
        // "in the evening" is evening; "this evening" keeps its "this".
        if reading.text.fold(start) == "this" {
            break;
        }
        start += 1;
    }
    start..last + 1
}

/// "a table for four at 8pm", "لخمسه بكره": how many come, not when.
fn for_persons(reading: &Reading<'_>, roles: &[Role], at: usize, run: &Range<usize>) -> bool {
    let before = at.checked_sub(1).map_or("", |t| reading.text.fold(t));
    let counted =
        matches!(before, "for" | "of" | "are" | "l" | "احنا" | "نحن" | "حنا") || reading.text.fold(at).starts_with('ل');
    let next = at + 1;
    (run.start..at).all(|i| roles[i] == Role::Glue)
        && counted
        && roles[at] == Role::Number
        && !ordinal(reading.text.fold(at))
        && run.contains(&next)
        && (roles[next] == Role::Anchor
            && !reading.is(next, set(&[Concept::Month, Concept::Meridiem]))
            && (reading.is(next, set(&[Concept::TimeDay, Concept::Weekday]))
                || !reading.is(next, set(&[Concept::TimePart])))
            || roles[next] == Role::Preposition
            || reading.text.fold(next) == "at"
            || reading.text.fold(next) == "on")
}

/// "القادم", "الجاي", "onwards" belong behind a day.
fn trailing(reading: &Reading<'_>, i: usize) -> bool {
    reading.is(i, set(&[Concept::TimeMod, Concept::Meridiem]))
        && !matches!(reading.text.fold(i), "this" | "every" | "هذا" | "كل" | "يوم" | "وقت" | "next" | "coming" | "yom")
        || reading.text.fold(i) == "onwards"
}

/// "after 6", "between 10 and 12", "الساعة ٥", "in 2 hours": no day and no part of it, so a preposition must carry it.
fn unanchored(reading: &Reading<'_>, roles: &[Role], run: &Range<usize>, asked: bool) -> Option<Range<usize>> {
    let number = |i: &usize| roles[*i] == Role::Number;
    let unit = |i: usize| reading.is(i, set(&[Concept::TimeUnit]));
    let after = run.clone().find(|&i| reading.is(i, set(&[Concept::TimeAfter])) && run.contains(&(i + 1)));
    if let Some(after) = after
        && !worn_out(reading)
        && let Some(at) = (after + 1..run.end).find(|&i| unit(i))
    {
        return Some(after..at + 1);
    }
    let first = run.clone().find(number)?;
    let last = run.clone().rev().find(number)?;
    if unit(last + 1) || reading.is(last + 1, set(&[Concept::NotClock])) || reading.text.kind(last + 1) == Kind::Opaque
    {
        return None;
    }
    let slash = run.clone().any(|i| reading.text.kind(i) == Kind::Mark('/'));
    let opener = (run.start..first).rev().find(|&i| roles[i] == Role::Preposition);
    let clock = opener.is_some_and(|i| reading.is(i, set(&[Concept::Clock])));
    let whole = run.len() == reading.text.len();
    // What follows "at 4" must not be the thing counted.
    let counted = reading.text.is_word(last + 1)
        && !reading.is(
            last + 1,
            set(&[
                Concept::Polite,
                Concept::Meridiem,
                Concept::Thanks,
                Concept::English,
                Concept::Arabic,
                Concept::Arabizi,
                Concept::NameCue,
                Concept::PhoneCue,
            ]),
        );
    let directed = opener.is_some_and(|i| {
        reading.is(i, set(&[Concept::TimePrep]))
            && !matches!(
                reading.text.fold(i),
                "من" | "from" | "about" | "min" | "علي" | "la" | "le" | "الي" | "past" | "تقريبا"
            )
    });
    let ranged = opener.is_some() && run.clone().filter(number).count() >= 2;
    if slash && last > first || clock || (directed || ranged) && !counted || asked && whole {
        let start = opener.map_or(first, |mut i| {
            while i > run.start && reading.is(i - 1, set(&[Concept::TimePrep, Concept::Clock])) {
                i -= 1;
            }
            i
        });
        return Some(start..last + 1);
    }
    None
}

/// "came off within 2 days", "died after a week": what became of a thing, not when to call.
fn worn_out(reading: &Reading<'_>) -> bool {
    !reading.has(set(&[Concept::Call]))
        && (0..reading.text.len()).any(|t| {
            let word = reading.text.fold(t);
            matches!(
                word,
                "came"
                    | "broke"
                    | "died"
                    | "fell"
                    | "tore"
                    | "shrank"
                    | "shrunk"
                    | "faded"
                    | "ripped"
                    | "stopped"
                    | "cracked"
                    | "failed"
                    | "burned"
                    | "burnt"
                    | "torn"
                    | "damaged"
                    | "bought"
                    | "peeled"
                    | "rusted"
            ) || ["خرب", "تعطل", "انكسر", "تمزق", "انقطع", "احترق", "باظ", "بايظ"].iter().any(|v| word.starts_with(v))
        })
}

/// Somebody has waited since then.
fn waits(reading: &Reading<'_>) -> bool {
    (0..reading.text.len()).any(|t| {
        let word = reading.text.fold(t);
        matches!(
            word,
            "waiting" | "waited" | "mestanni" | "mistanni" | "nater" | "natra" | "مستني" | "مستنيه" | "مستنيين"
        ) || ["انتظر", "بنتظر", "ننتظر", "منتظر", "ناطر", "بستني"].iter().any(|v| word.starts_with(v))
    })
}

/// "since morning", "last Friday", "صار لي يومين", "from 2 weeks": how long, not when.
fn past(reading: &Reading<'_>, run: &Range<usize>) -> bool {
    let bits = set(&[Concept::TimePast]);
    let before = run.start.checked_sub(1).is_some_and(|t| reading.is(t, bits))
        || run.start.checked_sub(2).is_some_and(|t| reading.is(t, bits) && reading.text.fold(t) != "past");
    let inside = run.clone().any(|t| reading.is(t, bits) && reading.text.fold(t) != "past");
    let behind = reading.is(run.end, bits);
    let from = matches!(reading.text.fold(run.start), "from" | "من" | "min" | "for" | "men" | "mn");
    if from && waits(reading) && !reading.has(set(&[Concept::Call])) {
        return true;
    }
    let from_units = from
        && !run.clone().any(|t| reading.is(t, set(&[Concept::Weekday, Concept::TimeDay])))
        && run.clone().any(|t| reading.is(t, set(&[Concept::TimeUnit])))
        && !run.clone().any(|t| reading.is(t, set(&[Concept::Clock, Concept::Meridiem])));
    before || inside || behind || from_units
}
