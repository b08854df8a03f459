//! How services read in a reply: `/service show`, `impact` and `status`. Private incidents stand there only for whoever
//! may see them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::tree::{Graph, Way};
use crate::domain::counted::counted;
use crate::domain::draft::Draft;
use crate::domain::id::ServiceId;
use crate::domain::incident::{Incident, show as incidents};
use crate::domain::input::Reply;
use crate::domain::oncall;
use crate::domain::org::{Org, Target};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Timestamp;

/// More lines than this of one kind are counted, not shown.
const LINES_MAX: usize = 10;

/// Open incidents that the asker may see, by service, the worst first.
fn open<'s>(draft: &Draft<'s>) -> BTreeMap<&'s ServiceId, Vec<&'s Incident>> {
    let mut by_service: BTreeMap<&ServiceId, Vec<&Incident>> = BTreeMap::new();
    for incident in draft.state.open_for(draft.org, draft.actor()) {
        by_service.entry(&incident.service).or_default().push(incident);
    }
    for list in by_service.values_mut() {
        list.sort_by_key(|incident| (incident.severity, incident.id));
    }
    by_service
}

fn known<'o>(org: &'o Org, id: &ServiceId) -> Result<&'o crate::domain::org::Service, Reject> {
    org.services.get(id).ok_or_else(|| {
        Reject::new(RejectCode::NotFound, format!("There is no service {id}.")).hint("All of them: /service status")
    })
}

/// `/service show`.
pub fn show(draft: &Draft<'_>, id: &ServiceId) -> Result<Reply, Reject> {
    let service = known(draft.org, id)?;
    let open = open(draft);
    let graph = Graph::new(draft.org);
    let mut text = format!("{id} · team {}\n", service.team);
    let _ = writeln!(text, "on call: {}", on_call(draft.org, id, draft.now));
    if let Some(runbook) = &service.runbook {
        let _ = writeln!(text, "runbook: {runbook}");
    }
    for (what, way) in [("needs", Way::Needs), ("needed by", Way::NeededBy)] {
        let names: Vec<&str> = graph.next(id, way).into_iter().map(ServiceId::as_str).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        let _ = writeln!(text, "{what}: {names}");
    }
    let own = open.get(id).map(Vec::as_slice).unwrap_or_default();
    list(&mut text, own);
    let _ = write!(
        text,
        "{}What it stands on, and what on it: /service impact {id}",
        if own.is_empty() { "No open incidents.\n" } else { "" }
    );
    Ok(about(Reply::done(text), own))
}

/// `/service impact`.
pub fn impact(draft: &Draft<'_>, id: &ServiceId) -> Result<Reply, Reject> {
    known(draft.org, id)?;
    let open = open(draft);
    let graph = Graph::new(draft.org);
    let mark =
        |service: &ServiceId| match open.get(service).and_then(|list| list.first().map(|worst| (worst, list.len()))) {
            Some((worst, 1)) => format!(" ⚠ {} {}", worst.id, worst.severity),
            Some((worst, n)) => format!(" ⚠ {} {} and {} more", worst.id, worst.severity, n - 1),
            None => String::new(),
        };
    let mut text = String::new();
    for (what, none, way) in [
        ("stands on", "needs no other service.", Way::Needs),
        ("carries", "is needed by no other service.", Way::NeededBy),
    ] {
        let all = graph.all(id, way);
        if all.is_empty() {
            let _ = writeln!(text, "{id} {none}");
            continue;
        }
        let broken = all.iter().filter(|service| open.contains_key(**service)).count();
        let broken = match broken {
            0 => "none with an open incident".to_owned(),
            n => format!("{n} with open incidents"),
        };
        let s = if all.len() == 1 { "" } else { "s" };
        let _ = writeln!(text, "{id}{} {what} {} service{s}, {broken}:", mark(id), all.len());
        text.push_str(&graph.tree(id, way, &mark));
    }
    let teams = teams_above(draft.org, &graph, id);
    if !teams.is_empty() {
        let _ = writeln!(text, "Teams to tell when it breaks: {}", teams.join(", "));
    }
    let _ = write!(text, "Who is on call: /service show {id}");
    Ok(Reply::done(text))
}

/// The teams of what needs a service, without its own.
fn teams_above<'o>(org: &'o Org, graph: &Graph<'o>, id: &ServiceId) -> Vec<&'o str> {
    let own = org.services.get(id).map(|service| &service.team);
    let mut teams: Vec<&str> = graph
        .all(id, Way::NeededBy)
        .into_iter()
        .filter_map(|service| org.services.get(service))
        .filter(|service| Some(&service.team) != own)
        .map(|service| service.team.as_str())
        .collect();
    teams.sort_unstable();
    teams.dedup();
    teams
}

/// `/service status`: one service, or all that do not work.
pub fn status(draft: &Draft<'_>, id: Option<&ServiceId>) -> Result<Reply, Reject> {
    let open = open(draft);
    let graph = Graph::new(draft.org);
    let Some(id) = id else {
        let mut text = String::new();
        let broken: Vec<(&ServiceId, &Vec<&Incident>)> = open.iter().map(|(service, list)| (*service, list)).collect();
        let well = draft.org.services.keys().filter(|service| !open.contains_key(*service)).count();
        for (service, list) in broken.iter().take(LINES_MAX) {
            let worst: Vec<String> =
                list.iter().take(3).map(|it| format!("{} {} {}", it.id, it.severity, it.state)).collect();
            let more = if list.len() > 3 { format!(" and {} more", list.len() - 3) } else { String::new() };
            let above = graph.all(service, Way::NeededBy).len();
            let above = if above > 0 { format!(" · {above} stand on it") } else { String::new() };
            let _ = writeln!(text, "⚠ {service}: {}{more}{above}", worst.join(", "));
        }
        if broken.len() > LINES_MAX {
            let _ = writeln!(text, "… and {} more services with open incidents", broken.len() - LINES_MAX);
        }
        let _ = match (broken.len(), well) {
            (0, 1) => write!(text, "The only service works: no open incidents."),
            (0, n) => write!(text, "All {n} services work: no open incidents."),
            (_, n) => {
                write!(text, "{} without open incidents.\nOne of them: /service status NAME", counted(n, "other"))
            }
        };
        return Ok(Reply::done(text));
    };
    known(draft.org, id)?;
    let own = open.get(id).map(Vec::as_slice).unwrap_or_default();
    let mut text =
        if own.is_empty() { format!("{id}: no open incidents.\n") } else { format!("⚠ {id}: {} open.\n", own.len()) };
    list(&mut text, own);
    let below = graph.all(id, Way::Needs);
    let below: Vec<&Incident> = below.into_iter().filter_map(|service| open.get(service)).flatten().copied().collect();
    if !below.is_empty() {
        let _ = writeln!(text, "It stands on what does not work:");
        list(&mut text, &below);
    }
    let _ = writeln!(text, "on call: {}", on_call(draft.org, id, draft.now));
    let _ = write!(text, "More: /service show {id}");
    Ok(about(Reply::done(text), own))
}

fn list(text: &mut String, incidents: &[&Incident]) {
    for incident in incidents.iter().take(LINES_MAX) {
        let _ = writeln!(text, "{}", incidents::line(incident));
    }
    if incidents.len() > LINES_MAX {
        let _ = writeln!(text, "… and {} more: /incident list", incidents.len() - LINES_MAX);
    }
}

fn about(reply: Reply, own: &[&Incident]) -> Reply {
    own.iter().take(LINES_MAX).fold(reply, |reply, incident| reply.about(incident.id))
}

/// Who would be paged first for a service now.
fn on_call(org: &Org, id: &ServiceId, now: Timestamp) -> String {
    let team = org.services.get(id).and_then(|service| org.teams.get(&service.team));
    let Some(policy) = team.and_then(|team| org.policies.get(&team.escalation)) else { return "nobody".to_owned() };
    let mut names: Vec<String> = Vec::new();
    for target in policy.steps.first().map(|step| step.page.as_slice()).unwrap_or_default() {
        match target {
            Target::Person(person) => names.push(person.to_string()),
            Target::Schedule(schedule) => {
                for shift in org.schedules.get(schedule).map(|known| oncall::holders(known, now)).unwrap_or_default() {
                    names.push(shift.map_or("nobody".to_owned(), |shift| {
                        format!("{} until <t:{}:f>", shift.person, shift.until.unix_secs())
                    }));
                }
            }
            Target::Channel(_) | Target::Webhook(_) => {}
        }
    }
    names.dedup();
    if names.is_empty() { "nobody by name".to_owned() } else { names.join(", ") }
}
