//! Parameters and columns between the seam's few kinds of value and PostgreSQL's types.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::sql::{Param, Row, Value};

type Boxed = Box<dyn Error + std::marker::Sync + Send>;

/// A parameter that waits for its statement's turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Owned {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<Param<'_>> for Owned {
    fn from(p: Param<'_>) -> Self {
        match p {
            Param::Null => Self::Null,
            Param::Int(i) => Self::Int(i),
            Param::Real(r) => Self::Real(r),
            // PostgreSQL keeps no NUL in text; its picture says what was there. SQLite keeps it.
            Param::Text(t) if t.contains('\0') => Self::Text(t.replace('\0', "\u{2400}")),
            Param::Text(t) => Self::Text(t.to_owned()),
            Param::Blob(b) => Self::Blob(b.to_vec()),
        }
    }
}

impl ToSql for Owned {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(i) => int(*i, ty, out),
            #[expect(clippy::cast_possible_truncation, reason = "the column asked for the short form")]
            Self::Real(r) if *ty == Type::FLOAT4 => (*r as f32).to_sql(ty, out),
            Self::Real(r) => r.to_sql(&Type::FLOAT8, out),
            Self::Text(t) => t.as_str().to_sql(&Type::TEXT, out),
            Self::Blob(b) => b.as_slice().to_sql(&Type::BYTEA, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn int(i: i64, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
    match *ty {
        Type::BOOL => (i != 0).to_sql(ty, out),
        Type::INT2 => i16::try_from(i)?.to_sql(ty, out),
        Type::INT4 => i32::try_from(i)?.to_sql(ty, out),
        #[expect(clippy::cast_precision_loss, reason = "the column asked for a real number")]
        Type::FLOAT8 => (i as f64).to_sql(ty, out),
        Type::TEXT | Type::VARCHAR => i.to_string().to_sql(ty, out),
        _ => i.to_sql(&Type::INT8, out),
    }
}

/// The same parameter as text, for a server that is asked to find out the type by itself.
#[derive(Debug)]
pub(super) struct Untyped(pub Owned);

impl ToSql for Untyped {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        match &self.0 {
            Owned::Null => return Ok(IsNull::Yes),
            Owned::Int(i) => out.extend_from_slice(i.to_string().as_bytes()),
            Owned::Real(r) => out.extend_from_slice(r.to_string().as_bytes()),
            Owned::Text(t) => out.extend_from_slice(t.as_bytes()),
            Owned::Blob(b) => out.extend_from_slice(format!("\\x{}", types::text::hex(b)).as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// One parameter of many rows, as an array.
#[derive(Debug)]
pub(super) struct Column(pub Vec<Owned>);

impl ToSql for Column {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        self.0.as_slice().to_sql(ty, out)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column as the seam knows it.
struct Cell<'a>(Value<'a>);

impl<'a> FromSql<'a> for Cell<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        Ok(Self(match *ty {
            Type::INT8 => Value::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(ty, raw)?.into()),
            Type::FLOAT8 => Value::Real(f64::from_sql(ty, raw)?),
            Type::FLOAT4 => Value::Real(f32::from_sql(ty, raw)?.into()),
            Type::NUMERIC => numeric(raw)?,
            Type::BYTEA => Value::Blob(raw),
            // What cannot be shown as it is has no place in these statements.
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
                Value::Text(std::str::from_utf8(raw)?)
            }
            ref other => return Err(format!("a column of type {other}, which Barid does not read").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Boxed> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Sums of whole numbers come as NUMERIC: base-10000 digits, the first of them worth `10000^weight`.
fn numeric(raw: &[u8]) -> Result<Value<'static>, Boxed> {
    let word = |i: usize| -> Result<i16, Boxed> {
        let bytes = raw.get(i * 2..i * 2 + 2).ok_or("a numeric value was cut short")?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    };
    let (digits, weight, sign) = (word(0)?, word(1)?, word(2)?.cast_unsigned());
    let mut value = 0.0_f64;
    for i in 0..digits {
        value += f64::from(word(4 + usize::try_from(i)?)?) * 10_000_f64.powi(i32::from(weight) - i32::from(i));
    }
    let value = if sign == 0x4000 { -value } else { value };
    let whole = digits <= weight + 1 && value.abs() < 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and small enough to be exact")]
    Ok(if whole { Value::Int(value as i64) } else { Value::Real(value) })
}

/// A row of an answer; the first `skip` columns are not the statement's own.
pub(super) struct PgRow<'a> {
    pub row: &'a tokio_postgres::Row,
    pub skip: usize,
    pub statement: &'static str,
}

impl Row for PgRow<'_> {
    fn value(&self, i: usize) -> Result<Value<'_>, String> {
        self.row.try_get::<_, Cell<'_>>(i + self.skip).map(|c| c.0).map_err(|e| match e.source() {
            Some(cause) => format!("{e}: {cause}"),
            None => e.to_string(),
        })
    }

    fn statement(&self) -> &'static str {
        self.statement
    }
}
