//! Agents' contexts, sessions, switches, experiments, and readings from outside (S3.7 to S3.9).

use std::sync::Arc;
use std::time::Duration;

use store::agents::{Known, Load, PutBack, Record, Spent, Tidy, Traces};
use store::desk::agents::{
    Exposures, FindMessage, Flags, PickWinner, Sessions, SetFlag, Show, TakeResult, Taken, Today, Turns,
};
use store::desk::{Access, After, By};
use store::{Claimed, Next, StoreError};
use types::{LeadId, MessageId, TenantId, Timestamp};

use crate::fixtures::PHONE;
use crate::support::{Db, turn};

for_each_database! {
    a_turn_is_kept_with_its_reply_and_a_session_adds_up,
    a_lost_lease_keeps_nothing_of_an_agent,
    a_hand_over_ends_a_session_and_so_does_silence,
    what_is_old_is_trimmed,
    a_days_budget_is_counted_by_contact_and_in_all,
    switches_are_set_read_and_on_record,
    a_variant_is_given_once_and_its_goal_reached_once,
    a_picked_winner_ends_the_comparison,
    a_reading_from_outside_counts_once_and_wakes_its_turn,
    a_turn_that_waits_has_used_no_attempt,
    rows_of_other_tenants_are_not_there,
}

fn by() -> By {
    By { kind: "token", id: 7, name: "tester".into(), ip: None, request_id: "r".into() }
}

fn foreign() -> Access {
    Access::Only(Arc::from([TenantId(1)]))
}

pub fn record(status: &'static str) -> Record {
    Record {
        agent: "desk".into(),
        workflow: "agent",
        provider: Some("openai".into()),
        model: Some("m".into()),
        input: "hello".into(),
        output: "hi".into(),
        status,
        error: None,
        calls: r#"[{"provider":"openai"}]"#.into(),
        call_count: 2,
        tokens_in: 100,
        tokens_out: 20,
        cost: 350,
        latency_ms: 400,
        context: Some((r#"[{"role":"user","text":"hello"}]"#.into(), "before".into(), "{}".into(), 90)),
    }
}

/// A customer writes, and the turn ends with these traces.
async fn turned(db: &Db, id: &str, records: Vec<Record>) -> Claimed {
    db.message(id, PHONE, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &[]);
    op.finish.traces = Some(Box::new(Traces { records, ..Traces::default() }));
    db.store.write(op).await.unwrap();
    claimed
}

async fn load(db: &Db, claimed: &Claimed) -> Known {
    let (s, message) = (&claimed.snapshot, turn(&claimed.work).message);
    db.store.read(Load { tenant: s.tenant, conversation: s.conversation, message, contact: s.contact }).await.unwrap()
}

async fn a_turn_is_kept_with_its_reply_and_a_session_adds_up(db: &Db) {
    let claimed = turned(db, "w1", vec![record("replied")]).await;
    db.pass(5);
    turned(
        db,
        "w2",
        vec![Record { context: None, ..record("failed") }, Record { workflow: "reading", ..record("read") }],
    )
    .await;
    let known = load(db, &claimed).await;
    assert_eq!(known.contexts, [("desk".into(), r#"[{"role":"user","text":"hello"}]"#.into(), "before".into())]);
    assert_eq!(known.spent, [("desk".into(), 240)]);
    let list = Sessions { tenant: db.meta.tenant, agent: Some("desk".into()), after: After::NEWEST, limit: 10 };
    let sessions = db.store.read(list).await.unwrap();
    let [(_, session)] = sessions.as_slice() else { panic!("{sessions:?}") };
    assert_eq!((session.turns, session.replies, session.errors, session.calls), (2, 1, 1, 4));
    assert_eq!((session.tokens_in, session.tokens_out, session.mean_ms), (200, 40, 400));
    assert!((session.cost - 0.0007).abs() < 1e-9, "{}", session.cost);
    assert_eq!((session.outcome.as_str(), session.ended_at), ("open", None));
    let turns = Turns { session: session.id, after: After::OLDEST, limit: 10, access: Access::All };
    let turns = db.store.read(turns).await.unwrap();
    assert_eq!(turns.iter().map(|(_, t)| t.status.as_str()).collect::<Vec<_>>(), ["replied", "failed"]);
    assert_eq!(turns[0].1.calls[0]["provider"], "openai");
    let figures = db.store.read(Show { tenant: db.meta.tenant, since: Timestamp::ZERO }).await.unwrap();
    let [desk] = figures.as_slice() else { panic!("{figures:?}") };
    assert_eq!((desk.turns, desk.replies, desk.handovers, desk.sessions, desk.p95_ms), (2, 1, 0, 1, 400));
    assert_eq!(db.count("agent_log").await, 3, "a reading is on the log, and in no session");
}

async fn a_lost_lease_keeps_nothing_of_an_agent(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    db.pass(121);
    db.claim_as("node-b", 1).await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &["hi"]);
    op.finish.traces = Some(Box::new(Traces { records: vec![record("replied")], ..Traces::default() }));
    let lost = db.store.write(op).await.unwrap_err();
    assert!(matches!(lost, StoreError::LeaseLost(_)), "{lost}");
    assert_eq!(
        (db.count("agent_session").await, db.count("agent_log").await, db.count("agent_context").await),
        (0, 0, 0)
    );
}

async fn a_hand_over_ends_a_session_and_so_does_silence(db: &Db) {
    turned(db, "w1", vec![record("handed_over")]).await;
    assert_eq!(db.rows("SELECT outcome, turns FROM agent_session").await, [["handed_over", "1"]]);
    db.pass(10);
    turned(db, "w2", vec![record("replied")]).await;
    let tidy = |at: Timestamp| db.store.write(Tidy { idle_before: at, log_before: Timestamp::ZERO, limit: 10 });
    assert_eq!(tidy(db.now()).await.unwrap(), 0, "the last turn was just now");
    db.pass(1);
    assert_eq!(tidy(db.now()).await.unwrap(), 1);
    assert_eq!(db.rows("SELECT outcome FROM agent_session ORDER BY id").await, [["handed_over"], ["idle"]]);
    turned(db, "w3", vec![record("replied")]).await;
    assert_eq!(db.count("agent_session").await, 3, "what comes later is another session");
}

async fn what_is_old_is_trimmed(db: &Db) {
    turned(db, "w1", vec![record("replied")]).await;
    db.pass(60);
    let tidy = Tidy { idle_before: Timestamp::ZERO, log_before: db.now(), limit: 10 };
    assert_eq!(db.store.write(tidy).await.unwrap(), 1);
    assert_eq!((db.count("agent_log").await, db.count("agent_session").await), (0, 1), "sessions stay");
}

async fn a_days_budget_is_counted_by_contact_and_in_all(db: &Db) {
    let one = turned(db, "w1", vec![record("replied"), Record { workflow: "reading", ..record("read") }]).await;
    let (s, message) = (&one.snapshot, turn(&one.work).message);
    let known = |contact| Load { tenant: s.tenant, conversation: s.conversation, message, contact };
    let read = db.store.read(known(s.contact)).await.unwrap();
    let spent = |tokens, cost| Spent { tokens, cost };
    assert_eq!((read.contact_today, read.tenant_today), (spent(240, 700), spent(240, 700)), "readings cost, too");
    let other = db.store.read(known(types::ContactId(s.contact.0 + 1))).await.unwrap();
    assert_eq!((other.contact_today, other.tenant_today), (spent(0, 0), spent(240, 700)));
    let today = |tokens| Today { tenant: s.tenant, contact_tokens: Some(tokens), contact_cost: None };
    assert_eq!(db.store.read(today(241)).await.unwrap(), (spent(240, 700), 0));
    assert_eq!(db.store.read(today(240)).await.unwrap(), (spent(240, 700), 1), "one has used up its tokens");
    db.pass(86_400);
    assert_eq!(db.store.read(known(s.contact)).await.unwrap().tenant_today, spent(0, 0), "another day, another budget");
    let tidy = Tidy { idle_before: Timestamp::ZERO, log_before: db.now(), limit: 10 };
    db.store.write(tidy).await.unwrap();
    assert_eq!(db.count("agent_spend").await, 0);
}

async fn switches_are_set_read_and_on_record(db: &Db) {
    let tenant = db.meta.tenant;
    let set = |name: &str, on, percent| SetFlag {
        tenant,
        name: name.into(),
        on,
        percent,
        reason: Some("it lies".into()),
        access: Access::All,
        by: by(),
    };
    db.store.write(set("agent:desk", true, 10)).await.unwrap();
    db.store.write(set("agent:desk", false, 100)).await.unwrap();
    let flags = db.store.read(Flags(tenant)).await.unwrap();
    let [flag] = flags.as_slice() else { panic!("{flags:?}") };
    assert_eq!(
        (flag.on, flag.percent, flag.set_by.as_deref(), flag.reason.as_deref()),
        (false, 100, Some("tester"), Some("it lies"))
    );
    let claimed = turned(db, "w1", Vec::new()).await;
    assert_eq!(load(db, &claimed).await.switches, [("agent:desk".into(), false, 100, None)]);
    let record = db.rows("SELECT before, after FROM audit WHERE action = 'flag.set' ORDER BY id").await;
    assert_eq!(record, [["-", "agent:desk on, 10 %"], ["agent:desk on, 10 %", "agent:desk off"]]);
    let refused = db.store.write(SetFlag { access: foreign(), ..set("agents", false, 100) }).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
}

/// A customer's turn gives a variant of `who`, and perhaps reaches its goal.
async fn exposed(db: &Db, phone: &str, id: &str, arm: &str, reached: bool) -> Claimed {
    db.message(id, phone, "hello").await;
    let claimed = db.claim().await;
    let mut op = db.finish_op(&claimed, turn(&claimed.work), &[]);
    let reached = if reached { vec!["who".to_owned()] } else { Vec::new() };
    op.finish.traces =
        Some(Box::new(Traces { exposures: vec![("who".into(), arm.into())], reached, records: Vec::new() }));
    db.store.write(op).await.unwrap();
    claimed
}

/// S3.8: a pick is read with the next turn, ends the comparison for good for who has no outcome yet, is kept by its switch, and is on record.
async fn a_picked_winner_ends_the_comparison(db: &Db) {
    let tenant = db.meta.tenant;
    let first = exposed(db, PHONE, "w1", "agent", false).await;
    exposed(db, "971500000902", "w2", "flow", true).await;
    db.pass(10);
    let at = db.now();
    let pick = |arm: Option<&str>| PickWinner {
        tenant,
        experiment: "who".into(),
        arm: arm.map(Into::into),
        reason: Some("seen enough".into()),
        access: Access::All,
        by: by(),
    };
    let flag = db.store.write(pick(Some("agent"))).await.unwrap();
    assert_eq!((flag.on, flag.percent, flag.picked.as_deref()), (true, 100, Some("agent")));
    let narrow = SetFlag {
        tenant,
        name: "experiment:who".into(),
        on: true,
        percent: 50,
        reason: None,
        access: Access::All,
        by: by(),
    };
    assert_eq!(db.store.write(narrow).await.unwrap().picked.as_deref(), Some("agent"), "a switch leaves the pick");
    assert_eq!(load(db, &first).await.switches, [("experiment:who".into(), true, 50, Some("agent".into()))]);
    db.pass(10);
    exposed(db, PHONE, "w3", "agent", true).await;
    exposed(db, "971500000903", "w4", "agent", true).await;
    let shown = || async {
        let all = db.store.read(Exposures { tenant, experiment: "who".into(), limit: 10 }).await.unwrap();
        all.into_iter().map(|e| (e.arm, e.reached.is_some(), e.left)).collect::<Vec<_>>()
    };
    let before = [("agent".to_owned(), false, Some(at)), ("flow".to_owned(), true, None)];
    assert_eq!(shown().await, before, "nobody new, and no goal after the pick");
    let back = db.store.write(pick(None)).await.unwrap();
    assert_eq!((back.percent, back.picked), (50, None), "taken back, the roll-out is as it was");
    exposed(db, PHONE, "w5", "agent", true).await;
    assert_eq!(shown().await, before, "who left has left");
    exposed(db, "971500000903", "w6", "flow", false).await;
    assert_eq!(shown().await.len(), 3, "it compares again");
    let record = db.rows("SELECT before, after FROM audit WHERE action = 'experiment.winner' ORDER BY id").await;
    assert_eq!(
        record,
        [
            ["experiment:who compares", "experiment:who is agent"],
            ["experiment:who is agent", "experiment:who compares"]
        ]
    );
    let refused = db.store.write(PickWinner { access: foreign(), ..pick(Some("flow")) }).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
}

async fn a_variant_is_given_once_and_its_goal_reached_once(db: &Db) {
    let first = exposed(db, PHONE, "w1", "agent", false).await;
    db.pass(10);
    exposed(db, PHONE, "w2", "flow", true).await;
    let at = db.now();
    db.pass(10);
    exposed(db, PHONE, "w3", "flow", true).await;
    let all = Exposures { tenant: db.meta.tenant, experiment: "who".into(), limit: 10 };
    let all = db.store.read(all).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].arm.as_str(), all[0].reached),
        ("agent", Some(at)),
        "the first variant and the first time stand"
    );
    assert_eq!(load(db, &first).await.arms, [("who".into(), "agent".into())]);
}

async fn a_reading_from_outside_counts_once_and_wakes_its_turn(db: &Db) {
    let message = db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let back = PutBack {
        lease: claimed.lease.clone(),
        job: turn(&claimed.work).job,
        wait: Duration::from_secs(20),
        stop: false,
        policy: Arc::clone(&db.policy),
    };
    let after = db.store.write(back).await.unwrap();
    assert_eq!(after.next, Next::Wait(Some(db.now().plus(Duration::from_secs(20)))));
    db.idle().await;
    let lead: LeadId = db.one("SELECT id FROM lead").await.parse().unwrap();
    let find = |name: &str, lead, access| db.store.read(FindMessage { name: name.into(), lead, access });
    let (found, tenant, conversation) = find("w1", Some(lead), Access::All).await.unwrap();
    assert_eq!(found, message);
    assert_eq!(find(&message.to_string(), None, Access::All).await.unwrap().0, message);
    assert!(find("w1", Some(LeadId(7)), Access::All).await.is_err(), "another lead");
    assert!(find("w1", None, foreign()).await.is_err() && find("nothing", None, Access::All).await.is_err());
    let take = |intent: &str| TakeResult {
        message,
        tenant,
        conversation,
        intent: intent.into(),
        confidence: 0.75,
        entities: "{}".into(),
    };
    assert_eq!(db.store.write(take("COMPLAINT")).await.unwrap(), Taken::Accepted);
    assert_eq!(db.store.write(take("ORDER_REQUEST")).await.unwrap(), Taken::Repeated);
    let claimed = db.claim().await;
    assert_eq!(
        (turn(&claimed.work).attempt, load(db, &claimed).await.given),
        (1, Some(("COMPLAINT".into(), 0.75, "{}".into())))
    );
    db.finish(&claimed, &[]).await;
    let late = db.message("w2", PHONE, "more").await;
    let claimed = db.claim().await;
    db.finish(&claimed, &[]).await;
    assert_eq!(db.store.write(TakeResult { message: late, ..take("COMPLAINT") }).await.unwrap(), Taken::TooLate);
    db.pass(60);
    let tidy = Tidy { idle_before: Timestamp::ZERO, log_before: db.now(), limit: 10 };
    assert_eq!(db.store.write(tidy).await.unwrap(), 2, "readings are forgotten with the log");
}

/// What comes between the look and the wait is not slept over.
async fn a_turn_that_waits_has_used_no_attempt(db: &Db) {
    let message = db.message("w1", PHONE, "hello").await;
    let claimed = db.claim().await;
    let s = &claimed.snapshot;
    let take = TakeResult {
        message,
        tenant: s.tenant,
        conversation: s.conversation,
        intent: "UNKNOWN".into(),
        confidence: 0.5,
        entities: "{}".into(),
    };
    assert_eq!(db.store.write(take).await.unwrap(), Taken::Accepted);
    let back = PutBack {
        lease: claimed.lease.clone(),
        job: turn(&claimed.work).job,
        wait: Duration::from_secs(20),
        stop: false,
        policy: Arc::clone(&db.policy),
    };
    let Next::Work(work) = db.store.write(back).await.unwrap().next else { panic!("it is there already") };
    assert_eq!((turn(&work).attempt, turn(&work).message), (1, message));
}

/// S7.1: what belongs to another tenant is not there, whatever is asked for by id.
async fn rows_of_other_tenants_are_not_there(db: &Db) {
    turned(db, "w1", vec![record("replied")]).await;
    let list = Sessions { tenant: db.meta.tenant, agent: None, after: After::NEWEST, limit: 10 };
    let session = db.store.read(list).await.unwrap()[0].1.id;
    let turns = Turns { session, after: After::OLDEST, limit: 10, access: foreign() };
    let hidden = db.store.read(turns).await.unwrap_err();
    assert!(matches!(hidden, StoreError::NotFound { .. }), "{hidden}");
    let other = Sessions { tenant: TenantId(1), agent: None, after: After::NEWEST, limit: 10 };
    assert!(db.store.read(other).await.unwrap().is_empty());
    assert_eq!(
        db.store
            .read(Load {
                tenant: TenantId(1),
                conversation: types::ConversationId(1),
                message: MessageId(1),
                contact: types::ContactId(1)
            })
            .await
            .unwrap(),
        Known::default()
    );
}
