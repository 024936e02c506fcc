//! The Graph API's endpoints (PROTOCOL.md 2 and 2.1): sends, read marks, and what `barid doctor` asks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use types::Timestamp;

use crate::faults::Fault;
use crate::ids::Side;
use crate::journal::{Accepted, Happened, Provider};
use crate::json::Json;
use crate::lead::MetaSource;
use crate::locked;
use crate::meta_rules::{Refused, check};
use crate::options::{Limits, MetaNumber};
use crate::server::{Call, Dropped, Reply, World, json_reply, reply};

/// A number and what it needs at hand.
#[derive(Debug)]
pub(crate) struct Number {
    pub options: MetaNumber,
    pub source: Arc<MetaSource>,
    pub channel: Arc<str>,
    bearer: String,
    speed: Mutex<Speed>,
}

impl Number {
    pub fn new(options: &MetaNumber, world: &World) -> Self {
        Self {
            options: options.clone(),
            source: Arc::new(MetaSource::with_ids(options, world.clock.clone(), world.ids.clone())),
            channel: options.phone_number_id.as_str().into(),
            bearer: format!("Bearer {}", options.access_token.expose()),
            speed: Mutex::default(),
        }
    }
}

/// How fast a number has been sending.
#[derive(Debug, Default)]
struct Speed {
    second: i64,
    in_second: u32,
    /// Until when each recipient's allowance is used up; it may lie `pair_burst` intervals ahead.
    pairs: HashMap<String, Timestamp>,
}

impl Speed {
    fn check(&mut self, limits: &Limits, to: &str, now: Timestamp) -> Result<(), Refused> {
        if let Some(most) = limits.number_per_second {
            if self.second != now.seconds() {
                (self.second, self.in_second) = (now.seconds(), 0);
            }
            if self.in_second >= most {
                let details = "Message failed to send because there were too many messages sent from this phone number in a short period of time";
                return Err(Refused {
                    http: 429,
                    code: 130_429,
                    message: "(#130429) Rate limit hit".into(),
                    details: details.into(),
                });
            }
        }
        if let Some(every) = limits.pair_every {
            let used = self.pairs.get(to).copied().unwrap_or(Timestamp::ZERO).max(now);
            if used.plus(every).since(now) > every * limits.pair_burst.max(1) {
                let message = "(#131056) (Business Account, Consumer Account) pair rate limit hit".into();
                let details = "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time.";
                return Err(Refused { http: 400, code: 131_056, message, details: details.into() });
            }
            self.pairs.insert(to.to_owned(), used.plus(every));
        }
        self.in_second += 1;
        Ok(())
    }
}

/// A string that borrows where it can, inside `Option` too.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The body of `POST …/messages`.
#[derive(Debug, Deserialize)]
pub(crate) struct Send<'a> {
    #[serde(borrow)]
    pub messaging_product: Option<Text<'a>>,
    #[serde(borrow)]
    pub recipient_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub to: Option<Text<'a>>,
    #[serde(borrow)]
    pub recipient: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    #[serde(borrow)]
    pub message_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub typing_indicator: Option<&'a RawValue>,
    #[serde(borrow)]
    pub biz_opaque_callback_data: Option<Text<'a>>,
    #[serde(borrow)]
    pub text: Option<TextBody<'a>>,
    #[serde(borrow)]
    pub image: Option<&'a RawValue>,
    #[serde(borrow)]
    pub video: Option<&'a RawValue>,
    #[serde(borrow)]
    pub audio: Option<&'a RawValue>,
    #[serde(borrow)]
    pub document: Option<&'a RawValue>,
    #[serde(borrow)]
    pub sticker: Option<&'a RawValue>,
    #[serde(borrow)]
    pub location: Option<&'a RawValue>,
    #[serde(borrow)]
    pub contacts: Option<&'a RawValue>,
    #[serde(borrow)]
    pub interactive: Option<&'a RawValue>,
    #[serde(borrow)]
    pub template: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reaction: Option<&'a RawValue>,
}

/// The object of a text.
#[derive(Debug, Deserialize)]
pub(crate) struct TextBody<'a> {
    #[serde(borrow)]
    pub body: Option<Text<'a>>,
}

/// Routes `/{version}/{object}[/{edge}]`.
pub(crate) async fn answer(world: &World, call: &Call<'_>) -> Result<Reply, Dropped> {
    let mut parts = call.path.trim_start_matches('/').splitn(3, '/');
    let version = parts.next().unwrap_or_default();
    let (object, edge) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !version.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit())) || object.is_empty() {
        return Ok(unknown_object(call.path));
    }
    let bearer = call.headers.get(header::AUTHORIZATION).map_or(&b""[..], |v| v.as_bytes());
    if let Some(number) = world.numbers.get(object) {
        if bearer != number.bearer.as_bytes() {
            return Ok(bad_token());
        }
        return match (call.method, edge) {
            (&Method::POST, "messages") => send(world, number, call).await,
            _ if world.faults.token_expired(Provider::Meta, &number.channel) => Ok(bad_token()),
            (&Method::GET, "") => Ok(json_reply(StatusCode::OK, &number_object(number))),
            _ => Ok(unknown_object(object)),
        };
    }
    Ok(account(world, call, bearer, object, edge))
}

fn account(world: &World, call: &Call<'_>, bearer: &[u8], object: &str, edge: &str) -> Reply {
    let mut numbers = world.numbers.values().filter(|n| n.bearer.as_bytes() == bearer).peekable();
    if numbers.peek().is_none() {
        return bad_token();
    }
    let of_account: Vec<_> = numbers.filter(|n| n.options.waba_id == object).collect();
    let Some(first) = of_account.first() else { return unknown_object(object) };
    if world.faults.token_expired(Provider::Meta, &first.channel) {
        return bad_token();
    }
    match (call.method, edge) {
        (&Method::GET, "") => json_reply(StatusCode::OK, &json!({"id": object, "name": "Simulated account"})),
        (&Method::GET, "subscribed_apps") => {
            let app = json!({"id": "100000000000001", "name": "Simulated app", "link": "https://example.com/"});
            json_reply(StatusCode::OK, &json!({"data": [{"whatsapp_business_api_data": app}]}))
        }
        (&Method::GET, "phone_numbers") => {
            let numbers: Vec<Value> = of_account.iter().map(|n| number_object(n)).collect();
            json_reply(StatusCode::OK, &json!({"data": numbers}))
        }
        (&Method::POST, "subscribed_apps") => reply(StatusCode::OK, r#"{"success":true}"#),
        _ => unknown_object(object),
    }
}

fn number_object(number: &Number) -> Value {
    json!({
        "verified_name": "Simulated business",
        "code_verification_status": "VERIFIED",
        "display_phone_number": format!("+{}", number.options.display_phone),
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "id": number.options.phone_number_id,
    })
}

async fn send(world: &World, number: &Arc<Number>, call: &Call<'_>) -> Result<Reply, Dropped> {
    let send: Send<'_> = match serde_json::from_slice(&call.body) {
        Ok(send) => send,
        Err(err) => return Ok(refusal(world, &Refused::parameter("Invalid parameter", &err.to_string()))),
    };
    if send.messaging_product.as_ref().is_none_or(|p| p.0 != "whatsapp") {
        let message = "The parameter messaging_product is required.";
        return Ok(refusal(world, &Refused::parameter(message, "messaging_product must be whatsapp")));
    }
    if send.status.is_some() {
        return Ok(mark_read(world, number, &send));
    }
    let (to, body) = match check(&send) {
        Ok(good) => good,
        Err(refused) => return Ok(refusal(world, &refused)),
    };
    let now = world.clock.now();
    let limits = &world.options.limits;
    if (limits.number_per_second.is_some() || limits.pair_every.is_some())
        && let Err(refused) = locked(&number.speed).check(limits, &to, now)
    {
        return Ok(refusal(world, &refused));
    }
    let mut verdict = world.faults.decide(Provider::Meta, &number.channel, &to);
    let failure = verdict.fail_status.take().map(|(code, title, _)| (code, title));
    let disorder = verdict.disorder;
    let accept = || accept(world, number, &send, &to, body, (failure, disorder));
    world.through(verdict, refuse, accept).await
}

fn accept(
    world: &World,
    number: &Number,
    send: &Send<'_>,
    to: &str,
    body: String,
    (failure, disorder): (Option<(i64, String)>, bool),
) -> Reply {
    let kind = send.kind.as_ref().map_or("text", |k| &k.0);
    let accepted = world.journal.accept(Accepted {
        order: 0,
        at: world.clock.now(),
        provider: Provider::Meta,
        channel: number.channel.clone(),
        to: to.into(),
        kind: kind.to_owned(),
        body,
        dedupe_key: send.biz_opaque_callback_data.as_ref().map(|d| d.0.as_ref().into()),
        provider_id: world.ids.wamid(to, Side::Business).into(),
    });
    world.postman.plan(&number.source, &accepted, failure, disorder);
    let mut json = Json::with_capacity(256);
    json.raw(r#"{"messaging_product":"whatsapp","contacts":[{"input":"#);
    match &send.to {
        Some(input) => json.text(&input.0).raw(r#","wa_id":"#).text(to),
        None => json.text(to).raw(r#","user_id":"#).text(to),
    };
    json.raw(r#"}],"messages":[{"id":"#).text(&accepted.provider_id);
    json.raw(if kind == "template" { r#","message_status":"accepted"}]}"# } else { "}]}" });
    reply(StatusCode::OK, json.done())
}

fn mark_read(world: &World, number: &Number, send: &Send<'_>) -> Reply {
    let Some(id) = send.message_id.as_ref().filter(|_| send.status.as_ref().is_some_and(|s| s.0 == "read")) else {
        return refusal(
            world,
            &Refused::parameter("Invalid parameter", "status must be read, and message_id is required"),
        );
    };
    if world.faults.token_expired(Provider::Meta, &number.channel) {
        return bad_token();
    }
    let (of, typing) = (id.0.clone().into_owned(), send.typing_indicator.is_some());
    let what = Happened::Read { provider: Provider::Meta, channel: number.channel.clone(), of, typing };
    world.journal.record(world.clock.now(), what);
    reply(StatusCode::OK, r#"{"success":true}"#)
}

fn refusal(world: &World, refused: &Refused) -> Reply {
    world.counters.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    error(refused.http, refused.code, None, "OAuthException", &refused.message, Some(&refused.details), None)
}

fn refuse(fault: &Fault) -> Reply {
    match fault {
        Fault::Refuse { http, code, message, retry_after_s } => {
            let wait = retry_after_s.map(Duration::from_secs);
            error(*http, *code, None, "OAuthException", &format!("(#{code}) {message}"), Some(message), wait)
        }
        Fault::TokenExpired => bad_token(),
        _ => {
            let message = "(#131000) Something went wrong";
            error(
                500,
                131_000,
                None,
                "OAuthException",
                message,
                Some("Message failed to send due to an unknown error."),
                None,
            )
        }
    }
}

fn bad_token() -> Reply {
    let message = "Error validating access token: it has expired or was revoked.";
    error(401, 190, None, "OAuthException", message, None, None)
}

fn unknown_object(object: &str) -> Reply {
    let message = format!(
        "Unsupported request. Object with ID '{object}' does not exist, cannot be loaded due to missing permissions, or does not support this operation."
    );
    error(400, 100, Some(33), "GraphMethodException", &message, None, None)
}

/// Meta's error object (PROTOCOL.md 2.1).
fn error(
    http: u16,
    code: i64,
    subcode: Option<i64>,
    kind: &str,
    message: &str,
    details: Option<&str>,
    retry_after: Option<Duration>,
) -> Reply {
    let mut json = Json::with_capacity(400);
    json.raw(r#"{"error":{"message":"#).text(message).raw(r#","type":"#).text(kind).raw(r#","code":"#).number(code);
    if let Some(subcode) = subcode {
        json.raw(r#","error_subcode":"#).number(subcode);
    }
    if let Some(details) = details {
        json.raw(r#","error_data":{"messaging_product":"whatsapp","details":"#).text(details).raw("}");
    }
    json.raw(r#","fbtrace_id":"AbCdEfGhIjKlMnOpQrStUvW"}}"#);
    let mut reply = reply(StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json.done());
    if let Some(wait) = retry_after {
        reply.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().into());
    }
    reply
}
