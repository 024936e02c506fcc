//! The rows as people see them: one definition that the API, the page's types and `--json` share. Ids are texts, moments RFC 3339.

mod inbox;
mod team;
mod words;

pub use inbox::*;
pub use team::*;
pub use words::*;
