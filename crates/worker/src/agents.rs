//! What a turn of a tenant with agents needs, and what is kept of it (S3.7 to S3.9). For all others there is nothing here to do.

use std::sync::Arc;
use std::time::Duration;

use engine::agent::{Aids, Budget, Cap, Context, Given, Record, Switch, Traces};
use store::agents::{Known, Load, PutBack, Tidy};
use store::{Next, Turn};
use types::Fault;
use types::states::ConversationState;

use crate::conversation::Held;
use crate::persist::persist;
use crate::{Mind, Worker};

/// At most so many rows of a kind in one tidying.
const TIDY: u32 = 2000;

/// Reads what the store knows, where the tenant has agents.
pub(crate) async fn aids(worker: &Worker, mind: &Mind, held: &Held, turn: &Turn) -> Result<Aids, (Fault, String)> {
    let s = &held.snapshot;
    if !mind.engine.needs_aids(s.tenant) {
        return Ok(Aids::default());
    }
    let load = Load { tenant: s.tenant, conversation: s.conversation, message: turn.message, contact: s.contact };
    let known = worker.store.read(load).await;
    let known = known.map_err(|e| (Fault::Transient, format!("what agents know could not be read: {e}")))?;
    Ok(read(known, s.conversation.to_string()))
}

fn read(known: Known, unit: String) -> Aids {
    let context = |(agent, messages, summary): (String, String, String)| {
        // A context that this version cannot read is begun anew: the conversation goes on.
        let messages = serde_json::from_str(&messages).unwrap_or_default();
        (agent, Context { messages, summary })
    };
    let given = known.given.and_then(|(intent, confidence, entities)| {
        Some(Given { intent, confidence, entities: serde_json::from_str(&entities).ok()? })
    });
    let cap = |spent: store::agents::Spent| Cap { tokens: spent.tokens, cost: spent.cost };
    Aids {
        today: Budget { contact: cap(known.contact_today), tenant: cap(known.tenant_today) },
        unit,
        switches: (known.switches.into_iter())
            .map(|(name, on, percent, picked)| Switch { name, on, percent, picked })
            .collect(),
        contexts: known.contexts.into_iter().map(context).collect(),
        spent: known.spent.into_iter().collect(),
        arms: known.arms.into_iter().collect(),
        given,
    }
}

/// How long the message must still wait for an outside service to say what it means (S3.9); then the flow answers by itself.
pub(crate) fn still_waits(worker: &Worker, mind: &Mind, held: &Held, turn: &Turn, aids: &Aids) -> Option<Duration> {
    let limit = mind.engine.waits_for_reading(held.snapshot.tenant, &turn.content)?;
    // To whom nobody answers, and whom a person answers, an outside reading is of no use.
    let heard = matches!(held.snapshot.state, ConversationState::Active | ConversationState::HandedOver);
    if aids.given.is_some() || !turn.content.wants_answer() || !heard {
        return None;
    }
    let waited = worker.store.clock().now().since(turn.received_at);
    limit.checked_sub(waited).filter(|left| !left.is_zero())
}

/// Puts the turn back for so long.
pub(crate) async fn put_back(worker: &Arc<Worker>, held: &Held, turn: &Turn, wait: Duration) -> Option<Next> {
    tracing::debug!(inbound_message_id = %turn.message, wait_ms = wait.as_millis(), "waiting for an outside reading");
    let op = PutBack {
        lease: held.lease.clone(),
        job: turn.job,
        wait,
        stop: worker.stopping(),
        policy: Arc::clone(&worker.options.policy),
    };
    Some(persist(worker, op, "a wait for an outside reading").await?.next)
}

/// What is kept, and what is measured.
pub(crate) fn traces(
    traces: Traces,
    turn: &Turn,
    known: &std::collections::BTreeMap<String, String>,
) -> Option<Box<store::agents::Traces>> {
    if traces.is_empty() {
        return None;
    }
    for record in &traces.records {
        measure(record);
        warn(record, turn);
    }
    Some(Box::new(store::agents::Traces {
        records: traces.records.into_iter().map(|r| record(r, known)).collect(),
        exposures: traces.exposures.into_iter().map(|e| (e.experiment, e.arm)).collect(),
        reached: traces.reached,
    }))
}

/// One line for a turn that an agent or a reading model was asked for in vain, without a word of what was said.
fn warn(record: &Record, turn: &Turn) {
    if matches!(record.status, "replied" | "handed_over" | "read") {
        return;
    }
    let last = record.calls.last();
    let ms: u64 = record.calls.iter().map(|call| call.ms).sum();
    tracing::warn!(request_id = %turn.request_id, inbound_message_id = %turn.message, agent = record.agent, status = record.status,
        provider = last.map_or("none", |call| &call.provider), class = last.map_or("none", |call| &call.outcome),
        calls = record.calls.len(), ms, "no answer from an agent: the flow answers");
}

fn measure(record: &Record) {
    for call in &record.calls {
        let (provider, model) = (call.provider.clone(), call.model.clone());
        metrics::histogram!("ai_processing_seconds", "provider" => provider, "model" => model)
            .record(Duration::from_millis(call.ms).as_secs_f64());
    }
    let usage = record.usage();
    metrics::counter!("ai_tokens_total", "direction" => "input").increment(usage.input);
    metrics::counter!("ai_tokens_total", "direction" => "output").increment(usage.output);
    // A sum of fractions: no counter of this facade can hold one.
    metrics::gauge!("ai_cost_total").increment(record.cost() as f64 / 1e6);
}

fn record(record: Record, known: &std::collections::BTreeMap<String, String>) -> store::agents::Record {
    let (usage, cost) = (record.usage(), record.cost());
    let last = record.calls.last();
    let context = record.context.as_ref().map(|context| {
        let messages = serde_json::to_string(&context.messages).unwrap_or_else(|_| "[]".to_owned());
        let known = serde_json::to_string(known).unwrap_or_else(|_| "{}".to_owned());
        (messages, context.summary.clone(), known, last.map_or(0, |call| call.usage.input))
    });
    store::agents::Record {
        workflow: record.workflow,
        provider: last.map(|call| call.provider.clone()),
        model: last.map(|call| call.model.clone()),
        status: record.status,
        calls: serde_json::to_string(&record.calls).unwrap_or_else(|_| "[]".to_owned()),
        call_count: u32::try_from(record.calls.len()).unwrap_or(u32::MAX),
        tokens_in: usage.input,
        tokens_out: usage.output,
        cost,
        latency_ms: record.calls.iter().map(|call| call.ms).sum(),
        context,
        agent: record.agent,
        input: record.input,
        output: record.output,
        error: record.error,
    }
}

/// Ends idle sessions and trims the log (S2.6).
pub(crate) async fn tidy(worker: &Worker) {
    if !worker.mind().engine.has_staff() {
        return;
    }
    let (o, now) = (&worker.options, worker.store.clock().now());
    let tidy = Tidy { idle_before: now.minus(o.session_idle), log_before: now.minus(o.keep_events), limit: TIDY };
    match worker.store.write(tidy).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "agents' sessions ended and their log trimmed"),
        Err(error) => tracing::warn!(%error, "agents' sessions could not be tidied"),
    }
}
