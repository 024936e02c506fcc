//! E-mail addresses, web addresses and phone numbers: found first, since nothing else may read their letters and digits.

use std::ops::Range;

use phonenumber::country::Id;

use crate::text::digit;

/// Something found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where, in bytes.
    pub(crate) place: Range<usize>,
    /// In its standard form.
    pub(crate) value: String,
}

/// The e-mail addresses of a text, lower case.
pub(crate) fn emails(raw: &str) -> Vec<Found> {
    let bytes = raw.as_bytes();
    let local = |b: u8| b.is_ascii_alphanumeric() || b"._%+-".contains(&b);
    let domain = |b: u8| b.is_ascii_alphanumeric() || b".-".contains(&b);
    let mut found: Vec<Found> = Vec::new();
    for (at, _) in raw.match_indices('@') {
        let mut start = at;
        while start > 0 && local(bytes[start - 1]) {
            start -= 1;
        }
        while start < at && b".-+_%".contains(&bytes[start]) {
            start += 1;
        }
        let mut end = at + 1;
        while end < bytes.len() && domain(bytes[end]) {
            end += 1;
        }
        while end > at + 1 && b".-".contains(&bytes[end - 1]) {
            end -= 1;
        }
        let labels: Vec<&str> = raw[at + 1..end].split('.').collect();
        let top = labels.last().copied().unwrap_or("");
        let whole = labels.len() >= 2
            && labels.iter().all(|l| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-'))
            && top.len() >= 2
            && top.bytes().all(|b| b.is_ascii_alphabetic());
        let apart = found.last().is_none_or(|f| f.place.end <= start);
        if start < at && whole && apart && !raw[start..at].contains("..") {
            found.push(Found { place: start..end, value: raw[start..end].to_ascii_lowercase() });
        }
    }
    found
}

/// The places of web addresses.
pub(crate) fn urls(raw: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for word in raw.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let start = ["http://", "https://", "www."].iter().filter_map(|s| find_ignoring_case(bare, s)).min();
        if let Some(start) = start {
            found.push(at + start..at + bare.len());
        }
        at += word.len();
    }
    found
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    text.as_bytes()
        .windows(what.len())
        .position(|w| w.eq_ignore_ascii_case(what.as_bytes()))
        .filter(|at| text.is_char_boundary(*at))
}

/// How a number must look to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Only numbers that the numbering plan knows, or international ones of a possible length.
    Careful,
    /// The person was asked, or said "my number is": possible ones too.
    Expected,
}

/// The phone numbers of a text as E.164; `region` is the country of numbers without a code. Digits of any script; spaces, dashes,
/// dots and brackets between them. Numbers in `taken` places are left alone.
pub(crate) fn phones(raw: &str, region: Id, trust: Trust, taken: &[Range<usize>]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((offset, c)) = raw[at..].char_indices().find(|(_, c)| digit(*c).is_some() || matches!(c, '+' | '＋'))
    {
        let start = at + offset;
        if let Some(hidden) = taken.iter().find(|t| t.contains(&start)) {
            at = hidden.end;
            continue;
        }
        let (end, digits) = run(raw, start);
        let glued = raw[..start].ends_with(|c: char| c.is_alphanumeric() && !crate::text::is_arabic(c))
            || raw[end..].starts_with(|c: char| c.is_ascii_alphabetic());
        let plus = matches!(c, '+' | '＋');
        if !glued
            && !is_something_else(&raw[start..end], &digits, plus)
            && let Some(value) = e164(&digits, plus, region, trust)
        {
            found.push(Found { place: start..end, value });
        }
        at = end.max(start + c.len_utf8());
    }
    found
}

/// The run of digits and separators that begins at `start`: its end (behind the last digit) and its digits.
fn run(raw: &str, start: usize) -> (usize, String) {
    let (mut end, mut digits, mut gap) = (start, String::new(), 0);
    for (offset, c) in raw[start..].char_indices() {
        if let Some(d) = digit(c) {
            digits.push(char::from_digit(d, 10).unwrap_or('0'));
            end = start + offset + c.len_utf8();
            gap = 0;
        } else if offset == 0 && matches!(c, '+' | '＋') {
            end = start + c.len_utf8();
        } else if matches!(
            c,
            ' ' | '-'
                | '.'
                | '('
                | ')'
                | '\u{a0}'
                | '\u{2011}'
                | '–'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'
                | '\u{202c}'
        ) && gap < 3
        {
            gap += 1;
        } else {
            break;
        }
    }
    (end, digits)
}

/// Dates ("25-03-2026"), times, and Emirates ids ("784-1990-…") are no phone numbers.
fn is_something_else(raw: &str, digits: &str, plus: bool) -> bool {
    if plus {
        return false;
    }
    let parts: Vec<usize> = raw.split(['-', '.', ' ']).map(|p| p.chars().count()).collect();
    let date = matches!(parts[..], [1 | 2, 1 | 2, 4] | [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 2]);
    date || digits.len() == 15 && digits.starts_with("784")
}

/// Whether a text is the ISO code of a country whose numbers are known.
#[must_use]
pub fn is_region(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) && text.parse::<Id>().is_ok()
}

/// A number that somebody typed to be written to: its digits with the country code. Without one it is a number of `region`. `None`: no
/// telephone can have it, as far as the numbering plans know.
#[must_use]
pub fn dialled(text: &str, region: &str) -> Option<String> {
    let region = region.parse::<Id>().ok()?;
    let text = text.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let valid = |region: Option<Id>, text: String| {
        let number = phonenumber::parse(region, text).ok().filter(phonenumber::is_valid)?;
        Some(format!("{}{}", number.code().value(), number.national()))
    };
    let (plus, bare) = match digits.strip_prefix("00") {
        Some(rest) => (true, rest),
        None => (text.starts_with('+'), digits.as_str()),
    };
    let local = || if plus { None } else { valid(Some(region), bare.to_owned()) };
    valid(None, format!("+{bare}")).or_else(local)
}

fn e164(digits: &str, plus: bool, region: Id, trust: Trust) -> Option<String> {
    if !(7..=17).contains(&digits.len()) {
        return None;
    }
    let (international, bare) = match digits.strip_prefix("00") {
        _ if plus => (true, digits),
        Some(rest) => (true, rest),
        None => (false, digits),
    };
    let standard = |n: &phonenumber::PhoneNumber| format!("+{}{}", n.code().value(), n.national());
    let length_fits = |s: &str| (9..=16).contains(&s.len());
    if international {
        let number = phonenumber::parse(None, format!("+{bare}")).ok()?;
        let value = standard(&number);
        return length_fits(&value).then_some(value);
    }
    // People leave the plus out: "971 50 …".
    if bare.len() >= 11
        && !bare.starts_with('0')
        && let Some(n) = phonenumber::parse(None, format!("+{bare}")).ok().filter(phonenumber::is_valid)
    {
        return Some(standard(&n));
    }
    let number = phonenumber::parse(Some(region), bare).ok()?;
    let value = standard(&number);
    let sure = phonenumber::is_valid(&number) && (bare.starts_with('0') || bare.len() >= 9);
    let possible = trust == Trust::Expected && length_fits(&value) && (8..=11).contains(&bare.len());
    (sure || possible).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_typed_to_be_called_has_a_number_of_some_plan() {
        for (typed, region, want) in [
            ("971501234567", "AE", Some("971501234567")),
            ("+971 50 123-4567", "SA", Some("971501234567")),
            ("00971501234567", "SA", Some("971501234567")),
            ("0501234567", "AE", Some("971501234567")),
            ("050 123 4567", "SA", Some("966501234567")),
            ("+1 415 555 2671", "AE", Some("14155552671")),
            ("12345", "AE", None),
            ("999999999999999", "AE", None),
            ("+999 123456789", "AE", None),
            ("00000000", "AE", None),
            ("", "AE", None),
            ("0501234567", "ZZ", None),
        ] {
            assert_eq!(dialled(typed, region).as_deref(), want, "{typed} in {region}");
        }
    }

    #[test]
    fn emails_are_found_exactly() {
        for (raw, want) in [
            ("mail Me@Example.COM.", vec!["me@example.com"]),
            ("إيميلي:a.b+c@mail.example.org شكرا", vec!["a.b+c@mail.example.org"]),
            ("a@b", vec![]),
            ("meet @ 5.30", vec![]),
            ("x@example.com,y@example.net", vec!["x@example.com", "y@example.net"]),
            ("@example.com", vec![]),
            ("a@-example.com", vec![]),
        ] {
            let values: Vec<String> = emails(raw).into_iter().map(|f| f.value).collect();
            assert_eq!(values, want, "{raw}");
        }
    }

    #[test]
    fn phones_become_e164() {
        for (raw, want) in [
            ("0501234567", vec!["+971501234567"]),
            ("٠٥٠ ١٢٣ ٤٥٦٧", vec!["+971501234567"]),
            ("971501234567", vec!["+971501234567"]),
            ("00971 50 123 4567", vec!["+971501234567"]),
            ("+44 7400 123456 thanks", vec!["+447400123456"]),
            ("+1 (415) 555-2671", vec!["+14155552671"]),
            ("order 12345", vec![]),
            ("on 25-03-2026", vec![]),
            ("784-1990-1234567-1", vec![]),
            ("50,000 AED", vec![]),
            ("s24ultra0501234567x", vec![]),
            ("between 10 and 12", vec![]),
        ] {
            let values: Vec<String> = phones(raw, Id::AE, Trust::Careful, &[]).into_iter().map(|f| f.value).collect();
            assert_eq!(values, want, "{raw}");
        }
    }

    proptest! {
        /// Whatever comes, what is found lies inside the text.
        #[test]
        fn finders_survive_anything(raw in "[ -~٠-٩ا-ي@+.()😀-😂]{0,80}") {
            for f in emails(&raw).into_iter().chain(phones(&raw, Id::AE, Trust::Expected, &[])) {
                prop_assert!(raw.get(f.place).is_some());
            }
            for u in urls(&raw) {
                prop_assert!(raw.get(u).is_some());
            }
        }
    }
}
