//! `Idempotency-Key`: the same key does the same thing once and gets the same answer for 24 hours.

use std::time::Duration;

use types::Timestamp;

use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    FIND = "idempotency.find": "SELECT request, status, answer, created_at FROM idempotency WHERE holder = $1 AND name = $2";
    ADD = "idempotency.add":
        "INSERT INTO idempotency (holder, name, request, status, created_at) VALUES ($1, $2, $3, 0, $4)
         ON CONFLICT (holder, name) DO UPDATE SET request = excluded.request, status = 0, answer = NULL, created_at = excluded.created_at";
    DONE = "idempotency.done": "UPDATE idempotency SET status = $3, answer = $4 WHERE holder = $1 AND name = $2";
    DROP = "idempotency.drop": "DELETE FROM idempotency WHERE holder = $1 AND name = $2";
}

/// Answers are kept so long.
pub const KEPT: Duration = Duration::from_secs(86_400);
/// A request that has been under way for so long died with its process: another may take its place.
const DIED: Duration = Duration::from_secs(60);

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: go on, and say what came of it.
    Fresh,
    /// The same request is under way.
    UnderWay,
    /// It was used for another request.
    Other,
    /// This came of it.
    Done {
        /// HTTP status.
        status: u16,
        /// The body.
        answer: String,
    },
}

/// Takes a key for a request.
#[derive(Clone, Debug)]
pub struct Take {
    /// Whose key.
    pub holder: String,
    /// The key.
    pub name: String,
    /// Digest of the request.
    pub request: String,
}

impl Op for Take {
    const NAME: &'static str = "idempotency.take";
    type Out = Known;

    fn run(&self, tx: &mut dyn Tx) -> Result<Known> {
        let now = tx.now();
        let found = tx.first(&FIND, params![&self.holder, &self.name], |r| {
            Ok((r.get::<String>(0)?, r.get::<i64>(1)?, r.get::<Option<String>>(2)?, r.get::<Timestamp>(3)?))
        })?;
        if let Some((request, status, answer, at)) = found
            && now.since(at) < KEPT
        {
            if request != self.request {
                return Ok(Known::Other);
            }
            match u16::try_from(status) {
                Ok(0) | Err(_) if now.since(at) < DIED => return Ok(Known::UnderWay),
                Ok(0) | Err(_) => {}
                Ok(status) => return Ok(Known::Done { status, answer: answer.unwrap_or_default() }),
            }
        }
        tx.execute(&ADD, params![&self.holder, &self.name, &self.request, now])?;
        Ok(Known::Fresh)
    }
}

/// Says what came of it; without an answer, the key is free again.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Whose key.
    pub holder: String,
    /// The key.
    pub name: String,
    /// Status and body.
    pub answer: Option<(u16, String)>,
}

impl Op for Settle {
    const NAME: &'static str = "idempotency.settle";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        match &self.answer {
            Some((status, body)) => tx.execute(&DONE, params![&self.holder, &self.name, *status, body])?,
            None => tx.execute(&DROP, params![&self.holder, &self.name])?,
        };
        Ok(())
    }
}
