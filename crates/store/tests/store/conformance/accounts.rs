//! Who may do what: people, sessions, tokens, links, failed sign-ins, keys.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use store::accounts::failures::{Counted, Note, Wait};
use store::accounts::keys::{Known, Settle, Take};
use store::accounts::links::{self, Open, Purpose};
use store::accounts::{Which, sessions, tokens, users};
use store::desk::{Access, After, By, Role, Scope, User};
use types::TenantId;

use crate::support::Db;

for_each_database!(
    a_session_ends_by_hand_by_time_and_with_its_user,
    nobody_gives_more_than_they_have,
    the_last_administrator_stays,
    a_token_ends_when_it_is_revoked,
    links_open_once,
    sign_ins_that_fail_must_wait_longer_and_longer,
    a_key_does_a_thing_once,
);

pub fn add(email: &str, role: Role, tenants: Option<Vec<TenantId>>) -> users::Add {
    users::Add {
        email: email.into(),
        name: email.into(),
        role,
        password: "hash".into(),
        all_tenants: tenants.is_none(),
        tenants: tenants.unwrap_or_default(),
        first: false,
        access: Access::All,
        by: By::command(),
    }
}

async fn user(db: &Db, email: &str, role: Role) -> User {
    db.store.write(add(email, role, None)).await.unwrap()
}

fn begin(user: &User, digest: &str, instead_of: Option<&str>) -> sessions::Begin {
    sessions::Begin {
        user: user.id,
        digest: digest.into(),
        instead_of: instead_of.map(str::to_owned),
        ip: None,
        agent: None,
        request_id: String::new(),
        how: "password",
    }
}

async fn found(db: &Db, digest: &str) -> bool {
    db.store.read(sessions::Find(digest.into())).await.unwrap().is_some()
}

async fn a_session_ends_by_hand_by_time_and_with_its_user(db: &Db) {
    let there = async || (db.store.read(users::Any).await.unwrap(), db.store.read(users::HasAdmin).await.unwrap());
    assert_eq!(there().await, (false, false));
    let sara = user(db, "sara@example.com", Role::Agent).await;
    assert_eq!(there().await, (true, false), "who is no administrator makes none");
    let boss = user(db, "Boss@Example.com ", Role::Admin).await;
    assert_eq!(there().await, (true, true));
    assert_eq!(db.store.read(users::PasswordOf("BOSS@example.com".into())).await.unwrap().unwrap().0, boss.id);
    assert_eq!(db.store.read(users::OwnPassword(sara.id)).await.unwrap().as_deref(), Some("hash"));
    db.store.write(begin(&sara, "one", None)).await.unwrap();
    db.store.write(begin(&sara, "two", Some("one"))).await.unwrap();
    assert!(!found(db, "one").await && found(db, "two").await, "a new sign-in takes the place of the old one");
    db.store.write(sessions::End { digest: "two".into(), by: By::command() }).await.unwrap();
    assert!(!found(db, "two").await);
    db.store.write(begin(&sara, "three", None)).await.unwrap();
    db.pass(sessions::IDLE.as_secs() - 1);
    db.store.write(sessions::Touch("three".into())).await.unwrap();
    db.pass(10);
    assert!(found(db, "three").await);
    db.pass(sessions::IDLE.as_secs());
    assert!(!found(db, "three").await, "idle for too long");
    db.store.write(begin(&sara, "four", None)).await.unwrap();
    let set = |change| users::Set { id: sara.id, change, version: None, access: Access::All, by: By::command() };
    let less = users::Change { role: Some(Role::Viewer), ..users::Change::default() };
    db.store.write(set(less)).await.unwrap();
    assert!(!found(db, "four").await, "less rights end sessions");
    db.store.write(begin(&sara, "five", None)).await.unwrap();
    let password = users::SetPassword { id: sara.id, password: "new".into(), access: Access::All, by: By::command() };
    db.store.write(password).await.unwrap();
    assert!(!found(db, "five").await, "a new password ends sessions");
    let out = users::Change { disabled: Some(true), ..users::Change::default() };
    let stale = users::Set { version: Some("1".into()), ..set(out.clone()) };
    assert!(matches!(db.store.write(stale).await, Err(StoreError::Changed(_))));
    db.store.write(set(out)).await.unwrap();
    assert!(matches!(db.store.write(begin(&sara, "six", None)).await, Err(StoreError::NotFound { .. })));
    let again = db.store.write(add("sara@example.com", Role::Admin, None)).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "an address is taken once");
    let first = users::Add { first: true, ..add("x@example.com", Role::Admin, None) };
    assert!(matches!(db.store.write(first).await, Err(StoreError::Refused(_))), "there is an administrator");
}

async fn nobody_gives_more_than_they_have(db: &Db) {
    let some = Access::Only(Arc::from([db.meta.tenant]));
    let all = users::Add { access: some.clone(), ..add("a@example.com", Role::Agent, None) };
    assert!(matches!(db.store.write(all).await, Err(StoreError::Refused(_))));
    let other = users::Add { access: some.clone(), ..add("b@example.com", Role::Agent, Some(vec![TenantId(1)])) };
    assert!(matches!(db.store.write(other).await, Err(StoreError::NotFound { .. })));
    let own = users::Add { access: some.clone(), ..add("c@example.com", Role::Agent, Some(vec![db.meta.tenant])) };
    let own = db.store.write(own).await.unwrap();
    let boss = user(db, "boss@example.com", Role::Admin).await;
    // Newer people who see more do not make the page short.
    let list = users::List(Which { after: After::NEWEST, limit: 1, access: some.clone(), caller: own.id.0 });
    let seen: Vec<_> = db.store.read(list).await.unwrap().into_iter().map(|(_, u)| u.id).collect();
    assert_eq!(seen, [own.id], "who sees more is not shown");
    let list = users::List(Which { after: After::NEWEST, limit: 10, access: Access::All, caller: boss.id.0 });
    assert_eq!(db.store.read(list).await.unwrap().len(), 2);
    assert!(db.store.read(users::Get { id: boss.id, access: some.clone() }).await.is_err());
    let steal = users::SetPassword { id: boss.id, password: "x".into(), access: some, by: By::command() };
    assert!(matches!(db.store.write(steal).await, Err(StoreError::NotFound { .. })));
}

async fn the_last_administrator_stays(db: &Db) {
    let boss = user(db, "boss@example.com", Role::Admin).await;
    let out = users::Set {
        id: boss.id,
        change: users::Change { disabled: Some(true), ..users::Change::default() },
        version: None,
        access: Access::All,
        by: By::command(),
    };
    assert!(matches!(db.store.write(out.clone()).await, Err(StoreError::Refused(_))));
    user(db, "second@example.com", Role::Admin).await;
    db.store.write(out).await.unwrap();
}

async fn a_token_ends_when_it_is_revoked(db: &Db) {
    let make = |digest: &str, access, tenants: Option<Vec<TenantId>>| tokens::Add {
        digest: digest.into(),
        prefix: "brd_abc".into(),
        name: "n8n".into(),
        scopes: vec![Scope::Read, Scope::Sends],
        all_tenants: tenants.is_none(),
        tenants: tenants.unwrap_or_default(),
        expires_at: Some(db.now().plus(Duration::from_secs(3600))),
        access,
        by: By::command(),
    };
    let some = Access::Only(Arc::from([db.meta.tenant]));
    assert!(db.store.write(make("x", some.clone(), None)).await.is_err());
    let token = db.store.write(make("d", some.clone(), Some(vec![db.meta.tenant]))).await.unwrap();
    let find = || db.store.read(tokens::Find("d".into()));
    let known = find().await.unwrap().unwrap();
    assert_eq!((known.scopes, known.access, known.stale), (vec![Scope::Read, Scope::Sends], some.clone(), true));
    db.store.write(tokens::Used(token.id)).await.unwrap();
    assert!(!find().await.unwrap().unwrap().stale);
    let revoke = |access| tokens::Revoke { id: token.id, access, by: By::command() };
    let other = Access::Only(Arc::from([TenantId(1)]));
    assert!(matches!(db.store.write(revoke(other)).await, Err(StoreError::NotFound { .. })));
    assert!(db.store.write(revoke(some.clone())).await.unwrap().revoked_at.is_some());
    assert!(find().await.unwrap().is_none());
    db.store.write(make("e", Access::All, None)).await.unwrap();
    db.pass(3601);
    assert!(db.store.read(tokens::Find("e".into())).await.unwrap().is_none(), "it has ended");
    let list = |access| tokens::List(Which { after: After::NEWEST, limit: 10, access, caller: token.id.0 });
    assert_eq!(db.store.read(list(Access::All)).await.unwrap().len(), 2);
    assert_eq!(db.store.read(list(some)).await.unwrap().len(), 1);
}

async fn links_open_once(db: &Db) {
    let add = |digest: &str, purpose| links::Add {
        digest: digest.into(),
        purpose,
        user: None,
        lasts: Duration::from_secs(60),
    };
    let open = |digest: &str, purpose, peek| db.store.write(Open { digest: digest.into(), purpose, peek });
    db.store.write(add("a", Purpose::FirstAdmin)).await.unwrap();
    assert!(open("a", Purpose::SignIn, false).await.unwrap().is_none(), "each link for its own purpose");
    assert!(open("a", Purpose::FirstAdmin, true).await.unwrap().is_some());
    assert!(open("a", Purpose::FirstAdmin, false).await.unwrap().is_some());
    assert!(open("a", Purpose::FirstAdmin, false).await.unwrap().is_none());
    db.store.write(add("b", Purpose::FirstAdmin)).await.unwrap();
    db.store.write(add("c", Purpose::FirstAdmin)).await.unwrap();
    assert!(open("b", Purpose::FirstAdmin, true).await.unwrap().is_none(), "a new one takes the place of the old");
    db.pass(61);
    assert!(open("c", Purpose::FirstAdmin, false).await.unwrap().is_none(), "it has ended");
}

async fn sign_ins_that_fail_must_wait_longer_and_longer(db: &Db) {
    let counted = || vec![Counted { name: "pair:x".into(), forgiven: 3 }];
    let note = |failed| db.store.write(Note { counted: counted(), failed });
    let wait = || db.store.read(Wait(counted()));
    for _ in 0..2 {
        note(true).await.unwrap();
        assert_eq!(wait().await.unwrap(), None);
    }
    let mut waits = Vec::new();
    for _ in 0..3 {
        note(true).await.unwrap();
        waits.push(wait().await.unwrap().unwrap().as_secs());
    }
    assert_eq!(waits, [30, 60, 120]);
    db.pass(121);
    assert_eq!(wait().await.unwrap(), None);
    note(false).await.unwrap();
    note(true).await.unwrap();
    assert_eq!(wait().await.unwrap(), None, "a sign-in that succeeds forgives");
}

async fn a_key_does_a_thing_once(db: &Db) {
    let take =
        |request: &str| db.store.write(Take { holder: "user:1".into(), name: "k".into(), request: request.into() });
    let settle = |answer| db.store.write(Settle { holder: "user:1".into(), name: "k".into(), answer });
    assert_eq!(take("a").await.unwrap(), Known::Fresh);
    assert_eq!(take("a").await.unwrap(), Known::UnderWay);
    assert_eq!(take("b").await.unwrap(), Known::Other);
    settle(None).await.unwrap();
    assert_eq!(take("a").await.unwrap(), Known::Fresh, "what failed by us may be tried again");
    settle(Some((202, "{}".into()))).await.unwrap();
    assert_eq!(take("a").await.unwrap(), Known::Done { status: 202, answer: "{}".into() });
    assert_eq!(take("b").await.unwrap(), Known::Other);
    db.pass(86_401);
    assert_eq!(take("b").await.unwrap(), Known::Fresh, "forgotten after a day");
    db.pass(61);
    assert_eq!(take("b").await.unwrap(), Known::Fresh, "its process died");
}
