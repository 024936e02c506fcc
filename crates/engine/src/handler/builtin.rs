//! The six handlers that every tenant has (S3.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use nlu::Intent;
use types::{Action, ActionKind};

use super::{Case, Handled, Handler};

/// All six.
pub(super) fn all() -> Vec<Arc<dyn Handler>> {
    vec![
        Arc::new(Order),
        Arc::new(Price),
        Arc::new(Complaint),
        Arc::new(Availability),
        Arc::new(Call),
        Arc::new(Unknown),
    ]
}

/// Somebody wants to buy, book or apply: an order is entered.
#[derive(Debug)]
struct Order;

/// Somebody asks for a price: sales hears of it.
#[derive(Debug)]
struct Price;

/// Somebody is unhappy: support gets a ticket.
#[derive(Debug)]
struct Complaint;

/// Somebody asks whether a thing is to be had: sales looks.
#[derive(Debug)]
struct Availability;

/// Somebody wants to be called.
#[derive(Debug)]
struct Call;

/// What nobody understood: a person looks at it once the questions have failed.
#[derive(Debug)]
struct Unknown;

/// The longest text of a message that goes into a task.
const LONGEST: usize = 1_000;

/// The action with what is known of the person.
pub(super) fn action(case: &Case<'_>, intent: &str, name: &str, title: &str) -> Action {
    let mut facts: BTreeMap<String, String> = case.known.clone();
    facts.insert("intent".to_owned(), intent.to_owned());
    let text = types::text::preview(case.text, LONGEST);
    if !text.trim().is_empty() {
        facts.insert("message".to_owned(), text.to_owned());
    }
    if let Some(cart) = case.cart {
        facts.insert("cart".to_owned(), cart.to_owned());
    }
    if let Some(name) = &case.turn.profile_name {
        facts.insert("profile_name".to_owned(), name.clone());
    }
    let about = case.known.get("service").map_or_else(String::new, |s| format!(": {s}"));
    let description = describe(&facts);
    Action { name: name.to_owned(), title: format!("{title}{about}"), description, facts }
}

/// The facts as lines, for a person.
fn describe(facts: &BTreeMap<String, String>) -> String {
    let shown = ["name", "nationality", "service", "quantity", "cart", "phone", "email", "time", "message"];
    let line = |key: &str| facts.get(key).map(|v| format!("{}: {v}", key.replace('_', " ")));
    shown.into_iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

fn of(intent: Intent, kind: ActionKind, title: &str, case: &Case<'_>) -> Handled {
    let sentence = case.flow.acknowledgement(intent).map(|w| w.get(case.language).to_owned());
    Handled {
        sentence,
        repeat: false,
        actions: vec![action(case, intent.as_str(), kind.as_str(), title)],
        waits: false,
        matter: Some(intent.as_str().to_owned()),
    }
}

impl Handler for Order {
    fn name(&self) -> &str {
        Intent::OrderRequest.as_str()
    }

    fn handle(&self, case: &Case<'_>) -> Handled {
        let mut handled = of(Intent::OrderRequest, ActionKind::CreateOrder, "Order", case);
        if case.cart.is_some() {
            // Each cart is an order of its own, the same things a second time included.
            handled.matter = None;
        } else if let Some(service) = case.known.get("service") {
            handled.matter = Some(format!("{}:{}", self.name(), nlu::fold(service)));
        } else {
            // Of what, the flow asks next: an order of nothing helps nobody.
            handled.actions.clear();
            handled.waits = true;
        }
        handled
    }
}

impl Handler for Price {
    fn name(&self) -> &str {
        Intent::PricingInquiry.as_str()
    }

    fn handle(&self, case: &Case<'_>) -> Handled {
        of(Intent::PricingInquiry, ActionKind::NotifySales, "Asks for a price", case)
    }
}

impl Handler for Complaint {
    fn name(&self) -> &str {
        Intent::Complaint.as_str()
    }

    fn priority(&self) -> i32 {
        5
    }

    fn handle(&self, case: &Case<'_>) -> Handled {
        of(Intent::Complaint, ActionKind::CreateSupportTicket, "Complaint", case)
    }
}

impl Handler for Availability {
    fn name(&self) -> &str {
        Intent::AvailabilityInquiry.as_str()
    }

    fn handle(&self, case: &Case<'_>) -> Handled {
        of(Intent::AvailabilityInquiry, ActionKind::NotifySales, "Asks whether it is available", case)
    }
}

impl Handler for Call {
    fn name(&self) -> &str {
        Intent::ScheduleCall.as_str()
    }

    fn handle(&self, case: &Case<'_>) -> Handled {
        let mut handled = of(Intent::ScheduleCall, ActionKind::ScheduleCall, "Call back", case);
        if let (Some(time), Some(action)) = (case.known.get("time"), handled.actions.first_mut()) {
            action.title = format!("{} ({time})", action.title);
        }
        handled
    }
}

impl Handler for Unknown {
    fn name(&self) -> &str {
        Intent::Unknown.as_str()
    }

    fn floor(&self) -> f32 {
        0.0
    }

    fn handle(&self, case: &Case<'_>) -> Handled {
        if !case.lost {
            return Handled::default();
        }
        of(Intent::Unknown, ActionKind::FlagForReview, "Not understood", case)
    }
}
