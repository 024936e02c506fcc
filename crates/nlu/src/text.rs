//! A message's text as the extractors read it: tokens over a folded copy, each with its place in the original.
//!
//! Folding is what makes "إمارات", "امارات" and "الإمارات" meet: lower case, Arabic letter variants and hamza seats
//! made one, vowel signs and tatweel dropped, digits of any script made ASCII, letters repeated three times and more cut to one
//! (NLU.md, B.1).

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Letters, possibly with digits among them (`s24`, `3asr`, `5pm`).
    Word,
    /// Digits, with inner `:`, `.` or `,` (`5:30`, `50,000`).
    Number,
    /// One punctuation character; a line break is `\n`.
    Mark(char),
    /// Emoji and other symbols.
    Symbol,
    /// An e-mail address, URL or phone number, which nothing else may read.
    Opaque,
}

/// One token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    start: u32,
    end: u32,
    fold_start: u32,
    fold_end: u32,
}

/// A text, folded and cut into tokens.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    /// The original.
    pub(crate) raw: &'a str,
    /// The folded tokens, each followed by a space, and one space before the first.
    pub(crate) folded: String,
    /// The tokens.
    pub(crate) tokens: Vec<Token>,
}

impl<'a> Text<'a> {
    /// Cuts `raw` into tokens; the byte ranges in `opaque` (sorted, apart) become one token each.
    /// `fix` may replace a folded word by a better spelling.
    pub(crate) fn new<'f>(raw: &'a str, opaque: &[Range<usize>], fix: impl Fn(&str) -> Option<&'f str>) -> Self {
        let mut text =
            Self { raw, folded: String::with_capacity(raw.len() + 16), tokens: Vec::with_capacity(raw.len() / 5 + 4) };
        text.folded.push(' ');
        let mut at = 0;
        for hidden in opaque {
            if hidden.start >= at {
                text.scan(at, hidden.start, &fix);
                text.push(Kind::Opaque, hidden.clone(), "\u{1}");
                at = hidden.end;
            }
        }
        text.scan(at, raw.len(), &fix);
        text
    }

    fn push(&mut self, kind: Kind, place: Range<usize>, folded: &str) {
        let fold_start = small(self.folded.len());
        self.folded.push_str(folded);
        let fold_end = small(self.folded.len());
        self.folded.push(' ');
        self.tokens.push(Token { kind, start: small(place.start), end: small(place.end), fold_start, fold_end });
    }

    fn scan<'f>(&mut self, from: usize, to: usize, fix: &impl Fn(&str) -> Option<&'f str>) {
        let mut at = from;
        let mut word = String::new();
        while let Some(c) = self.raw[at..to].chars().next() {
            let next = at + c.len_utf8();
            if is_wordy(c) {
                let (end, number) = self.word_end(at, to);
                word.clear();
                fold_into(&self.raw[at..end], &mut word);
                if !word.is_empty() {
                    let kind = if number { Kind::Number } else { Kind::Word };
                    let fixed = if number { None } else { fix(&word) };
                    self.push(kind, at..end, fixed.unwrap_or(&word));
                }
                at = end;
                continue;
            }
            if c == '\n' || c == '\r' {
                if !matches!(self.tokens.last().map(|t| t.kind), Some(Kind::Mark('\n'))) {
                    self.push(Kind::Mark('\n'), at..next, "\n");
                }
            } else if !(c.is_whitespace() || is_invisible(c)) {
                let mut buffer = [0_u8; 4];
                let kind = if is_mark(c) { Kind::Mark(plain_mark(c)) } else { Kind::Symbol };
                self.push(kind, at..next, c.encode_utf8(&mut buffer));
            }
            at = next;
        }
    }

    /// Where the word that begins at `at` ends, and whether it is a number.
    fn word_end(&self, at: usize, to: usize) -> (usize, bool) {
        let raw = &self.raw[..to];
        let (mut end, mut digits, mut letters) = (at, 0_usize, 0_usize);
        let (mut script, mut since_joint) = (None, 0_usize);
        while let Some(c) = raw[end..].chars().next() {
            let after = end + c.len_utf8();
            if is_wordy(c) {
                if is_digit(c) {
                    digits += 1;
                } else if c.is_alphabetic() && !is_combining_mark(c) {
                    let this = is_arabic(c);
                    // "الvisa" is two words.
                    if script.is_some_and(|s| s != this) {
                        break;
                    }
                    // "٢٥مارس" and "5م" are two words, "3asr" and "5pm" one.
                    if this && digits > 0 {
                        break;
                    }
                    script = Some(this);
                    letters += 1;
                }
                since_joint += 1;
                end = after;
                continue;
            }
            let Some(next) = raw[after..].chars().next() else { break };
            let joins = match c {
                '\'' | '’' | '`' | 'ʼ' | '‘' => letters > 0 && next.is_alphabetic(),
                '-' => letters > 0 && digits == 0 && next.is_alphabetic() && script != Some(true) && !is_arabic(next),
                '.' if letters == 0 => is_digit(next),
                '.' => since_joint == 1 && digits == 0 && next.is_alphabetic(),
                ':' | ',' | '٫' | '٬' => letters == 0 && is_digit(next),
                '\u{200c}' | '\u{200d}' => is_wordy(next),
                _ => false,
            };
            if !joins {
                break;
            }
            since_joint = 0;
            end = after;
        }
        (end, digits > 0 && letters == 0)
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The folded token.
    pub(crate) fn fold(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |t| &self.folded[t.fold_start as usize..t.fold_end as usize])
    }

    /// What the token is; a mark beyond the end.
    pub(crate) fn kind(&self, i: usize) -> Kind {
        self.tokens.get(i).map_or(Kind::Mark('\n'), |t| t.kind)
    }

    /// Whether the token is a word.
    pub(crate) fn is_word(&self, i: usize) -> bool {
        self.kind(i) == Kind::Word
    }

    /// The original token.
    pub(crate) fn surface(&self, i: usize) -> &'a str {
        self.tokens.get(i).map_or("", |t| &self.raw[t.start as usize..t.end as usize])
    }

    /// The place of tokens in the original, in bytes.
    pub(crate) fn place(&self, tokens: &Range<usize>) -> Range<usize> {
        match (self.tokens.get(tokens.start), tokens.end.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(first), Some(last)) => first.start as usize..(last.end as usize).max(first.start as usize),
            _ => 0..0,
        }
    }

    /// The original of several tokens.
    pub(crate) fn span(&self, tokens: &Range<usize>) -> &'a str {
        &self.raw[self.place(tokens)]
    }

    /// The token that holds the folded byte `at`.
    pub(crate) fn token_at(&self, at: usize) -> usize {
        self.tokens.partition_point(|t| (t.fold_end as usize) < at)
    }

    /// Where a token begins in [`Self::folded`].
    pub(crate) fn fold_start(&self, i: usize) -> usize {
        self.tokens.get(i).map_or(self.folded.len(), |t| t.fold_start as usize)
    }

    /// Whether the token begins with a capital letter.
    pub(crate) fn is_capital(&self, i: usize) -> bool {
        self.surface(i).chars().next().is_some_and(char::is_uppercase)
    }

    /// Whether the token is written in Arabic letters.
    pub(crate) fn is_arabic(&self, i: usize) -> bool {
        self.is_word(i) && self.surface(i).chars().any(is_arabic)
    }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A digit of the scripts that customers of the region type.
pub(crate) fn digit(c: char) -> Option<u32> {
    match c {
        '0'..='9' => Some(u32::from(c) - u32::from('0')),
        '٠'..='٩' => Some(u32::from(c) - u32::from('٠')),
        '۰'..='۹' => Some(u32::from(c) - u32::from('۰')),
        '०'..='९' => Some(u32::from(c) - u32::from('०')),
        '０'..='９' => Some(u32::from(c) - u32::from('０')),
        _ => None,
    }
}

fn is_digit(c: char) -> bool {
    digit(c).is_some()
}

/// Letters of the Arabic script.
pub(crate) fn is_arabic(c: char) -> bool {
    matches!(c, '\u{0620}'..='\u{064A}' | '\u{066E}'..='\u{06D3}' | '\u{06FA}'..='\u{06FF}' | '\u{0750}'..='\u{077F}' | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}' | '\u{00AD}')
        || c.is_control()
}

fn is_wordy(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    c.is_alphabetic() || is_digit(c) || c == '\u{0640}' || (is_combining_mark(c) && !is_invisible(c))
}

fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(
            c,
            '،' | '؛'
                | '؟'
                | '۔'
                | '«'
                | '»'
                | '“'
                | '”'
                | '‘'
                | '’'
                | '…'
                | '•'
                | '·'
                | '–'
                | '—'
                | '、'
                | '。'
                | '（'
                | '）'
        )
}

/// One mark for all of a kind.
fn plain_mark(c: char) -> char {
    match c {
        '،' | '、' => ',',
        '؛' => ';',
        '؟' => '?',
        '۔' | '…' | '。' => '.',
        '–' | '—' => '-',
        '·' => '•',
        '（' => '(',
        '）' => ')',
        _ => c,
    }
}

/// Folds one word or phrase; see the head of this file.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

fn fold_into(text: &str, out: &mut String) {
    let from = out.len();
    for c in text.chars() {
        fold_char(c, out);
    }
    cut_repeats(out, from);
}

fn fold_char(c: char, out: &mut String) {
    match c {
        'a'..='z' | '0'..='9' => out.push(c),
        'A'..='Z' => out.push(c.to_ascii_lowercase()),
        '\'' | '’' | '`' | 'ʼ' | '‘' | '-' | '.' if !out.ends_with(|p: char| p.is_ascii_digit()) => {}
        'أ' | 'إ' | 'آ' | 'ٱ' => out.push('ا'),
        'ى' | 'ی' | 'ئ' => out.push('ي'),
        'ؤ' => out.push('و'),
        'ة' | 'ہ' | 'ە' | 'ۀ' => out.push('ه'),
        'ک' => out.push('ك'),
        'ء' | '\u{0640}' => {}
        'ا'..='ي' => out.push(c),
        _ if is_invisible(c) => {}
        _ => match digit(c) {
            Some(d) => out.push(char::from_digit(d, 10).unwrap_or('0')),
            None if c.is_ascii() => out.push(c),
            None => {
                for part in std::iter::once(c).nfkd().filter(|p| !is_combining_mark(*p)) {
                    for lower in part.to_lowercase().filter(|p| !is_combining_mark(*p)) {
                        // Presentation forms decompose into letters that fold in their turn.
                        if is_arabic(lower) && lower != c { fold_char(lower, out) } else { out.push(lower) }
                    }
                }
            }
        },
    }
}

/// "plzzz" becomes "plz": three or more of one letter are emphasis, not spelling.
fn cut_repeats(out: &mut String, from: usize) {
    let (mut run, mut last, mut found) = (0, '\0', false);
    for c in out[from..].chars() {
        run = if c == last { run + 1 } else { 1 };
        last = c;
        found |= run == 3 && c.is_alphabetic();
    }
    if !found {
        return;
    }
    let letters: Vec<char> = out[from..].chars().collect();
    out.truncate(from);
    for group in letters.chunk_by(|a, b| a == b) {
        let keep = if group.len() >= 3 && group[0].is_alphabetic() { 1 } else { group.len() };
        out.extend(group.iter().take(keep));
    }
}

/// Whether `b` is `a` with one letter wrong, missing, added, or two neighbours swapped.
pub(crate) fn one_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    let same = short.iter().zip(long.iter()).take_while(|(x, y)| x == y).count();
    match long.len() - short.len() {
        0 if same == short.len() => true,
        0 => {
            short[same + 1..] == long[same + 1..]
                || same + 1 < short.len()
                    && short[same] == long[same + 1]
                    && short[same + 1] == long[same]
                    && short[same + 2..] == long[same + 2..]
        }
        1 => short[same..] == long[same + 1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(raw: &str) -> Vec<String> {
        let text = Text::new(raw, &[], |_| None);
        (0..text.len()).map(|i| text.fold(i).to_owned()).collect()
    }

    #[test]
    fn folding_makes_variants_of_a_word_meet() {
        for (a, b) in [
            ("إمارات", "امارات"),
            ("السعودية", "السعوديه"),
            ("مَرْحَباً", "مرحبا"),
            ("مساء", "مسا"),
            ("José", "jose"),
            ("plzzzz", "plz"),
            ("٠٥٠", "050"),
            ("عـــمان", "عمان"),
            ("ﻣﺼﺮ", "مصر"),
        ] {
            assert_eq!(fold(a), b);
        }
        assert_eq!(fold("0500000147"), "0500000147", "digits are no emphasis");
    }

    #[test]
    fn tokens_keep_what_belongs_together() {
        for (raw, want) in [
            ("I'm here, 5:30 pm", vec!["im", "here", ",", "5:30", "pm"]),
            ("الvisa", vec!["ال", "visa"]),
            ("e-mail 10-12", vec!["email", "10", "-", "12"]),
            ("U.A.E. p.m.", vec!["uae", ".", "pm", "."]),
            ("ba3d 5pm", vec!["ba3d", "5pm"]),
            ("٢٥مارس", vec!["25", "مارس"]),
            ("done.Next", vec!["done", ".", "next"]),
            ("50,000 AED", vec!["50,000", "aed"]),
        ] {
            assert_eq!(words(raw), want, "{raw}");
        }
    }

    #[test]
    fn one_slip_is_one_edit() {
        for (a, b, want) in [
            ("visa", "visa", true),
            ("familly", "family", true),
            ("licnese", "license", true),
            ("licence", "license", true),
            ("visa", "vista", true),
            ("price", "priya", false),
            ("offce", "officer", false),
        ] {
            assert_eq!(one_slip(a, b), want, "{a} {b}");
        }
    }

    proptest! {
        /// Whatever comes, tokens lie in order inside the text and their places are character borders.
        #[test]
        fn tokens_lie_in_order(raw in any::<String>()) {
            let text = Text::new(&raw, &[], |_| None);
            let mut last = 0;
            for i in 0..text.len() {
                let place = text.place(&(i..i + 1));
                prop_assert!(place.start >= last && place.end >= place.start);
                prop_assert!(raw.is_char_boundary(place.start) && raw.is_char_boundary(place.end));
                prop_assert_eq!(text.token_at(text.fold_start(i)), i);
                last = place.end;
            }
        }
    }
}
