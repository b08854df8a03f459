//! The live side of a run: the core, its commits, and what a runtime keeps around it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use opsbell::domain::actor::By;
use opsbell::domain::delivery::{Destination, Outcome};
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::id::{DeliveryId, IncidentId};
use opsbell::domain::incident::Incident;
use opsbell::domain::input::{Input, InputKind, WakeupKind};
use opsbell::domain::org::Org;
use opsbell::domain::signal::{AlertSeverity, CodeHost, Deployment, Progress, Question, Ran, SignalKind, Stage};
use opsbell::domain::state::{OpenRecords, RecordKey, State};
use opsbell::domain::time::{Span, Timestamp};
use opsbell::journal::Journal;
use opsbell::runtime::Core;

use crate::ops::{INTEGRATIONS, Op, PEOPLE, SERVICES, WORDS};
use crate::support_faults::FaultDisk;
use crate::support_paging::{START, example, input, person, press, say, sent, signal, small, with_closed};

pub const INSTALL: &str = "t3st";

/// Milliseconds that go by with each input.
const TAKES: i64 = 7;

pub struct Live {
    pub core: Core,
    pub commits: Vec<Commit>,
    orgs: [Arc<Org>; 2],
    which: usize,
    now: Timestamp,
    closed: BTreeMap<IncidentId, Incident>,
    under_way: Vec<DeliveryId>,
    /// What the records room would hold, by what was dirty.
    records: BTreeMap<RecordKey, Value>,
}

impl Live {
    pub fn new(start_with_example: bool) -> Self {
        let orgs = [small(), example()].map(answering);
        let which = usize::from(start_with_example);
        let core = Core::new(State::new(INSTALL), orgs[which].clone());
        let mut live = Self {
            core,
            commits: Vec::new(),
            orgs,
            which,
            now: Timestamp(START),
            closed: BTreeMap::new(),
            under_way: Vec::new(),
            records: BTreeMap::new(),
        };
        live.take(input(By::timer("engine"), InputKind::Started { version: "0".into(), at: Timestamp(START) }));
        live
    }

    pub fn run(&mut self, op: &Op) {
        match op {
            Op::Signal { integration, kind, service, key, severity, environment, summary, label } => {
                let (integration, key) = (INTEGRATIONS[*integration], format!("k{key}"));
                let mut signal = signal(integration, *kind, SERVICES[*service], &key, *severity);
                signal.environment = environment.map(|n| format!("env{n}"));
                signal.summary = summary.map(|n| format!("summary {n}\nof two lines"));
                signal.labels.extend(label.map(|n| ("alertname".to_owned(), format!("name{n}"))));
                if matches!(kind, SignalKind::Deploy | SignalKind::Ci | SignalKind::Ignore) {
                    signal.deployment = Some(Box::new(deployment(*severity, *summary, *label)));
                }
                self.take(sent(integration, signal));
            }
            Op::Say { who, words, incident, key } => {
                let text = WORDS[*words].replace('#', &incident.to_string());
                let mut said = say(PEOPLE[*who], &text);
                said.idempotency = key.map(|key| format!("key{key}").into());
                self.take(said);
            }
            Op::Press { who, button, incident, key } => {
                let mut pressed = press(PEOPLE[*who], *button, *incident);
                pressed.idempotency = key.map(|key| format!("key{key}").into());
                self.take(pressed);
            }
            Op::Grant(most) => {
                for _ in 0..*most {
                    let Some(grant) = self.core.grant(self.now) else { break };
                    self.under_way.push(grant.id);
                }
            }
            Op::Receipt { which, outcome, again } if !self.under_way.is_empty() => {
                let id = self.under_way.remove(which.index(self.under_way.len()));
                self.core.ended(&id);
                self.receipt(id.clone(), outcome.clone());
                if *again {
                    self.core.ended(&id);
                    self.receipt(id, outcome.clone());
                }
            }
            Op::Receipt { .. } => {}
            Op::Arrived => {
                let all = std::mem::take(&mut self.under_way);
                all.iter().for_each(|id| self.core.ended(id));
                self.take(input(By::timer("lane"), InputKind::Arrived(all)));
            }
            Op::Lost => {
                for id in std::mem::take(&mut self.under_way) {
                    self.core.ended(&id);
                    self.receipt(id, Outcome::Permanent { reason: "no such address".into() });
                }
            }
            Op::Strange { seq, n, outcome } => {
                self.receipt(DeliveryId { install: INSTALL.into(), seq: *seq, n: *n }, outcome.clone());
            }
            Op::Wait(ms) => {
                self.now = self.now.after(Span(*ms));
                self.moments();
            }
            Op::Step(by) => {
                self.now = self.now.after(*by);
                self.take(input(By::timer("clock"), InputKind::ClockStepped { by: *by }));
            }
            Op::Switch => {
                self.which = 1 - self.which;
                let org = self.orgs[self.which].clone();
                let hash = org.hash.as_str().into();
                self.core.set_org(org);
                self.take(input(By::timer("config"), InputKind::ConfigLoaded { hash }));
            }
            Op::AddToken { who, token, person: of } => {
                let kind = InputKind::AddToken {
                    token: format!("t{token}").into(),
                    person: PEOPLE[*of].into(),
                    sha256: "ab".repeat(32).into(),
                };
                self.take(input(person(PEOPLE[*who]), kind));
            }
            Op::RevokeToken { who, token, of_person } => {
                let token = if *of_person { PEOPLE[usize::from(*token)].into() } else { format!("t{token}").into() };
                self.take(input(person(PEOPLE[*who]), InputKind::RevokeToken { token }));
            }
            Op::Tell => self.take(input(By::timer("auditor"), InputKind::TellOperators { text: "look".into() })),
            Op::Restart => {
                let state = self.core.state().disassemble();
                self.gather();
                self.core = Core::new(State::assemble(state), self.orgs[self.which].clone());
                self.under_way.clear();
            }
            Op::Gather => self.gather(),
        }
    }

    /// The clock is stepped; nothing else happens and no time goes by.
    pub fn step(&mut self, by: Span) {
        self.run(&Op::Step(by));
        self.now = self.now.after(Span(-TAKES));
    }

    /// Lets minutes go by in which all that is sent ends like this.
    pub fn minutes(&mut self, minutes: u32, ends: Op) {
        for _ in 0..minutes {
            self.run(&Op::Wait(60_000));
            loop {
                self.run(&Op::Grant(u8::MAX));
                if self.under_way.is_empty() {
                    break;
                }
                self.run(&ends);
            }
        }
    }

    /// Whether a page has reached somebody since it was last asked for anew; a fallback goes on with what was asked.
    pub fn reached(&self, incident: &Incident) -> bool {
        let wakes = |id: &DeliveryId| {
            let delivery = incident.deliveries.iter().find(|it| it.id == *id);
            delivery.is_some_and(|it| it.is_page() && !matches!(it.to, Destination::Channel(_)))
        };
        let mut reached = false;
        for commit in &self.commits {
            let of_it = |event: &&Event| event.incident() == Some(incident.id);
            let exhausted =
                commit.events.iter().filter(of_it).any(|it| matches!(it, Event::EscalationExhausted { .. }));
            for event in &commit.events {
                match event {
                    Event::EscalationStarted { .. } if of_it(&event) => reached &= exhausted,
                    Event::DeliveryAccepted { delivery, .. } => reached |= wakes(delivery),
                    _ => {}
                }
            }
        }
        reached
    }

    /// What the clock says.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What happened, in order, but for steps of the clock: the kinds of events and the messages that were owed.
    pub fn happened(&self) -> Vec<String> {
        let told = |event: &Event| match event {
            Event::ClockStepped { .. } => None,
            Event::DeliveryOwed(owed) => Some(format!("{:?} {:?} {}", owed.incident, owed.page, owed.to)),
            other => Some(json(other)["type"].as_str().unwrap_or_default().to_owned()),
        };
        self.commits.iter().flat_map(|commit| &commit.events).filter_map(told).collect()
    }

    /// What happens by itself, and how long until then.
    pub fn waits_for(&self) -> Vec<(Span, WakeupKind)> {
        self.core.state().wakeups().map(|it| (it.due.since(self.now), it.kind)).collect()
    }

    fn receipt(&mut self, delivery: DeliveryId, outcome: Outcome) {
        self.take(input(By::timer("lane"), InputKind::Receipt { delivery, outcome }));
    }

    fn take(&mut self, input: Input) {
        // The closed ones are with the runtime until the records have them.
        let mut known = self.closed.clone();
        known.extend(self.core.state().closed_incidents_since().clone());
        let input = with_closed(input, self.core.state(), &known);
        let before = self.core.state().clone();
        let (answer, commit) = self.core.take(self.now, input);
        match commit {
            Some(commit) => {
                assert_eq!(commit.seq, before.meta.seq + 1);
                self.core.durable(&commit);
                self.commits.push(commit);
            }
            None => assert_eq!(&before, self.core.state(), "nothing is written where nothing changes"),
        }
        // A kept answer rests on the commit that it was given with.
        assert!(answer.seq <= self.core.state().meta.seq);
        self.now = self.now.after(Span(TAKES));
    }

    /// Every moment that has come changes something: else it would come again for ever.
    fn moments(&mut self) {
        while let Some(input) = self.core.due(self.now) {
            let kind = input.kind.clone();
            let before = self.commits.len();
            self.take(input);
            assert!(self.commits.len() > before, "{kind:?} changed nothing");
            // More than two months of catching up would be a loop.
            assert!(self.commits.len() < before + 50, "{kind:?}");
        }
    }

    fn gather(&mut self) {
        let dirty = self.core.state_mut().take_dirty();
        let state = self.core.state();
        for key in dirty.touched {
            let value = match &key {
                RecordKey::Meta => Some(json(&state.meta)),
                RecordKey::Alert(id) => state.alerts.get(id).map(json),
                RecordKey::Incident(id) => state.incidents.get(id).map(json),
                RecordKey::Notice(id) => state.notices.get(id).map(json),
                RecordKey::Answer(id) => state.answers.get(id).map(json),
                RecordKey::Token(id) => state.tokens.get(id).map(json),
                RecordKey::Silence(id) => state.silences.get(id).map(json),
                RecordKey::Problem(id) => state.problems.get(id).map(json),
                RecordKey::Recent(id) => state.recent.get(id).map(json),
                RecordKey::Waiting(id) => state.waiting_postmortems.get(id).map(json),
                RecordKey::Request(id) => state.requests.get(id).map(json),
                RecordKey::Change(id) => state.changes.get(id).map(json),
                RecordKey::Freeze(id) => state.freezes.get(id).map(json),
                RecordKey::Past(id) => state.past.get(id).map(json),
                RecordKey::Run(id) => state.runs.get(id).map(json),
                RecordKey::Deployment(id) => state.deployments.get(id).map(json),
                RecordKey::Commit(n) => state.commits.get(n).map(json),
                RecordKey::Outage(id) => state.outages.get(id).map(json),
            };
            match value {
                Some(value) => self.records.insert(key, value),
                None => self.records.remove(&key),
            };
        }
        self.closed.extend(dirty.closed_incidents);
    }

    /// What was dirty adds up to what State keeps.
    pub fn compare_records(&mut self) {
        self.gather();
        let state = self.core.state();
        let mut wanted = BTreeMap::from([(RecordKey::Meta, json(&state.meta))]);
        wanted.extend(state.alerts.iter().map(|(id, record)| (RecordKey::Alert(*id), json(record))));
        wanted.extend(state.incidents.iter().map(|(id, record)| (RecordKey::Incident(*id), json(record))));
        wanted.extend(state.notices.iter().map(|(id, record)| (RecordKey::Notice(id.clone()), json(record))));
        wanted.extend(state.answers.iter().map(|(id, record)| (RecordKey::Answer(id.clone()), json(record))));
        wanted.extend(state.tokens.iter().map(|(id, record)| (RecordKey::Token(id.clone()), json(record))));
        wanted.extend(state.silences.iter().map(|(id, record)| (RecordKey::Silence(*id), json(record))));
        wanted.extend(state.problems.iter().map(|(id, record)| (RecordKey::Problem(*id), json(record))));
        wanted.extend(state.recent.iter().map(|(id, record)| (RecordKey::Recent(*id), json(record))));
        wanted.extend(state.waiting_postmortems.iter().map(|(id, record)| (RecordKey::Waiting(*id), json(record))));
        wanted.extend(state.requests.iter().map(|(id, record)| (RecordKey::Request(*id), json(record))));
        wanted.extend(state.changes.iter().map(|(id, record)| (RecordKey::Change(*id), json(record))));
        wanted.extend(state.freezes.iter().map(|(id, record)| (RecordKey::Freeze(*id), json(record))));
        wanted.extend(state.past.iter().map(|(id, record)| (RecordKey::Past(*id), json(record))));
        wanted.extend(state.runs.iter().map(|(id, record)| (RecordKey::Run(*id), json(record))));
        wanted.extend(state.deployments.iter().map(|(id, record)| (RecordKey::Deployment(*id), json(record))));
        wanted.extend(state.commits.iter().map(|(n, record)| (RecordKey::Commit(*n), json(record))));
        wanted.extend(state.outages.iter().map(|(id, record)| (RecordKey::Outage(*id), json(record))));
        assert_eq!(self.records, wanted);
        for (id, closed) in &self.closed {
            assert!(closed.deliveries.iter().all(|delivery| !delivery.owed()), "{id} is closed and owes something");
        }
    }

    /// The commits as they come back from a journal on a disk in memory.
    pub fn through_the_journal(&self) -> Vec<Commit> {
        let (disk, dir) = (Arc::new(FaultDisk::new(1)), Path::new("journal"));
        let (mut journal, _) = Journal::open(disk.clone(), dir, INSTALL, None).expect("a fresh journal");
        journal.rotate_at(60_000);
        let epoch = journal.epoch();
        for batch in self.commits.chunks(7) {
            journal.append(batch[0].seq, epoch, batch).expect("the disk in memory does not fail");
        }
        drop(journal);
        disk.crash();
        let (journal, found) = Journal::open(disk, dir, "other", None).expect("it opens again");
        assert_eq!(found.last_seq, self.commits.len() as u64);
        let mut read = Vec::new();
        let visit = |commit, _: &str| {
            read.push(commit);
            ControlFlow::Continue(())
        };
        journal.reader().replay(1, visit).expect("it reads");
        read
    }
}

fn json<T: serde::Serialize>(record: T) -> Value {
    serde_json::to_value(record).expect("plain data")
}

/// Everything State keeps, as bytes.
pub fn bytes(records: &OpenRecords) -> Vec<u8> {
    let OpenRecords {
        meta,
        alerts,
        incidents,
        notices,
        answers,
        tokens,
        silences,
        problems,
        recent,
        waiting,
        requests,
        changes,
        freezes,
        past,
        runs,
        deployments,
        commits,
        outages,
    } = records;
    let more = (runs, deployments, commits, outages, requests);
    let whole = (
        meta, alerts, incidents, notices, answers, tokens, silences, problems, recent, waiting, changes, freezes, past,
        more,
    );
    serde_json::to_vec(&whole).expect("plain data")
}

/// State from those bytes.
pub fn from_bytes(bytes: &[u8]) -> State {
    let (
        meta,
        alerts,
        incidents,
        notices,
        answers,
        tokens,
        silences,
        problems,
        recent,
        waiting,
        changes,
        freezes,
        past,
        (runs, deployments, commits, outages, requests),
    ) = serde_json::from_slice(bytes).expect("its own words");
    let records = OpenRecords {
        meta,
        alerts,
        incidents,
        notices,
        answers,
        tokens,
        silences,
        problems,
        recent,
        waiting,
        requests,
        changes,
        freezes,
        past,
        runs,
        deployments,
        commits,
        outages,
    };
    State::assemble(records)
}

/// The same organisation, with code hosts that are answered.
fn answering(org: Arc<Org>) -> Arc<Org> {
    let mut org = (*org).clone();
    for sender in org.integrations.values_mut() {
        sender.answers = Some("https://code.example".into());
    }
    Arc::new(org)
}

/// A step of a deployment, made of what a signal has.
fn deployment(severity: Option<AlertSeverity>, summary: Option<u8>, label: Option<u8>) -> Deployment {
    let sha = |n: u8| format!("{n:x}").repeat(40);
    let commit = |n: u8| opsbell::domain::signal::Commit {
        sha: sha(n + 1),
        at: Some(Timestamp(1_700_000_000_000)),
        email: None,
    };
    let ran = |n: u8| {
        let from = Timestamp(1_700_000_000_000 + i64::from(n) * 1_200_000);
        let stage = if n.is_multiple_of(2) { Stage::Build } else { Stage::Test };
        Ran { stage, from, until: Timestamp(from.0 + 600_000) }
    };
    Deployment {
        progress: severity.map(|severity| match severity {
            AlertSeverity::Info => Progress::Pending,
            AlertSeverity::Warning => Progress::Started,
            AlertSeverity::High => Progress::Succeeded,
            AlertSeverity::Critical => Progress::Failed,
        }),
        version: summary.map(|n| format!("1.{n}")),
        sha: label.map(|n| sha(n + 1)),
        repository: None,
        commits: summary.map(commit).into_iter().collect(),
        ran: summary.map(ran).into_iter().collect(),
        review: None,
        // Asked of an integration that answers; another one takes it for a step.
        question: label.filter(|n| n % 2 == 0).map(|n| {
            Box::new(Question {
                host: CodeHost::GitLab,
                to: format!("/api/v4/projects/{n}/deployments/{n}/approval"),
                environment: "production".to_owned(),
                by: Vec::new(),
            })
        }),
    }
}
