//! Accepting (S1.4–S1.6): one transaction, once, and only a customer's message makes a job.

use std::sync::Arc;

use tokio::task::JoinSet;
use types::inbound::{Card, ChannelNews, Content, Event, Identity, IdentityChange, Media, MediaKind, OrderItem};
use types::states::Receipt;

use crate::fixtures::{bsuid, echo, inbound, item, message, own_send, phone, status, text};
use crate::support::{Broken, Db, accept_op, turn};

for_each_database! {
    one_message_makes_one_row_of_everything,
    a_failure_at_any_statement_leaves_nothing,
    a_repeat_stores_nothing,
    thirty_copies_at_once_make_one_message,
    the_same_id_on_another_number_is_another_message,
    only_a_customers_message_makes_a_job,
    what_asks_for_no_answer_makes_no_job,
    groups_are_answered_only_where_asked,
    new_work_is_born_leased_while_there_is_room,
    a_message_behind_older_work_is_not_leased,
    every_kind_of_content_comes_back_as_it_was,
    odd_texts_and_long_ids_are_kept_whole,
    what_is_not_ours_is_kept,
    what_cannot_be_read_is_kept,
}

const TABLES: [&str; 9] =
    ["message", "contacts", "contact_keys", "lead", "conversation", "jobs", "inbox", "receipts", "events"];

async fn counts(db: &Db) -> Vec<i64> {
    let mut out = Vec::new();
    for table in TABLES {
        out.push(db.count(table).await);
    }
    out
}

/// S1.5: message, contact, lead, conversation and job are there when the answer is.
async fn one_message_makes_one_row_of_everything(db: &Db) {
    let accepted = db.accept(&db.meta, vec![message("wamid.1", "971500000001", "hello")], 0).await;
    assert_eq!(counts(db).await, [1, 1, 1, 1, 1, 1, 1, 0, 0]);
    let stored = &accepted.messages[0];
    assert!(stored.job && accepted.waiting && accepted.leased.is_empty(), "{accepted:?}");
    let job = db.rows("SELECT id, message_id, state, attempts, max_attempts, run_at FROM jobs").await;
    let (id, now) = (stored.message.to_string(), db.now().micros().to_string());
    assert_eq!(job, [[id.clone(), id, "queued".into(), "0".into(), "4".into(), now]]);
    assert_eq!(
        db.one("SELECT direction || sender || kind || body || status FROM message").await,
        "inUSERtexthelloreceived"
    );
    assert_eq!(db.one("SELECT source FROM lead").await, "whatsapp:meta");
}

/// S1.5: all of a body or nothing of it, wherever it breaks.
async fn a_failure_at_any_statement_leaves_nothing(db: &Db) {
    let events = || {
        let named = Identity { name: Some("Mona".into()), bsuid: Some("AE.1".into()), ..phone("971500000001") };
        vec![
            Event::Message(Box::new(inbound("wamid.1", named, text("hello")))),
            message("wamid.2", "971500000002", "hello"),
            status("wamid.x", Receipt::Delivered),
            echo("wamid.3", "971500000001", "I am here"),
            Event::Note { kind: "history".into() },
        ]
    };
    let before = counts(db).await;
    let mut after = 0;
    loop {
        let op = accept_op(&db.meta, events(), Some((Arc::from("node-a"), 8)), &db.policy);
        match db.store.write(Broken { op, after }).await {
            Err(e) => assert_eq!(e.to_string(), "as told"),
            Ok(accepted) => {
                assert_eq!((accepted.messages.len(), accepted.recorded), (2, 3));
                break;
            }
        }
        assert_eq!(counts(db).await, before, "after {after} statements");
        after += 1;
    }
    assert!(after > 20, "the body takes many statements, so many places were tried: {after}");
    assert_eq!(counts(db).await, [3, 2, 3, 2, 2, 2, 3, 1, 1]);
}

/// S1.6: a repeat counts as a duplicate and changes nothing, within one body as well.
async fn a_repeat_stores_nothing(db: &Db) {
    let twice = vec![message("wamid.1", "971500000001", "hello"), message("wamid.1", "971500000001", "hello")];
    let first = db.accept(&db.meta, twice, 0).await;
    assert_eq!((first.messages.len(), first.duplicates), (1, 1));
    let before = counts(db).await;
    db.pass(3600);
    let again = db.accept(&db.meta, vec![message("wamid.1", "971500000001", "hello")], 5).await;
    assert_eq!((again.messages.len(), again.duplicates, again.leased.len(), again.waiting), (0, 1, 0, false));
    assert_eq!(counts(db).await, before);
}

/// S1.6, RELIABILITY row 17.
async fn thirty_copies_at_once_make_one_message(db: &Db) {
    let mut all = JoinSet::new();
    for _ in 0..30 {
        let op = accept_op(&db.meta, vec![message("wamid.1", "971500000001", "hello")], None, &db.policy);
        let store = db.store.clone();
        all.spawn(async move { store.write(op).await.unwrap() });
    }
    let answers = all.join_all().await;
    assert_eq!(answers.iter().map(|a| a.messages.len()).sum::<usize>(), 1);
    assert_eq!(answers.iter().map(|a| a.duplicates).sum::<u32>(), 29);
    assert_eq!((db.count("message").await, db.count("jobs").await, db.count("contacts").await), (1, 1, 1));
}

/// S1.6: the key is (channel, provider message id).
async fn the_same_id_on_another_number_is_another_message(db: &Db) {
    db.accept(&db.meta, vec![message("A1", "971500000001", "hello")], 0).await;
    let other = db.accept(&db.green, vec![message("A1", "971500000001", "hello")], 0).await;
    assert_eq!(other.messages.len(), 1);
    let counted = (db.count("contacts").await, db.count("lead").await, db.count("conversation").await);
    assert_eq!(counted, (1, 1, 2), "one person, who has a conversation on each number");
}

/// S1.4: everything else is recorded, once, and makes no job.
async fn only_a_customers_message_makes_a_job(db: &Db) {
    let news = ChannelNews { usable: None, word: "starting".into() };
    let change = IdentityChange { before: phone("971500000009"), after: bsuid("AE.9") };
    let table = vec![
        ("status", status("wamid.s", Receipt::Read)),
        ("echo", echo("wamid.e", "971500000002", "I take over")),
        ("own send", own_send("BAE1", "971500000003", "hi")),
        ("identity change", Event::IdentityChange(change)),
        ("channel", Event::Channel(news)),
        ("handover", Event::Handover { from: phone("971500000004"), ours: false }),
        ("handover of nobody", Event::Handover { from: Identity::default(), ours: true }),
        ("note", Event::Note { kind: "account_update".into() }),
        ("unreadable", Event::Unreadable { kind: "messages".into(), why: "no id".into() }),
    ];
    for (name, event) in table {
        let first = db.event(event.clone()).await;
        assert_eq!((first.recorded, first.duplicates), (1, 0), "{name}");
        let kept = db.count("receipts").await + db.count("events").await + db.count("message").await;
        let again = db.event(event).await;
        assert_eq!((again.recorded, again.duplicates), (0, 1), "{name}, again");
        let still = db.count("receipts").await + db.count("events").await + db.count("message").await;
        assert_eq!(kept, still, "{name}, again");
    }
    assert_eq!(db.count("jobs").await, 0);
    db.idle().await;
}

/// S1.4: reactions, edits and deletions are messages without a job.
async fn what_asks_for_no_answer_makes_no_job(db: &Db) {
    let contents =
        [Content::Reaction { emoji: Some("👍".into()) }, Content::Edit { body: Some("helo".into()) }, Content::Deleted];
    for (n, content) in contents.into_iter().enumerate() {
        let event = Event::Message(Box::new(inbound(&format!("wamid.{n}"), phone("971500000001"), content)));
        let accepted = db.accept(&db.meta, vec![event], 5).await;
        assert!(!accepted.messages[0].job && accepted.leased.is_empty() && !accepted.waiting, "{accepted:?}");
    }
    assert_eq!((db.count("message").await, db.count("jobs").await), (3, 0));
    db.idle().await;
}

/// Messages in groups are recorded; they make jobs only where the number answers groups.
async fn groups_are_answered_only_where_asked(db: &Db) {
    let mut in_group = inbound("G1", phone("971500000001"), text("hello all"));
    in_group.group = Some("120363@g.us".into());
    let mut op = accept_op(&db.green, vec![Event::Message(Box::new(in_group.clone()))], None, &db.policy);
    assert!(!db.store.write(op.clone()).await.unwrap().messages[0].job);
    in_group.provider_id.0 = "G2".into();
    op.arrivals[0].item = item(Event::Message(Box::new(in_group)));
    op.arrivals[0].answer_groups = true;
    assert!(db.store.write(op).await.unwrap().messages[0].job);
    let claimed = db.claim().await;
    assert_eq!(claimed.snapshot.recipient.address(), "120363@g.us", "the answer goes to the group");
    assert_eq!(db.count("contacts").await, 1, "the group is the contact");
}

/// S2.2, ARCHITECTURE leases: with room, the accepting node holds the conversation from birth; beyond it, others are woken.
async fn new_work_is_born_leased_while_there_is_room(db: &Db) {
    let events =
        vec![message("1", "971500000001", "a"), message("2", "971500000002", "b"), message("3", "971500000003", "c")];
    let accepted = db.accept(&db.meta, events, 2).await;
    assert_eq!((accepted.leased.len(), accepted.waiting), (2, true));
    let first = &accepted.leased[0];
    assert_eq!((turn(&first.work).attempt, first.lease.fence), (1, 1));
    assert_eq!(first.lease.until, db.now().plus(db.policy.lease));
    let states = db.rows("SELECT state, attempts FROM jobs ORDER BY id").await;
    assert_eq!(states, [["running", "1"], ["running", "1"], ["queued", "0"]]);
    let others = db.claim_as("node-b", 10).await;
    assert_eq!(others.len(), 1, "only the third is free");
    db.finish(first, &["hi"]).await;
}

/// Promise 4: work that waits in a conversation comes before the new message, so the new one is not leased to be worked first.
async fn a_message_behind_older_work_is_not_leased(db: &Db) {
    db.message("1", "971500000001", "first").await;
    let second = db.accept(&db.meta, vec![message("2", "971500000001", "second")], 5).await;
    assert!(second.leased.is_empty() && second.waiting);
    let claimed = db.claim().await;
    assert_eq!(turn(&claimed.work).content.text(), "first");
    let third = db.accept(&db.meta, vec![message("3", "971500000001", "third")], 5).await;
    assert!(third.leased.is_empty() && !third.waiting, "the holder finds it: nobody needs to be woken");
}

/// S1.3: what was said is what is worked.
async fn every_kind_of_content_comes_back_as_it_was(db: &Db) {
    let media = Media {
        kind: MediaKind::Voice,
        id: Some("m1".into()),
        url: None,
        mime: Some("audio/ogg".into()),
        caption: None,
        filename: None,
    };
    let order = OrderItem { product: "p".into(), quantity: 2, price: Some("9.5".into()), currency: Some("AED".into()) };
    let contents = vec![
        text("plain"),
        text(""),
        Content::Media(media),
        Content::Location { latitude: 25.2, longitude: 55.3, name: None, address: Some("Dubai".into()) },
        Content::Contacts { cards: vec![Card { name: "Ali".into(), phones: vec!["+971".into()] }] },
        Content::Choice { kind: "button".into(), id: Some("yes".into()), title: "Yes".into() },
        Content::Form { name: "address".into(), answers: serde_json::json!({"a": [1, null]}) },
        Content::Order { items: vec![order], note: Some("fast".into()) },
        Content::Welcome,
        Content::Unsupported { kind: "hologram".into(), why: None },
    ];
    for (n, content) in contents.into_iter().enumerate() {
        let event = Event::Message(Box::new(inbound(&format!("w{n}"), phone("971500000001"), content.clone())));
        db.event(event).await;
        let claimed = db.claim().await;
        assert_eq!(turn(&claimed.work).content, content);
        db.finish(&claimed, &[]).await;
    }
}

/// S1.5: NUL, right-to-left text, emoji and ids of 2000 characters survive.
async fn odd_texts_and_long_ids_are_kept_whole(db: &Db) {
    let id = format!("wamid.{}", "x".repeat(2000));
    let body = "a\0b \u{202e}مرحبا 👨‍👩‍👧 '\"; DROP TABLE jobs; --";
    db.message(&id, "971500000001", body).await;
    assert_eq!(db.event(message(&id, "971500000001", body)).await.duplicates, 1);
    let claimed = db.claim().await;
    let kept = |text: &str| db.kept(text);
    assert_eq!(turn(&claimed.work).content.text(), kept(body));
    assert_eq!(turn(&claimed.work).provider_id.0, id);
    let (_, deliver) = {
        db.finish(&claimed, &["answer\0with nul"]).await;
        db.pass(200);
        let again = db.claim_as("node-b", 1).await;
        assert!(again.is_empty(), "it was cut off while sending, so it waits for its receipt: {again:?}");
        (0, db.rows("SELECT dedupe_key FROM outbox").await)
    };
    assert!(deliver[0][0].chars().count() <= types::DEDUPE_KEY_MAX);
    assert_eq!(db.one("SELECT body FROM message WHERE direction = 'out'").await, kept("answer\0with nul"));
}

/// S1.5: an element for no number of ours is kept as unrouted, once.
async fn what_is_not_ours_is_kept(db: &Db) {
    let mut op = accept_op(&db.meta, vec![message("1", "971500000001", "lost")], None, &db.policy);
    op.arrivals[0].door = None;
    let first = db.store.write(op.clone()).await.unwrap();
    let again = db.store.write(op).await.unwrap();
    assert_eq!((first.unrouted, first.recorded, again.unrouted, again.duplicates), (1, 1, 1, 1));
    assert_eq!(db.rows("SELECT kind, why FROM events").await, [["unrouted", "no number of ours"]]);
    assert_eq!(db.count("message").await, 0);
}

/// S1.5: bytes that cannot be read are kept; what is no text is kept in hex.
async fn what_cannot_be_read_is_kept(db: &Db) {
    for (raw, kept) in [(&b"{\"a\":"[..], "{\"a\":"), (&b"\xff\x00"[..], "hex:ff00"), (&b"a\0"[..], "hex:6100")] {
        let op = store::events::KeepUnreadable {
            kind: "not_json",
            why: "it ends early".into(),
            raw: raw.to_vec(),
            request_id: types::RequestId("r".into()),
        };
        db.store.write(op).await.unwrap();
        assert_eq!(db.one("SELECT raw FROM events ORDER BY id DESC").await, kept);
    }
}
