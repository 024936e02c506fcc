//! What follows from an intent (S3.4): a small type for each, behind one trait.
//!
//! - `builtin.rs`: the six that every tenant has
//! - `tenant.rs`: those that a tenant writes into its file: phrases, a reply, actions
//! - [`Handlers`]: a tenant's registry, made with the engine
//!
//! A handler works beside the flow, not in its place: the flow goes on asking, the handler adds a sentence and actions. What it says
//! passes the guard like everything else (S3.2).

mod builtin;
mod tenant;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use nlu::classify::{Classifier, Near, Nearest};
use nlu::{Intent, Language, Reader, Understanding};
use types::Action;

use crate::flow::Flow;
use crate::turn::Turn;

pub use tenant::TenantIntent;

/// What a handler sees of a turn.
#[derive(Debug)]
pub struct Case<'a> {
    /// The message and what the conversation knew before it.
    pub turn: &'a Turn,
    /// What a person would read of the message.
    pub text: &'a str,
    /// What the message means.
    pub seen: &'a Understanding,
    /// How sure it is that this handler is meant, 0 to 1.
    pub confidence: f32,
    /// What is known now, this message included.
    pub known: &'a BTreeMap<String, String>,
    /// The language to answer in.
    pub language: Language,
    /// The tenant's flow, for its texts.
    pub flow: &'a Flow,
    /// A cart from the catalogue, as lines.
    pub cart: Option<&'a str>,
    /// The open question was asked in vain too often; the conversation goes to a person.
    pub lost: bool,
}

/// What a handler makes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handled {
    /// Said in front of what the flow says. Places (`{name}`) are filled.
    pub sentence: Option<String>,
    /// Whether the sentence is said each time; otherwise once in a conversation.
    pub repeat: bool,
    /// What to do.
    pub actions: Vec<Action>,
    /// Nothing can be done before it is known of what: the handler is asked again when the flow has learnt the service.
    pub waits: bool,
    /// What the actions are about. The same matter is not acted on twice in a day; `None`: always act.
    pub matter: Option<String>,
}

/// Handles one intent. Values in, values out: it is called within a turn and must not wait for anything.
pub trait Handler: Send + Sync + fmt::Debug {
    /// The intent's name: one of the six, or one of its own.
    fn name(&self) -> &str;

    /// Where several handlers are sure enough, the highest decides; then the surest.
    fn priority(&self) -> i32 {
        0
    }

    /// Below this confidence it is not asked.
    fn floor(&self) -> f32 {
        0.4
    }

    /// Phrases from which its intent is learnt; none for the six, which know their own.
    fn phrases(&self) -> &[String] {
        &[]
    }

    /// What to say and to do.
    fn handle(&self, case: &Case<'_>) -> Handled;
}

/// A tenant's handlers by intent, and how its own intents are recognised.
#[derive(Debug)]
pub struct Handlers {
    all: HashMap<String, Arc<dyn Handler>>,
    own: Option<Own>,
}

/// How the phrases that handlers bring are recognised: which of them a text is likest, and whether it is nearer to them than to what it seems otherwise.
#[derive(Debug)]
struct Own {
    labels: Classifier,
    near: Nearest,
}

impl Handlers {
    /// The six, and `more` beside or in place of them: a later one of the same name wins.
    ///
    /// # Errors
    /// [`nlu::NluError`] when the built-in phrases cannot be read.
    pub fn new(more: impl IntoIterator<Item = Arc<dyn Handler>>) -> Result<Self, nlu::NluError> {
        let mut all: HashMap<String, Arc<dyn Handler>> = HashMap::new();
        for handler in builtin::all().into_iter().chain(more) {
            all.insert(handler.name().to_owned(), handler);
        }
        let own = learn(&all)?;
        Ok(Self { all, own })
    }

    /// The handler of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn Handler> {
        self.all.get(name).map(AsRef::as_ref)
    }

    /// Who handles a message, and how sure that is. `None`: nobody is sure enough.
    #[must_use]
    pub fn choose(&self, seen: &Understanding, text: &str) -> Option<(&dyn Handler, f32)> {
        if seen.injection || seen.small_talk && seen.intent == Intent::Unknown {
            return None;
        }
        let known = (seen.intent != Intent::Unknown).then(|| (seen.intent.as_str(), seen.confidence, 0));
        let own = self.own.as_ref().filter(|_| !text.trim().is_empty()).and_then(|own| own.choose(seen, text));
        let own = own.map(|(label, confidence)| (label, confidence, NEARER));
        let sure = [known, own].into_iter().flatten().filter_map(|(name, confidence, more)| {
            self.get(name).filter(|h| confidence >= h.floor()).map(|h| (h, confidence, h.priority() + more))
        });
        sure.max_by_key(|(_, _, priority)| *priority).map(|(handler, confidence, _)| (handler, confidence))
    }
}

/// What is clearly nearer to a tenant's own phrases is theirs, even of a complaint (the only one of the six with a priority).
const NEARER: i32 = 5;
/// A text that is no nearer to a phrase than this shares a few small words with it.
const LEAST: f32 = 0.12;

impl Own {
    /// The phrases' intent, if the text is clearly nearer to them than to what it seems to be otherwise. How clearly it must be depends on how seldom the
    /// built-in reading errs: prices and complaints have words that leave no doubt, "I want" and "do you have" begin many things. (Tuned on the
    /// businesses of `tests/own_intents.rs`.)
    fn choose(&self, seen: &Understanding, text: &str) -> Option<(&str, f32)> {
        let label = self.labels.classify(text).label;
        let Near { own, others } = self.near.near(text, label);
        let (least, ratio) = match seen.intent {
            Intent::Unknown => (LEAST, 0.5),
            intent if intent.as_str() == label || seen.confidence < 0.6 => (LEAST, 0.5),
            Intent::PricingInquiry | Intent::Complaint => (0.4, 1.6),
            Intent::OrderRequest | Intent::AvailabilityInquiry | Intent::ScheduleCall => (0.2, 1.25),
        };
        let nearer = own >= least && own >= others * ratio;
        nearer.then(|| (label, 0.5 + 0.5 * own / (own + others).max(f32::EPSILON)))
    }
}

/// Learns the phrases that handlers bring, with the six's and what belongs to none for comparison.
fn learn(all: &HashMap<String, Arc<dyn Handler>>) -> Result<Option<Own>, nlu::NluError> {
    let mut names: Vec<&String> = all.keys().collect();
    names.sort_unstable();
    let phrases = |name: &&String| -> Vec<(String, String)> {
        all[*name].phrases().iter().map(|phrase| (phrase.clone(), (*name).clone())).collect()
    };
    let examples: Vec<(String, String)> = names.iter().flat_map(phrases).collect();
    if examples.is_empty() {
        return Ok(None);
    }
    let six: Vec<String> = Reader::built_in_phrases()?.into_iter().map(|(phrase, _)| phrase).collect();
    Ok(Some(Own { labels: Classifier::train(&examples), near: Nearest::new(&examples, &six) }))
}
