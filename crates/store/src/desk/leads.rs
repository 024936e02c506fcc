//! Leads: who wants what, and what became of it.

use types::states::ConversationState;
use types::{ContactId, ConversationId, LeadId, TenantId, Timestamp};

use super::audit::{self, Act};
use super::{Access, After, By, Lead, LeadStatus, Rows, follow};
use crate::conversations;
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    LIST = "leads.list":
        "SELECT l.id, l.contact_id, (SELECT MAX(v.id) FROM conversation v WHERE v.lead_id = l.id), l.status, l.source, l.service,
                l.name, c.name, l.nationality, l.email, COALESCE(l.phone, c.phone), l.call_time, c.opted_out_at, l.created_at,
                l.updated_at, l.tenant_id
         FROM lead l JOIN contacts c ON c.id = l.contact_id
         WHERE l.tenant_id = $1 AND ($2 = '' OR l.status = $2) AND l.id < $3
           AND ($4 = '' OR LOWER(COALESCE(l.name, '') || ' ' || COALESCE(c.name, '') || ' ' || COALESCE(c.phone, '') || ' ' ||
                COALESCE(l.email, '') || ' ' || COALESCE(l.service, '')) LIKE $4)
         ORDER BY l.id DESC LIMIT $5";
    ONE = "leads.one":
        "SELECT l.id, l.contact_id, (SELECT MAX(v.id) FROM conversation v WHERE v.lead_id = l.id), l.status, l.source, l.service,
                l.name, c.name, l.nationality, l.email, COALESCE(l.phone, c.phone), l.call_time, c.opted_out_at, l.created_at,
                l.updated_at, l.tenant_id
         FROM lead l JOIN contacts c ON c.id = l.contact_id WHERE l.id = $1";
    OTHER_OPEN = "leads.other_open": "SELECT 1 FROM lead WHERE contact_id = $1 AND status = 'open' AND id <> $2";
    SET = "leads.set":
        "UPDATE lead SET status = $2, service = $3, name = $4, nationality = $5, email = $6, call_time = $7, updated_at = $8 WHERE id = $1";
    OPT = "leads.opt": "UPDATE contacts SET opted_out_at = $2, updated_at = $3 WHERE id = $1";
    TALKS = "leads.conversations": "SELECT id, state FROM conversation WHERE contact_id = $1 AND closed_at IS NULL AND lead_id = $2";
}

fn row(r: &dyn Row) -> Result<(Lead, TenantId)> {
    let updated: Timestamp = r.get(14)?;
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
        created_at: r.get(13)?,
        updated_at: updated.into(),
        version: updated.micros().to_string(),
    };
    Ok((lead, r.get(15)?))
}

/// Lists leads, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub tenant: TenantId,
    /// Only of this status.
    pub status: Option<LeadStatus>,
    /// Whose name, number, address or service holds this.
    pub search: Option<String>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
}

impl Op for List {
    const NAME: &'static str = "desk.leads";
    type Out = Rows<Lead>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let like = self.search.as_ref().map(|s| format!("%{}%", s.trim().to_lowercase().replace(['%', '_'], " ")));
        let (like, status) = (like.unwrap_or_default(), self.status.map_or("", LeadStatus::as_str));
        tx.all(&LIST, params![self.tenant, status, self.after.id, &like, self.limit], |r| {
            row(r).map(|(lead, _)| (After { key: lead.id.0, id: lead.id.0 }, lead))
        })
    }
}

fn own(tx: &mut dyn Tx, access: &Access, id: LeadId) -> Result<(Lead, TenantId)> {
    let found = tx.first(&ONE, params![id], row)?;
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
