//! When a question of a code host is asked again before its time: when something has happened that can change its answer.
//! Whatever else happens, however often, leaves it as it is, and writes nothing.

use std::fmt;

use super::Status;
use crate::domain::change::deployed::Deployed;
use crate::domain::change::{Change, Step};
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, DeploymentId, IncidentId};
use crate::domain::incident::apply::Stamp;
use crate::domain::state::State;
use crate::domain::time::Span;

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

impl State {
    /// After an event that can change what the gate says, the questions that wait for that are asked at once.
    pub(in crate::domain) fn recall_questions(&mut self, stamp: &Stamp<'_>, event: &Event) {
        if self.index.questions.is_empty() {
            return;
        }
        let shift = if let Event::ClockStepped { by_ms } = event { Some(Span(*by_ms)) } else { None };
        let meant = |id: &DeploymentId| {
            let deployed = self.deployments.get(id)?;
            let Status::Waits { why, .. } = &deployed.question.as_ref()?.status else { return None };
            (shift.is_some() || concerns(self, deployed, why, event)).then_some(*id)
        };
        let meant: Vec<DeploymentId> = self.index.questions.iter().filter_map(meant).collect();
        for id in meant {
            self.alter_question(id, |question| {
                if let Some(question) = question
                    && let Status::Waits { again, .. } = &mut question.status
                {
                    *again = shift.map_or(stamp.at, |by| again.after(by));
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
