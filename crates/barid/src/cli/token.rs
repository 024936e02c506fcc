//! `barid token`: programs' keys to the API (S6.2).

use admin::api::new_token;
use clap::Subcommand;
use serde_json::json;
use store::Store;
use store::accounts::Which;
use store::accounts::tokens::{Add, List, Revoke};
use store::desk::{Access, After, By, Scope, Token};
use types::{Moment, TokenId};

use super::output::or_dash;
use super::user::tenants;
use super::{Context, Failure, say};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token; its secret is printed once.
    Create {
        /// What it is for.
        name: String,
        /// What it may do; may be given again: read, conversations:write, sends:write, leads:write, notifications:write,
        /// dead-letters:write, settings:write, simulator:write.
        #[arg(long, required = true)]
        scope: Vec<Scope>,
        /// A tenant that it sees, by its slug; may be given again [default: every tenant].
        #[arg(long, value_name = "SLUG")]
        tenant: Vec<String>,
        /// When it ends, as 2027-01-31T00:00:00Z [default: never].
        #[arg(long, value_name = "MOMENT", value_parser = moment)]
        expires: Option<Moment>,
    },
    /// List tokens.
    List,
    /// End a token at once.
    Revoke {
        /// Which.
        id: TokenId,
    },
}

fn moment(text: &str) -> Result<Moment, String> {
    serde_json::from_value(json!(text)).map_err(|e| format!("{e}; write it as 2027-01-31T00:00:00Z"))
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    let (_, store) = cx.store().await?;
    let result = match command {
        Command::Create { name, scope, tenant, expires } => create(cx, &store, name, scope, &tenant, expires).await,
        Command::List => list(cx, &store).await,
        Command::Revoke { id } => revoke(cx, &store, id).await,
    };
    store.close().await;
    result
}

async fn create(
    cx: &Context,
    store: &Store,
    name: String,
    mut scopes: Vec<Scope>,
    slugs: &[String],
    expires: Option<Moment>,
) -> Result<(), Failure> {
    scopes.sort_unstable();
    scopes.dedup();
    let (all_tenants, tenants) = tenants(store, slugs).await?;
    let (secret, digest, prefix) = new_token();
    let expires_at = expires.map(|at| at.0);
    let (access, by) = (Access::All, By::command());
    let token = store.write(Add { digest, prefix, name, scopes, all_tenants, tenants, expires_at, access, by }).await?;
    if cx.out.json {
        return cx.out.value(&json!({ "token": token, "secret": secret }));
    }
    say("Keep it now: it is not shown again.");
    cx.out.line(&secret)
}

async fn list(cx: &Context, store: &Store) -> Result<(), Failure> {
    let rows = store.read(List(Which { after: After::NEWEST, limit: 1000, access: Access::All, caller: 0 })).await?;
    let tokens: Vec<Token> = rows.into_iter().map(|(_, token)| token).collect();
    if cx.out.json {
        return cx.out.value(&tokens);
    }
    let row = |t: &Token| {
        let scopes: Vec<_> = t.scopes.iter().map(|s| s.as_str()).collect();
        vec![
            t.id.to_string(),
            t.name.clone(),
            format!("{}…", t.prefix),
            scopes.join(" "),
            if t.all_tenants { "every".to_owned() } else { t.tenants.len().to_string() },
            or_dash(t.last_used_at.map(|at| cx.out.when(at.0)).as_deref()),
            or_dash(t.expires_at.map(|at| cx.out.when(at.0)).as_deref()),
            if t.revoked_at.is_some() { "revoked" } else { "" }.to_owned(),
        ]
    };
    let titles = ["ID", "NAME", "BEGINS", "SCOPES", "TENANTS", "USED", "ENDS", ""];
    cx.out.table(&titles, tokens.iter().map(row).collect(), "No tokens.")
}

async fn revoke(cx: &Context, store: &Store, id: TokenId) -> Result<(), Failure> {
    let token = store.write(Revoke { id, access: Access::All, by: By::command() }).await?;
    if cx.out.json { cx.out.value(&token) } else { cx.out.line(&format!("revoked: {}", token.name)) }
}
