//! Leads: who wants what, and what became of it.

use types::states::ConversationState;
use types::{ContactId, ConversationId, LeadId, TaskId, TenantId, Timestamp, UserId};

use super::audit::{self, Act};
use super::{Access, After, By, Lead, LeadStatus, NextTask, Person, Rows, follow};
use crate::conversations;
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    LIST = "leads.list":
        "SELECT l.id, l.contact_id, v.id, l.status, l.source, l.service, l.name, c.name, l.nationality, l.email, COALESCE(l.phone, c.phone), l.call_time,
                c.opted_out_at, l.created_at, l.updated_at, l.tenant_id, v.last_message_at, COALESCE(d.labels, '[]'), u.id, u.name, t.id, t.title, t.due_at
         FROM lead l JOIN contacts c ON c.id = l.contact_id
              LEFT JOIN conversation v ON v.id = (SELECT MAX(x.id) FROM conversation x WHERE x.lead_id = l.id)
              LEFT JOIN desk d ON d.conversation_id = v.id LEFT JOIN users u ON u.id = d.assignee_id
              LEFT JOIN task t ON t.id = (SELECT k.id FROM task k WHERE k.lead_id = l.id AND k.status IN ('pending', 'in_progress')
                                          ORDER BY COALESCE(k.due_at, 9223372036854775807), k.id LIMIT 1)
         WHERE l.tenant_id = $1 AND ($2 = '' OR l.status = $2) AND l.id < $3
           AND ($4 = '' OR LOWER(COALESCE(l.name, '') || ' ' || COALESCE(c.name, '') || ' ' || COALESCE(c.phone, '') || ' ' ||
                COALESCE(l.phone, '') || ' ' || COALESCE(l.email, '') || ' ' || COALESCE(l.service, '')) LIKE $4)
           AND (CAST($5 AS {int}) = -1 OR COALESCE(d.assignee_id, 0) = $5)
           AND ($6 = '' OR {sqlite}INSTR{end}{postgres}STRPOS{end}(d.labels, $6) > 0)
           AND (CAST($7 AS {int}) = -1 OR (c.opted_out_at IS NOT NULL) = (CAST($7 AS {int}) = 1))
           AND (CAST($8 AS {int}) = 0 OR t.id IS NOT NULL)
         ORDER BY l.id DESC LIMIT $9";
    ONE = "leads.one":
        "SELECT l.id, l.contact_id, v.id, l.status, l.source, l.service, l.name, c.name, l.nationality, l.email, COALESCE(l.phone, c.phone), l.call_time,
                c.opted_out_at, l.created_at, l.updated_at, l.tenant_id, v.last_message_at, COALESCE(d.labels, '[]'), u.id, u.name, t.id, t.title, t.due_at
         FROM lead l JOIN contacts c ON c.id = l.contact_id
              LEFT JOIN conversation v ON v.id = (SELECT MAX(x.id) FROM conversation x WHERE x.lead_id = l.id)
              LEFT JOIN desk d ON d.conversation_id = v.id LEFT JOIN users u ON u.id = d.assignee_id
              LEFT JOIN task t ON t.id = (SELECT k.id FROM task k WHERE k.lead_id = l.id AND k.status IN ('pending', 'in_progress')
                                          ORDER BY COALESCE(k.due_at, 9223372036854775807), k.id LIMIT 1)
         WHERE l.id = $1";
    OTHER_OPEN = "leads.other_open": "SELECT 1 FROM lead WHERE contact_id = $1 AND status = 'open' AND id <> $2";
    SET = "leads.set":
        "UPDATE lead SET status = $2, service = $3, name = $4, nationality = $5, email = $6, call_time = $7, updated_at = $8 WHERE id = $1";
    OPT = "leads.opt": "UPDATE contacts SET opted_out_at = $2, updated_at = $3 WHERE id = $1";
    TALKS = "leads.conversations": "SELECT id, state FROM conversation WHERE contact_id = $1 AND closed_at IS NULL AND lead_id = $2";
}

/// In touch within this is worth something.
const RECENT: std::time::Duration = std::time::Duration::from_secs(3 * 86_400);

/// How ready they are, by what is known: see [`Lead::score`].
fn score(lead: &Lead, now: Timestamp) -> u8 {
    let has = |text: &Option<String>, worth| if text.as_deref().is_some_and(|t| !t.is_empty()) { worth } else { 0 };
    let recent = lead.last_contact_at.is_some_and(|at| at.0 > now.minus(RECENT));
    has(&lead.service, 25)
        + has(&lead.name, 15)
        + has(&lead.email, 15)
        + has(&lead.call_time, 15)
        + has(&lead.nationality, 10)
        + if recent { 20 } else { 0 }
}

fn row(now: Timestamp) -> impl Fn(&dyn Row) -> Result<(Lead, TenantId)> {
    move |r| {
        let (mut lead, tenant) = base(r)?;
        lead.score = score(&lead, now);
        Ok((lead, tenant))
    }
}

fn base(r: &dyn Row) -> Result<(Lead, TenantId)> {
    let updated: Timestamp = r.get(14)?;
    let labels: String = r.get(17)?;
    let (owner, name): (Option<UserId>, Option<String>) = (r.get(18)?, r.get(19)?);
    let (task, title): (Option<TaskId>, Option<String>) = (r.get(20)?, r.get(21)?);
    let due_at = r.get(22)?;
    let lead = Lead {
        id: r.get(0)?,
        contact_id: r.get(1)?,
        conversation_id: r.get(2)?,
        status: r.get(3)?,
        source: r.get(4)?,
        service: r.get(5)?,
        name: r.get(6)?,
        contact_name: r.get(7)?,
        nationality: r.get(8)?,
        email: r.get(9)?,
        phone: r.get(10)?,
        call_time: r.get(11)?,
        opted_out_at: r.get(12)?,
        owner: owner.zip(name).map(|(id, name)| Person { id, name }),
        labels: serde_json::from_str(&labels).unwrap_or_default(),
        next_task: task.zip(title).map(|(id, title)| NextTask { id, title, due_at }),
        last_contact_at: r.get(16)?,
        score: 0,
        created_at: r.get(13)?,
        updated_at: updated.into(),
        version: updated.micros().to_string(),
    };
    Ok((lead, r.get(15)?))
}

/// Which leads.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this status.
    pub status: Option<LeadStatus>,
    /// Whose name, number, address or service holds this.
    pub search: Option<String>,
    /// Only those whose newest conversation this person looks after; 0: nobody.
    pub owner: Option<i64>,
    /// Only those whose newest conversation has this label.
    pub label: Option<String>,
    /// Only those who want no more messages, or only those who may be written to.
    pub opted_out: Option<bool>,
    /// Only those for whom something is to be done.
    pub with_task: bool,
}

/// Lists leads, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub filter: Filter,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.leads";
    type Out = Rows<Lead>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let f = &self.filter;
        let like = f.search.as_ref().map(|s| format!("%{}%", s.trim().to_lowercase().replace(['%', '_'], " ")));
        let (like, status) = (like.unwrap_or_default(), f.status.map_or("", LeadStatus::as_str));
        // As it stands in the list of labels.
        let label = f.label.as_ref().map(|l| serde_json::to_string(l.trim()).unwrap_or_default()).unwrap_or_default();
        let (owner, opted_out) = (f.owner.unwrap_or(-1), f.opted_out.map_or(-1, i64::from));
        let p = params![self.tenant, status, self.after.id, &like, owner, &label, opted_out, f.with_task, self.limit];
        let row = row(tx.now());
        tx.all(&LIST, p, |r| row(r).map(|(lead, _)| (After { key: lead.id.0, id: lead.id.0 }, lead)))
    }
}

pub(super) fn own(tx: &mut dyn Tx, access: &Access, id: LeadId) -> Result<(Lead, TenantId)> {
    let now = tx.now();
    let found = tx.first(&ONE, params![id], row(now))?;
    access.check(found.as_ref().map(|f| f.1), "lead", id)?;
    found.ok_or_else(|| StoreError::NotFound { what: "lead", id: id.to_string() })
}

/// One lead.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: LeadId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.lead";
    type Out = Lead;

    fn run(&self, tx: &mut dyn Tx) -> Result<Lead> {
        own(tx, &self.access, self.id).map(|f| f.0)
    }
}

/// What to change; `None`: leave as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it stands.
    pub status: Option<LeadStatus>,
    /// What they want.
    pub service: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// Their nationality.
    pub nationality: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// When to call.
    pub call_time: Option<String>,
}

/// Changes a lead, if it is still as the caller saw it.
#[derive(Clone, Debug)]
pub struct Set {
    /// Which.
    pub id: LeadId,
    /// What.
    pub change: Change,
    /// As the caller saw it; `None`: whatever it is now.
    pub version: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Set {
    const NAME: &'static str = "desk.set_lead";
    type Out = Lead;

    fn run(&self, tx: &mut dyn Tx) -> Result<Lead> {
        let (lead, tenant) = own(tx, &self.access, self.id)?;
        if self.version.as_ref().is_some_and(|v| *v != lead.version) {
            return Err(StoreError::Changed("lead"));
        }
        let c = &self.change;
        let status = c.status.unwrap_or(lead.status);
        if status == LeadStatus::Open && tx.first(&OTHER_OPEN, params![lead.contact_id, self.id], |_| Ok(()))?.is_some()
        {
            return Err(StoreError::Refused("this person has another open lead: close that one first".into()));
        }
        let now = tx.now().micros().max(lead.updated_at.0.micros() + 1);
        let or = |new: &Option<String>, had: &Option<String>| new.clone().or_else(|| had.clone());
        let fields = [
            or(&c.service, &lead.service),
            or(&c.name, &lead.name),
            or(&c.nationality, &lead.nationality),
            or(&c.email, &lead.email),
            or(&c.call_time, &lead.call_time),
        ];
        let [service, name, nationality, email, call_time] = fields.each_ref().map(Option::as_deref);
        tx.execute(&SET, params![self.id, status.as_str(), service, name, nationality, email, call_time, now])?;
        if let Some(conversation) = lead.conversation_id {
            follow::refresh(tx, conversation)?;
        }
        let act = Act {
            tenant: Some(tenant),
            action: "lead.change",
            kind: "lead",
            id: self.id.0,
            from: Some(lead.status.as_str()),
            to: Some(status.as_str()),
            reason: None,
        };
        audit::note(tx, &self.by, &act)?;
        own(tx, &self.access, self.id).map(|f| f.0)
    }
}

/// Notes that a person wants no more messages, or wants them again: told to the team, not by STOP and START.
#[derive(Clone, Debug)]
pub struct Opt {
    /// Of which lead.
    pub id: LeadId,
    /// No more.
    pub out: bool,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Opt {
    const NAME: &'static str = "desk.opt_lead";
    type Out = Lead;

    fn run(&self, tx: &mut dyn Tx) -> Result<Lead> {
        let (lead, tenant) = own(tx, &self.access, self.id)?;
        let now = tx.now();
        let contact: ContactId = lead.contact_id;
        tx.execute(&OPT, params![contact, self.out.then_some(now), now])?;
        let talks = tx.all(&TALKS, params![contact, self.id], |r| {
            Ok((r.get::<ConversationId>(0)?, r.get::<ConversationState>(1)?))
        })?;
        let why =
            if self.out { "a person of the team noted the opt-out" } else { "a person of the team noted the opt-in" };
        for (talk, state) in talks {
            let to = match (self.out, state) {
                (true, ConversationState::OptedOut) => continue,
                (true, _) => ConversationState::OptedOut,
                (false, ConversationState::OptedOut) => ConversationState::Active,
                (false, _) => continue,
            };
            conversations::go(tx, tenant, talk, state, to, None, (why, &self.by.actor()))?;
            follow::refresh(tx, talk)?;
        }
        let action = if self.out { "lead.opt_out" } else { "lead.opt_in" };
        audit::note(
            tx,
            &self.by,
            &Act { tenant: Some(tenant), action, kind: "lead", id: self.id.0, ..Act::default() },
        )?;
        own(tx, &self.access, self.id).map(|f| f.0)
    }
}
