//! Understanding a message: intent with confidence, and entities (S3.3). Text in, values out; no state, no I/O.
//!
//! - [`Reader`]: reads a text; made once, shared
//! - `text`: folding and tokens; `language`: which language a message speaks
//! - `lexicon`: what words mean (data: `lexicon.toml`, `words.toml`, `nations.txt`)
//! - `contact`: e-mail addresses, phone numbers, web addresses
//! - `nationality`, `time`, `name`, `service`, `quantity`: one entity each, over the tokens that the lexicon has marked
//! - [`classify`]: a classifier that learns from phrases; `builtin`: the built-in intents by it; `intent`: the rules that it listens to
//! - `suppress`: STOP and START in all their words (S3.10)

mod builtin;
pub mod classify;
mod contact;
mod intent;
mod language;
mod lexicon;
mod meaning;
mod name;
mod nationality;
mod quantity;
mod read;
mod service;
mod suppress;
mod text;
mod time;

pub use contact::{dialled, is_region};
pub use language::Language;
pub use meaning::{Entities, Entity, Intent, Slot, Suppression, Understanding};
pub use read::{Background, Reader};
pub use service::stem;
pub use text::fold;

/// Understanding cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum NluError {
    /// A built-in word list is broken.
    #[error("the built-in word lists cannot be read: {0}")]
    Lexicon(String),
    /// A tenant's phone region is no country.
    #[error("{0:?} is no country: write the ISO code of the region of phone numbers, for example AE")]
    Region(String),
}
