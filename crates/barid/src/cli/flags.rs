//! `barid flags`: switches of agents and experiments (S3.8). They live in the database: the next turn obeys, on every node, without a restart.

use admin::api::BudgetInfo;
use clap::Subcommand;
use engine::agent::Cap;
use store::Store;
use store::desk::agents::{Flags, SetFlag, Today};
use store::desk::tenants::Tenants;
use store::desk::{Access, AgentFlag, By, Tenant};

use super::output::or_dash;
use super::{Context, Failure, say};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the switches of every tenant.
    List,
    /// Turn one on or off.
    Set(Set),
}

/// Arguments of `flags set`.
#[derive(Debug, clap::Args)]
pub(super) struct Set {
    /// `agents` (all of them), `agent:NAME` or `experiment:NAME`.
    name: String,
    /// On or off.
    #[arg(value_parser = ["on", "off"])]
    state: String,
    /// For how many of a hundred conversations; those who are in stay in while it grows.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: u8,
    /// Only for this tenant; all tenants that have it where this is left out.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) async fn run(cx: &Context, command: Command) -> Result<(), Failure> {
    let (config, store) = cx.whole().await?;
    let result = match command {
        Command::List => list(cx, &config, &store).await,
        Command::Set(args) => set(cx, &config, &store, args).await,
    };
    store.close().await;
    result
}

/// The switches that a tenant has by its configuration.
fn names(config: &Config, slug: &str) -> Vec<String> {
    let Some(tenant) = config.tenants.iter().find(|t| t.slug == slug) else { return Vec::new() };
    let agents = crate::staff::shown_agents(config, tenant).into_iter().map(|a| format!("agent:{}", a.name));
    let experiments = tenant.staff.experiments.iter().map(|e| format!("experiment:{}", e.name));
    std::iter::once("agents".to_owned()).chain(agents).chain(experiments).collect()
}

async fn list(cx: &Context, config: &Config, store: &Store) -> Result<(), Failure> {
    let mut rows: Vec<(String, AgentFlag)> = Vec::new();
    for tenant in store.read(Tenants(Access::All)).await? {
        if let Some(told) = used_up(config, store, &tenant).await? {
            say(&told);
        }
        let set = store.read(Flags(tenant.id)).await?;
        for name in names(config, &tenant.slug) {
            rows.push((tenant.slug.clone(), AgentFlag::of(&set, &name)));
        }
    }
    if cx.out.json {
        let row = |(tenant, flag): &(String, AgentFlag)| serde_json::json!({ "tenant": tenant, "flag": flag });
        return cx.out.value(&rows.iter().map(row).collect::<Vec<_>>());
    }
    let row = |(tenant, f): &(String, AgentFlag)| {
        vec![
            tenant.clone(),
            f.name.clone(),
            if f.on { "on" } else { "off" }.to_owned(),
            format!("{} %", f.percent),
            or_dash(f.picked.as_deref()),
            f.set_at.map_or_else(|| "-".to_owned(), |at| cx.out.when(at.0)),
            or_dash(f.set_by.as_deref()),
            or_dash(f.reason.as_deref()),
        ]
    };
    let titles = ["TENANT", "SWITCH", "STATE", "ROLL-OUT", "WINNER", "SET", "BY", "WHY"];
    cx.out.table(&titles, rows.iter().map(row).collect(), "No switches: no tenant is configured.")
}

/// A line for a tenant whose agents have used up the day's budget, or contacts of whom have: there the flow answers, whatever the switches say.
async fn used_up(config: &Config, store: &Store, tenant: &Tenant) -> Result<Option<String>, Failure> {
    let Some(budget) = config.tenants.iter().find(|t| t.slug == tenant.slug).map(|t| t.staff.budget) else {
        return Ok(None);
    };
    let BudgetInfo { contact_tokens, contact_cost, .. } = crate::staff::budget(budget);
    let (spent, at_cap) = store.read(Today { tenant: tenant.id, contact_tokens, contact_cost }).await?;
    if budget.tenant.reached(Cap { tokens: spent.tokens, cost: spent.cost }) {
        let told =
            format!("{}: today's budget of agents is used up ({} tokens): the flow answers", tenant.slug, spent.tokens);
        return Ok(Some(told));
    }
    Ok((at_cap > 0).then(|| {
        format!("{}: {at_cap} contacts have used up their budget of the day: the flow answers them", tenant.slug)
    }))
}

async fn set(cx: &Context, config: &Config, store: &Store, args: Set) -> Result<(), Failure> {
    let all = store.read(Tenants(Access::All)).await?;
    let meant = |t: &&Tenant| args.tenant.as_ref().is_none_or(|slug| *slug == t.slug);
    let with: Vec<&Tenant> = all.iter().filter(meant).filter(|t| names(config, &t.slug).contains(&args.name)).collect();
    if with.is_empty() {
        let of = args.tenant.as_ref().map_or_else(|| "any tenant".to_owned(), |slug| format!("tenant {slug:?}"));
        return Err(Failure::Usage(format!("there is no switch {:?} of {of}: see barid flags list", args.name)));
    }
    let mut done = Vec::with_capacity(with.len());
    for tenant in with {
        let op = SetFlag {
            tenant: tenant.id,
            name: args.name.clone(),
            on: args.state == "on",
            percent: args.percent,
            reason: args.reason.clone(),
            access: Access::All,
            by: By::command(),
        };
        done.push((tenant.slug.clone(), store.write(op).await?));
    }
    if cx.out.json {
        let row = |(tenant, flag): &(String, AgentFlag)| serde_json::json!({ "tenant": tenant, "flag": flag });
        return cx.out.value(&done.iter().map(row).collect::<Vec<_>>());
    }
    for (tenant, flag) in &done {
        let state = if flag.on { format!("on for {} % of conversations", flag.percent) } else { "off".to_owned() };
        cx.out.line(&format!("{tenant}: {} is {state}", flag.name))?;
    }
    say("The next message obeys; nothing needs a restart.");
    Ok(())
}
