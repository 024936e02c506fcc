//! The status enums of every row that moves, with their legal moves. One `advance` each; the drawings are in
//! `docs/states.md`, and a test keeps the two alike.

use serde::{Deserialize, Serialize};

use crate::words;

/// A move that the state machine does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {machine} cannot go from {from} to {to}")]
pub struct IllegalMove {
    /// Which state machine.
    pub machine: &'static str,
    /// The present state.
    pub from: &'static str,
    /// The state asked for.
    pub to: &'static str,
}

macro_rules! states {
    ($(#[$doc:meta])* $name:ident ($machine:literal) { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* } moves { $($from:ident => [$($to:ident),*],)* }) => {
        words! { $(#[$doc])* $name (concat!("state of a ", $machine)) { $($(#[$vdoc])* $variant = $text,)* } }

        impl $name {
            /// What docs and errors call this machine.
            pub const MACHINE: &'static str = $machine;

            /// The states that may follow this one.
            #[must_use]
            pub const fn next(self) -> &'static [Self] {
                match self { $(Self::$from => &[$(Self::$to),*]),* }
            }

            /// `to`, if that move is legal.
            ///
            /// # Errors
            /// [`IllegalMove`] when it is not.
            pub fn advance(self, to: Self) -> Result<Self, IllegalMove> {
                if self.next().contains(&to) {
                    Ok(to)
                } else {
                    Err(IllegalMove { machine: Self::MACHINE, from: self.as_str(), to: to.as_str() })
                }
            }
        }
    };
}

states! {
    /// An outgoing message (S4.2, S4.4, S4.6).
    MessageStatus ("message") {
        /// Saved, not attempted yet or waiting for its next attempt.
        Pending = "pending",
        /// An attempt is running, or was when its node died.
        Sending = "sending",
        /// Nobody knows whether the last attempt arrived; being reconciled (S4.4).
        Unknown = "unknown",
        /// Stopped until a person decides.
        Held = "held",
        /// The provider accepted it (one tick).
        Sent = "sent",
        /// It reached the phone (two ticks).
        Delivered = "delivered",
        /// It was opened (blue ticks).
        Read = "read",
        /// A voice message was listened to.
        Played = "played",
        /// It will not arrive unless a person retries it.
        Failed = "failed",
    } moves {
        Pending => [Sending, Held, Failed],
        Sending => [Pending, Unknown, Held, Sent, Delivered, Read, Played, Failed],
        Unknown => [Sending, Held, Sent, Delivered, Read, Played, Failed],
        Held => [Pending, Sending, Sent, Delivered, Read, Played, Failed],
        Sent => [Delivered, Read, Played, Failed],
        Delivered => [Read, Played],
        Read => [Played],
        Played => [],
        // A person may retry; and a late receipt proves an arrival that we had given up on.
        Failed => [Pending, Sent, Delivered, Read, Played],
    }
}

states! {
    /// A unit of leased work (S2.1).
    JobState ("job") {
        /// Waits for its `run_at`.
        Queued = "queued",
        /// A worker that holds its conversation's lease works on it.
        Running = "running",
        /// Finished.
        Done = "done",
        /// Cancelled by a person, or superseded.
        Failed = "failed",
        /// Out of attempts or not worth another: its dead letter says why.
        Dead = "dead",
    } moves {
        Queued => [Running, Failed],
        Running => [Done, Queued, Failed, Dead],
        Done => [],
        Failed => [Queued],
        Dead => [Queued, Failed],
    }
}

states! {
    /// A dead letter (S2.5).
    DeadLetterStatus ("dead letter") {
        /// Waits for its next automatic retry, or for a person.
        Pending = "pending",
        /// Its work is queued again.
        Retrying = "retrying",
        /// The retry succeeded.
        Resolved = "resolved",
        /// A person decided against it.
        Discarded = "discarded",
    } moves {
        Pending => [Retrying, Discarded],
        Retrying => [Resolved, Pending],
        Resolved => [],
        Discarded => [Retrying],
    }
}

states! {
    /// Who answers in a conversation (S3.10), and whether it goes on.
    ConversationState ("conversation") {
        /// The assistant answers.
        Active = "active",
        /// A person answers until a time, or until they hand back.
        Paused = "paused",
        /// The flow is done: a person takes it from here (S3.1).
        HandedOver = "handed_over",
        /// The contact opted out (S3.10).
        OptedOut = "opted_out",
        /// Closed; a new message opens a new one.
        Closed = "closed",
    } moves {
        Active => [Paused, HandedOver, OptedOut, Closed],
        Paused => [Active, HandedOver, OptedOut, Closed],
        HandedOver => [Active, Paused, OptedOut, Closed],
        OptedOut => [Active, Closed],
        Closed => [],
    }
}

states! {
    /// Whether a channel may send (S4.3).
    ChannelState ("channel") {
        /// Sends.
        Ready = "ready",
        /// Messages wait: the token expired, the account is restricted, or the instance is not authorised.
        Paused = "paused",
    } moves {
        Ready => [Paused],
        Paused => [Ready],
    }
}

states! {
    /// The actions of one message (S3.6).
    SagaState ("saga") {
        /// Its steps are being done, one after the other.
        Running = "running",
        /// A step failed for good: those before it are being compensated, the last first.
        Unwinding = "unwinding",
        /// Every step is done.
        Done = "done",
        /// Every step that was done is compensated.
        Compensated = "compensated",
        /// A person decides: a compensation failed for good, or nobody knows whether a step was done.
        Stuck = "stuck",
    } moves {
        Running => [Done, Unwinding, Stuck],
        Unwinding => [Compensated, Stuck],
        Done => [],
        Compensated => [],
        Stuck => [Running, Unwinding, Done, Compensated],
    }
}

states! {
    /// One step of a saga: one effect of one action (S3.6).
    StepState ("saga step") {
        /// Not begun, or waiting for its next attempt.
        Pending = "pending",
        /// Being done, or was when its node died.
        Running = "running",
        /// Done.
        Done = "done",
        /// Refused for good, or out of attempts.
        Failed = "failed",
        /// Being compensated, or was when its node died.
        Compensating = "compensating",
        /// Done, and compensated.
        Compensated = "compensated",
        /// A person decides.
        Stuck = "stuck",
        /// Not done: a step before it failed, or a person passed over it.
        Skipped = "skipped",
    } moves {
        Pending => [Running, Skipped],
        Running => [Done, Pending, Failed, Stuck],
        Done => [Compensating],
        Failed => [],
        // Back to done: its compensation is tried again later.
        Compensating => [Compensated, Done, Stuck],
        Compensated => [],
        // By hand: forward again, backward again, or passed over.
        Stuck => [Pending, Done, Skipped],
        Skipped => [],
    }
}

states! {
    /// A breaker before an outside dependency (S4.10).
    BreakerState ("breaker") {
        /// Calls go through.
        Closed = "closed",
        /// One call tries whether the dependency works again; the others wait.
        HalfOpen = "half_open",
        /// No call goes out: the dependency failed too often, or a person holds it so.
        Open = "open",
    } moves {
        Closed => [Open],
        HalfOpen => [Closed, Open],
        // Straight to closed only by a person's reset.
        Open => [HalfOpen, Closed],
    }
}

/// What an attempt to send came to (S4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// The provider accepted.
    Sent,
    /// The provider refused.
    Failed,
    /// Not attempted, or the attempt broke: the message is saved.
    SavedOnly,
}

impl SendOutcome {
    /// The word that rows and the API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::SavedOnly => "saved_only",
        }
    }
}

impl MessageStatus {
    /// Whether the message's fate is still open, so that later messages of its conversation wait behind it.
    #[must_use]
    pub const fn unsettled(self) -> bool {
        matches!(self, Self::Pending | Self::Sending | Self::Unknown)
    }

    /// What a receipt makes of this status: `None` when the receipt says nothing new (S4.6: never back).
    #[must_use]
    pub fn receipt(self, receipt: Receipt) -> Option<Self> {
        let to = match receipt {
            Receipt::Sent => Self::Sent,
            Receipt::Delivered => Self::Delivered,
            Receipt::Read => Self::Read,
            Receipt::Played => Self::Played,
            Receipt::Failed => Self::Failed,
        };
        // A receipt says that an attempt was made, whatever we believed: pending moves as sending does.
        let from = if self == Self::Pending { Self::Sending } else { self };
        from.advance(to).ok()
    }
}

/// What a provider reports of an outgoing message (S4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// Accepted by WhatsApp's servers.
    Sent,
    /// Reached the phone.
    Delivered,
    /// Opened.
    Read,
    /// Listened to.
    Played,
    /// Will not arrive.
    Failed,
}

impl Receipt {
    /// The word that rows use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }

    /// The receipt of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sent, Self::Delivered, Self::Read, Self::Played, Self::Failed].into_iter().find(|r| r.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rank(s: MessageStatus) -> u8 {
        use MessageStatus::{Delivered, Failed, Held, Pending, Played, Read, Sending, Sent, Unknown};
        match s {
            Pending | Sending | Unknown | Held | Failed => 0,
            Sent => 1,
            Delivered => 2,
            Read => 3,
            Played => 4,
        }
    }

    fn receipts() -> impl Strategy<Value = Receipt> {
        prop_oneof![
            Just(Receipt::Sent),
            Just(Receipt::Delivered),
            Just(Receipt::Read),
            Just(Receipt::Played),
            Just(Receipt::Failed)
        ]
    }

    proptest! {
        /// S4.6: in whatever order and however often receipts come, a message never moves back, and the best one wins.
        #[test]
        fn receipts_never_move_a_message_back(order in proptest::collection::vec(receipts(), 1..12)) {
            let mut status = MessageStatus::Sending;
            for receipt in &order {
                if let Some(next) = status.receipt(*receipt) {
                    prop_assert!(rank(next) >= rank(status) || next == MessageStatus::Failed && status == MessageStatus::Sent);
                    status = next;
                }
            }
            if order.contains(&Receipt::Played) {
                prop_assert_eq!(status, MessageStatus::Played);
            }
        }
    }

    #[test]
    fn every_state_reads_back_from_its_word() {
        for s in MessageStatus::ALL {
            assert_eq!(s.as_str().parse::<MessageStatus>().as_ref(), Ok(s));
        }
        assert!("in_orbit".parse::<MessageStatus>().is_err());
    }

    #[test]
    fn an_illegal_move_says_which() {
        let err = JobState::Done.advance(JobState::Running).unwrap_err();
        assert_eq!(err.to_string(), "a job cannot go from done to running");
    }
}
