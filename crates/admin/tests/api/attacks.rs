//! Attacks (RELIABILITY 4, 16 to 22), each against every route that it could be made on: the routes come from the description.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use store::accounts::tokens::Revoke;
use store::desk::{Access, By, Role, Scope};

use crate::support::{App, PASSWORD, add_user, body_of, by_page, by_token, filled, finish, operations, post};

/// S7.1: with the id of another tenant's row, every route says that there is none, whatever one may do at one's own.
#[tokio::test]
async fn another_tenants_rows_are_not_there_on_any_route() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, Some(app.tenant(&app.a))).await;
    let all = [
        Scope::Read,
        Scope::Conversations,
        Scope::Sends,
        Scope::Leads,
        Scope::Notifications,
        Scope::DeadLetters,
        Scope::Settings,
    ];
    let (program, _) = app.token(&all, app.tenant(&app.a)).await;
    let mut tried = 0;
    for (method, path, _) in operations().into_iter().filter(|(_, path, _)| path.contains("{id}")) {
        let body = body_of(&method, &path);
        let theirs = filled(&path, &app.b);
        for request in
            [by_page(&boss, &method, &theirs, body.as_ref()), by_token(&program, &method, &theirs, body.as_ref())]
        {
            let (status, answer) = app.send(request).await;
            assert_eq!(
                (status, answer["code"].as_str()),
                (StatusCode::NOT_FOUND, Some("not-found")),
                "{method} {path}"
            );
        }
        tried += 1;
    }
    assert!(tried > 30, "{tried} routes with an id");
}

/// The same for lists: another tenant cannot be named, and none of its ids is in any answer.
#[tokio::test]
async fn another_tenants_rows_are_in_no_list() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, Some(app.tenant(&app.a))).await;
    let mut named = 0;
    for (method, path, operation) in operations() {
        if method != "GET"
            || path.contains('{')
            || path == "/events"
            || path.starts_with("/simulator")
            || path.starts_with("/auth")
        {
            continue;
        }
        let response = app.raw(by_page(&boss, "GET", &path, None)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&text);
        for (kind, id) in app.b.iter().filter(|(kind, _)| **kind != "slug") {
            assert!(!text.contains(id.as_str()), "{path} shows their {kind}");
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        if parameters.iter().any(|p| p["name"] == "tenant") {
            for name in [&app.b["slug"], &app.b["tenant"]] {
                let (status, _) = app.send(by_page(&boss, "GET", &format!("{path}?tenant={name}"), None)).await;
                assert_eq!(status, StatusCode::NOT_FOUND, "{path} for {name}");
            }
            named += 1;
        }
    }
    assert!(named > 15, "{named} lists name a tenant");
    for (path, body) in [
        ("/tasks", json!({ "title": "x", "tenant": "oasis" })),
        ("/tasks", json!({ "title": "x", "lead_id": app.b["lead"] })),
        ("/tasks", json!({ "title": "x", "conversation_id": app.b["conversation"] })),
        ("/batches", json!({ "action": "retry_failed_sends", "tenant": "oasis" })),
        ("/notifications/read-all", json!({ "tenant": "oasis" })),
        ("/users", json!({ "email": "x@example.com", "name": "x", "role": "viewer", "tenants": [app.b["tenant"]] })),
        ("/tokens", json!({ "name": "x", "scopes": ["read"], "tenants": [app.b["tenant"]] })),
    ] {
        let (status, _) = app.send(by_page(&boss, "POST", path, Some(&body))).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path} {body}");
    }
    let more = json!({ "name": "x", "scopes": ["read"], "all_tenants": true });
    let (status, _) = app.send(by_page(&boss, "POST", "/tokens", Some(&more))).await;
    assert_eq!(status, StatusCode::CONFLICT, "nobody gives every tenant who has not");
    // A batch that names their rows leaves them alone.
    let body = json!({ "action": "retry_failed_sends", "dry_run": true, "filter": { "ids": [app.b["failed"]] } });
    let (status, trial) = app.send(by_page(&boss, "POST", "/batches", Some(&body))).await;
    assert_eq!(
        (status, &trial["done"], &trial["skipped"][0]["reason"]),
        (StatusCode::OK, &json!(0), &json!("not_found"))
    );
}

/// RELIABILITY 4.17: what a page of another site makes the browser send is refused, on every route that changes something.
#[tokio::test]
async fn another_site_cannot_make_the_browser_act() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, None).await;
    let mut tried = 0;
    for (method, path, _) in operations().into_iter().filter(|(method, ..)| method != "GET") {
        let url = if path.contains("{id}") { filled(&path, &app.a) } else { path.clone() };
        for marks in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://evil.example"), ("host", "bot.example.com")],
            &[("origin", "null"), ("host", "bot.example.com")],
            &[],
        ] {
            // Without any mark only a cookie makes it suspicious: signing in carries none.
            if marks.is_empty()
                && path.starts_with("/auth/")
                && !matches!(path.as_str(), "/auth/logout" | "/auth/password")
            {
                continue;
            }
            let mut builder = Request::builder().method(method.as_str()).uri(format!("/api/v1{url}"));
            builder = builder.header("cookie", &boss.0).header("idempotency-key", types::clock::random_token());
            for (name, value) in marks {
                builder = builder.header(*name, *value);
            }
            let (status, answer) = app.send(finish(builder, body_of(&method, &path).as_ref())).await;
            assert_eq!(
                (status, answer["code"].as_str()),
                (StatusCode::FORBIDDEN, Some("cross-site")),
                "{method} {path} {marks:?}"
            );
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried} tries");
    let (status, _) = app.send(by_page(&boss, "GET", "/auth/me", None)).await;
    assert_eq!(status, StatusCode::OK, "not one of them signed us out");
}

/// R12: rights are checked at the server for every verb, before anything else is looked at.
#[tokio::test]
async fn less_rights_do_less_on_every_route() {
    let app = App::new().await;
    let tenant = app.tenant(&app.a);
    let viewer = app.person(Role::Viewer, Some(tenant)).await;
    let agent = app.person(Role::Agent, Some(tenant)).await;
    let (reader, _) = app.token(&[Scope::Read], tenant).await;
    let rank = |role: &str| ["viewer", "agent", "admin"].iter().position(|r| *r == role).unwrap();
    for (method, path, operation) in operations() {
        let url = if path.contains("{id}") { filled(&path, &app.a) } else { path.clone() };
        let open = operation["security"].as_array().unwrap().is_empty();
        if open {
            continue;
        }
        let nobody = Request::builder()
            .method(method.as_str())
            .uri(format!("/api/v1{url}"))
            .header("sec-fetch-site", "same-origin");
        let (status, _) = app.send(nobody.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}: nobody");
        let Some(role) = operation["x-role"].as_str() else { continue };
        for (person, has) in [(&viewer, 0), (&agent, 1)] {
            if rank(role) > has {
                // Not even a broken body changes the answer.
                let broken = json!({ "nonsense": true });
                let (status, answer) = app.send(by_page(person, &method, &url, Some(&broken))).await;
                let found = (status, answer["code"].as_str());
                assert_eq!(found, (StatusCode::FORBIDDEN, Some("forbidden")), "{method} {path}: {has}");
            }
        }
        if operation["x-scope"] != "read" {
            let (status, _) = app.send(by_token(&reader, &method, &url, None)).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: a token that reads");
        }
    }
}

/// RELIABILITY 4.18: a session that somebody planted never becomes a signed-in one; signing out ends it at the server.
#[tokio::test]
async fn a_planted_session_stays_worthless_and_signing_out_ends_the_real_one() {
    let app = App::bare().await;
    add_user(&app.store, "sara@example.com", Role::Agent, None).await;
    let body = json!({ "email": "sara@example.com", "password": PASSWORD });
    let planted = "barid=0000000000000000000000000000000000000000000000000000000000000000";
    let request = post("/auth/login", &body).header("cookie", planted).body(Body::from(body.to_string())).unwrap();
    let response = app.raw(request).await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    let real = crate::support::Session(cookie.split(';').next().unwrap().to_owned());
    assert_ne!(real.0, planted);
    assert!(real.0.len() >= "barid=".len() + 64, "256 bits");
    let planted = crate::support::Session(planted.to_owned());
    assert_eq!(app.send(by_page(&planted, "GET", "/auth/me", None)).await.0, StatusCode::UNAUTHORIZED);
    // Signing in again takes another session, and the first is gone.
    let request = post("/auth/login", &body).header("cookie", &real.0).header("sec-fetch-site", "same-origin");
    let response = app.raw(request.body(Body::from(body.to_string())).unwrap()).await;
    let second = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let second = crate::support::Session(second);
    assert_ne!(second.0, real.0);
    assert_eq!(app.send(by_page(&real, "GET", "/auth/me", None)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(app.send(by_page(&second, "POST", "/auth/logout", None)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(app.send(by_page(&second, "GET", "/auth/me", None)).await.0, StatusCode::UNAUTHORIZED);
    let dump =
        app.one("SELECT COUNT(*) FROM sessions WHERE digest LIKE '%barid%' OR LENGTH(digest) <> 64".into()).await;
    assert_eq!(dump, "0", "the database holds digests only");
}

/// RELIABILITY 4.18: over https the cookie travels by https alone, and no other host can set or overwrite it.
#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host() {
    let app = App::bare().await;
    app.desk.change(admin::api::Options { https: true, ..admin::api::Options::default() });
    add_user(&app.store, "sara@example.com", Role::Agent, None).await;
    let body = json!({ "email": "sara@example.com", "password": PASSWORD });
    let response = app.raw(post("/auth/login", &body).body(Body::from(body.to_string())).unwrap()).await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-barid=") && cookie.contains("; Secure") && !cookie.contains("Domain"),
        "{cookie}"
    );
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    let plain = crate::support::Session(format!("barid={secret}"));
    assert_eq!(
        app.send(by_page(&plain, "GET", "/auth/me", None)).await.0,
        StatusCode::UNAUTHORIZED,
        "not by its other name"
    );
    let bound = crate::support::Session(format!("__Host-barid={secret}"));
    assert_eq!(app.send(by_page(&bound, "GET", "/auth/me", None)).await.0, StatusCode::OK);
}

/// RELIABILITY 4.21: whoever was shut out since their link was made is told that it does not open, not that something is missing.
#[tokio::test]
async fn a_link_of_somebody_who_was_shut_out_does_not_open() {
    let app = App::bare().await;
    let sara = add_user(&app.store, "sara@example.com", Role::Agent, None).await;
    let day = std::time::Duration::from_secs(86_400);
    let purpose = store::accounts::links::Purpose::SignIn;
    let secret = admin::api::Desk::link(&app.store, purpose, Some(sara), day).await.unwrap();
    let change = store::accounts::users::Change { disabled: Some(true), ..Default::default() };
    let set = store::accounts::users::Set { id: sara, change, version: None, access: Access::All, by: By::command() };
    app.store.write(set).await.unwrap();
    let body = json!({ "token": secret });
    let (status, answer) = app.send(post("/auth/link", &body).body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("link")));
}

/// RELIABILITY 4.20: passwords cannot be tried at speed; who is not there gets the same answer as who is.
#[tokio::test]
async fn passwords_cannot_be_tried_at_speed() {
    let app = App::bare().await;
    add_user(&app.store, "sara@example.com", Role::Agent, None).await;
    let try_it = |email: &'static str, password: &'static str| {
        let body = json!({ "email": email, "password": password });
        app.send(post("/auth/login", &body).body(Body::from(body.to_string())).unwrap())
    };
    let (known, unknown) = (try_it("sara@example.com", "wrong").await, try_it("nobody@example.com", "wrong").await);
    assert_eq!(known.0, StatusCode::UNAUTHORIZED);
    assert_eq!(known, unknown, "the answer does not say who is there");
    for _ in 0..4 {
        assert_eq!(try_it("sara@example.com", "wrong").await.0, StatusCode::UNAUTHORIZED);
    }
    let (status, answer) = try_it("sara@example.com", PASSWORD).await;
    let stopped = (StatusCode::TOO_MANY_REQUESTS, Some("too-many-attempts"));
    assert_eq!((status, answer["code"].as_str()), stopped, "even with the right one");
    let (status, answer) = try_it("SARA@example.com ", PASSWORD).await;
    assert_eq!((status, answer["code"].as_str()), stopped, "written otherwise, it is the same account");
    app.clock.advance(std::time::Duration::from_secs(31));
    assert_eq!(app.login("sara@example.com", PASSWORD).await.0, StatusCode::OK, "after the wait");
}

/// RELIABILITY 4.21: a token ends at once when it is revoked.
#[tokio::test]
async fn a_revoked_token_is_worth_nothing() {
    let app = App::new().await;
    let (secret, id) = app.token(&[Scope::Read], app.tenant(&app.a)).await;
    assert_eq!(app.send(by_token(&secret, "GET", "/conversations", None)).await.0, StatusCode::OK);
    app.store.write(Revoke { id, access: Access::All, by: By::command() }).await.unwrap();
    assert_eq!(app.send(by_token(&secret, "GET", "/conversations", None)).await.0, StatusCode::UNAUTHORIZED);
    for wrong in ["", "brd_", "brd_x", "x", &secret[..secret.len() - 1]] {
        assert_eq!(
            app.send(by_token(wrong, "GET", "/conversations", None)).await.0,
            StatusCode::UNAUTHORIZED,
            "{wrong}"
        );
    }
}

/// RELIABILITY 4.22: what strangers write stays data, in JSON and in tables for other programs.
#[tokio::test]
async fn scripts_and_formulas_stay_data() {
    let app = App::new().await;
    let boss = app.person(Role::Admin, Some(app.tenant(&app.a))).await;
    let response = app.raw(by_page(&boss, "GET", "/conversations", None)).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (_, page) = app.send(by_page(&boss, "GET", "/conversations", None)).await;
    assert_eq!(page["data"][0]["contact_name"], "<img src=x onerror=alert(1)>");
    let name = json!({ "name": "=HYPERLINK(\"http://x\",\"y\")", "service": "@SUM(1)" });
    let lead = format!("/leads/{}", app.a["lead"]);
    assert_eq!(app.send(by_page(&boss, "PATCH", &lead, Some(&name))).await.0, StatusCode::OK);
    let response = app.raw(by_page(&boss, "GET", "/leads.csv", None)).await;
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("'=HYPERLINK") && text.contains("'@SUM") && !text.contains(",=HYPER"), "{text}");
}

/// RELIABILITY 4.7, 4.9: bodies that are too large, no JSON, too deep or of another kind are refused in words.
#[tokio::test]
async fn bad_bodies_are_refused() {
    let app = App::new().await;
    let (secret, _) = app.token(&[Scope::Conversations], app.tenant(&app.a)).await;
    let path = format!("/conversations/{}/notes", app.a["conversation"]);
    let notes = |kind: &str, body: Vec<u8>| {
        let request = by_token(&secret, "POST", &path, None);
        let (mut parts, _) = request.into_parts();
        parts.headers.insert("content-type", kind.parse().unwrap());
        Request::from_parts(parts, Body::from(body))
    };
    for (kind, body, status) in [
        ("application/json", vec![b'x'; 300 * 1024], 413),
        ("text/plain", b"{\"body\":\"x\"}".to_vec(), 415),
        ("application/json", b"{".to_vec(), 400),
        ("application/json", [b"[".repeat(100_000)].concat(), 400),
        ("application/json", b"{\"body\":\"x\",\"tenant_id\":\"1\"}".to_vec(), 400),
        ("application/json", b"{\"body\":5}".to_vec(), 400),
        ("application/json", b"[\"x\"]".to_vec(), 400),
        ("application/json", b"{\"body\":\"   \"}".to_vec(), 400),
        ("application/json", b"{\"body\":\"\xff\"}".to_vec(), 400),
    ] {
        let (found, answer) = app.send(notes(kind, body.clone())).await;
        assert_eq!(found.as_u16(), status, "{kind} {:?}", &body[..body.len().min(40)]);
        assert_eq!(answer["status"], status, "it is a problem document");
    }
    for (path, status) in [
        ("/conversations/x", 400),
        ("/conversations/-1", 400),
        ("/conversations/99999999999999999999", 400),
        ("/conversations?limit=0", 400),
        ("/conversations?limit=x", 400),
        ("/conversations?unheard=1", 400),
        ("/conversations?cursor=AAAA", 400),
        ("/nowhere", 404),
    ] {
        let (reader, _) = app.token(&[Scope::Read], app.tenant(&app.a)).await;
        assert_eq!(app.send(by_token(&reader, "GET", path, None)).await.0.as_u16(), status, "{path}");
    }
    let (status, answer) = app.send(by_token(&secret, "DELETE", &path, None)).await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (405, Some("method")));
}
