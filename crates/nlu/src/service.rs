//! What the person wants: the tenant's own names first, then the usual words of service businesses, then whatever follows "I want".

mod subject;

use std::collections::HashMap;
use std::ops::Range;

use crate::lexicon::{Concept, Reading, WHEN, fold_phrase, set};
use crate::read::Busy;
use crate::text::{Kind, fold, is_arabic, one_slip};

/// A wish found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Where.
    pub(crate) tokens: Range<usize>,
    /// The tenant's name of the service, or the person's own words, cleaned.
    pub(crate) value: String,
    /// Whether the words themselves make it a wish, not only the question that was open.
    pub(crate) explicit: bool,
}

/// The tenant's services, indexed by the stems of their words.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    names: Vec<String>,
    /// Which service, and its stems.
    phrases: Vec<(usize, Vec<String>)>,
    index: HashMap<String, Vec<usize>>,
}

impl Catalogue {
    /// Each entry is a name with aliases after `|`; all of them are recognised, the first is the value.
    pub(crate) fn new(services: &[String]) -> Self {
        let mut catalogue = Self::default();
        for entry in services {
            let mut parts = entry.split('|').map(str::trim).filter(|p| !p.is_empty());
            let Some(name) = parts.clone().next() else { continue };
            let id = catalogue.names.len();
            catalogue.names.push(name.to_owned());
            for alias in parts.by_ref() {
                let mut stems: Vec<String> =
                    fold_phrase(alias).split(' ').filter(|w| !is_filler(w)).map(stem).collect();
                stems.dedup();
                if stems.is_empty() {
                    continue;
                }
                let phrase = catalogue.phrases.len();
                for s in &stems {
                    let list = catalogue.index.entry(s.clone()).or_default();
                    if list.last() != Some(&phrase) {
                        list.push(phrase);
                    }
                }
                catalogue.phrases.push((id, stems));
            }
        }
        catalogue
    }

    /// Whether the folded word is part of a service's name.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        !self.index.is_empty() && self.index.contains_key(&stem(word))
    }

    /// The service that the words name, with the tokens that do.
    fn find(&self, reading: &Reading<'_>) -> Option<(Range<usize>, usize)> {
        if self.phrases.is_empty() {
            return None;
        }
        let mut found: HashMap<usize, Vec<(usize, usize)>> = HashMap::new();
        for i in (0..reading.text.len()).filter(|&i| reading.text.is_word(i)) {
            // As it was written first: what looks like a slip may be a word of this tenant.
            let written = stem(&fold(reading.text.surface(i)));
            let s = if self.index.contains_key(&written) { written } else { stem(reading.text.fold(i)) };
            let exact = self.index.get(&s);
            let near = || {
                self.index
                    .iter()
                    .find(|(k, _)| {
                        reading.cover[i] == 0
                            && s.len() >= 5
                            && k.len() >= 5
                            && k.chars().next() == s.chars().next()
                            && one_slip(k, &s)
                    })
                    .map(|(_, v)| v)
            };
            let key = exact.or_else(near);
            for &phrase in key.map_or(&[][..], Vec::as_slice) {
                let place = self.phrases[phrase].1.iter().position(|p| *p == s || one_slip(p, &s)).unwrap_or(0);
                found.entry(phrase).or_default().push((place, i));
            }
        }
        let core = set(&[
            Concept::ServiceMod,
            Concept::ServiceTail,
            Concept::ServiceAct,
            Concept::ServiceHead,
            Concept::English,
            Concept::Arabic,
        ]);
        let mut best: Option<(usize, usize, usize, Range<usize>)> = None;
        for (phrase, hits) in found {
            let (id, stems) = &self.phrases[phrase];
            let distinct = (0..stems.len()).filter(|p| hits.iter().any(|(place, _)| place == p)).count();
            let (first, last) = (hits.iter().map(|h| h.1).min()?, hits.iter().map(|h| h.1).max()?);
            let whole = distinct == stems.len();
            let most = distinct >= 2 && distinct * 5 >= stems.len() * 3;
            let telling = distinct == 1
                && hits.iter().any(|(place, i)| {
                    let services = self.index.get(&stems[*place]).map_or(0, |l| self.owners(l));
                    let mended = fold(reading.text.surface(*i)) != reading.text.fold(*i);
                    services == 1 && (mended || reading.cover[*i] & core == 0)
                });
            if (whole || most || telling) && last - first < stems.len() + 4 {
                let rank = (distinct, usize::from(whole), usize::MAX - *id, first..last + 1);
                if best.as_ref().is_none_or(|b| (rank.0, rank.1, rank.2) > (b.0, b.1, b.2)) {
                    best = Some(rank);
                }
            }
        }
        best.map(|(_, _, id, tokens)| (tokens, usize::MAX - id))
    }

    fn owners(&self, phrases: &[usize]) -> usize {
        let mut ids: Vec<usize> = phrases.iter().filter_map(|p| self.phrases.get(*p)).map(|p| p.0).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }
}

fn is_filler(word: &str) -> bool {
    matches!(
        word,
        "and"
            | "of"
            | "the"
            | "for"
            | "a"
            | "in"
            | "service"
            | "services"
            | "و"
            | "في"
            | "من"
            | "خدمات"
            | "خدمه"
            | "&"
            | ""
    )
}

/// The form in which a word of a service is compared: without the Arabic article and prefixes, without the English plural.
#[must_use]
pub fn stem(word: &str) -> String {
    if word.starts_with(is_arabic) {
        for prefix in ["وال", "بال", "ولل", "لل", "ال"] {
            if let Some(rest) = word.strip_prefix(prefix)
                && rest.chars().count() >= 3
            {
                return rest.to_owned();
            }
        }
        return word.strip_prefix('و').filter(|r| r.chars().count() >= 4).unwrap_or(word).to_owned();
    }
    let singular = word.strip_suffix('s').filter(|r| r.len() >= 4 && !r.ends_with('s')).unwrap_or(word);
    if singular == "licence" { "license".to_owned() } else { singular.to_owned() }
}

/// The wish of a message.
pub(crate) fn read(
    reading: &Reading<'_>,
    catalogue: &Catalogue,
    busy: &Busy<'_>,
    quantity: Option<&Range<usize>>,
    asked: bool,
) -> Option<Found> {
    if reading.has(set(&[Concept::OffTopic]))
        && !reading.has(set(&[Concept::ServiceHead]))
        && catalogue.phrases.is_empty()
    {
        return None;
    }
    if let Some((tokens, id)) = catalogue.find(reading) {
        return Some(Found { value: catalogue.names.get(id)?.clone(), tokens, explicit: true });
    }
    if subject::seeks_work(reading) || subject::offers(reading) {
        return None;
    }
    // "200 shirts with logo": the goods that are counted, not what shall be on them. To the open question the whole answer counts.
    let counted = quantity.and_then(|q| noun_phrase(reading, busy, q.end)).filter(|t| !asked && goods(reading, t));
    let head = by_head(reading, busy).filter(|(tokens, _)| counted.as_ref().is_none_or(|c| tokens.start < c.end));
    let tokens = match head {
        Some((tokens, true)) => Some(tokens),
        weak => by_wish(reading, busy)
            .filter(|wish| counted.as_ref().is_none_or(|c| wish.start < c.end))
            .or(counted)
            .or_else(|| weak.map(|(tokens, _)| tokens)),
    };
    let found = |tokens: Range<usize>, explicit| Found { value: clean(reading.text.span(&tokens)), tokens, explicit };
    match tokens {
        Some(tokens) => Some(found(tokens, true)),
        None if asked => own_words(reading, busy),
        // What is only spoken of is no wish that could replace another.
        None => {
            subject::read(reading, busy).or_else(|| subject::named(reading, busy)).map(|tokens| found(tokens, false))
        }
    }
}

/// Things, and no persons or services.
fn goods(reading: &Reading<'_>, tokens: &Range<usize>) -> bool {
    let unknown = |t: usize| reading.cover[t] == 0 && reading.text.fold(t).chars().count() >= 4;
    (tokens.clone().any(|t| reading.is(t, set(&[Concept::Thing]))) || tokens.clone().all(unknown))
        && !tokens.clone().any(|t| reading.is(t, set(&[Concept::PersonNoun, Concept::ServiceHead])))
}

/// The longest phrase around a known core word, and whether the core says enough alone.
fn by_head(reading: &Reading<'_>, busy: &Busy<'_>) -> Option<(Range<usize>, bool)> {
    let mut best: Option<(Range<usize>, bool)> = None;
    for hit in reading.phrases(set(&[Concept::ServiceHead])) {
        if busy.holds(hit.from) {
            continue;
        }
        let whole = widen(reading, busy, hit.from..hit.to);
        let bare = hit.to - hit.from == 1 && weak_head(reading.text.fold(hit.from));
        let wished = wished_for(reading, whole.start);
        if bare && whole.len() == 1 && !wished {
            continue;
        }
        let strong = !bare || whole.len() > 1;
        let better = best.as_ref().is_none_or(|(b, s)| (strong, whole.len()) > (*s, b.len()));
        if better {
            best = Some((whole, strong));
        }
    }
    best
}

/// Words that mean something only with another ("company", "service", "appointment").
fn weak_head(word: &str) -> bool {
    matches!(
        stem(word).as_str(),
        "service"
            | "package"
            | "registration"
            | "renewal"
            | "appointment"
            | "company"
            | "transaction"
            | "office"
            | "medical"
            | "marketing"
            | "sponsor"
            | "desk"
            | "moving"
            | "tax"
            | "website"
            | "ticket"
            | "software"
            | "application"
            | "cancellation"
            | "amendment"
            | "maintenance"
            | "typing"
            | "maid"
            | "hotel"
            | "tour"
            | "card"
            | "شركه"
            | "مكتب"
            | "موعد"
            | "باقه"
            | "معامله"
            | "رواتب"
            | "شعار"
            | "تطبيق"
            | "حساب"
            | "عقد"
            | "فحص"
            | "مكاتب"
            | "شركات"
            | "معاملات"
    )
}

/// The core with what belongs to it: modifiers before, acts and kinds behind; in Arabic the other way round.
fn widen(reading: &Reading<'_>, busy: &Busy<'_>, core: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (core.start, core.end);
    let arabic = reading.text.is_arabic(core.start);
    let free = |t: usize| reading.text.is_word(t) && !busy.holds(t);
    let fresh = |t: usize| reading.cover[t] == 0;
    let before = if arabic { set(&[Concept::ServiceAct]) } else { set(&[Concept::ServiceMod, Concept::ServiceHead]) };
    while start > 0 && core.start - start < 3 && free(start - 1) {
        let t = start - 1;
        let fits = if arabic {
            reading.is(t, before) && reading.text.is_arabic(t)
        } else {
            (reading.is(t, before) || fresh(t)) && !reading.text.is_arabic(t)
        };
        if !fits || (!arabic && matches!(reading.text.fold(t), "el" | "al")) {
            break;
        }
        start -= 1;
    }
    let behind = set(&[Concept::ServiceTail, Concept::ServiceHead]);
    while end < reading.text.len() && end - core.end < 3 && free(end) {
        let stop = set(&[
            Concept::Arabic,
            Concept::Want,
            Concept::PersonNoun,
            Concept::NameCue,
            Concept::Price,
            Concept::Available,
            Concept::Negative,
            Concept::Call,
            Concept::Greet,
            Concept::Given,
            Concept::Skip,
            Concept::PhoneCue,
        ]);
        let fits = if arabic {
            reading.text.is_arabic(end)
                && !joined(reading, end)
                && !reading.is(end, stop & !set(&[Concept::Skip]))
                && reading.text.fold(end).chars().count() > 2
                && end - core.end < 2
        } else {
            reading.is(end, behind) && !reading.text.is_arabic(end)
        };
        if !fits {
            break;
        }
        end += 1;
    }
    start..end
}

/// "للاردن", "لمده", "بالجبن", "وجاني": what belongs to the sentence, not to the thing before it.
fn joined(reading: &Reading<'_>, at: usize) -> bool {
    let word = reading.text.fold(at);
    let fresh = reading.cover[at] == 0;
    let apart = word.starts_with("لل") || word.starts_with("بال") || word.starts_with("لمد");
    reading.text.is_arabic(at)
        && (apart
            || word.starts_with('ل') && word.chars().count() > 4 && !reading.is(at, set(&[Concept::Thing]))
            || word.starts_with('و') && word.chars().count() > 3 && fresh)
}

/// "city tour", "name plates": a common word before a thing is part of it.
fn qualifies(reading: &Reading<'_>, at: usize) -> bool {
    reading.cover[at] == set(&[Concept::English])
        && reading.is(at + 1, set(&[Concept::Thing, Concept::ServiceHead]))
        && !matches!(reading.text.fold(at), "know" | "see" | "your" | "my" | "about" | "someone" | "something")
}

/// "I want", "price of", "do you have" and small words stand right before.
fn wished_for(reading: &Reading<'_>, at: usize) -> bool {
    let cue = set(&[Concept::Want, Concept::Buy, Concept::Price, Concept::Available]);
    let mut t = at;
    while t > 0 && at - t < 5 {
        t -= 1;
        if reading.is(t, cue) {
            return true;
        }
        if !(reading.is(t, set(&[Concept::Skip])) || reading.text.kind(t) == Kind::Number) {
            return false;
        }
    }
    false
}

/// The thing that follows "I want", "how much for", "do you have".
fn by_wish(reading: &Reading<'_>, busy: &Busy<'_>) -> Option<Range<usize>> {
    let mut cues = set(&[Concept::Want, Concept::Buy, Concept::Price, Concept::Available]);
    if reading.has(set(&[Concept::Available])) {
        cues |= set(&[Concept::SubjectCue]);
    }
    let mut best: Option<Range<usize>> = None;
    // "I ordered a jacket and got a shirt".
    let had = (0..reading.text.len()).filter(|&t| {
        matches!(
            reading.text.fold(t),
            "ordered"
                | "bought"
                | "purchased"
                | "طلبت"
                | "طلبنا"
                | "اشتريت"
                | "شريت"
                | "talabt"
                | "6alabt"
                | "eshtareet"
        )
    });
    for from in reading.phrases(cues).map(|hit| hit.to).chain(had.map(|t| t + 1)) {
        if let Some(thing) = noun_phrase(reading, busy, from)
            && best.as_ref().is_none_or(|b| thing.len() > b.len())
        {
            best = Some(thing);
        }
    }
    best
}

/// At most five words of a thing, behind small words and numbers.
fn noun_phrase(reading: &Reading<'_>, busy: &Busy<'_>, from: usize) -> Option<Range<usize>> {
    let passes = set(&[Concept::Thing, Concept::ServiceHead, Concept::ServiceMod, Concept::ServiceTail]);
    let stops = !(passes
        | set(&[
            Concept::Given,
            Concept::Skip,
            Concept::NameJoint,
            Concept::NumberWord,
            Concept::NotClock,
            Concept::TimeUnit,
            Concept::TimeGlue,
            Concept::TimePrep,
            Concept::TimeMod,
            Concept::PersonNoun,
            Concept::NotOfPerson,
            Concept::NotPerson,
            Concept::NationAfter,
            Concept::PhoneCue,
            Concept::Title,
            Concept::Meridiem,
            Concept::Clock,
        ]));
    let skip = set(&[Concept::Skip, Concept::NumberWord]);
    let mut start = from;
    while start < reading.text.len()
        && start - from < 7
        && !busy.holds(start)
        && (reading.text.kind(start) == Kind::Number
            || reading.is(start, skip) && (!reading.is(start, set(&[Concept::Thing])) || counts(reading, start))
            || reading.text.kind(start) == Kind::Mark(':')
            || matches!(reading.text.fold(start), "size" | "مقاس") && reading.text.kind(start + 1) == Kind::Number
            || reading.is(start, set(&[Concept::Want, Concept::Buy])))
    {
        start += 1;
    }
    let mut end = start;
    while end < reading.text.len() && end - start < 5 && !busy.holds(end) {
        let joins = match reading.text.kind(end) {
            Kind::Word => {
                if end > start && joined(reading, end) {
                    break;
                }
                let small = reading.is(end, set(&[Concept::Skip, Concept::TimePrep, Concept::TimeGlue]))
                    && !reading.is(end, passes);
                (reading.is(end, passes) && !reading.is(end, set(&[Concept::Call]))
                    || reading.cover[end] & stops == 0 && !small
                    || qualifies(reading, end))
                    && !(end > start && WHEN & reading.cover[end] != 0)
            }
            Kind::Number => end > start && reading.text.is_word(end - 1) && reading.text.fold(end).len() <= 4,
            _ => false,
        };
        if !joins {
            break;
        }
        end += 1;
    }
    let letters = (start..end)
        .any(|t| reading.text.is_word(t) && reading.text.fold(t).chars().filter(|c| c.is_alphabetic()).count() >= 2);
    let only_people = (start..end).all(|t| {
        reading.is(
            t,
            set(&[Concept::Given, Concept::PersonNoun, Concept::NotPerson, Concept::PhoneCue, Concept::NationAfter]),
        ) && !reading.is(t, passes)
    });
    (letters && !only_people).then_some(start..end)
}

/// "10 boxes of dates": the boxes count, they are not what is wanted.
fn counts(reading: &Reading<'_>, at: usize) -> bool {
    let number =
        at > 0 && (reading.text.kind(at - 1) == Kind::Number || reading.is(at - 1, set(&[Concept::NumberWord])));
    number
        && reading.text.is_word(at + 1)
        && (reading.cover[at + 1] == 0 || reading.is(at + 1, set(&[Concept::Thing, Concept::Skip])))
}

/// The whole answer in the person's own words, when it is one: not small talk, not a question about something else.
fn own_words(reading: &Reading<'_>, busy: &Busy<'_>) -> Option<Found> {
    let light = set(&[Concept::Greet, Concept::Thanks, Concept::Polite, Concept::Yes, Concept::No, Concept::Want]);
    if reading.has(set(&[Concept::OffTopic, Concept::Human, Concept::Call])) {
        return None;
    }
    let words: Vec<usize> = (0..reading.text.len()).filter(|&t| reading.text.is_word(t)).collect();
    let content = |t: &usize| {
        !busy.holds(*t)
            && (reading.cover[*t] & !set(&[Concept::Skip]) == 0
                || reading.is(
                    *t,
                    set(&[Concept::Thing, Concept::ServiceMod, Concept::ServiceTail, Concept::Negative, Concept::Buy]),
                ))
    };
    let speakable = |t: &usize| reading.text.fold(*t).chars().filter(|c| c.is_alphabetic()).count() >= 3;
    let question = (0..reading.text.len()).any(|t| reading.text.kind(t) == Kind::Mark('?'));
    let telling = words.iter().filter(|t| content(t) && speakable(t)).count();
    if telling == 0
        || words.len() > 40
        || question && telling < 2
        || (0..words.len()).all(|i| reading.is(words[i], light))
        || words.iter().all(|&t| reading.cover[t] == 0 && struck_at_random(reading.text.fold(t)))
    {
        return None;
    }
    let border = |t: usize| reading.text.is_word(t) && !reading.is(t, light) || reading.text.kind(t) == Kind::Number;
    let start = (0..reading.text.len()).find(|&t| border(t))?;
    let end = (0..reading.text.len()).rev().find(|&t| border(t))? + 1;
    Some(Found { value: clean(reading.text.span(&(start..end))), tokens: start..end, explicit: false })
}

/// Keys struck one beside the other ("asdf", "qwer", "lkjh"), or in no order that can be spoken.
fn struck_at_random(word: &str) -> bool {
    const ROWS: [&[u8]; 3] = [b"qwertyuiop", b"asdfghjkl", b"zxcvbnm"];
    let place = |b: &u8| ROWS.iter().enumerate().find_map(|(row, keys)| Some((row, keys.iter().position(|k| k == b)?)));
    let bytes = word.as_bytes();
    if !word.is_ascii() || bytes.len() < 3 {
        return false;
    }
    let beside = |pair: &[u8]| match (place(&pair[0]), place(&pair[1])) {
        (Some((a, x)), Some((b, y))) => a == b && x.abs_diff(y) <= 1,
        _ => false,
    };
    let neighbours = bytes.windows(2).filter(|pair| beside(pair)).count();
    bytes.len() >= 4 && neighbours * 4 >= (bytes.len() - 1) * 3 || crate::name::unspeakable(word)
}

/// One line, at most 120 characters.
fn clean(raw: &str) -> String {
    let joined = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    types::text::preview(&joined, 120).trim().to_owned()
}
