//! What was done beside the replies (S3.6) as people see it, and what they do about one that is stuck.

use serde::Serialize;
use types::states::{SagaState, StepState};
use types::{ConversationId, Effect, LeadId, MessageId, Moment, SagaId, TaskId, TenantId, Timestamp};
use utoipa::ToSchema;

use super::audit::{self, Act};
use super::{Access, After, By, Rows};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    LIST = "sagas.list":
        "SELECT id, tenant_id, conversation_id, lead_id, message_id, state, error, due_at, created_at, updated_at, finished_at
         FROM saga WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    // By its own index: the page asks again and again for the few that are stuck among the many that ended well.
    LIST_STATE = "sagas.list_state":
        "SELECT id, tenant_id, conversation_id, lead_id, message_id, state, error, due_at, created_at, updated_at, finished_at
         FROM saga WHERE tenant_id = $1 AND state = $2 AND id < $3 ORDER BY id DESC LIMIT $4";
    LIST_ALL = "sagas.list_all":
        "SELECT id, tenant_id, conversation_id, lead_id, message_id, state, error, due_at, created_at, updated_at, finished_at
         FROM saga WHERE ($1 = '' OR state = $1) AND id < $2 ORDER BY id DESC LIMIT $3";
    ONE = "sagas.one":
        "SELECT id, tenant_id, conversation_id, lead_id, message_id, state, error, due_at, created_at, updated_at, finished_at
         FROM saga WHERE id = $1";
    STEPS = "sagas.steps_shown":
        "SELECT seq, action, effect, state, task_id, attempts, undo_attempts, doubtful, error, started_at, finished_at, undone_at
         FROM saga_step WHERE saga_id = $1 ORDER BY seq";
    SETTLE_STEP = "sagas.settle_step":
        "UPDATE saga_step SET state = $3, attempts = CASE WHEN $4 = 1 THEN attempts ELSE 0 END, undo_attempts = 0
         WHERE saga_id = $1 AND seq = $2";
    SETTLE = "sagas.settle":
        "UPDATE saga SET state = $2, due_at = $3, updated_at = $3, error = NULL WHERE id = $1 AND lease_until <= $3";
}

/// The actions of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Saga {
    /// Its id.
    pub id: SagaId,
    /// Whose.
    pub tenant_id: TenantId,
    /// In which conversation.
    pub conversation_id: ConversationId,
    /// For which lead.
    pub lead_id: LeadId,
    /// Because of which message.
    pub message_id: MessageId,
    /// Where it stands.
    pub state: SagaState,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it goes on by itself.
    pub due_at: Option<Moment>,
    /// When it was decided.
    pub created_at: Moment,
    /// The last change.
    pub updated_at: Moment,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// Its steps, in their order; left out in lists.
    pub steps: Vec<SagaStep>,
    /// What came of its actions; left out in lists.
    pub result: SagaResult,
}

/// One effect of one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SagaStep {
    /// Its place, from 0.
    pub seq: u32,
    /// The action.
    pub action: String,
    /// By what it is done.
    pub effect: Effect,
    /// Where it stands.
    pub state: StepState,
    /// The action's task.
    pub task_id: Option<TaskId>,
    /// How often it was tried.
    pub attempts: u32,
    /// How often its compensation was tried.
    pub undo_attempts: u32,
    /// It may have been done twice: nobody knew what came of an earlier attempt.
    pub doubtful: bool,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it was last begun.
    pub started_at: Option<Moment>,
    /// When it was done, or had failed.
    pub finished_at: Option<Moment>,
    /// When it was compensated.
    pub undone_at: Option<Moment>,
}

/// What came of the steps: `action (effect)` each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SagaResult {
    /// Done, and still so.
    pub executed: Vec<String>,
    /// Refused for good.
    pub failed: Vec<String>,
    /// Done, and undone.
    pub compensated: Vec<String>,
}

fn row(r: &dyn Row) -> Result<Saga> {
    Ok(Saga {
        id: r.get(0)?,
        tenant_id: r.get(1)?,
        conversation_id: r.get(2)?,
        lead_id: r.get(3)?,
        message_id: r.get(4)?,
        state: r.get(5)?,
        error: r.get(6)?,
        due_at: r.get(7)?,
        created_at: r.get(8)?,
        updated_at: r.get(9)?,
        finished_at: r.get(10)?,
        steps: Vec::new(),
        result: SagaResult::default(),
    })
}

fn step(r: &dyn Row) -> Result<SagaStep> {
    Ok(SagaStep {
        seq: r.get(0)?,
        action: r.get(1)?,
        effect: r.get(2)?,
        state: r.get(3)?,
        task_id: r.get(4)?,
        attempts: r.get(5)?,
        undo_attempts: r.get(6)?,
        doubtful: r.get(7)?,
        error: r.get(8)?,
        started_at: r.get(9)?,
        finished_at: r.get(10)?,
        undone_at: r.get(11)?,
    })
}

/// Lists sagas, newest first, without their steps.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose; `None`: everybody's, for the command line.
    pub tenant: Option<TenantId>,
    /// Only in this state.
    pub state: Option<SagaState>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.sagas";
    type Out = Rows<Saga>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let last = self.after.id;
        let placed = |r: &dyn Row| row(r).map(|s| (After { key: s.id.0, id: s.id.0 }, s));
        match (self.tenant, self.state) {
            (Some(tenant), Some(state)) => {
                tx.all(&LIST_STATE, params![tenant, state.as_str(), last, self.limit], placed)
            }
            (Some(tenant), None) => tx.all(&LIST, params![tenant, last, self.limit], placed),
            (None, state) => tx.all(&LIST_ALL, params![state.map_or("", SagaState::as_str), last, self.limit], placed),
        }
    }
}

/// One saga with its steps.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: SagaId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.saga";
    type Out = Saga;

    fn run(&self, tx: &mut dyn Tx) -> Result<Saga> {
        let found = tx.first(&ONE, params![self.id], row)?;
        self.access.check(found.as_ref().map(|s| s.tenant_id), "saga", self.id)?;
        let mut saga = found.ok_or_else(|| StoreError::NotFound { what: "saga", id: self.id.to_string() })?;
        saga.steps = tx.all(&STEPS, params![self.id], step)?;
        let of = |state: StepState| {
            let steps = saga.steps.iter().filter(|s| s.state == state);
            steps.map(|s| format!("{} ({})", s.action, s.effect)).collect()
        };
        let (executed, failed, compensated) = (StepState::Done, StepState::Failed, StepState::Compensated);
        saga.result = SagaResult { executed: of(executed), failed: of(failed), compensated: of(compensated) };
        Ok(saga)
    }
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Try again, with fresh attempts.
    Retry,
    /// Go on without the step that is stuck: the person has seen to it.
    Skip,
}

/// Decides about a saga: one that is stuck goes on; one that waits for its next attempt goes on now.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Which.
    pub id: SagaId,
    /// What.
    pub deed: Deed,
    /// Why, for the record.
    pub reason: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Settle {
    const NAME: &'static str = "desk.settle_saga";
    type Out = Saga;

    fn run(&self, tx: &mut dyn Tx) -> Result<Saga> {
        let get = Get { id: self.id, access: self.access.clone() };
        let before = get.run(tx)?;
        let to = self.apply(tx, &before)?;
        let now: Timestamp = tx.now();
        if tx.execute(&SETTLE, params![self.id, to.as_str(), now])? == 0 {
            return Err(StoreError::Refused("this saga is being worked at this moment: look again in a minute".into()));
        }
        let act = Act {
            tenant: Some(before.tenant_id),
            action: if self.deed == Deed::Retry { "saga.retry" } else { "saga.skip" },
            kind: "saga",
            id: self.id.0,
            from: Some(before.state.as_str()),
            to: Some(to.as_str()),
            reason: self.reason.as_deref(),
        };
        audit::note(tx, &self.by, &act)?;
        get.run(tx)
    }
}

impl Settle {
    /// The saga's state from then on.
    fn apply(&self, tx: &mut dyn Tx, saga: &Saga) -> Result<SagaState> {
        match (saga.state, self.deed) {
            (SagaState::Stuck, _) => {}
            (SagaState::Running | SagaState::Unwinding, Deed::Retry) => return Ok(saga.state),
            _ => {
                let why = format!("this saga is {}: only one that is stuck can be retried or skipped", saga.state);
                return Err(StoreError::Refused(why));
            }
        }
        let Some(step) = saga.steps.iter().find(|s| s.state == StepState::Stuck) else {
            return Err(StoreError::Refused("no step of this saga is stuck".into()));
        };
        // What failed for good is what made it turn back.
        let backward = saga.steps.iter().any(|s| s.state == StepState::Failed);
        let to = match (self.deed, backward) {
            (Deed::Skip, _) => StepState::Skipped,
            (Deed::Retry, true) => StepState::Done,
            (Deed::Retry, false) => StepState::Pending,
        };
        let to = step.state.advance(to)?;
        tx.execute(&SETTLE_STEP, params![self.id, step.seq, to.as_str(), backward])?;
        Ok(saga.state.advance(if backward { SagaState::Unwinding } else { SagaState::Running })?)
    }
}
