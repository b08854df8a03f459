//! PagerDuty's Events API v2 at its own paths, for senders that know no other: the integration's key stands in the
//! body as `routing_key`, and what is answered is what PagerDuty answers, in its words. How an event is read is
//! `source/`'s work.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::auth::{Key, Secret, Shown};
use super::error::{Failure, Foreign};
use super::ingest::{give, idempotency_key, read, spend};
use super::{App, body, document, ingest, shape};
use crate::domain::id::RequestId;

const SOURCE: &str = "pagerduty";
/// PagerDuty's own limit of an event, in bytes.
const EVENT_BYTES: usize = 512 << 10;
/// PagerDuty's own limit of a key, in characters.
const DEDUP_CHARS: usize = 255;
const SEVERITIES: [&str; 4] = ["critical", "warning", "error", "info"];

/// Why an event is not taken.
enum Refusal {
    /// What is wrong with it, in PagerDuty's words: 400.
    Invalid(Vec<String>),
    /// What any request can fail of.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// An event that was taken, in PagerDuty's words.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes what `answer` writes")]
pub(crate) struct EventTaken {
    #[schema(example = "success")]
    status: String,
    message: String,
    /// By which `acknowledge` and `resolve` name it.
    dedup_key: String,
}

/// A change that was taken, in PagerDuty's words.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes what `answer` writes")]
pub(crate) struct ChangeTaken {
    #[schema(example = "success")]
    status: String,
    message: String,
}

/// Why an event is not taken, in PagerDuty's words.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes what `answer` writes")]
pub(crate) struct EventRefused {
    #[schema(example = "invalid event")]
    status: String,
    message: String,
    errors: Vec<String>,
}

/// Takes an event of PagerDuty's Events API v2.
///
/// The integration's key stands in the body as `routing_key`. 202 once it is durable.
#[utoipa::path(
    post, path = "/v2/enqueue", tag = "other-tools", security(()), params(ingest::Repeatable),
    request_body(content = serde_json::Value, description = "An event: `trigger`, `acknowledge` or `resolve`"),
    responses(
        (status = 202, description = "Durable", body = EventTaken),
        (status = "4XX", description = "Not taken, and why", body = EventRefused),
        document::Foreign,
    )
)]
pub(crate) async fn enqueue(app: State<Arc<App>>, id: Extension<RequestId>, request: Request) -> Response {
    answer(app, id, request, errors_of_event).await
}

/// Takes a change event of PagerDuty's Events API v2.
///
/// It is read, and starts nothing. The integration's key stands in the body as `routing_key`.
#[utoipa::path(
    post, path = "/v2/change/enqueue", tag = "other-tools", security(()), params(ingest::Repeatable),
    request_body(content = serde_json::Value, description = "A change event"),
    responses(
        (status = 202, description = "Durable", body = ChangeTaken),
        (status = "4XX", description = "Not taken, and why", body = EventRefused),
        document::Foreign,
    )
)]
pub(crate) async fn enqueue_change(app: State<Arc<App>>, id: Extension<RequestId>, request: Request) -> Response {
    answer(app, id, request, errors_of_change).await
}

async fn answer(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    request: Request,
    errors: fn(&Value) -> Vec<String>,
) -> Response {
    let begun = (app.http.stopwatch)();
    let response = match take(&app, &id, request, errors).await {
        Ok(Some(dedup_key)) => {
            let body = json!({"status": "success", "message": "Event processed", "dedup_key": dedup_key});
            shape::json(StatusCode::ACCEPTED, &body)
        }
        Ok(None) => {
            shape::json(StatusCode::ACCEPTED, &json!({"status": "success", "message": "Change event processed"}))
        }
        Err(Refusal::Invalid(errors)) => {
            let body = json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
            foreign(shape::json(StatusCode::BAD_REQUEST, &body), None)
        }
        Err(Refusal::Failed(failure)) => {
            let (status, message) = match failure.status {
                StatusCode::TOO_MANY_REQUESTS => {
                    ("throttle exceeded", "Requests for this service are arriving too quickly.  Please retry later.")
                }
                _ => ("error", failure.message()),
            };
            let body = json!({"status": status, "message": message, "errors": [failure.message()]});
            foreign(shape::json(failure.status, &body), failure.retry_after_secs())
        }
    };
    app.metrics.ingested(Some(SOURCE), response.status(), (app.http.stopwatch)().saturating_sub(begun));
    response
}

/// Leaves the body as it is: whoever sent the request understands this one.
pub(crate) fn foreign(mut response: Response, retry_after_secs: Option<u32>) -> Response {
    response.extensions_mut().insert(Foreign);
    if let Some(secs) = retry_after_secs {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    response
}

/// Takes an event; its dedup key as the sender may use it again, or none for a change event.
async fn take(
    app: &App,
    id: &RequestId,
    request: Request,
    errors: fn(&Value) -> Vec<String>,
) -> Result<Option<String>, Refusal> {
    let idempotency = idempotency_key(request.headers())?;
    let held = body::read_unknown(app, request, EVENT_BYTES.min(app.http.limits.ingest_bytes)).await?;
    let event: Value = serde_json::from_slice(&held.bytes)
        .map_err(|error| Refusal::Invalid(vec![format!("the body is not valid JSON: {error}")]))?;
    let key = known(app, &event)?;
    spend(app, &key)?;
    let wrong = errors(&event);
    if !wrong.is_empty() {
        return Err(Refusal::Invalid(wrong));
    }
    let outcome =
        read(app, SOURCE, &key, held.bytes).await.map_err(|f| Refusal::Invalid(vec![f.message().to_owned()]))?;
    drop(held.place);

    let given = event.get("dedup_key").and_then(Value::as_str).filter(|key| !key.trim().is_empty());
    let is_event = event.get("event_action").is_some();
    // An empty key is none, and never one that two alerts share.
    let dedup_key = given.map_or_else(|| Secret::of(id.as_str().as_bytes()).hex()[..32].to_owned(), str::to_owned);
    let mut signals = outcome.signals;
    if is_event && given.is_none() {
        signals.iter_mut().for_each(|signal| signal.key.clone_from(&dedup_key));
    }
    let mut accepted = 0;
    for answer in give(app, &key, id, idempotency.as_ref(), signals).await? {
        answer.reply.map_err(|reject| Refusal::Invalid(vec![reject.message]))?;
        accepted += 1;
    }
    app.metrics.accepted(accepted);
    Ok(is_event.then_some(dedup_key))
}

/// The integration whose key the body shows.
fn known(app: &App, event: &Value) -> Result<Arc<Key>, Refusal> {
    if !event.is_object() {
        return Err(Refusal::Invalid(vec!["the event is not an object".to_owned()]));
    }
    let Some(shown) = event.get("routing_key").and_then(Value::as_str).filter(|key| !key.trim().is_empty()) else {
        return Err(Refusal::Invalid(vec!["'routing_key' is missing or blank".to_owned()]));
    };
    match app.http.keys.shown(SOURCE, shown.trim().as_bytes()) {
        Shown::Ours(key) => Ok(key),
        Shown::Other(_) | Shown::Unknown => Err(Refusal::Invalid(vec!["Invalid routing key".to_owned()])),
    }
}

fn missing(name: &str, value: Option<&Value>) -> Option<String> {
    let there = match value {
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Number(_) | Value::Bool(_) | Value::Object(_)) => true,
        _ => false,
    };
    (!there).then(|| format!("'{name}' is missing or blank"))
}

fn errors_of_event(event: &Value) -> Vec<String> {
    let action = event.get("event_action");
    let mut errors = Vec::new();
    match action.and_then(Value::as_str) {
        Some("trigger") => {
            let payload = event.get("payload");
            if let Some(error) = missing("payload", payload) {
                return vec![error];
            }
            for field in ["summary", "source", "severity"] {
                let value = payload.and_then(|payload| payload.get(field));
                errors.extend(missing(&format!("payload.{field}"), value));
            }
            let severity = payload.and_then(|payload| payload.get("severity")?.as_str());
            if severity.is_some_and(|word| !word.trim().is_empty() && !SEVERITIES.contains(&word)) {
                errors.push(
                    "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
                        .to_owned(),
                );
            }
        }
        Some("acknowledge" | "resolve") => errors.extend(missing("dedup_key", event.get("dedup_key"))),
        _ => errors.push(missing("event_action", action).unwrap_or_else(|| {
            "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')".to_owned()
        })),
    }
    match event.get("dedup_key") {
        None | Some(Value::Null) => {}
        Some(Value::String(key)) if key.chars().count() <= DEDUP_CHARS => {}
        Some(_) => {
            errors.push(format!("'dedup_key' is invalid (must be a string of at most {DEDUP_CHARS} characters)"))
        }
    }
    errors
}

fn errors_of_change(event: &Value) -> Vec<String> {
    let payload = event.get("payload");
    if event.get("event_action").is_some() {
        return vec!["'event_action' is invalid (a change event has none; events are sent to /v2/enqueue)".to_owned()];
    }
    if let Some(error) = missing("payload", payload) {
        return vec![error];
    }
    missing("payload.summary", payload.and_then(|payload| payload.get("summary"))).into_iter().collect()
}
