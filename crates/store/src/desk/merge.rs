//! Two leads, or two contacts, that are one person: made one, with everything that hangs on them. From then on messages by either address reach
//! the one conversation of a number.

use std::collections::BTreeSet;

use types::states::ConversationState;
use types::{ChannelId, ContactId, ConversationId, LeadId, Timestamp};

use super::audit::{self, Act};
use super::leads::own;
use super::{Access, By, Lead, LeadStatus, MergePlan, follow};
use crate::conversations;
use crate::error::{Result, StoreError};
use crate::sql::{Op, Tx};

sql! {
    IS_GROUP = "merge.is_group": "SELECT COUNT(*) FROM contact_keys WHERE contact_id IN ($1, $2) AND kind = 'g'";
    ADDRESSES = "merge.addresses": "SELECT value FROM contact_keys WHERE contact_id = $1 ORDER BY kind, value";
    OTHER_LEADS = "merge.other_leads": "SELECT id, status FROM lead WHERE contact_id = $1 AND id <> $2 ORDER BY id";
    TALKS_OF_LEAD = "merge.conversations_of_lead": "SELECT id FROM conversation WHERE lead_id = $1 ORDER BY id";
    OPEN = "merge.open":
        "SELECT v.id, v.channel_id, v.state, v.last_inbound_at, v.lease_until FROM lead l JOIN conversation v ON v.lead_id = l.id
         WHERE l.contact_id = $1 AND v.closed_at IS NULL ORDER BY v.id";
    COUNT_TASKS = "merge.count_tasks": "SELECT COUNT(*) FROM task WHERE lead_id = $1";
    SAGAS = "merge.sagas": "UPDATE saga SET lead_id = $2 WHERE conversation_id IN (SELECT id FROM conversation WHERE lead_id = $1)";
    SESSIONS = "merge.sessions": "UPDATE agent_session SET lead_id = $2 WHERE conversation_id IN (SELECT id FROM conversation WHERE lead_id = $1)";
    LOG = "merge.log": "UPDATE agent_log SET lead_id = $2 WHERE conversation_id IN (SELECT id FROM conversation WHERE lead_id = $1)";
    TASKS = "merge.tasks": "UPDATE task SET lead_id = $2 WHERE lead_id = $1";
    TALKS = "merge.conversations": "UPDATE conversation SET lead_id = $2 WHERE lead_id = $1";
    DROP_LEAD = "merge.drop_lead": "DELETE FROM lead WHERE id = $1";
    FILL = "merge.fill":
        "UPDATE lead SET status = $2, service = $3, name = $4, nationality = $5, email = $6, call_time = $7, phone = COALESCE(phone, $8),
                updated_at = $9 WHERE id = $1";
    CONTACT_OF = "merge.contact_of_conversations":
        "UPDATE conversation SET contact_id = $2 WHERE lead_id IN (SELECT id FROM lead WHERE contact_id = $1)";
    MOVE_LEADS = "merge.move_leads": "UPDATE lead SET contact_id = $2 WHERE contact_id = $1";
    MOVE_KEYS = "merge.move_keys": "UPDATE contact_keys SET contact_id = $2 WHERE contact_id = $1";
    LEARN = "merge.learn":
        "UPDATE contacts SET name = COALESCE(name, (SELECT o.name FROM contacts o WHERE o.id = $2)),
                username = COALESCE(username, (SELECT o.username FROM contacts o WHERE o.id = $2)),
                phone = COALESCE(phone, (SELECT o.phone FROM contacts o WHERE o.id = $2)),
                bsuid = COALESCE(bsuid, (SELECT o.bsuid FROM contacts o WHERE o.id = $2)),
                opted_out_at = COALESCE(opted_out_at, (SELECT o.opted_out_at FROM contacts o WHERE o.id = $2)), updated_at = $3
         WHERE id = $1";
    DROP_CONTACT = "merge.drop_contact": "DELETE FROM contacts WHERE id = $1";
    LABELS = "merge.labels": "SELECT labels, assignee_id FROM desk WHERE conversation_id = $1";
    SET_LABELS = "merge.set_labels":
        "UPDATE desk SET labels = $2, assignee_id = CASE WHEN assignee_id = 0 THEN CAST($3 AS {int}) ELSE assignee_id END, version = $4 WHERE conversation_id = $1";
    OPTED_OUT = "merge.opted_out": "SELECT opted_out_at IS NOT NULL FROM contacts WHERE id = $1";
}

/// What would happen: which lead stays, which goes into it, and what moves.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The one that stays.
    pub into: LeadId,
    /// The one that goes into it.
    pub from: LeadId,
    /// Whose rows may be touched.
    pub access: Access,
}

impl Op for Plan {
    const NAME: &'static str = "desk.plan_merge";
    type Out = MergePlan;

    fn run(&self, tx: &mut dyn Tx) -> Result<MergePlan> {
        self.look(tx).map(|two| two.plan)
    }
}

struct Two {
    into: Lead,
    from: Lead,
    /// Conversations to be closed, each with the one that goes on and its state.
    closing: Vec<(Open, ConversationId)>,
    plan: MergePlan,
}

#[derive(Clone, Copy)]
struct Open {
    id: ConversationId,
    channel: ChannelId,
    state: ConversationState,
    inbound: Option<Timestamp>,
    leased: Option<Timestamp>,
}

fn open(tx: &mut dyn Tx, contact: ContactId) -> Result<Vec<Open>> {
    tx.all(&OPEN, params![contact], |r| {
        Ok(Open { id: r.get(0)?, channel: r.get(1)?, state: r.get(2)?, inbound: r.get(3)?, leased: r.get(4)? })
    })
}

impl Plan {
    fn look(&self, tx: &mut dyn Tx) -> Result<Two> {
        let (into, tenant) = own(tx, &self.access, self.into)?;
        let (from, other) = own(tx, &self.access, self.from)?;
        if self.into == self.from || tenant != other {
            return Err(StoreError::Refused("a lead can be merged with another lead of the same business".into()));
        }
        if tx.number(&IS_GROUP, params![into.contact_id, from.contact_id])? > 0 {
            return Err(StoreError::Refused("a group is no person: it cannot be merged".into()));
        }
        let same = into.contact_id == from.contact_id;
        let (ours, theirs) = (open(tx, into.contact_id)?, if same { Vec::new() } else { open(tx, from.contact_id)? });
        let now = tx.now();
        if ours.iter().chain(&theirs).any(|one| one.leased.is_some_and(|until| until > now)) {
            return Err(StoreError::Refused(
                "a message of theirs is being answered at this moment: try again in a few seconds".into(),
            ));
        }
        let mut closing = Vec::new();
        for a in &ours {
            // Of two on one number the one in which the person last wrote goes on: its 24 hours are those that count.
            if let Some(b) = theirs.iter().find(|b| b.channel == a.channel) {
                closing.push(if b.inbound > a.inbound { (*a, b.id) } else { (*b, a.id) });
            }
        }
        let moving = if same { vec![self.from] } else { leads_of(tx, from.contact_id)? };
        let (mut conversations, mut tasks) = (0, 0);
        for lead in &moving {
            conversations += tx.all(&TALKS_OF_LEAD, params![*lead], |r| r.get::<ConversationId>(0))?.len();
            tasks += tx.number(&COUNT_TASKS, params![*lead])?;
        }
        let addresses = if same { Vec::new() } else { tx.all(&ADDRESSES, params![from.contact_id], |r| r.get(0))? };
        let plan = MergePlan {
            into: into.id,
            from: from.id,
            conversations: i64::try_from(conversations).unwrap_or(i64::MAX),
            closed: closing.iter().map(|(closed, _)| closed.id).collect(),
            leads: i64::try_from(moving.len()).unwrap_or(i64::MAX),
            tasks,
            addresses,
            fills: filled(&into, &from),
            opted_out: from.opted_out_at.is_some() || into.opted_out_at.is_some(),
        };
        Ok(Two { into, from, closing, plan })
    }
}

fn leads_of(tx: &mut dyn Tx, contact: ContactId) -> Result<Vec<LeadId>> {
    tx.all(&OTHER_LEADS, params![contact, 0_i64], |r| r.get(0))
}

/// Names of the fields that the one that stays learns from the other.
fn filled(into: &Lead, from: &Lead) -> Vec<String> {
    let fields = [
        ("service", &into.service, &from.service),
        ("name", &into.name, &from.name),
        ("nationality", &into.nationality, &from.nationality),
        ("email", &into.email, &from.email),
        ("call_time", &into.call_time, &from.call_time),
    ];
    fields.iter().filter(|(_, had, new)| had.is_none() && new.is_some()).map(|(name, ..)| (*name).to_owned()).collect()
}

/// Does it.
#[derive(Clone, Debug)]
pub struct Merge {
    /// Which two.
    pub plan: Plan,
    /// Who.
    pub by: By,
}

impl Op for Merge {
    const NAME: &'static str = "desk.merge";
    type Out = MergePlan;

    fn run(&self, tx: &mut dyn Tx) -> Result<MergePlan> {
        let Two { into, from, closing, plan } = self.plan.look(tx)?;
        let (_, tenant) = own(tx, &self.plan.access, into.id)?;
        for (closed, goes_on) in &closing {
            follow::refresh(tx, closed.id)?;
            follow::refresh(tx, *goes_on)?;
            hand_on(tx, closed.id, *goes_on)?;
            let (to, why) = (ConversationState::Closed, "it goes on in the conversation of the same person");
            conversations::go(tx, tenant, closed.id, closed.state, to, None, (why, &self.by.actor()))?;
        }
        let (a, b) = (into.contact_id, from.contact_id);
        if a != b {
            tx.execute(&CONTACT_OF, params![b, a])?;
        }
        fold(tx, &into, &from)?;
        if a != b {
            self.one_contact(tx, &into, &from)?;
        }
        for lead in leads_of(tx, into.contact_id)? {
            for talk in tx.all(&TALKS_OF_LEAD, params![lead], |r| r.get::<ConversationId>(0))? {
                follow::refresh(tx, talk)?;
            }
        }
        let (gone, stays) = (from.id.to_string(), into.id.to_string());
        let act = Act {
            tenant: Some(tenant),
            action: "lead.merge",
            kind: "lead",
            id: into.id.0,
            from: Some(&gone),
            to: Some(&stays),
            reason: None,
        };
        audit::note(tx, &self.by, &act)?;
        Ok(plan)
    }
}

impl Merge {
    fn one_contact(&self, tx: &mut dyn Tx, into: &Lead, from: &Lead) -> Result<()> {
        let (a, b) = (into.contact_id, from.contact_id);
        // One open lead for a person: another one goes into it.
        let open_of = |tx: &mut dyn Tx, contact| -> Result<Option<LeadId>> {
            let all =
                tx.all(&OTHER_LEADS, params![contact, 0_i64], |r| Ok((r.get::<LeadId>(0)?, r.get::<LeadStatus>(1)?)))?;
            Ok(all.into_iter().find(|(_, status)| *status == LeadStatus::Open).map(|(id, _)| id))
        };
        if let (Some(stays), Some(goes)) = (open_of(tx, a)?, open_of(tx, b)?) {
            let (stays, _) = own(tx, &self.plan.access, stays)?;
            let (goes, _) = own(tx, &self.plan.access, goes)?;
            fold(tx, &stays, &goes)?;
        }
        tx.execute(&MOVE_LEADS, params![b, a])?;
        tx.execute(&MOVE_KEYS, params![b, a])?;
        let now = tx.now();
        tx.execute(&LEARN, params![a, b, now])?;
        tx.execute(&DROP_CONTACT, params![b])?;
        // Who said stop by one address has said it by both.
        if tx.first(&OPTED_OUT, params![a], |r| r.get::<bool>(0))?.unwrap_or(false) {
            for talk in open(tx, a)?.iter().filter(|talk| talk.state != ConversationState::OptedOut) {
                let why = ("this person opted out by another address", &*self.by.actor());
                let (_, tenant) = own(tx, &self.plan.access, into.id)?;
                conversations::go(tx, tenant, talk.id, talk.state, ConversationState::OptedOut, None, why)?;
            }
        }
        Ok(())
    }
}

/// All of one lead into another; what the one that stays does not know it learns.
fn fold(tx: &mut dyn Tx, into: &Lead, from: &Lead) -> Result<()> {
    for sql in [&SAGAS, &SESSIONS, &LOG, &TASKS, &TALKS] {
        tx.execute(sql, params![from.id, into.id])?;
    }
    tx.execute(&DROP_LEAD, params![from.id])?;
    // One open lead for a person.
    let others = tx.all(&OTHER_LEADS, params![into.contact_id, into.id], |r| r.get::<LeadStatus>(1))?;
    let from_open = from.status == LeadStatus::Open && !others.contains(&LeadStatus::Open);
    let is_open = into.status == LeadStatus::Open || from_open;
    let status = if is_open { LeadStatus::Open } else { into.status };
    let or = |had: &Option<String>, new: &Option<String>| had.clone().or_else(|| new.clone());
    let fields = [
        or(&into.service, &from.service),
        or(&into.name, &from.name),
        or(&into.nationality, &from.nationality),
        or(&into.email, &from.email),
        or(&into.call_time, &from.call_time),
    ];
    let [service, name, nationality, email, call_time] = fields.each_ref().map(Option::as_deref);
    let now = tx.now().micros().max(into.updated_at.0.micros() + 1);
    let phone = from.phone.as_deref();
    tx.execute(&FILL, params![into.id, status.as_str(), service, name, nationality, email, call_time, phone, now])?;
    Ok(())
}

/// Labels and who looks after it go to the conversation that goes on.
fn hand_on(tx: &mut dyn Tx, closed: ConversationId, goes_on: ConversationId) -> Result<()> {
    let read = |tx: &mut dyn Tx, id| -> Result<(BTreeSet<String>, i64)> {
        let found = tx.first(&LABELS, params![id], |r| Ok((r.get::<String>(0)?, r.get::<i64>(1)?)))?;
        let (labels, assignee) = found.unwrap_or_default();
        Ok((serde_json::from_str(&labels).unwrap_or_default(), assignee))
    };
    let ((mut labels, assignee), (more, _)) = (read(tx, closed)?, read(tx, goes_on)?);
    labels.extend(more);
    let json = serde_json::to_string(&labels).unwrap_or_default();
    let version = tx.now().micros();
    tx.execute(&SET_LABELS, params![goes_on, &json, assignee, version])?;
    Ok(())
}
