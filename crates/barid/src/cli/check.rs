//! `barid check`: the configuration, every mistake with its line and its mend. Exit 0 when it can be used, 1 when not.

use serde_json::{Value, json};

use super::output::count;
use super::{Context, DEFAULT, Failure, say};
use crate::config::Mistake;

pub(super) fn run(cx: &Context) -> Result<(), Failure> {
    let path = cx.file();
    let (mistakes, warnings, found) = match cx.try_read(path.as_ref()) {
        Ok(config) => {
            let channels: usize = config.tenants.iter().map(|t| t.channels.len()).sum();
            (
                Vec::new(),
                config.warnings,
                format!("{}, {}", count(config.tenants.len(), "tenant"), count(channels, "channel")),
            )
        }
        Err(mistakes) => (mistakes, Vec::new(), String::new()),
    };
    if cx.out.json {
        let ok = mistakes.is_empty();
        let list = |all: &[Mistake]| all.iter().map(value).collect::<Vec<_>>();
        cx.out.value(&json!({"ok": ok, "mistakes": list(&mistakes), "warnings": list(&warnings)}))?;
        return if ok { Ok(()) } else { Err(Failure::Told) };
    }
    for warning in &warnings {
        cx.out.line(&format!("warning: {warning}"))?;
    }
    for mistake in &mistakes {
        cx.out.line(&format!("mistake: {mistake}"))?;
    }
    if path.is_none() {
        say(&format!("There is no {DEFAULT} here: name one with --config FILE, or try `barid demo`."));
    }
    if mistakes.is_empty() {
        let name = path.map_or_else(|| "the environment".to_owned(), |p| p.display().to_string());
        return cx.out.line(&format!("{name} is good: {found}, {}", count(warnings.len(), "warning")));
    }
    say(&format!("barid: {} to mend", count(mistakes.len(), "mistake")));
    Err(Failure::Told)
}

fn value(m: &Mistake) -> Value {
    json!({"file": m.file, "line": m.line, "column": m.column, "key": m.key, "what": m.what, "mend": m.mend})
}
