//! Counts never scan a table (R7): each is answered from an index, by what it asks for or from a small partial one. What the database itself says of its way.

use store::Op;
use store::sql::{Sql, Tx};

use crate::support::{Backend, Db};

for_each_database! {
    counts_never_scan_a_table,
}

/// Counts that read a whole table, and may: a command that reads all of it anyway, and two over the few who sign in that end at the second.
const WHOLE: [&str; 3] = ["export.count", "users.count", "users.admins"];

/// Partial indexes that hold open work alone: reading one from end to end is reading what is open.
const OPEN: [&str; 6] =
    ["conversations_due", "conversation_due", "dead_letters_waiting", "jobs_open", "outbox_open", "jobs_ended_badly"];

/// What the database says it would do.
struct Plan {
    quiet: Option<&'static Sql>,
    explain: &'static Sql,
}

impl Op for Plan {
    const NAME: &'static str = "test.plan";
    type Out = Vec<String>;

    fn run(&self, tx: &mut dyn Tx) -> store::Result<Vec<String>> {
        if let Some(quiet) = self.quiet {
            tx.query(quiet, &[], &mut |_| Ok(()))?;
        }
        let column = if self.quiet.is_some() { 0 } else { 3 };
        tx.all(self.explain, &[], |r| r.get(column))
    }
}

fn statement(text: String) -> &'static Sql {
    let name: &'static str = text.clone().leak();
    Box::leak(Box::new(Sql { name, text: text.leak() }))
}

/// A statement with values in the places of its parameters.
fn filled(text: &str) -> String {
    let mut text = text.to_owned();
    for (column, word) in [("state", "queued"), ("status", "pending"), ("agent", "x")] {
        for n in 1..=4 {
            text = text.replace(&format!("{column} = ${n}"), &format!("{column} = '{word}'"));
        }
    }
    text = text.replace("'dead', 'failed') AND state = 'queued'", "'dead', 'failed') AND state = 'dead'");
    (1..=9).rev().fold(text, |text, n| text.replace(&format!("${n}"), "7"))
}

/// Lines of a plan that read a table, or an index without saying where to begin.
fn scans(backend: Backend, plan: &[String]) -> Vec<String> {
    let open = |line: &str| OPEN.iter().any(|index| line.split([' ', '(']).any(|word| word == *index));
    let mut found = Vec::new();
    for (n, line) in plan.iter().enumerate() {
        let scans = match backend {
            // A subquery's own rows are named x.
            Backend::Sqlite => {
                line.starts_with("SCAN ") && !line.starts_with("SCAN x") && !line.contains("CONSTANT ROW")
            }
            Backend::Postgres => {
                let reads = line.contains("Seq Scan on") || (line.contains("Index") && line.contains("Scan"));
                let next = plan.get(n + 1).map_or("", String::as_str);
                reads && !next.trim_start().starts_with("Index Cond")
            }
        };
        if scans && !open(line) {
            found.push(line.clone());
        }
    }
    found
}

async fn counts_never_scan_a_table(db: &Db) {
    let mut looked = 0;
    let mut bad = Vec::new();
    for sql in store::statements() {
        let counts = sql.text.contains("COUNT(") && !sql.name.starts_with("carry.") && !WHOLE.contains(&sql.name);
        if !counts {
            continue;
        }
        let text = filled(sql.text);
        let plan = match db.backend() {
            Backend::Sqlite => Plan { quiet: None, explain: statement(format!("EXPLAIN QUERY PLAN {text}")) },
            // Nothing is in these tables, so that reading them whole would be cheapest: is there another way?
            Backend::Postgres => Plan {
                quiet: Some(statement(
                    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"
                        .into(),
                )),
                explain: statement(format!("EXPLAIN (COSTS OFF) {text}")),
            },
        };
        let plan = db.store.read(plan).await.unwrap_or_else(|e| panic!("{}: {e}", sql.name));
        for line in scans(db.backend(), &plan) {
            bad.push(format!("{}: {line}\n    {}", sql.name, plan.join("\n    ")));
        }
        looked += 1;
    }
    assert!(looked >= 20, "{looked} counts");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
