//! How ids, moments and states read in the API's description (S6.2): one place, so that every resource says them alike.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::Timestamp;

/// An id: a whole number above zero, as text, since a browser's numbers lose digits above 2^53.
#[must_use]
pub fn id() -> RefOr<Schema> {
    let id = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).pattern(Some("^[1-9][0-9]{0,18}$"));
    RefOr::T(Schema::Object(id.build()))
}

/// One of these words.
pub fn word<'a>(words: impl Iterator<Item = &'a str>) -> RefOr<Schema> {
    let word = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    RefOr::T(Schema::Object(word.enum_values(Some(words.collect::<Vec<_>>())).build()))
}

/// A moment as people and programs outside read it: RFC 3339, UTC. Rows hold the integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let at = text.parse::<jiff::Timestamp>().map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp::from_micros(at.as_microsecond())))
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let at = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
        RefOr::T(Schema::Object(at.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build()))
    }
}

impl ToSchema for Moment {}
