//! Opsgenie's Alert API at its own paths, as far as senders of alerts use it: create, close, acknowledge and note. The
//! key is shown as `Authorization: GenieKey KEY`; the answers are Opsgenie's. How an alert is read is `source/`'s work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use super::auth::{Key, Secret, Shown, bearer, genie_key};
use super::error::Failure;
use super::ingest::{give, idempotency_key, read, spend};
use super::pagerduty::foreign;
use super::{App, ask, body, document, ingest, query, shape};
use crate::domain::id::{AlertId, RequestId};
use crate::domain::limits;
use crate::domain::signal::{Signal, SignalKind};

const SOURCE: &str = "opsgenie";
/// What Opsgenie says to a request that it has understood and not taken.
const NOT_PROCESSABLE: &str = "Request body is not processable. Please check the errors.";

/// Why a request is not taken.
enum Refusal {
    /// One field is wrong: 422.
    Field(&'static str, String),
    /// With this status, in these words.
    Said(StatusCode, String),
    /// What any request can fail of.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A request that was taken, in Opsgenie's words.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes what `answer` writes")]
pub(crate) struct RequestTaken {
    result: String,
    /// Seconds.
    took: f64,
    #[schema(rename = "requestId")]
    request_id: String,
}

/// Why a request is not taken, in Opsgenie's words.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes what `answer` writes")]
pub(crate) struct RequestRefused {
    message: String,
    /// By field.
    errors: Option<BTreeMap<String, String>>,
    /// Seconds.
    took: f64,
    #[schema(rename = "requestId")]
    request_id: String,
}

/// What the query may say, for `/openapi.json`.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `identifier_type` reads")]
pub(crate) struct IdentifierType {
    /// How the path names the alert.
    #[param(rename = "identifierType", value_type = Option<Identifier>, inline)]
    identifier_type: Option<String>,
}

/// `id` and `tiny` are the number that `/v1/alerts` shows.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what `identifier_type` reads")]
pub(crate) enum Identifier {
    Id,
    Alias,
    Tiny,
}

/// Opens an alert, as Opsgenie's Alert API does.
///
/// 202 once it is durable. Without an `alias` each request is an alert of its own.
#[utoipa::path(
    post, path = "/v2/alerts", tag = "other-tools", security(("genie" = []), ("integration" = [])),
    params(ingest::Repeatable),
    request_body(content = serde_json::Value, description = "An alert: `message`, and what Opsgenie knows beside it"),
    responses(
        (status = 202, description = "Durable", body = RequestTaken),
        (status = "4XX", description = "Not taken, and why", body = RequestRefused),
        document::Foreign,
    )
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let begun = (app.http.stopwatch)();
    let taken = take_alert(&app, &id, request).await;
    answer(&app, &id, begun, taken)
}

/// Says that an alert has recovered.
#[utoipa::path(
    post, path = "/v2/alerts/{identifier}/close", tag = "other-tools", operation_id = "close_alert",
    security(("genie" = []), ("integration" = [])),
    params(("identifier" = String, Path, description = "The alert, by its alias or number"), IdentifierType, ingest::Repeatable),
    request_body(content = serde_json::Value, description = "`note`, `source`, `user`; may be left out"),
    responses(
        (status = 202, description = "Durable", body = RequestTaken),
        (status = "4XX", description = "Not taken, and why", body = RequestRefused),
        document::Foreign,
    )
)]
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<String>,
    request: Request,
) -> Response {
    let begun = (app.http.stopwatch)();
    let taken = act(&app, &id, &named, Some(SignalKind::Resolve), request).await;
    answer(&app, &id, begun, taken)
}

/// Says that somebody has an alert.
///
/// It stops the escalation where the integration has `may_acknowledge`.
#[utoipa::path(
    post, path = "/v2/alerts/{identifier}/acknowledge", tag = "other-tools", operation_id = "acknowledge_alert",
    security(("genie" = []), ("integration" = [])),
    params(("identifier" = String, Path, description = "The alert, by its alias or number"), IdentifierType, ingest::Repeatable),
    request_body(content = serde_json::Value, description = "`note`, `source`, `user`; may be left out"),
    responses(
        (status = 202, description = "Durable", body = RequestTaken),
        (status = "4XX", description = "Not taken, and why", body = RequestRefused),
        document::Foreign,
    )
)]
pub(crate) async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<String>,
    request: Request,
) -> Response {
    let begun = (app.http.stopwatch)();
    let taken = act(&app, &id, &named, Some(SignalKind::Ack), request).await;
    answer(&app, &id, begun, taken)
}

/// Adds a note to the timeline of an alert's incident.
#[utoipa::path(
    post, path = "/v2/alerts/{identifier}/notes", tag = "other-tools", operation_id = "note_alert",
    security(("genie" = []), ("integration" = [])),
    params(("identifier" = String, Path, description = "The alert, by its alias or number"), IdentifierType, ingest::Repeatable),
    request_body(content = serde_json::Value, description = "`note`, `source`, `user`"),
    responses(
        (status = 202, description = "Durable", body = RequestTaken),
        (status = "4XX", description = "Not taken, and why", body = RequestRefused),
        document::Foreign,
    )
)]
pub(crate) async fn note(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Path(named): Path<String>,
    request: Request,
) -> Response {
    let begun = (app.http.stopwatch)();
    let taken = act(&app, &id, &named, None, request).await;
    answer(&app, &id, begun, taken)
}

fn answer(app: &App, id: &RequestId, begun: Duration, taken: Result<(), Refusal>) -> Response {
    let elapsed = (app.http.stopwatch)().saturating_sub(begun);
    let took = elapsed.as_millis() as f64 / 1_000.0;
    let request_id = id.as_str();
    let told = |status: StatusCode, message: &str| {
        shape::json(status, &json!({"message": message, "took": took, "requestId": request_id}))
    };
    let response = match taken {
        Ok(()) => {
            let body = json!({"result": "Request will be processed", "took": took, "requestId": request_id});
            shape::json(StatusCode::ACCEPTED, &body)
        }
        Err(Refusal::Field(field, message)) => {
            let errors = json!({ field: message });
            let body = json!({"message": NOT_PROCESSABLE, "errors": errors, "took": took, "requestId": request_id});
            foreign(shape::json(StatusCode::UNPROCESSABLE_ENTITY, &body), None)
        }
        Err(Refusal::Said(status, message)) => foreign(told(status, &message), None),
        Err(Refusal::Failed(failure)) => foreign(told(failure.status, failure.message()), failure.retry_after_secs()),
    };
    app.metrics.ingested(Some(SOURCE), response.status(), elapsed);
    response
}

/// The integration whose key was shown; looked at before the body.
fn known(app: &App, headers: &HeaderMap) -> Result<Arc<Key>, Refusal> {
    let refused = |message: &str| Refusal::Said(StatusCode::UNAUTHORIZED, message.to_owned());
    let Some(shown) = genie_key(headers).or_else(|| bearer(headers)) else {
        return Err(refused("Could not authenticate: send the header `Authorization: GenieKey KEY`"));
    };
    match app.http.keys.shown(SOURCE, shown) {
        Shown::Ours(key) => Ok(key),
        Shown::Other(_) | Shown::Unknown => Err(refused("Could not authenticate")),
    }
}

async fn take_alert(app: &App, id: &RequestId, request: Request) -> Result<(), Refusal> {
    let key = known(app, request.headers())?;
    spend(app, &key)?;
    let idempotency = idempotency_key(request.headers())?;
    let held = body::read(app, request, app.http.limits.ingest_bytes).await?;
    let alert: Value = parsed(&held.bytes)?;
    if alert.get("message").and_then(Value::as_str).is_none_or(|message| message.trim().is_empty()) {
        return Err(Refusal::Field("message", "Message can not be empty.".to_owned()));
    }
    let priority = alert.get("priority").filter(|priority| !priority.is_null());
    let known_priority = |priority: &Value| matches!(priority.as_str(), Some("P1" | "P2" | "P3" | "P4" | "P5"));
    if priority.is_some_and(|priority| !known_priority(priority)) {
        return Err(Refusal::Field("priority", "should be one of [ P1, P2, P3, P4, P5 ]".to_owned()));
    }
    let outcome = read(app, SOURCE, &key, held.bytes).await?;
    drop(held.place);
    let mut signals = outcome.signals;
    if signals.iter().any(|signal| signal.kind != SignalKind::Alert) {
        return Err(Refusal::Said(
            StatusCode::BAD_REQUEST,
            "this is a webhook of Opsgenie: post it to /v1/ingest/opsgenie".to_owned(),
        ));
    }
    // Without an alias each request is an alert of its own, which its id in `/v1/alerts` names.
    if alert.get("alias").and_then(Value::as_str).is_none_or(|alias| alias.trim().is_empty()) {
        let own = Secret::of(id.as_str().as_bytes()).hex();
        signals.iter_mut().for_each(|signal| signal.key = own[..32].to_owned());
    }
    if let (Some(note), Some(first)) = (note_in(&alert), signals.first()) {
        signals.push(about(first.key.clone(), SignalKind::StatusUpdate, Some(note)));
    }
    submit(app, &key, id, idempotency, signals).await
}

fn parsed(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::Said(StatusCode::BAD_REQUEST, format!("Could not parse the body as JSON: {error}")))
}

fn note_in(body: &Value) -> Option<String> {
    body.get("note").and_then(Value::as_str).and_then(|text| limits::lines(text, limits::SUMMARY_CHARS))
}

/// A signal about an alert that is known by its key.
fn about(key: String, kind: SignalKind, summary: Option<String>) -> Signal {
    let status = match kind {
        SignalKind::Resolve => "close",
        SignalKind::Ack => "acknowledge",
        _ => "note",
    };
    Signal {
        kind,
        service: None,
        name: "-".to_owned(),
        severity: None,
        severity_word: None,
        status: status.to_owned(),
        key,
        summary,
        labels: Default::default(),
        environment: None,
        link: None,
        started_at: None,
        deployment: None,
    }
}

/// Does something to an alert that was sent before; without a kind only its note is kept.
async fn act(
    app: &App,
    id: &RequestId,
    named: &str,
    kind: Option<SignalKind>,
    request: Request,
) -> Result<(), Refusal> {
    let key = known(app, request.headers())?;
    spend(app, &key)?;
    let idempotency = idempotency_key(request.headers())?;
    let by = identifier_type(request.uri())?;
    let held = body::read(app, request, app.http.limits.api_bytes).await?;
    let body = if held.bytes.trim_ascii().is_empty() { Value::Null } else { parsed(&held.bytes)? };
    drop(held);
    let note = note_in(&body);
    if kind.is_none() && note.is_none() {
        return Err(Refusal::Field("note", "Note can not be empty.".to_owned()));
    }
    let alias = match by {
        By::Alias => limits::key(named),
        By::Number => by_number(app, &key, named).await?,
    };
    let Some(alias) = alias else {
        return Err(Refusal::Said(
            StatusCode::NOT_FOUND,
            "This alert does not fire here. Alerts are found by identifierType=alias, or by the id that /v1/alerts shows".to_owned(),
        ));
    };
    let note = note.map(|note| about(alias.clone(), SignalKind::StatusUpdate, Some(note)));
    let done = kind.map(|kind| about(alias, kind, None));
    submit(app, &key, id, idempotency, note.into_iter().chain(done).collect()).await
}

/// How the path names an alert.
enum By {
    Alias,
    /// Our own number, `ALR-7` or `7`: the ids that Opsgenie gives out are not known here.
    Number,
}

fn identifier_type(uri: &Uri) -> Result<By, Refusal> {
    let pairs = query::pairs(uri)?;
    match pairs.iter().find(|(name, _)| name == "identifierType").map(|(_, value)| value.as_str()) {
        Some("alias") => Ok(By::Alias),
        None | Some("id" | "tiny") => Ok(By::Number),
        Some(_) => Err(Refusal::Field("identifierType", "should be one of [ id, alias, tiny ]".to_owned())),
    }
}

/// The key of a firing alert of this integration.
async fn by_number(app: &App, key: &Key, named: &str) -> Result<Option<String>, Refusal> {
    let whole = if named.starts_with("ALR-") { named.to_owned() } else { format!("ALR-{named}") };
    let Ok(number) = whole.parse::<AlertId>() else { return Ok(None) };
    let integration = key.integration.clone();
    let found = ask::look(app, move |view| {
        let alert = view.state.alert(number).filter(|alert| alert.integration == integration)?;
        Some(alert.key.to_string())
    });
    Ok(found.await?)
}

async fn submit(
    app: &App,
    key: &Key,
    id: &RequestId,
    idempotency: Option<compact_str::CompactString>,
    signals: Vec<Signal>,
) -> Result<(), Refusal> {
    let mut accepted = 0;
    for answer in give(app, key, id, idempotency.as_ref(), signals).await? {
        answer.reply.map_err(|reject| Refusal::Said(StatusCode::FORBIDDEN, reject.message))?;
        accepted += 1;
    }
    app.metrics.accepted(accepted);
    Ok(())
}
