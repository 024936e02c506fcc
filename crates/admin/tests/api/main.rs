//! The API, from outside.
//!
//! - `contract.rs`: the description is the one that is kept, and says of every route what it asks
//! - `attacks.rs`: what must not be possible, on every route
//! - `uses.rs`: what people and programs do
//! - `people.rs`: leads merged, people erased
//! - `support.rs`: two tenants, each with one of everything

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod people;
#[cfg(test)]
mod support;
#[cfg(test)]
mod uses;
