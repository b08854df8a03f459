//! A world around the core: a clock that only a story moves, a journal that is a list in memory, and senders that only
//! pretend. Every commit is durable at once, and whatever may start is sent and answered at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::noted::noted;
use super::story::{Fault, StepGoes};
use crate::domain::actor::{ADMINISTRATOR, Actor, By};
use crate::domain::alert::text;
use crate::domain::change::Change;
use crate::domain::delivery::{ChannelRef, Content, Destination, Grant, Judged, Method, Outcome};
use crate::domain::event::{Commit, Event};
use crate::domain::id::{
    ChangeId, DeliveryId, IncidentId, IntegrationId, PersonId, ProblemId, RunId, ServiceRequestId,
};
use crate::domain::incident::Incident;
use crate::domain::input::{Button, Closed, Input, InputKind, JudgeButton, Place, Reply, WakeupKind};
use crate::domain::org::{Integration, Org};
use crate::domain::playbook::question::{RunButton, Which};
use crate::domain::playbook::{Errand, Performed, Work};
use crate::domain::problem::Problem;
use crate::domain::reject::Reject;
use crate::domain::request::ServiceRequest;
use crate::domain::signal::Signal;
use crate::domain::state::State;
use crate::domain::time::Timestamp;
use crate::runtime::{Core, Factors};

/// The integration that a story's own alerts come from. It is added to every organisation that a story uses.
pub const STORY: &str = "story";
/// The name of a story's data directory in delivery ids.
const INSTALL: &str = "story";

/// Why nothing is said in chat where none is connected, as `serve` would find.
pub const NOT_CONNECTED: &str = "not connected";

/// A world in which a story plays.
pub struct World {
    core: Core,
    now: Timestamp,
    journal: Vec<Kept>,
    closed: BTreeMap<IncidentId, Incident>,
    closed_problems: BTreeMap<ProblemId, Problem>,
    closed_requests: BTreeMap<ServiceRequestId, ServiceRequest>,
    closed_changes: BTreeMap<ChangeId, Change>,
    faults: BTreeSet<Fault>,
    /// How steps outside go, by their name or `http` and `run`.
    steps: BTreeMap<String, StepGoes>,
    /// Sent, and never answered: what hangs while `hold` is on.
    hanging: bool,
    log: Vec<Happening>,
}

/// One commit as the journal would keep it: who and what as JSON text.
struct Kept {
    seq: u64,
    at: Timestamp,
    line: String,
}

/// What the text of a kept commit holds.
#[derive(Serialize, Deserialize)]
struct Said {
    by: By,
    events: Vec<Event>,
}

/// Something that could be seen from outside, or that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody was told something.
    Sent {
        /// Its id; the same for a repeat.
        delivery: DeliveryId,
        /// To whom or where.
        to: Destination,
        /// What was said.
        content: Content,
        /// About which incident.
        incident: Option<IncidentId>,
        /// Whether it says that it may be a repeat.
        possible_repeat: bool,
    },
    /// Somebody could not be told something.
    NotSent {
        /// To whom or where.
        to: Destination,
        /// What would have been said.
        content: Content,
        /// About which incident.
        incident: Option<IncidentId>,
        /// Why.
        reason: String,
    },
    /// A person was answered.
    Replied {
        /// Who.
        person: PersonId,
        /// What, or why not.
        reply: Result<Reply, Reject>,
    },
    /// A signal was taken.
    Signalled(Result<Reply, Reject>),
    /// A record changed.
    Noted(String),
}

impl World {
    /// A new world. Opsbell starts in it with this organisation.
    pub fn new(org: Org, now: Timestamp) -> Self {
        let core = Core::new(State::new(INSTALL), Arc::new(with_story(org))).with_factors(Factors::simulated());
        let mut world = Self {
            core,
            now,
            journal: Vec::new(),
            closed: BTreeMap::new(),
            closed_problems: BTreeMap::new(),
            closed_requests: BTreeMap::new(),
            closed_changes: BTreeMap::new(),
            faults: BTreeSet::new(),
            steps: BTreeMap::new(),
            hanging: false,
            log: Vec::new(),
        };
        world.started();
        world
    }

    /// The time in this world.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What the commits so far add up to.
    pub fn state(&self) -> &State {
        self.core.state()
    }

    /// The organisation in force.
    pub fn org(&self) -> &Arc<Org> {
        self.core.org()
    }

    /// Everything that has happened, in order.
    pub fn log(&self) -> &[Happening] {
        &self.log
    }

    /// An incident, open or closed.
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.state().incidents.get(&id).map(|incident| &**incident).or_else(|| self.closed.get(&id))
    }

    /// A request, open or over.
    pub fn request(&self, id: ServiceRequestId) -> Option<&ServiceRequest> {
        self.state().requests.get(&id).map(|request| &**request).or_else(|| self.closed_requests.get(&id))
    }

    /// A problem, open or closed.
    pub fn problem(&self, id: ProblemId) -> Option<&Problem> {
        self.state().problems.get(&id).map(|problem| &**problem).or_else(|| self.closed_problems.get(&id))
    }

    /// A change, open or over.
    pub fn change(&self, id: ChangeId) -> Option<&Change> {
        self.state().changes.get(&id).map(|change| &**change).or_else(|| self.closed_changes.get(&id))
    }

    /// Goes forward to an instant: every moment on the way is taken at its own time, those due at the end as well.
    /// Errors: a moment that comes again and again without anything following from it.
    pub fn go_to(&mut self, until: Timestamp) -> Result<(), String> {
        let mut idle = 0;
        while let Some(next) = self.core.next_wakeup().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            let before = self.journal.len();
            if let Some(input) = self.core.due(self.now) {
                self.take(input).ok();
            }
            self.deliver();
            idle = if self.journal.len() == before { idle + 1 } else { 0 };
            if idle > 1_000 {
                return Err(format!("the moment {next} comes again and again, and nothing follows from it"));
            }
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// Takes one signal of an integration.
    pub fn signal(&mut self, integration: &IntegrationId, via: &str, signal: Signal) -> Result<Reply, Reject> {
        let by = By::new(Actor::Integration(integration.clone()), via);
        let kind = InputKind::Signal { integration: integration.clone(), signal: Box::new(signal) };
        let reply = self.take(Input { by, idempotency: None, kind, closed: Vec::new() });
        self.deliver();
        self.begin_runs();
        reply
    }

    /// A person says something, perhaps in a channel.
    pub fn say(&mut self, person: &PersonId, channel: Option<&str>, text: &str) -> Result<Reply, Reject> {
        let place = place(channel);
        let heard = text::Heard { place: &place, authors: &[person.as_str()], request: None, text };
        let alerts = text::hear(self.core.org(), &heard);
        if text.contains(" code:") && self.org().people.contains_key(person) {
            self.enrol(person);
        }
        if alerts.is_empty() {
            return self.by_person(person, InputKind::Text { place, text: text.to_owned() });
        }
        let replies = alerts.into_iter().map(|input| {
            let reply = self.take(input);
            self.deliver();
            reply
        });
        let reply = text::told(replies.collect());
        self.happened(What::Replied { person: person.clone(), reply: reply.clone() });
        reply
    }

    /// Whoever says a code has a second factor here.
    fn enrol(&mut self, person: &PersonId) {
        if self.state().meta.authority.factors.contains_key(person) {
            return;
        }
        let by = By::new(Actor::Person(ADMINISTRATOR.into()), STORY);
        let kind = InputKind::EnrolFactor { person: person.clone(), there: true };
        self.take(Input { by, idempotency: None, kind, closed: Vec::new() }).ok();
        self.deliver();
    }

    /// A person presses a button.
    pub fn press(&mut self, person: &PersonId, button: Button, incident: IncidentId) -> Result<Reply, Reject> {
        self.by_person(person, InputKind::Press { place: place(None), button, incident })
    }

    /// A person presses a button under what asks for an approval.
    pub fn press_judge(&mut self, person: &PersonId, button: JudgeButton, on: Judged) -> Result<Reply, Reject> {
        self.by_person(person, InputKind::PressJudge { place: place(None), button, on })
    }

    /// A person presses a button under what a run asked last with such a button, answered or not.
    pub fn press_run(&mut self, person: &PersonId, button: RunButton, run: RunId) -> Result<Reply, Reject> {
        let asked = self.log.iter().rev().find_map(|happening| match &happening.what {
            What::Sent { content: Content::Question { asked, .. }, .. } if asked.which.run == run => {
                asked.answers.buttons().iter().any(|(offered, _)| *offered == button).then_some(asked.which)
            }
            _ => None,
        });
        // A button that nobody has seen is one of a forger's.
        let which = asked.unwrap_or(Which { run, done: 0, attempt: 0 });
        self.by_person(person, InputKind::PressRun { place: place(None), button, which })
    }

    fn by_person(&mut self, person: &PersonId, kind: InputKind) -> Result<Reply, Reject> {
        let by = By::new(Actor::Person(person.clone()), STORY);
        // A story has few records, so all closed ones are at hand; production loads those that are named.
        let problems = self.closed_problems.values().cloned().map(Closed::from);
        let changes = self.closed_changes.values().cloned().map(Closed::from);
        let requests = self.closed_requests.values().cloned().map(Closed::from);
        let closed = self.closed.values().cloned().map(Closed::from).chain(problems).chain(changes);
        let closed = closed.chain(requests).collect();
        let reply = self.take(Input { by, idempotency: None, kind, closed });
        self.deliver();
        self.begin_runs();
        reply
    }

    /// From now on a method does not work.
    pub fn fail(&mut self, fault: Fault) {
        self.faults.insert(fault);
    }

    /// A method works again; without a person for everybody, whatever was broken before.
    pub fn restore(&mut self, fault: &Fault) {
        self.faults.retain(|known| known != fault && (fault.person.is_some() || known.method != fault.method));
    }

    /// From now on a step outside goes like this.
    pub fn step(&mut self, name: &str, how: StepGoes) {
        self.steps.insert(name.to_owned(), how);
    }

    /// Whether sends hang: they arrive, but no receipt comes back, as when the process is killed in between.
    pub fn hold(&mut self, hanging: bool) {
        self.hanging = hanging;
    }

    /// Another organisation comes into force.
    pub fn configure(&mut self, org: Org) {
        self.core.set_org(Arc::new(with_story(org)));
        self.config_loaded();
        self.deliver();
        self.begin_runs();
    }

    /// The process ends and starts again: State is replayed from the journal, and what is still owed is sent again.
    /// Errors: the replayed State is not the one that lived (a bug).
    pub fn restart(&mut self) -> Result<(), String> {
        let state = self.replayed()?;
        if state != *self.core.state() || state.disassemble() != self.core.state().disassemble() {
            return Err(format!("after {} commits the replayed state differs from the live one", self.journal.len()));
        }
        self.core = Core::new(state, self.core.org().clone()).with_factors(Factors::simulated());
        self.started();
        Ok(())
    }

    fn replayed(&self) -> Result<State, String> {
        let mut state = State::new(INSTALL);
        for commit in self.commits() {
            state.apply(&commit?);
        }
        Ok(state)
    }

    /// The commits so far, read back from what was kept of them.
    ///
    /// # Errors
    /// One cannot be read back (a bug).
    pub fn commits(&self) -> impl Iterator<Item = Result<Commit, String>> {
        self.journal.iter().map(|kept| {
            let said: Said = serde_json::from_str(&kept.line)
                .map_err(|wrong| format!("commit {} cannot be read back: {wrong}", kept.seq))?;
            Ok(Commit { seq: kept.seq, at: kept.at, by: said.by, events: said.events })
        })
    }

    fn started(&mut self) {
        let kind = InputKind::Started { version: env!("CARGO_PKG_VERSION").into(), at: self.now };
        self.take(Input { by: By::timer("engine"), idempotency: None, kind, closed: Vec::new() }).ok();
        self.config_loaded();
        self.deliver();
    }

    fn config_loaded(&mut self) {
        let kind = InputKind::ConfigLoaded { hash: self.core.org().hash.as_str().into() };
        self.take(Input { by: By::timer("catalog"), idempotency: None, kind, closed: Vec::new() }).ok();
    }

    /// Decides one input; its commit is kept, and is durable at once.
    fn take(&mut self, input: Input) -> Result<Reply, Reject> {
        let (by, asks) = (
            input.by.clone(),
            matches!(
                input.kind,
                InputKind::Text { .. }
                    | InputKind::Press { .. }
                    | InputKind::PressJudge { .. }
                    | InputKind::PressRun { .. }
            ),
        );
        let signals = matches!(input.kind, InputKind::Signal { .. });
        let (answer, commit) = self.core.take(self.now, input);
        if let Some(commit) = &commit {
            self.keep(commit);
            self.core.durable(commit);
        }
        match by.actor {
            Actor::Person(person) if asks => self.happened(What::Replied { person, reply: answer.reply.clone() }),
            _ if signals => self.happened(What::Signalled(answer.reply.clone())),
            _ => {}
        }
        answer.reply
    }

    fn keep(&mut self, commit: &Commit) {
        let said = Said { by: commit.by.clone(), events: commit.events.clone() };
        // An event that cannot be written makes the replay fail at this line, which is where it is told.
        let line = serde_json::to_string(&said).unwrap_or_else(|wrong| format!("not written: {wrong}"));
        self.journal.push(Kept { seq: commit.seq, at: commit.at, line });
        for event in &commit.events {
            if let Event::IncidentReopened { incident, .. } = event {
                self.closed.remove(incident);
            }
            if let Some(text) = noted(event, &commit.by.actor) {
                self.happened(What::Noted(text));
            }
        }
        let dirty = self.core.state_mut().take_dirty();
        self.closed.extend(dirty.closed_incidents);
        self.closed_problems.extend(dirty.closed_problems);
        self.closed_requests.extend(dirty.closed_requests);
        self.closed_changes.extend(dirty.closed_changes);
    }

    /// Sends whatever may start, and takes its receipts, until nothing may start any more.
    fn deliver(&mut self) {
        while let Some(grant) = self.core.grant(self.now) {
            let outcome = self.pretend(&grant);
            self.happened(match &outcome {
                Outcome::Later { reason, .. } | Outcome::Retryable { reason, .. } | Outcome::Permanent { reason } => {
                    let (to, content) = (grant.to.clone(), grant.content.clone());
                    What::NotSent { to, content, incident: grant.incident, reason: reason.clone() }
                }
                Outcome::Accepted | Outcome::Placed(_) => What::Sent {
                    delivery: grant.id.clone(),
                    to: grant.to,
                    content: grant.content,
                    incident: grant.incident,
                    possible_repeat: grant.possible_repeat,
                },
            });
            if self.hanging {
                continue;
            }
            self.core.ended(&grant.id);
            let kind = InputKind::Receipt { delivery: grant.id, outcome };
            self.take(Input { by: By::timer("lane"), idempotency: None, kind, closed: Vec::new() }).ok();
        }
        self.perform();
    }

    /// Does whatever step outside may start; one that hangs does not come back.
    fn perform(&mut self) {
        while let Some(errand) = self.core.errand() {
            let outcome = self.pretend_step(&errand);
            let how = match &outcome {
                None => "hangs".to_owned(),
                Some(Performed::Failed { reason, .. } | Performed::Unknown { reason }) => format!("fails: {reason}"),
                Some(Performed::Done { .. }) => "is done".to_owned(),
            };
            self.happened(What::Noted(format!("{} {}: {} {how}", errand.run, errand.step, errand.work)));
            let Some(outcome) = outcome else { continue };
            let (run, attempt) = (errand.run, errand.attempt);
            self.core.errand_ended(run, attempt);
            let kind = InputKind::Performed { run, attempt, outcome };
            self.take(Input { by: By::timer("perform"), idempotency: None, kind, closed: Vec::new() }).ok();
            self.deliver();
        }
    }

    /// The first step of a run follows at once, as in production.
    fn begin_runs(&mut self) {
        let run =
            |input: &Input| matches!(&input.kind, InputKind::Wake(it) if matches!(it.kind, WakeupKind::Playbook(_)));
        while let Some(input) = self.core.due(self.now).filter(run) {
            self.take(input).ok();
            self.deliver();
        }
    }

    fn pretend_step(&self, errand: &Errand) -> Option<Performed> {
        let kind = match &errand.work {
            Work::Http(_) => "http",
            Work::Run(_) => "run",
        };
        match self.steps.get(errand.step.as_str()).or_else(|| self.steps.get(kind)) {
            None => Some(Performed::Done { output: String::new() }),
            Some(StepGoes::Succeeds(output)) => Some(Performed::Done { output: output.clone() }),
            Some(StepGoes::Fails(reason)) => Some(Performed::Failed { reason: reason.clone(), output: String::new() }),
            Some(StepGoes::Hangs) => None,
        }
    }

    /// How an attempt ends here. A method that fails does so for good, so that the person's next rule starts at once;
    /// so does one whose owner or webhook is no longer configured.
    fn pretend(&self, grant: &Grant) -> Outcome {
        let org = self.core.org();
        let (method, whose, known) = match &grant.to {
            Destination::Person { person, method } => {
                (*method, Some(person.to_string()), org.people.contains_key(person))
            }
            Destination::Webhook(id) => (Method::Webhook, Some(format!("webhook:{id}")), org.webhooks.contains_key(id)),
            Destination::Channel(_) => (Method::Chat, None, true),
            Destination::Host(_) => return Outcome::Accepted,
        };
        let broken = |fault: &Fault| fault.method == method && (fault.person.is_none() || fault.person == whose);
        if method == Method::Chat && !org.chat_connected {
            Outcome::Permanent { reason: NOT_CONNECTED.to_owned() }
        } else if self.faults.iter().any(broken) {
            Outcome::Permanent { reason: format!("{method} fails (simulated)") }
        } else if !known {
            Outcome::Permanent { reason: format!("{} is no longer configured", whose.unwrap_or_default()) }
        } else {
            Outcome::Accepted
        }
    }

    fn happened(&mut self, what: What) {
        self.log.push(Happening { at: self.now, what });
    }
}

/// Where the deployments of stories are answered.
const CODE_HOST: &str = "https://code.example";

/// The organisation with the integration of stories in it.
fn with_story(mut org: Org) -> Org {
    let id = IntegrationId::from(STORY);
    let story = Integration {
        id: id.clone(),
        source: "generic".into(),
        service: None,
        group_by: vec!["alertname".into()],
        may_acknowledge: false,
        mapping: None,
        answers: Some(CODE_HOST.into()),
    };
    org.integrations.insert(id, story);
    org
}

fn place(channel: Option<&str>) -> Place {
    let channel = ChannelRef::parse(channel.unwrap_or_default().trim_start_matches('#'));
    Place { chat: channel.chat.unwrap_or_else(|| STORY.into()), channel: channel.name, ..Place::default() }
}
