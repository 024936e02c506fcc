//! Conversations for `barid export`, in pages, so that any number of them passes through little memory (S6.8).

use types::ConversationId;

use crate::error::Result;
use crate::sql::{Op, Tx};
use crate::views::{ConversationRow, Conversations, MessageRow, Thread};

sql! {
    COUNT = "export.count": "SELECT COUNT(*) FROM conversation";
}

/// A conversation with all its messages.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Exported {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: ConversationRow,
    /// Its messages, oldest first.
    pub messages: Vec<MessageRow>,
}

/// How many conversations there are.
#[derive(Clone, Copy, Debug)]
pub struct Count;

impl Op for Count {
    const NAME: &'static str = "export.count";
    type Out = i64;

    fn run(&self, tx: &mut dyn Tx) -> Result<i64> {
        tx.number(&COUNT, &[])
    }
}

/// The next page, newest conversations first.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Only older than this one.
    pub before: Option<ConversationId>,
    /// At most so many conversations.
    pub limit: u32,
}

impl Op for Page {
    const NAME: &'static str = "export.page";
    type Out = Vec<Exported>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Exported>> {
        let rows = Conversations { before: self.before, limit: self.limit }.run(tx)?;
        rows.into_iter()
            .map(|conversation| {
                let mut messages = Vec::new();
                loop {
                    let after = messages.last().map(|m: &MessageRow| m.id);
                    let page = Thread { conversation: conversation.id, after, limit: 1000 }.run(tx)?;
                    if page.is_empty() {
                        break;
                    }
                    messages.extend(page);
                }
                Ok(Exported { conversation, messages })
            })
            .collect()
    }
}
