//! What a person should know: hand-overs, failed sends, paused channels. One unread notice per matter.

use types::TenantId;

use crate::error::Result;
use crate::sql::Tx;

sql! {
    ADD = "notifications.add":
        "INSERT INTO notification (id, tenant_id, kind, title, body, dedupe_key, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (dedupe_key) DO NOTHING";
}

/// Adds a notice unless one with the same key exists.
pub(crate) fn add(tx: &mut dyn Tx, tenant: TenantId, kind: &str, title: &str, body: &str, key: &str) -> Result<()> {
    let (id, now) = (tx.next_id(), tx.now());
    tx.execute(&ADD, params![id, tenant, kind, title, body, key, now])?;
    Ok(())
}
