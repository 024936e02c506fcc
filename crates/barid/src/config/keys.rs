//! The one table of every key. The reader takes defaults and bounds from it, `docs/config.md` is printed from it, and an unknown
//! key is one that is not in it.

use std::fmt::Write as _;

use super::values::spell;

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// `section.key`; lists of tables have no index here: `tenants.channels.kind`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What holds when it is not given, as TOML.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// A good value, as TOML.
    pub example: &'static str,
    /// The kind of channel that has this key.
    pub only: Only,
    /// What it does, for the reference.
    pub meaning: &'static str,
}

/// The kind of channel that has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All, or the key is none of a channel.
    Any,
    /// `kind = "meta"`
    Meta,
    /// `kind = "greenapi"`
    Green,
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text that is not empty.
    Text,
    /// A list of texts.
    Texts,
    /// A value that is never shown.
    Secret,
    /// One or several values that are never shown.
    Secrets,
    /// A database URL, never shown since it may hold a password.
    Store,
    /// A duration, at least so many milliseconds.
    Duration(u64),
    /// A list of durations.
    Durations,
    /// A size in bytes.
    Size,
    /// A whole number between these two.
    Count(u32, u32),
    /// Names of headers with values that are never shown.
    Headers,
    /// A number from 0 to this, with or without a fraction.
    Decimal(u32),
    /// True or false.
    Flag,
    /// IP address and port.
    Socket,
    /// An http or https address.
    Web,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// As the reference and errors name it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Texts => "list of texts".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Secrets => "secret or list of secrets".to_owned(),
            Self::Store => "database URL".to_owned(),
            Self::Duration(min) if min > 1 => {
                format!("duration, at least {}", spell(std::time::Duration::from_millis(min)))
            }
            Self::Duration(_) => "duration".to_owned(),
            Self::Durations => "list of durations".to_owned(),
            Self::Size => "size".to_owned(),
            Self::Count(min, max) => format!("whole number, {min} to {max}"),
            Self::Headers => "table of secrets".to_owned(),
            Self::Decimal(max) => format!("number, 0 to {max}"),
            Self::Flag => "true or false".to_owned(),
            Self::Socket => "IP address and port".to_owned(),
            Self::Web => "http(s) address".to_owned(),
            Self::Choice(words) => words.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(" or "),
        }
    }

    /// The name in a sentence: `a duration`.
    #[must_use]
    pub fn phrase(self) -> String {
        let name = self.name();
        match self {
            Self::Flag => name,
            Self::Choice(_) => format!("one of {name}"),
            Self::Socket | Self::Web => format!("an {name}"),
            _ => format!("a {name}"),
        }
    }

    /// Whether the value must not appear in an error.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Secrets | Self::Store | Self::Headers)
    }

    /// Whether a list may be given.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::Secrets | Self::Durations)
    }
}

impl Key {
    const fn new(path: &'static str, kind: Kind, meaning: &'static str) -> Self {
        Self { path, kind, default: None, required: false, example: "", only: Only::Any, meaning }
    }

    const fn default(self, toml: &'static str) -> Self {
        Self { default: Some(toml), example: toml, ..self }
    }

    const fn required(self, example: &'static str) -> Self {
        Self { required: true, example, ..self }
    }

    const fn optional(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    const fn of(self, only: Only) -> Self {
        Self { only, ..self }
    }

    /// The name of the variable that sets it; `N` stands for an index, counted from 0.
    #[must_use]
    pub fn variable(&self) -> String {
        let mut path = String::new();
        let mut way = String::new();
        for part in self.path.split('.') {
            way = if way.is_empty() { part.to_owned() } else { format!("{way}.{part}") };
            let index = if super::tree::LISTS.contains(&way.as_str()) { ".n" } else { "" };
            path = if path.is_empty() { format!("{part}{index}") } else { format!("{path}.{part}{index}") };
        }
        format!("BARID__{}", path.to_ascii_uppercase().replace('.', "__"))
    }
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// Every key, in the order of the reference.
pub const KEYS: &[Key] = &[
    Key::new("server.listen", Kind::Socket, "Where to listen for HTTP.").default(r#""127.0.0.1:8080""#),
    Key::new("server.public_url", Kind::Web, "Where the world reaches this server: `barid doctor` compares it with what the providers call.").optional(r#""https://bot.example.com""#),
    Key::new("server.max_body", Kind::Size, "Largest body of a webhook; more is answered 413 (S1.5).").default(r#""3MB""#),
    Key::new("server.max_connections", Kind::Count(1, 100_000), "Connections at a time; more wait in the system's queue (S7.4).").default("1024"),
    Key::new("server.request_timeout", Kind::Duration(1_000), "A request that is not answered by then is cut off. `Prefer: wait` may ask for 30 s (S1.8).").default(r#""40s""#),
    Key::new("server.header_timeout", Kind::Duration(100), "A client that has not sent its headers by then is cut off (S7.4).").default(r#""10s""#),
    Key::new("server.unrouted", Kind::Choice(&["refuse", "store"]), "A webhook for a number that is not configured: 404, or keep it as unrouted and answer 200 (S1.5).").default(r#""refuse""#),
    Key::new("store.url", Kind::Store, "The database: `sqlite:FILE`, or `postgres://…` for several nodes (S8).").default(r#""sqlite:barid.db""#),
    Key::new("store.spool", Kind::Text, "With PostgreSQL: the file in which webhooks wait while the database is away, answered 200 all the same (S1.9); made when it is needed. Each node needs one of its own. `off`: 503 meanwhile.").default(r#""barid-spool.db""#),
    Key::new("store.spool_max", Kind::Size, "At most so many bytes of webhooks wait in the spool; what comes then is answered 503.").default(r#""1GB""#),
    Key::new("jobs.runner_token", Kind::Secret, "Opens `/api/jobs/*` (S2.7); without it they are closed.").optional(r#""${JOB_RUNNER_TOKEN}""#),
    Key::new("jobs.cron_token", Kind::Secret, "Opens `/api/cron/*` (S2.7); without it they are closed.").optional(r#""${CRON_SECRET}""#),
    Key::new("jobs.retry", Kind::Durations, "Waits before each further attempt of a failed job; after the last, it becomes a dead letter (S2.3). There is one attempt more than waits.").default(r#"["1s", "5s", "15s"]"#),
    Key::new("jobs.workers", Kind::Count(1, 1_024), "Conversations worked at a time by this node (S2.2).").default("256"),
    Key::new("jobs.lease", Kind::Duration(1_000), "How long a conversation stays with a worker that does not renew its lease (S2.2). Longer than `turn_timeout` and `send.timeout` together.").default(r#""2m""#),
    Key::new("jobs.turn_timeout", Kind::Duration(100), "Longest that deciding one answer may take (S2.4).").default(r#""30s""#),
    Key::new("jobs.poll", Kind::Duration(10), "How often to look for due work when nothing wakes the workers (S2.7).").default(r#""5s""#),
    Key::new("jobs.redrive", Kind::Durations, "Waits before each automatic retry of a dead letter; after the last, only by hand (S2.5).").default(r#"["1m", "5m", "15m", "1h"]"#),
    Key::new("jobs.janitor_every", Kind::Duration(100), "How often expired leases are freed, stuck conversations released and old rows trimmed (S2.6).").default(r#""5m""#),
    Key::new("jobs.session_idle", Kind::Duration(1_000), "An agent's session ends after so long without a turn (S2.6).").default(r#""30m""#),
    Key::new("jobs.drain", Kind::Duration(0), "How long a stopping node lets running work finish (S2.9).").default(r#""30s""#),
    Key::new("jobs.keep_ids", Kind::Duration(8 * DAY), "How long a processed message id is remembered, so that a repeat is known (S1.6). Meta repeats for 7 days.").default(r#""30d""#),
    Key::new("jobs.keep_done_jobs", Kind::Duration(HOUR), "How long finished jobs are kept.").default(r#""7d""#),
    Key::new("jobs.keep_events", Kind::Duration(HOUR), "How long raw events are kept.").default(r#""30d""#),
    Key::new("send.retry", Kind::Durations, "Waits before each further attempt of a message that may still pass (S4.3).").default(r#"["1m", "5m", "15m", "1h"]"#),
    Key::new("send.reconcile", Kind::Duration(0), "How long to wait for a trace of a Meta send whose fate is unknown (S4.4).").default(r#""60s""#),
    Key::new("send.reconcile_greenapi", Kind::Duration(0), "The same for Green API, whose journal lags by up to two minutes (S4.4).").default(r#""180s""#),
    Key::new("send.on_unknown", Kind::Choice(&["resend", "hold"]), "When that time ends without a trace: send once more, marked as a possible duplicate, or hold for a person (S4.4).").default(r#""resend""#),
    Key::new("send.timeout", Kind::Duration(100), "Longest that one attempt to send may take (S2.4).").default(r#""10s""#),
    Key::new("send.probe_every", Kind::Duration(100), "How often the provider of a paused channel is asked whether its credentials work again (S4.3).").default(r#""1m""#),
    Key::new("send.rate_meta", Kind::Count(1, 10_000), "Messages per second of each Meta number; waiting is not failing (S4.5).").default("80"),
    Key::new("send.rate_greenapi", Kind::Count(1, 10_000), "Messages per second of each Green API instance (S4.5).").default("50"),
    Key::new("send.mark_read", Kind::Flag, "Mark a message as read when its answer is being made (S4.7).").default("true"),
    Key::new("send.typing", Kind::Flag, "Show \"typing\" while an answer is being made (S4.7).").default("true"),
    Key::new("send.allow_private", Kind::Flag, "Let calls that a tenant can configure reach private and link-local addresses (S7.3).").default("false"),
    Key::new("send.pair.every", Kind::Duration(10), "Meta's limit per recipient: one message in this time (S4.5).").default(r#""6s""#),
    Key::new("send.pair.burst", Kind::Count(1, 10_000), "So many to one recipient may go at once (S4.5).").default("45"),
    Key::new("smtp.host", Kind::Text, "The mail server of actions (S3.5); without it there is no mail.").optional(r#""mail.example.com""#),
    Key::new("smtp.port", Kind::Count(1, 65_535), "Its port.").default("587"),
    Key::new("smtp.tls", Kind::Choice(&["starttls", "tls", "none"]), "How the way to it is protected; `none` only for a server on the same machine.").default(r#""starttls""#),
    Key::new("smtp.user", Kind::Text, "Who we are to it.").optional(r#""bot@example.com""#),
    Key::new("smtp.password", Kind::Secret, "The proof.").optional(r#""${SMTP_PASSWORD}""#),
    Key::new("smtp.from", Kind::Text, "From whom mail comes.").optional(r#""Al Ain Business Center <bot@example.com>""#),
    Key::new("breakers.failures", Kind::Count(1, 1_000), "So many failures in a row of one outside dependency (a number's provider, a model, an action) open its breaker: nothing goes out to it for a while, and what waits loses no attempt (S4.10). Half of the last 20 calls failing opens it, too.").default("5"),
    Key::new("breakers.open", Kind::Duration(100), "How long it stays open before one call tries again; each failed try doubles it (S4.10).").default(r#""15s""#),
    Key::new("breakers.open_max", Kind::Duration(100), "The longest that it grows to.").default(r#""5m""#),
    Key::new("alerts.webhook", Kind::Secret, "Address that is told what is wrong and when it is well again (S6.6), by a POST signed as Standard Webhooks wants it.").optional(r#""https://ops.example.com/barid""#),
    Key::new("alerts.webhook_secret", Kind::Secret, "Key of that signature: `whsec_` and base64, or any text.").optional(r#""${ALERT_SECRET}""#),
    Key::new("alerts.slack", Kind::Secret, "Address of a Slack incoming webhook that is told the same.").optional(r#""${SLACK_WEBHOOK}""#),
    Key::new("alerts.email", Kind::Texts, "Mail addresses that are told the same; needs `[smtp]`.").default("[]"),
    Key::new("alerts.every", Kind::Duration(100), "How often to look for what is wrong.").default(r#""15s""#),
    Key::new("alerts.stuck_conversations", Kind::Count(0, 1_000_000), "More conversations of a tenant than this that have been due for 5 minutes and that nobody works; 0: never an alert.").default("5"),
    Key::new("alerts.dead_letters", Kind::Count(0, 1_000_000), "More dead letters of a tenant that wait than this; 0: never.").default("10"),
    Key::new("alerts.processing_p95", Kind::Duration(0), "A 95th percentile of the answers of the last 10 minutes above this; 0s: never.").default(r#""2s""#),
    Key::new("alerts.disk_free", Kind::Count(0, 100), "Less free disk under the database than this, percent; 0: never.").default("10"),
    Key::new("webhooks.key", Kind::Secret, "From what the secrets of outgoing webhooks are made (docs/webhooks.md): a long random text, the same on every node and after a move. Without it there are no outgoing webhooks; another one makes every secret another.").optional(r#""${WEBHOOK_KEY}""#),
    Key::new("webhooks.every", Kind::Duration(50), "How often to look for what is to be told, while there are endpoints.").default(r#""500ms""#),
    Key::new("webhooks.timeout", Kind::Duration(100), "Bound on one try to tell one.").default(r#""15s""#),
    Key::new("log.format", Kind::Choice(&["pretty", "json"]), "For people, or one JSON object per line (S6.5).").default(r#""pretty""#),
    Key::new("log.level", Kind::Text, "Least level shown, or a filter such as `info,store=debug`.").default(r#""info""#),
    Key::new("log.message_text", Kind::Flag, "Log the text of messages (S6.5).").default("false"),
    Key::new("agents.name", Kind::Text, "An agent's name: tenants choose it by that (S3.7).").required(r#""front_desk""#),
    Key::new("agents.prompt", Kind::Text, "What it is and does: its system prompt. `{assistant}` and `{business}` are filled.").optional(r#""You are {assistant} of {business}. Help people find an office.""#),
    Key::new("agents.prompt_file", Kind::Text, "The same in a file.").optional(r#""prompts/front_desk.txt""#),
    Key::new("agents.temperature", Kind::Decimal(2), "How freely it writes; left out: as the model does by itself.").optional("0.3"),
    Key::new("agents.max_output", Kind::Count(16, 32_768), "A reply has at most so many tokens.").default("400"),
    Key::new("agents.context_tokens", Kind::Count(256, 1_000_000), "A request has at most so many tokens: the prompt always, then the newest turns that fit.").default("4000"),
    Key::new("agents.session_tokens", Kind::Count(0, 100_000_000), "A session takes at most so many tokens, then the flow answers; 0: no bound.").default("200000"),
    Key::new("agents.tools", Kind::Texts, "What it may do by itself: `set_field`, `hand_over`, `propose_action`.").default(r#"["set_field", "hand_over"]"#),
    Key::new("agents.actions", Kind::Texts, "Actions that it may propose, by their names.").default("[]"),
    Key::new("agents.links", Kind::Texts, "Hosts that its replies may name; links to others are taken out.").default("[]"),
    Key::new("agents.timeout", Kind::Duration(100), "Longest that all its calls for one message may take; then the flow answers. Shorter than `jobs.turn_timeout`.").default(r#""20s""#),
    Key::new("agents.call_timeout", Kind::Duration(100), "Longest that one call may take.").default(r#""10s""#),
    Key::new("agents.retries", Kind::Count(0, 5), "Further attempts at one provider, with growing pauses, before the next.").default("2"),
    Key::new("agents.providers.name", Kind::Text, "The provider's name in metrics, breakers (`llm_NAME`) and logs.").required(r#""openai""#),
    Key::new("agents.providers.kind", Kind::Choice(&["openai", "anthropic", "gemini"]), "How it speaks; `openai` is also Ollama, vLLM and most others.").required(r#""openai""#),
    Key::new("agents.providers.base_url", Kind::Web, "Its address; left out: the vendor's own.").optional(r#""http://127.0.0.1:11434/v1""#),
    Key::new("agents.providers.model", Kind::Text, "The model.").required(r#""gpt-4o-mini""#),
    Key::new("agents.providers.api_key", Kind::Secret, "The key, where it wants one.").optional(r#""${OPENAI_API_KEY}""#),
    Key::new("agents.providers.price_in", Kind::Decimal(1_000_000), "Price of a million tokens read, in your currency.").default("0"),
    Key::new("agents.providers.price_out", Kind::Decimal(1_000_000), "Price of a million tokens written.").default("0"),
    Key::new("tenants.slug", Kind::Text, "Short name in URLs, commands and logs: small letters, digits, `-`. Keep it: rows belong to it (S7.1).").required(r#""alain""#),
    Key::new("tenants.business", Kind::Text, "The business's name, as people read it.").required(r#""Al Ain Business Center""#),
    Key::new("tenants.assistant", Kind::Text, "The assistant's name, as people read it.").required(r#""ABCai""#),
    Key::new("tenants.language", Kind::Text, "Language of the first greeting; afterwards the person's own is spoken.").default(r#""en""#),
    Key::new("tenants.flow", Kind::Text, "How a conversation goes: `default`, or a TOML file (S3.1).").default(r#""default""#),
    Key::new("tenants.services", Kind::Texts, "What the business offers, each with its other names after `|`: understood in messages, never listed in replies (S3.2).").default("[]"),
    Key::new("tenants.region", Kind::Text, "Country (two letters) whose phone numbers need no prefix.").optional(r#""AE""#),
    Key::new("tenants.timezone", Kind::Text, "IANA name of the business's time zone.").default(r#""UTC""#),
    Key::new("tenants.pause", Kind::Duration(1_000), "How long a person's own reply pauses the assistant (S3.10).").default(r#""2h""#),
    Key::new("tenants.groups", Kind::Choice(&["ignore", "answer"]), "Whether the assistant answers in groups.").default(r#""ignore""#),
    Key::new("tenants.gather_ms", Kind::Count(0, 60_000), "Short messages that follow each other within so many milliseconds are gathered and answered once (S3.10); 0: each by itself.").default("0"),
    Key::new("tenants.agent", Kind::Text, "The agent that answers in the flow's place (S3.7); the flow answers whenever it cannot.").optional(r#""front_desk""#),
    Key::new("tenants.understanding", Kind::Choice(&["builtin", "model", "outside"]), "Who says what a message means (S3.3): the built-in classifier, a model, or an outside service (`POST /api/ai-results`, S3.9).").default(r#""builtin""#),
    Key::new("tenants.understanding_agent", Kind::Text, "The agent whose models read, for `model`; left out: `agent`.").optional(r#""reader""#),
    Key::new("tenants.understanding_wait", Kind::Duration(100), "How long a message waits for `outside`; then the flow answers by itself.").default(r#""20s""#),
    Key::new("tenants.budget.contact_tokens", Kind::Count(0, 1_000_000_000), "So many tokens may models read and write for one contact in a day (UTC); then the flow answers. 0: no bound.").default("100000"),
    Key::new("tenants.budget.contact_cost", Kind::Decimal(1_000_000), "The same in your currency, by the prices of the providers.").default("0"),
    Key::new("tenants.budget.tenant_tokens", Kind::Count(0, 1_000_000_000), "So many for all contacts of the tenant in a day.").default("5000000"),
    Key::new("tenants.budget.tenant_cost", Kind::Decimal(1_000_000), "The same in your currency.").default("0"),
    Key::new("tenants.hours.monday", Kind::Text, "When people are there: `09:00-18:00`, several with commas between them, or `closed` (S3.10). Without this table: always.").default(r#""closed""#),
    Key::new("tenants.hours.tuesday", Kind::Text, "The same.").default(r#""closed""#),
    Key::new("tenants.hours.wednesday", Kind::Text, "The same.").default(r#""closed""#),
    Key::new("tenants.hours.thursday", Kind::Text, "The same.").default(r#""closed""#),
    Key::new("tenants.hours.friday", Kind::Text, "The same.").default(r#""closed""#),
    Key::new("tenants.hours.saturday", Kind::Text, "The same.").default(r#""closed""#),
    Key::new("tenants.hours.sunday", Kind::Text, "The same.").default(r#""closed""#),
    Key::new("tenants.intents.name", Kind::Text, "The intent's name: one of your own, or one of the six, whose reply and actions it then replaces (S3.4).").required(r#""BOOK_ROOM""#),
    Key::new("tenants.intents.phrases", Kind::Texts, "How people say it: five or more, from which it is learnt.").default("[]"),
    Key::new("tenants.intents.reply", Kind::Text, "What is said in front of the flow's next question, in English. Places as in a flow: `{name}`.").optional(r#""We'd love to have you.""#),
    Key::new("tenants.intents.reply_ar", Kind::Text, "The same in Arabic.").optional(r#""يسعدنا ذلك.""#),
    Key::new("tenants.intents.actions", Kind::Texts, "What is done, in this order: names of `[tenants.actions.NAME]`, or kinds.").optional(r#"["notify_sales"]"#),
    Key::new("tenants.intents.title", Kind::Text, "The title of its tasks.").optional(r#""Room""#),
    Key::new("tenants.intents.priority", Kind::Count(0, 1_000), "Where several intents are sure enough, the highest decides; the six have 0, complaints 5.").default("10"),
    Key::new("tenants.intents.floor", Kind::Count(0, 100), "Percent of confidence below which it is not meant.").default("50"),
    Key::new("tenants.actions.NAME.kind", Kind::Choice(&["notify_sales", "create_order", "create_support_ticket", "flag_for_review", "schedule_call", "http"]), "What kind of action this is (S3.5). A NAME that is a kind is of that kind; others are `http` unless said otherwise.").optional(r#""http""#),
    Key::new("tenants.actions.NAME.priority", Kind::Choice(&["low", "normal", "high", "critical"]), "How urgent its tasks are; by kind where it is left out.").optional(r#""high""#),
    Key::new("tenants.actions.NAME.assign", Kind::Text, "Whose its tasks are: `team:…`, `role:…` or `user:…`; by kind where it is left out.").optional(r#""team:sales""#),
    Key::new("tenants.actions.NAME.due", Kind::Duration(1_000), "Until when its tasks are to be done; by kind where it is left out.").optional(r#""4h""#),
    Key::new("tenants.actions.NAME.email", Kind::Texts, "Who gets a mail; needs `[smtp]`.").default("[]"),
    Key::new("tenants.actions.NAME.slack_webhook", Kind::Secret, "An incoming webhook of Slack.").optional(r#""${SLACK_WEBHOOK}""#),
    Key::new("tenants.actions.NAME.slack_token", Kind::Secret, "Instead: a bot's token.").optional(r#""${SLACK_TOKEN}""#),
    Key::new("tenants.actions.NAME.slack_channel", Kind::Text, "Where the bot posts.").optional(r##""#sales""##),
    Key::new("tenants.actions.NAME.slack_base", Kind::Web, "Address of Slack's API.").default(r#""https://slack.com/api""#),
    Key::new("tenants.actions.NAME.url", Kind::Text, "A request is made there: a CRM, an ERP, n8n. `{places}` are filled, escaped.").optional(r#""https://crm.example.com/orders""#),
    Key::new("tenants.actions.NAME.method", Kind::Choice(&["GET", "POST", "PUT", "PATCH", "DELETE"]), "How.").default(r#""POST""#),
    Key::new("tenants.actions.NAME.headers", Kind::Headers, "More headers.").optional(r#"{ Authorization = "${CRM_TOKEN}" }"#),
    Key::new("tenants.actions.NAME.body", Kind::Text, "The JSON to send, with `{places}` inside its texts: what is known (`service`, `name`, `phone`, `email`, `message`, `intent`, `conversation_id`, `lead_id`, …), until it was asked the name and number of the profile; left out: all of it.").optional(r#"'{"name": "{name}"}'"#),
    Key::new("tenants.actions.NAME.idempotency_header", Kind::Text, "The header with the key that is the same for every attempt.").default(r#""Idempotency-Key""#),
    Key::new("tenants.actions.NAME.compensate_url", Kind::Text, "The request that undoes it when a later action fails for good; `{result.id}` is what the first answer said. Without it only a person can undo it.").optional(r#""https://crm.example.com/orders/{result.id}""#),
    Key::new("tenants.actions.NAME.compensate_method", Kind::Choice(&["GET", "POST", "PUT", "PATCH", "DELETE"]), "How.").default(r#""DELETE""#),
    Key::new("tenants.actions.NAME.compensate_body", Kind::Text, "Its JSON.").optional(r#"'{"cancel": "{done_key}"}'"#),
    Key::new("tenants.actions.NAME.timeout", Kind::Duration(100), "Longest that one attempt may take.").default(r#""10s""#),
    Key::new("tenants.actions.NAME.retry", Kind::Durations, "Waits before each further attempt of what may pass; after the last it has failed for good (S3.6).").default(r#"["10s", "1m", "5m", "30m"]"#),
    Key::new("tenants.actions.NAME.on_doubt", Kind::Choice(&["again", "hold"]), "When nobody knows whether it was done: again, under the same key, or wait for a person (S3.6).").default(r#""again""#),
    Key::new("tenants.experiments.name", Kind::Text, "An experiment's name (S3.8).").required(r#""greeting""#),
    Key::new("tenants.experiments.salt", Kind::Text, "Another salt deals the variants anew.").optional(r#""2027""#),
    Key::new("tenants.experiments.goal", Kind::Choice(&["handover", "quotation", "contact"]), "What counts: a person called, a hand-over for a quotation, or an e-mail address or phone number told.").default(r#""handover""#),
    Key::new("tenants.experiments.percent", Kind::Count(0, 100), "So many of a hundred conversations take part.").default("100"),
    Key::new("tenants.experiments.planned", Kind::Count(0, 200_000), "Nothing counts as decided before so many conversations in all have an outcome; 0: as soon as the test sees a difference.").default("0"),
    Key::new("tenants.experiments.within", Kind::Duration(1_000), "A conversation that has not reached the goal by then has not.").default(r#""7d""#),
    Key::new("tenants.experiments.arms.name", Kind::Text, "A variant's name.").required(r#""warm""#),
    Key::new("tenants.experiments.arms.weight", Kind::Count(0, 1_000_000), "Its share, relative to the others.").default("1"),
    Key::new("tenants.experiments.arms.agent", Kind::Text, "The agent that answers; `flow`: none.").optional(r#""front_desk""#),
    Key::new("tenants.experiments.arms.prompt", Kind::Text, "In place of that agent's prompt.").optional(r#""You are {assistant}, warm and brief.""#),
    Key::new("tenants.experiments.arms.flow", Kind::Text, "In place of the tenant's flow: `default`, or a file.").optional(r#""flows/warm.toml""#),
    Key::new("tenants.channels.kind", Kind::Choice(&["meta", "greenapi"]), "The provider.").required(r#""meta""#),
    Key::new("tenants.channels.phone_number_id", Kind::Text, "The number's id at Meta (not the number).").required(r#""105500000000001""#).of(Only::Meta),
    Key::new("tenants.channels.verify_token", Kind::Secret, "What Meta says in the verification handshake (S1.1).").required(r#""${META_VERIFY_TOKEN}""#).of(Only::Meta),
    Key::new("tenants.channels.app_secret", Kind::Secrets, "Key of the webhook signature; a list while one is being rotated (S1.1).").required(r#""${META_APP_SECRET}""#).of(Only::Meta),
    Key::new("tenants.channels.access_token", Kind::Secret, "Token for sending.").required(r#""${META_ACCESS_TOKEN}""#).of(Only::Meta),
    Key::new("tenants.channels.api_base", Kind::Web, "Address of the Graph API.").default(r#""https://graph.facebook.com""#).of(Only::Meta),
    Key::new("tenants.channels.api_version", Kind::Text, "Version of the Graph API.").default(r#""v25.0""#).of(Only::Meta),
    Key::new("tenants.channels.template", Kind::Text, "Name of the approved template that is sent instead of text outside the 24-hour window (S4.7).").optional(r#""follow_up""#).of(Only::Meta),
    Key::new("tenants.channels.template_language", Kind::Text, "Language code of that template.").default(r#""en""#).of(Only::Meta),
    Key::new("tenants.channels.instance", Kind::Text, "`idInstance` at Green API.").required(r#""1101000001""#).of(Only::Green),
    Key::new("tenants.channels.api_token", Kind::Secret, "`apiTokenInstance` at Green API, for sending.").required(r#""${GREEN_API_TOKEN}""#).of(Only::Green),
    Key::new("tenants.channels.webhook_token", Kind::Secret, "What Green API puts into `Authorization` of its webhooks: its setting `webhookUrlToken` (S1.2).").required(r#""${GREEN_WEBHOOK_TOKEN}""#).of(Only::Green),
    Key::new("tenants.channels.api_base", Kind::Web, "Address of Green API; some instances have a host of their own.").default(r#""https://api.green-api.com""#).of(Only::Green),
    Key::new("tenants.channels.rate", Kind::Count(1, 10_000), "Messages per second of this channel, in place of `send.rate_meta` or `send.rate_greenapi` (S4.5).").optional("80"),
];

const OPENING: &str = "# Configuration

Barid reads `barid.toml` (`--config FILE` for another). Every key can also be given as an environment variable, which wins over the
file: `BARID__`, then the key's way in capitals, joined by two underscores, lists counted from 0
(`BARID__TENANTS__0__CHANNELS__1__API_TOKEN`). A list in one variable is separated by commas (`BARID__JOBS__RETRY=1s,5s`).

`${NAME}` in any text of the file stands for that variable (`$${` for a plain `${`), and a secret may be `{ file = \"…\" }`: the file's content,
without the line end (`…__API_TOKEN__FILE` as a variable). Text from an environment variable is taken as it is.

Durations are `250ms`, `1s`, `5m`, `2h`, `30d`, or sums (`1h30m`); sizes are `512KB`, `3MB` (1 KB is 1024 bytes). A path is relative to the
configuration file, or to the working directory when it comes from a variable.

SIGHUP (`systemctl reload barid`) has a running `barid serve` read the file again. With a mistake in it, everything stays as it is and the log names each.
Otherwise what tenants' assistants are made of (flow, services, intents, actions, agents and experiments, understanding, hours, gathering, pause,
language) holds from the next message on; what else changed needs a restart, and the log names it.

`barid check` names every mistake at once, each with its line and its mend. An unknown key is a mistake.

This page is printed from the table in `crates/barid/src/config/keys.rs`: `cargo xtask docs`.
";

/// The reference, `docs/config.md`.
#[must_use]
pub fn reference() -> String {
    let mut out = OPENING.to_owned();
    let mut section = "";
    for key in KEYS {
        let (here, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if here != section {
            section = here;
            let list = super::tree::LISTS.contains(&here);
            let title = if list { format!("[[{here}]]") } else { format!("[{here}]") };
            let _ =
                write!(out, "\n## `{title}`\n\n| key | type | default | meaning | variable |\n|---|---|---|---|---|\n");
        }
        let only = match key.only {
            Only::Any => "",
            Only::Meta => " (meta)",
            Only::Green => " (greenapi)",
        };
        let default = match (key.default, key.required) {
            (Some(toml), _) => format!("`{toml}`"),
            (None, true) => format!("required, e.g. `{}`", key.example),
            (None, false) => format!("none, e.g. `{}`", key.example),
        };
        let (kind, meaning) = (key.kind.name(), key.meaning.replace('|', "\\|"));
        let _ = writeln!(out, "| `{name}`{only} | {kind} | {default} | {meaning} | `{}` |", key.variable());
    }
    out
}
