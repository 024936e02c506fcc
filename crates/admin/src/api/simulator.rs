//! The demo's simulated WhatsApp by the API: a phone beside the inbox, through the real webhook path, and a panel that makes things go wrong.
//! Where there is none, these routes are not there (404).

use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use types::Moment;
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::failure::{Answer, Failure};
use super::input::{Asked, Input, perhaps};
use super::{Desk, Shared};

/// A simulated number or instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedChannel {
    /// `meta` or `greenapi`.
    pub kind: String,
    /// Phone number id or instance.
    pub number: String,
}

/// A rule that makes things go wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActiveFault {
    /// What goes wrong.
    pub fault: String,
    /// How often still; null: until cleared.
    pub times: Option<u32>,
}

/// The simulated world.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatorState {
    /// Its numbers.
    pub channels: Vec<SimulatedChannel>,
    /// What goes wrong.
    pub faults: Vec<ActiveFault>,
    /// How far its clock is ahead, hours.
    pub hours_ahead: u32,
    /// What time it is there.
    pub now: Moment,
}

/// What a lead writes.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatedMessageInput {
    /// Over which number; the first where it is left out.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub channel: Option<String>,
    /// The lead's number, digits only.
    #[schema(pattern = "^[0-9]{6,15}$")]
    pub phone: String,
    /// The name in their profile.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// `text` (also when it is left out), `image`, `voice`, `document`, `button`, `reaction`, `location`; `staff`: written by staff on the
    /// business's own phone.
    #[serde(default)]
    #[schema(max_length = 20)]
    pub kind: Option<String>,
    /// The text, caption, button's title or emoji.
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub text: Option<String>,
    /// The button's id.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub button: Option<String>,
    /// The provider's id of the message it quotes or reacts to.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub of: Option<String>,
    /// So many webhooks of the same message (1 to 10): the engine must answer once.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10)]
    pub copies: Option<u32>,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedPosted {
    /// The provider's id of the message.
    pub id: String,
    /// The engine's HTTP status; null when no answer came.
    pub status: Option<u16>,
    /// The engine's answer, or why none came.
    pub answer: String,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SimulatedFault {
    /// The next sends are refused for good (`code`, 131026 where it is left out: not on WhatsApp).
    Refuse,
    /// The next sends are refused for now: too fast (130429).
    Throttle,
    /// The 24-hour window has closed (131047).
    WindowClosed,
    /// The token is not valid, until cleared: the number pauses.
    TokenExpired,
    /// Accepted, and the connection closes without an answer: the message is in doubt.
    AnswerLost,
    /// The connection closes, and nothing was accepted.
    ConnectionLost,
    /// 500, and nothing was accepted.
    ServerError,
    /// Answered three seconds late.
    Slow,
    /// Accepted, and the only status to come is `failed`.
    FailLater,
    /// Accepted, and `read` comes before `delivered` and `sent`: ticks must not go back (Meta).
    Disorder,
}

/// Makes things go wrong.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatedFaultInput {
    /// What.
    pub fault: SimulatedFault,
    /// The next so many sends (1 to 1000); 1 where it is left out.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub times: Option<u32>,
    /// The provider's code, for `refuse` and `fail_later`.
    #[serde(default)]
    pub code: Option<i64>,
    /// Only sends to this number.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{6,15}$")]
    pub phone: Option<String>,
}

/// How far.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatorClockInput {
    /// So many hours (1 to 48): 25 closes Meta's window.
    #[schema(minimum = 1, maximum = 48)]
    pub hours: u32,
}

/// A bubble on the lead's phone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedBubble {
    /// Counts on.
    pub order: u64,
    /// `lead`, `business`, `staff`.
    pub from: String,
    /// The text, or the kind in brackets.
    pub text: String,
    /// The provider's id.
    pub provider_id: String,
    /// What the phone has told: `sent`, `delivered`, `read`, `failed`; for the lead's own: `accepted`, `read`, or why not.
    pub status: String,
    /// When.
    pub at: Moment,
}

/// The conversation as the phone shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedPhone {
    /// Its bubbles, oldest first.
    pub bubbles: Vec<SimulatedBubble>,
    /// The business shows as typing.
    pub typing: bool,
}

/// Something that happened between the engine and its simulated providers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedEvent {
    /// Counts on.
    pub order: u64,
    /// When.
    pub at: Moment,
    /// `webhook`, `send`, `status`, `read`.
    pub kind: String,
    /// Of whom: a phone number, or nothing.
    pub phone: Option<String>,
    /// What, in words.
    pub text: String,
}

/// What happened, the newest last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SimulatedEvents {
    /// At most 300.
    pub events: Vec<SimulatedEvent>,
}

/// A future of the demo's world.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The simulated world, as the demo gives it.
pub trait World: Send + Sync {
    /// How it stands.
    fn state(&self) -> SimulatorState;
    /// A lead writes; the `Err` says what is wrong with the order.
    fn write(&self, message: SimulatedMessageInput) -> Doing<'_, Result<SimulatedPosted, String>>;
    /// Something goes wrong from now on.
    fn fault(&self, fault: SimulatedFaultInput);
    /// Everything goes well again.
    fn clear(&self);
    /// The clock jumps, for the engine too.
    fn advance(&self, hours: u32);
    /// What happened after `order`, the newest 300.
    fn events(&self, after: u64) -> Doing<'_, Vec<SimulatedEvent>>;
    /// The phone of a lead.
    fn phone(&self, channel: Option<String>, phone: String) -> Doing<'_, SimulatedPhone>;
}

fn world(desk: &Desk) -> Result<Arc<dyn World>, Failure> {
    desk.options().simulator.clone().ok_or_else(|| Failure::missing("simulator", "here: it is part of `barid demo`"))
}

/// How the simulated world stands.
#[utoipa::path(get, path = "/simulator", tag = "simulator", responses((status = 200, body = SimulatorState)))]
pub(crate) async fn state(State(desk): Shared, _: Caller) -> Answer<SimulatorState> {
    Ok(Json(world(&desk)?.state()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PhoneQuery {
    /// The lead's number, digits only.
    #[param(pattern = "^[0-9]{6,15}$")]
    phone: String,
    /// Over which number; any where it is left out.
    #[param(max_length = 40)]
    channel: Option<String>,
}

fn digits(phone: &str) -> Result<(), Failure> {
    if !(6..=15).contains(&phone.len()) || !phone.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Failure::bad("phone must be 6 to 15 digits"));
    }
    Ok(())
}

/// The conversation as the lead's phone shows it.
#[utoipa::path(get, path = "/simulator/messages", tag = "simulator", params(PhoneQuery),
    responses((status = 200, body = SimulatedPhone)))]
pub(crate) async fn messages(
    State(desk): Shared,
    _: Caller,
    Asked(query): Asked<PhoneQuery>,
) -> Answer<SimulatedPhone> {
    digits(&query.phone)?;
    perhaps("channel", query.channel.as_ref(), 40)?;
    Ok(Json(world(&desk)?.phone(query.channel, query.phone).await))
}

/// A lead writes: the webhook is really signed and really posted.
#[utoipa::path(post, path = "/simulator/messages", tag = "simulator", request_body = SimulatedMessageInput,
    responses((status = 200, body = SimulatedPosted)))]
pub(crate) async fn write(
    State(desk): Shared,
    _: Caller,
    Input(input): Input<SimulatedMessageInput>,
) -> Answer<SimulatedPosted> {
    digits(&input.phone)?;
    for (what, text, longest) in [
        ("text", &input.text, 4096),
        ("name", &input.name, 100),
        ("channel", &input.channel, 40),
        ("kind", &input.kind, 20),
        ("button", &input.button, 256),
        ("of", &input.of, 256),
    ] {
        perhaps(what, text.as_ref(), longest)?;
    }
    if input.copies.is_some_and(|n| !(1..=10).contains(&n)) {
        return Err(Failure::bad("copies must be 1 to 10"));
    }
    let posted = world(&desk)?.write(input).await.map_err(Failure::bad)?;
    Ok(Json(posted))
}

/// Makes things go wrong.
#[utoipa::path(post, path = "/simulator/faults", tag = "simulator", request_body = SimulatedFaultInput,
    responses((status = 201, body = SimulatorState)))]
pub(crate) async fn add_fault(
    State(desk): Shared,
    _: Caller,
    Input(input): Input<SimulatedFaultInput>,
) -> Result<(StatusCode, Json<SimulatorState>), Failure> {
    if input.times.is_some_and(|n| !(1..=1000).contains(&n)) {
        return Err(Failure::bad("times must be 1 to 1000"));
    }
    input.phone.as_deref().map(digits).transpose()?;
    let world = world(&desk)?;
    world.fault(input);
    Ok((StatusCode::CREATED, Json(world.state())))
}

/// Everything goes well again.
#[utoipa::path(delete, path = "/simulator/faults", tag = "simulator", responses((status = 200, body = SimulatorState)))]
pub(crate) async fn clear_faults(State(desk): Shared, _: Caller) -> Answer<SimulatorState> {
    let world = world(&desk)?;
    world.clear();
    Ok(Json(world.state()))
}

/// Lets time pass at once, for engine and providers alike.
#[utoipa::path(post, path = "/simulator/clock", tag = "simulator", request_body = SimulatorClockInput,
    responses((status = 200, body = SimulatorState)))]
pub(crate) async fn clock(
    State(desk): Shared,
    _: Caller,
    Input(input): Input<SimulatorClockInput>,
) -> Answer<SimulatorState> {
    if !(1..=48).contains(&input.hours) {
        return Err(Failure::bad("hours must be 1 to 48"));
    }
    let world = world(&desk)?;
    world.advance(input.hours);
    desk.store.hub().wake();
    Ok(Json(world.state()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HappenedQuery {
    /// Only what came after this one.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// What happened between the engine and its simulated providers: webhooks, sends, statuses.
#[utoipa::path(get, path = "/simulator/events", tag = "simulator", params(HappenedQuery),
    responses((status = 200, body = SimulatedEvents)))]
pub(crate) async fn happened(
    State(desk): Shared,
    _: Caller,
    Asked(query): Asked<HappenedQuery>,
) -> Answer<SimulatedEvents> {
    let after = u64::try_from(query.after.unwrap_or(0)).map_err(|_| Failure::bad("after is below 0"))?;
    Ok(Json(SimulatedEvents { events: world(&desk)?.events(after).await }))
}
