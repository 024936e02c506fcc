//! `barid export`: every conversation, page by page, so that any number of them passes through little memory (S6.8).

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use store::Store;
use store::export::{Count, Exported, Page};
use types::Timestamp;

use super::output::json;
use super::{Context, Failure, say};

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// jsonl: a conversation a line, with its messages; csv: a message a line, for a spreadsheet.
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// The file to write [default: stdout].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// Conversations read at a time.
const PAGE: u32 = 100;

pub(super) async fn run(cx: &Context, args: Args) -> Result<(), Failure> {
    let (_, store) = cx.store().await?;
    let result = match &args.output {
        None => write_all(&store, args.format, std::io::stdout()).await.map(|_| ()),
        Some(path) => to_file(&store, args.format, path).await,
    };
    store.close().await;
    result
}

/// Writes beside the file and renames at the end: a broken export never looks like a whole one.
async fn to_file(store: &Store, format: Format, path: &Path) -> Result<(), Failure> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = std::fs::File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
    let kept = file.try_clone().context("cannot write the file")?;
    let count = write_all(store, format, file).await?;
    kept.sync_all()
        .and_then(|()| std::fs::rename(&part, path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    say(&format!(
        "{} in {}",
        super::output::count(usize::try_from(count).unwrap_or(usize::MAX), "conversation"),
        path.display()
    ));
    Ok(())
}

async fn write_all(store: &Store, format: Format, to: impl Write) -> Result<u64, Failure> {
    let total = u64::try_from(store.read(Count).await?).unwrap_or(0);
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} conversations, {eta} left") {
        bar.set_style(style);
    }
    let mut to = BufWriter::new(to);
    if format == Format::Csv {
        // The mark tells spreadsheets that the file is UTF-8; without it, they show Arabic as rubbish.
        wrote(to.write_all(format!("\u{feff}{}\r\n", COLUMNS.join(",")).as_bytes()))?;
    }
    let (mut before, mut count) = (None, 0);
    loop {
        let page = store.read(Page { before, limit: PAGE }).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.conversation.id);
        for one in &page {
            match format {
                Format::Jsonl => wrote(writeln!(to, "{}", json(one)?))?,
                Format::Csv => wrote(to.write_all(csv(one).as_bytes()))?,
            }
            count += 1;
        }
        bar.set_position(count);
    }
    wrote(to.flush())?;
    bar.finish_and_clear();
    Ok(count)
}

fn wrote(result: std::io::Result<()>) -> Result<(), Failure> {
    result.map_err(|e| match e.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Failed(anyhow::anyhow!("cannot write: {e}")),
    })
}

const COLUMNS: [&str; 17] = [
    "conversation_id",
    "tenant",
    "contact_name",
    "phone",
    "state",
    "service",
    "lead_name",
    "nationality",
    "message_id",
    "created_at",
    "direction",
    "sender",
    "kind",
    "body",
    "status",
    "error",
    "provider_id",
];

fn csv(one: &Exported) -> String {
    let (c, mut out) = (&one.conversation, String::new());
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    for m in &one.messages {
        let cells: [String; COLUMNS.len()] = [
            c.id.to_string(),
            c.tenant.clone(),
            text(&c.contact_name),
            text(&c.phone),
            c.state.to_string(),
            text(&c.service),
            text(&c.lead_name),
            text(&c.nationality),
            m.id.to_string(),
            Timestamp::to_string(&m.created_at),
            m.direction.clone(),
            m.sender.clone(),
            m.kind.clone(),
            m.body.clone(),
            m.status.clone(),
            text(&m.error),
            text(&m.provider_id),
        ];
        out.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        out.push_str("\r\n");
    }
    out
}

/// A cell as RFC 4180 has it. What a spreadsheet would run as a formula gets an apostrophe first: customers write these cells.
fn quoted(cell: &str) -> String {
    let formula = cell.trim_start_matches([' ', '\u{a0}']).starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (cell, want) in [
            ("hello", "hello"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+971500000001", "'+971500000001"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            (" =1", "' =1"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("1-2", "1-2"),
        ] {
            assert_eq!(quoted(cell), want, "{cell}");
        }
    }
}
