//! A turn: the engine decides, and reply, state and finished job are saved in one transaction, before anything is sent (promise 3).

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use engine::agent::Aids;
use engine::{Decision, Memory, Suppression};
use futures_util::FutureExt;
use store::jobs::{FailTurn, Finish, FinishTurn, Reply};
use store::sagas::{NewAct, NewSaga};
use store::{Next, Snapshot, Turn};
use types::Fault;
use types::clock::Stopwatch;
use types::inbound::Content;
use types::outbound::{OutboundContent, Recipient};
use types::states::ConversationState;

use crate::conversation::Held;
use crate::persist::persist;
use crate::{Mind, Worker};

/// The longest text that every provider takes in one message (PROTOCOL.md, 2).
const LONGEST_TEXT: usize = 4096;

/// Works one turn; what follows it.
pub(crate) async fn run(worker: &Arc<Worker>, held: &mut Held, turn: Turn) -> Option<Next> {
    let watch = Stopwatch::start();
    let mind = worker.mind();
    let aids = match crate::agents::aids(worker, &mind, held, &turn).await {
        Ok(aids) => aids,
        Err((fault, error)) => return fail(worker, held, turn, fault, error).await,
    };
    if let Some(wait) = crate::agents::still_waits(worker, &mind, held, &turn, &aids) {
        return crate::agents::put_back(worker, held, &turn, wait).await;
    }
    let finish = match decide(worker, &mind, held, &turn, aids).await {
        Ok(finish) => finish,
        Err((fault, error)) => return fail(worker, held, turn, fault, error).await,
    };
    fail::fail_point!("worker.decided");
    let replies = !finish.replies.is_empty();
    let admitted = replies.then(|| worker.egress.admit(held.snapshot.channel, &held.snapshot.recipient));
    let (admitted, wait) = match admitted.transpose() {
        Ok(admitted) => (admitted, None),
        Err(wait) => (None, Some(wait)),
    };
    // What waits behind a breaker is saved as due, so that the delivery, which comes next, records why it waits.
    let hold = wait.map(|w| if w.why.is_some() { std::time::Duration::ZERO } else { w.lasts });
    let (message, request) = (turn.message, turn.request_id.clone());
    let merged: Vec<_> = turn.gathered.iter().map(|g| g.message).collect();
    let alone = tasks_alone(&finish);
    let acts = finish.acts.is_some();
    let (state, memory, outcome) = (finish.state.as_ref().map(|(s, _)| *s), finish.memory.clone(), finish.outcome);
    let op = FinishTurn {
        lease: held.lease.clone(),
        snapshot: Arc::clone(&held.snapshot),
        turn,
        finish,
        hold,
        stop: worker.stopping(),
        policy: Arc::clone(&worker.options.policy),
    };
    let after = persist(worker, op, "a turn").await?;
    fail::fail_point!("worker.turn_saved");
    for message in merged {
        worker.store.hub().settled(message);
    }
    for action in alone {
        crate::saga::count(action, true);
    }
    if acts {
        worker.store.hub().act_here();
    }
    held.admitted = admitted;
    let snapshot = Arc::make_mut(&mut held.snapshot);
    snapshot.state = state.unwrap_or(snapshot.state);
    snapshot.memory = memory.or_else(|| snapshot.memory.take());
    metrics::histogram!("message_processing_seconds").record(watch.elapsed().as_secs_f64());
    tracing::info!(request_id = %request, inbound_message_id = %message, conversation_id = %held.lease.conversation,
        outcome, reply = after.saved.map(tracing::field::display), "turn finished");
    match after.saved {
        Some(_) => held.saved.push(message),
        None => worker.store.hub().settled(message),
    }
    Some(after.next)
}

async fn fail(worker: &Arc<Worker>, held: &Held, turn: Turn, fault: Fault, error: String) -> Option<Next> {
    tracing::warn!(request_id = %turn.request_id, inbound_message_id = %turn.message, conversation_id = %held.lease.conversation,
        attempt = turn.attempt, fault = fault.as_str(), error, "turn failed");
    let pause = worker.options.policy.job_retry.first().copied().unwrap_or_default();
    let message = turn.message;
    let op = FailTurn {
        lease: held.lease.clone(),
        turn,
        fault,
        error,
        jitter: worker.dice.jitter(pause).saturating_sub(pause),
        stop: worker.stopping(),
        policy: Arc::clone(&worker.options.policy),
    };
    let after = persist(worker, op, "a failed turn").await?;
    // It may be a dead letter now.
    worker.store.hub().settled(message);
    Some(after.next)
}

/// What the turn comes to. A hang, a panic and an unreadable memory are failures of this attempt, not of the process.
async fn decide(worker: &Worker, mind: &Mind, held: &Held, turn: &Turn, aids: Aids) -> Result<Finish, (Fault, String)> {
    let now = worker.store.clock().now();
    let s = &held.snapshot;
    if !store::inbox::answers(s.state, s.state_until, now) {
        return Ok(Finish { outcome: s.state.as_str(), ..Finish::default() });
    }
    let memory: Memory = match &s.memory {
        None => Memory::default(),
        Some(json) => serde_json::from_str(json)
            .map_err(|e| (Fault::Bug, format!("the conversation's memory cannot be read: {e}")))?,
    };
    worker.acknowledge(held, turn);
    let request =
        engine::Turn { tenant: s.tenant, now, message: said(turn), memory, profile_name: s.profile_name.clone(), aids };
    fail::fail_point!("worker.deciding");
    let deciding = AssertUnwindSafe(mind.engine.decide(&request)).catch_unwind();
    match tokio::time::timeout(worker.options.turn_timeout, deciding).await {
        Ok(Ok(decision)) => finish(mind, held, turn, decision),
        Ok(Err(_)) => Err((Fault::Bug, "the engine panicked at this message".to_owned())),
        Err(_) => {
            let limit = worker.options.turn_timeout.as_secs();
            Err((Fault::Transient, format!("no decision within {limit} s")))
        }
    }
}

impl Worker {
    /// Marks the message as read beside the work, where configured: a courtesy that nothing waits for.
    fn acknowledge(self: &Worker, held: &Held, turn: &Turn) {
        if turn.attempt > 1 || !self.egress.acknowledges(held.snapshot.channel) {
            return;
        }
        let courtesy =
            self.egress.acknowledge(held.snapshot.channel, held.snapshot.recipient.clone(), turn.provider_id.clone());
        self.tasks.spawn(courtesy);
    }
}

/// What the person said; of a burst, all of it as lines of one text (S3.10).
fn said(turn: &Turn) -> Content {
    if turn.gathered.is_empty() {
        return turn.content.clone();
    }
    let lines = std::iter::once(turn.content.text()).chain(turn.gathered.iter().map(|g| g.text.as_str()));
    Content::Text { body: lines.collect::<Vec<_>>().join("\n") }
}

/// Actions that are done with the turn itself: those without an effect outside.
fn tasks_alone(finish: &Finish) -> Vec<String> {
    let acts = finish.acts.iter().flat_map(|saga| &saga.acts);
    acts.filter(|act| act.effects.is_empty()).map(|act| act.name.clone()).collect()
}

/// The actions as the store keeps them.
fn saga(mind: &Mind, held: &Held, actions: Vec<types::Action>, apology: String) -> Option<NewSaga> {
    if actions.is_empty() {
        return None;
    }
    let tenant = held.snapshot.tenant;
    let act = |action: types::Action| {
        let planned = mind.acts.plan(tenant, &action);
        NewAct {
            kind: planned.kind.as_str(),
            priority: planned.priority,
            assigned_to: planned.assigned_to,
            due: planned.due,
            effects: planned.effects,
            name: action.name,
            title: action.title,
            description: action.description,
            facts: with_whom(action.facts, &held.snapshot),
        }
    };
    Some(NewSaga { apology, acts: actions.into_iter().map(act).collect() })
}

/// What is known, with who it is about: a CRM needs a phone and a name before the person was asked for them.
fn with_whom(mut facts: BTreeMap<String, String>, about: &Snapshot) -> BTreeMap<String, String> {
    if let Recipient::Phone(digits) = &about.recipient {
        facts.entry("phone".to_owned()).or_insert_with(|| format!("+{digits}"));
    }
    if let Some(name) = about.profile_name.as_ref().filter(|n| !n.trim().is_empty()) {
        facts.entry("name".to_owned()).or_insert_with(|| name.clone());
    }
    facts.insert("conversation_id".to_owned(), about.conversation.to_string());
    facts.insert("lead_id".to_owned(), about.lead.to_string());
    facts
}

fn finish(mind: &Mind, held: &Held, turn: &Turn, decision: Decision) -> Result<Finish, (Fault, String)> {
    if decision.sanitized > 0 {
        metrics::counter!("outbound_sanitized_total").increment(u64::from(decision.sanitized));
        tracing::info!(inbound_message_id = %turn.message, removed = decision.sanitized, "a list of services was taken out of the reply");
    }
    metrics::histogram!("ai_intent_confidence").record(f64::from(decision.confidence));
    // An intent of the tenant's own goes by the name of its handler.
    let intent = decision.handler.clone().unwrap_or_else(|| decision.intent.as_str().to_owned());
    metrics::counter!("ai_intent_detected_total", "intent" => intent).increment(1);
    for (step, found) in &decision.steps {
        tracing::debug!(inbound_message_id = %turn.message, step, found, "pipeline");
    }
    let opted_out = decision.suppress.map(|s| s == Suppression::OptOut);
    // Somebody who opted out hears nothing but the confirmation of a change of mind.
    if held.snapshot.state == ConversationState::OptedOut && opted_out != Some(false) {
        return Ok(Finish { outcome: "opted_out", ..Finish::default() });
    }
    let memory = serde_json::to_string(&decision.memory)
        .map_err(|e| (Fault::Bug, format!("the conversation's memory cannot be written: {e}")))?;
    let traces = crate::agents::traces(decision.traces, turn, decision.memory.known());
    let state = next_state(held.snapshot.state, opted_out, decision.handover.as_ref().map(|h| h.reason.as_str()));
    let notice = decision
        .handover
        .as_ref()
        .map(|h| (format!("A lead needs a person ({})", h.reason.replace('_', " ")), told(&decision.fields)));
    let replies = decision.reply.map_or_else(Vec::new, |reply| {
        split(&reply.text)
            .enumerate()
            .map(|(n, part)| Reply {
                key: if n == 0 { reply.key.clone() } else { format!("{}.{}", reply.key, n + 1) },
                content: OutboundContent::Text { body: part.to_owned() },
                quotes: None,
            })
            .collect()
    });
    let acts = saga(mind, held, decision.actions, decision.apology);
    let outcome = if replies.is_empty() { "nothing_to_say" } else { "replied" };
    Ok(Finish {
        replies,
        memory: Some(memory),
        fields: decision.fields,
        state,
        opted_out,
        outcome,
        notice,
        acts,
        traces,
    })
}

/// What a notice says of the lead, a line each; the country's code is for programs, and people read its name beside it.
fn told(fields: &BTreeMap<String, String>) -> String {
    let lines: Vec<_> =
        fields.iter().filter(|(k, _)| *k != "nationality_iso").map(|(k, v)| format!("{k}: {v}")).collect();
    lines.join("\n")
}

fn next_state(
    now: ConversationState,
    opted_out: Option<bool>,
    handover: Option<&str>,
) -> Option<(ConversationState, String)> {
    let to = match (opted_out, handover) {
        (Some(true), _) => (ConversationState::OptedOut, "the contact opted out".to_owned()),
        (Some(false), _) => (ConversationState::Active, "the contact opted in again".to_owned()),
        (None, Some(reason)) => (ConversationState::HandedOver, reason.to_owned()),
        (None, None) if now == ConversationState::Paused => (ConversationState::Active, "the pause ended".to_owned()),
        (None, None) => return None,
    };
    (to.0 != now).then_some(to)
}

/// Parts of at most [`LONGEST_TEXT`] characters, cut at the last line end or space before the limit.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let part = types::text::preview(rest, LONGEST_TEXT);
        let part = if part.len() == rest.len() {
            part
        } else {
            let cut = part.rfind('\n').or_else(|| part.rfind(' ')).filter(|at| *at > 0).unwrap_or(part.len());
            &rest[..cut]
        };
        rest = rest[part.len()..].trim_start();
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_words_and_nothing_is_lost() {
        let text = "word ".repeat(2000);
        let parts: Vec<_> = split(text.trim()).collect();
        assert!(parts.len() > 1 && parts.iter().all(|p| p.chars().count() <= LONGEST_TEXT));
        assert_eq!(parts.join(" "), text.trim());
        let arabic = "ا".repeat(5000);
        assert_eq!(split(&arabic).map(|p| p.chars().count()).collect::<Vec<_>>(), [4096, 904]);
    }

    #[test]
    fn opting_out_wins_over_everything_and_only_start_ends_it() {
        use ConversationState::{Active, HandedOver, OptedOut, Paused};
        assert_eq!(next_state(Active, Some(true), Some("quotation")).map(|s| s.0), Some(OptedOut));
        assert_eq!(next_state(OptedOut, Some(false), None).map(|s| s.0), Some(Active));
        assert_eq!(next_state(Active, None, Some("quotation")).map(|s| s.0), Some(HandedOver));
        assert_eq!(next_state(HandedOver, None, Some("quotation")), None);
        assert_eq!(next_state(Paused, None, None).map(|s| s.0), Some(Active));
    }

    #[test]
    fn what_others_are_told_says_whom_it_is_about_and_keeps_what_the_person_said() {
        let about = Snapshot {
            tenant: types::TenantId(1),
            channel: types::ChannelId(2),
            conversation: types::ConversationId(3),
            contact: types::ContactId(4),
            lead: types::LeadId(5),
            state: ConversationState::Active,
            state_until: None,
            memory: None,
            recipient: Recipient::Phone("971502220001".into()),
            profile_name: Some("Lina".into()),
        };
        let facts = with_whom(BTreeMap::from([("name".to_owned(), "Lina Haddad".to_owned())]), &about);
        let told: Vec<_> = facts.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(told, ["conversation_id=3", "lead_id=5", "name=Lina Haddad", "phone=+971502220001"]);
        assert_eq!(with_whom(BTreeMap::new(), &about)["name"], "Lina");
    }

    #[test]
    fn a_notice_tells_what_is_known_without_the_code_for_programs() {
        let known = [("name", "Fatima"), ("nationality", "Pakistan"), ("nationality_iso", "PK")];
        let fields = BTreeMap::from(known.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(told(&fields), "name: Fatima\nnationality: Pakistan");
    }
}
