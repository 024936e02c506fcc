//! Two ledgers that the engine cannot write: which webhooks it acknowledged (the posting client's) and which sends the
//! provider accepted (the simulator's). A crash test holds one against the other.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use simulator::Accepted;
use simulator::client::Acknowledged;

/// What is wrong between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Acknowledged, never answered.
    Lost {
        /// The message.
        id: String,
        /// The customer.
        chat: String,
    },
    /// Answered more than once, and not among those for which that is allowed.
    Twice {
        /// The message.
        id: String,
        /// How often it was answered.
        times: usize,
    },
    /// Two answers of one conversation came in the wrong order.
    OutOfOrder {
        /// The customer.
        chat: String,
        /// The message answered too late.
        earlier: String,
        /// The one answered before it.
        later: String,
    },
    /// An answer to a message that no webhook brought.
    FromNowhere {
        /// The message that it claims to answer.
        id: String,
        /// The provider's id of the answer.
        send: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { id, chat } => write!(f, "{id} of {chat} was acknowledged and never answered"),
            Self::Twice { id, times } => write!(f, "{id} was answered {times} times"),
            Self::OutOfOrder { chat, earlier, later } => write!(f, "{chat}: {earlier} was answered after {later}"),
            Self::FromNowhere { id, send } => write!(f, "{send} answers {id}, which was never posted"),
        }
    }
}

/// Holds the two ledgers against each other.
#[derive(Clone, Debug, Default)]
pub struct Ledgers {
    /// In the order in which the customer wrote, each once.
    posted: Vec<Acknowledged>,
    /// Of these, the acknowledged ones.
    acknowledged: HashSet<String>,
    may_repeat: HashSet<String>,
    /// (message answered, send), in the order of acceptance.
    answers: Vec<(String, Arc<Accepted>)>,
}

impl Ledgers {
    /// Empty ledgers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was posted, in the order in which the customers wrote. Not all of it need be acknowledged: what was posted as the
    /// program died may be answered or not.
    #[must_use]
    pub fn posted(mut self, messages: impl IntoIterator<Item = Acknowledged>) -> Self {
        let mut known: HashSet<String> = self.posted.iter().map(|p| p.id.clone()).collect();
        self.posted.extend(messages.into_iter().filter(|m| known.insert(m.id.clone())));
        self
    }

    /// Adds what the program acknowledged (a posting client's ledger); a repetition counts once. What [`Self::posted`] did not name is
    /// taken as posted in this order.
    #[must_use]
    pub fn acknowledged(mut self, messages: Vec<Acknowledged>) -> Self {
        let messages: Vec<_> = messages.into_iter().filter(|m| !m.id.is_empty()).collect();
        self.acknowledged.extend(messages.iter().map(|m| m.id.clone()));
        self.posted(messages)
    }

    /// Adds accepted sends, each with the message that it answers; `None` from `answers` means that it is no answer (a
    /// reminder, a notice). For Meta, [`inbound_of`] reads it from the reply's key.
    #[must_use]
    pub fn accepted(mut self, sends: Vec<Arc<Accepted>>, answers: impl Fn(&Accepted) -> Option<String>) -> Self {
        self.answers.extend(sends.into_iter().filter_map(|send| Some((answers(&send)?, send))));
        self
    }

    /// Allows these messages to be answered twice: those whose send was ambiguous and whose policy is to repeat (S4.4).
    #[must_use]
    pub fn may_repeat(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.may_repeat.extend(ids);
        self
    }

    /// Everything that is wrong, in the order: lost, twice, out of order, from nowhere.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (id, _) in &self.answers {
            *times.entry(id).or_default() += 1;
        }
        let mut findings = Vec::new();
        for message in self.posted.iter().filter(|m| self.acknowledged.contains(&m.id)) {
            if !times.contains_key(message.id.as_str()) {
                findings.push(Finding::Lost { id: message.id.clone(), chat: message.chat.clone() });
            }
        }
        for message in self.posted.iter().filter(|m| !self.may_repeat.contains(&m.id)) {
            match times.get(message.id.as_str()) {
                Some(&times) if times > 1 => findings.push(Finding::Twice { id: message.id.clone(), times }),
                _ => {}
            }
        }
        self.order(&mut findings);
        findings
    }

    fn order(&self, findings: &mut Vec<Finding>) {
        let place: HashMap<&str, (usize, &str)> =
            self.posted.iter().enumerate().map(|(n, m)| (m.id.as_str(), (n, m.chat.as_str()))).collect();
        let mut nowhere = Vec::new();
        let mut answered: HashSet<&str> = HashSet::new();
        let mut last: HashMap<&str, (usize, &str)> = HashMap::new();
        for (id, send) in &self.answers {
            let Some(&(n, chat)) = place.get(id.as_str()) else {
                nowhere.push(Finding::FromNowhere { id: id.clone(), send: send.provider_id.to_string() });
                continue;
            };
            // A repetition is late by nature; only the first answer has a place in the order.
            if !answered.insert(id) {
                continue;
            }
            match last.get(chat) {
                Some(&(latest, later)) if latest > n => {
                    let (chat, earlier, later) = (chat.to_owned(), id.clone(), later.to_owned());
                    findings.push(Finding::OutOfOrder { chat, earlier, later });
                }
                _ => {
                    last.insert(chat, (n, id));
                }
            }
        }
        findings.extend(nowhere);
    }

    /// Nothing is wrong.
    ///
    /// # Errors
    /// Lists what is (the first 20 findings).
    pub fn check(&self) -> anyhow::Result<()> {
        let findings = self.findings();
        if findings.is_empty() {
            return Ok(());
        }
        let mut text = format!(
            "{} findings among {} acknowledged messages and {} answers",
            findings.len(),
            self.acknowledged.len(),
            self.answers.len()
        );
        for finding in findings.iter().take(20) {
            text.push_str(&format!("\n- {finding}"));
        }
        anyhow::bail!(text)
    }
}

/// The message that a send answers, from the reply's key: `{conversation}:{inbound provider id}:{question}` (S4.1). `None` for
/// a send without such a key.
#[must_use]
pub fn inbound_of(send: &Accepted) -> Option<String> {
    let mut parts = send.dedupe_key.as_deref()?.split(':').skip(1);
    let inbound = parts.next()?;
    parts.next().map(|_| inbound.to_owned())
}

#[cfg(test)]
mod tests {
    use simulator::Provider;
    use types::Timestamp;

    use super::*;

    fn ack(id: &str, chat: &str) -> Acknowledged {
        Acknowledged { id: id.into(), chat: chat.into() }
    }

    fn answer(order: u64, inbound: &str) -> Arc<Accepted> {
        Arc::new(Accepted {
            order,
            at: Timestamp::from_seconds(1),
            provider: Provider::Meta,
            channel: "1".into(),
            to: "x".into(),
            kind: "text".into(),
            body: "hi".into(),
            dedupe_key: Some(format!("7:{inbound}:reply").into()),
            provider_id: format!("wamid.{order}").into(),
        })
    }

    fn ledgers(acknowledged: &[(&str, &str)], answered: &[&str]) -> Ledgers {
        let answers = answered.iter().zip(1..).map(|(inbound, n)| answer(n, inbound)).collect();
        Ledgers::new()
            .acknowledged(acknowledged.iter().map(|(id, chat)| ack(id, chat)).collect())
            .accepted(answers, inbound_of)
    }

    #[test]
    fn each_defect_is_found_and_nothing_else() {
        let two = [("a", "x"), ("b", "x")];
        for (acknowledged, answered, findings) in [
            (&two[..], &["a", "b"][..], vec![]),
            (&two, &["a"], vec![Finding::Lost { id: "b".into(), chat: "x".into() }]),
            (&two, &["a", "b", "a"], vec![Finding::Twice { id: "a".into(), times: 2 }]),
            (&two, &["b", "a"], vec![Finding::OutOfOrder { chat: "x".into(), earlier: "a".into(), later: "b".into() }]),
            (&[("a", "x"), ("b", "y")], &["b", "a"], vec![]),
            (&two, &["a", "b", "c"], vec![Finding::FromNowhere { id: "c".into(), send: "wamid.3".into() }]),
            (&[("a", "x"), ("a", "x")], &["a"], vec![]),
        ] {
            let got = ledgers(acknowledged, answered).findings();
            assert_eq!(got, findings, "{acknowledged:?} {answered:?}");
        }
    }

    #[test]
    fn a_repetition_is_allowed_where_it_was_said() {
        let ledgers = ledgers(&[("a", "x")], &["a", "a"]);
        assert!(ledgers.check().is_err());
        ledgers.may_repeat(["a".to_owned()]).check().unwrap();
    }

    /// A message posted as the program died: answered or not, both are right; twice is not.
    #[test]
    fn what_was_not_acknowledged_may_be_answered_once() {
        let of = |answered: &[&str]| {
            let answers = answered.iter().zip(1..).map(|(inbound, n)| answer(n, inbound)).collect();
            Ledgers::new()
                .posted([ack("a", "x"), ack("b", "x")])
                .acknowledged(vec![ack("b", "x")])
                .accepted(answers, inbound_of)
                .findings()
        };
        assert_eq!(of(&["b"]), []);
        assert_eq!(of(&["a", "b"]), []);
        assert_eq!(of(&["a", "a", "b"]), [Finding::Twice { id: "a".into(), times: 2 }]);
    }

    #[test]
    fn the_report_names_what_is_wrong() {
        let text = ledgers(&[("a", "x")], &[]).check().unwrap_err().to_string();
        assert!(text.contains("a of x was acknowledged and never answered"), "{text}");
    }

    #[test]
    fn keys_that_are_none_answer_nothing() {
        let with = |key: Option<&str>| {
            let mut send = (*answer(1, "a")).clone();
            send.dedupe_key = key.map(Into::into);
            inbound_of(&send)
        };
        assert_eq!(with(Some("7:wamid.a:reply")).as_deref(), Some("wamid.a"));
        assert_eq!(with(Some("reminder")), None);
        assert_eq!(with(Some("7:sha256-abc")), None);
        assert_eq!(with(None), None);
    }
}
