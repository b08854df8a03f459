//! How requests read in a reply: short, with the id and the next step.

use std::fmt::Write as _;

use super::life::fulfillers;
use super::{RequestState, ServiceRequest};
use crate::domain::change::rules::Group;
use crate::domain::id::{PersonId, TeamId};
use crate::domain::org::Org;
use crate::domain::playbook::drive::group;
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// More lines than this do not fit one message.
const LIST_MAX: usize = 20;
/// Lines of the history that are shown, the last ones.
const HISTORY_TOLD: usize = 15;

/// `team platform or cleo`.
pub(super) fn approvers(request: &ServiceRequest) -> String {
    let who: Vec<String> =
        request.approvers.iter().filter_map(|who| group(who)).map(|group| group.to_string()).collect();
    if who.is_empty() { "nobody".to_owned() } else { who.join(" or ") }
}

/// Whether there is anybody who may approve it.
pub(super) fn judged(org: &Org, request: &ServiceRequest) -> bool {
    let groups: Vec<Group> = request.approvers.iter().filter_map(|who| group(who)).collect();
    let may = |person: &PersonId| !request.is_for(person) && groups.iter().any(|who| org.belongs(person, who));
    org.people.keys().any(may)
}

/// What comes next.
pub(super) fn next(request: &ServiceRequest) -> String {
    let id = request.id;
    if let Some(asked) = request.asked_by.as_ref().filter(|_| request.state.waits()) {
        return format!(
            "{} waits for {}: /request fulfil {id}, or /request reject {id} WHY",
            asked.run,
            fulfillers(request)
        );
    }
    match (request.state, request.carrier()) {
        (RequestState::Submitted, _) if request.awaits_approval() => {
            format!("It needs the approval of {}: /request approve {id}", approvers(request))
        }
        (RequestState::Approved, _) if request.item.is_some() => {
            format!("Team {} takes it: /request take {id}; or lets it run again: /request retry {id}", request.team)
        }
        (RequestState::Submitted | RequestState::Approved, _) => {
            format!("Team {} takes it: /request take {id}", request.team)
        }
        (RequestState::InFulfilment, Some(run)) => format!("Follow it: /runbook show {run}"),
        (RequestState::InFulfilment, None) => format!("When it is done: /request fulfil {id} HOW"),
        (RequestState::Fulfilled, _) => format!("As it was wanted? /request close {id}"),
        (RequestState::Closed | RequestState::Rejected | RequestState::Cancelled, _) => {
            "Its record is complete.".to_owned()
        }
    }
}

/// `REQ-1 ledger: … · submitted · by noor · until <when>`.
fn line(request: &ServiceRequest, now: Timestamp) -> String {
    let whom = request.for_whom.as_ref().map(|person| format!(" for {person}")).unwrap_or_default();
    let due = request.due.map(|due| {
        let late = if request.overdue(now) { "OVERDUE since" } else { "until" };
        format!(" · {late} <t:{}:f>", due.unix_secs())
    });
    let due = due.filter(|_| request.state.waits()).unwrap_or_default();
    let needs = if request.awaits_approval() { ", needs approval" } else { "" };
    format!("{} · {}{needs} · by {}{whom}{due}", request.headline(), request.state, request.requester)
}

/// `/request list`: what waits for an approval or a person, then what is being done, then what is done.
pub fn list(state: &State, now: Timestamp) -> String {
    if state.requests.is_empty() {
        return "No open requests. To ask for something: /request new service:NAME \"…\" or item:NAME".to_owned();
    }
    let mut requests: Vec<&ServiceRequest> = state.requests.values().map(|request| &**request).collect();
    requests.sort_by_key(|it| (it.state, it.due.is_none(), it.due, it.id));
    let mut text = format!("{} open:\n", requests.len());
    for request in requests.iter().take(LIST_MAX) {
        let _ = writeln!(text, "{}", line(request, now));
    }
    if requests.len() > LIST_MAX {
        let _ = writeln!(text, "… and {} more (GET /v1/requests has all)", requests.len() - LIST_MAX);
    }
    text.push_str("One of them: /request show REQ-n");
    text
}

/// Requests named in `/status`.
const STATUS_MAX: usize = 3;

/// `3 wait: 1 for an approval, 1 for a person, 1 being done; REQ-2 is overdue`; `None` where nothing waits. Those of
/// one team, where one is named.
pub fn status(state: &State, team: Option<&TeamId>, now: Timestamp) -> Option<String> {
    let ours = |request: &&ServiceRequest| request.state.waits() && team.is_none_or(|team| request.team == *team);
    let waiting: Vec<&ServiceRequest> = state.requests.values().map(|request| &**request).filter(ours).collect();
    if waiting.is_empty() {
        return None;
    }
    let approval = waiting.iter().filter(|it| it.awaits_approval()).count();
    let done = waiting.iter().filter(|it| it.state == RequestState::InFulfilment).count();
    let parts = [
        (approval, "for an approval"),
        (waiting.len() - approval - done, "for somebody to take it"),
        (done, "being fulfilled"),
    ];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let late: Vec<String> = waiting.iter().filter(|it| it.overdue(now)).map(|it| it.id.to_string()).collect();
    let overdue = match late.as_slice() {
        [] => String::new(),
        [one] => format!("; {one} is overdue"),
        some if some.len() <= STATUS_MAX => format!("; {} are overdue", some.join(", ")),
        some => format!("; {} and {} more are overdue", some[..STATUS_MAX].join(", "), some.len() - STATUS_MAX),
    };
    Some(format!("{}{overdue}", parts.join(", ")))
}

/// `/request show`.
pub fn show(request: &ServiceRequest, now: Timestamp) -> String {
    let late = if request.overdue(now) { " · OVERDUE" } else { "" };
    let who = if request.state.waits() { format!(" · for {} to fulfil", fulfillers(request)) } else { String::new() };
    let mut text = format!("{}\n{}{late}{who}\n", request.headline(), request.state);
    let whom = request.for_whom.as_ref().map(|person| format!(" for {person}")).unwrap_or_default();
    let _ = writeln!(text, "asked <t:{}:f> by {}{whom}", request.submitted_at.unix_secs(), request.requester);
    if let Some(why) = &request.text {
        let _ = writeln!(text, "“{why}”");
    }
    if let Some(item) = &request.item {
        let with: Vec<String> = item.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(" ")) };
        let _ = writeln!(text, "item: {}{with}", item.playbook);
    }
    match (&request.approval, request.approvers.is_empty()) {
        (Some(approval), _) => {
            let _ = writeln!(text, "approved <t:{}:f> by {}", approval.at.unix_secs(), approval.person);
        }
        (None, false) => {
            let _ = writeln!(text, "needs the approval of {}", approvers(request));
        }
        (None, true) => {}
    }
    for (what, at) in [("until", request.due), ("fulfilled", request.fulfilled_at), ("closes", request.closes)] {
        if let Some(at) = at {
            let _ = writeln!(text, "{what} <t:{}:f>", at.unix_secs());
        }
    }
    if let Some(how) = &request.resolution {
        let _ = writeln!(text, "outcome: {how}");
    }
    let fulfiller = request.fulfiller.as_ref().map(|person| format!("taken by {person}"));
    let asked = request.asked_by.as_ref().map(|asked| format!("asked by {} ({})", asked.run, asked.step));
    let links = [
        fulfiller,
        request.run.map(|run| format!("run {run}")),
        asked,
        request.incident.map(|incident| format!("for {incident}")),
    ];
    let links = links.into_iter().flatten().chain(request.changes.iter().map(|change| format!("change {change}")));
    let links: Vec<String> = links.collect();
    if !links.is_empty() {
        let _ = writeln!(text, "{}", links.join(" · "));
    }
    let from = request.timeline.len().saturating_sub(HISTORY_TOLD);
    for entry in &request.timeline[from..] {
        let _ = writeln!(text, "<t:{}:f> {}: {}", entry.at.unix_secs(), entry.by, entry.text);
    }
    text.push_str(&next(request));
    text
}
