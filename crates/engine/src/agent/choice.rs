//! Who answers a conversation: switches, gradual roll-outs, and experiments (S3.8). Switches are read from the database with every turn, so
//! one that is turned takes effect with the next, on every node.

use crate::experiment::{Assignment, Experiment, Switches};

use super::{Aids, Exposure, Staff, Switch};

/// What an experiment counts as reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A person was called, for whatever reason.
    Handover,
    /// The flow or the agent came to its end: handed over for a quotation.
    Quotation,
    /// An e-mail address or a phone number was told.
    Contact,
}

impl Goal {
    /// Its word in the configuration and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handover => "handover",
            Self::Quotation => "quotation",
            Self::Contact => "contact",
        }
    }
}

/// A variant of who answers.
#[derive(Clone, Debug, Default)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// The agent that answers; `None`: the tenant's usual one; `flow`: the flow.
    pub agent: Option<String>,
    /// In place of the agent's own prompt.
    pub prompt: Option<String>,
    /// In place of the tenant's flow.
    pub flow: Option<crate::Flow>,
}

/// An experiment of a tenant.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Who gets which variant.
    pub experiment: Experiment,
    /// Its name.
    pub name: String,
    /// What counts.
    pub goal: Goal,
    /// The variants, in the order of the experiment's.
    pub arms: Vec<Arm>,
}

/// Who answers a turn.
#[derive(Debug, Default)]
pub(crate) struct Choice<'a> {
    /// The agent; `None`: the flow.
    pub agent: Option<&'a super::Agent>,
    /// In place of the agent's own prompt.
    pub prompt: Option<&'a str>,
    /// In place of the tenant's flow.
    pub flow: Option<&'a crate::Flow>,
    /// Variants given for the first time.
    pub exposures: Vec<Exposure>,
    /// Experiments in which this conversation takes part, with their goals.
    pub goals: Vec<(&'a str, Goal)>,
    /// For the trace.
    pub step: Option<String>,
}

fn switch<'a>(aids: &'a Aids, kind: &str, name: &str) -> Option<&'a Switch> {
    aids.switches.iter().find(|s| s.name.strip_prefix(kind).is_some_and(|rest| rest == name))
}

/// Whether a switch lets this conversation through: on, and within the roll-out. A switch that nobody set is on for all.
fn lets(aids: &Aids, kind: &str, name: &str) -> bool {
    switch(aids, kind, name).is_none_or(|s| s.on && crate::experiment::within(&s.name, &aids.unit, s.percent))
}

/// Decides; `off`: all agents are off on this node (`WA_ENHANCED_PROCESSING=false`).
pub(crate) fn choose<'a>(staff: &'a Staff, aids: &Aids, off: bool) -> Choice<'a> {
    let mut choice = Choice::default();
    let mut agent = staff.agent.as_deref();
    for trial in &staff.trials {
        let stop = switch(aids, "experiment:", &trial.name);
        let switches = Switches { all_off: off, off: stop.is_some_and(|s| !s.on) };
        let before = aids.arms.get(&trial.name).map(String::as_str);
        // A narrower roll-out than the configured one keeps out only who is not in yet.
        let outside =
            before.is_none() && stop.is_some_and(|s| !crate::experiment::within(&s.name, &aids.unit, s.percent));
        if outside {
            continue;
        }
        let picked = stop.and_then(|s| s.picked.as_deref());
        let settled = picked.and_then(|p| trial.experiment.settled(&aids.unit, before, p, switches));
        let assigned = settled.unwrap_or_else(|| trial.experiment.assign(&aids.unit, before, switches));
        let Assignment::Variant(at, variant) = assigned else { continue };
        // Once a winner is picked, nothing is compared any more: what was found stays as it is.
        if settled.is_none() {
            if before != Some(variant.name.as_str()) {
                choice.exposures.push(Exposure { experiment: trial.name.clone(), arm: variant.name.clone() });
            }
            choice.goals.push((&trial.name, trial.goal));
        }
        let Some(arm) = trial.arms.get(at) else { continue };
        if let Some(name) = &arm.agent {
            agent = Some(name);
        }
        choice.prompt = arm.prompt.as_deref().or(choice.prompt);
        choice.flow = arm.flow.as_ref().or(choice.flow);
    }
    let Some(name) = agent.filter(|name| *name != "flow") else { return choice };
    if off {
        choice.step = Some("agents are off here (WA_ENHANCED_PROCESSING)".to_owned());
    } else if !lets(aids, "agents", "") {
        choice.step = Some("agents are switched off".to_owned());
    } else if !lets(aids, "agent:", name) {
        choice.step = Some(format!("agent {name} is switched off, or not rolled out to here"));
    } else {
        choice.agent = staff.get(name);
    }
    choice
}
