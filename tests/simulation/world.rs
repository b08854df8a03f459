//! The world around the core: a clock, a disk that is slow and loses batches, receivers with moods, a process that
//! dies. It drives the core by the same calls, in the same order, as the engine does.

use std::collections::BTreeMap;
use std::sync::Arc;

use opsbell::domain::actor::By;
use opsbell::domain::delivery::{Grant, Outcome, Priority};
use opsbell::domain::event::Commit;
use opsbell::domain::id::{DeliveryId, IncidentId};
use opsbell::domain::incident::{Incident, IncidentState};
use opsbell::domain::input::{Answer, Input, InputKind};
use opsbell::domain::org::Org;
use opsbell::domain::state::{OpenRecords, State};
use opsbell::domain::time::{Span, Timestamp};
use opsbell::runtime::Core;

use crate::chance::Chance;
use crate::ledger::{Ledger, Truth, lane};
use crate::model::Model;
use crate::people::{self, Asked};
use crate::support_paging::{START, input, say, small, with_closed};

const INSTALL: &str = "s1m";
/// How long a night is: long enough for the last resort, several times.
const NIGHT: i64 = 4 * 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    /// It refuses at once: nothing has arrived.
    Refusing,
    /// It answers too late: it may have arrived.
    Hanging,
    /// It will never work.
    Broken,
    /// Any of these.
    Moody,
}

struct Flight {
    due: i64,
    id: DeliveryId,
    outcome: Outcome,
    lane: (String, Option<IncidentId>, bool),
}

struct Batch {
    due: i64,
    commits: Vec<Commit>,
    lost: bool,
}

/// Answered once its commit is durable.
struct Waiting {
    seq: u64,
    good: i64,
    asked: Asked,
    answer: Answer,
}

/// What was seen in all runs, so that a test that has become blind is noticed.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    commits: u64,
    starts: u64,
    repeats: u64,
    crashes: u64,
    lost: u64,
    steps: u64,
    incidents: u64,
    duties: u64,
    exhausted: u64,
}

impl Seen {
    pub fn add(&mut self, one: &Self) {
        self.commits += one.commits;
        self.starts += one.starts;
        self.repeats += one.repeats;
        self.crashes += one.crashes;
        self.lost += one.lost;
        self.steps += one.steps;
        self.incidents += one.incidents;
        self.duties += one.duties;
        self.exhausted += one.exhausted;
    }

    pub fn enough(&self, runs: u64) {
        let all = [self.repeats, self.crashes, self.lost, self.steps, self.duties / 10, self.exhausted];
        assert!(all.into_iter().all(|n| n >= runs / 3), "{self:?}");
    }
}

pub struct World {
    chance: Chance,
    org: Arc<Org>,
    core: Core,
    /// Milliseconds that went by.
    t: i64,
    /// Of these, those in which the engine could not work.
    bad: i64,
    /// What the wall clock was stepped by.
    stepped: i64,
    /// What is durable, and what it adds up to.
    journal: Vec<Commit>,
    safe: State,
    unwritten: Vec<Commit>,
    batch: Option<Batch>,
    waiting: Vec<Waiting>,
    unsaved: Vec<(u64, Input)>,
    parked: Vec<Input>,
    /// Until when the journal cannot be written.
    trouble: Option<i64>,
    flights: Vec<Flight>,
    late: Vec<(i64, Input)>,
    moods: BTreeMap<String, Mood>,
    next_deed: i64,
    calm: bool,
    ledger: Ledger,
    model: Model,
    pub seen: Seen,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let org = small();
        let mut world = Self {
            chance: Chance::new(seed),
            core: Core::new(State::new(INSTALL), org.clone()),
            org,
            t: 0,
            bad: 0,
            stepped: 0,
            journal: Vec::new(),
            safe: State::new(INSTALL),
            unwritten: Vec::new(),
            batch: None,
            waiting: Vec::new(),
            unsaved: Vec::new(),
            parked: Vec::new(),
            trouble: None,
            flights: Vec::new(),
            late: Vec::new(),
            moods: BTreeMap::new(),
            next_deed: 1,
            calm: false,
            ledger: Ledger::default(),
            model: Model::default(),
            seen: Seen::default(),
        };
        let at = world.now();
        world.take(input(By::timer("engine"), InputKind::Started { version: "0".into(), at }));
        world
    }

    fn now(&self) -> Timestamp {
        Timestamp(START + self.t + self.stepped)
    }

    /// The engine's own time, in which nothing may be late.
    fn good(&self) -> i64 {
        self.t - self.bad
    }

    /// Hours of everything.
    pub fn bad_night(&mut self) {
        while self.t < NIGHT {
            self.round();
        }
    }

    /// All works again and nobody does anything: everything owed arrives, every page ends. Then people resolve what
    /// is left, and of all of it nothing stays in memory.
    pub fn morning(&mut self) {
        self.calm = true;
        self.moods.clear();
        self.until_quiet();
        for incident in self.core.state().open_incidents() {
            if incident.state == IncidentState::Triggered && incident.severity.pages() {
                assert!(incident.exhausted_at.is_some(), "{} waits for ever: {incident:#?}", incident.id);
            }
        }
        self.seen.exhausted +=
            self.core.state().open_incidents().filter(|incident| incident.exhausted_at.is_some()).count() as u64;
        assert_eq!(self.core.state().owed_count(), 0, "everything owed has arrived or is no longer wanted");
        assert!(self.core.is_idle());
        let open: Vec<IncidentId> = self.core.state().open_incidents().map(|incident| incident.id).collect();
        for id in open {
            self.ask(say("op", &format!("/resolve {id}")), Asked::Resolve(id));
        }
        self.until_quiet();
        let state = self.core.state();
        let before = state.disassemble();
        let left = OpenRecords {
            meta: state.meta.clone(),
            answers: state.answers.clone().into_iter().collect(),
            // What came again within thirty days, postmortems that nobody has published, and what reports count.
            recent: before.recent,
            waiting: before.waiting,
            outages: before.outages,
            ..OpenRecords::default()
        };
        assert_eq!(state, &State::assemble(left), "only numbers are left");
        assert_eq!((state.owed_count(), self.core.under_way(), self.core.next_wakeup()), (0, 0, None));
        assert!(self.core.is_idle(), "the outbox keeps nothing");
        let (started, owed) = self.ledger.started_of_owed();
        assert!(started <= owed);
        self.seen.commits = self.journal.len() as u64;
        self.seen.repeats = self.ledger.repeats;
        self.seen.incidents = state.meta.incidents;
        self.seen.duties = self.model.fulfilled;
    }

    fn until_quiet(&mut self) {
        for round in 0.. {
            assert!(round < 200_000, "it never ends");
            if self.next_event().is_none() {
                return;
            }
            self.round();
        }
    }

    /// When something happens next.
    fn next_event(&self) -> Option<i64> {
        let wakeup = if self.trouble.is_none() { self.core.next_wakeup() } else { self.core.next_retry() };
        let wakeup = wakeup.map(|at| at.0 - START - self.stepped);
        let deed = (!self.calm).then_some(self.next_deed);
        let flight = self.flights.iter().map(|flight| flight.due).min();
        let late = self.late.iter().map(|(at, _)| *at).min();
        let batch = self.batch.as_ref().map(|batch| batch.due);
        [wakeup, deed, flight, late, batch, self.trouble].into_iter().flatten().min()
    }

    /// Lets time go by to the next thing that happens, then the engine has a round.
    fn round(&mut self) {
        let Some(next) = self.next_event() else { return };
        let next = next.max(self.t);
        if self.trouble.is_some() {
            self.bad += next - self.t;
        }
        self.t = next;
        self.receipts();
        self.disk();
        if self.trouble.is_some_and(|until| until <= self.t) {
            self.mended();
        }
        if !self.calm && self.next_deed <= self.t {
            self.deed();
            // Sometimes many things at once, mostly minutes apart.
            let wait = if self.chance.one_in(3) { self.chance.ms(0, 400) } else { self.chance.ms(1_000, 1_200_000) };
            self.next_deed = self.t + wait;
        }
        self.moments();
        self.grants();
        self.hand_over();
        if let Err((id, forgotten)) = self.model.check(self.good()) {
            for commit in &self.journal {
                let good = commit.at.0 - START;
                for event in commit.events.iter().filter(|event| event.incident() == Some(id)) {
                    println!("{} {good} {} {event:?}", commit.seq, commit.by.actor);
                }
            }
            panic!("{id} at {} (clock {}): {forgotten}", self.good(), self.now().0 - START);
        }
        let again = if self.trouble.is_none() { self.core.next_wakeup() } else { self.core.next_retry() };
        assert!(again.is_none_or(|at| at > self.now()), "a moment that has come is not handled: {again:?}");
    }

    fn receipts(&mut self) {
        let mut due: Vec<Flight> = Vec::new();
        let mut at = 0;
        while at < self.flights.len() {
            if self.flights[at].due <= self.t { due.push(self.flights.swap_remove(at)) } else { at += 1 }
        }
        due.sort_by(|a, b| (a.due, &a.id).cmp(&(b.due, &b.id)));
        // The engine makes one commit of those that arrived together; here that happens or not.
        let together = self.chance.one_in(2);
        let mut arrived = Vec::new();
        for flight in due {
            self.core.ended(&flight.id);
            self.ledger.ended(&flight.id);
            if together && flight.outcome == Outcome::Accepted {
                arrived.push(flight.id);
                continue;
            }
            let kind = InputKind::Receipt { delivery: flight.id, outcome: flight.outcome };
            let receipt = input(By::timer("lane"), kind);
            if self.chance.one_in(20) {
                self.late.push((self.t + self.chance.ms(0, 100_000), receipt.clone()));
            }
            self.keep(receipt);
        }
        if !arrived.is_empty() {
            self.keep(input(By::timer("lane"), InputKind::Arrived(arrived)));
        }
        let (again, late): (Vec<_>, _) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= self.t);
        self.late = late;
        for (_, receipt) in again {
            // Told twice, and the second time late. While another attempt is under way it would be taken for its.
            let InputKind::Receipt { delivery, .. } = &receipt.kind else { continue };
            if self.flights.iter().all(|flight| flight.id != *delivery) {
                self.keep(receipt);
            }
        }
    }

    /// An input that must not be lost with a batch.
    fn keep(&mut self, input: Input) {
        if self.trouble.is_some() {
            return self.parked.push(input);
        }
        let answer = self.take(input.clone());
        if answer.seq > self.journal.len() as u64 {
            self.unsaved.push((answer.seq, input));
        }
    }

    fn take(&mut self, input: Input) -> Answer {
        let now = self.now();
        let (answer, commit) = self.core.take(now, input);
        if let Some(commit) = commit {
            self.ledger.applied(&commit);
            self.unwritten.push(commit);
        }
        answer
    }

    fn ask(&mut self, asked_input: Input, asked: Asked) {
        if self.trouble.is_some() {
            return;
        }
        let closed = self.closed();
        let input = with_closed(asked_input, self.core.state(), &closed);
        let answer = self.take(input);
        let waiting = Waiting { seq: answer.seq, good: self.good(), asked, answer };
        if waiting.seq <= self.journal.len() as u64 { self.answer(waiting) } else { self.waiting.push(waiting) }
    }

    fn answer(&mut self, waiting: Waiting) {
        people::hear(&mut self.model, waiting.good, waiting.asked, &waiting.answer);
    }

    /// Closed records: kept by State until they are gathered, which nobody does here.
    fn closed(&self) -> BTreeMap<IncidentId, Incident> {
        self.core.state().closed_incidents_since().clone()
    }

    fn disk(&mut self) {
        let Some(batch) = self.batch.take_if(|batch| batch.due <= self.t) else { return };
        if batch.lost {
            return self.lost();
        }
        self.is_durable(batch.commits);
    }

    fn is_durable(&mut self, commits: Vec<Commit>) {
        for commit in commits {
            assert_eq!(commit.seq, self.journal.len() as u64 + 1);
            self.ledger.durable(&commit);
            self.core.durable(&commit);
            self.safe.apply(&commit);
            self.journal.push(commit);
        }
        let seq = self.journal.len() as u64;
        self.unsaved.retain(|(at, _)| *at > seq);
        let (ready, waiting): (Vec<_>, _) =
            std::mem::take(&mut self.waiting).into_iter().partition(|one| one.seq <= seq);
        self.waiting = waiting;
        for one in ready {
            self.answer(one);
        }
    }

    fn lost(&mut self) {
        self.seen.lost += 1;
        self.unwritten.clear();
        self.waiting.clear();
        self.parked.extend(std::mem::take(&mut self.unsaved).into_iter().map(|(_, input)| input));
        self.core.rebuild(self.safe.clone());
        self.ledger.lost(&self.journal);
        let within = self.chance.ms(1, 120_000);
        self.trouble = Some(self.t + within);
    }

    fn mended(&mut self) {
        self.trouble = None;
        for input in std::mem::take(&mut self.parked) {
            self.keep(input);
        }
        let text = "the journal is written again".to_owned();
        self.take(input(By::timer("journal"), InputKind::TellOperators { text }));
    }

    fn crash(&mut self) {
        self.seen.crashes += 1;
        // Of the batch that was being written any beginning may be on the disk.
        if let Some(mut batch) = self.batch.take() {
            batch.commits.truncate(usize::try_from(self.chance.below(batch.commits.len() as u64 + 1)).unwrap_or(0));
            self.is_durable(batch.commits);
        }
        let steps_lost = self.unsaved.iter().map(|(_, input)| input).chain(&self.parked);
        if steps_lost.filter(|input| matches!(input.kind, InputKind::ClockStepped { .. })).count() > 0 {
            // Nobody can know by how much the clock was stepped then.
            self.model.all_unclear();
        }
        self.unwritten.clear();
        self.waiting.clear();
        self.unsaved.clear();
        self.parked.clear();
        self.flights.clear();
        self.late.clear();
        self.trouble = None;
        let down = if self.chance.one_in(3) { self.chance.ms(0, 900_000) } else { self.chance.ms(0, 5_000) };
        self.t += down;
        self.bad += down;
        self.ledger.reborn(&self.journal);
        self.core = Core::new(self.safe.clone(), self.org.clone());
        let at = self.now();
        self.take(input(By::timer("engine"), InputKind::Started { version: "0".into(), at }));
    }

    fn deed(&mut self) {
        match self.chance.below(40) {
            0 => self.crash(),
            1 => {
                let by = if self.chance.one_in(2) {
                    self.chance.ms(-7_200_000, 7_200_000)
                } else {
                    self.chance.ms(-30_000, 30_000)
                };
                self.stepped += by;
                self.seen.steps += 1;
                self.keep(input(By::timer("clock"), InputKind::ClockStepped { by: Span(by) }));
            }
            2..5 => {
                let moods = [Mood::Good, Mood::Good, Mood::Refusing, Mood::Hanging, Mood::Broken, Mood::Moody];
                let mood = self.chance.pick(&moods);
                let lane = self.chance.pick(&["chat", "webhook", "email", "sms", "voice", "push"]);
                self.moods.insert(lane.to_owned(), mood);
            }
            _ => {
                let (input, asked) = people::anything(&mut self.chance, self.core.state());
                self.ask(input, asked);
            }
        }
    }

    fn moments(&mut self) {
        if self.trouble.is_some() {
            return;
        }
        for again in 0.. {
            let Some(input) = self.core.due(self.now()) else { break };
            assert!(again < 10_000, "moments without end: {input:?}");
            let before = self.core.state().meta.seq;
            let kind = input.kind.clone();
            self.take(input);
            assert!(self.core.state().meta.seq > before, "{kind:?} changed nothing");
        }
    }

    fn grants(&mut self) {
        let now = self.now();
        while let Some(grant) = self.core.grant(now) {
            self.seen.starts += 1;
            self.send(&grant);
        }
        assert_eq!(self.core.under_way(), self.flights.len());
    }

    fn send(&mut self, grant: &Grant) {
        // Pages of an incident start in order, and so does the rest; the two do not wait for each other.
        let at = (lane(&grant.to), grant.incident, grant.priority <= Priority::Page);
        if grant.incident.is_some() {
            assert!(
                self.flights.iter().all(|flight| flight.lane != at),
                "{}: a lane is ordered per incident",
                grant.id
            );
        }
        let mut mood = self.moods.get(&at.0).copied().unwrap_or(Mood::Good);
        if mood == Mood::Moody {
            mood = self.chance.pick(&[Mood::Good, Mood::Refusing, Mood::Hanging, Mood::Broken]);
        }
        let reason = || "it does not work today".to_owned();
        let (outcome, truth, takes) = match mood {
            Mood::Good | Mood::Moody => (Outcome::Accepted, Truth::MayHaveArrived, self.chance.ms(5, 3_000)),
            Mood::Refusing => {
                let after = self.chance.one_in(4).then(|| Span(self.chance.ms(0, 90_000)));
                (Outcome::Retryable { reason: reason(), after, unknown: false }, Truth::Refused, self.chance.ms(1, 500))
            }
            Mood::Hanging => (
                Outcome::Retryable { reason: reason(), after: None, unknown: true },
                Truth::MayHaveArrived,
                self.chance.ms(3_000, 30_000),
            ),
            Mood::Broken => (Outcome::Permanent { reason: reason() }, Truth::Refused, self.chance.ms(1, 500)),
        };
        self.ledger.start(grant, truth);
        self.model.started(grant);
        self.flights.push(Flight { due: self.t + takes, id: grant.id.clone(), outcome, lane: at });
    }

    fn hand_over(&mut self) {
        if self.batch.is_some() || self.unwritten.is_empty() || self.trouble.is_some() {
            return;
        }
        let commits = std::mem::take(&mut self.unwritten);
        // A disk that is about to fail is slow first: much is applied meanwhile that will not have been.
        let lost = !self.calm && self.chance.one_in(60);
        let slow = if lost || self.chance.one_in(10) { 3_000 } else { 20 };
        let due = self.t + self.chance.ms(0, slow);
        self.batch = Some(Batch { due, commits, lost });
    }
}
