//! The records room through its front door: what is written comes back, moves when it is closed or reopened, and is
//! never silently wrong after the disk has changed it. `measure` and `many_damages` are for people to run.
#![cfg(feature = "records")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use opsbell::domain::actor::Actor;
use opsbell::domain::alert::{Alert, Labels};
use opsbell::domain::change::deployed::{Deployed, KnownCommit};
use opsbell::domain::delivery::{Delivery, DeliveryStatus, Destination, Method, Priority, Reached};
use opsbell::domain::id::{AlertId, ChangeId, DeliveryId, DeploymentId, IncidentId};
use opsbell::domain::incident::{Entry, Incident, IncidentState, Roles, Severity};
use opsbell::domain::input::Reply;
use opsbell::domain::org::Policy;
use opsbell::domain::paging::Escalation;
use opsbell::domain::report::dora::Outage;
use opsbell::domain::signal::{AlertSeverity, Progress};
use opsbell::domain::state::{Dirty, KeptAnswer, OpenRecords, RecordKey, State, Token};
use opsbell::domain::time::Timestamp;
use opsbell::records::{Applied, Deadlines, Rebuild, Records, SCHEMA, Slot, Snapshot, Trouble, snapshot};

fn incident(n: u64, title: &str) -> Incident {
    let by = Actor::Integration("prometheus".into());
    Incident {
        id: IncidentId(n),
        title: title.into(),
        service: "payments-api".into(),
        team: "payments".into(),
        severity: Severity::Sev1,
        severity_by_person: false,
        state: IncidentState::Triggered,
        group: format!("payments-api/{n}").into(),
        environment: Some("production".into()),
        unrouted: false,
        opened_by: by.clone(),
        opened_at: Timestamp(1_800_000_000_000 + n as i64),
        acknowledged_at: None,
        holder: None,
        own_policy: None,
        ack_expires: None,
        mitigated_at: None,
        resolved_at: None,
        resolution: None,
        closes: None,
        closed_at: None,
        place: None,
        roles: Roles::default(),
        alerts_firing: 1,
        alerts_total: 1,
        last_step: Some(0),
        exhausted_at: None,
        reached: Reached::Nobody,
        unreached: 0,
        kept_open: false,
        remedies: Vec::new(),
        escalation: Some(Escalation {
            policy: Arc::new(Policy { id: "payments".into(), steps: Vec::new(), repeat: 2, ack_expires: None }),
            step: 1,
            cycle: 0,
            due: Timestamp(1_800_000_300_000),
            reason: "opened by alert".into(),
            held: false,
        }),
        pages: Vec::new(),
        deliveries: Vec::new(),
        timeline: vec![Entry { at: Timestamp(1_800_000_000_000), by, text: "opened".into() }],
        timeline_folded: 0,
        links: Vec::new(),
        also_groups: Vec::new(),
        merged_into: None,
        private: false,
        invited: Vec::new(),
        update_due: None,
        reminded: 0,
        assessed: None,
        review: None,
        room: None,
    }
}

fn alert(n: u64) -> Alert {
    Alert {
        id: AlertId(n),
        integration: "prometheus".into(),
        key: format!("key \u{1f525} {n}").into(),
        incident: IncidentId(n),
        service: "payments-api".into(),
        named_service: None,
        name: "ReplicationLag".into(),
        severity: AlertSeverity::Critical,
        summary: None,
        environment: None,
        labels: Labels::from(&BTreeMap::from([("alertname".to_owned(), "ReplicationLag".to_owned())])),
        link: None,
        opened_at: Timestamp(1_800_000_000_000),
        started_at: None,
        resolved_at: None,
        suppressed: None,
    }
}

fn notice(seq: u64) -> Delivery {
    Delivery {
        id: DeliveryId { install: "k3x9qz".into(), seq, n: 0 },
        page: None,
        to: Destination::Person { person: "bas".into(), method: Method::Email },
        priority: Priority::Notice,
        owed_at: Timestamp(1),
        status: DeliveryStatus::Owed { attempts: 0, not_before: None, unknown: false, trouble: Default::default() },
        content: None,
    }
}

/// A stand-in for the engine: a State and what is dirty in it.
#[derive(Default)]
struct Engine {
    state: State,
    dirty: Dirty,
}

impl Engine {
    fn open(&mut self, n: u64) {
        self.put(incident(n, "the database is slow"));
        self.state.alerts.insert(AlertId(n), Box::new(alert(n)));
        self.dirty.touched.insert(RecordKey::Alert(AlertId(n)));
    }

    fn put(&mut self, incident: Incident) {
        self.dirty.touched.insert(RecordKey::Incident(incident.id));
        self.state.incidents.insert(incident.id, Box::new(incident));
    }

    fn close(&mut self, n: u64) -> Incident {
        let mut incident = *self.state.incidents.remove(&IncidentId(n)).expect("it is open");
        incident.state = IncidentState::Closed;
        incident.escalation = None;
        self.dirty.touched.insert(RecordKey::Incident(incident.id));
        self.dirty.closed_incidents.insert(incident.id, incident.clone());
        if let Some(alert) = self.state.alerts.remove(&AlertId(n)) {
            self.dirty.touched.insert(RecordKey::Alert(alert.id));
            self.dirty.closed_alerts.insert(alert.id, *alert);
        }
        incident
    }

    fn snapshot(&mut self) -> Snapshot {
        self.state.meta.seq += 1;
        let dirty = std::mem::take(&mut self.dirty);
        snapshot(&self.state, &dirty, &format!("hash of {}", self.state.meta.seq)).expect("json")
    }

    fn open_records(&self) -> OpenRecords {
        let state = &self.state;
        OpenRecords {
            meta: state.meta.clone(),
            alerts: state.alerts.values().map(|alert| (**alert).clone()).collect(),
            incidents: state.incidents.values().map(|incident| (**incident).clone()).collect(),
            notices: state.notices.values().cloned().collect(),
            answers: state.answers.iter().map(|(key, answer)| (key.clone(), answer.clone())).collect(),
            tokens: state.tokens.iter().map(|(name, token)| (name.clone(), token.clone())).collect(),
            silences: state.silences.values().cloned().collect(),
            deployments: state.deployments.values().cloned().collect(),
            commits: state.commits.iter().map(|(n, commit)| (*n, commit.clone())).collect(),
            outages: state.outages.values().cloned().collect(),
            ..OpenRecords::default()
        }
    }
}

fn deployed(n: u64) -> Deployed {
    Deployed {
        id: DeploymentId(n),
        integration: Some("github".into()),
        key: "deployment 7".into(),
        service: "api".into(),
        team: "core".into(),
        environment: "production".into(),
        version: Some("1.4".into()),
        sha: None,
        progress: Progress::Failed,
        told_at: Timestamp(4),
        ended_at: Some(Timestamp(5)),
        committed_at: None,
        change: Some(ChangeId(7)),
        unapproved: true,
        harmed: false,
        question: None,
    }
}

fn outage(n: u64) -> Outage {
    Outage {
        incident: IncidentId(n),
        service: "api".into(),
        team: "core".into(),
        environment: None,
        impact: None,
        detected: Timestamp(6),
        mitigated: Some(Timestamp(7)),
        resolved: Timestamp(8),
        by_change: true,
    }
}

fn open(dir: &Path) -> Records {
    Records::open(dir, Deadlines::default()).expect("records that open")
}

fn load(records: &Records) -> (Applied, OpenRecords) {
    records.load_open().expect("readable").expect("there")
}

fn numbers(incidents: &[Incident]) -> Vec<u64> {
    incidents.iter().map(|incident| incident.id.0).collect()
}

#[test]
fn what_is_written_comes_back_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut engine = Engine::default();
    (1..=20).for_each(|n| engine.open(n));
    engine.state.notices.insert(notice(7).id, notice(7));
    engine.dirty.touched.insert(RecordKey::Notice(notice(7).id));
    let answer = KeptAnswer { at: Timestamp(1), seq: 1, reply: Reply::done("done \u{2713}") };
    for key in ["bas/1", "", "a/b/\u{0}\u{ffff}"] {
        engine.state.answers.insert(key.into(), answer.clone());
        engine.dirty.touched.insert(RecordKey::Answer(key.into()));
    }
    for (n, sha) in [(1, "5e1f"), (300, "c0ff")] {
        let known = KnownCommit::bare(&sha.repeat(10));
        let commit = KnownCommit { at: Some(Timestamp(3)), author: Some("bas".into()), ..known };
        engine.state.commits.insert(n, commit);
        engine.dirty.touched.insert(RecordKey::Commit(n));
        let deployed = deployed(n);
        engine.dirty.touched.insert(RecordKey::Deployment(deployed.id));
        engine.state.deployments.insert(deployed.id, deployed);
        let outage = outage(n);
        engine.dirty.touched.insert(RecordKey::Outage(outage.incident));
        engine.state.outages.insert(outage.incident, outage);
    }
    let token = Token { person: "bas".into(), sha256: "ab".into(), added_at: Timestamp(2) };
    engine.state.tokens.insert("t1".into(), token);
    engine.dirty.touched.insert(RecordKey::Token("t1".into()));

    let records = open(dir.path());
    assert_eq!(records.load_open(), Ok(None));
    assert_eq!(records.applied(), Ok(None));
    records.write(engine.snapshot()).expect("room");
    let (applied, loaded) = load(&records);
    assert_eq!((applied.seq, applied.hash.as_str(), applied.schema), (1, "hash of 1", SCHEMA));
    assert_eq!(loaded, engine.open_records());
    records.close().expect("closed");

    // Removing works for every kind, across a restart.
    engine.close(3);
    engine.state.notices.clear();
    engine.state.answers.remove("");
    engine.state.tokens.clear();
    engine.state.commits.remove(&1);
    engine.state.deployments.remove(&DeploymentId(1));
    engine.state.outages.remove(&IncidentId(1));
    engine.dirty.touched.extend([
        RecordKey::Commit(1),
        RecordKey::Deployment(DeploymentId(1)),
        RecordKey::Outage(IncidentId(1)),
        RecordKey::Notice(notice(7).id),
        RecordKey::Answer("".into()),
        RecordKey::Token("t1".into()),
        RecordKey::Incident(IncidentId(999)),
    ]);
    let records = open(dir.path());
    records.write(engine.snapshot()).expect("room");
    records.close().expect("closed");
    let (applied, loaded) = load(&open(dir.path()));
    assert_eq!(applied.seq, 2);
    assert_eq!(loaded, engine.open_records());
    assert_eq!(loaded.answers.len(), 2);
}

#[test]
fn escalations_with_equal_rules_share_them_after_loading() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut engine = Engine::default();
    (1..=3).for_each(|n| engine.open(n));
    let records = open(dir.path());
    records.write(engine.snapshot()).expect("room");
    let (_, loaded) = load(&records);
    let policies: Vec<_> = loaded.incidents.iter().filter_map(|i| Some(&i.escalation.as_ref()?.policy)).collect();
    assert_eq!(policies.len(), 3);
    assert!(policies.iter().all(|policy| Arc::ptr_eq(policy, policies[0])));
}

#[test]
fn closing_and_reopening_move_an_incident() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = open(dir.path());
    let mut engine = Engine::default();
    (1..=3).for_each(|n| engine.open(n));
    records.write(engine.snapshot()).expect("room");
    assert_eq!(records.get_incident(IncidentId(2)), Ok(None), "open ones are State's");

    let closed = engine.close(2);
    records.write(engine.snapshot()).expect("room");
    assert_eq!(records.get_incident(IncidentId(2)), Ok(Some(closed.clone())));
    assert_eq!(records.get_alert(AlertId(2)).expect("readable").map(|alert| alert.id), Some(AlertId(2)));
    assert_eq!(numbers(&load(&records).1.incidents), [1, 3]);

    // Reopened, also when that is the first thing after a restart.
    records.close().expect("closed");
    let records = open(dir.path());
    engine.put(Incident { state: IncidentState::Triggered, ..closed });
    records.write(engine.snapshot()).expect("room");
    assert_eq!(records.get_incident(IncidentId(2)), Ok(None));
    assert_eq!(records.list_incidents(None, 10), Ok(vec![]));
    assert_eq!(load(&records).1, engine.open_records());

    // Closed and reopened within one stretch; opened and closed within one stretch.
    let closed = engine.close(2);
    engine.put(Incident { state: IncidentState::Acknowledged, ..closed });
    records.write(engine.snapshot()).expect("room");
    assert_eq!(records.get_incident(IncidentId(2)), Ok(None));
    assert_eq!(load(&records).1, engine.open_records());
    engine.put(incident(4, "short"));
    let closed = engine.close(4);
    records.write(engine.snapshot()).expect("room");
    assert_eq!(records.get_incident(IncidentId(4)), Ok(Some(closed)));
    assert_eq!(load(&records).1, engine.open_records());
}

#[test]
fn lists_are_newest_first_in_pages() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = open(dir.path());
    let mut engine = Engine::default();
    // Numbers on both sides of a byte's edge, where a wrong order of keys would show.
    (1..=600).for_each(|n| engine.open(n));
    for n in (1..=600).filter(|n| n % 2 == 0) {
        engine.close(n);
    }
    records.write(engine.snapshot()).expect("room");
    let list = |below, limit| numbers(&records.list_incidents(below, limit).expect("readable"));
    assert_eq!(list(None, 3), [600, 598, 596]);
    assert_eq!(list(Some(596), 2), [594, 592]);
    assert_eq!(list(Some(258), 2), [256, 254]);
    assert_eq!(list(Some(3), 9), [2]);
    assert!(list(Some(2), 9).is_empty());
    assert!(list(Some(0), 9).is_empty());
    assert!(list(None, 0).is_empty());
    assert_eq!(list(Some(u64::MAX), usize::MAX).len(), 300);
    let alerts = records.list_alerts(Some(500), 2).expect("readable");
    assert_eq!(alerts.iter().map(|alert| alert.id.0).collect::<Vec<_>>(), [498, 496]);
}

#[test]
fn unreadable_values_other_schemas_and_lost_records_are_trouble() {
    let write = |change: fn(&mut Snapshot)| {
        let dir = tempfile::tempdir().expect("a directory");
        let records = open(dir.path());
        let mut engine = Engine::default();
        (1..=2).for_each(|n| engine.open(n));
        let mut snapshot = engine.snapshot();
        change(&mut snapshot);
        records.write(snapshot).expect("room");
        let trouble = records.load_open().expect_err("it was changed");
        assert_eq!(records.load_open(), Err(trouble.clone()), "and stays so");
        assert!(!trouble.to_string().contains("hidden"), "values stay out of messages: {trouble}");
        trouble
    };
    fn last(snapshot: &mut Snapshot, bytes: &[u8]) {
        snapshot.puts.last_mut().expect("some").1 = bytes.to_vec();
    }
    let trouble = write(|snapshot| snapshot.applied.schema = SCHEMA + 1);
    assert!(matches!(trouble, Trouble::Schema { found, expected: SCHEMA, .. } if found == SCHEMA + 1), "{trouble}");
    let broken = |trouble: Trouble, word: &str| {
        assert!(matches!(&trouble, Trouble::Broken { reason, .. } if reason.contains(word)), "{trouble}");
    };
    broken(write(|snapshot| snapshot.applied.open.incidents = 3), "found where");
    broken(write(|snapshot| snapshot.applied.seq = 9), "marks of commit 1");
    broken(write(|snapshot| snapshot.puts.retain(|(slot, _)| *slot != Slot::Meta)), "missing");
    broken(write(|snapshot| snapshot.puts.retain(|(slot, _)| *slot != Slot::OpenAlert(AlertId(2)))), "found where");
    broken(write(|snapshot| last(snapshot, b"{\"hidden\":\"hidden\"}")), "cannot be read");
    broken(write(|snapshot| last(snapshot, b"\"hidden\"")), "cannot be read");
    broken(write(|snapshot| last(snapshot, b"")), "cannot be read");
    broken(write(|snapshot| last(snapshot, &vec![b'['; 1 << 20])), "cannot be read");
    let swap = |snapshot: &mut Snapshot| {
        let places: Vec<_> =
            (0..snapshot.puts.len()).filter(|n| matches!(snapshot.puts[*n].0, Slot::OpenIncident(_))).collect();
        let value = std::mem::take(&mut snapshot.puts[places[0]].1);
        snapshot.puts[places[0]].1 = std::mem::replace(&mut snapshot.puts[places[1]].1, value);
    };
    broken(write(swap), "stands where");
}

#[test]
fn a_huge_record_comes_back_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = open(dir.path());
    let mut engine = Engine::default();
    engine.put(incident(1, &"x".repeat(3 << 20)));
    engine.put(incident(2, ""));
    records.write(engine.snapshot()).expect("room");
    records.close().expect("closed");
    assert_eq!(load(&open(dir.path())).1, engine.open_records());
}

#[test]
fn a_rebuild_writes_in_chunks_and_shows_its_progress() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = open(dir.path());
    let mut engine = Engine::default();
    let mut seen = Vec::new();
    let mut rebuild = Rebuild::new(&records, 10_000, |done, total| seen.push((done, total)));
    for n in 1..=10_000 {
        engine.put(incident(n, "x"));
        if n > 5 {
            engine.close(n - 5);
        }
        rebuild.applied(|| engine.snapshot()).expect("written");
    }
    rebuild.finish(|| engine.snapshot()).expect("written");
    assert_eq!(seen, [(0, 10_000), (4096, 10_000), (8192, 10_000), (10_000, 10_000)]);
    let (applied, loaded) = load(&records);
    assert_eq!(applied.seq, 3);
    assert_eq!(loaded, engine.open_records());
    assert_eq!(numbers(&records.list_incidents(None, 2).expect("readable")), [9995, 9994]);
}

/// Every state that was ever written, by its commit.
type History = BTreeMap<u64, (Applied, OpenRecords)>;

/// Records with a history of 40 snapshots, closed cleanly.
fn history(dir: &Path) -> History {
    let records = open(dir);
    let mut engine = Engine::default();
    let mut history = History::new();
    for round in 0..40 {
        (1..=10).for_each(|n| engine.open(round * 10 + n));
        if round > 0 {
            (1..=8).for_each(|n| drop(engine.close((round - 1) * 10 + n)));
        }
        let snapshot = engine.snapshot();
        history.insert(snapshot.applied.seq, (snapshot.applied.clone(), engine.open_records()));
        records.write_waiting(snapshot).expect("written");
    }
    records.close().expect("closed");
    history
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("read") {
        let entry = entry.expect("read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Opens what was damaged: either it is trouble, or what is found is exactly what was once written together.
/// Answers how it went.
fn trouble_or_true(dir: &Path, history: &History, what: &str) -> &'static str {
    let mut missing = 0;
    let looked = Records::open(dir, Deadlines::default()).and_then(|records| {
        let loaded = records.load_open()?;
        for n in 1..=400 {
            match records.get_incident(IncidentId(n))? {
                Some(closed) => assert_eq!((closed.id.0, closed.state), (n, IncidentState::Closed), "{what}"),
                None => missing += 1,
            }
        }
        records.list_alerts(None, 1_000)?;
        records.close()?;
        Ok(loaded)
    });
    match looked {
        Err(Trouble::Hung { .. }) => "hung",
        Err(_) => "trouble",
        Ok(None) => "empty",
        Ok(Some((applied, records))) => {
            let (then, true_records) = &history[&applied.seq];
            assert_eq!(&applied, then, "{what}");
            assert_eq!(&records, true_records, "{what}");
            let closed = if applied.seq == 0 { 0 } else { (applied.seq - 1) * 8 };
            if 400 - missing != closed {
                "closed ones lost"
            } else if applied.seq == 40 {
                "whole"
            } else {
                "older"
            }
        }
    }
}

fn damaged_files(rounds: u64, seed: u64) -> BTreeMap<&'static str, usize> {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = dir.path().join("whole");
    let history = history(&whole);
    // Opened once more, so that sled's own snapshot of its pages is there to be damaged too.
    open(&whole).close().expect("closed");
    let mut random = seed;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below.max(1)
    };
    let mut outcomes = BTreeMap::new();
    for round in 0..rounds {
        let place = dir.path().join("damaged");
        let _ = std::fs::remove_dir_all(&place);
        copy(&whole, &place);
        let files = std::fs::read_dir(&place).expect("read").map(|entry| entry.expect("read").path());
        let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
        files.sort();
        let file = &files[next(files.len() as u64) as usize];
        let mut bytes = std::fs::read(file).expect("read");
        // Most of a fresh database is empty: aim at what is written.
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64 + 1;
        let at = next(written) as usize;
        let how = match next(6) {
            0 => "removed",
            1 => {
                bytes.truncate(at);
                "cut"
            }
            2 => {
                let end = (at + 4096).min(bytes.len());
                bytes[at..end].fill(0);
                "zeroed"
            }
            _ => {
                bytes[at] ^= 1 << next(8);
                "flipped"
            }
        };
        match how {
            "removed" => std::fs::remove_file(file).expect("removed"),
            _ => std::fs::write(file, bytes).expect("written"),
        }
        let what = format!("seed {seed} round {round}: {} {how} at {at}", file.display());
        let outcome = trouble_or_true(&place, &history, &what);
        println!("{what}: {outcome}");
        *outcomes.entry(outcome).or_default() += 1;
    }
    outcomes
}

#[test]
fn damaged_files_are_trouble_or_an_older_truth_and_never_a_panic() {
    let outcomes = damaged_files(30, 1);
    println!("{outcomes:?}");
    assert!(outcomes.contains_key("trouble"), "nothing was noticed: {outcomes:?}");
}

#[test]
#[ignore = "a long search for damage that is not noticed"]
fn many_damages() {
    for seed in 2..12 {
        println!("seed {seed}: {:?}", damaged_files(100, seed));
    }
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    format!("RSS {} MiB, peak {} MiB", kib("VmRSS") >> 10, kib("VmHWM") >> 10)
}

/// `cargo test --release --test records -- --ignored --nocapture measure`
#[test]
#[ignore = "prints times and memory; 700 MB of disk"]
#[allow(clippy::disallowed_methods)] // It measures.
fn measure() {
    use std::time::Instant;
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().join("records");
    let text = "x".repeat(200);
    let mut engine = Engine::default();
    let by = Actor::timer("test");
    let mut records = open(&place);
    let report = |what: &str, since: Instant| println!("{what}: {} ms; {}", since.elapsed().as_millis(), memory());

    let start = Instant::now();
    for n in 1..=300_000 {
        let mut long = incident(n, "the database is slow");
        (0..5).for_each(|_| long.tell(Timestamp(1_800_000_000_000), &by, text.as_str().into()));
        engine.put(long);
        engine.close(n);
        if n % 1_000 == 0 {
            records.write_waiting(engine.snapshot()).expect("written");
        }
    }
    records.flush().expect("flushed");
    let bytes = serde_json::to_vec(&records.get_incident(IncidentId(1)).expect("readable")).expect("json").len();
    report(&format!("300,000 closed incidents of {bytes} bytes written"), start);
    for what in ["first start after that", "second start", "third start"] {
        let start = Instant::now();
        records.close().expect("closed");
        report("close", start);
        let start = Instant::now();
        records = open(&place);
        let loaded = load(&records).1.incidents.len();
        report(&format!("{what}: open and load {loaded} open incidents"), start);
    }
    let start = Instant::now();
    assert_eq!(records.list_incidents(Some(150_000), 200).expect("readable").len(), 200);
    report("a list of 200", start);
    let start = Instant::now();
    (1..=1_000).for_each(|n| assert!(records.get_incident(IncidentId(n * 299)).expect("readable").is_some()));
    report("1,000 closed incidents, one by one", start);

    let start = Instant::now();
    for n in 300_001..=400_000 {
        engine.open(n);
        if n % 1_000 == 0 {
            records.write_waiting(engine.snapshot()).expect("written");
        }
    }
    records.flush().expect("flushed");
    report("100,000 open incidents with an alert each (State held beside it)", start);
    engine = Engine::default();
    records.close().expect("closed");
    let start = Instant::now();
    let records = open(&place);
    report("open", start);
    let loaded = load(&records);
    report(&format!("load {} open incidents", loaded.1.incidents.len()), start);
    drop((engine, loaded));
    let start = Instant::now();
    records.close().expect("closed");
    report("close", start);
}
