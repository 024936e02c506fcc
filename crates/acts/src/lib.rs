//! Does what was decided beside the reply (S3.5): mail, Slack, HTTP. Values in, values out: a [`Deed`] in, what it [`Came`] to out; what is
//! on record, and when to try again, is the worker's.
//!
//! - `settings.rs`: what a tenant's file says of each action
//! - `template.rs`: places filled in JSON, URLs and plain text, so that no value can break out of its place
//! - `slack.rs`, `http.rs`, `mail.rs`: what is sent, and what an answer means: pure
//! - [`Acts`]: carries it out behind breakers

mod http;
mod mail;
mod settings;
mod slack;
mod template;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use net::{Breakers, Client, Mailer};
use types::http::{Answer, NoAnswer};
use types::{Action, ActionKind, Effect, OnDoubt, Priority, SharedClock, TenantId};

pub use settings::{ActionSettings, Compensate, HttpSettings, Office, SlackSettings};
pub use template::{PLACES, TemplateError, check_json, places};

/// One effect to be done, or undone.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// The action's name in the tenant's file.
    pub action: &'a str,
    /// By what.
    pub effect: Effect,
    /// Undo it instead.
    pub undo: bool,
    /// The same for every attempt at the same effect.
    pub key: &'a str,
    /// The key under which it was done, when it is undone.
    pub done_key: &'a str,
    /// What to do, in a line.
    pub title: &'a str,
    /// More of it.
    pub description: &'a str,
    /// How urgent: its word.
    pub priority: &'a str,
    /// What is known.
    pub facts: &'a BTreeMap<String, String>,
    /// What the other side called it when it was done.
    pub result: Option<&'a str>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// An attempt before may have been done.
    pub doubtful: bool,
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Done; what the other side calls it.
    Done(Option<String>),
    /// Certain that it was not done; may pass later, not before `after` if that is given.
    Retry {
        /// What happened.
        why: String,
        /// The other side asked to wait so long.
        after: Option<Duration>,
    },
    /// Not tried: the breaker is open for so long.
    Waits {
        /// Why it is open.
        why: String,
        /// Until it may be tried.
        after: Duration,
    },
    /// Will never pass.
    Refused(String),
    /// Nobody knows.
    Doubt(String),
}

/// How an action is to be kept: its task, and its effects outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What kind: the task's type.
    pub kind: ActionKind,
    /// How urgent.
    pub priority: Priority,
    /// `team`, `role` or `user`, and which.
    pub assigned_to: (String, String),
    /// Until when, from now.
    pub due: Option<Duration>,
    /// What happens outside, in this order.
    pub effects: Vec<(Effect, OnDoubt)>,
}

/// Does what was decided. Made once; all its methods take `&self`.
#[derive(Debug)]
pub struct Acts {
    offices: HashMap<TenantId, Office>,
    client: Client,
    mailer: Option<Mailer>,
    breakers: Breakers,
    clock: SharedClock,
}

impl Acts {
    /// `client` guards against private addresses (S7.3); without a `mailer`, mail is refused.
    #[must_use]
    pub fn new(
        offices: Vec<(TenantId, Office)>,
        client: Client,
        mailer: Option<Mailer>,
        breakers: Breakers,
        clock: SharedClock,
    ) -> Self {
        Self { offices: offices.into_iter().collect(), client, mailer, breakers, clock }
    }

    fn settings(&self, tenant: TenantId, action: &str) -> Option<&ActionSettings> {
        self.offices.get(&tenant)?.actions.get(action)
    }

    /// How an action of this tenant is to be kept.
    #[must_use]
    pub fn plan(&self, tenant: TenantId, action: &Action) -> Planned {
        let usual;
        let settings = if let Some(found) = self.settings(tenant, &action.name) {
            found
        } else {
            usual = ActionSettings::usual(action.name.parse().unwrap_or(ActionKind::FlagForReview));
            &usual
        };
        Planned {
            kind: settings.kind,
            priority: settings.priority,
            assigned_to: settings.assigned_to.clone(),
            due: settings.due,
            effects: settings.effects().map(|effect| (effect, settings.on_doubt)).collect(),
        }
    }

    /// The pause after the `attempt`-th attempt; `None`: there is no other.
    #[must_use]
    pub fn pause(&self, tenant: TenantId, action: &str, attempt: u32) -> Option<Duration> {
        let nth = usize::try_from(attempt).ok()?.checked_sub(1)?;
        self.settings(tenant, action)?.retry.get(nth).copied()
    }

    /// Does or undoes one effect. Bounded by the action's timeout; never panics at what the other side says.
    pub async fn perform(&self, deed: &Deed<'_>) -> Came {
        let Some(office) = self.offices.get(&deed.tenant) else {
            return Came::Refused("this tenant is not in the configuration any more".to_owned());
        };
        let Some(settings) = office.actions.get(deed.action) else {
            return Came::Refused(format!("the action {:?} is not in the configuration any more", deed.action));
        };
        match deed.effect {
            // A task is a row: it is done and undone where the rows are.
            Effect::Task => Came::Done(None),
            Effect::Email => self.mail(office, settings, deed).await,
            Effect::Slack => match &settings.slack {
                Some(slack) => {
                    self.call(&office.breaker_of("slack"), settings.timeout, slack::plan(slack, office, deed), |a| {
                        slack::read(slack, a)
                    })
                    .await
                }
                None => gone("Slack"),
            },
            Effect::Http => match &settings.http {
                Some(http) => {
                    let plan = match http::plan(http, office, deed) {
                        Ok(plan) => plan,
                        Err(why) => return Came::Refused(why),
                    };
                    let breaker = office.breaker_of(&format!("action_{}", deed.action));
                    self.call(&breaker, settings.timeout, plan, |a| http::read(a, deed)).await
                }
                None => gone("HTTP"),
            },
        }
    }

    async fn mail(&self, office: &Office, settings: &ActionSettings, deed: &Deed<'_>) -> Came {
        let Some(mailer) = &self.mailer else {
            return Came::Refused("no mail server is configured: write [smtp] host".to_owned());
        };
        let permit = match self.breakers.permit("smtp") {
            Ok(permit) => permit,
            Err(open) => return self.waits(&open),
        };
        let mail = mail::plan(&settings.email, office, deed, mailer.domain());
        match mailer.send(&mail, settings.timeout).await {
            Ok(()) => {
                permit.succeeded();
                Came::Done(None)
            }
            Err(refusal) => {
                if refusal.fault == types::Fault::Permanent {
                    permit.succeeded();
                } else {
                    permit.failed(&refusal.reason);
                }
                mail::read(refusal)
            }
        }
    }

    async fn call(
        &self,
        breaker: &str,
        timeout: Duration,
        plan: types::http::Plan,
        read: impl Fn(&Answer) -> Came,
    ) -> Came {
        let permit = match self.breakers.permit(breaker) {
            Ok(permit) => permit,
            Err(open) => return self.waits(&open),
        };
        match self.client.call(&plan, timeout).await {
            Ok(answer) => {
                match answer.status {
                    // Too fast is not broken.
                    429 => drop(permit),
                    500.. => permit.failed(&format!("HTTP {}", answer.status)),
                    _ => permit.succeeded(),
                }
                read(&answer)
            }
            Err(error) => {
                let why = error.to_string();
                match error {
                    NoAnswer::Forbidden { .. } => {
                        drop(permit);
                        Came::Refused(why)
                    }
                    NoAnswer::NotSent { .. } => {
                        permit.failed(&why);
                        Came::Retry { why, after: None }
                    }
                    NoAnswer::Lost { .. } => {
                        permit.failed(&why);
                        Came::Doubt(why)
                    }
                }
            }
        }
    }

    fn waits(&self, open: &net::Open) -> Came {
        Came::Waits { why: open.to_string(), after: open.until.since(self.clock.now()).max(Duration::from_secs(1)) }
    }
}

fn gone(what: &str) -> Came {
    Came::Refused(format!("{what} is not configured for this action any more"))
}
