//! The small languages inside strings: durations, sizes, addresses, `${NAME}`. All pure.

use std::time::Duration;

/// Why a text is not the value it should be, as the rest of a sentence.
pub(super) type Why = String;

/// Ten years: longer waits are slips of the keyboard, and the sums of any two still fit everywhere.
const LONGEST: Duration = Duration::from_secs(3650 * 86_400);

/// `250ms`, `1s`, `5m`, `1h`, `30d`, and sums of them: `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, Why> {
    let wrong = || format!("{:?} is not a duration", cut(text));
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let (number, tail) = split_number(rest).ok_or_else(wrong)?;
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_end);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "" => return Err(format!("{:?} has no unit", cut(text))),
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(millis).map(Duration::from_millis).filter(|d| *d <= LONGEST);
        total =
            part.map(|p| total + p).filter(|t| *t <= LONGEST).ok_or_else(|| format!("{:?} is too long", cut(text)))?;
        rest = next;
    }
    Ok(total)
}

/// A duration in the words that [`duration`] reads, in its largest whole unit.
pub(super) fn spell(d: Duration) -> String {
    let millis = d.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

/// `512KB`, `3MB`, `1GB` (a KB is 1024 bytes, as for the body limits of most servers), or a bare number of bytes.
pub(super) fn size(text: &str) -> Result<usize, Why> {
    let wrong = || format!("{:?} is not a size", cut(text));
    let (number, unit) = split_number(text.trim()).ok_or_else(wrong)?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "kib" => 1 << 10,
        "mb" | "mib" => 1 << 20,
        "gb" | "gib" => 1 << 30,
        _ => return Err(wrong()),
    };
    let bytes = number.checked_mul(factor).and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= 1 << 40);
    bytes.ok_or_else(|| format!("{:?} is too large", cut(text)))
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// An `http://` or `https://` address without query, credentials or a slash at the end.
pub(super) fn web_address(text: &str) -> Result<String, Why> {
    let wrong = |why: &str| Err(format!("{:?} {why}", cut(text)));
    let text = text.trim();
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return wrong("does not begin with https:// or http://");
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err("holds a name or password".to_owned());
    }
    if rest.contains(['?', '#']) {
        return wrong("has a query or fragment");
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | '[' | ']' | ':'));
    if name.is_empty() || name.contains(odd) || port.is_some_and(|p| p.parse::<u16>().is_err()) {
        return wrong("has no proper host");
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return wrong("has a blank in it");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether an address that [`web_address`] let through stays on this machine.
pub(super) fn is_loopback(address: &str) -> bool {
    let name = host(address);
    names_this_machine(name) || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether an address names this machine or its network outright; what a name stands for is looked at when it is called.
pub(super) fn is_private(address: &str) -> bool {
    let name = host(address);
    names_this_machine(name) || name.parse::<std::net::IpAddr>().is_ok_and(|ip| !net::is_public(ip))
}

fn names_this_machine(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn host(address: &str) -> &str {
    let host = address.split("://").nth(1).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    host.strip_prefix('[').map_or_else(|| host.split(':').next(), |v6| v6.split(']').next()).unwrap_or_default()
}

/// Why `${…}` could not be replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unset {
    /// The variable does not exist.
    Missing(String),
    /// The variable exists and is empty.
    Empty(String),
    /// `${` without a name and a closing brace.
    Malformed,
}

/// Replaces each `${NAME}`; `$${` stands for a plain `${`.
pub(super) fn expand(text: &str, env: impl Fn(&str) -> Option<String>) -> Result<String, Vec<Unset>> {
    let mut out = String::with_capacity(text.len());
    let mut unset = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let Some(end) = from.find('}') else {
            unset.push(Unset::Malformed);
            rest = "";
            break;
        };
        let name = &from[2..end];
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            unset.push(Unset::Malformed);
        } else {
            match env(name) {
                None => unset.push(Unset::Missing(name.to_owned())),
                Some(value) if value.is_empty() => unset.push(Unset::Empty(name.to_owned())),
                Some(value) => out.push_str(&value),
            }
        }
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    if unset.is_empty() { Ok(out) } else { Err(unset) }
}

/// The one of `known` that `given` was probably meant to be.
pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |k: &&str| distance(given, k);
    let best = known.into_iter().min_by_key(near)?;
    // Two letters in each other's place are one slip of the hand, and two changes.
    let letters = |text: &str| {
        let mut all: Vec<char> = text.chars().collect();
        all.sort_unstable();
        all
    };
    let near = distance(given, best);
    (near <= (best.chars().count() / 3).max(1) || near == 2 && letters(given) == letters(best)).then_some(best)
}

/// How many letters to add, drop or change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The first 60 characters, for an error.
pub(super) fn cut(text: &str) -> &str {
    types::text::preview(text, 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_of_every_unit_and_their_sums() {
        for (text, millis) in
            [("250ms", 250), ("1s", 1_000), ("5m", 300_000), ("1h30m", 5_400_000), ("8d", 691_200_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "5 s", "-1s", "1w", "1s!", "1.5s", "99999999999d", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_count_in_1024() {
        for (text, bytes) in [("3MB", 3 << 20), ("512 kb", 512 << 10), ("10", 10), ("1GiB", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "3TB", "-1MB", "99999999999999999999"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn web_addresses() {
        for (text, want) in [
            ("https://graph.facebook.com/", "https://graph.facebook.com"),
            ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
            ("http://[::1]:4000/x", "http://[::1]:4000/x"),
        ] {
            assert_eq!(web_address(text).as_deref(), Ok(want), "{text}");
        }
        for text in [
            "graph.facebook.com",
            "ftp://x",
            "https://",
            "https://:80",
            "https://a b",
            "https://x:99999",
            "https://u:p@x",
            "https://x/?q=1",
        ] {
            assert!(web_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn loopback_is_seen_in_every_spelling() {
        for text in [
            "http://localhost:1",
            "http://127.0.0.1",
            "http://127.9.9.9:80/x",
            "http://[::1]:4000",
            "http://meta.localhost",
        ] {
            assert!(is_loopback(text), "{text}");
        }
        for text in ["http://10.0.0.1", "https://localhost.example.com", "http://[2001:db8::1]"] {
            assert!(!is_loopback(text), "{text}");
        }
    }

    #[test]
    fn variables_stand_anywhere_in_a_string() {
        let env = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "E" => Some(String::new()),
            _ => None,
        };
        for (text, want) in [
            ("x${A}y${A}", Ok("x1y1".to_owned())),
            ("no $A here $", Ok("no $A here $".to_owned())),
            ("$${A}", Ok("${A}".to_owned())),
            ("${B}${E}", Err(vec![Unset::Missing("B".to_owned()), Unset::Empty("E".to_owned())])),
            ("${A", Err(vec![Unset::Malformed])),
            ("${}", Err(vec![Unset::Malformed])),
        ] {
            assert_eq!(expand(text, env), want, "{text}");
        }
    }

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(nearest("listne", ["listen", "public_url"]), Some("listen"));
        assert_eq!(nearest("colour", ["listen", "public_url"]), None);
    }

    proptest! {
        /// What is spelled reads back as the same duration.
        #[test]
        fn a_spelled_duration_reads_back(millis in 0_u64..315_360_000_000) {
            let d = Duration::from_millis(millis);
            prop_assert_eq!(duration(&spell(d)), Ok(d));
        }

        /// No text makes a reader of values panic.
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = (duration(&text), size(&text), web_address(&text), expand(&text, |_| None));
            let _ = is_loopback(&text);
        }
    }
}
