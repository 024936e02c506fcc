//! `cargo run --release -p barid-bench -- all`: what Barid costs and how fast it is, on one machine, in one run, beside a bare server that
//! stores nothing. docs/performance.md says what each figure means and how it is taken.
//!
//! - [`acks`], [`e2e`], [`latency`], [`idle`], [`growth`], [`claims`]: one measurement each
//! - [`bare`]: the server that only verifies, parses and answers
//! - [`webhooks`]: webhook requests, written before the clock starts; [`load`]: sends them over kept connections
//! - [`engine`]: the real binary as a child process, on a database of its own; [`world`]: the simulated Meta
//! - [`machine`]: what this machine is and how fast its disk syncs; [`report`]: the table

mod acks;
mod bare;
mod claims;
mod e2e;
mod engine;
mod growth;
mod idle;
mod latency;
mod load;
mod machine;
mod report;
mod webhooks;
mod world;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Everything, one after the other.
    All,
    /// Durable acknowledgements per second, as a ratio to the bare server.
    Acks,
    /// Messages per second from webhook to recorded send.
    E2e,
    /// From the webhook's first byte to the provider, at 500 messages per second.
    Latency,
    /// Memory of a server that has nothing to do.
    Idle,
    /// Cost per message with 10 thousand and with a million stored messages.
    Growth,
    /// Cost of a claim with 10 thousand and a million waiting, and behind 100 thousand dead rows.
    Claims,
    /// The bare server, until killed: the other measurements start it.
    #[value(hide = true)]
    Bare,
}

/// Which databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Databases {
    /// The embedded one.
    Sqlite,
    /// A private PostgreSQL on the same machine, durable, with its processes on the same cores.
    Postgres,
    /// One after the other.
    Both,
}

/// Measures Barid.
#[derive(Debug, Parser)]
#[command(name = "barid-bench")]
struct Args {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// How long each round or load lasts, roughly.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Connections that send webhooks.
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Rounds of each ratio; their median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Messages per second of the latency measurement.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// Stored messages of the growth measurement's second half, and waiting ones of the claims'.
    #[arg(long, default_value_t = 1_000_000)]
    stored: u64,
    /// On which database acknowledgements, messages to the end and claims are measured. The other measurements are of SQLite.
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Databases,
    /// Use this PostgreSQL, as a user who may make databases, instead of a private one.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Use this barid instead of building one.
    #[arg(long, value_name = "FILE")]
    barid: Option<std::path::PathBuf>,
    /// Keep databases and logs here (default: a directory under target/, removed at the end).
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(report) => {
            report.print(args.json);
            if report.all_met() { ExitCode::SUCCESS } else { ExitCode::from(3) }
        }
        Err(error) => {
            report::say(&format!("barid-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate())?;
        // An interrupted run ends its children and removes its databases, as a finished one does.
        tokio::select! {
            report = measure(args) => report,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
            _ = term.recv() => anyhow::bail!("interrupted"),
        }
    })
}

async fn measure(args: &Args) -> anyhow::Result<Report> {
    if args.what == What::Bare {
        bare::serve().await?;
        return Ok(Report::default());
    }
    let bench = Bench::prepare(args)?;
    let mut report = Report { machine: machine::facts(bench.dir.path())?, ..Report::default() };
    let wanted = |what: What| args.what == What::All || args.what == what;
    if wanted(What::Idle) {
        idle::measure(&bench, &mut report).await?;
    }
    if wanted(What::Acks) {
        acks::measure(&bench, &mut report).await?;
    }
    if wanted(What::E2e) {
        e2e::measure(&bench, &mut report).await?;
    }
    if wanted(What::Latency) {
        latency::measure(&bench, &mut report).await?;
    }
    if wanted(What::Growth) {
        growth::measure(&bench, &mut report).await?;
    }
    if wanted(What::Claims) {
        claims::measure(&bench, &mut report).await?;
    }
    Ok(report)
}

/// What every measurement is given.
pub(crate) struct Bench {
    pub barid: std::path::PathBuf,
    pub dir: engine::Place,
    pub seconds: u32,
    pub connections: usize,
    pub rounds: usize,
    pub rate: u32,
    pub stored: u64,
    pub sqlite: bool,
    /// The PostgreSQL, if one is measured.
    pub postgres: Option<Server>,
}

/// A PostgreSQL to measure.
pub(crate) enum Server {
    /// Made for this run, on a real disk, and removed at its end.
    Private(testkit::postgres::Cluster),
    /// Somebody's, at this address without a database.
    Given(String),
}

impl Server {
    fn url(&self) -> String {
        match self {
            Self::Private(cluster) => cluster.url(),
            Self::Given(url) => url.trim_end_matches('/').to_owned(),
        }
    }
}

/// A database that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Bench {
    /// Those that were asked for.
    pub fn databases(&self) -> Vec<Database> {
        let both = [(self.sqlite, Database::Sqlite), (self.postgres.is_some(), Database::Postgres)];
        both.into_iter().filter_map(|(wanted, database)| wanted.then_some(database)).collect()
    }

    /// The `[store] url` of a fresh database, and what keeps it.
    pub fn fresh(&self, database: Database) -> anyhow::Result<(String, Option<testkit::postgres::Database>)> {
        match (&self.postgres, database) {
            (Some(server), Database::Postgres) => {
                let database = testkit::postgres::Database::on(&server.url())?;
                Ok((database.url(), Some(database)))
            }
            _ => Ok(("sqlite:barid.db".to_owned(), None)),
        }
    }

    fn prepare(args: &Args) -> anyhow::Result<Self> {
        let barid = match &args.barid {
            Some(path) => path.canonicalize()?,
            None => engine::build()?,
        };
        let dir = engine::Place::new(args.dir.as_deref())?;
        let postgres = match args.database {
            Databases::Sqlite => None,
            Databases::Postgres | Databases::Both => Some(match &args.postgres {
                Some(url) => Server::Given(url.clone()),
                None => Server::Private(testkit::postgres::Cluster::durable(&engine::target())?),
            }),
        };
        Ok(Self {
            barid,
            dir,
            sqlite: args.database != Databases::Postgres,
            postgres,
            seconds: args.seconds.max(1),
            connections: args.connections.max(1),
            rounds: args.rounds.max(1),
            rate: args.rate.max(1),
            stored: args.stored,
        })
    }
}
