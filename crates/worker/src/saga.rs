//! Does the actions of messages (S3.6): claims sagas that are due, and takes each from step to step until it has ended, waits, or needs a
//! person. Beside the conversations: a CRM that hangs keeps no reply waiting.

use std::sync::Arc;
use std::time::Duration;

use acts::{Came, Deed};
use store::sagas::{Advance, Claim, Hold, NextDue, Step, Todo, Verdict};
use types::states::SagaState;

use crate::Worker;
use crate::persist::persist;

/// Sagas are looked at so often even where nobody tells of a change: a command on the same file cannot.
const LOOK: Duration = Duration::from_secs(1);

/// Claims sagas when one is saved, when one is due, and now and then anyway.
pub(crate) async fn look(worker: Arc<Worker>) {
    while !worker.stopping() {
        let wait = match claim_all(&worker).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "could not look for due actions; looking again in a moment");
                worker.options.poll
            }
        };
        tokio::select! {
            () = worker.stop.cancelled() => return,
            () = worker.store.hub().acts_due() => {}
            () = tokio::time::sleep(wait.min(worker.options.poll).min(LOOK)) => {}
        }
    }
}

/// Claims while there is something due and room for it; how long until something is due.
async fn claim_all(worker: &Arc<Worker>) -> store::Result<Duration> {
    loop {
        // A look costs a read; a claim costs a commit.
        let now = worker.store.clock().now();
        match worker.store.read(NextDue).await? {
            None => return Ok(worker.options.poll),
            Some(at) if at > now => return Ok(at.since(now)),
            Some(_) => {}
        }
        let Ok(permit) = Arc::clone(&worker.acting).acquire_owned().await else { return Ok(worker.options.poll) };
        let claimed = worker.store.write(claim(worker)).await?;
        let Some(hold) = claimed.into_iter().next() else { return Ok(Duration::from_millis(100)) };
        let worker_of = Arc::clone(worker);
        worker.tasks.spawn(async move {
            work(&worker_of, hold).await;
            drop(permit);
            worker_of.store.hub().act_here();
        });
    }
}

fn claim(worker: &Worker) -> Claim {
    Claim { owner: Arc::clone(&worker.owner), limit: 1, lease: worker.options.policy.lease }
}

/// Works what is due before it answers (setups without a resident worker).
pub(crate) async fn run_due(worker: &Arc<Worker>) -> store::Result<()> {
    while !worker.stopping() {
        let claimed = worker.store.write(claim(worker)).await?;
        let Some(hold) = claimed.into_iter().next() else { return Ok(()) };
        work(worker, hold).await;
    }
    Ok(())
}

/// Takes one saga as far as it goes.
async fn work(worker: &Arc<Worker>, hold: Hold) {
    let (mut came, mut pause) = (None, None);
    loop {
        let op = Advance {
            hold: hold.clone(),
            came: came.take(),
            pause,
            stop: worker.stopping(),
            policy: Arc::clone(&worker.options.policy),
        };
        let Some(advanced) = persist(worker, op, "a step of a saga").await else { return };
        fail::fail_point!("worker.step_recorded");
        for (action, success) in advanced.executed {
            count(action, success);
        }
        if advanced.told {
            worker.store.hub().wake();
        }
        let (step, undo) = match advanced.todo {
            Todo::Do(step) => (step, false),
            Todo::Undo(step) => (step, true),
            Todo::Wait(_) => return,
            Todo::Over(state) => return over(&hold, state),
        };
        fail::fail_point!("worker.step_begun");
        let verdict;
        (verdict, pause) = perform(worker, &step, undo).await;
        fail::fail_point!("worker.step_done");
        tracing::info!(saga_id = %step.saga, step = step.seq, action = step.action, effect = %step.effect, undo, attempt = step.attempt,
            request_id = %step.request_id, inbound_message_id = %step.message, conversation_id = %step.conversation,
            came = word(&verdict), why = why(&verdict), "action");
        came = Some((step.seq, verdict));
    }
}

fn over(hold: &Hold, state: SagaState) {
    match state {
        SagaState::Stuck => tracing::error!(saga_id = %hold.saga, conversation_id = %hold.conversation,
            "an action is stuck: `barid sagas show` says why, `barid sagas retry` or `skip` goes on"),
        SagaState::Compensated => tracing::warn!(saga_id = %hold.saga, conversation_id = %hold.conversation,
            "an action failed for good; what was done before it is undone"),
        _ => {}
    }
    if state == SagaState::Stuck {
        metrics::counter!("saga_stuck_total").increment(1);
    }
}

async fn perform(worker: &Worker, step: &Step, undo: bool) -> (Verdict, Option<Duration>) {
    let (key, done_key) = (step.key(undo), step.key(false));
    let deed = Deed {
        tenant: step.tenant,
        action: &step.action,
        effect: step.effect,
        undo,
        key: &key,
        done_key: &done_key,
        title: &step.input.title,
        description: &step.input.description,
        priority: &step.input.priority,
        facts: &step.input.facts,
        result: step.result.as_deref(),
        attempt: step.attempt,
        doubtful: step.doubtful,
    };
    let mind = worker.mind();
    let came = mind.acts.perform(&deed).await;
    let planned = mind.acts.pause(step.tenant, &step.action, step.attempt).map(|p| worker.dice.jitter(p));
    match came {
        Came::Done(result) => (Verdict::Done(result), None),
        Came::Retry { why, after } => (Verdict::Retry(why), planned.map(|p| after.unwrap_or(p))),
        Came::Waits { why, after } => (Verdict::Waits(why), Some(after)),
        Came::Refused(why) => (Verdict::Refused(why), None),
        Came::Doubt(why) => (Verdict::Doubt(why), planned),
    }
}

/// Counts an action that was decided.
pub(crate) fn count(action: String, success: bool) {
    let success = if success { "true" } else { "false" };
    metrics::counter!("whatsapp_action_executed_total", "action" => action, "success" => success).increment(1);
}

const fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done(_) => "done",
        Verdict::Retry(_) => "retry",
        Verdict::Waits(_) => "waits",
        Verdict::Refused(_) => "refused",
        Verdict::Doubt(_) => "doubt",
    }
}

fn why(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Done(_) => None,
        Verdict::Retry(why) | Verdict::Waits(why) | Verdict::Refused(why) | Verdict::Doubt(why) => Some(why),
    }
}
