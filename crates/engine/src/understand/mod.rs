//! Understanding a message: intent with confidence, and entities (S3.3).
//!
//! - [`Reader`]: reads a text; made once, shared
//! - `lexicon`: what words mean (data: `lexicon.toml`, `words.toml`, `nations.txt`)
//! - `contact`: e-mail addresses, phone numbers, web addresses
//! - `nationality`, `time`, `name`, `service`: one entity each, over the tokens that the lexicon has marked
//! - `intent`: which of the built-in intents
//! - `suppress`: STOP and START in all their words (S3.10)
//!
//! Everything here works on one message and the open question; it keeps no state and never fails.

mod contact;
mod intent;
pub(crate) mod lexicon;
mod name;
mod nationality;
mod service;
mod suppress;
mod time;

use std::ops::Range;

use phonenumber::country::Id;
use serde::{Deserialize, Serialize};

use crate::EngineError;
use crate::language::{self, Language};
use lexicon::{Concept, Lexicon, Reading, set};

pub(crate) use service::{Catalogue, stem};

/// What a person wants of the business (S3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Intent {
    /// To buy, book, apply or start now.
    OrderRequest,
    /// To know a price, or to haggle.
    PricingInquiry,
    /// Unhappy about something.
    Complaint,
    /// Whether something is there, open or offered.
    AvailabilityInquiry,
    /// To be called or to meet.
    ScheduleCall,
    /// Nothing of these, or not sure enough.
    Unknown,
}

impl Intent {
    /// All, in the order of S3.4.
    pub const ALL: [Self; 6] = [
        Self::OrderRequest,
        Self::PricingInquiry,
        Self::Complaint,
        Self::AvailabilityInquiry,
        Self::ScheduleCall,
        Self::Unknown,
    ];

    /// The word that rows, files and the API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderRequest => "ORDER_REQUEST",
            Self::PricingInquiry => "PRICING_INQUIRY",
            Self::Complaint => "COMPLAINT",
            Self::AvailabilityInquiry => "AVAILABILITY_INQUIRY",
            Self::ScheduleCall => "SCHEDULE_CALL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The intent of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.as_str() == text)
    }
}

/// A field that a question can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// What the person wants.
    Service,
    /// Who they are.
    Name,
    /// Of which country.
    Nationality,
    /// Where to write.
    Email,
    /// Where to call.
    Phone,
    /// When to call.
    Time,
    /// Whatever they answer: for a tenant's own questions.
    Text,
}

impl Slot {
    /// The field's name in [`crate::Decision::fields`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Name => "name",
            Self::Nationality => "nationality",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Time => "time",
            Self::Text => "text",
        }
    }

    /// The slot of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Service, Self::Name, Self::Nationality, Self::Email, Self::Phone, Self::Time, Self::Text]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// One entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Cleaned, or in its standard form (e-mail lower case, phone E.164).
    pub value: String,
    /// Where it stands in the message, in bytes.
    pub place: Range<usize>,
    /// Whether the person's own words say so ("my name is …"), so that it may replace what was known.
    pub explicit: bool,
}

/// The entities of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entities {
    /// What the person wants: the tenant's name for it, or the person's own words.
    pub service: Option<Entity>,
    /// The person's name.
    pub name: Option<Entity>,
    /// The nationality in the person's own words.
    pub nationality: Option<Entity>,
    /// The nationality's country, ISO 3166 alpha-2.
    pub nationality_iso: Option<String>,
    /// An e-mail address, lower case.
    pub email: Option<Entity>,
    /// A phone number, E.164.
    pub phone: Option<Entity>,
    /// A time to call, meet or deliver, in the person's own words.
    pub time: Option<Entity>,
}

impl Entities {
    /// The entity of a slot; [`Slot::Text`] has none.
    #[must_use]
    pub const fn get(&self, slot: Slot) -> Option<&Entity> {
        match slot {
            Slot::Service => self.service.as_ref(),
            Slot::Name => self.name.as_ref(),
            Slot::Nationality => self.nationality.as_ref(),
            Slot::Email => self.email.as_ref(),
            Slot::Phone => self.phone.as_ref(),
            Slot::Time => self.time.as_ref(),
            Slot::Text => None,
        }
    }
}

/// What a message means (S3.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Understanding {
    /// What the person wants.
    pub intent: Intent,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
    /// What the message says of the person and the request.
    pub entities: Entities,
    /// The language it is written in, when the message shows one.
    pub language: Option<Language>,
    /// Whether it asks for a person.
    pub wants_person: bool,
    /// Whether it says STOP or START (S3.10).
    pub suppress: Option<crate::Suppression>,
    /// Whether it gives orders to the machine: such a text fills nothing and changes nothing.
    pub injection: bool,
    /// Whether it is only a greeting, thanks, or the like.
    pub small_talk: bool,
}

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
    /// [`EngineError::Region`] when the region is no country.
    pub fn new(services: &[String], region: &str) -> Result<Self, EngineError> {
        let code = region.trim().to_ascii_uppercase();
        let region = code.parse::<Id>().map_err(|_| EngineError::Region(region.to_owned()))?;
        Ok(Self { catalogue: Catalogue::new(services), region })
    }
}

/// Reads texts. Holds the lexicon; made once, shared by all tenants.
#[derive(Debug)]
pub struct Reader {
    lexicon: Lexicon,
}

/// Longer texts are read up to here: no lead needs more to say what they want, and time stays bounded.
const MOST_READ: usize = 2_000;

impl Reader {
    /// Compiles the lexicon and the phone number plans (some ten milliseconds).
    ///
    /// # Errors
    /// [`EngineError::Lexicon`] when a built-in list cannot be read.
    pub fn new() -> Result<Self, EngineError> {
        let reader = Self { lexicon: Lexicon::new()? };
        // The number plans load on first use: better now than in a conversation.
        let _ = phonenumber::parse(Some(Id::AE), "0501234567").map(|n| phonenumber::is_valid(&n));
        Ok(reader)
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
        let small_talk = intent::is_small_talk(&reading);
        let entities = if injection || suppress.is_some() {
            Entities::default()
        } else {
            let mut entities = self.entities(&reading, background, asked, profile_name);
            entities.email =
                emails.into_iter().next().map(|f| Entity { value: f.value, place: f.place, explicit: true });
            entities.phone =
                phones.into_iter().next().map(|f| Entity { value: f.value, place: f.place, explicit: true });
            entities
        };
        let (intent, confidence) = intent::read(&reading, &entities);
        Understanding {
            intent,
            confidence,
            language: language::of(&reading, &self.lexicon),
            wants_person: !injection && reading.has(set(&[Concept::Human])),
            entities,
            suppress,
            injection,
            small_talk,
        }
    }

    fn entities(
        &self,
        reading: &Reading<'_>,
        background: &Background,
        asked: Option<Slot>,
        profile_name: Option<&str>,
    ) -> Entities {
        let time = time::read(reading, asked == Some(Slot::Time));
        let nation = nationality::read(reading, asked == Some(Slot::Nationality));
        let name = name::read(reading, nation.as_ref(), asked == Some(Slot::Name), profile_name)
            .filter(|n| n.explicit || !n.tokens.clone().any(|t| background.catalogue.has_word(reading.text.fold(t))));
        let busy = Busy {
            time: time.as_ref(),
            name: name.as_ref().map(|n| &n.tokens),
            nation: nation.as_ref().map(|n| &n.tokens),
        };
        let service = service::read(reading, &background.catalogue, &busy, asked == Some(Slot::Service));
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
            email: None,
            phone: None,
        }
    }
}

/// Tokens that other entities have taken.
struct Busy<'a> {
    time: Option<&'a Range<usize>>,
    name: Option<&'a Range<usize>>,
    nation: Option<&'a Range<usize>>,
}

impl Busy<'_> {
    fn holds(&self, token: usize) -> bool {
        [self.time, self.name, self.nation].into_iter().flatten().any(|r| r.contains(&token))
    }
}
