//! `barid send`: a message of a person or a script, by the same outbox as every reply (S4.9), beside a running server.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use store::channels::Synced;
use store::compose::{Compose, Composed, Whom};
use store::views::{MessageRow, Thread};
use store::{Door, Store, StoreError};
use types::clock::{Stopwatch, random_token};
use types::outbound::OutboundContent;
use types::states::MessageStatus;
use types::text::{phone_digits, without_nul};
use types::{ChannelId, ConversationId, MessageId, RequestId};

use super::{Context, Failure, beside, say};
use crate::config::{Channel, Config, Tenant};
use crate::wire;

/// Arguments of `send`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).args(["to", "conversation"]))]
pub(super) struct Args {
    /// To this phone number, with country code.
    #[arg(long, value_name = "PHONE", value_parser = phone)]
    to: Option<String>,
    /// To this conversation.
    #[arg(long, value_name = "ID")]
    conversation: Option<ConversationId>,
    /// What to say.
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    text: String,
    /// The number to send from: phone_number_id or instance [default: the first].
    #[arg(long, value_name = "NUMBER", conflicts_with = "conversation")]
    from: Option<String>,
    /// The same key queues the message once, however often it is asked for.
    #[arg(long, value_name = "KEY", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    idempotency_key: Option<String>,
    /// Do not pause the assistant: the message does not mean that a person took over.
    #[arg(long)]
    no_pause: bool,
    /// Wait until the message is sent or has failed.
    #[arg(long)]
    wait: bool,
    /// With --wait: no longer than so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "wait")]
    timeout: u64,
}

fn phone(text: &str) -> Result<String, String> {
    phone_digits(text).ok_or_else(|| "write the digits with the country code, as +971 50 000 0001".to_owned())
}

pub(super) async fn run(cx: &Context, args: Args) -> Result<(), Failure> {
    let (config, store) = cx.whole().await?;
    let result = queue(cx, &config, &store, &args).await;
    store.close().await;
    result
}

async fn queue(cx: &Context, config: &Config, store: &Store, args: &Args) -> Result<(), Failure> {
    let synced = wire::sync(config, store).await?;
    let to = match (args.conversation, &args.to) {
        (Some(id), _) => Whom::Conversation(id),
        (None, Some(phone)) => {
            let (door, region) = door(config, &synced, args.from.as_deref())?;
            Whom::Phone(door, number(phone, &region)?)
        }
        (None, None) => return Err(Failure::Usage("say whom: --to PHONE or --conversation ID".to_owned())),
    };
    let pause = (!args.no_pause).then(|| wire::pauses(config, &synced));
    let op = Compose {
        to,
        text: without_nul(&args.text).into_owned(),
        templates: templates(config, &synced),
        idempotency_key: args.idempotency_key.clone().unwrap_or_else(random_token),
        request_id: RequestId(random_token()),
        pause,
        actor: "cli".to_owned(),
    };
    let Composed { conversation, message, template } = store.write(op).await.map_err(|error| match error {
        StoreError::WindowClosed => anyhow::anyhow!(
            "nothing was sent: they have not written within 24 hours, and WhatsApp then takes approved templates only. Name one as `template` at this number's [[tenants.channels]], or wait until they write"
        ),
        other => other.into(),
    })?;
    if template {
        say("They have not written within 24 hours: the number's template goes instead of your text.");
    }
    let running = beside::server_runs(&config.store);
    if !running {
        say("No server is running: the message is saved and goes out when one starts.");
    }
    let row = if args.wait {
        wait(store, conversation, message, Duration::from_secs(args.timeout)).await?
    } else {
        look(store, conversation, message).await?
    };
    if cx.out.json {
        let row =
            json!({"conversation_id": conversation, "message_id": message, "status": row.status, "error": row.error});
        cx.out.value(&row)?;
    } else {
        let error = row.error.as_deref().map(|e| format!(": {e}")).unwrap_or_default();
        cx.out.line(&format!("message {message} in conversation {conversation}: {}{error}", row.status))?;
    }
    let open = row.status.parse().is_ok_and(MessageStatus::unsettled);
    match row.status.as_str() {
        "failed" | "held" if args.wait => Err(Failure::Told),
        _ if args.wait && open => Err(Failure::Failed(anyhow::anyhow!(
            "its fate is still open after {} s; it is saved, and the server goes on with it",
            args.timeout
        ))),
        _ => Ok(()),
    }
}

/// The channel to begin a conversation on, and the country of numbers without a code there.
fn door(config: &Config, synced: &[Synced], from: Option<&str>) -> anyhow::Result<(Door, String)> {
    let of = |t: &Tenant| t.region.clone().unwrap_or_else(|| "AE".to_owned());
    let known: Vec<(&str, String)> =
        config.tenants.iter().flat_map(|t| t.channels.iter().map(move |c| (c.provider_id(), of(t)))).collect();
    let mut doors = wire::doors(config, synced).into_iter().zip(known.iter().map(|(_, region)| region.clone()));
    let Some(from) = from else { return doors.next().context("no channel is configured") };
    match known.iter().position(|(number, _)| *number == from).and_then(|at| doors.nth(at)) {
        Some(found) => Ok(found),
        None => bail!(
            "there is no number {from}; configured are {}",
            known.iter().map(|k| k.0).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// What each number sends where no free text may go (S4.7).
fn templates(config: &Config, synced: &[Synced]) -> Vec<(ChannelId, OutboundContent)> {
    let channels = config.tenants.iter().flat_map(|t| &t.channels);
    let of = |(channel, door): (&Channel, Door)| {
        let Channel::Meta(meta) = channel else { return None };
        let template = meta.template.clone()?;
        let (name, language) = (template.name, template.language);
        Some((door.channel, OutboundContent::Template { name, language, parameters: Vec::new() }))
    };
    channels.zip(wire::doors(config, synced)).filter_map(of).collect()
}

/// The number that was typed, with its country code; refused when no telephone can have it.
fn number(typed: &str, region: &str) -> Result<String, Failure> {
    engine::understand::dialled(typed, region).ok_or_else(|| {
        Failure::Usage(format!(
            "{typed} is no telephone number, neither in {region} nor with a country code: write it as +971 50 123 4567. To somebody who wrote before: --conversation ID"
        ))
    })
}

async fn look(store: &Store, conversation: ConversationId, message: MessageId) -> anyhow::Result<MessageRow> {
    let after = Some(MessageId(message.0 - 1));
    let found = store.read(Thread { conversation, after, limit: 1 }).await?;
    found.into_iter().find(|m| m.id == message).context("the message is gone")
}

async fn wait(
    store: &Store,
    conversation: ConversationId,
    message: MessageId,
    patience: Duration,
) -> anyhow::Result<MessageRow> {
    let since = Stopwatch::start();
    loop {
        let row = look(store, conversation, message).await?;
        let open = row.status.parse().is_ok_and(MessageStatus::unsettled);
        if !open || since.elapsed() >= patience {
            return Ok(row);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
