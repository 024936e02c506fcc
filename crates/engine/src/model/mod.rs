//! Language models (S3.7): three wire formats, pure. A [`Prompt`] becomes a [`Plan`] that `net` carries out, and its answer a
//! [`Completion`] or a [`ModelFault`], whose class says what follows. Why not a crate: `docs/decisions/0030-model-wire-formats.md`.
//!
//! - `openai`: chat completions, also of Ollama, vLLM and every other server that speaks them
//! - `anthropic`: messages; `gemini`: generateContent
//! - [`tokens`]: how long a text is to a model

mod anthropic;
mod gemini;
mod openai;
pub mod tokens;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::Secret;
use types::http::{Answer, NoAnswer, Plan};

/// Which wire format a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `POST {base}/chat/completions`
    OpenAi,
    /// `POST {base}/messages`
    Anthropic,
    /// `POST {base}/models/{model}:generateContent`
    Gemini,
}

impl Wire {
    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The vendor's own address.
    #[must_use]
    pub const fn usual_base(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta",
        }
    }
}

/// A model at a provider.
#[derive(Clone, Debug)]
pub struct Model {
    /// The provider's name in metrics, breakers and logs.
    pub provider: String,
    /// How it speaks.
    pub wire: Wire,
    /// Its address without a slash at the end.
    pub base: String,
    /// The model's name there.
    pub model: String,
    /// The key; `None` for servers that want none (Ollama).
    pub key: Option<Secret>,
    /// Price of a million tokens read, in millionths of the currency.
    pub price_in: u64,
    /// Price of a million tokens written, the same.
    pub price_out: u64,
}

impl Model {
    /// What that costs, in millionths of the currency, rounded up: a budget is never understated.
    #[must_use]
    pub fn cost(&self, usage: Usage) -> u64 {
        let all =
            u128::from(usage.input) * u128::from(self.price_in) + u128::from(usage.output) * u128::from(self.price_out);
        u64::try_from(all.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// What it is to be and to do.
    pub system: String,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// What it may call.
    pub tools: Vec<ToolSpec>,
    /// The JSON that it must answer with, where one is wanted.
    pub schema: Option<Schema>,
    /// It writes at most so many tokens.
    pub max_output: u32,
    /// How freely it writes, 0 to 2; `None`: as the model does by itself.
    pub temperature: Option<f64>,
}

/// A shape that an answer must have.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Its name: letters, digits, `_`.
    pub name: &'static str,
    /// JSON Schema.
    pub schema: Value,
}

/// What a model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: &'static str,
    /// When to use it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// One message of a conversation with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// The customer's.
    User {
        /// What they wrote.
        text: String,
    },
    /// The model's.
    Assistant {
        /// What it wrote; may be empty beside calls.
        text: String,
        /// What it called.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
    },
    /// What came of a call.
    Tool {
        /// Of which call.
        id: String,
        /// Of which tool.
        name: String,
        /// The result, for the model to read.
        text: String,
    },
}

/// A call that a model makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Its id; formats without ids get one.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// With what; `null` when what came is no JSON object.
    pub arguments: Value,
}

/// Tokens of one call, by the vendor's count; what was read from its cache is in `input`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    pub input: u64,
    /// Written, reasoning included.
    pub output: u64,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was done, or wants its calls answered.
    Done,
    /// It had no more tokens: the text ends anywhere.
    Length,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What it wrote.
    pub text: String,
    /// What it calls.
    pub calls: Vec<ToolCall>,
    /// Why it stopped.
    pub stop: Stop,
    /// What it took; zeros where the vendor does not say.
    pub usage: Usage,
}

/// What a failure calls for (NLU.md D).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// May pass: again after a pause (the vendor's own wait, where it names one), then the next provider.
    Passing {
        /// `Retry-After`.
        after: Option<Duration>,
    },
    /// This provider will not answer until somebody mends something: the next one at once.
    Provider,
    /// The request is too long: once more with less.
    TooLong,
    /// The request cannot be made as it is, at this provider: the next one.
    Request,
    /// The vendor will not have it said: no retry anywhere, a person is called.
    Filtered,
    /// The answer makes no sense: once more, then the next provider.
    Broken,
}

impl Class {
    /// Its word in logs, metrics and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passing { .. } => "passing",
            Self::Provider => "provider",
            Self::TooLong => "too_long",
            Self::Request => "request",
            Self::Filtered => "filtered",
            Self::Broken => "broken",
        }
    }
}

/// Vendors' own programs give up when asked to wait longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// A model did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ModelFault {
    /// What follows.
    pub class: Class,
    /// What happened, without secrets and without what was said.
    pub what: String,
    /// Tokens that it took all the same.
    pub usage: Usage,
}

impl ModelFault {
    fn new(class: Class, what: impl Into<String>) -> Self {
        Self { class, what: what.into(), usage: Usage::default() }
    }

    fn costing(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }
}

/// The request that asks `prompt` of `model`.
#[must_use]
pub fn plan(model: &Model, prompt: &Prompt) -> Plan {
    match model.wire {
        Wire::OpenAi => openai::plan(model, prompt),
        Wire::Anthropic => anthropic::plan(model, prompt),
        Wire::Gemini => gemini::plan(model, prompt),
    }
}

/// What the answer to a [`plan`] says.
///
/// # Errors
/// [`ModelFault`], with what follows from it.
pub fn read(model: &Model, answer: &Result<Answer, NoAnswer>) -> Result<Completion, ModelFault> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(NoAnswer::Forbidden { .. }) => {
            return Err(ModelFault::new(Class::Provider, "the provider's address is not allowed"));
        }
        Err(no) => return Err(ModelFault::new(Class::Passing { after: None }, no.to_string())),
    };
    let body = serde_json::from_slice::<Value>(&answer.body);
    if !(200..300).contains(&answer.status) {
        let body = body.unwrap_or_default();
        let fault = match model.wire {
            Wire::OpenAi => openai::refusal(answer, &body),
            Wire::Anthropic => anthropic::refusal(answer, &body),
            Wire::Gemini => gemini::refusal(answer, &body),
        };
        return Err(mannerly(fault, answer));
    }
    let body = body.map_err(|_| ModelFault::new(Class::Broken, "the answer is no JSON"))?;
    match model.wire {
        Wire::OpenAi => openai::completion(&body),
        Wire::Anthropic => anthropic::completion(&body),
        Wire::Gemini => gemini::completion(&body),
    }
}

/// A vendor that says "not again", or "not for minutes", is not asked again; one that says "again" is.
fn mannerly(fault: ModelFault, answer: &Answer) -> ModelFault {
    let class = match (fault.class, answer.should_retry) {
        (Class::Passing { .. }, Some(false)) => Class::Provider,
        (Class::Passing { after: Some(after) }, _) if after > LONGEST_WAIT => Class::Provider,
        (Class::Request, Some(true)) => Class::Passing { after: answer.retry_after },
        (class, _) => class,
    };
    ModelFault { class, ..fault }
}

/// The class that a status has where nothing in the body says more. The vendor's own words never go further: they may quote the request.
fn by_status(answer: &Answer, kind: &str) -> ModelFault {
    let class = match answer.status {
        401..=404 => Class::Provider,
        413 => Class::TooLong,
        408 | 409 | 425 | 429 | 500.. => Class::Passing { after: answer.retry_after },
        _ => Class::Request,
    };
    let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || "_-. ".contains(*c)).take(60).collect();
    let shown = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
    ModelFault::new(class, format!("HTTP {}{shown}", answer.status))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// Arguments as the formats give them: an object, or the text of one.
fn arguments(value: &Value) -> Value {
    match value {
        Value::Object(_) => value.clone(),
        Value::String(text) if text.trim().is_empty() => Value::Object(serde_json::Map::new()),
        Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

/// Nothing said and nothing called.
fn complete(text: String, calls: Vec<ToolCall>, stop: Stop, usage: Usage) -> Result<Completion, ModelFault> {
    if text.trim().is_empty() && calls.is_empty() {
        let what =
            if stop == Stop::Length { "it ran out of tokens before it said anything" } else { "it said nothing" };
        return Err(ModelFault::new(Class::Broken, what).costing(usage));
    }
    Ok(Completion { text, calls, stop, usage })
}

#[cfg(test)]
mod tests;
