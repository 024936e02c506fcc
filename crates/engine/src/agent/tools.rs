//! What a model may have done. It names a field, a reason or one of the tenant's actions; for whom, where to and with which contents follows
//! from the conversation alone. Arguments beyond those of a tool (a tenant, a phone, a recipient) are dropped unread.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::{ToolCall, ToolSpec};

use super::{Agent, Tool};

/// The fields that a model may fill.
const FIELDS: [&str; 7] = ["service", "name", "nationality", "email", "phone", "time", "quantity"];
/// Longest title and note of a proposed action, characters.
const TITLE: usize = 120;
const NOTE: usize = 500;
/// At most so many actions of one turn: a model in a loop fills no desk.
const MOST_ACTIONS: usize = 3;

/// The validator of fields: what is noted of a field and its value, with the nationality's country.
pub(crate) type Accept<'a> = &'a (dyn Fn(&str, &str) -> Option<(String, Option<String>)> + Send + Sync);

/// An action that a model wants, by the name that the tenant allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its name in the tenant's file.
    pub action: String,
    /// What to do, in a line.
    pub title: String,
    /// More of it.
    pub note: String,
}

/// What the calls of a turn came to.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Accepted fields: value, and the nationality's country.
    pub fields: BTreeMap<String, (String, Option<String>)>,
    /// A person is to take over, and why.
    pub handover: Option<String>,
    /// Actions of the tenant's list.
    pub actions: Vec<Proposal>,
    /// Calls that were not done, for the trace.
    pub refused: Vec<String>,
}

/// The tools of an agent as its models see them.
pub(super) fn specs(agent: &Agent) -> Vec<ToolSpec> {
    let object = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let spec = |tool: &Tool| match tool {
        Tool::SetField => Some(ToolSpec {
            name: tool.as_str(),
            description: "Note what the customer said of themselves or their request, in their own words.".to_owned(),
            parameters: object(
                json!({ "field": { "type": "string", "enum": FIELDS }, "value": { "type": "string" } }),
                &["field", "value"],
            ),
        }),
        Tool::HandOver => Some(ToolSpec {
            name: tool.as_str(),
            description: "Call a colleague to take over this conversation; say so in your reply.".to_owned(),
            parameters: object(json!({ "reason": { "type": "string" } }), &["reason"]),
        }),
        Tool::Propose if agent.actions.is_empty() => None,
        Tool::Propose => Some(ToolSpec {
            name: tool.as_str(),
            description: "Have something done for this customer.".to_owned(),
            parameters: object(
                json!({ "action": { "type": "string", "enum": agent.actions }, "title": { "type": "string" },
                        "note": { "type": "string" } }),
                &["action", "title"],
            ),
        }),
    };
    agent.tools.iter().filter_map(spec).collect()
}

/// The tools that calls name, for the record; what is no tool of ours is not repeated there.
pub(super) fn named(calls: &[ToolCall]) -> Vec<String> {
    let known = |name: &str| Tool::ALL.into_iter().map(Tool::as_str).find(|t| *t == name).unwrap_or("unknown");
    calls.iter().map(|call| known(&call.name).to_owned()).collect()
}

/// Carries out one call; the text is for the model. `accept` is the validator of fields.
pub(super) fn execute(agent: &Agent, call: &ToolCall, done: &mut Done, accept: Accept<'_>) -> String {
    let result = match agent.tools.iter().find(|t| t.as_str() == call.name) {
        None => Err("there is no such tool".to_owned()),
        Some(_) if !call.arguments.is_object() => Err("the arguments are no JSON object; call again".to_owned()),
        Some(Tool::SetField) => set_field(call, done, accept),
        Some(Tool::HandOver) => {
            done.handover = Some(word(argument(call, "reason")));
            Ok("a colleague was called".to_owned())
        }
        Some(Tool::Propose) => propose(agent, call, done),
    };
    result.unwrap_or_else(|why| {
        let name: String = call.name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
        done.refused.push(format!("{name}: {why}"));
        format!("not done: {why}")
    })
}

fn argument<'c>(call: &'c ToolCall, name: &str) -> &'c str {
    call.arguments[name].as_str().unwrap_or("").trim()
}

/// A reason as one short word of the record: what a model writes freely does not go into states.
fn word(reason: &str) -> String {
    let folded = nlu::fold(reason);
    let known = ["quotation", "complaint", "payment", "legal", "human", "person"];
    known.iter().find(|w| folded.contains(**w)).map_or_else(|| "agent".to_owned(), |w| (*w).to_owned())
}

fn set_field(call: &ToolCall, done: &mut Done, accept: Accept<'_>) -> Result<String, String> {
    let (field, value) = (argument(call, "field"), argument(call, "value"));
    if !FIELDS.contains(&field) {
        return Err("there is no such field".to_owned());
    }
    let accepted = accept(field, value).ok_or("the customer has not said so, or it is not of this kind")?;
    done.fields.insert(field.to_owned(), accepted);
    Ok("noted".to_owned())
}

fn propose(agent: &Agent, call: &ToolCall, done: &mut Done) -> Result<String, String> {
    let name = argument(call, "action");
    if !agent.actions.iter().any(|a| a == name) {
        return Err("this action is not allowed".to_owned());
    }
    if done.actions.iter().any(|a| a.action == name) || done.actions.len() >= MOST_ACTIONS {
        return Ok("it is being done already".to_owned());
    }
    let title = types::text::preview(argument(call, "title"), TITLE);
    let title = if title.is_empty() { name.replace('_', " ") } else { title.replace('\n', " ") };
    let note = types::text::preview(argument(call, "note"), NOTE).to_owned();
    done.actions.push(Proposal { action: name.to_owned(), title, note });
    Ok("it is being done".to_owned())
}
