//! Grafana's webhooks: the unified body, which is Alertmanager's with more fields in it, and the legacy one of releases
//! before 8 (`ruleId`, `state`). Whichever it is, the folder stands for the service where no label names one.

use serde_json::Value;

use super::{Reading, Unreadable, alertmanager, body, limits};
use crate::domain::org::Mapping;
use crate::domain::signal::{Signal, SignalKind};

const FOLDER: &str = "grafana_folder";

/// Reads a body of either kind.
pub fn read(bytes: &[u8], mapping: &Mapping) -> Result<Reading, Unreadable> {
    if body::first_byte(bytes) == Some(b'{') {
        let whole: Value = body::parse(bytes)?;
        if whole.get("alerts").is_none() && whole.get("state").is_some() {
            return Ok(Reading { signals: vec![legacy(&whole)?], ..Reading::default() });
        }
    }
    let mut reading = alertmanager::read(bytes, mapping)?;
    for signal in &mut reading.signals {
        if signal.service.is_none() {
            signal.service = signal.labels.get(FOLDER).and_then(|folder| limits::line(folder, limits::NAME_CHARS));
        }
    }
    Ok(reading)
}

fn legacy(body: &Value) -> Result<Signal, Unreadable> {
    let text = |name: &str, max_chars| body.get(name).and_then(body::scalar).and_then(|t| limits::line(&t, max_chars));
    let missing = |path: &str, message: &str| Unreadable {
        path: Some(path.to_owned()),
        message: message.to_owned(),
        hint: "send the body of a Grafana webhook".to_owned(),
    };
    let name = text("ruleName", limits::NAME_CHARS).or_else(|| text("title", limits::NAME_CHARS));
    let name = name.ok_or_else(|| missing("$.ruleName", "nothing names the alert (`ruleName`)"))?;
    let status = text("state", limits::WORD_CHARS).ok_or_else(|| missing("$.state", "the body has no state"))?;
    // 0 is an id too.
    let id = body.get("ruleId").and_then(body::scalar).and_then(|id| limits::key(&id));
    let kind = match status.to_ascii_lowercase().as_str() {
        "alerting" | "no_data" => SignalKind::Alert,
        "ok" => SignalKind::Resolve,
        // Paused or pending: nothing to note.
        _ => SignalKind::StatusUpdate,
    };
    let message = body.get("message").and_then(Value::as_str).filter(|_| kind != SignalKind::StatusUpdate);
    Ok(Signal {
        kind,
        service: None,
        severity: None,
        severity_word: None,
        status,
        key: id.unwrap_or_else(|| limits::hash([name.as_str()])),
        summary: message.and_then(|text| limits::lines(text, limits::SUMMARY_CHARS)),
        labels: Default::default(),
        environment: None,
        link: body.get("ruleUrl").and_then(Value::as_str).and_then(limits::link),
        started_at: None,
        deployment: None,
        name,
    })
}
