//! `barid send`: a message of a person or a script, by the same outbox as every reply (S4.9), beside a running server.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use store::outbox::SendMessage;
use store::views::{MessageRow, OpenConversation, Thread};
use store::{Door, Store};
use types::clock::{Stopwatch, random_token};
use types::outbound::OutboundContent;
use types::states::MessageStatus;
use types::text::{phone_digits, without_nul};
use types::{ConversationId, MessageId, RequestId};

use super::{Context, Failure, beside, say};
use crate::config::Config;
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
    let (config, store) = cx.store().await?;
    let result = queue(cx, &config, &store, &args).await;
    store.close().await;
    result
}

async fn queue(cx: &Context, config: &Config, store: &Store, args: &Args) -> Result<(), Failure> {
    let conversation = match (args.conversation, &args.to) {
        (Some(id), _) => id,
        (None, Some(phone)) => {
            let door = door(config, store, args.from.as_deref()).await?;
            store.write(OpenConversation { door, phone: phone.clone() }).await?
        }
        (None, None) => return Err(Failure::Usage("say whom: --to PHONE or --conversation ID".to_owned())),
    };
    let pause = if args.no_pause { None } else { Some(wire::pauses(config, &wire::sync(config, store).await?)) };
    let op = SendMessage {
        conversation,
        content: OutboundContent::Text { body: without_nul(&args.text).into_owned() },
        idempotency_key: args.idempotency_key.clone().unwrap_or_else(random_token),
        request_id: RequestId(random_token()),
        pause,
        actor: "cli".to_owned(),
    };
    let message = store.write(op).await?;
    let running = beside::server_runs(config);
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

/// The channel to begin a conversation on.
async fn door(config: &Config, store: &Store, from: Option<&str>) -> anyhow::Result<Door> {
    let synced = wire::sync(config, store).await?;
    let numbers: Vec<&str> = config.tenants.iter().flat_map(|t| &t.channels).map(|c| c.provider_id()).collect();
    let doors = wire::doors(config, &synced);
    let Some(from) = from else { return doors.into_iter().next().context("no channel is configured") };
    let at = numbers.iter().position(|n| *n == from);
    match at.and_then(|at| doors.into_iter().nth(at)) {
        Some(door) => Ok(door),
        None => bail!("there is no number {from}; configured are {}", numbers.join(", ")),
    }
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
