//! Webhook requests as bytes on the wire, signed and written before the clock starts, so that the generator's own work while measuring is
//! two system calls a message.

use std::collections::HashMap;
use std::sync::Arc;

use simulator::lead::MetaSource;
use types::SystemClock;

use crate::load::PATH;
use crate::world;

/// What customers write, in this order: each message gets an answer of the default flow, and the fourth completes it.
const SCRIPT: [&str; 4] = ["Hello", "I need a trade license for my company", "My name is Omar Haddad", "Egypt"];

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    /// So many contacts, in turn, again and again.
    Contacts(u32),
    /// Every message from a contact who never wrote before.
    New,
    /// Contacts in groups of so many; each of a group has a whole conversation of four messages, then the next group comes.
    Conversations(u32),
}

/// One request and the id of the message in it.
#[derive(Debug)]
pub(crate) struct Shot {
    pub bytes: Box<[u8]>,
    pub id: Box<str>,
}

/// Writes requests; ids and contacts never repeat over its life.
#[derive(Debug)]
pub(crate) struct Writer {
    sources: Vec<MetaSource>,
    host: String,
    mix: Mix,
    written: u64,
}

impl Writer {
    pub fn new(port: u16, mix: Mix) -> Self {
        let sources = world::numbers().iter().map(|n| MetaSource::new(n, Arc::new(SystemClock))).collect();
        Self { sources, host: format!("127.0.0.1:{port}"), mix, written: 0 }
    }

    /// The next `n` requests.
    pub fn write(&mut self, n: usize) -> Vec<Shot> {
        (0..n).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> Shot {
        let n = self.written;
        self.written += 1;
        let (contact, text) = match self.mix {
            Mix::Contacts(many) => (n % u64::from(many), SCRIPT[1]),
            Mix::New => (n, SCRIPT[1]),
            Mix::Conversations(group) => {
                let group = u64::from(group.max(1));
                let steps = SCRIPT.len() as u64;
                let step = n / group % steps;
                let contact = n / (group * steps) * group + n % group;
                (contact, SCRIPT[usize::try_from(step).unwrap_or(0)])
            }
        };
        // A contact always writes to the same number.
        let source = &self.sources[usize::try_from(contact).unwrap_or(0) % self.sources.len()];
        let phone = format!("9715{contact:08}");
        let webhook = source.lead(&phone, "Omar Haddad").text(text);
        let mut bytes = Vec::with_capacity(webhook.body.len() + 256);
        bytes.extend_from_slice(
            format!(
                "POST {PATH} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nuser-agent: facebookexternalua\r\naccept: */*\r\n{}: {}\r\ncontent-length: {}\r\n\r\n",
                self.host,
                webhook.header(),
                webhook.proof,
                webhook.body.len()
            )
            .as_bytes(),
        );
        bytes.extend_from_slice(&webhook.body);
        Shot { bytes: bytes.into_boxed_slice(), id: webhook.id.into_boxed_str() }
    }
}

/// How often each of these messages was answered: for each id that `expected` names 1, and nothing else.
pub(crate) fn check<'a>(
    expected: impl Iterator<Item = &'a str>,
    answered: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    let mut times: HashMap<&str, i32> = HashMap::new();
    for id in expected {
        *times.entry(id).or_default() -= 1;
    }
    for id in answered {
        *times.entry(id).or_default() += 1;
    }
    let lost = times.values().filter(|n| **n < 0).count();
    let extra = times.values().filter(|n| **n > 0).count();
    anyhow::ensure!(
        lost == 0 && extra == 0,
        "{lost} messages were acknowledged and not answered, {extra} answered too often"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(mix: Mix, n: usize) -> Vec<(String, String)> {
        let text = |shot: &Shot, key: &str| {
            let all = String::from_utf8(shot.bytes.to_vec()).unwrap();
            let body = all.split("\r\n\r\n").nth(1).unwrap();
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let message = &body["entry"][0]["changes"][0]["value"]["messages"][0];
            message.pointer(key).unwrap().as_str().unwrap().to_owned()
        };
        let shots = Writer::new(1, mix).write(n);
        shots.iter().map(|s| (text(s, "/from"), text(s, "/text/body"))).collect()
    }

    #[test]
    fn a_conversation_is_written_in_order_and_then_the_next_group_comes() {
        let all = contacts(Mix::Conversations(2), 10);
        let of = |phone: &str| all.iter().filter(|(p, _)| p == phone).map(|(_, t)| t.as_str()).collect::<Vec<_>>();
        assert_eq!(of("971500000000"), SCRIPT);
        assert_eq!(of("971500000001"), SCRIPT);
        assert_eq!(of("971500000002"), [SCRIPT[0]]);
    }

    #[test]
    fn each_mix_has_its_contacts() {
        let distinct =
            |mix| contacts(mix, 12).into_iter().map(|(p, _)| p).collect::<std::collections::HashSet<_>>().len();
        assert_eq!(distinct(Mix::New), 12);
        assert_eq!(distinct(Mix::Contacts(5)), 5);
    }

    #[test]
    fn lost_and_doubled_answers_are_seen() {
        for (expected, answered, good) in [
            (&["a", "b"][..], &["b", "a"][..], true),
            (&["a", "b"], &["a"], false),
            (&["a"], &["a", "a"], false),
            (&["a"], &["a", "x"], false),
        ] {
            assert_eq!(check(expected.iter().copied(), answered.iter().copied()).is_ok(), good, "{answered:?}");
        }
    }
}
