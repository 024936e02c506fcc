//! An operation on its way to a database thread and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use types::TenantId;

use crate::error::{Result, StoreError};
use crate::reach::Reach;
use crate::sql::{Op, Tx};

/// What a database thread sees of an operation.
pub(crate) trait Task: Send {
    /// The operation's name.
    fn name(&self) -> &'static str;
    /// Runs it in `tx`, keeping what it gives; whether its changes should stay.
    fn run(&mut self, tx: &mut dyn Tx) -> bool;
    /// Tells the caller: what it gave, or why its group did not commit.
    fn finish(self: Box<Self>, committed: Result<(), String>);
    /// What it touches.
    fn reach(&self) -> Reach {
        Reach::Everything
    }
    /// The one tenant whose rows it may see; `None`: the engine itself.
    fn tenant(&self) -> Option<TenantId> {
        None
    }
    /// Whether this is the word that the thread should end after what is queued.
    fn is_end(&self) -> bool {
        false
    }
}

/// The word that a thread should end. Handles may outlive the database, so that waiting for all of them to go would wait for ever.
pub(crate) struct End;

impl Task for End {
    fn name(&self) -> &'static str {
        "end"
    }

    fn run(&mut self, _: &mut dyn Tx) -> bool {
        true
    }

    fn finish(self: Box<Self>, _: Result<(), String>) {}

    fn is_end(&self) -> bool {
        true
    }
}

struct Pending<O: Op> {
    op: O,
    tenant: Option<TenantId>,
    out: Option<Result<O::Out>>,
    caller: oneshot::Sender<Result<O::Out>>,
}

impl<O: Op> Task for Pending<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn run(&mut self, tx: &mut dyn Tx) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| self.op.run(tx))).unwrap_or(Err(StoreError::Panicked(O::NAME)));
        let keep = result.is_ok();
        self.out = Some(result);
        keep
    }

    fn reach(&self) -> Reach {
        self.op.reach()
    }

    fn tenant(&self) -> Option<TenantId> {
        self.tenant
    }

    fn finish(self: Box<Self>, committed: Result<(), String>) {
        let Self { op, out, caller, .. } = *self;
        // Before the answer, so that what the operation shared with its caller is the caller's alone again.
        drop(op);
        let result = match (committed, out) {
            (Ok(()), Some(out)) | (Err(_), Some(out @ Err(_))) => out,
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(why), _) => Err(StoreError::Unavailable { why }),
        };
        // A caller that went away has nothing to hear; its changes are committed all the same.
        let _ = caller.send(result);
    }
}

/// Packs `op` for a database thread; with a tenant, only that one's rows are there for it.
pub(crate) fn pack<O: Op>(op: O, tenant: Option<TenantId>) -> (Box<dyn Task>, oneshot::Receiver<Result<O::Out>>) {
    let (caller, answer) = oneshot::channel();
    (Box::new(Pending { op, tenant, out: None, caller }), answer)
}
