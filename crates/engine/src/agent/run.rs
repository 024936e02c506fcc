//! Asks a model, until there is a reply that may go out or no time: attempts with growing pauses, the next provider, calls answered, one mend.
//! One deadline bounds all of it; whatever was asked is on record even then.

use std::time::Duration;

use types::clock::Stopwatch;

use crate::model::tokens::Counter;
use crate::model::{self, Class, Completion, Message, Model, ModelFault, Prompt, Stop};

use super::check::{Bounds, Checked, Fault};
use super::tools::{self, Accept, Done};
use super::window;
use super::{Agent, Call, Context, Line, Record};

/// The first pause before another attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Less time than this is not worth a call.
const SHORTEST: Duration = Duration::from_millis(100);
/// Calls answered in one turn.
const ROUNDS: usize = 4;

/// Why an agent has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The deadline.
    Timeout,
    /// Every provider failed.
    Failed,
    /// A vendor will not have it said: a person is called.
    Filtered,
    /// What came may not go out.
    Refused,
    /// Every provider's breaker is open.
    Open,
}

impl Silence {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Filtered => "filtered",
            Self::Refused => "refused",
            Self::Open => "open",
        }
    }
}

/// The calls of one message.
pub(crate) struct Run<'a> {
    agent: &'a Agent,
    line: &'a Line,
    watch: Stopwatch,
    calls: Vec<Call>,
    /// Since when the last call waits for its answer.
    waiting: Option<Stopwatch>,
    /// The provider in use.
    at: usize,
    /// The request was cut for being too long.
    cut: bool,
    error: Option<String>,
}

/// What an agent is given for one reply.
pub(crate) struct Ask<'a> {
    pub bounds: Bounds<'a>,
    pub known: &'a std::collections::BTreeMap<String, String>,
    pub context: Context,
    pub message: &'a str,
    pub accept: Accept<'a>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub record: Record,
    pub reply: Result<Checked, Silence>,
    pub done: Done,
}

impl<'a> Run<'a> {
    pub(crate) fn new(agent: &'a Agent, line: &'a Line) -> Self {
        Self {
            agent,
            line,
            watch: Stopwatch::start(),
            calls: Vec::new(),
            waiting: None,
            at: 0,
            cut: false,
            error: None,
        }
    }

    fn record(&mut self, workflow: &'static str, input: &str) -> Record {
        // The deadline ended it: what it took until then is how long it took.
        if let (Some(watch), Some(lost)) = (self.waiting.take(), self.calls.last_mut()) {
            lost.ms = millis(watch);
        }
        Record {
            agent: self.agent.name.clone(),
            workflow,
            calls: std::mem::take(&mut self.calls),
            input: types::text::preview(input, 2_000).to_owned(),
            error: self.error.take(),
            ..Record::default()
        }
    }

    fn left(&self) -> Duration {
        self.agent.timeout.saturating_sub(self.watch.elapsed())
    }

    /// A reply to a customer.
    pub(crate) async fn reply(mut self, mut ask: Ask<'_>) -> Outcome {
        let mut done = Done::default();
        let limit = self.agent.timeout;
        let reply = match tokio::time::timeout(limit, self.talk(&mut ask, &mut done)).await {
            Ok(reply) => reply,
            Err(_) => {
                self.error.get_or_insert_with(|| format!("no reply within {} ms", limit.as_millis()));
                Err(Silence::Timeout)
            }
        };
        let mut record = self.record("agent", ask.message);
        match &reply {
            Ok(checked) => {
                record.status = if done.handover.is_some() { "handed_over" } else { "replied" };
                // Who reads the record wants to know why a person was called.
                record.error = done.handover.clone().or(record.error);
                record.output.clone_from(&checked.text);
                let mut context = ask.context;
                context.messages.push(Message::User { text: types::text::preview(ask.message, 4_000).to_owned() });
                context.messages.push(Message::Assistant { text: checked.text.clone(), calls: Vec::new() });
                record.context = Some(context);
            }
            Err(silence) => record.status = silence.as_str(),
        }
        Outcome { record, reply, done }
    }

    /// What a message means, as a model reads it.
    pub(crate) async fn read(mut self, text: &str) -> (Record, Option<super::Given>) {
        let mut prompt = super::reading::prompt(self.agent, text);
        let limit = self.agent.timeout;
        let given = async {
            for _ in 0..2 {
                let answer = self.ask(&mut prompt, None).await?;
                if let Some(given) = super::reading::parse(&answer.text) {
                    return Ok(given);
                }
                self.blame("the answer was not of the schema");
            }
            Err(Silence::Failed)
        };
        let given = tokio::time::timeout(limit, given).await.unwrap_or(Err(Silence::Timeout));
        let mut record = self.record("reading", text);
        record.status = given.as_ref().map_or_else(|silence| silence.as_str(), |_| "read");
        if let Ok(given) = &given {
            record.output = serde_json::to_string(given).unwrap_or_default();
        }
        (record, given.ok())
    }

    fn blame(&mut self, why: &str) {
        self.error = Some(why.to_owned());
        if let Some(last) = self.calls.last_mut() {
            last.error = Some(why.to_owned());
        }
    }

    async fn talk(&mut self, ask: &mut Ask<'_>, done: &mut Done) -> Result<Checked, Silence> {
        let agent = self.agent;
        let mut prompt = Prompt {
            system: String::new(),
            messages: Vec::new(),
            tools: tools::specs(agent),
            schema: None,
            max_output: agent.max_output,
            temperature: agent.temperature,
        };
        self.fit(&mut prompt, ask, agent.context_tokens);
        let (mut mended, mut longer) = (false, false);
        for round in 0..=ROUNDS {
            let answer = self.ask(&mut prompt, Some(&mut *ask)).await?;
            let Completion { text, calls, stop, .. } = answer;
            if stop == Stop::Length && !longer && calls.is_empty() && !text.contains(['.', '!', '?', '؟']) {
                // It never came to the end of a sentence: once more with twice the room.
                longer = true;
                prompt.max_output = prompt.max_output.saturating_mul(2);
                continue;
            }
            if !calls.is_empty() {
                prompt.messages.push(Message::Assistant { text: text.clone(), calls: calls.clone() });
                for call in &calls {
                    let result = tools::execute(agent, call, done, ask.accept);
                    let (id, name) = (call.id.clone(), call.name.clone());
                    prompt.messages.push(Message::Tool { id, name, text: result });
                }
                if text.trim().is_empty() {
                    if round + 1 == ROUNDS {
                        // Enough done: now it must speak.
                        prompt.tools.clear();
                    }
                    continue;
                }
            }
            match ask.bounds.check(&text, stop == Stop::Done) {
                Ok(checked) => return Ok(checked),
                Err(Fault::Mend(hint)) if !mended => {
                    mended = true;
                    self.blame(hint);
                    if calls.is_empty() && !text.trim().is_empty() {
                        prompt.messages.push(Message::Assistant {
                            text: types::text::preview(&text, 2_000).to_owned(),
                            calls: Vec::new(),
                        });
                    }
                    prompt.messages.push(Message::User { text: format!("[not from the customer] {hint}") });
                }
                Err(Fault::Mend(why) | Fault::Refuse(why)) => {
                    self.blame(why);
                    return Err(Silence::Refused);
                }
            }
        }
        self.blame("it called tools and never came to a reply");
        Err(Silence::Failed)
    }

    fn fit(&self, prompt: &mut Prompt, ask: &mut Ask<'_>, limit: u64) {
        let counter = self.agent.models.get(self.at).map_or(Counter::Estimate, Counter::of);
        window::fit(prompt, ask.bounds.system, ask.known, &mut ask.context, ask.message, counter, limit);
    }

    /// One answer, of whichever provider gives one.
    async fn ask(&mut self, prompt: &mut Prompt, ask: Option<&mut Ask<'_>>) -> Result<Completion, Silence> {
        let agent = self.agent;
        let mut tried = false;
        let mut ask = ask;
        while let Some(model) = agent.models.get(self.at) {
            match self.provider(model, prompt, &mut ask, &mut tried).await {
                Ok(completion) => return Ok(completion),
                Err(Some(silence)) => return Err(silence),
                Err(None) => self.at += 1,
            }
        }
        self.at = 0;
        Err(if tried || !self.calls.is_empty() { Silence::Failed } else { Silence::Open })
    }

    /// Attempts at one provider; `Err(None)`: the next one.
    async fn provider(
        &mut self,
        model: &Model,
        prompt: &mut Prompt,
        ask: &mut Option<&mut Ask<'_>>,
        tried: &mut bool,
    ) -> Result<Completion, Option<Silence>> {
        let mut pause = FIRST_PAUSE;
        for attempt in 0..=self.agent.retries {
            let fault = match self.call(model, prompt).await {
                None => return Err(None),
                Some(Ok(completion)) => return Ok(completion),
                Some(Err(fault)) => fault,
            };
            *tried = true;
            self.error = Some(format!("{}: {}", model.provider, fault.what));
            let wait = match fault.class {
                Class::Filtered => return Err(Some(Silence::Filtered)),
                Class::Provider | Class::Request => return Err(None),
                Class::TooLong if self.cut => return Err(None),
                Class::TooLong => {
                    self.cut = true;
                    let Some(ask) = ask.as_deref_mut() else { return Err(None) };
                    self.fit(prompt, ask, self.agent.context_tokens / 2);
                    Duration::ZERO
                }
                Class::Broken if attempt > 0 => return Err(None),
                Class::Broken => Duration::ZERO,
                Class::Passing { after } => after.unwrap_or_else(|| self.line.dice.jitter(pause)),
            };
            // Half of what is left belongs to the other providers.
            if attempt == self.agent.retries || wait + SHORTEST > self.left() / 2 {
                return Err(None);
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        Err(None)
    }

    /// One call; `None`: its breaker is open, or no time.
    async fn call(&mut self, model: &Model, prompt: &Prompt) -> Option<Result<Completion, ModelFault>> {
        let left = self.left();
        if left < SHORTEST {
            return None;
        }
        let permit = match self.line.breakers.permit(&format!("llm_{}", model.provider)) {
            Ok(permit) => permit,
            Err(open) => {
                self.error.get_or_insert_with(|| open.to_string());
                return None;
            }
        };
        let plan = model::plan(model, prompt);
        let others = self.agent.models.len() > self.at + 1;
        let timeout = self.agent.call_timeout.min(if others { left / 2 } else { left });
        let watch = Stopwatch::start();
        self.waiting = Some(watch);
        // Noted before it is made: the deadline may end this very call, and what was sent may cost something all the same.
        self.calls.push(Call {
            provider: model.provider.clone(),
            model: model.model.clone(),
            outcome: "lost".to_owned(),
            error: None,
            usage: model::Usage::default(),
            cost: 0,
            ms: 0,
            tools: Vec::new(),
        });
        let answer = self.line.client.call(&plan, timeout).await;
        self.waiting = None;
        let result = model::read(model, &answer);
        let usage = result.as_ref().map_or_else(|f| f.usage, |c| c.usage);
        if let Some(note) = self.calls.last_mut() {
            note.ms = millis(watch);
            (note.usage, note.cost) = (usage, model.cost(usage));
            note.outcome = result.as_ref().map_or_else(|f| f.class.as_str(), |_| "ok").to_owned();
            note.error = result.as_ref().err().map(|f| f.what.clone());
            note.tools = result.as_ref().map_or_else(|_| Vec::new(), |c| tools::named(&c.calls));
        }
        match result.as_ref().map_err(|f| (f.class, f.what.as_str())) {
            Err((Class::Passing { .. } | Class::Provider, what)) => permit.failed(what),
            // It answers, whatever it says.
            _ => permit.succeeded(),
        }
        Some(result)
    }
}

fn millis(watch: Stopwatch) -> u64 {
    u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX)
}
