//! `GET /v1/reports/changes.csv`: every change that was asked for within some days, open or over, a line each.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use chrono::Days;

use crate::domain::change::{Approval, Change};
use crate::domain::desk::{RecordList, RecordQuery};
use crate::domain::time::{Timestamp, day as day_of, start_of_day};
use crate::http::auth::caller;
use crate::http::error::Failure;
use crate::http::read::Answer;
use crate::http::{App, ask, document, query};

/// Changes that are asked for at once.
const PART: usize = 200;
/// Lines of one report.
const LINES_MAX: usize = 20_000;

/// What is asked.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what is read")]
pub(crate) struct Query {
    /// The first day, in the zone of `[defaults]`.
    #[param(required = true, example = "2026-12-01")]
    from: Option<String>,
    /// The last day, included; today when left out.
    #[param(example = "2026-12-31")]
    to: Option<String>,
}

/// Every change that was asked for within some days, open or over, newest first.
#[utoipa::path(
    get, path = "/v1/reports/changes.csv", tag = "records", params(Query), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "A line for each change", body = String, content_type = "text/csv"), document::Listening)
)]
pub(crate) async fn changes_csv(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    caller(&app, &headers).await?;
    let (mut from, mut to) = (None, None);
    for (name, value) in query::pairs(&uri)? {
        let day = |name: &'static str| {
            let wrong = || Failure::bad(name, format!("{name} is a day, like 2026-12-31"));
            day_of(&value).ok_or_else(wrong)
        };
        match name.as_str() {
            "from" => from = Some(day("from")?),
            "to" => to = Some(day("to")?),
            _ => return Err(query::unknown(&name, ["from", "to"])),
        }
    }
    let from = from.ok_or_else(|| Failure::missing("from", "say from which day on").hint("?from=2026-12-01"))?;
    let (zone, now) = ask::look(&app, |view| (view.org.defaults.zone, view.now)).await?;
    let to = to.unwrap_or_else(|| now.local(zone).date());
    if from > to {
        return Err(Failure::bad("to", "to is before from"));
    }
    let begin = start_of_day(from, zone);
    let end = to.checked_add_days(Days::new(1)).map_or(now, |next| start_of_day(next, zone));
    let text = table(&app, begin, end).await?;
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    Ok(response)
}

async fn table(app: &App, begin: Timestamp, end: Timestamp) -> Result<String, Failure> {
    let mut text = COLUMNS.join(",") + "\r\n";
    let (mut below, mut lines) = (None, 0);
    loop {
        let RecordList::Changes(part) = ask::list(app, RecordQuery::Changes { below, limit: PART }).await? else {
            return Err(Failure::no_answer());
        };
        for change in part.iter().filter(|it| begin <= it.opened_at && it.opened_at < end) {
            lines += 1;
            if lines > LINES_MAX {
                return Err(Failure::bad("from", format!("more than {LINES_MAX} changes")).hint("ask for fewer days"));
            }
            line(&mut text, change);
        }
        // Numbers are given in the order of time.
        match part.last() {
            Some(oldest) if part.len() >= PART && oldest.opened_at >= begin => below = Some(oldest.id.0),
            _ => return Ok(text),
        }
    }
}

/// The columns, in order.
const COLUMNS: [&str; 22] = [
    "id",
    "class",
    "service",
    "environment",
    "version",
    "title",
    "state",
    "outcome",
    "risk",
    "requested_by",
    "requested_at",
    "implementer",
    "author",
    "approved_by",
    "planned_from",
    "planned_until",
    "started_at",
    "ended_at",
    "closed_at",
    "unapproved",
    "caused",
    "review",
];

fn line(text: &mut String, change: &Change) {
    let content = &change.content;
    let at = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let said = |said: Option<&str>| said.unwrap_or_default().to_owned();
    let approved: Vec<String> = change.standing().map(Approval::whose).collect();
    let caused: Vec<String> = change.caused.iter().map(ToString::to_string).collect();
    let window = change.window();
    let cells: [String; 22] = [
        change.id.to_string(),
        content.class.to_string(),
        content.service.to_string(),
        content.environment.to_string(),
        said(content.version.as_deref()),
        content.title.to_string(),
        change.state.to_string(),
        change.outcome.map(|it| it.to_string()).unwrap_or_default(),
        content.risk.to_string(),
        change.requester.to_string(),
        at(Some(change.opened_at)),
        said(content.implementer.as_ref().map(|it| it.as_str())),
        said(content.author.as_ref().map(|it| it.as_str())),
        approved.join("; "),
        at(window.map(|it| it.from)),
        at(window.map(|it| it.until)),
        at(change.started.as_ref().map(|it| it.at)),
        at(change.ended.as_ref().map(|it| it.at)),
        at(change.closed_at),
        said(change.unapproved.as_deref()),
        caused.join(" "),
        said(change.review.as_deref()),
    ];
    for (n, value) in cells.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{}", cell(value));
    }
    text.push_str("\r\n");
}

/// A value as a cell (RFC 4180). What a spreadsheet would take for a formula is made a text.
fn cell(value: &str) -> String {
    let guard = if value.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
    if guard.is_empty() && !value.contains([',', '"', '\r', '\n']) {
        return value.to_owned();
    }
    format!("\"{guard}{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::{Approval, cell};

    #[test]
    fn whose_an_approval_is_and_how_it_came() {
        let plain = Approval { person: "cleo".into(), ..Approval::default() };
        assert_eq!(plain.whose(), "cleo");
        let for_another = Approval { stands_for: Some("sanne".into()), factor: true, ..plain.clone() };
        assert_eq!(for_another.whose(), "cleo for sanne, with a code");
        let review = Approval { review: Some("ej/app#12".into()), ..plain };
        assert_eq!(review.whose(), "cleo, by reviewing ej/app#12");
    }

    #[test]
    fn a_cell_stays_one_and_calculates_nothing() {
        for (value, expected) in [
            ("", ""),
            ("Raise the pool", "Raise the pool"),
            ("a, b", "\"a, b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("@SUM(1)", "\"'@SUM(1)\""),
            ("-1", "\"'-1\""),
        ] {
            assert_eq!(cell(value), expected, "{value}");
        }
    }
}
