//! Two organisations and the inputs that the tests of replay, simulation and authorisation are made of. What is
//! checked is with the tests.

#![allow(dead_code, reason = "each test takes its part")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use opsbell::catalog;
use opsbell::domain::actor::{Actor, By};
use opsbell::domain::id::IncidentId;
use opsbell::domain::incident::Incident;
use opsbell::domain::input::{Button, Input, InputKind, Place};
use opsbell::domain::org::Org;
use opsbell::domain::signal::{AlertSeverity, Signal, SignalKind};
use opsbell::domain::state::State;

/// 2026-03-28T23:00Z: a night in which Amsterdam's clocks change.
pub const START: i64 = 1_774_738_800_000;

fn built(files: &BTreeMap<PathBuf, String>) -> Arc<Org> {
    let loaded = catalog::load_files(files, &|_| Some("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0".to_owned()));
    let found: Vec<String> = loaded.findings.iter().map(catalog::Finding::brief).collect();
    Arc::new(loaded.config.unwrap_or_else(|| panic!("{found:#?}")).org)
}

/// EJ Airways.
pub fn example() -> Arc<Org> {
    built(&catalog::example())
}

/// EJ Airways with one playbook more.
pub fn example_with(name: &str, playbook: &str) -> Arc<Org> {
    let mut files = catalog::example();
    files.insert(PathBuf::from(format!("playbooks/{name}.toml")), playbook.to_owned());
    built(&files)
}

/// A small organisation with everything that paging can meet: see `config/opsbell.toml`.
pub fn small() -> Arc<Org> {
    let text = include_str!("config/opsbell.toml").to_owned();
    built(&BTreeMap::from([(PathBuf::from("opsbell.toml"), text)]))
}

/// An organisation of one file.
pub fn from_text(text: &str) -> Arc<Org> {
    built(&BTreeMap::from([(PathBuf::from("opsbell.toml"), text.to_owned())]))
}

/// An organisation of one file and one playbook.
pub fn with_playbook(text: &str, name: &str, playbook: &str) -> Arc<Org> {
    built(&BTreeMap::from([
        (PathBuf::from("opsbell.toml"), text.to_owned()),
        (PathBuf::from(format!("playbooks/{name}.toml")), playbook.to_owned()),
    ]))
}

/// A person's envelope.
pub fn person(name: &str) -> By {
    By::new(Actor::Person(name.into()), "api")
}

/// An input without closed records and key.
pub fn input(by: By, kind: InputKind) -> Input {
    Input { by, idempotency: None, kind, closed: Vec::new() }
}

/// Words of a person.
pub fn say(who: &str, text: &str) -> Input {
    let place = Place { chat: "api".into(), ..Place::default() };
    input(person(who), InputKind::Text { place, text: text.to_owned() })
}

/// A button pressed.
pub fn press(who: &str, button: Button, incident: u64) -> Input {
    let place = Place { chat: "api".into(), ..Place::default() };
    input(person(who), InputKind::Press { place, button, incident: IncidentId(incident) })
}

/// A signal of `integration` about `service`.
pub fn signal(
    integration: &str,
    kind: SignalKind,
    service: Option<&str>,
    key: &str,
    severity: Option<AlertSeverity>,
) -> Signal {
    Signal {
        kind,
        service: service.map(str::to_owned),
        name: format!("{integration} {key}"),
        severity,
        severity_word: None,
        status: "firing".to_owned(),
        key: key.to_owned(),
        summary: None,
        labels: BTreeMap::new(),
        environment: None,
        link: None,
        started_at: None,
        deployment: None,
    }
}

/// The signal as an input.
pub fn sent(integration: &str, signal: Signal) -> Input {
    let by = By::new(Actor::Integration(integration.into()), "generic");
    input(by, InputKind::Signal { integration: integration.into(), signal: Box::new(signal) })
}

/// Gives an input the closed records that it names, as the runtime does.
pub fn with_closed(mut input: Input, state: &State, closed: &BTreeMap<IncidentId, Incident>) -> Input {
    let named: Vec<IncidentId> = match &input.kind {
        InputKind::Text { text, .. } => text.split_whitespace().filter_map(|word| word.parse().ok()).collect(),
        InputKind::Press { incident, .. } => vec![*incident],
        _ => Vec::new(),
    };
    for id in named {
        if !state.incidents.contains_key(&id) {
            input.closed.extend(closed.get(&id).cloned().map(Into::into));
        }
    }
    input
}
