//! What `channels` promises, held by tables of cases.
//!
//! - `cases`: our own bodies, in `tests/cases/`, and what becomes of them
//! - `fixtures`: every body of the fixture collection, where `BARID_FIXTURES` names its folder
//! - `plans`: the request of every kind of message, and the limits
//! - `properties`: what holds for any bytes
//! - `summary`: events as lines of text

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and speak as tests do")]

mod cases;
mod fixtures;
mod plans;
mod properties;
mod summary;
