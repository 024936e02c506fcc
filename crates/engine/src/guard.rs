//! The last step on every outbound text: replies never enumerate the services (S3.2).
//!
//! What counts as a list: two services or more in brackets or between slashes; three in a sentence, or two behind words of offering
//! ("we provide", "خدماتنا"); two lines or more that each name one. A bracket is cut out alone; otherwise the whole sentence goes, since what is left
//! of "Do you need a visa / licence?" would be worse than nothing. Dates, times, addresses and names are no services and stay.

use std::collections::HashSet;
use std::ops::Range;

use nlu::fold;
use nlu::stem;

/// A text without lists of services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// What is left; empty when it was nothing but lists.
    pub text: String,
    /// How many lists were taken out.
    pub removed: u32,
}

/// Takes every list of services out of `text`. `services` are the tenant's (aliases after `|`); the usual words of service businesses
/// count beside them. Idempotent; a text without lists comes back as it is.
#[must_use]
pub fn guard(text: &str, services: &[String]) -> Guarded {
    Screen::new(services).clean(text)
}

/// Words that are services wherever they stand, as stems.
const USUAL: &str = "visa license permit ejari tawtheeq attestation typing translation insurance vat tax accounting bookkeeping audit auditing payroll \
    formation incorporation setup coworking notary trademark passport residency residence iqama sponsorship liquidation registration renewal cancellation \
    stamping pro freelance mainland freezone office warehouse tenancy umrah catering cleaning maintenance printing photocopy consultancy branding hosting \
    تاشيره تاشيرات فيزا فيز رخصه رخص تصريح تصاريح ايجاري توثيق تصديق تصديقات ترجمه طباعه تامين ضريبه ضرايب محاسبه تدقيق تاسيس اقامه اقامات هويه وكاله كفاله تجديد الغا تسجيل مكاتب استشارات معاملات تنظيف صيانه عمره";

/// Words of offering, folded.
const OFFERS: [&str; 26] = [
    "we offer",
    "we provide",
    "we do",
    "we handle",
    "we have",
    "we cover",
    "our services",
    "services include",
    "services are",
    "services like",
    "such as",
    "for example",
    "including",
    "options are",
    "help you with",
    "help with",
    "assist with",
    "choose from",
    "choose between",
    "نقدم",
    "نوفر",
    "خدماتنا",
    "لدينا",
    "عندنا",
    "مثل",
    "نساعدك في",
];

/// Words that are no services although they stand in lists.
const NEUTRAL: &str = "monday tuesday wednesday thursday friday saturday sunday today tomorrow morning afternoon evening january february march april may june july august september \
    october november december name email phone number nationality time date am pm الاحد الاثنين الثلاثا الاربعا الخميس الجمعه السبت اليوم غدا صباحا مسا الاسم الجنسيه الهاتف البريد";

/// The guard with a tenant's words, compiled.
#[derive(Debug)]
pub(crate) struct Screen {
    words: HashSet<String>,
    neutral: HashSet<&'static str>,
}

/// How a sentence is cut into items.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// At `/`, `|` and bullets.
    Slashes,
    /// At commas and "and" too.
    All,
}

impl Screen {
    pub(crate) fn new(services: &[String]) -> Self {
        let mut words: HashSet<String> = USUAL.split_whitespace().map(stem).collect();
        for name in services.iter().flat_map(|s| s.split('|')) {
            for word in
                name.split(|c: char| !c.is_alphanumeric()).map(fold).filter(|w| w.chars().count() > 2 && !common(w))
            {
                words.insert(stem(&word));
            }
        }
        Self { words, neutral: NEUTRAL.split_whitespace().collect() }
    }

    /// Takes lists out until there is none.
    pub(crate) fn clean(&self, text: &str) -> Guarded {
        let mut guarded = Guarded { text: text.to_owned(), removed: 0 };
        while let Some(place) = self.list(&guarded.text) {
            let tail = guarded.text[place.end..].trim_start_matches([' ', '\t']).to_owned();
            let mut head = guarded.text[..place.start].trim_end_matches([' ', '\t']).to_owned();
            let space = guarded.text[..place.start].len() > head.len() || guarded.text[place.end..].len() > tail.len();
            let close = tail.is_empty()
                || head.is_empty()
                || tail.starts_with(['.', ',', '!', '?', '؟', '،', '\n', ':', ';'])
                || head.ends_with('\n');
            if space && !close {
                head.push(' ');
            }
            head.push_str(&tail);
            guarded.text = head.trim().to_owned();
            guarded.removed += 1;
        }
        guarded
    }

    /// The place of the first list.
    fn list(&self, text: &str) -> Option<Range<usize>> {
        if !text.contains(['(', '[', '（', '\n']) && !may_list(text) {
            return None;
        }
        self.bracket(text)
            .or_else(|| self.lines(text))
            .or_else(|| sentences(text).into_iter().find(|s| self.enumerates(&text[s.clone()])))
    }

    fn bracket(&self, text: &str) -> Option<Range<usize>> {
        for (open, close) in [('(', ')'), ('[', ']'), ('（', '）')] {
            for (start, _) in text.match_indices(open) {
                let inner_start = start + open.len_utf8();
                let Some(length) = text[inner_start..].find(close) else { continue };
                let inner = &text[inner_start..inner_start + length];
                let items = self.items(inner, Cut::All);
                let like = items.iter().filter(|i| self.service_like(i)).count();
                if items.len() >= 2 && (like >= 2 || like == 1 && offers(inner)) {
                    return Some(start..inner_start + length + close.len_utf8());
                }
            }
        }
        None
    }

    /// Lines that each name a service, with the line that announces them.
    fn lines(&self, text: &str) -> Option<Range<usize>> {
        let mut lines: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            lines.push(at..at + line.len());
            at += line.len();
        }
        let mut run: Vec<usize> = Vec::new();
        for i in 0..=lines.len() {
            let line = lines.get(i).map_or("", |r| text[r.clone()].trim());
            let names_one = !line.is_empty()
                && !line.ends_with(['?', '؟', '.', '!'])
                && self.items(line, Cut::All).iter().any(|item| self.service_like(item) && item.len() <= 6);
            if names_one {
                run.push(i);
                continue;
            }
            let bulleted = run.iter().filter(|&&l| text[lines[l].clone()].trim_start().starts_with(is_bullet)).count();
            if let (Some(&first), Some(&last)) = (run.first(), run.last())
                && (bulleted >= 2 || run.len() >= 3)
            {
                let announces = first > 0 && text[lines[first - 1].clone()].trim_end().ends_with([':', '：']);
                let from = if announces { first - 1 } else { first };
                return Some(lines[from].start..lines[last].end);
            }
            run.clear();
        }
        None
    }

    /// Whether a sentence lists services.
    fn enumerates(&self, sentence: &str) -> bool {
        if !may_list(sentence) {
            return false;
        }
        let slashed = self.items(sentence, Cut::Slashes);
        let like = |items: &[Vec<String>]| {
            let last = items.len().saturating_sub(1);
            items
                .iter()
                .enumerate()
                .filter(|(i, item)| {
                    // At the ends the sentence goes on; what is listed stands next to the separator.
                    let from = if *i == 0 { item.len().saturating_sub(3) } else { 0 };
                    let to = if *i == last && *i > 0 { item.len().min(from + 3) } else { item.len() };
                    let part = &item[from..to.max(from)];
                    part.len() <= 6 && self.service_like(part)
                })
                .count()
        };
        if slashed.len() >= 2 && like(&slashed) >= 2 {
            return true;
        }
        let items = self.items(sentence, Cut::All);
        if items.len() < 2 {
            return false;
        }
        let found = like(&items);
        if found >= 3 {
            return true;
        }
        offers(sentence) && (found >= 2 || items.len() >= 3 && self.short_things(&items))
    }

    /// Behind words of offering, three short things are a list even when the words are not known: but not days, times or fields.
    fn short_things(&self, items: &[Vec<String>]) -> bool {
        let others = &items[1..];
        let neutral = |item: &Vec<String>| {
            item.iter()
                .any(|w| self.neutral.contains(w.as_str()) || w.bytes().any(|b| b.is_ascii_digit()) || w == HIDDEN)
        };
        let clause = |item: &Vec<String>| {
            item.iter().any(|w| {
                matches!(
                    w.as_str(),
                    "is" | "are"
                        | "will"
                        | "you"
                        | "we"
                        | "i"
                        | "your"
                        | "it"
                        | "please"
                        | "so"
                        | "but"
                        | "can"
                        | "a"
                        | "what"
                        | "which"
                        | "who"
                        | "لك"
                        | "ما"
                        | "من"
                        | "الي"
                        | "ان"
                )
            })
        };
        others.iter().all(|i| i.len() <= 3 && !neutral(i) && !clause(i)) && !neutral(&items[0])
    }

    fn service_like(&self, words: &[String]) -> bool {
        words.iter().any(|w| self.words.contains(stem(w).as_str()))
    }

    /// The items of a text as folded words.
    fn items(&self, text: &str, cut: Cut) -> Vec<Vec<String>> {
        let mut items: Vec<Vec<String>> = vec![Vec::new()];
        let next = |items: &mut Vec<Vec<String>>| {
            if items.last().is_some_and(|i| !i.is_empty()) {
                items.push(Vec::new());
            }
        };
        for token in text.split_whitespace() {
            if is_address(token) {
                items.last_mut().into_iter().for_each(|i| i.push(HIDDEN.to_owned()));
                continue;
            }
            let mut word = String::new();
            for c in token.chars().chain(std::iter::once(' ')) {
                if c.is_alphanumeric()
                    || matches!(c, '\'' | '’' | '-' | '_' | '\u{0640}')
                    || ('\u{064B}'..='\u{065F}').contains(&c)
                {
                    word.push(c);
                    continue;
                }
                self.push_word(&mut items, &std::mem::take(&mut word), cut);
                let always = matches!(c, '/' | '|' | '•' | '·' | '\\');
                let comma = cut == Cut::All && matches!(c, ',' | '،' | ';' | '؛' | '&' | '+' | '、');
                if always || comma {
                    next(&mut items);
                }
            }
        }
        if items.last().is_some_and(Vec::is_empty) {
            items.pop();
        }
        items
    }

    fn push_word(&self, items: &mut Vec<Vec<String>>, word: &str, cut: Cut) {
        let folded = fold(word.trim_matches('-'));
        if folded.is_empty() {
            return;
        }
        let joins = cut == Cut::All && matches!(folded.as_str(), "and" | "or" | "او" | "و" | "plus" | "ام");
        let behind_waw = folded
            .strip_prefix('و')
            .filter(|r| cut == Cut::All && r.chars().count() >= 3 && self.words.contains(stem(r).as_str()));
        if (joins || behind_waw.is_some()) && items.last().is_some_and(|i| !i.is_empty()) {
            items.push(Vec::new());
        }
        if !joins && let Some(item) = items.last_mut() {
            item.push(behind_waw.map_or_else(|| folded.clone(), str::to_owned));
        }
    }
}

/// Stands for an address or URL.
const HIDDEN: &str = "\u{1}";

/// Words of service names that say nothing alone.
fn common(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "the"
            | "for"
            | "with"
            | "new"
            | "full"
            | "our"
            | "your"
            | "all"
            | "per"
            | "from"
            | "service"
            | "services"
            | "name"
            | "time"
            | "email"
            | "phone"
            | "call"
            | "help"
            | "day"
            | "في"
            | "من"
            | "علي"
            | "مع"
            | "خدمه"
            | "خدمات"
            | "كل"
            | "today"
            | "person"
            | "people"
            | "best"
            | "quotation"
            | "country"
            | "message"
            | "colleague"
    )
}

fn is_address(token: &str) -> bool {
    let lower = token.to_ascii_lowercase();
    lower.contains("://")
        || lower.contains("www.")
        || lower.contains('@')
        || lower
            .split('/')
            .next()
            .is_some_and(|host| token.contains('/') && host.contains('.') && host.trim_matches('.').contains('.'))
}

fn is_bullet(c: char) -> bool {
    matches!(c, '-' | '*' | '•' | '·' | '–' | '—' | '▪' | '✅' | '✔' | '➡' | '👉' | '🔹' | '🔸') || c.is_numeric()
}

/// Whether a text holds anything that stands between items: nearly every sentence does not, and is not looked at further.
fn may_list(text: &str) -> bool {
    text.contains(['/', '|', '\\', '•', '·', ',', '،', ';', '؛', '、', '&', '+', 'و', 'أ', 'ا'])
        || text.split_ascii_whitespace().any(|w| ["and", "or", "plus"].iter().any(|j| w.eq_ignore_ascii_case(j)))
}

fn offers(text: &str) -> bool {
    let folded: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(fold).collect();
    let joined = format!(" {} ", folded.join(" "));
    let stands = |phrase: &str, at: usize| {
        let before = &joined[..at];
        joined[at + phrase.len()..].starts_with(' ') && (before.ends_with(' ') || before.ends_with(" و"))
    };
    OFFERS.iter().any(|phrase| joined.match_indices(phrase).any(|(at, _)| stands(phrase, at)))
}

/// The sentences of a text, each with the white space behind it.
fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, n)| *n);
        let ends = matches!(c, '!' | '?' | '؟' | '\n') || c == '.' && next.is_none_or(char::is_whitespace);
        if !ends || next.is_some_and(|n| matches!(n, '!' | '?' | '؟' | '.')) {
            continue;
        }
        let mut end = at + c.len_utf8();
        while let Some((i, n)) = chars.peek().copied() {
            if !(n.is_whitespace() && n != '\n') {
                break;
            }
            end = i + n.len_utf8();
            chars.next();
        }
        out.push(start..end);
        start = end;
    }
    if start < text.len() {
        out.push(start..text.len());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn services() -> Vec<String> {
        ["Golden visa | الإقامة الذهبية", "Trade license", "Ejari", "Massage", "Facial", "Hair spa"]
            .map(str::to_owned)
            .to_vec()
    }

    /// S3.2: lists of services go, in brackets, between slashes, in sentences and in lines, in English and Arabic.
    #[test]
    fn lists_are_removed() {
        for (text, want, removed) in [
            ("How can I help you today (visa / license / Ejari)?", "How can I help you today?", 1),
            ("What do you need? (Visa, trade license, Ejari)", "What do you need?", 1),
            ("Hello! We offer visas, trade licenses and Ejari. What is your name?", "Hello! What is your name?", 1),
            ("Is it visa / license / Ejari?", "", 1),
            ("visa/license/ejari", "", 1),
            ("Sure. We offer massage, facial and hair spa.", "Sure.", 1),
            ("We provide pizza, pasta and salad. Which day suits you?", "Which day suits you?", 1),
            ("كيف أقدر أساعدك؟ (تأشيرة / رخصة / إيجاري)", "كيف أقدر أساعدك؟", 1),
            ("نقدم التأشيرات والرخص والترجمة. ما اسمك؟", "ما اسمك؟", 1),
            ("خدماتنا: تأشيرات، رخص تجارية وتصديق شهادات. كيف أساعدك؟", "كيف أساعدك؟", 1),
            ("We can help with:\n- Visa\n- Trade license\n- Ejari\nWhat is your name?", "What is your name?", 1),
            ("(visa, Ejari) Hello [license / permit]", "Hello", 2),
        ] {
            assert_eq!(guard(text, &services()), Guarded { text: want.to_owned(), removed }, "{text}");
        }
    }

    /// S3.2 must not cost a normal sentence.
    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "How can I help you today?",
            "Thank you, Rashid! Which e-mail should we send it to, and what is the best time to call you?",
            "Is 9/10 at 10:30 fine, or 11/10?",
            "We are open on Monday, Tuesday and Wednesday (9 am, 10 am or 11 am).",
            "See https://example.com/visa/license/ejari for more, or example.com/visa/license.",
            "Write to visa@example.com, license@example.com or ejari@example.com.",
            "Your golden visa and Ejari are noted.",
            "We accept cash and cards (Visa, Mastercard, Apple Pay).",
            "May I have your name, nationality and e-mail?",
            "شكراً لك يا محمد! على أي بريد إلكتروني نرسله لك، وما أنسب وقت نتصل بك فيه؟",
            "أهلاً وسهلاً 👋 معك نورة من الواحة. كيف أقدر أساعدك اليوم؟",
            "  two  spaces stay  ",
            "",
        ] {
            assert_eq!(guard(text, &services()), Guarded { text: text.to_owned(), removed: 0 }, "{text}");
        }
    }

    fn texts() -> impl Strategy<Value = String> {
        let word = prop_oneof![
            Just("visa"),
            Just("license"),
            Just("Ejari"),
            Just("("),
            Just(")"),
            Just("/"),
            Just(","),
            Just("and"),
            Just("we offer"),
            Just("."),
            Just("\n"),
            Just("- "),
            Just("hello"),
            Just("تأشيرة"),
            Just("ورخصة"),
            Just("،"),
            Just("؟"),
            Just("9/10"),
            Just("x@example.com"),
            Just("👋"),
            Just("[")
        ];
        prop_oneof![proptest::collection::vec(word, 0..24).prop_map(|w| w.join(" ")), any::<String>(),]
    }

    proptest! {
        /// Twice is once, nothing grows, and nothing panics.
        #[test]
        fn guarding_is_idempotent_and_never_grows(text in texts()) {
            let once = guard(&text, &services());
            prop_assert!(once.text.len() <= text.len());
            prop_assert_eq!(once.removed == 0, once.text == text);
            let twice = guard(&once.text, &services());
            prop_assert_eq!(&twice.text, &once.text);
            prop_assert_eq!(twice.removed, 0);
        }
    }
}
