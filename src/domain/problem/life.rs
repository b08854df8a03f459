//! The life of a problem:
//!
//! | from | by | to |
//! |---|---|---|
//! | – | `/problem open`, the button under a proposal | open |
//! | open | root cause, workaround | investigating |
//! | open, investigating | known error (something is known that helps or explains) | known-error |
//! | any unresolved | resolve | resolved |
//! | resolved | close | closed |
//!
//! Who may do it has been asked before these functions are called.

use compact_str::CompactString;

use super::recurrence::{of_kind, problem_of};
use super::{Fingerprint, Problem, ProblemChange, ProblemOpened, ProblemState};
use crate::domain::delivery::{Content, Destination, Priority};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, ProblemId, ServiceId};
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};

/// The longest title, in characters.
const TITLE_MAX: usize = 200;
/// Incidents of the same kind that a new problem takes along, the newest.
const TAKEN_ALONG: usize = 20;

/// `/problem open`, and its button: for an incident, or by a title.
pub fn open(
    draft: &mut Draft<'_>,
    incident: Option<IncidentId>,
    title: Option<&str>,
    service: Option<ServiceId>,
) -> Result<Reply, Reject> {
    let Some(id) = incident else {
        let Some(title) = title else {
            return Err(Reject::new(RejectCode::Missing, "A problem of which incident, or with which title?").hint(
                "/problem open INC-7, or /problem open \"Payment pods run out of memory\" service:payments-api",
            ));
        };
        let service = service.unwrap_or_else(|| draft.org.defaults.service.clone());
        let problem = opened(draft, title, service, None);
        return Ok(told(draft, problem, title, &[]));
    };
    let record = draft.any(id)?;
    if let Some(problem) = belongs_to(draft, id).or_else(|| record.problem()) {
        return Ok(Reply::done(format!(
            "{id} belongs to {problem} already. Nothing changed.\nSee it: /problem show {problem}"
        ))
        .about(problem)
        .about(id));
    }
    if let Some(known) = problem_of(draft.state, record) {
        let (problem, about) = (known.id, known.title.clone());
        draft.emit(Event::ProblemLinked { problem, incident: id });
        return Ok(Reply::done(format!(
            "{problem} ({about}) is about the same: {id} is linked to it.\nSee it: /problem show {problem}"
        ))
        .about(problem)
        .about(id));
    }
    if record.private && title.is_none() {
        let message = format!("{id} is private, and a problem is not: its title would be read by everybody.");
        return Err(Reject::new(RejectCode::Missing, message)
            .hint(format!("Give one that may be read: /problem open {id} title:\"…\"")));
    }
    let kind = Fingerprint::of(&record.group);
    let title = title.map_or_else(|| record.title.to_string(), ToOwned::to_owned);
    let service = service.unwrap_or_else(|| record.service.clone());
    let mut incidents: Vec<IncidentId> =
        kind.map(|kind| of_kind(draft.state, kind, draft.now).collect()).unwrap_or_default();
    if !incidents.contains(&id) {
        incidents.push(id);
    }
    let problem = opened(draft, &title, service, kind);
    let skipped = incidents.len().saturating_sub(TAKEN_ALONG);
    let incidents = incidents.split_off(skipped);
    for incident in &incidents {
        draft.emit(Event::ProblemLinked { problem, incident: *incident });
    }
    Ok(told(draft, problem, &title, &incidents))
}

/// The unresolved problem that lists an incident; a closed incident does not say it itself.
fn belongs_to(draft: &Draft<'_>, id: IncidentId) -> Option<ProblemId> {
    draft.state.problems.values().find(|problem| problem.state.open() && problem.incidents.contains(&id)).map(|p| p.id)
}

fn opened(draft: &mut Draft<'_>, title: &str, service: ServiceId, kind: Option<Fingerprint>) -> ProblemId {
    let problem = ProblemId(draft.state.meta.problems + 1);
    let team = draft.org.services.get(&service).map(|known| known.team.clone()).unwrap_or_default();
    let title: CompactString = title.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX).collect();
    let channel = draft.org.teams.get(&team).and_then(|team| team.channel.clone());
    draft.emit(Event::ProblemOpened(Box::new(ProblemOpened {
        problem,
        title: title.clone(),
        service,
        team,
        fingerprint: kind,
    })));
    if let Some(channel) = channel {
        post(draft, channel, format!("{problem} opened by {}: {title}", draft.actor()));
    }
    problem
}

fn told(draft: &Draft<'_>, problem: ProblemId, title: &str, incidents: &[IncidentId]) -> Reply {
    let with: Vec<String> = incidents.iter().map(ToString::to_string).collect();
    let with = if with.is_empty() { String::new() } else { format!(" with {}", with.join(", ")) };
    debug_assert!(problem.0 > draft.state.meta.problems);
    let mut reply = Reply::done(format!(
        "{problem} opened{with}: {title}\nNext: /problem root-cause {problem} … or /problem workaround {problem} …"
    ))
    .about(problem);
    for incident in incidents {
        reply = reply.about(incident);
    }
    reply
}

/// Posts in a channel about a problem; problems own no deliveries, so it is a notice.
fn post(draft: &mut Draft<'_>, channel: crate::domain::delivery::ChannelRef, text: String) {
    if draft.org.chat_connected {
        draft.owe(None, None, Destination::Channel(channel), Priority::Post, Content::Post { text });
    }
}

/// A problem, open or closed; else a refusal that says what there is.
pub fn any<'a>(draft: &Draft<'a>, id: ProblemId) -> Result<&'a Problem, Reject> {
    draft.problem(id).ok_or_else(|| {
        let message = match draft.state.meta.problems {
            0 => format!("There is no {id}: no problem has been opened yet."),
            last => format!("There is no {id}; the last one is PRB-{last}."),
        };
        Reject::new(RejectCode::NotFound, message).hint("See what is open: /problem list")
    })
}

/// A problem that is neither resolved nor closed.
fn unresolved<'a>(draft: &Draft<'a>, id: ProblemId) -> Result<&'a Problem, Reject> {
    let problem = any(draft, id)?;
    if problem.state.open() {
        return Ok(problem);
    }
    let message = format!("{id} is {}: it is no longer changed.", problem.state);
    Err(Reject::new(RejectCode::Conflict, message).hint("If it is back, open another one: /problem open INC-n"))
}

fn change(draft: &mut Draft<'_>, problem: &Problem, change: ProblemChange, told: String) {
    let team = draft.org.teams.get(&problem.team);
    let channel = team.and_then(|team| team.channel.clone());
    draft.emit(Event::ProblemChanged { problem: problem.id, change });
    if let Some(channel) = channel {
        post(draft, channel, told);
    }
}

/// `/problem link`.
pub fn link(draft: &mut Draft<'_>, id: ProblemId, incident: IncidentId) -> Result<Reply, Reject> {
    let problem = unresolved(draft, id)?;
    let record = draft.any(incident)?;
    if problem.incidents.contains(&incident) {
        return Ok(Reply::done(format!("{incident} is linked to {id} already. Nothing changed.")).about(id));
    }
    if let Some(other) = belongs_to(draft, incident).or_else(|| record.problem().filter(|other| *other != id)) {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("{incident} belongs to {other}, and only to one problem."),
        )
        .hint(format!("See it: /problem show {other}")));
    }
    draft.emit(Event::ProblemLinked { problem: id, incident });
    Ok(Reply::done(format!("{incident} is linked to {id}.\nSee it: /problem show {id}")).about(id).about(incident))
}

/// `/problem root-cause`.
pub fn root_cause(draft: &mut Draft<'_>, id: ProblemId, text: &str) -> Result<Reply, Reject> {
    let problem = unresolved(draft, id)?;
    let told = format!("{id}: root cause, by {}: {text}", draft.actor());
    change(draft, problem, ProblemChange::RootCause(text.into()), told);
    let next = if problem.state == ProblemState::KnownError { "resolve" } else { "known-error" };
    Ok(Reply::done(format!("{id}: the root cause is noted.\nNext: /problem {next} {id}")).about(id))
}

/// `/problem workaround`.
pub fn workaround(draft: &mut Draft<'_>, id: ProblemId, text: &str) -> Result<Reply, Reject> {
    let problem = unresolved(draft, id)?;
    let told = format!("{id}: workaround, by {}: {text}", draft.actor());
    change(draft, problem, ProblemChange::Workaround(text.into()), told);
    let next = if problem.state == ProblemState::KnownError {
        "It stands in the next page.".to_owned()
    } else {
        format!("To put it into pages: /problem known-error {id}")
    };
    Ok(Reply::done(format!("{id}: the workaround is noted. {next}")).about(id))
}

/// `/problem known-error`.
pub fn known_error(draft: &mut Draft<'_>, id: ProblemId) -> Result<Reply, Reject> {
    let problem = unresolved(draft, id)?;
    if problem.state == ProblemState::KnownError {
        return Ok(Reply::done(format!("{id} is a known error already. Nothing changed.")).about(id));
    }
    if problem.workaround.is_none() && problem.root_cause.is_none() {
        return Err(Reject::new(
            RejectCode::Conflict,
            format!("Nothing is known of {id} yet: neither why, nor what helps."),
        )
        .hint(format!("First: /problem workaround {id} … or /problem root-cause {id} …")));
    }
    change(draft, problem, ProblemChange::KnownError, format!("{id} is a known error: {}", problem.title));
    let pages = match &problem.workaround {
        Some(_) => "Its workaround stands in the pages of the next incident of its kind.".to_owned(),
        None => format!("When something helps: /problem workaround {id} …"),
    };
    Ok(Reply::done(format!("{id} is a known error. {pages}")).about(id))
}

/// `/problem resolve`.
pub fn resolve(draft: &mut Draft<'_>, id: ProblemId, text: Option<&str>) -> Result<Reply, Reject> {
    let problem = any(draft, id)?;
    if !problem.state.open() {
        return Ok(Reply::done(format!("{id} is {} already. Nothing changed.", problem.state)).about(id));
    }
    let said = text.map(|text| format!(": {text}")).unwrap_or_default();
    let told = format!("{id} resolved by {}{said}", draft.actor());
    change(draft, problem, ProblemChange::Resolved(text.map(CompactString::from)), told);
    Ok(Reply::done(format!("{id} is resolved. When it stays away: /problem close {id}")).about(id))
}

/// `/problem close`.
pub fn close(draft: &mut Draft<'_>, id: ProblemId) -> Result<Reply, Reject> {
    match any(draft, id)?.state {
        ProblemState::Closed => Ok(Reply::done(format!("{id} is closed already. Nothing changed.")).about(id)),
        ProblemState::Resolved => {
            draft.emit(Event::ProblemChanged { problem: id, change: ProblemChange::Closed });
            Ok(Reply::done(format!("{id} closed. Its record stays: /problem show {id}")).about(id))
        }
        state => {
            Err(Reject::new(RejectCode::Conflict, format!("{id} is {state}: only a resolved problem can be closed."))
                .hint(format!("First: /problem resolve {id} …")))
        }
    }
}
