//! The engine: one thread that owns the core. It applies at once and goes on; replies, looks and sends are released
//! only up to the durable commit. What faces ask waits in a bounded queue; what the runtime tells goes first.

mod listen;
mod receipts;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded, unbounded};

use super::alarm::Alarms;
use super::bell::Bell;
use super::clock::Clock;
use super::core::Core;
use super::fatal::EndsWith;
use super::handle::{Ask, Handle, QUEUE, Tell};
use super::lanes::Dispatch;
use super::shelf::Shelf;
use super::writer::{Writer, Written};
use crate::domain::actor::By;
use crate::domain::delivery::Outcome;
use crate::domain::desk::{Answered, Look, View};
use crate::domain::event::{Commit, Event};
use crate::domain::id::DeliveryId;
use crate::domain::input::{Answer, Closed, Head, Input, InputKind, Unavailable, WakeupKind};
use crate::domain::paging::escalate::operators;
use crate::domain::playbook::Move;
use crate::domain::time::{Span, Timestamp};
use crate::http::Tally;

/// Commits that may wait for the writer; beyond it no more is asked for, and the queue of the faces fills.
const UNWRITTEN_MAX: usize = 8_192;
/// Messages taken in one round, so that timers and sends get their turn.
pub(super) const ROUND: usize = 256;
/// How long a stop waits for what is under way; what is cut off is sent again, marked, at the next start.
const STOP_WITHIN: Span = Span::secs(3);
/// A batch that is not durable after this time means a disk that hangs: the operators are told.
const HUNG_AFTER: Span = Span::secs(5);
/// Notices and receipts that wait for a journal that can be written; receipts are never dropped, notices beyond it are.
const PARKED_MAX: usize = 10_000;
/// With so few commits in a batch pages go before answers; with more, senders go on sooner when answers go first.
const FEW: usize = 2;
/// How often the wall clock is compared.
const TICK: Span = Span::secs(1);

/// Called when a commit is durable, or is not going to be.
type Waiting = (u64, Box<dyn FnOnce(Result<(), Unavailable>) + Send>);

/// What the engine is made of.
pub struct Parts {
    /// The core, recovered.
    pub core: Core,
    /// The last durable commit and its hash.
    pub durable: (u64, String),
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The records, behind their own thread.
    pub shelf: Shelf,
    /// The number of this process start.
    pub epoch: u64,
    /// What is counted for the metrics.
    pub tally: Tally,
}

/// The queues, before the engine runs: others need the handle first.
pub struct Queues {
    asks: Receiver<Ask>,
    tells: Receiver<Tell>,
    /// Rung for both.
    bell: Arc<Bell>,
}

/// Makes the queues and the handle.
pub fn queues() -> (Handle, Queues) {
    let (ask, asks) = bounded(QUEUE);
    // Bounded by what is under way: one answer a send, one a batch.
    let (tell, tells) = unbounded();
    let bell = Arc::new(Bell::default());
    (Handle { asks: ask, tells: tell, bell: Arc::clone(&bell) }, Queues { asks, tells, bell })
}

/// Runs the engine on a thread of its own.
///
/// # Errors
/// The operating system gives no thread.
pub fn start(
    queues: Queues,
    parts: Parts,
    writer: Writer,
    dispatch: Box<dyn Dispatch>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("engine".into()).spawn(move || {
        let _ends = EndsWith("engine");
        let now = parts.clock.now();
        let mut engine = Engine {
            core: parts.core,
            durable: parts.durable,
            clock: parts.clock,
            shelf: parts.shelf,
            tally: parts.tally,
            dispatch,
            writer: Some(writer),
            queues,
            unwritten: Vec::new(),
            writing: false,
            writing_since: now,
            hung: false,
            waiting: VecDeque::new(),
            unsaved: BTreeMap::new(),
            parked: Vec::new(),
            trouble: None,
            alarms: Alarms::new(parts.epoch, now),
            skip: None,
            stop: None,
            next_tick: now.after(TICK),
        };
        engine.run();
    })
}

struct Engine {
    core: Core,
    durable: (u64, String),
    clock: Arc<dyn Clock>,
    shelf: Shelf,
    tally: Tally,
    dispatch: Box<dyn Dispatch>,
    writer: Option<Writer>,
    queues: Queues,
    /// Applied, not handed to the writer.
    unwritten: Vec<Commit>,
    /// The writer has a batch.
    writing: bool,
    /// Since when.
    writing_since: Timestamp,
    /// Whether the trouble is a disk that does not answer (and may yet).
    hung: bool,
    /// Released when their commit is durable; in order.
    waiting: VecDeque<Waiting>,
    /// Receipts and steps of the clock of which what they led to, or rest on, is not durable.
    unsaved: BTreeMap<u64, Vec<Input>>,
    /// Those that wait for a journal that can be written.
    parked: Vec<Input>,
    /// Why the journal cannot be written.
    trouble: Option<String>,
    /// What the operators are told past the journal.
    alarms: Alarms,
    skip: Option<(Timestamp, Box<dyn FnOnce() + Send>)>,
    stop: Option<(Timestamp, Box<dyn FnOnce() + Send>)>,
    next_tick: Timestamp,
}

/// Calls back; a panic in what an adapter handed in stays its own.
fn release(call: Box<dyn FnOnce(Result<(), Unavailable>) + Send>, how: Result<(), Unavailable>) {
    if catch_unwind(AssertUnwindSafe(|| call(how))).is_err() {
        tracing::error!("an answer's call-back panicked (a bug in an adapter)");
    }
}

impl Engine {
    fn run(&mut self) {
        loop {
            self.listen();
            // First, as answers and pages wait for the disk; what moments add is handed over in the next round.
            self.hand_over();
            self.tick();
            self.moments();
            self.grants();
            self.skip_on();
            if self.stop.as_ref().is_some_and(|(by, _)| self.quiet() || *by <= self.clock.now()) {
                break;
            }
        }
        if let Some(writer) = self.writer.take() {
            writer.stop();
        }
        let seq = self.core.state().meta.seq;
        if seq == self.durable.0 {
            self.shelf.catch_up(self.core.state_mut(), &self.durable.1);
        }
        self.shelf.close();
        self.refuse_the_rest();
        if let Some((_, stopped)) = self.stop.take() {
            stopped();
        }
    }

    /// Refuses what was not begun. Whoever waits for a commit that is not known to be durable is told nothing: it may be.
    fn refuse_the_rest(&mut self) {
        while let Ok(ask) = self.queues.asks.try_recv() {
            match ask {
                Ask::Submit(_, done) => done(Err(Unavailable::ShuttingDown)),
                Ask::List(_, done) => done(Err(Unavailable::ShuttingDown)),
                // Its caller sees that it is dropped.
                Ask::View(_) => {}
            }
        }
        while let Ok(tell) = self.queues.tells.try_recv() {
            if let Tell::Loaded(_, done, _) = tell {
                done(Err(Unavailable::ShuttingDown));
            }
        }
    }

    /// Nothing waits for the disk and nothing is under way.
    fn quiet(&self) -> bool {
        !self.writing && (self.unwritten.is_empty() || self.trouble.is_some()) && self.core.under_way() == 0
    }

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Submit(inputs, done) => self.submit(inputs, done),
            Ask::View(look) => self.look(look),
            Ask::List(query, done) => {
                let release = self.shelf.list(query, self.core.state(), done);
                self.when_durable(release);
            }
        }
    }

    fn submit(&mut self, mut inputs: Vec<Input>, done: Answered) {
        if let Some(trouble) = &self.trouble {
            return done(Err(Unavailable::Journal(trouble.clone())));
        }
        match self.shelf.missing(&mut inputs, self.core.state(), &self.core.org().lexicon) {
            Some(wanted) => self.shelf.load(wanted, inputs, done, self.core.state().meta.seq),
            None => self.decide(inputs, done),
        }
    }

    /// Closed records have come. One that was reopened and closed again since the load began is not what it was: then
    /// everything is looked up anew.
    fn loaded(&mut self, mut inputs: Vec<Input>, done: Answered, begun: u64) {
        let stale = |closed: &Closed| self.shelf.closed_after(closed, begun);
        if inputs.iter().any(|input| input.closed.iter().any(stale)) {
            inputs.iter_mut().for_each(|input| input.closed.clear());
            return self.submit(inputs, done);
        }
        self.decide(inputs, done);
    }

    fn decide(&mut self, inputs: Vec<Input>, done: Answered) {
        if let Some(trouble) = &self.trouble {
            return done(Err(Unavailable::Journal(trouble.clone())));
        }
        let answers: Vec<Answer> = inputs.into_iter().map(|input| self.take(input)).collect();
        self.when_durable(Box::new(move |released| done(released.map(|()| answers))));
    }

    /// Decides and applies one input.
    fn take(&mut self, input: Input) -> Answer {
        let now = self.clock.now();
        let kept = receipts::is_kept(&input.kind).then(|| input.clone());
        let (answer, commit) = self.core.take(now, input);
        if let Some(commit) = commit {
            self.shelf.note_closed(&commit);
            self.unwritten.push(commit);
        }
        // A receipt that changed nothing rests on what made it so: a commit that may be lost cancelled its delivery.
        if let Some(kept) = kept.filter(|_| answer.seq > self.durable.0) {
            self.unsaved.entry(answer.seq).or_default().push(kept);
        }
        answer
    }

    /// Calls back when everything applied so far is durable.
    fn when_durable(&mut self, call: Box<dyn FnOnce(Result<(), Unavailable>) + Send>) {
        let seq = self.core.state().meta.seq;
        if seq <= self.durable.0 { release(call, Ok(())) } else { self.waiting.push_back((seq, call)) }
    }

    fn look(&mut self, look: Look) {
        let view = View {
            state: self.core.state(),
            org: self.core.org(),
            now: self.clock.now(),
            durable: (self.durable.0, &self.durable.1),
            trouble: self.trouble.as_deref().or_else(|| self.shelf.trouble()),
        };
        // What adapters hand in runs on this thread: a panic of theirs must not end it.
        match catch_unwind(AssertUnwindSafe(|| look(&view))) {
            Ok(release) => self.when_durable(release),
            Err(_) => tracing::error!("a look at the state panicked (a bug in an adapter)"),
        }
    }

    fn told(&mut self, tell: Tell) {
        match tell {
            Tell::Written(Written::Durable { seq, hash, commits }) => self.durable(seq, hash, &commits),
            Tell::Written(Written::Failed { reason }) => self.lost(reason),
            Tell::Written(Written::Mended) => self.mended(),
            Tell::Receipt(delivery, outcome) => self.receipt(delivery, outcome),
            Tell::Performed(run, attempt, outcome) => self.performed(run, attempt, outcome),
            Tell::Loaded(inputs, done, begun) => self.loaded(inputs, done, begun),
            Tell::Reload(org) => {
                let hash = org.hash.as_str().into();
                self.core.set_org(org);
                self.own(InputKind::ConfigLoaded { hash }, "config");
            }
            Tell::Input(input) => {
                if self.trouble.is_none() {
                    self.take(*input);
                } else if self.parked.len() < PARKED_MAX {
                    self.parked.push(*input);
                } else {
                    tracing::error!(by = ?input.by, "dropped: too much waits for the journal");
                }
            }
            Tell::Skip(span, done) => self.skip = Some((self.clock.now().after(span), done)),
            Tell::Stop(done) => self.stop = Some((self.clock.now().after(STOP_WITHIN), done)),
        }
    }

    /// Takes an input of Opsbell's own.
    fn own(&mut self, kind: InputKind, part: &str) {
        if self.trouble.is_none() {
            self.take(Input { by: By::timer(part), idempotency: None, kind, closed: Vec::new() });
        }
    }

    /// Takes what must not be lost with a batch; while the journal cannot be written it waits.
    fn keep(&mut self, input: Input) {
        if self.trouble.is_some() {
            self.parked.push(input);
        } else {
            self.take(input);
        }
    }

    fn receipt(&mut self, delivery: DeliveryId, outcome: Outcome) {
        if self.alarms.ended(&delivery, &outcome, self.clock.now()) {
            return;
        }
        if let Outcome::Permanent { reason } | Outcome::Retryable { reason, .. } = &outcome {
            tracing::warn!(%delivery, %reason, "a message has not got through");
        }
        self.core.ended(&delivery);
        self.count(&delivery, &outcome);
        let by = By::timer("lane");
        let kind = InputKind::Receipt { delivery, outcome };
        self.keep(Input { by, idempotency: None, kind, closed: Vec::new() });
    }

    /// Receipts that came together are one commit: a line, its hash and its place in the batch cost more than they do.
    fn arrived(&mut self, mut deliveries: Vec<DeliveryId>) {
        let now = self.clock.now();
        deliveries.retain(|delivery| !self.alarms.ended(delivery, &Outcome::Accepted, now));
        if deliveries.len() < 2 {
            deliveries.pop().into_iter().for_each(|delivery| self.receipt(delivery, Outcome::Accepted));
            return;
        }
        for delivery in &deliveries {
            self.core.ended(delivery);
            self.count(delivery, &Outcome::Accepted);
        }
        let (by, kind) = (By::timer("lane"), InputKind::Arrived(deliveries));
        self.keep(Input { by, idempotency: None, kind, closed: Vec::new() });
    }

    fn durable(&mut self, seq: u64, hash: String, commits: &[Commit]) {
        self.writing = false;
        self.durable = (seq, hash);
        self.unsaved = self.unsaved.split_off(&(seq + 1));
        for commit in commits {
            self.core.durable(commit);
            for event in &commit.events {
                match event {
                    Event::EscalationStepped { step, cycle, .. } if *step > 0 || *cycle > 0 => {
                        self.tally.escalated(false)
                    }
                    Event::EscalationExhausted { .. } => self.tally.escalated(true),
                    Event::Remedied(told) => self.tally.remedied(&told.what),
                    Event::PlaybookMoved(moved) => {
                        if let Move::Finished { ending, .. } = &moved.step {
                            self.tally.ran(*ending);
                        }
                    }
                    _ => {}
                }
            }
        }
        // With little to do, the page goes before the answer: who is paged sleeps, who waits for the answer does not.
        if commits.len() <= FEW {
            self.grants();
        }
        while self.waiting.front().is_some_and(|(wanted, _)| *wanted <= seq) {
            if let Some((_, call)) = self.waiting.pop_front() {
                release(call, Ok(()));
            }
        }
        if std::mem::take(&mut self.hung) {
            self.mended();
        }
        self.shelf.durable(seq, &self.durable.1);
    }

    /// A batch was lost: State goes back to what is durable, those who wait are told, pages already owed go on, and
    /// the operators are told by every method, past the journal.
    fn lost(&mut self, reason: String) {
        tracing::error!(%reason, durable = self.durable.0, "the journal could not be written");
        self.writing = false;
        self.unwritten.clear();
        self.parked.extend(std::mem::take(&mut self.unsaved).into_values().flatten());
        self.shelf.forget_pending();
        for (_, call) in std::mem::take(&mut self.waiting) {
            release(call, Err(Unavailable::Journal(reason.clone())));
        }
        self.hung = false;
        match self.shelf.restore(self.durable.0) {
            Ok(state) => self.core.rebuild(state),
            Err(error) => {
                // Without its own past the engine must not go on deciding; a restart recovers from the journal.
                tracing::error!(%error, "the durable state could not be read back; stopping");
                std::process::abort();
            }
        }
        self.trouble = Some(reason);
        self.alarm();
    }

    /// Tells the operators without the journal, which cannot be written; anew from time to time, for as long as it
    /// cannot. `Alarms` sees to it that it is no flood.
    fn alarm(&mut self) {
        let Some(reason) = &self.trouble else { return };
        let what = if self.hung { "Opsbell's journal waits: " } else { "Opsbell cannot write its journal: " };
        let text = format!("{what}{reason}. New commands are refused; pages already owed go on.");
        let org = Arc::clone(self.core.org());
        let install = self.core.state().meta.install.clone();
        let alarms = self.alarms.raise(self.clock.now(), &install, operators(&org), &text);
        self.dispatch.start(alarms, &org);
    }

    fn mended(&mut self) {
        let Some(reason) = self.trouble.take() else { return };
        tracing::warn!("the journal can be written again");
        for input in std::mem::take(&mut self.parked) {
            self.take(input);
        }
        // It may have been loaded meanwhile; nothing is written when it was not.
        let hash = self.core.org().hash.as_str().into();
        self.own(InputKind::ConfigLoaded { hash }, "config");
        let text =
            format!("Opsbell writes its journal again after: {reason}. What was refused meanwhile was answered so.");
        self.own(InputKind::TellOperators { text }, "journal");
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        if now < self.next_tick && self.next_tick.since(now) <= TICK {
            return;
        }
        if let Some(by) = self.clock.stepped() {
            tracing::warn!(by_ms = by.0, "the wall clock was stepped");
            let (kind, by) = (InputKind::ClockStepped { by }, By::timer("clock"));
            self.keep(Input { by, idempotency: None, kind, closed: Vec::new() });
        }
        self.next_tick = self.clock.now().after(TICK);
        self.tally.waiting(self.queues.asks.len(), self.unwritten.len());
        if self.writing && self.trouble.is_none() && self.clock.now().since(self.writing_since) > HUNG_AFTER {
            self.hung = true;
            let reason = format!("the disk has not answered for {HUNG_AFTER}");
            tracing::error!(%reason);
            self.trouble = Some(reason);
        }
        self.alarm();
        self.shelf.tick();
        let alarms = self.alarms.due(self.clock.now());
        self.dispatch.start(alarms, self.core.org());
    }

    /// Moments that have come, one at a time. While the journal cannot be written they wait.
    fn moments(&mut self) {
        if self.trouble.is_some() || self.stop.is_some() {
            return;
        }
        for _ in 0..ROUND {
            let Some(mut input) = self.core.due(self.clock.now()) else { break };
            if let InputKind::Wake(wakeup) = input.kind
                && wakeup.kind == WakeupKind::Summary
            {
                let head = Head { seq: self.durable.0, hash: self.durable.1.as_str().into() };
                input.kind = InputKind::Summarise { wakeup, head };
            }
            let before = self.core.state().meta.seq;
            self.take(input);
            if self.core.state().meta.seq == before {
                // A moment that changes nothing would come again at once; no such moment is known.
                tracing::error!("a moment changed nothing; looking again later");
                break;
            }
        }
    }

    fn grants(&mut self) {
        if self.stop.is_some() {
            return;
        }
        let now = self.clock.now();
        let granted = std::iter::from_fn(|| self.core.grant(now)).collect();
        self.dispatch.start(granted, self.core.org());
        self.errands();
    }

    /// Hands what was applied to the writer, when it is free. Until the next input State is what the last of these
    /// commits made it, so what is dirty can be gathered while they are being written.
    fn hand_over(&mut self) {
        if self.writing || self.unwritten.is_empty() || self.trouble.is_some() {
            return;
        }
        let batch = std::mem::take(&mut self.unwritten);
        let seq = self.core.state().meta.seq;
        self.writing = true;
        self.writing_since = self.clock.now();
        if let Some(writer) = &self.writer
            && !writer.write(batch)
        {
            tracing::error!("the writer has ended; stopping");
            std::process::abort();
        }
        self.shelf.gather(seq, self.core.state_mut(), self.clock.now());
    }

    /// Moves a virtual clock on: to the next moment once all that was due has happened and arrived.
    fn skip_on(&mut self) {
        let Some((target, _)) = self.skip else { return };
        if !self.quiet() || !self.unwritten.is_empty() || !self.queues.tells.is_empty() {
            return;
        }
        let now = self.clock.now();
        match self.core.next_wakeup().filter(|next| *next <= target) {
            Some(next) if next > now => self.clock.skip_to(next),
            Some(_) => {}
            None if target > now => self.clock.skip_to(target),
            None => {
                if let Some((_, done)) = self.skip.take() {
                    self.when_durable(Box::new(move |_| done()));
                }
            }
        }
    }
}
