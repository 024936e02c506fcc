//! The API, from outside.
//!
//! - `contract.rs`: the description is the one that is kept, and says of every route what it asks

#[cfg(test)]
mod contract;
