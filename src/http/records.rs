//! `GET /v1/problems…`, and the text of a postmortem: `GET` and `PUT /v1/incidents/INC-1/postmortem`, as Markdown. Who
//! may write is decided in the domain, as for a command.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use compact_str::format_compact;
use serde_json::{Value, json};

use super::auth::{Caller, caller};
use super::error::{Failure, status_of};
use super::ingest::idempotency_key;
use super::paged::{self, Part};
use super::read::{Answer, below, items, no_id, none, one_incident};
use super::sight::Sight;
use super::{App, ask, body, document, ingest, schema, shape};
use crate::domain::actor::{ADMINISTRATOR, Actor, By};
use crate::domain::desk::{RecordList, RecordQuery};
use crate::domain::id::{IncidentId, ProblemId, RequestId};
use crate::domain::input::{Input, InputKind};
use crate::domain::postmortem::TEXT_MAX;
use crate::domain::problem::Problem;
use crate::domain::reject::Reject;

/// A problem in a list, and the beginning of its whole record.
fn summary(problem: &Problem) -> Value {
    json!({
        "id": problem.id,
        "title": problem.title,
        "service": problem.service,
        "team": problem.team,
        "state": problem.state,
        "opened_at": problem.opened_at,
        "opened_by": problem.opened_by.to_string(),
        "root_cause": problem.root_cause,
        "workaround": problem.workaround,
        "resolved_at": problem.resolved_at,
        "resolution": problem.resolution,
        "closed_at": problem.closed_at,
        "incidents_total": problem.incidents.len() + problem.incidents_folded as usize,
    })
}

fn whole(problem: &Problem) -> Value {
    let mut whole = summary(problem);
    let timeline = problem.timeline.iter();
    let timeline: Vec<Value> =
        timeline.map(|entry| json!({"at": entry.at, "by": entry.by.to_string(), "text": entry.text})).collect();
    let more = json!({"fingerprint": problem.fingerprint, "incidents": problem.incidents, "timeline": timeline});
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

/// Problems, open and closed.
#[utoipa::path(
    get, path = "/v1/problems", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Open and closed ones", body = schema::List<schema::ProblemSummary>), document::Listing)
)]
pub(crate) async fn problems(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let Part { limit, after } = Part::parse("problems", &uri)?;
    let list = ask::list(&app, RecordQuery::Problems { below: after, limit }).await?;
    let RecordList::Problems(found) = list else { return Err(Failure::no_answer()) };
    let next = below("problems", found.len() >= limit, found.last().map(|problem| problem.id.0));
    Ok(items(&found.iter().map(summary).collect::<Vec<_>>(), next))
}

/// One problem, with its incidents and timeline.
#[utoipa::path(
    get, path = "/v1/problems/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "PRB-1")),
    responses((status = 200, description = "The whole record", body = schema::Problem), document::Reading)
)]
pub(crate) async fn problem(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let hidden = Sight::of(&app, &headers).await?.unknown(&app).await?;
    let id: ProblemId = id.parse().map_err(|_| no_id(&id, "PRB-1"))?;
    match ask::list(&app, RecordQuery::Problem(id)).await? {
        RecordList::Problems(found) => {
            let found = found.first().ok_or_else(|| none(id))?;
            Ok(shape::json(StatusCode::OK, &hidden.out_of(whole(found))))
        }
        _ => Err(Failure::no_answer()),
    }
}

/// The text of a postmortem, with its revision as `ETag`.
#[utoipa::path(
    get, path = "/v1/incidents/{id}/postmortem", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "The incident", example = "INC-1")),
    responses((status = 200, description = "The text", body = String, content_type = "text/markdown"), document::Reading)
)]
pub(crate) async fn postmortem(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let id: IncidentId = id.parse().map_err(|_| no_id(&id, "INC-1"))?;
    let incident = one_incident(&app, id).await?.ok_or_else(|| none(id))?;
    sight.admitted(&incident)?;
    let Some(known) = incident.postmortem() else {
        return Err(Failure::not_found(format!("{id} has no postmortem"))
            .hint(format!("it is drafted when a sev1 or sev2 is resolved; begin one: /postmortem edit {id}")));
    };
    let mut response = Response::new(known.text.clone().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/markdown; charset=utf-8"));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", known.revision)) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// Writes the text of a postmortem. With `If-Match: "3"` only over revision 3.
#[utoipa::path(
    put, path = "/v1/incidents/{id}/postmortem", tag = "words", security(("person" = [])),
    params(
        ("id" = String, Path, description = "The incident", example = "INC-1"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the text that it was made from"),
        ingest::Repeatable
    ),
    request_body(content = String, content_type = "text/markdown"),
    responses((status = 200, description = "Written", body = schema::Written), document::Writing)
)]
pub(crate) async fn write_postmortem(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
) -> Answer {
    let caller = caller(&app, request.headers()).await?;
    let id: IncidentId = id.parse().map_err(|_| no_id(&id, "INC-1"))?;
    let idempotency = idempotency_key(request.headers())?;
    let base = base(request.headers())?;
    let held = body::read(&app, request, TEXT_MAX).await?;
    let text = String::from_utf8(held.bytes.to_vec())
        .map_err(|_| Failure::value("body", "the text is not UTF-8").hint("send Markdown as UTF-8"))?;
    drop(held);
    let person = match caller {
        Caller::Person(person) => person,
        // Refused by the one function that authorises: a postmortem has an author.
        Caller::Administrator => ADMINISTRATOR.into(),
    };
    let input = Input {
        idempotency: idempotency.map(|key| format_compact!("postmortem:{id}:{person}:{key}")),
        by: By {
            actor: Actor::Person(person.clone()),
            via: "api".into(),
            request: Some(request_id),
            granted: None,
            factor: None,
        },
        kind: InputKind::WritePostmortem { incident: id, text, base },
        closed: Vec::new(),
    };
    let answer = ask::submit_one(&app, input).await?;
    let render = |text: &str| (app.http.render)(text, Some(&person));
    let reply = answer.reply.map_err(|reject| {
        let (message, hint) = (render(&reject.message), reject.hint.as_deref().map(render));
        Failure::refused(status_of(reject.code), Reject { code: reject.code, message, hint })
    })?;
    let told = json!({"ok": true, "text": render(&reply.text), "records": reply.records, "seq": answer.seq});
    Ok(shape::json(StatusCode::OK, &told))
}

/// The revision of `If-Match: "3"`; `None` where the client does not care.
fn base(headers: &HeaderMap) -> Result<Option<u32>, Failure> {
    let Some(given) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = given.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        Failure::value("If-Match", "`If-Match` is no revision").hint("send the `ETag` of the text as it was read")
    })
}
