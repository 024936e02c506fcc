//! `/_sim/…`: the handle over HTTP, for `barid chat` and a browser page whose simulator runs in another process.
//!
//! | request | does |
//! |---|---|
//! | GET `channels` | the numbers and instances, without secrets |
//! | GET `ledger?after=N&limit=N` | accepted sends |
//! | DELETE `ledger` | empties it; orders and counts go on |
//! | GET `events?after=N&wait_ms=N` | what happened; waits for the first |
//! | GET `stats` | totals |
//! | GET, POST, DELETE `faults` | lists the rules, adds one or a list, ends all; POST `clear` ends all, too |
//! | POST `lead` | a customer (or staff) writes: [`Order`]; answers with [`Posted`] |
//! | POST `webhooks` | [`crate::WebhookTargets`] |
//! | POST `instance` | `{"instance":"…","state":"sleepMode","notify":true}` |

use std::time::Duration;

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client;
use crate::faults::Rule;
use crate::feed::Notification;
use crate::journal::{Event, Happened, Provider};
use crate::lead::Webhook;
use crate::options::WebhookTargets;
use crate::server::{Call, Reply, Simulator, World, json_reply, reply};

/// Longest wait of `events`.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// `ledger` gives at most so many at once.
const LEDGER_MAX: u64 = 100_000;

/// What a customer, or staff on the business's phone, writes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// `phone_number_id` or `idInstance`; empty: the only one there is.
    pub channel: String,
    /// The customer's number, digits only.
    pub phone: String,
    /// The customer's name.
    pub name: String,
    /// `text` (also when empty), `image`, `voice`, `document`, `button`, `reaction`, `location`, `edit`, `revoke`; `staff`:
    /// text written by staff to the customer.
    pub kind: String,
    /// The text, caption, button's title or emoji.
    pub text: String,
    /// The button's id.
    pub button: String,
    /// The message that is quoted, reacted to, changed or deleted.
    pub of: String,
    /// The id to give it, instead of a new one.
    pub id: Option<String>,
    /// Whether to go on posting, as the provider would, when the first answer is not 200.
    pub repeat: bool,
}

/// What became of an [`Order`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The id of the message.
    pub id: String,
    /// The engine's HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// The engine's answer, or why none came.
    pub answer: String,
}

/// The order cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum BadOrder {
    /// No such number or instance, or none was named and there are several.
    #[error("there is no number or instance {0:?}; name one of GET /_sim/channels")]
    Channel(String),
    /// No customer.
    #[error("phone must be the digits of the customer's number")]
    Phone,
    /// The kind is none of [`Order::kind`].
    #[error("{0:?} is no kind of message that the simulator can write")]
    Kind(String),
    /// Nobody listens.
    #[error("no webhook address is set for {0:?}")]
    NoTarget(Provider),
}

impl Simulator {
    /// Writes the message and posts it once, as the provider would.
    ///
    /// # Errors
    /// [`BadOrder`] when there is no such channel or kind, or nowhere to post to.
    pub async fn write(&self, order: &Order) -> Result<Posted, BadOrder> {
        write(self.world(), order).await
    }
}

async fn write(world: &World, order: &Order) -> Result<Posted, BadOrder> {
    if order.phone.is_empty() || !order.phone.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadOrder::Phone);
    }
    let channel = match (order.channel.as_str(), world.options.meta.as_slice(), world.options.green.as_slice()) {
        ("", [only], []) => &only.phone_number_id,
        ("", [], [only]) => &only.instance,
        _ => &order.channel,
    };
    if let Some(number) = world.numbers.get(channel) {
        let http = world.targets.meta().ok_or(BadOrder::NoTarget(Provider::Meta))?;
        let webhook = meta_webhook(&number.source, order)?;
        let result = client::post(&http, &webhook, world.options.meta_retry.timeout).await;
        if order.repeat && !matches!(&result, Ok(a) if a.status == 200) {
            world.postman.repeat(webhook.clone());
        }
        return Ok(posted(world, order, Provider::Meta, channel, &webhook, result));
    }
    let instance = world.instances.get(channel).ok_or_else(|| BadOrder::Channel(channel.clone()))?;
    let http = world.targets.green().ok_or(BadOrder::NoTarget(Provider::Green))?;
    let webhook = green_webhook(&instance.source, order)?;
    let result = {
        let _turn = instance.feed.turn.lock().await;
        client::post(&http, &webhook, world.options.green_retry.timeout).await
    };
    if order.repeat && !matches!(&result, Ok(a) if a.status == 200) {
        let again = Notification { webhook: webhook.clone(), status: None };
        instance.feed.add(vec![(world.options.green_retry.wait(1), again)]);
    }
    Ok(posted(world, order, Provider::Green, channel, &webhook, result))
}

fn posted(
    world: &World,
    order: &Order,
    provider: Provider,
    channel: &str,
    webhook: &Webhook,
    result: Result<client::Answer, client::PostError>,
) -> Posted {
    let (status, answer) = match result {
        Ok(answer) => (Some(answer.status), String::from_utf8_lossy(&answer.body).into_owned()),
        Err(err) => (None, err.to_string()),
    };
    let text = match order.kind.as_str() {
        "" | "text" | "staff" => order.text.clone(),
        kind => format!("[{kind}] {}", order.text).trim_end().to_owned(),
    };
    let what = Happened::Wrote {
        provider,
        channel: channel.into(),
        phone: order.phone.clone(),
        staff: order.kind == "staff",
        text,
        provider_id: webhook.id.clone(),
        answer: status.map_or_else(|| answer.clone(), |s| s.to_string()),
    };
    world.journal.record(world.clock.now(), what);
    Posted { id: webhook.id.clone(), status, answer }
}

fn meta_webhook(source: &crate::lead::MetaSource, order: &Order) -> Result<Webhook, BadOrder> {
    let mut lead = source.lead(&order.phone, &order.name);
    if let Some(id) = &order.id {
        lead = lead.with_id(id);
    }
    let caption = Some(order.text.as_str()).filter(|t| !t.is_empty());
    let quoted = Some(order.of.as_str()).filter(|q| !q.is_empty());
    Ok(match order.kind.as_str() {
        "" | "text" => match quoted {
            Some(quoted) => lead.text_quoting(&order.text, quoted),
            None => lead.text(&order.text),
        },
        "image" => lead.media("image", "image/jpeg", caption),
        "voice" => lead.media("audio", "audio/ogg; codecs=opus", None),
        "document" => lead.media("document", "application/pdf", caption),
        "button" => lead.button(&order.button, &order.text, quoted),
        "reaction" => lead.reaction(&order.of, &order.text),
        "location" => lead.location(25.2048, 55.2708),
        "edit" => lead.edit(&order.of, &order.text),
        "revoke" => lead.revoke(&order.of),
        "staff" => source.echo(&order.phone, &order.text),
        other => return Err(BadOrder::Kind(other.to_owned())),
    })
}

fn green_webhook(source: &crate::lead::GreenSource, order: &Order) -> Result<Webhook, BadOrder> {
    let mut lead = source.lead(&order.phone, &order.name);
    if let Some(id) = &order.id {
        lead = lead.with_id(id);
    }
    Ok(match order.kind.as_str() {
        "" | "text" if order.of.is_empty() => lead.text(&order.text),
        "" | "text" => lead.text_quoting(&order.text, &order.of),
        "image" => lead.media("imageMessage", "image/jpeg", &order.text),
        "voice" => lead.media("audioMessage", "audio/ogg; codecs=opus", ""),
        "document" => lead.media("documentMessage", "application/pdf", &order.text),
        "button" => lead.button(&order.button, &order.text, &order.of),
        "reaction" => lead.reaction(&order.of, &order.text),
        "location" => lead.location(25.2048, 55.2708),
        "edit" => lead.edit(&order.of, &order.text),
        "revoke" => lead.revoke(&order.of),
        "staff" => source.phone_message(&order.phone, &order.text),
        other => return Err(BadOrder::Kind(other.to_owned())),
    })
}

/// Routes the part after `/_sim/`.
pub(crate) async fn answer(world: &World, call: &Call<'_>, rest: &str) -> Reply {
    let done = || reply(StatusCode::OK, r#"{"ok":true}"#);
    match (call.method, rest) {
        (&Method::GET, "channels") => json_reply(StatusCode::OK, &channels(world)),
        (&Method::GET, "stats") => json_reply(StatusCode::OK, &world.stats()),
        (&Method::GET, "ledger") => {
            let limit = call.number("limit").unwrap_or(LEDGER_MAX).min(LEDGER_MAX);
            let ledger = world.journal.ledger(call.number("after").unwrap_or(0), usize::try_from(limit).unwrap_or(0));
            json_reply(StatusCode::OK, &ledger)
        }
        (&Method::DELETE, "ledger") => {
            world.journal.forget();
            done()
        }
        (&Method::GET, "events") => {
            let wait = Duration::from_millis(call.number("wait_ms").unwrap_or(0)).min(WAIT_MAX);
            let events: Vec<Event> = world.journal.events(call.number("after").unwrap_or(0), wait).await;
            json_reply(StatusCode::OK, &events)
        }
        (&Method::GET, "faults") => json_reply(StatusCode::OK, &world.faults.rules()),
        (&Method::POST, "faults") => match read::<OneOrMany>(call) {
            Ok(OneOrMany::One(rule)) => {
                world.faults.push(*rule);
                done()
            }
            Ok(OneOrMany::Many(rules)) => {
                rules.into_iter().for_each(|rule| world.faults.push(rule));
                done()
            }
            Err(why) => refuse(&why),
        },
        (&Method::DELETE, "faults") | (&Method::POST, "clear") => {
            world.faults.clear();
            done()
        }
        (&Method::POST, "lead") => match read::<Order>(call) {
            Ok(order) => match write(world, &order).await {
                Ok(posted) => json_reply(StatusCode::OK, &posted),
                Err(err) => refuse(&err.to_string()),
            },
            Err(why) => refuse(&why),
        },
        (&Method::POST, "webhooks") => match read::<WebhookTargets>(call) {
            Ok(targets) => world.targets.set(&targets).map_or_else(|err| refuse(&err.to_string()), |()| done()),
            Err(why) => refuse(&why),
        },
        (&Method::POST, "instance") => match read::<NewState>(call) {
            Ok(new) => world.instances.get(&new.instance).map_or_else(
                || refuse("there is no such instance"),
                |instance| {
                    instance.set_state(world, &new.state, new.notify);
                    done()
                },
            ),
            Err(why) => refuse(&why),
        },
        _ => json_reply(StatusCode::NOT_FOUND, &json!({"error": "there is no such request under /_sim/"})),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Rule>),
    One(Box<Rule>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewState {
    instance: String,
    state: String,
    #[serde(default)]
    notify: bool,
}

fn channels(world: &World) -> serde_json::Value {
    let mut all = Vec::new();
    for n in &world.options.meta {
        all.push(
            json!({"provider": "meta", "channel": n.phone_number_id, "phone": n.display_phone, "account": n.waba_id}),
        );
    }
    for i in &world.options.green {
        all.push(json!({"provider": "green", "channel": i.instance, "phone": i.wid.split('@').next()}));
    }
    all.into()
}

fn read<T: serde::de::DeserializeOwned>(call: &Call<'_>) -> Result<T, String> {
    serde_json::from_slice(&call.body).map_err(|err| err.to_string())
}

fn refuse(why: &str) -> Reply {
    json_reply(StatusCode::BAD_REQUEST, &json!({"error": why}))
}
