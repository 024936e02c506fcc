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
