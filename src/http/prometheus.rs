//! `POST /api/v2/alerts`: a Prometheus talks to Opsbell as to an Alertmanager (with `authorization` in its
//! `alertmanagers` entry). It posts a list of alerts without a state: one whose end has passed has recovered. What it
//! posts is turned into the body of Alertmanager's webhook and read as that.
//!
//! Not done, as only an Alertmanager does: an alert that is no longer posted does not recover by itself.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::Failure;
use super::ingest::{give, known, read, spend};
use super::{App, ask, body, document};
use crate::domain::id::RequestId;
use crate::domain::time::Timestamp;

const SOURCE: &str = "alertmanager";

/// Takes the alerts of a Prometheus, as an Alertmanager does.
///
/// 200 without a body once they are durable.
#[utoipa::path(
    post, path = "/api/v2/alerts", tag = "other-tools", operation_id = "prometheus_alerts",
    security(("integration" = [])),
    request_body(content = Vec<serde_json::Value>, description = "Alerts with labels, annotations and times"),
    responses((status = 200, description = "Durable"), document::Sending)
)]
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let begun = (app.http.stopwatch)();
    let taken = take(&app, &id, request).await;
    let status = taken.as_ref().map_or_else(|failure| failure.status, |()| StatusCode::OK);
    app.metrics.ingested(Some(SOURCE), status, (app.http.stopwatch)().saturating_sub(begun));
    match taken {
        // Alertmanager answers nothing either.
        Ok(()) => Response::new(Body::empty()),
        Err(failure) => failure.into_response(),
    }
}

async fn take(app: &App, id: &RequestId, request: Request) -> Result<(), Failure> {
    let key = known(app, SOURCE, request.headers(), None)?;
    spend(app, &key)?;
    let held = body::read(app, request, app.http.limits.ingest_bytes).await?;
    let list: Value = serde_json::from_slice(&held.bytes)
        .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, "bad-json", format!("the body is no JSON: {error}")))?;
    let Value::Array(mut alerts) = list else {
        return Err(Failure::value("$", "the body is not a list of alerts")
            .hint("an Alertmanager's own webhook is posted to /v1/ingest/alertmanager"));
    };
    let now = ask::look(app, |view| view.now).await?;
    for alert in alerts.iter_mut().filter_map(Value::as_object_mut) {
        let status = if over(alert.get("endsAt"), now) { "resolved" } else { "firing" };
        alert.insert("status".to_owned(), status.into());
    }
    let bytes = serde_json::to_vec(&json!({ "alerts": alerts })).unwrap_or_default();
    let outcome = read(app, SOURCE, &key, bytes.into()).await?;
    drop(held.place);
    key.bucket.charge((app.http.stopwatch)(), app.http.limits.rate, outcome.signals.len().saturating_sub(1));
    let rejected = outcome.rejected.into_iter().next();
    let (mut accepted, mut refused) = (0, None);
    if !outcome.signals.is_empty() {
        for answer in give(app, &key, id, None, outcome.signals).await? {
            match answer.reply {
                Ok(_) => accepted += 1,
                Err(reject) => refused = refused.or(Some(reject.message)),
            }
        }
        app.metrics.accepted(accepted);
    }
    // A 2xx would tell Prometheus that something landed.
    match (rejected, refused) {
        (Some((path, reason)), _) if accepted == 0 => Err(Failure::value(path, reason)),
        (None, Some(reason)) if accepted == 0 => Err(Failure::value("$", reason)),
        _ => Ok(()),
    }
}

/// Whether an end is told and has passed. Go's zero time means that none is told.
fn over(ends_at: Option<&Value>, now: Timestamp) -> bool {
    let Some(text) = ends_at.and_then(Value::as_str).filter(|text| !text.starts_with("0001-")) else { return false };
    text.parse::<Timestamp>().is_ok_and(|ends| ends <= now)
}
