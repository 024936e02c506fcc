//! Sample data (S8.1): six leads over six days, so that every page shows what it is for: a closed window, failed sends that may and may not
//! be tried again, a message in doubt, a dead letter, a snoozed notification, a task for today. Made by the store's own operations in a past
//! that ends now, with a fixed content, before the engine starts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use store::accounts::users;
use store::breakers::Moved;
use store::desk::acts::{AddNote, Answer, Deed, Do};
use store::desk::follow::{Keep, Look, WhereAmI};
use store::desk::{Access, By, Priority, notices, tasks};
use store::inbox::{Accept, Accepted, Arrival};
use store::jobs::{FailTurn, Finish, FinishTurn, Reply};
use store::leases::Claim;
use store::outbox::RecordAttempt;
use store::{Claimed, Deliver, Door, Lease, Next, Policy, Store, Work};
use types::breaker::BreakerRecord;
use types::clock::ShiftedClock;
use types::inbound::{Content, Event, Identity, Inbound, Item, Route, StatusReport};
use types::outbound::{OutboundContent, Outcome};
use types::states::{BreakerState, Receipt};
use types::{Clock, ConversationId, Fault, ProviderMessageId, Refusal, RequestId, Timestamp};

use super::script::{CHATS, Chat, Line, Who};
use crate::config::{Config, StoreUrl};
use crate::wire;

const SECOND: Duration = Duration::from_secs(1);

/// Fills a database that is not there yet; whether it did.
///
/// # Errors
/// When the database cannot be made.
pub async fn seed(config: &Config, now: Timestamp) -> anyhow::Result<bool> {
    if let StoreUrl::Sqlite(path) = &config.store.url
        && path.exists()
    {
        return Ok(false);
    }
    let longest = CHATS.iter().flat_map(|c| c.lines).map(|l| l.ago).max().unwrap_or(0);
    let clock = Arc::new(ShiftedClock::still(now.minus(Duration::from_secs(u64::from(longest) * 60 + 60))));
    let store = wire::open_store(config, clock.clone(), true).await?;
    // A server has a database before its tables: what tells is whether somebody uses it.
    if store.read(users::HasAdmin).await? {
        store.close().await;
        return Ok(false);
    }
    let synced = wire::sync(config, &store).await?;
    let doors = wire::doors(config, &synced);
    let policy = Arc::new(wire::policy(config, &synced));
    let mut maker = Maker { store: &store, clock, now, doors, policy, count: 0 };
    maker.play().await?;
    maker.furnish().await?;
    store.close().await;
    Ok(true)
}

struct Maker<'a> {
    store: &'a Store,
    clock: Arc<ShiftedClock>,
    now: Timestamp,
    doors: Vec<Door>,
    policy: Arc<Policy>,
    count: u32,
}

impl Maker<'_> {
    /// All lines of all chats, in the order of their times.
    async fn play(&mut self) -> anyhow::Result<()> {
        let mut lines: Vec<(&Chat, &Line)> = CHATS.iter().flat_map(|c| c.lines.iter().map(move |l| (c, l))).collect();
        lines.sort_by_key(|(_, line)| std::cmp::Reverse(line.ago));
        for (chat, line) in lines {
            self.go_to(self.now.minus(Duration::from_secs(u64::from(line.ago) * 60)));
            self.line(chat, line).await.with_context(|| format!("the sample line {:?}", line.text))?;
        }
        Ok(())
    }

    fn go_to(&self, at: Timestamp) {
        self.clock.advance(at.since(self.clock.now()));
    }

    fn next(&mut self, what: &str) -> String {
        self.count += 1;
        format!("wamid.sample.{what}.{:04}", self.count)
    }

    fn door(&self, chat: &Chat) -> anyhow::Result<Door> {
        self.doors.get(usize::from(chat.green)).cloned().context("the sample business has both channels")
    }

    async fn accept(&mut self, door: Door, event: Event, raw: String) -> anyhow::Result<Accepted> {
        let item = Item { route: Route::Nowhere, event, raw };
        let arrivals = vec![Arrival { door: Some(door), item, answer_groups: false }];
        let request_id = RequestId(self.next("request"));
        Ok(self.store.write(Accept { arrivals, request_id, room: None, policy: Arc::clone(&self.policy) }).await?)
    }

    async fn line(&mut self, chat: &Chat, line: &Line) -> anyhow::Result<()> {
        match line.who {
            Who::Lead => {
                let talk = self.lead(chat, line.text).await?;
                let answered = chat.lines.iter().find(|l| l.ago < line.ago).is_some_and(|l| l.who.is_work());
                if answered { Ok(()) } else { self.silence(talk).await }
            }
            Who::Bot => self.bot(chat, line, None).await,
            Who::Refused(code) => {
                let why = super::script::reason(code);
                let refusal = Refusal { code: Some(code), http: Some(400), ..Refusal::new(Fault::Permanent, why) };
                self.bot(chat, line, Some(Outcome::Rejected(refusal))).await
            }
            Who::Doubtful => {
                let refusal = Refusal::new(Fault::Transient, "no answer came within 10 s");
                self.bot(chat, line, Some(Outcome::Unknown(refusal))).await
            }
            Who::Broken => self.broken(chat, line.text).await,
            Who::Person(name) => self.person(chat, name, line.text).await,
        }
    }

    async fn lead(&mut self, chat: &Chat, text: &str) -> anyhow::Result<ConversationId> {
        let id = self.next("in");
        let from = Identity { phone: Some(chat.phone.into()), name: Some(chat.name.into()), ..Identity::default() };
        let raw = serde_json::json!({ "from": chat.phone, "id": id, "type": "text", "text": { "body": text } });
        let event = Event::Message(Box::new(Inbound {
            provider_id: ProviderMessageId(id),
            from,
            group: None,
            at: Some(self.clock.now()),
            content: Content::Text { body: text.into() },
            quotes: None,
            forwarded: false,
            referral: None,
        }));
        let accepted = self.accept(self.door(chat)?, event, raw.to_string()).await?;
        let Some(stored) = accepted.messages.first() else { bail!("it was not stored") };
        Ok(stored.conversation)
    }

    /// The assistant leaves a message to the people.
    async fn silence(&self, talk: ConversationId) -> anyhow::Result<()> {
        let claimed = self.claim(talk).await?;
        let Work::Turn(turn) = claimed.work else { bail!("a message to answer is due") };
        let finish = FinishTurn {
            lease: claimed.lease,
            snapshot: std::sync::Arc::new(claimed.snapshot),
            turn,
            finish: Finish { outcome: "handed_over", ..Finish::default() },
            hold: None,
            stop: false,
            policy: Arc::clone(&self.policy),
        };
        self.store.write(finish).await?;
        Ok(())
    }

    async fn claim(&self, talk: ConversationId) -> anyhow::Result<Claimed> {
        let policy = Arc::clone(&self.policy);
        let claim = Claim { owner: "sample".into(), limit: 1, only: Some(talk), policy };
        self.store.write(claim).await?.pop().context("something is due")
    }

    /// The assistant's answer to what is due, and what became of it.
    async fn bot(&mut self, chat: &Chat, line: &Line, outcome: Option<Outcome>) -> anyhow::Result<()> {
        let claimed = self.claim(self.talk(chat).await?).await?;
        let Work::Turn(turn) = claimed.work else { bail!("a message to answer is due") };
        let content = OutboundContent::Text { body: line.text.into() };
        let reply = Reply { key: "reply".into(), content, quotes: None };
        let fields = line.told.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let over = line.hands_over;
        let state = over.then(|| (types::states::ConversationState::HandedOver, "the flow is done".to_owned()));
        let notice =
            over.then(|| (format!("{} waits for a quotation", chat.name), format!("{}: {}", chat.phone, line.text)));
        let finish = Finish { replies: vec![reply], fields, state, notice, outcome: "replied", ..Finish::default() };
        let op = FinishTurn {
            lease: claimed.lease.clone(),
            snapshot: std::sync::Arc::new(claimed.snapshot),
            turn,
            finish,
            hold: None,
            stop: false,
            policy: Arc::clone(&self.policy),
        };
        let Next::Work(Work::Deliver(deliver)) = self.store.write(op).await?.next else {
            bail!("the reply is sent next")
        };
        self.sent(chat, claimed.lease, deliver, outcome).await
    }

    async fn sent(
        &mut self,
        chat: &Chat,
        lease: Lease,
        deliver: Deliver,
        outcome: Option<Outcome>,
    ) -> anyhow::Result<()> {
        let id = self.next("out");
        let good = outcome.is_none();
        let accepted = Outcome::Accepted { provider_id: ProviderMessageId(id.clone()) };
        let (jitter, stop, policy) = (Duration::ZERO, false, Arc::clone(&self.policy));
        let outcome = outcome.unwrap_or(accepted);
        self.store.write(RecordAttempt { lease, deliver, outcome, jitter, stop, policy }).await?;
        for receipt in [Receipt::Sent, Receipt::Delivered, Receipt::Read].into_iter().filter(|_| good) {
            self.clock.advance(SECOND);
            let event = Event::Status(StatusReport {
                provider_id: ProviderMessageId(id.clone()),
                receipt: Some(receipt),
                word: receipt.as_str().into(),
                participant: None,
                to: Identity::default(),
                at: Some(self.clock.now()),
                dedupe_key: None,
                error: None,
                ours: true,
            });
            let raw = format!("{{\"id\":\"{id}\",\"status\":\"{}\"}}", receipt.as_str());
            self.accept(self.door(chat)?, event, raw).await?;
        }
        Ok(())
    }

    /// What is due cannot be worked.
    async fn broken(&self, chat: &Chat, why: &str) -> anyhow::Result<()> {
        let claimed = self.claim(self.talk(chat).await?).await?;
        let Work::Turn(turn) = claimed.work else { bail!("a message to answer is due") };
        let fail = FailTurn {
            lease: claimed.lease,
            turn,
            fault: Fault::Permanent,
            error: why.into(),
            jitter: Duration::ZERO,
            stop: false,
            policy: Arc::clone(&self.policy),
        };
        self.store.write(fail).await?;
        Ok(())
    }

    async fn person(&mut self, chat: &Chat, name: &str, text: &str) -> anyhow::Result<()> {
        let id = self.talk(chat).await?;
        let answer = Answer {
            id,
            content: OutboundContent::Text { body: text.into() },
            seen: None,
            key: self.next("key"),
            pauses: self.policy.pauses.clone(),
            access: Access::All,
            by: who(name),
        };
        self.store.write(answer).await?;
        let claimed = self.claim(id).await?;
        let Work::Deliver(deliver) = claimed.work else { bail!("a person's message is due") };
        self.sent(chat, claimed.lease, deliver, None).await
    }

    /// The lead's conversation.
    async fn talk(&self, chat: &Chat) -> anyhow::Result<ConversationId> {
        let open = store::views::OpenConversation { door: self.door(chat)?, phone: chat.phone.into() };
        Ok(self.store.write(open).await?)
    }

    /// What people did beside writing, and what they have to do.
    async fn furnish(&mut self) -> anyhow::Result<()> {
        self.go_to(self.now.minus(SECOND));
        self.follow().await?;
        let by = || who("Mariam");
        for chat in CHATS {
            let id = self.talk(chat).await?;
            let act = |deed| Do { id, deed, reason: None, access: Access::All, by: by() };
            if !chat.labels.is_empty() {
                let labels = chat.labels.iter().map(|l| (*l).to_owned()).collect();
                self.store.write(act(Deed::Labels(labels))).await?;
            }
            if chat.urgent {
                self.store.write(act(Deed::Priority(Priority::High))).await?;
            }
            if chat.resolved {
                self.store.write(act(Deed::Resolve)).await?;
            }
            if let Some(note) = chat.note {
                self.store.write(AddNote { id, body: note.into(), access: Access::All, by: by() }).await?;
            }
            for (title, hours, priority) in chat.tasks {
                let seconds = u64::from(hours.unsigned_abs()) * 3600;
                let due = if *hours < 0 {
                    self.now.minus(Duration::from_secs(seconds))
                } else {
                    self.now.plus(Duration::from_secs(seconds))
                };
                let add = tasks::Add {
                    tenant: self.door(chat)?.tenant,
                    lead: None,
                    conversation: Some(id),
                    task_type: "follow_up".into(),
                    title: (*title).into(),
                    description: String::new(),
                    priority: *priority,
                    assigned_to: ("team".into(), "sales".into()),
                    due_at: Some(due),
                    access: Access::All,
                    by: if *priority == Priority::Normal { by() } else { By::system("assistant") },
                };
                self.store.write(add).await?;
            }
        }
        self.snooze().await?;
        self.trip().await?;
        self.follow().await
    }

    /// The breaker of a model that nobody has is open: what an outage looks like, without one.
    async fn trip(&self) -> anyhow::Result<()> {
        let breaker = BreakerRecord {
            name: "llm_example".into(),
            state: BreakerState::Open,
            held: false,
            since: self.now.minus(Duration::from_secs(240)),
            until: Some(self.now.plus(Duration::from_secs(3600))),
            reason: Some("the sample's model answered 503 five times in a row".into()),
            trips: 3,
            version: 0,
        };
        self.store.write(Moved(vec![breaker])).await?;
        Ok(())
    }

    /// One notification comes back tomorrow.
    async fn snooze(&self) -> anyhow::Result<()> {
        let Some(door) = self.doors.first() else { return Ok(()) };
        let list = notices::List {
            tenant: door.tenant,
            which: notices::Which::Unread,
            kind: None,
            order: notices::Order::Newest,
            after: None,
            limit: 50,
        };
        if let Some((_, oldest)) = self.store.read(list).await?.pop() {
            let deed = notices::Deed::Snooze(self.now.plus(Duration::from_secs(86_400)));
            self.store.write(notices::Do { id: oldest.id, deed, access: Access::All, by: who("Mariam") }).await?;
        }
        Ok(())
    }

    async fn follow(&self) -> anyhow::Result<()> {
        loop {
            let seen = self.store.read(WhereAmI).await?;
            let found = self.store.read(Look { seen, overlap: Duration::ZERO, limit: 500 }).await?;
            let conversations = found.conversations.into_iter().collect();
            self.store.write(Keep { conversations, seen: Some(found.seen) }).await?;
            if !found.more {
                return Ok(());
            }
        }
    }
}

fn who(name: &str) -> By {
    By { name: name.to_owned(), ..By::system("sample") }
}
