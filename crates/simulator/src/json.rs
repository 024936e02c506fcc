//! A small JSON writer: webhook bodies and answers are written field by field, since a tree of values for each would cost
//! more than the rest of the request.

use std::io::Write;

/// Writes one object into a buffer; the braces are the caller's.
#[derive(Debug)]
pub struct Json {
    out: Vec<u8>,
}

impl Json {
    /// An empty text with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity) }
    }

    /// Adds text that is JSON already.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    /// Adds a JSON string: quoted and escaped.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let plain = |b: &u8| *b >= 0x20 && *b != b'"' && *b != b'\\';
        if text.as_bytes().iter().all(plain) {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        } else {
            // Writing into memory cannot fail, and a string is always representable.
            let _ = serde_json::to_writer(&mut self.out, text);
        }
        self
    }

    /// Adds a whole number.
    pub fn number(&mut self, n: i64) -> &mut Self {
        let _ = write!(self.out, "{n}");
        self
    }

    /// Adds any other value.
    pub fn value(&mut self, value: &serde_json::Value) -> &mut Self {
        let _ = serde_json::to_writer(&mut self.out, value);
        self
    }

    /// The bytes.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a person types, a JSON reader gets it back.
        #[test]
        fn every_text_reads_back(text in any::<String>()) {
            let mut json = Json::with_capacity(0);
            json.text(&text);
            prop_assert_eq!(serde_json::from_slice::<String>(&json.done()).unwrap(), text);
        }
    }

    #[test]
    fn numbers_and_values_read_back() {
        let mut json = Json::with_capacity(0);
        json.raw("[").number(i64::MIN).raw(",").value(&serde_json::json!({"a": [1, null]})).raw("]");
        let read: serde_json::Value = serde_json::from_slice(&json.done()).unwrap();
        assert_eq!(read, serde_json::json!([i64::MIN, {"a": [1, null]}]));
    }
}
