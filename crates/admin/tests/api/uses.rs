//! What people and programs do with the API, in the order they do it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::json;
use store::desk::{Role, Scope};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::{App, PASSWORD, Session, by_page, by_token, post};

#[tokio::test]
async fn the_first_administrator_comes_by_a_link_that_opens_once() {
    let app = App::bare().await;
    let state = || app.send(axum::http::Request::get("/api/v1/auth/state").body(Body::empty()).unwrap());
    assert_eq!(state().await.1["needs_first_admin"], true);
    let token = app.desk.first_admin_link();
    let try_it = |token: &str, password: &str| {
        let body = json!({ "token": token, "email": "boss@example.com", "name": "Boss", "password": password });
        app.send(post("/auth/first-admin", &body).body(Body::from(body.to_string())).unwrap())
    };
    assert_eq!(try_it("guess", PASSWORD).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(try_it(&token, "short").await.0, StatusCode::BAD_REQUEST);
    let (status, me) = try_it(&token, PASSWORD).await;
    assert_eq!(
        (status, me["role"].as_str()),
        (StatusCode::OK, Some("admin")),
        "the link stayed good while the form was not"
    );
    assert_eq!(try_it(&token, PASSWORD).await.0, StatusCode::UNAUTHORIZED);
    let other = app.desk.first_admin_link();
    assert_eq!(try_it(&other, PASSWORD).await.0, StatusCode::CONFLICT, "there is one already");
    assert_eq!(state().await.1["needs_first_admin"], false);
    assert_eq!(app.login("boss@example.com", PASSWORD).await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_invited_person_sets_a_password_of_their_own() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, None).await;
    let new = json!({ "email": "Omar@Example.com", "name": "Omar", "role": "agent", "tenants": [app.a["tenant"]] });
    let (status, user) = app.send(by_page(&boss, "POST", "/users", Some(&new))).await;
    assert_eq!((status, user["email"].as_str()), (StatusCode::CREATED, Some("omar@example.com")));
    let path = format!("/users/{}/links", user["id"].as_str().unwrap());
    let (status, link) = app.send(by_page(&boss, "POST", &path, None)).await;
    assert_eq!(status, StatusCode::CREATED);
    let body = json!({ "token": link["token"] });
    let open = || app.raw(post("/auth/link", &body).body(Body::from(body.to_string())).unwrap());
    let response = open().await;
    assert_eq!(response.status(), StatusCode::OK);
    let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(open().await.status(), StatusCode::UNAUTHORIZED, "once");
    let omar = Session(cookie);
    let set = json!({ "new": "omars own password" });
    assert_eq!(app.send(by_page(&omar, "POST", "/auth/password", Some(&set))).await.0, StatusCode::NO_CONTENT);
    assert_eq!(
        app.send(by_page(&omar, "GET", "/auth/me", None)).await.0,
        StatusCode::UNAUTHORIZED,
        "every session ends"
    );
    assert_eq!(app.login("omar@example.com", "omars own password").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_key_sends_once_and_belongs_to_one_request() {
    let app = App::new().await;
    let (secret, _) = app.token(&[Scope::Sends, Scope::Read], app.tenant(&app.a)).await;
    let path = format!("/conversations/{}/messages", app.a["conversation"]);
    let send = |key: Option<&str>, text: &str| {
        let mut request = by_token(&secret, "POST", &path, Some(&json!({ "text": text })));
        request.headers_mut().remove("idempotency-key");
        if let Some(key) = key {
            request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        }
        app.send(request)
    };
    let (status, answer) = send(None, "hello").await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::BAD_REQUEST, Some("key-required")));
    let (status, first) = send(Some("k1"), "hello").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{first}");
    assert_eq!(send(Some("k1"), "hello").await, (StatusCode::ACCEPTED, first.clone()));
    let (status, answer) = send(Some("k1"), "something else").await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("key-reused")));
    let (_, second) = send(Some("k2"), "hello").await;
    assert_ne!(first["id"], second["id"]);
    let (_, page) = app.send(by_token(&secret, "GET", &path, None)).await;
    let human = page["data"].as_array().unwrap().iter().filter(|m| m["sender"] == "HUMAN").count();
    assert_eq!(human, 2);
    let (_, conversation) =
        app.send(by_token(&secret, "GET", &format!("/conversations/{}", app.a["conversation"]), None)).await;
    assert_eq!((conversation["state"].as_str(), conversation["status"].as_str()), (Some("paused"), Some("open")));
    // An answer that a refusal was stays that refusal.
    app.clock.advance(Duration::from_secs(25 * 3600));
    let (status, late) = send(Some("k3"), "too late").await;
    assert_eq!((status, late["code"].as_str()), (StatusCode::CONFLICT, Some("window-closed")));
    assert_eq!(send(Some("k3"), "too late").await.1["code"], "window-closed");
}

#[tokio::test]
async fn a_row_that_changed_meanwhile_is_not_overwritten() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, None).await;
    let path = format!("/leads/{}?", app.a["lead"]);
    let path = path.trim_end_matches('?');
    let (_, lead) = app.send(by_page(&boss, "GET", path, None)).await;
    let change = |version: &str| {
        let mut request = by_page(&boss, "PATCH", path, Some(&json!({ "name": "Sara" })));
        request.headers_mut().insert("if-match", format!("\"{version}\"").parse().unwrap());
        app.send(request)
    };
    let version = lead["version"].as_str().unwrap();
    assert_eq!(change(version).await.0, StatusCode::OK);
    let (status, answer) = change(version).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::PRECONDITION_FAILED, Some("changed")));
}

/// Reads a stream until it has said `word`.
async fn until(body: &mut Body, seen: &mut String, word: &str) {
    while !seen.contains(word) {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("no {word:?} in {seen:?}")).unwrap().unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn what_is_new_is_told_to_those_who_may_know() {
    let app = App::new().await;
    let (a, _) = app.token(&[Scope::Read, Scope::Conversations], app.tenant(&app.a)).await;
    let (b, _) = app.token(&[Scope::Read, Scope::Conversations], app.tenant(&app.b)).await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(Arc::clone(&app.desk).follow(stop.clone()));
    let mut stream = app.raw(by_token(&a, "GET", "/events", None)).await.into_body();
    let mut seen = String::new();
    until(&mut stream, &mut seen, "event: hello").await;
    let act = |token: &str, id: &str| {
        app.send(by_token(token, "POST", &format!("/conversations/{id}/takeover"), Some(&json!({}))))
    };
    assert_eq!(act(&b, &app.b["conversation"]).await.0, StatusCode::OK);
    assert_eq!(act(&a, &app.a["conversation"]).await.0, StatusCode::OK);
    until(&mut stream, &mut seen, "event: conversation.updated").await;
    assert!(seen.contains(&app.a["conversation"]) && !seen.contains(&app.b["conversation"]), "{seen}");
    let last = seen.lines().rev().find_map(|l| l.strip_prefix("id: ")).unwrap().to_owned();
    drop(stream);
    // Away for a moment: what came meanwhile comes after.
    let back =
        app.send(by_token(&a, "POST", &format!("/conversations/{}/return", app.a["conversation"]), Some(&json!({}))));
    assert_eq!(back.await.0, StatusCode::OK);
    let again = |id: &str| {
        let mut request = by_token(&a, "GET", "/events", None);
        request.headers_mut().insert("last-event-id", id.parse().unwrap());
        app.raw(request)
    };
    let (mut stream, mut seen) = (again(&last).await.into_body(), String::new());
    until(&mut stream, &mut seen, "event: conversation.updated").await;
    assert!(!seen.contains("event: reset"), "{seen}");
    // From another life of the process: everything must be read anew.
    let (mut stream, mut seen) = (again("abcdef01-7").await.into_body(), String::new());
    until(&mut stream, &mut seen, "event: reset").await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    assert!(stream.frame().await.is_none_or(|f| f.is_ok()), "a drain ends the streams");
}

#[tokio::test]
async fn charts_say_the_same_as_a_picture_and_as_a_table() {
    let app = App::new().await;
    let boss = app.person(Role::Viewer, Some(app.tenant(&app.a))).await;
    app.clock.advance(Duration::from_secs(1));
    let (status, series) = app.send(by_page(&boss, "GET", "/analytics/series?time_zone=Asia/Dubai", None)).await;
    assert_eq!((status, series["time_zone"].as_str()), (StatusCode::OK, Some("Asia/Dubai")));
    assert_eq!((&series["total"]["messages_in"], &series["total"]["failed"]), (&json!(2), &json!(1)));
    let points = series["points"].as_array().unwrap();
    let response = app.raw(by_page(&boss, "GET", "/analytics/series.csv?time_zone=Asia/Dubai", None)).await;
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(text.lines().count(), points.len() + 1);
    for wrong in ["time_zone=Mars/Base", "from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", "group=second"] {
        let (status, _) = app.send(by_page(&boss, "GET", &format!("/analytics/series?{wrong}"), None)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

/// S3.7, S3.8: what agents did and cost is shown, an administrator turns one off with the reason on record, and nobody turns another tenant's.
#[tokio::test]
async fn agents_are_shown_and_switched() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, Some(app.tenant(&app.a))).await;
    let get = |path: &'static str| app.send(by_page(&boss, "GET", path, None));
    let (_, agents) = get("/agents").await;
    let desk = &agents["data"][1];
    assert_eq!((&desk["id"], &desk["enabled"], &desk["percent"]), (&json!("front_desk"), &json!(true), &json!(100)));
    assert_eq!(
        (&desk["day"]["turns"], &desk["day"]["cost"], &desk["month"]["p95_ms"]),
        (&json!(1), &json!(1.5), &json!(300))
    );
    assert_eq!(desk["fallbacks"], json!(["claude n"]));
    let (_, sessions) = get("/agent-sessions?agent=front_desk").await;
    assert_eq!((&sessions["data"][0]["tokens_in"], &sessions["data"][0]["outcome"]), (&json!(90), &json!("open")));
    let path = format!("/agent-sessions/{}/turns", app.a["session"]);
    let (_, turns) = app.send(by_page(&boss, "GET", &path, None)).await;
    assert_eq!((&turns["data"][0]["input"], &turns["data"][0]["output"]), (&json!("boom"), &json!("Hello")));

    let off = json!({ "name": "agent:front_desk", "on": false, "reason": "it is rude" });
    let (status, flag) = app.send(by_page(&boss, "PUT", "/flags", Some(&off))).await;
    assert_eq!((status, &flag["on"], &flag["reason"]), (StatusCode::OK, &json!(false), &json!("it is rude")));
    assert_eq!(get("/agents").await.1["data"][1]["enabled"], false);
    let (_, flags) = get("/flags").await;
    assert_eq!((&flags["data"][0]["name"], &flags["data"][0]["on"]), (&json!("agents"), &json!(true)));
    assert_eq!(flags["data"][1]["on"], false);
    let (_, audit) = get("/audit").await;
    assert!(
        audit["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line["action"] == "flag.set" && line["reason"] == "it is rude")
    );
    for (body, want) in [
        (json!({ "name": "agent:nobody", "on": false }), StatusCode::NOT_FOUND),
        (json!({ "name": "agents", "on": false, "tenant": "oasis" }), StatusCode::NOT_FOUND),
        (json!({ "name": "agents", "on": true, "percent": 101 }), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(app.send(by_page(&boss, "PUT", "/flags", Some(&body))).await.0, want, "{body}");
    }
}

/// S3.8: an experiment is not decided before its planned number, whatever the test sees; a winner is picked and taken back with the reason on
/// record, ends the comparison for who had no outcome yet, and nobody picks another tenant's.
#[tokio::test]
async fn a_winner_is_picked_and_taken_back() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, Some(app.tenant(&app.a))).await;
    let shown = || async { app.send(by_page(&boss, "GET", "/experiments", None)).await.1["data"][0].clone() };
    let one = shown().await;
    assert_eq!((&one["planned"], &one["established"], &one["significant"]), (&json!(2), &json!(true), &json!(false)));
    assert_eq!((&one["winner"], &one["picked"], &one["arms"][0]["decided"]), (&json!(null), &json!(null), &json!(0)));

    let path = format!("/experiments/{}/winner", app.a["experiment"]);
    let pick = |path: &str, body: serde_json::Value| app.send(by_page(&boss, "POST", path, Some(&body)));
    let (status, flag) = pick(&path, json!({ "arm": "agent", "reason": "seen enough" })).await;
    assert_eq!((status, &flag["picked"], &flag["percent"]), (StatusCode::OK, &json!("agent"), &json!(100)));
    assert_eq!(shown().await["picked"], "agent");
    let (_, audit) = app.send(by_page(&boss, "GET", "/audit", None)).await;
    let line = audit["data"].as_array().unwrap().iter().find(|l| l["action"] == "experiment.winner").unwrap();
    assert_eq!(line["reason"], "seen enough");
    app.clock.advance(Duration::from_secs(7_200));
    let later = shown().await;
    assert_eq!(later["arms"][0]["decided"], 0, "its outcome came after the pick: {later}");
    let theirs = format!("/experiments/{}/winner", app.b["experiment"]);
    for (path, body, want) in [
        (&path, json!({ "arm": "nobody" }), StatusCode::BAD_REQUEST),
        (&path, json!({}), StatusCode::BAD_REQUEST),
        (&theirs, json!({ "arm": "agent" }), StatusCode::NOT_FOUND),
        (&theirs, json!({ "arm": "agent", "tenant": "oasis" }), StatusCode::NOT_FOUND),
        (&path, json!({ "arm": null }), StatusCode::OK),
    ] {
        assert_eq!(pick(path, body.clone()).await.0, want, "{path} {body}");
    }
    assert_eq!(shown().await["picked"], json!(null));
}

/// What a program has already is not sent again, and a row's tag is what `If-Match` takes.
#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, None).await;
    for (path, changes) in [(format!("/leads/{}", app.a["lead"]), true), ("/failed-sends".to_owned(), false)] {
        let ask = |tag: Option<String>| {
            let mut request = by_page(&boss, "GET", &path, None);
            if let Some(tag) = tag {
                request.headers_mut().insert("if-none-match", tag.parse().unwrap());
            }
            app.raw(request)
        };
        let first = ask(None).await;
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let again = ask(Some(tag.clone())).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()["etag"].to_str().unwrap(), tag);
        assert!(again.into_body().collect().await.unwrap().to_bytes().is_empty());
        assert_eq!(ask(Some("\"other\"".into())).await.status(), StatusCode::OK);
        if !changes {
            continue;
        }
        for (tag, status) in [("\"1\"", StatusCode::PRECONDITION_FAILED), (tag.as_str(), StatusCode::OK)] {
            let mut request = by_page(&boss, "PATCH", &path, Some(&json!({ "name": "Sara" })));
            request.headers_mut().insert("if-match", tag.parse().unwrap());
            assert_eq!(app.send(request).await.0, status, "{tag}");
        }
    }
}

/// Lists take a span of time.
#[tokio::test]
async fn lists_take_a_span_of_time() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, Some(app.tenant(&app.a))).await;
    for path in ["/failed-sends", "/dead-letters", "/jobs", "/audit"] {
        let count = async |query: &str| {
            let (status, page) = app.send(by_page(&boss, "GET", &format!("{path}?{query}"), None)).await;
            assert_eq!(status, StatusCode::OK, "{path}?{query}: {page}");
            page["data"].as_array().unwrap().len()
        };
        assert!(count("from=2027-01-15T07:59:59Z").await > 0, "{path}");
        assert_eq!(count("from=2027-01-15T08:30:00Z").await, 0, "{path}");
        assert_eq!(count("to=2027-01-15T07:59:59Z").await, 0, "{path}");
        assert!(count("to=2027-01-15T08:30:00Z&limit=1").await > 0, "{path}");
    }
}

/// A refusal says which part of the body is wrong.
#[tokio::test]
async fn a_refusal_points_at_what_is_wrong() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, None).await;
    for (path, body, pointer) in [
        ("/webhook-endpoints", json!({ "url": "ftp://x.example", "events": ["lead.created"] }), "/url"),
        ("/webhook-endpoints", json!({ "url": "https://x.example", "events": [] }), "/events"),
        ("/tasks", json!({ "title": "   " }), "/title"),
    ] {
        let (status, answer) = app.send(by_page(&boss, "POST", path, Some(&body))).await;
        let found = answer["errors"][0]["pointer"].as_str();
        assert_eq!((status, found), (StatusCode::BAD_REQUEST, Some(pointer)), "{answer}");
    }
}
