//! The shelf: the engine's side of the records room. It gathers what is dirty with each batch and passes it on once
//! that is durable, finds closed records, and has the records rebuilt when they fail. It never waits for sled.

mod find;
mod named;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Sender, TrySendError, bounded};

use super::handle::{Handle, Tell};
use super::recover;
use crate::domain::alert::Alert;
use crate::domain::change::Change;
use crate::domain::command::spec::Lexicon;
use crate::domain::desk::{Answered, Listed, RecordQuery, Release};
use crate::domain::event::{Commit, Event};
use crate::domain::id::{AlertId, ChangeId, IncidentId, ProblemId, ServiceRequestId};
use crate::domain::incident::Incident;
use crate::domain::input::{Closed, Input, Unavailable};
use crate::domain::problem::Problem;
use crate::domain::request::ServiceRequest;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};
use crate::journal::JournalReader;
use crate::records::{NotTaken, Records, Snapshot, snapshot};

pub use named::Named;
use named::named;

/// Records are passed on when so many are dirty …
const DIRTY_MAX: usize = 2_048;
/// … or so much time has passed, so that what changes often is written seldom.
const GATHER_EVERY: Span = Span::secs(1);
/// Closed records that one submission may name; more are not looked up.
const NAMED_MAX: usize = 8;
/// How often (in ticks of a second) the records are asked whether they live, and how long they may take to say so.
const ALIVE_EVERY: u32 = 15;
const ALIVE_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
/// Closings that are remembered; a load that takes longer than so many is begun anew.
const CLOSINGS: usize = 4_096;
/// Look-ups that may wait for the records; beyond it: 503.
const LOOKUPS: usize = 256;

/// A look-up, for the thread that waits for sled.
type Job = Box<dyn FnOnce() + Send>;

/// What was gathered with a batch and waits for it to be durable.
struct Gathered {
    seq: u64,
    snapshot: Snapshot,
    incidents: BTreeMap<IncidentId, Incident>,
    alerts: BTreeMap<AlertId, Alert>,
    problems: BTreeMap<ProblemId, Problem>,
    changes: BTreeMap<ChangeId, Change>,
    requests: BTreeMap<ServiceRequestId, ServiceRequest>,
}

enum Store {
    Open(Records),
    /// To be rebuilt once this commit is durable.
    Failed(u64),
    /// A thread rebuilds them; it leaves the result here.
    Rebuilding(Arc<Mutex<Option<Result<Records, String>>>>),
}

/// The engine's side of the records room.
pub struct Shelf {
    dir: PathBuf,
    reader: JournalReader,
    install: String,
    store: Store,
    gathered: Option<Gathered>,
    last_gather: Timestamp,
    durable: u64,
    trouble: Option<String>,
    ticks: u32,
    lookups: Sender<Job>,
    /// What was closed of late, by commit: a record that was loaded before that is stale.
    closings: VecDeque<(u64, Named)>,
    /// The last commit that `closings` has forgotten.
    closings_from: u64,
    engine: Handle,
}

impl Shelf {
    /// A shelf over opened records, or over none yet: then they are rebuilt from the journal as soon as that goes, and
    /// until then it says why there are none. `dir` is `DATA/records`.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new(
        dir: PathBuf,
        (install, reader): (String, JournalReader),
        records: Result<Records, String>,
        durable: u64,
        engine: Handle,
    ) -> std::io::Result<Self> {
        let (lookups, jobs) = bounded::<Job>(LOOKUPS);
        std::thread::Builder::new().name("lookups".into()).spawn(move || {
            while let Ok(job) = jobs.recv() {
                job();
            }
        })?;
        let (store, trouble) = match records {
            Ok(records) => (Store::Open(records), None),
            Err(why) => (Store::Failed(durable), Some(format!("the records are rebuilt from the journal ({why})"))),
        };
        let last_gather = Timestamp::default();
        Ok(Self {
            dir,
            reader,
            install,
            store,
            gathered: None,
            last_gather,
            durable,
            trouble,
            ticks: 0,
            lookups,
            closings: VecDeque::new(),
            closings_from: 0,
            engine,
        })
    }

    /// Why the records cannot be used just now.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Gathers what is dirty, at a moment when State is what commit `seq` made it.
    pub fn gather(&mut self, seq: u64, state: &mut State, now: Timestamp) {
        let Store::Open(records) = &self.store else { return };
        let late = now.since(self.last_gather) >= GATHER_EVERY || now < self.last_gather;
        if self.gathered.is_some() || !(late || state.dirty_count() >= DIRTY_MAX) || !records.ready() {
            return;
        }
        self.last_gather = now;
        let dirty = state.take_dirty();
        match snapshot(state, &dirty, "") {
            Ok(snapshot) => {
                let (incidents, alerts) = (dirty.closed_incidents, dirty.closed_alerts);
                let (problems, changes) = (dirty.closed_problems, dirty.closed_changes);
                let requests = dirty.closed_requests;
                self.gathered = Some(Gathered { seq, snapshot, incidents, alerts, problems, changes, requests });
            }
            Err(error) => self.fail(seq, &format!("a record cannot be written: {error}")),
        }
    }

    /// A batch is durable; what was gathered with it goes to the records.
    pub fn durable(&mut self, seq: u64, hash: &str) {
        self.durable = seq;
        if let Some(gathered) = self.gathered.as_mut().filter(|gathered| gathered.seq == seq) {
            hash.clone_into(&mut gathered.snapshot.applied.hash);
        }
        self.pass_on();
        self.mend();
    }

    /// Hands what was gathered to the records, once it is durable and they have room.
    fn pass_on(&mut self) {
        let Store::Open(records) = &self.store else { return };
        if !records.ready() {
            return;
        }
        let durable = self.durable;
        let Some(gathered) = self.gathered.take_if(|gathered| gathered.seq <= durable) else { return };
        let seq = gathered.seq;
        match records.write(gathered.snapshot) {
            Ok(()) => {}
            // Look-ups share the queue: one of them came between. There is no copy to try again with.
            Err(NotTaken::Full) => self.fail(seq, "they do not keep up"),
            Err(NotTaken::Trouble(trouble)) => self.fail(seq, &trouble.to_string()),
        }
    }

    /// The state at a durable commit, after later ones were lost.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn restore(&self, seq: u64) -> Result<State, String> {
        let records = if let Store::Open(records) = &self.store { Some(records) } else { None };
        recover::state_at(records, &self.reader, &self.install, seq).map_err(|error| format!("{error:#}"))
    }

    /// The batch that it was gathered with was lost, and so is State: it is dirty again from the durable records.
    pub fn forget_pending(&mut self) {
        // Their numbers will be given again.
        self.closings.retain(|(seq, _)| *seq <= self.durable);
        if let Some(gathered) = self.gathered.take() {
            // State is restored from the records and the journal's tail, which makes everything behind them dirty.
            tracing::debug!(seq = gathered.seq, "what was gathered is forgotten");
        }
    }

    fn fail(&mut self, seq: u64, why: &str) {
        tracing::error!(%why, "the records cannot be used; rebuilding them from the journal");
        self.trouble = Some(format!("the records are rebuilt from the journal ({why})"));
        // What was gathered with a batch is no longer dirty, so the rebuild has to reach that batch.
        let seq = self.gathered.take().map_or(seq, |gathered| gathered.seq.max(seq));
        self.store = Store::Failed(seq);
        self.mend();
    }

    /// Goes on with a rebuild, where one is needed.
    fn mend(&mut self) {
        match &self.store {
            Store::Open(_) => {}
            Store::Failed(seq) if *seq > self.durable => {}
            Store::Failed(_) => {
                // What becomes dirty from here on stays dirty until the rebuilt records are back.
                let place = Arc::new(Mutex::new(None));
                let (result, dir, reader) = (Arc::clone(&place), self.dir.clone(), self.reader.clone());
                let (install, upto) = (self.install.clone(), self.durable);
                let rebuild = move || {
                    let rebuilt = recover::rebuild(&dir, &reader, &install, upto, &mut |_, _| {});
                    *result.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
                        Some(rebuilt.map(|(records, _)| records).map_err(|error| format!("{error:#}")));
                };
                match std::thread::Builder::new().name("rebuild".into()).spawn(rebuild) {
                    Ok(_) => self.store = Store::Rebuilding(place),
                    Err(error) => tracing::error!(%error, "no thread to rebuild the records; trying again"),
                }
            }
            Store::Rebuilding(place) => {
                let done = place.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                match done {
                    None => {}
                    Some(Ok(records)) => {
                        tracing::warn!("the records are rebuilt");
                        self.store = Store::Open(records);
                        self.trouble = None;
                    }
                    Some(Err(error)) => {
                        tracing::error!(%error, "the records could not be rebuilt; trying again");
                        self.store = Store::Failed(self.durable);
                    }
                }
            }
        }
    }

    /// Once a second: looks for trouble that nobody asked about.
    pub fn tick(&mut self) {
        if let Store::Open(records) = &self.store
            && let Some(trouble) = records.trouble()
        {
            let why = trouble.to_string();
            self.fail(self.durable, &why);
        }
        self.pass_on();
        self.mend();
        self.ticks = self.ticks.wrapping_add(1);
        if let (Store::Open(records), 0) = (&self.store, self.ticks % ALIVE_EVERY) {
            // A silent hang shows as trouble at the next tick; without room for the question somebody else is asking.
            let records = records.clone();
            let _ = self.lookups.try_send(Box::new(move || {
                records.alive(ALIVE_WITHIN);
            }));
        }
    }

    /// Brings the records up to State, all of which is durable (`hash` is that of its last commit): a start after an
    /// orderly stop then knows the journal's head, and notices when that is damaged or gone.
    pub fn catch_up(&mut self, state: &mut State, hash: &str) {
        self.pass_on();
        let Store::Open(records) = &self.store else { return };
        if self.gathered.is_some() || state.dirty_count() == 0 {
            return;
        }
        let dirty = state.take_dirty();
        let written = match snapshot(state, &dirty, hash) {
            Ok(snapshot) => records.write_waiting(snapshot).map_err(|trouble| trouble.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = written {
            tracing::warn!(%why, "the records stay behind; they will be caught up at the next start");
        }
    }

    /// Lets go of the records; what they lack is caught up from the journal's tail at the next start.
    pub fn close(&mut self) {
        if let Store::Open(records) = &self.store
            && let Err(trouble) = records.clone().close()
        {
            tracing::warn!(%trouble, "the records were not closed cleanly; they will be caught up at the next start");
        }
    }

    /// Puts closed records that are still in memory into the inputs that name them; gives those to be loaded.
    pub fn missing(&self, inputs: &mut [Input], state: &State, lexicon: &Lexicon) -> Option<Vec<Named>> {
        let mut wanted = Vec::new();
        for input in inputs {
            for name in named(&input.kind, lexicon) {
                match self.at_hand(name, state) {
                    AtHand::Closed(closed) => input.closed.push(closed),
                    AtHand::Stored => wanted.push(name),
                    AtHand::NotClosed => {}
                }
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(NAMED_MAX);
        (!wanted.is_empty()).then_some(wanted)
    }

    fn at_hand(&self, name: Named, state: &State) -> AtHand {
        let (gathered, meta) = (self.gathered.as_ref(), &state.meta);
        match name {
            Named::Incident(id) => find::incidents(state, gathered).at_hand(id, (1..=meta.incidents).contains(&id.0)),
            Named::Problem(id) => find::problems(state, gathered).at_hand(id, (1..=meta.problems).contains(&id.0)),
            Named::Request(id) => find::requests(state, gathered).at_hand(id, (1..=meta.requests).contains(&id.0)),
            Named::Change(id) => find::changes(state, gathered).at_hand(id, (1..=meta.changes).contains(&id.0)),
        }
    }

    /// Remembers what a commit closes, or changes though it is closed.
    pub fn note_closed(&mut self, commit: &Commit) {
        for event in &commit.events {
            match event {
                Event::IncidentClosed { incident } => {
                    self.closings.push_back((commit.seq, Named::Incident(*incident)));
                }
                Event::ProblemChanged { problem, .. } => {
                    self.closings.push_back((commit.seq, Named::Problem(*problem)));
                }
                Event::RequestMoved(moved) => {
                    self.closings.push_back((commit.seq, Named::Request(moved.request)));
                }
                Event::ChangeMoved(moved) => {
                    self.closings.push_back((commit.seq, Named::Change(moved.change)));
                }
                _ => {}
            }
        }
        while self.closings.len() > CLOSINGS {
            self.closings_from = self.closings.pop_front().map_or(0, |(seq, _)| seq);
        }
    }

    /// Whether a record may have been closed after a commit: then what was loaded before that is stale.
    pub fn closed_after(&self, closed: &Closed, seq: u64) -> bool {
        let name = Named::of(closed);
        seq < self.closings_from || self.closings.iter().any(|(at, closed)| *at > seq && *closed == name)
    }

    /// Loads closed records for inputs and gives them back to the engine. `begun` is the last commit applied.
    pub fn load(&self, wanted: Vec<Named>, mut inputs: Vec<Input>, done: Answered, begun: u64) {
        let Store::Open(records) = &self.store else { return done(Err(self.unavailable())) };
        let (records, engine) = (records.clone(), self.engine.clone());
        look_up(&self.lookups, done, move |done| {
            for id in wanted {
                let found = match id {
                    Named::Incident(id) => records.get_incident(id).map(|found| found.map(Closed::from)),
                    Named::Problem(id) => records.get_problem(id).map(|found| found.map(Closed::from)),
                    Named::Request(id) => records.get_request(id).map(|found| found.map(Closed::from)),
                    Named::Change(id) => records.get_change(id).map(|found| found.map(Closed::from)),
                };
                match found {
                    Ok(None) => {}
                    Ok(Some(closed)) => {
                        // Whichever input names it finds it; the others do not look.
                        for input in &mut inputs {
                            input.closed.push(closed.clone());
                        }
                    }
                    Err(trouble) => return done(Err(Unavailable::Records(trouble.to_string()))),
                }
            }
            engine.tell(Tell::Loaded(inputs, done, begun));
        });
    }

    fn unavailable(&self) -> Unavailable {
        Unavailable::Records(self.trouble.clone().unwrap_or_else(|| "they are being rebuilt".to_owned()))
    }

    /// Lists records, newest first: open ones from State, closed ones from memory or the store. What it gives back is
    /// to be called when all that State holds now is durable; before that nothing of it may be told.
    pub fn list(&self, query: RecordQuery, state: &State, done: Listed) -> Release {
        let Store::Open(records) = &self.store else {
            let why = self.unavailable();
            return Box::new(move |_| done(Err(why)));
        };
        let (records, gathered) = (records.clone(), self.gathered.as_ref());
        let job: find::Job = match query {
            RecordQuery::Incident(id) => find::incidents(state, gathered).one(id, move |id| records.get_incident(id)),
            RecordQuery::Incidents { below, limit } => {
                let stored = move || records.list_incidents(below, limit);
                find::incidents(state, gathered).below(IncidentId(below.unwrap_or(u64::MAX)), limit, stored)
            }
            RecordQuery::Alert(id) => find::alerts(state, gathered).one(id, move |id| records.get_alert(id)),
            RecordQuery::Alerts { below, limit } => {
                let stored = move || records.list_alerts(below, limit);
                find::alerts(state, gathered).below(AlertId(below.unwrap_or(u64::MAX)), limit, stored)
            }
            RecordQuery::Problem(id) => find::problems(state, gathered).one(id, move |id| records.get_problem(id)),
            RecordQuery::Problems { below, limit } => {
                let stored = move || records.list_problems(below, limit);
                find::problems(state, gathered).below(ProblemId(below.unwrap_or(u64::MAX)), limit, stored)
            }
            RecordQuery::Change(id) => find::changes(state, gathered).one(id, move |id| records.get_change(id)),
            RecordQuery::Changes { below, limit } => {
                let stored = move || records.list_changes(below, limit);
                find::changes(state, gathered).below(ChangeId(below.unwrap_or(u64::MAX)), limit, stored)
            }
            RecordQuery::Request(id) => find::requests(state, gathered).one(id, move |id| records.get_request(id)),
            RecordQuery::Requests { below, limit } => {
                let stored = move || records.list_requests(below, limit);
                find::requests(state, gathered).below(ServiceRequestId(below.unwrap_or(u64::MAX)), limit, stored)
            }
        };
        let lookups = self.lookups.clone();
        Box::new(move |released| match released {
            Ok(()) => look_up(&lookups, done, job),
            Err(why) => done(Err(why)),
        })
    }
}

/// Has the thread of the records do a job, or says that it has too many.
fn look_up<D: FnOnceErr + Send + 'static>(lookups: &Sender<Job>, done: D, job: impl FnOnce(D) + Send + 'static) {
    let place = Arc::new(Mutex::new(Some(done)));
    let taken = Arc::clone(&place);
    let job = Box::new(move || {
        if let Some(done) = taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            job(done);
        }
    });
    if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = lookups.try_send(job)
        && let Some(done) = place.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    {
        done.unavailable(Unavailable::Busy);
    }
}

fn unreadable(trouble: crate::records::Trouble) -> Unavailable {
    Unavailable::Records(trouble.to_string())
}

/// A call-back that can be told that there was no room.
trait FnOnceErr {
    fn unavailable(self, why: Unavailable);
}

impl FnOnceErr for Answered {
    fn unavailable(self, why: Unavailable) {
        self(Err(why));
    }
}

impl FnOnceErr for Listed {
    fn unavailable(self, why: Unavailable) {
        self(Err(why));
    }
}

/// Where a named record is.
enum AtHand {
    /// In State, or nowhere.
    NotClosed,
    /// Closed, and still in memory.
    Closed(Closed),
    /// In the store.
    Stored,
}
