//! What Meta posts (PROTOCOL.md 1.2 to 1.6).

use std::sync::Arc;

use bytes::Bytes;
use ring::hmac;
use serde_json::{Value, json};
use types::SharedClock;

use super::Webhook;
use crate::ids::{Ids, Side};
use crate::journal::Provider;
use crate::json::Json;
use crate::options::{MetaNumber, StatusKind};

/// Writes the webhooks of one number.
#[derive(Debug)]
pub struct MetaSource {
    number: MetaNumber,
    key: hmac::Key,
    ids: Arc<Ids>,
    clock: SharedClock,
    /// Everything up to the end of `metadata`; then comes the rest of `value`.
    head: String,
}

/// A status of one send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// The id of the send.
    pub provider_id: &'a str,
    /// Which.
    pub kind: StatusKind,
    /// To whom it went: digits, or a business-scoped id.
    pub to: &'a str,
    /// `biz_opaque_callback_data`, as the send gave it.
    pub dedupe_key: Option<&'a str>,
    /// Seconds since 1970.
    pub at: i64,
    /// Whether the send was a template, which is billed.
    pub template: bool,
    /// Code and title, for [`StatusKind::Failed`].
    pub error: Option<(i64, &'a str)>,
}

impl MetaSource {
    /// For `number`, with ids of its own.
    #[must_use]
    pub fn new(number: &MetaNumber, clock: SharedClock) -> Self {
        Self::with_ids(number, clock, Arc::default())
    }

    pub(crate) fn with_ids(number: &MetaNumber, clock: SharedClock, ids: Arc<Ids>) -> Self {
        let mut json = Json::with_capacity(256);
        json.raw(r#"{"messaging_product":"whatsapp","metadata":{"display_phone_number":"#).text(&number.display_phone);
        json.raw(r#","phone_number_id":"#).text(&number.phone_number_id).raw("}");
        let value_head = json.done();
        let mut json = Json::with_capacity(400);
        json.raw(r#"{"object":"whatsapp_business_account","entry":[{"id":"#).text(&number.waba_id);
        json.raw(r#","changes":[{"value":"#).raw(&String::from_utf8_lossy(&value_head));
        let head = String::from_utf8_lossy(&json.done()).into_owned();
        let key = hmac::Key::new(hmac::HMAC_SHA256, number.app_secret.expose().as_bytes());
        Self { number: number.clone(), key, ids, clock, head }
    }

    /// The number it speaks for.
    #[must_use]
    pub const fn number(&self) -> &MetaNumber {
        &self.number
    }

    /// A customer with the number `phone` (digits) and the profile name `name`.
    #[must_use]
    pub fn lead<'a>(&'a self, phone: &'a str, name: &'a str) -> MetaLead<'a> {
        MetaLead { source: self, phone, name, id: None, at: None, bsuid: None }
    }

    /// Signs any body.
    #[must_use]
    pub fn sign(&self, id: &str, chat: &str, body: Vec<u8>) -> Webhook {
        let tag = hmac::sign(&self.key, &body);
        let mut proof = String::with_capacity(71);
        proof.push_str("sha256=");
        for byte in tag.as_ref() {
            for digit in [byte >> 4, byte & 15] {
                proof.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        Webhook { provider: Provider::Meta, id: id.to_owned(), chat: chat.to_owned(), body: Bytes::from(body), proof }
    }

    /// Statuses of sends, in one POST.
    #[must_use]
    pub fn statuses(&self, statuses: &[Status<'_>]) -> Webhook {
        let mut json = Json::with_capacity(300 + statuses.len() * 360);
        json.raw(&self.head).raw(r#","statuses":["#);
        for (n, status) in statuses.iter().enumerate() {
            json.raw(if n == 0 { "" } else { "," });
            status.write(&mut json);
        }
        json.raw(r#"]},"field":"messages"}]}]}"#);
        self.sign("", "", json.done())
    }

    /// What staff wrote in the WhatsApp Business app: field `smb_message_echoes`.
    #[must_use]
    pub fn echo(&self, to: &str, text: &str) -> Webhook {
        let id = self.ids.wamid(to, Side::Business);
        let mut json = Json::with_capacity(512 + text.len());
        json.raw(&self.head).raw(r#","message_echoes":[{"from":"#).text(&self.number.display_phone);
        json.raw(r#","to":"#).text(to).raw(r#","id":"#).text(&id);
        json.raw(r#","timestamp":""#).number(self.clock.now().seconds());
        json.raw(r#"","type":"text","text":{"body":"#).text(text).raw(r#"}}]},"field":"smb_message_echoes"}]}]}"#);
        self.sign(&id, to, json.done())
    }

    /// One change of another field: `account_update`, `history`, `standby`. `value` is written as it is.
    #[must_use]
    pub fn change(&self, field: &str, value: &Value) -> Webhook {
        let mut json = Json::with_capacity(512);
        json.raw(r#"{"object":"whatsapp_business_account","entry":[{"id":"#).text(&self.number.waba_id);
        json.raw(r#","time":"#).number(self.clock.now().seconds()).raw(r#","changes":[{"value":"#).value(value);
        json.raw(r#","field":"#).text(field).raw("}]}]}");
        self.sign("", "", json.done())
    }
}

impl Status<'_> {
    fn write(&self, json: &mut Json) {
        json.raw(r#"{"id":"#).text(self.provider_id).raw(r#","status":""#).raw(self.kind.as_str());
        json.raw(r#"","timestamp":""#).number(self.at).raw(r#"",""#);
        let phone = !self.to.is_empty() && self.to.bytes().all(|b| b.is_ascii_digit());
        json.raw(if phone { "recipient_id" } else { "recipient_user_id" }).raw(r#"":"#).text(self.to);
        if let Some(key) = self.dedupe_key {
            json.raw(r#","biz_opaque_callback_data":"#).text(key);
        }
        if matches!(self.kind, StatusKind::Sent | StatusKind::Delivered) {
            // v24 and later: no `conversation`.
            json.raw(if self.template {
                r#","pricing":{"billable":true,"pricing_model":"PMP","category":"utility","type":"regular"}"#
            } else {
                r#","pricing":{"billable":false,"pricing_model":"PMP","category":"service","type":"free_customer_service"}"#
            });
        }
        if let Some((code, title)) = self.error {
            json.raw(r#","errors":[{"code":"#).number(code).raw(r#","title":"#).text(title);
            json.raw(r#","message":"#).text(title).raw(r#","error_data":{"details":"#).text(title);
            json.raw(r#"},"href":"/documentation/business-messaging/whatsapp/support/error-codes"}]"#);
        }
        json.raw("}");
    }
}

/// A customer of one number; each method gives one signed webhook with a new `wamid`.
#[derive(Clone, Debug)]
pub struct MetaLead<'a> {
    source: &'a MetaSource,
    phone: &'a str,
    name: &'a str,
    id: Option<&'a str>,
    at: Option<i64>,
    bsuid: Option<&'a str>,
}

impl<'a> MetaLead<'a> {
    /// With this id instead of a new one: a duplicate is the same call twice.
    #[must_use]
    pub const fn with_id(mut self, wamid: &'a str) -> Self {
        self.id = Some(wamid);
        self
    }

    /// Written at this time (seconds since 1970) instead of now.
    #[must_use]
    pub const fn at(mut self, seconds: i64) -> Self {
        self.at = Some(seconds);
        self
    }

    /// Also known by this business-scoped id; with an empty phone, only by it (PROTOCOL.md 1.8).
    #[must_use]
    pub const fn with_bsuid(mut self, bsuid: &'a str) -> Self {
        self.bsuid = Some(bsuid);
        self
    }

    /// Text.
    #[must_use]
    pub fn text(&self, text: &str) -> Webhook {
        self.message("text", None, |json| {
            json.raw(r#"{"body":"#).text(text).raw("}");
        })
    }

    /// Text that quotes one of our messages.
    #[must_use]
    pub fn text_quoting(&self, text: &str, quoted: &str) -> Webhook {
        self.message("text", Some(quoted), |json| {
            json.raw(r#"{"body":"#).text(text).raw("}");
        })
    }

    /// A file: `image`, `video`, `audio`, `document`, `sticker`.
    #[must_use]
    pub fn media(&self, kind: &str, mime: &str, caption: Option<&str>) -> Webhook {
        let mut object = json!({
            "mime_type": mime,
            "sha256": "q6S8a4L0z0Xc2n0hX0m2m1d7jV0k2r9uX8e5c3b1a0Y=",
            "id": "196366253905810",
            "url": "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=196366253905810&source=webhook",
        });
        match (kind, caption) {
            ("audio", _) => object["voice"] = true.into(),
            ("document", caption) => {
                object["filename"] = "file.pdf".into();
                if let Some(caption) = caption {
                    object["caption"] = caption.into();
                }
            }
            (_, Some(caption)) => object["caption"] = caption.into(),
            _ => {}
        }
        self.object(kind, None, &object)
    }

    /// A tap on a reply button of `quoted`.
    #[must_use]
    pub fn button(&self, id: &str, title: &str, quoted: Option<&str>) -> Webhook {
        self.object("interactive", quoted, &json!({"type": "button_reply", "button_reply": {"id": id, "title": title}}))
    }

    /// A row chosen from a list of `quoted`.
    #[must_use]
    pub fn list_row(&self, id: &str, title: &str, quoted: Option<&str>) -> Webhook {
        self.object("interactive", quoted, &json!({"type": "list_reply", "list_reply": {"id": id, "title": title}}))
    }

    /// A tap on a template's quick reply.
    #[must_use]
    pub fn template_button(&self, payload: &str, text: &str, quoted: Option<&str>) -> Webhook {
        self.object("button", quoted, &json!({"payload": payload, "text": text}))
    }

    /// A reaction to `of`; an empty emoji takes it back.
    #[must_use]
    pub fn reaction(&self, of: &str, emoji: &str) -> Webhook {
        let mut object = json!({"message_id": of});
        if !emoji.is_empty() {
            object["emoji"] = emoji.into();
        }
        self.object("reaction", None, &object)
    }

    /// A place.
    #[must_use]
    pub fn location(&self, latitude: f64, longitude: f64) -> Webhook {
        self.object("location", None, &json!({"latitude": latitude, "longitude": longitude}))
    }

    /// Changes the text of `of`.
    #[must_use]
    pub fn edit(&self, of: &str, text: &str) -> Webhook {
        let object = json!({"original_message_id": of, "message": {"context": {"id": "M0"}, "type": "text", "text": {"body": text}}});
        self.object("edit", None, &object)
    }

    /// Deletes `of`.
    #[must_use]
    pub fn revoke(&self, of: &str) -> Webhook {
        self.object("revoke", None, &json!({"original_message_id": of}))
    }

    /// A message of any other type.
    #[must_use]
    pub fn object(&self, kind: &str, quoted: Option<&str>, object: &Value) -> Webhook {
        self.message(kind, quoted, |json| {
            json.value(object);
        })
    }

    fn message(&self, kind: &str, quoted: Option<&str>, object: impl FnOnce(&mut Json)) -> Webhook {
        let source = self.source;
        let chat = if self.phone.is_empty() { self.bsuid.unwrap_or_default() } else { self.phone };
        let id = self.id.map_or_else(|| source.ids.wamid(chat, Side::Customer), str::to_owned);
        let mut json = Json::with_capacity(1024);
        json.raw(&source.head).raw(r#","contacts":[{"profile":{"name":"#).text(self.name).raw("}");
        self.who(&mut json, "wa_id", "user_id");
        json.raw(r#"}],"messages":[{"id":"#).text(&id);
        self.who(&mut json, "from", "from_user_id");
        if let Some(quoted) = quoted {
            json.raw(r#","context":{"from":"#)
                .text(&source.number.display_phone)
                .raw(r#","id":"#)
                .text(quoted)
                .raw("}");
        }
        json.raw(r#","timestamp":""#).number(self.at.unwrap_or_else(|| source.clock.now().seconds()));
        json.raw(r#"","type":"#).text(kind).raw(",").text(kind).raw(":");
        object(&mut json);
        json.raw(r#"}]},"field":"messages"}]}]}"#);
        source.sign(&id, chat, json.done())
    }

    fn who(&self, json: &mut Json, phone: &str, bsuid: &str) {
        if !self.phone.is_empty() {
            json.raw(",").text(phone).raw(":").text(self.phone);
        }
        if let Some(id) = self.bsuid {
            json.raw(",").text(bsuid).raw(":").text(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use types::{Secret, SystemClock};

    use super::*;

    pub(crate) fn source() -> MetaSource {
        let number = MetaNumber {
            phone_number_id: "105500000000001".into(),
            waba_id: "215500000000001".into(),
            display_phone: "15550001000".into(),
            access_token: Secret::new("token"),
            app_secret: Secret::new("app secret"),
        };
        MetaSource::new(&number, Arc::new(SystemClock))
    }

    fn read(webhook: &Webhook) -> Value {
        serde_json::from_slice(&webhook.body).unwrap()
    }

    /// PROTOCOL.md 1.2: the key is the app secret, the message the raw body, the hex lower-case.
    #[test]
    fn the_signature_is_over_the_very_bytes() {
        let webhook = source().lead("971500000101", "Amina \"A\"").text("مرحبا 👋\n\u{0}");
        let given = hex::decode(webhook.proof.strip_prefix("sha256=").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"app secret");
        hmac::verify(&key, &webhook.body, &given).unwrap();
        assert_eq!(webhook.proof, webhook.proof.to_lowercase());
        assert_eq!(webhook.header(), "x-hub-signature-256");
    }

    #[test]
    fn a_text_has_metas_envelope() {
        let source = source();
        let webhook = source.lead("971500000101", "Amina").with_bsuid("AE.1").at(1_786_000_000).text("hi");
        let value = &read(&webhook)["entry"][0]["changes"][0]["value"];
        assert_eq!(read(&webhook)["entry"][0]["id"], "215500000000001");
        assert_eq!(value["metadata"]["phone_number_id"], "105500000000001");
        assert_eq!(
            value["contacts"][0],
            json!({"profile": {"name": "Amina"}, "wa_id": "971500000101", "user_id": "AE.1"})
        );
        assert_eq!(
            value["messages"][0],
            json!({"id": webhook.id, "from": "971500000101", "from_user_id": "AE.1", "timestamp": "1786000000",
                   "type": "text", "text": {"body": "hi"}})
        );
    }

    #[test]
    fn a_username_user_has_no_number() {
        let source = source();
        let value = read(&source.lead("", "Omar").with_bsuid("AE.2").text("hi"));
        let value = &value["entry"][0]["changes"][0]["value"];
        assert_eq!(value["messages"][0].get("from"), None);
        assert_eq!(value["contacts"][0].get("wa_id"), None);
        assert_eq!(value["messages"][0]["from_user_id"], "AE.2");
    }

    #[test]
    fn every_kind_carries_its_own_object() {
        let source = source();
        let lead = source.lead("971500000101", "Amina");
        for (webhook, kind, pointer, want) in [
            (lead.media("image", "image/jpeg", Some("look")), "image", "/image/caption", json!("look")),
            (lead.media("audio", "audio/ogg", None), "audio", "/audio/voice", json!(true)),
            (lead.media("document", "application/pdf", None), "document", "/document/filename", json!("file.pdf")),
            (lead.button("yes", "Yes", Some("wamid.q")), "interactive", "/interactive/button_reply/id", json!("yes")),
            (lead.button("yes", "Yes", Some("wamid.q")), "interactive", "/context/id", json!("wamid.q")),
            (lead.list_row("r1", "Row", None), "interactive", "/interactive/list_reply/title", json!("Row")),
            (lead.template_button("STOP", "Stop", None), "button", "/button/payload", json!("STOP")),
            (lead.reaction("wamid.q", "👍"), "reaction", "/reaction/emoji", json!("👍")),
            (lead.location(25.2, 55.3), "location", "/location/latitude", json!(25.2)),
            (lead.edit("wamid.q", "new"), "edit", "/edit/message/text/body", json!("new")),
            (lead.revoke("wamid.q"), "revoke", "/revoke/original_message_id", json!("wamid.q")),
            (lead.text_quoting("this", "wamid.q"), "text", "/context/id", json!("wamid.q")),
        ] {
            let message = read(&webhook)["entry"][0]["changes"][0]["value"]["messages"][0].clone();
            assert_eq!(message["type"], kind);
            assert_eq!(message.pointer(pointer), Some(&want), "{kind} {pointer}");
        }
        let taken_back = read(&lead.reaction("wamid.q", ""));
        assert_eq!(taken_back.pointer("/entry/0/changes/0/value/messages/0/reaction/emoji"), None);
    }

    #[test]
    fn statuses_echoes_and_changes_read_back() {
        let source = source();
        let status = |kind, error| Status {
            provider_id: "wamid.s",
            kind,
            to: "971500000101",
            dedupe_key: Some("7:wamid.q:reply"),
            at: 1_786_000_000,
            template: false,
            error,
        };
        let body = read(
            &source.statuses(&[status(StatusKind::Sent, None), status(StatusKind::Failed, Some((131_026, "No")))]),
        );
        let statuses = &body["entry"][0]["changes"][0]["value"]["statuses"];
        assert_eq!(statuses[0]["biz_opaque_callback_data"], "7:wamid.q:reply");
        assert_eq!(statuses[0]["pricing"]["type"], "free_customer_service");
        assert_eq!(statuses[1]["errors"][0]["code"], 131_026);
        let body = read(&source.echo("971500000101", "we close at 9"));
        assert_eq!(body["entry"][0]["changes"][0]["field"], "smb_message_echoes");
        assert_eq!(body["entry"][0]["changes"][0]["value"]["message_echoes"][0]["to"], "971500000101");
        let body = read(&source.change("account_update", &json!({"event": "DISABLED_UPDATE"})));
        assert_eq!(body["entry"][0]["changes"][0]["value"]["event"], "DISABLED_UPDATE");
    }

    #[test]
    fn the_same_id_gives_the_same_message_again() {
        let source = source();
        let lead = source.lead("971500000101", "Amina").with_id("wamid.same").at(1);
        assert_eq!(lead.text("hi").body, lead.text("hi").body);
    }
}
