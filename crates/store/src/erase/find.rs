//! Who it is, and where else they are named.

use types::{ChannelId, ContactId, ConversationId, LeadId, MessageId, TenantId};

use super::{Subject, Traces};
use crate::desk::Access;
use crate::error::Result;
use crate::sql::{Op, Row, Sql, Tx};

sql! {
    PERSON = "erase.person": "SELECT tenant_id, name, phone, bsuid FROM contacts WHERE id = $1";
    OF_LEAD = "erase.of_lead": "SELECT contact_id FROM lead WHERE id = $1";
    BY_KEY = "erase.by_key":
        "SELECT DISTINCT contact_id FROM contact_keys WHERE tenant_id = $1 AND kind IN ('p', 'b', 'o', 'g', 'xp', 'xb', 'xo', 'xg') AND value = $2";
    KEYS = "erase.keys": "SELECT value FROM contact_keys WHERE contact_id = $1 ORDER BY kind, value";
    LEADS = "erase.leads": "SELECT id, phone FROM lead WHERE contact_id = $1 ORDER BY id";
    TALKS = "erase.talks": "SELECT v.id FROM lead l JOIN conversation v ON v.lead_id = l.id WHERE l.contact_id = $1 ORDER BY v.id";
    COUNT = "erase.count": "SELECT COUNT(*) FROM message WHERE conversation_id = $1";
    MESSAGES = "erase.messages": "SELECT id FROM message WHERE conversation_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    IN_GROUPS = "erase.in_groups":
        "SELECT m.id, COALESCE(m.raw, '') FROM contact_keys k JOIN lead l ON l.contact_id = k.contact_id JOIN conversation v ON v.lead_id = l.id
              JOIN message m ON m.conversation_id = v.id
         WHERE k.tenant_id = $1 AND k.kind = 'g' AND m.direction = 'in' AND m.id > $2 ORDER BY m.id LIMIT $3";
    EVENTS = "erase.events":
        "SELECT id, raw, COALESCE(why, '') FROM events WHERE (tenant_id = $1 OR (tenant_id IS NULL AND CAST($2 AS {int}) = 1)) AND id > $3
         ORDER BY id LIMIT $4";
    NOTICES = "erase.notices":
        "SELECT id, dedupe_key, title || ' ' || body FROM notification WHERE tenant_id = $1 AND CAST($2 AS {int}) = 0 AND id > $3 ORDER BY id LIMIT $4";
    DELIVERIES = "erase.deliveries":
        "SELECT id, body, tries FROM delivery WHERE tenant_id = $1 AND CAST($2 AS {int}) = 0 AND id > $3 ORDER BY id LIMIT $4";
    AUDIT = "erase.audit":
        "SELECT id, object_id, COALESCE(before, '') || ' ' || COALESCE(after, '') || ' ' || COALESCE(reason, '') FROM audit
         WHERE tenant_id = $1 AND CAST($2 AS {int}) = 0 AND id > $3 AND (before IS NOT NULL OR after IS NOT NULL OR reason IS NOT NULL)
         ORDER BY id LIMIT $4";
    REPORTS = "erase.reports":
        "SELECT r.channel_id, r.provider_id, r.status FROM receipts r JOIN channels h ON h.id = r.channel_id
         WHERE r.participant = $2 AND h.tenant_id = $1";
    ANSWERS = "erase.answers": "SELECT holder, name, COALESCE(answer, '') FROM idempotency";
}

/// How somebody is named.
#[derive(Clone, Debug)]
pub enum Whom {
    /// By the row.
    Contact(ContactId),
    /// By a lead of theirs.
    Lead(LeadId),
    /// By a number or an id of the provider, at one tenant.
    Known(TenantId, String),
}

/// Finds people; those of whom the caller may not know are not there.
#[derive(Clone, Debug)]
pub struct Find {
    /// Whom.
    pub whom: Whom,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Find {
    const NAME: &'static str = "erase.find";
    type Out = Vec<Subject>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Subject>> {
        let contacts = match &self.whom {
            Whom::Contact(id) => vec![*id],
            Whom::Lead(id) => tx.first(&OF_LEAD, params![*id], |r| r.get(0))?.into_iter().collect(),
            Whom::Known(tenant, value) => tx.all(&BY_KEY, params![*tenant, value], |r| r.get(0))?,
        };
        let mut people = Vec::new();
        for contact in contacts {
            people.extend(person(tx, contact)?.filter(|p| self.access.allows(p.tenant)));
        }
        Ok(people)
    }
}

fn person(tx: &mut dyn Tx, contact: ContactId) -> Result<Option<Subject>> {
    let row =
        |r: &dyn Row| Ok((r.get::<TenantId>(0)?, r.get::<Option<String>>(1)?, r.get::<Option<String>>(2)?, r.get(3)?));
    let Some((tenant, name, phone, bsuid)) = tx.first(&PERSON, params![contact], row)? else { return Ok(None) };
    let mut known_by: Vec<String> = tx.all(&KEYS, params![contact], |r| r.get(0))?;
    let leads = tx.all(&LEADS, params![contact], |r| Ok((r.get::<LeadId>(0)?, r.get::<Option<String>>(1)?)))?;
    known_by.extend(phone.clone());
    known_by.extend::<Option<String>>(bsuid);
    known_by.extend(leads.iter().filter_map(|(_, phone)| phone.clone()));
    known_by.sort_unstable();
    known_by.dedup();
    let conversations: Vec<ConversationId> = tx.all(&TALKS, params![contact], |r| r.get(0))?;
    let mut messages = 0;
    for talk in &conversations {
        messages += tx.number(&COUNT, params![*talk])?;
    }
    let leads = leads.into_iter().map(|(id, _)| id).collect();
    Ok(Some(Subject { tenant, contact_id: contact, name, phone, known_by, leads, conversations, messages }))
}

/// Messages of a conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfTalk {
    pub talk: ConversationId,
    pub after: i64,
    pub limit: u32,
}

impl Op for OfTalk {
    const NAME: &'static str = "erase.messages";
    type Out = Vec<MessageId>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<MessageId>> {
        tx.all(&MESSAGES, params![self.talk, self.after, self.limit], |r| r.get(0))
    }
}

/// A part of a table: the rows that name the person, and the last one looked at; `None`: that was all.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    pub found: Vec<i64>,
    pub last: Option<i64>,
}

impl Part {
    fn take(&mut self, id: i64, is_theirs: bool) {
        self.last = Some(id);
        if is_theirs {
            self.found.push(id);
        }
    }
}

/// What a person wrote in groups: the group is the other side there, and they stand in the message as it came.
#[derive(Clone, Debug)]
pub(super) struct InGroups {
    pub tenant: TenantId,
    pub after: i64,
    pub limit: u32,
    pub traces: Traces,
}

impl Op for InGroups {
    const NAME: &'static str = "erase.in_groups";
    type Out = Part;

    fn run(&self, tx: &mut dyn Tx) -> Result<Part> {
        let mut part = Part::default();
        tx.query(&IN_GROUPS, params![self.tenant, self.after, self.limit], &mut |r| {
            part.take(r.get(0)?, self.traces.are_in(&r.get::<String>(1)?));
            Ok(())
        })?;
        Ok(part)
    }
}

/// A table that may name anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Events,
    Notices,
    Deliveries,
    Audit,
}

impl What {
    const fn sql(self) -> &'static Sql {
        match self {
            Self::Events => &EVENTS,
            Self::Notices => &NOTICES,
            Self::Deliveries => &DELIVERIES,
            Self::Audit => &AUDIT,
        }
    }
}

/// Looks through one of them.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub what: What,
    pub tenant: TenantId,
    /// What belongs to no tenant, too.
    pub unrouted: bool,
    pub after: i64,
    pub limit: u32,
    pub traces: Traces,
}

impl Op for Look {
    const NAME: &'static str = "erase.look";
    type Out = Part;

    fn run(&self, tx: &mut dyn Tx) -> Result<Part> {
        let mut part = Part::default();
        let unrouted = self.unrouted && self.what == What::Events;
        tx.query(self.what.sql(), params![self.tenant, unrouted, self.after, self.limit], &mut |r| {
            let theirs = self.traces.are_in(&r.get::<String>(1)?) || self.traces.are_in(&r.get::<String>(2)?);
            part.take(r.get(0)?, theirs);
            Ok(())
        })?;
        Ok(part)
    }
}

/// The key of a report, but for its participant.
pub(super) type Report = (ChannelId, String, String);

/// What was reported of one participant of groups.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    pub tenant: TenantId,
    pub participant: String,
}

impl Op for Reports {
    const NAME: &'static str = "erase.reports";
    type Out = Vec<Report>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Report>> {
        tx.all(&REPORTS, params![self.tenant, &self.participant], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
    }
}

/// Answers that are kept under an `Idempotency-Key`: they repeat what was said.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub traces: Traces,
}

impl Op for Answers {
    const NAME: &'static str = "erase.answers";
    type Out = Vec<(String, String)>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let mut found = Vec::new();
        tx.query(&ANSWERS, &[], &mut |r| {
            if self.traces.are_in(&r.get::<String>(2)?) {
                found.push((r.get(0)?, r.get(1)?));
            }
            Ok(())
        })?;
        Ok(found)
    }
}
