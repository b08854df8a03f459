//! What only the inside can show: hangs, panics and full queues of the store.

use std::sync::mpsc;

use super::*;
use crate::domain::state::{Dirty, State};

const SOON: Duration = Duration::from_millis(30);

fn fresh() -> (tempfile::TempDir, Records) {
    let dir = tempfile::tempdir().expect("a directory");
    let records = Records::open(&dir.path().join("records"), Deadlines::default()).expect("new records");
    (dir, records)
}

fn nothing() -> Snapshot {
    snapshot(&State::default(), &Dirty::default(), "00").expect("json")
}

/// Keeps the thread busy until the returned end is dropped.
fn block(records: &Records) -> mpsc::Sender<()> {
    let (end, wait) = mpsc::channel::<()>();
    let (begun, begin) = mpsc::channel();
    let job: Job = Box::new(move |_| {
        let _ = begun.send(());
        let _ = wait.recv();
    });
    records.jobs.send(job).expect("a running thread");
    begin.recv().expect("the job began");
    end
}

#[test]
fn a_hang_is_trouble_by_the_deadline_and_for_good() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("records");
    let records = Records::open(&place, Deadlines { call: SOON, ..Deadlines::default() }).expect("new records");
    let hang = block(&records);
    let hung = records.get_incident(IncidentId(1)).expect_err("nobody answers");
    assert!(matches!(&hung, Trouble::Hung { what: "load an incident", .. }), "{hung}");
    assert!(hung.to_string().contains("did nothing for 30 ms while asked to load an incident"), "{hung}");
    assert_eq!(records.write(nothing()), Err(NotTaken::Trouble(hung.clone())));
    assert_eq!(records.trouble(), Some(&hung));

    // The hung instance still holds its directory, and yet there is a new one at once.
    Records::wipe(&place).expect("moved away");
    let again = Records::open(&place, Deadlines::default()).expect("new records");
    assert_eq!(again.load_open(), Ok(None));
    again.close().expect("closed");
    drop(hang);
}

#[test]
fn a_hang_is_noticed_by_the_watch() {
    let (_dir, records) = fresh();
    assert!(records.alive(Deadlines::default().call));
    let hang = block(&records);
    assert!(!records.alive(SOON));
    drop(hang);
    assert!(!records.alive(Deadlines::default().call), "dead is dead, even when it wakes up");
}

#[test]
fn slow_is_not_hung_while_something_moves() {
    let (_dir, records) = fresh();
    let hang = block(&records);
    let mover = records.clone();
    let before = records.shared.beats.load(Ordering::Relaxed);
    mover.shared.beat();
    assert_eq!(records.hung_since(before, "test", SOON), Ok(()));
    drop(hang);
    records.close().expect("closed");
}

#[test]
fn a_panic_does_not_escape_and_is_trouble() {
    let (_dir, records) = fresh();
    let queued = records.clone();
    let panic = records.ask::<()>("test", |_| panic!("one\ntwo")).expect_err("it panicked");
    assert!(matches!(&panic, Trouble::Broken { reason, .. } if reason == "panic: one"), "{panic}");
    assert_eq!(queued.load_open(), Err(panic.clone()));
    assert_eq!(queued.close(), Err(panic));
    assert!(!records.alive(SOON));
}

#[test]
fn those_who_wait_behind_a_panic_are_told() {
    let (_dir, records) = fresh();
    let hang = block(&records);
    let bad: Job = {
        let shared = Arc::clone(&records.shared);
        Box::new(move |_| {
            let _ = shared.guard::<()>(|| panic!("bad write"));
        })
    };
    records.jobs.send(bad).expect("room");
    let waiting = {
        let records = records.clone();
        std::thread::spawn(move || records.list_alerts(None, 10))
    };
    while records.jobs.len() < 2 {
        std::thread::yield_now();
    }
    drop(hang);
    let told = waiting.join().expect("no panic here").expect_err("nothing was listed");
    assert!(matches!(&told, Trouble::Broken { reason, .. } if reason == "panic: bad write"), "{told}");
}

#[test]
fn a_full_queue_is_said_and_nothing_waits() {
    let (_dir, records) = fresh();
    let hang = block(&records);
    for _ in 0..QUEUE {
        assert!(records.ready());
        records.write(nothing()).expect("room");
    }
    assert!(!records.ready());
    assert_eq!(records.write(nothing()), Err(NotTaken::Full));
    drop(hang);
    records.flush().expect("all written");
    assert!(records.ready());
    records.write(nothing()).expect("room again");
    records.close().expect("closed");
}

#[test]
fn closed_is_closed_for_all_handles() {
    let (_dir, records) = fresh();
    let other = records.clone();
    records.close().expect("closed");
    assert!(matches!(other.load_open(), Err(Trouble::Closed { .. })));
    assert!(matches!(other.write(nothing()), Err(NotTaken::Trouble(Trouble::Closed { .. }))));
}

#[test]
fn wiping_keeps_one_broken_copy_and_does_not_mind_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("records");
    Records::wipe(&place).expect("nothing to do");
    for n in 1..=3 {
        std::fs::create_dir(&place).expect("made");
        Records::wipe(&place).expect("moved");
        let names: Vec<_> =
            std::fs::read_dir(dir.path()).expect("read").map(|entry| entry.expect("read").file_name()).collect();
        assert_eq!(names, [format!("records.broken-{n}").as_str()]);
    }
    std::fs::write(&place, "a file where a directory should be").expect("written");
    let trouble = Records::open(&place, Deadlines::default()).expect_err("not a directory");
    assert!(matches!(trouble, Trouble::Broken { .. }), "{trouble}");
    Records::wipe(&place).expect("moved");
    Records::open(&place, Deadlines::default()).expect("new").close().expect("closed");
}
