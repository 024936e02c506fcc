//! Charts: figures by the hour. An hour that is over is counted once and kept; the rest is read from a range of ids, which grow with time.

use std::time::Duration;

use types::ids::first_id_of;
use types::{TenantId, Timestamp};

use crate::error::Result;
use crate::sql::{Op, Row, Tx};

sql! {
    KEPT = "charts.kept":
        "SELECT hour, messages_in, messages_out, human, delivered, seen, failed, conversations, answered, answer_ms, resolved, resolve_s, cost FROM hours
         WHERE tenant_id = $1 AND hour >= $2 AND hour < $3 ORDER BY hour";
    TALLY = "charts.tally":
        "SELECT COALESCE(SUM(CASE WHEN direction = 'in' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN direction = 'out' THEN 1 ELSE 0 END), 0),
                COALESCE(SUM(CASE WHEN sender = 'HUMAN' THEN 1 ELSE 0 END), 0),
                COALESCE(SUM(CASE WHEN direction = 'out' AND delivered_at IS NOT NULL THEN 1 ELSE 0 END), 0),
                COALESCE(SUM(CASE WHEN direction = 'out' AND read_at IS NOT NULL THEN 1 ELSE 0 END), 0),
                COALESCE(SUM(CASE WHEN direction = 'out' AND status IN ('failed', 'held') THEN 1 ELSE 0 END), 0)
         FROM message WHERE id >= $2 AND id < $3 AND tenant_id = $1";
    BEGUN = "charts.begun": "SELECT COUNT(*) FROM conversation WHERE id >= $2 AND id < $3 AND tenant_id = $1";
    ANSWERED = "charts.answered":
        "SELECT COUNT(*), COALESCE(SUM(completed_at - created_at), 0) FROM jobs
         WHERE id >= $2 AND id < $3 AND tenant_id = $1 AND state = 'done' AND completed_at IS NOT NULL";
    // From a conversation's beginning to each time that somebody resolved it.
    RESOLVED = "charts.resolved":
        "SELECT COUNT(*), CAST(COALESCE(SUM((x.at - x.begun) / 1000000), 0) AS {int}) FROM
         (SELECT a.at, (SELECT v.created_at FROM conversation v WHERE v.id = CAST(a.object_id AS {int})) AS begun
          FROM audit a WHERE a.tenant_id = $1 AND a.id >= $2 AND a.id < $3 AND a.action = 'conversation.resolve') AS x";
    COST = "charts.cost":
        "SELECT CAST(COALESCE(SUM(cost), 0) AS {int}) FROM agent_log WHERE tenant_id = $1 AND id >= $2 AND id < $3";
    KEEP = "charts.keep":
        "INSERT INTO hours (tenant_id, hour, messages_in, messages_out, human, delivered, seen, failed, conversations, answered, answer_ms,
                            resolved, resolve_s, cost)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (tenant_id, hour) DO NOTHING";
    LAST_KEPT = "charts.last_kept": "SELECT COALESCE(MAX(hour), 0) FROM hours WHERE tenant_id = $1";
    FIRST = "charts.first": "SELECT created_at FROM tenants WHERE id = $1";
    ALL_TENANTS = "charts.tenants": "SELECT id FROM tenants ORDER BY id LIMIT 1000";
}

/// Figures of one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Its beginning.
    pub at: i64,
    /// Messages of people.
    pub messages_in: i64,
    /// Messages of ours.
    pub messages_out: i64,
    /// Of those, written by people of the team.
    pub human: i64,
    /// Of ours, those that reached the phone.
    pub delivered: i64,
    /// Of ours, those that were opened.
    pub seen: i64,
    /// Of ours, those that were not sent.
    pub failed: i64,
    /// Conversations that began.
    pub conversations: i64,
    /// Messages that were answered.
    pub answered: i64,
    /// The time that took, together, milliseconds.
    pub answer_ms: i64,
    /// Conversations that were resolved.
    pub resolved: i64,
    /// The time from their beginnings, together, seconds.
    pub resolve_s: i64,
    /// What models cost, in millionths of the prices' currency.
    pub cost: i64,
}

const HOUR: Duration = Duration::from_secs(3600);
/// An hour's figures are kept when it has been over for so long: receipts come late.
const SETTLED: Duration = Duration::from_secs(6 * 3600);

/// The beginning of the hour of `at`.
const fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.seconds().div_euclid(3600) * 3600)
}

fn kept(r: &dyn Row) -> Result<Hour> {
    Ok(Hour {
        at: r.get(0)?,
        messages_in: r.get(1)?,
        messages_out: r.get(2)?,
        human: r.get(3)?,
        delivered: r.get(4)?,
        seen: r.get(5)?,
        failed: r.get(6)?,
        conversations: r.get(7)?,
        answered: r.get(8)?,
        answer_ms: r.get(9)?,
        resolved: r.get(10)?,
        resolve_s: r.get(11)?,
        cost: r.get(12)?,
    })
}

fn tally(tx: &mut dyn Tx, tenant: TenantId, at: Timestamp) -> Result<Hour> {
    let (from, to) = (first_id_of(at), first_id_of(at.plus(HOUR)));
    let p = params![tenant, from, to];
    let mut hour = Hour { at: at.micros(), ..Hour::default() };
    tx.query(&TALLY, p, &mut |r| {
        (hour.messages_in, hour.messages_out, hour.human) = (r.get(0)?, r.get(1)?, r.get(2)?);
        (hour.delivered, hour.seen, hour.failed) = (r.get(3)?, r.get(4)?, r.get(5)?);
        Ok(())
    })?;
    hour.conversations = tx.number(&BEGUN, p)?;
    tx.query(&ANSWERED, p, &mut |r| {
        hour.answered = r.get(0)?;
        hour.answer_ms = r.get::<i64>(1)? / 1000;
        Ok(())
    })?;
    tx.query(&RESOLVED, p, &mut |r| {
        (hour.resolved, hour.resolve_s) = (r.get(0)?, r.get(1)?);
        Ok(())
    })?;
    hour.cost = tx.number(&COST, p)?;
    Ok(hour)
}

/// The hours of a span, those without anything left out. What is not kept yet is counted now.
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    /// Whose.
    pub tenant: TenantId,
    /// From.
    pub from: Timestamp,
    /// To, that moment not included.
    pub to: Timestamp,
}

impl Op for Hours {
    const NAME: &'static str = "charts.hours";
    type Out = Vec<Hour>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<Hour>> {
        let first = tx.first(&FIRST, params![self.tenant], |r| r.get::<Timestamp>(0))?.unwrap_or(self.from);
        let (from, to) =
            (hour_of(self.from.max(first.minus(Duration::from_secs(400 * 86_400)))), self.to.min(tx.now()));
        let mut hours = tx.all(&KEPT, params![self.tenant, from, to], kept)?;
        let last = tx.number(&LAST_KEPT, params![self.tenant])?;
        let mut at = if last == 0 { from } else { from.max(Timestamp::from_micros(last).plus(HOUR)) };
        // Nobody kept anything for long: the newest 10 days are counted now, and the rest when they are kept.
        at = at.max(hour_of(to).minus(HOUR * 240));
        while at < to {
            let hour = tally(tx, self.tenant, at)?;
            if hour != (Hour { at: at.micros(), ..Hour::default() }) {
                hours.push(hour);
            }
            at = at.plus(HOUR);
        }
        Ok(hours)
    }
}

/// Whether there is an hour to keep.
#[derive(Clone, Copy, Debug)]
pub struct Due(pub Keep);

impl Op for Due {
    const NAME: &'static str = "charts.due";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        let settled = hour_of(tx.now().minus(SETTLED));
        for tenant in tx.all(&ALL_TENANTS, &[], |r| r.get::<TenantId>(0))? {
            let last = tx.number(&LAST_KEPT, params![tenant])?;
            if last == 0 || Timestamp::from_micros(last).plus(HOUR) < settled {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Keeps the figures of hours that are settled; whether there are more to keep.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// At most so many hours of each tenant in one transaction.
    pub limit: u32,
    /// How far back to begin where nothing is kept yet.
    pub back: Duration,
}

impl Op for Keep {
    const NAME: &'static str = "charts.keep";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool> {
        let settled = hour_of(tx.now().minus(SETTLED));
        let mut more = false;
        for tenant in tx.all(&ALL_TENANTS, &[], |r| r.get::<TenantId>(0))? {
            let last = tx.number(&LAST_KEPT, params![tenant])?;
            let mut at = Timestamp::from_micros(last).plus(HOUR);
            if last == 0 {
                at = hour_of(settled.minus(self.back));
            }
            let mut left = self.limit;
            while at < settled && left > 0 {
                let h = tally(tx, tenant, at)?;
                let p = params![
                    tenant,
                    h.at,
                    h.messages_in,
                    h.messages_out,
                    h.human,
                    h.delivered,
                    h.seen,
                    h.failed,
                    h.conversations,
                    h.answered,
                    h.answer_ms,
                    h.resolved,
                    h.resolve_s,
                    h.cost,
                ];
                tx.execute(&KEEP, p)?;
                at = at.plus(HOUR);
                left -= 1;
            }
            more |= at < settled;
        }
        Ok(more)
    }
}
