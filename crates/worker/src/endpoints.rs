//! Tells tenants' endpoints what happened (outgoing webhooks). Beside the work: what is new is read from the tables by each endpoint's own place, so no
//! message waits for it, and where no endpoint exists nothing is read but whether there is one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use egress::endpoints::{Caller, Letter};
use store::desk::follow::Oldest;
use store::endpoints::{Active, Actives, Look, Plan, Take, Taken, Told, Trim, Try, Verdict};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use types::clock::Stopwatch;
use types::{EndpointId, Moment, Secret, webhook};

use crate::Worker;

/// How endpoints are told.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The way to them.
    pub caller: Caller,
    /// From what their secrets are made.
    pub key: Secret,
    /// How often to look while there are any.
    pub every: Duration,
}

/// How often to look whether there is one, although nobody rang: another node may have been told.
const ANY: Duration = Duration::from_secs(15);
/// Endpoints that are told at the same time: one delivery each, so that events come in their order.
const AT_ONCE: usize = 16;
/// Deliveries to one endpoint before another has its turn.
const IN_A_ROW: usize = 50;
/// Other nodes' commits may come later than their oldest transaction says by this much.
const LATE: Duration = Duration::from_millis(100);
/// How often what was settled long ago is removed.
const CHORES: Duration = Duration::from_secs(300);

struct Post {
    worker: Arc<Worker>,
    endpoints: Endpoints,
    room: Arc<Semaphore>,
    /// Endpoints that are being told.
    busy: Mutex<HashSet<EndpointId>>,
}

/// Plans and tells until the drain.
pub(crate) async fn serve(worker: Arc<Worker>, endpoints: Endpoints) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let post = Arc::new(Post { worker, endpoints, room, busy: Mutex::default() });
    let worker = &post.worker;
    let mut trimmed = Stopwatch::start();
    while !worker.stopping() {
        let any = match turn(&post).await {
            Ok(any) => any,
            Err(error) => {
                tracing::warn!(%error, "webhook endpoints could not be served; it is tried again");
                true
            }
        };
        if any && trimmed.elapsed() >= CHORES {
            trimmed = Stopwatch::start();
            while worker.store.write(Trim).await.unwrap_or(false) && !worker.stopping() {}
        }
        tokio::select! {
            () = worker.stop.cancelled() => return,
            () = worker.store.hub().endpoints_rang() => {}
            () = tokio::time::sleep(if any { post.endpoints.every } else { ANY }) => {}
        }
    }
}

/// Plans what is new for each endpoint and has those told that are due; whether there are any.
async fn turn(post: &Arc<Post>) -> store::Result<bool> {
    let worker = &post.worker;
    let active = worker.store.read(Actives).await?;
    if active.is_empty() {
        return Ok(false);
    }
    // Asked before the look: what commits between the two is in the look.
    let behind = if worker.store.guards_tenants() { worker.store.read(Oldest).await? + LATE } else { Duration::ZERO };
    let now = worker.store.clock().now();
    for endpoint in active {
        let planned = plan(worker, &endpoint, behind).await?;
        if planned > 0 || endpoint.due.is_some_and(|at| at <= now) {
            begin(post, endpoint.id);
        }
    }
    Ok(true)
}

async fn plan(worker: &Worker, active: &Active, behind: Duration) -> store::Result<usize> {
    let (endpoint, tenant, from) = (active.id, active.tenant, active.place);
    let mut planned = 0;
    let mut looked = active.clone();
    while let Some(found) = worker.store.read_for(tenant, Look { endpoint: looked.clone(), behind }).await? {
        if found.to == looked.place {
            break;
        }
        // What nobody wants to be told is passed over without a write, until the way back would be long.
        let far = found.more || found.to.id.saturating_sub(from.id) >> 22 > 60_000;
        if found.events.is_empty() && !far {
            break;
        }
        let (to, more) = (found.to, found.more);
        planned += worker.store.write_for(tenant, Plan { endpoint, tenant, from: looked.place, found }).await?;
        looked.place = to;
        if !more || worker.stopping() {
            break;
        }
    }
    Ok(planned)
}

/// Has an endpoint told, unless it is being told already or there is no room now.
fn begin(post: &Arc<Post>, endpoint: EndpointId) {
    let Ok(room) = Arc::clone(&post.room).try_acquire_owned() else { return };
    if !post.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint) {
        return;
    }
    let own = Arc::clone(post);
    post.worker.tasks.spawn(async move {
        tell(&own, endpoint, room).await;
        own.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&endpoint);
    });
}

/// Tells an endpoint what is due, one after the other.
async fn tell(post: &Post, endpoint: EndpointId, _room: OwnedSemaphorePermit) {
    let worker = &post.worker;
    for _ in 0..IN_A_ROW {
        if worker.stopping() {
            return;
        }
        let taken = match worker.store.write(Take(endpoint)).await {
            Ok(Some(taken)) => taken,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, endpoint_id = %endpoint, "a webhook delivery could not be taken");
                return;
            }
        };
        let heard = deliver(post, endpoint, taken).await;
        // Who does not hear is left alone until its next delivery is due: those behind it would not be heard either.
        if !heard {
            return;
        }
    }
}

async fn deliver(post: &Post, endpoint: EndpointId, taken: Taken) -> bool {
    let worker = &post.worker;
    let secrets = taken.generations.iter().map(|n| webhook::secret(&post.endpoints.key, endpoint, *n)).collect();
    let letter = Letter { id: taken.id, url: Secret::new(taken.url), secrets, body: taken.body };
    let at = worker.store.clock().now();
    let heard = post.endpoints.caller.tell(&letter, at).await;
    let verdict = match (&heard.error, heard.status) {
        (None, _) => Verdict::Heard,
        (Some(_), Some(410)) => Verdict::Gone,
        (Some(_), _) => Verdict::Unheard(heard.retry_after),
    };
    if let Some(why) = &heard.error {
        tracing::warn!(endpoint_id = %endpoint, event = taken.event, attempt = taken.attempts, why, "a webhook was not heard");
    }
    let ms = i64::try_from(heard.took.as_millis()).unwrap_or(i64::MAX);
    let tried = Try { at: Moment(at), status: heard.status, ms, error: heard.error };
    let told = Told { delivery: taken.id, endpoint, tried, verdict };
    // What cannot be recorded is told again after its lease: at least once.
    if let Err(error) = worker.store.write(told).await {
        tracing::warn!(%error, endpoint_id = %endpoint, "what became of a webhook could not be recorded; it is told again");
        return false;
    }
    verdict == Verdict::Heard
}
