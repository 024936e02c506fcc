//! News between nodes (S2.7): work that is due and that its finder does not take is told to the others with NOTIFY, outside of every transaction of intake
//! and at most once in a while. Only hints: polling goes on, and a server that does not pass them on (PgBouncer) costs a moment, no message.
//! The same thread says now and then that this node's number is in use.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::connect::Failure;
use super::session::Session;
use crate::hub::Hub;
use crate::sql::Sql;

/// All news of so long goes as one.
const GATHER: Duration = Duration::from_millis(20);
/// How often the number is said to be in use.
const SEEN: Duration = Duration::from_secs(60);
/// Before a lost connection is made anew.
const PAUSE: Duration = Duration::from_secs(1);

/// What the trigger of `webhook_dlq` says.
const LETTERS: &str = "webhook_dlq";
/// What a node says, before its name, of a saga that is due again; its name alone says that a conversation is.
const ACTS: &str = "acts ";

static NOTIFY: Sql = Sql { name: "postgres.notify", text: "SELECT pg_notify('barid_work', $1)" };

static SEEN_NOW: Sql = Sql {
    name: "postgres.seen_now",
    text: "UPDATE nodes SET seen_at = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::int8 WHERE number = $1 AND owner = $2",
};

static LEAVE: Sql =
    Sql { name: "postgres.leave", text: "UPDATE nodes SET seen_at = 0 WHERE number = $1 AND owner = $2" };

/// The thread's parts.
pub(super) struct Hints {
    pub shared: Arc<Shared>,
    pub hub: Arc<Hub>,
    pub stop: CancellationToken,
    pub node: u16,
    pub owner: String,
}

impl Hints {
    /// Runs until the database is closed.
    pub async fn run(self) {
        while !self.stop.is_cancelled() {
            if let Err(failure) = self.listen().await {
                tracing::debug!(why = failure.why(), "news from other nodes is not heard; polling goes on");
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn listen(&self) -> Result<(), Failure> {
        let (hub, own) = (Arc::clone(&self.hub), self.owner.clone());
        let mut session = Session::listening(&self.shared.server, move |said| {
            if said == LETTERS {
                hub.letters_changed();
            } else if let Some(node) = said.strip_prefix(ACTS) {
                if node != own {
                    hub.act_here();
                }
            } else if said != own {
                hub.wake_here();
            }
        })
        .await?;
        session.be_plain();
        session.run("LISTEN barid_work").await?;
        // What was said before we listened is found by looking.
        self.hub.wake_here();
        let number = i64::from(self.node);
        let me = [
            (&number as &(dyn tokio_postgres::types::ToSql + std::marker::Sync), Type::INT8),
            (&self.owner, Type::TEXT),
        ];
        let mut seen = tokio::time::interval(SEEN);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => {
                    session.ask(&LEAVE, &me).await?;
                    return Ok(());
                }
                () = self.hub.news_for_others() => {
                    tokio::time::sleep(GATHER).await;
                    session.ask(&NOTIFY, &[(&self.owner, Type::TEXT)]).await?;
                }
                () = self.hub.acts_for_others() => {
                    session.ask(&NOTIFY, &[(&format!("{ACTS}{}", self.owner), Type::TEXT)]).await?;
                }
                _ = seen.tick() => {
                    session.ask(&SEEN_NOW, &me).await?;
                }
                () = session.lost() => return Err(Failure::Gone("the connection is lost".to_owned())),
            }
        }
    }
}
