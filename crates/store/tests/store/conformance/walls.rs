//! What [`super`] tries beside conversations: lists, accounts, batches, breakers, alerts, agents, sagas; and which operations are left to the engine.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use store::accounts::{Which, tokens, users};
use store::breakers::Turn;
use store::desk::merge::{Merge, Plan};
use store::desk::{
    After, BatchAction, BatchFilter, EventKind, JobAct, Role, Scope, agents, alerts, audit, batches, breakers, charts,
    endpoints, failed, inbox, leads, letters, notices, queue, sagas, tasks, tenants,
};
use store::erase::{Find, Whom};
use types::breaker::of_channel;
use types::{LeadId, MessageId};

use super::{Attack, by};
use crate::fixtures::{PHONE, say};

/// Operations that no person and no token can name a row to: the engine's own work, of every tenant at once or under a lease that it holds; what is done
/// before anybody is known by name, with a secret; and commands of who sits at the machine.
const ENGINES: &[&str] = &[
    "agents.load",
    "agents.put_back",
    "agents.tidy",
    "alerts.judge",
    "alerts.look",
    "alerts.news_told",
    "alerts.next_news",
    "alerts.take_news",
    "batches.any_runs",
    "batches.step",
    "breaker.all",
    "breaker.moved",
    "breaker.wake",
    "carry.begin",
    "carry.catalogue",
    "carry.count",
    "carry.cursor",
    "carry.engines",
    "carry.finish",
    "carry.go_away",
    "carry.how_it_stands",
    "carry.installation",
    "carry.read",
    "carry.write",
    "channels.resume",
    "channels.states",
    "channels.sync",
    "charts.due",
    "charts.keep",
    "compose",
    "conversations.set_state",
    "dead_letters.any_due",
    "dead_letters.decide",
    "dead_letters.list",
    "dead_letters.redrive_due",
    "desk.everybodys_breakers",
    "desk.take_result",
    "audit.record",
    "endpoints.actives",
    "endpoints.look",
    "endpoints.plan",
    "endpoints.take",
    "endpoints.told",
    "endpoints.trim",
    // What erasing does with the rows of a person whom `erase.find` has shown to the caller.
    "erase.answers",
    "erase.begin",
    "erase.end",
    "erase.in_groups",
    "erase.look",
    "erase.messages",
    "erase.off_groups",
    "erase.remove_answers",
    "erase.remove_conversation",
    "erase.remove_messages",
    "erase.remove_reports",
    "erase.remove_rows",
    "erase.reports",
    "events.keep_unreadable",
    "export.count",
    "export.page",
    "follow.keep",
    "follow.look",
    "follow.newest",
    "follow.oldest_transaction",
    "follow.trim",
    "follow.where_am_i",
    "idempotency.settle",
    "idempotency.take",
    "inbox.accept",
    "jobs.fail_turn",
    "jobs.finish_turn",
    "leases.claim",
    "leases.free",
    "leases.give_back",
    "leases.next_due",
    "leases.renew",
    "links.add",
    "links.open",
    "login_failures.note",
    "login_failures.wait",
    "outbox.postpone",
    "outbox.reconcile",
    "outbox.record_attempt",
    "outbox.retry",
    "outbox.send_message",
    "replay.hear",
    "sagas.advance",
    "sagas.claim",
    "sagas.next_due",
    "sessions.begin",
    "sessions.end",
    "sessions.find",
    "sessions.touch",
    "settings.declare",
    "spool.accept_all",
    "spool.add",
    "spool.forget",
    "spool.look",
    "spool.next",
    "spool.remove",
    "spool.set_aside",
    "spool.size",
    "sweep",
    "tokens.find",
    "tokens.used",
    "users.any",
    "users.has_admin",
    "users.own_password",
    "users.password_of",
    "views.conversations",
    "views.failed_sends",
    "views.figures",
    "views.jobs",
    "views.last_id",
    "views.open_conversation",
    "views.outcome",
    "views.retrying_sends",
    "views.thread",
];

/// Every operation that the store has, by its source.
fn operations() -> BTreeSet<String> {
    fn read(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let names = text.split("const NAME: &'static str = \"").skip(1);
                found.extend(names.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
            }
        }
    }
    let mut found = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 140, "{found:?}");
    found
}

/// A new operation is tried, or it is said here why nobody can try it.
pub(super) fn none_is_left_out(tried: &BTreeSet<&'static str>) {
    let all = operations();
    let engines: BTreeSet<&str> = ENGINES.iter().copied().collect();
    let untried: Vec<&String> =
        all.iter().filter(|o| !tried.contains(o.as_str()) && !engines.contains(o.as_str())).collect();
    assert!(untried.is_empty(), "nobody tried these across tenants, and they are not the engine's own: {untried:?}");
    let gone: Vec<&&str> = engines.iter().filter(|e| !all.contains(**e) || tried.contains(**e)).collect();
    assert!(gone.is_empty(), "these are not there any more, or are tried: {gone:?}");
}

/// What shows rows.
pub(super) async fn looked(a: &Attack<'_>) {
    let (t, after, limit) = (a.theirs, After::NEWEST, 50);
    a.tried(false, |access| users::Get { id: t.user, access }).await;
    a.tried(false, |access| batches::Get { id: t.batch, cancel: None, access }).await;
    a.tried(false, |access| sagas::Get { id: t.saga, access }).await;
    a.tried(false, |access| agents::Turns { session: t.session, after: After::OLDEST, limit, access }).await;
    let name = t.message.to_string();
    a.tried(false, |access| agents::FindMessage { name: name.clone(), lead: None, access }).await;
    a.tried(false, |access| tenants::Visible { channel: t.channel, access }).await;
    a.tried(false, |access| endpoints::Get { id: t.endpoint, access }).await;
    a.tried(false, |access| endpoints::Deliveries { endpoint: t.endpoint, state: None, after, limit, access }).await;
    a.tried(false, |access| endpoints::Delivery { id: t.delivery, access }).await;
    a.listed(endpoints::List).await;
    let (from, to) = (a.db.now().minus(Duration::from_secs(86_400)), a.db.now().plus(Duration::from_secs(86_400)));
    let list = |tenant| inbox::List {
        tenant,
        tab: inbox::Tab::All,
        status: None,
        order: inbox::Order::Last,
        after: None,
        limit,
    };
    a.listed(list).await;
    a.listed(|tenant| inbox::OfLead { tenant, lead: t.lead, after: None, limit }).await;
    a.listed(|tenant| inbox::Search { tenant, text: "secret".into(), after: None, limit }).await;
    a.listed(|tenant| inbox::Counts { tenant, user: None, status: None }).await;
    a.listed(|tenant| failed::List { tenant, code: None, channel: None, after, limit }).await;
    a.listed(failed::Groups).await;
    a.listed(|tenant| leads::List { tenant, filter: leads::Filter::default(), after, limit }).await;
    a.listed(|tenant| letters::List { tenant, status: None, error: None, after, limit }).await;
    a.listed(letters::Counts).await;
    a.listed(letters::Groups).await;
    let notices = |tenant| {
        let (which, order) = (notices::Which::All, notices::Order::Newest);
        notices::List { tenant, which, kind: None, order, after: None, limit }
    };
    a.listed(notices).await;
    a.listed(notices::CountUnread).await;
    a.listed(|tenant| queue::List { tenant, state: None, kind: None, after, limit }).await;
    a.listed(queue::Counts).await;
    a.listed(queue::Kinds).await;
    a.listed(queue::Sends).await;
    a.listed(|tenant| sagas::List { tenant: Some(tenant), state: None, after, limit }).await;
    a.listed(|tenant| tasks::List { tenant, which: tasks::Which::Undated, after: None, limit }).await;
    a.listed(tenants::Channels).await;
    a.listed(|tenant| agents::Show { tenant, since: from }).await;
    a.listed(|tenant| agents::Sessions { tenant, agent: None, after, limit }).await;
    a.listed(agents::Flags).await;
    a.listed(|tenant| agents::Today { tenant, contact_tokens: None, contact_cost: None }).await;
    a.listed(|tenant| agents::Exposures { tenant, experiment: "x".into(), limit }).await;
    a.listed(|tenant| alerts::List { tenant, after, limit }).await;
    a.listed(alerts::OpenAlerts).await;
    a.listed(|tenant| batches::List { tenant, after, limit }).await;
    a.listed(breakers::List).await;
    a.listed(|tenant| charts::Hours { tenant, from, to }).await;
    a.listed(|tenant| audit::List { tenant: Some(tenant), after, limit, access: a.own() }).await;
    a.listed(|_| tenants::Tenants(a.own())).await;
    a.listed(|_| Find { whom: Whom::Lead(t.lead), access: a.own() }).await;
    a.listed(|_| Find { whom: Whom::Known(t.tenant, PHONE.into()), access: a.own() }).await;
    // Accounts belong to the installation: who has one tenant sees who shares it, and in a transaction of one tenant nobody is there at all.
    let which = || Which { after, limit, access: a.own(), caller: 7 };
    a.listed(|_| users::List(which())).await;
    a.listed(|_| tokens::List(which())).await;
}

/// What changes rows.
pub(super) async fn wrote(a: &Attack<'_>) {
    let t = a.theirs;
    let change = users::Change { name: Some("forged".into()), ..users::Change::default() };
    a.tried(true, |access| users::Set { id: t.user, change: change.clone(), version: None, access, by: by() }).await;
    a.tried(true, |access| users::SetPassword { id: t.user, password: "forged".into(), access, by: by() }).await;
    let user = |access| users::Add {
        access,
        by: by(),
        ..super::super::accounts::add("forged@example.com", Role::Agent, Some(vec![t.tenant]))
    };
    a.barred(user).await;
    let token = |access| tokens::Add {
        digest: "forged".into(),
        prefix: "brd_".into(),
        name: "forged".into(),
        scopes: vec![Scope::Read],
        all_tenants: false,
        tenants: vec![t.tenant],
        expires_at: None,
        access,
        by: by(),
    };
    a.barred(token).await;
    a.tried(true, |access| tokens::Revoke { id: t.token, access, by: by() }).await;
    a.tried(true, |access| batches::Get { id: t.batch, cancel: Some(by()), access }).await;
    for turn in [Turn::Hold, Turn::Reset, Turn::Probe] {
        let name = of_channel(t.channel);
        a.tried(true, |access| breakers::Move { name: name.clone(), turn, reason: "x".into(), access, by: by() }).await;
    }
    a.tried(true, |access| tenants::ResumeChannel { channel: t.channel, access, by: by() }).await;
    let test = |access| tenants::TestChannel {
        channel: t.channel,
        phone: PHONE.into(),
        content: say("forged"),
        key: "k".into(),
        access,
        by: by(),
    };
    a.tried(true, test).await;
    for act in [JobAct::Retry, JobAct::Cancel] {
        a.tried(true, |access| queue::Do { id: t.job, act, reason: None, access, by: by() }).await;
    }
    for deed in [sagas::Deed::Retry, sagas::Deed::Skip] {
        a.tried(true, |access| sagas::Settle { id: t.saga, deed, reason: None, access, by: by() }).await;
    }
    let flag = |access| agents::SetFlag {
        tenant: t.tenant,
        name: "agents".into(),
        on: false,
        percent: 0,
        reason: None,
        access,
        by: by(),
    };
    a.barred(flag).await;
    let mine = format!("SELECT MIN(id) FROM lead WHERE tenant_id = {}", a.db.meta.tenant);
    let mine = LeadId(a.db.one(&mine).await.parse().unwrap());
    for (into, from) in [(mine, t.lead), (t.lead, mine)] {
        a.tried(false, |access| Plan { into, from, access }).await;
        a.tried(true, |access| Merge { plan: Plan { into, from, access }, by: by() }).await;
    }
    told(a).await;
    a.done(notices::ReadAll { tenant: t.tenant, upto: None, by: by() }).await;
    a.done(notices::DeleteRead { tenant: t.tenant, by: by() }).await;
    let filter = BatchFilter { ids: Some(vec![MessageId(t.failed.0)]), ..BatchFilter::default() };
    let action = BatchAction::RetryFailedSends;
    a.done(batches::Begin { tenant: t.tenant, action, filter, dry_run: false, by: by() }).await;
}

/// What outgoing webhooks tell, and to whom.
async fn told(a: &Attack<'_>) {
    let (id, delivery) = (a.theirs.endpoint, a.theirs.delivery);
    let change = endpoints::Change { url: Some("https://forged.example/".into()), ..endpoints::Change::default() };
    a.tried(true, |access| endpoints::Set { id, change: change.clone(), version: None, access, by: by() }).await;
    a.tried(true, |access| endpoints::Rotate { id, access, by: by() }).await;
    a.tried(true, |access| endpoints::Remove { id, access, by: by() }).await;
    a.tried(true, |access| endpoints::Resend { id: delivery, access, by: by() }).await;
    a.tried(true, |access| endpoints::Test { id, access, by: by() }).await;
    let since = a.db.now().minus(Duration::from_secs(3600));
    a.tried(true, |access| endpoints::Recover { id, since, access, by: by() }).await;
    let (tenant, events) = (a.theirs.tenant, vec![EventKind::MessageCreated]);
    let url = "https://forged.example/".to_owned();
    a.done(endpoints::Add { tenant, url, description: String::new(), events, by: by() }).await;
}
