//! A backup gives back what was there, or says what is wrong with it; it is never believed half.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::domain::actor::By;
use crate::domain::event::{Commit, Event};
use crate::domain::id::IncidentId;
use crate::journal::{Journal, JournalReader, verify};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const CONFIG: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

fn commit(seq: u64) -> Commit {
    let event = match seq {
        1 => Event::ConfigLoaded { hash: "0".repeat(64).into() },
        3 => Event::ConfigLoaded { hash: CONFIG.into() },
        // Words that look like the event above are only words.
        _ => Event::IncidentNoted {
            incident: IncidentId(1),
            text: r#"{"type":"config.loaded","v":1,"hash":"x"}"#.into(),
        },
    };
    Commit { seq, at: NOW, by: By::timer("test"), events: vec![event] }
}

/// A data directory with a journal of 20 commits in several segments, and two configurations, one of them half copied.
fn data(dir: &Path) -> PathBuf {
    let data = dir.join("data");
    let (mut journal, found) = Journal::open(Arc::new(RealDisk), &data.join("journal"), "k3x9qz", None).unwrap();
    journal.rotate_at(1500);
    for first in [1, 6, 11, 16] {
        let batch: Vec<Commit> = (first..first + 5).map(commit).collect();
        journal.append(first, found.epoch, &batch).unwrap();
    }
    for (name, text) in [(CONFIG.to_owned(), "whole"), (format!("{CONFIG}.new"), "half")] {
        let folder = data.join("config").join(name).join("teams");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("own.toml"), text).unwrap();
    }
    data
}

fn commits(data: &Path) -> Vec<Commit> {
    let mut commits = Vec::new();
    let read = JournalReader::at(&data.join("journal")).replay(1, |commit, _| {
        commits.push(commit);
        ControlFlow::Continue(())
    });
    read.unwrap();
    commits
}

fn refusal(backup: &Path, into: &Path) -> String {
    let refused = format!("{:#}", restore(backup, into, NOW).expect_err("refused"));
    assert!(!into.join("journal").exists() && !into.join(crate::runtime::data::RESTORING).exists(), "{refused}");
    refused
}

#[test]
fn what_was_there_comes_back_under_a_new_name() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let target = dir.path().join("b.tar");
    let saved = save(&data, None, &target, NOW).unwrap();
    assert_eq!((saved.manifest.head.seq, saved.manifest.config.as_deref()), (20, Some(CONFIG)));
    assert_eq!(saved.sha256, hex(Sha256::digest(fs::read(&target).unwrap())), "as sha256sum would say");
    let again = save(&data, None, &target, NOW).expect_err("it is there").to_string();
    assert!(again.contains("is there already"), "{again}");

    let new = dir.path().join("new");
    let done = restore(&target, &new, NOW).unwrap();
    assert_eq!((done.report.commits, &done.manifest), (20, &saved.manifest));
    assert_ne!(done.install, "k3x9qz");
    assert_eq!(fs::read_to_string(new.join("config").join(CONFIG).join("teams/own.toml")).unwrap(), "whole");
    assert_eq!(fs::read_dir(new.join("config")).unwrap().count(), 1, "what was half copied is left out");
    let (before, mut after) = (commits(&data), commits(&new));
    let renewed = after.pop().unwrap();
    assert_eq!(after, before);
    let said = Event::InstallRenewed { install: done.install.as_str().into(), from: "k3x9qz".into(), after: 20 };
    assert_eq!((renewed.seq, renewed.events), (21, vec![said]));
    let head = Some((20, done.manifest.head.hash.as_str()));
    let report = verify(&RealDisk, &new.join("journal"), head, &mut |_| ());
    assert_eq!(report.unwrap().last_seq, 21);
    let (journal, _) = Journal::open(Arc::new(RealDisk), &new.join("journal"), "other", None).unwrap();
    assert_eq!(journal.install(), done.install);
    assert!(refusal_used(&target, &new).contains("holds journal"), "a second time");
}

fn refusal_used(backup: &Path, into: &Path) -> String {
    let before = commits(into);
    let refused = format!("{:#}", restore(backup, into, NOW).expect_err("refused"));
    assert_eq!(commits(into), before, "nothing is overwritten");
    refused
}

#[test]
fn a_backup_ends_at_the_durable_head() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let hash = verify(&RealDisk, &data.join("journal"), None, &mut |_| ()).unwrap().last_hash;
    let ten = {
        let mut found = String::new();
        let read = JournalReader::at(&data.join("journal")).read_range(10, 10, |_, hash| {
            hash.clone_into(&mut found);
            ControlFlow::Continue(())
        });
        read.unwrap();
        found
    };
    let saved = save(&data, Some((10, &ten)), &dir.path().join("b.tar"), NOW).unwrap();
    assert_eq!(saved.manifest.head, Head { seq: 10, hash: ten });
    restore(&saved.path, &dir.path().join("new"), NOW).unwrap();
    assert_eq!(commits(&dir.path().join("new")).len(), 11);
    // A head that is not in the journal is no backup, and leaves no file.
    for head in [(10, hash.as_str()), (21, hash.as_str())] {
        let target = dir.path().join("wrong.tar");
        save(&data, Some(head), &target, NOW).expect_err("another journal");
        assert!(!target.exists());
    }
    let left = fs::read_dir(dir.path()).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some());
    assert_eq!(left.count(), 1, "nothing half written is left beside the one backup");
    // Into a directory it gets a name that says what it is.
    let saved = save(&data, None, dir.path(), NOW).unwrap();
    let name = saved.path.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(name, "opsbell-k3x9qz-20-20261118T110640Z.tar");
}

#[test]
fn a_damaged_or_empty_journal_is_not_backed_up() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let first = data.join("journal/00000000000000000001.jsonl");
    let mut bytes = fs::read(&first).unwrap();
    bytes[300] ^= 1;
    fs::write(&first, bytes).unwrap();
    let refused = format!("{:#}", save(&data, None, &dir.path().join("b.tar"), NOW).expect_err("damaged"));
    assert!(refused.contains(".jsonl:1: "), "{refused}");
    let empty = dir.path().join("empty");
    Journal::open(Arc::new(RealDisk), &empty.join("journal"), "k3x9qz", None).unwrap();
    let refused = format!("{:#}", save(&empty, None, &dir.path().join("b.tar"), NOW).expect_err("empty"));
    assert!(refused.contains("nothing to back up"), "{refused}");
}

#[test]
fn a_backup_cut_short_is_refused_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let whole = save(&data, None, &dir.path().join("b.tar"), NOW).unwrap();
    let bytes = fs::read(&whole.path).unwrap();
    // The manifest is the last entry; behind it there is only the tar's own end.
    let end = bytes.windows(MANIFEST.len()).rposition(|name| name == MANIFEST.as_bytes()).unwrap();
    let cut = dir.path().join("cut.tar");
    for length in (0..=end).step_by(97).chain([511, 512, 513, end, end + 512]) {
        fs::write(&cut, &bytes[..length]).unwrap();
        let refused = refusal(&cut, &dir.path().join("new"));
        assert!(refused.contains("whole backup"), "{length}: {refused}");
        assert!(!dir.path().join("new").exists(), "it leaves nothing behind");
    }
    for other in [&b"PK\x03\x04"[..], &[0; 10_000], b"not a backup\n"] {
        fs::write(&cut, other).unwrap();
        assert!(refusal(&cut, &dir.path().join("new")).contains("whole backup"));
    }
}

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let whole = save(&data, None, &dir.path().join("b.tar"), NOW).unwrap();
    let (bytes, before) = (fs::read(&whole.path).unwrap(), commits(&data));
    let flipped = dir.path().join("flipped.tar");
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(61) {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        fs::write(&flipped, bad).unwrap();
        let into = dir.path().join(format!("new-{at}"));
        match restore(&flipped, &into, NOW) {
            Err(_) => {
                assert!(!into.join("journal").exists());
                refused += 1;
            }
            Ok(_) => assert_eq!(commits(&into)[..20], before, "byte {at}"),
        }
        let _ = fs::remove_dir_all(into);
    }
    assert!(refused > 50, "only {refused} were noticed");
}

#[test]
fn nothing_is_written_outside_the_new_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hostile.tar");
    let long = format!("config/{CONFIG}/../../../../out");
    for path in ["../out", "/out", "journal/../../out", "journal/a/b.jsonl", "admin.token", "config/x/y", &long, "lock"]
    {
        let mut tar = tar::Builder::new(File::create(&file).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        // The library refuses such names, so they are written by hand.
        header.as_old_mut().name[..path.len().min(99)].copy_from_slice(&path.as_bytes()[..path.len().min(99)]);
        header.set_cksum();
        tar.append(&header, &b"evil"[..]).unwrap();
        tar.into_inner().unwrap();
        let refused = refusal(&file, &dir.path().join("new"));
        assert!(refused.contains("which no backup does"), "{path}: {refused}");
        assert!(!dir.path().join("out").exists() && !dir.path().join("new/admin.token").exists());
    }
    // Links are no entries of ours.
    let mut tar = tar::Builder::new(File::create(&file).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, format!("config/{CONFIG}/opsbell.toml"), "/etc/passwd").unwrap();
    tar.into_inner().unwrap();
    assert!(refusal(&file, &dir.path().join("new")).contains("which no backup does"));
}

#[test]
fn an_interrupted_restore_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let whole = save(&data, None, &dir.path().join("b.tar"), NOW).unwrap();
    let new = dir.path().join("new");
    // As a kill leaves it: some of it unpacked, one configuration already in its place.
    fs::create_dir_all(new.join(crate::runtime::data::RESTORING).join("journal")).unwrap();
    fs::create_dir_all(new.join("config").join(CONFIG)).unwrap();
    fs::write(new.join(crate::runtime::data::RESTORING).join("journal/00000000000000000001.jsonl"), "{").unwrap();
    restore(&whole.path, &new, NOW).unwrap();
    assert_eq!(commits(&new).len(), 21);
    for used in ["records", "admin.token", "server.json", "config.json"] {
        let into = dir.path().join(used);
        fs::create_dir_all(into.join(used)).unwrap();
        assert!(refusal(&whole.path, &into).contains(&format!("holds {used}")));
    }
}
