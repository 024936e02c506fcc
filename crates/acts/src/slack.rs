//! Slack: incoming webhooks, and `chat.postMessage`.

use serde_json::{Value, json};
use types::Secret;
use types::http::{Answer, Body, Method, Plan};

use crate::settings::{Office, SlackSettings};
use crate::template::line;
use crate::{Came, Deed};

/// Slack's own three escapes; everything else is plain text to it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn text(office: &Office, deed: &Deed<'_>) -> String {
    let title = escape(&line(deed.title));
    let head = if deed.undo { format!("~{title}~ cancelled: it could not be completed") } else { format!("*{title}*") };
    let again = if deed.doubtful { "\n_This may be a repetition._" } else { "" };
    let more = if deed.undo { String::new() } else { format!("\n{}", escape(deed.description)) };
    format!("{head} ({}){more}{again}", escape(&office.business))
}

/// The request.
pub(crate) fn plan(settings: &SlackSettings, office: &Office, deed: &Deed<'_>) -> Plan {
    let text = text(office, deed);
    let (url, authorization, body) = match settings {
        SlackSettings::Webhook(url) => (url.clone(), None, json!({ "text": text })),
        SlackSettings::Chat { token, channel, base } => {
            let url = Secret::new(format!("{base}/chat.postMessage"));
            let mut body = json!({ "channel": channel, "text": text, "unfurl_links": false });
            // What is taken back stands under what was said.
            if let (true, Some(ts)) = (deed.undo, thread(deed.result)) {
                body["thread_ts"] = json!(ts);
            }
            (url, Some(Secret::new(format!("Bearer {}", token.expose()))), body)
        }
    };
    let body = Body::Json(body.to_string().into_bytes());
    Plan { method: Method::Post, url, authorization, headers: Vec::new(), body, name: "action.slack" }
}

fn thread(result: Option<&str>) -> Option<String> {
    let result: Value = serde_json::from_str(result?).ok()?;
    result.get("ts")?.as_str().map(str::to_owned)
}

/// What an answer means.
pub(crate) fn read(settings: &SlackSettings, answer: &Answer) -> Came {
    let said = String::from_utf8_lossy(&answer.body);
    let why = format!("Slack: HTTP {}: {}", answer.status, line(&said));
    match (answer.status, settings) {
        (429, _) => Came::Retry { why, after: answer.retry_after },
        (502 | 504, _) => Came::Doubt(why),
        (500..=599, _) => Came::Retry { why, after: answer.retry_after },
        (200, SlackSettings::Webhook(_)) => Came::Done(None),
        (200, SlackSettings::Chat { .. }) => posted(&answer.body),
        _ => Came::Refused(why),
    }
}

/// `chat.postMessage` says in its body what came of it, with 200 either way.
fn posted(body: &[u8]) -> Came {
    let Ok(said) = serde_json::from_slice::<Value>(body) else {
        return Came::Doubt("Slack answered 200 with what is no JSON".to_owned());
    };
    if said["ok"] == json!(true) {
        let ts = said["ts"].as_str().filter(|ts| ts.len() < 60);
        return Came::Done(ts.map(|ts| json!({ "ts": ts }).to_string()));
    }
    let error = line(said["error"].as_str().unwrap_or("no reason given"));
    let why = format!("Slack refused: {error}");
    match error.as_str() {
        "ratelimited"
        | "rate_limited"
        | "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout" => Came::Retry { why, after: None },
        // Somebody may mend that while it is tried again.
        "invalid_auth" | "not_authed" | "token_expired" | "token_revoked" | "account_inactive" | "not_in_channel" => {
            Came::Retry { why: format!("{why}; mend slack_token or invite the bot"), after: None }
        }
        _ => Came::Refused(why),
    }
}
