//! Small text tools of the parsers and readers.

use types::inbound::{Card, Content, Identity};

/// Whether a text shows nothing: only space, control characters, and marks that have no width.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
    })
}

/// A text message. One that shows nothing is unsupported: the customer did something, but there is nothing to be understood, and an
/// empty text would be sent to a model as a question. Its JSON is kept like any other.
pub(crate) fn said(kind: &str, body: Option<&str>) -> Content {
    match body {
        Some(body) if !is_blank(body) => Content::Text { body: body.to_owned() },
        Some(_) => unsupported(kind, "the text shows nothing"),
        None => unsupported(kind, "the text is missing"),
    }
}

/// A message that cannot be shown, and why.
pub(crate) fn unsupported(kind: &str, why: impl Into<String>) -> Content {
    Content::Unsupported { kind: kind.to_owned(), why: Some(why.into()) }
}

/// A place, if it is on Earth.
pub(crate) fn place(
    latitude: Option<f64>,
    longitude: Option<f64>,
    name: Option<String>,
    address: Option<String>,
) -> Option<Content> {
    let latitude = latitude.filter(|l| (-90.0..=90.0).contains(l))?;
    let longitude = longitude.filter(|l| (-180.0..=180.0).contains(l))?;
    Some(Content::Location { latitude, longitude, name, address })
}

/// Name and phone numbers of a vCard.
pub(crate) fn vcard(text: &str) -> Card {
    let mut card = Card { name: String::new(), phones: Vec::new() };
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        // `item1.TEL;type=CELL` and `TEL` are the same property.
        let property = key.split(';').next().unwrap_or(key);
        let property = property.rsplit('.').next().unwrap_or(property);
        if property.eq_ignore_ascii_case("FN") {
            value.clone_into(&mut card.name);
        } else if property.eq_ignore_ascii_case("TEL") && !value.is_empty() {
            card.phones.push(value.trim_start_matches("tel:").to_owned());
        }
    }
    card
}

/// Whether this is a business-scoped user id: two capital letters, a dot, up to 128 letters and digits (PROTOCOL.md 1.8).
pub(crate) fn is_bsuid(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else { return false };
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Puts an id where it belongs: a business-scoped id, a phone number, or, where nothing else is known, verbatim.
pub(crate) fn identify(identity: &mut Identity, id: &str) {
    if is_bsuid(id) {
        identity.bsuid.get_or_insert_with(|| id.to_owned());
    } else if let Some(digits) = phone(id) {
        identity.phone.get_or_insert(digits);
    } else if identity.is_nobody() {
        identity.other = Some(id.to_owned());
    }
}

/// The phone number in a WhatsApp id. The digits of `…@lid` and `…@g.us` are no phone number.
fn phone(id: &str) -> Option<String> {
    let id = id.trim();
    let local = match id.split_once('@') {
        Some((local, "c.us" | "s.whatsapp.net")) => local.split(':').next().unwrap_or(local),
        Some(_) => return None,
        None => id,
    };
    types::text::phone_digits(local)
}

/// A provider's words, fit for a row or a log: no long digits or tokens (Meta's error 190 repeats a malformed token), at most 300 characters.
pub(crate) fn scrub(words: &str) -> String {
    let mut out = String::with_capacity(words.len().min(400));
    for word in words.split_whitespace() {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let long = word.len() > 32 && !word.starts_with("http");
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if digits >= 8 || long { "…" } else { word });
    }
    types::text::preview(&out, 300).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_blank_when_nobody_could_see_it() {
        for (text, blank) in [
            ("", true),
            (" \n\t", true),
            ("\u{200b}\u{200e}\u{feff}", true),
            ("\u{2800}\u{3164}", true),
            (".", false),
            ("مرحبا", false),
            ("👋", false),
            ("❤\u{fe0f}", false),
        ] {
            assert_eq!(is_blank(text), blank, "{text:?}");
        }
    }

    #[test]
    fn ids_land_where_they_belong() {
        for (id, want) in [
            ("971500000101", (None, Some("971500000101"), None)),
            ("+971 50 000 0101", (None, Some("971500000101"), None)),
            ("971500000101@c.us", (None, Some("971500000101"), None)),
            ("971500000101:12@s.whatsapp.net", (None, Some("971500000101"), None)),
            ("AE.90211387745510062332", (Some("AE.90211387745510062332"), None, None)),
            ("AE.ENT.7044", (None, None, Some("AE.ENT.7044"))),
            ("123456789@lid", (None, None, Some("123456789@lid"))),
            ("120363000000000001@g.us", (None, None, Some("120363000000000001@g.us"))),
            ("bla", (None, None, Some("bla"))),
        ] {
            let mut identity = Identity::default();
            identify(&mut identity, id);
            let got = (identity.bsuid.as_deref(), identity.phone.as_deref(), identity.other.as_deref());
            assert_eq!(got, want, "{id}");
        }
    }

    #[test]
    fn cards_are_read_with_groups_and_parameters() {
        let card = vcard(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nN:K.;Omar\r\nFN:Omar K.\r\nitem1.TEL;type=CELL;waid=971500000102:+971 50 000 0102\r\nEND:VCARD",
        );
        assert_eq!(card, Card { name: "Omar K.".into(), phones: vec!["+971 50 000 0102".into()] });
    }

    #[test]
    fn a_providers_words_keep_no_token_and_no_number() {
        let said = scrub(
            "(#190) Malformed access token EAAGm0PX4ZCpsBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA for +971500000101, code 131026",
        );
        assert_eq!(said, "(#190) Malformed access token … for … code 131026");
        assert_eq!(scrub(&"word ".repeat(200)).chars().count(), 300);
    }
}
