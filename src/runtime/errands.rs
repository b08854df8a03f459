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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog;
    use crate::domain::actor::{Actor, By};
    use crate::domain::input::{Input, InputKind, Place};
    use crate::domain::playbook::Performed;
    use crate::domain::time::{Span, Timestamp};
    use crate::runtime::Core;

    /// 2026-12-08T09:00Z, a Tuesday on which nothing is frozen.
    const START: Timestamp = Timestamp(1_796_720_400_000);

    fn core(state: State) -> Core {
        let loaded = catalog::load_files(&catalog::example(), &|_| Some("a-secret-of-some-length".to_owned()));
        Core::new(state, Arc::new(loaded.config.expect("the example is good").org))
    }

    /// Decides one input; its commit is durable only where that is said.
    fn take(core: &mut Core, at: Timestamp, kind: InputKind) -> Option<Commit> {
        let by = match kind {
            InputKind::Text { .. } => By::new(Actor::Person("bas".into()), "test"),
            _ => By::timer("test"),
        };
        let (answer, commit) = core.take(at, Input { by, idempotency: None, kind, closed: Vec::new() });
        answer.reply.expect("it is done");
        commit
    }

    fn say(core: &mut Core, at: Timestamp, text: &str) {
        let place = Place { chat: "test".into(), ..Place::default() };
        let commit = take(core, at, InputKind::Text { place, text: text.to_owned() }).expect("something follows");
        core.durable(&commit);
    }

    /// A core in which `/deploy` has just begun its first step; the commit that says so is not durable.
    fn begun() -> (Core, Commit) {
        let mut core = core(State::new("err4nds"));
        say(&mut core, START, "/deploy service:payments-api version:1.4.1");
        let due = core.due(START).expect("the run goes on at once").kind;
        let commit = take(&mut core, START, due).expect("its first step begins");
        (core, commit)
    }

    #[test]
    fn a_step_starts_once_and_only_when_the_journal_has_it() {
        let (mut core, commit) = begun();
        assert_eq!(core.errand(), None);
        core.durable(&commit);
        let errand = core.errand().expect("now it may start");
        assert_eq!((errand.run, errand.attempt, errand.step.as_str()), (RunId(1), 1, "roll-out"));
        assert_eq!((core.errand(), core.under_way()), (None, 1));
        // The same commit told again (it cannot be) starts nothing again while the first is under way.
        core.durable(&commit);
        assert_eq!(core.errand(), None);
        core.errand_ended(errand.run, errand.attempt);
        let outcome = Performed::Done { output: "ok".into() };
        let back =
            |outcome: &Performed, attempt| InputKind::Performed { run: RunId(1), attempt, outcome: outcome.clone() };
        assert_eq!(take(&mut core, START, back(&outcome, 2)), None, "no such attempt");
        let commit = take(&mut core, START, back(&outcome, 1)).expect("the next step follows");
        core.durable(&commit);
        assert_eq!(take(&mut core, START, back(&outcome, 1)), None, "it came back before");
        assert!(core.errand().is_none() && core.under_way() == 0);
    }

    #[test]
    fn what_is_cancelled_before_it_starts_does_not_start() {
        let (mut core, commit) = begun();
        say(&mut core, START.after(Span::secs(1)), "/runbook cancel RUN-1");
        core.durable(&commit);
        assert_eq!(core.errand(), None);
        assert_eq!(core.under_way(), 0);
    }

    #[test]
    fn a_restart_starts_nothing_until_the_journal_says_so_anew() {
        let (core, _) = begun();
        let mut core = self::core(core.state().clone());
        assert_eq!(core.errand(), None);
        let commit =
            take(&mut core, START, InputKind::Started { version: "test".into(), at: START }).expect("it has started");
        core.durable(&commit);
        // This step may not be done twice: a person is asked.
        assert_eq!(core.errand(), None);
        assert_eq!(core.state().runs[&RunId(1)].word(), "unclear");
        say(&mut core, START, "/runbook resume RUN-1 again");
        assert_eq!(core.errand().map(|errand| errand.attempt), Some(2));
    }
}
