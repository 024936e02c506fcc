//! What there is to carry: the database's own catalogue, and the statements of each table, made from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::error::{Result, StoreError};
use crate::sql::{Op, Sql, Tx};

sql! {
    COLUMNS = "carry.columns":
        "{sqlite}SELECT m.name, c.name, c.pk FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid{end}
         {postgres}SELECT CAST(t.relname AS TEXT), CAST(a.attname AS TEXT), COALESCE((SELECT k.place FROM pg_index i
                CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (num, place)
                WHERE i.indrelid = t.oid AND i.indisprimary AND k.num = a.attnum), 0)
         FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE t.relkind = 'r' AND t.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = current_schema()) ORDER BY t.relname, a.attnum{end}";
    REFERENCES = "carry.references":
        "{sqlite}SELECT DISTINCT m.name, f.\"table\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'{end}
         {postgres}SELECT DISTINCT CAST(t.relname AS TEXT), CAST(p.relname AS TEXT) FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
         JOIN pg_class p ON p.oid = c.confrelid WHERE c.contype = 'f'
         AND t.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = current_schema()){end}";
}

/// Of the database itself, not of the installation.
const STAYS: [&str; 4] = ["schema_version", "nodes", "move_run", "move_table"];

/// Parameters of one statement, at most; SQLite takes 32 766, PostgreSQL 65 535.
const PARAMETERS: usize = 2000;

/// Every table with its columns, the places of its key among them, and what it refers to.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    columns: BTreeMap<String, Vec<(String, i64)>>,
    references: BTreeSet<(String, String)>,
}

/// Reads the catalogue.
pub(super) struct Read;

impl Op for Read {
    const NAME: &'static str = "carry.catalogue";
    type Out = Catalogue;

    fn run(&self, tx: &mut dyn Tx) -> Result<Catalogue> {
        let mut found = Catalogue::default();
        for (table, column, place) in
            tx.all(&COLUMNS, &[], |r| Ok((r.get::<String>(0)?, r.get::<String>(1)?, r.get::<i64>(2)?)))?
        {
            if !STAYS.contains(&table.as_str()) {
                found.columns.entry(table).or_default().push((column, place));
            }
        }
        found.references = tx.all(&REFERENCES, &[], |r| Ok((r.get(0)?, r.get(1)?)))?.into_iter().collect();
        Ok(found)
    }
}

/// A table and its statements.
#[derive(Debug)]
pub(super) struct Table {
    pub name: String,
    /// Places of the key's columns.
    pub key: Vec<usize>,
    pub width: usize,
    pub count: &'static Sql,
    pub clear: &'static Sql,
    pub first: &'static Sql,
    pub next: &'static Sql,
    /// So many rows at once; the last takes one.
    pub inserts: Vec<(usize, &'static Sql)>,
}

/// Tables, those that others refer to first.
pub(super) type TableList = Vec<Arc<Table>>;

impl Catalogue {
    /// Whether both have the same tables with the same columns, in whatever order.
    pub fn is_like(&self, other: &Self) -> bool {
        let set = |c: &Self| -> BTreeMap<String, BTreeSet<String>> {
            c.columns.iter().map(|(t, all)| (t.clone(), all.iter().map(|(name, _)| name.clone()).collect())).collect()
        };
        set(self) == set(other)
    }

    /// The tables in an order in which each finds what it refers to, with statements for batches of `batch` rows.
    pub fn tables(&self, target: &Self, batch: u32) -> Result<TableList> {
        let references: BTreeSet<_> = self.references.union(&target.references).collect();
        let mut order: TableList = Vec::with_capacity(self.columns.len());
        let mut left: BTreeSet<&String> = self.columns.keys().collect();
        while !left.is_empty() {
            let waits = |table: &String| {
                references.iter().any(|(t, parent)| t == table && parent != table && left.contains(parent))
            };
            let ready: Vec<&String> = left.iter().copied().filter(|table| !waits(table)).collect();
            if ready.is_empty() {
                return Err(StoreError::Refused(format!(
                    "the tables {left:?} refer to each other in a ring, and cannot be carried one by one"
                )));
            }
            for name in ready {
                left.remove(name);
                let columns = self.columns.get(name).map(Vec::as_slice).unwrap_or_default();
                order.push(Arc::new(table(name, columns, batch)?));
            }
        }
        Ok(order)
    }
}

/// A statement of a table, made for this one move of a process that ends with it.
fn statement(what: &str, table: &str, text: String) -> &'static Sql {
    Box::leak(Box::new(Sql { name: format!("carry.{what}.{table}").leak(), text: text.leak() }))
}

fn table(name: &str, columns: &[(String, i64)], batch: u32) -> Result<Table> {
    let mut key: Vec<(i64, usize)> =
        columns.iter().enumerate().filter(|(_, c)| c.1 > 0).map(|(n, c)| (c.1, n)).collect();
    key.sort_unstable();
    let key: Vec<usize> = key.into_iter().map(|(_, n)| n).collect();
    if key.is_empty() {
        return Err(StoreError::Refused(format!("the table {name} has no primary key, by which it would be carried")));
    }
    let list = |all: &mut dyn Iterator<Item = &String>| all.map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ");
    let all = list(&mut columns.iter().map(|(c, _)| c));
    let by = list(&mut key.iter().map(|n| &columns[*n].0));
    let after = (1..=key.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let mut inserts = Vec::new();
    for rows in [64, 8, 1] {
        if rows > 1 && rows * columns.len() > PARAMETERS {
            continue;
        }
        let mut text = format!("INSERT INTO \"{name}\" ({all}) VALUES ");
        for row in 0..rows {
            let places = (1..=columns.len()).map(|n| format!("${}", row * columns.len() + n)).collect::<Vec<_>>();
            let _ = write!(text, "{}({})", if row > 0 { ", " } else { "" }, places.join(", "));
        }
        inserts.push((rows, statement(&format!("put{rows}"), name, text)));
    }
    Ok(Table {
        name: name.to_owned(),
        width: columns.len(),
        count: statement("count", name, format!("SELECT COUNT(*) FROM \"{name}\"")),
        clear: statement("clear", name, format!("DELETE FROM \"{name}\"")),
        first: statement("first", name, format!("SELECT {all} FROM \"{name}\" ORDER BY {by} LIMIT {batch}")),
        next: statement(
            "next",
            name,
            format!("SELECT {all} FROM \"{name}\" WHERE ({by}) > ({after}) ORDER BY {by} LIMIT {batch}"),
        ),
        key,
        inserts,
    })
}
