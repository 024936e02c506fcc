//! `application/problem+json` (RFC 9457) as a value: every refusal over HTTP says what happened, what it means for the person's messages, and
//! what to do. `code` has a page in `docs/errors/`.

use serde::Serialize;

/// The content type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// A refusal.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Address of the page about it.
    #[serde(rename = "type")]
    pub kind: String,
    /// In a few words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, and the mend.
    pub detail: String,
    /// The request's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// The page's name.
    pub code: &'static str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Which part of the body is wrong, where that is known: a list, as RFC 9457 has it. Boxed, since refusals travel as errors.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "listed")]
    #[schema(value_type = Vec<Part>)]
    pub errors: Option<Box<Part>>,
}

fn listed<S: serde::Serializer>(part: &Option<Box<Part>>, s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(part)
}

/// A part of a body that cannot be used.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Part {
    /// Where it stands, as a JSON pointer: `/url`.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A refusal with the page `code` and an HTTP status.
    #[must_use]
    pub fn new(code: &'static str, status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        let retryable = matches!(status, 429 | 503);
        let kind = format!("/docs/errors/{code}");
        Self { kind, title, status, detail: detail.into(), instance: String::new(), code, retryable, errors: None }
    }

    /// The same with the request's id.
    #[must_use]
    pub fn at(mut self, request_id: &str) -> Self {
        request_id.clone_into(&mut self.instance);
        self
    }

    /// The same, with the part of the body that is wrong.
    #[must_use]
    pub fn part(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors = Some(Box::new(Part { pointer: pointer.into(), detail: detail.into() }));
        self
    }

    /// The document's bytes.
    #[must_use]
    pub fn json(&self) -> Vec<u8> {
        // A struct of texts always writes.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
