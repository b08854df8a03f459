//! The core: decides and applies inputs, remembers what is durable, and grants the starts of deliveries. It does no
//! I/O and reads no clock: the engine, a rehearsal and the simulation drive it by the same calls.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::errands::Errands;
use super::factors::Factors;
use super::outbox::Outbox;
use crate::domain::actor::By;
use crate::domain::decide::decide;
use crate::domain::delivery::Grant;
use crate::domain::event::{Commit, Event};
use crate::domain::id::{DeliveryId, RunId};
use crate::domain::input::{Answer, Input, InputKind};
use crate::domain::org::Org;
use crate::domain::playbook::{Errand, act};
use crate::domain::state::State;
use crate::domain::time::Timestamp;

/// The house without its walls.
pub struct Core {
    state: State,
    org: Arc<Org>,
    outbox: Outbox,
    errands: Errands,
    factors: Factors,
    /// The last commit that is durable.
    durable: u64,
}

impl Core {
    /// Starts from a state whose commits are all durable. Whatever it still owes has an unknown outcome: it is sent
    /// again, marked as a possible repeat.
    pub fn new(state: State, org: Arc<Org>) -> Self {
        let outbox = Outbox::recover(&state, &org);
        let durable = state.meta.seq;
        Self { state, org, outbox, errands: Errands::default(), factors: Factors::default(), durable }
    }

    /// The same with the second factors of people.
    #[must_use]
    pub fn with_factors(self, factors: Factors) -> Self {
        Self { factors, ..self }
    }

    /// The applied state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The applied state, for the runtime to take what is dirty.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// The organisation in force.
    pub fn org(&self) -> &Arc<Org> {
        &self.org
    }

    /// Puts another organisation in force; escalations and pages that run keep their rules.
    pub fn set_org(&mut self, org: Arc<Org>) {
        self.org = org;
    }

    /// Starts over from the durable state after commits were lost; deliveries under way stay so. What came back and is
    /// not durable (or rested on what is not) does not start again before its receipt is given to `take` once more.
    pub fn rebuild(&mut self, state: State) {
        self.durable = state.meta.seq;
        self.outbox.lost(&state, &self.org);
        self.state = state;
    }

    /// Decides one input and applies what follows. The answer may be told, and the commit's deliveries may start,
    /// only after the commit is durable: tell it by `durable`.
    pub fn take(&mut self, now: Timestamp, mut input: Input) -> (Answer, Option<Commit>) {
        self.factors.prove(&mut input, &self.org.lexicon, now);
        let decision = decide(&self.state, &self.org, now, &input);
        let settled = match &input.kind {
            InputKind::Receipt { delivery, .. } => std::slice::from_ref(delivery),
            InputKind::Arrived(deliveries) => deliveries,
            _ => &[],
        };
        if decision.events.len() < settled.len() {
            // A receipt without an event of its own changed nothing.
            let changed: BTreeSet<_> = decision.events.iter().filter_map(Event::delivery).collect();
            for delivery in settled.iter().filter(|delivery| !changed.contains(delivery)) {
                self.outbox.release(delivery, self.state.meta.seq, self.durable);
            }
        }
        let commit = (!decision.events.is_empty()).then(|| Commit {
            seq: self.state.meta.seq + 1,
            at: now,
            by: input.by,
            events: decision.events,
        });
        if let Some(commit) = &commit {
            self.state.apply(commit);
        }
        (Answer { seq: decision.kept.unwrap_or(self.state.meta.seq), reply: decision.reply }, commit)
    }

    /// The next moment that has come, as an input; one at a time, so that a late one shifts those behind it.
    pub fn due(&self, now: Timestamp) -> Option<Input> {
        let wakeup = self.state.next_wakeup().filter(|wakeup| wakeup.due <= now)?;
        let by = act::envelope(&self.state, &wakeup, now).unwrap_or_else(|| By::timer("moment"));
        Some(Input { by, idempotency: None, kind: InputKind::Wake(wakeup), closed: Vec::new() })
    }

    /// When the core wants to be asked again (for `due` or `grant`); `None`: only when something comes in.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let moment = self.state.next_wakeup().map(|wakeup| wakeup.due);
        [moment, self.outbox.next_retry()].into_iter().flatten().min()
    }

    /// When the next retry may start.
    pub fn next_retry(&self) -> Option<Timestamp> {
        self.outbox.next_retry()
    }

    /// React: a commit is durable, so what it owes may start.
    pub fn durable(&mut self, commit: &Commit) {
        self.durable = commit.seq;
        self.outbox.react(commit, &self.org);
        self.errands.react(commit);
        if commit.events.iter().any(|event| matches!(event, Event::ClockStepped { .. })) {
            self.outbox.rebuild(&self.state, &self.org, commit.seq);
        }
    }

    /// Grants the most urgent start that is allowed now, checked against the state: what was acknowledged or cancelled
    /// meanwhile does not start. It stays under way until `ended`.
    pub fn grant(&mut self, now: Timestamp) -> Option<Grant> {
        self.outbox.grant(&self.state, &self.org, now)
    }

    /// The attempt has come back: its place in the lane is free. Give its receipt to `take` as well.
    pub fn ended(&mut self, id: &DeliveryId) {
        self.outbox.ended(id);
    }

    /// Grants the start of a step that a run owes to the outside. It stays under way until `errand_ended`.
    pub fn errand(&mut self) -> Option<Errand> {
        self.errands.grant(&self.state)
    }

    /// An errand has come back. Give what it says to `take` as well.
    pub fn errand_ended(&mut self, run: RunId, attempt: u16) {
        self.errands.ended(run, attempt);
    }

    /// Whether nothing is kept for any delivery or errand: none is ready, waits, is under way or held.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_idle() && self.errands.is_idle()
    }

    /// How many deliveries and errands are under way.
    pub fn under_way(&self) -> usize {
        self.outbox.under_way() + self.errands.under_way()
    }
}
