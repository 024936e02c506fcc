//! One statement for many rows. Operations ask for one row at a time; the same statement asked by many operations at once is sent as one, its
//! parameters as arrays. The text is made from the statement's own, so that each statement is still written once.
//!
//! - a query runs once for each row of the arrays (`LATERAL`; the `OFFSET` keeps the planner from joining the other way round), its rows
//!   numbered by whose they are
//! - an insert takes its rows from the arrays
//! - an update that finds its row by `$1` joins the arrays and says whose rows it changed
//!
//! Whatever has another shape goes row by row, sent together all the same.

use tokio_postgres::types::Type;

use super::session::Answer;

/// What a statement does, by its first word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Query,
    Insert,
    /// An insert that may find its row there already.
    Attempt,
    Update,
    Other,
}

fn kind(text: &str) -> Kind {
    match text.split_ascii_whitespace().next() {
        Some("SELECT") => Kind::Query,
        Some("INSERT") if text.contains("DO NOTHING") => Kind::Attempt,
        Some("INSERT") => Kind::Insert,
        Some("UPDATE") => Kind::Update,
        _ => Kind::Other,
    }
}

/// Whether two askers with the same first parameter must not go together: they mean the same row, and an update changes a row once. Inserts of
/// the same row are kept apart by what their operations touch.
pub(super) fn by_first(text: &str) -> bool {
    kind(text) == Kind::Update
}

/// The form for many rows, if there is one; `types` are the parameters'.
pub(super) fn many(text: &str, types: &[Type]) -> Option<String> {
    if types.is_empty() || text.contains("FOR NO KEY UPDATE") || text.contains("LIMIT $") {
        return None;
    }
    let rows = rows(types);
    match kind(text) {
        Kind::Query => Some(format!("SELECT u.n_, s.* FROM {rows} CROSS JOIN LATERAL ({} OFFSET 0) AS s", named(text))),
        Kind::Insert => {
            let (head, values, tail) = values(text)?;
            Some(format!("{head} SELECT {} FROM {rows}{}", named(values), named(tail)))
        }
        Kind::Attempt => attempt(text, &rows),
        Kind::Update => {
            let at = top_level(text, " WHERE ")?;
            let (set, condition) = text.split_at(at);
            let condition = condition.strip_prefix(" WHERE ")?;
            let (column, rest) = condition.split_once(" = $1")?;
            let one_row =
                matches!(column, "id" | "message_id" | "job_id") && !rest.starts_with(|c: char| c.is_ascii_digit());
            if !one_row {
                return None;
            }
            Some(format!("{} FROM {rows} WHERE {} RETURNING u.n_", named(set), named(condition)))
        }
        Kind::Other => None,
    }
}

/// `unnest` of the parameters' arrays, numbered, as `u (p1_, p2_, …, n_)`.
fn rows(types: &[Type]) -> String {
    let arrays: Vec<String> = types.iter().enumerate().map(|(i, t)| format!("${}::{}[]", i + 1, t.name())).collect();
    let names: Vec<String> = (1..=types.len()).map(|i| format!("p{i}_")).collect();
    format!("unnest({}) WITH ORDINALITY AS u ({}, n_)", arrays.join(", "), names.join(", "))
}

/// `$3` as `u.p3_`.
fn named(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        let digits = after.chars().take_while(char::is_ascii_digit).count();
        out.push_str(before);
        out.push_str("u.p");
        out.push_str(&after[..digits]);
        out.push('_');
        rest = &after[digits..];
    }
    out + rest
}

/// Where `word` stands outside of brackets.
fn top_level(text: &str, word: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && text[i..].starts_with(word) => return Some(i),
            _ => {}
        }
    }
    None
}

/// An insert's head, the list of its values, and what follows.
fn values(text: &str) -> Option<(&str, &str, &str)> {
    let at = text.find("VALUES (")?;
    let open = at + "VALUES (".len();
    let mut depth = 1;
    let close = text[open..].char_indices().find_map(|(i, c)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(open + i)
    })?;
    Some((&text[..at], &text[open..close], &text[close + 1..]))
}

/// `INSERT … ON CONFLICT (a, b) DO NOTHING`: what was inserted is known by the columns of the conflict.
fn attempt(text: &str, rows: &str) -> Option<String> {
    let (head, values, tail) = values(text)?;
    let target = tail.split_once("ON CONFLICT (")?.1.split_once(')')?.0;
    let columns = head.split_once('(')?.1.rsplit_once(')')?.0;
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    let values: Vec<&str> = values.split(',').map(str::trim).collect();
    if columns.len() != values.len() {
        return None;
    }
    let same: Option<Vec<String>> = target
        .split(',')
        .map(str::trim)
        .map(|c| {
            let at = columns.iter().position(|column| *column == c)?;
            Some(format!("i.{c} = {}", named(values[at])))
        })
        .collect();
    Some(format!(
        "WITH u AS MATERIALIZED (SELECT * FROM {rows}), i AS ({head} SELECT {} FROM u ON CONFLICT ({target}) DO NOTHING RETURNING {target})
         SELECT u.n_ FROM u JOIN i ON {}",
        named(&values.join(", ")),
        same?.join(" AND ")
    ))
}

/// Gives each of `askers` what is his of an answer to the form for many rows.
pub(super) fn share(text: &str, all: Answer, askers: usize) -> Vec<Answer> {
    let mut shares: Vec<Answer> = (0..askers).map(|_| Answer { rows: Vec::new(), skip: 1, changed: 0 }).collect();
    if kind(text) == Kind::Insert {
        for share in &mut shares {
            share.changed = 1;
        }
        return shares;
    }
    for row in all.rows {
        let asker = row.try_get::<_, i64>(0).ok().and_then(|n| usize::try_from(n - 1).ok());
        if let Some(share) = asker.and_then(|n| shares.get_mut(n)) {
            share.changed += 1;
            share.rows.push(row);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_runs_for_each_row_of_the_arrays() {
        assert_eq!(
            many("SELECT a FROM t WHERE b = $1 AND c = $2", &[Type::INT8, Type::TEXT]).as_deref(),
            Some(
                "SELECT u.n_, s.* FROM unnest($1::int8[], $2::text[]) WITH ORDINALITY AS u (p1_, p2_, n_) \
                 CROSS JOIN LATERAL (SELECT a FROM t WHERE b = u.p1_ AND c = u.p2_ OFFSET 0) AS s"
            )
        );
        assert_eq!(many("SELECT a FROM t LIMIT $1", &[Type::INT8]), None, "a bound may not come from a row");
        assert_eq!(many("SELECT 1", &[]), None);
    }

    #[test]
    fn an_insert_takes_its_rows_from_the_arrays() {
        assert_eq!(
            many("INSERT INTO t (a, b, c) VALUES ($1, 'x', $2)", &[Type::INT8, Type::TEXT]).as_deref(),
            Some(
                "INSERT INTO t (a, b, c)  SELECT u.p1_, 'x', u.p2_ FROM \
                 unnest($1::int8[], $2::text[]) WITH ORDINALITY AS u (p1_, p2_, n_)"
            )
        );
        let attempt =
            many("INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING", &[Type::INT8, Type::TEXT]);
        assert!(attempt.unwrap().contains("RETURNING a)\n         SELECT u.n_ FROM u JOIN i ON i.a = u.p1_"));
    }

    #[test]
    fn an_update_says_whose_rows_it_changed() {
        assert_eq!(
            many("UPDATE t SET a = $2 WHERE id = $1 AND a < $2", &[Type::INT8, Type::INT8]).as_deref(),
            Some(
                "UPDATE t SET a = u.p2_ FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS u (p1_, p2_, n_) \
                 WHERE id = u.p1_ AND a < u.p2_ RETURNING u.n_"
            )
        );
        assert_eq!(many("UPDATE t SET a = 1 WHERE b = $1", &[Type::INT8]), None, "it may mean many rows");
        assert_eq!(many("UPDATE t SET a = 1 WHERE id = $10", &[Type::INT8]), None);
    }
}
