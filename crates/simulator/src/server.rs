//! The socket, the state behind it, and [`Simulator`], the handle that tests hold.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::SharedClock;

use crate::client::{BadUrl, HttpClient};
use crate::faults::{Fault, Faults, Rule, Verdict};
use crate::green::Instance;
use crate::ids::Ids;
use crate::journal::{Accepted, Event, Journal};
use crate::locked;
use crate::meta::Number;
use crate::options::{SimulatorOptions, WebhookTargets};
use crate::statuses::Postman;
use crate::{control, green, llm, meta};

/// The largest request that is read; Meta's largest is a 3 MB webhook, and sends are far smaller.
const BODY_MAX: usize = 4 * 1024 * 1024;

pub(crate) type Reply = Response<Full<Bytes>>;

/// The simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("the simulator cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A webhook address is not usable.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// Two numbers or instances share an id, or an instance's id is not a number.
    #[error("the number or instance {0:?} is there twice, or is no number")]
    BadChannel(String),
}

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
pub(crate) struct Dropped;

/// Where webhooks go now.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    meta: Mutex<Option<Arc<HttpClient>>>,
    green: Mutex<Option<Arc<HttpClient>>>,
    /// Read for each send, without a lock.
    any_meta: AtomicBool,
    any_green: AtomicBool,
}

impl Targets {
    pub fn meta(&self) -> Option<Arc<HttpClient>> {
        locked(&self.meta).clone()
    }

    pub fn green(&self) -> Option<Arc<HttpClient>> {
        locked(&self.green).clone()
    }

    pub fn has_meta(&self) -> bool {
        self.any_meta.load(Ordering::Acquire)
    }

    pub fn has_green(&self) -> bool {
        self.any_green.load(Ordering::Acquire)
    }

    pub fn green_url(&self) -> Option<String> {
        self.green().map(|client| client.url())
    }

    pub fn set(&self, urls: &WebhookTargets) -> Result<(), BadUrl> {
        let client = |url: &Option<String>| url.as_deref().map(HttpClient::new).transpose();
        let (meta, green) = (client(&urls.meta_url)?, client(&urls.green_url)?);
        self.any_meta.store(meta.is_some(), Ordering::Release);
        self.any_green.store(green.is_some(), Ordering::Release);
        *locked(&self.meta) = meta.map(Arc::new);
        *locked(&self.green) = green.map(Arc::new);
        Ok(())
    }
}

/// What is counted beside the ledger.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub statuses_posted: AtomicU64,
    pub statuses_lost: AtomicU64,
    pub refused: AtomicU64,
}

/// Totals since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Sends taken.
    pub accepted: u64,
    /// Sends answered with an error, or not taken.
    pub refused: u64,
    /// Statuses and Green API notifications that the engine acknowledged.
    pub statuses_posted: u64,
    /// Those that still wait or are being posted.
    pub statuses_waiting: u64,
    /// Those given up, or dropped because too many waited.
    pub statuses_lost: u64,
}

/// The state that every connection shares.
#[derive(Debug)]
pub(crate) struct World {
    pub numbers: HashMap<String, Arc<Number>>,
    pub instances: HashMap<String, Arc<Instance>>,
    pub faults: Faults,
    pub journal: Arc<Journal>,
    pub targets: Arc<Targets>,
    pub counters: Arc<Counters>,
    pub postman: Arc<Postman>,
    pub ids: Arc<Ids>,
    pub llm: Arc<llm::Llm>,
    pub clock: SharedClock,
    pub options: SimulatorOptions,
}

impl World {
    fn new(options: SimulatorOptions) -> Result<Self, StartError> {
        let (targets, counters, ids) = (Arc::<Targets>::default(), Arc::<Counters>::default(), Arc::<Ids>::default());
        targets.set(&options.webhooks)?;
        let clock = options.clock.clone();
        let journal = Arc::new(Journal::new(options.keep_accepted, options.keep_events));
        let postman = Arc::new(Postman::new(
            options.statuses.clone(),
            options.meta_retry,
            options.seed,
            targets.clone(),
            journal.clone(),
            clock.clone(),
            counters.clone(),
        ));
        let faults = Faults::seeded(options.seed);
        let (numbers, instances) = (HashMap::new(), HashMap::new());
        let llm = Arc::default();
        let mut world =
            Self { numbers, instances, faults, journal, targets, counters, postman, ids, llm, clock, options };
        for options in &world.options.meta {
            let number = Arc::new(Number::new(options, &world));
            if world.numbers.insert(options.phone_number_id.clone(), number).is_some() {
                return Err(StartError::BadChannel(options.phone_number_id.clone()));
            }
        }
        for options in &world.options.green {
            let instance = Arc::new(Instance::new(options, &world));
            let taken = world.instances.insert(options.instance.clone(), instance).is_some();
            if taken || options.instance.parse::<i64>().is_err() {
                return Err(StartError::BadChannel(options.instance.clone()));
            }
        }
        Ok(world)
    }

    pub fn stats(&self) -> Stats {
        let feeds: u64 = self.instances.values().map(|i| i.feed.waiting()).sum();
        Stats {
            accepted: self.journal.count(),
            refused: self.counters.refused.load(Ordering::Relaxed),
            statuses_posted: self.counters.statuses_posted.load(Ordering::Relaxed),
            statuses_waiting: self.postman.waiting() + feeds,
            statuses_lost: self.counters.statuses_lost.load(Ordering::Relaxed),
        }
    }

    /// Lets a send run into what [`Faults::decide`] ordered: `refuse` writes a refusal in the provider's words, `accept` takes
    /// the send and writes the good answer.
    pub async fn through(
        &self,
        verdict: Verdict,
        refuse: impl Fn(&Fault) -> Reply,
        accept: impl FnOnce() -> Reply,
    ) -> Result<Reply, Dropped> {
        if !verdict.delay.is_zero() {
            tokio::time::sleep(verdict.delay).await;
        }
        let refused = || self.counters.refused.fetch_add(1, Ordering::Relaxed);
        match &verdict.fault {
            Some(fault @ (Fault::Refuse { .. } | Fault::TokenExpired | Fault::ServerError { accepted: false })) => {
                refused();
                return Ok(refuse(fault));
            }
            Some(Fault::DropBefore) => {
                refused();
                return Err(Dropped);
            }
            Some(Fault::Hang { accepted: false }) => {
                refused();
                return std::future::pending().await;
            }
            _ => {}
        }
        let answer = accept();
        if !verdict.answer_delay.is_zero() {
            tokio::time::sleep(verdict.answer_delay).await;
        }
        match &verdict.fault {
            Some(Fault::DropAnswer) => Err(Dropped),
            Some(Fault::AnswerGarbage) => Ok(reply(StatusCode::OK, "<html><body>It works!</body></html>")),
            Some(fault @ Fault::ServerError { .. }) => Ok(refuse(fault)),
            Some(Fault::Hang { .. }) => std::future::pending().await,
            _ => Ok(answer),
        }
    }
}

/// A JSON answer.
pub(crate) fn reply(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A JSON answer of any value.
pub(crate) fn json_reply(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => reply(status, body),
        Err(err) => reply(StatusCode::INTERNAL_SERVER_ERROR, format!("{{\"error\":\"{err}\"}}")),
    }
}

/// A running simulator. Cheap to clone; all clones are the same one. It stops with [`Self::stop`], or with its runtime.
#[derive(Clone, Debug)]
pub struct Simulator {
    world: Arc<World>,
    address: SocketAddr,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Simulator {
    /// Listens and serves.
    ///
    /// # Errors
    /// [`StartError`] when it cannot listen, or when the options contradict themselves.
    pub async fn start(options: SimulatorOptions) -> Result<Self, StartError> {
        let address = options.listen;
        let listen = |source| StartError::Listen { address, source };
        let world = Arc::new(World::new(options)?);
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        tracker.spawn(world.postman.clone().run(tracker.clone(), stop.clone()));
        for instance in world.instances.values() {
            tracker.spawn(instance.feed.clone().run(stop.clone()));
        }
        tracker.spawn(serve(listener, world.clone(), tracker.clone(), stop.clone()));
        tracing::debug!(%address, "simulator listens");
        Ok(Self { world, address, tracker, stop })
    }

    /// `http://127.0.0.1:port`, without a slash at the end: stands in for `https://graph.facebook.com` and for Green API's host.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says where webhooks go from now on.
    ///
    /// # Errors
    /// [`BadUrl`] when an address is not plain HTTP.
    pub fn set_webhooks(&self, targets: &WebhookTargets) -> Result<(), BadUrl> {
        self.world.targets.set(targets)
    }

    /// Closes every connection at once and ends all background work. Statuses that wait are gone.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// What was accepted, in order (the last [`SimulatorOptions::keep_accepted`]).
    #[must_use]
    pub fn ledger(&self) -> Vec<Arc<Accepted>> {
        self.world.journal.ledger(0, usize::MAX)
    }

    /// How many sends were accepted since the start.
    #[must_use]
    pub fn accepted_count(&self) -> u64 {
        self.world.journal.count()
    }

    /// Waits until at least `n` sends were accepted since the start; `false` when that took longer than `patience`.
    pub async fn wait_accepted(&self, n: u64, patience: Duration) -> bool {
        self.world.journal.wait_count(n, patience).await
    }

    /// Events after the `after`-th: a chat window calls it again with the order of the last. Waits up to `patience` for one.
    pub async fn events(&self, after: u64, patience: Duration) -> Vec<Event> {
        self.world.journal.events(after, patience).await
    }

    /// The order of the last event, to begin with the next.
    #[must_use]
    pub fn last_event(&self) -> u64 {
        self.world.journal.last_event()
    }

    /// Totals since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.world.stats()
    }

    /// Waits until no status waits any more; `false` when that took longer than `patience`.
    pub async fn wait_statuses(&self, patience: Duration) -> bool {
        let settled = async {
            while self.stats().statuses_waiting > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
    }

    /// The simulated vendors of language models: `{base_url}/llm/{provider}`.
    #[must_use]
    pub fn llm(&self) -> Arc<llm::Llm> {
        Arc::clone(&self.world.llm)
    }

    /// Adds a fault.
    pub fn push_fault(&self, rule: Rule) {
        self.world.faults.push(rule);
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> Vec<Rule> {
        self.world.faults.rules()
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Puts an instance of Green API into a state: `authorized` sends what was queued; `sleepMode` takes sends and keeps them
    /// queued; any other refuses sends. `notify` posts `stateInstanceChanged`. `false`: no such instance.
    pub fn set_instance_state(&self, instance: &str, state: &str, notify: bool) -> bool {
        self.world.instances.get(instance).is_some_and(|i| {
            i.set_state(&self.world, state, notify);
            true
        })
    }
}

async fn serve(listener: TcpListener, world: Arc<World>, tracker: TaskTracker, stop: CancellationToken) {
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (world, stop) = (world.clone(), stop.clone());
                    tracker.spawn(async move { stop.run_until_cancelled(connection(stream, world)).await });
                }
                Err(err) => {
                    // Out of file descriptors, as a rule: waiting is all one can do.
                    tracing::warn!(%err, "the simulator could not take a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accept).await;
}

async fn connection(stream: TcpStream, world: Arc<World>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(world.clone(), request));
    let served = http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service).await;
    if let Err(err) = served {
        tracing::trace!(%err, "connection ended");
    }
}

async fn answer(world: Arc<World>, request: Request<Incoming>) -> Result<Reply, Dropped> {
    let (head, body) = request.into_parts();
    // A GET has no body: saves a step in polling loops.
    let body = if head.method == Method::GET {
        Bytes::new()
    } else {
        match Limited::new(body, BODY_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Ok(reply(StatusCode::PAYLOAD_TOO_LARGE, r#"{"error":{"message":"too large","code":1}}"#)),
        }
    };
    let call =
        Call { method: &head.method, path: head.uri.path(), query: head.uri.query(), headers: &head.headers, body };
    if let Some(rest) = call.path.strip_prefix("/waInstance") {
        green::answer(&world, &call, rest).await
    } else if let Some(rest) = call.path.strip_prefix("/_sim/") {
        Ok(control::answer(&world, &call, rest).await)
    } else if let Some(rest) = call.path.strip_prefix("/llm/") {
        llm::answer(&world, &call, rest).await
    } else {
        meta::answer(&world, &call).await
    }
}

/// A request, read whole.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a http::HeaderMap,
    pub body: Bytes,
}

impl Call<'_> {
    /// A whole number in the query string.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.query?.split('&').find_map(|pair| pair.split_once('=').filter(|(k, _)| *k == name)?.1.parse().ok())
    }
}
