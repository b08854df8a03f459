//! `/status`: one screen: what is open, who is paged, who is on call, and whether Opsbell itself is well.

use std::fmt::Write as _;

use crate::domain::actor::Actor;
use crate::domain::alert;
use crate::domain::incident::{Incident, IncidentState, show};
use crate::domain::oncall;
use crate::domain::org::Org;
use crate::domain::paging::audit;
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// Open incidents beyond this number are counted.
const LINES_MAX: usize = 10;

/// The state of things.
pub fn status(state: &State, org: &Org, asker: &Actor, now: Timestamp) -> String {
    let mut open: Vec<&Incident> = state.open_for(org, asker).collect();
    open.sort_by_key(|incident| (incident.severity, incident.id));
    let count = |wanted: IncidentState| open.iter().filter(|incident| incident.state == wanted).count();
    let mut text = if open.is_empty() {
        "All quiet: no open incidents.\n".to_owned()
    } else {
        format!(
            "{} open: {} triggered, {} acknowledged, {} mitigated. {}.\n",
            open.len(),
            count(IncidentState::Triggered),
            count(IncidentState::Acknowledged),
            count(IncidentState::Mitigated),
            alert::show::firing(state)
        )
    };
    for incident in open.iter().take(LINES_MAX) {
        let _ = writeln!(text, "{}", show::line(incident));
    }
    if open.len() > LINES_MAX {
        let _ = writeln!(text, "… and {} more: /incident list", open.len() - LINES_MAX);
    }
    let duty: Vec<String> = org
        .schedules
        .values()
        .map(|schedule| {
            let holders: Vec<String> = oncall::holders(schedule, now)
                .into_iter()
                .map(|shift| shift.map_or("nobody".to_owned(), |shift| shift.person.to_string()))
                .collect();
            format!("{} {}", schedule.id, holders.join(" + "))
        })
        .collect();
    if !duty.is_empty() {
        let _ = writeln!(text, "On call: {}", duty.join(" · "));
    }
    let late = audit::overdue(state, now, 3);
    if late.is_empty() {
        text.push_str(&match state.owed_count() {
            0 => "Nothing waits to be sent, nothing is overdue.".to_owned(),
            1 => "1 message waits to be sent, nothing is overdue.".to_owned(),
            n => format!("{n} messages wait to be sent, nothing is overdue."),
        });
    } else {
        let _ = write!(text, "OVERDUE: {}", late.join("; "));
    }
    text
}
