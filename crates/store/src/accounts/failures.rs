//! How often a sign-in failed, by account and address, so that nobody tries passwords at speed.

use std::time::Duration;

use types::Timestamp;

use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    FIND = "login_failures.find": "SELECT failures, last_at FROM login_failures WHERE name = $1";
    ADD = "login_failures.add":
        "INSERT INTO login_failures (name, failures, last_at) VALUES ($1, 1, $2)
         ON CONFLICT (name) DO UPDATE SET failures = login_failures.failures + 1, last_at = excluded.last_at";
    CLEAR = "login_failures.clear": "DELETE FROM login_failures WHERE name = $1";
}

/// What is counted, and how many failures are forgiven before each further one doubles the wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The account's digest, the address, or both.
    pub name: String,
    /// So many are forgiven.
    pub forgiven: i64,
}

/// The first wait.
const WAIT: Duration = Duration::from_secs(30);
/// The longest.
const LONGEST: Duration = Duration::from_secs(900);
/// Without a failure for so long, all is forgiven.
const FORGET: Duration = Duration::from_secs(3600);

/// How long this sign-in must still wait; `None`: it may be tried.
#[derive(Clone, Debug)]
pub struct Wait(pub Vec<Counted>);

impl Op for Wait {
    const NAME: &'static str = "login_failures.wait";
    type Out = Option<Duration>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let now = tx.now();
        let mut longest = None;
        for counted in &self.0 {
            let found = tx.first(&FIND, params![&counted.name], |r| Ok((r.get::<i64>(0)?, r.get::<Timestamp>(1)?)))?;
            let Some((failures, last)) = found else { continue };
            let over = failures - counted.forgiven;
            if over < 0 || now.since(last) > FORGET {
                continue;
            }
            let doubled = WAIT.saturating_mul(1_u32 << u32::try_from(over).unwrap_or(0).min(10)).min(LONGEST);
            let until = last.plus(doubled);
            if until > now {
                longest = longest.max(Some(until.since(now)));
            }
        }
        Ok(longest)
    }
}

/// Notes that a sign-in failed, or succeeded.
#[derive(Clone, Debug)]
pub struct Note {
    /// What is counted.
    pub counted: Vec<Counted>,
    /// It failed.
    pub failed: bool,
}

impl Op for Note {
    const NAME: &'static str = "login_failures.note";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        for counted in &self.counted {
            let old = tx.first(&FIND, params![&counted.name], |r| r.get::<Timestamp>(1))?;
            if !self.failed || old.is_some_and(|at| now.since(at) > FORGET) {
                tx.execute(&CLEAR, params![&counted.name])?;
            }
            if self.failed {
                tx.execute(&ADD, params![&counted.name, now])?;
            }
        }
        Ok(())
    }
}
