//! The journal on a disk that fails: writes that are torn or dropped, syncs that fail, names that vanish, full disks.
//! Whatever was acknowledged has to be there afterwards, unchanged, and the journal has to open again.

mod support_faults;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use opsbell::domain::actor::By;
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::id::IncidentId;
use opsbell::domain::time::Timestamp;
use opsbell::journal::{AppendError, Disk, Journal, JournalReader, Known, verify};
use support_faults::{AnswersBeforeSync, Dice, FaultDisk};

const RUNS: u64 = 5_000;
const DIR: &str = "/journal";

#[test]
fn no_acknowledged_commit_is_lost_whatever_the_disk_does() {
    let lives = |seeds: std::ops::Range<u64>| {
        let mut seen = Seen::default();
        for seed in seeds {
            if let Err(loss) = run(seed, false, &mut seen) {
                panic!("seed {seed}: {loss}");
            }
        }
        seen
    };
    let seen = std::thread::scope(|scope| {
        let other = scope.spawn(|| lives(0..RUNS / 2));
        let mine = lives(RUNS / 2..RUNS);
        mine.and(&other.join().expect("the seed stands above"))
    });
    println!("{seen:?}");
    // The runs have to meet what they are about.
    assert!(seen.acknowledged > RUNS && seen.failed > RUNS / 2 && seen.crashes > RUNS, "{seen:?}");
    assert!(seen.torn > 200 && seen.continued > 200 && seen.rotated > 200 && seen.kept > 200, "{seen:?}");
}

#[test]
fn a_disk_that_answers_before_the_sync_is_caught() {
    let lost = (0..RUNS).find(|&seed| run(seed, true, &mut Seen::default()).is_err());
    assert!(lost.is_some(), "{RUNS} runs did not notice that answers came before the sync");
}

/// What the runs met.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: u64,
    failed: u64,
    crashes: u64,
    torn: u64,
    kept: u64,
    continued: u64,
    rotated: u64,
}

impl Seen {
    fn and(self, other: &Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            failed: self.failed + other.failed,
            crashes: self.crashes + other.crashes,
            torn: self.torn + other.torn,
            kept: self.kept + other.kept,
            continued: self.continued + other.continued,
            rotated: self.rotated + other.rotated,
        }
    }
}

/// One life of a journal: appends, failures, restarts and crashes by the dice.
fn run(seed: u64, hasty: bool, seen: &mut Seen) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let fault = FaultDisk::new(dice.next());
    let disk: Arc<dyn Disk> = match hasty {
        true => Arc::new(AnswersBeforeSync::new(fault.clone())),
        false => Arc::new(fault.clone()),
    };
    let mut log = Vec::<(Commit, String)>::new();
    let mut crashed = false;
    for _ in 0..2 + dice.below(3) {
        // A start may fail as often as the disk does; it must never refuse a journal.
        if dice.one_in(6) {
            fault.fail_one_in(4);
            if let Err(error) = Journal::open(Arc::clone(&disk), Path::new(DIR), "k3x9qz", None)
                && !fault.has_failed()
            {
                return Err(format!("opening was refused: {error}"));
            }
            fault.fail_one_in(0);
        }
        let known = (!log.is_empty() && dice.one_in(2)).then(|| {
            let (commit, hash) = &log[dice.below(log.len() as u64) as usize];
            (commit.seq, hash.clone())
        });
        let asked = known.is_some();
        let opened = Journal::open(Arc::clone(&disk), Path::new(DIR), "k3x9qz", known);
        let (mut journal, recovered) = opened.map_err(|error| format!("opening was refused: {error}"))?;
        if recovered.known != if asked { Known::Confirmed } else { Known::NotAsked } {
            return Err(format!("a commit that was acknowledged is not there: {recovered:?}"));
        }
        seen.torn += u64::from(!recovered.cut.is_empty());
        seen.kept += u64::from(recovered.last_seq > log.len() as u64);
        journal.rotate_at(600 + dice.below(6_000));
        compare(&journal.reader(), &mut log)?;
        if log.len() as u64 != recovered.last_seq {
            return Err(format!("{} commits were read, {} recovered", log.len(), recovered.last_seq));
        }
        if dice.one_in(4) {
            check(&disk, &log)?;
        }

        let one_in = dice.below(30);
        fault.fail_one_in(if one_in < 3 { 0 } else { one_in });
        live(&mut journal, &mut dice, &mut log, seen);
        note_hashes(&journal.reader(), &mut log)?;
        fault.fail_one_in(0);
        seen.rotated += u64::from(disk.list(Path::new(DIR)).map_err(|e| e.to_string())?.len() > 1);
        drop(journal);
        crashed = dice.one_in(2);
        if crashed {
            seen.crashes += 1;
            fault.crash();
        }
        // Torn bytes may be there now, but no damage, before anything was repaired.
        if dice.one_in(2) {
            check(&disk, &log)?;
        }
    }
    if !crashed {
        fault.crash();
    }
    let opened = Journal::open(Arc::clone(&disk), Path::new(DIR), "k3x9qz", None);
    let (journal, _) = opened.map_err(|error| format!("the last opening was refused: {error}"))?;
    compare(&journal.reader(), &mut log)
}

/// Appends by the dice; what is acknowledged goes into the log.
fn live(journal: &mut Journal, dice: &mut Dice, log: &mut Vec<(Commit, String)>, seen: &mut Seen) {
    for _ in 0..dice.below(7) {
        let (last, _) = journal.last();
        let commits: Vec<Commit> = (1..=1 + dice.below(4)).map(|n| commit(last + n, dice)).collect();
        match journal.append(last + 1, journal.epoch(), &commits) {
            Ok((_, hash)) => {
                seen.acknowledged += commits.len() as u64;
                let count = commits.len();
                for (n, commit) in commits.into_iter().enumerate() {
                    // Only the last hash is told; the others are filled in when they are read.
                    log.push((commit, if n + 1 == count { hash.clone() } else { String::new() }));
                }
            }
            Err(AppendError::Io { .. }) => {
                seen.failed += 1;
                let again = journal.append(last + 1, journal.epoch(), &commits);
                assert!(matches!(again, Err(AppendError::Poisoned)), "{again:?}");
                if dice.one_in(5) {
                    return;
                }
                let tries = 1 + dice.below(3);
                if !(0..tries).any(|_| journal.continue_fresh().is_ok()) {
                    return;
                }
                seen.continued += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Fills in the hashes that `append` did not tell.
fn note_hashes(reader: &JournalReader, log: &mut [(Commit, String)]) -> Result<(), String> {
    let last = log.len() as u64;
    let read = reader.read_range(1, last, |commit, hash| {
        let entry = &mut log[commit.seq as usize - 1].1;
        if entry.is_empty() {
            *entry = hash.to_owned();
        }
        ControlFlow::Continue(())
    });
    if last == 0 { Ok(()) } else { read.map_err(|error| error.to_string()) }
}

/// Every commit of the log is there, unchanged; what is there beyond it joins the log (whole, though never answered).
fn compare(reader: &JournalReader, log: &mut Vec<(Commit, String)>) -> Result<(), String> {
    let mut read = Vec::new();
    reader
        .replay(1, |commit, hash| {
            read.push((commit, hash.to_owned()));
            ControlFlow::Continue(())
        })
        .map_err(|error| error.to_string())?;
    for (n, (commit, hash)) in log.iter().enumerate() {
        match read.get(n) {
            None => return Err(format!("commit {} was acknowledged and is lost", commit.seq)),
            Some((there, other)) if there != commit || (!hash.is_empty() && other != hash) => {
                return Err(format!("commit {} was acknowledged and is changed", commit.seq));
            }
            Some(_) => {}
        }
    }
    *log = read;
    Ok(())
}

fn check(disk: &Arc<dyn Disk>, log: &[(Commit, String)]) -> Result<(), String> {
    let head = log.last().filter(|(_, hash)| !hash.is_empty()).map(|(commit, hash)| (commit.seq, hash.as_str()));
    verify(&**disk, Path::new(DIR), head, &mut |_| ()).map(|_| ()).map_err(|error| format!("verify: {error}"))
}

fn commit(seq: u64, dice: &mut Dice) -> Commit {
    let longest = if dice.one_in(4) { 400 } else { 30 };
    let text = "é".repeat(dice.below(longest) as usize);
    let note = Event::IncidentNoted { incident: IncidentId(seq), text: text.into() };
    let events = (0..1 + dice.below(2)).map(|_| note.clone()).collect();
    Commit { seq, at: Timestamp(1_795_000_000_000 + dice.below(1_000_000) as i64), by: By::timer("fault"), events }
}
