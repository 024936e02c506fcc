//! Green API (PROTOCOL.md 3): a WhatsApp account on a phone, driven through an instance of theirs.
//!
//! - this file: what proves that Green API is calling (S1.2), the account that sends, and chat ids
//! - `parse`: one notification; `message`: the content of a message
//! - `plan`: sending, marking read, and the questions that reconcile an ambiguous send (S4.4)
//! - `answer`: their answers

mod answer;
mod message;
mod parse;
mod plan;

pub use answer::{read, read_journal, read_queue, read_state};
pub use parse::parse;
pub use plan::{plan, plan_journal, plan_probe, plan_queue, plan_read};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use types::Secret;
use types::outbound::Recipient;

/// Whether `authorization` carries the instance's webhook token: bare, after `Bearer` or `Basic`, or inside Basic's base64 as the password or
/// as the whole (PROTOCOL.md 3). Without a token of ours nothing is verified. The comparisons take constant time.
#[must_use]
pub fn verify(token: &Secret, authorization: Option<&[u8]>) -> bool {
    let Some(header) = authorization.map(<[u8]>::trim_ascii) else { return false };
    if token.is_empty() {
        return false;
    }
    let mut known = token.matches(header);
    if let Some(space) = header.iter().position(u8::is_ascii_whitespace) {
        let (scheme, rest) = (&header[..space], header[space..].trim_ascii());
        let basic = scheme.eq_ignore_ascii_case(b"basic");
        if basic || scheme.eq_ignore_ascii_case(b"bearer") {
            known |= token.matches(rest);
        }
        if basic && let Ok(pair) = STANDARD.decode(rest).or_else(|_| STANDARD_NO_PAD.decode(rest)) {
            known |= token.matches(&pair);
            let password = pair.iter().position(|b| *b == b':').map_or(&[][..], |colon| &pair[colon + 1..]);
            known |= token.matches(password);
        }
    }
    known
}

/// An instance that sends.
#[derive(Clone, Debug)]
pub struct Account {
    /// `idInstance`.
    pub instance: String,
    /// `apiTokenInstance`; it stands in every URL.
    pub api_token: Secret,
    /// The instance's host, `https://7105.api.greenapi.com`.
    pub api_base: String,
}

/// The chat of a recipient: `971500000101@c.us` for a number, `…@g.us` for a group, everything else verbatim.
#[must_use]
pub fn chat_id(to: &Recipient) -> String {
    match to {
        Recipient::Phone(phone) => {
            let digits = types::text::phone_digits(phone);
            format!("{}@c.us", digits.as_deref().unwrap_or(phone))
        }
        Recipient::Group(id) if !id.contains('@') => format!("{id}@g.us"),
        Recipient::Group(id) | Recipient::Chat(id) | Recipient::Bsuid(id) => id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_in_every_documented_form_and_in_no_other() {
        let token = Secret::new("s3cret");
        let b64 = |text: &str| STANDARD.encode(text);
        for (header, want) in [
            ("s3cret".to_owned(), true),
            ("Bearer s3cret".to_owned(), true),
            ("bearer  s3cret ".to_owned(), true),
            ("Basic s3cret".to_owned(), true),
            (format!("Basic {}", b64("user:s3cret")), true),
            (format!("Basic {}", b64(":s3cret")), true),
            (format!("basic {}", b64("s3cret")), true),
            (format!("Basic {}", STANDARD_NO_PAD.encode("u:s3cret")), true),
            (format!("Basic {}", b64("s3cret:user")), false),
            (format!("Bearer {}", b64("user:s3cret")), false),
            ("Digest s3cret".to_owned(), false),
            ("Bearer".to_owned(), false),
            ("Bearer s3cret2".to_owned(), false),
            ("Bearer s3cre".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(verify(&token, Some(header.as_bytes())), want, "{header}");
        }
        assert!(!verify(&token, None));
        assert!(!verify(&Secret::new(""), Some(b"")));
        assert!(!verify(&Secret::new(""), Some(b"Bearer ")));
    }

    #[test]
    fn chat_ids_have_the_suffix_of_their_kind() {
        for (to, want) in [
            (Recipient::Phone("+971 50 000 0101".into()), "971500000101@c.us"),
            (Recipient::Group("120363000000000001@g.us".into()), "120363000000000001@g.us"),
            (Recipient::Group("120363000000000001".into()), "120363000000000001@g.us"),
            (Recipient::Chat("123@lid".into()), "123@lid"),
        ] {
            assert_eq!(chat_id(&to), want);
        }
    }
}
