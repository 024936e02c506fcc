//! `barid user`: people who sign in to the page (S6.1).

use std::io::{IsTerminal, Read};

use admin::api::password;
use clap::Subcommand;
use store::Store;
use store::accounts::Which;
use store::accounts::users::{Add, List, PasswordOf, SetPassword};
use store::desk::tenants::Tenants;
use store::desk::{Access, After, By, Role, User};
use types::{Secret, TenantId};

use super::output::or_dash;
use super::{Context, Failure, say};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a person. Their password is read from standard input.
    Add {
        /// Their address, with which they sign in.
        email: String,
        /// Their name [default: what stands before the @].
        #[arg(long)]
        name: Option<String>,
        /// What they may do: viewer, agent or admin.
        #[arg(long, default_value = "agent")]
        role: Role,
        /// A tenant that they see, by its slug; may be given again [default: every tenant].
        #[arg(long, value_name = "SLUG")]
        tenant: Vec<String>,
    },
    /// List people.
    List,
    /// Set a person's password, read from standard input; their sessions end.
    Passwd {
        /// Their address.
        email: String,
    },
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    let (_, store) = cx.store().await?;
    let result = match command {
        Command::Add { email, name, role, tenant } => add(cx, &store, email, name, role, &tenant).await,
        Command::List => list(cx, &store).await,
        Command::Passwd { email } => passwd(cx, &store, email).await,
    };
    store.close().await;
    result
}

/// The tenants of these slugs; none named: every tenant.
pub(super) async fn tenants(store: &Store, slugs: &[String]) -> Result<(bool, Vec<TenantId>), Failure> {
    let known = store.read(Tenants(Access::All)).await?;
    let id = |slug: &String| {
        let found = known.iter().find(|t| t.slug == *slug).map(|t| t.id);
        found.ok_or_else(|| {
            let all: Vec<_> = known.iter().map(|t| t.slug.as_str()).collect();
            Failure::Usage(format!("there is no tenant {slug:?}; there are: {}", all.join(", ")))
        })
    };
    Ok((slugs.is_empty(), slugs.iter().map(id).collect::<Result<_, _>>()?))
}

/// A password from standard input: never an argument, which every process of the machine could read.
fn read_password() -> Result<Secret, Failure> {
    if std::io::stdin().is_terminal() {
        say(&format!(
            "Password ({} characters or more; it shows as you type), then Enter and Ctrl-D:",
            password::SHORTEST
        ));
    }
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text).map_err(|e| Failure::Failed(e.into()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if !(password::SHORTEST..=password::LONGEST).contains(&text.chars().count()) {
        let (least, most) = (password::SHORTEST, password::LONGEST);
        return Err(Failure::Usage(format!("a password has {least} to {most} characters, given on standard input")));
    }
    Ok(Secret::new(text))
}

fn hash(password: &Secret) -> Result<String, Failure> {
    password::hash(password).map_err(|e| Failure::Failed(anyhow::anyhow!("the password cannot be hashed: {e}")))
}

async fn add(
    cx: &Context,
    store: &Store,
    email: String,
    name: Option<String>,
    role: Role,
    slugs: &[String],
) -> Result<(), Failure> {
    let (local, host) = email.split_once('@').unwrap_or_default();
    if local.is_empty() || host.is_empty() {
        return Err(Failure::Usage(format!("{email:?} is no address: name@example.com")));
    }
    let (all_tenants, tenants) = tenants(store, slugs).await?;
    let name = name.unwrap_or_else(|| local.to_owned());
    let password = hash(&read_password()?)?;
    let by = By::command();
    let add = Add { email, name, role, password, all_tenants, tenants, first: false, access: Access::All, by };
    let user = store.write(add).await?;
    if cx.out.json { cx.out.value(&user) } else { cx.out.line(&format!("added: {} ({})", user.email, role.as_str())) }
}

async fn list(cx: &Context, store: &Store) -> Result<(), Failure> {
    let rows = store.read(List(Which { after: After::NEWEST, limit: 1000, access: Access::All, caller: 0 })).await?;
    let users: Vec<User> = rows.into_iter().map(|(_, user)| user).collect();
    if cx.out.json {
        return cx.out.value(&users);
    }
    let row = |u: &User| {
        vec![
            u.id.to_string(),
            u.email.clone(),
            u.name.clone(),
            u.role.as_str().to_owned(),
            if u.all_tenants { "every".to_owned() } else { u.tenants.len().to_string() },
            or_dash(u.last_login_at.map(|at| cx.out.when(at.0)).as_deref()),
            if u.disabled_at.is_some() { "shut out" } else { "" }.to_owned(),
        ]
    };
    let titles = ["ID", "ADDRESS", "NAME", "ROLE", "TENANTS", "SIGNED IN", ""];
    cx.out.table(
        &titles,
        users.iter().map(row).collect(),
        "Nobody can sign in yet: add somebody with `barid user add`.",
    )
}

async fn passwd(cx: &Context, store: &Store, email: String) -> Result<(), Failure> {
    let Some((id, _)) = store.read(PasswordOf(email.clone())).await? else {
        return Err(Failure::Failed(anyhow::anyhow!("there is no user {email}: see `barid user list`")));
    };
    let password = hash(&read_password()?)?;
    store.write(SetPassword { id, password, access: Access::All, by: By::command() }).await?;
    cx.out.line(&format!("set: {email} signs in anew everywhere"))
}
