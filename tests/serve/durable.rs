//! Nothing is told before it is durable: a house of its own on a disk whose syncs can be held, and made to fail.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex};

use opsbell::catalog;
use opsbell::domain::actor::{Actor, By};
use opsbell::domain::desk::{Desk, RecordList, RecordQuery};
use opsbell::domain::input::{Answer, Input, InputKind, Place as Spot, Unavailable};
use opsbell::journal::{Disk, DiskFile, RealDisk};
use opsbell::notify::Notifiers;
use opsbell::runtime::clock::SystemClock;
use opsbell::runtime::handle::Handle;
use opsbell::runtime::house::{House, Options};

use crate::place::Place;
use crate::support::server::{KEY, poll};
use crate::support::{PATIENCE, lock};

/// What the next sync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Goes,
    /// Waits until something else is said.
    Held,
    /// Fails, once.
    Fails,
}

struct Syncs {
    next: Mutex<Sync>,
    said: Condvar,
}

impl Syncs {
    fn set(&self, next: Sync) {
        *lock(&self.next) = next;
        self.said.notify_all();
    }

    fn pass(&self) -> io::Result<()> {
        let held = |next: &mut Sync| *next == Sync::Held;
        let mut next = self.said.wait_while(lock(&self.next), held).expect("no thread has failed");
        match std::mem::replace(&mut *next, Sync::Goes) {
            Sync::Fails => Err(io::Error::other("scripted")),
            _ => Ok(()),
        }
    }
}

/// The machine's disk with such syncs.
struct Slow(Arc<Syncs>);

struct SlowFile(Box<dyn DiskFile>, Arc<Syncs>);

impl Slow {
    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(SlowFile(file, self.0.clone()))
    }
}

impl Disk for Slow {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.create(path)?))
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.open_write(path)?))
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

impl DiskFile for SlowFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, into)
    }
    fn write_all_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(offset, bytes)
    }
    fn sync_data(&mut self) -> io::Result<()> {
        self.1.pass()?;
        self.0.sync_data()
    }
    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.0.truncate(size)
    }
}

type Said = Receiver<Result<Vec<Answer>, Unavailable>>;
type Listed = Receiver<Result<RecordList, Unavailable>>;

/// Has bas declare an incident, then asks for all incidents; both are with the engine when this returns.
fn declare_and_list(engine: &Handle) -> (Said, Listed) {
    let (tell, said) = channel();
    let by = By { actor: Actor::Person("bas".into()), via: "api".into(), request: None, granted: None, factor: None };
    let text = "/incident declare title:\"slow\" service:api severity:sev1".to_owned();
    let kind = InputKind::Text { place: Spot::default(), text };
    let input = Input { by, idempotency: None, kind, closed: Vec::new() };
    engine.submit(vec![input], Box::new(move |answers| drop(tell.send(answers))));
    let (tell, listed) = channel();
    let query = RecordQuery::Incidents { below: None, limit: 10 };
    engine.list(query, Box::new(move |records| drop(tell.send(records))));
    // The engine takes one after the other: when it has come to this one it has taken those above.
    let (tell, taken) = channel();
    let peek = engine.view(Box::new(move |_| {
        let _ = tell.send(());
        Box::new(|_| ())
    }));
    peek.expect("the engine listens");
    taken.recv().expect("the engine takes a look");
    (said, listed)
}

fn count(listed: Result<RecordList, Unavailable>) -> usize {
    match listed {
        Ok(RecordList::Incidents(incidents)) => incidents.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn neither_an_answer_nor_a_list_tells_what_is_not_durable() {
    let place = Place::new();
    let key = |name: &str| (name == "OPSBELL_KEY_PROMETHEUS").then(|| KEY.to_owned());
    let config = catalog::load_dir(&place.config, &key).expect("readable").config.expect("no errors");
    let syncs = Arc::new(Syncs { next: Mutex::new(Sync::Goes), said: Condvar::new() });
    let listen = "127.0.0.1:0".parse().expect("an address");
    let mut options = Options::new(place.data.clone(), listen, Arc::new(SystemClock::new()));
    options.disk = Arc::new(Slow(syncs.clone()));
    let house = House::start(config, options, Notifiers::default()).expect("it starts");
    let engine = house.engine.clone();
    // Its own first commits are durable.
    engine.look(|view| view.state.meta.seq).expect("a look");

    syncs.set(Sync::Held);
    let (said, listed) = declare_and_list(&engine);
    assert_eq!(said.try_recv().err(), Some(TryRecvError::Empty));
    assert_eq!(listed.try_recv().err(), Some(TryRecvError::Empty));
    assert!(place.pager.ledger().is_empty(), "and nobody is paged");
    // It never becomes durable: nobody has seen it.
    syncs.set(Sync::Fails);
    assert!(matches!(said.recv().expect("an answer"), Err(Unavailable::Journal(_))));
    assert!(matches!(listed.recv().expect("an answer"), Err(Unavailable::Journal(_))));
    poll("the journal to be mended", PATIENCE, || engine.look(|view| view.trouble.is_none()).ok()?.then_some(()));

    syncs.set(Sync::Held);
    let (said, listed) = declare_and_list(&engine);
    assert_eq!(listed.try_recv().err(), Some(TryRecvError::Empty));
    syncs.set(Sync::Goes);
    let answer = said.recv().expect("an answer").expect("durable").remove(0);
    assert_eq!(answer.reply.expect("done").records, ["INC-1"], "the number of what was lost is given again");
    assert_eq!(count(listed.recv().expect("an answer")), 1);
    place.pager.ledger().wait_for(1);
    house.stop();
    place.verify();
}
