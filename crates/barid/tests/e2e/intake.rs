//! What comes in, and who may send it (S1).

use serde_json::Value;
use simulator::lead::{GreenSource, MetaSource, Webhook};
use tokio::task::JoinSet;

use crate::support::{HELLO, INSTANCE, PATIENCE, PNID, PNID_B, Setup, TENANT_B, World, instance, number};

/// Everything that intake may write.
const STORED: &str =
    "SELECT (SELECT COUNT(*) FROM message), (SELECT COUNT(*) FROM events), (SELECT COUNT(*) FROM receipts),
                             (SELECT COUNT(*) FROM contacts), (SELECT COUNT(*) FROM jobs)";
const NOTHING: &str = "0|0|0|0|0";

fn with(webhook: &Webhook, proof: &str) -> Webhook {
    Webhook { proof: proof.to_owned(), ..webhook.clone() }
}

/// RELIABILITY 4.1, 4.2: a byte, a case, a cut or a rewritten body is 401, and nothing is stored.
#[tokio::test(flavor = "multi_thread")]
async fn only_metas_own_signature_over_the_very_bytes_opens() {
    let world = World::new().await;
    let good = world.meta.lead("971500000101", "Lina").text(HELLO);
    let digits = good.proof.strip_prefix("sha256=").unwrap();
    let flipped = format!("sha256={}{}", if digits.starts_with('0') { '1' } else { '0' }, &digits[1..]);
    let pretty: Value = serde_json::from_slice(&good.body).unwrap();
    let rewritten = serde_json::to_vec_pretty(&pretty).unwrap();
    for (what, webhook) in [
        ("flipped", with(&good, &flipped)),
        ("upper case", with(&good, &format!("sha256={}", digits.to_uppercase()))),
        ("truncated", with(&good, &good.proof[..good.proof.len() - 1])),
        ("without its scheme", with(&good, digits)),
        ("empty", with(&good, "")),
        ("another algorithm", with(&good, &format!("sha1={}", &digits[..40]))),
        ("rewritten", Webhook { body: rewritten.into(), ..good.clone() }),
        ("a byte more", Webhook { body: [&good.body[..], b" "].concat().into(), ..good.clone() }),
    ] {
        // A digest of letters alone has no upper case to be wrong in, but one of digits alone does not come up.
        assert_eq!(world.post(&webhook).await, 401, "{what}");
    }
    let bare = world.http.post(world.url("/api/webhooks/whatsapp")).header("content-type", "application/json");
    assert_eq!(bare.body(good.body.clone()).send().await.unwrap().status(), 401, "absent");
    assert_eq!(world.one(STORED).await, NOTHING);
    assert_eq!(world.post(&good).await, 200);
    assert_eq!(world.one("SELECT COUNT(*) FROM message WHERE direction = 'in'").await, "1");
}

/// S7.1, RELIABILITY 4.5: one tenant's secret opens no door of another, neither Meta's nor Green API's.
#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_one_tenant_speaks_for_no_number_of_another() {
    let world = Setup::default().more(TENANT_B).start().await;
    let forger = MetaSource::new(&number(PNID_B, "test_app_secret", "x"), world.clock.clone());
    assert_eq!(world.post(&forger.lead("971500000101", "Lina").text(HELLO)).await, 401);
    let forger = GreenSource::new(&instance("1101000002", "hook-a", "x"), world.clock.clone());
    assert_eq!(world.post(&forger.lead("971500000101", "Lina").text(HELLO)).await, 401);
    assert_eq!(world.one(STORED).await, NOTHING);
}

/// S1.2: the token may come as Bearer, Basic or bare.
#[tokio::test(flavor = "multi_thread")]
async fn green_apis_token_comes_in_three_forms() {
    let world = World::new().await;
    for (n, (proof, status)) in [
        ("Bearer hook-a", 200),
        ("hook-a", 200),
        ("Basic hook-a", 200),
        ("Bearer hook-b", 401),
        ("hook-", 401),
        ("Bearer", 401),
        ("Bearer hook-a ", 200),
        ("", 401),
    ]
    .into_iter()
    .enumerate()
    {
        let webhook = world.green.lead(&format!("97150000010{n}"), "Lina").text(HELLO);
        assert_eq!(world.post(&with(&webhook, proof)).await, status, "{proof:?}");
    }
    assert_eq!(world.one("SELECT COUNT(*) FROM message WHERE direction = 'in'").await, "4");
}

/// S1.1, RELIABILITY 4.6: the challenge goes back as plain text to who knows the token, and to nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_is_answered_with_the_challenge() {
    let world = World::new().await;
    let ask = async |mode: &str, token: &str, challenge: &str| {
        let query = [("hub.mode", mode), ("hub.verify_token", token), ("hub.challenge", challenge)];
        let answer = world.http.get(world.url("/api/webhooks/whatsapp")).query(&query).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.text().await.unwrap())
    };
    let (status, kind, body) = ask("subscribe", "verify-a", "1158201444").await;
    assert_eq!((status, body.as_str()), (200, "1158201444"));
    assert!(kind.starts_with("text/plain"), "{kind}");
    for (mode, token) in [("subscribe", "wrong"), ("subscribe", ""), ("unsubscribe", "verify-a")] {
        let (status, _, body) = ask(mode, token, "1158201444").await;
        assert_eq!(status, 403, "{mode} {token}");
        assert!(!body.contains("1158201444"), "{body}");
    }
    let (status, kind, body) = ask("subscribe", "verify-a", "<script>alert(1)</script>").await;
    assert!(status == 403 || kind.starts_with("text/plain"), "{status} {kind}");
    assert!(status == 200 || !body.contains("<script>"), "{body}");
    let (status, _, _) = ask("subscribe", "wrong", "<script>alert(1)</script>").await;
    assert_eq!(status, 403);
}

/// S1.5: what cannot be accepted is refused with a problem document that names the request.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_problem_documents() {
    let world = Setup::default().env(&[("BARID__SERVER__MAX_BODY", "20KB")]).start().await;
    let good = world.meta.lead("971500000101", "Lina").text(HELLO);
    let typed = |kind: &'static str| {
        let request = world.http.post(world.url("/api/webhooks/whatsapp")).header("content-type", kind);
        request.header(good.header(), &good.proof).body(good.body.clone())
    };
    let big = world.meta.lead("971500000101", "Lina").text(&"x".repeat(21 * 1024));
    let stranger = MetaSource::new(&number("999999999999999", "test_app_secret", "x"), world.clock.clone());
    let stranger = stranger.lead("971500000101", "Lina").text(HELLO);
    let nobody = GreenSource::new(&instance("1101999999", "hook-a", "x"), world.clock.clone());
    let nobody = nobody.lead("971500000101", "Lina").text(HELLO);
    let word = world.meta.sign("", "", b"not json".to_vec());
    for (what, request, status) in [
        ("plain text", typed("text/plain"), 415),
        ("a form", typed("application/x-www-form-urlencoded"), 415),
        ("gzip", world.request(&good).header("content-encoding", "gzip"), 415),
        ("too long", world.request(&big), 413),
        ("an unknown number", world.request(&stranger), 404),
        ("an unknown instance", world.request(&nobody), 404),
        ("no JSON", world.request(&word), 400),
        ("no signature", world.request(&with(&good, "sha256=00")), 401),
    ] {
        let answer = request.header("x-request-id", "trace-me-0001").send().await.unwrap();
        let headers = answer.headers().clone();
        let (got, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(got, status, "{what}: {body}");
        assert_eq!(headers["content-type"], "application/problem+json", "{what}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["status"], status, "{what}: {body}");
        for field in ["type", "title", "detail"] {
            assert!(problem[field].as_str().is_some_and(|t| !t.is_empty()), "{what}: no {field} in {body}");
        }
        assert_eq!(headers["x-request-id"], "trace-me-0001", "{what}");
        assert!(body.contains("trace-me-0001"), "{what}: {body}");
    }
    assert_eq!(world.one("SELECT kind FROM events").await, "not_json");
    assert_eq!(world.one("SELECT COUNT(*) FROM message").await, "0");
    let typed = typed("application/json; charset=utf-8").send().await.unwrap();
    assert_eq!(typed.status(), 200);
    assert!(typed.headers()["x-request-id"].len() >= 8, "a request without a name gets one");
}

/// S1.5: the limit holds for a body that does not say how long it is, and the right one just below it passes.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length_has_the_same_limit() {
    let world = Setup::default().env(&[("BARID__SERVER__MAX_BODY", "20KB")]).start().await;
    for (length, status) in [(21 * 1024, "413"), (15 * 1024, "200")] {
        let webhook = world.meta.lead("971500000101", "Lina").text(&"x".repeat(length));
        let answer = crate::clients::chunked(world.app().address(), &webhook).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{length}: {answer}");
    }
}

/// S1.5: where the operator wants it, a number that is not configured is kept and answered 200.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_numbers_can_be_kept() {
    let world = Setup::default().env(&[("BARID__SERVER__UNROUTED", "store")]).start().await;
    let stranger = MetaSource::new(&number("999999999999999", "test_app_secret", "x"), world.clock.clone());
    let webhook = stranger.lead("971500000101", "Lina").text("kept for later");
    world.accept(&webhook).await;
    let nobody = GreenSource::new(&instance("1101999999", "hook-a", "x"), world.clock.clone());
    world.accept(&nobody.lead("971500000101", "Lina").text("kept too")).await;
    assert_eq!(world.one("SELECT COUNT(*) FROM events WHERE kind = 'unrouted' AND raw LIKE '%kept%'").await, "2");
    assert_eq!(world.one("SELECT COUNT(*) FROM message").await, "0");
}

/// S1.6, RELIABILITY 17: thirty copies at once are thirty 200s, one stored message and one reply.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_copies_at_once_make_one_reply() {
    let world = World::new().await;
    let webhook = world.meta.lead("971500000101", "Lina").text(HELLO);
    let mut posts = JoinSet::new();
    for _ in 0..30 {
        posts.spawn(world.request(&webhook).send());
    }
    let answers = posts.join_all().await;
    assert!(answers.into_iter().all(|a| a.unwrap().status() == 200));
    world.settled().await;
    assert_eq!(world.one("SELECT COUNT(*) FROM message WHERE direction = 'in'").await, "1");
    assert_eq!(world.one("SELECT COUNT(*) FROM jobs").await, "1");
    assert_eq!(world.sent_to("971500000101").len(), 1);
    let again = world.accept(&webhook).await;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&Value::from(0), &Value::from(1)));
}

/// S1.7: whatever of a new contact comes at once, by either provider, makes one contact per tenant and one conversation per number.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_new_contact_at_once_make_one_contact() {
    let world = World::new().await;
    let phone = "971500000101";
    let webhooks = (0..10).map(|n| world.meta.lead(phone, "Lina").text(&format!("hello {n}")));
    let webhooks = webhooks.chain([world.green.lead(phone, "Lina").text(HELLO)]);
    let mut posts = JoinSet::new();
    for webhook in webhooks {
        posts.spawn(world.request(&webhook).send());
    }
    assert!(posts.join_all().await.into_iter().all(|a| a.unwrap().status() == 200));
    assert_eq!(world.one("SELECT COUNT(*) FROM contacts").await, "1");
    assert_eq!(world.one("SELECT COUNT(*) FROM lead WHERE status = 'open'").await, "1");
    let per_channel = "SELECT c.external_id, COUNT(*) FROM conversation v JOIN channels c ON c.id = v.channel_id GROUP BY 1 ORDER BY 1";
    assert_eq!(world.rows(per_channel).await, [format!("{PNID}|1"), format!("{INSTANCE}|1")]);
    world.settled().await;
    assert!(world.sim.wait_accepted(2, PATIENCE).await);
}

/// S1.7: a person known by number is found again by the business-scoped id that came with it, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_found_again_by_any_of_its_ids() {
    let world = World::new().await;
    let both = world.meta.lead("971500000101", "Lina").with_bsuid("AE.lina1").text(HELLO);
    world.accept(&both).await;
    world.accept(&world.meta.lead("", "Lina").with_bsuid("AE.lina1").text("a username now")).await;
    world.accept(&world.meta.lead("971500000101", "Lina").text("the number again")).await;
    world.accept(&world.meta.lead("", "Omar").with_bsuid("AE.omar2").text("somebody else")).await;
    assert_eq!(world.one("SELECT COUNT(*) FROM contacts").await, "2");
    assert_eq!(world.one("SELECT COUNT(*) FROM conversation").await, "2");
    world.settled().await;
    let to_omar: Vec<_> = world.sim.ledger().iter().filter(|a| &*a.to == "AE.omar2").map(|a| a.to.clone()).collect();
    assert_eq!(to_omar.len(), 1, "who has no number is answered by the other id");
}
