//! Errands: which step that a run owes to the outside is done next. Like the outbox, an order over what State owes and
//! nothing more; a step starts once for each time that the journal says that it was begun, never before that is durable,
//! and after a restart only when the journal says so anew.

use std::collections::BTreeSet;

use crate::domain::event::{Commit, Event};
use crate::domain::id::RunId;
use crate::domain::playbook::{Doing, Errand, Move};
use crate::domain::state::State;

/// How many may be under way at once.
const WIDTH: usize = 16;

/// The order in which owed steps start.
#[derive(Debug, Default)]
pub struct Errands {
    ready: BTreeSet<RunId>,
    /// Under way, with the number of the attempt.
    busy: BTreeSet<(RunId, u16)>,
}

impl Errands {
    /// A commit is durable: what it begins outside may start.
    pub fn react(&mut self, commit: &Commit) {
        for event in &commit.events {
            if let Event::PlaybookMoved(moved) = event
                && let Move::Began { doing: Doing::Owed { .. }, .. } = &moved.step
            {
                self.ready.insert(moved.run);
            }
        }
    }

    /// Grants the next start that is allowed now. What was cancelled or went on meanwhile does not start.
    pub fn grant(&mut self, state: &State) -> Option<Errand> {
        while self.busy.len() < WIDTH {
            let id = self.ready.pop_first()?;
            let Some(run) = state.runs.get(&id) else { continue };
            let (Doing::Owed { work, .. }, Some(step)) = (&run.doing, run.step()) else { continue };
            if !self.busy.insert((id, run.attempt)) {
                continue;
            }
            return Some(Errand {
                run: id,
                step: step.id.clone(),
                attempt: run.attempt,
                work: work.clone(),
                timeout: step.timeout,
            });
        }
        None
    }

    /// One has come back.
    pub fn ended(&mut self, run: RunId, attempt: u16) {
        self.busy.remove(&(run, attempt));
    }

    /// How many are under way.
    pub fn under_way(&self) -> usize {
        self.busy.len()
    }

    /// Whether nothing is ready or under way.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.busy.is_empty()
    }
}
