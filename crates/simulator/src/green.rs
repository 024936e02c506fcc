//! Green API's endpoints (PROTOCOL.md 3): sends that only queue, the queue, the journal, and the instance's state.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use types::Timestamp;

use crate::faults::Fault;
use crate::feed::{Feed, Notification};
use crate::journal::{Accepted, Happened, Provider};
use crate::json::Json;
use crate::lead::GreenSource;
use crate::locked;
use crate::options::{GreenInstance, StatusPlan};
use crate::server::{Call, Dropped, Reply, World, json_reply, reply};

/// Longest text of `sendMessage`.
const TEXT_MAX: usize = 20_000;
/// The journal of an instance keeps so many sends.
const JOURNAL_MAX: usize = 100_000;
/// `showMessagesQueue` shows so many.
const QUEUE_SHOWN: usize = 500;

/// What comes instead of the planned statuses: word and description.
type Failure = Option<(String, String)>;

/// An instance and what it needs at hand.
#[derive(Debug)]
pub(crate) struct Instance {
    pub source: GreenSource,
    pub channel: Arc<str>,
    pub feed: Arc<Feed>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: String,
    /// Taken, not sent.
    queue: VecDeque<(Arc<Accepted>, Failure)>,
    /// Sent, oldest first.
    journal: VecDeque<Sent>,
}

#[derive(Debug)]
struct Sent {
    send: Arc<Accepted>,
    at: Timestamp,
    failure: Failure,
}

impl Instance {
    pub fn new(options: &GreenInstance, world: &World) -> Self {
        let channel: Arc<str> = options.instance.as_str().into();
        let feed = Arc::new(Feed::new(
            channel.clone(),
            world.options.statuses.capacity,
            world.options.green_retry,
            world.targets.clone(),
            world.journal.clone(),
            world.clock.clone(),
            world.counters.clone(),
        ));
        let source = GreenSource::with_ids(options, world.clock.clone(), world.ids.clone());
        let inner = Inner { state: "authorized".to_owned(), queue: VecDeque::new(), journal: VecDeque::new() };
        Self { source, channel, feed, inner: Mutex::new(inner) }
    }

    /// Changes the state; `authorized` sends what waits.
    pub fn set_state(&self, world: &World, state: &str, notify: bool) {
        if notify {
            self.feed.add(vec![(Duration::ZERO, Notification { webhook: self.source.state(state), status: None })]);
        }
        let mut inner = locked(&self.inner);
        state.clone_into(&mut inner.state);
        if state == "authorized" {
            while let Some((send, failure)) = inner.queue.pop_front() {
                self.goes_out(world, &mut inner, send, failure);
            }
        }
    }

    fn goes_out(&self, world: &World, inner: &mut Inner, send: Arc<Accepted>, failure: Failure) {
        let plan = &world.options.statuses;
        if plan.send {
            self.feed.add(self.notifications(plan, &send, failure.as_ref()));
        }
        inner.journal.push_back(Sent { send, at: world.clock.now(), failure });
        if inner.journal.len() > JOURNAL_MAX {
            inner.journal.pop_front();
        }
    }

    fn notifications(
        &self,
        plan: &StatusPlan,
        send: &Accepted,
        failure: Option<&(String, String)>,
    ) -> Vec<(Duration, Notification)> {
        let (id, chat) = (&send.provider_id, &send.to);
        let mut out = Vec::with_capacity(1 + plan.kinds.len());
        let own = self.source.own_send(id, chat, &send.kind, &send.body);
        out.push((Duration::ZERO, Notification { webhook: own, status: None }));
        let mut status = |after: Duration, word: &str, description: Option<&str>| {
            let webhook = self.source.status(id, chat, word, description, true);
            out.push((after, Notification { webhook, status: Some((id.clone(), word.to_owned())) }));
        };
        match failure {
            Some((word, description)) => status(plan.delay, word, Some(description)),
            None => {
                let mut after = Duration::ZERO;
                for kind in &plan.kinds {
                    after += plan.delay;
                    status(after, kind.as_str(), None);
                }
            }
        }
        out
    }
}

/// A string that borrows where it can, inside `Option` too.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Send<'a> {
    #[serde(borrow)]
    chat_id: Option<Text<'a>>,
    #[serde(borrow)]
    message: Option<Text<'a>>,
    #[serde(borrow)]
    url_file: Option<Text<'a>>,
    #[serde(borrow)]
    file_name: Option<Text<'a>>,
    #[serde(borrow)]
    caption: Option<Text<'a>>,
    #[serde(borrow)]
    id_message: Option<Text<'a>>,
}

/// Routes `{id}/{method}/{token}`, the part after `/waInstance`.
pub(crate) async fn answer(world: &World, call: &Call<'_>, rest: &str) -> Result<Reply, Dropped> {
    let mut parts = rest.splitn(3, '/');
    let (id, method, token) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some(instance) = world.instances.get(id) else {
        return Ok(error(403, "the instance is not known on this host"));
    };
    if token != instance.source.instance().api_token.expose() {
        return Ok(error(401, "Unauthorized"));
    }
    let get = call.method == Method::GET;
    if matches!((method, get), ("sendMessage" | "sendFileByUrl", false)) {
        return send(world, instance, call, method).await;
    }
    if world.faults.token_expired(Provider::Green, id) {
        return Ok(error(401, "Unauthorized"));
    }
    Ok(match (method, get) {
        ("getStateInstance", true) => {
            json_reply(StatusCode::OK, &json!({"stateInstance": locked(&instance.inner).state}))
        }
        ("showMessagesQueue", true) => json_reply(StatusCode::OK, &show_queue(instance)),
        ("lastOutgoingMessages", true) => {
            let minutes = call.number("minutes").unwrap_or(1440);
            json_reply(StatusCode::OK, &last_outgoing(world, instance, minutes))
        }
        ("getMessage", false) => get_message(world, instance, call),
        ("readChat", false) => read_chat(world, instance, call, false),
        ("sendTyping", false) => read_chat(world, instance, call, true),
        ("setSettings", false) => reply(StatusCode::OK, r#"{"saveSettings":true}"#),
        ("getSettings", true) => json_reply(StatusCode::OK, &settings(world, instance)),
        _ => error(404, "there is no such method"),
    })
}

async fn send(world: &World, instance: &Instance, call: &Call<'_>, method: &str) -> Result<Reply, Dropped> {
    let send: Send<'_> = match serde_json::from_slice(&call.body) {
        Ok(send) => send,
        Err(err) => return Ok(refusal(world, &format!("Validation failed. Details: {err}"))),
    };
    let (chat, kind, body) = match check(&send, method) {
        Ok(good) => good,
        Err(why) => return Ok(refusal(world, &format!("Validation failed. Details: {why}"))),
    };
    if !matches!(locked(&instance.inner).state.as_str(), "authorized" | "sleepMode") {
        return Ok(refusal(world, "instance is starting or not authorized"));
    }
    let mut verdict = world.faults.decide(Provider::Green, &instance.channel, chat);
    let failure =
        verdict.fail_status.take().map(|(_, title, word)| (word.unwrap_or_else(|| "failed".to_owned()), title));
    let accept = || accept(world, instance, chat, kind, body, failure);
    world.through(verdict, refuse, accept).await
}

/// Chat, kind of the message, and text.
fn check<'a>(send: &'a Send<'_>, method: &str) -> Result<(&'a str, &'static str, &'a str), String> {
    let chat = send.chat_id.as_ref().map_or("", |c| &c.0);
    if !["@c.us", "@g.us", "@lid"].iter().any(|end| chat.len() > end.len() && chat.ends_with(end)) {
        return Err("'chatId' must be one of the following formats: phone_number@c.us | group_id@g.us".to_owned());
    }
    if method == "sendMessage" {
        let text = send.message.as_ref().map_or("", |m| &m.0);
        return match text.chars().count() {
            0 => Err("'message' is required".to_owned()),
            n if n > TEXT_MAX => {
                Err(format!("'message' length must be less than or equal to {TEXT_MAX} characters long"))
            }
            _ if text.contains("http://") || text.contains("https://") => Ok((chat, "extendedTextMessage", text)),
            _ => Ok((chat, "textMessage", text)),
        };
    }
    let (url, name) = (send.url_file.as_ref(), send.file_name.as_ref());
    let (Some(_), Some(name)) = (url.filter(|u| !u.0.is_empty()), name.filter(|n| n.0.contains('.'))) else {
        return Err("'urlFile' and 'fileName' with an extension are required".to_owned());
    };
    let kind = match name.0.rsplit('.').next().unwrap_or_default() {
        "jpg" | "jpeg" | "png" | "webp" => "imageMessage",
        "mp4" | "mov" => "videoMessage",
        "mp3" | "ogg" | "opus" | "m4a" => "audioMessage",
        _ => "documentMessage",
    };
    Ok((chat, kind, send.caption.as_ref().map_or("", |c| &c.0)))
}

fn accept(world: &World, instance: &Instance, chat: &str, kind: &str, body: &str, failure: Failure) -> Reply {
    let mut inner = locked(&instance.inner);
    let accepted = world.journal.accept(Accepted {
        order: 0,
        at: world.clock.now(),
        provider: Provider::Green,
        channel: instance.channel.clone(),
        to: chat.into(),
        kind: kind.to_owned(),
        body: body.to_owned(),
        dedupe_key: None,
        provider_id: world.ids.id_message().into(),
    });
    let mut json = Json::with_capacity(64);
    json.raw(r#"{"idMessage":"#).text(&accepted.provider_id).raw("}");
    if inner.state == "authorized" {
        instance.goes_out(world, &mut inner, accepted, failure);
    } else {
        inner.queue.push_back((accepted, failure));
    }
    drop(inner);
    reply(StatusCode::OK, json.done())
}

fn show_queue(instance: &Instance) -> Vec<Value> {
    let inner = locked(&instance.inner);
    let show = |(send, _): &(Arc<Accepted>, Failure)| {
        let kind = if send.kind.contains("ext") { "sendMessage" } else { "sendFileByUrl" };
        json!({"messageID": send.provider_id, "type": kind, "body": {"chatId": send.to, "message": send.body}})
    };
    inner.queue.iter().take(QUEUE_SHOWN).map(show).collect()
}

fn last_outgoing(world: &World, instance: &Instance, minutes: u64) -> Vec<Value> {
    let now = world.clock.now();
    let oldest = now.minus(Duration::from_secs(minutes.min(10_000) * 60));
    let newest = now.minus(world.options.journal_lag);
    let inner = locked(&instance.inner);
    let within = inner.journal.iter().rev().filter(|s| s.at <= newest).take_while(|s| s.at >= oldest);
    within.map(|s| journal_entry(world, s)).collect()
}

fn journal_entry(world: &World, sent: &Sent) -> Value {
    let mut entry = json!({
        "type": "outgoing",
        "idMessage": sent.send.provider_id,
        "timestamp": sent.at.seconds(),
        "typeMessage": sent.send.kind,
        "chatId": sent.send.to,
        "statusMessage": status_now(world, sent),
        "sendByApi": true,
        "deletedMessageId": "", "editedMessageId": "", "isEdited": false, "isDeleted": false,
    });
    match sent.send.kind.as_str() {
        "textMessage" => entry["textMessage"] = sent.send.body.as_str().into(),
        "extendedTextMessage" => {
            entry["textMessage"] = sent.send.body.as_str().into();
            entry["extendedTextMessage"] = json!({"text": sent.send.body.as_str()});
        }
        _ => entry["caption"] = sent.send.body.as_str().into(),
    }
    entry
}

/// The status that the plan has reached by now.
fn status_now(world: &World, sent: &Sent) -> String {
    let plan = &world.options.statuses;
    let since = world.clock.now().since(sent.at);
    match &sent.failure {
        Some((word, _)) if since >= plan.delay => word.clone(),
        Some(_) => "pending".to_owned(),
        None => {
            let reached = plan.kinds.iter().zip(1_u32..).take_while(|(_, n)| since >= plan.delay * *n).last();
            reached.map_or("sent", |(kind, _)| kind.as_str()).to_owned()
        }
    }
}

fn get_message(world: &World, instance: &Instance, call: &Call<'_>) -> Reply {
    let Ok(asked) = serde_json::from_slice::<Send<'_>>(&call.body) else {
        return error(400, "Validation failed");
    };
    let id = asked.id_message.as_ref().map_or("", |i| &i.0);
    let inner = locked(&instance.inner);
    let found = inner.journal.iter().rev().find(|s| &*s.send.provider_id == id);
    found.map_or_else(
        || error(400, "Message not found by id"),
        |sent| json_reply(StatusCode::OK, &journal_entry(world, sent)),
    )
}

fn read_chat(world: &World, instance: &Instance, call: &Call<'_>, typing: bool) -> Reply {
    let chat = serde_json::from_slice::<Send<'_>>(&call.body).ok().and_then(|s| Some(s.chat_id?.0.into_owned()));
    let Some(of) = chat else { return error(400, "Validation failed. Details: 'chatId' is required") };
    let what = Happened::Read { provider: Provider::Green, channel: instance.channel.clone(), of, typing };
    world.journal.record(world.clock.now(), what);
    reply(StatusCode::OK, r#"{"setRead":true}"#)
}

fn settings(world: &World, instance: &Instance) -> Value {
    let url = world.targets.green_url().unwrap_or_default();
    json!({
        "wid": instance.source.instance().wid,
        "webhookUrl": url,
        "webhookUrlToken": instance.source.instance().webhook_token.expose(),
        "delaySendMessagesMilliseconds": 500,
        "incomingWebhook": "yes", "outgoingWebhook": "yes", "outgoingAPIMessageWebhook": "yes",
        "outgoingMessageWebhook": "yes", "stateWebhook": "yes",
    })
}

fn refusal(world: &World, message: &str) -> Reply {
    world.counters.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    error(400, message)
}

fn refuse(fault: &Fault) -> Reply {
    match fault {
        Fault::Refuse { http, message, retry_after_s, .. } => {
            let mut reply = error(*http, message);
            if let Some(seconds) = retry_after_s {
                reply.headers_mut().insert(header::RETRY_AFTER, (*seconds).into());
            }
            reply
        }
        Fault::TokenExpired => error(401, "Unauthorized"),
        _ => error(500, "Internal Server Error"),
    }
}

fn error(http: u16, message: &str) -> Reply {
    let status = StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if http == 466 {
        let quota =
            json!({"method": "sendMessage", "used": 3, "total": 3, "status": "QUOTA_EXCEEDED", "description": message});
        return json_reply(status, &json!({"invokeStatus": quota}));
    }
    json_reply(status, &json!({"statusCode": http, "message": message}))
}
