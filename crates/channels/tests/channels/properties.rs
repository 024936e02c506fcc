//! What holds for any bytes.

use channels::{green, meta};
use proptest::prelude::*;
use types::http::Answer;
use types::inbound::{Delivery, Event};

const META: &str = include_str!("../cases/meta/batch.json");
const GREEN: &str = include_str!("../cases/green/text.json");

/// JSON whose keys are mostly those that the parsers look for, with values of any type.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1e999".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| f.to_string()),
        "[a-z@.0-9\\u{0}\\u{200b}]{0,12}".prop_map(|s| serde_json::to_string(&s).unwrap()),
        prop::sample::select(vec![
            "messages",
            "text",
            "image",
            "system",
            "971500000101",
            "AE.1",
            "incomingMessageReceived"
        ])
        .prop_map(|s| format!("{s:?}")),
    ];
    let key = prop::sample::select(vec![
        "object",
        "entry",
        "id",
        "changes",
        "field",
        "value",
        "metadata",
        "phone_number_id",
        "contacts",
        "messages",
        "statuses",
        "errors",
        "from",
        "timestamp",
        "type",
        "text",
        "body",
        "image",
        "interactive",
        "context",
        "system",
        "status",
        "code",
        "profile",
        "wa_id",
        "typeWebhook",
        "instanceData",
        "idInstance",
        "idMessage",
        "senderData",
        "chatId",
        "sender",
        "messageData",
        "typeMessage",
        "textMessageData",
        "textMessage",
        "extendedTextMessageData",
        "quotedMessage",
        "x",
    ]);
    leaf.prop_recursive(10, 120, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| {
                let fields: Vec<_> = fields.iter().map(|(k, v)| format!("{k:?}:{v}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// What `serde_json` takes for JSON; a number too large for a float is JSON all the same.
fn is_json(body: &[u8]) -> bool {
    let grammar = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() && std::str::from_utf8(body).is_ok();
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(_) => true,
        Err(e) => grammar && e.to_string().starts_with("number out of range"),
    }
}

fn holds(delivery: &Delivery, body: &str) {
    assert!(!delivery.items.is_empty(), "an empty delivery for {body}");
    for item in &delivery.items {
        assert!(body.contains(&item.raw), "raw is not the body's own text: {}", item.raw);
        if let Event::Message(m) = &item.event {
            assert!(!m.from.is_nobody() && !m.provider_id.0.is_empty(), "a message without writer or id");
            assert!(!m.content.text().contains('\0'), "NUL in {:?}", m.content);
        }
    }
}

proptest! {
    #[test]
    fn any_json_is_taken_and_never_gives_nothing(body in json()) {
        holds(&meta::parse(body.as_bytes()).unwrap(), &body);
        holds(&green::parse(body.as_bytes()).unwrap(), &body);
    }

    #[test]
    fn an_odd_field_never_costs_the_neighbours(odd in json()) {
        let body = META.replacen("\"messages\": [", &format!("\"messages\": [{odd},"), 1);
        let before = meta::parse(META.as_bytes()).unwrap();
        let after = meta::parse(body.as_bytes()).unwrap();
        prop_assert_eq!(after.items.len(), before.items.len() + 1);
        for item in &before.items {
            // The odd element may be a second contact-less message, so names are not compared: the elements are.
            prop_assert!(after.items.iter().any(|a| a.raw == item.raw), "lost {}", item.raw);
        }
    }

    #[test]
    fn changed_bytes_never_panic_and_serde_agrees_on_what_json_is(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        for (text, parse) in [(META, meta::parse as fn(&[u8]) -> _), (GREEN, green::parse)] {
            let mut body = text.as_bytes().to_vec();
            let n = at.index(body.len());
            body[n] = byte;
            prop_assert_eq!(parse(&body).is_ok(), is_json(&body));
            body.truncate(cut.index(body.len()));
            prop_assert_eq!(parse(&body).is_ok(), is_json(&body));
        }
    }

    #[test]
    fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..400), status in 100_u16..600) {
        let _ = meta::parse(&body);
        let _ = green::parse(&body);
        let answer = Answer { status, retry_after: None, should_retry: None, body };
        let _ = (meta::read(&answer), green::read(&answer), green::read_state(&answer));
        let _ = (green::read_queue(&answer), green::read_journal(&answer));
    }
}

#[test]
fn nesting_cannot_exhaust_the_stack() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for body in [
        deep.clone(),
        format!(r#"{{"entry":{deep}}}"#),
        format!(
            r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"messages":{deep},"contacts":{deep}}}}}]}}]}}"#
        ),
        format!(
            r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"messages":[{{"id":"a","from":"971500000101","type":"text","text":{deep},"referral":{deep}}}]}}}}]}}]}}"#
        ),
        format!(r#"{{"typeWebhook":"incomingMessageReceived","messageData":{deep},"senderData":{deep}}}"#),
    ] {
        holds(&meta::parse(body.as_bytes()).unwrap(), &body);
        holds(&green::parse(body.as_bytes()).unwrap(), &body);
    }
}
