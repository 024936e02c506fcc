//! Operations on their way through a transaction. Operations are plain code that asks for one statement after the other; run like that,
//! each statement would cost a journey to the server. So each operation runs on a small stack of its own (a coroutine) and rests
//! where it asks; all that rest send their statements together ([`super::session::Session::wave`]).

use std::sync::Arc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use types::Timestamp;
use types::ids::IdMaker;

use super::session::Answer;
use super::values::{Owned, PgRow};
use crate::error::{Result, StoreError};
use crate::sql::{Dialect, Param, Row, Sql, Tx};
use crate::task::Task;

/// A statement that an operation waits for.
#[derive(Debug)]
pub(super) struct Request {
    pub sql: &'static Sql,
    pub params: Vec<Owned>,
}

/// An operation that has come to its end.
pub(super) struct Done {
    pub task: Box<dyn Task>,
    /// It wants its changes kept.
    pub keep: bool,
    /// It may have changed rows.
    pub wrote: bool,
}

/// What an operation does when it is let run.
pub(super) enum Step {
    Asks(Request),
    Ends(Done),
}

type Reply = Option<Result<Answer>>;

/// A running operation.
pub(super) struct Fiber(Coroutine<Reply, Request, Done, DefaultStack>);

/// Stacks for operations; used again, since each is a mapping of memory. Only what is touched of them takes room.
#[derive(Default)]
pub(super) struct Stacks(Vec<DefaultStack>);

const STACK: usize = 1 << 20;

impl Stacks {
    /// A stack that nobody uses.
    pub fn take(&mut self) -> Result<DefaultStack, String> {
        match self.0.pop() {
            Some(stack) => Ok(stack),
            None => DefaultStack::new(STACK).map_err(|e| format!("no memory for an operation's stack: {e}")),
        }
    }
}

impl Fiber {
    /// Makes a fiber of `task`; it does nothing yet.
    pub fn new(mut task: Box<dyn Task>, now: Timestamp, ids: &Arc<IdMaker>, stack: DefaultStack) -> Self {
        let ids = Arc::clone(ids);
        Self(Coroutine::with_stack(stack, move |yielder, _: Reply| {
            let mut tx = FiberTx { yielder, now, ids, wrote: false };
            let keep = task.run(&mut tx);
            let wrote = tx.wrote;
            Done { task, keep, wrote }
        }))
    }

    /// Lets it run until it asks for a statement or ends.
    pub fn resume(&mut self, reply: Reply) -> Step {
        match self.0.resume(reply) {
            CoroutineResult::Yield(request) => Step::Asks(request),
            CoroutineResult::Return(done) => Step::Ends(done),
        }
    }

    /// Its stack, for the next; only after its end.
    pub fn bury(self, stacks: &mut Stacks) {
        if self.0.done() {
            stacks.0.push(self.0.into_stack());
        }
    }
}

/// The seam's transaction as an operation on a fiber sees it.
struct FiberTx<'y> {
    yielder: &'y Yielder<Reply, Request>,
    now: Timestamp,
    ids: Arc<IdMaker>,
    wrote: bool,
}

impl FiberTx<'_> {
    fn ask(&self, sql: &'static Sql, params: &[Param<'_>]) -> Result<Answer> {
        let params = params.iter().map(|p| Owned::from(*p)).collect();
        self.yielder.suspend(Request { sql, params }).unwrap_or(Err(StoreError::Closed))
    }
}

impl Tx for FiberTx<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn next_id(&mut self) -> i64 {
        self.ids.next(self.now)
    }

    fn execute(&mut self, sql: &'static Sql, params: &[Param<'_>]) -> Result<u64> {
        self.wrote = true;
        Ok(self.ask(sql, params)?.changed)
    }

    fn query(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<()>,
    ) -> Result<()> {
        let answer = self.ask(sql, params)?;
        for row in &answer.rows {
            each(&PgRow { row, skip: answer.skip, statement: sql.name })?;
        }
        Ok(())
    }
}
