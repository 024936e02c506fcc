//! Outgoing webhooks as people set them up: endpoints, their deliveries, and what to tell again.

use types::ids::first_id_of;
use types::{DeliveryId, EndpointId, Moment, TenantId, Timestamp};
use utoipa::ToSchema;

use super::audit::{self, Act};
use super::{Access, After, By, Count, DeliveryState, EventKind, Rows, counted};
use crate::endpoints::{self, Event, OVERLAP, Try};
use crate::error::{Result, StoreError};
use crate::sql::{Op, Row, Tx};

sql! {
    ADD = "endpoints.add":
        "INSERT INTO endpoint (id, tenant_id, url, description, events, generation, seen_id, seen_at, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $7, $7)";
    COUNT = "endpoints.count": "SELECT COUNT(*) FROM endpoint WHERE tenant_id = $1 AND deleted_at IS NULL";
    LIST = "endpoints.list":
        "SELECT id, tenant_id, url, description, events, generation, rotated_at, disabled_at, disabled_why, created_by, created_at, updated_at
         FROM endpoint WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 100";
    ONE = "endpoints.one":
        "SELECT id, tenant_id, url, description, events, generation, rotated_at, disabled_at, disabled_why, created_by, created_at, updated_at
         FROM endpoint WHERE id = $1 AND deleted_at IS NULL";
    SET = "endpoints.set":
        "UPDATE endpoint SET url = $2, description = $3, events = $4, disabled_at = $5, disabled_why = $6, updated_at = $7 WHERE id = $1";
    ROTATE = "endpoints.rotate": "UPDATE endpoint SET generation = generation + 1, rotated_at = $2, updated_at = $2 WHERE id = $1";
    REMOVE = "endpoints.remove": "UPDATE endpoint SET deleted_at = $2, updated_at = $2 WHERE id = $1 AND deleted_at IS NULL";
    COUNT_WAITING = "endpoints.count_waiting":
        "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE endpoint_id = $1 AND due_at IS NOT NULL LIMIT 10001) AS x";
    COUNT_FAILED = "endpoints.count_failed":
        "SELECT COUNT(*) FROM (SELECT 1 FROM delivery WHERE endpoint_id = $1 AND due_at IS NULL AND delivered_at IS NULL LIMIT 10001) AS x";
    DELIVERIES = "endpoints.deliveries":
        "SELECT id, tenant_id, endpoint_id, event, due_at, attempts, delivered_at, tries, created_at
         FROM delivery WHERE endpoint_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    DELIVERIES_WAITING = "endpoints.deliveries_waiting":
        "SELECT id, tenant_id, endpoint_id, event, due_at, attempts, delivered_at, tries, created_at
         FROM delivery WHERE endpoint_id = $1 AND due_at IS NOT NULL AND id < $2 ORDER BY id DESC LIMIT $3";
    DELIVERIES_HEARD = "endpoints.deliveries_heard":
        "SELECT id, tenant_id, endpoint_id, event, due_at, attempts, delivered_at, tries, created_at
         FROM delivery WHERE endpoint_id = $1 AND due_at IS NULL AND delivered_at IS NOT NULL AND id < $2 ORDER BY id DESC LIMIT $3";
    DELIVERIES_FAILED = "endpoints.deliveries_failed":
        "SELECT id, tenant_id, endpoint_id, event, due_at, attempts, delivered_at, tries, created_at
         FROM delivery WHERE endpoint_id = $1 AND due_at IS NULL AND delivered_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3";
    DELIVERY = "endpoints.delivery":
        "SELECT d.id, d.tenant_id, d.endpoint_id, d.event, d.due_at, d.attempts, d.delivered_at, d.tries, d.created_at, d.body
         FROM delivery d JOIN endpoint e ON e.id = d.endpoint_id WHERE d.id = $1 AND e.deleted_at IS NULL";
    RESEND = "endpoints.resend": "UPDATE delivery SET due_at = $2, attempts = 0 WHERE id = $1";
    RECOVER = "endpoints.recover":
        "UPDATE delivery SET due_at = $3, attempts = 0 WHERE id IN (SELECT id FROM delivery
         WHERE endpoint_id = $1 AND due_at IS NULL AND delivered_at IS NULL AND id >= $2 ORDER BY id LIMIT 10000)";
}

/// Endpoints of a tenant.
const MOST: i64 = 10;
/// After a pause longer than this an endpoint goes on from here: older news is no news.
const LATEST: std::time::Duration = std::time::Duration::from_secs(3 * 86_400);

/// A program that is told what happens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub struct WebhookEndpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Where it listens.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// Of what it is told.
    pub events: Vec<EventKind>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Since when it is not.
    pub disabled_at: Option<Moment>,
    /// Why not: `person`, or `gone`: it answered 410.
    pub disabled_reason: Option<String>,
    /// Until when the secret before the last is good, too.
    pub old_secret_until: Option<Moment>,
    /// Deliveries that wait.
    pub waiting: Count,
    /// Deliveries that were given up.
    pub failed: Count,
    /// Who set it up.
    pub created_by: String,
    /// When.
    pub created_at: Moment,
    /// Changes with every change; the `ETag`.
    pub version: String,
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub struct WebhookDelivery {
    /// Its id: `webhook-id` is `msg_` and this, the same in every try.
    pub id: DeliveryId,
    /// To whom.
    pub endpoint_id: EndpointId,
    /// `message.created`, …; `webhook.test`.
    pub event: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries of the present round.
    pub attempts: i64,
    /// When it is tried next.
    pub next_try: Option<Moment>,
    /// When it was heard.
    pub delivered_at: Option<Moment>,
    /// When it was planned.
    pub created_at: Moment,
    /// What every try came to, the oldest first.
    pub tries: Vec<Try>,
    /// What is told; null in lists.
    pub body: Option<String>,
}

fn events(words: &str) -> Vec<EventKind> {
    words.split(' ').filter_map(|word| word.parse().ok()).collect()
}

fn words(events: &[EventKind]) -> String {
    let mut events = events.to_vec();
    events.sort_unstable();
    events.dedup();
    events.iter().map(|e| e.as_str()).collect::<Vec<_>>().join(" ")
}

struct Kept {
    row: WebhookEndpoint,
    generation: u32,
}

fn endpoint(r: &dyn Row, now: Timestamp) -> Result<Kept> {
    let (words, generation, rotated): (String, u32, Option<Timestamp>) = (r.get(4)?, r.get(5)?, r.get(6)?);
    let disabled_at: Option<Moment> = r.get(7)?;
    let nothing = Count { value: 0, capped: false };
    let row = WebhookEndpoint {
        id: r.get(0)?,
        tenant_id: r.get(1)?,
        url: r.get(2)?,
        description: r.get(3)?,
        events: events(&words),
        enabled: disabled_at.is_none(),
        disabled_at,
        disabled_reason: r.get(8)?,
        old_secret_until: rotated.map(|at| at.plus(OVERLAP)).filter(|until| *until > now).map(Moment),
        waiting: nothing,
        failed: nothing,
        created_by: r.get(9)?,
        created_at: r.get(10)?,
        version: r.get::<i64>(11)?.to_string(),
    };
    Ok(Kept { row, generation })
}

fn own(tx: &mut dyn Tx, id: EndpointId, access: &Access) -> Result<Kept> {
    let now = tx.now();
    let missing = || StoreError::NotFound { what: "webhook endpoint", id: id.to_string() };
    let mut kept = tx.first(&ONE, params![id], |r| endpoint(r, now))?.ok_or_else(missing)?;
    if !access.allows(kept.row.tenant_id) {
        return Err(missing());
    }
    count(tx, &mut kept.row)?;
    Ok(kept)
}

fn count(tx: &mut dyn Tx, row: &mut WebhookEndpoint) -> Result<()> {
    row.waiting = counted(tx, &COUNT_WAITING, params![row.id])?;
    row.failed = counted(tx, &COUNT_FAILED, params![row.id])?;
    Ok(())
}

fn note(tx: &mut dyn Tx, by: &By, row: &WebhookEndpoint, action: &str, to: Option<&str>) -> Result<()> {
    let act = Act { tenant: Some(row.tenant_id), action, kind: "endpoint", id: row.id.0, to, ..Act::default() };
    audit::note(tx, by, &act)
}

/// A tenant's endpoints.
#[derive(Clone, Copy, Debug)]
pub struct List(pub TenantId);

impl Op for List {
    const NAME: &'static str = "desk.endpoints";
    type Out = Vec<WebhookEndpoint>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Vec<WebhookEndpoint>> {
        let now = tx.now();
        let mut all = tx.all(&LIST, params![self.0], |r| Ok(endpoint(r, now)?.row))?;
        for row in &mut all {
            count(tx, row)?;
        }
        Ok(all)
    }
}

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: EndpointId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Get {
    const NAME: &'static str = "desk.endpoint";
    type Out = WebhookEndpoint;

    fn run(&self, tx: &mut dyn Tx) -> Result<WebhookEndpoint> {
        Ok(own(tx, self.id, &self.access)?.row)
    }
}

/// Sets one up; it is told of what happens from now on.
#[derive(Clone, Debug)]
pub struct Add {
    /// Whose.
    pub tenant: TenantId,
    /// Where it listens.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// Of what it is told.
    pub events: Vec<EventKind>,
    /// Who.
    pub by: By,
}

impl Op for Add {
    const NAME: &'static str = "desk.add_endpoint";
    type Out = WebhookEndpoint;

    fn run(&self, tx: &mut dyn Tx) -> Result<WebhookEndpoint> {
        if tx.number(&COUNT, params![self.tenant])? >= MOST {
            return Err(StoreError::Refused(format!(
                "a tenant has at most {MOST} webhook endpoints: remove one first"
            )));
        }
        let (id, now) = (EndpointId(tx.next_id()), tx.now());
        let words = words(&self.events);
        // Its own id is the place of this moment among all ids.
        let p = params![id, self.tenant, &self.url, &self.description, &words, id, now, &self.by.name];
        tx.execute(&ADD, p)?;
        let row = own(tx, id, &Access::All)?.row;
        note(tx, &self.by, &row, "endpoint.create", Some(&self.url))?;
        Ok(row)
    }
}

/// What of an endpoint changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Where it listens.
    pub url: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Of what it is told.
    pub events: Option<Vec<EventKind>>,
    /// Whether it is told anything. Switched on again it is told what it missed, of the last three days.
    pub enabled: Option<bool>,
}

/// Changes one.
#[derive(Clone, Debug)]
pub struct Set {
    /// Which.
    pub id: EndpointId,
    /// How.
    pub change: Change,
    /// The version that the caller saw; `None`: any.
    pub version: Option<String>,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Set {
    const NAME: &'static str = "desk.set_endpoint";
    type Out = WebhookEndpoint;

    fn run(&self, tx: &mut dyn Tx) -> Result<WebhookEndpoint> {
        let had = own(tx, self.id, &self.access)?.row;
        if self.version.as_ref().is_some_and(|v| *v != had.version) {
            return Err(StoreError::Changed("webhook endpoint"));
        }
        let now = tx.now();
        let (url, description) = (self.change.url.as_ref().unwrap_or(&had.url), &had.description);
        let description = self.change.description.as_ref().unwrap_or(description);
        let words = words(self.change.events.as_ref().unwrap_or(&had.events));
        let (disabled, why) = match self.change.enabled {
            Some(true) => (None, None),
            Some(false) => {
                (Some(had.disabled_at.map_or(now, |m| m.0)), Some(had.disabled_reason.as_deref().unwrap_or("person")))
            }
            None => (had.disabled_at.map(|m| m.0), had.disabled_reason.as_deref()),
        };
        tx.execute(&SET, params![self.id, url, description, &words, disabled, why, now])?;
        if self.change.enabled == Some(true) && !had.enabled {
            endpoints::not_before(tx, self.id, now.minus(LATEST))?;
        }
        let row = own(tx, self.id, &self.access)?.row;
        let to = if row.enabled { row.url.clone() } else { "disabled".to_owned() };
        note(tx, &self.by, &row, "endpoint.change", Some(&to))?;
        Ok(row)
    }
}

/// Gives an endpoint a new secret; the one before is good for another 24 hours. With the number of the new one.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// Which.
    pub id: EndpointId,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Rotate {
    const NAME: &'static str = "desk.rotate_endpoint";
    type Out = (WebhookEndpoint, u32);

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        let had = own(tx, self.id, &self.access)?.row;
        if had.old_secret_until.is_some() {
            // A third secret would end the first before its time.
            return Err(StoreError::Refused(
                "the secret was exchanged in the last 24 hours: both are good until then".into(),
            ));
        }
        let now = tx.now();
        tx.execute(&ROTATE, params![self.id, now])?;
        let kept = own(tx, self.id, &self.access)?;
        note(tx, &self.by, &kept.row, "endpoint.rotate", None)?;
        Ok((kept.row, kept.generation))
    }
}

/// Removes an endpoint: it is told nothing any more, and its deliveries go.
#[derive(Clone, Debug)]
pub struct Remove {
    /// Which.
    pub id: EndpointId,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Remove {
    const NAME: &'static str = "desk.remove_endpoint";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<()> {
        let row = own(tx, self.id, &self.access)?.row;
        let now = tx.now();
        tx.execute(&REMOVE, params![self.id, now])?;
        note(tx, &self.by, &row, "endpoint.delete", Some(&row.url))
    }
}

fn delivery(r: &dyn Row) -> Result<(WebhookDelivery, TenantId)> {
    let (due, delivered): (Option<Moment>, Option<Moment>) = (r.get(4)?, r.get(6)?);
    let tries: String = r.get(7)?;
    let state = match (due, delivered) {
        (Some(_), _) => DeliveryState::Waiting,
        (None, Some(_)) => DeliveryState::Delivered,
        (None, None) => DeliveryState::Failed,
    };
    let row = WebhookDelivery {
        id: r.get(0)?,
        endpoint_id: r.get(2)?,
        event: r.get(3)?,
        state,
        attempts: r.get(5)?,
        next_try: due,
        delivered_at: delivered,
        created_at: r.get(8)?,
        tries: serde_json::from_str(&tries).unwrap_or_default(),
        body: None,
    };
    Ok((row, r.get(1)?))
}

/// An endpoint's deliveries, newest first.
#[derive(Clone, Debug)]
pub struct Deliveries {
    /// Whose.
    pub endpoint: EndpointId,
    /// Only those that stand so.
    pub state: Option<DeliveryState>,
    /// Where to go on.
    pub after: After,
    /// At most so many.
    pub limit: u32,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Deliveries {
    const NAME: &'static str = "desk.deliveries";
    type Out = Rows<WebhookDelivery>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out> {
        own(tx, self.endpoint, &self.access)?;
        let sql = match self.state {
            None => &DELIVERIES,
            Some(DeliveryState::Waiting) => &DELIVERIES_WAITING,
            Some(DeliveryState::Delivered) => &DELIVERIES_HEARD,
            Some(DeliveryState::Failed) => &DELIVERIES_FAILED,
        };
        tx.all(sql, params![self.endpoint, self.after.id, self.limit], |r| {
            let (row, _) = delivery(r)?;
            Ok((After { key: row.id.0, id: row.id.0 }, row))
        })
    }
}

fn delivered(tx: &mut dyn Tx, id: DeliveryId, access: &Access) -> Result<(WebhookDelivery, TenantId)> {
    let found = tx.first(&DELIVERY, params![id], |r| {
        let (row, tenant) = delivery(r)?;
        Ok((WebhookDelivery { body: r.get(9)?, ..row }, tenant))
    })?;
    let missing = || StoreError::NotFound { what: "webhook delivery", id: id.to_string() };
    found.filter(|(_, tenant)| access.allows(*tenant)).ok_or_else(missing)
}

/// One delivery with what is told.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Which.
    pub id: DeliveryId,
    /// Whose rows may be seen.
    pub access: Access,
}

impl Op for Delivery {
    const NAME: &'static str = "desk.delivery";
    type Out = WebhookDelivery;

    fn run(&self, tx: &mut dyn Tx) -> Result<WebhookDelivery> {
        Ok(delivered(tx, self.id, &self.access)?.0)
    }
}

/// Tells one again, at once, under the same id.
#[derive(Clone, Debug)]
pub struct Resend {
    /// Which.
    pub id: DeliveryId,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Resend {
    const NAME: &'static str = "desk.resend_delivery";
    type Out = WebhookDelivery;

    fn run(&self, tx: &mut dyn Tx) -> Result<WebhookDelivery> {
        let (row, tenant) = delivered(tx, self.id, &self.access)?;
        let now = tx.now();
        let endpoint = own(tx, row.endpoint_id, &self.access)?.row;
        if !endpoint.enabled {
            return Err(StoreError::Refused("this endpoint is switched off: switch it on first".into()));
        }
        tx.execute(&RESEND, params![self.id, now])?;
        let (action, kind, id) = ("delivery.resend", "delivery", self.id.0);
        audit::note(tx, &self.by, &Act { tenant: Some(tenant), action, kind, id, ..Act::default() })?;
        Ok(delivered(tx, self.id, &self.access)?.0)
    }
}

/// Tells again what an endpoint did not hear since a moment; how many.
#[derive(Clone, Debug)]
pub struct Recover {
    /// Which.
    pub id: EndpointId,
    /// Since when.
    pub since: Timestamp,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Recover {
    const NAME: &'static str = "desk.recover_endpoint";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64> {
        let row = own(tx, self.id, &self.access)?.row;
        let now = tx.now();
        let queued = tx.execute(&RECOVER, params![self.id, first_id_of(self.since), now])?;
        note(tx, &self.by, &row, "endpoint.recover", Some(&queued.to_string()))?;
        Ok(queued)
    }
}

/// Sends an endpoint an event that says that it is a test.
#[derive(Clone, Debug)]
pub struct Test {
    /// Which.
    pub id: EndpointId,
    /// Whose rows may be touched.
    pub access: Access,
    /// Who.
    pub by: By,
}

impl Op for Test {
    const NAME: &'static str = "desk.test_endpoint";
    type Out = WebhookDelivery;

    fn run(&self, tx: &mut dyn Tx) -> Result<WebhookDelivery> {
        let row = own(tx, self.id, &self.access)?.row;
        if !row.enabled {
            return Err(StoreError::Refused("this endpoint is switched off: switch it on first".into()));
        }
        let (word, now) = ("webhook.test", tx.now());
        let data = serde_json::json!({ "endpoint_id": self.id, "tenant_id": row.tenant_id });
        let event = Event { word: word.into(), body: endpoints::body(word, now, &data) };
        let id = endpoints::queue(tx, row.tenant_id, self.id, &event)?;
        note(tx, &self.by, &row, "endpoint.test", None)?;
        Ok(delivered(tx, id, &self.access)?.0)
    }
}
