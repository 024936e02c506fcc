//! The sample business, as the configuration that a real one would write.

use std::net::SocketAddr;

use types::clock::random_token;

/// The business's name.
pub const BUSINESS: &str = "Al Ain Business Center";
/// The assistant's name.
pub const ASSISTANT: &str = "ABCai";
/// Meta's id of its number.
pub const NUMBER: &str = "105500000000001";
/// Its WhatsApp business account.
pub const ACCOUNT: &str = "215500000000001";
/// Its number.
pub const PHONE: &str = "97137000001";
/// Its instance at Green API.
pub const INSTANCE: &str = "1101000001";

/// Its agent, whose model is played.
pub const AGENT: &str = "front_desk";
/// What it compares.
pub const EXPERIMENT: &str = "who_answers";

/// The files of the folder `secrets`, by name.
pub const FILES: [&str; 8] = [
    "meta_verify_token",
    "meta_app_secret",
    "meta_access_token",
    "green_api_token",
    "green_webhook_token",
    "runner_token",
    "model_key",
    "webhook_key",
];

/// What proves engine and providers to each other.
#[derive(Clone)]
pub struct Secrets {
    /// Meta's handshake.
    pub meta_verify_token: String,
    /// Signs Meta's webhooks.
    pub meta_app_secret: String,
    /// Sends through Meta.
    pub meta_access_token: String,
    /// Sends through Green API.
    pub green_api_token: String,
    /// Comes with Green API's webhooks.
    pub green_webhook_token: String,
    /// Opens `/api/jobs/*`.
    pub runner_token: String,
    /// Opens the played model.
    pub model_key: String,
    /// Makes the secrets of outgoing webhooks.
    pub webhook_key: String,
}

impl Secrets {
    /// In the order of [`FILES`]; `make` gives each.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn each<E>(mut make: impl FnMut(&'static str) -> Result<String, E>) -> Result<Self, E> {
        let [verify, app, access, api, webhook, runner, model, key] = FILES;
        Ok(Self {
            meta_verify_token: make(verify)?,
            meta_app_secret: make(app)?,
            meta_access_token: make(access)?,
            green_api_token: make(api)?,
            green_webhook_token: make(webhook)?,
            runner_token: make(runner)?,
            model_key: make(model)?,
            webhook_key: make(key)?,
        })
    }
}

/// A new secret.
#[must_use]
pub fn secret() -> String {
    random_token()
}

/// The configuration of the demo: `listen` is the engine's address, `providers` that of the simulated ones, `store` the database.
#[must_use]
pub fn configuration(listen: SocketAddr, providers: &str, store: &str) -> String {
    let (agents, experiment) = (agents(providers), experiment());
    format!(
        r#"# Written by `barid demo` at each start: change a copy. The secrets beside it are random.

[server]
listen = "{listen}"
public_url = "http://{listen}"

[store]
url = {store:?}

[jobs]
runner_token = {{ file = "secrets/runner_token" }}

[webhooks]
key = {{ file = "secrets/webhook_key" }}

[send]
allow_private = true     # so that you can listen to outgoing webhooks on this machine

[log]
level = "warn"

{agents}
[[tenants]]
slug = "alain"
business = "{BUSINESS}"
assistant = "{ASSISTANT}"
language = "en"
region = "AE"
timezone = "Asia/Dubai"
services = [
    "Golden visa | residence visa | الإقامة الذهبية | فيزا ذهبية",
    "Business setup | company formation | company registration | تأسيس شركة | فتح شركة",
    "Trade license | trade licence | commercial license | رخصة تجارية",
    "Family visa | dependent visa | فيزا عائلية | إقامة عائلية",
    "Office space | coworking | serviced office | مكتب",
    "PRO services | document clearing | تخليص معاملات",
    "Ejari | tenancy contract | إيجاري",
]

# What people write becomes tasks: see the page. With `email`, `slack_webhook` or `url` they would also go out.
[tenants.actions.visit]
kind = "schedule_call"
assign = "team:front desk"
due = "4h"

[[tenants.intents]]
name = "VISIT_OFFICE"
phrases = [
    "can I come to your office tomorrow",
    "I want to visit you in person",
    "where is your office, I'd like to drop by",
    "can I pass by this afternoon",
    "I'll come over to your office",
    "أريد زيارة مكتبكم",
    "ممكن أمر عليكم اليوم",
]
reply = "You're very welcome at our office, and someone will expect you."
reply_ar = "أهلاً بك في مكتبنا، وسيكون أحد زملائنا بانتظارك."
actions = ["visit"]
title = "Visits the office"

{experiment}
[[tenants.channels]]
kind = "meta"
phone_number_id = "{NUMBER}"
verify_token = {{ file = "secrets/meta_verify_token" }}
app_secret = {{ file = "secrets/meta_app_secret" }}
access_token = {{ file = "secrets/meta_access_token" }}
api_base = "{providers}"

[[tenants.channels]]
kind = "greenapi"
instance = "{INSTANCE}"
api_token = {{ file = "secrets/green_api_token" }}
webhook_token = {{ file = "secrets/green_webhook_token" }}
api_base = "{providers}"
"#
    )
}

/// Its agent. The model is played by the simulated vendor.
fn agents(providers: &str) -> String {
    format!(
        r#"# A language model that is only played; with a vendor's name, address and key in its place it is a real one.
[[agents]]
name = "{AGENT}"
prompt = "You are {{assistant}}, at the front desk of {{business}}. Find out what people need, their full name and e-mail address, then call a colleague."
tools = ["set_field", "hand_over"]
[[agents.providers]]
name = "played"
kind = "openai"
base_url = "{providers}/llm/{AGENT}"
model = "played-1"
api_key = {{ file = "secrets/model_key" }}
price_in = 0.5
price_out = 1.5
"#
    )
}

/// What it compares.
fn experiment() -> String {
    format!(
        r#"# Does an agent get more people's address than the flow? It begins rolled out to nobody: see the page "Agents and experiments".
[[tenants.experiments]]
name = "{EXPERIMENT}"
goal = "contact"
planned = 200
[[tenants.experiments.arms]]
name = "flow"
agent = "flow"
[[tenants.experiments.arms]]
name = "agent"
agent = "{AGENT}"
"#
    )
}
