//! `barid erase`: removes one person everywhere, and says what was removed (S6.8).

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use store::Store;
use store::desk::tenants::Tenants;
use store::desk::{Access, By};
use store::erase::{self, Erased, Find, Subject, Whom};
use types::ContactId;

use super::output::count;
use super::{Context, Failure, say};

/// Arguments of `erase`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).args(["who", "contact"])))]
pub(super) struct Args {
    /// Their number, or their id at the provider.
    #[arg(value_name = "NUMBER")]
    who: Option<String>,
    /// The contact's row: for one who has no number, or whose erasure was cut off.
    #[arg(long, value_name = "ID")]
    contact: Option<ContactId>,
    /// Only at this tenant [default: wherever they are known].
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// What became of one.
#[derive(serde::Serialize)]
struct Done {
    #[serde(flatten)]
    person: Subject,
    #[serde(flatten)]
    erased: Erased,
}

pub(super) async fn run(cx: &Context, args: Args) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("erase needs --yes where there is no terminal to ask at".to_owned()));
    }
    let (config, store) = cx.whole().await?;
    let result = all(cx, &config, &store, &args).await;
    store.close().await;
    result
}

async fn all(cx: &Context, config: &crate::config::Config, store: &Store, args: &Args) -> Result<(), Failure> {
    let people = find(store, args).await?;
    if people.is_empty() {
        return Err(Failure::Failed(anyhow::anyhow!("nobody is known by that; look with `barid conversations`")));
    }
    for person in &people {
        say(&shown(person));
    }
    super::confirm("Remove everything of them, for good?", args.yes)?;
    let spool = crate::waiting::spool(config, store.clock()).await.map_err(Failure::Failed)?;
    for person in people {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} messages") {
            bar.set_style(style);
        }
        let progress = |gone: usize, of: usize| {
            bar.set_length(of as u64);
            bar.set_position(gone as u64);
        };
        let who = (&Access::All, &By::command());
        let erased = erase::run(store, spool.as_deref(), person.contact_id, who, progress).await?;
        bar.finish_and_clear();
        tell(cx, Done { person, erased })?;
    }
    Ok(())
}

async fn find(store: &Store, args: &Args) -> Result<Vec<Subject>, Failure> {
    let access = Access::All;
    let tenants = store.read(Tenants(access.clone())).await?;
    let tenants: Vec<_> =
        tenants.into_iter().filter(|t| args.tenant.as_ref().is_none_or(|slug| t.slug == *slug)).collect();
    if let (Some(slug), true) = (&args.tenant, tenants.is_empty()) {
        return Err(Failure::Usage(format!("there is no tenant {slug}")));
    }
    if let Some(contact) = args.contact {
        let mut found = store.read(Find { whom: Whom::Contact(contact), access }).await?;
        found.retain(|person| tenants.iter().any(|t| t.id == person.tenant));
        return Ok(found);
    }
    let given = args.who.as_deref().unwrap_or_default().trim();
    // As people write a number: with a plus, spaces and dashes.
    let digits: String = given.chars().filter(char::is_ascii_digit).collect();
    let number = given.chars().all(|c| c.is_ascii_digit() || " +-()".contains(c));
    let name = if number { digits } else { given.to_owned() };
    let mut people = Vec::new();
    for tenant in tenants {
        let find = Find { whom: Whom::Known(tenant.id, name.clone()), access: access.clone() };
        people.extend(store.read(find).await?);
    }
    Ok(people)
}

fn shown(person: &Subject) -> String {
    let messages = usize::try_from(person.messages).unwrap_or(usize::MAX);
    format!(
        "{}, known by {}: {}, {}, {} (contact {})",
        person.name.as_deref().unwrap_or("no name"),
        person.known_by.join(", "),
        count(messages, "message"),
        count(person.conversations.len(), "conversation"),
        count(person.leads.len(), "lead"),
        person.contact_id
    )
}

fn tell(cx: &Context, done: Done) -> Result<(), Failure> {
    if cx.out.json {
        return cx.out.value(&done);
    }
    let rows = done.erased.removed.iter().map(|(relation, rows)| vec![relation.clone(), rows.to_string()]);
    cx.out.table(&["removed from", "rows"], rows.collect(), "Nothing was left of them.")?;
    say(&format!(
        "{} of the record keep the fact and nothing more.",
        count(usize::try_from(done.erased.redacted).unwrap_or(0), "line")
    ));
    if !done.erased.log_emptied {
        say("The database's log is being read just now; what was removed is overwritten in it with the next writes.");
    }
    Ok(())
}
