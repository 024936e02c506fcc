//! A request to a CRM, an ERP, n8n: what is sent, and what its answer means.

use serde_json::json;
use types::Secret;
use types::http::{Answer, Body, Plan};

use crate::settings::{HttpSettings, Office};
use crate::template::{self, Values};
use crate::{Came, Deed};

/// What the places of this deed are filled with.
fn values(office: &Office, deed: &Deed<'_>) -> Values {
    let mut values: Values = deed.facts.clone();
    let own = [
        ("key", deed.key),
        ("done_key", deed.done_key),
        ("action", deed.action),
        ("title", deed.title),
        ("description", deed.description),
        ("priority", deed.priority),
        ("business", &office.business),
        ("tenant", &office.slug),
    ];
    values.extend(own.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())));
    template::result_values(deed.result, &mut values);
    values
}

/// The request. An error is one of the configuration.
pub(crate) fn plan(settings: &HttpSettings, office: &Office, deed: &Deed<'_>) -> Result<Plan, String> {
    let (url, method, body) = if deed.undo {
        let Some(undo) = &settings.compensate else {
            return Err("no compensate_url is configured: only a person can undo this".to_owned());
        };
        (&undo.url, undo.method, &undo.body)
    } else {
        (&settings.url, settings.method, &settings.body)
    };
    let values = values(office, deed);
    let body = match body {
        Some(body) => template::json(body, &values)?,
        None => json!({
            "key": deed.key,
            "undoes": if deed.undo { Some(deed.done_key) } else { None },
            "action": deed.action,
            "title": deed.title,
            "description": deed.description,
            "priority": deed.priority,
            "business": office.business,
            "facts": deed.facts,
        }),
    };
    let mut headers = settings.headers.clone();
    headers.push((settings.key_header.to_ascii_lowercase(), Secret::new(deed.key)));
    Ok(Plan {
        method,
        url: Secret::new(template::address(url, &values)),
        authorization: None,
        headers,
        body: if method == types::http::Method::Get { Body::Empty } else { Body::Json(body.to_string().into_bytes()) },
        name: "action.http",
    })
}

/// What an answer means. The key went along, so that an attempt which may have been done can be made again.
pub(crate) fn read(answer: &Answer, deed: &Deed<'_>) -> Came {
    let said = String::from_utf8_lossy(&answer.body);
    let why = format!("HTTP {}: {}", answer.status, template::line(&said));
    match answer.status {
        200..=299 => Came::Done(template::result_of(&answer.body)),
        // The other side has it already: from an attempt of ours whose answer was lost.
        409 if deed.attempt > 1 || deed.doubtful => Came::Done(template::result_of(&answer.body)),
        // What is to be undone is not there.
        404 | 410 if deed.undo => Came::Done(None),
        401 | 403 => Came::Retry { why: format!("{why}; mend the action's headers"), after: None },
        408 | 425 | 429 => Came::Retry { why, after: answer.retry_after },
        // A gateway that heard no answer knows no more than we do.
        502 | 504 => Came::Doubt(why),
        500..=599 => Came::Retry { why, after: answer.retry_after },
        _ => Came::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use types::TenantId;

    use super::*;

    fn deed<'a>(facts: &'a BTreeMap<String, String>, attempt: u32, undo: bool) -> Deed<'a> {
        Deed {
            tenant: TenantId(1),
            action: "create_order",
            effect: types::Effect::Http,
            undo,
            key: "barid-9-1",
            done_key: "barid-9-1",
            title: "Order",
            description: "",
            priority: "high",
            facts,
            result: Some(r#"{"id":42}"#),
            attempt,
            doubtful: false,
        }
    }

    /// What each answer of the other side calls for.
    #[test]
    fn what_an_answer_means() {
        let facts = BTreeMap::new();
        let cases = [
            (201, 1, false, "done"),
            (204, 1, false, "done"),
            (400, 1, false, "refused"),
            (401, 1, false, "retry"),
            (403, 1, false, "retry"),
            (404, 1, false, "refused"),
            (404, 1, true, "done"),
            (409, 1, false, "refused"),
            (409, 2, false, "done"),
            (422, 3, false, "refused"),
            (429, 1, false, "retry after 7"),
            (500, 1, false, "retry after 7"),
            (502, 1, false, "doubt"),
            (503, 1, false, "retry after 7"),
            (504, 1, false, "doubt"),
        ];
        for (status, attempt, undo, want) in cases {
            let answer =
                Answer { status, retry_after: Some(Duration::from_secs(7)), should_retry: None, body: b"{}".to_vec() };
            let came = match read(&answer, &deed(&facts, attempt, undo)) {
                Came::Done(_) => "done".to_owned(),
                Came::Retry { after: None, .. } => "retry".to_owned(),
                Came::Retry { after: Some(after), .. } => format!("retry after {}", after.as_secs()),
                Came::Refused(_) => "refused".to_owned(),
                Came::Doubt(_) => "doubt".to_owned(),
                Came::Waits { .. } => "waits".to_owned(),
            };
            assert_eq!(came, want, "{status}, attempt {attempt}, undo {undo}");
        }
    }

    /// Only what is configured is undone, by the other side's own name for it.
    #[test]
    fn what_is_undone_is_named_as_the_other_side_named_it() {
        let facts = BTreeMap::new();
        let mut settings = HttpSettings {
            url: "https://crm.example/orders".to_owned(),
            method: types::http::Method::Post,
            headers: vec![("authorization".to_owned(), Secret::new("Bearer x"))],
            body: None,
            key_header: "Idempotency-Key".to_owned(),
            compensate: None,
        };
        let office = Office::default();
        assert!(plan(&settings, &office, &deed(&facts, 1, true)).is_err());
        let url = "https://crm.example/orders/{result.id}".to_owned();
        settings.compensate = Some(crate::Compensate { url, method: types::http::Method::Delete, body: None });
        let undo = plan(&settings, &office, &deed(&facts, 1, true)).unwrap();
        assert_eq!(undo.url.expose(), "https://crm.example/orders/42");
        let keys: Vec<_> = undo.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(keys, [("authorization", "Bearer x"), ("idempotency-key", "barid-9-1")]);
    }
}
