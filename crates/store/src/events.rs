//! Everything providers told us that is not a message, kept raw (S1.4, S1.5). The same bytes twice are kept once.

use types::{EventId, RequestId};

use crate::contacts::Door;
use crate::error::Result;
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Tx};

sql! {
    KEEP = "events.keep":
        "INSERT INTO events (id, tenant_id, channel_id, kind, why, raw, dedupe_key, request_id, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (dedupe_key) DO NOTHING";
}

/// Keeps an element; whether it is new.
pub(crate) fn keep(
    tx: &mut dyn Tx,
    door: Option<&Door>,
    kind: &str,
    why: Option<&str>,
    raw: &str,
    request: &RequestId,
) -> Result<bool> {
    let (id, now) = (EventId(tx.next_id()), tx.now());
    let channel = door.map(|d| d.channel);
    let key = format!("{}:{}", channel.map_or(0, |c| c.0), types::text::digest(raw.as_bytes()));
    let tenant = door.map(|d| d.tenant);
    let stored = tx.execute(&KEEP, params![id, tenant, channel, kind, why, raw, &key, &request.0, now])?;
    Ok(stored == 1)
}

/// Keeps a body that could not be read at all (S1.5: counted, raw bytes kept).
#[derive(Clone, Debug)]
pub struct KeepUnreadable {
    /// `not_json`, `unrouted`.
    pub kind: &'static str,
    /// What is wrong.
    pub why: String,
    /// The bytes; what is not UTF-8 is kept in hex.
    pub raw: Vec<u8>,
    /// The request.
    pub request_id: RequestId,
}

impl Op for KeepUnreadable {
    const NAME: &'static str = "events.keep_unreadable";
    type Out = ();

    fn reach(&self) -> Reach {
        let mut touches = Touches::default();
        touches.name("event", &types::text::digest(&self.raw));
        Reach::Only(touches)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let raw = match std::str::from_utf8(&self.raw) {
            Ok(text) if !text.contains('\0') => text.to_owned(),
            _ => format!("hex:{}", types::text::hex(&self.raw)),
        };
        keep(tx, None, self.kind, Some(&self.why), &raw, &self.request_id)?;
        Ok(())
    }
}
