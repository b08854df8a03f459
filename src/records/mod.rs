//! Records: what the journal adds up to, in sled; rebuilt from the journal whenever missing, behind or corrupt.
//! Nothing here is the truth, so every trouble has the same answer: `Records::wipe`, open again, replay (`Rebuild`).
//!
//! sled can fail, panic in threads of its own, or hang. So one thread of ours owns it, all calls go through a bounded
//! queue and have a deadline, and after the first `Trouble` the instance is dead and its thread is left to itself.
//! Which commits are durable, and whether `applied` agrees with the journal, is the runtime's business.

mod folio;
mod rebuild;
mod slot;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod trouble;
mod wipe;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, TrySendError, bounded};

pub use rebuild::Rebuild;
pub use slot::Slot;
pub use snapshot::{Applied, Counts, SCHEMA, Snapshot, snapshot};
use store::{Fault, Store};
pub use trouble::{NotTaken, Trouble};

use crate::domain::alert::Alert;
use crate::domain::change::Change;
use crate::domain::id::{AlertId, ChangeId, IncidentId, ProblemId, ServiceRequestId};
use crate::domain::incident::Incident;
use crate::domain::problem::Problem;
use crate::domain::request::ServiceRequest;
use crate::domain::state::OpenRecords;

/// Calls that wait; a snapshot offered beyond them is `Full`.
const QUEUE: usize = 8;

/// One list holds at most so many records, whatever was asked for.
const LIST_MAX: usize = 1_000;

/// How long the store may make no progress before it counts as hung.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Opening: sled reads what was written since it was last opened, about a second for a million records.
    pub open: Duration,
    /// Any other call.
    pub call: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { open: Duration::from_secs(60), call: Duration::from_secs(10) }
    }
}

type Job = Box<dyn FnOnce(&mut Option<Store>) + Send>;

/// The records. Clones speak to the same store.
#[derive(Clone)]
pub struct Records {
    jobs: Sender<Job>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

struct Shared {
    place: String,
    deadline: Duration,
    /// Moves whenever the store gets something done.
    beats: AtomicU64,
    /// The first trouble; there is no way back.
    trouble: OnceLock<Trouble>,
}

impl Shared {
    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Marks the instance dead; the first trouble stays.
    fn fail(&self, trouble: Trouble) -> Trouble {
        self.trouble.get_or_init(|| trouble).clone()
    }

    fn check(&self) -> Result<(), Trouble> {
        self.trouble.get().map_or(Ok(()), |trouble| Err(trouble.clone()))
    }

    fn broken(&self, reason: &str) -> Trouble {
        self.fail(Trouble::Broken { place: self.place.clone(), reason: reason.to_owned() })
    }

    /// Why nobody answers any more.
    fn dead(&self) -> Trouble {
        self.broken("their thread ended")
    }

    /// Runs `work` so that neither an error nor a panic gets out.
    fn guard<T>(&self, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Trouble> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(self.fail(fault.at(&self.place))),
            Err(panic) => {
                let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Err(self.broken(&format!("panic: {}", said.lines().next().unwrap_or_default())))
            }
        }
    }
}

impl Records {
    /// Opens or creates the records in `dir` (`DATA/records`), on a thread of their own.
    pub fn open(dir: &Path, deadlines: Deadlines) -> Result<Self, Trouble> {
        let (jobs, queue) = bounded::<Job>(QUEUE);
        let shared = Arc::new(Shared {
            place: dir.display().to_string(),
            deadline: deadlines.call,
            beats: AtomicU64::new(0),
            trouble: OnceLock::new(),
        });
        let (opened, when_opened) = bounded(1);
        let thread = {
            let (dir, shared) = (dir.to_owned(), Arc::clone(&shared));
            move || match shared.guard(|| Store::open(&dir)) {
                Ok(store) => {
                    let _ = opened.send(Ok(()));
                    serve(&shared, queue, store);
                }
                Err(trouble) => {
                    let _ = opened.send(Err(trouble));
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("records".into()).spawn(thread) {
            return Err(shared.broken(&format!("no thread for them: {error}")));
        }
        match when_opened.recv_timeout(deadlines.open) {
            Ok(Ok(())) => Ok(Self { jobs, shared }),
            Ok(Err(trouble)) => Err(trouble),
            Err(RecvTimeoutError::Timeout) => {
                Err(shared.fail(Trouble::Hung { place: shared.place.clone(), what: "open", after: deadlines.open }))
            }
            Err(RecvTimeoutError::Disconnected) => Err(shared.dead()),
        }
    }

    /// Moves the records in `dir` out of the way, as `records.broken-<n>` beside it; an older one of those is deleted.
    /// Works while a hung instance still holds them. Nothing to do when there are none.
    pub fn wipe(dir: &Path) -> std::io::Result<()> {
        wipe::wipe(dir)
    }

    /// Whether there is room for a snapshot; worth asking before one is made.
    pub fn ready(&self) -> bool {
        !self.jobs.is_full()
    }

    /// Queues a snapshot to be written and returns at once; a write that fails shows as trouble of a later call.
    /// Its commit must be durable. On `Full` keep what is dirty and offer a later snapshot instead.
    pub fn write(&self, snapshot: Snapshot) -> Result<(), NotTaken> {
        self.shared.check()?;
        match self.jobs.try_send(self.writing(snapshot)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(NotTaken::Full),
            Err(TrySendError::Disconnected(_)) => Err(self.shared.dead().into()),
        }
    }

    /// The same, but waits for room as long as there is progress: for the rebuild and the last write at shutdown.
    pub fn write_waiting(&self, snapshot: Snapshot) -> Result<(), Trouble> {
        self.send("write", self.writing(snapshot))
    }

    fn writing(&self, snapshot: Snapshot) -> Job {
        let shared = Arc::clone(&self.shared);
        Box::new(move |store| {
            if let Some(store) = store {
                // An error is kept in `shared`, which ends the thread after this job.
                let _ = shared.guard(|| store.write(snapshot));
            }
        })
    }

    /// How far the records reach, and everything that State keeps; `None` when there are none yet.
    pub fn load_open(&self) -> Result<Option<(Applied, OpenRecords)>, Trouble> {
        let shared = Arc::clone(&self.shared);
        self.ask("load what is open", move |store| store.load_open(&|| shared.beat()))
    }

    /// How far the records reach; `None` when there are none yet.
    pub fn applied(&self) -> Result<Option<Applied>, Trouble> {
        self.ask("tell how far they reach", |store| store.applied())
    }

    /// A closed incident. Sees all that was queued before.
    pub fn get_incident(&self, id: IncidentId) -> Result<Option<Incident>, Trouble> {
        self.ask("load an incident", move |store| store.incident(id))
    }

    /// A resolved alert. Sees all that was queued before.
    pub fn get_alert(&self, id: AlertId) -> Result<Option<Alert>, Trouble> {
        self.ask("load an alert", move |store| store.alert(id))
    }

    /// A change that is over. Sees all that was queued before.
    pub fn get_change(&self, id: ChangeId) -> Result<Option<Change>, Trouble> {
        self.ask("load a change", move |store| store.change(id))
    }

    /// Changes that are over with numbers below `below`, newest first, at most `limit` (and 1,000).
    pub fn list_changes(&self, below: Option<u64>, limit: usize) -> Result<Vec<Change>, Trouble> {
        self.ask("list changes", move |store| store.changes(below, limit.min(LIST_MAX)))
    }

    /// A request that is over. Sees all that was queued before.
    pub fn get_request(&self, id: ServiceRequestId) -> Result<Option<ServiceRequest>, Trouble> {
        self.ask("load a request", move |store| store.request(id))
    }

    /// Requests that are over with numbers below `below`, newest first, at most `limit` (and 1,000).
    pub fn list_requests(&self, below: Option<u64>, limit: usize) -> Result<Vec<ServiceRequest>, Trouble> {
        self.ask("list requests", move |store| store.requests(below, limit.min(LIST_MAX)))
    }

    /// A closed problem. Sees all that was queued before.
    pub fn get_problem(&self, id: ProblemId) -> Result<Option<Problem>, Trouble> {
        self.ask("load a problem", move |store| store.problem(id))
    }

    /// Closed problems with numbers below `below`, newest first, at most `limit` (and 1,000).
    pub fn list_problems(&self, below: Option<u64>, limit: usize) -> Result<Vec<Problem>, Trouble> {
        self.ask("list problems", move |store| store.problems(below, limit.min(LIST_MAX)))
    }

    /// Closed incidents with numbers below `below`, newest first, at most `limit` (and 1,000).
    pub fn list_incidents(&self, below: Option<u64>, limit: usize) -> Result<Vec<Incident>, Trouble> {
        self.ask("list incidents", move |store| store.incidents(below, limit.min(LIST_MAX)))
    }

    /// Resolved alerts with numbers below `below`, newest first, at most `limit` (and 1,000).
    pub fn list_alerts(&self, below: Option<u64>, limit: usize) -> Result<Vec<Alert>, Trouble> {
        self.ask("list alerts", move |store| store.alerts(below, limit.min(LIST_MAX)))
    }

    /// Hands everything queued so far to the kernel (sled's flush is no fsync; the journal is what survives).
    pub fn flush(&self) -> Result<(), Trouble> {
        self.ask("flush", |store| store.flush())
    }

    /// Writes everything out and lets go of the directory; clones answer `Closed` from then on.
    pub fn close(self) -> Result<(), Trouble> {
        self.run("close", |store, shared| {
            let Some(store) = store.take() else { return Err(shared.dead()) };
            let closed = shared.guard(move || store.flush());
            shared.fail(Trouble::Closed { place: shared.place.clone() });
            closed
        })
    }

    /// Whether the store still gets things done: it answers, or moves, within `within`. A `false` is for good.
    pub fn alive(&self, within: Duration) -> bool {
        self.run_within("answer", within, |store, shared| match store {
            Some(store) => shared.guard(|| store.applied().map(drop)),
            None => Err(shared.dead()),
        })
        .is_ok()
    }

    /// The trouble that ended this instance.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.shared.trouble.get()
    }

    fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Store) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Trouble> {
        self.run(what, |store, shared| match store {
            Some(store) => shared.guard(|| work(store)),
            None => Err(shared.dead()),
        })
    }

    fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Option<Store>, &Shared) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        self.run_within(what, self.shared.deadline, work)
    }

    fn run_within<T: Send + 'static>(
        &self,
        what: &'static str,
        within: Duration,
        work: impl FnOnce(&mut Option<Store>, &Shared) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (reply, answer) = bounded(1);
        let shared = Arc::clone(&self.shared);
        self.send_within(
            what,
            within,
            Box::new(move |store| {
                let _ = reply.send(work(store, &shared));
            }),
        )?;
        loop {
            let before = self.shared.beats.load(Ordering::Relaxed);
            match answer.recv_timeout(within) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(self.shared.dead()),
                Err(RecvTimeoutError::Timeout) => self.hung_since(before, what, within)?,
            }
        }
    }

    fn send(&self, what: &'static str, job: Job) -> Result<(), Trouble> {
        self.send_within(what, self.shared.deadline, job)
    }

    fn send_within(&self, what: &'static str, within: Duration, mut job: Job) -> Result<(), Trouble> {
        loop {
            self.shared.check()?;
            let before = self.shared.beats.load(Ordering::Relaxed);
            job = match self.jobs.send_timeout(job, within) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(self.shared.dead()),
                Err(SendTimeoutError::Timeout(job)) => job,
            };
            self.hung_since(before, what, within)?;
        }
    }

    /// A deadline passed: that is a hang unless the store got something else done meanwhile.
    fn hung_since(&self, before: u64, what: &'static str, after: Duration) -> Result<(), Trouble> {
        self.shared.check()?;
        if self.shared.beats.load(Ordering::Relaxed) != before {
            return Ok(());
        }
        Err(self.shared.fail(Trouble::Hung { place: self.shared.place.clone(), what, after }))
    }
}

/// The thread: one job after the other, until the last handle is gone. After the first trouble the store is no longer
/// touched, and whoever still asks is told at once.
fn serve(shared: &Shared, queue: Receiver<Job>, store: Store) {
    let mut store = Some(store);
    let mut broken = None;
    while let Ok(job) = queue.recv() {
        job(&mut store);
        shared.beat();
        if shared.trouble.get().is_some() {
            broken = broken.or(store.take());
        }
    }
    // Last of all: letting go of a broken sled may take for ever.
    let _ = catch_unwind(AssertUnwindSafe(move || drop((store, broken))));
}
