//! The beginning: tasks and saga in the transaction of the turn that decided them.

use types::states::{SagaState, StepState};
use types::{Effect, OnDoubt, SagaId, TaskId};

use super::{Input, NewAct, NewSaga};
use crate::error::Result;
use crate::sql::Tx;
use crate::work::{Snapshot, Turn};

sql! {
    ADD_TASK = "tasks.add_for_action":
        "INSERT INTO task (id, tenant_id, lead_id, conversation_id, task_type, title, description, status, priority, assigned_to_type,
                            assigned_to_id, source, metadata, due_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, 'assistant', $11, $12, $13, $13)";
    ADD_SAGA = "sagas.add":
        "INSERT INTO saga (id, tenant_id, conversation_id, lead_id, message_id, provider_id, request_id, state, apology, due_at,
                           lease_until, fence, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $10, $10)";
    ADD_STEP = "sagas.add_step":
        "INSERT INTO saga_step (saga_id, seq, tenant_id, action, effect, state, on_doubt, task_id, input, attempts, undo_attempts, doubtful,
                                finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, $11)";
}

/// Saves the tasks of the actions of a turn, and a saga where anything is to be done outside: tasks alone are done with this transaction, and
/// nothing can fail behind them.
pub(crate) fn begin(tx: &mut dyn Tx, s: &Snapshot, turn: &Turn, new: &NewSaga) -> Result<()> {
    let now = tx.now();
    let outside = new.acts.iter().any(|act| !act.effects.is_empty());
    let saga = SagaId(if outside { tx.next_id() } else { 0 });
    if outside {
        let p = params![
            saga,
            s.tenant,
            s.conversation,
            s.lead,
            turn.message,
            turn.provider_id.0.as_str(),
            turn.request_id.0.as_str(),
            SagaState::Running.as_str(),
            &new.apology,
            now,
        ];
        tx.execute(&ADD_SAGA, p)?;
    }
    let mut seq = 0_u32;
    for act in &new.acts {
        let task = task(tx, s, act)?;
        if !outside {
            continue;
        }
        let input = Input {
            title: act.title.clone(),
            description: act.description.clone(),
            priority: act.priority.as_str().to_owned(),
            facts: act.facts.clone(),
        };
        let input = serde_json::to_string(&input).unwrap_or_default();
        let task_step = (Effect::Task, OnDoubt::Again);
        for (effect, on_doubt) in std::iter::once(&task_step).chain(&act.effects) {
            let done = *effect == Effect::Task;
            let state = if done { StepState::Done } else { StepState::Pending };
            let finished = done.then_some(now);
            let p = params![
                saga,
                seq,
                s.tenant,
                &act.name,
                effect.as_str(),
                state.as_str(),
                on_doubt.as_str(),
                task,
                &input,
                u32::from(done),
                finished,
            ];
            tx.execute(&ADD_STEP, p)?;
            seq += 1;
        }
    }
    Ok(())
}

fn task(tx: &mut dyn Tx, s: &Snapshot, act: &NewAct) -> Result<TaskId> {
    let (id, now) = (TaskId(tx.next_id()), tx.now());
    let due = act.due.map(|d| now.plus(d));
    let metadata = serde_json::to_string(&act.facts).unwrap_or_default();
    let p = params![
        id,
        s.tenant,
        s.lead,
        s.conversation,
        act.kind,
        &act.title,
        &act.description,
        act.priority.as_str(),
        &act.assigned_to.0,
        &act.assigned_to.1,
        &metadata,
        due,
        now,
    ];
    tx.execute(&ADD_TASK, p)?;
    Ok(id)
}
