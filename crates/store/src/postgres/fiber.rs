//! Operations on their way through a transaction. Operations are plain code that asks for one statement after the other; run like that,
//! each statement would cost a journey to the server. So each operation runs on a small stack of its own (a coroutine) and rests
//! where it asks; all that rest send their statements together ([`super::session::Session::wave`]). An operation of many parts that have nothing to do
//! with each other runs each on a stack of its own, too, and rests for all of them at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use types::Timestamp;
use types::ids::IdMaker;

use super::session::Answer;
use super::values::{Owned, PgRow};
use crate::error::{Result, StoreError};
use crate::sql::{Dialect, Param, Part, Row, Sql, Tx};
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
    /// It rests until these are answered.
    Asks(Vec<Request>),
    Ends(Done),
}

/// An answer to each request, in their order; none at the beginning.
pub(super) type Reply = Vec<Result<Answer>>;

/// Something that rests where it asks, and at last gives a `T`.
type Resting<T> = Coroutine<Reply, Vec<Request>, T, DefaultStack>;

/// A running operation.
pub(super) struct Fiber(Resting<Done>);

/// Stacks for operations; used again, since each is a mapping of memory. Only what is touched of them takes room.
#[derive(Clone, Default)]
pub(super) struct Stacks(Rc<RefCell<Vec<DefaultStack>>>);

const STACK: usize = 1 << 20;
/// Parts of one operation that run beside each other.
const PARTS: usize = 64;

impl Stacks {
    /// A stack that nobody uses.
    pub fn take(&self) -> Result<DefaultStack, String> {
        let free = self.0.borrow_mut().pop();
        match free {
            Some(stack) => Ok(stack),
            None => DefaultStack::new(STACK).map_err(|e| format!("no memory for an operation's stack: {e}")),
        }
    }

    /// Takes back the stack of what has ended.
    fn bury<T>(&self, ended: Resting<T>) {
        if ended.done() {
            self.0.borrow_mut().push(ended.into_stack());
        }
    }
}

impl Fiber {
    /// Makes a fiber of `task`; it does nothing yet.
    pub fn new(
        mut task: Box<dyn Task>,
        now: Timestamp,
        ids: &Arc<IdMaker>,
        stacks: &Stacks,
    ) -> Result<Self, (Box<dyn Task>, String)> {
        let stack = match stacks.take() {
            Ok(stack) => stack,
            Err(why) => return Err((task, why)),
        };
        let (ids, stacks) = (Arc::clone(ids), stacks.clone());
        Ok(Self(Coroutine::with_stack(stack, move |yielder, _: Reply| {
            let mut tx = FiberTx { yielder, now, ids, stacks, wrote: false };
            let keep = task.run(&mut tx);
            let wrote = tx.wrote;
            Done { task, keep, wrote }
        })))
    }

    /// Lets it run until it asks for statements or ends.
    pub fn resume(&mut self, reply: Reply) -> Step {
        match self.0.resume(reply) {
            CoroutineResult::Yield(requests) => Step::Asks(requests),
            CoroutineResult::Return(done) => Step::Ends(done),
        }
    }

    /// Its stack, for the next; only after its end.
    pub fn bury(self, stacks: &Stacks) {
        stacks.bury(self.0);
    }
}

/// The seam's transaction as an operation on a fiber sees it.
struct FiberTx<'y> {
    yielder: &'y Yielder<Reply, Vec<Request>>,
    now: Timestamp,
    ids: Arc<IdMaker>,
    stacks: Stacks,
    wrote: bool,
}

/// What a part gave, and whether it may have changed rows.
type Given = (Result<()>, bool);

impl FiberTx<'_> {
    fn ask(&self, sql: &'static Sql, params: &[Param<'_>]) -> Result<Answer> {
        let params = params.iter().map(|p| Owned::from(*p)).collect();
        self.yielder.suspend(vec![Request { sql, params }]).pop().unwrap_or(Err(StoreError::Closed))
    }

    /// A part on a stack of its own.
    fn begin(&self, part: Part) -> Result<Resting<Given>> {
        let stack = self.stacks.take().map_err(|why| StoreError::Unavailable { why })?;
        let (now, ids, stacks) = (self.now, Arc::clone(&self.ids), self.stacks.clone());
        Ok(Coroutine::with_stack(stack, move |yielder, _: Reply| {
            let mut tx = FiberTx { yielder, now, ids, stacks, wrote: false };
            let given = part(&mut tx);
            (given, tx.wrote)
        }))
    }

    /// Runs parts beside each other to their ends, each of which is told whatever the others come to.
    fn beside(&mut self, parts: Vec<Part>) -> Result<()> {
        let mut first = Ok(());
        let mut resting: Vec<(Resting<Given>, Reply)> = Vec::with_capacity(parts.len());
        for part in parts {
            resting.push((self.begin(part)?, Reply::new()));
        }
        while !resting.is_empty() {
            let mut asked: Vec<Request> = Vec::new();
            let mut counts = Vec::with_capacity(resting.len());
            let mut still = Vec::with_capacity(resting.len());
            for (mut one, reply) in resting {
                match one.resume(reply) {
                    CoroutineResult::Yield(requests) => {
                        counts.push(requests.len());
                        asked.extend(requests);
                        still.push(one);
                    }
                    CoroutineResult::Return((given, wrote)) => {
                        self.wrote |= wrote;
                        first = first.and(given);
                        self.stacks.bury(one);
                    }
                }
            }
            let mut answers = if asked.is_empty() { Reply::new() } else { self.yielder.suspend(asked) }.into_iter();
            let share = |n: usize| answers.by_ref().take(n).collect();
            resting = still.into_iter().zip(counts.into_iter().map(share)).collect();
        }
        first
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

    fn parts(&mut self, parts: Vec<Part>) -> Result<()> {
        let mut parts = parts.into_iter();
        loop {
            let some: Vec<Part> = parts.by_ref().take(PARTS).collect();
            if some.is_empty() {
                return Ok(());
            }
            self.beside(some)?;
        }
    }
}
