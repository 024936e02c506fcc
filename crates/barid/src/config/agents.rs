//! Agents, experiments, and who understands (S3.3, S3.7, S3.8).

use std::path::Path;
use std::time::Duration;

use types::Secret;

use super::check;
use super::load::{optional, tables};
use super::read::{Context, Reader};
use super::report::Place;
use super::tree::{Entry, Value};

/// `[[agents]]`
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// What it is and does.
    pub prompt: String,
    /// Its models, in the order in which they are tried.
    pub providers: Vec<Provider>,
    /// How freely it writes.
    pub temperature: Option<f64>,
    /// A reply has at most so many tokens.
    pub max_output: u32,
    /// A request has at most so many tokens.
    pub context_tokens: u32,
    /// A session takes at most so many tokens; 0: no bound.
    pub session_tokens: u32,
    /// What it may do.
    pub tools: Vec<String>,
    /// Actions that it may propose.
    pub actions: Vec<String>,
    /// Hosts that its replies may name.
    pub links: Vec<String>,
    /// Longest that all of it may take for one message.
    pub timeout: Duration,
    /// Longest that one call may take.
    pub call_timeout: Duration,
    /// Further attempts at one provider.
    pub retries: u32,
}

/// `[[agents.providers]]`
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in metrics and breakers.
    pub name: String,
    /// Which wire format it speaks.
    pub kind: ProviderKind,
    /// Its address; `None`: the vendor's own.
    pub base_url: Option<String>,
    /// The model.
    pub model: String,
    /// The key.
    pub api_key: Option<Secret>,
    /// Price of a million tokens read.
    pub price_in: f64,
    /// Price of a million tokens written.
    pub price_out: f64,
}

/// Which wire format a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// Chat completions.
    OpenAi,
    /// Messages.
    Anthropic,
    /// generateContent.
    Gemini,
}

/// Who says what a message means (S3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Understanding {
    /// The built-in classifier.
    BuiltIn,
    /// A model.
    Model,
    /// An outside service.
    Outside,
}

/// `[[tenants.experiments]]`
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// Another salt gives the variants anew.
    pub salt: String,
    /// What counts.
    pub goal: Goal,
    /// So many of a hundred conversations take part.
    pub percent: u8,
    /// Decided only once so many conversations have an outcome; 0: as soon as the test sees a difference.
    pub planned: u32,
    /// A conversation that has not reached the goal by then has not.
    pub within: Duration,
    /// Its variants.
    pub arms: Vec<Arm>,
}

/// What counts in an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A person was called.
    Handover,
    /// Handed over for a quotation.
    Quotation,
    /// An e-mail address or phone number was told.
    Contact,
}

/// `[[tenants.experiments.arms]]`
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// Its share, relative to the others.
    pub weight: u32,
    /// The agent that answers; `flow`: none.
    pub agent: Option<String>,
    /// In place of the agent's prompt.
    pub prompt: Option<String>,
    /// In place of the tenant's flow.
    pub flow: Option<super::Flow>,
}

/// What a tenant says of agents.
#[derive(Clone, Debug)]
pub struct Staff {
    /// Who answers; `None`: the flow.
    pub agent: Option<String>,
    /// Who says what a message means.
    pub understanding: Understanding,
    /// The agent whose models read.
    pub reader: Option<String>,
    /// How long an outside service is waited for.
    pub wait: Duration,
    /// What is compared.
    pub experiments: Vec<Experiment>,
    /// What models may take in a day.
    pub budget: engine::agent::Budget,
}

const PROVIDERS: [(&str, ProviderKind); 3] =
    [("openai", ProviderKind::OpenAi), ("anthropic", ProviderKind::Anthropic), ("gemini", ProviderKind::Gemini)];

/// Every agent of the file.
pub(super) fn agents(cx: &Context, root: &[Entry]) -> Option<Vec<Agent>> {
    let all: Vec<_> = tables(root, "agents").map(|(entries, at)| agent(cx, entries, at)).collect();
    all.into_iter().collect()
}

fn agent(cx: &Context, entries: &[Entry], at: Place) -> Option<Agent> {
    let r = Reader::new(cx, "agents", entries, at);
    let name = r.text_that("name", check::known_name, "\"front_desk\"");
    let prompt = prompt(&r);
    let temperature = r.given("temperature").map(|_| r.decimal("temperature"));
    let [max_output, context_tokens, session_tokens, retries] =
        ["max_output", "context_tokens", "session_tokens", "retries"].map(|key| r.count(key));
    let [tools, actions, links] = ["tools", "actions", "links"].map(|key| r.texts(key));
    let (timeout, call_timeout) = (r.duration("timeout"), r.duration("call_timeout"));
    let providers: Vec<_> = tables(entries, "providers").map(|(entries, at)| provider(cx, entries, at)).collect();
    if providers.is_empty() {
        r.mistake(r.place(), "providers", "has none: this agent asks nobody", "add [[agents.providers]]");
    }
    for tool in tools.iter().flatten().filter(|t| !engine::agent::Tool::ALL.iter().any(|known| known.as_str() == *t)) {
        let known = engine::agent::Tool::ALL.map(engine::agent::Tool::as_str).join(", ");
        r.mistake(&r.place_of("tools"), "tools", format!("{tool:?} is no tool"), format!("use some of {known}"));
    }
    Some(Agent {
        name: name?,
        prompt: prompt?,
        providers: providers.into_iter().collect::<Option<_>>()?,
        temperature: optional(temperature)?,
        max_output: max_output?,
        context_tokens: context_tokens?,
        session_tokens: session_tokens?,
        tools: tools?,
        actions: actions?,
        links: links?.into_iter().map(|l| l.to_lowercase()).collect(),
        timeout: timeout?,
        call_timeout: call_timeout?,
        retries: retries?,
    })
}

fn prompt(r: &Reader<'_>) -> Option<String> {
    if r.given("prompt_file").is_none() {
        if r.given("prompt").is_none() {
            r.mistake(r.place(), "prompt", "is missing", "write prompt = \"…\" or prompt_file = \"prompt.txt\"");
            return None;
        }
        return r.text("prompt");
    }
    let at = r.place_of("prompt_file");
    let path = r.resolve(&r.text("prompt_file")?, &at);
    read(&path).map_err(|why| r.mistake(&at, "prompt_file", why, "write the path of a text file")).ok()
}

fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    if text.trim().is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(text.trim().to_owned()) }
}

fn provider(cx: &Context, entries: &[Entry], at: Place) -> Option<Provider> {
    let r = Reader::new(cx, "agents.providers", entries, at);
    let name = r.text_that("name", check::known_name, "\"openai\"");
    let kind = r.choice("kind", &PROVIDERS);
    let base_url = r.given("base_url").map(|_| r.web("base_url"));
    let model = r.text_that("model", model_name, "\"gpt-4o-mini\"");
    let api_key = r.given("api_key").map(|_| r.secret("api_key"));
    let (price_in, price_out) = (r.decimal("price_in"), r.decimal("price_out"));
    Some(Provider {
        name: name?,
        kind: kind?,
        base_url: optional(base_url)?,
        model: model?,
        api_key: optional(api_key)?,
        price_in: price_in?,
        price_out: price_out?,
    })
}

/// A model's name stands in addresses.
fn model_name(text: &str) -> Result<(), String> {
    let fits = text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@".contains(c));
    if fits { Ok(()) } else { Err(format!("{text:?} is not the name of a model")) }
}

/// What a tenant says of agents.
pub(super) fn staff(cx: &Context, r: &Reader<'_>, entries: &[Entry]) -> Option<Staff> {
    let agent = r.given("agent").map(|_| r.text("agent"));
    let words =
        [("builtin", Understanding::BuiltIn), ("model", Understanding::Model), ("outside", Understanding::Outside)];
    let understanding = r.choice("understanding", &words);
    let reader = r.given("understanding_agent").map(|_| r.text("understanding_agent"));
    let wait = r.duration("understanding_wait");
    let experiments: Vec<_> = tables(entries, "experiments").map(|(entries, at)| experiment(cx, entries, at)).collect();
    let budget = budget(cx, r, entries);
    Some(Staff {
        budget: budget?,
        agent: optional(agent)?,
        understanding: understanding?,
        reader: optional(reader)?,
        wait: wait?,
        experiments: experiments.into_iter().collect::<Option<_>>()?,
    })
}

/// `[tenants.budget]`
fn budget(cx: &Context, tenant: &Reader<'_>, entries: &[Entry]) -> Option<engine::agent::Budget> {
    let given = entries.iter().find(|e| e.key == "budget");
    let (inside, at) = match given.map(|e| (&e.node.value, e.at.clone())) {
        Some((Value::Table(inside), at)) => (inside.as_slice(), at),
        // Something else than a table was complained of already.
        Some(_) => return None,
        None => (&[][..], tenant.place().clone()),
    };
    let r = Reader::new(cx, "tenants.budget", inside, at);
    let cap = |tokens: &str, cost: &str| {
        let (tokens, cost) = (r.count(tokens), r.decimal(cost));
        // Bounded by the keys to a million: no cast can go wrong.
        Some(engine::agent::Cap { tokens: tokens?.into(), cost: (cost? * 1e6).round() as u64 })
    };
    let (contact, tenant) = (cap("contact_tokens", "contact_cost"), cap("tenant_tokens", "tenant_cost"));
    Some(engine::agent::Budget { contact: contact?, tenant: tenant? })
}

fn experiment(cx: &Context, entries: &[Entry], at: Place) -> Option<Experiment> {
    let r = Reader::new(cx, "tenants.experiments", entries, at);
    let name = r.text_that("name", check::known_name, "\"greeting\"");
    let salt = r.given("salt").map(|_| r.text("salt"));
    let goals = [("handover", Goal::Handover), ("quotation", Goal::Quotation), ("contact", Goal::Contact)];
    let goal = r.choice("goal", &goals);
    let (percent, planned, within) = (r.count("percent"), r.count("planned"), r.duration("within"));
    let arms: Vec<_> = tables(entries, "arms").map(|(entries, at)| arm(cx, entries, at)).collect();
    if arms.len() < 2 {
        r.mistake(r.place(), "arms", "compares fewer than two variants", "add [[tenants.experiments.arms]]");
    }
    Some(Experiment {
        name: name?,
        salt: optional(salt)?.unwrap_or_default(),
        goal: goal?,
        percent: u8::try_from(percent?).unwrap_or(100),
        planned: planned?,
        within: within?,
        arms: arms.into_iter().collect::<Option<_>>()?,
    })
}

fn arm(cx: &Context, entries: &[Entry], at: Place) -> Option<Arm> {
    let r = Reader::new(cx, "tenants.experiments.arms", entries, at);
    let name = r.text_that("name", check::slug, "\"warm\"");
    let weight = r.count("weight");
    let agent = r.given("agent").map(|_| r.text("agent"));
    let prompt = r.given("prompt").map(|_| r.text("prompt"));
    let flow = r.given("flow").map(|_| super::load::flow(&r));
    Some(Arm {
        name: name?,
        weight: weight?,
        agent: optional(agent)?,
        prompt: optional(prompt)?,
        flow: optional(flow)?,
    })
}

/// What no table can see alone: names that nobody has, and an agent that outlasts its turn (S2.4).
pub(super) fn cross(cx: &Context, root: &[Entry], agents: &[Agent]) {
    let jobs = Reader::top(cx, root, "jobs").quietly();
    let turn = jobs.duration("turn_timeout");
    for (n, (entries, at)) in tables(root, "agents").enumerate() {
        let r = Reader::new(cx, "agents", entries, at);
        let Some(agent) = agents.get(n) else { continue };
        if agents[..n].iter().any(|a| a.name == agent.name) {
            r.mistake(
                &r.place_of("name"),
                "name",
                format!("{:?} is taken", agent.name),
                "give each agent its own name",
            );
        }
        if let Some(turn) = turn.filter(|turn| agent.timeout + Duration::from_secs(1) > *turn) {
            let spell = super::values::spell;
            let what = format!(
                "{} leaves the flow no time to answer within [jobs] turn_timeout = {}",
                spell(agent.timeout),
                spell(turn)
            );
            r.mistake(&r.place_of("timeout"), "timeout", what, "shorten it, or prolong turn_timeout");
        }
        for (entries, at) in tables(entries, "providers") {
            check::plain_secrets(&Reader::new(cx, "agents.providers", entries, at).quietly(), "agents.providers.");
        }
    }
    let known = |name: &str| agents.iter().any(|a| a.name == name);
    let unknown = |r: &Reader<'_>, key: &str, also: &str| {
        let Some(name) = r.given(key).and_then(|_| r.text(key)).filter(|n| !known(n) && n != also) else { return };
        r.mistake(&r.place_of(key), key, format!("there is no agent {name:?}"), "add it under [[agents]]");
    };
    for (entries, at) in tables(root, "tenants") {
        let r = Reader::new(cx, "tenants", entries, at);
        unknown(&r, "agent", "flow");
        unknown(&r, "understanding_agent", "");
        let by_model = r.given("understanding").and_then(|_| r.text("understanding")).as_deref() == Some("model");
        if by_model && r.given("understanding_agent").is_none() && r.given("agent").is_none() {
            let mend = "write understanding_agent = \"…\", an agent whose models read";
            r.mistake(&r.place_of("understanding"), "understanding", "names no model", mend);
        }
        for (entries, _) in tables(entries, "experiments") {
            for (entries, at) in tables(entries, "arms") {
                unknown(&Reader::new(cx, "tenants.experiments.arms", entries, at), "agent", "flow");
            }
        }
    }
}
