//! `GET /v1/…`: lists and single records, for the administrator and for any person with a token. What is answered is
//! durable; how a record looks is `shape`.

use std::ops::Bound;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use super::auth::caller;
use super::error::Failure;
use super::paged::{Part, cursor};
use super::sight::Sight;
use super::{App, ask, document, paged, schema, shape};
use crate::domain::desk::{RecordList, RecordQuery, View};
use crate::domain::id::{AlertId, IncidentId, PageId, SilenceId};
use crate::domain::incident::Incident;

pub(crate) type Answer = Result<Response, Failure>;

pub(crate) fn items(items: &[Value], next: Option<String>) -> Response {
    shape::json(StatusCode::OK, &json!({"items": items, "next": next}))
}

/// The cursor after a full part whose last number is `last`; numbers go down to 1.
pub(crate) fn below(list: &str, full: bool, last: Option<u64>) -> Option<String> {
    last.filter(|last| full && *last > 1).map(|last| cursor(list, last))
}

/// Incidents, open and closed.
#[utoipa::path(
    get, path = "/v1/incidents", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Open and closed ones", body = schema::List<schema::IncidentSummary>), document::Listing)
)]
pub(crate) async fn incidents(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let Part { limit, after } = Part::parse("incidents", &uri)?;
    let list = ask::list(&app, RecordQuery::Incidents { below: after, limit }).await?;
    let RecordList::Incidents(found) = list else { return Err(Failure::no_answer()) };
    let next = below("incidents", found.len() >= limit, found.last().map(|incident| incident.id.0));
    let seen = found.iter().filter(|incident| sight.sees(incident));
    Ok(items(&seen.map(shape::incident_summary).collect::<Vec<_>>(), next))
}

/// Alerts, firing and resolved.
#[utoipa::path(
    get, path = "/v1/alerts", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Firing and resolved ones", body = schema::List<schema::AlertSummary>), document::Listing)
)]
pub(crate) async fn alerts(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    let hidden = Sight::of(&app, &headers).await?.unknown(&app).await?;
    let Part { limit, after } = Part::parse("alerts", &uri)?;
    let list = ask::list(&app, RecordQuery::Alerts { below: after, limit }).await?;
    let RecordList::Alerts(found) = list else { return Err(Failure::no_answer()) };
    let next = below("alerts", found.len() >= limit, found.last().map(|alert| alert.id.0));
    let shown = found.iter().map(|alert| hidden.out_of(shape::alert_summary(alert)));
    Ok(items(&shown.collect::<Vec<_>>(), next))
}

/// One incident, with its roles, pages and timeline.
#[utoipa::path(
    get, path = "/v1/incidents/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "INC-1")),
    responses((status = 200, description = "The whole record", body = schema::Incident), document::Reading)
)]
pub(crate) async fn incident(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let id: IncidentId = id.parse().map_err(|_| no_id(&id, "INC-1"))?;
    let found = one_incident(&app, id).await?.ok_or_else(|| none(id))?;
    sight.admitted(&found)?;
    let mut hidden = sight.unknown(&app).await?;
    // Who is admitted to one that is closed, its record knows.
    hidden.but(id);
    Ok(shape::json(StatusCode::OK, &hidden.out_of(shape::incident(&found))))
}

/// One alert.
#[utoipa::path(
    get, path = "/v1/alerts/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "ALR-1")),
    responses((status = 200, description = "The whole record", body = schema::Alert), document::Reading)
)]
pub(crate) async fn alert(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let hidden = Sight::of(&app, &headers).await?.unknown(&app).await?;
    let id: AlertId = id.parse().map_err(|_| no_id(&id, "ALR-1"))?;
    match ask::list(&app, RecordQuery::Alert(id)).await? {
        RecordList::Alerts(found) => {
            let found = found.first().ok_or_else(|| none(id))?;
            Ok(shape::json(StatusCode::OK, &hidden.out_of(shape::alert(found))))
        }
        _ => Err(Failure::no_answer()),
    }
}

/// Silences in force, and those that ended within a week, newest first.
#[utoipa::path(
    get, path = "/v1/silences", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Silences", body = schema::List<schema::Silence>), document::Listing)
)]
pub(crate) async fn silences(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let Part { limit, after } = Part::<u64>::parse("silences", &uri)?;
    let (found, last) = ask::look(&app, move |view| {
        let mut rest = view.state.silences.range(..SilenceId(after.unwrap_or(u64::MAX))).rev();
        let found: Vec<_> = rest.by_ref().take(limit).map(|(_, silence)| shape::silence(view.state, silence)).collect();
        let last = view.state.silences.range(..SilenceId(after.unwrap_or(u64::MAX))).rev().take(limit).last();
        (found, last.map(|(id, _)| id.0).filter(|_| rest.next().is_some()))
    })
    .await?;
    Ok(items(&found, last.map(|last| cursor("silences", last))))
}

/// One silence by its id, `SIL-1`.
#[utoipa::path(
    get, path = "/v1/silences/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "SIL-1")),
    responses((status = 200, description = "The silence", body = schema::Silence), document::Reading)
)]
pub(crate) async fn silence(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let id: SilenceId = id.parse().map_err(|_| no_id(&id, "SIL-1"))?;
    let found = ask::look(&app, move |view| view.state.silences.get(&id).map(|it| shape::silence(view.state, it)));
    let found = found.await?.ok_or_else(|| none(id))?;
    Ok(shape::json(StatusCode::OK, &found))
}

pub(crate) async fn one_incident(app: &App, id: IncidentId) -> Result<Option<Incident>, Failure> {
    match ask::list(app, RecordQuery::Incident(id)).await? {
        RecordList::Incidents(mut found) => Ok(found.pop()),
        _ => Err(Failure::no_answer()),
    }
}

pub(crate) fn no_id(text: &str, like: &str) -> Failure {
    let text: String = text.chars().take(60).collect();
    Failure::not_found(format!("`{text}` is not an id; ids here are like {like}"))
}

pub(crate) fn none(id: impl std::fmt::Display) -> Failure {
    Failure::not_found(format!("there is no {id}"))
}

/// Pages of incidents that are not closed, by incident and number, newest first.
#[utoipa::path(
    get, path = "/v1/pages", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Pages of incidents that are not closed", body = schema::List<schema::PageSummary>), document::Listing)
)]
pub(crate) async fn pages(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let Part { limit, after } = Part::<PageId>::parse("pages", &uri)?;
    let (found, last) = ask::look(&app, move |view| {
        let to = after.map_or(Bound::Unbounded, |page| Bound::Included(page.incident));
        let incidents = view.state.incidents.range((Bound::Unbounded, to)).rev();
        let incidents = incidents.filter(|(_, incident)| sight.sees(incident));
        let pages = incidents.flat_map(|(id, incident)| incident.pages.iter().rev().map(|page| (*id, page)));
        let mut last = None;
        let mut rest = pages.filter(|(id, page)| after.is_none_or(|after| PageId { incident: *id, n: page.n } < after));
        let found: Vec<_> = rest
            .by_ref()
            .take(limit)
            .map(|(id, page)| {
                last = Some(PageId { incident: id, n: page.n });
                shape::page_summary(id, page)
            })
            .collect();
        let more = rest.next().is_some();
        (found, last.filter(|_| more))
    })
    .await?;
    Ok(items(&found, last.map(|last| cursor("pages", last))))
}

/// One page, of a closed incident too.
#[utoipa::path(
    get, path = "/v1/pages/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "INC-1.p1")),
    responses((status = 200, description = "With every attempt", body = schema::Page), document::Reading)
)]
pub(crate) async fn page(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let id: PageId = id.parse().map_err(|_| no_id(&id, "INC-1.p1"))?;
    let incident = one_incident(&app, id.incident).await?.ok_or_else(|| none(id))?;
    sight.admitted(&incident)?;
    let page = incident.pages.iter().find(|page| page.n == id.n).ok_or_else(|| none(id))?;
    Ok(shape::json(StatusCode::OK, &shape::page(&incident, page)))
}

/// Services, by name.
#[utoipa::path(
    get, path = "/v1/services", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "As configured", body = schema::List<schema::Service>), document::Listing)
)]
pub(crate) async fn services(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let Part { limit, after } = Part::<String>::parse("services", &uri)?;
    let org = ask::look(&app, |view| view.org.clone()).await?;
    let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = org.services.range::<str, _>((from, Bound::Unbounded));
    let found: Vec<_> = rest.by_ref().take(limit).map(|(id, service)| (id, shape::service(service))).collect();
    let next = found.last().filter(|_| rest.next().is_some()).map(|(id, _)| cursor("services", id));
    Ok(items(&found.into_iter().map(|(_, service)| service).collect::<Vec<_>>(), next))
}

/// One service.
#[utoipa::path(
    get, path = "/v1/services/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "payments-api")),
    responses((status = 200, description = "As configured", body = schema::Service), document::Reading)
)]
pub(crate) async fn service(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let org = ask::look(&app, |view| view.org.clone()).await?;
    match org.services.get(id.as_str()) {
        Some(service) => Ok(shape::json(StatusCode::OK, &shape::service(service))),
        None => {
            let id: String = id.chars().take(60).collect();
            let known = org.services.keys().map(|service| service.as_str());
            Err(Failure::not_found(format!("there is no service `{id}`")).meant(&id, known))
        }
    }
}

/// Who is on call now; one object per schedule, all at once.
#[utoipa::path(
    get, path = "/v1/oncall", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "All schedules at once; `next` is null", body = schema::List<schema::Duty>), document::Listing)
)]
pub(crate) async fn oncall(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    Part::<u64>::parse("oncall", &uri)?;
    let (org, now) = ask::look(&app, |view| (view.org.clone(), view.now)).await?;
    match (app.http.oncall)(&org, now) {
        Value::Array(found) => Ok(items(&found, None)),
        other => Ok(items(&[other], None)),
    }
}

/// Commits, oldest first, as they stand in the journal. For whoever is no administrator, a commit about a private
/// incident is only its number.
#[utoipa::path(
    get, path = "/v1/journal", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Commits, oldest first", body = schema::List<schema::JournalLine>), document::Listing)
)]
pub(crate) async fn journal(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let Part { limit, after } = Part::<u64>::parse("journal", &uri)?;
    let (durable, hidden) = ask::look(&app, move |view| (view.durable.0, sight.hidden(view.state))).await?;
    let lines = app.http.journal.clone();
    let read = tokio::task::spawn_blocking(move || lines(after.unwrap_or(0), limit)).await;
    let mut lines = match read {
        Ok(Ok(lines)) => lines,
        Ok(Err(reason)) => {
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "journal-unavailable", reason).retry_after(5));
        }
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return Err(Failure::no_answer()),
        },
    };
    // A line may be in the file before it is synced; what was looked at is what may be told.
    lines.retain(|(seq, _)| *seq <= durable);
    lines.truncate(limit);
    let next = lines.last().filter(|(seq, _)| *seq < durable).map(|(seq, _)| cursor("journal", seq));
    let mut body = Vec::with_capacity(lines.iter().map(|(_, line)| line.len() + 1).sum::<usize>() + 64);
    body.extend_from_slice(b"{\"items\":[");
    for (n, (seq, line)) in lines.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        if hidden.in_line(line) {
            body.extend_from_slice(format!("{{\"seq\":{seq},\"private\":true}}").as_bytes());
        } else {
            body.extend_from_slice(line.trim_ascii().as_bytes());
        }
    }
    body.extend_from_slice(b"],\"next\":");
    body.extend_from_slice(serde_json::to_string(&next).unwrap_or_default().as_bytes());
    body.push(b'}');
    Ok(shape::json_bytes(StatusCode::OK, body))
}

/// The last durable commit; a backup ends there.
#[utoipa::path(
    get, path = "/v1/journal/head", tag = "records", security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "The last durable commit: install, number and hash", body = schema::Head), document::Listing)
)]
pub(crate) async fn journal_head(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let see = |view: &View<'_>| (view.state.meta.install.clone(), view.durable.0, view.durable.1.to_owned());
    let (install, seq, hash) = ask::look(&app, see).await?;
    Ok(shape::json(StatusCode::OK, &json!({"install": install, "seq": seq, "hash": hash})))
}
