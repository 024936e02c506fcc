//! Times and limits of the configuration that the database itself must know, because operators' views and functions work with them (S6.3).

use std::time::Duration;

use crate::alerts::Limits;
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
    /// From where on `check_webhook_system_health` warns: where alerts begin.
    pub limits: Limits,
}

impl Op for Declare {
    const NAME: &'static str = "settings.declare";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        for (name, wanted) in [
            ("keep_ids", micros(self.keep_ids)),
            ("lease", micros(self.lease)),
            ("health_stuck_conversations", self.limits.stuck.into()),
            ("health_dead_letters_pending", self.limits.dead_letters.into()),
            ("health_p95_processing_ms", self.limits.p95_ms.into()),
        ] {
            // A start on a database at rest writes nothing.
            if tx.number(&GET, params![name])? != wanted {
                tx.execute(&PUT, params![name, wanted])?;
            }
        }
        Ok(())
    }
}
