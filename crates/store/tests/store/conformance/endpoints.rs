//! Outgoing webhooks: every event is planned once for each endpoint that wants it, told until it is heard or given up, and stays with its tenant.

use std::time::Duration;

use store::StoreError;
use store::desk::endpoints::{
    Add, Change, Deliveries, Delivery, Get, List, Recover, Remove, Resend, Rotate, Set, Test, WebhookDelivery,
    WebhookEndpoint,
};
use store::desk::{Access, After, By, DeliveryState, EventKind, Priority, tasks};
use store::endpoints::{AGAIN, Active, Actives, Look, Plan, Take, Taken, Told, Trim, Try, Verdict};
use types::states::Receipt;
use types::{DeliveryId, EndpointId, Fault, Moment, TenantId};

use crate::fixtures::{PHONE, accepted, rejected, status};
use crate::support::Db;

for_each_database! {
    an_endpoint_is_told_of_what_it_wants_from_its_beginning_on,
    what_nobody_heard_is_told_again_on_schedule_and_given_up_in_the_end,
    an_endpoint_that_names_a_time_or_wants_no_more_is_obeyed,
    what_was_given_up_is_told_again_when_a_person_says_so,
    secrets_overlap_for_a_day_and_changes_are_made_only_as_seen,
    an_endpoint_that_falls_behind_stays_behind_and_loses_nothing,
    nothing_of_another_tenants_endpoint_is_there,
    what_was_settled_long_ago_and_what_was_removed_goes,
}

fn by() -> By {
    By { kind: "token", id: 7, name: "tester".into(), ip: None, request_id: "r".into() }
}

async fn add(db: &Db, events: &[EventKind]) -> WebhookEndpoint {
    let (tenant, url) = (db.meta.tenant, "https://crm.example/hook".to_owned());
    let add = Add { tenant, url, description: "our CRM".into(), events: events.to_vec(), by: by() };
    db.store.write(add).await.unwrap()
}

async fn active(db: &Db, id: EndpointId) -> Active {
    db.store.read(Actives).await.unwrap().into_iter().find(|a| a.id == id).unwrap()
}

/// The worker's turn for one endpoint; the words of what was planned.
async fn plan(db: &Db, id: EndpointId) -> Vec<String> {
    let endpoint = active(db, id).await;
    let (tenant, from) = (endpoint.tenant, endpoint.place);
    let Some(found) = db.store.read(Look { endpoint, behind: Duration::ZERO }).await.unwrap() else {
        return Vec::new();
    };
    let words: Vec<String> = found.events.iter().map(|e| e.word.clone()).collect();
    let plan = Plan { endpoint: id, tenant, from, found };
    assert_eq!(db.store.write(plan.clone()).await.unwrap(), words.len());
    assert_eq!(db.store.write(plan).await.unwrap(), 0, "another node with the same plan is too late");
    words
}

async fn take(db: &Db, id: EndpointId) -> Taken {
    db.store.write(Take(id)).await.unwrap().expect("something is due")
}

async fn tell(db: &Db, endpoint: EndpointId, delivery: DeliveryId, verdict: Verdict) {
    let error = (verdict != Verdict::Heard).then(|| "it answered 500".to_owned());
    let tried = Try { at: Moment(db.now()), status: Some(500), ms: 12, error };
    db.store.write(Told { delivery, endpoint, tried, verdict }).await.unwrap();
}

async fn listed(db: &Db, id: EndpointId, state: Option<DeliveryState>) -> Vec<WebhookDelivery> {
    let list = Deliveries { endpoint: id, state, after: After::NEWEST, limit: 50, access: Access::All };
    db.store.read(list).await.unwrap().into_iter().map(|(_, row)| row).collect()
}

async fn an_endpoint_is_told_of_what_it_wants_from_its_beginning_on(db: &Db) {
    assert_eq!(db.store.read(Actives).await.unwrap(), [], "nobody is to be told");
    let (lease, deliver) = db.sending("m0", PHONE, "before there was anybody to tell").await;
    db.record(&lease, &deliver, accepted("out-0")).await;
    db.pass(1);
    let all = add(db, EventKind::ALL).await;
    let some = add(db, &[EventKind::SendFailed, EventKind::TaskCreated]).await;
    assert_eq!(plan(db, all.id).await, Vec::<String>::new());
    db.pass(130);
    let (lease, deliver) = db.sending("m1", "971500000009", "Hello").await;
    db.record(&lease, &deliver, accepted("out-1")).await;
    db.pass(1);
    db.event(status("out-1", Receipt::Delivered)).await;
    let words = plan(db, all.id).await;
    for word in ["lead.created", "conversation.created", "message.created", "message.status"] {
        assert!(words.iter().any(|w| w == word), "{word} is not in {words:?}");
    }
    assert_eq!(words.iter().filter(|w| *w == "message.created").count(), 2, "theirs and ours: {words:?}");
    assert_eq!(plan(db, all.id).await, Vec::<String>::new(), "once");
    assert_eq!(plan(db, some.id).await, Vec::<String>::new(), "nothing of that is wanted");
    // A refusal, a dead letter, a task, a change by a person.
    db.pass(1);
    let (lease, deliver) = db.sending("m2", "971500000008", "Hello").await;
    db.record(&lease, &deliver, rejected()).await;
    db.message("m3", "971500000007", "boom").await;
    let broken = db.claim().await;
    db.fail(&broken, Fault::Permanent).await;
    let task = tasks::Add {
        tenant: db.meta.tenant,
        lead: None,
        conversation: None,
        task_type: "call".into(),
        title: "Call".into(),
        description: String::new(),
        priority: Priority::Normal,
        assigned_to: ("team".into(), "sales".into()),
        due_at: None,
        access: Access::All,
        by: by(),
    };
    let task = db.store.write(task).await.unwrap();
    let change = tasks::Change { title: Some("Call them".into()), ..tasks::Change::default() };
    db.store.write(tasks::Set { id: task.id, change, version: None, access: Access::All, by: by() }).await.unwrap();
    let words = plan(db, all.id).await;
    for word in ["send.failed", "dead_letter.created", "notification.created", "task.created", "task.updated"] {
        assert!(words.iter().any(|w| w == word), "{word} is not in {words:?}");
    }
    assert_eq!(plan(db, some.id).await, ["send.failed", "task.created"]);
    // What is told is thin: ids and states, and no word of a person.
    for delivery in listed(db, all.id, None).await {
        let whole = db.store.read(Delivery { id: delivery.id, access: Access::All }).await.unwrap();
        let body = whole.body.unwrap();
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(body.len() < 1000 && !body.contains("boom") && !body.contains(PHONE), "{body}");
        assert_eq!(told["type"], delivery.event.as_str());
        assert!(told["data"]["id"].is_string() && told["timestamp"].is_string(), "{body}");
    }
}

async fn what_nobody_heard_is_told_again_on_schedule_and_given_up_in_the_end(db: &Db) {
    let endpoint = add(db, &[EventKind::MessageCreated]).await;
    db.store.write(Test { id: endpoint.id, access: Access::All, by: by() }).await.unwrap();
    let first = take(db, endpoint.id).await;
    assert_eq!((first.event.as_str(), first.attempts, first.generations.as_slice()), ("webhook.test", 1, &[1][..]));
    assert_eq!(db.store.write(Take(endpoint.id)).await.unwrap(), None, "nobody else takes it meanwhile");
    // Who took it died: after its lease it is there again.
    db.pass(60);
    assert_eq!(take(db, endpoint.id).await.attempts, 2);
    tell(db, endpoint.id, first.id, Verdict::Unheard(None)).await;
    for (n, pause) in AGAIN.iter().enumerate().skip(2) {
        let due = active(db, endpoint.id).await.due.unwrap();
        db.clock.advance(due.since(db.now()).saturating_sub(Duration::from_secs(1)));
        assert_eq!(db.store.write(Take(endpoint.id)).await.unwrap(), None, "not before its time");
        db.pass(1);
        let taken = take(db, endpoint.id).await;
        assert_eq!((taken.id, taken.body == first.body), (first.id, true), "the same id and the same words");
        assert_eq!(taken.attempts as usize, n + 1);
        tell(db, endpoint.id, taken.id, Verdict::Unheard(None)).await;
        assert_eq!(active(db, endpoint.id).await.due, Some(db.now().plus(Duration::from_secs(*pause))));
    }
    db.pass(86_400);
    let last = take(db, endpoint.id).await;
    tell(db, endpoint.id, last.id, Verdict::Unheard(None)).await;
    assert_eq!(active(db, endpoint.id).await.due, None);
    let row = listed(db, endpoint.id, Some(DeliveryState::Failed)).await.remove(0);
    assert_eq!((row.state, row.tries.len(), row.next_try), (DeliveryState::Failed, 9, None));
    assert_eq!(db.rows("SELECT kind FROM notification").await, [["webhook_failed"]]);
    let row = db.store.read(Get { id: endpoint.id, access: Access::All }).await.unwrap();
    assert_eq!((row.failed.value, row.waiting.value, row.enabled), (1, 0, true));
}

async fn an_endpoint_that_names_a_time_or_wants_no_more_is_obeyed(db: &Db) {
    let endpoint = add(db, &[EventKind::MessageCreated]).await;
    let test = || Test { id: endpoint.id, access: Access::All, by: by() };
    let one = db.store.write(test()).await.unwrap();
    take(db, endpoint.id).await;
    tell(db, endpoint.id, one.id, Verdict::Unheard(Some(Duration::from_secs(600)))).await;
    assert_eq!(active(db, endpoint.id).await.due, Some(db.now().plus(Duration::from_secs(600))));
    db.pass(600);
    take(db, endpoint.id).await;
    tell(db, endpoint.id, one.id, Verdict::Unheard(Some(Duration::from_secs(30 * 86_400)))).await;
    assert_eq!(active(db, endpoint.id).await.due, Some(db.now().plus(Duration::from_secs(86_400))), "a day at most");
    db.pass(86_400);
    take(db, endpoint.id).await;
    tell(db, endpoint.id, one.id, Verdict::Gone).await;
    assert_eq!(db.store.read(Actives).await.unwrap(), []);
    let row = db.store.read(Get { id: endpoint.id, access: Access::All }).await.unwrap();
    assert_eq!((row.enabled, row.disabled_reason.as_deref()), (false, Some("gone")));
    assert_eq!(db.rows("SELECT kind FROM notification").await, [["webhook_disabled"]]);
    let refused = db.store.write(test()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
}

async fn what_was_given_up_is_told_again_when_a_person_says_so(db: &Db) {
    let endpoint = add(db, &[EventKind::MessageCreated]).await;
    let test = db.store.write(Test { id: endpoint.id, access: Access::All, by: by() }).await.unwrap();
    take(db, endpoint.id).await;
    db.set(&format!("UPDATE delivery SET attempts = 10 WHERE id = {}", test.id)).await;
    tell(db, endpoint.id, test.id, Verdict::Unheard(None)).await;
    let recover = |since| Recover { id: endpoint.id, since, access: Access::All, by: by() };
    assert_eq!(db.store.write(recover(db.now().plus(Duration::from_secs(60)))).await.unwrap(), 0, "younger than that");
    assert_eq!(db.store.write(recover(db.now().minus(Duration::from_secs(60)))).await.unwrap(), 1);
    let again = take(db, endpoint.id).await;
    assert_eq!((again.id, again.attempts), (test.id, 1), "a round of its own");
    tell(db, endpoint.id, test.id, Verdict::Heard).await;
    assert_eq!(listed(db, endpoint.id, Some(DeliveryState::Delivered)).await.len(), 1);
    let row = db.store.write(Resend { id: test.id, access: Access::All, by: by() }).await.unwrap();
    assert_eq!((row.state, row.tries.len()), (DeliveryState::Waiting, 2));
    assert_eq!(listed(db, endpoint.id, Some(DeliveryState::Waiting)).await.len(), 1);
    assert_eq!(take(db, endpoint.id).await.id, test.id, "also what was heard, under the same id");
}

async fn secrets_overlap_for_a_day_and_changes_are_made_only_as_seen(db: &Db) {
    let endpoint = add(db, &[EventKind::MessageCreated]).await;
    let rotate = || Rotate { id: endpoint.id, access: Access::All, by: by() };
    let (row, generation) = db.store.write(rotate()).await.unwrap();
    assert_eq!((generation, row.old_secret_until.map(|m| m.0)), (2, Some(db.now().plus(Duration::from_secs(86_400)))));
    let refused = db.store.write(rotate()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "a third would end the first before its time: {refused}");
    for (pass, good) in [(0, &[2, 1][..]), (86_399, &[2, 1]), (1, &[2])] {
        db.pass(pass);
        let test = db.store.write(Test { id: endpoint.id, access: Access::All, by: by() }).await.unwrap();
        let taken = take(db, endpoint.id).await;
        assert_eq!((taken.id, taken.generations.as_slice()), (test.id, good));
        tell(db, endpoint.id, taken.id, Verdict::Heard).await;
    }
    let set = |version: Option<&str>, change: Change| Set {
        id: endpoint.id,
        change,
        version: version.map(str::to_owned),
        access: Access::All,
        by: by(),
    };
    let seen = db.store.read(Get { id: endpoint.id, access: Access::All }).await.unwrap().version;
    let url = Change { url: Some("https://other.example/".into()), ..Change::default() };
    let changed = db.store.write(set(Some(&seen), url.clone())).await.unwrap();
    assert_eq!((changed.url.as_str(), changed.description.as_str()), ("https://other.example/", "our CRM"));
    assert!(matches!(db.store.write(set(Some(&seen), url)).await.unwrap_err(), StoreError::Changed(_)));
    let actions = db.rows("SELECT DISTINCT action FROM audit ORDER BY action").await.concat();
    assert_eq!(actions, ["endpoint.change", "endpoint.create", "endpoint.rotate", "endpoint.test"]);
}

async fn an_endpoint_that_falls_behind_stays_behind_and_loses_nothing(db: &Db) {
    let endpoint = add(db, &[EventKind::MessageCreated]).await;
    db.pass(1);
    db.message("m1", PHONE, "one").await;
    let switch = |enabled| Set {
        id: endpoint.id,
        change: Change { enabled: Some(enabled), ..Change::default() },
        version: None,
        access: Access::All,
        by: by(),
    };
    db.store.write(switch(false)).await.unwrap();
    assert_eq!(db.store.read(Actives).await.unwrap(), []);
    db.pass(86_400);
    db.store.write(switch(true)).await.unwrap();
    assert_eq!(plan(db, endpoint.id).await, ["message.created"], "what it missed of the last days");
    // Too much waits: what comes stays in the log until there is room.
    let tenant = db.meta.tenant;
    for n in 0..2 {
        db.set(&format!(
            "INSERT INTO delivery (id, tenant_id, endpoint_id, event, body, due_at, attempts, tries, created_at)
             WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 600)
             SELECT 1000000 + n + {n} * 600, {tenant}, {}, 'webhook.test', '{{}}', 0, 0, '[]', 0 FROM c",
            endpoint.id
        ))
        .await;
    }
    db.message("m2", "971500000005", "two").await;
    assert_eq!(plan(db, endpoint.id).await, Vec::<String>::new());
    db.set("UPDATE delivery SET due_at = NULL, delivered_at = 1 WHERE id < 2000000").await;
    assert_eq!(plan(db, endpoint.id).await, ["message.created"]);
    // Away for a week: it goes on where three days begin.
    db.store.write(switch(false)).await.unwrap();
    db.pass(60);
    db.message("m3", "971500000006", "three").await;
    db.pass(7 * 86_400);
    db.store.write(switch(true)).await.unwrap();
    db.message("m4", "971500000004", "four").await;
    assert_eq!(plan(db, endpoint.id).await, ["message.created"]);
    // What is younger than other nodes' transactions may be is not read yet.
    db.pass(1);
    db.message("m5", "971500000003", "five").await;
    let look = Look { endpoint: active(db, endpoint.id).await, behind: Duration::from_secs(30) };
    assert_eq!(db.store.read(look).await.unwrap(), None);
    for n in 0..9 {
        let _ = (n, add(db, &[EventKind::SendFailed]).await);
    }
    let more = Add { tenant, url: "https://x.example/".into(), description: String::new(), events: vec![], by: by() };
    assert!(matches!(db.store.write(more).await.unwrap_err(), StoreError::Refused(_)), "ten are enough");
}

async fn nothing_of_another_tenants_endpoint_is_there(db: &Db) {
    let endpoint = add(db, EventKind::ALL).await;
    let test = db.store.write(Test { id: endpoint.id, access: Access::All, by: by() }).await.unwrap();
    let other = || Access::Only(std::sync::Arc::from([TenantId(1)]));
    assert_eq!(db.store.read(List(TenantId(1))).await.unwrap(), []);
    assert_eq!(db.store.read(List(db.meta.tenant)).await.unwrap().len(), 1);
    let (id, by) = (endpoint.id, by());
    let refused = [
        db.store.read(Get { id, access: other() }).await.map(drop),
        db.store.read(Delivery { id: test.id, access: other() }).await.map(drop),
        db.store
            .read(Deliveries { endpoint: id, state: None, after: After::NEWEST, limit: 5, access: other() })
            .await
            .map(drop),
        db.store
            .write(Set { id, change: Change::default(), version: None, access: other(), by: by.clone() })
            .await
            .map(drop),
        db.store.write(Rotate { id, access: other(), by: by.clone() }).await.map(drop),
        db.store.write(Remove { id, access: other(), by: by.clone() }).await,
        db.store.write(Test { id, access: other(), by: by.clone() }).await.map(drop),
        db.store.write(Resend { id: test.id, access: other(), by: by.clone() }).await.map(drop),
        db.store.write(Recover { id, since: db.now(), access: other(), by }).await.map(drop),
    ];
    for (n, result) in refused.into_iter().enumerate() {
        assert!(matches!(result, Err(StoreError::NotFound { .. })), "{n}: {result:?}");
    }
    // A tenant of another's events is told nothing of this one's.
    db.message("m1", PHONE, "hello").await;
    let stranger = Active { tenant: TenantId(1), ..active(db, id).await };
    let found = db.store.read(Look { endpoint: stranger, behind: Duration::ZERO }).await.unwrap();
    assert!(found.is_none_or(|f| f.events.is_empty()));
}

async fn what_was_settled_long_ago_and_what_was_removed_goes(db: &Db) {
    let endpoint = add(db, &[EventKind::MessageCreated]).await;
    for heard in [true, false] {
        let test = db.store.write(Test { id: endpoint.id, access: Access::All, by: by() }).await.unwrap();
        take(db, endpoint.id).await;
        tell(db, endpoint.id, test.id, if heard { Verdict::Heard } else { Verdict::Unheard(None) }).await;
    }
    while db.store.write(Trim).await.unwrap() {}
    assert_eq!(listed(db, endpoint.id, None).await.len(), 2);
    db.pass(15 * 86_400);
    while db.store.write(Trim).await.unwrap() {}
    let left = listed(db, endpoint.id, None).await;
    assert_eq!(left.iter().map(|d| d.state).collect::<Vec<_>>(), [DeliveryState::Waiting], "what waits, waits");
    db.store.write(Remove { id: endpoint.id, access: Access::All, by: by() }).await.unwrap();
    let e = db.store.read(Delivery { id: left[0].id, access: Access::All }).await.unwrap_err();
    assert!(matches!(e, StoreError::NotFound { .. }), "{e}");
    while db.store.write(Trim).await.unwrap() {}
    assert_eq!(db.one("SELECT COUNT(*) FROM delivery").await, "0");
    assert_eq!(db.one("SELECT COUNT(*) FROM endpoint").await, "0");
}
