//! Pages of lists: `{data, next, prev, has_more}` with opaque cursors. A cursor holds where its page begins and where the ones before it
//! began, so that going back shows the same pages again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use store::desk::{After, Rows};
use types::Moment;
use types::ids::first_id_of;
use utoipa::ToSchema;

use super::failure::Failure;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// The cursor of the next page; null on the last.
    pub next: Option<String>,
    /// The cursor of the page before; null on the first.
    pub prev: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// Rows of a page when nothing else is asked.
const USUAL: u32 = 50;
/// And at most.
pub(crate) const MOST: u32 = 200;
/// Pages that one can go back.
const BACK: usize = 40;

/// Which page of a list is asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    /// How many rows it has.
    pub limit: u32,
    /// Where each page up to this one begins; the last is this one's. Empty: the first page.
    starts: Vec<After>,
    /// Rows older than this id are left out.
    oldest: i64,
    /// Rows from this id on are left out.
    before: i64,
}

/// A span of time of a list's rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    /// Only rows from this moment on.
    pub from: Option<Moment>,
    /// Only rows before this moment.
    pub to: Option<Moment>,
}

impl Asked {
    /// From the query.
    pub(crate) fn of(limit: Option<u32>, cursor: Option<&str>) -> Result<Self, Failure> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(Failure::bad(format!("limit must be 1 to {MOST}")));
        }
        let starts = match cursor {
            None | Some("") => Vec::new(),
            Some(text) => read(text).ok_or_else(|| Failure::bad("cursor is not one of ours: begin without one"))?,
        };
        Ok(Self { limit, starts, oldest: 0, before: i64::MAX })
    }

    /// The same of a list whose newest rows come first, within a span of time: ids grow with time.
    pub(crate) fn within(mut self, span: Span) -> Self {
        self.oldest = span.from.map_or(0, |at| first_id_of(at.0));
        self.before = span.to.map_or(i64::MAX, |at| first_id_of(at.0));
        self
    }

    /// Where this page begins; `None`: at the beginning.
    pub(crate) fn after(&self) -> Option<After> {
        self.starts.last().copied().filter(|a| *a != START)
    }

    /// The same where the newest comes first.
    pub(crate) fn newest(&self) -> After {
        let after = self.after().unwrap_or(After::NEWEST);
        if after.id > self.before { After { key: self.before, id: self.before } } else { after }
    }

    /// One row more than the page has: whether there is a next one.
    pub(crate) const fn fetch(&self) -> u32 {
        self.limit + 1
    }

    /// The page of what was fetched.
    pub(crate) fn page<T>(&self, mut rows: Rows<T>) -> Page<T> {
        rows.retain(|(after, _)| after.id >= self.oldest);
        let has_more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let next = rows.last().filter(|_| has_more).map(|(after, _)| {
            let mut starts = if self.starts.is_empty() { vec![START] } else { self.starts.clone() };
            starts.push(*after);
            let cut = starts.len().saturating_sub(BACK);
            write(&starts[cut..])
        });
        let prev = (self.starts.len() > 1).then(|| write(&self.starts[..self.starts.len() - 1]));
        Page { data: rows.into_iter().map(|(_, row)| row).collect(), next, prev, has_more }
    }
}

/// Stands for the beginning of a list, which is another value in each order.
const START: After = After { key: 0, id: 0 };

fn write(starts: &[After]) -> String {
    let text: Vec<String> = starts.iter().map(|a| format!("{:x}.{:x}", a.key, a.id)).collect();
    URL_SAFE_NO_PAD.encode(format!("1:{}", text.join(",")))
}

fn read(text: &str) -> Option<Vec<After>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let starts: Option<Vec<After>> = text
        .strip_prefix("1:")?
        .split(',')
        .map(|one| {
            let (key, id) = one.split_once('.')?;
            let number = |t: &str| u64::from_str_radix(t, 16).ok().map(u64::cast_signed);
            Some(After { key: number(key)?, id: number(id)? })
        })
        .collect();
    starts.filter(|s| s.len() <= BACK + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(from: i64, n: i64) -> Rows<i64> {
        (from..from + n).map(|id| (After { key: -id, id }, id)).collect()
    }

    #[test]
    fn pages_go_on_and_back() {
        let first = Asked::of(Some(2), None).unwrap();
        let one = first.page(rows(1, 3));
        assert_eq!((one.data.as_slice(), one.has_more, one.prev.is_none()), (&[1, 2][..], true, true));
        let second = Asked::of(Some(2), one.next.as_deref()).unwrap();
        assert_eq!(second.after(), Some(After { key: -2, id: 2 }));
        let two = second.page(rows(3, 3));
        let third = Asked::of(Some(2), two.next.as_deref()).unwrap().page(rows(5, 1));
        assert_eq!((third.next, third.has_more), (None, false));
        let back = Asked::of(Some(2), third.prev.as_deref()).unwrap();
        assert_eq!(back.after(), second.after());
        let start = Asked::of(Some(2), back.page(rows(3, 3)).prev.as_deref()).unwrap();
        assert_eq!(start.after(), None);
    }

    #[test]
    fn a_span_of_time_leaves_out_what_is_older_and_what_is_younger() {
        let at = |seconds| Moment(types::Timestamp::from_seconds(1_800_000_000 + seconds));
        let id = |seconds| first_id_of(at(seconds).0);
        let asked = || Asked::of(Some(2), None).unwrap();
        let whole: Rows<i64> = [9, 7, 5].map(|s| (After { key: id(s), id: id(s) }, s)).into();
        let span = Span { from: Some(at(6)), to: Some(at(9)) };
        assert_eq!(asked().within(span).newest().id, id(9), "the reading begins before the end of the span");
        let page = asked().within(Span { to: None, ..span }).page(whole.clone());
        assert_eq!((page.data.as_slice(), page.has_more), (&[9, 7][..], false), "and nothing older follows");
        assert!(asked().within(Span::default()).page(whole).has_more);
    }

    #[test]
    fn a_cursor_that_is_not_ours_is_refused() {
        for text in ["x", "1:1.1", "MTo", "MTp6Lno", "////", "🦀"] {
            assert!(Asked::of(None, Some(text)).is_err(), "{text}");
        }
        assert!(Asked::of(Some(0), None).is_err() && Asked::of(Some(201), None).is_err());
    }
}
