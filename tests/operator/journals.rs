//! Journals of every release replay for ever, and add up to what they added up to then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use opsbell::domain::actor::By;
use opsbell::domain::delivery::DeliveryStatus;
use opsbell::domain::event::{Commit, Event};
use opsbell::domain::incident::Incident;
use opsbell::domain::state::State;
use opsbell::domain::time::Timestamp;
use opsbell::journal::{Journal, JournalReader, RealDisk, verify};
use opsbell::rehearsal::{Story, Surroundings, organisation, play};

const FIRST: &str = "00000000000000000001.jsonl";

/// What a journal adds up to, in words that do not depend on how State is built.
fn sum(journal: &Path) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(journal, dir.path().join(FIRST)).unwrap();
    let report = verify(&RealDisk, dir.path(), None, &mut |_| ()).unwrap();
    let (mut state, mut incidents) = (State::new("story"), BTreeMap::new());
    let replayed = JournalReader::at(dir.path()).replay(1, |commit, _| {
        state.apply(&commit);
        let closed = std::mem::take(&mut state.take_dirty().closed_incidents);
        incidents.extend(closed.into_iter().map(|(id, incident)| (id, describe(&incident))));
        ControlFlow::Continue(())
    });
    replayed.unwrap();
    incidents.extend(state.incidents.iter().map(|(id, incident)| (*id, describe(incident))));
    let mut text = format!(
        "{} commits, {} events, head {}\ninstallation {}, {} alerts fire, {} messages owed, {} moments ahead\n",
        report.commits,
        report.events,
        report.last_hash,
        state.meta.install,
        state.alerts.len(),
        state.owed_count(),
        state.wakeups().count()
    );
    incidents.values().for_each(|incident| text.push_str(incident));
    // State comes back from its own records, too.
    assert_eq!(State::assemble(state.disassemble()).disassemble(), state.disassemble());
    text
}

fn describe(incident: &Incident) -> String {
    let Incident { id, state, severity, title, service, pages, deliveries, .. } = incident;
    let mut text = format!("{id} {} {severity} {service}: {title}\n", state.as_str());
    for page in pages {
        let _ = writeln!(text, "  {} {} {}", page.id(*id), page.person, format!("{:?}", page.state).to_lowercase());
    }
    for delivery in deliveries {
        let status = match &delivery.status {
            DeliveryStatus::Owed { attempts, .. } => format!("owed after {attempts} attempts"),
            DeliveryStatus::Accepted { at } => format!("accepted {at}"),
            DeliveryStatus::Failed { at, .. } => format!("failed {at}"),
            DeliveryStatus::Cancelled { at, .. } => format!("cancelled {at}"),
        };
        let _ = writeln!(text, "  {} to {}: {status}", delivery.id, delivery.to);
    }
    text
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals")
}

/// Plays every story of the example and writes its journal, with a restore at its end, as this release does.
fn write(release: &Path) {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ej-airways/stories");
    fs::create_dir_all(release).unwrap();
    for entry in fs::read_dir(&stories).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".txt") else { continue };
        let story = Story::parse(name, &fs::read_to_string(&path).unwrap()).unwrap();
        let around = Surroundings {
            load: &|dir| organisation(&stories.join(dir)),
            read: &|file| fs::read(stories.join(file)).map_err(|error| error.to_string()),
        };
        let (outcome, world) = play(&story, organisation(&stories.join("..")).unwrap(), &around);
        assert!(outcome.passed(), "{outcome}");
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, found) = Journal::open(Arc::new(RealDisk), dir.path(), "story", None).unwrap();
        let commits: Vec<Commit> = world.commits().map(Result::unwrap).collect();
        let last = commits.last().unwrap();
        let renewed = Event::InstallRenewed { install: "renewed".into(), from: "story".into(), after: last.seq };
        let renewed =
            Commit { seq: last.seq + 1, at: Timestamp(last.at.0 + 1), by: By::timer("restore"), events: vec![renewed] };
        for commit in &commits {
            journal.append(commit.seq, found.epoch, std::slice::from_ref(commit)).unwrap();
        }
        journal.renew_install("renewed").unwrap();
        journal.append(renewed.seq, found.epoch, &[renewed]).unwrap();
        let golden = release.join(format!("{name}.jsonl"));
        fs::copy(dir.path().join(FIRST), &golden).unwrap();
        fs::write(golden.with_extension("txt"), sum(&golden)).unwrap();
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a release asks for its journals by the environment")]
fn journals_of_every_release_replay_for_ever() {
    let present = home().join(env!("CARGO_PKG_VERSION"));
    if std::env::var("OPSBELL_GOLDEN").is_ok_and(|asked| asked == "write") && !present.exists() {
        write(&present);
    }
    let mut seen = BTreeMap::new();
    for release in fs::read_dir(home()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for journal in fs::read_dir(&release).unwrap().map(|entry| entry.unwrap().path()) {
            if journal.extension().is_none_or(|kind| kind != "jsonl") {
                continue;
            }
            let told = fs::read_to_string(journal.with_extension("txt")).unwrap();
            assert_eq!(sum(&journal), told, "{}: what it meant then", journal.display());
            *seen.entry(release.clone()).or_insert(0) += 1;
        }
    }
    assert!(
        seen.get(&present).is_some_and(|journals| *journals >= 40),
        "of this release: see tests/journals/README.md"
    );
}
