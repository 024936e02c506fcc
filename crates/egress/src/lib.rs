//! Delivers one message: takes an [`Outbound`], returns an [`Outcome`]. It knows providers and sockets, and no database.
//!
//! - [`Egress::admit`]: may this go out now (S4.5, S4.10), or how long must it wait
//! - [`Egress::deliver`]: one attempt
//! - [`Egress::trace`]: what the provider's own journal says of an attempt that nobody saw end (S4.4)
//! - [`alerts`]: tells operators what is wrong (S6.6)
//! - [`endpoints`]: tells tenants' programs what happened
//! - [`Egress::probe`]: does the channel's token work (S4.3, `barid doctor`)

pub mod alerts;
pub mod endpoints;

use std::collections::HashMap;
use std::time::Duration;

use channels::{green, meta};
use net::throttle::Limits;
use net::{Breakers, Client, Permit, Throttle};
use types::clock::Stopwatch;
use types::http::Plan;
use types::outbound::{JournalEntry, Outbound, Outcome, Recipient};
use types::{ChannelId, Fault, ProviderMessageId, Refusal, Scope, Timestamp};

/// With what a channel speaks to its provider.
#[derive(Clone, Debug)]
pub enum Account {
    /// Meta Cloud API.
    Meta(meta::Account),
    /// Green API.
    Green(green::Account),
}

impl Account {
    /// The provider's word in metrics: `meta` or `greenapi`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Meta(_) => "meta",
            Self::Green(_) => "greenapi",
        }
    }
}

/// A channel to send through.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// Its row.
    pub channel: ChannelId,
    /// Its credentials.
    pub account: Account,
    /// Its speed limits.
    pub limits: Limits,
    /// Mark what is answered as read.
    pub mark_read: bool,
    /// Show that an answer is being written (Meta).
    pub typing: bool,
}

/// All channels, ready to send.
#[derive(Debug)]
pub struct Egress {
    outlets: HashMap<ChannelId, Ready>,
    client: Client,
    timeout: Duration,
    breakers: Breakers,
}

#[derive(Debug)]
struct Ready {
    outlet: Outlet,
    throttle: Throttle<String>,
    breaker: String,
}

/// Leave to make one attempt. Dropped, it has said nothing of the channel.
#[derive(Debug)]
pub struct Admitted(Option<Permit>);

/// Not now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long.
    pub lasts: Duration,
    /// What people should know of it: the channel's breaker is open. A full bucket is nobody's news.
    pub why: Option<String>,
}

/// What a journal said of an ambiguous send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journal {
    /// It is in the journal of sent messages under this id.
    Sent(ProviderMessageId),
    /// The provider holds it in its queue and will send it.
    Queued,
    /// It is in neither.
    Absent,
    /// The provider keeps no journal (Meta).
    None,
    /// The journal could not be read.
    Unreadable(String),
}

impl Egress {
    /// `timeout` bounds one attempt (S2.4: 10 s by default).
    #[must_use]
    pub fn new(outlets: Vec<Outlet>, client: Client, timeout: Duration, breakers: Breakers) -> Self {
        let ready = |outlet: Outlet| {
            let throttle = Throttle::new(outlet.limits);
            let breaker = types::breaker::of_channel(outlet.channel);
            (outlet.channel, Ready { outlet, throttle, breaker })
        };
        Self { outlets: outlets.into_iter().map(ready).collect(), client, timeout, breakers }
    }

    /// The breakers, to be shared with the other nodes.
    #[must_use]
    pub const fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// The channels.
    pub fn channels(&self) -> impl Iterator<Item = &Outlet> {
        self.outlets.values().map(|r| &r.outlet)
    }

    /// Whether a message to `to` may go out now; it takes a token if so.
    ///
    /// # Errors
    /// How long to wait: the channel's breaker is open, or the channel's or the recipient's bucket is empty.
    pub fn admit(&self, channel: ChannelId, to: &Recipient) -> Result<Admitted, Wait> {
        let Some(ready) = self.outlets.get(&channel) else { return Ok(Admitted(None)) };
        let permit = self.breakers.permit(&ready.breaker).map_err(|open| Wait {
            lasts: open.until.since(self.breakers.now()),
            why: Some(format!("{NOT_ATTEMPTED} sending on this number is stopped for a while ({})", open.reason)),
        })?;
        // Keyed by the address itself: it never leaves this process's memory.
        match ready.throttle.take(&to.address().to_owned()) {
            Ok(()) => Ok(Admitted(Some(permit))),
            Err(lasts) => Err(Wait { lasts, why: None }),
        }
    }

    /// One attempt to send. It always ends within the timeout.
    pub async fn deliver(&self, channel: ChannelId, outbound: &Outbound, admitted: Admitted) -> Outcome {
        let Some(ready) = self.outlets.get(&channel) else {
            return Outcome::Retry(unconfigured());
        };
        let watch = Stopwatch::start();
        let plan = match &ready.outlet.account {
            Account::Meta(a) => meta::plan(a, outbound),
            Account::Green(a) => green::plan(a, outbound),
        };
        let outcome = match plan {
            Err(refusal) => Outcome::Rejected(refusal),
            Ok(plan) => self.attempt(&ready.outlet.account, &plan).await,
        };
        if let Some(permit) = admitted.0 {
            judge(permit, &outcome);
        }
        let kind = ready.outlet.account.kind();
        metrics::counter!("whatsapp_send_total", "channel" => kind, "outcome" => word(&outcome)).increment(1);
        metrics::histogram!("whatsapp_send_seconds", "channel" => kind).record(watch.elapsed().as_secs_f64());
        outcome
    }

    async fn attempt(&self, account: &Account, plan: &Plan) -> Outcome {
        match self.client.call(plan, self.timeout).await {
            Ok(answer) => match account {
                Account::Meta(_) => meta::read(&answer),
                Account::Green(_) => green::read(&answer),
            },
            Err(error) => channels::no_answer(&error),
        }
    }

    /// What the provider's journal says of `outbound`, attempted at `since`.
    pub async fn trace(&self, channel: ChannelId, outbound: &Outbound, since: Timestamp, now: Timestamp) -> Journal {
        let Some(Ready { outlet: Outlet { account: Account::Green(account), .. }, .. }) = self.outlets.get(&channel)
        else {
            return Journal::None;
        };
        let chat = green::chat_id(&outbound.to);
        let text = outbound.content.text();
        let ours = |e: &&JournalEntry| e.chat == chat && e.text == text;
        let queue = match self.client.call(&green::plan_queue(account), self.timeout).await {
            Ok(answer) => green::read_queue(&answer),
            Err(e) => return Journal::Unreadable(e.to_string()),
        };
        match queue {
            Err(refusal) => return Journal::Unreadable(refusal.reason),
            Ok(entries) if entries.iter().any(|e| ours(&e)) => return Journal::Queued,
            Ok(_) => {}
        }
        let minutes = u32::try_from(now.since(since).as_secs() / 60).unwrap_or(60).saturating_add(5);
        let journal = match self.client.call(&green::plan_journal(account, minutes), self.timeout).await {
            Ok(answer) => green::read_journal(&answer),
            Err(e) => return Journal::Unreadable(e.to_string()),
        };
        // The journal's clock has whole seconds and is not ours: a little earlier counts too.
        let floor = since.minus(Duration::from_secs(5));
        match journal {
            Err(refusal) => Journal::Unreadable(refusal.reason),
            Ok(entries) => entries
                .iter()
                .find(|e| ours(e) && e.at.is_none_or(|at| at >= floor))
                .map_or(Journal::Absent, |e| Journal::Sent(e.provider_id.clone())),
        }
    }

    /// Tries a channel whose breaker is open, by asking whether its credentials work: its answer closes the breaker.
    pub async fn try_again(&self, channel: ChannelId) {
        let Some(permit) = self.outlets.get(&channel).and_then(|r| self.breakers.permit(&r.breaker).ok()) else {
            return;
        };
        match self.probe(channel).await {
            Err(refusal) if refusal.http.is_none() || refusal.fault == Fault::Ambiguous => {
                permit.failed(&refusal.reason)
            }
            // It answered; what it refuses is another matter.
            _ => permit.succeeded(),
        }
    }

    /// Whether the channel's credentials work; with what the provider says of the number's quality, where it says so (Meta).
    ///
    /// # Errors
    /// Why not, in words for the operator.
    pub async fn probe(&self, channel: ChannelId) -> Result<Option<String>, Refusal> {
        let Some(ready) = self.outlets.get(&channel) else { return Err(unconfigured()) };
        let plan = match &ready.outlet.account {
            Account::Meta(a) => meta::plan_probe(a),
            Account::Green(a) => green::plan_probe(a),
        };
        let unreachable = |e: types::http::NoAnswer| Refusal::new(Fault::Transient, e.to_string());
        let answer = self.client.call(&plan, self.timeout).await.map_err(unreachable)?;
        match &ready.outlet.account {
            Account::Meta(_) if answer.status == 200 => Ok(meta::quality(&answer)),
            Account::Meta(_) => Err(match meta::read(&answer) {
                Outcome::Retry(r) | Outcome::Rejected(r) | Outcome::Unknown(r) => r,
                Outcome::Accepted { .. } => return Ok(None),
            }),
            Account::Green(_) => match green::read_state(&answer)?.as_str() {
                "authorized" => Ok(None),
                state => Err(Refusal {
                    scope: Scope::Channel,
                    ..Refusal::new(Fault::Configuration, format!("the instance is {state}: scan its QR code again"))
                }),
            },
        }
    }

    /// Whether [`Self::acknowledge`] does anything on this channel.
    #[must_use]
    pub fn acknowledges(&self, channel: ChannelId) -> bool {
        self.outlets.get(&channel).is_some_and(|r| r.outlet.mark_read || r.outlet.typing)
    }

    /// Marks what the person wrote as read and shows that an answer is being written, where configured (S4.7). A courtesy: its failure
    /// is not the message's.
    pub fn acknowledge(
        &self,
        channel: ChannelId,
        to: Recipient,
        message: ProviderMessageId,
    ) -> impl Future<Output = ()> + Send + 'static {
        let outlet = self.outlets.get(&channel).filter(|r| !self.breakers.is_open(&r.breaker));
        let plan = outlet.map(|ready| match &ready.outlet.account {
            Account::Meta(a) => meta::plan_read(a, &message, ready.outlet.typing),
            Account::Green(a) => green::plan_read(a, &green::chat_id(&to), &message),
        });
        let (client, timeout) = (self.client.clone(), self.timeout);
        async move {
            if let Some(plan) = plan
                && let Err(error) = client.call(&plan, timeout).await
            {
                tracing::debug!(%error, "could not mark a message as read");
            }
        }
    }

    /// Forgets recipients that have been quiet; to be called now and then.
    pub fn tidy(&self) {
        for ready in self.outlets.values() {
            ready.throttle.forget_idle();
        }
    }
}

/// How the reason begins of a message that waits behind an open breaker: what the store wakes when it closes.
const NOT_ATTEMPTED: &str = types::breaker::NOT_ATTEMPTED;

/// What an attempt says of the channel: whether its provider does its work, not whether it liked the message.
fn judge(permit: Permit, outcome: &Outcome) {
    match outcome {
        Outcome::Accepted { .. } => permit.succeeded(),
        Outcome::Unknown(r) => permit.failed(&r.reason),
        Outcome::Retry(r) if r.fault == Fault::Transient => permit.failed(&r.reason),
        Outcome::Retry(r) | Outcome::Rejected(r) if r.http.is_some() && r.fault != Fault::Throttled => {
            permit.succeeded()
        }
        // Too fast, or never asked: no news of its health.
        Outcome::Retry(_) | Outcome::Rejected(_) => drop(permit),
    }
}

fn unconfigured() -> Refusal {
    Refusal {
        scope: Scope::Channel,
        ..Refusal::new(
            Fault::Configuration,
            "this channel is no longer in the configuration: add it again, or discard its messages",
        )
    }
}

/// The outcome's word in metrics (S4.2).
const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "sent",
        Outcome::Rejected(_) => "failed",
        Outcome::Retry(r) => {
            if r.http.is_some() {
                "failed"
            } else {
                "saved_only"
            }
        }
        Outcome::Unknown(_) => "unknown",
    }
}
