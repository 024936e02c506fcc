//! Tables for other programs (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe: names and messages
//! come from strangers.

use axum::response::{IntoResponse, Response};
use http::header;

/// A table in the making.
pub(crate) struct Table {
    text: String,
    rows: usize,
}

impl Table {
    pub(crate) fn new(titles: &[&str]) -> Self {
        Self { text: titles.join(",") + "\r\n", rows: 0 }
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        let cells: Vec<String> = cells.iter().map(|c| cell(c)).collect();
        self.text.push_str(&cells.join(","));
        self.text.push_str("\r\n");
        self.rows += 1;
    }

    pub(crate) fn response(self, name: &str) -> Response {
        let disposition = format!("attachment; filename=\"{name}\"");
        let kind = "text/csv; charset=utf-8".to_owned();
        ([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], self.text).into_response()
    }
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let number = text.parse::<f64>().is_ok();
    let text = if formula && !number { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text() {
        for (given, want) in [
            ("=1+1", "'=1+1"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+97150", "+97150"),
            ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
            ("\t=1", "'\t=1"),
            ("Ahmed, \"Abu\"", "\"Ahmed, \"\"Abu\"\"\""),
            ("plain", "plain"),
        ] {
            assert_eq!(cell(given), want, "{given}");
        }
    }
}
