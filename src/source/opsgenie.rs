//! Opsgenie: the body that its Alert API takes, and its own outgoing webhooks, told apart by `action`
//! (<https://docs.opsgenie.com/docs/alert-api>, `/docs/opsgenie-edge-connector-alert-action-data`). The API's paths and
//! answers are `http/`'s.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{NAMELESS, Reading, Unreadable, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{AlertSeverity, Signal, SignalKind};

/// Reads a body: always one signal.
pub fn read(bytes: &[u8], _: &Mapping) -> Result<Reading, Unreadable> {
    let body: Value = body::parse(bytes)?;
    let signal = match (body.get("action").and_then(Value::as_str), body.get("alert")) {
        (Some(action), Some(alert)) => webhook(action, alert)?,
        (None, Some(_)) => return Err(unreadable("$.action", "the webhook does not say what happened (`action`)")),
        (_, None) => create(&body)?,
    };
    Ok(Reading { signals: vec![signal], ..Reading::default() })
}

fn unreadable(path: &str, message: &str) -> Unreadable {
    Unreadable {
        path: Some(path.to_owned()),
        message: message.to_owned(),
        hint: "send what Opsgenie's Alert API takes to create an alert, or an Opsgenie webhook".to_owned(),
    }
}

fn text(value: Option<&Value>, max_chars: usize) -> Option<String> {
    value.and_then(body::scalar).and_then(|text| limits::line(&text, max_chars))
}

/// `P1` to `P5`, or the number alone.
fn priority(word: &str) -> Option<AlertSeverity> {
    let named = if word.len() == 1 { format!("P{word}") } else { word.to_owned() };
    AlertSeverity::from_word(&named)
}

/// Details and tags as labels.
fn labels(alert: &Value) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    if let Some(Value::Object(details)) = alert.get("details") {
        let label = |(name, value): (&String, &Value)| {
            Some((limits::line(name, limits::NAME_CHARS)?, text(Some(value), limits::LABEL_CHARS)?))
        };
        labels.extend(details.iter().filter_map(label).take(limits::LABELS - 3));
    }
    if let Some(entity) = text(alert.get("entity"), limits::LABEL_CHARS) {
        labels.insert("entity".to_owned(), entity);
    }
    if let Some(Value::Array(tags)) = alert.get("tags") {
        let tags: Vec<&str> = tags.iter().filter_map(Value::as_str).take(limits::LABELS).collect();
        if let Some(tags) = limits::line(&tags.join(","), limits::LABEL_CHARS) {
            labels.insert("tags".to_owned(), tags);
        }
    }
    labels
}

fn signal(kind: SignalKind, alert: &Value, status: &str, name: String, key: String) -> Signal {
    let labels = labels(alert);
    let severity_word = text(alert.get("priority"), limits::WORD_CHARS);
    Signal {
        kind,
        service: labels.get("service").or_else(|| labels.get("entity")).cloned(),
        severity: severity_word.as_deref().and_then(priority),
        severity_word,
        status: status.to_owned(),
        summary: alert.get("description").and_then(Value::as_str).and_then(|t| limits::lines(t, limits::SUMMARY_CHARS)),
        environment: labels.get("environment").and_then(|word| limits::line(word, limits::WORD_CHARS)),
        labels,
        link: None,
        started_at: None,
        deployment: None,
        name,
        key,
    }
}

/// The body of `POST /v2/alerts`. Without an alias the key is the hash of what it says; `/v2/alerts` makes a new one.
fn create(body: &Value) -> Result<Signal, Unreadable> {
    let Some(name) = text(body.get("message"), limits::NAME_CHARS) else {
        return Err(unreadable("$.message", "an alert needs `message`: what is wrong"));
    };
    let alias = body.get("alias").and_then(body::scalar).and_then(|alias| limits::key(&alias));
    let entity = text(body.get("entity"), limits::NAME_CHARS).unwrap_or_default();
    let key = alias.unwrap_or_else(|| limits::hash([entity.as_str(), name.as_str()]));
    let mut signal = signal(SignalKind::Alert, body, "open", name, key);
    // Opsgenie's own default.
    signal.severity = signal.severity.or(if signal.severity_word.is_none() { priority("P3") } else { None });
    Ok(signal)
}

/// A webhook: the action decides. The alert may have nothing but its id.
fn webhook(action: &str, alert: &Value) -> Result<Signal, Unreadable> {
    let id = alert.get("alertId").and_then(body::scalar).and_then(|id| limits::key(&id));
    let alias = alert.get("alias").and_then(body::scalar).and_then(|alias| limits::key(&alias));
    let Some(key) = alias.or_else(|| id.clone()) else {
        return Err(unreadable("$.alert.alertId", "the webhook names no alert (`alertId` or `alias`)"));
    };
    let kind = match action {
        "Create" => SignalKind::Alert,
        "Acknowledge" => SignalKind::Ack,
        "Close" | "Delete" => SignalKind::Resolve,
        _ => SignalKind::StatusUpdate,
    };
    let name = text(alert.get("message"), limits::NAME_CHARS).or(id).unwrap_or_else(|| NAMELESS.to_owned());
    let status = limits::line(action, limits::WORD_CHARS).unwrap_or_else(|| NAMELESS.to_owned());
    let mut signal = signal(kind, alert, &status, name, key);
    if kind == SignalKind::StatusUpdate {
        // Only a note says something new; the description is that of the alert.
        let note = alert.get("note").filter(|_| action == "AddNote");
        signal.summary = note.and_then(Value::as_str).and_then(|text| limits::lines(text, limits::SUMMARY_CHARS));
    }
    Ok(signal)
}
