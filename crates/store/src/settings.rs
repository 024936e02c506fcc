//! Times of the configuration that the database itself must know, because operators' views and functions work with them (S6.3).

use std::time::Duration;

use crate::error::Result;
use crate::sql::{Op, Tx};

sql! {
    GET = "settings.get": "SELECT value FROM settings WHERE name = $1";
    PUT = "settings.put":
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
}

/// Writes down how this engine is configured, where that is news.
#[derive(Clone, Copy, Debug)]
pub struct Declare {
    /// How long provider ids are remembered: `processed_messages.expires_at`.
    pub keep_ids: Duration,
    /// How long a lease lasts: also of a lock that is taken without saying for how long.
    pub lease: Duration,
}

impl Op for Declare {
    const NAME: &'static str = "settings.declare";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        for (name, wanted) in [("keep_ids", self.keep_ids), ("lease", self.lease)] {
            let wanted = i64::try_from(wanted.as_micros()).unwrap_or(i64::MAX);
            // A start on a database at rest writes nothing.
            if tx.number(&GET, params![name])? != wanted {
                tx.execute(&PUT, params![name, wanted])?;
            }
        }
        Ok(())
    }
}
