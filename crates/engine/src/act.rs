//! Has the handler act, within a decision (S3.4, S3.5), and says when people are back (S3.10).

use nlu::{Intent, Understanding};

use crate::decide::{Read, Work};
use crate::flow::fill;
use crate::handler::{Case, Handled, Handler};

/// The same matter is acted on once in this time, seconds.
const DAY: i64 = 86_400;
/// At most so many matters are remembered.
const MATTERS: usize = 32;

/// What the handler says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// In front of what the flow says.
    pub(crate) sentence: Option<String>,
    /// It answers the message by itself: not having answered the flow's question is no failure then.
    pub(crate) own: bool,
}

impl Work<'_> {
    /// Chooses the handler, keeps its actions, and gives what it says.
    pub(crate) fn handle(&mut self, seen: &Understanding, read: &Read<'_>) -> Said {
        let handlers = &self.brain.handlers;
        let chosen = handlers.choose(seen, &read.text);
        let waits = self.memory.waiting.as_deref().and_then(|name| handlers.get(name));
        // Who waited to hear what is wanted acts when it is known, unless another intent takes the message.
        let late = waits.filter(|_| self.memory.known.contains_key("service")).map(|h| (h, 1.0));
        let Some((handler, confidence)) = chosen.or(late) else { return Said::default() };
        self.steps.push(("handle", format!("{} {confidence:.2}", handler.name())));
        self.handler = Some(handler.name().to_owned());
        self.memory.complains = match Intent::parse(handler.name()) {
            Some(Intent::Complaint) => true,
            Some(Intent::OrderRequest | Intent::PricingInquiry | Intent::AvailabilityInquiry) => false,
            _ => self.memory.complains,
        };
        let handled = self.ask(handler, confidence, seen, read, false);
        if handled.waits {
            self.memory.waiting = Some(handler.name().to_owned());
        } else if self.memory.waiting.as_deref() == Some(handler.name()) {
            self.memory.waiting = None;
        }
        let said = handled.sentence.filter(|s| handled.repeat || !s.is_empty() && self.once(handler.name()));
        let said = said.map(|s| self.fill(&s));
        let own = said.is_some() && handled.repeat;
        self.act(handled.actions, handled.matter);
        Said { sentence: said, own }
    }

    /// The questions failed: whoever handles what nobody understood has the say.
    pub(crate) fn lost(&mut self, seen: &Understanding, read: &Read<'_>) {
        let Some(handler) = self.brain.handlers.get(Intent::Unknown.as_str()) else { return };
        let handled = self.ask(handler, 1.0, seen, read, true);
        self.act(handled.actions, handled.matter);
    }

    fn ask(
        &self,
        handler: &dyn Handler,
        confidence: f32,
        seen: &Understanding,
        read: &Read<'_>,
        lost: bool,
    ) -> Handled {
        handler.handle(&Case {
            turn: self.turn,
            text: &read.text,
            seen,
            confidence,
            known: &self.memory.known,
            language: self.language(),
            flow: self.flow(),
            cart: read.order.as_deref(),
            lost,
        })
    }

    /// What an agent wants done, by a name that its tenant allows.
    pub(crate) fn propose(&mut self, name: &str, title: &str, note: String) {
        let facts = self.memory.known.clone();
        let action = types::Action { name: name.to_owned(), title: title.to_owned(), description: note, facts };
        self.act(vec![action], Some(format!("agent:{name}")));
    }

    /// Keeps actions unless the same matter was acted on within a day.
    fn act(&mut self, actions: Vec<types::Action>, matter: Option<String>) {
        if actions.is_empty() {
            return;
        }
        let now = self.turn.now.seconds();
        if let Some(matter) = matter {
            self.memory.acted.retain(|_, at| now - *at < DAY);
            if self.memory.acted.contains_key(&matter) || self.memory.acted.len() >= MATTERS {
                self.steps.push(("act", "done already".to_owned()));
                return;
            }
            self.memory.acted.insert(matter, now);
        }
        self.steps.push(("act", actions.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ")));
        self.actions.extend(actions);
    }

    /// Outside office hours: when people are back, once in each closed time.
    pub(crate) fn with_hours(&mut self, text: String) -> String {
        let Some(hours) = &self.brain.tenant.hours else { return text };
        let Some(opens) = hours.closed(self.turn.now) else { return text };
        let key = opens.map_or(i64::MAX, types::Timestamp::seconds);
        if self.memory.told_closed.replace(key) == Some(key) {
            return text;
        }
        let texts = &self.flow().texts;
        let said = match opens {
            Some(at) => {
                let when = hours.say(at, self.language());
                fill(texts.closed.get(self.language()), |place| (place == "opens").then_some(when.as_str()))
            }
            None => self.say(&texts.closed_long),
        };
        self.steps.push(("hours", "closed".to_owned()));
        format!("{text}\n\n{said}")
    }
}
