//! The simulated providers as the page's simulator speaks with them: a lead's phone, what goes wrong, and the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use admin::api::simulator::{
    ActiveFault, Doing, SimulatedBubble, SimulatedChannel, SimulatedEvent, SimulatedFault, SimulatedFaultInput,
    SimulatedMessageInput, SimulatedPhone, SimulatedPosted, SimulatorState, World,
};
use simulator::control::Order;
use simulator::{Event, Fault, Happened, Rule, Simulator, When};
use types::Clock;
use types::clock::{ShiftedClock, random_token};

use super::sample;

/// The demo's world.
pub struct DemoWorld {
    simulator: Arc<Simulator>,
    clock: Arc<ShiftedClock>,
    hours: AtomicU32,
}

impl DemoWorld {
    /// Over these providers and this clock, by which the engine lives too.
    #[must_use]
    pub const fn new(simulator: Arc<Simulator>, clock: Arc<ShiftedClock>) -> Self {
        Self { simulator, clock, hours: AtomicU32::new(0) }
    }
}

fn rule(input: &SimulatedFaultInput) -> Rule {
    let refuse = |http, code, message: &str| Fault::Refuse { http, code, message: message.into(), retry_after_s: None };
    let code = input.code.unwrap_or(131_026);
    let fault = match input.fault {
        SimulatedFault::Refuse => refuse(400, code, "Message undeliverable"),
        SimulatedFault::Throttle => refuse(429, 130_429, "Rate limit hit"),
        SimulatedFault::WindowClosed => refuse(400, 131_047, "Re-engagement message"),
        SimulatedFault::TokenExpired => Fault::TokenExpired,
        SimulatedFault::AnswerLost => Fault::DropAnswer,
        SimulatedFault::ConnectionLost => Fault::DropBefore,
        SimulatedFault::ServerError => Fault::ServerError { accepted: false },
        SimulatedFault::Slow => Fault::Delay { ms: 3000, accepted: true },
        SimulatedFault::Disorder => Fault::Disorder,
        SimulatedFault::FailLater => Fault::FailStatus { code, title: "Message undeliverable".into(), word: None },
    };
    let rule = match input.fault {
        SimulatedFault::TokenExpired => Rule::always(fault),
        _ => Rule::next(input.times.unwrap_or(1), fault),
    };
    match &input.phone {
        Some(phone) => rule.to(phone.clone()),
        None => rule,
    }
}

const fn word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Refuse { code: 130_429, .. } => "throttle",
        Fault::Refuse { code: 131_047, .. } => "window_closed",
        Fault::Refuse { .. } => "refuse",
        Fault::Delay { .. } => "slow",
        Fault::DropAnswer => "answer_lost",
        Fault::DropBefore => "connection_lost",
        Fault::TokenExpired => "token_expired",
        Fault::ServerError { .. } => "server_error",
        Fault::FailStatus { .. } => "fail_later",
        Fault::Disorder => "disorder",
        Fault::AnswerGarbage | Fault::Hang { .. } => "other",
    }
}

impl World for DemoWorld {
    fn state(&self) -> SimulatorState {
        let channel = |kind: &str, number: &str| SimulatedChannel { kind: kind.into(), number: number.into() };
        let active = |rule: Rule| ActiveFault {
            fault: word(&rule.fault).into(),
            times: match rule.when {
                When::Next(n) => Some(n),
                When::Always | When::Chance(_) => None,
            },
        };
        SimulatorState {
            channels: vec![channel("meta", sample::NUMBER), channel("greenapi", sample::INSTANCE)],
            faults: self.simulator.faults().into_iter().map(active).collect(),
            hours_ahead: self.hours.load(Ordering::Relaxed),
            now: self.clock.now().into(),
        }
    }

    fn write(&self, message: SimulatedMessageInput) -> Doing<'_, Result<SimulatedPosted, String>> {
        Box::pin(async move {
            let order = Order {
                channel: message.channel.unwrap_or_else(|| sample::NUMBER.to_owned()),
                phone: message.phone,
                name: message.name.unwrap_or_default(),
                kind: message.kind.unwrap_or_default(),
                text: message.text.unwrap_or_default(),
                button: message.button.unwrap_or_default(),
                of: message.of.unwrap_or_default(),
                // Copies share their id: the same webhook again.
                id: message.copies.filter(|n| *n > 1).map(|_| format!("wamid.{}", random_token())),
                repeat: false,
            };
            let mut posted = self.simulator.write(&order).await.map_err(|e| e.to_string())?;
            for _ in 1..message.copies.unwrap_or(1) {
                posted = self.simulator.write(&order).await.map_err(|e| e.to_string())?;
            }
            Ok(SimulatedPosted { id: posted.id, status: posted.status, answer: posted.answer })
        })
    }

    fn fault(&self, fault: SimulatedFaultInput) {
        self.simulator.push_fault(rule(&fault));
    }

    fn clear(&self) {
        self.simulator.clear_faults();
    }

    fn advance(&self, hours: u32) {
        self.clock.advance(Duration::from_secs(u64::from(hours) * 3600));
        self.hours.fetch_add(hours, Ordering::Relaxed);
    }

    fn events(&self, after: u64) -> Doing<'_, Vec<SimulatedEvent>> {
        Box::pin(async move {
            let mut told: Vec<SimulatedEvent> =
                self.simulator.events(after, Duration::ZERO).await.iter().map(happened).collect();
            let newest = told.len().saturating_sub(EVENTS);
            told.drain(..newest);
            told
        })
    }

    fn phone(&self, channel: Option<String>, phone: String) -> Doing<'_, SimulatedPhone> {
        Box::pin(async move {
            let events = self.simulator.events(0, Duration::ZERO).await;
            screen(&events, channel.as_deref(), &phone)
        })
    }
}

/// Events in one answer.
const EVENTS: usize = 300;

/// An event in words.
fn happened(event: &Event) -> SimulatedEvent {
    let (kind, phone, text) = match &event.what {
        Happened::Accepted(a) => {
            let to = a.to.split('@').next().unwrap_or_default().to_owned();
            ("send", Some(to), format!("200 · {}", types::text::preview(&a.body, 80)))
        }
        Happened::Wrote { phone, text, answer, .. } => {
            ("webhook", Some(phone.clone()), format!("{} · {answer}", types::text::preview(text, 60)))
        }
        Happened::Status { status, provider_id, .. } => ("status", None, format!("{status} · {provider_id}")),
        Happened::Read { of, typing, .. } => {
            ("read", None, if *typing { format!("{of} · typing") } else { of.clone() })
        }
    };
    SimulatedEvent { order: event.order, at: event.at.into(), kind: kind.to_owned(), phone, text }
}

/// What the phone shows after all that happened.
fn screen(events: &[Event], only: Option<&str>, phone: &str) -> SimulatedPhone {
    let mut shown = SimulatedPhone { bubbles: Vec::new(), typing: false };
    let here = |channel: &str| only.is_none_or(|c| c == channel);
    for event in events {
        let bubble = |from: &str, text: &str, id: &str, status: &str| SimulatedBubble {
            order: event.order,
            from: from.to_owned(),
            text: text.to_owned(),
            provider_id: id.to_owned(),
            status: status.to_owned(),
            at: event.at.into(),
        };
        match &event.what {
            Happened::Accepted(a) if here(&a.channel) && a.to.split('@').next() == Some(phone) => {
                shown.typing = false;
                shown.bubbles.push(bubble("business", &a.body, &a.provider_id, "sent"));
            }
            Happened::Wrote { channel, phone: of, staff, text, provider_id, answer, .. }
                if here(channel) && of == phone =>
            {
                let status = if answer.starts_with("200") { "accepted" } else { answer };
                // A second copy of a webhook is no second message.
                if shown.bubbles.iter().all(|b| b.provider_id != *provider_id) {
                    shown.bubbles.push(bubble(if *staff { "staff" } else { "lead" }, text, provider_id, status));
                }
            }
            Happened::Status { provider_id, status, .. } => {
                for b in shown.bubbles.iter_mut().filter(|b| b.provider_id == **provider_id) {
                    b.status.clone_from(status);
                }
            }
            Happened::Read { of, typing, .. } => {
                let mine = |b: &SimulatedBubble| {
                    b.from == "lead" && (b.provider_id == *of || of.split('@').next() == Some(phone))
                };
                for b in shown.bubbles.iter_mut().filter(|b| mine(b)) {
                    "read".clone_into(&mut b.status);
                    shown.typing |= *typing;
                }
            }
            Happened::Accepted(_) | Happened::Wrote { .. } => {}
        }
    }
    shown
}
