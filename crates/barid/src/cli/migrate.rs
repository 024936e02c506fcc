//! `barid migrate`: the schema, brought up to date. A start of the server does the same; this is for those who want it as a step of its own.

use std::sync::Arc;

use serde_json::json;

use super::{Context, Failure, beside, say};
use crate::wire;

pub(super) async fn run(cx: &Context) -> Result<(), Failure> {
    let config = cx.load()?;
    // Whether a server's database is new is seen only by asking it.
    let existed = beside::file(&config.store).is_none_or(std::path::Path::exists);
    let current = if existed {
        match wire::open_beside(&config.store, Arc::clone(&cx.clock)).await {
            Ok(store) => {
                store.close().await;
                true
            }
            Err(why) => {
                say(&format!("{why:#}"));
                false
            }
        }
    } else {
        false
    };
    if !current {
        wire::open_store(&config, Arc::clone(&cx.clock), false).await?.close().await;
    }
    let version = store::migrations::wanted();
    let database = beside::database(&config.store);
    if cx.out.json {
        return cx.out.value(&json!({"database": database, "version": version, "made": !existed, "changed": !current}));
    }
    let what = match (existed, current) {
        (false, _) => "made",
        (true, false) => "brought up to date",
        (true, true) => "up to date already",
    };
    cx.out.line(&format!("{database}: schema version {version}, {what}"))
}
