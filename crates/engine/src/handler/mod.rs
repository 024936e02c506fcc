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

use nlu::classify::Classifier;
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
    own: Option<Classifier>,
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
        let known = (seen.intent != Intent::Unknown).then(|| (seen.intent.as_str(), seen.confidence));
        let own = self.own.as_ref().filter(|_| !text.trim().is_empty()).map(|c| c.classify(text));
        let own = own.map(|g| (g.label, g.confidence));
        // Of the six, only those to which the tenant added phrases may be recognised by them.
        let own = own.filter(|(label, _)| self.get(label).is_some_and(|h| !h.phrases().is_empty()));
        let sure = [own, known].into_iter().flatten().filter_map(|(name, confidence)| {
            self.get(name).filter(|h| confidence >= h.floor()).map(|h| (h, confidence))
        });
        sure.max_by(|a, b| a.0.priority().cmp(&b.0.priority()).then(a.1.total_cmp(&b.1)))
    }
}

/// The six have some seventy phrases each: five of a tenant's are said three times, so that they are not drowned. (Measured on three intents of five
/// phrases and 18 other wordings of them: 11 were told with 0.5 or more before, 14 after, and of 20 foreign messages none either way.)
const ENOUGH: usize = 15;

/// Learns the intents that bring phrases, with the six and what belongs to none beside them, so that those are not mistaken for the tenant's.
fn learn(all: &HashMap<String, Arc<dyn Handler>>) -> Result<Option<Classifier>, nlu::NluError> {
    let mut examples: Vec<(String, String)> = Vec::new();
    let mut names: Vec<&String> = all.keys().collect();
    names.sort_unstable();
    for name in names {
        let phrases = all[name].phrases();
        let times = ENOUGH.div_ceil(phrases.len().max(1)).min(3);
        for phrase in phrases {
            examples.extend(std::iter::repeat_n((phrase.clone(), name.clone()), times));
        }
    }
    if examples.is_empty() {
        return Ok(None);
    }
    let six = Reader::built_in_phrases()?;
    examples.extend(six.into_iter().map(|(phrase, intent)| (phrase, intent.as_str().to_owned())));
    Ok(Some(Classifier::train(&examples)))
}
