//! Alerts as text: every message of the collection's `chat-text` folder, posted by a bot in a watched channel, opens
//! and resolves what the collection's table says of it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::stage::Stage;

const RULE: &str = r#"
[[text-alert]]
id = "room"
sets = ["alertmanager", "grafana", "nagios", "uptime-kuma", "gatus", "statuscake", "zabbix", "datadog", "cloudwatch"]
service = "payments-api"
channels = ["discord:payments-ops"]
patterns = ['^\S*\s*\[FIRING\] (?P<name>\S+)']
"#;
const ROBOT: u64 = 300_000_000_000_000_007;

/// Where the collection lies; there is a larger one, see `tests/sources.rs`.
fn folder() -> String {
    opsbell::catalog::process_env("OPSBELL_FIXTURES").unwrap_or_else(|| "tests/fixtures/collection".to_owned())
}

/// What the table says of a file: kinds, and what each is about.
fn rows() -> Vec<(String, Vec<(String, String)>)> {
    let table = fs::read_to_string(format!("{}/README.md", folder())).expect("the table");
    let of = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| chat-text/")?.split(" | ").map(str::trim).collect();
        let split = |cell: &str| cell.split(';').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
        let (kinds, mut about) = (split(cells[5]), split(cells[6]));
        about.resize(kinds.len(), String::new());
        Some((cells[0].to_owned(), kinds.into_iter().zip(about).collect()))
    };
    let mut rows: Vec<(String, Vec<(String, String)>)> = table.lines().filter_map(of).collect();
    // What is over was triggered before.
    rows.sort_by_key(|(file, _)| file.replace("-triggered", "-a"));
    rows
}

/// A file as a bot posts it: text, or the body of a webhook. Discord makes embeds of Slack's attachments.
fn message(file: &str) -> (String, Value) {
    let text = fs::read_to_string(format!("{}/chat-text/{file}", folder())).expect("the file");
    let Ok(body) = serde_json::from_str::<Value>(&text) else { return (text, json!([])) };
    let content = body["content"].as_str().or(body["text"].as_str()).unwrap_or_default().to_owned();
    let slack = |part: &Value| {
        let field = |field: &Value| json!({"name": field["title"], "value": field["value"], "inline": false});
        let fields: Vec<Value> = part["fields"].as_array().into_iter().flatten().map(field).collect();
        json!({"title": part["title"], "description": part["text"], "fields": fields})
    };
    match body["attachments"].as_array() {
        Some(parts) => (content, parts.iter().map(slack).collect()),
        None => (content, body["embeds"].clone()),
    }
}

#[test]
fn what_a_bot_posts_opens_and_resolves_what_the_table_says() {
    let mut stage = Stage::with(RULE, "http://127.0.0.1:9/");
    let ops = stage.discord.channel("payments-ops");
    let rows = rows();
    assert_eq!(rows.len(), 17, "every file of the folder");
    // What comes before the channels are known waits for them, and what comes after does not wait for it.
    stage.discord.write(ROBOT, false, ops, "[FIRING:1] TheFirstOne (critical)", json!([]));
    stage.discord.wait_for_message("the first alert", |shown| shown.content.contains("TheFirstOne"));
    let mut posted = Vec::new();
    for (file, _) in &rows {
        let (content, embeds) = message(file);
        posted.push(stage.discord.write(ROBOT, false, ops, &content, embeds));
    }
    stage.discord.write(ROBOT, false, ops, "[FIRING:1] TheLastOne (critical)", json!([]));
    stage.discord.wait_for_message("the last alert", |shown| shown.content.contains("TheLastOne"));

    let mut commits = Vec::new();
    let mut client = stage.server.client();
    let mut path = "/v1/journal?limit=200".to_owned();
    loop {
        let page = client.get(&path).unwrap().json();
        commits.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/journal?limit=200&cursor={next}");
    }
    let mut firing = BTreeSet::new();
    let (mut wrong, mut seen) = (Vec::new(), (0, 0));
    for ((file, told), id) in rows.iter().zip(posted) {
        let (mut opens, mut resolves) = (Vec::new(), 0);
        for (kind, about) in told {
            match kind.as_str() {
                "alert" if firing.insert(about.clone()) => opens.push(about.clone()),
                "resolve" if firing.remove(about) => resolves += 1,
                _ => {}
            }
        }
        let id = id.to_string();
        let mine = commits.iter().filter(|commit| commit["by"]["request"].as_str() == Some(id.as_str()));
        let events: Vec<&Value> = mine.flat_map(|commit| commit["events"].as_array().unwrap()).collect();
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
        let named: Vec<&str> = of("alert.opened").iter().map(|event| event["name"].as_str().unwrap()).collect();
        let fits = named.len() == opens.len()
            && named.iter().zip(&opens).all(|(name, about)| about == name || about.ends_with(&format!(" / {name}")));
        seen = (seen.0 + named.len(), seen.1 + of("alert.resolved").len());
        if !fits || of("alert.resolved").len() != resolves {
            wrong.push(format!(
                "{file}: opened {named:?} for {opens:?}, resolved {} of {resolves}",
                of("alert.resolved").len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen, (24, 6), "opened and resolved in all");
}
