//! What may break a rule, and why. An entry covers one rule in one file or folder, and only violations that name its word.

use super::Violation;

struct Exception {
    rule: u8,
    /// A file, or a folder when it ends with a slash.
    path: &'static str,
    /// Part of the violation's text.
    word: &'static str,
    /// For the reader of this list.
    #[cfg_attr(not(test), expect(dead_code, reason = "the reason is for people; a test asks that there is one"))]
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: 2,
        path: "crates/barid/tests/crash/",
        word: "rusqlite",
        reason: "the crash tests judge the file from outside, after the engine is dead: by the store itself they would trust what they check",
    },
    Exception {
        rule: 2,
        path: "crates/testkit/src/postgres.rs",
        word: "SQL",
        reason: "what a measurement asks of the server that it starts, as whoever runs it would: nobody is to sweep meanwhile",
    },
    Exception {
        rule: 5,
        path: "xtask/src/run.rs",
        word: "Instant::now",
        reason: "xtask times its stages; it imports no room, so it has no types::clock",
    },
    Exception {
        rule: 5,
        path: "xtask/src/page.rs",
        word: "SystemTime",
        reason: "whether the built page is stale is told by the times of files, which are the machine's",
    },
    Exception {
        rule: 8,
        path: "crates/store/src/sqlite/",
        word: "thread",
        reason: "the one writer and its readers are threads that the store owns and joins when it is closed",
    },
    Exception {
        rule: 8,
        path: "crates/store/src/postgres/",
        word: "thread",
        reason: "a connection and those who use it sit on one thread, which the store owns and joins when it is closed",
    },
    Exception {
        rule: 8,
        path: "crates/store/src/roll_call.rs",
        word: "RAN",
        reason: "notes which statements ran; compiled only for the conformance suite",
    },
    Exception {
        rule: 8,
        path: "xtask/src/",
        word: "thread",
        reason: "a thread reads a child's lines to the end, so that waiting for one can be bounded; no engine drains xtask",
    },
];

/// Whether an entry covers this violation.
pub fn covers(v: &Violation) -> bool {
    EXCEPTIONS.iter().any(|e| {
        let here = if e.path.ends_with('/') { v.path.starts_with(e.path) } else { v.path == e.path };
        here && e.rule == v.rule && v.what.contains(e.word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_has_a_reason_and_covers_its_own_place_only() {
        assert!(EXCEPTIONS.iter().all(|e| e.reason.len() > 20 && !e.word.is_empty()));
        let v =
            |rule, path: &str, what: &str| Violation { rule, path: path.to_owned(), line: 1, what: what.to_owned() };
        assert!(covers(&v(8, "crates/store/src/sqlite/writer.rs", "thread::spawn is …")));
        assert!(!covers(&v(8, "crates/store/src/inbox.rs", "thread::spawn is …")));
        assert!(!covers(&v(2, "crates/store/src/sqlite/writer.rs", "thread::spawn is …")));
        assert!(!covers(&v(8, "crates/store/src/sqlite/writer.rs", "tokio::spawn is …")));
    }
}
