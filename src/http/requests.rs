//! `GET /v1/requests…`: what people ask for, open and over. Everybody who may read reads them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use super::auth::caller;
use super::error::Failure;
use super::paged::{self, Part};
use super::read::{Answer, below, items, no_id, none};
use super::{App, ask, document, schema, shape};
use crate::domain::desk::{RecordList, RecordQuery};
use crate::domain::id::ServiceRequestId;
use crate::domain::request::ServiceRequest;

/// A request in a list, and the beginning of its whole record.
fn summary(request: &ServiceRequest) -> Value {
    json!({
        "id": request.id,
        "title": request.title,
        "service": request.service,
        "team": request.team,
        "item": request.item.as_ref().map(|item| &item.playbook),
        "state": request.state,
        "requester": request.requester.to_string(),
        "for": request.for_whom,
        "fulfiller": request.fulfiller,
        "submitted_at": request.submitted_at,
        "due": request.due,
        "fulfilled_at": request.fulfilled_at,
        "ended_at": request.ended_at,
        "resolution": request.resolution,
    })
}

fn whole(request: &ServiceRequest) -> Value {
    let timeline = request.timeline.iter();
    let timeline: Vec<Value> =
        timeline.map(|entry| json!({"at": entry.at, "by": entry.by.to_string(), "text": entry.text})).collect();
    let more = json!({
        "text": request.text,
        "values": request.item.as_ref().map(|item| &item.values),
        "approvers": request.approvers,
        "approved_by": request.approval.as_ref().map(|approval| &approval.person),
        "approved_at": request.approval.as_ref().map(|approval| approval.at),
        "asked_of": request.of,
        "closes": request.closes,
        "run": request.run,
        "asked_by_run": request.asked_by.as_ref().map(|asked| asked.run),
        "incident": request.incident,
        "changes": request.changes,
        "timeline": timeline,
    });
    let mut whole = summary(request);
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

/// Requests, open and over.
#[utoipa::path(
    get, path = "/v1/requests", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Open ones and those that are over", body = schema::List<schema::RequestSummary>), document::Listing)
)]
pub(crate) async fn requests(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let Part { limit, after } = Part::parse("requests", &uri)?;
    let list = ask::list(&app, RecordQuery::Requests { below: after, limit }).await?;
    let RecordList::Requests(found) = list else { return Err(Failure::no_answer()) };
    let next = below("requests", found.len() >= limit, found.last().map(|request| request.id.0));
    Ok(items(&found.iter().map(summary).collect::<Vec<_>>(), next))
}

/// One request, with what was said for its item and its timeline.
#[utoipa::path(
    get, path = "/v1/requests/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "REQ-1")),
    responses((status = 200, description = "The whole record", body = schema::Request), document::Reading)
)]
pub(crate) async fn request(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let id: ServiceRequestId = id.parse().map_err(|_| no_id(&id, "REQ-1"))?;
    match ask::list(&app, RecordQuery::Request(id)).await? {
        RecordList::Requests(found) => {
            let found = found.first().ok_or_else(|| none(id))?;
            Ok(shape::json(StatusCode::OK, &whole(found)))
        }
        _ => Err(Failure::no_answer()),
    }
}
