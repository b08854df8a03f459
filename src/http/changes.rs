//! `GET /v1/changes…`, the calendar as a feed, and the gate that pipelines ask. What the gate answers is decided in the
//! domain, when it is asked.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use compact_str::format_compact;
use serde_json::{Value, json};

use super::auth::{Caller, caller};
use super::error::{Failure, status_of};
use super::fields::Fields;
use super::ingest::idempotency_key;
use super::paged::{self, Part};
use super::read::{Answer, below, items, no_id, none};
use super::{App, ask, body, document, ingest, say, schema, shape};
use crate::domain::actor::{Actor, By};
use crate::domain::change::gate::{self, Verdict};
use crate::domain::change::{Change, Window, feed};
use crate::domain::command::GateAsked;
use crate::domain::desk::{RecordList, RecordQuery, View};
use crate::domain::id::{ChangeId, RequestId};
use crate::domain::input::{Input, InputKind};
use crate::domain::reject::{Reject, RejectCode};

fn window(window: Option<Window>) -> Value {
    window.map_or(Value::Null, |window| json!({"from": window.from, "until": window.until}))
}

/// A change in a list, and the beginning of its whole record.
fn summary(change: &Change) -> Value {
    let content = &change.content;
    json!({
        "id": change.id,
        "title": content.title,
        "class": content.class,
        "service": content.service,
        "environment": content.environment,
        "version": content.version,
        "team": change.team,
        "state": change.state,
        "outcome": change.outcome,
        "risk": content.risk,
        "requested_by": change.requester.to_string(),
        "requested_at": change.opened_at,
        "implementer": content.implementer,
        "window": window(change.window()),
        "started_at": change.started.as_ref().map(|done| done.at),
        "ended_at": change.ended.as_ref().map(|done| done.at),
        "closed_at": change.closed_at,
        "approval_due": change.approval_due,
        "review_due": change.review_due,
    })
}

pub(crate) fn whole(change: &Change) -> Value {
    let content = &change.content;
    let timeline = change.timeline.iter();
    let timeline: Vec<Value> =
        timeline.map(|entry| json!({"at": entry.at, "by": entry.by.to_string(), "text": entry.text})).collect();
    let approvals = change.approvals.iter();
    let approvals: Vec<Value> = approvals
        .map(|it| {
            json!({
                "person": it.person, "hash": it.hash, "at": it.at, "expires": it.expires, "used_at": it.used,
                "void": it.void, "stands_for": it.stands_for, "second_factor": it.factor, "pull_request": it.review,
            })
        })
        .collect();
    let more = json!({
        "hash": change.hash,
        "reason": content.reason,
        "plan": content.plan,
        "test": content.test,
        "rollback": content.rollback,
        "items": content.items,
        "expects": content.expects,
        "author": content.author,
        "commit": change.commit.as_ref().or(content.commit.as_ref()),
        "model": content.model,
        "risk_lines": change.risk.lines,
        "approvals": approvals,
        "incident": change.incident,
        "authoriser": change.authoriser,
        "caused": change.caused,
        "unapproved": change.unapproved,
        "review": change.review,
        "facts": change.facts,
        "timeline": timeline,
    });
    let mut whole = summary(change);
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

/// Changes, open and over, newest first.
#[utoipa::path(
    get, path = "/v1/changes", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Open ones and those that are over", body = schema::List<schema::ChangeSummary>), document::Listing)
)]
pub(crate) async fn changes(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let Part { limit, after } = Part::parse("changes", &uri)?;
    let list = ask::list(&app, RecordQuery::Changes { below: after, limit }).await?;
    let RecordList::Changes(found) = list else { return Err(Failure::no_answer()) };
    let next = below("changes", found.len() >= limit, found.last().map(|change| change.id.0));
    Ok(items(&found.iter().map(summary).collect::<Vec<_>>(), next))
}

/// One change, with what was approved, by whom, and what happened.
#[utoipa::path(
    get, path = "/v1/changes/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "CHG-1")),
    responses((status = 200, description = "The whole record", body = schema::Change), document::Reading)
)]
pub(crate) async fn change(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let id: ChangeId = id.parse().map_err(|_| no_id(&id, "CHG-1"))?;
    match ask::list(&app, RecordQuery::Change(id)).await? {
        RecordList::Changes(found) => {
            let found = found.first().ok_or_else(|| none(id))?;
            Ok(shape::json(StatusCode::OK, &whole(found)))
        }
        _ => Err(Failure::no_answer()),
    }
}

/// Changes, freezes and windows from a week ago to 90 days ahead, as iCalendar.
#[utoipa::path(
    get, path = "/v1/calendar.ics", tag = "records", security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "The calendar", body = String, content_type = "text/calendar"), document::Listing)
)]
pub(crate) async fn calendar(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let see = |view: &View<'_>| feed::calendar(view.state, view.org, view.now);
    let text = ask::look(&app, see).await?;
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    Ok(response)
}

/// Asks whether a version may be deployed now. Opens the change where there is none, and begins it where the answer is
/// `allow`.
#[utoipa::path(
    post, path = "/v1/gate", tag = "words", security(("person" = []), ("administrator" = [])),
    params(ingest::Repeatable), request_body = schema::Gate,
    responses((status = 200, description = "The verdict, whatever it is", body = schema::Verdict), document::Writing)
)]
pub(crate) async fn gate(State(app): State<Arc<App>>, Extension(id): Extension<RequestId>, request: Request) -> Answer {
    let caller = caller(&app, request.headers()).await?;
    let idempotency = idempotency_key(request.headers())?;
    let held = body::read(&app, request, app.http.limits.api_bytes).await?;
    let mut fields = Fields::parse(&held.bytes, &["service", "version", "commit", "environment", "author", "as"])?;
    let (service, version) = (fields.needed("service")?, fields.needed("version")?);
    let sha = fields.text("commit")?.map(|text| {
        gate::commit(&text).ok_or_else(|| Failure::value("commit", format!("`commit` {}", gate::NO_COMMIT)))
    });
    let sha = sha.transpose()?;
    let (environment, author, named) = (fields.text("environment")?, fields.text("author")?, fields.text("as")?);
    drop(held);
    let via = if caller == Caller::Administrator { "api-administrator" } else { "api" };
    let person = say::speaker(&app, caller, named).await?;
    let author = match author {
        Some(name) => Some(say::person(&app, "author", name).await?),
        None => None,
    };
    let input = Input {
        idempotency: idempotency.map(|key| format_compact!("gate:{person}:{key}")),
        by: By {
            actor: Actor::Person(person.clone()),
            via: via.into(),
            request: Some(id),
            granted: None,
            factor: None,
        },
        kind: InputKind::Gate(GateAsked { service: service.into(), version, environment, author, by: Vec::new(), sha }),
        closed: Vec::new(),
    };
    let answer = ask::submit_one(&app, input).await?;
    let render = |text: &str| (app.http.render)(text, Some(&person));
    let reply = answer.reply.map_err(|reject| {
        let (message, hint) = (render(&reject.message), reject.hint.as_deref().map(render));
        let failure = Failure::refused(status_of(reject.code), Reject { code: reject.code, message, hint });
        match reject.code {
            RejectCode::NotFound => failure.path("service"),
            RejectCode::Missing => failure.path("version"),
            _ => failure,
        }
    })?;
    let verdict: Verdict = serde_json::from_str(&reply.text).map_err(|_| Failure::no_answer())?;
    let reasons: Vec<Value> =
        verdict.reasons.iter().map(|reason| json!({"code": reason.code, "text": render(&reason.text)})).collect();
    let told = json!({
        "decision": verdict.decision,
        "reasons": reasons,
        "change": verdict.change,
        "state": verdict.state,
        "seq": answer.seq,
    });
    Ok(shape::json(StatusCode::OK, &told))
}
