//! What the binary is made of, as a library so that tests and benchmarks reach it.
//!
//! - [`config`]: `barid.toml` and its environment
//! - [`wire`]: where everything meets: configuration in, running engine out
//! - [`staff`]: agents and experiments, from the configuration to the engine
//! - `reload`: the configuration, read again while the server runs
//! - [`serve`]: sockets, limits on slow and many clients, the drain
//! - [`telemetry`]: logs and metrics
//! - [`cli`]: one file per command
//! - [`demo`]: the engine with a simulated WhatsApp
//! - [`killpoints`]: places where the crash tests end the process

pub mod cli;
pub mod config;
pub mod demo;
pub mod killpoints;
mod reload;
pub mod serve;
pub mod staff;
pub mod telemetry;
mod waiting;
pub mod wire;
