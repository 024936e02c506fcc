//! Removes one person everywhere (S6.8): their messages and what was made of them, what providers reported, what the team noted. Found by
//! reading beside the writer, removed in small steps, so that others' messages are held up by none of it. What is left is the fact: the audit
//! record says that it was done, when and by whom, and nothing of the person.
//!
//! - `find.rs`: who it is, and where else they are named
//! - `remove.rs`: the steps that remove
//!
//! A run that is cut off is finished by the next: the person's row is the last to go, and by it they are found again.

mod find;
mod remove;

use std::collections::{BTreeMap, HashSet};

use types::{ContactId, ConversationId, LeadId, MessageId, TenantId};
use utoipa::ToSchema;

use crate::Store;
use crate::desk::{Access, By};
use crate::error::{Result, StoreError};
use crate::spool::Spool;

pub use find::{Find, Whom};

/// Every statement, for the roll call.
pub(crate) fn statements() -> Vec<&'static crate::sql::Sql> {
    [find::STATEMENTS, remove::STATEMENTS].concat()
}

/// Somebody as they are found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub struct Subject {
    /// Whose customer.
    #[serde(skip)]
    pub tenant: TenantId,
    /// Who.
    pub contact_id: ContactId,
    /// Their name.
    pub name: Option<String>,
    /// Their number.
    pub phone: Option<String>,
    /// Everything by which they are found: numbers, ids of providers.
    pub known_by: Vec<String>,
    /// Their leads.
    pub leads: Vec<LeadId>,
    /// Their conversations.
    pub conversations: Vec<ConversationId>,
    /// Messages in them.
    pub messages: i64,
}

/// What was removed, by relation.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, ToSchema)]
pub struct Erased {
    /// Rows by relation, under the names that operators know.
    pub removed: BTreeMap<String, u64>,
    /// Lines of the audit record that keep the fact and nothing more.
    pub redacted: u64,
    /// The files hold nothing of it any more. `false`: something was reading the embedded database's log just then; it is overwritten with the
    /// next writes.
    pub log_emptied: bool,
}

impl Erased {
    fn add(&mut self, relation: &str, rows: u64) {
        if rows > 0 {
            *self.removed.entry(relation.to_owned()).or_default() += rows;
        }
    }

    fn all(&mut self, counts: Vec<(&'static str, u64)>) {
        for (relation, rows) in counts {
            self.add(relation, rows);
        }
    }

    /// Rows in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.removed.values().sum()
    }
}

/// By what a person is recognised in a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traces {
    /// Numbers and ids of providers.
    names: Vec<String>,
    /// Ids of rows that are theirs.
    ids: HashSet<i64>,
}

/// Shorter names stand in too many texts by chance.
const SHORTEST: usize = 6;

impl Traces {
    pub(crate) fn of(names: &[String], ids: impl IntoIterator<Item = i64>) -> Self {
        let names = names.iter().filter(|name| name.len() >= SHORTEST).cloned().collect();
        Self { names, ids: ids.into_iter().collect() }
    }

    /// Whether `text` names the person, or a row of theirs.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.names.iter().any(|name| stands_in(name, text)) || self.has_id(text)
    }

    fn has_id(&self, text: &str) -> bool {
        !self.ids.is_empty()
            && text
                .split(|c: char| !c.is_ascii_digit())
                .any(|run| run.parse().is_ok_and(|id: i64| self.ids.contains(&id)))
    }
}

/// Whether `name` stands in `text` by itself: a number is not another that is longer.
fn stands_in(name: &str, text: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let (first, last) = (digit(name.chars().next()), digit(name.chars().next_back()));
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + name.len()..].chars().next());
        let within = (first && digit(before)) || (last && digit(after));
        !within
    })
}

/// Messages removed in one step.
const STEP: usize = 100;
/// Rows looked at in one reading.
const PAGE: u32 = 2000;

/// Removes one person; `progress` hears how many messages are gone, of how many.
///
/// # Errors
/// [`StoreError::NotFound`] where the caller may not know of them; what a step gives.
pub async fn run(
    store: &Store,
    spool: Option<&Spool>,
    contact: ContactId,
    (access, by): (&Access, &By),
    mut progress: impl FnMut(usize, usize),
) -> Result<Erased> {
    let mut out = Erased::default();
    let found = store.read(Find { whom: Whom::Contact(contact), access: access.clone() }).await?.pop();
    let person = found.ok_or_else(|| StoreError::NotFound { what: "contact", id: contact.to_string() })?;
    let (tenant, talks) = (person.tenant, person.conversations.clone());
    // From here on nothing new comes to them: who writes is somebody new, and nobody works their conversations.
    let sagas = store.write(remove::Begin { contact, talks: talks.clone() }).await?;
    out.add("saga", u64::try_from(sagas.len()).unwrap_or(0));
    let messages = messages(store, tenant, &person).await?;
    let ids = sagas.into_iter().chain(messages.iter().map(|m| m.0)).chain(talks.iter().map(|t| t.0));
    let traces = Traces::of(&person.known_by, ids.chain(person.leads.iter().map(|l| l.0)).chain([contact.0]));
    mentions(store, tenant, access, &traces, &mut out).await?;
    if let Some(spool) = spool {
        out.add("spool", spool.forget(&person.known_by).await?);
    }
    for (n, part) in messages.chunks(STEP).enumerate() {
        progress(n * STEP, messages.len());
        out.all(store.write(remove::Messages { ids: part.to_vec() }).await?);
    }
    progress(messages.len(), messages.len());
    for talk in talks {
        out.all(store.write(remove::Talk { id: talk, tenant, by: by.clone() }).await?);
    }
    out.redacted = audit(store, tenant, &traces).await?;
    out.all(
        store
            .write(remove::End {
                contact,
                tenant,
                lead: person.leads.last().copied(),
                by: by.clone(),
                rows: out.rows(),
            })
            .await?,
    );
    out.log_emptied = store.empty_log().await;
    Ok(out)
}

/// Every message of theirs: those of their own conversations, and what they wrote in groups.
async fn messages(store: &Store, tenant: TenantId, person: &Subject) -> Result<Vec<MessageId>> {
    let mut all = Vec::new();
    for talk in &person.conversations {
        let mut after = 0;
        loop {
            let page = store.read(find::OfTalk { talk: *talk, after, limit: PAGE }).await?;
            let Some(last) = page.last() else { break };
            after = last.0;
            all.extend(page);
        }
    }
    let names = Traces::of(&person.known_by, []);
    let mut after = 0;
    loop {
        let page = store.read(find::InGroups { tenant, after, limit: PAGE, traces: names.clone() }).await?;
        all.extend(page.found.into_iter().map(MessageId));
        let Some(last) = page.last else { break };
        after = last;
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// What names them without being a row of theirs: events, notices, what outgoing webhooks were told, reports of groups, kept answers.
async fn mentions(store: &Store, tenant: TenantId, access: &Access, traces: &Traces, out: &mut Erased) -> Result<()> {
    for (what, relation) in
        [(find::What::Events, "events"), (find::What::Notices, "notifications"), (find::What::Deliveries, "deliveries")]
    {
        let mut after = 0;
        loop {
            // What is nobody's belongs to those who see everything.
            let unrouted = *access == Access::All;
            let look = find::Look { what, tenant, unrouted, after, limit: PAGE, traces: traces.clone() };
            let page = store.read(look).await?;
            if !page.found.is_empty() {
                out.add(relation, store.write(remove::Rows { what, ids: page.found }).await?);
            }
            let Some(last) = page.last else { break };
            after = last;
        }
    }
    for name in &traces.names {
        store.write(remove::OffGroups { tenant, number: name.clone() }).await?;
        let rows = store.read(find::Reports { tenant, participant: name.clone() }).await?;
        for part in rows.chunks(STEP) {
            out.add("receipts", store.write(remove::Reports { rows: part.to_vec(), participant: name.clone() }).await?);
        }
    }
    let kept = store.read(find::Answers { traces: traces.clone() }).await?;
    for part in kept.chunks(STEP) {
        out.add("idempotency", store.write(remove::Answers { keys: part.to_vec() }).await?);
    }
    Ok(())
}

/// Lines of the record about them lose what they say beyond the fact.
async fn audit(store: &Store, tenant: TenantId, traces: &Traces) -> Result<u64> {
    let (mut after, mut redacted) = (0, 0);
    loop {
        let what = find::What::Audit;
        let look = find::Look { what, tenant, unrouted: false, after, limit: PAGE, traces: traces.clone() };
        let page = store.read(look).await?;
        if !page.found.is_empty() {
            redacted += store.write(remove::Rows { what, ids: page.found }).await?;
        }
        let Some(last) = page.last else { return Ok(redacted) };
        after = last;
    }
}

#[cfg(test)]
mod tests {
    use super::{Traces, stands_in};

    #[test]
    fn a_number_is_recognised_by_itself_and_not_within_a_longer_one() {
        for (text, found) in [
            (r#"{"from":"971500000001"}"#, true),
            ("971500000001@c.us", true),
            ("+971500000001", true),
            ("9715000000012", false),
            ("1971500000001", false),
            ("19715000000012 971500000001", true),
            ("", false),
        ] {
            assert_eq!(stands_in("971500000001", text), found, "{text}");
        }
        assert!(stands_in("AE.abcdef", "xAE.abcdefx"), "an id of letters may be part of another");
    }

    #[test]
    fn ids_are_recognised_whole_and_short_names_not_at_all() {
        let traces = Traces::of(&["ali".to_owned()], [42_000_001]);
        assert!(traces.are_in("send_failed:42000001:3"));
        assert!(!traces.are_in("send_failed:420000011:3"));
        assert!(!traces.are_in("alibi"));
    }
}
