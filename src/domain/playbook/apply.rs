//! What events do to runs.

use super::act::VIA;
use super::spec::Part;
use super::{Board, Doing, ENDED_MAX, Ended, Move, PlaybookMoved, PlaybookStarted, REMEDY, Run, StepDone};
use crate::domain::actor::Actor;
use crate::domain::event::Event;
use crate::domain::id::RunId;
use crate::domain::incident::apply::Stamp;
use crate::domain::input::{Wakeup, WakeupKind};
use crate::domain::state::{RecordKey, State};
use crate::domain::time::Span;

impl Run {
    /// The record that an event begins.
    pub(super) fn started(stamp: &Stamp<'_>, started: &PlaybookStarted) -> Self {
        // What a chat granted counts for whoever began it themselves.
        let own = stamp.by.granted.filter(|_| started.remedy.is_none() && started.by.is_none());
        Self {
            id: started.run,
            playbook: started.playbook.clone(),
            values: started.values.clone(),
            by: match started.remedy {
                Some(_) => Actor::timer(REMEDY),
                None => started.by.clone().unwrap_or_else(|| stamp.by.actor.clone()),
            },
            granted: own,
            granted_at: own.map(|_| stamp.at),
            started_at: stamp.at,
            remedy: started.remedy.clone(),
            change: started.change,
            request: started.request,
            incident: started.incident,
            service: started.service.clone(),
            team: started.team.clone(),
            part: Part::Steps,
            at: 0,
            doing: Doing::Next { since: stamp.at },
            attempt: 0,
            done: Vec::new(),
            ended: None,
            board: Board::default(),
        }
    }

    pub(super) fn moved(&mut self, stamp: &Stamp<'_>, step: &Move) {
        match step {
            Move::Began { doing, .. } => {
                if matches!(doing, Doing::Waiting { .. } | Doing::Asking { .. } | Doing::Hearing { .. }) {
                    self.granted_at = None;
                }
                self.doing = doing.clone();
                self.attempt = self.attempt.saturating_add(1);
            }
            Move::Heard { failure, output, .. } => {
                let (failure, output) = (failure.clone(), output.clone());
                self.doing = Doing::Heard { since: stamp.at, failure, output };
            }
            Move::Ended { step, failure, output } => {
                self.reads_roles(stamp);
                self.done.push(StepDone {
                    part: self.part,
                    step: step.clone(),
                    at: stamp.at,
                    by: stamp.by.actor.clone(),
                    attempts: self.attempt,
                    failure: failure.clone(),
                    output: output.clone(),
                });
                self.at += 1;
                self.attempt = 0;
                self.doing = Doing::Next { since: stamp.at };
            }
            Move::Retried { at, reason, .. } => {
                self.granted_at = None;
                self.doing = Doing::Again { at: *at, reason: reason.clone() };
            }
            Move::Unclear { reason, remind, .. } => {
                self.granted_at = None;
                self.doing = Doing::Unclear { reason: reason.clone(), remind: *remind };
            }
            Move::Reminded { remind: at, .. } => {
                if let Doing::Unclear { remind, .. } = &mut self.doing {
                    *remind = Some(*at);
                }
            }
            Move::Shown { place } => self.board.place = Some(place.clone()),
            Move::MessageLost => {
                self.board.place = None;
                self.board.lost = self.board.lost.saturating_add(1);
            }
            Move::Turned { part, .. } => {
                self.part = *part;
                self.at = 0;
                self.attempt = 0;
                self.doing = Doing::Next { since: stamp.at };
            }
            Move::Finished { ending, reason } => {
                self.doing = Doing::Over;
                self.ended = Some(Ended { ending: *ending, at: stamp.at, seq: 0, reason: reason.clone() });
            }
        }
    }

    /// Whoever began it answers it: what their chat grants them was read just now. A step's own commit, in their name,
    /// has read nothing.
    fn reads_roles(&mut self, stamp: &Stamp<'_>) {
        if stamp.by.actor == self.by && stamp.by.via != VIA {
            self.granted = stamp.by.granted;
            self.granted_at = self.granted.map(|_| stamp.at);
        }
    }

    fn wakeup(&self) -> Option<Wakeup> {
        self.doing.due().map(|due| Wakeup { due, kind: WakeupKind::Playbook(self.id) })
    }

    /// Shifts what runs by duration.
    fn shift(&mut self, by: Span) {
        self.granted_at = self.granted_at.map(|at| at.after(by));
        match &mut self.doing {
            Doing::Next { since: at } | Doing::Again { at, .. } | Doing::Heard { since: at, .. } => *at = at.after(by),
            Doing::Waiting { until }
            | Doing::Asking { until, .. }
            | Doing::Hearing { until, .. }
            | Doing::Owed { until, .. } => {
                *until = until.after(by);
            }
            Doing::Unclear { remind, .. } => *remind = remind.map(|at| at.after(by)),
            Doing::Over => {}
        }
    }
}

impl State {
    /// Applies an event about runs; another one does nothing.
    pub(in crate::domain) fn apply_playbook(&mut self, stamp: &Stamp<'_>, event: &Event) {
        match event {
            Event::PlaybookStarted(started) => {
                self.meta.runs = self.meta.runs.max(started.run.0);
                let run = Run::started(stamp, started);
                self.index.wakeups.extend(run.wakeup());
                self.dirty.touched.insert(RecordKey::Run(run.id));
                self.runs.insert(run.id, Box::new(run));
            }
            Event::PlaybookMoved(moved) => {
                let PlaybookMoved { run, step, .. } = &**moved;
                let seq = self.meta.seq;
                self.alter_run(*run, |run| run.moved(stamp, step));
                if let Move::Finished { .. } = step {
                    self.alter_run(*run, |run| run.ended.iter_mut().for_each(|ended| ended.seq = seq));
                    self.forget_runs();
                }
            }
            _ => {}
        }
    }

    fn alter_run(&mut self, id: RunId, alter: impl FnOnce(&mut Run)) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        let before = run.wakeup();
        alter(run);
        let after = run.wakeup();
        if let Some(before) = before {
            self.index.wakeups.remove(&before);
        }
        self.index.wakeups.extend(after);
        self.dirty.touched.insert(RecordKey::Run(id));
    }

    /// Only the last ones that ended are kept, whenever they began.
    fn forget_runs(&mut self) {
        let ended = self.runs.values().filter_map(|run| run.ended.as_ref().map(|it| (it.seq, it.at, run.id)));
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable();
        for (.., id) in ended.iter().take(ended.len().saturating_sub(ENDED_MAX)) {
            self.runs.remove(id);
            self.dirty.touched.insert(RecordKey::Run(*id));
        }
    }

    pub(in crate::domain) fn shift_runs(&mut self, by: Span) {
        let ids: Vec<RunId> = self.runs.values().filter(|run| run.ended.is_none()).map(|run| run.id).collect();
        for id in ids {
            self.alter_run(id, |run| run.shift(by));
        }
    }

    /// Derives the look-ups of runs; once, after assembling.
    pub(in crate::domain) fn index_runs(&mut self) {
        self.index.wakeups.extend(self.runs.values().filter_map(|run| run.wakeup()));
    }
}
