//! Tests of the rules, on real files in a temporary directory; the failing disk is in `tests/journal_faults.rs`.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::domain::actor::{Actor, By};
use crate::domain::event::{Commit, Event};
use crate::domain::id::{IncidentId, RequestId};
use crate::domain::time::Timestamp;

fn note(seq: u64, text: &str) -> Commit {
    let events = vec![
        Event::IncidentNoted { incident: IncidentId(1), text: text.into() },
        Event::ClockStepped { by_ms: -5, behind_ms: 0 },
    ];
    Commit { seq, at: Timestamp(1_795_000_000_000), by: By::new(Actor::Person("bas".into()), "terminal"), events }
}

fn open(dir: &Path) -> (Journal, Recovered) {
    open_known(dir, None).expect("it opens")
}

fn open_known(dir: &Path, known: Option<(u64, String)>) -> Result<(Journal, Recovered), JournalError> {
    Journal::open(Arc::new(RealDisk), dir, "k3x9qz", known)
}

/// Appends batches of these sizes.
fn append(journal: &mut Journal, batches: &[u64]) {
    for size in batches {
        let last = journal.last().0;
        let commits: Vec<Commit> = (1..=*size).map(|n| note(last + n, &format!("note {}", last + n))).collect();
        journal.append(last + 1, journal.epoch(), &commits).expect("it appends");
    }
}

/// A journal with batches of these sizes, and its first file.
fn written(batches: &[u64]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    append(&mut open(dir.path()).0, batches);
    let file = dir.path().join("00000000000000000001.jsonl");
    (dir, file)
}

fn lines(file: &Path) -> Vec<Vec<u8>> {
    fs::read(file).expect("a file").split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

fn seqs(dir: &Path, from: u64) -> Vec<u64> {
    let mut seqs = Vec::new();
    let read = JournalReader::at(dir).replay(from, |commit, _| {
        seqs.push(commit.seq);
        ControlFlow::Continue(())
    });
    read.expect("it replays");
    seqs
}

fn check(dir: &Path) -> Result<VerifyReport, JournalError> {
    verify(&RealDisk, dir, None, &mut |_| ())
}

fn refusal(dir: &Path) -> String {
    open_known(dir, None).expect_err("it is refused").to_string()
}

#[test]
fn a_line_is_exactly_as_designed() {
    let (_dir, file) = written(&[]);
    let (mut journal, recovered) = open(file.parent().unwrap());
    assert_eq!((recovered.install.as_str(), recovered.epoch, recovered.last_seq), ("k3x9qz", 1, 0));
    assert_eq!(recovered.last_hash, "0".repeat(64));
    let mut commit = note(1, "\"quoted\"\n\u{2028}é");
    commit.by.request = Some(RequestId::from("r-1"));
    let (seq, hash) = journal.append(1, 1, std::slice::from_ref(&commit)).expect("it appends");
    let sealed = format!(
        "{{\"prev\":\"{}\",\"v\":1,\"install\":\"k3x9qz\",\"epoch\":1,\"seq\":1,\"batch\":1,\
         \"at\":\"2026-11-18T11:06:40.000Z\",\"by\":{{\"person\":\"bas\",\"via\":\"terminal\",\"request\":\"r-1\"}},\
         \"events\":[{{\"type\":\"incident.noted\",\"v\":1,\"incident\":\"INC-1\",\"text\":\"\\\"quoted\\\"\\n\u{2028}é\"}},\
         {{\"type\":\"clock.stepped\",\"v\":1,\"by_ms\":-5}}]",
        "0".repeat(64)
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{sealed},\"hash\":\"{hash}\"}}\n"));
    let again = <sha2::Sha256 as sha2::Digest>::digest(sealed.as_bytes());
    assert_eq!((seq, hash), (1, again.iter().map(|byte| format!("{byte:02x}")).collect()));
    let mut read = Vec::new();
    let done = journal.reader().read_range(1, 1, |commit, _| {
        read.push(commit);
        ControlFlow::Continue(())
    });
    done.expect("it reads");
    assert_eq!(read, [commit]);
}

#[test]
fn a_batch_that_does_not_follow_is_refused_and_writes_nothing() {
    let (dir, file) = written(&[2]);
    let (mut journal, recovered) = open(dir.path());
    let before = fs::read(&file).unwrap();
    let epoch = recovered.epoch;
    let refused = |result: Result<_, AppendError>| result.map(|_: (u64, String)| ()).expect_err("refused").to_string();
    assert_eq!(refused(journal.append(4, epoch, &[note(4, "")])), "commit 4 cannot follow commit 2");
    assert_eq!(refused(journal.append(3, epoch, &[note(3, ""), note(5, "")])), "commit 5 cannot follow commit 3");
    assert_eq!(refused(journal.append(3, 1, &[note(3, "")])), "the batch is of epoch 1, the journal is in epoch 2");
    let empty = Commit { events: vec![], ..note(3, "") };
    assert_eq!(refused(journal.append(3, epoch, &[empty])), "commit 3 has no events");
    assert_eq!(journal.append(3, epoch, &[]).unwrap().0, 2);
    assert_eq!(fs::read(&file).unwrap(), before);
    append(&mut journal, &[1]);
    assert_eq!(seqs(dir.path(), 1), [1, 2, 3]);
    for bad in ["", "UPPER", "a-b", "ninechars"] {
        assert!(matches!(Journal::open(Arc::new(RealDisk), dir.path(), bad, None), Err(JournalError::Install(_))));
    }
}

#[test]
fn segments_rotate_and_any_range_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path());
    journal.rotate_at(2_000);
    append(&mut journal, &[3; 20]);
    let report = check(dir.path()).expect("sound");
    assert!(report.segments > 5, "{report:?}");
    assert_eq!((report.commits, report.events, report.first_seq, report.last_seq), (60, 120, 1, 60));
    assert_eq!(report.last_hash, journal.last().1);
    for from in 0..=62 {
        assert_eq!(seqs(dir.path(), from), (from.max(1)..=60).collect::<Vec<_>>());
    }
    let mut count = 0;
    let beyond = journal.reader().read_range(59, 61, |_, _| {
        count += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(beyond, Err(JournalError::Beyond { wanted: 61, last: 60, .. })) && count == 2, "{beyond:?}");
    let mut out = Vec::new();
    assert_eq!(export(&RealDisk, dir.path(), 7, 41, &mut out).unwrap(), 35);
    let all: Vec<u8> = {
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names.iter().flat_map(|name| fs::read(name).unwrap()).collect()
    };
    let wanted: Vec<u8> = all.split_inclusive(|b| *b == b'\n').skip(6).take(35).flatten().copied().collect();
    assert_eq!(out, wanted);

    let second = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .min_by_key(|path| (path.ends_with("00000000000000000001.jsonl"), path.clone()));
    fs::remove_file(second.unwrap()).unwrap();
    let missing = check(dir.path()).expect_err("a file is missing").to_string();
    assert!(missing.contains("but the next file begins after commit"), "{missing}");
    fs::remove_file(dir.path().join("00000000000000000001.jsonl")).unwrap();
    assert!(refusal(dir.path()).contains("the files before it are missing"));
}

#[test]
fn a_torn_batch_is_cut_and_its_whole_lines_before_are_kept() {
    type Tear = fn(&mut Vec<Vec<u8>>);
    // Batches: 1-2, 3-6.
    let tears: [(&str, Tear, u64); 6] = [
        ("cut off", |lines| lines[5].truncate(100), 5),
        ("the newline alone is missing", |lines| lines[5].retain(|b| *b != b'\n'), 6),
        ("zeros", |lines| lines[4].fill(0), 4),
        ("the first of the batch, others whole", |lines| lines[2][70] ^= 1, 2),
        ("a newline within", |lines| lines[3][200] = b'\n', 3),
        ("garbage behind", |lines| lines.push(vec![0xff; 3_000]), 6),
    ];
    for (name, tear, kept) in tears {
        let (dir, file) = written(&[2, 4]);
        let mut all = lines(&file);
        tear(&mut all);
        fs::write(&file, all.concat()).unwrap();
        let told = check(dir.path()).expect("torn is not damaged").torn.len();
        let (mut journal, recovered) = open(dir.path());
        assert_eq!((recovered.last_seq, recovered.epoch, recovered.cut.len()), (kept, 2, told), "{name}");
        assert_eq!(told, usize::from(!name.contains("newline alone")), "{name}");
        append(&mut journal, &[2]);
        assert_eq!(seqs(dir.path(), 1), (1..=kept + 2).collect::<Vec<_>>(), "{name}");
        assert_eq!(check(dir.path()).expect(name).torn, []);
        drop(journal);
        assert_eq!(open(dir.path()).1.cut, []);
    }
}

#[test]
fn a_bad_line_before_a_later_batch_is_refused_by_name() {
    // The last line of the first batch, then a whole later batch: commit 2 was acknowledged.
    for line in [0, 1] {
        let (dir, file) = written(&[2, 3]);
        let mut all = lines(&file);
        all[line][300] ^= 4;
        let bytes = all.concat();
        fs::write(&file, &bytes).unwrap();
        let refused = refusal(dir.path());
        assert!(refused.starts_with(&format!("{}:{}: the hash does not fit", file.display(), line + 1)), "{refused}");
        assert!(refused.contains("put this file back from a backup"), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "nothing was changed");
    }
}

#[test]
fn verify_notices_every_flipped_byte() {
    let (dir, file) = written(&[1, 1, 1]);
    let good = fs::read(&file).unwrap();
    let last = good.len() - lines(&file)[2].len();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&file, &bad).unwrap();
        match check(dir.path()) {
            // The newline of a line is between two lines, and the last batch can only be told as torn.
            Ok(report) => assert!(at + 1 >= last && !report.torn.is_empty(), "byte {at}: {report:?}"),
            Err(error) => assert!(at < last, "byte {at}: {error}"),
        }
        if at >= last {
            let noted = lines_hash(&good);
            assert!(verify(&RealDisk, dir.path(), Some((3, &noted)), &mut |_| ()).is_err(), "byte {at}");
        }
    }
}

fn lines_hash(bytes: &[u8]) -> String {
    String::from_utf8(bytes[bytes.len() - 67..bytes.len() - 3].to_vec()).unwrap()
}

#[test]
fn verify_notices_removed_swapped_and_truncated_commits() {
    let (dir, file) = written(&[1, 2, 1]);
    let good = lines(&file);
    let hash = lines_hash(&good[3]);
    let with = |lines: &[&Vec<u8>], head| {
        fs::write(&file, lines.iter().flat_map(|line| line.iter().copied()).collect::<Vec<u8>>()).unwrap();
        verify(&RealDisk, dir.path(), head, &mut |_| ()).map_err(|error| error.to_string())
    };
    let [a, b, c, d] = &good[..] else { panic!("four lines") };
    assert_eq!(with(&[a, b, c, d], Some((4, &hash))).expect("sound").last_hash, hash);
    assert!(with(&[a, c, d], None).expect_err("removed").contains(":2: commit 3 stands where commit 2 is expected"));
    assert!(with(&[a, c, b, d], None).expect_err("swapped").contains(":2: commit 3 stands where commit 2"));
    assert!(with(&[b, c, d], None).expect_err("removed").contains(":1: commit 2 stands where commit 1"));
    assert!(with(&[a, b, c], None).is_ok(), "only a head noted elsewhere tells");
    let short = with(&[a, b, c], Some((4, &hash))).expect_err("truncated");
    assert!(
        short.contains(&format!("commit 4 with hash {hash} was noted elsewhere, but the journal ends at commit 3"))
    );
    let other = "f".repeat(64);
    let forged = with(&[a, b, c, d], Some((2, &other))).expect_err("another history");
    assert!(forged.contains(":2: commit 2 has hash"), "{forged}");

    // A commit from another history, sound in itself.
    let (_elsewhere, other) = written(&[3, 1]);
    let x = lines(&other)[2].clone();
    assert!(with(&[a, b, &x, d], None).expect_err("foreign").contains(":3: commit 3 does not follow commit 2"));
    fs::write(dir.path().join("old.jsonl"), "").unwrap();
    assert!(with(&[a, b, c, d], None).expect_err("a stray file").contains("old.jsonl:1: no segment"));
    fs::remove_file(dir.path().join("old.jsonl")).unwrap();
    fs::write(dir.path().join("00000000000000000005.jsonl"), a).unwrap();
    assert!(with(&[a, b, c, d], None).expect_err("a wrong name").contains("commit 1 stands where commit 5"));
    assert!(refusal(dir.path()).contains("commit 1 stands where commit 5"));
}

#[test]
fn what_only_a_newer_release_can_read_is_named_and_never_cut() {
    let (dir, file) = written(&[1, 1]);
    let all = lines(&file);
    let seal = |text: &str, from: &str, to: &str| {
        let sealed = text[..text.len() - 76].replace(from, to);
        let hash = <sha2::Sha256 as sha2::Digest>::digest(sealed.as_bytes());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{sealed},\"hash\":\"{hash}\"}}\n")
    };
    let second = String::from_utf8(all[1].clone()).unwrap();
    let changed = |from, to| {
        let bytes = [all[0].clone(), seal(&second, from, to).into_bytes()].concat();
        fs::write(&file, &bytes).unwrap();
        bytes
    };
    for (from, to, said) in [
        (
            "clock.stepped",
            "clock.smeared",
            ":2: this release does not know events of type `clock.smeared` (version 1); a newer release is needed",
        ),
        (
            "stepped\",\"v\":1",
            "stepped\",\"v\":2",
            "`clock.stepped` up to version 1, the journal has version 2; a newer release is needed",
        ),
        ("\"v\":1,\"by_ms\"", "\"by_ms\"", "it lacks its type or its version"),
        ("\"by_ms\":-5", "\"by_ms\":\"x\"", "a newer release may be needed"),
    ] {
        changed(from, to);
        let error = check(dir.path()).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
        let replay = JournalReader::at(dir.path()).replay(1, |_, _| ControlFlow::Continue(()));
        assert!(replay.expect_err(said).to_string().contains(said));
    }
    changed("\"v\":1,\"by_ms\":-5", "\"by_ms\":-5,\"v\":1");
    check(dir.path()).expect("the order of an event's keys does not matter");
    let bytes = changed("\",\"v\":1,\"install\"", "\",\"v\":2,\"install\"");
    let refused = refusal(dir.path());
    assert!(refused.contains(":2: the line has format version 2; a newer release is needed"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_known_commit_is_found_without_reading_from_the_start() {
    let (dir, file) = written(&[100; 8]);
    let all = lines(&file);
    assert!(fs::metadata(&file).unwrap().len() > 250_000, "more than the halving reads at once");
    for known in [1, 57, 400, 799, 800] {
        let hash = lines_hash(&all[known as usize - 1]);
        let (_, recovered) = open_known(dir.path(), Some((known, hash))).expect("it opens");
        assert_eq!((recovered.known, recovered.last_seq), (Known::Confirmed, 800));
    }
    let found = open_known(dir.path(), Some((400, "f".repeat(64)))).expect("it opens").1.known;
    assert_eq!(found, Known::Differs { hash: lines_hash(&all[399]) });
    assert_eq!(open_known(dir.path(), Some((801, "f".repeat(64)))).expect("it opens").1.known, Known::Beyond);

    // Damage far before the known commit does not stop a start; the full check finds it.
    let mut bad = all.clone();
    bad[10][300] ^= 1;
    fs::write(&file, bad.concat()).unwrap();
    open_known(dir.path(), Some((799, lines_hash(&all[798])))).expect("only the tail is read");
    assert!(check(dir.path()).expect_err("damaged").to_string().contains(".jsonl:11: "));
    assert!(refusal(dir.path()).contains(".jsonl:11: "));

    // A torn tail of some size; and the same when a commit in it is known to have been durable: that is damage.
    bad = all.clone();
    bad[700..].iter_mut().for_each(|line| line[150] ^= 1);
    fs::write(&file, bad.concat()).unwrap();
    for known in [750, 800, 801] {
        let refused = open_known(dir.path(), Some((known, "f".repeat(64)))).expect_err("damaged").to_string();
        assert!(refused.contains(&format!(":701: the hash does not fit the line, and commit {known} was durable")));
    }
    let recovered = open_known(dir.path(), Some((700, lines_hash(&all[699])))).expect("torn").1;
    assert_eq!((recovered.last_seq, recovered.cut[0].line, recovered.known), (700, 701, Known::Confirmed));
}

#[test]
fn a_header_that_was_not_finished_counts_for_nothing() {
    let (dir, _) = written(&[2, 2]);
    let path = dir.path().join("00000000000000000003.k0001.jsonl");
    for begun in ["", "{\"continues\":{\"seq\":2"] {
        fs::write(&path, begun).unwrap();
        let report = check(dir.path()).expect("not damage");
        assert_eq!((report.commits, report.torn.len(), report.segments), (4, 1, 1));
        let (_, recovered) = open(dir.path());
        assert_eq!((recovered.last_seq, recovered.cut.len()), (4, 1));
        assert!(!path.exists());
    }
}

#[test]
fn anything_in_the_directory_is_answered_without_a_panic() {
    let name = "00000000000000000001.jsonl";
    let zeros = vec![0; 100_000];
    for bytes in [&b""[..], b"\n", b"\n\n\n", b"{}", b"{}\n", b"null\n", b"\xff\xfe", &zeros] {
        for name in [name, "00000000000000000001.k0001.jsonl"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), bytes).unwrap();
            check(dir.path()).expect("nothing was acknowledged");
            let (mut journal, recovered) = open(dir.path());
            assert_eq!(recovered.last_seq, 0);
            append(&mut journal, &[1]);
            assert_eq!(seqs(dir.path(), 1), [1]);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(check(&dir.path().join("absent")).expect_err("absent").to_string().contains("could not list"));
    fs::create_dir(dir.path().join(name)).unwrap();
    assert!(matches!(open_known(dir.path(), None), Err(JournalError::Io { .. })));
}

#[test]
fn a_journal_goes_on_under_another_name_only_when_it_says_so() {
    let renewed = |install: &str, from: &str, after| {
        let event = Event::InstallRenewed { install: install.into(), from: from.into(), after };
        Commit { events: vec![event], ..note(3, "") }
    };
    let sound = |commit: Commit| {
        let (dir, _) = written(&[2]);
        let (mut journal, found) = open(dir.path());
        journal.renew_install("other").expect("a name");
        journal.append(3, found.epoch, &[commit]).expect("it appends");
        drop(journal);
        let (journal, _) = open(dir.path());
        assert_eq!(journal.install(), "other");
        check(dir.path()).map(|report| report.commits).map_err(|error| error.to_string())
    };
    assert_eq!(sound(renewed("other", "k3x9qz", 2)), Ok(3));
    for silent in
        [note(3, "three"), renewed("else", "k3x9qz", 2), renewed("other", "else", 2), renewed("other", "k3x9qz", 1)]
    {
        let refused = sound(silent).expect_err("nothing says so");
        assert!(
            refused.contains(".jsonl:3: commit 3 is of installation other, the one before it of k3x9qz"),
            "{refused}"
        );
    }
    let (mut journal, _) = open(tempfile::tempdir().expect("a directory").path());
    for name in ["", "UPPER", "much-too-long", "a b"] {
        assert!(journal.renew_install(name).is_err());
    }
}
