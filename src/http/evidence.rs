//! `GET /v1/changes/{id}/evidence`: everything of a change that an auditor asks for: its record and every line of the
//! journal that is about it, byte for byte. Who took it stands in the journal. What is made of it is the client's.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::auth::{Caller, caller};
use super::changes::whole;
use super::error::{Failure, status_of};
use super::read::{Answer, no_id, none};
use super::sight::Hidden;
use super::{App, JournalLines, ask, document, query, say, schema, shape};
use crate::domain::actor::{Actor, By};
use crate::domain::desk::{RecordList, RecordQuery};
use crate::domain::id::{ChangeId, RequestId};
use crate::domain::input::{Input, InputKind};

/// The journal is read from where the change began: one at a time.
static READS: Semaphore = Semaphore::const_new(1);
/// Lines that are read at once.
const CHUNK: usize = 5_000;
/// Lines of one change; further ones are left out, and that is said.
const LINES_MAX: usize = 20_000;

/// For whom, where the administrator's token is shown.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(crate) struct Query {
    /// For whom it is taken, with the administrator's token.
    #[param(rename = "as")]
    person: Option<String>,
}

/// Everything of a change that an auditor asks for. Whoever takes it may respond, and stands in the journal.
#[utoipa::path(
    get, path = "/v1/changes/{id}/evidence", tag = "records", security(("person" = []), ("administrator" = [])),
    params(("id" = String, Path, description = "Its id", example = "CHG-1"), Query),
    responses((status = 200, description = "Its record, and every line of the journal about it", body = schema::Evidence), document::Taking)
)]
pub(crate) async fn evidence(
    State(app): State<Arc<App>>,
    Extension(request): Extension<RequestId>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let caller = caller(&app, &headers).await?;
    let mut named = None;
    for (name, value) in query::pairs(&uri)? {
        match name.as_str() {
            "as" => named = Some(value),
            _ => return Err(query::unknown(&name, ["as"])),
        }
    }
    let via = if caller == Caller::Administrator { "api-administrator" } else { "api" };
    let person = say::speaker(&app, caller, named).await?;
    let id: ChangeId = id.parse().map_err(|_| no_id(&id, "CHG-1"))?;
    let place = READS.try_acquire().map_err(|_| {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "somebody else's evidence is being read")
            .hint("try again in a few seconds")
            .retry_after(5)
    })?;
    let RecordList::Changes(found) = ask::list(&app, RecordQuery::Change(id)).await? else {
        return Err(Failure::no_answer());
    };
    let found = found.first().ok_or_else(|| none(id))?;
    // Nothing before that commit is about it.
    let (record, before) = (whole(found), found.seq.saturating_sub(1));
    let input = Input {
        idempotency: None,
        by: By {
            actor: Actor::Person(person.clone()),
            via: via.into(),
            request: Some(request),
            granted: None,
            factor: None,
        },
        kind: InputKind::Evidence(id),
        closed: Vec::new(),
    };
    ask::submit_one(&app, input).await?.reply.map_err(|reject| Failure::refused(status_of(reject.code), reject))?;
    let asks = person.clone();
    let (head, hidden, now) = ask::look(&app, move |view| {
        let head = json!({"install": view.state.meta.install, "seq": view.durable.0, "hash": view.durable.1});
        (head, Hidden::from(view.org, view.state, &asks), view.now)
    })
    .await?;
    let durable = head["seq"].as_u64().unwrap_or_default();
    let journal = app.http.journal.clone();
    // The place goes with the reading: whoever hangs up does not end it.
    let read = tokio::task::spawn_blocking(move || {
        let _place = place;
        about(&journal, id, (before, durable), &hidden)
    })
    .await;
    let (lines, cut) = match read {
        Ok(Ok(found)) => found,
        Ok(Err(reason)) => {
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, "journal-unavailable", reason).retry_after(5));
        }
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return Err(Failure::no_answer()),
        },
    };
    let told = json!({
        "change": record, "lines": lines, "truncated": cut, "head": head, "taken_at": now, "taken_by": person,
    });
    Ok(shape::json(StatusCode::OK, &told))
}

/// The lines of the journal after `after` and up to `durable` that are about a change, its runs, deployments and fence; and
/// whether there are more than are given. One that names a private incident is only its number.
fn about(
    journal: &JournalLines,
    id: ChangeId,
    (mut after, durable): (u64, u64),
    hidden: &Hidden,
) -> Result<(Vec<Value>, bool), String> {
    let mut names = BTreeSet::from([id.to_string()]);
    let mut found = Vec::new();
    while after < durable {
        let lines = journal(after, CHUNK)?;
        let Some((last, _)) = lines.last() else { break };
        after = *last;
        for (seq, line) in lines.iter().filter(|(seq, _)| *seq <= durable) {
            if !names.iter().any(|name| says(line, name)) {
                continue;
            }
            if found.len() >= LINES_MAX {
                return Ok((found, true));
            }
            learn(line, id, &mut names);
            let shown = !hidden.in_line(line);
            found.push(if shown { json!({"seq": seq, "line": line}) } else { json!({"seq": seq, "private": true}) });
        }
    }
    Ok((found, false))
}

/// Whether a line says an id, not the beginning of a longer one.
fn says(line: &str, id: &str) -> bool {
    line.match_indices(id).any(|(at, _)| {
        let behind = line[at + id.len()..].chars().next();
        let before = line[..at].chars().next_back();
        !behind.is_some_and(|c| c.is_ascii_digit()) && !before.is_some_and(char::is_alphanumeric)
    })
}

/// The runs, deployments and silences that a line ties to the change: later lines name only those.
fn learn(line: &str, id: ChangeId, names: &mut BTreeSet<String>) {
    let Ok(commit) = serde_json::from_str::<Value>(line) else { return };
    let change = id.to_string();
    for event in commit["events"].as_array().into_iter().flatten() {
        if event["change"] == change.as_str() {
            let tied = ["run", "deployment", "silence"].iter().filter_map(|key| event[key].as_str());
            names.extend(tied.map(str::to_owned));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_said_only_as_a_whole() {
        for line in [r#"{"change":"CHG-1"}"#, "CHG-1", "see CHG-1: done", r#""CHG-1.x""#] {
            assert!(says(line, "CHG-1"), "{line}");
        }
        for line in [r#"{"change":"CHG-12"}"#, "XCHG-1", "CHG-", ""] {
            assert!(!says(line, "CHG-1"), "{line}");
        }
    }

    #[test]
    fn what_a_change_is_tied_to_is_followed() {
        let lines = [
            r#"{"events":[{"type":"change.opened","change":"CHG-1"}]}"#,
            r#"{"events":[{"type":"playbook.moved","run":"RUN-4"}]}"#,
            r#"{"events":[{"type":"playbook.started","run":"RUN-4","change":"CHG-1"}]}"#,
            r#"{"events":[{"type":"playbook.moved","run":"RUN-4"}]}"#,
            r#"{"events":[{"type":"playbook.moved","run":"RUN-40"}]}"#,
            r#"{"events":[{"type":"incident.opened","incident":"INC-7","title":"CHG-1 again"}]}"#,
            r#"{"events":[{"type":"change.opened","change":"CHG-11"}]}"#,
        ];
        let journal: JournalLines = Arc::new(move |after, limit| {
            let all = (1..).zip(lines.iter().map(|line| (*line).to_owned()));
            Ok(all.filter(|(seq, _)| *seq > after).take(limit.min(2)).collect())
        });
        let hidden = Hidden::of([crate::domain::id::IncidentId(7)]);
        let (found, cut) = about(&journal, ChangeId(1), (0, 7), &hidden).expect("it is read");
        let seqs: Vec<u64> = found.iter().filter_map(|it| it["seq"].as_u64()).collect();
        assert_eq!((seqs, cut), (vec![1, 3, 4, 6], false));
        assert_eq!(found[3], json!({"seq": 6, "private": true}));
        assert_eq!(found[0]["line"], lines[0]);
        // Not beyond what was durable when it was asked.
        assert_eq!(about(&journal, ChangeId(1), (0, 1), &hidden).expect("it is read").0.len(), 1);
        // From where it began: what stands before is not read, and nothing of it is lost.
        let inner = journal.clone();
        let from_three: JournalLines = Arc::new(move |after, limit| {
            assert!(after >= 2, "read from {after}");
            inner(after, limit)
        });
        let (found, _) = about(&from_three, ChangeId(1), (2, 7), &hidden).expect("it is read");
        let seqs: Vec<u64> = found.iter().filter_map(|it| it["seq"].as_u64()).collect();
        assert_eq!(seqs, [3, 4, 6]);
    }
}
