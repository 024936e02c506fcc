//! The reader: one text in, an [`Understanding`] out.

use std::ops::Range;

use phonenumber::country::Id;

use crate::NluError;
use crate::builtin;
use crate::classify::Classifier;
use crate::lexicon::{Concept, Lexicon, Reading, set};
use crate::meaning::{Entities, Entity, Intent, Slot, Suppression, Understanding};
use crate::service::Catalogue;
use crate::{contact, intent, language, name, nationality, quantity, service, suppress, time};

/// What a text is read against: the tenant's services and the phone region.
#[derive(Debug)]
pub struct Background {
    pub(crate) catalogue: Catalogue,
    region: Id,
}

impl Background {
    /// `services` are the tenant's names of what it offers, each with aliases after `|` ("Golden visa | الإقامة الذهبية"); `region` is
    /// the ISO country of phone numbers without a country code.
    ///
    /// # Errors
    /// [`NluError::Region`] when the region is no country.
    pub fn new(services: &[String], region: &str) -> Result<Self, NluError> {
        let code = region.trim().to_ascii_uppercase();
        let region = code.parse::<Id>().map_err(|_| NluError::Region(region.to_owned()))?;
        Ok(Self { catalogue: Catalogue::new(services), region })
    }

    /// No services, and numbers of the Emirates.
    fn nobody() -> Self {
        Self { catalogue: Catalogue::new(&[]), region: Id::AE }
    }
}

/// Reads texts. Holds the lexicon; made once, shared by all tenants.
#[derive(Debug)]
pub struct Reader {
    lexicon: Lexicon,
    intents: Classifier,
}

/// Below this the intent is UNKNOWN (S3.3).
const FLOOR: f32 = 0.4;

/// Longer texts are read up to here: no lead needs more to say what they want, and time stays bounded.
const MOST_READ: usize = 2_000;

impl Reader {
    /// Compiles the lexicon and the phone number plans (some ten milliseconds).
    ///
    /// # Errors
    /// [`NluError::Lexicon`] when a built-in list cannot be read.
    pub fn new() -> Result<Self, NluError> {
        let reader = Self::trained_on(&builtin::phrases()?)?;
        // The number plans load on first use: better now than in a conversation.
        let _ = phonenumber::parse(Some(Id::AE), "0501234567").map(|n| phonenumber::is_valid(&n));
        Ok(reader)
    }

    /// As [`Self::new`], with the built-in intents trained on these phrases instead: to measure how well they can be learnt.
    ///
    /// # Errors
    /// [`NluError::Lexicon`] when a built-in list cannot be read.
    pub fn trained_on<T: AsRef<str>>(phrases: &[(T, Intent)]) -> Result<Self, NluError> {
        let mut reader = Self { lexicon: Lexicon::new()?, intents: Classifier::default() };
        reader.learn(phrases);
        Ok(reader)
    }

    /// Trains the built-in intents anew on these phrases.
    pub fn learn<T: AsRef<str>>(&mut self, phrases: &[(T, Intent)]) {
        let nobody = Background::nobody();
        let examples = phrases.iter().map(|(text, intent)| {
            let parts = self.parts(text.as_ref(), &nobody, None, None);
            (builtin::features(&parts.reading, &parts.entities), intent.as_str())
        });
        self.intents = Classifier::train_on(examples);
    }

    /// The example phrases of the built-in intents.
    ///
    /// # Errors
    /// [`NluError::Lexicon`] when the list cannot be read.
    pub fn built_in_phrases() -> Result<Vec<(String, Intent)>, NluError> {
        builtin::phrases()
    }

    /// What the trained built-in intents take in memory, bytes, about.
    #[must_use]
    pub fn model_bytes(&self) -> usize {
        self.intents.bytes()
    }

    /// What the word lists take in memory, bytes, about.
    #[must_use]
    pub fn lexicon_bytes(&self) -> usize {
        self.lexicon.bytes()
    }

    /// Reads a text. `asked` is what the open question fills: an answer in context is read more generously. `profile_name` is the
    /// person's name in WhatsApp: a bare answer that equals it is a name.
    #[must_use]
    pub fn read(
        &self,
        text: &str,
        background: &Background,
        asked: Option<Slot>,
        profile_name: Option<&str>,
    ) -> Understanding {
        let Parts { reading, entities, suppress, injection } = self.parts(text, background, asked, profile_name);
        let small_talk = intent::is_small_talk(&reading);
        let (intent, confidence) = self.intent(&reading, &entities, injection || small_talk);
        Understanding {
            intent,
            confidence,
            language: language::of(&reading, &self.lexicon),
            off_topic: intent == Intent::Unknown && reading.has(set(&[Concept::OffTopic])),
            wants_person: !injection && reading.has(set(&[Concept::Human])),
            entities,
            suppress,
            injection,
            small_talk,
        }
    }

    /// The intent of a reading; of what is only a greeting, or gives orders to the machine, it is plain.
    fn intent(&self, reading: &Reading<'_>, entities: &Entities, plain: bool) -> (Intent, f32) {
        if plain {
            return (Intent::Unknown, 0.95);
        }
        let guess = self.intents.judge(&mut builtin::features(reading, entities));
        match Intent::parse(guess.label) {
            Some(intent) if guess.confidence >= FLOOR => (intent, guess.confidence),
            _ => (Intent::Unknown, 1.0 - guess.confidence),
        }
    }

    /// What stands in a text, all but the intent.
    fn parts<'t>(
        &self,
        text: &'t str,
        background: &Background,
        asked: Option<Slot>,
        profile_name: Option<&str>,
    ) -> Parts<'t> {
        let raw = types::text::preview(text, MOST_READ);
        let emails = contact::emails(raw);
        let mut taken: Vec<Range<usize>> = emails.iter().map(|f| f.place.clone()).collect();
        taken.extend(contact::urls(raw));
        taken.sort_by_key(|r| r.start);
        let trust = if matches!(asked, Some(Slot::Phone)) { contact::Trust::Expected } else { contact::Trust::Careful };
        let phones = contact::phones(raw, background.region, trust, &taken);
        taken.extend(phones.iter().map(|f| f.place.clone()));
        taken.sort_by_key(|r| r.start);
        let reading = self.lexicon.read(raw, &taken);
        let injection = reading.has(set(&[Concept::Injection]));
        let suppress = if injection { None } else { suppress::read(&reading) };
        let entities = if injection || suppress.is_some() {
            Entities::default()
        } else {
            let first = |found: Vec<contact::Found>| {
                found.into_iter().next().map(|f| Entity { value: f.value, place: f.place, explicit: true })
            };
            let entities = self.entities(&reading, background, asked, profile_name);
            Entities { email: first(emails), phone: first(phones), ..entities }
        };
        Parts { reading, entities, suppress, injection }
    }

    fn entities(
        &self,
        reading: &Reading<'_>,
        background: &Background,
        asked: Option<Slot>,
        profile_name: Option<&str>,
    ) -> Entities {
        let asks_when = asked == Some(Slot::Time);
        // In a complaint a time is how long it takes, unless a call is asked for.
        let grievance = !asks_when && reading.has(set(&[Concept::Negative])) && !reading.has(set(&[Concept::Call]));
        let time = time::read(reading, asks_when).filter(|_| !grievance);
        let nation = nationality::read(reading, asked == Some(Slot::Nationality));
        let name = name::read(reading, nation.as_ref(), asked == Some(Slot::Name), profile_name)
            .filter(|n| n.explicit || !n.tokens.clone().any(|t| background.catalogue.has_word(reading.text.fold(t))));
        let busy = Busy {
            time: time.as_ref(),
            name: name.as_ref().map(|n| &n.tokens),
            nation: nation.as_ref().map(|n| &n.tokens),
        };
        let quantity = quantity::read(reading, |t| busy.holds(t));
        let service = service::read(
            reading,
            &background.catalogue,
            &busy,
            quantity.as_ref().map(|q| &q.tokens),
            asked == Some(Slot::Service),
        );
        let entity = |tokens: &Range<usize>, value: String, explicit: bool| Entity {
            value,
            place: reading.text.place(tokens),
            explicit,
        };
        Entities {
            time: time.map(|t| entity(&t, reading.text.span(&t).to_owned(), true)),
            nationality_iso: nation.as_ref().map(|n| String::from_utf8_lossy(&n.iso).into_owned()),
            nationality: nation.map(|n| entity(&n.tokens, reading.text.span(&n.tokens).to_owned(), n.explicit)),
            name: name.map(|n| entity(&n.tokens, n.value, n.explicit)),
            service: service.map(|s| entity(&s.tokens, s.value, s.explicit)),
            quantity: quantity.map(|q| entity(&q.tokens, q.value.to_string(), true)),
            email: None,
            phone: None,
        }
    }
}

/// What stands in a text.
struct Parts<'t> {
    reading: Reading<'t>,
    entities: Entities,
    suppress: Option<Suppression>,
    injection: bool,
}

/// Tokens that other entities have taken.
pub(crate) struct Busy<'a> {
    time: Option<&'a Range<usize>>,
    name: Option<&'a Range<usize>>,
    nation: Option<&'a Range<usize>>,
}

impl Busy<'_> {
    pub(crate) fn holds(&self, token: usize) -> bool {
        [self.time, self.name, self.nation].into_iter().flatten().any(|r| r.contains(&token))
    }
}
