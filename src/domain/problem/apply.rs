//! What events do to problems, and to the memory of what recurs.

use compact_str::{CompactString, format_compact};

use super::recurrence::{KEPT_MAX, WITHIN};
use super::{Fingerprint, INCIDENTS_MAX, Problem, ProblemChange, ProblemOpened, ProblemState, Recent, TIMELINE_MAX};
use crate::domain::event::{Event, IncidentOpened};
use crate::domain::id::IncidentId;
use crate::domain::incident::Entry;
use crate::domain::incident::apply::Stamp;
use crate::domain::state::{RecordKey, State};

impl Problem {
    /// The record that an event begins.
    fn opened(stamp: &Stamp<'_>, opened: &ProblemOpened) -> Self {
        let mut problem = Self {
            id: opened.problem,
            title: opened.title.clone(),
            service: opened.service.clone(),
            team: opened.team.clone(),
            state: ProblemState::Open,
            fingerprint: opened.fingerprint,
            opened_by: stamp.by.actor.clone(),
            opened_at: stamp.at,
            root_cause: None,
            workaround: None,
            resolved_at: None,
            resolution: None,
            closed_at: None,
            incidents: Vec::new(),
            incidents_folded: 0,
            timeline: Vec::new(),
        };
        problem.tell(stamp, "opened".into());
        problem
    }

    fn tell(&mut self, stamp: &Stamp<'_>, text: CompactString) {
        if self.timeline.len() < TIMELINE_MAX {
            self.timeline.push(Entry { at: stamp.at, by: stamp.by.actor.clone(), text });
        }
    }

    fn link(&mut self, stamp: &Stamp<'_>, incident: IncidentId) {
        if self.incidents.contains(&incident) {
            return;
        }
        if self.incidents.len() < INCIDENTS_MAX {
            self.incidents.push(incident);
        } else {
            self.incidents_folded = self.incidents_folded.saturating_add(1);
        }
        self.tell(stamp, format_compact!("linked to {incident}"));
    }

    fn change(&mut self, stamp: &Stamp<'_>, change: &ProblemChange) {
        let text = match change {
            ProblemChange::RootCause(text) => {
                self.root_cause = Some(text.clone());
                self.begin();
                format_compact!("root cause: {text}")
            }
            ProblemChange::Workaround(text) => {
                self.workaround = Some(text.clone());
                self.begin();
                format_compact!("workaround: {text}")
            }
            ProblemChange::KnownError => {
                self.state = ProblemState::KnownError;
                "known error".into()
            }
            ProblemChange::Resolved(text) => {
                self.state = ProblemState::Resolved;
                self.resolved_at = Some(stamp.at);
                self.resolution = text.clone();
                text.as_ref().map_or_else(|| "resolved".into(), |text| format_compact!("resolved: {text}"))
            }
            ProblemChange::Closed => {
                self.state = ProblemState::Closed;
                self.closed_at = Some(stamp.at);
                "closed".into()
            }
        };
        self.tell(stamp, text);
    }

    /// Whoever finds something out works on it.
    fn begin(&mut self) {
        self.state = self.state.max(ProblemState::Investigating);
    }
}

impl State {
    /// Applies an event about a problem; another one does nothing.
    pub(in crate::domain) fn apply_problem(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::ProblemOpened(opened) => {
                self.meta.problems = self.meta.problems.max(opened.problem.0);
                let problem = Problem::opened(stamp, opened);
                if let Some(fingerprint) = problem.fingerprint {
                    self.index.problem_of.insert(fingerprint, problem.id);
                }
                self.dirty.touched.insert(RecordKey::Problem(problem.id));
                self.problems.insert(problem.id, Box::new(problem));
            }
            Event::ProblemLinked { problem, incident } => {
                if let Some(problem) = self.problems.get_mut(problem) {
                    problem.link(stamp, *incident);
                    self.dirty.touched.insert(RecordKey::Problem(problem.id));
                }
            }
            Event::ProblemChanged { problem: id, change } => {
                let Some(problem) = self.problems.get_mut(id) else { return };
                problem.change(stamp, change);
                self.dirty.touched.insert(RecordKey::Problem(*id));
                let (over, closed) = (!problem.state.open(), problem.state == ProblemState::Closed);
                if let Some(fingerprint) = problem.fingerprint.as_ref().filter(|_| over)
                    && self.index.problem_of.get(fingerprint) == Some(id)
                {
                    self.index.problem_of.remove(fingerprint);
                }
                if closed && let Some(problem) = self.problems.remove(id) {
                    self.dirty.closed_problems.insert(*id, *problem);
                }
            }
            _ => {}
        }
    }

    /// Remembers for a while of which kind an incident was. The oldest are forgotten when there are too many: a storm
    /// of different alerts must not fill the memory.
    pub(in crate::domain) fn remember(&mut self, stamp: &Stamp<'_>, opened: &IncidentOpened) {
        let Some(fingerprint) = Fingerprint::of(&opened.group) else { return };
        let recent = Recent { incident: opened.incident, fingerprint, at: stamp.at };
        self.index.kinds.insert((recent.fingerprint, recent.incident));
        self.dirty.touched.insert(RecordKey::Recent(recent.incident));
        self.recent.insert(recent.incident, recent);
        while let Some((id, oldest)) = self.recent.first_key_value() {
            if stamp.at.since(oldest.at) <= WITHIN && self.recent.len() <= KEPT_MAX {
                break;
            }
            let id = *id;
            if let Some(gone) = self.recent.remove(&id) {
                self.index.kinds.remove(&(gone.fingerprint, id));
                self.dirty.touched.insert(RecordKey::Recent(id));
            }
        }
    }
}
