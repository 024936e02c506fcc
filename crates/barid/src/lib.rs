//! What the binary is made of, as a library so that tests reach it.
//!
//! - [`config`]: `barid.toml` and its environment

pub mod config;
