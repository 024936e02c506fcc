//! What understanding finds, as values.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::language::Language;

/// What a person wants of the business (S3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// How many.
    Quantity,
    /// Whatever they answer: for a tenant's own questions.
    Text,
}

impl Slot {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Service,
        Self::Name,
        Self::Nationality,
        Self::Email,
        Self::Phone,
        Self::Time,
        Self::Quantity,
        Self::Text,
    ];

    /// The field's name in rows, files and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Name => "name",
            Self::Nationality => "nationality",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Time => "time",
            Self::Quantity => "quantity",
            Self::Text => "text",
        }
    }

    /// The slot of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
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
    /// How many things, pages or persons, in digits.
    pub quantity: Option<Entity>,
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
            Slot::Quantity => self.quantity.as_ref(),
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
    pub suppress: Option<Suppression>,
    /// Whether it gives orders to the machine: such a text fills nothing and changes nothing.
    pub injection: bool,
    /// Whether it is only a greeting, thanks, or the like.
    pub small_talk: bool,
    /// Whether it is about something that no business of this kind answers: the weather, a job for themselves, a joke.
    pub off_topic: bool,
}

/// The person changes whether they may be written to (S3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suppression {
    /// STOP.
    OptOut,
    /// START.
    OptIn,
}
