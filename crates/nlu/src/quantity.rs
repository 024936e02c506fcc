//! How many: the number of things, pages or persons that a message speaks of. Sizes, bedrooms, models, money, ages and durations are
//! numbers too, and no quantities; so a number counts only where something is counted.

use std::ops::Range;

use crate::lexicon::{Concept, Reading, WHEN, set};
use crate::text::Kind;

/// A quantity found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where.
    pub(crate) tokens: Range<usize>,
    /// How many.
    pub(crate) value: u32,
}

/// More than this is money or a number of something else.
const MOST: u32 = 100_000;

/// The quantity of a message; `busy` says which tokens are a time, a name or a nationality.
pub(crate) fn read(reading: &Reading<'_>, busy: impl Fn(usize) -> bool) -> Option<Found> {
    let mut best: Option<(u8, Found)> = None;
    let mut at = 0;
    while at < reading.text.len() {
        let Some((value, end, sure)) = number(reading, at).filter(|_| !busy(at)) else {
            at += 1;
            continue;
        };
        let tokens = at..end;
        let score = if sure { Some(4) } else { score(reading, &tokens, value) };
        if let Some(score) = score.filter(|_| (1..=MOST).contains(&value))
            && best.as_ref().is_none_or(|(s, _)| score > *s)
        {
            best = Some((score, Found { tokens, value }));
        }
        at = end;
    }
    best.map(|(_, found)| found)
}

/// The number that begins at the token: its value, the token after it, and whether it counts by itself ("10pcs", "شخصين").
fn number(reading: &Reading<'_>, at: usize) -> Option<(u32, usize, bool)> {
    let word = reading.text.fold(at);
    match reading.text.kind(at) {
        Kind::Number => digits(word).map(|value| (value, at + 1, false)),
        Kind::Word => {
            if let Some(value) = counted_word(word) {
                return Some((value, at + 1, true));
            }
            if let Some(end) = half_dozen(reading, at) {
                return Some((6, end, false));
            }
            let mut value = number_word(word).or_else(|| behind_prefix(reading, at))?;
            let mut end = at + 1;
            // "twenty five", "two hundred", "خمسه وعشرين", "three dozen".
            while let Some(more) = number_word(reading.text.fold(end)) {
                let scale = matches!(more, 12 | 100 | 1000) && value < more;
                value = if scale { value.saturating_mul(more) } else { value.saturating_add(more) };
                end += 1;
            }
            Some((value, end, false))
        }
        _ => None,
    }
}

/// "لاربعه اشخاص", "بعشر صفحات", "وثلاث": a number word behind a preposition. What is a word of its own as well ("لست", "لسته", "بالف")
/// is a number only before what is counted.
fn behind_prefix(reading: &Reading<'_>, at: usize) -> Option<u32> {
    let word = reading.text.fold(at);
    let bare = ["ول", "وب", "ل", "ب", "و", "ف"].iter().find_map(|p| word.strip_prefix(p))?;
    let value = number_word(bare)?;
    let common = matches!(bare, "ست" | "سته" | "ميه" | "الف" | "زوج" | "واحد" | "واحده");
    (!common || reading.is(at + 1, set(&[Concept::CountNoun]))).then_some(value)
}

/// "half a dozen", "نص درزن": where it ends.
fn half_dozen(reading: &Reading<'_>, at: usize) -> Option<usize> {
    let text = &reading.text;
    let dozen = if text.fold(at + 1) == "a" { at + 2 } else { at + 1 };
    (matches!(text.fold(at), "half" | "نص" | "نصف") && number_word(text.fold(dozen)) == Some(12)).then_some(dozen + 1)
}

/// Digits, with thousands apart or not; no clock, no fraction.
fn digits(word: &str) -> Option<u32> {
    let groups: Vec<&str> = word.split(',').collect();
    let plain = groups.len() == 1 || groups[1..].iter().all(|g| g.len() == 3);
    (plain && word.len() <= 9).then(|| groups.concat().parse().ok()).flatten()
}

/// "10pcs", "x3", "3x"; the Arabic dual of what is counted.
fn counted_word(word: &str) -> Option<u32> {
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    if latin_dual(word) {
        return Some(2);
    }
    if !digits.is_empty() {
        let rest = word.trim_matches(|c: char| c.is_ascii_digit());
        let counts = matches!(
            rest,
            "x" | "pcs"
                | "pc"
                | "pieces"
                | "nos"
                | "box"
                | "boxes"
                | "pax"
                | "px"
                | "persons"
                | "people"
                | "ppl"
                | "pages"
                | "copies"
                | "units"
                | "kg"
                | "kilo"
                | "sets"
                | "qty"
        );
        let digits_first = word.starts_with(|c: char| c.is_ascii_digit()) || matches!(rest, "x" | "qty");
        return if counts && digits_first { digits.parse().ok() } else { None };
    }
    let bare = ["ولل", "لل", "ول", "ل", "ب", "و"].iter().find_map(|p| word.strip_prefix(p)).unwrap_or(word);
    let known = [word, bare].iter().any(|w| {
        matches!(
            *w,
            "شخصين"
                | "نفرين"
                | "كرتونين"
                | "صندوقين"
                | "كيسين"
                | "طردين"
                | "كيلوين"
                | "طبقين"
                | "صحنين"
                | "كوبين"
                | "كرسيين"
                | "جهازين"
                | "عاملين"
                | "فردين"
                | "ضيفين"
                | "بالغين"
                | "طفلين"
                | "كتابين"
                | "قميصين"
                | "فستانين"
                | "ثوبين"
                | "مفتاحين"
                | "مكتبين"
                | "برجرين"
                | "مكيفين"
                | "جوالين"
                | "هاتفين"
                | "عطرين"
                | "مقعدين"
                | "سريرين"
                | "بنطلونين"
                | "راكبين"
                | "خروفين"
                | "باكيتين"
                | "ساندويتشين"
                | "سندويشين"
        )
    });
    // The feminine dual is unmistakable, but for times and rooms.
    let feminine = word.ends_with("تين")
        && word.chars().count() >= 5
        && !word.starts_with("ال")
        && !["مرتين", "سنتين", "ساعتين", "دقيقتين", "غرفتين", "ثانيتين", "ليلتين", "شقتين", "ميتين", "صالتين"]
            .iter()
            .any(|w| word.ends_with(w));
    (known || feminine).then_some(2)
}

/// "7abtein", "tazkartein", "nafarein".
fn latin_dual(word: &str) -> bool {
    const WHEN_OR_ROOM: [&str; 12] = [
        "martein",
        "marrtein",
        "marratein",
        "sa3tein",
        "santein",
        "sntein",
        "sanatein",
        "leltein",
        "leiltein",
        "ghorftein",
        "ghurftein",
        "oodtein",
    ];
    let feminine =
        ["tein", "tayn"].iter().any(|end| word.ends_with(end)) && word.len() >= 7 && number_word(word).is_none();
    feminine && word != "protein" && !WHEN_OR_ROOM.iter().any(|w| word.ends_with(w))
        || matches!(word, "nafarein" | "nafreen" | "nafrein" | "sha5sein" | "shakhsein" | "kartonein" | "waladein")
}

/// The value of a number word; ordinals ("الثالثه") and the hour have the article and are none.
fn number_word(word: &str) -> Option<u32> {
    if let Some(rest) = word.strip_prefix('و').filter(|r| r.ends_with("ين") || r.ends_with("ون") || *r == "ميه")
    {
        return number_word(rest);
    }
    Some(match word {
        "one" | "واحد" | "واحده" | "وحده" | "wa7ed" | "wa7ad" | "wa7da" | "wahed" | "wahda" => 1,
        "two" | "couple" | "pair" | "اثنين" | "اثنان" | "اثنتين" | "ثنتين" | "اتنين" | "تنين" | "ثنين" | "زوج"
        | "tentein" | "etnein" | "ethnein" | "ithnain" | "tnein" | "thnain" | "thintain" => 2,
        "three" | "ثلاث" | "ثلاثه" | "تلات" | "تلاته" | "ثلث" | "thalatha" | "thalath" | "talata" | "tlata" | "tlateh" => {
            3
        }
        "four" | "اربع" | "اربعه" | "arba3a" | "arb3a" | "arba3" | "arbaa" => 4,
        "five" | "خمس" | "خمسه" | "khamsa" | "5amsa" | "khams" | "5ams" => 5,
        "six" | "ست" | "سته" | "sitta" | "setta" => 6,
        "seven" | "سبع" | "سبعه" | "sab3a" | "saba3" => 7,
        "eight" | "ثمان" | "ثماني" | "ثمانيه" | "تمن" | "تمانيه" | "thmanya" | "tmanya" | "thamanya" => {
            8
        }
        "nine" | "تسع" | "تسعه" | "tes3a" | "tis3a" => 9,
        "ten" | "عشر" | "عشره" | "3ashra" | "3ashar" => 10,
        "eleven" | "احدعش" | "حداشر" | "احدي عشر" => 11,
        "twelve" | "dozen" | "درزن" | "دزينه" | "اثنعش" | "اطنعش" | "اتناشر" => 12,
        "thirteen" => 13,
        "fourteen" => 14,
        "fifteen" | "خمستعش" | "خمسطعش" | "خمستاشر" => 15,
        "sixteen" => 16,
        "seventeen" => 17,
        "eighteen" => 18,
        "nineteen" => 19,
        "twenty" | "عشرين" | "عشرون" | "3eshreen" | "3ishrin" => 20,
        "thirty" | "ثلاثين" | "ثلاثون" | "تلاتين" => 30,
        "forty" | "fourty" | "اربعين" | "اربعون" => 40,
        "fifty" | "خمسين" | "خمسون" | "khamseen" => 50,
        "sixty" | "ستين" | "ستون" => 60,
        "seventy" | "سبعين" => 70,
        "eighty" | "ثمانين" | "تمانين" => 80,
        "ninety" | "تسعين" => 90,
        "hundred" | "ميه" | "ميت" | "مايه" | "miya" => 100,
        "ميتين" | "ميتان" => 200,
        "thousand" | "الف" => 1000,
        _ => return None,
    })
}

const THING: u64 = set(&[Concept::Thing, Concept::ServiceHead, Concept::ServiceMod]);
const CUES: u64 = set(&[Concept::Buy, Concept::Want, Concept::Polite, Concept::Available]);
/// Words that may stand before a number without naming which thing is meant.
const SMALL: u64 =
    set(&[Concept::Skip, Concept::English, Concept::Arabic, Concept::Arabizi, Concept::TimePrep, Concept::TimeGlue]);
/// Words that are counted by no number.
const UNCOUNTED: u64 = set(&[
    Concept::English,
    Concept::Arabic,
    Concept::Arabizi,
    Concept::Skip,
    Concept::Price,
    Concept::Call,
    Concept::TimeUnit,
    Concept::TimePast,
]) | WHEN;

/// How surely something is counted: 4 said so ("qty 3", "4 persons"), 3 things follow, 2 wanted, 1 "for 4". `None`: it is not.
fn score(reading: &Reading<'_>, tokens: &Range<usize>, value: u32) -> Option<u8> {
    let text = &reading.text;
    let (from, to) = (tokens.start, tokens.end);
    let is = |t: usize, concept: Concept| t < text.len() && reading.is(t, set(&[concept]));
    let prev = from.checked_sub(1);
    if part_of_more(reading, tokens) {
        return None;
    }
    // "2 of them", "3 x shirts".
    let passed = (to..text.len())
        .take(2)
        .take_while(|t| matches!(text.fold(*t), "x" | "×" | "of" | "new" | "more" | "من" | "the" | "dyal" | "men"))
        .count();
    let next = to + passed;
    let digits = text.kind(from) == Kind::Number;
    // "حبه وحده", "شخص واحد".
    if value <= 2 && !digits && prev.is_some_and(|p| is(p, Concept::CountNoun)) && text.is_arabic(from) {
        return Some(4);
    }
    if digits && (1990..=2035).contains(&value) && value != 2000 && !is(next, Concept::CountNoun) {
        return None;
    }
    let uncounted = [Concept::NotCount, Concept::Month, Concept::Meridiem].into_iter().any(|c| is(next, c));
    if uncounted || text.kind(next) == Kind::Number && passed == 0 {
        return None;
    }
    let label = prev.filter(|&p| matches!(text.kind(p), Kind::Mark(':' | '='))).and_then(|p| p.checked_sub(1)).or(prev);
    if label.is_some_and(|l| is(l, Concept::CountLabel)) {
        return Some(4);
    }
    if label.is_some_and(|l| is(l, Concept::SizeLabel) || is(l, Concept::PhoneCue)) {
        return None;
    }
    if is(next, Concept::CountNoun) || company(reading, from) {
        return Some(4);
    }
    let cued = prev.is_some_and(|p| reading.is(p, CUES));
    let prefixed = !digits && text.is_arabic(from) && number_word(text.fold(from)).is_none();
    if !cued && !prefixed && prev.is_some_and(|p| names_which(reading, p)) {
        return None;
    }
    let noun = next < text.len()
        && text.is_word(next)
        && (reading.is(next, THING | set(&[Concept::PersonNoun])) || reading.cover[next] & UNCOUNTED == 0);
    let single = value == 1 && text.kind(from) == Kind::Word;
    if noun && (!single || cued) {
        // "3 pizzas for 5 persons": goods by their name count no less than persons, and the first of both is meant.
        return Some(if is(next, Concept::Thing) && !single { 4 } else { 3 });
    }
    let ends = to >= text.len()
        || reading.ends_clause(to)
        || reading.is(to, WHEN | set(&[Concept::TimePrep, Concept::Clock]))
        || reading.is(to, set(&[Concept::Polite, Concept::Thanks, Concept::English, Concept::Arabic]));
    if single || !ends || value > 500 {
        return None;
    }
    let before = prev.map_or("", |t| text.fold(t));
    let direct = prev.is_some_and(|p| reading.is(p, set(&[Concept::Buy, Concept::Want])))
        || matches!(before, "me" | "لي" | "take" | "get") && (0..from).any(|t| reading.is(t, CUES));
    if direct {
        return Some(2);
    }
    let prefixed = prefixed && text.fold(from).starts_with('ل');
    let ranged = prefixed && (from.saturating_sub(3)..from).any(|t| number_word(text.fold(t)).is_some());
    ((matches!(before, "for" | "ل" | "l" | "حق") || prefixed && !ranged) && value <= 50).then_some(1)
}

/// "a group of 8", "party of five", "we are 6".
fn company(reading: &Reading<'_>, at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).map_or("", |t| reading.text.fold(t));
    before(1) == "of" && matches!(before(2), "group" | "party" | "family" | "team" | "total")
        || before(1) == "are" && before(2) == "we"
        || matches!(before(1), "احنا" | "نحن" | "حنا" | "e7na" | "i7na" | "7na")
}

/// "iphone 15 pro", "flat 12": a number behind a thing says which. Behind a verb or a small word it counts.
fn names_which(reading: &Reading<'_>, before: usize) -> bool {
    let text = &reading.text;
    let word = text.fold(before);
    let verb = word.len() > 4 && word.ends_with("ed")
        || matches!(
            word,
            "bought" | "sent" | "got" | "have" | "had" | "sell" | "l" | "li" | "lel" | "lal" | "pour" | "w"
        );
    let small = reading.is(before, SMALL) && !reading.is(before, THING);
    let arabic = text.is_arabic(before) && !reading.is(before, THING);
    text.kind(before) == Kind::Number || text.is_word(before) && !verb && !small && !arabic
}

/// Part of a date, a range, a percentage, a sum of money.
fn part_of_more(reading: &Reading<'_>, tokens: &Range<usize>) -> bool {
    let text = &reading.text;
    let joins = |t: usize| {
        matches!(text.kind(t), Kind::Mark('/' | '-' | '%' | '$' | '+' | '*') | Kind::Symbol)
            && (text.kind(t) != Kind::Symbol || matches!(text.fold(t), "$" | "€" | "£"))
    };
    // "- 3 boxes": a line of a list.
    let bullet = |t: usize| t == 0 || text.kind(t - 1) == Kind::Mark('\n');
    tokens.end < text.len() && joins(tokens.end) || tokens.start.checked_sub(1).is_some_and(|t| joins(t) && !bullet(t))
}
