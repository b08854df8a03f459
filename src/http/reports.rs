//! `GET /v1/reports/dora`: the measures of DORA as JSON, as CSV with a line for each team and service, or as a picture.
//! What they are is counted in the domain.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use super::auth::{Caller, caller};
use super::error::Failure;
use super::read::Answer;
use super::{App, ask, document, query, schema, shape};
use crate::domain::desk::View;
use crate::domain::org::Org;
use crate::domain::report::dora::{Asked, DAYS, DAYS_MAX, DEFINITIONS, Dora, Measures, Series, report};
use crate::picture::dora as picture;

/// What is asked, and how it is answered.
struct Wanted {
    asked: Asked,
    format: Format,
}

/// The same, for `/openapi.json`.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes what `Wanted::parse` reads")]
pub(crate) struct Query {
    /// Only this team's.
    team: Option<String>,
    /// Only this service's.
    service: Option<String>,
    /// Over how many days until now.
    #[param(minimum = 1, maximum = 366, default = 30)]
    days: Option<u16>,
    /// How it is answered.
    #[param(inline)]
    format: Option<Format>,
}

/// How a report is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
pub(crate) enum Format {
    #[schema(rename = "json")]
    Json,
    #[schema(rename = "csv")]
    Csv,
    #[schema(rename = "png")]
    Png,
}

impl Wanted {
    fn parse(uri: &Uri) -> Result<Self, Failure> {
        let mut wanted = Self { asked: Asked { days: DAYS, ..Asked::default() }, format: Format::Json };
        for (name, value) in query::pairs(uri)? {
            match name.as_str() {
                "team" => wanted.asked.team = Some(value.as_str().into()),
                "service" => wanted.asked.service = Some(value.as_str().into()),
                "days" => match value.parse() {
                    Ok(days @ 1..=DAYS_MAX) => wanted.asked.days = days,
                    _ => return Err(Failure::bad("days", format!("days is a number from 1 to {DAYS_MAX}"))),
                },
                "format" => {
                    wanted.format = match value.as_str() {
                        "json" => Format::Json,
                        "csv" => Format::Csv,
                        "png" => Format::Png,
                        _ => return Err(Failure::bad("format", "format is json, csv or png")),
                    }
                }
                _ => return Err(query::unknown(&name, ["team", "service", "days", "format"])),
            }
        }
        Ok(wanted)
    }

    /// A name that the organisation does not have.
    fn strange(&self, org: &Org) -> Option<Failure> {
        let shown = |name: &str| name.chars().take(60).collect::<String>();
        if let Some(team) = self.asked.team.as_ref().filter(|team| !org.teams.contains_key(*team)) {
            let known = org.teams.keys().map(|id| id.as_str());
            let failure = Failure::not_found(format!("there is no team `{}`", shown(team.as_str())));
            return Some(failure.meant(team.as_str(), known));
        }
        let service = self.asked.service.as_ref().filter(|service| !org.services.contains_key(*service))?;
        let known = org.services.keys().map(|id| id.as_str());
        let failure = Failure::not_found(format!("there is no service `{}`", shown(service.as_str())));
        Some(failure.meant(service.as_str(), known))
    }
}

/// How often, how fast and how safely is deployed, and how fast service is restored. Days are those of the asker's zone.
#[utoipa::path(
    get, path = "/v1/reports/dora", tag = "records", params(Query), security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "The measures; with `format=csv` a line for each team and service, with `format=png` a plot over time", content(
        (schema::Dora = "application/json"), (String = "text/csv"), (String = "image/png"))), document::Reading)
)]
pub(crate) async fn dora(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Answer {
    let person = match caller(&app, &headers).await? {
        Caller::Person(person) => Some(person),
        Caller::Administrator => None,
    };
    let wanted = Wanted::parse(&uri)?;
    let (format, asked) = (wanted.format, wanted.asked.clone());
    let count = move |view: &View<'_>| match wanted.strange(view.org) {
        Some(failure) => Err(failure),
        None => Ok(report(view.state, view.org, &wanted.asked, view.org.zone(person.as_ref()), view.now)),
    };
    let found = ask::look(&app, count).await??;
    let (kind, body) = match format {
        Format::Json => return Ok(shape::json(StatusCode::OK, &whole(&found))),
        Format::Csv => ("text/csv; charset=utf-8", table(&found).into_bytes()),
        Format::Png => {
            // Some milliseconds of work, beside those who wait for the engine.
            let drawn = tokio::task::spawn_blocking(move || picture::draw(&found, &asked)).await;
            ("image/png", drawn.ok().and_then(Result::ok).ok_or_else(Failure::no_answer)?)
        }
    };
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

fn part(of: usize, all: usize) -> Option<f64> {
    let (of, all) = (u32::try_from(of).ok()?, u32::try_from(all).ok().filter(|all| *all > 0)?);
    // Four places are more than the counts can say.
    Some((f64::from(of) / f64::from(all) * 10_000.0).round() / 10_000.0)
}

fn weekly(it: &Measures, days: u16) -> Option<f64> {
    Some(f64::from(u32::try_from(it.weekly_tenths(days)).ok()?) / 10.0)
}

fn row(it: &Measures, days: u16) -> Value {
    json!({
        "deployments": it.arrived,
        "deployments_per_week": weekly(it, days),
        "days_with_deployments": it.days,
        "deployments_ended": it.ended,
        "deployments_failed": it.failed,
        "deployments_unapproved": it.unapproved,
        "change_failure_rate": part(it.failed, it.ended),
        "lead_time_seconds": it.lead.map(|span| span.0 / 1000),
        "lead_time_known": it.lead_known,
        "lead_time_unknown": it.arrived.saturating_sub(it.lead_known),
        "incidents": it.incidents,
        "incidents_by_change": it.by_change,
        "time_to_restore_seconds": it.restore.map(|span| span.0 / 1000),
        "time_to_restore_known": it.restore_known,
    })
}

fn whole(found: &Dora) -> Value {
    let rows = |(id, it): (String, &Measures)| (id, row(it, found.days));
    let teams: BTreeMap<String, Value> = found.teams.iter().map(|(id, it)| rows((id.to_string(), it))).collect();
    let services: BTreeMap<String, Value> = found.services.iter().map(|(id, it)| rows((id.to_string(), it))).collect();
    json!({
        "from": found.from,
        "until": found.until,
        "days": found.days,
        "complete_from": found.complete_from,
        "definitions": BTreeMap::from(DEFINITIONS),
        "total": row(&found.total, found.days),
        "teams": teams,
        "services": services,
        "weeks": found.weeks,
        "series": series(&found.series),
    })
}

fn series(series: &Series) -> Value {
    let pieces = series.pieces.iter().map(|it| {
        let mut cells = row(&it.measures, 7);
        let place = json!({ "begins": it.begins, "from": it.from, "until": it.until, "complete": it.complete });
        if let (Value::Object(cells), Value::Object(place)) = (&mut cells, place) {
            // Both are of the whole report.
            cells.retain(|name, _| !matches!(name.as_str(), "deployments_per_week" | "days_with_deployments"));
            cells.extend(place);
        }
        cells
    });
    json!({ "by": series.grain.as_str(), "zone": series.zone.name(), "pieces": pieces.collect::<Vec<_>>() })
}

/// The columns of the table, in order: those of a row in JSON.
const COLUMNS: [&str; 14] = [
    "deployments",
    "deployments_per_week",
    "days_with_deployments",
    "deployments_ended",
    "deployments_failed",
    "deployments_unapproved",
    "change_failure_rate",
    "lead_time_seconds",
    "lead_time_known",
    "lead_time_unknown",
    "incidents",
    "incidents_by_change",
    "time_to_restore_seconds",
    "time_to_restore_known",
];

/// RFC 4180; what is unknown is empty. Names are ids of the configuration, which need no quotes.
fn table(found: &Dora) -> String {
    let mut text = format!("kind,name,from,until,{}\r\n", COLUMNS.join(","));
    let mut line = |kind: &str, name: &str, it: &Measures| {
        let _ = write!(text, "{kind},{name},{},{}", found.from, found.until);
        let cells = row(it, found.days);
        for column in COLUMNS {
            match &cells[column] {
                Value::Null => text.push(','),
                value => {
                    let _ = write!(text, ",{value}");
                }
            }
        }
        text.push_str("\r\n");
    };
    line("total", "", &found.total);
    found.teams.iter().for_each(|(id, it)| line("team", id.as_str(), it));
    found.services.iter().for_each(|(id, it)| line("service", id.as_str(), it));
    text
}
