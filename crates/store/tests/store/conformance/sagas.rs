//! Sagas (S3.6): step by step, back in reverse order, from wherever a crash left them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use store::desk::sagas::{Deed, Get, List, Settle};
use store::desk::{Access, After, By};
use store::sagas::{Advance, Advanced, Claim, Hold, NewAct, NewSaga, NextDue, Todo, Verdict};
use types::states::SagaState;
use types::{Effect, OnDoubt, Priority, SagaId};

use crate::fixtures::PHONE;
use crate::support::{Db, turn};

for_each_database! {
    tasks_alone_need_no_saga,
    steps_are_done_in_order_and_the_result_lists_them,
    a_refusal_for_good_undoes_in_reverse_and_the_lead_is_told_once,
    a_crash_in_a_step_resumes_it_elsewhere_and_repeats_no_finished_one,
    a_doubtful_step_that_must_not_be_repeated_waits_for_a_person,
    a_compensation_that_fails_for_good_is_stuck_and_a_person_retries_or_skips,
    what_may_pass_is_tried_again_later_and_not_for_ever,
    a_lost_lease_writes_nothing,
    a_turn_that_is_saved_twice_acts_once,
    an_open_breaker_uses_up_no_attempt,
    the_janitor_forgets_finished_ones,
    another_tenants_saga_is_not_there,
}

fn act(name: &str, effects: &[(Effect, OnDoubt)]) -> NewAct {
    NewAct {
        name: name.to_owned(),
        kind: "create_order",
        title: format!("Do {name}"),
        description: "golden visa".to_owned(),
        priority: Priority::High,
        assigned_to: ("team".to_owned(), "sales".to_owned()),
        due: Some(Duration::from_secs(3600)),
        facts: BTreeMap::from([("service".to_owned(), "golden visa".to_owned())]),
        effects: effects.to_vec(),
    }
}

const AGAIN: OnDoubt = OnDoubt::Again;

pub fn usual() -> NewSaga {
    let acts = vec![
        act("notify_sales", &[(Effect::Email, AGAIN), (Effect::Slack, AGAIN)]),
        act("create_order", &[(Effect::Http, AGAIN)]),
    ];
    NewSaga { apology: "Sorry, it did not go through.".to_owned(), acts }
}

/// A customer wrote, and this follows from it.
async fn begun(db: &Db, saga: NewSaga) {
    db.message("w1", PHONE, "I need a golden visa").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &[]);
    op.finish.acts = Some(saga);
    db.store.write(op).await.unwrap();
}

async fn claim(db: &Db, owner: &str) -> Vec<Hold> {
    db.store.write(Claim { owner: owner.into(), limit: 10, lease: db.policy.lease }).await.unwrap()
}

async fn hold(db: &Db) -> Hold {
    let mut held = claim(db, "node-a").await;
    assert_eq!(held.len(), 1, "one saga should be due");
    held.remove(0)
}

fn op(db: &Db, hold: &Hold, came: Option<(u32, Verdict)>, pause: Option<u64>) -> Advance {
    let policy = Arc::clone(&db.policy);
    Advance { hold: hold.clone(), came, pause: pause.map(Duration::from_secs), stop: false, policy }
}

async fn advance(db: &Db, hold: &Hold, came: Option<(u32, Verdict)>, pause: Option<u64>) -> Advanced {
    db.store.write(op(db, hold, came, pause)).await.unwrap()
}

fn word(todo: &Todo) -> String {
    match todo {
        Todo::Do(s) => format!("do {} {} {} ({})", s.seq, s.action, s.effect, s.attempt),
        Todo::Undo(s) => format!("undo {} {} {} ({})", s.seq, s.action, s.effect, s.attempt),
        Todo::Wait(_) => "wait".to_owned(),
        Todo::Over(state) => format!("over: {state}"),
    }
}

/// Takes a saga to its end: every call outside comes to what `say` makes of it.
async fn play(db: &Db, hold: &Hold, say: impl Fn(&str) -> Verdict) -> Vec<String> {
    let (mut out, mut came) = (Vec::new(), None);
    loop {
        let advanced = advance(db, hold, came.take(), None).await;
        let what = word(&advanced.todo);
        let (Todo::Do(step) | Todo::Undo(step)) = &advanced.todo else {
            out.push(what);
            return out;
        };
        came = Some((step.seq, say(&what)));
        out.push(what);
    }
}

fn done() -> Verdict {
    Verdict::Done(None)
}

fn refused() -> Verdict {
    Verdict::Refused("422: no such service".to_owned())
}

async fn shown(db: &Db) -> String {
    let saga = db.store.read(Get { id: id(db).await, access: Access::All }).await.unwrap();
    let mut out = saga.state.to_string();
    for s in &saga.steps {
        write!(out, ", {} {}: {}", s.action, s.effect, s.state).unwrap();
    }
    out
}

async fn id(db: &Db) -> SagaId {
    SagaId(db.one("SELECT id FROM saga").await.parse().unwrap())
}

async fn tasks_alone_need_no_saga(db: &Db) {
    begun(db, NewSaga { apology: String::new(), acts: vec![act("create_order", &[])] }).await;
    assert_eq!((db.count("saga").await, db.count("task").await), (0, 1));
    let task =
        "SELECT task_type, title, status, priority, assigned_to_type, assigned_to_id, source, metadata FROM task";
    assert_eq!(
        db.rows(task).await,
        [[
            "create_order",
            "Do create_order",
            "pending",
            "high",
            "team",
            "sales",
            "assistant",
            r#"{"service":"golden visa"}"#
        ]]
    );
    assert!(claim(db, "node-a").await.is_empty());
    assert_eq!(db.store.read(NextDue).await.unwrap(), None);
}

async fn steps_are_done_in_order_and_the_result_lists_them(db: &Db) {
    begun(db, usual()).await;
    assert_eq!(db.store.read(NextDue).await.unwrap(), Some(db.now()));
    let hold = hold(db).await;
    assert!(claim(db, "node-b").await.is_empty(), "one holder at a time");
    let way = play(db, &hold, |_| Verdict::Done(Some(r#"{"id":7}"#.to_owned()))).await;
    assert_eq!(
        way,
        ["do 1 notify_sales email (1)", "do 2 notify_sales slack (1)", "do 4 create_order http (1)", "over: done"]
    );
    let saga = db.store.read(Get { id: id(db).await, access: Access::All }).await.unwrap();
    assert_eq!(saga.result.executed.len(), 5, "{:?}", saga.result);
    assert!(saga.result.failed.is_empty() && saga.result.compensated.is_empty() && saga.finished_at.is_some());
    assert_eq!(db.one("SELECT result FROM saga_step WHERE seq = 4").await, r#"{"id":7}"#);
    assert_eq!(db.count("task WHERE status = 'pending'").await, 2);
    assert_eq!(db.store.read(NextDue).await.unwrap(), None);
    assert!(claim(db, "node-a").await.is_empty());
}

async fn a_refusal_for_good_undoes_in_reverse_and_the_lead_is_told_once(db: &Db) {
    begun(db, usual()).await;
    let hold = hold(db).await;
    let way = play(db, &hold, |what| if what.starts_with("do 4") { refused() } else { done() }).await;
    assert_eq!(
        way,
        [
            "do 1 notify_sales email (1)",
            "do 2 notify_sales slack (1)",
            "do 4 create_order http (1)",
            "undo 2 notify_sales slack (1)",
            "undo 1 notify_sales email (1)",
            "over: compensated"
        ]
    );
    let saga = db.store.read(Get { id: id(db).await, access: Access::All }).await.unwrap();
    assert_eq!(saga.result.failed, ["create_order (http)"]);
    assert_eq!(saga.result.compensated.len(), 4, "tasks too: {:?}", saga.result);
    assert_eq!(db.count("task WHERE status = 'cancelled'").await, 2);
    assert_eq!(
        db.rows("SELECT body, sender FROM message WHERE direction = 'out'").await,
        [["Sorry, it did not go through.", "AI"]]
    );
    assert_eq!(db.count("outbox WHERE dedupe_key LIKE '%:undone'").await, 1);
    assert_eq!(db.one("SELECT kind FROM notification").await, "saga_undone");
    db.claim_send().await;
}

/// At every step, forward and backward: the process ends in the middle of a call, and another goes on.
async fn a_crash_in_a_step_resumes_it_elsewhere_and_repeats_no_finished_one(db: &Db) {
    begun(db, usual()).await;
    let (mut way, mut came, mut seen) = (Vec::new(), None, Vec::new());
    let mut held = hold(db).await;
    let outcome = loop {
        let advanced = advance(db, &held, came.take(), None).await;
        let (Todo::Do(step) | Todo::Undo(step)) = advanced.todo.clone() else { break advanced.todo };
        let what = word(&advanced.todo);
        if seen.contains(&step.key(matches!(advanced.todo, Todo::Undo(_)))) {
            assert!(step.doubtful, "it may have been done: {what}");
            came = Some((step.seq, if what.starts_with("do 4") { refused() } else { done() }));
        } else {
            // The node dies; its lease ends; another claims.
            seen.push(step.key(matches!(advanced.todo, Todo::Undo(_))));
            assert!(claim(db, "node-b").await.is_empty(), "not before the lease ends");
            db.pass(121);
            held = hold(db).await;
        }
        way.push(what);
    };
    assert_eq!(outcome, Todo::Over(SagaState::Compensated));
    assert_eq!(
        way,
        [
            "do 1 notify_sales email (1)",
            "do 1 notify_sales email (2)",
            "do 2 notify_sales slack (1)",
            "do 2 notify_sales slack (2)",
            "do 4 create_order http (1)",
            "do 4 create_order http (2)",
            "undo 2 notify_sales slack (1)",
            "undo 2 notify_sales slack (2)",
            "undo 1 notify_sales email (1)",
            "undo 1 notify_sales email (2)",
        ]
    );
}

async fn a_doubtful_step_that_must_not_be_repeated_waits_for_a_person(db: &Db) {
    begun(db, NewSaga { apology: String::new(), acts: vec![act("pay", &[(Effect::Http, OnDoubt::Hold)])] }).await;
    let first = hold(db).await;
    assert_eq!(word(&advance(db, &first, None, None).await.todo), "do 1 pay http (1)");
    db.pass(121);
    let second = hold(db).await;
    assert_eq!(word(&advance(db, &second, None, None).await.todo), "over: stuck");
    assert!(claim(db, "node-a").await.is_empty());
    assert_eq!(db.one("SELECT kind FROM notification").await, "saga_stuck");
    let after = settle(db, Deed::Retry).await.unwrap();
    assert_eq!(after, "running, pay task: done, pay http: pending");
    let hold = hold(db).await;
    assert_eq!(play(db, &hold, |_| done()).await, ["do 1 pay http (1)", "over: done"]);
}

async fn settle(db: &Db, deed: Deed) -> Result<String, StoreError> {
    let reason = Some("looked at it".to_owned());
    db.store.write(Settle { id: id(db).await, deed, reason, access: Access::All, by: By::command() }).await?;
    Ok(shown(db).await)
}

async fn a_compensation_that_fails_for_good_is_stuck_and_a_person_retries_or_skips(db: &Db) {
    begun(db, usual()).await;
    let first = hold(db).await;
    let way = play(
        db,
        &first,
        |what| if what.starts_with("do 4") || what.starts_with("undo 2") { refused() } else { done() },
    )
    .await;
    assert_eq!(way.last().map(String::as_str), Some("over: stuck"));
    assert_eq!(db.count("message WHERE direction = 'out'").await, 0, "nothing is said while it is not known");
    for (tenant, state, found) in [
        (None, SagaState::Stuck, 1),
        (Some(db.meta.tenant), SagaState::Stuck, 1),
        (Some(db.meta.tenant), SagaState::Done, 0),
        (Some(types::TenantId(4)), SagaState::Stuck, 0),
    ] {
        let list = List { tenant, state: Some(state), after: After::NEWEST, limit: 9 };
        let stuck = db.store.read(list).await.unwrap();
        let why = stuck.iter().map(|(_, saga)| saga.error.as_deref()).collect::<Vec<_>>();
        assert_eq!(why, vec![Some("422: no such service"); found], "{tenant:?} {state}");
    }
    settle(db, Deed::Retry).await.unwrap();
    let second = hold(db).await;
    let way = play(db, &second, |_| refused()).await;
    assert_eq!(way, ["undo 2 notify_sales slack (1)", "over: stuck"]);
    assert_eq!(db.count("notification WHERE kind = 'saga_stuck'").await, 2);
    settle(db, Deed::Skip).await.unwrap();
    let third = hold(db).await;
    assert_eq!(play(db, &third, |_| done()).await, ["undo 1 notify_sales email (1)", "over: compensated"]);
    assert!(matches!(settle(db, Deed::Retry).await, Err(StoreError::Refused(_))), "it is over");
    let audit = db.rows("SELECT action, before, after, reason FROM audit ORDER BY id").await;
    assert_eq!(audit[0], ["saga.retry", "stuck", "unwinding", "looked at it"]);
    assert_eq!(audit[1][0], "saga.skip");
}

async fn what_may_pass_is_tried_again_later_and_not_for_ever(db: &Db) {
    begun(db, NewSaga { apology: String::new(), acts: vec![act("create_order", &[(Effect::Http, AGAIN)])] }).await;
    let busy = || Some((1, Verdict::Retry("503".to_owned())));
    for attempt in 1..=2 {
        let hold = hold(db).await;
        assert_eq!(word(&advance(db, &hold, None, None).await.todo), format!("do 1 create_order http ({attempt})"));
        assert_eq!(word(&advance(db, &hold, busy(), Some(10)).await.todo), "wait");
        assert!(claim(db, "node-a").await.is_empty());
        db.pass(10);
    }
    settle(db, Deed::Retry).await.unwrap();
    let hold = hold(db).await;
    advance(db, &hold, None, None).await;
    let last = advance(db, &hold, busy(), None).await;
    assert_eq!(word(&last.todo), "over: compensated");
    assert_eq!(last.executed, [("create_order".to_owned(), false)]);
    assert_eq!(shown(db).await, "compensated, create_order task: compensated, create_order http: failed");
}

async fn a_lost_lease_writes_nothing(db: &Db) {
    begun(db, usual()).await;
    let slow = hold(db).await;
    advance(db, &slow, None, None).await;
    db.pass(121);
    let quick = hold(db).await;
    let late = db.store.write(op(db, &slow, Some((1, done())), None)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(_))), "{late:?}");
    assert_eq!(word(&advance(db, &quick, None, None).await.todo), "do 1 notify_sales email (2)");
    db.store.write(store::leases::Free { owner: Some("node-a".into()) }).await.unwrap();
    assert_eq!(claim(db, "node-b").await.len(), 1, "a lease that was given back is free at once");
    db.store.write(store::leases::Free { owner: None }).await.unwrap();
    assert_eq!(claim(db, "node-c").await.len(), 1);
}

async fn a_turn_that_is_saved_twice_acts_once(db: &Db) {
    db.message("w1", PHONE, "I need a golden visa").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["one moment"]);
    op.finish.acts = Some(usual());
    db.store.write(op.clone()).await.unwrap();
    // As after a commit whose answer was lost: the lease is still held, since the reply is being sent.
    let _ = db.store.write(op).await;
    assert_eq!((db.count("saga").await, db.count("task").await, db.count("outbox").await), (1, 2, 1));
}

async fn an_open_breaker_uses_up_no_attempt(db: &Db) {
    begun(db, NewSaga { apology: String::new(), acts: vec![act("create_order", &[(Effect::Http, AGAIN)])] }).await;
    for _ in 0..3 {
        let hold = hold(db).await;
        assert_eq!(word(&advance(db, &hold, None, None).await.todo), "do 1 create_order http (1)");
        let waits = Some((1, Verdict::Waits("its breaker is open".to_owned())));
        assert_eq!(word(&advance(db, &hold, waits, Some(15)).await.todo), "wait");
        db.pass(15);
    }
}

async fn the_janitor_forgets_finished_ones(db: &Db) {
    begun(db, usual()).await;
    let hold = hold(db).await;
    play(db, &hold, |_| done()).await;
    db.pass(100);
    let before = db.now();
    let sweep = store::sweep::Sweep { ids_before: before, events_before: before, jobs_before: before, limit: 10 };
    let swept = db.store.write(sweep).await.unwrap();
    assert_eq!((swept.sagas, db.count("saga").await, db.count("saga_step").await), (1, 0, 0));
    assert_eq!(db.count("task").await, 2, "what people have to do stays");
}

async fn another_tenants_saga_is_not_there(db: &Db) {
    begun(db, usual()).await;
    let nobody = Access::Only(Arc::from([types::TenantId(4)]));
    let get = db.store.read(Get { id: id(db).await, access: nobody.clone() }).await;
    assert!(matches!(get, Err(StoreError::NotFound { .. })), "{get:?}");
    let settle = Settle { id: id(db).await, deed: Deed::Skip, reason: None, access: nobody, by: By::command() };
    assert!(matches!(db.store.write(settle).await, Err(StoreError::NotFound { .. })));
    let list = List { tenant: Some(types::TenantId(4)), state: None, after: After::NEWEST, limit: 9 };
    assert!(db.store.read(list).await.unwrap().is_empty());
}
