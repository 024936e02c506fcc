//! A webhook body of Meta, taken apart (PROTOCOL.md 1.3). The plain body, nothing but messages and statuses, is read in one pass over
//! borrowed text down to its elements, each of which is then read for itself. Any other body is walked again, change by change, since
//! only then is the text of each change needed.

use serde::de::MapAccess;
use serde_json::value::RawValue;
use types::inbound::{Delivery, Event, Identity, Item, Route};

use super::{fields, message};
use crate::NotJson;
use crate::json::{self, Fill, List, Obj, Object, word};
use crate::words::identify;

#[derive(Default)]
struct Body<'a> {
    object: Option<&'a RawValue>,
    entry: List<Obj<Entry<'a>>>,
}

impl<'de> Fill<'de> for Body<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "object" => self.object = Some(map.next_value()?),
            "entry" => self.entry = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Entry<'a> {
    id: Option<&'a RawValue>,
    changes: List<Obj<Change<'a>>>,
}

impl<'de> Fill<'de> for Entry<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = Some(map.next_value()?),
            "changes" => self.changes = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Change<'a> {
    field: Option<&'a RawValue>,
    value: Obj<Value<'a>>,
}

impl<'de> Fill<'de> for Change<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "field" => self.field = Some(map.next_value()?),
            "value" => self.value = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl Change<'_> {
    fn is_plain(&self) -> bool {
        self.field.is_some_and(|f| f.get() == "\"messages\"")
            && self.value.0.as_ref().is_some_and(|v| v.holds_anything() && !v.odd())
    }
}

/// `value` of the field `messages`.
#[derive(Default)]
struct Value<'a> {
    metadata: Obj<Metadata<'a>>,
    contacts: List<Obj<Contact<'a>>>,
    messages: List<&'a RawValue>,
    statuses: List<&'a RawValue>,
    errors: List<&'a RawValue>,
}

impl<'de> Fill<'de> for Value<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "metadata" => self.metadata = map.next_value()?,
            "contacts" => self.contacts = map.next_value()?,
            "messages" => self.messages = map.next_value()?,
            "statuses" => self.statuses = map.next_value()?,
            "errors" => self.errors = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl<'a> Value<'a> {
    /// The same from an odd shape.
    fn slowly(value: &Object<'a>) -> Self {
        fn again<'a, T: Fill<'a>>(raw: &'a RawValue) -> Obj<T> {
            serde_json::from_str(raw.get()).unwrap_or_default()
        }
        let list = |name| List { items: value.list(name), odd: false };
        Self {
            metadata: value.raw("metadata").map(again).unwrap_or_default(),
            contacts: List { items: value.list("contacts").into_iter().map(again).collect(), odd: false },
            messages: list("messages"),
            statuses: list("statuses"),
            errors: list("errors"),
        }
    }

    const fn odd(&self) -> bool {
        self.contacts.odd || self.messages.odd || self.statuses.odd || self.errors.odd
    }

    const fn holds_anything(&self) -> bool {
        !self.messages.items.is_empty() || !self.statuses.items.is_empty() || !self.errors.items.is_empty()
    }

    fn route(&self, account: Option<&RawValue>) -> Route {
        route_of(self.metadata.0.as_ref().and_then(|m| m.phone_number_id), account)
    }
}

#[derive(Default)]
struct Metadata<'a> {
    phone_number_id: Option<&'a RawValue>,
}

impl<'de> Fill<'de> for Metadata<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "phone_number_id" => self.phone_number_id = Some(map.next_value()?),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// An element of `contacts`: who wrote the messages beside it.
#[derive(Default)]
pub(super) struct Contact<'a> {
    wa_id: Option<&'a RawValue>,
    user_id: Option<&'a RawValue>,
    profile: Obj<Profile<'a>>,
}

impl<'de> Fill<'de> for Contact<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "wa_id" => self.wa_id = Some(map.next_value()?),
            "user_id" => self.user_id = Some(map.next_value()?),
            "profile" => self.profile = map.next_value()?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Profile<'a> {
    name: Option<&'a RawValue>,
    username: Option<&'a RawValue>,
}

impl<'de> Fill<'de> for Profile<'de> {
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => self.name = Some(map.next_value()?),
            "username" => self.username = Some(map.next_value()?),
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl Contact<'_> {
    fn identity(&self) -> Identity {
        let mut identity = Identity::default();
        for id in [word(self.user_id), word(self.wa_id)].into_iter().flatten() {
            identify(&mut identity, &id);
        }
        if let Some(profile) = &self.profile.0 {
            identity.name = word(profile.name);
            identity.username =
                word(profile.username).map(|u| u.trim_start_matches('@').to_owned()).filter(|u| !u.is_empty());
        }
        identity
    }
}

/// Takes a webhook body apart. Whatever is JSON is read: an element that cannot be read is an [`Event::Unreadable`] among its neighbours,
/// and a body that holds nothing is one [`Event::Note`] (S1.3, S1.5).
///
/// # Errors
/// [`NotJson`] when the body is not one strict JSON document; a byte order mark is forgiven.
pub fn parse(body: &[u8]) -> Result<Delivery, NotJson> {
    let text = json::text_of(body)?;
    let Ok(parsed) = serde_json::from_str::<Obj<Body<'_>>>(text) else {
        // Either no JSON, or a number that no float can hold where an object belongs.
        return json::document(text).map(|whole| slowly(whole).unwrap_or_else(|| nothing(whole, "envelope")));
    };
    let Some(envelope) = parsed.0 else {
        return json::document(text).map(|whole| unreadable(whole, "body", "not an object"));
    };
    let object = word(envelope.object);
    if let Some(object) = object.filter(|o| o != "whatsapp_business_account") {
        // Another Meta product's webhook: none of ours, whatever it looks like inside.
        return json::document(text).map(|whole| nothing(whole, &object));
    }
    if !is_plain(&envelope.entry) {
        return json::document(text).map(|whole| slowly(whole).unwrap_or_else(|| nothing(whole, "empty")));
    }
    let mut items = Vec::with_capacity(1);
    for entry in envelope.entry.items.into_iter().filter_map(|e| e.0) {
        for value in entry.changes.items.into_iter().filter_map(|c| c.0).filter_map(|c| c.value.0) {
            messages(&value, entry.id, &mut items);
        }
    }
    Ok(Delivery { items })
}

/// Whether a body holds messages and statuses and nothing else, so that each of its elements has been seen.
fn is_plain(entries: &List<Obj<Entry<'_>>>) -> bool {
    let change = |c: &Obj<Change<'_>>| c.0.as_ref().is_some_and(Change::is_plain);
    let entry = |e: &Entry<'_>| !e.changes.odd && !e.changes.items.is_empty() && e.changes.items.iter().all(change);
    !entries.odd && !entries.items.is_empty() && entries.items.iter().all(|e| e.0.as_ref().is_some_and(entry))
}

/// The walk for every other body.
fn slowly(whole: &RawValue) -> Option<Delivery> {
    let mut items = Vec::new();
    for raw in Object::of(whole)?.list("entry") {
        match Object::of(raw) {
            Some(entry) => {
                for each in entry.list("changes") {
                    change(entry.raw("id"), each, &mut items);
                }
            }
            None if raw.get() == "null" => {}
            None => items.push(item(Route::Nowhere, cannot("entry", "not an object"), raw)),
        }
    }
    (!items.is_empty()).then_some(Delivery { items })
}

fn nothing(whole: &RawValue, kind: &str) -> Delivery {
    Delivery { items: vec![item(Route::Nowhere, Event::Note { kind: kind.to_owned() }, whole)] }
}

fn unreadable(whole: &RawValue, kind: &str, why: &str) -> Delivery {
    Delivery { items: vec![item(Route::Nowhere, cannot(kind, why), whole)] }
}

pub(super) fn cannot(kind: &str, why: &str) -> Event {
    Event::Unreadable { kind: kind.to_owned(), why: why.to_owned() }
}

pub(super) fn item(route: Route, event: Event, raw: &RawValue) -> Item {
    Item { route, event, raw: raw.get().to_owned() }
}

/// One change of one entry.
fn change(account: Option<&RawValue>, raw: &RawValue, items: &mut Vec<Item>) {
    let Some(object) = Object::of(raw) else {
        return items.push(item(route_of(None, account), cannot("change", "not an object"), raw));
    };
    let value = object.object("value");
    let field = object.word("field");
    let before = items.len();
    match (field.as_deref(), value) {
        // A body without `field` is a body of messages if it holds any: the documentation's own examples lack it.
        (Some("messages") | None, Some(value)) => {
            let value = Value::slowly(&value);
            messages(&value, account, items);
            if items.len() == before {
                items.push(item(value.route(account), Event::Note { kind: "messages".to_owned() }, raw));
            }
        }
        (field, None) => {
            let kind = field.unwrap_or("change").to_owned();
            items.push(item(route_of(None, account), Event::Note { kind }, raw));
        }
        (Some(field), Some(value)) => fields::other(field, &value, &route_of(None, account), raw, items),
    }
}

fn route_of(number: Option<&RawValue>, account: Option<&RawValue>) -> Route {
    match word(number) {
        Some(number) => Route::PhoneNumberId(number),
        None => word(account).map_or(Route::Nowhere, Route::Account),
    }
}

/// The field `messages`: what customers wrote, and what became of what we wrote.
fn messages(value: &Value<'_>, account: Option<&RawValue>, items: &mut Vec<Item>) {
    let route = value.route(account);
    let contacts: Vec<Identity> =
        value.contacts.items.iter().filter_map(|c| c.0.as_ref()).map(Contact::identity).collect();
    let alone = value.messages.items.len() == 1;
    for raw in &value.messages.items {
        items.push(item(route.clone(), message::read(raw, &contacts, alone), raw));
    }
    for raw in &value.statuses.items {
        items.push(item(route.clone(), fields::status(raw), raw));
    }
    for raw in &value.errors.items {
        items.push(item(route.clone(), fields::number_error(raw), raw));
    }
}
