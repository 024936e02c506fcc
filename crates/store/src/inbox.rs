//! Accepting what a webhook brought: everything of one body in one transaction (S1.5), each message once (S1.6), each born leased when the
//! accepting node has room, so that it is worked without a second write or a poll.

use std::sync::Arc;
use std::time::Duration;

use types::inbound::{Content, Event, Identity, Inbound, Item};
use types::states::{ConversationState, JobState};
use types::{ConversationId, JobId, MessageId, ProviderMessageId, RequestId, Timestamp};

use crate::contacts::{self, Door, Thread};
use crate::error::Result;
use crate::policy::Policy;
use crate::reach::{Reach, Touches};
use crate::receipts::{self, Noted};
use crate::sql::{Op, Tx};
use crate::work::{Claimed, Lease, Turn, Work};
use crate::{channels, conversations, events, leases};

sql! {
    NOTE_ID = "inbox.note_id":
        "INSERT INTO inbox (channel_id, provider_message_id, message_id, received_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (channel_id, provider_message_id) DO NOTHING";
    KEEP = "messages.keep":
        "INSERT INTO message (id, tenant_id, conversation_id, channel_id, direction, sender, kind, body, content, provider_id,
                               quotes, status, provider_at, created_at, request_id, raw)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    ADD_TURN = "jobs.add_turn":
        "INSERT INTO jobs (id, tenant_id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives,
                           request_id, created_at, started_at)
         VALUES ($1, $2, 'turn', $3, $1, $4, $5, $6, $7, 0, $8, $5, $9)";
    ADD_GATHERED = "jobs.add_gathered":
        "INSERT INTO jobs (id, tenant_id, kind, conversation_id, message_id, state, run_at, attempts, max_attempts, redrives,
                           request_id, created_at)
         VALUES ($1, $2, 'gather', $3, $1, 'queued', $4, 0, $5, 0, $6, $7)";
    GATHERING = "jobs.gathering":
        "SELECT id, created_at FROM jobs WHERE conversation_id = $1 AND state = 'queued' AND kind = 'gather' AND attempts = 0
         ORDER BY id LIMIT 1";
    GATHER_UNTIL = "jobs.gather_until": "UPDATE jobs SET run_at = $2 WHERE id = $1";
    LEASED = "conversations.message_leased":
        "UPDATE conversation SET last_inbound_at = $2, last_message_at = $2, next_due = $2, lease_owner = $3, lease_until = $4, leased_at = $2,
                fence = fence + 1 WHERE id = $1";
    WAITING = "conversations.message_waiting":
        "UPDATE conversation SET last_inbound_at = $2, last_message_at = $2,
                next_due = CASE WHEN next_due IS NULL OR next_due > $2 THEN $2 ELSE next_due END WHERE id = $1";
    QUIET = "conversations.message_quiet":
        "UPDATE conversation SET last_inbound_at = $2, last_message_at = $2 WHERE id = $1";
}

/// One element of a webhook body with the number it came to.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// `None`: no number of ours; kept as unrouted.
    pub door: Option<Door>,
    /// What came.
    pub item: Item,
    /// Whether messages in groups are answered on this number; otherwise they are recorded only.
    pub answer_groups: bool,
}

/// Stores all of one webhook body.
#[derive(Clone, Debug)]
pub struct Accept {
    /// What came, in order.
    pub arrivals: Vec<Arrival>,
    /// The request.
    pub request_id: RequestId,
    /// Who takes new work at once, and how many conversations it has room for; `None`: nobody here.
    pub room: Option<(Arc<str>, usize)>,
    /// Times.
    pub policy: Arc<Policy>,
}

/// What became of a body.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// New messages of customers.
    pub messages: Vec<Stored>,
    /// Elements that were stored before.
    pub duplicates: u32,
    /// Other new elements: statuses, echoes, notes.
    pub recorded: u32,
    /// Elements for no number of ours.
    pub unrouted: u32,
    /// Conversations that this node now holds, with their first work.
    pub leased: Vec<Claimed>,
    /// Whether someone else must be woken: work is due that nobody here holds.
    pub waiting: bool,
}

impl Accepted {
    /// Counts what came in, whichever way it took: at once, or through the spool.
    pub fn count(&self, tenant: &Arc<str>, channel: &'static str) {
        for message in &self.messages {
            metrics::counter!("whatsapp_messages_received_total", "tenant" => Arc::clone(tenant), "channel" => channel,
                "type" => message.kind)
            .increment(1);
        }
        if self.duplicates > 0 {
            metrics::counter!("message_duplicate_total").increment(u64::from(self.duplicates));
        }
        if self.unrouted > 0 {
            metrics::counter!("webhook_unrouted_total", "channel" => channel).increment(u64::from(self.unrouted));
        }
    }
}

impl Accept {
    /// One body may hold several tenants' messages; as a rule it holds one's, and is counted as that one's.
    #[must_use]
    pub fn door(&self) -> Option<&Door> {
        self.arrivals.iter().find_map(|a| a.door.as_ref())
    }
}

/// A newly stored message of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Our id.
    pub message: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its kind, for the counter.
    pub kind: &'static str,
    /// Whether it made a job.
    pub job: bool,
}

impl Op for Accept {
    const NAME: &'static str = "inbox.accept";
    type Out = Accepted;

    fn reach(&self) -> Reach {
        let mut touches = Touches::default();
        for arrival in &self.arrivals {
            let raw = &arrival.item.raw;
            let Some(door) = &arrival.door else {
                touches.name("event", raw);
                continue;
            };
            match &arrival.item.event {
                Event::Message(m) => {
                    touches.name("inbound", &m.provider_id.0);
                    touches.person(door.tenant, door.channel, &m.from, m.group.as_deref());
                }
                Event::Status(report) => {
                    touches.sent(door.channel, &report.provider_id);
                    if let Some(key) = &report.dedupe_key {
                        touches.key(key);
                    }
                }
                Event::Note { .. } | Event::Unreadable { .. } => touches.name("event", raw),
                // Found by their text, or of a whole channel: rare, and not worth the thought.
                _ => return Reach::Everything,
            }
        }
        Reach::Only(touches)
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Accepted> {
        let mut out = Accepted::default();
        for arrival in &self.arrivals {
            match &arrival.door {
                Some(door) => self.take(tx, door, arrival, &mut out)?,
                None => {
                    out.unrouted += 1;
                    let why = Some("no number of ours");
                    self.note(tx, None, "unrouted", why, &arrival.item.raw, &mut out)?;
                }
            }
        }
        Ok(out)
    }
}

impl Accept {
    fn take(&self, tx: &mut dyn Tx, door: &Door, arrival: &Arrival, out: &mut Accepted) -> Result<()> {
        let raw = &arrival.item.raw;
        let noted = match &arrival.item.event {
            Event::Message(message) => return self.message(tx, door, message, arrival, out),
            Event::Status(report) => receipts::report(tx, door, report)?,
            Event::OwnSend(own) => receipts::own_send(tx, door, own)?,
            Event::Echo(echo) => match receipts::own_echo(tx, door, echo)? {
                Some(noted) => noted,
                None => self.echo(tx, door, echo, raw)?,
            },
            // Old news that comes again (Meta repeats for 7 days) must not undo what has happened since: only the first copy acts.
            Event::IdentityChange(change) => {
                if self.note(tx, Some(door), "identity_change", None, raw, out)? {
                    contacts::relink(tx, door.tenant, &change.before, &change.after)?;
                }
                return Ok(());
            }
            Event::Channel(news) => {
                let fresh = self.note(tx, Some(door), &format!("channel_{}", news.word), None, raw, out)?;
                if let Some(usable) = news.usable.filter(|_| fresh) {
                    out.waiting |= channels::news(tx, door, usable, &news.word)?;
                }
                return Ok(());
            }
            Event::Handover { from, ours } => {
                if self.note(tx, Some(door), "messaging_handovers", None, raw, out)? {
                    self.handover(tx, door, from, *ours)?;
                }
                return Ok(());
            }
            Event::Note { kind } => return self.note(tx, Some(door), kind, None, raw, out).map(drop),
            Event::Unreadable { kind, why } => return self.note(tx, Some(door), kind, Some(why), raw, out).map(drop),
        };
        match noted {
            Noted::Duplicate => out.duplicates += 1,
            Noted::Kept => out.recorded += 1,
            Noted::Settled => {
                out.recorded += 1;
                out.waiting = true;
            }
        }
        Ok(())
    }

    /// Keeps an element as an event; whether it is new.
    fn note(
        &self,
        tx: &mut dyn Tx,
        door: Option<&Door>,
        kind: &str,
        why: Option<&str>,
        raw: &str,
        out: &mut Accepted,
    ) -> Result<bool> {
        let fresh = events::keep(tx, door, kind, why, raw, &self.request_id)?;
        if fresh {
            out.recorded += 1;
        } else {
            out.duplicates += 1;
        }
        Ok(fresh)
    }

    fn handover(&self, tx: &mut dyn Tx, door: &Door, from: &Identity, ours: bool) -> Result<()> {
        if from.is_nobody() {
            return Ok(());
        }
        let thread = contacts::thread(tx, door, from, None)?;
        if ours {
            conversations::resume(tx, &thread.snapshot, "Meta gave us the conversation", "meta")
        } else {
            let until = tx.now().plus(self.policy.pauses.of(door.tenant));
            conversations::pause(tx, &thread.snapshot, until, "another application took the conversation", "meta")
        }
    }

    fn message(
        &self,
        tx: &mut dyn Tx,
        door: &Door,
        message: &Inbound,
        arrival: &Arrival,
        out: &mut Accepted,
    ) -> Result<()> {
        let id = MessageId(tx.next_id());
        let now = tx.now();
        if tx.execute(&NOTE_ID, params![door.channel, &message.provider_id.0, id, now])? == 0 {
            out.duplicates += 1;
            return Ok(());
        }
        let thread = contacts::thread(tx, door, &message.from, message.group.as_deref())?;
        let conversation = thread.snapshot.conversation;
        let row = Kept {
            id,
            provider_id: &message.provider_id,
            content: &message.content,
            quotes: message.quotes.as_ref(),
            at: message.at,
            raw: &arrival.item.raw,
            direction: "in",
            sender: "USER",
            status: "received",
        };
        self.keep(tx, &thread, &row)?;
        let job = message.content.wants_answer() && (message.group.is_none() || arrival.answer_groups);
        out.messages.push(Stored { message: id, conversation, kind: message.content.kind(), job });
        if !job {
            tx.execute(&QUIET, params![conversation, now])?;
            return Ok(());
        }
        if let Some(gather) = self.policy.gather(door.tenant)
            && matches!(message.content, Content::Text { .. })
        {
            out.waiting = true;
            return self.gather(tx, &thread, id, gather);
        }
        match self.lease(tx, &thread, out.leased.len(), now)? {
            Some(lease) => {
                self.add_turn(tx, &thread, id, JobState::Running, now)?;
                out.leased.push(Claimed {
                    lease,
                    work: Work::Turn(self.turn(id, message, now)),
                    snapshot: thread.snapshot,
                });
            }
            None => {
                self.add_turn(tx, &thread, id, JobState::Queued, now)?;
                tx.execute(&WAITING, params![conversation, now])?;
                out.waiting |= thread.lease_until <= now.micros();
            }
        }
        Ok(())
    }

    fn add_turn(&self, tx: &mut dyn Tx, thread: &Thread, id: MessageId, state: JobState, now: Timestamp) -> Result<()> {
        let (attempts, started) = if state == JobState::Running { (1_u32, Some(now)) } else { (0, None) };
        let conversation = thread.snapshot.conversation;
        let max = self.policy.max_attempts();
        tx.execute(
            &ADD_TURN,
            params![
                id,
                thread.snapshot.tenant,
                conversation,
                state.as_str(),
                now,
                attempts,
                max,
                &self.request_id.0,
                started
            ],
        )?;
        Ok(())
    }

    /// The message waits for others (S3.10): the first of a burst moves on with each that follows, but not for ever.
    fn gather(&self, tx: &mut dyn Tx, thread: &Thread, id: MessageId, gather: Duration) -> Result<()> {
        let now = tx.now();
        let (conversation, until) = (thread.snapshot.conversation, now.plus(gather));
        let first =
            tx.first(&GATHERING, params![conversation], |r| Ok((r.get::<JobId>(0)?, r.get::<Timestamp>(1)?)))?;
        let max = self.policy.max_attempts();
        let p = params![id, thread.snapshot.tenant, conversation, until, max, &self.request_id.0, now];
        tx.execute(&ADD_GATHERED, p)?;
        let due = match first {
            Some((job, since)) => {
                let due = until.min(since.plus(gather * LONGEST_BURST));
                tx.execute(&GATHER_UNTIL, params![job, due])?;
                due
            }
            None => until,
        };
        tx.execute(&QUIET, params![conversation, now])?;
        leases::make_due(tx, conversation, due)
    }

    fn turn(&self, id: MessageId, message: &Inbound, now: Timestamp) -> Turn {
        Turn {
            job: JobId(id.0),
            message: id,
            provider_id: message.provider_id.clone(),
            content: message.content.clone(),
            request_id: self.request_id.clone(),
            attempt: 1,
            redriven: false,
            received_at: now,
            gathered: Vec::new(),
        }
    }

    /// Takes the lease of a conversation that is free and has nothing else to do, if this node has room.
    fn lease(&self, tx: &mut dyn Tx, thread: &Thread, held: usize, now: Timestamp) -> Result<Option<Lease>> {
        let Some((owner, room)) = &self.room else { return Ok(None) };
        let conversation = thread.snapshot.conversation;
        if held >= *room || thread.lease_until > now.micros() {
            return Ok(None);
        }
        // Something older waits in it: the claim that finds that in order must come first.
        if thread.next_due.is_some() && tx.number(&leases::HAS_WORK, params![conversation])? != 0 {
            return Ok(None);
        }
        let until = now.plus(self.policy.lease);
        tx.execute(&LEASED, params![conversation, now, &**owner, until])?;
        Ok(Some(Lease { conversation, owner: Arc::clone(owner), until, fence: thread.fence + 1 }))
    }

    /// What staff wrote elsewhere: kept once, and the assistant is quiet from then on (S3.10).
    fn echo(&self, tx: &mut dyn Tx, door: &Door, echo: &types::inbound::Echo, raw: &str) -> Result<Noted> {
        let (id, now) = (MessageId(tx.next_id()), tx.now());
        if tx.execute(&NOTE_ID, params![door.channel, &echo.provider_id.0, id, now])? == 0 {
            return Ok(Noted::Duplicate);
        }
        let thread = contacts::thread(tx, door, &echo.to, echo.group.as_deref())?;
        let row = Kept {
            id,
            provider_id: &echo.provider_id,
            content: &echo.content,
            quotes: None,
            at: echo.at,
            raw,
            direction: "out",
            sender: "HUMAN",
            status: "sent",
        };
        self.keep(tx, &thread, &row)?;
        if shows_a_person(&echo.content) {
            let until = now.plus(self.policy.pauses.of(door.tenant));
            let reason = "a person answered from the business's phone";
            conversations::pause(tx, &thread.snapshot, until, reason, "phone")?;
        }
        Ok(Noted::Kept)
    }

    fn keep(&self, tx: &mut dyn Tx, thread: &Thread, row: &Kept<'_>) -> Result<()> {
        let now = tx.now();
        let s = &thread.snapshot;
        let content = match row.content {
            Content::Text { .. } => None,
            other => Some(serde_json::to_string(other).unwrap_or_default()),
        };
        let quotes = row.quotes.map(|q| q.0.as_str());
        let p = params![
            row.id,
            s.tenant,
            s.conversation,
            s.channel,
            row.direction,
            row.sender,
            row.content.kind(),
            row.content.text(),
            content.as_deref(),
            &row.provider_id.0,
            quotes,
            row.status,
            row.at,
            now,
            &self.request_id.0,
            row.raw,
        ];
        tx.execute(&KEEP, p)?;
        Ok(())
    }
}

/// A burst is answered after so many times its gathering at the latest, however much follows.
const LONGEST_BURST: u32 = 5;

/// Whether an echo shows a person at work: their edits and deletions do as well as their messages.
const fn shows_a_person(content: &Content) -> bool {
    !matches!(content, Content::Reaction { .. })
}

struct Kept<'a> {
    id: MessageId,
    provider_id: &'a ProviderMessageId,
    content: &'a Content,
    quotes: Option<&'a ProviderMessageId>,
    at: Option<Timestamp>,
    raw: &'a str,
    direction: &'static str,
    sender: &'static str,
    status: &'static str,
}

/// Whether the assistant answers in this state at `now`; a pause that has ended counts as active.
#[must_use]
pub fn answers(state: ConversationState, until: Option<Timestamp>, now: Timestamp) -> bool {
    match state {
        ConversationState::Active | ConversationState::HandedOver => true,
        ConversationState::Paused => until.is_some_and(|u| u <= now),
        // The engine must hear START.
        ConversationState::OptedOut => true,
        ConversationState::Closed => false,
    }
}
