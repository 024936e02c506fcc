//! What agents remember and have done (S3.7, S3.8): read before a turn, written with its reply in one transaction ([`crate::jobs::FinishTurn`]), so
//! that a session says exactly what its turns came to. Tenants without agents never come here.

use std::time::Duration;

use types::ids::first_id_of;
use types::{AgentSessionId, ContactId, ConversationId, JobId, MessageId, TenantId, Timestamp};

use crate::error::Result;
use crate::jobs::After;
use crate::leases;
use crate::policy::Policy;
use crate::reach::{Reach, Touches};
use crate::sql::{Op, Row, Tx};
use crate::work::{Lease, Snapshot};

sql! {
    FLAGS = "agents.flags": "SELECT name, is_on, percent, picked FROM flag WHERE tenant_id = $1";
    CONTEXTS = "agents.contexts": "SELECT agent, messages, summary FROM agent_context WHERE conversation_id = $1";
    SPENT = "agents.spent":
        "SELECT agent, tokens_in + tokens_out FROM agent_session WHERE conversation_id = $1 AND ended_at IS NULL";
    ARMS = "agents.arms": "SELECT experiment, arm FROM exposure WHERE conversation_id = $1";
    RESULT = "agents.result": "SELECT intent, confidence, entities FROM ai_result WHERE message_id = $1";
    OPEN = "agents.open_session":
        "SELECT id FROM agent_session WHERE conversation_id = $1 AND agent = $2 AND ended_at IS NULL ORDER BY id DESC LIMIT 1";
    BEGIN = "agents.begin_session":
        "INSERT INTO agent_session (id, tenant_id, conversation_id, lead_id, agent, provider, model, started_at, last_at, outcome, turns, replies,
                                    calls, tokens_in, tokens_out, cost, errors, latency_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 'open', 0, 0, 0, 0, 0, 0, 0, 0)";
    ADD = "agents.add_to_session":
        "UPDATE agent_session SET last_at = $2, turns = turns + 1, replies = replies + $3, calls = calls + $4, tokens_in = tokens_in + $5,
                tokens_out = tokens_out + $6, cost = cost + $7, errors = errors + $8, latency_ms = latency_ms + $9,
                provider = COALESCE($10, provider), model = COALESCE($11, model) WHERE id = $1";
    END = "agents.end_session": "UPDATE agent_session SET ended_at = $2, outcome = $3 WHERE id = $1";
    LOG = "agents.log":
        "INSERT INTO agent_log (id, tenant_id, lead_id, conversation_id, message_id, session_id, agent, workflow, input, output, status, error,
                                calls, tokens_in, tokens_out, cost, latency_ms, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    REMEMBER = "agents.remember":
        "INSERT INTO agent_context (conversation_id, agent, tenant_id, messages, summary, known, tokens, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (conversation_id, agent) DO UPDATE SET messages = excluded.messages, summary = excluded.summary,
                known = excluded.known, tokens = excluded.tokens, updated_at = excluded.updated_at";
    EXPOSE = "agents.expose":
        "INSERT INTO exposure (tenant_id, experiment, conversation_id, arm, exposed_at)
         SELECT CAST($1 AS {int}), CAST($2 AS TEXT), CAST($3 AS {int}), CAST($4 AS TEXT), CAST($5 AS {int})
         WHERE NOT EXISTS (SELECT 1 FROM flag WHERE tenant_id = $1 AND name = 'experiment:' || CAST($2 AS TEXT) AND picked IS NOT NULL)
         ON CONFLICT (tenant_id, experiment, conversation_id) DO NOTHING";
    REACH = "agents.reach":
        "UPDATE exposure SET reached_at = $4 WHERE tenant_id = $1 AND experiment = $2 AND conversation_id = $3
           AND reached_at IS NULL AND left_at IS NULL";
    IDLE = "agents.end_idle":
        "UPDATE agent_session SET ended_at = last_at, outcome = 'idle' WHERE ended_at IS NULL AND id IN
         (SELECT id FROM agent_session WHERE ended_at IS NULL AND last_at < $1 LIMIT $2)";
    TRIM_LOG = "agents.trim_log":
        "DELETE FROM agent_log WHERE id IN (SELECT id FROM agent_log WHERE id < $1 ORDER BY id LIMIT $2)";
    TRIM_RESULTS = "agents.trim_results":
        "DELETE FROM ai_result WHERE message_id IN (SELECT message_id FROM ai_result WHERE message_id < $1 ORDER BY message_id LIMIT $2)";
    SPEND = "agents.spend":
        "INSERT INTO agent_spend (tenant_id, day, contact_id, tokens, cost) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, day, contact_id) DO UPDATE SET tokens = agent_spend.tokens + excluded.tokens, cost = agent_spend.cost + excluded.cost";
    TODAY = "agents.today":
        "SELECT contact_id, tokens, cost FROM agent_spend WHERE tenant_id = $1 AND day = $2 AND contact_id IN (0, $3)";
    TRIM_SPEND = "agents.trim_spend": "DELETE FROM agent_spend WHERE day < $1";
    PUT_BACK = "agents.put_back":
        "UPDATE jobs SET state = 'queued', run_at = $2, attempts = attempts - 1 WHERE id = $1 AND state = 'running'";
}

/// Reads what a turn of a tenant with agents needs.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Whose.
    pub tenant: TenantId,
    /// Which conversation.
    pub conversation: ConversationId,
    /// The message to answer.
    pub message: MessageId,
    /// Whose message.
    pub contact: ContactId,
}

/// What agents took in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens read and written.
    pub tokens: u64,
    /// Millionths of the currency.
    pub cost: u64,
}

/// The day of a moment: days since 1970, UTC.
pub(crate) const fn day_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(86_400)
}

/// What is known before a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Switches: name, on, percent, and of an experiment the variant that was picked as its winner.
    pub switches: Vec<(String, bool, u8, Option<String>)>,
    /// What each agent remembers: name, messages as JSON, summary.
    pub contexts: Vec<(String, String, String)>,
    /// Tokens of open sessions by agent.
    pub spent: Vec<(String, u64)>,
    /// Variants by experiment.
    pub arms: Vec<(String, String)>,
    /// What an outside service says of the message: intent, confidence, entities as JSON.
    pub given: Option<(String, f64, String)>,
    /// What the contact's messages have taken today.
    pub contact_today: Spent,
    /// What all of the tenant's have.
    pub tenant_today: Spent,
}

impl Op for Load {
    const NAME: &'static str = "agents.load";
    type Out = Known;

    fn run(&self, tx: &mut dyn Tx) -> Result<Known> {
        let percent = |n: u32| u8::try_from(n.min(100)).unwrap_or(100);
        let row = |r: &dyn Row| -> Result<(i64, Spent)> {
            let spent = Spent { tokens: r.get::<i64>(1)?.unsigned_abs(), cost: r.get::<i64>(2)?.unsigned_abs() };
            Ok((r.get(0)?, spent))
        };
        let day = day_of(tx.now());
        let today = tx.all(&TODAY, params![self.tenant, day, self.contact], row)?;
        let of =
            |all: bool| today.iter().find(|(contact, _)| (*contact == 0) == all).map_or_else(Spent::default, |t| t.1);
        Ok(Known {
            contact_today: of(false),
            tenant_today: of(true),
            switches: tx
                .all(&FLAGS, params![self.tenant], |r| Ok((r.get(0)?, r.get(1)?, percent(r.get(2)?), r.get(3)?)))?,
            contexts: tx.all(&CONTEXTS, params![self.conversation], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?,
            spent: tx.all(&SPENT, params![self.conversation], |r| Ok((r.get(0)?, r.get::<i64>(1)?.unsigned_abs())))?,
            arms: tx.all(&ARMS, params![self.conversation], |r| Ok((r.get(0)?, r.get(1)?)))?,
            given: tx
                .first(&RESULT, params![self.message], |r| Ok((r.get(0)?, r.get::<i64>(1)? as f64 / 1e6, r.get(2)?)))?,
        })
    }
}

/// What an agent, or a model that reads, did in a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Which agent.
    pub agent: String,
    /// `agent` or `reading`.
    pub workflow: &'static str,
    /// The provider of the last call.
    pub provider: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// What the customer wrote.
    pub input: String,
    /// What was answered.
    pub output: String,
    /// `replied`, `handed_over`, `read`, or why not.
    pub status: &'static str,
    /// More of that.
    pub error: Option<String>,
    /// Each call of a model, as JSON.
    pub calls: String,
    /// How many.
    pub call_count: u32,
    /// Tokens read.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// Millionths of the currency.
    pub cost: u64,
    /// How long its calls took.
    pub latency_ms: u64,
    /// What it remembers from now on: messages as JSON, summary, known fields as JSON, tokens.
    pub context: Option<(String, String, String, u64)>,
}

/// All that is kept of agents and experiments with a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces {
    /// What agents did.
    pub records: Vec<Record>,
    /// Variants given for the first time: experiment, variant.
    pub exposures: Vec<(String, String)>,
    /// Experiments whose goal was reached.
    pub reached: Vec<String>,
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Traces {
    /// Keeps them, within the turn's transaction.
    pub(crate) fn save(&self, tx: &mut dyn Tx, s: &Snapshot, message: MessageId) -> Result<()> {
        let now = tx.now();
        for record in &self.records {
            record.save(tx, s, message, now)?;
        }
        for (experiment, arm) in &self.exposures {
            tx.execute(&EXPOSE, params![s.tenant, experiment, s.conversation, arm, now])?;
        }
        for experiment in &self.reached {
            tx.execute(&REACH, params![s.tenant, experiment, s.conversation, now])?;
        }
        Ok(())
    }
}

impl Record {
    fn save(&self, tx: &mut dyn Tx, s: &Snapshot, message: MessageId, now: Timestamp) -> Result<()> {
        let session = if self.workflow == "agent" { Some(self.session(tx, s, now)?) } else { None };
        let id = tx.next_id();
        let p = params![
            id,
            s.tenant,
            s.lead,
            s.conversation,
            message,
            session,
            &self.agent,
            self.workflow,
            &self.input,
            &self.output,
            self.status,
            self.error.as_deref(),
            &self.calls,
            signed(self.tokens_in),
            signed(self.tokens_out),
            signed(self.cost),
            signed(self.latency_ms),
            now,
        ];
        tx.execute(&LOG, p)?;
        let tokens = signed(self.tokens_in.saturating_add(self.tokens_out));
        if tokens > 0 || self.cost > 0 {
            for contact in [s.contact.0, 0] {
                tx.execute(&SPEND, params![s.tenant, day_of(now), contact, tokens, signed(self.cost)])?;
            }
        }
        if let Some((messages, summary, known, tokens)) = &self.context {
            let p = params![s.conversation, &self.agent, s.tenant, messages, summary, known, signed(*tokens), now];
            tx.execute(&REMEMBER, p)?;
        }
        Ok(())
    }

    /// Adds the turn to its session, which begins with the first.
    fn session(&self, tx: &mut dyn Tx, s: &Snapshot, now: Timestamp) -> Result<AgentSessionId> {
        let open = tx.first(&OPEN, params![s.conversation, &self.agent], |r| r.get(0))?;
        let (provider, model) = (self.provider.as_deref(), self.model.as_deref());
        let id = match open {
            Some(id) => id,
            None => {
                let id = AgentSessionId(tx.next_id());
                let (provider, model) = (provider.unwrap_or(""), model.unwrap_or(""));
                tx.execute(&BEGIN, params![id, s.tenant, s.conversation, s.lead, &self.agent, provider, model, now])?;
                id
            }
        };
        let replied = matches!(self.status, "replied" | "handed_over");
        let p = params![
            id,
            now,
            replied,
            self.call_count,
            signed(self.tokens_in),
            signed(self.tokens_out),
            signed(self.cost),
            !replied,
            signed(self.latency_ms),
            provider,
            model,
        ];
        tx.execute(&ADD, p)?;
        if matches!(self.status, "handed_over" | "filtered") {
            tx.execute(&END, params![id, now, self.status])?;
        }
        Ok(id)
    }
}

/// Ends sessions in which nothing happened since, and trims what is older than is kept.
#[derive(Clone, Copy, Debug)]
pub struct Tidy {
    /// Sessions whose last turn was before this end.
    pub idle_before: Timestamp,
    /// Lines of the log, and readings from outside, before this go.
    pub log_before: Timestamp,
    /// At most so many rows of each kind.
    pub limit: u32,
}

impl Op for Tidy {
    const NAME: &'static str = "agents.tidy";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let old = first_id_of(self.log_before);
        let trimmed =
            tx.execute(&TRIM_LOG, params![old, self.limit])? + tx.execute(&TRIM_RESULTS, params![old, self.limit])?;
        let trimmed = trimmed + tx.execute(&TRIM_SPEND, params![day_of(self.log_before)])?;
        Ok(tx.execute(&IDLE, params![self.idle_before, self.limit])? + trimmed)
    }
}

/// Puts a turn that has begun back until later: it waits for an outside service (S3.9), and that is no attempt.
#[derive(Clone, Debug)]
pub struct PutBack {
    /// The right to.
    pub lease: Lease,
    /// The turn's job.
    pub job: JobId,
    /// For how long.
    pub wait: Duration,
    /// Stop after this (drain).
    pub stop: bool,
    /// Times.
    pub policy: std::sync::Arc<Policy>,
}

impl Op for PutBack {
    const NAME: &'static str = "agents.put_back";
    type Out = After;

    fn reach(&self) -> Reach {
        Reach::Only(Touches::conversation(self.lease.conversation))
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<After> {
        leases::check(tx, &self.lease)?;
        // What came between the look and this would else wait for its whole time.
        let came = tx.first(&RESULT, params![self.job], |_| Ok(()))?.is_some();
        let at = if came { tx.now() } else { tx.now().plus(self.wait) };
        tx.execute(&PUT_BACK, params![self.job, at])?;
        Ok(After { next: leases::go_on(tx, &self.lease, &self.policy, self.stop)?, saved: None })
    }
}
