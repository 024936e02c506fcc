//! Values and rows as both databases know them, and a checksum of a table that does not depend on the order in which its rows come.

use crate::sql::{Param, Value};

/// A value of a row.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<Value<'_>> for Cell {
    fn from(v: Value<'_>) -> Self {
        match v {
            Value::Null => Self::Null,
            Value::Int(i) => Self::Int(i),
            Value::Real(r) => Self::Real(r),
            Value::Text(t) => Self::Text(t.to_owned()),
            Value::Blob(b) => Self::Blob(b.to_vec()),
        }
    }
}

impl Cell {
    pub fn param(&self) -> Param<'_> {
        match self {
            Self::Null => Param::Null,
            Self::Int(i) => Param::Int(*i),
            Self::Real(r) => Param::Real(*r),
            Self::Text(t) => Param::Text(t),
            Self::Blob(b) => Param::Blob(b),
        }
    }

    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(t) => t.len(),
                Self::Blob(b) => b.len(),
                _ => 0,
            }
    }

    /// The same bytes on every database; lengths go before contents, so that neighbours cannot be shifted into each other.
    fn canonical(&self, out: &mut Vec<u8>) {
        let mut long = |kind: u8, bytes: &[u8]| {
            out.push(kind);
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Self::Null => long(b'n', &[]),
            Self::Int(i) => long(b'i', &i.to_le_bytes()),
            Self::Real(r) => long(b'r', &r.to_le_bytes()),
            // PostgreSQL keeps the picture of a NUL where SQLite keeps the NUL.
            Self::Text(t) if t.contains('\0') => long(b't', t.replace('\0', "\u{2400}").as_bytes()),
            Self::Text(t) => long(b't', t.as_bytes()),
            Self::Blob(b) => long(b'b', b),
        }
    }
}

/// How many rows, and the sum of their digests: the same rows give the same sum in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Rows.
    pub rows: u64,
    /// The checksum.
    pub check: u128,
}

impl Sum {
    pub(super) fn add(&mut self, row: &[Cell]) {
        let mut bytes = Vec::with_capacity(256);
        row.iter().for_each(|cell| cell.canonical(&mut bytes));
        let digest = types::text::digest(&bytes);
        self.rows += 1;
        self.check = self.check.wrapping_add(u128::from_str_radix(&digest[..32], 16).unwrap_or_default());
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows with checksum {:032x}", self.rows, self.check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[&[Cell]]) -> Sum {
        let mut sum = Sum::default();
        rows.iter().for_each(|row| sum.add(row));
        sum
    }

    #[test]
    fn a_sum_knows_rows_and_not_their_order() {
        let (a, b) = (Cell::Text("a".into()), Cell::Text("b".into()));
        let one: &[Cell] = &[a.clone(), Cell::Null];
        let two: &[Cell] = &[b.clone(), Cell::Int(1)];
        assert_eq!(sum(&[one, two]), sum(&[two, one]));
        assert_ne!(sum(&[one, two]), sum(&[one]));
        assert_ne!(sum(&[one, one]), sum(&[two, two]));
        // Neighbours are not shifted into each other, and kinds are told apart.
        let (ab, empty) = (Cell::Text("ab".into()), Cell::Text(String::new()));
        assert_ne!(sum(&[&[a.clone(), b.clone()]]), sum(&[&[ab, empty.clone()]]));
        assert_ne!(sum(&[&[empty]]), sum(&[&[Cell::Null]]));
        assert_ne!(sum(&[&[Cell::Int(1)]]), sum(&[&[Cell::Text("1".into())]]));
        assert_eq!(sum(&[&[Cell::Text("a\0".into())]]), sum(&[&[Cell::Text("a\u{2400}".into())]]));
    }
}
