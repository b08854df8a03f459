//! When a question of a code host is asked again before its time: when something has happened that can change its answer.
//! Whatever else happens, however often, leaves it as it is, and writes nothing.

use std::fmt;

use super::Status;
use crate::domain::change::deployed::Deployed;
use crate::domain::change::{Change, OPEN_MAX, Step};
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, DeploymentId, IncidentId};
use crate::domain::incident::apply::Stamp;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};

/// A question against which more stands than is named is asked again so long after anything that may be of it: what
/// happens all at once asks it once.
const SOON: Span = Span::secs(10);

/// Whether a text names a record: `INC-1` is not named by `INC-12`.
fn names(text: &str, id: impl fmt::Display) -> bool {
    let id = id.to_string();
    text.match_indices(&id).any(|(at, _)| {
        let behind = text[at + id.len()..].chars().next();
        let before = text[..at].chars().next_back();
        !behind.is_some_and(|c| c.is_ascii_digit()) && !before.is_some_and(|c| c.is_ascii_alphanumeric())
    })
}

/// Whether an event can change the answer to a question that waits for `why`.
fn concerns(state: &State, deployed: &Deployed, why: &str, event: &Event) -> bool {
    let change = |id: ChangeId| {
        let same = |change: &Change| change.content.service == deployed.service;
        deployed.change == Some(id) || names(why, id) || state.changes.get(&id).is_some_and(|it| same(it))
    };
    // A private one is not named where it stands in the way, and risk counts them all.
    let incident = |id: IncidentId| {
        let unnamed = state.meta.private.contains(&id) && why.contains("an incident is open");
        unnamed || names(why, id) || why.contains("risk")
    };
    match event {
        Event::ChangeMoved(moved) => !matches!(moved.step, Step::Reminded) && change(moved.change),
        Event::ChangeEdited(edited) => change(edited.change),
        Event::ChangeApproved(approved) => change(approved.change),
        Event::FreezeStarted(freeze) => freeze.service.as_ref().is_none_or(|service| *service == deployed.service),
        Event::FreezeEnded { freeze, .. } => names(why, freeze),
        Event::IncidentResolved { incident: id, .. }
        | Event::IncidentClosed { incident: id, .. }
        | Event::IncidentSeveritySet { incident: id, .. } => incident(*id),
        Event::IncidentMerged(merged) => incident(merged.incident),
        Event::ConfigLoaded { .. } => true,
        _ => false,
    }
}

/// Whether an event may be about something that stands against a question and is not named.
fn may_concern(event: &Event) -> bool {
    match event {
        Event::ChangeMoved(moved) => !matches!(moved.step, Step::Reminded),
        Event::ChangeEdited(_)
        | Event::FreezeEnded { .. }
        | Event::IncidentResolved { .. }
        | Event::IncidentClosed { .. }
        | Event::IncidentSeveritySet { .. }
        | Event::IncidentMerged(_) => true,
        _ => false,
    }
}

impl State {
    /// After an event that can change what the gate says, the questions that wait for that are asked at once.
    pub(in crate::domain) fn recall_questions(&mut self, stamp: &Stamp<'_>, event: &Event) {
        if self.index.questions.is_empty() {
            return;
        }
        let shift = if let Event::ClockStepped { by_ms, .. } = event { Some(Span(*by_ms)) } else { None };
        // A change that is over leaves a place: to those that found none, the oldest first.
        let mut places = match event {
            Event::ChangeMoved(moved) if !self.changes.contains_key(&moved.change) => {
                OPEN_MAX.saturating_sub(self.changes.len())
            }
            _ => 0,
        };
        let meant = |id: &DeploymentId| {
            let deployed = self.deployments.get(id)?;
            let Status::Waits { why, again, cut } = &deployed.question.as_ref()?.status else { return None };
            let placed = deployed.change.is_none() && places > 0;
            places -= usize::from(placed);
            let at = match shift {
                Some(by) => again.after(by),
                None if placed || concerns(self, deployed, why, event) => stamp.at,
                None if *cut && may_concern(event) => stamp.at.after(SOON).min(*again),
                None => return None,
            };
            Some((*id, at))
        };
        let meant: Vec<(DeploymentId, Timestamp)> = self.index.questions.iter().filter_map(meant).collect();
        for (id, at) in meant {
            self.alter_question(id, |question| {
                if let Some(question) = question
                    && let Status::Waits { again, .. } = &mut question.status
                {
                    *again = at;
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_whole() {
        for text in ["INC-1", "INC-1 is open", "and INC-1: slow", "(INC-1)", "INC-12; INC-1"] {
            assert!(names(text, IncidentId(1)), "{text}");
        }
        for text in ["", "INC-12", "INC-", "XINC-1", "CHG-1", "inc-1"] {
            assert!(!names(text, IncidentId(1)), "{text}");
        }
    }
}
