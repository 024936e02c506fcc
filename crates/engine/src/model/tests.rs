//! Requests and answers of the three wire formats, in tables.

use serde_json::{Value, json};
use types::Secret;
use types::http::{Answer, Body, NoAnswer, Plan};

use super::*;

fn model(wire: Wire) -> Model {
    Model {
        provider: "p".into(),
        wire,
        base: "http://vendor/v1".into(),
        model: "m-1".into(),
        key: Some(Secret::new("sk-canary")),
        price_in: 2_500_000,
        price_out: 10_000_000,
    }
}

fn prompt() -> Prompt {
    let call = ToolCall { id: "c1".into(), name: "set_field".into(), arguments: json!({"field": "name"}) };
    Prompt {
        system: "Be brief.".into(),
        messages: vec![
            Message::User { text: "hi".into() },
            Message::Assistant { text: String::new(), calls: vec![call] },
            Message::Tool { id: "c1".into(), name: "set_field".into(), text: "done".into() },
        ],
        tools: vec![ToolSpec {
            name: "set_field",
            description: "Notes".into(),
            parameters: json!({"type": "object", "properties": {}}),
        }],
        schema: Some(Schema { name: "reading", schema: json!({"type": "object"}) }),
        max_output: 300,
        temperature: Some(0.2),
    }
}

fn body(plan: &Plan) -> Value {
    let Body::Json(bytes) = &plan.body else { panic!("{plan:?}") };
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn openai_requests() {
    let plan = plan(&model(Wire::OpenAi), &prompt());
    assert_eq!(plan.url.expose(), "http://vendor/v1/chat/completions");
    assert_eq!(plan.authorization.as_ref().unwrap().expose(), "Bearer sk-canary");
    let sent = body(&plan);
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(sent["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"field":"name"}"#);
    assert_eq!(sent["messages"][3], json!({"role": "tool", "tool_call_id": "c1", "content": "done"}));
    assert_eq!((&sent["max_tokens"], &sent["temperature"]), (&json!(300), &json!(0.2)));
    assert_eq!(sent["tools"][0]["function"]["name"], "set_field");
    assert_eq!(sent["response_format"]["json_schema"]["strict"], true);
}

#[test]
fn anthropic_requests() {
    let plan = plan(&model(Wire::Anthropic), &prompt());
    assert_eq!(plan.url.expose(), "http://vendor/v1/messages");
    let headers: Vec<_> = plan.headers.iter().map(|(k, v)| (k.as_str(), v.expose())).collect();
    assert_eq!(headers, [("anthropic-version", "2023-06-01"), ("x-api-key", "sk-canary")]);
    let sent = body(&plan);
    assert_eq!(sent["system"][0]["text"], "Be brief.");
    assert_eq!(sent["max_tokens"], 300);
    let roles: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|m| m["role"].clone()).collect();
    assert_eq!(roles, ["user", "assistant", "user"], "roles take turns");
    assert_eq!(sent["messages"][1]["content"][0]["type"], "tool_use");
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "c1");
    assert_eq!(sent["output_config"]["format"]["type"], "json_schema");
}

#[test]
fn gemini_requests() {
    let plan = plan(&model(Wire::Gemini), &prompt());
    assert_eq!(plan.url.expose(), "http://vendor/v1/models/m-1:generateContent");
    assert_eq!(plan.headers[0].1.expose(), "sk-canary");
    let sent = body(&plan);
    assert_eq!(sent["systemInstruction"]["parts"][0]["text"], "Be brief.");
    assert_eq!(sent["contents"][1]["parts"][0]["functionCall"]["name"], "set_field");
    assert_eq!(sent["contents"][2]["parts"][0]["functionResponse"]["response"]["result"], "done");
    assert_eq!(sent["generationConfig"]["maxOutputTokens"], 300);
    assert_eq!(sent["tools"][0]["functionDeclarations"][0]["name"], "set_field");
}

#[test]
fn no_plan_shows_its_key() {
    for wire in [Wire::OpenAi, Wire::Anthropic, Wire::Gemini] {
        let plan = plan(&model(wire), &prompt());
        assert!(!format!("{plan:?}").contains("sk-canary"), "{wire:?}");
        assert!(!body(&plan).to_string().contains("sk-canary"), "{wire:?}");
    }
}

fn answered(status: u16, body: &str, retry_after: Option<u64>) -> Result<Answer, NoAnswer> {
    let retry_after = retry_after.map(Duration::from_secs);
    Ok(Answer { status, retry_after, should_retry: None, body: body.as_bytes().to_vec() })
}

#[test]
fn good_answers() {
    let cases = [
        (
            Wire::OpenAi,
            json!({"choices": [{"message": {"content": "Hello", "tool_calls": [{"id": "a", "type": "function",
                   "function": {"name": "hand_over", "arguments": "{\"reason\":\"x\"}"}}]}, "finish_reason": "tool_calls"}],
                   "usage": {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}}),
        ),
        (
            Wire::Anthropic,
            json!({"type": "message", "content": [{"type": "text", "text": "Hello"},
                   {"type": "tool_use", "id": "a", "name": "hand_over", "input": {"reason": "x"}}], "stop_reason": "tool_use",
                   "usage": {"input_tokens": 2, "cache_read_input_tokens": 8, "output_tokens": 3}}),
        ),
        (
            Wire::Gemini,
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "thinking", "thought": true}, {"text": "Hello"},
                   {"functionCall": {"id": "a", "name": "hand_over", "args": {"reason": "x"}}}]}, "finishReason": "STOP"}],
                   "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 1, "thoughtsTokenCount": 2}}),
        ),
    ];
    for (wire, answer) in cases {
        let completion = read(&model(wire), &answered(200, &answer.to_string(), None)).unwrap();
        let call = ToolCall { id: "a".into(), name: "hand_over".into(), arguments: json!({"reason": "x"}) };
        let usage = Usage { input: 10, output: 3 };
        assert_eq!(
            completion,
            Completion { text: "Hello".into(), calls: vec![call], stop: Stop::Done, usage },
            "{wire:?}"
        );
    }
}

#[test]
fn what_failures_call_for() {
    use Wire::{Anthropic, Gemini, OpenAi};
    let passing = |seconds: Option<u64>| Class::Passing { after: seconds.map(Duration::from_secs) };
    let openai = |code: &str| json!({"error": {"message": "m", "type": "t", "code": code}}).to_string();
    let anthropic = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "m"}}).to_string();
    let gemini = |status: &str, message: &str| {
        json!({"error": {"code": 1, "status": status, "message": message, "details": [{"retryDelay": "13s"}]}})
            .to_string()
    };
    let too_long = json!({"error": {"message": "maximum context length is 8192 tokens", "type": "BadRequestError"}});
    let spent = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "m",
                       "details": {"error_code": "enforced_spend_limit_reached"}}});
    let cases: &[(Wire, u16, String, Option<u64>, Class)] = &[
        (OpenAi, 401, openai("invalid_api_key"), None, Class::Provider),
        (OpenAi, 429, openai("rate_limit_exceeded"), Some(7), passing(Some(7))),
        (OpenAi, 429, openai("insufficient_quota"), None, Class::Provider),
        (OpenAi, 400, openai("context_length_exceeded"), None, Class::TooLong),
        (OpenAi, 400, too_long.to_string(), None, Class::TooLong),
        (OpenAi, 400, openai("content_filter"), None, Class::Filtered),
        (OpenAi, 400, openai("other"), None, Class::Request),
        (OpenAi, 404, openai("model_not_found"), None, Class::Provider),
        (OpenAi, 500, "<html>".into(), None, passing(None)),
        (Anthropic, 529, anthropic("overloaded_error"), None, passing(None)),
        (Anthropic, 429, anthropic("rate_limit_error"), Some(3), passing(Some(3))),
        (Anthropic, 429, spent.to_string(), None, Class::Provider),
        (Anthropic, 401, anthropic("authentication_error"), None, Class::Provider),
        (Anthropic, 413, anthropic("request_too_large"), None, Class::TooLong),
        (Gemini, 429, gemini("RESOURCE_EXHAUSTED", "m"), None, passing(Some(13))),
        (Gemini, 400, gemini("INVALID_ARGUMENT", "API key not valid"), None, Class::Provider),
        (Gemini, 400, gemini("INVALID_ARGUMENT", "The input token count exceeds"), None, Class::TooLong),
        (Gemini, 503, gemini("UNAVAILABLE", "m"), Some(1), passing(Some(1))),
    ];
    for (wire, status, body, after, class) in cases {
        let fault = read(&model(*wire), &answered(*status, body, *after)).unwrap_err();
        assert_eq!(fault.class, *class, "{wire:?} {status} {body}");
    }
}

/// Vendors' manners: their own word on trying again goes before the status, and a wait of more than two minutes is none.
#[test]
fn what_vendors_say_of_trying_again_is_obeyed() {
    let passing = |seconds: Option<u64>| Class::Passing { after: seconds.map(Duration::from_secs) };
    for (status, after, should_retry, class) in [
        (429, Some(120), None, passing(Some(120))),
        (429, Some(121), None, Class::Provider),
        (503, None, Some(false), Class::Provider),
        (529, Some(1), Some(false), Class::Provider),
        (400, None, Some(true), passing(None)),
        (400, None, Some(false), Class::Request),
        (401, None, Some(true), Class::Provider),
        (500, None, Some(true), passing(None)),
    ] {
        for wire in [Wire::OpenAi, Wire::Anthropic, Wire::Gemini] {
            let retry_after = after.map(Duration::from_secs);
            let answer = Answer { status, retry_after, should_retry, body: b"{}".to_vec() };
            let fault = read(&model(wire), &Ok(answer)).unwrap_err();
            assert_eq!(fault.class, class, "{wire:?} {status} {after:?} {should_retry:?}");
        }
    }
}

#[test]
fn answers_that_make_no_sense_are_broken_and_filters_are_no_answers() {
    let cases = [
        (Wire::OpenAi, "not json".to_owned(), Class::Broken),
        (Wire::OpenAi, "{}".to_owned(), Class::Broken),
        (Wire::OpenAi, json!({"choices": [{"message": {"content": "  "}}]}).to_string(), Class::Broken),
        (
            Wire::OpenAi,
            json!({"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}).to_string(),
            Class::Filtered,
        ),
        (Wire::OpenAi, json!({"choices": [{"message": {"refusal": "no"}}]}).to_string(), Class::Filtered),
        (Wire::Anthropic, json!({"content": [], "stop_reason": "refusal"}).to_string(), Class::Filtered),
        (Wire::Anthropic, json!([]).to_string(), Class::Broken),
        (Wire::Gemini, json!({"promptFeedback": {"blockReason": "SAFETY"}}).to_string(), Class::Filtered),
        (Wire::Gemini, json!({"candidates": [{"finishReason": "SAFETY"}]}).to_string(), Class::Filtered),
        (Wire::Gemini, json!({"candidates": []}).to_string(), Class::Broken),
    ];
    for (wire, body, class) in cases {
        let fault = read(&model(wire), &answered(200, &body, None)).unwrap_err();
        assert_eq!(fault.class, class, "{wire:?} {body}");
    }
    let lost = Err(NoAnswer::Lost { host: "h:1".into(), why: "no answer in time".into() });
    assert_eq!(read(&model(Wire::OpenAi), &lost).unwrap_err().class, Class::Passing { after: None });
}

#[test]
fn tool_arguments_that_are_no_object_are_null() {
    let answer = |args: &str| {
        let call = json!({"id": "a", "function": {"name": "set_field", "arguments": args}});
        json!({"choices": [{"message": {"tool_calls": [call]}}]}).to_string()
    };
    let read = |args: &str| {
        read(&model(Wire::OpenAi), &answered(200, &answer(args), None)).unwrap().calls[0].arguments.clone()
    };
    assert_eq!(read("{\"a\":1"), Value::Null);
    assert_eq!(read("[1]"), Value::Null);
    assert_eq!(read(""), json!({}));
    assert_eq!(read("{\"a\":1}"), json!({"a": 1}));
}

#[test]
fn costs_are_rounded_up_to_a_millionth() {
    let m = model(Wire::OpenAi);
    assert_eq!(m.cost(Usage { input: 1_000_000, output: 0 }), 2_500_000);
    assert_eq!(m.cost(Usage { input: 1, output: 1 }), 13);
    assert_eq!(m.cost(Usage::default()), 0);
}
