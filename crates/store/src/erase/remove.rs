//! The steps that remove. Each may run again: what is gone stays gone.

use types::{ContactId, ConversationId, LeadId, MessageId, TenantId};

use super::find::{Report, What};
use crate::desk::By;
use crate::desk::audit::{self, Act};
use crate::error::Result;
use crate::sql::{Op, Sql, Tx};

sql! {
    // No message that comes from now on finds them by these; the values are what the rest of the work looks for.
    HIDE_KEYS = "erase.hide_keys":
        "UPDATE contact_keys SET kind = 'x' || kind WHERE contact_id = $1 AND kind IN ('p', 'b', 'o', 'g')";
    TAKEN_KEYS = "erase.taken_keys":
        "DELETE FROM contact_keys WHERE contact_id = $1 AND kind IN ('p', 'b', 'o', 'g') AND EXISTS
         (SELECT 1 FROM contact_keys x WHERE x.tenant_id = contact_keys.tenant_id AND x.kind = 'x' || contact_keys.kind AND x.value = contact_keys.value)";
    // Whoever works it has lost it, and nobody takes it up.
    CLOSE = "erase.close":
        "UPDATE conversation SET closed_at = COALESCE(closed_at, $2), state = 'closed', next_due = NULL, lease_owner = NULL, lease_until = 0,
                fence = fence + 1 WHERE id = $1";
    SAGAS = "erase.sagas": "SELECT id FROM saga WHERE conversation_id = $1";
    SAGA_STEPS = "erase.saga_steps": "DELETE FROM saga_step WHERE saga_id = $1";
    SAGA = "erase.saga": "DELETE FROM saga WHERE id = $1";
    LETTERS = "erase.dead_letters": "DELETE FROM dead_letters WHERE job_id = $1";
    JOBS = "erase.jobs": "DELETE FROM jobs WHERE id = $1";
    JOB_ATTEMPTS = "erase.job_attempts": "DELETE FROM job_attempt WHERE job_id = $1";
    ATTEMPTS = "erase.attempts": "DELETE FROM attempts WHERE message_id = $1";
    RECEIPTS = "erase.receipts":
        "DELETE FROM receipts WHERE (channel_id, provider_id) IN (SELECT channel_id, provider_id FROM message WHERE id = $1 AND provider_id IS NOT NULL)";
    INBOX = "erase.inbox":
        "DELETE FROM inbox WHERE (channel_id, provider_message_id) IN
         (SELECT channel_id, provider_id FROM message WHERE id = $1 AND provider_id IS NOT NULL)";
    OUTBOX = "erase.outbox": "DELETE FROM outbox WHERE message_id = $1";
    AUTHORS = "erase.authors": "DELETE FROM authors WHERE message_id = $1";
    RESULTS = "erase.ai_results": "DELETE FROM ai_result WHERE message_id = $1";
    MESSAGE = "erase.message": "DELETE FROM message WHERE id = $1";
    NOTES = "erase.notes": "DELETE FROM notes WHERE conversation_id = $1";
    TRANSITIONS = "erase.transitions": "DELETE FROM transitions WHERE conversation_id = $1";
    CONTEXTS = "erase.agent_contexts": "DELETE FROM agent_context WHERE conversation_id = $1";
    SESSIONS = "erase.agent_sessions": "DELETE FROM agent_session WHERE conversation_id = $1";
    LOG = "erase.agent_log": "DELETE FROM agent_log WHERE conversation_id = $1";
    EXPOSURES = "erase.exposures": "DELETE FROM exposure WHERE conversation_id = $1";
    TASKS_OF = "erase.tasks_of_conversation": "DELETE FROM task WHERE tenant_id = $1 AND conversation_id = $2";
    DESK = "erase.desk": "DELETE FROM desk WHERE conversation_id = $1";
    CONVERSATION = "erase.conversation": "DELETE FROM conversation WHERE id = $1";
    // Whoever wrote first in a group once stood there as its number.
    GROUP_LEADS = "erase.group_leads":
        "UPDATE lead SET phone = NULL WHERE phone = $2 AND contact_id IN (SELECT contact_id FROM contact_keys WHERE tenant_id = $1 AND kind = 'g')";
    TASKS = "erase.tasks": "DELETE FROM task WHERE lead_id IN (SELECT id FROM lead WHERE contact_id = $1)";
    LEADS = "erase.leads_of": "DELETE FROM lead WHERE contact_id = $1";
    KEYS = "erase.keys_of": "DELETE FROM contact_keys WHERE contact_id = $1";
    CONTACT = "erase.contact": "DELETE FROM contacts WHERE id = $1";
    EVENT = "erase.event": "DELETE FROM events WHERE id = $1";
    NOTICE = "erase.notice": "DELETE FROM notification WHERE id = $1";
    DELIVERY = "erase.delivery": "DELETE FROM delivery WHERE id = $1";
    REDACT = "erase.redact": "UPDATE audit SET before = NULL, after = NULL, reason = NULL WHERE id = $1";
    REPORT = "erase.report": "DELETE FROM receipts WHERE channel_id = $1 AND provider_id = $2 AND status = $3 AND participant = $4";
    ANSWER = "erase.answer": "DELETE FROM idempotency WHERE holder = $1 AND name = $2";
}

/// Rows removed, by relation.
type Counts = Vec<(&'static str, u64)>;

/// Runs each with the same parameters.
fn each(tx: &mut dyn Tx, steps: &[(&'static str, &'static Sql)], id: i64) -> Result<Counts> {
    steps.iter().map(|(relation, sql)| Ok((*relation, tx.execute(sql, params![id])?))).collect()
}

/// Cuts them off from what comes, and takes their conversations from whoever works them; gives the sagas that were ended.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    pub contact: ContactId,
    pub talks: Vec<ConversationId>,
}

impl Op for Begin {
    const NAME: &'static str = "erase.begin";
    type Out = Vec<i64>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<i64>> {
        let now = tx.now();
        tx.execute(&TAKEN_KEYS, params![self.contact])?;
        tx.execute(&HIDE_KEYS, params![self.contact])?;
        let mut ended = Vec::new();
        for talk in &self.talks {
            tx.execute(&CLOSE, params![*talk, now])?;
            let sagas: Vec<i64> = tx.all(&SAGAS, params![*talk], |r| r.get(0))?;
            for saga in &sagas {
                tx.execute(&SAGA_STEPS, params![*saga])?;
                tx.execute(&SAGA, params![*saga])?;
            }
            ended.extend(sagas);
        }
        Ok(ended)
    }
}

/// Removes messages, and all that hangs on each.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    pub ids: Vec<MessageId>,
}

impl Op for Messages {
    const NAME: &'static str = "erase.remove_messages";
    type Out = Counts;

    fn run(&self, tx: &mut dyn Tx) -> Result<Counts> {
        let steps: [(&'static str, &'static Sql); 10] = [
            ("dead_letters", &LETTERS),
            ("job_attempts", &JOB_ATTEMPTS),
            ("jobs", &JOBS),
            ("attempts", &ATTEMPTS),
            ("receipts", &RECEIPTS),
            ("inbox", &INBOX),
            ("outbox", &OUTBOX),
            ("authors", &AUTHORS),
            ("ai_results", &RESULTS),
            ("messages", &MESSAGE),
        ];
        let mut counts = Vec::new();
        for id in &self.ids {
            counts.extend(each(tx, &steps, id.0)?);
        }
        Ok(counts)
    }
}

/// Removes a conversation whose messages are gone.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub id: ConversationId,
    pub tenant: TenantId,
    pub by: By,
}

impl Op for Talk {
    const NAME: &'static str = "erase.remove_conversation";
    type Out = Counts;

    fn run(&self, tx: &mut dyn Tx) -> Result<Counts> {
        let steps: [(&'static str, &'static Sql); 8] = [
            ("notes", &NOTES),
            ("transitions", &TRANSITIONS),
            ("agent_contexts", &CONTEXTS),
            ("agent_sessions", &SESSIONS),
            ("agent_processing_log", &LOG),
            ("exposures", &EXPOSURES),
            ("desk", &DESK),
            ("conversations", &CONVERSATION),
        ];
        let tasks = tx.execute(&TASKS_OF, params![self.tenant, self.id])?;
        let mut counts = each(tx, &steps, self.id.0)?;
        counts.push(("tasks", tasks));
        let (tenant, action, kind) = (Some(self.tenant), "conversation.erase", "conversation");
        audit::note(tx, &self.by, &Act { tenant, action, kind, id: self.id.0, ..Act::default() })?;
        Ok(counts)
    }
}

/// Removes the person themselves, and keeps the fact.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub contact: ContactId,
    pub tenant: TenantId,
    /// The lead under which the fact is kept.
    pub lead: Option<LeadId>,
    pub by: By,
    /// So many rows went before.
    pub rows: u64,
}

impl Op for End {
    const NAME: &'static str = "erase.end";
    type Out = Counts;

    fn run(&self, tx: &mut dyn Tx) -> Result<Counts> {
        let steps: [(&'static str, &'static Sql); 4] =
            [("tasks", &TASKS), ("leads", &LEADS), ("contact_keys", &KEYS), ("contacts", &CONTACT)];
        let counts = each(tx, &steps, self.contact.0)?;
        let rows = self.rows + counts.iter().map(|(_, n)| n).sum::<u64>();
        let reason = format!("{rows} rows were removed");
        let act = Act {
            tenant: Some(self.tenant),
            action: "lead.erase",
            kind: "lead",
            id: self.lead.map_or(self.contact.0, |lead| lead.0),
            reason: Some(&reason),
            ..Act::default()
        };
        audit::note(tx, &self.by, &act)?;
        Ok(counts)
    }
}

/// Removes rows that name the person; of the audit record, only what they say beyond the fact.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub what: What,
    pub ids: Vec<i64>,
}

impl Op for Rows {
    const NAME: &'static str = "erase.remove_rows";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let sql = match self.what {
            What::Events => &EVENT,
            What::Notices => &NOTICE,
            What::Deliveries => &DELIVERY,
            What::Audit => &REDACT,
        };
        let mut rows = 0;
        for id in &self.ids {
            rows += tx.execute(sql, params![*id])?;
        }
        Ok(rows)
    }
}

/// Removes what was reported of a participant.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    pub rows: Vec<Report>,
    pub participant: String,
}

impl Op for Reports {
    const NAME: &'static str = "erase.remove_reports";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let mut rows = 0;
        for (channel, provider_id, status) in &self.rows {
            rows += tx.execute(&REPORT, params![*channel, provider_id, status, &self.participant])?;
        }
        Ok(rows)
    }
}

/// Takes their number off groups that they wrote in.
#[derive(Clone, Debug)]
pub(super) struct OffGroups {
    pub tenant: TenantId,
    pub number: String,
}

impl Op for OffGroups {
    const NAME: &'static str = "erase.off_groups";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        tx.execute(&GROUP_LEADS, params![self.tenant, &self.number])
    }
}

/// Removes kept answers.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub keys: Vec<(String, String)>,
}

impl Op for Answers {
    const NAME: &'static str = "erase.remove_answers";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let mut rows = 0;
        for (holder, name) in &self.keys {
            rows += tx.execute(&ANSWER, params![holder, name])?;
        }
        Ok(rows)
    }
}
