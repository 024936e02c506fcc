//! Two leads made one, and a person removed everywhere, by the API.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use store::desk::{Role, Scope};
use store::{Door, Policy};

use crate::support::{App, Hands, Session, Things, by_page, by_token};

/// Somebody else writes to tenant `a`: their lead.
async fn another(app: &App) -> String {
    let channel = app.a["channel"].parse().unwrap();
    let door = Door { tenant: app.tenant(&app.a), channel, kind: "meta", slug: "alain".into() };
    let hands = Hands { store: &app.store, policy: Arc::new(Policy::default()) };
    hands.write(&door, "m-other", "971500000099", "Sara", "it is me, from my other number").await;
    app.one("SELECT id FROM lead ORDER BY id DESC LIMIT 1".into()).await
}

async fn post(app: &App, who: &Session, lead: &str, what: &str, body: Value) -> (StatusCode, Value) {
    app.send(by_page(who, "POST", &format!("/leads/{lead}/{what}"), Some(&body))).await
}

fn lead(things: &Things) -> &str {
    &things["lead"]
}

#[tokio::test]
async fn two_leads_are_merged_after_a_look_at_what_moves() {
    let app = App::new().await;
    let (agent, viewer) = (app.person(Role::Agent, None).await, app.person(Role::Viewer, None).await);
    let other = another(&app).await;
    let into = lead(&app.a);
    let (status, plan) = post(&app, &agent, into, "merge", json!({ "from": other, "dry_run": true })).await;
    assert_eq!((status, &plan["addresses"]), (StatusCode::OK, &json!(["971500000099"])), "{plan}");
    assert_eq!(post(&app, &viewer, into, "merge", json!({ "from": other })).await.0, StatusCode::FORBIDDEN);
    // Of two tenants, even for one who may see both; and for one who may not, it is not there.
    let both = post(&app, &agent, into, "merge", json!({ "from": lead(&app.b) })).await;
    assert_eq!(both.0, StatusCode::CONFLICT, "{}", both.1);
    let (program, _) = app.token(&[Scope::Leads], app.tenant(&app.a)).await;
    let body = json!({ "from": lead(&app.b) });
    let (status, _) = app.send(by_token(&program, "POST", &format!("/leads/{into}/merge"), Some(&body))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, done) = post(&app, &agent, into, "merge", json!({ "from": other })).await;
    assert_eq!((status, &done), (StatusCode::OK, &plan));
    let (status, _) = app.send(by_page(&agent, "GET", &format!("/leads/{other}"), None)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_administrator_erases_a_person_and_the_record_keeps_the_fact() {
    let app = App::new().await;
    let (boss, agent) = (app.person(Role::Admin, None).await, app.person(Role::Agent, None).await);
    let id = lead(&app.a).to_owned();
    let (status, found) = app.send(by_page(&boss, "GET", &format!("/leads/{id}/person"), None)).await;
    assert_eq!((status, &found["known_by"]), (StatusCode::OK, &json!(["971500000001"])), "{found}");
    assert_eq!(post(&app, &agent, &id, "erase", json!({ "confirm": "erase" })).await.0, StatusCode::FORBIDDEN);
    assert_eq!(post(&app, &boss, &id, "erase", json!({ "confirm": "yes" })).await.0, StatusCode::BAD_REQUEST);
    let (status, done) = post(&app, &boss, &id, "erase", json!({ "confirm": "erase" })).await;
    assert_eq!(status, StatusCode::OK, "{done}");
    assert!(done["removed"]["messages"].as_i64() > Some(1) && done["log_emptied"] == json!(true), "{done}");
    assert_eq!(post(&app, &boss, &id, "erase", json!({ "confirm": "erase" })).await.0, StatusCode::NOT_FOUND);
    let (_, record) = app.send(by_page(&boss, "GET", "/audit?tenant=alain", None)).await;
    let line = record["data"].as_array().unwrap().iter().find(|line| line["action"] == "lead.erase").unwrap();
    assert_eq!((line["object_id"].as_str(), line["from"].is_null()), (Some(id.as_str()), true));
    assert_eq!(app.one("SELECT CAST(COUNT(*) AS TEXT) FROM lead".into()).await, "1", "the other tenant's");
}
