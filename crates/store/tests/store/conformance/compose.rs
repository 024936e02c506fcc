//! Writing to somebody from the command line (S4.7): no text where only a template may go.

use store::compose::{Compose, Composed, Whom};
use store::{Result, StoreError};
use types::outbound::OutboundContent;
use types::{ChannelId, RequestId};

use crate::fixtures::PHONE;
use crate::support::Db;

for_each_database! {
    a_text_goes_within_24_hours_of_their_message,
    outside_the_window_a_template_goes_or_nothing_is_left_behind,
    green_api_knows_no_window,
}

async fn compose(db: &Db, to: Whom, key: &str, templates: &[ChannelId]) -> Result<Composed> {
    let template = || OutboundContent::Template { name: "follow_up".into(), language: "en".into(), parameters: vec![] };
    let op = Compose {
        to,
        text: "Are you still interested?".into(),
        templates: templates.iter().map(|channel| (*channel, template())).collect(),
        idempotency_key: key.into(),
        request_id: RequestId("r".into()),
        pause: None,
        actor: "cli".into(),
    };
    db.store.write(op).await
}

async fn kind_of(db: &Db, sent: Composed) -> String {
    db.one(&format!("SELECT kind FROM message WHERE id = {}", sent.message)).await
}

async fn a_text_goes_within_24_hours_of_their_message(db: &Db) {
    db.message("w1", PHONE, "hello").await;
    let to = || Whom::Phone(db.meta.clone(), PHONE.into());
    let sent = compose(db, to(), "k1", &[db.meta.channel]).await.unwrap();
    assert!(!sent.template);
    assert_eq!(kind_of(db, sent).await, "text");
    db.pass(86_400 - 1);
    let again = compose(db, Whom::Conversation(sent.conversation), "k2", &[]).await.unwrap();
    assert_eq!((again.conversation, again.template), (sent.conversation, false));
    db.pass(1);
    assert!(matches!(compose(db, to(), "k3", &[]).await, Err(StoreError::WindowClosed)));
}

async fn outside_the_window_a_template_goes_or_nothing_is_left_behind(db: &Db) {
    let to = || Whom::Phone(db.meta.clone(), PHONE.into());
    for _ in 0..2 {
        assert!(matches!(compose(db, to(), "k", &[db.green.channel]).await, Err(StoreError::WindowClosed)));
    }
    assert_eq!((db.count("contacts").await, db.count("message").await), (0, 0), "refused as a whole");
    let sent = compose(db, to(), "k", &[db.green.channel, db.meta.channel]).await.unwrap();
    assert!(sent.template);
    assert_eq!(kind_of(db, sent).await, "template");
    assert_eq!(compose(db, to(), "k", &[db.meta.channel]).await.unwrap(), sent, "the same key sends once");
    let nobody = compose(db, Whom::Conversation(types::ConversationId(5)), "k", &[]).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
}

async fn green_api_knows_no_window(db: &Db) {
    let sent = compose(db, Whom::Phone(db.green.clone(), PHONE.into()), "k", &[]).await.unwrap();
    assert!(!sent.template);
}
