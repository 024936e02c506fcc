//! Agents as people see them (S3.7, S3.8): figures, sessions and their turns, switches, experiments; and readings from outside (S3.9).

use types::ids::first_id_of;
use types::{AgentSessionId, ConversationId, LeadId, MessageId, Moment, ProviderMessageId, TenantId, Timestamp};

use super::audit::{self, Act};
use super::{Access, After, AgentFlag, AgentSession, AgentTurn, By, Rows};
use crate::agents::Spent;
use crate::error::{Result, StoreError};
use crate::leases;
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Row, Tx};

sql! {
    SPENT = "desk.agent_spend": "SELECT tokens, cost FROM agent_spend WHERE tenant_id = $1 AND day = $2 AND contact_id = 0";
    AT_CAP = "desk.agent_spend_at_cap":
        "SELECT COUNT(*) FROM agent_spend WHERE tenant_id = $1 AND day = $2 AND contact_id <> 0 AND (tokens >= $3 OR cost >= $4)";
    FIGURES = "agents.figures":
        "SELECT agent, COUNT(*), CAST(SUM(CASE WHEN status IN ('replied', 'handed_over') THEN 1 ELSE 0 END) AS {int}),
                CAST(SUM(CASE WHEN status = 'handed_over' THEN 1 ELSE 0 END) AS {int}), CAST(SUM(tokens_in) AS {int}),
                CAST(SUM(tokens_out) AS {int}), CAST(SUM(cost) AS {int}), CAST(SUM(latency_ms) AS {int}), COUNT(DISTINCT session_id)
         FROM agent_log WHERE tenant_id = $1 AND id >= $2 AND workflow = 'agent' GROUP BY agent";
    SLOW = "agents.slow":
        "SELECT latency_ms FROM agent_log WHERE tenant_id = $1 AND id >= $2 AND workflow = 'agent' AND agent = $3
         ORDER BY latency_ms LIMIT 1 OFFSET $4";
    SESSIONS = "agents.sessions":
        "SELECT s.id, s.conversation_id, l.name, s.agent, s.provider, s.model, s.started_at, s.last_at, s.ended_at, s.outcome, s.turns, s.replies,
                s.calls, s.tokens_in, s.tokens_out, s.cost, s.errors, s.latency_ms, s.tenant_id
         FROM agent_session s LEFT JOIN lead l ON l.id = s.lead_id
         WHERE s.tenant_id = $1 AND s.id < $2 AND ($3 = '' OR s.agent = $3) ORDER BY s.id DESC LIMIT $4";
    SESSION = "agents.session":
        "SELECT s.id, s.conversation_id, l.name, s.agent, s.provider, s.model, s.started_at, s.last_at, s.ended_at, s.outcome, s.turns, s.replies,
                s.calls, s.tokens_in, s.tokens_out, s.cost, s.errors, s.latency_ms, s.tenant_id
         FROM agent_session s LEFT JOIN lead l ON l.id = s.lead_id WHERE s.id = $1";
    TURNS = "agents.turns":
        "SELECT id, message_id, input, output, status, error, calls, tokens_in, tokens_out, cost, latency_ms, created_at
         FROM agent_log WHERE session_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    SHOW_FLAGS = "agents.show_flags":
        "SELECT name, is_on, percent, reason, set_by, set_at, picked FROM flag WHERE tenant_id = $1 ORDER BY name";
    SET_FLAG = "agents.set_flag":
        "INSERT INTO flag (tenant_id, name, is_on, percent, reason, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, name) DO UPDATE SET is_on = excluded.is_on, percent = excluded.percent, reason = excluded.reason,
                set_by = excluded.set_by, set_at = excluded.set_at";
    PICK = "agents.pick_winner":
        "INSERT INTO flag (tenant_id, name, is_on, percent, picked, reason, set_by, set_at) VALUES ($1, $2, 1, 100, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, name) DO UPDATE SET picked = excluded.picked, reason = excluded.reason, set_by = excluded.set_by,
                set_at = excluded.set_at";
    LEAVE = "agents.leave_experiment":
        "UPDATE exposure SET left_at = $3 WHERE tenant_id = $1 AND experiment = $2 AND reached_at IS NULL AND left_at IS NULL";
    EXPOSED = "agents.exposed":
        "SELECT arm, exposed_at, reached_at, left_at FROM exposure WHERE tenant_id = $1 AND experiment = $2 ORDER BY conversation_id LIMIT $3";
    BY_ID = "agents.message_by_id":
        "SELECT m.id, m.tenant_id, m.conversation_id, c.lead_id FROM message m JOIN conversation c ON c.id = m.conversation_id
         WHERE m.id = $1 AND m.direction = 'in'";
    BY_PROVIDER = "agents.message_by_provider_id":
        "SELECT m.id, m.tenant_id, m.conversation_id, c.lead_id FROM message m JOIN conversation c ON c.id = m.conversation_id
         WHERE m.id IN (SELECT message_id FROM inbox WHERE channel_id IN (SELECT id FROM channels) AND provider_message_id = $1)
           AND m.direction = 'in'";
    TAKE = "agents.take_result":
        "INSERT INTO ai_result (message_id, tenant_id, intent, confidence, entities, received_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (message_id) DO NOTHING";
    TURN = "agents.turn_of": "SELECT state, attempts, run_at FROM jobs WHERE id = $1";
    NOW = "agents.work_now": "UPDATE jobs SET run_at = $2 WHERE id = $1 AND state = 'queued' AND run_at > $2";
}

/// What an agent did since a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Which agent.
    pub agent: String,
    /// Turns that it was asked for.
    pub turns: i64,
    /// Turns that it answered.
    pub replies: i64,
    /// Of those, the ones that called a person.
    pub handovers: i64,
    /// Tokens read.
    pub tokens_in: i64,
    /// Tokens written.
    pub tokens_out: i64,
    /// Millionths of the currency.
    pub cost: i64,
    /// Time of all its calls, ms.
    pub latency_ms: i64,
    /// Sessions with a turn.
    pub sessions: i64,
    /// 95 of a hundred turns were not slower than this, ms.
    pub p95_ms: i64,
}

/// Reads the figures of a tenant's agents.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    /// Whose.
    pub tenant: TenantId,
    /// Since when.
    pub since: Timestamp,
}

impl Op for Show {
    const NAME: &'static str = "desk.agents";
    type Out = Vec<Figures>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let first = first_id_of(self.since);
        let mut all = tx.all(&FIGURES, params![self.tenant, first], |r| {
            Ok(Figures {
                agent: r.get(0)?,
                turns: r.get(1)?,
                replies: r.get(2)?,
                handovers: r.get(3)?,
                tokens_in: r.get(4)?,
                tokens_out: r.get(5)?,
                cost: r.get(6)?,
                latency_ms: r.get(7)?,
                sessions: r.get(8)?,
                p95_ms: 0,
            })
        })?;
        for one in &mut all {
            let nth = (one.turns * 95 + 99) / 100 - 1;
            let slow = tx.first(&SLOW, params![self.tenant, first, &one.agent, nth.max(0)], |r| r.get(0))?;
            one.p95_ms = slow.unwrap_or(0);
        }
        Ok(all)
    }
}

fn session(r: &dyn Row) -> Result<(AgentSession, TenantId)> {
    let (turns, latency): (i64, i64) = (r.get(10)?, r.get(17)?);
    let session = AgentSession {
        id: r.get(0)?,
        conversation_id: r.get(1)?,
        lead_name: r.get(2)?,
        agent: r.get(3)?,
        provider: r.get(4)?,
        model: r.get(5)?,
        started_at: r.get(6)?,
        last_at: r.get(7)?,
        ended_at: r.get(8)?,
        outcome: r.get(9)?,
        turns,
        replies: r.get(11)?,
        calls: r.get(12)?,
        tokens_in: r.get(13)?,
        tokens_out: r.get(14)?,
        cost: r.get::<i64>(15)? as f64 / 1e6,
        errors: r.get(16)?,
        mean_ms: if turns > 0 { latency / turns } else { 0 },
    };
    Ok((session, r.get(18)?))
}

/// Lists sessions, newest first.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Whose.
    pub tenant: TenantId,
    /// Only of this agent.
    pub agent: Option<String>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for Sessions {
    const NAME: &'static str = "desk.agent_sessions";
    type Out = Rows<AgentSession>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let agent = self.agent.as_deref().unwrap_or("");
        tx.all(&SESSIONS, params![self.tenant, self.after.id, agent, self.limit], |r| {
            let (session, _) = session(r)?;
            Ok((After { key: session.id.0, id: session.id.0 }, session))
        })
    }
}

/// The turns of a session, oldest first.
#[derive(Clone, Debug)]
pub struct Turns {
    /// Which session.
    pub session: AgentSessionId,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Turns {
    const NAME: &'static str = "desk.agent_turns";
    type Out = Rows<AgentTurn>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let of = tx.first(&SESSION, params![self.session], session)?;
        self.access.check(of.map(|o| o.1), "session", self.session)?;
        tx.all(&TURNS, params![self.session, self.after.id, self.limit], |r| {
            let id: i64 = r.get(0)?;
            let calls: String = r.get(6)?;
            let turn = AgentTurn {
                message_id: r.get(1)?,
                input: r.get(2)?,
                output: r.get(3)?,
                status: r.get(4)?,
                error: r.get(5)?,
                calls: serde_json::from_str(&calls).unwrap_or_default(),
                tokens_in: r.get(7)?,
                tokens_out: r.get(8)?,
                cost: r.get::<i64>(9)? as f64 / 1e6,
                ms: r.get(10)?,
                at: r.get(11)?,
            };
            Ok((After { key: id, id }, turn))
        })
    }
}

/// Lists a tenant's switches that somebody has set.
#[derive(Clone, Copy, Debug)]
pub struct Flags(pub TenantId);

impl Op for Flags {
    const NAME: &'static str = "desk.flags";
    type Out = Vec<AgentFlag>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        tx.all(&SHOW_FLAGS, params![self.0], |r| {
            Ok(AgentFlag {
                name: r.get(0)?,
                on: r.get(1)?,
                percent: r.get(2)?,
                reason: r.get(3)?,
                set_by: Some(r.get(4)?),
                set_at: Some(r.get(5)?),
                picked: r.get(6)?,
            })
        })
    }
}

/// Sets a switch; the next turn obeys it, on every node.
#[derive(Clone, Debug)]
pub struct SetFlag {
    /// Whose.
    pub tenant: TenantId,
    /// Which: `agents`, `agent:NAME`, `experiment:NAME`.
    pub name: String,
    /// On or off.
    pub on: bool,
    /// For how many of a hundred conversations.
    pub percent: u8,
    /// Why.
    pub reason: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for SetFlag {
    const NAME: &'static str = "desk.set_flag";
    type Out = AgentFlag;

    fn run(&self, tx: &mut dyn Tx) -> Result<AgentFlag> {
        self.access.check(Some(self.tenant), "tenant", self.tenant)?;
        let shown = |on: bool, percent: u32| {
            if on { format!("{} on, {percent} %", self.name) } else { format!("{} off", self.name) }
        };
        let old = Flags(self.tenant).run(tx)?.into_iter().find(|f| f.name == self.name);
        let (from, to) = (old.as_ref().map(|f| shown(f.on, f.percent)), shown(self.on, self.percent.into()));
        let (now, reason) = (tx.now(), self.reason.as_deref());
        let p = params![self.tenant, &self.name, self.on, self.percent, reason, &self.by.name, now];
        tx.execute(&SET_FLAG, p)?;
        let (tenant, action, kind) = (Some(self.tenant), "flag.set", "flag");
        let act = Act { tenant, action, kind, id: 0, from: from.as_deref(), to: Some(&to), reason };
        audit::note(tx, &self.by, &act)?;
        Ok(AgentFlag {
            name: self.name.clone(),
            on: self.on,
            percent: self.percent.into(),
            picked: old.and_then(|f| f.picked),
            reason: self.reason.clone(),
            set_by: Some(self.by.name.clone()),
            set_at: Some(Moment(now)),
        })
    }
}

/// Picks the winner of an experiment, or takes that back; the next turn obeys, on every node. Who has no outcome yet leaves the comparison.
#[derive(Clone, Debug)]
pub struct PickWinner {
    /// Whose.
    pub tenant: TenantId,
    /// Which experiment.
    pub experiment: String,
    /// The variant; `None`: none, it compares again.
    pub arm: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for PickWinner {
    const NAME: &'static str = "desk.pick_winner";
    type Out = AgentFlag;

    fn run(&self, tx: &mut dyn Tx) -> Result<AgentFlag> {
        self.access.check(Some(self.tenant), "tenant", self.tenant)?;
        let name = format!("experiment:{}", self.experiment);
        let shown = |arm: Option<&str>| arm.map_or_else(|| format!("{name} compares"), |a| format!("{name} is {a}"));
        let old = Flags(self.tenant).run(tx)?.into_iter().find(|f| f.name == name);
        let (on, percent) = old.as_ref().map_or((true, 100), |f| (f.on, f.percent));
        let (from, to) = (shown(old.and_then(|f| f.picked).as_deref()), shown(self.arm.as_deref()));
        let (now, arm, reason) = (tx.now(), self.arm.as_deref(), self.reason.as_deref());
        tx.execute(&PICK, params![self.tenant, &name, arm, reason, &self.by.name, now])?;
        if arm.is_some() {
            tx.execute(&LEAVE, params![self.tenant, &self.experiment, now])?;
        }
        let (tenant, action, kind) = (Some(self.tenant), "experiment.winner", "flag");
        let act = Act { tenant, action, kind, id: 0, from: Some(&from), to: Some(&to), reason };
        audit::note(tx, &self.by, &act)?;
        Ok(AgentFlag {
            name,
            on,
            percent,
            picked: self.arm.clone(),
            reason: self.reason.clone(),
            set_by: Some(self.by.name.clone()),
            set_at: Some(Moment(now)),
        })
    }
}

/// One conversation in an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// Its variant.
    pub arm: String,
    /// Since when.
    pub at: Timestamp,
    /// When it reached the goal.
    pub reached: Option<Timestamp>,
    /// When it left the comparison, as a winner was picked before its outcome was known.
    pub left: Option<Timestamp>,
}

/// Every conversation of an experiment, up to a bound.
#[derive(Clone, Debug)]
pub struct Exposures {
    /// Whose.
    pub tenant: TenantId,
    /// Which experiment.
    pub experiment: String,
    /// At most so many.
    pub limit: u32,
}

impl Op for Exposures {
    const NAME: &'static str = "desk.exposures";
    type Out = Vec<Exposed>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        tx.all(&EXPOSED, params![self.tenant, &self.experiment, self.limit], |r| {
            Ok(Exposed { arm: r.get(0)?, at: r.get(1)?, reached: r.get(2)?, left: r.get(3)? })
        })
    }
}

/// A customer's message, by our id or the provider's.
#[derive(Clone, Debug)]
pub struct FindMessage {
    /// Its name.
    pub name: String,
    /// Of which lead it must be.
    pub lead: Option<LeadId>,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for FindMessage {
    const NAME: &'static str = "desk.find_message";
    type Out = (MessageId, TenantId, ConversationId);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        type Found = (MessageId, TenantId, ConversationId, LeadId);
        let row = |r: &dyn Row| -> Result<Found> { Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)) };
        let ours = self.name.parse::<MessageId>().ok();
        let mut found = Vec::new();
        if let Some(id) = ours {
            found = tx.all(&BY_ID, params![id], row)?;
        }
        if found.is_empty() {
            let provider = ProviderMessageId(self.name.clone());
            found = tx.all(&BY_PROVIDER, params![provider.0.as_str()], row)?;
        }
        found.retain(|(_, tenant, _, lead)| self.access.allows(*tenant) && self.lead.is_none_or(|l| l == *lead));
        match found.as_slice() {
            [(message, tenant, conversation, _)] => Ok((*message, *tenant, *conversation)),
            [] => Err(StoreError::NotFound { what: "message of that lead", id: self.name.clone() }),
            _ => Err(StoreError::Refused(format!("{} names several messages: use Barid's own id", self.name))),
        }
    }
}

/// Takes what an outside service says of a message (S3.9); the first to say so counts.
#[derive(Clone, Debug)]
pub struct TakeResult {
    /// Which message.
    pub message: MessageId,
    /// Whose.
    pub tenant: TenantId,
    /// In which conversation.
    pub conversation: ConversationId,
    /// The intent.
    pub intent: String,
    /// How sure.
    pub confidence: f64,
    /// By field, as JSON.
    pub entities: String,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The message is worked with it.
    Accepted,
    /// It was there already.
    Repeated,
    /// The message was answered without it.
    TooLate,
}

impl Op for TakeResult {
    const NAME: &'static str = "desk.take_result";
    type Out = Taken;

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Taken> {
        let now = tx.now();
        let confidence = (self.confidence.clamp(0.0, 1.0) * 1e6).round() as i64;
        let p = params![self.message, self.tenant, &self.intent, confidence, &self.entities, now];
        if tx.execute(&TAKE, p)? == 0 {
            return Ok(Taken::Repeated);
        }
        let state = tx.first(&TURN, params![self.message], |r| r.get::<types::states::JobState>(0))?;
        match state {
            Some(types::states::JobState::Queued) => {
                if tx.execute(&NOW, params![self.message, now])? > 0 {
                    leases::make_due(tx, self.conversation, now)?;
                }
                Ok(Taken::Accepted)
            }
            // The turn looks once more before it waits.
            Some(types::states::JobState::Running) => Ok(Taken::Accepted),
            _ => Ok(Taken::TooLate),
        }
    }
}

/// What a tenant's agents have taken of today's budget.
#[derive(Clone, Copy, Debug)]
pub struct Today {
    /// Whose.
    pub tenant: TenantId,
    /// What a contact may take; `None`: no bound.
    pub contact_tokens: Option<u64>,
    /// The same in millionths of the currency.
    pub contact_cost: Option<u64>,
}

impl Op for Today {
    const NAME: &'static str = "desk.agents_today";
    /// What all took, and how many contacts have used up theirs.
    type Out = (Spent, i64);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let day = crate::agents::day_of(tx.now());
        let row = |r: &dyn Row| -> Result<Spent> {
            Ok(Spent { tokens: r.get::<i64>(0)?.unsigned_abs(), cost: r.get::<i64>(1)?.unsigned_abs() })
        };
        let spent = tx.first(&SPENT, params![self.tenant, day], row)?.unwrap_or_default();
        let bound = |cap: Option<u64>| cap.and_then(|c| i64::try_from(c).ok()).unwrap_or(i64::MAX);
        let at_cap =
            tx.number(&AT_CAP, params![self.tenant, day, bound(self.contact_tokens), bound(self.contact_cost)])?;
        Ok((spent, at_cap))
    }
}
