//! Reading JSON whose shape nobody guarantees. Two tools:
//!
//! - [`Obj`] and [`List`] read a known envelope in one pass; what has the wrong type becomes "absent" and costs nothing else.
//! - [`Object`] holds one element's fields as borrowed text, each to be read as whatever it turns out to be.
//!
//! Both take the last of repeated keys, neither recurses over unknown parts, so nesting cannot exhaust the stack. A derived
//! `Deserialize` would refuse a whole batch for one repeated key or one wrong type; a `serde_json::Value` costs five times as much.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use types::Timestamp;

use crate::NotJson;

/// The body as text. Checks what [`RawValue`] leaves unchecked, UTF-8 and surrogate escapes; strips a byte order mark.
pub(crate) fn text_of(body: &[u8]) -> Result<&str, NotJson> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text =
        std::str::from_utf8(body).map_err(|e| NotJson { why: "not UTF-8".to_owned(), at: Some(e.valid_up_to()) })?;
    match lone_surrogate(text) {
        Some(at) => Err(NotJson { why: "half of a surrogate pair".to_owned(), at: Some(at) }),
        None => Ok(text),
    }
}

/// Where the first `\uD800`–`\uDFFF` escape stands that is no pair. Escapes that are wrong otherwise are left to the parser.
fn lone_surrogate(text: &str) -> Option<usize> {
    let unit = |at: usize| -> Option<u32> {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find('\\') {
        let start = at + found;
        at = start
            + match unit(start) {
                Some(0xd800..=0xdbff) if matches!(unit(start + 6), Some(0xdc00..=0xdfff)) => 12,
                Some(0xd800..=0xdfff) => return Some(start),
                Some(_) => 6,
                // Over the escaped character, which may be a backslash, and may be more than one byte in what is no JSON.
                None => 1 + text[start + 1..].chars().next().map_or(0, char::len_utf8),
            };
    }
    None
}

/// The one JSON document that `text` is.
pub(crate) fn document(text: &str) -> Result<&RawValue, NotJson> {
    serde_json::from_str(text).map_err(|e| not_json(text, &e))
}

fn not_json(text: &str, e: &serde_json::Error) -> NotJson {
    let ended = e.classify() == serde_json::error::Category::Eof;
    let before: usize = text.split_inclusive('\n').take(e.line().saturating_sub(1)).map(str::len).sum();
    let at = if ended { text.len() } else { (before + e.column().saturating_sub(1)).min(text.len()) };
    let why = if ended && text.trim().is_empty() { "nothing there".to_owned() } else { e.to_string() };
    NotJson { why, at: Some(at) }
}

/// A structure that takes its fields from a map one by one.
pub(crate) trait Fill<'de>: Default {
    /// Takes the value of `key`, or skips it.
    fn fill<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Skips the value of a key.
pub(crate) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// An object, or `None` where something else stands.
pub(crate) struct Obj<T>(pub(crate) Option<T>);

impl<T> Default for Obj<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Fill<'de>> Deserialize<'de> for Obj<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ObjVisitor(PhantomData))
    }
}

struct ObjVisitor<T>(PhantomData<T>);

/// The visits of everything that is neither object nor array.
macro_rules! scalars {
    ($result:expr) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($result)
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($result)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($result)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($result)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($result)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($result)
        }
    };
}

impl<'de, T: Fill<'de>> Visitor<'de> for ObjVisitor<T> {
    type Value = Obj<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Obj<T>, A::Error> {
        let mut filled = T::default();
        while let Some(Key(key)) = map.next_key()? {
            filled.fill(&key, &mut map)?;
        }
        Ok(Obj(Some(filled)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Obj<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Obj(None))
    }

    scalars!(Obj(None));
}

/// An array. `odd` says that something else stood there, which the caller may want to read again with [`Object::list`].
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    pub(crate) odd: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), odd: false }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(List { items, odd: false })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<T>, A::Error> {
        while map.next_entry::<Key<'_>, IgnoredAny>()?.is_some() {}
        Ok(List { items: Vec::new(), odd: true })
    }

    scalars!(List { items: Vec::new(), odd: true });
}

/// A key: borrowed unless it holds an escape.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

/// The fields of one object, each as its own JSON text.
#[derive(Clone, Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            fields.push((key, value));
        }
        Ok(Object(fields))
    }
}

impl<'a> Object<'a> {
    /// The object that `raw` is; `None` when it is something else.
    pub(crate) fn of(raw: &'a RawValue) -> Option<Self> {
        raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
    }

    /// The field's JSON; `None` when it is absent or null.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        // From the end, since of repeated keys the last one counts.
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, raw)| *raw).filter(|raw| raw.get() != "null")
    }

    /// A text or number as text, without NUL.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).and_then(text)
    }

    /// [`Self::text`], trimmed; `None` when nothing is left.
    pub(crate) fn word(&self, name: &str) -> Option<String> {
        word(self.raw(name))
    }

    /// The first of `names` that is a [`Self::word`].
    pub(crate) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.word(name))
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Option<Object<'a>> {
        self.raw(name).and_then(Object::of)
    }

    /// The elements of an array. Anything but an array counts as its only element.
    pub(crate) fn list(&self, name: &str) -> Vec<&'a RawValue> {
        match self.raw(name) {
            Some(raw) if raw.get().starts_with('[') => serde_json::from_str(raw.get()).unwrap_or_default(),
            Some(raw) => vec![raw],
            None => Vec::new(),
        }
    }

    /// The objects among the elements of [`Self::list`].
    pub(crate) fn objects(&self, name: &str) -> Vec<Object<'a>> {
        self.list(name).into_iter().filter_map(Object::of).collect()
    }

    /// Whether the field is `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw.get() == "true")
    }

    /// A whole number, also when written as text.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// A number, also when written as text; finite.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.trim().parse().ok().filter(|n: &f64| n.is_finite())
    }

    /// A moment: see [`moment`].
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name).as_deref().and_then(moment)
    }

    /// The field as it is, without NUL; `None` when it is absent, null, or nested too deeply for a tree.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.raw(name).and_then(|raw| tree(raw.get()))
    }
}

/// A tree of `text`, without NUL; `None` when it is no JSON or nested more than 128 deep.
pub(crate) fn tree(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(clean)
}

fn clean(value: Value) -> Value {
    let text = |s: String| types::text::without_nul(&s).into_owned();
    match value {
        Value::String(s) => Value::String(text(s)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (text(k), clean(v))).collect()),
        other => other,
    }
}

/// A text, or a number as it is written, without NUL.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    match json.as_bytes().first()? {
        b'"' => {
            let inner = json.get(1..json.len().saturating_sub(1))?;
            if !inner.contains('\\') {
                return Some(Cow::Borrowed(inner));
            }
            let decoded: String = serde_json::from_str(json).ok()?;
            // A NUL can only come as an escape, so this is the one place that may meet it.
            Some(Cow::Owned(if decoded.contains('\0') { decoded.replace('\0', "") } else { decoded }))
        }
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

/// [`text`], trimmed; `None` when nothing is left.
pub(crate) fn word(raw: Option<&RawValue>) -> Option<String> {
    let text = text(raw?)?;
    let word = text.trim();
    (!word.is_empty()).then(|| word.to_owned())
}

/// Seconds since 1970, or milliseconds or microseconds where the number is too large for seconds. `None` for what is no moment between
/// 1970 and 2100: nonsense must not sort a conversation.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    const YEAR_2100: i64 = 4_102_444_800;
    let number: i64 = text.trim().parse().ok()?;
    let micros = match number {
        1..YEAR_2100 => number * 1_000_000,
        100_000_000_000..4_102_444_800_000 => number * 1000,
        100_000_000_000_000..4_102_444_800_000_000 => number,
        _ => return None,
    };
    Some(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_seconds_or_finer_and_never_nonsense() {
        for (given, want) in [
            ("1786000000", Some(1_786_000_000_000_000)),
            (" 1786000000 ", Some(1_786_000_000_000_000)),
            ("1786000000123", Some(1_786_000_000_123_000)),
            ("1786000000123456", Some(1_786_000_000_123_456)),
            ("0", None),
            ("-1", None),
            ("asdf", None),
            ("", None),
            ("5000000000", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(moment(given).map(Timestamp::micros), want, "{given}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_found_wherever_it_stands() {
        for (given, want) in [
            (r#""\ud83d\udc4b""#, None),
            (r#""\ud83d""#, Some(1)),
            (r#""\udc4b""#, Some(1)),
            (r#""ab\ud83d\n""#, Some(3)),
            (r#""\ud83d\u0041""#, Some(1)),
            // An escaped backslash before the letter u is no escape of a character.
            (r#""\\ud83d""#, None),
            (r#""\\\ud83d""#, Some(3)),
            (r#""\"#, None),
            ("\"\\é", None),
        ] {
            assert_eq!(lone_surrogate(given), want, "{given}");
        }
    }

    #[test]
    fn an_error_is_placed_in_bytes() {
        let e = document("{\n  \"é\": }").unwrap_err();
        assert_eq!(e.at, Some(10), "{e}");
        assert_eq!(document("").unwrap_err().why, "nothing there");
    }

    #[test]
    fn of_repeated_keys_the_last_counts_and_types_bend() {
        let raw =
            document(r#"{"a":1,"a":"two\u0000","n":"7.5","t":true,"o":{},"z":null,"big":1e999,"l":{"x":1}}"#).unwrap();
        let o = Object::of(raw).unwrap();
        assert_eq!(o.text("a").as_deref(), Some("two"));
        assert_eq!(o.number("n"), Some(7.5));
        assert!(o.flag("t"));
        assert!(o.object("o").is_some());
        assert!(o.raw("z").is_none());
        assert_eq!(o.number("big"), None);
        assert_eq!(o.text("big").as_deref(), Some("1e999"));
        assert_eq!(o.objects("l").len(), 1);
    }

    #[test]
    fn a_tree_holds_no_nul_and_no_abyss() {
        assert_eq!(tree(r#"{"a\u0000":["b\u0000"]}"#), Some(serde_json::json!({"a": ["b"]})));
        assert_eq!(tree(&"[".repeat(100_000)), None);
        assert_eq!(tree(&format!("{}{}", "[".repeat(1000), "]".repeat(1000))), None);
    }
}
