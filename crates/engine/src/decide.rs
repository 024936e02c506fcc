//! From what a message means to what is answered (S3.1): one pass, no state but the conversation's memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::Action;
use types::inbound::{Content, MediaKind};

use crate::EngineError;
use crate::act::Said;
use crate::agent::{Line, Traces};
use crate::flow::{Flow, Question, Wording, fill};
use crate::guard::Screen;
use crate::handler::{Handler, Handlers};
use crate::turn::{Decision, Handover, Memory, Reply, Stage, TenantBrain, Turn};
use nlu::Language;
use nlu::{Background, Intent, Reader, Slot, Suppression, Understanding};

/// A question is asked at most this many times; then a person is called (S3.1: again at most twice).
const MOST_ASKED: u8 = 3;

/// A tenant, compiled.
#[derive(Debug)]
pub(crate) struct Brain {
    pub(crate) tenant: TenantBrain,
    pub(crate) background: Background,
    pub(crate) screen: Screen,
    pub(crate) handlers: Handlers,
}

/// What can be read of a message that is not plain text.
pub(crate) struct Read<'a> {
    pub(crate) text: std::borrow::Cow<'a, str>,
    /// Said before the next question.
    notice: Option<fn(&Flow) -> &Wording>,
    /// What a cart asks for.
    pub(crate) order: Option<String>,
    /// Nothing was said that could have been an answer: asking again is no second failure.
    silent: bool,
}

/// One decision in the making.
pub(crate) struct Work<'a> {
    pub(crate) brain: &'a Brain,
    pub(crate) turn: &'a Turn,
    flow: &'a Flow,
    pub(crate) memory: Memory,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) steps: Vec<(&'static str, String)>,
    pub(crate) handover: Option<Handover>,
    pub(crate) suppress: Option<Suppression>,
    pub(crate) handler: Option<String>,
    pub(crate) actions: Vec<Action>,
}

impl Brain {
    pub(crate) fn new(tenant: TenantBrain, handlers: &[Arc<dyn Handler>]) -> Result<Self, EngineError> {
        let background = Background::new(&tenant.services, &tenant.region)?;
        let screen = Screen::new(&tenant.services);
        let own = tenant.intents.iter().map(|i| Arc::new(i.clone()) as Arc<dyn Handler>);
        let handlers = Handlers::new(handlers.iter().map(Arc::clone).chain(own))?;
        Ok(Self { tenant, background, screen, handlers })
    }

    pub(crate) async fn decide(&self, reader: &Reader, turn: &Turn, line: Option<&Line>) -> Decision {
        // Whoever has no agents waits for nothing.
        if self.tenant.staff.needs_aids() {
            // On the heap: the way of everyone else stays small.
            return Box::pin(self.decide_with_staff(reader, turn, line)).await;
        }
        let (work, read, seen) = self.begin(reader, turn, &self.tenant.flow);
        work.by_flow(turn, &read, &seen)
    }

    /// Reads the message.
    pub(crate) fn begin<'a>(
        &'a self,
        reader: &Reader,
        turn: &'a Turn,
        flow: &'a Flow,
    ) -> (Work<'a>, Read<'a>, Understanding) {
        let memory = turn.memory.clone();
        let mut work = Work {
            brain: self,
            turn,
            flow,
            memory,
            fields: BTreeMap::new(),
            steps: Vec::with_capacity(6),
            handover: None,
            suppress: None,
            handler: None,
            actions: Vec::new(),
        };
        let open = work.memory.open.as_deref().and_then(|key| flow.question(key));
        let asked = if work.memory.stage == Stage::Asking { open.map(|q| q.fills) } else { None };
        let read = read_content(&turn.message, asked == Some(Slot::Phone));
        let mut seen = reader.read(&read.text, &self.background, asked, turn.profile_name.as_deref());
        if read.order.is_some() && seen.intent == Intent::Unknown {
            (seen.intent, seen.confidence) = (Intent::OrderRequest, 0.95);
        }
        work.steps.push(("read", format!("{}, {} characters", turn.message.kind(), read.text.chars().count())));
        work.steps.push(("understand", format!("{} {:.2}", seen.intent.as_str(), seen.confidence)));
        if seen.injection {
            work.steps.push(("validate", "gives orders to the assistant: nothing taken from it".to_owned()));
        }
        (work, read, seen)
    }
}

impl<'w> Work<'w> {
    /// What the flow makes of it.
    pub(crate) fn by_flow(mut self, turn: &Turn, read: &Read<'_>, seen: &Understanding) -> Decision {
        let reply = if turn.message.wants_answer() { self.answer(seen, read) } else { None };
        self.finish(reply, seen)
    }

    pub(crate) const fn flow(&self) -> &'w Flow {
        self.flow
    }

    pub(crate) fn language(&self) -> Language {
        self.memory.language.unwrap_or(self.brain.tenant.language)
    }

    pub(crate) fn say(&self, wording: &Wording) -> String {
        self.fill(wording.get(self.language()))
    }

    pub(crate) fn fill(&self, template: &str) -> String {
        let tenant = &self.brain.tenant;
        fill(template, |place| match place {
            "assistant" => Some(tenant.assistant.as_str()),
            "business" => Some(tenant.business.as_str()),
            field => self.memory.known.get(field).map(String::as_str),
        })
    }

    /// The reply's key and text.
    fn answer(&mut self, seen: &Understanding, read: &Read<'_>) -> Option<(String, String)> {
        if let Some(language) = seen.language {
            self.memory.language = Some(language);
        }
        if let Some(done) = self.suppression(seen.suppress) {
            return done;
        }
        let learnt = self.learn(seen, read);
        if seen.wants_person && self.memory.stage != Stage::Person {
            self.call_person("asked_for_person");
            let text = self.say(&self.flow().texts.person);
            return Some(("reply".to_owned(), self.greeted(text)));
        }
        let said = self.handle(seen, read);
        let (key, text) = match self.memory.stage {
            Stage::Asking => self.next(seen, read, said, learnt),
            Stage::Done | Stage::Person | Stage::Later => self.after(seen, read, said, learnt),
        }?;
        let text = self.with_hours(text);
        Some((key, text))
    }

    /// STOP and START. `Some` ends the turn.
    fn suppression(&mut self, word: Option<Suppression>) -> Option<Option<(String, String)>> {
        let out = self.memory.opted_out;
        match word {
            Some(Suppression::OptOut) => {
                self.suppress = word;
                self.memory.opted_out = true;
                // One confirmation; a second STOP needs none.
                Some((!out).then(|| ("reply".to_owned(), self.say(&self.flow().texts.opted_out))))
            }
            Some(Suppression::OptIn) if out => {
                self.suppress = word;
                self.memory.opted_out = false;
                let welcome = self.say(&self.flow().texts.opted_in);
                let question = self.open_question().map(|q| (q.key.clone(), self.fill(q.wording(self.language(), 0))));
                Some(Some(match question {
                    Some((key, text)) if self.memory.stage == Stage::Asking => (key, format!("{welcome} {text}")),
                    _ => ("reply".to_owned(), welcome),
                }))
            }
            Some(Suppression::OptIn) => {
                self.suppress = word;
                None
            }
            None => out.then(|| {
                self.steps.push(("decide", "opted out: silent".to_owned()));
                None
            }),
        }
    }

    /// Takes what the message says of the person. Returns whether anything is new.
    pub(crate) fn learn(&mut self, seen: &Understanding, read: &Read<'_>) -> bool {
        let before = self.fields.len();
        for slot in [Slot::Service, Slot::Name, Slot::Nationality, Slot::Email, Slot::Phone, Slot::Time, Slot::Quantity]
        {
            let Some(entity) = seen.entities.get(slot) else { continue };
            let known = self.memory.known.get(slot.as_str());
            let same = known.is_some_and(|k| nlu::fold(k) == nlu::fold(&entity.value));
            // What is known gives way only to plain words about it; a wish stands until the flow is done.
            let replaces = matches!(slot, Slot::Time | Slot::Quantity) || entity.explicit && slot != Slot::Service;
            if same || known.is_some() && !replaces {
                continue;
            }
            self.set(slot.as_str(), entity.value.clone());
            if slot == Slot::Nationality
                && let Some(iso) = &seen.entities.nationality_iso
            {
                self.set("nationality_iso", iso.clone());
            }
        }
        if let Some(order) = &read.order
            && !self.memory.known.contains_key("service")
        {
            self.set("service", order.clone());
        }
        self.learn_text(seen, read);
        self.append_wish(seen);
        let found: Vec<&str> = self.fields.keys().map(String::as_str).collect();
        self.steps.push(("learn", if found.is_empty() { "nothing new".to_owned() } else { found.join(", ") }));
        self.fields.len() > before
    }

    /// A question of the tenant's own takes any answer with something in it.
    fn learn_text(&mut self, seen: &Understanding, read: &Read<'_>) {
        let Some(question) = self.open_question().filter(|q| q.fills == Slot::Text) else { return };
        let key = question.key.clone();
        let text = read.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let says_something = text.chars().any(char::is_alphanumeric);
        if says_something && !seen.injection && !seen.wants_person && self.memory.stage == Stage::Asking {
            self.set(&key, types::text::preview(&text, 300).to_owned());
        }
    }

    pub(crate) fn set(&mut self, field: &str, value: String) {
        self.memory.known.insert(field.to_owned(), value.clone());
        self.fields.insert(field.to_owned(), value);
    }

    fn open_question(&self) -> Option<&Question> {
        self.memory.open.as_deref().and_then(|key| self.flow().question(key))
    }

    /// Puts the greeting in front, once per conversation.
    pub(crate) fn greeted(&mut self, text: String) -> String {
        if std::mem::replace(&mut self.memory.greeted, true) {
            return text;
        }
        let greeting = self.say(&self.flow().greeting);
        if greeting.is_empty() { text } else { format!("{greeting} {text}") }
    }

    /// Says something at most once per conversation.
    pub(crate) fn once(&mut self, what: &str) -> bool {
        let fresh = !self.memory.said.iter().any(|s| s == what);
        if fresh {
            self.memory.said.push(what.to_owned());
        }
        fresh
    }

    pub(crate) fn call_person(&mut self, reason: &str) {
        // Whoever is called for a quotation already stays called for that.
        self.handover = Some(Handover { reason: reason.to_owned() });
        self.memory.stage = Stage::Person;
        self.memory.open = None;
        self.memory.asked = 0;
        self.steps.push(("decide", format!("a person: {reason}")));
    }

    /// Asks the next question, asks the open one again, or is done.
    fn next(&mut self, seen: &Understanding, read: &Read<'_>, said: Said, learnt: bool) -> Option<(String, String)> {
        // Whoever complains is asked who they are, not what they would like to buy.
        let asked = |q: &&Question| {
            !self.memory.complains || matches!(q.fills, Slot::Name | Slot::Phone | Slot::Email | Slot::Text)
        };
        let unknown = |q: &&Question| !self.memory.known.contains_key(q.field());
        let next = self.flow().questions.iter().filter(asked).find(unknown).cloned();
        let Some(question) = next else { return self.done(read, said) };
        let again = self.memory.open.as_deref() == Some(question.key.as_str());
        // Who was answered otherwise has not failed to answer.
        let learnt = learnt || read.silent || said.own;
        if again && !learnt && self.memory.asked >= MOST_ASKED {
            self.call_person("not_understood");
            self.lost(seen, read);
            let text = self.say(&self.flow().texts.not_understood);
            return Some(("reply".to_owned(), self.greeted(text)));
        }
        let nth = if again { self.memory.asked } else { 0 };
        // An answer to something else is progress, not a failure.
        self.memory.asked = if again && learnt { nth.max(1) } else { nth + 1 };
        self.memory.open = Some(question.key.clone());
        self.steps.push(("decide", format!("ask {} ({})", question.key, nth + 1)));
        let mut parts = Vec::with_capacity(2);
        if let Some(notice) = read.notice {
            parts.push(self.say(notice(self.flow())));
        }
        if self.elsewhere(seen, read, &said, learnt) {
            parts.push(self.say(&self.flow().texts.elsewhere));
        }
        parts.extend(said.sentence);
        parts.push(self.fill(question.wording(self.language(), usize::from(nth))));
        let text = self.greeted(parts.join(" "));
        Some((question.key, text))
    }

    /// A question about something that is none of our matters: a question back would sound deaf.
    fn elsewhere(&mut self, seen: &Understanding, read: &Read<'_>, said: &Said, learnt: bool) -> bool {
        let asks = read.text.contains(['?', '؟']) || seen.off_topic;
        let ours =
            learnt && !seen.off_topic || read.silent || seen.small_talk || seen.injection || said.sentence.is_some();
        asks && !ours
            && seen.intent == Intent::Unknown
            && self.handler.as_deref().is_none_or(|h| h == Intent::Unknown.as_str())
            && self.once("elsewhere")
    }

    /// Everything is known: a person takes over, and the rest is asked in one go.
    fn done(&mut self, read: &Read<'_>, said: Said) -> Option<(String, String)> {
        let complains = self.memory.complains;
        let reason = match self.flow().handover.as_str() {
            _ if complains => "complaint".to_owned(),
            "" => "quotation".to_owned(),
            own => own.to_owned(),
        };
        self.steps.push(("decide", format!("done: {reason}")));
        self.handover = Some(Handover { reason });
        self.memory.stage = Stage::Done;
        self.memory.open = None;
        self.memory.asked = 0;
        let mut parts = Vec::with_capacity(3);
        if let Some(notice) = read.notice {
            parts.push(self.say(notice(self.flow())));
        }
        parts.extend(said.sentence);
        if complains {
            parts.push(self.say(&self.flow().texts.complaint));
        } else {
            parts.push(self.say(&self.flow().done));
            parts.extend(self.wish());
        }
        let text = self.greeted(parts.join(" "));
        Some(("reply".to_owned(), text))
    }

    /// The question for what is still missing after the flow; each wording once.
    fn wish(&mut self) -> Option<String> {
        let unknown = |slot: &Slot| !self.memory.known.contains_key(slot.as_str());
        let (at, wish) = self.flow().wishes.iter().enumerate().find(|(_, w)| w.missing.iter().all(unknown))?;
        self.once(&format!("wish{at}")).then(|| self.say(&wish.text))
    }

    /// After the hand-over: what is new is noted; anything else is answered once, then a person's silence is not talked over.
    fn after(&mut self, seen: &Understanding, read: &Read<'_>, said: Said, learnt: bool) -> Option<(String, String)> {
        if learnt {
            self.steps.push(("decide", "noted".to_owned()));
            let mut text = self.say(&self.flow().texts.noted);
            if let Some(sentence) = said.sentence {
                text = format!("{text} {sentence}");
            }
            if self.memory.stage == Stage::Done
                && !self.memory.complains
                && let Some(wish) = self.wish()
            {
                text = format!("{text} {wish}");
            }
            return Some(("reply".to_owned(), text));
        }
        if let Some(sentence) = said.sentence {
            self.steps.push(("decide", "handed over: the handler's word".to_owned()));
            return Some(("reply".to_owned(), sentence));
        }
        let polite = seen.small_talk && read.notice.is_none();
        if polite && self.memory.said.iter().any(|s| s == "waiting") || !self.once("waiting") {
            self.steps.push(("decide", "handed over: silent".to_owned()));
            return None;
        }
        self.steps.push(("decide", "handed over: said once".to_owned()));
        Some(("reply".to_owned(), self.say(&self.flow().texts.waiting)))
    }

    /// A second wish stands beside the first: staff should see both.
    fn append_wish(&mut self, seen: &Understanding) {
        let Some(wish) = seen.entities.service.as_ref().filter(|e| e.explicit) else { return };
        let Some(known) = self.memory.known.get("service") else { return };
        let (have, new) = (nlu::fold(known), nlu::fold(&wish.value));
        let asks = matches!(seen.intent, Intent::OrderRequest | Intent::PricingInquiry);
        if asks && !have.contains(&new) && known.chars().count() < 200 {
            self.set("service", format!("{known}; {}", wish.value));
        }
    }

    /// The last step: the guard, then the decision.
    pub(crate) fn finish(mut self, reply: Option<(String, String)>, seen: &Understanding) -> Decision {
        let mut sanitized = 0;
        let reply = reply.map(|(key, text)| {
            let guarded = self.brain.screen.clean(&text);
            sanitized = guarded.removed;
            let text = if guarded.text.trim().is_empty() { self.fallback() } else { guarded.text };
            Reply { key, text }
        });
        if sanitized > 0 {
            self.steps.push(("guard", format!("{sanitized} lists of services removed")));
        }
        let apology = if self.actions.is_empty() {
            String::new()
        } else {
            self.brain.screen.clean(&self.say(&self.flow().texts.undone)).text
        };
        Decision {
            reply,
            handler: self.handler,
            actions: self.actions,
            apology,
            memory: self.memory,
            fields: self.fields,
            intent: seen.intent,
            confidence: seen.confidence,
            handover: self.handover,
            suppress: self.suppress,
            sanitized,
            steps: self.steps,
            traces: Traces::default(),
        }
    }

    /// When the guard left nothing: the open question, and if that is a list itself, Barid's own words.
    fn fallback(&self) -> String {
        let question =
            self.open_question().map(|q| self.brain.screen.clean(&self.fill(q.wording(self.language(), 0))).text);
        question.filter(|q| !q.trim().is_empty()).unwrap_or_else(|| {
            let own = Flow::default_flow();
            match (&self.memory.stage, own.questions.first()) {
                (Stage::Asking, Some(q)) => q.wording(self.language(), 0).to_owned(),
                _ => own.texts.waiting.get(self.language()).to_owned(),
            }
        })
    }
}

/// What a person would read of a message, and what to say of the rest.
fn read_content(content: &Content, phone_asked: bool) -> Read<'_> {
    let plain = |text| Read { text, notice: None, order: None, silent: matches!(content, Content::Welcome) };
    match content {
        Content::Media(media) if media.caption.as_deref().unwrap_or("").trim().is_empty() => {
            let voice = matches!(media.kind, MediaKind::Voice | MediaKind::Audio);
            let notice: fn(&Flow) -> &Wording = if voice { |f| &f.texts.voice } else { |f| &f.texts.media };
            Read { text: "".into(), notice: Some(notice), order: None, silent: false }
        }
        Content::Location { .. } => {
            Read { text: "".into(), notice: Some(|f| &f.texts.media), order: None, silent: false }
        }
        Content::Contacts { cards } => {
            // A card may be anyone's; only the answer to "which number" is the person's own.
            let phone = cards.first().and_then(|c| c.phones.first()).filter(|_| phone_asked);
            let text = phone.map_or("", String::as_str);
            Read { text: text.into(), notice: Some(|f| &f.texts.media), order: None, silent: false }
        }
        Content::Unsupported { .. } => {
            Read { text: "".into(), notice: Some(|f| &f.texts.unreadable), order: None, silent: false }
        }
        Content::Form { answers, .. } => plain(form_text(answers).into()),
        Content::Order { items, note } => {
            let lines: Vec<String> = items.iter().take(10).map(|i| format!("{} × {}", i.quantity, i.product)).collect();
            Read {
                text: note.as_deref().unwrap_or("").into(),
                notice: Some(|f| &f.texts.media),
                order: Some(lines.join(", ")),
                silent: false,
            }
        }
        other => plain(other.text().into()),
    }
}

/// A form's answers as lines of "label: value".
fn form_text(answers: &serde_json::Value) -> String {
    let Some(map) = answers.as_object() else { return answers.as_str().unwrap_or("").to_owned() };
    let mut out = String::new();
    for (key, value) in map.iter().filter(|(k, _)| k.as_str() != "flow_token").take(30) {
        if let Some(text) = value.as_str() {
            out.push_str(&key.replace('_', " "));
            out.push_str(": ");
            out.push_str(text);
            out.push('\n');
        }
    }
    out
}

/// A tenant that this engine was not told of (its configuration is being reloaded): the lead is not left without an answer.
pub(crate) fn without_tenant(turn: &Turn) -> Decision {
    let language = turn.memory.language.unwrap_or_default();
    let text = Flow::default_flow().texts.waiting.get(language).to_owned();
    let mut memory = turn.memory.clone();
    let fresh = !memory.said.iter().any(|s| s == "waiting");
    let speak = turn.message.wants_answer() && !memory.opted_out && fresh;
    if speak {
        memory.said.push("waiting".to_owned());
    }
    Decision {
        reply: speak.then(|| Reply { key: "reply".to_owned(), text }),
        handler: None,
        actions: Vec::new(),
        apology: String::new(),
        memory,
        fields: BTreeMap::new(),
        intent: Intent::Unknown,
        confidence: 0.0,
        handover: speak.then(|| Handover { reason: "not_understood".to_owned() }),
        suppress: None,
        sanitized: 0,
        steps: vec![("resolve tenant", "unknown tenant: a person is called".to_owned())],
        traces: Traces::default(),
    }
}
