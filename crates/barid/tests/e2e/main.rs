//! The whole engine in one process, with the simulated providers beside it and real HTTP between them. Every test says the rule that it
//! holds; time is jumped, never waited for.
//!
//! - `support`: the world that every test starts, and how it is looked at
//! - `agents`: agents, their switches, readings from outside (S3.7 to S3.9)
//! - `intake`, `corpus`, `clients`: what comes in (S1, S7.4)
//! - `alerts`: what is wrong is told (S6.6); `webhooks`: tenants' programs are told what happens
//! - `actions`: what follows from a message (S3.4 to S3.6, S3.10)
//! - `talk`, `people`: conversations, and people who take part in them (S1.8, S3)
//! - `sending`, `doubt`, `receipts`: what goes out, what may have gone out, and what became of it (S4)
//! - `jobs`, `letters`, `drain`: the queue (S2)
//! - `away`: a database that is away for a while (S1.5, S8.2)
//! - `seeing`, `tenants`: health, metrics, logs (S6); two tenants side by side (S7.1)

#[cfg(test)]
mod actions;
#[cfg(test)]
mod agents;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod away;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod doubt;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod intake;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod letters;
#[cfg(test)]
mod people;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod seeing;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod support;
#[cfg(test)]
mod talk;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod webhooks;
