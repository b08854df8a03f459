//! The stand that the engine is tested on.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::catalog;
use crate::domain::actor::{Actor, By};
use crate::domain::delivery::{Grant, Outcome};
use crate::domain::desk::{Desk, View};
use crate::domain::input::{Answer, Input, InputKind, Place, Unavailable};
use crate::domain::org::Org;
use crate::domain::playbook::Errand;
use crate::domain::time::{Span, Timestamp};
use crate::http::Tally;
use crate::journal::{Disk, DiskFile, RealDisk};
use crate::records::Records;
use crate::runtime::Core;
use crate::runtime::clock::Clock;
use crate::runtime::engine::{self, Parts, ROUND};
use crate::runtime::handle::{Handle, Tell};
use crate::runtime::lanes::Dispatch;
use crate::runtime::recover;
use crate::runtime::shelf::Shelf;
use crate::runtime::writer::Writer;

/// Longer than any of this takes; a test that waits so long has hung.
pub const HUNG: Duration = Duration::from_secs(60);
/// What ben says first in many of these tests.
pub const DECLARE: &str = "/incident declare \"it is down\" service:api severity:sev1";

/// What the disk does.
#[derive(Debug, Default)]
struct Gate {
    hold_sync: bool,
    fail_sync: bool,
    hold_create: bool,
    /// Somebody stands before the gate.
    stands: bool,
}

/// A disk whose journal can be held up, and can fail once.
#[derive(Clone, Default)]
pub struct GateDisk(Arc<(Mutex<Gate>, Condvar)>);

impl GateDisk {
    fn lock(&self) -> MutexGuard<'_, Gate> {
        self.0.0.lock().expect("no test panics with it")
    }

    fn set(&self, change: impl FnOnce(&mut Gate)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    /// From now on syncs wait.
    pub fn hold(&self) {
        self.set(|gate| gate.hold_sync = true);
    }

    /// The next sync fails, and no fresh segment can be made before `let_go`.
    pub fn fail(&self) {
        self.set(|gate| (gate.fail_sync, gate.hold_create) = (true, true));
    }

    /// What is held fails now; a fresh segment still waits for `let_go`.
    pub fn fail_held(&self) {
        self.set(|gate| (gate.hold_sync, gate.stands) = (false, false));
    }

    /// Everything works again.
    pub fn let_go(&self) {
        self.set(|gate| *gate = Gate::default());
    }

    /// Waits until somebody stands before the gate.
    pub fn wait_until_somebody_stands(&self) {
        let (_guard, hung) =
            self.0.1.wait_timeout_while(self.lock(), HUNG, |gate| !gate.stands).expect("no test panics with it");
        assert!(!hung.timed_out(), "nobody came to the disk");
    }

    fn pass(&self, held: impl Fn(&Gate) -> bool) {
        let mut gate = self.lock();
        while held(&gate) {
            gate.stands = true;
            self.0.1.notify_all();
            gate = self.0.1.wait(gate).expect("no test panics with it");
        }
    }
}

struct GateFile(GateDisk, Box<dyn DiskFile>);

impl Disk for GateDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.pass(|gate| gate.hold_create);
        Ok(Box::new(GateFile(self.clone(), RealDisk.create(path)?)))
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(GateFile(self.clone(), RealDisk.open_write(path)?)))
    }
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open_read(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

impl DiskFile for GateFile {
    fn size(&self) -> io::Result<u64> {
        self.1.size()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.1.read_at(offset, into)
    }
    fn write_all_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.write_all_at(offset, bytes)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        self.0.pass(|gate| gate.hold_sync);
        if std::mem::take(&mut self.0.lock().fail_sync) {
            return Err(io::Error::from_raw_os_error(28));
        }
        self.1.sync_data()
    }
    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.1.truncate(size)
    }
}

/// A clock that stands still until it is moved.
pub struct StillClock {
    now: AtomicI64,
    step: AtomicI64,
}

impl StillClock {
    pub fn advance(&self, by: Span) {
        self.now.fetch_add(by.0, Ordering::SeqCst);
    }

    /// Steps the wall clock; the engine hears of it at its next tick.
    pub fn step(&self, by: Span) {
        self.step.fetch_add(by.0, Ordering::SeqCst);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn stepped(&self) -> Option<Span> {
        let step = self.step.swap(0, Ordering::SeqCst);
        self.now.fetch_add(step, Ordering::SeqCst);
        (step != 0).then_some(Span(step))
    }

    fn skip_to(&self, at: Timestamp) {
        self.now.fetch_max(at.0, Ordering::SeqCst);
    }
}

struct Noted(Sender<Grant>);

impl Dispatch for Noted {
    fn start(&self, grants: Vec<Grant>, _: &Arc<Org>) {
        grants.into_iter().for_each(|grant| _ = self.0.send(grant));
    }

    fn perform(&self, _: Errand, _: &Arc<Org>) {}
}

pub fn org() -> Arc<Org> {
    let text = include_str!("../../../tests/support_paging/config/opsbell.toml").to_owned();
    let loaded = catalog::load_files(&[("opsbell.toml".into(), text)].into(), &|_| Some("c2VjcmV0".into()));
    Arc::new(loaded.config.expect("the tests' own configuration is good").org)
}

/// An engine at work.
pub struct Stand {
    pub engine: Handle,
    pub disk: GateDisk,
    pub clock: Arc<StillClock>,
    pub records: Result<Records, String>,
    pub starts: Receiver<Grant>,
    pub data: tempfile::TempDir,
    thread: Option<JoinHandle<()>>,
}

impl Stand {
    pub fn new() -> Self {
        Self::on(tempfile::tempdir().expect("a directory"))
    }

    /// Its disk refuses, and it has noticed: what was declared is lost.
    pub fn without_a_journal() -> Self {
        let stand = Self::new();
        stand.disk.fail();
        let lost = stand.say("ben", DECLARE);
        assert!(lost.recv_timeout(HUNG).expect("answered").is_err());
        stand
    }

    /// A process that starts on what another one left.
    pub fn on(data: tempfile::TempDir) -> Self {
        let disk = GateDisk::default();
        // 2026-03-28T23:00Z: ann is on call for core-primary.
        let clock = Arc::new(StillClock { now: AtomicI64::new(1_774_738_800_000), step: AtomicI64::new(0) });
        let opened = recover::open(Arc::new(disk.clone()), data.path(), "st4nd", &mut |_, _| {}).expect("it opens");
        let (engine, queues) = engine::queues();
        let reader = opened.journal.reader();
        let (install, durable) = (opened.found.install.clone(), (opened.found.last_seq, opened.found.last_hash));
        let named = (install, reader);
        let shelf = Shelf::new(data.path().join("records"), named, opened.records.clone(), durable.0, engine.clone());
        let tell = engine.clone();
        let writer = Writer::start(opened.journal, Tally::default(), move |written| tell.tell(Tell::Written(written)));
        let (start, starts) = unbounded();
        let parts = Parts {
            core: Core::new(opened.state, org()),
            durable,
            clock: Arc::<StillClock>::clone(&clock),
            shelf: shelf.expect("a thread"),
            epoch: opened.found.epoch,
            tally: Tally::default(),
        };
        let thread = engine::start(queues, parts, writer.expect("a thread"), Box::new(Noted(start)));
        let thread = Some(thread.expect("a thread"));
        Self { engine, disk, clock, records: opened.records, starts, data, thread }
    }

    /// The records, which can be used.
    pub fn records(&self) -> Records {
        self.records.clone().expect("they can be used")
    }

    /// The process says that it has started.
    pub fn begin(&self) {
        let kind = InputKind::Started { version: "test".into(), at: self.clock.now() };
        let input = Input { by: By::timer("start"), idempotency: None, kind, closed: Vec::new() };
        self.engine.tell(Tell::Input(Box::new(input)));
    }

    /// Words of a person; the answer comes by the channel.
    pub fn say(&self, who: &str, text: &str) -> Receiver<Result<Vec<Answer>, Unavailable>> {
        let (tell, told) = unbounded();
        let place = Place { chat: "api".into(), ..Place::default() };
        let input = Input {
            by: By::new(Actor::Person(who.into()), "api"),
            idempotency: None,
            kind: InputKind::Text { place, text: text.to_owned() },
            closed: Vec::new(),
        };
        self.engine.submit(
            vec![input],
            Box::new(move |answers| {
                let _ = tell.send(answers);
            }),
        );
        told
    }

    /// The same, answered.
    pub fn said(&self, who: &str, text: &str) -> String {
        let answers = self.say(who, text).recv_timeout(HUNG).expect("an answer").expect("it is taken");
        match &answers[0].reply {
            Ok(reply) => reply.text.clone(),
            Err(reject) => panic!("{text}: {reject}"),
        }
    }

    /// Looks at State as it is applied, whether or not it is durable. Two rounds of the engine have ended then.
    pub fn glance<T: Send + 'static>(&self, look: impl FnOnce(&View<'_>) -> T + Send + 'static) -> T {
        let (tell, told) = unbounded();
        for _ in 0..2 {
            // One more than a round takes.
            for _ in 0..=ROUND {
                let tell = tell.clone();
                let nothing = Box::new(move |_: &View<'_>| {
                    let _ = tell.send(None);
                    Box::new(|_| {}) as crate::domain::desk::Release
                });
                self.engine.view(nothing).expect("there is room");
            }
            (0..=ROUND).for_each(|_| _ = told.recv_timeout(HUNG).expect("it looks"));
        }
        let look = Box::new(move |view: &View<'_>| {
            let _ = tell.send(Some(look(view)));
            Box::new(|_| {}) as crate::domain::desk::Release
        });
        self.engine.view(look).expect("there is room");
        told.recv_timeout(HUNG).expect("it looks").expect("the last look")
    }

    /// All that was decided is durable.
    pub fn settle(&self) {
        while self.glance(|view| view.durable.0 != view.state.meta.seq) {
            std::thread::yield_now();
        }
    }

    /// The engine hears the clock tick.
    pub fn tick(&self) {
        self.clock.advance(Span(1_001));
        self.glance(|_| ());
    }

    pub fn started(&self) -> Grant {
        self.starts.recv_timeout(HUNG).expect("something is started")
    }

    pub fn receipt(&self, grant: &Grant, outcome: Outcome) {
        self.engine.tell(Tell::Receipt(grant.id.clone(), outcome));
    }

    /// Ends the engine in order.
    pub fn stop(&mut self) {
        let (tell, told) = unbounded();
        self.engine.tell(Tell::Stop(Box::new(move || {
            let _ = tell.send(());
        })));
        told.recv_timeout(HUNG).expect("it stops");
        self.join();
    }

    /// Waits for the end of the engine's thread.
    pub fn join(&mut self) {
        self.thread.take().expect("it was not stopped before").join().expect("it did not panic");
    }
}
