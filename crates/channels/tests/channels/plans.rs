//! The request of every kind of message, and the limits that refuse one (PROTOCOL.md 2 and 3).

use crate::summary::sorted;
use channels::{green, meta};
use types::http::{Body, Method, Plan};
use types::inbound::MediaKind;
use types::outbound::{Outbound, OutboundContent, Recipient};
use types::{ConversationId, DedupeKey, Fault, MessageId, ProviderMessageId, Refusal, Secret};

fn meta_account() -> meta::Account {
    meta::Account {
        phone_number_id: "105500000000001".into(),
        access_token: Secret::new("EAAG-token"),
        api_base: "https://graph.facebook.com/".into(),
        api_version: "v25.0".into(),
    }
}

fn green_account() -> green::Account {
    green::Account {
        instance: "1101000001".into(),
        api_token: Secret::new("d75b3a66"),
        api_base: "https://1101.api.green-api.com".into(),
    }
}

fn outbound(content: OutboundContent) -> Outbound {
    Outbound {
        message: MessageId(1),
        conversation: ConversationId(7),
        dedupe_key: DedupeKey("7:wamid.A:reply".into()),
        to: Recipient::Phone("971500000101".into()),
        content,
        reply_to: None,
    }
}

fn text(body: &str) -> OutboundContent {
    OutboundContent::Text { body: body.into() }
}

fn pairs(n: usize, id: &str, title: &str) -> Vec<(String, String)> {
    (1..=n).map(|i| (format!("{id}{i}"), format!("{title}{i}"))).collect()
}

fn media(kind: MediaKind, caption: Option<&str>, filename: Option<&str>) -> OutboundContent {
    let link = "https://files.example.com/a/offer.pdf?x=1".to_owned();
    OutboundContent::Media { kind, link, caption: caption.map(Into::into), filename: filename.map(Into::into) }
}

fn contents() -> Vec<(&'static str, OutboundContent)> {
    vec![
        ("text", text("مرحبا 👋 \"ok\"")),
        ("text with a link", text("see https://example.com")),
        (
            "template",
            OutboundContent::Template {
                name: "order_ready".into(),
                language: "ar".into(),
                parameters: vec!["Amina".into(), "771".into()],
            },
        ),
        (
            "template without parameters",
            OutboundContent::Template { name: "hello".into(), language: "en".into(), parameters: vec![] },
        ),
        ("buttons", OutboundContent::Buttons { body: "Which?".into(), buttons: pairs(2, "b", "Choice ") }),
        ("list", OutboundContent::List { body: "When?".into(), button: "Times".into(), rows: pairs(3, "r", "Time ") }),
        ("image", media(MediaKind::Image, Some("look"), None)),
        ("video", media(MediaKind::Video, None, None)),
        ("audio", media(MediaKind::Audio, None, None)),
        ("voice", media(MediaKind::Voice, None, None)),
        ("document", media(MediaKind::Document, Some("the offer"), Some("Offer 7.pdf"))),
        ("sticker", media(MediaKind::Sticker, None, None)),
        ("reaction", OutboundContent::Reaction { to: ProviderMessageId("wamid.B".into()), emoji: Some("👍".into()) }),
        ("reaction taken back", OutboundContent::Reaction { to: ProviderMessageId("wamid.B".into()), emoji: None }),
    ]
}

/// A plan as text, its JSON with sorted keys whatever order the build keeps.
fn show(plan: &Result<Plan, Refusal>) -> String {
    let plan = match plan {
        Ok(plan) => plan,
        Err(r) => return format!("{:?} {:?}: {}", r.fault, r.scope, r.reason),
    };
    let method = match plan.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    };
    let body = match &plan.body {
        Body::Empty => String::new(),
        Body::Json(json) => sorted(&serde_json::from_slice(json).unwrap()),
        Body::Form(pairs) => format!("{pairs:?}"),
    };
    let authorization = plan.authorization.as_ref().map_or("", Secret::expose);
    format!("{} {method} {} [{authorization}] {body}", plan.name, plan.url.expose())
}

#[test]
fn meta_plans_read_like_this() {
    let a = meta_account();
    let mut out = String::new();
    for (name, content) in contents() {
        out += &format!("{name}\n  {}\n", show(&meta::plan(&a, &outbound(content))));
    }
    for (name, to) in [
        ("to a number with signs", Recipient::Phone("+971 50 000 0101".into())),
        ("to a business-scoped id", Recipient::Bsuid("AE.90211387745510062332".into())),
        ("to a group", Recipient::Group("Y2FwaV9ncm91cDpleGFtcGxl".into())),
        ("to something odd", Recipient::Chat("bla".into())),
        ("to no number", Recipient::Phone("bla".into())),
        ("to nobody", Recipient::Chat(" ".into())),
    ] {
        out += &format!("{name}\n  {}\n", show(&meta::plan(&a, &Outbound { to, ..outbound(text("hi")) })));
    }
    let quoting = Outbound { reply_to: Some(ProviderMessageId("wamid.Q".into())), ..outbound(text("yes")) };
    out += &format!("quoting\n  {}\n", show(&meta::plan(&a, &quoting)));
    let id = ProviderMessageId("wamid.R".into());
    out += &format!("read\n  {}\n", show(&Ok(meta::plan_read(&a, &id, false))));
    out += &format!("read and typing\n  {}\n", show(&Ok(meta::plan_read(&a, &id, true))));
    out += &format!("probe\n  {}\n", show(&Ok(meta::plan_probe(&a))));
    insta::assert_snapshot!(out);
}

#[test]
fn green_plans_read_like_this() {
    let a = green_account();
    let mut out = String::new();
    for (name, content) in contents() {
        out += &format!("{name}\n  {}\n", show(&green::plan(&a, &outbound(content))));
    }
    let group = Recipient::Group("120363000000000001@g.us".into());
    let buttons = OutboundContent::Buttons { body: "Which?".into(), buttons: pairs(2, "b", "Choice ") };
    let in_group = Outbound { to: group, ..outbound(buttons) };
    out += &format!("buttons in a group\n  {}\n", show(&green::plan(&a, &in_group)));
    for (name, to) in [
        ("to a business-scoped id", Recipient::Bsuid("AE.1".into())),
        ("to a lid", Recipient::Chat("123456@lid".into())),
        ("to no number", Recipient::Phone("bla".into())),
        ("to nobody", Recipient::Chat(String::new())),
    ] {
        out += &format!("{name}\n  {}\n", show(&green::plan(&a, &Outbound { to, ..outbound(text("hi")) })));
    }
    let quoting = Outbound { reply_to: Some(ProviderMessageId("AB12".into())), ..outbound(text("yes")) };
    out += &format!("quoting\n  {}\n", show(&green::plan(&a, &quoting)));
    let read = green::plan_read(&a, "971500000101@c.us", &ProviderMessageId("AB12".into()));
    out += &format!("read\n  {}\n", show(&Ok(read)));
    out += &format!("probe\n  {}\n", show(&Ok(green::plan_probe(&a))));
    out += &format!("queue\n  {}\n", show(&Ok(green::plan_queue(&a))));
    out += &format!("journal\n  {}\n", show(&Ok(green::plan_journal(&a, 15))));
    insta::assert_snapshot!(out);
}

#[test]
fn metas_limits_hold_to_the_character() {
    let a = meta_account();
    let long = |n: usize| "م".repeat(n);
    let list = |button: usize, rows: Vec<(String, String)>| OutboundContent::List {
        body: "x".into(),
        button: long(button),
        rows,
    };
    let buttons = |body: usize, buttons| OutboundContent::Buttons { body: long(body), buttons };
    let one = |id: usize, title: usize| vec![(long(id), long(title))];
    let twice = |id: &str| vec![("a".to_owned(), "A".to_owned()), (id.to_owned(), "B".to_owned())];
    for (name, content, fits) in [
        ("text at the limit", text(&long(4096)), true),
        ("text over the limit", text(&long(4097)), false),
        ("empty text", text(" \n"), false),
        ("caption at the limit", media(MediaKind::Image, Some(&long(1024)), None), true),
        ("caption over the limit", media(MediaKind::Image, Some(&long(1025)), None), false),
        ("caption under audio", media(MediaKind::Audio, Some("x"), None), false),
        ("caption under a sticker", media(MediaKind::Sticker, Some("x"), None), false),
        ("three buttons", buttons(1024, pairs(3, "b", "B")), true),
        ("no buttons", buttons(1, vec![]), false),
        ("four buttons", buttons(1, pairs(4, "b", "B")), false),
        ("text above buttons over the limit", buttons(1025, pairs(1, "b", "B")), false),
        ("button at its limits", buttons(1, one(256, 20)), true),
        ("button title over the limit", buttons(1, one(1, 21)), false),
        ("button id over the limit", buttons(1, one(257, 1)), false),
        ("button without title", buttons(1, one(1, 0)), false),
        ("different ids", buttons(1, twice("b")), true),
        ("the same id twice", buttons(1, twice("a")), false),
        ("ten rows", list(20, pairs(10, "r", "R")), true),
        ("eleven rows", list(20, pairs(11, "r", "R")), false),
        ("list button over the limit", list(21, pairs(1, "r", "R")), false),
        ("row at its limits", list(1, one(200, 24)), true),
        ("row title over the limit", list(1, one(1, 25)), false),
        ("row id over the limit", list(1, one(201, 1)), false),
    ] {
        match meta::plan(&a, &outbound(content)) {
            Ok(_) => assert!(fits, "{name} was planned"),
            Err(r) => {
                assert!(!fits, "{name} was refused: {}", r.reason);
                assert_eq!(r.fault, Fault::Permanent, "{name}");
            }
        }
    }
    let key = |n| Outbound { dedupe_key: DedupeKey(long(n)), ..outbound(text("x")) };
    assert!(meta::plan(&a, &key(512)).is_ok());
    assert!(meta::plan(&a, &key(513)).is_err(), "Meta returns at most 512 characters");
}

#[test]
fn greens_limits_hold_to_the_character() {
    let a = green_account();
    let long = |n: usize| "م".repeat(n);
    let buttons = |n: usize, title: usize| OutboundContent::Buttons {
        body: "x".into(),
        buttons: (0..n).map(|i| (i.to_string(), long(title))).collect(),
    };
    for (name, content, fits) in [
        ("text at the limit", text(&long(20_000)), true),
        ("text over the limit", text(&long(20_001)), false),
        ("empty text", text(""), false),
        ("three buttons", buttons(3, 25), true),
        ("four buttons", buttons(4, 1), false),
        ("no buttons", buttons(0, 1), false),
        ("button title over the limit", buttons(1, 26), false),
    ] {
        assert_eq!(green::plan(&a, &outbound(content)).is_ok(), fits, "{name}");
    }
}

#[test]
fn a_plan_never_prints_its_secrets() {
    let shown = format!(
        "{:?} {:?}",
        meta::plan(&meta_account(), &outbound(text("x"))).unwrap(),
        green::plan(&green_account(), &outbound(text("x"))).unwrap()
    );
    assert!(!shown.contains("EAAG-token") && !shown.contains("d75b3a66"), "{shown}");
    assert!(!format!("{:?} {:?}", meta_account(), green_account()).contains("d75b3a66"));
}
