//! Gemini's generateContent.

use std::time::Duration;

use serde_json::{Value, json};
use types::Secret;
use types::http::{Answer, Body, Method, Plan};

use super::{
    Class, Completion, Message, Model, ModelFault, Prompt, Stop, ToolCall, Usage, arguments, by_status, complete,
    number, text,
};

pub(super) fn plan(model: &Model, prompt: &Prompt) -> Plan {
    let mut generation = json!({ "maxOutputTokens": prompt.max_output });
    if let Some(t) = prompt.temperature {
        generation["temperature"] = json!(t);
    }
    if let Some(s) = &prompt.schema {
        generation["responseMimeType"] = "application/json".into();
        generation["responseJsonSchema"] = s.schema.clone();
    }
    let mut body = json!({
        "systemInstruction": { "parts": [{ "text": prompt.system }] },
        "contents": contents(prompt),
        "generationConfig": generation,
    });
    if !prompt.tools.is_empty() {
        let tool = |t: &super::ToolSpec| json!({ "name": t.name, "description": t.description, "parametersJsonSchema": t.parameters });
        body["tools"] = json!([{ "functionDeclarations": prompt.tools.iter().map(tool).collect::<Vec<_>>() }]);
    }
    Plan {
        method: Method::Post,
        url: Secret::new(format!("{}/models/{}:generateContent", model.base, model.model)),
        authorization: None,
        headers: model.key.iter().map(|k| ("x-goog-api-key".to_owned(), k.clone())).collect(),
        body: Body::Json(body.to_string().into_bytes()),
        name: "llm.gemini",
    }
}

/// Neighbours of one role are one content.
fn contents(prompt: &Prompt) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::with_capacity(prompt.messages.len());
    for message in &prompt.messages {
        let (role, parts) = match message {
            Message::User { text } => ("user", vec![json!({ "text": text })]),
            Message::Assistant { text, calls } => {
                let mut parts = Vec::with_capacity(calls.len() + 1);
                if !text.is_empty() {
                    parts.push(json!({ "text": text }));
                }
                let call = |c: &ToolCall| {
                    let args = if c.arguments.is_object() { c.arguments.clone() } else { json!({}) };
                    json!({ "functionCall": { "name": c.name, "args": args } })
                };
                parts.extend(calls.iter().map(call));
                ("model", parts)
            }
            Message::Tool { name, text, .. } => {
                ("user", vec![json!({ "functionResponse": { "name": name, "response": { "result": text } } })])
            }
        };
        match all.last_mut() {
            Some(last) if last["role"] == role => {
                if let Some(held) = last["parts"].as_array_mut() {
                    held.extend(parts);
                }
            }
            _ => all.push(json!({ "role": role, "parts": parts })),
        }
    }
    all
}

pub(super) fn completion(body: &Value) -> Result<Completion, ModelFault> {
    let used = &body["usageMetadata"];
    let usage = Usage {
        input: number(&used["promptTokenCount"]),
        output: number(&used["candidatesTokenCount"]) + number(&used["thoughtsTokenCount"]),
    };
    if body["promptFeedback"]["blockReason"].is_string() {
        return Err(ModelFault::new(Class::Filtered, "the vendor's content filter refused it").costing(usage));
    }
    let Some(candidate) = body["candidates"].get(0) else {
        return Err(ModelFault::new(Class::Broken, "the answer has no candidate").costing(usage));
    };
    let reason = text(&candidate["finishReason"]);
    if matches!(reason, "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII") {
        return Err(ModelFault::new(Class::Filtered, "the vendor's content filter refused it").costing(usage));
    }
    let none = Vec::new();
    let parts = candidate["content"]["parts"].as_array().unwrap_or(&none);
    // A part that is marked so is the model thinking aloud.
    let said: Vec<&str> = parts.iter().filter(|p| p["thought"] != true).map(|p| text(&p["text"])).collect();
    let calls = parts.iter().filter_map(|p| p.get("functionCall")).enumerate().map(|(n, c)| ToolCall {
        id: c["id"].as_str().map_or_else(|| format!("call_{n}"), str::to_owned),
        name: text(&c["name"]).to_owned(),
        arguments: c.get("args").map_or_else(|| json!({}), arguments),
    });
    let stop = if reason == "MAX_TOKENS" { Stop::Length } else { Stop::Done };
    complete(said.concat(), calls.collect(), stop, usage)
}

pub(super) fn refusal(answer: &Answer, body: &Value) -> ModelFault {
    let error = &body["error"];
    let status = text(&error["status"]);
    let mut fault = by_status(answer, status);
    let words = text(&error["message"]).to_ascii_lowercase();
    fault.class = match status {
        // A bad key is a bad argument here.
        "INVALID_ARGUMENT" if words.contains("api key") => Class::Provider,
        "INVALID_ARGUMENT" if words.contains("token count") || words.contains("too long") => Class::TooLong,
        "UNAUTHENTICATED" | "PERMISSION_DENIED" | "NOT_FOUND" | "FAILED_PRECONDITION" => Class::Provider,
        "RESOURCE_EXHAUSTED" | "UNAVAILABLE" | "INTERNAL" | "DEADLINE_EXCEEDED" => {
            Class::Passing { after: answer.retry_after.or_else(|| named_wait(error)) }
        }
        _ => fault.class,
    };
    fault
}

/// `details[].retryDelay`: `"13s"`, `"0.5s"`.
fn named_wait(error: &Value) -> Option<Duration> {
    let delay = error["details"].as_array()?.iter().find_map(|d| d["retryDelay"].as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
