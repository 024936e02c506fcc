//! Who wrote: contacts, their keys, their open lead and conversation (S1.7). All of it runs inside the operation that accepts a message,
//! so that two messages of a new contact arriving at once make one contact.

use types::inbound::Identity;
use types::outbound::Recipient;
use types::states::ConversationState;
use types::{ChannelId, ContactId, ConversationId, LeadId, TenantId};

use crate::error::Result;
use crate::sql::Tx;
use crate::work::{Snapshot, parse_json};

sql! {
    FIND = "contacts.find":
        "SELECT k.contact_id, c.name, c.username, c.phone, c.bsuid FROM contact_keys k JOIN contacts c ON c.id = k.contact_id
         WHERE k.tenant_id = $1 AND k.kind = $2 AND k.value = $3";
    MAKE = "contacts.make":
        "INSERT INTO contacts (id, tenant_id, name, username, phone, bsuid, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)";
    LEARN = "contacts.learn":
        "UPDATE contacts SET name = COALESCE($2, name), username = COALESCE($3, username), phone = COALESCE($4, phone),
                bsuid = COALESCE($5, bsuid), updated_at = $6 WHERE id = $1";
    ADD_KEY = "contacts.add_key":
        "INSERT INTO contact_keys (tenant_id, kind, value, contact_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, kind, value) DO UPDATE SET contact_id = excluded.contact_id";
    MAKE_LEAD = "leads.make":
        "INSERT INTO lead (id, tenant_id, contact_id, status, source, phone, created_at, updated_at)
         VALUES ($1, $2, $3, 'open', $4, $5, $6, $6)";
    OPEN_LEAD = "leads.open":
        "SELECT id FROM lead WHERE contact_id = $1 AND status = 'open'";
    OPEN_CONVERSATION = "conversations.open":
        "SELECT id, lead_id, state, state_until, memory, recipient, lease_until, fence, next_due
         FROM conversation WHERE channel_id = $1 AND contact_id = $2 AND closed_at IS NULL";
    MAKE_CONVERSATION = "conversations.make":
        "INSERT INTO conversation (id, tenant_id, channel_id, contact_id, lead_id, state, recipient, last_message_at, created_at,
                                    lease_until, fence)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0, 0)";
    RECIPIENT = "conversations.set_recipient":
        "UPDATE conversation SET recipient = $2 WHERE id = $1";
    OPTED_OUT = "contacts.opted_out":
        "SELECT opted_out_at IS NOT NULL FROM contacts WHERE id = $1";
}

/// Where a message came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Whose number.
    pub tenant: TenantId,
    /// Which number.
    pub channel: ChannelId,
    /// Of which provider: `meta` or `greenapi`.
    pub kind: &'static str,
    /// The tenant's short name, for metrics and logs.
    pub slug: std::sync::Arc<str>,
}

/// An open conversation as it stands before a message is added.
pub(crate) struct Thread {
    pub snapshot: Snapshot,
    pub lease_until: i64,
    pub fence: i64,
    pub next_due: Option<i64>,
}

/// The keys by which `identity` is found, strongest first (S1.7).
fn keys(identity: &Identity) -> impl Iterator<Item = (&'static str, &str)> {
    [("b", &identity.bsuid), ("p", &identity.phone), ("o", &identity.other)]
        .into_iter()
        .filter_map(|(kind, value)| value.as_deref().map(|v| (kind, v)))
}

struct Known {
    id: ContactId,
    name: Option<String>,
    username: Option<String>,
    phone: Option<String>,
    bsuid: Option<String>,
}

fn find(tx: &mut dyn Tx, tenant: TenantId, kind: &str, value: &str) -> Result<Option<Known>> {
    tx.first(&FIND, params![tenant, kind, value], |r| {
        Ok(Known { id: r.get(0)?, name: r.get(1)?, username: r.get(2)?, phone: r.get(3)?, bsuid: r.get(4)? })
    })
}

/// The contact that `identity` names, found by any of its keys or made; what it newly says is kept, and the strongest key wins where two
/// keys name different contacts.
pub(crate) fn match_contact(
    tx: &mut dyn Tx,
    tenant: TenantId,
    identity: &Identity,
) -> Result<(ContactId, Option<String>)> {
    let now = tx.now();
    let mut known: Option<Known> = None;
    let mut missing = Vec::new();
    for (kind, value) in keys(identity) {
        match find(tx, tenant, kind, value)? {
            Some(found) if known.is_none() => known = Some(found),
            Some(found) if known.as_ref().is_some_and(|k| k.id == found.id) => {}
            _ => missing.push((kind, value)),
        }
    }
    let Some(known) = known else {
        let id = ContactId(tx.next_id());
        let (name, username) = (identity.name.as_deref(), identity.username.as_deref());
        tx.execute(
            &MAKE,
            params![id, tenant, name, username, identity.phone.as_deref(), identity.bsuid.as_deref(), now],
        )?;
        for (kind, value) in keys(identity) {
            tx.execute(&ADD_KEY, params![tenant, kind, value, id])?;
        }
        return Ok((id, identity.name.clone()));
    };
    for (kind, value) in missing {
        tx.execute(&ADD_KEY, params![tenant, kind, value, known.id])?;
    }
    let news = |given: &Option<String>, had: &Option<String>| given.is_some() && given != had;
    if news(&identity.name, &known.name)
        || news(&identity.username, &known.username)
        || news(&identity.phone, &known.phone)
        || news(&identity.bsuid, &known.bsuid)
    {
        learn(tx, known.id, identity)?;
    }
    Ok((known.id, identity.name.clone().or(known.name)))
}

fn learn(tx: &mut dyn Tx, contact: ContactId, identity: &Identity) -> Result<()> {
    let now = tx.now();
    let (name, username) = (identity.name.as_deref(), identity.username.as_deref());
    tx.execute(&LEARN, params![contact, name, username, identity.phone.as_deref(), identity.bsuid.as_deref(), now])?;
    Ok(())
}

/// A group is a contact of its own kind, found by its id.
pub(crate) fn match_group(tx: &mut dyn Tx, tenant: TenantId, group: &str) -> Result<ContactId> {
    if let Some(known) = find(tx, tenant, "g", group)? {
        return Ok(known.id);
    }
    let (id, now) = (ContactId(tx.next_id()), tx.now());
    let none: Option<&str> = None;
    tx.execute(&MAKE, params![id, tenant, none, none, none, none, now])?;
    tx.execute(&ADD_KEY, params![tenant, "g", group, id])?;
    Ok(id)
}

/// Links a contact's new ids to the contact that its old ids name (S1.7); whether one was found.
pub(crate) fn relink(tx: &mut dyn Tx, tenant: TenantId, before: &Identity, after: &Identity) -> Result<bool> {
    let mut found = None;
    for (kind, value) in keys(before) {
        if found.is_none() {
            found = find(tx, tenant, kind, value)?;
        }
    }
    let Some(known) = found else { return Ok(false) };
    for (kind, value) in keys(after) {
        tx.execute(&ADD_KEY, params![tenant, kind, value, known.id])?;
    }
    learn(tx, known.id, after)?;
    Ok(true)
}

/// The open conversation of `identity` (or of `group`) on this number, made with its lead when there is none.
pub(crate) fn thread(tx: &mut dyn Tx, door: &Door, identity: &Identity, group: Option<&str>) -> Result<Thread> {
    let (contact, profile_name) = match group {
        Some(group) => (match_group(tx, door.tenant, group)?, None),
        None => match_contact(tx, door.tenant, identity)?,
    };
    let recipient = match group {
        Some(group) => Some(Recipient::Group(group.to_owned())),
        None => Recipient::of(identity),
    };
    let found = tx.first(&OPEN_CONVERSATION, params![door.channel, contact], |r| {
        let recipient: String = r.get(5)?;
        Ok(Thread {
            snapshot: Snapshot {
                tenant: door.tenant,
                channel: door.channel,
                conversation: r.get(0)?,
                contact,
                lead: r.get(1)?,
                state: r.get(2)?,
                state_until: r.get(3)?,
                memory: r.get(4)?,
                recipient: parse_json(r, 5, &recipient)?,
                profile_name: profile_name.clone(),
            },
            lease_until: r.get(6)?,
            fence: r.get(7)?,
            next_due: r.get(8)?,
        })
    })?;
    if let Some(mut thread) = found {
        // The address follows the person: a username user who shows a number later is reached by it from then on.
        if let Some(to) =
            recipient.filter(|to| *to != thread.snapshot.recipient && better(to, &thread.snapshot.recipient))
        {
            tx.execute(&RECIPIENT, params![thread.snapshot.conversation, &write(&to)])?;
            thread.snapshot.recipient = to;
        }
        return Ok(thread);
    }
    let recipient = recipient.unwrap_or_else(|| Recipient::Chat(String::new()));
    // A group has no number, whoever writes in it.
    let phone = identity.phone.as_deref().filter(|_| group.is_none());
    open_thread(tx, door, phone, contact, recipient, profile_name)
}

fn better(new: &Recipient, old: &Recipient) -> bool {
    matches!(new, Recipient::Phone(_)) || !matches!(old, Recipient::Phone(_))
}

fn write(recipient: &Recipient) -> String {
    // An enum of strings always writes.
    serde_json::to_string(recipient).unwrap_or_default()
}

fn open_thread(
    tx: &mut dyn Tx,
    door: &Door,
    phone: Option<&str>,
    contact: ContactId,
    recipient: Recipient,
    profile_name: Option<String>,
) -> Result<Thread> {
    let now = tx.now();
    let lead = match tx.first(&OPEN_LEAD, params![contact], |r| r.get::<LeadId>(0))? {
        Some(lead) => lead,
        None => {
            let lead = LeadId(tx.next_id());
            let source = format!("whatsapp:{}", door.kind);
            tx.execute(&MAKE_LEAD, params![lead, door.tenant, contact, &source, phone, now])?;
            lead
        }
    };
    let opted_out = tx.first(&OPTED_OUT, params![contact], |r| r.get::<bool>(0))?.unwrap_or(false);
    let state = if opted_out { ConversationState::OptedOut } else { ConversationState::Active };
    let conversation = ConversationId(tx.next_id());
    tx.execute(
        &MAKE_CONVERSATION,
        params![conversation, door.tenant, door.channel, contact, lead, state.as_str(), &write(&recipient), now],
    )?;
    Ok(Thread {
        snapshot: Snapshot {
            tenant: door.tenant,
            channel: door.channel,
            conversation,
            contact,
            lead,
            state,
            state_until: None,
            memory: None,
            recipient,
            profile_name,
        },
        lease_until: 0,
        fence: 0,
        next_due: None,
    })
}
