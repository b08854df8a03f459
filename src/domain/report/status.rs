//! `/status`: one screen: what is open, who is paged, who is on call, and whether Opsbell itself is well.

use std::fmt::Write as _;

use crate::domain::actor::Actor;
use crate::domain::alert;
use crate::domain::change;
use crate::domain::incident::{Incident, IncidentState, show};
use crate::domain::oncall;
use crate::domain::org::Org;
use crate::domain::paging::audit;
use crate::domain::playbook;
use crate::domain::request;
use crate::domain::silence;
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
    if let Some(line) = silence::show::status(state, now) {
        let _ = writeln!(text, "{line}");
    }
    if let Some(line) = state.meta.authority.status(org) {
        let _ = writeln!(text, "Models: {line}");
    }
    if let Some(line) = change::show::status(state, now) {
        let _ = writeln!(text, "Changes: {line}. See /change list");
    }
    if let Some(line) = request::show::status(state, None, now) {
        let _ = writeln!(text, "Requests: {line}. See /request list");
    }
    if let Some(line) = playbook::show::status(state, org, asker) {
        let _ = writeln!(text, "Playbooks: {line}. See /runbook list");
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
    match state.waiting_for(org, asker).count() {
        0 => {}
        1 => text.push_str("1 postmortem waits to be published: /postmortem list\n"),
        n => {
            let _ = writeln!(text, "{n} postmortems wait to be published: /postmortem list");
        }
    }
    let late = audit::overdue(state, now, 3);
    let (retried, first) = audit::retried(state, 2);
    if retried > 0 {
        let verb = if retried == 1 { "message has not got through yet" } else { "messages have not got through yet" };
        let more =
            if retried > first.len() { format!("; … and {} more", retried - first.len()) } else { String::new() };
        let _ = writeln!(text, "TROUBLE: {retried} {verb}: {}{more}", first.join("; "));
    }
    if late.is_empty() {
        text.push_str(&match (state.owed_count(), retried) {
            (0, _) => "Nothing waits to be sent, nothing is overdue.".to_owned(),
            (1, 1) => "It is tried again; nothing is overdue.".to_owned(),
            (owed, retried) if owed == retried => "They are tried again; nothing is overdue.".to_owned(),
            (1, _) => "1 message waits to be sent, nothing is overdue.".to_owned(),
            (n, _) => format!("{n} messages wait to be sent, nothing is overdue."),
        });
    } else {
        let _ = write!(text, "OVERDUE: {}", late.join("; "));
    }
    text
}
