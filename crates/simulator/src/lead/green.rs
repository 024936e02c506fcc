//! What Green API posts (PROTOCOL.md 3).

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use types::SharedClock;

use super::Webhook;
use crate::ids::Ids;
use crate::journal::Provider;
use crate::json::Json;
use crate::options::GreenInstance;

/// Writes the webhooks of one instance.
#[derive(Debug)]
pub struct GreenSource {
    instance: GreenInstance,
    ids: Arc<Ids>,
    clock: SharedClock,
    proof: String,
    /// `instanceData`, the same in all.
    data: String,
}

impl GreenSource {
    /// For `instance`, with ids of its own.
    #[must_use]
    pub fn new(instance: &GreenInstance, clock: SharedClock) -> Self {
        Self::with_ids(instance, clock, Arc::default())
    }

    pub(crate) fn with_ids(instance: &GreenInstance, clock: SharedClock, ids: Arc<Ids>) -> Self {
        let mut json = Json::with_capacity(128);
        json.raw(r#""instanceData":{"idInstance":"#).number(instance.instance.parse().unwrap_or_default());
        json.raw(r#","wid":"#).text(&instance.wid).raw(r#","typeInstance":"whatsapp"}"#);
        let data = String::from_utf8_lossy(&json.done()).into_owned();
        let token = instance.webhook_token.expose();
        let proof = if token.is_empty() { String::new() } else { format!("Bearer {token}") };
        Self { instance: instance.clone(), ids, clock, proof, data }
    }

    /// The instance it speaks for.
    #[must_use]
    pub const fn instance(&self) -> &GreenInstance {
        &self.instance
    }

    /// A customer: digits of the number (or a whole chat id) and the name.
    #[must_use]
    pub fn lead<'a>(&'a self, phone: &'a str, name: &'a str) -> GreenLead<'a> {
        GreenLead { source: self, phone, name, id: None, at: None }
    }

    /// What staff wrote on the phone: `outgoingMessageReceived`.
    #[must_use]
    pub fn phone_message(&self, to: &str, text: &str) -> Webhook {
        let id = self.ids.id_message();
        self.outgoing("outgoingMessageReceived", &id, &chat_id(to), "textMessage", text)
    }

    /// What our API call sent: `outgoingAPIMessageReceived`.
    #[must_use]
    pub fn own_send(&self, id: &str, chat: &str, kind: &str, text: &str) -> Webhook {
        self.outgoing("outgoingAPIMessageReceived", id, chat, kind, text)
    }

    fn outgoing(&self, webhook: &str, id: &str, chat: &str, kind: &str, text: &str) -> Webhook {
        let mut json = self.head(webhook, None, 512 + text.len());
        json.raw(r#","idMessage":"#).text(id).raw(r#","senderData":{"chatId":"#).text(chat);
        json.raw(r#","sender":"#).text(&self.instance.wid);
        json.raw(r#","chatName":"","senderName":"","senderContactName":""},"messageData":{"typeMessage":"#).text(kind);
        match kind {
            "textMessage" => json.raw(r#","textMessageData":{"textMessage":"#).text(text).raw("}"),
            "extendedTextMessage" => json.raw(r#","extendedTextMessageData":{"text":"#).text(text).raw("}"),
            _ => json.raw(r#","fileMessageData":{"downloadUrl":"","caption":"#).text(text).raw("}"),
        };
        json.raw("}}");
        self.webhook(id, chat, json.done())
    }

    /// `outgoingMessageStatus`: what became of a message. `by_api` is false for what was written on the phone.
    #[must_use]
    pub fn status(&self, id: &str, chat: &str, word: &str, description: Option<&str>, by_api: bool) -> Webhook {
        let mut json = self.head("outgoingMessageStatus", None, 400);
        json.raw(r#","chatId":"#).text(chat).raw(r#","idMessage":"#).text(id).raw(r#","status":"#).text(word);
        if let Some(description) = description {
            json.raw(r#","description":"#).text(description);
        }
        json.raw(r#","sendByApi":"#).raw(if by_api { "true}" } else { "false}" });
        self.webhook("", chat, json.done())
    }

    /// `stateInstanceChanged`: `authorized`, `notAuthorized`, `blocked`, `sleepMode`, `starting`, `yellowCard`.
    #[must_use]
    pub fn state(&self, state: &str) -> Webhook {
        let mut json = self.head("stateInstanceChanged", None, 300);
        json.raw(r#","stateInstance":"#).text(state).raw("}");
        self.webhook("", "", json.done())
    }

    fn head(&self, webhook: &str, at: Option<i64>, capacity: usize) -> Json {
        let mut json = Json::with_capacity(capacity);
        json.raw(r#"{"typeWebhook":"#).text(webhook).raw(",").raw(&self.data).raw(r#","timestamp":"#);
        json.number(at.unwrap_or_else(|| self.clock.now().seconds()));
        json
    }

    fn webhook(&self, id: &str, chat: &str, body: Vec<u8>) -> Webhook {
        let chat = chat.split('@').next().unwrap_or_default().to_owned();
        Webhook {
            provider: Provider::Green,
            id: id.to_owned(),
            chat,
            body: Bytes::from(body),
            proof: self.proof.clone(),
        }
    }
}

/// `971…@c.us` of digits; what has an `@` stays.
#[must_use]
pub fn chat_id(phone: &str) -> String {
    if phone.contains('@') { phone.to_owned() } else { format!("{phone}@c.us") }
}

/// A customer of one instance; each method gives one webhook with a new `idMessage`.
#[derive(Clone, Debug)]
pub struct GreenLead<'a> {
    source: &'a GreenSource,
    phone: &'a str,
    name: &'a str,
    id: Option<&'a str>,
    at: Option<i64>,
}

impl<'a> GreenLead<'a> {
    /// With this id instead of a new one.
    #[must_use]
    pub const fn with_id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// Written at this time (seconds since 1970) instead of now.
    #[must_use]
    pub const fn at(mut self, seconds: i64) -> Self {
        self.at = Some(seconds);
        self
    }

    /// Text.
    #[must_use]
    pub fn text(&self, text: &str) -> Webhook {
        self.message("textMessage", |json| {
            json.raw(r#","textMessageData":{"textMessage":"#).text(text).raw("}");
        })
    }

    /// Text that quotes one of our messages.
    #[must_use]
    pub fn text_quoting(&self, text: &str, quoted: &str) -> Webhook {
        let wid = &self.source.instance.wid;
        self.message("extendedTextMessage", |json| {
            json.raw(r#","extendedTextMessageData":{"text":"#).text(text).raw(r#","stanzaId":"#).text(quoted).raw("}");
            json.raw(r#","quotedMessage":{"stanzaId":"#).text(quoted).raw(r#","participant":"#).text(wid).raw("}");
        })
    }

    /// A file: `imageMessage`, `videoMessage`, `documentMessage`, `audioMessage`, `stickerMessage`.
    #[must_use]
    pub fn media(&self, kind: &str, mime: &str, caption: &str) -> Webhook {
        let object = json!({
            "downloadUrl": "https://do-media.example.com/file", "caption": caption, "fileName": "file",
            "jpegThumbnail": "", "mimeType": mime, "forwardingScore": 0, "isForwarded": false,
        });
        self.object(kind, "fileMessageData", &object)
    }

    /// A tap on a button of `quoted`.
    #[must_use]
    pub fn button(&self, id: &str, title: &str, quoted: &str) -> Webhook {
        let object = json!({"stanzaId": quoted, "selectedButtonId": id, "selectedButtonText": title});
        self.object("buttonsResponseMessage", "buttonsResponseMessage", &object)
    }

    /// A reaction to `of`; an empty emoji takes it back.
    #[must_use]
    pub fn reaction(&self, of: &str, emoji: &str) -> Webhook {
        let wid = &self.source.instance.wid;
        self.message("reactionMessage", |json| {
            json.raw(r#","extendedTextMessageData":{"text":"#).text(emoji);
            json.raw(r#"},"quotedMessage":{"stanzaId":"#).text(of).raw(r#","participant":"#).text(wid).raw("}");
        })
    }

    /// A place.
    #[must_use]
    pub fn location(&self, latitude: f64, longitude: f64) -> Webhook {
        let object = json!({"nameLocation": "", "address": "", "latitude": latitude, "longitude": longitude});
        self.object("locationMessage", "locationMessageData", &object)
    }

    /// Changes the text of `of`.
    #[must_use]
    pub fn edit(&self, of: &str, text: &str) -> Webhook {
        self.object("editedMessage", "editedMessageData", &json!({"textMessage": text, "stanzaId": of}))
    }

    /// Deletes `of`.
    #[must_use]
    pub fn revoke(&self, of: &str) -> Webhook {
        self.object("deletedMessage", "deletedMessageData", &json!({"stanzaId": of}))
    }

    /// A message of any other type, whose object stands under `key`.
    #[must_use]
    pub fn object(&self, kind: &str, key: &str, object: &Value) -> Webhook {
        self.message(kind, |json| {
            json.raw(",").text(key).raw(":").value(object);
        })
    }

    fn message(&self, kind: &str, object: impl FnOnce(&mut Json)) -> Webhook {
        let chat = chat_id(self.phone);
        let id = self.id.map_or_else(|| self.source.ids.id_message(), str::to_owned);
        let mut json = self.source.head("incomingMessageReceived", self.at, 768);
        json.raw(r#","idMessage":"#).text(&id).raw(r#","senderData":{"chatId":"#).text(&chat);
        json.raw(r#","sender":"#).text(&chat).raw(r#","chatName":"#).text(self.name);
        json.raw(r#","senderName":"#)
            .text(self.name)
            .raw(r#","senderContactName":""},"messageData":{"typeMessage":"#)
            .text(kind);
        object(&mut json);
        json.raw("}}");
        self.source.webhook(&id, &chat, json.done())
    }
}

#[cfg(test)]
mod tests {
    use types::{Secret, SystemClock};

    use super::*;

    fn source() -> GreenSource {
        let instance = GreenInstance {
            instance: "1101000001".into(),
            api_token: Secret::new("api"),
            webhook_token: Secret::new("hook"),
            wid: "971500000900@c.us".into(),
        };
        GreenSource::new(&instance, Arc::new(SystemClock))
    }

    fn read(webhook: &Webhook) -> Value {
        serde_json::from_slice(&webhook.body).unwrap()
    }

    #[test]
    fn a_text_has_green_apis_shape() {
        let source = source();
        let webhook = source.lead("971500000101", "Amina").at(1_786_000_000).text("أهلا \"you\"");
        assert_eq!(
            read(&webhook),
            json!({
                "typeWebhook": "incomingMessageReceived",
                "instanceData": {"idInstance": 1_101_000_001, "wid": "971500000900@c.us", "typeInstance": "whatsapp"},
                "timestamp": 1_786_000_000, "idMessage": webhook.id,
                "senderData": {"chatId": "971500000101@c.us", "sender": "971500000101@c.us", "chatName": "Amina",
                               "senderName": "Amina", "senderContactName": ""},
                "messageData": {"typeMessage": "textMessage", "textMessageData": {"textMessage": "أهلا \"you\""}},
            })
        );
        assert_eq!((webhook.header(), webhook.proof.as_str()), ("authorization", "Bearer hook"));
    }

    #[test]
    fn every_kind_carries_its_own_object() {
        let source = source();
        let lead = source.lead("971500000101", "Amina");
        for (webhook, pointer, want) in [
            (lead.media("imageMessage", "image/jpeg", "look"), "/messageData/fileMessageData/caption", json!("look")),
            (lead.button("yes", "Yes", "Q"), "/messageData/buttonsResponseMessage/selectedButtonId", json!("yes")),
            (lead.reaction("Q", "👍"), "/messageData/quotedMessage/stanzaId", json!("Q")),
            (lead.text_quoting("this", "Q"), "/messageData/extendedTextMessageData/stanzaId", json!("Q")),
            (lead.location(1.5, 2.5), "/messageData/locationMessageData/longitude", json!(2.5)),
            (lead.edit("Q", "new"), "/messageData/editedMessageData/textMessage", json!("new")),
            (lead.revoke("Q"), "/messageData/deletedMessageData/stanzaId", json!("Q")),
            (source.phone_message("971500000101", "9 pm"), "/typeWebhook", json!("outgoingMessageReceived")),
            (
                source.own_send("I", "971500000101@c.us", "textMessage", "x"),
                "/messageData/textMessageData/textMessage",
                json!("x"),
            ),
            (
                source.own_send("I", "971500000101@c.us", "imageMessage", "x"),
                "/messageData/fileMessageData/caption",
                json!("x"),
            ),
            (source.status("I", "971500000101@c.us", "read", None, true), "/sendByApi", json!(true)),
            (source.status("I", "971500000101@c.us", "failed", Some("no"), false), "/description", json!("no")),
            (source.state("notAuthorized"), "/stateInstance", json!("notAuthorized")),
        ] {
            assert_eq!(read(&webhook).pointer(pointer), Some(&want), "{pointer}");
        }
    }
}
