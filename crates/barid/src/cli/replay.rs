//! `barid replay`: stored raw webhooks through today's parser and engine, beside what was answered then. Nothing is sent, and nothing is changed.

use engine::{Engine, Memory};
use serde_json::{Value, json};
use store::Store;
use store::replay::{Hear, Heard};
use store::views::Conversations;
use types::ConversationId;
use types::inbound::{Content, Event};

use super::output::count;
use super::{Context, Failure, say};
use crate::wire;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which conversations [default: the newest].
    ids: Vec<ConversationId>,
    /// Without ids: so many of the newest.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "ids")]
    limit: u32,
    /// Only messages that would be answered otherwise today.
    #[arg(long)]
    changed: bool,
}

/// One message, then and now.
struct Line {
    heard: Heard,
    text: String,
    now: Option<String>,
}

impl Line {
    fn same(&self) -> bool {
        self.heard.answer == self.now
    }
}

pub(super) async fn run(cx: &Context, args: Args) -> Result<(), Failure> {
    let (mut config, store) = cx.whole().await?;
    // Models would be asked anew, and paid for: what is replayed is the flow.
    config.enhanced = false;
    let synced = wire::sync(&config, &store).await?;
    let mind = wire::mind(&config, &synced, store.clock(), &wire::breakers(&config, store.clock()))?;
    let result = all(cx, &store, &mind.engine, args).await;
    store.close().await;
    result
}

async fn all(cx: &Context, store: &Store, engine: &Engine, args: Args) -> Result<(), Failure> {
    let ids = if args.ids.is_empty() {
        let newest = store.read(Conversations { before: None, limit: args.limit }).await?;
        newest.into_iter().map(|c| c.id).collect()
    } else {
        args.ids
    };
    let (mut messages, mut differ, mut rows) = (0, 0, Vec::new());
    for id in &ids {
        let lines = replay(store, engine, *id).await?;
        messages += lines.len();
        differ += lines.iter().filter(|l| !l.same()).count();
        let shown: Vec<&Line> = lines.iter().filter(|l| !args.changed || !l.same()).collect();
        if cx.out.json {
            rows.extend(shown.iter().map(|l| row(*id, l)));
        } else if !shown.is_empty() {
            cx.out.line(&format!("conversation {id}"))?;
            for line in shown {
                cx.out.line(&words(line))?;
            }
        }
    }
    if cx.out.json {
        cx.out.value(&rows)?;
    }
    say(&format!("{} of {} would be answered otherwise today; nothing was sent", differ, count(messages, "message")));
    Ok(())
}

fn row(id: ConversationId, line: &Line) -> Value {
    json!({
        "conversation_id": id, "message_id": line.heard.id, "at": line.heard.at.to_string(), "text": line.text,
        "then": line.heard.answer, "now": line.now, "same": line.same(),
    })
}

fn words(line: &Line) -> String {
    let said = |text: Option<&String>| text.map_or("(nothing)".to_owned(), |t| t.replace('\n', " ↵ "));
    let first = format!("  they  {}\n  then  {}", line.text.replace('\n', " ↵ "), said(line.heard.answer.as_ref()));
    if line.same() { first } else { format!("{first}\n  now   {}", said(line.now.as_ref())) }
}

/// Rows in one look.
const PAGE: u32 = 200;

async fn replay(store: &Store, engine: &Engine, conversation: ConversationId) -> Result<Vec<Line>, Failure> {
    let (mut memory, mut lines, mut after) = (Memory::default(), Vec::new(), None);
    loop {
        let page = store.read(Hear { conversation, after, limit: PAGE }).await?;
        let Some(last) = page.last() else { return Ok(lines) };
        after = Some(last.id);
        for heard in page {
            let Some(content) = heard.raw.as_deref().and_then(|raw| content(&heard.kind, raw)) else {
                say(&format!("{}: its webhook was not kept, or is no message today", heard.id));
                continue;
            };
            let text = content.text().to_owned();
            let turn = engine::Turn {
                tenant: heard.tenant,
                now: heard.at,
                message: content,
                memory: std::mem::take(&mut memory),
                profile_name: heard.profile_name.clone(),
                aids: engine::agent::Aids::default(),
            };
            let decision = engine.decide(&turn).await;
            memory = decision.memory;
            lines.push(Line { heard, text, now: decision.reply.map(|r| r.text) });
        }
    }
}

/// What today's parser makes of a stored element.
fn content(kind: &str, raw: &str) -> Option<Content> {
    let parsed = if kind == "meta" {
        let body = format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"0","changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"0"}},"messages":[{raw}]}}}}]}}]}}"#
        );
        ::channels::meta::parse(body.as_bytes())
    } else {
        ::channels::green::parse(raw.as_bytes())
    };
    parsed.ok()?.items.into_iter().find_map(|item| match item.event {
        Event::Message(inbound) => Some(inbound.content),
        _ => None,
    })
}
