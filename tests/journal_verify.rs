//! Checking a journal that has been through a failure: with our own check, with the recipe in docs/journal.md, and by
//! what an export says.

mod support_faults;

use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use opsbell::domain::actor::By;
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::id::IncidentId;
use opsbell::domain::time::Timestamp;
use opsbell::journal::{AppendError, Disk, Journal, JournalReader, RealDisk, export, verify};
use support_faults::FaultDisk;

fn note(seq: u64, text: &str) -> Commit {
    let event = Event::IncidentNoted { incident: IncidentId(1), text: text.into() };
    Commit { seq, at: Timestamp(1_795_000_000_000), by: By::timer("test"), events: vec![event] }
}

/// A journal on real files: commits 1-3, a batch 4-5 whose sync failed, then 4-6 in a fresh segment.
fn journal_after_a_failure(dir: &Path) -> String {
    let fault = FaultDisk::new(7);
    let disk: Arc<dyn Disk> = Arc::new(fault.clone());
    let (mut journal, recovered) = Journal::open(Arc::clone(&disk), dir, "k3x9qz", None).expect("it opens");
    let epoch = recovered.epoch;
    journal.append(1, epoch, &[note(1, "one"), note(2, "two"), note(3, "three")]).expect("it appends");
    fault.fail_syncs(true);
    let failed = [note(4, "never answered"), note(5, "never answered")];
    assert!(matches!(journal.append(4, epoch, &failed), Err(AppendError::Io { doing: "sync", .. })));
    assert!(matches!(journal.append(4, epoch, &failed), Err(AppendError::Poisoned)));
    assert!(journal.continue_fresh().is_err() && journal.is_poisoned(), "the disk still fails");
    fault.fail_syncs(false);
    journal.continue_fresh().expect("the disk is well again");
    assert_eq!(journal.last().0, 3);
    journal.append(4, epoch, &[note(4, "four")]).expect("it appends");
    let (_, hash) = journal.append(5, epoch, &[note(5, "five"), note(6, "six")]).expect("it appends");
    for name in disk.list(dir).expect("names") {
        let path = dir.join(name);
        let (file, mut bytes) = (disk.open_read(&path).expect("a file"), vec![0; 1 << 16]);
        let size = file.read_at(0, &mut bytes).expect("it reads");
        fs::write(path, &bytes[..size]).expect("it is copied");
    }
    hash
}

#[test]
fn a_continued_segment_voids_what_was_never_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let hash = journal_after_a_failure(dir.path());
    let old = dir.path().join("00000000000000000001.jsonl");
    let fresh = dir.path().join("00000000000000000004.k0002.jsonl");
    assert!(fs::read_to_string(&old).expect("a file").contains("never answered"));

    let report = verify(&RealDisk, dir.path(), Some((6, &hash)), &mut |_| ()).expect("sound");
    assert_eq!((report.commits, report.segments, report.torn.len()), (6, 2, 0));
    assert!(report.voided_bytes > 0);
    let mut texts = Vec::new();
    let replay = JournalReader::at(dir.path()).replay(1, |commit, _| {
        texts.extend(commit.events);
        ControlFlow::Continue(())
    });
    replay.expect("it replays");
    let wanted = ["one", "two", "three", "four", "five", "six"].map(|text| note(0, text).events.remove(0));
    assert_eq!(texts, wanted);
    let mut out = Vec::new();
    assert_eq!(export(&RealDisk, dir.path(), 1, u64::MAX, &mut out).expect("it exports"), 6);
    assert!(!String::from_utf8(out).expect("text").contains("never answered"));
    for known in 1..=6 {
        let mut hash = String::new();
        let read = JournalReader::at(dir.path()).read_range(known, known, |_, it| {
            hash = it.to_owned();
            ControlFlow::Continue(())
        });
        read.expect("it reads");
        let opened = Journal::open(Arc::new(RealDisk), dir.path(), "other", Some((known, hash)));
        let (journal, recovered) = opened.expect("it opens");
        assert_eq!((journal.install(), recovered.last_seq, recovered.epoch), ("k3x9qz", 6, 2));
        assert_eq!(recovered.known, opsbell::journal::Known::Confirmed);
    }

    // The old file may be damaged behind commit 3, not before; the header may not be touched or go.
    let (old_bytes, fresh_bytes) = (fs::read(&old).expect("a file"), fs::read(&fresh).expect("a file"));
    let check = || verify(&RealDisk, dir.path(), None, &mut |_| ()).map_err(|error| error.to_string());
    fs::write(&old, &old_bytes[..old_bytes.len() - 30]).expect("written");
    assert!(check().is_ok());
    fs::write(&old, &old_bytes[..300]).expect("written");
    assert!(check().expect_err("commit 3 is gone").contains("0001.jsonl:1: the line is cut off"));
    fs::write(&old, &old_bytes).expect("written");
    let mut forged = fresh_bytes.clone();
    forged[30] ^= 1;
    fs::write(&fresh, forged).expect("written");
    assert!(check().expect_err("a forged header").contains("k0002.jsonl:1: the header is not as it was written"));
    fs::write(&fresh, &fresh_bytes).expect("written");
    fs::rename(&fresh, dir.path().join("00000000000000000003.k0002.jsonl")).expect("renamed");
    assert!(check().expect_err("a wrong name").contains("continues after commit 3, the file name says otherwise"));
}

#[test]
fn the_recipe_in_the_docs_agrees() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/journal.md");
    let docs = fs::read_to_string(docs).expect("the docs");
    let recipe = docs.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a recipe");
    assert!(recipe.lines().count() <= 20, "{} lines", recipe.lines().count());
    if Command::new("python3").arg("--version").output().is_err() {
        println!("python3 is absent: the recipe was not run");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let hash = journal_after_a_failure(dir.path());
    let run = || {
        let output = Command::new("python3").args(["-c", recipe]).arg(dir.path()).output().expect("it runs");
        let mut said = String::new();
        (&output.stdout[..]).read_to_string(&mut said).expect("text");
        (output.status.code(), said.trim_end().to_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(), (Some(0), format!("sound: 6 commits, head {hash}"), String::new()));
    let file = dir.path().join("00000000000000000004.k0002.jsonl");
    let good = fs::read(&file).expect("a file");
    for at in [0, 30, 100, 300, good.len() / 2, good.len() - 10] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, bad).expect("written");
        let (status, said, _) = run();
        assert!(status == Some(1) && said.starts_with("not as it was written: "), "byte {at}: {said}");
    }
}
