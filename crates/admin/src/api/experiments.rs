//! Experiments (S3.8): what they compare is in the configuration, who got what and what came of it in the database, and what that means a
//! test says that may be looked at any time.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::desk::AgentFlag;
use store::desk::agents::{Exposed, Exposures, Flags, PickWinner};
use types::{Moment, Timestamp};
use utoipa::ToSchema;

use super::Shared;
use super::agents::slug;
use super::caller::Caller;
use super::conversations::TenantQuery;
use super::failure::{Answer, Failure};
use super::input::{Asked, Id, Input, perhaps};
use super::page::Page;

/// At most so many conversations of an experiment are looked at: more say nothing new, and a page must open.
const MOST: u32 = 200_000;

/// An experiment of the configuration.
#[derive(Clone, Debug)]
pub struct ExperimentInfo {
    /// Its name.
    pub name: String,
    /// `handover`, `quotation`, `contact`.
    pub goal: &'static str,
    /// So many of a hundred conversations take part.
    pub percent: u8,
    /// Decided only once so many conversations have an outcome; `None`: as soon as the test sees a difference.
    pub planned: Option<u32>,
    /// How long a conversation has to reach the goal.
    pub within: Duration,
    /// Its variants and their weights.
    pub arms: Vec<(String, u32)>,
}

/// One conversation whose outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which variant, by its place.
    pub arm: usize,
    /// Whether it reached the goal.
    pub reached: bool,
}

/// How much better a variant does than the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Lifted {
    /// Difference of the rates.
    pub difference: f64,
    /// The lower end of its interval, which holds at any time.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What outcomes say.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The always-valid p-value of "the variants differ".
    pub p_value: f64,
    /// The best variant, where the difference is established.
    pub winner: Option<usize>,
    /// Whether the variants got the conversations that their weights ask for.
    pub split_is_sound: bool,
    /// By variant; none for the first, and while numbers are small.
    pub lifts: Vec<Option<Lifted>>,
}

/// Judges outcomes; the statistics live with the engine, which this crate does not know.
pub trait Judge: Send + Sync {
    /// `exposed` in the order in which variants were given, `outcomes` in the order in which they became known.
    fn judge(&self, weights: &[u32], exposed: &[usize], outcomes: &[Outcome]) -> Judged;
}

/// One variant of an experiment.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExperimentArm {
    /// Its name.
    name: String,
    /// Its share of conversations, 0 to 1.
    share: f64,
    /// Conversations it has had.
    conversations: i64,
    /// Of those, the ones whose outcome is known: reached, or out of time.
    decided: i64,
    /// Of those, the ones that reached the goal.
    reached: i64,
    /// Against the first variant; null for that one, and while numbers are small.
    lift: Option<Lifted>,
}

/// Variants of who answers that are compared (S3.8).
#[derive(Serialize, ToSchema)]
pub(crate) struct Experiment {
    /// Its name.
    id: String,
    /// What is compared by: `handover`, `quotation`, `contact`.
    metric: String,
    /// `running`, `stopped`.
    status: String,
    /// The switch that stops it.
    flag: String,
    /// So many of a hundred conversations take part.
    percent: u32,
    /// Its variants.
    arms: Vec<ExperimentArm>,
    /// The always-valid p-value of "the variants differ".
    p_value: f64,
    /// So many conversations with an outcome are planned; null: no number was planned.
    planned: Option<u32>,
    /// Whether the test, which may be looked at any time, sees a difference, and the split is sound; however few of the planned are decided.
    established: bool,
    /// Whether it is decided: a difference is established, and as many conversations as planned have an outcome.
    significant: bool,
    /// The best variant, where it is decided.
    winner: Option<String>,
    /// The variant that somebody picked, and that every conversation of the roll-out now gets; null: it compares.
    picked: Option<String>,
    /// Whether the variants got the conversations that their weights ask for; if not, no rate may be believed.
    split_is_sound: bool,
    /// When the first conversation got a variant.
    started_at: Option<Moment>,
}

/// Experiments of a tenant.
#[utoipa::path(get, path = "/experiments", tag = "agents", params(TenantQuery),
    responses((status = 200, body = Page<Experiment>)))]
pub(crate) async fn list(
    State(desk): Shared,
    caller: Caller,
    Asked(query): Asked<TenantQuery>,
) -> Answer<Page<Experiment>> {
    let tenant = caller.tenant(&desk, query.tenant.as_deref()).await?;
    let slug = slug(&desk, &caller, tenant).await?;
    let mut data = Vec::new();
    let options = desk.options();
    if let (Some(experiments), Some(judge)) = (options.experiments.get(&slug), &options.judge) {
        let flags = desk.store.read(Flags(tenant)).await?;
        let now = desk.store.clock().now();
        for info in experiments {
            let flag = AgentFlag::of(&flags, &format!("experiment:{}", info.name));
            let exposures = Exposures { tenant, experiment: info.name.clone(), limit: MOST };
            let exposed = desk.store.read(exposures).await?;
            data.push(shown(info, &flag, exposed, now, judge.as_ref()));
        }
    }
    Ok(Json(Page { data, next: None, prev: None, has_more: false }))
}

fn shown(
    info: &ExperimentInfo,
    flag: &AgentFlag,
    mut exposed: Vec<Exposed>,
    now: Timestamp,
    judge: &dyn Judge,
) -> Experiment {
    exposed.sort_by_key(|e| e.at);
    let place = |arm: &str| info.arms.iter().position(|(name, _)| name == arm);
    // What became known when: the goal when it was reached, its absence when the time for it was over.
    let mut known: Vec<(Timestamp, Outcome)> = exposed
        .iter()
        .filter_map(|e| {
            let (arm, end) = (place(&e.arm)?, e.at.plus(info.within));
            let reached = e.reached.filter(|at| *at <= end);
            let at = reached.unwrap_or(end);
            // Who left as a winner was picked may have met another variant since.
            (at <= e.left.unwrap_or(now)).then_some((at, Outcome { arm, reached: reached.is_some() }))
        })
        .collect();
    known.sort_by_key(|(at, _)| *at);
    let outcomes: Vec<Outcome> = known.into_iter().map(|(_, outcome)| outcome).collect();
    let places: Vec<usize> = exposed.iter().filter_map(|e| place(&e.arm)).collect();
    let weights: Vec<u32> = info.arms.iter().map(|(_, weight)| *weight).collect();
    let judged = judge.judge(&weights, &places, &outcomes);
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum::<f64>().max(1.0);
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let arms = info.arms.iter().enumerate().map(|(n, (name, weight))| ExperimentArm {
        name: name.clone(),
        share: f64::from(*weight) / total,
        conversations: count(places.iter().filter(|p| **p == n).count()),
        decided: count(outcomes.iter().filter(|o| o.arm == n).count()),
        reached: count(outcomes.iter().filter(|o| o.arm == n && o.reached).count()),
        lift: judged.lifts.get(n).copied().flatten(),
    });
    let established = judged.p_value <= 0.05 && judged.split_is_sound;
    let significant = established && info.planned.is_none_or(|planned| outcomes.len() >= planned as usize);
    let known = |picked: &String| place(picked).is_some();
    Experiment {
        id: info.name.clone(),
        metric: info.goal.to_owned(),
        status: if flag.on { "running" } else { "stopped" }.to_owned(),
        flag: flag.name.clone(),
        percent: flag.percent.min(info.percent.into()),
        arms: arms.collect(),
        p_value: judged.p_value,
        planned: info.planned,
        established,
        significant,
        winner: judged.winner.filter(|_| significant).and_then(|n| info.arms.get(n)).map(|(name, _)| name.clone()),
        picked: flag.picked.clone().filter(known),
        split_is_sound: judged.split_is_sound,
        started_at: exposed.first().map(|e| Moment(e.at)),
    }
}

/// The winner as it shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WinnerInput {
    /// Slug or id; the caller's first tenant where it is left out.
    tenant: Option<String>,
    /// The variant that every conversation of the roll-out gets; null: none, everyone has their own again.
    // Written out, so that an empty body takes nothing back.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    arm: Option<String>,
    /// Why, for the record.
    reason: Option<String>,
}

/// Picks the winner of an experiment, or takes that back. The next turn obeys; what was found stays, and nothing more is counted while a winner
/// is picked.
#[utoipa::path(post, path = "/experiments/{id}/winner", tag = "agents",
    params(("id" = String, Path, description = "The name of the experiment")),
    request_body = WinnerInput, responses((status = 200, body = AgentFlag)))]
pub(crate) async fn pick(
    State(desk): Shared,
    caller: Caller,
    Id(name): Id<String>,
    Input(input): Input<WinnerInput>,
) -> Answer<AgentFlag> {
    let tenant = caller.tenant(&desk, input.tenant.as_deref()).await?;
    let slug = slug(&desk, &caller, tenant).await?;
    let options = desk.options();
    let infos = options.experiments.get(&slug);
    let Some(info) = infos.and_then(|all| all.iter().find(|e| e.name == name)) else {
        return Err(Failure::missing("experiment", types::text::preview(&name, 80)));
    };
    if let Some(arm) = input.arm.as_ref().filter(|arm| !info.arms.iter().any(|(known, _)| known == *arm)) {
        let known: Vec<&str> = info.arms.iter().map(|(name, _)| name.as_str()).collect();
        let arm = types::text::preview(arm, 80);
        return Err(Failure::at("/arm", format!("{arm:?} is no variant of it; it has {}", known.join(", "))));
    }
    let reason = perhaps("reason", input.reason.as_ref(), 500)?.filter(|r| !r.is_empty());
    let op = PickWinner { tenant, experiment: name, arm: input.arm, reason, access: caller.access, by: caller.by };
    Ok(Json(desk.store.write(op).await?))
}
