//! The command line as its users meet it: the real binary, its words, its exit codes.
//!
//! - `support`: running it, and texts without what differs from run to run
//! - `prepared`: a small database with a conversation, a failed send and a dead letter
//! - `accounts`: people who sign in, and programs
//! - `carried`: `barid move`, killed on the way
//! - `erase`: one person leaves the database
//! - `help`: the words of each command's help
//! - `lists`: tables and JSON over the prepared database; acting on it
//! - `postgres`: the same commands on a PostgreSQL
//! - `misuse`: wrong use is exit 2 with the mend; failure is exit 1
//! - `reload`: the configuration, read again at SIGHUP
//! - `talk`: the demo, and whole conversations with it

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod carried;
#[cfg(test)]
mod erase;
#[cfg(test)]
mod help;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod misuse;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod prepared;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod support;
#[cfg(test)]
mod talk;
