//! Chat completions, as OpenAI speaks them and most others too.

use serde_json::{Value, json};
use types::Secret;
use types::http::{Answer, Body, Method, Plan};

use super::{
    Class, Completion, Message, Model, ModelFault, Prompt, Stop, ToolCall, Usage, arguments, by_status, complete,
    number, text,
};

pub(super) fn plan(model: &Model, prompt: &Prompt) -> Plan {
    let mut messages = vec![json!({ "role": "system", "content": prompt.system })];
    messages.extend(prompt.messages.iter().map(message));
    let mut body = json!({ "model": model.model, "messages": messages });
    // Reasoning models of OpenAI refuse the old name; other servers know only that.
    let limit = if model.base.contains("api.openai.com") { "max_completion_tokens" } else { "max_tokens" };
    body[limit] = prompt.max_output.into();
    if let Some(t) = prompt.temperature {
        body["temperature"] = json!(t);
    }
    if !prompt.tools.is_empty() {
        let tool = |t: &super::ToolSpec| json!({ "type": "function", "function": { "name": t.name, "description": t.description, "parameters": t.parameters } });
        body["tools"] = prompt.tools.iter().map(tool).collect();
    }
    if let Some(s) = &prompt.schema {
        let schema = json!({ "name": s.name, "strict": true, "schema": s.schema });
        body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
    }
    Plan {
        method: Method::Post,
        url: Secret::new(format!("{}/chat/completions", model.base)),
        authorization: model.key.as_ref().map(|k| Secret::new(format!("Bearer {}", k.expose()))),
        headers: Vec::new(),
        body: Body::Json(body.to_string().into_bytes()),
        name: "llm.openai",
    }
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({ "role": "user", "content": text }),
        Message::Assistant { text, calls } if calls.is_empty() => json!({ "role": "assistant", "content": text }),
        Message::Assistant { text, calls } => {
            let call = |c: &ToolCall| json!({ "id": c.id, "type": "function", "function": { "name": c.name, "arguments": c.arguments.to_string() } });
            let content = if text.is_empty() { Value::Null } else { text.as_str().into() };
            json!({ "role": "assistant", "content": content, "tool_calls": calls.iter().map(call).collect::<Vec<_>>() })
        }
        Message::Tool { id, text, .. } => json!({ "role": "tool", "tool_call_id": id, "content": text }),
    }
}

pub(super) fn completion(body: &Value) -> Result<Completion, ModelFault> {
    let usage =
        Usage { input: number(&body["usage"]["prompt_tokens"]), output: number(&body["usage"]["completion_tokens"]) };
    let Some(choice) = body["choices"].get(0) else {
        return Err(ModelFault::new(Class::Broken, "the answer has no choice").costing(usage));
    };
    let said = &choice["message"];
    let reason = text(&choice["finish_reason"]);
    if reason == "content_filter" || said["refusal"].as_str().is_some_and(|r| !r.is_empty()) {
        return Err(ModelFault::new(Class::Filtered, "the vendor's content filter refused it").costing(usage));
    }
    let calls = said["tool_calls"].as_array().map_or_else(Vec::new, |all| {
        all.iter()
            .enumerate()
            .map(|(n, c)| ToolCall {
                id: c["id"].as_str().map_or_else(|| format!("call_{n}"), str::to_owned),
                name: text(&c["function"]["name"]).to_owned(),
                arguments: arguments(&c["function"]["arguments"]),
            })
            .collect()
    });
    let stop = if reason == "length" { Stop::Length } else { Stop::Done };
    complete(text(&said["content"]).to_owned(), calls, stop, usage)
}

pub(super) fn refusal(answer: &Answer, body: &Value) -> ModelFault {
    let error = &body["error"];
    let code = error["code"].as_str().or_else(|| error["type"].as_str()).unwrap_or("");
    let mut fault = by_status(answer, code);
    let words = text(&error["message"]).to_ascii_lowercase();
    fault.class = match code {
        "insufficient_quota" | "billing_hard_limit_reached" | "model_not_found" | "invalid_api_key" => Class::Provider,
        "context_length_exceeded" => Class::TooLong,
        "content_filter" | "content_policy_violation" => Class::Filtered,
        // Servers that speak the format seldom speak the codes.
        _ if answer.status == 400 && words.contains("context") && words.contains("length") => Class::TooLong,
        _ => fault.class,
    };
    fault
}
