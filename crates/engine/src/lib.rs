//! The engine decides what to answer. Values in, values out: it knows no database and no network.
//!
//! - [`turn`]: [`Turn`] in, [`Decision`] out, and the [`Memory`] between
//! - [`understand`]: what a message means (intent, entities, STOP): the crate `nlu`
//! - [`flow`]: a conversation's course as data (S3.1)
//! - [`handler`]: what follows from an intent: a sentence, actions (S3.4)
//! - [`hours`]: when people are there (S3.10)
//! - [`agent`]: agents, which answer in the flow's place (S3.7); [`model`]: the language models that they ask
//! - `act`: has the handler act, within a decision
//! - `decide`: from all of them to a reply
//! - [`experiment`]: who gets which variant, and what the results say (S3.8)
//! - [`guard()`]: no reply lists the services (S3.2)

mod act;
pub mod agent;
mod decide;
pub mod experiment;
pub mod flow;
mod guard;
pub mod handler;
pub mod hours;
pub mod model;
pub mod turn;

use std::collections::HashMap;
use std::sync::Arc;

use types::TenantId;

pub use flow::{Flow, FlowError, check_text};
pub use guard::{Guarded, guard};
pub use handler::{Case, Handled, Handler, Handlers, TenantIntent};
pub use hours::{Hours, HoursError};
pub use nlu as understand;
pub use nlu::{Intent, Language, Slot, Suppression, Understanding};
pub use turn::{Decision, Handover, Memory, Reply, TenantBrain, Turn};

/// The engine cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A word list is broken, or a tenant's phone region is no country.
    #[error(transparent)]
    Nlu(#[from] nlu::NluError),
    /// Two tenants share an id.
    #[error("tenant {0} is given twice: each id may stand once")]
    TenantTwice(TenantId),
}

/// Decides. Made once, then shared: all its methods take `&self`.
#[derive(Debug)]
pub struct Engine {
    reader: nlu::Reader,
    brains: HashMap<TenantId, decide::Brain>,
    line: Option<agent::Line>,
}

impl Engine {
    /// Compiles everything that decisions need (some ten milliseconds).
    ///
    /// # Errors
    /// [`EngineError`] when a tenant's region is no country or an id stands twice.
    pub fn new(tenants: Vec<TenantBrain>) -> Result<Self, EngineError> {
        Self::with_handlers(tenants, &[])
    }

    /// As [`Self::new`], with handlers written in Rust: every tenant has them, beside or in place of the six. A tenant's own file has the last word.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_handlers(tenants: Vec<TenantBrain>, handlers: &[Arc<dyn Handler>]) -> Result<Self, EngineError> {
        let reader = nlu::Reader::new()?;
        let mut brains = HashMap::with_capacity(tenants.len());
        for tenant in tenants {
            let id = tenant.id;
            if brains.insert(id, decide::Brain::new(tenant, handlers)?).is_some() {
                return Err(EngineError::TenantTwice(id));
            }
        }
        Ok(Self { reader, brains, line: None })
    }

    /// With a line to language models. Without one, agents are off and the flow answers (`WA_ENHANCED_PROCESSING=false`).
    #[must_use]
    pub fn with_line(self, line: agent::Line) -> Self {
        Self { line: Some(line), ..self }
    }

    /// Whether turns of this tenant need what the store knows of agents ([`Turn::aids`]).
    #[must_use]
    pub fn needs_aids(&self, tenant: TenantId) -> bool {
        self.brains.get(&tenant).is_some_and(|b| b.tenant.staff.needs_aids())
    }

    /// Whether any tenant has agents, experiments, or readers other than the built-in one.
    #[must_use]
    pub fn has_staff(&self) -> bool {
        self.brains.values().any(|b| b.tenant.staff.needs_aids())
    }

    /// How long this message of this tenant waits for an outside service to say what it means (S3.9). STOP, START, a wish for a person and orders to
    /// the machine wait for nobody: the built-in reader alone decides them (S3.10).
    #[must_use]
    pub fn waits_for_reading(
        &self,
        tenant: TenantId,
        message: &types::inbound::Content,
    ) -> Option<std::time::Duration> {
        let brain = self.brains.get(&tenant)?;
        let agent::Reading::Outside(limit) = brain.tenant.staff.reading else { return None };
        let seen = self.reader.read(message.text(), &brain.background, None, None);
        let settled = seen.suppress.is_some() || seen.wants_person || seen.injection;
        (!settled).then_some(limit)
    }

    /// What to do about a message. Never fails: a lead always gets an answer; of a tenant it does not know it says so in the steps and
    /// calls a person.
    pub async fn decide(&self, turn: &Turn) -> Decision {
        match self.brains.get(&turn.tenant) {
            Some(brain) => brain.decide(&self.reader, turn, self.line.as_ref()).await,
            None => decide::without_tenant(turn),
        }
    }
}
