//! From one step to the next. What a step came to and the beginning of the next are one transaction; between them lies the call outside,
//! with no transaction open. A step is marked as begun before its call, so that a crash in the middle of it is seen.

use std::sync::Arc;
use std::time::Duration;

use types::outbound::OutboundContent;
use types::states::{ConversationState, MessageStatus, SagaState, StepState};
use types::{ConversationId, DedupeKey, Effect, OnDoubt, RequestId, SagaId, TaskId, Timestamp};

use super::{Due, Head, Line, Owner, Step};
use crate::error::{Result, StoreError};
use crate::outbox::{self, NewMessage};
use crate::policy::Policy;
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Row, Tx};
use crate::work::parse_json;
use crate::{leases, notifications, views};

sql! {
    DUE = "sagas.due":
        "SELECT id, conversation_id FROM saga WHERE due_at IS NOT NULL AND due_at <= $1 AND lease_until <= $1
         ORDER BY due_at LIMIT $2 {skip_locked}";
    TAKE = "sagas.take":
        "UPDATE saga SET lease_owner = $2, lease_until = $3, fence = fence + 1 WHERE id = $1 AND lease_until <= $4";
    FENCE = "sagas.fence": "SELECT fence FROM saga WHERE id = $1";
    NEXT_DUE = "sagas.next_due":
        "SELECT MIN(CASE WHEN lease_until > due_at THEN lease_until ELSE due_at END) FROM saga WHERE due_at IS NOT NULL";
    FREE_ALL = "sagas.free_all": "UPDATE saga SET lease_owner = NULL, lease_until = 0 WHERE due_at IS NOT NULL AND lease_until > 0";
    FREE = "sagas.free_own": "UPDATE saga SET lease_owner = NULL, lease_until = 0 WHERE due_at IS NOT NULL AND lease_owner = $1";
    HEAD = "sagas.head":
        "SELECT tenant_id, conversation_id, message_id, provider_id, request_id, state, apology
         FROM saga WHERE id = $1 AND lease_owner = $2 AND fence = $3";
    STEPS = "sagas.steps":
        "SELECT seq, action, effect, state, on_doubt, task_id, input, result, attempts, undo_attempts, doubtful
         FROM saga_step WHERE saga_id = $1 ORDER BY seq";
    BEGIN_STEP = "sagas.begin_step":
        "UPDATE saga_step SET state = $3, attempts = $4, undo_attempts = $5, doubtful = $6, started_at = $7 WHERE saga_id = $1 AND seq = $2";
    SET_STEP = "sagas.set_step":
        "UPDATE saga_step SET state = $3, error = $4, doubtful = $5, result = COALESCE($6, result), finished_at = COALESCE(finished_at, $7),
                undone_at = $8, attempts = $9, undo_attempts = $10 WHERE saga_id = $1 AND seq = $2";
    KEEP = "sagas.keep": "UPDATE saga SET lease_until = $3, updated_at = $4, state = $5 WHERE id = $1 AND fence = $2";
    LET_GO = "sagas.let_go":
        "UPDATE saga SET state = $3, due_at = $4, error = $5, lease_owner = NULL, lease_until = 0, updated_at = $6, finished_at = $7
         WHERE id = $1 AND fence = $2";
    CANCEL_TASK = "tasks.cancel":
        "UPDATE task SET status = 'cancelled', updated_at = CASE WHEN updated_at < $2 THEN $2 ELSE updated_at + 1 END
         WHERE id = $1 AND status IN ('pending', 'in_progress')";
}

/// The right to move one saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Which.
    pub saga: SagaId,
    /// Its conversation, which its end may write to.
    pub conversation: ConversationId,
    /// Who holds it.
    pub owner: Owner,
    /// Grows with every claim.
    pub fence: i64,
}

/// Claims sagas that are due and that nobody holds.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Who claims.
    pub owner: Owner,
    /// At most so many.
    pub limit: u32,
    /// How long the lease lasts.
    pub lease: Duration,
}

impl Op for Claim {
    const NAME: &'static str = "sagas.claim";
    type Out = Vec<Hold>;

    fn reach(&self) -> Reach {
        Reach::Finds
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Hold>> {
        let now = tx.now();
        let due = tx.all(&DUE, params![now, self.limit], |r| Ok((r.get::<SagaId>(0)?, r.get::<ConversationId>(1)?)))?;
        let mut held = Vec::with_capacity(due.len());
        for (saga, conversation) in due {
            if tx.execute(&TAKE, params![saga, &*self.owner, now.plus(self.lease), now])? == 0 {
                continue;
            }
            let fence = tx.number(&FENCE, params![saga])?;
            held.push(Hold { saga, conversation, owner: Arc::clone(&self.owner), fence });
        }
        Ok(held)
    }
}

/// When the next saga is due; a leased one counts when its lease ends.
#[derive(Clone, Copy, Debug)]
pub struct NextDue;

impl Op for NextDue {
    const NAME: &'static str = "sagas.next_due";
    type Out = Option<Timestamp>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
        Ok(tx.first(&NEXT_DUE, &[], |r| r.get::<Option<Timestamp>>(0))?.flatten())
    }
}

/// Frees leases: everybody's, or one owner's.
pub(crate) fn free(tx: &mut dyn Tx, owner: Option<&str>) -> Result<u64> {
    match owner {
        None => tx.execute(&FREE_ALL, &[]),
        Some(owner) => tx.execute(&FREE, params![owner]),
    }
}

/// What a call outside came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done; what the other side called it.
    Done(Option<String>),
    /// Certain that it was not done; may pass later.
    Retry(String),
    /// Not tried: it waits, and has used up no attempt.
    Waits(String),
    /// Will never pass.
    Refused(String),
    /// Nobody knows.
    Doubt(String),
}

/// Records what a step came to, and begins the next.
#[derive(Clone, Debug)]
pub struct Advance {
    /// The right to.
    pub hold: Hold,
    /// What the step begun last came to; `None`: none was begun under this hold.
    pub came: Option<(u32, Verdict)>,
    /// The pause before another attempt; `None`: there is none.
    pub pause: Option<Duration>,
    /// Begin nothing more (drain).
    pub stop: bool,
    /// Times.
    pub policy: Arc<Policy>,
}

/// What is to be done outside next.
#[derive(Clone, Debug, PartialEq)]
pub enum Todo {
    /// This step.
    Do(Box<Step>),
    /// The compensation of this one.
    Undo(Box<Step>),
    /// Nothing before then.
    Wait(Timestamp),
    /// Nothing any more: it has ended, or a person decides.
    Over(SagaState),
}

/// What an advance brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Advanced {
    /// What follows.
    pub todo: Todo,
    /// Actions that this decided, and whether they are done: for the counter.
    pub executed: Vec<(String, bool)>,
    /// The person is to be told something: their conversation is due.
    pub told: bool,
}

impl Op for Advance {
    const NAME: &'static str = "sagas.advance";
    type Out = Advanced;

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.hold.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Advanced> {
        let (saga, owner, fence) = (self.hold.saga, &*self.hold.owner, self.hold.fence);
        let head = tx.first(&HEAD, params![saga, owner, fence], head)?;
        let Some(head) = head else { return Err(StoreError::LeaseLost(self.hold.conversation)) };
        let lines = tx.all(&STEPS, params![saga], |r| line(r, saga, &head))?;
        let mut moving =
            Moving { op: self, state: head.state, head, lines, executed: Vec::new(), told: false, why: None };
        let due = match &self.came {
            Some((seq, verdict)) => moving.record(tx, *seq, verdict)?,
            None => None,
        };
        let todo = match due {
            Some(at) => {
                moving.let_go(tx, Some(at))?;
                Todo::Wait(at)
            }
            None => moving.next(tx)?,
        };
        Ok(Advanced { todo, executed: moving.executed, told: moving.told })
    }
}

fn head(r: &dyn Row) -> Result<Head> {
    Ok(Head {
        tenant: r.get(0)?,
        conversation: r.get(1)?,
        message: r.get(2)?,
        provider_id: r.get(3)?,
        request_id: r.get(4)?,
        state: r.get(5)?,
        apology: r.get(6)?,
    })
}

fn line(r: &dyn Row, saga: SagaId, head: &Head) -> Result<Line> {
    let input: String = r.get(6)?;
    let step = Step {
        saga,
        seq: r.get(0)?,
        tenant: head.tenant,
        conversation: head.conversation,
        message: head.message,
        request_id: RequestId(head.request_id.0.clone()),
        action: r.get(1)?,
        effect: r.get(2)?,
        task: r.get::<Option<TaskId>>(5)?,
        input: parse_json(r, 6, &input)?,
        result: r.get(7)?,
        attempt: r.get(8)?,
        doubtful: r.get(10)?,
    };
    Ok(Line { step, state: r.get(3)?, on_doubt: r.get(4)?, undo_attempts: r.get(9)? })
}

/// A saga on its way through one transaction.
struct Moving<'a> {
    op: &'a Advance,
    head: Head,
    state: SagaState,
    lines: Vec<Line>,
    executed: Vec<(String, bool)>,
    told: bool,
    why: Option<String>,
}

const CUT_OFF: &str = "the process ended in the middle of this step: nobody knows whether it was done";

impl Moving<'_> {
    fn id(&self) -> SagaId {
        self.op.hold.saga
    }

    fn go(&mut self, to: SagaState) -> Result<()> {
        if self.state != to {
            self.state = self.state.advance(to)?;
        }
        Ok(())
    }

    /// Moves a step; what `error` says of it stays until it is done.
    fn set(
        &mut self,
        tx: &mut dyn Tx,
        n: usize,
        to: StepState,
        error: Option<&str>,
        result: Option<&str>,
    ) -> Result<()> {
        let now = tx.now();
        let line = &mut self.lines[n];
        line.state = line.state.advance(to)?;
        let finished = matches!(to, StepState::Done | StepState::Failed).then_some(now);
        let undone = (to == StepState::Compensated).then_some(now);
        let p = params![
            self.op.hold.saga,
            line.step.seq,
            to.as_str(),
            error,
            line.step.doubtful,
            result,
            finished,
            undone,
            line.step.attempt,
            line.undo_attempts
        ];
        tx.execute(&SET_STEP, p)?;
        Ok(())
    }

    /// Records what the step came to. `Some`: it is tried again then.
    fn record(&mut self, tx: &mut dyn Tx, seq: u32, verdict: &Verdict) -> Result<Due> {
        let Some(n) = self.lines.iter().position(|l| l.step.seq == seq) else { return Ok(None) };
        let undo = match self.lines[n].state {
            StepState::Running => false,
            StepState::Compensating => true,
            // Recorded before, by a transaction whose answer was lost.
            _ => return Ok(None),
        };
        let again = self.op.pause.map(|p| tx.now().plus(p));
        let hold = self.lines[n].on_doubt == OnDoubt::Hold;
        let waiting = if undo { StepState::Done } else { StepState::Pending };
        match verdict {
            Verdict::Done(result) => {
                let to = if undo { StepState::Compensated } else { StepState::Done };
                self.set(tx, n, to, None, result.as_deref())?;
                if !undo {
                    self.count(n, true);
                }
                Ok(None)
            }
            Verdict::Waits(why) => {
                let line = &mut self.lines[n];
                let tried = if undo { &mut line.undo_attempts } else { &mut line.step.attempt };
                *tried = tried.saturating_sub(1);
                self.set(tx, n, waiting, Some(why), None)?;
                self.why = Some(why.clone());
                Ok(Some(again.unwrap_or(tx.now())))
            }
            Verdict::Retry(why) if again.is_some() => {
                self.set(tx, n, waiting, Some(why), None)?;
                self.why = Some(why.clone());
                Ok(again)
            }
            Verdict::Doubt(why) if again.is_some() && !hold => {
                self.lines[n].step.doubtful = true;
                self.set(tx, n, waiting, Some(why), None)?;
                self.why = Some(why.clone());
                Ok(again)
            }
            // Out of attempts, and one of them may have been done: to undo the others and say that nothing happened might be a lie.
            Verdict::Retry(why) if self.lines[n].step.doubtful || undo => self.stuck(tx, n, why).map(|()| None),
            Verdict::Doubt(why) => self.stuck(tx, n, why).map(|()| None),
            Verdict::Refused(why) if undo => self.stuck(tx, n, why).map(|()| None),
            Verdict::Retry(why) | Verdict::Refused(why) => {
                self.set(tx, n, StepState::Failed, Some(why), None)?;
                self.count(n, false);
                self.why = Some(why.clone());
                self.unwind(tx, n)?;
                Ok(None)
            }
        }
    }

    /// Notes for the counter that an action was done, with its last effect, or failed.
    fn count(&mut self, n: usize, success: bool) {
        let action = &self.lines[n].step.action;
        let more = self.lines[n + 1..].iter().any(|l| l.step.action == *action && l.step.effect != Effect::Task);
        if !success || !more {
            self.executed.push((action.clone(), success));
        }
    }

    fn stuck(&mut self, tx: &mut dyn Tx, n: usize, why: &str) -> Result<()> {
        self.set(tx, n, StepState::Stuck, Some(why), None)?;
        self.why = Some(why.to_owned());
        self.go(SagaState::Stuck)
    }

    /// The steps after the one that failed will not be done.
    fn unwind(&mut self, tx: &mut dyn Tx, failed: usize) -> Result<()> {
        self.go(SagaState::Unwinding)?;
        for n in failed + 1..self.lines.len() {
            // The tasks of later actions were done with the reply: they are cancelled like the others.
            if self.lines[n].state == StepState::Pending {
                self.set(tx, n, StepState::Skipped, None, None)?;
            }
        }
        Ok(())
    }

    /// What follows; everything that needs nobody outside is done on the way.
    fn next(&mut self, tx: &mut dyn Tx) -> Result<Todo> {
        loop {
            match self.state {
                SagaState::Running => match self.first_open() {
                    None => self.go(SagaState::Done)?,
                    Some(n) => {
                        if let Some(todo) = self.begin(tx, n, false)? {
                            return Ok(todo);
                        }
                    }
                },
                SagaState::Unwinding => match self.last_done() {
                    None => {
                        self.go(SagaState::Compensated)?;
                        self.tell(tx)?;
                    }
                    Some(n) if self.lines[n].step.effect == Effect::Task => self.cancel(tx, n)?,
                    Some(n) => {
                        if let Some(todo) = self.begin(tx, n, true)? {
                            return Ok(todo);
                        }
                    }
                },
                SagaState::Done | SagaState::Compensated => {
                    self.let_go(tx, None)?;
                    return Ok(Todo::Over(self.state));
                }
                SagaState::Stuck => {
                    self.call_person(tx)?;
                    self.let_go(tx, None)?;
                    return Ok(Todo::Over(self.state));
                }
            }
        }
    }

    fn first_open(&self) -> Option<usize> {
        self.lines.iter().position(|l| !matches!(l.state, StepState::Done | StepState::Skipped))
    }

    fn last_done(&self) -> Option<usize> {
        self.lines.iter().rposition(|l| matches!(l.state, StepState::Done | StepState::Compensating))
    }

    /// Begins a step or its compensation. `None`: it is stuck instead.
    fn begin(&mut self, tx: &mut dyn Tx, n: usize, undo: bool) -> Result<Option<Todo>> {
        let now = tx.now();
        let active = if undo { StepState::Compensating } else { StepState::Running };
        let cut_off = self.lines[n].state == active;
        if cut_off && self.lines[n].on_doubt == OnDoubt::Hold {
            self.stuck(tx, n, CUT_OFF)?;
            return Ok(None);
        }
        if self.op.stop {
            self.let_go(tx, Some(now))?;
            return Ok(Some(Todo::Wait(now)));
        }
        let line = &mut self.lines[n];
        if !cut_off {
            line.state = line.state.advance(active)?;
        }
        line.step.doubtful |= cut_off;
        if undo {
            line.undo_attempts += 1;
        } else {
            line.step.attempt += 1;
        }
        let saga = self.op.hold.saga;
        let p = params![
            saga,
            line.step.seq,
            active.as_str(),
            line.step.attempt,
            line.undo_attempts,
            line.step.doubtful,
            now
        ];
        tx.execute(&BEGIN_STEP, p)?;
        let mut step = Box::new(line.step.clone());
        let until = now.plus(self.op.policy.lease);
        tx.execute(&KEEP, params![saga, self.op.hold.fence, until, now, self.state.as_str()])?;
        if undo {
            step.attempt = line.undo_attempts;
            return Ok(Some(Todo::Undo(step)));
        }
        Ok(Some(Todo::Do(step)))
    }

    /// A task is undone in this very transaction.
    fn cancel(&mut self, tx: &mut dyn Tx, n: usize) -> Result<()> {
        let now = tx.now();
        if let Some(task) = self.lines[n].step.task {
            tx.execute(&CANCEL_TASK, params![task, now])?;
        }
        self.lines[n].state = self.lines[n].state.advance(StepState::Compensating)?;
        self.set(tx, n, StepState::Compensated, None, None)
    }

    fn let_go(&mut self, tx: &mut dyn Tx, due: Due) -> Result<()> {
        let now = tx.now();
        let over = matches!(self.state, SagaState::Done | SagaState::Compensated).then_some(now);
        let p = params![self.id(), self.op.hold.fence, self.state.as_str(), due, self.why.as_deref(), now, over];
        tx.execute(&LET_GO, p)?;
        Ok(())
    }

    /// Which action failed, for people.
    fn failed(&self) -> String {
        let line = self.lines.iter().find(|l| matches!(l.state, StepState::Failed | StepState::Stuck));
        line.map_or_else(String::new, |l| format!("{} ({})", l.step.action, l.step.effect))
    }

    /// Everything is undone: the person is told honestly, once, and the team hears why.
    fn tell(&mut self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        let key = format!("saga:{}:undone", self.id());
        let body = format!(
            "{} failed for good and what was done before it is undone. The person was told that the request did not go through; see `barid sagas show {}`.",
            self.failed(),
            self.id()
        );
        notifications::add(tx, self.head.tenant, "saga_undone", "A request could not be carried out", &body, &key)?;
        let Some(snapshot) = views::snapshot(tx, self.head.conversation)? else { return Ok(()) };
        let speaks = matches!(snapshot.state, ConversationState::Active | ConversationState::HandedOver);
        if self.head.apology.is_empty() || !speaks {
            return Ok(());
        }
        let content = OutboundContent::Text { body: self.head.apology.clone() };
        let new = NewMessage {
            snapshot: &snapshot,
            sender: "AI",
            dedupe_key: DedupeKey::reply(self.head.conversation, &self.head.provider_id, "undone"),
            content: &content,
            quotes: None,
            in_reply_to: Some(self.head.message),
            request_id: &self.head.request_id.0,
            due: now,
            status: MessageStatus::Pending,
        };
        if outbox::save(tx, &new)?.is_some() {
            leases::make_due(tx, self.head.conversation, now)?;
            self.told = true;
        }
        Ok(())
    }

    fn call_person(&self, tx: &mut dyn Tx) -> Result<()> {
        let Some(line) = self.lines.iter().find(|l| l.state == StepState::Stuck) else { return Ok(()) };
        let step = &line.step;
        let tries = step.attempt + line.undo_attempts;
        // One notice for each time that it gets stuck: a person who retried wants to hear of it again.
        let key = format!("saga:{}:stuck:{}:{tries}:{}", self.id(), step.seq, self.op.hold.fence);
        let why = self.why.as_deref().unwrap_or(CUT_OFF);
        let body = format!(
            "{} ({}): {why}. Look there, then `barid sagas retry {id}` or `barid sagas skip {id}`.",
            step.action,
            step.effect,
            id = self.id()
        );
        notifications::add(tx, self.head.tenant, "saga_stuck", "An action is stuck and needs a decision", &body, &key)
    }
}
