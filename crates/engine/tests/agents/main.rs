//! Agents against simulated vendors over real HTTP: what they answer, and every way in which they do not (S3.7, S3.8). Whatever a vendor does, the
//! lead has an answer within the agent's time.

#[cfg(test)]
mod choice;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod support;
#[cfg(test)]
mod talk;
