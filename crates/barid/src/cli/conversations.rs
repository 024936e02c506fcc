//! `barid conversations`: the newest of them, or one with its messages.

use clap::Subcommand;
use serde_json::json;
use store::Store;
use store::views::{ConversationRow, Conversations, MessageRow, Thread};
use types::{ConversationId, MessageId};

use super::output::{json as as_json, or_dash};
use super::{Context, Failure, Paging, say};

/// Arguments of `conversations`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List conversations, newest first (also without this word).
    List(Paging),
    /// Show one conversation with its messages.
    Show {
        /// The conversation.
        id: ConversationId,
        /// At most so many messages, the oldest first.
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Only messages after the one with this id: the next page.
        #[arg(long, value_name = "ID")]
        after: Option<MessageId>,
    },
}

pub(super) async fn run(cx: &Context, args: Args) -> Result<(), Failure> {
    let (_, store) = cx.store().await?;
    let result = match args.command.unwrap_or(Command::List(args.paging)) {
        Command::List(paging) => list(cx, &store, &paging).await,
        Command::Show { id, limit, after } => show(cx, &store, Thread { conversation: id, after, limit }).await,
    };
    store.close().await;
    result
}

async fn list(cx: &Context, store: &Store, paging: &Paging) -> Result<(), Failure> {
    let op = Conversations { before: paging.before.map(ConversationId), limit: paging.limit };
    let rows = store.read(op).await?;
    if cx.out.json {
        return cx.out.value(&rows);
    }
    let titles = ["ID", "LAST", "WHO", "PHONE", "STATE", "WANTS", "LAST MESSAGE"];
    let row = |r: &ConversationRow| {
        vec![
            r.id.to_string(),
            cx.out.when(r.last_message_at),
            or_dash(r.lead_name.as_deref().or(r.contact_name.as_deref())),
            or_dash(r.phone.as_deref()),
            r.state.to_string(),
            or_dash(r.service.as_deref()),
            or_dash(r.last_message.as_deref()),
        ]
    };
    cx.out.table(&titles, rows.iter().map(row).collect(), "No conversations yet.")?;
    paging.more(rows.len(), rows.last().map(|r| r.id));
    Ok(())
}

async fn show(cx: &Context, store: &Store, thread: Thread) -> Result<(), Failure> {
    let id = thread.conversation;
    let one = Conversations { before: Some(ConversationId(id.0.saturating_add(1))), limit: 1 };
    let found = store.read(one).await?.into_iter().find(|r| r.id == id);
    let Some(row) = found else { return Err(Failure::Failed(anyhow::anyhow!("there is no conversation {id}"))) };
    let messages = store.read(thread).await?;
    if cx.out.json {
        return cx.out.value(&json!({"conversation": as_json(&row)?, "messages": as_json(&messages)?}));
    }
    cx.out.pairs(&[
        ("conversation", Some(id.to_string())),
        ("tenant", Some(row.tenant)),
        ("contact", row.contact_name),
        ("phone", row.phone),
        ("state", Some(row.state.to_string())),
        ("wants", row.service),
        ("name", row.lead_name),
        ("nationality", row.nationality),
        ("began", Some(cx.out.when(row.created_at))),
    ])?;
    cx.out.line("")?;
    for message in &messages {
        cx.out.line(&line(cx, message))?;
    }
    if messages.len() >= thread.limit as usize
        && let Some(last) = messages.last()
    {
        say(&format!("(there may be more: --after {})", last.id));
    }
    Ok(())
}

/// A message as one line, or more when its text has more.
fn line(cx: &Context, m: &MessageRow) -> String {
    let who = match m.sender.as_str() {
        "USER" => "lead",
        "AI" => "assistant",
        "HUMAN" => "person",
        _ => "system",
    };
    let body = if m.body.is_empty() { format!("[{}]", m.kind) } else { m.body.replace('\n', &format!("\n{:30}", "")) };
    let fate = if m.direction == "in" { String::new() } else { format!("  {}", fate(m)) };
    format!("{:16}  {who:10}  {body}{fate}", cx.out.when(m.created_at))
}

/// What became of an outgoing message, as ticks where WhatsApp has them.
fn fate(m: &MessageRow) -> String {
    let ticks = match m.status.as_str() {
        "sent" => "✓".to_owned(),
        "delivered" => "✓✓".to_owned(),
        "read" | "played" => format!("✓✓ {}", m.status),
        other => m.error.as_ref().map_or_else(|| format!("({other})"), |why| format!("({other}: {why})")),
    };
    if m.possible_duplicate { format!("{ticks} (sent again; may have come twice)") } else { ticks }
}
