//! Meta's WhatsApp Cloud API (PROTOCOL.md 1 and 2).
//!
//! - this file: what proves that Meta is calling (S1.1), and the account that sends
//! - `parse`: a webhook body, taken apart; `message`: one message; `fields`: everything else that comes in webhooks
//! - `plan`: what to say, as a request
//! - `answer`: Meta's answers, and its table of error codes

mod answer;
mod fields;
mod message;
mod parse;
mod plan;

pub use answer::{classify, quality, read};
pub use parse::parse;
pub use plan::{plan, plan_probe, plan_read};

use std::fmt;

use ring::hmac;
use types::Secret;

/// The key that signs Meta's webhooks, prepared once.
#[derive(Clone)]
pub struct AppSecret(Option<hmac::Key>);

impl AppSecret {
    /// Prepares the key. An empty secret verifies nothing, since anybody could sign with it.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self((!secret.is_empty()).then(|| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())))
    }

    /// Whether `header` (`X-Hub-Signature-256`) is `sha256=` and the 64 lower-case hex digits of the HMAC-SHA256 of exactly these bytes; the
    /// comparison takes constant time (PROTOCOL.md 1.2).
    #[must_use]
    pub fn verify(&self, header: &[u8], body: &[u8]) -> bool {
        let Some(key) = &self.0 else { return false };
        let Some(digits) = header.strip_prefix(b"sha256=") else { return false };
        if digits.len() != 64 || digits.iter().any(u8::is_ascii_uppercase) {
            return false;
        }
        let mut tag = [0_u8; 32];
        hex::decode_to_slice(digits, &mut tag).is_ok() && hmac::verify(key, body, &tag).is_ok()
    }
}

impl fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("••••")
    }
}

/// The verification handshake (S1.1): the challenge to echo, if the caller knows one of the `expected` tokens. Only a plain challenge is
/// echoed (letters and digits, at most 256), so that the answer can never be made to carry markup.
#[must_use]
pub fn challenge<'a>(
    mode: Option<&str>,
    token: Option<&str>,
    challenge: Option<&'a str>,
    expected: &[Secret],
) -> Option<&'a str> {
    let token = token?.as_bytes();
    // Every secret is compared, so that the time does not tell which one was right.
    let known = expected.iter().fold(false, |known, e| (!e.is_empty() && e.matches(token)) | known);
    let plain = |c: &&str| (1..=256).contains(&c.len()) && c.bytes().all(|b| b.is_ascii_alphanumeric());
    challenge.filter(plain).filter(|_| known && mode == Some("subscribe"))
}

/// A business phone number that sends.
#[derive(Clone, Debug)]
pub struct Account {
    /// The number's id at Meta, not the number.
    pub phone_number_id: String,
    /// The access token.
    pub access_token: Secret,
    /// `https://graph.facebook.com`, or a simulator.
    pub api_base: String,
    /// `v25.0`.
    pub api_version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(secret: &str, body: &[u8]) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body);
        format!("sha256={}", hex::encode(tag.as_ref()))
    }

    #[test]
    fn a_signature_is_exact_in_form_and_bytes() {
        let body = b"{\"object\":\"whatsapp_business_account\"}";
        let secret = AppSecret::new(&Secret::new("test_app_secret"));
        let good = sign("test_app_secret", body);
        assert!(secret.verify(good.as_bytes(), body));
        for bad in [
            String::new(),
            "sha256=".to_owned(),
            good.to_uppercase(),
            format!("sha256={}", good["sha256=".len()..].to_uppercase()),
            good.replace("sha256=", "sha1="),
            good.replace("sha256=", ""),
            format!("{good}0"),
            format!("{good} "),
            good[..good.len() - 1].to_owned(),
            sign("another", body),
            format!("sha256={}", "zz".repeat(32)),
        ] {
            assert!(!secret.verify(bad.as_bytes(), body), "{bad}");
        }
        assert!(!secret.verify(good.as_bytes(), b"{\"object\": \"whatsapp_business_account\"}"));
    }

    #[test]
    fn an_empty_secret_verifies_nothing() {
        assert!(!AppSecret::new(&Secret::new("")).verify(sign("", b"x").as_bytes(), b"x"));
    }

    #[test]
    fn the_handshake_echoes_only_a_plain_challenge_to_who_knows_a_token() {
        let tokens = [Secret::new("old"), Secret::new("new"), Secret::new("")];
        let long = "1".repeat(257);
        for (mode, token, given, want) in [
            (Some("subscribe"), Some("new"), Some("1158201444"), Some("1158201444")),
            (Some("subscribe"), Some("old"), Some("abc123"), Some("abc123")),
            (Some("subscribe"), Some("other"), Some("1"), None),
            (Some("subscribe"), Some(""), Some("1"), None),
            (Some("subscribe"), None, Some("1"), None),
            (Some("unsubscribe"), Some("new"), Some("1"), None),
            (None, Some("new"), Some("1"), None),
            (Some("subscribe"), Some("new"), None, None),
            (Some("subscribe"), Some("new"), Some(""), None),
            (Some("subscribe"), Some("new"), Some("<b>"), None),
            (Some("subscribe"), Some("new"), Some(long.as_str()), None),
        ] {
            assert_eq!(challenge(mode, token, given, &tokens), want, "{mode:?} {token:?} {given:?}");
        }
        assert_eq!(challenge(Some("subscribe"), Some("new"), Some("1"), &[]), None);
    }
}
