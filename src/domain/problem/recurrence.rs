//! What comes again: incidents of the same kind (the same grouping of alerts) within thirty days. An open problem of
//! that kind is linked, else a problem is proposed; so it is for the worst incidents when they are over.

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Problem, ProblemState};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{IncidentId, ProblemId};
use crate::domain::incident::{Incident, Resolution};
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// How long an incident counts.
pub const WITHIN: Span = Span::days(30);
/// So many incidents are remembered at most; the oldest are forgotten first.
pub const KEPT_MAX: usize = 10_000;
/// A problem is proposed at the third of a kind …
const THIRD: usize = 3;
/// … and again at every tenth, so that it is not said at each.
const AGAIN: usize = 10;

/// Of which kind an incident of the last thirty days was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Which.
    pub incident: IncidentId,
    /// Its kind.
    pub fingerprint: Fingerprint,
    /// When it was opened.
    pub at: Timestamp,
}

/// The incidents of a kind within thirty days before `now`, oldest first.
pub fn of_kind<'s>(
    state: &'s State,
    fingerprint: Fingerprint,
    now: Timestamp,
) -> impl Iterator<Item = IncidentId> + use<'s> {
    let range = (fingerprint, IncidentId(0))..=(fingerprint, IncidentId(u64::MAX));
    let kinds = state.index.kinds.range(range).map(|(_, incident)| *incident);
    kinds.filter(move |incident| state.recent.get(incident).is_some_and(|recent| now.since(recent.at) <= WITHIN))
}

/// The unresolved problem of an incident's kind.
pub fn problem_of<'s>(state: &'s State, incident: &Incident) -> Option<&'s Problem> {
    // Hashed only where there is a problem at all: in a storm of alerts there usually is none.
    let known = Some(&state.index.problem_of).filter(|known| !known.is_empty())?;
    let id = known.get(&Fingerprint::of(&incident.group)?)?;
    state.problems.get(id).map(|problem| &**problem)
}

/// An alert has opened an incident: where there is a problem of its kind it is linked, before anybody is paged.
pub fn opened(draft: &mut Draft<'_>, id: IncidentId) {
    let state = draft.state;
    let Some(problem) = draft.incident(id).and_then(|incident| problem_of(state, incident)) else { return };
    draft.emit(Event::ProblemLinked { problem: problem.id, incident: id });
}

/// Its people have been paged: tells the channel that it is linked, or proposes a problem for the third of a kind.
pub fn begun(draft: &mut Draft<'_>, id: IncidentId) {
    let Some(incident) = draft.incident(id) else { return };
    if let Some(problem) = incident.problem().and_then(|problem| draft.state.problems.get(&problem)) {
        let helps = known_error(draft.state, incident).map(|(_, text)| format!(" What helps: {text}"));
        let text =
            format!("{id} is of the same kind as {} ({}).{}", problem.id, problem.title, helps.unwrap_or_default());
        return draft.post(id, text);
    }
    let Some(kind) = Fingerprint::of(&incident.group) else { return };
    // The one that is just being opened is not in State yet.
    let before: Vec<IncidentId> = of_kind(draft.state, kind, draft.now).collect();
    let n = before.len() + 1;
    if n == THIRD || (n > THIRD && n.is_multiple_of(AGAIN)) {
        let last: Vec<String> = before.iter().rev().take(4).rev().map(ToString::to_string).collect();
        let reason = format_compact!("the {} of its kind in 30 days, after {}", ordinal(n), last.join(", "));
        propose(draft, id, reason);
    }
}

/// It is over: a problem is proposed for the worst ones, unless it belongs to one; and linked where one of its kind was
/// opened meanwhile.
pub fn resolved(draft: &mut Draft<'_>, id: IncidentId) {
    let state = draft.state;
    let Some(incident) = draft.incident(id) else { return };
    let real = matches!(incident.resolution, Some(Resolution::Fixed | Resolution::Recovered));
    // Everybody reads problems, so a private incident is proposed for none.
    if !real || incident.private || incident.problem().is_some() {
        return;
    }
    if let Some(problem) = problem_of(state, incident) {
        return draft.emit(Event::ProblemLinked { problem: problem.id, incident: id });
    }
    let proposed = incident.review.as_ref().is_some_and(|review| review.proposed);
    if incident.severity.high_urgency() && !proposed {
        let reason = format_compact!("it was {}", incident.severity);
        propose(draft, id, reason);
    }
}

fn propose(draft: &mut Draft<'_>, id: IncidentId, reason: CompactString) {
    draft.emit(Event::ProblemProposed { incident: id, reason: reason.clone() });
    draft.post(id, format!("{id}: {reason}. Make it a problem? /problem open {id}"));
}

/// The known error that an incident belongs to, with its workaround.
pub fn known_error(state: &State, incident: &Incident) -> Option<(ProblemId, CompactString)> {
    let problem = state.problems.get(&incident.problem()?)?;
    let workaround = problem.workaround.clone().filter(|_| problem.state == ProblemState::KnownError)?;
    Some((problem.id, workaround))
}

/// `3rd`, `11th`, `22nd`.
fn ordinal(n: usize) -> String {
    let end = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_end_as_people_write_them() {
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th"
        );
    }
}
