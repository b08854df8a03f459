//! Another tool's export becomes a configuration that passes `check`; what does not map is told; nothing is overwritten.

use std::fs;
use std::path::{Path, PathBuf};

use opsbell::catalog::import::{Tool, convert};
use opsbell::catalog::load_files;
use opsbell::domain::org::Target;
use opsbell::domain::time::Span;
use serde_json::{Value, json};

use crate::support::server::{run, said};

fn pagerduty() -> Value {
    json!({
        "users": [
            {"id": "PU1", "name": "Bas de Vries", "email": "bas@ej.example", "time_zone": "Europe/Amsterdam", "role": "owner",
             "contact_methods": [{"type": "phone_contact_method", "address": "5550100"}]},
            {"id": "PU2", "name": "Cleo", "email": "cleo@ej.example", "time_zone": "Mars/Olympus", "role": "user"},
            {"id": "PU3", "name": "No Mail", "email": ""},
        ],
        "schedules": [{"id": "PS1", "name": "Payments Primary", "time_zone": "Europe/Amsterdam", "schedule_layers": [
            {"name": "L1", "rotation_turn_length_seconds": 604800, "rotation_virtual_start": "2026-01-05T09:00:00+01:00",
             "users": [{"user": {"id": "PU1"}}, {"user": {"id": "PU2"}}], "restrictions": [{"type": "daily_restriction"}]},
            {"name": "L2", "rotation_turn_length_seconds": 90, "rotation_virtual_start": "2026-01-05T09:00:00+01:00",
             "users": [{"user": {"id": "PU1"}}]}]}],
        "escalation_policies": [{"id": "PE1", "name": "Payments", "num_loops": 9, "escalation_rules": [
            {"escalation_delay_in_minutes": 5, "targets": [{"id": "PS1", "type": "schedule_reference"}]},
            {"escalation_delay_in_minutes": 7, "targets": [{"id": "PU9", "type": "user_reference"}]},
            {"escalation_delay_in_minutes": 30, "targets": [{"id": "PU2", "type": "user_reference"}]}]}],
        "services": [{"id": "PV1", "name": "Payments API (prod)", "escalation_policy": {"id": "PE1"}, "auto_resolve_timeout": 14400},
                     {"id": "PV2", "name": "Orphan", "escalation_policy": {"id": "gone"}}],
        "business_services": [{"id": "x"}],
    })
}

fn opsgenie() -> Vec<(PathBuf, Value)> {
    let file = |name: &str, data: Value| (PathBuf::from(name), json!({"data": data, "took": 0.1, "requestId": "x"}));
    vec![
        file(
            "users.json",
            json!([
            {"id": "u1", "username": "bas@ej.example", "fullName": "Bas", "role": {"name": "Admin"}, "timeZone": "Europe/Amsterdam"},
            {"id": "u2", "username": "cleo@ej.example", "fullName": "Cleo", "role": {"name": "User"}},
            {"id": "u3", "username": "dirk@ej.example", "fullName": "Dirk", "blocked": true}]),
        ),
        file(
            "schedules.json",
            json!([{"id": "s1", "name": "Crew_schedule", "timezone": "Europe/Amsterdam", "ownerTeam": {"id": "t1"},
            "rotations": [{"name": "Rot1", "startDate": "2026-01-05T08:00:00Z", "type": "daily", "length": 2,
                "participants": [{"type": "user", "id": "u1"}, {"type": "user", "username": "cleo@ej.example"}, {"type": "none"}],
                "timeRestriction": {"type": "time-of-day"}}]}]),
        ),
        file(
            "escalations.json",
            json!([{"id": "e1", "name": "Crew_escalation", "ownerTeam": {"id": "t1"}, "repeat": {"waitInterval": 10, "count": 3},
            "rules": [
                {"condition": "if-not-acked", "notifyType": "default", "delay": {"timeAmount": 0, "timeUnit": "minutes"}, "recipient": {"type": "schedule", "id": "s1"}},
                {"condition": "if-not-closed", "notifyType": "default", "delay": {"timeAmount": 1, "timeUnit": "hours"}, "recipient": {"type": "team", "id": "t1"}},
                {"condition": "if-not-acked", "notifyType": "next", "delay": {"timeAmount": 5, "timeUnit": "minutes"}, "recipient": {"type": "user", "username": "cleo@ej.example"}}]}]),
        ),
        file(
            "teams.json",
            json!([{"id": "t1", "name": "Crew", "members": [{"user": {"id": "u1"}}, {"user": {"id": "u2"}}]},
            {"id": "t2", "name": "Quiet", "members": [{"user": {"id": "u2"}}]}]),
        ),
        file("services.json", json!([{"id": "v1", "name": "crew-api", "teamId": "t1"}])),
    ]
}

fn goalert() -> Value {
    json!({"data": {
        "users": {"nodes": [{"id": "g1", "name": "Bas", "email": "bas@ej.example", "role": "admin"}, {"id": "g2", "name": "Cleo", "email": "cleo@ej.example", "role": "user"}]},
        "rotations": {"nodes": [{"id": "r1", "name": "Weekly", "type": "weekly", "shiftLength": 1, "start": "2026-01-05T08:00:00Z", "timeZone": "Europe/Amsterdam", "userIDs": ["g1", "g2"]}]},
        "schedules": {"nodes": [{"id": "s1", "name": "Primary", "timeZone": "Europe/Amsterdam", "targets": [
            {"target": {"type": "rotation", "id": "r1"}, "rules": [{"start": "00:00", "end": "00:00", "weekdayFilter": [true, true, true, true, true, true, true]}]},
            {"target": {"type": "user", "id": "g2"}, "rules": [{"start": "09:00", "end": "17:00", "weekdayFilter": [false, true, true, true, true, true, false]}]}]}]},
        "escalationPolicies": {"nodes": [{"id": "p1", "name": "Default", "repeat": 3, "steps": [
            {"delayMinutes": 5, "targets": [{"type": "schedule", "id": "s1"}, {"type": "rotation", "id": "r1"}]},
            {"delayMinutes": 15, "targets": [{"type": "slackChannel", "id": "C1"}, {"type": "user", "id": "g2"}]}]}]},
        "services": {"nodes": [{"id": "v1", "name": "Booking", "escalationPolicyID": "p1", "integrationKeys": [{"id": "k"}]}]},
    }})
}

fn organisation(tool: Tool, documents: &[(PathBuf, Value)]) -> (opsbell::domain::org::Org, Vec<String>) {
    let done = convert(tool, documents).unwrap();
    let loaded = load_files(&done.files, &|_| None);
    (loaded.config.unwrap().org, done.notes)
}

/// Steps of a policy: whom they page, and the wait in minutes.
fn steps(org: &opsbell::domain::org::Org, policy: &str) -> Vec<(Vec<String>, i64)> {
    let steps = &org.policies[policy].steps;
    steps
        .iter()
        .map(|step| (step.page.iter().map(Target::to_string).collect(), step.escalate_after.0 / Span::mins(1).0))
        .collect()
}

fn page(targets: &[&str]) -> Vec<String> {
    targets.iter().map(|target| (*target).to_owned()).collect()
}

#[test]
fn pagerduty_delays_stay_and_what_is_unknown_is_told() {
    let (org, notes) = organisation(Tool::PagerDuty, &[("export.json".into(), pagerduty())]);
    // The rule whose user is unknown pages nobody, so its wait falls to the one before.
    let wanted = [(page(&["schedule:payments-primary"]), 12), (page(&["person:cleo"]), 30)];
    assert_eq!(steps(&org, "payments"), wanted);
    assert_eq!(org.policies["payments"].repeat, 5);
    assert_eq!(org.services["payments-api-prod"].team.as_str(), "payments");
    assert_eq!(org.services["orphan"].team.as_str(), "opsbell-operators");
    let rotation = &org.schedules["payments-primary"].rotations;
    assert_eq!(rotation.len(), 1);
    assert_eq!(
        (rotation[0].handoff_day, rotation[0].handoff_time.to_string().as_str()),
        (Some(chrono::Weekday::Mon), "09:00:00")
    );
    assert_eq!(org.operators.people, ["bas".into()]);
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn one_page_of_a_longer_list_is_told_as_such() {
    let mut export = pagerduty();
    export["more"] = json!(true);
    let (_, notes) = organisation(Tool::PagerDuty, &[("users.json".into(), export)]);
    assert!(notes[0].starts_with("users.json: THIS IS NOT ALL"), "{}", notes[0]);
}

#[test]
fn opsgenie_delays_become_differences() {
    let (org, notes) = organisation(Tool::Opsgenie, &opsgenie());
    let everyone = page(&["person:bas", "person:cleo"]);
    let wanted = [(page(&["schedule:crew_schedule"]), 5), (page(&["person:cleo"]), 55), (everyone, 10)];
    assert_eq!(steps(&org, "crew_escalation"), wanted);
    assert_eq!(steps(&org, "quiet"), [(page(&["person:cleo"]), 10)]);
    assert_eq!(org.services["crew-api"].team.as_str(), "crew_escalation");
    assert_eq!(org.services["quiet"].team.as_str(), "quiet");
    let rotation = &org.schedules["crew_schedule"].rotations[0];
    assert_eq!(
        (rotation.members.len(), rotation.handoff_time.to_string().as_str()),
        (2, "09:00:00"),
        "in the schedule's zone"
    );
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn goalert_rotations_and_people_become_schedules() {
    let (org, notes) = organisation(Tool::GoAlert, &[("answer.json".into(), goalert())]);
    let wanted = [(page(&["schedule:primary", "schedule:weekly"]), 5), (page(&["person:cleo"]), 15)];
    assert_eq!(steps(&org, "default"), wanted);
    assert_eq!(org.policies["default"].repeat, 3);
    assert_eq!(org.schedules["primary"].rotations.len(), 2);
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn an_import_passes_check_and_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (export, to) = (dir.path().join("export"), dir.path().join("ops"));
    for (path, value) in opsgenie() {
        // As its backup tool writes it: one file for each thing, in a folder of its kind.
        for (n, one) in value["data"].as_array().unwrap().iter().enumerate() {
            let folder = export.join(path.with_extension(""));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("thing {n}.json")), one.to_string()).unwrap();
        }
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let import = |to: &Path| run(&["import", "opsgenie", &text(&export), "--to", &text(to)]);
    let done = import(&to);
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("2 people, 1 schedule, 2 escalations, 2 services"), "{}", said(&done));
    let checked = run(&["check", "--config", &text(&to)]);
    assert!(checked.status.success(), "{}", said(&checked));
    let oncall = run(&["oncall", "--config", &text(&to)]);
    assert!(oncall.status.success() && said(&oncall).contains("crew_schedule"), "{}", said(&oncall));
    assert!(fs::read_to_string(to.join("IMPORTED.md")).unwrap().contains("- person Dirk: is blocked"));

    let before = fs::read_to_string(to.join("people.toml")).unwrap();
    let again = import(&to);
    assert_eq!((again.status.code(), said(&again).contains("nothing in it is overwritten")), (Some(1), true));
    assert_eq!(fs::read_to_string(to.join("people.toml")).unwrap(), before);
    for (name, bytes, why) in [
        ("broken.json", &b"{\"users\": [\n{]"[..], "broken.json:2: this is not JSON"),
        ("empty.json", b"", "this is not JSON"),
        ("other.json", b"{\"pets\": []}", "nothing of this export is known"),
        ("nobody.json", b"{\"users\": [{\"id\": \"1\"}]}", "nobody in this export has a mail address"),
    ] {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        let refused = run(&["import", "pagerduty", &text(&file), "--to", &text(&dir.path().join("new"))]);
        assert_eq!(refused.status.code(), Some(1), "{name}");
        assert!(said(&refused).contains(why), "{name}: {}", said(&refused));
        assert!(!dir.path().join("new").exists(), "{name}");
    }
}

/// Every place in a value, as a JSON pointer.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(object) => object.iter().for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), all)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, inner)| places(inner, &format!("{at}/{n}"), all)),
        _ => {}
    }
}

#[test]
fn whatever_stands_in_an_export_it_is_refused_or_passes_check() {
    let odd = [
        Value::Null,
        json!(-7),
        json!(1e300),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!(""),
        json!("\u{0}\"]\n[[person]]\nid = \"x\" \u{202e}"),
        json!("x".repeat(5000)),
    ];
    let documents = |tool| match tool {
        Tool::PagerDuty => vec![(PathBuf::from("export.json"), pagerduty())],
        Tool::GoAlert => vec![(PathBuf::from("export.json"), goalert())],
        Tool::Opsgenie => opsgenie(),
    };
    let (mut tried, mut taken) = (0, 0);
    for tool in [Tool::PagerDuty, Tool::Opsgenie, Tool::GoAlert] {
        for n in 0..documents(tool).len() {
            let mut all = Vec::new();
            places(&documents(tool)[n].1, "", &mut all);
            for (place, odd) in all.iter().flat_map(|place| odd.iter().map(move |odd| (place, odd))) {
                let mut changed = documents(tool);
                *changed[n].1.pointer_mut(place).unwrap() = odd.clone();
                tried += 1;
                match convert(tool, &changed) {
                    Ok(_) => taken += 1,
                    Err(why) => assert!(!why.contains("a bug"), "{tool:?} {place} = {odd}: {why}"),
                }
            }
        }
    }
    assert!(tried > 1500 && taken * 10 > tried * 9, "{taken} of {tried}");
}
