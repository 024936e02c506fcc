//! How a send goes wrong, on order. Rules are asked in the order in which they were pushed; the first that fits decides, except
//! that a [`Fault::Delay`], [`Fault::Disorder`] or [`Fault::FailStatus`] lets later rules speak too.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::Dice;

use crate::journal::Provider;
use crate::locked;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Refused in the provider's words; nothing is accepted.
    Refuse {
        /// HTTP status.
        http: u16,
        /// Meta's `error.code`; Green API has none.
        #[serde(default)]
        code: i64,
        /// The provider's words.
        message: String,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// Slow.
    Delay {
        /// How slow, in milliseconds.
        ms: u64,
        /// `true`: taken at once, answered late. `false`: looked at late; a caller who leaves earlier was never heard.
        #[serde(default)]
        accepted: bool,
    },
    /// Accepted and in the ledger, then the connection closes without an answer.
    DropAnswer,
    /// The connection closes and nothing was accepted.
    DropBefore,
    /// Accepted; the answer is 200 and no JSON.
    AnswerGarbage,
    /// The token is not valid (Meta 401 with code 190, Green API 401), for every request of the number.
    TokenExpired,
    /// 500, either before or after accepting.
    ServerError {
        /// Whether the message goes out all the same.
        accepted: bool,
    },
    /// No answer ever, while the caller waits.
    Hang {
        /// Whether the message goes out all the same.
        accepted: bool,
    },
    /// Accepted, and its statuses come the wrong way round: `read` first (Meta; Green API's are strictly in order).
    Disorder,
    /// Accepted, but the only status to come is `failed` (Green API: `word`, as `noAccount`).
    FailStatus {
        /// Meta's error code.
        code: i64,
        /// Meta's title; Green API's description.
        title: String,
        /// Green API's status word; `failed` when absent.
        #[serde(default)]
        word: Option<String>,
    },
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The next so many sends that fit.
    Next(u32),
    /// Every one, until cleared.
    Always,
    /// Each with this probability (0 to 1), by the seeded dice, until cleared.
    Chance(f64),
}

/// A fault, when it strikes and whom. What is `None` fits all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// How often.
    pub when: When,
    /// Only sends to this address: digits of the number, or a business-scoped id; for Green API the chat id or its digits.
    #[serde(default)]
    pub recipient: Option<String>,
    /// Only this provider.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Only this number or instance.
    #[serde(default)]
    pub channel: Option<String>,
}

impl Rule {
    /// The next `n` sends, whoever they go to.
    #[must_use]
    pub const fn next(n: u32, fault: Fault) -> Self {
        Self { fault, when: When::Next(n), recipient: None, provider: None, channel: None }
    }

    /// Every send until cleared.
    #[must_use]
    pub const fn always(fault: Fault) -> Self {
        Self { fault, when: When::Always, recipient: None, provider: None, channel: None }
    }

    /// Each send with probability `p`.
    #[must_use]
    pub const fn chance(p: f64, fault: Fault) -> Self {
        Self { fault, when: When::Chance(p), recipient: None, provider: None, channel: None }
    }

    /// Only sends to this address.
    #[must_use]
    pub fn to(mut self, recipient: impl Into<String>) -> Self {
        self.recipient = Some(recipient.into());
        self
    }

    /// Only sends of this provider.
    #[must_use]
    pub const fn of(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    fn fits(&self, provider: Provider, channel: &str, to: &str) -> bool {
        let address = |rule: &str| rule == to || to.split('@').next() == Some(rule);
        self.provider.is_none_or(|p| p == provider)
            && self.channel.as_deref().is_none_or(|c| c == channel)
            && self.recipient.as_deref().is_none_or(address)
    }
}

/// What the rules decided about one send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Wait this long before looking at the send.
    pub delay: Duration,
    /// Wait this long before answering.
    pub answer_delay: Duration,
    /// The status that will come instead of the planned ones.
    pub fail_status: Option<(i64, String, Option<String>)>,
    /// Statuses come the wrong way round.
    pub disorder: bool,
    /// What goes wrong now.
    pub fault: Option<Fault>,
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Faults {
    any: AtomicBool,
    rules: Mutex<Vec<Rule>>,
    dice: Dice,
}

impl Faults {
    pub fn seeded(seed: u64) -> Self {
        Self { any: AtomicBool::new(false), rules: Mutex::new(Vec::new()), dice: Dice::seeded(seed) }
    }

    pub fn push(&self, rule: Rule) {
        let mut rules = locked(&self.rules);
        rules.push(rule);
        self.any.store(true, Ordering::Release);
    }

    pub fn clear(&self) {
        let mut rules = locked(&self.rules);
        rules.clear();
        self.any.store(false, Ordering::Release);
    }

    pub fn rules(&self) -> Vec<Rule> {
        locked(&self.rules).clone()
    }

    /// Whether requests of this number that are no sends are refused for their token too. Uses nothing up.
    pub fn token_expired(&self, provider: Provider, channel: &str) -> bool {
        self.any.load(Ordering::Acquire)
            && locked(&self.rules)
                .iter()
                .any(|r| r.fault == Fault::TokenExpired && r.recipient.is_none() && r.fits(provider, channel, ""))
    }

    /// Decides about one send.
    pub fn decide(&self, provider: Provider, channel: &str, to: &str) -> Verdict {
        let mut verdict = Verdict::default();
        if !self.any.load(Ordering::Acquire) {
            return verdict;
        }
        let mut rules = locked(&self.rules);
        for rule in rules.iter_mut() {
            if !rule.fits(provider, channel, to) {
                continue;
            }
            let strikes = match &mut rule.when {
                When::Always => true,
                When::Next(0) => false,
                When::Next(n) => {
                    *n -= 1;
                    true
                }
                When::Chance(p) => chance(&self.dice, *p),
            };
            if !strikes {
                continue;
            }
            match &rule.fault {
                Fault::Delay { ms, accepted: false } => verdict.delay += Duration::from_millis(*ms),
                Fault::Delay { ms, accepted: true } => verdict.answer_delay += Duration::from_millis(*ms),
                Fault::Disorder => verdict.disorder = true,
                Fault::FailStatus { code, title, word } => {
                    verdict.fail_status = Some((*code, title.clone(), word.clone()));
                }
                other => {
                    verdict.fault = Some(other.clone());
                    break;
                }
            }
        }
        rules.retain(|r| r.when != When::Next(0));
        self.any.store(!rules.is_empty(), Ordering::Release);
        verdict
    }
}

/// Whether something of probability `p` happens.
pub(crate) fn chance(dice: &Dice, p: f64) -> bool {
    // 53 bits: every one is a float of its own.
    let throw = (dice.throw() >> 11) as f64 / (1_u64 << 53) as f64;
    throw < p
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: &str = "971500000101";

    fn decide(faults: &Faults) -> Option<Fault> {
        faults.decide(Provider::Meta, "105", TO).fault
    }

    #[test]
    fn the_next_n_sends_and_no_more() {
        let faults = Faults::seeded(1);
        faults.push(Rule::next(2, Fault::DropAnswer));
        assert_eq!(
            [decide(&faults), decide(&faults), decide(&faults)],
            [Some(Fault::DropAnswer), Some(Fault::DropAnswer), None]
        );
        assert!(faults.rules().is_empty());
    }

    #[test]
    fn always_lasts_until_cleared() {
        let faults = Faults::seeded(1);
        faults.push(Rule::always(Fault::DropBefore));
        for _ in 0..5 {
            assert_eq!(decide(&faults), Some(Fault::DropBefore));
        }
        faults.clear();
        assert_eq!(decide(&faults), None);
    }

    #[test]
    fn chance_follows_the_seed() {
        let throws = |seed| {
            let faults = Faults::seeded(seed);
            faults.push(Rule::chance(0.3, Fault::DropAnswer));
            (0..1000).map(|_| decide(&faults).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        let hits = throws(7).into_iter().filter(|b| *b).count();
        assert!((250..350).contains(&hits), "{hits}");
    }

    #[test]
    fn rules_fit_by_recipient_provider_and_channel() {
        let rule = Rule::always(Fault::DropBefore);
        for (rule, provider, channel, to, fits) in [
            (rule.clone().to(TO), Provider::Meta, "1", TO, true),
            (rule.clone().to(TO), Provider::Green, "1", "971500000101@c.us", true),
            (rule.clone().to(TO), Provider::Meta, "1", "971500000102", false),
            (rule.clone().of(Provider::Green), Provider::Meta, "1", TO, false),
            (Rule { channel: Some("2".into()), ..rule.clone() }, Provider::Meta, "1", TO, false),
            (Rule { channel: Some("1".into()), ..rule }, Provider::Meta, "1", TO, true),
        ] {
            assert_eq!(rule.fits(provider, channel, to), fits, "{rule:?} {provider:?} {channel} {to}");
        }
    }

    #[test]
    fn a_delay_lets_the_next_rule_speak() {
        let faults = Faults::seeded(1);
        faults.push(Rule::always(Fault::Delay { ms: 5, accepted: false }));
        faults.push(Rule::always(Fault::ServerError { accepted: true }));
        let verdict = faults.decide(Provider::Meta, "1", TO);
        assert_eq!(verdict.delay, Duration::from_millis(5));
        assert_eq!(verdict.fault, Some(Fault::ServerError { accepted: true }));
    }

    #[test]
    fn rules_read_from_json() {
        let rule: Rule = serde_json::from_str(
            r#"{"fault":"refuse","http":429,"code":130429,"message":"slow down","retry_after_s":2,"when":{"next":3},"recipient":"971"}"#,
        )
        .unwrap();
        assert_eq!(rule.when, When::Next(3));
        assert!(matches!(rule.fault, Fault::Refuse { code: 130_429, retry_after_s: Some(2), .. }));
        let rule: Rule = serde_json::from_str(r#"{"fault":"drop_answer","when":"always"}"#).unwrap();
        assert_eq!(rule, Rule::always(Fault::DropAnswer));
    }
}
