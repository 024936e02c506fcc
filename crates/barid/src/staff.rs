//! Agents and experiments, from the configuration to the engine and to the page.

use std::sync::Arc;

use admin::api::experiments::{Judge, Judged, Lifted, Outcome};
use admin::api::{AgentInfo, BudgetInfo, ExperimentInfo};
use anyhow::Context;
use engine::agent::{Agent, Arm, Goal, Reading, Staff, Tool, Trial};
use engine::experiment::{self, Experiment, SplitCheck, Test, Variant};
use engine::model::{Model, Wire};

use crate::config::{self, Config, Flow, ProviderKind, Tenant, Understanding};

/// A tenant's flow.
///
/// # Errors
/// When its file cannot be read.
pub fn flow(flow: &Flow) -> anyhow::Result<engine::Flow> {
    match flow {
        Flow::Default => Ok(engine::Flow::default_flow()),
        Flow::File(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read the flow {}", path.display()))?;
            engine::Flow::from_toml(&text).with_context(|| format!("the flow {}", path.display()))
        }
    }
}

fn model(p: &config::Provider) -> Model {
    let wire = match p.kind {
        ProviderKind::OpenAi => Wire::OpenAi,
        ProviderKind::Anthropic => Wire::Anthropic,
        ProviderKind::Gemini => Wire::Gemini,
    };
    // Bounded by the configuration to a million: no cast can go wrong.
    let millionths = |price: f64| (price * 1e6).round() as u64;
    Model {
        provider: p.name.clone(),
        wire,
        base: p.base_url.clone().unwrap_or_else(|| wire.usual_base().to_owned()),
        model: p.model.clone(),
        key: p.api_key.clone(),
        price_in: millionths(p.price_in),
        price_out: millionths(p.price_out),
    }
}

fn agent(a: &config::Agent) -> Agent {
    Agent {
        name: a.name.clone(),
        prompt: a.prompt.clone(),
        models: a.providers.iter().map(model).collect(),
        temperature: a.temperature,
        max_output: a.max_output,
        context_tokens: a.context_tokens.into(),
        session_tokens: a.session_tokens.into(),
        tools: Tool::ALL.into_iter().filter(|t| a.tools.iter().any(|n| n == t.as_str())).collect(),
        actions: a.actions.clone(),
        links: a.links.clone(),
        timeout: a.timeout,
        call_timeout: a.call_timeout,
        retries: a.retries,
    }
}

fn variants(e: &config::Experiment) -> Vec<Variant> {
    e.arms.iter().map(|a| Variant { name: a.name.clone(), weight: a.weight }).collect()
}

fn trial(e: &config::Experiment) -> anyhow::Result<Trial> {
    let arm = |a: &config::Arm| -> anyhow::Result<Arm> {
        let flow = a.flow.as_ref().map(flow).transpose()?;
        Ok(Arm { name: a.name.clone(), agent: a.agent.clone(), prompt: a.prompt.clone(), flow })
    };
    Ok(Trial {
        experiment: Experiment::new(&e.name, &e.salt, variants(e), e.percent)?,
        name: e.name.clone(),
        goal: match e.goal {
            config::Goal::Handover => Goal::Handover,
            config::Goal::Quotation => Goal::Quotation,
            config::Goal::Contact => Goal::Contact,
        },
        arms: e.arms.iter().map(arm).collect::<anyhow::Result<_>>()?,
    })
}

/// The agents that a tenant may meet: its own, and those of its experiments.
fn met<'c>(config: &'c Config, tenant: &'c Tenant) -> impl Iterator<Item = &'c config::Agent> {
    let s = &tenant.staff;
    let arms = s.experiments.iter().flat_map(|e| &e.arms).filter_map(|a| a.agent.as_ref());
    let names: Vec<&String> = s.agent.iter().chain(arms).collect();
    config.agents.iter().filter(move |a| names.contains(&&a.name))
}

/// What a tenant has of agents.
///
/// # Errors
/// When an experiment compares nothing, or the file of a flow cannot be read.
pub fn staff(config: &Config, tenant: &Tenant) -> anyhow::Result<Staff> {
    let s = &tenant.staff;
    let reading = match s.understanding {
        Understanding::BuiltIn => Reading::BuiltIn,
        Understanding::Outside => Reading::Outside(s.wait),
        Understanding::Model => {
            let name = s.reader.as_ref().or(s.agent.as_ref());
            let found = config.agents.iter().find(|a| Some(&a.name) == name);
            Reading::Model(Box::new(agent(found.context("understanding = \"model\" names no agent")?)))
        }
    };
    Ok(Staff {
        agent: s.agent.clone().filter(|name| name != "flow"),
        agents: met(config, tenant).map(agent).collect(),
        reading,
        budget: s.budget,
        trials: s.experiments.iter().map(trial).collect::<anyhow::Result<_>>()?,
    })
}

/// The agents of a tenant, for the page.
#[must_use]
pub fn shown_agents(config: &Config, tenant: &Tenant) -> Vec<AgentInfo> {
    let info = |a: &config::Agent| AgentInfo {
        name: a.name.clone(),
        prompt_hash: types::text::digest(a.prompt.as_bytes())[..12].to_owned(),
        providers: a.providers.iter().map(|p| (p.name.clone(), p.model.clone())).collect(),
        answers: config.enhanced,
        budget: budget(tenant.staff.budget),
    };
    met(config, tenant).map(info).collect()
}

/// A budget as the page shows it.
#[must_use]
pub fn budget(budget: engine::agent::Budget) -> BudgetInfo {
    let bound = |n: u64| (n > 0).then_some(n);
    BudgetInfo {
        contact_tokens: bound(budget.contact.tokens),
        contact_cost: bound(budget.contact.cost),
        tenant_tokens: bound(budget.tenant.tokens),
        tenant_cost: bound(budget.tenant.cost),
    }
}

/// The experiments of a tenant, for the page.
#[must_use]
pub fn shown_experiments(tenant: &Tenant) -> Vec<ExperimentInfo> {
    let info = |e: &config::Experiment| ExperimentInfo {
        name: e.name.clone(),
        goal: match e.goal {
            config::Goal::Handover => "handover",
            config::Goal::Quotation => "quotation",
            config::Goal::Contact => "contact",
        },
        percent: e.percent,
        planned: (e.planned > 0).then_some(e.planned),
        within: e.within,
        arms: e.arms.iter().map(|a| (a.name.clone(), a.weight)).collect(),
    };
    tenant.staff.experiments.iter().map(info).collect()
}

/// Judges outcomes with the engine's test, which may be looked at any time.
#[must_use]
pub fn judge() -> Arc<dyn Judge> {
    Arc::new(ByTest)
}

struct ByTest;

impl Judge for ByTest {
    fn judge(&self, weights: &[u32], exposed: &[usize], outcomes: &[Outcome]) -> Judged {
        let total: f64 = weights.iter().map(|w| f64::from(*w)).sum::<f64>().max(1.0);
        let shares: Vec<f64> = weights.iter().map(|w| f64::from(*w) / total).collect();
        let (mut split, mut test) = (SplitCheck::new(shares.clone()), Test::new(shares));
        exposed.iter().for_each(|arm| split.add(*arm));
        outcomes.iter().for_each(|o| test.add(o.arm, o.reached));
        let results = experiment::results(&split, &test);
        let base = results.arms.first().copied().unwrap_or_default();
        let lift = |arm: &experiment::Arm| {
            let lift = experiment::lift(base, *arm, 0.05)?;
            Some(Lifted { difference: lift.difference, low: lift.low, high: lift.high })
        };
        Judged {
            p_value: results.p_value,
            winner: results.winner,
            split_is_sound: results.split_is_sound,
            lifts: results.arms.iter().enumerate().map(|(n, arm)| if n == 0 { None } else { lift(arm) }).collect(),
        }
    }
}

/// The configuration as the page shows it.
pub fn shown_configuration(config: &Config) -> Vec<admin::api::ConfigurationKey> {
    let shown = |s: &crate::config::Shown| admin::api::ConfigurationKey {
        tenant: s.tenant.clone(),
        key: s.key.clone(),
        value: s.value.clone(),
        given: s.given,
        meaning: s.meaning.to_owned(),
    };
    config.shown.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of 400 experiments in which a difference is called at the end, and how often the interval then misses the truth.
    fn called(rates: [f64; 2]) -> (f64, f64) {
        let dice = types::Dice::seeded(7);
        let chance = || (dice.throw() >> 11) as f64 / (1_u64 << 53) as f64;
        let (mut called, mut missed) = (0.0, 0.0);
        for _ in 0..400 {
            let exposed: Vec<usize> = (0..2_000).map(|_| usize::from(chance() < 0.5)).collect();
            let outcomes: Vec<Outcome> =
                exposed.iter().map(|arm| Outcome { arm: *arm, reached: chance() < rates[*arm] }).collect();
            let judged = judge().judge(&[1, 1], &exposed, &outcomes);
            assert!(judged.split_is_sound && judged.lifts[0].is_none());
            called += f64::from(u8::from(judged.p_value <= 0.05));
            let lift = judged.lifts[1].expect("enough of both");
            missed += f64::from(u8::from(rates[1] - rates[0] < lift.low || rates[1] - rates[0] > lift.high));
        }
        (called / 400.0, missed / 400.0)
    }

    /// S3.8: what the page shows is honest with and without a difference.
    #[test]
    fn what_the_page_shows_is_honest() {
        let (false_alarms, missed) = called([0.2, 0.2]);
        println!(
            "without a difference: called in {:.1} %, interval misses in {:.1} %",
            false_alarms * 100.0,
            missed * 100.0
        );
        assert!(false_alarms <= 0.05 && missed <= 0.05, "{false_alarms} {missed}");
        let (found, missed) = called([0.2, 0.3]);
        println!("20 % against 30 %: called in {:.1} %, interval misses in {:.1} %", found * 100.0, missed * 100.0);
        assert!(found >= 0.9 && missed <= 0.05, "{found} {missed}");
    }
}
