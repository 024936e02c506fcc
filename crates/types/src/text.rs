//! Small text tools that several rooms need.

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
    out
}

/// SHA-256 in lower-case hex: the key of things that carry no id of their own.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// The first `max` characters (not bytes), as previews show them (S1.8: 100).
#[must_use]
pub fn preview(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(at, _)| &text[..at])
}

/// The digits of a phone number or WhatsApp id: `+971 50 000 0001` and `971500000001@c.us` give `971500000001`. `None` when what is
/// there cannot be one (E.164 has 15 digits at most; short codes of 4 and more exist).
#[must_use]
pub fn phone_digits(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.split('@').next().unwrap_or(text);
    let mut digits = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' | ' ' | '-' | '(' | ')' | '.' | '\u{a0}' => {}
            _ => return None,
        }
    }
    (4..=15).contains(&digits.len()).then_some(digits)
}

/// `text` with NUL removed: PostgreSQL stores it in no text column, and one such character would fail its whole batch.
#[must_use]
pub fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_count_characters_and_never_cut_one() {
        assert_eq!(preview("مرحبا بك", 5), "مرحبا");
        assert_eq!(preview("ab", 5), "ab");
    }

    #[test]
    fn phone_digits_of_many_forms() {
        for (given, want) in [
            ("971500000001", Some("971500000001")),
            ("+971 50 000-0001", Some("971500000001")),
            ("971500000001@c.us", Some("971500000001")),
            ("bla", None),
            ("AE.abc123", None),
            ("", None),
            ("1234567890123456", None),
        ] {
            assert_eq!(phone_digits(given).as_deref(), want, "{given}");
        }
    }
}
