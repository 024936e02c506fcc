//! What a sentence is about without a word of wish: "البيتزا بكام", "المكيف خربان", "my pizza arrived cold"; and whose sentences are about no
//! wish at all: people who look for work, and people who sell.

use std::ops::Range;

use crate::lexicon::{Concept, Reading, WHEN, set};
use crate::read::Busy;

/// Somebody asks, or is unhappy.
const SAID_OF: u64 = set(&[Concept::Price, Concept::Negative, Concept::Available]);
/// Words that a thing does not consist of.
const STOPS: u64 = SAID_OF
    | WHEN
    | set(&[
        Concept::Arabic,
        Concept::English,
        Concept::Arabizi,
        Concept::Greet,
        Concept::Thanks,
        Concept::Polite,
        Concept::Call,
        Concept::Want,
        Concept::Buy,
        Concept::PersonNoun,
        Concept::Title,
        Concept::OffTopic,
    ]);

/// The first thing of which something is said.
pub(super) fn read(reading: &Reading<'_>, busy: &Busy<'_>) -> Option<Range<usize>> {
    (0..reading.text.len()).find_map(|t| arabic(reading, busy, t).or_else(|| latin(reading, busy, t)))
}

fn opens_clause(reading: &Reading<'_>, at: usize) -> bool {
    at == 0
        || reading.ends_clause(at - 1)
        || reading.is(at - 1, set(&[Concept::Greet, Concept::Polite, Concept::SubjectCue]))
}

/// "الفستان الاحمر بكم", "الشحنه تاخرت": a definite noun at the head of its clause, with its adjectives.
fn arabic(reading: &Reading<'_>, busy: &Busy<'_>, at: usize) -> Option<Range<usize>> {
    let thing = |t: usize| {
        let word = reading.text.fold(t);
        let known = reading.is(t, set(&[Concept::Thing]));
        reading.text.is_arabic(t)
            && word.starts_with("ال")
            && word.chars().count() >= 4
            && !busy.holds(t)
            && (known || reading.cover[t] & STOPS == 0)
            && !reading.is(t, SAID_OF)
            && !general(word)
    };
    if !opens_clause(reading, at) || !thing(at) {
        return None;
    }
    let adjectives = (at + 1..reading.text.len()).take(2).take_while(|&t| thing(t)).count();
    let end = at + 1 + adjectives;
    let said = reading.has(SAID_OF) || happened(reading.text.fold(end)) || happened(reading.text.fold(end + 1));
    said.then_some(at..end)
}

/// "the jacket i bought", "my pizza arrived", "el mokayef 5arban".
fn latin(reading: &Reading<'_>, busy: &Busy<'_>, at: usize) -> Option<Range<usize>> {
    let article = matches!(reading.text.fold(at), "el" | "il" | "al");
    let own = matches!(reading.text.fold(at), "the" | "my" | "this" | "that");
    if !(article || own) || !opens_clause(reading, at) && !reading.has(set(&[Concept::Negative])) {
        return None;
    }
    let known =
        |t: usize| reading.is(t, set(&[Concept::Thing])) && !reading.is(t, SAID_OF) && !general(reading.text.fold(t));
    let fresh = |t: usize| reading.cover[t] == 0 && reading.text.is_word(t) && !reading.text.is_arabic(t);
    let words = (at + 1..reading.text.len())
        .take(3)
        .take_while(|&t| !busy.holds(t) && (known(t) || fresh(t)) && !happened(reading.text.fold(t)))
        .count();
    let tokens = at + 1..at + 1 + words;
    // "the hydrafacial was": an unknown word is a thing where somebody asks or complains about it.
    let next = reading.text.fold(tokens.end);
    let said = reading.has(SAID_OF) && (article || matches!(next, "is" | "are" | "was" | "were" | "i" | "you"))
        || opens_clause(reading, at) && happened(next);
    let telling = tokens.clone().any(known) || said;
    (!tokens.is_empty() && telling).then_some(tokens)
}

/// "pepperoni pizza no onions", "send the sofa": goods that are named anywhere, but as a place ("in the villa").
pub(super) fn named(reading: &Reading<'_>, busy: &Busy<'_>) -> Option<Range<usize>> {
    if reading.has(set(&[Concept::OffTopic])) {
        return None;
    }
    let thing = |t: usize| {
        let word = reading.text.fold(t);
        reading.is(t, set(&[Concept::Thing]))
            && !reading.is(t, SAID_OF | set(&[Concept::Call, Concept::Buy]))
            && !busy.holds(t)
            && !general(word)
            && !only_describes(word)
    };
    // "where do I park my car": what people have they do not ask for, unless they want something done about it.
    let about = reading.has(set(&[Concept::Price, Concept::Negative, Concept::Want, Concept::Buy]));
    let had = |t: usize| !about && t > 0 && matches!(reading.text.fold(t - 1), "my" | "our" | "his" | "her" | "their");
    let last = (0..reading.text.len()).find(|&t| thing(t) && !of_place(reading, t) && !had(t))?;
    let mut start = last;
    while start > 0
        && last - start < 2
        && !reading.text.is_arabic(last)
        && reading.text.is_word(start - 1)
        && !busy.holds(start - 1)
        && (reading.cover[start - 1] == 0 || reading.is(start - 1, set(&[Concept::Thing])))
    {
        start -= 1;
    }
    let more = (last + 1..reading.text.len()).take(2).take_while(|&t| thing(t)).count();
    Some(start..last + 1 + more)
}

/// "in the villa", "near my flat", "للبيت": where, not what.
fn of_place(reading: &Reading<'_>, at: usize) -> bool {
    let word = reading.text.fold(at);
    let place = matches!(
        word.strip_prefix("ال").unwrap_or(word),
        "villa"
            | "flat"
            | "apartment"
            | "room"
            | "farm"
            | "chalet"
            | "kitchen"
            | "hall"
            | "car"
            | "parking"
            | "gym"
            | "nursery"
            | "فيلا"
            | "شقه"
            | "غرفه"
            | "مزرعه"
            | "مطبخ"
            | "سياره"
            | "نادي"
            | "حضانه"
    );
    let small = |t: &usize| matches!(reading.text.fold(*t), "the" | "my" | "our" | "el" | "al" | "il" | "this");
    let before = (0..at).rev().take(3).find(|t| !small(t)).map_or("", |t| reading.text.fold(t));
    let placed = matches!(
        before,
        "in" | "at" | "to" | "near" | "from" | "by" | "on" | "في" | "من" | "الي" | "علي" | "fi" | "fel" | "men"
    );
    place && placed || ["لل", "بال"].iter().any(|p| word.starts_with(p))
}

/// How a thing is, not what.
fn only_describes(word: &str) -> bool {
    matches!(
        word.strip_prefix("ال").unwrap_or(word),
        "black"
            | "white"
            | "red"
            | "green"
            | "blue"
            | "fresh"
            | "big"
            | "small"
            | "large"
            | "double"
            | "single"
            | "new"
            | "used"
            | "private"
            | "legal"
            | "monthly"
            | "full"
            | "half"
            | "special"
            | "english"
            | "arabic"
            | "medical"
            | "domestic"
            | "sign"
            | "fan"
            | "land"
            | "plot"
            | "كبير"
            | "كبيره"
            | "صغير"
            | "صغيره"
            | "جديد"
            | "جديده"
            | "باب"
            | "زي"
            | "حلا"
            | "حلق"
            | "pickup"
            | "photo"
            | "video"
            | "document"
            | "documents"
            | "card"
            | "صوره"
            | "training"
            | "set"
            | "sets"
            | "box"
            | "boxes"
            | "phone"
            | "phones"
            | "mobile"
            | "هاتف"
            | "جوال"
            | "eggs"
            | "women"
    )
}

/// What becomes of things.
fn happened(word: &str) -> bool {
    const ARABIC: [&str; 17] = [
        "وصل",
        "تاخر",
        "خرب",
        "تعطل",
        "انكسر",
        "كان",
        "طلع",
        "مكسور",
        "وقف",
        "انقطع",
        "ضاع",
        "تمزق",
        "باظ",
        "بايظ",
        "مقاس",
        "محروق",
        "بارد",
    ];
    matches!(
        word,
        "arrived"
            | "came"
            | "broke"
            | "stopped"
            | "fell"
            | "ripped"
            | "died"
            | "tore"
            | "shrank"
            | "faded"
            | "smells"
            | "leaks"
            | "tasted"
            | "melted"
            | "cracked"
    ) || ARABIC.iter().any(|v| word.starts_with(v))
}

/// What every business has, and people: nothing that is asked for.
fn general(word: &str) -> bool {
    matches!(
        word.strip_prefix("ال").unwrap_or(word),
        "شباب"
            | "سواق"
            | "مندوب"
            | "سايق"
            | "كابتن"
            | "ممرضه"
            | "كاشير"
            | "بايع"
            | "استقبال"
            | "رد"
            | "تعامل"
            | "اسلوب"
            | "وضع"
            | "موضوع"
            | "جوده"
            | "طعم"
            | "تاخير"
            | "قسم"
            | "فرع"
            | "مطعم"
            | "عياده"
            | "صالون"
            | "مركز"
            | "رابط"
            | "كود"
            | "فاتوره"
            | "محل"
            | "بيت"
            | "مكتب"
            | "شركه"
            | "موقع"
            | "تطبيق"
            | "حساب"
            | "عقد"
            | "توصيل"
            | "زباين"
            | "ماني"
            | "حل"
            | "نتيجه"
            | "day"
            | "family"
            | "kids"
            | "children"
            | "men"
            | "women"
            | "baby"
            | "business"
            | "company"
            | "office"
            | "bank"
            | "account"
            | "color"
            | "colour"
            | "size"
            | "shop"
            | "store"
            | "service"
            | "services"
            | "delivery"
            | "house"
            | "work"
            | "school"
            | "language"
            | "website"
            | "birthday"
            | "wedding"
            | "clinic"
            | "driver"
    )
}

/// Who looks for work says what he is; he asks for none of it.
pub(super) fn seeks_work(reading: &Reading<'_>) -> bool {
    (0..reading.text.len()).any(|t| {
        reading.is(t, set(&[Concept::OffTopic]))
            && matches!(
                reading.text.fold(t),
                "cv" | "resume"
                    | "job"
                    | "jobs"
                    | "hiring"
                    | "vacancy"
                    | "vacancies"
                    | "وظيفه"
                    | "وظايف"
                    | "شغل"
                    | "سيرتي"
                    | "wazifa"
                    | "shoghl"
                    | "shughl"
            )
    })
}

/// "we offer SEO services", "نقدم خدمات": somebody sells to the business. "نقدم على" applies.
pub(super) fn offers(reading: &Reading<'_>) -> bool {
    let word = |t: usize| reading.text.fold(t);
    (0..reading.text.len()).any(|t| {
        let ours = opens_clause(reading, t) && matches!(word(t), "we" | "our");
        let sells = matches!(word(t + 1), "offer" | "specialize" | "specialise")
            || matches!(word(t + 1), "provide" | "supply") && !reading.text.folded.contains('?')
            || matches!(word(t + 1), "company" | "agency" | "team") && matches!(word(t + 2), "offers" | "provides");
        ours && sells
            || matches!(word(t), "نقدم" | "نوفر")
                && matches!(word(t + 1), "خدمات" | "خدمه" | "لكم" | "حلول" | "لشركتكم")
    })
}
