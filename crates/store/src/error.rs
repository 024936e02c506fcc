//! What can go wrong in the middle, and what it means for the caller.

use types::Fault;
use types::states::IllegalMove;
use types::words::UnknownWord;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot take writes now (disk full, busy, away): nothing was stored; the caller answers 503 (S1.5).
    #[error(
        "the database cannot store anything now: {why}. Nothing of this request was kept; mend the database and it goes on by itself"
    )]
    Unavailable {
        /// What the database said.
        why: String,
    },
    /// The lease was lost: someone else works this conversation now, and nothing was written (S2.2).
    #[error("the lease of conversation {0} was lost; nothing was written")]
    LeaseLost(types::ConversationId),
    /// The row is not there.
    #[error("there is no {what} {id}")]
    NotFound {
        /// Which table.
        what: &'static str,
        /// Its key.
        id: String,
    },
    /// The request makes no sense in the row's present state.
    #[error("{0}")]
    Refused(String),
    /// The row changed since the caller read it; nothing was written (S6.2).
    #[error("the {0} was changed meanwhile; read it again and decide anew")]
    Changed(&'static str),
    /// Free text may not be sent now: Meta allows it for 24 hours after the person's last message (S4.7).
    #[error("the 24-hour window has closed: only an approved template reaches this person until they write again")]
    WindowClosed,
    /// The person, or a colleague, wrote after what the caller had seen.
    #[error("a newer message has come: read it before you answer, or send again without `seen`")]
    NewerMessage,
    /// A status move that the state machine forbids.
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// A column held what it may not hold.
    #[error("{statement}: column {column} holds what it may not: {why}")]
    Corrupt {
        /// The statement's name.
        statement: &'static str,
        /// The column's position.
        column: usize,
        /// What was found.
        why: String,
    },
    /// A statement failed: a defect of Barid.
    #[error("{statement} failed: {why}")]
    Statement {
        /// The statement's name.
        statement: &'static str,
        /// What the database said.
        why: String,
    },
    /// The file or server cannot be used at all.
    #[error("{0}")]
    Unusable(String),
    /// An operation panicked; the others of its group went on.
    #[error("operation {0} panicked; its changes were rolled back")]
    Panicked(&'static str),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl From<UnknownWord> for StoreError {
    fn from(e: UnknownWord) -> Self {
        Self::Corrupt { statement: "state", column: 0, why: e.to_string() }
    }
}

impl StoreError {
    /// The class of the failure.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Unavailable { .. } | Self::Closed | Self::LeaseLost(_) => Fault::Transient,
            Self::NotFound { .. } | Self::Refused(_) | Self::Changed(_) | Self::WindowClosed | Self::NewerMessage => {
                Fault::Permanent
            }
            Self::Unusable(_) => Fault::Configuration,
            Self::Illegal(_) | Self::Corrupt { .. } | Self::Statement { .. } | Self::Panicked(_) => Fault::Bug,
        }
    }
}

/// What store functions give.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
