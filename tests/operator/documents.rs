//! Pages that are made from the program, or name what it has, say the truth.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use opsbell::http::Tally;
use regex::Regex;

use crate::support::server::{run, said};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_page_about_all_words_is_current() {
    for page in ["commands", "cli", "playbook-reference"] {
        let made = run(&["docs", page]);
        assert!(made.status.success(), "{}", said(&made));
        assert_eq!(
            read(&format!("docs/{page}.md")),
            String::from_utf8_lossy(&made.stdout),
            "write it anew: ./dev docs"
        );
    }
}

/// What `/metrics` tells, with every series of the runtime's tally.
fn exposed() -> BTreeSet<String> {
    let tally = Tally::default();
    tally.attempt(true, opsbell::http::Ended::Accepted, std::time::Duration::from_millis(300));
    tally.escalated(true);
    let text = opsbell::http::exposition(&tally);
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let endings: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            names.extend(endings.iter().map(|ending| format!("{name}{ending}")));
        }
    }
    names
}

#[test]
fn the_dashboard_and_the_alert_rules_name_metrics_that_exist() {
    let named = Regex::new(r"\bopsbell_[a-z_]+").unwrap();
    let exposed = exposed();
    assert!(exposed.len() > 25, "{exposed:?}");
    for path in ["docs/grafana-dashboard.json", "docs/alert-rules.yml"] {
        let text = read(path);
        let names: BTreeSet<&str> = named.find_iter(&text).map(|found| found.as_str()).collect();
        let missing: Vec<_> = names.iter().filter(|name| !exposed.contains(**name)).collect();
        assert!(missing.is_empty() && names.len() > 8, "{path} names {missing:?}, which /metrics does not have");
    }
    serde_json::from_str::<serde_json::Value>(&read("docs/grafana-dashboard.json")).unwrap();
    // Every metric stands in one of them, or nobody would look at it.
    let all = read("docs/grafana-dashboard.json") + &read("docs/alert-rules.yml");
    let stem = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().fold(name.to_owned(), |name, end| name.trim_end_matches(end).to_owned())
    };
    let unseen: BTreeSet<String> = exposed.iter().map(|name| stem(name)).filter(|name| !all.contains(name)).collect();
    assert!(unseen.is_empty(), "neither shown nor alerted on: {unseen:?}");
}

#[test]
fn the_service_and_the_container_call_the_program_as_it_is() {
    let help = said(&run(&["serve", "--help"]));
    let flag = Regex::new(r"--[a-z][a-z-]+").unwrap();
    for path in ["deploy/opsbell.service", "Dockerfile"] {
        let text = read(path);
        let lines = text.lines().filter(|line| line.starts_with("ExecStart=") || line.starts_with("CMD"));
        for line in lines {
            for flag in flag.find_iter(line) {
                assert!(help.contains(flag.as_str()), "{path}: serve has no {}", flag.as_str());
            }
        }
    }
    for verb in ["health", "backup", "restore"] {
        assert!(run(&[verb, "--help"]).status.success());
    }
}
