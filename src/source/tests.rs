//! What every source owes whatever the bytes are, and the points of each parser that real payloads trip over.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::signal::{AlertSeverity, SignalKind};

fn read(source: &str, body: &Value, mapping: &Mapping) -> Reading {
    (find(source).expect(source).read)(body.to_string().as_bytes(), mapping).expect("readable")
}

fn alertmanager(body: Value) -> Reading {
    read("alertmanager", &body, &Mapping::default())
}

/// The one signal of one alert in a firing group.
fn one(alert: Value) -> Signal {
    let mut reading = alertmanager(json!({"version": "4", "status": "firing", "alerts": [alert]}));
    assert_eq!(reading.rejected, []);
    reading.signals.pop().expect("one signal")
}

fn generic(body: Value) -> Reading {
    read("generic", &body, &Mapping::default())
}

fn unreadable(source: &str, bytes: &[u8]) -> Unreadable {
    (find(source).expect(source).read)(bytes, &Mapping::default()).expect_err("unreadable")
}

/// What holds for every signal, whoever sent it.
fn within_limits(signal: &Signal) {
    let chars = |text: &str| text.chars().count();
    let shown = |text: &str, max| !text.trim().is_empty() && chars(text) <= max && !text.contains(char::is_control);
    assert!(shown(&signal.name, limits::NAME_CHARS), "{signal:?}");
    assert!(shown(&signal.key, limits::KEY_CHARS), "{signal:?}");
    assert!(shown(&signal.status, limits::WORD_CHARS), "{signal:?}");
    assert!(signal.service.as_deref().is_none_or(|text| shown(text, limits::NAME_CHARS)), "{signal:?}");
    assert!(signal.severity_word.as_deref().is_none_or(|text| shown(text, limits::WORD_CHARS)), "{signal:?}");
    assert!(signal.environment.as_deref().is_none_or(|text| shown(text, limits::WORD_CHARS)), "{signal:?}");
    assert!(signal.link.as_deref().is_none_or(|text| shown(text, limits::LINK_CHARS)), "{signal:?}");
    assert!(signal.summary.as_deref().is_none_or(|text| !text.is_empty() && chars(text) <= limits::SUMMARY_CHARS));
    assert!(signal.labels.len() <= limits::LABELS);
    if let Some(told) = &signal.deployment {
        let names = [&told.version, &told.sha, &told.repository];
        assert!(names.into_iter().flatten().all(|text| shown(text, limits::NAME_CHARS)), "{signal:?}");
        assert!(told.commits.len() <= 20 && told.commits.iter().all(|commit| commit.sha.len() <= 64), "{signal:?}");
    }
    assert!(signal.labels.iter().all(|(k, v)| shown(k, limits::NAME_CHARS) && shown(v, limits::LABEL_CHARS)));
}

#[test]
fn sources_are_found_by_name_and_a_misspelled_one_is_answered_with_what_was_meant() {
    for source in SOURCES {
        assert_eq!(find(&source.name.to_uppercase()).expect(source.name).name, source.name);
    }
    let error = find("alertmanger").expect_err("no such source");
    assert_eq!(error.meant, Some("alertmanager"));
    assert_eq!(
        error.to_string(),
        "there is no source `alertmanger`; did you mean `alertmanager`? Sources are: alertmanager, generic, grafana, pagerduty, opsgenie, text, github, gitlab, flux, aws-deploy, buildkite, circleci"
    );
    assert_eq!(find("").expect_err("no name").meant, None);
    let hostile = find(&"x\n\u{202e}".repeat(10_000)).expect_err("no such source");
    assert!(hostile.given.chars().count() <= limits::WORD_CHARS && !hostile.to_string().contains('\n'));
}

#[test]
fn text_is_cut_on_characters_and_cleaned() {
    assert_eq!(limits::line("🦀🦀🦀", 2).as_deref(), Some("🦀🦀"));
    assert_eq!(limits::line(" a\r\nb\tc\u{0}\u{7f}\u{202e}d ", 99).as_deref(), Some("a  b cd"));
    assert_eq!(limits::line("\u{0}\u{200e}\n ", 99), None);
    assert_eq!(limits::lines("a\r\nb\u{0}\n", 99).as_deref(), Some("a\nb"));
    assert_eq!(limits::link("https://wiki.example/a b"), None);
    assert_eq!(limits::link(&format!("https://wiki.example/{}", "a".repeat(limits::LINK_CHARS))), None);
}

#[test]
fn keys_are_hashed_rather_than_cut_and_blank_ones_are_none() {
    assert_eq!(limits::key(" \t "), None);
    assert_eq!(limits::key(" 0 ").as_deref(), Some("0"));
    let longest = "é".repeat(limits::KEY_CHARS);
    assert_eq!(limits::key(&longest).as_deref(), Some(longest.as_str()));
    let (one, two) = (limits::key(&(longest.clone() + "1")), limits::key(&(longest + "2")));
    assert!(one != two && one.is_some_and(|key| key.len() == 16));
    assert_ne!(limits::key("a\u{0}b"), limits::key("ab"));
    assert_ne!(limits::hash(["ab", "c"]), limits::hash(["a", "bc"]));
    // Journals of earlier releases hold keys made by this function: it may not change.
    assert_eq!(limits::hash(["alertname", "DiskFull", "service", "ledger"]), "d6c127aad4b25ef9");
}

#[test]
fn the_status_of_each_alert_decides_and_the_group_stands_in_where_it_says_none() {
    let group = |status: Value, alerts: Value| alertmanager(json!({"status": status, "alerts": alerts}));
    let reading = group(
        json!("firing"),
        json!([
            {"status": "resolved", "labels": {"alertname": "A"}, "endsAt": "0001-01-01T00:00:00Z"},
            {"status": "firing", "labels": {"alertname": "B"}, "endsAt": "2026-01-01T00:00:00Z"},
            {"labels": {"alertname": "C"}},
            {"status": " ", "labels": {"alertname": "D"}},
            {"status": 7, "labels": {"alertname": "E"}},
        ]),
    );
    let kinds: Vec<_> = reading.signals.iter().map(|signal| signal.kind).collect();
    use SignalKind::{Alert, Resolve};
    assert_eq!(kinds, [Resolve, Alert, Alert, Alert, Alert]);
    let resolved = group(json!("resolved"), json!([{"labels": {"alertname": "A"}}]));
    assert_eq!(resolved.signals[0].kind, Resolve);
    assert_eq!(resolved.signals[0].key, reading.signals[0].key, "the same labels are the same alert");
    let silent = group(Value::Null, json!([{"labels": {"alertname": "A"}}]));
    assert_eq!((silent.signals[0].kind, silent.signals[0].status.as_str()), (Alert, "firing"));
}

#[test]
fn an_integer_group_key_of_any_size_is_skipped() {
    for digits in ["5615590933959184469", "43434343434343434343", &"9".repeat(1_000)] {
        let body = format!(r#"{{"groupKey":{digits},"version":"3","alerts":[{{"labels":{{"alertname":"A"}}}}]}}"#);
        let reading = (find("alertmanager").expect("known").read)(body.as_bytes(), &Mapping::default());
        assert_eq!(reading.expect("readable").signals.len(), 1, "{} digits", digits.len());
    }
}

#[test]
fn without_a_fingerprint_the_alerts_own_labels_make_the_key() {
    let labelled = |labels: Value| one(json!({"labels": labels})).key;
    let key = labelled(json!({"alertname": "A", "env": "prod"}));
    assert_eq!(key, labelled(json!({"env": "prod", "alertname": "A"})), "their order does not matter");
    assert_eq!(key, labelled(json!({"alertname": "A", "env": "prod", "pod": ""})), "an empty label is none");
    assert_ne!(key, labelled(json!({"alertname": "A", "env": "staging"})));
    let long = "x".repeat(limits::LABEL_CHARS);
    assert_ne!(
        labelled(json!({"alertname": "A", "pod": format!("{long}1")})),
        labelled(json!({"alertname": "A", "pod": format!("{long}2")})),
        "what is cut for people still tells alerts apart"
    );
    for blank in [json!(""), json!("  "), Value::Null, json!({})] {
        assert_eq!(one(json!({"labels": {"alertname": "A", "env": "prod"}, "fingerprint": blank})).key, key);
    }
    assert_eq!(one(json!({"labels": {"alertname": "A"}, "fingerprint": "a1bc48475b20e73d"})).key, "a1bc48475b20e73d");
    assert_eq!(one(json!({"labels": {"alertname": "A"}, "fingerprint": 0})).key, "0");
}

#[test]
fn common_labels_lend_a_missing_name_and_nothing_else() {
    let reading = alertmanager(json!({
        "status": "firing",
        "commonLabels": {"alertname": "Common", "service": "other", "severity": "critical", "instance": "db-9"},
        "alerts": [{"labels": {"alertname": "Own"}}, {"labels": {"device": "eth0"}, "annotations": {"summary": "down"}}],
    }));
    let [own, nameless] = reading.signals.as_slice() else { panic!("two signals") };
    assert_eq!((own.name.as_str(), nameless.name.as_str()), ("Own", "Common"));
    assert_eq!((&own.service, own.severity, &own.severity_word), (&None, None, &None));
    assert_eq!(one(json!({"annotations": {"summary": "Disk\nfull"}})).name, "Disk full");
    assert_eq!(one(json!({"fingerprint": "f"})).name, "unnamed alert");
}

#[test]
fn the_fields_of_an_alert_are_read() {
    let signal = one(json!({
        "labels": {"alertname": "DiskFull", "service": " ", "job": "node", "instance": "db-1:9100", "severity": "Page",
                   "env": "prod", "attempt": 3},
        "annotations": {"description": "91 %", "runbook": "https://wiki.ej.example/disk"},
        "generatorURL": "https://prometheus.ej.example/graph",
        "startsAt": "2026-03-07T06:33:21.873077559-05:00",
    }));
    within_limits(&signal);
    assert_eq!(signal.service.as_deref(), Some("node"), "a blank label is no service");
    assert_eq!(signal.severity, Some(AlertSeverity::Critical));
    assert_eq!(signal.severity_word.as_deref(), Some("Page"));
    assert_eq!(signal.environment.as_deref(), Some("prod"));
    assert_eq!(signal.summary.as_deref(), Some("91 %"));
    assert_eq!(signal.link.as_deref(), Some("https://wiki.ej.example/disk"));
    assert_eq!(signal.started_at.expect("told").to_string(), "2026-03-07T11:33:21.873Z");
    assert_eq!(signal.labels["attempt"], "3");

    let bare = one(json!({
        "labels": {"alertname": "DiskFull", "severity": "whatever"},
        "startsAt": "0001-01-01T00:00:00Z", "generatorURL": "https://prometheus.ej.example/graph",
    }));
    assert_eq!((bare.severity, bare.severity_word.as_deref()), (None, Some("whatever")));
    assert_eq!(bare.link.as_deref(), Some("https://prometheus.ej.example/graph"));
    assert_eq!((bare.started_at, &bare.service, &bare.summary), (None, &None, &None));
}

#[test]
fn one_bad_alert_never_costs_the_others() {
    let reading = alertmanager(json!({"status": "firing", "alerts": [
        {"labels": {"alertname": "A"}}, 7, null, {"labels": "x"}, {}, {"labels": {"alertname": ["B"]}, "annotations": 1},
    ]}));
    assert_eq!(reading.signals.len(), 2);
    let at: Vec<_> = reading.rejected.iter().map(|rejected| rejected.path.as_str()).collect();
    assert_eq!(at, ["$.alerts[1]", "$.alerts[2]", "$.alerts[3].labels", "$.alerts[4].labels"]);
    assert_eq!(reading.rejected[0].reason, "an alert is an object; this is a number");
    assert_eq!(reading.signals[1].name, r#"["B"]"#);
}

#[test]
fn bodies_that_are_no_webhook_say_where_why_and_what_next() {
    for (body, path) in [
        ("", None),
        ("<html>", None),
        ("{\"alerts\":[", None),
        ("\"text\"", Some("$")),
        ("[]", Some("$")),
        ("{}", Some("$.alerts")),
        ("{\"alerts\":{}}", Some("$.alerts")),
        ("{\"ruleId\":7,\"state\":\"alerting\"}", Some("$.alerts")),
    ] {
        let error = unreadable("alertmanager", body.as_bytes());
        assert_eq!(error.path.as_deref(), path, "{body}");
        assert!(!error.message.is_empty() && !error.hint.is_empty(), "{body}");
    }
    for empty in [json!({"alerts": []}), json!({"alerts": null})] {
        assert_eq!(alertmanager(empty), Reading::default());
    }
}

#[test]
fn a_body_of_more_alerts_than_the_limit_says_how_many_were_left() {
    let alerts: Vec<_> = (0..limits::ALERTS + 5).map(|n| json!({"labels": {"alertname": "A", "n": n}})).collect();
    let reading = alertmanager(json!({"status": "firing", "truncatedAlerts": 3, "alerts": alerts}));
    assert_eq!(reading.signals.len(), limits::ALERTS);
    assert_eq!(reading.rejected.len(), 2);
    assert_eq!(reading.rejected[0].path, "$.alerts[1000]");
    assert!(reading.rejected[0].reason.starts_with("5 alerts"), "{:?}", reading.rejected[0]);
    assert_eq!(reading.rejected[1].path, "$.truncatedAlerts");

    let items: Vec<_> = (0..limits::ALERTS + 5).map(|n| json!({"summary": n})).collect();
    let reading = generic(json!(items));
    assert_eq!((reading.signals.len(), reading.rejected.len()), (limits::ALERTS, 1));
    assert_eq!(reading.rejected[0].path, "$[1000]");
}

#[test]
fn huge_texts_are_cut_and_labels_counted() {
    let huge = "ß".repeat(10_000);
    let mut labels = serde_json::Map::new();
    for n in 0..200 {
        labels.insert(format!("label{n:03}{huge}"), json!(huge));
    }
    for name in ["alertname", "service", "severity", "env"] {
        labels.insert(name.to_owned(), json!(huge));
    }
    let signal = one(json!({"labels": labels, "annotations": {"summary": huge}, "status": huge, "fingerprint": huge}));
    within_limits(&signal);
    assert_eq!(signal.name.chars().count(), limits::NAME_CHARS);
    assert_eq!(signal.summary.map(|text| text.chars().count()), Some(limits::SUMMARY_CHARS));
    assert_eq!((signal.labels.len(), signal.key.len()), (limits::LABELS, 16));
}

#[test]
fn mentions_markup_and_placeholders_come_through_as_text() {
    for text in
        ["@everyone <@1> <!channel>", "**b** [a](https://evil.example) `c`", "$name {{ .Labels }} {app}", "/ack INC-1"]
    {
        let signal = one(json!({"labels": {"alertname": text, "service": text}, "annotations": {"summary": text}}));
        assert_eq!((signal.name.as_str(), signal.service.as_deref()), (text, Some(text)));
        assert_eq!(signal.summary.as_deref(), Some(text));
        assert_eq!(generic(json!({"summary": text})).signals[0].name, text);
    }
}

#[test]
fn a_generic_body_is_one_alert_or_a_list_of_them() {
    let reading =
        generic(json!({"summary": "Disk full", "service": "ledger", "severity": "P2", "key": 0, "status": "OK"}));
    let signal = &reading.signals[0];
    assert_eq!((signal.kind, signal.key.as_str(), signal.status.as_str()), (SignalKind::Resolve, "0", "OK"));
    assert_eq!((signal.severity, signal.service.as_deref()), (Some(AlertSeverity::High), Some("ledger")));

    let reading =
        generic(json!([{"summary": "a"}, {"summary": {}}, {"title": "b"}, 7, {"summary": 12}, {"summary": " "}]));
    let names: Vec<_> = reading.signals.iter().map(|signal| signal.name.as_str()).collect();
    let at: Vec<_> = reading.rejected.iter().map(|rejected| rejected.path.as_str()).collect();
    assert_eq!(names, ["a", "12"]);
    assert_eq!(at, ["$[1].summary", "$[2].summary", "$[3]", "$[5].summary"]);
    assert_eq!(reading.signals[0].status, "firing");
    assert_eq!(unreadable("generic", b"7").path.as_deref(), Some("$"));
    assert_eq!(generic(json!([])), Reading::default());
}

#[test]
fn a_generic_alert_without_a_key_is_tied_by_service_and_summary() {
    let key = |body: Value| generic(body).signals[0].key.clone();
    let first = key(json!({"summary": "Disk full", "service": "ledger"}));
    assert_eq!(first, key(json!({"summary": "Disk full", "service": "ledger", "status": "ok", "key": " "})));
    assert_ne!(first, key(json!({"summary": "Disk full", "service": "loyalty"})));
    assert_ne!(first, key(json!({"summary": "Disk slow", "service": "ledger"})));
}

#[test]
fn a_long_generic_summary_becomes_a_short_name_and_stays_beside_it() {
    let text = format!("Disk full\n{}", "x".repeat(500));
    let signal = generic(json!({"summary": text})).signals.remove(0);
    assert_eq!(signal.name.chars().count(), limits::NAME_CHARS);
    assert_eq!(signal.summary.as_deref(), Some(text.as_str()));
    assert_eq!(generic(json!({"summary": "short"})).signals[0].summary, None);
}

fn mapping() -> Mapping {
    Mapping {
        items: Some("$.data.alerts".to_owned()),
        summary: Some("$.rule.title".to_owned()),
        service: Some("$.tags[?@.k == 'service'].v".to_owned()),
        severity: Some("$['a level']".to_owned()),
        severities: [("rood".to_owned(), AlertSeverity::Critical)].into(),
        key: Some("$.ids[0]".to_owned()),
        status: Some("$.up".to_owned()),
        resolved: vec!["True".to_owned()],
        text: None,
    }
}

#[test]
fn a_mapping_says_where_everything_stands() {
    let body = json!({"data": {"alerts": [
        {"rule": {"title": "Trap"}, "tags": [{"k": "x", "v": 1}, {"k": "service", "v": "ledger"}], "a level": "Rood",
         "ids": [null, 5], "up": false},
        {"rule": {"title": "Trap"}, "ids": [5], "up": true, "a level": "warning"},
        {"rule": {"name": "Trap"}},
    ]}});
    let reading = read("generic", &body, &mapping());
    let [down, up] = reading.signals.as_slice() else { panic!("two signals: {reading:?}") };
    assert_eq!(
        (down.kind, down.status.as_str(), down.service.as_deref()),
        (SignalKind::Alert, "false", Some("ledger"))
    );
    assert_eq!((down.severity, down.severity_word.as_deref()), (Some(AlertSeverity::Critical), Some("Rood")));
    assert_eq!(down.key, limits::hash(["ledger", "Trap"]), "null is no key");
    assert_eq!((up.kind, up.key.as_str(), up.severity), (SignalKind::Resolve, "5", Some(AlertSeverity::Warning)));
    assert_eq!(reading.rejected[0].path, "$.data.alerts[2].rule.title");

    let each = Mapping { items: Some("$.data.alerts[*]".to_owned()), ..mapping() };
    assert_eq!(read("generic", &body, &each), reading, "the list or its members");
}

#[test]
fn a_mapping_that_does_not_fit_says_so() {
    let generic = find("generic").expect("known").read;
    let error = generic(b"{\"data\": {}}", &mapping()).expect_err("no items");
    assert_eq!(error.path.as_deref(), Some("$.data.alerts"));
    let wrong = Mapping { key: Some("ids[0]".to_owned()), ..Mapping::default() };
    let error = generic(b"{}", &wrong).expect_err("no JSONPath");
    assert!(error.to_string().contains("the mapping's `key` is not a JSONPath"), "{error}");
}

#[test]
fn a_dry_run_shows_every_signal() {
    let reading =
        generic(json!([{"summary": "a", "severity": "P1", "key": "k"}, {"summary": "b", "status": "closed"}]));
    assert_eq!(
        serde_json::to_value(&reading.dry_run()[0]).expect("plain data"),
        json!({"kind": "alert", "service": null, "name": "a", "severity": "critical", "severity_word": "P1",
               "status": "firing", "key": "k"})
    );
    assert_eq!(reading.dry_run().len(), 2);
}

/// JSON of any shape, in which the fields that parsers look for are common.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("\u{0}\u{202e} \n")),
        Just(json!("resolved")),
    ];
    let field = prop_oneof![
        8 => prop::sample::select(vec![
            "alerts", "labels", "annotations", "status", "fingerprint", "alertname", "service", "severity", "summary",
            "startsAt", "commonLabels", "truncatedAlerts", "key", "data", "rule", "title", "tags", "ids", "up",
            "deployment", "deployment_status", "workflow_run", "workflow_job", "release", "id", "ref", "after", "sha",
            "object_kind", "deployment_id", "environment", "involvedObject", "metadata", "name", "detail", "source",
            "build", "uuid", "type", "workflow", "commits", "timestamp", "repository", "full_name", "project",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((field.clone(), inner), 0..7)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn holds_for_every_source(bytes: &[u8]) {
    for source in SOURCES {
        for mapping in [Mapping::default(), mapping()] {
            if let Ok(reading) = (source.read)(bytes, &mapping) {
                reading.signals.iter().for_each(within_limits);
                assert_eq!((source.read)(bytes, &mapping), Ok(reading), "the same bytes say the same");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_source(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        holds_for_every_source(&bytes);
    }

    #[test]
    fn no_json_breaks_a_source(value in any_json()) {
        holds_for_every_source(value.to_string().as_bytes());
    }

    #[test]
    fn no_alert_breaks_alertmanager(alerts in prop::collection::vec(any_json(), 0..4), status in any_json()) {
        let body = json!({"status": status, "alerts": alerts, "commonLabels": status}).to_string();
        let count = alerts.len();
        let reading = (find("alertmanager").expect("known").read)(body.as_bytes(), &Mapping::default()).expect("readable");
        prop_assert_eq!(reading.signals.len() + reading.rejected.len(), count, "every alert is accounted for");
        holds_for_every_source(body.as_bytes());
    }

    #[test]
    fn a_broken_real_body_breaks_nothing(at in 0_usize..400, byte in any::<u8>()) {
        let mut body = include_bytes!("../../tests/fixtures/alertmanager-two.json").to_vec();
        let at = at % body.len();
        body[at] = byte;
        holds_for_every_source(&body);
        holds_for_every_source(&body[..at]);
    }
}
