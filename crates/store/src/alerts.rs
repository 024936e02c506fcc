//! Alerts (S6.6): what is wrong is looked for by reading alone; only where something changed one transaction judges again, raises or clears, and
//! queues the news for everybody who is to be told. So one node decides at a time, and each matter is told once when it begins and once when
//! it ends, whatever nodes and restarts there are.

use std::time::Duration;

use types::alert::{AlertEvent, AlertKind, AlertNews};
use types::{AlertId, ChannelId, TenantId, Timestamp};

use crate::error::Result;
use crate::notifications;
use crate::sql::{Op, Row, Tx};

sql! {
    STUCK = "alerts.stuck":
        "SELECT x.tenant_id, COUNT(*) FROM (SELECT tenant_id FROM conversation WHERE next_due IS NOT NULL AND next_due <= $1 AND lease_until <= $2
         LIMIT 10000) AS x GROUP BY x.tenant_id";
    LETTERS = "alerts.dead_letters":
        "SELECT x.tenant_id, COUNT(*) FROM (SELECT tenant_id FROM dead_letters WHERE status = 'pending' LIMIT 10000) AS x GROUP BY x.tenant_id";
    FINISHED = "alerts.finished":
        "SELECT created_at, completed_at FROM jobs WHERE id >= $1 AND state = 'done' AND completed_at IS NOT NULL ORDER BY id DESC LIMIT 2000";
    BREAKERS = "alerts.breakers": "SELECT name, tenant_id, reason FROM breaker WHERE state <> 'closed' ORDER BY name LIMIT 1000";
    CHANNELS = "alerts.channels":
        "SELECT id, tenant_id, kind, external_id, state_reason FROM channels WHERE state = 'paused' ORDER BY id LIMIT 1000";
    OPEN = "alerts.open":
        "SELECT id, tenant_id, kind, matter, detail, value, threshold, raised_at, cleared_at FROM alert WHERE cleared_at IS NULL ORDER BY id";
    RAISE = "alerts.raise":
        "INSERT INTO alert (id, tenant_id, kind, matter, detail, value, threshold, raised_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    CLEAR = "alerts.clear": "UPDATE alert SET cleared_at = $2 WHERE id = $1";
    TENANTS = "alerts.tenants": "SELECT id FROM tenants ORDER BY id LIMIT 100";
    QUEUE = "alerts.queue":
        "INSERT INTO alert_delivery (id, tenant_id, alert_id, sink, event, due_at, attempts) VALUES ($1, $2, $3, $4, $5, $6, 0)";
    NEXT = "alerts.next_due": "SELECT MIN(due_at) FROM alert_delivery WHERE due_at IS NOT NULL";
    DUE = "alerts.due":
        "SELECT d.id, d.alert_id, d.event, a.kind, a.matter, t.slug, a.detail, a.value, a.threshold, a.raised_at, a.cleared_at, d.sink, d.attempts
         FROM alert_delivery d JOIN alert a ON a.id = d.alert_id LEFT JOIN tenants t ON t.id = a.tenant_id
         WHERE d.due_at IS NOT NULL AND d.due_at <= $1 ORDER BY d.due_at, d.id LIMIT 1";
    TAKE = "alerts.take": "UPDATE alert_delivery SET due_at = $2, attempts = attempts + 1 WHERE id = $1";
    TOLD = "alerts.told": "UPDATE alert_delivery SET due_at = $2, told_at = $3, error = $4 WHERE id = $1";
}

/// From where on something is wrong; 0 switches a kind off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// More stuck conversations of a tenant than this.
    pub stuck: u32,
    /// More dead letters of a tenant that wait than this.
    pub dead_letters: u32,
    /// A 95th percentile of the last ten minutes longer than this, milliseconds.
    pub p95_ms: u32,
    /// Less free disk than this, percent.
    pub disk_percent: u32,
}

/// Answers that the percentile looks at.
const RECENT: Duration = Duration::from_secs(600);
/// Below so many answers a percentile says nothing.
const ENOUGH: usize = 20;
/// A conversation that nobody works although it has been due for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(300);
/// Whoever took a delivery and died: another tries after this.
const LEASE: Duration = Duration::from_secs(60);
/// Pauses between the tries to tell.
const AGAIN: [u64; 6] = [5, 30, 120, 600, 3600, 4 * 3600];

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Matter {
    tenant: Option<TenantId>,
    kind: AlertKind,
    name: String,
    detail: String,
    value: i64,
    threshold: i64,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AlertRow {
    pub id: AlertId,
    pub tenant: Option<TenantId>,
    pub kind: AlertKind,
    pub matter: String,
    pub detail: String,
    pub value: i64,
    pub threshold: i64,
    pub raised_at: Timestamp,
    pub cleared_at: Option<Timestamp>,
}

pub(crate) fn row(r: &dyn Row) -> Result<AlertRow> {
    Ok(AlertRow {
        id: r.get(0)?,
        tenant: r.get(1)?,
        kind: r.get(2)?,
        matter: r.get(3)?,
        detail: r.get(4)?,
        value: r.get(5)?,
        threshold: r.get(6)?,
        raised_at: r.get(7)?,
        cleared_at: r.get(8)?,
    })
}

/// Everything that is wrong now.
fn matters(tx: &mut dyn Tx, limits: &Limits, free_percent: Option<u8>) -> Result<Vec<Matter>> {
    let mut found = counted(tx, limits)?;
    found.extend(slow(tx, limits)?);
    found.extend(tx.all(&BREAKERS, &[], |r| {
        let (name, why): (String, Option<String>) = (r.get(0)?, r.get(2)?);
        let detail = format!("nothing goes out to {name}: {}", why.as_deref().unwrap_or("it failed too often"));
        let (name, kind) = (format!("breaker {name}"), AlertKind::BreakerOpen);
        Ok(Matter { tenant: r.get(1)?, kind, name, detail, value: 1, threshold: 0 })
    })?);
    found.extend(tx.all(&CHANNELS, &[], |r| {
        let (id, provider, number): (ChannelId, String, String) = (r.get(0)?, r.get(2)?, r.get(3)?);
        let why = r.get::<Option<String>>(4)?.unwrap_or_default();
        let token = why.to_lowercase().contains("token");
        let kind = if token { AlertKind::TokenExpired } else { AlertKind::ChannelDisconnected };
        let (name, detail) = (format!("channel {id}"), format!("{provider} {number} sends nothing: {why}"));
        Ok(Matter { tenant: r.get(1)?, kind, name, detail, value: 1, threshold: 0 })
    })?);
    if let Some(free) = free_percent.filter(|free| u32::from(*free) < limits.disk_percent) {
        let (tenant, kind, name) = (None, AlertKind::DiskLow, "disk".to_owned());
        let detail = format!("{free} % of the disk under the database is free; when it is full, webhooks are refused");
        let (value, threshold) = (i64::from(free), i64::from(limits.disk_percent));
        found.push(Matter { tenant, kind, name, detail, value, threshold });
    }
    Ok(found)
}

/// What is counted for each tenant.
fn counted(tx: &mut dyn Tx, limits: &Limits) -> Result<Vec<Matter>> {
    let now = tx.now();
    let of = |r: &dyn Row| Ok((r.get::<TenantId>(0)?, r.get::<i64>(1)?));
    let stuck = tx.all(&STUCK, params![now.minus(STUCK_AFTER), now], of)?;
    let letters = tx.all(&LETTERS, &[], of)?;
    let mut found = Vec::new();
    let mut add = |counts: Vec<(TenantId, i64)>, limit: u32, kind: AlertKind, words: &str| {
        let threshold = i64::from(limit);
        for (tenant, value) in counts.into_iter().filter(|(_, n)| limit > 0 && *n > threshold) {
            let (name, detail) = (format!("{} {tenant}", kind.as_str()), format!("{value} {words}"));
            found.push(Matter { tenant: Some(tenant), kind, name, detail, value, threshold });
        }
    };
    add(
        stuck,
        limits.stuck,
        AlertKind::StuckConversations,
        "conversations have been due for 5 minutes and nobody works them",
    );
    add(letters, limits.dead_letters, AlertKind::DeadLetters, "messages of customers could not be worked and wait");
    Ok(found)
}

fn slow(tx: &mut dyn Tx, limits: &Limits) -> Result<Option<Matter>> {
    if limits.p95_ms == 0 {
        return Ok(None);
    }
    let since = types::ids::first_id_of(tx.now().minus(RECENT));
    let mut took = tx.all(&FINISHED, params![since], |r| Ok(r.get::<Timestamp>(1)?.since(r.get(0)?).as_millis()))?;
    took.sort_unstable();
    let threshold = i64::from(limits.p95_ms);
    let p95 = took.get(took.len() * 95 / 100).filter(|_| took.len() >= ENOUGH);
    let value = p95.and_then(|ms| i64::try_from(*ms).ok()).filter(|ms| *ms > threshold);
    Ok(value.map(|value| {
        let (tenant, kind, name) = (None, AlertKind::SlowProcessing, "slow_processing".to_owned());
        let detail = format!("of 100 messages of the last 10 minutes 5 took longer than {value} ms to be answered");
        Matter { tenant, kind, name, detail, value, threshold }
    }))
}

/// Whether something began or ended since it was last judged.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// From where on something is wrong.
    pub limits: Limits,
    /// Free disk under the database, percent; `None`: unknown, or none of ours.
    pub free_percent: Option<u8>,
}

impl Op for Look {
    const NAME: &'static str = "alerts.look";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        let now = matters(tx, &self.limits, self.free_percent)?;
        let open = tx.all(&OPEN, &[], row)?;
        let begun = now.iter().any(|m| !open.iter().any(|a| a.matter == m.name));
        Ok(begun || open.iter().any(|a| !now.iter().any(|m| a.matter == m.name)))
    }
}

/// Raises what began and clears what ended, with the news for each of `sinks`; how many of both.
#[derive(Clone, Debug)]
pub struct Judge {
    /// From where on something is wrong.
    pub limits: Limits,
    /// Free disk under the database, percent.
    pub free_percent: Option<u8>,
    /// Whom to tell: `webhook`, `slack`, `email`.
    pub sinks: Vec<String>,
}

impl Op for Judge {
    const NAME: &'static str = "alerts.judge";
    type Out = (u32, u32);

    fn run(&self, tx: &mut dyn Tx) -> Result<(u32, u32)> {
        let now = tx.now();
        let wrong = matters(tx, &self.limits, self.free_percent)?;
        let open = tx.all(&OPEN, &[], row)?;
        let (mut raised, mut cleared) = (0, 0);
        for m in wrong.iter().filter(|m| !open.iter().any(|a| a.matter == m.name)) {
            let id = AlertId(tx.next_id());
            let p = params![id, m.tenant, m.kind.as_str(), &m.name, &m.detail, m.value, m.threshold, now];
            tx.execute(&RAISE, p)?;
            self.tell(tx, (id, m.tenant), AlertEvent::Raised, m.kind, &m.detail)?;
            raised += 1;
        }
        for a in open.iter().filter(|a| !wrong.iter().any(|m| a.matter == m.name)) {
            tx.execute(&CLEAR, params![a.id, now])?;
            self.tell(tx, (a.id, a.tenant), AlertEvent::Cleared, a.kind, &a.detail)?;
            cleared += 1;
        }
        Ok((raised, cleared))
    }
}

impl Judge {
    fn tell(
        &self,
        tx: &mut dyn Tx,
        (id, tenant): (AlertId, Option<TenantId>),
        event: AlertEvent,
        kind: AlertKind,
        detail: &str,
    ) -> Result<()> {
        let now = tx.now();
        for sink in &self.sinks {
            let delivery = AlertId(tx.next_id());
            tx.execute(&QUEUE, params![delivery, tenant, id, sink, event.as_str(), now])?;
        }
        let tenants = match tenant {
            Some(tenant) => vec![tenant],
            None => tx.all(&TENANTS, &[], |r| r.get(0))?,
        };
        let (word, title) = match event {
            AlertEvent::Raised => ("alert_raised", kind.title().to_owned()),
            AlertEvent::Cleared => ("alert_cleared", format!("Well again: {}", kind.title())),
        };
        for tenant in tenants {
            let key = format!("alert:{id}:{}:{tenant}", event.as_str());
            notifications::add(tx, tenant, word, &title, detail, &key)?;
        }
        Ok(())
    }
}

/// When the next news is to be told.
#[derive(Clone, Copy, Debug)]
pub struct NextNews;

impl Op for NextNews {
    const NAME: &'static str = "alerts.next_news";
    type Out = Option<Timestamp>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
        Ok(tx.first(&NEXT, &[], |r| r.get::<Option<Timestamp>>(0))?.flatten())
    }
}

/// News to be told, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub news: AlertNews,
    /// To whom.
    pub sink: String,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// Takes the next news that is due; nobody else takes it for a while.
#[derive(Clone, Copy, Debug)]
pub struct TakeNews;

impl Op for TakeNews {
    const NAME: &'static str = "alerts.take_news";
    type Out = Option<Told>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Option<Told>> {
        let now = tx.now();
        let found = tx.first(&DUE, params![now], |r| {
            let event: String = r.get(2)?;
            let news = AlertNews {
                delivery: r.get(0)?,
                alert: r.get(1)?,
                event: event.parse().unwrap_or(AlertEvent::Raised),
                kind: r.get(3)?,
                matter: r.get(4)?,
                tenant: r.get(5)?,
                detail: r.get(6)?,
                value: r.get(7)?,
                threshold: r.get(8)?,
                raised_at: r.get(9)?,
                cleared_at: r.get(10)?,
            };
            Ok(Told { news, sink: r.get(11)?, attempts: r.get::<u32>(12)? + 1 })
        })?;
        if let Some(told) = &found {
            tx.execute(&TAKE, params![told.news.delivery, now.plus(LEASE)])?;
        }
        Ok(found)
    }
}

/// Records how telling went; what failed is tried again, each time later, and given up after the last.
#[derive(Clone, Debug)]
pub struct NewsTold {
    /// Which.
    pub delivery: AlertId,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed; `None`: it was heard.
    pub error: Option<String>,
}

impl Op for NewsTold {
    const NAME: &'static str = "alerts.news_told";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let now = tx.now();
        let again = AGAIN.get(self.attempts.saturating_sub(1) as usize).map(|s| now.plus(Duration::from_secs(*s)));
        let (due, told) = if self.error.is_some() { (again, None) } else { (None, Some(now)) };
        tx.execute(&TOLD, params![self.delivery, due, told, self.error.as_deref()])?;
        Ok(())
    }
}
