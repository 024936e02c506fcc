//! The seam between operations and databases. A statement is written once, in `$n` form with a few dialect tokens; an operation
//! ([`Op`]) is written once against [`Tx`]; each database renders and runs them.
//!
//! Tokens: `{id}` primary key column, `{int}` 64-bit integer, `{blob}` bytes, `{without_rowid}`, `{skip_locked}`, `{now}` the database's time as
//! tables hold it. What stands between `{postgres}` or `{sqlite}` and `{end}` is for that one alone. For operators' views: `{view NAME}` begins one,
//! `{time X}` shows a time of a table, `{mine X}` keeps the rows of the tenant (column X) that the caller may see.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use types::Timestamp;

use crate::error::{Result, StoreError};
use crate::reach::Reach;

/// A named statement. The name appears in errors, metrics and the conformance suite; it is unique.
#[derive(Debug)]
pub struct Sql {
    /// `table.verb_what`.
    pub name: &'static str,
    /// The text with `$n` parameters and dialect tokens.
    pub text: &'static str,
}

/// Declares statements: `sql! { FIND = "contacts.find": "select …"; }`.
#[macro_export]
macro_rules! sql {
    ($($(#[$doc:meta])* $name:ident = $label:literal : $text:literal;)*) => {
        $($(#[$doc])* pub(crate) static $name: $crate::sql::Sql = $crate::sql::Sql { name: $label, text: $text };)*
        /// Every statement of this file, for the conformance suite's roll call.
        pub(crate) const STATEMENTS: &[&$crate::sql::Sql] = &[$(&$name),*];
    };
}

/// Which database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The embedded file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

impl Dialect {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// `text` as this database wants it: tokens replaced, and for SQLite `$1` as `?1` (SQLite numbers `$1` by first appearance).
    #[must_use]
    pub fn render(self, text: &str) -> String {
        let tokens: [(&str, &str); 6] = match self {
            Self::Sqlite => [
                ("{id}", "INTEGER PRIMARY KEY"),
                ("{int}", "INTEGER"),
                ("{blob}", "BLOB"),
                ("{without_rowid}", "WITHOUT ROWID"),
                ("{skip_locked}", ""),
                ("{now}", "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"),
            ],
            Self::Postgres => [
                ("{id}", "BIGINT PRIMARY KEY"),
                ("{int}", "BIGINT"),
                ("{blob}", "BYTEA"),
                ("{without_rowid}", ""),
                ("{skip_locked}", "FOR NO KEY UPDATE SKIP LOCKED"),
                ("{now}", "barid_micros(now())"),
            ],
        };
        // Before and after the token's word.
        let phrases: [(&str, &str, &str); 3] = match self {
            Self::Sqlite => [
                ("{view ", "CREATE VIEW ", " AS"),
                ("{time ", "strftime('%Y-%m-%dT%H:%M:%fZ', (", ") / 1000000.0, 'unixepoch')"),
                ("{mine ", "(", " IS NOT NULL)"),
            ],
            Self::Postgres => [
                ("{view ", "CREATE VIEW ", " WITH (security_barrier) AS"),
                ("{time ", "barid_time(", ")"),
                ("{mine ", "((SELECT barid_all_tenants()) OR ", " = (SELECT barid_tenant()))"),
            ],
        };
        let mut out = self.own(text);
        for (token, replacement) in tokens {
            out = out.replace(token, replacement);
        }
        for (token, before, after) in phrases {
            out = around(&out, token, before, after);
        }
        match self {
            Self::Sqlite => out.replace('$', "?"),
            Self::Postgres => out,
        }
    }
}

impl Dialect {
    /// `text` without what is for the other database.
    fn own(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let (mine, other) = match self {
            Self::Sqlite => ("{sqlite}", "{postgres}"),
            Self::Postgres => ("{postgres}", "{sqlite}"),
        };
        while let Some(at) = [mine, other].into_iter().filter_map(|word| rest.find(word)).min() {
            out.push_str(&rest[..at]);
            let own = rest[at..].starts_with(mine);
            let after = &rest[at + if own { mine } else { other }.len()..];
            let (inside, after) = after.split_once("{end}").unwrap_or((after, ""));
            if own {
                out.push_str(inside);
            }
            rest = after;
        }
        out + rest
    }
}

/// `text` with `{token X}` as `before X after`; `X` holds no brace.
fn around(text: &str, token: &str, before: &str, after: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(token) {
        let (inside, tail) = tail.split_once('}').unwrap_or((tail, ""));
        for part in [head, before, inside, after] {
            out.push_str(part);
        }
        rest = tail;
    }
    out + rest
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Param<'a> {
    /// NULL
    Null,
    /// Any integer, id or moment.
    Int(i64),
    /// A real number.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A value of a row, borrowed from the database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL
    Null,
    /// An integer.
    Int(i64),
    /// A real number.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

macro_rules! int_params {
    ($($t:ty),*) => {$(
        impl From<$t> for Param<'_> { fn from(v: $t) -> Self { Self::Int(i64::from(v)) } }
    )*};
}
int_params!(i64, i32, u32, u16, u8, bool);

impl<'a> From<&'a str> for Param<'a> {
    fn from(v: &'a str) -> Self {
        Self::Text(v)
    }
}
impl<'a> From<&'a String> for Param<'a> {
    fn from(v: &'a String) -> Self {
        Self::Text(v)
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(v: &'a [u8]) -> Self {
        Self::Blob(v)
    }
}
impl From<f64> for Param<'_> {
    fn from(v: f64) -> Self {
        Self::Real(v)
    }
}
impl From<Timestamp> for Param<'_> {
    fn from(v: Timestamp) -> Self {
        Self::Int(v.micros())
    }
}
impl<'a, T> From<Option<T>> for Param<'a>
where
    T: Into<Param<'a>>,
{
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// Reads a column.
pub trait FromValue: Sized {
    /// The value, or what is wrong with it.
    ///
    /// # Errors
    /// A few words on what was found instead.
    fn from_value(v: Value<'_>) -> Result<Self, String>;
}

impl FromValue for i64 {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        match v {
            Value::Int(i) => Ok(i),
            other => Err(format!("{other:?} where a whole number belongs")),
        }
    }
}
impl FromValue for u32 {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        i64::from_value(v).and_then(|i| Self::try_from(i).map_err(|e| format!("{i}: {e}")))
    }
}
impl FromValue for bool {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        i64::from_value(v).map(|i| i != 0)
    }
}
impl FromValue for f64 {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        match v {
            Value::Real(r) => Ok(r),
            #[expect(clippy::cast_precision_loss, reason = "averages of small numbers")]
            Value::Int(i) => Ok(i as Self),
            other => Err(format!("{other:?} where a number belongs")),
        }
    }
}
impl FromValue for String {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        match v {
            Value::Text(t) => Ok(t.to_owned()),
            Value::Int(i) => Ok(i.to_string()),
            other => Err(format!("{other:?} where text belongs")),
        }
    }
}
impl FromValue for Timestamp {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        i64::from_value(v).map(Self::from_micros)
    }
}
impl FromValue for types::Moment {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        Timestamp::from_value(v).map(Self)
    }
}
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(v: Value<'_>) -> Result<Self, String> {
        if v == Value::Null { Ok(None) } else { T::from_value(v).map(Some) }
    }
}

macro_rules! id_values {
    ($($t:ident),*) => {$(
        impl From<types::$t> for Param<'_> { fn from(v: types::$t) -> Self { Self::Int(v.0) } }
        impl FromValue for types::$t {
            fn from_value(v: Value<'_>) -> Result<Self, String> { i64::from_value(v).map(types::$t) }
        }
    )*};
}
id_values!(
    TenantId,
    ChannelId,
    ContactId,
    LeadId,
    ConversationId,
    MessageId,
    JobId,
    AttemptId,
    EventId,
    DeadLetterId,
    TaskId,
    NotificationId,
    UserId,
    TokenId,
    NoteId,
    BatchId,
    AuditId,
    SagaId,
    AlertId,
    AgentSessionId,
    EndpointId,
    DeliveryId
);

macro_rules! text_values {
    ($($t:ty => $make:expr),* $(,)?) => {$(
        impl FromValue for $t {
            fn from_value(v: Value<'_>) -> Result<Self, String> {
                match v {
                    Value::Text(t) => ($make)(t),
                    other => Err(format!("{other:?} where text belongs")),
                }
            }
        }
    )*};
}
text_values!(
    types::states::MessageStatus => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::states::JobState => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::states::DeadLetterStatus => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::states::ConversationState => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::alert::AlertKind => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::states::BreakerState => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::states::ChannelState => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::states::SagaState => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::states::StepState => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::Effect => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::OnDoubt => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::Priority => |t: &str| t.parse().map_err(|e: types::words::UnknownWord| e.to_string()),
    types::ProviderMessageId => |t: &str| Ok::<_, String>(types::ProviderMessageId(t.to_owned())),
    types::DedupeKey => |t: &str| Ok::<_, String>(types::DedupeKey(t.to_owned())),
    types::RequestId => |t: &str| Ok::<_, String>(types::RequestId(t.to_owned())),
);

/// Parameters of a statement, each by `Into<Param>`.
#[macro_export]
macro_rules! params {
    ($($p:expr),* $(,)?) => { &[$($crate::sql::Param::from($p)),*][..] };
}

/// A row, borrowed while it is being read.
pub trait Row {
    /// The value of column `i`, counted from 0.
    ///
    /// # Errors
    /// When there is no such column or its text is not UTF-8.
    fn value(&self, i: usize) -> Result<Value<'_>, String>;
    /// The statement's name, for errors.
    fn statement(&self) -> &'static str;
}

impl dyn Row + '_ {
    /// Column `i` as a `T`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the column holds something else.
    pub fn get<T: FromValue>(&self, i: usize) -> Result<T> {
        self.value(i).and_then(T::from_value).map_err(|why| StoreError::Corrupt {
            statement: self.statement(),
            column: i,
            why,
        })
    }
}

/// A part of an operation that touches nothing that its other parts touch.
pub type Part = Box<dyn FnOnce(&mut dyn Tx) -> Result<()>>;

/// A transaction. All of an operation's statements run in it, and either all count or none.
pub trait Tx {
    /// Which database this is.
    fn dialect(&self) -> Dialect;

    /// The database's time, the same all through the transaction; leases are judged by it (S2.2).
    fn now(&self) -> Timestamp;

    /// A new id.
    fn next_id(&mut self) -> i64;

    /// Runs a statement that gives no rows; the number of rows it changed.
    ///
    /// # Errors
    /// When the statement fails.
    fn execute(&mut self, sql: &'static Sql, params: &[Param<'_>]) -> Result<u64>;

    /// Runs a statement and hands every row to `each`.
    ///
    /// # Errors
    /// When the statement or `each` fails.
    fn query(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()>;

    /// Runs `parts`: one after the other, or, where each statement is a journey to the server, beside each other, their statements sent together.
    ///
    /// # Errors
    /// The first part's that fails.
    fn parts(&mut self, parts: Vec<Part>) -> Result<()>;
}

impl dyn Tx + '_ {
    /// What `f` gives for each of `items`, which have nothing to do with each other: see [`Tx::parts`].
    ///
    /// # Errors
    /// The first that `f` gives.
    pub fn each<I: 'static, T: 'static>(
        &mut self,
        items: Vec<I>,
        f: impl Fn(&mut dyn Tx, I) -> Result<T> + 'static,
    ) -> Result<Vec<T>> {
        let (f, count) = (Rc::new(f), items.len());
        let given: Rc<RefCell<Vec<Option<T>>>> = Rc::new(RefCell::new((0..count).map(|_| None).collect()));
        let part = |(n, item): (usize, I)| -> Part {
            let (f, given) = (Rc::clone(&f), Rc::clone(&given));
            Box::new(move |tx| {
                let out = f(tx, item)?;
                given.borrow_mut()[n] = Some(out);
                Ok(())
            })
        };
        self.parts(items.into_iter().enumerate().map(part).collect())?;
        let all = given.borrow_mut().drain(..).flatten().collect();
        Ok(all)
    }

    /// The first row, mapped; `None` when there is none.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub fn first<T>(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        mut map: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.query(sql, params, &mut |row| {
            if found.is_none() {
                found = Some(map(row)?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Every row, mapped.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub fn all<T>(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        mut map: impl FnMut(&dyn Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        self.query(sql, params, &mut |row| {
            rows.push(map(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// One number; zero when there is no row.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub fn number(&mut self, sql: &'static Sql, params: &[Param<'_>]) -> Result<i64> {
        Ok(self.first(sql, params, |r| r.get(0))?.unwrap_or(0))
    }
}

/// A unit of work that runs in one transaction. It may run again after a conflict, so it holds its input and changes nothing
/// outside the transaction.
pub trait Op: Send + 'static {
    /// Its name in metrics, logs and errors.
    const NAME: &'static str;
    /// What it gives.
    type Out: Send + 'static;

    /// Does the work.
    ///
    /// # Errors
    /// Any error undoes everything the operation did.
    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out>;

    /// What it touches: operations that touch different things may run at the same time. Saying nothing is always right.
    fn reach(&self) -> Reach {
        Reach::Everything
    }
}

/// An operation that its caller keeps, to run it again after an outage.
impl<O: Op + Sync> Op for Arc<O> {
    const NAME: &'static str = O::NAME;
    type Out = O::Out;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        (**self).run(tx)
    }

    fn reach(&self) -> Reach {
        (**self).reach()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_postgres_alone_is_not_shown_to_sqlite() {
        let text = "a; {postgres}b {int};{end} c; {sqlite}d {int};{end}";
        assert_eq!(Dialect::Sqlite.render(text), "a;  c; d INTEGER;");
        assert_eq!(Dialect::Postgres.render(text), "a; b BIGINT; c; ");
    }

    #[test]
    fn views_show_times_and_only_the_callers_rows() {
        let text = "{view a} SELECT {time b.at + 1} FROM b WHERE {mine b.t};";
        assert_eq!(
            Dialect::Sqlite.render(text),
            "CREATE VIEW a AS SELECT strftime('%Y-%m-%dT%H:%M:%fZ', (b.at + 1) / 1000000.0, 'unixepoch') FROM b WHERE (b.t IS NOT NULL);"
        );
        assert_eq!(
            Dialect::Postgres.render(text),
            "CREATE VIEW a WITH (security_barrier) AS SELECT barid_time(b.at + 1) FROM b WHERE ((SELECT barid_all_tenants()) OR b.t = (SELECT barid_tenant()));"
        );
    }

    #[test]
    fn one_text_renders_for_both_databases() {
        let text = "select {int} from t where a = $1 and b = $2 {skip_locked}";
        assert_eq!(Dialect::Sqlite.render(text), "select INTEGER from t where a = ?1 and b = ?2 ");
        assert_eq!(
            Dialect::Postgres.render(text),
            "select BIGINT from t where a = $1 and b = $2 FOR NO KEY UPDATE SKIP LOCKED"
        );
    }
}
