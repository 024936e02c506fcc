//! What a reply of a model must pass before anybody reads it: it says something, in the customer's language, within bounds; it holds neither
//! keys nor the system text; it names no host that the tenant has not allowed. The guard of S3.2 comes after it, as after every reply.

use nlu::{Background, Language, Reader, fold};

use super::{Agent, Line};

/// The longest reply, characters: two messages of WhatsApp. What is longer is cut at the end of a sentence.
const LONGEST: usize = 8_000;
/// So many words of the prompt in one row are a leak.
const LEAK: usize = 20;

/// A reply that may not go out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Asking once more may help; what to tell the model.
    Mend(&'static str),
    /// Nothing of it may be used.
    Refuse(&'static str),
}

/// A reply that may, and what was taken out of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub text: String,
    /// Links that were taken out.
    pub links: u32,
    /// It was cut.
    pub cut: bool,
}

/// What a reply is checked against.
pub(crate) struct Bounds<'a> {
    pub agent: &'a Agent,
    pub line: &'a Line,
    /// The system text without what is known of the customer, who may well be told that.
    pub system: &'a str,
    /// Everything that the customer wrote, whose own addresses may be repeated.
    pub heard: &'a str,
    pub language: Language,
    pub reader: &'a Reader,
    pub background: &'a Background,
}

impl Bounds<'_> {
    /// Checks a reply. `ended`: the model came to its end; otherwise the text stops anywhere.
    pub(crate) fn check(&self, reply: &str, ended: bool) -> Result<Checked, Fault> {
        let text = plain(reply);
        if text.is_empty() {
            return Err(Fault::Mend("Your answer was empty. Write the reply to the customer."));
        }
        if self.leaks(&text) {
            return Err(Fault::Refuse("it held a secret or the instructions"));
        }
        let (text, links) = self.without_links(&text);
        let (text, cut) = shorten(&text, ended);
        if text.is_empty() {
            return Err(Fault::Mend("Write a short reply in whole sentences, without links."));
        }
        let spoken = self.reader.read(types::text::preview(&text, 400), self.background, None, None).language;
        if spoken.is_some_and(|l| l != self.language) {
            return Err(Fault::Mend(match self.language {
                Language::Ar => "Write the reply again, in Arabic.",
                Language::En => "Write the reply again, in English.",
            }));
        }
        Ok(Checked { text, links, cut })
    }

    /// Keys, the canary, or a long piece of the system text, however it is spaced, cased or turned round.
    fn leaks(&self, text: &str) -> bool {
        let squeeze =
            |t: &str| t.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
        let (forth, back) = (squeeze(text), squeeze(&text.chars().rev().collect::<String>()));
        let holds = |secret: &str| {
            let secret = squeeze(secret);
            secret.len() >= 8 && (forth.contains(&secret) || back.contains(&secret))
        };
        let keys = self.agent.models.iter().filter_map(|m| m.key.as_ref());
        if holds(self.line.canary.expose()) || keys.into_iter().any(|k| holds(k.expose())) {
            return true;
        }
        let words = |t: &str| -> Vec<String> {
            let parts = t.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
            parts.map(fold).collect()
        };
        let (prompt, said) = (words(self.system), words(text));
        let row = LEAK.min(prompt.len());
        row >= 8 && said.windows(row).any(|w| prompt.windows(row).any(|p| p == w))
    }

    /// Takes out links and addresses that the tenant has not allowed and the customer has not written.
    fn without_links(&self, text: &str) -> (String, u32) {
        let heard = self.heard.to_lowercase();
        let mut taken = 0;
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                let words = line.split(' ').filter(|word| {
                    let Some(host) = host(word) else { return true };
                    let allowed = self.agent.links.iter().any(|l| host == *l || host.ends_with(&format!(".{l}")));
                    let keep = allowed || heard.contains(&host);
                    taken += u32::from(!keep);
                    keep
                });
                words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
            })
            .collect();
        (lines.join("\n").trim().to_owned(), taken)
    }
}

/// The host that a word names, if it names one: of a URL, a bare domain or an e-mail address, in whatever brackets.
fn host(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let rest = match lower.rsplit_once("://") {
        Some((_, rest)) => rest,
        None => lower.as_str(),
    };
    let rest = rest.rsplit(['(', '<', '[', '"', '\'', '«']).find(|p| p.contains('.')).unwrap_or(rest);
    let rest = rest.split(['/', '?', '#', ')', '>', ']', '"', '\'', '»', '\\', ',']).next()?;
    let rest = rest.rsplit('@').next()?;
    let rest = rest.split(':').next()?.trim_matches(|c: char| !c.is_alphanumeric());
    let (name, top) = rest.rsplit_once('.')?;
    let letters = top.chars().count() >= 2 && top.chars().all(char::is_alphabetic);
    // An address in numbers is a host, too.
    let numbers = lower.contains("://") && rest.split('.').all(|p| p.parse::<u8>().is_ok());
    let fits = !name.is_empty()
        && rest.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-')
        && !name.starts_with('.')
        && !rest.contains("..");
    // "visa.Please" is a missing space: of bare words only what is written small throughout is taken for a host.
    let bare = !lower.contains("://") && !lower.contains('@') && !lower.contains('/') && !lower.contains("www.");
    let typed = word.trim_matches(|c: char| !c.is_alphanumeric());
    let doubtful = bare && typed.rsplit('.').next().is_some_and(|t| t.chars().next().is_some_and(char::is_uppercase));
    (fits && (letters || numbers) && !doubtful).then(|| rest.trim_start_matches("www.").to_owned())
}

/// Without what models add that no reader wants: their thoughts, control characters, empty lines in a row.
fn plain(reply: &str) -> String {
    let mut text = reply.to_owned();
    while let Some(start) = text.find("<think>") {
        let end = text[start..].find("</think>").map_or(text.len(), |e| start + e + "</think>".len());
        text.replace_range(start..end, "");
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| *c == '\n' || *c == '\u{200d}' || !c.is_control()) {
        if c != '\n' || !out.ends_with("\n\n") {
            out.push(c);
        }
    }
    out.trim().to_owned()
}

/// Cuts a text that is too long, or that stops anywhere, at the end of a sentence.
fn shorten(text: &str, ended: bool) -> (String, bool) {
    let head = types::text::preview(text, LONGEST);
    if ended && head.len() == text.len() {
        return (text.to_owned(), false);
    }
    let ends = head.char_indices().filter(|(_, c)| matches!(c, '.' | '!' | '?' | '؟' | '\n'));
    let end = ends.map(|(at, c)| at + c.len_utf8()).next_back();
    match end {
        Some(end) => (head[..end].trim().to_owned(), true),
        // One sentence without an end: of a long one the words that fit, of a short one nothing.
        None if ended => (head.rfind(' ').map_or(head, |at| &head[..at]).to_owned(), true),
        None => (String::new(), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_every_dress() {
        for (word, want) in [
            ("https://evil.example/x?y", Some("evil.example")),
            ("http://1.2.3.4/pay", Some("1.2.3.4")),
            ("evil.example/pay", Some("evil.example")),
            ("(evil.example)", Some("evil.example")),
            ("[pay](https://evil.example/a)", Some("evil.example")),
            ("WWW.Evil.Example", Some("evil.example")),
            ("pay@evil.example,", Some("evil.example")),
            ("https://good.com@evil.example/", Some("evil.example")),
            ("wa.me/97150", Some("wa.me")),
            ("hello", None),
            ("3.5", None),
            ("9.30", None),
            ("licence.Please", None),
            ("etc.", None),
            ("...", None),
        ] {
            assert_eq!(host(word).as_deref(), want, "{word}");
        }
    }

    #[test]
    fn texts_end_with_a_sentence() {
        assert_eq!(shorten("One. Two. Thr", false), ("One. Two.".to_owned(), true));
        assert_eq!(shorten("One and no end", false), (String::new(), true));
        assert_eq!(shorten("One and no end", true), ("One and no end".to_owned(), false));
        let long = "A sentence of some words. ".repeat(2_000);
        let (text, cut) = shorten(&long, true);
        assert!(cut && text.chars().count() <= LONGEST && text.ends_with('.'));
    }

    #[test]
    fn thoughts_and_control_characters_go() {
        assert_eq!(plain("<think>secret plan</think>Hello\u{0}\n\n\n\nthere"), "Hello\n\nthere");
        assert_eq!(plain("<think>never ends"), "");
    }
}
