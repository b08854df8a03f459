//! Sources against payloads: our own small ones in tests/fixtures, and the collection of real ones beside them, whose
//! README says for each file what a correct reading is. There is a larger collection, of which parts may not be passed
//! on: where `OPSBELL_FIXTURES` names its folder, it is walked as well.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use opsbell::domain::org::Mapping;
use opsbell::domain::signal::Signal;
use opsbell::source::{Reading, find};

/// The folders of a collection that are checked: the folder, the source that reads it, how many files it has.
const CHECKED: &[(&str, &str, usize)] = &[
    ("alertmanager", "alertmanager", 10),
    ("grafana", "grafana", 5),
    ("pagerduty", "pagerduty", 9),
    ("opsgenie", "opsgenie", 5),
    ("chat-text", "text", 17),
    ("github", "github", 8),
    ("gitlab", "gitlab", 5),
    ("flux", "flux", 1),
    ("aws-deploy", "aws-deploy", 4),
    ("buildkite", "buildkite", 1),
    ("circleci", "circleci", 2),
];

fn read(source: &str, bytes: &[u8]) -> Reading {
    (find(source).expect("a source that is built").read)(bytes, &Mapping::default()).expect("a readable body")
}

/// `kind service / name severity status key`, as the collection's README writes them.
fn line(signal: &Signal) -> String {
    let [kind, what, severity, status] = columns(signal);
    format!("{kind} {what} {severity} {status} {}", signal.key)
}

/// What a signal shows in the README's columns kind, service / name, severity and status.
fn columns(signal: &Signal) -> [String; 4] {
    let kind = serde_json::to_value(signal.kind).expect("a word");
    [
        kind.as_str().expect("a word").to_owned(),
        format!("{} / {}", signal.service.as_deref().unwrap_or("-"), signal.name),
        signal.severity_word.clone().unwrap_or_else(|| "-".to_owned()),
        signal.status.clone(),
    ]
}

#[test]
fn our_own_payloads() {
    let two = read("alertmanager", include_bytes!("fixtures/alertmanager-two.json"));
    assert_eq!(
        two.signals.iter().map(line).collect::<Vec<_>>(),
        [
            "alert ledger / ReplicationLag critical firing 0f9d3c2b1a4e5d6c",
            "resolve ledger / ReplicationLag critical resolved 7a6b5c4d3e2f1a0b",
        ]
    );
    let first = &two.signals[0];
    assert_eq!(first.started_at.expect("told").to_string(), "2026-12-25T02:58:12.123Z");
    assert_eq!(first.link.as_deref(), Some("https://wiki.ej.example/ledger/replication"));
    assert_eq!(first.environment.as_deref(), Some("production"));

    let old = read("alertmanager", include_bytes!("fixtures/alertmanager-v3-resolved.json"));
    let key = &old.signals[0].key;
    assert_eq!(line(&old.signals[0]), format!("resolve boarding-passes / QueueStuck P2 resolved {key}"));
    assert_eq!((key.len(), old.signals[0].link.as_deref()), (16, None));

    let generic = read("generic", include_bytes!("fixtures/generic-list.json"));
    assert_eq!(
        generic.signals.iter().map(line).collect::<Vec<_>>(),
        ["alert check-in / kiosk printer out of paper low open kiosk-7", "resolve - / kiosk back - closed kiosk-8"]
    );
    assert_eq!(generic.rejected[0].path, "$[1].summary");
}

#[test]
fn events_and_webhooks_of_other_paging_tools() {
    let told = |source: &str, body: &str| {
        let reading = read(source, body.as_bytes());
        reading.signals.iter().map(line).collect::<Vec<_>>().join("; ")
    };
    let event = |rest: &str| format!(r#"{{"routing_key":"k","event_action":"trigger",{rest}}}"#);
    let full = event(
        r#""dedup_key":"d-1","payload":{"summary":"queue\nfull","source":"q-1","severity":"error","timestamp":"2026-12-25T02:58:12.123+0000","custom_details":{"service":"ledger","depth":900}}"#,
    );
    assert_eq!(told("pagerduty", &full), "alert ledger / queue full error trigger d-1");
    let signal = &read("pagerduty", full.as_bytes()).signals[0];
    assert_eq!(signal.started_at.expect("told").to_string(), "2026-12-25T02:58:12.123Z");
    assert_eq!(signal.labels.get("depth").map(String::as_str), Some("900"));
    let blank = event(r#""dedup_key":"  ","payload":{"summary":"queue full","source":"q-1","severity":"error"}"#);
    let other = blank.replace("q-1", "q-2");
    assert_ne!(read("pagerduty", blank.as_bytes()).signals[0].key, read("pagerduty", other.as_bytes()).signals[0].key);
    let webhook = |kind: &str| {
        format!(
            r#"{{"event":{{"event_type":"{kind}","data":{{"id":"P1","title":"t","status":"s","urgency":"low","service":{{"summary":"ledger"}}}}}}}}"#
        )
    };
    assert_eq!(told("pagerduty", &webhook("incident.reopened")), "alert ledger / t low s P1");
    assert_eq!(told("pagerduty", &webhook("incident.delegated")), "status-update ledger / t low s P1");
    assert_eq!(told("pagerduty", &webhook("service.updated")), "ignore ledger / t low s P1");
    assert_eq!(
        told("pagerduty", r#"{"event":{"event_type":"pagey.ping","data":{"message":"hi"}}}"#),
        "ignore - / - - - -"
    );

    let webhook = |action: &str| {
        format!(
            r#"{{"action":"{action}","alert":{{"alertId":"a-1","alias":"lag","message":"t","note":"n","description":"d"}}}}"#
        )
    };
    assert_eq!(told("opsgenie", &webhook("Delete")), "resolve - / t - Delete lag");
    assert_eq!(told("opsgenie", &webhook("UnAcknowledge")), "status-update - / t - UnAcknowledge lag");
    assert_eq!(read("opsgenie", webhook("UnAcknowledge").as_bytes()).signals[0].summary, None);
    assert_eq!(read("opsgenie", webhook("AddNote").as_bytes()).signals[0].summary.as_deref(), Some("n"));
    let made = read("opsgenie", br#"{"message":"disk full","entity":"db-1","details":{"service":"ledger","n":1}}"#);
    assert_eq!(line(&made.signals[0]), format!("alert ledger / disk full - open {}", made.signals[0].key));
    assert_eq!(made.signals[0].severity.map(|severity| severity.as_str()), Some("warning"), "P3 is Opsgenie's default");
}

#[test]
fn what_no_paging_tool_sends_is_refused_with_its_place() {
    for (source, body, path) in [
        ("pagerduty", "{}", "$"),
        ("pagerduty", "[]", "$"),
        ("pagerduty", r#"{"event_action":"explode"}"#, "$.event_action"),
        ("pagerduty", r#"{"event_action":7}"#, "$.event_action"),
        ("pagerduty", r#"{"event_action":"trigger"}"#, "$.payload.summary"),
        ("pagerduty", r#"{"event_action":"trigger","payload":[1]}"#, "$.payload.summary"),
        ("pagerduty", r#"{"event_action":"resolve","dedup_key":""}"#, "$.dedup_key"),
        ("pagerduty", r#"{"event_action":"resolve","dedup_key":{"a":1}}"#, "$.dedup_key"),
        ("pagerduty", r#"{"payload":{"summary":" "}}"#, "$.payload.summary"),
        ("pagerduty", r#"{"event":{}}"#, "$.event.event_type"),
        ("pagerduty", r#"{"event":{"event_type":"incident.triggered"}}"#, "$.event.data.id"),
        ("opsgenie", "{}", "$.message"),
        ("opsgenie", r#"{"message":{}}"#, "$.message"),
        ("opsgenie", r#"{"alert":{}}"#, "$.action"),
        ("opsgenie", r#"{"action":"Close","alert":7}"#, "$.alert.alertId"),
        ("opsgenie", r#"{"action":"Close","alert":{"alias":""}}"#, "$.alert.alertId"),
    ] {
        let refused = (find(source).unwrap().read)(body.as_bytes(), &Mapping::default()).expect_err(body);
        assert_eq!(refused.path.as_deref(), Some(path), "{body}");
    }
    for source in ["pagerduty", "opsgenie", "text"] {
        for body in ["", "  ", "{", "{\"a\":"] {
            assert!((find(source).unwrap().read)(body.as_bytes(), &Mapping::default()).is_err(), "{source} {body:?}");
        }
    }
    // Not UTF-8, and a message without any text: people talk.
    for body in [&b"\xff\xfe[FIRING:1]"[..], br#"{"content":"","embeds":[{"fields":[{"value":7}]}]}"#] {
        assert_eq!(line(&read("text", body).signals[0]), "ignore - / - - - -");
    }
}

/// The whole collection, of which `tests/fixtures/collection` holds what may be passed on; if it is there.
#[allow(clippy::disallowed_methods, reason = "a test is told by its environment where the collection lies")]
fn whole_collection() -> Option<PathBuf> {
    let named = std::env::var_os("OPSBELL_FIXTURES").map(PathBuf::from);
    let beside = || Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures")).filter(|it| it.is_dir());
    named.or_else(beside)
}

/// Says it though the test passes.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn the_collection_is_read_as_its_table_says() {
    walk(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/collection"));
}

#[test]
fn the_whole_collection_is_read_as_its_table_says_where_it_is_at_hand() {
    match whole_collection() {
        Some(folder) => walk(&folder),
        None => tell("OPSBELL_FIXTURES names no further collection: only tests/fixtures/collection is walked"),
    }
}

fn walk(folder: &Path) {
    let table = std::fs::read_to_string(folder.join("README.md")).expect("the collection's README.md");
    let (mut files, mut told) = (0, Vec::new());
    for (sender, source, expected) in CHECKED {
        let rows: Vec<Row> = table.lines().filter_map(|text| Row::of(sender, text)).collect();
        let mut wrong = Vec::new();
        let mut shared_keys = Vec::new();
        for row in &rows {
            let bytes = std::fs::read(folder.join(&row.file)).expect(&row.file);
            let reading = read(source, &bytes);
            row.compare(&reading, &bytes, &mut wrong);
            if row.key.contains("(same as the ") {
                shared_keys.extend(reading.signals.into_iter().map(|signal| signal.key));
            }
        }
        shared_keys.dedup();
        if shared_keys.len() > 1 {
            wrong.push(format!("files that the table ties together have different keys: {shared_keys:?}"));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(rows.len(), *expected, "files of {sender} in the table");
        // A file that no row names would be checked by nobody.
        let lying = std::fs::read_dir(folder.join(sender)).expect("its folder").count();
        assert_eq!(lying, *expected, "files in {sender}/");
        files += rows.len();
        told.push(format!("{sender} {}", rows.len()));
    }
    tell(&format!("{files} files of {} read as its table says: {}", folder.display(), told.join(", ")));
}

/// One row of the table: cells as written.
struct Row {
    file: String,
    /// The columns kind, service / name, severity and status.
    cells: [String; 4],
    key: String,
}

impl Row {
    /// The row, if this line of the README is one of a file of `sender`.
    fn of(sender: &str, text: &str) -> Option<Self> {
        let inner = text.strip_prefix("| ")?.strip_suffix(" |")?;
        if !inner.starts_with(&format!("{sender}/")) {
            return None;
        }
        let cells: Vec<&str> = inner.split(" | ").map(str::trim).collect();
        let [file, _, _, _, _, kind, what, severity, status, key] = cells.as_slice() else {
            panic!("a row of {} cells instead of 10: {text}", cells.len());
        };
        Some(Self {
            file: (*file).to_owned(),
            cells: [kind, what, severity, status].map(|cell| (*cell).to_owned()),
            key: (*key).to_owned(),
        })
    }

    fn compare(&self, reading: &Reading, bytes: &[u8], wrong: &mut Vec<String>) {
        let mut say = |what: &str, cell: &str, got: &str| {
            wrong.push(format!("{}: {what}: the table says `{cell}`, read was `{got}`", self.file));
        };
        let signals = &reading.signals;
        let count = split(&self.cells[0]).len();
        if signals.len() != count || !reading.rejected.is_empty() {
            say("signals", &self.cells[0], &format!("{} signals, rejected {:?}", signals.len(), reading.rejected));
            return;
        }
        for (nth, signal) in signals.iter().enumerate() {
            for (cell, got) in self.cells.iter().zip(columns(signal)) {
                // One value may stand for all events; a note may follow in parentheses.
                let values = split(cell);
                let value = if values.len() == count { values[nth] } else { cell.as_str() };
                // One word alone is what is affected or what is wrong, as the text does not tell them apart.
                let alone = got.rsplit(" / ").next().unwrap_or_default();
                // A repository and its environment are joined by an arrow, a push and its branch by a blank; a release
                // is told as what brings a deployment.
                let value = &value.replace(" -> ", " / ").replace("deploy/release", "deploy");
                let pushed = got == value.replacen(' ', " / ", 1);
                if !(says(value, &got) || pushed || got.contains(" / ") && says(value, alone)) {
                    say("column", value, &got);
                }
            }
            if !self.key_fits(nth, signal, bytes) {
                say("dedup key", &self.key, &signal.key);
            }
            let again = |earlier: &&Signal| earlier.key == signal.key && earlier.kind == signal.kind;
            if signals[..nth].iter().any(|earlier| again(&earlier)) {
                say("dedup key", "one per alert", &signal.key);
            }
        }
    }

    /// Whether a key is what the cell says, literally or in prose.
    fn key_fits(&self, nth: usize, signal: &Signal, bytes: &[u8]) -> bool {
        let (cell, key) = (self.key.as_str(), signal.key.as_str());
        let hex = key.len() == 16 && key.bytes().all(|b| b.is_ascii_hexdigit());
        let made = hex && !String::from_utf8_lossy(bytes).contains(key);
        let joined = |parts: &[&str]| parts.iter().all(|part| key.contains(part));
        let service = signal.service.as_deref().unwrap_or_default();
        match cell {
            _ if cell.contains("hash") => made,
            "labels list" | "none" => made,
            _ if cell.starts_with("empty: generate one") => made,
            "title without the status" => {
                joined(&[&signal.name]) && !key.contains('[') && !key.contains(&signal.status)
            }
            "name + region" => key == "bucketbytesAlarm/EU (Ireland)",
            "name + tag group" => {
                joined(&[&signal.name])
                    && (nth == 2 || (key.ends_with("/host:i-3b93aafb") || key.ends_with("/host:i-0example")))
            }
            "alertname+namespace+pod" => {
                ["KubePodCrashLooping/gork/gork-backend-xxxxx", "BoardingPodRestarts/gates/gate-backend-xxxxx"]
                    .contains(&key)
            }
            _ if cell.ends_with(" + revision") => {
                key == "7d0cdc51-ddcf-4743-b223-83ca5c699632/main/731f7eaddfb6af01cb2173e18f0f75b0ba780ef1"
            }
            "build-id arn" => key.starts_with("arn:aws:codebuild:") && key.contains(":build/my-sample-project:"),
            "alert name + member" => key == format!("{}/{service}", signal.name),
            "host/service each" => key == format!("{service}/{}", signal.name),
            _ if cell.starts_with("host + problem name") => key == format!("{service}/{}", signal.name),
            "url" | "alertId" => key == signal.name,
            _ => {
                let values = split(cell);
                let value = values.get(nth).or(values.first()).copied().unwrap_or_default();
                ["", "alias ", "incident ", "ruleId "]
                    .iter()
                    .any(|what| value.strip_prefix(what).is_some_and(|v| says(v, key)))
            }
        }
    }
}

/// Whether a cell says this value, alone, with a note behind it, or with the word for what it is before it.
fn says(cell: &str, value: &str) -> bool {
    let cell = cell.strip_suffix(" each").unwrap_or(cell);
    let cell = ["urgency ", "priority "].iter().find_map(|what| cell.strip_prefix(what)).unwrap_or(cell);
    cell == value || cell.strip_prefix(value).is_some_and(|note| note.starts_with(" (") && note.ends_with(')'))
}

/// The values of a cell: separated by semicolons, but not by those in a note.
fn split(cell: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    cell.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ';' && depth == 0
    })
    .map(str::trim)
    .collect()
}

#[test]
fn every_source_can_be_configured_and_every_configured_one_is_read() {
    let read: BTreeSet<&str> = opsbell::source::SOURCES.iter().map(|source| source.name).collect();
    assert_eq!(read, BTreeSet::from(opsbell::catalog::SOURCES));
}
