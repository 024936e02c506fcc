//! `barid move`: the installation, carried from one database to another (S8.4). Killed, it goes on where it was.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use store::carry::{Progress, carry};
use store::{PostgresOptions, SqliteOptions, Store, StoreError};

use super::{Context, Failure, say};

/// Arguments of `move`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to move: `sqlite:FILE` or `postgres://…`. No engine may work it meanwhile.
    #[arg(long, value_name = "URL", env = "BARID_MOVE_FROM", hide_env_values = true)]
    from: Place,
    /// Where to: a database that is empty, or that an earlier attempt at this move has half-filled.
    #[arg(long, value_name = "URL", env = "BARID_MOVE_TO", hide_env_values = true)]
    to: Place,
    /// Rows in one transaction.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
}

/// A database.
#[derive(Clone)]
enum Place {
    Sqlite(PathBuf),
    /// May hold a password.
    Postgres(String),
}

impl std::str::FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err("neither sqlite:FILE nor postgres://…"),
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Place {
    /// Without a password.
    fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => store::postgres_shown(url).unwrap_or_else(|_| "PostgreSQL".to_owned()),
        }
    }

    async fn open(&self, cx: &Context, half_moved: bool) -> Result<Store, Failure> {
        let clock = Arc::clone(&cx.clock);
        Ok(match self {
            // As its server: the lock proves that no engine runs.
            Self::Sqlite(path) => {
                Store::open_sqlite(&SqliteOptions { half_moved, ..SqliteOptions::at(path) }, clock).await?
            }
            Self::Postgres(url) => {
                let options = PostgresOptions { half_moved, serves: false, ..PostgresOptions::at(url) };
                Store::open_postgres(&options, clock).await?
            }
        })
    }
}

pub(super) async fn run(cx: &Context, args: Args) -> Result<(), Failure> {
    if let Place::Sqlite(path) = &args.from
        && !path.exists()
    {
        return Err(Failure::Failed(anyhow::anyhow!("there is no database {}: nothing was moved", path.display())));
    }
    if args.from.shown() == args.to.shown() {
        return Err(Failure::Usage("--from and --to are the same database".to_owned()));
    }
    let from = args.from.open(cx, false).await?;
    let to = match args.to.open(cx, true).await {
        Ok(to) => to,
        Err(failure) => {
            from.close().await;
            return Err(failure);
        }
    };
    let mut teller = Teller { terminal: std::io::stderr().is_terminal(), verifying: false };
    let moved = carry(&from, &to, args.batch, &mut |progress| teller.tell(progress)).await;
    from.close().await;
    to.close().await;
    let moved = moved.map_err(|error| match error {
        StoreError::Refused(why) => Failure::Failed(anyhow::anyhow!("{why}")),
        other => Failure::from(other),
    })?;
    teller.end();
    let rows: u64 = moved.tables.iter().map(|(_, sum)| sum.rows).sum();
    if cx.out.json {
        let tables: Vec<_> = moved
            .tables
            .iter()
            .map(|(name, sum)| json!({"table": name, "rows": sum.rows, "checksum": format!("{:032x}", sum.check)}))
            .collect();
        return cx.out.value(&json!({"rows": rows, "resumed": moved.resumed, "tables": tables}));
    }
    for (name, sum) in moved.tables.iter().filter(|(_, sum)| sum.rows > 0) {
        cx.out.line(&format!("{name:<16} {:>10} rows  {:032x}", sum.rows, sum.check))?;
    }
    cx.out.line(&format!(
        "{rows} rows of {} are in {}, and both sides agree. Set [store] url to it; keep the old database until you are sure: no engine starts on it any more.",
        args.from.shown(),
        args.to.shown()
    ))
}

/// Says on stderr where it stands: a line that changes at a terminal, a line for each step elsewhere.
struct Teller {
    terminal: bool,
    verifying: bool,
}

impl Teller {
    fn tell(&mut self, progress: &Progress) -> Result<(), StoreError> {
        match progress {
            Progress::Copied { table, done, of } => {
                let text = format!("{table}: {done} of {of} rows");
                if self.terminal {
                    let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
                } else {
                    say(&text);
                }
            }
            Progress::Verified { table, sum } => {
                if !std::mem::replace(&mut self.verifying, true) {
                    self.end();
                    say("everything is there; comparing both sides");
                }
                if sum.rows > 0 && !self.terminal {
                    say(&format!("{table}: {} rows agree", sum.rows));
                }
            }
        }
        Ok(())
    }

    fn end(&self) {
        if self.terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
