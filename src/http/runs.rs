//! `GET /v1/runs…`: playbooks that are run, and the last ones that are over. A run for a private incident is shown to its
//! people and to whoever began it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};

use super::error::Failure;
use super::paged::{self, Part, cursor};
use super::read::{Answer, items, no_id, none};
use super::sight::Sight;
use super::{App, ask, document, schema, shape};
use crate::domain::id::RunId;
use crate::domain::playbook::{Doing, Run};
use crate::domain::reject::{Reject, RejectCode};

/// A run in a list.
fn summary(run: &Run) -> Value {
    let step = run.step().filter(|_| run.ended.is_none());
    json!({
        "id": run.id,
        "playbook": run.playbook.id,
        "kind": run.playbook.kind,
        "service": run.service,
        "team": run.team,
        "change": run.change,
        "incident": run.incident,
        "remedy": run.remedy,
        "state": run.word(),
        "part": run.part,
        "step": step.map(|step| &step.id),
        "started_by": run.by.to_string(),
        "started_at": run.started_at,
        "ended_at": run.ended.as_ref().map(|ended| ended.at),
        "reason": run.ended.as_ref().and_then(|ended| ended.reason.as_ref()),
    })
}

fn whole(run: &Run) -> Value {
    let until = match &run.doing {
        Doing::Waiting { until }
        | Doing::Asking { until, .. }
        | Doing::Hearing { until, .. }
        | Doing::Owed { until, .. } => Some(*until),
        _ => None,
    };
    let question = match &run.doing {
        Doing::Asking { question, .. } => Some(question),
        _ => None,
    };
    let steps = run.done.iter().map(|done| {
        json!({
            "part": done.part,
            "step": done.step,
            "at": done.at,
            "by": done.by.to_string(),
            "attempts": done.attempts,
            "failure": done.failure,
            "output": done.output,
        })
    });
    let steps: Vec<Value> = steps.collect();
    let more = json!({"values": run.values, "until": until, "question": question, "steps": steps});
    let mut whole = summary(run);
    if let (Value::Object(whole), Value::Object(more)) = (&mut whole, more) {
        whole.extend(more);
    }
    whole
}

/// Runs that go on, and the last ones that are over, newest first.
#[utoipa::path(
    get, path = "/v1/runs", tag = "records", params(paged::Asked), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Going on, and the last ones that are over", body = schema::List<schema::RunSummary>), document::Listing)
)]
pub(crate) async fn runs(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let Part { limit, after } = Part::<u64>::parse("runs", &uri)?;
    let (found, last) = ask::look(&app, move |view| {
        let mut rest = view.state.runs.range(..RunId(after.unwrap_or(u64::MAX))).rev();
        let part: Vec<&Run> = rest.by_ref().take(limit).map(|(_, run)| &**run).collect();
        let last = part.last().map(|run| run.id.0).filter(|_| rest.next().is_some());
        let seen: Vec<Value> = part.into_iter().filter(|run| sight.sees_run(view.state, run)).map(summary).collect();
        (seen, last)
    })
    .await?;
    Ok(items(&found, last.map(|last| cursor("runs", last))))
}

/// One run, with what each step answered.
#[utoipa::path(
    get, path = "/v1/runs/{id}", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "RUN-1")),
    responses((status = 200, description = "The whole record", body = schema::Run), document::Reading)
)]
pub(crate) async fn run(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let sight = Sight::of(&app, &headers).await?;
    let id: RunId = id.parse().map_err(|_| no_id(&id, "RUN-1"))?;
    let found = ask::look(&app, move |view| {
        view.state.runs.get(&id).map(|run| sight.sees_run(view.state, run).then(|| whole(run)))
    })
    .await?;
    match found {
        Some(Some(run)) => Ok(shape::json(StatusCode::OK, &run)),
        Some(None) => Err(Failure::refused(
            StatusCode::FORBIDDEN,
            Reject::new(RejectCode::NotAllowed, format!("{id} is for a private incident."))
                .hint("Ask one of its people to invite you: /incident invite"),
        )),
        None => Err(none(id)),
    }
}
