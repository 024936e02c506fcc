//! Simulated vendors of language models: OpenAI's chat completions, Anthropic's messages and Gemini's generateContent under
//! `{base}/llm/{provider}/…`, with scripted answers, calls of tools, and every way to fail that the real ones have. What they were sent is kept,
//! and counted as they would count it.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::locked;
use crate::server::{Call, Dropped, Reply, World, json_reply, reply};

/// What a vendor does with one request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers with this text.
    Say(String),
    /// Calls tools: name and arguments as they travel, which need not be JSON. The text may be empty.
    Tools(String, Vec<(String, String)>),
    /// Answers, and is cut off for want of tokens.
    Truncated(String),
    /// The content filter refuses.
    Filtered,
    /// An error in the vendor's words: status, code or type, message, headers.
    Refuse(u16, String, String, Vec<(String, String)>),
    /// 200 and these bytes.
    Raw(Vec<u8>),
    /// 200 and an answer that says nothing.
    Empty,
    /// Closes the connection.
    Drop,
    /// Never answers.
    Hang,
    /// Waits, then does this.
    Slow(Duration, Box<Self>),
    /// Speaks as a front desk would, by how far the conversation is: for a demo without a vendor.
    Receive,
}

impl Act {
    /// An error without headers.
    #[must_use]
    pub fn refuse(status: u16, code: &str, message: &str) -> Self {
        Self::Refuse(status, code.to_owned(), message.to_owned(), Vec::new())
    }

    /// One call of a tool, and no text.
    #[must_use]
    pub fn tool(name: &str, arguments: &str) -> Self {
        Self::Tools(String::new(), vec![(name.to_owned(), arguments.to_owned())])
    }
}

/// A request as it came.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// The part of the path that names the provider.
    pub provider: String,
    /// `openai`, `anthropic`, `gemini`.
    pub wire: &'static str,
    /// The model asked for.
    pub model: String,
    /// The key that came with it.
    pub key: String,
    /// The system text.
    pub system: String,
    /// The body.
    pub body: Value,
    /// Tokens that the vendor says it read.
    pub input: u64,
    /// Tokens that it says it wrote.
    pub output: u64,
}

/// The vendors.
#[derive(Debug, Default)]
pub struct Llm {
    scripts: Mutex<HashMap<String, VecDeque<Act>>>,
    usual: Mutex<HashMap<String, Act>>,
    asked: Mutex<Vec<Asked>>,
}

impl Llm {
    /// What a provider does with its next requests, after what is scripted already.
    pub fn script(&self, provider: &str, acts: impl IntoIterator<Item = Act>) {
        locked(&self.scripts).entry(provider.to_owned()).or_default().extend(acts);
    }

    /// What a provider does when its script is at its end.
    pub fn always(&self, provider: &str, act: Act) {
        locked(&self.usual).insert(provider.to_owned(), act);
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.asked).clone()
    }

    /// Requests so far.
    #[must_use]
    pub fn count(&self) -> usize {
        locked(&self.asked).len()
    }

    fn next(&self, provider: &str) -> Act {
        let scripted = locked(&self.scripts).get_mut(provider).and_then(VecDeque::pop_front);
        let usual = || locked(&self.usual).get(provider).cloned();
        scripted.or_else(usual).unwrap_or_else(|| Act::Say("I am happy to help. What is your name, please?".to_owned()))
    }
}

/// What a front desk says next. It reads chat completions alone: whose turn it is, and how often the customer has spoken.
fn receive(body: &Value) -> Act {
    let empty = Vec::new();
    let messages = body["messages"].as_array().unwrap_or(&empty);
    let customer: Vec<&str> =
        messages.iter().filter(|m| m["role"] == "user").filter_map(|m| m["content"].as_str()).collect();
    let last = customer.last().copied().unwrap_or("");
    let arabic = last.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c));
    let say = |en: &str, ar: &str| if arabic { ar.to_owned() } else { en.to_owned() };
    // What its calls came to is in front of it: now it speaks.
    let noted = messages.last().is_some_and(|m| m["role"] == "tool");
    match customer.len() {
        0 | 1 => Act::Say(say(
            "Hello and welcome! I am the assistant here, and glad to help. What may we do for you?",
            "أهلاً وسهلاً بك! أنا المساعد هنا ويسعدني أن أخدمك. ما الذي تحتاجه؟",
        )),
        2 => Act::Say(say(
            "Gladly, we can see to that. What is your full name, please?",
            "بكل سرور، نستطيع إنجاز ذلك. ما اسمك الكامل من فضلك؟",
        )),
        3 if noted => Act::Say(say(
            "Thank you, I have noted your name. To which e-mail address may we send the quotation?",
            "شكراً لك، سجلت اسمك. على أي بريد إلكتروني نرسل لك عرض السعر؟",
        )),
        3 => Act::tool("set_field", &json!({ "field": "name", "value": last }).to_string()),
        _ if noted => Act::Say(say(
            "Thank you. A colleague will prepare your quotation and write to you here.",
            "شكراً لك. سيجهز أحد زملائنا عرض السعر ويكتب لك هنا.",
        )),
        _ => Act::tool("hand_over", &json!({ "reason": "quotation" }).to_string()),
    }
}

/// Four bytes a token: any count will do, as long as it is the vendor's.
fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

#[derive(Clone, Copy)]
enum Wire {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Wire {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// Answers `/llm/{provider}/…`.
pub(crate) async fn answer(world: &World, call: &Call<'_>, rest: &str) -> Result<Reply, Dropped> {
    let (provider, path) = rest.split_once('/').unwrap_or((rest, ""));
    let header = |name: &str| call.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let (wire, model, key, system) = if path.ends_with("chat/completions") {
        let system = body["messages"][0]["content"].as_str().unwrap_or("").to_owned();
        let key = header("authorization").trim_start_matches("Bearer ").to_owned();
        (Wire::OpenAi, body["model"].as_str().unwrap_or("").to_owned(), key, system)
    } else if path.ends_with("messages") {
        let system = body["system"][0]["text"].as_str().unwrap_or("").to_owned();
        (Wire::Anthropic, body["model"].as_str().unwrap_or("").to_owned(), header("x-api-key"), system)
    } else if let Some(model) = path.rsplit('/').next().and_then(|m| m.strip_suffix(":generateContent")) {
        let system = body["systemInstruction"]["parts"][0]["text"].as_str().unwrap_or("").to_owned();
        (Wire::Gemini, model.to_owned(), header("x-goog-api-key"), system)
    } else {
        return Ok(json_reply(StatusCode::NOT_FOUND, &json!({ "error": { "message": "no such route" } })));
    };
    if body.is_null() {
        return Ok(refuse(wire, 400, "invalid_request_error", "the body is no JSON", &[]));
    }
    let mut act = world.llm.next(provider);
    let input = tokens(&String::from_utf8_lossy(&call.body));
    let mut asked =
        Asked { provider: provider.to_owned(), wire: wire.as_str(), model, key, system, body, input, output: 0 };
    while let Act::Slow(wait, then) = act {
        tokio::time::sleep(wait).await;
        act = *then;
    }
    if let Act::Receive = act {
        act = receive(&asked.body);
    }
    let said = match &act {
        Act::Say(text) | Act::Truncated(text) => tokens(text),
        Act::Tools(text, calls) => tokens(text) + calls.iter().map(|(n, a)| tokens(n) + tokens(a)).sum::<u64>(),
        Act::Empty => 1,
        _ => 0,
    };
    let counted = matches!(act, Act::Say(_) | Act::Truncated(_) | Act::Tools(..) | Act::Empty | Act::Filtered);
    asked.output = said;
    if !counted {
        asked.input = 0;
    }
    let (id, model, usage) = (locked(&world.llm.asked).len(), asked.model.clone(), (asked.input, said));
    locked(&world.llm.asked).push(asked);
    match act {
        Act::Say(text) => Ok(good(wire, id, &model, &text, &[], "stop", usage)),
        Act::Tools(text, calls) => Ok(good(wire, id, &model, &text, &calls, "tools", usage)),
        Act::Truncated(text) => Ok(good(wire, id, &model, &text, &[], "length", usage)),
        Act::Empty => Ok(good(wire, id, &model, "", &[], "stop", usage)),
        Act::Filtered => Ok(good(wire, id, &model, "", &[], "filter", usage)),
        Act::Refuse(status, code, message, headers) => Ok(refuse(wire, status, &code, &message, &headers)),
        Act::Raw(bytes) => Ok(reply(StatusCode::OK, bytes)),
        Act::Drop => Err(Dropped),
        Act::Hang | Act::Slow(..) | Act::Receive => std::future::pending().await,
    }
}

fn refuse(wire: Wire, status: u16, code: &str, message: &str, headers: &[(String, String)]) -> Reply {
    let body = match wire {
        Wire::OpenAi => json!({ "error": { "message": message, "type": "error", "param": null, "code": code } }),
        Wire::Anthropic => {
            json!({ "type": "error", "error": { "type": code, "message": message }, "request_id": "req_sim" })
        }
        Wire::Gemini => json!({ "error": { "code": status, "message": message, "status": code } }),
    };
    let mut reply = json_reply(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

fn good(
    wire: Wire,
    id: usize,
    model: &str,
    text: &str,
    calls: &[(String, String)],
    end: &str,
    (input, output): (u64, u64),
) -> Reply {
    let body = match wire {
        Wire::OpenAi => {
            let reason = match end {
                "tools" => "tool_calls",
                "filter" => "content_filter",
                other => other,
            };
            let call = |(n, (name, arguments)): (usize, &(String, String))| json!({ "id": format!("call_{id}_{n}"), "type": "function", "function": { "name": name, "arguments": arguments } });
            let mut message = json!({ "role": "assistant", "content": text, "refusal": null });
            if !calls.is_empty() {
                message["tool_calls"] = calls.iter().enumerate().map(call).collect();
            }
            json!({
                "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": 1_800_000_000, "model": model,
                "choices": [{ "index": 0, "message": message, "finish_reason": reason, "logprobs": null }],
                "usage": { "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output },
            })
        }
        Wire::Anthropic => {
            let reason = match end {
                "tools" => "tool_use",
                "filter" => "refusal",
                "length" => "max_tokens",
                _ => "end_turn",
            };
            let mut content = if text.is_empty() { Vec::new() } else { vec![json!({ "type": "text", "text": text })] };
            content.extend(calls.iter().enumerate().map(|(n, (name, arguments))| {
                let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| arguments.as_str().into());
                json!({ "type": "tool_use", "id": format!("toolu_{id}_{n}"), "name": name, "input": input })
            }));
            json!({
                "id": format!("msg_{id}"), "type": "message", "role": "assistant", "model": model, "content": content,
                "stop_reason": reason, "stop_sequence": null,
                "usage": { "input_tokens": input, "output_tokens": output, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0 },
            })
        }
        Wire::Gemini => {
            let reason = match end {
                "filter" => "SAFETY",
                "length" => "MAX_TOKENS",
                _ => "STOP",
            };
            let mut parts = if text.is_empty() { Vec::new() } else { vec![json!({ "text": text })] };
            parts.extend(calls.iter().map(|(name, arguments)| {
                let args: Value = serde_json::from_str(arguments).unwrap_or_else(|_| arguments.as_str().into());
                json!({ "functionCall": { "name": name, "args": args } })
            }));
            json!({
                "candidates": [{ "content": { "role": "model", "parts": parts }, "finishReason": reason, "index": 0 }],
                "usageMetadata": { "promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": input + output },
                "modelVersion": model,
            })
        }
    };
    json_reply(StatusCode::OK, &body)
}
