//! Anthropic's messages.

use serde_json::{Value, json};
use types::Secret;
use types::http::{Answer, Body, Method, Plan};

use super::{
    Class, Completion, Message, Model, ModelFault, Prompt, Stop, ToolCall, Usage, arguments, by_status, complete,
    number, text,
};

/// The version of the API that this file speaks.
const VERSION: &str = "2023-06-01";

pub(super) fn plan(model: &Model, prompt: &Prompt) -> Plan {
    // The prompt's first part stays the same over a conversation: marked, the vendor keeps it and reads it at a tenth of the price.
    let system = json!([{ "type": "text", "text": prompt.system, "cache_control": { "type": "ephemeral" } }]);
    let mut body = json!({ "model": model.model, "max_tokens": prompt.max_output, "system": system, "messages": messages(prompt) });
    if let Some(t) = prompt.temperature {
        // The scale ends at 1 here.
        body["temperature"] = json!(t.min(1.0));
    }
    if !prompt.tools.is_empty() {
        let tool =
            |t: &super::ToolSpec| json!({ "name": t.name, "description": t.description, "input_schema": t.parameters });
        body["tools"] = prompt.tools.iter().map(tool).collect();
    }
    if let Some(s) = &prompt.schema {
        body["output_config"] = json!({ "format": { "type": "json_schema", "schema": s.schema } });
    }
    let mut headers = vec![("anthropic-version".to_owned(), Secret::new(VERSION))];
    headers.extend(model.key.as_ref().map(|k| ("x-api-key".to_owned(), k.clone())));
    Plan {
        method: Method::Post,
        url: Secret::new(format!("{}/messages", model.base)),
        authorization: None,
        headers,
        body: Body::Json(body.to_string().into_bytes()),
        name: "llm.anthropic",
    }
}

/// Results of calls are blocks of the user's message after them, all in one.
fn messages(prompt: &Prompt) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::with_capacity(prompt.messages.len());
    for message in &prompt.messages {
        let (role, blocks) = match message {
            Message::User { text } => ("user", vec![json!({ "type": "text", "text": text })]),
            Message::Assistant { text, calls } => {
                let mut blocks = Vec::with_capacity(calls.len() + 1);
                if !text.is_empty() {
                    blocks.push(json!({ "type": "text", "text": text }));
                }
                let call = |c: &ToolCall| {
                    let input = if c.arguments.is_object() { c.arguments.clone() } else { json!({}) };
                    json!({ "type": "tool_use", "id": c.id, "name": c.name, "input": input })
                };
                blocks.extend(calls.iter().map(call));
                ("assistant", blocks)
            }
            Message::Tool { id, text, .. } => {
                ("user", vec![json!({ "type": "tool_result", "tool_use_id": id, "content": text })])
            }
        };
        match all.last_mut() {
            Some(last) if last["role"] == role => {
                if let Some(content) = last["content"].as_array_mut() {
                    content.extend(blocks);
                }
            }
            _ => all.push(json!({ "role": role, "content": blocks })),
        }
    }
    all
}

pub(super) fn completion(body: &Value) -> Result<Completion, ModelFault> {
    let used = &body["usage"];
    // What came from the cache or went into it was read, too.
    let input = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"].map(|k| number(&used[k]));
    let usage = Usage { input: input.iter().sum(), output: number(&used["output_tokens"]) };
    let Some(blocks) = body["content"].as_array() else {
        return Err(ModelFault::new(Class::Broken, "the answer has no content").costing(usage));
    };
    let reason = text(&body["stop_reason"]);
    if reason == "refusal" {
        return Err(ModelFault::new(Class::Filtered, "the model refused it").costing(usage));
    }
    if reason == "model_context_window_exceeded" {
        return Err(ModelFault::new(Class::TooLong, "the model's context window is full").costing(usage));
    }
    let of = |kind: &'static str| blocks.iter().filter(move |b| b["type"] == kind);
    let said: Vec<&str> = of("text").map(|b| text(&b["text"])).collect();
    let calls = of("tool_use").map(|b| ToolCall {
        id: text(&b["id"]).to_owned(),
        name: text(&b["name"]).to_owned(),
        arguments: arguments(&b["input"]),
    });
    let stop = if reason == "max_tokens" { Stop::Length } else { Stop::Done };
    complete(said.concat(), calls.collect(), stop, usage)
}

pub(super) fn refusal(answer: &Answer, body: &Value) -> ModelFault {
    let error = &body["error"];
    let kind = text(&error["type"]);
    let mut fault = by_status(answer, kind);
    let words = text(&error["message"]).to_ascii_lowercase();
    let spent = text(&error["details"]["error_code"]) == "enforced_spend_limit_reached";
    fault.class = match kind {
        _ if spent => Class::Provider,
        "authentication_error" | "billing_error" | "permission_error" | "not_found_error" => Class::Provider,
        "request_too_large" => Class::TooLong,
        "rate_limit_error" | "timeout_error" | "api_error" | "overloaded_error" => {
            Class::Passing { after: answer.retry_after }
        }
        "invalid_request_error" if words.contains("too long") => Class::TooLong,
        "invalid_request_error" if words.contains("credit") || words.contains("spend") => Class::Provider,
        _ => fault.class,
    };
    fault
}
