//! The description's head, and what every operation has in common: the refusals that the guard and the readers of input may give, and the
//! headers that they take. Written once here instead of at each operation.

use serde_json::{Map, Value, json};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ServerBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::rights::{self, KEYED, Right};

const ABOUT: &str = "Everything a team does with Barid. Ids are texts, moments RFC 3339 in UTC. Lists answer `{data, next, prev, has_more}`: \
give `next` back as `cursor`. Refusals are `application/problem+json`, each `code` with a page in docs/errors. POST takes `Idempotency-Key` \
(the same key does a thing once, for 24 hours). GET answers an `ETag`, which `If-None-Match` takes, and for a row with a `version` `If-Match` too. \
Sign in for a cookie, or send a token as `Authorization: Bearer brd_…`.";

/// Everything but the routes.
pub(crate) fn head() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Barid")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
        "barid",
        "a session, by signing in; `__Host-barid` over https",
    )));
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let parts = ComponentsBuilder::new()
        .schema(types::problem::Problem::name(), types::problem::Problem::schema())
        .schema(types::problem::Part::name(), types::problem::Part::schema())
        .security_scheme("session", session)
        .security_scheme("token", token);
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([ServerBuilder::new().url(super::PREFIX).build()]))
        .components(Some(parts.build()))
        .build()
}

/// The whole description as text, with what operations have in common.
pub(crate) fn finish(description: OpenApi) -> String {
    let mut root = serde_json::to_value(description).unwrap_or_default();
    if let Some(paths) = root.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                common(path, &method.to_uppercase(), operation);
            }
        }
    }
    if let Some(components) = root.pointer_mut("/components").and_then(Value::as_object_mut) {
        let refusals = REFUSALS.iter().map(|(status, words)| (format!("Refusal{status}"), refusal(words)));
        components.insert("responses".into(), Value::Object(refusals.collect()));
    }
    if let Some(schemas) = root.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        for (name, schema) in schemas {
            schema_of(name, schema);
        }
    }
    bodies(&mut root);
    serde_json::to_string_pretty(&root).unwrap_or_default() + "\n"
}

/// What any operation may be answered with, as far as it fits.
const REFUSALS: [(&str, &str); 11] = [
    ("400", "The request cannot be used"),
    ("401", "Nobody is signed in, or not so"),
    ("403", "Not allowed, or sent by another site"),
    ("404", "Not there, or of another tenant"),
    ("409", "Not possible now"),
    ("412", "It was changed meanwhile"),
    ("413", "The body is too large"),
    ("415", "Not JSON by its type"),
    ("422", "The Idempotency-Key belongs to another request"),
    ("429", "Too many attempts"),
    ("503", "The database does not answer, or too much at once"),
];

fn refusal(words: &str) -> Value {
    json!({ "description": words, "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } })
}

fn common(path: &str, method: &str, operation: &mut Value) {
    let right = rights::of(method, path);
    let changes = method != "GET";
    let takes_input = changes || path.contains('{') || operation.get("parameters").is_some();
    let Some(operation) = operation.as_object_mut() else { return };
    let open = right == Some(Right::Open);
    if open {
        operation.insert("security".into(), json!([]));
    } else {
        operation.insert("security".into(), json!([{ "session": [] }, { "token": [] }]));
    }
    if let Some(Right::Need(role, scope)) = right {
        operation.insert("x-role".into(), json!(role));
        operation.insert("x-scope".into(), json!(scope));
    }
    let name = format!("{method}{path}").to_lowercase().replace(['/', '-', '.'], "_").replace(['{', '}'], "");
    operation.insert("operationId".into(), json!(name));
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    for response in responses.values_mut().filter_map(Value::as_object_mut) {
        response.entry("description").or_insert_with(|| json!("Done"));
    }
    if !changes && !matches!(path, "/events" | "/openapi.json") && !path.ends_with(".csv") {
        let known = json!({ "description": "What `If-None-Match` names is what there is" });
        responses.entry("304").or_insert(known);
    }
    let mut may = |fits: bool, statuses: &[&str]| {
        for status in statuses.iter().filter(|_| fits) {
            let refusal = format!("#/components/responses/Refusal{status}");
            responses.entry((*status).to_owned()).or_insert_with(|| json!({ "$ref": refusal }));
        }
    };
    may(takes_input, &["400"]);
    may(!open || path.starts_with("/auth/") && changes, &["401"]);
    may(!open || changes, &["403"]);
    may(!open, &["404"]);
    may(changes, &["409", "412", "413", "415", "422", "429"]);
    may(true, &["503"]);
    if method == "POST" && !open {
        key(path, operation);
    }
}

fn key(path: &str, operation: &mut Map<String, Value>) {
    let needed = KEYED.contains(&path);
    let parameter = json!({
        "name": "idempotency-key", "in": "header", "required": needed,
        "description": "Any text of your own, the same when you send the same again",
        "schema": { "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$" },
    });
    if let Some(all) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
        all.push(parameter);
    }
}

/// A body of which every field may be left out may be left out, too.
fn bodies(root: &mut Value) {
    let needs = |name: &str, root: &Value| {
        let required = root.pointer(&format!("/components/schemas/{name}/required")).and_then(Value::as_array);
        required.is_some_and(|fields| !fields.is_empty())
    };
    let whole = root.clone();
    let items = root.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for operation in items.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten().map(|(_, o)| o)) {
        let Some(body) = operation.get_mut("requestBody").and_then(Value::as_object_mut) else { continue };
        let schema =
            body.get("content").and_then(|c| c.pointer("/application~1json/schema/$ref")).and_then(Value::as_str);
        let required = schema.and_then(|s| s.rsplit('/').next()).is_some_and(|name| needs(name, &whole));
        body.insert("required".into(), json!(required));
    }
}

/// Rows always have all their fields: what is not there is null. What comes in knows no other fields than its own.
fn schema_of(name: &str, schema: &mut Value) {
    let input = name.ends_with("Input") || name == "BatchFilter";
    let parts: Vec<&mut Value> = match schema.get_mut("allOf") {
        Some(Value::Array(parts)) => parts.iter_mut().collect(),
        _ => vec![schema],
    };
    for part in parts {
        let Some(object) = part.as_object_mut() else { continue };
        let Some(fields) = object.get("properties").and_then(Value::as_object) else { continue };
        let names: Vec<String> = fields
            .keys()
            .filter(|f| name != "Problem" || !matches!(f.as_str(), "instance" | "errors"))
            .cloned()
            .collect();
        if input {
            object.insert("additionalProperties".into(), json!(false));
        } else {
            object.insert("required".into(), json!(names));
        }
    }
}
